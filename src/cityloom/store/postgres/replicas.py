"""Reads at standby servers, which know as much as the primary knew when the read began.

The primary is asked for the time of its last commit, which grows with each. A standby that has come so
far by now, or does so in a moment, is read; else the primary is. So nobody sees less than was answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any, Final, TypeVar

import structlog

from cityloom.model.errors import ConfigurationError, HistoryUnreachable, StoreFailed
from cityloom.store.cold.tables import ColdTables
from cityloom.store.ports import Snapshot
from cityloom.store.postgres.connection import OURS, connect, store_name
from cityloom.store.postgres.driver import Driver
from cityloom.store.postgres.session import PostgresSession
from cityloom.store.tables.readers import Readers
from cityloom.store.tables.snapshot import TablesSnapshot

T = TypeVar("T")
PATIENCE: Final = 0.02
"""Seconds that a standby has to catch up with a read."""
_LOOK: Final = 0.002
_AWAY: Final = 5.0
"""Seconds that a standby which failed is left alone."""

_log = structlog.get_logger("store")


class Replica:
    """One standby: a connection for each thread that reads."""

    def __init__(self, driver: Driver, url: str, tables: ColdTables | None) -> None:
        self.name = store_name(url)
        self.away_until = 0.0
        self._driver = driver
        self._url = url
        self._tables = tables
        self._readers = Readers(self.name, self._open_reader, PostgresSession.close)

    def reached(self, at: int) -> TablesSnapshot | None:
        """A snapshot for this thread of all that was committed until `at` (µs); None: it lags behind."""
        reader = self._readers.mine()
        session = reader.session
        end = time.monotonic() + PATIENCE
        while True:
            session.look_again()
            if session.value("SELECT at FROM pulse") >= at:
                return reader.snapshot
            session.end_reading()
            if time.monotonic() > end:
                return None
            time.sleep(_LOOK)

    def done(self) -> None:
        """The thread's snapshot is of no use any more."""
        self._readers.mine().session.end_reading()

    def close(self) -> None:
        """Closes the connections."""
        self._readers.close()

    def _open_reader(self) -> PostgresSession:
        async def opener() -> Any:
            return await connect(self._url)

        return PostgresSession(self._driver, opener, self.name, cold_tables=self._tables)


class Replicas:
    """The standbys of a database, one after the other.

    Args:
        last_commit: asks the primary for the time (µs) of its last commit.
        tables: where old history may be.

    `counts` tells how many reads were done at standbys, and how many at the primary in their stead.
    """

    def __init__(
        self,
        driver: Driver,
        urls: Sequence[str],
        last_commit: Callable[[], Future[int]],
        tables: ColdTables | None,
    ) -> None:
        self._replicas = [Replica(driver, url, tables) for url in urls]
        self._last_commit = last_commit
        self._turn = count()
        self.counts = [0, 0]

    def read(self, work: Callable[[Snapshot], T], primary: Callable[[], T]) -> T:
        """What `work` reads at a standby that knows enough, or else `primary`."""
        replica = self._replicas[next(self._turn) % len(self._replicas)]
        if time.monotonic() >= replica.away_until:
            try:
                snapshot = replica.reached(self._last_commit().result())
                if snapshot is not None:
                    try:
                        found = work(snapshot)
                    finally:
                        replica.done()
                    self.counts[0] += 1
                    return found
            except HistoryUnreachable:
                raise  # no fault of the replica's, and the primary has the same tables
            except (*OURS, StoreFailed, ConfigurationError) as error:
                replica.away_until = time.monotonic() + _AWAY
                _log.warning("a replica is left alone", replica=replica.name, reason=str(error))
        self.counts[1] += 1
        return primary()

    def close(self) -> None:
        """Closes all connections."""
        for replica in self._replicas:
            replica.close()
