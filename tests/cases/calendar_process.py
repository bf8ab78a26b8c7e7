"""A city that brings its cases to another calendar, and is killed in the midst of it.

`python calendar_process.py FOLDER URL N`: ends itself, as a power cut would, within the `N`th work that it
hands to the store, before that is committed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from cases.town import MONDAY, town
from cityloom.cases.behind import recomputing
from cityloom.cases.behind.recomputing import Recomputing
from cityloom.model.clock import SimulatedClock

recomputing.PORTION = 2


class Dying:
    """A store that takes the process with it."""

    def __init__(self, store: Any, works: int) -> None:
        self._store = store
        self._left = works

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def submit(self, work: Any, size: int = 0) -> Any:
        self._left -= 1
        last = self._left == 0

        def run(tx: Any) -> Any:
            found = work(tx)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return self._store.submit(run, size)


async def live(folder: Path, url: str, works: int) -> None:
    with town(folder, clock=SimulatedClock(MONDAY), url=url) as place:
        await Recomputing(Dying(place.store, works), place.cases.book, asyncio.Event()).catch_up()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
