"""Reads the files of a written sample city."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import shapely

from cityloom.sample import SampleReport, generate

SHIFT = timedelta(hours=8)


@dataclass(frozen=True)
class Written:
    """A written city; tables come with `stamp`, the moment in UTC without zone."""

    report: SampleReport
    truth: dict[str, Any]

    @property
    def folder(self) -> Path:
        return self.report.folder

    def csv(self, name: str) -> pl.DataFrame:
        return pl.read_csv(self.folder / name, infer_schema_length=None)

    def planted(self, name: str) -> list[dict[str, Any]]:
        rows = self.truth["planted"][name]
        return pl.read_parquet(self.folder / rows["file"]).to_dicts() if isinstance(rows, dict) else rows

    def layer(self, name: str) -> list[tuple[dict[str, Any], shapely.Geometry]]:
        features = json.loads((self.folder / name).read_text(encoding="utf-8"))["features"]
        return [(item["properties"], shapely.from_geojson(json.dumps(item["geometry"]))) for item in features]

    def readings(self, source: str) -> pl.DataFrame:
        """A source's readings with the columns `code` and `stamp`."""
        pattern, key, stamp, form = _READINGS[source]
        files = sorted(self.folder.glob(pattern))
        if pattern.endswith(".parquet"):
            table = pl.concat([pl.read_parquet(file) for file in files])
            return table.rename({key: "code"}).with_columns(
                pl.col(stamp).dt.replace_time_zone(None).alias("stamp")
            )
        table = pl.concat([pl.read_csv(file, infer_schema_length=None) for file in files])
        moment = pl.col(stamp).str.slice(0, 19).str.to_datetime(form)
        local = not pattern.endswith("rain.csv")
        return table.rename({key: "code"}).with_columns((moment - SHIFT if local else moment).alias("stamp"))


_LOCAL, _ISO = "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"
_READINGS = {
    "air": ("environment/air/*.csv.gz", "station", "measured_at", _LOCAL),
    "noise": ("environment/noise/*.parquet", "meter", "stamp", ""),
    "rain": ("environment/rain.csv", "gauge", "observed_utc", _ISO),
    "river": ("environment/river.csv", "gauge", "observed_at", _ISO),
    "weather": ("environment/weather.csv", "station", "observed_at", _ISO),
    "traffic": ("traffic/flow/*.parquet", "detector", "stamp", ""),
    "bicycles": ("traffic/bicycle_counts.csv", "counter", "date_time", _LOCAL),
    "waste": ("waste/levels/*.csv.gz", "container", "read_at", _LOCAL),
    "lights": ("lighting/nightly/*.parquet", "lamp", "read_at", ""),
}


def moment(text: str) -> datetime:
    """A moment of `truth.json`, in UTC without zone, as the tables have it."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def write_city(folder: Path, seed: int, **options: Any) -> Written:
    report = generate(folder, seed=seed, **options)
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return Written(report, truth)
