"""Surges: none where nothing is new, one where a burst is planted, nothing taken from what comes later."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import cityloom
from cityloom.cases.clocks.calendar import load_calendar
from cityloom.cases.insight.surge import Surge, SurgeDetector, SurgeRule, SurgeState, free_days, sentence
from cityloom.model.errors import BadRequestData

PROFILES = Path(cityloom.__file__).parent / "profiles"
ZONE = ZoneInfo("Asia/Shanghai")
START = date(2026, 3, 2)
HOUR = 3_600_000_000
Arrival = tuple[str, str, int]


def _weekend(day: date) -> bool:
    return day.weekday() > 4


def _at(day: date, hour: float, zone: ZoneInfo = ZONE) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return int(midnight.timestamp()) * 1_000_000 + int(hour * HOUR)


def _detector(state: SurgeState | None = None, **rule: object) -> SurgeDetector:
    return SurgeDetector(msgspec.convert(rule, SurgeRule), ZONE, _weekend, state)


def _run(detector: SurgeDetector, arrivals: list[Arrival]) -> list[Surge]:
    return [surge for arrival in arrivals for surge in detector.arrived(*arrival)]


def _pattern(week: list[list[int]], weeks: int) -> Iterator[Arrival]:
    """The same counts every week: `week[weekday][hour]`, spread evenly over each hour."""
    for number in range(weeks * 7):
        day = START + timedelta(days=number)
        for hour, count in enumerate(week[day.weekday()]):
            for one in range(count):
                yield "lamp", "north", _at(day, hour + (one + 0.5) / count)


_hours = st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 5, 20]), min_size=24, max_size=24)


@given(count=st.integers(0, 12), weeks=st.integers(1, 9))
@settings(max_examples=8, deadline=None)
def test_no_alarm_is_raised_by_what_never_changes(count: int, weeks: int) -> None:
    detector = _detector(learn=1)
    assert _run(detector, list(_pattern([[count] * 24] * 7, weeks))) == []


@given(week=st.lists(_hours, min_size=7, max_size=7))
@settings(max_examples=8, deadline=None)
def test_no_alarm_is_raised_by_a_pattern_of_the_week_once_it_was_seen(week: list[list[int]]) -> None:
    arrivals = list(_pattern(week, 10))
    learnt = _at(START + timedelta(weeks=4), 0)
    assert [surge for surge in _run(_detector(), arrivals) if surge.since > learnt] == []


@given(busy=st.integers(1, 10), quiet=st.integers(0, 1), hour=st.integers(8, 17), seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_a_burst_of_ten_times_is_an_alarm_with_a_beginning_and_an_end(
    busy: int, quiet: int, hour: int, seed: int
) -> None:
    work = [busy if 8 <= one < 18 else quiet for one in range(24)]
    arrivals = list(_pattern([work] * 5 + [[quiet] * 24] * 2, 7))
    day = START + timedelta(days=Random(seed).choice([42, 43, 45, 46]))
    burst = [("lamp", "north", _at(day, hour + one / (10 * busy))) for one in range(10 * busy)]
    detector = _detector()
    found = _run(detector, sorted(arrivals + burst, key=lambda one: one[2]))
    found += detector.advance(_at(START + timedelta(weeks=8), 0))
    for area in ("", "north"):
        begun, ended = [surge for surge in found if surge.area == area]
        assert _at(day, hour) <= begun.since < _at(day, hour + 1)
        assert begun.until is None
        assert (begun.day, begun.hour) == (day, hour)
        assert begun.seen >= 5
        assert ended.since == begun.since
        assert ended.until is not None
        assert _at(day, hour + 1) < ended.until <= _at(day, hour + 6)
        assert ended.peak >= 10 * busy


def _random(seed: int) -> list[Arrival]:
    """Seven weeks of two types in two areas, with bursts."""
    draw = Random(seed)
    arrivals = []
    for number in range(49):
        day = START + timedelta(days=number)
        for _ in range(draw.randint(0, 12)):
            arrivals.append((draw.choice("ab"), draw.choice(["n", "s"]), _at(day, draw.uniform(0, 24))))
        if draw.random() < 0.15:
            hour, kind, area = draw.uniform(0, 22), draw.choice("ab"), draw.choice(["n", "s"])
            arrivals += [(kind, area, _at(day, hour + draw.random())) for _ in range(draw.randint(5, 60))]
    arrivals.sort(key=lambda one: one[2])
    for _ in range(len(arrivals) // 20):  # some are told late
        late = draw.randrange(len(arrivals))
        arrivals.insert(min(late + draw.randrange(30), len(arrivals)), arrivals.pop(late))
    return arrivals


@given(seed=st.integers(0, 2**32), share=st.floats(0, 1))
@settings(max_examples=12, deadline=None)
def test_alarms_are_the_same_whatever_comes_later_and_after_a_restart(seed: int, share: float) -> None:
    arrivals = _random(seed)
    cut = int(len(arrivals) * share)
    detector = _detector()
    whole = [detector.arrived(*arrival) for arrival in arrivals]
    first = _detector()
    assert [first.arrived(*arrival) for arrival in arrivals[:cut]] == whole[:cut]
    kept = msgspec.json.decode(msgspec.json.encode(first.state()), type=SurgeState)
    second = _detector(kept)
    assert second.state() == first.state()
    assert second.on() == first.on()
    assert [second.arrived(*arrival) for arrival in arrivals[cut:]] == whole[cut:]
    assert any(whole) or len(arrivals) < 400


def test_time_that_only_passes_ends_an_alarm_once() -> None:
    detector = _detector()
    quiet = [("lamp", "", _at(START + timedelta(days=number), 9)) for number in range(0, 28, 3)]
    assert _run(detector, quiet) == []
    day = START + timedelta(days=29)
    begun = _run(detector, [("lamp", "", _at(day, 10 + one / 20)) for one in range(12)])
    assert [surge.until for surge in begun] == [None]
    assert detector.advance(_at(day, 10.9)) == []
    (ended,) = detector.advance(_at(day + timedelta(days=3), 0))
    assert ended.until == _at(day, 15)
    assert detector.on() == []
    assert detector.advance(_at(day + timedelta(days=3), 0)) == []


def test_batches_that_come_now_and_then_are_no_news() -> None:
    draw = Random(7)
    days = [START + timedelta(days=number) for number in range(0, 98, 4)]
    arrivals = [("pothole", "", _at(day, hour + one / 40)) for day in days
                for hour in [draw.randint(7, 17)] for one in range(30)]  # fmt: skip
    found = _run(_detector(), arrivals)
    assert all(surge.since < _at(START + timedelta(weeks=6), 0) for surge in found)


def test_an_alarm_that_fades_is_not_raised_again_below_half_its_peak() -> None:
    arrivals = [("tree", "", _at(START + timedelta(days=number), 12)) for number in range(28)]
    day = START + timedelta(days=28)
    for hour, count in enumerate([100, 10, 10, 10, 10, 10, 10, 10, 10], 9):
        arrivals += [("tree", "", _at(day, hour + one / count)) for one in range(count)]
    found = _run(_detector(), arrivals)
    assert [surge.until is None for surge in found] == [True, False]
    again = [("tree", "", _at(day, 18 + one / 100)) for one in range(100)]
    assert len(_run(_detector(), arrivals + again)) == 3


def test_what_is_told_late_is_counted_in_its_own_hour() -> None:
    on_time, late = _detector(), _detector()
    arrivals = [("lamp", "", _at(START + timedelta(days=number), 9)) for number in range(14)]
    _run(on_time, arrivals)
    _run(late, arrivals[:3] + arrivals[4:] + arrivals[3:4])
    assert on_time.state().counts == late.state().counts
    late.arrived("lamp", "", _at(START - timedelta(days=200), 9))
    assert on_time.state().counts == late.state().counts


def test_what_is_told_late_changes_what_is_usual_at_once() -> None:
    days = [START + timedelta(days=number) for number in range(28)]
    today = START + timedelta(days=28)
    first = [("lamp", "", _at(today, 9 + one / 60)) for one in range(6)]
    late = [("lamp", "", _at(day, 9 + one / 60)) for day in days for one in range(6)]
    then = [("lamp", "", _at(today, 9.5 + one / 60)) for one in range(8)]
    rule = {"perYear": 1e-6}
    surprised, told = _detector(**rule), _detector(**rule)
    for detector in (surprised, told):
        _run(detector, [("lamp", "", _at(START - timedelta(days=1), 0))])
    assert _run(told, first + late) == []
    assert _run(told, then) == []
    assert _run(surprised, [("lamp", "", _at(today, 8)), *first, *then]) != []


def test_a_free_day_is_compared_with_free_days() -> None:
    free = free_days(load_calendar(PROFILES / "sample" / "calendar.yaml"))
    assert free(date(2026, 10, 1))
    assert not free(date(2026, 10, 10))  # a Saturday that is made up
    assert free(date(2170, 1, 5)) is (date(2170, 1, 5).weekday() > 4)


def test_a_sentence_tells_counts_and_days_in_both_languages() -> None:
    detector = _detector()
    _run(detector, [("tree", "north", _at(START + timedelta(days=number), 9)) for number in range(28)])
    day = START + timedelta(days=28)
    found = _run(detector, [("tree", "north", _at(day, 7 + one / 30)) for one in range(9)])
    told = sentence(next(surge for surge in found if surge.area == "north"))
    for part in (
        "tree",
        "north",
        f"{found[0].seen} ",
        "07:00–08:00",
        "2026-03-30",
        "2026-03-03",
        "20 ",
        "4 ",
    ):
        assert part.strip() in told["en"]
        assert part.strip() in told["zh"]


@pytest.mark.parametrize(
    ("expected", "en", "zh"),
    [
        (0.083, "usually none or nearly none;", "通常几乎没有，"),
        (0.4, "usually fewer than one;", "通常不到 1 件，"),
        (2.04, "usually 2;", "通常 2 件，"),
        (123.4, "usually 123;", "通常 123 件，"),
    ],
)
def test_what_is_usual_is_told_as_a_person_would(expected: float, en: str, zh: str) -> None:
    detector = _detector()
    _run(detector, [("tree", "north", _at(START + timedelta(days=number), 9)) for number in range(28)])
    day = START + timedelta(days=28)
    [surge, *_] = _run(detector, [("tree", "north", _at(day, 7 + one / 30)) for one in range(9)])
    told = sentence(replace(surge, expected=expected))
    assert en in told["en"]
    assert zh in told["zh"]


@pytest.mark.parametrize(
    "wrong", [{"windows": []}, {"windows": [0]}, {"windows": [25]}, {"least": 0}, {"perYear": 0.0}]
)
def test_a_rule_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadRequestData, match="is invalid"):
        _detector(**wrong)


def false_alarms(seed: int, kinds: int) -> tuple[int, int]:
    """Alarms, and hours of types, in half a year of Poisson arrivals with hours of the day and weekends."""
    draw = Random(seed)
    detector = _detector()
    rates = {f"type {number}": 10 ** draw.uniform(-2, 0.3) for number in range(kinds)}
    alarms = 0
    for number in range(182):
        day = START + timedelta(days=number)
        today = []
        for kind, rate in rates.items():
            for hour in range(24):
                mean = rate * (0.15 if hour < 7 else 1) * (0.3 if _weekend(day) else 1)
                for _ in range(_poisson(draw, mean)):
                    today.append((kind, "", _at(day, hour + draw.random())))
        alarms += sum(surge.until is None for surge in _run(detector, sorted(today, key=lambda one: one[2])))
    return alarms, kinds * 182 * 24


def _poisson(draw: Random, mean: float) -> int:
    count, at = 0, draw.expovariate(1)
    while at < mean:
        count, at = count + 1, at + draw.expovariate(1)
    return count


def test_chance_alone_raises_hardly_any_alarm() -> None:
    alarms, hours = false_alarms(seed=20260302, kinds=20)
    assert alarms <= 2 + 3 * SurgeRule().per_year * hours / 8766


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_chance_alone_raises_as_few_alarms_as_the_rule_allows() -> None:
    alarms, hours = false_alarms(seed=1, kinds=2000)
    assert alarms <= 3 * SurgeRule().per_year * hours / 8766
    print(f"{alarms} alarms in {hours / 8766:.0f} years of types")


def test_nothing_is_known_of_a_silence_longer_than_what_is_remembered() -> None:
    """What was imported of the past does not make the first day of what is live a surge."""
    detector = _detector(weeks=2, learn=7)
    _run(detector, [("lamp", "", _at(START + timedelta(days=day), 9)) for day in range(20)])
    live = START + timedelta(days=400)
    burst = [("lamp", "", _at(live, 9 + number / 60)) for number in range(20)]
    assert _run(detector, burst) == []
    later = [("lamp", "", _at(live + timedelta(days=day), 15)) for day in range(1, 9)]
    assert _run(detector, later) == []
    again = [("lamp", "", _at(live + timedelta(days=9), 15 + number / 60)) for number in range(20)]
    assert [surge.type for surge in _run(detector, again)] == ["lamp"]
