"""What tests of several rooms share, and how the tests are dealt out to the workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.real_city import imported

__all__ = ["imported"]

# What takes longest first, or one worker would end alone: the real city's import, browsers, processes.
LONGEST = ("tests/connect/test_real_city.py", "tests/gdal/test_real_city.py", "tests/page/", "tests/cli/")


def _rank(nodeid: str) -> int:
    return next((rank for rank, start in enumerate(LONGEST) if nodeid.startswith(start)), len(LONGEST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.nodeid))


class ByFile(LoadScopeScheduling):
    """Deals out whole files, whose tests share a city; all that looks at the real city goes to one worker.

    So do the walks of the page: two browsers that draw by software at once only hold each other up.

    Not xdist's own groups: it writes them into node ids, which pytest 9.2 no longer lets it change.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.endswith("/test_real_city.py"):
            return "real city"
        return "page" if file.startswith("tests/page/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def own_logs() -> Iterator[None]:
    """A command that is tried in this process does not take the logs of the tests that come after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", lambda **_: None)
        yield
