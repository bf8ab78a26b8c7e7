from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.connect.occurrences import Occurrences
from cityloom.connect.rejects import RowRejected
from cityloom.connect.times import Stamp, Stamps, iso
from cityloom.model.time import format_datetime, parse_datetime

boston = Stamps("America/New_York")


def utc(text: str) -> int:
    return parse_datetime(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2011-07-01T01:32:33", "2011-07-01T05:32:33Z"),
        ("2011-12-01 01:32:33", "2011-12-01T06:32:33Z"),
        ("2011-07-01T01:32:33Z", "2011-07-01T01:32:33Z"),
        ("2011-07-01T01:32:33.25+08:00", "2011-06-30T17:32:33.25Z"),
        (" 2011-07-01 ", "2011-07-01T04:00:00Z"),
        (datetime(2011, 7, 1, tzinfo=UTC), "2011-07-01T00:00:00Z"),
        (date(2011, 7, 1), "2011-07-01T04:00:00Z"),
    ],
)
def test_read_gives_the_instant(value: Any, expected: str) -> None:
    assert iso(boston.read(value, "t").micros) == expected


def test_read_tells_both_readings_of_the_hour_that_occurs_twice() -> None:
    stamp = boston.read("2020-11-01T01:15:00", "t")
    assert (iso(stamp.micros), iso(stamp.second or 0)) == ("2020-11-01T05:15:00Z", "2020-11-01T06:15:00Z")


def test_read_takes_the_hour_that_does_not_exist_with_the_earlier_offset() -> None:
    stamp = boston.read("2020-03-08T02:30:00", "t")
    assert stamp.gap
    assert iso(stamp.micros) == "2020-03-08T07:30:00Z"


@pytest.mark.parametrize(
    ("format", "value", "expected"),
    [
        ("epoch", "1700000000", "2023-11-14T22:13:20Z"),
        ("epochMillis", 1_700_000_000_500, "2023-11-14T22:13:20.5Z"),
        ("epochMillis", -3_029_443_200_000, "1874-01-01T00:00:00Z"),
        ("%m/%d/%Y %H:%M", "07/01/2011 01:32", "2011-07-01T05:32:00Z"),
    ],
)
def test_read_knows_other_formats(format: str, value: Any, expected: str) -> None:
    assert iso(Stamps("America/New_York", format).read(value, "t").micros) == expected


@pytest.mark.parametrize(
    "value", ["yesterday", "2011-02-30", "", 5, "99999-01-01", "0001-01-01T00:00:00+23:00"]
)
def test_read_rejects_what_is_no_time(value: Any) -> None:
    with pytest.raises(RowRejected, match="t is invalid"):
        boston.read(value, "t")


def test_read_rejects_local_time_when_no_zone_is_known() -> None:
    with pytest.raises(RowRejected) as caught:
        Stamps("").read("2011-07-01T00:00:00", "t")
    assert caught.value.reason == "time without zone"


@given(st.integers(-60_000_000_000_000_000, 250_000_000_000_000_000))
def test_iso_writes_what_the_model_writes(micros: int) -> None:
    assert iso(micros) == format_datetime(micros)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12))))
def test_occurrences_count_like_a_plain_counter(rows: list[tuple[str, int]]) -> None:
    occurrences, oracle = Occurrences(None), Counter[tuple[str, int]]()
    for entity_id, micros in rows:
        assert occurrences.of(entity_id, Stamp(micros), True) == (micros, oracle[entity_id, micros])
        oracle[entity_id, micros] += 1


def test_occurrences_take_the_second_time_of_an_hour_as_another_instant() -> None:
    occurrences = Occurrences(None)
    stamp = boston.read("2020-11-01T01:15:00", "t")
    found = [occurrences.of("a", stamp, True) for _ in range(3)]
    assert [(iso(micros), occurrence) for micros, occurrence in found] == [
        ("2020-11-01T05:15:00Z", 0),
        ("2020-11-01T06:15:00Z", 0),
        ("2020-11-01T06:15:00Z", 1),
    ]


@pytest.mark.parametrize("now", ["2020-11-01T05:16:00Z", "2020-11-01T06:16:00Z"])
def test_occurrences_of_a_feed_take_the_reading_nearer_to_now(now: str) -> None:
    occurrences = Occurrences(lambda: utc(now))
    micros, _ = occurrences.of("a", boston.read("2020-11-01T01:15:00", "t"), True)
    assert abs(utc(now) - micros) == 60_000_000
