"""Law: documents, deliveries and timers."""

from __future__ import annotations

import pytest
from msgspec import Struct
from msgspec.structs import replace

from cityloom.model.errors import ResourceNotFound
from cityloom.store.log_ports import Delivery, Timer
from cityloom.store.ports import Store, Transaction
from tests.laws.values import CAUSE, do, see


class Body(Struct):
    """Some room's own value."""

    name: str
    limit: int = 3


def test_put_document_keeps_plain_json_and_makes_an_event(store: Store) -> None:
    event = do(store, lambda tx: tx.put_document("t", "schema", "urn:1", Body("x"), CAUSE))
    assert (event.kind, event.entity_id, event.document_kind, event.tenant) == (
        "documentPut",
        "urn:1",
        "schema",
        "t",
    )
    document = see(store, lambda snapshot: snapshot.document("t", "schema", "urn:1"))
    assert document is not None
    assert (document.body, document.modified) == ({"name": "x", "limit": 3}, event.at)
    assert see(store, lambda snapshot: snapshot.document("", "schema", "urn:1")) is None
    assert see(store, lambda snapshot: snapshot.document("t", "other", "urn:1")) is None


def test_delete_document_makes_an_event_and_refuses_an_unknown_one(store: Store) -> None:
    do(store, lambda tx: tx.put_document("", "schema", "urn:1", [1], CAUSE))
    event = do(store, lambda tx: tx.delete_document("", "schema", "urn:1", CAUSE))
    assert (event.kind, event.entity_id) == ("documentDeleted", "urn:1")
    with pytest.raises(ResourceNotFound, match="schema 'urn:1' does not exist"):
        do(store, lambda tx: tx.delete_document("", "schema", "urn:1", CAUSE))
    assert see(store, lambda snapshot: snapshot.last_seq()) == 2


def test_a_document_that_was_not_there_is_seen_as_soon_as_it_is(store: Store) -> None:
    def body(tx: Transaction) -> object:
        document = tx.document("", "schema", "urn:1")
        return None if document is None else document.body

    def fail(tx: Transaction) -> None:
        tx.delete_document("", "schema", "urn:1", CAUSE)
        assert body(tx) is None
        raise ResourceNotFound("something else is not there")

    assert do(store, body) is None
    do(store, lambda tx: tx.put_document("", "schema", "urn:1", [1], CAUSE))
    assert do(store, body) == [1]
    with pytest.raises(ResourceNotFound):
        do(store, fail)
    assert do(store, body) == [1]


def test_set_state_makes_no_event(store: Store) -> None:
    do(store, lambda tx: tx.set_state("", "counters", "urn:1", {"sent": 1}))
    do(store, lambda tx: tx.set_state("", "counters", "urn:1", {"sent": 2}))
    document = see(store, lambda snapshot: snapshot.document("", "counters", "urn:1"))
    assert document is not None
    assert document.body == {"sent": 2}
    assert see(store, lambda snapshot: snapshot.last_seq()) == 0


def test_documents_are_paged_by_id(store: Store) -> None:
    for name in ("b", "a", "c"):
        do(store, lambda tx, name=name: tx.set_state("", "k", name, name))
    do(store, lambda tx: tx.set_state("", "other", "a", 1))
    with store.snapshot() as snapshot:
        assert [document.body for document in snapshot.documents("", "k")] == ["a", "b", "c"]
        assert [document.id for document in snapshot.documents("", "k", "a", 1)] == ["b"]
        assert snapshot.documents("nobody", "k") == []


def delivery(id: str, due: int, **more: object) -> Delivery:
    values = {"tenant": "", "subscription": "urn:sub", "seq": 1, "body": {"n": 1}} | more
    return Delivery(id=id, due=due, **values)  # type: ignore[arg-type]


def test_deliveries_come_in_order_of_due_time(store: Store) -> None:
    items = [delivery("b", 20), delivery("a", 30, tenant="t"), delivery("d", 10), delivery("c", 20)]
    dead = delivery("x", 1, dead=True, attempts=8, last_error="gone")
    do(store, lambda tx: [tx.put_delivery(item) for item in [*items, dead]])
    with store.snapshot() as snapshot:
        assert [item.id for item in snapshot.deliveries_due(20, 10)] == ["d", "b", "c"]
        assert [item.id for item in snapshot.deliveries_due(99, 2)] == ["d", "b"]
        assert [item.id for item in snapshot.deliveries_due(99, 2, "b")] == ["c", "a"]
        assert snapshot.deliveries_due(99, 9, "c") == [items[1]]
        assert snapshot.next_due() == 10
        assert snapshot.dead_deliveries("") == [dead]
        assert snapshot.dead_deliveries("", "x") == []
        assert snapshot.dead_deliveries("t") == []
        assert snapshot.delivery_counts() == (4, 1, 0)
        assert snapshot.delivery("t", "a") == items[1]
        assert snapshot.delivery("", "a") is None


def test_deliveries_are_changed_and_done_by_tenant_and_id(store: Store) -> None:
    do(store, lambda tx: [tx.put_delivery(delivery("a", 1)), tx.put_delivery(delivery("a", 1, tenant="t"))])
    do(store, lambda tx: tx.put_delivery(replace(delivery("a", 9), attempts=1, last_error="slow")))
    do(store, lambda tx: tx.delete_delivery("t", "a"))
    do(store, lambda tx: tx.delete_delivery("nobody", "a"))
    with store.snapshot() as snapshot:
        assert snapshot.deliveries_due(99, 9) == [delivery("a", 9, attempts=1, last_error="slow")]
        assert snapshot.next_due() == 9
    do(store, lambda tx: tx.delete_delivery("", "a"))
    assert see(store, lambda snapshot: snapshot.next_due()) is None


def test_the_oldest_dead_letters_are_dropped_and_counted(store: Store) -> None:
    letters = [delivery(f"x{due}", due, dead=True, tenant="t" if due % 2 else "") for due in range(10)]
    do(store, lambda tx: [tx.put_delivery(item) for item in [*letters, delivery("a", 0)]])

    def left() -> list[int]:
        with store.snapshot() as snapshot:
            found = [*snapshot.dead_deliveries(""), *snapshot.dead_deliveries("t")]
        return sorted(letter.due for letter in found)

    assert do(store, lambda tx: tx.drop_dead(0, 10, 99)) == 0
    # By age, though more might be kept; no more than so many at once.
    assert [do(store, lambda tx: tx.drop_dead(3, 10, 2)) for _ in range(3)] == [2, 1, 0]
    assert left() == [3, 4, 5, 6, 7, 8, 9]
    # By number, though they are young enough.
    assert [do(store, lambda tx: tx.drop_dead(0, 2, 4)) for _ in range(3)] == [4, 1, 0]
    assert left() == [8, 9]
    with store.snapshot() as snapshot:
        assert snapshot.delivery_counts() == (1, 2, 8)
    # One that is given up in the same transaction counts, too.
    late = delivery("late", 20, dead=True)
    assert do(store, lambda tx: [tx.put_delivery(late), tx.drop_dead(0, 2, 9)][1]) == 1
    assert left() == [9, 20]
    assert store.stats()["deliveriesDropped"] == 9


def test_timers_are_due_by_consumer(store: Store) -> None:
    timers = [
        Timer(consumer="c", tenant="", key="one", due=20, body={"x": 1}),
        Timer(consumer="c", tenant="t", key="one", due=10),
        Timer(consumer="other", tenant="", key="one", due=1),
    ]
    do(store, lambda tx: [tx.set_timer(timer) for timer in timers])
    with store.snapshot() as snapshot:
        assert snapshot.timers_due("c", 20) == [timers[1], timers[0]]
        assert snapshot.timers_due("c", 20, 1) == [timers[1]]
        assert snapshot.timers_due("c", 9) == []
        assert snapshot.next_timer("c") == 10
        assert snapshot.next_timer("nobody") is None
    do(store, lambda tx: tx.set_timer(replace(timers[1], due=30)))
    do(store, lambda tx: tx.cancel_timer("c", "", "one"))
    do(store, lambda tx: tx.cancel_timer("c", "nobody", "one"))
    assert see(store, lambda snapshot: snapshot.timers_due("c", 99)) == [replace(timers[1], due=30)]
