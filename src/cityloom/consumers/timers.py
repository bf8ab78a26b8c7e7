"""Durable timers of one consumer: set in a transaction, due by the `Clock`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from cityloom.consumers.failures import Failures
from cityloom.consumers.follow import Outcome
from cityloom.consumers.lease import LeaseLost
from cityloom.consumers.waiting import within
from cityloom.model.clock import Clock
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Snapshot, Store, Transaction

_LONGEST_SLEEP = 60.0
_AT_ONCE = 100
"""Timers whose writes wait for the writer together: others' writes come between."""


class Timers:
    """Calls `fire` for each due timer and takes the timer away with what `fire` writes.

    `fire` may set the timer again in the work that it returns. `timer_set` is
    set after a commit that set one: the loop sleeps until the earliest it knows.
    """

    def __init__(
        self,
        store: Store,
        consumer: str,
        clock: Clock,
        fire: Callable[[Timer], Awaitable[Outcome | None]],
        timer_set: asyncio.Event,
    ) -> None:
        self._store = store
        self._consumer = consumer
        self._clock = clock
        self._fire = fire
        self._wake = timer_set

    async def run(self) -> None:
        """Fires timers until it is cancelled."""
        failures = Failures("timer failed", consumer=self._consumer)
        while True:
            self._wake.clear()
            try:
                due = await self._due()
                failed: list[BaseException] = []
                for first in range(0, len(due), _AT_ONCE):
                    failed += await self._run_some(due[first : first + _AT_ONCE])
                if failed:
                    raise next((one for one in failed if isinstance(one, LeaseLost)), failed[0])
                if due:
                    continue
                delay = await self._delay()
                failures.well()
            except LeaseLost:
                raise
            except Exception as error:
                delay = failures.failed(error)
            await within(delay, self._wake)

    async def _due(self) -> list[Timer]:
        now = self._clock.now()

        def read(snapshot: Snapshot) -> list[Timer]:
            return snapshot.timers_due(self._consumer, now)

        return await asyncio.wrap_future(self._store.read(read))

    async def _delay(self) -> float:
        def read(snapshot: Snapshot) -> int | None:
            return snapshot.next_timer(self._consumer)

        following = await asyncio.wrap_future(self._store.read(read))
        if following is None:
            return _LONGEST_SLEEP
        return min(max((following - self._clock.now()) / 1e6, 0.0), _LONGEST_SLEEP)

    async def _run_some(self, timers: Sequence[Timer]) -> list[BaseException]:
        """One after the other, in order; what they write shares its commits.

        One that fails stays, and does not keep the others. Gives what failed.
        """
        failed: list[BaseException] = []
        writes: list[tuple[Outcome | None, asyncio.Future[None]]] = []
        for timer in timers:
            try:
                outcome = await self._fire(timer)
            except Exception as error:
                failed.append(error)
            else:
                commit = partial(_commit, timer, outcome)
                writes.append((outcome, asyncio.wrap_future(self._store.submit(commit))))
        ended = await asyncio.gather(*(written for _, written in writes), return_exceptions=True)
        for (outcome, _), failure in zip(writes, ended, strict=True):
            if failure is not None:
                failed.append(failure)
            elif outcome is not None:
                outcome.then()
        return failed


def _commit(timer: Timer, outcome: Outcome | None, tx: Transaction) -> None:
    tx.cancel_timer(timer.consumer, timer.tenant, timer.key)
    if outcome is not None:
        outcome.work(tx)
