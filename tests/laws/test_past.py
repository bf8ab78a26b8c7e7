"""Law: the past of a whole layer is what each entity's own history says of it, entity by entity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cityloom.model.entity import DEFAULT_VOCAB, Attribute, Entity
from cityloom.model.history import Instance
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import Query, TypeIs
from cityloom.store.history_ports import Observed, Window
from cityloom.store.ports import Snapshot, Store
from cityloom.store.tables.history import past
from tests.laws.conftest import HOMES, START, TIERED
from tests.laws.values import HOUR, LAMP, LEVEL, SENSOR, STATE, append, lamp, prop, put, reading, remove, see

BEGIN = START - 100 * HOUR
"""The past that is told of: long before anything is written."""
NAMES = [LEVEL, STATE]
Told = tuple[str, str, str, int | None, object]


def told(found: list[Observed]) -> list[Told]:
    return [
        (
            one.entity_id,
            one.name,
            one.dataset_id,
            one.time,
            None if one.attribute is None else (one.attribute.value, one.attribute.observed_at),
        )
        for one in found
    ]


def histories(snapshot: Snapshot, type: str) -> Iterator[tuple[str, str, str, list[tuple[int, Instance]]]]:
    """(entity, name, dataset, its telling instances with their times) of what was ever observed."""
    for entity in snapshot.scan("", Query(types=TypeIs(type))):
        for name, instances in snapshot.instances("", entity.id, Window(names=NAMES)).items():
            for dataset in sorted({one.attribute.dataset_id for one in instances}):
                own = [one for one in instances if one.attribute.dataset_id == dataset]
                if not any(one.attribute.observed_at and not one.attribute.deleted_at for one in own):
                    continue
                telling = [
                    (parse_datetime(one.attribute.observed_at or one.attribute.modified_at or ""), one)
                    for one in own
                    if one.occurrence == 0 and (one.attribute.observed_at or one.attribute.deleted_at)
                ]
                yield entity.id, name, dataset, telling


def of(entity_id: str, name: str, dataset: str, time: int | None, attribute: Attribute | None) -> Told:
    gone = attribute is None or attribute.deleted_at is not None
    value = None if gone or attribute is None else (attribute.value, attribute.observed_at)
    return entity_id, name, dataset, time, value


def latest(snapshot: Snapshot, type: str, at: int) -> list[Told]:
    found = []
    for entity_id, name, dataset, telling in histories(snapshot, type):
        time, instance = next(((t, one) for t, one in reversed(telling) if t <= at), (None, None))
        found.append(of(entity_id, name, dataset, time, instance.attribute if instance else None))
    return sorted(found, key=lambda one: one[:3])


def between(snapshot: Snapshot, type: str, after: int, until: int) -> list[Told]:
    found = [
        of(entity_id, name, dataset, time, instance.attribute)
        for entity_id, name, dataset, telling in histories(snapshot, type)
        for time, instance in telling
        if after < time <= until
    ]
    return sorted(found, key=lambda one: (one[3] or 0, one[0]))


def all_latest(snapshot: Snapshot, at: int, limit: int = 1000) -> list[Told]:
    found: list[Told] = []
    after: str | None = ""
    while after is not None:
        page, after = snapshot.latest_before("", SENSOR, NAMES, at, after, limit)
        found += told(page)
    return found


stamps = st.integers(0, 6).map(lambda hour: BEGIN + hour * HOUR)
datasets = st.sampled_from(["", "", "urn:d:1"])
observations = st.builds(
    lambda number, value, stamp, occurrence, dataset: (
        f"urn:ngsi-ld:Sensor:{number}",
        reading(value, stamp, occurrence, dataset_id=dataset),
    ),
    st.integers(1, 3),
    st.integers(0, 9),
    stamps,
    st.sampled_from([0, 0, 0, 1]),
    datasets,
)


@pytest.mark.timeout(900)
@settings(max_examples=60, deadline=None)
@given(
    observed=st.lists(observations, max_size=25),
    gone=st.sets(st.integers(1, 3), max_size=2),
    window=st.tuples(st.integers(-1, 7), st.integers(-1, 7)),
    limit=st.integers(1, 4),
)
@pytest.mark.parametrize("kind", [*sorted(HOMES), pytest.param("tiered", marks=pytest.mark.soak)])
def test_the_past_of_a_layer_is_that_of_its_entities(
    kind: str,
    observed: list[tuple[str, Instance]],
    gone: set[int],
    window: tuple[int, int],
    limit: int,
) -> None:
    with TemporaryDirectory() as folder:
        store = TIERED[kind](Path(folder)).open()
        try:
            _fill(store, observed, gone)
            after, until = (BEGIN + hour * HOUR + HOUR // 2 for hour in sorted(window))
            with store.snapshot() as snapshot:
                for at in (BEGIN - HOUR, after, BEGIN + 3 * HOUR, START + HOUR):
                    assert all_latest(snapshot, at, limit) == latest(snapshot, SENSOR, at)
                expected = between(snapshot, SENSOR, after, until)
                found, reached = [], after
                while reached < until:
                    page, reached = snapshot.instances_between("", SENSOR, NAMES, reached, until, limit)
                    found += told(page)
                assert sorted(found, key=repr) == sorted(expected, key=repr)
                assert [one[3] for one in found] == sorted(one[3] or 0 for one in found)
                # What was so, and then what was observed, is what is so.
                replayed = {one[:3]: one for one in latest(snapshot, SENSOR, after)}
                replayed |= {one[:3]: one for one in found}
                assert sorted(replayed.values(), key=lambda one: one[:3]) == latest(snapshot, SENSOR, until)
        finally:
            store.close()


def _fill(store: Store, observed: list[tuple[str, Instance]], gone: set[int]) -> None:
    for number in (1, 2, 3):
        put(store, _sensor(number, {STATE: [prop("on")]}))
    for entity_id, instance in observed:
        append(store, entity_id, instance)
    for number in (1, 2, 3):
        stamp = format_datetime(BEGIN + 7 * HOUR)
        put(
            store,
            _sensor(number, {STATE: [prop("off")], LEVEL: [prop(number, observed_at=stamp)]}),
        )
    for number in gone:
        put(store, _sensor(number, {STATE: [prop("off")]}))


def _sensor(number: int, attributes: dict[str, list[Attribute]]) -> Entity:
    return replace(lamp(number, types=[SENSOR], attributes=attributes), id=f"urn:ngsi-ld:Sensor:{number}")


def test_an_attribute_that_was_never_observed_has_no_past(store: Store) -> None:
    put(store, lamp(1))
    put(store, lamp(1, "off"))
    remove(store, lamp(1).id)
    put(store, lamp(1, "again"))
    with store.snapshot() as snapshot:
        assert snapshot.latest_before("", LAMP, NAMES, START + HOUR) == ([], None)
        assert snapshot.instances_between("", LAMP, NAMES, 0, START + HOUR) == ([], START + HOUR)


def test_the_past_tells_of_entities_that_are_there_now_alone(store: Store) -> None:
    append(store, lamp(1).id, reading(1, BEGIN), types=(LAMP,))
    append(store, lamp(2).id, reading(2, BEGIN), types=(LAMP,))
    put(store, lamp(2))
    with store.snapshot() as snapshot:
        found, _ = snapshot.latest_before("", LAMP, [LEVEL], BEGIN)
        assert [(one.entity_id, one.types) for one in found] == [(lamp(2).id, [LAMP])]
    append(store, lamp(2).id, reading(3, BEGIN + HOUR), types=(LAMP,))
    with store.snapshot() as snapshot:
        found, _ = snapshot.latest_before("", LAMP, [LEVEL], BEGIN + HOUR)
        assert told(found) == [(lamp(2).id, LEVEL, "", BEGIN + HOUR, (3, format_datetime(BEGIN + HOUR)))]
        assert found[0].types == [LAMP]


def test_instances_of_one_time_are_never_torn_apart(store: Store) -> None:
    for number in range(5):
        put(store, lamp(number))
        append(store, lamp(number).id, reading(number, BEGIN), reading(9, BEGIN + HOUR), types=(LAMP,))
    with store.snapshot() as snapshot:
        found, reached = snapshot.instances_between("", LAMP, [LEVEL], 0, START, 2)
        assert ([one.entity_id for one in found], reached) == ([lamp(n).id for n in range(5)], BEGIN)
        found, reached = snapshot.instances_between("", LAMP, [LEVEL], reached, START, 2)
        assert ([one.time for one in found], reached) == ([BEGIN + HOUR] * 5, BEGIN + HOUR)
        assert snapshot.instances_between("", LAMP, [LEVEL], reached, START, 2) == ([], START)


def test_a_window_with_too_much_in_it_is_made_shorter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, lamp(1))
    append(store, lamp(1).id, *(reading(hour, BEGIN + hour * HOUR) for hour in range(64)), types=(LAMP,))
    monkeypatch.setattr(past, "_MOST_WALKED", 10)
    reached, found, calls = BEGIN - 1, [], 0
    while reached < BEGIN + 64 * HOUR:
        page, reached = see(
            store,
            lambda snapshot, after=reached: snapshot.instances_between(
                "", LAMP, [LEVEL], after, BEGIN + 64 * HOUR, 1000
            ),
        )
        calls += 1
        assert len(page) <= 10
        found += [one.attribute.value for one in page if one.attribute is not None]
    assert found == list(range(64))
    assert calls > 6


def test_names_and_types_that_nobody_uses_have_no_past(store: Store) -> None:
    put(store, lamp(1))
    with store.snapshot() as snapshot:
        for type, names in ((DEFAULT_VOCAB + "None", NAMES), (LAMP, [DEFAULT_VOCAB + "none"]), (LAMP, [])):
            assert snapshot.latest_before("", type, names, START) == ([], None)
            assert snapshot.instances_between("", type, names, 0, START) == ([], START)
        assert snapshot.latest_before("other", LAMP, NAMES, START) == ([], None)
