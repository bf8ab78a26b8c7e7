from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from cityloom.cases.clocks.limits import Matter, load_limits, make_limits, parse_limit
from cityloom.model.errors import BadRequestData, ConfigurationError

TABLE: dict[str, Any] = {
    "scheme": "test",
    "version": "1",
    "grades": ["A", "B"],
    "default": {"limit": "5wd"},
    "stages": {"dispatch": "U15min"},
    "types": {
        "light": {"limit": "2wd", "promise": "4wd", "grades": {"A": {"limit": "1wd"}}},
        "bin": {},
    },
    "conditions": {
        "dangerous": {
            "types": ["light"],
            "limit": "U2h",
            "grades": {"A": {"limit": "U1h", "promise": "U1d"}},
        },
        "dirty": {"types": ["light", "bin"]},
    },
}
FACTS = Path(__file__).parents[2] / "../shared/governance/taxonomy_time_limits.csv"


@pytest.mark.parametrize(
    ("matter", "limit", "by", "promise"),
    [
        (Matter(type="light", condition="dangerous", grade="A"), "U1h", "conditionAndGrade", "U1d"),
        (Matter(type="light", condition="dangerous", grade="B"), "U2h", "condition", "4wd"),
        (Matter(type="light", condition="dirty", grade="A"), "1wd", "typeAndGrade", "4wd"),
        (Matter(type="light", grade="A"), "1wd", "typeAndGrade", "4wd"),
        (Matter(type="light", condition="dirty", grade="B"), "2wd", "type", "4wd"),
        (Matter(type="bin", condition="dirty", grade="A"), "5wd", "default", None),
        (Matter(), "5wd", "default", None),
    ],
)
def test_the_most_particular_row_that_speaks_decides(
    matter: Matter, limit: str, by: str, promise: str | None
) -> None:
    table = make_limits(TABLE, "limits.yaml")
    found = table.handling(matter)
    promised = table.promise(matter)
    assert (str(found.limit), found.by, found.scheme, found.version) == (limit, by, "test", "1")
    assert (str(promised.limit) if promised else None) == promise


@pytest.mark.parametrize(
    ("matter", "sentence"),
    [
        (Matter(type="lamp"), "type is invalid: 'lamp' does not exist in the limits test 1"),
        (Matter(type="light", condition="smelly"), "condition is invalid: 'smelly' does not exist"),
        (Matter(type="bin", condition="dangerous"), "'dangerous' is no condition of type 'bin'"),
        (Matter(condition="dirty"), "'dirty' is no condition of type ''"),
        (Matter(type="bin", grade="Z"), "grade is invalid: 'Z' does not exist"),
    ],
)
def test_an_unknown_code_is_refused(matter: Matter, sentence: str) -> None:
    table = make_limits(TABLE, "limits.yaml")
    for ask in (table.handling, table.promise):
        with pytest.raises(BadRequestData) as refused:
            ask(matter)
        assert sentence in refused.value.detail


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"default": {}}, "default.limit is required"),
        ({"default": {"limit": "soon"}}, "default.limit is invalid: 'soon' is no limit"),
        ({"default": {"limit": "0wd"}}, "default.limit is invalid"),
        ({"stages": {"file": "15"}}, "stages.file is invalid"),
        (
            {"types": {"light": {"grades": {"C": {"limit": "1wd"}}}}, "conditions": {}},
            "'C' does not exist in grades",
        ),
        ({"types": {"light": {"promise": "1 day"}}, "conditions": {}}, "types.light.promise is invalid"),
        ({"conditions": {"x": {"types": ["tram"]}}}, "conditions.x.types is invalid: 'tram' does not exist"),
        ({"conditions": {"x": {"types": []}}}, "conditions.x.types is required"),
        ({"multipliers": {}}, "unknown field `multipliers`"),
    ],
)
def test_a_wrong_table_is_refused_by_name_and_place(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make_limits({**TABLE, **changed}, "limits.yaml")
    assert sentence in refused.value.detail


@pytest.mark.parametrize("text", ["U15min", "U2h", "U1d", "30wmin", "4wh", "2wd"])
def test_a_limit_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_limit(text, "limit")) == text


def test_default_table_takes_its_limits_from_those_observed() -> None:
    if not FACTS.exists():
        pytest.skip("the facts of governance (../shared/governance) are not there")
    with FACTS.open(encoding="utf-8") as file:
        observed = {
            f"{row['kind']}/{row['group_code']}/{row['type_code']}": row for row in csv.DictReader(file)
        }
    table = load_limits().told
    assert len(table.types) > 40
    for code, kind in table.types.items():
        row = observed[kind.source]
        assert kind.title["zh"] == row["type_zh"], code
        known = {limit for text in row["time_limits_observed"].split() for limit in _expanded(text)}
        told = [
            kind.limit,
            *(row.limit for row in table.conditions.values() if code in row.types and row.limit),
        ]
        assert set(told) <= known, code


def _expanded(text: str) -> list[str]:
    """`1/2/5wd` as three limits."""
    match = re.fullmatch(r"(U?)([\d/]+)(h|d|wh|wd)", text)
    assert match is not None
    return [f"{match[1]}{number}{match[3]}" for number in match[2].split("/")]
