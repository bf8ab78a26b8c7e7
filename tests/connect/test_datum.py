"""Coordinates shifted for maps of China: held against published pairs, and there and back again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from cityloom.connect.datum import (
    bd09_of_wgs84,
    gcj02_of_wgs84,
    shifted_crs,
    wgs84_of_bd09,
    wgs84_of_gcj02,
)
from cityloom.connect.mapping import GeometryPart, mapping_of
from cityloom.connect.shapes import Place
from cityloom.model.errors import ConfigurationError

GEOD = Geod(ellps="WGS84")
CENTIMETRE = 0.01

PUBLISHED_GCJ02 = [
    # lon, lat in WGS 84, then in GCJ-02. Shanghai, Shenzhen, Beijing: googollee/eviltransform, python/test.py
    (121.5272106, 31.1774276, 121.531541859215, 31.17530398364597),
    (113.912316, 22.543847, 113.9171764808363, 22.540796131694766),
    (116.377817, 39.911954, 116.38404722455657, 39.91334545536069),
    # Beijing: wandergis/coordtransform, test/app.js
    (116.404, 39.915, 116.41024449916938, 39.91640428150164),
    # Zhengzhou: cuihw/collection, PositionUtilTest.java
    (113.647881, 34.829793, 113.65396374215176, 34.8287280094783),
]
lons, lats = st.floats(73, 137, width=64), st.floats(1.5, 55, width=64)


def metres(one: tuple[Any, Any], other: tuple[Any, Any]) -> float:
    return float(GEOD.inv(*one, *other)[2])


@pytest.mark.parametrize(("lon", "lat", "shifted_lon", "shifted_lat"), PUBLISHED_GCJ02)
def test_gcj02_agrees_with_published_pairs(
    lon: float, lat: float, shifted_lon: float, shifted_lat: float
) -> None:
    assert metres(gcj02_of_wgs84(lon, lat), (shifted_lon, shifted_lat)) < CENTIMETRE / 100
    assert metres(wgs84_of_gcj02(shifted_lon, shifted_lat), (lon, lat)) < CENTIMETRE / 100
    assert 100 < metres((lon, lat), (shifted_lon, shifted_lat)) < 1000


def test_bd09_agrees_with_published_pairs() -> None:
    # GCJ-02 to BD-09: wandergis/coordtransform, test/app.js
    shifted = bd09_of_wgs84(*wgs84_of_gcj02(116.404, 39.915))
    assert metres(shifted, (116.41036949371029, 39.92133699351021)) < CENTIMETRE
    # BD-09 to WGS 84: hujiulong/gcoord, test/unit/crs/BD09.spec.ts, whose way back is an approximation
    assert metres(wgs84_of_bd09(123, 45), (122.98762210, 44.99171540)) < 0.2


@given(lons, lats)
def test_gcj02_there_and_back_is_the_same_place(lon: float, lat: float) -> None:
    assert metres(wgs84_of_gcj02(*gcj02_of_wgs84(lon, lat)), (lon, lat)) < CENTIMETRE / 100
    assert metres(gcj02_of_wgs84(*wgs84_of_gcj02(lon, lat)), (lon, lat)) < CENTIMETRE / 100


@given(lons, lats)
def test_bd09_there_and_back_is_the_same_place(lon: float, lat: float) -> None:
    assert metres(wgs84_of_bd09(*bd09_of_wgs84(lon, lat)), (lon, lat)) < CENTIMETRE / 100


@given(st.lists(st.tuples(lons, lats), min_size=1, max_size=8))
def test_many_points_are_shifted_as_each_is(points: list[tuple[float, float]]) -> None:
    columns = np.array(points).T
    together = np.column_stack(wgs84_of_gcj02(columns[0], columns[1]))
    assert together == pytest.approx(np.array([wgs84_of_gcj02(*point) for point in points]), abs=1e-10)


@pytest.mark.parametrize("point", [(-71.06, 42.36), (0.0, 0.0), (140.0, 35.0), (105.0, -10.0), (105.0, 56.0)])
def test_nothing_is_shifted_outside_of_china(point: tuple[float, float]) -> None:
    assert gcj02_of_wgs84(*point) == point
    assert wgs84_of_gcj02(*point) == point


def test_shifted_systems_are_known_by_their_names() -> None:
    assert shifted_crs("gcj02") is shifted_crs("GCJ-02") is not None
    assert shifted_crs("bd-09") is not None
    assert shifted_crs("EPSG:4490") is None


@pytest.mark.parametrize("crs", ["GCJ-02", "BD-09"])
def test_a_source_in_shifted_coordinates_becomes_wgs84(crs: str) -> None:
    mapping = mapping_of(
        {
            "source": "lights",
            "format": "csv",
            "path": "a.csv",
            "crs": crs,
            "entity": {"id": "urn:ngsi-ld:L:{id}", "type": "L"},
            "geometry": {"lon": "x", "lat": "y"},
        },
        "lights.yaml",
    )
    to_shifted = gcj02_of_wgs84 if crs == "GCJ-02" else bd09_of_wgs84
    x, y = to_shifted(116.404, 39.915)
    assert mapping.geometry is not None
    geometry, _ = Place(mapping.geometry, mapping.crs, []).of({"x": str(x), "y": str(y)})
    assert geometry is not None
    assert geometry["coordinates"] == pytest.approx([116.404, 39.915], abs=1e-9)
    assert [type(each) for each in geometry["coordinates"]] == [float, float]


def test_lines_and_polygons_are_shifted_corner_by_corner() -> None:
    ring = [(116.0, 39.0), (116.1, 39.0), (116.1, 39.1), (116.0, 39.0)]
    shape = {"type": "Polygon", "coordinates": [[list(gcj02_of_wgs84(*corner)) for corner in ring]]}
    geometry, _ = Place(GeometryPart(from_="geometry"), "GCJ-02", []).of({"geometry": shape})
    assert geometry is not None
    assert np.array(geometry["coordinates"][0]) == pytest.approx(np.array(ring), abs=1e-9)


def test_a_system_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="GCJ-03"):
        mapping_of(
            {
                "source": "a",
                "format": "csv",
                "path": "a.csv",
                "crs": "GCJ-03",
                "entity": {"id": "urn:a:{id}", "type": "L"},
            },
            "a.yaml",
        )
