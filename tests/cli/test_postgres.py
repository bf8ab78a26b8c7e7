"""A city kept in PostgreSQL, by the commands: served, moved there, exported, looked at."""

from __future__ import annotations

import json
import time
from pathlib import Path

import aiohttp
import httpx
import polars as pl
import pytest
import yaml

from tests.cli.test_commands import refused, run, town
from tests.nodes import NodeProcess
from tests.postgres import Server, server

__all__ = ["town"]


@pytest.fixture
def place() -> Server:
    return server()


async def lights(url: str) -> dict[str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/ngsi-ld/v1/entities?type=Streetlight&options=keyValues") as reply,
    ):
        return {entity["id"]: entity["powerState"] for entity in await reply.json()}


async def test_a_city_is_served_from_a_database(town: Path, place: Server) -> None:
    database = place.database()
    imported = run("import", "--data", town, "--store", database)
    assert imported.returncode == 0, imported.stderr
    (town / "cityloom.sqlite").unlink()
    with NodeProcess(town, "--store", database) as node:
        found = await lights(node.url)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{node.url}/metrics") as metrics,
        ):
            assert "cityloom_store_entities 3.0" in await metrics.text()
        async with aiohttp.ClientSession() as session, session.get(f"{node.url}/node") as told:
            assert (told.status, (await told.json())["store"]["entities"]) == (200, 3)
    assert found == {"urn:ngsi-ld:Streetlight:L1": "on", "urn:ngsi-ld:Streetlight:L2": "off"}
    assert not (town / "cityloom.sqlite").exists()


def test_a_city_is_made_for_a_database(tmp_path: Path) -> None:
    store = "postgresql://clerk@db.example/city"
    made = run("init", "--data", tmp_path / "city", "--store", store)
    assert made.returncode == 0, made.stderr
    assert yaml.safe_load((tmp_path / "city" / "city.yaml").read_text())["settings"] == {"store": store}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("notaurl", "notaurl"),
        ("mysql://me:secret@db/city", "mysql://db/city"),
        ("me:secret@db/city", "…@db/city"),
        ("postgresql://db", "postgresql://db"),
    ],
)
def test_an_address_that_is_none_is_told_as_it_was_given(given: str, shown: str, town: Path) -> None:
    said = refused("move", "--data", town, "--to", given)
    assert said == f"cityloom: --to is invalid: {shown} is no postgresql://host/database"


async def test_a_city_is_moved_and_served_on_from_there(town: Path, place: Server, tmp_path: Path) -> None:
    database = place.database()
    configuration = yaml.safe_load((town / "city.yaml").read_text())
    configuration["settings"] = {"coldUrl": "old"}
    (town / "city.yaml").write_text(yaml.safe_dump(configuration))
    assert run("history", "move", "--data", town, "--older-than", "P1D").returncode == 0
    moved = run("move", "--data", town, "--to", database.replace("postgres@", "postgres:secret@"))
    assert moved.returncode == 0, moved.stderr
    assert "(open tables)" in moved.stdout
    assert moved.stdout.split()[:3] == ["table", "rows", "checksum"]
    assert "tables read back from the database, the same by count and checksum" in moved.stdout
    assert "each file has the checksum it was written with" in moved.stdout
    assert f"need {town / 'old'} by the same name" in " ".join(moved.stdout.split())
    (entities,) = [line.split() for line in moved.stdout.splitlines() if line.startswith("entity ")]
    assert entities[1] == "3"  # two lights, and what is told of their source
    assert "~/.pgpass" in moved.stdout
    assert yaml.safe_load((town / "city.yaml").read_text())["settings"] == {
        "coldUrl": "old",
        "store": database,
    }
    assert "is kept in PostgreSQL already" in refused("move", "--data", town, "--to", database)
    with NodeProcess(town) as node:
        assert len(await lights(node.url)) == 2
        output = tmp_path / "lights.jsonl"
        assert run("export", "--data", town, "--type", "Streetlight", "--out", output).returncode == 0
    ids = [json.loads(line)["id"] for line in output.read_text().splitlines()]
    assert ids == ["urn:ngsi-ld:Streetlight:L1", "urn:ngsi-ld:Streetlight:L2"]
    well = run("doctor", "--data", town, "--deep")
    assert well.returncode == 0, well.stdout
    assert "durable" in well.stdout
    assert "ok   history: " in well.stdout
    assert "data_checksums is off" in well.stdout
    assert "rows can be read" in well.stdout
    assert "pg_dump" in refused("backup", "--data", town, "--out", tmp_path / "b.tar.gz")


def test_history_in_a_database_moves_to_tables_while_a_node_serves_it(
    town: Path, place: Server, tmp_path: Path
) -> None:
    moved = run("move", "--data", town, "--to", place.database())
    assert moved.returncode == 0, moved.stderr
    asked = ("--type", "Streetlight", "--attrs", "powerState")
    span = ("--from", "2026-05-01T00:00:00Z", "--to", "2026-05-02T00:00:00Z")

    def exported(to: Path) -> list[tuple[str, str | None]]:
        assert run("history", "export", "--data", town, "--out", to, *asked, *span).returncode == 0
        return sorted(pl.read_parquet(to).select("entityId", "json").iter_rows())

    before = exported(tmp_path / "before.parquet")
    assert len(before) == 2
    configuration = yaml.safe_load((town / "city.yaml").read_text())
    with NodeProcess(town) as node:
        told = run("history", "move", "--data", town, "--older-than", "P1D")
        assert not told.stdout.startswith("0 "), told.stderr
        done = run("history", "vacuum", "--data", town)
        assert done.returncode == 0, done.stderr
        assert exported(tmp_path / "after.parquet") == before
        light = "urn:ngsi-ld:Streetlight:L1"
        evolution = f"{node.url}/ngsi-ld/v1/temporal/entities/{light}?options=temporalValues"
        assert [value for value, _ in httpx.get(evolution).json()["powerState"]["values"]] == ["on"]
    well = run("doctor", "--data", town, "--deep")
    assert "ok   history: " in well.stdout
    assert "files hold what was written" in well.stdout
    file = tmp_path / "past.csv"
    file.write_text("id,type,attribute,observedAt,value\nurn:x:old,Pole,level,2025-03-01T00:00:00Z,1.5\n")
    command = ("history", "import", file, "--data", town, "--source", "archive", "--older-than", "P30D")
    assert run(*command).stdout.startswith("1 instance new, 0 known")
    configuration["settings"]["coldAfter"] = "P1D"
    configuration["settings"]["retention"] = {"Streetlight": "P1D"}
    (town / "city.yaml").write_text(yaml.safe_dump(configuration))
    done = run("history", "retain", "--data", town)
    assert done.returncode == 0, done.stderr
    assert not done.stdout.startswith("0 instances")
    gone = run("history", "export", "--data", town, "--out", tmp_path / "x.parquet", *asked, *span)
    assert "nothing is exported" in gone.stderr


def test_a_node_over_a_database_moves_what_is_old_enough_by_itself(town: Path, place: Server) -> None:
    moved = run("move", "--data", town, "--to", place.database())
    assert moved.returncode == 0, moved.stderr
    configuration = yaml.safe_load((town / "city.yaml").read_text())
    configuration["settings"] |= {"coldAfter": "P1D", "coldUrl": "old"}
    (town / "city.yaml").write_text(yaml.safe_dump(configuration))
    with NodeProcess(town), NodeProcess(town):
        while not list((town / "old" / "instances").glob("*/month=2026-05/*.parquet")):
            time.sleep(0.05)  # the test's own timeout ends it
        while "instances older than" not in run("history", "status", "--data", town).stdout:
            pass


def test_a_database_that_cannot_be_used_is_one_sentence(town: Path, place: Server) -> None:
    place.database()
    said = refused("serve", "--data", town, "--port", "0", "--store", place.url("nowhere"))
    assert "the database does not exist" in said
    assert "is no postgresql://host/database" in refused(
        "serve", "--data", town, "--port", "0", "--store", "mysql://db/city"
    )
