"""Whatever happens to cases, they and their clocks are where a second reading of the workflow says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import cityloom.cases
from cases.test_calendar import made
from cityloom.cases.clocks.limits import LimitTable, load_limits, make_limits, parse_limit
from cityloom.cases.deadlines import Reading
from cityloom.cases.loop.case import Act, Case, Moved, Transition
from cityloom.cases.loop.load import load_workflow
from cityloom.cases.loop.machine import Machine
from cityloom.model.errors import BadRequestData, CityloomError, Conflict, Forbidden
from cityloom.model.time import parse_datetime
from cityloom.yamlfile import load_yaml

DATA = load_yaml(Path(cityloom.cases.__file__).parent / "loop" / "workflow.yaml")
MOVES: list[dict[str, Any]] = DATA["moves"]
ENDS = {name for name, state in DATA["states"].items() if state.get("end")}
WORKFLOW = load_workflow()
CALENDAR = made(years={"2026..2029": {}})
START = parse_datetime("2026-07-02T00:50:00Z")
MINUTE = 60_000_000
DEPARTMENTS = ("water", "roads", "parks", "light")
TYPES = ("street-light", "dead-animal", "burst-water-main")


def without_promises() -> LimitTable:
    values = load_yaml(Path(cityloom.cases.__file__).parent / "clocks" / "limits.yaml")
    for rows in (values["types"], values["conditions"], {"": values["default"]}):
        for row in rows.values():
            row.pop("promise", None)
    return make_limits(values, "limits.yaml")


TABLES = {True: load_limits(), False: without_promises()}


@dataclass
class Known:
    """What the test knows of a case, reckoned from the file alone."""

    case: Case
    state: str
    part_of: str = ""
    department: str = ""
    type: str = ""
    condition: str = ""
    worker: str = ""
    returned: set[str] = field(default_factory=set)
    just_returned: bool = False
    redone: int = 0
    appealed: bool = False
    parts: dict[str, bool] = field(default_factory=dict)
    clocks: dict[str, list[Any]] = field(default_factory=dict)
    """Name -> [how it is, used, department]."""
    log: list[Transition] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)

    def holds(self, guard: str) -> bool:
        return {
            "isPart": bool(self.part_of),
            "notPart": not self.part_of,
            "allPartsDone": all(self.parts.values()),
            "assigned": bool(self.worker),
            "notAssigned": not self.worker,
            "notJustReturned": not self.just_returned,
            "notAppealed": not self.appealed,
            "returnedBySeveral": len(self.returned) >= 3,
            "redoneOften": self.redone >= 3,
        }[guard]

    def open_moves(self, role: str, acting_for: str) -> list[dict[str, Any]]:
        if DATA["roles"][role].get("holder") and acting_for != self.department:
            return []
        return [
            move
            for move in MOVES
            if self.state in move["from"]
            and role in move["roles"]
            and all(self.holds(guard) for guard in move.get("guards", ()))
        ]

    def does(self, effects: list[str], act: Act) -> None:
        self.just_returned = "countReturn" in effects
        self.type, self.condition = act.type or self.type, act.condition or self.condition
        if "dispatch" in effects:
            self.department = act.department
        if "assign" in effects:
            self.worker = act.worker
        if "revoke" in effects:
            self.worker = ""
        if "countReturn" in effects:
            self.returned.add(self.department)
        if "countRework" in effects or "countReopening" in effects:
            self.redone += 1
        if "appeal" in effects:
            self.appealed = True
        if "split" in effects:
            self.parts = {}
        if "completePart" in effects:
            self.parts[act.part] = True

    def turns(self, verbs: dict[str, list[str]], promised: bool) -> None:
        """Each verb, as docs/cases.md says it."""
        for verb in ("stop", "pause", "resume", "dispatch", "extend", "start"):
            for name in verbs.get(verb, ()):
                for clock in list(self.clocks) if name == "all" else [name]:
                    if clock == "promise" and clock not in self.clocks and (verb != "start" or not promised):
                        continue
                    self._turn(verb, clock)

    def _turn(self, verb: str, clock: str) -> None:
        if verb == "start" or (
            verb == "dispatch" and self.clocks.get(clock, [0, 0, ""])[2] != self.department
        ):
            self.clocks[clock] = ["running", 0, self.department if verb == "dispatch" else ""]
        elif clock in self.clocks and verb != "extend":
            how = {"stop": "stopped", "pause": "paused", "resume": "running", "dispatch": "running"}[verb]
            self.clocks[clock][0] = how


class CaseMachine(RuleBasedStateMachine):
    """Cases with all their parts, moved at random."""

    made: ClassVar[set[str]] = set()
    reached: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.known: dict[str, Known] = {}

    @initialize(promises=st.booleans())
    def begin(self, promises: bool) -> None:
        self.table = TABLES[promises]
        self.machine = Machine(WORKFLOW, self.table)
        self.known["case:1"] = Known(self.machine.begin("case:1"), "draft")

    @rule()
    def someone_begins_another(self) -> None:
        name = f"case:{1 + sum(not one.part_of for one in self.known.values())}"
        self.known[name] = Known(self.machine.begin(name), "draft")

    def _time_passes(self, minutes: int) -> None:
        before, self.now = self.now, self.now + minutes * MINUTE
        worked = CALENDAR.worked(self.now) - CALENDAR.worked(before)
        for one in self.known.values():
            for name, clock in one.clocks.items():
                if clock[0] == "running":
                    countdown = one.case.countdown(name)
                    assert countdown is not None
                    clock[1] += minutes * MINUTE if countdown.limits[0].continuous else worked

    @rule(data=st.data(), moves=st.integers(3, 12))
    def cases_are_moved(self, data: st.DataObject, moves: int) -> None:
        for _ in range(moves):
            self._time_passes(data.draw(st.sampled_from([0, 1, 10, 45, 300, 1440, 4000])))
            self._someone_moves_a_case(data)

    def _someone_moves_a_case(self, data: st.DataObject) -> None:
        found = self._open(data)
        if found is None:
            return
        one, move, role = found
        act = self._act(data, one, move, role)
        moved = self.machine.apply(one.case, act, CALENDAR)
        one.does(move.get("effects", []), act)
        instead = move.get("instead")
        way = instead if instead and one.holds(instead["when"]) else move
        one.turns(way.get("clocks", {}), bool(self.table.promise(moved.case.matter)))
        self._check(one, moved, act, way["to"])
        for part in moved.parts:
            born = Known(
                part.case,
                "",
                part_of=one.case.id,
                department=part.case.department,
                type=one.type,
                condition=one.condition,
            )
            one.parts[part.case.id] = False
            self.known[part.case.id] = born
            born.turns(DATA["parts"]["clocks"], False)
            self._check(born, part, act, DATA["parts"]["state"])

    @rule(data=st.data())
    def someone_lacks_something(self, data: st.DataObject) -> None:
        found = self._open(data)
        if found is None:
            return
        one, move, role = found
        act = self._act(data, one, move, role)
        needs = [need for need in move.get("needs", ()) if need not in ("type", "condition")]
        if needs:
            need = data.draw(st.sampled_from(needs))
            name = "closing_condition" if need == "closingCondition" else need
            empty = {"departments": (), "evidence": (), "extension": None}.get(name, "")
            self._refused(one, Act(**(_fields(act) | {name: empty})), BadRequestData, f"{need} is required")
        self._refused(one, Act(**(_fields(act) | {"seen": one.case.number + 1})), Conflict, "has moved on")
        if one.case.number:
            late = Act(**(_fields(act) | {"at": one.case.at - 1}))
            self._refused(one, late, Conflict, "is before the last move")

    @rule(data=st.data())
    def someone_tries_what_is_not_open(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.known.values(), key=lambda known: known.case.id)))
        move = data.draw(st.sampled_from(MOVES))
        role = data.draw(st.sampled_from(sorted(DATA["roles"])))
        acting_for = data.draw(st.sampled_from(DEPARTMENTS))
        if move["move"] in [each["move"] for each in one.open_moves(role, acting_for)]:
            return
        act = Act(**(_fields(self._act(data, one, move, role)) | {"acting_for": acting_for}))
        self._refused(one, act, (Conflict, Forbidden), "case case:|role is invalid")

    @invariant()
    def every_role_is_offered_what_is_open(self) -> None:
        for one in self.known.values():
            for role in DATA["roles"]:
                for acting_for in ("", one.department, "nobody"):
                    offered = [each.move for each in self.machine.allowed(one.case, role, acting_for)]
                    assert offered == [each["move"] for each in one.open_moves(role, acting_for)]

    @invariant()
    def what_has_ended_stands_still(self) -> None:
        for one in self.known.values():
            if one.state in ENDS:
                assert all(countdown.state == "stopped" for countdown in one.case.countdowns)
                assert not any(self.machine.allowed(one.case, role, one.department) for role in DATA["roles"])

    @invariant()
    def a_whole_waits_for_its_parts(self) -> None:
        for one in self.known.values():
            if one.state == "divided":
                assert not all(part.done for part in one.case.parts)

    @invariant()
    def the_promise_is_made_once(self) -> None:
        for one in self.known.values():
            promises = [each for each in one.case.countdowns if each.clock == "promise"]
            assert len(promises) <= 1
            if promises:
                assert promises[0].spans[0].since == one.acts[0].at

    def teardown(self) -> None:
        """The log makes each case again: acts applied in order give the same case."""
        for one in self.known.values():
            if one.part_of:
                continue
            again = self.machine.begin(one.case.id)
            for act in one.acts:
                again = self.machine.apply(again, act, CALENDAR).case
            assert again == one.case
            assert len({each.id for each in one.log}) == len(one.log)

    def _check(self, one: Known, moved: Moved, act: Act, to: str) -> None:
        transition = moved.transition
        assert (transition.from_state, transition.to_state, moved.case.state) == (one.state, to, to)
        assert transition.number == moved.case.number == len(one.log) + 1
        assert (transition.act, transition.case) == (act, moved.case.id)
        assert moved.case.worker == one.worker
        assert msgspec.json.decode(msgspec.json.encode(moved.case), type=Case) == moved.case
        assert msgspec.json.decode(msgspec.json.encode(transition), type=Transition) == transition
        one.case, one.state = moved.case, to
        one.log.append(transition)
        self.made.add(act.move)
        self.reached.add(to)
        one.acts.append(act)
        last: dict[str, Reading] = {reading.clock: reading for reading in transition.readings}
        for name, (how, used, holder) in one.clocks.items():
            countdown = moved.case.countdown(name)
            assert countdown is not None
            assert (countdown.state, countdown.holder) == (how, holder), name
            if how != "stopped":
                assert name in last
            if name in last and last[name].state != "stopped":
                assert (last[name].used, last[name].at) == (used, self.now), name
        assert {each.clock for each in moved.case.countdowns} == set(one.clocks)

    def _open(self, data: st.DataObject) -> tuple[Known, dict[str, Any], str] | None:
        found = [
            (one, move, role)
            for one in self.known.values()
            for role in sorted(DATA["roles"])
            for move in one.open_moves(role, one.department)
        ]
        # A case that ends tells nothing more: most draws leave it alive.
        living = [each for each in found if not _ends(each[1]) or each[0].part_of]
        if living and data.draw(st.integers(0, 9)) < 9:
            found = living
        return data.draw(st.sampled_from(found)) if found else None

    def _act(self, data: st.DataObject, one: Known, move: dict[str, Any], role: str) -> Act:
        """An act with everything that the move needs, and nothing else."""
        needs = move.get("needs", ())
        given: dict[str, Any] = {"seen": one.case.number}
        kind = one.type
        if "type" in needs or ("type" in move.get("takes", ()) and data.draw(st.booleans())):
            kind = given["type"] = one.type or data.draw(st.sampled_from(TYPES))
        if "condition" in needs and not one.condition:
            conditions = self.table.conditions_of(kind)
            if conditions:
                given["condition"] = data.draw(st.sampled_from(conditions))
        handle = one.case.countdown("handle")
        continuous = handle is not None and handle.limits[0].continuous
        makes: dict[str, Any] = {
            "reason": "because",
            "evidence": ("photo:1",),
            "finding": "as reported",
            "worker": "worker:7",
            "into": "case:0",
            "closingCondition": "repaired",
            "extension": parse_limit("U1h" if continuous else "1wd", "extension"),
        }
        for need in needs:
            if need == "department":
                given[need] = data.draw(st.sampled_from(DEPARTMENTS))
            elif need == "departments":
                given[need] = tuple(
                    data.draw(st.lists(st.sampled_from(DEPARTMENTS), min_size=2, max_size=3, unique=True))
                )
            elif need == "part":
                todo = [part for part, done in one.parts.items() if not done]
                given[need] = data.draw(st.sampled_from(todo)) if todo else "case:none"
            elif need in makes:
                given["closing_condition" if need == "closingCondition" else need] = makes[need]
        acting_for = one.department if DATA["roles"][role].get("holder") else ""
        return Act(
            move=move["move"], actor="urn:party:1", role=role, at=self.now, acting_for=acting_for, **given
        )

    def _refused(
        self, one: Known, act: Act, kind: type[CityloomError] | tuple[type[CityloomError], ...], sentence: str
    ) -> None:
        before = one.case
        with pytest.raises(kind, match=sentence):
            self.machine.apply(one.case, act, CALENDAR)
        assert one.case == before


def _ends(move: dict[str, Any]) -> bool:
    return move["to"] in ENDS


def _fields(act: Act) -> dict[str, Any]:
    return {name: getattr(act, name) for name in Act.__struct_fields__}


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        CaseMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=examples < 100
        ),
    )


def test_cases_move_as_a_second_reading_of_the_workflow_says() -> None:
    run(90, 30)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_cases_move_as_a_second_reading_of_the_workflow_says_very_often() -> None:
    run(2000, 50)
    assert CaseMachine.made == {move["move"] for move in MOVES}
    assert CaseMachine.reached == set(DATA["states"]) - {"draft"}
