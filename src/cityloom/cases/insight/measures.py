"""What each case adds to each indicator: to what is due, to what is good of it, or to what is told apart.

A measure looks at one case and gives units; `evaluation` counts them. What was due is decided by
deadlines, never by what was done, wherever the formula says so: what is left undone stays in the denominator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.deadlines import Countdown, deadline_of
from cityloom.cases.loop.case import Case, Transition
from cityloom.cases.loop.workflow import Workflow


class Meaning(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which moves of a workflow mean what."""

    file: list[str]
    void: list[str]
    verify: list[str]
    dispatch: list[str]
    handle: list[str]
    return_: list[str]
    rework: list[str]
    close: list[str]
    close_by_order: list[str]
    reopen: list[str]
    appeal: list[str]
    grant_appeal: list[str]
    handled_on_the_spot: list[str]


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case with the transitions that brought it where it is, in order; and what others know of it.

    `area` is where it lies. `repeats` is the earlier case that it repeats, "" for none, None where nobody has
    looked; `placed` says whether it has a place, without which nobody can tell.
    """

    case: Case
    transitions: tuple[Transition, ...]
    area: str = ""
    repeats: str | None = None
    placed: bool = True


class Period(Struct, frozen=True, kw_only=True):
    """From `since` until `until` (not included), looked at from `now`: microseconds since 1970."""

    since: int
    until: int
    now: int

    def holds(self, at: int) -> bool:
        """Whether it lies within, and is past."""
        return self.since <= at < self.until and at <= self.now


class Unit(NamedTuple):
    """One thing that is counted: in the denominator, and in the numerator if `good`; or told apart.

    `at` is the time by which it belongs to the period, microseconds.
    """

    at: int
    case: str
    department: str
    area: str
    good: bool = False
    apart: str = ""


class Run(NamedTuple):
    """One clock from start to end: until when it had to be done (None: it stands), when and how it was."""

    clock: str
    holder: str
    deadline: int | None
    ended: int | None
    move: str

    def on_time(self) -> bool:
        """Whether it ended by its deadline."""
        return self.ended is not None and self.deadline is not None and self.ended <= self.deadline


class Facts(NamedTuple):
    """A case as measures look at it; `made` are the names of the moves that were made of it."""

    record: Record
    made: frozenset[str]
    runs: tuple[Run, ...]
    meaning: Meaning
    public: list[str]
    patrol: list[str]
    workflow: Workflow

    @property
    def case(self) -> Case:
        """The case itself."""
        return self.record.case

    def moves(self, names: list[str]) -> list[Transition]:
        """The transitions by these moves, in order."""
        if self.made.isdisjoint(names):
            return []
        return [one for one in self.record.transitions if one.move in names]

    def unit(self, at: int, department: str | None = None, *, good: bool = False, apart: str = "") -> Unit:
        """A unit of this case."""
        held = self.case.department if department is None else department
        return Unit(at, self.case.id, held, self.record.area, good, apart)

    def excused(self, at: int, department: str, *, done: bool, good: bool, apart: str = "") -> Unit:
        """A unit that a granted appeal takes out where it was done, but not well; what is not done stays."""
        exempt = self.case.exempt and done and not good
        return self.unit(at, department, good=good, apart=apart or ("exempt" if exempt else ""))

    def undone(self) -> bool:
        """Whether it ended without being done: rejected, voided, merged; not so what was closed by order."""
        state = self.workflow.states.get(self.case.state)
        by_order = self.case.last in self.meaning.close_by_order
        return state is not None and state.end == "undone" and not by_order

    def awaits(self) -> bool:
        """Whether someone has asked for something and waits for the decision."""
        state = self.workflow.states.get(self.case.state)
        return state is not None and state.request


def runs_of(record: Record, calendar: Calendar) -> tuple[Run, ...]:
    """All clocks of a case. One that ended has the deadline that was read then, an open one the calendar's.

    Raises:
        ConfigurationError: the calendar has a hole where an open clock needs it.
    """
    ended: dict[tuple[str, str, int], tuple[int | None, str]] = {}
    for transition in reversed(record.transitions):
        for reading in transition.readings:
            if reading.state == "stopped":
                key = (reading.clock, reading.holder, reading.at)
                ended.setdefault(key, (reading.deadline, transition.move))
    return tuple(_run(one, ended, calendar) for one in record.case.countdowns)


def _run(
    countdown: Countdown, ended: Mapping[tuple[str, str, int], tuple[int | None, str]], calendar: Calendar
) -> Run:
    clock, holder, stopped = countdown.clock, countdown.holder, countdown.stopped
    found = None if stopped is None else ended.get((clock, holder, stopped))
    if found is None:
        return Run(clock, holder, deadline_of(countdown, calendar), stopped, "")
    return Run(clock, holder, found[0], stopped, found[1])


def facts_of(
    record: Record,
    runs: tuple[Run, ...],
    meaning: Meaning,
    public: list[str],
    patrol: list[str],
    workflow: Workflow,
) -> Facts:
    """A case with its clocks, for the measures; `public` and `patrol` are roles whose reports are such."""
    made = frozenset(one.move for one in record.transitions)
    return Facts(record, made, runs, meaning, public, patrol, workflow)


Measure = Callable[[Facts, Period, str], Iterator[Unit]]


def _filed(facts: Facts, period: Period) -> tuple[int, Run] | None:
    """When the case was filed first, and that filing; None where that was not within the period."""
    for run in facts.runs:
        if run.clock == "file" and run.move in facts.meaning.file:
            return (run.ended, run) if run.ended is not None and period.holds(run.ended) else None
    return None


def _filed_on_time(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    if found := _filed(facts, period):
        at, filing = found
        yield facts.unit(at, good=filing.on_time())
    elif not facts.moves(facts.meaning.file):
        for one in facts.runs:
            due = one.deadline
            if one.clock == "file" and one.ended is None and due is not None and period.holds(due):
                yield facts.unit(due, apart="overdueAndNotFiled")


def _filed_right(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    if found := _filed(facts, period):
        yield facts.unit(found[0], good=not facts.moves(facts.meaning.void))


def _due(facts: Facts, period: Period, clock: str) -> Iterator[tuple[int, Run]]:
    """A clock's deadlines within the period, with its runs; not those that ended with the case undone."""
    for run in facts.runs:
        cut_off = facts.undone() and (run.ended, run.move) == (facts.case.at, facts.case.last)
        due = run.deadline
        if run.clock == clock and due is not None and period.holds(due) and not (cut_off and run.on_time()):
            yield due, run


def _clock_on_time(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    for at, run in _due(facts, period, clock):
        yield facts.excused(
            at, run.holder or facts.case.department, done=run.ended is not None, good=run.on_time()
        )


def _dispatched_right(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    reworked = [one.act.at for one in facts.moves(facts.meaning.rework)]
    for due, run in _due(facts, period, clock):
        yield facts.unit(due, good=not any(run.ended is not None and at >= run.ended for at in reworked))


def _handlings(facts: Facts) -> list[tuple[str, int, bool]]:
    """(department, when it said that it had handled it, whether that had to be redone)."""
    found: list[tuple[str, int, bool]] = []
    for one in facts.record.transitions:
        if one.move in facts.meaning.handle:
            found.append((one.act.acting_for, one.act.at, False))
        elif one.move in facts.meaning.rework and found:
            found[-1] = (*found[-1][:2], True)
    return found


def _reworked(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    for department, at, redone in _handlings(facts):
        if period.holds(at):
            yield facts.unit(at, department, good=redone)


def _closings(facts: Facts) -> list[Transition]:
    return facts.moves(facts.meaning.close)


def _close_due(facts: Facts, period: Period) -> Iterator[tuple[int, str, str]]:
    """(when it was due, department, why it is told apart) where the case was to be closed within the period.

    When it is due, and with which department, is as it stood at its first closing: a case that is
    reopened stays where it was, so neither closing nor reopening moves it into another period.
    """
    if facts.case.part_of or not facts.record.transitions:
        return
    department, promise = facts.case.department, facts.case.countdown("promise")
    closings = _closings(facts)
    if closings:
        department = _held(facts, closings[0].number)
    if promise is None:
        begun = facts.record.transitions[0].act.at
        if period.holds(begun) and not facts.undone():
            yield begun, department, "withoutPromise"
        return
    if closings:
        deadline = next(one.deadline for one in closings[0].readings if one.clock == "promise")
    else:
        deadline = next(run.deadline for run in reversed(facts.runs) if run.clock == "promise")
        if deadline is None and period.holds(promise.spans[0].since):
            yield promise.spans[0].since, department, "onAccount"
    if deadline is not None and period.holds(deadline):
        yield deadline, department, "undone" if facts.undone() else ""


def _held(facts: Facts, number: int) -> str:
    """The department that held the case at a transition."""
    held = ""
    for one in facts.record.transitions[:number]:
        # Not a dispatch alone: a case that comes from another system comes with its department.
        if one.act.department:
            held = one.act.department
    return held or (facts.case.department if facts.case.part_of else "")


def _is_closed(facts: Facts) -> Transition | None:
    """The closing that holds: the last one, unless the case was reopened after it."""
    last = facts.moves(facts.meaning.close + facts.meaning.reopen + facts.meaning.close_by_order)
    return last[-1] if last and last[-1].move in facts.meaning.close else None


def _closed(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    for at, department, apart in _close_due(facts, period):
        yield facts.unit(at, department, good=_is_closed(facts) is not None, apart=apart)


def _closed_on_time(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    closing = _is_closed(facts)
    for at, department, apart in _close_due(facts, period):
        good = closing is not None and any(
            one.clock == "promise" and one.deadline is not None and closing.act.at <= one.deadline
            for one in closing.readings
        )
        yield facts.excused(at, department, done=closing is not None, good=good, apart=apart)


def _closed_first_time(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    again, closing = facts.moves(facts.meaning.rework + facts.meaning.reopen), _is_closed(facts)
    for at, department, apart in _close_due(facts, period):
        good = closing is not None and not again
        yield facts.excused(at, department, done=closing is not None, good=good, apart=apart)


def _public_share(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    if found := _filed(facts, period):
        reporter = facts.record.transitions[0].act.role
        yield facts.unit(found[0], good=reporter in facts.public and bool(facts.moves(facts.meaning.verify)))


def _patrol_valid(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    if not facts.record.transitions:
        return
    first = facts.record.transitions[0]
    at = first.act.at
    if first.act.role not in facts.patrol or not period.holds(at):
        return
    if facts.undone():
        yield facts.unit(at, good=False)
    elif facts.moves(facts.meaning.file + facts.meaning.handled_on_the_spot):
        yield facts.unit(at, good=True)
    else:
        yield facts.unit(at, apart="undecided")


def _missed(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    if found := _filed(facts, period):
        yield facts.unit(found[0], apart="notReported")


def _repeated(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    if found := _filed(facts, period):
        known = facts.record.repeats
        placed = "" if facts.record.placed else "withoutPlace"
        yield facts.unit(found[0], good=bool(known), apart="notReported" if known is None else placed)


def _reopened(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    closings = _closings(facts)
    if closings and period.holds(closings[0].act.at):
        first = closings[0]
        held = _held(facts, first.number)
        yield facts.unit(first.act.at, held, good=bool(facts.moves(facts.meaning.reopen)))


def _appealed(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    closings = _closings(facts)
    if closings and period.holds(closings[0].act.at):
        first = closings[0]
        held = _held(facts, first.number)
        yield facts.unit(first.act.at, held, good=bool(facts.moves(facts.meaning.appeal)))


def _appeal_granted(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    for one in facts.moves(facts.meaning.appeal):
        if period.holds(one.act.at):
            granted = bool(facts.moves(facts.meaning.grant_appeal))
            apart = "undecided" if facts.awaits() else ""
            yield facts.unit(one.act.at, one.act.acting_for, good=granted, apart=apart)


def _returned(facts: Facts, period: Period, clock: str) -> Iterator[Unit]:
    """Each dispatch to a department, and whether that gave it back."""
    open_: tuple[str, int] | None = None
    for one in facts.record.transitions:
        if one.move in facts.meaning.dispatch:
            if open_ and period.holds(open_[1]):
                yield facts.unit(open_[1], open_[0])
            open_ = (one.act.department, one.act.at) if one.act.department else None
        elif one.move in facts.meaning.return_ and open_:
            if period.holds(open_[1]):
                yield facts.unit(open_[1], open_[0], good=True)
            open_ = None
    if open_ and period.holds(open_[1]):
        yield facts.unit(open_[1], open_[0])


NOT_KEPT: Final[Mapping[str, Mapping[str, str]]] = {
    "missed": {
        "en": "nobody keeps what a patrol should have seen and did not report",
        "zh": "系统中没有巡查应发现而未上报的记录",
    },
}
"""The measures that cannot be taken from cases, and why, by language."""
MEASURES: Final[Mapping[str, Measure]] = {
    "filedOnTime": _filed_on_time,
    "filedRight": _filed_right,
    "clockOnTime": _clock_on_time,
    "dispatchedRight": _dispatched_right,
    "reworked": _reworked,
    "closed": _closed,
    "closedOnTime": _closed_on_time,
    "closedFirstTime": _closed_first_time,
    "publicShare": _public_share,
    "patrolValid": _patrol_valid,
    "missed": _missed,
    "repeated": _repeated,
    "reopened": _reopened,
    "appealed": _appealed,
    "appealGranted": _appeal_granted,
    "returned": _returned,
}
