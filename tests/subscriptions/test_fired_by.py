"""Which subscriptions a change of one entity can fire: what is told is held against what then fires."""

from pathlib import Path
from typing import Any

import pytest

from cityloom.app import Node
from cityloom.folder import CityFolder
from cityloom.model.clock import SystemClock
from cityloom.model.entity import Entity
from cityloom.model.errors import ResourceNotFound, Unauthorized
from cityloom.model.settings import Settings
from tests.subscriptions.helpers import City, Receiver

LIGHT = "urn:ngsi-ld:Streetlight:1"

CASES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"entities": [{"type": "WasteContainer"}]}, False),
    ({"entities": [{"type": "WasteContainer"}, {"type": "Streetlight"}]}, True),
    ({"entities": [{"type": "Streetlight", "id": LIGHT}]}, True),
    ({"entities": [{"type": "Streetlight", "id": "urn:ngsi-ld:Streetlight:2"}]}, False),
    ({"entities": [{"type": "Streetlight", "idPattern": ".*:1$"}]}, True),
    ({"entities": [{"type": "Streetlight", "idPattern": ".*:2$"}]}, False),
    ({"watchedAttributes": ["level"]}, True),
    ({"watchedAttributes": ["humidity"]}, False),
    ({"watchedAttributes": ["level"], "notificationTrigger": ["attributeDeleted"]}, True),
    ({"notificationTrigger": ["entityDeleted"]}, True),
    ({"notificationTrigger": ["entityCreated"]}, False),
    ({"q": "level>50"}, True),
    ({"timeInterval": 3600}, False),
]


async def told(city: City, id: str = LIGHT) -> list[str]:
    call = city.call()
    entity = await city.node.broker.retrieve_entity(call, id)
    found = await city.node.subscriptions.fired_by(call, entity, city.ld_context)
    return [one["id"] for one in found]


@pytest.mark.parametrize(("members", "expected"), CASES)
async def test_the_subscriptions_of_an_object(
    city: City, receiver: Receiver, members: dict[str, Any], expected: bool
) -> None:
    await city.create(LIGHT, level={"type": "Property", "value": 1})
    id = await city.subscribe(f"{receiver.url}/a", **members)
    await city.settled()
    assert await told(city) == ([id] if expected else [])
    if "timeInterval" in members:
        return
    # What can be fired is what fires when everything that can happen to it does.
    await city.patch(LIGHT, level={"type": "Property", "value": 99})
    await city.node.broker.delete_attribute(city.call(), LIGHT, city.ld_context.expand_name("level"))
    await city.patch(LIGHT, level={"type": "Property", "value": 100})
    await city.node.broker.delete_entity(city.call(), LIGHT)
    await city.settled()
    if expected:
        await receiver.until("/a", 1)
    assert bool(receiver.at("/a")) == expected


async def test_subscriptions_of_an_object_are_told_by_id_and_within_their_tenant(
    city: City, receiver: Receiver
) -> None:
    await city.create(LIGHT, level={"type": "Property", "value": 1})
    ids = [await city.subscribe(f"{receiver.url}/a") for _ in range(3)]
    await city.subscribe(f"{receiver.url}/a", tenant="other")
    await city.settled()
    assert await told(city) == sorted(ids)
    with pytest.raises(ResourceNotFound):
        await told(city, "urn:none")


async def test_subscriptions_of_an_object_are_never_public(city: City, tmp_path: Path) -> None:
    settings = Settings(require_key=True, public_read=True)
    node = Node(CityFolder(tmp_path / "public", make=True), settings, SystemClock())
    with pytest.raises(Unauthorized):
        await node.subscriptions.fired_by(city.call(), Entity(id=LIGHT), city.ld_context)
    await node.outgoing.close()
    node.close()
