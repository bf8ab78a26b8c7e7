"""The city that the page's tests visit: the sample city, made and served by one command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import CHROMIUM
from .node import NodeProcess, running

PAGE = Path(__file__).parents[2] / "src/cityloom/web/static/index.html"


@pytest.fixture(scope="session")
def built_page() -> None:
    """The page as `make page` builds it, and Debian's Chromium."""
    for needed, remedy in ((PAGE, "make page"), (Path(CHROMIUM), "apt-get install chromium")):
        if not needed.exists():
            pytest.fail(f"{needed} does not exist: {remedy}")


@pytest.fixture(scope="session")
def sample_node(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with the small sample city, as `make run` starts it."""
    folder = tmp_path_factory.mktemp("city") / "sample"
    with running("up", "--city", "sample", "--folder", str(folder), "--port", "0") as node:
        yield node
