from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import signal
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cityloom.broker.local import LocalBroker
from cityloom.broker.ports import BatchResult, Call, ItemError
from cityloom.connect.mapping import Mapping
from cityloom.connect.report import RUN_TYPE, Report
from cityloom.connect.run import Importer
from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import LOCATION
from cityloom.model.errors import ConfigurationError, Overloaded, StoreFailed
from cityloom.model.events import Cause
from cityloom.model.time import parse_datetime
from cityloom.query.values import TemporalQuery
from cityloom.store.history_ports import Window
from tests.connect.conftest import NOON, Everyone, TestCity, expand, make

THING = "urn:ngsi-ld:Thing:"
COUNTS = make(
    source="counts",
    path="counts.csv",
    entity={"id": "urn:ngsi-ld:Counter:{site}", "type": "Counter"},
    observedAt="at",
    series=True,
    attributes={"intensity": {"from": "n", "number": True}, "name": {"value": "a counter"}},
)


def history(city: TestCity, entity_id: str, name: str, **window: Any) -> list[tuple[str, Any, int]]:
    """(observedAt, value, occurrence) of an attribute, in order of time."""
    with city.store.snapshot() as snapshot:
        found = snapshot.instances("", entity_id, Window(names=[expand(name)], **window))
    return [
        (one.attribute.observed_at or "", one.attribute.value, one.occurrence)
        for one in found.get(expand(name), [])
    ]


def adds_up(report: Report) -> bool:
    return report.read == report.created + report.updated + report.unchanged + report.rejected_rows


async def test_run_makes_entities_and_a_report(city: TestCity) -> None:
    city.write("things.csv", "id,name\n1,a\n2,b\n")
    report = await city.run(make(attributes={"name": "name"}))
    assert (report.status, report.read, report.created) == ("ok", 2, 2)
    assert await city.values(THING + "1") == {"name": "a"}
    kept = (await city.entities(RUN_TYPE))["urn:ngsi-ld:ImportRun:things:1"]
    read = kept.instance(expand("read"))
    files = kept.instance(expand("files"))
    assert read is not None
    assert files is not None
    assert read.value == 2
    content = (city.data / "things.csv").read_bytes()
    assert files.value == [
        {
            "name": "things.csv",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "rows": 2,
        }
    ]


async def test_run_again_changes_nothing(city: TestCity) -> None:
    city.write("things.csv", "id,name,x,y\n1,a,1,2\n2,b,3,4\n")
    mapping = make(attributes={"name": "name"}, geometry={"lon": "x", "lat": "y"})
    await city.run(mapping)
    events = city.events_of("Thing")
    city.clock.advance(60)
    again = await city.run(mapping)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)
    assert city.events_of("Thing") == events


@pytest.mark.parametrize("update", ["merge", "replace"])
async def test_run_keeps_or_removes_what_the_mapping_does_not_name(city: TestCity, update: str) -> None:
    city.write("register.csv", "id,name\n1,a\n")
    city.write("things.csv", "id,level\n1,5\n")
    await city.run(make(source="register", path="register.csv", attributes={"name": "name"}))
    await city.run(make(attributes={"level": {"from": "level", "number": True}}, update=update))
    expected = {"name": "a", "level": 5} if update == "merge" else {"level": 5}
    assert await city.values(THING + "1") == expected


async def test_run_rejects_rows_one_by_one_and_says_why(city: TestCity) -> None:
    rows = [
        "1,5,1,2",
        "2,many,1,2",
        '3,"5"x,1,2',
        "4,5",
        ",5,1,2",
        "5,5,200,2",
        "6,\udcff5,1,2",
        "1,6,1,2",
        "7,8,1,2",
    ]
    text = "id,level,x,y\n" + "\n".join(rows) + "\n"
    city.write("things.csv", text.encode("utf-8", "surrogateescape"))
    mapping = make(geometry={"lon": "x", "lat": "y"}, attributes={"level": {"from": "level", "number": True}})
    report = await city.run(mapping)
    assert report.rejected == {
        "not a number": 1,
        "broken quoting": 1,
        "wrong number of columns": 1,
        "no id": 1,
        "invalid coordinates": 1,
        "broken UTF-8": 1,
        "id already in this run": 1,
    }
    assert (report.read, report.created) == (9, 2)
    assert adds_up(report)
    assert set(await city.entities("Thing")) == {THING + "1", THING + "7"}
    assert await city.values(THING + "1") == {
        "level": 5,
        "location": {"type": "Point", "coordinates": [1.0, 2.0]},
    }
    kept = city.rejects("things")
    assert [reject["row"] for reject in kept] == [2, 3, 4, 5, 6, 7, 8]
    assert kept[0]["raw"] == {"id": "2", "level": "many", "x": "1", "y": "2"}
    assert (kept[0]["field"], kept[0]["file"]) == ("level", "things.csv")
    assert "is no number" in kept[0]["detail"]
    again = await city.run(mapping)
    assert (again.unchanged, again.rejected) == (2, report.rejected)


async def test_run_joins_by_place_to_entities_already_there(city: TestCity) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]}
    feature = {"type": "Feature", "properties": {"id": "d1"}, "geometry": square}
    city.write("d.geojson", json.dumps({"type": "FeatureCollection", "features": [feature]}))
    city.write("things.csv", "id,x,y\n1,5,5\n2,50,5\n3,,\n")
    district = {"id": "urn:ngsi-ld:District:{id}", "type": "District"}
    await city.run(
        make(source="d", path="d.geojson", format="geojson", entity=district, geometry={"from": "geometry"})
    )
    report = await city.run(
        make(geometry={"lon": "x", "lat": "y"}, within={"type": "District", "attribute": "refDistrict"})
    )
    assert (await city.values(THING + "1"))["refDistrict"] == "urn:ngsi-ld:District:d1"
    assert "refDistrict" not in await city.values(THING + "2")
    assert report.notes["outsideAreas"] == 1


async def test_run_of_a_series_keeps_every_row_and_flags_repeats(city: TestCity) -> None:
    rows = [
        "a,2020-01-01T00:00:00,1",
        "a,2020-01-01T00:15:00,2",
        "b,2020-01-01T00:15:00,7",
        "a,2020-01-01T00:15:00,3",
    ]
    city.write("counts.csv", "site,at,n\n" + "\n".join(rows) + "\n")
    report = await city.run(COUNTS)
    assert (report.read, report.repeated, report.values_new, report.created) == (4, 1, 4, 2)
    assert history(city, "urn:ngsi-ld:Counter:a", "intensity") == [
        ("2020-01-01T05:00:00Z", 1, 0),
        ("2020-01-01T05:15:00Z", 2, 0),
        ("2020-01-01T05:15:00Z", 3, 1),
    ]
    without = history(city, "urn:ngsi-ld:Counter:a", "intensity", with_repeats=False)
    assert [value for _, value, _ in without] == [1, 2]
    assert await city.values("urn:ngsi-ld:Counter:a") == {"intensity": 2, "name": "a counter"}
    again = await city.run(COUNTS)
    assert (again.values_new, again.values_known, again.created, again.updated) == (0, 4, 0, 0)
    assert len(history(city, "urn:ngsi-ld:Counter:a", "intensity")) == 3


async def test_run_of_a_series_neither_loses_nor_merges_the_hour_that_occurs_twice(city: TestCity) -> None:
    hour = [f"a,2020-11-01T01:{minute:02d}:00,{minute}" for minute in (0, 15, 30, 45)]
    twice = [row for row in hour for _ in range(2)]
    rows = ["a,2020-11-01T00:45:00,0", *twice, "a,2020-11-01T02:00:00,9"]
    city.write("counts.csv", "site,at,n\n" + "\n".join(rows) + "\n")
    report = await city.run(COUNTS)
    found = history(city, "urn:ngsi-ld:Counter:a", "intensity")
    stamps = [parse_datetime(at) for at, _, _ in found]
    assert len(found) == 10
    assert report.repeated == 0
    assert {after - before for before, after in pairwise(stamps)} == {900_000_000}
    assert report.notes["autumnHourSecondTime"] == 4


async def test_run_of_a_series_does_not_turn_the_current_state_back(city: TestCity) -> None:
    city.write("counts.csv", "site,at,n\na,2021-01-01T00:00:00,5\n")
    await city.run(COUNTS)
    city.write("counts.csv", "site,at,n\na,2020-01-01T00:00:00,1\n")
    report = await city.run(COUNTS)
    assert report.values_new == 1
    assert (await city.values("urn:ngsi-ld:Counter:a"))["intensity"] == 5
    assert len(history(city, "urn:ngsi-ld:Counter:a", "intensity")) == 2


async def test_run_of_a_series_leaves_the_place_of_a_fixed_sensor_out_of_history(city: TestCity) -> None:
    city.write("counts.csv", "site,at,n\na,2020-01-01T00:00:00,1\na,2020-01-01T00:15:00,2\n")
    mapping = make(
        source="counts",
        path="counts.csv",
        entity={"id": "urn:ngsi-ld:Counter:{site}", "type": "Counter"},
        observedAt="at",
        series=True,
        geometry={"point": [1, 2]},
        attributes={"intensity": {"from": "n", "number": True}},
    )
    await city.run(mapping)
    entity = await city.broker.retrieve_entity(city.call, "urn:ngsi-ld:Counter:a")
    location = entity.instance(LOCATION)
    assert location is not None
    assert location.value == {"type": "Point", "coordinates": [1.0, 2.0]}
    assert len(history(city, "urn:ngsi-ld:Counter:a", "location", timeproperty="modifiedAt")) == 1


async def test_run_reads_all_files_of_a_glob_as_one_source(city: TestCity) -> None:
    city.write("c/2.csv", "site,at,n\na,2020-01-01T00:15:00,2\na,2020-01-01T00:00:00,3\n")
    city.write("c/1.csv", "site,at,n\na,2020-01-01T00:00:00,1\n")
    mapping = make(
        source="counts",
        path="c/*.csv",
        entity={"id": "urn:ngsi-ld:Counter:{site}", "type": "Counter"},
        observedAt="at",
        series=True,
        attributes={"intensity": {"from": "n", "number": True}},
    )
    report = await city.run(mapping)
    assert [file.name for file in report.files] == ["c/1.csv", "c/2.csv"]
    assert (report.read, report.repeated, report.created, report.updated) == (3, 1, 1, 0)
    assert (await city.values("urn:ngsi-ld:Counter:a"))["intensity"] == 2


async def test_run_names_file_digest_and_row_of_every_value(city: TestCity) -> None:
    content = b"id,name\n1,a\n2,b\n"
    city.write("things.csv", content)
    city.write("counts.csv", "site,at,n\na,2020-01-01T00:00:00,1\na,2020-01-01T00:15:00,2\n")
    await city.run(make(attributes={"name": "name"}))
    await city.run(COUNTS)
    temporal = TemporalQuery(timeproperty="modifiedAt")
    (origin,) = await city.broker.origins(city.call, THING + "2", expand("name"), temporal)
    assert (origin.cause.kind, origin.cause.id) == ("run", "urn:ngsi-ld:ImportRun:things:1")
    assert (origin.cause.source, origin.cause.file) == ("things", "things.csv")
    assert origin.cause.sha256 == hashlib.sha256(content).hexdigest()
    assert origin.instance.row == 2
    origins = await city.broker.origins(
        city.call, "urn:ngsi-ld:Counter:a", expand("intensity"), TemporalQuery()
    )
    assert [origin.instance.row for origin in origins] == [2, 1]


async def test_run_that_was_stopped_is_completed_by_the_next(city: TestCity) -> None:
    lines = [
        f"{site},2020-01-{day:02d}T{hour:02d}:00:00,{hour}"
        for day in range(1, 29)
        for hour in range(24)
        for site in "abcdefghij"
    ]
    city.write("counts.csv", "site,at,n\n" + "\n".join(lines) + "\n")
    half = asyncio.Event()

    def progress(fraction: float, rows: int) -> None:
        half.set()

    task = asyncio.create_task(city.importer.run(COUNTS, city.data, progress))
    await half.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    report = await city.run(COUNTS)
    assert report.values_new + report.values_known == len(lines)
    assert report.values_known > 0
    found = history(city, "urn:ngsi-ld:Counter:c", "intensity")
    assert len(found) == 28 * 24
    assert {occurrence for _, _, occurrence in found} == {0}


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from cityloom.model.clock import SimulatedClock
from tests.connect.conftest import NOON, Everyone, TestCity
from tests.connect.test_run import COUNTS
folder = Path(sys.argv[1])
city = TestCity(folder, SimulatedClock(NOON))
def progress(fraction, rows):
    if rows >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(city.importer.run(COUNTS, city.data, progress))
"""


@pytest.mark.parametrize("rows", [5_000, 10_000])
async def test_run_that_was_killed_is_completed_by_the_next(tmp_path: Path, rows: int) -> None:
    times = [(day, hour, minute) for day in range(1, 29) for hour in range(24) for minute in range(0, 60, 5)]
    lines = [
        f"{site},2020-01-{day:02d}T{hour:02d}:{minute:02d}:00,1"
        for day, hour, minute in times
        for site in "ab"
    ]
    folder = tmp_path / "killed"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "counts.csv").write_text("site,at,n\n" + "\n".join(lines) + "\n")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _KILLED, str(folder), str(rows))
    assert await process.wait() == -signal.SIGKILL
    city = TestCity(folder, SimulatedClock(NOON))
    try:
        report = await city.run(COUNTS)
        assert report.notes["resumes"] == "urn:ngsi-ld:ImportRun:counts:1"
        assert report.values_known >= rows
        assert report.values_new + report.values_known == len(lines)
        assert len(history(city, "urn:ngsi-ld:Counter:a", "intensity")) == len(times)
        assert set(await city.entities("Counter")) == {"urn:ngsi-ld:Counter:a", "urn:ngsi-ld:Counter:b"}
    finally:
        city.store.close()


async def test_run_notes_the_run_that_was_killed_before_it(city: TestCity) -> None:
    city.write("things.csv", "id\n1\n")
    await city.importer.begin(make())
    report = await city.run(make())
    assert report.run == "urn:ngsi-ld:ImportRun:things:2"
    assert report.notes["resumes"] == "urn:ngsi-ld:ImportRun:things:1"


async def test_run_keeps_personal_columns_apart_and_out_of_the_reject_file(city: TestCity) -> None:
    city.write("things.csv", 'id,name,phone\n1,a,617-555-0100\n,b,617-555-0101\n2,"c"c,617-555-0102\n')
    await city.run(make(attributes={"name": "name"}, personal=["phone"]))
    person = Call(cause=Cause(kind="request", id="request:2"), party="clerk", purpose="call back")
    assert await city.broker.personal.read(person, THING + "1") == {"phone": "617-555-0100"}
    with city.store.snapshot() as snapshot:
        events = str(list(snapshot.events(0, 1000)))
    assert "617-555" not in events
    assert "617-555" not in str(await city.entities("Thing"))
    assert "617-555" not in json.dumps(city.rejects("things"))


async def test_run_does_not_bring_back_personal_data_that_was_erased(city: TestCity) -> None:
    city.write("things.csv", "id,phone\n1,617-555-0100\n")
    mapping = make(personal=["phone"])
    await city.run(mapping)
    await city.broker.personal.erase(city.call, THING + "1")
    report = await city.run(mapping)
    assert report.notes["personalErasedBefore"] == 1
    read = await asyncio.wrap_future(
        city.store.submit(lambda tx: tx.read_personal("", THING + "1", "p", "q"))
    )
    assert read is None


async def test_run_rejects_what_the_schema_of_its_type_refuses(city: TestCity) -> None:
    schema = {"type": "object", "properties": {"level": {"type": "number", "maximum": 10}}}
    await city.broker.schemas.put(city.call, expand("Thing"), schema)
    city.write("things.csv", "id,level\n1,5\n2,50\n")
    report = await city.run(make(attributes={"level": {"from": "level", "number": True}}))
    assert (report.created, report.rejected) == (1, {"refused": 1})
    assert adds_up(report)
    (reject,) = city.rejects("things")
    assert reject["row"] == 2
    assert "level" in reject["detail"]
    assert reject["raw"] == {"id": "2", "level": "50"}


async def test_run_of_a_series_rejects_whole_rows_that_the_schema_refuses(city: TestCity) -> None:
    schema = {"type": "object", "properties": {"intensity": {"type": "number", "maximum": 10}}}
    await city.broker.schemas.put(city.call, expand("Counter"), schema)
    rows = ["a,2020-01-01T00:00:00,5", "a,2020-01-01T00:15:00,50", "b,2020-01-01T00:15:00,6"]
    city.write("counts.csv", "site,at,n\n" + "\n".join(rows) + "\n")
    report = await city.run(COUNTS)
    assert (report.read, report.values_new, report.rejected) == (3, 2, {"refused": 1})
    (reject,) = city.rejects("counts")
    assert (reject["row"], reject["field"]) == (2, "intensity")
    assert reject["raw"] == {"site": "a", "at": "2020-01-01T00:15:00", "n": "50"}
    assert len(history(city, "urn:ngsi-ld:Counter:a", "intensity")) == 1
    assert (await city.values("urn:ngsi-ld:Counter:a"))["intensity"] == 5


async def test_run_waits_for_a_busy_store_and_counts_every_row_once(city: TestCity) -> None:
    refusals = iter([True, True, False, True, False])

    class Busy(LocalBroker):
        async def batch(
            self, call: Call, operation: Any, items: Any, skip_unchanged: bool = False
        ) -> BatchResult:
            if next(refusals, False):
                raise Overloaded("the queue is full")
            if len(items) < 3 or operation != "upsert-update":
                return await super().batch(call, operation, items, skip_unchanged)
            done = await super().batch(call, operation, items[:2], skip_unchanged)
            busy = [ItemError(item.id, Overloaded("the queue is full")) for item in items[2:]]
            return msgspec.structs.replace(done, errors=busy)

    busy = Busy(city.store, Everyone(), city.clock)
    city.write("things.csv", "id\n" + "".join(f"{number}\n" for number in range(9)))
    importer = Importer(msgspec.structs.replace(city.target, broker=busy))
    report = await importer.run(make(), city.data)
    assert (report.read, report.created, report.unchanged, report.rejected) == (9, 9, 0, {})
    assert len(await city.entities("Thing")) == 9


async def test_run_fails_when_the_store_fails_and_rejects_no_row_for_it(city: TestCity) -> None:
    class Full(LocalBroker):
        async def batch(
            self, call: Call, operation: Any, items: Any, skip_unchanged: bool = False
        ) -> BatchResult:
            if operation == "upsert-replace":
                return await super().batch(call, operation, items, skip_unchanged)
            return BatchResult(errors=[ItemError(item.id, StoreFailed("the disk is full")) for item in items])

    full = Full(city.store, Everyone(), city.clock)
    city.write("things.csv", "id\n1\n")
    importer = Importer(msgspec.structs.replace(city.target, broker=full))
    with pytest.raises(StoreFailed, match="the disk is full"):
        await importer.run(make(), city.data)
    assert city.rejects("things") == []
    state = await importer.states.get("things")
    assert state.report is not None
    assert (state.report.status, state.report.error) == ("failed", "the disk is full")


async def test_run_tells_a_missing_file_and_keeps_the_run_as_failed(city: TestCity) -> None:
    with pytest.raises(ConfigurationError, match=r"things\.csv does not exist"):
        await city.run(make())
    state = await city.importer.states.get("things")
    assert state.report is not None
    assert state.report.status == "failed"
    assert "does not exist" in state.report.error


async def test_run_tells_a_column_that_no_row_can_do_without(city: TestCity) -> None:
    city.write("things.csv", "ident,name\n1,a\n")
    with pytest.raises(ConfigurationError, match=r"things\.csv is invalid: it has no column 'id'"):
        await city.run(make())


async def test_run_notes_columns_that_are_not_there(city: TestCity) -> None:
    city.write("things.csv", "id\n1\n")
    report = await city.run(make(attributes={"name": "nmae"}))
    assert report.notes["missingColumns"] == ["nmae"]


async def test_run_shows_its_progress(city: TestCity) -> None:
    city.write("things.csv.gz", gzip.compress(b"id\n" + b"".join(b"%d\n" % n for n in range(5000))))
    seen: list[tuple[float, int]] = []
    mapping = make(path="things.csv.gz")
    await city.importer.run(mapping, city.data, lambda fraction, rows: seen.append((fraction, rows)))
    assert [rows for _, rows in seen] == [1000, 2000, 3000, 4000, 5000]
    assert all(0 <= fraction <= 1 for fraction, _ in seen)
    assert seen[-1][0] == 1


async def test_is_current_sees_another_file_and_another_mapping(city: TestCity) -> None:
    city.write("things.csv", "id\n1\n")
    mapping = make()
    assert not await city.importer.is_current(mapping, city.data)
    await city.run(mapping)
    assert await city.importer.is_current(mapping, city.data)
    changed: Mapping = make(attributes={"k": {"value": 1}})
    assert not await city.importer.is_current(msgspec.structs.replace(changed, digest="2"), city.data)
    city.write("things.csv", "id\n1\n2\n")
    assert not await city.importer.is_current(mapping, city.data)
