from __future__ import annotations

import json
from typing import Any

import pytest

from cityloom.broker.ports import Action, Call
from cityloom.connect.sources import Sources
from cityloom.model.errors import BadRequestData, Forbidden, ResourceNotFound
from cityloom.model.events import Cause
from cityloom.query.values import TemporalQuery
from cityloom.store.history_ports import Window
from tests.connect.conftest import TestCity, expand, make

PUSH = make(
    source="noise",
    format="push",
    entity={"id": "urn:ngsi-ld:NoiseLevelObserved:{id}", "type": "NoiseLevelObserved"},
    observedAt="at",
    series=True,
    expectedInterval="PT15M",
    attributes={"LAeq": {"from": "level", "number": True}},
)
NOISE = "urn:ngsi-ld:NoiseLevelObserved:1"


def reading(at: str, level: Any = 50) -> dict[str, Any]:
    return {"id": 1, "at": at, "level": level}


async def test_list_tells_every_source_also_one_that_never_ran(city: TestCity) -> None:
    city.write("things.csv", "id\n1\n")
    sources = city.sources(make(title="Things"), PUSH)
    await city.run(make(title="Things"))
    things, noise = await sources.list(city.call)
    assert (things["id"], things["name"], things["status"], things["type"]) == (
        "things",
        "Things",
        "ok",
        ["Thing"],
    )
    assert things["report"]["created"] == 1
    assert things["lastData"] == "2026-05-01T12:00:00Z"
    assert (noise["status"], noise["lastRun"], noise["expectedInterval"]) == ("never", None, "PT15M")


async def test_retrieve_tells_a_source_that_does_not_exist(city: TestCity) -> None:
    sources = city.sources(PUSH)
    for attempt in (sources.retrieve, sources.runs, sources.rejects_file):
        with pytest.raises(ResourceNotFound, match="source none does not exist"):
            await attempt(city.call, "none")
    with pytest.raises(ResourceNotFound):
        await sources.push(city.call, "none", [])
    with pytest.raises(ResourceNotFound):
        await sources.rejects(city.call, "none", 1)


async def test_runs_gives_the_latest_first_and_tells_those_that_were_cut_off(city: TestCity) -> None:
    city.write("things.csv", "id\n1\n")
    sources = city.sources(make())
    assert await sources.runs(city.call, "things") == []
    await city.run(make())
    await city.importer.begin(make())
    await city.run(make())
    third, second, first = await sources.runs(city.call, "things")
    assert (third["run"], third["unchanged"]) == ("urn:ngsi-ld:ImportRun:things:3", 1)
    assert (second["status"], second["run"]) == ("failed", "urn:ngsi-ld:ImportRun:things:2")
    assert (first["created"], first["status"], first["files"][0]["name"]) == (1, "ok", "things.csv")


async def test_rejects_gives_the_file_of_the_last_run(city: TestCity) -> None:
    sources = city.sources(make())
    assert await sources.rejects(city.call, "things", 5) == {"run": None, "total": 0, "rejects": []}
    city.write("things.csv", "id\n1\n,\n2\n,\n,\n")
    await city.run(make())
    path = await sources.rejects_file(city.call, "things")
    assert path is not None
    assert [json.loads(line)["row"] for line in path.read_bytes().splitlines()] == [2, 4, 5]
    first = await sources.rejects(city.call, "things", 2)
    assert (first["run"], first["total"]) == ("urn:ngsi-ld:ImportRun:things:1", 3)
    assert [reject["row"] for reject in first["rejects"]] == [2, 4]
    (told,) = await sources.list(city.call)
    assert (told["rejected"], told["live"]) == (3, False)
    city.write("things.csv", "id\n1\n")
    await city.run(make())
    assert await sources.rejects_file(city.call, "things") is None
    assert (await sources.rejects(city.call, "things", 2))["rejects"] == []


async def test_push_answers_the_report_of_its_rows(city: TestCity) -> None:
    sources = city.sources(PUSH)
    rows = [reading("2026-05-01T11:45:00Z"), reading("2026-05-01T12:00:00Z", "loud"), "no row"]
    report = await sources.push(city.call, "noise", rows)  # type: ignore[arg-type]
    assert (report["read"], report["created"], report["valuesNew"]) == (3, 1, 1)
    assert report["rejected"] == {"not a number": 1, "not an object": 1}
    assert (await city.values(NOISE))["LAeq"] == 50
    again = await sources.push(city.call, "noise", [reading("2026-05-01T11:45:00Z")])
    assert (again["valuesNew"], again["valuesKnown"], again["updated"]) == (0, 1, 0)
    (source,) = await sources.list(city.call)
    assert (source["report"]["read"], source["status"]) == (4, "ok")
    assert len((await sources.rejects(city.call, "noise", 10))["rejects"]) == 2


async def test_push_names_the_caller_and_the_message_as_the_cause(city: TestCity) -> None:
    sources = city.sources(PUSH)
    caller = Call(cause=Cause(kind="request", id="request:9"), party="station-7")
    await sources.push(caller, "noise", [reading("2026-05-01T11:45:00Z")])
    await sources.push(caller, "noise", [reading("2026-05-01T12:00:00Z")])
    temporal = TemporalQuery()
    origins = await city.broker.origins(city.call, NOISE, expand("LAeq"), temporal)
    assert [origin.cause.id for origin in origins] == [
        "urn:ngsi-ld:ImportRun:noise:1:2",
        "urn:ngsi-ld:ImportRun:noise:1:1",
    ]
    assert {(origin.cause.kind, origin.cause.party) for origin in origins} == {("feed", "station-7")}
    assert len({origin.cause.sha256 for origin in origins}) == 2


async def test_push_starts_another_run_with_another_day(city: TestCity) -> None:
    sources = city.sources(PUSH)
    await sources.push(city.call, "noise", [reading("2026-05-01T11:45:00Z")])
    city.clock.advance(86_400)
    await sources.push(city.call, "noise", [reading("2026-05-02T11:45:00Z")])
    await sources.close()
    second, first = await sources.runs(city.call, "noise")
    assert (first["read"], first["status"], second["read"], second["status"]) == (1, "ok", 1, "ok")


async def test_push_is_refused_by_a_source_that_reads_files(city: TestCity) -> None:
    with pytest.raises(BadRequestData, match="its format is csv, not push"):
        await city.sources(make()).push(city.call, "things", [])


async def test_every_answer_is_refused_to_whom_access_refuses(city: TestCity) -> None:
    class Nobody:
        def check(self, call: Call, action: Action, resource: str = "") -> None:
            raise Forbidden(f"{action} {resource}")

    sources = Sources(city.importer, [PUSH], Nobody())
    with pytest.raises(Forbidden, match="read sources"):
        await sources.list(city.call)
    with pytest.raises(Forbidden, match="read sources"):
        await sources.runs(city.call, "noise")
    with pytest.raises(Forbidden, match="write sources"):
        await sources.push(city.call, "noise", [])


async def test_another_tenant_sees_no_source(city: TestCity) -> None:
    other = Call(tenant="other", cause=Cause(kind="request", id="request:1"))
    assert await city.sources(PUSH).list(other) == []
    with pytest.raises(ResourceNotFound):
        await city.sources(PUSH).retrieve(other, "noise")


async def test_rows_of_a_push_keep_their_place_in_history(city: TestCity) -> None:
    sources = city.sources(PUSH)
    late = [reading("2026-05-01T12:00:00Z", 60), reading("2026-05-01T11:00:00Z", 40)]
    await sources.push(city.call, "noise", late)
    assert (await city.values(NOISE))["LAeq"] == 60
    with city.store.snapshot() as snapshot:
        found = snapshot.instances("", NOISE, Window(names=[expand("LAeq")]))[expand("LAeq")]
    assert [(one.attribute.value, one.row) for one in found] == [(40, 2), (60, 1)]
