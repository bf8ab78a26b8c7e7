"""One connection and what it has learnt: what every port's code below works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import apsw
import msgspec
from msgspec import Struct

from cityloom.model.events import Cause
from cityloom.store.map_ports import Box
from cityloom.store.tables.interned import Interned

_MOST_CAUSES: Final = 4096
_encode = msgspec.json.Encoder().encode
_decode_cause = msgspec.json.Decoder(Cause).decode


class Pulse(Struct):
    """The last event's number, the last work's time (µs), the last incarnation given out."""

    seq: int
    at: int
    incarnation: int


class Causes:
    """Causes by number, and the numbers of the latest ones."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._numbers: dict[Cause, int] = {}
        self._causes: dict[int, Cause] = {}
        self._added: list[Cause] = []

    def cause(self, number: int) -> Cause:
        """The cause with this number."""
        cause = self._causes.get(number)
        if cause is None:
            body = self._connection.execute("SELECT body FROM cause WHERE id = ?", (number,)).get
            if len(self._causes) > _MOST_CAUSES:
                self._causes.clear()
            self._causes[number] = cause = _decode_cause(body)
        return cause

    def intern(self, cause: Cause) -> int:
        """The number of `cause`, written unless it was lately."""
        number = self._numbers.get(cause)
        if number is None:
            self._connection.execute("INSERT INTO cause (body) VALUES (?)", (_encode(cause),))
            number = self._numbers[cause] = self._connection.last_insert_rowid()
            self._added.append(cause)
        return number

    def mark(self) -> int:
        """Where `undo` should go back to."""
        return len(self._added)

    def undo(self, mark: int) -> None:
        """Forgets what was added since `mark`."""
        for cause in self._added[mark:]:
            self._causes.pop(self._numbers.pop(cause), None)
        del self._added[mark:]

    def settle(self) -> None:
        """What was added is committed."""
        self._added.clear()
        if len(self._numbers) > _MOST_CAUSES:
            self._numbers.clear()


class Session:
    """A connection with its interned values.

    A reader's session never adds anything; the writer's undoes with `undo`
    what a failed work or transaction had added.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.tenants: Interned[str] = Interned(connection, "tenant", "name")
        self.names: Interned[str] = Interned(connection, "name", "iri")
        self.shapes: Interned[str] = Interned(connection, "shape", "body")
        self.causes = Causes(connection)
        self.newest: dict[tuple[int | None, int], tuple[int, int]] = {}
        """(tenant, type) -> (when the type was changed last, the newest `observedAt` found then)"""
        self.usual: dict[tuple[int | None, int | None], tuple[tuple[int, Box], Box]] = {}
        """(tenant, type) -> ((how many there were, their whole box), the box without strays)"""
        self._pulse: Pulse | None = None
        self._cursors: set[apsw.Cursor] = set()

    @property
    def pulse(self) -> Pulse:
        """The store's counters: the writer's own, kept in memory between commits."""
        if self._pulse is None:
            self._pulse = Pulse(*self.row("SELECT seq, at, incarnation FROM pulse"))
        return self._pulse

    def value(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """The only column of the first row, or None."""
        return self.connection.execute(sql, parameters).get

    def row(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """The first row as a tuple, or None."""
        return self.connection.execute(sql, parameters).fetchone()

    def rows(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """All rows."""
        return self.connection.execute(sql, parameters).fetchall()

    def stream(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Iterator[Any]:
        """Rows one after the other; ends at the latest with the snapshot."""
        cursor = self.connection.cursor()
        self._cursors.add(cursor)
        try:
            yield from cursor.execute(sql, parameters)
        finally:
            self._cursors.discard(cursor)
            cursor.close(True)

    def run(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> int:
        """Runs one statement; returns how many rows it changed."""
        self.connection.execute(sql, parameters)
        return self.connection.changes()

    def close_cursors(self) -> None:
        """Ends every stream that was not read to its end."""
        for cursor in list(self._cursors):
            cursor.close(True)
        self._cursors.clear()

    def mark(self) -> tuple[int, int, int, int, tuple[int, int]]:
        """Where `undo` should go back to."""
        return (
            self.tenants.mark(),
            self.names.mark(),
            self.shapes.mark(),
            self.causes.mark(),
            (self.pulse.seq, self.pulse.incarnation),
        )

    def undo(self, mark: tuple[int, int, int, int, tuple[int, int]]) -> None:
        """Forgets what was added since `mark`; the time never goes back."""
        self.tenants.undo(mark[0])
        self.names.undo(mark[1])
        self.shapes.undo(mark[2])
        self.causes.undo(mark[3])
        self.pulse.seq, self.pulse.incarnation = mark[4]

    def settle(self) -> None:
        """Everything added is committed."""
        self.tenants.settle()
        self.names.settle()
        self.shapes.settle()
        self.causes.settle()


class Port:
    """Base of every port's code: it works on one session."""

    def __init__(self, session: Session) -> None:
        self.db = session
