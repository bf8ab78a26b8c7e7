"""One store open several times: what one process learnt is not wrong when another wrote meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from cityloom.model.clock import SystemClock
from cityloom.model.entity import Entity
from cityloom.model.errors import ConfigurationError
from cityloom.query.values import Query, TypeIs
from cityloom.store.ports import Store, Transaction
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore
from tests.laws.values import CAUSE, LAMP, do, lamp, put, see
from tests.postgres import server

WRITERS, WORKS = 3, 60
Open = Callable[[], Store]


@pytest.fixture(params=["postgres", "sqlite"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    clock = SystemClock()
    if request.param == "postgres":
        url = server().database()
        return lambda: PostgresStore(url, clock)
    return lambda: SqliteStore(tmp_path / "city.db", clock, shared=True)


@pytest.fixture
def stores(opening: Open) -> Iterator[list[Store]]:
    stores = [opening() for _ in range(WRITERS)]
    yield stores
    for store in stores:
        store.close()


def test_numbers_grow_in_the_order_of_commits_whoever_writes(stores: list[Store]) -> None:
    """Whoever follows the log sees every event once, in order, and never one before a gap."""
    followed: list[int] = []
    ends = threading.Event()

    def follow() -> None:
        while True:
            last = ends.is_set()
            with stores[0].snapshot() as snapshot:
                events = snapshot.events(followed[-1] if followed else 0)
            followed.extend(event.seq for event in events)
            if last and not events:
                return

    def write(number: int) -> list[tuple[int, int]]:
        done = []
        for work in range(WORKS):
            futures = [
                stores[number].submit(partial(_add, id=f"urn:{number}:{work}:{each}")) for each in range(3)
            ]
            done += [future.result() for future in futures]
        return done

    follower = threading.Thread(target=follow)
    follower.start()
    with ThreadPoolExecutor() as pool:
        told = [pair for pairs in pool.map(write, range(WRITERS)) for pair in pairs]
    ends.set()
    follower.join()
    assert followed == list(range(1, WRITERS * WORKS * 3 + 1))
    assert sorted(seq for seq, _ in told) == followed
    stamps = [at for _, at in sorted(told)]
    assert stamps == sorted(set(stamps))
    query = Query(types=TypeIs(type=LAMP))
    for store in stores:
        assert see(store, lambda snapshot: snapshot.count("", query)) == len(followed)
        # What is counted as entities come and go is what there is.
        assert see(store, lambda snapshot: snapshot.size()) == len(followed)


def _add(tx: Transaction, id: str) -> tuple[int, int]:
    event = tx.write_entity("", None, Entity(id=id, types=[LAMP]), CAUSE)
    assert event is not None
    return event.seq, event.at


def test_tenant_that_one_forgot_is_a_new_one_for_another(stores: list[Store]) -> None:
    one, other = stores[:2]
    for store in (one, other):
        do(store, lambda tx: tx.create_tenant("north"))
    do(other, lambda tx: tx.write_entity("north", None, lamp(1), CAUSE))
    while do(one, lambda tx: tx.forget_tenant("north")):
        pass
    assert see(other, lambda snapshot: snapshot.tenants()) == [""]
    do(other, lambda tx: tx.create_tenant("south"))
    do(other, lambda tx: tx.create_tenant("north"))
    do(other, lambda tx: tx.write_entity("north", None, lamp(2), CAUSE))
    for store in stores:
        assert see(store, lambda snapshot: snapshot.count("north", Query())) == 1
        assert see(store, lambda snapshot: snapshot.count("south", Query())) == 0


def test_refused_work_of_one_leaves_no_name_that_another_gave_out(stores: list[Store]) -> None:
    """A name that was undone in one process has no number; the next process may give it to another name."""
    one, other = stores[:2]

    def refused(tx: Transaction) -> None:
        _add_typed(tx, "urn:a", "urn:type:undone")
        raise ConfigurationError("refused")

    with pytest.raises(ConfigurationError):
        do(one, refused)
    do(other, lambda tx: _add_typed(tx, "urn:b", "urn:type:other"))
    do(one, lambda tx: _add_typed(tx, "urn:c", "urn:type:undone"))
    for store in stores:
        for type, id in (("urn:type:other", "urn:b"), ("urn:type:undone", "urn:c")):
            query = Query(types=TypeIs(type=type), limit=10)
            found = see(store, lambda snapshot, query=query: list(snapshot.scan("", query)))
            assert [(one.id, one.types) for one in found] == [(id, [type])]


def _add_typed(tx: Transaction, id: str, type: str) -> None:
    tx.write_entity("", None, Entity(id=id, types=[type]), CAUSE)


def test_one_hears_what_another_committed(stores: list[Store]) -> None:
    one, other = stores[:2]
    heard = threading.Event()
    told: list[int] = []

    def hear(seq: int) -> None:
        told.append(seq)
        heard.set()

    stop = one.on_commit(hear)
    put(other, lamp(1))
    assert heard.wait(30)
    assert told[-1] == 1
    stop()


def test_file_is_shared_by_what_one_node_started_alone(tmp_path: Path) -> None:
    alone = SqliteStore(tmp_path / "city.db", SystemClock())
    with pytest.raises(ConfigurationError, match="already in use"):
        SqliteStore(tmp_path / "city.db", SystemClock())
    alone.close()


def test_a_document_that_another_process_brought_is_seen(stores: list[Store]) -> None:
    def body(tx: Transaction) -> object:
        document = tx.document("", "schema", LAMP)
        return None if document is None else document.body

    assert do(stores[0], body) is None
    do(stores[1], lambda tx: tx.set_state("", "schema", LAMP, [1]))
    assert do(stores[0], body) == [1]
