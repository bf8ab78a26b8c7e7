"""What grows old: history that moves to the cold tables, and what becomes of these.

`Ageing.run_once` does what is due, on the thread that calls it; `app` calls it
from time to time. It acts for the city, not for a party, so it asks no one.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.model.time import parse_duration, time_before
from cityloom.store.history_ports import ColdHistory

_DAY: Final = 86_400_000_000
FILES: Final = 8
"""Files of one month beyond which they are written anew as one: late instances come in files of their own."""


class Aged(Struct, frozen=True):
    """What one round did."""

    moved: int = 0
    """Instances."""
    compacted: int = 0
    """Months of the tables."""
    removed: int = 0
    """Files."""


class Ageing:
    """Moves what is older than an age.

    Args:
        cold: what moves it; None: this store moves nothing.
        after: the age (ISO 8601 duration); "" is never.
        keep_hours: how long files that are read no more stay.

    Raises:
        ConfigurationError: `after` is no duration.
    """

    def __init__(self, cold: ColdHistory | None, clock: Clock, after: str, keep_hours: int) -> None:
        self._cold = cold
        self._clock = clock
        self._keep_hours = keep_hours
        self._tidied: int | None = None
        self._after: tuple[int, int] | None = None
        if after:
            try:
                self._after = parse_duration(after, "coldAfter")
            except BadRequestData as error:
                raise ConfigurationError(error.detail) from None

    @property
    def before(self) -> int | None:
        """What is older than this (µs) moves: whole days, so that a day is one file; None: nothing."""
        if self._after is None:
            return None
        return time_before(self._clock.now(), self._after) // _DAY * _DAY

    def run_once(self) -> Aged:
        """Moves what is due, and once a day puts the tables in order."""
        before = self.before
        if before is None or self._cold is None:
            return Aged()
        moved = self._cold.move(before)
        if before == self._tidied:
            return Aged(moved)
        compacted = self._cold.compact(FILES)
        removed = self._cold.vacuum(self._keep_hours)
        self._tidied = before
        return Aged(moved, compacted, removed)
