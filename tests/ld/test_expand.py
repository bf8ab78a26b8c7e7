"""Documents to entities, clause by clause: what is read, and what is refused with its place."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cityloom.ld.context import LdContext, compile_context
from cityloom.ld.expand import expand_entity
from cityloom.ld.limits import Limits
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, NULL, Attribute, Entity
from cityloom.model.errors import BadRequestData

CORE = LdContext.core
ID = "urn:ngsi-ld:Vehicle:1"
NOON = "2026-05-01T12:00:00Z"


def read(**members: Any) -> Entity:
    return expand_entity({"id": ID, "type": "Vehicle", **members}, CORE)


def one(value: Any) -> Attribute:
    return read(a=value).attributes[DEFAULT_VOCAB + "a"][0]


def refused(value: Any, why: str) -> None:
    with pytest.raises(BadRequestData, match=why):
        read(a=value)


def test_expand_entity_reads_id_type_scope_and_expiry() -> None:
    entity = read(scope="/Madrid", expiresAt=NOON)
    assert (entity.id, entity.types) == (ID, [DEFAULT_VOCAB + "Vehicle"])
    assert (entity.scopes, entity.expires_at) == (["/Madrid"], NOON)
    several = expand_entity(
        {"@id": ID, "@type": ["Vehicle", "Home", "Vehicle"], "scope": ["/a/b", "c"]}, CORE
    )
    assert several.types == [DEFAULT_VOCAB + "Vehicle", DEFAULT_VOCAB + "Home"]
    assert several.scopes == ["/a/b", "c"]


def test_expand_entity_ignores_what_only_the_system_sets() -> None:
    entity = read(
        createdAt=NOON,
        modifiedAt=NOON,
        deletedAt=NOON,
        a={"type": "Property", "value": 1, "createdAt": NOON, "modifiedAt": "x", "instanceId": "urn:x:1"},
    )
    assert entity.created_at is None
    assert entity.attributes[DEFAULT_VOCAB + "a"] == [Attribute(kind="Property", value=1)]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (5, "no JSON object"),
        ([], "no JSON object"),
        ({"type": "Vehicle"}, "id is required"),
        ({"id": ID}, "type is required"),
        ({"id": "no uri", "type": "Vehicle"}, "id is invalid"),
        ({"id": "Vehicle1", "type": "Vehicle"}, "id is invalid"),
        ({"id": 5, "type": "Vehicle"}, "id is invalid"),
        ({"id": "", "type": "Vehicle"}, "id is invalid"),
        ({"id": "urn:x:%zz", "type": "Vehicle"}, "id is invalid"),
        ({"id": "urn:x:" + "a" * 9000, "type": "Vehicle"}, "id is invalid"),
        ({"id": NULL, "type": "Vehicle"}, "id is invalid"),
        ({"id": ID, "@id": ID, "type": "Vehicle"}, "two ids"),
        ({"id": ID, "type": []}, "type is invalid"),
        ({"id": ID, "type": 5}, "type is invalid"),
        ({"id": ID, "type": ["a", 5]}, "type is invalid"),
        ({"id": ID, "type": "9a"}, "the name '9a' is invalid"),
        ({"id": ID, "type": NULL}, "type is invalid"),
        ({"id": ID, "type": "a", "@type": "b"}, "twice"),
        ({"id": ID, "type": "a", "scope": "9/a"}, "scope is invalid"),
        ({"id": ID, "type": "a", "scope": "/a//b"}, "scope is invalid"),
        ({"id": ID, "type": "a", "scope": []}, "scope is invalid"),
        ({"id": ID, "type": "a", "scope": NULL}, "scope is invalid"),
        ({"id": ID, "type": "a", "expiresAt": "tomorrow"}, "expiresAt is invalid"),
        ({"id": ID, "type": "a", "expiresAt": NULL}, "expiresAt is invalid"),
        ({"id": ID, "type": "a", "b-c": 1}, "the name 'b-c' is invalid"),
        ({"id": ID, "type": "a", "": 1}, "is invalid"),
        ({"id": ID, "type": "a", "@foo": 1}, "is invalid"),
        ({"id": ID, "type": "a", "@value": 1}, "is invalid"),
        ({"id": ID, "type": "a", "datasetId": 1}, "cannot be an attribute's name"),
        ({"id": ID, "type": "a", "observedAt": NOON}, "cannot be an attribute's name"),
        ({"id": ID, "type": "a", "value": 1}, "cannot be an attribute's name"),
        ({"id": ID, "type": "a", "unitCode": "CEL"}, "cannot be an attribute's name"),
        ({"id": ID, "type": "a", "b": NULL}, "b is invalid"),
        ({"id": ID, "type": "a", "b": None}, "b is invalid: null"),
    ],
)
def test_expand_entity_refuses(document: Any, why: str) -> None:
    with pytest.raises(BadRequestData, match=why):
        expand_entity(document, CORE)


def test_expand_entity_refuses_a_name_that_the_context_hides() -> None:
    hiding = compile_context({"secret": None}, lambda url: None)
    with pytest.raises(BadRequestData, match="gives it no meaning"):
        expand_entity({"id": ID, "type": "a", "secret": 1}, hiding)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        # normalized
        ({"type": "Property", "value": 5}, "Property", 5),
        ({"type": "Property", "value": False}, "Property", False),
        ({"type": "Property", "value": []}, "Property", []),
        ({"type": "Relationship", "object": "urn:x:1"}, "Relationship", "urn:x:1"),
        ({"type": "Relationship", "object": ["urn:x:1", "urn:x:2"]}, "Relationship", ["urn:x:1", "urn:x:2"]),
        (
            {"type": "LanguageProperty", "languageMap": {"fr": "oui", "@none": ["a", "b"]}},
            "LanguageProperty",
            {"fr": "oui", "@none": ["a", "b"]},
        ),
        (
            {"type": "VocabProperty", "vocab": "non-commercial"},
            "VocabProperty",
            DEFAULT_VOCAB + "non-commercial",
        ),
        (
            {"type": "VocabProperty", "vocab": ["a", "urn:x:b"]},
            "VocabProperty",
            [DEFAULT_VOCAB + "a", "urn:x:b"],
        ),
        ({"type": "ListProperty", "valueList": [1, [2], "c"]}, "ListProperty", [1, [2], "c"]),
        (
            {"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}, "urn:x:2"]},
            "ListRelationship",
            ["urn:x:1", "urn:x:2"],
        ),
        (
            {"type": "JsonProperty", "json": {"id": "5", "null": None, "@x": [1]}},
            "JsonProperty",
            {"id": "5", "null": None, "@x": [1]},
        ),
        (
            {"type": "https://uri.etsi.org/ngsi-ld/Property", "https://uri.etsi.org/ngsi-ld/hasValue": 1},
            "Property",
            1,
        ),
        # concise
        (5, "Property", 5),
        ("text", "Property", "text"),
        ([1, 2], "Property", [1, 2]),
        ({"value": 5}, "Property", 5),
        ({"object": "urn:x:1"}, "Relationship", "urn:x:1"),
        ({"languageMap": {"fr": "oui"}}, "LanguageProperty", {"fr": "oui"}),
        ({"vocab": "a"}, "VocabProperty", DEFAULT_VOCAB + "a"),
        ({"valueList": [1]}, "ListProperty", [1]),
        ({"objectList": ["urn:x:1"]}, "ListRelationship", ["urn:x:1"]),
        ({"json": [{"a": 1}]}, "JsonProperty", [{"a": 1}]),
        ({"street": "x"}, "Property", {DEFAULT_VOCAB + "street": "x"}),
        ({}, "Property", {}),
        ({"type": "Point", "coordinates": [1, 2]}, "GeoProperty", {"type": "Point", "coordinates": [1, 2]}),
        (
            {"value": {"type": "Point", "coordinates": [1, 2]}},
            "GeoProperty",
            {"type": "Point", "coordinates": [1, 2]},
        ),
        # a geometry as the value of what is said to be a mere property, and one written as a string
        (
            {"type": "Property", "value": {"type": "Point", "coordinates": [1, 2]}},
            "Property",
            {
                "@type": "https://purl.org/geojson/vocab#Point",
                "https://purl.org/geojson/vocab#coordinates": [1, 2],
            },
        ),
        (
            {"type": "GeoProperty", "value": '{"type":"Point","coordinates":[1,2]}'},
            "GeoProperty",
            {"type": "Point", "coordinates": [1, 2]},
        ),
    ],
)
def test_expand_entity_reads_every_kind(value: Any, kind: str, expected: Any) -> None:
    attribute = one(value)
    assert (attribute.kind, attribute.value) == (kind, expected)


def test_expand_entity_reads_members_of_an_attribute() -> None:
    attribute = one(
        {
            "type": "Property",
            "value": 5,
            "observedAt": "2026-05-01T12:00:00,123456Z",
            "unitCode": "CEL",
            "datasetId": "urn:ngsi-ld:d:1",
            "valueType": "DateTime",
            "expiresAt": NOON,
            "source": {"object": "urn:x:sensor", "objectType": ["Device", "Sensor"]},
            "accuracy": 0.9,
        }
    )
    assert attribute == Attribute(
        kind="Property",
        value=5,
        observed_at="2026-05-01T12:00:00,123456Z",
        unit_code="CEL",
        dataset_id="urn:ngsi-ld:d:1",
        value_type="https://uri.etsi.org/ngsi-ld/DateTime",
        expires_at=NOON,
        attributes={
            DEFAULT_VOCAB + "source": [
                Attribute(
                    kind="Relationship",
                    value="urn:x:sensor",
                    object_type=[DEFAULT_VOCAB + "Device", DEFAULT_VOCAB + "Sensor"],
                )
            ],
            DEFAULT_VOCAB + "accuracy": [Attribute(kind="Property", value=0.9)],
        },
    )


def test_expand_entity_reads_multi_attributes() -> None:
    instances = [
        {"type": "Property", "value": 1},
        {"value": 2, "datasetId": "urn:x:2"},
        {"type": "Relationship", "object": "urn:x:o", "datasetId": "urn:x:3"},
    ]
    found = read(a=instances).attributes[DEFAULT_VOCAB + "a"]
    assert [(one.kind, one.dataset_id) for one in found] == [
        ("Property", ""),
        ("Property", "urn:x:2"),
        ("Relationship", "urn:x:3"),
    ]
    assert one({"value": 1, "datasetId": "@none"}).dataset_id == ""
    simplified = read(a={"dataset": {"@none": 1, "urn:x:2": {"vocab": "b"}}}).attributes[DEFAULT_VOCAB + "a"]
    assert simplified == [
        Attribute(kind="Property", value=1),
        Attribute(kind="VocabProperty", value=DEFAULT_VOCAB + "b", dataset_id="urn:x:2"),
    ]


def test_expand_entity_joins_names_that_mean_the_same() -> None:
    entity = read(**{"a": 1, DEFAULT_VOCAB + "a": {"value": 2, "datasetId": "urn:x:2"}})
    assert len(entity.attributes[DEFAULT_VOCAB + "a"]) == 2
    with pytest.raises(BadRequestData, match="two instances have no datasetId"):
        read(**{"a": 1, DEFAULT_VOCAB + "a": 2})


def test_expand_entity_expands_the_keys_of_values_but_not_of_raw_json() -> None:
    context = compile_context(
        {
            "street": "https://schema.org/streetAddress",
            "raw": {"@id": "https://a.example/raw", "@type": "@json"},
            "a": "https://a.example/a",
        },
        lambda url: None,
    )
    value = {"type": "PostalAddress", "street": "x", "raw": {"street": None}, "list": [{"street": 1}]}
    entity = expand_entity({"id": ID, "type": "T", "a": {"type": "Property", "value": value}}, context)
    assert entity.attributes["https://a.example/a"][0].value == {
        "@type": DEFAULT_VOCAB + "PostalAddress",
        "https://schema.org/streetAddress": "x",
        "https://a.example/raw": {"street": None},
        DEFAULT_VOCAB + "list": [{"https://schema.org/streetAddress": 1}],
    }


def test_expand_entity_keeps_a_json_literal_of_null() -> None:
    assert one({"type": "Property", "value": {"@type": "@json", "@value": None}}).value == {
        "@type": "@json",
        "@value": None,
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"type": "Property"}, "a.value is required"),
        ({"type": "Relationship"}, "a.object is required"),
        ({"type": "LanguageProperty", "value": 1}, "a.value is invalid"),
        ({"type": "Nonsense", "value": 1}, "a.type is invalid"),
        ({"type": 5, "value": 1}, "a.type is invalid"),
        ({"type": "PostalAddress", "street": "x"}, "a.type is invalid"),
        ({"type": "Property", "value": None}, "a.value is invalid: null"),
        ({"type": "Property", "value": NULL}, "a.value is invalid"),
        ({"type": "Property", "value": {"b": NULL}}, "a.value.b is invalid"),
        ({"type": "Property", "value": {"b": [None]}}, "a.value.b is invalid: null"),
        ({"type": "Property", "value": math.nan}, "no number of JSON"),
        ({"type": "Property", "value": -math.inf}, "no number of JSON"),
        ({"type": "Property", "value": 10**400}, "out of range"),
        ({"type": "Property", "value": "\ud800"}, "surrogate"),
        ({"type": "Property", "value": {"\ud800": 1}}, "surrogate"),
        ({"type": "Property", "value": {"@context": {}}}, "cannot stand inside"),
        ({"type": "Property", "value": {"@foo": 1}}, "is invalid"),
        ({"type": "Property", "value": {"type": 5}}, "type of an object"),
        ({"type": "Property", "value": {"b": 1, DEFAULT_VOCAB + "b": 2}}, "means the same"),
        ({"type": "Property", "value": 1, "@context": {}}, "@context"),
        ({"type": "Property", "value": 1, "object": "urn:x:1"}, "a.object is invalid"),
        ({"type": "Property", "value": 1, "entity": {}}, "a.entity is invalid"),
        ({"type": "Property", "value": 1, "previousObject": "urn:x:1"}, "previousObject is invalid"),
        ({"type": "Property", "value": 1, "objectType": "T"}, "objectType is invalid"),
        ({"type": "Property", "value": 1, "lang": "en"}, "lang is invalid"),
        ({"value": 1, "lang": "en"}, "lang is invalid"),
        ({"type": "Property", "value": 1, "unitCode": 5}, "unitCode is invalid"),
        ({"type": "Property", "value": 1, "unitCode": ""}, "unitCode is invalid"),
        ({"type": "Property", "value": 1, "unitCode": NULL}, "unitCode is invalid"),
        ({"type": "Property", "value": 1, "observedAt": "2026-05-01"}, "observedAt is invalid"),
        (
            {"type": "Property", "value": 1, "observedAt": "2026-05-01T12:00:00+02:00"},
            "observedAt is invalid",
        ),
        ({"type": "Property", "value": 1, "observedAt": "2026-05-01T12:00Z"}, "observedAt is invalid"),
        ({"type": "Property", "value": 1, "observedAt": "2026-02-30T12:00:00Z"}, "observedAt is invalid"),
        ({"type": "Property", "value": 1, "observedAt": {"type": "Property", "value": NOON}}, "observedAt"),
        ({"type": "Property", "value": 1, "observedAt": None}, "observedAt is invalid"),
        ({"type": "Property", "value": 1, "datasetId": "no uri"}, "datasetId is invalid"),
        ({"type": "Property", "value": 1, "datasetId": NULL}, "cannot be deleted"),
        ({"type": "Property", "value": 1, "type ": 1}, "the name 'type ' is invalid"),
        ({"type": "Property", "@type": "Property", "value": 1}, "twice"),
        ({"type": "Property", "value": 1, "entityIdSealed": "urn:x:1"}, "ngsildproof"),
        ({"type": "Property", "value": 1, "b": None}, "a.b is invalid: null"),
        ({"type": "Property", "value": 1, "b": {"type": "Property"}}, "a.b.value is required"),
        ({"observedAt": NOON}, "a.value is required"),
        ({"type": "Relationship", "object": "no uri"}, "a.object is invalid"),
        ({"type": "Relationship", "object": []}, "a.object is invalid"),
        ({"type": "Relationship", "object": ["urn:x:1", 5]}, "a.object is invalid"),
        ({"type": "Relationship", "object": {"id": "urn:x:1"}}, "a.object is invalid"),
        ({"type": "Relationship", "object": NULL}, "a.object is invalid"),
        ({"type": "Relationship", "object": "urn:x:1", "unitCode": "CEL"}, "unitCode is invalid"),
        ({"type": "Relationship", "object": "urn:x:1", "value": 1}, "a.value is invalid"),
        ({"type": "Relationship", "object": "urn:x:1", "objectType": "9x"}, "9x"),
        ({"type": "LanguageProperty", "languageMap": "x"}, "languageMap is invalid"),
        ({"type": "LanguageProperty", "languageMap": {}}, "languageMap is invalid"),
        ({"type": "LanguageProperty", "languageMap": {"": "x"}}, "no language tag"),
        ({"type": "LanguageProperty", "languageMap": {"not a tag": "x"}}, "no language tag"),
        ({"type": "LanguageProperty", "languageMap": {"en": 5}}, "string or an array"),
        ({"type": "LanguageProperty", "languageMap": {"en": ["a", 5]}}, "string or an array"),
        ({"type": "LanguageProperty", "languageMap": {"@none": NULL}}, "languageMap is invalid"),
        ({"type": "LanguageProperty", "languageMap": {"en": NULL, "fr": "x"}}, "in a merge only"),
        ({"type": "LanguageProperty", "languageMap": {"en": "x"}, "unitCode": "CEL"}, "unitCode is invalid"),
        (
            {"type": "LanguageProperty", "languageMap": {"en": "x"}, "valueType": "string"},
            "valueType is invalid",
        ),
        ({"type": "VocabProperty", "vocab": 5}, "vocab is invalid"),
        ({"type": "VocabProperty", "vocab": []}, "vocab is invalid"),
        ({"type": "VocabProperty", "vocab": ""}, "vocab is invalid"),
        ({"type": "VocabProperty", "vocab": "x", "unitCode": "CEL"}, "unitCode is invalid"),
        ({"type": "VocabProperty", "vocab": NULL}, "vocab is invalid"),
        ({"type": "ListProperty", "valueList": 5}, "no array"),
        ({"type": "ListProperty", "valueList": [None]}, "null"),
        ({"type": "ListProperty", "valueList": [NULL]}, "valueList is invalid"),
        ({"type": "ListRelationship", "objectList": "urn:x:1"}, "no array"),
        ({"type": "ListRelationship", "objectList": ["no uri"]}, "objectList is invalid"),
        (
            {"type": "ListRelationship", "objectList": [{"object": "urn:x:1", "b": 1}]},
            "objectList is invalid",
        ),
        ({"type": "ListRelationship", "objectList": [{"object": NULL}]}, "objectList is invalid"),
        ({"type": "JsonProperty", "json": "text"}, "json is invalid"),
        ({"type": "JsonProperty", "json": {"a": math.nan}}, "no number of JSON"),
        ({"type": "JsonProperty", "json": {}, "unitCode": "CEL"}, "unitCode is invalid"),
        ([{"value": 1}, {"value": 2}], "two instances have no datasetId"),
        ([{"value": 1, "datasetId": "urn:x:1"}, {"value": 2, "datasetId": "urn:x:1"}], "datasetId urn:x:1"),
        ([{"value": 1}, 5], "mixes instances"),
        ({"dataset": {}}, "dataset is invalid"),
        ({"dataset": {"no uri": 1}}, "no URI"),
        ({"values": [[1, NOON]], "type": "Property"}, "values is invalid"),
        (object(), "no JSON value"),
    ],
)
def test_expand_entity_refuses_an_attribute(value: Any, why: str) -> None:
    refused(value, why)


@pytest.mark.parametrize(
    ("geometry", "why"),
    [
        ({"type": "GeometryCollection", "geometries": []}, "no GeoJSON geometry"),
        ({"type": "Point"}, "no GeoJSON geometry"),
        ("{", "holds no GeoJSON"),
        ("[" * 100_000, "holds no GeoJSON"),
        (5, "no GeoJSON geometry"),
        ({"type": "Point", "coordinates": []}, "a position is"),
        ({"type": "Point", "coordinates": [1]}, "a position is"),
        ({"type": "Point", "coordinates": [[1, 2]]}, "a position is"),
        ({"type": "Point", "coordinates": ["1", 2]}, "no finite number"),
        ({"type": "Point", "coordinates": [True, 2]}, "no finite number"),
        ({"type": "Point", "coordinates": [math.nan, 2]}, "no finite number"),
        ({"type": "Point", "coordinates": [181, 2]}, "no longitude"),
        ({"type": "Point", "coordinates": [1, -91]}, "no longitude"),
        ({"type": "Point", "coordinates": [1, 2], "crs": math.nan}, "no number of JSON"),
        ({"type": "Point", "coordinates": [1, 2], "bbox": [1]}, "bbox"),
        ({"type": "LineString", "coordinates": [[1, 2]]}, "two positions"),
        ({"type": "MultiLineString", "coordinates": [[[1, 2]]]}, "two positions"),
        ({"type": "LineString", "coordinates": [1, 2]}, "a position is"),
        ({"type": "MultiPoint", "coordinates": []}, "is empty"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}, "four positions"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}, "four positions"),
        ({"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 1], [0, 1]]]]}, "four positions"),
        ({"type": "Polygon", "coordinates": [[0, 0], [1, 0], [1, 1], [0, 0]]}, "a position is"),
    ],
)
def test_expand_entity_refuses_an_invalid_geometry(geometry: Any, why: str) -> None:
    with pytest.raises(BadRequestData, match=why):
        read(location={"type": "GeoProperty", "value": geometry})


def test_expand_entity_keeps_foreign_members_of_a_geometry_under_value_only() -> None:
    point = {"type": "Point", "coordinates": [1, 2], "observedAt": NOON, "bbox": [1, 2, 1, 2]}
    assert read(location={"value": point}).attributes[LOCATION][0].value == point
    with pytest.raises(BadRequestData, match=r"location\.observedAt is invalid"):
        read(location=point)


def test_expand_entity_accepts_a_polygon_that_crosses_itself() -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    assert read(location=bow).attributes[LOCATION][0].value == bow


@pytest.mark.parametrize("value", [5, {"type": "Property", "value": 5}, {"object": "urn:x:1"}])
def test_expand_entity_refuses_a_location_that_is_no_geoproperty(value: Any) -> None:
    with pytest.raises(BadRequestData, match="location is invalid"):
        read(location=value)


def test_expand_entity_holds_to_its_limits() -> None:
    tight = Limits(depth=6, string=10, vertices=3, url=20)
    deep: Any = 1
    for _ in range(10):
        deep = {"x": deep}
    deep_attribute: Any = {"value": 1}
    for _ in range(10):
        deep_attribute = {"value": 1, "b": deep_attribute}
    for value, why in (
        (deep, "deeper than 6"),
        ({"type": "JsonProperty", "json": deep}, "deeper than 6"),
        ([[[[[[[1]]]]]]], "deeper than 6"),
        (deep_attribute, "deeper than 6"),
        ("x" * 11, "longer than 10"),
        ({"type": "MultiPoint", "coordinates": [[1, 2]] * 4}, "more than 3 vertices"),
        ({"object": "urn:x:" + "y" * 30}, "at most 20"),
    ):
        with pytest.raises(BadRequestData, match=why):
            expand_entity({"id": "urn:x:1", "type": "T", "a": value}, CORE, limits=tight)
    with pytest.raises(BadRequestData, match="longer than 20"):
        expand_entity({"id": "urn:x:1", "type": "T", "a" * 21: 1}, CORE, limits=tight)


def test_expand_entity_survives_nesting_that_would_exhaust_the_stack() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    for value in (deep, {"type": "JsonProperty", "json": deep}, {"value": deep}):
        with pytest.raises(BadRequestData, match="deeper than"):
            read(a=value)


def test_expand_entity_reads_a_proof_with_its_seals() -> None:
    proof = {
        "type": "Property",
        "value": {"type": "DataIntegrityProof", "proofValue": "z3X"},
        "entityIdSealed": ID,
        "entityTypeSealed": "Vehicle",
    }
    attribute = one({"type": "Property", "value": 1, "ngsildproof": proof})
    (found,) = attribute.attributes[DEFAULT_VOCAB + "ngsildproof"]
    assert found.attributes[DEFAULT_VOCAB + "entityIdSealed"][0].value == ID
    refused({"type": "Property", "value": 1, "ngsildproof": {**proof, "entityIdSealed": 5}}, "string")
