"""`doctor --deep` on a city of which a disk spoiled something, or another program wrote it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from cityloom.cli.deep import examine_kept
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
    findings = list(examine_kept(CityFolder(town), deep=True, accept=accept))
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


def lines(told: str, thing: str) -> list[str]:
    """What `doctor` says of a thing."""
    return [line for line in told.splitlines() if line[5:].startswith(thing + ":")]


def test_what_is_damaged_is_not_told_as_well_in_another_line(town: Path) -> None:
    flip(next((town / "history").rglob("*.parquet")), 500)
    told = run("doctor", "--data", town, "--deep").stdout
    (history,) = lines(told, "history")
    assert "FAIL history: 1 of 3 files are damaged" in history
    (store,) = lines(told, "store")
    assert store.startswith("ok   store: ")
    shutil.rmtree(town / "history")
    (history,) = lines(run("doctor", "--data", town).stdout, "history")
    assert history.startswith("FAIL history: the cold history")
    flip(town / "cityloom.sqlite", 3 * 4096 + 2000)
    (store,) = lines(run("doctor", "--data", town, "--deep").stdout, "store")
    assert store.startswith("FAIL store: not what was written: 1 page, number 4")


def test_history_of_a_store_that_cannot_be_read_is_not_told_as_lost(town: Path) -> None:
    with (town / "cityloom.sqlite").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8000)
    for how in ([], ["--deep"]):
        told = run("doctor", "--data", town, *how).stdout
        assert [line[:4] for line in lines(told, "store")] == ["FAIL"], told
        assert lines(told, "history") == [
            "warn history: not looked at, as the store does not say what there must be"
        ]


def test_a_plain_look_says_that_it_has_not_seen_every_byte(town: Path) -> None:
    told = run("doctor", "--data", town).stdout
    (store,) = lines(told, "store")
    assert "--deep looks at every byte" in store
    assert "whole" not in told


def test_a_failure_of_all_is_told_once(town: Path) -> None:
    folder = CityFolder(town)
    settings = {"store": "postgresql://nobody@127.0.0.1:1/city"}
    folder.write(replace(folder.configuration, settings=settings))
    for how in ([], ["--deep"]):
        told = run("doctor", "--data", town, *how)
        assert told.returncode == 1
        assert told.stdout.count("cannot be used: it cannot be reached") == 1, told.stdout


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
