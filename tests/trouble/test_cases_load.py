"""A Monday morning: a thousand reports a minute on one node, each clock right.

What a clock should read is reckoned here by itself: the small city's hours are two stretches a
weekday, eight hours from UTC.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from cases.tiny import tiny_city
from tests.nodes import NodeProcess

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
EAST = 8 * HOUR
STRETCHES = ((8 * HOUR, 12 * HOUR), (14 * HOUR, 18 * HOUR))
PROMISES = {
    "flooded-road": (DAY, True),
    "street-light": (32 * HOUR, False),
    "damaged-road": (56 * HOUR, False),
}
"""Type -> (the promise of the package's limits, whether it runs at night)."""
HANDLING = {"flooded-road": (2 * HOUR, True), "damaged-road": (40 * HOUR, False)}
CLERKS = 4


class Load(NamedTuple):
    """What a load came to."""

    slowest: float
    cases: int
    handled: int


def micros(text: str) -> int:
    """An instant of the API, without our own reader."""
    moment, _, fraction = text.removesuffix("Z").partition(".")
    day, _, clock = moment.partition("T")
    year, month, date = (int(part) for part in day.split("-"))
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    # Days from a civil date (Gregorian), counted from March so that the leap day comes last.
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + date - 719_469
    return (
        ((days * 24 + hours) * 60 + minutes) * 60 * SECOND
        + seconds * SECOND
        + int(fraction.ljust(6, "0") or 0)
    )


def deadline(start: int, limit: int, continuous: bool) -> int:
    """The first instant at which the limit is used."""
    if continuous:
        return start + limit
    day = (start + EAST) // DAY
    while True:
        if (day + 3) % 7 < 5:  # 1 January 1970 was a Thursday
            for begins, ends in STRETCHES:
                since = max(start, day * DAY + begins - EAST)
                until = day * DAY + ends - EAST
                if since < until:
                    if limit <= until - since:
                        return since + limit
                    limit -= until - since
        day += 1


async def load(folder: Path, reports: int, seconds: float, seed: int) -> Load:
    """Reports that come when they come, and clerks who take them up meanwhile."""
    chance = random.Random(seed)
    city, _ = tiny_city(folder)
    node = NodeProcess(city)
    waits: list[float] = []
    made: asyncio.Queue[str | None] = asyncio.Queue()
    handled = 0
    with node:
        async with aiohttp.ClientSession(node.url) as session:
            loop = asyncio.get_running_loop()
            begun = loop.time()

            async def report(number: int) -> None:
                due = begun + number * seconds / reports
                await asyncio.sleep(max(0.0, due - loop.time()))
                body = {
                    "type": chance.choice(list(PROMISES)),
                    "description": f"report {number}",
                    "location": {"type": "Point", "coordinates": [123.4, 30.2]},
                    "reporter": {"phone": "555 0100"},
                    "requestId": f"r-{number}",
                }
                async with session.post("/cases", json=body) as reply:
                    assert reply.status == 201, await reply.text()
                    told = await reply.json()
                waits.append(loop.time() - due)
                await made.put(told["id"])

            async def clerk() -> None:
                nonlocal handled
                while (case := await made.get()) is not None:
                    async with session.get(f"/cases/{case}") as reply:
                        kind = (await reply.json())["case"]["type"]
                    if kind not in HANDLING:
                        continue
                    moves: list[dict[str, Any]] = [
                        {"move": "accept"},
                        {"move": "file"},
                        {"move": "dispatch", "department": "roads"},
                    ]
                    for seen, move in enumerate(moves, 1):
                        async with session.post(f"/cases/{case}/moves", json={"seen": seen, **move}) as reply:
                            assert reply.status == 200, await reply.text()
                    handled += 1

            clerks = [asyncio.create_task(clerk()) for _ in range(CLERKS)]
            await asyncio.gather(*(report(number) for number in range(reports)))
            for _ in clerks:
                await made.put(None)
            await asyncio.gather(*clerks)
            cases = await check(session, reports)
    return Load(max(waits), cases, handled)


async def check(session: aiohttp.ClientSession, reports: int) -> int:
    """Every report is one case, and every clock of every case reads what it should."""
    seen: set[str] = set()
    while len(seen) < reports:
        async with session.get(f"/cases?orderBy=id&limit=500&offset={len(seen)}") as reply:
            page = (await reply.json())["cases"]
        assert page
        for row in page:
            seen.add(row["id"])
            async with session.get(f"/cases/{row['id']}") as reply:
                check_case(await reply.json())
    async with session.get("/cases?limit=1") as reply:
        assert (await reply.json())["total"] == reports == len(seen)
    return len(seen)


def check_case(whole: dict[str, Any]) -> None:
    row, times = whole["case"], {one["move"]: micros(one["at"]) for one in whole["transitions"]}
    clocks = {one["clock"]: one for one in row["clocks"]}
    kind = row["type"]
    wanted = {"promise": deadline(times["report"], *PROMISES[kind])}
    if row["state"] == "handling":
        wanted["handle"] = deadline(times["dispatch"], *HANDLING[kind])
    else:
        assert row["state"] == "reported"
        wanted["accept"] = times["report"] + 15 * 60 * SECOND
    assert {name: micros(one["deadline"]) for name, one in clocks.items()} == wanted
    assert {one["light"] for one in clocks.values()} == {"green"}
    assert row["reportedAt"] == whole["transitions"][0]["at"]


async def test_reports_that_come_at_once_are_all_kept_with_every_clock_right(tmp_path: Path) -> None:
    done = await load(tmp_path, 60, 1.5, seed=1)
    assert done.cases == 60
    assert done.handled > 0


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_thousand_reports_a_minute_are_all_kept_with_every_clock_right(tmp_path: Path) -> None:
    done = await load(tmp_path, 1000, 60.0, seed=2)
    print(f"slowest answer {done.slowest:.3f} s, {done.handled} of {done.cases} cases dispatched meanwhile")
    assert done.cases == 1000
    assert done.handled > 500
