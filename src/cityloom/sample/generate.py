"""Writes the sample city: draws it, then writes every file of it into a new folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cityloom.model.errors import AlreadyExists, BadRequestData
from cityloom.sample.city import City, draw_city
from cityloom.sample.files import Folder
from cityloom.sample.gtfs import write_gtfs
from cityloom.sample.period import DEFAULT_END, iso, period_until
from cityloom.sample.realtime import write_realtime
from cityloom.sample.registers import (
    write_containers,
    write_lights,
    write_lines,
    write_map,
    write_reports,
    write_stations,
)
from cityloom.sample.series import DELIVERIES
from cityloom.sample.sizes import SIZES, SizeName
from cityloom.sample.truth import write_truth

Progress = Callable[[str, float], None]
"""Told what is being done and the share done so far, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What was written.

    Args:
        start, end: the history's span, ISO 8601 in UTC.
        entities: entity type -> how many the files describe.
        rows: file -> rows, features or messages in it.
        instances: stamped rows: readings and positions.
    """

    folder: Path
    seed: int
    size: SizeName
    start: str
    end: str
    entities: dict[str, int]
    rows: dict[str, int]
    instances: int


def generate(
    folder: Path,
    *,
    seed: int,
    size: SizeName = "small",
    end: str = DEFAULT_END,
    progress: Progress | None = None,
) -> SampleReport:
    """Writes a sample city; the same seed, size and end give the same bytes.

    The files appear in `folder` all at once, when the last one is written.

    Args:
        folder: where to; must not exist, or be empty.
        seed: 0 or greater; another seed is another city.
        end: the last moment of its thirty days, an ISO 8601 instant with a zone.

    Raises:
        AlreadyExists: `folder` exists and is not empty.
        BadRequestData: `seed`, `size` or `end` is invalid.

    Cost: half a second for `small`, three for `medium`; `large` (a million entities, 50 million
    readings) one to two minutes, 0.8 GB of memory and 340 MB of disk.
    """
    if size not in SIZES:
        raise BadRequestData(f"size is invalid: {size!r} is none of {', '.join(SIZES)}")
    if seed < 0:
        raise BadRequestData(f"seed is invalid: {seed} is below 0")
    period = period_until(end)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyExists(f"the folder {folder} already exists and is not empty")
    tell = progress or (lambda label, share: None)
    tell("drawing the city", 0.0)
    city = draw_city(seed, SIZES[size], period)
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    written = Folder(partial)
    instances = _write(written, city, tell)
    if folder.exists():
        folder.rmdir()
    partial.rename(folder)
    tell("done", 1.0)
    return SampleReport(
        folder, seed, size, iso(period.start), iso(period.end), city.entities, written.rows, instances
    )


def _write(folder: Folder, city: City, tell: Progress) -> int:
    """Writes all files; gives the number of stamped rows."""
    tell("map and registers", 0.1)
    write_map(folder, city)
    write_stations(folder, city)
    write_lights(folder, city)
    write_containers(folder, city)
    write_reports(folder, city)
    tell("buses", 0.2)
    write_gtfs(folder, city.period, city.transit)
    write_lines(folder, city)
    write_realtime(folder, city.seed, city.fleet)
    instances = sum(rows for name, rows in folder.rows.items() if "vehicle" in name)
    before = sum(folder.rows.values())
    share = 0.25
    for source in DELIVERIES:
        for name, frames in city.readings.files(source):
            tell(f"readings: {source}", share)
            if name.endswith(".parquet"):
                folder.parquet(name, next(frames))
            else:
                folder.csv(name, frames)
        share += 0.7 / len(DELIVERIES)
    instances += sum(folder.rows.values()) - before
    tell("truth", 0.97)
    write_truth(folder, city)
    return instances
