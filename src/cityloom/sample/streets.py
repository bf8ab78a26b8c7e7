"""The street network: avenues with bridges, district roads, banks, and a patchwork of local grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from cityloom.sample.draw import stream
from cityloom.sample.names import Name, street_names
from cityloom.sample.period import Bools, Floats, Ints, Shapes
from cityloom.sample.plan import Plan, districts_of

AVENUE, ROAD, STREET = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Streets:
    """Segments between junctions, as arrays of one length, bent.

    Args:
        shape: LineStrings in metres, from node `start` to node `finish`.
        way: the street that a segment belongs to, an index into `names`.
        grade: 0 avenue, 1 road, 2 street.
        nodes: shape (n, 2), the junctions in metres.
        district: index of the district in which the segment's middle lies.
        blocks: the flat areas between streets, for parks.
    """

    shape: Shapes
    way: Ints
    grade: Ints
    start: Ints
    finish: Ints
    nodes: Floats
    length: Floats
    bridge: Bools
    district: Ints
    names: list[Name]
    grades: list[int]
    blocks: Shapes

    @property
    def middle(self) -> Floats:
        return np.asarray(
            shapely.get_coordinates(shapely.line_interpolate_point(self.shape, 0.5, normalized=True))
        )


def _lines(shape: BaseGeometry, shortest: float = 1.0) -> list[LineString]:
    merged = shapely.line_merge(shape) if shape.geom_type == "MultiLineString" else shape
    return [
        part
        for part in shapely.get_parts(merged)
        if part.geom_type == "LineString" and part.length >= shortest
    ]


def _avenues(rng: np.random.Generator, plan: Plan) -> list[LineString]:
    """Long streets through the whole city: some across the river, two along it."""
    radius = plan.size.radius
    blocked = shapely.union_all([plan.sea.buffer(45), *(park.buffer(4) for park in plan.great_parks)])
    bridges = plan.size.bridges
    result: list[LineString] = []
    for number in range(bridges):
        x = radius * (-0.72 + 1.15 * (number + 0.5) / bridges) + rng.uniform(-0.03, 0.03) * radius
        y = np.linspace(-1.2 * radius, 1.2 * radius, 25)
        path = LineString(np.column_stack([x + 0.10 * y * rng.uniform(-1, 1), y]))
        result += _lines(path.intersection(plan.flat_boundary).difference(blocked), 300)
    for shift in (0.24 * radius, -0.30 * radius):
        river = shapely.get_coordinates(plan.river_line)[::10]
        path = LineString(np.column_stack([river[:, 0], 0.7 * river[:, 1] - 0.04 * radius + shift]))
        clear = path.intersection(plan.flat_boundary).difference(blocked.union(plan.river.buffer(30)))
        result += _lines(clear, 300)
    return result


def _grid(
    rng: np.random.Generator, plan: Plan, district: Polygon, open_land: BaseGeometry
) -> list[LineString]:
    """Two families of parallel streets in one district, turned its own way."""
    area = district.intersection(open_land)
    if area.is_empty:
        return []
    x, y = district.centroid.coords[0]
    apart = float(np.hypot(x, y)) / plan.size.radius
    reach = shapely.minimum_bounding_radius(district) * 1.05
    turn = rng.uniform(-0.6, 0.6)
    result: list[LineString] = []
    for angle, stretch in ((turn, 1.0), (turn + np.pi / 2, 1.55)):
        gap = plan.size.spacing * (0.8 + 0.55 * apart) * stretch
        shifts = np.arange(-reach, reach, gap)
        shifts = shifts + rng.uniform(-0.12, 0.12, shifts.shape) * gap
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        for shift in shifts:
            middle = np.array([x, y]) + across * shift
            line = LineString([middle - along * reach, middle + along * reach])
            result += _lines(line.intersection(area), 40)
    return result


def _ways(rng: np.random.Generator, plan: Plan) -> tuple[list[LineString], list[int]]:
    """All streets as drafted lines, the great ones first."""
    barrier = plan.barrier
    open_land = plan.flat_boundary.difference(barrier)
    avenues = _avenues(rng, plan)
    banks = _lines(barrier.boundary.intersection(plan.flat_boundary.buffer(-1)), 60)
    roads = [
        piece for border in plan.borders for piece in _lines(border.intersection(open_land.buffer(0.5)), 20)
    ]
    local = [line for cell in plan.flat_districts for line in _grid(rng, plan, cell, open_land)]
    ways = [*avenues, *banks, *roads, *local]
    grades = [AVENUE] * len(avenues) + [ROAD] * (len(banks) + len(roads)) + [STREET] * len(local)
    return ways, grades


def _parents(pieces: Shapes, ways: list[LineString]) -> Ints:
    """The drafted line that each piece is cut from; the greater street wins where two lie together."""
    middle = shapely.line_interpolate_point(pieces, 0.5, normalized=True)
    found = shapely.STRtree(ways).query(middle, predicate="dwithin", distance=2.0)
    parent = np.full(len(pieces), len(ways), dtype=np.int64)
    np.minimum.at(parent, found[0], found[1])
    return parent


def _ends(pieces: Shapes) -> tuple[Floats, Ints, Ints]:
    """The junctions and, for each piece, the numbers of its two."""
    first = shapely.get_coordinates(shapely.get_point(pieces, 0))
    last = shapely.get_coordinates(shapely.get_point(pieces, -1))
    nodes, index = np.unique(np.concatenate([first, last]), axis=0, return_inverse=True)
    index = index.reshape(-1)
    return nodes, index[: len(pieces)], index[len(pieces) :]


def _too_close(pieces: Shapes, great: Shapes, near: float) -> Bools:
    """Which pieces run beside a great street all along, closer than `near` metres."""
    tree = shapely.STRtree(great)
    close = np.ones(len(pieces), dtype=np.bool_)
    for share in (0.0, 0.5, 1.0):
        points = shapely.line_interpolate_point(pieces, share, normalized=True)
        _, distance = tree.query_nearest(points, return_distance=True, all_matches=False)
        close &= distance < near
    return close


def _joined(start: Ints, finish: Ints, nodes: int) -> Bools:
    """Which pieces belong to the largest connected part of the network."""
    label = np.arange(nodes)
    while True:
        low = np.minimum(label[start], label[finish])
        new = label.copy()
        np.minimum.at(new, start, low)
        np.minimum.at(new, finish, low)
        new = new[new]
        if np.array_equal(new, label):
            break
        label = new
    counts = np.bincount(label[start], minlength=nodes)
    return np.asarray(label[start] == int(np.argmax(counts)))


def _kept(rng: np.random.Generator, spacing: float, pieces: Shapes, grade: Ints, great: Shapes) -> Bools:
    """Which pieces stay: a grown town lacks some of its grid, and has few stubs.

    Args:
        great: the drafted avenues and roads.
    """
    local = grade == STREET
    keep = ~(local & (rng.random(len(pieces)) < 0.06))
    keep &= ~(local & _too_close(pieces, great, 0.3 * spacing))
    nodes, start, finish = _ends(pieces)
    short = shapely.length(pieces) < 0.55 * spacing
    for _ in range(3):
        degree = np.bincount(np.concatenate([start[keep], finish[keep]]), minlength=len(nodes))
        stub = (degree[start] == 1) | (degree[finish] == 1)
        keep &= ~(local & stub & short)
    index = np.flatnonzero(keep)
    return np.isin(np.arange(len(pieces)), index[_joined(start[index], finish[index], len(nodes))])


def _without_short(pieces: Shapes, shortest: float) -> tuple[Shapes, Bools]:
    """Draws together junctions that lie closer than `shortest` metres along a street.

    Returns:
        the pieces with moved ends, and which of them are left.
    """
    nodes, start, finish = _ends(pieces)
    short = shapely.length(pieces) < shortest
    label = np.arange(len(nodes))
    for a, b in zip(start[short], finish[short], strict=True):
        low, high = sorted((label[a], label[b]))
        label[label == high] = low
    start, finish = label[start], label[finish]
    coordinates, owner = shapely.get_coordinates(pieces, return_index=True)
    first = np.searchsorted(owner, np.arange(len(pieces)))
    last = np.searchsorted(owner, np.arange(len(pieces)), side="right") - 1
    coordinates[first], coordinates[last] = nodes[start], nodes[finish]
    edge = np.sort(np.column_stack([start, finish]), axis=1)
    _, once = np.unique(edge, axis=0, return_index=True)
    kept = np.isin(np.arange(len(pieces)), once) & (start != finish)
    return shapely.linestrings(coordinates, indices=owner), kept


def lay_streets(seed: int, plan: Plan) -> Streets:
    """Lays the network over the plan and bends it.

    Cost: about 0.2 s for `small`, tens of seconds for `large`.
    """
    rng = stream(seed, "streets")
    ways, grades = _ways(rng, plan)
    noded = shapely.get_parts(shapely.unary_union(np.array(ways), grid_size=1.0))
    parent = _parents(noded, ways)
    pieces, parent = noded[parent < len(ways)], parent[parent < len(ways)]
    grade = np.array(grades, dtype=np.int64)[parent]
    great = np.array(ways)[np.array(grades) < STREET]
    keep = _kept(rng, plan.size.spacing, pieces, grade, great)
    pieces, parent, grade = pieces[keep], parent[keep], grade[keep]
    pieces, keep = _without_short(pieces, 0.12 * plan.size.spacing)
    pieces, parent, grade = pieces[keep], parent[keep], grade[keep]
    used, way = np.unique(parent, return_inverse=True)
    nodes, start, finish = _ends(pieces)
    shape = plan.bend.lines(pieces)
    middle = shapely.get_coordinates(shapely.line_interpolate_point(shape, 0.5, normalized=True))
    kinds = [grades[index] for index in used]
    return Streets(
        shape=shape,
        way=way.reshape(-1).astype(np.int64),
        grade=grade,
        start=start,
        finish=finish,
        nodes=plan.bend.points(nodes),
        length=np.round(shapely.length(shape), 1),
        bridge=np.asarray(shapely.intersects(pieces, plan.river)),
        district=districts_of(plan, middle),
        names=street_names(kinds, rng),
        grades=kinds,
        blocks=np.asarray(shapely.get_parts(shapely.polygonize(list(pieces)))),
    )


def draw_parks(seed: int, plan: Plan, streets: Streets) -> Shapes:
    """The parks, bent: the two great ones, and city blocks left green."""
    rng = stream(seed, "parks")
    spacing = plan.size.spacing
    area = shapely.area(streets.blocks)
    dry = ~shapely.intersects(streets.blocks, shapely.union_all([plan.river, plan.sea, *plan.great_parks]))
    round_enough = 4 * np.pi * area > 0.6 * shapely.length(streets.blocks) ** 2
    good = np.flatnonzero(dry & round_enough & (area > 0.8 * spacing**2) & (area < 5 * spacing**2))
    middle = shapely.get_coordinates(shapely.centroid(streets.blocks))
    chosen: list[int] = []
    for block in rng.permutation(good):
        if len(chosen) == plan.size.parks - len(plan.great_parks):
            break
        away = np.hypot(*(middle[chosen] - middle[block]).T)
        if not (away < 2.2 * spacing).any():
            chosen.append(int(block))
    chosen.sort()
    green = shapely.buffer(streets.blocks[chosen], -9.0, join_style="mitre")
    great = [park.difference(plan.lake) for park in plan.great_parks]
    return plan.bend.lines(np.array([*great, *green[shapely.area(green) > 400]]))
