"""The links between subscriptions of this node and those that it made of them at sources.

Source: ETSI GS CIM 009 clauses 5.8.1.4 (the mappings of identifiers), 5.8.5.4.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from cityloom.federation.registrations.registration import Registration
from cityloom.model.events import Cause
from cityloom.store.log_ports import DocumentChange
from cityloom.store.ports import Snapshot, Transaction

LINK: Final = "subscriptionLink"
"""The kind of document that links are kept as."""
NOTIFICATIONS: Final = "/notifications"
"""Below this path sources tell, each at the secret of its link."""
_CAUSE: Final = Cause(kind="system", id="system:subscription-links", operation="shareSubscription")


class Link(Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """One subscription, as one source has it.

    `secret` is where the source tells: who knows it may tell what the source would. `created` is when the
    subscription was made, which tells it from another of the same id. `registration` holds of the
    registration what is to the point. `remote` is the id of the subscription at the source, and
    `sent` what it is there (None: it is not known to be there). `decided`: the source looks at the
    conditions itself. `gone`: it is to be deleted there.
    """

    id: str
    secret: str
    subscription: str
    created: str
    registration: Registration
    remote: str
    sent: dict[str, Any] | None = None
    decided: bool = False
    gone: bool = False


def new_link(subscription: str, created: str, registration: Registration) -> Link:
    """A link that nobody can guess, to a subscription that is not made yet.

    The id of the one at the source is made here, so that making it again makes no second one.
    """
    return Link(
        id=f"urn:ngsi-ld:Link:{uuid.uuid4()}",
        secret=secrets.token_urlsafe(32),
        subscription=subscription,
        created=created,
        registration=registration,
        remote=f"urn:ngsi-ld:Subscription:{uuid.uuid4()}",
    )


class Links:
    """All links in memory, each as of the event that made it."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, Link]] = {}
        self._secrets: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self._pairs: dict[tuple[str, str], dict[str, str]] = {}

    def load(self, snapshot: Snapshot) -> None:
        """Reads every link there is."""
        seq = snapshot.last_seq()
        for tenant in snapshot.tenants():
            after = ""
            while page := snapshot.documents(tenant, LINK, after):
                for document in page:
                    self.put(tenant, document.id, seq, msgspec.convert(document.body, Link))
                after = page[-1].id

    def follow(self, snapshot: Snapshot, change: DocumentChange) -> Callable[[], None]:
        """Keeps them as new as the store: see `consumers.views.Views`."""
        document = snapshot.document(change.tenant, LINK, change.id)
        link = None if document is None else msgspec.convert(document.body, Link)
        return lambda: self.put(change.tenant, change.id, change.seq, link)

    def put(self, tenant: str, id: str, seq: int, link: Link | None) -> None:
        """Takes in what event `seq` made of a link (None: it is gone); older news is passed over."""
        if self._seen.get(id, -1) >= seq:
            return
        # Of one that is gone is remembered that it is: what comes late must not bring it back.
        self._seen[id] = seq
        before = self._kept.pop(id, None)
        if before is not None:
            self._part(tenant, before[1])
        if link is not None:
            self._kept[id] = (tenant, link)
            self._secrets[link.secret] = id
            if not link.gone:
                sources = self._pairs.setdefault((tenant, link.subscription), {})
                sources[link.registration.id] = id

    def _part(self, tenant: str, link: Link) -> None:
        self._secrets.pop(link.secret, None)
        sources = self._pairs.get((tenant, link.subscription), {})
        if sources.get(link.registration.id) == link.id:
            del sources[link.registration.id]
            if not sources:
                del self._pairs[tenant, link.subscription]

    def find(self, id: str) -> tuple[str, Link] | None:
        """The tenant of a link, and the link."""
        return self._kept.get(id)

    def told_at(self, secret: str) -> tuple[str, Link] | None:
        """The tenant and the link at which a source tells."""
        return self._kept.get(self._secrets.get(secret, ""))

    def of(self, tenant: str, subscription: str) -> Mapping[str, str]:
        """The links of a subscription that are not to go: their ids, by that of the registration."""
        return self._pairs.get((tenant, subscription), {})

    def subscriptions(self, tenant: str) -> set[str]:
        """The subscriptions of a tenant that have links. Cost: linear in all that have."""
        return {subscription for owner, subscription in self._pairs if owner == tenant}

    def between(self, tenant: str, subscription: str, registration: str) -> Link | None:
        """The link of a subscription with a source, unless it is to go."""
        id = self.of(tenant, subscription).get(registration)
        return None if id is None else self._kept[id][1]

    def all(self) -> Iterable[tuple[str, Link]]:
        """Every link, with its tenant."""
        return list(self._kept.values())


def write_link(tx: Transaction, tenant: str, link: Link) -> int:
    """Makes a link durable; the event's number."""
    return tx.put_document(tenant, LINK, link.id, link, _CAUSE).seq


def change_link(tx: Transaction, tenant: str, id: str, **changes: Any) -> tuple[int, Link] | None:
    """Changes members of a link as it is by now; None when it is gone meanwhile."""
    document = tx.document(tenant, LINK, id)
    if document is None:
        return None
    link = msgspec.structs.replace(msgspec.convert(document.body, Link), **changes)
    return write_link(tx, tenant, link), link


def delete_link(tx: Transaction, tenant: str, id: str) -> int | None:
    """Takes a link away; the event's number, or None when it is gone already."""
    if tx.document(tenant, LINK, id) is None:
        return None
    return tx.delete_document(tenant, LINK, id, _CAUSE).seq
