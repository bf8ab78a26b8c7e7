from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from cases.test_calendar import USUAL, made
from cityloom.cases.clocks.limits import parse_limit
from cityloom.cases.deadlines import (
    Countdown,
    changes,
    deadline_of,
    dispatch,
    extend,
    pause,
    read,
    resume,
    start,
    stop,
)
from cityloom.model.errors import BadRequestData, ConfigurationError, Conflict
from cityloom.model.time import format_datetime, parse_datetime

HOUR = 3_600_000_000


def at(local: str) -> int:
    """A local time of July 2026 in Shanghai, as day and hours: `02 09:00`."""
    return parse_datetime(f"2026-07-{local[:2]}T{local[3:]}:00+08:00")


def local(micros: int | None) -> str | None:
    return None if micros is None else format_datetime(micros + 8 * HOUR)[8:16].replace("T", " ")


def begun(limit: str, when: str) -> Countdown:
    return start("handle", parse_limit(limit, "limit"), at(when), "water")


def test_a_pause_over_the_weekend_moves_the_deadline_by_its_work_time_alone() -> None:
    # Three work days from Thursday 2 July 09:00 end on Tuesday 7 July 09:00. Friday 17:00 to Monday 09:00
    # are two work hours: Tuesday 7 July 11:00. Taken for 64 hours of work they would give Friday 17 July.
    countdown = begun("3wd", "02 09:00")
    assert local(deadline_of(countdown, made())) == "07 09:00"
    countdown = resume(pause(countdown, at("03 17:00")), at("06 09:00"))
    assert local(deadline_of(countdown, made())) == "07 11:00"


@pytest.mark.parametrize(
    ("limit", "since", "until"),
    [
        ("U2h", "03 23:00", "04 01:00"),
        ("U1d", "04 12:00", "05 12:00"),
        ("4wh", "03 16:00", "06 10:00"),
        ("1wd", "03 08:00", "03 18:00"),
        ("1wd", "04 12:00", "06 18:00"),
        ("30wmin", "03 11:45", "03 14:15"),
    ],
)
def test_a_deadline_is_the_first_instant_with_the_whole_limit_used(
    limit: str, since: str, until: str
) -> None:
    assert local(deadline_of(begun(limit, since), made())) == until


def test_a_work_day_is_as_long_as_the_calendar_says() -> None:
    assert local(deadline_of(begun("1wd", "02 08:00"), made(workDay="PT7H"))) == "02 17:00"


def test_a_reading_tells_used_remaining_and_light() -> None:
    countdown = begun("10wh", "02 08:00")
    seen = [
        (when, read(countdown, made(), at(when)))
        for when in ("02 18:00", "02 18:01", "03 08:01", "03 10:00", "03 10:01", "04 10:00")
    ]
    assert [(when, one.light, one.used // HOUR, one.remaining // HOUR) for when, one in seen] == [
        ("02 18:00", "green", 8, 2),
        ("02 18:01", "amber", 8, 2),
        ("03 08:01", "amber", 8, 1),
        ("03 10:00", "amber", 10, 0),
        ("03 10:01", "red", 10, -1),
        ("04 10:00", "red", 16, -6),
    ]
    assert {local(one.deadline) for _, one in seen} == {"03 10:00"}


def test_a_deadline_that_passed_in_the_evening_is_late_the_same_night() -> None:
    countdown = begun("1wd", "02 08:00")
    assert read(countdown, made(), at("02 18:00")).light == "amber"
    assert read(countdown, made(), at("02 21:00")).light == "red"


def test_a_paused_clock_keeps_what_is_left_and_has_no_deadline() -> None:
    countdown = pause(begun("3wd", "02 09:00"), at("03 17:00"))
    for when in ("03 17:00", "15 12:00"):
        reading = read(countdown, made(), at(when))
        assert (reading.state, reading.remaining // HOUR, reading.deadline, reading.light) == (
            "paused",
            10,
            None,
            "green",
        )


def test_a_clock_paused_after_its_deadline_stays_late() -> None:
    countdown = pause(begun("1wh", "02 09:00"), at("02 11:00"))
    assert read(countdown, made(), at("03 09:00")).light == "red"
    assert local(deadline_of(resume(countdown, at("03 10:00")), made())) == "02 10:00"


def test_the_same_department_goes_on_and_another_begins_anew() -> None:
    limit, calendar = parse_limit("3wd", "limit"), made()
    none, first = dispatch(None, "handle", limit, at("02 09:00"), "water")
    stopped = stop(first, at("02 18:00"))
    none_either, again = dispatch(stopped, "handle", limit, at("03 14:00"), "water")
    assert (none, none_either, read(again, calendar, at("03 14:00")).used) == (None, None, 7 * HOUR)
    ended, other = dispatch(pause(again, at("03 15:00")), "handle", limit, at("03 16:00"), "roads")
    assert ended is not None
    assert (ended.state, ended.holder, read(ended, calendar, at("09 09:00")).used) == (
        "stopped",
        "water",
        8 * HOUR,
    )
    assert (other.holder, local(deadline_of(other, calendar))) == ("roads", "08 16:00")


def test_granted_time_is_added_in_the_clocks_own_measure() -> None:
    countdown = extend(begun("3wd", "02 09:00"), parse_limit("4wh", "limit"))
    assert (
        local(deadline_of(countdown, made())) == "07 14:00"
        or local(deadline_of(countdown, made())) == "07 15:00"
    )
    with pytest.raises(BadRequestData, match="counts work time, U2h does not"):
        extend(countdown, parse_limit("U2h", "limit"))


@pytest.mark.parametrize("move", [pause, resume, stop])
def test_nothing_happens_to_a_clock_before_it_was_last_moved(move: Any) -> None:
    countdown = (
        pause(begun("3wd", "02 09:00"), at("02 10:00")) if move is resume else begun("3wd", "02 09:00")
    )
    with pytest.raises(Conflict, match="is before"):
        move(countdown, at("01 09:00"))


def test_a_clock_is_not_paused_twice_nor_ended_twice_nor_run_twice() -> None:
    running = begun("3wd", "02 09:00")
    for move, countdown in (
        (resume, running),
        (pause, pause(running, at("03 09:00"))),
        (stop, stop(running, at("03 09:00"))),
    ):
        with pytest.raises(Conflict):
            move(countdown, at("04 09:00"))


def test_an_edited_calendar_gives_open_deadlines_anew_and_says_so() -> None:
    storm = deepcopy(USUAL) | {"years": {"2026": {"holidays": {"2026-07-06": "storm"}}}}
    before, after = made(), made(years=storm["years"])
    running, urgent = begun("3wd", "02 09:00"), begun("U3d", "03 09:00")
    paused = pause(running, at("06 12:00"))
    done = stop(running, at("06 12:00"))
    told = changes(
        [("case:1", running), ("case:2", urgent), ("case:3", paused), ("case:4", done)],
        before,
        after,
        at("06 14:00"),
    )
    assert [
        (
            one.case,
            local(one.deadline_before),
            local(one.deadline_after),
            one.remaining_before // HOUR,
            one.remaining_after // HOUR,
        )
        for one in told
    ] == [("case:1", "07 09:00", "08 09:00", 5, 9), ("case:3", None, None, 5, 9)]
    assert {(one.calendar_before, one.calendar_after) for one in told} == {(before.version, after.version)}


def test_an_edited_calendar_with_a_hole_changes_nothing_and_names_the_case() -> None:
    short = made(years={"2026": {}})
    long = made(years={"2026..2027": {}})
    countdown = start("handle", parse_limit("15wd", "limit"), parse_datetime("2026-12-20T00:00:00Z"))
    with pytest.raises(
        ConfigurationError, match=r"case case:9, clock handle: the calendar 'test' has a hole"
    ):
        changes([("case:9", countdown)], long, short, parse_datetime("2026-12-21T00:00:00Z"))
