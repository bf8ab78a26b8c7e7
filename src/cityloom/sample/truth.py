"""The truth beside the data: what was planted and what really happened, to judge later work against."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from cityloom.sample.city import City
from cityloom.sample.files import Folder
from cityloom.sample.names import CITY
from cityloom.sample.period import TIME_ZONE, iso, local_date
from cityloom.sample.plan import CENTER, to_lonlat
from cityloom.sample.reports import Reports
from cityloom.sample.series import DELIVERIES

LONGEST_LIST = 500
"""A longer list goes to a Parquet file of its own, named in `truth.json`."""

TYPES = {
    "air": "AirQualityObserved",
    "noise": "NoiseLevelObserved",
    "rain": "WeatherObserved",
    "river": "FloodMonitoring",
    "weather": "WeatherObserved",
    "traffic": "TrafficFlowObserved",
    "bicycles": "TrafficFlowObserved",
    "waste": "WasteContainer",
    "lights": "Streetlight",
    "requests": "Open311ServiceRequest",
}
Rows = list[dict[str, Any]]


def entity_id(source: str, code: str) -> str:
    """The id of the entity that the built-in profile makes of a register's number."""
    return f"urn:ngsi-ld:{TYPES[source]}:loomhaven:{code}"


def _sensor_faults(city: City) -> dict[str, Rows]:
    dead = [
        {
            "source": fault.source,
            "code": city.sites[fault.source].code[fault.sensor],
            "entity": entity_id(fault.source, city.sites[fault.source].code[fault.sensor]),
            "since": iso(fault.since),
        }
        for fault in city.faults.dead
    ]
    stuck = [
        {
            "source": fault.source,
            "code": city.sites[fault.source].code[fault.sensor],
            "entity": entity_id(fault.source, city.sites[fault.source].code[fault.sensor]),
            "column": fault.column,
            "from": iso(fault.begin),
            "to": iso(fault.end),
            "value": fault.value,
        }
        for fault in city.faults.stuck
    ]
    repeated = city.readings.repeated
    twice = [
        {
            "source": "bicycles",
            "file": DELIVERIES["bicycles"].folder,
            "day": local_date(repeated.end),
            "rows": city.readings.table("bicycles", repeated).height,
        }
    ]
    return {"deadSensors": dead, "stuckValues": stuck, "repeatedDeliveries": twice}


def _report_faults(city: City) -> dict[str, Rows]:
    reports, wrong = city.reports, city.reports.mistakes
    degrees = np.round(to_lonlat(reports.place), 7).tolist()
    coordinates = [
        {
            "source": "requests",
            "code": reports.code(row),
            "entity": entity_id("requests", reports.code(row)),
            "kind": kind,
            "lon": degrees[row][0],
            "lat": degrees[row][1],
        }
        for kind, rows in (("swapped", wrong.swapped), ("zero", wrong.zero), ("far", wrong.far))
        for row in rows
    ]
    lights = city.sites["lights"]
    for row, kind in city.misplaced.items():
        lon, lat = np.round(to_lonlat(lights.place[[row]]), 7)[0].tolist()
        code = lights.code[row]
        coordinates.append(
            {
                "source": "lights",
                "code": code,
                "entity": entity_id("lights", code),
                "kind": kind,
                "lon": lon,
                "lat": lat,
            }
        )
    return {
        "duplicateReports": [
            {"first": reports.code(first), "again": reports.code(again)} for first, again in wrong.duplicates
        ],
        "wrongCoordinates": coordinates,
        "closedBeforeOpened": [{"code": reports.code(row)} for row in wrong.early],
        "noPlace": [
            {"code": reports.code(row), "lon": degrees[row][0], "lat": degrees[row][1]}
            for row in wrong.nowhere
        ],
    }


def _lamps(city: City) -> Rows:
    lights = city.sites["lights"]
    return [
        {
            "code": lights.code[out.lamp],
            "entity": entity_id("lights", lights.code[out.lamp]),
            "since": iso(out.since),
            "report": None if out.report is None else city.reports.code(out.report),
            "repaired": None if out.repaired is None else iso(out.repaired),
        }
        for out in city.reports.lamps
    ]


def _promises(reports: Reports, end: int) -> dict[str, int]:
    """How the promises were kept, from the dates alone; closed before opened is counted apart."""
    promised, closed = reports.promised > 0, reports.closed > 0
    early = np.isin(np.arange(len(closed)), reports.mistakes.early)
    late = reports.closed > reports.promised
    return {
        "closedOnTime": int((promised & closed & ~late & ~early).sum()),
        "closedLate": int((promised & closed & late & ~early).sum()),
        "closedBeforeOpened": int(early.sum()),
        "openInTime": int((promised & ~closed & (reports.promised >= end)).sum()),
        "openOverdue": int((promised & ~closed & (reports.promised < end)).sum()),
        "withoutPromise": int((~promised & ~early).sum()),
    }


def _events(city: City) -> dict[str, Any]:
    weather, reports = city.weather, city.reports
    peak = int(np.argmax(weather.level))
    day = (weather.hours >= weather.heat) & (weather.hours < weather.heat + 86_400)
    rained = (weather.hours >= weather.storm) & (weather.hours < weather.storm_end)
    return {
        "storm": {
            "from": iso(weather.storm),
            "to": iso(weather.storm_end),
            "rain": round(float(weather.rain[rained].sum()), 1),
            "riverPeak": round(float(weather.level[peak]), 2),
            "riverPeakAt": iso(int(weather.hours[peak])),
            "reports": [reports.code(int(row)) for row in np.flatnonzero(reports.storm)],
        },
        "heatDay": {
            "date": local_date(weather.heat),
            "temperature": round(float(weather.temperature[day].max()), 1),
            "ozone": round(float(weather.ozone(weather.hours[day]).max()), 1),
        },
    }


def write_truth(folder: Folder, city: City) -> None:
    """Writes `truth.json`, and `truth/<list>.parquet` for lists over `LONGEST_LIST` entries."""
    events = _events(city)
    lists: dict[str, Rows] = {**_sensor_faults(city), **_report_faults(city), "lampsOut": _lamps(city)}
    storm_reports = events["storm"].pop("reports")
    lists["stormReports"] = [{"code": code} for code in storm_reports]
    planted: dict[str, Any] = {}
    for name, rows in lists.items():
        if len(rows) <= LONGEST_LIST:
            planted[name] = rows
        else:
            file = f"truth/{name}.parquet"
            folder.parquet(file, pl.DataFrame(rows))
            planted[name] = {"file": file, "count": len(rows)}
    folder.json(
        "truth.json",
        {
            "city": {"en": CITY.en, "zh": CITY.zh, "center": CENTER, "timeZone": TIME_ZONE},
            "seed": city.seed,
            "size": city.size.name,
            "start": iso(city.period.start),
            "end": iso(city.period.end),
            "entities": city.entities,
            "rows": dict(sorted(folder.rows.items())),
            "events": events,
            "promises": _promises(city.reports, city.period.end),
            "planted": planted,
        },
    )
