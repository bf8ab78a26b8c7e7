"""A `Change`, as the page takes it: made here alone, of an event of the log and of what was once observed.

So a replay and the live view are one thing to the page. Its form:
`{seq?, at, kind, entityId, type, changes: [{name, datasetId?, value, observedAt?, deleted?}], location?}`.
A change of the past has no `seq`: it stands nowhere in the log any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from cityloom.ld.compact import Form, compact_attribute
from cityloom.ld.context import LdContext
from cityloom.model.entity import LOCATION, Attribute
from cityloom.model.events import Event
from cityloom.model.time import format_datetime
from cityloom.store.history_ports import Observed
from cityloom.web.resource import Schema

Told = tuple[str, str, Attribute | None]
"""Attribute (expanded), dataset id, and what it is from then on; None: it is not there."""

_KINDS: Final = ("entityCreated", "entityUpdated", "entityDeleted", "historyAppended")
_SIMPLIFIED: Final = Form(representation="simplified")

CHANGE: Final[Schema] = {
    "type": "object",
    "required": ["at", "kind", "entityId", "type", "changes"],
    "properties": {
        "seq": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "kind": {"enum": list(_KINDS)},
        "entityId": {"type": "string"},
        "type": {"type": "array", "items": {"type": "string"}},
        "changes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "value"],
                "properties": {
                    "name": {"type": "string"},
                    "datasetId": {"type": "string"},
                    "value": {},
                    "observedAt": {"type": "string"},
                    "deleted": {"const": True},
                },
            },
        },
        "location": {"type": "object"},
    },
}


def change_of_event(event: Event, ld_context: LdContext) -> dict[str, Any] | None:
    """What an event changed; None for one that changed no entity."""
    if event.kind not in _KINDS:
        return None
    told = [(change.name, change.dataset_id, change.after) for change in event.changes]
    change = _change(event.entity_id, event.types, event.at, event.kind, told, ld_context)
    return {"seq": event.seq, **change}


def changes_to(found: Iterable[Observed], at: int, ld_context: LdContext) -> Iterator[dict[str, Any]]:
    """One change for each entity, which brings it to what had last been observed.

    Args:
        found: by entity.
        at: the instant asked for (µs), for entities of which nothing had been observed.
    """
    for entity_id, group in groupby(found, key=lambda one: one.entity_id):
        observed = list(group)
        newest = max((one.time for one in observed if one.time is not None), default=at)
        yield _observed(entity_id, observed, newest, ld_context)


def changes_in(found: Iterable[Observed], ld_context: LdContext) -> Iterator[dict[str, Any]]:
    """One change for each entity and time.

    Args:
        found: by time, then entity.
    """
    for (time, entity_id), group in groupby(found, key=lambda one: (one.time, one.entity_id)):
        yield _observed(entity_id, list(group), time or 0, ld_context)


def _observed(entity_id: str, observed: list[Observed], at: int, ld_context: LdContext) -> dict[str, Any]:
    told = [(one.name, one.dataset_id, one.attribute) for one in observed]
    return _change(entity_id, observed[0].types, at, "entityUpdated", told, ld_context)


def _change(
    entity_id: str, types: list[str], at: int, kind: str, told: list[Told], ld_context: LdContext
) -> dict[str, Any]:
    change: dict[str, Any] = {
        "at": format_datetime(at),
        "kind": kind,
        "entityId": entity_id,
        "type": [ld_context.compact_iri(type) for type in types],
        "changes": [_attribute(*one, ld_context) for one in told],
    }
    for name, dataset_id, attribute in told:
        if name == LOCATION and not dataset_id and attribute is not None:
            change["location"] = attribute.value
    return change


def _attribute(
    name: str, dataset_id: str, attribute: Attribute | None, ld_context: LdContext
) -> dict[str, Any]:
    told: dict[str, Any] = {"name": ld_context.compact_key(name)}
    if dataset_id:
        told["datasetId"] = dataset_id
    if attribute is None:
        return {**told, "value": None, "deleted": True}
    told["value"] = compact_attribute(name, [attribute], ld_context, _SIMPLIFIED)
    if attribute.observed_at:
        told["observedAt"] = attribute.observed_at
    return told
