"""Snapshots: what the web offers, and what runs behind it.

Source: ETSI GS CIM 009 clauses 5.3.4, 5.5.15, 5.16.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from msgspec.structs import replace

from cityloom.broker.door import Door, settled
from cityloom.broker.ports import Access, BatchResult, Broker, Call, ItemError
from cityloom.consumers.views import Views
from cityloom.consumers.waiting import within
from cityloom.ld.context import LdContext
from cityloom.model.clock import Clock
from cityloom.model.errors import (
    AlreadyExists,
    BadRequestData,
    CityloomError,
    Overloaded,
    ResourceNotFound,
)
from cityloom.model.events import Cause
from cityloom.model.settings import Settings
from cityloom.model.tenants import snapshot_tenant, split_tenant
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.snapshots.executing import Problem
from cityloom.snapshots.filling import clear
from cityloom.snapshots.known import Key, Known
from cityloom.snapshots.notification import announced
from cityloom.snapshots.preparing import Preparing, Queries, ReadQueries, Resolve
from cityloom.snapshots.snapshot import (
    QUERIES,
    SNAPSHOT,
    Selection,
    Snapshot,
    Work,
    document_of,
    lifetime_of,
    read_given,
)
from cityloom.store.ports import Snapshot as Reads
from cityloom.store.ports import Store, Transaction

_log = structlog.get_logger("snapshots")
_RESOURCE: Final = "snapshots"
_SECOND: Final = 1_000_000
_LOOK_EVERY: Final = 60.0
"""Most seconds between two looks for what has expired."""
_AGAIN: Final = 1.0
"""Seconds until it is looked again whether those who follow the log are done with what was deleted."""
_EXPIRY: Final = Cause(kind="system", id="expiry")

_DEFAULT_PRIORITY: Final = 5
_REMOVABLE: Final = {
    "endpoint": "endpoint",
    "receiverInfo": "receiver_info",
    "snapshotLifetime": "snapshot_lifetime",
    "snapshotPriority": "snapshot_priority",
}
"""What an NGSI-LD Null takes away."""


class Snapshots(Door):
    """Make, read, change, clone, delete snapshots; find where the data of one stand.

    Args:
        resolve: the @context of a source, in a tenant.
        read_queries: reads the queries of a snapshot's document, its queries, then its temporal ones.
        problem: writes an error as a problem document.
        kinds: the kinds of documents that may stand in a snapshot, such as subscriptions to it.
        views: keeps what is known of snapshots as new as the store.
        here: this process, among those over one store.
        alive: whether a process is there.

    `load` is for every process, which fills what it makes. `start` and `run` are for the one that deletes
    what expires and goes on with what others left when they ended.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        *,
        broker: Broker,
        settings: Settings,
        resolve: Resolve,
        read_queries: ReadQueries,
        problem: Problem,
        kinds: Sequence[str],
        views: Views | None = None,
        here: str = "",
        alive: Callable[[str], bool] = lambda _: True,
    ) -> None:
        super().__init__(store, access, clock)
        self._settings = settings
        self._read_queries = read_queries
        self._kinds = kinds
        self._left = False
        self._here = here
        self._views = views or Views(store)
        self._known = Known(store, clock, self._views)
        self._preparing = Preparing(
            store,
            broker,
            settings,
            known=self._known,
            views=self._views,
            queries=Queries(resolve, read_queries, problem),
            alive=alive,
        )

    async def load(self) -> None:
        """Reads the snapshots there are; after `Views.start`."""
        await self._known.load()

    async def start(self) -> None:
        """Sweeps up; what was being prepared when a process ended is prepared again."""
        await self.load()
        await self._views.current()
        await self._sweep()
        await self._preparing.go_on(starting=True)

    async def run(self) -> None:
        """Deletes snapshots when they expire, until it is cancelled."""
        while True:
            self._known.changed.clear()
            now = self._clock.now()
            for (tenant, id), snapshot in list(self._known.all.items()):
                if parse_datetime(snapshot.expires_at) <= now:
                    await self._remove(tenant, id, _EXPIRY)
            if self._left:
                await self._sweep()
            others = await self._preparing.go_on()
            ends = [parse_datetime(one.expires_at) for one in self._known.all.values()]
            wait = min((max(0.0, (end - self._clock.now()) / _SECOND) for end in ends), default=_LOOK_EVERY)
            await within(min(wait, _AGAIN if self._left or others else _LOOK_EVERY), self._known.changed)

    async def close(self) -> None:
        """Ends what is being prepared."""
        await self._preparing.close()

    def place(self, call: Call, id: str) -> str:
        """The tenant in which the data of a snapshot stand (5.5.15); it counts as used now.

        Raises:
            ResourceNotFound.
        """
        return self._known.place(call.tenant, id)

    async def create(self, call: Call, document: dict[str, Any], ld_context: LdContext) -> str:
        """5.16.1: keeps a snapshot, fills it in the background, and returns its id.

        Args:
            ld_context: what the words of its queries mean.

        Raises:
            BadRequestData, AlreadyExists.
            Overloaded: there are as many snapshots as the settings allow, none of a lower priority.
        """
        self._may(call, "write", _RESOURCE)
        read_given(document)
        asked = self._read_queries(call, document, ld_context)
        snapshot = await self._new(call, document, Work(ld_context=ld_context.source))
        self._preparing.execute(call, snapshot, asked)
        return snapshot.id

    async def clone(self, call: Call, id: str, document: dict[str, Any]) -> str:
        """5.16.2: as `create`, with everything that another snapshot holds.

        Raises:
            BadRequestData, ResourceNotFound, AlreadyExists, Overloaded.
        """
        self._may(call, "write", _RESOURCE)
        self._refuse_queries(document)
        read_given(document)
        await self._find(call, id)
        snapshot = await self._new(call, document, Work(cloned=id))
        self._preparing.copy(call, snapshot.id, id)
        return snapshot.id

    async def retrieve(self, call: Call, id: str) -> dict[str, Any]:
        """5.16.3. Raises ResourceNotFound, NonexistentTenant."""
        self._may(call, "read", _RESOURCE)
        return self._told(call.tenant, await self._find(call, id))

    async def update(self, call: Call, id: str, fragment: dict[str, Any]) -> dict[str, Any]:
        """5.16.4: what is told takes the place of what was; null takes a member away (5.5.8).

        Raises:
            BadRequestData, ResourceNotFound, NonexistentTenant.
        """
        self._may(call, "write", _RESOURCE)
        before = await self._find(call, id)
        self._refuse_queries(fragment)
        if fragment.get("id", id) != id:
            raise BadRequestData("id is invalid: it is not that of the path")
        given = read_given({"type": "Snapshot", **fragment})
        changes: dict[str, Any] = {
            name: value for name in given.__struct_fields__ if (value := getattr(given, name)) is not None
        }
        for name, field in _REMOVABLE.items():
            if name in fragment and fragment[name] is None:
                changes[field] = _DEFAULT_PRIORITY if field == "snapshot_priority" else None
        if "snapshot_lifetime" in changes:
            changes["expires_at"] = self._end(changes["snapshot_lifetime"])
        after = await self._known.change(call.tenant, before.id, changes, call.cause)
        if after is None:
            raise ResourceNotFound(f"snapshot {id} does not exist")
        self._known.changed.set()
        return self._told(call.tenant, after)

    async def delete(self, call: Call, id: str) -> None:
        """5.16.5. Raises ResourceNotFound."""
        self._may(call, "write", _RESOURCE)
        await self._find(call, id)
        await self._remove(call.tenant, id, call.cause)

    async def purge(self, call: Call, q: str) -> BatchResult:
        """5.16.7: deletes those that a query on their members selects; what could be deleted, and what not.

        Raises:
            BadRequestData: it is no such query.
            ResourceNotFound: it selects none.
        """
        self._may(call, "write", _RESOURCE)
        selects = Selection(q)
        found = [
            id
            for (tenant, id), one in self._known.all.items()
            if tenant == call.tenant and selects(self._known.seen(tenant, one))
        ]
        if not found:
            await self._read(call, lambda _: None)  # the tenant must exist
            raise ResourceNotFound("no snapshot is selected")
        deleted: list[str] = []
        errors: list[ItemError] = []
        for id in found:
            try:
                await self._remove(call.tenant, id, call.cause)
            except CityloomError as error:
                errors.append(ItemError(id, error))
            else:
                deleted.append(id)
        return BatchResult(deleted=deleted, errors=errors)

    # -- within ------------------------------------------------------------

    async def _find(self, call: Call, id: str) -> Snapshot:
        """A snapshot that has not expired. Raises ResourceNotFound, NonexistentTenant."""
        if (call.tenant, id) not in self._known.all:
            await self._read(call, lambda _: None)
        return self._known.require(call.tenant, id)

    def _refuse_queries(self, document: dict[str, Any]) -> None:
        for name in QUERIES:
            if name in document:
                raise BadRequestData(f"{name} is invalid: it is for making a snapshot alone")

    def _end(self, lifetime: str | None) -> str:
        settings = self._settings
        wanted = settings.snapshot_lifetime * _SECOND if lifetime is None else lifetime_of(lifetime)
        return format_datetime(
            self._clock.now() + round(min(wanted, settings.snapshot_lifetime_max * _SECOND))
        )

    async def _new(self, call: Call, document: dict[str, Any], work: Work) -> Snapshot:
        given = read_given(document)
        id = document.get("id") or f"urn:ngsi-ld:Snapshot:{uuid.uuid4()}"
        if (call.tenant, id) in self._known.all:
            raise AlreadyExists(f"snapshot {id} already exists")
        if (call.tenant, id) in self._known.going:
            raise AlreadyExists(f"snapshot {id} is being deleted")
        stamp = format_datetime(self._clock.now())
        snapshot = Snapshot(
            id=id,
            snapshot_queries=document.get("snapshotQueries"),
            snapshot_temporal_queries=document.get("snapshotTemporalQueries"),
            snapshot_lifetime=given.snapshot_lifetime,
            snapshot_priority=given.snapshot_priority or _DEFAULT_PRIORITY,
            endpoint=given.endpoint,
            receiver_info=given.receiver_info,
            created_at=stamp,
            modified_at=stamp,
            expires_at=self._end(given.snapshot_lifetime),
            work=replace(work, party=call.party, purpose=call.purpose, by=self._here),
        )
        await self._make_room(snapshot, call.cause)
        # Taken before the store is asked, so that two of the same id cannot both be made.
        self._known.add(call.tenant, snapshot)

        def keep(tx: Transaction) -> None:
            if tx.document(call.tenant, SNAPSHOT, id) is not None:
                raise AlreadyExists(f"snapshot {id} already exists")
            tx.put_document(call.tenant, SNAPSHOT, id, snapshot, call.cause)
            tx.create_tenant(snapshot_tenant(call.tenant, id))

        try:
            await self._write(call, keep)
        except BaseException:
            self._known.all.pop((call.tenant, id), None)
            raise
        return snapshot

    async def _make_room(self, new: Snapshot, cause: Cause) -> None:
        """Where there are too many, the least important goes, and of these the longest unused (5.5.15)."""
        if len(self._known.all) < self._settings.snapshots:
            return
        lower = [
            (one.snapshot_priority, self._known.used(key), key)
            for key, one in self._known.all.items()
            if one.snapshot_priority < new.snapshot_priority
        ]
        if not lower:
            raise Overloaded(
                f"the node keeps no more than {self._settings.snapshots} snapshots: "
                "delete one, or ask with a higher snapshotPriority"
            )
        tenant, id = min(lower)[2]
        await self._remove(tenant, id, cause)

    async def _remove(self, tenant: str, id: str, cause: Cause) -> None:
        """Takes a snapshot away, and then all that stands in it, also when the caller goes away.

        Raises:
            CityloomError: the store refuses; the snapshot stays.
        """
        key = (tenant, id)
        snapshot = self._known.take_out(key)
        if snapshot is None:
            return
        self._known.going.add(key)
        going = asyncio.create_task(self._take_away(key, snapshot, cause))
        going.add_done_callback(lambda _: self._known.going.discard(key))
        await asyncio.shield(going)

    async def _take_away(self, key: Key, snapshot: Snapshot, cause: Cause) -> None:
        tenant, id = key
        await self._preparing.end(key)

        def take(tx: Transaction) -> None:
            if tx.document(tenant, SNAPSHOT, id) is None:
                return  # another process was quicker
            tx.delete_document(tenant, SNAPSHOT, id, cause)
            for delivery in announced(tenant, snapshot, tx.now, deleted=True):
                tx.hand_over(delivery, cause)

        try:
            await settled(self._store.submit(take))
        except CityloomError:
            self._known.all[key] = snapshot
            raise
        try:
            await clear(self._store, snapshot_tenant(tenant, id), cause, self._kinds)
        except CityloomError as error:
            _log.warning("what stood in a snapshot is still there", snapshot=id, detail=error.detail)
        self._left = True
        self._known.changed.set()

    async def _sweep(self) -> None:
        """Takes away what stands where no snapshot is: its deletion was not done when the node ended,
        or could not be, because somebody had still to deal with its events.
        """

        def places(reads: Reads) -> list[str]:
            return [tenant for tenant in reads.tenants() if split_tenant(tenant)[1]]

        async def gone() -> list[str]:
            found = await asyncio.wrap_future(self._store.read(places))
            await self._views.current()
            known = self._known.all.keys() | self._known.going
            return [place for place in found if split_tenant(place) not in known]

        for place in await gone():
            await clear(self._store, place, _EXPIRY, self._kinds)
        self._left = bool(await gone() or self._known.going)

    def _told(self, tenant: str, snapshot: Snapshot) -> dict[str, Any]:
        return document_of(self._known.seen(tenant, snapshot))
