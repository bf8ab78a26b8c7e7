"""What goes on by itself: parts that end move their whole, clocks turn amber and red, a calendar changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.broker.schemas import SchemaRules
from cityloom.cases.behind.recomputing import Recomputing
from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.keep.calendars import EDITION, Calendars
from cityloom.cases.keep.erasing import Erasing
from cityloom.cases.keep.files import EvidenceFiles
from cityloom.cases.keep.keeping import CaseWriter
from cityloom.cases.keep.kept import CASE, EVIDENCE, ROOM
from cityloom.cases.keep.parties import CITY
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.keep.timing import DRAFT, case_of
from cityloom.cases.loop.case import Act
from cityloom.consumers.follow import Follower, Outcome
from cityloom.consumers.timers import Timers
from cityloom.model.clock import Clock
from cityloom.model.errors import CityloomError, ResourceNotFound
from cityloom.model.events import Cause, Event
from cityloom.model.time import format_datetime
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Snapshot, Store, Transaction

_log = structlog.get_logger("cases")
_FILE: Final = Cause(kind="system", id="system:case-calendar:file", party=CITY, operation="changeCalendar")
_WARN_DAYS: Final = 60
_DAY: Final = 86_400_000_000


class CasesFollowed:
    """Runs behind the cases of a node.

    Args:
        timer_set: is set when a timer was set.
        files: where photos are kept.
        background: the store for what one process alone does, behind its fence.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        book: RuleBook,
        timer_set: asyncio.Event,
        files: EvidenceFiles,
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
        self._recomputing = Recomputing(background, book, timer_set)
        self.erasing = Erasing(background, files, clock)

    def prepare(self) -> None:
        """Keeps the versions of the rules; a calendar's file that was changed holds from now on.

        Raises:
            ConfigurationError: a version was changed under its old name, or the new calendar has a hole
                where an open clock needs it: nothing is changed then.

        Cost: nothing when nothing is new; else it waits for the writer.
        """
        self._store.submit(self._book.keep).result()
        self._take_file()

    async def start(self) -> None:
        """Takes its place in the log. Raises as `prepare`, which it does first."""
        await asyncio.to_thread(self.prepare)
        calendar = await asyncio.wrap_future(self._store.read(self._book.calendar))
        warning = calendar_warning(calendar, self._clock.now())
        if warning:
            _log.warning("calendar ends soon", detail=warning)
        await self._follower.start()

    async def run(self) -> None:
        """Follows the log and fires timers until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follower.run())
            group.create_task(self._timers.run())
            group.create_task(self._recomputing.run())
            group.create_task(self.erasing.run())

    @property
    def position(self) -> int:
        """How far it has come in the log: what came of the events up to there can be read."""
        return self._follower.position

    async def reached(self, seq: int) -> None:
        """Waits until the log was read up to an event."""
        await self._follower.reached(seq)

    def look(self) -> None:
        """Looks at the timers now: for a clock that was moved by hand."""
        self._timer_set.set()

    # -- parts ---------------------------------------------------------------

    async def _handle(self, events: Sequence[Event]) -> Outcome | None:
        if any(CASE in event.types for event in events):
            self._timer_set.set()  # another process may have set one
        if any(event.document_kind == EDITION for event in events):
            self._recomputing.wake.set()
        if any(event.document_kind == EVIDENCE and event.kind == "documentDeleted" for event in events):
            self.erasing.wake.set()
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
            if kept.case.number or not timer.key.endswith(DRAFT):
                writer.put(kept, cause, kept)
            else:
                writer.forget(kept, replace(cause, operation="forgetDraft"))

        return Outcome(work)

    # -- the city's file -------------------------------------------------------

    def _take_file(self) -> None:
        """Lets the calendar of the city's file hold when the file is another than when it was last read."""
        calendars = self._book.calendars
        while True:
            seen = self._store.read(calendars.mark).result()
            if seen is not None and seen.file == calendars.file.version:
                return
            if seen is not None and seen.version != calendars.file.version:
                # A hole that an open clock meets changes nothing.
                look = partial(_look, calendars, self._clock.now())
                self._store.read(look).result()
            if self._store.submit(partial(calendars.adopt_file, seen, _FILE)).result():
                return


def _look(calendars: Calendars, at: int, reads: Snapshot) -> None:
    for _ in calendars.moved(reads, calendars.file, at):
        pass


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
