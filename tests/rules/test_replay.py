"""The past under another rule: nothing changes under the rule in force, and what changes is exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec.structs import replace

from cityloom.app.case_replay import ReplayedCases, lived_cases
from cityloom.app.case_tables import CaseTables, limits_file
from cityloom.cases.clocks.limits import LimitTable, make_limits
from cityloom.cases.deadlines import read
from cityloom.cases.loop.case import Case, RuleRow, Transition
from cityloom.cases.loop.machine import Machine
from cityloom.rules.book import Rulebook, Version
from cityloom.rules.kept import read_table
from cityloom.rules.replay import Relived, replay_cases
from cityloom.rules.table import compile_table
from tests.rules.lives import CALENDAR, LIMITS, WORKFLOW, live, machine_of
from tests.rules.tables import ROUTING, routing

ZONE = ZoneInfo("Asia/Shanghai")
TABLES = CaseTables(WORKFLOW, LIMITS)
ROUTED = RuleRow(table="who-comes", version="1", row="x")
FOREVER = 2**62
COUNT = 150


class Lives:
    """Recorded cases, and the rules that were in force."""

    def __init__(self, count: int, routed: bool = True) -> None:
        self.transitions: list[Transition] = []
        self.areas: dict[str, str] = {}
        versions = []
        if routed:
            table = read_table(
                routing(
                    rows=[
                        *ROUTING["rows"][:2],
                        {"when": {"type": "water-cover"}, "then": {"department": "water"}},
                        ROUTING["rows"][3],
                    ]
                )
            )
            versions = [Version(table=table.told, state="adopted", adopted_from="2026-01-01", adopted_at=1)]
        self.book = Rulebook(versions, TABLES.base)
        machine = TABLES.machine(self.book, "2026-06-01")
        for number in range(count):
            made, area = live(number, machine, ROUTED if routed else None)
            self.transitions += made
            self.areas |= {one.case: area for one in made}
        self.lived = lived_cases(self.transitions, lambda case: (self.areas[case], 0), 0, FOREVER)
        self.past = ReplayedCases(WORKFLOW, TABLES, CALENDAR, ZONE, lambda *_: self.lived)


@pytest.fixture(scope="module")
def lives() -> Lives:
    return Lives(COUNT)


def changed_limits(**rows: dict[str, str]) -> LimitTable:
    """The city's limits with other terms of some types, and of the stage accept."""
    told = msgspec.to_builtins(LIMITS.told)
    for code, terms in rows.items():
        told["types"][code.replace("_", "-")] |= terms
    told["stages"]["accept"] = "U30min"
    return make_limits(told, "changed")


def test_the_lives_are_worth_replaying(lives: Lives) -> None:
    moves = {one.move for one in lives.transitions}
    assert moves >= {"split", "grantReturn", "grantDelay", "failCheck", "reopen", "instruct", "grantAccount"}
    assert sum(bool(one.parts) for one in lives.lived) > 3
    assert len(lives.lived) == COUNT


def test_the_rule_in_force_changes_nothing(lives: Lives) -> None:
    for kind in ("limits", "escalation", "routing"):
        table = lives.book.in_force(kind, "2026-06-01")  # type: ignore[arg-type]
        assert table is not None
        told: list[float] = []
        found = replay_cases(lives.past, lives.lived, lives.book, table, progress=told.append)
        assert (found.changed, found.unlike) == ([], [])
        assert found.cases == sum(1 + len(one.parts) for one in lives.lived)
        assert told[-1] == 1.0


def oracle(lives: Lives, machine: Machine) -> dict[str, dict[str, Any]]:
    """Each case by running all its acts through the machine, and what its clocks read then."""
    cases: dict[str, Case] = {}
    for one in lives.transitions:
        if one.from_state == "":
            continue  # born with the whole
        case = cases.get(one.case) or machine.begin(one.case)
        moved = machine.apply(case, one.act, CALENDAR)
        for each in (moved, *moved.parts):
            cases[each.case.id] = each.case
    found = {}
    for id, case in cases.items():
        readings = [read(one, CALENDAR, case.at) for one in case.countdowns]
        found[id] = {
            "clocks": [(one.clock, one.deadline, one.light) for one in readings],
            "state": case.state,
        }
    return found


def test_a_changed_limit_is_all_acts_run_through_the_machine_with_that_limit(lives: Lives) -> None:
    changed = changed_limits(street_tree={"limit": "2wh"}, litter_bin={"promise": "U1h", "limit": "3wd"})
    found = replay_cases(lives.past, lives.lived, lives.book, compile_table(limits_file(changed.told)))
    before, after = oracle(lives, machine_of()), oracle(lives, machine_of(changed))
    expected = {id for id in before if before[id] != after[id]}
    assert {one.case for one in found.changed} == expected
    assert len(expected) > 10
    facts = {
        one.case: {change.fact: (change.before, change.after) for change in one.changes}
        for one in found.changed
    }
    for id in expected:
        lights = {
            (old[0], old[2], new[2])
            for old, new in zip(before[id]["clocks"], after[id]["clocks"], strict=True)
            if old[2] != new[2]
        }
        told = {
            (fact.split()[1].partition("#")[0], *pair)
            for fact, pair in facts[id].items()
            if fact.startswith("light")
        }
        assert told == lights
        moved = sum(
            old[1] != new[1] for old, new in zip(before[id]["clocks"], after[id]["clocks"], strict=True)
        )
        assert sum(fact.startswith("deadline") for fact in facts[id]) == moved


def test_what_is_recorded_otherwise_is_told_apart(lives: Lives) -> None:
    machine = machine_of(changed_limits())
    made, _ = live(10_000, machine)
    other = lived_cases(made, lambda _: ("north", 0), 0, FOREVER)
    table = lives.book.in_force("limits", "2026-06-01")
    assert table is not None
    found = replay_cases(lives.past, [*lives.lived[:5], *other], lives.book, table)
    assert found.unlike == ["urn:ngsi-ld:Case:10000"]
    assert found.changed == []


def test_another_route_sends_those_that_followed_the_rule_elsewhere_and_no_others(lives: Lives) -> None:
    rows = [
        {"id": "all", "when": {"type": "street-light"}, "then": {"department": "sparks"}},
        *ROUTING["rows"][3:],
    ]
    table = read_table(
        routing(
            version="2",
            rows=[*rows[:1], {"when": {"type": "water-cover"}, "then": {"department": "water"}}, *rows[1:]],
        )
    )
    found = replay_cases(lives.past, lives.lived, lives.book, table)
    expected = set()
    for one in lives.transitions:
        if one.move == "dispatch" and one.act.ruled and one.act.department.startswith("lamps"):
            expected.add(one.case)
    told = {one.case: {change.fact: change for change in one.changes} for one in found.changed}
    assert set(told) <= expected
    assert len(told) > 3
    for case, changes in told.items():
        if "department" in changes:
            assert changes["department"].after == "sparks", case
    # Sent elsewhere meanwhile by choice, a case may end where it ended; its clocks may differ then.
    assert not any("leavesRecordAt" in changes for changes in told.values())


def test_an_earlier_escalation_leaves_the_record_and_says_where(lives: Lives) -> None:
    table = compile_table(
        replace(
            TABLES.base[1].told,
            version="2",
            rows=[
                replace(TABLES.base[1].told.rows[0], when={"returnedBy": ">= 1"}),
                *TABLES.base[1].told.rows[1:],
            ],
        )
    )
    found = replay_cases(lives.past, lives.lived, lives.book, table)
    returned = {one.case for one in lives.transitions if one.move == "grantReturn"}
    changed = {one.case: {change.fact: change for change in one.changes} for one in found.changed}
    assert returned <= set(changed)
    # Where a whole left its record before it was split, its parts are not born.
    assert {case for case in set(changed) - returned if case.partition(":part:")[0] not in returned} == set()
    assert len(returned) > 10
    for case in returned:
        facts = changed[case]
        if facts["state"].after is not None:
            assert len(facts["escalated"].after) == len(facts["escalated"].before or []) + 1 or (
                facts["leavesRecordAt"].after
            )


def test_scores_are_of_the_same_cases_before_and_after(lives: Lives) -> None:
    class Late:
        def scores(self, relived: Sequence[Relived]) -> dict[str, float | None]:
            late = [one for one in relived if one.facts().get("light handle") == "red"]
            return {"late": len(late) / len(relived)}

    changed = changed_limits(street_tree={"limit": "2wh"})
    table = compile_table(limits_file(changed.told))
    found = replay_cases(lives.past, lives.lived, lives.book, table, scoring=Late())
    reds = [[change for change in one.changes if change.fact == "light handle"] for one in found.changed]
    more = sum((c.after == "red") - (c.before == "red") for changes in reds for c in changes)
    assert found.scores_after["late"] - found.scores_before["late"] == pytest.approx(more / found.cases)


def test_only_cases_that_were_reported_in_the_period_are_lived_again(lives: Lives) -> None:
    middle = sorted(one.transitions[0].act.at for one in lives.lived)[COUNT // 2]
    early = lived_cases(lives.transitions, lambda _: ("", 0), 0, middle)
    late = lived_cases(reversed(lives.transitions), lambda _: ("", 0), middle, FOREVER)
    assert len(early) + len(late) == COUNT
    assert {one.case for one in early} & {one.case for one in late} == set()


@pytest.mark.soak
def test_ten_thousand_cases_agree_with_the_machine() -> None:
    many = Lives(10_000)
    table = many.book.in_force("limits", "2026-06-01")
    assert table is not None
    assert replay_cases(many.past, many.lived, many.book, table).changed == []
    changed = changed_limits(street_light={"limit": "4wh"}, street_tree={"limit": "15wd"})
    found = replay_cases(many.past, many.lived, many.book, compile_table(limits_file(changed.told)))
    before, after = oracle(many, machine_of()), oracle(many, machine_of(changed))
    assert {one.case for one in found.changed} == {id for id in before if before[id] != after[id]}
