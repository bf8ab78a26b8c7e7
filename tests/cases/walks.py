"""Cases that were moved at random through the workflow, for tests of what looks at cases."""

from __future__ import annotations

from random import Random
from typing import Any

from cases.test_calendar import made
from cityloom.cases.clocks.limits import Limit, LimitTable, load_limits
from cityloom.cases.insight.measures import Record
from cityloom.cases.loop.case import Act, Case, Transition
from cityloom.cases.loop.load import load_workflow
from cityloom.cases.loop.machine import AllowedMove, Machine
from cityloom.model.time import parse_datetime

WORKFLOW = load_workflow()
LIMITS = load_limits()
CALENDAR = made(years={"2026..2028": {}})
START = parse_datetime("2026-07-02T00:50:00Z")
MINUTE = 60_000_000
HOUR = 60 * MINUTE
_DEPARTMENTS = ("water", "roads", "parks", "light")
_ONWARD = ("accept", "file", "dispatch", "handled", "askCheck", "passCheck", "close", "askVerify", "verify")


def walk(draw: Random, name: str, limits: LimitTable = LIMITS) -> Record:
    """One case, with up to forty moves; mostly onward, sometimes anything that is allowed."""
    machine = Machine(WORKFLOW, limits)
    case, log = machine.begin(name), list[Transition]()
    now = START + draw.randrange(40 * 24 * HOUR)
    for _ in range(draw.randrange(2, 40)):
        open_: list[tuple[str, AllowedMove]] = [
            (role, move)
            for role in WORKFLOW.roles
            for move in machine.allowed(case, role, case.department)
            if move.move != "split"
        ]
        if not open_:
            break
        onward = [one for one in open_ if one[1].move in _ONWARD]
        role, move = draw.choice(onward if onward and draw.random() < 0.8 else open_)
        needed = [*move.needs, *(["type"] if move.move == "report" and draw.random() < 0.8 else [])]
        act = Act(
            move=move.move,
            actor="urn:party:1",
            role=role,
            at=now,
            acting_for=case.department if WORKFLOW.roles[role].holder else "",
            **_given(draw, needed, case, limits),
        )
        moved = machine.apply(case, act, CALENDAR)
        case = moved.case
        log.append(moved.transition)
        now += draw.choice([MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, 30 * HOUR, 100 * HOUR])
    return Record(
        case=case,
        transitions=tuple(log),
        area=draw.choice(["north", "south", ""]),
        repeats=draw.choice(["", "", "case:old"]),
    )


def replayed(record: Record, count: int, limits: LimitTable = LIMITS) -> Record:
    """The record as it stood after so many of its moves."""
    machine = Machine(WORKFLOW, limits)
    case: Case = machine.begin(record.case.id)
    log = []
    for transition in record.transitions[:count]:
        moved = machine.apply(case, transition.act, CALENDAR)
        case = moved.case
        log.append(moved.transition)
    return Record(case=case, transitions=tuple(log), area=record.area, repeats=record.repeats)


def _given(draw: Random, needed: list[str], case: Case, limits: LimitTable) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for need in needed:
        if need == "type":
            given["type"] = draw.choice(["street-light", "dead-animal", "burst-water-main"])
        elif need == "condition":
            given["condition"] = ""
        elif need == "department":
            given["department"] = draw.choice(_DEPARTMENTS)
        elif need == "evidence":
            given["evidence"] = ("photo:1",)
        elif need == "extension":
            countdown = case.countdown("handle")
            continuous = countdown is not None and countdown.limits[0].continuous
            given["extension"] = Limit(2, "urgentHour" if continuous else "workHour")
        else:
            word = {"into": "case:other", "worker": "urn:party:2"}.get(need, "so it is")
            given[{"closingCondition": "closing_condition"}.get(need, need)] = word
    if "condition" in given:
        known = limits.conditions_of(given.get("type") or case.matter.type)
        given["condition"] = draw.choice(known) if known else ""
    return given
