"""Histories that sources told, read together with that of this node as if it were one.

Source: ETSI GS CIM 009 clauses 4.5.5, 4.5.6, 5.7.3.4, 5.7.4.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from cityloom.broker.windows import time_of
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity
from cityloom.ld.limits import Limits
from cityloom.ld.names import is_uri
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.history import Instance
from cityloom.model.time import parse_datetime
from cityloom.store.history_ports import HistoryEntity, HistoryReads, NumberColumn, Window

_TIMES = ("createdAt", "modifiedAt")
Timeline = dict[str, list[Instance]]


def read_evolution(document: Any, ld_context: LdContext, limits: Limits) -> Entity:
    """An evolution that a source answered: each attribute a list of instances, with the times it told.

    Of the scopes their values are read, and not their own evolution.

    Raises:
        BadRequestData: it is none.
    """
    if not isinstance(document, dict):
        raise BadRequestData("the evolution is invalid: a JSON object is required")
    told = {name: value for name, value in document.items() if name not in ("@context", "scope")}
    entity = expand_entity(told, ld_context, temporal=True, limits=limits)
    attributes = dict(entity.attributes)
    for key, value in told.items():
        name = ld_context.expand_term(key)
        parts = [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict)]
        instances = attributes.get(name, [])
        if len(parts) == len(instances):
            attributes[name] = [_timed(one, part) for one, part in zip(instances, parts, strict=True)]
    times = {name: _time(document.get(name)) for name in _TIMES}
    return replace(
        entity,
        attributes=attributes,
        scopes=list(dict.fromkeys(_scopes(document.get("scope")))),
        created_at=times["createdAt"],
        modified_at=times["modifiedAt"],
    )


def _scopes(told: Any) -> Iterable[str]:
    for one in told if isinstance(told, list) else [told]:
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            yield from _scopes(one.get("value"))


def _timed(instance: Attribute, told: dict[str, Any]) -> Attribute:
    created, modified = (_time(told.get(name)) for name in _TIMES)
    given = told.get("instanceId")
    instance_id = given if isinstance(given, str) and is_uri(given) else None
    return replace(instance, created_at=created, modified_at=modified, instance_id=instance_id)


def _time(text: Any) -> str | None:
    try:
        parse_datetime(text)
    except BadRequestData:
        return None
    return str(text)


class Told:
    """The histories of this node with those that sources told of some entities.

    Args:
        here: the history of this node.
        parts: from sources that count as this node does, by entity id.
        extras: from auxiliary sources: an instance of a time that nobody else has (5.7.3.4).
        timeproperty: the time of the temporal query.

    It answers what a temporal answer asks of `HistoryReads`: `history_entity` and `instances`.
    """

    def __init__(
        self,
        here: HistoryReads,
        parts: dict[str, list[Entity]],
        extras: dict[str, list[Entity]],
        timeproperty: str,
    ) -> None:
        self._here = here
        self._parts = parts
        self._extras = extras
        self._timeproperty = timeproperty

    def __getattr__(self, name: str) -> Any:
        return getattr(self._here, name)

    def history_entity(self, tenant: str, entity_id: str) -> HistoryEntity | None:
        """What is known of an entity, here and there."""
        here = self._here.history_entity(tenant, entity_id)
        told = [*self._parts.get(entity_id, ()), *self._extras.get(entity_id, ())]
        if not told:
            return here
        created = [one.created_at for one in (here, *told) if one is not None and one.created_at is not None]
        changed = [
            one.modified_at for one in (here, *told) if one is not None and one.modified_at is not None
        ]
        return HistoryEntity(
            id=entity_id,
            types=list(dict.fromkeys(type for one in (here, *told) if one is not None for type in one.types)),
            scopes=list(
                dict.fromkeys(scope for one in (here, *told) if one is not None for scope in one.scopes)
            ),
            incarnation=0 if here is None else here.incarnation,
            created_at=min(created, key=parse_datetime, default=None),
            modified_at=max(changed, key=parse_datetime, default=None),
        )

    def number_columns(
        self, tenant: str, entity_id: str, name: str, window: Window
    ) -> dict[str, NumberColumn] | None:
        """Numbers, where they are all of this node."""
        if entity_id in self._parts or entity_id in self._extras:
            return None
        return self._here.number_columns(tenant, entity_id, name, window)

    def instances(self, tenant: str, entity_id: str, window: Window) -> Timeline:
        """The instances in a window, in order of time."""
        parts, extras = self._parts.get(entity_id, ()), self._extras.get(entity_id, ())
        if not parts and not extras:
            return self._here.instances(tenant, entity_id, window)
        unbounded = replace(window, last_n=None, first_n=None)
        joined = {
            name: list(many) for name, many in self._here.instances(tenant, entity_id, unbounded).items()
        }
        known = {_key(one) for many in joined.values() for one in many}
        for instance in _instances(parts, window):
            if (key := _key(instance)) not in known:
                known.add(key)
                joined.setdefault(instance.name, []).append(instance)
        taken = {self._slot(one) for many in joined.values() for one in many}
        for instance in _instances(extras, window):
            if self._slot(instance) not in taken:
                joined.setdefault(instance.name, []).append(instance)
        ordered = {
            name: sorted(many, key=lambda one: time_of(one.attribute, window.timeproperty))
            for name, many in joined.items()
        }
        if window.last_n is not None:
            return {name: many[-window.last_n :] if window.last_n else [] for name, many in ordered.items()}
        return {name: many[: window.first_n] for name, many in ordered.items()}

    def _slot(self, instance: Instance) -> tuple[str, str, int]:
        attribute = instance.attribute
        return instance.name, attribute.dataset_id, time_of(attribute, self._timeproperty)


def _instances(entities: Iterable[Entity], window: Window) -> Iterable[Instance]:
    for entity in entities:
        for name, many in entity.attributes.items():
            if window.names is not None and name not in window.names:
                continue
            for attribute in many:
                if window.dataset_ids is not None and attribute.dataset_id not in window.dataset_ids:
                    continue
                if _within(attribute, window):
                    yield Instance(name=name, attribute=attribute)


def _within(attribute: Attribute, window: Window) -> bool:
    if window.start is None and window.end is None:
        return True
    if window.timeproperty == "observedAt" and attribute.observed_at is None:
        return False
    time = time_of(attribute, window.timeproperty)
    return (window.start is None or time >= window.start) and (window.end is None or time < window.end)


def _key(instance: Instance) -> bytes:
    """What tells an instance from another: the same one may be told by several sources."""
    one = instance.attribute
    at = one.observed_at or one.modified_at
    time = None if at is None else parse_datetime(at)
    value = None if isinstance(one.value, msgspec.UnsetType) else one.value
    return msgspec.json.encode([instance.name, one.dataset_id, time, value, one.deleted_at])
