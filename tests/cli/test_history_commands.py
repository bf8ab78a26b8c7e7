"""`cityloom history` as an operator uses it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import polars as pl
from msgspec.structs import replace

from cityloom.folder import CityFolder
from cityloom.store.sqlite.connection import FileLock
from tests.cli.test_commands import LIGHTS, refused, run, town
from tests.nodes import NodeProcess

__all__ = ["town"]
SPAN = ("--from", "2026-05-01T00:00:00Z", "--to", "2026-05-02T00:00:00Z")


def lines(*words: str | Path) -> str:
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def exported(town: Path, to: Path) -> list[tuple[str, str | None]]:
    asked = ("--type", "Streetlight", "--attrs", "powerState", *SPAN)
    lines("history", "export", "--data", town, "--out", to, *asked)
    return sorted(pl.read_parquet(to).select("entityId", "json").iter_rows())


def test_history_moves_is_compacted_and_stays_the_same(town: Path, tmp_path: Path) -> None:
    before = exported(town, tmp_path / "before.parquet")
    assert len(before) == 2
    assert "nothing has moved yet" in lines("history", "status", "--data", town)
    assert "--older-than is required" in refused("history", "move", "--data", town)
    moved = lines("history", "move", "--data", town, "--older-than", "P1D")
    assert not moved.startswith("0 ")
    assert lines("history", "move", "--data", town, "--older-than", "P1D").startswith("0 ")
    assert "2026-05" in lines("history", "status", "--data", town)
    assert "ok   history: " in run("doctor", "--data", town).stdout
    for command in ("compact", "retain", "vacuum"):
        lines("history", command, "--data", town)
    with NodeProcess(town):
        assert exported(town, tmp_path / "after.parquet") == before
        assert "another node has it open" in refused("history", "compact", "--data", town)
    backup, again = tmp_path / "backup.tar.gz", tmp_path / "again"
    lines("backup", "--data", town, "--out", backup)
    lines("restore", backup, "--data", again)
    assert exported(again, tmp_path / "again.parquet") == before


def test_the_past_is_imported_in_bulk(town: Path, tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    file.write_text(
        "id,type,attribute,observedAt,value\n"
        "urn:ngsi-ld:Streetlight:old,Streetlight,level,2025-03-01T00:00:00Z,1.5\n"
        "urn:ngsi-ld:Streetlight:old,Streetlight,level,2025-03-01T00:00:00Z,1.5\n"
        "urn:ngsi-ld:Streetlight:old,Streetlight,level,2025-03-01T00:10:00Z,\n"
    )
    command = ("history", "import", file, "--data", town, "--source", "archive")
    assert "--older-than is required" in refused(*command)
    command = (*command, "--older-than", "P30D")
    assert lines(*command).startswith("2 instances new, 0 known, 1 row rejected")
    assert lines(*command).startswith("0 instances new, 2 known, 1 row rejected")
    assert '"no value"' in (town / "runs" / "archive" / "1.jsonl").read_text()
    with NodeProcess(town) as node:
        evolution = "ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Streetlight:old?options=temporalValues"
        told = httpx.get(f"{node.url}/{evolution}").json()
        assert told["level"]["values"] == [[1.5, "2025-03-01T00:00:00Z"], [1.5, "2025-03-01T00:00:00Z"]]
        assert "another node has it open" in refused(*command)
    kept = tmp_path / "kept.jsonl"
    lines("export", "--data", town, "--out", kept, "--history", "--type", "Streetlight")
    assert "urn:ngsi-ld:Streetlight:old" in kept.read_text(), "history alone knows it"


def test_times_without_a_zone_are_imported_where_one_is_given(town: Path, tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    file.write_text(
        "id,type,attribute,observedAt,value\n"
        "urn:ngsi-ld:Streetlight:old,Streetlight,level,2025-03-01T00:00:00,1.5\n"
    )
    command = ("history", "import", file, "--data", town, "--source", "archive", "--older-than", "P30D")
    done = run(*command)
    assert done.returncode == 1
    assert "1 rejected: time without zone; say the zone with --time-zone" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("cityloom: no row was taken of 1")
    assert "names no time zone: say it with" in (town / "runs" / "archive" / "1.jsonl").read_text()
    done = run(*command, "--time-zone", "Europe/Zurich")
    assert done.stdout.startswith("1 instance new, 0 known, 0 rows rejected")
    assert done.stderr == "importing archive\n", "no line of a log stands among what people read"


def test_an_import_that_takes_no_row_has_failed(town: Path, tmp_path: Path) -> None:
    (tmp_path / "files" / "lights.csv").write_text(LIGHTS.replace("2026-05-01T", "at "))
    done = run("import", "--data", town)
    assert (done.returncode, "failed" in done.stdout) == (1, True), done.stdout


def test_what_is_past_its_retention_goes_when_it_is_asked_for(town: Path, tmp_path: Path) -> None:
    assert len(exported(town, tmp_path / "before.parquet")) == 2
    folder = CityFolder(town)
    folder.write(replace(folder.configuration, settings={"retention": {"Streetlight": "P1D"}}))
    assert not lines("history", "retain", "--data", town).startswith("0 instances")
    asked = ("--type", "Streetlight", "--attrs", "powerState", *SPAN)
    output = tmp_path / "after.parquet"
    assert "nothing is exported" in refused("history", "export", "--data", town, "--out", output, *asked)


def test_a_node_moves_what_is_old_enough_by_itself(town: Path, tmp_path: Path) -> None:
    before = exported(town, tmp_path / "before.parquet")
    folder = CityFolder(town)
    folder.write(replace(folder.configuration, settings={"coldAfter": "P1D", "coldUrl": "old"}))
    with NodeProcess(town):
        told = lines("history", "status", "--data", town)
        while "instances older than" not in told:  # the test's own timeout ends it
            told = lines("history", "status", "--data", town)
        assert exported(town, tmp_path / "after.parquet") == before
    assert "coldAfter: P1D" in told
    assert list((town / "old" / "instances").glob("*/month=2026-05/*.parquet"))


def test_doctor_says_when_the_tables_are_lost(town: Path) -> None:
    lines("history", "move", "--data", town, "--older-than", "P1D")
    shutil.rmtree(town / "history")
    told = run("doctor", "--data", town)
    assert told.returncode == 1
    assert "cold history" in told.stdout


def test_a_move_to_where_the_tables_are_not_is_refused(town: Path) -> None:
    lines("history", "move", "--data", town, "--older-than", "P1D")
    folder = CityFolder(town)
    folder.write(replace(folder.configuration, settings={"coldUrl": "elsewhere"}))
    said = refused("history", "move", "--data", town, "--older-than", "P1D")
    assert f"is not in {town / 'elsewhere' / 'instances'}: coldUrl must say where it is" in said
    assert not (town / "elsewhere").exists()


def test_a_file_of_the_tables_that_is_missing_is_named(town: Path, tmp_path: Path) -> None:
    lines("history", "move", "--data", town, "--older-than", "P1D")
    file = next(town.glob("history/instances/*/month=2026-05/*.parquet"))
    file.unlink()
    asked = ("--type", "Streetlight", "--attrs", "powerState", *SPAN)
    said = refused("history", "export", "--data", town, "--out", tmp_path / "x.csv", *asked)
    assert f"{file.relative_to(town / 'history')} is missing; bring it back from a backup" in said
    assert file.name in run("doctor", "--data", town, "--deep").stdout


def test_settings_that_do_not_fit_are_told(town: Path) -> None:
    folder = CityFolder(town)
    for settings, command, words in (
        ({"coldAfter": "P30X"}, ("history", "status"), "coldAfter is invalid"),
        ({"replicas": ["postgresql://x/y"]}, ("serve", "--port", "0"), "which has no standbys"),
    ):
        folder.write(replace(folder.configuration, settings=settings))
        assert words in refused(*command, "--data", town)
        examined = run("doctor", "--data", town)
        assert (examined.returncode, words in examined.stdout) == (1, True), examined.stdout


def test_history_says_what_it_cannot(town: Path, tmp_path: Path) -> None:
    asked = ("--type", "X", "--attrs", "y", *SPAN)
    export = ("history", "export", "--data", town, "--out")
    assert "ends in none of" in refused(*export, "x.txt", *asked)
    assert "no entity of type X has instances of y" in refused(*export, tmp_path / "x.csv", *asked)
    backwards = ("--from", SPAN[3], "--to", SPAN[1])
    assert f"--to must be after --from: {SPAN[1]} is not" in refused(
        *export, tmp_path / "x.csv", *asked[:4], *backwards
    )
    assert not (tmp_path / "x.csv").exists()
    said = refused("history", "move", "--data", town, "--older-than", "long")
    assert "--older-than is invalid" in said
    past = ("history", "import", "x.csv", "--data", town, "--source", "s", "--older-than", "P1D")
    assert "--time-zone is invalid" in refused(*past, "--time-zone", "Mars/X")
    assert "holds nothing yet" in refused("history", "compact", "--data", tmp_path)
    assert "holds nothing yet" in refused("export", "--data", tmp_path, "--out", tmp_path / "x")


def test_commands_on_a_file_that_a_node_serves_say_what_it_does_by_itself(town: Path) -> None:
    file = town / "past.csv"
    file.touch()
    lock = FileLock(town / "cityloom.sqlite")  # as a node has it
    try:
        for command in (["move", "--older-than", "P1D"], ["retain"]):
            said = refused("history", *command, "--data", town)
            assert "another node has it open. A node does this by itself: retention all the time" in said
        said = refused("history", "import", file, "--data", town, "--source", "s", "--older-than", "P1D")
        assert "stop the node, import, and start it again" in said
    finally:
        lock.release()


def test_a_process_that_starts_loads_no_tables() -> None:
    code = "import sys, cityloom.app, cityloom.cli.main; print({'polars', 'deltalake'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
