"""What a statement's conditions are made of: parts that say all, some or nothing of what is asked."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from cityloom.query.values import MEMBERS

MOST_TERMS: Final = 100
"""Expressions with more terms than this in one node are left to `evaluate`: SQLite bounds their depth."""


_NUMBERS: Final = (int, float)
_EXACT: Final = 2**53


class Part(NamedTuple):
    """A condition, or None where nothing can be said; `exact` when it says all."""

    sql: str | None
    exact: bool


NOTHING: Final = Part(None, False)


def is_plain_key(name: str) -> bool:
    """Whether a JSON path can quote the name, and JSON writes it without escapes."""
    return name not in MEMBERS and not any(char in '"\\' or char < " " for char in name)


def is_number(value: Any) -> bool:
    """A number that SQLite holds exactly as Python does."""
    return type(value) in _NUMBERS and -_EXACT < value < _EXACT


def all_of(parts: list[Part]) -> Part:
    """Leaving a condition out of a conjunction only lets more through."""
    known = [part.sql for part in parts if part.sql is not None]
    if not known or len(known) > MOST_TERMS:
        return NOTHING
    return Part(f"({' AND '.join(known)})", all(part.exact for part in parts))


def any_of(parts: list[Part]) -> Part:
    """Where one alternative cannot be said, nothing can."""
    known = [part.sql for part in parts if part.sql is not None]
    if len(known) < len(parts) or len(known) > MOST_TERMS:
        return NOTHING
    return Part(f"({' OR '.join(known)})", all(part.exact for part in parts))
