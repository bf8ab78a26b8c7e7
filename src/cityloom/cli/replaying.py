"""What `replay` does: each value of the past at its time, to standard output or into another node."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec

from cityloom.ld.compact import Form, compact_entity
from cityloom.ld.context import LdContext
from cityloom.model.entity import Entity
from cityloom.model.errors import ConfigurationError
from cityloom.model.time import parse_datetime
from cityloom.query.values import TypeExpression
from cityloom.store.history_ports import Window
from cityloom.store.ports import Snapshot

_REPLAY_STEP = 0.25
"""Seconds between two looks at what is due in a replay."""


def past(
    snapshot: Snapshot, types: TypeExpression | None, first: int, last: int
) -> list[tuple[int, dict[str, Any]]]:
    """(time, entity with one attribute) of every instance observed in [first, last), by time."""
    window = Window(start=first, end=last)
    moments: list[tuple[int, dict[str, Any]]] = []
    after = ""
    while page := snapshot.history_entities("", types=types, after_id=after):
        for known in page:
            for name, instances in snapshot.instances("", known.id, window).items():
                for instance in instances:
                    stamp = instance.attribute.observed_at
                    if stamp is None or instance.attribute.deleted_at is not None:
                        continue
                    plain = msgspec.structs.replace(
                        instance.attribute, instance_id=None, created_at=None, modified_at=None
                    )
                    entity = Entity(id=known.id, types=known.types, attributes={name: [plain]})
                    moments.append((parse_datetime(stamp), compact_entity(entity, LdContext.core, Form())))
        after = page[-1].id
    moments.sort(key=lambda moment: moment[0])
    return moments


async def play(
    moments: list[tuple[int, dict[str, Any]]], first: int, speed: float, into: str | None, tenant: str
) -> int:
    """Tells each moment when it is due; what is due together goes together."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    told = 0
    async with aiohttp.ClientSession() as session:
        while told < len(moments):
            until = first + round((loop.time() - begun) * speed * 1e6) if speed else moments[-1][0]
            due = told
            while due < len(moments) and moments[due][0] <= until and due - told < 1000:
                due += 1
            for batch in _rounds([entity for _, entity in moments[told:due]]):
                if into is None:
                    for entity in batch:
                        sys.stdout.buffer.write(msgspec.json.encode(entity) + b"\n")
                    sys.stdout.buffer.flush()
                else:
                    await _tell(session, into, tenant, batch)
            told = due
            if told < len(moments) and moments[told][0] > until:
                await asyncio.sleep(min(_REPLAY_STEP, (moments[told][0] - until) / 1e6 / speed))
    return told


def _rounds(entities: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The entities in order, in batches in which no id occurs twice."""
    batch: dict[str, dict[str, Any]] = {}
    for entity in entities:
        known = batch.get(entity["id"])
        if known is None:
            batch[entity["id"]] = entity
        elif known.keys().isdisjoint(entity.keys() - {"id", "type"}):
            batch[entity["id"]] = known | entity
        else:
            yield list(batch.values())
            batch = {entity["id"]: entity}
    if batch:
        yield list(batch.values())


async def _tell(session: aiohttp.ClientSession, into: str, tenant: str, batch: list[dict[str, Any]]) -> None:
    url = into.rstrip("/") + "/ngsi-ld/v1/entityOperations/upsert?options=update"
    headers = {"Content-Type": "application/json", **({"NGSILD-Tenant": tenant} if tenant else {})}
    try:
        async with session.post(url, data=msgspec.json.encode(batch), headers=headers) as reply:
            if reply.status not in (201, 204):
                raise ConfigurationError(f"{into} answered {reply.status}: {(await reply.text())[:300]}")
    except aiohttp.ClientError as error:
        raise ConfigurationError(f"{into} could not be reached: {error}") from None
