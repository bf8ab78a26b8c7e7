"""A database that is away, or whose disk is full: told clearly, nothing lost, well again by itself."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.nodes import NodeProcess
from tests.postgres import USER, Server, server
from tests.trouble.asking import API, ENTITIES, Answer, ask, receiver
from tests.trouble.test_disk import fill, mount

SIZE = 64 * 1024 * 1024
TEXT = "x" * 20_000


@pytest.fixture
def place() -> Server:
    return server()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A small disk for a database's tables, which PostgreSQL may write to."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk)
    folder = disk / "tables"
    folder.mkdir()
    try:
        shutil.chown(folder, USER, USER)
        for above in folder.parents:
            if not above.stat().st_mode & 0o001:
                above.chmod(above.stat().st_mode | 0o011)
        yield folder
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


async def until_well(node: NodeProcess) -> None:
    """Waits until the node says that it can do all its work."""
    async with asyncio.timeout(60):
        while (await ask(node, "GET", "/health")).json["status"] != "ok":
            await asyncio.sleep(0.05)


async def write(node: NodeProcess, number: int) -> Answer:
    body = {"id": f"urn:away:{number}", "type": "Away", "number": number, "text": TEXT}
    return await ask(node, "POST", ENTITIES, body)


async def kept(node: NodeProcess) -> set[int]:
    page = await ask(node, "GET", f"{ENTITIES}?type=Away&attrs=number&options=keyValues&limit=1000")
    return {entity["number"] for entity in page.json}


async def test_database_that_is_away_is_answered_503_and_waited_for(place: Server, tmp_path: Path) -> None:
    told: set[int] = set()

    async def take(request: web.Request) -> web.Response:
        told.update(entity["number"]["value"] for entity in (await request.json())["data"])
        return web.Response()

    url = place.database()
    with NodeProcess(tmp_path / "city", "--store", url) as node:
        async with receiver(take) as there:
            subscription = {
                "type": "Subscription",
                "entities": [{"type": "Away"}],
                "notification": {"endpoint": {"uri": there}, "attributes": ["number"]},
            }
            assert (await ask(node, "POST", f"{API}/subscriptions", subscription)).status == 201
            acknowledged = {number for number in range(5) if (await write(node, number)).status == 201}
            assert len(acknowledged) == 5
            place.stop("immediate")
            try:
                refused = await asyncio.gather(*(write(node, number) for number in range(100, 120)))
                for answer in refused:
                    assert (answer.status, answer.problem) == (503, "StoreUnreachable"), answer.body
                    assert answer.headers["Retry-After"] == "1"
                reading = await ask(node, "GET", f"{ENTITIES}/urn:away:1")
                assert (reading.status, reading.problem) == (503, "StoreUnreachable")
                assert reading.headers["Retry-After"] == "1"
                health = await ask(node, "GET", "/health")
                assert (health.status, health.json["status"]) == (503, "failed")
                assert health.json["checks"] == {"store": "failed", "writing": "failed", "history": "ok"}
                metrics = await ask(node, "GET", "/metrics")
                assert metrics.status == 200
                assert b"\ncityloom_store_writable 0.0\n" in metrics.body
                assert b"\ncityloom_workers 1.0\n" in metrics.body
                assert b"cityloom_store_entities" not in metrics.body, "the database alone knows"
            finally:
                place.start()
            await until_well(node)
            answers = [await write(node, number) for number in range(5, 10)]
            assert [answer.status for answer in answers] == [201] * 5
            acknowledged |= set(range(5, 10))
            assert await kept(node) == acknowledged
            async with asyncio.timeout(60):
                while not told >= acknowledged:
                    await asyncio.sleep(0.05)
        assert node.stop() == 0
    said = node.log.read_text()
    assert "Traceback" not in said
    assert said.count("the store cannot be written") == 1
    assert said.count("the store can be written again") == 1
    assert said.count('"error"') < 20


async def test_full_disk_of_a_database_is_answered_507_and_over_when_there_is_room(
    place: Server, small: Path, tmp_path: Path
) -> None:
    place.execute("postgres", f"CREATE TABLESPACE small LOCATION '{small}'")
    try:
        url = place.database("cramped", "small")
        with NodeProcess(tmp_path / "city", "--store", url) as node:
            acknowledged = {number for number in range(5) if (await write(node, number)).status == 201}
            assert len(acknowledged) == 5
            ballast = fill(small.parent)
            number, answer = 5, await write(node, 5)
            while answer.status == 201:
                acknowledged.add(number)
                number += 1
                answer = await write(node, number)
            assert (answer.status, answer.problem) == (507, "StoreFailed")
            assert "the disk is full" in answer.json["detail"]
            health = await ask(node, "GET", "/health")
            assert (health.status, health.json["status"]) == (200, "readOnly")
            assert await kept(node) == acknowledged
            ballast.unlink()
            await until_well(node)
            assert (await write(node, 9999)).status == 201
            assert await kept(node) == {*acknowledged, 9999}
            assert node.stop() == 0
        assert "Traceback" not in node.log.read_text()
    finally:
        place.drop("cramped")
        place.execute("postgres", "DROP TABLESPACE small")
