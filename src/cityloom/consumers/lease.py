"""Who does what one process alone may do: leases in the store, taken over from processes that are gone.

Each process has a lease of its own, which it renews: a process that does not is gone. What one process
alone may do has a lease, which belongs to a process until that is gone, or gives it up. Who waits for
one measures by its own clock how long the other was silent, so clocks need not agree. A process that
was only slow, and lost a lease, cannot write any more what it holds the lease for: each such write looks
at the lease in its own transaction (`Fenced`).
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeVar

import structlog

from cityloom.consumers.failures import Failures
from cityloom.model.clock import Clock
from cityloom.model.entity import Entity
from cityloom.model.errors import CityloomError
from cityloom.store.history_ports import ColdHistory
from cityloom.store.log_ports import Lease
from cityloom.store.ports import Snapshot, Store, Transaction

T = TypeVar("T")
_PROCESS: Final = "process:"
_BEATS: Final = 6
"""Beats in the time after which a process that is silent counts as gone."""
_WELL_AFTER: Final = 60.0
"""Seconds after which a part that fails counts as one that had worked."""

_log = structlog.get_logger("consumers")


class LeaseLost(Exception):
    """Another process does this now: whoever gets this ends, and writes nothing."""


class Part(Protocol):
    """What one process does as long as it holds a lease, each time anew."""

    async def start(self) -> None:
        """Takes up what is there; when this returns nothing that is committed is missed."""
        ...

    async def run(self) -> None:
        """Does it until it is cancelled."""
        ...


class Together:
    """Parts of the house that are done under one lease.

    Args:
        start: done one after the other.
        run: done at once; when one fails all end, to be begun again.
    """

    def __init__(
        self,
        *,
        run: Sequence[Callable[[], Coroutine[Any, Any, None]]],
        start: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        self._start = start
        self._run = run

    async def start(self) -> None:
        """See `Part`."""
        for start in self._start:
            await start()

    async def run(self) -> None:
        """See `Part`."""
        async with asyncio.TaskGroup() as group:
            for run in self._run:
                group.create_task(run())


class Leases:
    """The leases of this process.

    Args:
        silence: seconds after which a process counts as gone.
        enter: done in the first transaction, before this process answers anybody.

    In a store that nobody else writes to all leases are this process's from the start, and none is renewed.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        silence: float,
        enter: Callable[[Transaction], None] = lambda tx: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._parts: Mapping[str, Part] = {}
        self._silence = silence
        self._enter = enter
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._epochs: dict[str, int] = {}
        self._terms: dict[str, asyncio.Task[None]] = {}
        self._others: dict[str, tuple[int, int]] = {}
        """process -> when it showed itself last (µs, its clock), and when that was seen here first"""
        self._beaten = 0

    @property
    def held(self) -> Sequence[str]:
        """The leases that this process holds, as far as it knows."""
        return sorted(self._epochs)

    def alive(self, holder: str) -> bool:
        """Whether a process is there, as was seen with the last beat."""
        return holder == self.holder or holder in self._others

    def fenced(self, name: str) -> Fenced:
        """The store for what is done under a lease."""
        return Fenced(self._store, lambda: self._fence(name))

    async def start(self, parts: Mapping[str, Part]) -> None:
        """Takes what nobody has, and starts what is done under it.

        Args:
            parts: what is done under each lease, by its name.
        """
        self._parts = parts
        await asyncio.wrap_future(self._store.submit(self._enter))
        await self._beat(started=True)

    async def run(self) -> None:
        """Renews the leases, and takes over those of processes that are gone, until it is cancelled."""
        if not self._store.shared:
            await asyncio.Event().wait()
        failures = Failures("leases not renewed")
        while True:
            await asyncio.sleep(self._silence / _BEATS)
            try:
                await self._beat()
                failures.well()
            except (CityloomError, TimeoutError) as error:
                late = CityloomError("the store did not answer in time")
                failures.failed(error if isinstance(error, CityloomError) else late)
                if self._clock.now() - self._beaten > self._silence * 1e6:
                    # Others may have them by now.
                    await self._end_terms(list(self._terms))

    async def stop(self) -> None:
        """Ends what is done under the leases, and gives them up for others to take at once."""
        await self._end_terms(list(self._terms))
        try:
            await asyncio.wrap_future(self._store.submit(self._give_up))
        except CityloomError as error:
            _log.warning("leases not given up", reason=error.detail)

    # -- within ------------------------------------------------------------

    async def _beat(self, *, started: bool = False) -> None:
        async with asyncio.timeout(None if started else self._silence / 2):
            epochs = await asyncio.wrap_future(self._store.submit(self._renew))
        self._beaten = self._clock.now()
        lost = [name for name in self._terms if epochs.get(name) != self._epochs.get(name)]
        await self._end_terms(lost)
        for name in epochs.keys() - self._terms.keys():
            self._epochs[name] = epochs[name]
            if self._store.shared:
                _log.info("lease taken", lease=name, epoch=epochs[name])
            begun = asyncio.Event()
            self._terms[name] = asyncio.create_task(self._term(name, begun))
            if started:
                await begun.wait()

    def _renew(self, tx: Transaction) -> dict[str, int]:
        """What the store says, and what this process takes of it: the epochs of its leases."""
        known = {lease.name: lease for lease in tx.leases()}
        self._look_at(tx, known)
        mine = _PROCESS + self.holder
        if self._store.shared:
            tx.put_lease(Lease(name=mine, holder=self.holder, epoch=0, at=tx.now))
        epochs: dict[str, int] = {}
        for name in self._parts:
            lease = known.get(name)
            if lease is None or not self.alive(lease.holder):
                epoch = 1 if lease is None else lease.epoch + 1
                lease = Lease(name=name, holder=self.holder, epoch=epoch, at=tx.now)
                tx.put_lease(lease)
            if lease.holder == self.holder:
                epochs[name] = lease.epoch
        return epochs

    def _look_at(self, tx: Transaction, known: Mapping[str, Lease]) -> None:
        """Sees which other processes are there, and forgets those that are gone."""
        now = self._clock.now()
        others: dict[str, tuple[int, int]] = {}
        for name, lease in known.items():
            if not name.startswith(_PROCESS) or lease.holder == self.holder:
                continue
            at, since = self._others.get(lease.holder, (0, now))
            if at != lease.at:
                since = now
            if self._store.shared and now - since < self._silence * 1e6:
                others[lease.holder] = (lease.at, since)
            else:
                tx.drop_lease(name)
                _log.warning("a process is gone", process=lease.holder)
        self._others = others

    def _give_up(self, tx: Transaction) -> None:
        for lease in tx.leases():
            if lease.holder != self.holder:
                continue
            if lease.name.startswith(_PROCESS):
                tx.drop_lease(lease.name)
            else:
                tx.put_lease(Lease(name=lease.name, holder="", epoch=lease.epoch, at=tx.now))

    def _fence(self, name: str) -> Callable[[Transaction], None]:
        epoch = self._epochs.get(name)

        def check(tx: Transaction) -> None:
            lease = tx.lease(name)
            if lease is None or (lease.holder, lease.epoch) != (self.holder, epoch):
                raise LeaseLost(name)

        return check

    async def _term(self, name: str, begun: asyncio.Event) -> None:
        """Does what is done under a lease until it is lost; what fails is told and begun again."""
        part = self._parts[name]
        failures = Failures("background part failed", part=name)
        wait: float | None = 0.0
        while wait is not None:
            await asyncio.sleep(wait)
            started = time.monotonic()
            try:
                await part.start()
                begun.set()
                # In a task of its own: a TaskGroup that failed leaves its task marked as cancelled (3.11),
                # and this one would take that for its own end.
                await asyncio.create_task(part.run())
            except Exception as error:
                if _ends():
                    return  # it failed while it ended
                causes = _causes(error)
                if any(isinstance(each, LeaseLost) for each in causes):
                    _log.warning("lease lost", lease=name)
                    wait = None
                else:
                    if time.monotonic() - started > _WELL_AFTER:
                        failures.well()
                    wait = failures.failed(causes[0])
            begun.set()

    async def _end_terms(self, names: Sequence[str]) -> None:
        tasks = [self._terms.pop(name) for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Only now: what they write at their end is written in their term.
        for name in names:
            self._epochs.pop(name, None)


def _ends() -> bool:
    """Whether the running task is to end: what failed at that has hidden it (3.11)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _causes(error: BaseException) -> list[Exception]:
    """What failed, of parts that ran at once."""
    if isinstance(error, BaseExceptionGroup):
        return [cause for part in error.exceptions for cause in _causes(part)]
    return [error] if isinstance(error, Exception) else []


class Fenced:
    """A store whose works write nothing when the lease that they are done under is lost.

    Args:
        fence: what looks at the lease, in the term in which it is asked for.
    """

    def __init__(self, store: Store, fence: Callable[[], Callable[[Transaction], None]]) -> None:
        self._store = store
        self._fence = fence

    @property
    def shared(self) -> bool:
        """As the store."""
        return self._store.shared

    @property
    def cold(self) -> ColdHistory | None:
        """As the store's, with works that are fenced as well."""
        cold = self._store.cold
        return None if cold is None else cold.through(self)

    def submit(self, work: Callable[[Transaction], T], size: int = 0) -> Future[T]:
        """As the store. The future raises LeaseLost when another process has the lease."""
        check = self._fence()

        def fenced(tx: Transaction) -> T:
            check(tx)
            return work(tx)

        return self._store.submit(fenced, size)

    def read(self, work: Callable[[Snapshot], T]) -> Future[T]:
        """As the store."""
        return self._store.read(work)

    def get(self, tenant: str, entity_id: str) -> Entity | None:
        """As the store."""
        return self._store.get(tenant, entity_id)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """As the store."""
        return self._store.snapshot()

    def last_document(self) -> int | None:
        """As the store."""
        return self._store.last_document()

    def ask_last_document(self) -> Future[int]:
        """As the store."""
        return self._store.ask_last_document()

    def on_commit(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """As the store."""
        return self._store.on_commit(callback)

    def backup(self, target: str, progress: Callable[[float], None] | None = None) -> None:
        """As the store."""
        self._store.backup(target, progress)

    @property
    def trouble(self) -> str:
        """As the store."""
        return self._store.trouble

    def stats(self) -> dict[str, Any]:
        """As the store."""
        return self._store.stats()

    def own_stats(self) -> dict[str, int]:
        """As the store."""
        return self._store.own_stats()

    def close(self) -> None:
        """As the store."""
        self._store.close()
