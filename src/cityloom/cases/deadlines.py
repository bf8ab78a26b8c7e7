"""Countdowns: the clocks of a case, as values. What has been used of a limit, what is left, until when.

A countdown keeps the spans of time in which it ran, not a number that is counted down:
so a pause keeps the work time that is left, and an edited calendar gives every
open deadline anew. Times are microseconds since 1970 (UTC); all arithmetic is of whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.clocks.limits import Limit
from cityloom.model.errors import BadRequestData, ConfigurationError, Conflict
from cityloom.model.time import format_datetime

Light = Literal["green", "amber", "red"]
State = Literal["running", "paused", "stopped"]


class Span(Struct, frozen=True, omit_defaults=True):
    """A time in which a countdown ran; `until` is None while it runs, and where it ran to its end."""

    since: int
    until: int | None = None


class Countdown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One clock of a case.

    `clock` is its name in the workflow, `holder` the department it counts for ("" for
    none), `limits` the first limit and what was granted later, all continuous or
    all of work time; `stopped` is when it ended.
    """

    clock: str
    holder: str = ""
    limits: tuple[Limit, ...]
    spans: tuple[Span, ...]
    stopped: int | None = None

    @property
    def state(self) -> State:
        """Whether it runs, stands for a while, or has ended."""
        if self.stopped is not None:
            return "stopped"
        return "running" if self.spans[-1].until is None else "paused"

    @property
    def halted(self) -> int | None:
        """Since when it has not run; None while it runs."""
        until = self.spans[-1].until
        return self.stopped if until is None else until


class Reading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a countdown shows at one time: all lengths in microseconds of its own measure.

    `remaining` is below zero when more was used than granted. `amber` is when four fifths are used,
    `deadline` when all is; None while it is paused before that: it then moves with the time.
    `calendar` is the version of the calendar that it was read by.
    """

    clock: str
    holder: str = ""
    state: State
    at: int
    limit: int
    used: int
    remaining: int
    amber: int | None = None
    deadline: int | None = None
    light: Light
    calendar: str


class DeadlineChange(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an edited calendar made of one open countdown, for the log.

    `remaining_before` is None where the calendar before had a hole that it met.
    """

    case: str
    clock: str
    deadline_before: int | None
    deadline_after: int | None
    remaining_before: int | None
    remaining_after: int
    calendar_before: str
    calendar_after: str


def start(clock: str, limit: Limit, at: int, holder: str = "") -> Countdown:
    """A countdown that runs from `at`."""
    return Countdown(clock=clock, holder=holder, limits=(limit,), spans=(Span(at),))


def pause(countdown: Countdown, at: int) -> Countdown:
    """It stands from `at`, and keeps what is left. Raises Conflict: it does not run, or began later."""
    if countdown.state != "running":
        raise Conflict(f"clock {countdown.clock} does not run: it is {countdown.state}")
    _refuse_before(countdown, at)
    return replace(countdown, spans=_closed(countdown.spans, at))


def resume(countdown: Countdown, at: int) -> Countdown:
    """It runs on from `at` with what was left, after a pause or an end.

    Raises:
        Conflict: it runs already, or it was halted later than `at`.
    """
    if countdown.state == "running":
        raise Conflict(f"clock {countdown.clock} runs already")
    _refuse_before(countdown, at)
    spans = countdown.spans if countdown.stopped is None else _closed(countdown.spans, countdown.stopped)
    return replace(countdown, spans=(*spans, Span(at)), stopped=None)


def stop(countdown: Countdown, at: int) -> Countdown:
    """It ends at `at`. Raises Conflict: it has ended, or was begun or paused later."""
    if countdown.state == "stopped":
        raise Conflict(f"clock {countdown.clock} has ended already")
    _refuse_before(countdown, at)
    return replace(countdown, stopped=at)


def extend(countdown: Countdown, limit: Limit) -> Countdown:
    """It is granted `limit` more.

    Raises:
        BadRequestData: one counts work time and the other does not.
    """
    if limit.continuous != countdown.limits[0].continuous:
        kind = "continuous" if countdown.limits[0].continuous else "work"
        raise BadRequestData(
            f"extension is invalid: clock {countdown.clock} counts {kind} time, {limit} does not"
        )
    return replace(countdown, limits=(*countdown.limits, limit))


def dispatch(
    countdown: Countdown | None, clock: str, limit: Limit, at: int, holder: str
) -> tuple[Countdown | None, Countdown]:
    """The work goes to `holder`: to the same department the clock goes on, for another one begins anew.

    Returns:
        (the old countdown, ended, where another begins; the one that runs now)
    """
    if countdown is None:
        return None, start(clock, limit, at, holder)
    if countdown.holder == holder:
        return None, countdown if countdown.state == "running" else resume(countdown, at)
    ended = countdown if countdown.state == "stopped" else stop(countdown, at)
    return ended, start(clock, limit, at, holder)


def read(countdown: Countdown, calendar: Calendar, at: int) -> Reading:
    """What it shows at `at`, which is not before the last thing that happened to it.

    The light is green until four fifths of the limit are used, amber until the deadline,
    red after it: at night too, when no work time passes.

    Raises:
        ConfigurationError: the calendar says nothing of a time that is needed.
    """
    limit = sum(one.micros(calendar) for one in countdown.limits)
    used = _used(countdown, calendar, at)
    deadline = _reached(countdown, calendar, limit)
    amber = _reached(countdown, calendar, limit * 4 // 5)
    seen = at if countdown.halted is None else countdown.halted
    light: Light = "green"
    if deadline is not None and seen > deadline:
        light = "red"
    elif amber is not None and seen > amber:
        light = "amber"
    return Reading(
        clock=countdown.clock,
        holder=countdown.holder,
        state=countdown.state,
        at=at,
        limit=limit,
        used=used,
        remaining=limit - used,
        amber=amber,
        deadline=deadline,
        light=light,
        calendar=calendar.version,
    )


def deadline_of(countdown: Countdown, calendar: Calendar) -> int | None:
    """The first instant at which the whole limit is used; None while it is paused with something left.

    One that was stopped while it ran keeps the deadline that it had.

    Raises:
        ConfigurationError: the calendar ends before.
    """
    return _reached(countdown, calendar, sum(one.micros(calendar) for one in countdown.limits))


def changes(
    countdowns: Iterable[tuple[str, Countdown]], before: Calendar, after: Calendar, at: int
) -> list[DeadlineChange]:
    """What the calendar `after` makes of the open countdowns that were reckoned by `before`.

    Args:
        countdowns: (id of the case, countdown); what has ended is passed over and keeps its readings.
        at: when the calendar is exchanged.

    Returns:
        one change for each whose deadline or remaining time is another one.

    Raises:
        ConfigurationError: `after` has a hole where an open countdown needs it; names the case.
    """
    found = []
    for case, countdown in countdowns:
        if countdown.state == "stopped" or countdown.limits[0].continuous:
            continue
        try:
            new = read(countdown, after, at)
        except ConfigurationError as error:
            raise ConfigurationError(f"case {case}, clock {countdown.clock}: {error.detail}") from None
        try:
            old = read(countdown, before, at)
        except ConfigurationError:
            old = None  # the calendar that fills a hole is what was waited for
        if old is None or (old.deadline, old.remaining) != (new.deadline, new.remaining):
            found.append(
                DeadlineChange(
                    case=case,
                    clock=countdown.clock,
                    deadline_before=None if old is None else old.deadline,
                    deadline_after=new.deadline,
                    remaining_before=None if old is None else old.remaining,
                    remaining_after=new.remaining,
                    calendar_before=before.version,
                    calendar_after=after.version,
                )
            )
    return found


def _used(countdown: Countdown, calendar: Calendar, at: int) -> int:
    now = at if countdown.stopped is None else countdown.stopped
    ran = ((span.since, now if span.until is None else span.until) for span in countdown.spans)
    if countdown.limits[0].continuous:
        return sum(until - since for since, until in ran)
    return sum(calendar.worked(until) - calendar.worked(since) for since, until in ran)


def _reached(countdown: Countdown, calendar: Calendar, amount: int) -> int | None:
    """The first instant at which `amount` (more than none) is used; a span without end is taken to go on."""
    continuous = countdown.limits[0].continuous
    left = amount
    for span in countdown.spans:
        begun = span.since if continuous else calendar.worked(span.since)
        if span.until is not None:
            ran = (span.until if continuous else calendar.worked(span.until)) - begun
            if ran < left:
                left -= ran
                continue
        return begun + left if continuous else calendar.reached(begun + left)
    return None


def _closed(spans: tuple[Span, ...], at: int) -> tuple[Span, ...]:
    return (*spans[:-1], Span(spans[-1].since, at if spans[-1].until is None else spans[-1].until))


def _refuse_before(countdown: Countdown, at: int) -> None:
    last = countdown.spans[-1]
    moved = max(last.since, last.until or last.since, countdown.stopped or last.since)
    if at < moved:
        raise Conflict(
            f"clock {countdown.clock}: {format_datetime(at)} is before {format_datetime(moved)}, "
            f"when it was last moved"
        )
