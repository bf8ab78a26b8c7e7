"""Clauses 5.6.2 to 5.6.6 and 5.6.19: attributes of an entity, and its deletion."""

from typing import Any

import pytest

from tests.conformance.data import DEFAULT, ENTITIES, lamp, prop
from tests.web.node import Client

LAMP = f"{ENTITIES}/{lamp()['id']}"


async def seen(node: Client) -> dict[str, Any]:
    found: dict[str, Any] = (await node.get(f"{LAMP}?options=keyValues")).json
    return found


async def test_append_attributes_adds_and_overwrites(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    answer = await node.post(f"{LAMP}/attrs/", {"powerState": prop("off"), "height": prop(8)})
    assert (answer.status, answer.body) == (204, b"")
    assert "Content-Length" not in answer.headers
    found = await seen(node)
    assert (found["powerState"], found["height"]) == ("off", 8)


async def test_append_attributes_tells_what_it_left_when_no_overwrite_is_asked(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    body = {"powerState": prop("off"), "height": prop(8)}
    answer = await node.post(f"{LAMP}/attrs?options=noOverwrite", body)
    assert answer.status == 207
    assert answer.json["updated"] == [DEFAULT + "height"]
    assert [each["attributeName"] for each in answer.json["notUpdated"]] == [DEFAULT + "powerState"]
    assert (await seen(node))["powerState"] == "on"


async def test_update_attributes_replaces_appends_and_deletes(node: Client) -> None:
    await node.post(ENTITIES, lamp(height=prop(8), colour=prop("red", unitCode="X")))
    body = {"powerState": prop("off"), "height": "urn:ngsi-ld:null", "colour": prop("blue"), "new": prop(1)}
    answer = await node.patch(f"{LAMP}/attrs", body)
    assert answer.status == 204
    found = (await node.get(LAMP)).json
    assert (found["powerState"], found["colour"], found["new"]) == (prop("off"), prop("blue"), prop(1))
    assert "height" not in found


async def test_update_attribute_changes_parts_of_it(node: Client) -> None:
    await node.post(ENTITIES, lamp(height=prop(8, unitCode="MTR")))
    answer = await node.patch(f"{LAMP}/attrs/height", {"value": 9})
    assert answer.status == 204
    assert (await node.get(LAMP)).json["height"] == prop(9, unitCode="MTR")


async def test_update_attribute_reads_merge_patch_json(node: Client) -> None:
    await node.post(ENTITIES, lamp(height=prop(8)))
    answer = await node.patch(
        f"{LAMP}/attrs/height", {"value": 9}, headers={"Content-Type": "application/merge-patch+json"}
    )
    assert answer.status == 204
    assert (await seen(node))["height"] == 9


async def test_replace_attribute_forgets_what_is_not_given(node: Client) -> None:
    await node.post(ENTITIES, lamp(height=prop(8, unitCode="MTR")))
    assert (await node.put(f"{LAMP}/attrs/height", prop(9))).status == 204
    assert (await node.get(LAMP)).json["height"] == prop(9)


async def test_delete_attribute_takes_the_instance_that_is_named(node: Client) -> None:
    speed = [prop(1), prop(2, datasetId="urn:d:b"), prop(3, datasetId="urn:d:c")]
    await node.post(ENTITIES, lamp(speed=speed))
    assert (await node.delete(f"{LAMP}/attrs/speed?datasetId=urn:d:b")).status == 204
    assert (await node.delete(f"{LAMP}/attrs/speed?datasetId=b")).status == 400
    assert (await node.get(LAMP)).json["speed"] == [speed[0], speed[2]]
    assert (await node.delete(f"{LAMP}/attrs/speed?datasetId=@none")).status == 204, (
        "the default one (4.5.5.1)"
    )
    assert (await node.get(LAMP)).json["speed"] == speed[2]
    assert (await node.delete(f"{LAMP}/attrs/speed")).status == 404
    assert (await node.delete(f"{LAMP}/attrs/speed?deleteAll=true")).status == 204
    assert "speed" not in await seen(node)


async def test_delete_entity_ends_it(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    assert (await node.delete(LAMP)).status == 204
    assert (await node.get(LAMP)).problem == "ResourceNotFound"
    assert (await node.delete(LAMP)).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/attrs", {"a": prop(1)}),
        ("PATCH", "/attrs", {"a": prop(1)}),
        ("PATCH", "/attrs/a", {"value": 1}),
        ("PUT", "/attrs/a", prop(1)),
        ("DELETE", "/attrs/a", None),
        ("DELETE", "", None),
        ("PATCH", "", {"a": prop(1)}),
        ("PUT", "", lamp()),
        ("GET", "", None),
    ],
)
async def test_operation_answers_404_when_the_entity_does_not_exist(
    node: Client, method: str, path: str, body: Any
) -> None:
    answer = await node.ask(method, LAMP + path, body)
    assert (answer.status, answer.problem) == (404, "ResourceNotFound")


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"value": 1}), ("PUT", prop(1)), ("DELETE", None)])
async def test_operation_answers_404_when_the_attribute_does_not_exist(
    node: Client, method: str, body: Any
) -> None:
    await node.post(ENTITIES, lamp())
    answer = await node.ask(method, f"{LAMP}/attrs/height", body)
    assert (answer.status, answer.problem) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/entities//attrs/", {"a": prop(1)}),
        ("PATCH", "/entities//attrs/", {"a": prop(1)}),
        ("PATCH", "/entities//attrs/a", {"value": 1}),
        ("DELETE", "/entities//attrs/a", None),
        ("GET", "/entities/nouri", None),
        ("DELETE", "/entities/nouri", None),
        ("POST", "/entities/nouri/attrs", {"a": prop(1)}),
        ("PATCH", "/entities/urn:a:1/attrs/a(b", {"value": 1}),
        ("DELETE", "/entities/", None),
    ],
)
async def test_operation_answers_400_when_an_id_is_empty_or_no_uri(
    node: Client, method: str, path: str, body: Any
) -> None:
    answer = await node.ask(method, "/ngsi-ld/v1" + path, body)
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_operation_looks_at_the_type_when_it_is_given(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    assert (await node.get(f"{LAMP}?type=Bus")).status == 404
    assert (await node.patch(f"{LAMP}/attrs?type=Bus", {"powerState": prop("off")})).status == 404
    assert (await node.delete(f"{LAMP}?type=Bus")).status == 404
    assert (await node.delete(f"{LAMP}?type=Bus,Streetlight")).status == 204


async def test_update_attributes_refuses_a_fragment_of_another_entity(node: Client) -> None:
    """5.4: the id of a fragment, if it has one, is that of its target."""
    await node.post(ENTITIES, lamp())
    other = {"id": "urn:ngsi-ld:Streetlight:2", "powerState": prop("off")}
    assert (await node.patch(f"{LAMP}/attrs", other)).problem == "BadRequestData"
    assert (await seen(node))["powerState"] == "on"
    assert (await node.patch(f"{LAMP}/attrs", {**other, "id": lamp()["id"]})).status == 204
