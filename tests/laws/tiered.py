"""A store whose history moves to the cold tables after every write, before anything else is done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from cityloom.store.ports import Snapshot, Store, Transaction

T = TypeVar("T")
LATER: Final = 4_000_000_000_000_000
"""After everything that the law's tests write."""


class TieredStore:
    """Passes everything on; whoever reads or writes next finds all history in the cold tables."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writes: list[Future[Any]] = []
        self.cold = store.cold
        self.shared = store.shared

    def submit(self, work: Callable[[Transaction], T], size: int = 0) -> Future[T]:
        self._move()
        future = self._store.submit(work, size)
        self._writes.append(future)
        return future

    def read(self, work: Callable[[Snapshot], T]) -> Future[T]:
        self._move()
        return self._store.read(work)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        self._move()
        return self._store.snapshot()

    def on_commit(self, callback: Callable[[int], None]) -> Callable[[], None]:
        return self._store.on_commit(callback)

    def last_document(self) -> int | None:
        return self._store.last_document()

    def ask_last_document(self) -> Future[int]:
        return self._store.ask_last_document()

    def backup(self, target: str, progress: Callable[[float], None] | None = None) -> None:
        self._store.backup(target, progress)

    @property
    def trouble(self) -> str:
        return self._store.trouble

    def stats(self) -> dict[str, Any]:
        return self._store.stats()

    def own_stats(self) -> dict[str, int]:
        return self._store.own_stats()

    def close(self) -> None:
        self._store.close()

    def _move(self) -> None:
        """Moves, when there were writes and none is under way: a law may hold the writer up."""
        if self._writes and all(future.done() for future in self._writes):
            self._writes.clear()
            assert self.cold is not None
            self.cold.move(LATER)
