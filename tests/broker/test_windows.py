"""Laws of the cut of a temporal answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cityloom.broker.ports import Evolution
from cityloom.broker.windows import cut, time_of
from cityloom.model.entity import Attribute
from cityloom.model.history import Instance
from cityloom.model.time import format_datetime
from cityloom.query.values import TemporalQuery
from cityloom.store.history_ports import HistoryEntity

SERIES = st.lists(st.integers(0, 9), max_size=12).map(sorted)


def evolution(number: int, series: dict[str, list[int]]) -> Evolution:
    return Evolution(
        entity=HistoryEntity(id=f"urn:e:{number}", types=[], incarnation=number),
        instances={
            name: [
                Instance(
                    name=name,
                    attribute=Attribute(
                        kind="Property", value=place, observed_at=format_datetime(time * 1_000_000)
                    ),
                )
                for place, time in enumerate(times)
            ]
            for name, times in series.items()
        },
    )


def times_of(evolutions: list[Evolution]) -> list[int]:
    return sorted(
        time_of(one.attribute, "observedAt") // 1_000_000
        for each in evolutions
        for found in each.instances.values()
        for one in found
    )


@given(
    st.lists(st.dictionaries(st.sampled_from("ab"), SERIES, max_size=2), max_size=3),
    st.integers(1, 12),
    st.integers(1, 24),
    st.booleans(),
)
def test_a_cut_keeps_all_of_one_end_of_time(series, each, in_all, backwards):
    evolutions = [evolution(number, each) for number, each in enumerate(series)]
    everything = times_of(evolutions)
    temporal = TemporalQuery(last_n=100 if backwards else None)
    answer = cut(evolutions, temporal, each, in_all)
    kept = times_of(answer.evolutions)
    sizes = [len(times_of([one])) for one in evolutions]
    assert answer.cut == (len(everything) > in_all or max(sizes, default=0) > each)
    if not answer.cut:
        assert kept == everything
        return
    end = answer.range_end // 1_000_000
    assert kept == [time for time in everything if (time >= end if backwards else time <= end)]
    assert len(kept) <= in_all or len(set(kept)) == 1
    for one in answer.evolutions:
        assert len(times_of([one])) <= each or len(set(times_of([one]))) == 1
    assert (max(kept) if backwards else min(kept)) == answer.range_start // 1_000_000
    assert [list(each.instances) for each in answer.evolutions] == [
        list(each.instances) for each in evolutions
    ]
