"""GeoJSON geometries: their structure, not their topology.

A polygon that crosses itself is data that cities have; it is accepted here
and decided by GEOS where it is queried.

Source: ETSI GS CIM 009 clauses 4.7.1, 4.7.2; RFC 7946 clause 3.1.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

import msgspec

from cityloom.ld.kinds import GEOMETRY_TYPES
from cityloom.ld.limits import Limits
from cityloom.ld.values import check_json
from cityloom.model.errors import BadRequestData

_DEPTH: Final = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}


def is_geometry(value: Any) -> bool:
    """Whether a value has the outer form of a supported geometry."""
    return (
        isinstance(value, dict)
        and "coordinates" in value
        and isinstance(value.get("type"), str)
        and value["type"] in GEOMETRY_TYPES
    )


def check_geometry(value: Any, place: str, limits: Limits, *, foreign: bool = True) -> dict[str, Any]:
    """The geometry that stands at `place`, an object or a string that holds one as JSON.

    Args:
        value: lon and lat in CRS84 degrees, altitude in metres if any.
        foreign: whether it may have members that GeoJSON does not know (RFC 7946
            6.1), which are kept; not where they would be meant as sub-attributes.

    Raises:
        BadRequestData: another type, numbers out of range, rings not closed, or too many vertices.

    Cost: linear in the vertices.
    """
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise BadRequestData(f"{place} is invalid: the string holds no GeoJSON geometry") from None
    if not is_geometry(value):
        kinds = ", ".join(sorted(GEOMETRY_TYPES))
        raise BadRequestData(f"{place} is invalid: it is no GeoJSON geometry with coordinates ({kinds})")
    if len(value) > 2:
        _check_others(value, place, limits, foreign)
    geometry: dict[str, Any] = value
    kind, coordinates = value["type"], value["coordinates"]
    where = f"{place}.coordinates"
    left = _check_nested(coordinates, _DEPTH[kind], where, limits.vertices)
    if left < 0:
        raise BadRequestData(f"{where} is invalid: it has more than {limits.vertices} vertices")
    if kind == "LineString":
        _check_line(coordinates, where)
    elif kind == "MultiLineString":
        for line in coordinates:
            _check_line(line, where)
    elif kind == "Polygon":
        _check_rings(coordinates, where)
    elif kind == "MultiPolygon":
        for polygon in coordinates:
            _check_rings(polygon, where)
    return geometry


def _check_nested(value: Any, depth: int, place: str, left: int) -> int:
    """Checks positions `depth` arrays down; how many vertices are left of the limit."""
    if depth == 0:
        _check_position(value, place)
        return left - 1
    if not isinstance(value, list) or not value:
        raise BadRequestData(f"{place} is invalid: it is empty or not nested as its type says")
    for part in value:
        left = _check_nested(part, depth - 1, place, left)
        if left < 0:
            break
    return left


def _check_position(position: Any, place: str) -> None:
    if not isinstance(position, list) or not 2 <= len(position) <= 4:
        raise BadRequestData(f"{place} is invalid: a position is [longitude, latitude] or with altitude")
    for number in position:
        kind = type(number)
        if (kind is not float and kind is not int) or not isfinite(number):
            raise BadRequestData(f"{place} is invalid: {number!r} is no finite number")
    if not -180 <= position[0] <= 180 or not -90 <= position[1] <= 90:
        raise BadRequestData(
            f"{place} is invalid: {position[:2]} is no longitude in -180..180 and latitude in -90..90"
        )


def _check_line(line: list[Any], place: str) -> None:
    if len(line) < 2:
        raise BadRequestData(f"{place} is invalid: a line has two positions or more")


def _check_rings(rings: list[Any], place: str) -> None:
    for ring in rings:
        if len(ring) < 4 or ring[0] != ring[-1]:
            raise BadRequestData(
                f"{place} is invalid: a ring has four positions or more, the last equal to the first"
            )


def _check_others(geometry: dict[str, Any], place: str, limits: Limits, foreign: bool) -> None:
    for key, value in geometry.items():
        if key == "bbox":
            _check_bbox(value, f"{place}.bbox")
        elif key not in ("type", "coordinates"):
            if not foreign:
                raise BadRequestData(f"{place}.{key} is invalid: beside a geometry write it under value")
            check_json(value, f"{place}.{key}", limits, 1)


def _check_bbox(bbox: Any, place: str) -> None:
    if (
        not isinstance(bbox, list)
        or len(bbox) not in (4, 6)
        or any(type(number) not in (int, float) or not isfinite(number) for number in bbox)
    ):
        raise BadRequestData(f"{place} is invalid: a bbox is four or six numbers")
