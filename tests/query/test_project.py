"""What of an entity is answered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from cityloom.model.entity import Attribute, Entity
from cityloom.query.parse import parse_projection
from cityloom.query.project import project
from cityloom.query.values import Projection
from query.draws import entities, expand

SPEED = [
    Attribute(kind="Property", value=1),
    Attribute(kind="Property", value=2, dataset_id="urn:d:1"),
]
ENTITY = Entity(
    id="urn:e:1",
    types=["T"],
    scopes=["/s"],
    created_at="2020-01-01T00:00:00Z",
    attributes={expand("speed"): SPEED, expand("name"): [Attribute(kind="Property", value="x")]},
)


def members(entity: Entity) -> list[str]:
    """What is there, short: members, attributes, and how many instances of them."""
    there = {"id": entity.id, "type": entity.types, "scope": entity.scopes, "createdAt": entity.created_at}
    names = [name for name, value in there.items() if value]
    return names + [
        name.removeprefix(expand("")) + str(len(instances)) for name, instances in entity.attributes.items()
    ]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["id", "type", "scope", "createdAt", "speed2", "name1"]),
        ({"pick": "id,speed"}, ["id", "speed2"]),
        ({"pick": "type,scope,createdAt,other"}, ["type", "scope", "createdAt"]),
        ({"pick": "speed{name}"}, ["speed2"]),
        ({"omit": "type,speed"}, ["id", "scope", "createdAt", "name1"]),
        ({"omit": "speed{name}"}, ["id", "type", "scope", "createdAt", "speed2", "name1"]),
        ({"attrs": "name,other"}, ["id", "type", "scope", "createdAt", "name1"]),
        ({"datasetId": "urn:d:1"}, ["id", "type", "scope", "createdAt", "speed1"]),
        ({"datasetId": "@none"}, ["id", "type", "scope", "createdAt", "speed1", "name1"]),
        ({"datasetId": "@none,urn:d:1", "pick": "speed"}, ["speed2"]),
    ],
)
def test_project_keeps_what_is_asked_for(parameters: dict[str, Any], expected: list[str]) -> None:
    assert members(project(ENTITY, parse_projection(parameters, expand, join_level=1))) == expected


@settings(max_examples=50, deadline=None)
@given(entity=entities())
def test_project_leaves_the_entity_itself_when_nothing_is_asked(entity: Entity) -> None:
    assert project(entity, Projection()) is entity


@settings(max_examples=50, deadline=None)
@given(entity=entities())
def test_project_splits_an_entity_in_what_is_picked_and_what_is_omitted(entity: Entity) -> None:
    names = [(expand("a"),), (expand("location"),)]
    picked, omitted = project(entity, Projection(pick=names)), project(entity, Projection(omit=names))
    assert picked.attributes | omitted.attributes == entity.attributes
    assert not picked.attributes.keys() & omitted.attributes.keys()
    assert (picked.id, omitted.id) == ("", entity.id)
