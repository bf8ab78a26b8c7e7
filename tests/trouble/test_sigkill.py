"""A node killed at random moments under load: nothing answered 2xx is missing, nothing is doubled.

SIGKILL proves that the acknowledgement waits for the commit and that the
process has no second truth; that the commit reached the disk is proved by the
power-cut test of the store.
"""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cityloom.model.clock import SystemClock
from cityloom.store.sqlite import SqliteStore, copy_database
from tests.nodes import NodeProcess

API = "/ngsi-ld/v1"
WRITERS = 6
LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/level"
SETTLE = 60.0


class Told:
    """A receiver of notifications: (entity, level) by the key that repeats are known by."""

    def __init__(self) -> None:
        self.by_key: dict[str, tuple[str, int]] = {}
        self.repeats = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        (entity,) = body["data"]
        key = request.headers["Idempotency-Key"]
        said = (entity["id"], entity["level"])
        if key in self.by_key:
            assert self.by_key[key] == said, "a repeat must say what it said before"
            self.repeats += 1
        self.by_key[key] = said
        return web.Response()


async def write(node: NodeProcess, writer: int, acknowledged: dict[str, int], start: int) -> int:
    """Creates one entity, then counts its level up, until the node goes away; the last level tried."""
    id = f"urn:ngsi-ld:Counter:{writer}"
    level = start
    async with aiohttp.ClientSession() as session:
        try:
            if id not in acknowledged:
                entity = {"id": id, "type": "Counter", "level": {"type": "Property", "value": level}}
                async with session.post(f"{node.url}{API}/entities", json=entity) as reply:
                    # 409: the create before the kill was kept although its answer was not heard.
                    assert reply.status in (201, 409), await reply.text()
                    acknowledged.setdefault(id, level if reply.status == 201 else -1)
            while True:
                level += 1
                fragment = {"level": {"type": "Property", "value": level}}
                async with session.patch(f"{node.url}{API}/entities/{id}/attrs", json=fragment) as reply:
                    assert reply.status == 204, await reply.text()
                acknowledged[id] = level
        except (aiohttp.ClientError, ConnectionError):
            return level


async def rounds(folder: Path, count: int, seed: int) -> None:
    chance = random.Random(seed)
    told = Told()
    app = web.Application()
    app.router.add_post("/told", told.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver = f"http://127.0.0.1:{runner.addresses[0][1]}/told"

    node = NodeProcess(folder)
    node.start()
    async with aiohttp.ClientSession() as session:
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "Counter"}],
            "notification": {"endpoint": {"uri": receiver}, "format": "simplified"},
        }
        async with session.post(f"{node.url}{API}/subscriptions", json=subscription) as reply:
            assert reply.status == 201, await reply.text()

    acknowledged: dict[str, int] = {}
    tried = dict.fromkeys(range(WRITERS), 0)
    for _ in range(count):
        tasks = [
            asyncio.create_task(write(node, writer, acknowledged, tried[writer])) for writer in range(WRITERS)
        ]
        await asyncio.sleep(chance.uniform(0.05, 1.5))
        node.kill()
        for writer, level in enumerate(await asyncio.gather(*tasks)):
            tried[writer] = level
        node.start()
        async with aiohttp.ClientSession() as session:
            for id, level in acknowledged.items():
                async with session.get(f"{node.url}{API}/entities/{id}?options=keyValues") as reply:
                    assert reply.status == 200, f"{id} was acknowledged and is gone"
                    kept: dict[str, Any] = await reply.json()
                assert kept["level"] >= level, (
                    f"{id}: level {level} was acknowledged, {kept['level']} is kept"
                )

    kept_changes = set(changes_in_log(folder))
    async with asyncio.timeout(SETTLE):
        while not kept_changes <= set(told.by_key.values()):
            await asyncio.sleep(0.05)
    assert node.stop() == 0
    await runner.cleanup()

    assert set(told.by_key.values()) == kept_changes
    assert len(told.by_key) == len(kept_changes), "each change has one notification, with one key"
    check_log(folder)


def changes_in_log(folder: Path) -> list[tuple[str, int]]:
    """Every (entity, level) that the log holds, from a copy, which may be made while the node runs."""
    copy = folder.parent / "copy.sqlite"
    copy.unlink(missing_ok=True)
    copy_database(folder / "cityloom.sqlite", copy)
    store = SqliteStore(copy, SystemClock())
    try:
        found: list[tuple[str, int]] = []
        with store.snapshot() as snapshot:
            after = 0
            while events := snapshot.events(after):
                for event in events:
                    for change in event.changes:
                        if change.name == LEVEL and change.after is not None:
                            assert isinstance(change.after.value, int)
                            found.append((event.entity_id, change.after.value))
                after = events[-1].seq
        return found
    finally:
        store.close()


def check_log(folder: Path) -> None:
    """`seq` has no gap and no event is doubled: each level of each counter is there once at the most."""
    changes = changes_in_log(folder)
    assert [pair for pair, count in Counter(changes).items() if count > 1] == []
    by_entity: dict[str, list[int]] = {}
    for id, level in changes:
        by_entity.setdefault(id, []).append(level)
    for levels in by_entity.values():
        assert levels == sorted(levels)
    store = SqliteStore(folder / "cityloom.sqlite", SystemClock())
    try:
        with store.snapshot() as snapshot:
            seqs = [event.seq for event in snapshot.events(0, 1_000_000)]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    finally:
        store.close()


async def test_kill_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    await rounds(tmp_path / "city", 4, seed=20260501)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_fifty_kills_lose_nothing_acknowledged_and_double_nothing(tmp_path: Path) -> None:
    await rounds(tmp_path / "city", 50, seed=7)
