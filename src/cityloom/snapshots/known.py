"""The snapshots that a process knows of: as new as the store, each with when it was used last.

Source: ETSI GS CIM 009 clauses 5.3.4, 5.5.15, 5.16.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from cityloom.broker.door import settled
from cityloom.consumers.views import Views
from cityloom.model.clock import Clock
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Cause
from cityloom.model.tenants import snapshot_tenant
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.snapshots.notification import announced
from cityloom.snapshots.snapshot import SNAPSHOT, Snapshot
from cityloom.store.log_ports import DocumentChange
from cityloom.store.ports import Snapshot as Reads
from cityloom.store.ports import Store, Transaction

Key = tuple[str, str]
"""A tenant, and the id of a snapshot in it."""


class Known:
    """Snapshots by tenant and id.

    Args:
        views: keeps what is known as new as the store.

    `going` are those that are being taken away. `changed` is set when one is new, another or gone;
    `when_gone` is called when another process took one away.
    """

    def __init__(self, store: Store, clock: Clock, views: Views) -> None:
        self._store = store
        self._clock = clock
        self._used: dict[Key, int] = {}
        self._loaded = False
        self.all: dict[Key, Snapshot] = {}
        self.going: set[Key] = set()
        self.changed = asyncio.Event()
        self.when_gone: Callable[[Key], None] = lambda key: None
        views.follow(SNAPSHOT, self._follow)

    async def load(self) -> None:
        """Reads the snapshots there are; after `Views.start`."""
        if self._loaded:
            return

        def load(reads: Reads) -> list[tuple[str, Snapshot]]:
            return [
                (tenant, msgspec.convert(document.body, Snapshot))
                for tenant in reads.tenants()
                for document in reads.documents(tenant, SNAPSHOT)
            ]

        known = await asyncio.wrap_future(self._store.read(load))
        self.all |= {(tenant, snapshot.id): snapshot for tenant, snapshot in known}
        self._loaded = True

    def require(self, tenant: str, id: str) -> Snapshot:
        """A snapshot that has not expired. Raises ResourceNotFound."""
        snapshot = self.all.get((tenant, id))
        if snapshot is None or parse_datetime(snapshot.expires_at) <= self._clock.now():
            raise ResourceNotFound(f"snapshot {id} does not exist")
        return snapshot

    def place(self, tenant: str, id: str) -> str:
        """The tenant in which its data stand; it counts as used now. Raises ResourceNotFound."""
        self.require(tenant, id)
        self._used[tenant, id] = self._clock.now()
        return snapshot_tenant(tenant, id)

    def add(self, tenant: str, snapshot: Snapshot) -> None:
        """One more, which counts as used now."""
        self.all[tenant, snapshot.id] = snapshot
        self._used[tenant, snapshot.id] = self._clock.now()

    def take_out(self, key: Key) -> Snapshot | None:
        """Knows it no more; what it was."""
        snapshot = self.all.pop(key, None)
        if snapshot is not None:
            self._used.pop(key, None)
        return snapshot

    def used(self, key: Key) -> int:
        """When it was used last, in microseconds; 0: not by this process."""
        return self._used.get(key, 0)

    def seen(self, tenant: str, snapshot: Snapshot) -> Snapshot:
        """It with when it was used last."""
        used = self._used.get((tenant, snapshot.id))
        last = format_datetime(used) if used is not None else snapshot.last_used_at or snapshot.created_at
        return replace(snapshot, last_used_at=last)

    async def change(self, tenant: str, id: str, changes: dict[str, Any], cause: Cause) -> Snapshot | None:
        """Keeps what became of a snapshot, and tells of it; None when it is gone.

        While it is being prepared nothing is told: what is told at the end of that holds all changes.
        """
        key = (tenant, id)
        if key not in self.all:
            return None

        def keep(tx: Transaction) -> Snapshot | None:
            document = tx.document(tenant, SNAPSHOT, id)
            if document is None:
                return None
            before = msgspec.convert(document.body, Snapshot)
            after = replace(before, **changes, modified_at=format_datetime(tx.now))
            ready = after.snapshot_status != "preparing"
            if ready:
                after = replace(after, work=None)
            tx.put_document(tenant, SNAPSHOT, id, self.seen(tenant, after), cause)
            for delivery in announced(tenant, after, tx.now) if ready else ():
                tx.hand_over(delivery, cause)
            return after

        after = await settled(self._store.submit(keep))
        if after is not None and key in self.all:
            self.all[key] = after
        return after

    def _follow(self, reads: Reads, change: DocumentChange) -> Callable[[], None]:
        """See `consumers.views.Views`."""
        key = (change.tenant, change.id)
        document = reads.document(change.tenant, SNAPSHOT, change.id)
        snapshot = None if document is None else msgspec.convert(document.body, Snapshot)

        def take_in() -> None:
            if snapshot is None:
                self.all.pop(key, None)
                self.when_gone(key)
            elif key not in self.going:
                self.all[key] = snapshot
            self.changed.set()

        return take_in
