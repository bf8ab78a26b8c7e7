"""A city kept in one SQLite file: the writer, the readers, and their end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import apsw

from cityloom.model.clock import Clock
from cityloom.model.entity import Entity
from cityloom.store.migrations import migrations
from cityloom.store.ports import Snapshot, Transaction
from cityloom.store.sqlite.backup import copy_database
from cityloom.store.sqlite.connection import (
    FileLock,
    Synchronous,
    check_place,
    cold_tables,
    failed,
    migrate,
    open_mover,
    open_reader,
    open_writer,
    opening,
    sync_folder,
)
from cityloom.store.sqlite.fills import FILLS
from cityloom.store.sqlite.group import GroupSession
from cityloom.store.sqlite.session import SqliteSession
from cityloom.store.sqlite.snapshot import SqliteTransaction
from cityloom.store.sqlite.turns import Alone, Turn, Watch
from cityloom.store.sqlite.writer import LogMover, SqliteWriter
from cityloom.store.tables.readers import Reader, Readers
from cityloom.store.tables.snapshot import TablesSnapshot
from cityloom.store.tables.tiering.mover import Mover

T = TypeVar("T")


class _Snapshot:
    """One state, for as long as the block lasts."""

    __slots__ = ("_path", "_reader")

    def __init__(self, reader: Reader[SqliteSession], path: Path) -> None:
        self._reader = reader
        self._path = path

    def __enter__(self) -> TablesSnapshot:
        reader = self._reader
        if reader.depth == 0:
            try:
                reader.session.connection.execute("BEGIN")
                reader.session.look_again()
            except apsw.Error as error:
                raise failed(self._path, error) from error
        reader.depth += 1
        return reader.snapshot

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reader = self._reader
        reader.depth -= 1
        try:
            if reader.depth == 0:
                reader.session.close_streams()
                reader.session.connection.execute("COMMIT")
        except apsw.Error as failure:
            # A disk that failed has ended the transaction already: that is why, not that it is over.
            first = error if isinstance(error, apsw.Error) else failure
            raise failed(self._path, first) from first
        if isinstance(error, apsw.Error):
            raise failed(self._path, error) from error


class SqliteStore:
    """The port `Store` in one file.

    Args:
        path: the file; made when it does not exist. Its folder must exist.
        clock: where every time comes from.
        queue_items: works that may wait for the writer.
        queue_bytes: bytes that they may hold together.
        synchronous: FULL is durable; the others are for proving that it is.
        vfs: the name of an apsw VFS, for proofs.
        cold: where the cold history is, a folder or a URL; "" is beside the file.
        shared: other processes write to it as well; who started them all holds the file's `FileLock`.

    Raises:
        ConfigurationError: the file cannot be used; one sentence says why.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        queue_items: int = 10_000,
        queue_bytes: int = 64 * 1024 * 1024,
        synchronous: Synchronous = "FULL",
        vfs: str | None = None,
        cold: str = "",
        shared: bool = False,
    ) -> None:
        self._path = path
        self.shared = shared
        self._turn: Turn | None = None
        self._watch: Watch | None = None
        self._cold_place = cold
        self._vfs = vfs
        self._watching = threading.Lock()
        self._readers = Readers(str(path), self._open_reader, lambda session: session.connection.close(True))
        check_place(path)
        with opening(path):
            self._lock = None if shared else FileLock(path)
            try:
                session = self._open(synchronous)
                self._writer = SqliteWriter(
                    session,
                    SqliteTransaction,
                    str(path),
                    clock,
                    queue_items=queue_items,
                    queue_bytes=queue_bytes,
                )
                self._writer.watch(session, LogMover(lambda: open_mover(path, synchronous, vfs)))
                # What an erasure left in the log of a process that died must not stay there.
                self._writer.wipe = shared
            except BaseException:
                if self._lock is not None:
                    self._lock.release()
                raise
        self._session = session
        self._alone = Alone(path) if shared else None
        self.cold = Mover(self, self._cold_tables, alone=self._alone)

    def _open(self, synchronous: Synchronous) -> GroupSession:
        new = not self._path.exists() or self._path.stat().st_size == 0
        if new:
            # Nobody else on this machine reads a city's file: personal data stand in it.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = open_writer(self._path, synchronous, self._vfs)
        try:
            migrate(connection, self._path, migrations("sqlite"), FILLS)
            if not self.shared:
                # What an erasure left in the log of a process that died must not stay there.
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except BaseException:
            connection.close(True)
            raise
        if new:
            sync_folder(self._path)
        self._cold_tables = cold_tables(connection, self._path, self._cold_place)
        if self.shared:
            self._turn = Turn(self._path)
        return GroupSession(connection, self._path, self._cold_tables, self._turn)

    def submit(self, work: Callable[[Transaction], T], size: int = 0) -> Future[T]:
        """Hands a work to the writer; the future resolves when its commit is durable.

        Raises:
            Overloaded: the queue is full.
            StoreFailed: the store is closed.
        """
        return self._writer.submit(work, size)

    def read(self, work: Callable[[Snapshot], T]) -> Future[T]:
        """Runs `work` on a reader thread in one snapshot."""

        def run() -> T:
            with self.snapshot() as snapshot:
                return work(snapshot)

        return self._readers.run(run)

    def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The current entity, or None: one statement on this thread, which SQLite runs on one state."""
        reader = self._readers.mine()
        if reader.depth == 0:
            reader.session.look_again()
        try:
            return reader.snapshot.get(tenant, entity_id)
        except apsw.Error as error:
            raise failed(self._path, error) from error

    def snapshot(self) -> AbstractContextManager[TablesSnapshot]:
        """A snapshot for this thread; inside another one, the same state."""
        return _Snapshot(self._readers.mine(), self._path)

    def _open_reader(self) -> SqliteSession:
        try:
            session = SqliteSession(open_reader(self._path, self._vfs), self._path, self._cold_tables)
        except apsw.Error as error:
            raise failed(self._path, error) from error
        session.tail = self._session.tail
        return session

    def on_commit(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Calls `callback(last_seq)` after each commit; returns how to stop that. See the port."""
        if self.shared:
            with self._watching:
                if self._watch is None:
                    self._watch = Watch(self._path, self._vfs, self._writer.tell)
        return self._writer.on_commit(callback)

    def last_document(self) -> int:
        """The last event that put or deleted a document."""
        session = self._readers.mine().session
        try:
            seq: int = session.value("SELECT coalesce(max(seq), 0) FROM document_change")
        except apsw.Error as error:
            raise failed(self._path, error) from error
        return seq

    def ask_last_document(self) -> Future[int]:
        """The same, as what is asked of a server."""
        return self.read(lambda _: self.last_document())

    def backup(self, target: str, progress: Callable[[float], None] | None = None) -> None:
        """Writes a consistent copy to the file `target` while the store is in use.

        Raises:
            ConfigurationError: `target` exists already, or cannot be written.
        """
        copy_database(self._path, Path(target), progress)

    @property
    def trouble(self) -> str:
        """Why nothing can be written now; "" when it can."""
        return self._writer.trouble.reason

    def stats(self) -> dict[str, Any]:
        """Sizes and counts for `/metrics` and `doctor`."""
        log = self._path.with_name(self._path.name + "-wal")
        with self.snapshot() as snapshot:
            deliveries = snapshot.delivery_counts()
            return {
                "fileBytes": self._path.stat().st_size,
                "logBytes": log.stat().st_size if log.exists() else 0,
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
        return {**self._writer.stats(), "checkpoints": self._writer.counters.checkpoints}

    def close(self) -> None:
        """Finishes what is queued and closes the files. No snapshot may be in use any more."""
        if self._readers.closed:
            return
        self.cold.close()
        if self._watch is not None:
            self._watch.close()
        self._writer.close()
        self._readers.close()
        try:
            self._session.connection.close(True)
        except apsw.Error as error:
            raise failed(self._path, error) from error
        finally:
            if self._turn is not None:
                self._turn.close()
            if self._alone is not None:
                self._alone.close()
            if self._lock is not None:
                self._lock.release()
