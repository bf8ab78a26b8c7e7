"""Clauses 5.7.5 to 5.7.10: which types and attributes there are."""

import re

import pytest

from tests.conformance.data import DEFAULT, ENTITIES, lamp, prop
from tests.web.node import Client

ROOT = "/ngsi-ld/v1"


@pytest.fixture
async def town(node: Client) -> Client:
    await node.post(ENTITIES, lamp(1))
    await node.post(ENTITIES, lamp(2, height=prop(1)))
    await node.post(ENTITIES, {"id": "urn:a:1", "type": "Bus", "height": prop(3)})
    return node


async def test_list_types(town: Client) -> None:
    found = (await town.get(f"{ROOT}/types")).json
    assert found["type"] == "EntityTypeList"
    assert found["id"].startswith("urn:ngsi-ld:EntityTypeList:")
    assert sorted(found["typeList"]) == ["Bus", "Streetlight"]


async def test_list_types_with_details(town: Client) -> None:
    found = {each["id"]: each for each in (await town.get(f"{ROOT}/types/?details=true")).json}
    assert found[DEFAULT + "Bus"] == {
        "id": DEFAULT + "Bus",
        "type": "EntityType",
        "typeName": "Bus",
        "attributeNames": ["height"],
    }


async def test_retrieve_type_by_name_and_by_iri(town: Client) -> None:
    for name in ("Streetlight", f"{DEFAULT}Streetlight".replace("/", "%2F").replace(":", "%3A")):
        found = (await town.get(f"{ROOT}/types/{name}")).json
        assert (found["type"], found["typeName"], found["entityCount"]) == (
            "EntityTypeInfo",
            "Streetlight",
            2,
        )
        details = {each["attributeName"]: each["attributeTypes"] for each in found["attributeDetails"]}
        assert details == {"height": ["Property"], "location": ["GeoProperty"], "powerState": ["Property"]}


async def test_list_attributes(town: Client) -> None:
    found = (await town.get(f"{ROOT}/attributes")).json
    assert (found["type"], sorted(found["attributeList"])) == (
        "AttributeList",
        ["height", "location", "powerState"],
    )
    details = {
        each["attributeName"]: each for each in (await town.get(f"{ROOT}/attributes?details=true")).json
    }
    assert sorted(details["height"]["typeNames"]) == ["Bus", "Streetlight"]


async def test_retrieve_attribute(town: Client) -> None:
    found = (await town.get(f"{ROOT}/attributes/height")).json
    assert (found["id"], found["type"]) == (DEFAULT + "height", "Attribute")
    assert (found["attributeCount"], found["attributeTypes"]) == (2, ["Property"])
    assert sorted(found["typeNames"]) == ["Bus", "Streetlight"]


async def test_details_of_attributes_have_the_members_of_the_clause(town: Client) -> None:
    """5.7.9, 5.7.10, 5.2.28: of one attribute how many and of which kinds too."""
    await town.patch(f"{ENTITIES}/urn:a:1/attrs", {"height": {"type": "Relationship", "object": "urn:a:2"}})
    listed = {each["id"]: each for each in (await town.get(f"{ROOT}/attributes?details=true")).json}
    assert listed[DEFAULT + "powerState"] == {
        "id": DEFAULT + "powerState",
        "type": "Attribute",
        "attributeName": "powerState",
        "typeNames": ["Streetlight"],
    }
    one = (await town.get(f"{ROOT}/attributes/height")).json
    assert one.keys() == {"id", "type", "attributeName", "attributeCount", "attributeTypes", "typeNames"}
    assert (one["attributeCount"], sorted(one["attributeTypes"])) == (2, ["Property", "Relationship"])
    assert (await town.get(f"{ROOT}/attributes/powerState")).json["attributeCount"] == 2


async def test_names_are_told_in_the_words_of_whoever_asks(town: Client) -> None:
    """5.5.7 with 5.7.5 to 5.7.10."""
    words = {"@context": {"Bus": DEFAULT + "Streetlight", "hoogte": DEFAULT + "height"}}
    made = await town.post("/ngsi-ld/v1/jsonldContexts", words)
    assert made.status == 201
    url = town.base + made.headers["Location"]
    link = {"Link": f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'}
    types = (await town.get(f"{ROOT}/types", headers=link)).json["typeList"]
    assert "Bus" in types
    assert len(types) == 2
    assert "hoogte" in (await town.get(f"{ROOT}/attributes", headers=link)).json["attributeList"]
    one = (await town.get(f"{ROOT}/types/Bus", headers=link)).json
    assert (one["id"], one["typeName"], one["entityCount"]) == (DEFAULT + "Streetlight", "Bus", 2)
    assert (await town.get(f"{ROOT}/attributes/hoogte", headers=link)).json["attributeCount"] == 2


async def test_what_is_gone_is_told_no_more(town: Client) -> None:
    await town.delete(f"{ENTITIES}/urn:a:1")
    assert (await town.get(f"{ROOT}/types")).json["typeList"] == ["Streetlight"]
    assert (await town.get(f"{ROOT}/types/Bus")).status == 404
    await town.delete(f"{ENTITIES}/{lamp(2)['id']}/attrs/height")
    assert (await town.get(f"{ROOT}/attributes/height")).status == 404


@pytest.mark.parametrize("path", ["/types/Nothing", "/attributes/nothing"])
async def test_discovery_answers_404_when_there_is_none(town: Client, path: str) -> None:
    answer = await town.get(ROOT + path)
    assert (answer.status, answer.problem) == (404, "ResourceNotFound")


async def test_source_identity_tells_the_tenant_and_the_time(node: Client) -> None:
    found = (await node.get(f"{ROOT}/info/sourceIdentity")).json
    assert found["type"] == "ContextSourceIdentity"
    alias = found["contextSourceAlias"]
    # A mark made once follows the city's name, so that no two nodes are taken for each other.
    assert re.fullmatch(r"cityloom-testville-[0-9a-f]{12}", alias)
    other = await node.get(f"{ROOT}/info/sourceIdentity", headers={"NGSILD-Tenant": "north"})
    assert other.json["contextSourceAlias"] == f"{alias}~north"
