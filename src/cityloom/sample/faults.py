"""Which sensors fail, and when: drawn before any reading is made, so that the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cityloom.sample.draw import stream
from cityloom.sample.period import DAY, HOUR, Period


@dataclass(frozen=True, slots=True)
class Dead:
    """Sensor number `sensor` of `source` sends nothing from `since` on."""

    source: str
    sensor: int
    since: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """One column of a sensor repeats `value` from `begin` to `end`, both included."""

    source: str
    sensor: int
    column: str
    begin: int
    end: int
    value: float


STUCK_COLUMNS: dict[str, tuple[str, float, float, int]] = {
    "air": ("pm25", 9.0, 24.0, 1),
    "noise": ("laeq_db", 49.0, 66.0, 1),
    "traffic": ("avg_speed_kmh", 21.0, 44.0, 1),
}
"""Source -> the column that sticks, the range of its value, its decimals."""

DYING = ("air", "noise", "traffic", "bicycles", "waste")


@dataclass(frozen=True, slots=True)
class SensorFaults:
    """All planted faults of sensors."""

    dead: list[Dead]
    stuck: list[Stuck]


def plant(seed: int, period: Period, counts: dict[str, int]) -> SensorFaults:
    """Draws the faulty sensors: about one in a hundred dead, one in a hundred stuck, at least one each.

    Args:
        counts: source -> how many sensors it has. A sensor never has two faults.
    """
    rng = stream(seed, "faults")
    dead: list[Dead] = []
    stuck: list[Stuck] = []
    for source in DYING:
        total = counts[source]
        share = max(1, round(total / 100))
        faulty = rng.permutation(total)[: 2 * share]
        for sensor in faulty[:share]:
            since = (period.end - int(rng.integers(2 * DAY, 18 * DAY))) // HOUR * HOUR
            dead.append(Dead(source, int(sensor), since))
        if source not in STUCK_COLUMNS:
            continue
        column, low, high, decimals = STUCK_COLUMNS[source]
        for sensor in faulty[share:]:
            begin = (period.start // HOUR + int(rng.integers(2 * 24, 24 * 24))) * HOUR
            end = begin + int(rng.integers(36, 96)) * HOUR
            value = float(np.round(rng.uniform(low, high), decimals))
            stuck.append(Stuck(source, int(sensor), column, begin, end, value))
    return SensorFaults(dead, stuck)
