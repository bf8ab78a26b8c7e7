"""The writer of a file: it also moves the write-ahead log into the file, and empties it after an erasure."""

from __future__ import annotations

import shutil
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


class SqliteWriter(Writer):
    """The `Writer` of one file, for the arguments of `Writer`."""

    _log_pages = 0
    _moved_pages = 0
    _stuck = ""

    def watch(self, session: SqliteSession) -> None:
        """Begins to look after the write-ahead log of the writing connection, before anything is written."""
        self._session = session
        session.connection.set_wal_hook(self._saw_log)

    def _saw_log(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def has_room(self) -> bool:
        """Whether a disk that was full has room again: for more than the little that is tried."""
        if not isinstance(self.trouble.error, apsw.FullError):
            return True
        return shutil.disk_usage(self._session.folder).free >= ROOM

    def tidy(self) -> None:
        """Moves the write-ahead log into the file when it is long, and empties it after an erasure."""
        if self._log_pages < self._moved_pages:
            self._moved_pages = 0  # the log began anew
        if self.wipe:
            mode = apsw.SQLITE_CHECKPOINT_TRUNCATE
        elif self._log_pages - self._moved_pages < CHECKPOINT_PAGES:
            return
        elif self._log_pages > LONG_LOG * CHECKPOINT_PAGES:
            mode = apsw.SQLITE_CHECKPOINT_RESTART
        else:
            mode = apsw.SQLITE_CHECKPOINT_PASSIVE
        self._moved_pages = self._log_pages
        connection = self._session.connection
        try:
            connection.set_busy_timeout(int(writer.WIPE_AGAIN_SECONDS * 1000))
            connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return  # a reader stands in the way: tried again after the next commit or soon
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
