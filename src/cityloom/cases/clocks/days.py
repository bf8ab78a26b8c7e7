"""How days and hours are written in a calendar.

`08:00-12:00`, `mon-fri`, `2026-10-01..2026-10-07`, `12-25`, `mon 3 01` (the third Monday of January).
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from cityloom.cases.clocks.worktime import Hours
from cityloom.model.errors import BadRequestData

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")
_MOST: Final = 24
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_FIXED: Final = re.compile(r"\d\d-\d\d")
_NTH: Final = re.compile(r"(mon|tue|wed|thu|fri|sat|sun) ([1-4]|last) (0[1-9]|1[0-2])")


def hours_of(listed: Sequence[str], place: str) -> Hours:
    """Working hours of a day, from texts like `08:00-12:00`.

    Raises:
        BadRequestData: one is none, ends before it begins or overlaps the one before; there are too many.
    """
    if len(listed) > _MOST:
        raise BadRequestData(f"{place} is invalid: a day has {_MOST} spans of hours at most")
    times: list[tuple[int, int]] = []
    for text in listed:
        match = _HOURS.fullmatch(text)
        if match is None:
            raise BadRequestData(f"{place} is invalid: {text!r} is not written as 08:00-12:00")
        begin_hour, begin_minute, *ends = match.groups()
        hour, minute = [each for each in ends if each is not None]
        begins, end = int(begin_hour) * 60 + int(begin_minute), int(hour) * 60 + int(minute)
        if end <= begins:
            raise BadRequestData(f"{place} is invalid: {text!r} ends before it begins")
        if times and begins < times[-1][1]:
            raise BadRequestData(f"{place} is invalid: {text!r} begins before the one before it ends")
        times.append((begins, end))
    return tuple(times)


def week_of(told: Mapping[str, Sequence[str]], place: str) -> tuple[Hours, ...]:
    """The hours of seven weekdays, from keys like `mon` and `mon-fri`.

    Raises:
        BadRequestData: a weekday is said twice or not at all, or its hours are wrong.
    """
    week: dict[str, Hours] = {}
    for key, listed in told.items():
        first, _, last = key.partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise BadRequestData(f"{place} is invalid: {key!r} is no weekday and no range of them (mon-fri)")
        span = WEEKDAYS[WEEKDAYS.index(first) : WEEKDAYS.index(last or first) + 1]
        if not span:
            raise BadRequestData(f"{place} is invalid: {key!r} ends before it begins")
        for weekday in span:
            if weekday in week:
                raise BadRequestData(f"{place}.{key} is invalid: {weekday} already exists")
            week[weekday] = hours_of(listed, f"{place}.{key}")
    for weekday in WEEKDAYS:
        if weekday not in week:
            raise BadRequestData(
                f"{place}.{weekday} is required: the calendar has a hole; "
                f"a day without work is `{weekday}: []`"
            )
    return tuple(week[weekday] for weekday in WEEKDAYS)


def read_range(text: str, place: str) -> tuple[date, date]:
    """One day (`2026-10-01`) or a range with both ends (`2026-10-01..2026-10-07`).

    Raises:
        BadRequestData: it is neither, or ends before it begins.
    """
    first, _, last = text.partition("..")
    since, until = _day(first, place), _day(last or first, place)
    if until < since:
        raise BadRequestData(f"{place} is invalid: {text!r} ends before it begins")
    return since, until


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def yearly_days(
    told: Mapping[str, str], observed: Mapping[str, int], years: Sequence[int]
) -> dict[date, str]:
    """Holidays that come each year: `12-25`, or the third Monday of January as `mon 3 01`.

    Args:
        observed: weekday -> days; a fixed holiday on this weekday is free that many days later as well.

    Raises:
        BadRequestData: one is written otherwise, or is no day of any year.
    """
    for weekday, days in observed.items():
        if weekday not in WEEKDAYS or not -6 <= days <= 6:
            raise BadRequestData(f"observed.{weekday} is invalid: a weekday with -6 to 6 days is required")
    found: dict[date, str] = {}
    for text, name in told.items():
        for year in years:
            day = _in_year(text, year)
            if day is None:
                continue
            found[day] = name or text
            moved = observed.get(WEEKDAYS[day.weekday()])
            if moved and _FIXED.fullmatch(text):
                found.setdefault(day + timedelta(days=moved), name or text)
    return found


def _in_year(text: str, year: int) -> date | None:
    """The day of a yearly holiday; None where the year has no 29 February."""
    if _FIXED.fullmatch(text):
        _day(f"2000-{text}", "yearly")
        return None if text == "02-29" and not isleap(year) else _day(f"{year}-{text}", "yearly")
    match = _NTH.fullmatch(text)
    if match is None:
        raise BadRequestData(f"yearly is invalid: {text!r} is written neither as 12-25 nor as 'mon 3 01'")
    weekday, number, month = WEEKDAYS.index(match[1]), match[2], int(match[3])
    if number == "last":
        end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        return end - timedelta(days=(end.weekday() - weekday) % 7)
    start = date(year, month, 1)
    return start + timedelta(days=(weekday - start.weekday()) % 7 + 7 * (int(number) - 1))


def _day(text: str, place: str) -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadRequestData(f"{place} is invalid: {text!r} is no day")
