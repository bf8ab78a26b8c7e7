"""Two small sample cities for all tests of this folder."""

from __future__ import annotations

import pytest
from sample_files import Written, write_city


@pytest.fixture(scope="session", params=[1, 20])
def city(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Small cities of two seeds."""
    return write_city(tmp_path_factory.mktemp("sample") / "city", request.param)
