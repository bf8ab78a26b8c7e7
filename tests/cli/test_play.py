"""Recorded time that is played on a simulated clock: the sample's storm day, the morning of Boston's."""

from __future__ import annotations

import asyncio
import csv
import gzip
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cases.test_past import NEEDED
from cityloom.app import Node
from cityloom.app.play import Played, Player
from cityloom.cases.insight.surge import Surge
from cityloom.cases.keep.kept import CASE, TRANSITION, KeptCase, kept_of
from cityloom.cases.looks.alerts import SURGE, surge_of
from cityloom.cases.loop.case import Transition
from cityloom.cli.console import Bar
from cityloom.cli.playing import bring_before, prepared, refusals
from cityloom.folder import CityConfiguration, CityFolder
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import InternalError
from cityloom.model.time import parse_datetime
from cityloom.query.values import Query, TypeIs
from cityloom.sample import generate
from tests.real_city import DATA

HOUR = 3_600_000_000
MINUTE = HOUR // 60
ZONE = timezone(timedelta(hours=8))


def quiet(name: str) -> Bar:
    """A bar that nobody sees."""
    return lambda fraction, told="": None


@dataclass
class Lived:
    """A city after a play: its cases, their transitions in order, and its alarms."""

    truth: dict[str, Any]
    begin: int
    until: int
    rows: list[dict[str, str]]
    cases: dict[str, KeptCase]
    moves: dict[str, list[Transition]]
    alarms: list[Surge]
    told: list[Played]
    after: tuple[int, float]
    stopped: int
    handled_then: set[str]


def read(node: Node) -> tuple[dict[str, KeptCase], dict[str, list[Transition]], list[Surge]]:
    moves: dict[str, list[Transition]] = {}
    with node.store.snapshot() as reads:
        cases = {one.id: kept_of(one) for one in reads.scan("", Query(types=TypeIs(CASE)))}
        alarms = [surge_of(one) for one in reads.scan("", Query(types=TypeIs(SURGE)))]
        after = ""
        while page := reads.documents("", TRANSITION, after):
            for one in page:
                made = msgspec.convert(one.body, Transition)
                moves.setdefault(made.case, []).append(made)
            after = page[-1].id
    for made_of in moves.values():
        made_of.sort(key=lambda one: one.number)
    return cases, moves, alarms


@contextmanager
def city(folder: Path, profile: str, begin: int, until: int) -> Iterator[tuple[Node, Player, SimulatedClock]]:
    place = CityFolder(folder, make=True)
    place.write(CityConfiguration(profile=profile))
    node, player, clock = prepared(place, place.settings(), begin, until)
    try:
        yield node, player, clock
    finally:
        node.close()


def midnight_before(at: int) -> int:
    day = datetime.fromtimestamp(at / 1e6, ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return round(day.timestamp()) * 1_000_000


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """The sample city until fourteen hours after its storm began, the last minutes of it to be looked at."""
    folder = tmp_path_factory.mktemp("played") / "loomhaven"
    generate(folder / "sources", seed=1, size="small")
    truth = msgspec.json.decode((folder / "sources" / "truth.json").read_bytes())
    begun = parse_datetime(truth["events"]["storm"]["from"])
    begin, until = midnight_before(begun), begun + 14 * HOUR
    told: list[Played] = []
    stopped = until - 3 * HOUR
    with city(folder, "sample", begin, until) as (node, player, _):
        bring_before(player, truth, quiet)
        node.prepare()
        player.until = stopped
        asyncio.run(player.through(HOUR))
        handled_then = {
            id
            for id, one in read(node)[0].items()
            if one.reported_at >= begin and one.case.state == "handling"
        }
    # The same command goes on with the play, and the staff with the cases.
    with city(folder, "sample", begin, until) as (node, player, clock):
        bring_before(player, truth, quiet)
        node.prepare()
        player.until = until - HOUR // 6

        async def played() -> None:
            await player.through(HOUR)
            player.until = until
            async with node.running():
                await player.run(speed=1200, tell=told.append)

        asyncio.run(played())
        after = (clock.now(), clock.speed)
    with city(folder, "sample", begin, until) as (again, _, _):
        found = read(again)
        with gzip.open(folder / "sources" / "requests" / "service_requests.csv.gz", "rt") as file:
            rows = list(csv.DictReader(file))
    return Lived(truth, begin, until, rows, *found, told, after, stopped, handled_then)


def test_staff_goes_on_with_the_cases_of_a_play_that_was_stopped(storm: Lived) -> None:
    assert any(one.act.at > storm.stopped for id in storm.handled_then for one in storm.moves[id])
    for id, moves in storm.moves.items():
        # Nothing is done twice, and all in the order of its times.
        acts = [(one.act.at, one.move) for one in moves]
        assert [at for at, _ in acts] == sorted(at for at, _ in acts), id
        assert len(set(acts)) == len(acts), id


ENDS = ("close", "closeElsewhere", "reject", "void", "forceClose")


def stamp(text: str) -> int | None:
    """A time of the file, which is local."""
    if not text:
        return None
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=ZONE)).timestamp()) * 1_000_000


def case_of(row: dict[str, str]) -> str:
    return f"urn:ngsi-ld:Case:loomhaven:{row['request_id']}"


def good(lived: Lived) -> list[dict[str, str]]:
    """The requests that can be cases: with a place on the earth, and not closed before they were opened."""
    planted = lived.truth["planted"]
    wrong = {one["code"] for one in planted["closedBeforeOpened"]}
    wrong |= {one["code"] for one in planted["wrongCoordinates"] if one["kind"] == "swapped"}
    return [row for row in lived.rows if row["request_id"] not in wrong]


def test_each_request_is_a_case_from_its_own_moment_on_with_its_own_promise(storm: Lived) -> None:
    due = [row for row in good(storm) if (stamp(row["opened_at"]) or 0) <= storm.until]
    whole = {id for id, one in storm.cases.items() if not one.case.part_of}
    made = {id for id in whole if id.startswith("urn:ngsi-ld:Case:loomhaven:")}
    assert made == {case_of(row) for row in due}
    for row in due:
        kept = storm.cases[case_of(row)]
        assert kept.reported_at == stamp(row["opened_at"])
        promise = kept.case.countdown("promise")
        promised = stamp(row["promised_at"])
        given = None if promise is None else promise.spans[0].since + promise.limits[0].amount
        assert given == promised


def test_sensors_open_cases_of_what_truly_happened(storm: Lived) -> None:
    opened = Counter(
        one.case.ruled["opening"].row for one in storm.cases.values() if "opening" in one.case.ruled
    )
    assert opened["river"] == 3
    out = {one["entity"]: parse_datetime(one["since"]) for one in storm.truth["planted"]["lampsOut"]}
    lamps = [
        one
        for one in storm.cases.values()
        if one.case.ruled.get("opening", None) and "Streetlight" in one.subject.about
    ]
    assert lamps
    assert all(out[one.subject.about] <= one.reported_at for one in lamps)
    assert opened["bin"] > 0


def test_the_staff_closes_what_the_city_closed_when_it_closed_it(storm: Lived) -> None:
    """From the storm's day on; before it, and within one step, the close was made elsewhere."""
    checked = 0
    for row in good(storm):
        opened, closed = stamp(row["opened_at"]) or 0, stamp(row["closed_at"])
        case = storm.cases.get(case_of(row))
        if case is None or closed is None or closed > storm.until - HOUR or case.case.state == "merged":
            continue
        # One that was reopened is closed once more.
        close = next(one for one in storm.moves[case.case.id] if one.move in ENDS)
        assert close.act.at == closed - (MINUTE if close.move == "reject" else 0)
        if opened > storm.begin + HOUR and close.move == "close" and not case.case.parts:
            roles = {one.act.role for one in storm.moves[case.case.id]}
            assert roles >= {"intake", "shiftLeader", "dispatcher", "department", "collector"}
            checked += 1
    assert checked > 0
    states = {one.case.state for one in storm.cases.values()}
    assert {"handling", "closed"} <= states


def test_the_storm_raises_the_alarm_of_fallen_trees(storm: Lived) -> None:
    event = storm.truth["events"]["storm"]
    [trees] = [one for one in storm.alarms if one.type == "street-tree" and not one.area]
    assert parse_datetime(event["from"]) < trees.since < parse_datetime(event["to"]) + 3 * HOUR


def test_a_play_goes_to_its_end_and_its_clock_stands_there(storm: Lived) -> None:
    assert storm.after == (storm.until, 0.0)
    times = [one.now for one in storm.told]
    assert times == sorted(times)
    assert times[-1] == storm.until
    # What was opened before the play was stopped counts, too.
    assert storm.told[-1].opened == sum(one.reported_at >= storm.begin for one in storm.cases.values())


def test_what_a_play_refused_is_told_by_reason_with_some_ids() -> None:
    late = {f"urn:ngsi-ld:R:{n}": f"closed_datetime is invalid: {n} is before {n + 1}" for n in range(7)}
    told = refusals({**late, "urn:ngsi-ld:R:x": "open_datetime is required"})
    assert told[0].startswith("8 reports ")
    assert "7 because closed_datetime is invalid: urn:ngsi-ld:R:0, " in told[1]
    assert told[1].endswith("urn:ngsi-ld:R:4 and 2 more")
    assert "0 is before 1" in told[2]
    assert "1 because open_datetime is required: urn:ngsi-ld:R:x" in told[3]
    assert refusals({}) == []


def test_play_that_stands_still_says_what_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody follows the log here, as where all that did has failed."""
    monkeypatch.setattr("cityloom.app.cases._STANDS_AFTER", 0.2)
    begin = parse_datetime("2025-06-14T00:00:00Z")
    with city(tmp_path / "city", "sample", begin, begin + HOUR) as (node, player, _):
        node.prepare()
        with pytest.raises(InternalError, match=r"stands still for 0\.2 s: caseSurges, cases, rules"):
            asyncio.run(player.beat(begin + HOUR))


@NEEDED
def test_the_morning_of_the_recorded_storm_raises_its_alarm_before_eight(tmp_path: Path) -> None:
    """Boston, 2011-08-28, its "Tree Emergencies" alone: what else came that day would take minutes."""
    sources = tmp_path / "city" / "sources"
    shutil.copytree(DATA / "boston_assets", sources / "boston_assets")
    for name, wanted in (
        ("boston_311_2011h2/cases.csv.gz", "Tree Emergencies"),
        ("boston_logan_rain/hourly_precip.csv.gz", "2011-08-28"),
    ):
        (sources / name).parent.mkdir()
        with gzip.open(DATA / name, "rt") as file, gzip.open(sources / name, "wt") as kept:
            kept.writelines(line for number, line in enumerate(file) if not number or wanted in line)
    begin = parse_datetime("2011-08-28T00:00:00-04:00")
    until = parse_datetime("2011-08-28T08:00:00-04:00")
    with city(tmp_path / "city", "boston", begin, until) as (node, player, _):
        bring_before(player, {}, quiet)
        node.prepare()
        before = len(read(node)[0])
        asyncio.run(player.through(HOUR // 4))
        cases, _, alarms = read(node)
        played = asyncio.run(player.played())
    assert [title["en"] for title in played.alarms] == ["Tree Emergencies"]
    [on] = [one for one in alarms if one.until is None and not one.area]
    assert begin < on.since < until
    assert played.opened == len(cases) - before >= 8
    # Nobody here knows yet what was closed later.
    assert all(one.case.at <= until for one in cases.values())
