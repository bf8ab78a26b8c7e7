"""Group commit: works from many threads, one writer thread, one transaction and one sync for many.

A work is answered only when the commit that holds it is durable. It runs in a
savepoint of its own, so a refusal undoes that work alone; a failed commit
answers every work in it with StoreFailed, and writes are refused until the
writer has found that it can commit again (`Trouble`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

import structlog
from msgspec import Struct

from cityloom.model.clock import Clock
from cityloom.model.errors import Overloaded, StoreFailed
from cityloom.store.ports import Transaction
from cityloom.store.tables.base.session import Mark, Session
from cityloom.store.tables.base.trouble import TRY_SECONDS, Trouble
from cityloom.store.tables.entities.tallies import Tallies, decode_tally, encode_tally, take_all
from cityloom.store.tables.snapshot import TablesTransaction

GROUP_SECONDS: Final = 0.05
"""How long works may join a group: nobody waits longer for others' works than this and one work."""
GROUP_WORKS: Final = 1000
WIPE_AGAIN_SECONDS: Final = 0.05
"""How soon an erasure is tried again that something stood in the way of."""

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
        transaction: makes what a work is given.
        name: the store's, for messages.
        queue_items: works that may wait.
        queue_bytes: bytes that waiting works may hold together; a single larger one is let in alone.
    """

    def __init__(
        self,
        session: Session,
        transaction: Callable[[Session, int, Tallies], TablesTransaction],
        name: str,
        clock: Clock,
        *,
        queue_items: int,
        queue_bytes: int,
    ) -> None:
        self._db = session
        self._transaction = transaction
        self._name = name
        self._clock = clock
        self._most_items = queue_items
        self._most_bytes = queue_bytes
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self.wipe = False
        self._callbacks: list[Callable[[int], None]] = []
        self.counters = Counters()
        self.trouble = Trouble(name)
        session.pulse  # noqa: B018  (read before the thread starts: a damaged file is told at once)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> tuple[int, int]:
        """(works, bytes) in the queue."""
        return len(self._queue), self._bytes

    def stats(self) -> dict[str, int]:
        """What the store's `own_stats` tell of writing."""
        works, size = self.waiting
        return {
            "queueWorks": works,
            "queueBytes": size,
            "works": self.counters.works,
            "refused": self.counters.refused,
            "commits": self.counters.commits,
            "failedCommits": self.counters.failed_commits,
            "writable": int(not self.trouble),
            "largestGroup": self.counters.largest_group,
        }

    def submit(self, work: Callable[[Transaction], Any], size: int) -> Future[Any]:
        """Queues a work.

        Raises:
            Overloaded: the queue is full.
            StoreFailed: the store is closed, or cannot be written.
        """
        if self.trouble:
            raise self.trouble.refusal()
        future: Future[Any] = Future()
        # A future that runs cannot be cancelled: whoever goes away does not stop their write.
        future.set_running_or_notify_cancel()
        with self._changed:
            if self._closing:
                raise StoreFailed(f"the store {self._name} is closed")
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
        """Calls `callback(last_seq)` after each commit, and by `tell`; returns how to stop that."""
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
            if self.trouble:
                self._answer([Done(each.future, None, self.trouble.refusal()) for each in first])
                if self.has_room():
                    self._try_again()
            elif first:
                self._answer(self._commit_group(first[0]))
            if not self.trouble:
                self.tidy()

    def _next(self) -> list[Waiting] | None:
        """The next work; an empty list when there is tidying to do instead; None at the end."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                again = TRY_SECONDS if self.trouble else WIPE_AGAIN_SECONDS if self.wipe else None
                if not self._changed.wait(again):
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
        db = self._db
        group: list[Done] = []
        mark: Mark | None = None
        pending: Tallies = {}
        wipe = False
        waiting: Waiting | None = first
        # The pace of the machine, not the city's time: works join for so long.
        end = time.monotonic() + GROUP_SECONDS
        try:
            db.begin()
            mark = db.mark()
            while waiting is not None:
                done, transaction = self._run_work(waiting, pending)
                group.append(done)
                waiting = None
                if transaction is not None:
                    take_all(pending, transaction.counted)
                    wipe = wipe or transaction.wipe
                if len(group) < GROUP_WORKS and time.monotonic() < end:
                    waiting = self._more()
            if db.changed:
                self._write_tallies(pending)
            if db.commit():
                self.counters.commits += 1
        except Exception as error:  # whatever it was, everyone is answered and the thread lives on
            self._give_up(mark)
            self.counters.failed_commits += 1
            if waiting is not None:
                group.append(Done(waiting.future, None, None))
            failure = db.failed(error)
            if db.is_ours(error):
                self.trouble.begin(failure, error)
                self._try_again()
            else:
                _log.exception("commit failed", works=len(group))
            return [done._replace(error=done.error or failure) for done in group]
        db.settle()
        self.wipe = self.wipe or wipe
        self.counters.works += len(group)
        self.counters.largest_group = max(self.counters.largest_group, len(group))
        return group

    def _run_work(self, waiting: Waiting, pending: Tallies) -> tuple[Done, TablesTransaction | None]:
        """Runs one work in a savepoint.

        Raises:
            Exception: the whole transaction is lost.
        """
        db = self._db
        mark = db.mark()
        db.pulse.at = max(self._clock.now(), db.pulse.at + 1)
        transaction = self._transaction(db, db.pulse.at, pending)
        db.savepoint()
        try:
            result = waiting.work(transaction)
        except BaseException as error:
            db.undo_work()
            db.undo(mark)
            if isinstance(error, Exception) and db.is_ours(error):
                error = db.failed(error)
            return Done(waiting.future, None, error), None
        db.keep_work()
        return Done(waiting.future, result, None), transaction

    def _try_again(self) -> None:
        """Ends the trouble when a small commit succeeds and there is room for more."""
        if self._commit_little() and self.has_room():
            self.trouble.end()

    def _commit_little(self) -> bool:
        """Commits next to nothing; whether that is possible.

        After a commit that failed at its very end it stands where that one would have stood in a log of
        the database: a process that is killed now would find it there when it starts again.
        """
        try:
            self._db.begin()
            self._db.run("UPDATE pulse SET seq = seq")
            self._db.commit()
        except Exception as error:
            self._give_up(None)
            self.trouble.begin(self._db.failed(error), error)
            return False
        return True

    def has_room(self) -> bool:
        """Whether it is worth while to try again, as far as that can be told without trying."""
        return True

    def _write_tallies(self, pending: Tallies) -> None:
        """Adds what the group counted to what is stored: each tenant's types are read at once."""
        db = self._db
        types: dict[int, list[int]] = {}
        for tenant, type in pending:
            types.setdefault(tenant, []).append(type)
        sql = f"SELECT type, body FROM tally WHERE tenant = ? AND {db.dialect.is_number_of('type', '?')}"
        for tenant, wanted in types.items():
            for type, body in db.rows(sql, (tenant, db.dialect.numbers(wanted))):
                stored = decode_tally(body)
                stored.add(pending[tenant, type])
                pending[tenant, type] = stored
        if pending:
            db.change_many(
                "INSERT INTO tally (tenant, type, body) VALUES (?, ?, ?)"
                " ON CONFLICT (tenant, type) DO UPDATE SET body = excluded.body",
                [(*key, encode_tally(tally.settled())) for key, tally in pending.items()],
            )

    def _give_up(self, mark: Mark | None) -> None:
        """Undoes the whole transaction, in the database and in memory."""
        db = self._db
        try:
            db.rollback()
        except Exception as error:
            if not db.is_ours(error):
                raise
            _log.error("rollback failed", reason=str(error))
        if mark is not None:
            db.undo(mark)

    def _answer(self, group: list[Done]) -> None:
        for future, result, error in group:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        self.tell(self._db.pulse.seq)

    def tell(self, seq: int) -> None:
        """Tells those who follow the log that it goes to `seq`."""
        for callback in self._callbacks:
            try:
                callback(seq)
            except Exception:
                _log.exception("a follower of the log failed to wake")

    def tidy(self) -> None:
        """What a database needs between two transactions, after the answers, so that nobody waits for it."""
