"""Clause 5.6.1: create an entity."""

from typing import Any

import pytest

from tests.conformance.data import DEFAULT, ENTITIES, lamp, prop
from tests.web.node import Client


async def test_create_entity_answers_201_with_its_location(node: Client) -> None:
    answer = await node.post(ENTITIES, lamp())
    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["Location"] == f"{ENTITIES}/urn:ngsi-ld:Streetlight:1"
    assert "Link" not in answer.headers
    found = await node.get(answer.headers["Location"])
    assert found.json["powerState"] == {"type": "Property", "value": "on"}


async def test_create_entity_answers_409_when_it_exists(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    answer = await node.post(ENTITIES, lamp(powerState=prop("off")))
    assert (answer.status, answer.problem) == (409, "AlreadyExists")
    assert answer.headers["Content-Type"] == "application/json"
    assert (await node.get(f"{ENTITIES}/{lamp()['id']}")).json["powerState"]["value"] == "on"


@pytest.mark.parametrize(
    "entity",
    [
        {"type": "Streetlight"},
        {"id": "urn:ngsi-ld:A:1"},
        {"id": "no uri", "type": "A"},
        {"id": "urn:ngsi-ld:A:1", "type": ""},
        {"id": "urn:ngsi-ld:A:1", "type": 7},
        {"id": ["urn:ngsi-ld:A:1"], "type": "A"},
        lamp(speed={"type": "Property"}),
        lamp(speed={"type": "Property", "value": None}),
        lamp(speed={"type": "Nonsense", "value": 1}),
        lamp(speed=None),
        lamp(owner={"type": "Relationship", "object": "no uri"}),
        lamp(location={"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1]}}),
        lamp(location={"type": "GeoProperty", "value": {"type": "Point", "coordinates": ["a", "b"]}}),
        lamp(speed=prop(1, observedAt="yesterday")),
        lamp(speed=[prop(1), prop(2)]),
        lamp(speed=prop("urn:ngsi-ld:null")),
        lamp(name={"type": "LanguageProperty", "languageMap": {"en": 7}}),
    ],
)
async def test_create_entity_answers_400_and_keeps_nothing_when_the_data_is_invalid(
    node: Client, entity: dict[str, Any]
) -> None:
    answer = await node.post(ENTITIES, entity)
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert answer.json["detail"]
    assert (await node.get(f"{ENTITIES}?local=true")).json == []


@pytest.mark.parametrize(
    "attribute",
    [
        {"type": "Property", "value": 12.5, "unitCode": "CEL", "observedAt": "2026-05-01T12:00:00Z"},
        {"type": "Property", "value": {"nested": [1, {"deep": True}]}},
        {"type": "Relationship", "object": "urn:ngsi-ld:Pole:1"},
        {"type": "GeoProperty", "value": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}},
        {"type": "LanguageProperty", "languageMap": {"en": "lamp", "zh": "路灯"}},
        {"type": "VocabProperty", "vocab": "bright"},
        {"type": "ListProperty", "valueList": [1, 2, 3]},
        {"type": "ListRelationship", "objectList": [{"object": "urn:a:1"}, {"object": "urn:a:2"}]},
        {"type": "JsonProperty", "json": {"@id": "raw", "nothing": None}},
        {"type": "Property", "value": 1, "accuracy": {"type": "Property", "value": 0.1}},
        [
            {"type": "Property", "value": 1},
            {"type": "Property", "value": 2, "datasetId": "urn:ngsi-ld:Dataset:b"},
        ],
    ],
)
async def test_create_entity_keeps_every_kind_of_attribute(node: Client, attribute: Any) -> None:
    assert (await node.post(ENTITIES, lamp(thing=attribute))).status == 201
    assert (await node.get(f"{ENTITIES}/{lamp()['id']}")).json["thing"] == attribute


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (5, {"type": "Property", "value": 5}),
        ({"value": 5, "unitCode": "CEL"}, {"type": "Property", "value": 5, "unitCode": "CEL"}),
        ({"object": "urn:a:1"}, {"type": "Relationship", "object": "urn:a:1"}),
        (
            {"type": "Point", "coordinates": [1, 2]},
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
        ),
    ],
)
async def test_create_entity_reads_the_concise_form(node: Client, written: Any, read: Any) -> None:
    assert (await node.post(ENTITIES, lamp(thing=written))).status == 201
    assert (await node.get(f"{ENTITIES}/{lamp()['id']}")).json["thing"] == read


async def test_create_entity_expands_names_with_the_context_of_the_body(node: Client) -> None:
    context = {"shine": "https://example.org/shine", "Lamp": "https://example.org/Lamp"}
    entity = {"@context": context, "id": "urn:a:1", "type": "Lamp", "shine": prop(1), "other": prop(2)}
    assert (await node.post(ENTITIES, entity)).status == 201
    found = (await node.get(f"{ENTITIES}/urn:a:1")).json
    assert found["type"] == "https://example.org/Lamp"
    assert found["https://example.org/shine"] == prop(1)
    assert found["other"] == prop(2)
    types = (await node.get("/ngsi-ld/v1/types")).json["typeList"]
    assert types == ["https://example.org/Lamp"]
    attributes = (await node.get("/ngsi-ld/v1/attributes?details=true")).json
    assert {each["id"] for each in attributes} == {"https://example.org/shine", DEFAULT + "other"}


async def test_create_entity_keeps_ids_with_strange_characters_apart(node: Client) -> None:
    ids = ["urn:a:x/y", "urn:a:x?y", "urn:a:x#y", "urn:a:x%20y", "urn:a:路灯", "urn:a:x+y", "urn:a:x;y,z"]
    for each in ids:
        made = await node.post(ENTITIES, {"id": each, "type": "A", "own": prop(each)})
        assert made.status == 201, (each, made.body)
        found = await node.get(made.headers["Location"])
        assert (found.status, found.json["own"]["value"]) == (200, each)
    assert len((await node.get(f"{ENTITIES}?type=A")).json) == len(ids)


@pytest.mark.parametrize("raw", [b"[]", b"7", b"null", b'"lamp"'])
async def test_create_entity_answers_bad_request_data_when_the_json_is_no_object(
    node: Client, raw: bytes
) -> None:
    """5.5.4: InvalidRequest is for what is no JSON document."""
    answer = await node.ask("POST", ENTITIES, raw=raw, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.problem) == (400, "BadRequestData")
