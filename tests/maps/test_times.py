"""`datetime`: what it reads, and which entities it selects, against a plain comparison of intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.maps.times import in_period, parse_period
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.time import format_datetime, parse_datetime

NOON = "2026-05-01T12:00:00Z"
WORD = "https://uri.etsi.org/ngsi-ld/default-context/"


def entity(**observed: str) -> Entity:
    return Entity(
        id="urn:a:1",
        attributes={
            WORD + name: [Attribute(kind="Property", value=1, observed_at=at)]
            for name, at in observed.items()
        },
    )


def told(value: object) -> Entity:
    return Entity(attributes={WORD + "dateObserved": [Attribute(kind="Property", value=value)]})


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        (NOON, NOON, NOON),
        ("2026-05-01t14:00:00+02:00", NOON, NOON),
        ("2026-05-01T12:00:00z", NOON, NOON),
        ("2026-05-01", "2026-05-01T00:00:00Z", "2026-05-01T23:59:59.999999Z"),
        (f"{NOON}/2026-06-01T00:00:00Z", NOON, "2026-06-01T00:00:00Z"),
        (f"../{NOON}", None, NOON),
        (f"/{NOON}", None, NOON),
        (f"{NOON}/..", NOON, None),
        (f"{NOON}/", NOON, None),
        ("2026-05-01/2026-05-02", "2026-05-01T00:00:00Z", "2026-05-02T23:59:59.999999Z"),
    ],
)
def test_parse_period_reads_instants_and_intervals(text: str, first: str | None, last: str | None) -> None:
    expected = tuple(None if each is None else parse_datetime(each) for each in (first, last))
    assert parse_period(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "../..",
        "yesterday",
        "2026-13-01",
        f"{NOON}/{NOON}/{NOON}",
        f"{NOON}/2020-01-01",
        "2026-05-01T12:00:00",
    ],
)
def test_parse_period_refuses_what_is_none(text: str) -> None:
    with pytest.raises(BadRequestData, match="datetime is invalid"):
        parse_period(text)


def test_time_is_that_of_the_newest_observation() -> None:
    lamp = entity(level="2026-05-01T10:00:00Z", state=NOON, broken="never")
    assert in_period(lamp, parse_period(NOON))
    assert not in_period(lamp, parse_period("../2026-05-01T11:00:00Z"))


def test_entity_without_time_is_in_every_period() -> None:
    assert in_period(Entity(), parse_period(NOON))
    assert in_period(told("long ago"), parse_period(NOON))


def test_date_observed_is_the_time_where_nothing_was_stamped() -> None:
    for value in (NOON, {"@type": "DateTime", "@value": NOON}):
        assert in_period(told(value), parse_period(NOON))
        assert not in_period(told(value), parse_period("2026-05-02/.."))
    hour = told(f"{NOON}/2026-05-01T13:00:00Z")
    assert in_period(hour, parse_period("2026-05-01T12:30:00Z"))
    assert not in_period(hour, parse_period("2026-05-01T13:30:00Z"))


times = st.integers(0, 10)
ends = st.none() | times


@given(at=times, start=ends, end=ends)
def test_in_period_is_a_comparison(at: int, start: int | None, end: int | None) -> None:
    if (start is None and end is None) or (start is not None and end is not None and start > end):
        return
    text = "/".join(".." if each is None else format_datetime(each * 1_000_000) for each in (start, end))
    lamp = entity(state=format_datetime(at * 1_000_000))
    expected = (start is None or start <= at) and (end is None or at <= end)
    assert in_period(lamp, parse_period(text)) is expected


def test_what_is_no_time_is_told_as_it_was_written() -> None:
    with pytest.raises(BadRequestData, match="'yesterday'"):
        parse_period("yesterday")
    assert parse_period("2026-05-01t12:00:00z") == parse_period("2026-05-01T12:00:00Z")
