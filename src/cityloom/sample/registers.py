"""The city's registers and map layers: what stands where, as each department delivers it."""

from __future__ import annotations

import numpy as np
import polars as pl
import shapely

from cityloom.sample.city import City
from cityloom.sample.draw import stream
from cityloom.sample.files import LOCAL, Folder
from cityloom.sample.gtfs import shape_code
from cityloom.sample.names import LAKE, RIVER, SEA, people
from cityloom.sample.period import OFFSET, Floats, Ints, Shapes
from cityloom.sample.plan import CENTER, districts_of, to_lonlat
from cityloom.sample.reports import KINDS
from cityloom.sample.sensors import Sites
from cityloom.sample.weather import ALERT_LEVEL, DANGER_LEVEL

_GRADES = ("primary", "secondary", "residential")


def _columns(values: list[list[str]]) -> list[pl.Series]:
    return [pl.Series(column, dtype=pl.String) for column in values]


def _districts(city: City) -> pl.Series:
    return pl.Series([city.district(number) for number in range(len(city.plan.districts))])


def write_map(folder: Folder, city: City) -> None:
    """Writes districts, water, parks, streets and street segments."""
    rng = stream(city.seed, "people")
    area = shapely.area(city.plan.districts) / 1e6
    folder.geojson(
        "map/districts.geojson",
        city.plan.districts,
        pl.DataFrame(
            {
                "code": _districts(city),
                "name_en": [name.en for name in city.district_names],
                "name_zh": [name.zh for name in city.district_names],
                "area_km2": np.round(area, 3),
                "population": np.round(area * rng.uniform(2500, 14000, len(area))).astype(np.int64),
            }
        ),
    )
    plan = city.plan
    waters = plan.bend.lines(np.array([plan.river.difference(plan.sea), plan.lake, plan.sea]))
    folder.geojson(
        "map/water.geojson",
        waters,
        pl.DataFrame(
            {
                "code": ["W1", "W2", "W3"],
                "kind": ["river", "lake", "sea"],
                "name_en": [RIVER.en, LAKE.en, SEA.en],
                "name_zh": [RIVER.zh, LAKE.zh, SEA.zh],
            }
        ),
    )
    folder.geojson(
        "map/parks.geojson",
        city.parks,
        pl.DataFrame(
            {
                "code": [f"P{number:04d}" for number in range(1, len(city.parks) + 1)],
                "name_en": [f"{name.en} Park" for name in city.park_names],
                "name_zh": [f"{name.zh}公园" for name in city.park_names],
                "area_m2": np.round(shapely.area(city.parks)),
            }
        ),
    )
    _write_streets(folder, city)


def _way_codes(city: City) -> pl.Series:
    return pl.Series([f"W{number:05d}" for number in range(1, len(city.streets.names) + 1)])


def _write_streets(folder: Folder, city: City) -> None:
    streets = city.streets
    codes = _way_codes(city)
    length = np.bincount(streets.way, weights=streets.length, minlength=len(codes))
    names = {
        "name_en": pl.Series([name.en for name in streets.names]),
        "name_zh": pl.Series([name.zh for name in streets.names]),
    }
    grades = pl.Series([_GRADES[grade] for grade in streets.grades])
    folder.csv(
        "map/streets.csv",
        pl.DataFrame({"street": codes, **names, "class": grades, "length_m": np.round(length, 1)}),
    )
    count = len(streets.shape)
    folder.geojson(
        "map/street_segments.geojson",
        streets.shape,
        pl.DataFrame(
            {
                "segment": [f"G{number:06d}" for number in range(1, count + 1)],
                "street": codes.gather(streets.way),
                "name_en": names["name_en"].gather(streets.way),
                "name_zh": names["name_zh"].gather(streets.way),
                "class": grades.gather(streets.way),
                "lanes": np.array([4, 2, 2])[streets.grade],
                "speed_limit": np.array([60, 50, 30])[streets.grade],
                "length_m": streets.length,
                "bridge": np.where(streets.bridge, "yes", "no"),
                "district": _districts(city).gather(streets.district),
            }
        ),
    )


def _where(city: City, sites: Sites) -> dict[str, pl.Series]:
    degrees = np.round(to_lonlat(sites.place), 7)
    return {
        "lon": pl.Series(degrees[:, 0]),
        "lat": pl.Series(degrees[:, 1]),
        "district": _districts(city).gather(sites.district),
    }


def _named(city: City, sites: Sites) -> dict[str, pl.Series]:
    names = sites.names(city.streets)
    return {
        "name_en": pl.Series([name.en for name in names]),
        "name_zh": pl.Series([name.zh for name in names]),
    }


def write_stations(folder: Folder, city: City) -> None:
    """Writes a register for each kind of sensor."""
    plain = {
        "air": ("environment/air_stations.csv", "station"),
        "noise": ("environment/noise_meters.csv", "meter"),
        "rain": ("environment/rain_gauges.csv", "gauge"),
        "weather": ("environment/weather_stations.csv", "station"),
        "traffic": ("traffic/detectors.csv", "detector"),
        "bicycles": ("traffic/bicycle_counters.csv", "counter"),
    }
    for source, (name, key) in plain.items():
        sites = city.sites[source]
        columns = {key: pl.Series(sites.code), **_named(city, sites), **_where(city, sites)}
        folder.csv(name, pl.DataFrame(columns))
    gauges = city.sites["river"]
    count = len(gauges)
    marks: dict[str, object] = {
        "name_en": [f"{RIVER.en} gauge {number}" for number in range(1, count + 1)],
        "name_zh": [f"{RIVER.zh}{number}号水位站" for number in range(1, count + 1)],
        "alert_m": [ALERT_LEVEL] * count,
        "danger_m": [DANGER_LEVEL] * count,
    }
    folder.csv(
        "environment/river_gauges.csv",
        pl.DataFrame({"gauge": gauges.code, **marks, **_where(city, gauges)}),
    )


def misplace(degrees: Floats, rows: dict[str, list[int]], rng: np.random.Generator) -> Floats:
    """Spoils coordinates as registers do.

    Args:
        degrees: shape (n, 2), longitude and latitude.
        rows: `swapped`, `zero` and `far` -> which rows.
    """
    spoilt = degrees.copy()
    spoilt[rows["swapped"]] = degrees[rows["swapped"]][:, ::-1]
    spoilt[rows["zero"]] = 0.0
    shift = rng.uniform(2, 6, (len(rows["far"]), 2)) * rng.choice([-1.0, 1.0], (len(rows["far"]), 2))
    spoilt[rows["far"]] = np.round(degrees[rows["far"]] + shift, 7)
    return spoilt


def write_lights(folder: Folder, city: City) -> None:
    """Writes the register of street lights, some at wrong coordinates."""
    sites = city.sites["lights"]
    rng = stream(city.seed, "lamps")
    count = len(sites)
    grade = city.streets.grade[sites.segment]
    wrong = {
        kind: [row for row, how in city.misplaced.items() if how == kind]
        for kind in ("swapped", "zero", "far")
    }
    degrees = misplace(np.round(to_lonlat(sites.place), 7), wrong, rng)
    built = rng.integers(2008, 2025, count)
    folder.csv(
        "lighting/streetlights.csv.gz",
        pl.DataFrame(
            {
                "lamp": sites.code,
                "street": _way_codes(city).gather(city.streets.way[sites.segment]),
                "lamp_type": pl.Series(["LED", "SODIUM"]).gather(
                    (rng.random(count) > 0.4 + (built - 2008) / 25).astype(np.int64)
                ),
                "height_m": np.array([12, 9, 6])[grade],
                "watts": np.array([120, 80, 45])[grade],
                "installed": pl.Series(built).cast(pl.String) + "-06-01",
                "circuit": "C" + pl.Series(city.streets.way[sites.segment] // 4 + 1).cast(pl.String),
                "lon": degrees[:, 0],
                "lat": degrees[:, 1],
                "district": _districts(city).gather(sites.district),
            }
        ),
    )


def write_containers(folder: Folder, city: City) -> None:
    """Writes the register of waste containers."""
    sites = city.sites["waste"]
    rng = stream(city.seed, "containers")
    kind = rng.integers(0, 4, len(sites))
    folder.csv(
        "waste/containers.csv",
        pl.DataFrame(
            {
                "container": sites.code,
                "waste": pl.Series(["general", "paper", "glass", "organic"]).gather(kind),
                "litres": rng.choice([660, 1100, 2400], len(sites)),
                **_where(city, sites),
            }
        ),
    )


def write_lines(folder: Folder, city: City) -> None:
    """Writes the paths of the bus lines as a map layer."""
    transit = city.transit
    shapes: Shapes = np.array([direction.shape for direction in transit.directions])
    folder.geojson(
        "transit/bus_lines.geojson",
        shapes,
        pl.DataFrame(
            {
                "shape_id": [shape_code(transit, one.line, one.number) for one in transit.directions],
                "route_id": [transit.lines[one.line] for one in transit.directions],
                "towards_en": [one.headsign.en for one in transit.directions],
                "towards_zh": [one.headsign.zh for one in transit.directions],
                "length_m": np.round(shapely.length(shapes)),
            }
        ),
    )


def _moments(seconds: Ints) -> pl.Series:
    """Local time without offset; 0 becomes an empty cell."""
    local = pl.Series(np.where(seconds > 0, (seconds + OFFSET) * 1_000_000, 0))
    texts = local.cast(pl.Datetime("us")).dt.strftime(LOCAL)
    return texts.set(pl.Series(seconds == 0), None)


def write_reports(folder: Folder, city: City) -> None:
    """Writes the table of citizens' reports with the reporters' names and telephone numbers."""
    reports = city.reports
    rng = stream(city.seed, "reporters")
    count = len(reports.kind)
    wrong = reports.mistakes
    degrees = np.round(to_lonlat(reports.place), 7)
    rows = {"swapped": wrong.swapped, "zero": wrong.zero, "far": wrong.far}
    degrees = misplace(degrees, rows, rng)
    degrees[wrong.nowhere] = CENTER
    district = districts_of(city.plan, reports.place)
    names, phones = people(count, rng)
    kinds = pl.DataFrame(
        {
            "type_code": [kind.code for kind in KINDS],
            "type": [kind.name for kind in KINDS],
            "department": [kind.department for kind in KINDS],
        }
    )[reports.kind.tolist()]
    late = (reports.promised > 0) & (
        np.where(reports.closed != 0, reports.closed, city.period.end) > reports.promised
    )
    channels = pl.Series(["app", "phone", "web", "wechat"])
    folder.csv(
        "requests/service_requests.csv.gz",
        pl.DataFrame(
            {
                "request_id": [reports.code(row) for row in range(count)],
                "opened_at": _moments(reports.opened),
                "promised_at": _moments(reports.promised),
                "closed_at": _moments(reports.closed),
                "status": pl.Series(np.where(reports.closed != 0, "closed", "open")),
                "on_time": pl.Series(np.where(late, "OVERDUE", "ONTIME")),
                "type_code": kinds["type_code"],
                "type": kinds["type"],
                "department": kinds["department"],
                "channel": channels.gather(rng.choice(4, count, p=[0.45, 0.25, 0.1, 0.2])),
                "district_name": pl.Series([name.en for name in city.district_names]).gather(district),
                "lat": degrees[:, 1],
                "lon": degrees[:, 0],
                "reporter_name": names,
                "reporter_phone": phones,
            }
        ),
    )
