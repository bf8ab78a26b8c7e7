"""What is answered about cases, in the words of the API. Times are ISO 8601 (UTC), lengths seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.deadlines import Light, Reading
from cityloom.cases.keep.evidence import Evidence
from cityloom.cases.keep.kept import PROMISE, KeptCase, read_open, worst_light
from cityloom.cases.loop.case import Case, RuleRow, Transition
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.time import format_datetime

_SECOND = 1_000_000


class ClockView(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a clock shows: `left` and `used` are seconds of its own measure, `left` below 0 when late.

    `measure` is `continuous` or `work`; `work_day` are the seconds of a work day where it is work time. A
    paused clock has no `deadline`. `ruled` is the row that gave the limit, where no act gave it.
    """

    clock: str
    state: str
    light: Light
    left: int
    used: int
    limit: str = ""
    measure: Literal["continuous", "work"] | None = None
    work_day: int = 0
    deadline: str | None = None
    amber_at: str | None = None
    department: str = ""
    decided_by: str = ""
    ruled: RuleRow | None = None


class StepView(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One of the steps: when the case came into it first and left it last, and who acts or acted."""

    step: str
    title: dict[str, str]
    state: Literal["done", "now", "ahead"]
    since: str | None = None
    until: str | None = None
    holder: str = ""
    actor: str = ""
    visits: int = 0


class MoveView(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A move that is open to the caller in `role`: what it needs, and where it leads."""

    move: str
    role: str
    acting_for: str = ""
    to: tuple[str, ...]
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    title: dict[str, str]
    conditions: list[str] = []


class TransitionView(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One move that was made, with what its clocks read then."""

    id: str
    number: int
    move: str
    from_state: str
    to_state: str
    at: str
    actor: str
    role: str
    acting_for: str = ""
    reason: str = ""
    finding: str = ""
    evidence: tuple[str, ...] = ()
    given: dict[str, Any] = {}
    clocks: list[ClockView] = []


class CaseRow(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A case in a queue. `reported_by` names which personal data of the reporter are kept, never the data.

    `descriptions` is the description by language, where a rule told it in several.
    """

    id: str
    number: int
    state: str
    step: str
    status: Literal["open", "closed"]
    type: str = ""
    condition: str = ""
    grade: str = ""
    department: str = ""
    holder: str = ""
    description: str = ""
    descriptions: dict[str, str] = {}
    address: str = ""
    location: tuple[float, float] | None = None
    place: Literal["known", "unknown"]
    area: str = ""
    about: str = ""
    channel: str = ""
    source_id: str = ""
    reported_at: str
    moved_at: str = ""
    last_move: str = ""
    light: Light | None = None
    clocks: list[ClockView]
    reported_by: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = {}
    part_of: str = ""
    into: str = ""


class CaseWhole(Struct, frozen=True, kw_only=True, rename="camel"):
    """A case with all that is known of it.

    `seen` is the number to send with the next move. `changes` are deadlines that an edited calendar moved,
    `ruled` the rows of the rules by which it was opened, dispatched and escalated.
    """

    case: CaseRow
    seen: int
    workflow: str
    limits: str
    steps: list[StepView]
    moves: list[MoveView] = []
    transitions: list[TransitionView] = []
    evidence: list[Evidence] = []
    parts: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    worker: str = ""
    redone: int = 0
    reopened: int = 0
    returned_by: tuple[str, ...] = ()
    appealed: bool = False
    exempt: bool = False
    ruled: dict[str, RuleRow] = {}


class PublicStep(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A step as everyone may see it."""

    step: str
    title: dict[str, str]
    state: Literal["done", "now", "ahead"]
    since: str | None = None


class PublicCase(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What everyone may know of a case: nothing that anybody wrote, nobody's name.

    `late` says whether the promise is past, or was when the case was closed; absent without a promise. A case
    that was merged `into` another has no promise of its own any more: that one's holds.
    """

    id: str
    status: Literal["open", "closed"]
    state: str
    state_title: dict[str, str]
    type: str = ""
    type_title: dict[str, str] = {}
    department: str = ""
    department_title: dict[str, str] = {}
    location: tuple[float, float] | None = None
    place: Literal["known", "unknown"]
    area: str = ""
    reported_at: str
    moved_at: str = ""
    closed_at: str = ""
    promised_by: str | None = None
    late: bool | None = None
    into: str = ""
    steps: list[PublicStep]


class Queue(Struct, frozen=True, kw_only=True, rename="camel"):
    """One page of a queue, and how many cases there are in all."""

    total: int
    cases: list[CaseRow]


def clock_views(case: Case, readings: Sequence[Reading], work_day: int = 0) -> list[ClockView]:
    """What clocks show; the limits are those of the case's clock of the same name.

    Args:
        work_day: how long one is, microseconds; 0: it is not told.
    """
    found = []
    for reading in readings:
        countdown = next(
            (
                one
                for one in reversed(case.countdowns)
                if (one.clock, one.holder) == (reading.clock, reading.holder)
            ),
            None,
        )
        decided = case.decided.get(reading.clock)
        continuous = countdown is None or countdown.limits[0].continuous
        found.append(
            ClockView(
                clock=reading.clock,
                state=reading.state,
                light=reading.light,
                left=reading.remaining // _SECOND,
                used=reading.used // _SECOND,
                limit="" if countdown is None else " + ".join(str(limit) for limit in countdown.limits),
                measure="continuous" if continuous else "work",
                work_day=0 if continuous else work_day // _SECOND,
                deadline=None if reading.deadline is None else format_datetime(reading.deadline),
                amber_at=None if reading.amber is None else format_datetime(reading.amber),
                department=reading.holder,
                decided_by=""
                if decided is None
                else f"{decided.by} {decided.row} ({decided.scheme} {decided.version})",
                ruled=None
                if decided is None or decided.by == "given"
                else RuleRow(table=decided.scheme, version=decided.version, row=decided.row),
            )
        )
    return found


def row_of(kept: KeptCase, workflow: Workflow, calendar: Calendar, at: int) -> CaseRow:
    """A case as a row of a queue, at a time."""
    case, subject = kept.case, kept.subject
    readings = read_open(case, calendar, at)
    is_open = workflow.is_open(case.state)
    return CaseRow(
        id=case.id,
        number=case.number,
        state=case.state,
        step=workflow.states[case.state].step,
        status="open" if is_open else "closed",
        type=case.matter.type,
        condition=case.matter.condition,
        grade=case.matter.grade,
        department=case.department,
        holder=workflow.holder_of(case.state, case.department),
        description=subject.description,
        descriptions=subject.descriptions,
        address=subject.address,
        location=subject.location,
        place=subject.place,
        area=subject.area,
        about=subject.about,
        channel=subject.channel,
        source_id=subject.source,
        reported_at=format_datetime(kept.reported_at),
        moved_at=format_datetime(case.at) if case.number else "",
        last_move=case.last,
        light=worst_light(readings) if is_open else None,
        clocks=clock_views(case, readings, calendar.work_day),
        reported_by=subject.reporter,
        attributes=subject.attributes,
        part_of=case.part_of,
        into=case.into,
    )


def steps_of(kept: KeptCase, workflow: Workflow, transitions: Sequence[Transition]) -> list[StepView]:
    """The steps in the order of the workflow, from the moves that were made.

    Those that were passed over, and those that are not to come since the case has ended, are left out. A
    state that ends it undone (merged, not accepted) is no work in the step that it stands in.
    """
    order = list(workflow.steps)
    now = workflow.states[kept.case.state].step
    since: dict[str, int] = {}
    until: dict[str, int] = {}
    visits: dict[str, int] = {}
    actors: dict[str, str] = {}
    holders: dict[str, str] = {}
    department = ""
    previous = ""
    for one in transitions:
        if previous and workflow.states[one.to_state].end == "undone":
            actors[previous], until[previous] = one.act.actor, one.act.at
            break
        step = workflow.states[one.to_state].step
        department = one.act.department or department
        if step != previous:
            visits[step] = visits.get(step, 0) + 1
            since.setdefault(step, one.act.at)
            until.pop(step, None)
            if previous:
                until[previous] = one.act.at
        if previous:
            actors[previous] = one.act.actor
        holders[step] = workflow.holder_of(one.to_state, department) or holders.get(step, "")
        previous = step
    if not transitions:
        since[now] = kept.reported_at
    ended = bool(workflow.states[kept.case.state].end)
    if not ended:
        holders[now] = workflow.holder_of(kept.case.state, kept.case.department) or holders.get(now, "")
    if ended and previous:
        until[previous] = kept.case.at
    found = []
    for step in order:
        passed = ended or order.index(step) < order.index(now)
        if passed and step not in since:
            continue
        state: Literal["done", "now", "ahead"] = "done" if passed else "now" if step == now else "ahead"
        found.append(
            StepView(
                step=step,
                title=workflow.steps[step],
                state=state,
                since=format_datetime(since[step]) if step in since else None,
                until=format_datetime(until[step]) if step in until else None,
                holder=holders.get(step, ""),
                actor=actors.get(step, ""),
                visits=visits.get(step, 0),
            )
        )
    return found


def transition_view(case: Case, transition: Transition) -> TransitionView:
    """A transition as it is told."""
    act = transition.act
    given: dict[str, Any] = {
        "type": act.type,
        "condition": act.condition,
        "grade": act.grade,
        "department": act.department,
        "departments": list(act.departments),
        "worker": act.worker,
        "into": act.into,
        "part": act.part,
        "extension": "" if act.extension is None else str(act.extension),
        "closingCondition": act.closing_condition,
    }
    return TransitionView(
        id=transition.id,
        number=transition.number,
        move=transition.move,
        from_state=transition.from_state,
        to_state=transition.to_state,
        at=format_datetime(act.at),
        actor=act.actor,
        role=act.role,
        acting_for=act.acting_for,
        reason=act.reason,
        finding=act.finding,
        evidence=act.evidence,
        given={name: value for name, value in given.items() if value},
        clocks=clock_views(case, transition.readings),
    )


def promise_of(readings: Sequence[Reading], transitions: Sequence[Transition]) -> Reading | None:
    """What the promise shows, or showed when it ended; None without a promise."""
    told = [*(reading for one in transitions for reading in one.readings), *readings]
    return next((reading for reading in reversed(told) if reading.clock == PROMISE), None)
