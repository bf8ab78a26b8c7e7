"""The writer of a file: it also moves the write-ahead log into the file, and empties it after an erasure."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import apsw
import structlog

from cityloom.store.sqlite.connection import BUSY_MS
from cityloom.store.sqlite.session import SqliteSession
from cityloom.store.tables import writer
from cityloom.store.tables.writer import Writer

CHECKPOINT_PAGES: Final = 8192
"""Pages in the write-ahead log (of 4 KiB: 32 MiB) from which it is moved into the file."""
LONG_LOG: Final = 8
"""Times that the log may grow before readers are waited for, so that it can begin anew."""

ROOM: Final = 4 * 1024 * 1024
"""Bytes that a disk that was full must have again before writes are taken."""

_log = structlog.get_logger("store")


class LogMover:
    """Moves the write-ahead log into the file while the writer goes on: a thread with its own connection.

    To read 32 MiB, write them where they belong and sync them takes a tenth of a second and more;
    nobody who writes waits for that.

    Args:
        connect: opens the connection, on the thread that uses it.
    """

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._connection: apsw.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-checkpoint")

    def move(self) -> Future[None]:
        """Begins to move what the log holds now.

        Raises (by the future):
            apsw.Error: it could not be moved; what is moved stays in the log as well.
        """
        return self._thread.submit(self._move)

    def _move(self) -> None:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def close(self) -> None:
        """Ends the thread after what it does now."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close(True)


class SqliteWriter(Writer):
    """The `Writer` of one file, for the arguments of `Writer`."""

    _log_pages = 0
    _moved_pages = 0
    _moving: Future[None] | None = None
    _stuck = ""

    def watch(self, session: SqliteSession, mover: LogMover) -> None:
        """Begins to look after the write-ahead log of the writing connection, before anything is written."""
        self._session = session
        self._mover = mover
        session.connection.set_wal_hook(self._saw_log)

    def close(self) -> None:
        """Finishes what is queued and ends the threads."""
        super().close()
        self._mover.close()

    def _saw_log(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def has_room(self) -> bool:
        """Whether a disk that was full has room again: for more than the little that is tried."""
        if not isinstance(self.trouble.error, apsw.FullError):
            return True
        return shutil.disk_usage(self._session.folder).free >= ROOM

    def tidy(self) -> None:
        """Has the write-ahead log moved into the file when it is long, and empties it after an erasure.

        What was written while the mover moved is moved here, between two commits: it is little, and
        when all of it is in the file the log begins anew.
        """
        if self._log_pages < self._moved_pages:
            self._moved_pages = 0  # the log began anew
        moved = self._moving is not None and self._moving.done()
        if self.wipe:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        elif moved:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)
        elif self._moving is not None or self._log_pages - self._moved_pages < CHECKPOINT_PAGES:
            return
        elif self._log_pages > LONG_LOG * CHECKPOINT_PAGES:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_RESTART)
        else:
            self._moving = self._mover.move()
        self._moved_pages = self._log_pages

    def _checkpoint(self, mode: int) -> None:
        connection = self._session.connection
        try:
            if self._moving is not None and self._moving.done():
                moving, self._moving = self._moving, None
                moving.result()
            connection.set_busy_timeout(int(writer.WIPE_AGAIN_SECONDS * 1000))
            connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return  # a reader or the mover stands in the way: tried again after the next commit or soon
        except apsw.Error as error:
            if str(error) != self._stuck:  # once, not with every commit until it is over
                _log.error("checkpoint failed", reason=str(error))
            self._stuck = str(error)
            return
        finally:
            connection.set_busy_timeout(BUSY_MS)
        self._stuck = ""
        self.wipe = False
        self.counters.checkpoints += 1
