"""A backup that is made while a city is written to and its history moves is of one moment, in both tiers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cityloom.cli.care import backup, restore
from cityloom.cli.deep import examine_kept
from cityloom.folder import CityFolder
from cityloom.model.clock import SimulatedClock
from cityloom.model.history import HistoryAppend
from cityloom.store.ports import Store, Transaction
from cityloom.store.postgres import PostgresStore, examine_postgres, read_through
from cityloom.store.sqlite import SqliteStore
from tests.laws.conftest import START
from tests.laws.values import CAUSE, HOUR, LEVEL, SENSOR, STATE, history, lamp, reading, see
from tests.postgres import server
from tests.store.test_trouble import until

SERIES = "urn:ngsi-ld:Sensor:1"


class Load:
    """Works that each give two lamps the same number, and a series that number as its next reading."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.written = 0
        self._enough = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Writes until the block ends."""
        writing = threading.Thread(target=self._write)
        writing.start()
        try:
            until(lambda: self.written > 20)
            yield
        finally:
            self._enough.set()
            writing.join()

    def _write(self) -> None:
        while not self._enough.is_set():
            number = self.written + 1

            def work(tx: Transaction, number: int = number) -> None:
                for each in (1, 2):
                    tx.write_entity("", tx.get("", lamp(each).id), lamp(each, number), CAUSE)
                one = reading(number, START + number * HOUR)
                tx.append_history("", HistoryAppend(entity_id=SERIES, types=[SENSOR], instances=[one]), CAUSE)

            self._store.submit(work).result(30)
            self.written = number


def check(store: Store, least: int, most: int) -> None:
    """State, history and log are of one moment between `least` and `most` works."""
    found = see(store, lambda snapshot: snapshot.get_many("", [lamp(1).id, lamp(2).id]))
    (number,) = {state.attributes[STATE][0].value for state in found.values()}
    assert isinstance(number, int)
    assert least <= number <= most
    told = Counter(one.attribute.value for one in history(store, SERIES)[LEVEL])
    assert told == Counter(range(1, number + 1))
    for each in (1, 2):
        kept = [one.attribute.value for one in history(store, lamp(each).id)[STATE]]
        assert kept == list(range(1, number + 1))
    events = see(store, lambda snapshot: snapshot.events(0, 1_000_000))
    assert [event.seq for event in events] == list(range(1, 3 * number + 1))


def version(store: SqliteStore) -> int | None:
    """The version of the cold tables that counts."""
    with store.snapshot() as snapshot:
        return snapshot.tiers.cold.state().version


def test_backup_under_load_is_of_one_moment_in_both_tiers(tmp_path: Path) -> None:
    folder = CityFolder(tmp_path / "city", make=True)
    store = SqliteStore(folder.store_file, SimulatedClock(START))
    load, versions = Load(store), set()
    with load.running():
        moving = threading.Event()

        def move() -> None:
            while not moving.is_set():
                store.cold.move(START + load.written * HOUR)

        mover = threading.Thread(target=move)
        mover.start()
        try:
            until(lambda: version(store) is not None)
            for number in range(3):
                least = load.written
                backup(folder.path, tmp_path / f"{number}.tar.gz")
                most = load.written + 1
                again = tmp_path / f"again-{number}"
                restore(tmp_path / f"{number}.tar.gz", again)
                assert {finding.state for finding in examine_kept(CityFolder(again), deep=True)} == {"ok"}
                restored = SqliteStore(again / "cityloom.sqlite", SimulatedClock(START))
                check(restored, least, most)
                versions.add(version(restored))
                restored.close()
        finally:
            moving.set()
            mover.join()
    assert None not in versions
    store.close()


def test_dump_under_load_is_of_one_moment_and_passes_the_doctor(tmp_path: Path) -> None:
    place = server()
    store = PostgresStore(place.database(), SimulatedClock(START))
    load = Load(store)
    dump = tmp_path / "city.dump"
    with load.running():
        least = load.written
        dump.write_bytes(place.program("pg_dump", "--format=custom", "--schema=cityloom", place.url("city")))
        most = load.written + 1
    store.close()
    again = place.database("again")
    place.program("pg_restore", f"--dbname={again}", str(dump))
    assert examine_postgres(again).version > 0
    assert read_through(again) > 3 * least
    restored = PostgresStore(again, SimulatedClock(START))
    check(restored, least, most)
    restored.close()
