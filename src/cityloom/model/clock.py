"""Time only through `Clock`, so that a replay, a test and a drill run on simulated time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where every "now" of the house comes from."""

    def now(self) -> int:
        """The time as microseconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """The machine's UTC time in microseconds."""
        return time.time_ns() // 1000


class SimulatedClock:
    """A clock that stands until it is moved: for tests, replays and drills.

    `speed` is how many seconds of it whoever moves it lets pass in one; 0 while it stands.
    """

    def __init__(self, start: int) -> None:
        self._now = start
        self.speed = 0.0

    def now(self) -> int:
        """The simulated time in microseconds."""
        return self._now

    def set(self, now: int) -> None:
        """Moves the clock to `now` (microseconds)."""
        self._now = now

    def advance(self, seconds: float) -> None:
        """Moves the clock on by `seconds`."""
        self._now += round(seconds * 1_000_000)
