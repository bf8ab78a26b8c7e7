"""`filter` and properties as parameters: OGC API Features Part 3 over HTTP."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityloom.maps.crs import CrsList
from cityloom.model.errors import BadRequestData
from cityloom.model.settings import Settings
from tests.web.node import Answer, Client, open_services, running
from tests.web.ogc_city import CRS84, ENTITIES, EPSG, ITEMS, TREES, ids, plant, tree


@pytest.fixture
async def park(tmp_path: Path) -> AsyncIterator[Client]:
    async with open_services(tmp_path, Settings()) as services:
        city = type(services.city)(
            name={"en": "Testville"}, profile="test", center=(0.2, 1.0), crs="EPSG:26986"
        )
        async with running(dataclasses.replace(services, city=city)) as node:
            await plant(node)
            yield node


async def ask(node: Client, **params: Any) -> Answer:
    return await node.get(
        f"{ITEMS}?{urlencode({name.replace('_', '-'): value for name, value in params.items()})}"
    )


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("height > 2", [2, 3, 4]),
        ("height BETWEEN 1 AND 4 AND name LIKE 'Tree%'", [1, 2]),
        ("name = '树3' OR id = 'urn:ngsi-ld:Tree:0'", [0, 3]),
        ("height IS NULL", [9]),
        ("NOT (height > 2)", [0, 1]),
        ("height.observedAt > TIMESTAMP('2026-05-03T12:00:00Z')", [3, 4]),
        ("height.unitCode = 'MTR' AND height IN (0, 3)", [0, 2]),
        ("S_INTERSECTS(location, BBOX(0.15, 0, 0.35, 2))", [2, 3]),
        ("S_INTERSECTS(geometry, POLYGON((0.15 0, 0.35 0, 0.35 2, 0.15 2, 0.15 0)))", [2, 3]),
        ("height.unheardof = 1", []),
        ("height.unheardof IS NULL", [0, 1, 2, 3, 4, 9]),
        ('"https://uri.etsi.org/ngsi-ld/default-context/height" > 2', [2, 3, 4]),
        ("createdAt > TIMESTAMP('2020-01-01T00:00:00Z')", [0, 1, 2, 3, 4, 9]),
    ],
)
async def test_filter_selects_in_text_and_counts(park: Client, filter: str, expected: list[int]) -> None:
    answer = await ask(park, filter=filter)
    assert (ids(answer), answer.json["numberMatched"]) == (expected, len(expected))
    light = await ask(park, filter=filter, filter_lang="cql2-text", properties="genus", limit=1, offset=1)
    assert (ids(light), light.json["numberMatched"]) == (expected[1:2], len(expected))


async def test_filter_selects_in_json(park: Client) -> None:
    filter = {
        "op": "and",
        "args": [
            {"op": ">=", "args": [{"property": "height"}, 1.5]},
            {"op": "s_intersects", "args": [{"property": "location"}, {"bbox": [0, 0, 0.25, 2]}]},
        ],
    }
    answer = await ask(park, filter=json.dumps(filter), filter_lang="cql2-json")
    assert ids(answer) == [1, 2]


async def test_filter_is_joined_with_every_other_condition(park: Client) -> None:
    answer = await ask(
        park, filter="height > 1", bbox="0,0,0.35,2", datetime="../2026-05-03T00:00:00Z", sortby="-id"
    )
    assert (ids(answer), answer.json["numberMatched"]) == ([2, 1], 2)


async def test_filter_speaks_of_places_in_degrees_where_no_system_is_named(park: Client) -> None:
    turned = "S_INTERSECTS(location, BBOX(0, 0.15, 2, 0.35))"
    assert ids(await ask(park, filter=turned)) == []
    assert ids(await ask(park, filter=turned, filter_crs=EPSG + "4326")) == [2, 3]


@pytest.mark.parametrize("uri", [CRS84, EPSG + "4326", EPSG + "3857"])
async def test_filter_speaks_of_places_in_the_system_that_is_named(park: Client, uri: str) -> None:
    code = "OGC:CRS84" if uri == CRS84 else f"EPSG:{uri.rpartition('/')[2]}"
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", code)
    corners = [(0.15, 0.5), (0.35, 0.5), (0.35, 1.5), (0.15, 1.5), (0.15, 0.5)]
    ring = ", ".join("{} {}".format(*transformer.transform(*corner)) for corner in corners)
    answer = await ask(park, filter=f"S_WITHIN(location, POLYGON(({ring})))", filter_crs=uri)
    assert ids(answer) == [2, 3]
    wide = {"op": "s_intersects", "args": [{"property": "location"}, {"type": "Polygon", "coordinates": [
        [list(transformer.transform(*corner)) for corner in corners]]}]}  # fmt: skip
    answer = await ask(park, filter=json.dumps(wide), filter_lang="cql2-json", filter_crs=uri)
    assert ids(answer) == [2, 3]


def test_geometry_of_another_system_is_bent_as_its_straight_edges_are() -> None:
    city = CrsList("EPSG:26986").find(EPSG + "26986", "filter-crs")
    inverse = pyproj.Transformer.from_crs("EPSG:26986", "OGC:CRS84")
    line = {"type": "LineString", "coordinates": [[200_000, 900_000], [260_000, 900_000]]}
    bent = shapely.geometry.shape(city.bent(line))
    for east in np.linspace(200_000, 260_000, 17):
        assert bent.distance(shapely.Point(inverse.transform(east, 900_000))) < 1e-7
    straight = shapely.LineString([inverse.transform(200_000, 900_000), inverse.transform(260_000, 900_000)])
    assert straight.distance(shapely.Point(inverse.transform(230_000, 900_000))) > 1e-5
    several = {
        "type": "GeometryCollection",
        "geometries": [line, {"type": "Point", "coordinates": [2e5, 9e5]}],
    }
    assert len(city.bent(several)["geometries"]) == 2
    for wrong in ({"type": "Point", "coordinates": ["a", 1]}, {"type": "Point"}, {"type": "Circle"}):
        with pytest.raises(BadRequestData, match="a geometry is invalid"):
            city.bent(wrong)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("filter=height%20%3E", "filter"),
        ("filter=", "filter"),
        ("filter=height%20%3E%202&filter-lang=cql-text", "filter-lang"),
        ("filter=height%20%3E%202&filter-lang=cql2-json", "filter"),
        ("filter=height%20%3E%202&filter-crs=EPSG:4326", "filter-crs"),
        ("filter-lang=sql", "filter-lang"),
        ("filter=unknown_function(height)%20%3D%201", "unknown_function"),
        ("filter=S_INTERSECTS(location,POINT(500%2095))", "filter"),
    ],
)
async def test_filter_that_is_wrong_is_400_and_named(park: Client, query: str, told: str) -> None:
    answer = await park.get(f"{ITEMS}?{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert told in answer.json["detail"]


@pytest.mark.parametrize(
    ("filter", "told"),
    [
        ("heigth > 2", ["'heigth'", "Tree", "did you mean height?"]),
        ("height > 2 AND NOT (Heigth.observedAt IS NULL)", ["'Heigth.observedAt'", "height.observedAt?"]),
        ("CASEI(nam) = 'a' OR height > 1", ["'nam'", "did you mean name?"]),
        ("unheardof IS NULL", ["'unheardof'", "queryables"]),
        ("S_INTERSECTS(locations, BBOX(0, 0, 1, 1))", ["'locations'", "did you mean location?"]),
    ],
)
async def test_filter_of_an_unknown_property_is_400_and_tells_what_was_meant(
    park: Client, filter: str, told: list[str]
) -> None:
    for path in (ITEMS, f"{TREES}/tiles/WebMercatorQuad/0/0/0", "/map/layers/Tree/summary"):
        more = {"attribute": "height"} if path.startswith("/map") else {}
        answer = await park.get(f"{path}?{urlencode({'filter': filter, **more})}")
        assert answer.status == 400, path
        assert [word for word in told if word not in answer.json["detail"]] == []


async def test_filter_knows_a_property_as_long_as_a_feature_has_it(park: Client) -> None:
    assert ids(await ask(park, filter="genus = 'Quercus'")) == []
    await park.delete(f"{ENTITIES}/urn:ngsi-ld:Tree:9/attrs/genus")
    answer = await ask(park, filter="genus = 'Quercus'")
    assert (answer.status, "genus" in answer.json["detail"]) == (400, True)
    assert "genus" not in (await park.get(f"{TREES}/queryables")).json["properties"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("height=3", [2]),
        ("height=3.0&name=Tree%202", [2]),
        ("name=%E6%A0%913", [3]),
        ("id=urn:ngsi-ld:Tree:1", [1]),
        ("height.unitCode=MTR&bbox=0,0,0.15,2", [0, 1]),
        ("height.observedAt=2026-05-02T00:00:00.0Z", [1]),
        ("height=3&filter=height%20%3C%203", []),
        ("name=Tree%2099", []),
    ],
)
async def test_properties_are_parameters_of_their_own(park: Client, query: str, expected: list[int]) -> None:
    answer = await park.get(f"{ITEMS}?{query}")
    assert (ids(answer), answer.json["numberMatched"]) == (expected, len(expected))


async def test_every_simple_queryable_is_a_parameter(park: Client) -> None:
    more = {
        "dead": {"type": "Property", "value": True},
        "rings": {"type": "Property", "value": 12},
        "address": {"type": "Property", "value": {"street": "Main St"}},
    }
    await park.post(ENTITIES, tree(7, **more))
    properties = (await park.get(f"{TREES}/queryables")).json["properties"]
    simple = [
        name
        for name, each in properties.items()
        if each.get("type") in ("string", "number", "integer", "boolean")
    ]
    asked = ",".join(name for name in simple if name != "id")
    features = (await park.get(f"{ITEMS}?properties={asked}")).json["features"]
    (feature,) = (each for each in features if each["id"].endswith(":7"))
    values = {"id": feature["id"], **feature["properties"]}
    assert set(simple) <= values.keys() | {"genus"}
    for name, value in values.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        answer = await ask(park, **{name: text})
        assert 7 in ids(answer), name
        assert all(str(each["properties"].get(name, each["id"])) for each in answer.json["features"])


@pytest.mark.parametrize("query", ["nonsense=1", "location=1", "a%20b=1", "height=1&height=2", "Limit=3"])
async def test_parameter_that_is_no_property_either_is_400(park: Client, query: str) -> None:
    answer = await park.get(f"{ITEMS}?{query}")
    assert answer.status == 400, answer.body


async def test_parameter_that_is_nearly_a_property_tells_which(park: Client) -> None:
    assert "did you mean height?" in (await park.get(f"{ITEMS}?hieght=1")).json["detail"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_filtered_pages_agree_with_a_plain_filter(park: Client, data: st.DataObject) -> None:
    low, high = data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    operator = data.draw(st.sampled_from(["AND", "OR"]))
    inverted = data.draw(st.booleans())
    limit, offset = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 3))
    join = all if operator == "AND" else any
    expected = [
        each
        for each in range(5)
        if join((each * 1.5 >= low * 1.5, each / 10 <= high / 10 + 0.01)) is not inverted
    ]
    text = f"height >= {low * 1.5} {operator} S_INTERSECTS(location, BBOX(-1, 0, {high / 10 + 0.01}, 2))"
    answer = await ask(park, filter=f"NOT ({text})" if inverted else text, limit=limit, offset=offset)
    assert ids(answer) == expected[offset : offset + limit]
    assert answer.json["numberMatched"] == len(expected)
