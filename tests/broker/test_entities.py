import asyncio

import msgspec
import pytest

from cityloom.broker.ports import Call
from cityloom.model.entity import NULL, Attribute, Entity
from cityloom.model.errors import (
    AlreadyExists,
    BadRequestData,
    Forbidden,
    NonexistentTenant,
    OperationNotSupported,
    ResourceNotFound,
)
from cityloom.query.parse_q import parse_q
from cityloom.query.values import Query, TypeIs

from .helpers import SCOPE, VEHICLE, V, fragment, prop, rel, value, vehicle

ID = "urn:ngsi-ld:Vehicle:1"
NOON = "2026-05-01T12:00:00Z"


async def test_create_keeps_the_entity_with_the_systems_times(broker, call):
    await broker.create_entity(
        call, vehicle(speed=prop(50, unit_code="KMH", attributes={V + "by": [prop("x")]}))
    )
    entity = await broker.retrieve_entity(call, ID)
    assert value(entity, "speed") == 50
    assert entity.created_at == entity.modified_at
    speed = entity.instance(V + "speed")
    assert (speed.unit_code, speed.created_at, speed.modified_at) == (
        "KMH",
        entity.created_at,
        entity.created_at,
    )
    assert speed.attributes[V + "by"][0].created_at == entity.created_at


async def test_create_is_refused_when_the_entity_exists(broker, call):
    await broker.create_entity(call, vehicle(speed=1))
    with pytest.raises(AlreadyExists, match=ID):
        await broker.create_entity(call, vehicle(speed=2))
    assert value(await broker.retrieve_entity(call, ID), "speed") == 1


async def test_retrieve_is_refused_when_the_entity_does_not_exist(broker, call):
    with pytest.raises(ResourceNotFound, match="does not exist"):
        await broker.retrieve_entity(call, ID)


async def test_append_adds_and_replaces_instances_by_dataset(broker, call, clock):
    await broker.create_entity(call, vehicle(speed=[prop(1), prop(2, "urn:gps")]))
    made = (await broker.retrieve_entity(call, ID)).instance(V + "speed", "urn:gps").created_at
    clock.advance(60)
    result = await broker.append_attributes(
        call, ID, fragment(speed=[prop(3, "urn:gps"), prop(4, "urn:radar")], fuel=5)
    )
    entity = await broker.retrieve_entity(call, ID)
    assert [value(entity, "speed", dataset) for dataset in ("", "urn:gps", "urn:radar")] == [1, 3, 4]
    assert value(entity, "fuel") == 5
    assert entity.instance(V + "speed", "urn:gps").created_at == made
    assert entity.instance(V + "speed", "urn:gps").modified_at == entity.modified_at > made
    assert set(result.updated) == {V + "speed", V + "fuel"}
    assert result.not_updated == {}


async def test_append_leaves_existing_instances_when_overwriting_is_not_allowed(broker, call):
    await broker.create_entity(call, vehicle(speed=1, scopes=["/a"]))
    result = await broker.append_attributes(
        call, ID, fragment(speed=2, fuel=3, scopes=["/b", "/a"]), overwrite=False
    )
    entity = await broker.retrieve_entity(call, ID)
    assert (value(entity, "speed"), value(entity, "fuel"), entity.scopes) == (1, 3, ["/a", "/b"])
    assert list(result.not_updated) == [V + "speed"]
    assert V + "fuel" in result.updated


async def test_append_refuses_a_null(broker, call):
    await broker.create_entity(call, vehicle(speed=1))
    with pytest.raises(BadRequestData, match=r"speed is invalid.*urn:ngsi-ld:null"):
        await broker.append_attributes(call, ID, fragment(speed=NULL))
    assert value(await broker.retrieve_entity(call, ID), "speed") == 1


async def test_update_replaces_whole_attributes_and_adds_missing_ones(broker, call):
    await broker.create_entity(call, vehicle(speed=prop(25, unit_code="KMH")))
    result = await broker.update_attributes(
        call, ID, fragment(speed=prop(100, observed_at=NOON), brand=rel("urn:ngsi-ld:Brand:1"))
    )
    entity = await broker.retrieve_entity(call, ID)
    speed = entity.instance(V + "speed")
    assert (speed.value, speed.unit_code, speed.observed_at) == (100, None, NOON)
    assert value(entity, "brand") == "urn:ngsi-ld:Brand:1"
    assert result.not_updated == {}


async def test_update_may_change_the_kind_of_an_attribute(broker, call):
    await broker.create_entity(call, vehicle(brand="Mercedes"))
    await broker.update_attributes(call, ID, fragment(brand=rel("urn:ngsi-ld:Brand:1")))
    assert (await broker.retrieve_entity(call, ID)).instance(V + "brand").kind == "Relationship"


@pytest.mark.parametrize(
    "null",
    [
        prop(NULL),
        rel(NULL),
        Attribute(value=NULL),
        Attribute(kind="LanguageProperty", value={"@none": NULL}),
        Attribute(kind="ListProperty", value=[NULL]),
    ],
)
async def test_update_deletes_the_instance_that_a_null_names(broker, call, null):
    await broker.create_entity(call, vehicle(name=[prop("a"), prop("b", "urn:d")], other=1))
    await broker.update_attributes(call, ID, fragment(name=msgspec.structs.replace(null, dataset_id="urn:d")))
    entity = await broker.retrieve_entity(call, ID)
    assert [instance.dataset_id for instance in entity.attributes[V + "name"]] == [""]
    await broker.update_attributes(call, ID, fragment(name=null))
    assert list((await broker.retrieve_entity(call, ID)).attributes) == [V + "other"]


async def test_update_tells_what_it_could_not_update(broker, call):
    await broker.create_entity(call, vehicle(speed=1))
    result = await broker.update_attributes(call, ID, fragment(fuel=NULL, speed=2, scopes=["/a"]))
    assert set(result.not_updated) == {V + "fuel", SCOPE}
    assert result.updated == [V + "speed"]
    assert (await broker.retrieve_entity(call, ID)).scopes == []


async def test_update_replaces_the_scope_and_adds_types(broker, call):
    await broker.create_entity(call, vehicle(scopes=["/a"], speed=1))
    await broker.update_attributes(call, ID, fragment(scopes=["/b"], types=[V + "Car", VEHICLE]))
    entity = await broker.retrieve_entity(call, ID)
    assert (entity.scopes, entity.types) == (["/b"], [VEHICLE, V + "Car"])


async def test_update_refuses_a_null_inside_a_value(broker, call):
    await broker.create_entity(call, vehicle(address={"city": "Berlin"}))
    with pytest.raises(BadRequestData, match="address is invalid"):
        await broker.update_attributes(call, ID, fragment(address={"city": NULL}))


async def test_partial_update_overwrites_only_the_members_given(broker, call):
    await broker.create_entity(
        call, vehicle(speed=prop(25, unit_code="CEL", attributes={V + "source": [prop("gps")]}))
    )
    await broker.update_attribute(
        call,
        ID,
        V + "speed",
        Attribute(value=100, observed_at=NOON, attributes={V + "by": [rel("urn:ngsi-ld:Person:1")]}),
    )
    speed = (await broker.retrieve_entity(call, ID)).instance(V + "speed")
    assert (speed.kind, speed.value, speed.unit_code, speed.observed_at) == ("Property", 100, "CEL", NOON)
    assert set(speed.attributes) == {V + "source", V + "by"}


async def test_partial_update_replaces_a_value_and_does_not_merge_it(broker, call):
    street = Attribute(kind="LanguageProperty", value={"fr": "Grand Place", "nl": "Grote Markt"})
    await broker.create_entity(call, vehicle(street=street))
    new = Attribute(kind="LanguageProperty", value={"es": "Gran Lugar"})
    await broker.update_attribute(call, ID, V + "street", new)
    assert value(await broker.retrieve_entity(call, ID), "street") == {"es": "Gran Lugar"}


async def test_partial_update_removes_members_and_sub_attributes_by_null(broker, call):
    speed = prop(1, unit_code="KMH", observed_at=NOON, attributes={V + "source": [prop("gps")]})
    await broker.create_entity(call, vehicle(speed=speed))
    await broker.update_attribute(
        call,
        ID,
        V + "speed",
        Attribute(unit_code=NULL, observed_at=NULL, attributes={V + "source": [Attribute(value=NULL)]}),
    )
    after = (await broker.retrieve_entity(call, ID)).instance(V + "speed")
    assert (after.value, after.unit_code, after.observed_at, after.attributes) == (1, None, None, {})


@pytest.mark.parametrize(
    ("name", "part", "error"),
    [
        ("speed", Attribute(), BadRequestData),
        ("speed", rel("urn:x"), BadRequestData),
        ("speed", prop(1, "urn:other"), ResourceNotFound),
        ("fuel", prop(1), ResourceNotFound),
    ],
)
async def test_partial_update_is_refused_when(broker, call, name, part, error):
    await broker.create_entity(call, vehicle(speed=7))
    with pytest.raises(error, match=name):
        await broker.update_attribute(call, ID, V + name, part)
    assert value(await broker.retrieve_entity(call, ID), "speed") == 7


async def test_the_scope_is_no_attribute_to_update_or_replace(broker, call):
    await broker.create_entity(call, vehicle(scopes=["/a"]))
    with pytest.raises(BadRequestData, match="scope"):
        await broker.update_attribute(call, ID, SCOPE, prop(["/b"]))
    with pytest.raises(BadRequestData, match="scope"):
        await broker.replace_attribute(call, ID, SCOPE, prop(["/b"]))
    await broker.delete_attribute(call, ID, SCOPE)
    assert (await broker.retrieve_entity(call, ID)).scopes == []
    with pytest.raises(ResourceNotFound, match="scope"):
        await broker.delete_attribute(call, ID, SCOPE)


async def test_replace_attribute_replaces_one_instance_whatever_its_kind(broker, call, clock):
    await broker.create_entity(call, vehicle(speed=[prop(1, unit_code="KMH"), prop(2, "urn:gps")]))
    made = (await broker.retrieve_entity(call, ID)).instance(V + "speed").created_at
    clock.advance(5)
    await broker.replace_attribute(call, ID, V + "speed", rel("urn:ngsi-ld:Speed:1"))
    entity = await broker.retrieve_entity(call, ID)
    speed = entity.instance(V + "speed")
    assert (speed.kind, speed.unit_code, speed.created_at) == ("Relationship", None, made)
    assert value(entity, "speed", "urn:gps") == 2
    with pytest.raises(ResourceNotFound, match="urn:none"):
        await broker.replace_attribute(call, ID, V + "speed", prop(1, "urn:none"))


async def test_delete_attribute_deletes_one_instance_or_all(broker, call):
    await broker.create_entity(call, vehicle(speed=[prop(1), prop(2, "urn:gps"), prop(3, "urn:x")], fuel=1))
    await broker.delete_attribute(call, ID, V + "speed")
    await broker.delete_attribute(call, ID, V + "speed", "urn:x")
    entity = await broker.retrieve_entity(call, ID)
    assert [instance.dataset_id for instance in entity.attributes[V + "speed"]] == ["urn:gps"]
    with pytest.raises(ResourceNotFound, match="speed"):
        await broker.delete_attribute(call, ID, V + "speed")
    await broker.delete_attribute(call, ID, V + "speed", delete_all=True)
    assert list((await broker.retrieve_entity(call, ID)).attributes) == [V + "fuel"]
    with pytest.raises(ResourceNotFound, match="speed"):
        await broker.delete_attribute(call, ID, V + "speed", delete_all=True)


async def test_replace_entity_replaces_all_but_its_creation(broker, call, clock):
    await broker.create_entity(call, vehicle(speed=1, fuel=2, scopes=["/a"]))
    made = await broker.retrieve_entity(call, ID)
    clock.advance(10)
    new = Entity(id=ID, types=[V + "Car"], attributes={V + "speed": [prop(9)]})
    await broker.replace_entity(call, ID, new)
    entity = await broker.retrieve_entity(call, ID)
    assert (entity.types, entity.scopes, list(entity.attributes)) == ([V + "Car"], [], [V + "speed"])
    assert entity.created_at == made.created_at < entity.modified_at
    with pytest.raises(ResourceNotFound):
        await broker.replace_entity(call, "urn:ngsi-ld:Vehicle:none", new)


async def test_merge_goes_into_values_and_members(broker, call):
    address = {"street": "Straße des 17. Juni", "city": "Berlin", "country": "Germany"}
    await broker.create_entity(
        call,
        vehicle(address=address, speed=prop(25, unit_code="CEL", observed_at="2022-03-14T01:59:26.535Z")),
    )
    await broker.merge_entity(
        call,
        ID,
        fragment(
            address={"street": "Pariser Platz", "country": NULL},
            speed=prop(100, observed_at="2022-03-14T13:00:00Z"),
        ),
    )
    entity = await broker.retrieve_entity(call, ID)
    assert value(entity, "address") == {"street": "Pariser Platz", "city": "Berlin"}
    speed = entity.instance(V + "speed")
    assert (speed.value, speed.unit_code, speed.observed_at) == (100, "CEL", "2022-03-14T13:00:00Z")


async def test_merge_uses_the_common_time_only_where_there_was_one(broker, call):
    await broker.create_entity(
        call, vehicle(a=prop(1, observed_at=NOON), b=prop(1), c=prop(1, observed_at=NOON))
    )
    later, own = "2026-05-02T00:00:00Z", "2026-05-03T00:00:00Z"
    await broker.merge_entity(call, ID, fragment(a=2, b=2, c=prop(2, observed_at=own), d=2), later)
    entity = await broker.retrieve_entity(call, ID)
    observed = {name.removeprefix(V): found[0].observed_at for name, found in entity.attributes.items()}
    assert observed == {"a": later, "b": None, "c": own, "d": None}


async def test_merge_keeps_the_kind_of_a_plain_value(broker, call):
    street = Attribute(kind="LanguageProperty", value={"fr": "Grand Place", "nl": "Grote Markt"})
    point = Attribute(kind="GeoProperty", value={"type": "Point", "coordinates": [1, 2]})
    await broker.create_entity(call, vehicle(street=street, brand=rel("urn:ngsi-ld:Brand:1"), place=point))
    moved = {"type": "Point", "coordinates": [3, 4]}
    plain = {"street": "Großer Platz", "brand": "urn:ngsi-ld:Brand:2", "place": moved, "new": 5}
    await broker.merge_entity(
        call, ID, fragment(**{name: Attribute(value=one) for name, one in plain.items()}), lang="de"
    )
    entity = await broker.retrieve_entity(call, ID)
    assert value(entity, "street") == {"fr": "Grand Place", "nl": "Grote Markt", "de": "Großer Platz"}
    kinds = {name.removeprefix(V): found[0].kind for name, found in entity.attributes.items()}
    assert kinds == {
        "street": "LanguageProperty",
        "brand": "Relationship",
        "place": "GeoProperty",
        "new": "Property",
    }
    with pytest.raises(BadRequestData, match="brand is invalid"):
        await broker.merge_entity(call, ID, fragment(brand=Attribute(value=7)))


async def test_merge_of_nothing_changes_nothing(broker, call, store):
    await broker.create_entity(call, vehicle(speed=1))
    before = await broker.retrieve_entity(call, ID)
    seq = _last_seq(store)
    result = await broker.merge_entity(call, ID, fragment(gone=NULL, types=[VEHICLE]))
    assert (result.updated, result.not_updated) == ([], {})
    assert await broker.retrieve_entity(call, ID) == before
    assert _last_seq(store) == seq


async def test_delete_removes_the_entity_once(broker, call):
    await broker.create_entity(call, vehicle(speed=1))
    await broker.delete_entity(call, ID)
    with pytest.raises(ResourceNotFound):
        await broker.retrieve_entity(call, ID)
    with pytest.raises(ResourceNotFound):
        await broker.delete_entity(call, ID)


async def test_every_event_names_its_cause(broker, call, store):
    await broker.create_entity(call, vehicle(speed=1))
    await broker.update_attributes(call, ID, fragment(speed=2))
    await broker.delete_entity(call, ID)
    with store.snapshot() as snapshot:
        events = snapshot.events(0)
    assert [event.kind for event in events] == ["entityCreated", "entityUpdated", "entityDeleted"]
    assert {event.cause for event in events} == {call.cause}


async def test_patches_at_once_lose_nothing(broker, call):
    await broker.create_entity(call, vehicle(n0=0))
    await asyncio.gather(
        *(broker.append_attributes(call, ID, fragment(**{f"n{number}": number})) for number in range(100))
    )
    entity = await broker.retrieve_entity(call, ID)
    assert {value(entity, f"n{number}") for number in range(100)} == set(range(100))


async def test_a_caller_that_goes_away_does_not_cancel_its_write(broker, call, store):
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    def block(tx):
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result(30)

    blocking = asyncio.wrap_future(store.submit(block))
    writing = asyncio.ensure_future(broker.create_entity(call, vehicle(speed=1)))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    held.set()
    await blocking
    await asyncio.wrap_future(store.submit(lambda tx: None))
    assert value(await broker.retrieve_entity(call, ID), "speed") == 1


async def test_query_pages_by_id_and_tells_whether_there_is_more(broker, call):
    for number in range(5):
        await broker.create_entity(call, vehicle(number, speed=number))
    query = Query(types=TypeIs(VEHICLE), limit=2)
    first = await broker.query_entities(call, query, count=True)
    assert ([entity.id[-1] for entity in first.entities], first.count, first.more) == (["0", "1"], 5, True)
    last = await broker.query_entities(call, msgspec.structs.replace(query, offset=4))
    assert ([entity.id[-1] for entity in last.entities], last.count, last.more) == (["4"], None, False)
    only_count = await broker.query_entities(call, msgspec.structs.replace(query, limit=0), count=True)
    assert (only_count.entities, only_count.count) == ([], 5)


async def test_scan_gives_everything_by_id(broker, call):
    for number in range(12):
        await broker.create_entity(call, vehicle(f"{number:03}", speed=number))
    found = [entity.id async for entity in broker.scan_entities(call, Query(types=TypeIs(VEHICLE)))]
    assert found == sorted(found)
    assert len(found) == 12


async def test_scan_may_be_left_early(broker, call, monkeypatch):
    monkeypatch.setattr("cityloom.broker.entities._SCAN_CHUNK", 2)
    for number in range(40):
        await broker.create_entity(call, vehicle(f"{number:03}", speed=number))
    scan = broker.scan_entities(call, Query(types=TypeIs(VEHICLE)))
    assert (await anext(scan)).id.endswith("000")
    await scan.aclose()
    assert len([entity async for entity in broker.scan_entities(call, Query(types=TypeIs(VEHICLE)))]) == 40


async def test_purge_deletes_what_the_query_selects(broker, call, make):
    for number in range(7):
        await broker.create_entity(call, vehicle(number, speed=number))
    q = parse_q("speed>=3", lambda name: V + name)
    result = await make(_small()).purge(call, Query(q=q), [], [])
    assert len(result.deleted) == 4
    left = await broker.query_entities(call, Query(types=TypeIs(VEHICLE)))
    assert [value(entity, "speed") for entity in left.entities] == [0, 1, 2]


async def test_purge_drops_or_keeps_attributes(broker, call):
    await broker.create_entity(call, vehicle(1, a=1, b=2, c=3))
    await broker.purge(call, Query(types=TypeIs(VEHICLE)), [], [V + "a"])
    assert set((await broker.retrieve_entity(call, ID)).attributes) == {V + "b", V + "c"}
    result = await broker.purge(call, Query(types=TypeIs(VEHICLE)), [V + "c"], [])
    assert set((await broker.retrieve_entity(call, ID)).attributes) == {V + "c"}
    assert (result.updated, result.deleted) == ([ID], [])


async def test_tenants_never_see_each_other(broker, call):
    other = Call(tenant="harbour", cause=call.cause)
    with pytest.raises(NonexistentTenant, match="harbour"):
        await broker.retrieve_entity(other, ID)
    with pytest.raises(NonexistentTenant):
        await broker.query_entities(other, Query())
    with pytest.raises(NonexistentTenant):
        await broker.merge_entity(other, ID, fragment(speed=1))
    await broker.create_entity(other, vehicle(speed=1))
    with pytest.raises(ResourceNotFound):
        await broker.retrieve_entity(call, ID)
    assert value(await broker.retrieve_entity(other, ID), "speed") == 1


async def test_types_of_a_room_are_read_only_to_everyone_else(make, call):
    owners = {V + "Case": "cases"}
    room, generic = make(owned_types=owners, room="cases"), make(owned_types=owners)
    case = Entity(id="urn:ngsi-ld:Case:1", types=[V + "Case"], attributes={V + "state": [prop("open")]})
    with pytest.raises(OperationNotSupported, match="belongs to cases"):
        await generic.create_entity(call, case)
    await room.create_entity(call, case)
    for attempt in (
        generic.merge_entity(call, case.id, fragment(state="closed")),
        generic.delete_entity(call, case.id),
        generic.replace_entity(call, case.id, vehicle(speed=1)),
    ):
        with pytest.raises(OperationNotSupported):
            await attempt
    assert value(await generic.retrieve_entity(call, case.id), "state") == "open"
    await room.merge_entity(call, case.id, fragment(state="closed"))


async def test_access_is_asked_before_anything_is_done(broker, call, access, store):
    await broker.create_entity(call, vehicle(speed=1))
    access.denied = {("write", "*"), ("read", "*")}
    seq = _last_seq(store)
    for attempt in (
        lambda: broker.create_entity(call, vehicle(2)),
        lambda: broker.merge_entity(call, ID, fragment(a=1)),
        lambda: broker.replace_entity(call, ID, vehicle()),
        lambda: broker.update_attributes(call, ID, fragment(a=1)),
        lambda: broker.append_attributes(call, ID, fragment(a=1)),
        lambda: broker.update_attribute(call, ID, V + "speed", prop(1)),
        lambda: broker.replace_attribute(call, ID, V + "speed", prop(1)),
        lambda: broker.delete_attribute(call, ID, V + "speed"),
        lambda: broker.delete_entity(call, ID),
        lambda: broker.purge(call, Query(), [], []),
        lambda: broker.retrieve_entity(call, ID),
        lambda: broker.query_entities(call, Query()),
        lambda: anext(broker.scan_entities(call, Query())),
        lambda: broker.entity_types(call),
        lambda: broker.attribute_uses(call),
    ):
        with pytest.raises(Forbidden):
            await attempt()
    assert _last_seq(store) == seq


def _last_seq(store):
    with store.snapshot() as snapshot:
        return snapshot.last_seq()


def _small():
    from cityloom.broker.door import Limits

    return Limits(batch_items=3)
