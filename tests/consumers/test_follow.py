"""A follower of the log: it sees all of it, also from far behind, and keeps its place when idle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cityloom.consumers import follow
from cityloom.consumers.follow import Follower
from cityloom.model.clock import SystemClock
from cityloom.model.events import Event
from cityloom.store.sqlite import SqliteStore
from tests.laws.values import do, lamp, put, see


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "city.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path, SystemClock(), synchronous="OFF")
    try:
        yield store
    finally:
        store.close()


async def test_a_follower_sees_what_was_there_without_being_told(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    async def handle(events: Sequence[Event]) -> None:
        seen.extend(event.seq for event in events)

    monkeypatch.setattr(follow, "IDLE_SECONDS", 3600)
    do(store, lambda tx: tx.move_cursor("test", 0))
    for number in range(5):
        put(store, lamp(number))
    follower = Follower(store, "test", handle, batch=2)
    await follower.start()
    do(store, lambda tx: None)  # whoever was to be told of the commit before has been
    running = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(20):
            while len(seen) < 5:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert seen == [1, 2, 3, 4, 5]


async def test_a_follower_sees_what_is_committed_while_it_looks_in_vain(store: SqliteStore) -> None:
    seen: list[int] = []

    async def handle(events: Sequence[Event]) -> None:
        seen.extend(event.seq for event in events)

    class Crossed(Follower):
        """Each look that finds nothing is crossed by a commit, of which it is told before it is done."""

        async def _next(self) -> list[Event]:
            events = await super()._next()
            if not events and len(seen) < 3:
                await asyncio.to_thread(put, store, lamp(len(seen)))
                await asyncio.sleep(0)
            return events

    follower = Crossed(store, "test", handle)
    await follower.start()
    running = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(20):
            while not seen:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert seen[0] == 1


async def test_a_follower_sees_what_comes_in_order_and_keeps_its_place_when_idle(store: SqliteStore) -> None:
    seen: list[int] = []

    async def handle(events: Sequence[Event]) -> None:
        seen.extend(event.seq for event in events)

    follower = Follower(store, "test", handle, batch=2)
    await follower.start()
    running = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(20):
            for number in range(7):
                await asyncio.to_thread(put, store, lamp(number))
            while see(store, lambda snapshot: snapshot.cursor("test")) != 7:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert seen == list(range(1, 8))
    assert follower.position == 7
