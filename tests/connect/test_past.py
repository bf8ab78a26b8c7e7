"""The past in bulk: the same rows give the same history as when they are appended."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cityloom.broker.ports import Call
from cityloom.broker.schemas import Schemas
from cityloom.connect.files import find_files
from cityloom.connect.past import PastImport
from cityloom.connect.profile import load_profile
from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import ConfigurationError, StoreFailed
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.sample import generate
from cityloom.store.changes import SCOPE
from cityloom.store.history_ports import Window
from tests.connect.conftest import NOON, Everyone, TestCity, expand, make
from tests.connect.past_killed import STEPS, VALUES, rows_of

ROOT = Path(__file__).parents[2]
DAY = 86_400_000_000
OLD = NOON - 30 * DAY
"""What is older goes to the tables."""
NAMES = ("id", "type", "attribute", "observedAt", "value", "datasetId", "unitCode")
Row = tuple[str, str, str, int, Any, str | None, str | None]
_OF_THE_STATE = (SCOPE, expand("stale"))
LAMP, METER = "urn:ngsi-ld:Lamp:1", "urn:x:Zähler:2"


def past(city: TestCity, **more: Any) -> PastImport:
    return PastImport(city.importer, city.store.cold, OLD, **{"chunk": 3, **more})


def written(path: Path, told: list[Row]) -> Path:
    """The rows as a CSV file, which holds values of all kinds."""
    lines = [",".join(NAMES)]
    for entity_id, type, name, time, value, dataset, unit in told:
        cell = value if isinstance(value, str) else json.dumps(value)
        lines.append(
            f'{entity_id},{type},{name},{format_datetime(time)},"{cell}",{dataset or ""},{unit or ""}'
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def told(city: TestCity) -> dict[str, Any]:
    """All history, but for the times of writing and what a run says of current entities."""
    found: dict[str, Any] = {}
    with city.store.snapshot() as snapshot:
        for entity in snapshot.history_entities(""):
            if "ImportRun" in entity.id:
                continue
            instances = snapshot.instances("", entity.id, Window(with_repeats=True))
            for name in _OF_THE_STATE:
                instances.pop(name, None)
            found[entity.id] = (entity.types, {name: _plain(many) for name, many in instances.items()})
            counts = snapshot.count_observed("", entity.id, Window())
            found[entity.id, "counts"] = {
                key: count for key, count in counts.items() if key[0] not in _OF_THE_STATE
            }
    return found


def _plain(instances: list[Instance]) -> list[Any]:
    return [
        (
            one.attribute.instance_id,
            one.attribute.observed_at,
            json.dumps(one.attribute.value),
            one.attribute.dataset_id,
            one.attribute.unit_code,
            one.occurrence,
            one.row,
        )
        for one in instances
    ]


async def append(city: TestCity, source: str, told: list[Row]) -> None:
    """The rows as a connector would bring them, with what number of its stamp each is."""
    seen: Counter[tuple[Any, ...]] = Counter()
    call = Call(tenant="", party="", cause=Cause(kind="run", id="urn:run", source=source, file="f"))
    appends = []
    for number, (entity_id, type, name, time, value, dataset, unit) in enumerate(told, 1):
        key = (entity_id, name, time, dataset)
        attribute = Attribute(
            kind="Property",
            value=value,
            observed_at=format_datetime(time),
            dataset_id=dataset or "",
            unit_code=unit,
        )
        instance = Instance(name=expand(name), attribute=attribute, occurrence=seen[key], row=number)
        seen[key] += 1
        appends.append(HistoryAppend(entity_id=entity_id, types=[expand(type)], instances=[instance]))
    await city.broker.append_history(call, appends)


FILES: list[list[Row]] = [
    [  # two months, both sides of the watermark, repeats of a stamp, all kinds of values
        (LAMP, "Lamp", "level", OLD - 90 * DAY, 1, None, "CEL"),
        (METER, "Meter", "level", OLD - 90 * DAY, 2.5, None, None),
        (LAMP, "Lamp", "level", OLD - 91 * DAY, -0.5, None, "CEL"),
        (LAMP, "Lamp", "level", OLD - 90 * DAY, 1, None, "CEL"),
        (LAMP, "Lamp", "level", OLD - 90 * DAY, 3, "urn:d:1", "CEL"),
        (LAMP, "Lamp", "state", OLD - DAY, "on, \\ or 'off' é", None, None),
        (LAMP, "Lamp", "state", OLD - 1, True, None, None),
        (LAMP, "Lamp", "state", OLD, False, None, None),
        (METER, "Meter", "level", OLD + DAY, 2**53 + 1, None, None),
        (METER, "Meter", "level", OLD + DAY, -(2**63), None, None),
        (METER, "Meter", "level", OLD + DAY, 1e300, "urn:d:1", None),
        (METER, "Meter", "level", OLD - 2 * DAY, 2**70, None, None),
    ],
    [  # what was there before, in another order and with another value; late and new ones
        (METER, "Meter", "level", OLD - 90 * DAY, 99, None, None),
        (LAMP, "Lamp", "level", OLD - 91 * DAY, -0.5, None, "CEL"),
        (LAMP, "Lamp", "level", OLD - 91 * DAY, 7, None, "CEL"),
        (METER, "Meter", "level", OLD + DAY, 1, None, None),
        (LAMP, "Other", "rate", OLD - 60 * DAY, 5, None, None),
        ("urn:new", "Lamp", "level", OLD - 60 * DAY, 5, None, None),
    ],
]


@pytest.mark.parametrize("before", ["nothing", "state", "hot", "moved"])
async def test_files_give_the_history_that_appends_give(before: str, tmp_path: Path) -> None:
    cities = []
    for name in ("bulk", "one by one"):
        (tmp_path / name).mkdir()
        city = TestCity(tmp_path / name, SimulatedClock(NOON))
        cities.append(city)
        if before == "state":
            lamp = Entity(id=LAMP, types=[expand("Lamp")], attributes={})
            await city.broker.create_entity(city.call, lamp)
        elif before != "nothing":
            await append(city, "archive", FILES[0][2:5])
            await append(city, "others", FILES[0][:3])
    if before == "moved":
        cities[0].store.cold.move(OLD)
    bulk, single = cities
    for number, rows in enumerate(FILES):
        report = await past(bulk).run(written(tmp_path / f"{number}.csv", rows), "archive")
        await append(single, "archive", rows)
        assert told(bulk) == told(single)
        assert (report.read, report.rejected_rows) == (len(rows), 0)
        again = await past(bulk, chunk=100).run(tmp_path / f"{number}.csv", "archive")
        assert (again.values_new, again.values_known) == (0, len(rows))
        assert told(bulk) == told(single)
    assert bulk.store.cold.move(OLD) == {"hot": 6, "state": 0, "nothing": 0, "moved": 0}[before]
    bulk.store.cold.compact()
    assert told(bulk) == told(single)
    for city in cities:
        city.store.close()


async def test_each_chunk_is_one_event_that_names_its_run(city: TestCity, tmp_path: Path) -> None:
    await past(city, chunk=4).run(written(tmp_path / "a.csv", FILES[0][:6]), "archive")
    with city.store.snapshot() as snapshot:
        events = [one for one in snapshot.events(0) if one.kind == "historyAppended"]
        (origin, *_) = snapshot.origins("", LAMP, Window())
    assert [(one.entity_id, one.count) for one in events] == [(LAMP, 1), ("", 4), (LAMP, 1)]
    assert sum(one.count for one in events) == 6
    assert {one.cause.source for one in events} == {"archive"}
    assert origin.cause.id == "urn:ngsi-ld:ImportRun:archive:1"
    assert origin.cause.file == "a.csv"
    assert not list((tmp_path / "rejects").glob("**/aside"))


BROKEN: list[tuple[bytes, str, Any]] = [
    (b"urn:a,Lamp", "wrong number of columns", "urn:a,Lamp"),
    (b"urn:a,Lamp,level,2026-01-01T00:00:00Z,1,,,more", "wrong number of columns", None),
    (b'urn:a,Lamp,level,"2026"-01,1,,', "broken quoting", 'urn:a,Lamp,level,"2026"-01,1,,'),
    (b"urn:\xff,Lamp,level,2026-01-01T00:00:00Z,1,,", "broken UTF-8", None),
]
"""Lines that are no rows, why, and what the reject file holds of them."""


@pytest.mark.parametrize("broken", [[], BROKEN], ids=["plain", "broken"])
async def test_rows_that_are_none_are_rejected_with_their_reasons(
    broken: list[tuple[bytes, str, Any]], city: TestCity, tmp_path: Path
) -> None:
    good = [LAMP, "Lamp", "level", "2026-01-01T00:00:00Z", "1", "", ""]
    faults = [
        ({0: ""}, "no id"),
        ({0: "lamp 1"}, "invalid id"),
        ({0: "urn:a%zz"}, "invalid id"),
        ({2: ""}, "no attribute"),
        ({2: "a b"}, "invalid attribute"),
        ({2: "createdAt"}, "invalid attribute"),
        ({1: "<x>"}, "invalid type"),
        ({3: ""}, "no time"),
        ({3: "yesterday"}, "invalid time"),
        ({3: "2026-02-30T00:00:00Z"}, "invalid time"),
        ({3: "2026-02-30T00:00:00"}, "invalid time"),
        ({3: "2026-01-01T00:00:00"}, "time without zone"),
        ({3: "2026-01-01 00:00"}, "time without zone"),
        ({4: ""}, "no value"),
        ({4: "urn:ngsi-ld:null"}, "invalid value"),
        ({4: "1e999"}, "invalid value"),
        ({4: "NaN"}, "invalid value"),
        ({4: "-inf"}, "invalid value"),
        ({5: "x"}, "invalid datasetId"),
        ({0: "urn:unheard", 1: ""}, "no type"),
        ({0: "urn:unheard", 1: "", 3: format_datetime(NOON)}, "no type"),
    ]
    lines = [",".join(NAMES), ",".join(good)]
    for change, _ in faults:
        lines.append(",".join(change.get(place, cell) for place, cell in enumerate(good)))
    # What is broken stands in the midst, so that a quote would swallow what is right.
    content = [line.encode() for line in lines]
    content[2:2] = [line for line, _, _ in broken]
    (tmp_path / "a.csv").write_bytes(b"\n".join(content))
    report = await past(city, chunk=100).run(tmp_path / "a.csv", "archive")
    rejects = sorted(city.rejects("archive"), key=lambda one: one["row"])
    assert [(one["row"], one["reason"]) for one in rejects] == [
        (row, reason)
        for row, reason in enumerate([one[1] for one in broken] + [reason for _, reason in faults], 2)
    ]
    for told, (line, _, raw) in zip(rejects, broken, strict=False):
        assert told["raw"] == (raw or line.decode("latin-1"))
    rejects = rejects[len(broken) :]
    assert rejects[1]["detail"] == "id is invalid: 'lamp 1'"
    assert rejects[1]["raw"] == dict(zip(NAMES, [*"x", *good[1:]], strict=True)) | {"id": "lamp 1"}
    assert report.values_new == 1
    assert report.read == report.values_new + report.rejected_rows
    assert report.rejected == Counter([reason for _, reason, _ in broken] + [why for _, why in faults])
    assert report.files[0].rows == len(lines) - 1 + len(broken)


async def test_entities_may_have_to_be_known(city: TestCity, tmp_path: Path) -> None:
    await city.broker.create_entity(city.call, Entity(id=LAMP, types=[expand("Lamp")], attributes={}))
    report = await past(city, make=False).run(written(tmp_path / "a.csv", FILES[0]), "archive")
    assert set(told(city)) == {LAMP, (LAMP, "counts")}
    assert report.rejected == {"unknown entity": sum(row[0] == METER for row in FILES[0])}
    assert report.values_new == sum(row[0] == LAMP for row in FILES[0])


async def test_a_run_that_finds_no_room_says_so(city: TestCity, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", FILES[0])
    (tmp_path / "rejects").write_text("no folder")
    with pytest.raises(StoreFailed, match="rows could not be laid aside"):
        await past(city).run(file, "archive")
    (tmp_path / "rejects").unlink()
    assert (await past(city).run(file, "archive")).values_new == len(FILES[0])


async def test_the_schema_of_a_type_holds_for_rows_too(city: TestCity, tmp_path: Path) -> None:
    schemas = Schemas(city.store, Everyone(), city.clock)
    await schemas.put(city.call, expand("Lamp"), {"properties": {"level": {"maximum": 2}}})
    rows = [row for row in FILES[0] if row[2] == "level"]
    report = await past(city).run(written(tmp_path / "a.csv", rows), "archive")
    assert report.rejected == {"refused by the schema": 1}
    assert [one["row"] for one in city.rejects("archive")] == [5]
    assert "level" in city.rejects("archive")[0]["detail"]


@pytest.mark.parametrize(
    ("suffix", "kind"), [("parquet", pl.Float32), ("arrow", pl.Int16), ("parquet", pl.UInt64)]
)
async def test_columns_keep_their_types(suffix: str, kind: Any, city: TestCity, tmp_path: Path) -> None:
    most = 2**64 - 1 if kind == pl.UInt64 else 7
    stamps = [datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 13)]
    frame = pl.DataFrame(
        {"id": [LAMP, LAMP], "type": "Lamp", "attribute": "level", "observedAt": stamps, "value": [3, most]},
        schema_overrides={"value": kind},
    ).with_columns(pl.col("observedAt").cast(pl.Datetime("ms")))
    path = tmp_path / f"a.{suffix}"
    frame.write_parquet(path) if suffix == "parquet" else frame.write_ipc(path)
    with pytest.raises(ConfigurationError, match="name no time zone"):
        await past(city).run(path, "archive")
    await past(city).run(path, "archive", "America/New_York")
    with city.store.snapshot() as snapshot:
        (found,) = snapshot.instances("", LAMP, Window()).values()
    assert [one.attribute.value for one in found] == [3, most]
    assert [type(one.attribute.value) for one in found] == [float if kind == pl.Float32 else int] * 2
    assert found[0].attribute.observed_at == "2026-01-01T17:00:00Z"


ZONED = {
    "2026-01-01T00:00:00Z": "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00+05:00": "2025-12-31T19:00:00Z",
    "2026-01-01T00:00:00": "2025-12-31T23:00:00Z",
    "2026-01-01 00:10:00.25": "2025-12-31T23:10:00.25Z",
    "2025-07-01 00:00": "2025-06-30T22:00:00Z",
    "2025-07-02": "2025-07-01T22:00:00Z",
    "2025-10-26T02:30:00": "2025-10-26T00:30:00Z",
    "2025-03-30T02:30:00": None,
}
"""Texts, and what they are in Zurich: the first of an hour that occurs twice, none of one left out."""


@pytest.mark.parametrize("mark", ["", '"'], ids=["plain", "quoted"])
async def test_texts_that_name_no_zone_are_of_the_zone_that_is_given(
    mark: str, city: TestCity, tmp_path: Path
) -> None:
    rows = [f"{LAMP},Lamp,level,{mark}{text}{mark},{place}" for place, text in enumerate(ZONED)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(NAMES[:5]), *rows]))
    report = await past(city).run(tmp_path / "a.csv", "archive", "Europe/Zurich")
    assert report.rejected == {"invalid time": 1}
    assert [one["raw"]["observedAt"] for one in city.rejects("archive")] == ["2025-03-30T02:30:00"]
    with city.store.snapshot() as snapshot:
        (found,) = snapshot.instances("", LAMP, Window()).values()
    assert {one.attribute.value: one.attribute.observed_at for one in found} == {
        place: time for place, time in enumerate(ZONED.values()) if time
    }


async def test_a_run_whose_rows_are_all_rejected_has_failed(city: TestCity, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"id,type,attribute,observedAt,value\n{LAMP},Lamp,level,2026-01-01,1\n")
    report = await past(city).run(tmp_path / "a.csv", "archive")
    assert report.status == "failed"
    assert report.error == "no row was taken of 1, most of them for: time without zone"
    (reject,) = city.rejects("archive")
    assert "'2026-01-01' names no time zone: say it with --time-zone" in reject["detail"]


async def test_a_file_that_is_not_as_it_must_be_is_refused(city: TestCity, tmp_path: Path) -> None:
    whole = {"id": LAMP, "attribute": "level", "observedAt": "2026-01-01T00:00:00Z", "value": 1}
    for changes, words in (
        ({"value": None}, "column value is required"),
        ({"colour": "red"}, "column colour is unknown"),
        ({"observedAt": 5}, "column observedAt holds Int64"),
        ({"value": [1]}, "column value holds List"),
        ({"id": 5}, "column id holds Int64"),
    ):
        cells = {name: cell for name, cell in {**whole, **changes}.items() if cell is not None}
        pl.DataFrame([cells]).write_parquet(tmp_path / "a.parquet")
        with pytest.raises(ConfigurationError, match=words):
            await past(city).run(tmp_path / "a.parquet", "archive")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 or not")
    (tmp_path / "c.csv").write_text("id,attribute,observedAt,value,id\na,b,c,d,e\n")
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(b"id,attribute,observedAt,value\n" * 9)[:-5])
    for name, words in (
        ("b.parquet", "cannot be read"),
        ("c.csv", "column 'id' is there twice"),
        ("f.csv.gz", "cannot be read after row"),
        ("d.csv", "does not exist"),
        ("e.txt", "ends in none of"),
    ):
        if name.startswith("e"):
            (tmp_path / name).touch()
        with pytest.raises(ConfigurationError, match=words):
            await past(city).run(tmp_path / name, "archive")
    with pytest.raises(ConfigurationError, match="the source 'a/b' is invalid"):
        await past(city).run(tmp_path / "a.parquet", "a/b")
    assert told(city) == {}


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_a_step_and_run_again_each_instance_is_there_once(step: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", rows_of(OLD))
    command = [sys.executable, "-m", "tests.connect.past_killed", str(tmp_path), step]
    killed = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await killed.wait() == -signal.SIGKILL
    city = TestCity(tmp_path, SimulatedClock(NOON))
    before = _values(city)
    assert len(before) < VALUES
    report = await past(city, chunk=5).run(path, "archive")
    assert report.values_new == VALUES - len(before)
    assert _values(city) == list(range(VALUES))
    table = pl.read_delta(city.store.cold._tables.url)
    assert sorted(table["number"]) == list(range(VALUES))
    city.store.close()


def _values(city: TestCity) -> list[Any]:
    with city.store.snapshot() as snapshot:
        found = [
            one.attribute.value
            for entity in snapshot.history_entities("", id_pattern="Lamp")
            for many in snapshot.instances("", entity.id, Window(with_repeats=True)).values()
            for one in many
        ]
    return sorted(found)


SAMPLE = ("sample-air-readings", "sample-noise-readings", "sample-bicycle-counts", "sample-waste-levels")


async def test_sources_are_read_in_columns_as_their_mappings_say(tmp_path: Path) -> None:
    """The sample city's own sources: local times and UTC, CSV and Parquet, a day that is delivered twice."""
    generate(tmp_path / "sources", seed=7)
    cities = []
    for name in ("bulk", "row by row"):
        (tmp_path / name).mkdir()
        cities.append(TestCity(tmp_path / name, SimulatedClock(NOON)))
    bulk, single = cities
    for mapping in load_profile("sample").mappings:
        if mapping.source not in SAMPLE:
            continue
        files = find_files(mapping, tmp_path / "sources")
        # A chunk so small that a month is sorted in shares.
        report = await PastImport(bulk.importer, bulk.store.cold, NOON, chunk=1500).run_mapped(mapping, files)
        expected = await single.importer.run(mapping, tmp_path / "sources")
        assert (report.read, report.values_new) == (expected.read, expected.values_new)
        assert report.rejected == expected.rejected
    found, wanted = told(bulk), told(single)
    assert len(found) > 2 * 100
    assert found.keys() == wanted.keys()
    for key, one in found.items():
        assert one == wanted[key]
    for city in cities:
        city.store.close()


async def test_a_mapped_file_is_read_as_row_by_row(tmp_path: Path) -> None:
    """The hours that occur twice and never, empty cells, wrong ones, scales, ids with odd letters."""
    rows = [
        "code,at,n,text",
        "a b,2025-03-30 01:59:59,1,x",
        "a b,2025-03-30 02:30:00,2,",  # never was
        "a b,2025-10-26 02:30:00,3,y",
        "a b,2025-10-26 02:30:00,4.5, z ",  # an hour later
        "a b,2025-10-26 02:30:00,4.5,again",
        "{ü},2025-10-26T02:30:00+02:00,5,x",
        "c,2025-01-01 00:00,-9,x",
        "c,2025-01-02,1,x",
        "c,2025-01-03T00:00:00Z,many,x",
        ",2025-01-03T00:00:00Z,1,x",
        "c,,1,x",
        "c,nonsense,1,x",
        "c,2025-01-04T00:00:00.123456Z,,",
        "c,2025-01-05T00:00:00Z,9007199254740993,x",
    ]
    mapping = make(
        source="meters",
        path="meters.csv",
        timeZone="Europe/Berlin",
        entity={"id": "urn:ngsi-ld:Meter:{code}", "type": "Meter", "scope": "/a/b"},
        attributes={
            "level": {"from": "n", "number": True, "unitCode": "CEL", "empty": ["-9"]},
            "scaled": {"from": "n", "number": True, "scale": 0.1, "offset": 3, "datasetId": "urn:d:1"},
            "note": "text",
        },
        observedAt="at",
        series=True,
        require=["code"],
    )
    cities = []
    for name in ("bulk", "row by row"):
        (tmp_path / name).mkdir()
        cities.append(TestCity(tmp_path / name, SimulatedClock(NOON)))
        cities[-1].write("meters.csv", "\n".join(rows) + "\n")
    bulk, single = cities
    expected = await single.run(mapping)
    report = await past(bulk).run_mapped(mapping, find_files(mapping, bulk.data))
    assert told(bulk) == told(single)
    assert report.read == expected.read
    assert sorted(one["row"] for one in bulk.rejects("meters")) == [
        one["row"] for one in single.rejects("meters")
    ]
    assert report.rejected == expected.rejected
    with bulk.store.snapshot() as snapshot:
        assert {one.scopes[0] for one in snapshot.history_entities("", id_pattern="Meter")} == {"/a/b"}
    for city in cities:
        city.store.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"series": False}, "it is no series"),
        ({"format": "json"}, "its format is json"),
        ({"geometry": {"lon": "x", "lat": "y"}}, "it has geometry"),
        (
            {"attributes": {"n": {"from": "n", "map": {"a": "b"}}}},
            "attribute n is more than a number or a text",
        ),
        ({"stampFormat": "epoch"}, "its stampFormat is epoch"),
    ],
)
async def test_a_mapping_that_is_not_plain_is_refused(change: Any, words: str, city: TestCity) -> None:
    city.write("things.csv", "id,at,n\n1,2025-01-01T00:00:00Z,1\n")
    plain = {"observedAt": "at", "series": True, "attributes": {"n": {"from": "n", "number": True}}}
    mapping = make(**{**plain, **change})
    with pytest.raises(ConfigurationError, match=words):
        await past(city).run_mapped(mapping, find_files(mapping, city.data))
    mapping = make(**{**plain, "attributes": {"m": {"from": "m", "number": True}}})
    with pytest.raises(ConfigurationError, match="column m is required"):
        await past(city).run_mapped(mapping, find_files(mapping, city.data))
