"""`cityloom serve --workers`: real processes on one port, ended in every way."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from cityloom.cli.workers import wait_after
from tests.cli.test_commands import refused, run
from tests.nodes import NodeProcess
from tests.postgres import server
from tests.workers.killed import Load, Told, leases_of

WAIT = 60.0


def make_city(folder: Path, **settings: Any) -> Path:
    """A city's folder with settings for quick tests."""
    folder.mkdir()
    told = {"lease": 1.0, "notifyBackoff": 0.05, "notifyBackoffMax": 0.2, "logJson": True, **settings}
    (folder / "city.yaml").write_text(yaml.safe_dump({"name": "killed", "settings": told}))
    return folder


@pytest.fixture(params=["postgres", "sqlite"])
def options(request: pytest.FixtureRequest) -> list[str]:
    return ["--store", server().database()] if request.param == "postgres" else []


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    # A connection each time: the next request may come to another worker.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as made:
        yield made


async def workers_of(session: aiohttp.ClientSession, url: str, count: int) -> dict[int, int]:
    """The processes of all workers, by their number."""
    found: dict[int, int] = {}
    async with asyncio.timeout(WAIT):
        while len(found) < count:
            # What is asked at once is spread over those that wait for it.
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(_node(session, url)) for _ in range(8)]
            for one in asked:
                told = one.result()
                found[told["worker"]] = int(told["process"].split(":")[1])
    return found


async def _node(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(f"{url}/node") as reply:
        return await reply.json()


async def test_workers_answer_on_one_port_and_end_with_what_watches_over_them(
    tmp_path: Path, session: aiohttp.ClientSession, options: list[str]
) -> None:
    data = make_city(tmp_path / "city")
    with NodeProcess(data, "--workers", "2", *options) as node:
        workers = await workers_of(session, node.url, 2)
        assert node.pid not in workers.values()
        async with session.get(f"{node.url}/metrics") as reply:
            meters = await reply.text()
        assert "cityloom_workers 2.0" in meters
        if not options:
            # A node of its own on the same file is refused, workers or not.
            for more in ([], ["--workers", "2"]):
                assert "already in use" in refused("serve", "--data", data, "--port", "0", *more)
        load = Load(node.url)
        sending = asyncio.create_task(load.run())
        while len(load.acknowledged) < 50:
            await asyncio.sleep(0.01)
        status = await asyncio.to_thread(node.stop)
        load.stop()
        await sending
    assert status == 0
    for pid in workers.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with NodeProcess(data, *options) as node:
        assert await load.missing(session, node.url) == []
        async with asyncio.timeout(WAIT):
            while len({lease["holder"] for lease in (await _node(session, node.url))["leases"]}) != 1:
                await asyncio.sleep(0.05)


async def test_worker_that_was_killed_is_started_again_and_its_leases_are_taken(
    tmp_path: Path, session: aiohttp.ClientSession, options: list[str]
) -> None:
    """Small: one kill of each kind. `test_kills` does it hundreds of times."""
    data = make_city(tmp_path / "city")
    async with Told.listening() as told:
        with NodeProcess(data, "--workers", "2", *options) as node:
            await workers_of(session, node.url, 2)
            await told.subscribe(session, node.url)
            load = Load(node.url)
            sending = asyncio.create_task(load.run())
            for _ in range(2):
                before = len(load.acknowledged)
                holder = await leases_of(session, node.url, "subscriptions")
                os.kill(holder, signal.SIGKILL)
                async with asyncio.timeout(WAIT):
                    while (
                        await leases_of(session, node.url, "subscriptions") in (holder, 0)
                        or len(load.acknowledged) < before + 20
                    ):
                        await asyncio.sleep(0.02)
            load.stop()
            await sending
            await told.all_of(load)
            assert await load.missing(session, node.url) == []
            workers = await workers_of(session, node.url, 2)
            assert holder not in workers.values()
        assert b'"event":"worker ended"' in data.with_name("city.log").read_bytes()
    assert told.strangers(load) == []


def test_who_is_left_alone_comes_back_soon_however_often_it_ends() -> None:
    """While another answers, the wait doubles; with nobody left it would be a stand-still."""
    waits = {False: [0.0], True: [0.0]}
    for alone, found in waits.items():
        for _ in range(6):
            found.append(wait_after(found[-1], lived=2.0, alone=alone))
    assert waits == {False: [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0], True: [0.0] + [1.0] * 6}
    assert wait_after(30.0, lived=2.0, alone=True) == 1.0
    assert wait_after(30.0, lived=3600.0, alone=False) == 0.0


async def test_workers_end_when_what_watches_over_them_is_killed(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    data = make_city(tmp_path / "city")
    with NodeProcess(data, "--workers", "2") as node:
        workers = await workers_of(session, node.url, 2)
        node.kill()
        async with asyncio.timeout(WAIT):
            for pid in workers.values():
                with suppress(ProcessLookupError):
                    while True:
                        os.kill(pid, 0)
                        await asyncio.sleep(0.02)
        node.start()  # nobody holds the file any more


@pytest.mark.parametrize("workers", ["0", "two"])
def test_workers_that_are_no_number_of_them_are_refused(tmp_path: Path, workers: str) -> None:
    done = run("serve", "--data", tmp_path / "city", "--workers", workers)
    assert done.returncode == 2
    assert "--workers" in done.stderr


def test_workers_that_cannot_start_say_why_once_and_end(tmp_path: Path) -> None:
    data = make_city(tmp_path / "city")
    (data / "cityloom.sqlite").write_bytes(b"no database of anybody" * 100)
    said = refused("serve", "--data", data, "--port", "0", "--workers", "2")
    assert "it is no SQLite database" in said
    assert said.count("cityloom:") == 1
    assert "again_in" not in said  # nobody starts it again
