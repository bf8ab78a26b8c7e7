"""Clause 5.11.7: who subscribed to registrations is told of those that match, and of what becomes of them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from cityloom.consumers.follow import Outcome
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Event
from tests.subscriptions.helpers import WAIT, City, Receiver

BUILDING = {"entities": [{"type": "Building"}], "propertyNames": ["name", "height"]}
BUS = {"entities": [{"type": "Bus"}]}
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}


async def register(city: City, number: int = 1, tenant: str = "", **members: Any) -> str:
    document = {
        "id": f"urn:ngsi-ld:ContextSourceRegistration:{number}",
        "type": "ContextSourceRegistration",
        "information": [BUILDING],
        "endpoint": "http://127.0.0.1:9/source",
        **members,
    }
    return await city.node.registrations.create(city.call(tenant), document, city.ld_context)


async def subscribe(city: City, uri: str, tenant: str = "", **members: Any) -> str:
    document = {
        "type": "Subscription",
        "notification": {"endpoint": {"uri": uri, **members.pop("endpoint", {})}, **members.pop("told", {})},
        **({} if "entities" in members else {"entities": [{"type": "Building"}]}),
        **members,
    }
    return await city.node.subscriptions.sources.create(city.call(tenant), document, city.ld_context)


async def change(city: City, id: str, **members: Any) -> None:
    await city.node.registrations.update(city.call(), id, members, city.ld_context)


def told(receiver: Receiver, path: str = "/a") -> list[tuple[str, list[str]]]:
    """Each notification as its reason and the last parts of the ids in it."""
    return [
        (one.body["triggerReason"], [each["id"].rpartition(":")[2] for each in one.body["data"]])
        for one in receiver.at(path)
    ]


async def test_notification_is_as_the_clause_has_it(city: City, receiver: Receiver) -> None:
    await register(city)
    id = await subscribe(
        city, receiver.url + "/a", endpoint={"receiverInfo": [{"key": "X-Key", "value": "secret"}]}
    )
    [one] = await receiver.until("/a", 1)
    assert one.body["type"] == "ContextSourceNotification"
    assert one.body["subscriptionId"] == id
    assert one.body["id"].startswith("urn:ngsi-ld:Notification:")
    assert one.body["notifiedAt"] > "2026"
    assert one.body["triggerReason"] == "newlyMatching"
    [data] = one.body["data"]
    assert data["endpoint"] == "http://127.0.0.1:9/source"
    assert data["information"] == [BUILDING]
    assert "createdAt" not in data
    assert one.headers["X-Key"] == "secret"
    assert one.headers["Content-Type"] == "application/json"
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in one.headers["Link"]


async def test_changes_that_the_matching_hears_of_together_are_told_once(
    city: City, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a registration is by now is told when its last change is heard of (5.11.7)."""
    await subscribe(city, receiver.url + "/a")
    first = await register(city, 1, information=[BUS])
    await city.settled()
    follower = city.node.subscriptions._follower
    handle, all_there = follower._handle, asyncio.Event()

    async def late(events: Sequence[Event]) -> Outcome | None:
        await all_there.wait()
        return await handle(events)

    monkeypatch.setattr(follower, "_handle", late)
    await change(city, first, description="of buses")
    await change(city, first, information=[BUILDING])
    all_there.set()
    await receiver.until("/a", 1)
    await city.settled()
    assert told(receiver) == [("newlyMatching", ["1"])]


async def test_notification_in_json_ld_holds_the_context(city: City, receiver: Receiver) -> None:
    await register(city)
    await subscribe(
        city,
        receiver.url + "/a",
        endpoint={"accept": "application/ld+json"},
        told={"sysAttrs": True},
    )
    [one] = await receiver.until("/a", 1)
    assert one.headers["Content-Type"] == "application/ld+json"
    assert "Link" not in one.headers
    assert "ngsi-ld-core-context" in one.body["data"][0]["@context"]
    assert one.body["data"][0]["createdAt"] > "2026"


async def test_each_change_tells_its_reason(city: City, receiver: Receiver) -> None:
    await subscribe(city, receiver.url + "/a")
    first = await register(city, 1)
    await receiver.until("/a", 1)
    await change(city, first, endpoint="http://127.0.0.1:10/source")
    await receiver.until("/a", 2)
    await change(city, first, information=[BUS])
    await receiver.until("/a", 3)
    await change(city, first, description="of buses")
    await change(city, first, information=[BUILDING])
    await receiver.until("/a", 4)
    await city.node.registrations.delete(city.call(), first)
    await receiver.until("/a", 5)
    await city.settled()
    assert told(receiver) == [
        ("newlyMatching", ["1"]),
        ("updated", ["1"]),
        ("noLongerMatching", ["1"]),
        ("newlyMatching", ["1"]),
        ("noLongerMatching", ["1"]),
    ]
    bodies = [one.body["data"][0] for one in receiver.at("/a")]
    # What is gone is told as it was told last.
    assert bodies[2]["endpoint"] == bodies[1]["endpoint"] == "http://127.0.0.1:10/source"
    assert bodies[2]["information"] == [BUILDING]


async def test_first_notification_holds_all_that_match_and_none_comes_where_nothing_does(
    city: City, receiver: Receiver
) -> None:
    await register(city, 1)
    await register(city, 2, information=[BUS])
    await register(city, 3)
    await subscribe(city, receiver.url + "/none", entities=[{"type": "Tram"}])
    await subscribe(city, receiver.url + "/a")
    await receiver.until("/a", 1)
    await city.settled()
    assert told(receiver) == [("newlyMatching", ["1", "3"])]
    assert receiver.at("/none") == []


async def test_only_what_is_to_the_point_is_told(city: City, receiver: Receiver) -> None:
    await register(city, information=[BUILDING, BUS])
    await subscribe(city, receiver.url + "/a")
    [one] = await receiver.until("/a", 1)
    assert one.body["data"][0]["information"] == [BUILDING]


async def test_changed_subscription_is_told_of_all_that_match_now(city: City, receiver: Receiver) -> None:
    await register(city, 1)
    await register(city, 2, information=[BUS])
    id = await subscribe(city, receiver.url + "/a")
    await receiver.until("/a", 1)
    fragment = {"entities": [{"type": "Bus"}]}
    await city.node.subscriptions.sources.update(city.call(), id, fragment, city.ld_context)
    await receiver.until("/a", 2)
    await city.settled()
    assert told(receiver) == [("newlyMatching", ["1"]), ("newlyMatching", ["2"])]


@pytest.mark.parametrize(
    ("wanted", "registered", "expected"),
    [
        ({}, {}, True),
        ({"entities": [{"type": "Bus"}]}, {}, False),
        ({"entities": [{"type": "Building", "id": "urn:a:1"}]}, {}, True),
        (
            {"entities": [{"type": "Building", "id": "urn:a:1"}]},
            {"information": [{"entities": [{"type": "Building", "id": "urn:a:2"}]}]},
            False,
        ),
        ({"watchedAttributes": ["colour"], "told": {"attributes": ["age"]}}, {}, False),
        ({"watchedAttributes": ["colour"], "told": {"attributes": ["name"]}}, {}, True),
        ({"watchedAttributes": ["colour"]}, {}, True),
        ({"watchedAttributes": ["colour"], "told": {"attributes": ["age"]}}, {"information": [BUS]}, False),
        (
            {"geoQ": {"georel": "within", "geometry": "Polygon", "coordinates": SQUARE["coordinates"]}},
            {"location": {"type": "Point", "coordinates": [0.5, 0.5]}},
            True,
        ),
        (
            {"geoQ": {"georel": "within", "geometry": "Polygon", "coordinates": SQUARE["coordinates"]}},
            {"location": {"type": "Point", "coordinates": [5, 5]}},
            False,
        ),
        ({}, {"observationInterval": {"startAt": "2026-01-01T00:00:00Z"}}, False),
        (
            {"temporalQ": {"timerel": "after", "timeAt": "2026-06-01T00:00:00Z"}},
            {"observationInterval": {"startAt": "2026-01-01T00:00:00Z"}},
            True,
        ),
        (
            {"temporalQ": {"timerel": "before", "timeAt": "2025-06-01T00:00:00Z"}},
            {"observationInterval": {"startAt": "2026-01-01T00:00:00Z"}},
            False,
        ),
        ({"temporalQ": {"timerel": "after", "timeAt": "2026-06-01T00:00:00Z"}}, {}, False),
        ({"csf": 'owner=="the port"'}, {"owner": "the port"}, True),
        ({"csf": 'owner=="the port"'}, {"owner": "the city"}, False),
        ({"scopeQ": "/harbour/#"}, {"scope": "/harbour/north"}, True),
        ({"scopeQ": "/harbour/#"}, {}, False),
    ],
)
async def test_registration_is_told_where_it_matches(
    city: City, receiver: Receiver, wanted: dict[str, Any], registered: dict[str, Any], expected: bool
) -> None:
    await subscribe(city, receiver.url + "/a", **wanted)
    await register(city, **registered)
    if expected:
        await receiver.until("/a", 1)
    await city.settled()
    assert told(receiver) == ([("newlyMatching", ["1"])] if expected else [])


async def test_interval_tells_at_once_and_again_and_again_whatever_changes(
    city: City, receiver: Receiver
) -> None:
    first = await register(city)
    await subscribe(city, receiver.url + "/a", timeInterval=0.2)
    await receiver.until("/a", 1)
    await change(city, first, description="changed")
    await receiver.until("/a", 3)
    assert set(map(str, told(receiver))) == {str(("newlyMatching", ["1"]))}


async def test_paused_subscription_is_told_nothing(city: City, receiver: Receiver) -> None:
    await register(city, 1)
    id = await subscribe(city, receiver.url + "/a", isActive=False)
    await register(city, 2)
    await city.settled()
    assert told(receiver) == []
    await city.node.subscriptions.sources.update(city.call(), id, {"isActive": True}, city.ld_context)
    await receiver.until("/a", 1)
    assert told(receiver) == [("newlyMatching", ["1", "2"])]


async def test_tenants_are_told_of_their_own_registrations(city: City, receiver: Receiver) -> None:
    await subscribe(city, receiver.url + "/port", tenant="port")
    await subscribe(city, receiver.url + "/a")
    await register(city, 1, tenant="port")
    await receiver.until("/port", 1)
    await city.settled()
    assert told(receiver) == []


async def test_deleted_subscription_is_told_nothing_more(city: City, receiver: Receiver) -> None:
    id = await subscribe(city, receiver.url + "/a")
    await city.node.subscriptions.sources.delete(city.call(), id)
    await register(city)
    await city.settled()
    assert told(receiver) == []
    with pytest.raises(ResourceNotFound):
        await city.node.subscriptions.sources.retrieve(city.call(), id, city.ld_context)


async def test_what_was_told_is_known_after_a_restart(city: City, receiver: Receiver) -> None:
    first = await register(city)
    await subscribe(city, receiver.url + "/a")
    await receiver.until("/a", 1)
    await city.settled()
    await city.stop()
    await city.start()
    await change(city, first, information=[BUS])
    await receiver.until("/a", 2)
    assert told(receiver) == [("newlyMatching", ["1"]), ("noLongerMatching", ["1"])]


async def test_notification_that_is_refused_becomes_a_dead_letter_and_is_replayed(
    city: City, receiver: Receiver
) -> None:
    receiver.answer = lambda path, call: 400 if call <= 3 else 200
    id = await subscribe(city, receiver.url + "/a")
    await register(city)
    async with asyncio.timeout(WAIT):
        while not (dead := await city.node.subscriptions.dead_letters(city.call())):
            await asyncio.sleep(0.01)
    assert (dead[0]["subscriptionId"], dead[0]["attempts"]) == (id, 3)
    kept = await city.node.subscriptions.sources.retrieve(city.call(), id, city.ld_context)
    assert (kept["notification"]["status"], kept["notification"]["timesFailed"]) == ("failed", 3)
    await city.node.subscriptions.replay(city.call(), subscription_id=id)
    await receiver.until("/a", 4)
    assert len({one.body["id"] for one in receiver.at("/a")}) == 1
