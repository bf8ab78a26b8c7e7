"""Killed at any step of a move or a compaction, each instance is in history exactly once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from cityloom.model.clock import SimulatedClock
from cityloom.store.sqlite import SqliteStore
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import CAUSE, HOUR, LEVEL, append, do, history, reading
from tests.store.cold_killed import STEPS

ROOT = Path(__file__).parents[2]
ENTITIES = [f"urn:ngsi-ld:Sensor:{number}" for number in range(4)]


def open_at(path: Path) -> SqliteStore:
    return SqliteStore(path, SimulatedClock(START))


def fill(store: SqliteStore, hours: range) -> None:
    for entity_id in ENTITIES:
        append(store, entity_id, *(reading(hour, START + hour * 50 * HOUR) for hour in hours))


def told(store: SqliteStore) -> dict[str, list[tuple[object, str | None]]]:
    return {
        entity_id: [
            (one.attribute.value, one.attribute.instance_id) for one in history(store, entity_id)[LEVEL]
        ]
        for entity_id in ENTITIES
    }


def in_tables(store: SqliteStore) -> Counter[tuple[str, float]]:
    """What whoever opens the newest version of the tables finds."""
    table = pl.read_delta(store.cold._tables.url)
    return Counter(table.select("entityId", "number").iter_rows())


def kill(path: Path, step: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.cold_killed", str(path), step], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_each_instance_is_there_exactly_once(step: str, tmp_path: Path) -> None:
    path = tmp_path / "city.db"
    store = open_at(path)
    fill(store, range(9))
    store.cold.move(START + 100 * HOUR)
    gone = history(store, ENTITIES[0])[LEVEL][0].attribute.instance_id
    do(store, lambda tx: tx.delete_history("", ENTITIES[0], CAUSE, name=LEVEL, instance_id=gone))
    expected = told(store)
    store.close()
    if step == "restored":
        kill(path, "appended")
    kill(path, step)

    store = open_at(path)
    assert told(store) == expected
    # Writes go on before anybody mends the tables, and old instances that come again are still known.
    fill(store, range(11))
    expected = told(store)
    assert [len(instances) for instances in expected.values()] == [11] * 4
    store.cold.move(LATER)
    assert told(store) == expected
    store.cold.compact()
    assert told(store) == expected
    assert in_tables(store) == Counter((entity_id, hour) for entity_id in ENTITIES for hour in range(11))
    store.close()
