"""A city that erases photos and is killed in the midst of it: `python erasing_process.py FOLDER URL CASE N`.

It ends itself, as a power cut would, within the `N`th work that it hands to the store, before that is
committed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cases.calendar_process import Dying
from cases.town import MONDAY, town
from cityloom.broker.personal import Personal
from cityloom.cases.keep.erasing import Erasing, erase_reporters_photos
from cityloom.model.clock import SimulatedClock


async def live(folder: Path, url: str, case: str, works: int) -> None:
    with town(folder, clock=SimulatedClock(MONDAY), url=url) as place:
        store = Dying(place.store, works)
        personal = Personal(store, place.access, place.clock)  # type: ignore[arg-type]
        personal.erase_too(erase_reporters_photos)
        await personal.erase(place.call("officer"), case)
        await Erasing(store, place.files, place.clock).sweep()  # type: ignore[arg-type]


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
