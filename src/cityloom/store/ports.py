"""What the house asks of a store: one Protocol per port, joined in `Snapshot`, `Transaction` and `Store`.

The ports of entities, of history, of the log's followers and of maps stand in modules of their own
(`entity_ports`, `history_ports`, `log_ports`, `map_ports`), with the values that they speak of.

All methods are synchronous. A `Snapshot` reads one consistent state; a
`Transaction` reads its own writes. Works handed to `Store.submit` run on the
writer thread, several in one database transaction, each in a savepoint of its
own, and their futures resolve only when the commit is durable. A work must
therefore be quick and touch nothing but its transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from cityloom.model.entity import Entity
from cityloom.model.events import Cause, Document, Event
from cityloom.store.entity_ports import EntityReads, EntityWrites
from cityloom.store.history_ports import ColdHistory, HistoryReads, HistoryWrites
from cityloom.store.log_ports import (
    DeliveryReads,
    DeliveryWrites,
    DocumentChange,
    LeaseReads,
    LeaseWrites,
    LogReads,
    LogWrites,
    TimerReads,
    TimerWrites,
)
from cityloom.store.map_ports import MapReads

T = TypeVar("T")


class DocumentReads(Protocol):
    """Subscriptions, registrations, contexts, schemas, sources: small things kept whole, by (kind, id)."""

    def document(self, tenant: str, kind: str, id: str) -> Document | None:
        """One document, its body as plain JSON values."""
        ...

    def documents(
        self, tenant: str, kind: str, after: str = "", limit: int = 1000, *, body: type[Any] | None = None
    ) -> list[Document]:
        """Documents of a kind, by id, those after `after`; their bodies plain JSON values, or of a struct.

        Cost: of a struct a third of what it costs to make one from plain values.
        """
        ...

    def document_changes(self, after: int) -> list[DocumentChange]:
        """Documents that were put or deleted after event `after`, by the last event that did so."""
        ...


class DocumentWrites(Protocol):
    """Changing documents; each change is an event."""

    def put_document(self, tenant: str, kind: str, id: str, body: Any, cause: Cause) -> Event:
        """Makes `body` (any msgspec-encodable value) the document."""
        ...

    def delete_document(self, tenant: str, kind: str, id: str, cause: Cause) -> Event:
        """Deletes a document. Raises ResourceNotFound."""
        ...

    def set_state(self, tenant: str, kind: str, id: str, body: Any) -> None:
        """Keeps a document *without* an event: counters and marks that nobody follows."""
        ...

    def drop_state(self, tenant: str, kind: str, id: str) -> None:
        """Forgets a document that `set_state` keeps, without an event (idempotent)."""
        ...


class PersonalData(Protocol):
    """Personal data: apart from entities, events and history; erasable, its reading logged."""

    def put_personal(self, tenant: str, entity_id: str, body: Any, cause: Cause) -> None:
        """Keeps the personal data that belong to an entity."""
        ...

    def read_personal(self, tenant: str, entity_id: str, party: str, purpose: str) -> Any | None:
        """Reads them and logs who read them and for what, in the same transaction."""
        ...

    def erase_personal(self, tenant: str, entity_id: str, party: str) -> bool:
        """Erases them, beyond recovery from this store's file or table; the log of readings stays."""
        ...

    def personal_readings(self, tenant: str, entity_id: str) -> list[dict[str, Any]]:
        """Who read or erased, when (ISO) and for what: `{at, party, purpose, action}`."""
        ...


class Snapshot(
    EntityReads,
    MapReads,
    HistoryReads,
    LogReads,
    LeaseReads,
    DocumentReads,
    DeliveryReads,
    TimerReads,
    Protocol,
):
    """One consistent state of everything."""


class Transaction(
    Snapshot,
    EntityWrites,
    HistoryWrites,
    LogWrites,
    LeaseWrites,
    DocumentWrites,
    DeliveryWrites,
    TimerWrites,
    PersonalData,
    Protocol,
):
    """Reads and writes that become durable together."""

    @property
    def now(self) -> int:
        """The time of this work (µs, from the Clock), strictly greater than that of the work before."""
        ...


class Store(Protocol):
    """A city's memory."""

    @property
    def cold(self) -> ColdHistory | None:
        """Moves old history to tables of its own; None where the database keeps all of it."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes may write to it, too."""
        ...

    def last_document(self) -> int | None:
        """The last event that put or deleted a document; None where asking takes a way to a server."""
        ...

    def ask_last_document(self) -> Future[int]:
        """The same, wherever it is."""
        ...

    def submit(self, work: Callable[[Transaction], T], size: int = 0) -> Future[T]:
        """Hands a work to the writer; the future resolves when its commit is durable.

        Args:
            work: runs on the writer thread in a savepoint of its own; what it
                raises goes to the future and undoes this work alone.
            size: about how many bytes it holds, for the queue's bound.

        Raises:
            Overloaded: the queue is full.
        """
        ...

    def read(self, work: Callable[[Snapshot], T]) -> Future[T]:
        """Runs `work` on a reader thread in one snapshot."""
        ...

    def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The current entity, or None: one statement on this thread, which needs no snapshot around it.

        Cost: one index lookup, half of that with a snapshot.
        """
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """A snapshot for this thread; quick reads only on the event loop."""
        ...

    def on_commit(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Calls `callback(last_seq)` after each commit; returns how to stop that.

        It is called on a thread of the store's: at once for commits of this process, and soon
        (milliseconds) for those of others that brought events.
        """
        ...

    def backup(self, target: str, progress: Callable[[float], None] | None = None) -> None:
        """Writes a consistent copy to the file `target` while the store is in use.

        Raises:
            ConfigurationError: it cannot be written, or the database is copied by means of its own.
        """
        ...

    @property
    def trouble(self) -> str:
        """Why nothing can be written now (507, or 503 where a server is away); "" when it can."""
        ...

    def stats(self) -> dict[str, Any]:
        """Sizes and counts for `/metrics`, `/node` and `doctor`.

        Every store tells `fileBytes`, `entities`, `firstSeq`, `lastSeq`, `cursors`, `deliveriesPending`,
        `deliveriesDead`, `deliveriesDropped`, `queueWorks`, `queueBytes`, `works`, `refused`, `commits`,
        `failedCommits`, `largestGroup` and `writable` (1 or 0); what else it has is its own.

        Raises:
            StoreFailed: it cannot be read.
        """
        ...

    def own_stats(self) -> dict[str, int]:
        """What of `stats` this process counts itself, from `queueWorks` on: told without it."""
        ...

    def close(self) -> None:
        """Finishes what is queued and closes the files."""
        ...
