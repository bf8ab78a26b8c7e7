"""Clauses 5.7.5 to 5.7.11: types and attributes are found wherever they are in use."""

import pytest

from tests.federation.helpers import lamp, prop, put, register, warnings
from tests.federation.source import Source
from tests.web.node import Client

ROOT = "/ngsi-ld/v1"


async def test_types_and_attributes_of_a_source_are_told(node: Client, there: Client) -> None:
    await put(node, lamp(1, power=prop("on")))
    bus = {"id": "urn:ngsi-ld:Bus:1", "type": "Bus", "speed": prop(3)}
    link = {"type": "Relationship", "object": "urn:a:b"}
    await put(there, lamp(2, height=prop(4), next=link), bus, {**bus, "id": "urn:a:1", "type": "Tram"})
    information = [{"entities": [{"type": "Lamp"}]}, {"entities": [{"type": "Bus"}]}]
    await register(node, there.base, information=information)
    assert (await node.get(f"{ROOT}/types")).json["typeList"] == ["Bus", "Lamp"]
    assert (await node.get(f"{ROOT}/types?local=true")).json["typeList"] == ["Lamp"]
    details = (await node.get(f"{ROOT}/types?details=true")).json
    assert {each["typeName"]: each["attributeNames"] for each in details} == {
        "Bus": ["speed"],
        "Lamp": ["height", "next", "power"],
    }
    lamps = (await node.get(f"{ROOT}/types/Lamp")).json
    assert lamps["entityCount"] == 1
    assert {each["attributeName"]: each["attributeTypes"] for each in lamps["attributeDetails"]} == {
        "height": ["Property"],
        "next": ["Relationship"],
        "power": ["Property"],
    }
    assert (await node.get(f"{ROOT}/attributes")).json["attributeList"] == [
        "height",
        "next",
        "power",
        "speed",
    ]
    assert (await node.get(f"{ROOT}/attributes/speed")).json["typeNames"] == ["Bus"]


async def test_source_that_did_not_register_an_attribute_does_not_tell_it(
    node: Client, there: Client
) -> None:
    await put(there, lamp(2, height=prop(4), power=prop("on")))
    information = [{"entities": [{"type": "Lamp"}], "propertyNames": ["power"]}]
    await register(node, there.base, information=information)
    assert (await node.get(f"{ROOT}/attributes")).json["attributeList"] == ["power"]


@pytest.mark.parametrize(
    ("status", "body", "codes"),
    [(500, None, ["299"]), (200, {"typeList": 7}, ["111"]), (200, b"oops", ["111"]), (404, None, [])],
)
async def test_source_that_fails_costs_its_own_part(
    node: Client, source: Source, status: int, body: object, codes: list[str]
) -> None:
    source.status, source.body = status, body
    await put(node, lamp(1))
    await register(node, source.url)
    answer = await node.get(f"{ROOT}/types")
    assert (answer.json["typeList"], warnings(answer)) == (["Lamp"], codes)


async def test_source_that_does_not_support_it_is_not_asked(node: Client, source: Source) -> None:
    await register(node, source.url, operations=["retrieveOps"])
    await node.get(f"{ROOT}/types")
    await node.get(f"{ROOT}/attributes")
    assert source.asked == []
