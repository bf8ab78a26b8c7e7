"""A city kept in a PostgreSQL database: the writer, the readers, and their end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import asyncpg

from cityloom.model.clock import Clock
from cityloom.model.entity import Entity
from cityloom.model.errors import ConfigurationError
from cityloom.store.migrations import migrations
from cityloom.store.ports import Snapshot, Transaction
from cityloom.store.postgres.alone import Alone
from cityloom.store.postgres.connection import (
    OURS,
    check_promises,
    connect,
    join_writers,
    opening,
    store_name,
)
from cityloom.store.postgres.driver import Driver
from cityloom.store.postgres.ear import Ear
from cityloom.store.postgres.replicas import Replicas
from cityloom.store.postgres.session import PostgresSession, cold_tables
from cityloom.store.postgres.snapshot import PostgresTransaction
from cityloom.store.postgres.statement import Types
from cityloom.store.postgres.writer import PostgresWriter
from cityloom.store.tables.base.tail import Tail
from cityloom.store.tables.readers import Readers
from cityloom.store.tables.snapshot import TablesSnapshot
from cityloom.store.tables.tiering.mover import Mover

T = TypeVar("T")


class PostgresStore:
    """The port `Store` in one database, in its schema `cityloom`.

    Args:
        url: `postgresql://user:password@host:port/database`.
        clock: where every time comes from.
        queue_items: works that may wait for the writer.
        queue_bytes: bytes that they may hold together.
        replicas: addresses of standbys that may be read.
        cold: where the cold history is, a folder or a URL; "": there is none, all stays in the database.

    Raises:
        ConfigurationError: the database cannot be used; one sentence says why.
    """

    shared = True
    """Any number of nodes may have it open."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        queue_items: int = 10_000,
        queue_bytes: int = 64 * 1024 * 1024,
        replicas: Sequence[str] = (),
        cold: str = "",
    ) -> None:
        self._url = url
        self._name = store_name(url)
        self._listens = threading.Lock()
        self._readers = Readers(self._name, self._open_reader, PostgresSession.close)
        self._types: Types = {}
        self._ear: Ear | None = None
        self._driver = Driver()
        self._tail = Tail()
        self._replicas: Replicas | None = None
        self._session = self._new_session(self._connect_writer, writes=True)
        try:
            with opening(self._name):
                self._session.open()
                self._session.learn(self._types)
                self._session.cold_tables = cold_tables(self._session, cold)
                # What an erasure left in pages when its node died must not stay there.
                self._session.rewrite("personal")
                self._writer = PostgresWriter(
                    self._session,
                    PostgresTransaction,
                    self._name,
                    clock,
                    queue_items=queue_items,
                    queue_bytes=queue_bytes,
                )
        except BaseException:
            self._session.close()
            self._driver.close()
            raise
        tables = self._session.cold_tables
        alone = Alone(self._driver, self._connect, self._name)
        self.cold = Mover(self, tables, alone=alone) if tables is not None else None
        if replicas:
            self._replicas = Replicas(
                self._driver, replicas, lambda: self._listening().ask_last_commit(), tables
            )

    def _new_session(self, opener: Callable[[], Any], *, writes: bool = False) -> PostgresSession:
        session = PostgresSession(self._driver, opener, self._name, writes=writes)
        session.tail = self._tail
        return session

    async def _connect(self) -> asyncpg.Connection:
        return await connect(self._url)

    async def _connect_writer(self) -> asyncpg.Connection:
        connection = await connect(self._url)
        try:
            await check_promises(connection, self._name)
            self._types = await join_writers(connection, self._name, migrations("postgres"))
        except BaseException:
            await connection.close(timeout=5)
            raise
        return connection

    def submit(self, work: Callable[[Transaction], T], size: int = 0) -> Future[T]:
        """Hands a work to the writer; the future resolves when its commit is durable.

        Raises:
            Overloaded: the queue is full.
            StoreFailed: the store is closed.
        """
        return self._writer.submit(work, size)

    def read(self, work: Callable[[Snapshot], T]) -> Future[T]:
        """Runs `work` on a reader thread in one snapshot: at a standby, where one knows enough."""

        def at_primary() -> T:
            with self.snapshot() as snapshot:
                return work(snapshot)

        def run() -> T:
            return at_primary() if self._replicas is None else self._replicas.read(work, at_primary)

        return self._readers.run(run)

    def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The current entity, or None."""
        with self._snapshot() as snapshot:
            return snapshot.get(tenant, entity_id)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """A snapshot for this thread, from its first reading on; inside another one, the same state."""
        return self._snapshot()

    @contextmanager
    def _snapshot(self) -> Iterator[TablesSnapshot]:
        reader = self._readers.mine()
        try:
            if reader.depth == 0:
                reader.session.look_again()
            reader.depth += 1
            try:
                yield reader.snapshot
            finally:
                reader.depth -= 1
                if reader.depth == 0:
                    reader.session.end_reading()
        except OURS as error:
            raise reader.session.failed(error) from error

    def _open_reader(self) -> PostgresSession:
        session = self._new_session(self._connect)
        session.cold_tables = self._session.cold_tables
        return session

    def on_commit(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Calls `callback(last_seq)` after each commit; returns how to stop that. See the port."""
        stop = self._writer.on_commit(callback)
        self._listening()
        return stop

    def last_document(self) -> None:
        """None: it takes a way to the server."""

    def ask_last_document(self) -> Future[int]:
        """The last event that put or deleted a document. Cost: one way to the server and back."""
        return self._listening().ask_last_document()

    def _listening(self) -> Ear:
        with self._listens:
            if self._readers.closed:
                raise self._readers.is_closed()
            if self._ear is None:
                self._ear = Ear(self._driver, self._connect, self._writer.tell, self._name)
            return self._ear

    def backup(self, target: str, progress: Callable[[float], None] | None = None) -> None:
        """A server has means of its own for this.

        Raises:
            ConfigurationError: always; it names them.
        """
        raise ConfigurationError(
            f"the store {self._name} is copied by PostgreSQL's own means: "
            f"pg_dump --format=custom --schema=cityloom --file={target}, or pg_basebackup with its log"
        )

    @property
    def trouble(self) -> str:
        """Why nothing can be written now; "" when it can."""
        return self._writer.trouble.reason

    def stats(self) -> dict[str, Any]:
        """Sizes and counts for `/metrics` and `doctor`."""
        with self._snapshot() as snapshot:
            deliveries = snapshot.delivery_counts()
            return {
                "fileBytes": snapshot.db.value("SELECT pg_database_size(current_database())"),
                "entities": snapshot.size(),
                "firstSeq": snapshot.first_seq(),
                "lastSeq": snapshot.last_seq(),
                "cursors": dict(snapshot.cursors()),
                "deliveriesPending": deliveries.pending,
                "deliveriesDead": deliveries.dead,
                "deliveriesDropped": deliveries.dropped,
                **self.own_stats(),
            }

    def own_stats(self) -> dict[str, int]:
        """What of `stats` this process counts itself."""
        return self._writer.stats()

    def close(self) -> None:
        """Finishes what is queued and closes the connections. No snapshot may be in use any more."""
        if self._readers.closed:
            return
        if self.cold is not None:
            self.cold.close()
        if self._ear is not None:
            self._ear.close()
        self._writer.close()
        self._readers.close()
        if self._replicas is not None:
            self._replicas.close()
        self._session.close()
        self._driver.close()
