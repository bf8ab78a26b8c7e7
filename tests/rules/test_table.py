"""Tables: what they decide and why, and that what is wrong with one is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.model.errors import BadRequestData, ConfigurationError, TooComplexQuery
from cityloom.rules import checks
from cityloom.rules.checks import check_rows
from cityloom.rules.kept import read_table
from cityloom.rules.kinds import check_table, whole
from cityloom.rules.load import load_table
from tests.rules.tables import ROUTING, routing, table


def test_a_table_decides_by_its_first_row_that_holds_and_says_why() -> None:
    decision = read_table(ROUTING).decide({"type": "street-light", "area": "north", "other": 1})
    [hit] = decision.hits
    assert (decision.table, decision.version, hit.row, hit.number) == ("who-comes", "1", "lamps-north", 1)
    assert decision.outputs == {"department": "lamps-n"}
    assert [(one.input, one.value, one.test) for one in hit.why] == [
        ("type", "street-light", "street-light"),
        ("area", "north", "north"),
    ]
    assert read_table(ROUTING).decide({"type": "sewage-cover"}).hits[0].row == "covers"
    assert read_table(ROUTING).decide({"type": "tree"}).hits[0].note == "whoever is near"


def test_collect_gives_every_row_that_holds() -> None:
    rows = [{"when": {"size": f">= {n}"}, "then": {"department": str(n)}} for n in range(3)]
    decision = table(hitPolicy="COLLECT", rows=rows).decide({"size": 1})
    assert [(hit.row, hit.outputs["department"]) for hit in decision.hits] == [("1", "0"), ("2", "1")]
    assert table(hitPolicy="COLLECT", rows=rows).decide({"size": 0.5}).hits[0].number == 1


@pytest.mark.parametrize(
    ("given_values", "says"),
    [
        ({}, "size is required: t asks for it"),
        ({"size": 9}, "size is invalid: 9 is not among [0..4]"),
        ({"size": "2"}, "size is invalid: '2' is no number"),
        ({"size": 2, "grade": "C"}, "grade is invalid: 'C' is not among A, B"),
    ],
)
def test_what_a_table_cannot_decide_on_is_refused(given_values: dict[str, Any], says: str) -> None:
    whole_table = table(hitPolicy="FIRST", rows=[{"then": {"department": "x"}}])
    with pytest.raises(BadRequestData) as caught:
        whole_table.decide(given_values)
    assert says in caught.value.detail


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hitPolicy": "ANY"}, "hitPolicy is invalid"),
        ({"kind": "weather"}, "kind is invalid"),
        ({"version": ""}, "version is required"),
        ({"decisionTable": "a@b"}, "decisionTable is required"),
        ({"rows": []}, "rows are required"),
        ({"more": 1}, "unknown field"),
        ({"rows": [{"when": {"depth": "1"}}]}, "the input 'depth' does not exist in inputs"),
        ({"rows": [{"then": {"price": "1"}}]}, "the output 'price' does not exist in outputs"),
        ({"rows": [{"id": "a"}, {"id": "a"}]}, "rows is invalid: 'a' already exists"),
        ({"rows": [{"when": {"type": ["a"]}}]}, "a cell is invalid"),
        ({"rows": [{"id": "x", "when": {"type": "a b"}}]}, "row x, type is invalid at position 3"),
        (
            {"outputs": [{"name": "department", "values": "a, b"}], "rows": [{"then": {"department": "c"}}]},
            "row 1, department is invalid: 'c' is not among a, b",
        ),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequestData) as caught:
        read_table(routing(**changes))
    assert says in caught.value.detail


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hitPolicy": "COLLECT"}, "hitPolicy: COLLECT is not for routing; UNIQUE, FIRST is"),
        (
            {
                "inputs": [{"name": "type"}, {"name": "area", "type": "number"}],
                "rows": [{"then": {"department": "x"}}],
            },
            "inputs.area: is a number; a string is asked for",
        ),
        (
            {"inputs": [{"name": "weather"}], "rows": [{"then": {"department": "x"}}]},
            "inputs.weather: does not exist",
        ),
        ({"rows": [{"id": "r"}]}, "row r: department is required"),
        ({"rows": [ROUTING["rows"][3], ROUTING["rows"][1]]}, "row lamps: is never reached"),
        ({"hitPolicy": "UNIQUE"}, "row lamps: overlaps row lamps-north at type street-light, area north"),
    ],
)
def test_what_keeps_a_table_from_being_whole_is_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequestData) as caught:
        whole(read_table(routing(**changes)))
    assert says in caught.value.detail


def test_a_gap_is_told_and_keeps_nothing_back() -> None:
    [finding] = whole(read_table(routing(rows=ROUTING["rows"][:3])))
    assert finding.level == "warning"
    assert finding.says == "no row speaks of type not(sewage-cover, street-light, water-cover)"


def test_a_table_that_is_too_tangled_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MOST_STEPS", 1)
    with pytest.raises(TooComplexQuery, match="too many combinations"):
        check_table(read_table(routing(rows=ROUTING["rows"][:3])))


GRADES = st.sampled_from(["-", "A", "B", "not(A)", "null", "A, B"])
SIZES = st.sampled_from(["-", "[0..2]", "(2..4]", "< 1", ">= 3", "2", "not(2)", "[1..3)", "7"])
ROWS = st.lists(st.tuples(GRADES, SIZES), min_size=1, max_size=5)
POINTS = [(grade, size / 2) for grade in ("A", "B", None) for size in range(9)]


@settings(deadline=None)
@given(ROWS)
def test_overlaps_gaps_and_dead_rows_are_those_that_a_count_of_points_finds(
    rows: list[tuple[str, str]],
) -> None:
    told = [{"when": {"grade": g, "size": s}, "then": {"department": "x"}} for g, s in rows]
    every = table(hitPolicy="COLLECT", rows=told)
    hits = [[hit.number for hit in every.decide({"grade": g, "size": s}).hits] for g, s in POINTS]

    def found(policy: str) -> list[checks.Finding]:
        return check_rows(table(hitPolicy=policy, rows=told))

    dead = {one.place for one in found("FIRST") if "never reached" in one.says}
    assert dead == {
        f"row {number}" for number in range(1, len(rows) + 1) if number not in {hit[0] for hit in hits if hit}
    }
    assert any("no row speaks" in one.says for one in found("FIRST")) == any(not hit for hit in hits)
    overlapping = {(one, two) for hit in hits for one in hit for two in hit if two < one}
    told_overlaps = {
        tuple(int(word) for word in (one.place.split()[1], one.says.split()[2]))
        for one in found("UNIQUE")
        if "overlaps" in one.says
    }
    assert told_overlaps == overlapping


YAML = """
decisionTable: who-comes
kind: routing
version: "2"
hitPolicy: FIRST
inputs:
  - {name: type}
  - {name: area, optional: true}
outputs: [{name: department}]
rows: who.csv
"""
CSV = """id,type,area,department,note
lamps,street-light,-,lamps,
,"water-cover, sewage-cover",,water,pipes

,,,streets
"""


def test_the_rows_of_a_table_stand_in_a_file_for_spreadsheets(tmp_path: Path) -> None:
    (tmp_path / "who.yaml").write_text(YAML)
    (tmp_path / "who.csv").write_text("\ufeff" + CSV, "utf-8")
    loaded = load_table(tmp_path / "who.yaml")
    assert [row.id for row in loaded.rows] == ["lamps", "2", "3"]
    assert loaded.decide({"type": "sewage-cover"}).outputs == {"department": "water"}
    assert loaded.decide({"type": "tree", "area": "x"}).outputs == {"department": "streets"}


@pytest.mark.parametrize(
    ("csv", "says"),
    [
        ("type,colour,department\n", "the column 'colour' does not exist in inputs or outputs"),
        ("type,type,department\n", "the column 'type' already exists"),
        ("type,department\na,b,c\n", "line 2 has more cells than there are columns"),
        ("type,department\n", "rows are required"),
        ("type,department\na,x\na,y\n", "row 2: is never reached"),
    ],
)
def test_a_file_of_rows_that_is_wrong_is_refused(tmp_path: Path, csv: str, says: str) -> None:
    (tmp_path / "who.yaml").write_text(YAML)
    (tmp_path / "who.csv").write_text(csv)
    with pytest.raises(ConfigurationError) as caught:
        load_table(tmp_path / "who.yaml")
    assert says in caught.value.detail


def test_a_file_of_rows_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "who.yaml").write_text(YAML)
    with pytest.raises(ConfigurationError, match=r"who\.csv does not exist"):
        load_table(tmp_path / "who.yaml")
