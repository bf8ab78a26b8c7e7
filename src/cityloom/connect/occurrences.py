"""Which instant a stamp is, and the how-manieth time it occurs: what tells the instances of a series.

Real sources repeat themselves: a day delivered twice, a sensor that reports
twice in one second. Every such row is kept; those after the first carry an
occurrence above 0, so that aggregates can leave them out. The autumn hour is
no repeat: its second occurrence is another instant.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable

from cityloom.connect.times import Stamp


class _Seen:
    """The stamps of one entity: 8 bytes each as long as they come in order."""

    __slots__ = ("ordered", "others", "repeats")

    def __init__(self) -> None:
        self.ordered = array("q")
        self.others: set[int] = set()
        self.repeats: dict[int, int] = {}

    def count(self, micros: int) -> int:
        """How often `micros` was counted before."""
        ordered = self.ordered
        if not ordered or micros > ordered[-1]:
            ordered.append(micros)
            return 0
        index = bisect_left(ordered, micros)
        if ordered[index] == micros or micros in self.others:
            again = self.repeats.get(micros, 0) + 1
            self.repeats[micros] = again
            return again
        self.others.add(micros)
        return 0


class Occurrences:
    """Resolves the stamps of one run.

    Args:
        now: for a feed, the time in microseconds: of two readings of an hour
            that occurs twice the one nearer to it is meant. None for files,
            where the first occurrence is the first reading.
    """

    def __init__(self, now: Callable[[], int] | None) -> None:
        self._now = now
        self._seen: dict[str, _Seen] = {}
        self._twice: dict[tuple[str, int], int] = {}

    def of(self, entity_id: str, stamp: Stamp, series: bool) -> tuple[int, int]:
        """(microseconds, occurrence) of an entity's stamp; the occurrence is counted only for a series."""
        micros = stamp.micros
        if stamp.second is not None:
            micros = self._meant(entity_id, stamp.micros, stamp.second)
        if not series:
            return micros, 0
        seen = self._seen.get(entity_id)
        if seen is None:
            seen = self._seen[entity_id] = _Seen()
        return micros, seen.count(micros)

    def _meant(self, entity_id: str, first: int, second: int) -> int:
        if self._now is not None:
            now = self._now()
            return min(first, second, key=lambda reading: abs(now - reading))
        earlier = self._twice.get((entity_id, first), 0)
        self._twice[(entity_id, first)] = earlier + 1
        return second if earlier else first
