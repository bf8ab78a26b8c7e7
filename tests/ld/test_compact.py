"""Entities to documents: the forms, GeoJSON, languages, linked entities and what changed."""

from __future__ import annotations

from typing import Any

import pytest

from cityloom.ld.compact import Form, compact_attribute, compact_collection, compact_entity
from cityloom.ld.context import LdContext, compile_context
from cityloom.ld.expand import expand_entity
from cityloom.ld.language import check_languages, choose_language
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, NULL, Attribute, Entity
from cityloom.model.errors import BadRequestData

CORE = LdContext.core
ID = "urn:ngsi-ld:Vehicle:A4567"
NOON = "2026-05-01T12:00:00Z"
CONCISE = Form(representation="concise")
SIMPLIFIED = Form(representation="simplified")

VEHICLE: dict[str, Any] = {
    "id": ID,
    "type": "Vehicle",
    "brandName": {"type": "Property", "value": "Mercedes"},
    "street": {"type": "LanguageProperty", "languageMap": {"fr": "Grand Place", "nl": "Grote Markt"}},
    "isParked": {
        "type": "Relationship",
        "object": "urn:ngsi-ld:OffStreetParking:Downtown1",
        "objectType": "OffStreetParking",
        "observedAt": NOON,
        "providedBy": {"type": "Relationship", "object": "urn:ngsi-ld:Person:Bob"},
    },
    "category": {"type": "VocabProperty", "vocab": "non-commercial"},
    "tyreTreadDepths": {"type": "ListProperty", "valueList": [300, 6], "unitCode": "MMT"},
    "passengers": {"type": "Relationship", "object": ["urn:ngsi-ld:Person:A", "urn:ngsi-ld:Person:B"]},
    "route": {
        "type": "ListRelationship",
        "objectList": [{"object": "urn:ngsi-ld:City:1"}, {"object": "urn:ngsi-ld:City:2"}],
    },
    "ticket": {"type": "JsonProperty", "json": {"id": "85a6", "value": None}},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [13.4, 52.5]}},
}
ENTITY = expand_entity(VEHICLE, CORE)


def test_compact_entity_normalized_is_what_was_written() -> None:
    assert compact_entity(ENTITY, CORE) == VEHICLE


def test_compact_entity_concise_leaves_out_what_can_be_told() -> None:
    assert compact_entity(ENTITY, CORE, CONCISE) == {
        "id": ID,
        "type": "Vehicle",
        "brandName": "Mercedes",
        "street": {"languageMap": {"fr": "Grand Place", "nl": "Grote Markt"}},
        "isParked": {
            "object": "urn:ngsi-ld:OffStreetParking:Downtown1",
            "objectType": "OffStreetParking",
            "observedAt": NOON,
            "providedBy": {"object": "urn:ngsi-ld:Person:Bob"},
        },
        "category": {"vocab": "non-commercial"},
        "tyreTreadDepths": {"valueList": [300, 6], "unitCode": "MMT"},
        "passengers": {"object": ["urn:ngsi-ld:Person:A", "urn:ngsi-ld:Person:B"]},
        "route": {"objectList": ["urn:ngsi-ld:City:1", "urn:ngsi-ld:City:2"]},
        "ticket": {"json": {"id": "85a6", "value": None}},
        "location": {"type": "Point", "coordinates": [13.4, 52.5]},
    }


def test_compact_entity_simplified_keeps_values() -> None:
    assert compact_entity(ENTITY, CORE, SIMPLIFIED) == {
        "id": ID,
        "type": "Vehicle",
        "brandName": "Mercedes",
        "street": {"languageMap": {"fr": "Grand Place", "nl": "Grote Markt"}},
        "isParked": "urn:ngsi-ld:OffStreetParking:Downtown1",
        "category": {"vocab": "non-commercial"},
        "tyreTreadDepths": [300, 6],
        "passengers": ["urn:ngsi-ld:Person:A", "urn:ngsi-ld:Person:B"],
        "route": ["urn:ngsi-ld:City:1", "urn:ngsi-ld:City:2"],
        "ticket": {"json": {"id": "85a6", "value": None}},
        "location": {"type": "Point", "coordinates": [13.4, 52.5]},
    }


def test_compact_entity_renders_multi_attributes() -> None:
    speeds = [
        Attribute(kind="Property", value=55),
        Attribute(kind="Property", value=54.5, dataset_id="urn:ngsi-ld:gps"),
    ]
    entity = Entity(id=ID, types=[DEFAULT_VOCAB + "Vehicle"], attributes={DEFAULT_VOCAB + "speed": speeds})
    assert compact_entity(entity, CORE)["speed"] == [
        {"type": "Property", "value": 55},
        {"type": "Property", "value": 54.5, "datasetId": "urn:ngsi-ld:gps"},
    ]
    assert compact_entity(entity, CORE, CONCISE)["speed"] == [
        {"value": 55},
        {"value": 54.5, "datasetId": "urn:ngsi-ld:gps"},
    ]
    assert compact_entity(entity, CORE, SIMPLIFIED)["speed"] == {
        "dataset": {"@none": 55, "urn:ngsi-ld:gps": 54.5}
    }


def test_compact_entity_shows_system_times_on_request_only() -> None:
    attribute = Attribute(kind="Property", value=1, created_at="c", modified_at="m", expires_at="e")
    entity = Entity(
        id=ID,
        types=["T:a", "T:b"],
        scopes=["/a"],
        attributes={DEFAULT_VOCAB + "a": [attribute]},
        created_at="c",
        modified_at="m",
        expires_at="e",
    )
    plain = {"id": ID, "type": ["T:a", "T:b"], "scope": "/a"}
    assert compact_entity(entity, CORE) == {**plain, "a": {"type": "Property", "value": 1}}
    times = {"createdAt": "c", "modifiedAt": "m", "expiresAt": "e"}
    assert compact_entity(entity, CORE, Form(sys_attrs=True)) == {
        **plain,
        **times,
        "a": {"type": "Property", "value": 1, **times},
    }
    concise = Form(sys_attrs=True, representation="concise")
    assert compact_entity(entity, CORE, concise)["a"] == {"value": 1, **times}


def test_compact_entity_renders_what_a_projection_left() -> None:
    assert compact_entity(
        Entity(attributes={DEFAULT_VOCAB + "a": [Attribute(kind="Property", value=1)]}), CORE
    ) == {"a": {"type": "Property", "value": 1}}


def test_compact_entity_as_feature() -> None:
    feature = compact_entity(ENTITY, CORE, Form(geojson=True))
    assert feature["id"] == ID
    assert feature["type"] == "Feature"
    assert feature["geometry"] == {"type": "Point", "coordinates": [13.4, 52.5]}
    assert feature["properties"] == {key: value for key, value in VEHICLE.items() if key != "id"}
    simple = compact_entity(ENTITY, CORE, Form(geojson=True, representation="simplified"))
    assert simple["properties"]["location"] == {"type": "Point", "coordinates": [13.4, 52.5]}
    assert compact_collection([feature])["features"] == [feature]


def test_compact_entity_as_feature_chooses_its_geometry() -> None:
    point = {"type": "Point", "coordinates": [1, 2]}
    other = {"type": "Point", "coordinates": [3, 4]}
    places = [
        Attribute(kind="GeoProperty", value=other, dataset_id="urn:x:1"),
        Attribute(kind="GeoProperty", value=point),
    ]
    entity = Entity(
        id=ID, types=["T:t"], attributes={LOCATION: places, "urn:x:p": [Attribute(kind="Property", value=1)]}
    )
    assert compact_entity(entity, CORE, Form(geojson=True))["geometry"] == point
    assert (
        compact_entity(entity, CORE, Form(geojson=True, geometry_datasets=("urn:x:1",)))["geometry"] == other
    )
    for form in (
        Form(geojson=True, geometry_datasets=("urn:x:2",)),
        Form(geojson=True, geometry_property="urn:x:none"),
        Form(geojson=True, geometry_property="urn:x:p"),
    ):
        assert compact_entity(entity, CORE, form)["geometry"] is None


@pytest.mark.parametrize(
    ("ranges", "tag"),
    [
        ("fr", "fr"),
        ("FR", "fr"),
        ("fr-BE", "fr"),
        ("nl-BE,fr;q=0.5", "nl"),
        ("fr;q=0.5,nl;q=0.9", "nl"),
        ("de,nl;q=0.1", "nl"),
        ("nl;q=0,fr", "fr"),
        ("zh", "zh-Hant-TW"),
        ("pt", "@none"),
        ("*", "@none"),
        ("*,fr;q=0.1", "@none"),
        ("nl,*;q=0.5", "nl"),
    ],
)
def test_choose_language_follows_weights_then_order(ranges: str, tag: str) -> None:
    texts = {"fr": "a", "nl": "b", "zh-Hant-TW": "c", "@none": "d"}
    assert choose_language(texts, ranges) == (tag, texts[tag])


def test_choose_language_takes_any_when_nothing_fits() -> None:
    assert choose_language({"nl": "b", "fr": "a"}, "en") == ("nl", "b")


@pytest.mark.parametrize("ranges", ["", "fr;q=x", "fr;q=2", "fr;x=1", ",", "fr;q=nan", "f" * 2000 + ";q=9"])
def test_choose_language_refuses_what_is_no_list_of_ranges(ranges: str) -> None:
    with pytest.raises(BadRequestData, match="lang is invalid"):
        choose_language({"fr": "a"}, ranges)
    with pytest.raises(BadRequestData, match="lang is invalid"):
        check_languages(ranges)


def test_compact_entity_with_a_language_makes_plain_properties() -> None:
    for representation, expected in (
        ("normalized", {"type": "Property", "value": "Grand Place", "lang": "fr"}),
        ("concise", {"value": "Grand Place", "lang": "fr"}),
        ("simplified", "Grand Place"),
    ):
        form = Form(representation=representation, lang="fr")  # type: ignore[arg-type]
        assert compact_entity(ENTITY, CORE, form)["street"] == expected


def test_compact_entity_joins_linked_entities() -> None:
    cities = {
        f"urn:ngsi-ld:City:{number}": Entity(
            id=f"urn:ngsi-ld:City:{number}",
            types=[DEFAULT_VOCAB + "City"],
            attributes={DEFAULT_VOCAB + "name": [Attribute(kind="Property", value=f"City {number}")]},
        )
        for number in (1, 2)
    }
    bob = Entity(
        id="urn:ngsi-ld:Person:A",
        types=[DEFAULT_VOCAB + "Person"],
        attributes={DEFAULT_VOCAB + "home": [Attribute(kind="Relationship", value="urn:ngsi-ld:City:1")]},
    )
    seen: list[tuple[tuple[str, ...], str]] = []

    def linked(path: tuple[str, ...], id: str) -> Entity | None:
        seen.append((path, id))
        return {**cities, bob.id: bob}.get(id) if len(path) < 3 else None

    city = {"id": "urn:ngsi-ld:City:1", "type": "City", "name": {"type": "Property", "value": "City 1"}}
    document = compact_entity(ENTITY, CORE, linked=linked)
    assert document["route"]["entityList"][0] == city
    assert len(document["route"]["entityList"]) == 2
    assert document["passengers"]["entity"][0]["home"]["entity"] == city
    assert "entity" not in document["isParked"]
    assert ((DEFAULT_VOCAB + "passengers", DEFAULT_VOCAB + "home"), "urn:ngsi-ld:City:1") in seen
    concise = compact_entity(ENTITY, CORE, CONCISE, linked=linked)
    assert concise["route"]["entityList"][1]["name"] == "City 2"
    simple = compact_entity(ENTITY, CORE, SIMPLIFIED, linked=linked)
    assert [one["name"] for one in simple["route"]] == ["City 1", "City 2"]
    assert [one if type(one) is str else one["home"]["name"] for one in simple["passengers"]] == [
        "City 1",
        "urn:ngsi-ld:Person:B",
    ]
    assert simple["isParked"] == "urn:ngsi-ld:OffStreetParking:Downtown1"


def test_compact_entity_shows_what_was_before() -> None:
    name = DEFAULT_VOCAB + "a"
    entity = Entity(id=ID, types=["T:t"], attributes={name: [Attribute(kind="Property", value=2)]})
    previous = {(name, ""): Attribute(kind="Property", value=1)}
    assert compact_entity(entity, CORE, previous=previous)["a"] == {
        "type": "Property",
        "value": 2,
        "previousValue": 1,
    }
    assert compact_entity(entity, CORE, CONCISE, previous=previous)["a"] == {"value": 2, "previousValue": 1}
    for kind, value, member, told in (
        ("Relationship", "urn:x:1", "previousObject", "urn:x:1"),
        ("LanguageProperty", {"en": "x"}, "previousLanguageMap", {"en": "x"}),
        ("VocabProperty", DEFAULT_VOCAB + "v", "previousVocab", "v"),
        ("ListProperty", [1], "previousValueList", [1]),
        ("ListRelationship", ["urn:x:1"], "previousObjectList", [{"object": "urn:x:1"}]),
        ("JsonProperty", {"a": 1}, "previousJson", {"a": 1}),
    ):
        before = Attribute(kind=kind, value=value)  # type: ignore[arg-type]
        assert compact_entity(entity, CORE, previous={(name, ""): before})["a"][member] == told


@pytest.mark.parametrize(
    ("kind", "stored", "member", "told"),
    [
        ("Property", NULL, "value", NULL),
        ("Relationship", NULL, "object", NULL),
        ("LanguageProperty", NULL, "languageMap", {"@none": NULL}),
        ("LanguageProperty", {"@none": NULL}, "languageMap", {"@none": NULL}),
        ("VocabProperty", NULL, "vocab", NULL),
        ("ListProperty", NULL, "valueList", [NULL]),
        ("ListRelationship", [NULL], "objectList", [NULL]),
        ("JsonProperty", NULL, "json", NULL),
    ],
)
def test_compact_entity_tells_deletions(kind: Any, stored: Any, member: str, told: Any) -> None:
    gone = Attribute(kind=kind, value=stored, deleted_at=NOON)
    entity = Entity(id=ID, types=["T:t"], attributes={"urn:x:a": [gone]})
    assert compact_entity(entity, CORE)["urn:x:a"] == {"type": kind, member: told}
    assert compact_entity(entity, CORE, Form(representation="concise"))["urn:x:a"] == NULL
    assert compact_entity(entity, CORE, SIMPLIFIED)["urn:x:a"] == NULL
    full = {"type": kind, member: told, "deletedAt": NOON}
    assert compact_entity(entity, CORE, Form(sys_attrs=True))["urn:x:a"] == full
    dataset = Entity(
        id=ID, attributes={"urn:x:a": [Attribute(kind=kind, value=stored, dataset_id="urn:x:d")]}
    )
    assert compact_entity(dataset, CORE)["urn:x:a"] == {"type": kind, member: told, "datasetId": "urn:x:d"}
    before = {("urn:x:a", ""): Attribute(kind="Property", value=1)}
    assert compact_entity(entity, CORE, previous=before)["urn:x:a"] == {
        "type": kind,
        member: told,
        "previousValue": 1,
    }


def test_compact_entity_tells_the_deletion_of_the_entity() -> None:
    assert compact_entity(Entity(id=ID, types=[DEFAULT_VOCAB + "T"], deleted_at=NOON), CORE) == {
        "id": ID,
        "type": "T",
        "deletedAt": NOON,
    }


def test_compact_entity_renders_full_names_where_the_context_has_none() -> None:
    mine = compile_context(
        {"Vehicle": "https://a.example/Vehicle", "speed": "https://a.example/speed"}, lambda url: None
    )
    entity = expand_entity({"id": ID, "type": "Vehicle", "speed": 1}, mine)
    assert compact_entity(entity, mine, CONCISE) == {"id": ID, "type": "Vehicle", "speed": 1}
    assert compact_entity(entity, CORE, CONCISE) == {
        "id": ID,
        "type": "https://a.example/Vehicle",
        "https://a.example/speed": 1,
    }


def test_compact_entity_keeps_seals_plain() -> None:
    proof = {"type": "Property", "value": {"a": 1}, "entityIdSealed": ID, "entityTypeSealed": "Vehicle"}
    document = {"id": ID, "type": "T", "a": {"type": "Property", "value": 1, "ngsildproof": proof}}
    assert compact_entity(expand_entity(document, CORE), CORE) == document


def test_compact_attribute_renders_what_stands_under_a_name() -> None:
    name = DEFAULT_VOCAB + "a"
    one = Attribute(kind="Property", value=1)
    assert compact_attribute(name, [one], CORE, SIMPLIFIED) == 1
    assert compact_attribute(name, [one], CORE) == {"type": "Property", "value": 1}
