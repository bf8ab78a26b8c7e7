"""Where the things stand: sensors, street lights, waste containers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from cityloom.sample.draw import stream
from cityloom.sample.names import Name
from cityloom.sample.period import Bools, Floats, Ints
from cityloom.sample.plan import Plan, districts_of
from cityloom.sample.streets import AVENUE, STREET, Streets


@dataclass(frozen=True, slots=True)
class Sites:
    """Things of one kind that stand along streets, as arrays of one length.

    Args:
        code: the register's number of each, for example `AQ-003`.
        place: shape (n, 2), metres.
        segment: the street segment each stands at.
        district: index of the district that contains each.
    """

    code: list[str]
    place: Floats
    segment: Ints
    district: Ints

    def __len__(self) -> int:
        return len(self.code)

    def names(self, streets: Streets) -> list[Name]:
        """The street that each stands at."""
        return [streets.names[way] for way in streets.way[self.segment]]


def beside(streets: Streets, segment: Ints, along: Floats, away: Floats) -> Floats:
    """Points `along` metres down a segment and `away` metres to its left.

    Returns:
        shape (n, 2), metres.
    """
    shape = streets.shape[segment]
    here = shapely.get_coordinates(shapely.line_interpolate_point(shape, along))
    before = shapely.get_coordinates(shapely.line_interpolate_point(shape, np.maximum(along - 2.0, 0)))
    after = shapely.get_coordinates(shapely.line_interpolate_point(shape, along + 2.0))
    course = after - before
    course /= np.maximum(np.hypot(course[:, 0], course[:, 1]), 1e-9)[:, None]
    left = np.column_stack([-course[:, 1], course[:, 0]])
    return np.asarray(np.round(here + left * away[:, None], 2))


def within_city(plan: Plan, place: Floats) -> Bools:
    """Which points lie in the city."""
    shapely.prepare(plan.boundary)
    return np.asarray(shapely.contains_xy(plan.boundary, place[:, 0], place[:, 1]))


def pulled_inside(plan: Plan, place: Floats) -> Floats:
    """Moves points just over the city boundary thirty metres towards the middle."""
    moved = place.copy()
    for _ in range(3):
        over = ~within_city(plan, moved)
        course = moved[over] / np.hypot(moved[over][:, 0], moved[over][:, 1])[:, None]
        moved[over] = np.round(moved[over] - 30.0 * course, 2)
    return moved


def _site(plan: Plan, streets: Streets, prefix: str, segment: Ints, along: Floats, away: Floats) -> Sites:
    place = pulled_inside(plan, beside(streets, segment, along, away))
    width = max(3, len(str(len(segment))))
    code = [f"{prefix}-{number:0{width}d}" for number in range(1, len(segment) + 1)]
    return Sites(code, place, segment, districts_of(plan, place))


def spread(
    seed: int, plan: Plan, streets: Streets, prefix: str, count: int, lowest_grade: int = STREET
) -> Sites:
    """Puts `count` things at streets all over the city, evenly by district.

    Args:
        lowest_grade: `AVENUE` for avenues only, `STREET` for all.
    """
    rng = stream(seed, "spread", prefix)
    open_to = np.flatnonzero((streets.grade <= lowest_grade) & (streets.length > 25) & ~streets.bridge)
    order = rng.permutation(open_to)
    # A turn per district and round, so that each has its share before any has a second one.
    rank = np.empty(len(order), dtype=np.int64)
    for district in range(len(plan.districts)):
        mine = streets.district[order] == district
        rank[mine] = np.arange(int(mine.sum()))
    order = order[np.argsort(rank, kind="stable")]
    segment = np.resize(order, count)
    along = streets.length[segment] * rng.uniform(0.15, 0.85, count)
    return _site(plan, streets, prefix, segment, along, rng.choice([-7.0, 7.0], count))


def street_lights(seed: int, plan: Plan, streets: Streets, count: int) -> Sites:
    """Puts `count` lights along the streets, avenues and the inner city first, on changing sides."""
    rng = stream(seed, "lights")
    apart = np.hypot(*streets.middle.T) / plan.size.radius
    order = np.argsort(streets.grade * 0.6 + apart + rng.normal(0, 0.05, apart.shape), kind="stable")
    run = np.cumsum(streets.length[order])
    lit = min(count * 32.0, float(run[-1]))
    at = (np.arange(count) + 0.5) * lit / count
    which = np.minimum(np.searchsorted(run, at), len(order) - 1)
    segment = order[which]
    along = streets.length[segment] - (run[which] - at)
    away = np.where(np.arange(count) % 2 == 0, 6.0, -6.0)
    away = np.where(streets.grade[segment] == AVENUE, 1.6 * away, away)
    return _site(plan, streets, "L", segment, along, away)


def river_gauges(plan: Plan, count: int) -> Sites:
    """Gauges down the river, from where it enters the city to the estuary."""
    inside = shapely.get_parts(plan.river_line.intersection(plan.flat_boundary))
    line = plan.bend.lines(inside[[int(np.argmax(shapely.length(inside)))]])[0]
    share = (np.arange(count) + 0.5) / count
    place = np.round(shapely.get_coordinates(shapely.line_interpolate_point(line, share, normalized=True)), 2)
    code = [f"RG-{number:03d}" for number in range(1, count + 1)]
    return Sites(code, place, np.zeros(count, dtype=np.int64), districts_of(plan, place))
