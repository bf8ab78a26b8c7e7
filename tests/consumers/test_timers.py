"""Durable timers: that they end when they are told to."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cityloom.consumers.timers import Timers
from cityloom.model.clock import SimulatedClock
from cityloom.store.log_ports import Timer
from cityloom.store.sqlite import SqliteStore


async def nothing(_: Timer) -> None:
    return None


async def test_timers_end_also_when_they_are_woken_at_that_very_moment(tmp_path: Path) -> None:
    clock = SimulatedClock(1_700_000_000_000_000)
    store = SqliteStore(tmp_path / "city.db", clock, synchronous="OFF")
    try:
        wake = asyncio.Event()
        running = asyncio.create_task(Timers(store, "test", clock, nothing, wake).run())
        async with asyncio.timeout(20):
            while not wake._waiters:  # type: ignore[attr-defined]
                await asyncio.sleep(0.01)
        wake.set()
        await asyncio.sleep(0)
        running.cancel()
        ended, _ = await asyncio.wait([running], timeout=20)
        assert ended == {running}
    finally:
        running.cancel()
        store.close()
