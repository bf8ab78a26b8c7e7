"""A process that moves history and kills itself at a step: `python -m tests.store.cold_killed FILE URL STEP`.

It is told by its exit status: killed at the step, or 0 when the step was never reached.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from cityloom.model.clock import SimulatedClock
from cityloom.store.ports import Store
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore
from cityloom.store.tables.tiering.mover import Mover
from tests.laws.conftest import START
from tests.laws.tiered import LATER

STEPS = ["begun", "appended", "published", "replaced", "forgotten", "restored"]
"""After which a process dies: in the order in which a move, a compaction and a recovery take them."""


class City(NamedTuple):
    """Where a city is: its file, or a database with a folder for its tables."""

    file: Path
    url: str = ""

    def open(self) -> Store:
        clock = SimulatedClock(START)
        if self.url:
            return PostgresStore(self.url, clock, cold=str(self.file.with_name("history")))
        return SqliteStore(self.file, clock)


def mover_of(store: Store, most: int) -> Mover:
    """A mover of smaller steps."""
    mover = store.cold
    assert isinstance(mover, Mover)
    return Mover(store, mover._tables, most=most)


def main() -> None:
    """Moves a part, and then the rest, and compacts."""
    step = sys.argv[3]
    store = City(Path(sys.argv[1]), sys.argv[2]).open()
    mover = mover_of(store, 7)
    dies: dict[str, tuple[Any, str, int]] = {
        "begun": (mover, "_begin", 2),
        "appended": (mover._tables, "append", 2),
        "published": (mover, "_do", 4),
        "replaced": (mover._tables, "replace", 1),
        "forgotten": (mover._tables, "vacuum", 1),
        "restored": (mover._tables, "restore", 1),
    }
    owner, name, times = dies[step]
    setattr(owner, name, killing(getattr(owner, name), times))
    mover.move(LATER)
    mover.compact()
    mover.vacuum(0)
    store.close()


def killing(method: Callable[..., Any], times: int) -> Callable[..., Any]:
    """The method, after whose call number `times` nothing follows any more."""
    left = [times]

    def call(*arguments: Any, **named: Any) -> Any:
        result = method(*arguments, **named)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


if __name__ == "__main__":
    main()
