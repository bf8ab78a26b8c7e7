"""A session on a server: what a group of works changes waits, and is sent table by table.

The server is asked for a savepoint only when the running work's own changes must be sent
before it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import asyncpg

from cityloom.model.errors import BadRequestData, ConfigurationError, StoreFailed
from cityloom.store.cold.tables import ColdTables
from cityloom.store.dialect import Dialect
from cityloom.store.postgres.connection import AWAY, CHANNEL, OURS, failed
from cityloom.store.postgres.dialect import POSTGRES
from cityloom.store.postgres.driver import Driver
from cityloom.store.postgres.statement import Bulk, Statement, Types, bulk, statement
from cityloom.store.tables.base.session import Parameters, Pulse, Session
from cityloom.store.tables.base.waiting import Changes, taken

T = TypeVar("T")
_PAGE: Final = 500
"""Rows of a stream that come at once."""
_PULSE: Final = (
    "WITH told AS (UPDATE pulse SET seq = $1, at = $2, incarnation = $3 RETURNING seq)"
    f" SELECT pg_notify('{CHANNEL}', seq::text) FROM told"
)
_BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresSession(Session):
    """A connection to a city's database, opened again when it was lost.

    Args:
        connect: opens a connection; for the writer, one that may write.
        name: the store's, for messages.
        writes: whether this is the writer's session.
        cold_tables: where old history may be.
    """

    def __init__(
        self,
        driver: Driver,
        connect: Callable[[], Coroutine[Any, Any, asyncpg.Connection]],
        name: str,
        *,
        writes: bool = False,
        cold_tables: ColdTables | None = None,
    ) -> None:
        super().__init__(cold_tables)
        self._driver = driver
        self._connect = connect
        self._types: Types = {}
        self._name = name
        self._writes = writes
        self._open: asyncpg.Connection | None = None
        self._bulks: dict[str, Bulk | None] = {}
        self._reading = False
        self._turn = asyncio.Lock()
        self._at_server = False
        self._point = False
        self._broken: Exception | None = None

    @property
    def dialect(self) -> Dialect:
        """PostgreSQL's."""
        return POSTGRES

    async def _connected(self) -> asyncpg.Connection:
        """The connection, made anew when it was lost: only where no transaction is under way."""
        if self._open is None or self._open.is_closed():
            self._open = await self._connect()
        return self._open

    def _live(self) -> asyncpg.Connection:
        if self._open is None or self._open.is_closed():
            raise asyncpg.ConnectionDoesNotExistError("the connection was lost")
        return self._open

    def open(self) -> None:
        """Connects now, so that what is wrong is told at once."""
        self._driver.run(self._connected())

    def learn(self, types: Types) -> None:
        """Hears what columns there are."""
        self._types = types

    def rewrite(self, table: str) -> None:
        """Writes a table anew, without what was deleted from it.

        A vacuum would carry over what some older snapshot may still see, so the rows go to a file of
        their own and the old one is cut to nothing.
        """

        async def work() -> None:
            connection = await self._connected()
            async with connection.transaction():
                # First, as every writer does: none is under way while the table is empty.
                await connection.execute("SELECT 1 FROM pulse FOR UPDATE")
                await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                await connection.execute(f"CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM {table}")
                await connection.execute(f"TRUNCATE {table}")
                await connection.execute(f"INSERT INTO {table} SELECT * FROM kept")

        self._driver.run(work())

    def take_room(self, rows: int) -> None:
        """Takes room for so many short rows beside the city's tables, and gives it back."""

        async def work() -> None:
            connection = await self._connected()
            async with connection.transaction():
                await connection.execute(
                    "CREATE TEMP TABLE room ON COMMIT DROP AS"
                    f" SELECT md5(n::text) || md5(n::text) AS text FROM generate_series(1, {rows}) AS n"
                )

        self._driver.run(work())

    def close(self) -> None:
        """Closes the connection."""

        async def work() -> None:
            async with self._turn:
                if self._open is not None and not self._open.is_closed():
                    await self._open.close(timeout=5)

        self._driver.run(work())

    # -- reading -----------------------------------------------------------------

    def row(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first row as a tuple, or None."""
        told = statement(sql)

        async def read(connection: asyncpg.Connection) -> Any:
            return await connection.fetchrow(told.sql, *_kept(told.values(parameters)))

        found = self._ask(told, read)
        return tuple(found) if found is not None else None

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """All rows."""
        told = statement(sql)
        return self._ask(told, self._fetching(told, parameters))

    def rows_beside(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """All rows of a statement that no waiting change touches, as its caller knows."""
        told = statement(sql)
        return self._driver.run(self._run(self._fetching(told, parameters)))

    def _fetching(self, told: Statement, parameters: Parameters) -> Callable[[asyncpg.Connection], Any]:
        async def read(connection: asyncpg.Connection) -> list[Any]:
            return [tuple(row) for row in await connection.fetch(told.sql, *_kept(told.values(parameters)))]

        return read

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Any]:
        """Rows one after the other; ends at the latest with the snapshot."""
        told = statement(sql)

        async def begin(connection: asyncpg.Connection) -> tuple[Any, list[Any]]:
            cursor = await connection.cursor(told.sql, *_kept(told.values(parameters)))
            return cursor, await cursor.fetch(_PAGE)

        cursor, rows = self._ask(told, begin)
        while rows:
            yield from map(tuple, rows)
            if len(rows) < _PAGE:
                return
            rows = self._driver.run(self._run(lambda _: cursor.fetch(_PAGE)))

    def _ask(self, told: Statement, read: Callable[[asyncpg.Connection], Coroutine[Any, Any, T]]) -> T:
        """Runs a statement after the changes of the tables that it looks at."""
        return self._driver.run(self._run(read, told))

    async def _run(
        self,
        work: Callable[[asyncpg.Connection], Coroutine[Any, Any, T]],
        told: Statement | None = None,
    ) -> T:
        if not self._writes:
            async with self._turn:
                if not self._reading:
                    await (await self._connected()).execute(_BEGIN_READING)
                    self._reading = True
                return await work(self._live())
        try:
            if told is not None:
                await self._catch_up(self._live(), told)
            return await work(self._live())
        except OURS as error:
            if not self._point:
                self._broken = error
            raise

    # -- writing -----------------------------------------------------------------

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Runs one statement; returns how many rows it changed."""
        told = statement(sql)
        if told.changes == "entity":  # whoever changes entities in bulk leaves nothing known of them
            self.waiting.forget_entities()

        async def work(connection: asyncpg.Connection) -> int:
            return _count(await connection.execute(told.sql, *_kept(told.values(parameters))))

        return self._ask(told, work)

    def change(self, sql: str, parameters: Parameters) -> None:
        """A change of one table, which is sent later."""
        self.change_many(sql, [statement(sql).values(parameters)])

    def change_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """The same change for many rows of values."""
        if not rows:
            return
        table = statement(sql).changes
        assert table is not None
        self.waiting.add(table, sql, [_kept(row) for row in rows])

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """Runs one statement for many rows of values; returns how many rows it changed."""
        if not rows:
            return 0
        told = statement(sql)

        async def work(connection: asyncpg.Connection) -> int:
            return await self._send(connection, sql, [_kept(row) for row in rows])

        return self._ask(told, work)

    async def _catch_up(self, connection: asyncpg.Connection, told: Statement) -> None:
        """Sends what a statement must see, and sees to it that what it changes can be undone."""
        if told.changes is not None or not told.tables.isdisjoint(self.waiting.working):
            await self._begin_work(connection)
            await self._flush(connection, self.waiting.working, told.tables)
        elif not told.tables.isdisjoint(self.waiting.settled):
            await self._flush(connection, self.waiting.settled, told.tables)

    async def _begin_work(self, connection: asyncpg.Connection) -> None:
        if not self._point:
            await self._flush(connection, self.waiting.settled, list(self.waiting.settled))
            await connection.execute("SAVEPOINT work")
            self._point = self._at_server = True

    async def _flush(self, connection: asyncpg.Connection, changes: Changes, tables: Collection[str]) -> None:
        for sql, rows in taken(changes, tables):
            self._at_server = True
            await self._send(connection, sql, rows)

    async def _send(self, connection: asyncpg.Connection, sql: str, rows: list[Sequence[Any]]) -> int:
        if len(rows) == 1:
            return _count(await connection.execute(statement(sql).sql, *rows[0]))
        if sql not in self._bulks:
            self._bulks[sql] = bulk(sql, self._types)
        many = self._bulks[sql]
        if many is not None:
            return _count(await connection.execute(many.sql, *many.columns(rows)))
        await connection.executemany(statement(sql).sql, rows)
        return len(rows)

    # -- a transaction that writes ---------------------------------------------------

    def begin(self) -> None:
        """Begins a transaction and locks the pulse: nobody else commits events meanwhile."""

        async def work() -> Pulse:
            connection = await self._connected()
            await connection.execute("BEGIN")
            return Pulse(*await connection.fetchrow("SELECT seq, at, incarnation FROM pulse FOR UPDATE"))

        self._forget()
        self.nothing_moved = None
        self.take_pulse(self._driver.run(work()))

    @property
    def changed(self) -> bool:
        """Whether this transaction changed anything."""
        return self._at_server or bool(self.waiting)

    def commit(self) -> bool:
        """Sends what waits, and commits."""

        async def work() -> bool:
            connection = self._live()
            if not self.changed:
                await connection.execute("ROLLBACK")
                return False
            for changes in (self.waiting.settled, self.waiting.working):
                await self._flush(connection, changes, list(changes))
            pulse = self.pulse
            # Others hear of it when it is committed, in the order of commits.
            await connection.execute(_PULSE, pulse.seq, pulse.at, pulse.incarnation)
            # A transaction that failed answers COMMIT with ROLLBACK, and no error.
            if await connection.execute("COMMIT") != "COMMIT":
                raise asyncpg.InterfaceError("the transaction was lost")
            return True

        if self._broken is not None:
            raise self._broken
        committed = self._driver.run(work())
        self._forget()
        return committed

    def rollback(self) -> None:
        """Undoes the transaction, if there is one."""

        async def work() -> None:
            if self._open is not None and not self._open.is_closed() and self._open.is_in_transaction():
                await self._open.execute("ROLLBACK")

        self._forget()
        self._driver.run(work())

    def savepoint(self) -> None:
        """Where `undo_work` goes back to."""

    def keep_work(self) -> None:
        """What was done since the savepoint belongs to the transaction."""
        self.waiting.keep_work()
        self._end_work("RELEASE work")

    def undo_work(self) -> None:
        """Undoes what was done since the savepoint.

        Raises:
            asyncpg.PostgresError: the whole transaction is lost.
        """
        self.waiting.drop_work()
        self._end_work("ROLLBACK TO work; RELEASE work")

    def _end_work(self, sql: str) -> None:
        if self._broken is not None:
            raise self._broken
        if self._point:
            self._point = False

            async def work(connection: asyncpg.Connection) -> None:
                await connection.execute(sql)

            self._driver.run(self._run(work))

    def _forget(self) -> None:
        self.waiting.clear()
        self._at_server = self._point = False
        self._broken = None

    # -- a snapshot ------------------------------------------------------------------

    def end_reading(self) -> None:
        """Ends the snapshot, if anything was read; nobody waits for that but who reads next."""

        async def work() -> None:
            async with self._turn:
                with suppress(*OURS):  # a connection that was lost is made anew when it is needed
                    if self._open is not None and not self._open.is_closed():
                        await self._open.execute("COMMIT")

        if self._reading:
            self._reading = False
            self._driver.start(work())

    def is_ours(self, error: BaseException) -> bool:
        """Whether this is an error of PostgreSQL or of the way to it."""
        return isinstance(error, OURS)

    def failed(self, error: Exception) -> StoreFailed:
        """The error in words for an operator; a connection that it leaves in doubt is used no more."""

        async def end() -> None:
            if self._open is not None:
                self._open.terminate()
                self._open = None

        if isinstance(error, AWAY):
            self._driver.run(end())
        return failed(self._name, error)


def cold_tables(session: PostgresSession, place: str) -> ColdTables | None:
    """The tables of a database's cold history at a place; None without one.

    Raises:
        ConfigurationError: history has moved, and nobody says where to.
    """
    if place:
        return ColdTables(place, session.value("SELECT value FROM meta WHERE key = 'cold'"))
    if session.value("SELECT version FROM cold") is not None:
        raise ConfigurationError("the history of this city has moved in part: coldUrl must say where it is")
    return None


def _kept(values: Sequence[Any]) -> Sequence[Any]:
    """The values, if PostgreSQL keeps them.

    Raises:
        BadRequestData: a text holds the character U+0000, which no text of PostgreSQL can.
    """
    for value in values:
        texts = value if type(value) is list else (value,)
        if any(type(text) is str and "\0" in text for text in texts):
            raise BadRequestData(f"the text {value!r} is invalid: the store keeps no character U+0000")
    return values


def _count(status: str) -> int:
    """The number of rows at the end of a status such as `INSERT 0 3`."""
    return int(status.rpartition(" ")[2])
