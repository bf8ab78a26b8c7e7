import pytest

from cityloom.broker.ports import Item
from cityloom.model.entity import Attribute
from cityloom.model.errors import BadRequestData, Forbidden, ResourceNotFound
from cityloom.model.history import HistoryAppend, Instance

from .helpers import VEHICLE, V, fragment, prop, rel, value, vehicle

ID = "urn:ngsi-ld:Vehicle:1"
MAKER = "https://example.org/terms#maker"
SCHEMA = {
    "@context": {"maker": MAKER, "colour": {"@id": "https://example.org/terms#colour"}},
    "type": "object",
    "required": ["speed"],
    "properties": {
        "speed": {"type": "number", "minimum": 0},
        "maker": {"$ref": "#/$defs/name"},
        "tyre": {"type": "object", "properties": {"colour": {"enum": ["black"]}}},
        "soldAt": {"type": "string", "format": "date"},
    },
    "$defs": {"name": {"type": "string", "minLength": 2}},
}


@pytest.fixture
async def guarded(broker, call):
    assert await broker.schemas.put(call, VEHICLE, SCHEMA) is True
    return broker


async def test_a_schema_is_kept_listed_and_forgotten(broker, call):
    assert await broker.schemas.list(call) == []
    assert await broker.schemas.put(call, VEHICLE, SCHEMA) is True
    assert await broker.schemas.put(call, VEHICLE, SCHEMA) is False
    assert await broker.schemas.list(call) == [VEHICLE]
    assert await broker.schemas.retrieve(call, VEHICLE) == SCHEMA
    await broker.schemas.delete(call, VEHICLE)
    for attempt in (broker.schemas.retrieve(call, VEHICLE), broker.schemas.delete(call, VEHICLE)):
        with pytest.raises(ResourceNotFound, match="does not exist"):
            await attempt


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ([], "no JSON object"),
        ({"type": "nonsense"}, "type is invalid"),
        ({"properties": {"a": {"minimum": "x"}}}, "properties.a.minimum is invalid"),
        ({"$ref": "https://example.org/other.json"}, "none is fetched"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "none is fetched"),
        ({"@context": "https://example.org/context.jsonld"}, "@context"),
        ({"@context": {"maker": 7}}, "@context.maker"),
    ],
)
async def test_put_is_refused_when_the_schema_is_wrong(broker, call, schema, message):
    with pytest.raises(BadRequestData) as caught:
        await broker.schemas.put(call, VEHICLE, schema)
    assert message in caught.value.detail
    assert await broker.schemas.list(call) == []


@pytest.mark.parametrize(
    ("attributes", "field", "reason"),
    [
        ({"fuel": prop(1)}, "speed", "is required"),
        ({"speed": prop(-1)}, "speed", "is invalid: -1 is less than the minimum of 0"),
        ({"speed": prop("fast")}, "speed", "is invalid: 'fast' is not of type 'number'"),
        ({"speed": rel("urn:x:1")}, "speed", "is invalid: 'urn:x:1' is not of type 'number'"),
        ({"speed": prop(1), "soldAt": prop("soon")}, "soldAt", "is invalid: 'soon' is not a 'date'"),
    ],
)
async def test_create_is_refused_with_field_and_reason(guarded, call, attributes, field, reason):
    with pytest.raises(BadRequestData) as caught:
        await guarded.create_entity(call, vehicle(**attributes))
    assert caught.value.extra == {"field": field, "reason": reason}
    assert caught.value.detail.startswith(f"{field} {reason}")
    with pytest.raises(ResourceNotFound):
        await guarded.retrieve_entity(call, ID)


async def test_names_are_those_of_the_schemas_own_context(guarded, call):
    entity = vehicle(speed=1, tyre={"https://example.org/terms#colour": "black"})
    entity.attributes[MAKER] = [prop("M")]
    with pytest.raises(BadRequestData, match="maker is invalid"):
        await guarded.create_entity(call, entity)
    entity.attributes[MAKER] = [prop("Man")]
    await guarded.create_entity(call, entity)
    with pytest.raises(BadRequestData, match=r"tyre\.colour is invalid"):
        await guarded.merge_entity(call, ID, fragment(tyre={"https://example.org/terms#colour": "red"}))


async def test_every_way_of_writing_is_guarded(guarded, call):
    await guarded.create_entity(call, vehicle(speed=1))
    for attempt in (
        lambda: guarded.merge_entity(call, ID, fragment(speed="x")),
        lambda: guarded.update_attributes(call, ID, fragment(speed="x")),
        lambda: guarded.append_attributes(call, ID, fragment(speed="x")),
        lambda: guarded.update_attribute(call, ID, V + "speed", Attribute(value="x")),
        lambda: guarded.replace_attribute(call, ID, V + "speed", prop("x")),
        lambda: guarded.delete_attribute(call, ID, V + "speed"),
        lambda: guarded.replace_entity(call, ID, vehicle(fuel=1)),
    ):
        with pytest.raises(BadRequestData, match="speed"):
            await attempt()
    assert value(await guarded.retrieve_entity(call, ID), "speed") == 1


async def test_a_batch_refuses_the_members_that_break_it(guarded, call):
    members = [vehicle(1, speed=1), vehicle(2, speed="x"), vehicle(3, speed=3)]
    result = await guarded.batch(
        call, "upsert-update", [Item(id=entity.id, entity=entity) for entity in members]
    )
    assert len(result.created) == 2
    assert [(error.id, error.error.extra["field"]) for error in result.errors] == [
        ("urn:ngsi-ld:Vehicle:2", "speed")
    ]


async def test_a_changed_schema_counts_at_once(guarded, call):
    await guarded.create_entity(call, vehicle(speed=1))
    await guarded.schemas.put(call, VEHICLE, {"properties": {"speed": {"type": "string"}}})
    with pytest.raises(BadRequestData, match="speed"):
        await guarded.merge_entity(call, ID, fragment(speed=2))
    await guarded.schemas.delete(call, VEHICLE)
    await guarded.merge_entity(call, ID, fragment(speed=2))
    assert value(await guarded.retrieve_entity(call, ID), "speed") == 2


async def test_other_types_are_left_alone(guarded, call):
    other = vehicle(1, fuel=1)
    bus = type(other)(id=other.id, types=[V + "Bus"], attributes=other.attributes)
    await guarded.create_entity(call, bus)
    with pytest.raises(BadRequestData, match="speed is required"):
        await guarded.append_attributes(call, ID, fragment(types=[VEHICLE]))


async def test_history_is_guarded_attribute_by_attribute(guarded, call):
    def append(*values):
        return HistoryAppend(
            entity_id=ID,
            types=[VEHICLE],
            instances=[
                Instance(
                    name=V + "speed", attribute=prop(one, observed_at=f"2026-01-0{day}T00:00:00Z"), row=day
                )
                for day, one in enumerate(values, 1)
            ],
        )

    refusals = await guarded.check_history(call, [append(1, "x", -3)])
    assert [(refusal.instance.row, refusal.error.extra["field"]) for refusal in refusals] == [
        (2, "speed"),
        (3, "speed"),
    ]
    with pytest.raises(BadRequestData, match="speed is invalid"):
        await guarded.append_history(call, [append(1, 2), append(1, "x")])
    with pytest.raises(BadRequestData):
        await guarded.upsert_history(call, append("x"))
    assert await guarded.append_history(call, [append(1, 2)]) == [2]


async def test_only_who_administers_may_change_schemas(broker, call, access):
    access.denied = {("admin", "schemas")}
    with pytest.raises(Forbidden):
        await broker.schemas.put(call, VEHICLE, SCHEMA)
    with pytest.raises(Forbidden):
        await broker.schemas.delete(call, VEHICLE)
