"""A byte that a disk spoiled is found wherever it stands, and never told as if it were right."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import apsw
import numpy as np
import pytest

from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import ConfigurationError, StoreFailed
from cityloom.query.values import Query
from cityloom.store.cold.files import differs
from cityloom.store.migrations import migrations
from cityloom.store.sqlite import SqliteStore, checksums, copy_database
from cityloom.store.sqlite.checksums import accept_pages, wrong_frame, wrong_pages
from cityloom.store.sqlite.connection import migrate
from cityloom.store.sqlite.fills import FILLS
from cityloom.store.tables.tiering.status import kept_files
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import HOUR, append, lamp, put, reading, see

FLIPS = 150


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else writes these files: there is nothing to wait for."""
    monkeypatch.setattr(checksums, "_PAUSE", 0)


def open_store(path: Path) -> SqliteStore:
    return SqliteStore(path, SimulatedClock(START))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A city's file with something in all its tables, cold ones beside it."""
    path = tmp_path / "city.db"
    store = open_store(path)
    for number in range(150):
        put(store, lamp(number, f"state {number} " + "x" * (number % 7 * 900)))
    for number in range(5):
        hours = (reading(hour, START + hour * HOUR) for hour in range(50))
        append(store, f"urn:ngsi-ld:Sensor:{number}", *hours)
    store.cold.move(LATER)
    for number in range(0, 150, 3):
        put(store, lamp(number, "again"))
    store.close()
    return path


def flip(content: bytearray, place: int, draw: random.Random) -> None:
    content[place] ^= 1 << draw.randrange(8)


def found(path: Path) -> list[int]:
    """The wrong pages; the first one where the header itself is none any more."""
    try:
        return wrong_pages(path)
    except ConfigurationError as error:
        return [1] if "is damaged" in error.detail else []


def test_a_flipped_bit_anywhere_in_the_file_is_found(path: Path) -> None:
    draw = random.Random(5)
    whole = path.read_bytes()
    assert wrong_pages(path) == []
    spoiled = path.with_name("spoiled.db")
    for place in [*range(100), *(draw.randrange(len(whole)) for _ in range(FLIPS))]:
        content = bytearray(whole)
        flip(content, place, draw)
        spoiled.write_bytes(content)
        assert found(spoiled) == [place // 4096 + 1]


def test_a_flipped_bit_in_the_log_is_found_unless_nothing_follows_it(tmp_path: Path) -> None:
    draw = random.Random(6)
    store = open_store(tmp_path / "city.db")
    for number in range(12):
        put(store, lamp(number))
    log = tmp_path / "city.db-wal"
    whole = log.read_bytes()
    store.close()
    assert len(whole) > 12 * 4096
    assert wrong_frame(log) is None  # there is none any more
    log.write_bytes(whole)
    assert wrong_frame(log) is None
    frames = (len(whole) - 32) // 4120
    for place in [*range(32), *(draw.randrange(len(whole) - 4120) for _ in range(FLIPS // 3))]:
        content = bytearray(whole)
        flip(content, place, draw)
        log.write_bytes(content)
        assert wrong_frame(log) == max(1, (place - 32) // 4120 + 1), place
    # Half a frame at the end is what a killed node leaves.
    log.write_bytes(whole[: 32 + (frames - 1) * 4120 + 2000])
    assert wrong_frame(log) is None


def test_a_flipped_bit_in_a_file_of_cold_history_is_found(path: Path) -> None:
    draw = random.Random(7)
    store = open_store(path)
    kept = see(store, kept_files)
    place = path.with_name("history")
    store.close()
    assert {Path(one.path).suffix for one in kept} == {".json", ".parquet"}
    assert [differs(place, one) for one in kept] == [""] * len(kept)
    for one in kept:
        file = place / one.path
        whole = file.read_bytes()
        for _ in range(20):
            content = bytearray(whole)
            flip(content, draw.randrange(len(whole)), draw)
            file.write_bytes(content)
            assert differs(place, one) == "holds other bytes than were written"
        file.write_bytes(whole[:-1])
        assert "bytes, not" in differs(place, one)
        file.unlink()
        assert differs(place, one) == "is missing"


def test_the_sums_are_those_that_are_computed_word_by_word() -> None:
    words = np.random.default_rng(1).integers(0, 2**32, (3, 1022), dtype=np.uint32)
    for row, told in zip(words, checksums._sums(words), strict=True):
        a = b = 0
        for first, second in zip(row[::2], row[1::2], strict=True):
            a = (a + int(first) + b) % 2**32
            b = (b + int(second) + a) % 2**32
        assert (int(told[0]), int(told[1])) == (a, b)


def test_a_spoiled_page_is_never_told_nor_backed_up(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    at = content.index(b"state 146 ")
    path.write_bytes(content[:at] + b"State" + content[at + 5 :])
    store = open_store(path)
    with pytest.raises(StoreFailed, match="a page does not hold what was written"):
        see(store, lambda snapshot: snapshot.get("", lamp(146).id))
    assert see(store, lambda snapshot: snapshot.get("", lamp(3).id)) == lamp(3, "again")
    with pytest.raises(ConfigurationError, match="a page does not hold what was written"):
        store.backup(str(tmp_path / "copy.db"))
    assert not (tmp_path / "copy.db").exists()
    store.close()


def test_a_copy_has_checksums_of_its_own(path: Path, tmp_path: Path) -> None:
    copy_database(path, tmp_path / "copy.db")
    assert wrong_pages(tmp_path / "copy.db") == []


def test_a_file_of_an_older_version_gets_checksums_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "city.db"
    older = apsw.Connection(str(path), vfs="unix")
    older.execute("PRAGMA page_size=4096")
    migrate(older, path, migrations("sqlite"), FILLS)
    older.close()
    with pytest.raises(ConfigurationError, match="no checksums yet"):
        wrong_pages(path)
    older = apsw.Connection(str(path), vfs="unix")
    # More than is kept in memory, so that pages are written in an order of their own.
    older.execute("CREATE TABLE filling (text)")
    with older:
        older.executemany("INSERT INTO filling VALUES (?)", [(f"{number}" * 900,) for number in range(6000)])
    older.execute("PRAGMA journal_mode=WAL").fetchall()
    older.close()
    store = open_store(path)
    put(store, lamp(1))
    assert see(store, lambda snapshot: [one.id for one in snapshot.query("", Query())]) == [lamp(1).id]
    store.close()
    assert wrong_pages(path) == []


def test_pages_that_another_program_wrote_are_taken_when_that_is_said(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO meta VALUES ('theirs', 1)")
    other.close()
    wrong = wrong_pages(path)
    assert wrong
    before = path.read_bytes()
    accept_pages(path, wrong)
    assert wrong_pages(path) == []
    changed = [
        place for place, (old, new) in enumerate(zip(before, path.read_bytes(), strict=True)) if old != new
    ]
    assert {place % 4096 >= 4088 for place in changed} == {True}
    open_store(path).close()


def test_a_file_that_ends_within_a_page_is_damaged(path: Path) -> None:
    shutil.copy(path, path.with_name("cut.db"))
    with path.with_name("cut.db").open("r+b") as file:
        file.truncate(path.stat().st_size - 100)
    assert wrong_pages(path.with_name("cut.db")) == [path.stat().st_size // 4096]
