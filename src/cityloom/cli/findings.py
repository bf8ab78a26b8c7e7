"""What `doctor` finds."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at, and what to do about it."""

    state: Literal["ok", "warn", "fail"]
    what: str
    advice: str = ""
