"""What is measured: each work has its server, its load, its raw limit and its goal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple
from urllib.request import Request, urlopen

from bench import limits
from bench.cities import KM_LAT, KM_LON, TYPES, city, copied, entity_id, side, type_name
from bench.load import Latency, hammer, paced
from bench.processes import Process, bare_server, node

ROOT: Final = "/ngsi-ld/v1"
CLIENTS: Final = 64


class Rates(NamedTuple):
    """One round: done per second of the servers' processors, and the raw limits (by name) the same way."""

    done: float
    limits: dict[str, float]
    latency: Latency | None = None


class Bench:
    """Where things are, and how long each round takes.

    Args:
        folder: where cities are kept; on the disk that counts, since a RAM disk syncs nothing.
        seconds: of load for one figure.
        size: entities of the city that is written to.
        large: entities of the city that is read.
        instances: of the city that has a past.
    """

    def __init__(self, folder: Path, seconds: int, size: int, large: int, instances: int) -> None:
        self.folder = folder
        self.seconds = seconds
        self.size = size
        self.large = large
        self.instances = instances
        self._first = time.time_ns() // 1000

    def city(self, size: int) -> Path:
        """A city that is only read."""
        return city(self.folder, size)

    def copy(self, size: int) -> Path:
        """A fresh copy of a city, to be written to."""
        return copied(self.city(size), self.folder / "copy")

    def serving(self, size: int, *, writes: bool = False) -> Process:
        """A node on a city, or on a fresh copy to be written to."""
        return node(self.copy(size) if writes else self.city(size))

    def query_limits(self) -> dict[str, float]:
        """The raw limits of the query."""
        return {"bare statement": limits.queries(self.city(self.large), self.large, self.seconds)}

    def write_limits(self) -> dict[str, float]:
        """The raw limits of writes."""
        return {
            "append with fdatasync": limits.appends(self.folder, self.seconds / 2),
            "bare UPDATE": limits.updates(self.folder, self.seconds / 2),
        }

    def load(self, server: Process, script: str, clients: int, **told: object) -> float:
        """Requests per second of the processor: all that the server spends until it rests again."""
        hammer(server.url, script, 1, clients, first=self._unused(), **told)
        before = server.cpu()
        done = hammer(server.url, script, self.seconds, clients, first=self._unused(), **told)
        return done / (server.rested() - before)

    def _unused(self) -> int:
        """Where numbers begin that no entity has yet."""
        self._first += 10_000_000
        return self._first


class Work(NamedTuple):
    """One row of the table: `per` is how many things one request does."""

    name: str
    title: str
    goal: str
    run: Callable[[Bench, ExitStack], Callable[[], Rates]]


def get(bench: Bench, stack: ExitStack) -> Callable[[], Rates]:
    """GET of one entity of the large city, beside a bare answer of the same bytes."""
    server = stack.enter_context(bench.serving(bench.large))
    with urlopen(f"{server.url}{ROOT}/entities/{entity_id(0)}") as answer:
        body = answer.read()
    bare = stack.enter_context(bare_server(bench.folder, body))

    def rates() -> Rates:
        done = bench.load(server, "get", 16, size=bench.large)
        limit = bench.load(bare, "get", 16, size=bench.large)
        latency = paced(server.port, gets(bench.large), 500, bench.seconds)
        return Rates(done, {"bare answer": limit}, latency)

    return rates


def _writing(
    script: str, per: int, clients: int, rate: float
) -> Callable[[Bench, ExitStack], Callable[[], Rates]]:
    """A work that writes, beside a bare append and a bare statement."""

    def prepare(bench: Bench, stack: ExitStack) -> Callable[[], Rates]:
        server = stack.enter_context(bench.serving(bench.size, writes=True))

        def rates() -> Rates:
            edge = side(bench.size)
            told = {"size": bench.size, "edge_lon": edge * KM_LON, "edge_lat": edge * KM_LAT}
            done = per * bench.load(server, script, clients, **told)
            bounds = bench.write_limits()
            latency = None
            if rate:
                latency = paced(server.port, patches(bench.size), rate, bench.seconds)
            return Rates(done, bounds, latency)

        return rates

    return prepare


def query(bench: Bench, stack: ExitStack) -> Callable[[], Rates]:
    """A page of 20: a type, a number, a circle of 1 km, in order of ids; beside its bare statement."""
    server = stack.enter_context(bench.serving(bench.large))

    def rates() -> Rates:
        edge = max(0.0, side(bench.large) - 2)
        told = {"inner_lon": edge * KM_LON, "inner_lat": edge * KM_LAT, "km_lon": KM_LON, "km_lat": KM_LAT}
        done = bench.load(server, "query", 4, **told)
        bounds = bench.query_limits()
        latency = paced(server.port, queries(bench.large), 20, max(5.0, bench.seconds))
        return Rates(done, bounds, latency)

    return rates


def _notifying(stored: int) -> Callable[[Bench, ExitStack], Callable[[], Rates]]:
    """PATCHes of ten entities that each fire one of `stored` subscriptions, until all are delivered."""

    def prepare(bench: Bench, stack: ExitStack) -> Callable[[], Rates]:
        receiver = stack.enter_context(bare_server(bench.folder, b"{}"))
        server = stack.enter_context(bench.serving(min(bench.size, 10_000), writes=True))
        for number in range(stored):
            _post(f"{server.url}{ROOT}/subscriptions", _subscription(number, receiver.url))
        server.rested()  # what making them left to do is no part of a notification

        def fire(seconds: int) -> int:
            before = _count(receiver)
            done = hammer(server.url, "patch", seconds, CLIENTS, size=10)
            # Requests whose answers `wrk` did not await fire, too, so it is counted until it rests.
            told, last = _count(receiver), -1
            end = time.monotonic() + 120
            while told != last or (told - before < done and time.monotonic() < end):
                time.sleep(0.5)
                told, last = _count(receiver), told
            if told - before < done:
                raise RuntimeError(f"{done} changes brought {told - before} notifications")
            return told - before

        def rates() -> Rates:
            fire(1)
            before = server.cpu()
            return Rates(fire(bench.seconds) / (server.rested() - before), {})

        return rates

    return prepare


def _subscription(number: int, url: str) -> dict[str, object]:
    return {
        "id": f"urn:ngsi-ld:Subscription:bench:{number}",
        "type": "Subscription",
        "entities": [{"type": type_name(number), "id": entity_id(number)}],
        "watchedAttributes": ["intensity"],
        "notification": {"endpoint": {"uri": f"{url}/told", "accept": "application/json"}},
    }


def _post(url: str, document: dict[str, object]) -> None:
    body = json.dumps(document).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"})) as answer:
        answer.read()


def _count(receiver: Process) -> int:
    with urlopen(f"{receiver.url}/count") as answer:
        return int(answer.headers["X-Posted"])


def gets(size: int) -> Iterator[bytes]:
    for number in _numbers(size):
        yield f"GET {ROOT}/entities/{entity_id(number)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def patches(size: int) -> Iterator[bytes]:
    for turn, number in enumerate(_numbers(size)):
        at = f"2026-11-{turn // 3600 % 28 + 1:02}T12:{turn // 60 % 60:02}:{turn % 60:02}Z"
        body = json.dumps({"intensity": {"type": "Property", "value": turn + 0.25, "observedAt": at}})
        yield (
            f"PATCH {ROOT}/entities/{entity_id(number)} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def queries(size: int) -> Iterator[bytes]:
    draw = limits.places(size, time.time_ns())
    while True:
        lon, lat = limits.centre(draw, size)
        yield (
            f"GET {ROOT}/entities?type={type_name(draw.randrange(TYPES))}&q=intensity%3E50"
            "&georel=near%3BmaxDistance==1000&geometry=Point"
            f"&coordinates=%5B{lon:.5f},{lat:.5f}%5D&limit=20 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ).encode()


def _numbers(size: int) -> Iterator[int]:
    draw = limits.places(size, time.time_ns())
    while True:
        yield draw.randrange(size)


WORKS: Final = (
    Work("get", "GET one entity", "12,000 and 0.4 of the bare answer", get),
    Work("query", "query of 20: type, q, near 1 km", "0.6 of the bare statement; p50 5 ms", query),
    Work("patch", "PATCH one attribute, with its event", "5,000", _writing("patch", 1, CLIENTS, 200)),
    Work("create", "create one entity", "4,000", _writing("create", 1, CLIENTS, 0)),
    Work("upsert", "batch upsert of 100, entities", "25,000", _writing("upsert", 100, 2, 0)),
    Work("notify", "PATCH that fires one notification, 10 subscriptions", "2,000", _notifying(10)),
    Work("notify-many", "the same, 10,000 subscriptions", "2,000, at most 10 % less", _notifying(10_000)),
)
