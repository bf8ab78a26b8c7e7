"""Figures against counts made apart; closing less never scores higher; what is not known is not a number."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cityloom.cases
from cases.test_machine import act, at, filed, go, owned
from cases.walks import CALENDAR, HOUR, LIMITS, START, WORKFLOW, replayed, walk
from cityloom.cases.clocks.limits import LimitTable, make_limits
from cityloom.cases.deadlines import read
from cityloom.cases.insight.evaluation import (
    WITHOUT,
    Evaluation,
    counts_of,
    evaluate,
    load_evaluation,
    make_evaluation,
)
from cityloom.cases.insight.measures import Period, Record
from cityloom.cases.loop.case import Act, Case, Moved, Promise, Transition
from cityloom.cases.loop.machine import Machine
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.yamlfile import load_yaml

RULES = load_evaluation(WORKFLOW)
DATA = load_yaml(Path(cityloom.cases.__file__).parent / "insight" / "evaluation.yaml")
LATE = START + 300 * 24 * HOUR
ALL = Period(since=0, until=LATE, now=LATE)
CLOSING = ("close", "closeElsewhere")
CLOSED = ("closed", "followUp", "appealed", "appealReview", "evaluated")
MONOTONE = ("area", "department", "shiftLeader")


def without_promises() -> LimitTable:
    values = load_yaml(Path(cityloom.cases.__file__).parent / "clocks" / "limits.yaml")
    for rows in (values["types"], values["conditions"], {"": values["default"]}):
        for row in rows.values():
            row.pop("promise", None)
    return make_limits(values, "limits.yaml")


def records(seed: int, count: int, limits: LimitTable = LIMITS) -> list[Record]:
    draw = Random(seed)
    return [walk(draw, f"case:{number}", limits) for number in range(count)]


def measured(given: list[Record], period: Period = ALL, by: Any = "") -> Evaluation:
    return evaluate(given, period, RULES, WORKFLOW, CALENDAR, by)


def told(machine: Machine, *acts: Act) -> Record:
    """A case by its acts."""
    case, log = machine.begin("case:1"), list[Transition]()
    for each in acts:
        moved: Moved = machine.apply(case, each, CALENDAR)
        case = moved.case
        log.append(moved.transition)
    return Record(case=case, transitions=tuple(log), area="north", repeats="")


def straight(handled: str, closed: str, limits: LimitTable = LIMITS) -> Record:
    """A lamp that is out from report to closing; it is promised in 3 work days from 2 July 08:50."""
    case = go(filed(), act("dispatch", "02 09:00", department="light")).case
    return told(
        Machine(WORKFLOW, limits),
        act("report", "02 08:50", type="street-light"),
        act("accept", "02 08:55"),
        act("file", "02 09:20", type="street-light", condition="light-out"),
        act("dispatch", "02 09:25", department="light"),
        owned("handled", handled, case, evidence=("photo:1",)),
        act("askCheck", handled),
        act("passCheck", handled, finding="lit", evidence=("photo:2",)),
        act("close", closed, closing_condition="lit"),
    )


def test_a_case_is_counted_as_its_clocks_read() -> None:
    found = measured([straight("02 16:00", "02 16:30")])
    values = {one.indicator: one.value for one in found.figures}
    assert values["UM-FILE-ONTIME"] == 0  # filed after 25 minutes, 15 were allowed
    assert values["UM-FILE-ACC"] == 100
    assert values["UM-DISP-ONTIME"] == values["UM-DISP-ACC"] == 100
    assert values["UM-HANDLE-ONTIME"] == values["UM-CLOSE"] == values["UM-CLOSE-ONTIME"] == 100
    assert values["UM-REWORK"] == values["PRJ-APPEAL"] == values["PRJ-REOPEN"] == 0
    assert values["UM-PUBLIC"] == 0
    assert values["UM-VALID"] is None  # no patrol reported anything
    assert found.score("shiftLeader").value == pytest.approx(0.25 * 0 + 0.4 * 100 + 0.35 * 100)
    assert found.score("area").value == pytest.approx(100)
    assert found.score("collector").value is None
    assert found.score("collector").missing == ("UM-VALID", "PRJ-VERIFY-ONTIME")
    assert found.figure("UM-CLOSE").numerator == ("case:1",)


def test_a_case_that_is_closed_late_is_closed_and_not_on_time() -> None:
    found = measured([straight("09 16:00", "20 16:30")])
    assert found.figure("UM-CLOSE").value == 100
    assert found.figure("UM-CLOSE-ONTIME").value == 0
    assert found.figure("UM-HANDLE-ONTIME").value == 0
    assert found.figure("UM-CLOSE-ONTIME").denominator == ("case:1",)


def test_a_case_is_due_in_the_period_of_its_deadline_whenever_it_is_closed() -> None:
    record = straight("09 16:00", "20 16:30")
    for since, until, due in (
        ("02 00:00", "04 00:00", 0),
        ("04 00:00", "12 00:00", 1),
        ("12 00:00", "30 00:00", 0),
    ):
        period = Period(since=at(since), until=at(until), now=LATE)
        assert len(measured([record], period).figure("UM-CLOSE").denominator) == due
    early = Period(since=at("02 00:00"), until=at("30 00:00"), now=at("02 20:00"))
    assert measured([record], early).figure("UM-CLOSE").value is None


def test_a_case_without_a_promise_is_told_apart_and_not_on_time() -> None:
    found = measured([straight("02 16:00", "02 16:30", without_promises())])
    for indicator in ("UM-CLOSE", "UM-CLOSE-ONTIME", "PRJ-FIRST-TIME"):
        figure = found.figure(indicator)
        assert (figure.value, figure.denominator) == (None, ())
        assert figure.apart == {"withoutPromise": ("case:1",)}
    assert found.score("area").value is None
    assert found.figure("UM-HANDLE-ONTIME").value == 100


def test_a_granted_appeal_takes_a_case_out_and_shows_it() -> None:
    record = straight("09 16:00", "20 16:30")
    case = record.case
    acts = [one.act for one in record.transitions]
    acts += [
        owned("appeal", "21 09:00", case, reason="the road was closed", evidence=("photo:3",)),
        act("supportAppeal", "21 09:30", reason="so it is"),
        act("grantAppeal", "21 10:00", reason="so it is"),
    ]
    found = measured([told(Machine(WORKFLOW, LIMITS), *acts)])
    assert found.figure("UM-CLOSE-ONTIME").apart == {"exempt": ("case:1",)}
    assert found.figure("UM-CLOSE").value == 100
    assert found.figure("UM-HANDLE-ONTIME").apart == {"exempt": ("case:1",)}
    assert found.figure("PRJ-APPEAL").value == found.figure("PRJ-APPEAL-GRANTED").value == 100
    undecided = measured([told(Machine(WORKFLOW, LIMITS), *acts[:-1])])
    assert undecided.figure("PRJ-APPEAL-GRANTED").apart == {"undecided": ("case:1",)}


def reopened(*more: Act) -> Record:
    """Closed in time by `light`, opened again on the 6th and given to `roads`."""
    acts = [one.act for one in straight("02 16:00", "02 16:30").transitions]
    acts += [act("reopen", "06 09:00", reason="dark again"), act("dispatch", "06 09:05", department="roads")]
    return told(Machine(WORKFLOW, LIMITS), *acts, *more)


def test_a_case_that_is_reopened_stays_where_its_first_closing_was_due() -> None:
    given = {"role": "department", "acting_for": "roads"}
    closings = (
        act("handled", "08 10:00", evidence=("photo:5",), **given),
        act("askCheck", "08 10:05"),
        act("passCheck", "08 10:10", finding="lit", evidence=("photo:6",)),
        act("close", "08 10:15", closing_condition="lit"),
    )
    first, again = (
        next(one.deadline for one in record.transitions[-1].readings if one.clock == "promise")
        for record in (straight("02 16:00", "02 16:30"), reopened(*closings))
    )
    assert first is not None
    assert again is not None
    assert first < again
    period = Period(since=first, until=first + 1, now=LATE)
    for record, value in ((reopened(), 0), (reopened(*closings), 100)):
        found = measured([record], period, by="department")
        assert found.figure("UM-CLOSE", "light").value == value
        assert {
            one.group for one in found.figures if one.indicator.startswith("UM-CLOSE") and one.denominator
        } == {
            "",
            "light",
        }
        assert found.figure("PRJ-FIRST-TIME").value == 0
    later = measured([reopened(*closings)], Period(since=again, until=again + 1, now=LATE))
    assert later.figure("UM-CLOSE").denominator == ()


def test_an_appeal_excuses_nothing_that_is_not_done() -> None:
    acts = [one.act for one in straight("09 16:00", "20 16:30").transitions]
    case = straight("09 16:00", "20 16:30").case
    acts += [
        owned("appeal", "21 09:00", case, reason="the road was closed", evidence=("photo:3",)),
        act("supportAppeal", "21 09:30", reason="so it is"),
        act("grantAppeal", "21 10:00", reason="so it is"),
        act("reopen", "22 09:00", reason="dark again"),
    ]
    found = measured([told(Machine(WORKFLOW, LIMITS), *acts)])
    for indicator in ("UM-CLOSE", "UM-CLOSE-ONTIME", "PRJ-FIRST-TIME"):
        assert (found.figure(indicator).value, found.figure(indicator).apart) == (0, {})


def test_a_stage_that_ended_in_time_with_the_case_undone_was_not_due() -> None:
    acts = [one.act for one in straight("02 16:00", "02 16:30").transitions][:3]
    for when, due in (("02 09:25", ()), ("02 11:00", ("case:1",))):
        merged = act("merge", when, into="case:2", reason="the same lamp")
        found = measured([told(Machine(WORKFLOW, LIMITS), *acts, merged)])
        assert found.figure("UM-DISP-ONTIME").denominator == due
        assert found.figure("UM-DISP-ONTIME").numerator == ()
        assert found.figure("UM-CLOSE").apart == {"undone": ("case:1",)}


def test_a_score_takes_from_a_hundred_what_is_better_less() -> None:
    rules = make_evaluation(
        _changed("scores", to={"steady": {"title": {"en": "Steady"}, "parts": {"UM-REWORK": 1.0}}}),
        WORKFLOW,
        "evaluation.yaml",
    )
    found = evaluate([straight("02 16:00", "02 16:30")], ALL, rules, WORKFLOW, CALENDAR)
    assert (found.figure("UM-REWORK").value, found.score("steady").value) == (0, 100)


def test_rework_counts_for_the_department_whose_work_was_not_right() -> None:
    case = go(filed(), act("dispatch", "02 09:00", department="light")).case
    acts = [one.act for one in straight("02 16:00", "02 16:30").transitions][:5]
    acts += [
        act("sendBack", "02 16:10", reason="still dark"),
        owned("handled", "02 17:00", case, evidence=("photo:4",)),
    ]
    found = measured([told(Machine(WORKFLOW, LIMITS), *acts)], by="department")
    figure = found.figure("UM-REWORK", "light")
    assert (figure.value, figure.denominator) == (50, ("case:1", "case:1"))
    assert found.figure("UM-DISP-ACC").value == 0


def test_what_nobody_keeps_is_not_reported() -> None:
    record = straight("02 16:00", "02 16:30")
    found = measured([record])
    assert found.figure("UM-MISSED").value is None
    assert found.figure("UM-MISSED").apart == {"notReported": ("case:1",)}
    assert found.figure("UM-REPEAT").value == 0
    unknown = Record(case=record.case, transitions=record.transitions)
    both = measured([record, unknown]).figure("UM-REPEAT")
    assert (both.value, both.apart) == (None, {"notReported": ("case:1",)})


@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_figures_are_what_counting_states_and_clocks_gives(seed: int) -> None:
    cases = records(seed, 12)
    found = measured(cases)
    due, closed, on_time = set(), set(), set()
    for record in cases:
        case, log = record.case, record.transitions
        first = next((one for one in log if one.move in CLOSING), None)
        promise = case.countdown("promise")
        undone = case.state in ("rejected", "voided", "merged")
        assert promise is not None or not log
        if promise is None:
            continue
        stands = promise.spans[-1].until is not None and read(promise, CALENDAR, LATE).remaining > 0
        if first is None and stands:
            continue  # it is, or ended, on account
        if undone:
            continue
        due.add(case.id)
        if case.state in CLOSED:
            closed.add(case.id)
            last = [one for one in log if one.move in CLOSING][-1]
            light = next(one.light for one in last.readings if one.clock == "promise")
            if light != "red":
                on_time.add(case.id)
    assert set(found.figure("UM-CLOSE").denominator) == due
    assert set(found.figure("UM-CLOSE").numerator) == closed
    assert set(found.figure("UM-CLOSE-ONTIME").numerator) == on_time
    handled = [one for record in cases for one in record.transitions if one.move == "handled"]
    assert len(found.figure("UM-REWORK").denominator) == len(handled)
    redone = sum(record.case.redone for record in cases)
    assert len(found.figure("UM-REWORK").numerator) <= redone
    filed_ = [one.case.id for one in cases if any(move.move == "file" for move in one.transitions)]
    assert sorted(found.figure("UM-FILE-ACC").denominator) == sorted(filed_)
    voided = {one.case.id for one in cases if one.case.state == "voided"}
    assert set(filed_) - set(found.figure("UM-FILE-ACC").numerator) == voided & set(filed_)


@given(seed=st.integers(0, 2**32), cut=st.floats(0, 1))
@settings(max_examples=15, deadline=None)
def test_figures_are_shares_that_add_up_over_groups_and_periods(seed: int, cut: float) -> None:
    cases = records(seed, 12)
    middle = START + int(cut * 60 * 24 * HOUR)
    divided = {by: measured(cases, by=by) for by in ("department", "area", "type")}
    whole = measured(cases)
    parts = [
        measured(cases, Period(since=0, until=middle, now=LATE)),
        measured(cases, Period(since=middle, until=LATE, now=LATE)),
    ]
    for figure in whole.figures:
        assert not Counter(figure.numerator) - Counter(figure.denominator)
        if figure.value is not None:
            assert figure.value == pytest.approx(100 * len(figure.numerator) / len(figure.denominator))
        for attribute in ("numerator", "denominator"):
            of_periods = sum(
                (Counter(getattr(part.figure(figure.indicator), attribute)) for part in parts), Counter()
            )
            assert of_periods == Counter(getattr(figure, attribute))
        for found in divided.values():
            groups = [one for one in found.figures if one.indicator == figure.indicator and one.group]
            for attribute in ("numerator", "denominator"):
                of_groups = sum((Counter(getattr(one, attribute)) for one in groups), Counter[str]())
                assert of_groups == Counter(getattr(figure, attribute))
            apart = [(why, id) for one in groups for why, ids in one.apart.items() for id in ids]
            assert Counter(apart) == Counter((why, id) for why, ids in figure.apart.items() for id in ids)
        nowhere = {record.case.id for record in cases if not record.area}
        of_none = [one for one in divided["area"].figures if one.group == WITHOUT]
        assert {id for one in of_none for id in one.denominator} <= nowhere
    assert not any(one.group == WITHOUT for found in divided.values() for one in found.scores)


@given(seed=st.integers(0, 2**32), cuts=st.sets(st.integers(1, 99), min_size=1, max_size=5))
@settings(max_examples=10, deadline=None)
def test_steps_are_what_evaluating_each_by_itself_gives(seed: int, cuts: set[int]) -> None:
    cases = records(seed, 10)
    period = Period(since=START, until=START + 100 * 24 * HOUR, now=START + 70 * 24 * HOUR)
    times = sorted(START + day * 24 * HOUR for day in cuts)
    for by in ("", "department", "type"):
        found = evaluate(cases, period, RULES, WORKFLOW, CALENDAR, by, times)
        assert found.figures == measured(cases, period, by).figures
        edges = [period.since, *times, period.until]
        assert [(one.since, one.until) for one in found.steps] == list(pairwise(edges))
        for step in found.steps:
            alone = measured(cases, Period(since=step.since, until=step.until, now=period.now), by)
            counted = {
                (one.group, one.indicator): counts_of(one, RULES)
                for one in alone.figures
                if one.denominator or one.apart
            }
            assert step.counts == counted


def test_a_case_from_another_system_is_closed_by_the_department_that_it_came_with() -> None:
    machine = Machine(WORKFLOW, LIMITS)
    promise = Promise(by=at("06 09:00"))
    come = act("takeOver", "02 09:00", type="street-light", department="light", promise=promise)
    told_then = act("closeElsewhere", "03 09:00", closing_condition="lit")
    later = act("closeElsewhere", "03 09:00", closing_condition="lit", department="roads")
    for acts, department in (((come, told_then), "light"), ((come, later), "roads")):
        found = measured([told(machine, *acts)], by="department")
        assert {one.group for one in found.figures} == {"", department}
        for indicator in ("UM-CLOSE", "UM-CLOSE-ONTIME", "PRJ-REOPEN"):
            assert found.figure(indicator, department).denominator == ("case:1",)
        assert found.figure("UM-CLOSE-ONTIME", department).value == 100
        assert found.figure("PRJ-RETURN").denominator == ()  # nobody dispatched it here


def test_what_was_closed_without_a_department_stands_beside_the_departments() -> None:
    machine = Machine(WORKFLOW, LIMITS)
    promise = Promise(by=at("06 09:00"))
    come = act("takeOver", "02 09:00", type="street-light", promise=promise)
    closed = told(machine, come, act("closeElsewhere", "03 09:00", closing_condition="lit"))
    found = measured([closed, straight("02 16:00", "02 16:30")], by="department")
    assert {one.group for one in found.figures} == {"", "light", WITHOUT}
    assert len(found.figure("UM-CLOSE-ONTIME").numerator) == 2
    assert found.figure("UM-CLOSE-ONTIME", WITHOUT).numerator == ("case:1",)
    assert found.figure("UM-CLOSE-ONTIME", "light").numerator == ("case:1",)


def test_types_are_told_apart_by_what_was_filed() -> None:
    found = measured([straight("02 16:00", "02 16:30")], by="type")
    assert {one.group for one in found.figures} == {"", "street-light"}
    assert found.figure("UM-CLOSE", "street-light").numerator == ("case:1",)


@given(seed=st.integers(0, 2**32), since=st.integers(0, 60), length=st.integers(1, 60))
@settings(max_examples=15, deadline=None)
def test_closing_fewer_never_scores_higher(seed: int, since: int, length: int) -> None:
    _close_fewer(seed, since, length)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_closing_fewer_never_scores_higher_in_four_thousand_cases() -> None:
    for seed in range(500):
        _close_fewer(seed, seed % 50, seed % 47 + 1)


def _close_fewer(seed: int, since: int, length: int) -> None:
    cases = records(seed, 8)
    begun = START + since * 24 * HOUR
    periods = [ALL, Period(since=begun, until=begun + length * 24 * HOUR, now=LATE)]
    for number, record in enumerate(cases):
        if record.case.state not in CLOSED:
            continue
        closing = max(one.number for one in record.transitions if one.move in CLOSING)
        fewer = [*cases[:number], replayed(record, closing - 1), *cases[number + 1 :]]
        for period in periods:
            for by in ("", "department", "area"):
                more, less = measured(cases, period, by), measured(fewer, period, by)
                for score in more.scores:
                    if score.score in MONOTONE and score.value is not None:
                        other = less.score(score.score, score.group).value
                        assert other is not None
                        assert other <= score.value + 1e-9
                for indicator in ("UM-CLOSE", "UM-CLOSE-ONTIME", "PRJ-FIRST-TIME"):
                    for figure in more.figures:
                        if figure.indicator == indicator and figure.value is not None:
                            value = less.figure(indicator, figure.group).value
                            assert value is not None
                            assert value <= figure.value + 1e-9


def _changed(*path: str, to: Any) -> dict[str, Any]:
    values = deepcopy(DATA)
    place = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return values


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (_changed("moves", "close", to=["clsoe"]), "moves.close is invalid: 'clsoe' does not exist"),
        (_changed("indicators", "UM-CLOSE", "measure", to="close"), "UM-CLOSE.measure is invalid"),
        (_changed("indicators", "UM-CLOSE", "clock", to="x"), "UM-CLOSE.clock is invalid"),
        (_changed("indicators", "UM-CLOSE", "role", to="x"), "role is invalid"),
        (_changed("scores", "area", "parts", "UM-CLOSE", to=0.0), "the weights come to 0.7, not to 1"),
        (_changed("scores", "area", "parts", to={"UM-X": 1.0}), "'UM-X' does not exist in indicators"),
        (_changed("scores", "area", "parts", to={"UM-PUBLIC": 1.0}), "cannot be weighed"),
        (_changed("scores", "area", "parts", to={"UM-CLOSE": -1.0, "UM-REWORK": 2.0}), "cannot be weighed"),
        (_changed("public", to=["nobody"]), "role is invalid"),
        (_changed("headline", to=["UM-X"]), "headline is invalid: 'UM-X' does not exist"),
    ],
)
def test_rules_that_cannot_be_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says.replace("(", r"\(")):
        make_evaluation(values, WORKFLOW, "evaluation.yaml")


def test_every_indicator_is_told_in_words_of_both_languages() -> None:
    for one in RULES.indicators.values():
        for words in (one.title, one.counts, one.of):
            assert words["en"]
            assert words["zh"]


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadRequestData, match="until is invalid"):
        measured([], Period(since=5, until=5, now=5))


def test_a_case_that_has_not_begun_counts_nowhere() -> None:
    found = measured([Record(case=Case(id="case:1", state="draft", workflow=WORKFLOW.name), transitions=())])
    assert all(one.value is None and not one.apart for one in found.figures)
