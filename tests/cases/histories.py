"""Generated histories of clocks, and what the code and the oracle make of each."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cases.oracle import CityTime, CountedClock, Facts, Minutes
from cityloom.cases import deadlines
from cityloom.cases.clocks.calendar import Calendar, make_calendar
from cityloom.cases.clocks.limits import Limit, parse_limit
from cityloom.cases.deadlines import Countdown

NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE = 60_000_000
CITIES = (
    ("Asia/Shanghai", 2025),  # no daylight saving
    ("America/New_York", 2025),
    ("Europe/London", 2025),
    ("Australia/Lord_Howe", 2023),  # half an hour of daylight saving
    ("America/Sao_Paulo", 2017),  # the hour changes at midnight
    ("Africa/Casablanca", 2022),  # back and forth around Ramadan
    ("Asia/Kathmandu", 2025),  # five and three quarter hours
    ("Pacific/Apia", 2011),  # 30 December 2011 did not happen
)
DAY_PLANS: tuple[Minutes, ...] = (
    [(480, 720), (840, 1080)],
    [(540, 1020)],
    [(510, 690), (810, 1050)],
    [(0, 360), (1320, 1440)],
    [(90, 165), (600, 900)],
    [(0, 1440)],
)
URGENT = ("U15min", "U30min", "U1h", "U2h", "U1d", "U2d")
WORK = ("30wmin", "1wh", "2wh", "4wh", "11wh", "1wd", "2wd", "3wd", "5wd", "10wd", "15wd")
LIMITS = (*URGENT, *WORK)


@dataclass(frozen=True)
class City:
    """A city with its calendar, and the calendar that it is exchanged for."""

    time: CityTime
    facts: tuple[Facts, Facts]
    calendars: tuple[Calendar, Calendar]
    working: tuple[NDArray[np.bool_], NDArray[np.bool_]]


def text(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def written(facts: Facts) -> dict[str, Any]:
    """The facts as a calendar's file says them."""
    years: dict[str, Any] = {str(facts.year): {}, str(facts.year + 1): {}}
    for part in years.values():
        part["holidays"], part["makeUp"] = {}, {}
    for day in sorted(facts.holidays):
        years[str(day.year)]["holidays"][day.isoformat()] = "free"
    for day, weekday in sorted(facts.makeup.items()):
        years[str(day.year)]["makeUp"][day.isoformat()] = NAMES[weekday]
    week = {
        name: [f"{text(a)}-{text(b)}" for a, b in hours]
        for name, hours in zip(NAMES, facts.week, strict=True)
    }
    return {
        "calendar": facts.zone,
        "timeZone": facts.zone,
        "workDay": f"PT{facts.work_day}M",
        "week": week,
        "years": years,
    }


def draw_facts(rng: random.Random, zone: str, year: int) -> Facts:
    plan = rng.choice(DAY_PLANS)
    week = [plan] * 5 + [rng.choice([[], [], plan[:1]]), []]
    if rng.random() < 0.2:  # a city whose weekend is Friday and Saturday
        week = [plan] * 4 + [[], [], plan]
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(730)]
    days = [day for day in days if day.year in (year, year + 1)]
    holidays: set[date] = set()
    for _ in range(rng.randrange(4, 24)):
        first = rng.randrange(len(days) - 9)
        holidays.update(days[first : first + rng.choice([1, 1, 1, 3, 7])])
    free = [day for day in days if not week[day.weekday()] and day not in holidays]
    makeup = {day: rng.randrange(4) for day in rng.sample(free, rng.randrange(8))}
    return Facts(
        zone=zone,
        year=year,
        week=tuple(week),
        holidays=frozenset(holidays),
        makeup=makeup,
        work_day=rng.choice([480, 480, 450, 420]),
    )


def edited(rng: random.Random, facts: Facts) -> Facts:
    """The same city after an edit: days more or less free; now and then other hours."""
    holidays, makeup = set(facts.holidays), dict(facts.makeup)
    for _ in range(rng.randrange(1, 12)):
        day = date(facts.year, 1, 1) + timedelta(days=rng.randrange(700))
        makeup.pop(day, None)
        holidays.symmetric_difference_update({day})
    week = facts.week if rng.random() < 0.7 else draw_facts(rng, facts.zone, facts.year).week
    makeup = {day: weekday for day, weekday in makeup.items() if week[weekday]}
    return Facts(facts.zone, facts.year, week, frozenset(holidays), makeup, facts.work_day)


def draw_cities(rng: random.Random, calendars: int) -> list[City]:
    """`calendars` pairs of calendars for each of the cities."""
    cities = []
    for zone, year in CITIES:
        time = CityTime(zone, year)
        for _ in range(calendars):
            before = draw_facts(rng, zone, year)
            facts = before, edited(rng, before)
            made = [make_calendar(written(each), "calendar.yaml") for each in facts]
            working = [time.working(each) for each in facts]
            cities.append(City(time, facts, (made[0], made[1]), (working[0], working[1])))
    return cities


def counted(limit: Limit) -> tuple[int, int]:
    """A limit as (minutes, work days)."""
    length = {"urgentMinute": 1, "urgentHour": 60, "urgentDay": 1440, "workMinute": 1, "workHour": 60}
    return (0, limit.amount) if limit.unit == "workDay" else (limit.amount * length[limit.unit], 0)


class History:
    """One case's two clocks, told the same to the code and to the oracle."""

    def __init__(self, rng: random.Random, city: City) -> None:
        self.rng = rng
        self.city = city
        self.calendar = 0
        self.minute = self._beginning()
        self.said: list[str] = []
        self.stage, self.stage_counted = self._begin("handle")
        self.promise, self.promise_counted = self._begin("promise")
        self.ended: list[tuple[Countdown, CountedClock]] = []

    def run(self) -> None:
        """Lives through some events and compares after each edit and at the end."""
        for _ in range(self.rng.randrange(7)):
            self._pass_time()
            self._event()
        self._pass_time()
        self.compare()
        self._to_a_mark()
        self.compare()

    def compare(self) -> None:
        pairs = [(self.stage, self.stage_counted), (self.promise, self.promise_counted), *self.ended]
        for countdown, clock in pairs:
            assert self._by_code(countdown) == self._by_count(clock), (
                self.city.facts[self.calendar],
                self.said,
            )

    def _begin(self, name: str) -> tuple[Countdown, CountedClock]:
        limit = parse_limit(self.rng.choice(LIMITS), "limit")
        holder = self.rng.choice(["water", "roads"]) if name == "handle" else ""
        self.said.append(f"{self._at()} {name} starts: {limit} {holder}")
        return deadlines.start(name, limit, self._micros(), holder), CountedClock(
            limit.continuous, [counted(limit)], self.minute
        )

    def _beginning(self) -> int:
        """Any minute of some fourteen months; every third time shortly before the clocks are changed."""
        first = self.city.time.index(datetime(self.city.facts[0].year, 1, 4))
        turns = [turn for turn in self.city.time.turns if first + 8 * 1440 < turn < first + 420 * 1440]
        if turns and self.rng.random() < 1 / 3:
            return self.rng.choice(turns) - self.rng.randrange(8 * 1440)
        return first + self.rng.randrange(420 * 1440)

    def _pass_time(self) -> None:
        passed = self.rng.choice([0, 1, 7, 45, 90, 600, 1440, 3333, 7 * 1440])
        self._pass_until(self.minute + passed + self.rng.randrange(600))

    def _pass_until(self, minute: int) -> None:
        self.minute = minute
        for clock in (self.stage_counted, self.promise_counted, *(clock for _, clock in self.ended)):
            clock.till(self.minute)

    def _to_a_mark(self) -> None:
        """On to the minute of the stage's deadline, or one beside it, where that is still to come."""
        _, deadline, *_ = self._count(self.stage_counted, self.calendar)
        if deadline is not None and deadline > self.minute:
            self._pass_until(max(deadline + self.rng.choice([-1, 0, 0, 1]), self.minute))

    def _event(self) -> None:
        at = self._micros()
        kind = self.rng.choice(["hold", "hold", "hold", "dispatch", "extend", "edit", "stop"])
        self.said.append(f"{self._at()} {kind}")
        if kind == "hold":
            self._hold(at)
        elif kind == "dispatch":
            self._dispatch(at)
        elif kind == "extend":
            text = self.rng.choice(["U45min", "U1d"] if self.stage_counted.continuous else ["1wh", "2wd"])
            limit = parse_limit(text, "limit")
            self.stage = deadlines.extend(self.stage, limit)
            self.stage_counted.limits.append(counted(limit))
        elif kind == "edit" and self.calendar == 0:
            self._edit(at)
        elif kind == "stop" and self.stage.state != "stopped":
            self.stage = deadlines.stop(self.stage, at)
            self.stage_counted.ended = True

    def _hold(self, at: int) -> None:
        """The stage's clock is paused or goes on; the promise with it, half of the time."""
        if self.stage.state == "running":
            self.stage, self.stage_counted.runs = deadlines.pause(self.stage, at), False
        else:
            self.stage, self.stage_counted.runs = deadlines.resume(self.stage, at), True
            self.stage_counted.ended = False
        if self.rng.random() < 0.5:
            going = self.promise.state == "running"
            self.promise = (deadlines.pause if going else deadlines.resume)(self.promise, at)
            self.promise_counted.runs = not going

    def _dispatch(self, at: int) -> None:
        holder = self.rng.choice(["water", "roads"])
        limit = parse_limit(self.rng.choice(LIMITS), "limit")
        same = holder == self.stage.holder
        ended, self.stage = deadlines.dispatch(self.stage, "handle", limit, at, holder)
        assert (ended is None) == same
        if same:
            self.stage_counted.runs, self.stage_counted.ended = True, False
            return
        assert ended is not None
        self.stage_counted.ended = True
        self.ended.append((ended, self.stage_counted))
        self.stage_counted = CountedClock(limit.continuous, [counted(limit)], self.minute)

    def _edit(self, at: int) -> None:
        """Another calendar: what it changes of the open clocks, by the code and by counting."""
        pairs = [("case:1", self.stage, self.stage_counted), ("case:2", self.promise, self.promise_counted)]
        pairs += [("case:3", countdown, clock) for countdown, clock in self.ended]
        told = deadlines.changes([pair[:2] for pair in pairs], *self.city.calendars, at)
        found = {
            (
                each.case,
                each.deadline_before,
                each.deadline_after,
                each.remaining_before,
                each.remaining_after,
            )
            for each in told
        }
        expected = set()
        for case, countdown, clock in pairs:
            if countdown.state != "stopped":
                (used, was, *_), limit = self._count(clock, 0), clock.limit(self.city.facts[0])
                (now_used, now, *_), now_limit = self._count(clock, 1), clock.limit(self.city.facts[1])
                if (was, limit - used) != (now, now_limit - now_used):
                    expected.add(
                        (
                            case,
                            self._instant(was),
                            self._instant(now),
                            (limit - used) * MINUTE,
                            (now_limit - now_used) * MINUTE,
                        )
                    )
        assert found == expected, (self.city.facts, self.said)
        self.calendar = 1

    def _by_code(self, countdown: Countdown) -> tuple[int, int | None, int | None, str]:
        reading = deadlines.read(countdown, self.city.calendars[self.calendar], self._micros())
        assert reading.remaining == reading.limit - reading.used
        return reading.used, reading.deadline, reading.amber, reading.light

    def _by_count(self, clock: CountedClock) -> tuple[int, int | None, int | None, str]:
        used, deadline, amber, light = self._count(clock, self.calendar)
        return used * MINUTE, self._instant(deadline), self._instant(amber), light

    def _count(self, clock: CountedClock, calendar: int) -> tuple[int, int | None, int | None, str]:
        return clock.look(self.city.facts[calendar], self.city.working[calendar])

    def _instant(self, minute: int | None) -> int | None:
        if minute is None:
            return None
        since = self.city.time.moment(minute).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return since // timedelta(microseconds=1)

    def _micros(self) -> int:
        micros = self._instant(self.minute)
        assert micros is not None
        return micros

    def _at(self) -> str:
        return self.city.time.moment(self.minute).isoformat(timespec="minutes") + "Z"


def compare_histories(seed: int, count: int, calendars: int) -> None:
    """Lives through `count` histories; every reading of every clock is that of the oracle."""
    rng = random.Random(seed)
    cities = draw_cities(rng, calendars)
    for number in range(count):
        History(rng, cities[number % len(cities)]).run()
