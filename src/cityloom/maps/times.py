"""The time of a feature, and the `datetime` that selects by it.

A feature's time is when it was last observed: the newest `observedAt` of its
attributes. One without any has the time that its attribute `dateObserved`
tells, an instant or an interval; one without that has none.

Source: OGC 17-069r4 clause 7.15.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime

Period = tuple[int | None, int | None]
"""First and last microsecond since 1970, both included; None is without end."""

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_LOWER: Final = re.compile(r"[\d:.+-]+t[\d:.+-]+z?", re.IGNORECASE)
_DAY: Final = 86_400_000_000
_DATE_OBSERVED: Final = ("/dateObserved", "#dateObserved")


def parse_period(text: str, place: str = "parameter datetime") -> Period:
    """Reads an instant or an interval: `a`, `a/b`, `../b`, `a/..`; a date is its whole day in UTC.

    Raises:
        BadRequestData: it is neither, or ends before it begins.
    """
    first, slash, second = text.partition("/")
    if not slash:
        return _span(first, place)
    start = None if first in ("", "..") else _span(first, place)[0]
    end = None if second in ("", "..") else _span(second, place)[1]
    if start is None and end is None:
        raise BadRequestData(f"{place} is invalid: one end of {text[:100]!r} must be given")
    if start is not None and end is not None and start > end:
        raise BadRequestData(f"{place} is invalid: {text[:100]!r} ends before it begins")
    return start, end


def _span(text: str, place: str) -> tuple[int, int]:
    if _DATE.fullmatch(text):
        day = parse_datetime(f"{text}T00:00:00Z", place)
        return day, day + _DAY - 1
    # RFC 3339 allows the letters in lower case; what is no time at all is told as it was written.
    written = text.upper() if _LOWER.fullmatch(text) else text
    instant = parse_datetime(written, place)
    return instant, instant


def in_period(entity: Entity, period: Period) -> bool:
    """Whether an entity's time touches a period; one without time always does."""
    time = time_of(entity)
    if time is None:
        return True
    (start, end), (first, last) = period, time
    return (start is None or last is None or last >= start) and (end is None or first is None or first <= end)


def time_of(entity: Entity) -> Period | None:
    """The time of an entity, None when it has none."""
    newest = newest_stamp(entity.attributes.values())
    if newest is not None:
        return newest, newest
    for name, instances in entity.attributes.items():
        if name.endswith(_DATE_OBSERVED):
            for instance in instances:
                period = _told(instance.value)
                if period is not None:
                    return period
    return None


def newest_stamp(attributes: Iterable[list[Attribute]]) -> int | None:
    """The newest `observedAt` in microseconds; a time that cannot be read is none."""
    newest: int | None = None
    for instances in attributes:
        for instance in instances:
            stamp = _read(instance.observed_at) if instance.observed_at is not None else None
            if stamp is not None and (newest is None or stamp > newest):
                newest = stamp
    return newest


def _read(text: str) -> int | None:
    try:
        return parse_datetime(text)
    except BadRequestData:
        return None


def _told(value: Any) -> Period | None:
    text = value.get("@value") if isinstance(value, dict) else value
    try:
        return parse_period(text) if isinstance(text, str) else None
    except BadRequestData:
        return None
