"""The commands as a person uses them: what they do, and one sentence when they cannot."""

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.nodes import COMMAND, NodeProcess

LIGHTS = (
    "id,lat,lon,state,seen\nL1,42.1,-71.1,on,2026-05-01T10:00:00Z\nL2,42.2,-71.2,off,2026-05-01T11:00:00Z\n"
)
PROFILE = """
name: tiny
title: {en: Tiny town}
center: [-71.1, 42.1]
timeZone: UTC
sources: [{mapping: lights.yaml}]
"""
MAPPING = """
source: lights
format: csv
path: lights.csv
entity: {id: "urn:ngsi-ld:Streetlight:{id}", type: Streetlight}
geometry: {lon: lon, lat: lat}
observedAt: seen
attributes:
  powerState: {from: state}
"""


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **environment},
    )


def refused(*words: str | Path) -> str:
    """What a command says when it cannot: one sentence, no traceback, status not 0."""
    done = run(*words)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("cityloom: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A city of two street lights, imported."""
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "profile.yaml").write_text(PROFILE)
    (profile / "lights.yaml").write_text(MAPPING)
    files = tmp_path / "files"
    files.mkdir()
    (files / "lights.csv").write_text(LIGHTS)
    city = tmp_path / "city"
    made = run("init", "--data", city, "--profile", profile, "--sources", files)
    assert made.returncode == 0, made.stderr
    imported = run("import", "--data", city)
    assert imported.returncode == 0, imported.stderr
    assert "2" in imported.stdout
    return city


def test_the_package_runs_as_the_command_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cityloom", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == run("--version").stdout


def test_every_command_has_help_with_an_example() -> None:
    help_text = run("--help").stdout
    for command in (
        "init",
        "up",
        "serve",
        "import",
        "sample",
        "replay",
        "export",
        "backup",
        "restore",
        "move",
        "doctor",
    ):
        assert command in help_text
        shown = run(command, "--help")
        assert shown.returncode == 0
        assert f"cityloom {command}" in shown.stdout, command


def test_import_twice_changes_nothing_and_says_so(town: Path) -> None:
    again = run("import", "--data", town)
    assert again.returncode == 0
    row = next(line for line in again.stdout.splitlines() if "lights" in line)
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells[:6] == ["lights", "ok", "2", "0", "0", "2"]


def test_quality_report_is_whole_in_a_narrow_terminal_and_tells_what_was_rejected(town: Path) -> None:
    with (town.parent / "files" / "lights.csv").open("a") as file:
        file.write("L3,142.1,-71.1,on,2026-05-01T10:00:00Z\n,42.1,-71.1,on,2026-05-01T10:00:00Z\n")
    done = run("import", "--data", town, COLUMNS="40")
    assert done.returncode == 0, done.stderr
    for word in ("lights", "unchanged", "repeated", "rejected"):
        assert word in done.stdout
    assert "…" not in done.stdout
    assert "lights: 1 rejected: invalid coordinates" in done.stdout
    assert "lights: 1 rejected: no id" in done.stdout
    assert str(town / "runs") in done.stdout.replace("\n", "")


def test_export_writes_every_entity_once(town: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl.gz"
    assert run("export", "--data", town, "--out", output, "--type", "Streetlight").returncode == 0
    with gzip.open(output, "rt") as lines:
        entities = [json.loads(line) for line in lines]
    assert [entity["id"] for entity in entities] == [
        "urn:ngsi-ld:Streetlight:L1",
        "urn:ngsi-ld:Streetlight:L2",
    ]
    assert entities[0]["powerState"]["value"] == "on"
    shapes = tmp_path / "out.geojson"
    assert run("export", "--data", town, "--out", shapes, "--format", "geojson").returncode == 0
    features = json.loads(shapes.read_text())["features"]
    assert {"type": "Point", "coordinates": [-71.1, 42.1]} in [feature["geometry"] for feature in features]


def test_export_of_history_holds_the_instances(town: Path, tmp_path: Path) -> None:
    output = tmp_path / "history.jsonl"
    done = run("export", "--data", town, "--out", output, "--history", "--type", "Streetlight")
    assert done.returncode == 0, done.stderr
    first = json.loads(output.read_text().splitlines()[0])
    instances = first["powerState"]
    assert (instances if isinstance(instances, dict) else instances[0])["value"] == "on"


async def test_backup_of_a_running_city_restores_to_the_same(town: Path, tmp_path: Path) -> None:
    backup, again = tmp_path / "backup.tar.gz", tmp_path / "again"
    photo = Path("evidence/ab/ab01.jpg")
    (town / photo).parent.mkdir(parents=True)
    (town / photo).write_bytes(b"a picture")
    with NodeProcess(town):
        done = run("backup", "--data", town, "--out", backup)
        assert done.returncode == 0, done.stderr
    assert backup.stat().st_mode & 0o077 == 0
    shutil.rmtree(tmp_path / "profile")  # the backup holds the city's own profile
    assert run("restore", backup, "--data", again).returncode == 0
    assert (again / photo).read_bytes() == b"a picture"
    with NodeProcess(again) as node:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{node.url}/ngsi-ld/v1/entities?type=Streetlight&count=true") as reply,
        ):
            assert reply.headers["NGSILD-Results-Count"] == "2"


def test_restore_refuses_a_folder_with_a_city_and_a_file_that_is_none(town: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.tar.gz"
    assert run("backup", "--data", town, "--out", backup).returncode == 0
    assert "already exists" in refused("restore", backup, "--data", town)
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"not a backup")
    assert "cannot be restored" in refused("restore", other, "--data", tmp_path / "new")
    said = refused("restore", tmp_path / "none.tar.gz", "--data", tmp_path / "none")
    assert said == f"cityloom: the backup {tmp_path / 'none.tar.gz'} does not exist, or is no file"
    assert not (tmp_path / "none").exists()


def test_export_and_replay_of_a_running_city_tell_it_as_it_is(town: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    span = ("--from", "2026-05-01T00:00:00Z", "--to", "2026-05-02T00:00:00Z", "--speed", "0")
    with NodeProcess(town):
        exported = run("export", "--data", town, "--out", output, "--type", "Streetlight")
        replayed = run("replay", "--data", town, *span)
    assert exported.returncode == 0, exported.stderr
    assert len(output.read_text().splitlines()) == 2
    assert replayed.returncode == 0, replayed.stderr
    assert [json.loads(line)["id"][-2:] for line in replayed.stdout.splitlines()] == ["L1", "L2"]


def test_replay_tells_the_past_in_order(town: Path) -> None:
    span = ("--from", "2026-05-01T00:00:00Z", "--to", "2026-05-02T00:00:00Z", "--speed", "0")
    done = run("replay", "--data", town, *span)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entity["id"][-2:] for entity in told if "powerState" in entity] == ["L1", "L2"]


async def test_replay_into_another_node_makes_its_city_live(town: Path, tmp_path: Path) -> None:
    with NodeProcess(tmp_path / "stage") as node:
        span = ("--from", "2026-05-01T00:00:00Z", "--to", "2026-05-02T00:00:00Z", "--speed", "0")
        done = run("replay", "--data", town, *span, "--into", node.url)
        assert done.returncode == 0, done.stderr
        async with (
            aiohttp.ClientSession(headers={"NGSILD-Tenant": "replay"}) as session,
            session.get(f"{node.url}/ngsi-ld/v1/entities?type=Streetlight&options=keyValues") as reply,
        ):
            states = {entity["id"]: entity["powerState"] for entity in await reply.json()}
    assert states == {"urn:ngsi-ld:Streetlight:L1": "on", "urn:ngsi-ld:Streetlight:L2": "off"}


def test_doctor_finds_a_well_city_well(town: Path) -> None:
    done = run("doctor", "--data", town)
    assert done.returncode == 0, done.stdout
    assert "FAIL" not in done.stdout


def test_doctor_finds_a_broken_store_and_says_what_to_do(town: Path) -> None:
    store = town / "cityloom.sqlite"
    with store.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8000)
    done = run("doctor", "--data", town)
    assert done.returncode == 1
    assert "FAIL store" in " ".join(done.stdout.split())
    assert "restore" in done.stdout


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("logLevel: loud", "logLevel"),
        ("retention: {Streetlight: banana}", "retention of Streetlight"),
        ("colour: red", "colour"),
    ],
)
def test_doctor_finds_a_setting_with_which_the_node_does_not_start(
    town: Path, setting: str, said: str
) -> None:
    file = town / "city.yaml"
    file.write_text(file.read_text().replace("settings: {}", f"settings: {{{setting}}}"))
    done = run("doctor", "--data", town)
    assert done.returncode == 1
    assert said in done.stdout


def test_doctor_of_no_folder_says_so(tmp_path: Path) -> None:
    done = run("doctor", "--data", tmp_path / "nowhere")
    assert done.returncode == 1
    assert "does not exist" in done.stdout


def test_serve_refuses_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port}" in refused("serve", "--data", tmp_path / "city", "--port", str(port))


def test_serve_refuses_an_open_door_until_there_is_a_key(tmp_path: Path) -> None:
    city = tmp_path / "city"
    said = refused("serve", "--data", city, "--port", "0", "--host", "0.0.0.0")
    assert "cityloom key add" in said
    token = run("key", "add", "bureau", "--role", "admin", "--data", city).stdout.strip()
    assert token.startswith("cl_")
    assert "bureau" in run("key", "list", "--data", city).stdout


async def test_serve_beyond_loopback_asks_for_the_key(tmp_path: Path) -> None:
    city = tmp_path / "city"
    token = run("key", "add", "bureau", "--role", "reader", "--data", city).stdout.strip()
    with NodeProcess(city, "--host", "0.0.0.0") as node:
        url = node.url.replace("0.0.0.0", "127.0.0.1") + "/ngsi-ld/v1/entities?type=T"
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as reply:
                assert reply.status == 401
            async with session.get(url, headers={"Authorization": "Bearer nobody"}) as reply:
                assert reply.status == 401
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get(url, headers=headers) as reply:
                assert reply.status == 200
            entity = {"id": "urn:x:1", "type": "T"}
            async with session.post(url.partition("?")[0], json=entity, headers=headers) as reply:
                assert reply.status == 403


def test_second_node_on_one_folder_is_refused(tmp_path: Path) -> None:
    city = tmp_path / "city"
    with NodeProcess(city):
        assert "in use" in refused("serve", "--data", city, "--port", "0")


def test_ctrl_c_stops_cleanly_while_a_page_listens(tmp_path: Path) -> None:
    with NodeProcess(tmp_path / "city") as node:
        host, port = node.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as page:
            page.sendall(f"GET /events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert b"200" in page.recv(4096)
            assert node.stop() == 0
    assert "Traceback" not in node.log.read_text()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("lights.yaml", MAPPING + "colour: red\n", "colour"),
        ("lights.yaml", MAPPING.replace("format: csv", "format: tea"), "format"),
        ("lights.yaml", "source: [", "lights.yaml"),
        ("profile.yaml", PROFILE.replace("lights.yaml", "lamps.yaml"), "lamps.yaml"),
        ("profile.yaml", "name: tiny\n", "center"),
    ],
)
def test_broken_profile_is_told_with_file_and_place(town: Path, file: str, text: str, said: str) -> None:
    (town.parent / "profile" / file).write_text(text)
    assert said in refused("import", "--data", town)


def test_missing_source_file_is_told(town: Path) -> None:
    (town.parent / "files" / "lights.csv").unlink()
    assert "lights.csv" in refused("import", "--data", town)
    assert "lamps" in refused("import", "--data", town, "lamps")


def test_settings_that_do_not_exist_are_told(town: Path) -> None:
    with (town / "city.yaml").open("a") as file:
        file.write("\nsettings: {colour: red}\n")
    text = (town / "city.yaml").read_text().replace("settings: {}\n", "")
    (town / "city.yaml").write_text(text)
    assert "colour" in refused("import", "--data", town)


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refused("serve", "--data", tmp_path / "file" / "city", "--port", "0")


def test_sample_draws_the_same_city_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        done = run("sample", "--seed", "3", "--size", "small", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    truth = [(tmp_path / name / "truth.json").read_bytes() for name in ("one", "two")]
    assert truth[0] == truth[1]
    assert "size" in refused("sample", "--size", "huge", "--out", tmp_path / "three")
