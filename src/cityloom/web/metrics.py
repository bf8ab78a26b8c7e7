"""What Prometheus may scrape: requests, live listeners, the store's own numbers."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.responses import Response

from cityloom.store.ports import Store
from cityloom.web.incoming import Incoming

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One node's meters, in a registry of their own."""

    def __init__(self, store: Store) -> None:
        self.registry = CollectorRegistry()
        self._requests = _Requests()
        self.registry.register(self._requests)
        self.listeners = Gauge(
            "cityloom_event_listeners", "Open streams of server-sent events.", registry=self.registry
        )
        self.requests = Gauge(
            "cityloom_requests_under_way", "Requests that wait for their answer.", registry=self.registry
        )
        self.held = Gauge(
            "cityloom_held_bytes",
            "Bytes of bodies under way and of answers not yet taken.",
            registry=self.registry,
        )
        self.registry.register(_StoreCollector(store))

    def observe(self, operation: str, status: int, seconds: float) -> None:
        """Counts one request; `operation` is "" where nothing was routed."""
        self._requests.count(operation, status, seconds)

    async def read(self, incoming: Incoming) -> Response:
        """`GET /metrics`."""
        incoming.services.access.check(incoming.call, "read", "metrics")
        body = await asyncio.to_thread(generate_latest, self.registry)
        return Response(body, headers={"Content-Type": _CONTENT_TYPE})


class _Requests(Collector):
    """Requests by operation and status, and how long they took: counted in plain numbers.

    Cost: a tenth of that of the library's own counters, which are locked and looked up by labels.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def count(self, operation: str, status: int, seconds: float) -> None:
        """Counts one request; of a stream of events that it took long tells nothing."""
        key = operation, status
        self._counts[key] = self._counts.get(key, 0) + 1
        if operation == "followEvents":
            return
        buckets = self._buckets.get(operation)
        if buckets is None:
            buckets = self._buckets[operation] = [0] * (len(_BUCKETS) + 1)
            self._sums[operation] = 0.0
        buckets[bisect_left(_BUCKETS, seconds)] += 1
        self._sums[operation] += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "cityloom_requests", "Requests answered.", labels=["operation", "status"]
        )
        for (operation, status), number in list(self._counts.items()):
            requests.add_metric([operation, str(status)], number)
        yield requests
        took = HistogramMetricFamily(
            "cityloom_request_seconds", "Time from a request to its answer's end.", labels=["operation"]
        )
        for operation, counts in list(self._buckets.items()):
            sums = accumulate(counts)
            bounds = [*map(floatToGoString, _BUCKETS), "+Inf"]
            took.add_metric([operation], list(zip(bounds, sums, strict=True)), self._sums[operation])
        yield took

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is is told when it is asked for."""
        return iter(())


class _StoreCollector(Collector):
    """The numbers among the store's stats, as gauges named after them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        for name, value in self._store.stats().items():
            if isinstance(value, int | float):
                gauge = GaugeMetricFamily(f"cityloom_store_{_snake(name)}", f"The store's {name}.")
                gauge.add_metric([], value)
                yield gauge

    def describe(self) -> Iterator[Metric]:
        """Nothing: so that registering does not ask a store that is just opening."""
        return iter(())


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
