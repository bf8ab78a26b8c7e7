"""Durable timers: that all that are due go, in order, and that they end when they are told to."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cityloom.consumers.follow import Outcome
from cityloom.consumers.timers import Timers
from cityloom.model.clock import SimulatedClock
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Transaction
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


async def test_all_that_are_due_go_in_order_though_one_fails(tmp_path: Path) -> None:
    """One fails when it is decided, one when it is written: these are tried again, and keep no other."""
    clock = SimulatedClock(1_700_000_000_000_000)
    store = SqliteStore(tmp_path / "city.db", clock, synchronous="OFF")
    decided: list[str] = []
    written: list[str] = []
    after: list[str] = []
    keys = [f"{number:03}" for number in range(250)]

    async def fire(timer: Timer) -> Outcome:
        decided.append(timer.key)
        if timer.key == "007" and decided.count("007") < 2:
            raise ValueError("at the first try")

        def work(tx: Transaction) -> None:
            if timer.key == "120" and decided.count("120") < 2:
                raise ValueError("at the first try")
            written.append(timer.key)

        return Outcome(work, lambda: after.append(timer.key))

    def set_all(tx: Transaction) -> None:
        for number, key in enumerate(keys):
            tx.set_timer(Timer(consumer="test", tenant="", key=key, due=clock.now() - 1000 + number))

    try:
        store.submit(set_all).result()
        running = asyncio.create_task(Timers(store, "test", clock, fire, asyncio.Event()).run())
        async with asyncio.timeout(20):
            while store.read(lambda reads: reads.next_timer("test")).result() is not None:
                await asyncio.sleep(0.01)
            while len(after) < len(keys):
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
    finally:
        store.close()
    first = [key for key in keys if key not in ("007", "120")]
    assert list(dict.fromkeys(written)) == [*first, "007", "120"]
    assert after == [*first, "007", "120"]
