"""A city on simulated time in a process of its own, to be killed: reports come, surges are watched.

`python surge_process.py FOLDER SEED UNTIL`: goes on from the last report that is kept; each seed is another
rhythm. It ends by itself when `UNTIL` cases are kept and all was counted.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from cases.town import MONDAY, RULES, town
from cityloom.cases.looks.alerts import arrivals
from cityloom.cases.looks.surging import SurgesFollowed
from cityloom.model.clock import SimulatedClock
from cityloom.model.time import parse_datetime

FAR = parse_datetime("2100-01-01T00:00:00Z")


async def live(folder: Path, seed: int, last: int) -> None:
    chance = random.Random(seed)
    clock = SimulatedClock(MONDAY)
    with town(folder, clock=clock) as place:
        with place.store.snapshot() as snapshot:
            found = arrivals(snapshot, "", 0, FAR)
        if found:
            clock.advance((found[-1].at - MONDAY) / 1e6)
        watch = SurgesFollowed(place.store, clock, RULES)
        await watch.start()
        running = asyncio.create_task(watch.run())
        for number in range(len(found), last):
            # Quiet days, then rushes with quiet hours between them.
            clock.advance(6 * 3600 if number < 40 or number % 60 < 10 else chance.randrange(10, 90))
            await place.report()
            print(number, flush=True)
        clock.advance(86_400)
        watch.look()
        while True:
            with place.store.snapshot() as snapshot:
                due, seq = snapshot.next_timer("caseSurges"), snapshot.last_seq()
            if watch.position >= seq and (due is None or due > clock.now()):
                break
            watch.look()
            await asyncio.sleep(0.01)
        running.cancel()
        print("done", clock.now(), flush=True)


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
