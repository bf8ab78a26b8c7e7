"""The planted faults: each is really there, and nothing else of the kind is."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
import shapely
from sample_files import moment

SOURCES = ("air", "noise", "traffic", "bicycles", "rain", "river", "weather", "waste", "lights")
METRES = 111_320.0


@pytest.mark.parametrize("source", SOURCES)
def test_dead_sensors_send_nothing_more_and_all_others_send_to_the_end(city, source):
    table = city.readings(source)
    dead = {
        item["code"]: moment(item["since"])
        for item in city.planted("deadSensors")
        if item["source"] == source
    }
    step = table["stamp"].unique().sort().diff().drop_nulls().max()
    newest = table["stamp"].max()

    for code, last in table.group_by("code").agg(pl.col("stamp").max()).iter_rows():
        if code in dead:
            assert last < dead[code] <= last + step
        else:
            assert last == newest, code
    assert dead or source in ("rain", "river", "weather", "lights")


@pytest.mark.parametrize("source", SOURCES)
def test_series_have_no_gap_before_their_end(city, source):
    table = city.readings(source).unique(["code", "stamp"]).sort("code", "stamp")
    gaps = table.select(pl.col("stamp").diff().over("code")).drop_nulls()["stamp"]

    assert gaps.n_unique() == 1


def _runs(table: pl.DataFrame, column: str) -> pl.DataFrame:
    """Unbroken runs of one value: code, value, first and last stamp."""
    change = (pl.col(column) != pl.col(column).shift(1)).fill_null(True).over("code")
    return (
        table.sort("code", "stamp")
        .with_columns(change.cum_sum().over("code").alias("run"))
        .group_by("code", "run", maintain_order=True)
        .agg(
            pl.col(column).first().alias("value"),
            pl.col("stamp").min().alias("from"),
            pl.col("stamp").max().alias("to"),
        )
    )


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ("air", ("no2", "o3", "pm10", "pm25")),
        ("noise", ("laeq_db",)),
        ("traffic", ("vehicles_per_hour", "avg_speed_kmh")),
        ("bicycles", ("bicycles",)),
        ("river", ("level_m",)),
        ("weather", ("temp_c", "wind_ms", "pressure_hpa")),
    ],
)
def test_stuck_values_are_the_only_ones_that_stay_for_a_day(city, source, columns):
    table = city.readings(source).unique(["code", "stamp"])
    planted = [item for item in city.planted("stuckValues") if item["source"] == source]
    for column in columns:
        runs = _runs(table, column).filter(pl.col("to") - pl.col("from") >= timedelta(hours=24))
        mine = [item for item in planted if item["column"] == column]
        assert set(runs["code"]) == {item["code"] for item in mine}
        assert len(runs) == len(mine)
        for item in mine:
            run = runs.row(by_predicate=pl.col("code") == item["code"], named=True)
            assert run["value"] == item["value"]
            assert run["from"] <= moment(item["from"])
            assert run["to"] >= moment(item["to"])


@pytest.mark.parametrize("source", SOURCES)
def test_one_day_of_bicycle_counts_is_the_only_repeated_delivery(city, source):
    table = city.readings(source)
    twice = table.filter(table.select("code", "stamp").is_duplicated())
    planted = [item for item in city.planted("repeatedDeliveries") if item["source"] == source]

    if not planted:
        assert len(twice) == 0
        return
    (item,) = planted
    assert len(twice) == 2 * item["rows"]
    assert set(twice["date_time"].str.slice(0, 10)) == {item["day"]}
    assert len(twice.unique()) == item["rows"]


def _reports(city) -> pl.DataFrame:
    table = city.csv("requests/service_requests.csv.gz")
    stamps = [
        pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S")
        for name in ("opened_at", "promised_at", "closed_at")
    ]
    return table.with_columns(stamps)


def _true_places(city, table: pl.DataFrame) -> pl.DataFrame:
    """The table with the truth's coordinates where the file's are wrong or missing."""
    rows = [item for item in city.planted("wrongCoordinates") if item["source"] == "requests"]
    rows += city.planted("noPlace")
    right = pl.DataFrame([{"request_id": item["code"], "x": item["lon"], "y": item["lat"]} for item in rows])
    return table.join(right, on="request_id", how="left").with_columns(
        pl.coalesce("x", "lon").alias("lon"), pl.coalesce("y", "lat").alias("lat")
    )


def test_duplicate_reports_are_the_only_ones_close_in_place_time_and_kind(city):
    table = _true_places(city, _reports(city))
    shrink = np.cos(np.radians(30.2))
    points = shapely.points(table["lon"].to_numpy() * shrink * METRES, table["lat"].to_numpy() * METRES)
    one, two = shapely.STRtree(points).query(points, predicate="dwithin", distance=26.0)
    kind, opened = table["type_code"].to_numpy(), table["opened_at"].to_numpy()
    same = (one != two) & (kind[one] == kind[two]) & (opened[one] <= opened[two])
    same &= opened[two] - opened[one] <= np.timedelta64(24, "h")
    codes = table["request_id"].to_list()
    found = {(codes[a], codes[b]) for a, b in zip(one[same], two[same], strict=True)}

    planted = {(item["first"], item["again"]) for item in city.planted("duplicateReports")}
    assert found == planted
    assert len(planted) >= 5


def test_wrong_coordinates_are_the_only_ones_outside_the_city(city):
    whole = shapely.union_all([shape for _, shape in city.layer("map/districts.geojson")])
    for source, name, key in (
        ("requests", "requests/service_requests.csv.gz", "request_id"),
        ("lights", "lighting/streetlights.csv.gz", "lamp"),
    ):
        table = city.csv(name)
        planted = {
            item["code"]: item for item in city.planted("wrongCoordinates") if item["source"] == source
        }
        outside = table.filter(~shapely.contains_xy(whole, table["lon"].to_numpy(), table["lat"].to_numpy()))
        assert set(outside[key]) == set(planted)
        for row in outside.iter_rows(named=True):
            item = planted[row[key]]
            assert shapely.contains_xy(whole, item["lon"], item["lat"])
            if item["kind"] == "swapped":
                assert (row["lon"], row["lat"]) == (item["lat"], item["lon"])
            elif item["kind"] == "zero":
                assert (row["lon"], row["lat"]) == (0.0, 0.0)
            else:
                assert abs(row["lon"] - item["lon"]) > 1
                assert -90 <= row["lat"] <= 90
        assert {item["kind"] for item in planted.values()} == {"swapped", "zero", "far"}


def test_reports_without_a_place_are_the_only_ones_on_the_middle(city):
    table = city.csv("requests/service_requests.csv.gz")
    middle = table.filter((pl.col("lon") == 123.4) & (pl.col("lat") == 30.2))

    assert set(middle["request_id"]) == {item["code"] for item in city.planted("noPlace")}
    assert len(middle) > 10


def test_closed_before_opened_is_exactly_as_planted(city):
    table = _reports(city)
    early = table.filter(pl.col("closed_at") < pl.col("opened_at"))

    assert set(early["request_id"]) == {item["code"] for item in city.planted("closedBeforeOpened")}
    assert len(early) >= 3


def test_promises_recomputed_from_the_dates_agree_with_the_truth(city):
    table = _reports(city)
    end = moment(city.truth["end"]) + timedelta(hours=8)
    early = (pl.col("closed_at") < pl.col("opened_at")).fill_null(False)
    promised, closed = pl.col("promised_at").is_not_null(), pl.col("closed_at").is_not_null()
    late, overdue = pl.col("closed_at") > pl.col("promised_at"), pl.col("promised_at") < end
    counts = table.select(
        (promised & closed & ~late & ~early).sum().alias("closedOnTime"),
        (promised & closed & late & ~early).sum().alias("closedLate"),
        early.sum().alias("closedBeforeOpened"),
        (promised & ~closed & ~overdue).sum().alias("openInTime"),
        (promised & ~closed & overdue).sum().alias("openOverdue"),
        (~promised & ~early).sum().alias("withoutPromise"),
    ).to_dicts()[0]

    assert counts == city.truth["promises"]
    assert sum(counts.values()) == len(table)
    assert min(counts.values()) > 0


def test_the_citys_own_flag_calls_reports_without_a_promise_on_time(city):
    table = _reports(city).filter(pl.col("promised_at").is_null())

    assert set(table["on_time"]) == {"ONTIME"}


def test_lamps_are_dark_exactly_while_the_truth_says_so(city):
    table = city.readings("lights")
    dark = {
        (code, stamp)
        for code, stamp, level in table.select("code", "stamp", "illuminance").iter_rows()
        if level == 0
    }
    planted = set()
    for item in city.planted("lampsOut"):
        since = moment(item["since"])
        until = moment(item["repaired"]) if item["repaired"] else moment(city.truth["end"])
        stamps = table.filter(pl.col("code") == item["code"])["stamp"]
        planted |= {(item["code"], stamp) for stamp in stamps if since <= stamp <= until}
    assert dark == planted
    assert len(dark) > 20


def test_reported_lamps_are_reported_where_they_stand(city):
    reports = {row["request_id"]: row for row in _true_places(city, _reports(city)).iter_rows(named=True)}
    lights = {row["lamp"]: row for row in city.csv("lighting/streetlights.csv.gz").iter_rows(named=True)}
    for item in city.planted("wrongCoordinates"):
        if item["source"] == "lights":
            lights[item["code"]] |= {"lon": item["lon"], "lat": item["lat"]}
    told = [item for item in city.planted("lampsOut") if item["report"]]
    for item in told:
        report, light = reports[item["report"]], lights[item["code"]]
        assert report["type_code"] == "SL-OUT"
        assert report["opened_at"] - timedelta(hours=8) > moment(item["since"])
        assert np.hypot(report["lon"] - light["lon"], report["lat"] - light["lat"]) * METRES < 25
    assert len(told) > 10


def test_rows_of_the_truth_agree_with_the_files(city):
    for name, rows in city.truth["rows"].items():
        if name.endswith((".csv", ".csv.gz", ".txt")):
            assert len(city.csv(name)) == rows, name
        elif name.endswith(".parquet"):
            assert len(pl.read_parquet(city.folder / name)) == rows, name
        elif name.endswith(".geojson"):
            assert len(city.layer(name)) == rows, name
