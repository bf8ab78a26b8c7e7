"""From streamed rows to frames; each library is imported when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import polars as pl

Row = dict[str, Any]
T = TypeVar("T")


class Rows(Generic[T]):
    """Something that streams from the node each time it is walked, and becomes a frame by one call.

    Args:
        read: begins the reading anew and yields what the API answers, one by one.
        row: what of one of them stands in a row of a frame.
    """

    columns: ClassVar[tuple[str, ...]] = ("id",)
    """Columns that a frame has also where there is no row."""

    def __init__(self, read: Callable[[], Iterator[T]], row: Callable[[T], Row]) -> None:
        self._read = read
        self._row = row

    def __iter__(self) -> Iterator[T]:
        return self._read()

    def frames(self, rows: int = 50_000) -> Iterator[pl.DataFrame]:
        """Frames of up to so many rows, one after the other: results larger than memory."""
        source = map(self._row, self._read())
        while chunk := list(islice(source, rows)):
            yield polars_frame(chunk, self.columns)

    def to_polars(self) -> pl.DataFrame:
        """Everything as one Polars frame."""
        return polars_frame(list(map(self._row, self._read())), self.columns)

    def to_pandas(self) -> pd.DataFrame:
        """Everything as one pandas frame (needs `pip install cityloom[notebook]`)."""
        return self.to_polars().to_pandas()


def polars_frame(rows: list[Row], known: Iterable[str]) -> pl.DataFrame:
    """A frame with the known columns and those of any row; values of no one type become JSON texts."""
    import polars as pl

    columns: dict[str, list[Any]] = {name: [] for name in known}
    for number, row in enumerate(rows):
        for name, value in row.items():
            column = columns.setdefault(name, [])
            column.extend([None] * (number - len(column)))
            column.append(value)
    for values in columns.values():
        values.extend([None] * (len(rows) - len(values)))
    return pl.DataFrame([pl.Series(name, _alike(values)) for name, values in columns.items()])


def _alike(values: list[Any]) -> list[Any]:
    """The values in one type: booleans, numbers or texts as they are, everything else as text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 and kinds.isdisjoint({list, dict}):
        return values
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else as_text(value) for value in values]


def as_text(value: Any) -> str:
    """A text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def geo_frame(rows: Iterable[tuple[Row, Any]], known: Iterable[str]) -> gpd.GeoDataFrame:
    """A GeoDataFrame in CRS84 of (row, GeoJSON geometry or None)."""
    import geopandas as gpd
    import shapely

    pairs = list(rows)
    geometries = [None if geometry is None else shapely.geometry.shape(geometry) for _, geometry in pairs]
    frame = polars_frame([row for row, _ in pairs], known).to_pandas()
    return gpd.GeoDataFrame(frame, geometry=geometries, crs="OGC:CRS84")
