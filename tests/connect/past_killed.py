"""A process that imports the past and kills itself: `python -m tests.connect.past_killed FOLDER STEP`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from cityloom.connect.past import PastImport
from cityloom.model.clock import SimulatedClock
from tests.connect.conftest import NOON, TestCity
from tests.store.cold_killed import killing

STEPS = ["begun", "appended", "published"]
"""After which the process dies."""
VALUES = 20
_HOUR = 3_600_000_000


def rows_of(before: int) -> list[Any]:
    """Rows of two months and three lamps, each with a value of its own."""
    return [
        (f"urn:ngsi-ld:Lamp:{n % 3}", "Lamp", "level", before - (1 + n) * 50 * _HOUR, n, None, None)
        for n in range(VALUES)
    ]


def main() -> None:
    """Imports `a.csv` and does not come to the end."""
    folder, step = Path(sys.argv[1]), sys.argv[2]
    city = TestCity(folder, SimulatedClock(NOON))
    cold: Any = city.store.cold
    dies: dict[str, tuple[Any, str, int]] = {
        "begun": (cold, "_begin_import", 2),
        "appended": (cold._tables, "append", 2),
        "published": (cold, "_do", 4),
    }
    owner, name, times = dies[step]
    setattr(owner, name, killing(getattr(owner, name), times))
    run = PastImport(city.importer, cold, NOON - 30 * 24 * _HOUR, chunk=5)
    asyncio.run(run.run(folder / "a.csv", "archive"))


if __name__ == "__main__":
    main()
