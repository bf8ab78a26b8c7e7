"""Snapshots: what the web offers, and what runs behind it.

Source: ETSI GS CIM 009 clauses 5.3.4, 5.5.15, 5.16.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
import structlog
from msgspec.structs import replace

from cityloom.broker.door import Door
from cityloom.broker.ports import Access, Broker, Call
from cityloom.ld.names import is_uri
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
from cityloom.model.tenants import snapshot_tenant, split_tenant, tenant_headers
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.net.client import Outgoing
from cityloom.snapshots.filling import Asked, Filling, clear
from cityloom.snapshots.snapshot import (
    QUERIES,
    SNAPSHOT,
    Details,
    Selection,
    Snapshot,
    document_of,
    lifetime_of,
    overall,
    read_given,
)
from cityloom.store.ports import Snapshot as Reads
from cityloom.store.ports import Store, Transaction

_log = structlog.get_logger("snapshots")
_RESOURCE: Final = "snapshots"
_SECOND: Final = 1_000_000
_LOOK_EVERY: Final = 60.0
"""Most seconds between two looks for what has expired."""
_TRIES: Final = (0.0, 1.0, 5.0)
"""Seconds before each try to tell of a snapshot."""
_EXPIRY: Final = Cause(kind="system", id="expiry")

Problem = Callable[[CityloomError], dict[str, Any]]


class Snapshots(Door):
    """Make, read, change, clone, delete snapshots; find where the data of one stand.

    Args:
        problem: writes an error as a problem document.
        kinds: the kinds of documents that may stand in a snapshot, such as subscriptions to it.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        *,
        broker: Broker,
        outgoing: Outgoing,
        settings: Settings,
        problem: Problem,
        kinds: Sequence[str],
    ) -> None:
        super().__init__(store, access, clock)
        self._broker = broker
        self._outgoing = outgoing
        self._settings = settings
        self._problem = problem
        self._kinds = kinds
        self._kept: dict[tuple[str, str], Snapshot] = {}
        self._used: dict[tuple[str, str], int] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._going: set[tuple[str, str]] = set()
        self._wake = asyncio.Event()

    async def start(self) -> None:
        """Reads the snapshots there are; what was being prepared when the node ended has failed."""

        def load(reads: Reads) -> tuple[list[tuple[str, Snapshot]], list[str]]:
            tenants = reads.tenants()
            kept = [
                (tenant, msgspec.convert(document.body, Snapshot))
                for tenant in tenants
                for document in reads.documents(tenant, SNAPSHOT)
            ]
            return kept, [tenant for tenant in tenants if split_tenant(tenant)[1]]

        kept, places = await asyncio.wrap_future(self._store.read(load))
        for tenant, snapshot in kept:
            self._kept[tenant, snapshot.id] = snapshot
            if snapshot.snapshot_status == "preparing":
                await self._finish(tenant, snapshot.id, {"snapshot_status": "failure"}, _EXPIRY)
        for place in places:
            # Its deletion was not done when the node ended.
            if split_tenant(place) not in self._kept:
                await clear(self._store, place, _EXPIRY, self._kinds)

    async def run(self) -> None:
        """Deletes snapshots when they expire, until it is cancelled."""
        while True:
            self._wake.clear()
            now = self._clock.now()
            for (tenant, id), snapshot in list(self._kept.items()):
                if parse_datetime(snapshot.expires_at) <= now:
                    await self._remove(tenant, id, _EXPIRY)
            ends = [parse_datetime(one.expires_at) for one in self._kept.values()]
            wait = min((max(0.0, (end - self._clock.now()) / _SECOND) for end in ends), default=_LOOK_EVERY)
            try:
                await asyncio.wait_for(self._wake.wait(), min(wait, _LOOK_EVERY))
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Ends what is being prepared."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def place(self, call: Call, id: str) -> str:
        """The tenant in which the data of a snapshot stand (5.5.15); it counts as used now.

        Raises:
            ResourceNotFound.
        """
        self._require(call.tenant, id)
        self._used[call.tenant, id] = self._clock.now()
        return snapshot_tenant(call.tenant, id)

    async def create(self, call: Call, document: dict[str, Any], asked: Sequence[Asked]) -> str:
        """5.16.1: keeps a snapshot, fills it in the background, and returns its id.

        Args:
            asked: its queries, then its temporal queries, in their order.

        Raises:
            BadRequestData, AlreadyExists.
            Overloaded: there are as many snapshots as the settings allow, none of a lower priority.
        """
        self._may(call, "write", _RESOURCE)
        snapshot = await self._new(call, document)

        async def fill(filling: Filling) -> dict[str, Any]:
            details = [await self._executed(filling, one) for one in asked]
            number = len(snapshot.snapshot_queries or ())
            return {
                "snapshot_status": overall(details),
                "snapshot_queries_details": details[:number] or None,
                "snapshot_temporal_queries_details": details[number:] or None,
            }

        self._begin(call, snapshot.id, fill)
        return snapshot.id

    async def clone(self, call: Call, id: str, document: dict[str, Any]) -> str:
        """5.16.2: as `create`, with everything that another snapshot holds.

        Raises:
            BadRequestData, ResourceNotFound, AlreadyExists, Overloaded.
        """
        self._may(call, "write", _RESOURCE)
        self._refuse_queries(document)
        read_given(document)
        self._require(call.tenant, id)
        snapshot = await self._new(call, document)

        async def fill(filling: Filling) -> dict[str, Any]:
            if (preparing := self._tasks.get((call.tenant, id))) is not None:
                await asyncio.wait([preparing])
            await filling.copy(self.place(call, id))
            return {"snapshot_status": "success"}

        self._begin(call, snapshot.id, fill)
        return snapshot.id

    async def retrieve(self, call: Call, id: str) -> dict[str, Any]:
        """5.16.3. Raises ResourceNotFound."""
        self._may(call, "read", _RESOURCE)
        return self._told(call.tenant, self._require(call.tenant, id))

    async def update(self, call: Call, id: str, fragment: dict[str, Any]) -> dict[str, Any]:
        """5.16.4: what is told takes the place of what was; null takes endpoint or receiverInfo away.

        Raises:
            BadRequestData, ResourceNotFound.
        """
        self._may(call, "write", _RESOURCE)
        before = self._require(call.tenant, id)
        self._refuse_queries(fragment)
        if fragment.get("id", id) != id:
            raise BadRequestData("id is invalid: it is not that of the path")
        given = read_given({"type": "Snapshot", **fragment})
        changes: dict[str, Any] = {
            name: value for name in given.__struct_fields__ if (value := getattr(given, name)) is not None
        }
        for name, field in (("endpoint", "endpoint"), ("receiverInfo", "receiver_info")):
            if name in fragment and fragment[name] is None:
                changes[field] = None
        if "snapshot_lifetime" in changes:
            changes["expires_at"] = self._end(changes["snapshot_lifetime"])
        after = await self._finish(call.tenant, before.id, changes, call.cause)
        if after is None:
            raise ResourceNotFound(f"snapshot {id} does not exist")
        self._wake.set()
        self._in_background((call.tenant, f"notify:{uuid.uuid4()}"), self._notify(call.tenant, after))
        return self._told(call.tenant, after)

    async def delete(self, call: Call, id: str) -> None:
        """5.16.5. Raises ResourceNotFound."""
        self._may(call, "write", _RESOURCE)
        self._require(call.tenant, id)
        await self._remove(call.tenant, id, call.cause)

    async def purge(self, call: Call, q: str) -> None:
        """5.16.7: deletes those that a query on their members selects.

        Raises:
            BadRequestData: it is no such query.
            ResourceNotFound: it selects none.
        """
        self._may(call, "write", _RESOURCE)
        selects = Selection(q)
        found = [
            id
            for (tenant, id), one in self._kept.items()
            if tenant == call.tenant and selects(self._seen(tenant, one))
        ]
        if not found:
            raise ResourceNotFound("no snapshot is selected")
        for id in found:
            await self._remove(call.tenant, id, call.cause)

    # -- within ------------------------------------------------------------

    def _require(self, tenant: str, id: str) -> Snapshot:
        snapshot = self._kept.get((tenant, id))
        if snapshot is None or parse_datetime(snapshot.expires_at) <= self._clock.now():
            raise ResourceNotFound(f"snapshot {id} does not exist")
        return snapshot

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

    async def _new(self, call: Call, document: dict[str, Any]) -> Snapshot:
        given = read_given(document)
        id = document.get("id")
        if id is not None and not (isinstance(id, str) and is_uri(id)):
            raise BadRequestData(f"id is invalid: {id!r} is no URI")
        id = id or f"urn:ngsi-ld:Snapshot:{uuid.uuid4()}"
        if (call.tenant, id) in self._kept:
            raise AlreadyExists(f"snapshot {id} already exists")
        if (call.tenant, id) in self._going:
            raise AlreadyExists(f"snapshot {id} is being deleted")
        stamp = format_datetime(self._clock.now())
        snapshot = Snapshot(
            id=id,
            snapshot_queries=document.get("snapshotQueries"),
            snapshot_temporal_queries=document.get("snapshotTemporalQueries"),
            snapshot_lifetime=given.snapshot_lifetime,
            snapshot_priority=given.snapshot_priority or 5,
            endpoint=given.endpoint,
            receiver_info=given.receiver_info,
            created_at=stamp,
            modified_at=stamp,
            expires_at=self._end(given.snapshot_lifetime),
        )
        await self._make_room(snapshot, call.cause)
        # Taken before the store is asked, so that two of the same id cannot both be made.
        self._kept[call.tenant, id] = snapshot
        self._used[call.tenant, id] = self._clock.now()

        def work(tx: Transaction) -> None:
            tx.put_document(call.tenant, SNAPSHOT, id, snapshot, call.cause)
            tx.create_tenant(snapshot_tenant(call.tenant, id))

        try:
            await self._write(call, work)
        except BaseException:
            self._kept.pop((call.tenant, id), None)
            raise
        return snapshot

    async def _make_room(self, new: Snapshot, cause: Cause) -> None:
        """Where there are too many, the least important goes, and of these the longest unused (5.5.15)."""
        if len(self._kept) < self._settings.snapshots:
            return
        lower = [
            (one.snapshot_priority, self._used.get(key, 0), key)
            for key, one in self._kept.items()
            if one.snapshot_priority < new.snapshot_priority
        ]
        if not lower:
            raise Overloaded(
                f"the node keeps no more than {self._settings.snapshots} snapshots: "
                "delete one, or ask with a higher snapshotPriority"
            )
        tenant, id = min(lower)[2]
        await self._remove(tenant, id, cause)

    def _begin(self, call: Call, id: str, fill: Callable[[Filling], Awaitable[dict[str, Any]]]) -> None:
        place = snapshot_tenant(call.tenant, id)

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
            after = await self._finish(call.tenant, id, changes, call.cause)
            if after is not None:
                await self._notify(call.tenant, after)

        self._wake.set()
        self._in_background((call.tenant, id), prepare())

    def _in_background(self, key: tuple[str, str], work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks[key] = task
        task.add_done_callback(
            lambda done: self._tasks.pop(key, None) if self._tasks.get(key) is done else None
        )

    async def _executed(self, filling: Filling, asked: Asked) -> Details:
        try:
            found = await filling.run(asked)
        except CityloomError as error:
            return Details("failure", self._problem(error))
        return Details("success" if found else "empty")

    async def _finish(self, tenant: str, id: str, changes: dict[str, Any], cause: Cause) -> Snapshot | None:
        """Keeps what became of a snapshot; None when it is gone."""
        key = (tenant, id)
        before = self._kept.get(key)
        if before is None:
            return None
        after = replace(before, **changes, modified_at=format_datetime(self._clock.now()))
        self._kept[key] = after
        kept = self._seen(tenant, after)
        future = self._store.submit(lambda tx: tx.put_document(tenant, SNAPSHOT, id, kept, cause))
        await asyncio.shield(asyncio.wrap_future(future))
        return after

    async def _remove(self, tenant: str, id: str, cause: Cause) -> None:
        """Takes a snapshot away, and then all that stands in it, also when the caller goes away."""
        key = (tenant, id)
        self._kept.pop(key, None)
        self._used.pop(key, None)
        self._going.add(key)
        going = asyncio.create_task(self._take_away(key, cause))
        going.add_done_callback(lambda _: self._going.discard(key))
        await asyncio.shield(going)

    async def _take_away(self, key: tuple[str, str], cause: Cause) -> None:
        tenant, id = key
        task = self._tasks.get(key)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        def work(tx: Transaction) -> None:
            if tx.document(tenant, SNAPSHOT, id) is not None:
                tx.delete_document(tenant, SNAPSHOT, id, cause)

        await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))
        await clear(self._store, snapshot_tenant(tenant, id), cause, self._kinds)

    def _seen(self, tenant: str, snapshot: Snapshot) -> Snapshot:
        used = self._used.get((tenant, snapshot.id))
        last = format_datetime(used) if used is not None else snapshot.last_used_at or snapshot.created_at
        return replace(snapshot, last_used_at=last)

    def _told(self, tenant: str, snapshot: Snapshot) -> dict[str, Any]:
        return document_of(self._seen(tenant, snapshot))

    async def _notify(self, tenant: str, snapshot: Snapshot) -> None:
        """5.16.6: tells of the state of a snapshot; after three tries only the log does."""
        if snapshot.endpoint is None:
            return
        told = document_of(snapshot)
        body = {
            "id": f"urn:ngsi-ld:Notification:{uuid.uuid4()}",
            "type": "SnapshotNotification",
            "notifiedAt": format_datetime(self._clock.now()),
            "snapshotId": snapshot.id,
            "snapshotStatus": snapshot.snapshot_status,
            "snapshotPriority": snapshot.snapshot_priority,
            "expiresAt": snapshot.expires_at,
        }
        if "snapshotQueriesDetails" in told:
            body["snapshotQueriesDetails"] = told["snapshotQueriesDetails"]
        if "snapshotTemporalQueriesDetails" in told:
            body["temporalSnapshotQueriesDetails"] = told["snapshotTemporalQueriesDetails"]
        headers = {pair.key: pair.value for pair in snapshot.receiver_info or ()}
        headers |= {
            "Content-Type": "application/json",
            **tenant_headers(snapshot_tenant(tenant, snapshot.id)),
        }
        for wait in _TRIES:
            await asyncio.sleep(wait)
            try:
                reply = await self._outgoing.post(
                    snapshot.endpoint, headers=headers, body=msgspec.json.encode(body)
                )
            except CityloomError as error:
                why = error.detail
                continue
            if reply.status < 300:
                return
            why = f"it answered {reply.status}"
        _log.warning("snapshot notification not delivered", snapshot=snapshot.id, why=why)
