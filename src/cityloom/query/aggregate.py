"""Aggregation of the instances of one attribute over periods of time.

Source: ETSI GS CIM 009 clause 4.5.19.1, tables 4.5.19.1-1 to -3. Where the
clause is silent: only periods that hold an instance are given; `stddev` is
that of the population (0 for one value); a series of mixed data types can only be
counted; without a start the first period begins with the first instance.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from cityloom.model.entity import NULL
from cityloom.model.errors import InvalidRequest
from cityloom.model.history import Instance
from cityloom.model.time import parse_datetime
from cityloom.query.compare import comparable
from cityloom.query.values import AggregateMethod, TemporalQuery

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST: Final = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_DAY: Final = 86_400_000_000
_TIMES: Final = {
    "observedAt": "observed_at",
    "createdAt": "created_at",
    "modifiedAt": "modified_at",
    "deletedAt": "deleted_at",
}
_COUNTS: Final = frozenset({"totalCount", "distinctCount"})
_EXTREMES: Final = frozenset({"min", "max"})
_ELIGIBLE: Final[dict[str, frozenset[str]]] = {
    "number": _COUNTS | _EXTREMES | {"sum", "avg", "stddev", "sumsq"},
    "boolean": _COUNTS | _EXTREMES | {"sum", "avg", "stddev", "sumsq"},
    "array": _COUNTS | _EXTREMES | {"sum", "avg"},
    "string": _COUNTS | _EXTREMES,
    "dateTime": _COUNTS | _EXTREMES,
    "date": _COUNTS | _EXTREMES,
    "time": _COUNTS | _EXTREMES | {"avg"},
    "other": _COUNTS,
}
"""Tables 4.5.19.1-1 to -3; `other`: objects, URIs, relationships and mixed types."""

Aggregate = list[tuple[Any, int, int]]
"""(value, start, end) of each period, times in microseconds since 1970 (UTC), the end excluded."""


class _Samples(NamedTuple):
    """Values by time: when each was, what it is, and the key by which it is told and compared."""

    kind: str
    at: Sequence[int]
    values: Sequence[Any]
    keys: Sequence[Any]

    def part(self, start: int, end: int) -> _Samples:
        """Those from number `start` to before number `end`."""
        keys = self.keys[start:end]
        values = keys if self.values is self.keys else self.values[start:end]
        return _Samples(self.kind, (), values, keys)


def aggregate(instances: Sequence[Instance], temporal: TemporalQuery) -> dict[AggregateMethod, Aggregate]:
    """Aggregates the instances of one attribute (and one dataset).

    Args:
        instances: those within the time asked for, in any order; deletions do not count.
        temporal: the methods, the period, the time property, the range, and whether
            repeats (`occurrence` > 0) count.

    Returns:
        Each eligible method with its periods in order of time; nothing for no instances.

    Raises:
        InvalidRequest: none of the methods can be applied to values of this type (5.7.4.4).

    Cost: one pass and a sort.
    """
    return _aggregate(_samples(instances, temporal), temporal)


def aggregate_numbers(
    times: Sequence[int], numbers: Sequence[int] | Sequence[float], temporal: TemporalQuery
) -> dict[AggregateMethod, Aggregate]:
    """What `aggregate` says of Properties whose values are these numbers, observed at these times.

    Args:
        times: microseconds since 1970, in order.
        numbers: as many, all of them of one type.
    """
    return _aggregate(_Samples("number", times, numbers, numbers), temporal)


def _aggregate(samples: _Samples, temporal: TemporalQuery) -> dict[AggregateMethod, Aggregate]:
    methods = [method for method in temporal.aggr_methods if method in _ELIGIBLE[samples.kind]]
    if not samples.at:
        return {}
    if not methods:
        raise InvalidRequest(
            f"aggrMethods is invalid: {', '.join(temporal.aggr_methods)} cannot be applied to "
            f"values of type {samples.kind}"
        )
    periods = [
        (start, end, samples.part(first, beyond))
        for start, end, first, beyond in _periods(samples.at, temporal)
    ]
    return {
        method: [(apply(part), start, end) for start, end, part in periods]
        for method, apply in ((method, _METHODS[method]) for method in methods)
    }


def _samples(instances: Sequence[Instance], temporal: TemporalQuery) -> _Samples:
    """The values with their times, by time, and the data type that they share."""
    found: list[tuple[int, Any, Any]] = []
    kinds: set[str] = set()
    for instance in instances:
        attribute = instance.attribute
        deleted = attribute.deleted_at is not None or attribute.value == NULL
        time = getattr(attribute, _TIMES[temporal.timeproperty])
        if time is None or (instance.occurrence and not temporal.with_repeats):
            continue
        if deleted and temporal.timeproperty != "deletedAt":
            continue
        kind, key = _kind(instance)
        kinds.add(kind)
        found.append((parse_datetime(time), attribute.value, key))
    found.sort(key=lambda sample: sample[0])
    if kinds == {"number", "boolean"}:
        kinds = {"number"}
    at, values, keys = zip(*found, strict=True) if found else ((), (), ())
    return _Samples(kinds.pop() if len(kinds) == 1 else "other", at, values, keys)


def _kind(instance: Instance) -> tuple[str, Any]:
    value = instance.attribute.value
    if instance.attribute.kind not in ("Property", "ListProperty", "JsonProperty"):
        return "other", None
    if isinstance(value, list):
        return "array", len(value)
    found = comparable(value)
    if found is None:
        return "other", None
    kind, key = found
    return kind, int(key) if kind == "boolean" else key


# -- periods -----------------------------------------------------------------
def _periods(at: Sequence[int], temporal: TemporalQuery) -> list[tuple[int, int, int, int]]:
    """(start, end, number of its first sample, number after its last) of each period that holds a sample."""
    if temporal.period == (0, 0):
        start = at[0] if temporal.timerel in (None, "before") else temporal.time_at
        end = temporal.time_at if temporal.timerel == "before" else temporal.end_time_at
        return [(at[0] if start is None else start, at[-1] if end is None else end, 0, len(at))]
    months, micros = temporal.period
    anchor = None if temporal.timerel == "before" else temporal.time_at
    if anchor is None:
        anchor = at[0]
    if not months:
        return _even_periods(at, anchor, micros)
    found: list[tuple[int, int, int, int]] = []
    first = 0
    while first < len(at):
        number = _period_number(anchor, at[first], months, micros)
        start = _boundary(anchor, number, months, micros)
        end = _boundary(anchor, number + 1, months, micros)
        beyond = bisect_left(at, end, first)
        found.append((start, end, first, beyond))
        first = beyond
    return found


def _even_periods(at: Sequence[int], anchor: int, micros: int) -> list[tuple[int, int, int, int]]:
    """`_periods`, where all are equally long: for tens of thousands of samples."""
    for sample in (at[0], at[-1]):
        number = (sample - anchor) // micros
        _boundary(anchor, number, 0, micros)
        _boundary(anchor, number + 1, 0, micros)
    numbers = (np.asarray(at, dtype=np.int64) - anchor) // micros
    firsts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
    starts = anchor + numbers[firsts] * micros
    beyond = [*firsts[1:].tolist(), len(at)]
    return list(zip(starts.tolist(), (starts + micros).tolist(), firsts.tolist(), beyond, strict=True))


def _boundary(anchor: int, number: int, months: int, micros: int) -> int:
    """Where period `number` starts: calendar months on (the day held within the month), then the rest."""
    if not months:
        start = anchor + number * micros
        if not _FIRST <= start <= _LAST:
            raise _beyond_calendar()
        return start
    moment = _EPOCH + timedelta(microseconds=anchor)
    year, month = divmod(moment.year * 12 + moment.month - 1 + number * months, 12)
    if not 1 <= year <= 9999:
        raise _beyond_calendar()
    day = min(moment.day, monthrange(year, month + 1)[1])
    start = (moment.replace(year=year, month=month + 1, day=day) - _EPOCH) // _MICROSECOND + number * micros
    if not _FIRST <= start <= _LAST:
        raise _beyond_calendar()
    return start


def _beyond_calendar() -> InvalidRequest:
    return InvalidRequest("aggrPeriodDuration is invalid: its periods leave the years 1 to 9999")


def _period_number(anchor: int, at: int, months: int, micros: int) -> int:
    """The number of the period in which `at` lies."""
    length = months * 30 * _DAY + micros
    number = (at - anchor) // length
    while _boundary(anchor, number, months, micros) > at:
        number -= 1
    while _boundary(anchor, number + 1, months, micros) <= at:
        number += 1
    return number


# -- methods -----------------------------------------------------------------
def _total_count(samples: _Samples) -> int:
    return len(samples.keys)


def _distinct_count(samples: _Samples) -> int:
    return len({msgspec.json.encode(value, order="deterministic") for value in samples.values})


def _sum(samples: _Samples) -> int | float:
    return _total(samples.keys)


def _total(numbers: Sequence[Any]) -> int | float:
    return sum(numbers) if all(isinstance(number, int) for number in numbers) else math.fsum(numbers)


def _avg(samples: _Samples) -> Any:
    mean = math.fsum(samples.keys) / len(samples.keys)
    return _time_text(round(mean)) if samples.kind == "time" else mean


def _extreme(choose: Callable[..., Any]) -> Callable[[_Samples], Any]:
    def method(samples: _Samples) -> Any:
        if samples.kind in ("number", "boolean", "array"):
            return choose(samples.keys)
        chosen = choose(zip(samples.keys, samples.values, strict=True), key=lambda sample: sample[0])
        return chosen[1]

    return method


def _stddev(samples: _Samples) -> float:
    mean = math.fsum(samples.keys) / len(samples.keys)
    return math.sqrt(math.fsum((key - mean) ** 2 for key in samples.keys) / len(samples.keys))


def _sumsq(samples: _Samples) -> int | float:
    return _total([key * key for key in samples.keys])


def _time_text(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:06}".rstrip("0") + "Z" if fraction else text + "Z"


_METHODS: Final[dict[str, Callable[[_Samples], Any]]] = {
    "totalCount": _total_count,
    "distinctCount": _distinct_count,
    "sum": _sum,
    "avg": _avg,
    "min": _extreme(min),
    "max": _extreme(max),
    "stddev": _stddev,
    "sumsq": _sumsq,
}
