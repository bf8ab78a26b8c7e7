from __future__ import annotations

from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pandas import Timestamp
from pandas.tseries.holiday import USFederalHolidayCalendar

from cityloom.cases.clocks.calendar import Calendar, load_calendar, make_calendar
from cityloom.connect.profile import builtin_profiles, load_profile
from cityloom.model.errors import ConfigurationError
from cityloom.model.time import format_datetime, parse_datetime

HOUR = 3_600_000_000
USUAL: dict[str, Any] = {
    "calendar": "test",
    "timeZone": "Asia/Shanghai",
    "week": {"mon-fri": ["08:00-12:00", "14:00-18:00"], "sat": [], "sun": []},
    "years": {"2026": {}},
}


def made(**changed: Any) -> Calendar:
    return make_calendar({**deepcopy(USUAL), **changed}, "calendar.yaml")


def worked(calendar: Calendar, since: str, until: str) -> float:
    """Work hours between two local times."""
    zone = since[19:] or "+08:00"
    a, b = (parse_datetime(text[:19] + zone) for text in (since, until))
    return (calendar.worked(b) - calendar.worked(a)) / HOUR


def test_worked_counts_hours_of_work_days_alone() -> None:
    calendar = made()
    assert worked(calendar, "2026-07-03T17:00:00", "2026-07-06T09:00:00") == 2
    assert worked(calendar, "2026-07-03T12:00:00", "2026-07-03T14:00:00") == 0
    assert worked(calendar, "2026-07-03T00:00:00", "2026-07-10T00:00:00") == 40


def test_holidays_makeup_days_and_other_hours_change_the_day() -> None:
    year = {
        "holidays": {"2026-10-01..2026-10-07": "National Day"},
        "makeUp": {"2026-10-10": "mon"},
        "hours": {"2026-12-31": ["08:00-12:00"]},
    }
    calendar = made(years={"2026": year})
    assert worked(calendar, "2026-10-01T00:00:00", "2026-10-08T00:00:00") == 0
    assert worked(calendar, "2026-10-10T00:00:00", "2026-10-12T00:00:00") == 8
    assert worked(calendar, "2026-12-31T00:00:00", "2026-12-31T23:59:59") == 4
    assert calendar.free[date(2026, 10, 3)] == "National Day"


def test_a_makeup_day_is_no_holiday_though_each_year_has_one_then() -> None:
    calendar = made(yearly={"10-10": "a day"}, years={"2026": {"makeUp": {"2026-10-10": "mon"}}})
    assert worked(calendar, "2026-10-10T00:00:00", "2026-10-11T00:00:00") == 8
    assert calendar.free == {}


def test_season_has_hours_of_its_own_over_the_turn_of_the_year_too() -> None:
    winter = {"from": "10-01", "until": "04-30", "week": {"mon-fri": ["09:00-12:00"], "sat-sun": []}}
    calendar = made(seasons=[winter])
    assert worked(calendar, "2026-01-05T00:00:00", "2026-01-06T00:00:00") == 3
    assert worked(calendar, "2026-04-30T00:00:00", "2026-05-01T00:00:00") == 3
    assert worked(calendar, "2026-05-01T00:00:00", "2026-05-02T00:00:00") == 8
    assert worked(calendar, "2026-10-01T00:00:00", "2026-10-02T00:00:00") == 3


def test_the_hour_that_is_skipped_is_no_work_and_the_one_shown_twice_counts_twice() -> None:
    night = {"mon-sun": ["00:00-06:00"]}
    calendar = made(timeZone="America/New_York", week=night)
    assert worked(calendar, "2026-03-08T00:00:00-05:00", "2026-03-08T12:00:00") == 5
    assert worked(calendar, "2026-11-01T00:00:00-04:00", "2026-11-01T12:00:00") == 7
    short = made(timeZone="America/New_York", week={"mon-sun": ["01:00-01:30"]})
    assert worked(short, "2026-11-01T00:00:00-04:00", "2026-11-01T12:00:00") == 1


def test_version_is_that_of_what_is_said_not_of_how_it_is_written() -> None:
    turned = dict(reversed(USUAL.items()))
    assert made().version == make_calendar(turned, "other.yaml").version
    assert made().version != made(workDay="PT7H30M").version


@given(st.integers(0, 365 * 24 * 3600 * 1_000_000 - 1), st.integers(1, 60 * 8 * HOUR))
def test_reached_is_the_first_instant_with_that_much_work(since: int, work: int) -> None:
    calendar = made(years={"2026..2027": {}})
    since += calendar.time.since
    goal = calendar.worked(since) + work
    at = calendar.reached(goal)
    assert calendar.worked(at) == goal
    assert calendar.worked(at - 1) == goal - 1


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"years": {"2024": {}, "2026": {}}},
            "years is invalid: the calendar has a hole, 2025 does not exist",
        ),
        ({"years": {}}, "years is required"),
        ({"years": {"2026..2025": {}}}, "'2026..2025' is empty"),
        ({"years": {"next": {}}}, "'next' is no year"),
        ({"years": {"2025..2026": {}, "2026": {}}}, "years.2026 is invalid: 2026 already exists"),
        ({"week": {"mon-fri": ["08:00-12:00"], "sat": []}}, "week.sun is required: the calendar has a hole"),
        ({"week": {"mon-sun": []}}, "there is no work time"),
        ({"week": {"mon-sun": [], "tue": []}}, "week.tue is invalid: tue already exists"),
        ({"week": {"monday": []}}, "'monday' is no weekday"),
        ({"week": {"fri-mon": [], "tue-thu": []}}, "'fri-mon' ends before it begins"),
        ({"week": {"mon-sun": ["12:00-08:00"]}}, "'12:00-08:00' ends before it begins"),
        ({"week": {"mon-sun": ["08:00-12:00", "11:00-13:00"]}}, "'11:00-13:00' begins before"),
        ({"week": {"mon-sun": ["8-12"]}}, "'8-12' is not written as 08:00-12:00"),
        ({"timeZone": "Asia/Atlantis"}, "timeZone is invalid: 'Asia/Atlantis' does not exist"),
        ({"workDay": "P1M"}, "workDay is invalid"),
        ({"workDay": "PT0.5S"}, "workDay is invalid"),
        ({"holidays": {}}, "unknown field `holidays`"),
        (
            {"years": {"2026": {"holidays": {"2026-02-30": ""}}}},
            "years.2026.holidays is invalid: '2026-02-30'",
        ),
        ({"years": {"2026": {"holidays": {"2027-01-01": ""}}}}, "'2027-01-01' is not in 2026"),
        (
            {"years": {"2026": {"holidays": {"2026-10-01": ""}, "makeUp": {"2026-10-01": "mon"}}}},
            "years.2026.makeUp is invalid: 2026-10-01 already stands in years.2026.holidays",
        ),
        (
            {
                "week": {
                    "mon-sun": [
                        f"{hour:02d}:{half}0-{hour:02d}:{half}5" for hour in range(13) for half in (0, 3)
                    ]
                }
            },
            "week.mon-sun is invalid: a day has 24 spans",
        ),
        ({"years": {"2026": {"makeUp": {"2026-10-10": "Friday"}}}}, "'Friday' is no weekday"),
        ({"years": {"2026": {"makeUp": {"2026-10-10": "sun"}}}}, "sun has no working hours"),
        ({"yearly": {"13-01": ""}}, "yearly is invalid"),
        ({"yearly": {"first monday": ""}}, "yearly is invalid: 'first monday'"),
        ({"observed": {"sun": 9}}, "observed.sun is invalid"),
        (
            {"seasons": [{"from": "05-01", "until": "06-01", "week": USUAL["week"]}] * 2},
            "seasons[1] is invalid: 05-01 already stands in another season",
        ),
    ],
)
def test_load_refuses_what_is_wrong_and_names_the_place(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        made(**changed)
    assert sentence in refused.value.detail
    assert refused.value.detail.startswith("calendar.yaml: ")


def test_asked_beyond_its_years_a_calendar_says_so() -> None:
    calendar = made()
    with pytest.raises(ConfigurationError, match="'test' has a hole: it knows 2026-01-01 to 2026-12-31"):
        calendar.worked(parse_datetime("2027-01-01T00:00:00+08:00") + 1)
    with pytest.raises(ConfigurationError, match="hole"):
        calendar.reached(calendar.worked(calendar.time.until) + 1)
    assert format_datetime(calendar.reached(calendar.worked(calendar.time.until))) == "2026-12-31T10:00:00Z"


@pytest.mark.parametrize("name", builtin_profiles())
def test_builtin_calendar_is_in_its_citys_time_zone_and_reaches_beyond_today(name: str) -> None:
    city = load_profile(name)
    calendar = load_calendar(city.folder / "calendar.yaml")
    assert calendar.time_zone == city.profile.time_zone
    now = (datetime.now(UTC) + timedelta(days=60) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    assert calendar.worked(now) > 0


def test_boston_keeps_the_federal_holidays_and_patriots_day() -> None:
    folder = load_profile("boston").folder
    calendar = load_calendar(folder / "calendar.yaml")
    # Federal law moves a Saturday's holiday to Friday, Massachusetts' does not.
    federal = {
        stamp.date()
        for stamp in USFederalHolidayCalendar().holidays(Timestamp(2011, 1, 1), Timestamp(2029, 12, 30))
        if not (stamp.weekday() == 4 and (stamp + timedelta(days=1)).date() in calendar.free)
    }
    working = [day for day in federal if day in calendar.hours]
    assert working == []
    assert {day for day in calendar.free if day.year == 2026 and day.weekday() < 5} - federal == {
        date(2026, 4, 20)
    }


def test_sample_city_has_the_days_of_the_state_councils_notice() -> None:
    # https://www.gov.cn: notice of 4 November 2025, all seven holidays with their make-up days.
    folder = load_profile("sample").folder
    calendar = load_calendar(folder / "calendar.yaml")
    year = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    worked_on = {day for day in year if day in calendar.hours and day.weekday() >= 5}
    free_on = {day for day in year if day not in calendar.hours and day.weekday() < 5}
    assert {f"{day:%m-%d}" for day in worked_on} == {"01-04", "02-14", "02-28", "05-09", "09-20", "10-10"}
    assert len(free_on) == 2 + 6 + 1 + 3 + 1 + 1 + 5
    assert len(calendar.hours) > 2 * 240


def test_calendar_file_is_yaml_with_dates_as_keys(tmp_path: Path) -> None:
    file = tmp_path / "calendar.yaml"
    file.write_text(
        yaml.safe_dump({**USUAL, "years": {2026: {"holidays": {date(2026, 5, 1): "Labour Day"}}}})
    )
    assert date(2026, 5, 1) not in load_calendar(file).hours
