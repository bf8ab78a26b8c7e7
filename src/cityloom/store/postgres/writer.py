"""The writer of a database: after an erasure it writes the table of personal data anew."""

from __future__ import annotations

from typing import Final

import asyncpg
import structlog

from cityloom.store.postgres.connection import OURS
from cityloom.store.postgres.session import PostgresSession
from cityloom.store.tables.writer import Writer

_ROOM_ROWS: Final = 40_000
"""Rows for which a disk that was full must have room again before writes are taken: about 4 MB."""

_log = structlog.get_logger("store")


class PostgresWriter(Writer):
    """The `Writer` of one database, for the arguments of `Writer`."""

    def has_room(self) -> bool:
        """Whether a disk that was full has room again: for more than the little that is tried."""
        if not isinstance(self.trouble.error, asyncpg.DiskFullError):
            return True
        assert isinstance(self._db, PostgresSession)
        try:
            self._db.take_room(_ROOM_ROWS)
        except OURS:
            return False
        return True

    def tidy(self) -> None:
        """Writes the table of personal data anew after an erasure, so that no page holds what was erased."""
        if not self.wipe:
            return
        assert isinstance(self._db, PostgresSession)
        try:
            self._db.rewrite("personal")
        except Exception as error:
            if not self._db.is_ours(error):
                raise
            _log.error("wiping failed", reason=str(error))
            return
        self.wipe = False
