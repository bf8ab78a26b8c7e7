"""What cannot become an entity, and why: nothing is dropped in silence."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Unreadable(Struct, frozen=True, kw_only=True):
    """A row that a reader could not read: bad quoting, wrong number of columns, broken UTF-8 or geometry."""

    reason: str
    detail: str
    raw: Any


class RowRejected(Exception):
    """This row becomes no entity.

    Args:
        reason: a few words, the same for all rows with this fault: they are counted by it.
        field: the column or attribute at fault.
        detail: one sentence about this very row.
    """

    def __init__(self, reason: str, field: str = "", detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.field = field
        self.detail = detail or reason


class Reject(Struct, frozen=True, kw_only=True):
    """One line of a reject file: the row's number (1 = first data row), what is wrong, the row as it came."""

    file: str
    row: int
    reason: str
    field: str
    detail: str
    raw: Any
