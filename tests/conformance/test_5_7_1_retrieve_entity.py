"""Clause 5.7.1: retrieve an entity, and its representations (6.3.6, 6.3.7, 6.3.11, 6.3.15)."""

from typing import Any

import pytest

from cityloom.ld.core_terms import CORE_URL
from tests.conformance.data import CORE_LINK_REL, ENTITIES, lamp, prop
from tests.web.node import Client

LAMP = f"{ENTITIES}/{lamp()['id']}"
RICH = lamp(
    height=prop(8, unitCode="MTR"),
    owner={"type": "Relationship", "object": "urn:ngsi-ld:Owner:1"},
    name={"type": "LanguageProperty", "languageMap": {"en": "lamp", "fr": "lampe"}},
    speed=[prop(1), prop(2, datasetId="urn:d:b")],
)


@pytest.fixture
async def rich(node: Client) -> Client:
    assert (await node.post(ENTITIES, RICH)).status == 201
    return node


async def test_retrieve_entity_answers_it_as_it_was_written(rich: Client) -> None:
    answer = await rich.get(LAMP)
    assert (answer.status, answer.headers["Content-Type"], answer.json) == (200, "application/json", RICH)
    assert answer.headers["Link"].startswith(f"<{CORE_URL}>")
    assert CORE_LINK_REL in answer.headers["Link"]


@pytest.mark.parametrize("parameter", ["options", "format"])
@pytest.mark.parametrize("form", ["keyValues", "simplified"])
async def test_retrieve_entity_answers_simplified(rich: Client, parameter: str, form: str) -> None:
    found = (await rich.get(f"{LAMP}?{parameter}={form}")).json
    assert (found["height"], found["owner"]) == (8, "urn:ngsi-ld:Owner:1")
    assert found["name"] == {"languageMap": {"en": "lamp", "fr": "lampe"}}
    assert found["speed"] == {"dataset": {"@none": 1, "urn:d:b": 2}}


async def test_retrieve_entity_answers_concise(rich: Client) -> None:
    found = (await rich.get(f"{LAMP}?options=concise")).json
    assert (found["powerState"], found["height"]) == ("on", {"value": 8, "unitCode": "MTR"})
    assert found["owner"] == {"object": "urn:ngsi-ld:Owner:1"}


async def test_retrieve_entity_lets_format_go_before_options(rich: Client) -> None:
    assert (await rich.get(f"{LAMP}?format=normalized&options=keyValues")).json == RICH


async def test_retrieve_entity_tells_the_times_when_asked(rich: Client) -> None:
    found = (await rich.get(f"{LAMP}?options=sysAttrs")).json
    assert found["createdAt"].endswith("Z")
    assert found["powerState"]["modifiedAt"] == found["modifiedAt"]


async def test_retrieve_entity_answers_ld_json_with_the_context_in_the_body(rich: Client) -> None:
    answer = await rich.get(LAMP, headers={"Accept": "application/ld+json"})
    assert answer.headers["Content-Type"] == "application/ld+json"
    assert "Link" not in answer.headers
    assert answer.json["@context"] == CORE_URL


@pytest.mark.parametrize("prefer", [None, "body=ld+json"])
async def test_retrieve_entity_answers_geojson(rich: Client, prefer: str | None) -> None:
    headers = {"Accept": "application/geo+json", **({"Prefer": prefer} if prefer else {})}
    answer = await rich.get(f"{LAMP}?options=keyValues", headers=headers)
    assert answer.headers["Content-Type"] == "application/geo+json"
    feature = answer.json
    assert (feature["type"], feature["id"]) == ("Feature", RICH["id"])
    assert feature["geometry"] == RICH["location"]["value"]
    assert feature["properties"]["height"] == 8
    assert feature["@context"] == CORE_URL


async def test_retrieve_entity_tells_the_context_of_geojson_by_link_when_preferred(rich: Client) -> None:
    headers = {"Accept": "application/geo+json", "Prefer": "body=json"}
    answer = await rich.get(LAMP, headers=headers)
    assert "@context" not in answer.json
    assert CORE_LINK_REL in answer.headers["Link"]


@pytest.mark.parametrize(
    ("query", "members"),
    [
        ("attrs=height,owner", {"id", "type", "height", "owner"}),
        ("pick=id,height", {"id", "height"}),
        ("omit=height,owner,speed,name,location", {"id", "type", "powerState"}),
        ("datasetId=urn:d:b", {"id", "type", "speed"}),
    ],
)
async def test_retrieve_entity_answers_the_members_asked_for(
    rich: Client, query: str, members: set[str]
) -> None:
    assert (await rich.get(f"{LAMP}?{query}")).json.keys() == members


async def test_retrieve_entity_answers_one_language(rich: Client) -> None:
    found = (await rich.get(f"{LAMP}?lang=fr")).json["name"]
    assert found == {"type": "Property", "value": "lampe", "lang": "fr"}


async def test_retrieve_entity_answers_404_when_none_of_attrs_is_there(rich: Client) -> None:
    answer = await rich.get(f"{LAMP}?attrs=nothing")
    assert (answer.status, answer.problem) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("query", "status", "problem"),
    [
        ("geometryProperty=location", 400, "BadRequestData"),
        ("format=odd", 400, "InvalidRequest"),
        ("options=odd", 400, "InvalidRequest"),
        ("options=temporalValues", 400, "InvalidRequest"),
        ("limit=1", 400, "InvalidRequest"),
        ("pick=owner%7Bname%7D", 400, "BadRequestData"),
        ("join=odd", 400, "InvalidRequest"),
        ("joinLevel=1", 400, "BadRequestData"),
        ("entityMap=maybe", 400, "BadRequestData"),
    ],
)
async def test_retrieve_entity_refuses_parameters(
    rich: Client, query: str, status: int, problem: str
) -> None:
    answer = await rich.get(f"{LAMP}?{query}")
    assert (answer.status, answer.problem) == (status, problem)


OWNER = {"id": "urn:ngsi-ld:Owner:1", "type": "Owner", "name": prop("Ann"), "age": prop(40)}


@pytest.fixture
async def linked(rich: Client) -> Client:
    owner = {**OWNER, "boss": {"type": "Relationship", "object": RICH["id"]}}
    assert (await rich.post(ENTITIES, owner)).status == 201
    return rich


async def test_retrieve_entity_joins_inline(linked: Client) -> None:
    found = (await linked.get(f"{LAMP}?join=inline")).json
    assert found["owner"]["object"] == OWNER["id"]
    assert found["owner"]["entity"]["name"] == prop("Ann")
    assert "entity" not in found["owner"]["entity"]["boss"]


async def test_retrieve_entity_joins_two_levels_and_projects_them(linked: Client) -> None:
    query = "join=inline&joinLevel=2&pick=owner%7Bname,boss%7Bheight%7D%7D"
    found: dict[str, Any] = (await linked.get(f"{LAMP}?{query}")).json
    assert found.keys() == {"owner"}
    entity = found["owner"]["entity"]
    assert entity.keys() == {"name", "boss"}
    assert entity["boss"]["entity"] == {"height": RICH["height"]}


async def test_retrieve_entity_does_not_follow_where_it_came_from(linked: Client) -> None:
    found = (await linked.get(f"{LAMP}?join=inline&joinLevel=2&containedBy={RICH['id']}")).json
    assert "entity" not in found["owner"]["entity"]["boss"]


async def test_retrieve_entity_joins_flat(linked: Client) -> None:
    found = (await linked.get(f"{LAMP}?join=flat&options=keyValues")).json
    assert [each["id"] for each in found] == [RICH["id"], OWNER["id"]]


async def test_flat_join_projects_linked_entities_by_their_path(node: Client) -> None:
    """4.5.23.3 with 4.21: names in braces hold for the linked entity, in either representation."""
    city = {"id": "urn:ngsi-ld:City:1", "type": "City", "name": prop("Boston"), "size": prop(3)}
    house = {
        "id": "urn:ngsi-ld:House:1",
        "type": "House",
        "name": prop("Town hall"),
        "in": {"type": "Relationship", "object": city["id"]},
    }
    for document in (city, house):
        assert (await node.post(ENTITIES, document)).status == 201
    path = f"{ENTITIES}/{house['id']}"
    flat = (await node.get(path, params={"join": "flat", "pick": "id,in{name}"})).json
    assert [set(one) for one in flat] == [{"id", "in"}, {"name"}]
    unfollowed = (await node.get(path, params={"join": "flat", "pick": "id,name"})).json
    assert [one["id"] for one in unfollowed] == [house["id"]]


async def test_retrieve_entity_answers_404_when_the_projection_leaves_nothing(node: Client) -> None:
    document = {"id": "urn:ngsi-ld:City:1", "type": "City", "name": prop("Boston")}
    assert (await node.post(ENTITIES, document)).status == 201
    for params in ({"pick": "unknown"}, {"omit": "id,type,name"}):
        assert (await node.get(f"{ENTITIES}/{document['id']}", params=params)).status == 404


async def test_flat_join_is_an_array_where_nothing_is_linked(node: Client) -> None:
    """4.5.23.3: always."""
    await node.post(ENTITIES, lamp(owner={"type": "Relationship", "object": "urn:ngsi-ld:Person:none"}))
    found = (await node.get(f"{ENTITIES}/{lamp()['id']}?join=flat")).json
    assert [each["id"] for each in found] == [lamp()["id"]]


@pytest.mark.parametrize(
    ("lang", "text", "told"),
    [
        ("en", "lamp", "en"),
        ("FR", "lampe", "fr"),
        ("fr-CH", "lampe", "fr"),
        ("de,fr;q=0.2", "lampe", "fr"),
        ("fr;q=0.2,en;q=0.9", "lamp", "en"),
        ("de", "lamp", "en"),
        ("*", "lamp", "en"),
    ],
)
async def test_language_filter_tells_one_language(rich: Client, lang: str, text: str, told: str) -> None:
    """4.15, C.2.2: a Property with the language that was chosen, plain text in the simplified form."""
    found = (await rich.get(LAMP, params={"lang": lang})).json["name"]
    assert found == {"type": "Property", "value": text, "lang": told}
    concise = (await rich.get(LAMP, params={"lang": lang, "format": "concise"})).json["name"]
    assert concise == {"value": text, "lang": told}
    assert (await rich.get(LAMP, params={"lang": lang, "format": "simplified"})).json["name"] == text


@pytest.mark.parametrize("lang", ["", ";q=1", "en;q=2", "en;x=1", "en,,fr"])
async def test_language_filter_that_is_none_answers_400(node: Client, lang: str) -> None:
    """RFC 3282: whether or not there are texts to choose from."""
    await node.post(ENTITIES, lamp())
    answer = await node.get(LAMP, params={"lang": lang})
    assert (answer.status, answer.problem) == (400, "BadRequestData")
