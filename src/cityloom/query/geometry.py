"""Geometry: relations decided exactly by GEOS, distances in metres, boxes that are never too small.

Coordinates are (lon, lat) in CRS84 degrees. Edges are straight in longitude
and latitude, as RFC 7946 clause 3.1.1 says. Topological relations are those of
OGC Simple Features in that plane (shapely, GEOS); distances are geodesics on the WGS 84
ellipsoid (`near`) or the sphere (`orderBy`). The rationale and
the measured error stand in docs/decisions/2026-11-23-geometry.md.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from cityloom.model.errors import BadRequestData

if TYPE_CHECKING:
    from pyproj import Geod

GEOMETRY_TYPES: Final = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
"""The geometries of NGSI-LD: those of GeoJSON but GeometryCollection (clause 4.7.1)."""

_EDGE: Final = 0.1
"""Edges are cut to this many degrees before they are projected: under 1.3 m off the straight line."""
_SHORTEST_DEGREE: Final = 110_574.0
"""Metres of a degree of latitude where it is shortest, at the equator."""
_SLACK: Final = 1.01
_SLACK_METRES: Final = 5.0


@cache
def wgs84() -> Geod:
    """The ellipsoid of WGS 84; PROJ is loaded with the first distance."""
    from pyproj import Geod

    return Geod(ellps="WGS84")


@cache
def mean_sphere() -> Geod:
    """The sphere of the Earth's mean radius: its great circles are what the haversine formula gives."""
    from pyproj import Geod

    return Geod(a=6_371_008.8, b=6_371_008.8)


class Box(NamedTuple):
    """West, south, east, north in degrees; west <= east."""

    west: float
    south: float
    east: float
    north: float


def read_geometry(geojson: Any, place: str = "value") -> Any:
    """Reads a GeoJSON geometry as a shapely geometry.

    Source: ETSI GS CIM 009 clause 4.7.1, RFC 7946 clause 3.1.

    Raises:
        BadRequestData: it is no geometry, or a kind that NGSI-LD does not know.
    """
    kind = geojson.get("type") if isinstance(geojson, dict) else None
    if kind not in GEOMETRY_TYPES:
        raise BadRequestData(
            f"{place} is invalid: the geometry's type must be one of {', '.join(GEOMETRY_TYPES)}"
        )
    try:
        geometry = shapely.geometry.shape(geojson)
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        shapely.errors.ShapelyError,
    ) as error:
        raise BadRequestData(f"{place} is invalid: coordinates of a {kind} are required: {error}") from None
    if geometry.is_empty or not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise BadRequestData(f"{place} is invalid: coordinates of a {kind} are required")
    return geometry


def check_reference(geojson: Any, place: str) -> None:
    """Checks a caller's reference geometry: readable, closed rings, within 180 and 90 degrees.

    A ring that crosses itself is well-formed GeoJSON (RFC 7946 clause 3.1.6); its user makes it simple.

    Raises:
        BadRequestData: it is not.
    """
    if reference_point(geojson) is not None:
        return
    geometry = read_geometry(geojson, place)
    west, south, east, north = shapely.bounds(geometry)
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise BadRequestData(f"{place} is invalid: longitudes lie within 180 degrees, latitudes within 90")
    kind, coordinates = geojson["type"], geojson["coordinates"]
    polygons = [coordinates] if kind == "Polygon" else coordinates if kind == "MultiPolygon" else []
    for polygon in polygons:
        for ring in polygon:
            if len(ring) < 4 or list(ring[0]) != list(ring[-1]):
                raise BadRequestData(
                    f"{place} is invalid: a ring has four positions or more, the first again last"
                )


def box_of(geometries: list[Any]) -> Box | None:
    """The box around stored GeoJSON geometries, or None when none of them can be read.

    A longitude beyond 180 degrees means a place on the other side as well, so the
    box then spans every longitude: a box may be too large, never too small.
    """
    known = [each for geojson in geometries if (each := _quick_bounds(geojson)) is not None]
    if not known:
        return None
    west, south, east, north = known[0]
    for each in known[1:]:
        west, south = min(west, each[0]), min(south, each[1])
        east, north = max(east, each[2]), max(north, each[3])
    if west < -180 or east > 180:
        west, east = min(west, -180.0), max(east, 180.0)
    return Box(west, south, east, north)


def _quick_bounds(geojson: Any) -> tuple[float, float, float, float] | None:
    point = point_of(geojson)
    if point is not None:
        return (*point, *point)
    try:
        bounds = shapely.bounds(read_geometry(geojson))
    except BadRequestData:
        return None
    return (float(bounds[0]), float(bounds[1]), float(bounds[2]), float(bounds[3]))


_NUMBERS: Final = frozenset((int, float))
"""JSON's numbers; true and false are none."""


def point_of(geojson: Any) -> tuple[float, float] | None:
    """(lon, lat) of a GeoJSON Point, or None when it is something else."""
    if not isinstance(geojson, dict) or geojson.get("type") != "Point":
        return None
    coordinates = geojson.get("coordinates")
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        return None
    lon, lat = coordinates[0], coordinates[1]
    if type(lon) not in _NUMBERS or type(lat) not in _NUMBERS:
        return None
    return float(lon), float(lat)


def reference_point(geojson: Any) -> tuple[float, float] | None:
    """(lon, lat) of a valid reference that is one Point: most are, and need no shape. Else None."""
    point = point_of(geojson)
    if point is None or not (-180 <= point[0] <= 180 and -90 <= point[1] <= 90):
        return None
    return point


def boxes_within(bounds: Box, metres: float) -> list[Box] | None:
    """Boxes that together hold every place within `metres` of anything in `bounds`.

    Returns:
        One box, or two where the antimeridian lies between them; None when
        that is (nearly) the whole world. Around a pole the box spans every longitude.
    """
    reach = (metres * _SLACK + _SLACK_METRES) / _SHORTEST_DEGREE
    if reach >= 90:
        return None
    south, north = bounds.south - reach, bounds.north + reach
    if south <= -90 or north >= 90:
        return [Box(-180.0, max(south, -90.0), 180.0, min(north, 90.0))]
    furthest = math.radians(max(abs(bounds.south), abs(bounds.north)))
    ratio = math.sin(math.radians(reach)) / math.cos(furthest)
    if ratio >= 1:
        return [Box(-180.0, south, 180.0, north)]
    aside = math.degrees(math.asin(ratio)) * _SLACK
    west, east = bounds.west - aside, bounds.east + aside
    if east - west >= 360:
        return [Box(-180.0, south, 180.0, north)]
    if west < -180:
        return [Box(-180.0, south, east, north), Box(west + 360, south, 180.0, north)]
    if east > 180:
        return [Box(west, south, 180.0, north), Box(-180.0, south, east - 360, north)]
    return [Box(west, south, east, north)]


def distance(one: Any, other: Any, globe: Geod | None = None) -> float:
    """The shortest distance between two shapely geometries, in metres; NaN for impossible latitudes.

    `globe` is WGS 84 unless given. Two points: the geodesic, exact. Otherwise both are projected
    (azimuthal equidistant, by geodesics) around the point, or, between two extended
    geometries, around the point of `one` that is nearest in the plane; distances
    from that centre are exact.

    Cost: a geodesic for each vertex, about 1 µs.
    """
    globe = globe or wgs84()
    if one.geom_type == "Point" and other.geom_type == "Point":
        return float(globe.inv(one.x, one.y, other.x, other.y)[2])
    if not (_on_earth(one) and _on_earth(other)):
        return math.nan
    if shapely.intersects(one, other):
        return 0.0
    if one.geom_type == "Point":
        centre = one
    elif other.geom_type == "Point":
        centre = other
    else:
        centre = _nearest(one, other)
    return float(shapely.distance(_project(one, centre, globe), _project(other, centre, globe)))


def _on_earth(geometry: Any) -> bool:
    _, south, _, north = shapely.bounds(geometry)
    return bool(south >= -90 and north <= 90)


def _nearest(one: Any, other: Any) -> Any:
    """The point of `one` nearest to `other`, in a plane where degrees are as long as at that latitude."""
    middle = shapely.centroid(one)
    turns = round((middle.x - shapely.centroid(other).x) / 360) * 360
    squeeze = max(math.cos(math.radians(min(abs(middle.y), 89.9))), 1e-3)

    def flatten(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return points * (squeeze, 1.0)

    def bring_near(points: NDArray[np.float64]) -> NDArray[np.float64]:
        moved: NDArray[np.float64] = (points + np.array((turns, 0.0))) * np.array((squeeze, 1.0))
        return moved

    near = shapely.shortest_line(shapely.transform(one, flatten), shapely.transform(other, bring_near))
    lon, lat = shapely.get_coordinates(near)[0]
    return shapely.Point(lon / squeeze, lat)


def _project(geometry: Any, centre: Any, globe: Geod) -> Any:
    """`geometry` in metres east and north of `centre`, at its true distance and bearing."""

    def to_metres(points: NDArray[np.float64]) -> NDArray[np.float64]:
        count = len(points)
        bearing, _, length = globe.inv(
            np.full(count, centre.x), np.full(count, centre.y), points[:, 0], points[:, 1]
        )
        angle = np.radians(bearing)
        return np.column_stack((length * np.sin(angle), length * np.cos(angle)))

    flat = shapely.force_2d(geometry)
    return shapely.transform(shapely.segmentize(flat, _EDGE), to_metres)
