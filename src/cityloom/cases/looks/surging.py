"""Looks for surges as cases arrive: follows the log and keeps what it knows beside its cursor.

Alarms, counts and cursor are written in one transaction, so a process that dies has counted an arrival
or has not. Time, too, comes from the log: while an alarm is on, a timer puts an event there every
quarter of an hour, so that all that changes what is known is read in one order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.cases.insight.surge import EVERYWHERE, Key, Surge, SurgeDetector, SurgeState, free_days
from cityloom.cases.keep.calendars import EDITION, Calendars
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.kept import CASE, iri
from cityloom.cases.keep.parties import CITY
from cityloom.cases.looks.alerts import (
    SURGE,
    Arrival,
    arrival_of,
    arrivals,
    arrived,
    digest,
    put_surge,
    surge_id,
    surge_of,
)
from cityloom.consumers.follow import Follower, Outcome
from cityloom.consumers.timers import Timers
from cityloom.model.clock import Clock
from cityloom.model.events import Cause, Event
from cityloom.model.tenants import split_tenant
from cityloom.query.values import Path, QCompare, Query, TypeIs
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Snapshot, Store, Transaction

CONSUMER: Final = "caseSurges"
STATE: Final = "caseSurges"
"""The document with the alarms that are on, and how far the log was counted."""
COUNTS: Final = "caseSurgeCounts"
"""The kind of the documents with the counts of one type in one area."""
TIME: Final = "caseSurgeTime"
"""The kind of the document whose event says that time has gone on."""
_QUARTER: Final = 900_000_000
_DAY: Final = 86_400_000_000
_log = structlog.get_logger("cases")


class KeptSurges(Struct, frozen=True, kw_only=True):
    """What is known without the counts; `seq` is the last event that was counted, `zone` whose hours."""

    zone: str
    seq: int
    state: SurgeState


class _Counts(Struct, frozen=True, kw_only=True):
    """Counts by slot, as pairs."""

    type: str
    area: str
    counts: list[tuple[int, int]]


class SurgesFollowed:
    """Raises and ends alarms of a city's cases.

    Args:
        store: behind the fence of the lease under which this runs.
        centre: of the city (lon, lat), where an alarm of the whole city is shown.
    """

    def __init__(
        self, store: Store, clock: Clock, rules: CaseRules, centre: tuple[float, float] | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._calendars = Calendars(rules)
        self._calendar = rules.calendar
        self._centre = centre
        self._detectors: dict[str, SurgeDetector] = {}
        self._counted: dict[str, int] = {}
        self._timer_set = asyncio.Event()
        self._follower = Follower(store, CONSUMER, self._handle)
        self._timers = Timers(store, CONSUMER, clock, self._fire, self._timer_set)

    async def start(self) -> None:
        """Takes its place in the log and reads what is known; what is missing is made anew of kept cases."""
        await self._follower.start()
        self._detectors.clear()
        self._counted.clear()
        await asyncio.wrap_future(self._store.read(self._load))
        missing = await asyncio.wrap_future(self._store.read(self._missing))
        for tenant in missing:
            await self._rebuild(tenant)

    async def run(self) -> None:
        """Follows the log until it is cancelled; after `start`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follower.run())
            group.create_task(self._timers.run())

    @property
    def position(self) -> int:
        """Up to which event the log was read."""
        return self._follower.position

    async def reached(self, seq: int) -> None:
        """Waits until the log was read up to an event."""
        await self._follower.reached(seq)

    def look(self) -> None:
        """Looks at the timers now: for a clock that was moved by hand."""
        self._timer_set.set()

    # -- what is known ---------------------------------------------------------

    def _load(self, reads: Snapshot) -> None:
        self._calendar = self._calendars.present(reads)
        for tenant in reads.tenants():
            document = reads.document(tenant, STATE, STATE)
            if document is None:
                continue
            kept = msgspec.convert(document.body, KeptSurges)
            if kept.zone != self._rules.calendar.time_zone or kept.state.rule != self._rules.surges:
                continue  # counts of other hours, or alarms by another rule
            counts, after = [], ""
            while page := reads.documents(tenant, COUNTS, after):
                for each in page:
                    one = msgspec.convert(each.body, _Counts)
                    counts.append((one.type, one.area, dict(one.counts)))
                after = page[-1].id
            self._detectors[tenant] = self._detector(replace(kept.state, counts=tuple(counts)))
            self._counted[tenant] = kept.seq

    def _missing(self, reads: Snapshot) -> list[str]:
        """The tenants that have cases, and of which nothing is known."""
        return [
            tenant
            for tenant in reads.tenants()
            if tenant not in self._detectors
            and not split_tenant(tenant)[1]
            and reads.query(tenant, Query(types=TypeIs(CASE), limit=1))
        ]

    async def _rebuild(self, tenant: str) -> None:
        """Counts what arrived in the weeks that are remembered; alarms that ended in them are not told."""
        now = self._clock.now()
        since = now - (self._rules.surges.weeks * 7 + 2) * _DAY

        def read(reads: Snapshot) -> tuple[list[Arrival], int]:
            # The store's time may be a little later than this clock's.
            return arrivals(reads, tenant, since, now + _DAY), reads.last_seq()

        found, seq = await asyncio.wrap_future(self._store.read(read))
        detector = self._detectors[tenant] = self._detector(None)
        for one in found:
            detector.arrived(one.type, one.area, min(one.at, now))
        if found:
            detector.advance(now)
        self._counted[tenant] = seq
        on = detector.on()
        keys = [(kind, area) for kind, area, _ in detector.state().counts]

        def work(tx: Transaction) -> None:
            call = _call(tenant, seq)
            ids = {surge_id(one) for one in on}
            query = Query(types=TypeIs(SURGE), q=QCompare(Path((iri("status"),)), "==", "on"))
            for entity in list(tx.scan(tenant, query)):
                if entity.id not in ids:
                    ended = replace(surge_of(entity), until=tx.now)
                    put_surge(tx, call, ended, self._rules, self._centre)
            for surge in on:
                put_surge(tx, call, surge, self._rules, self._centre)
            self._keep(tx, tenant, detector.state(keys), seq)
            self._set_timer(tx, tenant, detector.busy())

        await asyncio.wrap_future(self._store.submit(work))
        self._timer_set.set()
        _log.info("surges counted anew", tenant=tenant, arrivals=len(found))

    def _detector(self, state: SurgeState | None) -> SurgeDetector:
        zone = ZoneInfo(self._rules.calendar.time_zone)
        return SurgeDetector(self._rules.surges, zone, self._is_free, state)

    def _is_free(self, day: date) -> bool:
        """Whether a day is free by the calendar that holds."""
        return free_days(self._calendar)(day)

    # -- the log -----------------------------------------------------------------

    async def _handle(self, events: Sequence[Event]) -> Outcome | None:
        if any(event.document_kind == EDITION for event in events):
            self._calendar = await asyncio.wrap_future(self._store.read(self._calendars.present))
        mine = [
            event
            for event in events
            if event.seq > self._counted.get(event.tenant, 0)
            and (arrived(event) or (event.kind == "documentPut" and event.document_kind == TIME))
        ]
        if not mine:
            return None

        def read(reads: Snapshot) -> dict[tuple[str, str], Arrival]:
            found = {}
            for tenant in {event.tenant for event in mine}:
                ids = [one.entity_id for one in mine if one.tenant == tenant and one.document_kind != TIME]
                for id, entity in reads.get_many(tenant, ids).items():
                    arrival = arrival_of(entity)
                    if arrival is not None:
                        found[tenant, id] = arrival
            return found

        known = await asyncio.wrap_future(self._store.read(read))
        # From here on nothing fails: what is counted once is not counted again by another try.
        changed: list[tuple[Event, Surge]] = []
        touched: dict[str, set[Key]] = {}
        for event in mine:
            tenant = event.tenant
            detector = self._detectors.setdefault(tenant, self._detector(None))
            keys = touched.setdefault(tenant, set())
            self._counted[tenant] = event.seq
            arrival = known.get((tenant, event.entity_id))
            if event.document_kind == TIME:
                found = detector.advance(event.at)
            elif arrival is not None:
                found = detector.arrived(arrival.type, arrival.area, min(arrival.at, event.at))
                keys |= {(arrival.type, arrival.area), (arrival.type, EVERYWHERE)}
            else:
                continue  # it is gone by now
            changed += [(event, surge) for surge in found]
        kept = {
            tenant: (self._detectors[tenant].state(keys), self._counted[tenant])
            for tenant, keys in touched.items()
        }
        busy = {tenant: self._detectors[tenant].busy() for tenant in touched}

        def work(tx: Transaction) -> None:
            for event, surge in changed:
                put_surge(tx, _call(event.tenant, event.seq), surge, self._rules, self._centre)
            for tenant, (state, seq) in kept.items():
                self._keep(tx, tenant, state, seq)
                self._set_timer(tx, tenant, busy[tenant])

        return Outcome(work, self._timer_set.set)

    def _keep(self, tx: Transaction, tenant: str, state: SurgeState, seq: int) -> None:
        for kind, area, counts in state.counts:
            body = _Counts(type=kind, area=area, counts=list(counts.items()))
            tx.set_state(tenant, COUNTS, digest((kind, area)), body)
        kept = KeptSurges(zone=self._rules.calendar.time_zone, seq=seq, state=replace(state, counts=()))
        tx.set_state(tenant, STATE, STATE, kept)

    def _set_timer(self, tx: Transaction, tenant: str, busy: bool) -> None:
        if busy:
            due = (tx.now // _QUARTER + 1) * _QUARTER
            tx.set_timer(Timer(consumer=CONSUMER, tenant=tenant, key=TIME, due=due))

    async def _fire(self, timer: Timer) -> Outcome | None:
        cause = Cause(kind="timer", id=f"{CONSUMER}:{timer.due}", operation="readSurges")
        return Outcome(lambda tx: _tell_time(tx, timer.tenant, cause))


def _tell_time(tx: Transaction, tenant: str, cause: Cause) -> None:
    tx.put_document(tenant, TIME, TIME, {"at": tx.now}, cause)


def _call(tenant: str, seq: int) -> Call:
    cause = Cause(kind="system", id=f"{CONSUMER}:{seq}", party=CITY, operation="raiseSurge")
    return Call(tenant=tenant, party=CITY, cause=cause)
