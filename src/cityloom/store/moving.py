"""A city's move from its file into a database: all rows, in one transaction, each read back and compared.

Both stores keep the same tables, so a row is carried over as it is; only what the
databases hold in ways of their own (values, names, places) is translated.

The cold tables of history stay where they are, and change hands: with the rows that say what counts of
them goes the city's own id, by which they know their owner. The file is given another one when all is in
the database, so a node on the file still reads them and never changes them.
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
from cityloom.store.cold.files import differs
from cityloom.store.migrations import migrations
from cityloom.store.postgres.connection import (
    SCHEMA,
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
from cityloom.store.sqlite.connection import open_reader, open_writer
from cityloom.store.sqlite.connection import opening as opening_file
from cityloom.store.tables.history.codec import load_value
from cityloom.store.tables.tiering.status import cold_status, count_cold, kept_files

_ROWS: Final = 10_000
"""Rows that are sent, or read back, at once."""
_PLACE: Final = "place"
_NUMBERED: Final = {"tenant": "id", "name": "id", "shape": "id", "personal_reading": "number"}
"""The tables whose rows the database numbers itself, from beyond what was brought."""
_SEEDED: Final = frozenset(("cold", "meta", "pulse", "tenant"))
"""The tables that are not empty even where no city is."""
COLD_TABLES: Final = "(open tables)"
"""What stands for them in what is told of a move."""
_HANDED: Final = "cold handed"
"""Where the file keeps the id that it had before the cold tables changed hands."""
_LEFT: Final = {"meta": f"key NOT IN ('version', 'cold', '{_HANDED}')", "lease": "false"}
"""What the two schemas say each of themselves; and who does what in a node that has ended."""
_CITY: Final = f"SELECT value FROM meta WHERE key IN ('cold', '{_HANDED}') ORDER BY key DESC LIMIT 1"
"""The city's own id, which the database gets, too."""
_LAST: Final = "SELECT max(seq) FROM event"
Progress = Callable[[float], None]
Row = Sequence[Any]


class Moved(Struct, frozen=True):
    """How many rows of a table were moved, and their checksum, the same on both sides."""

    table: str
    rows: int
    checksum: str


def move_to_postgres(
    path: Path, url: str, clock: Clock, progress: Progress | None = None, *, cold: str = ""
) -> list[Moved]:
    """Carries the city in the file `path` into the database `url`, which holds none; the file stays as it is.

    A move that was cut off before it ended left the database empty, or whole; then it is compared, not
    sent, once more.

    Args:
        progress: is told the share that is done, 0 to 1.
        cold: where the cold history is, a folder or a URL; "" is the folder `history` beside the file.

    Returns:
        The tables of the database, and the cold tables as the last, where history is in them.

    Raises:
        ConfigurationError: the file or the database cannot be used, a node has one of them open, or the
            database holds another city.
        StoreFailed: what was read back is not what was sent, or the cold tables do not hold what they
            should; the database is as it was.

    Cost: about 20 µs a row, a third of that for reading back; a read of the cold tables' files.
    """
    name = store_name(url)
    if not path.exists():
        raise ConfigurationError(f"the store {path} does not exist")
    driver = Driver()
    # Whoever else would have the file open is refused; one of an older version has this one's schema now.
    with closing(driver), closing(SqliteStore(path, clock, cold=cold)) as store:
        tables = _look_through(store)
        with opening_file(path), closing(open_reader(path, None)) as source, opening(name):
            source.execute("BEGIN")
            moved = driver.run(_move(source, url, name, progress or (lambda _: None)))
        with opening_file(path), closing(open_writer(path, "FULL", None)) as file:
            _hand_over(file)
        return moved + tables


async def _move(source: apsw.Connection, url: str, name: str, progress: Progress) -> list[Moved]:
    target = await connect(url, None)
    try:
        await take_lock(target, name)
        await check_promises(target, name)
        types = await prepare(target, name, migrations("postgres"))
        _refuse_strangers(source, types)
        city = source.execute(_CITY).get
        there = await target.fetchval("SELECT value FROM meta WHERE key = 'cold'") == city
        for table in sorted(types.keys() - _SEEDED) if not there else ():
            if await target.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table})"):
                raise ConfigurationError(
                    f"the store {name} holds a city already: its table {table} is not empty"
                )
        async with target.transaction():
            moved = await _carry(source, target, types, progress, sent=name if there else "")
            await target.execute("UPDATE meta SET value = $1 WHERE key = 'cold'", city)
        await target.execute("ANALYZE")
        progress(1.0)
        return moved
    finally:
        await target.close(timeout=5)


def _hand_over(file: apsw.Connection) -> None:
    """Makes the city in the file another one than that in the database."""
    with file:
        file.execute("INSERT OR IGNORE INTO meta SELECT ?, value FROM meta WHERE key = 'cold'", (_HANDED,))
        file.execute("UPDATE meta SET value = 'cityloom:' || lower(hex(randomblob(8))) WHERE key = 'cold'")


def _look_through(store: SqliteStore) -> list[Moved]:
    """The cold tables, where each of their files holds what was written, and all of them what is counted.

    Raises:
        StoreFailed: they do not.
    """
    with store.snapshot() as snapshot:
        place = snapshot.tiers.cold.tables.place
        digests = _Sum()
        for kept in kept_files(snapshot):
            said = differs(Path(place), kept)
            if said:
                raise StoreFailed(f"the city cannot be moved: {kept.path} in {place} {said}")
            digests.add([kept])
        counted, found = cold_status(snapshot).instances, count_cold(snapshot)
        if counted != found:
            raise StoreFailed(
                f"the city cannot be moved: the tables of history in {place} hold {found:,} instances, "
                f"not {counted:,}"
            )
        return [Moved(COLD_TABLES, found, digests.text)] if found else []


def _refuse_strangers(source: apsw.Connection, types: Types) -> None:
    """Nothing is left behind in silence: what stands on one side alone is told."""
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
    source: apsw.Connection, target: asyncpg.Connection, types: Types, progress: Progress, *, sent: str
) -> list[Moved]:
    """Sends all rows and reads them back; where the store `sent` has them already, it reads alone."""
    counts = {table: source.execute(f"SELECT count(*) FROM {table}{_where(table)}").get for table in types}
    whole, done = 2 * sum(counts.values()) + 1, 0  # the commit is the last of it

    def tell(rows: int) -> None:
        nonlocal done
        done += rows
        progress(min(done, whole - 1) / whole)  # places are more in the database

    moved = []
    for table, columns in types.items():
        if not sent:
            await target.execute(f"DELETE FROM {table}{_where(table)}")
        checksum, count = _Sum(), 0
        for rows in _batches(_source_rows(source, table, list(columns))):
            checksum.add(rows)
            if not sent:
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
        if (count, checksum.text) != (back, kept.text):
            if sent:
                raise ConfigurationError(
                    f"the city has moved there already, and its table {table} differs: the log goes to event "
                    f"{await target.fetchval(_LAST) or 0} in {sent}, to {source.execute(_LAST).get or 0} in "
                    "the file. Serve the city from the database (setting store): to drop the schema "
                    f"{SCHEMA} there destroys for good whatever was written into it since"
                )
            raise StoreFailed(
                f"the table {table} was not moved: {count} rows ({checksum.text}) were sent, "
                f"{back} ({kept.text}) read back"
            )
        moved.append(Moved(table, count, kept.text))
    for table, column in _NUMBERED.items():
        await target.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 1))"
            f" FROM {table}"
        )
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
