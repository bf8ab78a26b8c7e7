"""The event log: reading it, and writing with numbers in commit order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from cityloom.model.entity import Entity
from cityloom.model.events import AttributeChange, Cause, Event, EventKind
from cityloom.store.tables.base.session import Port, Session

TRIM_EVENTS: Final = 100_000
"""Events that one call of `trim_log` deletes, so that it never holds up the writer for long."""


class Body(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What of an event is kept as JSON; the rest stands in columns."""

    kind: EventKind
    entity_id: str
    types: list[str] = []
    scopes: list[str] = []
    changes: list[AttributeChange] = []
    before: Entity | None = None
    document_kind: str = ""
    row: int | None = None
    count: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Body).decode


def make_event(seq: int, tenant: str, at: int, cause: Cause, body: Body) -> Event:
    """The event that a row holds."""
    return Event(
        seq=seq,
        tenant=tenant,
        at=at,
        kind=body.kind,
        entity_id=body.entity_id,
        cause=cause,
        types=body.types,
        scopes=body.scopes,
        changes=body.changes,
        before=body.before,
        document_kind=body.document_kind,
        row=body.row,
        count=body.count,
    )


class LogReader(Port):
    """The port `LogReads`."""

    def events(self, after: int, limit: int = 1000, tenant: str | None = None) -> list[Event]:
        """Events after `after`, in order, without a gap. Cost: none of those in the tail is read."""
        if tenant is None:
            known = self.db.tail.after(after, min(after + limit, self.last_seq()))
            if known is not None:
                return known
        sql = "SELECT seq, tenant, at, cause, body FROM event WHERE seq > ?"
        parameters = [after]
        if tenant is not None:
            number = self.db.tenants.find(tenant)
            if number is None:
                return []
            sql += " AND tenant = ?"
            parameters.append(number)
        parameters.append(limit)
        return self._read_events(sql + " ORDER BY seq LIMIT ?", parameters)

    def events_of(self, after: int, tenant: str, ids: Collection[str]) -> list[Event]:
        """Events after `after` about some entities of a tenant, in order.

        Cost: a look at every later event, where they are stored; only those told are read.
        """
        known = self.db.tail.after(after, self.last_seq())
        if known is not None:
            return [event for event in known if event.tenant == tenant and event.entity_id in ids]
        number = self.db.tenants.find(tenant)
        if number is None:
            return []
        dialect = self.db.dialect
        is_of = dialect.is_text_of("body ->> 'entity_id'", "?")
        sql = f"SELECT seq, tenant, at, cause, body FROM event WHERE seq > ? AND tenant = ? AND {is_of}"
        return self._read_events(sql + " ORDER BY seq", [after, number, dialect.texts(list(ids))])

    def _read_events(self, sql: str, parameters: Sequence[Any]) -> list[Event]:
        rows = self.db.rows(sql, parameters)
        causes = self.db.causes.many([row[3] for row in rows])
        return [
            make_event(seq, self.db.tenants.key(number), at, causes[cause], _decode(body))
            for seq, number, at, cause, body in rows
        ]

    def last_seq(self) -> int:
        """The last committed event's number; 0 when there is none."""
        number: int = self.db.value("SELECT seq FROM pulse")
        return number

    def first_seq(self) -> int:
        """The first event still kept; 0 when there is none."""
        number: int = self.db.value("SELECT coalesce(min(seq), 0) FROM event")
        return number

    def cursor(self, consumer: str) -> int | None:
        """How far a consumer has come; None when it never moved."""
        number: int | None = self.db.value("SELECT seq FROM cursor WHERE consumer = ?", (consumer,))
        return number

    def cursors(self) -> Mapping[str, int]:
        """Every consumer's cursor."""
        return dict(self.db.rows("SELECT consumer, seq FROM cursor"))


class LogWriter(LogReader):
    """The port `LogWrites`, and how the other ports write events."""

    def __init__(self, session: Session, now: int) -> None:
        super().__init__(session)
        self._now = now
        self._origin_cause: int | None = None

    @property
    def now(self) -> int:
        """The time of this work in microseconds."""
        return self._now

    def last_seq(self) -> int:
        """The last event's number, this transaction's included."""
        return self.db.pulse.seq

    @property
    def next_seq(self) -> int:
        """The number that the next event will have."""
        return self.db.pulse.seq + 1

    def write_event(
        self,
        tenant: str,
        tenant_number: int,
        cause: Cause,
        body: Body,
        *,
        history: bool = False,
        at: int | None = None,
    ) -> Event:
        """Writes the next event; with `history`, also for good when and why instances were written.

        Args:
            at: when it happened (µs), where that is not now; not before the event before it.
        """
        seq = self.db.pulse.seq + 1
        at = self.now if at is None else at
        number = self.db.causes.intern(cause, seq)
        encoded = _encode(body)
        self.db.change(
            "INSERT INTO event (seq, tenant, at, cause, body) VALUES (?, ?, ?, ?, ?)",
            (seq, tenant_number, at, number, encoded),
        )
        if history and self._origin_cause != number:
            self.db.change("INSERT INTO origin (seq, at, cause) VALUES (?, ?, ?)", (seq, at, number))
            self._origin_cause = number
        self.db.pulse.seq = seq
        event = make_event(seq, tenant, at, cause, body)
        self.db.told.append((event, len(encoded)))
        return event

    def forget_tail(self) -> None:
        """Events are deleted: those in memory are forgotten with them."""
        self.db.told.clear()
        self.db.tail.clear()

    def move_cursor(self, consumer: str, seq: int) -> None:
        """Records that `consumer` has dealt with everything up to `seq`."""
        self.db.change(
            "INSERT INTO cursor (consumer, seq) VALUES (?, ?)"
            " ON CONFLICT (consumer) DO UPDATE SET seq = excluded.seq",
            (consumer, seq),
        )

    def drop_cursor(self, consumer: str) -> None:
        """Forgets a consumer."""
        self.db.change("DELETE FROM cursor WHERE consumer = ?", (consumer,))

    def trim_log(self, keep: int) -> int:
        """Deletes events behind the slowest cursor, but keeps the last `keep`; how many went.

        A call deletes no more than `TRIM_EVENTS`: when it did, there may be more.
        """
        slowest: int | None = self.db.value("SELECT min(seq) FROM cursor")
        end = min(self.db.pulse.seq - keep, self.first_seq() - 1 + TRIM_EVENTS)
        if slowest is not None:
            end = min(end, slowest)
        self.forget_tail()
        return self.db.run("DELETE FROM event WHERE seq <= ?", (end,))
