"""Open cases after another calendar came to hold: their deadlines are reckoned anew, a portion at a time.

A case says by which calendar it was written. So what is left to do is read from the cases themselves: one
that somebody moved meanwhile is done, and after a process died each case is done once, or was not begun.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import structlog
from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.broker.schemas import SchemaRules
from cityloom.cases.keep.calendars import Edition, open_cases
from cityloom.cases.keep.keeping import CaseWriter
from cityloom.cases.keep.kept import KeptCase
from cityloom.cases.keep.parties import CITY
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.consumers.failures import Failures
from cityloom.consumers.lease import LeaseLost
from cityloom.model.errors import ResourceNotFound
from cityloom.store.ports import Snapshot, Store, Transaction

_log = structlog.get_logger("cases")
PORTION: Final = 100
"""Cases of one work: others write between two of them."""
_Left = list[tuple[str, str]]


class Recomputing:
    """Brings open cases to the calendar that holds.

    Args:
        store: for what one process alone does, behind its fence.
        timer_set: is set when a timer was set.
    """

    def __init__(self, store: Store, book: RuleBook, timer_set: asyncio.Event) -> None:
        self._store = store
        self._book = book
        self._schemas = SchemaRules()
        self._timer_set = timer_set
        self.wake = asyncio.Event()
        """Is set when a calendar came to hold."""

    async def run(self) -> None:
        """Does what is left, and then what comes, until it is cancelled."""
        failures = Failures("deadlines not recomputed")
        while True:
            self.wake.clear()
            try:
                await self.catch_up()
                failures.well()
            except LeaseLost:
                raise
            except Exception as error:
                await asyncio.sleep(failures.failed(error))
                continue
            await self.wake.wait()

    async def catch_up(self) -> None:
        """Does all that is left. Cost: some 4 ms a case, in works of a hundred; nothing where all is done."""
        while True:
            edition, left = await asyncio.wrap_future(self._store.read(self._left))
            if edition is None:
                return
            for start in range(0, len(left), PORTION):
                await self._do(edition, left[start : start + PORTION])
            if await asyncio.wrap_future(self._store.submit(partial(self._end, edition))):
                return

    def _left(self, reads: Snapshot) -> tuple[Edition | None, _Left]:
        """The edition that holds, and open cases that were written by another calendar; None: all done."""
        calendars = self._book.calendars
        mark = calendars.mark(reads)
        if mark is None or calendars.progress(reads, mark.number).done:
            return None, []
        left = [
            (tenant, kept.case.id)
            for tenant, kept in open_cases(reads)
            if kept.calendar != mark.version and self._runs(reads, kept)
        ]
        return calendars.edition(reads, mark.number), left

    def _runs(self, reads: Snapshot, kept: KeptCase) -> bool:
        """Whether anything of a case goes by a calendar: a clock, or how long it may lie."""
        is_open = self._book.workflow(reads, kept.case.workflow).is_open(kept.case.state)
        return is_open or any(one.state != "stopped" for one in kept.case.countdowns)

    async def _do(self, edition: Edition, part: _Left) -> None:
        def work(tx: Transaction) -> bool:
            calendars = self._book.calendars
            mark = calendars.mark(tx)
            if mark is None or mark.number != edition.number:
                return False  # another came to hold, and begins from the start
            cases = deadlines = 0
            timers = False
            for tenant, case_id in part:
                call = Call(tenant=tenant, party=CITY, cause=edition.cause)
                writer = CaseWriter(tx, call, self._book, self._schemas)
                try:
                    kept = writer.find(case_id)
                except ResourceNotFound:
                    continue
                if kept.calendar != edition.version:
                    writer.put(kept, edition.cause, kept)
                    cases, deadlines = cases + 1, deadlines + writer.changed
                    timers = timers or writer.timer_set
            before = calendars.progress(tx, edition.number)
            after = replace(before, cases=before.cases + cases, deadlines=before.deadlines + deadlines)
            calendars.set_progress(tx, after)
            return timers

        if await asyncio.wrap_future(self._store.submit(work)):
            self._timer_set.set()

    def _end(self, edition: Edition, tx: Transaction) -> bool:
        """Says that all is done; False where another calendar came to hold meanwhile."""
        calendars = self._book.calendars
        mark = calendars.mark(tx)
        if mark is None or mark.number != edition.number:
            return False
        found = calendars.progress(tx, edition.number)
        if not found.done:
            calendars.set_progress(tx, replace(found, done=True))
            _log.info(
                "calendar changed",
                version=edition.version[:16],
                edition=edition.number,
                cases=found.cases,
                deadlines=found.deadlines,
            )
        return True
