"""The bus network as a GTFS static feed, a folder of tables as an operator publishes it.

Source: GTFS Schedule reference. Columns that end in `_zh` are extra: a name in Chinese.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import shapely

from cityloom.sample.files import Folder
from cityloom.sample.names import CITY
from cityloom.sample.period import DAY, TIME_ZONE, Ints, Period, local_date
from cityloom.sample.plan import to_lonlat
from cityloom.sample.transit import Transit

FOLDER = "transit/gtfs"
_COLOURS = ("C0392B", "2471A3", "229954", "B9770E", "7D3C98", "148F77", "A04000", "34495E")


def _clock(seconds: Ints) -> pl.Series:
    """Seconds of a service day as `HH:MM:SS`; a day goes on past 24:00:00."""
    parts = ((seconds // 3600), (seconds // 60 % 60), (seconds % 60))
    texts = [pl.Series(part).cast(pl.String).str.zfill(2) for part in parts]
    return texts[0] + ":" + texts[1] + ":" + texts[2]


def _stop_times(transit: Transit) -> pl.DataFrame:
    counts = [len(transit.directions[trip.direction].stops) for trip in transit.trips]
    owner = np.repeat(np.arange(len(transit.trips)), counts)
    times = np.concatenate([transit.directions[trip.direction].times for trip in transit.trips])
    stops = np.concatenate([transit.directions[trip.direction].stops for trip in transit.trips])
    depart = np.array([trip.depart for trip in transit.trips], dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    clock = _clock(times + depart[owner])
    return pl.DataFrame(
        {
            "trip_id": pl.Series([trip.code for trip in transit.trips]).gather(owner),
            "arrival_time": clock,
            "departure_time": clock,
            "stop_id": pl.Series(transit.stops.code).gather(stops),
            "stop_sequence": np.arange(len(owner)) - first[owner] + 1,
        }
    )


def _shapes(transit: Transit) -> pl.DataFrame:
    tables = []
    for direction in transit.directions:
        points = shapely.get_coordinates(direction.shape)
        degrees = np.round(to_lonlat(points), 7)
        steps = np.hypot(*np.diff(points, axis=0).T)
        tables.append(
            pl.DataFrame(
                {
                    "shape_id": [shape_code(transit, direction.line, direction.number)] * len(points),
                    "shape_pt_lat": degrees[:, 1],
                    "shape_pt_lon": degrees[:, 0],
                    "shape_pt_sequence": np.arange(1, len(points) + 1),
                    "shape_dist_traveled": np.round(np.concatenate([[0.0], np.cumsum(steps)]), 1),
                }
            )
        )
    return pl.concat(tables)


def shape_code(transit: Transit, line: int, direction: int) -> str:
    return f"{transit.lines[line]}-{direction}"


def _trips(transit: Transit) -> pl.DataFrame:
    rows = [(trip, transit.directions[trip.direction]) for trip in transit.trips]
    return pl.DataFrame(
        {
            "route_id": [transit.lines[direction.line] for _, direction in rows],
            "service_id": [trip.service for trip, _ in rows],
            "trip_id": [trip.code for trip, _ in rows],
            "trip_headsign": [direction.headsign.en for _, direction in rows],
            "direction_id": [direction.number for _, direction in rows],
            "block_id": [f"{trip.service}-{trip.vehicle}" for trip, _ in rows],
            "shape_id": [shape_code(transit, direction.line, direction.number) for _, direction in rows],
        }
    )


def _calendar(period: Period) -> pl.DataFrame:
    begin, finish = (local_date(moment).replace("-", "") for moment in (period.start, period.end + 60 * DAY))
    weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday")
    columns: dict[str, list[object]] = {"service_id": ["WK", "WE"]}
    columns |= {day: [1, 0] for day in weekdays}
    columns |= {day: [0, 1] for day in ("saturday", "sunday")}
    return pl.DataFrame(columns | {"start_date": [begin] * 2, "end_date": [finish] * 2})


def write_gtfs(folder: Folder, period: Period, transit: Transit) -> None:
    """Writes agency, calendar, routes, stops, trips, stop_times, shapes and feed_info."""
    degrees = np.round(to_lonlat(transit.stops.place), 7)
    count = len(transit.lines)
    tables = {
        "agency": pl.DataFrame(
            {
                "agency_id": ["LB"],
                "agency_name": [f"{CITY.en} Buses"],
                "agency_name_zh": [f"{CITY.zh}公交"],
                "agency_url": ["https://buses.loomhaven.example"],
                "agency_timezone": [TIME_ZONE],
                "agency_lang": ["en"],
            }
        ),
        "calendar": _calendar(period),
        "routes": pl.DataFrame(
            {
                "route_id": transit.lines,
                "agency_id": ["LB"] * count,
                "route_short_name": transit.lines,
                "route_long_name": [name.en for name in transit.names],
                "route_long_name_zh": [name.zh for name in transit.names],
                "route_type": [3] * count,
                "route_color": [_COLOURS[number % len(_COLOURS)] for number in range(count)],
                "route_text_color": ["FFFFFF"] * count,
            }
        ),
        "stops": pl.DataFrame(
            {
                "stop_id": transit.stops.code,
                "stop_code": [code[1:] for code in transit.stops.code],
                "stop_name": [name.en for name in transit.stops.name],
                "stop_name_zh": [name.zh for name in transit.stops.name],
                "stop_lat": degrees[:, 1],
                "stop_lon": degrees[:, 0],
                "location_type": [0] * len(transit.stops.code),
            }
        ),
        "trips": _trips(transit),
        "stop_times": _stop_times(transit),
        "shapes": _shapes(transit),
        "feed_info": pl.DataFrame(
            {
                "feed_publisher_name": [f"{CITY.en} Buses"],
                "feed_publisher_url": ["https://buses.loomhaven.example"],
                "feed_lang": ["en"],
                "feed_version": [local_date(period.end)],
            }
        ),
    }
    for name, table in tables.items():
        folder.csv(f"{FOLDER}/{name}.txt", table)
