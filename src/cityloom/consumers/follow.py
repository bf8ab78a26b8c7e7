"""One consumer of the event log, with its durable cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from cityloom.consumers.failures import Failures
from cityloom.consumers.waiting import within
from cityloom.model.errors import CityloomError
from cityloom.model.events import Event
from cityloom.store.ports import Snapshot, Store, Transaction

Work = Callable[[Transaction], None]


class Outcome(NamedTuple):
    """What dealing with events comes to: writes, and what to do once they are committed."""

    work: Work
    then: Callable[[], None] = lambda: None


Handler = Callable[[Sequence[Event]], Awaitable[Outcome | None]]

IDLE_MARK = 1000
"""Events without work after which the cursor is moved all the same."""
IDLE_SECONDS = 0.2
"""Or when nothing happened for so long."""


class Follower:
    """Hands the log to `handle`, in order and without a gap.

    The writes that `handle` returns are committed together with the cursor,
    so an event is dealt with exactly once as far as the store is concerned;
    what leaves the house must carry an id derived from (consumer, seq).
    Events that cause no write move the cursor only now and then: seeing them
    again after a restart must be harmless. A new consumer starts at the end
    of the log.
    """

    def __init__(self, store: Store, name: str, handle: Handler, *, batch: int = 500) -> None:
        self._store = store
        self._name = name
        self._handle = handle
        self._batch = batch
        self.position = 0
        self._moved = asyncio.Event()

    async def reached(self, seq: int) -> None:
        """Waits until all events up to `seq` were dealt with."""
        while self.position < seq:
            self._moved.clear()
            await self._moved.wait()

    async def start(self) -> None:
        """Takes its place in the log: what is committed after this is seen."""
        self.position = await self._start()

    async def run(self) -> None:
        """Follows the log from where `start` found it, until it is cancelled."""
        loop = asyncio.get_running_loop()
        wake = asyncio.Event()
        # Nobody has told yet of what was committed before now: the first look at the log is for that.
        told = self.position + 1
        notices = 0

        def arrived(seq: int) -> None:
            nonlocal told, notices
            told = max(told, seq)
            notices += 1
            wake.set()

        def committed(seq: int) -> None:
            if seq > self.position:
                loop.call_soon_threadsafe(arrived, seq)

        stop = self._store.on_commit(committed)
        try:
            marked = self.position
            while True:
                wake.clear()
                before = notices
                events = await self._next() if told > self.position else []
                if not events:
                    # Not by the number: who looks ahead may be told of the very event that it guessed.
                    if notices == before:
                        told = self.position
                    if self.position == marked:
                        await wake.wait()
                    elif not await within(IDLE_SECONDS, wake):
                        marked = await self._commit(None, self.position)
                    continue
                outcome = await self._until_handled(events)
                seen = events[-1].seq
                if outcome is not None or seen - marked >= IDLE_MARK:
                    marked = await self._commit(outcome, seen)
                # Only now, so that who asks how far this is finds what came of it.
                self.position = seen
                self._moved.set()
                if len(events) == self._batch:
                    told = max(told, seen + 1)  # there may be more that nobody told of
        finally:
            stop()

    async def _start(self) -> int:
        def begin(tx: Transaction) -> int:
            cursor = tx.cursor(self._name)
            if cursor is None:
                cursor = tx.last_seq()
                tx.move_cursor(self._name, cursor)
            return cursor

        return await asyncio.wrap_future(self._store.submit(begin))

    async def _next(self) -> list[Event]:
        after, batch = self.position, self._batch

        def read(snapshot: Snapshot) -> list[Event]:
            return snapshot.events(after, batch)

        failures = Failures("log not read", consumer=self._name)
        while True:
            try:
                return await asyncio.wrap_future(self._store.read(read))
            except CityloomError as error:
                await asyncio.sleep(failures.failed(error))

    async def _until_handled(self, events: Sequence[Event]) -> Outcome | None:
        """A failing handler is tried again, ever more slowly: an event is never skipped."""
        failures = Failures("consumer failed", consumer=self._name, seq=events[0].seq)
        while True:
            try:
                return await self._handle(events)
            except Exception as error:
                await asyncio.sleep(failures.failed(error))

    async def _commit(self, outcome: Outcome | None, position: int) -> int:
        def commit(tx: Transaction) -> None:
            if outcome is not None:
                outcome.work(tx)
            tx.move_cursor(self._name, position)

        failures = Failures("cursor not kept", consumer=self._name)
        while True:
            try:
                await asyncio.wrap_future(self._store.submit(commit))
            except CityloomError as error:
                await asyncio.sleep(failures.failed(error))
            else:
                if outcome is not None:
                    outcome.then()
                return position
