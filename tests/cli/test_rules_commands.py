"""`cityloom rules`: from a file in an editor to a rule that decides."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import cityloom
from cityloom.folder import CityConfiguration, CityFolder
from tests.cli.test_commands import refused, run
from tests.nodes import NodeProcess

TABLE = """
decisionTable: who-comes
kind: routing
version: "{version}"
hitPolicy: FIRST
inputs:
  - {{name: type, optional: true}}
outputs: [{{name: department}}]
rows: who.csv
"""
ROWS = "id,type,department\nlamps,street-light,lighting\nelse,,sanitation\n"
PROFILE = Path(cityloom.__file__).parent / "profiles" / "sample"
NEXT_WEEK = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rules")
    city = CityFolder(made / "city", make=True)
    city.write(CityConfiguration(profile="sample", name="Rules"))
    (made / "who.yaml").write_text(TABLE.format(version="1"))
    (made / "who.csv").write_text(ROWS)
    return made


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[NodeProcess]:
    with NodeProcess(folder / "city") as running:
        yield running


def test_check_tells_what_a_table_lacks_without_a_node(folder: Path, tmp_path: Path) -> None:
    done = run("rules", "check", folder / "who.yaml", "--data", folder / "city")
    assert (done.returncode, done.stdout.strip()) == (0, "who-comes 1: 2 rows, whole"), done.stderr
    (tmp_path / "who.yaml").write_text(TABLE.format(version="1"))
    (tmp_path / "who.csv").write_text("id,type,department\nelse,,navy\nlamps,unicorn,lighting\n")
    done = run("rules", "check", tmp_path / "who.yaml", "--data", folder / "city")
    assert done.returncode == 1
    for says in (
        "error: row lamps: is never reached",
        "error: row else: department 'navy' does not exist",
        "error: row lamps: type 'unicorn' does not exist",
    ):
        assert says in done.stdout
    (tmp_path / "who.csv").write_text("id,type,colour\n")
    assert "the column 'colour' does not exist" in refused("rules", "check", tmp_path / "who.yaml")


def test_check_reads_the_tables_of_the_citys_profile(folder: Path, tmp_path: Path) -> None:
    done = run("rules", "check", "--data", folder / "city")
    assert done.returncode == 0, done.stderr
    for name in ("loomhaven-live", "loomhaven-routing"):
        assert f"{name} 2026-11-30: " in done.stdout
    own = tmp_path / "profile"
    shutil.copytree(PROFILE, own)
    city = CityFolder(tmp_path / "city", make=True)
    city.write(CityConfiguration(profile=str(own), name="Own"))
    rows = own / "rules" / "routing.csv"
    rows.write_text(rows.read_text().replace('lighting,"', 'lamps,"').replace(",lighting,", ",navy,"))
    done = run("rules", "check", "--data", city.path)
    assert done.returncode == 1
    assert "error: row lamps: department 'navy' does not exist" in done.stdout
    assert "loomhaven-live 2026-11-30: " in done.stdout
    assert "routing.yaml: 1 error; the table cannot be adopted" in done.stderr.replace("\n", "")
    assert "FILE is required, or --data" in refused("rules", "check")


def test_a_table_goes_from_file_to_draft_to_adoption(folder: Path, node: NodeProcess, tmp_path: Path) -> None:
    at = ("--url", node.url)
    for _ in range(2):  # the second time it edits the draft
        done = run("rules", "put", folder / "who.yaml", *at)
        assert done.stdout.strip() == "who-comes 1: a draft", done.stderr
    outcome = tmp_path / "outcome.json"
    done = run("rules", "replay", "who-comes", "1", "--out", outcome, *at)
    assert "0 of 0 cases would change" in done.stdout, done.stderr
    assert json.loads(outcome.read_text())["result"]["changed"] == []
    done = run("rules", "adopt", "who-comes", "1", "--from", NEXT_WEEK, *at)
    assert done.stdout.strip() == f"who-comes 1 decides from {NEXT_WEEK}", done.stderr
    done = run("rules", "list", *at)
    assert "who-comes" in done.stdout
    assert "cityloom-limits" in done.stdout
    assert "409" in refused("rules", "adopt", "who-comes", "1", "--from", NEXT_WEEK, *at)


def test_a_node_that_is_not_there_is_named() -> None:
    assert "no node answers" in refused("rules", "list", "--url", "http://127.0.0.1:1")
