"""The values of properties: their keys expanded and compacted as JSON-LD does.

Keys and the types of nested objects are names, so they are mapped; strings,
numbers and the nesting of arrays are kept as the caller wrote them.

Source: ETSI GS CIM 009 clauses 4.5.0 (null), 4.6.3 (data types), 5.5.4, 5.5.7.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

from cityloom.ld.context import LdContext
from cityloom.ld.limits import Limits
from cityloom.model.entity import NULL
from cityloom.model.errors import BadRequestData

_INTEGER_BITS: Final = 1023
"""Integers are as large as the largest double, so that every reader can take them."""


def expand_value(
    value: Any, ld_context: LdContext, place: str, limits: Limits, depth: int, nulls: bool
) -> Any:
    """A property's value with the keys of its objects expanded.

    Args:
        place: where it stands, for errors.
        depth: how many levels of nesting it already stands in.
        nulls: whether members may be NGSI-LD Null (merge only).

    Raises:
        BadRequestData: null, a number that JSON lacks, a bad string, a bad key, or too deep.
    """
    kind = type(value)
    if kind is str:
        check_string(value, place, limits)
        return value
    if kind is dict:
        return _expand_object(value, ld_context, place, limits, depth + 1, nulls)
    if kind is list:
        _check_depth(depth, place, limits)
        return [expand_value(part, ld_context, place, limits, depth + 1, nulls) for part in value]
    _check_scalar(value, place)
    return value


def check_json(value: Any, place: str, limits: Limits, depth: int) -> None:
    """Checks raw JSON, which is kept untouched: depth, strings, numbers; null is allowed.

    Raises:
        BadRequestData: as for `expand_value`.
    """
    kind = type(value)
    if kind is str:
        check_string(value, place, limits)
    elif kind is dict:
        _check_depth(depth, place, limits)
        for key, part in value.items():
            check_string(key, place, limits)
            check_json(part, place, limits, depth + 1)
    elif kind is list:
        _check_depth(depth, place, limits)
        for part in value:
            check_json(part, place, limits, depth + 1)
    elif value is not None:
        _check_scalar(value, place)


def check_string(text: str, place: str, limits: Limits) -> None:
    """Checks a string: its length, and that it can be written as UTF-8.

    Raises:
        BadRequestData: it is too long, or holds half a surrogate pair.
    """
    if len(text) > limits.string:
        raise BadRequestData(f"{place} is invalid: a string is longer than {limits.string} characters")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadRequestData(f"{place} is invalid: a string holds half a surrogate pair") from None


def compact_value(value: Any, ld_context: LdContext) -> Any:
    """A property's value with the keys of its objects compacted: the reverse of `expand_value`."""
    kind = type(value)
    if kind is dict:
        if value.get("@type") == "@json":
            return {ld_context.compact_member(key): part for key, part in value.items()}
        return {
            (name := ld_context.compact_member(key)): part
            if ld_context.is_raw(name)
            else (_compact_types(part, ld_context) if key == "@type" else compact_value(part, ld_context))
            for key, part in value.items()
        }
    if kind is list:
        return [compact_value(part, ld_context) for part in value]
    return value


def _expand_object(
    value: dict[str, Any], ld_context: LdContext, place: str, limits: Limits, depth: int, nulls: bool
) -> dict[str, Any]:
    _check_depth(depth, place, limits)
    literal = value.get("@type", value.get("type")) == "@json"
    expanded: dict[str, Any] = {}
    for key, part in value.items():
        where = f"{place}.{key}" if len(place) + len(key) < 500 else place
        check_string(key, where, limits)
        iri = ld_context.expand_term(key)
        if iri == "@context":
            raise BadRequestData(f"{where} is invalid: an @context cannot stand inside an attribute")
        if iri in expanded:
            raise BadRequestData(f"{where} is invalid: another member of the object means the same ({iri})")
        if part == NULL and type(part) is str and not nulls:
            raise BadRequestData(f"{where} is invalid: {NULL} may delete members in a merge only")
        if iri == "@type":
            expanded[iri] = _expand_types(part, ld_context, where, limits, depth)
        elif (literal and iri == "@value") or ld_context.is_raw(key):
            check_json(part, where, limits, depth)
            expanded[iri] = part
        else:
            expanded[iri] = expand_value(part, ld_context, where, limits, depth, nulls)
    return expanded


def _expand_types(value: Any, ld_context: LdContext, place: str, limits: Limits, depth: int) -> Any:
    if type(value) is str:
        check_string(value, place, limits)
        return value if value == NULL else ld_context.expand_term(value)
    if type(value) is list and all(type(part) is str for part in value):
        return [_expand_types(part, ld_context, place, limits, depth) for part in value]
    raise BadRequestData(f"{place} is invalid: the type of an object is a name or an array of names")


def _compact_types(value: Any, ld_context: LdContext) -> Any:
    if type(value) is str:
        return ld_context.compact_iri(value)
    return [ld_context.compact_iri(part) for part in value]


def _check_scalar(value: Any, place: str) -> None:
    kind = type(value)
    if kind is bool:
        return
    if kind is int:
        if value.bit_length() > _INTEGER_BITS:
            raise BadRequestData(f"{place} is invalid: the number is out of range")
    elif kind is float:
        if not isfinite(value):
            raise BadRequestData(f"{place} is invalid: {value} is no number of JSON")
    elif value is None:
        raise BadRequestData(
            f"{place} is invalid: null is no value in JSON-LD ({NULL} deletes, a JsonProperty may hold null)"
        )
    else:
        raise BadRequestData(f"{place} is invalid: {kind.__name__} is no JSON value")


def _check_depth(depth: int, place: str, limits: Limits) -> None:
    if depth >= limits.depth:
        raise BadRequestData(f"{place} is invalid: it is nested deeper than {limits.depth} levels")
