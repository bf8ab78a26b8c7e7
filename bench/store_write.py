"""How fast a store writes, durably: `python bench/store_write.py FOLDER [--store URL] [--entities N] …`.

Measures, on entities of about 1 kB with five attributes:

- creating them, in works of 100, each with its event and history;
- updating two numeric attributes of each (its event, two instances), in works of 100;
- the same from many threads, one entity a work, which is what group commit is for;
- appending a numeric series to history in chunks of 10,000, and how many bytes an instance takes.

FOLDER must be on the disk that counts: a RAM disk syncs nothing. With `--store` an empty
PostgreSQL database is written instead of a file in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import apsw
from msgspec.structs import replace

from cityloom.model.clock import SystemClock
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, Entity, encode_entity
from cityloom.model.events import Cause, Event
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.store.ports import Store, Transaction
from cityloom.store.postgres import PostgresStore
from cityloom.store.postgres.reading import instance_bytes
from cityloom.store.sqlite import SqliteStore

TYPE = DEFAULT_VOCAB + "AirQualityObserved"
START = 1_700_000_000_000_000


def make_entity(number: int, now: str) -> Entity:
    """An entity of about 1 kB."""
    draw = random.Random(number)

    def attribute(
        kind: Any, value: Any, unit: str | None = None, observed: str | None = None
    ) -> list[Attribute]:
        return [
            Attribute(
                kind=kind, value=value, unit_code=unit, observed_at=observed, created_at=now, modified_at=now
            )
        ]

    return Entity(
        id=f"urn:ngsi-ld:AirQualityObserved:bench:{number:07}",
        types=[TYPE],
        attributes={
            LOCATION: attribute(
                "GeoProperty",
                {"type": "Point", "coordinates": [-71.2 + draw.random() / 5, 42.2 + draw.random() / 5]},
            ),
            DEFAULT_VOCAB + "name": attribute("Property", f"Station {number} of the bench"),
            DEFAULT_VOCAB + "temperature": attribute("Property", 12.5, "CEL", now),
            DEFAULT_VOCAB + "pm10": attribute("Property", 40.25, "GQ", now),
            DEFAULT_VOCAB + "refDistrict": attribute("Relationship", "urn:ngsi-ld:District:bench:7"),
        },
        created_at=now,
        modified_at=now,
    )


def create(numbers: range) -> Any:
    """A work that creates these entities."""
    cause = Cause(kind="request", id=f"request:create-{numbers.start}")

    def work(tx: Transaction) -> None:
        now = format_datetime(tx.now)
        entities = [make_entity(number, now) for number in numbers]
        tx.get_many("", [entity.id for entity in entities])  # as the broker does
        for entity in entities:
            tx.write_entity("", None, entity, cause)

    return work


def update(numbers: list[int], turn: int) -> Any:
    """A work that sets two numbers of each of these entities."""
    cause = Cause(kind="request", id=f"request:update-{turn}")

    def work(tx: Transaction) -> Event | None:
        now = format_datetime(tx.now)
        ids = [f"urn:ngsi-ld:AirQualityObserved:bench:{number:07}" for number in numbers]
        event = None
        for before in tx.get_many("", ids).values():
            attributes = dict(before.attributes)
            for name in ("temperature", "pm10"):
                old = attributes[DEFAULT_VOCAB + name][0]
                assert isinstance(old.value, float)
                attributes[DEFAULT_VOCAB + name] = [
                    replace(old, value=old.value + 0.25, observed_at=now, modified_at=now)
                ]
            after = replace(before, attributes=attributes, modified_at=now)
            event = tx.write_entity("", before, after, cause)
        return event

    return work


def pipelined(store: Store, works: list[Any], depth: int = 4) -> float:
    """Seconds to commit `works`, `depth` of them under way at once."""
    begin = time.perf_counter()
    under_way: list[Future[Any]] = []
    for work in works:
        under_way.append(store.submit(work))
        if len(under_way) >= depth:
            under_way.pop(0).result()
    for future in under_way:
        future.result()
    return time.perf_counter() - begin


def threaded(store: Store, works: list[Any], threads: int) -> float:
    """Seconds to commit `works` from threads that each wait for their own."""
    todo = iter(works)
    lock = threading.Lock()

    def run() -> None:
        while True:
            with lock:
                work = next(todo, None)
            if work is None:
                return
            store.submit(work).result()

    crew = [threading.Thread(target=run) for _ in range(threads)]
    begin = time.perf_counter()
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return time.perf_counter() - begin


def append_series(
    store: Store, size: Callable[[], int], instances: int, chunk: int = 10_000
) -> tuple[float, float]:
    """(instances a second, bytes an instance) of a numeric series; `size` tells what all take."""
    cause = Cause(kind="run", id="urn:ngsi-ld:ImportRun:bench:1", source="bench")
    name = DEFAULT_VOCAB + "intensity"
    appends = [
        HistoryAppend(
            entity_id="urn:ngsi-ld:TrafficFlowObserved:bench:1",
            types=[DEFAULT_VOCAB + "TrafficFlowObserved"],
            instances=[
                Instance(
                    name=name,
                    attribute=Attribute(
                        kind="Property",
                        value=number % 97 + 0.5,
                        observed_at=format_datetime(START + number * 900_000_000),
                    ),
                    row=number + 1,
                )
                for number in range(first, min(first + chunk, instances))
            ],
        )
        for first in range(0, instances, chunk)
    ]
    before = size()
    begin = time.perf_counter()
    for append in appends:
        store.submit(partial(_append, append, cause)).result()
    seconds = time.perf_counter() - begin
    return instances / seconds, (size() - before) / instances


def _append(append: HistoryAppend, cause: Cause, tx: Transaction) -> None:
    tx.append_history("", append, cause)


def history_bytes(file: Path) -> int:
    """How many bytes of the file the hot tier takes."""
    connection = apsw.Connection(str(file))
    try:
        size: int = connection.execute(
            "SELECT sum(pgsize) FROM dbstat WHERE name = 'instance' AND aggregate = TRUE"
        ).get
        return size
    finally:
        connection.close()


def main() -> None:
    """Runs the measurements and prints them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--updates", type=int, default=50_000)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--instances", type=int, default=300_000)
    parser.add_argument("--store", default="", help="an empty database: postgresql://…")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "bench.db"
    store: Store
    if options.store:
        store = PostgresStore(options.store, SystemClock())
        size = partial(instance_bytes, options.store)
    else:
        store = SqliteStore(file, SystemClock())
        size = partial(history_bytes, file)
    draw = random.Random(1)
    count = options.entities
    found: dict[str, float] = {
        "entity bytes": len(encode_entity(make_entity(1, format_datetime(START)))),
    }
    seconds = pipelined(store, [create(range(first, first + 100)) for first in range(0, count, 100)])
    found["created/s"] = count / seconds
    numbers = [draw.randrange(count) for _ in range(options.updates)]
    batches = [update(numbers[first : first + 100], first) for first in range(0, len(numbers), 100)]
    found["updated/s, batches of 100"] = len(numbers) / pipelined(store, batches)
    single = numbers[: len(numbers) // 5]
    works = [update([number], turn) for turn, number in enumerate(single)]
    found[f"updated/s, one a work, {options.threads} threads"] = len(single) / threaded(
        store, works, options.threads
    )
    found["updated/s, one a work, one after the other"] = 500 / pipelined(store, works[:500], 1)
    found["appended/s"], found["bytes an instance"] = append_series(store, size, options.instances)
    found["file bytes an entity"] = store.stats()["fileBytes"] / count
    store.close()
    print(json.dumps({name: round(value, 1) for name, value in found.items()}, indent=2))


if __name__ == "__main__":
    main()
