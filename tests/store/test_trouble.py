"""A disk that is full or failing: read-only with the reason, nothing half written, well again by itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs

from cityloom.model.clock import SystemClock
from cityloom.model.errors import StoreFailed
from cityloom.query.values import Query
from cityloom.store.sqlite import SqliteStore
from cityloom.store.sqlite import writer as sqlite_writer
from cityloom.store.tables.base import trouble
from tests.laws.values import CAUSE, lamp, put, see
from tests.store.power import Disk

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer looks often whether it is over."""
    monkeypatch.setattr("cityloom.store.tables.writer.TRY_SECONDS", 0.01)


class Place(NamedTuple):
    """A store on a disk that can fail."""

    disk: Disk
    store: SqliteStore
    path: Path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    disk = Disk()
    path = tmp_path / "city.db"
    store = SqliteStore(path, SystemClock(), vfs=disk.name)
    yield Place(disk, store, path)
    disk.room = None
    disk.fails.clear()
    store.close()
    disk.unregister()


def until(condition: Callable[[], object]) -> None:
    """Waits until `condition` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "never happened"
        time.sleep(0.002)


def ids(store: SqliteStore) -> list[str]:
    return see(store, lambda snapshot: [entity.id for entity in snapshot.query("", Query())])


def spoil(disk: Disk, how: str) -> None:
    if how == "full":
        disk.room = 0
    else:
        disk.fails.add(how)


@pytest.mark.parametrize(
    ("how", "said"),
    [("full", "the disk is full"), ("write", "the disk failed"), ("sync", "the disk failed")],
)
def test_a_disk_that_fails_makes_the_store_read_only_until_it_is_well(
    place: Place, how: str, said: str
) -> None:
    disk, store, _ = place
    put(store, lamp(1))
    with capture_logs() as logs:
        spoil(disk, how)
        for number in range(2, 12):
            with pytest.raises(StoreFailed, match=rf"city\.db failed: {said}"):
                put(store, lamp(number))
        assert said in store.trouble
        assert store.stats()["writable"] == 0
        assert ids(store) == [lamp(1).id]
        disk.room = None
        disk.fails.clear()
        until(lambda: not store.trouble)
        assert store.stats()["writable"] == 1
        event = put(store, lamp(20))
    assert event is not None
    assert event.seq == 2
    assert see(store, lambda snapshot: [event.seq for event in snapshot.events(0)]) == [1, 2]
    assert ids(store) == [lamp(1).id, lamp(20).id]
    told = [(line["log_level"], line["event"]) for line in logs]
    assert told == [
        ("error", "the store cannot be written"),
        ("warning", "the store can be written again"),
    ]


def test_writes_are_taken_again_only_when_there_is_room_for_more_than_a_trial(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, store, _ = place
    free = shutil.disk_usage(place.path.parent)._replace(free=sqlite_writer.ROOM - 1)
    asked: list[Path] = []

    def usage(folder: Path) -> object:
        asked.append(folder)
        return free

    monkeypatch.setattr(sqlite_writer.shutil, "disk_usage", usage)
    disk.room = 0
    with pytest.raises(StoreFailed):
        put(store, lamp(1))
    disk.room = None
    until(lambda: len(asked) > 3)
    with pytest.raises(StoreFailed, match="the disk is full"):
        put(store, lamp(2))
    free = free._replace(free=sqlite_writer.ROOM)
    until(lambda: not store.trouble)
    put(store, lamp(3))
    assert ids(store) == [lamp(3).id]


def test_a_full_disk_fails_every_work_of_the_group(place: Place) -> None:
    disk, store, _ = place
    big = "x" * 100_000
    disk.room = 20_000
    refused = set()
    futures = {}
    for number in range(10):
        entity = lamp(number, big if number == 5 else "on")
        try:
            futures[number] = store.submit(lambda tx, entity=entity: tx.write_entity("", None, entity, CAUSE))
        except StoreFailed:
            refused.add(number)
    refused |= {number for number, future in futures.items() if future.exception(30) is not None}
    assert 5 in refused
    assert ids(store) == [lamp(number).id for number in range(10) if number not in refused]


def test_a_write_that_was_refused_is_not_there_when_the_node_is_killed_then(
    place: Place, tmp_path: Path
) -> None:
    """The log held it whole, only its sync failed: whoever reads the log next would take it for committed."""
    disk, store, path = place
    put(store, lamp(1))
    disk.fails.add("sync")
    with pytest.raises(StoreFailed):
        put(store, lamp(2))
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("city.db", "city.db-wal"):
        shutil.copy(path.with_name(name), killed / name)
    again = SqliteStore(killed / "city.db", SystemClock())
    assert ids(again) == [lamp(1).id]
    again.close()


def test_trouble_is_told_with_the_last_reason_and_how_many_it_cost() -> None:
    one = trouble.Trouble("city")
    assert (bool(one), one.reason) == (False, "")
    one.end()
    with capture_logs() as logs:
        one.begin(StoreFailed("full"), OSError())
        one.begin(StoreFailed("away"), OSError())
        assert (one.refusal().detail, one.refusal().detail) == ("away", "away")
        one.end()
    assert [line.get("refused") for line in logs] == [None, 2]
