"""The session of a file's writer: the changes of a group of works wait, and go to SQLite table by table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from cityloom.store.cold.tables import ColdTables
from cityloom.store.sqlite.session import SqliteSession
from cityloom.store.sqlite.turns import Turn
from cityloom.store.tables.base.session import Parameters
from cityloom.store.tables.base.waiting import Changes, taken, touched


class GroupSession(SqliteSession):
    """A connection that writes.

    A work that changes nothing but by `change` needs no savepoint: SQLite hears of its
    changes when it has succeeded.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        path: Path,
        cold_tables: ColdTables | None = None,
        turn: Turn | None = None,
    ) -> None:
        super().__init__(connection, path, cold_tables, turn)
        self._point = False
        self._broken: Exception | None = None

    # -- reading: after the changes of the tables that are looked at ------------------

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The only column of the first row, or None."""
        self._catch_up(sql)
        return super().value(sql, parameters)

    def row(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first row as a tuple, or None."""
        self._catch_up(sql)
        return super().row(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """All rows."""
        self._catch_up(sql)
        return super().rows(sql, parameters)

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Any]:
        """Rows one after the other; ends at the latest with the work."""
        self._catch_up(sql)
        return super().stream(sql, parameters)

    # -- writing -----------------------------------------------------------------

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Runs one statement; returns how many rows it changed."""
        self._begin_change(sql)
        return super().run(sql, parameters)

    def change(self, sql: str, parameters: Parameters) -> None:
        """A change of one table, which is sent later."""
        self.change_many(sql, (parameters,))  # type: ignore[arg-type]

    def change_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """The same change for many rows of values."""
        table = touched(sql).changes
        assert table is not None
        self.waiting.add(table, sql, rows)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """Runs one statement for many rows of values; returns how many rows it changed."""
        self._begin_change(sql)
        return super().run_many(sql, rows)

    def _catch_up(self, sql: str) -> None:
        """Sends what a statement must see."""
        tables, changes = touched(sql)
        if changes is not None or not tables.isdisjoint(self.waiting.working):
            self._begin_change(sql)
        elif not tables.isdisjoint(self.waiting.settled):
            self._send(self.waiting.settled, tables)

    def _begin_change(self, sql: str) -> None:
        """Sees to it that what a statement changes can be undone, and that it sees what it must."""
        if not self._point:
            self._send(self.waiting.settled, list(self.waiting.settled))
            self.connection.execute("SAVEPOINT work")
            self._point = True
        tables, changes = touched(sql)
        if changes == "entity":  # whoever changes entities in bulk leaves nothing known of them
            self.waiting.forget_entities()
        self._send(self.waiting.working, tables)

    def _send(self, changes: Changes, tables: Collection[str]) -> None:
        try:
            for sql, rows in taken(changes, tables):
                self.connection.executemany(sql, rows)
        except Exception as error:
            if not self._point:
                self._broken = error
            raise

    # -- a transaction ---------------------------------------------------------------

    def begin(self) -> None:
        """Takes the file's lock for writing."""
        self._forget()
        super().begin()

    @property
    def changed(self) -> bool:
        """Whether this transaction changed anything."""
        return bool(self.waiting) or super().changed

    def commit(self) -> bool:
        """Sends what waits, and commits what was changed."""
        if self._broken is not None:
            raise self._broken
        for changes in (self.waiting.settled, self.waiting.working):
            self._send(changes, list(changes))
        committed = super().commit()
        self._forget()
        return committed

    def rollback(self) -> None:
        """Undoes the transaction, if there is one."""
        self._forget()
        super().rollback()

    def savepoint(self) -> None:
        """Nothing: the first change that cannot wait makes one."""

    def keep_work(self) -> None:
        """What was done since the savepoint belongs to the transaction."""
        if self._broken is not None:
            raise self._broken
        self.waiting.keep_work()
        if self._point:
            self._point = False
            super().keep_work()
        else:
            self.close_streams()

    def undo_work(self) -> None:
        """Undoes what was done since the savepoint.

        Raises:
            Exception: the whole transaction is lost.
        """
        self.waiting.drop_work()
        if self._broken is not None:
            raise self._broken
        if self._point:
            self._point = False
            super().undo_work()
            return
        self.close_streams()
        if not self.connection.in_transaction:
            raise apsw.AbortError("the transaction was lost")

    def _forget(self) -> None:
        self.waiting.clear()
        self._point = False
        self._broken = None
