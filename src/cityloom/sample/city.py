"""The whole sample city, drawn: everything that the files are written from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cityloom.sample.draw import stream
from cityloom.sample.faults import SensorFaults, plant
from cityloom.sample.names import Name, place_names
from cityloom.sample.period import Period, Shapes
from cityloom.sample.plan import Plan, draw_plan
from cityloom.sample.realtime import Fleet, make_fleet
from cityloom.sample.reports import Reports, Scene, make_reports
from cityloom.sample.sensors import Sites, river_gauges, spread, street_lights
from cityloom.sample.series import Readings
from cityloom.sample.sizes import Size
from cityloom.sample.streets import ROAD, STREET, Streets, draw_parks, lay_streets
from cityloom.sample.transit import Transit, draw_transit
from cityloom.sample.weather import Weather, make_weather

WATERS = 3


@dataclass(frozen=True, slots=True)
class City:
    """One drawn city.

    Args:
        entities: how many entities of each type the files describe.
        misplaced: street lights whose coordinates in the register are wrong: number -> how.
    """

    seed: int
    size: Size
    period: Period
    plan: Plan
    streets: Streets
    parks: Shapes
    district_names: list[Name]
    park_names: list[Name]
    transit: Transit
    fleet: Fleet
    sites: dict[str, Sites]
    weather: Weather
    faults: SensorFaults
    reports: Reports
    readings: Readings
    misplaced: dict[int, str]
    entities: dict[str, int]

    def district(self, number: int) -> str:
        """The code of a district, for example `D03`."""
        return f"D{number + 1:02d}"


def _sensors(seed: int, plan: Plan, streets: Streets) -> dict[str, Sites]:
    size = plan.size
    return {
        "traffic": spread(seed, plan, streets, "TF", size.traffic, ROAD if size.name == "small" else STREET),
        "bicycles": spread(seed, plan, streets, "BC", size.bicycles, ROAD),
        "air": spread(seed, plan, streets, "AQ", size.air),
        "noise": spread(seed, plan, streets, "NM", size.noise),
        "rain": spread(seed, plan, streets, "PG", size.rain),
        "weather": spread(seed, plan, streets, "WS", size.weather),
        "waste": spread(seed, plan, streets, "WC", size.containers),
        "river": river_gauges(plan, size.river),
    }


def _misplaced(seed: int, lights: int) -> dict[int, str]:
    rng = stream(seed, "misplaced")
    few = max(1, round(lights / 900))
    rows = np.sort(rng.choice(lights, 3 * few, replace=False))
    kinds = rng.permutation(np.repeat(["swapped", "zero", "far"], few))
    return {int(row): str(kind) for row, kind in zip(rows, kinds, strict=True)}


def _counts(
    plan: Plan, streets: Streets, parks: int, fleet: Fleet, sites: dict[str, Sites]
) -> dict[str, int]:
    """How many entities of each type there are, street lights left out."""
    transit = fleet.transit
    return {
        "District": len(plan.districts),
        "WaterBody": WATERS,
        "Park": parks,
        "Road": len(streets.names),
        "RoadSegment": len(streets.shape),
        "AirQualityObserved": len(sites["air"]),
        "NoiseLevelObserved": len(sites["noise"]),
        "WeatherObserved": len(sites["weather"]) + len(sites["rain"]),
        "FloodMonitoring": len(sites["river"]),
        "TrafficFlowObserved": len(sites["traffic"]) + len(sites["bicycles"]),
        "WasteContainer": len(sites["waste"]),
        "GtfsAgency": 1,
        "GtfsRoute": len(transit.lines),
        "GtfsShape": len(transit.directions),
        "GtfsStop": len(transit.stops.code),
        "Vehicle": len(fleet.vehicles),
        "ArrivalEstimation": fleet.arrivals,
        "Alert": fleet.alerts,
        "Open311ServiceRequest": plan.size.requests,
    }


def _repeated_day(seed: int, period: Period) -> Period:
    """The local day of bicycle counts that is delivered twice."""
    whole = list(period.slices(1))[1:-2]
    return whole[int(stream(seed, "repeated").integers(0, len(whole)))]


def draw_city(seed: int, size: Size, period: Period) -> City:
    """Draws a city of `size` with its thirty days.

    Cost: under half a second for `small`, about half a minute for `large`.
    """
    plan = draw_plan(seed, size)
    streets = lay_streets(seed, plan)
    parks = draw_parks(seed, plan, streets)
    names = place_names(len(plan.districts) + len(parks), stream(seed, "names"))
    transit = draw_transit(seed, plan, streets)
    fleet = make_fleet(seed, period, transit, size.archive_hours + 1)
    sites = _sensors(seed, plan, streets)
    counts = _counts(plan, streets, len(parks), fleet, sites)
    lights = size.entities - sum(counts.values())
    sites["lights"] = street_lights(seed, plan, streets, lights)
    weather = make_weather(seed, period)
    faults = plant(seed, period, {source: len(places) for source, places in sites.items()})
    scene = Scene(seed, period, plan, streets, weather, sites["lights"], sites["waste"])
    reports = make_reports(scene, size.requests)
    repeated = _repeated_day(seed, period)
    return City(
        seed=seed,
        size=size,
        period=period,
        plan=plan,
        streets=streets,
        parks=parks,
        district_names=names[: len(plan.districts)],
        park_names=names[len(plan.districts) :],
        transit=transit,
        fleet=fleet,
        sites=sites,
        weather=weather,
        faults=faults,
        reports=reports,
        readings=Readings(seed, size, period, weather, sites, faults, reports.lamps, repeated),
        misplaced=_misplaced(seed, lights),
        entities=dict(sorted({**counts, "Streetlight": lights}.items())),
    )
