"""Clause 4.3.6.8: entities as older versions of the standard know them, where they are asked for."""

from typing import Any

import pytest

from tests.conformance.data import BATCH, ENTITIES, prop
from tests.web.node import Client

ID = "urn:ngsi-ld:Car:1"
OTHER = "urn:ngsi-ld:Park:1"
END = "2100-01-01T00:00:00Z"
SEEN = "2026-01-01T00:00:00Z"
CAR = {
    "id": ID,
    "type": ["Car", "Bus"],
    "scope": "/town",
    "expiresAt": END,
    "speed": [prop(1, datasetId="urn:d:1"), prop(2, unitCode="KMH", observedAt=SEEN, expiresAt=END)],
    "name": {"type": "LanguageProperty", "languageMap": {"en": "car", "fr": "voiture"}},
    "raw": {"type": "JsonProperty", "json": {"id": "x"}},
    "kind": {"type": "VocabProperty", "vocab": ["red", "blue"], "datasetId": "urn:d:2"},
    "depths": {"type": "ListProperty", "valueList": [3, 1], "valueType": "Integer"},
    "route": {"type": "ListRelationship", "objectList": [{"object": OTHER}], "objectType": "Park"},
    "at": {"type": "Relationship", "object": OTHER, "objectType": "Park", "by": prop(5, unitCode="MTR")},
}


@pytest.fixture
async def garage(node: Client) -> Client:
    park = {"id": OTHER, "type": "Park", "name": {"type": "LanguageProperty", "languageMap": {"en": "park"}}}
    assert (await node.post(f"{BATCH}/create", [CAR, park])).status == 201
    return node


async def told(garage: Client, version: str, query: str = "") -> tuple[int, str, Any]:
    answer = await garage.get(f"{ENTITIES}/{ID}?{query}", headers={"Prefer": f"ngsi-ld={version}"})
    return answer.status, answer.headers["Preference-Applied"], answer.json


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


async def test_newest_version_is_told_as_it_is(garage: Client) -> None:
    as_it_is = (await garage.get(f"{ENTITIES}/{ID}")).json
    for version, applied in (("1.9", "1.9"), ("1.12", "1.9"), ("2.0", "1.9")):
        assert await told(garage, version) == (200, f"ngsi-ld={applied}", as_it_is)


async def test_version_1_8_has_no_expiry_and_no_value_type(garage: Client) -> None:
    status, applied, found = await told(garage, "1.8", "options=sysAttrs")
    assert (status, applied) == (203, "ngsi-ld=1.8")
    assert "expiresAt" not in found
    assert [one.keys() & {"expiresAt", "unitCode"} for one in found["speed"]] == [set(), {"unitCode"}]
    assert found["depths"]["type"] == "ListProperty"
    assert "valueType" not in found["depths"]
    assert found["route"]["objectType"] == "Park"


async def test_version_1_5_has_plain_properties_and_relationships(garage: Client) -> None:
    status, applied, found = await told(garage, "1.5")
    assert (status, applied) == (203, "ngsi-ld=1.5")
    assert found["raw"] == prop({"id": "x"})
    assert found["kind"] == prop(["red", "blue"], datasetId="urn:d:2")
    assert found["depths"] == prop([3, 1])
    assert found["route"] == {"type": "Relationship", "object": [OTHER]}
    assert found["at"] == {"type": "Relationship", "object": OTHER, "by": prop(5, unitCode="MTR")}
    assert found["name"]["type"] == "LanguageProperty"
    assert (found["type"], found["scope"], len(found["speed"])) == (["Car", "Bus"], "/town", 2)


async def test_version_1_3_has_no_scopes_and_no_languages(garage: Client) -> None:
    status, _, found = await told(garage, "1.3")
    assert status == 203
    assert "scope" not in found
    assert found["name"] == prop({"en": "car", "fr": "voiture"})
    assert found["kind"]["datasetId"] == "urn:d:2"
    assert (await told(garage, "1.3", "lang=fr"))[2]["name"] == prop("voiture")


async def test_version_1_0_has_one_type_and_one_instance(garage: Client) -> None:
    _, applied, found = await told(garage, "1.0")
    assert (applied, found["type"]) == ("ngsi-ld=1.0", "Car")
    assert found["speed"] == prop(2), "the default instance, without what 1.3 brought"
    assert found["kind"] == prop(["red", "blue"])
    assert found["at"]["by"] == prop(5)


@pytest.mark.parametrize(
    ("form", "raw", "route"),
    [("concise", {"id": "x"}, {"object": [OTHER]}), ("simplified", {"id": "x"}, [OTHER])],
)
async def test_other_representations_are_amended_too(garage: Client, form: str, raw: Any, route: Any) -> None:
    _, _, found = await told(garage, "1.5", f"format={form}")
    assert (found["raw"], found["route"]) == (raw, route)


async def test_linked_entities_are_amended_too(garage: Client) -> None:
    _, _, found = await told(garage, "1.3", "join=inline")
    assert found["at"]["entity"]["name"] == prop({"en": "park"})
    _, _, flat = await told(garage, "1.3", "join=flat")
    assert flat[1]["name"] == prop({"en": "park"})


async def test_queries_answer_the_version_asked_for(garage: Client) -> None:
    """5.7.2.4, Tables 6.4.3.2-3 and 6.23.3.1-2: 203 where the body was altered, 200 where it was not."""
    prefer = {"Prefer": 'respond-async, ngsi-ld="1.5"'}
    for accept in ("application/json", "application/ld+json"):
        headers = {**prefer, "Accept": accept}
        got = await garage.get(f"{ENTITIES}?type=Car", headers=headers)
        body = {"type": "Query", "entities": [{"type": "Car"}]}
        posted = await garage.post(f"{BATCH}/query", body, headers=headers)
        for answer in (got, posted):
            assert (answer.status, answer.headers["Preference-Applied"]) == (203, "ngsi-ld=1.5")
            assert answer.json[0]["depths"] == prop([3, 1])
    plain = await garage.get(f"{ENTITIES}?type=Park", headers=prefer)
    assert (plain.status, plain.headers["Preference-Applied"]) == (200, "ngsi-ld=1.5")


@pytest.mark.parametrize("version", ["", "new", "1", "1.x", "-1.2"])
async def test_preference_that_is_no_version_is_passed_over(garage: Client, version: str) -> None:
    """RFC 7240 section 2: what is not understood is ignored."""
    status, applied, _ = await told(garage, version)
    assert (status, applied) == (200, "ngsi-ld=1.9")
