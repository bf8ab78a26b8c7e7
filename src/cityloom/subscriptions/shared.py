"""Subscriptions as those see them who share them with context sources.

The room of the sources knows registrations and how to ask; what a subscription says, how a copy
of it is written, and how its subscriber is told, is known here.

Source: ETSI GS CIM 009 clauses 5.8.1.4 (the copy), 5.8.6 (notifications of sources).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec

from cityloom.broker.ports import Call, SourceNotification
from cityloom.consumers.follow import Handler, Outcome
from cityloom.ld.context import LdContext
from cityloom.model.clock import Clock
from cityloom.model.entity import Entity
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Cause, Event
from cityloom.query.sources import SourceQuery
from cityloom.store.log_ports import Delivery
from cityloom.store.ports import Store, Transaction
from cityloom.subscriptions.compiled import Compiled
from cityloom.subscriptions.document import SUBSCRIPTION, Subscription
from cityloom.subscriptions.heard import Heard
from cityloom.subscriptions.payload import ToldPayload, delivery_id
from cityloom.subscriptions.source_query import source_query

_COPIED: Final = (
    "subscriptionName",
    "description",
    "watchedAttributes",
    "notificationTrigger",
    "timeInterval",
    "throttling",
    "splitEntities",
    "isActive",
    "expiresAt",
)
"""Members that a copy has as they are. The others say how the subscriber is told, or where to look."""
_FILTERS: Final = ("q", "geoQ", "scopeQ", "expandValues", "jsonKeys", "datasetId")
_PROJECTIONS: Final = ("attributes", "pick", "omit")
_WORDS: Final = ("q", "geoQ", "projection")
"""The parts of a subscription whose names stay as they were written."""
_HEAD: Final = ("id", "type")
_TOLD: Final = Cause(kind="system", id="system:sources", operation="notified")
_TAKEN: Final = 10_000
"""Notifications that are recognised when a source, which did not hear the answer, sends them again."""


class Elsewhere(Protocol):
    """The other places where entities are."""

    def returned(self, call: Call) -> bool:
        """Whether a request has been at this node before (4.3.6.4)."""
        ...

    async def completed(
        self, tenant: str, registration_id: str, told: Entity, ld_context: LdContext
    ) -> Entity | None:
        """What a source, or this node (`HERE`), told of an entity, with what all other places have (5.8.6).

        None: it is nowhere, for what there was has expired.
        """
        ...


class SharedSubscriptions:
    """What is to be known of subscriptions to entities, and the way to their subscribers.

    `kind` is that of their documents. A subscription is handed over as it is kept, in JSON values.
    """

    kind = SUBSCRIPTION

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        lookup: Callable[[str, str], Compiled | None],
        heard: Heard,
    ) -> None:
        self._store = store
        self._clock = clock
        self._lookup = lookup
        self.share = heard.share
        self._handlers: list[Handler] = []
        self._taken: OrderedDict[str, None] = OrderedDict()

    def follow(self, handle: Handler) -> None:
        """Has `handle` see every event that the matching sees, under the same cursor."""
        self._handlers.append(handle)

    async def handle(self, events: Sequence[Event]) -> list[Outcome]:
        """What those who follow along make of a run of events."""
        outcomes = [await handle(events) for handle in self._handlers]
        return [outcome for outcome in outcomes if outcome is not None]

    def query(self, body: Any) -> SourceQuery | None:
        """What finds the registrations of sources that may have something of it; None: it stays here.

        Raises:
            BadRequestData: it is unreadable.
        """
        subscription = msgspec.convert(body, Subscription)
        if subscription.local_only:
            return None
        names = subscription.names.get("csf", {})
        found = source_query(Compiled(subscription), lambda name: names.get(name, name))
        # A source that tells no scope may have entities of any, as it is with queries (5.7.2).
        return msgspec.structs.replace(found, scope_q=None)

    def copied(self, body: Any, ld_context: LdContext, *, split: bool) -> tuple[dict[str, Any], bool]:
        """The copy for a source, and whether the source looks at its conditions (5.8.1.4).

        It has everything but entities and endpoint. `watchedAttributes` are expanded names. The
        source tells attributes in the normalized form with their times, so that they can be put
        together and told in the words of the subscription.

        Args:
            ld_context: what the copy is written in. Where its names mean something else than in the
                subscription, conditions are looked at here.
            split: an entity may lie in several places, so that conditions can be looked at here alone.
        """
        subscription = msgspec.convert(body, Subscription)
        members: dict[str, Any] = msgspec.to_builtins(subscription)
        document: dict[str, Any] = {name: members[name] for name in _COPIED if name in members}
        notification: dict[str, Any] = {"sysAttrs": True}
        if subscription.notification.show_changes:
            notification["showChanges"] = True
        decided = not split and all(
            ld_context.expand_term(name) == meaning
            for part in _WORDS
            for name, meaning in subscription.names.get(part, {}).items()
        )
        if decided:
            document |= {name: members[name] for name in _FILTERS if name in members}
            given = members["notification"]
            notification |= {name: given[name] for name in _PROJECTIONS if name in given}
            if "attributes" in notification:
                notification["attributes"] = [
                    ld_context.compact_key(name) for name in notification["attributes"]
                ]
            # An entity without its id and type could not be told here.
            if "pick" in notification:
                notification["pick"] = list(dict.fromkeys((*_HEAD, *notification["pick"])))
            if "omit" in notification:
                notification["omit"] = [name for name in notification["omit"] if name not in _HEAD]
                if not notification["omit"]:
                    del notification["omit"]
        return {"type": "Subscription", **document, "notification": notification}, decided

    async def tell(self, tenant: str, subscription_id: str, notification: SourceNotification) -> None:
        """Makes durable what a source told; it is put together and delivered after that (5.8.6).

        Raises:
            ResourceNotFound: the subscription is gone.
        """
        if self._lookup(tenant, subscription_id) is None:
            raise ResourceNotFound(f"subscription {subscription_id} does not exist")
        # What an attribute was before is known by its name alone, hence by one entity a notification.
        parts = [[one] for one in notification.told] if notification.told[1:] else [notification.told]
        if not any(previous for _, previous in notification.told):
            parts = [notification.told]
        deliveries = [
            Delivery(
                id=delivery_id(tenant, subscription_id, f"{notification.id}#{number}"),
                tenant=tenant,
                subscription=subscription_id,
                seq=0,
                body=ToldPayload(
                    notified_at=notification.notified_at,
                    entities=[entity for entity, _ in part],
                    previous=[change for _, previous in part for change in previous],
                    registration=notification.registration,
                    decided=notification.decided,
                ),
                due=self._clock.now(),
            )
            for number, part in enumerate(parts)
        ]

        def work(tx: Transaction) -> list[Delivery]:
            new = [
                delivery
                for delivery in deliveries
                if delivery.id not in self._taken and tx.delivery(tenant, delivery.id) is None
            ]
            for delivery in new:
                tx.hand_over(delivery, _TOLD)
            return new

        new = await asyncio.shield(asyncio.wrap_future(self._store.submit(work)))
        for delivery in new:
            self._taken[delivery.id] = None
        while len(self._taken) > _TAKEN:
            self._taken.popitem(last=False)
