"""Reading what a source notifies of: entities with what is gone of them, and what they were before.

Source: ETSI GS CIM 009 clauses 4.5.0 (NGSI-LD Null), 5.2.14.1 (showChanges), 5.3.1, 5.8.6.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cityloom.federation.asking.merge import read_remote
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_attribute
from cityloom.ld.kinds import KINDS, is_deleted, null_of
from cityloom.ld.limits import Limits
from cityloom.ld.names import is_uri
from cityloom.model.entity import NULL, Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.events import AttributeChange
from cityloom.model.time import parse_datetime

_MEMBERS: Final = frozenset({"id", "@id", "type", "@type", "scope", "createdAt", "modifiedAt", "expiresAt"})

Told = tuple[Entity, list[AttributeChange]]
"""An entity, and the instances before the change where they were told."""


def read_told(document: Any, ld_context: LdContext, limits: Limits) -> Told:
    """An entity of a notification.

    Raises:
        BadRequestData: it is no entity.
    """
    if not isinstance(document, dict):
        raise BadRequestData("the entity is invalid: a JSON object is required")
    plain: dict[str, Any] = {}
    gone: dict[str, list[Attribute]] = {}
    previous: list[AttributeChange] = []
    for key, value in document.items():
        if key in _MEMBERS:
            plain[key] = value
        if key in _MEMBERS or key in ("@context", "deletedAt"):
            continue
        living: list[Any] = []
        name = ld_context.expand_term(key)
        for part in value if isinstance(value, list) else [value]:
            part, before = _without_previous(key, part, ld_context, limits)
            tombstone = _tombstone(part, before)
            dataset_id = _dataset(part)
            if before is not None:
                previous.append(AttributeChange(name=name, dataset_id=dataset_id, before=before))
            if tombstone is None:
                living.append(part)
            else:
                gone.setdefault(name, []).append(tombstone)
        if living:
            plain[key] = living if isinstance(value, list) and len(living) > 1 else living[0]
    entity = read_remote(plain, ld_context, limits)
    attributes = {**entity.attributes}
    for name, tombstones in gone.items():
        attributes[name] = [*attributes.get(name, ()), *tombstones]
    deleted_at = _time(document.get("deletedAt"))
    return replace(entity, attributes=attributes, deleted_at=deleted_at), previous


def _without_previous(
    key: str, part: Any, ld_context: LdContext, limits: Limits
) -> tuple[Any, Attribute | None]:
    """An instance without what it held before the change, and that."""
    if not isinstance(part, dict):
        return part, None
    own = KINDS.get(str(part.get("type")))
    for kind in (*([own] if own is not None else []), *KINDS.values()):
        if kind.previous in part:
            left = {name: value for name, value in part.items() if name != kind.previous}
            told = {"type": kind.name, kind.member: part[kind.previous]}
            return left, expand_attribute(key, told, ld_context, limits=limits)
    return part, None


def _tombstone(part: Any, before: Attribute | None) -> Attribute | None:
    """An instance that is gone; None where it is not."""
    if part == NULL:
        return Attribute(kind="Property", value=NULL)
    if not isinstance(part, dict):
        return None
    given = part.get("type")
    kinds = [KINDS[given]] if given in KINDS else list(KINDS.values())
    for kind in kinds:
        if kind.member in part and is_deleted(Attribute(value=part[kind.member])):
            name = before.kind if before is not None and before.kind else kind.name
            return Attribute(
                kind=name,
                value=null_of(KINDS[name]),
                dataset_id=_dataset(part),
                created_at=_time(part.get("createdAt")),
                modified_at=_time(part.get("modifiedAt")),
                deleted_at=_time(part.get("deletedAt")),
            )
    return None


def _dataset(part: Any) -> str:
    given = part.get("datasetId") if isinstance(part, dict) else None
    return given if isinstance(given, str) and is_uri(given) else ""


def _time(text: Any) -> str | None:
    if not isinstance(text, str):
        return None
    try:
        parse_datetime(text)
    except BadRequestData:
        return None
    return text
