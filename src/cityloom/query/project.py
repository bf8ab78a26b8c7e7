"""What of a selected entity is answered: members and attributes kept or left out.

Only data are chosen here; how they are written (forms, languages, short names)
is the business of `ld`.

Source: ETSI GS CIM 009 clauses 4.21 (pick, omit), 4.5.5 (datasetId), 5.7.2.4 (attrs).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cityloom.model.entity import DEFAULT_INSTANCE, Attribute, Entity
from cityloom.query.values import Projection

_FIELDS: Final = {
    "id": "id",
    "type": "types",
    "scope": "scopes",
    "createdAt": "created_at",
    "modifiedAt": "modified_at",
    "deletedAt": "deleted_at",
    "expiresAt": "expires_at",
}
_EMPTY: Final[dict[str, Any]] = {
    "id": "",
    "types": [],
    "scopes": [],
    "created_at": None,
    "modified_at": None,
    "deleted_at": None,
    "expires_at": None,
}


def project(entity: Entity, projection: Projection) -> Entity:
    """The entity reduced to what is asked for.

    - `dataset_ids` keeps these instances of each attribute, and drops one left without any;
    - `attrs` keeps these attributes, and every member;
    - `pick` keeps these attributes and members: an `id` or `type` that is not picked is empty;
    - `omit` drops attributes and members.

    A name with names below it (`a{b}`) speaks of linked entities: picked, the
    relationship itself stays; omitted, it stays too.

    Cost: one pass over the attributes; the entity itself when nothing is asked.
    """
    if not (projection.attrs or projection.pick or projection.omit or projection.dataset_ids):
        return entity
    attributes = entity.attributes
    dropped: set[str] = set()
    if projection.dataset_ids:
        wanted = {DEFAULT_INSTANCE if each == "@none" else each for each in projection.dataset_ids}
        attributes = _instances(attributes, wanted)
    if projection.attrs:
        kept = set(projection.attrs)
        attributes = {name: instances for name, instances in attributes.items() if name in kept}
    if projection.pick:
        picked = {path[0] for path in projection.pick}
        attributes = {name: instances for name, instances in attributes.items() if name in picked}
        dropped |= _FIELDS.keys() - picked
    if projection.omit:
        omitted = {path[0] for path in projection.omit if len(path) == 1}
        attributes = {name: instances for name, instances in attributes.items() if name not in omitted}
        dropped |= _FIELDS.keys() & omitted
    if attributes is entity.attributes and not dropped:
        return entity
    emptied = {_FIELDS[member]: _EMPTY[_FIELDS[member]] for member in dropped}
    return msgspec.structs.replace(entity, attributes=attributes, **emptied)


def _instances(attributes: dict[str, list[Attribute]], wanted: set[str]) -> dict[str, list[Attribute]]:
    kept = {
        name: [each for each in instances if each.dataset_id in wanted]
        for name, instances in attributes.items()
    }
    return {name: instances for name, instances in kept.items() if instances}
