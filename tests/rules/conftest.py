"""Rules on a real store in a folder of the test's own, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from cityloom.broker.ports import Call
from cityloom.model.clock import SimulatedClock
from cityloom.model.events import Cause
from cityloom.model.time import parse_datetime
from cityloom.rules.kept import Rules
from cityloom.store.sqlite import SqliteStore
from tests.broker.conftest import OpenAccess, access, store

__all__ = ["access", "store"]

NOON = parse_datetime("2026-12-01T04:00:00Z")
"""Noon in Shanghai."""
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOON)


Made = Callable[..., Rules]


@pytest.fixture
def make(store: SqliteStore, access: OpenAccess, clock: SimulatedClock) -> Made:
    """Makes the rules of a city on the store, with tables from files or what the city knows."""

    def made(**more: object) -> Rules:
        return Rules(store, access, clock, zone=ZONE, **more)  # type: ignore[arg-type]

    return made


@pytest.fixture
def rules(make: Made) -> Rules:
    return make()


@pytest.fixture
def call() -> Call:
    return Call(party="clerk", cause=Cause(kind="request", id="request:1"))
