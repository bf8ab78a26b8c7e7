"""The machine: which moves a case allows to a role, and what a case becomes by one.

It is pure: time is handed in, nothing is read or kept.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from cityloom.cases import deadlines
from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.clocks.limits import Limit, Limits, Matter, Resolved
from cityloom.cases.deadlines import Countdown, Reading
from cityloom.cases.loop.case import Act, Case, Moved, Promise, Transition
from cityloom.cases.loop.effects import EFFECTS
from cityloom.cases.loop.guards import GUARDS, Escalates
from cityloom.cases.loop.refusals import Titled, fields_of, moves_of, refused, role_of, state_of
from cityloom.cases.loop.workflow import ALL, INPUTS, VERBS, ClockVerbs, MovePart, Verb, Workflow
from cityloom.model.errors import BadRequestData, ConfigurationError, Conflict, Forbidden
from cityloom.model.time import format_datetime

_ALWAYS = ("reason", "evidence", "finding")
"""What an act may bring with any move: it is kept with the transition."""
_SHORT = 100
"""Characters of a name that does not exist, as it is told."""


class AllowedMove(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A move that is open: where it leads (and, second, where instead), what it needs and what it takes."""

    move: str
    to: tuple[str, ...]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    title: dict[str, str] = {}


class Machine:
    """Moves cases by one workflow, one table of limits and one rule of what goes up (the workflow's own).

    Raises:
        ConfigurationError: the table has no limit for a stage that the workflow times.
    """

    def __init__(self, workflow: Workflow, limits: Limits, escalates: Escalates | None = None) -> None:
        self._workflow = workflow
        self._limits = limits
        self._escalates: Escalates = escalates or workflow.escalation
        for name, clock in workflow.clocks.items():
            if clock.limit == "stage" and not limits.times(name):
                raise ConfigurationError(
                    f"stages.{name} is required in {limits.name}: the workflow {workflow.name} times it"
                )

    def begin(self, case_id: str) -> Case:
        """A case before anyone has reported it."""
        return Case(id=case_id, state=self._workflow.initial, workflow=self._workflow.name)

    def allowed(self, case: Case, role: str, acting_for: str = "") -> list[AllowedMove]:
        """The moves that the case allows to a role, in the order of the workflow.

        Args:
            acting_for: the department of an actor who acts for one.

        Raises:
            BadRequestData: the role does not exist.
            Conflict: another version of the workflow moves the case.
        """
        self._check_role(role)
        self._check_version(case)
        return [
            AllowedMove(
                move=move.move,
                to=tuple(to for to, _ in move.ways()),
                needs=tuple(self._needed(move, case.matter)),
                takes=tuple(move.takes),
                title=move.title,
            )
            for move in self._workflow.moves_from(case.state)
            if not self._refusal(case, move, role, acting_for)
        ]

    def apply(self, case: Case, act: Act, calendar: Calendar | None) -> Moved:
        """The case after an act, with the transition for the log; the case itself is not changed.

        Args:
            calendar: by which clocks are read; None reads none, which takes half the time.

        Returns:
            the case, its transition, and for a split the same of each part

        Raises:
            BadRequestData: the move, the role or a code does not exist; something that the move needs is
                missing, or is given that it does not take.
            Forbidden: the role may not make this move, or the case is with another department.
            Conflict: the state or a guard does not allow it, the case has moved on since the actor
                looked, or the act is older than the last one.
            ResourceNotFound: the part does not exist.
            ConfigurationError: the calendar has a hole where a clock needs it.
        """
        self._check_version(case)
        move = self._find(case, act)
        matter = self._matter(case, move, act)
        self._check_given(move, act, matter)
        moved = replace(case, matter=matter, ruled=case.ruled | act.ruled)
        for effect in move.effects:
            moved = EFFECTS[effect].apply(moved, act)
        to, verbs = move.to, move.clocks
        if move.instead is not None and GUARDS[move.instead.when].holds(moved, self._escalates):
            to, verbs = move.instead.to, move.instead.clocks
            decides = GUARDS[move.instead.when].rule
            rule = None if decides is None else decides(moved, self._escalates)
            if rule is not None:
                moved = replace(moved, ruled=moved.ruled | {"escalation": rule})
        after = self._step(case, moved, to, verbs, act, calendar)
        if "split" not in move.effects:
            return after
        born = tuple(
            self._step(begun, begun, self._workflow.parts.state, self._workflow.parts.clocks, act, calendar)
            for begun in (
                Case(
                    id=part.case,
                    state="",
                    workflow=case.workflow,
                    matter=matter,
                    department=part.department,
                    part_of=case.id,
                )
                for part in moved.parts
            )
        )
        return after._replace(parts=born)

    def _step(
        self, before: Case, moved: Case, to: str, verbs: ClockVerbs, act: Act, calendar: Calendar | None
    ) -> Moved:
        """The case in its new state, its clocks moved and read."""
        moved = self._run_clocks(moved, verbs, act)
        after = replace(moved, state=to, number=before.number + 1, at=act.at, last=act.move)
        readings: tuple[Reading, ...] = ()
        if calendar is not None:
            readings = tuple(
                deadlines.read(one, calendar, act.at)
                for one in after.countdowns
                if one.state != "stopped" or one not in before.countdowns
            )
        transition = Transition(
            case=after.id,
            number=after.number,
            move=act.move,
            from_state=before.state,
            to_state=to,
            act=act,
            readings=readings,
            decided={clock: by for clock, by in after.decided.items() if before.decided.get(clock) != by},
            workflow=self._workflow.name,
            limits=self._limits.name,
        )
        return Moved(after, transition)

    def _find(self, case: Case, act: Act) -> MovePart:
        """The move that the act names. Raises what is against it."""
        self._check_role(act.role)
        if act.seen is not None and act.seen != case.number:
            raise Conflict(
                f"case {case.id} has moved on: its last move was {case.last or 'none'}, "
                f"number {case.number}; {act.seen} was seen"
            )
        workflow = self._workflow
        named = next((move for move in workflow.moves if move.move == act.move), None)
        if named is None:
            raise refused(
                BadRequestData,
                "noMove",
                move=repr(act.move[:_SHORT]),
                workflow=workflow.name,
                state=state_of(workflow, case.state),
                known=moves_of(workflow, case.state),
            )
        move = next((one for one in workflow.moves_from(case.state) if one.move == act.move), None)
        if move is None:
            raise refused(
                Conflict,
                "notFrom",
                case=case.id,
                state=state_of(workflow, case.state),
                move=_titled(named),
                known=moves_of(workflow, case.state),
            )
        refusal = self._refusal(case, move, act.role, act.acting_for)
        if refusal is not None:
            raise refusal()
        if act.at < case.at:
            raise Conflict(
                f"at is invalid: {format_datetime(act.at)} is before the last move of case {case.id} "
                f"({case.last}, {format_datetime(case.at)})"
            )
        return move

    def _refusal(
        self, case: Case, move: MovePart, role: str, acting_for: str
    ) -> Callable[[], Forbidden | Conflict] | None:
        """What is against the move, whatever is given with it; put into words only for who asks for it."""
        if role not in move.roles:
            return lambda: refused(
                Forbidden,
                "notRole",
                role=role_of(self._workflow, role),
                move=_titled(move),
                known=[role_of(self._workflow, one) for one in move.roles],
            )
        if self._workflow.roles[role].holder and acting_for != case.department:
            return lambda: Forbidden(
                f"actingFor is invalid: case {case.id} is with {case.department or 'no department'}, "
                f"not with {acting_for or 'none'}"
            )
        for name in move.guards:
            if not GUARDS[name].holds(case, self._escalates):
                why = GUARDS[name].refusal
                return lambda: refused(Conflict, "guard", case=case.id, move=_titled(move), why=why)
        return None

    def _matter(self, case: Case, move: MovePart, act: Act) -> Matter:
        """What the case is about after the act. Raises BadRequestData: a code does not exist."""
        was = case.matter
        kept = was.condition if act.type in ("", was.type) else ""
        matter = Matter(
            type=act.type or was.type, condition=act.condition or kept, grade=act.grade or was.grade
        )
        self._limits.check(matter)
        return matter

    def _needed(self, move: MovePart, matter: Matter) -> list[str]:
        """What the move needs; a condition only where the type has any, and no type that is known already."""
        return [
            need
            for need in move.needs
            if not (need == "condition" and matter.type and not self._limits.conditions_of(matter.type))
            and not (need in ("type", "condition") and getattr(matter, need))
        ]

    def _check_given(self, move: MovePart, act: Act, matter: Matter) -> None:
        missing = [need for need in self._needed(move, matter) if not _given(act, need)]
        if missing:
            also = {"en": "", "zh": ""}
            if missing[0] == "condition" and matter.type:
                known = self._limits.conditions_of(matter.type)
                also = {
                    "en": f"; type {matter.type} has {', '.join(known)}",
                    "zh": f"；类型 {matter.type} 有 {'、'.join(known)}",
                }
            raise refused(
                BadRequestData,
                "needs",
                first=missing[0],
                move=_titled(move),
                needs=fields_of(missing),
                also=also,
            )
        for name in INPUTS:
            if name not in (*move.needs, *move.takes, *_ALWAYS) and _given(act, name):
                raise refused(BadRequestData, "notTaken", field=fields_of([name]), move=_titled(move))

    def _run_clocks(self, case: Case, verbs: ClockVerbs, act: Act) -> Case:
        for verb in VERBS:
            for name in verbs.of(verb):
                for clock in [one.clock for one in case.countdowns] if name == ALL else [name]:
                    case = self._run(case, verb, clock, act)
        return case

    def _run(self, case: Case, verb: Verb, clock: str, act: Act) -> Case:
        """One clock by one verb; a promise that was never made is passed over."""
        countdown = case.countdown(clock)
        if verb == "start":
            resolved = self._resolve(clock, case.matter, act)
            if resolved is None:
                return case
            return _with(case, None, [deadlines.start(clock, resolved.limit, act.at)], {clock: resolved})
        if verb == "dispatch":
            resolved = self._limits.handling(case.matter)
            ended, now = deadlines.dispatch(countdown, clock, resolved.limit, act.at, case.department)
            goes_on = countdown is not None and ended is None
            return _with(
                case,
                countdown,
                [one for one in (ended, now) if one is not None],
                {} if goes_on else {clock: resolved},
            )
        if countdown is None:
            return case
        if verb == "stop":
            done = countdown if countdown.state == "stopped" else deadlines.stop(countdown, act.at)
        elif verb == "pause":
            done = deadlines.pause(countdown, act.at)
        elif verb == "resume":
            done = deadlines.resume(countdown, act.at)
        else:
            done = deadlines.extend(countdown, act.extension) if act.extension else countdown
        return _with(case, countdown, [done], {})

    def _resolve(self, clock: str, matter: Matter, act: Act) -> Resolved | None:
        source = self._workflow.clocks[clock].limit
        if source == "promise" and act.promise is not None:
            return self._given(act.promise, act.at)
        if source == "promise":
            return self._limits.promise(matter)
        return self._limits.handling(matter) if source == "handling" else self._limits.stage(clock)

    def _given(self, promise: Promise, at: int) -> Resolved | None:
        """A promise that was given as a date, as the time that is left until then."""
        if promise.by is None:
            return None
        return self._limits.given(Limit(promise.by - at, "microsecond"))

    def _check_role(self, role: str) -> None:
        if role not in self._workflow.roles:
            known = [role_of(self._workflow, one) for one in self._workflow.roles]
            raise refused(
                BadRequestData,
                "noRole",
                role=repr(role[:_SHORT]),
                workflow=self._workflow.name,
                known=known,
            )

    def _check_version(self, case: Case) -> None:
        if case.workflow != self._workflow.name:
            raise Conflict(f"case {case.id} is moved by {case.workflow}, not by {self._workflow.name}")


def _titled(move: MovePart) -> Titled:
    return Titled(move.move, move.title)


def _given(act: Act, name: str) -> object:
    return act.closing_condition if name == "closingCondition" else getattr(act, name)


def _with(case: Case, old: Countdown | None, new: list[Countdown], decided: dict[str, Resolved]) -> Case:
    """The case with one clock exchanged; the one that counts stands last of its name."""
    kept = [one for one in case.countdowns if one is not old]
    return replace(case, countdowns=(*kept, *new), decided=case.decided | decided)
