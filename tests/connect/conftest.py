"""A city of the test's own: a real store and broker in a folder, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cityloom.broker.local import LocalBroker
from cityloom.broker.ports import Action, Call
from cityloom.connect.mapping import Mapping, mapping_of
from cityloom.connect.report import Report
from cityloom.connect.run import Importer
from cityloom.connect.sources import Sources
from cityloom.connect.work import Target
from cityloom.ld.context import LdContext
from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import Entity
from cityloom.model.events import Cause
from cityloom.model.time import parse_datetime
from cityloom.query.values import Query, TypeIs
from cityloom.store.sqlite import SqliteStore

NOON = parse_datetime("2026-05-01T12:00:00Z")
expand = LdContext.core.expand_term


class Everyone:
    """Everyone may do everything."""

    def check(self, call: Call, action: Action, resource: str = "") -> None:
        return


class TestCity:
    """One city of a test, with short ways to do and see things."""

    __test__ = False

    def __init__(self, folder: Path, clock: SimulatedClock) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(exist_ok=True)
        self.clock = clock
        self.store = SqliteStore(folder / "city.db", clock, synchronous="OFF")
        self.broker = LocalBroker(self.store, Everyone(), clock)
        self.target = Target(
            broker=self.broker, store=self.store, clock=clock, expand=expand, rejects=folder / "rejects"
        )
        self.importer = Importer(self.target)
        self.call = Call(cause=Cause(kind="request", id="request:1"))

    def sources(self, *mappings: Mapping) -> Sources:
        return Sources(self.importer, mappings, Everyone())

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    async def run(self, mapping: Mapping) -> Report:
        return await self.importer.run(mapping, self.data)

    async def entities(self, type: str) -> dict[str, Entity]:
        query = Query(types=TypeIs(type=expand(type)), limit=1000)
        page = await self.broker.query_entities(self.call, query)
        return {entity.id: entity for entity in page.entities}

    async def values(self, entity_id: str) -> dict[str, Any]:
        """Short name -> value of the default instances of an entity's attributes."""
        entity = await self.broker.retrieve_entity(self.call, entity_id)
        found = {}
        for name, instances in entity.attributes.items():
            for attribute in instances:
                if not attribute.dataset_id:
                    found[LdContext.core.compact_iri(name)] = attribute.value
        return found

    def events_of(self, type: str) -> int:
        """How many events of the log are about entities of a type."""
        with self.store.snapshot() as snapshot:
            return sum(expand(type) in event.types for event in snapshot.events(0, 100_000))

    def rejects(self, source: str, number: int = 1) -> list[dict[str, Any]]:
        import json

        path = self.folder / "rejects" / source / f"{number}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOON)


@pytest.fixture
def city(tmp_path: Path, clock: SimulatedClock) -> Iterator[TestCity]:
    city = TestCity(tmp_path, clock)
    try:
        yield city
    finally:
        city.store.close()


def make(**values: Any) -> Mapping:
    """A mapping of things with an id, of CSV unless said otherwise."""
    base: dict[str, Any] = {
        "source": "things",
        "format": "csv",
        "timeZone": "America/New_York",
        "entity": {"id": "urn:ngsi-ld:Thing:{id}", "type": "Thing"},
    }
    merged = {**base, **values}
    if merged["format"] not in ("push", "mqtt") and not merged.get("url"):
        merged.setdefault("path", "things.csv")
    return mapping_of(merged, "things.yaml", digest="1")
