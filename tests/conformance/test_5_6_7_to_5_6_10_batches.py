"""Clauses 5.6.7 to 5.6.10 and 5.6.20: batches answer item by item."""

from typing import Any

import pytest

from cityloom.model.settings import Settings
from tests.conformance.data import BATCH, ENTITIES, lamp, prop
from tests.web.node import Client, running_node


def ids(count: int) -> list[str]:
    return [lamp(number)["id"] for number in range(count)]


async def states(node: Client) -> dict[str, Any]:
    found = (await node.get(f"{ENTITIES}?type=Streetlight&options=keyValues&limit=1000")).json
    return {each["id"]: each.get("powerState") for each in found}


async def test_batch_create_answers_the_ids(node: Client) -> None:
    answer = await node.post(f"{BATCH}/create", [lamp(number) for number in range(3)])
    assert (answer.status, answer.json) == (201, ids(3))
    assert len(await states(node)) == 3


async def test_batch_create_answers_item_by_item_when_some_fail(node: Client) -> None:
    await node.post(ENTITIES, lamp(1))
    broken = lamp(2, speed={"type": "Property"})
    answer = await node.post(f"{BATCH}/create", [lamp(0), lamp(1), broken, 7, {"type": "A"}])
    assert (answer.status, answer.headers["Content-Type"]) == (207, "application/json")
    assert answer.json["success"] == [lamp(0)["id"]]
    problems = [
        (each["entityId"], each["error"]["type"].rpartition("/")[2]) for each in answer.json["errors"]
    ]
    assert sorted(problems) == sorted(
        [
            (lamp(1)["id"], "AlreadyExists"),
            (lamp(2)["id"], "BadRequestData"),
            ("", "BadRequestData"),
            ("", "BadRequestData"),
        ]
    )
    assert set(await states(node)) == {lamp(0)["id"], lamp(1)["id"]}


async def test_batch_upsert_answers_201_with_what_it_made_then_204(node: Client) -> None:
    await node.post(ENTITIES, lamp(0, height=prop(8)))
    off = [lamp(number, powerState=prop("off")) for number in range(2)]
    answer = await node.post(f"{BATCH}/upsert", off)
    assert (answer.status, answer.json) == (201, [lamp(1)["id"]])
    assert (await states(node)) == {lamp(0)["id"]: "off", lamp(1)["id"]: "off"}
    assert "height" not in (await node.get(f"{ENTITIES}/{lamp(0)['id']}")).json
    assert (await node.post(f"{BATCH}/upsert", off)).status == 204


async def test_batch_upsert_keeps_other_attributes_when_update_is_asked(node: Client) -> None:
    await node.post(ENTITIES, lamp(0, height=prop(8)))
    answer = await node.post(f"{BATCH}/upsert?options=update", [lamp(0, powerState=prop("off"))])
    assert answer.status == 204
    found = (await node.get(f"{ENTITIES}/{lamp(0)['id']}?options=keyValues")).json
    assert (found["powerState"], found["height"]) == ("off", 8)


async def test_batch_update_answers_404_items_when_entities_do_not_exist(node: Client) -> None:
    await node.post(ENTITIES, lamp(0))
    off = [lamp(number, powerState=prop("off")) for number in range(2)]
    answer = await node.post(f"{BATCH}/update", off)
    assert answer.status == 207
    assert answer.json["success"] == [lamp(0)["id"]]
    assert answer.json["errors"][0]["entityId"] == lamp(1)["id"]
    assert answer.json["errors"][0]["error"]["status"] == 404
    assert (await node.post(f"{BATCH}/update", off[:1])).status == 204


async def test_batch_merge_merges_and_deletes_with_null(node: Client) -> None:
    await node.post(ENTITIES, lamp(0, height=prop(8)))
    fragment = {
        "id": lamp(0)["id"],
        "type": "Streetlight",
        "height": "urn:ngsi-ld:null",
        "colour": prop("red"),
    }
    assert (await node.post(f"{BATCH}/merge", [fragment])).status == 204
    found = (await node.get(f"{ENTITIES}/{lamp(0)['id']}?options=keyValues")).json
    assert (found["colour"], found["powerState"], "height" in found) == ("red", "on", False)


async def test_batch_delete_answers_item_by_item(node: Client) -> None:
    await node.post(f"{BATCH}/create", [lamp(number) for number in range(3)])
    assert (await node.post(f"{BATCH}/delete", ids(2))).status == 204
    answer = await node.post(f"{BATCH}/delete", [*ids(3)[1:], "no uri", 5])
    assert answer.status == 207
    assert answer.json["success"] == [lamp(2)["id"]]
    assert len(answer.json["errors"]) == 3
    assert await states(node) == {}


@pytest.mark.parametrize("operation", ["create", "upsert", "update", "merge", "delete"])
@pytest.mark.parametrize(("body", "problem"), [([], "BadRequestData"), ({}, "BadRequestData")])
async def test_batch_answers_400_when_it_is_empty_or_no_array(
    node: Client, operation: str, body: Any, problem: str
) -> None:
    answer = await node.post(f"{BATCH}/{operation}", body)
    assert (answer.status, answer.problem) == (400, problem)


async def test_batch_answers_413_when_it_is_over_the_limit(tmp_path: Any) -> None:
    async with running_node(tmp_path, Settings(max_batch=3)) as node:
        answer = await node.post(f"{BATCH}/create", [lamp(number) for number in range(4)])
        assert (answer.status, answer.problem) == (413, "PayloadTooLarge")
        assert await states(node) == {}


async def test_batch_reads_a_context_for_each_entity(node: Client) -> None:
    first = {"@context": {"a": "https://example.org/1/a"}, "id": "urn:a:1", "type": "A", "a": prop(1)}
    other = {"@context": {"a": "https://example.org/2/a"}, "id": "urn:a:2", "type": "A", "a": prop(2)}
    bare = {"id": "urn:a:3", "type": "A", "a": prop(3)}
    answer = await node.post(f"{BATCH}/create", [first, other, bare])
    assert answer.status == 207
    assert answer.json["success"] == ["urn:a:1", "urn:a:2"]
    assert answer.json["errors"][0]["entityId"] == "urn:a:3"
    assert "https://example.org/2/a" in (await node.get(f"{ENTITIES}/urn:a:2")).json


LINK = {"Link": '<http://127.0.0.1:9/c>; rel="http://www.w3.org/ns/json-ld#context"'}


@pytest.mark.parametrize("operation", ["create", "upsert", "update", "merge"])
async def test_batch_mixes_no_ways_of_a_context(node: Client, operation: str) -> None:
    """6.3.5: in application/ld+json in each body, else by the Link header or the core alone."""
    inside = {**lamp(), "@context": {}}
    answer = await node.post(f"{BATCH}/{operation}", [inside], headers=LINK)
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    for body, media_type in (([inside], "application/json"), ([lamp()], "application/ld+json")):
        answer = await node.post(f"{BATCH}/{operation}", body, headers={"Content-Type": media_type})
        assert answer.status == 207
        assert answer.json["errors"][0]["error"]["type"].endswith("BadRequestData")
    assert await states(node) == {}


async def test_batch_expands_with_the_context_of_the_link(node: Client) -> None:
    made = await node.post("/ngsi-ld/v1/jsonldContexts", {"@context": {"aan": "https://example.org/on"}})
    link = {"Link": LINK["Link"].replace("http://127.0.0.1:9/c", node.base + made.headers["Location"])}
    assert (await node.post(f"{BATCH}/create", [lamp(aan=prop(1))], headers=link)).status == 201
    found = (await node.get(f"{ENTITIES}/{lamp()['id']}")).json
    assert found["https://example.org/on"] == prop(1)
