"""Reading series from history piece by piece: no more than is consumed.

Source: OGC 18-088 clause 8.2.7 (Observation); `store.ports.Window`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Final

from msgspec import Struct

from cityloom.broker.windows import time_of
from cityloom.maps.sensorthings.ids import SeriesKey
from cityloom.maps.sensorthings.rows import OBSERVABLE, Datastream, Observation, is_observed, location_of
from cityloom.model.entity import LOCATION, Entity
from cityloom.model.history import Instance
from cityloom.store.history_ports import HistoryReads, Numbers, Window

_LARGEST_PIECE: Final = 5_000
_FIRST_OF_MANY: Final = 4
_EVER: Final = 2**62
"""Beyond every time. A window with a bound leaves out what lacks `observedAt`."""


class Span(Struct, frozen=True):
    """Times in microseconds: `start` included, `end` excluded."""

    start: int = -_EVER
    end: int = _EVER


class Wish(Struct, frozen=True, kw_only=True):
    """Which observations are wanted, and in which order.

    `by_time` None is Datastream after Datastream; else all by time, True with the latest first.
    `numbers` leaves out what surely has another result.
    `at_first` is about how many will be consumed. `begin` (Datastream after Datastream only)
    is where to begin: a series, and a time in it.
    """

    span: Span = Span()
    numbers: Numbers | None = None
    begin: tuple[SeriesKey, int] | None = None
    by_time: bool | None = None
    at_first: int = 100


class SeriesReader:
    """Reads series of one tenant.

    Args:
        looked: is told how many instances were read; it raises when they are too many.
    """

    def __init__(self, reads: HistoryReads, tenant: str, looked: Callable[[int], None]) -> None:
        self._reads = reads
        self._tenant = tenant
        self._looked = looked

    def observations(self, datastreams: Iterator[Datastream], wish: Wish) -> Iterator[Observation]:
        """The observations of these Datastreams. Cost: what is consumed; by time, a seek for each of them."""
        latest_first = bool(wish.by_time)
        if wish.by_time is None:
            for datastream in datastreams:
                span = wish.span
                if wish.begin is not None and datastream.key <= wish.begin[0]:
                    if datastream.key < wish.begin[0]:
                        continue
                    span = Span(max(span.start, wish.begin[1]), span.end)
                yield from self.of(datastream, span, wish.at_first, numbers=wish.numbers)
            return
        known = list(datastreams)
        first = wish.at_first if len(known) == 1 else _FIRST_OF_MANY
        streams = [
            self.of(each, wish.span, first, numbers=wish.numbers, latest_first=latest_first) for each in known
        ]
        yield from heapq.merge(*streams, key=lambda each: each.time, reverse=latest_first)

    def of(
        self,
        datastream: Datastream,
        span: Span,
        at_first: int,
        *,
        numbers: Numbers | None = None,
        latest_first: bool = False,
    ) -> Iterator[Observation]:
        """The observations of one Datastream in order of time."""
        key = datastream.key
        size = max(1, min(at_first, _LARGEST_PIECE))
        start, end = span.start, span.end
        seen: set[str | None] = set()
        while True:
            piece = self._piece(key, _window(start, end, size, numbers, latest_first=latest_first))
            fresh = [each for each in piece if each.attribute.instance_id not in seen]
            for instance in reversed(fresh) if latest_first else fresh:
                if instance.attribute.deleted_at is None and is_observed(instance.attribute):
                    yield Observation(datastream, instance, _time(instance))
            if len(piece) < size:
                return
            edge, seen = _edge(piece if latest_first else piece[::-1])
            # What has the time of the edge is read again, since more may have it than was read.
            start, end = (start, edge + 1) if latest_first else (edge, end)
            size = max(min(size * 4, _LARGEST_PIECE), len(seen) * 2)

    def count(self, datastream: Datastream, span: Span) -> int:
        """How many observations of a Datastream there are. Cost: a walk of an index."""
        key = datastream.key
        window = Window(names=[key.name], dataset_ids=[key.dataset_id], start=span.start, end=span.end)
        counts = self._reads.count_observed(self._tenant, key.entity_id, window)
        return sum(count for (_, kind), count in counts.items() if kind in OBSERVABLE)

    def count_numbers(self, datastream: Datastream, span: Span, numbers: Numbers) -> int | None:
        """How many results of a Datastream are among the numbers; None where only reading them tells."""
        key = datastream.key
        window = Window(
            names=[key.name],
            dataset_ids=[key.dataset_id],
            start=span.start,
            end=span.end,
            numbers=numbers,
        )
        sure, unsure = self._reads.count_numbers(self._tenant, key.entity_id, window)
        return None if unsure else sure

    def edge(self, datastream: Datastream, *, latest: bool) -> Observation | None:
        """The earliest or the latest observation of a Datastream."""
        return next(self.of(datastream, Span(), 1, latest_first=latest), None)

    def find(
        self, datastream: Datastream, instance_ids: Sequence[str], stamp: int | None
    ) -> Observation | None:
        """The observation with one of these instance ids.

        Args:
            stamp: where to look first.

        Cost: one seek; only an instance that somebody else named, or that was moved in time,
        is looked for in the whole series.
        """
        spans = [Span()] if stamp is None else [Span(stamp, stamp + 1), Span()]
        if not self._reads.known_instances(self._tenant, datastream.entity.id, instance_ids):
            return None
        for span in spans:
            for found in self.of(datastream, span, _LARGEST_PIECE):
                if found.instance.attribute.instance_id in instance_ids:
                    return found
        return None

    def places(self, entity: Entity) -> Iterator[Instance]:
        """The instances of an entity's location, the latest first."""
        location = location_of(entity)
        key = SeriesKey(entity.id, LOCATION, location.dataset_id if location is not None else "")
        size, seen = 10, 0
        while True:
            piece = self._piece(key, Window(last_n=size))
            for instance in piece[::-1][seen:]:
                if instance.attribute.deleted_at is None and isinstance(instance.attribute.value, dict):
                    yield instance
            if len(piece) < size:
                return
            # Places may lack observedAt, so there is no time to go on from: more is read anew.
            size, seen = size * 4, len(piece)

    def _piece(self, key: SeriesKey, window: Window) -> list[Instance]:
        found = self._reads.instances(
            self._tenant,
            key.entity_id,
            Window(
                names=[key.name],
                dataset_ids=[key.dataset_id],
                start=window.start,
                end=window.end,
                first_n=window.first_n,
                last_n=window.last_n,
                numbers=window.numbers,
            ),
        ).get(key.name, [])
        self._looked(len(found))
        return found


def _time(instance: Instance) -> int:
    return time_of(instance.attribute, "observedAt")


def _edge(piece: Sequence[Instance]) -> tuple[int, set[str | None]]:
    """The time that a piece begins with, and the ids of those that have it."""
    edge = _time(piece[0])
    return edge, {each.attribute.instance_id for each in takewhile(lambda it: _time(it) == edge, piece)}


def _window(start: int, end: int, size: int, numbers: Numbers | None, *, latest_first: bool) -> Window:
    if latest_first:
        return Window(start=start, end=end, last_n=size, numbers=numbers)
    return Window(start=start, end=end, first_n=size, numbers=numbers)
