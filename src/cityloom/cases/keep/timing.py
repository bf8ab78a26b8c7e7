"""The durable timers of a case: when a clock turns amber or red, and when a case lies too long."""

from __future__ import annotations

from typing import Final

from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.kept import ROOM, KeptCase, read_open, unmoved_at
from cityloom.cases.loop.workflow import Workflow
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Transaction

STALE: Final = "stale"
DRAFT: Final = "draft"
MARKS: Final = ("amber", "red")


def key_of(case: str, clock: str, mark: str) -> str:
    """The key of a timer: a case has one for each clock and mark."""
    return f"{case} {clock} {mark}"


def case_of(key: str) -> str:
    """The case of a timer's key."""
    return key.partition(" ")[0]


def due_of(
    kept: KeptCase, workflow: Workflow, rules: CaseRules, calendar: Calendar, now: int
) -> dict[str, int]:
    """Key of each timer that a case has from `now` on -> when it is due, microseconds.

    A draft has one: when it goes.

    A light changes just after its mark: what is done at the deadline itself is in time.
    """
    due: dict[str, int] = {}
    case = kept.case
    if not case.number:
        return {key_of(case.id, DRAFT, DRAFT): kept.reported_at + rules.drafts.micros(calendar)}
    for reading in read_open(case, calendar, now):
        for mark, at in (("amber", reading.amber), ("red", reading.deadline)):
            if reading.state == "running" and at is not None and at >= now:
                due[key_of(case.id, reading.clock, mark)] = at + 1
    lies = unmoved_at(kept, rules, calendar) if workflow.is_open(case.state) else None
    if lies is not None and lies >= now:
        due[key_of(case.id, STALE, STALE)] = lies
    return due


def set_timers(tx: Transaction, tenant: str, before: dict[str, int], after: dict[str, int]) -> bool:
    """Makes the timers of a case those of `after`; whether one was set."""
    for key in before.keys() - after.keys():
        tx.cancel_timer(ROOM, tenant, key)
    changed = {key: due for key, due in after.items() if before.get(key) != due}
    for key, due in changed.items():
        tx.set_timer(Timer(consumer=ROOM, tenant=tenant, key=key, due=due))
    return bool(changed)
