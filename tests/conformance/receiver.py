"""A node whose subscriptions are told, and what a receiver of theirs was told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.conformance.data import ENTITIES
from tests.federation.source import Asked, Source
from tests.web.node import API, Client

SUBSCRIPTIONS = f"{API}/subscriptions"
THING = "urn:ngsi-ld:Thing:1"
AT = f"{ENTITIES}/{THING}"
WAIT = 20.0
"""Seconds that a test waits for what must come; nothing is asserted about how long it takes."""


@asynccontextmanager
async def telling(node: Client) -> AsyncIterator[Client]:
    """A node that tells of changes until the block ends."""
    subscriptions: Any = node.services.subscriptions
    await subscriptions.start()
    task = asyncio.create_task(subscriptions.run())
    try:
        yield node
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def thing(**attributes: Any) -> dict[str, Any]:
    return {"id": THING, "type": "Thing", **attributes}


async def subscribe(node: Client, receiver: Source, path: str = "/told", **members: Any) -> str:
    """Subscribes to things; `endpoint` and `notification` give more of those. Where it is."""
    endpoint = {"uri": receiver.url + path, **members.pop("endpoint", {})}
    document = {
        "type": "Subscription",
        "entities": [{"type": "Thing"}],
        **members,
        "notification": {**members.pop("notification", {}), "endpoint": endpoint},
    }
    answer = await node.post(SUBSCRIPTIONS, document)
    assert answer.status == 201, answer.body
    return str(answer.headers["Location"])


async def until(receiver: Source, path: str = "/told", times: int = 1) -> list[Asked]:
    """What was told at `path`, as soon as that is at least `times` times."""
    async with asyncio.timeout(WAIT):
        while len(found := [one for one in receiver.asked if one.path == path]) < times:
            await asyncio.sleep(0.005)
    return found


async def matched(node: Client) -> None:
    """Waits until every change was looked at, and what is to be told of it is kept."""
    subscriptions: Any = node.services.subscriptions
    async with asyncio.timeout(WAIT):
        while subscriptions.lag() > 0:
            await asyncio.sleep(0.005)


async def settled(node: Client) -> None:
    """Waits until every change was looked at and nothing is on its way."""
    await matched(node)
    store: Any = node.services.store

    def pending() -> int:
        with store.snapshot() as snapshot:
            return int(snapshot.delivery_counts()[0])

    async with asyncio.timeout(WAIT):
        while pending() > 0:
            await asyncio.sleep(0.005)


def count(receiver: Source, path: str = "/told") -> int:
    """How often something was told at `path`."""
    return sum(one.path == path for one in receiver.asked)
