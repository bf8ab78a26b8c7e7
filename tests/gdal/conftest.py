"""The sample city on a node of its own, for GDAL to read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gdal.programs import require_gdal
from tests.page.node import NodeProcess, running, sample_folder


@pytest.fixture(scope="session")
def sample_city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with the small sample city, as `make run` starts it."""
    require_gdal()
    folder = sample_folder(tmp_path_factory)
    with running("up", "--city", "sample", "--folder", str(folder), "--port", "0") as node:
        yield node
