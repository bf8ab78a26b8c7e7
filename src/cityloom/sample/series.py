"""The readings of thirty days: daily and weekly rhythm, the weather in all of them, the planted faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from cityloom.sample.draw import stream
from cityloom.sample.faults import SensorFaults
from cityloom.sample.period import (
    DAY,
    HOUR,
    OFFSET,
    Floats,
    Ints,
    Period,
    iso,
    local_date,
    utc,
    weekend,
)
from cityloom.sample.reports import LampOut
from cityloom.sample.rhythm import BICYCLES, TRAFFIC, busy
from cityloom.sample.sensors import Sites
from cityloom.sample.sizes import Size
from cityloom.sample.weather import Weather

Values = dict[str, tuple[Floats | Ints, int]]
"""Column -> values of shape (stamps, sensors) and their decimals (0 makes whole numbers)."""


def _local(seconds: int) -> str:
    return utc(seconds + OFFSET).strftime("%Y-%m-%d %H:%M:%S")


def _offset(seconds: int) -> str:
    return utc(seconds + OFFSET).strftime("%Y-%m-%dT%H:%M:%S+08:00")


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a source's readings come.

    Args:
        folder: folder of several files named by their first day, or the one file's name.
        key, stamp: the columns of the sensor and of the moment.
        written: how a moment is written; None: a typed column (Parquet).
        step: seconds between readings where the size does not say.
        phase: seconds after local midnight at which the steps begin.
    """

    folder: str
    key: str
    stamp: str
    written: Callable[[int], str] | None
    suffix: str = ""
    step: int | None = None
    phase: int = 0


DELIVERIES: dict[str, Delivery] = {
    "air": Delivery("environment/air/", "station", "measured_at", _local, ".csv.gz"),
    "noise": Delivery("environment/noise/", "meter", "stamp", None, ".parquet"),
    "rain": Delivery("environment/rain.csv", "gauge", "observed_utc", iso),
    "river": Delivery("environment/river.csv", "gauge", "observed_at", _offset),
    "weather": Delivery("environment/weather.csv", "station", "observed_at", _offset, step=HOUR),
    "traffic": Delivery("traffic/flow/", "detector", "stamp", None, ".parquet"),
    "bicycles": Delivery("traffic/bicycle_counts.csv", "counter", "date_time", _local),
    "waste": Delivery("waste/levels/", "container", "read_at", _local, ".csv.gz", step=8 * HOUR),
    "lights": Delivery("lighting/nightly/", "lamp", "read_at", None, ".parquet", step=DAY, phase=22 * HOUR),
}


def _drift(rng: np.random.Generator, times: int, sensors: int, spread: float) -> Floats:
    """Noise with a memory: each value keeps two thirds of the one before."""
    draws = rng.normal(0, spread * 0.75, (times, sensors))
    for row in range(1, times):
        draws[row] += 0.66 * draws[row - 1]
    return draws


@dataclass(frozen=True, slots=True)
class Readings:
    """Makes the tables of readings, slice by slice, so that memory stays bounded.

    Args:
        repeated: the local day of bicycle counts that is delivered twice.
        sites: source -> its sensors.
        lamps_out: sensor number of a street light -> moment from which it is dark.
    """

    seed: int
    size: Size
    period: Period
    weather: Weather
    sites: dict[str, Sites]
    faults: SensorFaults
    lamps: list[LampOut]
    repeated: Period

    def step(self, source: str) -> int:
        return DELIVERIES[source].step or self.size.step

    def files(self, source: str) -> Iterator[tuple[str, Iterator[pl.DataFrame]]]:
        """Names each file of a source and gives its rows in pieces."""
        delivery = DELIVERIES[source]
        if not delivery.suffix:
            yield delivery.folder, (self.table(source, piece) for piece in self._days(source))
            return
        for piece in self.period.slices(self.size.days_per_file):
            name = f"{delivery.folder}{local_date(piece.start + 1)}{delivery.suffix}"
            yield name, iter([self.table(source, piece)])

    def _days(self, source: str) -> Iterator[Period]:
        for piece in self.period.slices(1):
            yield piece
            if source == "bicycles" and piece.start == self.repeated.end:
                yield self.repeated

    def table(self, source: str, piece: Period) -> pl.DataFrame:
        """All readings of a source within `piece`, by stamp and then by sensor.

        Cost: memory in proportion to stamps x sensors of the piece.
        """
        delivery = DELIVERIES[source]
        stamps = piece.stamps(self.step(source), delivery.phase)
        sites = self.sites[source]
        sensors = len(sites)
        values = _MAKERS[source](self, stamps, stream(self.seed, source, piece.start))
        keep = np.ones((len(stamps), sensors), dtype=np.bool_)
        for dead in self.faults.dead:
            if dead.source == source:
                keep[stamps >= dead.since, dead.sensor] = False
        for stuck in self.faults.stuck:
            if stuck.source == source:
                span = (stamps >= stuck.begin) & (stamps <= stuck.end)
                values[stuck.column][0][span, stuck.sensor] = stuck.value
        kept = np.flatnonzero(keep.reshape(-1))
        columns: dict[str, pl.Series] = {
            delivery.key: pl.Series(sites.code).gather(kept % sensors),
            delivery.stamp: _stamps(stamps, delivery.written).gather(kept // sensors),
        }
        for name, (grid, decimals) in values.items():
            flat = np.round(grid.reshape(-1)[kept], decimals)
            columns[name] = pl.Series(flat.astype(np.int64) if decimals == 0 else flat + 0.0)
        return pl.DataFrame(columns)

    def character(self, source: str, low: float, high: float, trait: str = "") -> Floats:
        """A lasting trait of each sensor of a source, shape (1, sensors)."""
        rng = stream(self.seed, "character", source, trait)
        return rng.uniform(low, high, (1, len(self.sites[source])))

    def column(self, stamps: Ints, values: Floats) -> Floats:
        """One of the weather's series at `stamps`, shape (stamps, 1)."""
        return self.weather.at(stamps, values)[:, None]


def _stamps(stamps: Ints, written: Callable[[int], str] | None) -> pl.Series:
    if written is not None:
        return pl.Series([written(int(stamp)) for stamp in stamps], dtype=pl.String)
    return pl.Series(stamps * 1_000_000).cast(pl.Datetime("us", "UTC"))


def _wet(readings: Readings, stamps: Ints) -> Floats:
    """0 when dry, 1 in heavy rain."""
    return np.clip(readings.column(stamps, readings.weather.rain) / 8.0, 0, 1)


def _air(readings: Readings, stamps: Ints, rng: np.random.Generator) -> Values:
    weather = readings.weather
    exposed = readings.character("air", 0.5, 1.4)
    cars = busy(TRAFFIC, stamps)[:, None] * exposed
    still = 1.0 / (0.6 + readings.column(stamps, weather.wind) / 8.0)
    washed = 1.0 - 0.6 * _wet(readings, stamps)
    slow = np.clip((readings.column(stamps, weather.pressure) - 1002.0) * 0.7, 0, 18)
    shape = (len(stamps), exposed.shape[1])
    pm25 = (6.0 + slow + 8.0 * cars) * still * washed * np.exp(_drift(rng, *shape, 0.10))
    no2 = (7.0 + 36.0 * cars) * still * np.exp(_drift(rng, *shape, 0.13))
    ozone = weather.ozone(stamps)[:, None] * (1.06 - 0.2 * cars) * np.exp(_drift(rng, *shape, 0.05))
    pm10 = pm25 * 1.5 + 3.0 + np.abs(rng.normal(0, 1.5, shape))
    return {"no2": (no2, 1), "o3": (ozone, 1), "pm10": (pm10, 1), "pm25": (pm25, 1)}


def _noise(readings: Readings, stamps: Ints, rng: np.random.Generator) -> Values:
    loud = readings.character("noise", 0.25, 1.6)
    cars = busy(TRAFFIC, stamps)[:, None] * loud
    gusts = np.clip(readings.column(stamps, readings.weather.wind) - 6.0, 0, None)
    level = 44.0 + 19.0 * np.log10(1.0 + 9.0 * cars) + 0.55 * gusts
    return {"laeq_db": (level + _drift(rng, len(stamps), loud.shape[1], 1.3), 1)}


def _traffic(readings: Readings, stamps: Ints, rng: np.random.Generator) -> Values:
    lanes = readings.character("traffic", 350, 2100)
    free = readings.character("traffic", 42, 58, "speed")
    load = busy(TRAFFIC, stamps)[:, None] * np.exp(_drift(rng, len(stamps), lanes.shape[1], 0.07))
    wet = _wet(readings, stamps)
    flow = rng.poisson(lanes * load * (1.0 - 0.38 * wet))
    speed = free * (1.0 - 0.45 * np.clip(load, 0, 1.15) ** 2) * (1.0 - 0.28 * wet)
    speed = speed * np.exp(rng.normal(0, 0.035, speed.shape))
    occupancy = np.clip(flow / (lanes * speed) * 14.0, 0, 0.95)
    return {"vehicles_per_hour": (flow, 0), "avg_speed_kmh": (speed, 1), "occupancy": (occupancy, 3)}


def _bicycles(readings: Readings, stamps: Ints, rng: np.random.Generator) -> Values:
    share = readings.size.step / HOUR
    riders = readings.character("bicycles", 90, 420)
    heat = np.clip((readings.column(stamps, readings.weather.temperature) - 31.0) / 8.0, 0, 1)
    mood = (1.0 - 0.88 * _wet(readings, stamps)) * (1.0 - 0.5 * heat)
    rate = riders * share * busy(BICYCLES, stamps)[:, None] * mood
    return {"bicycles": (rng.poisson(rate * np.exp(rng.normal(0, 0.08, rate.shape))), 0)}


def _rain(readings: Readings, stamps: Ints, rng: np.random.Generator) -> Values:
    place = readings.character("rain", 0.85, 1.15)
    rate = readings.column(stamps, readings.weather.rain) * place
    fallen = rate * np.exp(rng.normal(0, 0.1, rate.shape)) * readings.size.step / HOUR
    return {"precip_mm": (np.round(fallen / 0.2) * 0.2, 1)}


def _river(readings: Readings, stamps: Ints, rng: np.random.Generator) -> Values:
    gauges = len(readings.sites["river"])
    swell = readings.character("river", 0.92, 1.06)
    late = np.linspace(0, 2 * HOUR, gauges).astype(np.int64)
    level = np.column_stack([readings.weather.at(stamps - lag, readings.weather.level) for lag in late])
    level = 1.55 + (level - 1.55) * swell + rng.normal(0, 0.012, level.shape)
    return {"level_m": (level, 3)}


def _weather(readings: Readings, stamps: Ints, rng: np.random.Generator) -> Values:
    weather = readings.weather
    shape = (len(stamps), len(readings.sites["weather"]))
    humidity = readings.column(stamps, weather.humidity) + rng.normal(0, 0.01, shape)
    return {
        "temp_c": (readings.column(stamps, weather.temperature) + rng.normal(0, 0.3, shape), 1),
        "humidity": (np.clip(humidity, 0, 1), 2),
        "wind_ms": (readings.column(stamps, weather.wind) * np.exp(rng.normal(0, 0.1, shape)), 1),
        "pressure_hpa": (readings.column(stamps, weather.pressure) + rng.normal(0, 0.2, shape), 1),
    }


def collection(readings: Readings) -> tuple[Floats, Floats, Floats]:
    """For each waste container: share filled a day, days between collections, first collection's day."""
    filled = readings.character("waste", 0.12, 0.48)
    between = np.clip(np.floor(1.02 / filled), 2, 6)
    return filled, between, np.floor(readings.character("waste", 0, 1, "first") * between)


def _waste(readings: Readings, stamps: Ints, rng: np.random.Generator) -> Values:
    filled, between, first = collection(readings)
    days = ((stamps + OFFSET) / DAY - readings.period.first_day)[:, None]
    emptied = np.floor((days - 0.25 - first) / between) * between + first + 0.25
    weekly = 1.0 + 0.25 * weekend(stamps)[:, None]
    level = 0.02 + filled * weekly * (days - emptied) + rng.normal(0, 0.012, (len(stamps), filled.shape[1]))
    return {"fill_level": (np.clip(level, 0, 1), 2)}


def _lights(readings: Readings, stamps: Ints, rng: np.random.Generator) -> Values:
    """Full light on weekend nights and in bad weather, dimmed otherwise; a broken lamp gives none."""
    lights = len(readings.sites["lights"])
    bright = np.where(weekend(stamps) | (readings.weather.at(stamps, readings.weather.rain) > 1), 1.0, 0.8)
    level = np.clip(bright[:, None] + rng.normal(0, 0.02, (len(stamps), lights)), 0.05, 1)
    for out in readings.lamps:
        level[(stamps >= out.since) & (stamps < (out.repaired or np.inf)), out.lamp] = 0.0
    return {"illuminance": (level, 2)}


_MAKERS: dict[str, Callable[[Readings, Ints, np.random.Generator], Values]] = {
    "air": _air,
    "noise": _noise,
    "rain": _rain,
    "river": _river,
    "weather": _weather,
    "traffic": _traffic,
    "bicycles": _bicycles,
    "waste": _waste,
    "lights": _lights,
}
