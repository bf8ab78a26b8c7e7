"""What goes on by itself: parts that end move their whole, clocks turn amber and red, a calendar changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from cityloom.broker.ports import Call
from cityloom.broker.schemas import SchemaRules
from cityloom.cases.calendar import Calendar
from cityloom.cases.case import Act
from cityloom.cases.deadlines import DeadlineChange, changes
from cityloom.cases.keeping import CaseWriter
from cityloom.cases.kept import CASE, CHANGE, ROOM, KeptCase, iri, kept_of
from cityloom.cases.parties import CITY
from cityloom.cases.rulebook import RuleBook
from cityloom.cases.timing import case_of
from cityloom.consumers.follow import Follower, Outcome
from cityloom.consumers.timers import Timers
from cityloom.model.clock import Clock
from cityloom.model.errors import CityloomError, ResourceNotFound
from cityloom.model.events import Cause, Event
from cityloom.model.tenants import split_tenant
from cityloom.model.time import format_datetime
from cityloom.query.values import Path, QExists, Query, TypeIs
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Snapshot, Store, Transaction

_log = structlog.get_logger("cases")
_BATCH: Final = 200
"""Cases that one work of a changed calendar writes."""
_WARN_DAYS: Final = 60
_DAY: Final = 86_400_000_000


class CasesFollowed:
    """Runs behind the cases of a node.

    Args:
        timer_set: is set when a timer was set.
        background: the store for what one process alone does, behind its fence.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        book: RuleBook,
        timer_set: asyncio.Event,
        background: Store | None = None,
    ) -> None:
        background = background or store
        self._store = store
        self._clock = clock
        self._book = book
        self._schemas = SchemaRules()
        self._timer_set = timer_set
        self._timers = Timers(background, ROOM, clock, self._fire, timer_set)
        self._follower = Follower(background, ROOM, self._handle)

    def prepare(self) -> None:
        """Keeps the versions of the rules; a calendar that is another one moves every open deadline.

        Raises:
            ConfigurationError: a version was changed under its old name, or the new calendar has a hole
                where an open clock needs it: nothing is changed then.

        Cost: nothing when nothing is new; else it waits for the writer.
        """
        self._store.submit(self._book.keep).result()
        self._exchange()

    async def start(self) -> None:
        """Takes its place in the log. Raises as `prepare`, which it does first."""
        await asyncio.to_thread(self.prepare)
        warning = calendar_warning(self._book.rules.calendar, self._clock.now())
        if warning:
            _log.warning("calendar ends soon", detail=warning)
        await self._follower.start()

    async def run(self) -> None:
        """Follows the log and fires timers until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follower.run())
            group.create_task(self._timers.run())

    @property
    def position(self) -> int:
        """How far it has come in the log: what came of the events up to there can be read."""
        return self._follower.position

    def look(self) -> None:
        """Looks at the timers now: for a clock that was moved by hand."""
        self._timer_set.set()

    # -- parts ---------------------------------------------------------------

    async def _handle(self, events: Sequence[Event]) -> Outcome | None:
        if any(CASE in event.types for event in events):
            self._timer_set.set()  # another process may have set one
        parts = list(dict.fromkeys((event.tenant, event.entity_id) for event in events if _is_part(event)))
        if not parts:
            return None
        timers = False

        def work(tx: Transaction) -> None:
            nonlocal timers
            for tenant, part in parts:
                timers = self._complete(tx, tenant, part) or timers

        return Outcome(work, lambda: self._timer_set.set() if timers else None)

    def _complete(self, tx: Transaction, tenant: str, part_id: str) -> bool:
        """Makes the whole's move when a part of it has ended; whether a timer was set."""
        call = Call(tenant=tenant, party=CITY, cause=Cause(kind="system", id=f"{ROOM}:{part_id}"))
        writer = CaseWriter(tx, call, self._book, self._schemas)
        try:
            part = writer.find(part_id)
            whole = writer.find(part.case.part_of)
        except ResourceNotFound:
            return False
        if not writer.workflow(part).states[part.case.state].end:
            return False
        if all(one.done for one in whole.case.parts if one.case == part_id):
            return False
        act = Act(move="completePart", actor=CITY, role="city", at=tx.now, part=part_id)
        try:
            writer.move(whole, act)
        except CityloomError as error:
            _log.error("part not completed", part=part_id, whole=whole.case.id, reason=error.detail)
        return writer.timer_set

    # -- timers --------------------------------------------------------------

    async def _fire(self, timer: Timer) -> Outcome | None:
        def work(tx: Transaction) -> None:
            cause = Cause(
                kind="timer", id=f"{timer.key}:{timer.due}".replace(" ", ":"), operation="readClocks"
            )
            call = Call(tenant=timer.tenant, party=CITY, cause=cause)
            writer = CaseWriter(tx, call, self._book, self._schemas)
            try:
                kept = writer.find(case_of(timer.key))
            except ResourceNotFound:
                return
            writer.put(kept, cause, kept)

        return Outcome(work)

    # -- a changed calendar ----------------------------------------------------

    def _exchange(self) -> None:
        """Rewrites every open case by the present calendar when it is another than before."""
        rules = self._book.rules
        before = self._store.read(self._book.kept_calendar).result()
        after = rules.calendar
        cause = Cause(
            kind="system", id=f"system:case-calendar:{after.version[:16]}", operation="changeCalendar"
        )
        if before is not None and before.version == after.version:
            return
        if before is not None:
            moved = self._recompute(before, after, cause)
            _log.info("calendar changed", calendar=after.name, version=after.version[:16], deadlines=moved)
        self._store.submit(lambda tx: self._book.keep_calendar(tx, cause)).result()

    def _recompute(self, before: Calendar, after: Calendar, cause: Cause) -> int:
        def look(snapshot: Snapshot) -> list[tuple[str, KeptCase]]:
            query = Query(types=TypeIs(CASE), q=QExists(Path((iri("holder"),))))
            return [
                (tenant, kept_of(entity))
                for tenant in snapshot.tenants()
                if not split_tenant(tenant)[1]  # what is frozen in a snapshot stays as it was
                for entity in snapshot.scan(tenant, query)
            ]

        now = self._clock.now()
        found = self._store.read(look).result()
        affected: list[tuple[str, KeptCase, list[DeadlineChange]]] = []
        for tenant, kept in found:
            # First all are reckoned: a hole that one of them meets changes nothing.
            told = changes(((kept.case.id, one) for one in kept.case.countdowns), before, after, now)
            affected.append((tenant, kept, told))
        for start in range(0, len(affected), _BATCH):
            part = affected[start : start + _BATCH]

            def work(
                tx: Transaction, part: Sequence[tuple[str, KeptCase, list[DeadlineChange]]] = part
            ) -> None:
                for tenant, kept, told in part:
                    self._rewrite(tx, tenant, kept, told, cause)

            self._store.submit(work).result()
        return sum(len(told) for _, _, told in affected)

    def _rewrite(
        self, tx: Transaction, tenant: str, kept: KeptCase, told: Sequence[DeadlineChange], cause: Cause
    ) -> None:
        call = Call(tenant=tenant, party=CITY, cause=cause)
        writer = CaseWriter(tx, call, self._book, self._schemas)
        now_kept = writer.find(kept.case.id)
        for change in told:
            id = f"{change.case}:change:{change.calendar_after[:16]}:{change.clock}"
            body = {
                "at": tx.now,
                "clock": change.clock,
                "deadlineBefore": change.deadline_before,
                "deadlineAfter": change.deadline_after,
                "leftBefore": change.remaining_before // 1_000_000,
                "leftAfter": change.remaining_after // 1_000_000,
                "calendarBefore": change.calendar_before,
                "calendarAfter": change.calendar_after,
            }
            tx.put_document(tenant, CHANGE, id, body, cause)
        writer.put(now_kept, cause, now_kept, anew=True)


def days_left(calendar: Calendar, now: int) -> int:
    """Days until a calendar ends; 0 when it has."""
    return max(0, (calendar.time.until - now) // _DAY)


def calendar_warning(calendar: Calendar, now: int) -> str:
    """What to tell of a calendar that ends soon; "" while it reaches far enough."""
    left = days_left(calendar, now)
    if left >= _WARN_DAYS:
        return ""
    return (
        f"the calendar {calendar.name!r} ends in {left} days, on {format_datetime(calendar.time.until)[:10]}"
    )


def _is_part(event: Event) -> bool:
    """Whether a part of a case moved."""
    return event.kind == "entityUpdated" and CASE in event.types and ":part:" in event.entity_id
