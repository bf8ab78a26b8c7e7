"""Clauses 4.5.0, 5.2.14.1, 5.8.6: what a source notifies of is read as it was meant."""

from typing import Any

import pytest

from cityloom.federation.sharing.notified import read_told
from cityloom.ld.compact import Form, compact_entity
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity
from cityloom.ld.limits import DEFAULT_LIMITS
from cityloom.model.entity import NULL, Attribute, Entity
from cityloom.model.errors import BadRequestData

T1, T2 = "2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"
NAME = "https://uri.etsi.org/ngsi-ld/default-context/part"
KINDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "Property", "value": {"a": [1, 2]}}, {"type": "Property", "value": 7}),
    ({"type": "Property", "value": "x", "unitCode": "CEL"}, {"type": "Property", "value": True}),
    (
        {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
        {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [3, 4]}},
    ),
    (
        {"type": "Relationship", "object": "urn:a:1"},
        {"type": "Relationship", "object": ["urn:a:2", "urn:a:3"]},
    ),
    (
        {"type": "LanguageProperty", "languageMap": {"en": "a"}},
        {"type": "LanguageProperty", "languageMap": {"zh": "b"}},
    ),
    ({"type": "VocabProperty", "vocab": "on"}, {"type": "VocabProperty", "vocab": ["off", "on"]}),
    ({"type": "ListProperty", "valueList": [1, 2]}, {"type": "ListProperty", "valueList": [3]}),
    (
        {"type": "ListRelationship", "objectList": ["urn:a:1"]},
        {"type": "ListRelationship", "objectList": ["urn:a:2"]},
    ),
    ({"type": "JsonProperty", "json": {"k": None}}, {"type": "JsonProperty", "json": [1]}),
]


def entity_of(*parts: dict[str, Any]) -> Entity:
    return expand_entity({"id": "urn:a:9", "type": "Lamp", "part": list(parts)}, LdContext.core)


def timed(entity: Entity) -> Entity:
    """As a store would have it: every instance with its times."""

    def one(instance: Attribute) -> Attribute:
        members = {name: getattr(instance, name) for name in instance.__struct_fields__}
        return Attribute(**{**members, "created_at": T1, "modified_at": T2})

    return Entity(
        id=entity.id,
        types=entity.types,
        created_at=T1,
        modified_at=T2,
        attributes={name: list(map(one, found)) for name, found in entity.attributes.items()},
    )


@pytest.mark.parametrize(("part", "before"), KINDS)
@pytest.mark.parametrize("dataset", [None, "urn:d:1"])
def test_what_was_written_is_read_with_what_was_before(
    part: dict[str, Any], before: dict[str, Any], dataset: str | None
) -> None:
    more = {} if dataset is None else {"datasetId": dataset}
    entity = timed(entity_of({**part, **more}))
    held = entity_of(before).attributes[NAME][0]
    key = (NAME, dataset or "")
    document = compact_entity(entity, LdContext.core, Form(sys_attrs=True), previous={key: held})
    read, [change] = read_told(document, LdContext.core, DEFAULT_LIMITS)
    assert read == entity
    assert ((change.name, change.dataset_id), change.before) == (key, held)


@pytest.mark.parametrize(("part", "_"), KINDS)
@pytest.mark.parametrize("representation", ["normalized", "concise"])
@pytest.mark.parametrize("dataset", ["", "urn:d:1"])
def test_what_is_gone_is_read_as_gone(
    part: dict[str, Any], _: object, representation: Any, dataset: str
) -> None:
    kind = entity_of(part).attributes[NAME][0].kind
    value = {"@none": NULL} if kind == "LanguageProperty" else NULL
    gone = Attribute(kind=kind, value=value, dataset_id=dataset, deleted_at=T2)
    entity = Entity(id="urn:a:9", types=[LdContext.core.expand_term("Lamp")], attributes={NAME: [gone]})
    form = Form(representation=representation, sys_attrs=bool(dataset))
    read, previous = read_told(compact_entity(entity, LdContext.core, form), LdContext.core, DEFAULT_LIMITS)
    [one] = read.attributes[NAME]
    again, _previous = read_told(compact_entity(read, LdContext.core, form), LdContext.core, DEFAULT_LIMITS)
    assert (one.dataset_id, previous) == (dataset, [])
    assert again == read
    if representation == "normalized" and kind != "GeoProperty":
        assert one.kind == kind


def test_instances_that_stay_are_kept_beside_those_that_are_gone() -> None:
    document = {
        "id": "urn:a:9",
        "type": "Lamp",
        "part": [
            {"type": "Property", "value": 1},
            {"type": "Property", "value": NULL, "datasetId": "urn:d:1"},
        ],
    }
    entity, _ = read_told(document, LdContext.core, DEFAULT_LIMITS)
    assert [(one.value, one.dataset_id) for one in entity.attributes[NAME]] == [(1, ""), (NULL, "urn:d:1")]


def test_deleted_entity_is_read_as_deleted() -> None:
    document = {"id": "urn:a:9", "type": "Lamp", "deletedAt": T2, "@context": "urn:x:1"}
    entity, _ = read_told(document, LdContext.core, DEFAULT_LIMITS)
    assert (entity.deleted_at, entity.attributes) == (T2, {})


@pytest.mark.parametrize(
    "document",
    [
        7,
        {},
        {"id": "urn:a:9"},
        {"id": "no uri", "type": "Lamp"},
        {"id": "urn:a:9", "type": "Lamp", "part": {"type": "Property"}},
        {"id": "urn:a:9", "type": "Lamp", "part": {"type": "Relationship", "object": 7}},
        {
            "id": "urn:a:9",
            "type": "Lamp",
            "part": {"type": "VocabProperty", "vocab": "on", "previousVocab": 7},
        },
    ],
)
def test_what_is_no_entity_is_refused(document: Any) -> None:
    with pytest.raises(BadRequestData):
        read_told(document, LdContext.core, DEFAULT_LIMITS)
