"""Legends and coloured areas, over the wire."""

from typing import Any
from urllib.parse import quote

import pytest

from cityloom.query.summary import summarize
from cityloom.web.city import measures
from tests.web.node import Client

ENTITIES = "/ngsi-ld/v1/entities"


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [ring]}}


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}


def metres(value: float) -> dict[str, Any]:
    return {"type": "Property", "value": value, "unitCode": "MTR"}


@pytest.fixture
async def city(node: Client) -> Client:
    entities: list[dict[str, Any]] = [
        {"id": "urn:d:1", "type": "District", "location": box(0, 0, 2, 2)},
        {"id": "urn:d:2", "type": "District", "location": box(1, 0, 3, 2)},
        {"id": "urn:d:3", "type": "District", "location": box(7, 7, 8, 8)},
        {"id": "urn:d:4", "type": "District", "location": point(0, 0)},
        {"id": "urn:t:1", "type": "Tree", "location": point(0.5, 1), "height": metres(4)},
        {"id": "urn:t:2", "type": "Tree", "location": point(1.5, 1), "height": metres(8)},
        {"id": "urn:t:3", "type": "Tree", "location": point(9, 9), "height": metres(2.5)},
        {"id": "urn:t:4", "type": "Tree", "location": point(2.5, 1), "height": {"value": "tall"}},
        {"id": "urn:t:5", "type": "Tree", "height": metres(1)},
        {"id": "urn:t:6", "type": "Tree", "location": box(0.1, 0.1, 0.2, 0.2),
         "kind": {"type": "LanguageProperty", "languageMap": {"en": "oak", "zh": "橡树"}}},
    ]  # fmt: skip
    for entity in entities:
        assert (await node.post(ENTITIES, entity)).status == 201
    return node


async def coloured(node: Client, query: str) -> tuple[dict[str, tuple[Any, int]], int, int]:
    answer = await node.get(f"/map/areas?areas=District&type=Tree{query}")
    assert answer.status == 200, answer.body
    areas = {one["id"]: (one["value"], one["count"]) for one in answer.json["areas"]}
    return areas, answer.json["outside"], answer.json["noPlace"]


async def test_areas_count_what_lies_in_them(city: Client) -> None:
    areas, outside, nowhere = await coloured(city, "")
    assert areas == {"urn:d:1": (3, 3), "urn:d:2": (2, 2), "urn:d:3": (0, 0)}
    assert (outside, nowhere) == (1, 1)


@pytest.mark.parametrize(
    ("method", "first", "second"), [("sum", 12, 8), ("avg", 6, 8), ("min", 4, 8), ("max", 8, 8)]
)
async def test_areas_aggregate_numbers(city: Client, method: str, first: float, second: float) -> None:
    areas, outside, nowhere = await coloured(city, f"&aggregate={method}&attribute=height")
    assert areas == {"urn:d:1": (first, 2), "urn:d:2": (second, 1), "urn:d:3": (None, 0)}
    assert (outside, nowhere) == (1, 1)


async def test_areas_count_those_that_have_an_attribute(city: Client) -> None:
    areas, _, _ = await coloured(city, "&attribute=kind")
    assert areas["urn:d:1"] == (1, 1)


async def test_areas_and_summaries_keep_to_a_filter(city: Client) -> None:
    areas, outside, nowhere = await coloured(city, "&filter=height%20%3E%203")
    assert (areas["urn:d:1"], areas["urn:d:2"], outside, nowhere) == ((2, 2), (1, 1), 0, 0)
    found = (await city.get("/map/layers/Tree/summary?attribute=height&filter=height%20%3C%203")).json
    assert (found["count"], found["missing"], found["numbers"]["max"]) == (2, 0, 2.5)
    json = '{"op":"=","args":[{"property":"id"},"urn:t:4"]}'
    found = (
        await city.get(
            f"/map/layers/Tree/summary?attribute=height&filter-lang=cql2-json&filter={quote(json)}"
        )
    ).json
    assert (found["count"], found["values"]) == (1, [{"value": "tall", "count": 1}])


@pytest.mark.parametrize("query", ["filter=height%20%3E", "filter=", "filter=a=1&filter-lang=ecql"])
async def test_a_filter_that_is_none_is_refused(city: Client, query: str) -> None:
    for path in ("/map/layers/Tree/summary?attribute=height", "/map/areas?areas=District&type=Tree"):
        answer = await city.get(f"{path}&{query}")
        assert (answer.status, "filter" in answer.json["detail"]) == (400, True), answer.body


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("areas=District", 400, "type is required"),
        ("type=Tree", 400, "areas is required"),
        ("areas=District&type=Tree&aggregate=median", 400, "aggregate is invalid"),
        ("areas=District&type=Tree&aggregate=sum", 400, "attribute is required"),
        ("areas=Parish&type=Tree", 400, "areas is invalid: nothing has the type 'Parish'"),
        ("areas=District&type=Car", 400, "type is invalid: nothing has the type 'Car'"),
    ],
)
async def test_areas_say_what_is_wrong(city: Client, query: str, status: int, told: str) -> None:
    answer = await city.get(f"/map/areas?{query}")
    assert (answer.status, told in answer.json["detail"]) == (status, True), answer.json


async def test_areas_without_polygons_are_none(city: Client) -> None:
    await city.post(ENTITIES, {"id": "urn:c:1", "type": "Car", "location": point(0, 0)})
    answer = await city.get("/map/areas?areas=Car&type=Tree")
    assert (answer.status, "polygon" in answer.json["detail"]) == (400, True)


async def test_summary_of_an_attribute(city: Client) -> None:
    found = (await city.get("/map/layers/Tree/summary?attribute=height")).json
    assert (found["count"], found["missing"], found["unitCode"]) == (5, 1, "MTR")
    assert (found["numbers"]["min"], found["numbers"]["max"], found["numbers"]["count"]) == (1, 8, 4)
    assert found["numbers"]["quantiles"][3] == 3.25
    assert (found["values"], found["others"]) == ([{"value": "tall", "count": 1}], 0)


async def test_summary_is_kept_until_what_it_tells_changes(
    city: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    def counting(*arguments: Any) -> Any:
        nonlocal looked
        looked += 1
        return summarize(*arguments)

    monkeypatch.setattr(measures, "summarize", counting)
    path = "/map/layers/Tree/summary?attribute=height"
    filtered = f"{path}&filter=kind%20IS%20NULL"

    async def told(url: str) -> tuple[int, int, float]:
        found = (await city.get(url)).json
        return looked, found["missing"], found["numbers"]["max"]

    assert [await told(path), await told(path)] == [(1, 1, 8), (1, 1, 8)]
    assert [await told(filtered), await told(filtered)] == [(2, 0, 8), (2, 0, 8)]
    # Of another attribute, only the filter may know.
    await city.patch(f"{ENTITIES}/urn:t:2/attrs", {"kind": {"type": "Property", "value": "elm"}})
    await city.post(f"{ENTITIES}/urn:t:2/attrs", {"kind": {"type": "Property", "value": "elm"}})
    assert (await told(filtered))[1:] == (0, 4)
    await city.patch(f"{ENTITIES}/urn:t:2/attrs", {"height": metres(9)})
    assert (await told(path))[1:] == (1, 9)
    await city.delete(f"{ENTITIES}/urn:t:6")
    assert (await told(path))[1:] == (0, 9)
    await city.post(ENTITIES, {"id": "urn:t:7", "type": "Tree", "height": metres(20)})
    assert (await told(path))[1:] == (0, 20)
    assert (await told(f"{path}&limit=1"))[1:] == (0, 20)


async def test_summary_shows_texts_in_the_language_asked_for(city: Client) -> None:
    path = "/map/layers/Tree/summary?attribute=kind"
    for query, headers, text in (("&lang=zh", {}, "橡树"), ("", {"Accept-Language": "en"}, "oak")):
        found = (await city.get(path + query, headers=headers)).json
        assert found == {"count": 1, "missing": 5, "values": [{"value": text, "count": 1}], "others": 0}


async def test_summary_tells_the_most_frequent_and_how_many_others(node: Client) -> None:
    for number in range(6):
        colour = ["red", "red", "red", "blue", "blue", "green"][number]
        await node.post(ENTITIES, {"id": f"urn:c:{number}", "type": "Car", "colour": {"value": colour}})
    found = (await node.get("/map/layers/Car/summary?attribute=colour&limit=2")).json
    assert found["values"] == [{"value": "red", "count": 3}, {"value": "blue", "count": 2}]
    assert found["others"] == 1


async def test_summary_says_what_is_wrong(city: Client) -> None:
    for query in (
        "Tree/summary",
        "Tree/summary?attribute=height&limit=0",
        "Car/summary?attribute=height",
        "Tree/summary?attribute=height&limit=100000",
        "Tree/summary?attribute=height&lang=;;",
    ):
        assert (await city.get(f"/map/layers/{query}")).status == 400, query
    found = (await city.get("/map/layers/Tree/summary?attribute=nothing")).json
    assert found == {"count": 0, "missing": 6}


async def test_summary_of_a_span_is_of_what_its_replay_shows(node: Client) -> None:
    day = "2026-05-01T"

    def level(value: float, hour: int) -> dict[str, Any]:
        return {"type": "Property", "value": value, "observedAt": f"{day}{hour:02}:00:00Z"}

    gauges: list[dict[str, Any]] = [
        {"id": "urn:g:1", "type": "Gauge", "level": level(1, 8), "kind": {"value": "a"}},
        {"id": "urn:g:2", "type": "Gauge", "level": level(7, 11), "kind": {"value": "b"}},
        # Never observed: it is so at every time.
        {"id": "urn:g:3", "type": "Gauge", "level": {"value": 4.5}},
    ]
    for gauge in gauges:
        assert (await node.post(ENTITIES, gauge)).status == 201
    for value, hour in ((2, 9), (30, 10), (3, 12)):
        body = {"level": level(value, hour)}
        assert (await node.patch(f"{ENTITIES}/urn:g:1/attrs", body)).status == 204

    async def told(after: int, until: int, more: str = "") -> tuple[int, int, float, float]:
        span = f"after={day}{after:02}:00:00Z&until={day}{until:02}:00:00Z"
        answer = await node.get(f"/map/layers/Gauge/summary?attribute=level&{span}{more}")
        assert answer.status == 200, answer.body
        numbers = answer.json["numbers"]
        return answer.json["count"], answer.json["missing"], numbers["min"], numbers["max"]

    assert await told(9, 10) == (3, 1, 2, 30)
    assert await told(9, 11) == (4, 1, 2, 30)
    assert await told(11, 13) == (4, 0, 3, 30)
    assert await told(13, 23) == (3, 0, 3, 7)
    assert await told(9, 11, "&filter=kind%20=%20%27b%27") == (1, 1, 7, 7)
    for query in (
        "after=now&until=now",
        f"after={day}10:00:00Z",
        f"after={day}10:00:00Z&until={day}09:00:00Z",
    ):
        answer = await node.get(f"/map/layers/Gauge/summary?attribute=level&{query}")
        assert (answer.status, "parameter" in answer.json["detail"]) == (400, True), query
