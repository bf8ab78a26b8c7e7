"""Whenever the process is killed: each flood has exactly one case."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cityloom.model.clock import SystemClock
from cityloom.model.events import Event
from cityloom.model.time import parse_datetime
from cityloom.rules.kept import read_table
from cityloom.rules.opening import Heard, faults, opening_rules
from cityloom.rules.watch import CONSUMER
from cityloom.store.sqlite import SqliteStore
from tests.rules.killed import floods, watch_of
from tests.rules.opened import iri, opened

ROOT = Path(__file__).parents[2]


def kill_once(folder: Path, seconds: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.rules.killed", str(folder)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    killer = threading.Timer(seconds, process.send_signal, (signal.SIGKILL,))
    killer.start()
    for _ in process.stdout:
        pass
    process.stdout.close()
    assert process.wait(30) == -signal.SIGKILL
    killer.join()


async def come_to_rest(store: SqliteStore) -> None:
    """Until the log was read and no timer is left."""
    watch = watch_of(store)
    await watch.start()
    running = asyncio.create_task(watch.run())
    async with asyncio.timeout(30):
        while True:
            with store.snapshot() as reads:
                behind = [one for one in reads.events(watch.position, 1000) if one.kind.startswith("entity")]
                if not behind and reads.next_timer(CONSUMER) is None:
                    break
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def expected(store: SqliteStore) -> set[tuple[str, str, int]]:
    """(row, river, since) of each flood that the log tells of, by the rules without a store."""
    with store.snapshot() as reads:
        events: list[Event] = reads.events(0, 1_000_000)
    adopted = max(event.at for event in events if event.document_kind == "Rule")
    told: dict[str, list[Heard]] = {}
    for event in events:
        for change in event.changes:
            if change.name == iri("level") and change.after is not None and event.at > adopted:
                at = parse_datetime(change.after.modified_at or "")
                heard = Heard(at=at, firing=str(event.seq), value=change.after.value)
                told.setdefault(event.entity_id, []).append(heard)
    return {
        (rule.row, river, fault.since)
        for rule in opening_rules(read_table(floods()))
        for river, values in told.items()
        for fault in faults(rule, values, None, 2**62)
    }


async def kills(folder: Path, times: int, seed: int) -> int:
    draw = random.Random(seed)
    for _ in range(times):
        kill_once(folder, draw.uniform(0.05, 0.6))
    store = SqliteStore(folder / "city.db", SystemClock())
    try:
        await come_to_rest(store)
        cases = [(one.row, one.entity, one.since) for one in opened(store)]
        assert len(cases) == len(set(cases))
        assert set(cases) == expected(store)
        return len(cases)
    finally:
        store.close()


async def test_each_flood_has_one_case_however_often_the_process_is_killed(tmp_path: Path) -> None:
    assert await kills(tmp_path, 3, 1) > 3


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_each_flood_has_one_case_after_a_hundred_kills(tmp_path: Path) -> None:
    assert await kills(tmp_path, 100, 2) > 300
