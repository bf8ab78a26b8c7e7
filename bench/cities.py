"""The cities that are measured: the same density at every size, so that only the size differs.

A city is twenty types of objects in equal numbers, spread evenly over a square that grows with
them: fifty of each type on a square kilometre, so a circle of one kilometre's radius has a box with
two hundred of each. An entity takes about 1 kB as it is answered. Cities are made once and kept;
what writes to one works on a copy.
"""

from __future__ import annotations

import math
import random
import shutil
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from cityloom.folder import STORE
from cityloom.model.clock import SystemClock
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, Entity
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.store.ports import Transaction
from cityloom.store.sqlite import SqliteStore

TYPES: Final = 20
PER_KM2: Final = 50
"""Entities of one type on a square kilometre."""
WEST, SOUTH = 8.0, 50.0
"""The corner of every city (lon, lat CRS84 degrees)."""
KM_LON: Final = 1 / (111.32 * math.cos(math.radians(SOUTH)))
KM_LAT: Final = 1 / 111.2
_WORK: Final = 500


def type_name(number: int) -> str:
    """The type of an entity, by its number."""
    return f"Kind{number % TYPES:02}"


def entity_id(number: int) -> str:
    """Its id."""
    return f"urn:ngsi-ld:{type_name(number)}:{number:07}"


def side(size: int) -> float:
    """The length of a city's edge in kilometres."""
    return math.sqrt(size / TYPES / PER_KM2)


def place(number: int, size: int) -> tuple[float, float]:
    """Where an entity is (lon, lat CRS84 degrees): the same at every run."""
    draw = random.Random(number)
    edge = side(size)
    lon, lat = WEST + draw.random() * edge * KM_LON, SOUTH + draw.random() * edge * KM_LAT
    return round(lon, 6), round(lat, 6)


def make_entity(number: int, size: int, now: str) -> Entity:
    """An entity as the broker would keep it."""

    def one(kind: Any, value: Any, **more: str) -> list[Attribute]:
        return [Attribute(kind=kind, value=value, created_at=now, modified_at=now, **more)]

    lon, lat = place(number, size)
    observed = "2026-11-01T12:00:00Z"
    return Entity(
        id=entity_id(number),
        types=[DEFAULT_VOCAB + type_name(number)],
        attributes={
            LOCATION: one("GeoProperty", {"type": "Point", "coordinates": [lon, lat]}),
            DEFAULT_VOCAB + "name": one("Property", f"Object {number} of the city"),
            DEFAULT_VOCAB + "intensity": one(
                "Property", number * 7 % 1000 / 10, observed_at=observed, unit_code="LUX"
            ),
            DEFAULT_VOCAB + "temperature": one(
                "Property", number * 3 % 400 / 10 - 10, observed_at=observed, unit_code="CEL"
            ),
            DEFAULT_VOCAB + "state": one("Property", "ok" if number % 9 else "defective"),
            DEFAULT_VOCAB + "installed": one("Property", {"year": 1990 + number % 35, "by": "works"}),
            DEFAULT_VOCAB + "refDistrict": one("Relationship", f"urn:ngsi-ld:District:{number % 97:03}"),
        },
        created_at=now,
        modified_at=now,
    )


def document(number: int, size: int) -> dict[str, Any]:
    """The same entity as a client sends it."""
    lon, lat = place(number, size)
    observed = "2026-11-01T12:00:00Z"
    return {
        "id": entity_id(number),
        "type": type_name(number),
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}},
        "name": {"type": "Property", "value": f"Object {number} of the city"},
        "intensity": {
            "type": "Property",
            "value": number * 7 % 1000 / 10,
            "observedAt": observed,
            "unitCode": "LUX",
        },
        "temperature": {
            "type": "Property",
            "value": number * 3 % 400 / 10 - 10,
            "observedAt": observed,
            "unitCode": "CEL",
        },
        "state": {"type": "Property", "value": "ok" if number % 9 else "defective"},
        "installed": {"type": "Property", "value": {"year": 1990 + number % 35, "by": "works"}},
        "refDistrict": {"type": "Relationship", "object": f"urn:ngsi-ld:District:{number % 97:03}"},
    }


def city(folder: Path, size: int) -> Path:
    """The folder of the city of `size` entities, made when it is not there yet.

    Cost: about 0.2 ms of the processor for each entity, once.
    """
    made = folder / f"city-{size}"
    if not made.exists():
        print(f"making a city of {size} entities in {made}", file=sys.stderr)
        part = folder / f"city-{size}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _fill(part / STORE, size)
        part.rename(made)
    return made


def copied(made: Path, folder: Path) -> Path:
    """A copy of a city that may be written to."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)
    return folder


def _fill(file: Path, size: int) -> None:
    store = SqliteStore(file, SystemClock(), synchronous="OFF")
    waiting: deque[Future[None]] = deque()
    for work in _works(size):
        waiting.append(store.submit(work))
        if len(waiting) > 2:
            waiting.popleft().result()
    for future in waiting:
        future.result()
    while store.submit(lambda tx: tx.trim_log(0)).result():
        pass
    store.close()


def _works(size: int) -> Iterator[Any]:
    for start in range(0, size, _WORK):
        numbers = range(start, min(start + _WORK, size))
        cause = Cause(kind="request", id=f"request:make-{start}")

        def work(tx: Transaction, numbers: range = numbers, cause: Cause = cause) -> None:
            now = format_datetime(tx.now)
            for number in numbers:
                tx.write_entity("", None, make_entity(number, size, now), cause)

        yield work
