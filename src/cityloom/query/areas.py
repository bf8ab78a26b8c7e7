"""Which area holds a point: decided by GEOS for many points at once.

Coordinates are (lon, lat) in CRS84 degrees; the border belongs to an area.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import numpy as np
import shapely
from msgspec import Struct
from numpy.typing import NDArray

GeoJson = dict[str, Any]
_NONE: Final[NDArray[np.int64]] = np.empty(0, dtype=np.int64)


class Areas:
    """Areas by entity id, to find which of them hold a point.

    Args:
        areas: (entity id, GeoJSON geometry).
    """

    def __init__(self, areas: Sequence[tuple[str, GeoJson]]) -> None:
        ordered = sorted(areas, key=lambda area: area[0])
        self.ids = [entity_id for entity_id, _ in ordered]
        shapes = [shapely.geometry.shape(geometry) for _, geometry in ordered]
        # A city's own boundaries cross themselves now and then; the copy for the join is made valid.
        self._shapes = shapely.make_valid(np.array(shapes, dtype=object))
        # GEOS asks a prepared boundary of thousands of corners in no time, and any other corner by corner.
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)

    def __len__(self) -> int:
        return len(self.ids)

    def holding(self, points: Sequence[tuple[float, float] | None]) -> list[str | None]:
        """For each point (lon, lat) the id of the area that holds it, border included; of several the first.

        Cost: that of `pairs`.
        """
        found: list[str | None] = [None] * len(points)
        given = [index for index, point in enumerate(points) if point is not None]
        if not given or not self.ids:
            return found
        hits, areas = self.pairs(np.array([points[index] for index in given], dtype=float))
        for hit, area in sorted(zip(hits.tolist(), areas.tolist(), strict=True), reverse=True):
            found[given[hit]] = self.ids[area]
        return found

    def pairs(self, points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Every (point, area) of which the area holds the point, as two arrays of places.

        Args:
            points: shape (n, 2), lon and lat.

        Cost: about 2 µs for each point and area whose box holds it.
        """
        near, areas = self._tree.query(shapely.points(points))
        order = np.argsort(areas, kind="stable")
        near, areas = near[order], areas[order]
        starts = np.searchsorted(areas, np.arange(len(self.ids) + 1))
        held = np.zeros(len(near), dtype=bool)
        for area in np.unique(areas).tolist():
            part = slice(starts[area], starts[area + 1])
            xy = points[near[part]]
            held[part] = shapely.intersects_xy(self._shapes[area], xy[:, 0], xy[:, 1])
        return near[held], areas[held]


def representative_point(geometry: GeoJson) -> tuple[float, float]:
    """A point (lon, lat) that lies in a geometry: the point itself, else one surely inside."""
    if geometry["type"] == "Point":
        lon, lat = geometry["coordinates"][:2]
        return float(lon), float(lat)
    point = shapely.geometry.shape(geometry).representative_point()
    return (float(point.x), float(point.y)) if math.isfinite(point.x) else (0.0, 0.0)


Method = Literal["count", "sum", "avg", "min", "max"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
_STARTS: Final = {"sum": 0.0, "avg": 0.0, "min": np.inf, "max": -np.inf}
_STEPS: Final = {"sum": np.add, "avg": np.add, "min": np.minimum, "max": np.maximum}


class InArea(Struct, frozen=True):
    """What was found in one area: how many were counted, and their aggregate (None where there is none)."""

    id: str
    value: float | int | None
    count: int


def aggregate_in_areas(
    areas: Areas, points: NDArray[np.float64], values: NDArray[np.float64], method: Method
) -> tuple[list[InArea], int]:
    """What lies in each area, by id, and how many points lie in none.

    A point in several areas, or on the border between them, counts in each.

    Args:
        points: shape (n, 2), lon and lat.
        values: shape (n,), the number of each point; not looked at for `count`.

    Cost: that of `pairs`.
    """
    size = len(areas)
    hits, places = areas.pairs(points) if size and len(points) else (_NONE, _NONE)
    outside = len(points) - len(np.unique(hits))
    counts = np.bincount(places, minlength=size)
    if method == "count":
        found: list[float | int | None] = counts.tolist()
    else:
        within = values[hits]
        aggregated = np.full(size, _STARTS[method])
        # Sorted, so that a sum does not depend on the order in which GEOS finds them.
        order = np.lexsort((within, places))
        _STEPS[method].at(aggregated, places[order], within[order])
        if method == "avg":
            aggregated = aggregated / np.maximum(counts, 1)
        pairs = zip(aggregated.tolist(), counts.tolist(), strict=True)
        found = [value if count else None for value, count in pairs]
    told = zip(areas.ids, found, counts.tolist(), strict=True)
    return [InArea(id, value, count) for id, value, count in told], outside
