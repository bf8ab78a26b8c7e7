"""Times on the wire and in the store agree with the standard library's."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.model.errors import BadRequestData
from cityloom.model.time import format_datetime, parse_datetime, parse_duration

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 30))
offsets = st.integers(-14 * 60, 14 * 60)


@given(moments, offsets)
def test_parse_datetime_agrees_with_the_standard_library(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (aware - EPOCH) // timedelta(microseconds=1)
    assert parse_datetime(aware.isoformat()) == expected


@given(moments)
def test_format_datetime_round_trips(moment: datetime) -> None:
    micros = (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert parse_datetime(format_datetime(micros)) == micros


@pytest.mark.parametrize(
    "text",
    ["", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "now", "1"],
)
def test_parse_datetime_refuses_and_names_the_place(text: str) -> None:
    with pytest.raises(BadRequestData, match="observedAt is invalid"):
        parse_datetime(text, "observedAt")


def test_parse_datetime_reads_a_comma_before_the_fraction() -> None:
    assert parse_datetime("1970-01-01T00:00:01,5Z") == 1_500_000


@pytest.mark.parametrize(
    ("text", "months", "micros"),
    [
        ("PT15M", 0, 900_000_000),
        ("P1D", 0, 86_400_000_000),
        ("P1W", 0, 7 * 86_400_000_000),
        ("P1Y2M", 14, 0),
        ("PT0S", 0, 0),
        ("PT0.5S", 0, 500_000),
    ],
)
def test_parse_duration_keeps_months_apart(text: str, months: int, micros: int) -> None:
    assert parse_duration(text) == (months, micros)


@pytest.mark.parametrize("text", ["", "P", "PT", "P1", "1D", "P1DT", "-P1D", "P1H"])
def test_parse_duration_refuses(text: str) -> None:
    with pytest.raises(BadRequestData):
        parse_duration(text)
