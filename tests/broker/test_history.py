from dataclasses import dataclass
from random import Random

import pytest
from msgspec.structs import replace

from cityloom.broker.door import Limits
from cityloom.broker.ports import Call
from cityloom.model.entity import NULL, Attribute
from cityloom.model.errors import InvalidRequest, ResourceNotFound, TooComplexQuery
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import parse_datetime
from cityloom.query.parse_q import parse_q
from cityloom.query.values import GeoQuery, OrderBy, OrderTerm, Query, ScopeTerm, TemporalQuery, TypeIs
from cityloom.store.instances import series_instance_id

from .helpers import SCOPE, VEHICLE, V, fragment, prop, rel, vehicle

ID = "urn:ngsi-ld:Vehicle:1"


def instances(name, values, day="2020-08-01", dataset="", first_minute=1):
    return [
        Instance(
            name=V + name,
            attribute=prop(one, dataset, observed_at=f"{day}T12:{minute:02}:00Z"),
        )
        for minute, one in enumerate(values, first_minute)
    ]


def append(*parts, number=1, scopes=(), type=VEHICLE):
    return HistoryAppend(
        entity_id=f"urn:ngsi-ld:Vehicle:{number}",
        types=[type],
        scopes=list(scopes),
        instances=[instance for part in parts for instance in part],
    )


def micros(minute, day="2020-08-01"):
    return parse_datetime(f"{day}T12:{minute:02}:00Z")


def seen(page, name, place=0):
    return [one.attribute.value for one in page.evolutions[place].instances[V + name]]


async def test_upsert_tells_whether_the_evolution_is_new(broker, call):
    assert await broker.upsert_history(call, append(instances("speed", [1, 2]))) is True
    assert await broker.upsert_history(call, append(instances("speed", [3], day="2020-08-02"))) is False
    page = await broker.retrieve_history(call, ID, TemporalQuery())
    assert seen(page, "speed") == [1, 2, 3]
    assert page.evolutions[0].entity.types == [VEHICLE]
    assert (page.cut, page.range_start, page.size) == (False, None, None)
    for one in page.evolutions[0].instances[V + "speed"]:
        assert one.attribute.instance_id
        assert one.attribute.created_at == one.attribute.modified_at is not None


async def test_the_evolution_of_an_entity_follows_its_current_state(broker, call, clock):
    await broker.create_entity(call, vehicle(speed=1))
    clock.advance(1)
    await broker.merge_entity(call, ID, fragment(speed=2))
    clock.advance(1)
    await broker.delete_attribute(call, ID, V + "speed")
    page = await broker.retrieve_history(call, ID, TemporalQuery())
    assert seen(page, "speed") == [1, 2, NULL]
    assert page.evolutions[0].instances[V + "speed"][-1].attribute.deleted_at is not None


async def test_retrieve_is_refused_when_history_does_not_know(broker, call):
    await broker.upsert_history(call, append(instances("speed", [1])))
    with pytest.raises(ResourceNotFound, match="temporal evolution"):
        await broker.retrieve_history(call, "urn:ngsi-ld:Vehicle:none", TemporalQuery())
    with pytest.raises(ResourceNotFound, match="unknown"):
        await broker.retrieve_history(call, ID, TemporalQuery(), [V + "unknown"])
    empty = TemporalQuery(timerel="before", time_at=micros(0))
    page = await broker.retrieve_history(call, ID, empty, [V + "speed"])
    assert page.evolutions[0].instances == {}


@pytest.mark.parametrize(
    ("temporal", "expected"),
    [
        (TemporalQuery(), [1, 2, 3, 4, 5]),
        (TemporalQuery(timerel="before", time_at=micros(3)), [1, 2]),
        (TemporalQuery(timerel="after", time_at=micros(3)), [3, 4, 5]),
        (TemporalQuery(timerel="between", time_at=micros(2), end_time_at=micros(4)), [2, 3]),
        (TemporalQuery(last_n=2), [4, 5]),
        (TemporalQuery(timerel="before", time_at=micros(4), last_n=2), [2, 3]),
    ],
)
async def test_retrieve_answers_the_window(broker, call, temporal, expected):
    await broker.upsert_history(call, append(instances("speed", [1, 2, 3, 4, 5])))
    assert seen(await broker.retrieve_history(call, ID, temporal), "speed") == expected


async def test_windows_agree_with_a_naive_choice(broker, call):
    chance = Random(8)
    minutes = [chance.randrange(59) for _ in range(60)]
    many = [
        Instance(
            name=V + chance.choice(["speed", "fuel"]),
            attribute=prop(
                place, chance.choice(["", "urn:gps"]), observed_at=f"2020-08-01T12:{minute:02}:00Z"
            ),
        )
        for place, minute in enumerate(minutes)
    ]
    await broker.upsert_history(call, append(many))
    for _ in range(80):
        timerel = chance.choice([None, "before", "after", "between"])
        low, high = sorted((chance.randrange(59), chance.randrange(59)))
        dataset = chance.choice([None, "", "urn:gps"])
        last_n = chance.choice([None, 1, 3, 10])
        temporal = TemporalQuery(
            timerel=timerel,
            time_at=micros(low) if timerel else None,
            end_time_at=micros(high) if timerel == "between" else None,
            last_n=last_n,
        )
        datasets = [] if dataset is None else [dataset or "@none"]
        page = await broker.retrieve_history(call, ID, temporal, dataset_ids=datasets, instances=100)
        expected = {}
        for name in ("speed", "fuel"):
            chosen = [
                (minute, place)
                for place, minute in enumerate(minutes)
                if many[place].name == V + name
                and (dataset is None or many[place].attribute.dataset_id == dataset)
                and (timerel != "before" or minute < low)
                and (timerel not in ("after", "between") or minute >= low)
                and (timerel != "between" or minute < high)
            ]
            times = sorted(minute for minute, _ in chosen)
            if times:
                expected[V + name] = times if last_n is None else times[-last_n:]
        answered = {
            name: [int(one.attribute.observed_at[14:16]) for one in found]
            for name, found in page.evolutions[0].instances.items()
        }
        assert answered == expected, (temporal, dataset)


async def test_attributes_and_datasets_are_chosen(broker, call):
    await broker.upsert_history(
        call,
        append(instances("speed", [1]), instances("speed", [2], dataset="urn:gps"), instances("fuel", [3])),
    )
    page = await broker.retrieve_history(call, ID, TemporalQuery(), [V + "speed"])
    assert list(page.evolutions[0].instances) == [V + "speed"]
    page = await broker.retrieve_history(call, ID, TemporalQuery(), dataset_ids=["@none"])
    assert (seen(page, "speed"), seen(page, "fuel")) == ([1], [3])
    page = await broker.retrieve_history(call, ID, TemporalQuery(), dataset_ids=["urn:gps"])
    assert {name: len(found) for name, found in page.evolutions[0].instances.items()} == {V + "speed": 1}


async def test_only_deletions_convey_the_time_of_deletion(broker, call):
    await broker.create_entity(call, vehicle(speed=1, fuel=2))
    await broker.delete_attribute(call, ID, V + "speed")
    page = await broker.retrieve_history(call, ID, TemporalQuery(timeproperty="deletedAt"))
    assert {name: len(found) for name, found in page.evolutions[0].instances.items()} == {V + "speed": 1}
    query = Query(types=TypeIs(VEHICLE))
    assert (
        len((await broker.query_history(call, query, TemporalQuery(timeproperty="deletedAt"))).evolutions)
        == 1
    )
    await broker.create_entity(call, vehicle(2, speed=1))
    assert (
        len((await broker.query_history(call, query, TemporalQuery(timeproperty="deletedAt"))).evolutions)
        == 1
    )


@pytest.mark.parametrize("all_of_it", [True, False])
async def test_deleting_an_attribute_that_only_history_knows_is_recorded(broker, call, all_of_it):
    name = Instance(name=V + "name", attribute=rel("urn:x:1", observed_at="2020-08-01T12:00:00Z"))
    gps = instances("fuel", [9], dataset="urn:gps")
    await broker.upsert_history(call, append(instances("fuel", [1, 2]), gps, [name], scopes=["/a"]))
    await broker.delete_attribute(call, ID, V + "fuel", delete_all=all_of_it)
    page = await broker.retrieve_history(call, ID, TemporalQuery(timeproperty="deletedAt"))
    gone = page.evolutions[0].instances[V + "fuel"]
    assert {one.attribute.dataset_id for one in gone} == ({"", "urn:gps"} if all_of_it else {""})
    assert {one.attribute.value for one in gone} == {NULL}
    for again in (V + "fuel", V + "never"):
        with pytest.raises(ResourceNotFound):
            await broker.delete_attribute(call, ID, again)
    await broker.delete_attribute(call, ID, SCOPE)
    page = await broker.retrieve_history(call, ID, TemporalQuery(timeproperty="deletedAt"), [SCOPE])
    assert [one.attribute.value for one in page.evolutions[0].instances[SCOPE]] == [[]]


async def test_a_deleted_entity_stays_in_history_and_one_made_again_is_another(broker, call, clock):
    await broker.create_entity(call, vehicle(speed=1))
    clock.advance(1)
    await broker.delete_entity(call, ID)
    page = await broker.retrieve_history(call, ID, TemporalQuery())
    first = page.evolutions[0].entity
    assert first.deleted_at is not None
    assert seen(page, "speed")[0] == 1
    clock.advance(1)
    await broker.create_entity(call, vehicle(speed=2))
    page = await broker.retrieve_history(call, ID, TemporalQuery())
    assert seen(page, "speed") == [2]
    assert page.evolutions[0].entity.deleted_at is None
    assert page.evolutions[0].entity.incarnation != first.incarnation


async def test_append_to_an_evolution_that_does_not_exist_is_refused(broker, call):
    with pytest.raises(ResourceNotFound):
        await broker.append_attributes_history(call, ID, instances("speed", [1]))
    await broker.upsert_history(call, append(instances("speed", [1])))
    await broker.append_attributes_history(call, ID, instances("fuel", [2]))
    assert seen(await broker.retrieve_history(call, ID, TemporalQuery()), "fuel") == [2]


async def test_update_of_an_instance_replaces_it_and_keeps_its_id_and_creation(broker, call, clock):
    note = {V + "note": [prop("old")]}
    one = Instance(name=V + "speed", attribute=prop(1, observed_at="2020-08-01T12:01:00Z", attributes=note))
    unstamped = Instance(name=V + "speed", attribute=prop(7))
    await broker.upsert_history(call, append([one, unstamped], instances("speed", [2], first_minute=2)))
    before = (await broker.retrieve_history(call, ID, TemporalQuery())).evolutions[0].instances[V + "speed"]
    clock.advance(60)
    for old, new in ((1, 10), (7, 70), (10, 11)):
        page = await broker.retrieve_history(call, ID, TemporalQuery())
        found = next(
            each for each in page.evolutions[0].instances[V + "speed"] if each.attribute.value == old
        )
        instance_id = found.attribute.instance_id
        stamp = "2021-01-01T00:00:00Z" if old == 1 else None
        await broker.update_instance(call, ID, V + "speed", instance_id, prop(new, observed_at=stamp))
        page = await broker.retrieve_history(call, ID, TemporalQuery())
        changed = next(
            each.attribute
            for each in page.evolutions[0].instances[V + "speed"]
            if each.attribute.instance_id == instance_id
        )
        assert (changed.value, changed.observed_at, changed.attributes) == (new, stamp, {})
        assert changed.created_at == found.attribute.created_at < changed.modified_at
    assert len(page.evolutions[0].instances[V + "speed"]) == len(before)
    for entity_id, name, wrong_id in (
        ("urn:ngsi-ld:Vehicle:none", V + "speed", instance_id),
        (ID, V + "fuel", instance_id),
        (ID, V + "speed", "urn:ngsi-ld:Instance:none"),
    ):
        with pytest.raises(ResourceNotFound):
            await broker.update_instance(call, entity_id, name, wrong_id, prop(1))


async def test_delete_history_deletes_an_instance_a_dataset_an_attribute_or_all(broker, call):
    await broker.upsert_history(
        call,
        append(
            instances("speed", [1, 2]), instances("speed", [3], dataset="urn:gps"), instances("fuel", [4])
        ),
    )
    page = await broker.retrieve_history(call, ID, TemporalQuery(), dataset_ids=["@none"])
    first = page.evolutions[0].instances[V + "speed"][0].attribute.instance_id
    await broker.delete_history(call, ID, name=V + "speed", instance_id=first)
    page = await broker.retrieve_history(call, ID, TemporalQuery())
    assert sorted(seen(page, "speed")) == [2, 3]
    await broker.delete_history(call, ID, name=V + "speed", dataset_id="")
    assert seen(await broker.retrieve_history(call, ID, TemporalQuery()), "speed") == [3]
    await broker.delete_history(call, ID, name=V + "speed")
    page = await broker.retrieve_history(call, ID, TemporalQuery())
    assert list(page.evolutions[0].instances) == [V + "fuel"]
    with pytest.raises(ResourceNotFound):
        await broker.delete_history(call, ID, name=V + "speed")
    await broker.delete_history(call, ID)
    for attempt in (broker.retrieve_history(call, ID, TemporalQuery()), broker.delete_history(call, ID)):
        with pytest.raises(ResourceNotFound):
            await attempt


async def test_a_series_appended_twice_is_there_once_and_real_repeats_are_kept(make, call):
    broker = make(Limits(history_instances=7))
    cause = Cause(kind="run", id="urn:ngsi-ld:ImportRun:rain:1", source="rain")
    run = Call(cause=cause)

    def series(number):
        found = []
        for minute in range(20):
            for occurrence in (0, 1) if minute == 5 else (0,):
                stamp = micros(minute)
                identity = series_instance_id(
                    f"urn:ngsi-ld:Vehicle:{number}", V + "speed", "", "rain", stamp, occurrence
                )
                attribute = prop(minute, observed_at=f"2020-08-01T12:{minute:02}:00Z", instance_id=identity)
                found.append(
                    Instance(name=V + "speed", attribute=attribute, occurrence=occurrence, row=minute + 1)
                )
        return append(found, number=number)

    assert await broker.append_history(run, [series(1), append(number=3), series(2)]) == [21, 0, 21]
    assert await broker.append_history(run, [series(1), series(2)]) == [0, 0]
    page = await broker.retrieve_history(call, ID, TemporalQuery(), instances=100)
    assert len(page.evolutions[0].instances[V + "speed"]) == 21
    page = await broker.retrieve_history(call, ID, TemporalQuery(with_repeats=False), instances=100)
    assert seen(page, "speed") == list(range(20))
    origins = await broker.origins(call, ID, V + "speed", TemporalQuery(last_n=3))
    assert [(one.instance.row, one.cause) for one in origins] == [(20, cause), (19, cause), (18, cause)]


# -- queries ---------------------------------------------------------------------
@pytest.fixture
async def fleet(broker, call):
    """A and B as in ETSI's suite: speed and fuel, a month apart; C is a bus with a place."""
    for number, day in (("A", "2020-08-01"), ("B", "2020-09-01")):
        await broker.upsert_history(
            call,
            append(
                instances("speed", [120, 80, 100], day), instances("fuel", [67, 53, 40], day), number=number
            ),
        )
    here = Instance(
        name=V + "place",
        attribute=Attribute(
            kind="GeoProperty",
            value={"type": "Point", "coordinates": [-8.5, 41.2]},
            observed_at="2020-10-01T12:05:00Z",
        ),
    )
    await broker.upsert_history(
        call, append(instances("speed", [5], "2020-10-01"), [here], number="C", type=V + "Bus", scopes=["/c"])
    )
    return broker


AFTER = TemporalQuery(timerel="after", time_at=parse_datetime("2020-07-01T00:00:00Z"))


def numbers(page):
    return [evolution.entity.id[-1] for evolution in page.evolutions]


@pytest.mark.parametrize(
    ("query", "temporal", "expected"),
    [
        (Query(), AFTER, "ABC"),
        (Query(types=TypeIs(VEHICLE)), AFTER, "AB"),
        (Query(ids=["urn:ngsi-ld:Vehicle:B", "urn:ngsi-ld:Vehicle:none"]), AFTER, "B"),
        (Query(id_pattern="A$"), AFTER, "A"),
        (Query(attrs=[V + "fuel"]), AFTER, "AB"),
        (Query(), TemporalQuery(timerel="after", time_at=parse_datetime("2020-09-01T00:00:00Z")), "BC"),
        (Query(), TemporalQuery(timerel="before", time_at=parse_datetime("2020-09-01T00:00:00Z")), "A"),
        (Query(q=parse_q("speed>100", lambda name: V + name)), AFTER, "AB"),
        (Query(q=parse_q("fuel>60;speed<90", lambda name: V + name)), AFTER, "AB"),
        (Query(q=parse_q("speed<10", lambda name: V + name)), AFTER, "C"),
        (
            Query(q=parse_q("speed>100", lambda name: V + name)),
            TemporalQuery(timerel="between", time_at=micros(2), end_time_at=micros(50)),
            "",
        ),
        (
            Query(
                geo=GeoQuery(
                    georel="near",
                    geometry={"type": "Point", "coordinates": [-8.503, 41.202]},
                    max_distance=2000,
                    geoproperty=V + "place",
                )
            ),
            AFTER,
            "C",
        ),
        (Query(scope_q=ScopeTerm("/c")), AFTER, "C"),
        (Query(scope_q=ScopeTerm("/d")), AFTER, ""),
    ],
)
async def test_query_selects_by_what_there_is_in_the_window(fleet, call, query, temporal, expected):
    assert numbers(await fleet.query_history(call, query, temporal)) == list(expected)


async def test_query_answers_all_instances_of_the_window_of_what_it_selects(fleet, call):
    query = Query(q=parse_q("speed>100", lambda name: V + name))
    page = await fleet.query_history(call, query, AFTER)
    assert seen(page, "speed") == [120, 80, 100]
    page = await fleet.query_history(call, query, AFTER, [V + "fuel"])
    assert list(page.evolutions[0].instances) == [V + "fuel"]


async def test_query_leaves_out_entities_without_the_dataset_that_is_asked_for(fleet, call):
    gps = append(instances("speed", [1], dataset="urn:gps"), number="A")
    await fleet.upsert_history(call, gps)
    page = await fleet.query_history(call, Query(dataset_ids=["urn:gps"]), AFTER)
    assert numbers(page) == ["A"]
    assert seen(page, "speed") == [1]


async def test_query_pages_and_counts_entities(fleet, call, monkeypatch):
    monkeypatch.setattr("cityloom.broker.evolutions._LOOK_AT_ONCE", 2)
    for offset, expected, more in ((0, "AB", True), (1, "BC", False), (2, "C", False), (3, "", False)):
        page = await fleet.query_history(call, Query(limit=2, offset=offset), AFTER, count=True)
        assert (numbers(page), page.count, page.more) == (list(expected), 3, more)
        page = await fleet.query_history(call, Query(limit=2, offset=offset), AFTER)
        assert (numbers(page), page.count, page.more) == (list(expected), None, more)


async def test_a_page_that_begins_after_an_id_looks_at_nothing_before_it(make, fleet, call, monkeypatch):
    page = await fleet.query_history(call, Query(limit=1), AFTER)
    assert (numbers(page), page.more, page.last) == (["A"], True, page.evolutions[0].entity.id)
    by_key = Query(limit=1, offset=1, after=page.last)
    narrow = make(Limits(history_scan=2))
    page = await narrow.query_history(call, by_key, AFTER)
    assert (numbers(page), page.more) == (["B"], True)
    page = await narrow.query_history(call, replace(by_key, offset=2, after=page.last), AFTER)
    assert (numbers(page), page.more) == (["C"], False)
    monkeypatch.setattr("cityloom.broker.evolutions._LOOK_AT_ONCE", 1)
    with pytest.raises(TooComplexQuery, match="more than 1 entities"):
        await make(Limits(history_scan=1)).query_history(call, Query(limit=1, offset=1), AFTER)
    # What is counted, or begins at the end, is looked at from its beginning.
    page = await fleet.query_history(call, by_key, AFTER, count=True)
    assert (numbers(page), page.count, page.last) == (["B"], 3, "")
    descending = replace(by_key, order_by=OrderBy([OrderTerm(("id",), descending=True)]))
    assert numbers(await fleet.query_history(call, descending, AFTER)) == ["B"]


async def test_a_query_that_looks_at_too_much_is_refused(make, fleet, call, monkeypatch):
    monkeypatch.setattr("cityloom.broker.evolutions._LOOK_AT_ONCE", 1)
    with pytest.raises(TooComplexQuery, match="more than 1 entities"):
        await make(Limits(history_scan=1)).query_history(call, Query(), AFTER)


async def test_scope_query_looks_at_when_a_scope_was_valid(broker, call, clock):
    start = clock.now()
    await broker.create_entity(
        call, vehicle(speed=prop(1, observed_at="2026-05-01T12:00:00Z"), scopes=["/old"])
    )
    clock.advance(3600)
    await broker.update_attributes(call, ID, fragment(scopes=["/new"]))
    await broker.merge_entity(call, ID, fragment(speed=prop(2, observed_at="2026-05-01T14:00:00Z")))
    hour = 3_600_000_000
    early = TemporalQuery(timerel="before", time_at=start + hour // 2)
    late = TemporalQuery(timerel="after", time_at=start + hour + hour // 2)
    for temporal, scope, expected in (
        (early, "/old", 1),
        (early, "/new", 0),
        (late, "/new", 1),
        (late, "/old", 0),
        (AFTER, "/old", 1),
    ):
        page = await broker.query_history(call, Query(scope_q=ScopeTerm(scope)), temporal)
        assert len(page.evolutions) == expected, (temporal, scope)


# -- answers that are too long ---------------------------------------------------
@dataclass
class Cut:
    temporal: TemporalQuery
    start: int | str
    end: str
    size: int | None


BEFORE, LATER = parse_datetime("2019-01-01T01:01:00Z"), parse_datetime("2021-01-01T01:01:00Z")
CUTS = [
    Cut(TemporalQuery(), "least", "most", None),
    Cut(TemporalQuery(last_n=20), "most", "least", 20),
    Cut(TemporalQuery(timerel="before", time_at=LATER, last_n=20), LATER, "least", 20),
    Cut(TemporalQuery(timerel="between", time_at=BEFORE, end_time_at=LATER, last_n=20), LATER, "least", 20),
    Cut(TemporalQuery(timerel="after", time_at=BEFORE, last_n=20), "most", "least", 20),
    Cut(TemporalQuery(timerel="before", time_at=LATER), "least", "most", None),
    Cut(TemporalQuery(timerel="between", time_at=BEFORE, end_time_at=LATER), BEFORE, "most", None),
    Cut(TemporalQuery(timerel="after", time_at=BEFORE), BEFORE, "most", None),
]


@pytest.mark.parametrize("case", CUTS, ids=str)
@pytest.mark.parametrize("entities", [1, 2])
async def test_two_attributes_of_twenty_instances_are_cut_at_one_time(broker, call, case, entities):
    await broker.upsert_history(
        call, append(instances("speed", range(20)), instances("fuel", range(20)), number="1")
    )
    if entities == 2:
        late = append(
            instances("speed", [1, 2], "2020-09-01"), instances("fuel", [3], "2020-09-01"), number="2"
        )
        await broker.upsert_history(call, late)
        page = await broker.query_history(call, Query(types=TypeIs(VEHICLE)), case.temporal)
    else:
        page = await broker.retrieve_history(call, ID, case.temporal)
    assert page.cut
    assert len(page.evolutions) == entities
    by_entity = [
        [
            parse_datetime(instance.attribute.observed_at)
            for found in evolution.instances.values()
            for instance in found
        ]
        for evolution in page.evolutions
    ]
    assert max(map(len, by_entity)) <= Limits().instances
    times = [time for found in by_entity for time in found]
    edges = {"least": min(times), "most": max(times)}
    assert page.range_start == edges.get(case.start, case.start)
    assert page.range_end == edges[case.end]
    assert page.size == case.size
    for evolution in page.evolutions:
        assert set(evolution.instances) == {V + "speed", V + "fuel"}


async def test_five_instances_of_two_attributes_on_two_entities_are_not_cut(broker, call):
    for number in (1, 2):
        await broker.upsert_history(
            call, append(instances("speed", range(5)), instances("fuel", range(5)), number=number)
        )
    page = await broker.query_history(call, Query(types=TypeIs(VEHICLE)), AFTER)
    assert not page.cut
    assert sum(len(found) for one in page.evolutions for found in one.instances.values()) == 20


@pytest.mark.parametrize(
    ("temporal", "empty"),
    [
        (TemporalQuery(timerel="after", time_at=BEFORE), "fuel"),
        (TemporalQuery(timerel="before", time_at=LATER, last_n=100), "speed"),
    ],
)
async def test_an_attribute_beyond_the_cut_stays_and_is_empty(broker, call, temporal, empty):
    await broker.upsert_history(
        call, append(instances("speed", range(58)), instances("fuel", range(58), "2020-08-02"))
    )
    page = await broker.retrieve_history(call, ID, temporal)
    assert page.evolutions[0].instances[V + empty] == []
    full = await broker.retrieve_history(call, ID, temporal, instances=1000)
    assert not full.cut


async def test_pages_forward_give_everything_there_is(broker, call):
    await broker.upsert_history(
        call, append(instances("speed", range(50)), instances("fuel", range(0, 58, 3), first_minute=2))
    )
    found, at = set(), BEFORE
    for _ in range(20):
        page = await broker.retrieve_history(
            call, ID, TemporalQuery(timerel="after", time_at=at), instances=10
        )
        for name, ones in page.evolutions[0].instances.items():
            found |= {(name, one.attribute.instance_id) for one in ones}
        if not page.cut:
            break
        at = page.range_end
    assert not page.cut
    assert len(found) == 70


async def test_instances_of_one_time_are_never_parted(broker, call):
    many = [
        Instance(
            name=V + "speed", attribute=prop(number, f"urn:d:{number}", observed_at="2020-08-01T12:00:00Z")
        )
        for number in range(12)
    ]
    await broker.upsert_history(call, append(many, instances("speed", range(5))))
    for temporal in (AFTER, TemporalQuery(timerel="before", time_at=micros(1), last_n=100)):
        page = await broker.retrieve_history(call, ID, temporal, instances=4)
        assert len(page.evolutions[0].instances[V + "speed"]) == 12
    assert page.cut is True or temporal.last_n == 100


# -- aggregation -----------------------------------------------------------------
HOURLY = TemporalQuery(
    timerel="after", time_at=micros(1), aggr_methods=["avg", "sum"], period=(0, 3_600_000_000)
)


async def test_aggregates_of_an_evolution(broker, call):
    later = instances("fuel", [53], first_minute=5)
    await broker.upsert_history(
        call,
        append(
            instances("speed", [120, 80, 100]),
            instances("speed", [7], dataset="urn:gps"),
            instances("fuel", [67]),
            later,
            instances("name", ["a"]),
        ),
    )
    page = await broker.retrieve_history(call, ID, HOURLY)
    aggregated = page.aggregated[0]
    assert page.evolutions == []
    assert set(aggregated.attributes) == {(V + "speed", ""), (V + "speed", "urn:gps"), (V + "fuel", "")}
    speed = aggregated.attributes[V + "speed", ""]
    hour = 3_600_000_000
    assert [(one.value, one.start, one.end) for one in speed["avg"]] == [(100.0, micros(1), micros(1) + hour)]
    assert [one.value for one in speed["sum"]] == [300]
    assert aggregated.kinds[V + "speed", ""] == "Property"
    page = await broker.query_history(call, Query(types=TypeIs(VEHICLE)), HOURLY, [V + "fuel"])
    assert list(page.aggregated[0].attributes) == [(V + "fuel", "")]


async def test_aggregates_agree_with_a_naive_count(broker, call):
    values = [(minute * 7919) % 101 for minute in range(59)]
    await broker.upsert_history(call, append(instances("speed", values)))
    minutes = 7
    temporal = TemporalQuery(
        timerel="between",
        time_at=micros(3),
        end_time_at=micros(50),
        aggr_methods=["sum", "min", "totalCount"],
        period=(0, minutes * 60_000_000),
    )
    page = await broker.retrieve_history(call, ID, temporal, [V + "speed"])
    found = page.aggregated[0].attributes[V + "speed", ""]
    parts = [
        [values[minute - 1] for minute in range(start, min(start + minutes, 50))]
        for start in range(3, 50, minutes)
    ]
    assert [one.value for one in found["sum"]] == [sum(part) for part in parts]
    assert [one.value for one in found["min"]] == [min(part) for part in parts]
    assert [one.value for one in found["totalCount"]] == [len(part) for part in parts]


async def test_aggregation_that_no_value_allows_is_refused_when_the_attribute_is_asked_for(broker, call):
    await broker.upsert_history(call, append(instances("name", ["a", "b"])))
    with pytest.raises(InvalidRequest, match="avg"):
        await broker.retrieve_history(call, ID, TemporalQuery(aggr_methods=["avg"]), [V + "name"])
    with pytest.raises(ResourceNotFound):
        await broker.retrieve_history(call, ID, HOURLY, [V + "never"])
    page = await broker.retrieve_history(call, ID, HOURLY)
    assert page.aggregated[0].attributes == {}


# -- what there is ---------------------------------------------------------------
async def test_types_and_attributes_in_use(broker, call):
    await broker.create_entity(call, vehicle(1, speed=1, brand=rel("urn:x:1")))
    await broker.create_entity(call, vehicle(2, speed=1))
    bus = vehicle(3, seats=40)
    await broker.create_entity(call, type(bus)(id=bus.id, types=[V + "Bus"], attributes=bus.attributes))
    assert {one.type: one.count for one in await broker.entity_types(call)} == {V + "Bus": 1, VEHICLE: 2}
    uses = {(one.type, one.name): (one.count, one.kinds) for one in await broker.attribute_uses(call)}
    assert uses == {
        (VEHICLE, V + "speed"): (2, ["Property"]),
        (VEHICLE, V + "brand"): (1, ["Relationship"]),
        (V + "Bus", V + "seats"): (1, ["Property"]),
    }
    assert [one.name for one in await broker.attribute_uses(call, V + "Bus")] == [V + "seats"]


async def test_origins_tell_each_values_cause_latest_first(broker, clock):
    for number in range(3):
        call = Call(cause=Cause(kind="request", id=f"request:{number}", party="ada"))
        if number == 0:
            await broker.create_entity(call, vehicle(speed=0))
        else:
            await broker.merge_entity(call, ID, fragment(speed=number))
        clock.advance(1)
    origins = await broker.origins(call, ID, V + "speed", TemporalQuery())
    assert [(one.instance.attribute.value, one.cause.id) for one in origins] == [
        (2, "request:2"),
        (1, "request:1"),
        (0, "request:0"),
    ]
    assert await broker.origins(call, ID, V + "speed", TemporalQuery(), "urn:none") == []
    for entity_id, name in (("urn:ngsi-ld:Vehicle:none", V + "speed"), (ID, V + "none")):
        with pytest.raises(ResourceNotFound):
            await broker.origins(call, entity_id, name, TemporalQuery())
