"""The city that the page's tests visit: the sample city, made and served by one command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from .browser import CHROMIUM, browsing
from .node import NodeProcess, running, sample_folder

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "src/cityloom/web/static/index.html"


@pytest.fixture(scope="session")
def built_page() -> None:
    """The page as `make page` builds it, and Debian's Chromium."""
    for needed, remedy in ((PAGE, "make page"), (Path(CHROMIUM), "apt-get install chromium")):
        if not needed.exists():
            pytest.fail(f"{needed} does not exist: {remedy}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent != HERE:
            continue
        # What is waited for in a walk is waited for long (`WAIT_SECONDS`): the walk must outlive it.
        item.add_marker(pytest.mark.timeout(900))
        if pytest_asyncio.is_async_test(item):
            # The browser belongs to the loop that it was started in.
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def chromium(built_page: None) -> AsyncIterator[None]:
    async with browsing():
        yield


@pytest.fixture(scope="session")
def sample_node(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with the small sample city, as `make run` starts it."""
    folder = sample_folder(tmp_path_factory)
    with running("up", "--city", "sample", "--folder", str(folder), "--port", "0") as node:
        yield node
