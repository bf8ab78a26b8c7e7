"""The values that filters compute with, and how they compare, add up and stand in order.

Null stands for what is not there or has no meaning: it is equal to null alone,
and every other comparison and operation with it fails or gives null.

Source: OASIS OData 4.0 URL conventions 5.1.1 (operators); OGC 18-088 clause 9.3.3.5.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import shapely
from msgspec import Struct

from cityloom.maps.sensorthings.model import Domain
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime
from cityloom.query.geometry import read_geometry

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(Struct, frozen=True, order=True):
    """A moment in microseconds since 1970 (UTC)."""

    micros: int

    def as_datetime(self) -> datetime:
        """The same as Python has it. Raises OverflowError outside the years 1 to 9999."""
        return _EPOCH + timedelta(microseconds=self.micros)


class Period(Struct, frozen=True):
    """From one moment to another."""

    start: Moment
    end: Moment


class Length(Struct, frozen=True, order=True):
    """A length of time in microseconds."""

    micros: int


def in_domain(value: Any, domain: Domain) -> Any:
    """A property's JSON value as filters have it; null where it is no such thing."""
    if value is None or domain == "json":
        return value
    try:
        if domain == "time":
            return Moment(parse_datetime(value))
        if domain == "period":
            start, _, end = value.partition("/")
            return Period(Moment(parse_datetime(start)), Moment(parse_datetime(end)))
        return read_geometry(value)
    except BadRequestData:
        return None


def is_number(value: Any) -> bool:
    """Whether a value is a number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rank(value: Any) -> int | None:
    """Which values compare with each other: those of one rank."""
    if isinstance(value, bool):
        return 1
    for rank, kind in enumerate((int | float, str, Moment, date, time, Length), start=2):
        if isinstance(value, kind):
            return rank
    return None


_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def compare(operation: str, left: Any, right: Any) -> bool:
    """Whether `left operation right` holds (eq, ne, lt, le, gt, ge).

    A list is equal to each of its members. A period is before a moment when it
    has ended by then, and after it when it begins later.
    """
    if operation == "ne":
        return not compare("eq", left, right)
    if operation == "eq":
        return _equal(left, right)
    if isinstance(left, Period) or isinstance(right, Period):
        return _periods(operation, left, right)
    left, right = _alike(left, right)
    rank = _rank(left)
    return rank is not None and rank == _rank(right) and _ORDERS[operation](left, right)


def _equal(left: Any, right: Any) -> bool:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, list) and not isinstance(other, list):
            return any(_equal(member, other) for member in one)
    if left is None or right is None:
        return left is right
    left, right = _alike(left, right)
    if isinstance(left, shapely.Geometry) and isinstance(right, shapely.Geometry):
        return bool(shapely.equals(left, right))
    if isinstance(left, Period) or isinstance(right, Period):
        return _as_period(left) == _as_period(right)
    return _rank(left) == _rank(right) and bool(left == right)


def _periods(operation: str, left: Any, right: Any) -> bool:
    one, other = _as_period(left), _as_period(right)
    if one is None or other is None:
        return False
    match operation:
        case "lt":
            return one.end < other.start
        case "le":
            return one.end <= other.start
        case "gt":
            return one.start > other.end
        case _:
            return one.start >= other.end


def _as_period(value: Any) -> Period | None:
    if isinstance(value, str):
        value = _moment_of(value)
    if isinstance(value, Moment):
        return Period(value, value)
    return value if isinstance(value, Period) else None


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """A text beside a moment is read as one: times in `properties` are texts."""
    if isinstance(left, Moment) and isinstance(right, str):
        return left, _moment_of(right)
    if isinstance(right, Moment) and isinstance(left, str):
        return _moment_of(left), right
    return left, right


def _moment_of(text: str) -> Moment | None:
    try:
        return Moment(parse_datetime(text))
    except BadRequestData:
        return None


def calculate(operation: str, left: Any, right: Any) -> Any:
    """`left operation right` (add, sub, mul, div, mod); null where it has no meaning.

    `div` gives fractions, also of whole numbers: a series may mix 21 and 21.5.
    """
    if is_number(left) and is_number(right):
        return _number(operation, left, right)
    micros = {"add": 1, "sub": -1}.get(operation, 0)
    if micros and isinstance(left, Moment | Length) and isinstance(right, Length):
        return type(left)(left.micros + micros * right.micros)
    if operation == "add" and isinstance(left, Length) and isinstance(right, Moment):
        return Moment(left.micros + right.micros)
    if operation == "sub" and isinstance(left, Moment) and isinstance(right, Moment):
        return Length(left.micros - right.micros)
    return None


def _number(operation: str, left: float, right: float) -> float | None:
    try:
        match operation:
            case "add":
                found = left + right
            case "sub":
                found = left - right
            case "mul":
                found = left * right
            case "div":
                found = left / right
            case _:
                found = abs(left) % abs(right) * (1 if left >= 0 else -1)
    except (ZeroDivisionError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def order_key(value: Any) -> tuple[int, Any]:
    """A key by which any two values stand in order: null first, then by kind, then by value."""
    if isinstance(value, Period):
        value = value.start
    rank = _rank(value)
    return (0, 0) if rank is None else (rank, value)
