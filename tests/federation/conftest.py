"""A node with other nodes beside it, and a source that answers as it is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from cityloom.model.settings import Settings
from tests.federation.source import Source, running_source
from tests.federation.whole import Whole, whole_node
from tests.subscriptions.helpers import Receiver
from tests.web.node import Client, running_node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "here").mkdir()
    async with running_node(tmp_path / "here", Settings(source_timeout=5.0)) as client:
        yield client


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "there").mkdir()
    async with running_node(tmp_path / "there") as client:
        yield client


@pytest.fixture
async def third(tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "third").mkdir()
    async with running_node(tmp_path / "third") as client:
        yield client


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with running_source() as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_node(tmp_path / "here") as node:
        yield node


@pytest.fixture
async def harbour(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_node(tmp_path / "harbour") as node:
        yield node


@pytest.fixture
async def district(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_node(tmp_path / "district") as node:
        yield node
