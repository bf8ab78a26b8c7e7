"""What a path leads to in one entity: its target elements and their values.

Source: ETSI GS CIM 009 clauses 4.9 (target element, target value), 4.5.5 (instances).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

from msgspec import UNSET

from cityloom.model.entity import DEFAULT_INSTANCE, Attribute, Entity
from cityloom.query.values import MEMBERS, Path

Domain = Literal["value", "uri", "vocab"]


_DOMAINS: Final[dict[str, Domain]] = {
    "Relationship": "uri",
    "ListRelationship": "uri",
    "VocabProperty": "vocab",
}


class Target(NamedTuple):
    """The value of one target element.

    `values` are the value itself, the elements of an array, or the texts of a
    language map; `single` is False for an array, which has members but no order.
    `domain`: a `uri` (Relationship) only equals or not; a `vocab` compares expanded.
    """

    values: Sequence[Any]
    single: bool
    domain: Domain


def targets(path: Path, entity: Entity) -> list[Target]:
    """The target elements of `path` in `entity`, one for each attribute instance that has it.

    Cost: one dict lookup for each name of the path.
    """
    first, *names = path.attributes
    if first in MEMBERS:
        return [] if names or path.members else _entity_member(first, entity)
    instances: Iterable[Attribute] = entity.attributes.get(first, ())
    for index, name in enumerate(names):
        if name in MEMBERS:
            if index + 1 < len(names) or path.members:
                return []
            return [found for each in instances if (found := _attribute_member(name, each)) is not None]
        instances = [sub for each in instances for sub in each.attributes.get(name, ())]
    return [found for each in instances if (found := _value(path, each)) is not None]


def preferred_target(path: Path, entity: Entity) -> Target | None:
    """The target element that stands for the entity in an order: the default instance's, else the first."""
    if len(entity.attributes.get(path.attributes[0], ())) > 1:
        default = entity.instance(path.attributes[0], DEFAULT_INSTANCE)
        if default is not None:
            entity = Entity(attributes={path.attributes[0]: [default]})
    found = targets(path, entity)
    return found[0] if found else None


def default_instance(instances: Sequence[Attribute]) -> Attribute | None:
    """The default instance, or else the first, or None."""
    return next((each for each in instances if not each.dataset_id), instances[0] if instances else None)


def _plain(value: Any, domain: Domain = "value") -> Target | None:
    if value is None or value is UNSET:
        return None
    return Target(value, False, domain) if isinstance(value, list) else Target((value,), True, domain)


def _entity_member(name: str, entity: Entity) -> list[Target]:
    match name:
        case "id":
            found = _plain(entity.id or None, "uri")
        case "type":
            found = _plain(entity.types or None, "vocab")
        case "scope":
            found = _plain(entity.scopes or None)
        case "createdAt":
            found = _plain(entity.created_at)
        case "modifiedAt":
            found = _plain(entity.modified_at)
        case "deletedAt":
            found = _plain(entity.deleted_at)
        case "expiresAt":
            found = _plain(entity.expires_at)
        case _:
            found = None
    return [] if found is None else [found]


def _attribute_member(name: str, instance: Attribute) -> Target | None:
    match name:
        case "observedAt":
            return _plain(instance.observed_at)
        case "createdAt":
            return _plain(instance.created_at)
        case "modifiedAt":
            return _plain(instance.modified_at)
        case "deletedAt":
            return _plain(instance.deleted_at)
        case "expiresAt":
            return _plain(instance.expires_at)
        case "unitCode":
            return _plain(instance.unit_code)
        case "datasetId":
            return _plain(instance.dataset_id or None, "uri")
        case "instanceId":
            return _plain(instance.instance_id, "uri")
        case "objectType":
            return _plain(instance.object_type, "vocab")
        case "valueType":
            return _plain(instance.value_type, "vocab")
        case _:
            return None


def _value(path: Path, instance: Attribute) -> Target | None:
    """The instance's value, or its member; an instance is there whatever its value, a member may not be."""
    value = instance.value
    domain = _DOMAINS.get(instance.kind, "value")
    if instance.kind == "LanguageProperty":
        return _language(path.raw_members, value)
    if not path.members:
        return _plain(value, domain) or Target((), True, domain)
    if domain != "value":
        return None
    names = path.raw_members if instance.kind == "JsonProperty" else path.members
    return _plain(_walk(value, names, path.raw_members))


def _language(members: tuple[str, ...], value: Any) -> Target | None:
    """Texts of a language map: of one tag (case ignored, RFC 5646), or of all for `*` and without a tag.

    The text without a language comes first, then by tag.
    """
    if not isinstance(value, dict) or len(members) > 1:
        return None
    wanted = members[0].lower() if members else "*"
    texts: list[Any] = []
    found = not members
    for tag, text in sorted(value.items(), key=lambda pair: (pair[0] != "@none", pair[0])):
        if wanted in ("*", tag.lower()):
            found = True
            texts.extend(text if isinstance(text, list) else [text])
    return Target(texts, True, "value") if found else None


def _walk(value: Any, names: tuple[str, ...], raw: tuple[str, ...]) -> Any:
    """Follows members into a compound value; None where there is no such member.

    Keys inside a value are expanded, but those of GeoJSON and of values never
    read as JSON-LD are not: the name as written is tried second.
    """
    for name, written in zip(names, raw, strict=True):
        if not isinstance(value, dict):
            return None
        value = value[name] if name in value else value.get(written)
    return value
