"""Reporters' names and telephone numbers: in the personal table and nowhere else, erased for good."""

import asyncio
import csv
import gzip
import json
import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from cityloom.sample import generate
from tests.nodes import COMMAND, NodeProcess
from tests.trouble.asking import API, ENTITIES, ask, connect, head

NAME, PHONE = "Quuxella", "555-73910"
"""How every planted name and number begins."""
REQUESTS = "requests/service_requests.csv.gz"
SOURCES = ["sample-districts", "sample-service-requests"]


def told(data: bytes) -> bool:
    """Whether a planted name or number stands in it."""
    return NAME.encode() in data or PHONE.encode() in data


def run(*words: str | Path) -> bytes:
    """What a command says, on both channels."""
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        env={**os.environ, "COLUMNS": "250", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout


def plant(file: Path) -> dict[str, dict[str, str]]:
    """Gives every report a name and number that can be found again, and adds rows that are faulty."""
    with gzip.open(file, "rt", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        row["reporter_name"], row["reporter_phone"] = f"{NAME} {number}", f"{PHONE}{number}"
    whole = len(rows)
    for fault in (
        {"lat": "95"},
        {"lat": "far away"},
        {"opened_at": "yesterday"},
        {"opened_at": ""},
        {"request_id": rows[0]["request_id"]},
        {"request_id": "a b c"},
    ):
        number = len(rows)
        person = {"reporter_name": f"{NAME} {number}", "reporter_phone": f"{PHONE}{number}"}
        rows.append({**rows[5], "request_id": f"FAULT{number}", **person, **fault})
    with gzip.open(file, "wt", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
        # Rows that are no rows: too many cells, too few, and a quote that never ends.
        stream.write(f"TORN1,{NAME} torn,{PHONE}1" + ",x" * 30 + "\r\n")
        stream.write(f"{NAME} torn\r\n")
        stream.write(f'TORN3,"{NAME} torn,{PHONE}3\r\n')
    return {row["request_id"]: row for row in rows[:whole]}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, str]], bytes]:
    """The sample city's reports, imported: its folder, its reports, and what the commands said."""
    folder = tmp_path_factory.mktemp("personal")
    generate(folder / "files", seed=1, size="small", progress=lambda _, __: None)
    reports = plant(folder / "files" / REQUESTS)
    said = run("init", "--data", folder / "city", "--sources", folder / "files")
    said += run("import", "--data", folder / "city", *SOURCES)
    said += run("import", "--data", folder / "city", *SOURCES)
    return folder / "city", reports, said


def id_of(report: str) -> str:
    return f"urn:ngsi-ld:Open311ServiceRequest:loomhaven:{report}"


def path_of(report: str) -> str:
    return "/personal/" + quote(id_of(report), safe="")


async def events(node: NodeProcess, last: int) -> bytes:
    """Everything that the stream of changes tells, from the first to the event `last`."""
    reader, writer = await connect(node)
    writer.write(head(node, "GET", "/events?lastEventId=0") + b"\r\n")
    said = b""
    async with asyncio.timeout(30):
        while b"id: %d\n" % last not in said:
            said += await reader.read(65536)
    writer.close()
    return said


async def test_names_and_numbers_stand_in_the_personal_table_alone(
    city: tuple[Path, dict[str, dict[str, str]], bytes], tmp_path: Path
) -> None:
    folder, reports, said = city
    assert not told(said)
    with NodeProcess(folder) as node:
        everything = b""
        for path in (
            f"{ENTITIES}?type=Open311ServiceRequest&limit=1000",
            f"{API}/temporal/entities?type=Open311ServiceRequest&timerel=after&timeAt=2000-01-01T00:00:00Z",
            f"{ENTITIES}?type=ImportRun",
            "/ogc/collections/Open311ServiceRequest/items?limit=10000",
            "/ogc/collections/Open311ServiceRequest/items?limit=10000&f=csv",
            "/ogc/collections/Open311ServiceRequest/queryables",
            "/sources",
            "/sources/sample-service-requests/runs",
            "/sources/sample-service-requests/rejects",
            f"/lineage/{quote(id_of('R0000001'), safe='')}",
            f"/lineage/{quote(id_of('R0000001'), safe='')}/attrs/status",
            f"{API}/attributes?details=true",
            "/metrics",
        ):
            answer = await ask(node, "GET", path)
            assert answer.status in (200, 206), (path, answer.body)
            everything += answer.body
        assert b"R0000001" in everything
        # The last event is one that the stream tells.
        assert (await ask(node, "POST", ENTITIES, {"id": "urn:last:1", "type": "Last"})).status == 201
        seq = (await ask(node, "GET", "/city")).json["seq"]
        stream = await events(node, seq)
        assert b"R0000001" in stream
        assert not told(everything)
        assert not told(stream)

        # Once read for a purpose they are there, and the reading is kept.
        assert (await ask(node, "GET", path_of("R0000001"))).status == 400
        found = await ask(node, "GET", path_of("R0000001") + "?purpose=call%20back")
        expected = {key: reports["R0000001"][key] for key in ("reporter_name", "reporter_phone")}
        assert found.json == expected
        readings = (await ask(node, "GET", path_of("R0000001") + "/readings")).json
        assert [(reading["action"], reading["purpose"]) for reading in readings] == [("read", "call back")]
        assert (await ask(node, "GET", path_of("FAULT480") + "?purpose=look")).status == 404
        assert node.stop() == 0
    assert not told(node.log.read_bytes())

    rejects = b"".join(file.read_bytes() for file in (folder / "runs").rglob("*") if file.is_file())
    assert rejects
    assert not told(rejects)
    run("export", "--data", folder, "--out", tmp_path / "now.jsonl")
    run("export", "--data", folder, "--out", tmp_path / "history.jsonl", "--history")
    for name in ("now.jsonl", "history.jsonl"):
        exported = (tmp_path / name).read_bytes()
        assert b"R0000001" in exported
        assert not told(exported)
    assert tables_that_tell(folder / "cityloom.sqlite") == {"personal"}


def tables_that_tell(store: Path) -> set[str]:
    """The tables in which a planted name or number stands."""
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = set()
        for name in names:
            for row in database.execute(f'SELECT * FROM "{name}"'):
                cells = [cell if isinstance(cell, bytes) else str(cell).encode() for cell in row]
                if any(told(cell) for cell in cells):
                    found.add(name)
                    break
        return found
    finally:
        database.close()


async def test_erasing_removes_the_bytes_from_the_store_and_an_import_does_not_bring_them_back(
    city: tuple[Path, dict[str, dict[str, str]], bytes],
) -> None:
    folder, reports, _ = city
    store = folder / "cityloom.sqlite"
    erased = [f"R{number:07d}" for number in range(100, 140)]
    with NodeProcess(folder) as node:
        for report in erased:
            assert (await ask(node, "DELETE", path_of(report))).status == 204
        assert (await ask(node, "DELETE", path_of(erased[0]))).status == 404
        assert (await ask(node, "GET", path_of(erased[0]) + "?purpose=look")).status == 404
        readings = (await ask(node, "GET", path_of(erased[0]) + "/readings")).json
        assert [reading["action"] for reading in readings] == ["erase", "read"]

        async with asyncio.timeout(20):  # the log is emptied after the answer
            while any(_standing(store, reports[report]) for report in erased):
                await asyncio.sleep(0.05)
        node.kill()
        assert not any(_standing(store, reports[report]) for report in erased)
        node.start()
        assert node.stop() == 0
    run("import", "--data", folder, *SOURCES)
    assert not any(_standing(store, reports[report]) for report in erased)
    assert _standing(store, reports["R0000200"])


def _standing(store: Path, report: dict[str, str]) -> bool:
    """Whether a report's number stands in the bytes of the store's files."""
    number = f'{report["reporter_phone"]}"'.encode()
    return any(number in file.read_bytes() for file in store.parent.glob(store.name + "*"))


PROFILE = {
    "name": "tiny",
    "title": {"en": "Tiny"},
    "center": [-71.1, 42.1],
    "timeZone": "UTC",
    "sources": [{"mapping": "push.yaml"}],
}
PUSH = {
    "source": "hotline",
    "format": "push",
    "entity": {"id": "urn:ngsi-ld:Report:{id}", "type": "Report"},
    "geometry": {"lon": "lon", "lat": "lat"},
    "attributes": {"status": {"from": "status"}, "level": {"from": "level", "number": True}},
    "personal": ["caller", "phone"],
}


async def test_names_that_are_pushed_show_in_no_answer_and_no_log(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "profile.yaml").write_text(yaml.safe_dump(PROFILE))
    (profile / "push.yaml").write_text(yaml.safe_dump(PUSH))
    run("init", "--data", tmp_path / "city", "--profile", profile)
    person: dict[str, Any] = {"caller": f"{NAME} Push", "phone": f"{PHONE}0"}
    rows = [
        {"id": "1", "lat": 42.1, "lon": -71.1, "status": "open", "level": 1, **person},
        {"id": "2", "lat": 99, "lon": -71.1, "status": "open", "level": 1, **person},
        {"id": "3", "lat": 42.1, "lon": -71.1, "status": "open", "level": "high", **person},
        {"id": "", "lat": 42.1, "lon": -71.1, "status": "open", "level": 1, **person},
    ]
    with NodeProcess(tmp_path / "city") as node:
        answer = await ask(node, "POST", "/push/hotline", rows)
        assert answer.status == 200, answer.body
        refused = await ask(node, "POST", "/push/hotline", [json.dumps(rows[0])])
        rejects = await ask(node, "GET", "/sources/hotline/rejects")
        kept = await ask(node, "GET", f"{ENTITIES}?type=Report")
        assert [entity["id"] for entity in kept.json] == ["urn:ngsi-ld:Report:1"]
        for said in (answer, refused, rejects, kept):
            assert not told(said.body)
        found = await ask(node, "GET", "/personal/urn:ngsi-ld:Report:1?purpose=look")
        assert found.json == person
        assert node.stop() == 0
    assert not told(node.log.read_bytes())
    assert not any(told(file.read_bytes()) for file in (tmp_path / "city" / "runs").rglob("*.jsonl"))
