"""A node with other nodes beside it, and a source that answers as it is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cityloom.model.settings import Settings
from tests.federation.source import Source, running_source
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
