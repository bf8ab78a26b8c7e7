"""Following subscriptions and registrations, and saying which links there shall be.

The standard has the node subscribe to registrations for each subscription to entities (5.8.1.4). Here
both are events of one log, so the match is made anew where either changes; what is to be told to the
sources becomes durable with the cursor.

Source: ETSI GS CIM 009 clauses 5.8.1.4, 5.8.2.4, 5.8.5.4, 5.11.2.4, 5.12.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from cityloom.broker.ports import Call, Forwarding
from cityloom.consumers.follow import Outcome
from cityloom.federation.asking.forward import Forwarder
from cityloom.federation.registrations.matching import Match, registration_match
from cityloom.federation.registrations.operations import supported
from cityloom.federation.registrations.registration import REGISTRATION, Registration
from cityloom.federation.registrations.registry import alive
from cityloom.federation.sharing.copies import watched_there
from cityloom.federation.sharing.links import Link, Links, change_link, new_link, write_link
from cityloom.federation.sharing.subscribed import Head, Subscribed
from cityloom.ld.context import LdContext
from cityloom.model.clock import Clock
from cityloom.model.errors import CityloomError
from cityloom.model.events import Cause, Event
from cityloom.model.tenants import split_tenant
from cityloom.query.sources import SourceQuery
from cityloom.store.ports import Snapshot, Store, Transaction

_log = structlog.get_logger("federation")
_CAUSE: Final = Cause(kind="system", id="system:subscription-links", operation="shareSubscription")

Key = tuple[str, str]


class Wanted(NamedTuple):
    """A subscription that may concern sources, ready to be matched."""

    head: Head
    body: Any
    query: SourceQuery
    match: Match


class Linking:
    """Keeps the links as subscriptions and registrations would have them.

    Args:
        changed: hears of links that were made, that are to go, or whose subscription may have changed.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        forwarder: Forwarder,
        subscribed: Subscribed,
        links: Links,
        changed: Callable[[Iterable[tuple[str, Link]]], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._forwarder = forwarder
        self._subscribed = subscribed
        self._links = links
        self._changed = changed
        self._bodies: dict[str, dict[str, Any]] = {}
        self._wanted: dict[Key, Wanted | None] = {}
        self._registered: dict[str, dict[str, Registration]] = {}

    async def load(self) -> None:
        """Reads what there is and sees to the links of all of it, also of what an older version kept."""

        def read(snapshot: Snapshot) -> dict[str, tuple[list[tuple[str, Any]], list[tuple[str, Any]]]]:
            self._links.load(snapshot)
            return {
                tenant: (
                    _documents(snapshot, tenant, self._subscribed.kind),
                    _documents(snapshot, tenant, REGISTRATION),
                )
                for tenant in snapshot.tenants()
            }

        self._bodies.clear()
        self._wanted.clear()
        self._registered.clear()
        found = await asyncio.wrap_future(self._store.read(read))
        outcome = self._followed(found)
        if outcome is not None:
            await asyncio.wrap_future(self._store.submit(outcome.work))
            outcome.then()
        for tenant, link in self._links.all():
            self._subscribed.share(tenant, link.subscription, shared=not link.gone)

    def wanted(self, tenant: str, subscription: str) -> Wanted | None:
        """A subscription that may concern sources; None: it does not, or it is gone.

        Cost: it is parsed when it is first asked for, which it is not where nothing is registered.
        """
        key = (tenant, subscription)
        if key not in self._wanted:
            body = self._bodies.get(tenant, {}).get(subscription)
            self._wanted[key] = None if body is None else self._read(body)
        return self._wanted[key]

    async def handle(self, events: Sequence[Event]) -> Outcome | None:
        """What a run of events makes of the links; see `consumers.follow.Follower`."""
        kinds = (self._subscribed.kind, REGISTRATION)
        changed = dict.fromkeys(
            (event.tenant, event.document_kind, event.entity_id)
            for event in events
            if event.document_kind in kinds
        )
        if not changed:
            return None

        def read(snapshot: Snapshot) -> dict[str, tuple[list[tuple[str, Any]], list[tuple[str, Any]]]]:
            found: dict[str, tuple[list[tuple[str, Any]], list[tuple[str, Any]]]] = {}
            for tenant, kind, id in changed:
                document = snapshot.document(tenant, kind, id)
                of_tenant = found.setdefault(tenant, ([], []))
                of_tenant[kinds.index(kind)].append((id, None if document is None else document.body))
            return found

        return self._followed(await asyncio.wrap_future(self._store.read(read)))

    # -- within ------------------------------------------------------------

    def _followed(
        self, found: dict[str, tuple[list[tuple[str, Any]], list[tuple[str, Any]]]]
    ) -> Outcome | None:
        """Takes in documents as they are by now, and says what becomes of the links.

        Cost: each changed subscription with each registration of its tenant, and the other way round.
        """
        made: list[tuple[str, Link]] = []
        changes: list[tuple[str, str, dict[str, Any]]] = []
        concerned: list[tuple[str, Link]] = []
        for tenant, (subscriptions, registrations) in found.items():
            if split_tenant(tenant)[1]:
                # A subscription to a snapshot is always local (5.2.12).
                continue
            for id, body in subscriptions:
                self._take_subscription(tenant, id, body)
            for id, body in registrations:
                self._take_registration(tenant, id, body)
            for pair in self._pairs(tenant, subscriptions, registrations):
                self._see_to(tenant, pair, made, changes, concerned)
        if not (made or changes or concerned):
            return None
        return self._outcome(made, changes, concerned)

    def _take_subscription(self, tenant: str, id: str, body: Any) -> None:
        self._wanted.pop((tenant, id), None)
        of_tenant = self._bodies.setdefault(tenant, {})
        of_tenant.pop(id, None)
        if body is not None:
            of_tenant[id] = body

    def _read(self, body: Any) -> Wanted | None:
        try:
            query = self._subscribed.query(body)
            if query is None:
                return None
            return Wanted(msgspec.convert(body, Head), body, query, registration_match(query, anywhere=True))
        except CityloomError as error:
            _log.error("subscription unreadable", id=body["id"], reason=error.detail)
            return None

    def _take_registration(self, tenant: str, id: str, body: Any) -> None:
        of_tenant = self._registered.setdefault(tenant, {})
        of_tenant.pop(id, None)
        if body is not None:
            of_tenant[id] = msgspec.convert(body, Registration)

    def _pairs(
        self,
        tenant: str,
        subscriptions: list[tuple[str, Any]],
        registrations: list[tuple[str, Any]],
    ) -> Iterable[Key]:
        """The subscriptions and registrations to look at together, those that are linked included."""
        pairs: dict[Key, None] = {}
        for subscription, _ in subscriptions:
            sources = self._registered.get(tenant, {}).keys() | self._links.of(tenant, subscription).keys()
            pairs |= dict.fromkeys((subscription, one) for one in sorted(sources))
        changed = [id for id, _ in registrations]
        if changed:
            known = self._bodies.get(tenant, {}).keys() | self._links.subscriptions(tenant)
            pairs |= dict.fromkeys((one, id) for one in sorted(known) for id in changed)
        return pairs

    def _see_to(
        self,
        tenant: str,
        pair: Key,
        made: list[tuple[str, Link]],
        changes: list[tuple[str, str, dict[str, Any]]],
        concerned: list[tuple[str, Link]],
    ) -> None:
        wanted, found = self._match(tenant, *pair)
        link = self._links.between(tenant, *pair)
        if link is not None and (wanted is None or found is None or not _same(link, wanted, found)):
            changes.append((tenant, link.id, {"gone": True}))
            link = None
        if wanted is None or found is None:
            return
        if link is None:
            made.append((tenant, new_link(pair[0], wanted.head.created_at, found)))
        elif link.registration != found:
            changes.append((tenant, link.id, {"registration": found}))
        else:
            concerned.append((tenant, link))

    def _match(
        self, tenant: str, subscription: str, registration: str
    ) -> tuple[Wanted | None, Registration | None]:
        """A subscription, and what is to the point of a registration that it goes to, if it does."""
        wanted = self.wanted(tenant, subscription)
        known = self._registered.get(tenant, {}).get(registration)
        if wanted is None or known is None or not alive(known, self._clock.now()):
            return wanted, None
        if known.mode == "auxiliary" or "createSubscription" not in supported(known.operations):
            return wanted, None
        if self._forwarder.loops(call_of(tenant, wanted.head), known):
            return wanted, None
        found = wanted.match(known)
        if found is None or watched_there(found, wanted.head) is None:
            return wanted, None
        return wanted, found

    def _outcome(
        self,
        made: list[tuple[str, Link]],
        changes: list[tuple[str, str, dict[str, Any]]],
        concerned: list[tuple[str, Link]],
    ) -> Outcome:
        written: list[tuple[str, int, Link]] = []

        def work(tx: Transaction) -> None:
            written.clear()
            for tenant, link in made:
                written.append((tenant, write_link(tx, tenant, link), link))
            for tenant, id, members in changes:
                changed = change_link(tx, tenant, id, **members)
                if changed is not None:
                    written.append((tenant, *changed))

        def then() -> None:
            for tenant, seq, link in written:
                self._links.put(tenant, link.id, seq, link)
            for tenant, _, link in written:
                shared = bool(self._links.of(tenant, link.subscription))
                self._subscribed.share(tenant, link.subscription, shared=shared)
            self._changed([*((tenant, link) for tenant, _, link in written), *concerned])

        return Outcome(work, then)


def call_of(tenant: str, head: Head, ld_context: LdContext | None = None) -> Call:
    """The request that a subscription came with, as far as it is known still."""
    return Call(
        tenant=tenant, cause=_CAUSE, forwarding=Forwarding(via=tuple(head.via), ld_context=ld_context)
    )


def _same(link: Link, wanted: Wanted, found: Registration) -> bool:
    """Whether a link is to the same subscription, at the same place."""
    return (
        link.created == wanted.head.created_at
        and link.registration.endpoint == found.endpoint
        and link.registration.tenant == found.tenant
    )


def _documents(snapshot: Snapshot, tenant: str, kind: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    after = ""
    while page := snapshot.documents(tenant, kind, after):
        found += [(document.id, document.body) for document in page]
        after = page[-1].id
    return found
