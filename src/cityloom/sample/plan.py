"""Where the land lies: boundary, sea, river, lake and districts of the sample city.

The city is drafted on a flat plane (metres, x east, y north, the middle at 0, 0) and then bent
by one smooth map, so that straight drafting lines become a town that grew. Everything that is
shared between two shapes keeps exactly the same vertices through the bend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely import LineString, MultiPoint, Polygon
from shapely.geometry.base import BaseGeometry

from cityloom.sample.draw import stream
from cityloom.sample.period import Floats, Ints, Shapes
from cityloom.sample.sizes import Size

CENTER = (123.4, 30.2)
"""Longitude and latitude of the middle: open sea, so that no real place is shown wrongly."""

_METRES_PER_DEGREE = 111_320.0


def to_lonlat(points: Floats) -> Floats:
    """Metres from the middle -> longitude and latitude in degrees (CRS84).

    Args:
        points: shape (n, 2).
    """
    east = 1 / (_METRES_PER_DEGREE * np.cos(np.radians(CENTER[1])))
    degrees = np.array([east, 1 / _METRES_PER_DEGREE]) * points + np.array(CENTER)
    return np.asarray(degrees, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Bend:
    """A smooth map of the plane onto itself: slow waves for the town, short ones for its streets."""

    radius: float
    phases: Floats

    def points(self, xy: Floats) -> Floats:
        x, y = xy[:, 0], xy[:, 1]
        slow, short = 1.4 * self.radius, 900.0
        a, b = 0.02 * self.radius, 11.0
        turn = 2 * np.pi
        p = self.phases
        bent_x = x + a * np.sin(turn * y / slow + p[0]) + b * np.sin(turn * y / short + p[1])
        bent_y = y + a * np.sin(turn * x / slow + p[2]) + b * np.sin(turn * x / short + p[3])
        return np.round(np.column_stack([bent_x, bent_y]), 2)

    def lines(self, shapes: Shapes) -> Shapes:
        """Bends an array of shapes; long straight parts get vertices first."""
        dense = shapely.segmentize(shapes, max_segment_length=60.0)
        return np.asarray(shapely.transform(dense, self.points))


@dataclass(frozen=True, slots=True)
class Plan:
    """The drafted land (flat) and its districts, drafted and bent.

    Args:
        barrier: what ordinary streets do not cross: water with its banks, the two great parks.
        flat_districts: the tessellation on the flat plane.
        districts: the same, bent; they tile `boundary` without gap or overlap.
    """

    size: Size
    bend: Bend
    flat_boundary: Polygon
    river_line: LineString
    river: Polygon
    sea: Polygon
    lake: Polygon
    great_parks: list[Polygon]
    flat_districts: list[Polygon]
    borders: Shapes
    districts: Shapes
    boundary: Polygon

    @property
    def barrier(self) -> BaseGeometry:
        return shapely.union_all(
            [self.river.buffer(16), self.sea.buffer(45), *(park.buffer(4) for park in self.great_parks)]
        )


def _blob(rng: np.random.Generator, x: float, y: float, radius: float, rough: float) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, max(72, int(radius / 12)), endpoint=False)
    reach = np.full(angle.shape, radius)
    for wave in range(2, 7):
        reach += radius * rough / wave * rng.uniform(0.4, 1) * np.sin(wave * angle + rng.uniform(0, 6.28))
    return Polygon(np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)]))


def _sea(rng: np.random.Generator, radius: float) -> Polygon:
    y = np.linspace(-1.5 * radius, 1.5 * radius, 300)
    p, q, r = rng.uniform(0, 2 * np.pi, 3)
    x = (
        0.66 * radius
        + 0.06 * radius * np.sin(2 * np.pi * y / (1.7 * radius) + p)
        + 0.025 * radius * np.sin(2 * np.pi * y / (0.6 * radius) + q)
        + 0.006 * radius * np.sin(2 * np.pi * y / (0.17 * radius) + r)
    )
    far = [(1.6 * radius, 1.5 * radius), (1.6 * radius, -1.5 * radius)]
    return Polygon([*np.column_stack([x, y]), *far])


def _river(rng: np.random.Generator, radius: float) -> tuple[LineString, Polygon]:
    """The river's middle line (west to east) and its surface, widening to the estuary."""
    x = np.linspace(-1.45 * radius, 0.85 * radius, 260)
    p, q = rng.uniform(0, 2 * np.pi, 2)
    y = (
        -0.14 * radius
        + 0.10 * radius * np.sin(2 * np.pi * x / (1.35 * radius) + p)
        + 0.03 * radius * np.sin(2 * np.pi * x / (0.5 * radius) + q)
    )
    line = np.column_stack([x, y])
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.column_stack([-along[:, 1], along[:, 0]])
    share = (x + 1.45 * radius) / (2.3 * radius)
    half = (18 + 0.007 * radius) * (0.6 + 0.8 * share + 1.6 * np.clip(share - 0.85, 0, None) / 0.15)
    surface = Polygon([*(line + side * half[:, None]), *(line - side * half[:, None])[::-1]])
    return LineString(line), surface.buffer(0)


def _seeds(rng: np.random.Generator, area: Polygon, count: int, radius: float) -> Floats:
    """Draws points in `area`, dense near the middle, and evens them out (two rounds of Lloyd)."""
    west, south, east, north = area.bounds
    kept: list[tuple[float, float]] = []
    while len(kept) < count:
        x, y = rng.uniform(west, east), rng.uniform(south, north)
        near = np.exp(-((x * x + y * y) / (0.55 * radius) ** 2))
        if rng.random() < 0.2 + 0.8 * near and shapely.contains_xy(area, x, y):
            kept.append((x, y))
    points = np.array(kept)
    for _ in range(2 if count > 1 else 0):
        cells = shapely.get_parts(shapely.voronoi_polygons(MultiPoint(points), extend_to=area, ordered=True))
        middle = shapely.get_coordinates(shapely.centroid(shapely.intersection(cells, area)))
        points = middle
    return points


def _parts(line: BaseGeometry) -> list[LineString]:
    return [part for part in shapely.get_parts(line) if part.geom_type == "LineString" and part.length > 0]


def _merge_slivers(cells: list[Polygon], smallest: float) -> list[Polygon]:
    """Joins every cell smaller than `smallest` to the neighbour with which it shares most border."""
    cells = sorted(cells, key=lambda cell: cell.area)
    while cells[0].area < smallest:
        sliver = cells.pop(0)
        shared = [sliver.intersection(cell).length for cell in cells]
        best = int(np.argmax(shared))
        cells[best] = shapely.union_all([cells[best], sliver])
        cells.sort(key=lambda cell: cell.area)
    return cells


def _tessellate(
    rng: np.random.Generator, size: Size, boundary: Polygon, river_line: LineString
) -> tuple[list[Polygon], Shapes]:
    """Divides the city into districts that end at the river's middle; gives them and their inner borders."""
    river = _parts(river_line.intersection(boundary.buffer(5)))
    banks = [
        part
        for part in shapely.get_parts(shapely.polygonize(list(_noded([boundary.exterior, *river], 0.5))))
        if boundary.buffer(2).contains(part)
    ]
    inner: list[LineString] = []
    for bank in sorted(banks, key=lambda part: -part.area):
        count = round(size.districts * bank.area / boundary.area)
        if count > 1:
            seeds = MultiPoint(_seeds(rng, bank, count, size.radius))
            edges = shapely.voronoi_polygons(seeds, extend_to=boundary, only_edges=True)
            for edge in shapely.get_parts(edges):
                inner += _parts(edge.intersection(bank.buffer(1)))
    noded = _noded([boundary.exterior, *river, *inner], 0.5)
    dense = shapely.segmentize(noded, max_segment_length=60.0)
    cells = [
        cell
        for cell in shapely.get_parts(shapely.polygonize(list(dense)))
        if shapely.contains(boundary.buffer(2), cell)
    ]
    cells = _merge_slivers(cells, 0.25 * boundary.area / size.districts)
    cells.sort(key=lambda cell: float(np.hypot(*cell.representative_point().coords[0])))
    return cells, np.array(inner)


def _noded(lines: list[BaseGeometry], grid: float) -> Shapes:
    return np.asarray(shapely.get_parts(shapely.unary_union(np.array(lines), grid_size=grid)))


def draw_plan(seed: int, size: Size) -> Plan:
    """Drafts the land of the city.

    Args:
        seed: the city's seed.
        size: how large it is.

    Cost: milliseconds for `small`, about a second for `large`.
    """
    rng = stream(seed, "plan")
    radius = size.radius
    bend = Bend(radius, rng.uniform(0, 2 * np.pi, 4))
    sea = _sea(rng, radius)
    land = _blob(rng, 0, 0, radius, 0.09).difference(sea)
    boundary = max(shapely.get_parts(land), key=lambda part: part.area)
    river_line, river = _river(rng, radius)
    lake = _blob(rng, -0.36 * radius, 0.44 * radius, 0.10 * radius, 0.22)
    common = _blob(rng, 0.2 * radius, 0.2 * radius, 0.075 * radius, 0.12)
    cells, borders = _tessellate(rng, size, boundary, river_line)
    districts = np.asarray(shapely.transform(np.array(cells), bend.points))
    return Plan(
        size=size,
        bend=bend,
        flat_boundary=boundary,
        river_line=river_line,
        river=river,
        sea=sea,
        lake=lake,
        great_parks=[lake.buffer(0.045 * radius), common],
        flat_districts=cells,
        borders=borders,
        districts=districts,
        boundary=shapely.union_all(districts),
    )


def districts_of(plan: Plan, place: Floats) -> Ints:
    """The district that contains each point; the nearest one for a point on a border.

    Args:
        place: shape (n, 2), metres.
    """
    points = shapely.points(place)
    cell, inside = shapely.STRtree(points).query(plan.districts, predicate="contains")
    district = np.full(len(points), -1, dtype=np.int64)
    district[inside] = cell
    rest = np.flatnonzero(district < 0)
    _, nearest = shapely.STRtree(plan.districts).query_nearest(points[rest], all_matches=False)
    district[rest] = nearest
    return district
