"""When a rule looks: always, between two times of the day, or at night.

Night is when the sun's upper edge is below the horizon. The sun's place is reckoned by the
low-precision formulas of the Astronomical Almanac (good to a hundredth of a degree from 1950
to 2050; half a minute of sunset up to 60 degrees of latitude), with the refraction that almanacs
use for the horizon.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Final

from cityloom.model.errors import BadRequestData

Active = Callable[[int], bool]
"""Whether the rule looks at an instant (microseconds since 1970)."""

_HORIZON: Final = -0.833
"""Degrees of the sun's centre below the horizon when its upper edge sets: half its width and refraction."""
_J2000: Final = 946_728_000_000_000
"""2000-01-01T12:00:00Z, in microseconds since 1970."""
_DAY: Final = 86_400_000_000
_STEP: Final = 600_000_000
_FARTHEST: Final = 400 * _DAY
"""How far ahead a window is looked for: the polar day is shorter."""
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_SHORTEST: Final = 15


def sun_elevation(at: int, lon: float, lat: float) -> float:
    """How high the sun's centre stands, without refraction, in degrees.

    Source: The Astronomical Almanac, low-precision formulas for the sun's coordinates.

    Args:
        at: microseconds since 1970 (UTC).
        lon, lat: CRS84 degrees.
    """
    days = (at - _J2000) / _DAY
    mean = math.radians((280.460 + 0.985_647_4 * days) % 360)
    anomaly = math.radians((357.528 + 0.985_600_3 * days) % 360)
    longitude = mean + math.radians(1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 0.000_000_4 * days)
    ascension = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
    declination = math.asin(math.sin(tilt) * math.sin(longitude))
    sidereal = math.radians((280.460_618_37 + 360.985_647_366_29 * days + lon) % 360)
    hour_angle = sidereal - ascension
    here = math.radians(lat)
    high = math.sin(here) * math.sin(declination) + math.cos(here) * math.cos(declination) * math.cos(
        hour_angle
    )
    return math.degrees(math.asin(max(-1.0, min(1.0, high))))


def check_during(text: str, place: str) -> None:
    """Raises BadRequestData: it is neither "", `night` nor `HH:MM-HH:MM` of a quarter of an hour or more."""
    if text in ("", "night"):
        return
    match = _HOURS.fullmatch(text)
    if match is None:
        raise BadRequestData(
            f"{place} is invalid: {text!r} is neither night nor a time of the day (22:00-06:00)"
        )
    since, until = _minutes(text)
    if (until - since) % 1440 < _SHORTEST:
        raise BadRequestData(f"{place} is invalid: {text!r} is shorter than {_SHORTEST} minutes")


def longest(text: str) -> int | None:
    """The longest that something can last while a rule looks that says `text`, µs; None: without end."""
    if not text:
        return None
    if text == "night":
        return _DAY // 2
    since, until = _minutes(text)
    return (until - since) % 1440 * 60_000_000


def active_during(text: str, zone: tzinfo, lon: float, lat: float) -> Active | None:
    """When a rule looks that says `text` (see `check_during`), at a place; None is always."""
    if not text:
        return None
    if text == "night":
        return lambda at: sun_elevation(at, lon, lat) < _HORIZON
    since, until = _minutes(text)

    def within(at: int) -> bool:
        local = datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(zone)
        return (local.hour * 60 + local.minute - since) % 1440 < (until - since) % 1440

    return within


def lasted(active: Active | None, since: int, wait: int) -> int | None:
    """The first instant at which something that began at `since` has lasted `wait` while it was looked at.

    It must last in one go: what was looked at before a pause does not count.

    Returns:
        microseconds since 1970; None when there is no such instant within 400 days.
    """
    if active is None:
        return since + wait
    start = since if active(since) else _edge(active, since)
    while start is not None:
        end = _edge(active, start)
        if end is None or start + wait < end:
            return start + wait
        start = _edge(active, end)
        if start is not None and start - since > _FARTHEST:
            return None
    return None


def _edge(active: Active, at: int) -> int | None:
    """The first instant after `at` at which it is other than at `at`."""
    now = active(at)
    low = at
    while low - at <= _FARTHEST:
        high = low + _STEP
        if active(high) != now:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if active(middle) != now else (middle, high)
            return high
        low = high
    return None


def _minutes(text: str) -> tuple[int, int]:
    since, _, until = text.partition("-")
    return _minute(since), _minute(until)


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
