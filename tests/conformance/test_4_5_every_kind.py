"""Clauses 4.5.1 to 4.5.24, 5.5.8, 5.5.12 and 5.6: each kind of attribute through each operation and form."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.conformance.data import BATCH, DEFAULT, ENTITIES, prop
from tests.web.node import Client

NULL = "urn:ngsi-ld:null"
ID = "urn:ngsi-ld:Thing:1"
AT = f"{ENTITIES}/{ID}"
LINE = {"type": "LineString", "coordinates": [[0.0, 0.0], [1.0, 1.0]]}
SPOT = {"type": "Point", "coordinates": [1.0, 2.0]}
KINDS: dict[str, tuple[str, Any, Any]] = {
    "Property": ("value", 1, {"deep": [1, {"er": True}]}),
    "GeoProperty": ("value", SPOT, LINE),
    "Relationship": ("object", "urn:a:1", ["urn:a:2", "urn:a:3"]),
    "LanguageProperty": ("languageMap", {"en": "x"}, {"fr": "y", "zh": ["z"]}),
    "VocabProperty": ("vocab", "bright", ["dim", "off"]),
    "JsonProperty": ("json", {"id": 1}, [None, {"type": "raw"}]),
    "ListProperty": ("valueList", [1, 2], ["a"]),
    "ListRelationship": ("objectList", [{"object": "urn:a:1"}], [{"object": "urn:a:2"}]),
}
"""By kind: the member of its value, and two values."""

Write = Callable[[Client, Any], Awaitable[Any]]
WRITES: dict[str, Write] = {
    "append": lambda node, x: node.post(f"{AT}/attrs", {"x": x}),
    "update": lambda node, x: node.patch(f"{AT}/attrs", {"x": x}),
    "replace attribute": lambda node, x: node.put(f"{AT}/attrs/x", x),
    "replace entity": lambda node, x: node.put(AT, thing(x=x)),
    "batch upsert": lambda node, x: node.post(f"{BATCH}/upsert", [thing(x=x)]),
    "batch update": lambda node, x: node.post(f"{BATCH}/update", [thing(x=x)]),
}
CHANGES: dict[str, Write] = {
    **WRITES,
    "partial update": lambda node, x: node.patch(f"{AT}/attrs/x", x),
}


def thing(**attributes: Any) -> dict[str, Any]:
    return {"id": ID, "type": "Thing", **attributes}


async def held(node: Client, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = (await node.get(AT + query)).json
    return found


@pytest.mark.parametrize("operation", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
async def test_operation_gives_an_attribute_of_each_kind_its_new_value(
    node: Client, kind: str, operation: str
) -> None:
    member, value, other = KINDS[kind]
    assert (await node.post(ENTITIES, thing(x={"type": kind, member: value}))).status == 201
    before = (await held(node, "?options=sysAttrs"))["x"]
    answer = await CHANGES[operation](node, {"type": kind, member: other})
    assert answer.status == 204, answer.body
    after = (await held(node, "?options=sysAttrs"))["x"]
    assert {name: after[name] for name in ("type", member)} == {"type": kind, member: other}
    assert after["modifiedAt"] > before["modifiedAt"]
    if operation not in ("replace entity", "batch upsert"):
        assert after["createdAt"] == before["createdAt"]


@pytest.mark.parametrize("kind", KINDS)
async def test_merge_takes_each_kind(node: Client, kind: str) -> None:
    """5.5.12: values that are objects are merged, others replaced."""
    member, value, _ = KINDS[kind]
    await node.post(ENTITIES, thing(x={"type": kind, member: value}))
    fragment, merged = {
        "Property": (7, 7),
        "GeoProperty": (LINE, LINE),
        "LanguageProperty": ({"fr": "y"}, {"en": "x", "fr": "y"}),
        "JsonProperty": ({"more": 2}, {"more": 2}),
    }.get(kind, (KINDS[kind][2], KINDS[kind][2]))
    assert (await node.patch(AT, {"x": {"type": kind, member: fragment}})).status == 204
    told = (await held(node))["x"]
    if kind == "JsonProperty" and told[member] != merged:
        merged = {**value, **fragment}
    assert told == {"type": kind, member: merged}


@pytest.mark.parametrize(
    ("kind", "concise", "simplified"),
    [
        ("Property", 1, 1),
        ("GeoProperty", SPOT, SPOT),
        ("Relationship", {"object": "urn:a:1"}, "urn:a:1"),
        ("LanguageProperty", {"languageMap": {"en": "x"}}, {"languageMap": {"en": "x"}}),
        ("VocabProperty", {"vocab": "bright"}, {"vocab": "bright"}),
        ("JsonProperty", {"json": {"id": 1}}, {"json": {"id": 1}}),
        ("ListProperty", {"valueList": [1, 2]}, [1, 2]),
        ("ListRelationship", {"objectList": ["urn:a:1"]}, ["urn:a:1"]),
    ],
)
async def test_short_forms_of_each_kind(node: Client, kind: str, concise: Any, simplified: Any) -> None:
    member, value, _ = KINDS[kind]
    await node.post(ENTITIES, thing(x={"type": kind, member: value}))
    assert (await held(node, "?format=concise"))["x"] == concise
    assert (await held(node, "?format=simplified"))["x"] == simplified
    feature = await node.get(f"{AT}?format=simplified", headers={"Accept": "application/geo+json"})
    assert feature.json["properties"]["x"] == simplified
    if kind != "GeoProperty":
        assert feature.json["geometry"] is None


@pytest.mark.parametrize("kind", KINDS)
async def test_concise_form_is_read_as_the_kind_that_it_shows(node: Client, kind: str) -> None:
    member, value, _ = KINDS[kind]
    assert (await node.post(ENTITIES, thing(x={member: value}))).status == 201
    assert (await held(node))["x"] == {"type": kind, member: value}


SUB = {
    "observedAt": "2026-01-01T00:00:00Z",
    "accuracy": prop(0.1),
    "by": {"type": "Relationship", "object": "urn:a:9"},
}


@pytest.mark.parametrize("kind", KINDS)
async def test_sub_attributes_and_times_belong_to_every_kind(node: Client, kind: str) -> None:
    member, value, other = KINDS[kind]
    whole = {"type": kind, member: value, **SUB}
    assert (await node.post(ENTITIES, thing(x=whole))).status == 201
    assert (await held(node))["x"] == whole
    assert (await node.patch(f"{AT}/attrs/x", {member: other, "accuracy": NULL})).status == 204
    assert (await held(node))["x"] == {
        "type": kind,
        member: other,
        **{k: v for k, v in SUB.items() if k != "accuracy"},
    }


@pytest.mark.parametrize("name", ["location", "observationSpace", "operationSpace"])
async def test_places_of_the_core_context_come_and_go(node: Client, name: str) -> None:
    """4.7.3: GeoProperties of an entity by default."""
    place = {"type": "GeoProperty", "value": SPOT}
    assert (await node.post(ENTITIES, thing(**{name: place}))).status == 201
    assert (await node.patch(f"{AT}/attrs", {name: {"type": "GeoProperty", "value": LINE}})).status == 204
    assert (await held(node))[name]["value"] == LINE
    assert (await node.post(f"{AT}/attrs", {name: place})).status == 204
    found = await node.get(f"{ENTITIES}?georel=equals&geometry=Point&coordinates=[1,2]&geoproperty={name}")
    assert [each["id"] for each in found.json] == [ID]
    assert (await node.delete(f"{AT}/attrs/{name}")).status == 204
    assert name not in await held(node)


DATASETS = [prop(1), prop(2, datasetId="urn:d:b"), prop(3, datasetId="urn:d:c")]


@pytest.mark.parametrize("way", ["update", "merge", "partial update"])
@pytest.mark.parametrize(("dataset", "left"), [(None, DATASETS[1:]), ("urn:d:b", [DATASETS[0], DATASETS[2]])])
async def test_null_takes_the_instance_of_its_dataset(
    node: Client, way: str, dataset: str | None, left: list[Any]
) -> None:
    """5.5.8 and 5.5.12."""
    await node.post(ENTITIES, thing(x=DATASETS))
    gone = prop(NULL, **({"datasetId": dataset} if dataset else {}))
    answer = await {
        "update": lambda: node.patch(f"{AT}/attrs", {"x": gone}),
        "merge": lambda: node.patch(AT, {"x": gone}),
        "partial update": lambda: node.patch(f"{AT}/attrs/x", gone),
    }[way]()
    assert answer.status == 204, answer.body
    assert (await held(node))["x"] == left


async def test_scope_is_set_added_to_and_deleted(node: Client) -> None:
    """4.18, 5.6.2.4, 5.6.3.4."""
    await node.post(ENTITIES, thing(scope="/a"))
    assert (await node.patch(f"{AT}/attrs", {"scope": ["/b", "/c/d"]})).status == 204
    assert (await held(node))["scope"] == ["/b", "/c/d"]
    assert (await node.post(f"{AT}/attrs", {"scope": "/e"})).status == 204
    assert "/e" in (await held(node))["scope"]
    assert (await node.put(AT, thing(scope="/f", x=prop(1)))).status == 204
    assert (await held(node))["scope"] == "/f"
    assert (await node.delete(f"{AT}/attrs/scope")).status == 204
    assert "scope" not in await held(node)


@pytest.mark.parametrize("way", ["append", "update", "merge", "batch update", "batch merge"])
async def test_types_are_added_to_those_that_are_there(node: Client, way: str) -> None:
    """4.6.2 and 5.6: an entity has the types of its life."""
    await node.post(ENTITIES, thing(x=prop(1)))
    more = {"type": ["Other"], "x": prop(2)}
    answer = await {
        "append": lambda: node.post(f"{AT}/attrs", more),
        "update": lambda: node.patch(f"{AT}/attrs", more),
        "merge": lambda: node.patch(AT, more),
        "batch update": lambda: node.post(f"{BATCH}/update", [{"id": ID, **more}]),
        "batch merge": lambda: node.post(f"{BATCH}/merge", [{"id": ID, **more}]),
    }[way]()
    assert answer.status == 204, answer.body
    assert sorted((await held(node))["type"]) == ["Other", "Thing"]


@pytest.mark.parametrize(
    ("operation", "state"),
    [("create", 1), ("upsert", 2), ("upsert?options=update", 2), ("update", 2), ("merge", 2)],
)
async def test_batch_with_an_id_twice_takes_what_its_clause_says(
    node: Client, operation: str, state: int
) -> None:
    """5.6.7.4 to 5.6.9.4: created once; changes go one after the other."""
    if operation != "create":
        await node.post(ENTITIES, thing(x=prop(0)))
    twice = [thing(x=prop(1)), thing(x=prop(2))]
    answer = await node.post(f"{BATCH}/{operation}", twice)
    if operation == "create":
        assert (answer.status, answer.json["success"]) == (207, [ID])
        assert answer.json["errors"][0]["error"]["type"].endswith("AlreadyExists")
    assert (await held(node))["x"]["value"] == state


async def test_batch_update_without_overwriting_tells_what_it_left(node: Client) -> None:
    await node.post(ENTITIES, thing(x=prop(0)))
    answer = await node.post(f"{BATCH}/update?options=noOverwrite", [thing(x=prop(1), y=prop(1))])
    assert answer.status == 207
    assert ID in [each["entityId"] for each in answer.json["errors"]]
    found = await held(node, "?format=simplified")
    assert (found["x"], found["y"]) == (0, 1)


BAD: list[Any] = [
    {"type": "Property"},
    {"type": "Property", "value": None},
    {"type": "Relationship", "object": "no uri"},
    {"type": "Relationship", "object": 7},
    {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1]}},
    {"type": "GeoProperty", "value": "here"},
    {"type": "LanguageProperty", "languageMap": "en"},
    {"type": "VocabProperty", "vocab": 7},
    {"type": "ListProperty", "valueList": 7},
    {"type": "ListRelationship", "objectList": ["no uri"]},
    {"type": "JsonProperty"},
    {"type": "Odd", "value": 1},
    {"type": "Property", "value": 1, "observedAt": "then"},
    {"type": "Property", "value": 1, "datasetId": "no uri"},
    {"type": "Property", "value": 1, "unitCode": 7},
    {"type": "Property", "value": NULL},
]


@pytest.mark.parametrize("operation", WRITES)
async def test_operation_refuses_an_attribute_that_is_none(node: Client, operation: str) -> None:
    """5.5.4: BadRequestData, and nothing is changed."""
    whole = thing(x=prop(1))
    await node.post(ENTITIES, whole)
    for bad in BAD:
        if operation in ("update", "batch update") and bad == BAD[-1]:
            continue
        answer = await WRITES[operation](node, bad)
        if operation.startswith("batch"):
            assert answer.status == 207, (bad, answer.body)
            assert answer.json["errors"][0]["error"]["type"].endswith("BadRequestData"), bad
        else:
            assert (answer.status, answer.problem) == (400, "BadRequestData"), bad
        assert await held(node) == whole, bad


async def test_names_of_values_are_expanded_where_they_are_names(node: Client) -> None:
    """4.5.20 VocabProperty: terms of the @context; other values are left alone."""
    words = {"@context": {"bright": "https://example.org/bright"}}
    x = {"type": "VocabProperty", "vocab": "bright"}
    assert (await node.post(ENTITIES, {**thing(x=x, y=prop("bright")), **words})).status == 201
    found = await held(node)
    assert found["x"]["vocab"] == "https://example.org/bright"
    assert found["y"]["value"] == "bright"
    assert (await node.get(f"{ENTITIES}?q=x==%22dim%22")).json == []
    plain = await node.get(f"{ENTITIES}?q=x==%22https://example.org/bright%22")
    assert [each["id"] for each in plain.json] == [ID]
    assert DEFAULT not in str(found)
