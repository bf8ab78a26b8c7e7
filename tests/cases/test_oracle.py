"""Every reading of every clock is what a count of the minutes says."""

import pytest

from cases.histories import compare_histories


def test_clocks_read_what_counting_minutes_says_in_two_thousand_histories() -> None:
    compare_histories(seed=20260707, count=2_000, calendars=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_clocks_read_what_counting_minutes_says_in_a_hundred_thousand_histories() -> None:
    compare_histories(seed=1, count=100_000, calendars=12)
