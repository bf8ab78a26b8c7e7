"""Beside the name of an attribute stands the number that is its only value, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import DEFAULT_VOCAB, Attribute, Entity
from cityloom.model.events import Cause
from cityloom.store.migrations import migrations
from cityloom.store.ports import Transaction
from cityloom.store.sqlite import SqliteStore
from tests.laws.conftest import START
from tests.store.older import without_cold

CAUSE = Cause(kind="system", id="test")
LEVEL = DEFAULT_VOCAB + "level"
VALUES: list[tuple[Any, Any]] = [(1, 1), (-2.5, -2.5), (True, None), ("3", None), ([4], None), (2**60, None)]


def lamp(*values: Any) -> Entity:
    """A lamp with these values of one attribute, each with a dataset id but the first."""
    instances = [
        Attribute(kind="Property", value=value, dataset_id=f"urn:d:{place}" if place else "")
        for place, value in enumerate(values)
    ]
    return Entity(id="urn:l:1", types=["urn:t:Lamp"], attributes={LEVEL: instances} if instances else {})


def write(path: Path, *states: Entity) -> None:
    """Makes each of the states the lamp's, one after the other."""
    store = SqliteStore(path, SimulatedClock(START))
    for state in states:

        def work(tx: Transaction, state: Entity = state) -> None:
            tx.write_entity("", tx.get("", "urn:l:1"), state, CAUSE)

        store.submit(work).result()
    store.close()


def numbers(path: Path) -> list[Any]:
    """What stands beside the names."""
    db = apsw.Connection(str(path))
    found = [row[0] for row in db.execute("SELECT number FROM entity_attribute")]
    db.close()
    return found


@pytest.mark.parametrize(("value", "number"), VALUES)
def test_number_stands_beside_the_name_when_it_is_the_only_value(
    tmp_path: Path, value: Any, number: Any
) -> None:
    path = tmp_path / "city.db"
    write(path, lamp(value))
    assert numbers(path) == [number]


def test_number_follows_the_value(tmp_path: Path) -> None:
    path = tmp_path / "city.db"
    for states, found in (
        ([lamp(1), lamp(2)], [2]),
        ([lamp("off")], [None]),
        ([lamp(3)], [3]),
        ([lamp(3, 4)], [None]),
        ([lamp()], []),
        ([lamp(5)], [5]),
    ):
        write(path, *states)
        assert numbers(path) == found


def test_an_older_file_is_filled_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "city.db"
    write(path, lamp(7.5))
    step = next(step.number for step in migrations("sqlite") if step.name == "number")
    db = apsw.Connection(str(path))
    db.execute("ALTER TABLE entity_attribute DROP COLUMN number")
    without_cold(db)
    db.execute("UPDATE meta SET value = ? WHERE key = 'version'", (step - 1,))
    db.close()
    write(path)
    assert numbers(path) == [7.5]
