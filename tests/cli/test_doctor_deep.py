"""`doctor --deep` on a city of which a disk spoiled something, or another program wrote it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from cityloom.cli.deep import examine_deeply
from cityloom.folder import CityFolder
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import ConfigurationError
from cityloom.store.sqlite import SqliteStore
from cityloom.store.sqlite.connection import FileLock
from tests.cli.test_commands import run
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import lamp, put


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A city with something in both tiers."""
    folder = CityFolder(tmp_path / "city", make=True)
    store = SqliteStore(folder.store_file, SimulatedClock(START))
    for number in range(20):
        put(store, lamp(number))
    assert store.cold.move(LATER) == 20
    store.close()
    return folder.path


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 16
    file.write_bytes(content)


def deeply(town: Path, *, accept: bool = False) -> tuple[set[str], str]:
    """The states that a deep look finds, and what it says."""
    findings = list(examine_deeply(CityFolder(town), accept=accept))
    return {finding.state for finding in findings}, "\n".join(finding.what for finding in findings)


def test_deep_look_finds_what_was_spoiled(town: Path) -> None:
    states, said = deeply(town)
    assert states == {"ok"}
    assert "every page holds what was written" in said
    assert "files hold what was written" in said
    flip(next((town / "history").rglob("*.parquet")), 500)
    states, said = deeply(town)
    assert states == {"ok", "fail"}
    assert "holds other bytes than were written" in said
    refused = run("backup", "--data", town, "--out", town.parent / "town.tar.gz")
    assert refused.returncode == 1
    assert "no backup is made: the file instances/" in refused.stderr
    assert "holds other bytes than were written" in refused.stderr
    assert not (town.parent / "town.tar.gz").exists()
    flip(town / "cityloom.sqlite", 3 * 4096 + 2000)
    assert "not what was written: 1 page, number 4" in deeply(town)[1]
    spoiled = run("doctor", "--data", town, "--deep")
    assert spoiled.returncode == 1
    assert "FAIL store: not what was written: 1 page" in spoiled.stdout
    assert "restore the last backup" in spoiled.stdout


def test_pages_that_another_program_wrote_are_taken_when_that_is_said(town: Path) -> None:
    with sqlite3.connect(town / "cityloom.sqlite") as other:
        other.execute("INSERT INTO meta VALUES ('theirs', 1)")
    other.close()
    assert deeply(town)[0] >= {"fail"}
    lock = FileLock(town / "cityloom.sqlite")  # as a node has it
    with pytest.raises(ConfigurationError, match="already in use"):
        deeply(town, accept=True)
    lock.release()
    states, said = deeply(town, accept=True)
    assert states == {"ok", "warn"}
    assert "taken as they are" in said
    assert deeply(town)[0] == {"ok"}
