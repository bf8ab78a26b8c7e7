"""Bus lines over the street network: paths, stops, timetable, and which bus runs which trip."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely

from cityloom.sample.draw import stream
from cityloom.sample.names import Name
from cityloom.sample.period import Floats, Ints
from cityloom.sample.plan import Plan, districts_of
from cityloom.sample.sensors import beside, pulled_inside
from cityloom.sample.streets import Streets

SPEED = 5.3
"""Metres a second along the line, halts included (19 km/h)."""
LAYOVER = 420
STOP_GAP = 420.0

HEADWAYS: dict[str, tuple[tuple[int, int], ...]] = {
    "WK": ((5, 1200), (7, 600), (10, 900), (16, 600), (19, 900), (22, 1800), (24, 1200)),
    "WE": ((5, 1800), (9, 1200), (20, 1800), (24, 1200)),
}
"""Service -> (from local hour, seconds between two buses). A service day goes from 05:00 to 29:00."""
NIGHT = 24 * 3600
"""From here on night buses run, a fleet of their own, so that the morning finds the day's buses free."""


@dataclass(frozen=True, slots=True)
class Stops:
    """Stop places, as arrays of one length."""

    code: list[str]
    name: list[Name]
    place: Floats
    district: Ints


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a line.

    Args:
        shape: the path driven, metres.
        stops: numbers of the stops, in order.
        along: metres from the start of `shape` to each stop.
    """

    line: int
    number: int
    shape: shapely.LineString
    stops: Ints
    along: Floats
    headsign: Name

    @property
    def times(self) -> Ints:
        """Seconds from departure to each stop."""
        return np.asarray(np.round((self.along - self.along[0]) / SPEED), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Trip:
    """A timetabled run; `depart` is seconds after local midnight of the service day."""

    code: str
    direction: int
    service: str
    depart: int
    vehicle: str


@dataclass(frozen=True, slots=True)
class Transit:
    """The whole bus network; direction d of line n is `directions[2 * n + d]`."""

    lines: list[str]
    names: list[Name]
    stops: Stops
    directions: list[Direction]
    trips: list[Trip]
    vehicles: list[str]


Graph = dict[int, list[tuple[int, int, float]]]
"""Node -> (neighbour, segment, cost)."""


def _graph(streets: Streets) -> Graph:
    """The network for buses: a metre on a great street costs less."""
    price = np.array([0.6, 0.75, 1.25])[streets.grade] * streets.length
    graph: Graph = defaultdict(list)
    ends = zip(streets.start.tolist(), streets.finish.tolist(), price.tolist(), strict=True)
    for segment, (a, b, cost) in enumerate(ends):
        graph[a].append((b, segment, cost))
        graph[b].append((a, segment, cost))
    return graph


def _path(graph: Graph, start: int, goal: int) -> list[tuple[int, int]]:
    """The cheapest path (Dijkstra) as pairs of a segment and the node it is entered at."""
    came: dict[int, tuple[int, int]] = {}
    best = {start: 0.0}
    queue = [(0.0, start)]
    while queue:
        cost, node = heapq.heappop(queue)
        if node == goal:
            break
        if cost > best[node]:
            continue
        for neighbour, segment, price in graph[node]:
            total = cost + price
            if total < best.get(neighbour, np.inf):
                best[neighbour] = total
                came[neighbour] = (segment, node)
                heapq.heappush(queue, (total, neighbour))
    path: list[tuple[int, int]] = []
    node = goal
    while node != start:
        path.append(came[node])
        node = came[node][1]
    return path[::-1]


def _no_way_back(path: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cuts out any stretch that is driven and then driven back."""
    clean: list[tuple[int, int]] = []
    for step in path:
        if clean and clean[-1][0] == step[0]:
            clean.pop()
        else:
            clean.append(step)
    return clean


def _terminals(rng: np.random.Generator, plan: Plan, streets: Streets, count: int) -> list[list[int]]:
    """For each line the nodes it goes by: an outer end, a place near the middle, another outer end."""
    radius = plan.size.radius
    tree = shapely.STRtree(shapely.points(streets.nodes))
    result: list[list[int]] = []
    for number in range(count):
        angle = np.pi * (number + rng.uniform(-0.2, 0.2)) / count
        turn = angle + np.pi + rng.uniform(-0.5, 0.5)
        reach = rng.uniform(0.6, 0.85, 2) * radius
        hub = rng.uniform(-0.18, 0.18, 2) * radius
        ends = [(reach[0], angle), (reach[1], turn)]
        (ax, ay), (bx, by) = ((r * np.cos(a), r * np.sin(a)) for r, a in ends)
        points = shapely.points([[min(ax, 0.55 * radius), ay], hub, [min(bx, 0.55 * radius), by]])
        result.append([int(node) for node in tree.nearest(points)])
    return result


class _StopBuilder:
    """Gives each (segment, side) at most one stop, shared by all lines that pass."""

    def __init__(self, streets: Streets) -> None:
        self.streets = streets
        self.number: dict[tuple[int, bool], int] = {}

    def along(self, path: list[tuple[int, int]]) -> tuple[list[int], list[float]]:
        """Chooses the stops of one direction.

        Returns:
            stop numbers, and metres from the path's start to each.
        """
        streets = self.streets
        stops: list[int] = []
        metres: list[float] = []
        run, last = 0.0, -np.inf
        for position, (segment, entered) in enumerate(path):
            length = float(streets.length[segment])
            middle = run + length / 2
            run += length
            key = (segment, bool(streets.start[segment] == entered))
            gap = 0.6 * STOP_GAP if key in self.number else STOP_GAP
            end = position in (0, len(path) - 1)
            if end or (middle - last >= gap and length >= 40 and not streets.bridge[segment]):
                stops.append(self.number.setdefault(key, len(self.number)))
                metres.append(middle)
                last = middle
        return stops, metres

    def built(self, plan: Plan) -> Stops:
        streets = self.streets
        segment = np.array([key[0] for key in self.number], dtype=np.int64)
        forward = np.array([key[1] for key in self.number])
        place = beside(streets, segment, streets.length[segment] / 2, np.where(forward, -7.0, 7.0))
        place = pulled_inside(plan, place)
        crossing = _crossings(streets)
        names = []
        for item in segment.tolist():
            street = streets.names[streets.way[item]]
            other = streets.names[crossing.get(item, int(streets.way[item]))]
            same = street == other
            names.append(street if same else Name(f"{street.en} / {other.en}", f"{street.zh}/{other.zh}"))
        code = [f"S{number:04d}" for number in range(1, len(names) + 1)]
        return Stops(code, names, place, districts_of(plan, place))


def _crossings(streets: Streets) -> dict[int, int]:
    """Segment -> the greatest other street at one of its ends."""
    at: dict[int, set[int]] = defaultdict(set)
    for a, b, way in zip(streets.start.tolist(), streets.finish.tolist(), streets.way.tolist(), strict=True):
        at[a].add(way)
        at[b].add(way)
    found: dict[int, int] = {}
    ends = zip(streets.start.tolist(), streets.finish.tolist(), streets.way.tolist(), strict=True)
    for segment, (a, b, way) in enumerate(ends):
        others = (at[a] | at[b]) - {way}
        if others:
            found[segment] = min(others)
    return found


def _shape(streets: Streets, path: list[tuple[int, int]]) -> shapely.LineString:
    points = [
        shapely.get_coordinates(streets.shape[segment])[:: 1 if streets.start[segment] == entered else -1]
        for segment, entered in path
    ]
    return shapely.LineString(np.concatenate([points[0], *(part[1:] for part in points[1:])]))


def _reversed(streets: Streets, path: list[tuple[int, int]]) -> list[tuple[int, int]]:
    ends = streets.start + streets.finish
    return [(segment, int(ends[segment]) - entered) for segment, entered in path[::-1]]


def _departures(service: str, shift: float) -> list[int]:
    """Seconds after midnight at which buses leave; `shift` is a share of the headway."""
    times: list[int] = []
    for (hour, gap), (until, _) in pairwise([*HEADWAYS[service], (29, 0)]):
        times += range(hour * 3600 + int(gap * shift) // 60 * 60, until * 3600, gap)
    return times


def _timetable(line: str, number: int, pair: list[Direction]) -> list[Trip]:
    """All trips of a line, each with the bus that runs it: the first one free at that end, else a new one."""
    trips: list[Trip] = []
    for service in HEADWAYS:
        # The golden ratio spreads the lines' departures, so that some bus is always on its way.
        runs = sorted(
            (time, side)
            for side in (0, 1)
            for time in _departures(service, (0.5 * side + 0.618034 * number) % 1.0)
        )
        for fleet, part in (
            ("", [run for run in runs if run[0] < NIGHT]),
            ("N", [run for run in runs if run[0] >= NIGHT]),
        ):
            buses = _buses(part, [int(one.times[-1]) + LAYOVER for one in pair])
            for (time, side), bus in zip(part, buses, strict=True):
                clock = f"{time // 3600:02d}{time // 60 % 60:02d}"
                code = f"{line}-{side}-{service}-{clock}"
                trips.append(Trip(code, 2 * number + side, service, time, f"{line}-{fleet}{bus:02d}"))
    return trips


def _buses(runs: list[tuple[int, int]], busy: list[int]) -> list[int]:
    """The number of the bus for each run.

    Args:
        runs: departure and direction, by time.
        busy: seconds from a departure until the bus can leave from the other end, by direction.
    """
    waiting: list[list[tuple[int, int]]] = [[], []]
    fleet = 0
    result: list[int] = []
    for time, side in runs:
        if waiting[side] and waiting[side][0][0] <= time:
            bus = heapq.heappop(waiting[side])[1]
        else:
            fleet += 1
            bus = fleet
        heapq.heappush(waiting[1 - side], (time + busy[side], bus))
        result.append(bus)
    return result


def draw_transit(seed: int, plan: Plan, streets: Streets) -> Transit:
    """Draws the lines and writes their timetable.

    Cost: one shortest path per half line; seconds for `large`.
    """
    rng = stream(seed, "transit")
    graph = _graph(streets)
    builder = _StopBuilder(streets)
    lines, names, trips = [], [], []
    directions: list[Direction] = []
    for number, (first, hub, last) in enumerate(_terminals(rng, plan, streets, plan.size.routes)):
        line = f"B{number + 1}"
        out = _no_way_back([*_path(graph, first, hub), *_path(graph, hub, last)])
        ends = [streets.names[streets.way[out[end][0]]] for end in (-1, 0)]
        pair = []
        for side, path in enumerate((out, _reversed(streets, out))):
            stops, along = builder.along(path)
            shape = _shape(streets, path)
            pair.append(Direction(number, side, shape, np.array(stops), np.array(along), ends[side]))
        lines.append(line)
        names.append(Name(f"{ends[1].en} – {ends[0].en}", f"{ends[1].zh}—{ends[0].zh}"))
        directions += pair
        trips += _timetable(line, number, pair)
    vehicles = sorted({trip.vehicle for trip in trips})
    return Transit(lines, names, builder.built(plan), directions, trips, vehicles)
