"""Cases within one work of the writer: read, moved and written with their transitions and timers.

Everything here runs on the writer's thread, in the transaction of the work: a process that dies
has moved a case or has not.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.broker.schemas import SchemaRules
from cityloom.broker.writer import EntityWriter
from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.deadlines import changes
from cityloom.cases.keep.calendars import Edition
from cityloom.cases.keep.erasing import erase_photos, photos_of
from cityloom.cases.keep.kept import CASE, CHANGE, TRANSITION, KeptCase, Subject, entity_of, kept_of, written
from cityloom.cases.keep.numbers import CASE_ID
from cityloom.cases.keep.reported import note_report
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.keep.timing import due_of, set_timers
from cityloom.cases.loop.case import Act, Case, Moved
from cityloom.cases.loop.machine import Machine
from cityloom.cases.loop.refusals import Part, move_of, refused, role_of
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.errors import ConfigurationError, Conflict, ResourceNotFound
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.store.ports import Transaction

_COUNTER: Final = "caseCounter"
REQUEST: Final = "caseRequest"


class CaseWriter:
    """The cases of one work.

    `timer_set` tells after it whether a timer was set, `changed` how many deadlines another calendar moved.
    """

    def __init__(self, tx: Transaction, call: Call, book: RuleBook, schemas: SchemaRules) -> None:
        self.tx = tx
        self._call = call
        self._book = book
        self._schemas = schemas
        self._calendar: Calendar = book.calendar(tx)
        self.timer_set = False
        self.changed = 0

    def new_id(self) -> str:
        """The id of a case that is new: the city's year, and a number that goes on."""
        zone = ZoneInfo(self._calendar.time_zone)
        year = str(datetime.fromtimestamp(self.tx.now / 1e6, UTC).astimezone(zone).year)
        kept = self.tx.document(self._call.tenant, _COUNTER, year)
        number = 1 if kept is None else kept.body + 1
        self.tx.set_state(self._call.tenant, _COUNTER, year, number)
        return f"{CASE_ID}{year}-{number:06d}"

    def find(self, case_id: str) -> KeptCase:
        """A case as it is now. Raises ResourceNotFound."""
        entity = self.tx.get(self._call.tenant, case_id)
        if entity is None or CASE not in entity.types:
            raise ResourceNotFound(f"case {case_id} does not exist")
        return kept_of(entity)

    def workflow(self, kept: KeptCase) -> Workflow:
        """The workflow that a case goes by."""
        return self._book.workflow(self.tx, kept.case.workflow)

    def machine(self, kept: KeptCase) -> Machine:
        """What moves a case."""
        return self._book.machine_of(self.tx, self._call.tenant, kept)

    def routed(self, kept: KeptCase, act: Act) -> Act:
        """An act that dispatches a case, by the routing rule where it names no department or that one.

        A case that went up is instructed by who it went up to, not by the rule.
        """
        workflow = self.workflow(kept)
        up = {move.instead.to for move in workflow.moves if move.instead is not None}
        dispatches = any(
            move.move == act.move and "dispatch" in move.effects
            for move in workflow.moves_from(kept.case.state)
        )
        if self._book.ruled is None or not dispatches or kept.case.state in up:
            return act
        found = self._book.ruled.route(
            self.tx, self._call.tenant, kept.case.matter, kept.subject.area, kept.rules_of
        )
        if found is None or act.department not in ("", found.department):
            return act
        return replace(act, department=found.department, ruled={"routing": found.row})

    def begin(self, case_id: str, subject: Subject, reported_at: int | None = None) -> KeptCase:
        """A draft, not written yet; it was reported now, or when another system says."""
        rules = self._book.rules
        case = self._book.machine(self.tx, rules.workflow.name, rules.limits.name).begin(case_id)
        return KeptCase(
            case=case,
            subject=subject,
            reported_at=self.tx.now if reported_at is None else reported_at,
            limits=rules.limits.name,
            calendar=self._calendar.version,
            ruled_at=self.tx.now if reported_at is None else reported_at,
        )

    def move(self, kept: KeptCase, act: Act, key: str = "") -> KeptCase:
        """Moves a case and writes all that comes of it.

        Args:
            kept: the case as `find` or `begin` gave it.
            key: of the request, so that a repeat is recognised.

        Raises:
            Conflict: the case has moved on since the actor looked: who moved it is told.
            and what `Machine.apply` raises.
        """
        if act.seen is not None and act.seen != kept.case.number:
            raise self._moved_on(kept.case, act)
        if act.into:
            self._check_target(act.into)
        moved = self.machine(kept).apply(kept.case, act, self._calendar)
        requests = kept.requests | ({digest(key): moved.case.number} if key else {})
        after = replace(kept, case=moved.case, requests=requests)
        self._record(moved)
        self.put(after, self._cause(moved), kept)
        for part in moved.parts:
            self._record(part)
            begun = replace(kept, case=part.case, reported_at=act.at, requests={})
            self.put(begun, self._cause(part), None)
        return after

    def put(self, kept: KeptCase, cause: Cause, before: KeptCase | None) -> None:
        """Writes the entity of a case and its timers, as they are at the time of this work.

        Where it was written by another calendar than the one that holds, each open clock whose deadline
        that moves is told first.

        Args:
            before: the case as it was kept; None sets every timer.
        """
        rules, calendar, tenant, now = self._book.rules, self._calendar, self._call.tenant, self.tx.now
        old = calendar
        if before is not None and before.calendar != calendar.version:
            old = self._book.calendars.of(self.tx, before.calendar) or calendar
            self._tell_changes(before.case, old)
        kept = replace(kept, calendar=calendar.version)
        workflow = self.workflow(kept)
        call = replace(self._call, cause=cause)
        writer = EntityWriter(self.tx, call, {}, "", self._schemas)
        stored = writer.find(kept.case.id)
        entity = entity_of(kept, workflow, rules, calendar, now)
        writer.put(kept.case.id, written(entity, stored, writer.now))
        if kept.case.number and not kept.case.part_of and not (before is not None and before.case.number):
            note_report(self.tx, tenant, kept)
        after = due_of(kept, workflow, rules, calendar, now)
        was = {} if before is None else due_of(before, self.workflow(before), rules, old, now)
        if set_timers(self.tx, tenant, was, after):
            self.timer_set = True

    def forget(self, kept: KeptCase, cause: Cause) -> None:
        """Takes a draft away with its photos, its timers and who left it."""
        tenant, tx, id = self._call.tenant, self.tx, kept.case.id
        writer = EntityWriter(tx, replace(self._call, cause=cause), {}, "", self._schemas)
        writer.find(id)
        writer.put(id, None)
        erase_photos(tx, replace(self._call, cause=cause), id, photos_of(tx, tenant, id))
        tx.erase_personal(tenant, id, self._call.party)
        due = due_of(kept, self.workflow(kept), self._book.rules, self._calendar, tx.now)
        set_timers(tx, tenant, due, {})

    def known_request(self, key: str) -> dict[str, Any] | None:
        """The report that came with this key before: `{case, body}`."""
        kept = self.tx.document(self._call.tenant, REQUEST, digest(key)) if key else None
        return None if kept is None else kept.body

    def remember_request(self, key: str, case_id: str, body: str) -> None:
        """Keeps the key of a report with the digest of what was reported."""
        if key:
            self.tx.set_state(self._call.tenant, REQUEST, digest(key), {"case": case_id, "body": body})

    def _tell_changes(self, case: Case, old: Calendar) -> None:
        """Logs what the calendar that holds makes of the open clocks that ran by another one."""
        calendars, tx = self._book.calendars, self.tx
        mark = calendars.mark(tx)
        edition = None if mark is None else calendars.edition(tx, mark.number)
        if edition is None:
            return
        at = max(tx.now, case.at)
        for countdown in case.countdowns:
            try:
                found = changes([(case.id, countdown)], old, self._calendar, at)
            except ConfigurationError as error:
                # It began after the calendar was looked at whole: the case goes on, and says so.
                found = []
                body: dict[str, Any] = {"clock": countdown.clock, "problem": error.detail}
                self._tell_change(case.id, body, edition)
            for one in found:
                body = {
                    "clock": one.clock,
                    "deadlineBefore": one.deadline_before,
                    "deadlineAfter": one.deadline_after,
                    "leftBefore": None if one.remaining_before is None else one.remaining_before // 1_000_000,
                    "leftAfter": one.remaining_after // 1_000_000,
                    "calendarBefore": one.calendar_before,
                    "calendarAfter": one.calendar_after,
                }
                self._tell_change(case.id, body, edition)

    def _tell_change(self, case_id: str, body: dict[str, Any], edition: Edition) -> None:
        told = {"at": self.tx.now, "edition": edition.number, "by": edition.by, **body}
        id = f"{case_id}:change:{edition.number:06d}:{body['clock']}"
        self.tx.put_document(self._call.tenant, CHANGE, id, told, edition.cause)
        self.changed += 1

    def _record(self, moved: Moved) -> None:
        transition = moved.transition
        self.tx.put_document(self._call.tenant, TRANSITION, transition.id, transition, self._cause(moved))

    def _cause(self, moved: Moved) -> Cause:
        act = moved.transition.act
        return Cause(kind="transition", id=moved.transition.id, party=self._call.party, operation=act.move)

    def _check_target(self, into: str) -> None:
        """Raises ResourceNotFound or Conflict: nothing can be merged into this case."""
        target = self.find(into)
        case = target.case
        if case.part_of:
            raise Conflict(f"into is invalid: case {into} is a part of {case.part_of}; merge into that")
        if self.workflow(target).states[case.state].end:
            told = f"it was merged into {case.into}" if case.into else f"it has ended ({case.state})"
            raise Conflict(f"into is invalid: nothing can be merged into case {into}: {told}")
        if not case.number:
            raise Conflict(f"into is invalid: case {into} was not reported yet")

    def _moved_on(self, case: Case, act: Act) -> Conflict:
        number, workflow = case.number, self._book.workflow(self.tx, case.workflow)
        last = self.tx.document(self._call.tenant, TRANSITION, f"{case.id}:transition:{number}")
        who: dict[str, Part] = {}
        if last is not None:
            who = {"actor": last.body["act"]["actor"], "role": role_of(workflow, last.body["act"]["role"])}
        return refused(
            Conflict,
            "movedOnBy" if who else "movedOn",
            {"number": number, "lastMove": case.last},
            case=case.id,
            number=str(number),
            move=move_of(workflow, case.last),
            at=format_datetime(case.at),
            seen=str(act.seen),
            **who,
        )


def digest(text: str) -> str:
    """What is kept of a request's key or body."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
