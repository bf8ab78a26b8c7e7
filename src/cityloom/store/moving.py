"""A city's move from its file into a database: all rows, in one transaction, each read back and compared.

Both stores keep the same tables, so a row is carried over as it is; only what the
databases hold in ways of their own (values, names, places) is translated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import apsw
import asyncpg
import msgspec
from msgspec import Struct

from cityloom.model.clock import Clock
from cityloom.model.entity import decode_entity
from cityloom.model.errors import ConfigurationError, StoreFailed
from cityloom.store.migrations import migrations
from cityloom.store.postgres.connection import (
    check_promises,
    connect,
    opening,
    prepare,
    store_name,
    take_lock,
)
from cityloom.store.postgres.dialect import POSTGRES
from cityloom.store.postgres.driver import Driver
from cityloom.store.postgres.statement import Types
from cityloom.store.sql import place_row
from cityloom.store.sqlite import SqliteStore
from cityloom.store.sqlite.connection import FileLock, check_place, open_reader
from cityloom.store.sqlite.connection import opening as opening_file
from cityloom.store.tables.codec import load_value

_ROWS: Final = 10_000
"""Rows that are sent, or read back, at once."""
_PLACE: Final = "place"
_NUMBERED: Final = {"tenant": "id", "name": "id", "shape": "id", "personal_reading": "number"}
"""The tables whose rows the database numbers itself, from beyond what was brought."""
_SEEDED: Final = frozenset(("cold", "meta", "pulse", "tenant"))
"""The tables that are not empty even where no city is."""
_COLD: Final = ("cold", "cold_series", "cold_gone", "cold_cut", "cold_forgotten", "cold_file")
"""What a store says of its cold tables: of no meaning where nothing is in them."""
_LEFT: Final = {
    "meta": "key NOT IN ('version', 'cold')",
    "lease": "false",
    **dict.fromkeys(_COLD, "false"),
}
"""What the two schemas say each of themselves; and who does what in a node that has ended."""
Progress = Callable[[float], None]
Row = Sequence[Any]


class Moved(Struct, frozen=True):
    """How many rows of a table were moved, and their checksum, the same on both sides."""

    table: str
    rows: int
    checksum: str


def move_to_postgres(path: Path, url: str, clock: Clock, progress: Progress | None = None) -> list[Moved]:
    """Carries the city in the file `path` into the database `url`, which holds none; the file stays as it is.

    Args:
        progress: is told the share that is done, 0 to 1.

    Raises:
        ConfigurationError: the file or the database cannot be used, a node has one of them open, the
            database holds a city already, or a part of the history is not in the file.
        StoreFailed: what was read back is not what was sent; the database is as it was.

    Cost: about 20 µs a row, a third of that for reading back.
    """
    name = store_name(url)
    if not path.exists():
        raise ConfigurationError(f"the store {path} does not exist")
    check_place(path)
    SqliteStore(path, clock).close()  # brings an older file up to this version's schema
    driver = Driver()
    try:
        with opening_file(path):
            lock = FileLock(path)
        try:
            with opening_file(path):
                source = open_reader(path, None)
            with closing(source), opening(name):
                source.execute("BEGIN")
                return driver.run(_move(source, url, name, progress or (lambda _: None)))
        finally:
            lock.release()
    finally:
        driver.close()


async def _move(source: apsw.Connection, url: str, name: str, progress: Progress) -> list[Moved]:
    target = await connect(url, None)
    try:
        await take_lock(target, name)
        await check_promises(target, name)
        types = await prepare(target, name, migrations("postgres"))
        for table in sorted(types.keys() - _SEEDED):
            if await target.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table})"):
                raise ConfigurationError(
                    f"the store {name} holds a city already: its table {table} is not empty"
                )
        _refuse_strangers(source, types)
        async with target.transaction():
            moved = await _carry(source, target, types, progress)
        await target.execute("ANALYZE")
        return moved
    finally:
        await target.close(timeout=5)


def _refuse_strangers(source: apsw.Connection, types: Types) -> None:
    """Nothing is left behind in silence: what stands on one side alone is told."""
    cold = source.execute("SELECT coalesce(sum(count), 0) FROM cold_series").get
    if cold:
        raise ConfigurationError(
            f"the city cannot be moved: {cold:,} instances of its history are in the cold tables, "
            "which are the file's alone, and no command brings them back into the file yet"
        )
    listed = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    tables = {name for (name,) in source.execute(listed) if not name.startswith(f"{_PLACE}_")}
    strange = {
        table for table in tables - types.keys() if source.execute(f"SELECT 1 FROM {table} LIMIT 1").get
    }
    strange |= types.keys() - tables
    for table in tables & types.keys() - {_PLACE}:
        columns = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
        strange |= {f"{table}.{column}" for column in columns ^ types[table].keys()}
    if strange:
        raise ConfigurationError(
            f"the city cannot be moved: {', '.join(sorted(strange))} stand on one side alone"
        )


async def _carry(
    source: apsw.Connection, target: asyncpg.Connection, types: Types, progress: Progress
) -> list[Moved]:
    counts = {table: source.execute(f"SELECT count(*) FROM {table}{_where(table)}").get for table in types}
    whole, done = max(1, 2 * sum(counts.values())), 0

    def tell(rows: int) -> None:
        nonlocal done
        done += rows
        progress(min(1.0, done / whole))

    moved = []
    for table, columns in types.items():
        await target.execute(f"DELETE FROM {table}{_where(table)}")
        sent, count = _Sum(), 0
        for rows in _batches(_source_rows(source, table, list(columns))):
            sent.add(rows)
            await target.copy_records_to_table(
                table, records=rows, columns=list(columns), schema_name="cityloom"
            )
            tell(len(rows))
            count += len(rows)
        kept, back = _Sum(), 0
        async for rows in _target_rows(target, table, list(columns)):
            kept.add(rows)
            tell(len(rows))
            back += len(rows)
        if (count, sent.text) != (back, kept.text):
            raise StoreFailed(
                f"the table {table} was not moved: {count} rows ({sent.text}) were sent, "
                f"{back} ({kept.text}) read back"
            )
        moved.append(Moved(table, count, kept.text))
    for table, column in _NUMBERED.items():
        await target.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 1))"
            f" FROM {table}"
        )
    progress(1.0)
    return moved


def _where(table: str) -> str:
    return f" WHERE {_LEFT[table]}" if table in _LEFT else ""


def _source_rows(source: apsw.Connection, table: str, columns: list[str]) -> Iterator[Row]:
    if table == _PLACE:
        return _places(source)
    rows: Iterator[Row] = iter(
        source.cursor().execute(f"SELECT {', '.join(columns)} FROM {table}{_where(table)}")
    )
    if table == "instance":
        at = columns.index("value")
        return ((*row[:at], POSTGRES.stored_value(load_value(row[at])), *row[at + 1 :]) for row in rows)
    if table == "entity_attribute":
        at = columns.index("number")
        return ((*row[:at], None if row[at] is None else float(row[at]), *row[at + 1 :]) for row in rows)
    if table == "meta":
        return ((key, None if value is None else str(value)) for key, value in rows)
    if table == "sight":
        at = columns.index("name")
        return ((*row[:at], POSTGRES.stored_name(row[at]), *row[at + 1 :]) for row in rows)
    return rows


def _places(source: apsw.Connection) -> Iterator[Row]:
    """A box for each type of an entity, exact from its body: the tree of the file is rounded."""
    names: list[Any] = source.execute("SELECT iri, id FROM name").fetchall()
    numbers: dict[str, int] = dict(names)
    for key, tenant, body in source.cursor().execute(
        "SELECT e.row, e.tenant, e.body FROM place p CROSS JOIN entity e ON e.row = p.row"
    ):
        entity = decode_entity(body)
        types = [numbers[type] for type in dict.fromkeys(entity.types)]
        place = place_row(entity, types)
        if place is not None:
            west, east, south, north = (float(edge) for edge in place[:4])
            yield from ((key, type, tenant, west, east, south, north) for type in types)


async def _target_rows(
    target: asyncpg.Connection, table: str, columns: list[str]
) -> AsyncIterator[list[Row]]:
    cursor = await target.cursor(f"SELECT {', '.join(columns)} FROM {table}{_where(table)}")
    while rows := await cursor.fetch(_ROWS):
        yield [tuple(row) for row in rows]


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    for first in left:
        yield list(islice(chain([first], left), _ROWS))


class _Sum:
    """A checksum of rows in any order: the sum of their digests."""

    def __init__(self) -> None:
        self._sum = 0
        self._encode = msgspec.msgpack.Encoder().encode

    def add(self, rows: Iterable[Row]) -> None:
        """Adds rows."""
        for row in rows:
            self._sum += int.from_bytes(blake2b(self._encode(row), digest_size=16).digest())

    @property
    def text(self) -> str:
        """The sum, as 32 hexadecimal digits."""
        return f"{self._sum % 2**128:032x}"
