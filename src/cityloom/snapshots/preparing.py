"""Snapshots are filled: in the background, and again when a process ended before it was done.

Source: ETSI GS CIM 009 clauses 5.16.1.4, 5.16.2.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

import structlog

from cityloom.broker.ports import Broker, Call, Forwarding
from cityloom.consumers.views import Views
from cityloom.ld.context import LdContext
from cityloom.model.errors import CityloomError
from cityloom.model.events import Cause
from cityloom.model.settings import Settings
from cityloom.model.tenants import snapshot_tenant
from cityloom.snapshots.executing import Problem, executed
from cityloom.snapshots.filling import Asked, Filling, empty
from cityloom.snapshots.known import Key, Known
from cityloom.snapshots.snapshot import Snapshot, Work, document_of
from cityloom.store.ports import Store

_log = structlog.get_logger("snapshots")
_LOOK_AGAIN: Final = 1.0
"""Seconds between two looks whether another process has prepared what is to be copied."""
_RESTART: Final = Cause(kind="system", id="restart")

ReadQueries = Callable[[Call, dict[str, Any], LdContext], list[Asked]]
Resolve = Callable[[Any, str], Awaitable[LdContext]]
_Fill = Callable[[Filling], Awaitable[dict[str, Any]]]


class Queries(NamedTuple):
    """How the queries of snapshots are read.

    `resolve` gives the @context of a source, in a tenant; `read` the queries of a snapshot's document,
    its queries, then its temporal ones; `problem` writes an error as a problem document.
    """

    resolve: Resolve
    read: ReadQueries
    problem: Problem


class Preparing:
    """What is being filled by this process, by tenant and id.

    Args:
        alive: whether a process is there, which may be filling others.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        settings: Settings,
        *,
        known: Known,
        views: Views,
        queries: Queries,
        alive: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._broker = broker
        self._settings = settings
        self._known = known
        self._views = views
        self._queries = queries
        self._alive = alive
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        known.when_gone = self._cancel

    def execute(self, call: Call, snapshot: Snapshot, asked: Sequence[Asked]) -> None:
        """Fills a snapshot with the results of its queries."""
        problem = self._queries.problem
        self._begin(call, snapshot.id, lambda filling: executed(filling, snapshot, asked, problem))

    def copy(self, call: Call, id: str, cloned: str) -> None:
        """Fills a snapshot with all of another one."""
        self._begin(call, id, lambda filling: self._copied(filling, call, cloned))

    async def go_on(self, *, starting: bool = False) -> bool:
        """Prepares again what nobody does any more; whether others are preparing something.

        Args:
            starting: what no process is known of is nobody's.
        """
        preparing = [
            (key[0], one)
            for key, one in self._known.all.items()
            if one.snapshot_status == "preparing" and key not in self._tasks
        ]
        left = [
            (tenant, one)
            for tenant, one in preparing
            if one.work is None or (not self._alive(one.work.by) if one.work.by else starting)
        ]
        for tenant, snapshot in left:
            if snapshot.work is None:
                await self._known.change(tenant, snapshot.id, {"snapshot_status": "failure"}, _RESTART)
        # All at once, so that a copy finds what it is of among those being prepared.
        for tenant, snapshot in left:
            if snapshot.work is not None:
                self._again(tenant, snapshot, snapshot.work)
        return bool(preparing)

    async def end(self, key: Key) -> None:
        """Ends the filling of one, unless it is that which asks."""
        task = self._tasks.get(key)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Ends all."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _cancel(self, key: Key) -> None:
        if (task := self._tasks.get(key)) is not None:
            task.cancel()

    def _again(self, tenant: str, snapshot: Snapshot, work: Work) -> None:
        """Begins anew, with what is now, what a restart has interrupted."""
        call = Call(
            tenant=tenant, party=work.party, purpose=work.purpose, cause=_RESTART, forwarding=Forwarding()
        )

        async def fill(filling: Filling) -> dict[str, Any]:
            await empty(self._store, snapshot_tenant(tenant, snapshot.id), _RESTART)
            if work.cloned:
                return await self._copied(filling, call, work.cloned)
            ld_context = await self._queries.resolve(work.ld_context, tenant)
            asked = self._queries.read(call, document_of(snapshot), ld_context)
            return await executed(filling, snapshot, asked, self._queries.problem)

        self._begin(call, snapshot.id, fill)

    async def _copied(self, filling: Filling, call: Call, id: str) -> dict[str, Any]:
        """What copying another snapshot comes to, once that is prepared itself."""
        key = (call.tenant, id)
        while (one := self._known.all.get(key)) is not None and one.snapshot_status == "preparing":
            if (preparing := self._tasks.get(key)) is not None:
                await asyncio.wait([preparing])
                break
            await asyncio.sleep(_LOOK_AGAIN)
            await self._views.current()
        await filling.copy(self._known.place(call.tenant, id))
        return {"snapshot_status": "success"}

    def _begin(self, call: Call, id: str, fill: _Fill) -> None:
        key, place = (call.tenant, id), snapshot_tenant(call.tenant, id)

        async def prepare() -> None:
            filling = Filling(self._store, self._broker, self._settings, place, call.cause)
            try:
                changes = await fill(filling)
            except CityloomError as error:
                _log.warning("snapshot failed", snapshot=id, detail=error.detail)
                changes = {"snapshot_status": "failure"}
            except Exception:
                _log.exception("snapshot failed", snapshot=id)
                changes = {"snapshot_status": "failure"}
            await self._known.change(call.tenant, id, changes, call.cause)

        self._known.changed.set()
        task = asyncio.create_task(prepare())
        self._tasks[key] = task
        task.add_done_callback(
            lambda done: self._tasks.pop(key, None) if self._tasks.get(key) is done else None
        )
