"""Surges on a living node: alarms as entities, raised and ended once, whatever is killed when."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from cases.test_past import BOSTON, NEEDED, entity, imported, rows, stamps
from cases.tiny import tiny_city
from cases.town import MONDAY, RULES, Town, town, until
from cityloom.app import Node
from cityloom.cases.desk.wishes import Report
from cityloom.cases.insight.surge import Surge
from cityloom.cases.keep.kept import iri
from cityloom.cases.keep.past import PastRequests
from cityloom.cases.looks.alerts import SURGE, arrivals, put_surge, surge_of
from cityloom.cases.looks.surges_told import CaseSurges, SurgeWish, replayed
from cityloom.cases.looks.surging import CONSUMER, COUNTS, STATE, SurgesFollowed
from cityloom.folder import CityFolder
from cityloom.ld.context import LdContext
from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.errors import OperationNotSupported
from cityloom.model.time import parse_datetime
from cityloom.query.values import Query, TypeIs
from cityloom.store.ports import Transaction

HOUR = 3600
DAY = 24 * HOUR
FAR = parse_datetime("2100-01-01T00:00:00Z")


@pytest.fixture
def loomhaven(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path) as found:
        yield found


@asynccontextmanager
async def watched(place: Town) -> AsyncIterator[SurgesFollowed]:
    """While the block runs, arrivals are watched."""
    watch = SurgesFollowed(place.store, place.clock, place.cases.book.rules, (123.4, 30.2))
    await watch.start()
    running = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def seen(place: Town, watch: SurgesFollowed) -> None:
    """Waits until all that is in the log was counted."""
    with place.store.snapshot() as snapshot:
        last = snapshot.last_seq()
    await until(lambda: watch.position >= last)


async def passes(place: Town, watch: SurgesFollowed, seconds: float) -> None:
    """Time goes on, and what it changes is counted."""
    place.clock.advance(seconds)

    def told() -> bool:
        watch.look()
        with place.store.snapshot() as snapshot:
            following = snapshot.next_timer(CONSUMER)
        return following is None or following > place.clock.now()

    await until(told)
    await seen(place, watch)


def alarms(place: Town) -> list[Surge]:
    with place.store.snapshot() as snapshot:
        found = [surge_of(one) for one in snapshot.scan("", Query(types=TypeIs(SURGE)))]
    return sorted(found, key=lambda one: (one.since, one.type, one.area))


def alarm(place: Town) -> Entity:
    with place.store.snapshot() as snapshot:
        [found] = snapshot.scan("", Query(types=TypeIs(SURGE)))
    return found


def attribute(one: Entity, name: str) -> object:
    instance = one.instance(LOCATION if name == "location" else iri(name))
    return None if instance is None else instance.value


async def test_many_reports_raise_one_alarm_that_is_an_entity_and_ends_by_itself(loomhaven: Town) -> None:
    asked = CaseSurges(loomhaven.store, loomhaven.access, loomhaven.clock, RULES)
    async with watched(loomhaven) as watch:
        await loomhaven.report()
        await seen(loomhaven, watch)
        await passes(loomhaven, watch, 9 * DAY)
        for _ in range(12):
            loomhaven.clock.advance(60)
            await loomhaven.report()
        await seen(loomhaven, watch)
        raised = alarm(loomhaven)
        assert attribute(raised, "status") == "on"
        assert attribute(raised, "caseType") == "street-light"
        assert attribute(raised, "location") == {"type": "Point", "coordinates": [123.4, 30.2]}
        told = attribute(raised, "description")
        assert isinstance(told, dict)
        title = RULES.limits.told.types["street-light"].title
        assert told["en"].startswith(title["en"])
        assert told["zh"].startswith(title["zh"])
        page = await asked.surges(loomhaven.call(), SurgeWish())
        assert [(one.id, one.status, one.reason) for one in page.surges] == [(raised.id, "on", told)]
        await passes(loomhaven, watch, 12 * HOUR)
    ended = alarm(loomhaven)
    assert ended.id == raised.id
    assert attribute(ended, "status") == "ended"
    [surge] = alarms(loomhaven)
    assert surge.peak == 12
    assert surge.until is not None
    assert surge.until > surge.since
    assert (await asked.surges(loomhaven.call(), SurgeWish())).total == 0
    page = await asked.surges(loomhaven.call(), SurgeWish(status="closed", type=["street-light"]))
    assert [one.id for one in page.surges] == [raised.id]
    assert (await asked.surges(loomhaven.call(), SurgeWish(status="all", type=["flooded-road"]))).total == 0
    with loomhaven.store.snapshot() as snapshot:
        events = [one for one in snapshot.events(0, 10_000) if one.entity_id == raised.id]
    assert [one.kind for one in events] == ["entityCreated", "entityUpdated"]


async def test_an_alarm_names_its_area_in_each_language(loomhaven: Town) -> None:
    names = {"en": "Old Port", "zh": "老港区"}
    area = Entity(
        id="urn:ngsi-ld:District:loomhaven:D02",
        types=[iri("District")],
        attributes={iri("name"): [Attribute(kind="LanguageProperty", value=names)]},
    )
    async with watched(loomhaven) as watch:
        await loomhaven.report()
        await seen(loomhaven, watch)
        await passes(loomhaven, watch, 9 * DAY)
        for _ in range(12):
            loomhaven.clock.advance(60)
            await loomhaven.report()
        await seen(loomhaven, watch)
    [surge] = alarms(loomhaven)

    def put(tx: Transaction) -> None:
        tx.write_entity("", None, area, loomhaven.call().cause)
        for id in (area.id, "urn:ngsi-ld:District:loomhaven:D03"):
            put_surge(tx, loomhaven.call(), replace(surge, area=id), RULES, None)

    loomhaven.store.submit(put).result()
    with loomhaven.store.snapshot() as snapshot:
        found = snapshot.scan("", Query(types=TypeIs(SURGE)))
        told = {surge_of(one).area[-3:]: attribute(one, "description") for one in found}
    assert isinstance(told["D02"], dict)
    assert isinstance(told["D03"], dict)
    assert " in Old Port: " in told["D02"]["en"]
    assert told["D02"]["zh"].startswith("老港区")
    assert " in D03: " in told["D03"]["en"]


async def test_a_type_that_is_told_at_filing_counts_when_the_case_was_reported(loomhaven: Town) -> None:
    async with watched(loomhaven) as watch:
        case = await loomhaven.report(type="", description="dark")
        await loomhaven.move(case, "accept")
        loomhaven.clock.advance(600)
        await loomhaven.move(case, "file", type="street-light", condition="light-out")
        await seen(loomhaven, watch)
        with loomhaven.store.snapshot() as snapshot:
            [counts] = [one.body for one in snapshot.documents("", COUNTS)]
            [arrival] = arrivals(snapshot, "", 0, FAR)
    assert arrival[1:] == ("street-light", "")
    assert MONDAY <= arrival.at < MONDAY + 1000  # the store counts microseconds on
    assert (counts["type"], counts["area"]) == ("street-light", "")
    assert [count for _, count in counts["counts"]] == [1]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_killed_when_the_alarms_are_those_of_the_arrivals(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    with town(tmp_path) as place:
        for day in range(10):
            rush = day >= 8
            left = (40 if rush else 2) + chance.randrange(4)
            while left:
                async with watched(place) as watch:
                    for _ in range(min(left, chance.randrange(1, 12))):
                        place.clock.advance(chance.randrange(20, 120) if rush else 2 * HOUR)
                        await place.report(
                            type=chance.choice(("street-light", "street-light", "flooded-road"))
                        )
                        left -= 1
                    if chance.random() < 0.5:
                        await seen(place, watch)
                    # Else it is killed with some of the log not counted, or just being written.
            place.clock.advance(DAY - (place.clock.now() - MONDAY) / 1e6 % DAY)
        async with watched(place) as watch:
            await seen(place, watch)
            await passes(place, watch, DAY)
        with place.store.snapshot() as snapshot:
            expected = replayed(arrivals(snapshot, "", 0, FAR), RULES, place.clock.now())
        assert len(expected) >= 1
        assert alarms(place) == expected


async def test_what_is_known_is_made_anew_of_kept_cases(loomhaven: Town) -> None:
    async with watched(loomhaven) as watch:
        for _ in range(9):
            await loomhaven.report()
            loomhaven.clock.advance(DAY)
        for _ in range(30):
            loomhaven.clock.advance(60)
            await loomhaven.report()
        await seen(loomhaven, watch)
    before = alarms(loomhaven)
    assert len(before) == 1

    def forget(tx: Transaction) -> None:
        tx.drop_state("", STATE, STATE)
        for one in tx.documents("", COUNTS):
            tx.drop_state("", COUNTS, one.id)

    loomhaven.store.submit(forget).result()
    await loomhaven.report()  # while nobody watches
    async with watched(loomhaven) as watch:
        await seen(loomhaven, watch)
        with loomhaven.store.snapshot() as snapshot:
            [counts] = [one.body for one in snapshot.documents("", COUNTS)]
        assert sum(count for _, count in counts["counts"]) == 40
        assert [one.since for one in alarms(loomhaven)] == [one.since for one in before]
        await loomhaven.report()
        await seen(loomhaven, watch)
        with loomhaven.store.snapshot() as snapshot:
            [counts] = [one.body for one in snapshot.documents("", COUNTS)]
        assert sum(count for _, count in counts["counts"]) == 41


@NEEDED
async def test_the_recorded_day_raises_the_alarm_of_trees_in_the_morning(tmp_path: Path) -> None:
    """Boston, 2011-08-28: its requests of that type, imported hour by hour as they came."""
    micros = stamps()
    trees = [row for row in rows() if row["type"] == "Tree Emergencies"]
    day = parse_datetime("2011-08-28T00:00:00-04:00")
    clock = SimulatedClock(day)

    async def bring(place: Town, since: int, before: int) -> None:
        found = [
            entity({**row, "closed_dt": ""}, micros)
            for row in trees
            if since <= micros(row["open_dt"]) < before
        ]
        requests = PastRequests(place.store, place.access, place.cases.book, LdContext.core.expand_term)
        if found:
            await imported(place, found)
            await requests.run(place.call(), "Open311ServiceRequest")

    with town(tmp_path, BOSTON, clock) as place:
        async with watched(place) as watch:
            await bring(place, 0, day)
            await seen(place, watch)
            assert not [one for one in alarms(place) if one.until is None]
            for hour in range(8):
                await passes(place, watch, HOUR)
                await bring(place, day + hour * HOUR * 10**6, day + (hour + 1) * HOUR * 10**6)
                await seen(place, watch)
            [on] = [one for one in alarms(place) if one.until is None and not one.area]
        assert BOSTON.limits.told.types[on.type].title["en"] == "Tree Emergencies"
        assert day < on.since <= parse_datetime("2011-08-28T08:00:00-04:00")
        assert [one.since for one in alarms(place) if one.since >= day] == [on.since]


async def test_a_node_raises_alarms_that_nobody_else_writes(tmp_path: Path) -> None:
    city, _ = tiny_city(tmp_path)
    folder = CityFolder(city)
    clock = SimulatedClock(MONDAY)
    node = Node(folder, folder.settings(), clock)
    assert node.case_parts.cases is not None
    assert node.case_parts.insights is not None
    call = node.own_call("test")
    node.prepare()
    async with node.running():
        for day in range(9):
            for _ in range(40 if day == 8 else 1):
                await node.case_parts.cases.report(call, Report(type="street-light"))
                clock.advance(30)
            clock.advance(DAY if day < 8 else 0)
        asked = node.case_parts.insights.surges

        async def raised() -> int:
            return (await asked.surges(call, SurgeWish())).total

        await until(raised)
        [told] = (await asked.surges(call, SurgeWish())).surges
        with pytest.raises(OperationNotSupported, match="belongs to cases"):
            await node.broker.delete_entity(call, told.id)
    again = Node(folder, folder.settings(), clock)
    again.prepare()
    async with again.running():
        assert again.case_parts.insights is not None
        [still] = (await again.case_parts.insights.surges.surges(call, SurgeWish())).surges
    assert still == told


@pytest.mark.soak
def test_no_alarm_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    """A process that watches is killed again and again, in the midst of reports (SIGKILL)."""
    chance = random.Random(7)
    script = Path(__file__).with_name("surge_process.py")
    paths = os.pathsep.join([str(script.parents[1]), str(script.parents[2])])
    kills, number, told = 0, 0, ""
    while not told.startswith("done"):
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path), str(kills), "900"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        assert process.stdout is not None
        end = number + chance.randrange(5, 60) if kills < 30 else 10_000
        for told in process.stdout:
            if told.strip().isdigit():
                number = int(told)
            if number >= end and told.strip().isdigit():
                process.kill()
                kills += 1
                break
        process.stdout.close()
        assert process.wait() in (0, -9)
    assert kills >= 15
    now = int(told.split()[1])
    with town(tmp_path, clock=SimulatedClock(now)) as place:
        with place.store.snapshot() as snapshot:
            found = arrivals(snapshot, "", 0, FAR)
        expected = replayed(found, RULES, now)
        print(kills, "kills,", len(found), "arrivals,", len(expected), "alarms")
        assert len(expected) >= 3
        assert alarms(place) == expected
