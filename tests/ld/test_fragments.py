"""Fragments and evolutions: what may be left out, deleted, or stand many times."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from cityloom.ld.context import LdContext
from cityloom.ld.expand import (
    expand_attribute,
    expand_attribute_fragment,
    expand_attributes,
    expand_entity,
    expand_fragment,
)
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, NULL, Attribute, Entity
from cityloom.model.errors import BadRequestData

CORE = LdContext.core
ID = "urn:ngsi-ld:Vehicle:1"
NOON = "2026-05-01T12:00:00Z"


def fragment(value: Any, operation: Any = "merge") -> Attribute:
    entity = expand_fragment({"a": value}, CORE, operation=operation)
    return entity.attributes[DEFAULT_VOCAB + "a"][0]


@pytest.mark.parametrize("operation", ["merge", "update"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (NULL, ""),
        ({"type": "Property", "value": NULL}, "Property"),
        ({"value": NULL}, "Property"),
        ({"type": "GeoProperty", "value": NULL}, "GeoProperty"),
        ({"object": NULL}, "Relationship"),
        ({"languageMap": {"@none": NULL}}, "LanguageProperty"),
        ({"vocab": NULL}, "VocabProperty"),
        ({"json": NULL}, "JsonProperty"),
        ({"valueList": [NULL]}, "ListProperty"),
        ({"objectList": [NULL]}, "ListRelationship"),
        ({"objectList": [{"object": NULL}]}, "ListRelationship"),
    ],
)
def test_expand_fragment_reads_null_in_every_encoding(operation: Any, value: Any, kind: str) -> None:
    found = fragment(value, operation)
    assert (found.kind, found.value) == (kind, NULL)


def test_expand_fragment_needs_neither_id_nor_type_nor_values() -> None:
    assert expand_fragment({}, CORE) == Entity()
    found = fragment({"type": "Property", "observedAt": NOON, "unitCode": NULL, "b": NULL, "expiresAt": NULL})
    assert (found.kind, found.value, found.observed_at) == ("Property", UNSET, NOON)
    assert (found.unit_code, found.expires_at) == (NULL, NULL)
    assert found.attributes[DEFAULT_VOCAB + "b"] == [Attribute(value=NULL)]
    assert fragment({"unitCode": "CEL"}) == Attribute(unit_code="CEL")
    assert expand_fragment({"scope": NULL, "expiresAt": NULL}, CORE) == Entity(scopes=[NULL], expires_at=NULL)
    assert expand_fragment({"location": NULL}, CORE).attributes[LOCATION] == [Attribute(value=NULL)]


def test_expand_fragment_leaves_the_kind_of_a_bare_value_open_in_a_merge_only() -> None:
    assert fragment(5).kind == ""
    assert fragment(["urn:x:1"]).kind == ""
    assert fragment({"type": "Point", "coordinates": [1, 2]}).kind == "GeoProperty"
    assert fragment(5, "update").kind == "Property"
    assert fragment(5, "append").kind == "Property"


def test_expand_fragment_takes_null_inside_values_in_a_merge_only() -> None:
    assert fragment({"value": {"b": NULL}}).value == {DEFAULT_VOCAB + "b": NULL}
    assert fragment({"languageMap": {"en": NULL, "fr": "x"}}).value == {"en": NULL, "fr": "x"}
    for value in ({"value": {"b": NULL}}, {"languageMap": {"en": NULL, "fr": "x"}}):
        with pytest.raises(BadRequestData, match="merge only"):
            fragment(value, "update")


def test_expand_fragment_refuses_null_in_an_append() -> None:
    for value in (NULL, {"type": "Property", "value": NULL}):
        with pytest.raises(BadRequestData, match="update or merge only"):
            fragment(value, "append")
    with pytest.raises(BadRequestData, match=r"a\.value is required"):
        fragment({"type": "Property"}, "append")


def test_expand_fragment_refuses_a_bare_value_for_a_location() -> None:
    with pytest.raises(BadRequestData, match="location is invalid"):
        expand_fragment({"location": "Madrid"}, CORE)


def test_expand_attribute_fragment_takes_other_members_as_sub_attributes() -> None:
    found = expand_attribute_fragment({"observedAt": NOON, "quality": 0.5, "old": NULL}, CORE)
    assert found == Attribute(
        observed_at=NOON,
        attributes={
            DEFAULT_VOCAB + "quality": [Attribute(kind="Property", value=0.5)],
            DEFAULT_VOCAB + "old": [Attribute(value=NULL)],
        },
    )
    assert expand_attribute_fragment({"type": "Property", "value": NULL}, CORE).value == NULL
    assert expand_attribute_fragment({"type": "Point", "coordinates": [1, 2]}, CORE).kind == "GeoProperty"
    assert expand_attribute_fragment({"object": "urn:x:1"}, CORE).kind == "Relationship"
    for document in (5, [1], "x", {"datasetId": NULL}, {"value": None}, {"type": "X"}):
        with pytest.raises(BadRequestData):
            expand_attribute_fragment(document, CORE, name="speed")


def test_expand_attribute_reads_one_instance() -> None:
    assert expand_attribute("a", {"value": 1}, CORE) == Attribute(kind="Property", value=1)
    with pytest.raises(BadRequestData, match="more than one"):
        expand_attribute("a", [{"value": 1}, {"value": 1, "datasetId": "urn:x:1"}], CORE)
    with pytest.raises(BadRequestData, match="location is invalid"):
        expand_attribute("location", {"value": 1}, CORE)
    assert len(expand_attributes("a", [{"value": 1}, {"value": 1}], CORE, operation="temporal")) == 2


# -- temporal ------------------------------------------------------------------


def evolution(**members: Any) -> Entity:
    return expand_entity({"id": ID, "type": "Vehicle", **members}, CORE, temporal=True)


def test_expand_evolution_reads_instances_in_time() -> None:
    entity = evolution(
        a=[
            {"type": "Property", "value": 1, "observedAt": NOON},
            {"type": "Property", "value": 2, "observedAt": NOON, "instanceId": "urn:x:1"},
            {"type": "Property", "value": NULL, "deletedAt": NOON},
        ],
        b=[],
        scope=[{"type": "Property", "value": ["/a", "/b"], "observedAt": NOON}],
    )
    assert [one.value for one in entity.attributes[DEFAULT_VOCAB + "a"]] == [1, 2, NULL]
    assert entity.attributes[DEFAULT_VOCAB + "a"][2].deleted_at == NOON
    assert entity.scopes == ["/a", "/b"]


def test_expand_evolution_refuses_null_without_a_deletion() -> None:
    with pytest.raises(BadRequestData, match="update or merge only"):
        evolution(a=[{"type": "Property", "value": NULL}])


def test_expand_evolution_reads_values_with_times() -> None:
    entity = evolution(
        a={"type": "Property", "values": [[1, NOON], [2, NOON]]},
        b=[
            {
                "type": "LanguageProperty",
                "datasetId": "urn:x:1",
                "languageMaps": [[{"languageMap": {"en": "x"}}, NOON]],
            }
        ],
        c={"type": "Relationship", "objects": [["urn:x:1", NOON]]},
    )
    assert entity.attributes[DEFAULT_VOCAB + "a"][1] == Attribute(kind="Property", value=2, observed_at=NOON)
    assert entity.attributes[DEFAULT_VOCAB + "b"] == [
        Attribute(kind="LanguageProperty", value={"en": "x"}, observed_at=NOON, dataset_id="urn:x:1")
    ]
    assert entity.attributes[DEFAULT_VOCAB + "c"][0].value == "urn:x:1"
    for value in ([[1]], 5, [5], [[1, "x"]]):
        with pytest.raises(BadRequestData, match="values"):
            evolution(a={"type": "Property", "values": value})
