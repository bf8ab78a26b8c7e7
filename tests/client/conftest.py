"""The sample city, for the examples."""

from collections.abc import Iterator

import pytest

from tests.page.node import running, sample_folder


@pytest.fixture(scope="module")
def sample_city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a node with the small sample city answers."""
    folder = sample_folder(tmp_path_factory)
    with running("up", "--city", "sample", "--folder", str(folder), "--port", "0") as node:
        yield node.url
