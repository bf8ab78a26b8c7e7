"""What lies far away from the rest does not widen a box; what belongs to it is never cut off."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cityloom.store.map_ports import Box
from cityloom.store.strays import box_without_strays

degrees = st.floats(-0.2, 0.2)


def point(lon: float, lat: float) -> Box:
    return (lon, lat, lon, lat)


def around(boxes: list[Box]) -> Box:
    west, south, east, north = zip(*boxes, strict=True)
    return (min(west), min(south), max(east), max(north))


@given(st.lists(st.tuples(degrees, degrees), min_size=1, max_size=60))
def test_a_city_keeps_its_whole_box(places: list[tuple[float, float]]) -> None:
    boxes = [point(123.4 + lon, 30.2 + lat) for lon, lat in places]
    assert box_without_strays(boxes, around(boxes)) == around(boxes)


@given(
    st.lists(st.tuples(degrees, degrees), min_size=9, max_size=60),
    st.lists(st.sampled_from([point(0, 0), point(30.2, 123.4 - 90), point(-71, 42)]), max_size=3),
)
def test_mistyped_places_do_not_widen_it(places: list[tuple[float, float]], far: list[Box]) -> None:
    boxes = [point(123.4 + lon, 30.2 + lat) for lon, lat in places]
    together = around(boxes)
    found = box_without_strays([*far, *boxes], around([*far, *boxes]))
    assert found == together


def test_what_is_far_on_one_axis_counts_on_none() -> None:
    boxes = [point(123.4, 30.2 + lat) for lat in (0, 0.19, 0, 0.19, 0.19, -0.19, -0.19)]
    far = point(30.2, 33.4)
    assert box_without_strays([far, *boxes], around([far, *boxes])) == around(boxes)


def test_a_sample_keeps_the_sides_that_are_not_far_away() -> None:
    sample = [point(10 + n / 100, 50) for n in range(5)]
    assert box_without_strays(sample, (9.9, -20, 10.3, 50.1)) == (9.9, 50, 10.3, 50.1)
    assert box_without_strays([], (0, 0, 1, 1)) == (0, 0, 1, 1)


def test_surfaces_are_judged_by_their_middle() -> None:
    surfaces = [(10 + n, 50.0, 11.5 + n, 51.0) for n in range(4)]
    stray = (-120.0, 10.0, -119.0, 11.0)
    assert box_without_strays([*surfaces, stray], around([*surfaces, stray])) == around(surfaces)
