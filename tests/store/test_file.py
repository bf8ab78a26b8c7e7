"""Opening a city's file: what can be wrong with it is said in one sentence, and nothing is spoilt."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import apsw
import pytest
from structlog.testing import capture_logs

from cityloom.model.clock import SystemClock
from cityloom.model.errors import ConfigurationError, StoreFailed
from cityloom.query.values import Query
from cityloom.store.migrations import Migration, migrations
from cityloom.store.ports import Store
from cityloom.store.sqlite import SqliteStore
from cityloom.store.sqlite import writer as sqlite_writer
from cityloom.store.sqlite.connection import APPLICATION_ID, migrate
from cityloom.store.sqlite.fills import FILLS
from cityloom.store.tables import writer as group_commit
from tests.laws.values import do, lamp, put, see
from tests.store.power import Disk

ROOT = Path(__file__).parents[2]


def open_store(path: Path, vfs: str | None = None) -> SqliteStore:
    return SqliteStore(path, SystemClock(), vfs=vfs)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "city.db"


def test_open_makes_the_file_and_finds_it_again(path: Path) -> None:
    store: Store = open_store(path)
    put(store, lamp(1))
    store.close()
    store = open_store(path)
    assert see(store, lambda snapshot: snapshot.get("", lamp(1).id)) == lamp(1)
    store.close()


def test_the_file_is_for_its_owner_alone(path: Path, tmp_path: Path) -> None:
    store = open_store(path)
    put(store, lamp(1))
    store.backup(str(tmp_path / "copy.db"))
    modes = {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir() if file.suffix != ".lock"}
    store.close()
    assert modes == dict.fromkeys(["city.db", "city.db-wal", "city.db-shm", "copy.db"], 0)


def test_open_refuses_when_the_folder_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="none does not exist"):
        open_store(tmp_path / "none" / "city.db")


def test_open_refuses_when_the_path_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no file"):
        open_store(tmp_path)


def test_open_refuses_when_the_file_is_in_use(path: Path) -> None:
    store = open_store(path)
    with pytest.raises(ConfigurationError, match="already in use"):
        open_store(path)
    put(store, lamp(1))
    store.close()
    open_store(path).close()


@pytest.mark.parametrize("content", [b"this is a text, and a long one " * 400, b"\0" * 8192])
def test_open_refuses_when_the_file_is_no_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"city\.db cannot be used: it is no SQLite database"):
        open_store(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("application", [0, 42])
def test_open_refuses_another_programs_database_and_leaves_it_alone(path: Path, application: int) -> None:
    other = apsw.Connection(str(path))
    other.execute(f"PRAGMA application_id={application}; CREATE TABLE entity (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="another program's database"):
        open_store(path)
    assert path.read_bytes() == before


def test_open_refuses_a_damaged_file(path: Path) -> None:
    store = open_store(path)
    for number in range(200):
        put(store, lamp(number))
    store.close()
    whole = bytearray(path.read_bytes())
    whole[100:4096] = os.urandom(3996)
    path.write_bytes(whole)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        open_store(path)


def test_open_refuses_a_newer_versions_file(path: Path) -> None:
    open_store(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE meta SET value = 999 WHERE key = 'version'")
    connection.close()
    with pytest.raises(ConfigurationError, match="newer version of Cityloom: its schema is 999"):
        open_store(path)


def test_open_refuses_a_read_only_file(path: Path) -> None:
    open_store(path).close()
    path.chmod(0o444)
    path.parent.chmod(0o755)
    script = textwrap.dedent(
        f"""
        import os
        from pathlib import Path
        from cityloom.model.clock import SystemClock
        from cityloom.model.errors import ConfigurationError
        from cityloom.store.sqlite import SqliteStore, writer
        if os.getuid() == 0:
            os.chmod({str(path)!r} + ".lock", 0o666)
            os.setuid(65534)
        try:
            SqliteStore(Path({str(path)!r}), SystemClock())
        except ConfigurationError as error:
            print(error.detail)
        """
    )
    if os.getuid() == 0:
        for folder in path.parents:
            if not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "city.db cannot be used: it is read-only" in found.stdout, found.stderr


def test_a_surprise_in_a_commit_answers_everyone_and_the_writer_lives(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(path)

    def surprise(_tally: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(group_commit, "encode_tally", surprise)
        with pytest.raises(StoreFailed, match="MemoryError"):
            put(store, lamp(1))
    put(store, lamp(2))
    assert see(store, lambda snapshot: [entity.id for entity in snapshot.query("", Query())]) == [lamp(2).id]
    store.close()


def test_a_disk_that_is_full_at_opening_is_told(path: Path) -> None:
    disk = Disk(full_after=10_000)
    with pytest.raises(ConfigurationError, match="the disk is full"):
        open_store(path, disk.name)
    disk.unregister()


LATER = Migration(
    len(migrations("sqlite")) + 1,
    "later",
    "ALTER TABLE cursor ADD COLUMN moved INTEGER; CREATE TABLE extra (x);",
)


def test_migrate_upgrades_an_old_file_and_keeps_what_is_in_it(path: Path) -> None:
    first = migrations("sqlite")[:1]
    connection = apsw.Connection(str(path))
    migrate(connection, path, first, FILLS)
    connection.close()
    store = open_store(path)
    put(store, lamp(1))
    do(store, lambda tx: tx.move_cursor("maps", 1))
    store.close()
    connection = apsw.Connection(str(path))
    migrate(connection, path, [*migrations("sqlite"), LATER], FILLS)
    assert connection.execute("SELECT value FROM meta WHERE key = 'version'").get == LATER.number
    assert connection.execute("SELECT consumer, seq, moved FROM cursor").get == ("maps", 1, None)
    assert connection.execute("SELECT count(*) FROM entity").get == 1
    migrate(connection, path, [*migrations("sqlite"), LATER], FILLS)
    connection.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        open_store(path)


def test_migrate_changes_nothing_when_a_step_fails(path: Path) -> None:
    broken = Migration(LATER.number + 1, "broken", "CREATE TABLE half (x); INSERT INTO nowhere VALUES (1);")
    connection = apsw.Connection(str(path))
    migrate(connection, path, migrations("sqlite"), FILLS)
    with pytest.raises(apsw.SQLError):
        migrate(connection, path, [*migrations("sqlite"), LATER, broken], FILLS)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    assert not tables & {"half", "extra"}
    assert connection.execute("PRAGMA application_id").get == APPLICATION_ID
    connection.close()
    open_store(path).close()


def test_migrations_are_numbered_without_a_gap() -> None:
    steps = migrations("sqlite")
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))


def test_a_long_log_moves_into_the_file_beside_the_writes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "CHECKPOINT_PAGES", 40)
    store = open_store(path)
    for number in range(400):
        put(store, lamp(number))
    assert store.stats()["checkpoints"] >= 4
    # Whoever copies the file alone finds what was moved, and the log stays short.
    alone = path.with_name("copy.db")
    alone.write_bytes(path.read_bytes())
    assert path.with_name("city.db-wal").stat().st_size < 2 * sqlite_writer.LONG_LOG * 40 * 4120
    copy = apsw.Connection(str(alone), flags=apsw.SQLITE_OPEN_READWRITE)
    moved = copy.execute("SELECT count(*) FROM entity").get
    copy.close(True)
    assert 200 < moved <= 400
    assert store.stats()["entities"] == 400
    store.close()


def test_a_log_that_cannot_be_moved_is_told_and_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "CHECKPOINT_PAGES", 40)

    def broken(*_: object) -> apsw.Connection:
        raise apsw.IOError("no such disk")

    with monkeypatch.context() as failing:
        failing.setattr("cityloom.store.sqlite.store.open_mover", broken)
        store = open_store(path)
        with capture_logs() as logs:
            for number in range(300):
                put(store, lamp(number))
    assert {(line["event"], line["reason"]) for line in logs} == {("checkpoint failed", "no such disk")}
    store.close()
    again = open_store(path)
    assert again.stats()["entities"] == 300
    again.close()
