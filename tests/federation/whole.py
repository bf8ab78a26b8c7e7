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
from cityloom.subscriptions.document import CONSUMER
from tests.federation.helpers import ENTITIES, lamp, prop, put
from tests.federation.source import Asked, Source
from tests.subscriptions.helpers import WAIT, Receiver
from tests.web.node import Answer, Client, ended

SUBSCRIPTIONS = "/ngsi-ld/v1/subscriptions"
ON, OFF = prop("on"), prop("off")
FEDERATION = ["federationOps"]
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
        app.hub.close()
        await ended(server)
        listening.close()


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


def told(receiver: Receiver, path: str = "/a") -> list[Any]:
    """The entity of each notification; of one in the simplified form its members are values."""
    return [one.entity for one in receiver.at(path)]


async def change(node: Client, number: int = 1, **attributes: Any) -> None:
    """Changes attributes on a node, and there alone."""
    id = f"urn:ngsi-ld:Lamp:{number}"
    answer = await node.post(f"{ENTITIES}/{id}/attrs?local=true", attributes)
    assert answer.status == 204, answer.body


async def notify(link: str, *entities: dict[str, Any], client: Client, **members: Any) -> Answer:
    """Tells as a source would, at the address that it was given."""
    body = {
        "id": "urn:ngsi-ld:Notification:1",
        "type": "Notification",
        "notifiedAt": "2026-05-01T12:00:00Z",
        "data": list(entities),
        **members,
    }
    return await client.post(link, body)


def link_of(copy: dict[str, Any]) -> str:
    """Where a copy has its notifications brought."""
    return str(copy["notification"]["endpoint"]["uri"])


async def still(receiver: Receiver, node: Whole, path: str = "/a") -> None:
    """Waits until a later change of this node was told, so that what came before would have been."""
    count = len(receiver.at(path))
    await put(node, lamp(99, power=ON))
    await receiver.until(path, count + 1)
    assert told(receiver, path)[-1]["id"] == "urn:ngsi-ld:Lamp:99"
    await node.delete(f"{ENTITIES}/urn:ngsi-ld:Lamp:99?local=true")
    del receiver.at(path)[-1]


async def settled(*nodes: Whole) -> None:
    """Waits until nodes, in the order in which news goes through them, have matched and told it."""
    async with asyncio.timeout(WAIT):
        for node in nodes:
            while not quiet(node):
                await asyncio.sleep(0.01)


def quiet(node: Whole) -> bool:
    """Whether every event was matched, and what came of it delivered."""
    with node.node.store.snapshot() as snapshot:
        matched = snapshot.cursor(CONSUMER) == snapshot.last_seq()
        return matched and snapshot.delivery_counts()[0] == 0
