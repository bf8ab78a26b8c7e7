"""The raw limits of writing and of a query: what the disk and SQLite do with nothing of ours around them.

Each is measured in a process of its own, so that its processor time is its own.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Callable
from itertools import cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import apsw

from bench.cities import KM_LAT, KM_LON, SOUTH, TYPES, WEST, side, type_name
from cityloom.folder import STORE
from cityloom.model.entity import DEFAULT_VOCAB
from cityloom.query.parse import parse_geo
from cityloom.query.parse_q import parse_q
from cityloom.query.values import Query, TypeIs
from cityloom.store.sql import select_entities
from cityloom.store.sqlite.connection import open_reader
from cityloom.store.sqlite.dialect import SQLITE

GROUP: Final = 64
"""Writes that share a sync: as many as there are clients."""
_RECORD: Final = 1000
ROWS: Final = 27
"""Rows that a page of 20 in a circle takes from its box."""


def appends(folder: Path, seconds: float) -> float:
    """Records of 1 kB appended to a file per second of the processor, 64 to an fdatasync."""
    return alone(_append, folder, seconds)


def updates(folder: Path, seconds: float) -> float:
    """UPDATEs of a row of 1.6 kB in SQLite per second of the processor, 64 to a durable commit."""
    return alone(_update, folder, seconds)


def pace() -> float:
    """Milliseconds of the processor in which the interpreter adds up a million numbers.

    A shared machine can be twice as slow tomorrow: tables of two days compare only beside this.
    """
    start = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number
    return (time.process_time() - start) * 1e3


def queries(folder: Path, size: int, seconds: float) -> float:
    """The store's own statement for the measured query, per second of the processor."""
    return alone(_query, folder, seconds, size)


def places(size: int, seed: int) -> random.Random:
    """Draws of centres, the same for whoever has the same seed."""
    return random.Random(f"{size} {seed}")


def centre(draw: random.Random, size: int) -> tuple[float, float]:
    """The middle of a circle of 1 km that lies within the city (lon, lat CRS84 degrees)."""
    inner = max(0.0, side(size) - 2)
    return WEST + (1 + draw.random() * inner) * KM_LON, SOUTH + (1 + draw.random() * inner) * KM_LAT


def alone(run: Callable[..., float], place: Path | str, seconds: float, *more: int) -> float:
    """What a measurement finds in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_timed, args=(send, run, place, seconds, *more))
    process.start()
    result: float = receive.recv()
    process.join()
    return result


def _timed(send: Connection, run: Callable[..., float], *arguments: object) -> None:
    send.send(run(*arguments))


def rate_of(turn: Callable[[], int], seconds: float, cpu: Callable[[], float] = time.process_time) -> float:
    """What turns do per second of the processors, for so many seconds on the wall."""
    done, end, begun = 0, time.monotonic() + seconds, cpu()
    while time.monotonic() < end:
        done += turn()
    return done / (cpu() - begun)


def _append(folder: Path, seconds: float) -> float:
    file = folder / "appended"
    record = os.urandom(_RECORD)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def turn() -> int:
        for _ in range(GROUP):
            os.write(descriptor, record)
        os.fdatasync(descriptor)
        return GROUP

    try:
        return rate_of(turn, seconds)
    finally:
        os.close(descriptor)
        file.unlink()


def _update(folder: Path, seconds: float) -> float:
    file = folder / "updated.sqlite"
    file.unlink(missing_ok=True)
    connection = apsw.Connection(str(file))
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-131072"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("CREATE TABLE entity (row INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    body = os.urandom(1600)
    with connection:
        connection.executemany("INSERT INTO entity VALUES (?, ?)", ((row, body) for row in range(10_000)))
    draw = random.Random(1)

    def turn() -> int:
        with connection:
            for _ in range(GROUP):
                row = draw.randrange(10_000)
                connection.execute("UPDATE entity SET body = ? WHERE row = ?", (body, row))
        return GROUP

    try:
        return rate_of(turn, seconds)
    finally:
        connection.close()
        for part in folder.glob("updated.sqlite*"):
            part.unlink()


def _query(folder: Path, seconds: float, size: int) -> float:
    connection = open_reader(folder / STORE, None)
    draw = places(size, 1)
    selects = [select_entities(circle(draw, size), 1, SQLITE) for _ in range(500)]
    statements = cycle([(select.rows(), select.parameters) for select in selects])

    def turn() -> int:
        sql, parameters = next(statements)
        for _ in islice(connection.execute(sql, parameters), ROWS):
            pass
        return 1

    try:
        return rate_of(turn, seconds)
    finally:
        connection.close(True)


def circle(draw: random.Random, size: int) -> Query:
    """The measured query, somewhere in the city."""
    lon, lat = centre(draw, size)
    words = {"georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": f"[{lon},{lat}]"}
    kind = _expand(type_name(draw.randrange(TYPES)))
    return Query(
        types=TypeIs(kind), q=parse_q("intensity>50", _expand), geo=parse_geo(words, _expand), limit=21
    )


def _expand(name: str) -> str:
    return DEFAULT_VOCAB + name
