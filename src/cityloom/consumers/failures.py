"""Something that is tried again and again: its failure is told once, not each time."""

from __future__ import annotations

from typing import Any, Final

import structlog

from cityloom.model.errors import CityloomError

_log = structlog.get_logger("consumers")
AGAIN_FIRST: Final = 0.1
AGAIN_LAST: Final = 2.0
"""Seconds between two tries: soon after a store can be used again, all that waited for it goes on."""


class Failures:
    """How one thing fared.

    Args:
        what: fails, for the log.
        fields: that tell which one.
    """

    def __init__(self, what: str, **fields: Any) -> None:
        self._what = what
        self._fields = fields
        self._reason = ""
        self._wait = AGAIN_FIRST

    def failed(self, error: Exception) -> float:
        """Tells why it failed, unless that was told before; returns the seconds to wait.

        What is the city's or a disk's fault is a sentence; a fault of ours comes with where it is.
        """
        ours = not isinstance(error, CityloomError)
        reason = repr(error) if ours else str(error)
        if reason != self._reason:
            tell = _log.exception if ours else _log.error
            tell(self._what, **self._fields, reason=reason)
        self._reason = reason
        wait, self._wait = self._wait, min(self._wait * 2, AGAIN_LAST)
        return wait

    def well(self) -> None:
        """It succeeded."""
        self._reason = ""
        self._wait = AGAIN_FIRST
