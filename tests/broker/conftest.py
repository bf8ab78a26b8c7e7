"""A broker on a real store in a folder of the test's own, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cityloom.broker.door import Limits
from cityloom.broker.local import LocalBroker
from cityloom.broker.ports import Action, Call
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import Forbidden
from cityloom.model.events import Cause
from cityloom.model.time import parse_datetime
from cityloom.store.sqlite import SqliteStore

NOON = parse_datetime("2026-05-01T12:00:00Z")


class OpenAccess:
    """Everyone may do everything, but for what a test takes away."""

    def __init__(self) -> None:
        self.denied: set[tuple[Action, str]] = set()
        self.asked: list[tuple[Action, str]] = []

    def check(self, call: Call, action: Action, resource: str = "") -> None:
        self.asked.append((action, resource))
        if (action, resource) in self.denied or (action, "*") in self.denied:
            raise Forbidden(f"{call.party!r} may not {action} {resource}")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOON)


@pytest.fixture
def access() -> OpenAccess:
    return OpenAccess()


@pytest.fixture
def store(tmp_path: Path, clock: SimulatedClock) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "city.db", clock, synchronous="OFF")
    try:
        yield store
    finally:
        store.close()


Made = Callable[..., LocalBroker]


@pytest.fixture
def make(store: SqliteStore, access: OpenAccess, clock: SimulatedClock) -> Made:
    """Makes a broker with other limits, owners or room on the same store."""

    def made(limits: Limits | None = None, **more: object) -> LocalBroker:
        return LocalBroker(store, access, clock, limits, **more)  # type: ignore[arg-type]

    return made


@pytest.fixture
def broker(make: Made) -> LocalBroker:
    return make()


@pytest.fixture
def call() -> Call:
    return Call(cause=Cause(kind="request", id="request:1"))
