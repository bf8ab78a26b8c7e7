"""The parsers of everything that selects, orders or projects: texts of callers become values.

Parameters go by their names on the wire, whether they came in a URL (texts) or in a
body (arrays, numbers). Every error names the parameter and the place.

Source: ETSI GS CIM 009 clauses 4.9 (q), 4.10 (geo), 4.11 (temporal), 4.17 (types), 4.19
(scope), 4.21 (pick, omit), 4.23 (orderBy), 4.5.19 (aggregation).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast, get_args

from cityloom.model.entity import LOCATION
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime, parse_duration
from cityloom.query.parse_q import parse_q
from cityloom.query.parse_select import parse_scope_q, parse_type_selection
from cityloom.query.parse_shape import (
    parse_dataset_ids,
    parse_geometry,
    parse_order_by,
    parse_projection,
    split_names,
    words,
)
from cityloom.query.patterns import compile_pattern
from cityloom.query.scanner import is_name, is_uri
from cityloom.query.values import AggregateMethod, GeoQuery, GeoRelation, TemporalQuery

__all__ = [
    "parse_dataset_ids",
    "parse_geo",
    "parse_id_pattern",
    "parse_ids",
    "parse_order_by",
    "parse_projection",
    "parse_q",
    "parse_scope_q",
    "parse_temporal",
    "parse_type_selection",
    "split_names",
]

_GEOREL: Final = re.compile(
    r"(?P<plain>within|contains|overlaps|intersects|equals|disjoint)"
    r"|near;(?P<bound>maxDistance|minDistance)==(?P<metres>(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)"
)
_TIMEPROPERTIES: Final = ("observedAt", "createdAt", "modifiedAt", "deletedAt")
_TEMPORAL_WORDS: Final = (
    "timerel",
    "timeAt",
    "endTimeAt",
    "timeproperty",
    "lastN",
    "repeats",
    "aggrMethods",
    "aggrPeriodDuration",
)


def parse_ids(value: Any) -> list[str]:
    """Reads `id`: a list of URIs. Raises BadRequestData."""
    items = words(value, "id")
    for item in items:
        if not is_uri(item):
            raise BadRequestData(f"id is invalid: {item!r} is no URI")
    return items


def parse_id_pattern(text: Any) -> str:
    """Reads `idPattern`: a regular expression found somewhere in an id. Raises BadRequestData."""
    compile_pattern(text, "idPattern")
    pattern: str = text
    return pattern


def parse_geo(parameters: Mapping[str, Any], expand: Callable[[str], str]) -> GeoQuery | None:
    """Reads `georel`, `geometry`, `coordinates` and `geoproperty`; None when there is no geo query.

    Args:
        parameters: the caller's; `coordinates` as JSON text or as an array.
        expand: gives the IRI of a short name.

    Raises:
        BadRequestData: one is invalid, or one is missing where another is given.
    """
    given = [name for name in ("georel", "geometry", "coordinates") if parameters.get(name) is not None]
    if not given:
        return None
    for name in ("georel", "geometry", "coordinates"):
        if name not in given:
            raise BadRequestData(f"{name} is required together with {given[0]}")
    georel = parameters["georel"]
    found = _GEOREL.fullmatch(georel) if isinstance(georel, str) else None
    if found is None:
        raise BadRequestData(
            f"georel is invalid: {georel!r}; within, contains, overlaps, intersects, equals, disjoint, "
            "near;maxDistance==metres or near;minDistance==metres is required"
        )
    metres = float(found["metres"]) if found["metres"] else None
    if metres is not None and not 0 < metres < 1e9:
        raise BadRequestData(
            f"georel is invalid: {georel!r}: the distance must be a positive number of metres"
        )
    geoproperty = parameters.get("geoproperty")
    if geoproperty is not None and not (
        isinstance(geoproperty, str) and (is_name(geoproperty) or is_uri(geoproperty))
    ):
        raise BadRequestData(f"geoproperty is invalid: {geoproperty!r} is no name of an attribute")
    return GeoQuery(
        georel=cast(GeoRelation, found["plain"] or "near"),
        geometry=parse_geometry(parameters["geometry"], parameters["coordinates"], "coordinates"),
        max_distance=metres if found["bound"] == "maxDistance" else None,
        min_distance=metres if found["bound"] == "minDistance" else None,
        geoproperty=expand(geoproperty) if geoproperty else LOCATION,
    )


def parse_temporal(parameters: Mapping[str, Any]) -> TemporalQuery | None:
    """Reads a temporal query with its aggregation; None when none of its parameters is given.

    Args:
        parameters: `timerel`, `timeAt`, `endTimeAt`, `timeproperty`, `lastN`, `aggrMethods`
            (a list), `aggrPeriodDuration`, and of our own `repeats`: `keep`, or `omit` to leave out
            instances that a source delivered again under the same stamp.

    Raises:
        BadRequestData: one is invalid, or one is missing that another asks for.
    """
    if all(parameters.get(word) is None for word in _TEMPORAL_WORDS):
        return None
    timerel: Any = parameters.get("timerel")
    if timerel not in (None, "before", "after", "between"):
        raise BadRequestData(f"timerel is invalid: {timerel!r}; before, after or between is required")
    timeproperty: Any = parameters.get("timeproperty") or "observedAt"
    if timeproperty not in _TIMEPROPERTIES:
        raise BadRequestData(
            f"timeproperty is invalid: {timeproperty!r}; one of {', '.join(_TIMEPROPERTIES)} is required"
        )
    period = parameters.get("aggrPeriodDuration")
    return TemporalQuery(
        timerel=timerel,
        time_at=_moment(parameters, "timeAt", timerel is not None),
        end_time_at=_moment(parameters, "endTimeAt", timerel == "between"),
        timeproperty=timeproperty,
        last_n=_last_n(parameters.get("lastN")),
        aggr_methods=_methods(parameters.get("aggrMethods")),
        period=(0, 0) if period is None else parse_duration(period, "aggrPeriodDuration"),
        with_repeats=_with_repeats(parameters.get("repeats")),
    )


def _with_repeats(value: Any) -> bool:
    if value not in (None, "keep", "omit"):
        raise BadRequestData(f"repeats is invalid: {value!r}; keep or omit is required")
    return bool(value != "omit")


def _moment(parameters: Mapping[str, Any], name: str, wanted: bool) -> int | None:
    """A time that must be there when its `timerel` is, and only then."""
    text = parameters.get(name)
    if text is None:
        if wanted:
            raise BadRequestData(f"{name} is required: timerel is {parameters['timerel']!r}")
        return None
    if not wanted:
        raise BadRequestData(
            f"{name} is invalid: timerel is {parameters.get('timerel')!r}, which takes no {name}"
        )
    return parse_datetime(text, name)


def _last_n(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadRequestData(f"lastN is invalid: {value!r}; a positive whole number is required")
    return value


def _methods(value: Any) -> list[AggregateMethod]:
    if value is None:
        return []
    known = get_args(AggregateMethod)
    methods: list[AggregateMethod] = []
    for item in words(value, "aggrMethods"):
        if item not in known:
            raise BadRequestData(f"aggrMethods is invalid: {item!r}; one of {', '.join(known)} is required")
        if item not in methods:
            methods.append(cast(AggregateMethod, item))
    return methods
