"""Long labours are cut into short works, so that nobody waits for them behind the writer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cityloom.model.clock import SimulatedClock
from cityloom.store.ports import Store
from cityloom.store.sqlite import SqliteStore
from cityloom.store.tables.history import writes as history_writes
from cityloom.store.tables.records import log
from tests.laws.conftest import START
from tests.laws.values import HOUR, SENSOR, append, do, lamp, put, reading, see


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = SqliteStore(tmp_path / "city.db", SimulatedClock(START))
    yield store
    store.close()


def test_trim_log_called_again_and_again_trims_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "TRIM_EVENTS", 3)
    for number in range(10):
        put(store, lamp(number))
    assert [do(store, lambda tx: tx.trim_log(2)) for _ in range(4)] == [3, 3, 2, 0]
    assert see(store, lambda snapshot: snapshot.first_seq()) == 9


def test_expire_history_goes_on_where_the_last_call_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_writes, "EXPIRE_ENTITIES", 3)
    for number in range(8):
        append(store, f"urn:ngsi-ld:Sensor:{number}", reading(1, START), reading(2, START + HOUR))

    def expire() -> int:
        return do(store, lambda tx: tx.expire_history("", SENSOR, START + 1, 100))

    assert [expire() for _ in range(4)] == [3, 3, 2, 0]
    append(store, "urn:ngsi-ld:Sensor:7", reading(0, START - HOUR))
    assert sum(expire() for _ in range(3)) == 1
