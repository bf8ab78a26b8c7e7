"""Opening rules over the past open what they opened when it was the present; replays as jobs."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from cityloom.app.case_replay import ReplayedCases
from cityloom.broker.ports import Call
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import BadRequestData, Forbidden, Overloaded, ResourceNotFound
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.rules import jobs
from cityloom.rules.jobs import JOB, Job, Replays
from cityloom.rules.kept import Rules, read_table
from cityloom.rules.past import OpeningPast
from cityloom.store.sqlite import SqliteStore
from tests.broker.conftest import OpenAccess
from tests.rules.conftest import ZONE, Made
from tests.rules.lives import CALENDAR, WORKFLOW
from tests.rules.opened import RULES, iri, opened
from tests.rules.tables import routing
from tests.rules.test_replay import TABLES, Lives
from tests.rules.test_watch import Town, at, watching

CALL = Call(party="clerk", cause=Cause(kind="request", id="r"))
PAST = OpeningPast(expand=iri, zone=ZONE, centre=(121.47, 31.23))


async def lived_day(town: Town, seed: int) -> None:
    """A river, a lamp and a bin through a day and a night."""
    draw = random.Random(seed)
    for hour in [*range(9, 24), *range(9)]:
        for minute in sorted(draw.sample(range(60), 3)):
            when = f"{1 if hour >= 9 else 2} {hour:02d}:{minute:02d}"
            kind = draw.choice(["River", "Streetlight", "Bin", "none"])
            if kind == "River":
                await town.tell("River", "level", draw.choice([3.5, 4.2, 4.5, 5]), when)
            elif kind == "Streetlight":
                await town.tell("Streetlight", "powerState", draw.choice(["on", "off", "off"]), when)
            elif kind == "Bin":
                await town.tell("Bin", "fill", draw.choice([0.5, 0.95, 0.95]), when)
    await town.move("2 09:00")


def past_of(store: SqliteStore, before: Any, table: Any) -> Any:
    with store.snapshot() as reads:
        return PAST.replay(
            reads,
            "",
            None if before is None else read_table(before),
            read_table(table),
            since=at("1 00:00"),
            until=at("2 09:00") + 1,
        )


@pytest.mark.parametrize("seed", range(3))
async def test_a_replay_opens_what_was_opened_when_it_happened(
    seed: int, store: SqliteStore, clock: SimulatedClock, rules: Rules
) -> None:
    clock.set(at("1 08:00"))
    await rules.create(CALL, RULES)
    await rules.adopt(CALL, "live", "1", since="2026-12-01")
    async with watching(Town(store, clock, rules)) as town:
        await lived_day(town, seed)
    live = sorted((format_datetime(one.at), one.case_type, one.entity) for one in opened(store))
    assert len(live) > 3
    found = past_of(store, None, RULES)
    assert sorted((one["at"], one["caseType"], one["entity"]) for one in found.opened) == live
    assert past_of(store, RULES, RULES).opened == past_of(store, RULES, RULES).not_opened == []
    milder = {**RULES, "rows": [RULES["rows"][0], *RULES["rows"][2:]]}
    gone = past_of(store, RULES, milder)
    assert [one["at"] for one in gone.not_opened] == [
        when for when, kind, _ in live if kind == "flooded-road"
    ]
    assert gone.opened == []


@pytest.mark.parametrize("seed", range(3))
async def test_a_watch_that_comes_late_opens_what_it_would_have_opened(
    seed: int, store: SqliteStore, clock: SimulatedClock, rules: Rules
) -> None:
    clock.set(at("1 08:00"))
    await rules.create(CALL, RULES)
    await rules.adopt(CALL, "live", "1", since="2026-12-01")
    town = Town(store, clock, rules)
    await town.watch.start()
    town.away = True
    await lived_day(town, seed)
    town.away = False
    async with watching(town):
        await town.read()
        late = sorted((format_datetime(one.at), one.case_type, one.entity) for one in opened(store))
    found = past_of(store, None, RULES)
    assert len(late) > 3
    assert late == sorted((one["at"], one["caseType"], one["entity"]) for one in found.opened)


class Office:
    """Rules with cases that were lived, and the replays that are asked for."""

    def __init__(self, store: SqliteStore, access: OpenAccess, clock: SimulatedClock, rules: Rules) -> None:
        self.lives = Lives(20, routed=False)
        past = ReplayedCases(WORKFLOW, TABLES, CALENDAR, ZONE, lambda *_: self.lives.lived)
        self.replays = Replays(store, access, clock, rules, openings=PAST, cases=past)

    async def done(self, id: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while (told := await self.replays.retrieve(CALL, id))["status"] == "running":
                await asyncio.sleep(0.01)
        return told


@pytest.fixture
def office(store: SqliteStore, access: OpenAccess, clock: SimulatedClock, make: Made) -> Office:
    return Office(store, access, clock, make(base=TABLES.base))


async def test_a_replay_is_a_job_that_tells_what_came_of_it(office: Office) -> None:
    base = TABLES.base[0]
    id = await office.replays.ask(CALL, base.id, base.version)
    told = await office.done(id)
    assert (told["status"], told["progress"], told["askedBy"]) == ("done", 1.0, "clerk")
    assert (told["from"], told["until"]) == ("2025-11-30", "2026-11-30")
    assert told["result"]["changed"] == told["result"]["unlike"] == []
    assert told["result"]["cases"] >= 20
    assert [one["id"] for one in await office.replays.list(CALL)] == [id]


async def test_a_replay_that_was_running_at_the_end_is_run_again(office: Office, store: SqliteStore) -> None:
    base = TABLES.base[0]
    job = Job(id="left", table=base.id, version=base.version, since="2026-01-01", until="2026-11-30")
    store.submit(lambda tx: tx.set_state("", JOB, "left", job)).result()
    await office.replays.start()
    assert (await office.done("left"))["status"] == "done"


async def test_a_replay_that_fails_says_why(office: Office, store: SqliteStore) -> None:
    job = Job(id="lost", table="gone", version="1", since="2026-01-01", until="2026-11-30")
    store.submit(lambda tx: tx.set_state("", JOB, "lost", job)).result()
    await office.replays.start()
    told = await office.done("lost")
    assert (told["status"], told["error"]) == (
        "failed",
        "version 1 of the decision table gone does not exist",
    )


async def test_a_replay_that_cannot_be_is_refused(
    office: Office,
    rules: Rules,
    store: SqliteStore,
    clock: SimulatedClock,
    access: OpenAccess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = TABLES.base[0]
    with pytest.raises(BadRequestData, match="from is invalid: 'x' is no day"):
        await office.replays.ask(CALL, base.id, base.version, since="x")
    with pytest.raises(BadRequestData, match="2026-01-01 is before 2026-02-01"):
        await office.replays.ask(CALL, base.id, base.version, since="2026-02-01", until="2026-01-01")
    with pytest.raises(ResourceNotFound):
        await office.replays.ask(CALL, base.id, "9")
    with pytest.raises(ResourceNotFound):
        await office.replays.retrieve(CALL, "none")
    await rules.create(CALL, routing())
    without = Replays(store, access, clock, rules, openings=PAST)
    with pytest.raises(BadRequestData, match="the city has no cases"):
        await without.ask(CALL, "who-comes", "1")
    monkeypatch.setattr(jobs, "_MOST_RUNNING", 0)
    with pytest.raises(Overloaded):
        await office.replays.ask(CALL, base.id, base.version)
    access.denied.add(("write", "rules"))
    with pytest.raises(Forbidden):
        await office.replays.ask(CALL, base.id, base.version)
