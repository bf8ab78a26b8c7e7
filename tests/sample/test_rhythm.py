"""Day and week, the storm and the heat day, seen across the coupled series."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from sample_files import SHIFT, moment


def _calm(city) -> pl.Expr:
    """Rows outside the storm's and the heat day's days."""
    storm, heat = _storm(city)[0], _heat(city)
    away = [
        (pl.col("stamp") < start) | (pl.col("stamp") >= start + timedelta(days=2))
        for start in (storm - timedelta(hours=24), heat - timedelta(hours=12))
    ]
    return away[0] & away[1]


def _storm(city):
    storm = city.truth["events"]["storm"]
    return moment(storm["from"]), moment(storm["to"])


def _heat(city):
    """Local midnight of the heat day, in UTC."""
    return moment(city.truth["events"]["heatDay"]["date"] + "T00:00:00+08:00")


def _by_hour(table: pl.DataFrame, column: str) -> dict[tuple[bool, int], float]:
    """Mean by (weekend, local hour)."""
    local = pl.col("stamp") + SHIFT
    means = table.group_by((local.dt.weekday() >= 6).alias("weekend"), local.dt.hour().alias("hour"))
    return {(row[0], row[1]): row[2] for row in means.agg(pl.col(column).mean()).iter_rows()}


@pytest.mark.parametrize(("source", "column"), [("traffic", "vehicles_per_hour"), ("bicycles", "bicycles")])
def test_weekdays_have_two_rush_hours_and_weekends_none(city, source, column):
    hours = _by_hour(city.readings(source).filter(_calm(city)), column)

    for rush in (8, 17):
        assert hours[False, rush] > 1.3 * hours[False, 12]
        assert hours[False, rush] > 1.5 * hours[True, rush]
        assert hours[False, rush] > 8 * hours[False, 3]
    assert hours[True, 12] > hours[True, 8]


@pytest.mark.parametrize(("source", "column"), [("air", "no2"), ("noise", "laeq_db")])
def test_weekend_mornings_are_cleaner_and_quieter(city, source, column):
    hours = _by_hour(city.readings(source).filter(_calm(city)), column)

    assert hours[False, 8] > hours[True, 8] > 0


def test_citizens_report_on_weekdays_and_by_day(city):
    storm = [item["code"] for item in city.planted("stormReports")]
    table = city.csv("requests/service_requests.csv.gz").filter(~pl.col("request_id").is_in(storm))
    opened = table["opened_at"].str.to_datetime("%Y-%m-%d %H:%M:%S")
    weekdays, night = (opened.dt.weekday() <= 5).sum(), (opened.dt.hour() < 6).sum()

    assert weekdays / 22 > 1.3 * (len(opened) - weekdays) / 9
    assert night < 0.12 * len(opened)


def test_traffic_is_slower_when_there_is_more_of_it(city):
    table = city.readings("traffic").filter(_calm(city))
    speed = _by_hour(table, "avg_speed_kmh")

    assert speed[False, 8] < 0.8 * speed[False, 3]


def test_waste_containers_fill_up_and_are_emptied(city):
    table = city.readings("waste").sort("code", "stamp")
    steps = table.with_columns(pl.col("fill_level").diff().over("code").alias("step"))
    emptied = steps.filter(pl.col("step") < -0.2)

    assert emptied["code"].n_unique() == table["code"].n_unique()
    assert table["fill_level"].is_between(0, 1).all()
    assert set((emptied["stamp"] + SHIFT).dt.hour()) == {8}


def test_storm_shows_in_rain_wind_and_river(city):
    begin, end = _storm(city)
    during = pl.col("stamp").is_between(begin, end)
    rain = city.readings("rain")
    for _, gauge in rain.group_by("code"):
        assert gauge.filter(during)["precip_mm"].sum() > 50
        assert gauge.filter(during)["precip_mm"].max() > 3 * gauge.filter(~during)["precip_mm"].max()
    weather = city.readings("weather")
    assert weather.filter(during)["wind_ms"].max() > 2 * weather.filter(_calm(city))["wind_ms"].max()
    for _, gauge in city.readings("river").group_by("code"):
        peak = gauge.sort("level_m")["stamp"][-1]
        assert gauge["level_m"].max() > 3.0 > gauge.filter(_calm(city))["level_m"].max()
        assert begin + timedelta(hours=2) <= peak <= end + timedelta(hours=6)


def test_storm_brings_a_surge_of_fallen_trees_and_blocked_drains(city):
    begin, _ = _storm(city)
    table = city.csv("requests/service_requests.csv.gz").with_columns(
        (pl.col("opened_at").str.to_datetime("%Y-%m-%d %H:%M:%S") - SHIFT).alias("stamp")
    )
    after = pl.col("stamp").is_between(begin, begin + timedelta(hours=48))
    surge = table.filter(after & pl.col("type_code").is_in(["PK-TREE", "WA-DRAIN"]))
    planted = {item["code"] for item in city.planted("stormReports")}
    usual = table.filter(~after & pl.col("type_code").is_in(["PK-TREE", "WA-DRAIN"]))

    assert planted <= set(surge["request_id"])
    assert len(planted) > 0.8 * len(surge)
    assert len(surge) / 2 > 10 * len(usual) / 28
    assert table.filter(pl.col("request_id").is_in(list(planted)))["stamp"].min() > begin


def test_storm_slows_cars_keeps_bicycles_home_and_cleans_the_air(city):
    begin, _ = _storm(city)
    wettest = pl.col("stamp").is_between(begin + timedelta(hours=1), begin + timedelta(hours=3))
    local_hours = [(begin + SHIFT + timedelta(hours=hour)).hour for hour in (1, 2, 3)]
    weekend = (begin + SHIFT).weekday() >= 5
    for source, column, share in (
        ("bicycles", "bicycles", 0.5),
        ("traffic", "avg_speed_kmh", 0.92),
        ("air", "pm25", 0.6),
    ):
        table = city.readings(source)
        usual = _by_hour(table.filter(_calm(city)), column)
        expected = sum(usual[weekend, hour] for hour in local_hours) / 3
        assert table.filter(wettest)[column].mean() < share * expected, source


def test_heat_day_is_the_hottest_and_has_the_most_ozone(city):
    truth = city.truth["events"]["heatDay"]
    for source, column, top, margin in (("weather", "temp_c", 36, 4), ("air", "o3", 180, 40)):
        table = city.readings(source).with_columns(
            (pl.col("stamp") + SHIFT).dt.date().cast(pl.String).alias("day")
        )
        peaks = dict(table.group_by("day").agg(pl.col(column).quantile(0.99)).iter_rows())
        heat = peaks.pop(truth["date"])
        assert heat > top
        assert heat > max(peaks.values()) + margin


def test_heat_day_keeps_bicycles_home_in_the_afternoon(city):
    heat = _heat(city)
    table = city.readings("bicycles")
    hot = table.filter(pl.col("stamp").is_between(heat + timedelta(hours=14), heat + timedelta(hours=17)))
    usual = _by_hour(table.filter(_calm(city)), "bicycles")
    weekend = (heat + SHIFT).weekday() >= 5

    assert hot["bicycles"].mean() < 0.75 * sum(usual[weekend, hour] for hour in (14, 15, 16, 17)) / 4
