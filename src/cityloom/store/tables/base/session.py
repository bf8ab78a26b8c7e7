"""One connection and what it has learnt: what every port's code works on.

How statements reach a database, and when, is each database's own `Session`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cityloom.model.errors import StoreFailed
from cityloom.model.events import Cause
from cityloom.store.cold.tables import ColdTables
from cityloom.store.dialect import Dialect
from cityloom.store.map_ports import Box
from cityloom.store.tables.base.interned import Interned, Tenants
from cityloom.store.tables.base.tail import Tail, Told
from cityloom.store.tables.base.waiting import Waiting

Parameters = Sequence[Any] | dict[str, Any]
"""The values of a statement, in the order of its `?` or by name."""
Mark = tuple[int, int, int, int, tuple[int, int]]
_MOST_CAUSES: Final = 4096
_MOST_MISSING: Final = 10_000
_encode = msgspec.json.Encoder().encode
_decode_cause = msgspec.json.Decoder(Cause).decode


class Pulse(Struct):
    """The last event's number, the last work's time (µs), the last incarnation given out."""

    seq: int
    at: int
    incarnation: int


class Causes:
    """Causes by number, and the numbers of the latest ones."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers: dict[Cause, int] = {}
        self._added: list[Cause] = []

    def many(self, numbers: Iterable[int]) -> dict[int, Cause]:
        """The causes with these numbers. Cost: one statement, however many they are."""
        dialect = self._session.dialect
        sql = f"SELECT id, body FROM cause WHERE {dialect.is_number_of('id', '?')}"
        rows = self._session.rows(sql, (dialect.numbers(sorted(set(numbers))),))
        return {number: _decode_cause(body) for number, body in rows}

    def intern(self, cause: Cause, seq: int) -> int:
        """The number of `cause`: of a new one, that of the event `seq` that it is written for."""
        number = self._numbers.get(cause)
        if number is None:
            self._session.change("INSERT INTO cause (id, body) VALUES (?, ?)", (seq, _encode(cause)))
            number = self._numbers[cause] = seq
            self._added.append(cause)
        return number

    def mark(self) -> int:
        """Where `undo` should go back to."""
        return len(self._added)

    def undo(self, mark: int) -> None:
        """Forgets what was added since `mark`."""
        for cause in self._added[mark:]:
            del self._numbers[cause]
        del self._added[mark:]

    def settle(self) -> None:
        """What was added is committed."""
        self._added.clear()
        if len(self._numbers) > _MOST_CAUSES:
            self._numbers.clear()


class Session(ABC):
    """A connection with its interned values.

    A reader's session never adds anything; the writer's undoes with `undo`
    what a failed work or transaction had added.

    Args:
        cold_tables: where old history may be; None: there is nothing but the database.
    """

    def __init__(self, cold_tables: ColdTables | None = None) -> None:
        self.cold_tables = cold_tables
        self.tenants = Tenants(self)
        self.names: Interned[str] = Interned(self, "name", "iri")
        self.shapes: Interned[str] = Interned(self, "shape", "body")
        self.causes = Causes(self)
        self.newest: dict[tuple[int | None, int], tuple[int, int]] = {}
        """(tenant, type) -> (when the type was changed last, the newest `observedAt` found then)"""
        self.usual: dict[tuple[int | None, int | None], tuple[tuple[int, Box], Box]] = {}
        """(tenant, type) -> ((how many there were, their whole box), the box without strays)"""
        self.waiting = Waiting()
        self.tail = Tail()
        self.told: list[Told] = []
        """The events of the transaction that writes, for the tail when they are committed"""
        self.missing: set[tuple[str, str, str]] = set()
        """(tenant, kind, id) of documents that whoever writes has found not to be there"""
        self.nothing_moved: bool | None = None
        """Whether no history has moved yet, in this snapshot or transaction; None: not asked yet"""
        self._pulse: Pulse | None = None
        self._committed: Pulse | None = None
        """The pulse as this session committed it last."""

    @property
    @abstractmethod
    def dialect(self) -> Dialect:
        """How this database says what no two say alike."""

    @property
    def pulse(self) -> Pulse:
        """The store's counters: the writer's own, kept in memory between commits."""
        if self._pulse is None:
            self._pulse = Pulse(*self.row("SELECT seq, at, incarnation FROM pulse"))
        return self._pulse

    def look_again(self) -> None:
        """A snapshot begins: what others may have changed since the last one is asked anew."""
        self.tenants.look_again()
        self.nothing_moved = None

    def take_pulse(self, pulse: Pulse) -> None:
        """Takes the pulse that a transaction begins with: where another process wrote meanwhile,
        what can have gone is looked up again. Rows of names, shapes and causes never go.
        """
        if pulse != self._committed:
            self.tenants.look_again()
            self.missing.clear()
        if self._pulse is not None:
            pulse.at = max(pulse.at, self._pulse.at)
        self._pulse = pulse

    # -- reading -----------------------------------------------------------------

    @abstractmethod
    def row(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first row as a tuple, or None."""

    @abstractmethod
    def rows(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """All rows, as tuples."""

    @abstractmethod
    def rows_beside(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """All rows of a statement that no waiting change touches, as its caller knows."""

    @abstractmethod
    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Any]:
        """Rows one after the other; ends at the latest with the snapshot."""

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The only column of the first row, or None."""
        row = self.row(sql, parameters)
        return row[0] if row is not None else None

    # -- writing -----------------------------------------------------------------

    @abstractmethod
    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Runs one statement; returns how many rows it changed."""

    @abstractmethod
    def change(self, sql: str, parameters: Parameters) -> None:
        """A change of one table of which nobody needs to know how many rows it changed.

        It may reach the database later, but is seen by what is read after it.
        """

    @abstractmethod
    def change_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """The same change for many rows of values."""

    @abstractmethod
    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """Runs one statement for many rows of values; returns how many rows it changed."""

    # -- a transaction that writes ---------------------------------------------------

    @abstractmethod
    def begin(self) -> None:
        """Begins a transaction that alone may write, and knows the pulse."""

    @abstractmethod
    def commit(self) -> bool:
        """Makes the transaction durable and says so with True; ends it with False when it changed nothing.

        Before that the pulse is written.
        """

    @abstractmethod
    def rollback(self) -> None:
        """Undoes the transaction, if there is one."""

    @abstractmethod
    def savepoint(self) -> None:
        """Where `undo_work` goes back to."""

    @abstractmethod
    def keep_work(self) -> None:
        """What was done since the savepoint belongs to the transaction."""

    @abstractmethod
    def undo_work(self) -> None:
        """Undoes what was done since the savepoint. Raises what the database raises when all is lost."""

    @property
    @abstractmethod
    def changed(self) -> bool:
        """Whether this transaction changed anything."""

    @abstractmethod
    def is_ours(self, error: BaseException) -> bool:
        """Whether this is an error of the database."""

    @abstractmethod
    def failed(self, error: Exception) -> StoreFailed:
        """The database's error (or a surprise of ours) as the house's own, in words for an operator."""

    def close_streams(self) -> None:  # noqa: B027  (a database may have nothing to do)
        """Ends every stream that was not read to its end."""

    def mark(self) -> Mark:
        """Where `undo` should go back to."""
        return (
            self.tenants.mark(),
            self.names.mark(),
            self.shapes.mark(),
            self.causes.mark(),
            (self.pulse.seq, self.pulse.incarnation),
        )

    def undo(self, mark: Mark) -> None:
        """Forgets what was added since `mark`; the time never goes back."""
        self.tenants.undo(mark[0])
        self.names.undo(mark[1])
        self.shapes.undo(mark[2])
        self.causes.undo(mark[3])
        self.pulse.seq, self.pulse.incarnation = mark[4]
        while self.told and self.told[-1][0].seq > self.pulse.seq:
            self.told.pop()
        self.missing.clear()

    def settle(self) -> None:
        """Everything added is committed."""
        self.tail.extend(self.told)
        self.told.clear()
        if len(self.missing) > _MOST_MISSING:
            self.missing.clear()
        self.tenants.settle()
        self.names.settle()
        self.shapes.settle()
        self.causes.settle()
        self._committed = replace(self.pulse)


class Port:
    """Base of every port's code: it works on one session."""

    def __init__(self, session: Session) -> None:
        self.db = session
