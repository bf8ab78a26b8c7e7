"""Instants and intervals of CQL2, and how they stand to each other.

A date and a timestamp compare as dates (in UTC), two of a kind as what they are: so exactly
one of before, equal and after holds for any two instants, and an interval of dates
holds the whole of its last day. Both bounds belong to an interval.

Source: OGC 21-065r2 clause 7.7, tables of the temporal comparison functions (whose links of
T_STARTS and T_STARTEDBY are crossed: each means what its name says); OWL-Time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from typing import Any, Final, NamedTuple, Protocol

from cityloom.query.compare import temporal

DAY: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1).toordinal()


class _Literal(Protocol):
    @property
    def micros(self) -> int: ...
    @property
    def is_date(self) -> bool: ...


class Instant(NamedTuple):
    """µs since 1970 (UTC), without end for an open bound; of a date the begin of the day."""

    micros: float
    is_date: bool = False


class Span(NamedTuple):
    """From `start` to `end`; an instant starts and ends in itself."""

    start: Instant
    end: Instant

    @staticmethod
    def of(start: _Literal, end: _Literal) -> Span:
        """The span between two literals."""
        return Span(Instant(start.micros, start.is_date), Instant(end.micros, end.is_date))


OPEN_START: Final = Instant(-math.inf)
OPEN_END: Final = Instant(math.inf)


def instant_of_date(day: date) -> int:
    """The µs since 1970 at which a day begins (UTC)."""
    return (day.toordinal() - _EPOCH) * DAY


def read_instant(value: Any) -> Instant | None:
    """The instant that a text says, or None: a DateTime or a Date."""
    found = temporal(value) if isinstance(value, str) else None
    if found is None or found[0] == "time":
        return None
    kind, key = found
    return Instant(key) if kind == "dateTime" else Instant((key - _EPOCH) * DAY, True)


def order(one: Instant, other: Instant) -> int:
    """-1, 0 or 1 as `one` is before, equal to or after `other`."""
    first, second = one.micros, other.micros
    if one.is_date != other.is_date and math.isfinite(first) and math.isfinite(second):
        first, second = first // DAY, second // DAY
    return (first > second) - (first < second)


def ordered(span: Span) -> bool:
    """Whether it ends no earlier than it starts."""
    return order(span.start, span.end) <= 0


def _relation(*wanted: tuple[str, str, str]) -> Callable[[Span, Span], bool]:
    """All of (a bound of the first, `<`, `=` or `>`, a bound of the second)."""
    signs = {"<": -1, "=": 0, ">": 1}
    bounds = {"start": 0, "end": 1}
    terms = [(bounds[left], signs[sign], bounds[right]) for left, sign, right in wanted]
    return lambda one, other: all(order(one[left], other[right]) == sign for left, sign, right in terms)


_after: Final = _relation(("start", ">", "end"))
_before: Final = _relation(("end", "<", "start"))

RELATIONS: Final[dict[str, Callable[[Span, Span], bool]]] = {
    "t_after": _after,
    "t_before": _before,
    "t_contains": _relation(("start", "<", "start"), ("end", ">", "end")),
    "t_disjoint": lambda one, other: _after(one, other) or _before(one, other),
    "t_during": _relation(("start", ">", "start"), ("end", "<", "end")),
    "t_equals": _relation(("start", "=", "start"), ("end", "=", "end")),
    "t_finishedBy": _relation(("start", "<", "start"), ("end", "=", "end")),
    "t_finishes": _relation(("start", ">", "start"), ("end", "=", "end")),
    "t_intersects": lambda one, other: not (_after(one, other) or _before(one, other)),
    "t_meets": _relation(("end", "=", "start")),
    "t_metBy": _relation(("start", "=", "end")),
    "t_overlappedBy": _relation(("start", ">", "start"), ("start", "<", "end"), ("end", ">", "end")),
    "t_overlaps": _relation(("start", "<", "start"), ("end", ">", "start"), ("end", "<", "end")),
    "t_startedBy": _relation(("start", "=", "start"), ("end", ">", "end")),
    "t_starts": _relation(("start", "=", "start"), ("end", "<", "end")),
}
"""The 15 relations by name."""
