"""One small city for all tests that only read it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from cityloom.model.entity import Attribute, Entity
from tests.maps.things import BENCH, GONE, RECORDS, A, Record, ThingsCity, expand


@pytest.fixture(scope="session")
def things(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThingsCity]:
    city = ThingsCity(tmp_path_factory.mktemp("things"))

    async def fill() -> None:
        await city.fill(RECORDS)
        bench = Entity(
            id=BENCH,
            types=[expand("Bench")],
            attributes={expand("seats"): [Attribute(kind="Property", value=3)]},
        )
        await city.broker.create_entity(city.call, bench)
        await city.fill([Record(GONE, "no2", "", 0, 1)])
        await city.broker.delete_entity(city.call, GONE)
        assert A < GONE

    asyncio.run(fill())
    yield city
    city.store.close()
