"""Boxes and coordinates in several systems, against shapely and PROJ asked directly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.maps.crs import CRS84, Crs, CrsList
from cityloom.maps.features import reproject
from cityloom.maps.items import read_box
from cityloom.model.errors import BadRequestData, ConfigurationError

BOSTON = CrsList("EPSG:26986")
LOOMHAVEN = CrsList("EPSG:4550")
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"


def crs(known: CrsList, uri: str) -> Crs:
    return known.find(uri, "crs")


def test_a_city_is_answered_in_the_common_systems_and_its_own() -> None:
    assert BOSTON.uris == [CRS84, EPSG + "4326", EPSG + "3857", EPSG + "26986"]
    assert CrsList().uris == BOSTON.uris[:3]
    assert CrsList("EPSG:4326").uris == BOSTON.uris[:3]


@pytest.mark.parametrize("code", ["EPSG:0", "nonsense", "+proj=aea +lat_1=3 +lat_2=9", "ESRI:102003"])
def test_a_system_that_epsg_does_not_know_is_refused_when_the_city_begins(code: str) -> None:
    with pytest.raises(ConfigurationError, match="mapCrs is invalid"):
        CrsList(code)


def test_axes_are_in_the_order_of_their_system() -> None:
    place = np.array([[-71.06, 42.36]])
    assert crs(BOSTON, EPSG + "4326").from_crs84(place).tolist() == [[42.36, -71.06]]
    east, north = crs(BOSTON, EPSG + "26986").from_crs84(place)[0]
    assert (east, north) == pytest.approx((236246.83, 901149.06), abs=0.01)
    # Northing comes first in the Chinese systems.
    north, east = crs(LOOMHAVEN, EPSG + "4550").from_crs84(np.array([[123.4, 30.2]]))[0]
    assert (north, east) == pytest.approx((3342351.86, 538517.04), abs=0.01)


@pytest.mark.parametrize("uri", BOSTON.uris)
def test_coordinates_are_those_of_proj_and_keep_their_heights(uri: str) -> None:
    code = "OGC:CRS84" if uri == CRS84 else f"EPSG:{uri.rpartition('/')[2]}"
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", code)
    line = [[-71.06, 42.36, 5.5], [-71.07, 42.37, 6.0]]
    moved, nothing, broken = reproject(
        [
            {"type": "MultiLineString", "coordinates": [line, line[::-1]]},
            None,
            {"type": "Polygon", "coordinates": [["x"]]},
        ],
        crs(BOSTON, uri),
    )
    expected = [[*transformer.transform(lon, lat), height] for lon, lat, height in line]
    assert moved is not None
    assert moved["type"] == "MultiLineString"
    assert np.array(moved["coordinates"]) == pytest.approx(np.array([expected, expected[::-1]]))
    assert nothing is None
    assert broken is None or uri == CRS84


def test_a_place_that_a_system_cannot_hold_has_no_geometry() -> None:
    pole: dict[str, Any] = {"type": "Point", "coordinates": [0, 90]}
    here: dict[str, Any] = {"type": "Point", "coordinates": [0, 10]}
    moved = reproject([pole, here], crs(BOSTON, EPSG + "3857"))
    assert moved[0] is None or np.isfinite(moved[0]["coordinates"]).all()
    assert moved[1] is not None


lons = st.floats(-71.5, -70.5)
lats = st.floats(41.9, 42.8)


@settings(max_examples=100, deadline=None)
@given(
    uri=st.sampled_from(BOSTON.uris),
    one=st.tuples(lons, lats),
    other=st.tuples(lons, lats),
    place=st.tuples(lons, lats),
)
def test_box_holds_the_places_that_it_holds_in_its_own_system(
    uri: str, one: tuple[float, float], other: tuple[float, float], place: tuple[float, float]
) -> None:
    system = crs(BOSTON, uri)
    corners = system.from_crs84(np.array([one, other]))
    low, high = corners.min(axis=0), corners.max(axis=0)
    at = system.from_crs84(np.array([place]))[0]
    # Within a hand's breadth of the edge the bent edge may say otherwise.
    slack = 1e-6 if system.proj.is_geographic else 0.1
    inside = bool(((low + slack < at) & (at < high - slack)).all())
    outside = bool(((at < low - slack) | (at > high + slack)).any())
    box = read_box(",".join(str(each) for each in (*low, *high)), system)
    holds = shapely.intersects(shapely.geometry.shape(box.geometry), shapely.Point(place))
    assert not (inside and not holds)
    assert not (outside and holds)


def test_box_across_the_180th_meridian_has_two_sides() -> None:
    shape = shapely.geometry.shape(read_box("170,-10,-170,10", crs(BOSTON, CRS84)).geometry)
    assert [bool(shape.intersects(shapely.Point(lon, 0))) for lon in (175, -175, 180, 0, 160)] == [
        True,
        True,
        True,
        False,
        False,
    ]
    turned = shapely.geometry.shape(read_box("-10,170,10,-170", crs(BOSTON, EPSG + "4326")).geometry)
    assert turned.equals(shape)


def test_box_may_be_flat() -> None:
    for text in ("1,1,1,1", "1,1,2,1", "1,1,1,2"):
        shape = shapely.geometry.shape(read_box(text, crs(BOSTON, CRS84)).geometry)
        assert shape.intersects(shapely.Point(1, 1)), text
        assert shape.area == 0
    flat = read_box("236000,901000,236000,901000", crs(BOSTON, EPSG + "26986"))
    assert shapely.geometry.shape(flat.geometry).area < 1e-12


def test_box_with_heights_has_six_numbers() -> None:
    box = read_box("1,2,-5,3,4,5", crs(BOSTON, CRS84))
    assert box.heights == (-5, 5)
    assert shapely.geometry.shape(box.geometry).bounds == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("1,2,3", CRS84),
        ("1,2,3,4,5", CRS84),
        ("a,b,c,d", CRS84),
        ("nan,0,1,1", CRS84),
        ("0,0,inf,1", CRS84),
        ("0,5,1,1", CRS84),
        ("-181,0,1,1", CRS84),
        ("0,0,1,91", CRS84),
        ("0,-181,1,1", EPSG + "4326"),
        ("1,2,5,3,4,-5", CRS84),
        ("5,0,1,1", EPSG + "3857"),
        ("9e9,9e9,9e10,9e10", EPSG + "26986"),
    ],
)
def test_box_that_is_none_is_refused(text: str, uri: str) -> None:
    with pytest.raises(BadRequestData, match="parameter bbox is invalid"):
        read_box(text, crs(BOSTON, uri))


def test_box_larger_than_its_system_is_cut_to_it() -> None:
    box = read_box("-1e9,-1e9,1e9,1e9", crs(BOSTON, EPSG + "3857"))
    assert shapely.geometry.shape(box.geometry).contains(shapely.box(-179, -80, 179, 80))


def test_unknown_system_is_refused_by_name() -> None:
    with pytest.raises(BadRequestData, match=r"parameter bbox-crs is invalid: 'EPSG:4326'"):
        BOSTON.find("EPSG:4326", "bbox-crs")
