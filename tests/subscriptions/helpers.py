"""A whole city in this process, and a real receiver of notifications on loopback."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from cityloom.app import Node
from cityloom.broker.ports import Call
from cityloom.folder import CityFolder
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity, expand_fragment
from cityloom.model.clock import SystemClock
from cityloom.model.events import Cause
from cityloom.model.settings import Settings

WAIT = 20.0
"""Seconds that a test waits for what must come; nothing is asserted about how long it takes."""


@dataclass
class Received:
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def entity(self) -> dict[str, Any]:
        return self.body["data"][0]


@dataclass
class Receiver:
    """Answers with `answer(path, n-th call)`; keeps what it was told, by path."""

    url: str = ""
    told: dict[str, list[Received]] = field(default_factory=dict)
    answer: Callable[[str, int], int] = lambda path, call: 200
    hold: dict[str, asyncio.Event] = field(default_factory=dict)

    def at(self, path: str) -> list[Received]:
        return self.told.setdefault(path, [])

    async def until(self, path: str, count: int) -> list[Received]:
        async with asyncio.timeout(WAIT):
            while len(self.at(path)) < count:
                await asyncio.sleep(0.01)
        return self.at(path)

    async def handle(self, request: web.Request) -> web.Response:
        path = request.path
        body = await request.json()
        if path in self.hold:
            await self.hold[path].wait()
        self.at(path).append(Received(dict(request.headers), body))
        return web.Response(status=self.answer(path, len(self.at(path))))


@dataclass
class City:
    """A node and the few things that tests do with it."""

    folder: Path
    settings: Settings
    node: Node = field(init=False)
    running: AbstractAsyncContextManager[None] = field(init=False)
    ld_context: LdContext = LdContext.core
    requests: int = 0

    async def start(self) -> None:
        self.node = Node(CityFolder(self.folder, make=True), self.settings, SystemClock())
        self.running = self.node.running()
        await self.running.__aenter__()

    async def stop(self) -> None:
        await self.running.__aexit__(None, None, None)

    def call(self, tenant: str = "") -> Call:
        self.requests += 1
        return Call(tenant=tenant, cause=Cause(kind="request", id=f"request:{self.requests}"))

    async def subscribe(self, uri: str, tenant: str = "", **members: Any) -> str:
        endpoint = {"uri": uri, **members.pop("endpoint", {})}
        document = {
            "type": "Subscription",
            "notification": {"endpoint": endpoint, **members.pop("notification", {})},
            **({} if "entities" in members else {"entities": [{"type": "Streetlight"}]}),
            **members,
        }
        return await self.node.subscriptions.create(self.call(tenant), document, self.ld_context)

    async def create(self, id: str, tenant: str = "", type: str = "Streetlight", **attributes: Any) -> None:
        entity = expand_entity({"id": id, "type": type, **attributes}, self.ld_context)
        await self.node.broker.create_entity(self.call(tenant), entity)

    async def patch(self, id: str, tenant: str = "", **attributes: Any) -> None:
        fragment = expand_fragment(attributes, self.ld_context)
        await self.node.broker.append_attributes(self.call(tenant), id, fragment)

    async def settled(self) -> None:
        """Waits until the matching has seen every event and nothing is on its way."""
        async with asyncio.timeout(WAIT):
            while self.node.subscriptions.lag() > 0 or self.pending() > 0:
                await asyncio.sleep(0.01)

    def pending(self) -> int:
        with self.node.store.snapshot() as snapshot:
            return snapshot.delivery_counts()[0]
