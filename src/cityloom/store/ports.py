"""What the house asks of a store: one Protocol per port, joined in `Snapshot`, `Transaction` and `Store`.

All methods are synchronous. A `Snapshot` reads one consistent state; a
`Transaction` reads its own writes. Works handed to `Store.submit` run on the
writer thread, several in one database transaction, each in a savepoint of its
own, and their futures resolve only when the commit is durable. A work must
therefore be quick and touch nothing but its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeVar

from msgspec import Struct

from cityloom.model.entity import Attribute, Entity
from cityloom.model.events import Cause, Document, Event
from cityloom.model.history import HistoryAppend, Instance
from cityloom.query.values import Query, TypeExpression
from cityloom.store.map_ports import Box, MapReads

T = TypeVar("T")


class TypeCount(Struct, frozen=True):
    """How many current entities have type `type`."""

    type: str
    count: int


class AttributeUse(Struct, frozen=True):
    """An attribute in use on entities of a type: on how many, and with which kinds."""

    type: str
    name: str
    count: int
    kinds: list[str] = []


class LayerSummary(Struct, frozen=True, kw_only=True):
    """One type as a map layer: count, kinds of geometry with counts, box (w, s, e, n), last change (µs).

    `observed` is the newest `observedAt` of any attribute (µs), `silent` how many are marked stale.
    """

    type: str
    count: int
    geometries: dict[str, int]
    bbox: Box | None
    modified: int | None
    observed: int | None = None
    silent: int = 0


class HistoryEntity(Struct, frozen=True, kw_only=True):
    """An entity as history knows it; `incarnation` tells an entity made again from the deleted one."""

    id: str
    types: list[str]
    incarnation: int
    scopes: list[str] = []
    created_at: str | None = None
    modified_at: str | None = None
    deleted_at: str | None = None


class Window(Struct, frozen=True, kw_only=True):
    """Which instances of one entity: times in microseconds, `start` included, `end` excluded.

    `names` None is every attribute; `last_n` keeps the latest n of each
    attribute, `first_n` the earliest n (for paging forwards; one of the two);
    `with_repeats` False leaves out instances whose occurrence is > 0.
    Instances that lack the `timeproperty` are not in a window that has a bound;
    for `observedAt` without a bound they are ordered by modifiedAt.
    """

    names: Sequence[str] | None = None
    timeproperty: Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"] = "observedAt"
    start: int | None = None
    end: int | None = None
    last_n: int | None = None
    first_n: int | None = None
    dataset_ids: Sequence[str] | None = None
    with_repeats: bool = True


class Origin(Struct, frozen=True, kw_only=True):
    """Where one instance came from: its event's number, time (µs) and cause, and the row in the file."""

    instance: Instance
    seq: int
    at: int
    cause: Cause


class Observed(Struct, frozen=True, kw_only=True):
    """What had been observed of one attribute of a current entity at an instant, or became known at one.

    `time` in microseconds. `attribute` None: it is not there (not yet
    observed, or deleted); for one that was not yet observed `time` is None.
    """

    entity_id: str
    types: list[str]
    name: str
    dataset_id: str
    time: int | None
    attribute: Attribute | None


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


class Timer(Struct, frozen=True, kw_only=True):
    """A durable timer of a consumer; due in microseconds."""

    consumer: str
    tenant: str
    key: str
    due: int
    body: Any = None


class EntityReads(Protocol):
    """Current entities."""

    def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The current entity, or None. Cost: one index lookup."""
        ...

    def get_many(self, tenant: str, entity_ids: Sequence[str]) -> dict[str, Entity]:
        """Those of these entities that exist, by id."""
        ...

    def query(self, tenant: str, query: Query) -> list[Entity]:
        """The entities that `query` selects, exactly, in its order (by default: by id), paged."""
        ...

    def scan(self, tenant: str, query: Query) -> Iterator[Entity]:
        """As `query`, without paging, one after the other by id."""
        ...

    def lights(self, tenant: str, query: Query, names: Sequence[str] | None = None) -> Iterator[Entity]:
        """As `query`, one after the other; of the attributes at least `names` are read (None: all)."""
        ...

    def count(self, tenant: str, query: Query) -> int:
        """How many entities `query` selects, paging left aside."""
        ...

    def tenants(self) -> list[str]:
        """Every tenant that has ever been written to ("" is the default tenant)."""
        ...

    def type_counts(self, tenant: str) -> list[TypeCount]:
        """The types in use, by name."""
        ...

    def attribute_uses(self, tenant: str, type: str | None = None) -> list[AttributeUse]:
        """The attributes in use, by type and name (of one type when given)."""
        ...

    def layers(self, tenant: str) -> list[LayerSummary]:
        """Each type in use, as a map layer."""
        ...

    def usual_box(self, tenant: str, layer: LayerSummary) -> Box | None:
        """The box of a layer without what lies far away from the rest (w, s, e, n); None as its `bbox`."""
        ...


class EntityWrites(Protocol):
    """Changing current entities."""

    def write_entity(
        self, tenant: str, before: Entity | None, after: Entity | None, cause: Cause, row: int | None = None
    ) -> Event | None:
        """Makes `after` the state of the entity, in one go with its history and its event.

        `before` is what the caller read in this transaction (None: it did not
        exist); `after` None deletes. The changes are found by comparing the
        instances: one that should count as written carries a new `modified_at`.
        Returns the event, or None when nothing differs.

        Raises:
            Conflict: the stored entity is not `before`.
        """
        ...

    def create_tenant(self, tenant: str) -> None:
        """Makes a tenant known (idempotent)."""
        ...


class HistoryReads(Protocol):
    """Temporal evolution (hot and cold read as one)."""

    def history_entity(self, tenant: str, entity_id: str) -> HistoryEntity | None:
        """The latest incarnation of the entity in history, also when it is deleted."""
        ...

    def history_entities(
        self,
        tenant: str,
        *,
        ids: Sequence[str] = (),
        id_pattern: str | None = None,
        types: TypeExpression | None = None,
        attrs: Sequence[str] = (),
        after_id: str = "",
        limit: int = 1000,
    ) -> list[HistoryEntity]:
        """Entities in history, by id, those after `after_id`."""
        ...

    def instances(self, tenant: str, entity_id: str, window: Window) -> dict[str, list[Instance]]:
        """Instances by attribute name, in order of time (of the latest incarnation)."""
        ...

    def origins(self, tenant: str, entity_id: str, window: Window) -> list[Origin]:
        """Instances with where they came from, latest first; outlives the trimming of the log."""
        ...

    def count_observed(self, tenant: str, entity_id: str, window: Window) -> dict[tuple[str, str], int]:
        """How many instances with observedAt a window holds, by (attribute, kind); deletions are none.

        Of the window its names, datasets, start and end (of observedAt) count.
        Cost: a walk of an index; nothing is decoded.
        """
        ...

    def known_instances(self, tenant: str, entity_id: str, instance_ids: Sequence[str]) -> set[str]:
        """Which of these instance ids are in the entity's history already."""
        ...

    def latest_before(
        self, tenant: str, type: str, names: Sequence[str], at: int, after_id: str = "", limit: int = 1000
    ) -> tuple[list[Observed], str | None]:
        """What had last been observed at `at` (included) of the current entities of a type.

        Only attributes that were ever observed are told, each dataset by
        itself, by entity id; repeats of a stamp are left out. Looks at up to
        `limit` entities after `after_id`.

        Returns:
            What was found, and the id to go on after; None when no entity is left.
        """
        ...

    def instances_between(
        self, tenant: str, type: str, names: Sequence[str], after: int, until: int, limit: int = 10_000
    ) -> tuple[list[Observed], int]:
        """What was observed of the current entities of a type with after < time <= until, by time, then id.

        Returns:
            What was found, and the time up to which it is whole: `until`, or
            an earlier one where there was more than `limit`. The instances of
            one time are never torn apart, so there may be more than `limit` of them.
        """
        ...


class HistoryWrites(Protocol):
    """Changing the past."""

    def append_history(self, tenant: str, append: HistoryAppend, cause: Cause) -> Event | None:
        """Adds instances that are not there yet, with one event; None when all were there."""
        ...

    def replace_instance(self, tenant: str, entity_id: str, instance: Instance, cause: Cause) -> Event:
        """Changes one instance, found by name and `instance_id`. Raises ResourceNotFound."""
        ...

    def delete_history(
        self,
        tenant: str,
        entity_id: str,
        cause: Cause,
        *,
        name: str | None = None,
        dataset_id: str | None = None,
        instance_id: str | None = None,
    ) -> Event:
        """Deletes an instance, an attribute's history (one dataset: `dataset_id`; None all) or the entity's.

        Raises ResourceNotFound when there is no such thing.
        """
        ...

    def expire_history(self, tenant: str, type: str, before: int, limit: int) -> int:
        """Deletes up to `limit` instances of entities of `type` older than `before` (µs); how many.

        A call looks at a bounded number of entities; the next call goes on after them.
        """
        ...


class LogReads(Protocol):
    """The event log."""

    def events(self, after: int, limit: int = 1000, tenant: str | None = None) -> list[Event]:
        """Events after `after`, in order, without a gap."""
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


class DocumentReads(Protocol):
    """Subscriptions, registrations, contexts, schemas, sources: small things kept whole, by (kind, id)."""

    def document(self, tenant: str, kind: str, id: str) -> Document | None:
        """One document, its body as plain JSON values."""
        ...

    def documents(self, tenant: str, kind: str, after: str = "", limit: int = 1000) -> list[Document]:
        """Documents of a kind, by id, those after `after`."""
        ...


class DocumentWrites(Protocol):
    """Changing documents; each change is an event."""

    def put_document(self, tenant: str, kind: str, id: str, body: Any, cause: Cause) -> Event:
        """Makes `body` (any msgspec-encodable value) the document."""
        ...

    def delete_document(self, tenant: str, kind: str, id: str, cause: Cause) -> Event:
        """Deletes a document. Raises ResourceNotFound."""
        ...

    def set_state(self, tenant: str, kind: str, id: str, body: Any) -> None:
        """Keeps a document *without* an event: counters and marks that nobody follows."""
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

    def delivery_counts(self) -> tuple[int, int]:
        """(pending, dead) over all tenants."""
        ...


class DeliveryWrites(Protocol):
    """Changing deliveries."""

    def put_delivery(self, delivery: Delivery) -> None:
        """Adds or changes a delivery, by (tenant, id)."""
        ...

    def delete_delivery(self, tenant: str, id: str) -> None:
        """A delivery is done."""
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


class PersonalData(Protocol):
    """Personal data: apart from entities, events and history; erasable, its reading logged."""

    def put_personal(self, tenant: str, entity_id: str, body: Any, cause: Cause) -> None:
        """Keeps the personal data that belong to an entity."""
        ...

    def read_personal(self, tenant: str, entity_id: str, party: str, purpose: str) -> Any | None:
        """Reads them and logs who read them and for what, in the same transaction."""
        ...

    def erase_personal(self, tenant: str, entity_id: str, party: str) -> bool:
        """Erases them, beyond recovery from this store's file; the log of readings stays."""
        ...

    def personal_readings(self, tenant: str, entity_id: str) -> list[dict[str, Any]]:
        """Who read or erased, when (ISO) and for what: `{at, party, purpose, action}`."""
        ...


class Snapshot(
    EntityReads, MapReads, HistoryReads, LogReads, DocumentReads, DeliveryReads, TimerReads, Protocol
):
    """One consistent state of everything."""


class Transaction(
    Snapshot,
    EntityWrites,
    HistoryWrites,
    LogWrites,
    DocumentWrites,
    DeliveryWrites,
    TimerWrites,
    PersonalData,
    Protocol,
):
    """Reads and writes that become durable together."""

    @property
    def now(self) -> int:
        """The time of this work (µs, from the Clock), strictly greater than that of the work before."""
        ...


class Store(Protocol):
    """A city's memory."""

    def submit(self, work: Callable[[Transaction], T], size: int = 0) -> Future[T]:
        """Hands a work to the writer; the future resolves when its commit is durable.

        Args:
            work: runs on the writer thread in a savepoint of its own; what it
                raises goes to the future and undoes this work alone.
            size: about how many bytes it holds, for the queue's bound.

        Raises:
            Overloaded: the queue is full.
        """
        ...

    def read(self, work: Callable[[Snapshot], T]) -> Future[T]:
        """Runs `work` on a reader thread in one snapshot."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """A snapshot for this thread; quick reads only on the event loop."""
        ...

    def on_commit(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Calls `callback(last_seq)` on the writer thread after each commit; returns how to stop that."""
        ...

    def backup(self, target: str, progress: Callable[[float], None] | None = None) -> None:
        """Writes a consistent copy to the file `target` while the store is in use."""
        ...

    def stats(self) -> dict[str, Any]:
        """Sizes and counts for `/metrics` and `doctor`."""
        ...

    def close(self) -> None:
        """Finishes what is queued and closes the files."""
        ...
