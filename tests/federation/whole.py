"""Whole nodes beside each other, with everything that runs behind them, and who is told by them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from msgspec.structs import replace

from cityloom.app import Node, create_app
from cityloom.folder import CityFolder
from cityloom.model.settings import Settings
from tests.federation.source import Asked, Source
from tests.subscriptions.helpers import WAIT
from tests.web.node import Client

SUBSCRIPTIONS = "/ngsi-ld/v1/subscriptions"
QUICK = Settings(notify_backoff=0.02, notify_backoff_max=0.1, notify_attempts=3, source_timeout=5.0)


class Whole(Client):
    """A client of a node that is whole; `node` is the node."""

    node: Node


def free_port() -> int:
    """A port that nobody listens on, for a node that is to come back where it was."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def whole_node(folder: Path, settings: Settings = QUICK, port: int = 0) -> AsyncIterator[Whole]:
    """A node over the city in `folder`, serving until the block ends."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    node = Node(CityFolder(folder, make=True), replace(settings, port=listening.getsockname()[1]))
    app = create_app(node)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listening])
    try:
        async with aiohttp.ClientSession() as session:
            client = Whole(session, node.settings.url, node.services(), app)
            client.node = node
            yield client
    finally:
        app.state.hub.close()
        await server.shutdown(sockets=[listening])


async def subscribe(node: Client, uri: str, **members: Any) -> str:
    """Subscribes to lamps, or to what `entities` says; the subscription's id."""
    headers = members.pop("headers", None)
    body = {
        "type": "Subscription",
        "entities": [{"type": "Lamp"}],
        **members,
        "notification": {**members.get("notification", {}), "endpoint": {"uri": uri}},
    }
    answer = await node.post(
        SUBSCRIPTIONS, {name: value for name, value in body.items() if value is not None}, headers=headers
    )
    assert answer.status == 201, answer.body
    return str(answer.headers["Location"].rpartition("/")[2])


async def subscriptions(node: Client, tenant: str = "") -> list[dict[str, Any]]:
    """All subscriptions of a node."""
    headers = {"NGSILD-Tenant": tenant} if tenant else None
    answer = await node.get(SUBSCRIPTIONS, headers=headers)
    return list(answer.json) if answer.status == 200 else []


async def until_subscribed(node: Client, count: int = 1, tenant: str = "") -> list[dict[str, Any]]:
    """Waits until a source has this many subscriptions."""
    async with asyncio.timeout(WAIT):
        while len(found := await subscriptions(node, tenant)) != count:
            await asyncio.sleep(0.01)
    return found


async def until_asked(source: Source, method: str, count: int = 1) -> list[Asked]:
    """Waits until a source was asked this often by one method."""
    async with asyncio.timeout(WAIT):
        while len(found := [one for one in source.asked if one.method == method]) < count:
            await asyncio.sleep(0.01)
    return found
