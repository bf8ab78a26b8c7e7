"""Transient entities and attributes: what has expired is not there any more.

Readers and writers look at entities through `alive`; the rows themselves go
when upkeep comes round, woken by a durable timer of each transient entity.

Source: ETSI GS CIM 009 clause 4.22.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cityloom.model.entity import Attribute, Entity
from cityloom.model.time import parse_datetime

EXPIRY: Final = "expiry"
"""The consumer whose timers tell when entities expire."""


def next_expiry(entity: Entity) -> int | None:
    """When the first part of the entity expires, in microseconds; None when nothing does."""
    if entity.expires_at is None and not _is_transient(entity.attributes):
        return None
    times = [parse_datetime(entity.expires_at, "expiresAt")] if entity.expires_at else []
    _collect(entity.attributes, times)
    return min(times, default=None)


def alive(entity: Entity, now: int) -> Entity | None:
    """The entity without what has expired at `now` (µs), or None when all of it has."""
    if entity.expires_at is not None and parse_datetime(entity.expires_at, "expiresAt") <= now:
        return None
    if not _is_transient(entity.attributes):
        return entity
    attributes = _alive(entity.attributes, now)
    return entity if attributes is entity.attributes else replace(entity, attributes=attributes)


def _collect(attributes: dict[str, list[Attribute]], times: list[int]) -> None:
    for instances in attributes.values():
        for instance in instances:
            if instance.expires_at is not None:
                times.append(parse_datetime(instance.expires_at, "expiresAt"))
            if instance.attributes:
                _collect(instance.attributes, times)


def _is_transient(attributes: dict[str, list[Attribute]]) -> bool:
    """Whether anything in it expires at all: seldom so, and looked at for every entity that is answered."""
    for instances in attributes.values():
        for instance in instances:
            if instance.expires_at is not None:
                return True
            if instance.attributes and _is_transient(instance.attributes):
                return True
    return False


def _alive(attributes: dict[str, list[Attribute]], now: int) -> dict[str, list[Attribute]]:
    changed: dict[str, list[Attribute]] = {}
    for name, instances in attributes.items():
        kept = []
        for instance in instances:
            if instance.expires_at is not None and parse_datetime(instance.expires_at, "expiresAt") <= now:
                continue
            if instance.attributes:
                subs = _alive(instance.attributes, now)
                if subs is not instance.attributes:
                    instance = replace(instance, attributes=subs)
            kept.append(instance)
        if len(kept) != len(instances) or any(a is not b for a, b in zip(kept, instances, strict=True)):
            changed[name] = kept
    if not changed:
        return attributes
    merged = {name: changed.get(name, instances) for name, instances in attributes.items()}
    return {name: instances for name, instances in merged.items() if instances}
