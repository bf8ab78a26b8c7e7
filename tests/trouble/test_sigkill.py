"""Processes killed at random moments under load: nothing answered 2xx is missing, nothing is doubled.

SIGKILL proves that the acknowledgement waits for the commit and that the
process has no second truth; that the commit reached the disk is proved by the
power-cut test of the store.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web

from cityloom.model.clock import SystemClock
from cityloom.store.ports import Snapshot
from cityloom.store.postgres import read_postgres
from cityloom.store.sqlite import SqliteStore, copy_database
from tests.nodes import NodeProcess
from tests.postgres import Server, server
from tests.trouble.ledger import API, TYPE, Told, Writer

WRITERS = 6
LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/level"
SETTLE = 60.0
"""Seconds without any news after which a node stands still."""


class World:
    """A node on its store, and the processes of it that may be killed.

    Args:
        workers: the node's own processes beside the first one (`serve --workers`), where it has any.
    """

    def __init__(self, folder: Path, *options: str, workers: int = 0) -> None:
        folder.mkdir()
        # Nothing of the log goes, so that it can be compared at the end.
        (folder / "city.yaml").write_text(yaml.safe_dump({"settings": {"logKeep": 100_000_000}}))
        self.folder = folder
        self.node = NodeProcess(folder, *options, *(("--workers", str(workers)) if workers else ()))
        self.victims: dict[str, Callable[[], None]] = {"node": self._kill_node}
        if workers:
            self.victims["worker"] = self._kill_worker
        self._down: set[str] = set()

    def _kill_node(self) -> None:
        self.node.kill()
        self._down.add("node")

    def _kill_worker(self) -> None:
        """Which the node must replace by itself."""
        children = Path(f"/proc/{self.node.pid}/task/{self.node.pid}/children").read_text().split()
        os.kill(int(random.choice(children)), signal.SIGKILL)

    def revive(self) -> None:
        """Starts what nobody else starts again."""
        if "node" in self._down:
            self.node.start()
        self._down.clear()

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The store as it is at one moment."""
        raise NotImplementedError


class InFile(World):
    """The node's own file."""

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        copy = self.folder.parent / "copy.sqlite"
        copy.unlink(missing_ok=True)
        copy_database(self.folder / "cityloom.sqlite", copy)
        store = SqliteStore(copy, SystemClock())
        try:
            with store.snapshot() as snapshot:
                yield snapshot
        finally:
            store.close()


class InDatabase(World):
    """A database, of which any process may be killed."""

    def __init__(self, folder: Path, place: Server) -> None:
        self._place = place
        self._url = place.database()
        super().__init__(folder, "--store", self._url)
        self.victims |= {"backend of PostgreSQL": place.kill_backend, "PostgreSQL": self._kill_database}

    def _kill_database(self) -> None:
        self._place.kill()
        self._down.add("database")

    def revive(self) -> None:
        if "database" in self._down:
            self._place.start()
        super().revive()

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return read_postgres(self._url)


async def rounds(world: World, count: int, seed: int) -> Counter[str]:
    """Kills `count` times under load and looks after each; what was done and looked at."""
    with world.node:
        return await _rounds(world, count, seed)


async def _rounds(world: World, count: int, seed: int) -> Counter[str]:
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    told = Told()
    app = web.Application()
    app.router.add_post("/{path:.*}", told.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver = f"http://127.0.0.1:{runner.addresses[0][1]}"
    node = world.node
    await subscribe_to_all(node.url, f"{receiver}/all")
    deck: list[str] = []
    writers = [Writer(number, receiver, told, counts) for number in range(WRITERS)]
    for _ in range(count):
        enough = asyncio.Event()
        tasks = [asyncio.create_task(writer.write(node.url, chance, enough)) for writer in writers]
        await asyncio.sleep(chance.uniform(0.05, 1.5))
        deck = deck or chance.sample(sorted(world.victims), len(world.victims))
        victim = deck.pop()
        await asyncio.to_thread(world.victims[victim])
        counts[f"kills: {victim}"] += 1
        enough.set()
        await asyncio.gather(*tasks)
        await asyncio.to_thread(world.revive)
        await until_well(node.url)
        await asyncio.gather(*(writer.look(node.url) for writer in writers))

    kept = await asyncio.to_thread(changes_in_log, world)
    counts["changes told only after the last kill"] = len(kept - heard(told))
    await until_told(told, lambda: kept <= heard(told) and not any(writer.missing() for writer in writers))
    assert await asyncio.to_thread(node.stop) == 0
    await runner.cleanup()

    assert heard(told) == kept
    counts["notifications owed"] = len(kept) + sum(writer.owed for writer in writers)
    counts["notifications told"] = len(told.said)
    counts["notifications told again, with the same key"] = told.repeats
    counts["events of the log without a gap"] = check_log(world)
    return counts


async def subscribe_to_all(url: str, receiver: str) -> None:
    subscription = {
        "type": "Subscription",
        "entities": [{"type": TYPE}],
        "notification": {"endpoint": {"uri": receiver}, "format": "simplified"},
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}{API}/subscriptions", json=subscription) as reply,
    ):
        assert reply.status == 201, await reply.text()


async def until_well(url: str) -> None:
    """Waits until the node can do all its work, its database too."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(SETTLE):
        while True:
            async with session.get(f"{url}/health") as reply:
                if (await reply.json())["status"] == "ok":
                    return
            await asyncio.sleep(0.05)


async def until_told(told: Told, is_all: Callable[[], bool]) -> None:
    """Waits for what is owed as long as anything new comes: kills leave much of it, and machines differ."""
    while not is_all():
        known = len(told.said)
        async with asyncio.timeout(SETTLE):
            while len(told.said) == known and not is_all():
                await asyncio.sleep(0.05)


def heard(told: Told) -> set[tuple[str, int]]:
    """Every (entity, level) that the subscription to all was told."""
    return {(id, level) for path, id, level in told.said if path == "/all"}


def changes_in_log(world: World) -> set[tuple[str, int]]:
    """Every (entity, level) that the log holds: each once, and those of an entity in their order."""
    found: list[tuple[str, int]] = []
    with world.snapshot() as snapshot:
        after = 0
        while events := snapshot.events(after):
            for event in events:
                for change in event.changes:
                    if change.name == LEVEL and change.after is not None:
                        assert isinstance(change.after.value, int)
                        found.append((event.entity_id, change.after.value))
            after = events[-1].seq
    assert [pair for pair, count in Counter(found).items() if count > 1] == []
    by_entity: dict[str, list[int]] = {}
    for id, level in found:
        by_entity.setdefault(id, []).append(level)
    for levels in by_entity.values():
        assert levels == sorted(levels)
    return set(found)


def check_log(world: World) -> int:
    """`seq` has no gap; how many events there are."""
    with world.snapshot() as snapshot:
        seqs = [event.seq for event in snapshot.events(0, 10_000_000)]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    return len(seqs)


def tell(capsys: pytest.CaptureFixture[str], counts: Counter[str]) -> None:
    with capsys.disabled():
        print("\n" + "\n".join(f"{count:>9,} {what}" for what, count in sorted(counts.items())))


async def test_kill_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    counts = await rounds(InFile(tmp_path / "city"), 4, seed=20260501)
    assert counts["patch acknowledged"] > 10
    assert counts["temporal acknowledged"] > 0


async def test_kill_of_a_database_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    counts = await rounds(InDatabase(tmp_path / "city", server()), 3, seed=3)
    assert len([what for what in counts if what.startswith("kills")]) == 3


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_hundreds_of_kills_lose_nothing_acknowledged_and_double_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(capsys, await rounds(InFile(tmp_path / "city"), 250, seed=7))


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_hundreds_of_kills_of_a_database_lose_nothing_acknowledged_and_double_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(capsys, await rounds(InDatabase(tmp_path / "city", server()), 250, seed=11))
