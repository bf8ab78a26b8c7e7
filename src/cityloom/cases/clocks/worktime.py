"""From local working hours to instants: the stretches of time in which a city works.

An instant is work time when the wall clock of the city stands within the working hours
of its day. So an hour that the clocks skip in spring is no work time, and one that they
show twice in autumn counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1)
_SECOND: Final = 1_000_000
MINUTE: Final = 60 * _SECOND
DAY: Final = 86_400 * _SECOND
_WIDEST: Final = 86_400
"""No zone is a day or more away from UTC: seconds."""

Hours = tuple[tuple[int, int], ...]
"""Working hours of one day: (from, until) in minutes since midnight, in order, apart from each other."""


class Stretches(NamedTuple):
    """Work time as instants in microseconds since 1970 (UTC).

    `since` and `until` bound what is known; stretch `i` is `starts[i]` to `ends[i]`
    (not included), and `before[i]` is the work time from `since` to its start.
    """

    since: int
    until: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    before: tuple[int, ...]


class _Piece(NamedTuple):
    """Time in which the zone keeps one offset from UTC, microseconds."""

    since: int
    until: int
    offset: int


def stretches(hours: Mapping[date, Hours], first: date, last: date, zone: ZoneInfo) -> Stretches:
    """The work time from the first local midnight of `first` to the end of `last`.

    Args:
        hours: working hours by local day; a day that is not there has none.

    Cost: about a microsecond for each day and stretch; done once for a calendar.
    """
    opens, closes = _midnight(first), _midnight(last) + DAY
    pieces = list(_pieces(zone, opens, closes))
    known = [
        (max(piece.since, opens - piece.offset), min(piece.until, closes - piece.offset)) for piece in pieces
    ]
    known = [(since, until) for since, until in known if since < until]
    found: list[list[int]] = []
    for piece in pieces:
        for start, end in _of_piece(piece, hours):
            if found and found[-1][1] == start:
                found[-1][1] = end
            else:
                found.append([start, end])
    return Stretches(
        since=known[0][0],
        until=known[-1][1],
        starts=tuple(start for start, _ in found),
        ends=tuple(end for _, end in found),
        before=_sums([end - start for start, end in found]),
    )


def _of_piece(piece: _Piece, hours: Mapping[date, Hours]) -> Iterator[tuple[int, int]]:
    """The work time within one piece, in order."""
    day = (piece.since + piece.offset) // DAY
    while day * DAY - piece.offset < piece.until:
        for begins, ends in hours.get(_EPOCH_DAY + timedelta(days=day), ()):
            start = max(day * DAY + begins * MINUTE - piece.offset, piece.since)
            end = min(day * DAY + ends * MINUTE - piece.offset, piece.until)
            if start < end:
                yield start, end
        day += 1


def _pieces(zone: ZoneInfo, opens: int, closes: int) -> Iterator[_Piece]:
    """The pieces of constant offset that cover the local times from `opens` to `closes`."""
    since = opens // _SECOND - _WIDEST
    last = closes // _SECOND + _WIDEST
    at, offset = since, _offset(zone, since)
    while at < last:
        following = min(at + 86_400, last)
        if _offset(zone, following) != offset:
            change = _change(zone, at, following)
            yield _Piece(since * _SECOND, change * _SECOND, offset * _SECOND)
            since, offset, following = change, _offset(zone, change), change
        at = following
    yield _Piece(since * _SECOND, last * _SECOND, offset * _SECOND)


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second after `low` at which the offset is another one; it is by `high`."""
    offset = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
    return high


def _offset(zone: ZoneInfo, second: int) -> int:
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset() or timedelta(0)
    return offset.days * 86_400 + offset.seconds


def _midnight(day: date) -> int:
    return (day - _EPOCH_DAY).days * DAY


def _sums(lengths: Sequence[int]) -> tuple[int, ...]:
    sums, total = [], 0
    for length in lengths:
        sums.append(total)
        total += length
    return tuple(sums)
