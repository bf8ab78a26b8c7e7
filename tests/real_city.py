"""The open data of Boston and Cambridge, imported once for every test that looks at it.

It is where CITYLOOM_CITY_DATA says, or in ../shared/city beside the project.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cityloom.connect.profile import City, load_profile
from cityloom.connect.report import Report
from cityloom.model.clock import SystemClock
from cityloom.model.entity import Entity
from cityloom.query.values import Query, TypeIs
from tests.connect.conftest import TestCity, expand

DATA = Path(os.environ.get("CITYLOOM_CITY_DATA") or Path(__file__).parents[2] / "shared" / "city")
REQUESTS, LIGHTS, BICYCLES = "boston-service-requests", "boston-streetlights", "cambridge-bicycles"

NEEDED = [
    pytest.mark.skipif(
        not DATA.is_dir(),
        reason=f"the real city's data is not there: {DATA} does not exist (set CITYLOOM_CITY_DATA)",
    ),
    pytest.mark.timeout(900),
]


class Imported:
    """Everything imported once, and the source with most entities once more."""

    def __init__(self, city: TestCity, profile: City) -> None:
        self.city = city
        self.profile = profile
        self.first: dict[str, Report] = {}
        self.again: Report
        self.events: dict[str, int] = {}

    async def run(self) -> None:
        importer = self.city.importer
        for mapping in self.profile.mappings:
            self.first[mapping.source] = await importer.run(mapping, DATA)
        self.events = self._types_of_events()
        mapping = self.profile.mapping(REQUESTS)
        assert mapping is not None
        self.again = await importer.run(mapping, DATA)

    def _types_of_events(self) -> dict[str, int]:
        with self.city.store.snapshot() as snapshot:
            return {"last": snapshot.last_seq()}

    def entities(self, type: str) -> Iterator[Entity]:
        with self.city.store.snapshot() as snapshot:
            yield from snapshot.scan("", Query(types=TypeIs(type=expand(type))))


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    city = TestCity(tmp_path_factory.mktemp("boston"), SystemClock())
    imported = Imported(city, load_profile("boston"))
    asyncio.run(imported.run())
    yield imported
    city.store.close()
