"""What is asked of a store by those who follow its log: events and cursors, deliveries, timers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from cityloom.model.events import Cause, Event


class Delivery(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One notification on its way; `id` is derived from (subscription, seq), so a repeat is recognised.

    `due` (µs) is when it is to be sent; of a dead one, when it was given up.
    """

    id: str
    tenant: str
    subscription: str
    seq: int
    body: Any
    due: int
    attempts: int = 0
    last_error: str = ""
    dead: bool = False


DELIVERY = "delivery"
"""The kind of document that events speak of which hand a delivery over; there is no such document."""


class DeliveryCounts(NamedTuple):
    """How many notifications are on their way, were given up and are kept, and were given up and dropped."""

    pending: int
    dead: int
    dropped: int


class Announcement(Struct, frozen=True, kw_only=True):
    """The body of a delivery that says by itself where it goes, and in which words.

    What tells of it is no subscription: `subscription` of such a delivery is the id of what it
    is about, such as a snapshot. `endpoint` is an http or https URI; `notification` is a JSON object.
    """

    endpoint: str
    headers: dict[str, str] = {}
    notification: dict[str, Any]


class Timer(Struct, frozen=True, kw_only=True):
    """A durable timer of a consumer; due in microseconds."""

    consumer: str
    tenant: str
    key: str
    due: int
    body: Any = None


class Lease(Struct, frozen=True, kw_only=True):
    """Who may do what one process alone may do, or that a process is there.

    `holder` is a process; "": nobody. `epoch` grows each time that it changes hands. `at` (µs) is when
    its holder last showed that it is there.
    """

    name: str
    holder: str
    epoch: int
    at: int


class DocumentChange(Struct, frozen=True, kw_only=True):
    """A document that event `seq` was the last to put or to delete."""

    seq: int
    tenant: str
    kind: str
    id: str


class LogReads(Protocol):
    """The event log."""

    def events(self, after: int, limit: int = 1000, tenant: str | None = None) -> list[Event]:
        """Events after `after`, in order, without a gap."""
        ...

    def events_of(self, after: int, tenant: str, ids: Collection[str]) -> list[Event]:
        """Events after `after` about some entities of a tenant, in order.

        Cost: a look at every later event, where they are stored; only those told are read.
        """
        ...

    def last_seq(self) -> int:
        """The last committed event's number; 0 when there is none."""
        ...

    def first_seq(self) -> int:
        """The first event still kept; 0 when there is none."""
        ...

    def cursor(self, consumer: str) -> int | None:
        """How far a consumer has come; None when it never moved."""
        ...

    def cursors(self) -> Mapping[str, int]:
        """Every consumer's cursor."""
        ...


class LogWrites(Protocol):
    """Consumers' marks in the log."""

    def move_cursor(self, consumer: str, seq: int) -> None:
        """Records that `consumer` has dealt with everything up to `seq`."""
        ...

    def drop_cursor(self, consumer: str) -> None:
        """Forgets a consumer."""
        ...

    def trim_log(self, keep: int) -> int:
        """Deletes events behind the slowest cursor, but keeps the last `keep`; how many went.

        A call deletes a bounded number; while it returns more than 0 there may be more.
        """
        ...


class LeaseReads(Protocol):
    """Leases."""

    def leases(self) -> list[Lease]:
        """Every lease, by name."""
        ...

    def lease(self, name: str) -> Lease | None:
        """One lease, or None when nobody ever held it."""
        ...


class LeaseWrites(Protocol):
    """Changing leases."""

    def put_lease(self, lease: Lease) -> None:
        """Adds or changes a lease, by name."""
        ...

    def drop_lease(self, name: str) -> None:
        """Forgets a lease (idempotent)."""
        ...


class DeliveryReads(Protocol):
    """Notifications on their way."""

    def deliveries_due(self, now: int, limit: int, after_id: str = "") -> list[Delivery]:
        """Deliveries with `due` <= now that are not dead, by due time."""
        ...

    def delivery(self, tenant: str, id: str) -> Delivery | None:
        """One delivery, or None when it is done."""
        ...

    def next_due(self) -> int | None:
        """The earliest `due` of those not dead."""
        ...

    def dead_deliveries(self, tenant: str, after: str = "", limit: int = 1000) -> list[Delivery]:
        """Dead letters, by id."""
        ...

    def delivery_counts(self) -> DeliveryCounts:
        """How many there are, over all tenants."""
        ...


class DeliveryWrites(Protocol):
    """Changing deliveries."""

    def put_delivery(self, delivery: Delivery) -> None:
        """Adds or changes a delivery, by (tenant, id)."""
        ...

    def hand_over(self, delivery: Delivery, cause: Cause) -> None:
        """As `put_delivery`, and tells whoever delivers of it by an event of the kind `DELIVERY`."""
        ...

    def delete_delivery(self, tenant: str, id: str) -> None:
        """A delivery is done."""
        ...

    def drop_dead(self, before: int, keep: int, most: int) -> int:
        """Drops the oldest dead letters, over all tenants: those beyond `keep`, and all of before a time.

        Args:
            before: µs; those that were given up before it.
            most: no more than so many at once.

        Returns:
            How many; they stay counted in `delivery_counts`.
        """
        ...


class TimerReads(Protocol):
    """Durable timers."""

    def timers_due(self, consumer: str, now: int, limit: int = 1000) -> list[Timer]:
        """Timers of a consumer with `due` <= now, by due time."""
        ...

    def next_timer(self, consumer: str) -> int | None:
        """The earliest due time of a consumer's timers."""
        ...


class TimerWrites(Protocol):
    """Changing timers."""

    def set_timer(self, timer: Timer) -> None:
        """Sets or moves a timer, by (consumer, tenant, key)."""
        ...

    def cancel_timer(self, consumer: str, tenant: str, key: str) -> None:
        """Removes a timer (idempotent)."""
        ...
