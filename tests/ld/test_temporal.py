"""Evolutions as documents."""

from __future__ import annotations

from typing import Any

import pytest

from cityloom.broker.ports import AggregatedValue
from cityloom.ld.compact import Form
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity
from cityloom.ld.kinds import SCOPE
from cityloom.ld.temporal import compact_aggregated, compact_evolution
from cityloom.model.entity import DEFAULT_VOCAB, NULL, Attribute, Entity
from cityloom.model.history import Instance
from cityloom.store.history_ports import HistoryEntity

CORE = LdContext.core
ID = "urn:ngsi-ld:Vehicle:1"
NAME = DEFAULT_VOCAB + "speed"
HEAD = HistoryEntity(
    id=ID, types=[DEFAULT_VOCAB + "Vehicle"], incarnation=1, scopes=["/a"], deleted_at="gone"
)
VALUES = Form(representation="simplified")
T1, T2, T3 = "2026-05-01T12:00:00Z", "2026-05-01T12:05:00Z", "2026-05-01T12:10:00Z"


def instances(*attributes: Attribute) -> dict[str, list[Instance]]:
    return {NAME: [Instance(name=NAME, attribute=attribute) for attribute in attributes]}


def speed(value: Any, at: str | None, **more: Any) -> Attribute:
    return Attribute(kind="Property", value=value, observed_at=at, instance_id="urn:i:1", **more)


def test_compact_evolution_lists_instances() -> None:
    gone = Attribute(kind="Property", value=NULL, deleted_at=T3, instance_id="urn:i:2")
    document = compact_evolution(HEAD, instances(speed(1, T1), gone), CORE)
    assert document == {
        "id": ID,
        "type": "Vehicle",
        "scope": "/a",
        "speed": [
            {"type": "Property", "value": 1, "observedAt": T1, "instanceId": "urn:i:1"},
            {"type": "Property", "value": NULL, "instanceId": "urn:i:2", "deletedAt": T3},
        ],
    }
    assert compact_evolution(HEAD, {}, CORE, Form(sys_attrs=True))["deletedAt"] == "gone"


def test_compact_evolution_renders_values_with_times() -> None:
    document = compact_evolution(HEAD, instances(speed(1, T1), speed(2, T2)), CORE, VALUES)
    assert document["speed"] == {"type": "Property", "values": [[1, T1], [2, T2]]}


def test_compact_evolution_renders_values_apart_by_dataset() -> None:
    document = compact_evolution(
        HEAD, instances(speed(1, T1), speed(2, T1, dataset_id="urn:d:1"), speed(3, T2)), CORE, VALUES
    )
    assert document["speed"] == [
        {"type": "Property", "values": [[1, T1], [3, T2]]},
        {"type": "Property", "datasetId": "urn:d:1", "values": [[2, T1]]},
    ]


@pytest.mark.parametrize(
    ("kind", "value", "member", "told"),
    [
        (
            "GeoProperty",
            {"type": "Point", "coordinates": [1, 2]},
            "values",
            {"type": "Point", "coordinates": [1, 2]},
        ),
        ("Relationship", ["urn:x:1"], "objects", ["urn:x:1"]),
        ("LanguageProperty", {"en": "yes"}, "languageMaps", {"languageMap": {"en": "yes"}}),
        ("VocabProperty", DEFAULT_VOCAB + "Male", "vocabs", {"vocab": "Male"}),
        ("ListProperty", [1, 2], "valueLists", [1, 2]),
        ("ListRelationship", ["urn:x:1"], "objectLists", ["urn:x:1"]),
        ("JsonProperty", {"a": 1}, "jsons", {"json": {"a": 1}}),
    ],
)
def test_compact_evolution_renders_values_of_every_kind(
    kind: Any, value: Any, member: str, told: Any
) -> None:
    attribute = Attribute(kind=kind, value=value, observed_at=T1)
    document = compact_evolution(HEAD, instances(attribute), CORE, VALUES)
    assert document["speed"] == {"type": kind, member: [[told, T1]]}
    read = expand_entity(document, CORE, temporal=True)
    assert read.attributes[NAME] == [attribute]


def test_compact_evolution_takes_the_time_that_was_asked_for() -> None:
    attribute = speed(1, None, created_at=T1, modified_at=T2)
    for timeproperty, time in (("observedAt", T2), ("createdAt", T1), ("modifiedAt", T2)):
        document = compact_evolution(
            HEAD,
            instances(attribute),
            CORE,
            VALUES,
            timeproperty=timeproperty,  # type: ignore[arg-type]
        )
        assert document["speed"]["values"] == [[1, time]]
    gone = Attribute(kind="LanguageProperty", value=NULL, deleted_at=T3)
    document = compact_evolution(HEAD, instances(gone), CORE, VALUES, timeproperty="deletedAt")
    assert document["speed"]["languageMaps"] == [[{"languageMap": {"@none": NULL}}, T3]]


def test_compact_evolution_tells_the_evolution_of_the_scope() -> None:
    listed = [
        Instance(name=SCOPE, attribute=Attribute(kind="ListProperty", value=["/a"], observed_at=T1)),
        Instance(name=SCOPE, attribute=Attribute(kind="ListProperty", value=["/a", "/b"], observed_at=T2)),
        Instance(name=SCOPE, attribute=Attribute(kind="ListProperty", value=NULL, deleted_at=T3)),
    ]
    values = compact_evolution(HEAD, {SCOPE: listed}, CORE, VALUES, timeproperty="observedAt")
    assert values["scope"] == {"type": "Property", "values": [["/a", T1], [["/a", "/b"], T2], [[], T3]]}
    document = compact_evolution(HEAD, {SCOPE: listed}, CORE)
    assert document["scope"] == [
        {"type": "Property", "value": "/a", "observedAt": T1},
        {"type": "Property", "value": ["/a", "/b"], "observedAt": T2},
        {"type": "Property", "value": [], "deletedAt": T3},
    ]


def test_compact_evolution_filters_languages() -> None:
    attribute = Attribute(kind="LanguageProperty", value={"en": "yes", "fr": "oui"}, observed_at=T1)
    form = Form(representation="simplified", lang="fr")
    document = compact_evolution(HEAD, instances(attribute), CORE, form)
    assert document["speed"] == {"type": "Property", "values": [["oui", T1]]}


def test_compact_evolution_round_trips() -> None:
    listed = instances(
        speed(1, T1, unit_code="KMH"), speed({NAME: [1]}, T2, dataset_id="urn:d:1"), speed(3, T3)
    )
    document = compact_evolution(HEAD, listed, CORE)
    read = expand_entity(document, CORE, temporal=True)
    plain = [Attribute(**{**_fields(one.attribute), "instance_id": None}) for one in listed[NAME]]
    assert read == Entity(id=ID, types=HEAD.types, scopes=["/a"], attributes={NAME: plain})


def _fields(attribute: Attribute) -> dict[str, Any]:
    return {name: getattr(attribute, name) for name in attribute.__struct_fields__}


def test_compact_aggregated_tells_values_by_method_and_period() -> None:
    noon = 1_777_636_800_000_000
    hour = 3_600_000_000
    values = [AggregatedValue(67.0, noon, noon + hour), AggregatedValue(53.0, noon + hour, noon + 2 * hour)]
    document = compact_aggregated(
        HEAD,
        {
            (NAME, ""): {"avg": values, "max": values[:1]},
            (DEFAULT_VOCAB + "parked", ""): {"totalCount": values[:1]},
            (DEFAULT_VOCAB + "fuel", ""): {"avg": []},
            (DEFAULT_VOCAB + "fuel", "urn:d:1"): {"avg": values[:1]},
        },
        {(DEFAULT_VOCAB + "parked", ""): "Relationship"},
        CORE,
    )
    first = [67.0, "2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"]
    assert document["speed"] == {
        "type": "Property",
        "avg": [first, [53.0, "2026-05-01T13:00:00Z", "2026-05-01T14:00:00Z"]],
        "max": [first],
    }
    assert document["parked"] == {"type": "Relationship", "totalCount": [first]}
    assert document["fuel"] == [
        {"type": "Property", "avg": []},
        {"type": "Property", "datasetId": "urn:d:1", "avg": [first]},
    ]
