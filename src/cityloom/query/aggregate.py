"""Aggregation of the instances of one attribute over periods of time.

Source: ETSI GS CIM 009 clause 4.5.19.1, tables 4.5.19.1-1 to -3. Where the
clause is silent: only periods that hold an instance are given; `stddev` is
that of the population (0 for one value); a series of mixed data types can only be
counted; without a start the first period begins with the first instance.
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

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


class _Sample(NamedTuple):
    """One value: when it was, what it is, and the key by which it is told and compared."""

    at: int
    value: Any
    key: Any


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
    kind, samples = _samples(instances, temporal)
    methods = [method for method in temporal.aggr_methods if method in _ELIGIBLE[kind]]
    if not samples:
        return {}
    if not methods:
        raise InvalidRequest(
            f"aggrMethods is invalid: {', '.join(temporal.aggr_methods)} cannot be applied to "
            f"values of type {kind}"
        )
    results: dict[AggregateMethod, Aggregate] = {method: [] for method in methods}
    for start, end, group in _periods(samples, temporal):
        for method in methods:
            results[method].append((_METHODS[method](kind, group), start, end))
    return results


def _samples(instances: Sequence[Instance], temporal: TemporalQuery) -> tuple[str, list[_Sample]]:
    """The values with their times, by time, and the data type that they share."""
    samples: list[_Sample] = []
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
        samples.append(_Sample(parse_datetime(time), attribute.value, key))
    samples.sort(key=lambda sample: sample.at)
    if kinds == {"number", "boolean"}:
        return "number", samples
    return (kinds.pop() if len(kinds) == 1 else "other"), samples


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
def _periods(samples: list[_Sample], temporal: TemporalQuery) -> list[tuple[int, int, list[_Sample]]]:
    """(start, end, samples) of each period that holds a sample."""
    if temporal.period == (0, 0):
        start = samples[0].at if temporal.timerel in (None, "before") else temporal.time_at
        end = temporal.time_at if temporal.timerel == "before" else temporal.end_time_at
        last = samples[-1].at
        return [(samples[0].at if start is None else start, last if end is None else end, samples)]
    months, micros = temporal.period
    anchor = None if temporal.timerel == "before" else temporal.time_at
    if anchor is None:
        anchor = samples[0].at
    found: list[tuple[int, int, list[_Sample]]] = []
    for sample in samples:
        if found and sample.at < found[-1][1]:
            found[-1][2].append(sample)
            continue
        number = _period_number(anchor, sample.at, months, micros)
        start, end = (_boundary(anchor, each, months, micros) for each in (number, number + 1))
        found.append((start, end, [sample]))
    return found


def _boundary(anchor: int, number: int, months: int, micros: int) -> int:
    """Where period `number` starts: calendar months on (the day held within the month), then the rest."""
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
def _keys(samples: list[_Sample]) -> list[Any]:
    return [sample.key for sample in samples]


def _total_count(kind: str, samples: list[_Sample]) -> int:
    return len(samples)


def _distinct_count(kind: str, samples: list[_Sample]) -> int:
    return len({msgspec.json.encode(sample.value, order="deterministic") for sample in samples})


def _sum(kind: str, samples: list[_Sample]) -> int | float:
    keys = _keys(samples)
    return sum(keys) if all(isinstance(key, int) for key in keys) else math.fsum(keys)


def _avg(kind: str, samples: list[_Sample]) -> Any:
    mean = math.fsum(_keys(samples)) / len(samples)
    return _time_text(round(mean)) if kind == "time" else mean


def _extreme(choose: Callable[..., _Sample]) -> Callable[[str, list[_Sample]], Any]:
    def method(kind: str, samples: list[_Sample]) -> Any:
        chosen = choose(samples, key=lambda sample: sample.key)
        return chosen.key if kind in ("number", "boolean", "array") else chosen.value

    return method


def _stddev(kind: str, samples: list[_Sample]) -> float:
    keys = _keys(samples)
    mean = math.fsum(keys) / len(keys)
    return math.sqrt(math.fsum((key - mean) ** 2 for key in keys) / len(keys))


def _sumsq(kind: str, samples: list[_Sample]) -> int | float:
    squares = [key * key for key in _keys(samples)]
    return sum(squares) if all(isinstance(square, int) for square in squares) else math.fsum(squares)


def _time_text(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:06}".rstrip("0") + "Z" if fraction else text + "Z"


_METHODS: Final[dict[str, Callable[[str, list[_Sample]], Any]]] = {
    "totalCount": _total_count,
    "distinctCount": _distinct_count,
    "sum": _sum,
    "avg": _avg,
    "min": _extreme(min),
    "max": _extreme(max),
    "stddev": _stddev,
    "sumsq": _sumsq,
}
