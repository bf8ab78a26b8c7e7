"""A city's calendar of work: working hours by weekday and season, holidays, make-up days, time zone.

The format of the file is described in docs/cases.md; the structs below are its truth.
A calendar knows the years that it lists. Asked about another, it says so instead of guessing.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct, field

from cityloom.cases.clocks.days import WEEKDAYS, days_between, hours_of, read_range, week_of, yearly_days
from cityloom.cases.clocks.worktime import DAY, MINUTE, Hours, Stretches, stretches
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.model.time import format_datetime, parse_duration
from cityloom.yamlfile import convert, load_yaml

_YEARS: Final = re.compile(r"(\d{4})(?:\.\.(\d{4}))?")
_FIRST_YEAR, _LAST_YEAR = 1970, 2200


class YearPart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is special in one year, or in each of a range of years.

    `holidays` names days or ranges of days (`2026-01-01..2026-01-03`), `make_up` says
    which weekday's hours a day keeps that would be free, `hours` gives days other hours.
    """

    source: str = ""
    holidays: dict[str, str] = {}
    make_up: dict[str, str] = {}
    hours: dict[str, list[str]] = {}


class SeasonPart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Other working hours from one day of the year (`MM-DD`) until another, both included."""

    from_: str = field(name="from")
    until: str
    week: dict[str, list[str]]


class CalendarFile(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A calendar as it is written down; `work_day` is an ISO 8601 duration."""

    calendar: str
    title: dict[str, str] = {}
    source: str = ""
    time_zone: str
    work_day: str = "PT8H"
    week: dict[str, list[str]]
    seasons: list[SeasonPart] = []
    yearly: dict[str, str] = {}
    observed: dict[str, int] = {}
    years: dict[str, YearPart]


class Calendar(Struct, frozen=True, kw_only=True):
    """A calendar that was found whole: pure answers about work time, in microseconds.

    `version` is the digest of what the file says (comments and order do not count), `work_day`
    the work time of one work day, `hours` the working hours of each day that has any,
    `free` the names of days that are holidays.
    """

    name: str
    version: str
    time_zone: str
    work_day: int
    first: date
    last: date
    hours: dict[date, Hours]
    free: dict[date, str]
    time: Stretches

    def worked(self, at: int) -> int:
        """The work time from the calendar's beginning to `at`.

        Raises:
            ConfigurationError: the calendar says nothing of `at`.
        """
        time = self.time
        if not time.since <= at <= time.until:
            raise self._hole(f"{format_datetime(at)} is asked for")
        index = bisect_right(time.starts, at) - 1
        return 0 if index < 0 else time.before[index] + min(at, time.ends[index]) - time.starts[index]

    def reached(self, work: int) -> int:
        """The first instant at which `worked` is `work` (more than none).

        Raises:
            ConfigurationError: the calendar ends before.
        """
        time = self.time
        index = bisect_left(time.before, work) - 1
        at = time.starts[index] + work - time.before[index] if index >= 0 else time.until + 1
        if index < 0 or at > time.ends[index]:
            raise self._hole("a deadline lies beyond")
        return at

    def _hole(self, asked: str) -> ConfigurationError:
        return ConfigurationError(
            f"the calendar {self.name!r} has a hole: it knows {self.first} to {self.last} and {asked}; "
            f"list the missing years under `years`"
        )


def load_calendar(path: Path) -> Calendar:
    """Reads a calendar from YAML.

    Raises:
        ConfigurationError: one sentence that names the file, the key and what is wrong.
    """
    return make_calendar(load_yaml(path), str(path))


def make_calendar(values: dict[str, Any], file: str) -> Calendar:
    """A calendar from plain values, as `load_calendar` reads them from `file`.

    Raises:
        ConfigurationError: a key is unknown or wrong, hours overlap, a weekday or a year is missing,
            a day is said twice, or there is no work time at all.
    """
    told = convert(values, CalendarFile, file, "")
    try:
        return _whole(told)
    except BadRequestData as error:
        raise ConfigurationError(f"{file}: {error.detail}") from None


def read_calendar(values: dict[str, Any]) -> Calendar:
    """A calendar from plain values that somebody sent.

    Raises:
        BadRequestData: as `make_calendar`; names the place of the fault.

    Cost: about a microsecond for each day and stretch of its years.
    """
    try:
        told = msgspec.convert(values, CalendarFile)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise BadRequestData(
            f"{path.rstrip('`').lstrip('.') or 'the calendar'} is invalid: {problem}"
        ) from None
    return _whole(told)


def _whole(told: CalendarFile) -> Calendar:
    if not told.calendar:
        raise BadRequestData("calendar is required: the calendar's name")
    months, work_day = parse_duration(told.work_day, "workDay")
    if months or not 0 < work_day <= DAY or work_day % MINUTE:
        raise BadRequestData(
            f"workDay is invalid: {told.work_day!r} is no whole number of minutes up to PT24H"
        )
    try:
        zone = ZoneInfo(told.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRequestData(f"timeZone is invalid: {told.time_zone!r} does not exist") from None
    years = _years(told)
    first, last = date(min(years), 1, 1), date(max(years), 12, 31)
    week = _week_by_day(told)
    free = yearly_days(told.yearly, told.observed, sorted(years))
    hours = {day: week(day, day.weekday()) for day in days_between(first, last) if day not in free}
    for day, named, times in _special(told, week):
        hours[day] = times
        if named:
            free[day] = named
        else:
            free.pop(day, None)
    hours = {day: times for day, times in hours.items() if times}
    if not hours:
        raise BadRequestData("week is invalid: there is no work time in any year")
    return Calendar(
        name=told.calendar,
        version=hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest(),
        time_zone=told.time_zone,
        work_day=work_day,
        first=first,
        last=last,
        hours=hours,
        free=dict(sorted(free.items())),
        time=stretches(hours, first, last, zone),
    )


def _years(told: CalendarFile) -> dict[int, YearPart]:
    """The years that are listed, each with what is special in it; a gap between them is a hole."""
    years: dict[int, YearPart] = {}
    for key, part in told.years.items():
        span = _read_years(key)
        for year in span:
            if year in years:
                raise BadRequestData(f"years.{key} is invalid: {year} already exists")
            years[year] = part
    if not years:
        raise BadRequestData("years is required: at least one year; one without special days is `2026: {}`")
    for year in range(min(years), max(years)):
        if year not in years:
            raise BadRequestData(f"years is invalid: the calendar has a hole, {year} does not exist in it")
    return years


def _week_by_day(told: CalendarFile) -> Callable[[date, int], Hours]:
    """What hours a day has by its season and a weekday (0 is Monday), its own or the one it follows."""
    usual = week_of(told.week, "week")
    seasons: dict[str, tuple[Hours, ...]] = {}
    for number, season in enumerate(told.seasons):
        place = f"seasons[{number}]"
        week = week_of(season.week, f"{place}.week")
        for day in _season_days(season, place):
            if day in seasons:
                raise BadRequestData(f"{place} is invalid: {day} already stands in another season")
            seasons[day] = week
    return lambda day, weekday: seasons.get(f"{day:%m-%d}", usual)[weekday]


def _season_days(season: SeasonPart, place: str) -> Iterator[str]:
    first = read_range(f"2000-{season.from_}", f"{place}.from")[0]
    last = read_range(f"2000-{season.until}", f"{place}.until")[0]
    turns = [(first, last)] if first <= last else [(first, date(2000, 12, 31)), (date(2000, 1, 1), last)]
    for since, until in turns:
        for day in days_between(since, until):
            yield f"{day:%m-%d}"


def _special(told: CalendarFile, week: Callable[[date, int], Hours]) -> Iterator[tuple[date, str, Hours]]:
    """Days that a year names: (day, name of the holiday or "", hours)."""
    seen: dict[date, str] = {}

    def days(text: str, place: str, key: str) -> Iterator[date]:
        first, last = read_range(text, place)
        years = _read_years(key)
        for day in days_between(first, last):
            if day.year not in years:
                raise BadRequestData(f"{place} is invalid: {text!r} is not in {key}")
            if day in seen:
                raise BadRequestData(f"{place} is invalid: {day} already stands in {seen[day]}")
            seen[day] = place
            yield day

    for key, year in told.years.items():
        for text, name in year.holidays.items():
            for day in days(text, f"years.{key}.holidays", key):
                yield day, name or text, ()
        for text, weekday in year.make_up.items():
            place = f"years.{key}.makeUp"
            if weekday not in WEEKDAYS:
                raise BadRequestData(
                    f"{place}.{text} is invalid: {weekday!r} is no weekday ({', '.join(WEEKDAYS)})"
                )
            for day in days(text, place, key):
                times = week(day, WEEKDAYS.index(weekday))
                if not times:
                    raise BadRequestData(f"{place}.{text} is invalid: {weekday} has no working hours")
                yield day, "", times
        for text, listed in year.hours.items():
            place = f"years.{key}.hours"
            times = hours_of(listed, f"{place}.{text}")
            for day in days(text, place, key):
                yield day, "", times


def _read_years(key: str) -> range:
    """One year (`2026`) or a range of them (`2026..2030`). Raises BadRequestData."""
    match = _YEARS.fullmatch(key)
    if match is None:
        raise BadRequestData(f"years is invalid: {key!r} is no year and no range of years (2026..2030)")
    span = range(int(match[1]), int(match[2] or match[1]) + 1)
    if not span or span[0] < _FIRST_YEAR or span[-1] > _LAST_YEAR:
        raise BadRequestData(
            f"years is invalid: {key!r} is empty or not within {_FIRST_YEAR} to {_LAST_YEAR}"
        )
    return span
