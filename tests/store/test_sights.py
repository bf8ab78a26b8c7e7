"""A file of before maps had a table of their own is filled from its bodies when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import msgspec

from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION
from cityloom.model.time import format_datetime
from cityloom.store.migrations import migrations
from cityloom.store.ports import Snapshot
from cityloom.store.sqlite import SqliteStore
from tests.laws.conftest import START
from tests.laws.values import LAMP, LEVEL, SENSOR, lamp, point, prop, put, remove, see
from tests.store.older import without_cold

NAME = DEFAULT_VOCAB + "name"
NEW_IN_TALLIES = ("observed", "silent", "touched", "seen", "doubtful")


def told(snapshot: Snapshot) -> Any:
    world = (-180.0, -90.0, 180.0, 90.0)
    return (
        [snapshot.points("", type, world) for type in (LAMP, SENSOR)],
        snapshot.shapes("", LAMP, world),
        snapshot.silent("", LAMP),
        [each.id for text in ("cafe", "灯", "lamp") for each in snapshot.search("", text, 10)],
        [each.id for each in snapshot.search("other", "lamp", 10)],
        snapshot.layers(""),
    )


def make_old(path: Path) -> None:
    """Takes from a file what the step that makes `sight` brings, and those after it."""
    number = next(step.number for step in migrations("sqlite") if step.name == "sight")
    db = apsw.Connection(str(path))
    without_cold(db)
    db.execute("DROP TABLE sight")
    db.execute("ALTER TABLE entity_attribute DROP COLUMN number")
    db.execute("UPDATE meta SET value = ? WHERE key = 'version'", (number - 1,))
    for tenant, type, body in db.execute("SELECT tenant, type, body FROM tally").fetchall():
        tally = msgspec.json.decode(body)
        old = {name: value for name, value in tally.items() if name not in NEW_IN_TALLIES}
        for use in old.get("attributes", {}).values():
            use.pop("changed", None)
        db.execute(
            "UPDATE tally SET body = ? WHERE tenant = ? AND type = ?",
            (msgspec.json.encode(old), tenant, type),
        )
    db.close()


def test_an_older_file_is_filled_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "city.db"
    store = SqliteStore(path, SimulatedClock(START))
    stamp = format_datetime(START)
    put(store, lamp(1, attributes={NAME: [prop("Café")], LOCATION: [point(1, 2)]}))
    names = prop({"zh": "灯"})
    put(store, lamp(2, types=[SENSOR, LAMP], attributes={NAME: [names], LOCATION: [point(3, 4)]}))
    area = prop({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]})
    put(store, lamp(3, attributes={LOCATION: [msgspec.structs.replace(area, kind="GeoProperty")]}))
    put(
        store,
        lamp(4, attributes={LEVEL: [prop(1, observed_at=stamp)], DEFAULT_VOCAB + "stale": [prop(True)]}),
    )
    put(store, lamp(5), tenant="other")
    put(store, lamp(6))
    remove(store, lamp(6).id)
    before = see(store, told)
    store.close()
    make_old(path)
    store = SqliteStore(path, SimulatedClock(START))
    assert see(store, told) == before
    # What is there now may have been shown by nobody: it counts as changed.
    assert see(store, lambda snapshot: snapshot.changed("", LAMP)) == see(store, lambda s: s.last_seq())
    store.close()
