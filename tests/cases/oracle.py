"""The oracle of the clocks: it counts minutes, one by one. It shares no code with what it checks.

A city's time is an array with one place for each minute (UTC): is it work time? Local time
comes from another implementation of the time zones (Polars', compiled in). A clock is
a second array: did it run in this minute? Everything else is counting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

Minutes = list[tuple[int, int]]


@dataclass(frozen=True)
class Facts:
    """What is so of a city: minutes of the day at which work begins and ends, and odd days."""

    zone: str
    year: int
    week: tuple[Minutes, ...]
    holidays: frozenset[date]
    makeup: dict[date, int]
    work_day: int


class CityTime:
    """The local time of each minute of two years (and a few days around them)."""

    def __init__(self, zone: str, year: int) -> None:
        self.first = datetime(year - 1, 12, 28)
        until = datetime(year + 2, 1, 5)
        clock = pl.datetime_range(self.first, until, "1m", time_zone="UTC", eager=True)
        local = clock.dt.convert_time_zone(zone).dt.replace_time_zone(None)
        origin = date(year - 1, 12, 25)
        self.origin = origin
        days = local.dt.date().to_physical().to_numpy().astype(np.int64)
        self.day = days - (origin - date(1970, 1, 1)).days
        self.minute = local.dt.hour().to_numpy().astype(np.int64) * 60 + local.dt.minute().to_numpy().astype(
            np.int64
        )

        walked = np.diff(self.day * 1440 + self.minute)
        self.turns: list[int] = (np.flatnonzero(walked != 1) + 1).tolist()
        """Where the local time jumps."""

    def index(self, moment: datetime) -> int:
        """The place of a moment (UTC, naive)."""
        return (moment - self.first) // timedelta(minutes=1)

    def moment(self, index: int) -> datetime:
        return self.first + timedelta(minutes=index)

    def working(self, facts: Facts) -> NDArray[np.bool_]:
        """For each minute, whether it is work time."""
        table = np.zeros((int(self.day.max()) + 1, 1440), dtype=bool)
        for number in range(len(table)):
            day = self.origin + timedelta(days=number)
            weekday = facts.makeup.get(day, day.weekday())
            if day in facts.holidays:
                continue
            for begins, ends in facts.week[weekday]:
                table[number, begins:ends] = True
        return table[self.day, self.minute]


@dataclass
class CountedClock:
    """A clock that was told, minute for minute, whether it ran."""

    continuous: bool
    limits: list[tuple[int, int]]
    """(minutes, work days): what was granted, the second in days of the city's length."""
    began: int
    now: int = 0
    seen: int = 0
    """The last minute at which it ran."""
    runs: bool = True
    ended: bool = False
    ran: list[NDArray[np.bool_]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = self.seen = self.began

    def till(self, minute: int) -> None:
        self.ran.append(np.full(minute - self.now, self.runs and not self.ended, dtype=bool))
        self.now = minute
        if self.runs and not self.ended:
            self.seen = minute

    def limit(self, facts: Facts) -> int:
        return sum(minutes + days * facts.work_day for minutes, days in self.limits)

    def look(self, facts: Facts, working: NDArray[np.bool_]) -> tuple[int, int | None, int | None, str]:
        """(minutes used, minute of the deadline, minute of amber, light), by counting from the beginning."""
        limit = self.limit(facts)
        past = np.concatenate([np.zeros(0, dtype=bool), *self.ran])
        work = np.ones(len(past), dtype=bool) if self.continuous else working[self.began : self.now]
        used = int(np.count_nonzero(past & work))
        # From when on it is supposed to run, for the deadline: one that ended while it ran, from its end.
        halted = self.seen if self.ended else self.now
        reach = 4 * 1440
        while True:
            end = min(self.now + reach, len(working))
            on = np.zeros(end - self.began, dtype=bool)
            on[: len(past)] = past
            if self.runs:
                on[halted - self.began :] = True
            if not self.continuous:
                on &= working[self.began : end]
            count = np.cumsum(on)
            if not self.runs or end == len(working) or count[-1] >= limit:
                break
            reach *= 4
        deadline, warned = self._when(count, limit), self._when(count * 5, limit * 4)
        return used, deadline, warned, self._light(self.seen, deadline, warned)

    def _when(self, count: NDArray[np.int64], goal: int) -> int | None:
        found = int(np.searchsorted(count, goal))
        return None if found == len(count) else self.began + found + 1

    @staticmethod
    def _light(shown: int, deadline: int | None, warned: int | None) -> str:
        if deadline is not None and shown > deadline:
            return "red"
        return "amber" if warned is not None and shown > warned else "green"
