"""Stamps of sources: local time without an offset becomes UTC, and the two odd hours of a year are told.

In autumn one hour of local time occurs twice: the first occurrence in a
source is summer time, the second winter time (`Stamp.second`). In spring one
hour does not exist: a stamp in it is read with the offset from before the
change, as PEP 495 has it, and counted (`Stamp.gap`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cityloom.connect.rejects import RowRejected
from cityloom.model.time import format_datetime

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 naive on purpose: microseconds are counted on the naive UTC axis
_ZERO = timedelta(0)


class Stamp(NamedTuple):
    """An instant in microseconds (UTC); `second` is the later reading of an hour that occurs twice."""

    micros: int
    second: int | None = None
    gap: bool = False


def _since_epoch(naive: datetime) -> int:
    delta = naive - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


@lru_cache(maxsize=4096)
def _day(days: int) -> str:
    return format_datetime(days * 86_400_000_000)[:11]


def iso(micros: int) -> str:
    """The instant on the wire, as `format_datetime` writes it. Cost: a fifth of that, the day being kept."""
    seconds, fraction = divmod(micros, 1_000_000)
    if fraction:
        return format_datetime(micros)
    days, second = divmod(seconds, 86_400)
    minutes, second = divmod(second, 60)
    return f"{_day(days)}{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}Z"


class Stamps:
    """Reads the stamps of one source.

    Args:
        zone: an IANA name for stamps without an offset; "" refuses them.
        format: "" for ISO 8601, `epoch` (seconds), `epochMillis`, or a strptime format.
    """

    __slots__ = ("_format", "_zone")

    def __init__(self, zone: str, format: str = "") -> None:
        self._zone = ZoneInfo(zone) if zone else None
        self._format = format

    def read(self, value: Any, field: str) -> Stamp:
        """The instant of a cell that is not empty.

        Raises:
            RowRejected: it is no time, or has no offset where no zone is known.
        """
        moment = self._moment(value, field)
        tzinfo = moment.tzinfo
        try:
            if tzinfo is not None:
                return Stamp(_since_epoch(moment.astimezone(UTC).replace(tzinfo=None)))
            if self._zone is None:
                raise RowRejected(
                    "time without zone", field, f"{field} is invalid: {value!r} names no offset"
                )
            first = moment.replace(tzinfo=self._zone).utcoffset() or _ZERO
            second = moment.replace(tzinfo=self._zone, fold=1).utcoffset() or _ZERO
            naive = _since_epoch(moment)
        except OverflowError:
            raise RowRejected(
                "invalid time", field, f"{field} is invalid: {value!r} is out of range"
            ) from None
        micros = naive - first // _MICROSECOND
        if first == second:
            return Stamp(micros)
        if first > second:
            return Stamp(micros, second=naive - second // _MICROSECOND)
        return Stamp(micros, gap=True)

    def _moment(self, value: Any, field: str) -> datetime:
        try:
            if self._format and not isinstance(value, date):
                return self._formatted(value)
            if isinstance(value, str):
                return datetime.fromisoformat(value.strip())
            if isinstance(value, datetime):
                return value
            if isinstance(value, date):
                return datetime(value.year, value.month, value.day)  # noqa: DTZ001 its zone is the source's
        except (ValueError, OverflowError, OSError):
            pass
        raise RowRejected("invalid time", field, f"{field} is invalid: {value!r} is no time")

    def _formatted(self, value: Any) -> datetime:
        if self._format == "epoch":
            return datetime.fromtimestamp(float(value), UTC)
        if self._format == "epochMillis":
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=float(value))
        return datetime.strptime(str(value).strip(), self._format)  # noqa: DTZ007 its zone is the source's


_MICROSECOND = timedelta(microseconds=1)
