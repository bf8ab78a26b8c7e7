"""The subscriptions of a city: what the web offers and what runs behind it.

Source: ETSI GS CIM 009 clauses 5.8.1 to 5.8.5, 5.11.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cityloom.broker.ports import Access, Call
from cityloom.broker.transient import alive
from cityloom.consumers.follow import Follower, Outcome
from cityloom.consumers.timers import Timers
from cityloom.consumers.views import Views
from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts
from cityloom.model.clock import Clock
from cityloom.model.entity import Entity
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Event
from cityloom.model.settings import Settings
from cityloom.model.time import format_datetime
from cityloom.net.client import Outgoing
from cityloom.store.log_ports import DELIVERY, Announcement, Delivery, Timer
from cityloom.store.ports import Snapshot, Store, Transaction
from cityloom.subscriptions.compiled import Compiled, events_of
from cityloom.subscriptions.deliver import Deliverer
from cityloom.subscriptions.document import CONSUMER, KINDS, SOURCE_SUBSCRIPTION, SUBSCRIPTION
from cityloom.subscriptions.heard import Heard
from cityloom.subscriptions.index import Index
from cityloom.subscriptions.kept import RESOURCE, KeptSubscriptions
from cityloom.subscriptions.matching import Matching, living
from cityloom.subscriptions.payload import (
    Message,
    Payload,
    SourcePayload,
    ToldPayload,
    payload_in,
    render,
)
from cityloom.subscriptions.shared import Elsewhere, SharedSubscriptions
from cityloom.subscriptions.source_matching import SOURCE_INTERVAL, Registrations, SourceMatching
from cityloom.subscriptions.transports import Transports

Deliveries = list[Delivery]
Letters = list[dict[str, Any]]


class Subscriptions(KeptSubscriptions):
    """Subscriptions to entities, their dead letters, and what runs behind all subscriptions.

    `sources` are the subscriptions to registrations, which are matched and delivered along with them.

    Args:
        registrations: what there is to know of registrations.
        elsewhere: the other places where entities are.
        views: keeps what is known of documents as new as the store.
        background: the store for what one process alone does, behind its fence; `store` where there is one.

    `load` is for every process. `start` and `run` are for the one that matches and delivers.
    `shared` is for those who share subscriptions with context sources.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        contexts: Contexts,
        outgoing: Outgoing,
        clock: Clock,
        settings: Settings,
        registrations: Registrations,
        elsewhere: Elsewhere,
        views: Views | None = None,
        background: Store | None = None,
    ) -> None:
        views = views or Views(store)
        background = background or store
        self._loaded = False
        self._settings = settings
        self._elsewhere = elsewhere
        self._heard = Heard()
        self._transports = Transports(outgoing, settings.out_timeout)
        self._index = Index()
        deliverer = Deliverer(
            background,
            clock,
            settings,
            lookup=self._lookup,
            render=self._render,
            transports=self._transports,
            fresh=views.current,
        )
        super().__init__(store, access, contexts, clock, deliverer, "entities", elsewhere.returned)
        timer_set = asyncio.Event()
        self._matching = Matching(
            background,
            clock,
            self._index,
            offer=deliverer.offer,
            timer_set=timer_set,
            heard=self._heard,
            split=settings.split_entities,
        )
        self.shared = SharedSubscriptions(store, clock, lookup=self._index.get, heard=self._heard)
        self._source_matching = SourceMatching(
            background, clock, registrations, offer=deliverer.offer, timer_set=timer_set
        )
        self.sources = KeptSubscriptions(store, access, contexts, clock, deliverer, "registrations")
        self._timers = Timers(background, CONSUMER, clock, self._fire, timer_set)
        self._follower = Follower(background, CONSUMER, self._handle)
        views.follow(SUBSCRIPTION, self._matching.take)
        views.follow(SOURCE_SUBSCRIPTION, self._source_matching.take)
        self._views = views

    async def load(self) -> None:
        """Reads the subscriptions; after `Views.start`."""
        if not self._loaded:
            await asyncio.to_thread(self._matching.load)
            await asyncio.to_thread(self._source_matching.load)
            self._loaded = True

    async def start(self) -> None:
        """Reads the subscriptions, takes its place in the log, takes up what was left undelivered."""
        await self._follower.start()
        await self.load()
        await self._views.current()
        self._heard.clear()
        await asyncio.to_thread(self._matching.begin)
        await asyncio.to_thread(self._source_matching.begin)
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

    async def fired_by(self, call: Call, entity: Entity, ld_context: LdContext) -> Sequence[dict[str, Any]]:
        """The subscriptions that a change of this entity can trigger, by id.

        Cost: looks at those alone that the index finds for the entity's types and attributes.
        """
        self._access.check(call, "read", RESOURCE)
        found: dict[str, Compiled] = {}
        for event in events_of(call.tenant, entity):
            for compiled in self._index.candidates(event):
                found[compiled.subscription.id] = compiled
        return [
            self._written(call.tenant, found[id].subscription, ld_context, False)
            for id in sorted(found)
            if found[id].fired_by(call.tenant, entity)
        ]

    # -- dead letters ------------------------------------------------------

    async def dead_letters(self, call: Call, *, after: str = "", limit: int = 1000) -> Letters:
        """Notifications that were given up, by id."""
        self._access.check(call, "read", RESOURCE)
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
        self._access.check(call, "admin", RESOURCE)

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
            for delivery in sorted(revived, key=lambda one: one.seq):
                tx.hand_over(delivery, call.cause)
            return revived

        revived = await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))
        return [delivery.id for delivery in revived]

    # -- within ------------------------------------------------------------

    def _lookup(self, tenant: str, id: str) -> Compiled | None:
        return self._index.get(tenant, id) or self._source_matching.get(tenant, id)

    async def _handle(self, events: Sequence[Event]) -> Outcome | None:
        outcomes = (await self._matching.handle(events), await self._source_matching.handle(events))
        others = await self.shared.handle(events)
        await self._hear_of_deliveries(events)
        return _joined([*(outcome for outcome in outcomes if outcome is not None), *others])

    async def _hear_of_deliveries(self, events: Sequence[Event]) -> None:
        """Of what others hand over, and what is to be dropped: both are in the store already."""
        for event in events:
            if event.document_kind in KINDS.values() and event.kind == "documentDeleted":
                self._deliverer.drop(event.tenant, event.entity_id)
        handed = [event for event in events if event.document_kind == DELIVERY]
        if not handed:
            return

        def read(snapshot: Snapshot) -> Deliveries:
            found = (snapshot.delivery(event.tenant, event.entity_id) for event in handed)
            return [one for one in found if one is not None and not one.dead]

        self._deliverer.offer(await asyncio.wrap_future(self._store.read(read)))

    async def _fire(self, timer: Timer) -> Outcome | None:
        if timer.key.startswith(SOURCE_INTERVAL):
            return await self._source_matching.fire(timer)
        return await self._matching.fire(timer)

    async def _render(self, delivery: Delivery, compiled: Compiled) -> Message | None:
        source = compiled.subscription.ld_context
        ld_context = await self._contexts.resolve(source, delivery.tenant)
        payload = payload_in(delivery.body)
        assert not isinstance(payload, Announcement)
        if isinstance(payload, SourcePayload):
            return self._source_matching.render(payload, compiled, delivery.id, ld_context)
        if isinstance(payload, ToldPayload):
            entities = await self._put_together(delivery, compiled, payload, ld_context)
            if not entities:
                return None
            payload = msgspec.structs.replace(payload, entities=entities)

        async def read(ids: Mapping[str, bool]) -> Mapping[str, Entity]:
            found = await asyncio.wrap_future(
                self._store.read(lambda snapshot: snapshot.get_many(delivery.tenant, list(ids)))
            )
            now = self._clock.now()
            return {id: entity for id, one in found.items() if (entity := alive(one, now)) is not None}

        return await render(payload, compiled, delivery.id, ld_context, read)

    async def _put_together(
        self, delivery: Delivery, compiled: Compiled, payload: ToldPayload, ld_context: LdContext
    ) -> list[Entity]:
        """Of what a source told the entities to notify of, whole, that fit and are news (5.8.6)."""
        split = compiled.subscription.split_entities
        if split is None:
            split = self._settings.split_entities
        found: list[Entity] = []
        for told in payload.entities:
            entity: Entity | None = told
            if split and not payload.decided:
                entity = await self._elsewhere.completed(
                    delivery.tenant, payload.registration, told, ld_context
                )
            fits = entity is not None and await self._fits(
                delivery.tenant, compiled, entity, decided=payload.decided
            )
            if compiled.subscription.time_interval is not None:
                news = fits
            elif not fits:
                news = False
                self._heard.not_told(delivery.tenant, delivery.subscription, told)
            else:
                news = self._heard.news_there(
                    delivery.tenant,
                    delivery.subscription,
                    told,
                    delivery.id,
                    payload.registration,
                    projected=payload.decided,
                )
            if news and entity is not None:
                found.append(entity)
        return found

    async def _fits(self, tenant: str, compiled: Compiled, entity: Entity, *, decided: bool) -> bool:
        """Whether what was told is to be notified: see `Compiled.tells`."""
        now = self._clock.now()

        def look(snapshot: Snapshot) -> bool:
            return compiled.tells(entity, lambda id: living(snapshot, tenant, id, now), decided=decided)

        return await asyncio.wrap_future(self._store.read(look))

    def _letter(self, letter: Delivery) -> dict[str, Any]:
        payload = payload_in(letter.body)
        endpoint: str | None
        if isinstance(payload, Announcement):
            endpoint, notified_at = payload.endpoint, payload.notification["notifiedAt"]
        else:
            compiled = self._lookup(letter.tenant, letter.subscription)
            endpoint = compiled.subscription.notification.endpoint.uri if compiled else None
            notified_at = payload.notified_at
        return {
            "id": letter.id,
            "subscriptionId": letter.subscription,
            "endpoint": endpoint,
            "seq": letter.seq,
            "notifiedAt": notified_at,
            "givenUpAt": format_datetime(letter.due),
            "entities": [entity.id for entity in payload.entities] if isinstance(payload, Payload) else [],
            "attempts": letter.attempts,
            "lastError": letter.last_error,
        }


def _joined(outcomes: Sequence[Outcome]) -> Outcome | None:
    if len(outcomes) < 2:
        return outcomes[0] if outcomes else None

    def work(tx: Transaction) -> None:
        for outcome in outcomes:
            outcome.work(tx)

    def then() -> None:
        for outcome in outcomes:
            outcome.then()

    return Outcome(work, then)
