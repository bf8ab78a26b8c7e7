"""Context source registrations: what the web offers, and what runs behind it.

Source: ETSI GS CIM 009 clauses 5.9.2 to 5.9.4, 5.10.1, 5.10.2.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from cityloom.broker.door import Door, settled
from cityloom.broker.ports import Access, Call
from cityloom.consumers.follow import Outcome
from cityloom.consumers.timers import Timers
from cityloom.consumers.views import Views
from cityloom.federation.registrations.conflicts import refuse_conflicts
from cityloom.federation.registrations.matching import registration_match
from cityloom.federation.registrations.read import merge_registration, read_registration, write_registration
from cityloom.federation.registrations.registration import COUNTERS, REGISTRATION, Counters, Registration
from cityloom.federation.registrations.registry import Registry, added, alive, kept
from cityloom.ld.context import LdContext
from cityloom.ld.names import is_uri
from cityloom.model.clock import Clock
from cityloom.model.errors import AlreadyExists, BadRequestData, ResourceNotFound
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.sources import SourceQuery
from cityloom.store.log_ports import DocumentChange, Timer
from cityloom.store.ports import Snapshot, Store, Transaction

_RESOURCE: Final = "registrations"
CONSUMER: Final = "registrations"
"""Whose timers tell when registrations expire."""
_COUNTED_EVERY: Final = 5.0
"""Seconds between two times that counters are made durable."""


class Registrations(Door):
    """Register, read, change and delete context sources; find those that may have something."""

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        views: Views | None = None,
        background: Store | None = None,
    ) -> None:
        super().__init__(store, access, clock)
        self.registry = Registry()
        self._timer_set = asyncio.Event()
        self._timers = Timers(background or store, CONSUMER, clock, self._expire, self._timer_set)
        if views is not None:
            views.follow(REGISTRATION, self._follow)

    async def start(self) -> None:
        """Reads the registrations there are; after `Views.start`."""
        await asyncio.wrap_future(self._store.read(self.registry.load))

    async def run(self) -> None:
        """Deletes registrations when they expire, until it is cancelled: one process alone."""
        await self._timers.run()

    async def keep_counting(self) -> None:
        """Keeps how registrations fare, until it is cancelled: every process what it counted."""
        try:
            while True:
                await asyncio.sleep(_COUNTED_EVERY)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Makes durable how distributed operations fared (Table 5.2.9-2): adds to what others counted."""
        counted = self.registry.take_counted()
        if not counted:
            return

        def work(tx: Transaction) -> None:
            for (tenant, id), counters in counted.items():
                if tx.document(tenant, REGISTRATION, id) is not None:
                    tx.set_state(tenant, COUNTERS, id, added(_counters(tx, tenant, id), counters))

        await settled(self._store.submit(work))
        self.registry.kept_counted()

    def _follow(self, snapshot: Snapshot, change: DocumentChange) -> Callable[[], None]:
        document = snapshot.document(change.tenant, REGISTRATION, change.id)
        registration = None if document is None else msgspec.convert(document.body, Registration)

        def take_in() -> None:
            self.registry.put(change.tenant, change.id, change.seq, registration)
            self._timer_set.set()

        return take_in

    async def create(self, call: Call, document: dict[str, Any], ld_context: LdContext) -> str:
        """5.9.2: keeps a registration and returns its id.

        Args:
            document: the body without its `@context`.
            ld_context: what its names mean.

        Raises:
            BadRequestData, AlreadyExists, Conflict.
        """
        self._may(call, "write", _RESOURCE)
        given = document.get("id")
        if given is not None and not (isinstance(given, str) and is_uri(given)):
            raise BadRequestData(f"id is invalid: {given!r} is no URI")
        id = given or f"urn:ngsi-ld:ContextSourceRegistration:{uuid.uuid4()}"
        now = self._clock.now()
        read = read_registration(document, ld_context, id=id, now=now, stamp=format_datetime(now))

        def work(tx: Transaction) -> tuple[int, Registration]:
            if self._find(tx, call.tenant, id, tx.now) is not None:
                raise AlreadyExists(f"registration {id} already exists")
            refuse_conflicts(tx, call.tenant, read)
            stamp = format_datetime(tx.now)
            registration = msgspec.structs.replace(read, created_at=stamp, modified_at=stamp)
            return self._put(tx, call, registration), registration

        seq, registration = await self._write(call, work, creates=True)
        self._take_in(call.tenant, seq, registration)
        return id

    async def update(self, call: Call, id: str, fragment: dict[str, Any], ld_context: LdContext) -> None:
        """5.9.3: the members of `fragment` take the place of those kept; null takes one away.

        Raises:
            BadRequestData, ResourceNotFound, Conflict.
        """
        self._may(call, "write", _RESOURCE)

        def work(tx: Transaction) -> tuple[int, Registration]:
            before = self._require(tx, call.tenant, id, tx.now)
            stamp = format_datetime(tx.now)
            after = merge_registration(before, fragment, ld_context, now=tx.now, stamp=stamp)
            refuse_conflicts(tx, call.tenant, after)
            return self._put(tx, call, after), after

        seq, registration = await self._write(call, work)
        self._take_in(call.tenant, seq, registration)

    async def retrieve(
        self, call: Call, id: str, ld_context: LdContext, *, sys_attrs: bool = False
    ) -> dict[str, Any]:
        """5.10.1. Raises ResourceNotFound."""
        self._may(call, "read", _RESOURCE)
        now = self._clock.now()

        def work(snapshot: Snapshot) -> tuple[Registration, Counters]:
            return self._require(snapshot, call.tenant, id, now), _counters(snapshot, call.tenant, id)

        return self._written(call.tenant, *await self._read(call, work), ld_context, sys_attrs)

    async def query(
        self,
        call: Call,
        query: SourceQuery,
        ld_context: LdContext,
        *,
        limit: int,
        offset: int,
        sys_attrs: bool = False,
    ) -> tuple[Sequence[dict[str, Any]], int]:
        """5.10.2: one page of those that match, by id, and how many there are.

        They are answered whole: that only what matches be told is a recommendation, from which
        who looks for a registration to change it has nothing.
        """
        self._may(call, "read", _RESOURCE)
        match = registration_match(query)
        now = self._clock.now()

        def work(snapshot: Snapshot) -> tuple[list[tuple[Registration, Counters]], int]:
            living = (one for one in kept(snapshot, call.tenant) if alive(one, now))
            found = [one for one in living if match(one) is not None]
            page = found[offset : offset + limit]
            return [(one, _counters(snapshot, call.tenant, one.id)) for one in page], len(found)

        page, count = await self._read(call, work)
        return [self._written(call.tenant, *one, ld_context, sys_attrs) for one in page], count

    async def delete(self, call: Call, id: str) -> None:
        """5.9.4. Raises ResourceNotFound."""
        self._may(call, "write", _RESOURCE)

        def work(tx: Transaction) -> int:
            self._require(tx, call.tenant, id, tx.now)
            return self._remove(tx, call.tenant, id, call.cause)

        seq = await self._write(call, work)
        self.registry.put(call.tenant, id, seq, None)

    # -- within ------------------------------------------------------------

    def _find(self, reads: Snapshot, tenant: str, id: str, now: int) -> Registration | None:
        document = reads.document(tenant, REGISTRATION, id)
        if document is None:
            return None
        registration = msgspec.convert(document.body, Registration)
        return registration if alive(registration, now) else None

    def _require(self, reads: Snapshot, tenant: str, id: str, now: int) -> Registration:
        registration = self._find(reads, tenant, id, now)
        if registration is None:
            raise ResourceNotFound(f"registration {id} does not exist")
        return registration

    def _put(self, tx: Transaction, call: Call, registration: Registration) -> int:
        event = tx.put_document(call.tenant, REGISTRATION, registration.id, registration, call.cause)
        if registration.expires_at is None:
            tx.cancel_timer(CONSUMER, call.tenant, registration.id)
        else:
            due = parse_datetime(registration.expires_at)
            tx.set_timer(Timer(consumer=CONSUMER, tenant=call.tenant, key=registration.id, due=due))
        return event.seq

    def _remove(self, tx: Transaction, tenant: str, id: str, cause: Cause) -> int:
        tx.cancel_timer(CONSUMER, tenant, id)
        tx.set_state(tenant, COUNTERS, id, Counters())
        return tx.delete_document(tenant, REGISTRATION, id, cause).seq

    def _take_in(self, tenant: str, seq: int, registration: Registration) -> None:
        self.registry.put(tenant, registration.id, seq, registration)
        self._timer_set.set()

    async def _expire(self, timer: Timer) -> Outcome | None:
        """What a due timer asks for: the registration goes, if it has not been given more time."""
        gone: list[int] = []

        def work(tx: Transaction) -> None:
            document = tx.document(timer.tenant, REGISTRATION, timer.key)
            if document is None:
                return
            if alive(msgspec.convert(document.body, Registration), tx.now):
                # Given more time after the timer was read, and so its new timer was taken away with it.
                due = parse_datetime(document.body["expiresAt"]) if "expiresAt" in document.body else None
                if due is not None:
                    tx.set_timer(msgspec.structs.replace(timer, due=due))
                return
            gone.append(self._remove(tx, timer.tenant, timer.key, Cause(kind="system", id="expiry")))

        def then() -> None:
            for seq in gone:
                self.registry.put(timer.tenant, timer.key, seq, None)

        return Outcome(work, then)

    def _written(
        self,
        tenant: str,
        registration: Registration,
        counters: Counters,
        ld_context: LdContext,
        sys_attrs: bool,
    ) -> dict[str, Any]:
        counters = added(counters, self.registry.counted(tenant, registration.id))
        return write_registration(registration, counters, ld_context, sys_attrs=sys_attrs)


def _counters(reads: Snapshot, tenant: str, id: str) -> Counters:
    """How the operations distributed to a registration fared, as far as it is durable."""
    document = reads.document(tenant, COUNTERS, id)
    return Counters() if document is None else msgspec.convert(document.body, Counters)
