"""A session on a file: every statement reaches SQLite at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from cityloom.model.errors import StoreFailed
from cityloom.store.cold.tables import ColdTables
from cityloom.store.dialect import Dialect
from cityloom.store.sqlite.connection import failed
from cityloom.store.sqlite.dialect import SQLITE
from cityloom.store.sqlite.turns import Turn
from cityloom.store.tables.base.session import Parameters, Pulse, Session


class SqliteSession(Session):
    """A connection to a city's file.

    Args:
        path: the file, for messages.
        turn: of the writer, where other processes write as well.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        path: Path,
        cold_tables: ColdTables | None = None,
        turn: Turn | None = None,
    ) -> None:
        super().__init__(cold_tables)
        self._turn = turn
        self.connection = connection
        self._path = path
        self._cursors: set[apsw.Cursor] = set()
        self._changes = 0

    @property
    def folder(self) -> Path:
        """Where the file is."""
        return self._path.parent

    @property
    def dialect(self) -> Dialect:
        """SQLite's."""
        return SQLITE

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The only column of the first row, or None."""
        return self.connection.execute(sql, parameters).get

    def row(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first row as a tuple, or None."""
        return self.connection.execute(sql, parameters).fetchone()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """All rows."""
        return self.connection.execute(sql, parameters).fetchall()

    def rows_beside(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """All rows."""
        return self.connection.execute(sql, parameters).fetchall()

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Any]:
        """Rows one after the other; ends at the latest with the snapshot."""
        cursor = self.connection.cursor()
        self._cursors.add(cursor)
        try:
            yield from cursor.execute(sql, parameters)
        finally:
            self._cursors.discard(cursor)
            cursor.close(True)

    def close_streams(self) -> None:
        """Ends every stream that was not read to its end."""
        for cursor in list(self._cursors):
            cursor.close(True)
        self._cursors.clear()

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Runs one statement; returns how many rows it changed."""
        self.connection.execute(sql, parameters)
        return self.connection.changes()

    def change(self, sql: str, parameters: Parameters) -> None:
        """A change of one table, made at once."""
        self.connection.execute(sql, parameters)

    def change_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """The same change for many rows of values."""
        self.connection.executemany(sql, rows)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """Runs one statement for many rows of values; returns how many rows it changed."""
        before = self.connection.total_changes()
        self.connection.executemany(sql, rows)
        return self.connection.total_changes() - before

    def begin(self) -> None:
        """Takes the file's lock for writing."""
        self.nothing_moved = None
        if self._turn is not None:
            self._turn.take()
        self.connection.execute("BEGIN IMMEDIATE")
        if self._turn is not None:
            self.take_pulse(Pulse(*self.row("SELECT seq, at, incarnation FROM pulse")))
        self._changes = self.connection.total_changes()

    @property
    def changed(self) -> bool:
        """Whether this transaction changed anything."""
        return self.connection.total_changes() != self._changes

    def commit(self) -> bool:
        """Commits what was changed."""
        if not self.changed:
            self.rollback()
            return False
        pulse = self.pulse
        self.connection.execute(
            "UPDATE pulse SET seq = ?, at = ?, incarnation = ?", (pulse.seq, pulse.at, pulse.incarnation)
        )
        self.connection.execute("COMMIT")
        self._give_turn()
        return True

    def rollback(self) -> None:
        """Undoes the transaction, if there is one."""
        self.close_streams()
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        finally:
            self._give_turn()

    def _give_turn(self) -> None:
        if self._turn is not None:
            self._turn.give()

    def savepoint(self) -> None:
        """Where `undo_work` goes back to."""
        self.connection.execute("SAVEPOINT work")

    def keep_work(self) -> None:
        """What was done since the savepoint belongs to the transaction."""
        self.close_streams()
        self.connection.execute("RELEASE work")

    def undo_work(self) -> None:
        """Undoes what was done since the savepoint.

        Raises:
            apsw.AbortError: SQLite has undone the whole transaction.
        """
        self.close_streams()
        if not self.connection.in_transaction:
            raise apsw.AbortError("the transaction was lost")
        self.connection.execute("ROLLBACK TO work")
        self.connection.execute("RELEASE work")

    def is_ours(self, error: BaseException) -> bool:
        """Whether this is an error of SQLite."""
        return isinstance(error, apsw.Error)

    def failed(self, error: Exception) -> StoreFailed:
        """SQLite's error in words for an operator."""
        return failed(self._path, error)
