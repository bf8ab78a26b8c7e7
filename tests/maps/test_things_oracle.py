"""Filters, orders and pages of Observations against plain Python over the records that were put in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.model.errors import BadRequestData, InvalidRequest, NotBuilt
from cityloom.model.time import format_datetime
from tests.maps.things import (
    MINUTE,
    NOON,
    RECORDS,
    ROOF,
    A,
    B,
    C,
    Record,
    ThingsCity,
    key,
    quoted,
    record_key,
)

Test = Callable[[Record], Any]
Condition = tuple[str, Test]
"""A filter as text, and what it means."""

OPERATORS = {
    "eq": lambda one, other: one == other,
    "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
}


def kind(value: Any) -> str:
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def compared(operator: str, one: Any, other: Any) -> bool:
    """Values of different kinds are just not equal."""
    if kind(one) != kind(other):
        return operator == "ne"
    if one is None:
        return operator == "eq"
    return bool(OPERATORS[operator](one, other))


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value.replace(chr(39), chr(39) * 2)}'" if isinstance(value, str) else repr(value)


def number(value: Any, change: Callable[[Any], Any]) -> Any:
    return change(value) if kind(value) == "number" else None


operators = st.sampled_from(sorted(OPERATORS))
values = st.one_of(
    st.integers(-4, 10),
    st.integers(-8, 20).map(lambda half: half / 2),
    st.booleans(),
    st.sampled_from(["ok", "low", "error", "", "it's"]),
)
minutes = st.integers(-12, 22)


@st.composite
def of_result(draw: st.DrawFn) -> Condition:
    operator, value = draw(operators), draw(values)
    left, change = draw(
        st.sampled_from(
            [
                ("result", lambda result: result),
                ("(result add 2)", lambda result: number(result, lambda it: it + 2)),
                ("result mul 2 sub 1", lambda result: number(result, lambda it: it * 2 - 1)),
                ("result div 4", lambda result: number(result, lambda it: it / 4)),
                ("floor(result)", lambda result: number(result, lambda it: it // 1)),
                ("length(result)", lambda result: len(result) if isinstance(result, str) else None),
                ("toupper(result)", lambda result: result.upper() if isinstance(result, str) else None),
            ]
        )
    )
    if draw(st.booleans()):
        return f"{left} {operator} {text_of(value)}", lambda each: compared(
            operator, change(each.result), value
        )
    return f"{text_of(value)} {operator} {left}", lambda each: compared(operator, value, change(each.result))


@st.composite
def of_time(draw: st.DrawFn) -> Condition:
    operator, minute = draw(operators), draw(minutes)
    name = draw(st.sampled_from(["phenomenonTime", "resultTime"]))
    moment = format_datetime(NOON + minute * MINUTE)
    if draw(st.booleans()):
        return f"{name} {operator} {moment}", lambda each: compared(operator, each.time, minute)
    return f"{moment} {operator} {name}", lambda each: compared(operator, minute, each.time)


@st.composite
def of_part_of_time(draw: st.DrawFn) -> Condition:
    part, value, operator = draw(st.sampled_from(["hour", "minute", "day"])), draw(minutes), draw(operators)

    def test(each: Record) -> bool:
        moment = datetime.fromisoformat(each.moment)
        return compared(operator, getattr(moment, part), value)

    return f"{part}(phenomenonTime) {operator} {value}", test


of_text = st.sampled_from(["o", "ow", "", "ok"]).flatmap(
    lambda part: st.sampled_from(
        [
            (
                f"substringof('{part}', result)",
                lambda each: isinstance(each.result, str) and part in each.result,
            ),
            (f"contains(result,'{part}')", lambda each: isinstance(each.result, str) and part in each.result),
            (
                f"startswith(result,'{part}')",
                lambda each: str(each.result).startswith(part) and isinstance(each.result, str),
            ),
            (
                f"endswith(result, '{part}') eq true",
                lambda each: isinstance(each.result, str) and each.result.endswith(part),
            ),
        ]
    )
)
of_way = st.sampled_from(
    [
        ("Datastream/ObservedProperty/name eq 'no2'", lambda each: each.attribute == "no2"),
        (f"Datastream/Thing/id eq '{B}'", lambda each: each.entity == B),
        (f"Datastream/@iot.id eq '{A}|no2|{ROOF}'", lambda each: each.dataset == ROOF),
        ("FeatureOfInterest/name ne 'Station a'", lambda each: each.entity != A),
        ("Datastream/Thing/name eq 'Station c'", lambda each: each.entity == C),
        ("Datastream/Thing/properties/type eq 'AirStation'", lambda each: True),
        ("Datastream/Thing/properties/owner eq 'nobody'", lambda each: False),
        ("Datastream/unitOfMeasurement/symbol eq null", lambda each: each.attribute != "no2"),
        (
            "result in ('ok',3)",
            lambda each: each.result == "ok" or (kind(each.result) == "number" and each.result == 3),
        ),
    ]
)


def joined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    def both(pair: tuple[Condition, Condition]) -> Condition:
        return (
            f"({pair[0][0]} and {pair[1][0]})",
            lambda each: bool(pair[0][1](each)) and bool(pair[1][1](each)),
        )

    def either(pair: tuple[Condition, Condition]) -> Condition:
        return (
            f"({pair[0][0]} or {pair[1][0]})",
            lambda each: bool(pair[0][1](each)) or bool(pair[1][1](each)),
        )

    def neither(one: Condition) -> Condition:
        return f"not ({one[0]})", lambda each: not one[1](each)

    pairs = st.tuples(inner, inner)
    return pairs.map(both) | pairs.map(either) | inner.map(neither)


conditions = st.recursive(
    of_result() | of_time() | of_part_of_time() | of_text | of_way, joined, max_leaves=5
)


@settings(max_examples=400, deadline=None)
@given(condition=conditions)
def test_filter_selects_what_it_means(things: ThingsCity, condition: Condition) -> None:
    text, test = condition
    found = things.ask("Observations", filter=text, count="true", top=1000)
    expected = sorted(record_key(record) for record in RECORDS if test(record))
    assert sorted(map(key, found["value"])) == expected
    assert found["@iot.count"] == len(expected)


@settings(max_examples=150, deadline=None)
@given(
    condition=st.none() | of_result() | of_time(),
    latest_first=st.booleans(),
    top=st.integers(1, 40),
    skip=st.integers(0, 50),
    path=st.sampled_from(["Observations", "", f"FeaturesOfInterest({quoted(B)})/Observations"]),
)
def test_pages_by_time_hold_everything_once_and_in_order(
    things: ThingsCity, condition: Condition | None, latest_first: bool, top: int, skip: int, path: str
) -> None:
    datastream = f"{A}|no2"
    path = path or f"Datastreams({quoted(datastream)})/Observations"
    options: dict[str, Any] = {"orderby": f"phenomenonTime {'desc' if latest_first else 'asc'}"}
    if condition is not None:
        options["filter"] = condition[0]
    records = [
        record
        for record in RECORDS
        if (
            path == "Observations"
            or (record.entity == B if "Features" in path else record.datastream == datastream)
        )
        and (condition is None or condition[1](record))
    ]
    whole = [key(row) for row in things.ask(path, **options, top=1000)["value"]]
    assert sorted(whole) == sorted(map(record_key, records))
    told = [each[1] for each in whole]
    assert told == sorted(told, reverse=latest_first)
    pages = things.pages(path, **options, top=top, skip=skip)
    assert [key(row) for page in pages for row in page] == whole[skip:]
    assert all(len(page) == top for page in pages[:-1])


@pytest.mark.parametrize("top", [1, 2, 7, 50])
@pytest.mark.parametrize(
    "path",
    [
        "Observations",
        "Things",
        "Datastreams",
        "Sensors",
        "ObservedProperties",
        "HistoricalLocations",
        "Locations",
        "FeaturesOfInterest",
    ],
)
def test_pages_hold_everything_once(things: ThingsCity, path: str, top: int) -> None:
    whole = [row["@iot.id"] for row in things.ask(path, top=1000)["value"]]
    pages = things.pages(path, top=top)
    assert [row["@iot.id"] for page in pages for row in page] == whole
    assert len(set(whole)) == len(whole) > 0
    assert all(len(page) == top for page in pages[:-1])


@settings(max_examples=60, deadline=None)
@given(top=st.integers(1, 200), skip=st.integers(0, 120), descending=st.booleans())
def test_order_by_result(things: ThingsCity, top: int, skip: int, descending: bool) -> None:
    way = "desc" if descending else "asc"
    rows = things.ask(
        "Observations",
        filter="Datastream/ObservedProperty/name eq 'no2'",
        orderby=f"result {way},phenomenonTime",
        top=top,
        skip=skip,
    )["value"]
    numbers = [record for record in RECORDS if record.attribute == "no2"]
    expected = sorted(numbers, key=lambda each: each.time)
    expected = sorted(expected, key=lambda each: each.result, reverse=descending)[skip : skip + top]
    assert [(row["result"], row["phenomenonTime"]) for row in rows] == [
        (record.result, record.moment) for record in expected
    ]


def test_order_of_mixed_kinds_is_total(things: ThingsCity) -> None:
    rows = [row["result"] for row in things.ask("Observations", orderby="result desc", top=1000)["value"]]
    assert [kind(each) for each in rows] == sorted(
        (kind(each) for each in rows), key=["str", "number", "bool"].index
    )
    assert len(rows) == len(RECORDS)


WORDS = ["result", "phenomenonTime", "'", "''", '"', "(", ")", "/", ",", ":", "=", ".", "-", "1", "2.5"]
WORDS += [
    "eq",
    "and",
    "or",
    "not",
    "gt",
    "geography'POINT(1 1)'",
    "null",
    "2026-01-01T00:00:00Z",
    "year(",
    "x",
]
WORDS += ["any(", "all(", "d:d/x", "x=1", "in", "in (", "not(", "@iot.id", "geo.", "duration'P1D'"]
WORDS += ["Datastream/", "$top=1", ";"]


@settings(max_examples=500, deadline=None)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), blank=st.sampled_from(["", " "]))
def test_nonsense_is_refused_by_name_of_its_parameter(
    things: ThingsCity, words: list[str], blank: str
) -> None:
    for option in ("filter", "orderby", "select", "expand"):
        try:
            things.ask("Observations", **{option: blank.join(words)})
        except (BadRequestData, NotBuilt, InvalidRequest) as error:
            refusal = error.detail
        else:
            continue
        assert f"${option}" in refusal


@pytest.mark.parametrize("operator", sorted(OPERATORS))
@pytest.mark.parametrize("name", ["phenomenonTime", "resultTime"])
def test_counts_by_time_alone_are_exact(things: ThingsCity, name: str, operator: str) -> None:
    moment = format_datetime(NOON + 3 * MINUTE)
    expected = sum(1 for record in RECORDS if OPERATORS[operator](record.time, 3))
    for text in (f"{name} {operator} {moment}", f"{name} {operator} {moment} and Datastream/id ne 'x'"):
        assert things.ask("Observations", filter=text, count="true", top=0)["@iot.count"] == expected


async def test_bounds_of_results_see_into_lists_and_other_kinds(tmp_path: Path) -> None:
    city = ThingsCity(tmp_path)
    results: list[Any] = [3, [3, "x"], {"a": 3}, "3", True, 2**70, 7]
    await city.fill([Record(A, "no2", "", minute, result) for minute, result in enumerate(results)])
    for text, expected in (
        ("result eq 3", [3, [3, "x"]]),
        ("result gt 3", [2**70, 7]),
        ("result ge 3 and result lt 8", [3, 7]),
        ("result gt 3 and result lt 3", []),
        ("result lt 1e300 and result gt 7", [2**70]),
        (f"result gt {2**66}", [2**70]),
    ):
        found = city.ask("Observations", filter=text, count="true")
        assert [row["result"] for row in found["value"]] == expected, text
        assert found["@iot.count"] == len(expected), text
    city.store.close()
