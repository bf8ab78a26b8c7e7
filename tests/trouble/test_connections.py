"""Clients that are slow, endless or gone: nobody else waits for them, a whole write is kept all the same."""

import asyncio
from collections.abc import Iterator

import pytest
import yaml

from tests.nodes import NodeProcess
from tests.trouble.asking import ENTITIES, ask, connect, head, is_well, memory, stored

BODY = b'{"id":"urn:slow:1","type":"Slow"}'
LENGTH = f"Content-Length: {len(BODY)}"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node that waits half a second for a request, and takes a head of 4 kB."""
    folder = tmp_path_factory.mktemp("hasty") / "city"
    folder.mkdir()
    settings = {"requestTimeout": 0.5, "maxHeadBytes": 4096}
    (folder / "city.yaml").write_text(yaml.safe_dump({"settings": settings}))
    with NodeProcess(folder) as node:
        yield node
    assert "Traceback" not in node.log.read_text()


async def status_of(reader: asyncio.StreamReader) -> int:
    """The status of an answer that is the last on its connection; 0 when the node closed without one."""
    try:
        answer = await reader.read()
    except ConnectionError:
        return 0
    return int(answer.split()[1]) if answer else 0


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"POST /ngsi",
        b"POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    ],
)
async def test_head_that_never_ends_is_answered_408(hasty: NodeProcess, said: bytes) -> None:
    reader, writer = await connect(hasty)
    writer.write(said)
    assert await status_of(reader) == 408
    writer.close()


async def test_body_that_drips_is_answered_408_and_stores_nothing(hasty: NodeProcess) -> None:
    before = await stored(hasty)
    reader, writer = await connect(hasty)
    writer.write(head(hasty, "POST", ENTITIES, "Content-Length: 100000") + b"\r\n")

    async def drip() -> None:
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    try:
        assert await status_of(reader) == 408
    finally:
        dripping.cancel()
        writer.close()
    assert await stored(hasty) == before


async def test_slow_request_within_the_time_is_answered(hasty: NodeProcess) -> None:
    reader, writer = await connect(hasty)
    for part in (head(hasty, "POST", ENTITIES, LENGTH), b"\r\n", BODY[:5], BODY[5:]):
        writer.write(part)
        await asyncio.sleep(0.05)
    assert (await reader.readline()).split()[1] == b"201"
    writer.close()
    assert (await ask(hasty, "DELETE", f"{ENTITIES}/urn:slow:1")).status == 204


async def test_head_without_end_is_answered_431_and_not_kept(hasty: NodeProcess) -> None:
    held = memory(hasty)
    for piece in (b"X-More: " + b"a" * 1000 + b"\r\n", b"a" * 1000):
        reader, writer = await connect(hasty)
        writer.write(head(hasty, "GET", "/health") + b"X-Long: ")
        try:
            for _ in range(20_000):
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        # The node closed while more came; its answer may be lost on the way.
        assert await status_of(reader) in (431, 0)
        writer.close()
    assert memory(hasty) - held < 10 * 1024 * 1024
    reader, writer = await connect(hasty)
    writer.write(head(hasty, "GET", "/health") + b"X-Long: " + b"a" * 5000)
    assert await status_of(reader) == 431
    writer.close()


async def test_long_wait_for_an_answer_is_no_slow_request(hasty: NodeProcess) -> None:
    """A page that follows the changes sends nothing for hours."""
    reader, writer = await connect(hasty)
    writer.write(head(hasty, "GET", "/events") + b"\r\n")
    assert (await reader.readline()).split()[1] == b"200"
    await asyncio.sleep(1.0)
    assert (await ask(hasty, "POST", ENTITIES, {"id": "urn:slow:2", "type": "Slow"})).status == 201
    async with asyncio.timeout(10):
        while b"urn:slow:2" not in await reader.readline():
            pass
    writer.close()


async def test_many_slow_bodies_hold_nobody_up(node: NodeProcess) -> None:
    before = await stored(node)
    slow = [await connect(node) for _ in range(200)]
    for _, writer in slow:
        writer.write(head(node, "POST", ENTITIES, "Content-Length: 1000000") + b"\r\n" + BODY[:10])
    async with asyncio.timeout(20):
        assert (await ask(node, "POST", ENTITIES, {"id": "urn:quick:1", "type": "Quick"})).status == 201
    assert (await ask(node, "DELETE", f"{ENTITIES}/urn:quick:1")).status == 204
    for _, writer in slow:
        writer.close()
    assert await stored(node) == (before[0], before[1] + 2)
    assert await is_well(node)


async def test_client_that_leaves_in_the_middle_of_its_body_stores_nothing(node: NodeProcess) -> None:
    before = await stored(node)
    for cut in (0, 1, len(BODY) // 2, len(BODY) - 1):
        _, writer = await connect(node)
        writer.write(head(node, "POST", ENTITIES, LENGTH) + b"\r\n" + BODY[:cut])
        await writer.drain()
        writer.transport.abort()
    await asyncio.sleep(0.2)
    assert await stored(node) == before
    assert await is_well(node)


async def test_client_that_leaves_before_its_answer_does_not_undo_its_write(node: NodeProcess) -> None:
    before, _ = await stored(node)
    ids = [f"urn:gone:{number}" for number in range(50)]
    for id in ids:
        body = b'{"id":"%s","type":"Gone"}' % id.encode()
        _, writer = await connect(node)
        writer.write(head(node, "POST", ENTITIES, f"Content-Length: {len(body)}") + b"\r\n" + body)
        await writer.drain()
        writer.close()
    async with asyncio.timeout(30):
        while (await stored(node))[0] < before + len(ids):
            await asyncio.sleep(0.05)
    for id in ids:
        assert (await ask(node, "DELETE", f"{ENTITIES}/{id}")).status == 204
    assert (await stored(node))[0] == before
    assert await is_well(node)
