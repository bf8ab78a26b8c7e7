"""What every operation of the broker shares: asking `Access`, submitting works, reading snapshots."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import structlog
from msgspec import Struct

from cityloom.broker.ports import Access, Action, Call
from cityloom.model.clock import Clock
from cityloom.model.errors import NonexistentTenant, ResourceNotFound
from cityloom.model.tenants import split_tenant
from cityloom.store.entity_ports import EntityReads
from cityloom.store.ports import Snapshot, Store, Transaction

T = TypeVar("T")


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of one operation.

    `instances` is how many of an entity a temporal answer holds when nobody asked
    for more (6.3.10); `instances_max` is the most that may be asked for, and that
    one answer holds. ETSI's suite expects 40 to be cut and 20 not, hence the default.
    """

    instances: int = 30
    instances_max: int = 10_000
    batch_items: int = 500
    """Items of a batch in one work, so that the writer is not held up."""
    batch_bytes: int = 4 * 1024 * 1024
    """About how many bytes of entities one work of a batch holds, beyond its first item."""
    history_instances: int = 5000
    """Instances of a history import in one work, that is, in one event."""
    history_scan: int = 100_000
    """Entities that one temporal query may look at."""
    expire_instances: int = 5000
    """Instances that retention deletes in one work."""
    scan_seconds: float = 60.0
    """How long a scan waits for its reader before it is given up (it holds a snapshot)."""


class Door:
    """Base of the broker's use cases."""

    def __init__(self, store: Store, access: Access, clock: Clock, limits: Limits | None = None) -> None:
        self._store = store
        self._access = access
        self._clock = clock
        self._limits = limits or Limits()
        self._tenants: set[str] = {""}

    def _may(self, call: Call, action: Action, resource: str) -> None:
        self._access.check(call, action, resource)

    async def _write(
        self, call: Call, work: Callable[[Transaction], T], *, size: int = 0, creates: bool = False
    ) -> T:
        """Runs a work on the writer; one that `creates` makes an unknown tenant known (5.5.10).

        The caller's cancellation does not cancel the work: it may be half way to the disk.

        Raises:
            NonexistentTenant: the tenant does not exist and the operation makes none.
        """

        def run(tx: Transaction) -> tuple[T, int, int]:
            if call.tenant not in self._tenants:
                if creates:
                    enter_tenant(tx, call.tenant)
                else:
                    self._require_tenant(tx, call.tenant)
            before = tx.last_seq()
            return work(tx), before, tx.last_seq()

        result, before, after = await settled(self._store.submit(run, size))
        if after > before:
            # So that the request's line in the log names the last event that it made.
            structlog.contextvars.bind_contextvars(seq=after)
        self._remember(call.tenant)
        return result

    async def _read(self, call: Call, work: Callable[[Snapshot], T]) -> T:
        """Runs a reading work off the event loop, in one snapshot.

        Raises:
            NonexistentTenant: the tenant does not exist.
        """

        def run(snapshot: Snapshot) -> T:
            self._require_tenant(snapshot, call.tenant)
            return work(snapshot)

        return await asyncio.wrap_future(self._store.read(run))

    def _require_tenant(self, reads: EntityReads, tenant: str) -> None:
        if tenant in self._tenants:
            return
        require_tenant(reads, tenant)
        self._remember(tenant)

    def _remember(self, tenant: str) -> None:
        """That a tenant exists; where a snapshot stands is asked each time, since it can go."""
        if not split_tenant(tenant)[1]:
            self._tenants.add(tenant)


def require_tenant(reads: EntityReads, tenant: str) -> None:
    """Raises NonexistentTenant, or ResourceNotFound where it is a snapshot."""
    if tenant not in reads.tenants():
        _, snapshot = split_tenant(tenant)
        if snapshot:
            raise ResourceNotFound(f"snapshot {snapshot} does not exist")
        raise NonexistentTenant(f"tenant {tenant!r} does not exist")


def enter_tenant(tx: Transaction, tenant: str) -> None:
    """Makes a tenant known where an operation may do so (5.5.10).

    Raises:
        ResourceNotFound: it is a snapshot that was deleted meanwhile; who makes one makes its place.
    """
    if split_tenant(tenant)[1]:
        require_tenant(tx, tenant)
    else:
        tx.create_tenant(tenant)


async def settled(future: Future[T]) -> T:
    """The outcome of a work, which goes on when its caller goes away."""
    loop = asyncio.get_running_loop()
    arrivals = _arrivals.get(loop)
    if arrivals is None:
        arrivals = _arrivals[loop] = _Arrivals(loop)
    waiting: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(partial(arrivals.put, waiting))
    return await waiting


class _Arrivals:
    """Outcomes of works on their way to one event loop: it is woken once for all of a group."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._arrived: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._told = False

    def put(self, waiting: asyncio.Future[T], done: Future[T]) -> None:
        """Takes an outcome, on the writer's thread."""
        self._arrived.append((waiting, done))
        if not self._told and not self._loop.is_closed():
            self._told = True
            self._loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        # First, so that what arrives meanwhile wakes the loop again.
        self._told = False
        while self._arrived:
            waiting, done = self._arrived.popleft()
            if waiting.done():
                continue
            error = done.exception()
            if error is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(done.result())


_arrivals: WeakKeyDictionary[asyncio.AbstractEventLoop, _Arrivals] = WeakKeyDictionary()
