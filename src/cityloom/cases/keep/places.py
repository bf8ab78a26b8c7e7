"""Where a report is: in which of the city's areas, on no place at all, or outside.

A point that stands for "no place" is not kept: the report is filed with its place unknown, for the
report is worth more than the point. A point outside every area is refused: another city's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from cityloom.cases.keep.city import AreasPart
from cityloom.model.errors import BadRequestData
from cityloom.query.geometry import check_reference, wgs84
from cityloom.query.values import GeoQuery, Query, TypeIs
from cityloom.store.ports import Snapshot

_NEAR: Final = 100.0
"""Metres that a point may lie off an area and belong to it: borders are drawn along water and kerbs."""
_SAME: Final = 1e-6
"""Degrees within which a point is one that stands for no place."""
Point = tuple[float, float]


class Place(Struct, frozen=True, kw_only=True):
    """A place: lon, lat in CRS84 degrees, and the id of the area that holds it ("" for none)."""

    location: Point | None = None
    known: Literal["known", "unknown"] = "known"
    area: str = ""


class Places:
    """Finds the area of a point in the live picture.

    Args:
        areas: which entities are areas; None: the city tells none, and any point is in it.
        expand: a type as the profile names it -> IRI.
    """

    def __init__(self, areas: AreasPart | None, expand: Callable[[str], str]) -> None:
        self._type = expand(areas.type) if areas is not None else ""

    def find(
        self, snapshot: Snapshot, tenant: str, location: dict[str, Any] | None, no_place: Sequence[Point]
    ) -> Place:
        """The place of a GeoJSON Point.

        Raises:
            BadRequestData: it is no Point, or lies outside every area.

        Cost: two searches of the index of places at most.
        """
        if location is None:
            return Place(known="unknown")
        point = _point(location)
        if any(abs(point[0] - lon) < _SAME and abs(point[1] - lat) < _SAME for lon, lat in no_place):
            return Place(known="unknown")
        if not self._type:
            return Place(location=point)
        geometry = {"type": "Point", "coordinates": list(point)}
        for geo in (
            GeoQuery(georel="intersects", geometry=geometry),
            GeoQuery(georel="near", geometry=geometry, max_distance=_NEAR),
        ):
            found = snapshot.query(tenant, Query(types=TypeIs(self._type), geo=geo, limit=1))
            if found:
                return Place(location=point, area=found[0].id)
        if not snapshot.query(tenant, Query(types=TypeIs(self._type), limit=1)):
            return Place(location=point)  # its areas are not here yet
        raise BadRequestData(
            f"location is invalid: {point[0]}, {point[1]} (lon, lat) lies outside the city's areas"
        )

    @staticmethod
    def distance(one: Point | None, other: Point | None) -> float | None:
        """Metres between two points on the ellipsoid."""
        if one is None or other is None:
            return None
        _, _, metres = wgs84().inv(*one, *other)
        return round(float(metres), 1)


def _point(location: dict[str, Any]) -> Point:
    if location.get("type") != "Point":
        raise BadRequestData("location is invalid: a GeoJSON Point (lon, lat) is required")
    check_reference(location, "location")
    lon, lat = location["coordinates"][:2]
    return float(lon), float(lat)
