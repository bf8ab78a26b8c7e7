"""The consumer that turns events into notifications to deliver.

One notification per change and subscription: its id is derived from both, and
it becomes durable in the transaction that moves the cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import msgspec
import structlog

from cityloom.broker.transient import alive
from cityloom.consumers.follow import Outcome
from cityloom.model.clock import Clock
from cityloom.model.entity import Entity
from cityloom.model.errors import CityloomError
from cityloom.model.events import Document, Event
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.evaluate import Get
from cityloom.store.log_ports import Delivery, DocumentChange, Timer
from cityloom.store.ports import Snapshot, Store, Transaction
from cityloom.subscriptions.compiled import Compiled
from cityloom.subscriptions.document import CONSUMER, COUNTERS, SUBSCRIPTION, Counters, Subscription
from cityloom.subscriptions.heard import Heard
from cityloom.subscriptions.index import Index
from cityloom.subscriptions.payload import Payload, delivery_id, payload_of, payload_of_many, told_here
from cityloom.subscriptions.states import states_after

_log = structlog.get_logger("subscriptions")
_MOST_ENTITIES = 10_000
_FOR_EVER = 2**62
_INTERVAL = "interval:"
_THROTTLE = "throttle:"


class Matching:
    """Follows the log for the subscriptions.

    Args:
        offer: takes deliveries that were just committed.
        timer_set: set when a timer was, for the loop that waits for timers.
        heard: what subscribers were told already, of here and of sources.
        split: an entity may lie in several places, where a subscription says nothing of it.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        index: Index,
        *,
        offer: Callable[[Sequence[Delivery]], None],
        timer_set: asyncio.Event,
        heard: Heard,
        split: bool,
    ) -> None:
        self._heard = heard
        self._split = split
        self._store = store
        self._clock = clock
        self._offer = offer
        self._timer_set = timer_set
        self._told: dict[tuple[str, str], int] = {}
        self._held: dict[tuple[str, str], dict[str, None]] = {}
        self._index = index

    def load(self) -> None:
        """Reads every subscription there is; events that follow keep the index true."""
        with self._store.snapshot() as snapshot:
            seq = snapshot.last_seq()
            for tenant in snapshot.tenants():
                after = ""
                while documents := snapshot.documents(tenant, SUBSCRIPTION, after):
                    for document in documents:
                        self._put(tenant, document, seq)
                    after = documents[-1].id

    def begin(self) -> None:
        """Reads what subscribers were told, and what is held back for them, before events are handled."""
        self._told.clear()
        self._held.clear()
        with self._store.snapshot() as snapshot:
            for tenant in snapshot.tenants():
                self._load_told(snapshot, tenant)
            for timer in snapshot.timers_due(CONSUMER, _FOR_EVER, _MOST_ENTITIES):
                if timer.key.startswith(_THROTTLE):
                    self._held[timer.tenant, timer.key.removeprefix(_THROTTLE)] = dict.fromkeys(timer.body)

    def _load_told(self, snapshot: Snapshot, tenant: str) -> None:
        after = ""
        while documents := snapshot.documents(tenant, COUNTERS, after):
            for document in documents:
                told = msgspec.convert(document.body, Counters).last_notification
                if told is not None:
                    self._told[tenant, document.id] = parse_datetime(told)
            after = documents[-1].id

    def take(self, snapshot: Snapshot, change: DocumentChange) -> Callable[[], None]:
        """Keeps the index as new as the store: see `consumers.views.Views`."""
        self._follow_document(snapshot, change.tenant, change.id)
        return lambda: None

    def _put(self, tenant: str, document: Document, seq: int) -> None:
        try:
            compiled = Compiled(msgspec.convert(document.body, Subscription))
        except CityloomError as error:
            _log.error("subscription unreadable", id=document.id, reason=error.detail)
        else:
            self._index.take(tenant, document.id, seq, compiled)

    async def handle(self, events: Sequence[Event]) -> Outcome | None:
        """What a run of events asks to be delivered; see `consumers.follow.Follower`."""
        snapshot_work = self._read_matches
        hits = await asyncio.wrap_future(self._store.read(lambda snapshot: snapshot_work(snapshot, events)))
        deliveries: list[Delivery] = []
        timers: list[Timer] = []
        cancelled: list[tuple[str, str]] = []
        for event, compiled, state in hits:
            if compiled is None:
                self._follow_timer(event, timers, cancelled)
            elif state is not None:
                self._notify(event, compiled, state, deliveries, timers)
        if not (deliveries or timers or cancelled):
            return None
        return self._outcome(deliveries, timers, cancelled)

    def _read_matches(
        self, snapshot: Snapshot, events: Sequence[Event]
    ) -> list[tuple[Event, Compiled | None, Entity | None]]:
        """The (event, subscription, entity) that fit; without a subscription: one was put or deleted."""
        found: list[tuple[Event, Compiled | None, Entity | None]] = []
        for event in events:
            if event.document_kind == SUBSCRIPTION:
                self._heard.changed(event.tenant, event.entity_id)
                self._follow_document(snapshot, event.tenant, event.entity_id)
                found.append((event, None, None))
            elif event.kind.startswith("entity"):
                found.extend(
                    (event, compiled, None)
                    for compiled in self._index.candidates(event)
                    if compiled.created < event.at and compiled.active(event.at) and compiled.triggered(event)
                )
        states = states_after(snapshot, events, {event.seq for event, compiled, _ in found if compiled})

        def get(tenant: str) -> Get:
            return lambda id: living(snapshot, tenant, id, self._clock.now())

        matched: list[tuple[Event, Compiled | None, Entity | None]] = []
        for event, compiled, _ in found:
            state = states.get(event.seq)
            if state is not None and event.kind != "entityDeleted":
                state = alive(state, event.at)
            if compiled is None:
                matched.append((event, None, None))
            elif (
                state is not None
                and compiled.selects(state)
                and (self._later(event, compiled) or compiled.holds(state, get(event.tenant)))
            ):
                matched.append((event, compiled, state))
        return matched

    def _later(self, event: Event, compiled: Compiled) -> bool:
        """As `_decided_later`; of what is deleted here the conditions are looked at as it was here."""
        return event.kind != "entityDeleted" and self._decided_later(event.tenant, compiled)

    def _decided_later(self, tenant: str, compiled: Compiled) -> bool:
        """Whether conditions wait until the entity has been put together (splitEntities of 5.2.12)."""
        split = compiled.subscription.split_entities
        return (
            compiled.conditional
            and self._heard.shares(tenant, compiled.subscription.id)
            and (self._split if split is None else split)
        )

    def _follow_document(self, snapshot: Snapshot, tenant: str, id: str) -> None:
        document = snapshot.document(tenant, SUBSCRIPTION, id)
        seq = snapshot.last_seq()
        if document is None:
            self._index.take(tenant, id, seq, None)
        else:
            self._put(tenant, document, seq)

    def _follow_timer(self, event: Event, timers: list[Timer], cancelled: list[tuple[str, str]]) -> None:
        compiled = self._index.get(event.tenant, event.entity_id)
        key = _INTERVAL + event.entity_id
        if compiled is None:
            self._told.pop((event.tenant, event.entity_id), None)
            self._held.pop((event.tenant, event.entity_id), None)
            cancelled += [(event.tenant, key), (event.tenant, _THROTTLE + event.entity_id)]
        elif compiled.subscription.time_interval is not None:
            due = event.at + round(compiled.subscription.time_interval * 1e6)
            timers.append(Timer(consumer=CONSUMER, tenant=event.tenant, key=key, due=due))
        else:
            cancelled.append((event.tenant, key))

    def _notify(
        self,
        event: Event,
        compiled: Compiled,
        state: Entity,
        deliveries: list[Delivery],
        timers: list[Timer],
    ) -> None:
        subscription = compiled.subscription
        key = (event.tenant, subscription.id)
        if subscription.throttling is not None:
            due = self._told.get(key, 0) + round(subscription.throttling * 1e6)
            if event.at < due:
                held = self._held.setdefault(key, {})
                held[event.entity_id] = None
                timers.append(
                    Timer(
                        consumer=CONSUMER,
                        tenant=event.tenant,
                        key=_THROTTLE + subscription.id,
                        due=due,
                        body=list(held),
                    )
                )
                return
        payload = payload_of(compiled, event, state)
        if self._later(event, compiled):
            payload = told_here(payload)
        elif not self._heard.news_here(event, subscription.id, state):
            return
        self._told[key] = event.at
        deliveries.append(
            _delivery(event.tenant, subscription.id, event.seq, str(event.seq), event.at, payload)
        )

    async def fire(self, timer: Timer) -> Outcome | None:
        """What a due timer asks to be delivered; see `consumers.timers.Timers`."""
        kind, _, id = timer.key.partition(":")
        compiled = self._index.get(timer.tenant, id)
        if compiled is None:
            return None
        now = self._clock.now()
        timers: list[Timer] = []
        if kind + ":" == _INTERVAL:
            interval = round((compiled.subscription.time_interval or 1) * 1e6)
            due = timer.due + interval * max(1, (now - timer.due) // interval + 1)
            timers = [msgspec.structs.replace(timer, due=due)]
            ids = None
        else:
            self._held.pop((timer.tenant, id), None)
            self._told[timer.tenant, id] = now
            ids = list(timer.body or [])
        entities: list[Entity] = []
        later = ids is not None and self._decided_later(timer.tenant, compiled)
        if compiled.active(now):
            entities = await asyncio.wrap_future(
                self._store.read(
                    lambda snapshot: _subscribed(snapshot, timer.tenant, compiled, ids, now, decided=later)
                )
            )
        deliveries = []
        if entities:
            payload = payload_of_many(entities, format_datetime(now))
            if later:
                payload = told_here(payload)
            deliveries = [_delivery(timer.tenant, id, 0, f"{timer.key}@{timer.due}", now, payload)]
        return self._outcome(deliveries, timers, [])

    def _outcome(
        self, deliveries: list[Delivery], timers: list[Timer], cancelled: list[tuple[str, str]]
    ) -> Outcome:
        def work(tx: Transaction) -> None:
            for delivery in deliveries:
                tx.put_delivery(delivery)
            for tenant, key in cancelled:
                tx.cancel_timer(CONSUMER, tenant, key)
            for timer in timers:
                tx.set_timer(timer)

        def then() -> None:
            self._offer(deliveries)
            if timers:
                self._timer_set.set()

        return Outcome(work, then)


def _subscribed(
    snapshot: Snapshot, tenant: str, compiled: Compiled, ids: list[str] | None, now: int, *, decided: bool
) -> list[Entity]:
    """Living entities for which the conditions hold, if they are looked at here: all, or those of `ids`."""

    def get(id: str) -> Entity | None:
        return living(snapshot, tenant, id, now)

    found: dict[str, Entity] = {}
    for stored in _candidates(snapshot, tenant, compiled, ids):
        entity = alive(stored, now)
        if entity is None or not compiled.tells(entity, get, decided=decided):
            continue
        found[entity.id] = entity
        if ids is None and len(found) >= _MOST_ENTITIES:
            _log.warning("periodic notification cut", id=compiled.subscription.id, at=_MOST_ENTITIES)
            break
    return list(found.values())


def living(snapshot: Snapshot, tenant: str, id: str, now: int) -> Entity | None:
    """An entity, unless it does not exist or has expired."""
    stored = snapshot.get(tenant, id)
    return None if stored is None else alive(stored, now)


def _candidates(
    snapshot: Snapshot, tenant: str, compiled: Compiled, ids: list[str] | None
) -> Iterable[Entity]:
    if ids is not None:
        return snapshot.get_many(tenant, ids).values()
    return chain.from_iterable(snapshot.scan(tenant, query) for query in compiled.queries())


def _delivery(tenant: str, subscription: str, seq: int, mark: str, due: int, payload: Payload) -> Delivery:
    return Delivery(
        id=delivery_id(tenant, subscription, mark),
        tenant=tenant,
        subscription=subscription,
        seq=seq,
        body=payload,
        due=due,
    )
