"""Workers killed again and again under load: nothing that was acknowledged is lost, no key is told twice.

What is killed is drawn: most often who delivers, else any worker; at a moment that is drawn as well, also
while the next one takes over. A receiver that remembers keys counts each notification once.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.nodes import NodeProcess
from tests.postgres import server
from tests.workers.killed import Load, Told, leases_of
from tests.workers.test_processes import make_city, workers_of

WORKERS = 3


async def killed(tmp_path: Path, options: list[str], kills: int, seed: int) -> tuple[int, int, int]:
    """Kills so many times, and returns what was acknowledged, told, and sent more than once."""
    draw = random.Random(seed)
    data = make_city(tmp_path / "city", lease=0.6)
    async with (
        Told.listening() as told,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
    ):
        with NodeProcess(data, "--workers", str(WORKERS), *options) as node:
            await told.subscribe(session, node.url)
            load = Load(node.url)
            sending = asyncio.create_task(load.run())
            done = 0
            while done < kills:
                await asyncio.sleep(draw.expovariate(2.0))
                if draw.random() < 0.7:
                    victim = await leases_of(session, node.url, "subscriptions")
                else:
                    workers = await workers_of(session, node.url, 1)
                    victim = draw.choice(sorted(workers.values()))
                if victim:
                    with suppress(ProcessLookupError):
                        os.kill(victim, signal.SIGKILL)
                        done += 1
            # After the last one it goes on as before.
            before = len(load.acknowledged)
            async with asyncio.timeout(60):
                while len(load.acknowledged) < before + 50:
                    await asyncio.sleep(0.05)
            load.stop()
            await sending
            await told.all_of(load)
            missing = await load.missing(session, node.url)
        strangers = told.strangers(load)
    assert missing == []
    assert strangers == []
    return len(load.acknowledged), len(told.by_key), sum(count - 1 for count in told.repeats.values())


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("store", ["postgres", "sqlite"])
@pytest.mark.parametrize("seed", range(5))
async def test_hundreds_of_kills_lose_nothing(tmp_path: Path, store: str, seed: int) -> None:
    options = ["--store", server().database()] if store == "postgres" else []
    acknowledged, heard, again = await killed(tmp_path, options, 40, seed)
    print(f"{store}, seed {seed}: 40 kills, {acknowledged} acknowledged, {heard} told, {again} sent again")
