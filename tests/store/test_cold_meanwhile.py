"""What is written while history moves or is compacted, and after it: nothing is lost, nothing comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import Entity
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.store.history_ports import Window
from cityloom.store.ports import Store
from cityloom.store.sqlite import SqliteStore
from cityloom.store.tables.tiering.status import cold_status
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import (
    CAUSE,
    HOUR,
    LEVEL,
    RUN,
    SENSOR,
    append,
    do,
    history,
    levels,
    reading,
    remove,
    see,
)

ID = "urn:ngsi-ld:Sensor:1"


def at(hour: int, value: Any) -> Instance:
    return reading(value, START + hour * HOUR)


def instance(store: Store, hour: int) -> Instance:
    stamp = format_datetime(START + hour * HOUR)
    return next(one for one in history(store, ID)[LEVEL] if one.attribute.observed_at == stamp)


def delete(store: Store, hour: int) -> None:
    identity = instance(store, hour).attribute.instance_id
    do(store, lambda tx: tx.delete_history("", ID, CAUSE, name=LEVEL, instance_id=identity))


def change(store: Store, hour: int, value: Any, to: int | None = None) -> None:
    old = instance(store, hour)
    stamp = format_datetime(START + (hour if to is None else to) * HOUR)
    new = replace(old, attribute=replace(old.attribute, value=value, observed_at=stamp))
    do(store, lambda tx: tx.replace_instance("", ID, new, CAUSE))


def again(store: Store) -> None:
    delete(store, 1)
    append(store, ID, at(1, "again"))


def delete_all(store: Store) -> None:
    do(store, lambda tx: tx.delete_history("", ID, CAUSE, name=LEVEL))
    append(store, ID, at(1, "again"))


def expire(store: Store) -> None:
    while do(store, lambda tx: tx.expire_history("", SENSOR, START + 2 * HOUR, 1)):
        pass


CHANGES: dict[str, tuple[Callable[[Store], Any], list[Any]]] = {
    "nothing": (lambda store: None, [0, 1, 2, 3]),
    "deleted": (lambda store: delete(store, 1), [0, 2, 3]),
    "changed": (lambda store: change(store, 1, "new"), [0, "new", 2, 3]),
    "moved in time": (lambda store: change(store, 1, "new", 5), [0, 2, 3, "new"]),
    "deleted and told again": (again, [0, "again", 2, 3]),
    "late": (lambda store: append(store, ID, at(1, "no"), at(-1, "late")), ["late", 0, 1, 2, 3]),
    "all deleted and one told again": (delete_all, ["again"]),
    "expired": (expire, [2, 3]),
}


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path / "city.db", SimulatedClock(START))
    append(store, ID, *(at(hour, hour) for hour in range(4)))
    return store


def meanwhile(store: SqliteStore, method: str, work: Callable[[Store], Any]) -> None:
    """Has `work` done when the tables were changed, before that counts."""
    tables: Any = store.cold._tables
    whole = getattr(tables, method)

    def both(*arguments: Any) -> Any:
        version = whole(*arguments)
        delattr(tables, method)
        work(store)
        return version

    setattr(tables, method, both)


def settle(store: SqliteStore, expected: list[Any]) -> None:
    """Whatever is done with the tables now, history stays what it is."""
    assert levels(store, ID) == expected
    store.cold.move(LATER)
    assert levels(store, ID) == expected
    store.cold.compact()
    assert see(store, cold_status).hidden == 0
    assert levels(store, ID) == expected
    assert see(store, cold_status).instances == len(expected)
    assert sum(month.rows for month in see(store, cold_status).months) == len(expected)
    window = Window(names=[LEVEL], last_n=2)
    found = see(store, lambda reads: reads.instances("", ID, window)).get(LEVEL, [])
    assert [one.attribute.value for one in found] == expected[-2:]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_written_during_a_move_is_right(store: SqliteStore, change: str) -> None:
    work, expected = CHANGES[change]
    meanwhile(store, "append", work)
    store.cold.move(LATER)
    settle(store, expected)


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_written_after_a_move_is_right(store: SqliteStore, change: str) -> None:
    work, expected = CHANGES[change]
    store.cold.move(LATER)
    work(store)
    settle(store, expected)


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_written_during_a_compaction_is_right(store: SqliteStore, change: str) -> None:
    work, expected = CHANGES[change]
    store.cold.move(LATER)
    append(store, ID, at(9, 9))
    store.cold.move(LATER)
    delete(store, 9)
    meanwhile(store, "replace", work)
    assert store.cold.compact() == 1
    settle(store, expected)


def test_a_move_that_was_undone_is_made_anew_with_what_came_meanwhile(store: SqliteStore) -> None:
    class Stopped(Exception): ...

    def stop(_: Store) -> None:
        again(store)
        raise Stopped

    meanwhile(store, "append", stop)
    with pytest.raises(Stopped):
        store.cold.move(LATER)
    settle(store, [0, "again", 2, 3])


def test_an_entity_deleted_during_a_move_keeps_its_past(store: SqliteStore) -> None:
    entity = Entity(id=ID, types=[SENSOR], attributes={})
    do(store, lambda tx: tx.write_entity("", None, entity, CAUSE))
    meanwhile(store, "append", lambda inner: remove(inner, ID))
    store.cold.move(LATER)
    settle(store, [0, 1, 2, 3])


def test_a_tenant_forgotten_during_a_move_is_forgotten(store: SqliteStore) -> None:
    told = HistoryAppend(entity_id=ID, types=[SENSOR], instances=[at(0, "secret")])
    do(store, lambda tx: tx.append_history("t", told, CAUSE))

    def forget(inner: Store) -> None:
        while do(inner, lambda tx: tx.forget_tenant("t")):
            pass

    meanwhile(store, "append", forget)
    store.cold.move(LATER)
    settle(store, [0, 1, 2, 3])
    assert {month.tenant for month in see(store, cold_status).months} == {""}


def test_instances_of_one_time_keep_their_order_across_the_tiers(store: SqliteStore) -> None:
    first, second = replace(RUN, source="a"), replace(RUN, source="b")
    append(store, ID, at(20, "early"), cause=first)
    append(store, ID, at(30, "b"), cause=second)
    store.cold.move(LATER)
    append(store, ID, at(30, "a"), cause=first)
    assert levels(store, ID, last_n=2) == ["a", "b"]
    assert levels(store, ID, last_n=1) == ["b"]
    assert levels(store, ID, start=START + 30 * HOUR, first_n=1) == ["a"]
