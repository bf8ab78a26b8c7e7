"""Law: a tenant is forgotten whole, in steps, and made again it is another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from cityloom.model.history import HistoryAppend
from cityloom.model.time import format_datetime
from cityloom.query.values import Query
from cityloom.store.history_ports import Window
from cityloom.store.log_ports import Delivery, Timer
from cityloom.store.ports import Snapshot, Store, Transaction
from tests.laws.conftest import START, Home
from tests.laws.values import CAUSE, HOUR, LAMP, LEVEL, RUN, SENSOR, do, lamp, placed_lamp, put, reading, see

TENANT = "passing"
SERIES = "urn:ngsi-ld:Sensor:1"


def fill(store: Store, tenant: str) -> None:
    """Something of every kind that a store keeps."""
    for number in range(5):
        put(store, placed_lamp(number, number, 1.0, scopes=["/street"]), tenant)
        put(store, placed_lamp(number, number, 2.0, scopes=["/street"]), tenant)
    do(store, lambda tx: tx.write_entity(tenant, tx.get(tenant, lamp(4).id), None, CAUSE))
    readings = [reading(hour, START + hour * HOUR) for hour in range(30)]
    told = HistoryAppend(entity_id=SERIES, types=[SENSOR], instances=readings)
    do(store, lambda tx: tx.append_history(tenant, told, RUN))
    first = see(store, lambda reads: reads.instances(tenant, SERIES, Window()))[LEVEL][0]
    later = replace(first.attribute, observed_at=format_datetime(START + 99 * HOUR))
    do(store, lambda tx: tx.replace_instance(tenant, SERIES, replace(first, attribute=later), CAUSE))
    do(store, lambda tx: tx.delete_history(tenant, lamp(0).id, CAUSE))

    def rest(tx: Transaction) -> None:
        tx.put_document(tenant, "schema", "urn:1", {"a": 1}, CAUSE)
        tx.put_delivery(Delivery(id="urn:1", tenant=tenant, subscription="urn:s", seq=1, body={}, due=1))
        dead = Delivery(id="urn:2", tenant=tenant, subscription="urn:s", seq=1, body={}, due=1, dead=True)
        tx.put_delivery(dead)
        tx.set_timer(Timer(consumer="c", tenant=tenant, key="k", due=1))
        tx.put_personal(tenant, lamp(1).id, {"phone": "1"}, CAUSE)
        tx.expire_history(tenant, SENSOR, START, 1)

    do(store, rest)


def forget(store: Store, tenant: str, limit: int = 1000) -> list[int]:
    """How many rows each step took away."""
    steps = []
    while gone := do(store, lambda tx: tx.forget_tenant(tenant, limit)):
        steps.append(gone)
    return steps


LOOKS: dict[str, Callable[[Snapshot, str], object]] = {
    "entities": lambda reads, tenant: list(reads.scan(tenant, Query())),
    "types": lambda reads, tenant: reads.type_counts(tenant),
    "attributes": lambda reads, tenant: reads.attribute_uses(tenant),
    "layers": lambda reads, tenant: reads.layers(tenant),
    "history": lambda reads, tenant: reads.history_entities(tenant),
    "instances": lambda reads, tenant: reads.instances(tenant, SERIES, Window()),
    "past": lambda reads, tenant: reads.instances(tenant, lamp(4).id, Window()),
    "documents": lambda reads, tenant: reads.documents(tenant, "schema"),
    "dead letters": lambda reads, tenant: reads.dead_deliveries(tenant),
    "delivery": lambda reads, tenant: reads.delivery(tenant, "urn:1"),
    "timers": lambda reads, tenant: [one for one in reads.timers_due("c", 9) if one.tenant == tenant],
    "events": lambda reads, tenant: [one for one in reads.events(0) if one.tenant == tenant],
}


def seen(store: Store, tenant: str) -> dict[str, object]:
    with store.snapshot() as reads:
        return {name: look(reads, tenant) for name, look in LOOKS.items()}


@pytest.mark.parametrize("limit", [1, 1000])
def test_forget_takes_everything_of_a_tenant_and_nothing_of_others(store: Store, limit: int) -> None:
    fill(store, TENANT)
    fill(store, "other")
    fill(store, "")
    before = {tenant: seen(store, tenant) for tenant in ("", "other")}
    assert all(seen(store, TENANT).values())
    entities = store.stats()["entities"]
    forget(store, TENANT, limit)
    assert see(store, lambda reads: reads.tenants()) == ["", "other"]
    assert not any(seen(store, TENANT).values())
    assert {tenant: seen(store, tenant) for tenant in ("", "other")} == before
    assert store.stats()["entities"] == entities - 4
    assert do(store, lambda tx: tx.personal_readings(TENANT, lamp(1).id)) == []
    assert do(store, lambda tx: tx.read_personal("other", lamp(1).id, "clerk", "test")) == {"phone": "1"}


def test_steps_are_bounded(store: Store) -> None:
    fill(store, TENANT)
    last = see(store, lambda reads: reads.last_seq())
    steps = forget(store, TENANT, 10)
    assert len(steps) > 5
    assert all(gone <= 11 or gone == last for gone in steps)


def test_tenant_that_is_made_again_starts_empty(store: Store) -> None:
    fill(store, TENANT)
    assert seen(store, TENANT)["entities"]
    forget(store, TENANT)
    do(store, lambda tx: tx.create_tenant("between"))
    put(store, lamp(1, "anew"), TENANT)
    with store.snapshot() as reads:
        [entity] = reads.scan(TENANT, Query())
        assert entity == lamp(1, "anew")
        assert [len(many) for many in reads.instances(TENANT, entity.id, Window()).values()] == [1]
        assert [(each.type, each.count) for each in reads.type_counts(TENANT)] == [(LAMP, 1)]
        assert [event.kind for event in reads.events(0, tenant=TENANT)] == ["entityCreated"]
        assert reads.dead_deliveries(TENANT) == []
        assert list(reads.scan("between", Query())) == []


def test_readers_of_other_threads_see_the_new_tenant_alone(store: Store) -> None:
    put(store, lamp(1), TENANT)

    def look(reads: Snapshot) -> list[str]:
        return [entity.id for entity in reads.scan(TENANT, Query())]

    for _ in range(20):
        assert store.read(look).result(30) == [lamp(1).id]
    forget(store, TENANT)
    put(store, lamp(2), "stranger")
    for _ in range(20):
        assert store.read(look).result(30) == []
    put(store, lamp(3), TENANT)
    for _ in range(20):
        assert store.read(look).result(30) == [lamp(3).id]


def test_name_stays_until_consumers_have_dealt_with_the_events(store: Store) -> None:
    do(store, lambda tx: tx.move_cursor("slow", 1))
    fill(store, TENANT)
    last = see(store, lambda reads: reads.last_seq())
    forget(store, TENANT)
    with store.snapshot() as reads:
        assert TENANT in reads.tenants()
        assert list(reads.scan(TENANT, Query())) == []
        assert {event.tenant for event in reads.events(1)} == {TENANT}
    put(store, lamp(7))
    do(store, lambda tx: tx.move_cursor("slow", last))
    forget(store, TENANT)
    with store.snapshot() as reads:
        assert reads.tenants() == [""]
        assert [event.entity_id for event in reads.events(0)] == [lamp(7).id]


def test_forgetting_goes_on_after_the_store_was_closed(home: Home) -> None:
    store = home.open()
    fill(store, TENANT)
    while do(store, lambda tx: tx.forget_tenant(TENANT, 3)):
        store.close()
        store = home.open()
    assert see(store, lambda reads: reads.tenants()) == [""]
    assert not any(seen(store, TENANT).values())
    put(store, lamp(2), TENANT)
    assert see(store, lambda reads: [one.id for one in reads.scan(TENANT, Query())]) == [lamp(2).id]
    store.close()


def test_step_that_is_undone_took_nothing(store: Store) -> None:
    fill(store, TENANT)
    before = seen(store, TENANT)

    def refused(tx: Transaction) -> None:
        while tx.forget_tenant(TENANT):
            pass
        assert TENANT not in tx.tenants()
        raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        do(store, refused)
    assert seen(store, TENANT) == before
    put(store, lamp(1, "still here"), TENANT)
    assert seen(store, TENANT) != before


def test_what_is_not_there_or_is_the_default_is_not_forgotten(store: Store) -> None:
    assert do(store, lambda tx: tx.forget_tenant("nobody")) == 0
    assert see(store, lambda reads: reads.tenants()) == [""]
    with pytest.raises(ValueError, match="default tenant"):
        do(store, lambda tx: tx.forget_tenant(""))
