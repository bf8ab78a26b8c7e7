"""The writer of a database: after an erasure it writes the table of personal data anew."""

from __future__ import annotations

import structlog

from cityloom.store.postgres.session import PostgresSession
from cityloom.store.tables.writer import Writer

_log = structlog.get_logger("store")


class PostgresWriter(Writer):
    """The `Writer` of one database, for the arguments of `Writer`."""

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
