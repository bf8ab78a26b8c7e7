"""Cases lived again under other rules: the recorded acts through the machine, each at its own time.

What people did stays as it was: when they acted, what they asked for. What a rule said for them
follows the rule: a dispatcher who sent a case where the routing rule said sends it where the
other rule says; one who chose otherwise chose so again. Where a case takes another way than it
took (it goes up a round earlier), the acts that are recorded lead no further: that is told, and
what comes after is not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from cityloom.app.case_tables import CaseTables
from cityloom.cases import deadlines
from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.insight.evaluation import EvaluationRules, evaluate
from cityloom.cases.insight.measures import Period, Record
from cityloom.cases.keep.kept import TRANSITION, kept_of
from cityloom.cases.loop.case import Act, Case, Transition
from cityloom.cases.loop.guards import GUARDS
from cityloom.cases.loop.machine import Machine
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.clock import Clock
from cityloom.model.errors import CityloomError, ConfigurationError
from cityloom.model.time import format_datetime
from cityloom.rules.book import Rulebook, day_of
from cityloom.rules.replay import Relived
from cityloom.store.ports import Snapshot

_PAGE: Final = 500
_BIRTH: Final = 1
"""How many transitions a part has by its birth, which is the whole's act."""


class LivedCase(Struct, frozen=True, kw_only=True):
    """What is recorded of a case that is no part: its transitions in order, and those of its parts by id.

    `area` is where it was, as routing asks for it; `ruled_at` when it began (µs), whose day decides;
    `calendar` the one that holds.
    """

    case: str
    transitions: tuple[Transition, ...]
    parts: dict[str, tuple[Transition, ...]] = {}
    area: str = ""
    ruled_at: int
    calendar: Calendar | None = None


class RelivedCase(Struct, frozen=True, kw_only=True):
    """A case as it came out: its transitions, how often it went up, and where the record led no further."""

    value: Case
    transitions: tuple[Transition, ...]
    escalated: tuple[int, ...]
    left_at: int
    left: str
    calendar: Calendar
    area: str = ""

    @property
    def case(self) -> str:
        """The id of the case."""
        return self.value.id

    def same(self, other: Relived) -> bool:
        """Whether all that `facts` tells is the same: clocks that ran alike read alike."""
        if not isinstance(other, RelivedCase):
            return False
        mine, theirs = self.value, other.value
        return (
            mine.countdowns == theirs.countdowns
            and mine.state == theirs.state
            and mine.department == theirs.department
            and self.escalated == other.escalated
            and self.left_at == other.left_at
        )

    def facts(self) -> dict[str, Any]:
        """State, department, escalations; deadline and light of each clock (`#2`: the second of its name)."""
        told: dict[str, Any] = {
            "state": self.value.state,
            "department": self.value.department,
            "escalated": list(self.escalated),
        }
        if self.left_at:
            told["leavesRecordAt"] = self.left_at
            told["because"] = self.left
        seen: dict[str, int] = {}
        for countdown in self.value.countdowns:
            seen[countdown.clock] = seen.get(countdown.clock, 0) + 1
            number = seen[countdown.clock]
            name = countdown.clock if number == 1 else f"{countdown.clock}#{number}"
            try:
                reading = deadlines.read(countdown, self.calendar, self.value.at)
            except ConfigurationError as error:
                told[f"deadline {name}"] = error.detail
                continue
            told[f"deadline {name}"] = None if reading.deadline is None else format_datetime(reading.deadline)
            told[f"light {name}"] = reading.light
        return told


Load = Callable[[Snapshot, str, int, int], Sequence[LivedCase]]


class ReplayedCases:
    """Lives cases again (`rules.replay.CasePast`).

    Args:
        load: reads what is recorded.
        zone: the city's time zone, in which a case has its day.
        readings: keeps what clocks read with each transition, as scores need it; takes half as long again.
    """

    def __init__(
        self,
        workflow: Workflow,
        tables: CaseTables,
        calendar: Calendar,
        zone: tzinfo,
        load: Load,
        *,
        readings: bool = False,
    ) -> None:
        self._readings = readings
        self._tables = tables
        self._calendar = calendar
        self._zone = zone
        self._load = load
        self._dispatches = {move.move for move in workflow.moves if "dispatch" in move.effects}
        self._holders = {name for name, role in workflow.roles.items() if role.holder}
        self._up = {
            (move.move, move.instead.to)
            for move in workflow.moves
            if move.instead is not None and GUARDS[move.instead.when].rule is not None
        }

    def load(self, reads: Snapshot, tenant: str, since: int, until: int) -> Sequence[LivedCase]:
        """What is recorded of the cases that were reported in [since, until), microseconds."""
        return self._load(reads, tenant, since, until)

    def relive(self, lived: LivedCase, book: Rulebook) -> list[RelivedCase]:
        """The case and its parts under a book of rules."""
        day = day_of(lived.ruled_at, self._zone)
        machine = self._tables.machine(book, day)
        calendar = lived.calendar or self._calendar
        run = _Run(machine, calendar, self._holders, self._up)
        run.area, run.by = lived.area, calendar if self._readings else None
        # Where the rule in force sent the case is known by the book of its day alone, see `_department`.
        whole, born = run.through(
            machine.begin(lived.case),
            lived.transitions,
            lambda case, act: self._department(lived, book, day, case, act),
        )
        found = [whole]
        for part, transitions in lived.parts.items():
            begun = born.get(part)
            if begun is not None:
                case, birth = begun
                relived, _ = run.through(case, transitions[_BIRTH:], lambda _, act: act.department, (birth,))
                found.append(relived)
        return found

    def recorded(self, lived: LivedCase, relived: Sequence[Relived]) -> bool:
        """Whether the moves, and the limits that were given with them, are those of the record."""
        recorded = {lived.case: lived.transitions, **lived.parts}
        if {one.case for one in relived} != set(recorded):
            return False
        for one in relived:
            assert isinstance(one, RelivedCase)
            if [_essence(each) for each in one.transitions] != [
                _essence(each) for each in recorded[one.case]
            ]:
                return False
        return True

    def _department(self, lived: LivedCase, book: Rulebook, day: str, case: Case, act: Act) -> str:
        """Where an act sends a case: by the rule where it followed the rule, else where it did."""
        if act.move not in self._dispatches or "routing" not in act.ruled:
            return act.department
        found = self._tables.route(book, day, case.matter, lived.area)
        return act.department if found is None else found.department


Department = Callable[[Case, Act], str]


class _Run:
    """Recorded acts through a machine; `by` is the calendar by which readings are taken, None takes none."""

    def __init__(
        self, machine: Machine, calendar: Calendar, holders: set[str], up: set[tuple[str, str]]
    ) -> None:
        self._machine = machine
        self._calendar = calendar
        self._holders = holders
        self._up = up
        self.area = ""
        self.by: Calendar | None = None

    def through(
        self,
        case: Case,
        recorded: Sequence[Transition],
        department: Department,
        before: tuple[Transition, ...] = (),
    ) -> tuple[RelivedCase, dict[str, tuple[Case, Transition]]]:
        """The case after the acts, and the parts that were born by them."""
        made = list(before)
        escalated: list[int] = []
        born: dict[str, tuple[Case, Transition]] = {}
        held = case.department
        left_at, left = 0, ""
        for each in recorded:
            act = each.act
            sent = department(case, act)
            if act.seen is not None or sent != act.department:
                act = replace(act, seen=None, department=sent)
            if act.role in self._holders and act.acting_for == held and held != case.department:
                act = replace(act, acting_for=case.department)
            try:
                moved = self._machine.apply(case, act, self.by)
            except CityloomError as error:
                left_at, left = each.number, error.detail
                break
            held = each.act.department or held
            case = moved.case
            made.append(moved.transition)
            born |= {part.case.id: (part.case, part.transition) for part in moved.parts}
            if (act.move, case.state) in self._up:
                escalated.append(case.number)
        relived = RelivedCase(
            value=case,
            transitions=tuple(made),
            escalated=tuple(escalated),
            left_at=left_at,
            left=left,
            calendar=self._calendar,
            area=self.area,
        )
        return relived, born


def _essence(transition: Transition) -> tuple[Any, ...]:
    limits = {clock: by.limit for clock, by in transition.decided.items()}
    return (
        transition.number,
        transition.move,
        transition.from_state,
        transition.to_state,
        transition.act.department,
        limits,
    )


def recorded_cases(
    reads: Snapshot,
    tenant: str,
    since: int,
    until: int,
    present: Callable[[Snapshot], Calendar],
) -> list[LivedCase]:
    """What the store has of the cases that were reported in [since, until), microseconds.

    Args:
        present: finds the calendar that holds.

    Cost: reads every transition that is kept.
    """
    transitions: list[Transition] = []
    after = ""
    while page := reads.documents(tenant, TRANSITION, after, body=Transition):
        transitions += [document.body for document in page]
        after = page[-1].id
    cases = sorted({one.case for one in transitions})
    told: dict[str, tuple[str, int]] = {}
    for first in range(0, len(cases), _PAGE):
        for id, entity in reads.get_many(tenant, cases[first : first + _PAGE]).items():
            kept = kept_of(entity)
            told[id] = (kept.subject.area, kept.ruled_at)
    found = lived_cases(transitions, lambda case: told.get(case, ("", 0)), since, until)
    calendar = present(reads)
    return [replace(one, calendar=calendar) for one in found]


def lived_cases(
    transitions: Iterable[Transition], told: Callable[[str], tuple[str, int]], since: int, until: int
) -> list[LivedCase]:
    """Recorded transitions, in any order, by case; parts with their whole.

    Args:
        told: the area of a case by its id, and when it began (0: with its first transition).
        since, until: of the report, in microseconds, [since, until).
    """
    by_case: dict[str, list[Transition]] = {}
    for one in transitions:
        by_case.setdefault(one.case, []).append(one)
    ordered = {case: sorted(found, key=lambda one: one.number) for case, found in by_case.items()}
    wholes: dict[str, dict[str, tuple[Transition, ...]]] = {}
    for case, found in ordered.items():
        if found[0].from_state == "":
            wholes.setdefault(case.partition(":part:")[0], {})[case] = tuple(found)
    return [
        LivedCase(
            case=case,
            transitions=tuple(found),
            parts=wholes.get(case, {}),
            area=told(case)[0],
            ruled_at=told(case)[1] or found[0].act.at,
        )
        for case, found in ordered.items()
        if found[0].from_state and since <= found[0].act.at < until
    ]


class EvaluationScores:
    """Scores of cases by the city's evaluation, as at the end of the period (`rules.replay.Scoring`)."""

    def __init__(self, rules: EvaluationRules, workflow: Workflow, calendar: Calendar, clock: Clock) -> None:
        self._rules = rules
        self._workflow = workflow
        self._calendar = calendar
        self._clock = clock

    def scores(self, relived: Sequence[Relived]) -> dict[str, float | None]:
        """Indicators and scores of all, by name; None where there is nothing to score."""
        records = [
            Record(case=one.value, transitions=one.transitions, area=one.area)
            for one in relived
            if isinstance(one, RelivedCase)
        ]
        now = self._clock.now()
        calendar = next((one.calendar for one in relived if isinstance(one, RelivedCase)), self._calendar)
        found = evaluate(records, Period(since=0, until=now, now=now), self._rules, self._workflow, calendar)
        told: dict[str, float | None] = {f"indicator {one.indicator}": one.value for one in found.figures}
        return told | {f"score {one.score}": one.value for one in found.scores}
