"""A process that moves history and kills itself at a step: `python -m tests.store.cold_killed FILE STEP`.

It is told by its exit status: killed at the step, or 0 when the step was never reached.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cityloom.model.clock import SimulatedClock
from cityloom.store.sqlite import SqliteStore
from cityloom.store.tables.mover import Mover
from tests.laws.conftest import START
from tests.laws.tiered import LATER

STEPS = ["begun", "appended", "published", "replaced", "forgotten", "restored"]
"""After which a process dies: in the order in which a move, a compaction and a recovery take them."""


def main() -> None:
    """Moves a part, and then the rest, and compacts."""
    path, step = Path(sys.argv[1]), sys.argv[2]
    store = SqliteStore(path, SimulatedClock(START))
    mover = Mover(store, store.cold._tables, most=7)
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
