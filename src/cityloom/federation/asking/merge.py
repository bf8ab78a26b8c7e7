"""Parts of an entity from several places put together.

Source: ETSI GS CIM 009 clauses 4.5.5.2, 4.5.5.3, 5.7.1.4, 5.7.2.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from cityloom.broker.transient import alive
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity
from cityloom.ld.limits import Limits
from cityloom.ld.names import is_uri
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime

_TIMES = ("createdAt", "modifiedAt")


def read_remote(document: Any, ld_context: LdContext, limits: Limits) -> Entity:
    """An entity that a source answered, with the system's times that it told.

    Raises:
        BadRequestData: it is no entity.
    """
    if not isinstance(document, dict):
        raise BadRequestData("the entity is invalid: a JSON object is required")
    document = {name: value for name, value in document.items() if name != "@context"}
    entity = expand_entity(document, ld_context, limits=limits)
    told: dict[str, dict[str, dict[str, Any]]] = {}
    for key, value in document.items():
        parts = [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict)]
        if parts:
            by_dataset = {str(part.get("datasetId", "")): part for part in parts}
            told[ld_context.expand_term(key)] = by_dataset
    attributes = {
        name: [_timed(one, told.get(name, {}).get(one.dataset_id, {})) for one in instances]
        for name, instances in entity.attributes.items()
    }
    times = {name: document.get(name) for name in _TIMES}
    return replace(
        entity,
        attributes=attributes,
        created_at=_time(times["createdAt"]),
        modified_at=_time(times["modifiedAt"]),
    )


def _timed(instance: Attribute, told: dict[str, Any]) -> Attribute:
    created, modified = (_time(told.get(name)) for name in _TIMES)
    if created is None and modified is None:
        return instance
    return replace(instance, created_at=created, modified_at=modified)


def _time(text: Any) -> str | None:
    try:
        parse_datetime(text)
    except BadRequestData:
        return None
    return str(text)


def merged(parts: Sequence[Entity], extras: Iterable[Entity], now: int) -> Entity | None:
    """One entity from its parts; None when there is none.

    Args:
        parts: from this node and from sources that count alike.
        extras: from auxiliary sources: they add attributes that nobody else has (4.3.6.2).
        now: microseconds since 1970 (UTC): what has expired is passed over.
    """
    living = [left for part in parts if (left := alive(part, now)) is not None]
    if len({part.expires_at for part in living}) > 1:
        living = [_expiring(part) for part in living]
    whole = _joined(living) if living else None
    for extra in extras:
        left = alive(extra, now)
        if left is None:
            continue
        if whole is None:
            whole = left
            continue
        new = {name: found for name, found in left.attributes.items() if name not in whole.attributes}
        if new:
            whole = replace(whole, attributes={**whole.attributes, **new})
    return whole


def _joined(parts: Sequence[Entity]) -> Entity:
    if len(parts) == 1:
        return parts[0]
    attributes: dict[str, dict[str, Attribute]] = {}
    for part in parts:
        for name, instances in part.attributes.items():
            known = attributes.setdefault(name, {})
            for instance in instances:
                other = known.get(instance.dataset_id)
                if other is None or _newer(instance, other):
                    known[instance.dataset_id] = instance
    created = [part.created_at for part in parts if part.created_at is not None]
    modified = [part.modified_at for part in parts if part.modified_at is not None]
    expiries = [part.expires_at for part in parts]
    expires = None
    if all(expiry is not None for expiry in expiries):
        expires = max((expiry for expiry in expiries if expiry is not None), key=parse_datetime)
    return replace(
        parts[0],
        types=list(dict.fromkeys(type for part in parts for type in part.types)),
        scopes=list(dict.fromkeys(scope for part in parts for scope in part.scopes)),
        attributes={name: list(known.values()) for name, known in attributes.items() if known},
        created_at=min(created, key=parse_datetime, default=None),
        modified_at=max(modified, key=parse_datetime, default=None),
        expires_at=expires,
    )


def _expiring(entity: Entity) -> Entity:
    """The entity's own expiry handed to its attributes, unless they expire earlier (4.5.5.2).

    So each version's attributes end when it does, though the whole of all versions lasts longer.
    """
    if entity.expires_at is None:
        return entity
    end = parse_datetime(entity.expires_at)

    def sooner(instance: Attribute) -> Attribute:
        if instance.expires_at is not None and parse_datetime(instance.expires_at) <= end:
            return instance
        return replace(instance, expires_at=entity.expires_at)

    return replace(
        entity, attributes={name: [sooner(one) for one in found] for name, found in entity.attributes.items()}
    )


def _newer(one: Attribute, other: Attribute) -> bool:
    """Whether `one` takes the place of `other`: by observedAt, else by modifiedAt (4.5.5.3)."""
    if one.observed_at is not None or other.observed_at is not None:
        return _moment(one.observed_at) > _moment(other.observed_at)
    return _moment(one.modified_at) > _moment(other.modified_at)


def _moment(text: str | None) -> int:
    return -(2**62) if text is None else parse_datetime(text)


def ids_of(documents: Iterable[Any]) -> list[str]:
    """The URIs among what a source told as ids."""
    return [one for one in documents if isinstance(one, str) and is_uri(one)]
