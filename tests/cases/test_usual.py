"""What is usual, and how likely a count is, against sums of the distribution written apart."""

from datetime import date, timedelta
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.cases.insight.usual import chance, usual

MONDAY = date(2026, 6, 1)


def _tail(seen: int, expected: Fraction, size: int) -> Fraction:
    """P(X >= seen) in whole numbers: failures before the `size`-th success of so likely a kind."""
    success = size / (size + expected)
    return 1 - sum(
        (comb(k + size - 1, k) * success**size * (1 - success) ** k for k in range(seen)), Fraction(0)
    )


@given(
    seen=st.integers(0, 60),
    expected=st.fractions(Fraction(1, 100), 30, max_denominator=100),
    size=st.integers(1, 20),
)
def test_chance_is_the_tail_of_the_negative_binomial(seen: int, expected: Fraction, size: int) -> None:
    assert chance(seen, float(expected), size) == pytest.approx(
        float(_tail(seen, expected, size)), rel=1e-6, abs=1e-300
    )


@given(expected=st.floats(1e-6, 1e5), size=st.floats(0.1, 1e6), seen=st.integers(0, 2000))
def test_chance_falls_with_the_count(expected: float, size: float, seen: int) -> None:
    low, high = chance(seen + 1, expected, size), chance(seen, expected, size)
    assert 0 <= low <= high + 1e-9
    assert high <= 1


def _weekend(day: date) -> bool:
    return day.weekday() > 4


@given(st.dictionaries(st.integers(1, 56), st.integers(0, 40)))
def test_usual_lies_within_what_days_of_the_kind_had(counts: dict[int, int]) -> None:
    days = {MONDAY - timedelta(days=ago): count for ago, count in counts.items()}
    found = usual(days, MONDAY, _weekend)
    alike = [count for day, count in days.items() if day.weekday() < 5]
    assert sorted(found.days) == sorted(day for day in days if day.weekday() < 5)
    assert found.weekdays == sum(day.weekday() == 0 for day in days)
    assert 0 < found.expected <= max(alike, default=0) + 0.5
    assert found.size > 0


def test_usual_learns_the_weekday_where_it_differs_from_its_kind() -> None:
    days = {MONDAY - timedelta(days=ago): 0 for ago in range(1, 57)}
    days |= {MONDAY - timedelta(days=7 * week): 50 for week in range(1, 9)}
    assert usual(days, MONDAY, _weekend).expected > 40
    assert usual(days, MONDAY + timedelta(days=1), _weekend).expected < 1


def test_usual_is_not_moved_far_by_a_storm_in_the_past() -> None:
    quiet = {MONDAY - timedelta(days=ago): 1 for ago in range(1, 57)}
    stormy = quiet | {MONDAY - timedelta(days=7): 700}
    assert usual(stormy, MONDAY, _weekend).expected < 2 * usual(quiet, MONDAY, _weekend).expected


def test_usual_knows_less_of_fewer_days() -> None:
    few = {MONDAY - timedelta(days=ago): 0 for ago in range(1, 8)}
    many = {MONDAY - timedelta(days=ago): 0 for ago in range(1, 57)}
    assert chance(5, *usual(few, MONDAY, _weekend)[:2]) > 100 * chance(5, *usual(many, MONDAY, _weekend)[:2])
