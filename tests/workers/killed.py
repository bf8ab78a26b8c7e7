"""A load that remembers what was acknowledged, and a receiver that remembers keys."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

ENTITIES = "/ngsi-ld/v1/entities"
SENDERS = 8
WAIT = 120.0


class Load:
    """Creates entities and changes them, from several clients; knows every change that was acknowledged.

    Each change has a value of its own. One that was not answered may have happened or not.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopped = False
        self._number = 0
        self.acknowledged: dict[int, str] = {}
        """value -> the entity that was given it"""
        self.asked: dict[int, str] = {}

    def stop(self) -> None:
        self._stopped = True

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for sender in range(SENDERS):
                group.create_task(self._send(f"urn:ngsi-ld:Lamp:{sender}"))

    async def _send(self, id: str) -> None:
        made = False
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while not self._stopped:
                self._number += 1
                value = self._number
                self.asked[value] = id
                level = {"type": "Property", "value": value}
                try:
                    if made:
                        path = f"{self._url}{ENTITIES}/{id}/attrs"
                        asked = session.patch(path, json={"level": level})
                    else:
                        body = {"id": id, "type": "Lamp", "level": level}
                        asked = session.post(f"{self._url}{ENTITIES}", json=body)
                    async with asked as reply:
                        if reply.status in (201, 204):
                            self.acknowledged[value] = id
                            made = True
                        elif reply.status == 409:
                            made = True  # its answer was lost
                        elif reply.status != 503:
                            raise AssertionError(f"{reply.status} {await reply.text()}")
                except (aiohttp.ClientError, TimeoutError, ConnectionError):
                    await asyncio.sleep(0.01)

    async def missing(self, session: aiohttp.ClientSession, url: str) -> list[str]:
        """Entities that are older than the last change of theirs that was acknowledged."""
        found = []
        for id in set(self.acknowledged.values()):
            last = max(value for value, owner in self.acknowledged.items() if owner == id)
            async with session.get(f"{url}{ENTITIES}/{id}?options=keyValues") as reply:
                told = await reply.json()
            if reply.status != 200 or told["level"] < last:
                found.append(f"{id}: {told} < {last}")
        return found


class Told:
    """A receiver that counts each key once."""

    def __init__(self) -> None:
        self.url = ""
        self.by_key: dict[str, tuple[str, int]] = {}
        self.repeats: Counter[str] = Counter()

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator[Told]:
        told = cls()
        app = web.Application()
        app.router.add_post("/", told._hear)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield told
        await runner.cleanup()

    async def _hear(self, request: web.Request) -> web.Response:
        body = await request.json()
        key = request.headers["Idempotency-Key"]
        entity = body["data"][0]
        said = (entity["id"], entity["level"]["value"])
        assert self.by_key.setdefault(key, said) == said, "one key, two notifications"
        self.repeats[key] += 1
        return web.Response()

    async def subscribe(self, session: aiohttp.ClientSession, url: str) -> None:
        document = {
            "type": "Subscription",
            "entities": [{"type": "Lamp"}],
            "notification": {"endpoint": {"uri": self.url}},
        }
        async with session.post(f"{url}/ngsi-ld/v1/subscriptions", json=document) as reply:
            assert reply.status == 201, await reply.text()

    def heard(self) -> Counter[tuple[str, int]]:
        """What was told, each key counted once."""
        return Counter(self.by_key.values())

    async def all_of(self, load: Load) -> None:
        """Waits until every acknowledged change was told."""
        wanted = {(id, value) for value, id in load.acknowledged.items()}
        async with asyncio.timeout(WAIT):
            while wanted - self.heard().keys():
                await asyncio.sleep(0.05)

    def strangers(self, load: Load) -> list[Any]:
        """What was told twice under different keys, or that nobody ever wrote."""
        asked = {(id, value) for value, id in load.asked.items()}
        return [(said, count) for said, count in self.heard().items() if count != 1 or said not in asked]


async def leases_of(session: aiohttp.ClientSession, url: str, name: str) -> int:
    """The process that holds a lease; 0 while nobody does, or nobody answers."""
    try:
        async with session.get(f"{url}/node") as reply:
            told = await reply.json()
    except aiohttp.ClientError:
        return 0
    holder = next((one["holder"] for one in told["leases"] if one["name"] == name), "")
    return int(holder.split(":")[1]) if holder else 0
