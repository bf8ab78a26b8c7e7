"""A write that was answered is there after the process was killed, and no event is doubled."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cityloom.model.clock import SystemClock
from cityloom.store.sqlite import SqliteStore
from tests.laws.values import lamp, put
from tests.store import load

ROOT = Path(__file__).parents[2]


def kill_and_reopen(seed: int, path: Path) -> None:
    draw = random.Random(seed)
    done = load.Done()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.killed", str(path), str(seed)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    killer = threading.Timer(draw.uniform(0.0, 0.7), process.send_signal, (signal.SIGKILL,))
    killer.start()
    for line in process.stdout:
        if line.endswith(b"\n"):
            entity_id, version, seq = line.decode().split()
            done.note(entity_id, int(version), int(seq))
    process.stdout.close()
    assert process.wait(30) == -signal.SIGKILL
    killer.join()
    store = SqliteStore(path, SystemClock())
    try:
        assert load.losses(store, done) == []
        load.check_whole(store, path)
        put(store, lamp(1))
    finally:
        store.close()


@pytest.mark.parametrize("seed", range(3))
def test_answered_writes_survive_a_kill(seed: int, tmp_path: Path) -> None:
    kill_and_reopen(seed, tmp_path / "city.db")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_answered_writes_survive_fifty_kills(tmp_path: Path) -> None:
    for seed in range(100, 150):
        kill_and_reopen(seed, tmp_path / f"{seed}.db")
