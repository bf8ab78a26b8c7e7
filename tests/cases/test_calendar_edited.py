"""A calendar that is edited while cases are open: what it moves, what it leaves, each told once."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cases.test_kept import entity, events, followed, recomputed, value
from cases.town import MONDAY, RULES, Town, town, until
from cityloom.cases.clocks.calendar import read_calendar
from cityloom.cases.deadlines import read
from cityloom.cases.desk.wishes import MoveWish, QueueWish
from cityloom.cases.keep.kept import CHANGE, kept_of
from cityloom.cases.service import Cases
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import BadRequestData, Conflict, ResourceNotFound
from cityloom.model.time import format_datetime, parse_datetime
from tests.postgres import server

STORES = ("sqlite", "postgres")


def stormy(**holidays: str) -> dict[str, Any]:
    """The sample's calendar with holidays more in 2026, by day: `d0707="Storm"`."""
    values = copy.deepcopy(RULES.calendar_file)
    for day, name in holidays.items():
        values["years"]["2026"]["holidays"][f"2026-{day[1:3]}-{day[3:]}"] = name
    return values


STORM = stormy(d0707="Storm")


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path, url=server().database() if request.param == "postgres" else "") as found:
        yield found


def changes(place: Town) -> list[dict[str, Any]]:
    with place.store.snapshot() as snapshot:
        return [document.body for document in snapshot.documents("", CHANGE)]


def oracle(place: Town, case: str, values: dict[str, Any]) -> dict[str, str]:
    """The deadlines of the open clocks of a case by a calendar, without what keeps cases."""
    calendar, kept = read_calendar(values), kept_of(entity(place, case))
    found = {}
    for countdown in kept.case.countdowns:
        deadline = read(countdown, calendar, place.clock.now()).deadline
        if countdown.state != "stopped" and deadline is not None:
            found[countdown.clock] = format_datetime(deadline)
    return found


def told(place: Town, case: str) -> dict[str, str]:
    return {
        one.dataset_id.rpartition(":")[2]: one.value
        for one in entity(place, case).attributes["https://uri.etsi.org/ngsi-ld/default-context/clock"]
    }


async def test_a_calendar_that_is_put_moves_open_deadlines_and_nothing_else(place: Town) -> None:
    async with followed(place):
        case, rejected = await place.handled(), await place.report()
        await place.move(rejected, "reject", reason="no")
        ended = entity(place, rejected)
        before = oracle(place, case, RULES.calendar_file)
        found = await place.cases.calendar.put(place.call("duty"), STORM)
        assert (found.edition, found.clocks, found.changed) == (2, 2, True)
        await until(lambda: recomputed(place))
        assert told(place, case) == oracle(place, case, STORM)
        assert value(place, case, "promisedBy")[:19] == "2026-07-13T01:00:00"
        assert entity(place, rejected) == ended
        whole = await place.cases.show(place.call(), case)
        assert {
            (one["clock"], one["deadlineBefore"], one["deadlineAfter"], one["edition"], one["by"])
            for one in whole.changes
        } == {(clock, before[clock], told(place, case)[clock], 2, "duty") for clock in before}
        causes = {
            (event.cause.operation, event.cause.party)
            for event in events(place)
            if event.document_kind == CHANGE
        }
        assert causes == {("changeCalendar", "duty")}
        editions = await place.cases.calendar.editions(place.call())
        assert [
            (one.number, one.by, one.source, one.state, one.cases, one.deadlines) for one in editions
        ] == [
            (2, "duty", "request", "holds", 1, 2),
            (1, "urn:cityloom:city", "file", "past", 0, 0),
        ]
        last = events(place)[-1].seq
        again = await place.cases.calendar.put(place.call("duty"), STORM)
        assert (again.edition, again.changed, again.clocks) == (2, False, 0)
        assert events(place)[-1].seq == last
        # An older calendar that is put again moves them back, and is an edition of its own.
        back = await place.cases.calendar.told(place.call(), 1)
        del back["version"]
        await place.cases.calendar.put(place.call("duty"), back)
        await until(lambda: recomputed(place))
        assert told(place, case) == before
        assert [one["edition"] for one in changes(place)] == [2, 2, 3, 3]
    # A restart with the file as it was leaves what was put.
    async with followed(place):
        assert (await place.cases.calendar.editions(place.call()))[0].number == 3


async def test_what_was_late_and_closed_stays_so(place: Town) -> None:
    async with followed(place):
        case = await place.report(type="street-light")
        for move, given in (
            ("accept", {}),
            ("file", {"condition": "light-out"}),
            ("dispatch", {"department": "lighting"}),
        ):
            await place.move(case, move, **given)
        place.clock.advance(8 * 86_400)
        for move, given in (
            ("handled", {"acting_for": "lighting", "evidence": ("urn:photo",)}),
            ("askCheck", {}),
            ("passCheck", {"finding": "lit", "evidence": ("urn:photo",)}),
            ("close", {"closing_condition": "lit"}),
        ):
            await place.move(case, move, **given)
        closed, status = entity(place, case), await place.cases.status(place.call(), case)
        assert (status.late, (status.promised_by or "")[:19]) == (True, "2026-07-10T01:00:00")
        week = {f"d07{day:02d}": "Storm" for day in (7, 8, 9, 10, 13, 14)}
        await place.cases.calendar.put(place.call(), stormy(**week))
        await until(lambda: recomputed(place))
        assert entity(place, case) == closed
        assert await place.cases.status(place.call(), case) == status
        assert changes(place) == []


async def test_every_process_goes_by_a_calendar_from_its_commit_on(place: Town) -> None:
    """What one node put holds for the other's next answer and move, before anything was recomputed."""
    other = Cases(
        place.store,
        place.access,
        place.clock,
        RULES,
        parties=place.access,
        files=place.files,
        places=place.cases.places,
    )
    await place.followed.start()
    case, lies = await place.handled(), await place.handled()
    await place.cases.calendar.put(place.call("duty"), STORM)
    row = next(one for one in (await other.queue(place.call(), QueueWish())).cases if one.id == case)
    expected = oracle(place, case, STORM)
    assert {one.clock: one.deadline for one in row.clocks} == expected
    seen = (await other.show(place.call(), case)).seen
    wish = MoveWish(move="assign", seen=seen, worker="w1", acting_for="lighting")
    await other.move(place.call(), case, wish)
    assert told(place, case) == expected
    # Who moves a case first tells what the calendar moved; recomputing tells it of the others, once each.
    assert {one["edition"] for one in changes(place)} == {2}
    assert len(changes(place)) == 2
    async with followed(place):
        await until(lambda: recomputed(place))
    assert told(place, lies) == oracle(place, lies, STORM)
    assert len(changes(place)) == 4


@pytest.mark.parametrize(("store", "kills"), [("sqlite", (1, 3)), ("postgres", (2,))])
async def test_killed_at_any_work_each_case_is_recomputed_once(
    tmp_path: Path, store: str, kills: tuple[int, ...]
) -> None:
    url = server().database() if store == "postgres" else ""
    with town(tmp_path, clock=SimulatedClock(MONDAY), url=url) as place:
        await place.followed.start()
        cases = [await place.handled() for _ in range(7)]
        # More than a page of a query holds.
        others = [await place.report() for _ in range(20)]
        await place.cases.calendar.put(place.call("duty"), STORM)
    script = Path(__file__).with_name("calendar_process.py")
    paths = [str(script.parents[1]), str(script.parents[2]), os.environ.get("PYTHONPATH", "")]
    for works in kills:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            str(tmp_path),
            url,
            str(works),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        async with asyncio.timeout(60):
            assert await process.wait() == -signal.SIGKILL
    with town(tmp_path, clock=SimulatedClock(MONDAY), url=url) as place:
        part = changes(place)
        assert 0 < len(part) < 14 + 20
        async with followed(place):
            await until(lambda: recomputed(place))
        for case in (*cases, *others):
            assert told(place, case) == oracle(place, case, STORM)
        assert len(changes(place)) == 14 + 20
        put = [event.entity_id for event in events(place) if event.document_kind == CHANGE]
        assert len(put) == len(set(put)) == 14 + 20
        written = [
            event.entity_id
            for event in events(place)
            if event.kind == "entityUpdated" and event.cause.operation == "changeCalendar"
        ]
        assert sorted(written) == sorted([*cases, *others])
        last = (await place.cases.calendar.editions(place.call()))[0]
        assert (last.state, last.cases, last.deadlines) == ("holds", 27, 34)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"week": {"mon-fri": ["08:00-12:00", "11:00-18:00"], "sat": [], "sun": []}},
            "week.mon-fri is invalid",
        ),
        ({"week": {"mon-fri": ["08:00-12:00"], "sat": []}}, "week.sun is required: the calendar has a hole"),
        (
            {"years": {"2026": {"holidays": {"2026-07-11": ""}, "makeUp": {"2026-07-11": "mon"}}}},
            "already stands",
        ),
        ({"years": {"2024": {}, "2026": {}}}, "2025 does not exist in it"),
        ({"years": {"2020..2025": {}}}, "years is invalid: case urn:ngsi-ld:Case:2026-000001, clock"),
        ({"timeZone": "Europe/Berlin"}, "the city is in Asia/Shanghai"),
        ({"week": {"mon": [8]}}, "week"),
        ({"holidays": []}, "unknown field `holidays`"),
        ({**STORM, "version": "0" * 64}, "another calendar came to hold"),
    ],
)
async def test_a_calendar_that_is_not_whole_is_refused_and_changes_nothing(
    tmp_path: Path, changed: dict[str, Any], sentence: str
) -> None:
    with town(tmp_path) as place:
        await place.followed.start()
        await place.handled()
        last = events(place)[-1].seq
        with pytest.raises((BadRequestData, Conflict), match=sentence):
            await place.cases.calendar.put(place.call(), {**RULES.calendar_file, **changed})
        assert events(place)[-1].seq == last
        with pytest.raises(ResourceNotFound, match="edition 2 of the calendar does not exist"):
            await place.cases.calendar.told(place.call(), 2)


async def test_a_case_that_came_between_says_that_the_calendar_ends_until_another_goes_on(
    tmp_path: Path,
) -> None:
    """Reported after the calendar was looked at whole, and before it held."""
    clock = SimulatedClock(parse_datetime("2026-12-30T09:00:00+08:00"))
    with town(tmp_path, clock=clock) as place:
        await place.followed.start()
        case = await place.handled()
        short = {**RULES.calendar_file, "years": {"2026": {}}}
        calendar = read_calendar(short)
        calendars = place.cases.book.calendars
        place.store.submit(
            lambda tx: calendars.adopt(tx, calendar, short, place.call("duty").cause, "request")
        ).result()
        async with followed(place):
            await until(lambda: recomputed(place))
            problems = {one["clock"]: one["problem"] for one in changes(place)}
            assert problems.keys() == {"promise"}
            assert "list the missing years" in problems["promise"]
            # The calendar that fills the hole brings the deadline back, and says so.
            await place.cases.calendar.put(place.call("duty"), RULES.calendar_file)
            await until(lambda: recomputed(place))
        assert told(place, case) == oracle(place, case, RULES.calendar_file)
        last = [one for one in changes(place) if one["edition"] == 3]
        assert [(one["clock"], one["deadlineBefore"], one["leftBefore"]) for one in last] == [
            ("promise", None, None)
        ]
