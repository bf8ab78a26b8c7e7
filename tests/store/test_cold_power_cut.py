"""History that moved survives a power cut, though the tables' writer syncs nothing; this proof can fail."""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import CityloomError
from cityloom.store.cold.tables import ColdTables
from cityloom.store.sqlite import SqliteStore
from cityloom.store.tables.tiering.mover import Mover
from tests.laws.conftest import START
from tests.laws.tiered import LATER
from tests.laws.values import HOUR, append, reading
from tests.store.power import Disk, Loss
from tests.store.test_cold_killed import ENTITIES, fill, told

STEP = 7
"""Instances of one step of a move."""
LONGEST = 160
"""Operations of the disk that moving and compacting take, about."""


class Folder:
    """What a disk holds for certain of files that others than SQLite write: what was synced of them.

    Args:
        power: whether there is any, asked at each sync.
    """

    def __init__(self, root: Path, power: Callable[[], bool]) -> None:
        self._root = root
        self._power = power
        self._contents: dict[Path, bytes] = {}
        self._names: dict[Path, set[str]] = {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notes every sync."""
        sync = os.fsync

        def noted(descriptor: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if not self._power():
                raise OSError("the power is off")
            sync(descriptor)
            if path.is_dir():
                self._names[path] = set(os.listdir(path))
            else:
                self._contents[path] = path.read_bytes()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", noted)
            yield

    def leave(self, target: Path, loss: Loss, draw: random.Random) -> None:
        """Writes the files as they are when the power is back."""
        for path in sorted(self._root.rglob("*")):
            if path.is_dir() or path.name.startswith("city.db"):
                continue
            steps = [path, *path.parents]
            steps = steps[: steps.index(self._root)]
            named = all(step.name in self._names.get(step.parent, ()) for step in steps)
            content = self._contents.get(path)
            if not named or content is None:
                if not named and (loss == "all" or draw.random() < 0.5):
                    continue
                if content is None:
                    whole = path.read_bytes()
                    content = draw.choice([b"", whole[: len(whole) // 2], whole] if loss != "all" else [b""])
            copy = target / path.relative_to(self._root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)


def cut_and_reopen(seed: int, loss: Loss) -> list[str]:
    """Moves and compacts until the power goes; what is wrong with what is left."""
    draw = random.Random(seed)
    disk = Disk()
    with tempfile.TemporaryDirectory() as before, tempfile.TemporaryDirectory() as after:
        source = Path(before).resolve()
        folder = Folder(source, lambda: not disk.off)
        with folder.watched():
            store = SqliteStore(source / "city.db", SimulatedClock(START), vfs=disk.name)
            fill(store, range(9))
            expected = told(store)
            disk.cut_after = disk.operations + draw.randrange(LONGEST)
            mover = Mover(store, store.cold._tables, most=STEP)
            with contextlib.suppress(CityloomError):
                mover.move(START + 200 * HOUR)
                mover.move(LATER)
                mover.compact()
                mover.vacuum(0)
            disk.cut()
            folder.leave(Path(after), loss, draw)
            disk.leave(Path(after), loss, draw)
            with contextlib.suppress(CityloomError):
                store.close()
        disk.unregister()
        return wrong(Path(after) / "city.db", expected)


def wrong(path: Path, expected: dict[str, Any]) -> list[str]:
    """What a city says that is not as expected: read as it is, written on, moved, compacted, opened."""
    found: list[str] = []
    store = SqliteStore(path, SimulatedClock(START))
    try:
        if told(store) != expected:
            found.append("history is another")
        append(store, ENTITIES[0], reading(50, START + 2500 * HOUR))
        expected = told(store)
        store.cold.move(LATER)
        store.cold.compact()
        if told(store) != expected:
            found.append("history is another once it has moved")
        table = pl.read_delta(store.cold._tables.url)
        rows = Counter(table.select("entityId", "number").iter_rows())
        wanted = Counter((id, hour) for id in ENTITIES for hour in range(9)) + Counter({(ENTITIES[0], 50): 1})
        if rows != wanted:
            found.append("the tables hold others")
    except (CityloomError, pl.exceptions.PolarsError, OSError) as error:
        found.append(str(error))
    finally:
        store.close()
    return found


@pytest.mark.parametrize("loss", ["all", "random"])
@pytest.mark.parametrize("seed", range(3))
def test_history_that_moved_survives_a_power_cut(seed: int, loss: Loss) -> None:
    assert cut_and_reopen(seed, loss) == []


def test_a_power_cut_loses_history_when_the_tables_are_not_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ColdTables, "secure", lambda *_: [])
    assert any(cut_and_reopen(seed, "all") for seed in range(5))


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("loss", ["all", "random"])
def test_history_that_moved_survives_hundreds_of_power_cuts(loss: Loss) -> None:
    for seed in range(1000, 1150):
        assert cut_and_reopen(seed, loss) == [], seed
