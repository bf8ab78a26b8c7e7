"""Search over names, ids and types; the facts of layers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.node import Client

ENTITIES = "/ngsi-ld/v1/entities"


def district(number: int, en: str, zh: str) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:District:{number}",
        "type": "District",
        "name": {"type": "LanguageProperty", "languageMap": {"en": en, "zh": zh}},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [number, 1]}},
    }


async def results(node: Client, text: str, **params: str) -> list[dict[str, Any]]:
    answer = await node.get("/map/search", params={"text": text, **params})
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json["results"]
    return found


@pytest.fixture
async def town(node: Client) -> Client:
    for each in (district(1, "Upper Harbour", "上港区"), district(2, "Old Town", "老城")):
        assert (await node.post(ENTITIES, each)).status == 201
    return node


async def test_search_answers_name_in_the_language_type_and_location(town: Client) -> None:
    assert await results(town, "港", lang="zh") == [
        {
            "id": "urn:ngsi-ld:District:1",
            "type": ["District"],
            "name": "上港区",
            "location": {"type": "Point", "coordinates": [1, 1]},
        }
    ]
    assert (await results(town, "harbour", lang="en"))[0]["name"] == "Upper Harbour"
    answer = await town.get("/map/search", params={"text": "town"}, headers={"Accept-Language": "zh-CN"})
    assert [each["name"] for each in answer.json["results"]] == ["老城"]


async def test_search_tells_whether_there_is_more(town: Client) -> None:
    answer = (await town.get("/map/search?text=district&limit=1")).json
    assert (len(answer["results"]), answer["more"]) == (1, True)
    answer = (await town.get("/map/search?text=district&limit=2")).json
    assert (len(answer["results"]), answer["more"]) == (2, False)


@pytest.mark.parametrize(
    "query", ["", "text=", "text=%20", "text=a&limit=0", "text=a&limit=999", "text=a&lang=%3B"]
)
async def test_search_refuses_parameters(node: Client, query: str) -> None:
    answer = await node.get(f"/map/search?{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")


async def test_search_keeps_tenants_apart(town: Client) -> None:
    other = {"NGSILD-Tenant": "other"}
    await town.post(ENTITIES, district(3, "Far Town", "远城"), headers=other)
    assert [each["id"] for each in await results(town, "town")] == ["urn:ngsi-ld:District:2"]
    answer = await town.get("/map/search?text=town", headers=other)
    assert [each["id"] for each in answer.json["results"]] == ["urn:ngsi-ld:District:3"]
    assert (await town.get("/map/search?text=town", headers={"NGSILD-Tenant": "none"})).status == 404


async def test_layers_tell_the_newest_observation_and_the_silent(node: Client) -> None:
    for number, hour in ((1, 8), (2, 11)):
        level = {"type": "Property", "value": 1, "observedAt": f"2026-03-01T{hour:02}:00:00Z"}
        sensor = {"id": f"urn:ngsi-ld:Sensor:{number}", "type": "Sensor", "level": level}
        await node.post(ENTITIES, sensor)
    await node.post(ENTITIES, district(1, "A", "甲"))
    await node.post(f"{ENTITIES}/urn:ngsi-ld:Sensor:1/attrs", {"stale": {"value": True}})
    layers = {each["type"]: each for each in (await node.get("/map/layers")).json}
    assert (layers["Sensor"]["observed"], layers["Sensor"]["silent"]) == ("2026-03-01T11:00:00Z", 1)
    assert (layers["District"]["observed"], layers["District"]["silent"]) == (None, 0)
