"""The part of the consumer that turns changes of registrations into notifications.

What a subscriber was told of is kept beside its subscription, so that it is known
what is new to it, what changed, and what is not to be had any more.

Source: ETSI GS CIM 009 clauses 5.3.2, 5.3.3, 5.11.2.4, 5.11.3.4, 5.11.7, 6.3.9.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from cityloom.consumers.follow import Outcome
from cityloom.ld.context import LdContext
from cityloom.model.clock import Clock
from cityloom.model.errors import CityloomError
from cityloom.model.events import Event
from cityloom.model.time import format_datetime
from cityloom.query.sources import SourceQuery
from cityloom.store.log_ports import Delivery, DocumentChange, Timer
from cityloom.store.ports import Snapshot, Store, Transaction
from cityloom.subscriptions.compiled import Compiled, recorded
from cityloom.subscriptions.document import CONSUMER, SOURCE_SUBSCRIPTION, Subscription
from cityloom.subscriptions.payload import (
    Message,
    SourcePayload,
    TriggerReason,
    delivery_id,
    link_to,
)
from cityloom.subscriptions.source_query import source_query

_log = structlog.get_logger("subscriptions")
SOURCE_INTERVAL = "sourceInterval:"
_TOLD = "sourceSubscriptionTold"

Registration = Any
"""A registration as its room keeps it, in plain JSON values."""
Told = dict[str, Registration]
"""By id, the registrations that a subscriber was told of, as it was told."""
Find = Callable[[Registration], Registration | None]


class Registrations(Protocol):
    """What is to be known of registrations; `kind` is that of their documents."""

    kind: str

    def finder(self, query: SourceQuery) -> Find:
        """What gives a registration with what is to the point of it; None when nothing is."""
        ...

    def written(
        self, registration: Registration, ld_context: LdContext, *, sys_attrs: bool
    ) -> dict[str, Any]:
        """The document of a registration, in the terms of an @context."""
        ...

    def follow(self, tenant: str, id: str, seq: int, registration: Registration | None) -> None:
        """Hears that an event made this of a registration; None: it is gone."""
        ...


class _Kept(NamedTuple):
    compiled: Compiled
    find: Find


class _Writes:
    """What a run of events asks to be written."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.timers: list[Timer] = []
        self.cancelled: list[tuple[str, str]] = []
        self.told: dict[tuple[str, str], Told] = {}

    def __bool__(self) -> bool:
        return bool(self.deliveries or self.timers or self.cancelled or self.told)


class SourceMatching:
    """Follows the log for the subscriptions to registrations.

    Args:
        offer: takes deliveries that were just committed.
        timer_set: set when a timer was, for the loop that waits for timers.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        registrations: Registrations,
        *,
        offer: Callable[[Sequence[Delivery]], None],
        timer_set: asyncio.Event,
    ) -> None:
        self._store = store
        self._clock = clock
        self._registrations = registrations
        self._offer = offer
        self._timer_set = timer_set
        self._kept: dict[str, dict[str, _Kept]] = {}
        self._told: dict[tuple[str, str], Told] = {}

    def load(self) -> None:
        """Reads every subscription there is; events that follow keep them true."""
        with self._store.snapshot() as snapshot:
            for tenant in snapshot.tenants():
                for document in _documents(snapshot, tenant, SOURCE_SUBSCRIPTION):
                    self._put(tenant, msgspec.convert(document.body, Subscription))

    def begin(self) -> None:
        """Reads what subscribers were told, before events are handled."""
        self._told.clear()
        with self._store.snapshot() as snapshot:
            for tenant in snapshot.tenants():
                for document in _documents(snapshot, tenant, _TOLD):
                    self._told[tenant, document.id] = document.body

    def take(self, snapshot: Snapshot, change: DocumentChange) -> Callable[[], None]:
        """Keeps the subscriptions as new as the store: see `consumers.views.Views`."""
        document = snapshot.document(change.tenant, SOURCE_SUBSCRIPTION, change.id)

        def take_in() -> None:
            if document is None:
                self._remove(change.tenant, change.id)
            else:
                self._put(change.tenant, msgspec.convert(document.body, Subscription))

        return take_in

    def get(self, tenant: str, id: str) -> Compiled | None:
        """One subscription, or None."""
        kept = self._kept.get(tenant, {}).get(id)
        return None if kept is None else kept.compiled

    async def handle(self, events: Sequence[Event]) -> Outcome | None:
        """What a run of events asks to be delivered; see `consumers.follow.Follower`."""
        wanted = (SOURCE_SUBSCRIPTION, self._registrations.kind)
        concerned = [event for event in events if event.document_kind in wanted]
        if not concerned:
            return None
        writes = _Writes()
        heard: list[tuple[Event, Registration | None]] = []

        def read(snapshot: Snapshot) -> None:
            for event in concerned:
                if event.document_kind == SOURCE_SUBSCRIPTION:
                    self._follow_subscription(snapshot, event, writes)
                else:
                    heard.append((event, self._follow_registration(snapshot, event, writes)))

        await asyncio.wrap_future(self._store.read(read))
        # Here, on the event loop, where the others change what they know of registrations, too.
        for event, registration in heard:
            self._registrations.follow(event.tenant, event.entity_id, event.seq, registration)
        return self._outcome(writes) if writes else None

    async def fire(self, timer: Timer) -> Outcome | None:
        """What a due interval asks to be delivered (5.11.7): all that match, changed or not."""
        id = timer.key.removeprefix(SOURCE_INTERVAL)
        kept = self._kept.get(timer.tenant, {}).get(id)
        if kept is None or kept.compiled.subscription.time_interval is None:
            return None
        now = self._clock.now()
        interval = round(kept.compiled.subscription.time_interval * 1e6)
        writes = _Writes()
        due = timer.due + interval * max(1, (now - timer.due) // interval + 1)
        writes.timers.append(msgspec.structs.replace(timer, due=due))
        if kept.compiled.active(now):
            mark = f"{timer.key}@{timer.due}"

            def read(snapshot: Snapshot) -> None:
                self._tell_all(snapshot, timer.tenant, kept, mark, 0, now, writes)

            await asyncio.wrap_future(self._store.read(read))
        return self._outcome(writes)

    def render(
        self, payload: SourcePayload, compiled: Compiled, delivery: str, ld_context: LdContext
    ) -> Message:
        """A notification in the words of its subscription (5.3.2, 6.3.9)."""
        subscription = compiled.subscription
        notification = subscription.notification
        data = [
            self._registrations.written(one, ld_context, sys_attrs=notification.sys_attrs)
            for one in payload.registrations
        ]
        accept = notification.endpoint.accept or "application/json"
        headers = {pair.key: pair.value for pair in notification.endpoint.receiver_info}
        if accept == "application/json":
            headers["Link"] = link_to(subscription)
        else:
            data = [{**one, "@context": subscription.ld_context} for one in data]
        body = {
            "id": delivery,
            "type": "ContextSourceNotification",
            "subscriptionId": subscription.id,
            "notifiedAt": payload.notified_at,
            "triggerReason": payload.trigger_reason,
            "data": data,
        }
        return Message(accept, body, headers)

    # -- within ------------------------------------------------------------

    def _put(self, tenant: str, subscription: Subscription) -> _Kept | None:
        try:
            compiled = Compiled(subscription)
            kept = _Kept(
                compiled, self._registrations.finder(source_query(compiled, recorded(subscription)("csf")))
            )
        except CityloomError as error:
            _log.error("subscription unreadable", id=subscription.id, reason=error.detail)
            return None
        # Made anew, since the event loop looks things up while events are read.
        self._kept[tenant] = {**self._kept.get(tenant, {}), subscription.id: kept}
        return kept

    def _remove(self, tenant: str, id: str) -> None:
        self._kept[tenant] = {
            other: kept for other, kept in self._kept.get(tenant, {}).items() if other != id
        }

    def _follow_subscription(self, snapshot: Snapshot, event: Event, writes: _Writes) -> None:
        """One that is made or changed is told of all that match (5.11.2.4, 5.11.3.4)."""
        tenant, id = event.tenant, event.entity_id
        document = snapshot.document(tenant, SOURCE_SUBSCRIPTION, id)
        key = SOURCE_INTERVAL + id
        if document is None:
            self._remove(tenant, id)
            writes.told[tenant, id] = {}
            writes.cancelled.append((tenant, key))
            return
        kept = self._put(tenant, msgspec.convert(document.body, Subscription))
        if kept is None:
            return
        interval = kept.compiled.subscription.time_interval
        if interval is None:
            writes.cancelled.append((tenant, key))
        else:
            due = event.at + round(interval * 1e6)
            writes.timers.append(Timer(consumer=CONSUMER, tenant=tenant, key=key, due=due))
        if kept.compiled.active(event.at):
            self._tell_all(snapshot, tenant, kept, str(event.seq), event.seq, event.at, writes)

    def _tell_all(
        self, snapshot: Snapshot, tenant: str, kept: _Kept, mark: str, seq: int, at: int, writes: _Writes
    ) -> None:
        found = {
            document.id: one
            for document in _documents(snapshot, tenant, self._registrations.kind)
            # What was changed since is told when its own event comes.
            if document.modified <= at and (one := kept.find(document.body)) is not None
        }
        writes.told[tenant, kept.compiled.subscription.id] = found
        if found:
            self._deliver(tenant, kept.compiled, "newlyMatching", list(found.values()), mark, seq, at, writes)

    def _follow_registration(self, snapshot: Snapshot, event: Event, writes: _Writes) -> Registration | None:
        """Tells subscribers what became of a registration, and gives it as it is now."""
        tenant, id = event.tenant, event.entity_id
        document = snapshot.document(tenant, self._registrations.kind, id)
        registration = None if document is None else document.body
        if document is not None and document.modified > event.at:
            # Changed again since: what it is now is told when that event comes.
            return registration
        for kept in self._kept.get(tenant, {}).values():
            compiled = kept.compiled
            subscription = compiled.subscription
            if (
                subscription.time_interval is not None
                or compiled.created >= event.at
                or not compiled.active(event.at)
            ):
                continue
            told = writes.told.get((tenant, subscription.id))
            if told is None:
                told = self._told.get((tenant, subscription.id), {})
            before = told.get(id)
            after = None if registration is None else kept.find(registration)
            reason: TriggerReason
            if after is not None:
                reason = "newlyMatching" if before is None else "updated"
                writes.told[tenant, subscription.id] = {**told, id: after}
            elif before is not None:
                reason = "noLongerMatching"
                left = {other: one for other, one in told.items() if other != id}
                writes.told[tenant, subscription.id] = left
            else:
                continue
            data = [before if after is None else after]
            self._deliver(tenant, compiled, reason, data, str(event.seq), event.seq, event.at, writes)
        return registration

    def _deliver(
        self,
        tenant: str,
        compiled: Compiled,
        reason: TriggerReason,
        registrations: list[Registration],
        mark: str,
        seq: int,
        at: int,
        writes: _Writes,
    ) -> None:
        id = compiled.subscription.id
        writes.deliveries.append(
            Delivery(
                id=delivery_id(tenant, id, mark),
                tenant=tenant,
                subscription=id,
                seq=seq,
                body=SourcePayload(format_datetime(at), reason, registrations),
                due=at,
            )
        )

    def _outcome(self, writes: _Writes) -> Outcome:
        def work(tx: Transaction) -> None:
            for delivery in writes.deliveries:
                tx.put_delivery(delivery)
            for tenant, key in writes.cancelled:
                tx.cancel_timer(CONSUMER, tenant, key)
            for timer in writes.timers:
                tx.set_timer(timer)
            for (tenant, id), told in writes.told.items():
                tx.set_state(tenant, _TOLD, id, told)

        def then() -> None:
            self._told |= writes.told
            self._offer(writes.deliveries)
            if writes.timers:
                self._timer_set.set()

        return Outcome(work, then)


def _documents(snapshot: Snapshot, tenant: str, kind: str) -> list[Any]:
    found: list[Any] = []
    after = ""
    while page := snapshot.documents(tenant, kind, after):
        found += page
        after = page[-1].id
    return found
