"""Suggestions on a living node: learnt from what was closed; refusals are logged without the text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from cases.town import RULES, Town, town
from cityloom.broker.ports import Item
from cityloom.cases.desk.suggesting import REFUSAL, RuledTold, SuggestionsTold, closed_examples
from cityloom.cases.desk.wishes import SuggestionWish
from cityloom.cases.insight.suggest import Suggester
from cityloom.cases.keep.kept import CASE, iri
from cityloom.ld.context import LdContext
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.query.values import Query, TypeIs
from laws.values import put

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
    told = ["zyxomat at the gate", "the zyxomat hums", "a tall zyxomat"]
    for text in told:
        await closed(loomhaven, text, "street-light", "roads")
    await closed(loomhaven, "zyxomat without end", "street-light", "lighting", end="reject")
    await loomhaven.report(description="zyxomat that is open", type="street-light")
    with loomhaven.store.snapshot() as snapshot:
        learnt = closed_examples(snapshot, "", RULES.workflow)
        assert [one.text for one in learnt] == told
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


async def test_what_a_rule_told_in_two_languages_teaches_each(loomhaven: Town) -> None:
    await closed(loomhaven, "a zyxomat hums", "street-light", "roads")
    with loomhaven.store.snapshot() as snapshot:
        [case] = snapshot.query("", Query(types=TypeIs(CASE)))
    told = Attribute(kind="LanguageProperty", value={"en": "the zyxomat hums", "zh": "奇机器在响"})
    put(loomhaven.store, replace(case, attributes={**case.attributes, iri("description"): [told]}))
    with loomhaven.store.snapshot() as snapshot:
        learnt = closed_examples(snapshot, "", RULES.workflow)
    assert [(one.text, one.type, one.department) for one in learnt] == [
        ("the zyxomat hums", "street-light", "roads"),
        ("奇机器在响", "street-light", "roads"),
    ]
    assert await loomhaven.cases.suggestions.learn()


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


@pytest.fixture
def routed(tmp_path: Path) -> Iterator[Town]:
    """The city with its rules; who gets a lamp goes by its condition and its district."""
    (tmp_path / "who.yaml").write_text(ROUTING)
    rules = msgspec.structs.replace(RULES, rules=(tmp_path / "who.yaml",))
    with town(tmp_path, rules, ruled=True) as found:
        yield found


ROUTING = """
decisionTable: who-comes
kind: routing
version: "3"
title: {en: Who comes, zh: 谁来处理}
hitPolicy: FIRST
inputs:
  - {name: type, optional: true}
  - {name: condition, optional: true}
  - {name: area, optional: true}
outputs: [{name: department}]
rows:
  - {id: live, when: {type: street-light, condition: light-dangerous}, then: {department: emergency}}
  - {id: east, when: {type: street-light, area: "urn:ngsi-ld:District:east"}, then: {department: roads}}
  - {id: lamps, when: {type: street-light}, then: {department: lighting}}
  - {id: water, when: {type: "flooded-road, blocked-sewer"}, then: {department: water}}
"""
EAST = {"type": "Point", "coordinates": [123.5, 30.5]}


async def asked(place: Town, **wish: Any) -> SuggestionsTold:
    return await place.cases.suggestions.suggest(place.call(), SuggestionWish(**wish))


def departments(told: SuggestionsTold) -> list[tuple[str, str, float | None]]:
    """Each with the row that names it."""
    return [
        (one.value, "" if one.ruled is None else one.ruled.row, one.confidence) for one in told.departments
    ]


async def test_the_department_of_the_rule_in_force_comes_first(routed: Town) -> None:
    ring = [[123.0, 30.0], [124.0, 30.0], [124.0, 31.0], [123.0, 31.0], [123.0, 30.0]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    east = Entity(
        id="urn:ngsi-ld:District:east",
        types=[LdContext.core.expand_term("District")],
        attributes={LOCATION: [Attribute(kind="GeoProperty", value=polygon)]},
    )
    batch = await routed.broker.batch(routed.call(), "upsert-replace", [Item(id=east.id, entity=east)])
    assert batch.errors == []
    # No case was closed yet, and the rule knows all the same; as sure as the types are that go there.
    told = await asked(routed, text="整条街的路灯都黑了")
    [first, *_] = told.departments
    assert (first.value, first.because[0]) == ("lighting", "street-light")
    assert first.title == RULES.departments["lighting"].title
    title = {"en": "Who comes", "zh": "谁来处理"}
    assert first.ruled == RuledTold(table="who-comes", version="3", row="lamps", title=title)
    assert first.confidence == told.types[0].confidence
    # Of a type that was chosen it is no guess; a text is not needed for that.
    assert departments(await asked(routed, type="flooded-road")) == [("water", "water", None)]
    assert departments(await asked(routed, type="street-light", location=EAST)) == [("roads", "east", None)]
    assert departments(await asked(routed, type="dead-animal")) == []
    assert departments(await asked(routed, text="asdf qwer")) == []
    # What was learnt comes after it, and nothing twice.
    for number in range(3):
        await closed(routed, f"zyxomat {number}", "street-light", "traffic")
    await closed(routed, "the lamp is dark", "street-light", "lighting")
    await routed.cases.suggestions.learn()
    assert departments(await asked(routed, type="street-light")) == [
        ("lighting", "lamps", None),
        ("traffic", "", 0.6),
    ]
    # A case has its own place, condition and day.
    case = await routed.report(type="street-light", description=DARK, location=EAST)
    assert departments(await asked(routed, text=DARK, case=case))[0] == ("roads", "east", None)
    await routed.move(case, "accept")
    await routed.move(case, "file", condition="light-dangerous")
    short = case.rpartition(":")[2]
    assert departments(await asked(routed, text=DARK, case=short))[0] == ("emergency", "live", None)
    # Its condition is one of its type: of another type it says nothing.
    assert departments(await asked(routed, case=case, type="blocked-sewer")) == [("water", "water", None)]
    with pytest.raises(ResourceNotFound):
        await asked(routed, text=DARK, case="2020-000001")
    with pytest.raises(BadRequestData, match="text is required"):
        await asked(routed)


async def test_who_sends_a_case_elsewhere_than_the_rule_says_has_refused_it(routed: Town) -> None:
    await routed.cases.suggestions.learn()

    async def filed() -> str:
        case = await routed.report(type="street-light", description=DARK)
        await routed.move(case, "accept")
        await routed.move(case, "file", condition="light-out")
        return case

    await routed.move(await filed(), "dispatch", department="lighting")
    await routed.move(await filed(), "split", departments=("lighting", "roads"))
    assert refusals(routed) == []
    other = await filed()
    await routed.move(other, "dispatch", department="traffic")
    parts = await filed()
    await routed.move(parts, "split", departments=("roads", "traffic"))
    told = {one["case"]: one for one in refusals(routed)}
    assert told.keys() == {other, parts}
    assert told[other]["chosen"] == "traffic"
    assert told[parts]["chosen"] == "roads,traffic"
    for one in told.values():
        assert one["suggested"][0]["value"] == "lighting"
        assert one["suggested"][0]["ruled"] == {"table": "who-comes", "version": "3", "row": "lamps"}


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
