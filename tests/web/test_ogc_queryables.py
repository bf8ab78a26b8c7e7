"""Queryables: a JSON Schema that says of each property what can be asked for."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from tests.web.node import Client
from tests.web.ogc_city import ENTITIES, ITEMS, TREES, plant, tree


@pytest.fixture
async def park(node: Client) -> Client:
    await plant(node)
    address = {"type": "Property", "value": {"street": "Main St", "number": 5}}
    more = {
        "address": address,
        "kind": {"type": "Property", "value": "oak"},
        "near": {"type": "Relationship", "object": "urn:ngsi-ld:Tree:1"},
        "planted": {"type": "Property", "value": "2020-01-01"},
        "felled": {"type": "Property", "value": {"@type": "DateTime", "@value": "2021-01-01T00:00:00Z"}},
        "rings": {"type": "Property", "value": 12},
        "odd": {"type": "Property", "value": [1, 2]},
        "crown": {
            "type": "GeoProperty",
            "value": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
        },
        "sick": {"type": "Property", "value": False, "since": {"type": "Property", "value": 2019}},
    }
    assert (await node.post(ENTITIES, tree(6, **more))).status == 201
    return node


async def queryables(node: Client, path: str = TREES) -> dict[str, Any]:
    answer = await node.get(f"{path}/queryables")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/schema+json")
    found: dict[str, Any] = answer.json
    return found


async def test_queryables_are_a_schema_of_the_properties(park: Client) -> None:
    found = await queryables(park)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"{park.base}{TREES}/queryables"
    assert (found["type"], found["additionalProperties"]) == ("object", False)
    (pattern,) = found["patternProperties"]
    assert re.search(pattern, "height.observedAt")
    assert not re.search(pattern, "heights.observedAt")
    for name, schema in found["properties"].items():
        assert ("type" in schema) != schema.get("format", "").startswith("geometry-"), name
        assert schema["title"], name


async def test_queryables_tell_type_unit_format_values_and_role(park: Client) -> None:
    found = (await queryables(park))["properties"]
    assert found["id"] == {"title": "Id", "type": "string", "format": "uri", "x-ogc-role": "id"}
    assert (found["height"]["type"], found["height"]["x-ogc-unit"]) == ("number", "MTR")
    assert found["height.observedAt"]["format"] == "date-time"
    assert found["name"]["type"] == "string"
    assert found["location"]["format"] == "geometry-point"
    assert found["location"]["x-ogc-role"] == "primary-geometry"
    assert found["crown"]["format"] == "geometry-any"
    assert found["kind"]["enum"] == ["oak"]
    assert (found["near"]["x-ogc-role"], found["near"]["format"]) == ("reference", "uri")
    assert (found["planted"]["format"], found["felled"]["format"]) == ("date", "date-time")
    assert (found["rings"]["type"], found["odd"]["type"], found["sick"]["type"]) == (
        "integer",
        "array",
        "boolean",
    )
    assert found["address"]["type"] == "object"
    assert (found["address.street"]["type"], found["address.number"]["type"]) == ("string", "integer")
    assert found["sick.since"]["type"] == "integer"
    assert found["modifiedAt"]["format"] == "date-time"


async def test_queryables_can_be_asked_for_as_properties_and_fit_the_values(park: Client) -> None:
    found = await queryables(park)
    named = [name for name, schema in found["properties"].items() if "type" in schema and name != "id"]
    features = (await park.get(f"{ITEMS}?properties={','.join(named)}")).json["features"]
    assert {name for each in features for name in each["properties"]} == set(named)
    for feature in features:
        jsonschema.validate(feature["properties"], found, jsonschema.Draft202012Validator)


async def test_values_of_a_large_collection_are_examples_and_rare_attributes_are_found(
    node: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cityloom.maps.queryables._SAMPLE", 3)
    for number in range(6):
        rare = {"rare": {"type": "Property", "value": 7, "unitCode": "CEL"}} if number == 5 else {}
        await node.post(ENTITIES, tree(number, kind={"type": "Property", "value": f"k{number}"}, **rare))
    found = (await queryables(node))["properties"]
    assert found["kind"]["examples"] == ["k0", "k1", "k2"]
    assert "enum" not in found["kind"]
    assert (found["rare"]["type"], found["rare"]["x-ogc-unit"]) == ("integer", "CEL")
