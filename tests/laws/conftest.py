"""The law: what every store promises. A new kind of store is added to `HOMES`, and must pass it whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

import pytest

from cityloom.model.clock import SimulatedClock
from cityloom.store.ports import Store
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore
from tests.laws.tiered import TieredStore
from tests.postgres import server

START: Final = 1_780_000_000_000_000
"""Where the simulated clock stands first."""


class Home(Protocol):
    """A place where one city is kept, and opened again and again."""

    clock: SimulatedClock

    def open(self, *, queue_items: int = 10_000, queue_bytes: int = 64 * 1024 * 1024) -> Store: ...


class SqliteHome:
    """A folder with one file."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(START)
        self._path = folder / "city.db"

    def open(self, *, queue_items: int = 10_000, queue_bytes: int = 64 * 1024 * 1024) -> Store:
        return SqliteStore(self._path, self.clock, queue_items=queue_items, queue_bytes=queue_bytes)


class TieredHome(SqliteHome):
    """The same, its history in the cold tables as soon as it is written."""

    def open(self, *, queue_items: int = 10_000, queue_bytes: int = 64 * 1024 * 1024) -> Store:
        store = SqliteStore(self._path, self.clock, queue_items=queue_items, queue_bytes=queue_bytes)
        return TieredStore(store)


class PostgresHome:
    """A database of the tests' own server."""

    def __init__(self, _folder: Path) -> None:
        self.clock = SimulatedClock(START)
        self._url = server().database()

    def open(self, *, queue_items: int = 10_000, queue_bytes: int = 64 * 1024 * 1024) -> Store:
        return PostgresStore(self._url, self.clock, queue_items=queue_items, queue_bytes=queue_bytes)


class TieredPostgresHome(PostgresHome):
    """The same, its history in the cold tables as soon as it is written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._cold = str(folder / "history")

    def open(self, *, queue_items: int = 10_000, queue_bytes: int = 64 * 1024 * 1024) -> Store:
        store = PostgresStore(
            self._url, self.clock, queue_items=queue_items, queue_bytes=queue_bytes, cold=self._cold
        )
        return TieredStore(store)


HOMES: Final[dict[str, Callable[[Path], Home]]] = {"postgres": PostgresHome, "sqlite": SqliteHome}
TIERED: Final[dict[str, Callable[[Path], Home]]] = {
    **HOMES,
    "tiered": TieredHome,
    "tiered-postgres": TieredPostgresHome,
}
"""What the law of history is held on, besides: stores with a cold tier."""
OF_HISTORY: Final = ("test_history", "test_past", "test_tenants")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "home" in metafunc.fixturenames:
        of_history = metafunc.module.__name__.rpartition(".")[2] in OF_HISTORY
        metafunc.parametrize("home", sorted(TIERED if of_history else HOMES), indirect=True)


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return TIERED[request.param](tmp_path)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = home.open()
    yield store
    store.close()
