"""Clauses 5.6.17 (merge), 5.6.18 (replace) and 5.6.21 (purge)."""

import pytest

from tests.conformance.data import ENTITIES, lamp, prop
from tests.web.node import Client

LAMP = f"{ENTITIES}/{lamp()['id']}"


async def test_merge_entity_merges_values_and_deletes_with_null(node: Client) -> None:
    await node.post(ENTITIES, lamp(size=prop({"a": 1, "b": 2}), height=prop(8, unitCode="MTR")))
    body = {"size": {"value": {"b": 3, "c": 4}}, "height": {"value": 9}, "powerState": "urn:ngsi-ld:null"}
    assert (await node.patch(LAMP, body)).status == 204
    found = (await node.get(LAMP)).json
    assert found["size"] == prop({"a": 1, "b": 3, "c": 4})
    assert found["height"] == prop(9, unitCode="MTR")
    assert "powerState" not in found


async def test_merge_entity_reads_the_simplified_form(node: Client) -> None:
    await node.post(ENTITIES, lamp(owner={"type": "Relationship", "object": "urn:a:1"}))
    assert (
        await node.patch(f"{LAMP}?options=keyValues", {"owner": "urn:a:2", "powerState": "off"})
    ).status == 204
    found = (await node.get(LAMP)).json
    assert found["owner"] == {"type": "Relationship", "object": "urn:a:2"}
    assert found["powerState"] == prop("off")


async def test_merge_entity_stamps_with_the_common_time(node: Client) -> None:
    await node.post(ENTITIES, lamp(height=prop(8, observedAt="2026-01-01T00:00:00Z"), width=prop(1)))
    body = {"height": prop(9), "width": prop(2)}
    assert (await node.patch(f"{LAMP}?observedAt=2026-02-01T00:00:00Z", body)).status == 204
    found = (await node.get(LAMP)).json
    assert found["height"] == prop(9, observedAt="2026-02-01T00:00:00Z")
    assert found["width"] == prop(2)


async def test_merge_entity_sets_one_language(node: Client) -> None:
    await node.post(ENTITIES, lamp(name={"type": "LanguageProperty", "languageMap": {"en": "a", "fr": "b"}}))
    assert (await node.patch(f"{LAMP}?lang=fr&format=simplified", {"name": "c"})).status == 204
    assert (await node.get(LAMP)).json["name"]["languageMap"] == {"en": "a", "fr": "c"}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("observedAt=yesterday", "BadRequestData"),
        ("format=odd", "InvalidRequest"),
        ("options=odd", "InvalidRequest"),
    ],
)
async def test_merge_entity_answers_400_when_a_parameter_is_invalid(
    node: Client, query: str, problem: str
) -> None:
    await node.post(ENTITIES, lamp())
    answer = await node.patch(f"{LAMP}?{query}", {"powerState": prop("off")})
    assert (answer.status, answer.problem) == (400, problem)


async def test_replace_entity_forgets_what_is_not_given(node: Client) -> None:
    await node.post(ENTITIES, lamp(height=prop(8)))
    created = (await node.get(f"{LAMP}?options=sysAttrs")).json["createdAt"]
    assert (await node.put(LAMP, lamp(powerState=prop("off")))).status == 204
    found = (await node.get(f"{LAMP}?options=sysAttrs")).json
    assert found["powerState"]["value"] == "off"
    assert "height" not in found
    assert found["createdAt"] == created


async def test_replace_entity_answers_400_when_the_id_is_another(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    answer = await node.put(LAMP, lamp(2))
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_purge_deletes_what_the_query_selects(node: Client) -> None:
    for number in range(3):
        await node.post(ENTITIES, lamp(number, height=prop(number)))
    await node.post(ENTITIES, {"id": "urn:a:1", "type": "Bus"})
    assert (await node.delete(f"{ENTITIES}?type=Streetlight&q=height%3E0")).status == 204
    left = (await node.get(f"{ENTITIES}?local=true")).json
    assert {each["id"] for each in left} == {"urn:a:1", lamp(0)["id"]}


async def test_purge_deletes_or_keeps_attributes_when_they_are_named(node: Client) -> None:
    for number in range(2):
        await node.post(ENTITIES, lamp(number, height=prop(number), width=prop(1)))
    assert (await node.delete(f"{ENTITIES}?type=Streetlight&drop=height,location")).status == 204
    found = (await node.get(f"{ENTITIES}?type=Streetlight")).json
    assert all(each.keys() == {"id", "type", "powerState", "width"} for each in found)
    assert (await node.delete(f"{ENTITIES}?type=Streetlight&keep=width")).status == 204
    found = (await node.get(f"{ENTITIES}?type=Streetlight")).json
    assert all(each.keys() == {"id", "type", "width"} for each in found)


@pytest.mark.parametrize("query", ["", "?id=urn:a:1", "?type=A&q=%3D%3D", "?type=A&keep=a&drop=b"])
async def test_purge_answers_400_when_it_is_too_wide_or_invalid(node: Client, query: str) -> None:
    assert (await node.delete(f"{ENTITIES}{query}")).status == 400


async def test_merge_of_the_simplified_form_changes_no_type(node: Client) -> None:
    """Table 6.5.3.4-1: an attempt to do so is BadRequestData."""
    point = {"type": "Point", "coordinates": [1, 2]}
    await node.post(ENTITIES, lamp(height=prop(8), shape={"type": "Property", "value": {"a": 1}}))
    other = {"height": {"type": "Relationship", "object": "urn:a:1"}}
    answer = await node.patch(f"{LAMP}?format=simplified", other)
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert (await node.patch(f"{LAMP}?format=simplified", {"shape": point, "height": 9})).status == 204
    found = (await node.get(LAMP)).json
    assert (found["height"], found["shape"]["type"]) == (prop(9), "Property")
    assert (await node.patch(LAMP, other)).status == 204, "the other forms tell the type themselves"


async def test_purge_that_is_too_wide_answers_400(node: Client) -> None:
    """5.6.21.4: a condition on the system's own times narrows nothing down."""
    await node.post(ENTITIES, lamp())
    for params in ({"q": "createdAt"}, {"attrs": "createdAt"}, {"idPattern": ".*"}, {}):
        assert (await node.ask("DELETE", ENTITIES, params=params)).status == 400
    assert (await node.get(LAMP)).status == 200
