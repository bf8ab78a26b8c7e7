"""More than a node can take: refused at once with 503 and Retry-After, in bounds, and well afterwards."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.nodes import NodeProcess
from tests.trouble.asking import API, ENTITIES, Answer, ask, connect, head, is_well, memory, receiver

MEGABYTE = 1024 * 1024
LONG = 40
"""Entities of the long answer, each of 900 kB."""
WHOLE = f"{ENTITIES}?type=Long&limit=1000"


def start(folder: Path, **settings: Any) -> NodeProcess:
    folder.mkdir()
    (folder / "city.yaml").write_text(yaml.safe_dump({"settings": settings}))
    return NodeProcess(folder)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with little room for anything."""
    folder = tmp_path_factory.mktemp("narrow") / "city"
    settings = {"maxConnections": 40, "maxRequests": 8, "maxHeldBytes": 4 * MEGABYTE, "queueItems": 4}
    with start(folder, **settings) as node:
        yield node
    assert "Traceback" not in node.log.read_text()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node that waits half a second for its readers, with a long answer to read."""
    with start(tmp_path_factory.mktemp("hasty") / "city", answerTimeout=0.5) as node:
        asyncio.run(_fill(node))
        yield node
    assert "Traceback" not in node.log.read_text()


async def _fill(node: NodeProcess, count: int = LONG) -> None:
    for number in range(count):
        body = {"id": f"urn:long:{number}", "type": "Long", "text": "x" * 900_000}
        assert (await ask(node, "POST", ENTITIES, body)).status == 201


def busy(answer: Answer) -> bool:
    """Whether it says that there is too much to do just now, and when to come again."""
    if answer.status != 503:
        return False
    assert answer.headers["Retry-After"] == "1"
    return answer.json["title"] == "The node is busy"


async def until_free(node: NodeProcess) -> None:
    async with asyncio.timeout(30):
        while busy(await ask(node, "GET", f"{ENTITIES}?type=None")):
            await asyncio.sleep(0.02)


async def gauge(node: NodeProcess, name: str) -> float:
    told = (await ask(node, "GET", "/metrics")).body.decode()
    return next(float(line.split()[1]) for line in told.splitlines() if line.startswith(name + " "))


@asynccontextmanager
async def deaf(node: NodeProcess, path: str, room: int = 4096) -> AsyncIterator[socket.socket]:
    """A client that asks and then takes nothing, with little room of its own."""
    host, port = node.url.removeprefix("http://").split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (host, int(port)))
        await loop.sock_sendall(client, head(node, "GET", path) + b"\r\n")
        yield client


async def is_cut_off(client: socket.socket) -> bool:
    """Whether the connection ends before the answer does."""
    loop, size = asyncio.get_running_loop(), 0
    with contextlib.suppress(ConnectionError):
        while part := await loop.sock_recv(client, MEGABYTE):
            size += len(part)
    return size < LONG * 900_000


async def test_one_connection_too_many_is_answered_503(narrow: NodeProcess) -> None:
    held = [await connect(narrow) for _ in range(40)]
    reader, writer = await connect(narrow)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in answer
    assert b"40 connections are open" in answer
    for _, each in [*held, (reader, writer)]:
        each.close()
        with contextlib.suppress(ConnectionError):
            await each.wait_closed()
    await until_free(narrow)
    assert await is_well(narrow)


async def test_requests_beyond_the_most_are_answered_503_and_health_still_tells(narrow: NodeProcess) -> None:
    slow = [await connect(narrow) for _ in range(8)]
    for _, writer in slow:
        writer.write(head(narrow, "POST", ENTITIES, "Content-Length: 1000") + b"\r\n{")
    async with asyncio.timeout(30):
        while await gauge(narrow, "cityloom_requests_under_way") < 8:
            await asyncio.sleep(0.02)
    assert busy(await ask(narrow, "GET", ENTITIES + "?type=None"))
    assert busy(await ask(narrow, "POST", ENTITIES, {"id": "urn:busy:1", "type": "Busy"}))
    assert await is_well(narrow)
    for _, writer in slow:
        writer.close()
    await until_free(narrow)
    assert (await ask(narrow, "GET", f"{ENTITIES}/urn:busy:1")).status == 404


async def test_bodies_beyond_the_bytes_are_answered_503_and_memory_is_bounded(narrow: NodeProcess) -> None:
    before = memory(narrow)
    slow = [await connect(narrow) for _ in range(7)]
    for _, writer in slow:
        writer.write(head(narrow, "POST", ENTITIES, f"Content-Length: {3 * MEGABYTE}") + b"\r\n")
        writer.write(b" " * 2 * MEGABYTE)
    answers = [asyncio.create_task(reader.readline()) for reader, _ in slow]
    done, waiting = await asyncio.wait(answers, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert {(await answer).split()[1] for answer in done} == {b"503"}
    assert 0 < len(waiting) < len(slow)
    assert memory(narrow) - before < 40 * MEGABYTE
    for answer in waiting:
        answer.cancel()
    for _, writer in slow:
        writer.transport.abort()
    async with asyncio.timeout(30):
        while await gauge(narrow, "cityloom_held_bytes"):
            await asyncio.sleep(0.02)
    assert (await ask(narrow, "GET", ENTITIES + "?type=None")).status == 200


async def test_flood_of_writes_is_answered_in_part_and_what_was_answered_is_kept(narrow: NodeProcess) -> None:
    before = memory(narrow)
    taken, refused = set(), set()
    number = 0

    async def write(number: int) -> None:
        body = {"id": f"urn:flood:{number}", "type": "Flood", "text": "x" * 20_000}
        answer = await ask(narrow, "POST", ENTITIES, body)
        if answer.status == 201:
            taken.add(number)
        else:
            assert busy(answer), answer.body
            refused.add(number)

    async with asyncio.timeout(120):
        while number < 300 or not refused:
            await asyncio.gather(*(write(number + step) for step in range(30)))
            number += 30
    assert taken
    assert memory(narrow) - before < 60 * MEGABYTE
    found: set[int] = set()
    while page := (
        await ask(narrow, "GET", f"{ENTITIES}?type=Flood&pick=id&limit=1000&offset={len(found)}")
    ).json:
        found |= {int(entity["id"].rpartition(":")[2]) for entity in page}
    assert found == taken


async def test_reader_that_takes_nothing_is_cut_off_and_holds_nobody_up(hasty: NodeProcess) -> None:
    async with deaf(hasty, WHOLE) as first, deaf(hasty, WHOLE) as second:
        async with asyncio.timeout(30):
            while await gauge(hasty, "cityloom_held_bytes") < LONG * 900_000:
                await asyncio.sleep(0.02)
        assert (await ask(hasty, "GET", f"{ENTITIES}/urn:long:1")).status == 200
        async with asyncio.timeout(30):
            while await gauge(hasty, "cityloom_held_bytes"):
                await asyncio.sleep(0.05)
        assert await is_cut_off(first)
        assert await is_cut_off(second)


async def test_reader_that_takes_its_time_has_the_whole_answer(hasty: NodeProcess) -> None:
    loop, size = asyncio.get_running_loop(), 0
    async with deaf(hasty, WHOLE, MEGABYTE) as client, asyncio.timeout(60):
        while size < LONG * 900_000:
            size += len(await loop.sock_recv(client, 2 * MEGABYTE))
            await asyncio.sleep(0.03)


async def test_answers_that_nobody_takes_are_bounded(tmp_path: Path) -> None:
    with start(tmp_path / "city", maxHeldBytes=3 * MEGABYTE) as node:
        await _fill(node, 12)
        before = memory(node)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(5):
                await stack.enter_async_context(deaf(node, WHOLE))
                async with asyncio.timeout(30):
                    while not await gauge(node, "cityloom_held_bytes"):
                        await asyncio.sleep(0.02)
            assert busy(await ask(node, "GET", f"{ENTITIES}/urn:long:1"))
            assert await is_well(node)
            assert memory(node) - before < 100 * MEGABYTE
        await until_free(node)
        assert (await ask(node, "GET", f"{ENTITIES}/urn:long:1")).status == 200


async def test_listener_that_takes_nothing_is_cut_off(hasty: NodeProcess) -> None:
    async with deaf(hasty, "/events"):
        async with asyncio.timeout(60):
            while await gauge(hasty, "cityloom_event_listeners") < 1:
                await asyncio.sleep(0.02)
            number = 0
            while await gauge(hasty, "cityloom_event_listeners"):
                number += 1
                body = {"id": f"urn:told:{number}", "type": "Told", "text": "y" * 200_000}
                assert (await ask(hasty, "POST", ENTITIES, body)).status == 201
                await asyncio.sleep(0.02)


async def test_slow_subscribers_do_not_hold_up_another(tmp_path: Path) -> None:
    """Thirty that do not answer, each with four calls under way, and one that does."""
    told: set[str] = set()
    over = asyncio.Event()
    held = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal held
        if request.path == "/quick":
            told.update(entity["id"] for entity in (await request.json())["data"])
        else:
            held += 1
            await over.wait()
        return web.Response()

    with start(tmp_path / "city", outTimeout=600.0) as node:
        async with receiver(take) as there:
            try:
                for name in [*(f"slow{number}" for number in range(30)), "quick"]:
                    subscription = {
                        "type": "Subscription",
                        "entities": [{"type": "Told"}],
                        "notification": {"endpoint": {"uri": f"{there}/{name}"}},
                    }
                    assert (await ask(node, "POST", f"{API}/subscriptions", subscription)).status == 201
                for names in (range(20), range(20, 40)):
                    batch = [{"id": f"urn:told:{number}", "type": "Told", "a": 1} for number in names]
                    assert (await ask(node, "POST", f"{API}/entityOperations/create", batch)).status == 201
                    async with asyncio.timeout(30):
                        while len(told) < names.stop or held < 100:
                            await asyncio.sleep(0.02)
            finally:
                over.set()
