"""Bringing notifications to their endpoints: in order, again when they fail, nobody held up by another.

Each endpoint has a few lanes. A notification belongs to the lane of its
entity, so that an endpoint hears of one entity in the order of its changes. A
lane sends one at a time. When an endpoint does not answer at all, all its
lanes wait; when it refuses one notification, that one waits alone and those
behind it go on. Only so many wait for one endpoint (`notifyWaiting`): the next
ones are dead letters at once, which are later than all that waits, so that whoever
replays them keeps the order.
"""

from __future__ import annotations

import asyncio
import heapq
import zlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from cityloom.consumers.failures import Failures
from cityloom.consumers.waiting import within
from cityloom.model.clock import Clock
from cityloom.model.errors import CityloomError
from cityloom.model.settings import Settings
from cityloom.model.tenants import tenant_headers
from cityloom.model.time import format_datetime
from cityloom.store.log_ports import Announcement, Delivery
from cityloom.store.ports import Snapshot, Store, Transaction
from cityloom.subscriptions.compiled import Compiled
from cityloom.subscriptions.document import COUNTERS, Counters, Endpoint
from cityloom.subscriptions.payload import Message, Payload, SourcePayload
from cityloom.subscriptions.transport import Undelivered
from cityloom.subscriptions.transports import Transports

_log = structlog.get_logger("subscriptions")
_KEPT_IN_MEMORY = 1000
_PAGE = 1000

Render = Callable[[Delivery, Compiled], Awaitable[Message | None]]


class _Waiting(NamedTuple):
    """One delivery in a lane; its body is read again from the store when the lane is long."""

    due: int
    seq: int
    id: str
    tenant: str
    subscription: str
    delivery: Delivery | None


class _Endpoint:
    """What is known of one address: how often it failed in a row, and until when it is left alone.

    `full`: as many wait for it as may.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.blocked_until = 0
        self.full = False


class _Lane:
    def __init__(self, endpoint: _Endpoint) -> None:
        self.endpoint = endpoint
        self.waiting: list[_Waiting] = []
        self.wake = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Deliverer:
    """Sends what `Matching` made durable.

    Args:
        lookup: the subscription of a (tenant, id), or None when it is gone.
        render: puts a delivery into its subscriber's words; None: there is nothing to tell after all.
        transports: by the scheme of the endpoint's URI.
        fresh: waits until what `lookup` finds is as new as the store.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Settings,
        *,
        lookup: Callable[[str, str], Compiled | None],
        render: Render,
        transports: Transports,
        fresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._lookup = lookup
        self._render = render
        self._transports = transports
        self._fresh = fresh
        self._running = False
        self._taken: set[tuple[str, str]] = set()
        self._endpoints: dict[str, _Endpoint] = {}
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._counters: dict[tuple[str, str], Counters] = {}
        self._results: list[Callable[[Transaction], None]] = []
        self._touched: set[tuple[str, str]] = set()
        self._gone: dict[tuple[str, str], str] = {}
        self._flush = asyncio.Event()
        self._keeping = Failures("results not kept")
        self._sending = Failures("delivery failed")

    async def run(self) -> None:
        """Sends until it is cancelled; call `take_up` before."""
        self._running = True
        try:
            while True:
                await self._flush.wait()
                self._flush.clear()
                await self._keep_results()
        finally:
            tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._running = False
            await self._keep_results()
            # From now on another process may know better.
            self._counters.clear()

    def offer(self, deliveries: Sequence[Delivery]) -> None:
        """Takes deliveries that are durable already."""
        for delivery in deliveries:
            self._enqueue(delivery)

    def counters(self, tenant: str, subscription: str) -> Counters:
        """How the notifications of a subscription fared: as was made durable, where another process sends."""
        key = (tenant, subscription)
        known = self._counters.get(key)
        if known is not None:
            return known
        with self._store.snapshot() as snapshot:
            document = snapshot.document(tenant, COUNTERS, subscription)
        counters = msgspec.convert(document.body, Counters) if document else Counters()
        if self._running:
            self._counters[key] = counters
        return counters

    def forget(self, tenant: str, subscription: str, created_at: str) -> None:
        """Forgets a subscription that was deleted: its counters, and what waits to be sent for it.

        From now on nothing is sent for the one that was `created_at` that time (5.8.5.4), also while
        those who follow the log have not heard of its end.
        """
        self._gone = {key: made for key, made in self._gone.items() if self._lookup(*key) is not None}
        self._gone[tenant, subscription] = created_at
        self.drop(tenant, subscription)

    def drop(self, tenant: str, subscription: str) -> None:
        """Forgets what waits to be sent for a subscription that was deleted, and its counters."""
        self._counters.pop((tenant, subscription), None)
        self._touched.discard((tenant, subscription))
        for lane in self._lanes.values():
            key = (tenant, subscription)
            gone = [one for one in lane.waiting if (one.tenant, one.subscription) == key]
            if gone:
                lane.waiting = [one for one in lane.waiting if (one.tenant, one.subscription) != key]
                heapq.heapify(lane.waiting)
                lane.wake.set()
                for one in gone:
                    self._finish(tenant, one.id)

    async def take_up(self) -> None:
        """Takes up what was left undelivered, before anything new is offered."""
        self._endpoints.clear()
        self._lanes.clear()
        self._taken.clear()
        self._results.clear()
        self._touched.clear()
        seen = ""
        while True:
            page = await asyncio.wrap_future(self._store.read(partial(_all_pending, seen)))
            for delivery in page:
                self._enqueue(delivery)
            if len(page) < _PAGE:
                return
            seen = page[-1].id

    def _find(self, tenant: str, id: str) -> Compiled | None:
        """The subscription, or None when it is gone, though those who follow the log may not know yet."""
        compiled = self._lookup(tenant, id)
        if compiled is not None and self._gone.get((tenant, id)) == compiled.subscription.created_at:
            return None
        return compiled

    def _endpoint(self, delivery: Delivery) -> Endpoint | None:
        """Where a delivery goes; None when the subscription is gone."""
        announcement = _announcement(delivery)
        if announcement is not None:
            return Endpoint(uri=announcement.endpoint)
        compiled = self._find(delivery.tenant, delivery.subscription)
        return compiled.subscription.notification.endpoint if compiled is not None else None

    def _enqueue(self, delivery: Delivery) -> None:
        key = (delivery.tenant, delivery.id)
        if key in self._taken:
            return  # the log told of it, and the store did, too
        endpoint_told = self._endpoint(delivery)
        if endpoint_told is None:
            self._finish(delivery.tenant, delivery.id)
            return
        uri = endpoint_told.uri
        shard = _shard(delivery) % self._settings.notify_per_endpoint
        if self._is_full(uri):
            self._refuse(delivery)
            return
        lane = self._lanes.get((uri, shard))
        if lane is None:
            endpoint = self._endpoints.setdefault(uri, _Endpoint())
            lane = self._lanes[uri, shard] = _Lane(endpoint)
            lane.task = asyncio.create_task(self._run_lane((uri, shard), lane))
        self._taken.add(key)
        self._push(lane, delivery)

    def _is_full(self, uri: str) -> bool:
        """Whether as many wait for an endpoint as may; the log says so once each time that they do."""
        shards = range(self._settings.notify_per_endpoint)
        lanes = [lane for shard in shards if (lane := self._lanes.get((uri, shard))) is not None]
        if not lanes:
            return False
        waiting = sum(len(lane.waiting) for lane in lanes)
        endpoint, full = lanes[0].endpoint, waiting >= self._settings.notify_waiting
        if full and not endpoint.full:
            _log.error("too many notifications wait", endpoint=uri, waiting=waiting)
        endpoint.full = full
        return full

    def _refuse(self, delivery: Delivery) -> None:
        """Makes a dead letter of what was never tried: too many wait for its endpoint."""
        reason = (
            f"{self._settings.notify_waiting} notifications wait for the endpoint already (notifyWaiting)"
        )
        letter = msgspec.structs.replace(delivery, due=self._clock.now(), last_error=reason, dead=True)
        self._count(letter, failed=True)
        self._results.append(lambda tx: self._keep_failed(tx, letter))
        self._flush.set()

    def _push(self, lane: _Lane, delivery: Delivery) -> None:
        kept = delivery if len(lane.waiting) < _KEPT_IN_MEMORY else None
        heapq.heappush(
            lane.waiting,
            _Waiting(delivery.due, delivery.seq, delivery.id, delivery.tenant, delivery.subscription, kept),
        )
        lane.wake.set()

    async def _run_lane(self, key: tuple[str, int], lane: _Lane) -> None:
        while lane.waiting:
            lane.wake.clear()
            start = max(lane.waiting[0].due, lane.endpoint.blocked_until)
            delay = (start - self._clock.now()) / 1e6
            if delay > 0:
                await within(min(delay, 60.0), lane.wake)
                continue
            waiting = heapq.heappop(lane.waiting)
            try:
                await self._deliver(lane, waiting)
            except Exception as error:
                pause = round(self._sending.failed(error) * 1e6)
                heapq.heappush(lane.waiting, waiting._replace(due=self._clock.now() + pause))
            else:
                self._sending.well()
        del self._lanes[key]
        if not any(uri == key[0] for uri, _ in self._lanes):
            # Nothing is left to send there, so nothing is known of it that would hold up what comes.
            del self._endpoints[key[0]]

    async def _deliver(self, lane: _Lane, waiting: _Waiting) -> None:
        delivery = waiting.delivery or await asyncio.wrap_future(
            self._store.read(lambda snapshot: snapshot.delivery(waiting.tenant, waiting.id))
        )
        if delivery is None or delivery.dead:
            self._taken.discard((waiting.tenant, waiting.id))
            return
        await self._fresh()
        compiled = self._find(waiting.tenant, waiting.subscription)
        endpoint = self._endpoint(delivery)
        if endpoint is None or (compiled is not None and not compiled.active(self._clock.now())):
            self._finish(waiting.tenant, waiting.id)
            return
        first = delivery.attempts == 0
        try:
            message = _announced(delivery) if compiled is None else await self._render(delivery, compiled)
            if message is None or self._endpoint(delivery) is None:
                self._finish(waiting.tenant, waiting.id)
                return
            if first:
                self._count(delivery, sent=True)
                first = False
            told = message._replace(headers={**message.headers, **tenant_headers(delivery.tenant)})
            await self._transports.of(endpoint.uri.partition(":")[0]).send(endpoint, delivery.id, told)
        except CityloomError as error:
            if first:
                self._count(delivery, sent=True)
            self._failed(lane, delivery, endpoint, Undelivered(error.detail, endpoint_down=False))
        except Undelivered as failure:
            self._failed(lane, delivery, endpoint, failure)
        else:
            lane.endpoint.failures = 0
            lane.endpoint.blocked_until = 0
            self._count(delivery, succeeded=True)
            self._finish(delivery.tenant, delivery.id)

    def _failed(self, lane: _Lane, delivery: Delivery, endpoint: Endpoint, failure: Undelivered) -> None:
        now = self._clock.now()
        attempts = delivery.attempts + 1
        settings = self._settings
        rounds = attempts
        if failure.endpoint_down:
            lane.endpoint.failures += 1
            rounds = lane.endpoint.failures
        wait = min(settings.notify_backoff * 2 ** min(rounds - 1, 32), settings.notify_backoff_max)
        wait = max(wait, (endpoint.cooldown or 0) / 1000)
        due = now + round(wait * 1e6)
        if failure.endpoint_down or endpoint.cooldown:
            # All that goes there waits, in the order it has: what failed stays the first.
            lane.endpoint.blocked_until = due
            due = delivery.due
        dead = attempts >= settings.notify_attempts
        if dead:
            due = now  # when it was given up
        delivery = msgspec.structs.replace(
            delivery, attempts=attempts, due=due, last_error=failure.reason, dead=dead
        )
        self._count(delivery, failed=True)
        self._results.append(lambda tx: self._keep_failed(tx, delivery))
        self._flush.set()
        level = _log.error if dead else _log.warning
        level(
            "notification undelivered",
            id=delivery.id,
            subscription=delivery.subscription,
            seq=delivery.seq,
            attempts=attempts,
            reason=failure.reason,
            dead=dead,
        )
        if dead:
            self._taken.discard((delivery.tenant, delivery.id))
        else:
            self._push(lane, delivery)

    def _keep_failed(self, tx: Transaction, delivery: Delivery) -> None:
        """Keeps it for another try, but not for a subscription that is gone, perhaps with its tenant."""
        if self._endpoint(delivery) is None:
            tx.delete_delivery(delivery.tenant, delivery.id)
        else:
            tx.put_delivery(delivery)

    def _finish(self, tenant: str, id: str) -> None:
        self._taken.discard((tenant, id))
        self._results.append(lambda tx: tx.delete_delivery(tenant, id))
        self._flush.set()

    def _count(
        self, delivery: Delivery, *, sent: bool = False, succeeded: bool = False, failed: bool = False
    ) -> None:
        if _announcement(delivery) is not None:
            return  # it belongs to no subscription
        key = (delivery.tenant, delivery.subscription)
        counters = self.counters(*key)
        stamp = format_datetime(self._clock.now())
        if sent:
            counters = msgspec.structs.replace(
                counters, times_sent=counters.times_sent + 1, last_notification=stamp
            )
        if succeeded:
            counters = msgspec.structs.replace(counters, status="ok", last_success=stamp)
        if failed:
            counters = msgspec.structs.replace(
                counters, status="failed", last_failure=stamp, times_failed=counters.times_failed + 1
            )
        self._counters[key] = counters
        self._touched.add(key)

    async def _keep_results(self) -> None:
        results, self._results = self._results, []
        touched = {key: self._counters[key] for key in self._touched if key in self._counters}
        self._touched.clear()
        if not results and not touched:
            return

        def work(tx: Transaction) -> None:
            for result in results:
                result(tx)
            for (tenant, subscription), counters in touched.items():
                if self._find(tenant, subscription) is not None:
                    tx.set_state(tenant, COUNTERS, subscription, counters)

        try:
            await asyncio.wrap_future(self._store.submit(work))
        except CityloomError as error:
            self._results = results + self._results
            self._touched |= touched.keys()
            await asyncio.sleep(self._keeping.failed(error))
            self._flush.set()
        else:
            self._keeping.well()


def _all_pending(after: str, snapshot: Snapshot) -> list[Delivery]:
    return snapshot.deliveries_due(2**62, _PAGE, after)


def _announcement(delivery: Delivery) -> Announcement | None:
    body = delivery.body
    if isinstance(body, dict) and "endpoint" in body:
        body = msgspec.convert(body, Announcement)
    return body if isinstance(body, Announcement) else None


def _announced(delivery: Delivery) -> Message:
    announcement = _announcement(delivery)
    assert announcement is not None
    return Message("application/json", announcement.notification, announcement.headers)


def _shard(delivery: Delivery) -> int:
    body = delivery.body
    if isinstance(body, Payload):
        first = body.entities[0].id if body.entities else ""
    elif isinstance(body, SourcePayload | Announcement):
        first = ""
    else:
        entities = body.get("entities") or [{}]
        first = entities[0].get("id", "")
    return zlib.crc32(first.encode())
