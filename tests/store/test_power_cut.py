"""A write that was answered survives a power cut; and this proof can fail: without syncing it does."""

from __future__ import annotations

import contextlib
import random
import tempfile
from pathlib import Path

import pytest

from cityloom.model.clock import SystemClock
from cityloom.model.errors import CityloomError
from cityloom.store.sqlite import SqliteStore, writer
from cityloom.store.sqlite.connection import Synchronous
from tests.laws.values import lamp, put
from tests.store import load
from tests.store.power import Disk, Loss

WORKS = 120
LONGEST = 7000
"""Operations of the disk that the load makes, about."""


@pytest.fixture(autouse=True)
def frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is moved into the file often, so that cuts hit that, too."""
    monkeypatch.setattr(writer, "CHECKPOINT_PAGES", 40)


def cut_and_reopen(seed: int, loss: Loss, synchronous: Synchronous) -> list[str]:
    """Runs a load until the power goes; checks what is left; returns what was answered and is lost."""
    draw = random.Random(seed)
    done = load.Done()
    disk = Disk(cut_after=draw.randrange(LONGEST))
    with tempfile.TemporaryDirectory() as before, tempfile.TemporaryDirectory() as after:
        try:
            store = SqliteStore(
                Path(before) / "city.db", SystemClock(), synchronous=synchronous, vfs=disk.name
            )
        except CityloomError:
            store = None
        if store is not None:
            load.run(store, seed, WORKS, done.note)
            disk.cut()
            with pytest.raises(CityloomError):
                put(store, lamp(1))
        disk.leave(Path(after), loss, draw)
        if store is not None:
            with contextlib.suppress(CityloomError):
                store.close()
        disk.unregister()
        path = Path(after) / "city.db"
        if synchronous != "FULL":
            return lost_without_sync(path, done)
        store = SqliteStore(path, SystemClock())
        try:
            load.check_whole(store, path)
            lost = load.losses(store, done)
            put(store, lamp(1))
        finally:
            store.close()
        return lost


def lost_without_sync(path: Path, done: load.Done) -> list[str]:
    """What is lost; a file that cannot be opened or read lost everything."""
    store = None
    try:
        store = SqliteStore(path, SystemClock())
        return load.losses(store, done)
    except CityloomError:
        return [f"everything up to event {done.seq}"] if done.seq else []
    finally:
        if store is not None:
            store.close()


@pytest.mark.parametrize("loss", ["all", "random", "torn"])
@pytest.mark.parametrize("seed", range(8))
def test_answered_writes_survive_a_power_cut(seed: int, loss: Loss) -> None:
    assert cut_and_reopen(seed, loss, "FULL") == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_a_power_cut_loses_answered_writes_when_commits_are_not_synced(
    synchronous: Synchronous, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CHECKPOINT_PAGES", 1_000_000)
    assert any(cut_and_reopen(seed, "all", synchronous) for seed in range(8))


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("loss", ["all", "random", "torn"])
def test_answered_writes_survive_hundreds_of_power_cuts(loss: Loss) -> None:
    for seed in range(1000, 1200):
        assert cut_and_reopen(seed, loss, "FULL") == [], seed
