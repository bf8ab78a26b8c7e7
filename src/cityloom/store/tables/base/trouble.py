"""A store that cannot be written: who says so, once, and when it is over.

A disk that is full or failing, a database that is away: the writer finds that out
when a commit fails. From then on the store is read-only: writes are refused at once,
with the reason, and the writer tries a small commit of its own from time to time.
When that succeeds, writes are taken again. The log tells of the two ends alone.
"""

from __future__ import annotations

import time
from typing import Final

import structlog

from cityloom.model.errors import StoreFailed

TRY_SECONDS: Final = 0.5
"""How soon the writer looks whether it is over."""

_log = structlog.get_logger("store")


class Trouble:
    """What keeps a store from being written, if anything does.

    Args:
        name: the store's, for the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._failure: StoreFailed | None = None
        self.error: Exception | None = None
        """What the database said last."""
        self._since = 0.0
        self._refused = 0

    def __bool__(self) -> bool:
        return self._failure is not None

    @property
    def reason(self) -> str:
        """Why nothing can be written; "" when it can."""
        failure = self._failure
        return "" if failure is None else failure.detail

    def refusal(self) -> StoreFailed:
        """What to tell who would write meanwhile; an error of its own for each."""
        failure = self._failure
        assert failure is not None
        self._refused += 1
        return type(failure)(failure.detail)

    def begin(self, failure: StoreFailed, error: Exception) -> None:
        """A commit failed, for the reason `error` of the database."""
        if self._failure is None:
            self._since = time.monotonic()
            self._refused = 0
            _log.error("the store cannot be written", store=self._name, reason=failure.detail)
        self._failure, self.error = failure, error

    def end(self) -> None:
        """A commit succeeded."""
        if self._failure is None:
            return
        self._failure = self.error = None
        seconds = round(time.monotonic() - self._since, 1)
        _log.warning(
            "the store can be written again", store=self._name, seconds=seconds, refused=self._refused
        )
