"""A year of a thousand sensors: irregular stamps, one decimal; made as a file, imported in bulk, and kept.

Every ten minutes with fifty thousand readings each, a minute more or less, in milliseconds. The
cities of `cities` have no past; `cityloom sample --size large` has thirty days, and no sensor a year.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from cityloom.folder import STORE
from cityloom.model.clock import SystemClock
from cityloom.model.entity import DEFAULT_VOCAB, Attribute, Entity
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.store.ports import Transaction
from cityloom.store.sqlite import SqliteStore

SENSORS: Final = 1000
BEGIN: Final = 1_735_689_600_000_000
"""2025-01-01 in microseconds."""
DAY: Final = 86_400_000_000
SENSOR: Final = DEFAULT_VOCAB + "Sensor"
LEVEL: Final = DEFAULT_VOCAB + "level"
_MINUTE: Final = 60_000
_AT_ONCE: Final = 50
"""Sensors whose rows are made at once."""


class Imported(NamedTuple):
    """What an import took: instances, seconds on the wall and of the processors."""

    count: int
    seconds: float
    worked: float


def sensor(number: int) -> str:
    """A sensor's id."""
    return f"urn:ngsi-ld:Sensor:{number:05}"


def year_file(folder: Path, instances: int) -> Path:
    """The file of a year with so many instances, made when it is not there yet."""
    file = folder / f"year-{instances}.parquet"
    if not file.exists():
        print(f"making a file of {instances:,} instances", file=sys.stderr, flush=True)
        parts = folder / f"year-{instances}.parts"
        shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir(parents=True)
        draw = np.random.default_rng(1)
        for first in range(0, SENSORS, _AT_ONCE):
            _rows(draw, first, instances // SENSORS).write_parquet(parts / f"{first:05}.parquet")
        pl.scan_parquet(parts / "*.parquet").sink_parquet(file.with_suffix(".part"))
        file.with_suffix(".part").rename(file)
        shutil.rmtree(parts)
    return file


def _rows(draw: np.random.Generator, first: int, each: int) -> pl.DataFrame:
    begin, end = BEGIN // 1000 + _MINUTE, (BEGIN + 365 * DAY) // 1000 - _MINUTE
    noise = draw.integers(-_MINUTE, _MINUTE, (_AT_ONCE, each))
    times = np.sort(np.linspace(begin, end, each, endpoint=False).astype(np.int64)[None, :] + noise, axis=1)
    values = np.round(20 + np.cumsum(draw.normal(0, 0.1, times.shape), axis=1), 1)
    ids = pl.Series([sensor(first + number) for number in range(_AT_ONCE)])
    return pl.DataFrame(
        {
            "id": ids.gather(np.repeat(np.arange(_AT_ONCE), each)),
            "observedAt": pl.Series(times.ravel()).cast(pl.Datetime("ms", "UTC")),
            "value": values.ravel(),
        }
    ).select("id", pl.lit("level").alias("attribute"), "observedAt", "value")


def empty_city(folder: Path) -> Path:
    """A city that has the sensors, and no readings of them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = SqliteStore(folder / STORE, SystemClock())

    def work(tx: Transaction) -> None:
        now = format_datetime(tx.now)
        for number in range(SENSORS):
            name = [Attribute(kind="Property", value=f"Sensor {number}", created_at=now, modified_at=now)]
            entity = Entity(
                id=sensor(number),
                types=[SENSOR],
                attributes={DEFAULT_VOCAB + "name": name},
                created_at=now,
                modified_at=now,
            )
            tx.write_entity("", None, entity, Cause(kind="request", id="request:make"))

    store.submit(work).result()
    store.close()
    return folder


def imported(city: Path, file: Path, instances: int) -> Imported:
    """Imports a file with the command, as an operator would."""
    cityloom = str(Path(sys.executable).with_name("cityloom"))
    command = [cityloom, "history", "import", str(file), "--data", str(city)]
    before, begun = os.times(), time.perf_counter()
    said = subprocess.run(
        [*command, "--source", "year", "--older-than", "P30D"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    took, after = time.perf_counter() - begun, os.times()
    if not said.startswith(f"{instances:,} instances new"):
        raise RuntimeError(said)
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    return Imported(instances, took, worked)


def past_city(folder: Path, instances: int) -> Path:
    """The city with a year of history, made when it is not there yet."""
    made = folder / f"past-{instances}"
    if not made.exists():
        print(f"importing {instances:,} instances", file=sys.stderr, flush=True)
        part = empty_city(folder / f"past-{instances}.part")
        took = imported(part, year_file(folder, instances), instances)
        rate, worked = instances / took.seconds, instances / took.worked
        print(f"  {rate:,.0f} a second, {worked:,.0f} a CPU-second", file=sys.stderr, flush=True)
        part.rename(made)
    return made
