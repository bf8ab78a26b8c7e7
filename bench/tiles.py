"""How long a tile takes: `python bench/tiles.py FOLDER [--lamps N]`.

Makes a city of street lights over 20 km, opens its file anew and draws, zoom by zoom, all tiles of it:

- the time of each tile, and of all, drawn by one thread; bytes, raw and compressed;
- the same with one attribute, whose bodies must be opened;
- reading alone, and filling and encoding the protocol buffer alone, for the ratio;
- a tile that is kept.

Times are of the processor (this thread's), so that a busy machine measures the same; `first sight` is
of the clock: the whole city at zoom 12 from a fresh process, as a page would ask for it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cityloom.ld.context import LdContext
from cityloom.maps.kept import KeptTiles, Shown
from cityloom.maps.layer import POINT, Layer
from cityloom.maps.mercator import TileAddress, tile_box, tile_span
from cityloom.maps.tile import Wanted, draw_tile
from cityloom.model.clock import SystemClock
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, Entity
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.store.ports import Snapshot, Transaction
from cityloom.store.sqlite import SqliteStore

TYPE = DEFAULT_VOCAB + "Streetlight"
LEVEL = DEFAULT_VOCAB + "illuminanceLevel"
BOX = (-71.2, 42.2, -71.0, 42.4)


def make_lamp(number: int, now: str) -> Entity:
    """A street light as cities describe them, of about 1 kB."""
    draw = random.Random(number)

    def attribute(kind: Any, value: Any, **more: Any) -> list[Attribute]:
        return [Attribute(kind=kind, value=value, created_at=now, modified_at=now, **more)]

    place = [BOX[0] + draw.random() * (BOX[2] - BOX[0]), BOX[1] + draw.random() * (BOX[3] - BOX[1])]
    return Entity(
        id=f"urn:ngsi-ld:Streetlight:bench:{number:07}",
        types=[TYPE],
        created_at=now,
        modified_at=now,
        attributes={
            LOCATION: attribute("GeoProperty", {"type": "Point", "coordinates": place}),
            DEFAULT_VOCAB + "name": attribute(
                "LanguageProperty", {"en": f"Street light {number}", "zh": f"路灯 {number}"}
            ),
            DEFAULT_VOCAB + "powerState": attribute("Property", "on", observed_at=now),
            LEVEL: attribute("Property", draw.random(), observed_at=now, unit_code="LUX"),
            DEFAULT_VOCAB + "address": attribute("Property", {"streetAddress": f"{number} Main St"}),
        },
    )


def fill(store: SqliteStore, count: int) -> None:
    """Makes the city."""
    for first in range(0, count, 500):

        def work(tx: Transaction, first: int = first) -> None:
            now = format_datetime(tx.now)
            cause = Cause(kind="request", id=f"request:{first}")
            for number in range(first, min(first + 500, count)):
                tx.write_entity("", None, make_lamp(number, now), cause)

        store.submit(work).result()


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(milliseconds of this thread's processor time, result)."""
    begin = time.thread_time()
    result = work()
    return (time.thread_time() - begin) * 1000, result


def encode_alone(count: int) -> float:
    """Milliseconds to fill and encode a layer of `count` points with id and name."""
    texts = [
        (f"urn:ngsi-ld:Streetlight:bench:{number:07}", f"Street light {number}") for number in range(count)
    ]

    def work() -> bytes:
        layer = Layer("Streetlight")
        for id, name in texts:
            tags = [layer.key("id"), layer.text(id), layer.key("name"), layer.text(name)]
            layer.add(POINT, (9, 4000, 4000), tags)
        return layer.encode()

    return timed(work)[0]


def tiles_of(z: int) -> list[TileAddress]:
    """The tiles of a matrix that hold the city."""
    left, right, top, bottom = tile_span(BOX, z)
    return [TileAddress(z, x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)]


def measure(snapshot: Snapshot, z: int, wanted: Wanted) -> dict[str, Any]:
    """What all tiles of a matrix take."""
    tiles = tiles_of(z)
    times, raw, packed = [], 0, 0
    for tile in tiles:
        milliseconds, body = timed(lambda tile=tile: draw_tile(snapshot, wanted, tile, LdContext.core))
        times.append(milliseconds)
        raw += len(body)
        packed += len(gzip.compress(body, 3))
    reading = sum(
        timed(lambda tile=tile: snapshot.points("", TYPE, tile_box(tile), wanted.attributes))[0]
        for tile in tiles
    )
    return {
        "tiles": len(tiles),
        "ms in all": round(sum(times)),
        "ms the longest": round(max(times), 1),
        "ms reading alone": round(reading),
        "MB": round(raw / 1e6, 2),
        "MB gzip": round(packed / 1e6, 2),
    }


def main() -> None:
    """Runs the measurements and prints them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lamps", type=int, default=100_000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / f"tiles-{options.lamps}.db"
    if not file.exists():
        store = SqliteStore(file, SystemClock(), synchronous="OFF")
        fill(store, options.lamps)
        store.close()
    store = SqliteStore(file, SystemClock())
    plain = Wanted(tenant="", type=TYPE, name="Streetlight", lang="zh")
    coloured = Wanted(
        tenant="", type=TYPE, name="Streetlight", lang="zh", attributes=(LEVEL,), keys=("illuminanceLevel",)
    )
    found: dict[str, Any] = {}
    with store.snapshot() as snapshot:
        begin = time.perf_counter()
        for tile in tiles_of(12):
            gzip.compress(draw_tile(snapshot, plain, tile, LdContext.core), 3)
        found["first sight, z 12, seconds of the clock"] = round(time.perf_counter() - begin, 2)
        for z in (8, 10, 12, 14):
            found[f"z {z}"] = measure(snapshot, z, plain)
        found["z 12 with an attribute"] = measure(snapshot, 12, coloured)
        found["ms encoding alone"] = round(encode_alone(options.lamps))
        kept, tile = KeptTiles(), tiles_of(12)[5]

        def ask() -> None:
            kept.answer(
                snapshot,
                (plain, tile),
                Shown("", TYPE),
                lambda reads: draw_tile(reads, plain, tile, LdContext.core),
            )

        ask()
        found["ms a kept tile"] = round(timed(lambda: [ask() for _ in range(100)])[0] / 100, 3)
    store.close()
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
