"""Reading a city's database from beside the node that writes it: for exports, replays and `doctor`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg
from msgspec import Struct

from cityloom.model.errors import ConfigurationError
from cityloom.store.migrations import migrations
from cityloom.store.ports import Snapshot
from cityloom.store.postgres.connection import (
    OURS,
    SCHEMA,
    check_promises,
    connect,
    failed,
    opening,
    schema_version,
    store_name,
)
from cityloom.store.postgres.driver import Driver
from cityloom.store.postgres.session import PostgresSession, cold_tables
from cityloom.store.tables.snapshot import TablesSnapshot

T = TypeVar("T")


class Facts(Struct, frozen=True):
    """What `doctor` tells of a database.

    `version` of the schema, 0 where no city is in it yet; whether the server keeps `checksums` of
    pages, and how many it has found `damaged`.
    """

    name: str
    server: str
    version: int
    size: int
    checksums: bool
    damaged: int


@contextmanager
def read_postgres(url: str, cold: str = "") -> Iterator[Snapshot]:
    """The database as it is at one moment, for this thread, while a node may write it.

    Args:
        cold: where its cold history is, as `PostgresStore` has it.

    Raises:
        ConfigurationError: it cannot be reached, holds no city, or another version's.
    """
    name = store_name(url)

    async def opener() -> asyncpg.Connection:
        connection = await connect(url)
        version, known = await schema_version(connection), len(migrations("postgres"))
        if version != known:
            await connection.close(timeout=5)
            raise ConfigurationError(
                f"the store {name} holds no city"
                if version == 0
                else f"the store {name} has schema {version}, this version of Cityloom reads {known}: "
                "serve it once with the newer of the two"
            )
        return connection

    driver = Driver()
    session = PostgresSession(driver, opener, name)
    try:
        with opening(name):
            session.open()
            session.cold_tables = cold_tables(session, cold)
        try:
            yield TablesSnapshot(session)
        except OURS as error:
            raise failed(name, error) from error
    finally:
        session.close()
        driver.close()


def examine_postgres(url: str) -> Facts:
    """Looks at a database without changing it.

    Raises:
        ConfigurationError: it cannot be reached, or would lose what was answered.
    """
    name = store_name(url)

    async def look(connection: asyncpg.Connection) -> Facts:
        await check_promises(connection, name)
        server = connection.get_server_version()
        return Facts(
            name,
            f"PostgreSQL {server.major}.{server.minor}",
            await schema_version(connection),
            await connection.fetchval("SELECT pg_database_size(current_database())"),
            await connection.fetchval("SELECT current_setting('data_checksums')") == "on",
            await connection.fetchval(
                "SELECT coalesce(checksum_failures, 0) FROM pg_stat_database"
                " WHERE datname = current_database()"
            ),
        )

    return _look(url, look)


def read_through(url: str) -> int:
    """Reads every row of the city, with what stands beside its table; how many there are.

    Raises:
        ConfigurationError: something cannot be read.

    Cost: a read of all tables, and a checksum of each row's text.
    """

    async def look(connection: asyncpg.Connection) -> int:
        rows = 0
        for (table,) in await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'", SCHEMA
        ):
            # The whole of each row is looked at, so that none of it is left where it is.
            rows += await connection.fetchval(f'SELECT count(md5(t::text)) FROM {SCHEMA}."{table}" AS t')
        return rows

    return _look(url, look)


def instance_bytes(url: str) -> int:
    """How many bytes the instances of history take, with their indexes."""

    async def look(connection: asyncpg.Connection) -> int:
        size: int = await connection.fetchval("SELECT pg_total_relation_size('instance')")
        return size

    return _look(url, look)


def _look(url: str, look: Callable[[asyncpg.Connection], Coroutine[Any, Any, T]]) -> T:
    name = store_name(url)

    async def work() -> T:
        connection = await connect(url)
        try:
            return await look(connection)
        finally:
            await connection.close(timeout=5)

    driver = Driver()
    try:
        with opening(name):
            return driver.run(work())
    finally:
        driver.close()
