"""The buses: the static feed holds together, and the live files agree with it."""

from __future__ import annotations

import numpy as np
import polars as pl
import shapely
from google.transit import gtfs_realtime_pb2 as feed
from sample_files import moment

METRES = 111_320.0


def _table(city, name: str) -> pl.DataFrame:
    return pl.read_csv(city.folder / f"transit/gtfs/{name}.txt", infer_schema_length=0)


def _message(path) -> feed.FeedMessage:
    message = feed.FeedMessage()
    message.ParseFromString(path.read_bytes())
    assert message.IsInitialized()
    return message


def _snapshots(city):
    files = sorted((city.folder / "transit/realtime/vehicle_positions").glob("*.pb"))
    return [_message(path) for path in files]


def test_gtfs_references_lead_to_rows(city):
    links = [
        ("stop_times", "trip_id", "trips"),
        ("stop_times", "stop_id", "stops"),
        ("trips", "route_id", "routes"),
        ("trips", "service_id", "calendar"),
        ("trips", "shape_id", "shapes"),
        ("routes", "agency_id", "agency"),
    ]
    for table, column, target in links:
        assert set(_table(city, table)[column]) <= set(_table(city, target)[column]), (table, column)
    for table, column in (("stops", "stop_id"), ("routes", "route_id"), ("trips", "trip_id")):
        assert _table(city, table)[column].is_unique().all()


def test_every_trip_has_stop_times_in_order(city):
    times = _table(city, "stop_times")
    parts = pl.col("arrival_time").str.split(":").list
    clock = sum(parts.get(n).cast(pl.Int64) * unit for n, unit in enumerate((3600, 60, 1)))
    times = times.with_columns(clock.alias("clock"), pl.col("stop_sequence").cast(pl.Int64))
    steps = times.with_columns(pl.col("clock", "stop_sequence").diff().over("trip_id"))

    assert set(times["trip_id"]) == set(_table(city, "trips")["trip_id"])
    assert (steps["clock"].drop_nulls() > 0).all()
    assert (steps["stop_sequence"].drop_nulls() == 1).all()
    assert times["clock"].max() < 31 * 3600


def test_stops_lie_beside_the_paths_of_their_trips(city):
    shapes = {
        code: shapely.LineString(rows.select(pl.col("shape_pt_lon", "shape_pt_lat").cast(float)).to_numpy())
        for (code,), rows in _table(city, "shapes").group_by("shape_id", maintain_order=True)
    }
    stops = {
        row["stop_id"]: (float(row["stop_lon"]), float(row["stop_lat"]))
        for row in _table(city, "stops").to_dicts()
    }
    one_trip = _table(city, "trips").unique("shape_id", keep="first")
    times = _table(city, "stop_times")
    assert len(one_trip) == len(shapes)
    for trip in one_trip.iter_rows(named=True):
        for stop in times.filter(pl.col("trip_id") == trip["trip_id"])["stop_id"]:
            assert shapes[trip["shape_id"]].distance(shapely.Point(stops[stop])) * METRES < 45


def test_no_bus_runs_two_trips_at_once(city):
    times = _table(city, "stop_times")
    spans = times.group_by("trip_id").agg(
        pl.col("arrival_time").min().alias("begin"), pl.col("arrival_time").max().alias("finish")
    )
    trips = _table(city, "trips").join(spans, on="trip_id").sort("block_id", "begin")
    overlap = trips.filter(pl.col("begin") < pl.col("finish").shift(1).over("block_id"))

    assert len(overlap) == 0


def test_realtime_files_name_trips_routes_and_stops_of_the_static_feed(city):
    trips = dict(_table(city, "trips").select("trip_id", "route_id").iter_rows())
    stops = set(_table(city, "stops")["stop_id"])
    updates = _message(city.folder / "transit/realtime/trip_updates.pb")
    for message in (*_snapshots(city), updates):
        for entity in message.entity:
            part = entity.trip_update if entity.HasField("trip_update") else entity.vehicle
            assert trips[part.trip.trip_id] == part.trip.route_id
            named = [stop.stop_id for stop in entity.trip_update.stop_time_update] or [entity.vehicle.stop_id]
            assert set(named) <= stops
    routes = set(_table(city, "routes")["route_id"])
    for entity in _message(city.folder / "transit/realtime/alerts.pb").entity:
        assert {item.route_id for item in entity.alert.informed_entity} <= routes
        assert {text.language for text in entity.alert.header_text.translation} == {"en", "zh"}


def test_snapshots_cover_the_last_hour_with_buses_on_the_road(city):
    snapshots = _snapshots(city)
    stamps = [message.header.timestamp for message in snapshots]

    assert np.diff(stamps).tolist() == [120] * 30
    assert stamps[-1] == moment(city.truth["end"]).timestamp() - moment("1970-01-01T00:00:00Z").timestamp()
    assert all(len(message.entity) >= 3 for message in snapshots)


def test_buses_move_along_their_lines_at_the_speed_of_a_bus(city):
    lines = {item["route_id"]: [] for item, _ in city.layer("transit/bus_lines.geojson")}
    for item, shape in city.layer("transit/bus_lines.geojson"):
        lines[item["route_id"]].append(shape)
    last: dict[tuple[str, str], tuple[int, float, float]] = {}
    moved = []
    for message in _snapshots(city):
        for entity in message.entity:
            vehicle = entity.vehicle
            place = (vehicle.position.longitude, vehicle.position.latitude)
            near = min(shape.distance(shapely.Point(place)) for shape in lines[vehicle.trip.route_id])
            assert near * METRES < 3
            key = (vehicle.vehicle.id, vehicle.trip.trip_id)
            if key in last:
                before = last[key]
                moved.append(np.hypot(*(np.array(place) - np.array(before))) * METRES / 120)
            last[key] = place
    assert max(moved) < 8
    assert np.median(moved) > 2


def test_archive_ends_where_the_snapshots_begin(city):
    archive = pl.read_parquet(city.folder / "transit/vehicle_archive.parquet")
    first = min(message.header.timestamp for message in _snapshots(city))

    assert (archive["time"].max().timestamp(), archive["time"].min().timestamp()) == (
        first - 60,
        first - 7200,
    )
    assert set(archive["trip"]) <= set(_table(city, "trips")["trip_id"])
    assert not archive.select("vehicle", "time").is_duplicated().any()
