"""Copies made while the store is in use are whole, of one moment, and never half there."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw
import pytest

from cityloom.model.clock import SystemClock
from cityloom.model.errors import ConfigurationError
from cityloom.store.sqlite import SqliteStore, backup, copy_database
from tests.laws.values import lamp, put
from tests.store import load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "city.db"


def test_backup_of_a_busy_store_is_a_consistent_city(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path, SystemClock())
    done = load.Done()
    load.run(store, 1, 40, done.note)
    shares: list[float] = []
    writing = threading.Thread(target=lambda: [put(store, lamp(n % 50, n)) for n in range(1, 200)])
    writing.start()
    store.backup(str(tmp_path / "copy.db"), shares.append)
    writing.join()
    store.close()
    assert shares == sorted(shares)
    assert shares[-1] == 1
    copy = SqliteStore(tmp_path / "copy.db", SystemClock())
    assert load.losses(copy, done) == []
    put(copy, lamp(99))
    copy.close()


def test_copy_database_copies_what_another_process_has_open(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path, SystemClock())
    done = load.Done()
    load.run(store, 1, 40, done.note)
    copy_database(path, tmp_path / "copy.db")
    store.close()
    copy = SqliteStore(tmp_path / "copy.db", SystemClock())
    load.check_whole(copy, tmp_path / "copy.db")
    assert load.losses(copy, done) == []
    copy.close()


def test_backup_never_overwrites(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path, SystemClock())
    (tmp_path / "copy.db").write_text("dear")
    with pytest.raises(ConfigurationError, match=r"copy\.db already exists"):
        store.backup(str(tmp_path / "copy.db"))
    with pytest.raises(ConfigurationError, match="does not exist"):
        store.backup(str(tmp_path / "none" / "copy.db"))
    store.close()
    assert (tmp_path / "copy.db").read_text() == "dear"


def test_a_backup_that_fails_leaves_nothing(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path, SystemClock())
    put(store, lamp(1))

    def stop(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.backup(str(tmp_path / "copy.db"), stop)
    store.close()
    assert {file.name for file in tmp_path.iterdir()} == {"city.db", "city.db.lock"}


def test_a_damaged_store_is_named_and_not_the_copy_on_the_way(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path, SystemClock())
    for number in range(20):
        put(store, lamp(number))
    store.close()
    content = bytearray(path.read_bytes())
    content[3 * 4096 + 2000] ^= 16
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        copy_database(path, tmp_path / "step.db", backup=tmp_path / "city.tar.gz")
    assert f"the store {path} cannot be used: it is damaged" in str(refused.value)
    assert "step.db" not in str(refused.value)
    assert "not an error" not in str(refused.value)


def test_a_copy_for_which_there_is_no_room_names_the_backup(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(path, SystemClock())
    for number in range(2000):
        put(store, lamp(number))
    store.close()
    begin = backup.begin_copy

    def small(connection: apsw.Connection) -> None:
        begin(connection)
        connection.execute("PRAGMA max_page_count=20").fetchall()

    monkeypatch.setattr(backup, "begin_copy", small)
    with pytest.raises(ConfigurationError) as refused:
        copy_database(path, tmp_path / "step.db", backup=tmp_path / "city.tar.gz")
    assert str(refused.value).startswith(
        f"the backup {tmp_path / 'city.tar.gz'} cannot be written: the disk is full"
    )
    assert not list(tmp_path.glob("step*"))


def test_copy_database_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        copy_database(tmp_path / "none.db", tmp_path / "copy.db")
