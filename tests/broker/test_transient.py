import pytest

from cityloom.broker.door import Limits
from cityloom.broker.transient import alive, next_expiry
from cityloom.broker.upkeep import Upkeep
from cityloom.model.errors import ConfigurationError, ResourceNotFound
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import Query, TemporalQuery, TypeIs

from .conftest import NOON
from .helpers import VEHICLE, V, fragment, prop, value, vehicle

ID = "urn:ngsi-ld:Vehicle:1"


def at(seconds):
    return format_datetime(NOON + seconds * 1_000_000)


def transient(seconds, number=1, **attributes):
    entity = vehicle(number, **attributes)
    return type(entity)(
        id=entity.id, types=entity.types, attributes=entity.attributes, expires_at=at(seconds)
    )


@pytest.fixture
def upkeep(store, clock):
    return Upkeep(store, clock, limits=Limits(batch_items=2))


async def test_an_expired_entity_is_gone_at_once_and_removed_by_upkeep(broker, call, clock, upkeep, store):
    await broker.create_entity(call, transient(60, speed=1))
    await broker.create_entity(call, vehicle(2, speed=1))
    assert await upkeep.expire_entities() == 0
    clock.advance(61)
    with pytest.raises(ResourceNotFound):
        await broker.retrieve_entity(call, ID)
    with pytest.raises(ResourceNotFound):
        await broker.merge_entity(call, ID, fragment(speed=2))
    page = await broker.query_entities(call, Query(types=TypeIs(VEHICLE)))
    assert [entity.id[-1] for entity in page.entities] == ["2"]
    assert await upkeep.expire_entities() == 1
    with store.snapshot() as snapshot:
        assert snapshot.get("", ID) is None
        event = snapshot.events(0)[-1]
    assert (event.kind, event.cause.kind, event.cause.operation) == ("entityDeleted", "system", "expiry")


async def test_an_expired_attribute_goes_alone(broker, call, clock, upkeep, store):
    speed = prop(1, expires_at=at(30), attributes={V + "by": [prop("x")]})
    fuel = prop(2, attributes={V + "note": [prop("y", expires_at=at(90))]})
    await broker.create_entity(call, vehicle(speed=[speed, prop(3, "urn:gps")], fuel=fuel))
    clock.advance(31)
    entity = await broker.retrieve_entity(call, ID)
    assert [instance.dataset_id for instance in entity.attributes[V + "speed"]] == ["urn:gps"]
    assert await upkeep.expire_entities() == 1
    clock.advance(60)
    assert (await broker.retrieve_entity(call, ID)).instance(V + "fuel").attributes == {}
    assert await upkeep.expire_entities() == 1
    with store.snapshot() as snapshot:
        assert next_expiry(snapshot.get("", ID)) is None
    assert await upkeep.expire_entities() == 0


async def test_an_expired_entity_may_be_made_again_and_is_another_one(broker, call, clock, store):
    await broker.create_entity(call, transient(60, speed=1))
    clock.advance(61)
    await broker.create_entity(call, vehicle(speed=2))
    with store.snapshot() as snapshot:
        kinds = [event.kind for event in snapshot.events(0)]
        history = snapshot.history_entity("", ID)
    assert kinds == ["entityCreated", "entityDeleted", "entityCreated"]
    assert history.deleted_at is None
    page = await broker.retrieve_history(call, ID, TemporalQuery())
    assert [one.attribute.value for one in page.evolutions[0].instances[V + "speed"]] == [2]


async def test_a_later_end_puts_the_removal_off(broker, call, clock, upkeep):
    await broker.create_entity(call, transient(60, speed=1))
    await broker.merge_entity(call, ID, type(vehicle())(expires_at=at(600)))
    clock.advance(61)
    assert await upkeep.expire_entities() == 0
    assert value(await broker.retrieve_entity(call, ID), "speed") == 1
    await broker.merge_entity(call, ID, type(vehicle())(expires_at="urn:ngsi-ld:null"))
    clock.advance(6000)
    assert await upkeep.expire_entities() == 0
    assert value(await broker.retrieve_entity(call, ID), "speed") == 1


async def test_many_expire_in_works_of_a_bounded_size(broker, call, clock, upkeep):
    for number in range(5):
        await broker.create_entity(call, transient(10 + number, number, speed=1))
    clock.advance(100)
    assert await upkeep.expire_entities() == 5
    assert await upkeep.expire_entities() == 0


def test_alive_gives_the_very_entity_when_nothing_has_expired():
    entity = transient(60, speed=prop(1, expires_at=at(30)))
    assert next_expiry(entity) == NOON + 30_000_000
    assert alive(entity, NOON) is entity
    assert alive(entity, NOON + 30_000_000).attributes == {}
    assert alive(entity, NOON + 60_000_000) is None


async def test_history_is_kept_as_long_as_its_type_says(broker, call, store, clock):
    days = [prop(day, observed_at=f"2026-0{1 + day // 28}-{1 + day % 28:02}T00:00:00Z") for day in range(100)]
    instances = [Instance(name=V + "speed", attribute=one) for one in days]
    for type in ("Vehicle", "Bus"):
        await broker.append_history(
            call, [HistoryAppend(entity_id=f"urn:ngsi-ld:{type}:1", types=[V + type], instances=instances)]
        )
    upkeep = Upkeep(store, clock, {VEHICLE: "P2M"}, Limits(expire_instances=7))
    clock.set(parse_datetime("2026-04-30T00:00:00Z"))
    gone = sum(1 for day in days if day.observed_at < "2026-02-28T00:00:00Z")
    assert await upkeep.expire_history() == gone
    assert await upkeep.expire_history() == 0
    page = await broker.retrieve_history(call, "urn:ngsi-ld:Vehicle:1", TemporalQuery(), instances=1000)
    assert len(page.evolutions[0].instances[V + "speed"]) == 100 - gone
    page = await broker.retrieve_history(call, "urn:ngsi-ld:Bus:1", TemporalQuery(), instances=1000)
    assert len(page.evolutions[0].instances[V + "speed"]) == 100


def test_a_retention_that_is_no_duration_is_refused(store, clock):
    with pytest.raises(ConfigurationError, match="retention of"):
        Upkeep(store, clock, {VEHICLE: "two months"})


async def test_what_an_expired_attribute_selected_is_selected_no_more(broker, call, clock):
    """4.22: it is as if it were not there, also before it is removed."""
    speed = prop(1, expires_at=at(30))
    await broker.create_entity(call, vehicle(speed=speed, fuel=2))
    q = Query(types=TypeIs(VEHICLE), attrs=[V + "speed"])
    assert len((await broker.query_entities(call, q)).entities) == 1
    clock.advance(31)
    assert (await broker.query_entities(call, q)).entities == []
    assert [entity async for entity in broker.scan_entities(call, q)] == []
