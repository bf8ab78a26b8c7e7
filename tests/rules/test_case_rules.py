"""Cases decided by tables: the same limits in the same order as the city's file says, and each by its day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import cityloom
from cityloom.app.case_tables import CaseTables, RuledEscalation, RuledLimits, limits_file
from cityloom.cases.clocks.calendar import load_calendar
from cityloom.cases.clocks.limits import LimitTable, Matter, load_limits, make_limits
from cityloom.cases.keep.city import load_rules
from cityloom.cases.loop.case import Act, Case, RuleRow
from cityloom.cases.loop.load import load_workflow
from cityloom.cases.loop.machine import Machine
from cityloom.rules.book import Rulebook, Version
from cityloom.rules.kept import read_table
from cityloom.rules.kinds import check_table
from cityloom.rules.load import load_table
from cityloom.rules.table import DecisionTable, InputPart, RowPart, compile_table
from tests.rules.conftest import NOON
from tests.rules.tables import ROUTING

CALENDAR = load_calendar(Path(cityloom.__file__).parent / "profiles/sample/calendar.yaml")
LIMITS = st.sampled_from(["U1h", "U2h", "4wh", "2wd", "5wd", ""])
CODES = ["a", "b", "c"]


@st.composite
def limit_tables(draw: st.DrawFn) -> LimitTable:
    """A city's file of limits: rows that speak, and rows that say nothing."""

    def terms() -> dict[str, str]:
        return {"limit": draw(LIMITS), "promise": draw(LIMITS)}

    def grades() -> dict[str, Any]:
        return {grade: terms() for grade in draw(st.lists(st.sampled_from("AB"), unique=True))}

    types = {code: {**terms(), "grades": grades()} for code in CODES}
    conditions = {
        f"bad-{code}": {**terms(), "types": [code, *draw(st.sampled_from([[], ["a"]]))], "grades": grades()}
        for code in draw(st.lists(st.sampled_from(CODES), unique=True))
    }
    return make_limits(
        {
            "scheme": "s",
            "version": "1",
            "grades": ["A", "B"],
            "default": {"limit": "5wd", "promise": draw(LIMITS)},
            "stages": {"accept": "U15min"},
            "types": types,
            "conditions": conditions,
        },
        "limits",
    )


@settings(deadline=None)
@given(limit_tables())
def test_a_table_gives_the_limits_of_the_file_in_its_order_of_resolution(told: LimitTable) -> None:
    ruled = RuledLimits(compile_table(limits_file(told.told)), told)
    matters = [Matter(), *(Matter(type=code, grade=grade) for code in CODES for grade in ("", "A", "B"))]
    matters += [
        Matter(type=kind, condition=code, grade=grade)
        for code, row in told.told.conditions.items()
        for kind in row.types
        for grade in ("", "A", "B")
    ]
    for matter in matters:
        for name in ("handling", "promise"):
            mine, theirs = getattr(ruled, name)(matter), getattr(told, name)(matter)
            assert (mine is None) == (theirs is None)
            if mine is not None:
                assert (mine.limit, mine.by) == (theirs.limit, theirs.by)
                assert mine.row == f"{name} {theirs.row}"
    assert ruled.stage("accept").limit == told.stage("accept").limit


@pytest.fixture(scope="module")
def case_rules() -> CaseTables:
    return CaseTables(load_workflow(), load_limits())


def test_the_tables_that_a_new_city_begins_with_are_whole(case_rules: CaseTables) -> None:
    assert [one.kind for one in case_rules.base] == ["limits", "escalation"]
    for table in case_rules.base:
        assert [*check_table(table), *case_rules.check(table)] == []


def limits_with(case_rules: CaseTables, rows: list[dict[str, Any]], first: bool = True) -> DecisionTable:
    told = limits_file(load_limits().told)
    made = [RowPart(**one) for one in rows]
    return compile_table(replace(told, rows=[*made, *told.rows] if first else [*told.rows, *made]))


@pytest.mark.parametrize(
    ("row", "first", "says"),
    [
        (
            {"id": "x", "when": {"clock": "handling", "type": "unicorn"}, "then": {"limit": "2wd"}},
            True,
            "type 'unicorn' does not exist",
        ),
        (
            {"id": "x", "when": {"clock": "naptime"}, "then": {"limit": "2wd"}},
            True,
            "clock 'naptime' does not exist",
        ),
        (
            {"id": "x", "when": {"clock": "handling", "grade": "A"}, "then": {"limit": "2wd"}},
            True,
            "a grade alone has no limit",
        ),
        (
            {"id": "x", "when": {"clock": "handling", "type": "street-light"}, "then": {"limit": "soon"}},
            True,
            "'soon' is no limit",
        ),
        (
            {"id": "x", "when": {"clock": "handling", "type": "street-light"}, "then": {"limit": "2wd"}},
            True,
            "speaks of condition and stands after row x, which speaks of type",
        ),
    ],
)
def test_limits_that_do_not_fit_the_city_are_named(
    case_rules: CaseTables, row: dict[str, Any], first: bool, says: str
) -> None:
    found = [str(one) for one in case_rules.check(limits_with(case_rules, [row], first))]
    assert any(says in one for one in found), found


def test_limits_without_a_row_for_everything_else_are_named(case_rules: CaseTables) -> None:
    told = limits_file(load_limits().told)
    cut = compile_table(replace(told, rows=[row for row in told.rows if row.id != "handling default"]))
    assert "no row gives handling a limit" in " ".join(one.says for one in case_rules.check(cut))


def test_escalation_by_the_table_is_that_of_the_workflow(case_rules: CaseTables) -> None:
    workflow = load_workflow()
    ruled = RuledEscalation(case_rules.base[1])
    for returned_by in range(6):
        for redone in range(6):
            mine = ruled.goes_up(Matter(), returned_by, redone)
            theirs = workflow.escalation.goes_up(Matter(), returned_by, redone)
            assert (mine and mine.row) == (theirs and theirs.row)


def adopted(table: DecisionTable, since: str) -> Version:
    return Version(table=table.told, state="adopted", adopted_from=since, adopted_at=1)


def test_a_case_keeps_the_rule_of_the_day_on_which_it_began(case_rules: CaseTables) -> None:
    quick = limits_with(
        case_rules,
        [{"id": "quick", "when": {"clock": "handling", "condition": "light-out"}, "then": {"limit": "2wh"}}],
    )
    book = Rulebook([adopted(quick, "2027-01-01")], case_rules.base)
    limits = {}
    for day in ("2026-12-31", "2027-01-01"):
        case = _dispatched(case_rules.machine(book, day))
        limits[day] = (
            case.decided["handle"].row,
            case.decided["handle"].version,
            str(case.decided["handle"].limit),
        )
    assert limits["2026-12-31"] == ("light-out", "2026-11-30", "1wd")
    assert limits["2027-01-01"][0::2] == ("quick", "2wh")


def test_an_escalation_keeps_the_row_that_decided_it(case_rules: CaseTables) -> None:
    once = read_table(
        {
            "decisionTable": "up",
            "kind": "escalation",
            "version": "1",
            "hitPolicy": "FIRST",
            "inputs": [
                {"name": "redone", "type": "number", "values": ">= 0"},
                {"name": "type", "optional": True},
            ],
            "outputs": [{"name": "goesUp", "type": "boolean"}],
            "rows": [
                {"id": "lamps", "when": {"redone": ">= 1", "type": "street-light"}, "then": {"goesUp": True}},
                {"id": "else", "then": {"goesUp": False}},
            ],
        }
    )
    assert [*check_table(once), *case_rules.check(once)] == []
    machine = case_rules.machine(Rulebook([adopted(once, "2026-01-01")], case_rules.base), "2026-12-01")
    case = _dispatched(machine)
    for move, role, more in (
        ("handled", "department", {"acting_for": "lamps", "evidence": ("x",)}),
        ("sendBack", "intake", {"reason": "still dark"}),
    ):
        act = Act(move=move, actor="x", role=role, at=case.at, **more)  # type: ignore[arg-type]
        case = machine.apply(case, act, CALENDAR).case
    assert case.state == "escalated"
    assert case.ruled["escalation"] == RuleRow(table="up", version="1", row="lamps")


def test_a_route_names_the_row_that_says_it_and_the_case_keeps_it(case_rules: CaseTables) -> None:
    book = Rulebook([adopted(read_table(ROUTING), "2026-01-01")], case_rules.base)
    matter = Matter(type="street-light")
    found = case_rules.route(book, "2026-12-01", matter, "north")
    assert found is not None
    assert found == (
        "lamps-n",
        RuleRow(table="who-comes", version="1", row="lamps-north"),
        read_table(ROUTING).told.title,
    )
    assert case_rules.route(book, "2025-12-01", matter, "north") is None
    routed = _dispatched(case_rules.machine(book, "2026-12-01"), {"routing": found.row})
    assert routed.ruled["routing"] == found.row


def _dispatched(machine: Machine, ruled: dict[str, RuleRow] | None = None) -> Case:
    case = machine.begin("urn:ngsi-ld:Case:1")
    acts: list[dict[str, Any]] = [
        {"move": "report", "role": "citizen", "type": "street-light"},
        {"move": "accept", "role": "intake"},
        {"move": "file", "role": "shiftLeader", "condition": "light-out"},
        {"move": "dispatch", "role": "dispatcher", "department": "lamps", "ruled": ruled or {}},
    ]
    for act in acts:
        case = machine.apply(case, Act(actor="x", at=NOON, **act), CALENDAR).case
    return case


@pytest.mark.parametrize("name", ["opening", "routing"])
def test_the_tables_of_the_sample_city_are_whole_and_fit_it(name: str) -> None:
    folder = Path(cityloom.__file__).parent / "profiles" / "sample"
    city = load_rules(folder / "cases.yaml")
    table = load_table(folder / "rules" / f"{name}.yaml")
    tables = CaseTables(city.workflow, city.limits, city.departments)
    assert [*check_table(table), *tables.check(table)] == []


def test_what_a_rule_would_need_and_nobody_knows_stops_no_case(case_rules: CaseTables) -> None:
    book = Rulebook([adopted(read_table(ROUTING), "2026-01-01")], case_rules.base)
    assert case_rules.route(book, "2026-12-01", Matter(), "north") is None
    told = replace(case_rules.base[1].told, inputs=[*case_rules.base[1].told.inputs, InputPart(name="type")])
    assert "type is required" in " ".join(one.says for one in case_rules.check(compile_table(told)))
