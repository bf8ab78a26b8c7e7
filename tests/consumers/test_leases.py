"""Leases: one process at a time, taken over from one that is gone, and no write of one that lost it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cityloom.consumers.lease import LeaseLost, Leases, Together
from cityloom.model.clock import SimulatedClock
from cityloom.store.ports import Store, Transaction
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore
from tests.postgres import server

SILENCE = 6.0


class Doing:
    """Counts how often it was started, and knows whether it runs."""

    def __init__(self) -> None:
        self.started = 0
        self.runs = False

    async def start(self) -> None:
        self.started += 1

    async def run(self) -> None:
        self.runs = True
        try:
            await asyncio.Event().wait()
        finally:
            self.runs = False


class Process:
    """What stands for a process: a store of its own, and leases."""

    def __init__(self, store: Store, clock: SimulatedClock) -> None:
        self.store = store
        self.part = Doing()
        self.leases = Leases(store, clock, SILENCE)
        self.fenced = self.leases.fenced("work")

    async def start(self) -> None:
        await self.leases.start({"work": self.part})

    async def beat(self) -> None:
        await self.leases._beat()
        async with asyncio.timeout(20):
            while self.part.runs != ("work" in self.leases.held):
                await asyncio.sleep(0)

    def write(self) -> int:
        def work(tx: Transaction) -> int:
            seq = (tx.cursor("work") or 0) + 1
            tx.move_cursor("work", seq)
            return seq

        return self.fenced.submit(work).result()


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(1_780_000_000_000_000)


@pytest.fixture(params=["postgres", "sqlite"])
def processes(
    request: pytest.FixtureRequest, tmp_path: Path, clock: SimulatedClock
) -> Iterator[tuple[Process, Process]]:
    url = server().database() if request.param == "postgres" else ""

    def store() -> Store:
        return PostgresStore(url, clock) if url else SqliteStore(tmp_path / "c.db", clock, shared=True)

    stores = store(), store()
    yield Process(stores[0], clock), Process(stores[1], clock)
    for one in stores:
        one.close()


async def test_one_process_holds_a_lease_and_gives_it_up_at_once(processes: tuple[Process, Process]) -> None:
    one, other = processes
    await one.start()
    await other.start()
    await other.beat()
    assert (one.leases.held, other.leases.held) == (["work"], [])
    assert (one.part.started, other.part.started) == (1, 0)
    assert other.leases.alive(one.leases.holder)
    await one.leases.stop()
    assert not one.part.runs
    await other.beat()
    assert (other.leases.held, other.part.runs) == (["work"], True)
    assert not other.leases.alive(one.leases.holder)
    await other.leases.stop()


async def test_lease_of_a_silent_process_is_taken_and_it_writes_no_more(
    processes: tuple[Process, Process], clock: SimulatedClock
) -> None:
    one, other = processes
    await one.start()
    assert one.write() == 1
    await other.start()
    clock.advance(SILENCE - 0.1)
    await other.beat()
    assert other.leases.held == []
    clock.advance(0.2)
    await other.beat()
    assert (other.leases.held, other.part.runs) == (["work"], True)
    # The one was only slow: it does not know yet, and what it writes is refused.
    assert one.leases.held == ["work"]
    with pytest.raises(LeaseLost):
        one.write()
    assert other.write() == 2
    await one.beat()
    assert (one.leases.held, one.part.runs) == ([], False)
    with pytest.raises(LeaseLost):
        one.write()
    await other.leases.stop()
    await one.beat()
    assert (one.leases.held, one.part.started, one.write()) == (["work"], 2, 3)
    await one.leases.stop()


async def test_process_that_renews_keeps_its_lease_however_long(
    processes: tuple[Process, Process], clock: SimulatedClock
) -> None:
    one, other = processes
    await one.start()
    await other.start()
    for _ in range(20):
        clock.advance(SILENCE / 2)
        await other.beat()
        await one.beat()
    assert (one.leases.held, other.leases.held, one.part.started) == (["work"], [], 1)
    await one.leases.stop()
    await other.leases.stop()


async def test_work_that_was_begun_in_an_earlier_term_is_refused(
    processes: tuple[Process, Process], clock: SimulatedClock
) -> None:
    """It lost the lease and has it again: what it meant to write before is of another time."""
    one, other = processes
    await one.start()
    await other.start()
    earlier = one.fenced._fence()
    clock.advance(SILENCE + 1)
    await other.beat()
    await other.leases.stop()
    await one.beat()
    await one.beat()
    assert one.leases.held == ["work"]
    with pytest.raises(LeaseLost):
        one.store.submit(earlier).result()
    assert one.write() == 1
    await one.leases.stop()


async def test_only_process_takes_at_once_what_one_that_is_gone_had(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    for _ in range(2):  # the first is killed: it gives nothing up
        store = SqliteStore(tmp_path / "c.db", clock)
        alone = Process(store, clock)
        await alone.start()
        assert (alone.leases.held, alone.part.runs or alone.part.started == 1) == (["work"], True)
        alone.write()
        await alone.leases._end_terms(["work"])
        store.close()


async def test_part_that_fails_is_begun_again(tmp_path: Path, clock: SimulatedClock) -> None:
    store = SqliteStore(tmp_path / "c.db", clock)

    class Failing(Doing):
        async def run(self) -> None:
            if self.started == 1:
                raise ValueError("once")
            await super().run()

    part = Failing()
    leases = Leases(store, clock, SILENCE)
    await leases.start({"work": part})
    async with asyncio.timeout(20):
        while not part.runs:
            await asyncio.sleep(0.01)
    assert part.started == 2
    await leases.stop()
    store.close()


async def test_parts_of_which_one_fails_are_begun_again_together(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    store = SqliteStore(tmp_path / "c.db", clock)
    well = Doing()

    async def failing() -> None:
        await asyncio.sleep(0)
        if well.started < 3:
            raise ValueError("not yet")

    leases = Leases(store, clock, SILENCE)
    await leases.start({"work": Together(start=(well.start,), run=(well.run, failing))})
    async with asyncio.timeout(20):
        while well.started < 3 or not well.runs:
            await asyncio.sleep(0.01)
    await leases.stop()
    assert (well.started, well.runs) == (3, False)
    store.close()


async def test_part_that_fails_while_it_ends_is_not_begun_again(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    store = SqliteStore(tmp_path / "c.db", clock)

    class Failing(Doing):
        async def run(self) -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(super().run())
            finally:
                raise ValueError("at the end")

    part = Failing()
    leases = Leases(store, clock, SILENCE)
    await leases.start({"work": part})
    async with asyncio.timeout(20):
        while not part.runs:
            await asyncio.sleep(0.01)
        await leases.stop()
    assert part.started == 1
    store.close()
