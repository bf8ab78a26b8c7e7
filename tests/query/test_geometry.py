"""Geometry: relations agree with shapely, distances with brute force, boxes are never too small."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.query.evaluate import matches_geo
from cityloom.query.geo import geo_test, search_boxes
from cityloom.query.geometry import Box, box_of, boxes_within, distance, mean_sphere, wgs84
from cityloom.query.values import GeoQuery
from query.draws import geometries

RELATIONS = ["within", "contains", "overlaps", "intersects", "equals", "disjoint"]
lons = st.floats(-180, 180, allow_subnormal=False)
lats = st.floats(-89.9, 89.9, allow_subnormal=False)


def touches(box: Box, other: Box) -> bool:
    return (
        box.west <= other.east
        and box.east >= other.west
        and box.south <= other.north
        and box.north >= other.south
    )


@settings(max_examples=400, deadline=None)
@given(relation=st.sampled_from(RELATIONS), reference=geometries, target=geometries)
def test_geo_test_agrees_with_shapely_on_every_relation(relation: Any, reference: Any, target: Any) -> None:
    geo = GeoQuery(georel=relation, geometry=reference)
    expected = bool(getattr(shape(target), relation)(shape(reference)))
    assert geo_test(geo)(target) is expected


@settings(max_examples=300, deadline=None)
@given(relation=st.sampled_from(RELATIONS), reference=geometries, target=geometries)
def test_search_boxes_hold_every_answer_of_a_relation(relation: Any, reference: Any, target: Any) -> None:
    geo = GeoQuery(georel=relation, geometry=reference)
    boxes, box = search_boxes(geo), box_of([target])
    assert box is not None
    if geo_test(geo)(target):
        assert boxes is None or any(touches(each, box) for each in boxes)


@settings(max_examples=500, deadline=None)
@given(
    west=lons,
    south=lats,
    width=st.floats(0, 5),
    height=st.floats(0, 5),
    metres=st.one_of(st.floats(1, 5e6), st.floats(1e6, 2.1e7)),
    bearing=st.floats(0, 360),
    along=st.floats(0, 1),
)
def test_boxes_within_hold_every_place_that_is_near(
    west: float, south: float, width: float, height: float, metres: float, bearing: float, along: float
) -> None:
    bounds = Box(west, south, min(west + width, 180.0), min(south + height, 90.0))
    start_lon = bounds.west + (bounds.east - bounds.west) * along
    start_lat = bounds.north if bearing < 90 or bearing > 270 else bounds.south
    lon, lat, _ = wgs84().fwd(start_lon, start_lat, bearing, metres)
    boxes = boxes_within(bounds, metres)
    assert boxes is None or any(touches(each, Box(lon, lat, lon, lat)) for each in boxes)


@pytest.mark.parametrize(
    ("bounds", "metres", "count"),
    [
        (Box(8, 40, 8, 40), 2_000, 1),
        (Box(179.99, 0, 179.99, 0), 5_000, 2),
        (Box(-179.99, 60, -179.99, 60), 5_000, 2),
        (Box(10, 89.99, 10, 89.99), 5_000, 1),
        (Box(10, -89.99, 10, -89.99), 5_000, 1),
    ],
)
def test_boxes_within_splits_at_the_antimeridian_and_spans_the_poles(
    bounds: Box, metres: float, count: int
) -> None:
    boxes = boxes_within(bounds, metres)
    assert boxes is not None
    assert len(boxes) == count
    if abs(bounds.north) > 89:
        assert (boxes[0].west, boxes[0].east) == (-180, 180)
    else:
        assert sum(box.east - box.west for box in boxes) < 1
    assert boxes_within(bounds, 2e7) is None


def densely(geometry: Any, step: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Places along a geometry's edges, so close that the nearest of them is as good as the nearest."""
    return shapely.get_coordinates(shapely.segmentize(geometry, step))


def brute_force(one: Any, other: Any, step: float) -> float:
    places, others = densely(one, step), densely(other, step)
    first, second = np.repeat(places, len(others), axis=0), np.tile(others, (len(places), 1))
    return float(wgs84().inv(first[:, 0], first[:, 1], second[:, 0], second[:, 1])[2].min())


def bend(geometry: Any, lat: float) -> float:
    """How far (metres) the longest edge, straight in degrees, may lie from the shortest way along it."""
    places = shapely.get_coordinates(geometry)
    span = 6_371_000 * math.radians(np.abs(np.diff(places[:, 0])).max(initial=0))
    return float(span**2 * math.cos(math.radians(lat)) * math.sin(math.radians(abs(lat))) / (8 * 6_371_000))


@settings(max_examples=60, deadline=None)
@given(
    one=geometries,
    other=geometries,
    lat=st.sampled_from([0, 42.35, 65, -80]),
    size=st.sampled_from([0.003, 0.05]),
)
def test_distance_agrees_with_brute_force_at_the_size_of_a_city(
    one: Any, other: Any, lat: float, size: float
) -> None:
    def place(points: Any) -> Any:
        return points * size + (-71.06, lat)

    here, there = (shapely.transform(shape(each), place) for each in (one, other))
    measured = distance(here, there)
    if shapely.intersects(here, there):
        assert measured == 0
        return
    expected = brute_force(here, there, size / 20)
    longest = size / 20 * 111_000
    # An edge that is straight in degrees bends in the projection, near a pole most of all.
    part = 0.0005 if abs(lat) < 70 else 0.002
    bent = bend(here, lat) + bend(there, lat)
    assert measured <= expected * (1 + part) + 0.01 + bent
    assert measured >= expected * (1 - part) - longest - bent


@given(lon=lons, lat=lats, other_lon=lons, other_lat=lats)
def test_distance_on_the_sphere_is_the_haversine_distance(
    lon: float, lat: float, other_lon: float, other_lat: float
) -> None:
    one, other = math.radians(lat), math.radians(other_lat)
    half = math.sin((other - one) / 2) ** 2
    half += math.cos(one) * math.cos(other) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    expected = 2 * 6_371_008.8 * math.asin(min(1.0, math.sqrt(half)))
    measured = distance(shapely.Point(lon, lat), shapely.Point(other_lon, other_lat), mean_sphere())
    assert measured == pytest.approx(expected, abs=1.0, rel=1e-6)


def test_distance_goes_over_the_antimeridian_and_into_areas() -> None:
    island = shapely.box(179.9, -17, 179.99, -16)
    assert distance(shapely.Point(-179.99, -16.5), island) == pytest.approx(2_132, rel=0.01)
    assert distance(shapely.box(-179.99, -17, -179.9, -16), island) == pytest.approx(2_130, rel=0.01)
    west, east = shapely.box(130, -17, 179.99, -16), shapely.box(-179.99, 10, -130, 11)
    nearest = wgs84().inv(179.99, -16, -179.99, 10)[2]
    assert [distance(west, east), distance(east, west)] == pytest.approx([nearest] * 2, rel=1e-4)
    assert distance(shapely.Point(0.5, 0.5), shapely.box(0, 0, 1, 1)) == 0


def test_distance_is_no_number_when_a_place_is_not_on_earth() -> None:
    assert math.isnan(distance(shapely.Point(0, 0), shapely.Point(0, 95)))
    assert math.isnan(distance(shapely.Point(0, 0), shapely.LineString([(0, 80), (0, 95)])))


def at(*places: Any) -> Entity:
    instances = [
        Attribute(kind="GeoProperty", value=place, dataset_id=f"urn:d:{number}" if number else "")
        for number, place in enumerate(places)
    ]
    return Entity(id="urn:e:1", types=["T"], attributes={LOCATION: instances})


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


def test_matches_geo_measures_near_in_metres_and_takes_any_instance() -> None:
    def near(**limits: float) -> GeoQuery:
        return GeoQuery(georel="near", geometry=point(8, 40), **limits)

    lon, lat, _ = wgs84().fwd(8, 40, 30, 1999)
    further_lon, further_lat, _ = wgs84().fwd(8, 40, 30, 2001)
    close, far = point(lon, lat), point(further_lon, further_lat)
    assert matches_geo(near(max_distance=2000), at(close))
    assert not matches_geo(near(max_distance=2000), at(far))
    assert matches_geo(near(max_distance=2000), at(far, close))
    assert matches_geo(near(min_distance=2000), at(far))
    assert not matches_geo(near(min_distance=2000), at(close))
    assert not matches_geo(near(max_distance=2000), Entity(id="urn:e:1", types=["T"]))
    assert not matches_geo(near(max_distance=2000), at({"type": "Nonsense"}, None, 5))


def test_matches_geo_decides_a_stored_polygon_that_crosses_itself() -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    geo = GeoQuery(georel="intersects", geometry=point(1.9, 1.0))
    assert matches_geo(geo, at(bow))
    inside = {"type": "Polygon", "coordinates": [[[-1, -1], [3, -1], [3, 3], [-1, 3], [-1, -1]]]}
    for relation in RELATIONS:
        assert matches_geo(GeoQuery(georel=relation, geometry=inside), at(bow)) is (
            relation in ("within", "intersects")
        )


def test_matches_geo_takes_a_reference_that_crosses_itself() -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    assert matches_geo(GeoQuery(georel="equals", geometry=bow), at(bow))
    assert matches_geo(GeoQuery(georel="within", geometry=bow), at(point(1.9, 1.0)))
    assert not matches_geo(GeoQuery(georel="intersects", geometry=bow), at(point(1.0, 1.9)))


@given(lon=lons, lat=lats)
def test_box_of_spans_every_longitude_when_one_is_beyond_the_antimeridian(lon: float, lat: float) -> None:
    assume(lon != 0)
    box = box_of(
        [{"type": "LineString", "coordinates": [[lon, lat], [181, lat]]}, point(lon, lat), "nonsense"]
    )
    assert box is not None
    assert (box.west, box.south, box.north) == (-180, lat, lat)
    assert box.east == 181
    assert box_of(["nonsense"]) is None
