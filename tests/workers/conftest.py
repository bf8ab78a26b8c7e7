"""Two nodes over one store, in this process, and a receiver of notifications."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from cityloom.app import Node
from cityloom.folder import CityFolder
from cityloom.model.clock import SystemClock
from cityloom.model.settings import Settings
from tests.postgres import server
from tests.subscriptions.conftest import receiver

__all__ = ["receiver"]

STORES = ("postgres", "sqlite")
QUICK = 1.0
"""Seconds of silence after which a process counts as gone."""

OpenNode = Callable[[], "AsyncIterator[Node]"]


class House:
    """Where nodes over one store are opened."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = CityFolder(folder / "city", make=True)
        self.store = server().database() if kind == "postgres" else ""
        self.settings = Settings(
            store=self.store,
            notify_backoff=0.02,
            notify_backoff_max=0.1,
            lease=QUICK,
            out_allow_loopback=True,
        )
        self._opened = 0

    def make(self) -> Node:
        """A node that does not run yet: one of several over a file, or one more on a server."""
        self._opened += 1
        return Node(self._folder, self.settings, SystemClock(), worker=self._opened - 1)

    @asynccontextmanager
    async def node(self) -> AsyncIterator[Node]:
        """A node that runs until the block ends."""
        node = self.make()
        async with node.running():
            yield node


@pytest.fixture(params=STORES)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return House(tmp_path, request.param)


@pytest.fixture
async def pair(house: House) -> AsyncIterator[tuple[Node, Node]]:
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(house.node()),
            await stack.enter_async_context(house.node()),
        )
