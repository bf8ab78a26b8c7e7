"""Small things kept whole: documents, deliveries, timers."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Cause, Document, Event, EventKind
from cityloom.store.log_ports import DELIVERY, Delivery, DeliveryCounts, DocumentChange, Timer
from cityloom.store.tables.base.session import Port
from cityloom.store.tables.records.log import Body, LogWriter

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_decoders: Final[dict[type[Any], msgspec.json.Decoder[Any]]] = {}
"""By the struct that a body becomes: there are as many as rooms ask for."""
_DELIVERY: Final = (
    "SELECT d.id, t.name, d.subscription, d.seq, d.body, d.due, d.attempts, d.last_error, d.dead"
    " FROM delivery d JOIN tenant t ON t.id = d.tenant"
)

_DROPPED: Final = "deadDropped"
"""Where the number of dead letters that were dropped is kept."""


class DocumentReader(Port):
    """The port `DocumentReads`."""

    def document(self, tenant: str, kind: str, id: str) -> Document | None:
        """One document, its body as plain JSON values."""
        row = self.db.row(
            "SELECT modified, body FROM document WHERE tenant = ? AND kind = ? AND id = ?",
            (self.db.tenants.find(tenant), kind, id),
        )
        return Document(kind=kind, id=id, body=_decode(row[1]), modified=row[0]) if row is not None else None

    def documents(
        self, tenant: str, kind: str, after: str = "", limit: int = 1000, *, body: type[Any] | None = None
    ) -> list[Document]:
        """Documents of a kind, by id, those after `after`; their bodies plain JSON values, or of a struct."""
        if body is None:
            decode = _decode
        else:
            if body not in _decoders:
                _decoders[body] = msgspec.json.Decoder(body)
            decode = _decoders[body].decode
        rows = self.db.rows(
            "SELECT id, modified, body FROM document WHERE tenant = ? AND kind = ? AND id > ?"
            " ORDER BY id LIMIT ?",
            (self.db.tenants.find(tenant), kind, after, limit),
        )
        return [Document(kind=kind, id=id, body=decode(kept), modified=at) for id, at, kept in rows]

    def document_changes(self, after: int) -> list[DocumentChange]:
        """Documents that were put or deleted after event `after`, by the last event that did so."""
        rows = self.db.rows(
            "SELECT c.seq, t.name, c.kind, c.id FROM document_change c JOIN tenant t ON t.id = c.tenant"
            " WHERE c.seq > ? ORDER BY c.seq",
            (after,),
        )
        return [DocumentChange(seq=seq, tenant=tenant, kind=kind, id=id) for seq, tenant, kind, id in rows]


class DocumentWriter(DocumentReader, LogWriter):
    """The port `DocumentWrites`."""

    def document(self, tenant: str, kind: str, id: str) -> Document | None:
        """One document; that it is not there is asked once, until somebody else writes."""
        key = (tenant, kind, id)
        if key in self.db.missing:
            return None
        found = super().document(tenant, kind, id)
        if found is None:
            self.db.missing.add(key)
        return found

    def put_document(self, tenant: str, kind: str, id: str, body: Any, cause: Cause) -> Event:
        """Makes `body` (any msgspec-encodable value) the document."""
        self.set_state(tenant, kind, id, body)
        return self._tell("documentPut", tenant, kind, id, cause)

    def delete_document(self, tenant: str, kind: str, id: str, cause: Cause) -> Event:
        """Deletes a document. Raises ResourceNotFound."""
        number = self.db.tenants.intern(tenant)
        sql = "DELETE FROM document WHERE tenant = ? AND kind = ? AND id = ?"
        if not self.db.run(sql, (number, kind, id)):
            raise ResourceNotFound(f"{kind} {id!r} does not exist")
        return self._tell("documentDeleted", tenant, kind, id, cause)

    def _tell(self, what: EventKind, tenant: str, kind: str, id: str, cause: Cause) -> Event:
        number = self.db.tenants.intern(tenant)
        event = self.write_event(tenant, number, cause, Body(kind=what, entity_id=id, document_kind=kind))
        self.db.change(
            "INSERT INTO document_change (tenant, kind, id, seq) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (tenant, kind, id) DO UPDATE SET seq = excluded.seq",
            (number, kind, id, event.seq),
        )
        return event

    def set_state(self, tenant: str, kind: str, id: str, body: Any) -> None:
        """Keeps a document *without* an event: counters and marks that nobody follows."""
        self.db.missing.discard((tenant, kind, id))
        self.db.change(
            "INSERT INTO document (tenant, kind, id, modified, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (tenant, kind, id)"
            " DO UPDATE SET modified = excluded.modified, body = excluded.body",
            (self.db.tenants.intern(tenant), kind, id, self.now, _encode(body)),
        )

    def drop_state(self, tenant: str, kind: str, id: str) -> None:
        """Forgets a document that `set_state` keeps, without an event (idempotent)."""
        self.db.change(
            "DELETE FROM document WHERE tenant = ? AND kind = ? AND id = ?",
            (self.db.tenants.find(tenant), kind, id),
        )


class DeliveryReader(Port):
    """The port `DeliveryReads`."""

    def deliveries_due(self, now: int, limit: int, after_id: str = "") -> list[Delivery]:
        """Deliveries with `due` <= now that are not dead, by due time, then id.

        `after_id` goes on after that delivery; from the first, when it is done meanwhile.
        """
        sql = f"{_DELIVERY} WHERE d.dead = 0 AND d.due <= ?"
        parameters: list[Any] = [now]
        after = self.db.value(
            "SELECT d.due FROM tenant t JOIN delivery d ON d.tenant = t.id AND d.id = ? WHERE d.dead = 0",
            (after_id,),
        )
        if after is not None:
            sql += " AND (d.due, d.id) > (?, ?)"
            parameters += [after, after_id]
        return self._deliveries(sql + " ORDER BY d.due, d.id LIMIT ?", (*parameters, limit))

    def delivery(self, tenant: str, id: str) -> Delivery | None:
        """One delivery, or None when it is done."""
        found = self._deliveries(f"{_DELIVERY} WHERE t.name = ? AND d.id = ?", (tenant, id))
        return found[0] if found else None

    def next_due(self) -> int | None:
        """The earliest `due` of those not dead."""
        due: int | None = self.db.value("SELECT due FROM delivery WHERE dead = 0 ORDER BY due LIMIT 1")
        return due

    def dead_deliveries(self, tenant: str, after: str = "", limit: int = 1000) -> list[Delivery]:
        """Dead letters, by id."""
        sql = f"{_DELIVERY} WHERE t.name = ? AND d.dead = 1 AND d.id > ? ORDER BY d.id LIMIT ?"
        return self._deliveries(sql, (tenant, after, limit))

    def delivery_counts(self) -> DeliveryCounts:
        """How many there are, over all tenants."""
        pending, dead = self.db.row(
            "SELECT (SELECT count(*) FROM delivery WHERE dead = 0),"
            " (SELECT count(*) FROM delivery WHERE dead = 1)"
        )
        dropped = self.db.value("SELECT value FROM meta WHERE key = ?", (_DROPPED,))
        return DeliveryCounts(pending, dead, int(dropped or 0))

    def _deliveries(self, sql: str, parameters: tuple[Any, ...]) -> list[Delivery]:
        return [
            Delivery(
                id=id,
                tenant=tenant,
                subscription=subscription,
                seq=seq,
                body=_decode(body),
                due=due,
                attempts=attempts,
                last_error=last_error,
                dead=bool(dead),
            )
            for id, tenant, subscription, seq, body, due, attempts, last_error, dead in self.db.rows(
                sql, parameters
            )
        ]


class DeliveryWriter(DeliveryReader, LogWriter):
    """The port `DeliveryWrites`."""

    def put_delivery(self, delivery: Delivery) -> None:
        """Adds or changes a delivery, by (tenant, id)."""
        self.db.change(
            "INSERT INTO delivery (tenant, id, subscription, seq, due, attempts, last_error, dead, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE SET"
            " subscription = excluded.subscription, seq = excluded.seq, due = excluded.due,"
            " attempts = excluded.attempts, last_error = excluded.last_error, dead = excluded.dead,"
            " body = excluded.body",
            (
                self.db.tenants.intern(delivery.tenant),
                delivery.id,
                delivery.subscription,
                delivery.seq,
                delivery.due,
                delivery.attempts,
                delivery.last_error,
                int(delivery.dead),
                _encode(delivery.body),
            ),
        )

    def hand_over(self, delivery: Delivery, cause: Cause) -> None:
        """As `put_delivery`, and tells whoever delivers of it by an event of the kind `DELIVERY`."""
        self.put_delivery(delivery)
        body = Body(kind="documentPut", entity_id=delivery.id, document_kind=DELIVERY)
        self.write_event(delivery.tenant, self.db.tenants.intern(delivery.tenant), cause, body)

    def delete_delivery(self, tenant: str, id: str) -> None:
        """A delivery is done."""
        self.db.change("DELETE FROM delivery WHERE tenant = ? AND id = ?", (self.db.tenants.find(tenant), id))

    def drop_dead(self, before: int, keep: int, most: int) -> int:
        """Drops the oldest dead letters: those beyond `keep`, and all of before a time (µs)."""
        counts = self.delivery_counts()
        old = self.db.value("SELECT count(*) FROM delivery WHERE dead = 1 AND due < ?", (before,))
        number = min(most, max(old, counts.dead - keep))
        if number <= 0:
            return 0
        oldest = "SELECT tenant, id FROM delivery WHERE dead = 1 ORDER BY due, tenant, id LIMIT ?"
        gone = self.db.run(f"DELETE FROM delivery WHERE (tenant, id) IN ({oldest})", (number,))
        self.db.change(
            "INSERT INTO meta (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (_DROPPED, str(counts.dropped + gone)),
        )
        return gone


class TimerReader(Port):
    """The port `TimerReads`."""

    def timers_due(self, consumer: str, now: int, limit: int = 1000) -> list[Timer]:
        """Timers of a consumer with `due` <= now, by due time."""
        rows = self.db.rows(
            "SELECT t.name, r.key, r.due, r.body FROM timer r JOIN tenant t ON t.id = r.tenant"
            " WHERE r.consumer = ? AND r.due <= ? ORDER BY r.due, r.tenant, r.key LIMIT ?",
            (consumer, now, limit),
        )
        return [
            Timer(consumer=consumer, tenant=tenant, key=key, due=due, body=_decode(body))
            for tenant, key, due, body in rows
        ]

    def next_timer(self, consumer: str) -> int | None:
        """The earliest due time of a consumer's timers."""
        due: int | None = self.db.value("SELECT min(due) FROM timer WHERE consumer = ?", (consumer,))
        return due


class TimerWriter(TimerReader, LogWriter):
    """The port `TimerWrites`."""

    def set_timer(self, timer: Timer) -> None:
        """Sets or moves a timer, by (consumer, tenant, key)."""
        self.db.change(
            "INSERT INTO timer (consumer, tenant, key, due, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (consumer, tenant, key) DO UPDATE SET due = excluded.due, body = excluded.body",
            (
                timer.consumer,
                self.db.tenants.intern(timer.tenant),
                timer.key,
                timer.due,
                _encode(timer.body),
            ),
        )

    def cancel_timer(self, consumer: str, tenant: str, key: str) -> None:
        """Removes a timer (idempotent)."""
        self.db.change(
            "DELETE FROM timer WHERE consumer = ? AND tenant = ? AND key = ?",
            (consumer, self.db.tenants.find(tenant), key),
        )
