"""Writes the files of the sample city so that the same content is always the same bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
import shapely
from shapely.geometry.base import BaseGeometry

from cityloom.sample.period import Shapes
from cityloom.sample.plan import to_lonlat

LOCAL = "%Y-%m-%d %H:%M:%S"
"""How a delivery writes local time without offset."""


def lonlat(shapes: Shapes) -> Shapes:
    """Bent shapes in metres -> longitude and latitude, seven decimals (a centimetre)."""
    return np.asarray(shapely.transform(shapes, lambda points: np.round(to_lonlat(points), 7)))


@dataclass(slots=True)
class Folder:
    """The folder being written; counts the rows of each file.

    Args:
        root: where the files go; made when missing.
    """

    root: Path
    rows: dict[str, int] = field(default_factory=dict)

    def place(self, name: str, rows: int = 0) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows[name] = self.rows.get(name, 0) + rows
        return path

    def csv(self, name: str, frames: pl.DataFrame | Iterable[pl.DataFrame]) -> None:
        """Writes one table, or its pieces one below the other; `.gz` at the end of the name packs it."""
        pieces = [frames] if isinstance(frames, pl.DataFrame) else frames
        with self.place(name).open("wb") as raw:
            if name.endswith(".gz"):
                # No name and no time in the gzip header: they would differ from run to run.
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed:
                    self._pieces(name, packed, pieces)
            else:
                self._pieces(name, raw, pieces)

    def _pieces(self, name: str, file: IO[bytes] | gzip.GzipFile, pieces: Iterable[pl.DataFrame]) -> None:
        for number, frame in enumerate(pieces):
            file.write(frame.write_csv(include_header=number == 0, datetime_format=LOCAL).encode())
            self.rows[name] += frame.height

    def parquet(self, name: str, frame: pl.DataFrame) -> None:
        frame.write_parquet(self.place(name, frame.height), compression="zstd", compression_level=3)

    def geojson(self, name: str, shapes: Shapes, columns: pl.DataFrame) -> None:
        """Writes a FeatureCollection, a feature a line.

        Args:
            shapes: geometries in metres.
            columns: the properties, a row a shape.
        """
        with self.place(name, columns.height).open("w", encoding="utf-8", newline="\n") as file:
            file.write('{"type":"FeatureCollection","features":[\n')
            for number, (shape, row) in enumerate(zip(lonlat(shapes), columns.to_dicts(), strict=True)):
                feature = {"type": "Feature", "properties": row, "geometry": geometry(shape)}
                file.write((",\n" if number else "") + _dumps(feature))
            file.write("\n]}\n")

    def json(self, name: str, content: Any) -> None:
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (self.root / name).write_text(text + "\n", encoding="utf-8")

    def binary(self, name: str, content: bytes, rows: int) -> None:
        self.place(name, rows).write_bytes(content)


def geometry(shape: BaseGeometry) -> dict[str, Any]:
    """A shape as a GeoJSON geometry."""
    return {"type": shape.geom_type, "coordinates": shape.__geo_interface__["coordinates"]}


def _dumps(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
