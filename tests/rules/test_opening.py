"""Opening rules against a count of minutes, and the sun against almanacs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime
from cityloom.rules.daytime import active_during, lasted, sun_elevation
from cityloom.rules.kept import read_table
from cityloom.rules.kinds import check_table, whole
from cityloom.rules.opening import Heard, OpeningRule, faults, opening_rules
from tests.rules.opened import RULES

MINUTE = 60_000_000
START = parse_datetime("2026-03-28T12:00:00Z")
"""Half a day before the hour changes in Berlin."""
ZONE = ZoneInfo("Europe/Berlin")
LENGTH = 3000
LOCAL = [
    local.hour * 60 + local.minute
    for minute in range(LENGTH + 1)
    for local in [datetime.fromtimestamp(START / 1e6 + minute * 60, UTC).astimezone(ZONE)]
]


def rule(**outputs: Any) -> OpeningRule:
    row = {
        "when": {"entityType": "River", "attribute": "level", "value": ">= 5"},
        "then": {"caseType": "flooded-road", **outputs},
    }
    return opening_rules(read_table({**RULES, "rows": [row]}))[0]


def counted(told: dict[int, int], wait: int, hours: tuple[int, int] | None, over: int | None) -> list[int]:
    """The minutes at which a case is opened, by looking at each minute."""
    found, fault, opened, since = [], False, False, None
    for minute, now in enumerate(LOCAL):
        looked = hours is None or (
            hours[0] <= now < hours[1] if hours[0] < hours[1] else now >= hours[0] or now < hours[1]
        )
        value = told.get(minute)
        for after_the_value in (False, True):
            if after_the_value:
                if value is None:
                    continue
                if opened:
                    if value < 5 if over is None else value < over:
                        opened, fault = False, False
                else:
                    fault = value >= 5
            if not fault or opened or not looked:
                since = None
                continue
            since = minute if since is None else since
            if minute - since >= wait:
                found.append(minute)
                opened = True
    return found


@settings(deadline=None)
@given(
    st.dictionaries(st.integers(0, LENGTH), st.integers(1, 6), max_size=40),
    st.sampled_from([0, 1, 30, 600]),
    st.sampled_from([None, (22 * 60, 6 * 60), (2 * 60, 3 * 60), (60, 150), (8 * 60, 20 * 60)]),
    st.sampled_from([None, 3]),
)
def test_cases_are_opened_at_the_minutes_that_a_count_finds(
    told: dict[int, int], wait: int, hours: tuple[int, int] | None, over: int | None
) -> None:
    assume(hours is None or wait < (hours[1] - hours[0]) % 1440)
    during = "" if hours is None else "-".join(f"{m // 60:02d}:{m % 60:02d}" for m in hours)
    outputs = {
        "for": f"PT{wait}M" if wait else "",
        "during": during,
        "overWhen": "" if over is None else f"< {over}",
    }
    values = [Heard(at=START + m * MINUTE, firing=str(m), value=told[m]) for m in sorted(told)]
    active = active_during(during, ZONE, 13.4, 52.5)
    found = faults(rule(**outputs), values, active, START + LENGTH * MINUTE)
    assert [(one.due or 0) - START for one in found] == [m * MINUTE for m in counted(told, wait, hours, over)]


@settings(deadline=None)
@given(st.lists(st.integers(0, LENGTH), unique=True, min_size=1, max_size=30))
def test_a_silence_is_due_after_each_gap(minutes: list[int]) -> None:
    minutes.sort()
    silent = replace(rule(), fault=None, silence=90 * MINUTE)
    values = [Heard(at=START + m * MINUTE, firing=str(m), value=1) for m in minutes]
    found = faults(silent, values, None, START + LENGTH * MINUTE)
    gaps = [m + 90 for m, n in zip(minutes, [*minutes[1:], LENGTH], strict=True) if n - m >= 90]
    assert [((one.due or 0) - START) // MINUTE for one in found] == gaps


@pytest.mark.parametrize(
    ("lon", "lat", "at", "height"),
    [
        # The sun's centre at sunrise and sunset of almanacs: Boston 21 June 2011 05:07 and 20:25 EDT,
        # Shanghai 1 December 2026 06:36 and 16:51; noon in Greenwich at the solstices: 90 - 51.48 +- 23.44.
        (-71.06, 42.36, "2011-06-21T09:07:00Z", -0.83),
        (-71.06, 42.36, "2011-06-22T00:24:30Z", -0.83),
        (121.47, 31.23, "2026-11-30T22:36:00Z", -0.83),
        (121.47, 31.23, "2026-12-01T08:51:30Z", -0.83),
        (0.0, 51.48, "2026-06-21T12:02:00Z", 61.96),
        (0.0, 51.48, "2026-12-21T11:58:00Z", 15.08),
    ],
)
def test_the_sun_stands_where_almanacs_have_it(lon: float, lat: float, at: str, height: float) -> None:
    assert sun_elevation(parse_datetime(at), lon, lat) == pytest.approx(height, abs=0.3)


def test_a_night_that_does_not_come_for_months_is_waited_for() -> None:
    night = active_during("night", ZONE, 18.96, 69.65)  # Tromso, where the sun does not set in June
    begun = parse_datetime("2026-06-01T12:00:00Z")
    due = lasted(night, begun, 30 * MINUTE)
    assert due is not None
    assert parse_datetime("2026-07-20T00:00:00Z") < due < parse_datetime("2026-07-30T00:00:00Z")


@pytest.mark.parametrize(
    ("when", "then", "says"),
    [
        ({"value": "-"}, {}, "either value or silence is required"),
        ({}, {"silence": "PT1H"}, "either value or silence is required, not both"),
        ({"value": "-"}, {"silence": "PT1H", "for": "PT1H"}, "it goes neither with for"),
        ({}, {"overWhen": "< 6"}, "a value would be the fault and its end"),
        ({}, {"overWhen": "calm"}, "another kind of values"),
        ({}, {"during": "dusk"}, "neither night nor a time of the day"),
        ({}, {"during": "10:00-10:05"}, "shorter than 15 minutes"),
        ({}, {"during": "22:00-06:00", "for": "PT8H"}, "PT8H is not shorter than 22:00-06:00"),
        ({}, {"during": "night", "for": "P1D"}, "P1D is not shorter than night"),
        ({"entityType": "-"}, {}, "entityType is required"),
        ({"attribute": "not(level)"}, {}, "attribute is required"),
        ({}, {"caseType": ""}, "caseType is required"),
    ],
)
def test_an_opening_rule_that_cannot_be_is_refused(
    when: dict[str, Any], then: dict[str, Any], says: str
) -> None:
    row = {
        "when": {"entityType": "River", "attribute": "level", "value": ">= 5", **when},
        "then": {"caseType": "flooded-road", **then},
    }
    with pytest.raises(BadRequestData) as caught:
        whole(read_table({**RULES, "rows": [row]}))
    assert says in caught.value.detail


def test_the_rules_of_these_tests_are_whole() -> None:
    assert check_table(read_table(RULES)) == []
