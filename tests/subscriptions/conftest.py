"""The fixtures of these tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from cityloom.model.settings import Settings
from tests.subscriptions.helpers import City, Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{port}"
    yield made
    for event in made.hold.values():
        event.set()
    await runner.cleanup()


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    made = City(tmp_path / "city", Settings(notify_backoff=0.02, notify_backoff_max=0.1, notify_attempts=3))
    await made.start()
    yield made
    await made.stop()
