"""What tests do with a node: as a request would, after what it holds in memory was made new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from cityloom.app import Node
from cityloom.broker.ports import Call
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity, expand_fragment
from cityloom.model.events import Cause

CORE = LdContext.core
_numbers = count()
WAIT = 30.0
"""Seconds that a test waits for what must come; nothing is asserted about how long it takes."""


async def call(node: Node, tenant: str = "") -> Call:
    """A request that has come to a node."""
    await node.views.current()
    return Call(tenant=tenant, cause=Cause(kind="request", id=f"request:{next(_numbers)}"))


async def subscribe(node: Node, uri: str, id: str, type: str = "Lamp", **members: Any) -> str:
    document = {
        "id": id,
        "type": "Subscription",
        "entities": [{"type": type}],
        "notification": {"endpoint": {"uri": uri}},
        **members,
    }
    return await node.subscriptions.create(await call(node), document, CORE)


async def unsubscribe(node: Node, id: str) -> None:
    await node.subscriptions.delete(await call(node), id)


async def create(node: Node, id: str, type: str = "Lamp", **attributes: Any) -> None:
    attributes = attributes or {"level": {"type": "Property", "value": 0}}
    entity = expand_entity({"id": id, "type": type, **attributes}, CORE)
    await node.broker.create_entity(await call(node), entity)


async def patch(node: Node, id: str, **attributes: Any) -> None:
    await node.broker.append_attributes(await call(node), id, expand_fragment(attributes, CORE))


async def until(holds: Callable[[], bool]) -> None:
    """Waits for a condition."""
    async with asyncio.timeout(WAIT):
        while not holds():
            await asyncio.sleep(0.01)


async def matched(*nodes: Node) -> None:
    """Waits until every event was matched and nothing is on its way."""

    def done() -> bool:
        with nodes[0].store.snapshot() as snapshot:
            cursor = snapshot.cursor("subscriptions")
            changes = [event.seq for event in snapshot.events(cursor or 0) if event.kind.startswith("entity")]
            pending = snapshot.delivery_counts().pending
            lags = [node.subscriptions.lag() for node in nodes if "subscriptions" in node.leases.held]
            return pending == 0 and lags == [0] and (cursor is not None or not changes)

    await until(done)
