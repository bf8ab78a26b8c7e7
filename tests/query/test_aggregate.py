"""Aggregation of instances over periods."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.model.entity import NULL, Attribute
from cityloom.model.errors import InvalidRequest
from cityloom.model.history import Instance
from cityloom.model.time import format_datetime, parse_datetime, parse_duration
from cityloom.query.aggregate import aggregate, aggregate_numbers
from cityloom.query.parse import parse_temporal
from cityloom.query.values import TemporalQuery

EVERY = "totalCount,distinctCount,sum,avg,min,max,stddev,sumsq"


def series(*rows: tuple[str, Any], kind: Any = "Property") -> list[Instance]:
    return [
        Instance(name="a", attribute=Attribute(kind=kind, value=value, observed_at=time))
        for time, value in rows
    ]


def asked(methods: str, period: str = "PT0S", **more: str) -> TemporalQuery:
    read = parse_temporal({"aggrMethods": methods, "aggrPeriodDuration": period, **more})
    assert read is not None
    return read


def readable(result: dict[Any, list[tuple[Any, int, int]]]) -> dict[str, list[tuple[Any, str, str]]]:
    return {
        method: [(value, format_datetime(start), format_datetime(end)) for value, start, end in periods]
        for method, periods in result.items()
    }


DAY = [("2020-08-01T12:03:00Z", 1), ("2020-08-01T12:05:00Z", 4), ("2020-08-01T13:00:00Z", 7)]


def test_aggregate_gives_one_value_a_period_that_holds_instances() -> None:
    query = asked("avg,totalCount", "PT1H", timerel="after", timeAt="2020-01-01T12:30:00Z")
    first, second = (
        ("2020-08-01T11:30:00Z", "2020-08-01T12:30:00Z"),
        ("2020-08-01T12:30:00Z", "2020-08-01T13:30:00Z"),
    )
    assert readable(aggregate(series(*DAY), query)) == {
        "avg": [(2.5, *first), (7.0, *second)],
        "totalCount": [(2, *first), (1, *second)],
    }


@pytest.mark.parametrize(
    ("more", "start", "end"),
    [
        (
            {"timerel": "between", "timeAt": "2020-08-01T00:00:00Z", "endTimeAt": "2020-09-01T00:00:00Z"},
            "2020-08-01T00:00:00Z",
            "2020-09-01T00:00:00Z",
        ),
        (
            {"timerel": "after", "timeAt": "2020-08-01T00:00:00Z"},
            "2020-08-01T00:00:00Z",
            "2020-08-01T13:00:00Z",
        ),
        (
            {"timerel": "before", "timeAt": "2020-09-01T00:00:00Z"},
            "2020-08-01T12:03:00Z",
            "2020-09-01T00:00:00Z",
        ),
        ({}, "2020-08-01T12:03:00Z", "2020-08-01T13:00:00Z"),
    ],
)
def test_aggregate_spans_the_whole_range_when_the_period_is_zero(
    more: dict[str, str], start: str, end: str
) -> None:
    assert readable(aggregate(series(*DAY), asked("sum", **more))) == {"sum": [(12, start, end)]}


def test_aggregate_follows_the_calendar_when_periods_are_months() -> None:
    rows = series(*((f"2021-{month:02}-{day:02}T06:00:00Z", month) for month in (1, 2, 3) for day in (1, 28)))
    assert readable(aggregate(rows, asked("sum", "P1M"))) == {
        "sum": [
            (2, "2021-01-01T06:00:00Z", "2021-02-01T06:00:00Z"),
            (4, "2021-02-01T06:00:00Z", "2021-03-01T06:00:00Z"),
            (6, "2021-03-01T06:00:00Z", "2021-04-01T06:00:00Z"),
        ]
    }
    held = aggregate(rows, asked("totalCount", "P1M", timerel="after", timeAt="2021-01-31T00:00:00Z"))
    assert [(start, end) for _, start, end in readable(held)["totalCount"]] == [
        ("2020-12-31T00:00:00Z", "2021-01-31T00:00:00Z"),
        ("2021-01-31T00:00:00Z", "2021-02-28T00:00:00Z"),
        ("2021-02-28T00:00:00Z", "2021-03-31T00:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            [1, 2, 2, 5],
            {
                "totalCount": 4,
                "distinctCount": 3,
                "sum": 10,
                "avg": 2.5,
                "min": 1,
                "max": 5,
                "stddev": 1.5,
                "sumsq": 34,
            },
        ),
        (
            [True, False],
            {
                "totalCount": 2,
                "distinctCount": 2,
                "sum": 1,
                "avg": 0.5,
                "min": 0,
                "max": 1,
                "stddev": 0.5,
                "sumsq": 1,
            },
        ),
        (["b", "a", "b"], {"totalCount": 3, "distinctCount": 2, "min": "a", "max": "b"}),
        (
            [[1, 2], [1], [1]],
            {"totalCount": 3, "distinctCount": 2, "sum": 4, "avg": 4 / 3, "min": 1, "max": 2},
        ),
        ([{"k": 1}, {"k": 1}], {"totalCount": 2, "distinctCount": 1}),
        (
            ["2020-01-01", "2019-01-01"],
            {"totalCount": 2, "distinctCount": 2, "min": "2019-01-01", "max": "2020-01-01"},
        ),
        (
            ["10:00:00Z", "11:00:00Z"],
            {"totalCount": 2, "distinctCount": 2, "avg": "10:30:00Z", "min": "10:00:00Z", "max": "11:00:00Z"},
        ),
        ([1, "a"], {"totalCount": 2, "distinctCount": 2}),
    ],
)
def test_aggregate_follows_the_table_of_data_types(values: list[Any], expected: dict[str, Any]) -> None:
    rows = series(*((f"2020-01-01T00:00:{second:02}Z", value) for second, value in enumerate(values)))
    result = aggregate(rows, asked(EVERY))
    assert {method: periods[0][0] for method, periods in result.items()} == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [("Relationship", "urn:x:1"), ("GeoProperty", {"type": "Point"}), ("VocabProperty", "urn:x")],
)
def test_aggregate_only_counts_what_is_no_value(kind: Any, value: Any) -> None:
    rows = series(("2020-01-01T00:00:00Z", value), kind=kind)
    assert set(aggregate(rows, asked(EVERY))) == {"totalCount", "distinctCount"}


def test_aggregate_refuses_when_no_method_can_be_applied() -> None:
    with pytest.raises(InvalidRequest, match="aggrMethods is invalid: sum, avg"):
        aggregate(series(("2020-01-01T00:00:00Z", "text")), asked("sum,avg"))


def test_aggregate_leaves_out_deletions_and_when_asked_repeats() -> None:
    rows = series(("2020-01-01T00:00:00Z", 1), ("2020-01-01T00:00:00Z", 1), ("2020-01-01T01:00:00Z", NULL))
    rows[1] = Instance(name="a", attribute=rows[1].attribute, occurrence=1)
    query = asked("totalCount,sum")
    assert {method: periods[0][0] for method, periods in aggregate(rows, query).items()} == {
        "totalCount": 2,
        "sum": 2,
    }
    once = TemporalQuery(aggr_methods=["sum"], with_repeats=False)
    assert aggregate(rows, once)["sum"][0][0] == 1
    assert aggregate(rows[2:], query) == {}


def test_aggregate_refuses_periods_beyond_the_calendar() -> None:
    with pytest.raises(InvalidRequest, match="aggrPeriodDuration is invalid"):
        aggregate(series(*DAY), asked("sum", "P9999Y"))
    with pytest.raises(InvalidRequest, match="aggrPeriodDuration is invalid"):
        aggregate(series(*DAY), asked("sum", "P9999999D"))


START = datetime(2019, 12, 15, tzinfo=UTC)


@given(
    values=st.dictionaries(st.integers(0, 200 * 86_400), st.integers(-1000, 1000), min_size=1, max_size=30),
    period=st.sampled_from(["PT15M", "PT1H", "P1D", "P7D", "P1M", "P2M", "P1M3D", "P1Y"]),
    anchored=st.booleans(),
)
def test_aggregate_puts_every_instance_in_exactly_one_period(
    values: dict[int, int], period: str, anchored: bool
) -> None:
    times = {
        (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ"): value
        for second, value in values.items()
    }
    more = {"timerel": "after", "timeAt": "2019-12-01T00:00:00Z"} if anchored else {}
    result = aggregate(series(*times.items()), asked(EVERY, period, **more))
    ends = -math.inf
    for index, (count, start, end) in enumerate(result["totalCount"]):
        assert ends <= start < end
        ends = end
        inside = [value for time, value in times.items() if start <= parse_datetime(time) < end]
        assert count == len(inside)
        assert result["sum"][index][0] == sum(inside)
        assert result["avg"][index][0] == pytest.approx(statistics.fmean(inside))
        assert result["stddev"][index][0] == pytest.approx(statistics.pstdev(inside))
        assert (result["min"][index][0], result["max"][index][0]) == (min(inside), max(inside))
        months, micros = parse_duration(period)
        assert months or end - start == micros
    assert sum(count for count, _, _ in result["totalCount"]) == len(times)


@given(
    st.lists(st.integers(0, 10**13), max_size=30).map(sorted),
    st.sampled_from([st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9).map(lambda number: number + 0.0)]),
    st.sampled_from(["PT0S", "PT1H", "PT7M", "P1D", "P1M", "P1M3DT1S"]),
    st.sampled_from([{}, {"timerel": "after", "timeAt": "1970-01-02T03:04:05Z"}]),
    st.data(),
)
def test_aggregate_numbers_says_what_aggregate_says(
    times: list[int], numbers: Any, period: str, more: dict[str, str], data: st.DataObject
) -> None:
    values = data.draw(st.lists(numbers, min_size=len(times), max_size=len(times)))
    rows = [(format_datetime(time), value) for time, value in zip(times, values, strict=True)]
    query = asked(EVERY, period, **more)
    expected = aggregate(series(*rows), query)
    assert aggregate_numbers(times, values, query) == expected
    for periods in expected.values():
        assert periods == sorted(periods, key=lambda one: one[1])
        assert all(type(bound) is int for _, *bounds in periods for bound in bounds)
