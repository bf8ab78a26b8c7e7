"""Areas: which points lie in which, against triangles decided in whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.query.areas import METHODS, Areas, Method, aggregate_in_areas

Corner = tuple[int, int]
corners = st.tuples(st.integers(-5, 5), st.integers(-5, 5))


def turn(a: Corner, b: Corner, c: Corner) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


triangles = st.tuples(corners, corners, corners).filter(lambda each: turn(*each) != 0)


def holds(triangle: tuple[Corner, Corner, Corner], point: Corner) -> bool:
    a, b, c = triangle
    sides = [turn(a, b, point), turn(b, c, point), turn(c, a, point)]
    return all(side >= 0 for side in sides) or all(side <= 0 for side in sides)


def polygon(triangle: tuple[Corner, Corner, Corner]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in (*triangle, triangle[0])]]}


def expected(values: list[int], method: Method) -> float | int | None:
    if method == "count":
        return len(values)
    if not values:
        return None
    return {
        "sum": sum(values),
        "avg": pytest.approx(sum(values) / len(values)),
        "min": min(values),
        "max": max(values),
    }[method]


@given(
    areas=st.lists(triangles, min_size=1, max_size=5),
    points=st.lists(st.tuples(corners, st.integers(-9, 9)), max_size=12),
    method=st.sampled_from(METHODS),
)
def test_each_area_is_told_what_lies_in_it(
    areas: list[tuple[Corner, Corner, Corner]], points: list[tuple[Corner, int]], method: Method
) -> None:
    named = [(f"urn:a:{number}", polygon(area)) for number, area in enumerate(areas)]
    coordinates = np.array([point for point, _ in points], dtype=float).reshape(-1, 2)
    values = np.array([value for _, value in points], dtype=float)
    found, outside = aggregate_in_areas(Areas(named), coordinates, values, method)
    inside = [[value for point, value in points if holds(area, point)] for area in areas]
    assert [(one.id, one.count, one.value) for one in found] == [
        (named[number][0], len(within), expected(within, method)) for number, within in enumerate(inside)
    ]
    assert outside == sum(not any(holds(area, point) for area in areas) for point, _ in points)
