"""What Prometheus may scrape: requests, live listeners, the store's own numbers."""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.responses import Response

from cityloom.model.errors import StoreFailed, StoreUnreachable
from cityloom.store.ports import Store
from cityloom.web.incoming import Incoming

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TELL_SECONDS = 1.0
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One node's meters, in a registry of their own.

    Where several workers are a node, each writes down once a second what it counted, and whoever is
    asked adds up: of the others it knows what was a second ago. What workers counted that are gone
    stays counted.

    Args:
        beside: the folder where workers write; None: there is one alone.

    `look` tells what there is now.
    """

    def __init__(self, store: Store, beside: Path | None = None) -> None:
        self.registry = CollectorRegistry()
        self._beside = beside
        self.look: Callable[[Counted], None] = lambda counted: None
        self._requests = Counted()
        self.registry.register(_RequestCollector(self._all))
        self.registry.register(_StoreCollector(store))

    async def keep_told(self) -> None:
        """Writes down what this worker counts, until it is cancelled."""
        if self._beside is None:
            return
        try:
            while True:
                await asyncio.to_thread(self._tell, self._beside)
                await asyncio.sleep(_TELL_SECONDS)
        finally:
            self._tell(self._beside)

    def _tell(self, beside: Path) -> None:
        self.look(self._requests)
        mine = beside / f"{os.getpid()}.json"
        new = mine.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self._requests))
        new.replace(mine)

    def _all(self) -> Counted:
        """What all workers of this node counted."""
        self.look(self._requests)
        if self._beside is None:
            return self._requests
        whole = Counted()
        whole.add(self._requests, alive=True)
        for file in self._beside.glob("*.json"):
            if file.stem != str(os.getpid()):
                alive = Path(f"/proc/{file.stem}").exists() or not Path("/proc/self").exists()
                whole.add(msgspec.json.decode(file.read_bytes(), type=Counted), alive=alive)
        return whole

    def observe(self, operation: str, status: int, seconds: float) -> None:
        """Counts one request; `operation` is "" where nothing was routed."""
        self._requests.count(operation, status, seconds)

    async def read(self, incoming: Incoming) -> Response:
        """`GET /metrics`."""
        incoming.services.access.check(incoming.call, "read", "metrics")
        body = await asyncio.to_thread(generate_latest, self.registry)
        return Response(body, headers={"Content-Type": _CONTENT_TYPE})


class Counted(Struct):
    """Requests by operation and status, how long they took, and what there is now: plain numbers.

    Cost: a tenth of that of the library's own counters, which are locked and looked up by labels.
    """

    counts: dict[str, dict[int, int]] = {}
    buckets: dict[str, list[int]] = {}
    sums: dict[str, float] = {}
    listeners: int = 0
    under_way: int = 0
    held: int = 0
    workers: int = 0

    def count(self, operation: str, status: int, seconds: float) -> None:
        """Counts one request; of a stream of events that it took long tells nothing."""
        counts = self.counts.get(operation)
        if counts is None:
            counts = self.counts[operation] = {}
        counts[status] = counts.get(status, 0) + 1
        if operation == "followEvents":
            return
        buckets = self.buckets.get(operation)
        if buckets is None:
            buckets = self.buckets[operation] = [0] * (len(_BUCKETS) + 1)
            self.sums[operation] = 0.0
        buckets[bisect_left(_BUCKETS, seconds)] += 1
        self.sums[operation] += seconds

    def add(self, other: Counted, *, alive: bool) -> None:
        """Adds what another worker counted; of one that is gone, its requests."""
        for operation, counts in list(other.counts.items()):
            mine = self.counts.setdefault(operation, {})
            for status, number in list(counts.items()):
                mine[status] = mine.get(status, 0) + number
        for operation, buckets in list(other.buckets.items()):
            before = self.buckets.get(operation, [0] * len(buckets))
            self.buckets[operation] = [one + more for one, more in zip(before, buckets, strict=True)]
            self.sums[operation] = self.sums.get(operation, 0.0) + other.sums[operation]
        if alive:
            self.listeners += other.listeners
            self.under_way += other.under_way
            self.held += other.held
            self.workers += 1


class _RequestCollector(Collector):
    """What was counted, as Prometheus reads it."""

    def __init__(self, counted: Callable[[], Counted]) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        counted = self._counted()
        requests = CounterMetricFamily(
            "cityloom_requests", "Requests answered.", labels=["operation", "status"]
        )
        for operation, statuses in list(counted.counts.items()):
            for status, number in list(statuses.items()):
                requests.add_metric([operation, str(status)], number)
        yield requests
        took = HistogramMetricFamily(
            "cityloom_request_seconds", "Time from a request to its answer's end.", labels=["operation"]
        )
        for operation, counts in list(counted.buckets.items()):
            sums = accumulate(counts)
            bounds = [*map(floatToGoString, _BUCKETS), "+Inf"]
            took.add_metric([operation], list(zip(bounds, sums, strict=True)), counted.sums[operation])
        yield took
        yield GaugeMetricFamily(
            "cityloom_event_listeners", "Open streams of server-sent events.", value=counted.listeners
        )
        yield GaugeMetricFamily(
            "cityloom_requests_under_way", "Requests that wait for their answer.", value=counted.under_way
        )
        yield GaugeMetricFamily(
            "cityloom_held_bytes",
            "Bytes of bodies under way and of answers not yet taken.",
            value=counted.held,
        )
        yield GaugeMetricFamily("cityloom_workers", "Processes that answer.", value=max(counted.workers, 1))

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is is told when it is asked for."""
        return iter(())


class _StoreCollector(Collector):
    """The numbers among the store's stats, as gauges named after them.

    Of a store that cannot be read, those that the process counts itself: an alarm needs them most then.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        for name, value in self._stats().items():
            if isinstance(value, int | float):
                gauge = GaugeMetricFamily(f"cityloom_store_{_snake(name)}", f"The store's {name}.")
                gauge.add_metric([], value)
                yield gauge

    def _stats(self) -> dict[str, Any]:
        try:
            return self._store.stats()
        except StoreUnreachable:
            # The writer learns that the server is away from a write, of which there may have been none.
            return self._store.own_stats() | {"writable": 0}
        except StoreFailed:
            return self._store.own_stats()

    def describe(self) -> Iterator[Metric]:
        """Nothing: so that registering does not ask a store that is just opening."""
        return iter(())


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
