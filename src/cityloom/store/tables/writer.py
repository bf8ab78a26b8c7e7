"""Group commit: works from many threads, one writer thread, one transaction and one sync for many.

A work is answered only when the commit that holds it is durable. It runs in a
savepoint of its own, so a refusal undoes that work alone; a failed commit
answers every work in it with StoreFailed, and the writer goes on.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
import structlog
from msgspec import Struct

from cityloom.model.clock import Clock
from cityloom.model.errors import Overloaded, StoreFailed
from cityloom.store.ports import Transaction
from cityloom.store.sqlite.connection import BUSY_MS, failed
from cityloom.store.tables.session import Session
from cityloom.store.tables.snapshot import SqliteTransaction
from cityloom.store.tables.tallies import Tallies, add_all, decode_tally, encode_tally

GROUP_SECONDS: Final = 0.05
"""How long works may join a group: nobody waits longer for others' works than this and one work."""
GROUP_WORKS: Final = 1000
CHECKPOINT_PAGES: Final = 8192
"""Pages in the write-ahead log (of 4 KiB: 32 MiB) from which it is moved into the file."""
LONG_LOG: Final = 8
"""Times that the log may grow before readers are waited for, so that it can begin anew."""
_WIPE_AGAIN_SECONDS: Final = 0.05

_log = structlog.get_logger("store")


class Waiting(NamedTuple):
    """A work in the queue, or in the group that is being committed."""

    work: Callable[[Transaction], Any]
    size: int
    future: Future[Any]


class Done(NamedTuple):
    """A work that ran, and what its future will be told when the group is committed."""

    future: Future[Any]
    result: Any
    error: BaseException | None


class Counters(Struct):
    """What the writer did since it was started."""

    works: int = 0
    refused: int = 0
    commits: int = 0
    failed_commits: int = 0
    largest_group: int = 0
    checkpoints: int = 0


class Writer:
    """The thread that writes, and the queue before it.

    Args:
        session: the writing connection; only this thread uses it from now on.
        path: the file, for messages.
        queue_items: works that may wait.
        queue_bytes: bytes that waiting works may hold together; a single larger one is let in alone.
    """

    def __init__(
        self, session: Session, path: Path, clock: Clock, *, queue_items: int, queue_bytes: int
    ) -> None:
        self._db = session
        self._path = path
        self._clock = clock
        self._most_items = queue_items
        self._most_bytes = queue_bytes
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._wipe = False
        self._callbacks: list[Callable[[int], None]] = []
        self._log_pages = 0
        self._moved_pages = 0
        self.counters = Counters()
        session.pulse  # noqa: B018  (read before the thread starts: a damaged file is told at once)
        session.connection.set_wal_hook(self._saw_log)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> tuple[int, int]:
        """(works, bytes) in the queue."""
        return len(self._queue), self._bytes

    def submit(self, work: Callable[[Transaction], Any], size: int) -> Future[Any]:
        """Queues a work.

        Raises:
            Overloaded: the queue is full.
            StoreFailed: the store is closed.
        """
        future: Future[Any] = Future()
        # A future that runs cannot be cancelled: whoever goes away does not stop their write.
        future.set_running_or_notify_cancel()
        with self._changed:
            if self._closing:
                raise StoreFailed(f"the store {self._path} is closed")
            if len(self._queue) >= self._most_items or (
                self._queue and self._bytes + size > self._most_bytes
            ):
                self.counters.refused += 1
                raise Overloaded(
                    f"the writer's queue is full: {len(self._queue)} writes, {self._bytes} bytes"
                )
            self._queue.append(Waiting(work, size, future))
            self._bytes += size
            self._changed.notify()
        return future

    def on_commit(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Calls `callback(last_seq)` after each commit; returns how to stop that."""
        self._callbacks = [*self._callbacks, callback]

        def stop() -> None:
            self._callbacks = [each for each in self._callbacks if each is not callback]

        return stop

    def close(self) -> None:
        """Finishes what is queued and ends the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    # -- the thread ------------------------------------------------------------

    def _run(self) -> None:
        while (first := self._next()) is not None:
            if first:
                self._answer(self._commit_group(first[0]))
            self._tidy()

    def _next(self) -> list[Waiting] | None:
        """The next work; an empty list when there is tidying to do instead; None at the end."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                if not self._changed.wait(_WIPE_AGAIN_SECONDS if self._wipe else None):
                    return []
            return [self._take()]

    def _take(self) -> Waiting:
        waiting = self._queue.popleft()
        self._bytes -= waiting.size
        return waiting

    def _more(self) -> Waiting | None:
        with self._changed:
            return self._take() if self._queue else None

    def _commit_group(self, first: Waiting) -> list[Done]:
        """Runs works until none waits or the group is large enough, and commits them."""
        db, connection = self._db, self._db.connection
        group: list[Done] = []
        mark = db.mark()
        pending: Tallies = {}
        wipe = False
        waiting: Waiting | None = first
        # The pace of the machine, not the city's time: works join for so long.
        end = time.monotonic() + GROUP_SECONDS
        try:
            connection.execute("BEGIN IMMEDIATE")
            changes = connection.total_changes()
            while waiting is not None:
                done, transaction = self._run_work(waiting, pending)
                group.append(done)
                waiting = None
                if transaction is not None:
                    add_all(pending, transaction.counted)
                    wipe = wipe or transaction.wipe_log
                if len(group) < GROUP_WORKS and time.monotonic() < end:
                    waiting = self._more()
            if connection.total_changes() == changes:
                connection.execute("ROLLBACK")
            else:
                self._write_tallies(pending)
                connection.execute(
                    "UPDATE pulse SET seq = ?, at = ?, incarnation = ?",
                    (db.pulse.seq, db.pulse.at, db.pulse.incarnation),
                )
                connection.execute("COMMIT")
                self.counters.commits += 1
        except Exception as error:  # whatever it was, everyone is answered and the thread lives on
            self._give_up(mark)
            if waiting is not None:
                group.append(Done(waiting.future, None, None))
            _log.error("commit failed", reason=str(error), works=len(group))
            failure = failed(self._path, error)
            return [done._replace(error=done.error or failure) for done in group]
        db.settle()
        self._wipe = self._wipe or wipe
        self.counters.works += len(group)
        self.counters.largest_group = max(self.counters.largest_group, len(group))
        return group

    def _run_work(self, waiting: Waiting, pending: Tallies) -> tuple[Done, SqliteTransaction | None]:
        """Runs one work in a savepoint.

        Raises:
            apsw.Error: the whole transaction is lost.
        """
        db, connection = self._db, self._db.connection
        mark = db.mark()
        db.pulse.at = max(self._clock.now(), db.pulse.at + 1)
        transaction = SqliteTransaction(db, db.pulse.at, pending)
        connection.execute("SAVEPOINT work")
        try:
            result = waiting.work(transaction)
        except BaseException as error:
            if not connection.in_transaction:
                raise apsw.AbortError(f"the transaction was lost: {error}") from error
            db.close_cursors()
            connection.execute("ROLLBACK TO work")
            connection.execute("RELEASE work")
            db.undo(mark)
            if isinstance(error, apsw.Error):
                error = failed(self._path, error)
            return Done(waiting.future, None, error), None
        db.close_cursors()
        connection.execute("RELEASE work")
        return Done(waiting.future, result, None), transaction

    def _write_tallies(self, pending: Tallies) -> None:
        for key, change in pending.items():
            body = self._db.value("SELECT body FROM tally WHERE tenant = ? AND type = ?", key)
            if body is not None:
                stored = decode_tally(body)
                stored.add(change)
                change = stored
            self._db.run(
                "INSERT OR REPLACE INTO tally (tenant, type, body) VALUES (?, ?, ?)",
                (*key, encode_tally(change.settled())),
            )

    def _give_up(self, mark: Any) -> None:
        """Undoes the whole transaction, in the file and in memory."""
        db = self._db
        db.close_cursors()
        if db.connection.in_transaction:
            try:
                db.connection.execute("ROLLBACK")
            except apsw.Error as error:
                _log.error("rollback failed", reason=str(error))
        db.undo(mark)
        self.counters.failed_commits += 1

    def _answer(self, group: list[Done]) -> None:
        for future, result, error in group:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        seq = self._db.pulse.seq
        for callback in self._callbacks:
            try:
                callback(seq)
            except Exception:
                _log.exception("a follower of the log failed to wake")

    # -- the write-ahead log -----------------------------------------------------

    def _saw_log(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _tidy(self) -> None:
        """Moves the write-ahead log into the file when it is long, and empties it after an erasure.

        After the answers, so that nobody waits for it.
        """
        if self._log_pages < self._moved_pages:
            self._moved_pages = 0  # the log began anew
        if self._wipe:
            mode = apsw.SQLITE_CHECKPOINT_TRUNCATE
        elif self._log_pages - self._moved_pages < CHECKPOINT_PAGES:
            return
        elif self._log_pages > LONG_LOG * CHECKPOINT_PAGES:
            mode = apsw.SQLITE_CHECKPOINT_RESTART
        else:
            mode = apsw.SQLITE_CHECKPOINT_PASSIVE
        self._moved_pages = self._log_pages
        connection = self._db.connection
        try:
            connection.set_busy_timeout(int(_WIPE_AGAIN_SECONDS * 1000))
            connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return  # a reader stands in the way: tried again after the next commit or soon
        except apsw.Error as error:
            _log.error("checkpoint failed", reason=str(error))
            return
        finally:
            connection.set_busy_timeout(BUSY_MS)
        self._wipe = False
        self.counters.checkpoints += 1
