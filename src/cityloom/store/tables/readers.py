"""Who reads a store: some threads, and for each thread that reads a session of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from cityloom.model.errors import StoreFailed
from cityloom.store.tables.base.session import Session
from cityloom.store.tables.snapshot import TablesSnapshot

S = TypeVar("S", bound=Session)
T = TypeVar("T")
READERS: Final = 4
"""Threads that read: more would only wait for the processors."""


class Reader(Generic[S]):
    """A thread's session, and how deep in snapshots the thread is."""

    def __init__(self, session: S) -> None:
        self.session = session
        self.snapshot = TablesSnapshot(session)
        self.depth = 0


class Readers(Generic[S]):
    """The readers of one store.

    Args:
        name: what the store is called in errors.
        opener: makes a session, for the thread that asks.
        end: closes one.
    """

    def __init__(self, name: str, opener: Callable[[], S], end: Callable[[S], None]) -> None:
        self._name = name
        self._opener = opener
        self._end = end
        self._local = threading.local()
        self._all: list[Reader[S]] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self.closed = False

    def mine(self) -> Reader[S]:
        """This thread's reader. Raises StoreFailed: the store is closed, or has failed."""
        reader: Reader[S] | None = getattr(self._local, "reader", None)
        if reader is None:
            with self._lock:
                if self.closed:
                    raise self.is_closed()
                reader = Reader(self._opener())
                self._all.append(reader)
            self._local.reader = reader
        return reader

    def run(self, work: Callable[[], T]) -> Future[T]:
        """Does it on a thread that reads. Raises StoreFailed: the store is closed."""
        try:
            return self._pool.submit(work)
        except RuntimeError:
            raise self.is_closed() from None

    def is_closed(self) -> StoreFailed:
        """What is told to who comes too late."""
        return StoreFailed(f"the store {self._name} is closed")

    def close(self) -> None:
        """Waits for what is being read, and closes all sessions."""
        self._pool.shutdown()
        with self._lock:
            self.closed = True
            for reader in self._all:
                self._end(reader.session)
            self._all.clear()
        self._local = threading.local()
