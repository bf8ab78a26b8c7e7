"""Changes that wait for the end of their group: what of them is undone, and what fails with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest

from cityloom.model.clock import SystemClock
from cityloom.model.errors import StoreFailed
from cityloom.query.values import Query
from cityloom.store.ports import Transaction
from cityloom.store.sqlite import SqliteStore
from cityloom.store.sqlite.snapshot import SqliteTransaction
from cityloom.store.tables.base.waiting import Waiting, taken, touched
from tests.laws.values import CAUSE, do, lamp, put, see

ADD = "INSERT INTO entity_scope (tenant, scope, row) VALUES (?, ?, ?)"
DROP = "DELETE FROM entity_scope WHERE tenant = ? AND scope = ? AND row = ?"
Work = Callable[[SqliteTransaction], Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "city.db", SystemClock(), synchronous="OFF")
    try:
        yield store
    finally:
        store.close()


def together(store: SqliteStore, *works: Work) -> list[Future[Any]]:
    """Runs works in one group."""

    def run(tx: Transaction, work: Work) -> Any:
        return work(cast(SqliteTransaction, tx))

    begun, go = threading.Event(), threading.Event()

    def wait(_tx: Transaction) -> None:
        begun.set()
        go.wait(30)

    store.submit(wait)
    begun.wait(30)
    futures = [store.submit(lambda tx, work=work: run(tx, work)) for work in works]  # type: ignore[misc]
    go.set()
    for future in futures:
        future.exception(30)
    return futures


def scopes(tx: SqliteTransaction) -> list[str]:
    return [scope for (scope,) in tx.db.rows("SELECT scope FROM entity_scope ORDER BY scope")]


def test_changes_of_a_table_stay_in_their_order_and_are_taken_once() -> None:
    waiting = Waiting()
    waiting.add("t", "one", [(1,)])
    waiting.add("t", "one", [(2,)])
    waiting.add("t", "other", [(3,)])
    waiting.add("u", "one", [(4,)])
    assert "t" in waiting
    assert list(taken(waiting.working, ["t", "x"])) == [("one", [(1,), (2,)]), ("other", [(3,)])]
    assert "t" not in waiting
    assert waiting
    waiting.drop_work()
    assert not waiting


def test_a_statement_is_known_by_the_tables_that_it_touches() -> None:
    assert touched("INSERT OR REPLACE INTO a VALUES (?)") == ({"a"}, "a")
    assert touched("DELETE FROM a WHERE x IN (SELECT x FROM b)") == ({"a", "b"}, "a")
    assert touched("PRAGMA secure_delete=ON") == (set(), None)


def test_a_work_sees_its_own_changes_and_those_of_the_works_before_it(store: SqliteStore) -> None:
    def first(tx: SqliteTransaction) -> list[str]:
        tx.db.change(ADD, (1, "/a", 1))
        tx.db.change_many(ADD, [(1, "/b", 1), (1, "/c", 1)])
        tx.db.change(DROP, (1, "/b", 1))
        return scopes(tx)

    def second(tx: SqliteTransaction) -> list[str]:
        tx.db.change(ADD, (1, "/d", 1))
        return scopes(tx)

    futures = together(store, first, second)
    assert [future.result() for future in futures] == [["/a", "/c"], ["/a", "/c", "/d"]]


@pytest.mark.parametrize("sent", [False, True])
def test_a_work_that_fails_takes_its_changes_back_alone(store: SqliteStore, sent: bool) -> None:
    def failing(tx: SqliteTransaction) -> None:
        tx.db.change(ADD, (1, "/gone", 1))
        if sent:
            assert scopes(tx) == ["/a", "/gone"]
        tx.write_entity("", None, lamp(9), CAUSE)
        raise KeyError("x")

    first, second, third = together(
        store,
        lambda tx: tx.db.change(ADD, (1, "/a", 1)),
        failing,
        lambda tx: (tx.get("", lamp(9).id), scopes(tx)),
    )
    assert first.exception() is None
    assert isinstance(second.exception(), KeyError)
    assert third.result() == (None, ["/a"])
    assert see(store, lambda snapshot: snapshot.count("", Query())) == 0


def test_a_change_that_cannot_be_kept_fails_the_group_that_waited_with_it(store: SqliteStore) -> None:
    put(store, lamp(1))
    futures = together(
        store,
        lambda tx: tx.write_entity("", None, lamp(2), CAUSE),
        lambda tx: tx.db.change(ADD, (1, None, 1)),
        scopes,
    )
    assert [type(future.exception()) for future in futures] == [StoreFailed] * 3
    assert see(store, lambda snapshot: snapshot.get("", lamp(2).id)) is None
    put(store, lamp(3))
    assert see(store, lambda snapshot: snapshot.count("", Query())) == 2
    assert [event.seq for event in see(store, lambda snapshot: snapshot.events(0))] == [1, 2]


def test_an_entity_of_the_same_group_is_told_as_it_was_written(store: SqliteStore) -> None:
    def create(tx: SqliteTransaction) -> None:
        tx.write_entity("", tx.get("", lamp(1).id), lamp(1, "on"), CAUSE)

    def change(tx: SqliteTransaction) -> Any:
        before = tx.get("", lamp(1).id)
        tx.write_entity("", before, lamp(1, "off"), CAUSE)
        return before

    def delete(tx: SqliteTransaction) -> Any:
        before = tx.get_many("", [lamp(1).id])[lamp(1).id]
        tx.write_entity("", before, None, CAUSE)
        return before, tx.get("", lamp(1).id)

    futures = together(store, create, change, delete)
    assert [future.result() for future in futures] == [None, lamp(1, "on"), (lamp(1, "off"), None)]
    assert do(store, lambda tx: tx.get("", lamp(1).id)) is None
