"""What one process of all that have a database open may do at a time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import asyncpg

from cityloom.model.errors import StoreFailed
from cityloom.store.postgres.connection import LOCK, OURS, failed
from cityloom.store.postgres.driver import Driver

COLD: Final = LOCK + 2
"""The advisory lock of whoever changes the cold tables."""
PATIENCE_MS: Final = 10_000
"""How long one waits for the other."""


class Alone:
    """Holds an advisory lock on a connection of its own; a process that ends is out of it.

    A process whose connection is lost goes on without knowing: what it does then must fail by itself.
    """

    def __init__(
        self, driver: Driver, connect: Callable[[], Coroutine[Any, Any, asyncpg.Connection]], name: str
    ) -> None:
        self._driver = driver
        self._connect = connect
        self._name = name
        self._held: asyncpg.Connection | None = None

    def __enter__(self) -> None:
        try:
            self._held = self._driver.run(self._take())
        except OURS as error:
            raise failed(self._name, error) from error

    def __exit__(self, *_: object) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._driver.run(_end(held))

    async def _take(self) -> asyncpg.Connection:
        connection = await self._connect()
        try:
            await connection.execute(f"SET lock_timeout = {PATIENCE_MS}")
            await connection.execute("SELECT pg_advisory_lock($1)", COLD)
        except asyncpg.LockNotAvailableError:
            await _end(connection)
            raise StoreFailed("the cold history is not changed: another process is changing it") from None
        except BaseException:
            await _end(connection)
            raise
        return connection


async def _end(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=5)
    except OURS:
        connection.terminate()
