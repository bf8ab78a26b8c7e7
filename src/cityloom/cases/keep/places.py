"""Where a report is: in which of the city's areas, on no place at all, or outside.

A point that stands for "no place" is not kept: the report is filed with its place unknown, for the
report is worth more than the point. A point outside every area is refused: another city's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import shapely
from msgspec import Struct

from cityloom.cases.keep.city import AreasPart
from cityloom.cases.loop.refusals import refused
from cityloom.model.entity import LOCATION, Entity
from cityloom.model.errors import BadRequestData
from cityloom.query.geometry import check_reference, distance, read_geometry, wgs84
from cityloom.query.values import GeoQuery, Query, TypeIs, TypeOr
from cityloom.store.ports import Snapshot

_DIGITS: Final = 5
"""Of a degree: about a metre."""
_NEAR: Final = 100.0
"""Metres that a point may lie off an area and belong to it: borders are drawn along water and kerbs."""
_SAME: Final = 1e-6
"""Degrees within which a point is one that stands for no place."""
_BESIDE: Final = 150.0
"""Metres within which a landmark tells where a place is."""
_LANDMARKS: Final = 500
"""So many are looked at."""
Point = tuple[float, float]


class Place(Struct, frozen=True, kw_only=True):
    """A place: lon, lat in CRS84 degrees, and the id of the area that holds it ("" for none)."""

    location: Point | None = None
    known: Literal["known", "unknown"] = "known"
    area: str = ""


class Landmark(Struct, frozen=True, kw_only=True):
    """Something by whose name people know a place: `name` is a text, or texts by language; metres away."""

    id: str
    name: str | dict[str, Any]
    distance: float


class Places:
    """Finds the area of a point, and what is beside it, in the live picture.

    Args:
        areas: which entities are areas; None: the city tells none, and any point is in it.
        expand: a type, or an attribute, as the profile names it -> IRI.
        landmarks: the types of entities by whose names people know a place.
    """

    def __init__(
        self, areas: AreasPart | None, expand: Callable[[str], str], landmarks: Sequence[str] = ()
    ) -> None:
        self._type = expand(areas.type) if areas is not None else ""
        self._landmarks = [TypeIs(expand(type)) for type in landmarks]
        self._name, self._address = expand("name"), expand("address")

    def find(
        self, snapshot: Snapshot, tenant: str, location: dict[str, Any] | None, no_place: Sequence[Point]
    ) -> Place:
        """The place of a GeoJSON Point.

        Raises:
            BadRequestData: it is no Point, or lies outside every area (`field` of the problem is `location`).

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
        told = ", ".join(str(round(one, _DIGITS)) for one in point)
        raise refused(BadRequestData, "outside", {"field": "location"}, place=told)

    def near(self, snapshot: Snapshot, tenant: str, point: Point) -> Landmark | None:
        """The nearest landmark with a name or an address; None where the city holds none.

        Cost: a search of the index of places, and the distance to each that is near.
        """
        if not self._landmarks:
            return None
        geo = GeoQuery(
            georel="near", geometry={"type": "Point", "coordinates": list(point)}, max_distance=_BESIDE
        )
        query = Query(types=TypeOr(list(self._landmarks)), geo=geo, limit=_LANDMARKS)
        here = shapely.Point(point)
        found = [
            Landmark(id=entity.id, name=name, distance=round(distance(here, read_geometry(place.value)), 1))
            for entity in snapshot.query(tenant, query)
            if (place := entity.instance(LOCATION)) is not None and (name := self._called(entity))
        ]
        return min(found, key=lambda one: (one.distance, one.id), default=None)

    def _called(self, entity: Entity) -> str | dict[str, Any]:
        """The name of an entity, or its address: as it is written, or its street."""
        for attribute in (self._name, self._address):
            instance = entity.instance(attribute)
            value = None if instance is None else instance.value
            if isinstance(value, str) or (
                isinstance(value, dict) and instance is not None and instance.kind == "LanguageProperty"
            ):
                return value
            if isinstance(value, dict):
                street = next((text for key, text in value.items() if key.endswith("streetAddress")), "")
                if isinstance(street, str) and street:
                    return street
        return ""

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
