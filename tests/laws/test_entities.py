"""Law: current entities, their changes, their conflicts, and what is counted of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.errors import Conflict
from cityloom.model.events import AttributeChange
from cityloom.query.values import GeoQuery, OrderBy, OrderTerm, Path, Query, TypeIs
from cityloom.store.entity_ports import LayerSummary, TypeCount
from cityloom.store.ports import Store, Transaction
from tests.laws.values import CAUSE, LAMP, LEVEL, SENSOR, STATE, do, lamp, placed_lamp, prop, put, remove, see

NAME = "https://uri.etsi.org/ngsi-ld/default-context/name"


def test_get_returns_what_was_written(store: Store) -> None:
    entity = Entity(
        id="urn:ngsi-ld:Lamp:é\u0001\U0001f6a6",
        types=[LAMP, SENSOR],
        scopes=["/a/b", "c"],
        attributes={
            STATE: [
                prop({"deep": [1, 2.5, None, True, "x"]}, unit_code="CEL", attributes={LEVEL: [prop(2**70)]}),
                prop("off", dataset_id="urn:d:1", observed_at="2026-01-01T00:00:00,5Z"),
            ],
            LEVEL: [Attribute(kind="Relationship", value=["urn:a", "urn:b"], object_type=["T"])],
        },
        created_at="2026-01-01T00:00:00Z",
        expires_at="2030-01-01T00:00:00Z",
    )
    put(store, entity)
    assert see(store, lambda snapshot: snapshot.get("", entity.id)) == entity


def test_get_returns_none_when_there_is_no_such_entity_or_tenant(store: Store) -> None:
    put(store, lamp(1))
    assert see(store, lambda snapshot: snapshot.get("", "urn:ngsi-ld:Lamp:2")) is None
    assert see(store, lambda snapshot: snapshot.get("other", lamp(1).id)) is None


def test_get_of_the_store_tells_the_newest_state_and_within_a_snapshot_that_of_the_snapshot(
    store: Store,
) -> None:
    entity_id = lamp(1).id
    assert store.get("", entity_id) is None
    put(store, lamp(1, "on"))
    put(store, lamp(1, "other"), "city")
    assert store.get("", entity_id) == lamp(1, "on")
    assert store.get("city", entity_id) == lamp(1, "other")
    assert store.get("nowhere", entity_id) is None
    with store.snapshot() as snapshot:
        assert snapshot.get("", entity_id) == lamp(1, "on")
        put(store, lamp(1, "off"))
        assert store.get("", entity_id) == lamp(1, "on")
    assert store.get("", entity_id) == lamp(1, "off")
    remove(store, entity_id, "city")
    assert store.get("city", entity_id) is None


def test_get_many_returns_those_that_exist_by_id(store: Store) -> None:
    for number in (3, 1):
        put(store, lamp(number))
    ids = [lamp(number).id for number in (3, 2, 1, 3)]
    found = see(store, lambda snapshot: snapshot.get_many("", ids))
    assert list(found.items()) == [(lamp(1).id, lamp(1)), (lamp(3).id, lamp(3))]
    assert do(store, lambda tx: tx.get_many("", ids)) == found


def test_get_many_reads_at_least_the_attributes_that_are_named(store: Store) -> None:
    put(store, placed_lamp(1, 4.5, 52.0))
    ids = [lamp(1).id]
    [light] = see(store, lambda snapshot: snapshot.get_many("", ids, [STATE])).values()
    assert light == lamp(1, "on")
    [some] = do(store, lambda tx: tx.get_many("", ids, [STATE])).values()
    assert some.attributes[STATE] == light.attributes[STATE]
    # What is read to be written back is whole.
    [whole] = do(store, lambda tx: tx.get_many("", ids)).values()
    assert whole == placed_lamp(1, 4.5, 52.0)


def test_write_entity_tells_what_changed(store: Store) -> None:
    created = put(store, lamp(1, "on"), row=7)
    changed = put(store, lamp(1, "off"))
    deleted = remove(store, lamp(1).id)
    assert created is not None
    assert (created.kind, created.row, created.cause) == ("entityCreated", 7, CAUSE)
    assert created.changes == [AttributeChange(name=STATE, after=prop("on"))]
    assert changed is not None
    assert (changed.kind, changed.types) == ("entityUpdated", [LAMP])
    assert changed.changes == [AttributeChange(name=STATE, before=prop("on"), after=prop("off"))]
    assert deleted is not None
    assert (deleted.kind, deleted.before, deleted.types) == ("entityDeleted", lamp(1, "off"), [LAMP])


def test_write_entity_tells_instances_apart_by_dataset(store: Store) -> None:
    one, two = prop(1), prop(2, dataset_id="urn:d:2")
    put(store, lamp(1, attributes={STATE: [one, two]}))
    changed = put(store, lamp(1, attributes={STATE: [replace(two, value=3)]}))
    assert changed is not None
    assert changed.changes == [
        AttributeChange(name=STATE, dataset_id="urn:d:2", before=two, after=replace(two, value=3)),
        AttributeChange(name=STATE, before=one),
    ]


def test_write_entity_does_nothing_when_nothing_differs(store: Store) -> None:
    put(store, lamp(1))
    assert put(store, lamp(1)) is None
    assert see(store, lambda snapshot: snapshot.last_seq()) == 1


def test_write_entity_makes_an_event_when_only_modified_at_differs(store: Store) -> None:
    put(store, lamp(1, attributes={STATE: [prop("on", modified_at="2026-01-01T00:00:00Z")]}))
    changed = put(store, lamp(1, attributes={STATE: [prop("on", modified_at="2026-01-01T00:00:01Z")]}))
    assert changed is not None
    assert [change.name for change in changed.changes] == [STATE]


@pytest.mark.parametrize(
    ("stored", "before"), [(None, lamp(1)), (lamp(1), None), (lamp(1), lamp(1, "other"))]
)
def test_write_entity_refuses_when_the_stored_one_is_another(
    store: Store, stored: Entity | None, before: Entity | None
) -> None:
    if stored is not None:
        put(store, stored)
    with pytest.raises(Conflict, match="urn:ngsi-ld:Lamp:001"):
        do(store, lambda tx: tx.write_entity("", before, lamp(1, "new"), CAUSE))
    assert see(store, lambda snapshot: snapshot.get("", lamp(1).id)) == stored


def test_write_entity_takes_an_equal_before_that_is_another_object(store: Store) -> None:
    put(store, lamp(1, attributes={STATE: [prop(1)], LEVEL: [prop(2)]}))
    turned = lamp(1, attributes={LEVEL: [prop(2)], STATE: [prop(1)]})
    assert do(store, lambda tx: tx.write_entity("", turned, lamp(1), CAUSE)) is not None


def test_a_work_reads_its_own_writes(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.write_entity("", None, lamp(1), CAUSE)
        assert tx.get("", lamp(1).id) == lamp(1)
        tx.write_entity("", lamp(1), lamp(1, "off"), CAUSE)
        assert tx.query("", Query(types=TypeIs(LAMP))) == [lamp(1, "off")]
        assert tx.type_counts("") == [TypeCount(LAMP, 1)]
        assert tx.last_seq() == 2
        assert tx.history_entity("", lamp(1).id) is not None

    do(store, work)


def test_a_failing_work_leaves_nothing_and_spoils_no_other(store: Store) -> None:
    put(store, lamp(1))

    def failing(tx: Transaction) -> None:
        tx.write_entity("new tenant", None, placed_lamp(2, 1, 1, types=[SENSOR]), CAUSE)
        tx.write_entity("", lamp(1), None, CAUSE)
        raise ValueError("no")

    futures = [
        store.submit(lambda tx: tx.write_entity("", None, lamp(3), CAUSE)),
        store.submit(failing),
        store.submit(lambda tx: tx.write_entity("new tenant", None, placed_lamp(4, 1, 1), CAUSE)),
    ]
    assert isinstance(futures[1].exception(10), ValueError)
    assert [future.result(10) is not None for future in (futures[0], futures[2])] == [True, True]
    with store.snapshot() as snapshot:
        assert [entity.id for entity in snapshot.query("", Query())] == [lamp(1).id, lamp(3).id]
        assert [entity.id for entity in snapshot.query("new tenant", Query())] == [lamp(4).id]
        assert snapshot.type_counts("new tenant") == [TypeCount(LAMP, 1)]
        assert [event.seq for event in snapshot.events(0)] == [1, 2, 3]


def test_tenants_never_see_each_other(store: Store) -> None:
    put(store, lamp(1, "here"))
    put(store, lamp(1, "there"), "there")
    do(store, lambda tx: tx.create_tenant("empty"))
    with store.snapshot() as snapshot:
        assert snapshot.tenants() == ["", "empty", "there"]
        assert snapshot.query("there", Query()) == [lamp(1, "there")]
        assert snapshot.query("", Query()) == [lamp(1, "here")]
        assert snapshot.query("nobody", Query()) == []
        assert snapshot.count("empty", Query()) == 0
        assert [event.tenant for event in snapshot.events(0, tenant="there")] == ["there"]
        assert snapshot.events(0, tenant="nobody") == []


def test_query_pages_by_id(store: Store) -> None:
    for number in (5, 3, 1, 4, 2):
        put(store, lamp(number))
    with store.snapshot() as snapshot:
        page = snapshot.query("", Query(types=TypeIs(LAMP), limit=2, offset=1))
        assert [entity.id for entity in page] == [lamp(2).id, lamp(3).id]
        assert snapshot.count("", Query(types=TypeIs(LAMP), limit=2)) == 5
        assert [entity.id for entity in snapshot.scan("", Query(limit=1))] == [
            lamp(n).id for n in range(1, 6)
        ]
        assert snapshot.query("", Query(limit=0)) == []


def test_query_orders_by_value_before_it_pages(store: Store) -> None:
    for number, state in ((1, 30), (2, 10), (3, 20)):
        put(store, lamp(number, state))
    order = OrderBy([OrderTerm(Path((STATE,)))])
    found = see(store, lambda snapshot: snapshot.query("", Query(order_by=order, limit=2)))
    assert [entity.id for entity in found] == [lamp(2).id, lamp(3).id]


def test_query_finds_by_place_after_moving(store: Store) -> None:
    near = Query(
        geo=GeoQuery(georel="near", geometry={"type": "Point", "coordinates": [1.0, 1.0]}, max_distance=100.0)
    )
    put(store, placed_lamp(1, 1.0, 1.0))
    put(store, placed_lamp(2, 2.0, 2.0))
    assert see(store, lambda snapshot: snapshot.count("", near)) == 1
    put(store, placed_lamp(2, 1.0, 1.0))
    put(store, placed_lamp(1, 3.0, 3.0))
    assert [entity.id for entity in see(store, lambda snapshot: snapshot.query("", near))] == [lamp(2).id]
    put(store, lamp(2))
    assert see(store, lambda snapshot: snapshot.count("", near)) == 0


def test_attribute_uses_count_names_and_kinds_by_type(store: Store) -> None:
    put(store, lamp(1))
    put(store, lamp(2, types=[LAMP, SENSOR]))
    put(
        store,
        lamp(3, attributes={STATE: [Attribute(kind="VocabProperty", value="urn:on")], LEVEL: [prop(1)]}),
    )
    put(store, lamp(2, types=[SENSOR]))
    put(store, lamp(3, attributes={STATE: [Attribute(kind="VocabProperty", value="urn:on")]}))
    with store.snapshot() as snapshot:
        uses = [(use.type, use.name, use.count, use.kinds) for use in snapshot.attribute_uses("")]
        assert uses == [
            (LAMP, STATE, 2, ["Property", "VocabProperty"]),
            (SENSOR, STATE, 1, ["Property"]),
        ]
        assert [use.type for use in snapshot.attribute_uses("", SENSOR)] == [SENSOR]
        assert snapshot.type_counts("") == [TypeCount(LAMP, 2), TypeCount(SENSOR, 1)]


def test_attribute_uses_count_the_kinds_of_all_instances(store: Store) -> None:
    def kinds() -> list[str]:
        return [
            kind for use in see(store, lambda snapshot: snapshot.attribute_uses("")) for kind in use.kinds
        ]

    property = prop("on", dataset_id="urn:a")
    vocab = Attribute(kind="VocabProperty", value="urn:on")
    put(store, lamp(1, attributes={STATE: [property]}))
    put(store, lamp(1, attributes={STATE: [property, vocab]}))
    assert kinds() == ["Property", "VocabProperty"]
    put(
        store, lamp(1, attributes={STATE: [prop("off", dataset_id="urn:a"), replace(vocab, kind="Property")]})
    )
    assert kinds() == ["Property"]
    put(store, lamp(1, attributes={STATE: [vocab]}))
    assert kinds() == ["VocabProperty"]


def test_layers_follow_what_is_there(store: Store) -> None:
    put(store, placed_lamp(1, 1.0, 10.0))
    put(store, placed_lamp(2, 4.0, 40.0))
    put(store, placed_lamp(3, 2.0, 20.0))
    put(store, lamp(4))
    event = put(store, placed_lamp(2, 3.0, 30.0))
    assert event is not None
    expected = LayerSummary(
        type=LAMP, count=4, geometries={"Point": 3}, bbox=(1.0, 10.0, 3.0, 30.0), modified=event.at
    )
    assert see(store, lambda snapshot: snapshot.layers("")) == [expected]
    for number in (1, 2, 3, 4):
        remove(store, lamp(number).id)
    assert see(store, lambda snapshot: snapshot.layers("")) == []


def test_lights_reads_what_is_asked_for_page_by_page(store: Store) -> None:
    put(store, placed_lamp(2, 1.0, 1.0))
    named = placed_lamp(1, 1.5, 1.5)
    put(store, replace(named, attributes=named.attributes | {NAME: [prop("Corner")]}))
    put(store, placed_lamp(3, 5.0, 5.0))
    put(store, placed_lamp(4, 1.0, 1.0, types=[SENSOR]))
    put(store, lamp(5))
    lamps, within = Query(types=TypeIs(LAMP)), box_query((0.5, 0.5, 2.0, 2.0))
    with store.snapshot() as snapshot:
        first, second = snapshot.lights("", within, [LOCATION, NAME])
        assert (first.id, second.id) == (lamp(1).id, lamp(2).id)
        assert first.attributes == {LOCATION: named.attributes[LOCATION], NAME: [prop("Corner")]}
        assert second.attributes.keys() == {LOCATION}
        assert [each.id for each in snapshot.lights("", replace(within, offset=1, limit=5))] == [lamp(2).id]
        assert [each.id for each in snapshot.lights("", replace(lamps, limit=2), [])] == [
            lamp(1).id,
            lamp(2).id,
        ]
        assert list(snapshot.lights("", Query(types=TypeIs("urn:unknown")), [NAME])) == []
        assert list(snapshot.lights("nobody", lamps, [NAME])) == []


def test_box_that_takes_what_has_no_place_too(store: Store) -> None:
    put(store, placed_lamp(1, 1.0, 1.0))
    put(store, placed_lamp(2, 5.0, 5.0))
    put(store, lamp(3, attributes={}))
    put(store, lamp(4, attributes={LOCATION: [prop("by the river")]}))
    within = box_query((0.5, 0.5, 2.0, 2.0))
    assert within.geo is not None
    wide = replace(within, geo=replace(within.geo, or_absent=True))
    with store.snapshot() as snapshot:
        assert [each.id for each in snapshot.query("", within)] == [lamp(1).id]
        for query in (wide, replace(wide, types=None)):
            assert [each.id for each in snapshot.query("", query)] == [lamp(n).id for n in (1, 3, 4)]
            assert snapshot.count("", query) == 3


def box_query(box: tuple[float, float, float, float]) -> Query:
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geo = GeoQuery(georel="intersects", geometry={"type": "Polygon", "coordinates": [ring]})
    return Query(types=TypeIs(LAMP), geo=geo)


def test_a_location_that_is_no_geometry_is_kept_and_has_no_place(store: Store) -> None:
    odd = lamp(1, attributes={LOCATION: [prop("by the river")]})
    put(store, odd)
    with store.snapshot() as snapshot:
        assert snapshot.get("", odd.id) == odd
        assert snapshot.count("", box_query((-180, -90, 180, 90))) == 0
        assert snapshot.layers("")[0].bbox is None
