"""A city whose river floods until it is killed: `python -m tests.rules.killed FOLDER`.

Its rules open a case for each flood. A line of its output is a value that was answered.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from cityloom.broker.local import LocalBroker
from cityloom.broker.ports import Call, Item
from cityloom.model.clock import SystemClock
from cityloom.model.events import Cause
from cityloom.rules.kept import Rules
from cityloom.rules.watch import OpeningWatch
from cityloom.store.sqlite import SqliteStore
from tests.broker.conftest import OpenAccess
from tests.rules.opened import RULES, Opener, iri, thing

CALL = Call(cause=Cause(kind="request", id="r"))
WAIT = {"for": "PT0.03S"}


def floods() -> dict[str, object]:
    """Two rules for a river: at once, and when it lasts for a moment."""
    river = {"entityType": "River", "attribute": "level", "value": ">= 5"}
    return {
        **RULES,
        "rows": [
            {"id": "now", "when": river, "then": {"caseType": "flooded-road"}},
            {"id": "lasting", "when": river, "then": {"caseType": "flooded-road", **WAIT}},
        ],
    }


def watch_of(store: SqliteStore) -> OpeningWatch:
    clock = SystemClock()
    rules = Rules(store, OpenAccess(), clock, zone=ZoneInfo("UTC"))
    return OpeningWatch(store, clock, rules, Opener(), expand=iri, centre=(0, 0))


async def main(folder: Path) -> None:
    """Goes on with what is there, and floods for ever."""
    clock = SystemClock()
    store = SqliteStore(folder / "city.db", clock)
    rules = Rules(store, OpenAccess(), clock, zone=ZoneInfo("UTC"))
    if not await rules.list(CALL):
        await rules.create(CALL, floods())
    if (await rules.list(CALL))[0]["state"] == "draft":
        day = await asyncio.to_thread(_today, clock)
        await rules.adopt(CALL, "live", "1", since=day)
    watch = watch_of(store)
    await watch.start()
    running = asyncio.create_task(watch.run())
    broker = LocalBroker(store, OpenAccess(), clock)
    os.write(1, b"open\n")
    for number in itertools.count():
        river = thing("River", number % 3, "level", 6 if number // 3 % 2 else 1)
        await broker.batch(CALL, "upsert-update", [Item(id=river.id, entity=river)])
        os.write(1, f"{number}\n".encode())
        if number % 3 == 2:
            await asyncio.sleep(0.02 if number % 4 else 0.05)
    await running


def _today(clock: SystemClock) -> str:
    from cityloom.rules.book import day_of

    return day_of(clock.now(), ZoneInfo("UTC"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
