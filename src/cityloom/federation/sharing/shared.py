"""Subscriptions shared with context sources: what the web offers, and what runs behind it.

Source: ETSI GS CIM 009 clauses 5.8.1.4, 5.8.2.4, 5.8.5.4, 5.8.6, 6.3.8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cityloom.broker.ports import SourceNotification
from cityloom.consumers.views import Views
from cityloom.federation.asking.forward import Forwarder
from cityloom.federation.asking.shares import registered_part
from cityloom.federation.sharing.link_sending import LinkSending
from cityloom.federation.sharing.linking import Linking
from cityloom.federation.sharing.links import LINK, Link, Links
from cityloom.federation.sharing.notified import Told, read_told
from cityloom.federation.sharing.subscribed import Subscribed
from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts
from cityloom.ld.limits import limits_of
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.model.settings import Settings
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.store.ports import Store


class SharedWithSources:
    """Has sources tell this node what its subscribers want to know, and tells them.

    Args:
        subscribed: what is to be known of subscriptions, and the way to their subscribers.
        views: keeps the links as new as the store.
        background: the store for what one process alone does, behind its fence.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Settings,
        contexts: Contexts,
        *,
        forwarder: Forwarder,
        subscribed: Subscribed,
        views: Views | None = None,
        background: Store | None = None,
    ) -> None:
        background = background or store
        self._store = store
        self._contexts = contexts
        self._clock = clock
        self._subscribed = subscribed
        self._limits = limits_of(settings)
        self._links = Links()
        self._sending = LinkSending(
            background,
            clock,
            settings,
            contexts,
            forwarder=forwarder,
            subscribed=subscribed,
            links=self._links,
        )
        self._linking = Linking(background, clock, forwarder, subscribed, self._links, self._sending.wake)
        subscribed.follow(self._linking.handle)
        if views is not None:
            views.follow(LINK, self._links.follow)

    async def load(self) -> None:
        """Reads the links, at which sources may tell any process; after `Views.start`."""
        await asyncio.wrap_future(self._store.read(self._links.load))

    async def start(self) -> None:
        """Sees to links that are missing or too many: one process alone."""
        await self._linking.load()
        self._sending.doubt()

    async def run(self) -> None:
        """Brings links to their sources until it is cancelled; after `start`."""
        await self._sending.run(self._linking.wanted)

    def tenant_of(self, secret: str) -> str:
        """The tenant here of those whom a source tells at this secret.

        Raises:
            ResourceNotFound: nobody here waits for it.
        """
        return self._link(secret)[0]

    async def receive(self, secret: str, document: Mapping[str, Any], ld_context: LdContext) -> int:
        """5.8.6: takes what a source notifies of, and returns how many entities that were.

        It is durable when this returns; what the source did not register is passed over (4.3.6.1).

        Args:
            secret: where the source was told to notify.
            document: the notification, without its `@context`.
            ld_context: what its names mean.

        Raises:
            ResourceNotFound: nobody here waits for it.
            BadRequestData: it is no notification.
        """
        tenant, link = self._link(secret)
        told = document.get("subscriptionId")
        if link.sent is not None and told != link.remote:
            raise ResourceNotFound(f"subscriptionId is invalid: {str(told)[:200]!r} is not the one made here")
        data = document.get("data")
        if document.get("type") != "Notification" or not isinstance(data, list):
            raise BadRequestData("the body is invalid: a Notification with an array of entities is required")
        entities = [await self._read(tenant, link, one, ld_context) for one in data]
        mine = [entity for entity in entities if entity is not None]
        if mine:
            notified_at = document.get("notifiedAt")
            notification = SourceNotification(
                id=f"{link.id}|{document.get('id')}",
                notified_at=_stamp(notified_at) or format_datetime(self._clock.now()),
                registration=link.registration.id,
                told=mine,
                decided=link.decided,
            )
            await self._subscribed.tell(tenant, link.subscription, notification)
        return len(mine)

    def _link(self, secret: str) -> tuple[str, Link]:
        found = self._links.told_at(secret)
        if found is None or found[1].gone:
            raise ResourceNotFound("the notification belongs to no subscription of this node")
        return found

    async def _read(self, tenant: str, link: Link, document: Any, ld_context: LdContext) -> Told | None:
        if isinstance(document, dict) and "@context" in document:
            ld_context = await self._contexts.resolve(document["@context"], tenant)
        entity, previous = read_told(document, ld_context, self._limits)
        part = registered_part(link.registration, entity)
        if part is None:
            return None
        return part, [change for change in previous if change.name in part.attributes]


def _stamp(text: Any) -> str | None:
    try:
        parse_datetime(text)
    except BadRequestData:
        return None
    return str(text)
