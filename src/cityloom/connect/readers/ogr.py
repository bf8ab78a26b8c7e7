"""Shapefile and GeoPackage through GDAL (pyogrio); `geometry` is the geometry in longitude and latitude."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyogrio
import pyogrio.errors
import shapely

from cityloom.connect.mapping import Mapping
from cityloom.connect.readers.table import Content, Rows, Table, name_of
from cityloom.connect.rejects import Unreadable
from cityloom.model.errors import ConfigurationError

_SLICE = 10_000
_FAILED = (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FieldError)


def open_ogr(mapping: Mapping, content: Content) -> Table:
    """Opens a layer; its own coordinate system counts unless the mapping names another.

    The columns are the layer's fields and `fid`, the feature's number in the file.

    Raises:
        ConfigurationError: it does not exist, GDAL cannot read it, or it has no such layer.
    """
    name = name_of(content)
    if not isinstance(content, Path):
        raise ConfigurationError(f"{name} cannot be read: format {mapping.format} needs a file")
    if not content.exists():
        raise ConfigurationError(f"{name} does not exist")
    layer = mapping.layer or None
    try:
        info = pyogrio.read_info(content, layer=layer, force_feature_count=True)
    except _FAILED as error:
        raise ConfigurationError(f"{name} cannot be read as {mapping.format}: {error}") from None
    fields = [str(column) for column in info["fields"]]
    total = int(info["features"])
    transform = None if mapping.crs else transformer(info["crs"], name)
    done = 0

    def rows() -> Rows:
        nonlocal done
        for start in range(0, total, _SLICE):
            _, fids, shapes, columns = pyogrio.raw.read(
                content, layer=layer, skip_features=start, max_features=_SLICE, return_fids=True
            )
            lists = [column.tolist() if column.dtype.kind != "M" else _times(column) for column in columns]
            for index in range(len(fids)):
                done += 1
                row = dict(zip(fields, (column[index] for column in lists), strict=True))
                row["fid"] = int(fids[index])
                try:
                    row["geometry"] = None if shapes is None else _shape(shapes[index], transform)
                except shapely.errors.ShapelyError as error:
                    problem = f"geometry is invalid: {error}"
                    yield done, Unreadable(reason="invalid geometry", detail=problem, raw=_plain(row))
                    continue
                yield done, row

    columns = [*fields, "fid", "geometry"]
    return Table(rows=rows(), columns=columns, fraction=lambda: done / total if total else 1.0)


def _shape(wkb: bytes | None, transform: Any) -> Any:
    if wkb is None:
        return None
    shape = shapely.force_2d(shapely.from_wkb(wkb))
    if transform is None or shape.is_empty:
        return shape
    return shapely.transform(shape, lambda xy: np.column_stack(transform(xy[:, 0], xy[:, 1])))


def transformer(crs: str | None, name: str) -> Any:
    """From a file's own coordinate system to longitude and latitude; None when it is that."""
    from pyproj import CRS, Transformer
    from pyproj.exceptions import CRSError

    if not crs:
        return None
    try:
        system = CRS.from_user_input(crs)
    except CRSError:
        raise ConfigurationError(f"{name} is invalid: its coordinate system {crs!r} is unknown") from None
    if system.is_geographic and system.to_epsg() == 4326:
        return None
    return Transformer.from_crs(system, "OGC:CRS84", always_xy=True).transform


def _times(column: Any) -> list[str | None]:
    return [None if np.isnat(value) else np.datetime_as_string(value, unit="s") for value in column]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None
        if isinstance(value, float) and math.isnan(value)
        else msgspec.to_builtins(value, enc_hook=str)
        for key, value in row.items()
    }
