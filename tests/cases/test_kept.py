"""Cases as they are kept: entity, transition and timers in one transaction; what goes on by itself."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

import cityloom.cases
from cases.tiny import tiny_city
from cases.town import MONDAY, RULES, SAMPLE, Town, town, until
from cityloom.access.keys import KeyAccess, Keys
from cityloom.cases.behind.following import calendar_warning
from cityloom.cases.desk.wishes import MoveWish, QueueWish, Report, Reporter
from cityloom.cases.keep.city import CaseRules, load_rules
from cityloom.cases.keep.kept import CLOCK_ID, TRANSITION, iri, kept_of
from cityloom.cases.loop.case import RuleRow, Transition
from cityloom.cases.loop.machine import Machine
from cityloom.cli.doctor import examine
from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import Entity
from cityloom.model.errors import ConfigurationError, Conflict, Forbidden, ResourceNotFound, Unauthorized
from cityloom.model.events import Event
from cityloom.model.time import format_datetime, parse_datetime
from tests.postgres import server

HOUR = 3600


@pytest.fixture
def loomhaven(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path) as found:
        yield found


@asynccontextmanager
async def followed(place: Town) -> AsyncIterator[None]:
    """While the block runs, what runs behind the cases does."""
    await place.followed.start()
    running = asyncio.create_task(place.followed.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def entity(place: Town, case: str) -> Entity:
    with place.store.snapshot() as snapshot:
        found = snapshot.get("", case)
    assert found is not None
    return found


def value(place: Town, case: str, name: str) -> Any:
    instance = entity(place, case).instance(iri(name))
    return None if instance is None else instance.value


def events(place: Town) -> list[Event]:
    with place.store.snapshot() as snapshot:
        return snapshot.events(0, 10_000)


def transitions(place: Town, case: str) -> list[Transition]:
    with place.store.snapshot() as snapshot:
        found = snapshot.documents("", TRANSITION)
    return [
        msgspec.convert(one.body, Transition) for one in found if one.id.startswith(f"{case}:transition:")
    ]


def later(place: Town, seconds: float) -> None:
    place.clock.advance(seconds)
    place.cases.timer_set.set()


async def test_every_move_is_an_event_whose_cause_is_the_transition(loomhaven: Town) -> None:
    case = await loomhaven.handled(description="dark")
    made = transitions(loomhaven, case)
    assert [one.move for one in made] == ["report", "accept", "file", "dispatch"]
    told = [event for event in events(loomhaven) if event.cause.kind == "transition"]
    assert [(event.kind, event.cause.id, event.cause.operation) for event in told] == [
        (kind, one.id, one.move)
        for one in made
        for kind in ("documentPut", "entityCreated" if one.number == 1 else "entityUpdated")
    ]
    changed = {change.name for event in told if event.kind == "entityUpdated" for change in event.changes}
    assert iri("state") in changed
    assert not changed & {iri(name) for name in ("description", "caseType", "reportedAt", "status", "place")}


async def test_the_acts_of_the_log_make_the_same_case_again(loomhaven: Town) -> None:
    case = await loomhaven.handled()
    await loomhaven.move(case, "requestReturn", role="department", acting_for="lighting", reason="not ours")
    await loomhaven.move(case, "grantReturn", reason="so it is")
    await loomhaven.move(case, "dispatch", department="roads")
    machine = Machine(RULES.workflow, RULES.limits)
    again = machine.begin(case)
    for made in transitions(loomhaven, case):
        moved = machine.apply(again, made.act, RULES.calendar)
        assert moved.transition == made
        again = moved.case
    assert again == kept_of(entity(loomhaven, case)).case


async def test_a_clock_turns_amber_and_red_when_nobody_acts(loomhaven: Town) -> None:
    async with followed(loomhaven):
        case = await loomhaven.report()
        assert value(loomhaven, case, "light") == "green"
        later(loomhaven, 12 * 60 + 1)
        await until(lambda: value(loomhaven, case, "light") == "amber")
        later(loomhaven, 3 * 60)
        await until(lambda: value(loomhaven, case, "light") == "red")
        clock = entity(loomhaven, case).instance(iri("clock"), CLOCK_ID + "accept")
        assert clock is not None
        assert clock.value[:19] == format_datetime(MONDAY + 15 * 60 * 1_000_000)[:19]
        fired = [event.cause.id for event in events(loomhaven) if event.cause.kind == "timer"]
        assert [id.rpartition(":")[0] for id in fired] == [f"{case}:accept:amber", f"{case}:accept:red"]
        red = await loomhaven.cases.queue(loomhaven.call(), QueueWish(light=("red",)))
        assert [row.id for row in red.cases] == [case]
        await loomhaven.move(case, "accept")
        assert value(loomhaven, case, "light") == "green"


async def test_a_timer_that_was_due_while_the_node_was_down_fires_when_it_is_back(tmp_path: Path) -> None:
    clock = SimulatedClock(MONDAY)
    with town(tmp_path, clock=clock) as before:
        case = await before.report()
    clock.advance(HOUR)
    with town(tmp_path, clock=clock) as after:
        assert value(after, case, "light") == "green"
        async with followed(after):
            await until(lambda: value(after, case, "light") == "red")


async def test_a_case_that_nobody_moves_is_marked_and_never_called_silent(loomhaven: Town) -> None:
    async with followed(loomhaven):
        case = await loomhaven.handled()
        later(loomhaven, 13 * 24 * HOUR)
        await until(lambda: value(loomhaven, case, "light") == "red")
        assert value(loomhaven, case, "unmoved") is None
        later(loomhaven, 24 * HOUR + 1)
        await until(lambda: value(loomhaven, case, "unmoved") is True)
        # Silence is of sensors, which are expected to tell something.
        with loomhaven.store.snapshot() as snapshot:
            assert not any(layer.silent for layer in snapshot.layers(""))
        await loomhaven.move(case, "assign", role="department", acting_for="lighting", worker="w-7")
        assert value(loomhaven, case, "unmoved") is None


async def test_a_case_without_a_promise_lies_by_its_stage_among_the_others(tmp_path: Path) -> None:
    rules = rules_with(tmp_path / "rules", limits=(", promise: 7wd", ""))
    with town(tmp_path / "city", rules) as place:
        lamp = await place.report()
        bare = await place.report(type="damaged-road")
        flood = await place.report(type="flooded-road")

        async def queue(order: str, status: str = "open") -> list[str]:
            found = await place.cases.queue(place.call(), QueueWish(order_by=order, status=status))
            return [one.id for one in found.cases]

        # Its acceptance is due in a quarter of an hour, the promises in one day and in four work days.
        assert await queue("promise") == await queue("promise", "all") == [bare, flood, lamp]
        assert await queue("-promise") == [lamp, flood, bare]
        await place.move(bare, "accept")
        await place.move(bare, "file")
        await place.move(bare, "dispatch", department="roads")
        assert await queue("promise") == [flood, lamp, bare]
        # Without any clock that runs it comes last, whichever way.
        await place.move(bare, "requestReturn", role="department", acting_for="roads", reason="not ours")
        assert (await queue("promise"))[-1] == (await queue("-promise"))[-1] == bare


async def done(place: Town, part: str, department: str) -> None:
    """A department does its part, and it passes."""
    given: dict[str, Any] = {"evidence": ("urn:photo:1",)}
    await place.move(part, "handled", role="department", acting_for=department, **given)
    await place.move(part, "askCheck")
    await place.move(part, "passCheck", finding="done", **given)


async def split(place: Town) -> tuple[str, list[str]]:
    case = await place.report()
    await place.move(case, "accept")
    await place.move(case, "file", condition="light-row-out")
    whole = await place.move(case, "split", departments=("lighting", "roads"))
    return case, [part["case"] for part in whole.parts]


async def test_a_whole_goes_on_when_all_its_parts_are_done(loomhaven: Town) -> None:
    async with followed(loomhaven):
        case, parts = await split(loomhaven)
        assert [value(loomhaven, part, "department") for part in parts] == ["lighting", "roads"]
        assert [value(loomhaven, part, "partOf") for part in parts] == [case, case]
        await done(loomhaven, parts[0], "lighting")
        await until(lambda: [one.move for one in transitions(loomhaven, case)][-1] == "completePart")
        assert value(loomhaven, case, "state") == "divided"
        await done(loomhaven, parts[1], "roads")
        await until(lambda: value(loomhaven, case, "state") == "pendingClose")
        assert [one.act.actor for one in transitions(loomhaven, case)][-2:] == ["urn:cityloom:city"] * 2


async def test_a_part_that_ended_while_nobody_followed_is_completed_once(tmp_path: Path) -> None:
    clock = SimulatedClock(MONDAY)
    with town(tmp_path, clock=clock) as first:
        async with followed(first):
            case, parts = await split(first)
        await done(first, parts[0], "lighting")
    for _ in range(2):
        with town(tmp_path, clock=clock) as again:
            async with followed(again):
                await until(lambda place=again: place.followed.position >= events(place)[-1].seq)
                made = [one.move for one in transitions(again, case)]
                assert made.count("completePart") == 1


async def test_cases_live_in_postgresql_as_in_a_file(tmp_path: Path) -> None:
    with town(tmp_path, url=server().database()) as place:
        async with followed(place):
            case, parts = await split(place)
            for part, department in zip(parts, ("lighting", "roads"), strict=True):
                await done(place, part, department)
            await until(lambda: value(place, case, "state") == "pendingClose")
            later(place, 16 * 60)
            await until(lambda: value(place, case, "light") == "red")
            found = await place.cases.queue(place.call(), QueueWish(state=("pendingClose",)))
            assert [row.id for row in found.cases] == [case]
            await place.move(case, "close", closing_condition="lit")
            whole = await place.cases.show(place.call(), case)
            assert [one.number for one in whole.transitions] == list(range(1, 8))


async def test_a_case_is_merged_into_one_that_can_take_it(loomhaven: Town) -> None:
    first, second, draft = (
        await loomhaven.report(),
        await loomhaven.report(),
        await loomhaven.report(draft=True),
    )
    _, parts = await split(loomhaven)
    for into, error, told in (
        ("2020-000001", ResourceNotFound, "does not exist"),
        (parts[0], Conflict, "is a part of"),
        (draft, Conflict, "was not reported yet"),
    ):
        with pytest.raises(error, match=told):
            await loomhaven.move(first, "merge", role="intake", into=into, reason="the same lamp")
    await loomhaven.move(first, "merge", role="intake", into=second, reason="the same lamp")
    assert value(loomhaven, first, "mergedInto") == second
    with pytest.raises(Conflict, match=f"it was merged into {second}"):
        await loomhaven.move(second, "merge", role="intake", into=first, reason="the same lamp")
    assert value(loomhaven, second, "state") == "reported"


async def test_a_photo_belongs_to_one_case_and_none_that_has_ended(loomhaven: Town) -> None:
    first = await loomhaven.report()
    await loomhaven.move(first, "reject", reason="no lamp there")
    with pytest.raises(Conflict, match="has ended"):
        await loomhaven.cases.add_photo(loomhaven.call(), first, b"anything")
    with pytest.raises(ResourceNotFound):
        await loomhaven.cases.add_photo(loomhaven.call(), "2020-000001", b"anything")


def rules_with(folder: Path, **texts: tuple[str, str]) -> CaseRules:
    """The sample's rules with one thing exchanged in some of its files."""
    folder.mkdir(parents=True)
    for name in ("cases", "calendar"):
        shutil.copy(SAMPLE.with_name(f"{name}.yaml"), folder)
    for floor, name in (("clocks", "limits"), ("loop", "workflow")):
        shutil.copy(Path(cityloom.cases.__file__).parent / floor / f"{name}.yaml", folder)
    with (folder / "cases.yaml").open("a") as file:
        file.write("limits: limits.yaml\nworkflow: workflow.yaml\n")
    for name, (old, new) in texts.items():
        text = (folder / f"{name}.yaml").read_text()
        assert old in text
        (folder / f"{name}.yaml").write_text(text.replace(old, new))
    return load_rules(folder / "cases.yaml")


def recomputed(place: Town) -> bool:
    calendars = place.cases.book.calendars
    with place.store.snapshot() as snapshot:
        mark = calendars.mark(snapshot)
        return mark is not None and calendars.progress(snapshot, mark.number).done


async def test_an_edited_calendar_moves_open_deadlines_and_says_so(tmp_path: Path) -> None:
    clock = SimulatedClock(MONDAY)
    with town(tmp_path / "city", clock=clock) as before:
        await before.followed.start()
        case, other = await before.handled(), await before.report()
        await before.move(other, "reject", reason="no")
        ended = entity(before, other)
    # The deadline is that of Tuesday 7 July 09:00; a storm keeps everyone at home that day.
    storm = ("    makeUp:\n      2026-01-04", "      2026-07-07: Storm\n    makeUp:\n      2026-01-04")
    edited = rules_with(tmp_path / "edited", calendar=storm)
    with town(tmp_path / "city", edited, clock) as after:
        async with followed(after):
            await until(lambda: recomputed(after))
        clocks = {one.dataset_id: one.value[:19] for one in entity(after, case).attributes[iri("clock")]}
        assert clocks[CLOCK_ID + "handle"] == "2026-07-08T01:00:00"
        assert clocks[CLOCK_ID + "promise"] == "2026-07-13T01:00:00"
        assert entity(after, other) == ended
        told = (await after.cases.show(after.call(), case)).changes
        assert {(one["clock"], one["deadlineBefore"][:19], one["deadlineAfter"][:19]) for one in told} == {
            ("handle", "2026-07-07T01:00:00", "2026-07-08T01:00:00"),
            ("promise", "2026-07-10T01:00:00", "2026-07-13T01:00:00"),
        }
        changed = [event for event in events(after) if event.cause.operation == "changeCalendar"]
        assert {event.kind for event in changed} == {"documentPut", "entityUpdated"}
        with after.store.snapshot() as snapshot:
            due = snapshot.timers_due("cases", parse_datetime("2026-07-08T02:00:00Z"))
        red = next(one.due for one in due if one.key == f"{case} handle red")
        assert format_datetime(red)[:19] == "2026-07-08T01:00:00"
        last = events(after)[-1].seq
        async with followed(after):
            await until(lambda: recomputed(after))
        assert events(after)[-1].seq == last


async def test_a_calendar_with_a_hole_is_refused_and_moves_nothing(tmp_path: Path) -> None:
    clock = SimulatedClock(parse_datetime("2026-12-30T09:00:00+08:00"))
    with town(tmp_path / "city", clock=clock) as before:
        await before.followed.start()
        case = await before.handled()
        was = entity(before, case)
    short = rules_with(tmp_path / "short", calendar=("  2027..2035: {}\n", ""))
    with town(tmp_path / "city", short, clock) as after:
        with pytest.raises(ConfigurationError, match=f"case {case}.*hole.*list the missing years"):
            await after.followed.start()
        assert entity(after, case) == was


async def test_a_report_whose_deadline_the_calendar_does_not_reach_leaves_nothing(tmp_path: Path) -> None:
    clock = SimulatedClock(parse_datetime("2026-12-30T09:00:00+08:00"))
    short = rules_with(tmp_path / "short", calendar=("  2027..2035: {}\n", ""))
    with town(tmp_path / "city", short, clock) as place:
        with pytest.raises(ConfigurationError, match="has a hole"):
            await place.report()
        assert events(place) == []


async def test_an_old_case_goes_by_the_limits_that_it_was_reported_under(tmp_path: Path) -> None:
    clock = SimulatedClock(MONDAY)
    with town(tmp_path / "city", clock=clock) as before:
        await before.followed.start()
        old = await before.report()
    sign = "street-sign: {title: {en: Street name sign, zh: 路名牌}, limit: "
    edited = rules_with(tmp_path / "new", limits=(sign + "3wd", sign + "9wd"))
    with (
        town(tmp_path / "city", edited, clock) as unnamed,
        pytest.raises(ConfigurationError, match="was changed and has its old version"),
    ):
        await unnamed.followed.start()
    named = ('version: "2026-11-30"', 'version: "2027"')
    text = (tmp_path / "new" / "limits.yaml").read_text()
    (tmp_path / "new" / "limits.yaml").write_text(text.replace(*named))
    with town(tmp_path / "city", load_rules(tmp_path / "new" / "cases.yaml"), clock) as after:
        await after.followed.start()
        new = await after.report()
        for case, limit, version in ((old, "3wd", "2026-11-30"), (new, "9wd", "2027")):
            await after.move(case, "accept", type="damaged-road")
            await after.move(case, "file", type="street-sign")
            whole = await after.move(case, "dispatch", department="roads")
            handle = next(one for one in whole.case.clocks if one.clock == "handle")
            assert (handle.limit, handle.decided_by) == (limit, f"type street-sign (cityloom {version})")
            assert handle.ruled == RuleRow(table="cityloom", version=version, row="street-sign")


async def test_someone_without_a_role_reports_and_no_more(loomhaven: Town) -> None:
    case = await loomhaven.report()
    whole = await loomhaven.cases.show(loomhaven.call("nobody"), case)
    assert whole.moves == []
    with pytest.raises(Forbidden):
        await loomhaven.move(case, "accept", party="nobody")


def photo() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 8)).save(written, "PNG")
    return written.getvalue()


async def test_with_keys_everyone_may_report_where_that_is_open_and_no_more(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json", SimulatedClock(MONDAY))
    keys.add("clerk", "officer", [], ["intake"])
    keys.add("app", "writer", [])
    keys.add("guest", "reader", [], ["intake"])
    access = KeyAccess(keys, open_node=False, public_read=False, public_report=True)
    with town(tmp_path / "city", access=access) as place:
        anyone, cases = place.call(), place.cases
        case = (await cases.report(anyone, Report(type="street-light", reporter=Reporter(phone="555")))).id
        assert (await cases.status(anyone, case)).state == "reported"
        assert (await cases.add_photo(anyone, case, photo())).by == "urn:cityloom:anonymous"
        assert (await cases.report(place.call("app"), Report(type="street-light"))).status == "open"
        with pytest.raises(Unauthorized, match="actor cannot be named"):
            await cases.report(anyone, Report(type="street-light", actor="the mayor"))
        for refused in (
            cases.show(anyone, case),
            cases.queue(anyone, QueueWish()),
            cases.move(anyone, case, MoveWish(move="accept", seen=1)),
            cases.reporter(place.call("", "curious"), case),
        ):
            with pytest.raises(Unauthorized):
                await refused
        for party, wanted in (("app", "holds no role"), ("guest", "may not write")):
            with pytest.raises(Forbidden, match=wanted):
                await cases.move(place.call(party), case, MoveWish(move="accept", seen=1))
        with pytest.raises(Forbidden, match="personal data"):
            await cases.reporter(place.call("guest", "call back"), case)
        assert await cases.reporter(place.call("clerk", "call back"), case) == {"phone": "555"}
        whole = await cases.move(place.call("clerk"), case, MoveWish(move="accept", seen=1))
        assert whole.transitions[-1].actor == "clerk"
        with pytest.raises(Forbidden, match="nobody took up"):
            await cases.add_photo(anyone, case, photo())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("calendar: calendar.yaml", "calendar: none.yaml", "none.yaml does not exist"),
        ("calendar: calendar.yaml", "", "missing required field `calendar`"),
        ("stale: 10wd", "stale: soon", "stale is invalid: 'soon' is no limit"),
        ("stale: 10wd", "stile: 10wd", "unknown field `stile`"),
        ("{title: {en: Roads and Bridges, zh: 道路桥梁管理处}}", "{}", "departments.roads.title is required"),
        ("{type: District}", "{type: District, grades: {x: Z}}", "areas.grades.x is invalid: 'Z'"),
        ("stale: 10wd", "reporterRoles: [mayor]", "reporterRoles is invalid: 'mayor'"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        rules_with(tmp_path / "wrong", cases=(old, new))
    assert told in error.value.detail
    assert str(tmp_path) in error.value.detail


def test_a_calendar_that_ends_soon_is_told(tmp_path: Path) -> None:
    short = rules_with(tmp_path / "short", calendar=("  2027..2035: {}\n", ""))
    november = parse_datetime("2026-11-05T00:00:00Z")
    told = calendar_warning(short.calendar, november)
    assert told == "the calendar 'loomhaven' ends in 56 days, on 2026-12-31"
    assert calendar_warning(short.calendar, november - 4 * 86_400_000_000) == ""
    assert calendar_warning(RULES.calendar, november) == ""
    # Where it has ended, too.
    assert "ends in 0 days" in calendar_warning(short.calendar, november + 400 * 86_400_000_000)


def test_doctor_looks_at_what_cases_go_by(tmp_path: Path) -> None:
    city, file = tiny_city(tmp_path)
    good = [one for one in examine(city) if one.what.startswith("cases: ")]
    assert [one.state for one in good] == ["ok"]
    calendar = file.with_name("calendar.yaml")
    calendar.write_text(calendar.read_text().replace("2024..2060", "2024..2025"))
    (ended,) = [one for one in examine(city) if one.what.startswith("cases: ")]
    assert (ended.state, "ends in 0 days" in ended.what) == ("warn", True)
    calendar.write_text("calendar: x\n")
    assert [one.state for one in examine(city) if "calendar.yaml" in one.what] == ["fail"]
