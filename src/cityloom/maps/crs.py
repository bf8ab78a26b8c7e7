"""Coordinate reference systems: their URIs, the order of their axes, and boxes in them.

The store keeps longitude and latitude (CRS84). PROJ knows the rest, the order
of axes too: EPSG:4326 is latitude, longitude.

Source: OGC 18-058r1 clauses 6.2 to 6.4; OGC 17-069r4 clause 7.15.3 (bbox).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from cityloom.model.errors import BadRequestData, ConfigurationError

if TYPE_CHECKING:
    from pyproj import CRS, Transformer

CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG: Final = "http://www.opengis.net/def/crs/EPSG/0/"
_COMMON: Final = ("EPSG:4326", "EPSG:3857")
_EDGE_PARTS: Final = 64
"""Pieces of an edge before it is bent into degrees: within centimetres for a city."""
_MARGIN: Final = 1.0
"""So many degrees beyond its area of use a projection is still trusted."""
_AXES: Final = ("the first axis", "the second axis")

Positions = NDArray[np.float64]
"""Shape (n, 2): lon, lat in CRS84 degrees, or the two axes of a system in its own order."""


class Crs:
    """One coordinate reference system that answers can be in.

    Args:
        uri: by which callers name it.
        code: by which PROJ knows it, for example `EPSG:26986`.
    """

    def __init__(self, uri: str, code: str) -> None:
        self.uri = uri
        self.code = code

    @cached_property
    def proj(self) -> CRS:
        """PROJ's own, which is loaded with the first."""
        from pyproj import CRS

        return CRS.from_user_input(self.code)

    @property
    def name(self) -> str:
        """For people."""
        return str(self.proj.name)

    @cached_property
    def _swapped(self) -> bool:
        """Whether north (or latitude) comes first."""
        return bool(self.proj.axis_info[0].direction == "north")

    def from_crs84(self, positions: Positions, *, always_xy: bool = False) -> Positions:
        """CRS84 degrees -> this system; a place that it cannot hold is not finite.

        Args:
            always_xy: x (longitude, easting) first, whatever the system says.
        """
        if self.uri == CRS84:
            return positions
        transformer = _transformer("OGC:CRS84", self.code, always_xy)
        return np.column_stack(transformer.transform(positions[:, 0], positions[:, 1]))

    def to_crs84(self, positions: Positions) -> Positions:
        """This system -> CRS84 degrees."""
        if self.uri == CRS84:
            return positions
        transformer = _transformer(self.code, "OGC:CRS84", False)
        return np.column_stack(transformer.transform(positions[:, 0], positions[:, 1]))

    def box(self, low: Sequence[float], high: Sequence[float]) -> dict[str, Any]:
        """A box in this system as a GeoJSON geometry in CRS84 degrees.

        Args:
            low: the lower corner, in the order of the system's axes.
            high: the upper corner. A western longitude beyond the eastern one crosses the 180th meridian.

        Raises:
            BadRequestData: the box is upside down, or lies outside of the system's extent.
        """
        if self.proj.is_geographic:
            turned = self._swapped and self.uri != CRS84
            (west, south), (east, north) = (low[::-1], high[::-1]) if turned else (low, high)
            return _degrees_box(west, south, east, north)
        for axis in (0, 1):
            if low[axis] > high[axis]:
                raise BadRequestData(
                    f"parameter bbox is invalid: of {_AXES[axis]} the lower value comes first"
                )
        least, most = self._extent
        cut_low = [max(low[axis], least[axis]) for axis in (0, 1)]
        cut_high = [min(high[axis], most[axis]) for axis in (0, 1)]
        if cut_low[0] > cut_high[0] or cut_low[1] > cut_high[1]:
            raise BadRequestData(f"parameter bbox is invalid: it lies outside of the extent of {self.uri}")
        return self._bent_box(cut_low, cut_high)

    def bent(self, geojson: dict[str, Any]) -> dict[str, Any]:
        """A caller's geometry in this system as one in CRS84 degrees; its straight edges become curves.

        Raises:
            BadRequestData: it is no geometry, or this system does not reach so far.
        """
        try:
            shape = shapely.geometry.shape(geojson)
            if not self.proj.is_geographic and not shape.is_empty:
                low_0, low_1, high_0, high_1 = shapely.bounds(shape)
                longest = max(high_0 - low_0, high_1 - low_1) / _EDGE_PARTS
                shape = shapely.segmentize(shape, longest) if longest > 0 else shape
            moved = shapely.transform(shape, self.to_crs84)
        except (
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
            shapely.errors.ShapelyError,
        ) as error:
            raise BadRequestData(f"a geometry is invalid in {self.uri}: {error}") from None
        if not np.isfinite(shapely.get_coordinates(moved)).all():
            raise BadRequestData(f"a geometry is invalid: it lies outside of the extent of {self.uri}")
        geometry: dict[str, Any] = msgspec.json.decode(shapely.to_geojson(moved))
        return geometry

    @cached_property
    def _extent(self) -> tuple[list[float], list[float]]:
        """The corners of where a projection is used, in its own axes."""
        area = self.proj.area_of_use
        west, south, east, north = (-180.0, -85.0, 180.0, 85.0) if area is None else area.bounds
        edges = _edges(
            max(west - _MARGIN, -180),
            max(south - _MARGIN, -90),
            min(east + _MARGIN, 180),
            min(north + _MARGIN, 90),
        )
        inside = self.from_crs84(edges)
        inside = inside[np.isfinite(inside).all(axis=1)]
        return inside.min(axis=0).tolist(), inside.max(axis=0).tolist()

    def _bent_box(self, low: Sequence[float], high: Sequence[float]) -> dict[str, Any]:
        edge = self.to_crs84(_edges(low[0], low[1], high[0], high[1]))
        shape = shapely.MultiPoint(edge).envelope if _is_flat(low, high) else shapely.Polygon(edge)
        if not np.isfinite(edge).all():
            raise BadRequestData(f"parameter bbox is invalid: it lies outside of the extent of {self.uri}")
        geometry: dict[str, Any] = shapely.geometry.mapping(shape)
        return geometry


@lru_cache(maxsize=64)
def _transformer(source: str, target: str, always_xy: bool) -> Transformer:
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=always_xy)


def _edges(low_0: float, low_1: float, high_0: float, high_1: float) -> Positions:
    """The ring of a box, each edge in pieces."""
    first = np.linspace(low_0, high_0, _EDGE_PARTS + 1)
    second = np.linspace(low_1, high_1, _EDGE_PARTS + 1)
    sides = [
        (first, np.full_like(first, low_1)),
        (np.full_like(second, high_0), second),
        (first[::-1], np.full_like(first, high_1)),
        (np.full_like(second, low_0), second[::-1]),
    ]
    return np.vstack([np.column_stack(side) for side in sides])


def _is_flat(low: Sequence[float], high: Sequence[float]) -> bool:
    return low[0] == high[0] or low[1] == high[1]


def _degrees_box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise BadRequestData(
            "parameter bbox is invalid: longitudes lie within 180 degrees, latitudes within 90, "
            "the southern one first"
        )
    spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    if west == east or south == north:
        lines = [[[left, south], [right, north]] for left, right in spans]
        if west == east and south == north:
            return {"type": "Point", "coordinates": [west, south]}
        return {"type": "MultiLineString", "coordinates": lines}
    rings = [
        [[[left, south], [right, south], [right, north], [left, north], [left, south]]]
        for left, right in spans
    ]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


class CrsList:
    """The systems that a city's collections can be answered in, CRS84 first.

    Args:
        own: the city's own system, for example `EPSG:26986`; "" where it has none.

    Raises:
        ConfigurationError: PROJ does not know `own`, or it has no EPSG code.
    """

    def __init__(self, own: str = "") -> None:
        known = [Crs(CRS84, "OGC:CRS84"), *(_epsg(code) for code in _COMMON)]
        if own:
            known.append(_epsg(own))
        self._by_uri = {crs.uri: crs for crs in known}

    @property
    def uris(self) -> list[str]:
        """In order."""
        return list(self._by_uri)

    def find(self, uri: str | None, parameter: str) -> Crs:
        """The system that a parameter names; CRS84 when it is not given.

        Raises:
            BadRequestData: it is none of these.
        """
        found = self._by_uri.get(uri or CRS84)
        if found is None:
            raise BadRequestData(
                f"parameter {parameter} is invalid: {uri!r} is none of {', '.join(self._by_uri)}"
            )
        return found


def _epsg(code: str) -> Crs:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        authority, number = CRS.from_user_input(code).to_authority() or ("", "")
    except CRSError:
        authority, number = "", ""
    if authority == "OGC":
        return Crs(CRS84, "OGC:CRS84")
    if authority != "EPSG":
        raise ConfigurationError(f"mapCrs is invalid: {code!r} is no coordinate reference system of EPSG")
    return Crs(_EPSG + number, f"EPSG:{number}")


def numbers_of(text: str, parameter: str) -> list[float]:
    """The numbers of a comma separated list. Raises BadRequestData."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [math.nan]
    if not all(math.isfinite(number) for number in numbers):
        raise BadRequestData(f"parameter {parameter} is invalid: {text[:200]!r} is no list of numbers")
    return numbers
