"""Conditions on what is asked for: `filter` in CQL2, and properties as parameters of their own.

Source: OGC 21-065r2 (CQL2); OGC 19-079r2 clauses 7.3 (properties as parameters) and 8 (`filter`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from cityloom.ld.context import LdContext
from cityloom.maps.crs import CRS84, Crs
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime
from cityloom.query.cql2 import Language, parse_cql2
from cityloom.query.values import CqlAnd, CqlNode
from cityloom.web.params import Params

FILTER_PARAMS: Final = frozenset({"filter", "filter-lang"})
FILTER_LANGUAGES: Final[dict[str, Language]] = {"cql2-text": "cql2-text", "cql2-json": "cql2-json"}
"""The encodings of `filter`, first the one that is meant where none is named."""


def read_filter(params: Params, ld_context: LdContext, crs: Crs | None = None) -> CqlNode | None:
    """The condition that a request gives; None when it gives none. Names are expanded by `ld_context`.

    Args:
        crs: the system of the geometries in it; None is CRS84.

    Raises:
        BadRequestData, TooComplexQuery: it is no CQL2, or `filter-lang` is unknown.
    """
    text, given = params.text("filter"), params.text("filter-lang") or "cql2-text"
    lang = FILTER_LANGUAGES.get(given)
    if lang is None:
        known = " or ".join(FILTER_LANGUAGES)
        raise BadRequestData(f"parameter filter-lang is invalid: {given[:100]!r} is not {known}")
    if text is None:
        return None
    bent = None if crs is None or crs.uri == CRS84 else crs.bent
    return parse_cql2(text, lang=lang, expand=ld_context.expand_name, filter_crs=bent)


def read_property_filters(values: Mapping[str, str], ld_context: LdContext) -> list[CqlNode]:
    """The conditions that `name=value` of each property gives.

    What a value is, the property says: it equals as a text, a number, a boolean or a time.

    Raises:
        BadRequestData: a name is none.
    """
    return [_equals(name, value, ld_context) for name, value in values.items()]


def _equals(name: str, text: str, ld_context: LdContext) -> CqlNode:
    meant: list[Any] = [text]
    try:
        number = float(text)
        meant += [number] if math.isfinite(number) else []
    except ValueError:
        pass
    if text in ("true", "false"):
        meant.append(text == "true")
    try:
        parse_datetime(text)
        meant.append({"timestamp": text})
    except BadRequestData:
        pass
    terms = [{"op": "=", "args": [{"property": name}, each]} for each in meant]
    whole = terms[0] if len(terms) == 1 else {"op": "or", "args": terms}
    return parse_cql2(whole, lang="cql2-json", expand=ld_context.expand_name)


def all_of(conditions: list[CqlNode]) -> CqlNode | None:
    """Every one of these; None of none."""
    if len(conditions) > 1:
        return CqlAnd(conditions)
    return conditions[0] if conditions else None
