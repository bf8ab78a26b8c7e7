"""What is drawn in a tile is what the store holds, however broken; held against pyproj and shapely."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mapbox_vector_tile.Mapbox import vector_tile_pb2

from cityloom.ld.context import LdContext
from cityloom.maps.mercator import EXTENT, TileAddress, tile_box, tile_matrices, tile_span, to_unit
from cityloom.maps.shapes import BUFFER, draw_shapes
from cityloom.maps.tile import Wanted, draw_tile
from cityloom.model.clock import SystemClock
from cityloom.model.entity import Attribute
from cityloom.store.ports import Store
from cityloom.store.sqlite import SqliteStore
from tests.maps.tiles import TYPE, drawn, keep, thing

TO_METRES = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3857", always_xy=True)
HALF = 20_037_508.342789244
WORLD = TileAddress(0, 0, 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "city.db", SystemClock(), synchronous="OFF")
    yield store
    store.close()


def in_units(lon: Any, lat: Any, tile: TileAddress) -> tuple[Any, Any]:
    """Where pyproj says that a place lies in a tile."""
    x, y = TO_METRES.transform(lon, lat)
    side = 2 * HALF / (1 << tile.z)
    return (np.asarray(x) + HALF) / side * EXTENT - tile.x * EXTENT, (
        HALF - np.asarray(y)
    ) / side * EXTENT - tile.y * EXTENT


def tiles_around(geometry: dict[str, Any], z: int, most: int = 16) -> list[TileAddress]:
    """The tiles of a matrix that a geometry's box touches, of a lower matrix where they are many."""
    box = shapely.bounds(shapely.geometry.shape(geometry))
    while True:
        left, right, top, bottom = tile_span(tuple(box), z)
        if (right - left + 1) * (bottom - top + 1) <= most:
            return [TileAddress(z, x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)]
        z -= 1


# -- the matrix set -----------------------------------------------------------------


@given(lon=st.floats(-180, 180), lat=st.floats(-85.05, 85.05))
def test_unit_square_agrees_with_pyproj(lon: float, lat: float) -> None:
    x, y = to_unit(np.array([lon]), np.array([lat]))
    across, down = in_units(lon, lat, WORLD)
    assert (x[0] * EXTENT, y[0] * EXTENT) == pytest.approx((across, down), abs=1e-6)


def test_matrices_halve_from_the_registered_scale() -> None:
    matrices = tile_matrices()
    assert len(matrices) == 25
    assert matrices[0]["scaleDenominator"] == pytest.approx(559082264.028717, rel=1e-12)
    assert matrices[0]["cellSize"] == pytest.approx(156543.033928041, rel=1e-12)
    assert matrices[0]["pointOfOrigin"] == pytest.approx([-HALF, HALF])


@given(z=st.integers(0, 24), data=st.data())
def test_boxes_of_neighbours_leave_no_gap(z: int, data: st.DataObject) -> None:
    x, y = (data.draw(st.integers(0, (1 << z) - 1)) for _ in range(2))
    west, south, east, north = tile_box(TileAddress(z, x, y))
    assert west == -180 if x == 0 else tile_box(TileAddress(z, x - 1, y))[2] >= west
    assert north == 90 if y == 0 else tile_box(TileAddress(z, x, y - 1))[1] <= north
    assert west < east
    assert south < north


# -- points ------------------------------------------------------------------------------


def test_points_lie_where_pyproj_says(store: Store) -> None:
    draw = random.Random(1)
    places = [(121.4 + draw.random() / 9, 31.2 + draw.random() / 9) for _ in range(300)]
    keep(
        store, [thing(number, {"type": "Point", "coordinates": place}) for number, place in enumerate(places)]
    )
    left, right, top, bottom = tile_span((121.4, 31.2, 121.6, 31.4), 15)
    seen = {}
    for tile in [TileAddress(15, x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)]:
        for each in drawn(store, tile):
            assert each.properties["id"] not in seen
            seen[each.properties["id"]] = each
            place = places[int(each.properties["id"][-5:])]
            assert (each.geometry.x, each.geometry.y) == pytest.approx(in_units(*place, tile), abs=1)
    assert len(seen) == len(places)


def test_points_on_one_quarter_pixel_are_one_up_to_zoom_14(store: Store) -> None:
    keep(store, [thing(number, {"type": "Point", "coordinates": [10, 50]}) for number in (3, 1, 2)])
    keep(store, [thing(7, {"type": "Point", "coordinates": [10.001, 50]})])
    x, y, (near, far) = *to_unit(np.array([10.0]), np.array([50.0])), (15, 14)
    for z, expected in ((near, [(1, 0), (2, 0), (3, 0), (7, 0)]), (far, [(1, 3), (7, 0)]), (4, [(1, 4)])):
        tile = TileAddress(z, int(x[0] * (1 << z)), int(y[0] * (1 << z)))
        told = [
            (int(each.properties["id"][-5:]), each.properties.get("count", 0)) for each in drawn(store, tile)
        ]
        assert told == expected, z


@pytest.mark.parametrize(
    ("lon", "lat"),
    [
        (180, 0),
        (-180, 0),
        (0, 90),
        (0, -90),
        (180, 90),
        (-180, -90),
        (0, 0),
        (90, 85.0511287798066),
        (45, 66.51326),
    ],
)
@pytest.mark.parametrize("z", [0, 1, 5, 14, 24])
def test_points_at_edges_lie_in_one_tile(store: Store, lon: float, lat: float, z: int) -> None:
    keep(store, [thing(1, {"type": "Point", "coordinates": [lon, lat]})])
    size = 1 << z
    x, y = to_unit(np.array([float(lon)]), np.array([float(lat)]))
    column, row = int(x[0] * size), int(y[0] * size)
    around = {
        (column + across, row + down)
        for across in (-1, 0, 1)
        for down in (-1, 0, 1)
        if 0 <= column + across < size and 0 <= row + down < size
    }
    found = [place for place in around if drawn(store, TileAddress(z, *place))]
    assert found == [(column, row)]


# -- lines and areas ------------------------------------------------------------------------

EDGES = [-180.0, 180.0, -90.0, 0.0, 45.0, 11.25, 85.0511287798066, 89.9, 1e-9, 90.0]


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any]:
    """Geometries that the broker lets in: rings closed, and nothing else promised."""
    size = draw(st.sampled_from([0.0, 1e-9, 1e-5, 0.01, 1.0, 90.0, 400.0]))
    centre = draw(
        st.tuples(st.sampled_from(EDGES) | st.floats(-180, 180), st.sampled_from(EDGES) | st.floats(-90, 90))
    )

    def position() -> list[float]:
        lon, lat = (
            middle + size * draw(st.sampled_from([-0.5, -0.25, 0, 0.125, 0.25, 0.5])) for middle in centre
        )
        return [min(max(lon, -180.0), 180.0), min(max(lat, -90.0), 90.0)]

    def line(least: int) -> list[list[float]]:
        return [position() for _ in range(draw(st.integers(least, 6)))]

    def rings() -> list[list[list[float]]]:
        return [[*ring, ring[0]] for ring in (line(3) for _ in range(draw(st.integers(1, 2))))]

    kind = draw(
        st.sampled_from(["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"])
    )
    made = {
        "Point": position,
        "MultiPoint": lambda: line(1),
        "LineString": lambda: line(2),
        "MultiLineString": lambda: [line(2) for _ in range(2)],
        "Polygon": rings,
        "MultiPolygon": lambda: [rings() for _ in range(2)],
    }
    return {"type": kind, "coordinates": made[kind]()}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometry=geometries(), z=st.integers(0, 20))
@example(
    geometry={"type": "Polygon", "coordinates": [[[-180, -1], [-180, 0], [-179, -1], [-180, -1]]] * 2}, z=5
)
@example(geometry={"type": "Polygon", "coordinates": [[[0, 0], [0, 1e-9], [1e-9, 0], [0, 0]]] * 2}, z=20)
def test_every_geometry_is_seen_in_some_tile_and_valid(
    store: Store, geometry: dict[str, Any], z: int
) -> None:
    keep(store, [thing(1, geometry)])
    dimension = {"Point": 0, "Line": 1, "Poly": 2}[
        geometry["type"].removeprefix("Multi")[:4].replace("Poin", "Point")
    ]
    seen = [each for tile in tiles_around(geometry, z) for each in drawn(store, tile)]
    assert seen
    for each in seen:
        assert shapely.get_dimensions(each.geometry) == dimension
        assert shapely.is_valid(each.geometry), shapely.to_wkt(each.geometry)
        if dimension:
            assert not each.geometry.is_empty
            left, top, right, bottom = each.geometry.bounds
            assert min(left, top) >= -BUFFER - 1
            assert max(right, bottom) <= EXTENT + BUFFER + 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), z=st.integers(10, 18))
def test_areas_over_all_tiles_are_those_of_shapely(store: Store, data: st.DataObject, z: int) -> None:
    corners = data.draw(
        st.lists(
            st.tuples(st.floats(-0.01, 0.01), st.floats(-0.01, 0.01)), min_size=3, max_size=8, unique=True
        )
    )
    star = sorted(corners, key=lambda corner: math.atan2(corner[1], corner[0]))
    ring = [[20 + across, 40 + down] for across, down in [*star, star[0]]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    polygon = shapely.geometry.shape(geometry)
    if not shapely.is_valid(polygon):
        return
    keep(store, [thing(1, geometry)])
    total = steps = 0.0
    tiles = tiles_around(geometry, z, 64)
    for tile in tiles:
        for each in drawn(store, tile):
            clipped = shapely.intersection(each.geometry, shapely.box(0, 0, EXTENT, EXTENT))
            total += clipped.area
    expected = shapely.transform(
        polygon, lambda places: np.column_stack(in_units(places[:, 0], places[:, 1], tiles[0]))
    )
    # Each vertex moves by a unit at most, and simplifying by another; one unit large is the least.
    steps = 3 * (expected.length + EXTENT * 0.01 * len(tiles)) + 2 * len(tiles)
    assert total == pytest.approx(expected.area, abs=steps)


def test_lines_keep_their_course(store: Store) -> None:
    draw = random.Random(2)
    course = [[8 + number / 1000, 47 + draw.random() / 1000] for number in range(50)]
    keep(store, [thing(1, {"type": "LineString", "coordinates": course})])
    for tile in tiles_around({"type": "LineString", "coordinates": course}, 14):
        (each,) = drawn(store, tile)
        x, y = in_units(*np.array(course).T, tile)
        expected = shapely.linestrings(np.column_stack((x, y)))
        frame = shapely.box(-BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
        assert shapely.hausdorff_distance(each.geometry, shapely.intersection(expected, frame)) < 2.5


def test_rings_wind_as_the_specification_says(store: Store) -> None:
    outer, inner = [[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]], [[3, 3], [6, 3], [6, 6], [3, 6], [3, 3]]
    keep(store, [thing(1, {"type": "Polygon", "coordinates": [outer, inner]})])
    wanted = Wanted(tenant="", type=TYPE, name="Thing")
    with store.snapshot() as snapshot:
        body = draw_tile(snapshot, wanted, TileAddress(3, 4, 3), LdContext.core)
    tile = vector_tile_pb2.tile()
    tile.ParseFromString(body)
    areas, x, y, ring = [], 0, 0, []
    numbers = iter(tile.layers[0].features[0].geometry)
    for command in numbers:
        if command & 7 == 7:
            pairs = zip(ring, ring[1:] + ring[:1], strict=True)
            areas.append(sum(one[0] * other[1] - other[0] * one[1] for one, other in pairs))
            continue
        if command & 7 == 1:
            ring = []
        for _ in range(command >> 3):
            across, down = next(numbers), next(numbers)
            x, y = x + (across >> 1 ^ -(across & 1)), y + (down >> 1 ^ -(down & 1))
            ring.append((x, y))
    assert [area > 0 for area in areas] == [True, False]


def test_what_cannot_be_read_is_drawn_as_its_box() -> None:
    boxes, tile = np.array([[10.0, 10, 30, 30], [-60.0, -20, -50, -10]]), TileAddress(1, 1, 0)
    inside, outside = draw_shapes([b'{"type":"Polygon","coordinates":"?"}', b"[]"], boxes, [2, 1], tile)
    assert inside is not None
    assert inside[0] == 3
    assert outside is None


# -- properties ----------------------------------------------------------------------------


def test_features_tell_name_silence_and_attributes(store: Store) -> None:
    keep(
        store,
        [
            thing(
                1,
                {"type": "Point", "coordinates": [1, 1]},
                name=Attribute(kind="LanguageProperty", value={"en": "Lamp", "zh": "灯", "fr": ["a", "b"]}),
                stale=Attribute(kind="Property", value=True),
                level=Attribute(kind="Property", value=2.5),
                count=Attribute(kind="Property", value=7),
                on=Attribute(kind="Property", value=False),
                address=Attribute(kind="Property", value={"street": "Main"}),
                refDevice=Attribute(kind="Relationship", value="urn:d:1"),
                text=Attribute(kind="LanguageProperty", value={"zh": "字"}),
            ),
            thing(
                2,
                {"type": "LineString", "coordinates": [[1, 1], [2, 2]]},
                level=Attribute(kind="Property", value=3),
            ),
        ],
    )
    names = ("level", "on", "address", "refDevice", "text", "none")
    told = {each.properties.pop("id"): each.properties for each in drawn(store, WORLD, names, "zh")}
    first = told["urn:t:00001"]
    assert json.loads(first.pop("address")) == {"street": "Main"}
    assert first == {
        "name": "灯",
        "stale": True,
        "level": 2.5,
        "on": False,
        "refDevice": "urn:d:1",
        "text": "字",
    }
    assert told["urn:t:00002"] == {"level": 3}
    assert drawn(store, WORLD, lang="fr")[0].properties["name"] == "a, b"
