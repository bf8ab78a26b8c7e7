"""A node for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.node import Client, running_node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Client]:
    async with running_node(tmp_path) as client:
        yield client
