"""Suggestions on a living node: learnt from what was closed; refusals are logged without the text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cases.town import RULES, Town, town
from cityloom.cases.desk.suggesting import REFUSAL, closed_examples
from cityloom.cases.desk.wishes import SuggestionWish
from cityloom.cases.insight.suggest import Suggester

DARK = "The street lamp at the corner is dark, says Jane Roe"


@pytest.fixture
def loomhaven(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path) as found:
        yield found


def refusals(place: Town) -> list[Any]:
    with place.store.snapshot() as snapshot:
        found = [one.body for one in snapshot.documents("", REFUSAL)]
        events = [one for one in snapshot.events(0, 10_000) if one.document_kind == REFUSAL]
    assert len(events) == len(found)
    assert all(one.cause.kind == "transition" for one in events)
    return found


async def closed(place: Town, text: str, kind: str, department: str, end: str = "close") -> None:
    case = await place.report(type=kind, description=text)
    if end == "reject":
        await place.move(case, "reject", reason="there is none")
        return
    await place.move(case, "accept")
    conditions = RULES.limits.conditions_of(kind)
    await place.move(case, "file", **({"condition": conditions[0]} if conditions else {}))
    await place.move(case, "dispatch", department=department)
    proof = ("urn:ngsi-ld:Photo:1",)
    await place.move(case, "handled", role="department", acting_for=department, evidence=proof)
    await place.move(case, "askCheck")
    await place.move(case, "passCheck", finding="done", evidence=proof)
    await place.move(case, "close", closing_condition="done")


async def test_what_was_closed_is_learnt_with_its_department(loomhaven: Town) -> None:
    wish = SuggestionWish(text="a zyxomat again")
    before = await loomhaven.cases.suggestions.suggest(loomhaven.call(), wish)
    assert not before.departments
    for number in range(3):
        await closed(loomhaven, f"zyxomat {number} at the gate", "street-light", "roads")
    await closed(loomhaven, "zyxomat without end", "street-light", "lighting", end="reject")
    await loomhaven.report(description="zyxomat that is open", type="street-light")
    with loomhaven.store.snapshot() as snapshot:
        learnt = closed_examples(snapshot, "", RULES.workflow)
        assert [one.text for one in learnt] == [f"zyxomat {number} at the gate" for number in range(3)]
        assert closed_examples(snapshot, "", RULES.workflow, most=1) == learnt[-1:]
    model = await loomhaven.cases.suggestions.learn()
    after = await loomhaven.cases.suggestions.suggest(loomhaven.call(), wish)
    assert (after.model, before.model == model) == (model, False)
    assert after.types[0].value == "street-light"
    assert after.types[0].title == RULES.limits.told.types["street-light"].title
    assert after.departments[0].value == "roads"
    assert after.departments[0].title == RULES.departments["roads"].title
    assert after.departments[0].because == ("street-light",)
    # A type that is known decides, whatever the text says.
    wish = SuggestionWish(text="the road is under water", type="street-light")
    known = await loomhaven.cases.suggestions.suggest(loomhaven.call(), wish)
    assert [(one.value, one.confidence) for one in known.departments] == [("roads", 0.75)]
    assert known.types[0].value == "flooded-road"


async def test_another_type_than_the_suggested_one_is_logged_without_the_text(loomhaven: Town) -> None:
    await loomhaven.report(description=DARK, type="flooded-road")
    assert refusals(loomhaven) == []  # nothing was learnt, so nothing was suggested
    model = await loomhaven.cases.suggestions.learn()
    await loomhaven.report(description=DARK, type="street-light")
    assert refusals(loomhaven) == []
    case = await loomhaven.report(description=DARK, type="")
    await loomhaven.move(case, "accept")
    condition = RULES.limits.conditions_of("flooded-road")
    given = {"condition": condition[0]} if condition else {}
    await loomhaven.move(case, "file", party="shiftLeader", type="flooded-road", **given)
    [told] = refusals(loomhaven)
    assert (told["case"], told["actor"], told["field"]) == (case, "shiftLeader", "type")
    assert (told["chosen"], told["model"]) == ("flooded-road", model)
    assert told["suggested"][0]["value"] == "street-light"
    assert told["suggested"][0]["because"] == []
    assert "jane" not in str(told).lower()
    await loomhaven.report(description=DARK, type="flooded-road")
    assert len(refusals(loomhaven)) == 2


async def test_a_move_that_is_refused_logs_no_refusal(loomhaven: Town) -> None:
    await loomhaven.cases.suggestions.learn()
    case = await loomhaven.report(description=DARK, type="")
    await loomhaven.move(case, "accept")
    with pytest.raises(Exception, match="type is invalid"):
        await loomhaven.move(case, "file", type="no-such-type")
    assert refusals(loomhaven) == []


async def test_many_who_ask_first_wait_for_one_learning(
    loomhaven: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0

    class Counted(Suggester):
        def __init__(self, *given: Any) -> None:
            nonlocal made
            made += 1
            super().__init__(*given)

    monkeypatch.setattr("cityloom.cases.desk.suggesting.Suggester", Counted)
    await loomhaven.report()
    suggestions = loomhaven.cases.suggestions
    wish = SuggestionWish(text=DARK)
    found = await asyncio.gather(*(suggestions.suggest(loomhaven.call(), wish) for _ in range(20)))
    assert {one.types[0].value for one in found} == {"street-light"}
    assert made == 1
