"""How a node hears what other nodes committed: it listens on a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final

import asyncpg
import structlog

from cityloom.store.postgres.connection import CHANNEL, OURS, failed
from cityloom.store.postgres.driver import Driver

LOOK_SECONDS: Final = 1.0
"""Between two looks at the log, should a connection have died without a word."""
_PATIENCE: Final = 1.0
"""Seconds that a question waits for the connection to be made anew."""
_AGAIN: Final = 0.2
"""Seconds until it is tried again to connect."""
_LAST_DOCUMENT: Final = "SELECT coalesce(max(seq), 0) FROM document_change"

_log = structlog.get_logger("store")


class Ear:
    """Listens for commits until it is closed; a connection that was lost is made anew.

    Args:
        tell: hears the last event's number.
        name: the store's, for messages.
    """

    def __init__(
        self,
        driver: Driver,
        connect: Callable[[], Coroutine[Any, Any, asyncpg.Connection]],
        tell: Callable[[int], None],
        name: str,
    ) -> None:
        self._driver = driver
        self._connect = connect
        self._tell = tell
        self._name = name
        self._told = 0
        self._heard_any = False
        self._connection: asyncpg.Connection | None = None
        self._connected = asyncio.Event()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._driver.run(self._begin())

    def close(self) -> None:
        """Ends it."""
        self._driver.run(self._end())

    def ask_last_document(self) -> Future[int]:
        """The last event that put or deleted a document."""
        return self._driver.begin(self._number(_LAST_DOCUMENT))

    def ask_last_commit(self) -> Future[int]:
        """When the last commit was (µs): it grows with each."""
        return self._driver.begin(self._number("SELECT at FROM pulse"))

    async def _number(self, sql: str) -> int:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._connected.wait()
            async with self._turn:
                connection = self._connection
                if connection is None or connection.is_closed():
                    raise asyncpg.ConnectionDoesNotExistError("the connection was lost")
                number: int = await connection.fetchval(sql)
                return number
        except asyncpg.InterfaceError as error:
            lost = asyncpg.ConnectionDoesNotExistError(str(error))
            raise failed(self._name, lost) from error
        except OURS as error:
            raise failed(self._name, error) from error

    async def _begin(self) -> None:
        self._task = asyncio.create_task(self._keep_listening())

    async def _end(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_listening(self) -> None:
        told = False
        while True:
            try:
                await self._listen()
            except Exception as error:
                if self._heard_any or not told:
                    _log.warning("commits of other nodes are not heard", reason=str(error))
                told = True  # once, until it was heard again
            self._heard_any = False
            await asyncio.sleep(_AGAIN)

    async def _listen(self) -> None:
        connection = await self._connect()
        lost = asyncio.Event()

        def gone(_connection: object) -> None:
            # At once: who asks from now on waits for the next connection.
            self._connected.clear()
            lost.set()

        try:
            connection.add_termination_listener(gone)
            await connection.add_listener(CHANNEL, self._heard)
            self._connection = connection
            self._connected.set()
            while True:
                async with self._turn:
                    seq = await connection.fetchval("SELECT seq FROM pulse")
                self._take(seq)
                self._heard_any = True
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await lost.wait()
        finally:
            self._connection = None
            self._connected.clear()
            await connection.close(timeout=5)

    def _heard(self, _connection: object, _process: int, _channel: str, said: object) -> None:
        self._take(int(str(said)))

    def _take(self, seq: int) -> None:
        # Its own commits come round as well: who has heard of them is not woken again for long.
        if seq > self._told:
            self._told = seq
            self._tell(seq)
