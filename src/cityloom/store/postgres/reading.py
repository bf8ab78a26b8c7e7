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
    check_promises,
    connect,
    failed,
    opening,
    schema_version,
    store_name,
)
from cityloom.store.postgres.driver import Driver
from cityloom.store.postgres.session import PostgresSession
from cityloom.store.tables.snapshot import TablesSnapshot

T = TypeVar("T")


class Facts(Struct, frozen=True):
    """What `doctor` tells of a database; `version` of the schema, 0 where no city is in it yet."""

    name: str
    server: str
    version: int
    size: int


@contextmanager
def read_postgres(url: str) -> Iterator[Snapshot]:
    """The database as it is at one moment, for this thread, while a node may write it.

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
        )

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
