"""The Python client against a real node: every row once, in the types that frames promise."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cityloom.client import City, CityError
from tests.nodes import NodeProcess

START = datetime(2026, 1, 1, tzinfo=UTC)
LAMPS = 2_345
READINGS = 23_456
"""More than one answer of a node holds, of entities and of instances."""


def lamp(number: int) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Lamp:{number:05}",
        "type": "Lamp",
        "name": {"type": "LanguageProperty", "languageMap": {"en": f"Lamp {number}", "zh": f"路灯{number}"}},
        "power": {"type": "Property", "value": number % 7, "unitCode": "WTT"},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [number / 1000, 1.5]},
        },
    }


def sensor(readings: int) -> dict[str, Any]:
    return {
        "id": "urn:ngsi-ld:Sensor:1",
        "type": "Sensor",
        "level": [
            {"type": "Property", "value": number / 4, "unitCode": "MTR", "observedAt": stamp(number)}
            for number in range(readings)
        ],
    }


def stamp(number: int) -> str:
    return (START + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with NodeProcess(tmp_path_factory.mktemp("client") / "city") as running, City(running.url) as city:
        assert city.batch_upsert([lamp(number) for number in range(LAMPS)]) == []
        city._http.request("POST", "/ngsi-ld/v1/temporal/entities", body=sensor(9_000))
        for begin in range(9_000, READINGS, 9_000):
            body = {"level": sensor(READINGS)["level"][begin : begin + 9_000]}
            path = "/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Sensor:1/attrs"
            city._http.request("POST", path, body=body)
        yield running


@pytest.fixture
def city(node: NodeProcess) -> Iterator[City]:
    with City(node.url) as city:
        yield city


def test_query_entities_streams_every_entity_once(city: City) -> None:
    ids = [entity["id"] for entity in city.query_entities("Lamp")]
    assert ids == [f"urn:ngsi-ld:Lamp:{number:05}" for number in range(LAMPS)]


@pytest.mark.parametrize("limit", [0, 1, 999, 1000, 1001])
def test_query_entities_reads_no_more_than_the_limit(city: City, limit: int) -> None:
    assert sum(1 for _ in city.query_entities("Lamp", limit=limit)) == limit


def test_query_entities_obeys_q(city: City) -> None:
    frame = city.query_entities("Lamp", q="power>4").to_polars()
    assert frame.height == sum(number % 7 > 4 for number in range(LAMPS))
    assert set(frame["power"]) == {5, 6}


def test_entities_become_a_frame_with_a_column_an_attribute(city: City) -> None:
    frame = city.query_entities("Lamp", limit=10).to_polars()
    assert frame.columns == ["id", "type", "name", "power", "location"]
    assert frame.schema["power"] == pl.Int64
    assert frame["location"][3] == "POINT (0.003 1.5)"
    assert '"路灯3"' in frame["name"][3]


def test_entities_become_a_geodataframe_in_crs84(city: City) -> None:
    frame = city.query_entities("Lamp", limit=10, lang="zh").to_geopandas()
    assert frame.crs == "OGC:CRS84"
    assert [point.x for point in frame.geometry] == [number / 1000 for number in range(10)]
    assert list(frame["name"])[:2] == ["路灯0", "路灯1"]


def test_entities_become_a_pandas_frame(city: City) -> None:
    assert list(city.query_entities("Lamp", limit=3).to_pandas()["power"]) == [0, 1, 2]


def test_frames_come_in_pieces(city: City) -> None:
    heights = [piece.height for piece in city.query_entities("Lamp").frames(rows=1000)]
    assert heights == [1000, 1000, LAMPS - 2000]


def test_nothing_selected_is_a_frame_without_rows(city: City) -> None:
    assert city.query_entities("Nothing").to_polars().to_dict(as_series=False) == {"id": []}
    assert city.query_history("Nothing").to_polars().columns[:2] == ["id", "attribute"]


def test_items_stream_every_feature_once_and_obey_the_filter(city: City) -> None:
    assert sum(1 for _ in city.get_items("Lamp")) == LAMPS
    frame = city.get_items("Lamp", filter="power > 4", properties=["power"]).to_polars()
    assert frame.height == sum(number % 7 > 4 for number in range(LAMPS))
    assert city.get_items("Lamp", limit=3).to_geopandas().geometry.x.tolist() == [0.0, 0.001, 0.002]


def test_history_longer_than_an_answer_is_read_whole(city: City) -> None:
    frame = city.query_history("Sensor", id="urn:ngsi-ld:Sensor:1", attrs="level").to_polars()
    assert frame.height == 0  # history alone knows it: there is no current entity to select
    frame = city.retrieve_history("urn:ngsi-ld:Sensor:1", attrs="level").to_polars().sort("observedAt")
    assert frame["value"].to_list() == [number / 4 for number in range(READINGS)]
    assert frame["observedAt"].to_list() == [START + timedelta(minutes=number) for number in range(READINGS)]
    assert set(frame["unitCode"]) == {"MTR"}


def test_history_obeys_its_window(city: City) -> None:
    start, end = START + timedelta(minutes=100), START + timedelta(minutes=11_000)
    frame = city.retrieve_history("urn:ngsi-ld:Sensor:1", start=start, end=end).to_polars()
    assert frame.height == 10_900
    assert frame["observedAt"].min() == start
    assert frame["observedAt"].max() == end - timedelta(minutes=1)


def test_history_of_what_is_not_there_is_empty(city: City) -> None:
    assert list(city.retrieve_history("urn:ngsi-ld:Sensor:none")) == []


def test_aggregates_are_those_of_the_values(city: City) -> None:
    frame = city.aggregate_history(
        id="urn:ngsi-ld:Sensor:1",
        attrs="level",
        methods=["avg", "totalCount"],
        period="P1D",
        start=START,
        end=START + timedelta(days=2),
    ).to_polars()
    means = frame.filter(pl.col("method") == "avg").sort("start")
    assert means["value"].to_list() == pytest.approx([(1439 / 2) / 4, (1440 + 2879) / 2 / 4])
    assert means["start"].to_list() == [START, START + timedelta(days=1)]
    counts = frame.filter(pl.col("method") == "totalCount")
    assert counts["value"].to_list() == [1440, 1440]


def test_time_without_zone_is_refused(city: City) -> None:
    with pytest.raises(ValueError, match="time zone is required"):
        city.retrieve_history("urn:ngsi-ld:Sensor:1", end=datetime(2026, 1, 1)).to_polars()
    with pytest.raises(ValueError, match="'yesterday' is invalid"):
        city.retrieve_history("urn:ngsi-ld:Sensor:1", start="yesterday").to_polars()


def test_events_are_followed_from_a_place_in_the_log(city: City) -> None:
    seq = city.describe_city()["seq"]
    ids = [f"urn:ngsi-ld:Bench:{number}" for number in range(5)]

    def write() -> None:
        for entity_id in ids:
            city.create_entity({"id": entity_id, "type": "Bench", "seats": {"type": "Property", "value": 1}})

    writer = threading.Thread(target=write)
    writer.start()
    changes = list(itertools.islice(city.follow_events("Bench", after=seq), 5))
    writer.join()
    assert [change["entityId"] for change in changes] == ids
    assert {change["kind"] for change in changes} == {"entityCreated"}
    for entity_id in ids:
        city.delete_entity(entity_id)


def test_writes_change_the_city(city: City) -> None:
    chair = {"id": "urn:ngsi-ld:Chair:1", "type": "Chair", "legs": {"type": "Property", "value": 4}}
    city.create_entity(chair)
    city.update_attributes("urn:ngsi-ld:Chair:1", {"legs": {"type": "Property", "value": 3}})
    city.merge_entity("urn:ngsi-ld:Chair:1", {"colour": {"type": "Property", "value": "red"}})
    found = city.retrieve_entity("urn:ngsi-ld:Chair:1", options="keyValues")
    assert (found["legs"], found["colour"]) == (3, "red")
    assert "Chair" in city.list_types()
    city.delete_entity("urn:ngsi-ld:Chair:1")
    with pytest.raises(CityError) as refused:
        city.retrieve_entity("urn:ngsi-ld:Chair:1")
    assert refused.value.status == 404


def test_batch_tells_what_was_refused(city: City) -> None:
    errors = city.batch_upsert([{"id": "urn:ngsi-ld:Chair:2", "type": "Chair", "legs": {"type": "Property"}}])
    assert [error["entityId"] for error in errors] == ["urn:ngsi-ld:Chair:2"]


def test_refusal_tells_status_and_reason(city: City) -> None:
    with pytest.raises(CityError, match="nonsense") as refused:
        list(city.query_entities("Lamp", nonsense=1))
    assert refused.value.status == 400


def test_node_that_is_away_is_status_0() -> None:
    with City("http://127.0.0.1:9") as city, pytest.raises(CityError) as refused:
        city.describe_city()
    assert refused.value.status == 0


def test_importing_the_client_loads_no_frame_library() -> None:
    code = (
        "import sys, cityloom.client; print([m for m in ('polars','pandas','geopandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_examples_of_the_paper_run(sample_city: str) -> None:
    paper = (Path(__file__).parents[2] / "docs/notebook.md").read_text()
    parts = paper.split("```python\n")[1:]
    code = "\n".join(part.partition("```")[0] for part in parts).replace("http://127.0.0.1:8026", sample_city)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "does not exist" in done.stdout
