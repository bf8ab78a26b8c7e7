"""Reading attributes: one instance, in whichever form it was written, to an `Attribute`.

The form is told from the members: `type` makes it normalized, a member that
holds a value (`value`, `object`, `languageMap`, ...) concise, anything else is
a value by itself, as in the simplified form.

Source: ETSI GS CIM 009 clauses 4.5.2 to 4.5.5, 4.5.9, 4.5.18 to 4.5.24, 4.7,
5.4 (fragments), 5.5.4 (where NGSI-LD Null may stand).
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from cityloom.ld.context import LdContext
from cityloom.ld.geometry import check_geometry, is_geometry
from cityloom.ld.kinds import (
    INFERRED,
    KIND_OF_TYPE,
    KINDS,
    LANG_STRING,
    MEMBERS,
    PROOFS,
    READ_ONLY,
    SEALS,
    TELLING,
    Kind,
)
from cityloom.ld.limits import Limits
from cityloom.ld.names import check_datetime, check_uri, is_language
from cityloom.ld.values import check_json, check_string, expand_value
from cityloom.model.entity import NULL, Attribute
from cityloom.model.errors import BadRequestData

Operation = Literal["create", "temporal", "append", "update", "merge"]
"""What a document is for: only in an update or merge may NGSI-LD Null delete and a value be missing;
in a temporal document a dataset has many instances, and a null with `deletedAt` tells a deletion."""

_BOUND = frozenset(INFERRED) | {kind.previous for kind in KINDS.values()} | {"entity", "entityList"}
_PROPERTY = KINDS["Property"]
_ALLOWED = {
    kind.name: READ_ONLY
    | kind.optional
    | {"type", "observedAt", "datasetId", "expiresAt", kind.member, kind.previous}
    | ({kind.linked} if kind.linked else set())
    for kind in KINDS.values()
}
"""The members that an attribute of each kind may have"""
_LISTED = frozenset(("ListProperty", "ListRelationship"))


class Reading(Struct, frozen=True):
    """What reading a document goes by."""

    ld_context: LdContext
    limits: Limits
    operation: Operation = "create"
    fragment: bool = False
    """Whether members may be deleted and values left out: follows from the operation."""

    def __post_init__(self) -> None:
        force_setattr(self, "fragment", self.operation in ("update", "merge"))


Found = dict[str, Any]
Extra = dict[str, tuple[str, Any]]


def read_attribute(reading: Reading, iri: str, value: Any, place: str, depth: int) -> list[Attribute]:
    """The instances of one attribute, as they stand under its name.

    Raises:
        BadRequestData: with the place of what is invalid or required.
    """
    if type(value) is dict:
        parts = _read_object(reading, iri, value, place, depth)
    elif type(value) is list and not value and reading.operation == "temporal":
        return []
    elif type(value) is list and any(_is_instance(part) for part in value):
        if not all(_is_instance(part) for part in value):
            raise BadRequestData(f"{place} is invalid: it mixes instances of an attribute and values")
        parts = [
            instance
            for index, part in enumerate(value)
            for instance in _read_object(reading, iri, part, f"{place}[{index}]", depth + 1)
        ]
    else:
        parts = [_read_bare(reading, value, place, depth)]
    if len(parts) > 1 and reading.operation != "temporal":
        check_datasets(parts, place)
    return parts


def check_datasets(instances: list[Attribute], place: str) -> None:
    """Refuses two instances with the same `datasetId`, or two without (clause 4.5.5).

    Raises:
        BadRequestData: there are such instances.
    """
    seen: set[str] = set()
    for instance in instances:
        if instance.dataset_id in seen:
            which = f"datasetId {instance.dataset_id}" if instance.dataset_id else "no datasetId"
            raise BadRequestData(f"{place} is invalid: two instances have {which}")
        seen.add(instance.dataset_id)


def _is_instance(part: Any) -> bool:
    if type(part) is not dict:
        return False
    kind = part.get("type", part.get("@type"))
    return (type(kind) is str and kind in KIND_OF_TYPE) or not INFERRED.keys().isdisjoint(part)


def _read_bare(reading: Reading, value: Any, place: str, depth: int) -> Attribute:
    """A value by itself: of a Property, or in a merge of whatever kind the attribute has."""
    if type(value) is str and value == NULL:
        if not reading.fragment:
            raise BadRequestData(f"{place} is invalid: {NULL} deletes in an update or merge only")
        return Attribute(value=NULL)
    nulls = reading.operation == "merge"
    expanded = expand_value(value, reading.ld_context, place, reading.limits, depth, nulls)
    return Attribute(kind="" if nulls else "Property", value=expanded)


def _read_object(reading: Reading, iri: str, raw: dict[str, Any], place: str, depth: int) -> list[Attribute]:
    if depth >= reading.limits.depth:
        raise BadRequestData(f"{place} is invalid: it is nested deeper than {reading.limits.depth} levels")
    if "coordinates" in raw and is_geometry(raw):
        geometry = check_geometry(raw, place, reading.limits, foreign=False)
        return [Attribute(kind="GeoProperty", value=geometry)]
    found, extra = _sort_members(reading, raw, place)
    if "type" in found:
        kind = _stated_kind(found["type"], place)
        if reading.operation == "temporal" and kind.plural in found:
            return _read_plural(reading, kind, found, extra, place, depth)
        return [_read_members(reading, iri, kind, found, extra, place, depth)]
    for member, kind in INFERRED.items():
        if member in found:
            if member == "value" and is_geometry(found["value"]):
                kind = KINDS["GeoProperty"]
            return [_read_members(reading, iri, kind, found, extra, place, depth)]
    if "dataset" in found and len(raw) == 1:
        return _read_dataset(reading, found["dataset"], f"{place}.dataset", depth)
    if TELLING.isdisjoint(found):
        return [_read_bare(reading, raw, place, depth)]
    if not reading.fragment:
        raise BadRequestData(f"{place}.value is required")
    return [_read_members(reading, iri, None, found, extra, place, depth)]


def read_fragment_object(reading: Reading, iri: str, raw: Any, place: str) -> Attribute:
    """An attribute fragment that is the whole document: its members are members of the attribute.

    Raises:
        BadRequestData: as for `read_attribute`.
    """
    if type(raw) is not dict:
        raise BadRequestData(f"{place} is invalid: an attribute fragment is an object")
    if is_geometry(raw):
        return _read_object(reading, iri, raw, place, 1)[0]
    found, extra = _sort_members(reading, raw, place)
    kind: Kind | None = None
    if "type" in found:
        kind = _stated_kind(found["type"], place)
    else:
        member = next((member for member in INFERRED if member in found), None)
        if member == "value":
            # A fragment may leave the kind open, and `value` is the member of more than one.
            kind = KINDS["GeoProperty"] if is_geometry(found["value"]) else KINDS["Property"]
        elif member is not None:
            kind = INFERRED[member]
    return _read_members(reading, iri, kind, found, extra, place, 1)


def _sort_members(reading: Reading, raw: dict[str, Any], place: str) -> tuple[Found, Extra]:
    """The members of the standard by their word, and the others by name with their IRI."""
    found: Found = {}
    extra: Extra = {}
    words = reading.ld_context.words
    for key, value in raw.items():
        # What the key means to this context, looked up once: nearly every member is a known word.
        word = words.get(key)
        if word is None:
            iri = reading.ld_context.expand_term(key)
            word = MEMBERS.get(iri)
            if word is None:
                extra[key] = (iri, value)
                continue
            reading.ld_context.know_word(key, word)
        if word in found:
            raise BadRequestData(f"{place}.{key} is invalid: the member {word} is there twice")
        found[word] = value
    return found, extra


def _stated_kind(stated: Any, place: str) -> Kind:
    kind = KIND_OF_TYPE.get(stated) if type(stated) is str else None
    if kind is None:
        raise BadRequestData(f"{place}.type is invalid: it is none of {', '.join(KINDS)}")
    return kind


def _read_members(
    reading: Reading,
    iri: str,
    kind: Kind | None,
    found: Found,
    extra: Extra,
    place: str,
    depth: int,
) -> Attribute:
    """An instance from its members; `kind` None when a fragment leaves it open."""
    # Most instances hold their type and value and nothing else of the standard's.
    plain = kind is not None and kind.member in found and len(found) == 1 + ("type" in found)
    if not plain and (kind is None or not found.keys() <= _ALLOWED[kind.name]):
        _check_allowed(kind, found, place)
    value: Any | UnsetType = UNSET
    deleted_at: str | None = None
    if kind is not None:
        if kind.member in found:
            value = found[kind.member]
            if kind is not _PROPERTY or not _is_scalar(value, reading.limits):
                value = _read_value(reading, kind, found, place, depth)
            if "deletedAt" in found and type(value) is str and value == NULL:
                deleted_at = check_datetime(found["deletedAt"], f"{place}.deletedAt")
        elif not reading.fragment:
            raise BadRequestData(f"{place}.{kind.member} is required")
    attributes: dict[str, list[Attribute]] = {}
    for key, (name, part) in extra.items():
        _add_attribute(reading, attributes, iri, key, name, part, place, depth)
    if plain and kind is not None:
        return Attribute(kind=kind.name, value=value, attributes=attributes)
    return Attribute(
        kind="" if kind is None else kind.name,
        value=value,
        observed_at=_read_time(reading, found, "observedAt", place) if "observedAt" in found else None,
        dataset_id=_read_dataset_id(reading, found, place) if "datasetId" in found else "",
        unit_code=_read_unit(reading, found, place) if "unitCode" in found else None,
        object_type=_read_object_type(reading, found, place) if "objectType" in found else None,
        value_type=_read_value_type(reading, kind, found, place) if "valueType" in found else None,
        expires_at=_read_time(reading, found, "expiresAt", place) if "expiresAt" in found else None,
        deleted_at=deleted_at,
        attributes=attributes,
    )


def _add_attribute(
    reading: Reading,
    attributes: dict[str, list[Attribute]],
    parent: str,
    key: str,
    name: str,
    value: Any,
    place: str,
    depth: int,
) -> None:
    """Adds one sub-attribute (of whichever name) to those of its parent."""
    where = f"{place}.{key}"
    if key == "@context":
        raise BadRequestData(f"{where} is invalid: an @context cannot stand inside an attribute")
    if name in SEALS and (parent not in PROOFS or type(value) is not str):
        raise BadRequestData(f"{where} is invalid: it is a string that belongs to ngsildproof only")
    name = reading.ld_context.expand_name(key, reading.limits)
    instances = read_attribute(reading, name, value, where, depth + 1)
    if name in attributes:
        instances = attributes[name] + instances
        check_datasets(instances, where)
    attributes[name] = instances


def _is_scalar(value: Any, limits: Limits) -> bool:
    """Whether a value is one that is kept as it is and needs no further look: text or a number."""
    kind = type(value)
    if kind is str:
        return len(value) <= limits.string and value != NULL and value.isascii()
    return kind is float and isfinite(value)


def _check_allowed(kind: Kind | None, found: Found, place: str) -> None:
    """Refuses members that this kind of attribute does not have (clauses 4.5.2.2 and its kin)."""
    for word in found:
        if word in READ_ONLY or word in ("type", "observedAt", "datasetId", "expiresAt"):
            continue
        if kind is None:
            if word in ("unitCode", "objectType", "valueType"):
                continue
        elif word in kind.optional or word in (kind.member, kind.previous, kind.linked):
            continue
        elif word not in _BOUND and word == "lang":
            raise BadRequestData(f"{place}.lang is invalid: only answers tell a chosen language")
        whose = kind.name if kind is not None else "attribute of an open kind"
        raise BadRequestData(f"{place}.{word} is invalid: a {whose} has no such member")


def _read_value(reading: Reading, kind: Kind, found: Found, place: str, depth: int) -> Any:
    """The value of an instance; NGSI-LD Null in any of its encodings becomes `NULL`."""
    value = found[kind.member]
    where = f"{place}.{kind.member}"
    if _is_null(kind, value):
        if reading.fragment or (reading.operation == "temporal" and "deletedAt" in found):
            return NULL
        raise BadRequestData(f"{where} is invalid: {NULL} deletes in an update or merge only")
    limits, nulls = reading.limits, reading.operation == "merge"
    match kind.name:
        case "Property":
            return expand_value(value, reading.ld_context, where, limits, depth + 1, nulls)
        case "GeoProperty":
            return check_geometry(value, where, limits)
        case "Relationship":
            if type(value) is list and value:
                return [check_uri(part, where, limits) for part in value]
            return check_uri(value, where, limits)
        case "LanguageProperty":
            return _read_language_map(value, where, limits, nulls)
        case "VocabProperty":
            if type(value) is list and value:
                return [_read_vocab(reading, part, where) for part in value]
            return _read_vocab(reading, value, where)
        case "ListProperty":
            if type(value) is not list:
                raise BadRequestData(f"{where} is invalid: it is no array")
            return expand_value(value, reading.ld_context, where, limits, depth + 1, nulls)
        case "ListRelationship":
            if type(value) is not list:
                raise BadRequestData(f"{where} is invalid: it is no array")
            return [_read_listed_object(part, where, limits) for part in value]
        case "JsonProperty":
            if type(value) is not dict and type(value) is not list:
                raise BadRequestData(f"{where} is invalid: it is neither an object nor an array")
            check_json(value, where, limits, depth + 1)
            return value
    raise AssertionError(kind)


def _is_null(kind: Kind, value: Any) -> bool:
    if type(value) is str:
        return value == NULL
    if kind.name == "LanguageProperty":
        return bool(value == {"@none": NULL})
    if kind.name in _LISTED and type(value) is list and len(value) == 1:
        return value[0] == NULL or (kind.linked != "" and value[0] == {"object": NULL})
    return False


def _read_language_map(value: Any, place: str, limits: Limits, nulls: bool) -> dict[str, Any]:
    if type(value) is not dict or not value:
        raise BadRequestData(f"{place} is invalid: it is an object of language tags and strings")
    for tag, text in value.items():
        if not is_language(tag):
            raise BadRequestData(f"{place}.{tag[:50]} is invalid: it is no language tag")
        for part in text if type(text) is list else (text,):
            if type(part) is not str:
                raise BadRequestData(f"{place}.{tag} is invalid: it is a string or an array of strings")
            if part == NULL and not nulls:
                raise BadRequestData(f"{place}.{tag} is invalid: {NULL} deletes a language in a merge only")
            check_string(part, f"{place}.{tag}", limits)
    return value


def _read_vocab(reading: Reading, value: Any, place: str) -> str:
    if type(value) is not str or not value or len(value) > reading.limits.url:
        raise BadRequestData(f"{place} is invalid: it is a name or an array of names")
    check_string(value, place, reading.limits)
    return reading.ld_context.expand_term(value)


def _read_listed_object(value: Any, place: str, limits: Limits) -> str:
    if type(value) is dict and value.keys() == {"object"}:
        value = value["object"]
    return check_uri(value, place, limits)


def _read_time(reading: Reading, found: Found, word: str, place: str) -> str:
    value = found[word]
    if reading.fragment and type(value) is str and value == NULL:
        return NULL
    return check_datetime(value, f"{place}.{word}")


def _read_dataset_id(reading: Reading, found: Found, place: str) -> str:
    value = found["datasetId"]
    if value == "@none":
        return ""
    if value == NULL:
        raise BadRequestData(f"{place}.datasetId is invalid: it cannot be deleted")
    return check_uri(value, f"{place}.datasetId", reading.limits)


def _read_unit(reading: Reading, found: Found, place: str) -> str:
    value = found["unitCode"]
    if type(value) is not str or not value or (value == NULL and not reading.fragment):
        raise BadRequestData(f"{place}.unitCode is invalid: it is a string with a UN/CEFACT code")
    check_string(value, f"{place}.unitCode", reading.limits)
    return value


def _read_object_type(reading: Reading, found: Found, place: str) -> list[str]:
    value = found["objectType"]
    if reading.fragment and value == NULL:
        return [NULL]
    listed = value if type(value) is list else [value]
    if not listed or any(type(part) is not str for part in listed):
        raise BadRequestData(f"{place}.objectType is invalid: it is a name or an array of names")
    return [reading.ld_context.expand_name(part, reading.limits) for part in listed]


def _read_value_type(reading: Reading, kind: Kind | None, found: Found, place: str) -> str:
    value = found["valueType"]
    if type(value) is not str or not value or len(value) > reading.limits.url:
        raise BadRequestData(f"{place}.valueType is invalid: it is a name")
    check_string(value, f"{place}.valueType", reading.limits)
    if kind is not None and kind.name == "LanguageProperty" and value != NULL:
        if value not in ("langString", LANG_STRING):
            raise BadRequestData(f"{place}.valueType is invalid: of a language map it is langString")
        return LANG_STRING
    if value == NULL:
        if reading.fragment:
            return NULL
        raise BadRequestData(f"{place}.valueType is invalid: {NULL} deletes in an update or merge only")
    return reading.ld_context.expand_term(value)


def _read_dataset(reading: Reading, datasets: Any, place: str, depth: int) -> list[Attribute]:
    """The instances of the simplified form of a multi-attribute (clause 4.5.4)."""
    if type(datasets) is not dict or not datasets:
        raise BadRequestData(f"{place} is invalid: it is an object of values by datasetId")
    instances = []
    for dataset_id, value in datasets.items():
        where = f"{place}.{dataset_id[:200]}"
        for instance in read_attribute(reading, "", value, where, depth + 1):
            if instance.dataset_id:
                raise BadRequestData(f"{where} is invalid: its datasetId is its key")
            key = "" if dataset_id == "@none" else check_uri(dataset_id, where, reading.limits)
            instances.append(_with_dataset(instance, key))
    return instances


def _with_dataset(instance: Attribute, dataset_id: str) -> Attribute:
    return Attribute(
        kind=instance.kind, value=instance.value, dataset_id=dataset_id, attributes=instance.attributes
    )


def _read_plural(
    reading: Reading, kind: Kind, found: Found, extra: Extra, place: str, depth: int
) -> list[Attribute]:
    """The instances of the simplified temporal representation (clause 4.5.9)."""
    where = f"{place}.{kind.plural}"
    pairs = found[kind.plural]
    if extra or not found.keys() <= {"type", "datasetId", kind.plural} or type(pairs) is not list:
        raise BadRequestData(f"{where} is invalid: it stands with type alone and is an array")
    instances = []
    for index, pair in enumerate(pairs):
        at = f"{where}[{index}]"
        if type(pair) is not list or len(pair) != 2:
            raise BadRequestData(f"{at} is invalid: it is an array of a value and a time")
        value = pair[0]
        if kind.name in ("LanguageProperty", "VocabProperty", "JsonProperty"):
            if type(value) is not dict or value.keys() != {kind.member}:
                raise BadRequestData(f"{at} is invalid: its value is an object with {kind.member}")
            value = value[kind.member]
        one = {"type": kind.name, kind.member: value, "observedAt": pair[1]}
        if "datasetId" in found:
            one["datasetId"] = found["datasetId"]
        instances.append(_read_members(reading, "", kind, one, {}, at, depth + 2))
    return instances
