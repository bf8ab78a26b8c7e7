"""The functions of filters.

Each takes values and gives one; null where an argument is of the wrong kind.
Distances and lengths are in metres on the WGS 84 ellipsoid, as everywhere in the house.

Source: OGC 18-088 clause 9.3.3.5.2, table 24 (query functions).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

import shapely

from cityloom.maps.sensorthings.domain import Length, Moment, is_number
from cityloom.query.geometry import distance, wgs84

_MATRIX: Final = re.compile(r"[TF*012]{9}", re.IGNORECASE)


class Function(NamedTuple):
    """How many arguments a function takes, and what it gives."""

    least: int
    most: int
    call: Callable[..., Any]


def _texts(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        return function(*values) if all(isinstance(value, str) for value in values) else None

    return call


def _substring(text: Any, start: Any, length: Any = None) -> str | None:
    if not isinstance(text, str) or not _is_place(start) or not (length is None or _is_place(length)):
        return None
    return text[start:] if length is None else text[start : start + length]


def _is_place(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _of_moment(part: Callable[[datetime], Any]) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        if not isinstance(value, Moment):
            return None
        try:
            return part(value.as_datetime())
        except OverflowError:
            return None

    return call


def _of_date(part: str) -> Callable[[Any], Any]:
    of_moment = _of_moment(lambda moment: getattr(moment, part))

    def call(value: Any) -> Any:
        return getattr(value, part) if isinstance(value, date) else of_moment(value)

    return call


def _of_time(part: str) -> Callable[[Any], Any]:
    of_moment = _of_moment(lambda moment: getattr(moment, part))

    def call(value: Any) -> Any:
        return getattr(value, part) if isinstance(value, time) else of_moment(value)

    return call


def _number(function: Callable[[float], float]) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        return function(value) if is_number(value) else None

    return call


def _round(value: float) -> float:
    """To the nearest whole number, halves away from zero (OData 4.0 URL conventions 5.1.1.4)."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _geometries(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def call(one: Any, other: Any) -> Any:
        if not (isinstance(one, shapely.Geometry) and isinstance(other, shapely.Geometry)):
            return None
        return function(one, other)

    return call


def _relation(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return _geometries(lambda one, other: bool(function(one, other)))


def _metres(one: Any, other: Any) -> float | None:
    metres = distance(one, other)
    return None if math.isnan(metres) else metres


def _length(value: Any) -> float | None:
    return float(wgs84().geometry_length(value)) if isinstance(value, shapely.Geometry) else None


def _relate(one: Any, other: Any, matrix: Any) -> bool | None:
    if not isinstance(matrix, str) or _MATRIX.fullmatch(matrix) is None:
        return None
    return _relation(lambda left, right: shapely.relate_pattern(left, right, matrix.upper()))(one, other)  # type: ignore[no-any-return]


def _day(moment: datetime) -> date:
    return moment.date()


def _clock_time(moment: datetime) -> time:
    return moment.time()


def _earliest() -> Moment:
    return Moment(
        (datetime.min.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    )


def _latest() -> Moment:
    return Moment(
        (datetime.max.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    )


FUNCTIONS: Final[dict[str, Function]] = {
    "substringof": Function(2, 2, _texts(lambda part, text: part in text)),
    "contains": Function(2, 2, _texts(lambda text, part: part in text)),
    "startswith": Function(2, 2, _texts(str.startswith)),
    "endswith": Function(2, 2, _texts(str.endswith)),
    "length": Function(1, 1, _texts(len)),
    "indexof": Function(2, 2, _texts(str.find)),
    "substring": Function(2, 3, _substring),
    "tolower": Function(1, 1, _texts(str.lower)),
    "toupper": Function(1, 1, _texts(str.upper)),
    "trim": Function(1, 1, _texts(str.strip)),
    "concat": Function(2, 2, _texts(str.__add__)),
    "year": Function(1, 1, _of_date("year")),
    "month": Function(1, 1, _of_date("month")),
    "day": Function(1, 1, _of_date("day")),
    "hour": Function(1, 1, _of_time("hour")),
    "minute": Function(1, 1, _of_time("minute")),
    "second": Function(1, 1, _of_time("second")),
    "fractionalseconds": Function(1, 1, _of_moment(lambda moment: moment.microsecond / 1_000_000)),
    "date": Function(1, 1, _of_moment(_day)),
    "time": Function(1, 1, _of_moment(_clock_time)),
    "totaloffsetminutes": Function(1, 1, _of_moment(lambda moment: 0)),
    "mindatetime": Function(0, 0, _earliest),
    "maxdatetime": Function(0, 0, _latest),
    "totalseconds": Function(
        1, 1, lambda value: value.micros / 1_000_000 if isinstance(value, Length) else None
    ),
    "round": Function(1, 1, _number(_round)),
    "floor": Function(1, 1, _number(math.floor)),
    "ceiling": Function(1, 1, _number(math.ceil)),
    "geo.distance": Function(2, 2, _geometries(_metres)),
    "geo.length": Function(1, 1, _length),
    "geo.intersects": Function(2, 2, _relation(shapely.intersects)),
    "st_equals": Function(2, 2, _relation(shapely.equals)),
    "st_disjoint": Function(2, 2, _relation(shapely.disjoint)),
    "st_touches": Function(2, 2, _relation(shapely.touches)),
    "st_within": Function(2, 2, _relation(shapely.within)),
    "st_overlaps": Function(2, 2, _relation(shapely.overlaps)),
    "st_crosses": Function(2, 2, _relation(shapely.crosses)),
    "st_intersects": Function(2, 2, _relation(shapely.intersects)),
    "st_contains": Function(2, 2, _relation(shapely.contains)),
    "st_relate": Function(3, 3, _relate),
}
"""By name; `now` is the view's and stands in `expressions`."""

UNBUILT: Final = frozenset({"cast", "isof", "matchesPattern", "hassubset", "hassubsequence"})
"""Functions that OData knows and that are not built."""
