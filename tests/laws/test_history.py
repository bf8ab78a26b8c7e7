"""Law: hot history is written with the state, read at once, and told by derived ids."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from cityloom.model.entity import NULL, Attribute
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import TypeAnd, TypeIs, TypeOr
from cityloom.store.changes import SCOPE
from cityloom.store.history_ports import Numbers, Window
from cityloom.store.instances import event_instance_id, series_instance_id
from cityloom.store.ports import Store, Transaction
from tests.laws.conftest import START, Home
from tests.laws.values import (
    CAUSE,
    HOUR,
    LAMP,
    LEVEL,
    RUN,
    SENSOR,
    STATE,
    append,
    do,
    history,
    lamp,
    levels,
    prop,
    put,
    reading,
    remove,
    see,
)

ID = "urn:ngsi-ld:Sensor:1"


def times(instances: list[Instance], field: str = "observed_at") -> list[Any]:
    return [getattr(instance.attribute, field) for instance in instances]


def test_a_change_of_state_is_in_history_at_once(store: Store) -> None:
    first = put(store, lamp(1, "on"))
    second = put(store, lamp(1, "off"), row=4)
    assert first is not None
    assert second is not None
    instances = history(store, lamp(1).id)[STATE]
    assert [instance.attribute.value for instance in instances] == ["on", "off"]
    assert times(instances, "modified_at") == [format_datetime(first.at), format_datetime(second.at)]
    assert [instance.row for instance in instances] == [None, 4]
    assert [instance.attribute.instance_id for instance in instances] == [
        event_instance_id(lamp(1).id, STATE, "", event.at, event.seq) for event in (first, second)
    ]


def test_history_keeps_every_member_of_an_attribute(store: Store) -> None:
    full = prop(
        {"a": [None, 1]},
        observed_at="2026-05-01T12:00:00.250+02:00",
        dataset_id="urn:d:1",
        unit_code="CEL",
        value_type="T",
        created_at="2026-04-01T00:00:00Z",
        modified_at="2026-04-02T00:00:00.10Z",
        expires_at="2030-01-01T00:00:00Z",
        attributes={LEVEL: [prop(1, unit_code="P1")]},
    )
    relationship = Attribute(
        kind="Relationship",
        value="urn:x",
        object_type=["A", "B"],
        created_at="2026-04-01T00:00:00Z",
        modified_at="2026-04-01T00:00:00Z",
    )
    put(store, lamp(1, attributes={STATE: [full], LEVEL: [relationship]}))
    kept = history(store, lamp(1).id)
    for name, written in ((STATE, full), (LEVEL, relationship)):
        assert replace(kept[name][0].attribute, instance_id=None) == written


@pytest.mark.parametrize(
    "value", [0, -1, 2**63 - 1, 2**70, 1.0, -0.5, 1e300, True, False, "", "x\0y", [], {}]
)
def test_history_keeps_a_value_and_its_kind(store: Store, value: Any) -> None:
    append(store, ID, reading(value, START))
    (kept,) = levels(store, ID)
    assert (kept, type(kept)) == (value, type(value))


def test_a_deleted_attribute_leaves_a_tombstone(store: Store) -> None:
    put(store, lamp(1, attributes={STATE: [prop("on")], LEVEL: [prop(5, unit_code="CEL")]}))
    event = put(store, lamp(1))
    assert event is not None
    last = history(store, lamp(1).id)[LEVEL][-1].attribute
    when = format_datetime(event.at)
    assert (last.kind, last.value, last.unit_code) == ("Property", NULL, None)
    assert (last.deleted_at, last.modified_at) == (when, when)


def test_a_deleted_entity_is_deleted_in_history_with_its_attributes(store: Store) -> None:
    put(store, lamp(1, scopes=["/a"]))
    event = remove(store, lamp(1).id)
    assert event is not None
    known = see(store, lambda snapshot: snapshot.history_entity("", lamp(1).id))
    assert known is not None
    assert known.deleted_at == format_datetime(event.at)
    assert (known.types, known.scopes) == ([LAMP], ["/a"])
    assert [each.attribute.deleted_at is not None for each in history(store, lamp(1).id)[STATE]] == [
        False,
        True,
    ]


def test_an_entity_made_again_is_a_new_one_to_history(store: Store) -> None:
    put(store, lamp(1, "first life"))
    first = see(store, lambda snapshot: snapshot.history_entity("", lamp(1).id))
    remove(store, lamp(1).id)
    put(store, lamp(1, "second life"))
    second = see(store, lambda snapshot: snapshot.history_entity("", lamp(1).id))
    assert first is not None
    assert second is not None
    assert second.incarnation > first.incarnation
    assert second.deleted_at is None
    assert [each.attribute.value for each in history(store, lamp(1).id)[STATE]] == ["second life"]


def test_incarnations_are_never_given_out_again_after_reopening(home: Home) -> None:
    seen = []
    for _ in range(3):
        store = home.open()
        put(store, lamp(1))
        known = see(store, lambda snapshot: snapshot.history_entity("", lamp(1).id))
        assert known is not None
        seen.append(known.incarnation)
        remove(store, lamp(1).id)
        do(store, lambda tx: tx.delete_history("", lamp(1).id, CAUSE))
        store.close()
    assert seen == sorted(set(seen))


def test_a_change_of_scopes_is_an_instance_of_scope(store: Store) -> None:
    put(store, lamp(1, scopes=["/a"]))
    put(store, lamp(1, scopes=["/b", "/c"]))
    put(store, lamp(1, "off", scopes=["/b", "/c"]))
    put(store, lamp(1, "off"))
    scopes = [each.attribute for each in history(store, lamp(1).id)[SCOPE]]
    assert [each.value for each in scopes] == [["/a"], ["/b", "/c"], NULL]
    assert all(each.observed_at == each.modified_at for each in scopes)
    assert [each.deleted_at is not None for each in scopes] == [False, False, True]


def test_append_history_adds_in_order_of_time_with_one_event(store: Store) -> None:
    event = append(
        store, ID, reading(2, START + HOUR, row=2), reading(1, START, row=1), reading(3, START + 2 * HOUR)
    )
    assert event is not None
    assert (event.kind, event.count, event.types) == ("historyAppended", 3, [SENSOR])
    assert {change.after.value for change in event.changes if change.after is not None} == {1, 2, 3}
    assert levels(store, ID) == [1, 2, 3]
    assert [each.row for each in history(store, ID)[LEVEL]] == [1, 2, None]
    known = see(store, lambda snapshot: snapshot.history_entity("", ID))
    assert known is not None
    assert (known.types, known.created_at) == ([SENSOR], format_datetime(event.at))
    assert see(store, lambda snapshot: snapshot.get("", ID)) is None


def test_append_history_twice_changes_nothing(store: Store) -> None:
    chunk = [reading(number, START + number * HOUR) for number in range(5)]
    append(store, ID, *chunk)
    assert append(store, ID, *chunk, cause=replace(RUN, id="urn:ngsi-ld:ImportRun:s:2")) is None
    event = append(store, ID, *chunk, reading(9, START + 9 * HOUR))
    assert event is not None
    assert event.count == 1
    assert [change.after.value for change in event.changes if change.after] == [9]
    assert levels(store, ID) == [0, 1, 2, 3, 4, 9]
    assert see(store, lambda snapshot: snapshot.last_seq()) == 2


def test_append_history_counts_only_new_ones_in_a_large_chunk(store: Store) -> None:
    append(store, ID, *(reading(number, START + number) for number in range(300)))
    event = append(store, ID, *(reading(number, START + number) for number in range(200, 500)))
    assert event is not None
    assert (event.count, event.changes) == (200, [])
    assert levels(store, ID) == list(range(500))


def test_append_history_keeps_repeats_of_a_stamp_and_flags_them(store: Store) -> None:
    append(store, ID, *(reading(10 + number, START, occurrence=number) for number in range(3)))
    assert levels(store, ID) == [10, 11, 12]
    assert levels(store, ID, with_repeats=False) == [10]
    assert [each.occurrence for each in history(store, ID)[LEVEL]] == [0, 1, 2]


def test_append_history_tells_sources_and_datasets_apart(store: Store) -> None:
    other = replace(RUN, id="urn:ngsi-ld:ImportRun:t:1", source="t")
    append(store, ID, reading(1, START), reading(2, START, dataset_id="urn:d:1"))
    append(store, ID, reading(3, START), cause=other)
    assert sorted(levels(store, ID)) == [1, 2, 3]
    assert levels(store, ID, dataset_ids=["urn:d:1"]) == [2]
    assert sorted(levels(store, ID, dataset_ids=[""])) == [1, 3]


def test_append_history_derives_the_ids_of_a_series(store: Store) -> None:
    append(store, ID, reading(1, START, occurrence=2, dataset_id="urn:d:1"))
    expected = series_instance_id(ID, LEVEL, "urn:d:1", "s", START, 2)
    assert history(store, ID)[LEVEL][0].attribute.instance_id == expected
    given = reading(1, START, occurrence=2, dataset_id="urn:d:1", instance_id=expected)
    assert append(store, ID, given) is None


def test_append_history_keeps_a_foreign_id_once(store: Store) -> None:
    foreign = reading(1, START, instance_id="urn:ngsi-ld:Instance:mine")
    append(store, ID, foreign)
    moved = reading(2, START + HOUR, instance_id="urn:ngsi-ld:Instance:mine")
    assert append(store, ID, moved) is None
    assert [each.attribute.instance_id for each in history(store, ID)[LEVEL]] == ["urn:ngsi-ld:Instance:mine"]
    assert levels(store, ID) == [1]


def test_append_history_without_a_source_adds_again(store: Store) -> None:
    append(store, ID, reading(1, START), reading(2, START), cause=CAUSE)
    append(store, ID, reading(1, START), cause=CAUSE)
    ids = [each.attribute.instance_id for each in history(store, ID)[LEVEL]]
    assert levels(store, ID) == [1, 2, 1]
    assert len(set(ids)) == 3


def test_append_history_goes_to_the_life_that_is_current(store: Store) -> None:
    append(store, lamp(1).id, reading(1, START), types=(LAMP,))
    put(store, lamp(1, attributes={LEVEL: [prop(2)]}))
    append(store, lamp(1).id, reading(0, START - HOUR), types=(LAMP,))
    assert levels(store, lamp(1).id) == [0, 1, 2]
    found = see(store, lambda snapshot: snapshot.history_entities("", types=TypeIs(LAMP)))
    assert [entity.id for entity in found] == [lamp(1).id]


def test_entities_made_together_go_on_with_the_history_that_each_has(store: Store) -> None:
    append(store, lamp(1).id, reading(1, START), types=(LAMP,))
    made = [lamp(number, attributes={LEVEL: [prop(2)]}) for number in (1, 2)]

    def make(tx: Transaction) -> None:
        assert tx.get_many("", [entity.id for entity in made]) == {}
        for entity in made:
            tx.write_entity("", None, entity, CAUSE)

    do(store, make)
    assert levels(store, made[0].id) == [1, 2]
    assert levels(store, made[1].id) == [2]


def test_a_state_that_carries_a_series_id_is_not_added_twice(store: Store) -> None:
    identity = series_instance_id(lamp(1).id, LEVEL, "", "s", START)
    stamp = format_datetime(START)
    put(store, lamp(1, attributes={LEVEL: [prop(4, observed_at=stamp, instance_id=identity)]}), cause=RUN)
    assert append(store, lamp(1).id, reading(4, START), types=(LAMP,)) is None
    assert levels(store, lamp(1).id) == [4]
    append(store, lamp(1).id, reading(5, START + HOUR), types=(LAMP,))
    later = series_instance_id(lamp(1).id, LEVEL, "", "s", START + HOUR)
    stamp = format_datetime(START + HOUR)
    put(store, lamp(1, attributes={LEVEL: [prop(5, observed_at=stamp, instance_id=later)]}), cause=RUN)
    assert levels(store, lamp(1).id) == [4, 5]


def test_known_instances_finds_ids_of_every_kind(store: Store) -> None:
    event = put(store, lamp(1))
    assert event is not None
    append(store, lamp(1).id, reading(1, START), reading(2, START, instance_id="urn:mine"), types=(LAMP,))
    here = {
        event_instance_id(lamp(1).id, STATE, "", event.at, 1),
        series_instance_id(lamp(1).id, LEVEL, "", "s", START),
        "urn:mine",
    }
    absent = {
        series_instance_id(lamp(1).id, LEVEL, "", "s", START, 1),
        "urn:other",
        "urn:ngsi-ld:Instance:x:1:y",
    }
    assert see(store, lambda snapshot: snapshot.known_instances("", lamp(1).id, [*here, *absent])) == here
    assert see(store, lambda snapshot: snapshot.known_instances("", "urn:none", [*here])) == set()


def test_windows_include_their_start_and_exclude_their_end(store: Store) -> None:
    append(store, ID, *(reading(number, START + number * HOUR) for number in range(6)))
    assert levels(store, ID, start=START + HOUR, end=START + 3 * HOUR) == [1, 2]
    assert levels(store, ID, start=START + 4 * HOUR) == [4, 5]
    assert levels(store, ID, end=START + HOUR) == [0]
    assert levels(store, ID, last_n=2) == [4, 5]
    assert levels(store, ID, first_n=2) == [0, 1]
    assert levels(store, ID, end=START + 4 * HOUR, last_n=2) == [2, 3]
    assert history(store, ID, names=["urn:other"]) == {}


def test_windows_with_a_bound_leave_out_instances_without_the_timeproperty(store: Store) -> None:
    event = append(
        store, ID, Instance(name=LEVEL, attribute=prop("unstamped")), reading("stamped", START - HOUR)
    )
    assert event is not None
    assert levels(store, ID) == ["stamped", "unstamped"]
    assert levels(store, ID, start=0) == ["stamped"]
    assert levels(store, ID, timeproperty="deletedAt", start=0) == []
    assert levels(store, ID, timeproperty="modifiedAt", start=event.at) == ["stamped", "unstamped"]


def test_numbers_leave_out_what_is_surely_none_of_them(store: Store) -> None:
    values = [1, 2.5, 2**70, "3", True, [3, "x"], {"a": 3}, 3, -7.25, 3.0000000001, 2**53 + 1]
    append(store, ID, *(reading(value, START + hour * HOUR) for hour, value in enumerate(values)))
    append(store, ID, Instance(name=LEVEL, attribute=prop(3)))
    compound = [2**70, [3, "x"], {"a": 3}]
    for numbers, expected in (
        (Numbers(low=2.5), [2.5, 3, 3.0000000001, 2**53 + 1]),
        (Numbers(low=2.5, with_low=False, high=3), [3]),
        (Numbers(low=1, high=3, with_high=False), [1, 2.5]),
        (Numbers(low=3, high=3), [3]),
        (Numbers(low=2**53 + 1), [2**53 + 1]),
        (Numbers(low=4, high=3), []),
        (Numbers(high=-7.25), [-7.25]),
    ):
        bounded = levels(store, ID, start=START, numbers=numbers)
        assert [each for each in bounded if each not in compound] == expected
        assert [each for each in bounded if each in compound] == compound
        assert levels(store, ID, start=START, numbers=numbers, last_n=1) == bounded[-1:]
        window = Window(names=[LEVEL], numbers=numbers)
        told = see(store, lambda snapshot, window=window: snapshot.count_numbers("", ID, window))
        assert told == (len(expected), len(compound))
        late = Window(names=[LEVEL], numbers=numbers, start=START + 100 * HOUR)
        assert see(store, lambda snapshot, late=late: snapshot.count_numbers("", ID, late)) == (0, 0)
    odd = Instance(
        name=LEVEL,
        attribute=Attribute(kind="JsonProperty", value=3, observed_at=format_datetime(START + 50 * HOUR)),
    )
    append(store, ID, odd)
    window = Window(names=[LEVEL], numbers=Numbers(low=3, high=3), dataset_ids=[""])
    assert see(store, lambda snapshot: snapshot.count_numbers("", ID, window)) == (1, 4)
    elsewhere = Window(names=[LEVEL], numbers=Numbers(), dataset_ids=["urn:x:b"])
    assert see(store, lambda snapshot: snapshot.count_numbers("", ID, elsewhere)) == (0, 0)
    assert see(store, lambda snapshot: snapshot.count_numbers("none", ID, window)) == (0, 0)


def test_count_observed_counts_what_a_window_holds(store: Store) -> None:
    append(store, ID, *(reading(hour, START + hour * HOUR) for hour in range(6)))
    append(store, ID, reading(7, START + 2 * HOUR, dataset_id="urn:x:b"))
    append(store, ID, Instance(name=LEVEL, attribute=prop("unstamped")))
    put(store, lamp(1, "on"))
    expected = [(None, None), (2, None), (None, 2), (1, 4), (5, 5)]
    for start, end in expected:
        bounds = {
            "start": None if start is None else START + start * HOUR,
            "end": None if end is None else START + end * HOUR,
        }
        for dataset_ids in (None, [""], ["urn:x:b"], ["urn:x:c"]):
            window = Window(names=[LEVEL], dataset_ids=dataset_ids, **bounds)
            with store.snapshot() as snapshot:
                held = snapshot.instances("", ID, window)
                told = snapshot.count_observed("", ID, window)
            count = sum(1 for each in held.get(LEVEL, []) if each.attribute.observed_at is not None)
            assert told == ({(LEVEL, "Property"): count} if count else {}), window
    # What lacks observedAt, and a deletion, are not counted.
    assert see(store, lambda snapshot: snapshot.count_observed("", lamp(1).id, Window())) == {}
    remove(store, lamp(1).id)
    assert see(store, lambda snapshot: snapshot.count_observed("", lamp(1).id, Window())) == {}
    assert see(store, lambda snapshot: snapshot.count_observed("none", ID, Window())) == {}


@pytest.mark.parametrize("values", [[1, 2, 3], [1.5, -0.0, 2.0], [1, 2.5], [1, "x"], [1, 2**53 + 1], [True]])
def test_number_columns_tell_what_instances_tell(store: Store, values: list[Any]) -> None:
    append(store, ID, *(reading(value, START + hour * HOUR) for hour, value in enumerate(values)))
    append(store, ID, reading(7, START, occurrence=1), reading(8, START + HOUR, dataset_id="urn:d:1"))
    numeric = len({type(value) for value in values}) == 1 and type(values[0]) in (int, float)
    numeric = numeric and max(values) < 2**53
    for window in (
        Window(),
        Window(start=START + HOUR, end=START + 2 * HOUR),
        Window(with_repeats=False),
        Window(dataset_ids=["urn:d:1"]),
        Window(dataset_ids=["", "urn:d:2"]),
        Window(end=START),
    ):
        with store.snapshot() as snapshot:
            told = snapshot.number_columns("", ID, LEVEL, window)
            found = snapshot.instances("", ID, replace(window, names=[LEVEL])).get(LEVEL, [])
        kinds: dict[str, set[type]] = {}
        for one in found:
            kinds.setdefault(one.attribute.dataset_id, set()).add(type(one.attribute.value))
        if told is None:
            assert not numeric or any(len(types) > 1 for types in kinds.values())
            continue
        expected: dict[str, list[tuple[int, Any]]] = {}
        for one in found:
            pair = parse_datetime(one.attribute.observed_at or ""), one.attribute.value
            expected.setdefault(one.attribute.dataset_id, []).append(pair)
        pairs = {
            dataset: list(zip(column.times, column.numbers, strict=True)) for dataset, column in told.items()
        }
        assert all(column.times == sorted(column.times) for column in told.values())
        assert {dataset: sorted(many) for dataset, many in pairs.items()} == {
            dataset: sorted(many) for dataset, many in expected.items()
        }
        types = {dataset: {type(number) for number in column.numbers} for dataset, column in told.items()}
        assert types == kinds


def test_number_columns_are_none_where_something_else_is_there(store: Store) -> None:
    append(store, ID, reading(1, START))
    for window in (Window(last_n=1), Window(first_n=1), Window(timeproperty="modifiedAt")):
        assert see(store, lambda snapshot, w=window: snapshot.number_columns("", ID, LEVEL, w)) is None
    append(store, ID, Instance(name=LEVEL, attribute=prop(2)))
    assert see(store, lambda snapshot: snapshot.number_columns("", ID, LEVEL, Window())) is None
    assert see(store, lambda snapshot: snapshot.number_columns("", ID, STATE, Window())) == {}
    assert see(store, lambda snapshot: snapshot.number_columns("", "urn:none", LEVEL, Window())) == {}
    put(store, lamp(1, attributes={LEVEL: [prop(1, observed_at=format_datetime(START))]}))
    put(store, lamp(1))
    assert see(store, lambda snapshot: snapshot.number_columns("", lamp(1).id, LEVEL, Window())) is None


def test_windows_by_time_of_writing(home: Home, store: Store) -> None:
    append(store, ID, reading("a", START + 9 * HOUR))
    home.clock.advance(3600)
    append(store, ID, reading("b", START))
    now = home.clock.now()
    assert levels(store, ID, timeproperty="createdAt") == ["a", "b"]
    assert levels(store, ID, timeproperty="createdAt", start=now) == ["b"]
    assert levels(store, ID, timeproperty="modifiedAt", last_n=1) == ["b"]
    assert levels(store, ID, timeproperty="modifiedAt", first_n=1) == ["a"]
    assert levels(store, ID, timeproperty="modifiedAt", end=now) == ["a"]


def test_windows_by_deletion(store: Store) -> None:
    put(store, lamp(1, attributes={LEVEL: [prop(1)], STATE: [prop(1)]}))
    event = put(store, lamp(1, attributes={STATE: [prop(1)]}))
    assert event is not None
    gone = history(store, lamp(1).id, timeproperty="deletedAt", start=event.at, end=event.at + 1)
    assert list(gone) == [LEVEL]
    assert [each.attribute.value for each in gone[LEVEL]] == [NULL]


def test_replace_instance_changes_it_in_place(store: Store) -> None:
    append(store, ID, *(reading(number, START + number * HOUR, row=number) for number in range(3)))
    identity = history(store, ID)[LEVEL][1].attribute.instance_id
    event = do(
        store,
        lambda tx: tx.replace_instance("", ID, reading(9, START + HOUR, instance_id=identity, row=1), CAUSE),
    )
    assert levels(store, ID) == [0, 9, 2]
    changed = history(store, ID)[LEVEL][1].attribute
    assert (changed.instance_id, changed.modified_at) == (identity, format_datetime(event.at))
    assert changed.created_at != changed.modified_at
    (change,) = event.changes
    assert change.before is not None
    assert change.after is not None
    assert (change.before.value, change.after.value) == (1, 9)


@pytest.mark.parametrize("cause", [RUN, CAUSE])
def test_replace_instance_keeps_the_id_when_the_stamp_changes(store: Store, cause: Cause) -> None:
    append(store, ID, reading(1, START), reading(2, START + HOUR), cause=cause)
    identity = history(store, ID)[LEVEL][0].attribute.instance_id
    moved = reading(3, START + 2 * HOUR, instance_id=identity)
    do(store, lambda tx: tx.replace_instance("", ID, moved, CAUSE))
    assert levels(store, ID) == [2, 3]
    assert history(store, ID)[LEVEL][1].attribute.instance_id == identity
    if cause is RUN:
        assert append(store, ID, reading(1, START)) is None
    do(store, lambda tx: tx.replace_instance("", ID, reading(4, START, instance_id=identity), CAUSE))
    assert levels(store, ID) == [4, 2]
    do(store, lambda tx: tx.delete_history("", ID, CAUSE, name=LEVEL, instance_id=identity))
    assert levels(store, ID) == [2]


def test_delete_history_of_an_instance_an_attribute_and_an_entity(store: Store) -> None:
    put(store, lamp(1, attributes={STATE: [prop(1), prop(2, dataset_id="urn:d:1")], LEVEL: [prop(3)]}))
    identity = history(store, lamp(1).id)[LEVEL][0].attribute.instance_id
    one = do(store, lambda tx: tx.delete_history("", lamp(1).id, CAUSE, name=LEVEL, instance_id=identity))
    assert (one.kind, one.count) == ("historyDeleted", 1)
    do(store, lambda tx: tx.delete_history("", lamp(1).id, CAUSE, name=STATE, dataset_id=""))
    assert [each.attribute.value for each in history(store, lamp(1).id)[STATE]] == [2]
    do(store, lambda tx: tx.delete_history("", lamp(1).id, CAUSE, name=STATE))
    assert history(store, lamp(1).id) == {}
    do(store, lambda tx: tx.delete_history("", lamp(1).id, CAUSE))
    assert see(store, lambda snapshot: snapshot.history_entity("", lamp(1).id)) is None
    assert see(store, lambda snapshot: snapshot.get("", lamp(1).id)) is not None
    put(store, lamp(1, "again"))
    assert see(store, lambda snapshot: snapshot.history_entity("", lamp(1).id)) is not None


def test_delete_history_of_an_entity_takes_its_former_lives(store: Store) -> None:
    put(store, lamp(1))
    remove(store, lamp(1).id)
    put(store, lamp(1))
    remove(store, lamp(1).id)
    do(store, lambda tx: tx.delete_history("", lamp(1).id, CAUSE))
    with store.snapshot() as snapshot:
        assert snapshot.history_entity("", lamp(1).id) is None
        assert snapshot.history_entities("") == []


def test_changing_history_that_is_not_there_is_refused(store: Store) -> None:
    put(store, lamp(1))
    lost = reading(1, START, instance_id="urn:lost")
    for work in (
        lambda tx: tx.delete_history("", "urn:none", CAUSE),
        lambda tx: tx.delete_history("", lamp(1).id, CAUSE, name=LEVEL),
        lambda tx: tx.delete_history("", lamp(1).id, CAUSE, name=STATE, dataset_id="urn:d:1"),
        lambda tx: tx.delete_history("", lamp(1).id, CAUSE, name=STATE, instance_id="urn:lost"),
        lambda tx: tx.replace_instance("", lamp(1).id, lost, CAUSE),
        lambda tx: tx.replace_instance("other", lamp(1).id, lost, CAUSE),
    ):
        with pytest.raises(ResourceNotFound, match="does not exist"):
            do(store, work)


def test_history_entities_are_selected_and_paged_by_id(store: Store) -> None:
    for number in range(1, 5):
        put(store, lamp(number))
    remove(store, lamp(2).id)
    append(store, "urn:ngsi-ld:Lamp:0025", reading(1, START), types=(LAMP, SENSOR))
    put(store, lamp(9), "other")

    def ids(**selection: Any) -> list[str]:
        found = see(store, lambda snapshot: snapshot.history_entities("", **selection))
        return [entity.id.removeprefix("urn:ngsi-ld:Lamp:") for entity in found]

    assert ids() == ["001", "002", "0025", "003", "004"]
    assert ids(limit=2) == ["001", "002"]
    assert ids(after_id=lamp(2).id, limit=2) == ["0025", "003"]
    assert ids(types=TypeIs(SENSOR)) == ["0025"]
    assert ids(types=TypeAnd([TypeIs(LAMP), TypeIs(SENSOR)])) == ["0025"]
    assert ids(types=TypeOr([TypeIs(LAMP), TypeIs(SENSOR)])) == ["001", "002", "0025", "003", "004"]
    assert ids(types=TypeIs("urn:never")) == []
    assert ids(ids=[lamp(4).id, lamp(2).id, lamp(7).id]) == ["002", "004"]
    assert ids(id_pattern="00[12]$") == ["001", "002"]
    assert ids(attrs=[LEVEL]) == ["0025"]
    assert ids(attrs=["urn:never"]) == []


def test_origins_tell_where_each_instance_came_from(store: Store) -> None:
    second = replace(RUN, id="urn:ngsi-ld:ImportRun:s:2", file="b.csv")
    append(store, ID, reading(1, START, row=11))
    append(store, ID, reading(2, START + HOUR, row=3), cause=second)
    do(store, lambda tx: tx.move_cursor("all", tx.last_seq()))
    assert do(store, lambda tx: tx.trim_log(0)) == 2
    found = see(store, lambda snapshot: snapshot.origins("", ID, Window(names=[LEVEL])))
    assert [(origin.seq, origin.cause, origin.instance.row) for origin in found] == [
        (2, second, 3),
        (1, RUN, 11),
    ]
    assert found[0].at > found[1].at
    latest = see(store, lambda snapshot: snapshot.origins("", ID, Window(last_n=1)))
    assert [origin.instance.attribute.value for origin in latest] == [2]


def test_origin_of_a_replaced_instance_is_the_replacement(store: Store) -> None:
    append(store, ID, reading(1, START))
    identity = history(store, ID)[LEVEL][0].attribute.instance_id
    do(store, lambda tx: tx.replace_instance("", ID, reading(2, START, instance_id=identity), CAUSE))
    (origin,) = see(store, lambda snapshot: snapshot.origins("", ID, Window()))
    assert (origin.seq, origin.cause) == (2, CAUSE)


def test_expire_history_deletes_what_is_older_and_no_more_than_asked(store: Store) -> None:
    append(store, ID, *(reading(number, START + number * HOUR) for number in range(6)))
    append(store, "urn:ngsi-ld:Other:1", reading(0, START), types=("urn:other",))
    assert do(store, lambda tx: tx.expire_history("", SENSOR, START + 4 * HOUR, 3)) == 3
    assert levels(store, ID) == [3, 4, 5]
    assert do(store, lambda tx: tx.expire_history("", SENSOR, START + 4 * HOUR, 3)) == 1
    assert do(store, lambda tx: tx.expire_history("", SENSOR, START + 4 * HOUR, 3)) == 0
    assert levels(store, ID) == [4, 5]
    assert levels(store, "urn:ngsi-ld:Other:1") == [0]
    assert do(store, lambda tx: tx.expire_history("nobody", SENSOR, START, 3)) == 0


def test_expire_history_forgets_a_past_entity_without_instances(store: Store) -> None:
    put(store, lamp(1))
    put(store, lamp(2))
    event = remove(store, lamp(1).id)
    assert event is not None
    assert do(store, lambda tx: tx.expire_history("", LAMP, event.at + 1, 100)) == 3
    with store.snapshot() as snapshot:
        assert [entity.id for entity in snapshot.history_entities("")] == [lamp(2).id]


def test_append_history_of_an_empty_entity_makes_it_known(store: Store) -> None:
    chunk = HistoryAppend(entity_id=ID, types=[SENSOR], instances=[])
    assert do(store, lambda tx: tx.append_history("", chunk, CAUSE)) is not None
    assert do(store, lambda tx: tx.append_history("", chunk, CAUSE)) is None
    assert see(store, lambda snapshot: snapshot.history_entity("", ID)) is not None


def test_a_time_that_is_none_is_refused_and_nothing_is_stored(store: Store) -> None:
    bad = Instance(name=LEVEL, attribute=prop(1, observed_at="yesterday"))
    future = store.submit(
        lambda tx: tx.append_history("", HistoryAppend(entity_id=ID, types=[SENSOR], instances=[bad]), CAUSE)
    )
    assert "observedAt" in str(future.exception(10))
    assert see(store, lambda snapshot: snapshot.history_entity("", ID)) is None
    assert parse_datetime(format_datetime(START)) == START
