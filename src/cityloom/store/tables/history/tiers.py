"""Both tiers as one: an instance is in the hot tier or in the cold tables, never in both."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from itertools import chain

from cityloom.store.history_ports import Numbers, Window
from cityloom.store.tables.base.session import Session
from cityloom.store.tables.history.codec import Key, Row
from cityloom.store.tables.history.cold import ColdTier
from cityloom.store.tables.history.hot import HotTier, is_among, is_compound


class Tiers:
    """The instances of the city, wherever they are."""

    def __init__(self, session: Session) -> None:
        self.hot = HotTier(session)
        self.cold = ColdTier(session)

    def names(self, incarnation: int, before: int | None = None) -> list[int]:
        """The attributes that an incarnation has instances of (older than `before`)."""
        hot, cold = self.hot.names(incarnation, before), self.cold.names(incarnation, before)
        return sorted({*hot, *cold}) if cold else hot

    def has_any(self, incarnation: int) -> bool:
        """Whether there is an instance."""
        return self.hot.has_any(incarnation) or bool(self.cold.names(incarnation))

    def has(self, incarnation: int, name: int) -> bool:
        """Whether there is an instance of an attribute."""
        return self.hot.has(incarnation, name) or self.cold.bounds(incarnation, name) is not None

    def rows(
        self,
        incarnation: int,
        name: int,
        *,
        start: int | None = None,
        end: int | None = None,
        numbers: Numbers | None = None,
        latest_first: bool = False,
        few: bool = False,
    ) -> Iterator[Row]:
        """Rows of one attribute with start <= time < end, in order of time.

        Args:
            few: hardly any will be taken.

        Cost: what is read of it; the cold tables only when the rows taken reach into them.
        """
        hot = self.hot.rows(
            incarnation, name, start=start, end=end, numbers=numbers, latest_first=latest_first
        )
        bounds = self.cold.bounds(incarnation, name)
        if bounds is None or not bounds.meet(start, end):
            return hot
        cold = self.cold.rows(incarnation, name, start=start, end=end, latest_first=latest_first, few=few)
        if numbers is not None:
            cold = (row for row in cold if is_compound(row.value) or is_among(row.value, numbers))
        return _merged(hot, cold, bounds.last if latest_first else None)

    def counts(self, incarnation: int, name: int, window: Window) -> list[tuple[int, int, int]]:
        """(dataset, shape, how many) of the rows of one attribute with start <= time < end; some twice."""
        return [
            *self.hot.counts(incarnation, name, window),
            *self.cold.counts(incarnation, name, window.start, window.end),
        ]

    def number_counts(
        self, incarnation: int, name: int, window: Window, numbers: Numbers
    ) -> list[tuple[int, int, int, int]]:
        """(dataset, shape, how many are among the numbers, how many are compound) of a window; some twice."""
        found = self.hot.number_counts(incarnation, name, window, numbers)
        for row in self.cold.rows(incarnation, name, start=window.start, end=window.end):
            among, compound = is_among(row.value, numbers), is_compound(row.value)
            if among or compound:
                found.append((row.dataset, row.shape, int(among), int(compound)))
        return found

    def at(self, incarnation: int, name: int, times: Collection[int]) -> Iterator[Row]:
        """The rows of one attribute at some times. Cost: of the cold tables, what lies between them."""
        for time in times:
            yield from self.hot.at(incarnation, name, time)
        bounds = self.cold.bounds(incarnation, name)
        if bounds is not None:
            within = [time for time in times if bounds.first <= time <= bounds.last]
            if within:
                rows = self.cold.rows(incarnation, name, start=min(within), end=max(within) + 1)
                yield from (row for row in rows if row.time in times)

    def row(self, incarnation: int, name: int, key: Key) -> Row | None:
        """One row by its whole key."""
        found = self.hot.row(incarnation, name, key)
        if found is not None:
            return found
        cold = self.cold.rows(incarnation, name, start=key.time, end=key.time + 1)
        return next((row for row in cold if row[2:6] == key), None)


def _merged(hot: Iterator[Row], cold: Iterator[Row], latest: int | None) -> Iterator[Row]:
    """Both in order; with `latest` from the latest on, and without a look at `cold` before that time."""
    if latest is None:
        yield from heapq.merge(hot, cold, key=_place)
        return
    for row in hot:
        if row.time <= latest:
            hot = chain((row,), hot)
            break
        yield row
    yield from heapq.merge(hot, cold, key=_place, reverse=True)


def _place(row: Row) -> tuple[int, ...]:
    return row[2:6]
