"""The end of the log, in memory: who follows it closely need not read what this process has just written."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from cityloom.model.events import Event

TAIL_BYTES: Final = 2 * 1024 * 1024
"""About how many bytes of events are kept, as they are stored."""
Told = tuple[Event, int]
"""An event, and how many bytes it is stored as."""


class Tail:
    """The latest events that were committed, without a gap between them; shared by the sessions of a store.

    Args:
        most: bytes of events that are kept.
    """

    def __init__(self, most: int = TAIL_BYTES) -> None:
        self._most = most
        self._told: list[Told] = []
        self._bytes = 0
        self._lock = threading.Lock()

    def extend(self, told: Sequence[Told]) -> None:
        """Adds events that were committed; what came from elsewhere before them makes it begin anew."""
        if not told:
            return
        with self._lock:
            if self._told and self._told[-1][0].seq + 1 != told[0][0].seq:
                self._clear()
            self._told.extend(told)
            self._bytes += sum(size for _, size in told)
            gone = 0
            while self._bytes > self._most:
                self._bytes -= self._told[gone][1]
                gone += 1
            del self._told[:gone]

    def clear(self) -> None:
        """Forgets them: events were deleted."""
        with self._lock:
            self._clear()

    def after(self, seq: int, last: int) -> list[Event] | None:
        """The events from the one after `seq` to `last`; None where they are not all here."""
        with self._lock:
            if not self._told:
                return None
            first, end = self._told[0][0].seq, self._told[-1][0].seq
            if seq + 1 < first or last > end:
                return None
            return [event for event, _ in self._told[seq + 1 - first : last + 1 - first]]

    def _clear(self) -> None:
        self._told.clear()
        self._bytes = 0
