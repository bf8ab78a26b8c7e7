"""The sample city, for the examples."""

from collections.abc import Iterator

import pytest

from tests.page.node import running


@pytest.fixture(scope="module")
def sample_city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a node with the small sample city answers."""
    folder = tmp_path_factory.mktemp("notebook") / "sample"
    with running("up", "--city", "sample", "--folder", str(folder), "--port", "0") as node:
        yield node.url
