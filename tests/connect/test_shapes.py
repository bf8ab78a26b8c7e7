from __future__ import annotations

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cityloom.connect.mapping import GeometryPart
from cityloom.connect.shapes import Place
from cityloom.query.areas import Areas, representative_point

_NUMBERS = st.integers(0, 20)


def square(west: int, south: int, size: int) -> dict[str, object]:
    return dict(shapely.geometry.mapping(shapely.box(west, south, west + size, south + size)))


@given(
    st.lists(st.tuples(_NUMBERS, _NUMBERS, st.integers(1, 9)), max_size=8),
    st.lists(st.none() | st.tuples(st.floats(-1, 30), st.floats(-1, 30)), max_size=20),
)
def test_holding_agrees_with_asking_every_area(
    squares: list[tuple[int, int, int]], points: list[tuple[float, float] | None]
) -> None:
    areas = [(f"urn:a:{number}", square(*one)) for number, one in enumerate(squares)]
    expected = []
    for point in points:
        holding = [
            entity_id
            for entity_id, shape in sorted(areas)
            if point is not None and shapely.geometry.shape(shape).intersects(shapely.Point(point))
        ]
        expected.append(holding[0] if holding else None)
    assert Areas(areas).holding(points) == expected


def test_holding_knows_an_area_that_crosses_itself() -> None:
    bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    assert Areas([("urn:a", bow_tie)]).holding([(0.2, 1.0), (1.0, 0.2)]) == ["urn:a", None]


def test_place_brings_columns_of_a_national_grid_to_longitude_and_latitude() -> None:
    place = Place(GeometryPart(lon="x", lat="y"), "EPSG:26986", [])
    geometry, _ = place.of({"x": "236028", "y": "901034"})
    assert geometry is not None
    assert geometry["coordinates"] == pytest.approx((-71.0638, 42.3582), abs=0.002)


def test_representative_point_lies_inside() -> None:
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(1, 1, 9, 9))
    lon, lat = representative_point(dict(shapely.geometry.mapping(ring)))
    assert ring.contains(shapely.Point(lon, lat))
