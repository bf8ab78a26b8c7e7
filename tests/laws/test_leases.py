"""The law of leases and of changed documents: what several processes over one store rely on."""

from __future__ import annotations

import pytest

from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Cause
from cityloom.store.log_ports import DELIVERY, Delivery, DocumentChange, Lease
from cityloom.store.ports import Store, Transaction

CAUSE = Cause(kind="system", id="test")


def test_lease_is_kept_changed_and_dropped(store: Store) -> None:
    first = Lease(name="feeds", holder="a", epoch=1, at=5)
    second = Lease(name="feeds", holder="b", epoch=2, at=9)
    other = Lease(name="cold", holder="a", epoch=1, at=5)
    store.submit(lambda tx: tx.put_lease(first)).result()
    store.submit(lambda tx: tx.put_lease(other)).result()
    store.submit(lambda tx: tx.put_lease(second)).result()
    with store.snapshot() as snapshot:
        assert snapshot.leases() == [other, second]
        assert snapshot.lease("feeds") == second
        assert snapshot.lease("none") is None
    store.submit(lambda tx: tx.drop_lease("feeds")).result()
    store.submit(lambda tx: tx.drop_lease("feeds")).result()
    with store.snapshot() as snapshot:
        assert snapshot.leases() == [other]


def test_lease_is_seen_in_the_transaction_that_changes_it(store: Store) -> None:
    def work(tx: Transaction) -> Lease | None:
        tx.put_lease(Lease(name="feeds", holder="a", epoch=1, at=5))
        return tx.lease("feeds")

    assert store.submit(work).result() == Lease(name="feeds", holder="a", epoch=1, at=5)


def test_changed_documents_are_told_each_once_by_their_last_event(store: Store) -> None:
    def put(id: str, kind: str = "thing", tenant: str = "") -> int:
        def work(tx: Transaction) -> int:
            tx.create_tenant(tenant)
            return tx.put_document(tenant, kind, id, {"id": id}, CAUSE).seq

        return store.submit(work).result()

    def told(after: int) -> list[DocumentChange]:
        with store.snapshot() as snapshot:
            return snapshot.document_changes(after)

    begin = put("a")
    put("b")
    third = put("b", tenant="north")
    store.submit(lambda tx: tx.set_state("", "thing", "quiet", {})).result()
    again = put("a")
    gone = store.submit(lambda tx: tx.delete_document("", "thing", "b", CAUSE)).result().seq
    assert told(begin) == [
        DocumentChange(seq=third, tenant="north", kind="thing", id="b"),
        DocumentChange(seq=again, tenant="", kind="thing", id="a"),
        DocumentChange(seq=gone, tenant="", kind="thing", id="b"),
    ]
    assert told(again) == told(begin)[-1:]
    assert told(gone) == []
    assert store.last_document() in (gone, None)


def test_refused_change_of_a_document_is_not_told(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.put_document("", "thing", "a", {}, CAUSE)
        tx.delete_document("", "thing", "b", CAUSE)

    with pytest.raises(ResourceNotFound):
        store.submit(work).result()
    with store.snapshot() as snapshot:
        assert snapshot.document_changes(0) == []


def test_delivery_that_is_handed_over_is_kept_and_told_by_an_event(store: Store) -> None:
    delivery = Delivery(id="urn:n:1", tenant="", subscription="urn:s", seq=0, body={"a": 1}, due=7)
    store.submit(lambda tx: tx.hand_over(delivery, CAUSE)).result()
    with store.snapshot() as snapshot:
        [event] = snapshot.events(0)
        assert (event.document_kind, event.entity_id) == (DELIVERY, "urn:n:1")
        assert snapshot.delivery("", "urn:n:1") == delivery
        assert snapshot.document_changes(0) == []
