"""Where a row lies: points from columns, geometries from readers, other coordinates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from cityloom.connect.cells import is_empty, number
from cityloom.connect.datum import shifted_crs
from cityloom.connect.mapping import GeometryPart
from cityloom.connect.rejects import RowRejected

GeoJson = dict[str, Any]
_KINDS = {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}
_CRS84 = ("", "EPSG:4326", "OGC:CRS84", "CRS84")


class Place:
    """Makes the GeoJSON geometry of rows.

    Args:
        part: the mapping's `geometry`.
        crs: the coordinates' reference system; "" is longitude and latitude (CRS84).
        no_place: points (lon, lat) that mean "no location".
    """

    def __init__(self, part: GeometryPart, crs: str, no_place: Sequence[tuple[float, float]]) -> None:
        self._part = part
        self._no_place = frozenset((float(lon), float(lat)) for lon, lat in no_place)
        self._transform = _transformer(crs)
        self._fixed: GeoJson | None = None
        if part.point is not None:
            self._fixed = {"type": "Point", "coordinates": list(part.point)}

    def of(self, row: Mapping[str, Any]) -> tuple[GeoJson | None, bool]:
        """The geometry of a row (None when it has none), and whether it stood on a point that means none.

        Raises:
            RowRejected: coordinates or geometry are invalid.
        """
        part = self._part
        if self._fixed is not None:
            return self._fixed, False
        if part.from_ is not None:
            return self._from_reader(row.get(part.from_), part.from_)
        lon_name, lat_name = part.lon or "", part.lat or ""
        lon_cell, lat_cell = row.get(lon_name), row.get(lat_name)
        if is_empty(lon_cell) and is_empty(lat_cell):
            return None, False
        if is_empty(lon_cell) or is_empty(lat_cell):
            missing = lon_name if is_empty(lon_cell) else lat_name
            raise RowRejected(
                "invalid coordinates", missing, f"{missing} is required where the other is given"
            )
        lon, lat = float(number(lon_cell, lon_name)), float(number(lat_cell, lat_name))
        if (lon, lat) in self._no_place:
            return None, True
        if self._transform is not None:
            lon, lat = self._transform(lon, lat)
        _check_range(lon, lat, f"{lon_name}, {lat_name}")
        return {"type": "Point", "coordinates": [lon, lat]}, False

    def _from_reader(self, geometry: Any, field: str) -> tuple[GeoJson | None, bool]:
        if geometry is None:
            return None, False
        shape = geometry if isinstance(geometry, BaseGeometry) else to_shape(geometry, field)
        if shape.is_empty:
            return None, False
        if shape.geom_type not in _KINDS:
            raise RowRejected("invalid geometry", field, f"{field} is invalid: a {shape.geom_type}")
        if shape.geom_type == "Point" and (shape.x, shape.y) in self._no_place:
            return None, True
        if self._transform is not None:
            transform = self._transform
            shape = shapely.transform(shape, lambda xy: np.column_stack(transform(xy[:, 0], xy[:, 1])))
        west, south, east, north = shape.bounds
        _check_range(west, south, field)
        _check_range(east, north, field)
        if isinstance(geometry, dict) and self._transform is None:
            return geometry, False
        return shapely.geometry.mapping(shape), False


def to_shape(geometry: Any, field: str) -> BaseGeometry:
    """GeoJSON as a shapely geometry.

    Raises:
        RowRejected: it is no GeoJSON geometry: a ring of two points, text for a number, an unknown kind.
    """
    try:
        if not isinstance(geometry, dict):
            raise TypeError("no object")
        return shapely.geometry.shape(geometry)
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        shapely.errors.ShapelyError,
    ) as error:
        raise RowRejected("invalid geometry", field, f"{field} is invalid: {error}") from None


def _check_range(lon: float, lat: float, field: str) -> None:
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise RowRejected(
            "invalid coordinates", field, f"{field} is invalid: ({lon}, {lat}) is no longitude and latitude"
        )


def _transformer(crs: str) -> Callable[[Any, Any], tuple[Any, Any]] | None:
    if crs.upper() in _CRS84:
        return None
    shifted = shifted_crs(crs)
    if shifted is not None:
        return shifted
    from pyproj import CRS, Transformer

    system = CRS.from_user_input(crs)
    if system.is_geographic and system.to_epsg() == 4326:
        return None
    transformer = Transformer.from_crs(system, "OGC:CRS84", always_xy=True)
    transform: Callable[[Any, Any], tuple[Any, Any]] = transformer.transform
    return transform
