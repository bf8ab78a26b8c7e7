"""What values an attribute has, against plain counting."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.model.entity import Attribute
from cityloom.query.summary import RANKS, summarize

values = st.one_of(
    st.integers(-100, 100),
    st.floats(-1e6, 1e6),
    st.booleans(),
    st.sampled_from(["a", "b", "true", "1"]),
    st.sampled_from([["a"], {"x": 1, "y": 2}, {"y": 2, "x": 1}]),
)


def attribute(value: Any, unit: str | None = None) -> Attribute:
    return Attribute(kind="Property", value=value, unit_code=unit)


def shown(one: Attribute) -> Any:
    return one.value


def quantile(numbers: list[float], rank: float) -> float:
    ordered = sorted(numbers)
    place = rank * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@given(st.lists(st.none() | values, max_size=40), st.integers(1, 5))
def test_a_summary_counts_every_value_once(drawn: list[Any], most: int) -> None:
    summary = summarize([None if each is None else attribute(each) for each in drawn], shown, most)
    given_values = [each for each in drawn if each is not None]
    numbers = [each for each in given_values if type(each) in (int, float)]
    others = Counter(
        msgspec.json.encode(each, order="sorted")
        for each in given_values
        if each not in numbers or type(each) is bool
    )
    assert (summary.count, summary.missing) == (len(given_values), len(drawn) - len(given_values))
    if numbers:
        assert summary.numbers is not None
        assert (summary.numbers.count, summary.numbers.min) == (len(numbers), min(numbers))
        assert summary.numbers.max == max(numbers)
        assert summary.numbers.whole == all(float(number).is_integer() for number in numbers)
        assert summary.numbers.quantiles == pytest.approx([quantile(numbers, rank) for rank in RANKS])
    else:
        assert summary.numbers is None
    if others:
        assert summary.values is not None
        told = {msgspec.json.encode(one.value, order="sorted"): one.count for one in summary.values}
        assert len(told) == min(most, len(others))
        assert sorted(told.values(), reverse=True) == [n for _, n in others.most_common(most)]
        assert all(others[key] == count for key, count in told.items())
        assert summary.others == sum(others.values()) - sum(told.values())
    else:
        assert summary.values is None


def test_a_summary_tells_one_unit_or_all_of_them() -> None:
    one = summarize([attribute(1, "CEL"), attribute(2), None], shown, 5)
    assert (one.unit_code, one.unit_codes) == ("CEL", None)
    two = summarize([attribute(1, "CEL"), attribute(2, "FAH"), attribute(3, "CEL")], shown, 5)
    assert two.unit_code is None
    assert [(each.value, each.count) for each in two.unit_codes or []] == [("CEL", 2), ("FAH", 1)]
