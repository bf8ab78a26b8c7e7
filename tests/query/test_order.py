"""The order of entities in an answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.query.order import sort_entities
from cityloom.query.parse import parse_order_by
from query.draws import entities, expand


def valued(**values: Any) -> list[Entity]:
    """Entities named by letters, each with `a` of this value (None: without it)."""
    return [
        Entity(
            id=name,
            types=["T"],
            attributes={} if value is None else {expand("a"): [Attribute(kind="Property", value=value)]},
        )
        for name, value in values.items()
    ]


def order(found: list[Entity], **parameters: Any) -> str:
    return "".join(entity.id for entity in sort_entities(found, parse_order_by(parameters, expand)))


def test_sort_entities_ranks_data_types_and_puts_missing_last() -> None:
    mixed = valued(
        i=None,
        h="2020-01-01T00:00:00Z",
        g="2020-01-01",
        f="12:00:00Z",
        e=True,
        d=[1],
        c={"k": 1},
        b="text",
        a=10**30,
    )
    assert order(mixed, orderBy="a") == "abcdefghi"
    assert order(mixed, orderBy="a;desc") == "hgfedcbai"


def test_sort_entities_breaks_ties_by_the_next_term_and_then_by_id() -> None:
    found = valued(c=1, b=2, a=2, d=1)
    assert order(found, orderBy="a;desc") == "abcd"
    assert order(found, orderBy="a,id;desc") == "dcba"
    assert order(found) == "abcd"


@pytest.mark.parametrize(
    ("collation", "expected"),
    [
        (None, ["Adler", "adrett", "apple", "Äquator", "zebra", "東京"]),
        ("und", ["Adler", "adrett", "apple", "Äquator", "zebra", "東京"]),
        ("de-u-co-phonebk", ["Adler", "adrett", "Äquator", "apple", "zebra", "東京"]),
        ("sv", ["Adler", "adrett", "apple", "zebra", "Äquator", "東京"]),
    ],
)
def test_sort_entities_orders_texts_as_people_do(collation: str | None, expected: list[str]) -> None:
    found = [
        Entity(id=f"urn:e:{text}", attributes={expand("a"): [Attribute(kind="Property", value=text)]})
        for text in reversed(expected)
    ]
    by = parse_order_by({"orderBy": "a", "collation": collation}, expand)
    assert [entity.id.removeprefix("urn:e:") for entity in sort_entities(found, by)] == expected


def test_sort_entities_orders_by_distance_and_geometries_before_other_values() -> None:
    def at(name: str, kind: Any, value: Any) -> Entity:
        return Entity(id=name, types=["T"], attributes={LOCATION: [Attribute(kind=kind, value=value)]})

    found = [
        at("c", "GeoProperty", {"type": "Point", "coordinates": [9, 40]}),
        at("b", "GeoProperty", {"type": "LineString", "coordinates": [[8.5, 39], [8.5, 41]]}),
        at("a", "GeoProperty", {"type": "Point", "coordinates": [8.1, 40]}),
        at("d", "Property", 5),
        Entity(id="e", types=["T"]),
    ]

    def expand_location(name: str) -> str:
        return LOCATION if name == "location" else expand(name)

    for direction, expected in (("dist-asc", "abcde"), ("dist-desc", "dcbae")):
        by = parse_order_by({"orderBy": f"location;{direction}", "orderFrom": "[8,40]"}, expand_location)
        assert "".join(entity.id for entity in sort_entities(found, by)) == expected


def test_sort_entities_takes_the_default_instance_of_a_multi_attribute() -> None:
    def instances(default: int, other: int) -> dict[str, list[Attribute]]:
        return {
            expand("a"): [
                Attribute(kind="Property", value=other, dataset_id="urn:d:1"),
                Attribute(kind="Property", value=default),
            ]
        }

    found = [Entity(id="x", attributes=instances(2, 0)), Entity(id="y", attributes=instances(1, 9))]
    assert order(found, orderBy="a") == "yx"


@settings(max_examples=50, deadline=None)
@given(
    found=st.lists(entities(), max_size=6),
    by=st.sampled_from(
        ["a", "a;desc", "a.s,b;desc", "a[m]", "type,scope", "createdAt", "location;dist-asc,a", "id;desc"]
    ),
)
def test_sort_entities_keeps_every_entity_and_does_not_depend_on_how_they_came(
    found: list[Entity], by: str
) -> None:
    named = [
        Entity(
            id=f"urn:e:{number}",
            types=each.types,
            scopes=each.scopes,
            attributes=each.attributes,
            created_at=each.created_at,
        )
        for number, each in enumerate(found)
    ]
    order_by = parse_order_by({"orderBy": by, "orderFrom": "[0,0]"}, expand)
    ordered = sort_entities(named, order_by)
    assert ordered == sort_entities(reversed(named), order_by)
    assert sorted(each.id for each in ordered) == sorted(each.id for each in named)
