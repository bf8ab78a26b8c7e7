from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import cityloom.cases
from cityloom.cases.clocks.limits import load_limits, make_limits
from cityloom.cases.loop.diagram import mermaid
from cityloom.cases.loop.load import load_workflow, make_workflow
from cityloom.cases.loop.machine import Machine
from cityloom.model.errors import ConfigurationError
from cityloom.yamlfile import load_yaml

FACTS = Path(__file__).parents[2] / "../shared/governance/taxonomy.md"
FILE = Path(cityloom.cases.__file__).parent / "loop" / "workflow.yaml"
VALUES = load_yaml(FILE)


def move(values: dict[str, Any], name: str, origin: str = "") -> dict[str, Any]:
    found: dict[str, Any] = next(
        one for one in values["moves"] if one["move"] == name and (not origin or origin in one["from"])
    )
    return found


def drop(values: dict[str, Any], *names: str) -> None:
    values["moves"] = [one for one in values["moves"] if one["move"] not in names]


def test_the_workflow_of_the_package_goes_through_all_seven_steps() -> None:
    workflow = load_workflow()
    assert list(workflow.steps) == ["collect", "file", "dispatch", "handle", "feedback", "check", "evaluate"]
    for texts in (
        *workflow.steps.values(),
        *(state.title for state in workflow.states.values()),
        *(role.title for role in workflow.roles.values()),
        *(one.title for one in workflow.moves),
    ):
        assert texts["en"]
        assert texts["zh"]


FAULTS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda w: w.update(initial="dream"), "initial is invalid: 'dream' does not exist in states"),
    (lambda w: move(w, "file").update(to="filed"), "(file).to is invalid: 'filed' does not exist in states"),
    (
        lambda w: move(w, "file").update({"from": ["x"]}),
        "(file).from is invalid: 'x' does not exist in states",
    ),
    (lambda w: move(w, "file").update({"from": []}), "(file).from is required"),
    (
        lambda w: move(w, "file").update(roles=["boss"]),
        "(file).roles is invalid: 'boss' does not exist in roles",
    ),
    (
        lambda w: move(w, "file").update(guards=["isSunday"]),
        "(file).guards is invalid: 'isSunday' does not exist",
    ),
    (
        lambda w: move(w, "file").update(effects=["shout"]),
        "(file).effects is invalid: 'shout' does not exist",
    ),
    (lambda w: move(w, "file").update(needs=["luck"]), "(file).needs is invalid: 'luck' does not exist"),
    (
        lambda w: move(w, "failCheck")["instead"].update(when="often"),
        "(failCheck).instead.when is invalid: 'often'",
    ),
    (
        lambda w: move(w, "file")["clocks"].update(start=["tea"]),
        "(file).clocks.start is invalid: 'tea' does not",
    ),
    (lambda w: w["states"]["closed"].update(step="party"), "states.closed.step is invalid: 'party' does not"),
    (lambda w: w["moves"].append(move(w, "file")), "(file) is invalid: file from pendingFile already exists"),
    (lambda w: w["roles"].update(mayor={}), "roles.mayor is invalid: no move is open to it"),
    (
        lambda w: move(w, "split").update(needs=[]),
        "(split).needs is invalid: departments is required by effect split",
    ),
    (
        lambda w: move(w, "instruct").update(needs=["reason"], effects=[]),
        "dispatch is invalid: the move does not need department",
    ),
    (
        lambda w: move(w, "grantDelay").update(needs=["reason"]),
        "extend is invalid: the move does not need extension",
    ),
    (lambda w: w["states"].update(limbo={"step": "file"}), "states.limbo is invalid: it is a dead end"),
    (
        lambda w: (
            w["states"].update(limbo={"step": "file"}),
            w["moves"].append({"move": "drift", "from": ["limbo"], "to": "pendingFile", "roles": ["intake"]}),
        ),
        "states.limbo is invalid: no way leads there from draft",
    ),
    (
        lambda w: (
            w["states"].update(loop={"step": "handle"}),
            w["moves"].append({"move": "spin", "from": ["loop"], "to": "loop", "roles": ["intake"]}),
            w["moves"].append({"move": "fall", "from": ["handling"], "to": "loop", "roles": ["intake"]}),
        ),
        "states.loop is invalid: no way leads from there to an end",
    ),
    (lambda w: drop(w, "askVerify", "verifyAgain"), "states.pendingVerify is invalid: no way leads there"),
    (lambda w: move(w, "resume")["from"].append("merged"), "states.merged is invalid: a case ends there"),
    (
        lambda w: move(w, "rework").update(needs=[]),
        "(rework).needs is invalid: reason is required, since it goes back from pendingClose",
    ),
    (lambda w: move(w, "void").update(needs=[]), "reason is required, since it ends a case undone (voided)"),
    (lambda w: move(w, "refuseDelay").update(needs=[]), "reason is required, since it decides on a request"),
    (lambda w: move(w, "requestReturn").update(needs=[]), "reason is required, since it pauses handle"),
    (
        lambda w: move(w, "grantAppeal")["clocks"].clear(),
        "from closed: clocks.start is invalid: review can be running",
    ),
    (
        lambda w: move(w, "requestReturn")["clocks"].clear(),
        "(refuseReturn) from returnRequested: clocks.resume is invalid: handle can be running",
    ),
    (
        lambda w: move(w, "reject")["clocks"].update(stop=["accept"]),
        "states.rejected is invalid: clock promise is still open when a case ends",
    ),
    (
        lambda w: move(w, "file")["clocks"].update(stop=["file", "check"]),
        "(file).clocks.stop is invalid: check is never open there",
    ),
    (lambda w: w.update(colour="red"), "unknown field `colour`"),
    (
        lambda w: w["escalation"].pop("redone"),
        "escalation is invalid: Object missing required field `redone`",
    ),
]


@pytest.mark.parametrize(("fault", "sentence"), FAULTS, ids=[sentence[:60] for _, sentence in FAULTS])
def test_load_refuses_a_workflow_that_is_unsound_and_names_the_place(
    fault: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    values = deepcopy(VALUES)
    fault(values)
    with pytest.raises(ConfigurationError) as refused:
        make_workflow(values, "workflow.yaml")
    assert refused.value.detail.startswith("workflow.yaml: ")
    assert sentence in refused.value.detail


def test_a_timed_stage_without_a_limit_is_refused() -> None:
    table = make_limits(
        {"scheme": "s", "version": "1", "default": {"limit": "1wd"}, "stages": {}}, "limits.yaml"
    )
    with pytest.raises(ConfigurationError, match=r"stages\.accept is required in the limits s 1"):
        Machine(load_workflow(), table)
    Machine(load_workflow(), load_limits())


def test_the_pictures_have_every_state_and_every_move() -> None:
    workflow = load_workflow()
    drawn = {justified: mermaid(workflow, justified) for justified in (False, True)}
    arrows = {
        justified: [line.strip() for line in text.splitlines() if "-->" in line]
        for justified, text in drawn.items()
    }
    for one in workflow.moves:
        for origin in one.from_:
            for to, _ in one.ways():
                assert any(
                    arrow.startswith(f"{origin} --> {to}:") and one.move in arrow
                    for arrow in arrows["reason" in one.needs]
                ), one
    for name, state in workflow.states.items():
        assert any(f"{name} --> [*]" in lines for lines in arrows.values()) == bool(state.end)


def test_the_workflow_has_the_states_and_ways_that_are_recommended() -> None:
    if not FACTS.exists():
        pytest.skip("the facts of governance (../shared/governance) are not there")
    rows = re.findall(r"^\| (\w+) \| ([^|]*) \| ([^|]*) \|$", FACTS.read_text("utf-8"), re.MULTILINE)
    workflow = load_workflow()
    told = {
        _camel(state): {_camel(word) for word in re.findall(r"\w+", to)}
        for state, _, to in rows
        if state != "state"
    }
    states = {state for state in told if state in workflow.states}
    assert states >= {"draft", "pendingVerify", "onAccount", "appealed", "followUp"}
    for state in states:
        ways = {to for move in workflow.moves_from(state) for to, _ in move.ways()}
        assert told[state] & set(workflow.states) <= ways, state
    ends = {name for name, state in workflow.states.items() if state.end}
    assert told["terminal"] <= ends


def _camel(word: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), word)
