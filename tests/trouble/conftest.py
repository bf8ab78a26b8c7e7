"""One node for all who only send it bad requests: it must outlive them all."""

from collections.abc import Iterator

import pytest

from tests.nodes import NodeProcess


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with an empty city and the settings as they come."""
    with NodeProcess(tmp_path_factory.mktemp("trouble") / "city") as node:
        yield node
        assert node.stop() == 0
    assert "Traceback" not in node.log.read_text()
