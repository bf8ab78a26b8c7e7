"""What Prometheus may scrape: requests, live listeners, the store's own numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from cityloom.store.ports import Store
from cityloom.web.incoming import Incoming

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One node's meters, in a registry of their own."""

    def __init__(self, store: Store) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "cityloom_requests", "Requests answered.", ["operation", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "cityloom_request_seconds",
            "Time from a request to its answer's end.",
            ["operation"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.listeners = Gauge(
            "cityloom_event_listeners", "Open streams of server-sent events.", registry=self.registry
        )
        self.registry.register(_StoreCollector(store))

    def observe(self, operation: str, status: int, seconds: float) -> None:
        """Counts one request; `operation` is "" where nothing was routed."""
        self._requests.labels(operation, str(status)).inc()
        if operation != "followEvents":
            self._seconds.labels(operation).observe(seconds)

    async def read(self, incoming: Incoming) -> Response:
        """`GET /metrics`."""
        incoming.services.access.check(incoming.call, "read", "metrics")
        body = await asyncio.to_thread(generate_latest, self.registry)
        return Response(body, headers={"Content-Type": _CONTENT_TYPE})


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
