"""One attribute instance of a write: is it a deletion, what is its kind, what does it become.

Pure functions that `merge` is made of; they must never know an entity.

Source: ETSI GS CIM 009 clauses 4.5.0 (NGSI-LD Null), 4.5.2 to 4.5.24 (kinds),
5.5.4, 5.5.8, 5.5.12, 5.6.17.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from cityloom.model.entity import DEFAULT_VOCAB, NGSI_LD, NULL, Attribute, AttributeKind
from cityloom.model.errors import BadRequestData

_GEOMETRIES: Final = frozenset(
    (
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
    )
)
_CONTAINERS: Final = (dict, list)
_SCALARS: Final = frozenset((str, float, int, bool))
_NO_LANGUAGE: Final = "@none"
_LANGUAGE_NULL: Final = {_NO_LANGUAGE: NULL}
_encoder = msgspec.json.Encoder(order="sorted")


def brief(name: str) -> str:
    """A name for a person: the last part of an IRI of the default vocabularies, else the IRI."""
    for prefix in (DEFAULT_VOCAB, NGSI_LD):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def deletes(attribute: Attribute) -> bool:
    """Whether a fragment's instance is an NGSI-LD Null: a wish to delete (4.5.0)."""
    value = attribute.value
    kind = type(value)
    if kind is str:
        return bool(value == NULL)
    if kind is list:
        return bool(value == [NULL])
    return kind is dict and value == _LANGUAGE_NULL and attribute.kind in ("LanguageProperty", "")


def settled(name: str, new: Attribute, old: Attribute | None, *, merging: bool = False) -> Attribute:
    """A fragment's instance as a whole instance: with a kind and a value, without NGSI-LD Nulls.

    Args:
        old: the instance in whose place it comes: a plain value takes its kind.
        merging: NGSI-LD Nulls inside the value delete; else they are refused (5.5.4).

    Raises:
        BadRequestData: the value is missing or an NGSI-LD Null.
    """
    if new.value is UNSET:
        raise BadRequestData(f"value of {brief(name)} is required")
    if deletes(new):
        raise BadRequestData(f"value of {brief(name)} is invalid: {NULL} is not allowed here")
    value, kind = new.value, new.kind
    if kind and not merging and not new.attributes and not _deletes_members(new):
        refuse_nested_nulls(name, kind, value)
        return new
    if not kind:
        kind = old.kind if old is not None else _kind_of(value)
        if old is not None:
            value = in_kind(name, old, value, None)
    if merging:
        value = merge_value(name, None, value)
    else:
        refuse_nested_nulls(name, kind, value)
    subs = {}
    for sub, instances in new.attributes.items():
        whole = [settled(sub, part, None, merging=merging) for part in instances if not deletes(part)]
        if whole:
            subs[sub] = whole
    whole_instance = overlay(Attribute(dataset_id=new.dataset_id), new, kind)
    return replace(whole_instance, value=value, attributes=subs, instance_id=new.instance_id)


def stamped(new: Attribute, now: str, old: Attribute | None) -> Attribute:
    """The instance with the system's times, to any depth; creation is that of `old` (4.8).

    An `instance_id` stays: by it a connector tells that history knows the instance already.
    """
    subs = new.attributes
    if subs:
        before = old.attributes if old is not None else {}
        subs = {
            name: [stamped(part, now, _counterpart(before.get(name), part)) for part in parts]
            for name, parts in subs.items()
        }
    return replace(
        new,
        attributes=subs,
        created_at=(old.created_at if old is not None else None) or now,
        modified_at=now,
        deleted_at=None,
    )


def taken(name: str, new: Attribute, now: str, old: Attribute | None, like: Attribute | None) -> Attribute:
    """`settled` (in the place of `like`) and `stamped` (created when `old` was), in one step where
    nothing but the times changes: what nearly every instance of a whole entity needs.

    Raises:
        BadRequestData: as for `settled`.
    """
    value = new.value
    if (
        new.attributes
        or not new.kind
        or type(value) not in _SCALARS
        or value == NULL
        or new.observed_at == NULL
        or new.unit_code == NULL
        or new.object_type is not None
        or new.value_type is not None
        or new.expires_at is not None
    ):
        return stamped(settled(name, new, like), now, old)
    created = now if old is None else old.created_at or now
    return replace(new, created_at=created, modified_at=now, deleted_at=None)


def overlay(old: Attribute, new: Attribute, kind: AttributeKind | str) -> Attribute:
    """`old` with the members (not value, not sub-attributes) that `new` states; an NGSI-LD Null removes one.

    Members that belong to another kind do not outlive a change of kind.
    """
    if kind != old.kind:
        old = Attribute(dataset_id=old.dataset_id, observed_at=old.observed_at, expires_at=old.expires_at)
    object_type = old.object_type if new.object_type is None else new.object_type
    return Attribute(
        kind=kind,  # type: ignore[arg-type]
        value=old.value,
        observed_at=_member(new.observed_at, old.observed_at),
        dataset_id=new.dataset_id,
        unit_code=_member(new.unit_code, old.unit_code),
        object_type=None if object_type == [NULL] else object_type,
        value_type=_member(new.value_type, old.value_type),
        created_at=old.created_at,
        modified_at=old.modified_at,
        expires_at=_member(new.expires_at, old.expires_at),
        attributes=old.attributes,
    )


def in_kind(name: str, old: Attribute, value: Any, lang: str | None) -> Any:
    """A plain value as the value of an attribute of the kind that `old` has (5.6.17).

    Args:
        lang: the language that a string sets in a LanguageProperty; without it the default language.

    Raises:
        BadRequestData: the kind cannot hold such a value.
    """
    if old.kind == "LanguageProperty" and _is_text(value):
        languages = dict(old.value) if isinstance(old.value, dict) else {}
        languages[lang or _NO_LANGUAGE] = value
        return languages
    if not _fits(old.kind, value):
        raise BadRequestData(f"value of {brief(name)} is invalid: it is no value of a {old.kind}")
    return value


def merge_value(name: str, target: Any, patch: Any) -> Any:
    """JSON Merge Patch, where an NGSI-LD Null is what null is there (5.5.12, RFC 7396).

    Raises:
        BadRequestData: an NGSI-LD Null stands in an array, where it can delete nothing.
    """
    if not isinstance(patch, dict):
        if isinstance(patch, list):
            refuse_nested_nulls(name, "Property", patch)
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value == NULL:
            result.pop(key, None)
        else:
            result[key] = merge_value(name, result.get(key), value)
    return result


def refuse_nested_nulls(name: str, kind: str, value: Any) -> None:
    """Raises BadRequestData when an NGSI-LD Null stands inside a value (5.5.4)."""
    if type(value) not in _CONTAINERS or kind in ("GeoProperty", "JsonProperty"):
        return
    waiting: list[Any] = [value]
    while waiting:
        part = waiting.pop()
        for item in part.values() if isinstance(part, dict) else part:
            if isinstance(item, dict | list):
                waiting.append(item)
            elif item == NULL:
                raise BadRequestData(f"value of {brief(name)} is invalid: {NULL} is not allowed inside it")


def same_instances(one: dict[str, list[Attribute]], other: dict[str, list[Attribute]]) -> bool:
    """Whether nothing but times of creation and change tells two sets of instances apart."""
    if one.keys() != other.keys():
        return False
    for name, instances in one.items():
        counterparts = other[name]
        if len(instances) != len(counterparts):
            return False
        for instance in instances:
            counterpart = _counterpart(counterparts, instance)
            if counterpart is None or not _same(instance, counterpart):
                return False
    return True


def _same(one: Attribute, other: Attribute) -> bool:
    return (
        one.kind == other.kind
        and _same_value(one.value, other.value)
        and one.observed_at == other.observed_at
        and one.unit_code == other.unit_code
        and one.object_type == other.object_type
        and one.value_type == other.value_type
        and one.expires_at == other.expires_at
        and same_instances(one.attributes, other.attributes)
    )


def _same_value(one: Any, other: Any) -> bool:
    if isinstance(one, dict | list):
        # == alone holds true to be 1 and 1 to be 1.0.
        return bool(one == other) and _encoder.encode(one) == _encoder.encode(other)
    return type(one) is type(other) and bool(one == other)


def _counterpart(instances: list[Attribute] | None, one: Attribute) -> Attribute | None:
    for instance in instances or ():
        if instance.dataset_id == one.dataset_id:
            return instance
    return None


def _deletes_members(attribute: Attribute) -> bool:
    """Whether one of an instance's members is an NGSI-LD Null."""
    types = attribute.object_type
    return (
        attribute.observed_at == NULL
        or attribute.unit_code == NULL
        or attribute.value_type == NULL
        or attribute.expires_at == NULL
        or (types is not None and NULL in types)
    )


def _member(new: str | None, old: str | None) -> str | None:
    if new is None:
        return old
    return None if new == NULL else new


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def _is_geometry(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in _GEOMETRIES


def _kind_of(value: Any) -> AttributeKind:
    return "GeoProperty" if _is_geometry(value) else "Property"


def _fits(kind: str, value: Any) -> bool:
    match kind:
        case "Property":
            return value is not None
        case "GeoProperty":
            return _is_geometry(value)
        case "Relationship" | "VocabProperty":
            items = value if isinstance(value, list) else [value]
            return bool(items) and all(isinstance(item, str) and ":" in item for item in items)
        case "LanguageProperty":
            return isinstance(value, dict) and all(_is_text(text) for text in value.values())
        case "ListProperty":
            return isinstance(value, list)
        case "ListRelationship":
            return isinstance(value, list) and all(isinstance(item, str) and ":" in item for item in value)
        case _:
            return isinstance(value, dict | list)
