"""Cases that are lived at random: what people could have done, through the machine."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import cityloom
from cityloom.cases.clocks.calendar import load_calendar
from cityloom.cases.clocks.limits import LimitTable, load_limits, parse_limit
from cityloom.cases.loop.case import Act, Case, RuleRow, Transition
from cityloom.cases.loop.load import load_workflow
from cityloom.cases.loop.machine import Machine
from cityloom.model.time import parse_datetime

CALENDAR = load_calendar(Path(cityloom.__file__).parent / "profiles/sample/calendar.yaml")
WORKFLOW = load_workflow()
LIMITS = load_limits()
DAY = 86_400_000_000
YEAR = parse_datetime("2026-01-05T00:00:00Z")
DEPARTMENTS = ("lamps", "water", "streets", "parks")
TYPES = ("street-light", "water-cover", "blocked-sewer", "street-tree", "litter-bin")


def department_of(kind: str, area: str) -> str:
    """Who comes, as the first routing rule has it."""
    if kind == "street-light":
        return "lamps-n" if area == "north" else "lamps"
    return "water" if kind == "water-cover" else "streets"


def live(number: int, machine: Machine, routed: RuleRow | None = None) -> tuple[list[Transition], str]:
    """The transitions of a case and of its parts, and the area."""
    draw = random.Random(number)
    area = draw.choice(["north", "south"])
    case = machine.begin(f"urn:ngsi-ld:Case:{number}")
    made: list[Transition] = []
    parts: list[Case] = []
    at = YEAR + draw.randrange(300) * DAY + draw.randrange(DAY)
    kind = draw.choice(TYPES)
    for _ in range(draw.randrange(2, 30)):
        at += draw.choice([60, 600, 3_600, 20_000, 90_000]) * 1_000_000
        whole = not parts or draw.random() < 0.4
        mover = case if whole else parts[draw.randrange(len(parts))]
        act = _any_act(draw, machine, mover, at, kind, area, routed)
        if act is None:
            continue
        moved = machine.apply(mover, act, CALENDAR)
        made.append(moved.transition)
        if whole:
            case = moved.case
        else:
            parts = [moved.case if one.id == moved.case.id else one for one in parts]
        made += [part.transition for part in moved.parts]
        parts += [part.case for part in moved.parts]
    return made, area


def _any_act(
    draw: random.Random, machine: Machine, case: Case, at: int, kind: str, area: str, routed: RuleRow | None
) -> Act | None:
    roles = list(WORKFLOW.roles)
    draw.shuffle(roles)
    for role in roles:
        held = case.department if WORKFLOW.roles[role].holder else ""
        moves = [
            one
            for one in machine.allowed(case, role, held)
            if one.move not in ("merge", "void", "reject", "completePart")
        ]
        if not moves:
            continue
        move = draw.choice(moves)
        given: dict[str, Any] = {"type": kind} if move.move == "report" else {}
        for need in move.needs:
            if need == "condition":
                known = LIMITS.conditions_of(case.matter.type or kind)
                given |= {need: draw.choice(known)} if known else {}
            elif need == "type":
                given[need] = kind
            elif need == "departments":
                given[need] = tuple(draw.sample(DEPARTMENTS, 2))
            elif need == "department":
                given[need] = draw.choice(DEPARTMENTS)
            elif need == "extension":
                running = case.countdown("handle")
                continuous = running is not None and running.limits[0].continuous
                given[need] = parse_limit("U2h" if continuous else "4wh", "extension")
            elif need == "evidence":
                given[need] = ("photo",)
            elif need == "closingCondition":
                given["closing_condition"] = "done"
            else:
                given[need] = "x"
        if move.move == "dispatch" and routed is not None and draw.random() < 0.7:
            given |= {"department": department_of(case.matter.type, area), "ruled": {"routing": routed}}
        return Act(move=move.move, actor="urn:party:x", role=role, at=at, acting_for=held, **given)
    return None


def machine_of(limits: LimitTable = LIMITS) -> Machine:
    return Machine(WORKFLOW, limits)
