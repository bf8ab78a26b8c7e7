"""The thirty days of the sample city, on its local clock.

The city keeps UTC+8 all year (`Asia/Shanghai`), so no local hour occurs twice.
Moments are whole seconds since 1970 (UTC) in int64 arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Shapes = npt.NDArray[np.object_]

DAYS = 30
DAY = 86_400
HOUR = 3_600
TIME_ZONE = "Asia/Shanghai"
OFFSET = 8 * HOUR
DEFAULT_END = "2025-06-30T17:30:00+08:00"
"""A Monday in the evening rush: buses on the road, sensors busy."""


@dataclass(frozen=True, slots=True)
class Period:
    """The span of the history: `start < stamp <= end`, both whole minutes."""

    start: int
    end: int

    @property
    def first_day(self) -> int:
        """The number of the first local day since 1970-01-01."""
        return (self.start + OFFSET) // DAY

    @property
    def days(self) -> int:
        """How many local days the period touches."""
        return self.last_day - self.first_day + 1

    @property
    def last_day(self) -> int:
        return (self.end + OFFSET) // DAY

    def midnight(self, day: int) -> int:
        """The moment at which local day `day` (counted from the first one) begins."""
        return (self.first_day + day) * DAY - OFFSET

    def stamps(self, step: int, phase: int = 0) -> Ints:
        """All multiples of `step` seconds plus `phase` on the local clock within the period."""
        zero = OFFSET - phase
        first = (self.start + zero) // step + 1
        last = (self.end + zero) // step
        return np.arange(first, last + 1, dtype=np.int64) * step - zero

    def slices(self, days: int) -> Iterator[Period]:
        """The period cut at local midnights into pieces of `days` days."""
        start = self.start
        while start < self.end:
            cut = ((start + 1 + OFFSET) // DAY + days) * DAY - OFFSET - 1
            yield Period(start, min(cut, self.end))
            start = cut


def period_until(end: str) -> Period:
    """The thirty days before `end`.

    Args:
        end: an ISO 8601 instant with a zone; seconds are cut off.

    Raises:
        BadRequestData: `end` is no instant, or lies outside the years 2000 to 2100.
    """
    seconds = parse_datetime(end, "end") // 60_000_000 * 60
    if not 2000 <= datetime.fromtimestamp(seconds, UTC).year <= 2100:
        raise BadRequestData(f"end is invalid: {end!r} lies outside the years 2000 to 2100")
    return Period(seconds - DAYS * DAY, seconds)


def local_hour(stamps: Ints) -> Floats:
    """Hours since local midnight, 0 to 24."""
    return ((stamps + OFFSET) % DAY) / HOUR


def weekend(stamps: Ints) -> Bools:
    """Whether each stamp falls on a local Saturday or Sunday."""
    return ((stamps + OFFSET) // DAY + 3) % 7 >= 5


def utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def iso(seconds: int) -> str:
    """Writes a moment as ISO 8601 in UTC."""
    return utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_date(seconds: int) -> str:
    """The local calendar day of a moment, `YYYY-MM-DD`."""
    return utc(seconds + OFFSET).strftime("%Y-%m-%d")
