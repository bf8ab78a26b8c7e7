"""Asking a real node: requests, raw bytes on a connection, and what its process holds."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import yarl
from aiohttp import web

from tests.nodes import NodeProcess

API = "/ngsi-ld/v1"
ENTITIES = f"{API}/entities"
BATCH = f"{API}/entityOperations"
JSON = {"Content-Type": "application/json"}
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"


@dataclass
class Answer:
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def problem(self) -> str:
        """The name of the problem's type; it must be a whole problem document."""
        document = self.json
        assert document["status"] == self.status
        assert document["title"]
        assert document["detail"]
        return str(document["type"]).removeprefix(ERRORS)


async def ask(
    node: NodeProcess,
    method: str,
    path: str,
    body: Any = None,
    *,
    raw: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own; `path` is sent as it is written."""
    sent = msgspec.json.encode(body) if body is not None else raw
    data = None if sent is None else io.BytesIO(sent)
    given = {**(JSON if sent is not None else {}), **(headers or {})}
    async with (
        # An id of the largest size comes back in a header of three times that.
        aiohttp.ClientSession(max_line_size=32_768, max_field_size=32_768) as session,
        session.request(
            method, yarl.URL(node.url + path, encoded=True), data=data, headers=given, allow_redirects=False
        ) as reply,
    ):
        return Answer(reply.status, reply.headers, await reply.read())


@asynccontextmanager
async def receiver(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server on loopback that answers every request so; where it is."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def head(node: NodeProcess, method: str = "POST", path: str = ENTITIES, *headers: str) -> bytes:
    """The head of a request, without the empty line that ends it."""
    host = node.url.removeprefix("http://")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n"


async def connect(node: NodeProcess) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a node."""
    host, port = node.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def say(node: NodeProcess, *parts: bytes) -> int:
    """Sends bytes and waits for an answer; its status, 0 when the node closed without one."""
    reader, writer = await connect(node)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        line = await reader.readline()
    except ConnectionError:
        line = b""
    finally:
        writer.close()
    return int(line.split()[1]) if line else 0


async def stored(node: NodeProcess) -> tuple[int, int]:
    """(entities of every tenant, number of the last event): what a refused request must not change."""
    told = (await ask(node, "GET", "/metrics")).body.decode()
    return _meter(told, "cityloom_store_entities"), _meter(told, "cityloom_store_last_seq")


async def is_well(node: NodeProcess) -> bool:
    """Whether the node says that it can do its work."""
    return (await ask(node, "GET", "/health")).status == 200


def memory(node: NodeProcess) -> int:
    """Bytes that the node's process holds in memory."""
    for line in Path(f"/proc/{node.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the process tells no VmRSS")


def _meter(text: str, name: str) -> int:
    for line in text.splitlines():
        if line.startswith(name + " "):
            return int(float(line.split()[1]))
    raise AssertionError(f"no meter {name}")
