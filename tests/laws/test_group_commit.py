"""Law: works from many threads, what their futures say, and the bounds of the queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from cityloom.model.errors import Overloaded, StoreFailed
from cityloom.model.history import HistoryAppend
from cityloom.query.values import Query
from cityloom.store.ports import Snapshot, Store, Transaction
from tests.laws.conftest import START, Home
from tests.laws.values import CAUSE, LAMP, RUN, do, lamp, levels, put, reading, see


class Gate:
    """A work that keeps the writer busy until it is opened."""

    def __init__(self, store: Store) -> None:
        self._open = threading.Event()
        running = threading.Event()

        def wait(_tx: Transaction) -> None:
            running.set()
            self._open.wait(30)

        self.done = store.submit(wait)
        running.wait(30)

    def open(self) -> None:
        self._open.set()
        self.done.result(30)


def create(number: int) -> Callable[[Transaction], int]:
    def work(tx: Transaction) -> int:
        tx.write_entity("", None, lamp(number), CAUSE)
        return tx.now

    return work


def test_a_future_gives_what_the_work_returned_or_raised(store: Store) -> None:
    assert do(store, lambda _: 42) == 42
    error = KeyError("x")

    def failing(_tx: Transaction) -> None:
        raise error

    assert store.submit(failing).exception(10) is error


def test_works_of_many_threads_all_become_durable(home: Home) -> None:
    store = home.open()
    with ThreadPoolExecutor(8) as crew:
        times = list(crew.map(lambda number: store.submit(create(number)).result(30), range(200)))
    assert len(set(times)) == 200
    assert store.stats()["commits"] <= 200
    store.close()
    store = home.open()
    assert see(store, lambda snapshot: snapshot.count("", Query())) == 200
    assert [event.seq for event in see(store, lambda snapshot: snapshot.events(0))] == list(range(1, 201))
    store.close()


def test_waiting_works_share_one_commit(store: Store) -> None:
    gate = Gate(store)
    futures = [store.submit(create(number)) for number in range(20)]
    before = store.stats()["commits"]
    gate.open()
    for future in futures:
        future.result(30)
    assert store.stats()["commits"] - before < 20


def test_a_work_is_in_snapshots_when_its_future_is_done(store: Store) -> None:
    for number in range(20):
        do(store, create(number))
        assert see(store, lambda snapshot, number=number: snapshot.get("", lamp(number).id)) is not None


def begin_history(tx: Transaction) -> None:
    """Gives an entity that is not there a history."""
    chunk = HistoryAppend(entity_id=lamp(1).id, types=[LAMP], instances=[reading(7, START)])
    tx.append_history("", chunk, RUN)


def test_an_entity_goes_on_with_the_history_that_its_own_work_began(store: Store) -> None:
    def work(tx: Transaction) -> None:
        assert tx.get("", lamp(1).id) is None
        begin_history(tx)
        tx.write_entity("", None, lamp(1), CAUSE)

    do(store, work)
    assert levels(store, lamp(1).id) == [7]


def test_an_entity_goes_on_with_the_history_that_the_work_before_it_began(store: Store) -> None:
    gate = Gate(store)
    futures = [store.submit(begin_history), store.submit(create(1))]
    gate.open()
    assert [future.exception(30) for future in futures] == [None, None]
    assert levels(store, lamp(1).id) == [7]


def test_a_snapshot_stays_as_it_is(store: Store) -> None:
    put(store, lamp(1))
    with store.snapshot() as snapshot:
        assert snapshot.count("", Query()) == 1
        put(store, lamp(2))
        assert snapshot.count("", Query()) == 1
        with store.snapshot() as inner:
            assert inner.last_seq() == 1
    assert see(store, lambda snapshot: snapshot.count("", Query())) == 2


def test_read_runs_in_one_snapshot_on_another_thread(store: Store) -> None:
    put(store, lamp(1))
    found = store.read(lambda snapshot: (snapshot.count("", Query()), threading.get_ident())).result(10)
    assert found[0] == 1
    assert found[1] != threading.get_ident()

    def failing(_snapshot: Snapshot) -> None:
        raise KeyError("x")

    assert isinstance(store.read(failing).exception(10), KeyError)


def test_a_stream_that_is_not_read_to_its_end_stands_in_nobodys_way(store: Store) -> None:
    for number in range(50):
        put(store, lamp(number))
    with store.snapshot() as snapshot:
        stream = snapshot.scan("", Query())
        assert next(stream).id == lamp(0).id
    put(store, lamp(50))
    assert see(store, lambda snapshot: snapshot.count("", Query())) == 51

    def half(tx: Transaction) -> str:
        stream = tx.scan("", Query())
        first = next(stream)
        tx.write_entity("", first, None, CAUSE)
        return first.id

    assert do(store, half) == lamp(0).id
    assert see(store, lambda snapshot: snapshot.count("", Query())) == 50


def test_a_cancelled_future_does_not_stop_its_work(store: Store) -> None:
    gate = Gate(store)
    future = store.submit(create(1))
    assert future.cancel() is False
    gate.open()
    future.result(30)
    assert see(store, lambda snapshot: snapshot.get("", lamp(1).id)) == lamp(1)


def test_submit_is_refused_when_the_queue_holds_too_many(home: Home) -> None:
    store = home.open(queue_items=3)
    gate = Gate(store)
    futures = [store.submit(create(number)) for number in range(3)]
    with pytest.raises(Overloaded, match="3 writes"):
        store.submit(create(4))
    gate.open()
    for future in futures:
        future.result(30)
    do(store, create(5))
    assert see(store, lambda snapshot: snapshot.count("", Query())) == 4
    assert store.stats()["refused"] == 1
    store.close()


def test_submit_is_refused_when_the_queue_holds_too_many_bytes(home: Home) -> None:
    store = home.open(queue_bytes=1000)
    gate = Gate(store)
    futures: list[Future[Any]] = [store.submit(create(1), 600), store.submit(create(2), 400)]
    with pytest.raises(Overloaded, match="1000 bytes"):
        store.submit(create(3), 1)
    gate.open()
    for future in futures:
        future.result(30)
    store.submit(create(4), 5000).result(30)
    store.close()


def test_on_commit_tells_the_last_event_until_it_is_stopped(store: Store) -> None:
    seen: list[int] = []
    stop = store.on_commit(seen.append)

    def failing(_seq: int) -> None:
        raise RuntimeError("a follower of our own that is broken")

    store.on_commit(failing)
    put(store, lamp(1))
    put(store, lamp(2))
    do(store, lambda _: None)
    stop()
    put(store, lamp(3))
    do(store, lambda _: None)
    assert [seq for seq in seen if seq] == sorted(seen)
    assert {1, 2} <= set(seen)
    assert 3 not in seen


def test_close_finishes_what_is_queued_and_refuses_more(home: Home) -> None:
    store = home.open()
    gate = Gate(store)
    futures = [store.submit(create(number)) for number in range(10)]
    closing = threading.Thread(target=store.close)
    closing.start()
    gate.open()
    closing.join(30)
    assert all(future.exception(0) is None for future in futures)
    with pytest.raises(StoreFailed, match="is closed"):
        store.submit(create(11))
    with pytest.raises(StoreFailed, match="is closed"):
        store.read(lambda snapshot: snapshot.last_seq())
    with pytest.raises(StoreFailed, match="is closed"), store.snapshot():
        pass
    store.close()
    store = home.open()
    assert see(store, lambda snapshot: snapshot.count("", Query())) == 10
    store.close()


def test_compare_and_set_loses_no_change_when_threads_race(store: Store) -> None:
    put(store, lamp(1, 0))

    def add_one(tx: Transaction) -> None:
        before = tx.get("", lamp(1).id)
        assert before is not None
        count = before.attributes[next(iter(before.attributes))][0].value
        assert isinstance(count, int)
        tx.write_entity("", before, lamp(1, count + 1), CAUSE)

    with ThreadPoolExecutor(4) as crew:
        list(crew.map(partial(do, store), [add_one] * 100))
    assert see(store, lambda snapshot: snapshot.get("", lamp(1).id)) == lamp(1, 100)
