"""The kept machine against the pure one: two people with old and new views act on several cases."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.town import RULES, Town, town
from cityloom.cases.desk.views import CaseWhole
from cityloom.cases.desk.wishes import MoveWish
from cityloom.cases.keep.kept import TRANSITION, kept_of
from cityloom.cases.loop.case import Act, Case, Transition
from cityloom.cases.loop.machine import Machine
from cityloom.model.errors import CityloomError, Conflict

MACHINE = Machine(RULES.workflow, RULES.limits)
MOVES = sorted({move.move for move in RULES.workflow.moves} - {"split", "completePart"})
GIVEN: dict[str, Any] = {
    "reason": "because",
    "finding": "so it is",
    "evidence": ("urn:photo:1",),
    "type": "street-light",
    "condition": "light-out",
    "department": "lighting",
    "worker": "w-7",
    "extension": "1wd",
    "closing_condition": "lit",
}


class Model:
    """The cases as the pure machine has them, and what each of two people saw last."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.seen: dict[tuple[str, str], int] = {}
        self.made: list[str] = []


async def step(place: Town, model: Model, data: st.DataObject, number: int) -> None:
    who = data.draw(st.sampled_from(["anna", "bo"]), label="who")
    case_id = data.draw(st.sampled_from(sorted(model.cases)), label="case")
    case = model.cases[case_id]
    if data.draw(st.booleans(), label="looks first"):
        model.seen[who, case_id] = case.number
    seen = model.seen.get((who, case_id), 1)
    open_moves = [
        (move.move, role, tuple(move.needs))
        for role in RULES.workflow.roles
        for move in MACHINE.allowed(case, role, case.department)
        if move.move in MOVES
    ]
    wild = (data.draw(st.sampled_from(MOVES)), data.draw(st.sampled_from(sorted(RULES.workflow.roles))), ())
    name, role, needs = data.draw(st.sampled_from([*open_moves, wild]), label="move")
    given_with = {
        need: GIVEN["closing_condition" if need == "closingCondition" else need]
        for need in needs
        if need != "into"
    }
    given_with = {
        ("closing_condition" if need == "closingCondition" else need): value
        for need, value in given_with.items()
        if data.draw(st.integers(0, 9)) > 0
    }
    if "into" in needs:
        given_with["into"] = data.draw(st.sampled_from(sorted(model.cases)))
    wish = MoveWish(
        move=name,
        seen=seen,
        role=role,
        acting_for=case.department if RULES.workflow.roles[role].holder else "",
        actor=who,
        request_id=f"{who}-{number}",
        **given_with,
    )
    place.clock.advance(data.draw(st.integers(0, 20_000), label="seconds"))
    await act(place, model, case_id, wish)


async def act(place: Town, model: Model, case_id: str, wish: MoveWish) -> None:
    """Makes the move in both, and compares."""
    case = model.cases[case_id]
    before = kept(place, case_id)
    whole, error = await tried(place.cases.move(place.call(), case_id, wish))
    if whole is None:
        assert kept(place, case_id) == before
        pure = wish.act(actor="x", role=wish.role, acting_for=wish.acting_for, at=case.at + 1)
        expected = refusal(case, pure) if wish.seen == case.number else Conflict("")
        # Whether a target can take it is no matter of the pure machine.
        assert type(error) is type(expected) or (wish.into and type(error) is Conflict)
        return
    assert wish.seen == case.number
    made = msgspec.convert(
        next(one for one in stored(place) if one["case"] == case_id and one["number"] == whole.seen),
        Transition,
    )
    moved = MACHINE.apply(case, made.act, RULES.calendar)
    assert made == moved.transition
    assert kept(place, case_id) == moved.case
    model.cases[case_id] = moved.case
    model.made.append(made.id)
    again = await place.cases.move(place.call(), case_id, wish)
    assert again.seen == whole.seen
    assert kept(place, case_id) == moved.case


async def tried(moving: Awaitable[CaseWhole]) -> tuple[CaseWhole | None, CityloomError | None]:
    try:
        return await moving, None
    except CityloomError as error:
        return None, error


def refusal(case: Case, act: Act) -> CityloomError | None:
    """What the pure machine has against an act."""
    try:
        MACHINE.apply(case, act, RULES.calendar)
    except CityloomError as error:
        return error
    return None


def kept(place: Town, case_id: str) -> Case:
    with place.store.snapshot() as snapshot:
        found = snapshot.get("", case_id)
    assert found is not None
    return kept_of(found).case


def stored(place: Town) -> list[dict[str, Any]]:
    with place.store.snapshot() as snapshot:
        return [one.body for one in snapshot.documents("", TRANSITION)]


async def play(place: Town, data: st.DataObject, steps: int) -> None:
    model = Model()
    for _ in range(2):
        case_id = await place.report()
        model.cases[case_id] = kept(place, case_id)
        model.made.append(f"{case_id}:transition:1")
    for number in range(steps):
        await step(place, model, data, number)
    assert sorted(f"{one['case']}:transition:{one['number']}" for one in stored(place)) == sorted(model.made)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_what_is_kept_is_what_the_pure_machine_says_whoever_acts_when(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, town(Path(folder)) as place:
        asyncio.run(play(place, data, 14))
