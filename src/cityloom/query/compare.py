"""How one value of an entity compares with one value of a query.

Source: ETSI GS CIM 009 clauses 4.6.3 (data types), 4.9 (operators).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final, Literal

from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime

TemporalKind = Literal["dateTime", "date", "time"]
Comparable = tuple[str, Any]
"""(data type, key): two values compare only when their data types are the same."""

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_TIME: Final = re.compile(r"(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,6}))?Z?")


def temporal(text: str) -> tuple[TemporalKind, int] | None:
    """Reads a DateTime (µs since 1970), a Date (day number) or a Time (µs of the day), else None.

    Source: clause 4.6.3. Quick to say no: most strings do not start with a digit.
    """
    if not (8 <= len(text) <= 40) or not text[0].isdigit():
        return None
    if "T" in text:
        try:
            return "dateTime", parse_datetime(text)
        except BadRequestData:
            return None
    if _DATE.fullmatch(text):
        try:
            return "date", date.fromisoformat(text).toordinal()
        except ValueError:
            return None
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(match[index]) for index in (1, 2, 3))
    if hours > 24 or minutes > 59 or seconds > 60:
        return None
    return "time", ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + int((match[4] or "").ljust(6, "0"))


def comparable(value: Any) -> Comparable | None:
    """The data type and the key by which `value` compares; None for what has no order.

    A typed value (`@value`) compares as what it holds. true and 1 are of different
    types; 1 and 1.0 are the same number; two DateTimes are equal when they are
    the same moment.
    """
    kind = type(value)
    if kind is float or kind is int:
        return "number", value
    if kind is bool:
        return "boolean", value
    if isinstance(value, str):
        return temporal(value) or ("string", value)
    if isinstance(value, dict) and "@value" in value and not isinstance(value["@value"], dict):
        return comparable(value["@value"])
    return None
