"""The rows of a source as they would have come: each at its time, for a recorded day that is played.

A row of a series comes at its stamp. A row that tells of a thing from its beginning to its end
(`lived` in the mapping) comes twice: as it stood when it began, and whole when it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from cityloom.broker.ports import BatchOperation, Call, Item, ItemError
from cityloom.connect.files import find_files
from cityloom.connect.intake import Intake
from cityloom.connect.mapping import LivedPart, Mapping
from cityloom.connect.readers import open_table
from cityloom.connect.rows import Attributes, Built
from cityloom.connect.run import Importer
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.events import Cause
from cityloom.model.time import parse_datetime
from cityloom.store.instances import series_instance_id

_ROWS = 5000
_ITEMS = 1000


class Delivery(NamedTuple):
    """An entity as a source tells of it at a time (µs); `ends` is when a thing that is lived ends."""

    at: int
    source: str
    entity: Entity
    lived: bool = False
    ends: int | None = None


async def read_deliveries(
    importer: Importer, mapping: Mapping, data: Path, since: int, until: int
) -> list[Delivery]:
    """What a source delivers up to a time (µs, included), in the order of time.

    Of a series only what comes after `since`: what is lived is needed from its beginning on. Rows that an
    import would reject, and repeats of a stamp, are left out; so are personal columns.

    Raises:
        ConfigurationError: no file is there, or one is not of the format.
        BadRequestData: the rows of the mapping have no time.

    Cost: reads every row of the files; holds what is delivered in memory, about 2 kB a row.
    """
    if not mapping.series and mapping.lived is None:
        raise BadRequestData(f"source {mapping.source} is invalid: its rows have no time to be played by")
    intake = importer.intake(mapping, await importer.areas(mapping))
    found = await asyncio.to_thread(lambda: list(_read(intake, mapping, data, (since, until))))
    return sorted(found, key=lambda one: one.at)


async def deliver(
    importer: Importer, call: Call, mapping: Mapping, told: Iterable[Delivery]
) -> list[ItemError]:
    """Hands entities to the broker as if they came now; gives what it refused.

    Of an entity that is told several times, each is a write of its own, in order.
    """
    operation: BatchOperation = "upsert-replace" if mapping.update == "replace" else "upsert-update"
    refused: list[ItemError] = []
    for entities in _rounds(told):
        for first in range(0, len(entities), _ITEMS):
            items = [Item(id=one.id, entity=one) for one in entities[first : first + _ITEMS]]
            result = await importer.target.broker.batch(call, operation, items, skip_unchanged=True)
            refused += result.errors
    return refused


def call_of(importer: Importer, mapping: Mapping, at: int) -> Call:
    """The call of what a source delivers at a time (µs): its cause names the source."""
    target = importer.target
    cause = Cause(
        kind="feed",
        id=f"play:{mapping.source}:{at}",
        party=target.party,
        source=mapping.source,
        file=mapping.path,
        operation="play",
    )
    return Call(tenant=target.tenant, party=target.party, cause=cause)


def _read(intake: Intake, mapping: Mapping, data: Path, span: tuple[int, int]) -> Iterator[Delivery]:
    for file in find_files(mapping, data):
        with closing(open_table(mapping, file.path)) as table:
            while (batch := intake.batch(table.rows, file.name, _ROWS)).read:
                for built in batch.built:
                    told = (
                        _reading(intake, mapping, built) if mapping.series else _life(intake, mapping, built)
                    )
                    yield from (one for one in told if (one.lived or one.at > span[0]) and one.at <= span[1])


def _reading(intake: Intake, mapping: Mapping, built: Built) -> Iterator[Delivery]:
    if built.micros is None or built.occurrence:
        return
    micros, entity = built.micros, intake.builder.entity(built)
    # Known by the id that an import of the file derives: imported later, it is there already.
    attributes: Attributes = {
        name: [
            replace(
                one,
                instance_id=series_instance_id(
                    built.entity_id, name, one.dataset_id, mapping.source, micros, built.occurrence
                ),
            )
            if name in built.attributes
            else one
            for one in instances
        ]
        for name, instances in entity.attributes.items()
    }
    yield Delivery(micros, mapping.source, replace(entity, attributes=attributes))


def _life(intake: Intake, mapping: Mapping, built: Built) -> Iterator[Delivery]:
    lived = mapping.lived
    assert lived is not None
    entity = intake.builder.entity(built)
    begun, ended = (_time(intake, entity, name) for name in (lived.begun, lived.ended))
    if begun is None:
        return
    if ended is None or ended < begun:
        yield Delivery(begun, mapping.source, entity, lived=True, ends=ended)
        return
    yield Delivery(begun, mapping.source, _before(intake, lived, entity), lived=True, ends=ended)
    yield Delivery(ended, mapping.source, entity, lived=True, ends=ended)


def _before(intake: Intake, lived: LivedPart, entity: Entity) -> Entity:
    """As it stood before its end."""
    expand = intake.builder.expand
    later = {expand(name) for name in (lived.ended, *lived.at_end)}
    was = {expand(name): value for name, value in lived.before.items()}
    attributes = {
        name: [replace(one, value=was[name]) for one in instances] if name in was else instances
        for name, instances in entity.attributes.items()
        if name not in later
    }
    return replace(entity, attributes=attributes)


def _time(intake: Intake, entity: Entity, name: str) -> int | None:
    instance = entity.instance(intake.builder.expand(name))
    return None if instance is None else parse_datetime(str(instance.value), name)


def _rounds(told: Iterable[Delivery]) -> Iterator[list[Entity]]:
    """In order, each entity once a round."""
    rounds: list[dict[str, Entity]] = []
    count: dict[str, int] = {}
    for one in told:
        number = count.get(one.entity.id, 0)
        count[one.entity.id] = number + 1
        if number == len(rounds):
            rounds.append({})
        rounds[number][one.entity.id] = one.entity
    for entities in rounds:
        yield list(entities.values())
