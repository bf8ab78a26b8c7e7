import msgspec
import pytest

from cityloom.broker.ports import Call
from cityloom.model.errors import BadRequestData, Forbidden, ResourceNotFound
from cityloom.model.events import Cause

from .helpers import vehicle

ID = "urn:ngsi-ld:Vehicle:1"
BODY = {"name": "Ada", "phone": "555 0100"}


@pytest.fixture
def officer():
    return Call(
        party="officer",
        purpose="call the reporter back",
        cause=Cause(kind="request", id="request:2", party="officer"),
    )


async def test_reading_is_logged_and_erasing_is_for_good(broker, call, officer, store):
    await broker.create_entity(call, vehicle(speed=1))
    await broker.personal.put(call, ID, BODY)
    assert await broker.personal.read(officer, ID) == BODY
    await broker.personal.erase(officer, ID)
    with pytest.raises(ResourceNotFound, match="personal data"):
        await broker.personal.read(officer, ID)
    with pytest.raises(ResourceNotFound):
        await broker.personal.erase(officer, ID)
    readings = await broker.personal.readings(officer, ID)
    assert [(reading["party"], reading["action"]) for reading in readings] == [
        ("officer", "read"),
        ("officer", "erase"),
        ("officer", "read"),
    ]
    assert readings[0]["purpose"] == officer.purpose
    with store.snapshot() as snapshot:
        kept = msgspec.json.encode([snapshot.events(0), snapshot.get("", ID)])
    assert b"Ada" not in kept


async def test_a_purpose_is_required(broker, call, officer):
    await broker.create_entity(call, vehicle(speed=1))
    await broker.personal.put(call, ID, BODY)
    for purpose in ("", "  "):
        with pytest.raises(BadRequestData, match="purpose is required"):
            await broker.personal.read(msgspec.structs.replace(officer, purpose=purpose), ID)
    assert await broker.personal.readings(officer, ID) == []


async def test_personal_data_belong_to_an_entity(broker, call):
    with pytest.raises(ResourceNotFound):
        await broker.personal.put(call, ID, BODY)


async def test_access_is_asked_for_personal_data_apart(broker, call, officer, access):
    await broker.create_entity(call, vehicle(speed=1))
    await broker.personal.put(call, ID, BODY)
    access.denied = {("personal", ID)}
    for attempt in (broker.personal.read, broker.personal.erase, broker.personal.readings):
        with pytest.raises(Forbidden):
            await attempt(officer, ID)
    access.denied = set()
    assert await broker.personal.readings(officer, ID) == []
