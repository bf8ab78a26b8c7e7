"""Opening rules over a real store: one fault opens one case, by its time, with what fired as evidence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cityloom.broker.local import LocalBroker
from cityloom.broker.ports import Call, Item
from cityloom.model.clock import SimulatedClock
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import TemporalQuery
from cityloom.rules.kept import Rules
from cityloom.rules.watch import CONSUMER, OpeningWatch
from cityloom.store.ports import Store
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore
from tests.broker.conftest import OpenAccess
from tests.postgres import server
from tests.rules.conftest import ZONE
from tests.rules.opened import RULES, Opener, iri, opened, thing

CALL = Call(cause=Cause(kind="request", id="r"))
MINUTE = 60.0
HOUR = 3600.0


def at(text: str) -> int:
    """A time of 1 and 2 December in Shanghai, where the sun sets at 16:52 and rises at 6:36."""
    return parse_datetime(f"2026-12-0{text[0]}T{text[2:]}:00+08:00")


class Town:
    """A store, a broker, rules and their watch, on a clock that the test moves."""

    def __init__(self, store: Store, clock: SimulatedClock, rules: Rules) -> None:
        self.store = store
        self.clock = clock
        self.rules = rules
        self.opener = Opener()
        self.away = False
        self.broker = LocalBroker(store, OpenAccess(), clock)
        self.watch = self.new_watch()

    def new_watch(self) -> OpeningWatch:
        return OpeningWatch(
            self.store, self.clock, self.rules, self.opener, expand=iri, centre=(121.47, 31.23)
        )

    async def tell(self, kind: str, name: str, value: Any, when: str = "", number: int = 1) -> None:
        if when:
            await self.move(when)
        item = thing(kind, number, name, value)
        result = await self.broker.batch(CALL, "upsert-update", [Item(id=item.id, entity=item)])
        assert not result.errors
        await self.read()

    async def read(self) -> None:
        """Until the log was read and no timer is due; at once where nobody watches."""
        if self.away:
            return

        def left() -> bool:
            with self.store.snapshot() as reads:
                due = reads.timers_due(CONSUMER, self.clock.now())
                behind = reads.events(self.watch.position, 1000)
            # What opens a case is an event too, of which nothing comes.
            return bool(due) or any(event.kind.startswith("entity") for event in behind)

        async with asyncio.timeout(20):
            while left():
                self.watch.look()
                await asyncio.sleep(0.002)

    async def move(self, when: str) -> None:
        self.clock.set(at(when))
        self.watch.look()
        await self.read()

    def cases(self) -> list[tuple[str, str]]:
        """(row, local time) of each case."""
        return [(one.row, format_datetime(one.at + 8 * 3_600_000_000)[9:16]) for one in opened(self.store)]


@asynccontextmanager
async def watching(town: Town) -> AsyncIterator[Town]:
    await town.watch.start()
    running = asyncio.create_task(town.watch.run())
    try:
        yield town
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def town(store: SqliteStore, clock: SimulatedClock, rules: Rules) -> AsyncIterator[Town]:
    clock.set(at("1 08:00"))
    await rules.create(CALL, RULES)
    await rules.adopt(CALL, "live", "1", since="2026-12-01")
    async with watching(Town(store, clock, rules)) as made:
        await made.watch.sweep()
        yield made


Tell = Callable[..., Awaitable[None]]


async def test_a_river_over_its_mark_opens_one_case_until_it_is_well_below(town: Town) -> None:
    for minute, level in enumerate([4.4, 4.5, 4.4, 4.6, 4.1, 5, 3.9, 4.2, 4.5, 4.7]):
        await town.tell("River", "level", level, f"1 09:{minute:02d}")
    assert town.cases() == [("river", "1T09:01"), ("river", "1T09:08")]


async def test_a_lamp_that_is_dark_at_night_for_half_an_hour_opens_a_case(town: Town) -> None:
    await town.tell("Streetlight", "powerState", "off", "1 12:00")
    await town.move("1 17:15")
    assert town.cases() == []  # the sun set at 16:52
    await town.move("1 17:30")
    [(row, when)] = town.cases()
    assert row == "dark"
    assert "1T17:20" <= when <= "1T17:24"
    await town.move("2 23:00")
    assert len(town.cases()) == 1


async def test_a_lamp_that_comes_back_in_time_opens_none_whatever_is_late(town: Town) -> None:
    await town.tell("Streetlight", "powerState", "off", "1 20:00")
    # Both at once: the timer is due, and what was told before it ends the fault.
    town.clock.set(at("1 20:29"))
    lamp = thing("Streetlight", 1, "powerState", "on")
    await town.broker.batch(CALL, "upsert-update", [Item(id=lamp.id, entity=lamp)])
    await town.move("1 20:40")
    assert town.cases() == []


async def test_a_lamp_that_comes_back_too_late_has_its_case_though_the_timer_was_late(town: Town) -> None:
    await town.tell("Streetlight", "powerState", "off", "1 20:00")
    town.clock.set(at("1 20:45"))  # nobody wakes the timers
    lamp = thing("Streetlight", 1, "powerState", "on")
    await town.broker.batch(CALL, "upsert-update", [Item(id=lamp.id, entity=lamp)])
    await town.read()
    assert town.cases() == [("dark", "1T20:30")]
    await town.tell("Streetlight", "powerState", "off", "1 21:00")
    await town.move("1 22:00")
    assert town.cases()[1:] == [("dark", "1T21:30")]


class Unhurried(OpeningWatch):
    """A watch whose timers never fire."""

    async def run(self) -> None:
        await self._follower.run()


async def test_a_case_is_due_by_its_time_though_no_timer_fires(
    store: SqliteStore, clock: SimulatedClock, rules: Rules
) -> None:
    clock.set(at("1 19:00"))
    await rules.create(CALL, RULES)
    await rules.adopt(CALL, "live", "1", since="2026-12-01")
    town = Town(store, clock, rules)
    town.watch = Unhurried(store, clock, rules, town.opener, expand=iri, centre=(121.47, 31.23))

    async def told(kind: str, name: str, value: Any, when: str) -> None:
        clock.set(at(when))
        item = thing(kind, 1, name, value)
        await town.broker.batch(CALL, "upsert-update", [Item(id=item.id, entity=item)])
        with store.snapshot() as reads:
            last = max(event.seq for event in reads.events(0, 1000) if event.kind.startswith("entity"))
        async with asyncio.timeout(20):
            while town.watch.position < last:
                await asyncio.sleep(0.002)

    async with watching(town):
        await told("Streetlight", "powerState", "off", "1 20:00")
        await told("Streetlight", "powerState", "on", "1 20:45")
        await told("River", "level", 1, "1 21:00")
        await told("River", "level", 1, "1 23:30")
        await told("River", "level", 1, "2 01:00")
    assert town.cases() == [("dark", "1T20:30"), ("silent", "1T23:00")]


async def test_a_bin_must_be_full_in_one_go_within_the_hours_of_the_rule(town: Town) -> None:
    await town.tell("Bin", "fill", 0.95, "1 21:50")
    await town.move("1 22:29")
    assert town.cases() == []
    await town.move("1 22:30")
    assert town.cases() == [("bin", "1T22:30")]


async def test_a_sensor_that_falls_silent_opens_a_case_and_ends_it_by_speaking(town: Town) -> None:
    for when in ("1 09:00", "1 10:30", "1 11:00"):
        await town.tell("River", "level", 1.0, when)
    await town.move("1 12:59")
    assert town.cases() == []
    await town.move("1 13:30")
    assert town.cases() == [("silent", "1T13:00")]
    await town.tell("River", "level", 1.0, "1 15:00")
    await town.move("1 17:00")
    assert town.cases()[1:] == [("silent", "1T17:00")]


async def test_the_evidence_is_the_instances_that_fired(town: Town) -> None:
    await town.tell("Streetlight", "powerState", "off", "1 20:00")
    await town.tell("Streetlight", "powerState", "off", "1 20:10")
    await town.move("1 20:31")
    [case] = opened(town.store)
    page = await town.broker.retrieve_history(
        CALL, "urn:ngsi-ld:Streetlight:1", TemporalQuery(), names=[iri("powerState")]
    )
    instances = page.evolutions[0].instances[iri("powerState")]
    assert list(case.evidence) == [one.attribute.instance_id for one in instances]
    assert (case.table, case.version, case.row, case.since) == ("live", "1", "dark", at("1 20:00"))
    assert case.entity == "urn:ngsi-ld:Streetlight:1"


async def test_what_is_dark_when_a_rule_begins_counts_from_then(
    store: SqliteStore, clock: SimulatedClock, rules: Rules
) -> None:
    clock.set(at("1 19:00"))
    async with watching(Town(store, clock, rules)) as town:
        for number in range(3):
            await town.tell("Streetlight", "powerState", "off", number=number)
        await town.tell("River", "level", 1.0)
        clock.set(at("1 20:00"))
        await rules.create(CALL, RULES)
        await rules.adopt(CALL, "live", "1", since="2026-12-01")
        await town.watch.sweep()
        await town.move("1 20:29")
        assert town.cases() == []
        await town.move("1 21:30")
        assert sorted(town.cases()) == [("dark", "1T20:30")] * 3 + [("silent", "1T21:00")]
        await town.watch.sweep()
        await town.move("1 23:00")
        assert len(town.cases()) == 4


async def test_a_lamp_that_is_taken_down_is_no_fault_any_more(town: Town) -> None:
    await town.tell("Streetlight", "powerState", "off", "1 20:00")
    await town.broker.delete_entity(CALL, "urn:ngsi-ld:Streetlight:1")
    await town.move("1 22:00")
    assert town.cases() == []


async def test_a_new_version_goes_on_with_the_fault_that_has_its_case(town: Town) -> None:
    await town.tell("River", "level", 5, "1 09:00")
    rows = [dict(row) for row in RULES["rows"]]
    rows[1] = {**rows[1], "when": {**rows[1]["when"], "value": ">= 4.8"}}
    await town.rules.create(CALL, {**RULES, "version": "2", "rows": rows})
    await town.rules.adopt(CALL, "live", "2", since="2026-12-02")
    await town.tell("River", "level", 4.9, "2 09:00")
    await town.tell("River", "level", 3.0, "2 09:10")
    await town.tell("River", "level", 4.6, "2 09:20")
    await town.tell("River", "level", 4.8, "2 09:30")
    assert [one for one in town.cases() if one[0] == "river"] == [("river", "1T09:00"), ("river", "2T09:30")]
    assert [one.version for one in opened(town.store) if one.row == "river"] == ["1", "2"]


async def test_a_restart_goes_on_where_the_watch_stood(town: Town) -> None:
    await town.tell("Streetlight", "powerState", "off", "1 20:00")
    await town.tell("River", "level", 5, "1 20:01")
    calls = town.opener.calls
    other = Town(town.store, town.clock, town.rules)
    # The first one is still there, as two processes never are: what is due is opened once all the same.
    async with watching(other):
        await other.move("1 20:45")
        await other.tell("River", "level", 5.1, "1 20:46")
    assert sorted(town.cases()) == [("dark", "1T20:30"), ("river", "1T20:01")]
    assert calls == 1


async def test_what_was_told_while_nobody_watched_is_taken_in_its_turn(
    store: SqliteStore, clock: SimulatedClock, rules: Rules
) -> None:
    clock.set(at("1 08:00"))
    await rules.create(CALL, RULES)
    await rules.adopt(CALL, "live", "1", since="2026-12-01")
    async with watching(Town(store, clock, rules)) as town:
        await town.tell("River", "level", 1, "1 08:30")
    for when, level in (("1 09:00", 5), ("1 09:10", 1), ("1 09:20", 5)):
        clock.set(at(when))
        river = thing("River", 1, "level", level)
        await town.broker.batch(CALL, "upsert-update", [Item(id=river.id, entity=river)])
    again = Town(store, clock, rules)
    await again.watch.start()
    await again.watch.sweep()  # sees the river over its mark, and nothing yet of what came before
    async with watching(again):
        await again.read()
    assert again.cases() == [("river", "1T09:00"), ("river", "1T09:20")]


async def test_a_lamp_that_goes_dark_and_is_taken_down_while_nobody_watched_is_no_fault(
    store: SqliteStore, clock: SimulatedClock, rules: Rules
) -> None:
    clock.set(at("1 08:00"))
    await rules.create(CALL, RULES)
    await rules.adopt(CALL, "live", "1", since="2026-12-01")
    async with watching(Town(store, clock, rules)) as town:
        await town.tell("River", "level", 1)
    clock.set(at("1 20:00"))
    lamp = thing("Streetlight", 1, "powerState", "off")
    await town.broker.batch(CALL, "upsert-update", [Item(id=lamp.id, entity=lamp)])
    await town.broker.delete_entity(CALL, lamp.id)
    async with watching(Town(store, clock, rules)) as again:
        await again.read()
        await again.move("1 21:00")
    assert [row for row, _ in again.cases() if row == "dark"] == []


async def test_the_same_holds_in_a_database() -> None:
    clock = SimulatedClock(at("1 08:00"))
    store = PostgresStore(server().database(), clock)
    try:
        rules = Rules(store, OpenAccess(), clock, zone=ZONE)
        await rules.create(CALL, RULES)
        await rules.adopt(CALL, "live", "1", since="2026-12-01")
        async with watching(Town(store, clock, rules)) as town:
            await town.tell("River", "level", 4.6, "1 09:00")
            await town.tell("River", "level", 3.6, "1 09:10")
            await town.tell("Streetlight", "powerState", "off", "1 20:00")
            await town.move("1 20:31")
            assert town.cases() == [("river", "1T09:00"), ("silent", "1T11:10"), ("dark", "1T20:30")]
            assert len(opened(store)[2].evidence) == 1
    finally:
        store.close()
