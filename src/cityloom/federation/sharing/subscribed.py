"""What those who share subscriptions with sources ask of the room that keeps them.

Source: ETSI GS CIM 009 clauses 5.2.12, 5.8.1.4, 5.8.6.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from cityloom.broker.ports import SourceNotification
from cityloom.consumers.follow import Handler
from cityloom.ld.context import LdContext
from cityloom.query.sources import SourceQuery

Subscription = Any
"""A subscription as its room keeps it, in plain JSON values."""


class Subscribed(Protocol):
    """What is to be known of subscriptions to entities; `kind` is that of their documents."""

    kind: str

    def query(self, body: Subscription) -> SourceQuery | None:
        """What finds the registrations of sources that may have something of it; None: it stays here.

        Raises:
            BadRequestData: it is unreadable.
        """
        ...

    def copied(
        self, body: Subscription, ld_context: LdContext, *, split: bool
    ) -> tuple[dict[str, Any], bool]:
        """The copy for a source without entities and endpoint, and whether it looks at its conditions.

        Args:
            ld_context: what the copy is written in; `watchedAttributes` are expanded names all the same.
            split: an entity may lie in several places.
        """
        ...

    def follow(self, handle: Handler) -> None:
        """Has `handle` see every event that the matching of subscriptions sees, under the same cursor."""
        ...

    def share(self, tenant: str, subscription: str, *, shared: bool) -> None:
        """Hears whether a subscription is shared with sources."""
        ...

    async def tell(self, tenant: str, subscription_id: str, notification: SourceNotification) -> None:
        """Makes durable what a source told of it. Raises ResourceNotFound: the subscription is gone."""
        ...


class Head(Struct, frozen=True, rename="camel"):
    """Of a subscription as it is kept, what concerns sources whatever else it says.

    `via` are the pseudonyms of the nodes that it passed before it came here; `ld_context` is what its
    notifications are written in, and `names` are what the words in its expressions mean.
    """

    id: str
    created_at: str
    modified_at: str
    watched_attributes: list[str] = []
    time_interval: int | float | None = None
    split_entities: bool | None = None
    expires_at: str | None = None
    via: list[str] = []
    ld_context: Any = None
