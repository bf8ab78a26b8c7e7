"""Times on the wire (ISO 8601, UTC) and in the store (microseconds since 1970, UTC).

Source: ETSI GS CIM 009 clause 4.6.3: DateTime in Universal Time, with trailing
"Z", a comma or a point before fractional seconds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cityloom.model.errors import BadRequestData

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DATE_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+-])(\d\d):?(\d\d))"
)
_DURATION = re.compile(
    r"P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)


def parse_datetime(text: str, place: str = "value") -> int:
    """Reads an ISO 8601 date-time with a zone as microseconds since 1970 (UTC).

    Args:
        text: for example `2026-05-01T12:00:00.25Z` or with an offset, `+08:00`.
        place: the name of the field, for the error.

    Raises:
        BadRequestData: `text` is no date-time, or names no zone.
    """
    match = _DATE_TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise BadRequestData(f"{place} is invalid: {text!r} is no ISO 8601 date-time in UTC")
    year, month, day, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC
        )
    except ValueError as error:
        raise BadRequestData(f"{place} is invalid: {text!r}: {error}") from None
    micros = (moment - _EPOCH) // _MICROSECOND
    if fraction:
        micros += int(fraction[:6].ljust(6, "0"))
    if sign:
        offset = (int(off_hours) * 60 + int(off_minutes)) * 60_000_000
        micros += -offset if sign == "+" else offset
    return micros


@lru_cache(maxsize=1024)
def format_datetime(micros: int) -> str:
    """Writes microseconds since 1970 as ISO 8601 in UTC, the fraction only as long as it must be.

    The latest are remembered: what is written at once has one time.
    """
    seconds, fraction = divmod(micros, 1_000_000)
    text = _whole_seconds(seconds)
    return f"{text}.{fraction:06}".rstrip("0") + "Z" if fraction else text + "Z"


@lru_cache(maxsize=1024)
def _whole_seconds(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:-6]


def parse_duration(text: str, place: str = "value") -> tuple[int, int]:
    """Reads an ISO 8601 duration as (calendar months, microseconds).

    Months and years have no fixed length, so they are kept apart; weeks, days
    and what is shorter are microseconds.

    Raises:
        BadRequestData: `text` is no duration.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or text in ("P", "PT") or text.endswith("T"):
        raise BadRequestData(f"{place} is invalid: {text!r} is no ISO 8601 duration")
    years, months, weeks, days, hours, minutes, seconds = (float(group or 0) for group in match.groups())
    whole = ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
    return round(years * 12 + months), round(whole * 1_000_000)


def time_before(now: int, duration: tuple[int, int]) -> int:
    """The time `duration` (calendar months, microseconds) before `now`."""
    months, micros = duration
    if months:
        moment = _EPOCH + timedelta(microseconds=now)
        year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
        for day in (moment.day, 30, 29, 28):
            try:
                now = (moment.replace(year=year, month=month + 1, day=day) - _EPOCH) // _MICROSECOND
                break
            except ValueError:
                continue
    return now - micros
