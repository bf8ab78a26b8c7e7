"""Subscriptions as they are kept, whatever they are to: made, read, changed, deleted.

Source: ETSI GS CIM 009 clauses 5.8.1 to 5.8.5 (to entities), 5.11.2 to 5.11.6 (to registrations).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cityloom.broker.door import enter_tenant
from cityloom.broker.ports import Access, Call
from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts
from cityloom.model.clock import Clock
from cityloom.model.errors import (
    AlreadyExists,
    BadRequestData,
    LoopDetected,
    NonexistentTenant,
    ResourceNotFound,
)
from cityloom.model.events import Document
from cityloom.model.time import format_datetime
from cityloom.store.ports import Snapshot, Store, Transaction
from cityloom.subscriptions.deliver import Deliverer
from cityloom.subscriptions.document import COUNTERS, KINDS, About, Counters, Subscription
from cityloom.subscriptions.read import NO_VALUE, merge_subscription, read_subscription, write_subscription

RESOURCE = "subscriptions"
Returned = Callable[[Call], bool]
"""Whether a request has been at this node before."""


class KeptSubscriptions:
    """Create, read, change and delete subscriptions to entities, or to registrations.

    The two kinds share their identifiers: one URI names one subscription.

    Args:
        returned: tells whether a subscription comes back to where it has been.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        contexts: Contexts,
        clock: Clock,
        deliverer: Deliverer,
        about: About,
        returned: Returned = lambda _: False,
    ) -> None:
        self._store = store
        self._access = access
        self._contexts = contexts
        self._clock = clock
        self._deliverer = deliverer
        self._about = about
        self._returned = returned
        self._kind = KINDS[about]

    async def create(self, call: Call, document: dict[str, Any], ld_context: LdContext) -> str:
        """5.8.1, 5.11.2: keeps a subscription and returns its id.

        Args:
            document: the body without its `@context`.
            ld_context: what its names mean; used for notifications unless `jsonldContext` says other.

        Raises:
            BadRequestData, AlreadyExists, LdContextNotAvailable.
            LoopDetected: it has been here before (4.3.6.4).
        """
        self._access.check(call, "write", RESOURCE)
        if self._returned(call):
            raise LoopDetected("the subscription leads back to this node, where it has been")
        given = document.get("id")
        if given is not None and not (isinstance(given, str) and ":" in given):
            raise BadRequestData(f"id is invalid: {given!r} is no URI")
        id = given or f"urn:ngsi-ld:Subscription:{uuid.uuid4()}"
        now = self._clock.now()
        subscription = read_subscription(
            document, ld_context, about=self._about, id=id, now=now, stamp=format_datetime(now)
        )
        subscription = await self._with_context(call, subscription)
        if call.forwarding is not None and call.forwarding.via:
            subscription = msgspec.structs.replace(subscription, via=list(call.forwarding.via))

        def work(tx: Transaction) -> None:
            if any(tx.document(call.tenant, kind, id) is not None for kind in KINDS.values()):
                raise AlreadyExists(f"subscription {id} already exists")
            stamp = format_datetime(tx.now)
            kept = msgspec.structs.replace(subscription, created_at=stamp, modified_at=stamp)
            enter_tenant(tx, call.tenant)
            tx.put_document(call.tenant, self._kind, id, kept, call.cause)

        await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))
        return id

    async def update(
        self, call: Call, subscription_id: str, fragment: dict[str, Any], ld_context: LdContext
    ) -> None:
        """5.8.2, 5.11.3: the members of `fragment` take the place of those kept; a null takes one away.

        Raises:
            BadRequestData, ResourceNotFound, LdContextNotAvailable.
        """
        self._access.check(call, "write", RESOURCE)
        current = await self._get(call.tenant, subscription_id)
        spoken = fragment.get("jsonldContext") not in NO_VALUE
        if spoken:
            await self._contexts.resolve(fragment["jsonldContext"], call.tenant)

        def merged(before: Subscription, now: int, stamp: str) -> Subscription:
            return merge_subscription(before, fragment, ld_context, about=self._about, now=now, stamp=stamp)

        def work(tx: Transaction) -> None:
            document = tx.document(call.tenant, self._kind, subscription_id)
            if document is None:
                raise ResourceNotFound(f"subscription {subscription_id} does not exist")
            before = msgspec.convert(document.body, Subscription)
            after = merged(before, tx.now, format_datetime(tx.now))
            if spoken:
                after = msgspec.structs.replace(after, ld_context=after.jsonld_context)
            tx.put_document(call.tenant, self._kind, subscription_id, after, call.cause)

        merged(current, self._clock.now(), current.modified_at)
        await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))

    async def retrieve(
        self, call: Call, subscription_id: str, ld_context: LdContext, *, sys_attrs: bool = False
    ) -> dict[str, Any]:
        """5.8.3, 5.11.4. Raises ResourceNotFound."""
        self._access.check(call, "read", RESOURCE)
        subscription = await self._get(call.tenant, subscription_id)
        return self._written(call.tenant, subscription, ld_context, sys_attrs)

    async def list(
        self, call: Call, ld_context: LdContext, *, limit: int, offset: int, sys_attrs: bool = False
    ) -> tuple[Sequence[dict[str, Any]], int]:
        """5.8.4, 5.11.5: one page, by id, and how many there are."""
        self._access.check(call, "read", RESOURCE)
        kept = await asyncio.wrap_future(self._store.read(lambda reads: self._all_kept(reads, call.tenant)))
        page = kept[offset : offset + limit]
        return [self._written(call.tenant, one, ld_context, sys_attrs) for one in page], len(kept)

    async def delete(self, call: Call, subscription_id: str) -> None:
        """5.8.5, 5.11.6. Raises ResourceNotFound."""
        self._access.check(call, "write", RESOURCE)

        def work(tx: Transaction) -> str:
            document = self._document(tx, call.tenant, subscription_id)
            tx.delete_document(call.tenant, self._kind, subscription_id, call.cause)
            tx.set_state(call.tenant, COUNTERS, subscription_id, Counters())
            return msgspec.convert(document.body, Subscription).created_at

        created_at = await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))
        self._deliverer.forget(call.tenant, subscription_id, created_at)

    # -- within ------------------------------------------------------------

    async def _get(self, tenant: str, id: str) -> Subscription:
        document = await asyncio.wrap_future(
            self._store.read(lambda snapshot: self._document(snapshot, tenant, id))
        )
        return msgspec.convert(document.body, Subscription)

    def _document(self, reads: Snapshot, tenant: str, id: str) -> Document:
        """A kept document. Raises ResourceNotFound, NonexistentTenant."""
        document = reads.document(tenant, self._kind, id)
        if document is None:
            _require_tenant(reads, tenant)
            raise ResourceNotFound(f"subscription {id} does not exist")
        return document

    async def _with_context(self, call: Call, subscription: Subscription) -> Subscription:
        """The subscription with the @context for its notifications, which must be there to be had.

        One to entities tells it as its `jsonldContext` (5.8.1.4); one to registrations is configured
        as it was given (5.11.2.4).
        """
        source: Any = subscription.jsonld_context
        if source is None:
            source = subscription.ld_context
            url = source
            if not isinstance(url, str):
                url = await self._contexts.host_implicitly(source, call.tenant)
            if self._about == "entities":
                subscription = msgspec.structs.replace(subscription, jsonld_context=url)
            else:
                subscription = msgspec.structs.replace(subscription, link_context=url)
        else:
            await self._contexts.resolve(source, call.tenant)
        return msgspec.structs.replace(subscription, ld_context=source)

    def _written(
        self, tenant: str, subscription: Subscription, ld_context: LdContext, sys_attrs: bool
    ) -> dict[str, Any]:
        counters = self._deliverer.counters(tenant, subscription.id)
        return write_subscription(
            subscription,
            counters,
            ld_context,
            about=self._about,
            now=self._clock.now(),
            sys_attrs=sys_attrs,
        )

    def _all_kept(self, snapshot: Snapshot, tenant: str) -> Sequence[Subscription]:
        found = all_kept(snapshot, tenant, self._kind)
        if not found:
            _require_tenant(snapshot, tenant)
        return found


def _require_tenant(reads: Snapshot, tenant: str) -> None:
    """Returns when the tenant exists; the default one always does (5.5.10). Raises NonexistentTenant."""
    if tenant and tenant not in reads.tenants():
        raise NonexistentTenant(f"tenant {tenant!r} does not exist")


def all_kept(snapshot: Snapshot, tenant: str, kind: str) -> Sequence[Subscription]:
    """The subscriptions of a kind, by id."""
    kept: list[Subscription] = []
    after = ""
    while page := snapshot.documents(tenant, kind, after):
        kept += [msgspec.convert(document.body, Subscription) for document in page]
        after = page[-1].id
    return kept
