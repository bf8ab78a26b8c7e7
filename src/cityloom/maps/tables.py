"""Features as tables: CSV, and Parquet with geometry (GeoParquet).

A column holds one kind of value: numbers, booleans, times (Parquet alone) or
texts; where a property has values of several kinds, or compound ones, they
stand as JSON text.

Polars is imported when the first table is made: a node starts a second sooner without it.

Source: RFC 4180; OGC 23-047 (GeoParquet 1.1.0).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
import shapely

from cityloom.maps.crs import CRS84, Crs
from cityloom.maps.features import GeoJson, Writer, geometry_of, reproject
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime
from cityloom.query.geometry import read_geometry

if TYPE_CHECKING:
    import polars as pl

_ROW_GROUP: Final = 20_000
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_LARGEST: Final = 2**63 - 1
_to_json: Final = msgspec.json.Encoder().encode
GEOMETRY: Final = "geometry"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Rows:
    """Features gathered by column."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.geometries: list[GeoJson | None] = []
        self.columns: dict[str, list[Any]] = {}

    def add(self, entity: Entity, properties: dict[str, Any]) -> None:
        """Adds a feature; a column that it lacks is empty in its row."""
        rows = len(self.ids)
        self.ids.append(entity.id)
        self.geometries.append(geometry_of(entity))
        for name, value in properties.items():
            column = self.columns.setdefault(name, [])
            if len(column) < rows:
                column.extend([None] * (rows - len(column)))
            column.append(value)


def _gather(entities: Iterable[Entity], writer: Writer) -> _Rows:
    rows = _Rows()
    for entity in entities:
        rows.add(entity, writer.properties(entity))
    for column in rows.columns.values():
        column.extend([None] * (len(rows.ids) - len(column)))
    return rows


def encode_csv(entities: Iterable[Entity], writer: Writer, crs: Crs, columns: Sequence[str] = ()) -> bytes:
    """CSV in UTF-8: `id`, the properties, and `geometry` as Well-Known Text in the axis order of `crs`.

    Args:
        columns: properties that have a column even where no feature has a value, in this order.
    """
    import polars as pl

    rows = _gather(entities, writer)
    shapes = _shapes(reproject(rows.geometries, crs))
    table = _table(rows, columns, times=False)
    known = [shape is not None for shape in shapes]
    texts = iter(shapely.to_wkt([shape for shape in shapes if shape is not None], rounding_precision=-1))
    wkt = pl.Series(GEOMETRY, [next(texts) if there else None for there in known], dtype=pl.String)
    return table.with_columns(wkt).write_csv().encode()


def encode_parquet(
    entities: Iterable[Entity], writer: Writer, crs: Crs, columns: Sequence[str] = ()
) -> bytes:
    """GeoParquet 1.1: as `encode_csv`, but `geometry` as WKB, always x first, and times as times."""
    import polars as pl

    rows = _gather(entities, writer)
    shapes = _shapes(reproject(rows.geometries, crs, always_xy=True))
    table = _table(rows, columns, times=True)
    wkb = [None if shape is None else shapely.to_wkb(shape) for shape in shapes]
    table = table.with_columns(pl.Series(GEOMETRY, wkb, dtype=pl.Binary))
    file = io.BytesIO()
    metadata = {"geo": _to_json(_geo_metadata(shapes, crs)).decode()}
    table.write_parquet(file, metadata=metadata, row_group_size=_ROW_GROUP)
    return file.getvalue()


def _geo_metadata(shapes: Sequence[Any], crs: Crs) -> dict[str, Any]:
    there = [shape for shape in shapes if shape is not None]
    kinds = {shape.geom_type + (" Z" if shape.has_z else "") for shape in there}
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(kinds)}
    if there:
        column["bbox"] = [float(bound) for bound in shapely.total_bounds(there)]
    if crs.uri != CRS84:
        column["crs"] = crs.proj.to_json_dict()
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}


def _shapes(geometries: Sequence[GeoJson | None]) -> list[Any]:
    """Shapely's geometries; what cannot be read is None."""
    shapes = []
    for geometry in geometries:
        try:
            shapes.append(None if geometry is None else read_geometry(geometry))
        except BadRequestData:
            shapes.append(None)
    return shapes


def _table(rows: _Rows, columns: Sequence[str], *, times: bool) -> pl.DataFrame:
    import polars as pl

    names = [name for name in dict.fromkeys([*columns, *rows.columns]) if name not in ("id", GEOMETRY)]
    empty = [None] * len(rows.ids)
    series = [pl.Series("id", rows.ids, dtype=pl.String)]
    series += [_series(name, rows.columns.get(name, empty), times=times) for name in names]
    return pl.DataFrame(series)


def _series(name: str, values: list[Any], *, times: bool) -> pl.Series:
    import polars as pl

    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(value is None or abs(value) <= _LARGEST for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds and kinds <= {int, float}:
        floats = [None if value is None else float(value) for value in values]
        return pl.Series(name, floats, dtype=pl.Float64)
    if kinds == {str} and times:
        instants = _instants(values)
        if instants is not None:
            return pl.Series(name, instants, dtype=pl.Datetime("us", "UTC"))
    texts = [
        value if value is None or isinstance(value, str) else _to_json(value).decode() for value in values
    ]
    return pl.Series(name, texts, dtype=pl.String)


def _instants(values: Sequence[str | None]) -> list[datetime | None] | None:
    """The values as times; None where one of them is none."""
    instants: list[datetime | None] = []
    for value in values:
        if value is None:
            instants.append(None)
            continue
        if _TIME.fullmatch(value) is None:
            return None
        try:
            instants.append(_EPOCH + timedelta(microseconds=parse_datetime(value)))
        except (BadRequestData, OverflowError):
            return None
    return instants
