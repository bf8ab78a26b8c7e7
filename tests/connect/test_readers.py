from __future__ import annotations

import io
import json
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyogrio
import pytest
import shapely
from google.transit import gtfs_realtime_pb2 as pb

from cityloom.connect.readers import open_table
from cityloom.connect.readers.jsonrows import flatten
from cityloom.connect.rejects import Unreadable
from cityloom.connect.shapes import Place
from cityloom.model.errors import ConfigurationError
from tests.connect.conftest import make


def rows_of(content: bytes | Path, **values: Any) -> list[Any]:
    with closing(open_table(make(**values), content)) as table:
        return [row for _, row in table.rows]


def test_parquet_keeps_types_and_reads_only_the_columns_that_are_used(tmp_path: Path) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    frame = pl.DataFrame({"id": [1, 2], "at": [at, None], "value": [1.5, None], "other": ["x", "y"]})
    frame.write_parquet(tmp_path / "a.parquet")
    rows = rows_of(tmp_path / "a.parquet", format="parquet", observedAt="at", attributes={"v": "value"})
    assert rows == [{"id": 1, "at": at, "value": 1.5}, {"id": 2, "at": None, "value": None}]


def test_parquet_tells_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no parquet here")
    with pytest.raises(ConfigurationError, match="cannot be read as Parquet"):
        open_table(make(format="parquet"), tmp_path / "a.parquet")


def test_geojson_rejects_only_the_feature_that_is_none() -> None:
    good = {"type": "Feature", "id": 5, "properties": {"name": "a"}, "geometry": None}
    document = {"type": "FeatureCollection", "features": [good, {"type": "Feature", "properties": 3}]}
    rows = rows_of(json.dumps(document).encode(), format="geojson")
    assert rows[0] == {"name": "a", "id": 5, "geometry": None}
    assert isinstance(rows[1], Unreadable)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"type": "Point"}', b"\xff", b"[" * 100_000])
def test_geojson_tells_a_file_that_is_none(content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="FeatureCollection"):
        open_table(make(format="geojson"), content)


@pytest.mark.parametrize(("format", "driver"), [("shapefile", "ESRI Shapefile"), ("geopackage", "GPKG")])
def test_ogr_brings_a_national_grid_to_longitude_and_latitude(
    tmp_path: Path, format: str, driver: str
) -> None:
    path = tmp_path / ("a.shp" if format == "shapefile" else "a.gpkg")
    # Boston's State House in the Massachusetts state plane (metres).
    points = np.array([shapely.to_wkb(shapely.Point(236_028.0, 901_034.0)), None], dtype=object)
    names = np.array(["State House", "nowhere"], dtype=object)
    counts = np.array([3.0, np.nan])
    pyogrio.raw.write(
        path,
        points,
        [names, counts],
        ["name", "count"],
        crs="EPSG:26986",
        geometry_type="Point",
        driver=driver,
    )
    mapping = make(format=format, path=path.name, geometry={"from": "geometry"})
    table = open_table(mapping, path)
    rows = [row for _, row in table.rows]
    assert table.columns is not None
    assert {"name", "count", "fid", "geometry"} <= set(table.columns)
    assert [row["name"] for row in rows if isinstance(row, dict)] == ["State House", "nowhere"]
    assert mapping.geometry is not None
    place = Place(mapping.geometry, mapping.crs, [])
    assert isinstance(rows[0], dict)
    geometry, _ = place.of(rows[0])
    assert geometry is not None
    assert geometry["coordinates"] == pytest.approx((-71.0638, 42.3582), abs=0.002)
    assert isinstance(rows[1], dict)
    assert place.of(rows[1]) == (None, False)


def test_ogr_tells_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="cannot be read as geopackage"):
        open_table(make(format="geopackage"), tmp_path / "a.gpkg")


def test_gtfs_reads_a_table_and_notes_what_the_feed_lacks(tmp_path: Path) -> None:
    (tmp_path / "stops.txt").write_text("stop_id,stop_name\n1,Park Street\n")
    with closing(open_table(make(format="gtfs", layer="stops", path="."), tmp_path)) as table:
        rows = [row for _, row in table.rows]
    assert rows == [{"stop_id": "1", "stop_name": "Park Street"}]
    assert table.notes["missingTables"] == ["agency", "routes", "trips", "stop_times", "shapes"]


def test_gtfs_reads_a_zip_and_tells_a_missing_table() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("feed/stops.txt", "stop_id\n1\n")
    assert rows_of(buffer.getvalue(), format="gtfs", layer="stops") == [{"stop_id": "1"}]
    with pytest.raises(ConfigurationError, match=r"routes\.txt does not exist"):
        open_table(make(format="gtfs", layer="routes"), buffer.getvalue())


def feed() -> pb.FeedMessage:
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = 1_700_000_000
    return message


def test_gtfs_realtime_gives_vehicles() -> None:
    message = feed()
    entity = message.entity.add(id="e1")
    entity.vehicle.vehicle.id = "v1"
    entity.vehicle.trip.route_id = "Red"
    entity.vehicle.position.latitude, entity.vehicle.position.longitude = 42.36, -71.06
    entity.vehicle.current_status = pb.VehiclePosition.STOPPED_AT
    message.entity.add(id="gone", is_deleted=True)
    rows = rows_of(message.SerializeToString(), format="gtfs-realtime", layer="vehicles")
    assert len(rows) == 1
    row = rows[0]
    assert (row["vehicle_id"], row["route_id"], row["current_status"]) == ("v1", "Red", "STOPPED_AT")
    assert (row["latitude"], row["longitude"]) == (42.36, -71.06)
    assert row["timestamp"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert row["trip_id"] is None


def test_gtfs_realtime_gives_a_row_for_each_stop_of_a_trip_update() -> None:
    message = feed()
    update = message.entity.add(id="e1").trip_update
    update.trip.trip_id = "t1"
    for number in (1, 2):
        stop = update.stop_time_update.add(stop_sequence=number, stop_id=f"s{number}")
        stop.arrival.delay = 60 * number
        stop.arrival.time = 1_700_000_100
    rows = rows_of(message.SerializeToString(), format="gtfs-realtime", layer="tripUpdates")
    assert [(row["stop_id"], row["arrival_delay"]) for row in rows] == [("s1", 60), ("s2", 120)]
    assert rows[0]["arrival_time"] == datetime(2023, 11, 14, 22, 15, tzinfo=UTC)
    assert rows[0]["departure_time"] is None


def test_gtfs_realtime_gives_alerts_with_their_languages() -> None:
    message = feed()
    alert = message.entity.add(id="a1").alert
    alert.cause, alert.effect = pb.Alert.CONSTRUCTION, pb.Alert.DETOUR
    alert.active_period.add(start=1_700_000_000)
    for language, text in (("en", "Detour"), ("zh", "绕行")):
        alert.header_text.translation.add(language=language, text=text)
    alert.informed_entity.add(route_id="39")
    alert.informed_entity.add(stop_id="70026")
    (row,) = rows_of(message.SerializeToString(), format="gtfs-realtime", layer="alerts")
    assert (row["cause"], row["effect"]) == ("CONSTRUCTION", "DETOUR")
    assert (row["header_text"], row["header_text_zh"]) == ("Detour", "绕行")
    assert (row["route_id"], row["stop_id"], row["active_end"]) == ("39", "70026", None)


def test_gtfs_realtime_tells_bytes_that_are_no_feed() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read as GTFS-realtime"):
        open_table(make(format="gtfs-realtime", layer="alerts"), b"\xff\xff\xff no feed")


def test_json_takes_an_object_an_array_or_a_member() -> None:
    assert rows_of(b'{"id": 1}', format="json") == [{"id": 1}]
    rows = rows_of(b'{"data": {"items": [{"id": 1}, 2]}}', format="json", layer="data.items")
    assert rows[0] == {"id": 1}
    assert isinstance(rows[1], Unreadable)
    with pytest.raises(ConfigurationError, match=r"'data\.rows' does not exist"):
        rows_of(b'{"data": {}}', format="json", layer="data.rows")


@pytest.mark.parametrize("content", [b"", b"{", b"NaN", b"[" * 100_000])
def test_json_tells_what_is_none(content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read as JSON"):
        rows_of(content, format="json")


def test_flatten_names_members_by_their_path() -> None:
    assert flatten({"a": {"b": {"c": 1}}, "d": [1]})["a.b.c"] == 1
