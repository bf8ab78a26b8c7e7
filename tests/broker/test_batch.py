import msgspec
import pytest

from cityloom.broker.door import Limits
from cityloom.broker.ports import Item
from cityloom.model.errors import AlreadyExists, BadRequestData, ResourceNotFound
from cityloom.query.values import Query, TypeIs
from cityloom.store.history_ports import Window

from .helpers import VEHICLE, V, prop, value, vehicle


def items(*entities):
    return [Item(id=entity.id, entity=entity) for entity in entities]


def ids(*numbers):
    return [f"urn:ngsi-ld:Vehicle:{number}" for number in numbers]


async def test_create_answers_item_by_item(broker, call):
    await broker.create_entity(call, vehicle(2, speed=2))
    refused = BadRequestData("speed is invalid")
    result = await broker.batch(
        call,
        "create",
        [
            *items(vehicle(1, speed=1), vehicle(2, speed=9)),
            Item(id="urn:bad", error=refused),
            *items(vehicle(3)),
        ],
    )
    assert result.created == ids(1, 3)
    assert [(error.id, type(error.error)) for error in result.errors] == [
        (ids(2)[0], AlreadyExists),
        ("urn:bad", BadRequestData),
    ]
    assert value(await broker.retrieve_entity(call, ids(2)[0]), "speed") == 2


async def test_create_takes_the_first_of_an_id_and_refuses_the_others(broker, call):
    result = await broker.batch(call, "create", items(vehicle(1, speed=1), vehicle(2), vehicle(1, speed=9)))
    assert result.created == ids(1, 2)
    assert [error.id for error in result.errors] == ids(1)
    assert value(await broker.retrieve_entity(call, ids(1)[0]), "speed") == 1


async def test_upsert_replace_takes_the_occurrences_of_an_id_in_order(broker, call, store):
    result = await broker.batch(
        call, "upsert-replace", items(vehicle(1, speed=1, first=1), vehicle(1, speed=2), vehicle(1, speed=3))
    )
    assert (result.created, result.updated) == (ids(1), ids(1, 1))
    entity = await broker.retrieve_entity(call, ids(1)[0])
    assert (value(entity, "speed"), list(entity.attributes)) == (3, [V + "speed"])
    with store.snapshot() as snapshot:
        history = snapshot.instances("", entity.id, Window(names=[V + "speed"]))
    assert [instance.attribute.value for instance in history[V + "speed"]] == [1, 2, 3]


async def test_upsert_update_adds_to_what_is_there(broker, call):
    await broker.create_entity(call, vehicle(1, speed=prop(1, unit_code="KMH"), fuel=1))
    result = await broker.batch(call, "upsert-update", items(vehicle(1, speed=2, new=3), vehicle(2, speed=4)))
    assert (result.created, result.updated) == (ids(2), ids(1))
    entity = await broker.retrieve_entity(call, ids(1)[0])
    assert [value(entity, name) for name in ("speed", "fuel", "new")] == [2, 1, 3]
    assert entity.instance(V + "speed").unit_code is None


async def test_update_and_merge_refuse_what_does_not_exist(broker, call):
    await broker.create_entity(call, vehicle(1, speed=prop({"a": 1, "b": 2})))
    for operation, expected in (("update", {"c": 3}), ("merge", {"c": 3, "b": 4})):
        patch = expected if operation == "update" else {"b": 4}
        result = await broker.batch(call, operation, items(vehicle(1, speed=prop(patch)), vehicle(9)))
        assert result.updated == ids(1)
        assert [(error.id, type(error.error)) for error in result.errors] == [(ids(9)[0], ResourceNotFound)]
        assert value(await broker.retrieve_entity(call, ids(1)[0]), "speed") == expected


async def test_update_without_overwriting_tells_what_was_left(broker, call):
    await broker.create_entity(call, vehicle(1, speed=1))
    await broker.create_entity(call, vehicle(2, fuel=1))
    result = await broker.batch(
        call, "update-no-overwrite", items(vehicle(1, speed=2, fuel=3), vehicle(2, speed=4))
    )
    assert result.updated == ids(2)
    assert [error.id for error in result.errors] == ids(1)
    assert "speed already exists" in result.errors[0].error.detail
    entity = await broker.retrieve_entity(call, ids(1)[0])
    assert (value(entity, "speed"), value(entity, "fuel")) == (1, 3)


async def test_delete_refuses_the_second_of_an_id(broker, call):
    await broker.batch(call, "create", items(vehicle(1), vehicle(2)))
    result = await broker.batch_delete(call, ids(1, 1, 3, 2))
    assert result.deleted == ids(1, 2)
    assert [error.id for error in result.errors] == ids(1, 3)
    assert all(isinstance(error.error, ResourceNotFound) for error in result.errors)


async def test_an_empty_batch_is_refused(broker, call):
    with pytest.raises(BadRequestData, match="empty"):
        await broker.batch(call, "create", [])
    with pytest.raises(BadRequestData, match="empty"):
        await broker.batch_delete(call, [])


async def test_a_batch_of_many_works_answers_as_one(make, call):
    broker = make(Limits(batch_items=7))
    entities = [vehicle(f"{number:03}", speed=number) for number in range(50)]
    result = await broker.batch(call, "upsert-replace", items(*entities))
    assert result.created == [entity.id for entity in entities]
    again = await broker.batch(call, "upsert-update", items(*entities))
    assert again.updated == [entity.id for entity in entities]
    assert (await broker.query_entities(call, Query(types=TypeIs(VEHICLE), limit=0), True)).count == 50


async def test_works_are_bounded_in_bytes(make, call, store):
    broker = make(Limits(batch_bytes=3000))
    await broker.batch(call, "create", items(*(vehicle(number, text="x" * 1000) for number in range(6))))
    with store.snapshot() as snapshot:
        times = {event.at for event in snapshot.events(0)}
    assert len(times) == 3


async def test_an_unchanged_entity_is_left_alone_when_asked(broker, call, store, clock):
    entities = [
        vehicle(1, speed=prop(1, attributes={V + "by": [prop(1)]})),
        vehicle(2, speed=prop({"a": [1]})),
    ]
    await broker.batch(call, "upsert-update", items(*entities), skip_unchanged=True)
    clock.advance(60)
    seq = _last_seq(store)
    result = await broker.batch(call, "upsert-update", items(*entities), skip_unchanged=True)
    assert (result.updated, result.unchanged, result.errors) == (ids(1, 2), ids(1, 2), [])
    assert _last_seq(store) == seq
    changed = await broker.batch(
        call, "upsert-replace", items(vehicle(1, speed=True), entities[1]), skip_unchanged=True
    )
    assert changed.unchanged == ids(2)
    assert _last_seq(store) == seq + 1


async def test_a_write_of_the_same_value_counts_as_a_write_otherwise(broker, call, store, clock):
    await broker.batch(call, "upsert-update", items(vehicle(1, speed=1)))
    clock.advance(60)
    result = await broker.batch(call, "upsert-update", items(vehicle(1, speed=1)))
    assert result.unchanged == []
    with store.snapshot() as snapshot:
        event = snapshot.events(0)[-1]
    assert [change.name for change in event.changes] == [V + "speed"]


async def test_the_row_of_an_item_stands_in_its_event(broker, call, store):
    await broker.batch(
        call, "upsert-update", [msgspec.structs.replace(items(vehicle(1, speed=1))[0], row=17)]
    )
    with store.snapshot() as snapshot:
        assert snapshot.events(0)[-1].row == 17


async def test_an_instance_that_history_knows_is_not_kept_twice(broker, call, store):
    """A connector appends a series, then makes its last value the current one, by the same instance id."""
    known = "urn:ngsi-ld:Instance:told-by-its-source"
    entity = vehicle(1, speed=prop(1, instance_id=known, observed_at="2026-04-01T00:00:00Z"))
    await broker.batch(call, "upsert-update", items(entity))
    newer = vehicle(1, speed=prop(1, instance_id=known, observed_at="2026-04-01T00:00:00Z"), fuel=2)
    await broker.batch(call, "upsert-update", items(newer))
    with store.snapshot() as snapshot:
        history = snapshot.instances("", entity.id, Window(names=[V + "speed"]))
    assert [instance.attribute.instance_id for instance in history[V + "speed"]] == [known]


def _last_seq(store):
    with store.snapshot() as snapshot:
        return snapshot.last_seq()
