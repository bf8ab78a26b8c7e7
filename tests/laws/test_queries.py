"""Law: a query answers exactly what `evaluate` selects of everything, in the asked order, page by page."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cityloom.model.entity import LOCATION, Entity
from cityloom.query.cql2 import parse_cql2
from cityloom.query.evaluate import matcher
from cityloom.query.order import sort_entities
from cityloom.query.parse import parse_order_by, parse_q
from cityloom.query.values import GeoQuery, Path, QAnd, QCompare, Query, TypeIs
from cityloom.store.ports import Store
from query.cql2_draws import filters, print_cql2
from query.draws import entities, expand, expressions, geometries, print_q, scope_queries, type_selections
from tests.laws.values import CAUSE, LAMP, STATE, do, lamp, placed_lamp, point, prop, put

CITY = [f"urn:e:{number}" for number in range(6)]


@st.composite
def queries(draw: st.DrawFn) -> Query:
    node = draw(st.none() | expressions)
    order = draw(st.sampled_from([None, "a", "b;desc", "id", "id;desc", "a,b;desc"]))
    geometry = draw(st.none() | geometries)
    filter = draw(st.none() | filters)
    relation: Any = draw(st.sampled_from(["within", "intersects", "disjoint", "contains"]))
    return Query(
        ids=draw(st.lists(st.sampled_from(CITY), max_size=3)),
        id_pattern=draw(st.none() | st.sampled_from([":[1-3]$", "urn:e:5"])),
        types=draw(st.none() | type_selections()),
        attrs=[expand(name) for name in draw(st.lists(st.sampled_from(["a", "location"]), max_size=1))],
        q=parse_q(print_q(node), expand) if node is not None else None,
        scope_q=draw(st.none() | scope_queries()),
        geo=GeoQuery(georel=relation, geometry=geometry, or_absent=draw(st.booleans())) if geometry else None,
        filter=parse_cql2(print_cql2(filter), expand=expand) if filter is not None else None,
        order_by=parse_order_by({"orderBy": order}, expand) if order is not None else None,
        limit=draw(st.integers(0, 4)),
        offset=draw(st.integers(0, 3)),
    )


def refill(store: Store, city: list[Entity]) -> None:
    """Makes `city` the whole state."""

    def work(tx: Any) -> None:
        for entity_id, entity in zip(CITY, city + [None] * len(CITY), strict=False):
            after = replace(entity, id=entity_id) if entity is not None else None
            tx.write_entity("", tx.get("", entity_id), after, CAUSE)

    do(store, work)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(city=st.lists(entities(), max_size=6), query=queries())
def test_query_scan_and_count_agree_with_evaluate(store: Store, city: list[Entity], query: Query) -> None:
    refill(store, city)
    test = matcher(query)
    whole = [replace(entity, id=entity_id) for entity_id, entity in zip(CITY, city, strict=False)]
    selected = [entity for entity in whole if test(entity)]
    with store.snapshot() as snapshot:
        assert list(snapshot.scan("", query)) == selected
        assert snapshot.count("", query) == len(selected)
        if query.order_by is not None:
            selected = sort_entities(selected, query.order_by)
        page = selected[query.offset : query.offset + query.limit]
        assert snapshot.query("", query) == page
        assert list(snapshot.lights("", query)) == page
        light = list(snapshot.lights("", query, [expand("a"), 'no"name']))
    assert [entity.id for entity in light] == [entity.id for entity in page]
    assert [entity.attributes.get(expand("a")) for entity in light] == [
        entity.attributes.get(expand("a")) for entity in page
    ]


def test_entity_of_two_types_is_found_once_by_its_place(store: Store) -> None:
    entity = replace(placed_lamp(1, 0, 0), types=[LAMP, expand("T2")])
    do(store, lambda tx: tx.write_entity("", None, entity, CAUSE))
    for georel in ("within", "intersects"):
        query = Query(geo=GeoQuery(georel=georel, geometry={"type": "Point", "coordinates": [0, 0]}), limit=9)
        with store.snapshot() as snapshot:
            assert [one.id for one in snapshot.scan("", query)] == [entity.id]
            assert [one.id for one in snapshot.query("", query)] == [entity.id]
            assert snapshot.count("", query) == 1


def test_page_of_a_circle_is_found_where_most_of_its_box_lies_outside(store: Store) -> None:
    """What is outside comes first by id, and more of it than is read at once."""

    def work(tx: Any) -> None:
        for number in range(300):
            far = number < 250
            # 1 km around (0, 0): the corner of the box, or within.
            placed = placed_lamp(number, 0.0085 if far else 0.001, 0.0085 if far else number / 1e5)
            tx.write_entity("", None, placed, CAUSE)

    do(store, work)
    geo = GeoQuery(georel="near", geometry={"type": "Point", "coordinates": [0, 0]}, max_distance=1000)
    query = Query(types=TypeIs(LAMP), geo=geo, limit=3)
    with store.snapshot() as snapshot:
        whole = list(snapshot.scan("", query))
        assert [entity.id for entity in whole] == [placed_lamp(number, 0, 0).id for number in range(250, 300)]
        assert snapshot.query("", query) == whole[:3]
        assert snapshot.query("", replace(query, offset=48)) == whole[48:]
        falling = replace(query, order_by=parse_order_by({"orderBy": "id;desc"}, expand))
        assert snapshot.query("", falling) == whole[:46:-1]
        assert snapshot.count("", query) == 50


def test_numbers_in_a_circle_are_compared_however_many_comparisons_there_are(store: Store) -> None:
    values: list[Any] = [1, 9, 5, [5, 2000], "5", {"@value": 5}]
    for number, value in enumerate(values):
        attributes = {STATE: [prop(value)], LOCATION: [point(0, 0)]}
        put(store, lamp(number, attributes=attributes))
    geo = GeoQuery(georel="near", geometry={"type": "Point", "coordinates": [0, 0]}, max_distance=10)
    state = Path((STATE,))
    for most in (1, 3, 70):
        terms = [QCompare(state, "<", 6 + number) for number in range(most)]
        query = Query(q=QAnd([QCompare(state, ">", 1.5), *terms]), geo=geo, limit=10)
        with store.snapshot() as snapshot:
            found = snapshot.query("", query)
            assert [entity.attributes[STATE][0].value for entity in found] == [5, {"@value": 5}]
            assert snapshot.count("", query) == 2
