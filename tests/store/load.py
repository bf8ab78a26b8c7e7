"""A load of writes whose outcome can be checked afterwards, whatever happened in between."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from cityloom.model.entity import Entity
from cityloom.model.errors import StoreFailed
from cityloom.model.events import Cause, Event
from cityloom.model.history import HistoryAppend
from cityloom.model.time import format_datetime
from cityloom.query.values import Query
from cityloom.store.history_ports import Window
from cityloom.store.ports import Store, Transaction
from tests.laws.test_machine import apply
from tests.laws.values import LAMP, LEVEL, SENSOR, STATE, prop, reading

THREADS: Final = 3
PER_THREAD: Final = 8
"""Entities that a thread writes, and no other."""


def lamp_id(thread: int, number: int) -> str:
    return f"urn:ngsi-ld:Lamp:{thread}:{number}"


def series_id(thread: int) -> str:
    return f"urn:ngsi-ld:Sensor:{thread}"


class Done:
    """What was answered: the last version of each lamp, the readings, the last event."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.readings: dict[str, int] = {}
        self.seq = 0

    def note(self, entity_id: str, version: int, seq: int) -> None:
        target = self.readings if ":Sensor:" in entity_id else self.versions
        target[entity_id] = version
        self.seq = max(self.seq, seq)


def write(tx: Transaction, thread: int, version: int) -> Event:
    """Version `version` of one of a thread's lamps, which also moves its cursor and counts a delivery."""
    cause = Cause(kind="request", id=f"request:{thread}:{version}")
    entity_id = lamp_id(thread, version % PER_THREAD)
    before = tx.get("", entity_id)
    # some grow beyond a page, so that pages come and go
    text = "x" * (version % 7 * 900)
    after = Entity(id=entity_id, types=[LAMP], attributes={STATE: [prop(version)], LEVEL: [prop(text)]})
    event = tx.write_entity("", before, after, cause)
    assert event is not None
    tx.move_cursor(f"thread-{thread}", event.seq)
    tx.set_state("", "version", str(thread), version)
    return event


def append(tx: Transaction, thread: int, version: int) -> Event:
    """Reading number `version` of a thread's series."""
    cause = Cause(kind="run", id=f"urn:ngsi-ld:ImportRun:{thread}", source=f"s{thread}")
    chunk = HistoryAppend(
        entity_id=series_id(thread), types=[SENSOR], instances=[reading(version, version * 1_000_000)]
    )
    event = tx.append_history("", chunk, cause)
    assert event is not None
    return event


def run(store: Store, seed: int, works: int, answered: Callable[[str, int, int], None]) -> None:
    """Writes from threads, each waiting for some of its writes, until all is done or the store fails."""

    def work_on(thread: int) -> None:
        draw = random.Random(seed * 100 + thread)
        try:
            waiting = []
            for version in range(1, works + 1):
                task = append if version % 5 == 0 else write
                entity_id = series_id(thread) if task is append else lamp_id(thread, version % PER_THREAD)
                future = store.submit(lambda tx, task=task, version=version: task(tx, thread, version))
                waiting.append((entity_id, version, future))
                while len(waiting) > draw.randrange(4):
                    entity_id, version, future = waiting.pop(0)
                    answered(entity_id, version, future.result(60).seq)
        except StoreFailed:
            return

    crew = [threading.Thread(target=work_on, args=(thread,)) for thread in range(THREADS)]
    for member in crew:
        member.start()
    for member in crew:
        member.join()


def losses(store: Store, done: Done) -> list[str]:
    """What was answered and is not there."""
    lost = []
    with store.snapshot() as snapshot:
        if snapshot.last_seq() < done.seq:
            lost.append(f"event {done.seq}")
        for entity_id, version in done.versions.items():
            entity = snapshot.get("", entity_id)
            if entity is None or entity.attributes[STATE][0].value < version:  # type: ignore[operator]
                lost.append(f"{entity_id} {version}")
        for entity_id, version in done.readings.items():
            stamps = {
                each.attribute.value for each in snapshot.instances("", entity_id, Window()).get(LEVEL, [])
            }
            lost.extend(f"{entity_id} {each}" for each in range(5, version + 1, 5) if each not in stamps)
    return lost


def check_whole(store: Store, path: Path) -> None:
    """The file is sound, and state, history, events, cursors and counts agree with each other."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    assert connection.execute("SELECT rtreecheck('place')").get == "ok"
    connection.close()
    replica: dict[tuple[str, str], Entity] = {}
    versions: dict[str, list[object]] = {}
    cursors: dict[str, int] = {}
    with store.snapshot() as snapshot:
        events = snapshot.events(0, 1_000_000)
        assert [event.seq for event in events] == list(range(1, snapshot.last_seq() + 1))
        for event in events:
            apply(replica, event)
            if event.kind == "historyAppended":
                continue
            versions.setdefault(event.entity_id, []).append(
                next(change.after.value for change in event.changes if change.name == STATE and change.after)
            )
            cursors[f"thread-{event.entity_id.split(':')[-2]}"] = event.seq
        assert {("", entity.id): entity for entity in snapshot.scan("", Query())} == replica
        assert dict(snapshot.cursors()) == cursors
        for entity_id, told in versions.items():
            kept = snapshot.instances("", entity_id, Window(names=[STATE]))[STATE]
            assert [each.attribute.value for each in kept] == told
        assert sum(count.count for count in snapshot.type_counts("")) == len(replica)
        at = [event.at for event in events]
        assert at == sorted(at)
        assert all(format_datetime(each) for each in at)
