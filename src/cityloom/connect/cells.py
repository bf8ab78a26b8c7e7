"""One cell of a row becomes one value: numbers, truth, times, translated words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cityloom.connect.mapping import AttributePart
from cityloom.connect.rejects import RowRejected
from cityloom.connect.template import plain_text
from cityloom.connect.times import Stamps, iso

Row = Mapping[str, Any]
Maker = Callable[[Row], Any]
"""Gives the value of an attribute for a row, or None when its cell is empty."""

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "on"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "off"), False),
}


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing: null, blank text, NaN."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    return isinstance(value, float) and math.isnan(value)


def number(value: Any, field: str) -> int | float:
    """A number from a cell: whole when it is written so.

    Raises:
        RowRejected: it is none, or is infinite.
    """
    if isinstance(value, str):
        text = value.strip()
        if _INTEGER.fullmatch(text):
            return int(text)
        try:
            value = float(text)
        except ValueError:
            raise RowRejected("not a number", field, f"{field} is invalid: {text!r} is no number") from None
    elif isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise RowRejected("not a number", field, f"{field} is invalid: {value!r} is no number")
    return value


def boolean(value: Any, field: str) -> bool:
    """Truth from a cell: true/false, yes/no, 1/0, on/off.

    Raises:
        RowRejected: it is none of these.
    """
    if isinstance(value, bool):
        return value
    found = _WORDS.get(plain_text(value).lower())
    if found is None:
        raise RowRejected(
            "not true or false", field, f"{field} is invalid: {value!r} is neither true nor false"
        )
    return found


def plain(value: Any, field: str) -> Any:
    """A cell as a JSON value: text without blanks around it, times as ISO 8601."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise RowRejected("not a number", field, f"{field} is invalid: {value!r} is no number")
        return value
    if isinstance(value, (bool, int, list, dict)):
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return str(value)


def cell_maker(part: AttributePart, stamps: Stamps, empty: list[Any]) -> Maker:
    """How the value of an attribute with `from` is made.

    Args:
        part: the attribute's part of the mapping.
        stamps: how times of this source are read.
        empty: what else counts as an empty cell, from the mapping.
    """
    column = part.from_ or ""
    nothing = frozenset(plain_text(value) for value in (*empty, *part.empty))
    shape = _shape(part, column, stamps)
    words = part.map

    if shape is None and not nothing and words is None:
        return _plain_maker(column)

    def make(row: Row) -> Any:
        value = row.get(column)
        if value is None or is_empty(value):
            return None
        if nothing and plain_text(value) in nothing:
            return None
        if words is not None:
            key = plain_text(value)
            if key in words:
                value = words[key]
                if value is None:
                    return None
        return plain(value, column) if shape is None else shape(value)

    return make


def _plain_maker(column: str) -> Maker:
    """The commonest cell, a text taken as it is, by the shortest way."""

    def make(row: Row) -> Any:
        value = row.get(column)
        if type(value) is str:
            return value.strip() or None
        return None if value is None or is_empty(value) else plain(value, column)

    return make


def _shape(part: AttributePart, column: str, stamps: Stamps) -> Callable[[Any], Any] | None:
    """What makes a value of a cell that is not empty; None where it is taken as it is."""
    if part.number:
        scale, offset = part.scale, part.offset
        if scale is None and offset is None:
            return lambda value: number(value, column)
        return lambda value: linear(number(value, column), scale, offset)
    if part.boolean:
        return lambda value: boolean(value, column)
    if part.datetime:
        return lambda value: iso(stamps.read(value, column).micros)
    if part.date:
        days = Stamps("UTC", part.date if isinstance(part.date, str) else "")
        return lambda value: iso(days.read(value, column).micros)[:10]
    if part.split is not None:
        separator = part.split
        return lambda value: (
            [text for piece in plain_text(value).split(separator) if (text := piece.strip())] or None
        )
    return None


def linear(value: float, scale: float | None, offset: float | None) -> float:
    """`value * scale + offset`, without the dust of binary fractions (0.03 in = 0.762 mm)."""
    result = value * (1 if scale is None else scale) + (offset or 0)
    return float(f"{result:.12g}")
