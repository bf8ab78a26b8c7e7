"""Killed at any step of a move or a compaction, each instance is in history exactly once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cityloom.model.errors import StoreFailed
from cityloom.store.cold.tables import Change
from cityloom.store.ports import Store
from cityloom.store.tables.tiering.mover import Mover
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import CAUSE, HOUR, LEVEL, append, do, history, reading
from tests.postgres import server
from tests.store.cold_killed import STEPS, City, mover_of

ROOT = Path(__file__).parents[2]
ENTITIES = [f"urn:ngsi-ld:Sensor:{number}" for number in range(4)]

KILLS = [*product(["sqlite"], STEPS), *product(["postgres"], ["appended", "published", "restored"])]
"""Processes take long to start: of a database's, those that it hears of."""


@pytest.fixture(params=["sqlite", "postgres"])
def city(request: pytest.FixtureRequest, tmp_path: Path) -> City:
    return City(tmp_path / "city.db", server().database() if request.param == "postgres" else "")


def fill(store: Store, hours: range) -> None:
    for entity_id in ENTITIES:
        append(store, entity_id, *(reading(hour, START + hour * 50 * HOUR) for hour in hours))


def told(store: Store) -> dict[str, list[tuple[object, str | None]]]:
    return {
        entity_id: [
            (one.attribute.value, one.attribute.instance_id) for one in history(store, entity_id)[LEVEL]
        ]
        for entity_id in ENTITIES
    }


def in_tables(city: City) -> Counter[tuple[str, float]]:
    """What whoever opens the newest version of the tables finds."""
    table = pl.read_delta(str(city.file.with_name("history") / "instances"))
    return Counter(table.select("entityId", "number").iter_rows())


def kill(city: City, step: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.cold_killed", *map(str, city), step], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("city", "step"), KILLS, indirect=["city"])
def test_killed_at_a_step_each_instance_is_there_exactly_once(step: str, city: City) -> None:
    store = city.open()
    fill(store, range(9))
    mover_of(store, 50).move(START + 100 * HOUR)
    gone = history(store, ENTITIES[0])[LEVEL][0].attribute.instance_id
    do(store, lambda tx: tx.delete_history("", ENTITIES[0], CAUSE, name=LEVEL, instance_id=gone))
    expected = told(store)
    store.close()
    if step == "restored":
        kill(city, "appended")
    kill(city, step)

    store = city.open()
    assert told(store) == expected
    # Writes go on before anybody mends the tables, and old instances that come again are still known.
    fill(store, range(11))
    expected = told(store)
    assert [len(instances) for instances in expected.values()] == [11] * 4
    settle(store, city, expected)


def settle(store: Store, city: City, expected: dict[str, list[tuple[object, str | None]]]) -> None:
    """Whatever is done with the tables now, each of the eleven is there once."""
    assert store.cold is not None
    store.cold.move(LATER)
    assert told(store) == expected
    store.cold.compact()
    assert told(store) == expected
    assert in_tables(city) == Counter((entity_id, hour) for entity_id in ENTITIES for hour in range(11))
    store.close()


@pytest.mark.parametrize("step", ["_begin", "append", "secure"])
@pytest.mark.parametrize("done", [False, True])
def test_who_was_taken_for_dead_and_goes_on_moves_nothing(step: str, done: bool, city: City) -> None:
    """Two movers without a lock between them: the second comes while the first is before or after a step."""
    store = city.open()
    fill(store, range(11))
    expected = told(store)
    late, other = mover_of(store, 7), mover_of(store, 9)
    owner: Any = late if step == "_begin" else late._tables
    whole = getattr(owner, step)

    def held_up(*arguments: Any) -> Any:
        delattr(owner, step)
        if done:
            result = whole(*arguments)
            other.move(LATER)
            return result
        other.move(LATER)
        return whole(*arguments)

    setattr(owner, step, held_up)
    with pytest.raises(StoreFailed):
        late.move(LATER)
    assert told(store) == expected
    settle(store, city, expected)


@pytest.mark.parametrize("step", ["append", "replace", "vacuum", "restore"])
def test_who_is_overtaken_by_one_that_went_on_changes_nothing(step: str, city: City) -> None:
    """What another commits to the tables between the steps of a change does not become part of it."""
    store = city.open()
    fill(store, range(9))
    mover, stray = mover_of(store, 50), mover_of(store, 50)
    mover.move(START + 200 * HOUR)
    fill(store, range(11))
    expected = told(store)
    if step == "restore":
        cut_off(mover)
    whole = getattr(mover._tables, step)

    def after_a_stray(*arguments: Any) -> Any:
        delattr(mover._tables, step)
        cut_off(stray, anyway=True)
        return whole(*arguments)

    setattr(mover._tables, step, after_a_stray)

    def keep_in_order() -> None:
        mover.move(LATER)
        mover.compact()
        mover.vacuum(0)

    with pytest.raises(StoreFailed):
        keep_in_order()
    assert told(store) == expected
    settle(store, city, expected)


def cut_off(mover: Mover, *, anyway: bool = False) -> None:
    """Commits some rows to the tables that never count; `anyway`: in spite of what is under way."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    tables = mover._tables
    if anyway:
        latest = tables.latest()
        assert latest is not None
        rows = pl.read_delta(tables.url, version=latest).head(3)
        tables.append(rows, Change(1, latest))
        return
    mover._show = stop  # type: ignore[method-assign]
    try:
        mover.move(LATER)
    except KeyboardInterrupt:
        pass
    finally:
        del mover._show
