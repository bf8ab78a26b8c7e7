"""The subscriptions of a city: what the web offers and what runs behind it.

Source: ETSI GS CIM 009 clauses 5.8.1 to 5.8.5.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cityloom.broker.ports import Access, Call
from cityloom.consumers.follow import Follower
from cityloom.consumers.timers import Timers
from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts
from cityloom.model.clock import Clock
from cityloom.model.entity import Entity
from cityloom.model.errors import AlreadyExists, BadRequestData, ResourceNotFound
from cityloom.model.settings import Settings
from cityloom.model.time import format_datetime
from cityloom.net.client import Outgoing
from cityloom.store.log_ports import Delivery
from cityloom.store.ports import Snapshot, Store, Transaction
from cityloom.subscriptions.compiled import Compiled, events_of
from cityloom.subscriptions.deliver import Deliverer
from cityloom.subscriptions.document import CONSUMER, COUNTERS, SUBSCRIPTION, Counters, Subscription
from cityloom.subscriptions.index import Index
from cityloom.subscriptions.matching import Matching
from cityloom.subscriptions.payload import Message, Payload, render
from cityloom.subscriptions.read import merge_subscription, read_subscription, write_subscription
from cityloom.subscriptions.transport import Transports

_RESOURCE = "subscriptions"

Deliveries = list[Delivery]
Letters = list[dict[str, Any]]


class Subscriptions:
    """Create, read, change and delete subscriptions; see their dead letters and replay them."""

    def __init__(
        self,
        store: Store,
        access: Access,
        contexts: Contexts,
        outgoing: Outgoing,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._store = store
        self._access = access
        self._contexts = contexts
        self._clock = clock
        self._settings = settings
        self._transports = Transports(outgoing, settings.out_timeout)
        self._index = Index()
        self._deliverer = Deliverer(
            store,
            clock,
            settings,
            lookup=self._index.get,
            render=self._render,
            transports=self._transports,
        )
        timer_set = asyncio.Event()
        self._matching = Matching(store, clock, self._index, offer=self._deliverer.offer, timer_set=timer_set)
        self._timers = Timers(store, CONSUMER, clock, self._matching.fire, timer_set)
        self._follower = Follower(store, CONSUMER, self._matching.handle)

    async def start(self) -> None:
        """Reads the subscriptions, takes its place in the log, takes up what was left undelivered."""
        await self._follower.start()
        await asyncio.to_thread(self._matching.load)
        await self._deliverer.take_up()

    async def run(self) -> None:
        """Matches and delivers until it is cancelled; after `start`."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._deliverer.run())
                group.create_task(self._timers.run())
                group.create_task(self._follower.run())
        finally:
            await self._transports.close()

    def lag(self) -> int:
        """How many events the matching is behind."""
        with self._store.snapshot() as snapshot:
            return max(0, snapshot.last_seq() - self._follower.position)

    # -- 5.8.1 to 5.8.5 ----------------------------------------------------

    async def create(self, call: Call, document: dict[str, Any], ld_context: LdContext) -> str:
        """5.8.1: keeps a subscription and returns its id.

        Args:
            document: the body without its `@context`.
            ld_context: what its names mean; used for notifications unless `jsonldContext` says other.

        Raises:
            BadRequestData, AlreadyExists, LdContextNotAvailable.
        """
        self._access.check(call, "write", _RESOURCE)
        given = document.get("id")
        if given is not None and not (isinstance(given, str) and ":" in given):
            raise BadRequestData(f"id is invalid: {given!r} is no URI")
        id = given or f"urn:ngsi-ld:Subscription:{uuid.uuid4()}"
        now = self._clock.now()
        subscription = read_subscription(document, ld_context, id=id, now=now, stamp=format_datetime(now))
        subscription = await self._with_context(call, subscription)

        def work(tx: Transaction) -> None:
            if tx.document(call.tenant, SUBSCRIPTION, id) is not None:
                raise AlreadyExists(f"subscription {id} already exists")
            stamp = format_datetime(tx.now)
            kept = msgspec.structs.replace(subscription, created_at=stamp, modified_at=stamp)
            tx.create_tenant(call.tenant)
            tx.put_document(call.tenant, SUBSCRIPTION, id, kept, call.cause)

        await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))
        return id

    async def update(
        self, call: Call, subscription_id: str, fragment: dict[str, Any], ld_context: LdContext
    ) -> None:
        """5.8.2: the members of `fragment` take the place of those kept; null takes one away.

        Raises:
            BadRequestData, ResourceNotFound, LdContextNotAvailable.
        """
        self._access.check(call, "write", _RESOURCE)
        current = await self._get(call.tenant, subscription_id)
        if fragment.get("jsonldContext") is not None:
            await self._contexts.resolve(fragment["jsonldContext"], call.tenant)

        def work(tx: Transaction) -> None:
            document = tx.document(call.tenant, SUBSCRIPTION, subscription_id)
            if document is None:
                raise ResourceNotFound(f"subscription {subscription_id} does not exist")
            before = msgspec.convert(document.body, Subscription)
            after = merge_subscription(
                before, fragment, ld_context, now=tx.now, stamp=format_datetime(tx.now)
            )
            if fragment.get("jsonldContext") is not None:
                after = msgspec.structs.replace(after, ld_context=after.jsonld_context)
            tx.put_document(call.tenant, SUBSCRIPTION, subscription_id, after, call.cause)

        merge_subscription(current, fragment, ld_context, now=self._clock.now(), stamp=current.modified_at)
        await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))

    async def retrieve(
        self, call: Call, subscription_id: str, ld_context: LdContext, *, sys_attrs: bool = False
    ) -> dict[str, Any]:
        """5.8.3. Raises ResourceNotFound."""
        self._access.check(call, "read", _RESOURCE)
        return self._written(
            call.tenant, await self._get(call.tenant, subscription_id), ld_context, sys_attrs
        )

    async def list(
        self, call: Call, ld_context: LdContext, *, limit: int, offset: int, sys_attrs: bool = False
    ) -> tuple[Sequence[dict[str, Any]], int]:
        """5.8.4: one page, by id, and how many there are."""
        self._access.check(call, "read", _RESOURCE)
        kept = await asyncio.wrap_future(self._store.read(lambda snapshot: _all_kept(snapshot, call.tenant)))
        page = kept[offset : offset + limit]
        return [self._written(call.tenant, one, ld_context, sys_attrs) for one in page], len(kept)

    async def fired_by(self, call: Call, entity: Entity, ld_context: LdContext) -> Sequence[dict[str, Any]]:
        """The subscriptions that a change of this entity can trigger, by id.

        Cost: looks at those alone that the index finds for the entity's types and attributes.
        """
        self._access.check(call, "read", _RESOURCE)
        found: dict[str, Compiled] = {}
        for event in events_of(call.tenant, entity):
            for compiled in self._index.candidates(event):
                found[compiled.subscription.id] = compiled
        return [
            self._written(call.tenant, found[id].subscription, ld_context, False)
            for id in sorted(found)
            if found[id].fired_by(call.tenant, entity)
        ]

    async def delete(self, call: Call, subscription_id: str) -> None:
        """5.8.5. Raises ResourceNotFound."""
        self._access.check(call, "write", _RESOURCE)

        def work(tx: Transaction) -> None:
            if tx.document(call.tenant, SUBSCRIPTION, subscription_id) is None:
                raise ResourceNotFound(f"subscription {subscription_id} does not exist")
            tx.delete_document(call.tenant, SUBSCRIPTION, subscription_id, call.cause)
            tx.set_state(call.tenant, COUNTERS, subscription_id, Counters())

        await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))
        self._deliverer.forget(call.tenant, subscription_id)

    # -- dead letters ------------------------------------------------------

    async def dead_letters(self, call: Call, *, after: str = "", limit: int = 1000) -> Letters:
        """Notifications that were given up, by id."""
        self._access.check(call, "read", _RESOURCE)
        letters = await asyncio.wrap_future(
            self._store.read(lambda snapshot: snapshot.dead_deliveries(call.tenant, after, limit))
        )
        return [self._letter(letter) for letter in letters]

    async def replay(
        self, call: Call, *, ids: Sequence[str] = (), subscription_id: str | None = None
    ) -> Sequence[str]:
        """Sends dead letters again: those of `ids`, those of one subscription, or all; their ids.

        Raises:
            ResourceNotFound: one of `ids` is no dead letter.
        """
        self._access.check(call, "admin", _RESOURCE)

        def work(tx: Transaction) -> Sequence[Delivery]:
            chosen: Deliveries = []
            if ids:
                for id in ids:
                    letter = tx.delivery(call.tenant, id)
                    if letter is None or not letter.dead:
                        raise ResourceNotFound(f"dead letter {id} does not exist")
                    chosen.append(letter)
            else:
                after = ""
                while page := tx.dead_deliveries(call.tenant, after):
                    chosen += [one for one in page if subscription_id in (None, one.subscription)]
                    after = page[-1].id
            revived = [
                msgspec.structs.replace(one, dead=False, attempts=0, due=tx.now, last_error="")
                for one in chosen
            ]
            for delivery in revived:
                tx.put_delivery(delivery)
            return revived

        revived = await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))
        self._deliverer.offer(revived)
        return [delivery.id for delivery in revived]

    # -- within ------------------------------------------------------------

    async def _get(self, tenant: str, id: str) -> Subscription:
        document = await asyncio.wrap_future(
            self._store.read(lambda snapshot: snapshot.document(tenant, SUBSCRIPTION, id))
        )
        if document is None:
            raise ResourceNotFound(f"subscription {id} does not exist")
        return msgspec.convert(document.body, Subscription)

    async def _with_context(self, call: Call, subscription: Subscription) -> Subscription:
        """The subscription with the @context for its notifications, which must be there to be had."""
        source: Any = subscription.jsonld_context
        if source is None:
            source = subscription.ld_context
            url = source
            if not isinstance(url, str):
                url = await self._contexts.host_implicitly(source, call.tenant)
            subscription = msgspec.structs.replace(subscription, jsonld_context=url)
        else:
            await self._contexts.resolve(source, call.tenant)
        return msgspec.structs.replace(subscription, ld_context=source)

    def _written(
        self, tenant: str, subscription: Subscription, ld_context: LdContext, sys_attrs: bool
    ) -> dict[str, Any]:
        counters = self._deliverer.counters(tenant, subscription.id)
        return write_subscription(
            subscription, counters, ld_context, now=self._clock.now(), sys_attrs=sys_attrs
        )

    async def _render(self, delivery: Delivery, compiled: Compiled) -> Message:
        body = delivery.body
        payload = body if isinstance(body, Payload) else msgspec.convert(body, Payload)
        source = compiled.subscription.ld_context
        ld_context = await self._contexts.resolve(source, delivery.tenant)

        async def read(ids: Sequence[str]) -> Mapping[str, Entity]:
            return await asyncio.wrap_future(
                self._store.read(lambda snapshot: snapshot.get_many(delivery.tenant, list(ids)))
            )

        return await render(payload, compiled, delivery.id, ld_context, read)

    def _letter(self, letter: Delivery) -> dict[str, Any]:
        payload = msgspec.convert(letter.body, Payload)
        compiled = self._index.get(letter.tenant, letter.subscription)
        endpoint = compiled.subscription.notification.endpoint.uri if compiled else None
        return {
            "id": letter.id,
            "subscriptionId": letter.subscription,
            "endpoint": endpoint,
            "seq": letter.seq,
            "notifiedAt": payload.notified_at,
            "givenUpAt": format_datetime(letter.due),
            "entities": [entity.id for entity in payload.entities],
            "attempts": letter.attempts,
            "lastError": letter.last_error,
        }


def _all_kept(snapshot: Snapshot, tenant: str) -> list[Subscription]:
    kept: list[Subscription] = []
    after = ""
    while page := snapshot.documents(tenant, SUBSCRIPTION, after):
        kept += [msgspec.convert(document.body, Subscription) for document in page]
        after = page[-1].id
    return kept
