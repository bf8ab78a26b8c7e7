"""Clauses 4.5.23 and 4.9: what an entity is linked to, retrieved with it and asked for in conditions."""

from pathlib import Path

import pytest

from cityloom.model.settings import Settings
from tests.conformance.data import BATCH, ENTITIES, prop
from tests.web.node import Client, running_node

CAR, PARK, ANN, BOB = (f"urn:ngsi-ld:{name}" for name in ("Car:1", "Park:1", "Person:ann", "Person:bob"))
NONE = "urn:ngsi-ld:none"
POINT = {"type": "Point", "coordinates": [1, 2]}


def to(*ids: str, **more: object) -> dict[str, object]:
    return {"type": "Relationship", "object": ids[0] if len(ids) == 1 else list(ids), **more}


TOWN = [
    {
        "id": CAR,
        "type": "Car",
        "name": prop("car"),
        "parkedAt": to(PARK, objectType="Park"),
        "people": to(ANN, BOB),
        "route": {
            "type": "ListRelationship",
            "objectList": [{"object": BOB}, {"object": NONE}, {"object": ANN}],
        },
        "owners": [to(ANN), to(BOB, datasetId="urn:ngsi-ld:Set:1")],
        "location": {"type": "GeoProperty", "value": POINT},
    },
    {"id": PARK, "type": "Park", "name": prop("park"), "keeper": to(ANN), "full": to(CAR)},
    {"id": ANN, "type": "Person", "name": prop("ann"), "knows": to(BOB)},
    {"id": BOB, "type": "Person", "name": prop("bob"), "knows": to(ANN), "age": prop(40)},
]


@pytest.fixture
async def town(node: Client) -> Client:
    assert (await node.post(f"{BATCH}/create", TOWN)).status == 201
    return node


async def found(town: Client, q: str, **params: str) -> list[str]:
    answer = await town.get(ENTITIES, params={"type": "Car", "join": "inline", "q": q, **params})
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.json]


@pytest.mark.parametrize(
    ("q", "is_found"),
    [
        ('parkedAt{name}=="park"', True),
        ('parkedAt{name}=="bob"', False),
        ('parkedAt{name}!="bob"', True),
        ("parkedAt{unknown}", False),
        ("parkedAt{Park:name}", True),
        ("parkedAt{Person:name}", False),
        ("people{Park,Person:age}>39", True),
        ('route{name}=="ann"', True),
        ('owners{name}=="bob"', True),
        ('name{name}=="car"', False),
        ('parkedAt{name}=="x"|people{age}==40;name=="car"', True),
        ('(parkedAt{name}=="x"|name=="car");people{age}==41', False),
    ],
)
async def test_conditions_reach_linked_entities(town: Client, q: str, is_found: bool) -> None:
    """4.9: any linked entity of one of the types of the hint that meets the condition."""
    assert await found(town, q) == [CAR] * is_found
    body = {"type": "Query", "entities": [{"type": "Car"}], "join": "flat", "q": q, "pick": ["id"]}
    assert (await town.post(f"{BATCH}/query", body)).json == [{"id": CAR}] * is_found


async def test_conditions_reach_as_deep_as_entities_are_joined(town: Client) -> None:
    """5.7.2.4: no join, or one that is not so deep, is BadRequestData."""
    q = 'parkedAt{keeper{knows{name}}}=="bob"'
    assert await found(town, q, joinLevel="3") == [CAR]
    for params in ({"joinLevel": "2", "join": "flat"}, {"join": "@none"}, {}):
        answer = await town.get(ENTITIES, params={"type": "Car", "q": q, **params})
        assert (answer.status, answer.problem) == (400, "BadRequestData"), params


async def test_conditions_on_linked_entities_hold_in_counts_and_pages(town: Client) -> None:
    params = {
        "type": "Person",
        "join": "flat",
        "q": "knows{name}",
        "limit": "1",
        "count": "true",
        "pick": "id",
    }
    first = await town.get(ENTITIES, params=params)
    assert (first.headers["NGSILD-Results-Count"], first.json) == ("2", [{"id": ANN}])
    second = await town.get(ENTITIES, params={**params, "offset": "1"})
    assert second.json == [{"id": BOB}]


async def test_cycles_end_at_the_level_asked_for(town: Client) -> None:
    """4.5.23.1: cascades, duplicates and loops are limited."""
    answer = await town.get(f"{ENTITIES}/{ANN}?join=inline&joinLevel=3&format=simplified&pick=knows")
    assert answer.json["knows"]["knows"]["knows"]["knows"] == ANN
    flat = await town.get(f"{ENTITIES}/{ANN}?join=flat&joinLevel=10&format=simplified")
    assert [one["id"] for one in flat.json] == [ANN, BOB]


@pytest.mark.parametrize("form", ["normalized", "concise", "simplified"])
async def test_lists_of_relationships_are_joined_in_their_order(town: Client, form: str) -> None:
    """4.5.23.2, C.2.2: what is missing is left out, what is there stands in the order of the list."""
    answer = (await town.get(f"{ENTITIES}/{CAR}?join=inline&format={form}&pick=route")).json["route"]
    listed = [BOB, NONE, ANN]
    if form == "simplified":
        assert [one if one == NONE else one["id"] for one in answer] == listed
        return
    assert [one["id"] for one in answer["entityList"]] == [BOB, ANN]
    assert answer["objectList"] == (listed if form == "concise" else [{"object": one} for one in listed])


async def test_one_of_several_is_told_in_an_array(node: Client) -> None:
    """Table 5.2.6-2: several objects, several entities, though they be one, or some be missing."""
    first = {"id": ANN, "type": "Person", "one": to(BOB), "many": {**to(BOB), "object": [BOB, NONE]}}
    assert (await node.post(f"{BATCH}/create", [first, {"id": BOB, "type": "Person"}])).status == 201
    path, bob = f"{ENTITIES}/{ANN}?join=inline", {"id": BOB, "type": "Person"}
    found = (await node.get(path)).json
    assert (found["one"]["entity"], found["many"]["entity"]) == (bob, [bob])
    simple = (await node.get(f"{path}&format=simplified")).json
    assert (simple["one"], simple["many"]) == (bob, [bob, NONE])
    missing = {**to(NONE), "entity": bob, "type": "Relationship"}
    assert (await node.patch(f"{ENTITIES}/{ANN}/attrs/one", missing)).status == 204, "entity is output only"
    assert (await node.get(f"{path}&format=simplified")).json["one"] == NONE


async def test_instances_of_a_relationship_are_joined_each_by_itself(town: Client) -> None:
    """4.5.4, 4.5.5: and a dataset that is not asked for leads nowhere."""
    owners = (await town.get(f"{ENTITIES}/{CAR}?join=inline&pick=owners")).json["owners"]
    assert [one["entity"]["name"]["value"] for one in owners] == ["ann", "bob"]
    simple = (await town.get(f"{ENTITIES}/{CAR}?join=inline&pick=owners&format=simplified")).json["owners"]
    assert {key: one["name"] for key, one in simple["dataset"].items()} == {
        "@none": "ann",
        "urn:ngsi-ld:Set:1": "bob",
    }
    chosen = await town.get(f"{ENTITIES}/{CAR}?join=flat&pick=id,owners&datasetId=urn:ngsi-ld:Set:1")
    assert [one["id"] for one in chosen.json] == [CAR, BOB]


async def test_joined_answers_come_as_geojson(town: Client) -> None:
    """4.5.16 with 4.5.23: inline one Feature with the entities inside, flat a Feature of each."""
    accept = {"Accept": "application/geo+json"}
    inline = (
        await town.get(f"{ENTITIES}/{CAR}?join=inline&pick=id,type,parkedAt,location", headers=accept)
    ).json
    assert (inline["type"], inline["geometry"]) == ("Feature", POINT)
    assert inline["properties"]["parkedAt"]["entity"]["id"] == PARK
    flat = (await town.get(f"{ENTITIES}/{CAR}?join=flat&pick=id,parkedAt", headers=accept)).json
    assert [(one["id"], one["type"]) for one in flat["features"]] == [(CAR, "Feature"), (PARK, "Feature")]


async def test_entities_met_before_are_not_followed(town: Client) -> None:
    """Table 6.4.3.2-1: containedBy; they stay out of flat answers too."""
    params = {"type": "Car", "join": "flat", "joinLevel": "2", "containedBy": f"{ANN},{BOB}"}
    assert [one["id"] for one in (await town.get(ENTITIES, params=params)).json] == [CAR, PARK]


async def test_conditions_reach_entities_at_other_sources(node: Client, tmp_path: Path) -> None:
    """4.9 across sources: here the linking entity, there the linked one."""
    (tmp_path / "there").mkdir()
    async with running_node(tmp_path / "there", Settings()) as there:
        for client, document in ((node, TOWN[0]), (there, TOWN[1])):
            assert (await client.post(ENTITIES, document)).status == 201
        registration = {
            "type": "ContextSourceRegistration",
            "endpoint": there.base,
            "information": [{"entities": [{"type": "Park"}]}],
        }
        assert (await node.post("/ngsi-ld/v1/csourceRegistrations", registration)).status == 201
        for split in ("true", "false"):
            assert await found(node, 'parkedAt{name}=="park"', splitEntities=split) == [CAR]
            assert await found(node, 'parkedAt{name}=="bob"', splitEntities=split) == []
