"""A context source that answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web


@dataclass
class Asked:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Source:
    """Answers with `status` and `body` (bytes as they are) and `headers`; with `silent` not at all.

    `judge` tells the status by the parameters.
    """

    url: str = ""
    status: int = 200
    body: Any = None
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    judge: Callable[[dict[str, str]], int] | None = None
    asked: list[Asked] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        path = request.raw_path.partition("?")[0].removeprefix("/ngsi-ld/v1")
        self.asked.append(
            Asked(
                request.method,
                path,
                dict(request.query),
                dict(request.headers),
                msgspec.json.decode(raw) if raw else None,
            )
        )
        if self.silent:
            await self.ended.wait()
        if self.judge is not None:
            self.status = self.judge(dict(request.query))
        status, body = self.answers.get((request.method, path), (self.status, self.body))
        data = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        return web.Response(status=status, body=data, content_type="application/json", headers=self.headers)


@asynccontextmanager
async def running_source() -> AsyncIterator[Source]:
    source = Source()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", source.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    source.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield source
    finally:
        source.ended.set()
        await runner.cleanup()
