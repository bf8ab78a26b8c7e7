"""The weather of the thirty days, with one storm and one heat day, and the river that answers it.

Every other series reads the weather from here, so that the storm and the heat show in all of them.
It is early summer in the sample city whatever the calendar says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cityloom.sample.draw import stream
from cityloom.sample.period import DAY, HOUR, Floats, Ints, Period, local_hour

STORM_HOURS = 7
ALERT_LEVEL, DANGER_LEVEL = 3.0, 4.2
"""The river's marks in metres on the gauge."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Hourly values, read at any moment between by straight lines.

    Args:
        hours: moments of the values, seconds since 1970.
        temperature: degrees Celsius.
        rain: millimetres an hour.
        wind: metres a second.
        pressure: hectopascals.
        humidity: 0 to 1.
        sun: 0 to 1, clouds included.
        level: the river on its gauge, metres.
        storm: the moment the storm begins; it lasts `STORM_HOURS`.
        heat: local midnight of the heat day.
    """

    hours: Ints
    temperature: Floats
    rain: Floats
    wind: Floats
    pressure: Floats
    humidity: Floats
    sun: Floats
    level: Floats
    storm: int
    heat: int

    def at(self, stamps: Ints, values: Floats) -> Floats:
        """Reads one of the hourly series at `stamps`."""
        return np.asarray(np.interp(stamps, self.hours, values))

    @property
    def storm_end(self) -> int:
        return self.storm + STORM_HOURS * HOUR

    def ozone(self, stamps: Ints) -> Floats:
        """Ozone over open ground in micrograms a cubic metre: sun and heat make it."""
        sun = self.at(stamps - HOUR, self.sun)
        heat = np.exp((self.at(stamps, self.temperature) - 26.0) / 14.0)
        return 28.0 + 88.0 * sun * heat


def _smooth_days(rng: np.random.Generator, hours: Ints, spread: float) -> Floats:
    """A slow random curve: one draw a day, straight lines between."""
    days = np.arange(hours[0], hours[-1] + DAY + 1, DAY)
    return np.asarray(np.interp(hours, days, rng.normal(0, spread, days.shape)))


def _rain(rng: np.random.Generator, period: Period, hours: Ints, storm: int, heat: int) -> Floats:
    """The storm, and three light showers that keep away from it and from the heat day."""
    rain = np.zeros(hours.shape)
    into = (hours - storm) / HOUR
    wet = (into >= 0) & (into < STORM_HOURS)
    shape = np.array([6.0, 26.0, 21.0, 13.0, 8.0, 4.0, 1.5])
    rain[wet] = (shape * rng.uniform(0.85, 1.15, shape.shape))[into[wet].astype(int)]
    free = [
        day
        for day in range(1, 29)
        if abs(period.midnight(day) - storm) > 2 * DAY and abs(period.midnight(day) - heat) > 1.5 * DAY
    ]
    for day in rng.choice(free, 3, replace=False):
        begin = period.midnight(int(day)) + int(rng.integers(3, 21)) * HOUR
        shower = (hours >= begin) & (hours < begin + int(rng.integers(2, 4)) * HOUR)
        rain[shower] += rng.uniform(0.6, 2.2, int(shower.sum()))
    return rain


def _river(rain: Floats) -> Floats:
    """The level answers the rain of two hours ago and runs off over half a day."""
    level = np.empty(rain.shape)
    stored = 0.0
    late = np.concatenate([np.zeros(2), rain[:-2]])
    for hour, fallen in enumerate(late):
        stored = stored * np.exp(-1 / 11.0) + 0.034 * fallen
        level[hour] = 1.55 + stored
    return level


def make_weather(seed: int, period: Period) -> Weather:
    """Draws the weather; the storm comes on day 10 to 14, the heat on day 19 to 23."""
    rng = stream(seed, "weather")
    storm = period.midnight(int(rng.integers(10, 15))) + int(rng.integers(12, 17)) * HOUR
    heat = period.midnight(int(rng.integers(19, 24)))
    hours = np.arange(period.start // HOUR - 2, period.end // HOUR + 3, dtype=np.int64) * HOUR
    hour = local_hour(hours)
    rain = _rain(rng, period, hours, storm, heat)
    storming = np.clip(1 - np.abs(hours - storm - 2 * HOUR) / (5 * HOUR), 0, 1)
    hot = np.where((hours >= heat) & (hours < heat + DAY), np.clip(np.sin(np.pi * (hour - 7) / 16), 0, 1), 0)
    clouds = np.clip(0.85 + _smooth_days(rng, hours, 0.12), 0.5, 1) * (1 - 0.85 * np.clip(rain / 4, 0, 1))
    sun = np.clip(np.sin(np.pi * (hour - 5.3) / 14.0), 0, 1) * np.maximum(clouds, hot)
    usual = 22.0 + 4.2 * np.sin(2 * np.pi * (hour - 9) / 24) + _smooth_days(rng, hours, 0.8)
    temperature = usual + 11.5 * hot - 4.0 * np.clip(rain / 8, 0, 1)
    return Weather(
        hours=hours,
        temperature=temperature,
        rain=rain,
        wind=np.clip(3.2 + 1.2 * sun + _smooth_days(rng, hours, 0.6), 0.3, None) + 19 * storming,
        pressure=1013 + _smooth_days(rng, hours, 3.0) - 17 * storming,
        humidity=np.clip(0.66 - 0.012 * (temperature - 22) + 0.28 * np.clip(rain / 2, 0, 1), 0.2, 0.99),
        sun=sun,
        level=_river(rain),
        storm=storm,
        heat=heat,
    )
