"""Silence is a state: a sensor that stopped is marked on its entity, a source in its own state.

The mark is the Property `stale` of the entity: true while its newest stamp is
older than the expected interval, false after it came back, absent as long as
it was never silent. It can be queried, subscribed to, and has a history.

What "older" is measured from: for a live source the clock; for files the
newest stamp of the source, since an archive ends when it ends, and a sensor
that fell silent before its neighbours is told all the same.
"""

from __future__ import annotations

import re

from cityloom.broker.ports import Call, Item
from cityloom.connect.mapping import Mapping
from cityloom.connect.template import Template
from cityloom.connect.work import Target
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import Query, TypeIs

STALE = "stale"
_BATCH = 500


async def mark_silent(target: Target, mapping: Mapping, reference: int) -> tuple[int, int]:
    """Marks the entities of a source that are silent, and takes the mark from those that speak again.

    Args:
        mapping: with an expected interval and `observedAt`; others have nothing to mark.
        reference: what silence is measured from, in microseconds.

    Returns:
        How many were marked, and how many came back.

    Cost: reads every entity of the source.
    """
    if mapping.interval is None or mapping.observed_at is None:
        return 0, 0
    name = target.expand(STALE)
    oldest = reference - mapping.interval
    cause = Cause(
        kind="system",
        id=f"urn:ngsi-ld:Watch:{mapping.source}:{format_datetime(reference)}",
        party=target.party,
        operation="watch",
    )
    call = Call(tenant=target.tenant, party=target.party, cause=cause)
    counts = [0, 0]
    changes: list[Item] = []
    prefix = re.escape(Template(mapping.entity.id, uri=True).prefix)
    query = Query(types=TypeIs(type=target.expand(mapping.entity.types[0])), id_pattern=f"^{prefix}.*")
    async for entity in target.broker.scan_entities(call, query):
        newest = newest_stamp(entity)
        if newest is None:
            continue
        mark = entity.instance(name)
        silent, marked = newest < oldest, mark is not None and mark.value is True
        if silent == marked:
            continue
        counts[not silent] += 1
        attribute = Attribute(kind="Property", value=silent)
        fragment = Entity(id=entity.id, types=entity.types, attributes={name: [attribute]})
        changes.append(Item(id=entity.id, entity=fragment))
    for start in range(0, len(changes), _BATCH):
        await target.broker.batch(call, "upsert-update", changes[start : start + _BATCH], skip_unchanged=True)
    return counts[0], counts[1]


def newest_stamp(entity: Entity) -> int | None:
    """The newest `observedAt` of an entity's attributes in microseconds; None when it has none."""
    newest: int | None = None
    for instances in entity.attributes.values():
        for attribute in instances:
            if attribute.observed_at is None:
                continue
            try:
                micros = parse_datetime(attribute.observed_at)
            except BadRequestData:
                continue
            if newest is None or micros > newest:
                newest = micros
    return newest
