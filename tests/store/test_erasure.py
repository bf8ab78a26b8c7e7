"""Erased personal data are in none of the store's files any more."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cityloom.model.clock import SystemClock
from cityloom.store.sqlite import SqliteStore
from cityloom.store.tables import writer
from tests.laws.values import CAUSE, do, lamp, put

SECRET = "Ada-Lovelace-12-Kensington-Gardens"


def holders(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if SECRET.encode() in file.read_bytes()}


@pytest.mark.parametrize("length", [1, 500, 20_000])
def test_erased_data_are_in_no_file(tmp_path: Path, length: int) -> None:
    store = SqliteStore(tmp_path / "city.db", SystemClock())
    ids = [f"urn:ngsi-ld:Report:{number}" for number in range(40)]
    for turn in ("first", "second longer"):
        for entity_id in ids:
            body = {"name": SECRET, "turn": turn, "text": "y" * length}
            do(store, lambda tx, entity_id=entity_id, body=body: tx.put_personal("", entity_id, body, CAUSE))
    assert holders(tmp_path)
    for entity_id in ids:
        assert do(store, lambda tx, entity_id=entity_id: tx.erase_personal("", entity_id, "officer"))
    do(store, lambda _: None)  # the log is emptied before the next work runs
    assert holders(tmp_path) == set()
    store.close()
    assert holders(tmp_path) == set()


def test_erasure_waits_for_a_reader_and_then_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WIPE_AGAIN_SECONDS", 0.01)
    store = SqliteStore(tmp_path / "city.db", SystemClock())
    do(store, lambda tx: tx.put_personal("", "urn:r", {"name": SECRET}, CAUSE))
    put(store, lamp(1))
    reading, release = threading.Event(), threading.Event()

    def hold() -> None:
        with store.snapshot() as snapshot:
            snapshot.last_seq()
            reading.set()
            release.wait(30)

    reader = threading.Thread(target=hold)
    reader.start()
    reading.wait(30)
    assert do(store, lambda tx: tx.erase_personal("", "urn:r", "officer"))
    put(store, lamp(2))
    release.set()
    reader.join()
    wiped = threading.Event()
    for _ in range(500):
        if holders(tmp_path) == set():
            wiped.set()
            break
        wiped.wait(0.01)
    assert wiped.is_set()
    store.close()


def test_data_erased_by_a_process_that_died_are_gone_after_opening(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "city.db", SystemClock())
    do(store, lambda tx: tx.put_personal("", "urn:r", {"name": SECRET}, CAUSE))
    died = tmp_path / "died"
    died.mkdir()
    with store.snapshot() as snapshot:  # keeps the writer from emptying the log
        snapshot.last_seq()
        do(store, lambda tx: tx.erase_personal("", "urn:r", "officer"))
        for file in tmp_path.iterdir():
            if file.is_file():
                (died / file.name).write_bytes(file.read_bytes())
    store.close()
    assert holders(died)
    again = SqliteStore(died / "city.db", SystemClock())
    assert holders(died) == set()
    again.close()
