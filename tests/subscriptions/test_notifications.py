"""Notifications: what triggers one, what it says, and that each change is told once (5.8.6)."""

import asyncio
from typing import Any

import pytest

from cityloom.ld.context import LdContext
from cityloom.model.errors import BadRequestData, NonexistentTenant, ResourceNotFound
from tests.subscriptions.helpers import City, Receiver

LIGHT = "urn:ngsi-ld:Streetlight:1"


def on(value: Any = "on") -> dict[str, Any]:
    return {"type": "Property", "value": value}


async def test_change_is_told_once_with_a_key_that_repeats_can_be_known_by(
    city: City, receiver: Receiver
) -> None:
    id = await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, powerState=on())
    (told,) = await receiver.until("/a", 1)
    await city.settled()
    assert told.body["type"] == "Notification"
    assert told.body["subscriptionId"] == id
    assert told.entity == {
        "id": LIGHT,
        "type": "Streetlight",
        "powerState": {"type": "Property", "value": "on"},
    }
    assert told.headers["Idempotency-Key"] == told.body["id"]
    assert told.headers["Content-Type"] == "application/json"
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in told.headers["Link"]
    assert len(receiver.at("/a")) == 1


async def test_every_change_of_many_is_told_in_order(city: City, receiver: Receiver) -> None:
    await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, level=on(0))
    for level in range(1, 30):
        await city.patch(LIGHT, level=on(level))
    told = await receiver.until("/a", 30)
    assert [one.entity["level"]["value"] for one in told] == list(range(30))


async def test_notification_says_what_was_at_its_own_change_however_late(
    city: City, receiver: Receiver
) -> None:
    receiver.hold["/a"] = asyncio.Event()
    await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, level=on(1), other=on("x"))
    await city.patch(LIGHT, level=on(2))
    await city.patch(LIGHT, other=on("y"))
    receiver.hold["/a"].set()
    told = await receiver.until("/a", 3)
    states = [(one.entity["level"]["value"], one.entity["other"]["value"]) for one in told]
    assert states == [(1, "x"), (2, "x"), (2, "y")]


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"watchedAttributes": ["powerState"]}, False),
        ({"watchedAttributes": ["level"]}, True),
        ({"q": "level>5"}, True),
        ({"q": "level>50"}, False),
        ({"q": 'powerState=="on";level>5'}, True),
        ({"entities": [{"type": "WasteContainer"}]}, False),
        ({"entities": [{"type": "WasteContainer"}, {"type": "Streetlight"}]}, True),
        ({"entities": [{"type": "WasteContainer|Streetlight"}]}, True),
        ({"entities": [{"type": "Streetlight", "id": "urn:ngsi-ld:Streetlight:2"}]}, False),
        ({"entities": [{"type": "Streetlight", "idPattern": ".*:1$"}]}, True),
        ({"entities": [{"type": "Streetlight", "idPattern": ".*:2$"}]}, False),
        ({"scopeQ": "/boston/#"}, True),
        ({"scopeQ": "/cambridge"}, False),
        (
            {"geoQ": {"georel": "near;maxDistance==100", "geometry": "Point", "coordinates": [-71.0, 42.0]}},
            True,
        ),
        (
            {"geoQ": {"georel": "near;maxDistance==100", "geometry": "Point", "coordinates": [-71.1, 42.0]}},
            False,
        ),
        ({"notificationTrigger": ["entityCreated"]}, False),
        ({"notificationTrigger": ["entityUpdated"]}, True),
        ({"notificationTrigger": ["attributeDeleted"]}, False),
        ({"isActive": False}, False),
    ],
)
async def test_condition_decides_whether_a_change_is_told(
    city: City, receiver: Receiver, members: dict[str, Any], told: bool
) -> None:
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-71.0, 42.0005]}}
    await city.create(LIGHT, level=on(1), powerState=on(), location=place, scope="/boston/assets")
    await city.settled()
    await city.subscribe(f"{receiver.url}/a", **members)
    await city.subscribe(f"{receiver.url}/all")
    await city.patch(LIGHT, level=on(10))
    await receiver.until("/all", 1)
    await city.settled()
    assert len(receiver.at("/a")) == (1 if told else 0)


async def test_rewriting_the_same_value_is_no_change(city: City, receiver: Receiver) -> None:
    await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, level=on(1))
    await city.patch(LIGHT, level=on(1))
    await city.patch(LIGHT, level=on(2))
    await receiver.until("/a", 2)
    await city.settled()
    assert [one.entity["level"]["value"] for one in receiver.at("/a")] == [1, 2]


async def test_deletion_of_an_attribute_and_of_the_entity_is_told(city: City, receiver: Receiver) -> None:
    await city.subscribe(f"{receiver.url}/a", notificationTrigger=["attributeDeleted", "entityDeleted"])
    await city.create(LIGHT, level=on(1), powerState=on())
    await city.node.broker.delete_attribute(city.call(), LIGHT, LdContext.core.expand_term("level"))
    await city.node.broker.delete_entity(city.call(), LIGHT)
    first, second = await receiver.until("/a", 2)
    assert first.entity["level"] == {"type": "Property", "value": "urn:ngsi-ld:null"}
    assert first.entity["powerState"]["value"] == "on"
    assert second.entity.keys() == {"id", "type", "deletedAt"}


async def test_deletion_of_an_entity_deletes_its_watched_attributes(city: City, receiver: Receiver) -> None:
    await city.subscribe(
        f"{receiver.url}/a", notificationTrigger=["attributeDeleted"], watchedAttributes=["level"]
    )
    await city.create(LIGHT, level=on(1), powerState=on())
    await city.node.broker.delete_entity(city.call(), LIGHT)
    (told,) = await receiver.until("/a", 1)
    assert told.entity.keys() == {"id", "type", "deletedAt", "level"}
    assert told.entity["level"]["value"] == "urn:ngsi-ld:null"


async def test_show_changes_tells_what_a_deleted_entity_had(city: City, receiver: Receiver) -> None:
    await city.subscribe(
        f"{receiver.url}/a", notificationTrigger=["entityDeleted"], notification={"showChanges": True}
    )
    await city.create(LIGHT, level=on(1))
    await city.node.broker.delete_entity(city.call(), LIGHT)
    (told,) = await receiver.until("/a", 1)
    assert told.entity["level"] == {"type": "Property", "value": "urn:ngsi-ld:null", "previousValue": 1}


@pytest.mark.parametrize("join", ["flat", "inline"])
async def test_linked_entities_are_told_where_they_are_asked_for(
    city: City, receiver: Receiver, join: str
) -> None:
    other = LIGHT + ":cabinet"
    await city.create(other, level=on(7))
    await city.subscribe(
        f"{receiver.url}/a", entities=[{"type": "Streetlight", "id": LIGHT}], notification={"join": join}
    )
    await city.create(LIGHT, fedBy={"type": "Relationship", "object": other})
    (told,) = await receiver.until("/a", 1)
    data = told.body["data"]
    linked = data[1] if join == "flat" else data[0]["fedBy"]["entity"]
    assert (len(data), linked["id"], linked["level"]["value"]) == (1 + (join == "flat"), other, 7)


async def test_show_changes_tells_the_value_before(city: City, receiver: Receiver) -> None:
    await city.create(LIGHT, level=on(1))
    await city.subscribe(f"{receiver.url}/a", notification={"showChanges": True})
    await city.patch(LIGHT, level=on(2))
    (told,) = await receiver.until("/a", 1)
    assert told.entity["level"] == {"type": "Property", "value": 2, "previousValue": 1}


@pytest.mark.parametrize(
    ("notification", "expected"),
    [
        ({"format": "simplified"}, {"id": LIGHT, "type": "Streetlight", "level": 1, "powerState": "on"}),
        ({"format": "keyValues"}, {"id": LIGHT, "type": "Streetlight", "level": 1, "powerState": "on"}),
        (
            {"format": "concise"},
            {"id": LIGHT, "type": "Streetlight", "level": 1, "powerState": "on"},
        ),
        ({"format": "simplified", "attributes": ["level"]}, {"id": LIGHT, "type": "Streetlight", "level": 1}),
        ({"format": "simplified", "pick": ["id", "level"]}, {"id": LIGHT, "level": 1}),
        (
            {"format": "simplified", "omit": ["level"]},
            {"id": LIGHT, "type": "Streetlight", "powerState": "on"},
        ),
    ],
)
async def test_form_is_the_subscription_s(
    city: City, receiver: Receiver, notification: dict[str, Any], expected: dict[str, Any]
) -> None:
    await city.subscribe(f"{receiver.url}/a", notification=notification)
    await city.create(LIGHT, level=on(1), powerState=on())
    (told,) = await receiver.until("/a", 1)
    assert told.entity == expected


async def test_accept_and_receiver_info_shape_the_request(city: City, receiver: Receiver) -> None:
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1.0, 2.0]}}
    info = [{"key": "Authorization", "value": "Bearer x"}]
    await city.subscribe(
        f"{receiver.url}/ld", endpoint={"accept": "application/ld+json", "receiverInfo": info}
    )
    await city.subscribe(f"{receiver.url}/geo", endpoint={"accept": "application/geo+json"})
    await city.create(LIGHT, location=place)
    (ld,) = await receiver.until("/ld", 1)
    (geo,) = await receiver.until("/geo", 1)
    assert "@context" in ld.entity
    assert "Link" not in ld.headers
    assert ld.headers["Authorization"] == "Bearer x"
    assert geo.body["data"]["type"] == "FeatureCollection"
    assert geo.body["data"]["features"][0]["geometry"] == {"type": "Point", "coordinates": [1.0, 2.0]}


async def test_throttling_holds_back_and_then_tells_the_last_state_of_all(
    city: City, receiver: Receiver
) -> None:
    await city.subscribe(f"{receiver.url}/a", throttling=1.0)
    await city.create(LIGHT, level=on(0))
    for level in range(1, 6):
        await city.patch(LIGHT, level=on(level))
    await city.create("urn:ngsi-ld:Streetlight:2", level=on(7))
    first, second = await receiver.until("/a", 2)
    await city.settled()
    assert first.entity["level"]["value"] == 0
    assert {one["id"]: one["level"]["value"] for one in second.body["data"]} == {
        LIGHT: 5,
        "urn:ngsi-ld:Streetlight:2": 7,
    }
    assert len(receiver.at("/a")) == 2


async def test_time_interval_tells_all_subscribed_entities_again_and_again(
    city: City, receiver: Receiver
) -> None:
    await city.create(LIGHT, level=on(1))
    await city.create("urn:ngsi-ld:Streetlight:2", level=on(9))
    await city.create("urn:ngsi-ld:WasteContainer:1", type="WasteContainer", level=on(9))
    id = await city.subscribe(f"{receiver.url}/a", timeInterval=0.2, q="level>5")
    told = await receiver.until("/a", 3)
    assert [[entity["id"] for entity in one.body["data"]] for one in told[:3]] == [
        ["urn:ngsi-ld:Streetlight:2"]
    ] * 3
    assert len({one.body["id"] for one in told}) == len(told)
    await city.node.subscriptions.delete(city.call(), id)


async def test_expired_subscription_is_silent_and_says_so(city: City, receiver: Receiver) -> None:
    soon = city.node.clock.now() + 300_000
    from cityloom.model.time import format_datetime

    id = await city.subscribe(f"{receiver.url}/a", expiresAt=format_datetime(soon))
    while city.node.clock.now() <= soon:
        await asyncio.sleep(0.05)
    await city.create(LIGHT, level=on(1))
    await city.settled()
    read = await city.node.subscriptions.retrieve(city.call(), id, city.ld_context)
    assert read["status"] == "expired"
    assert receiver.at("/a") == []


async def test_tenants_never_hear_of_each_other(city: City, receiver: Receiver) -> None:
    await city.subscribe(f"{receiver.url}/north", tenant="north")
    await city.subscribe(f"{receiver.url}/south", tenant="south")
    await city.create(LIGHT, tenant="north", level=on(1))
    await receiver.until("/north", 1)
    await city.settled()
    assert receiver.at("/south") == []
    with pytest.raises((NonexistentTenant, ResourceNotFound)):
        await city.node.subscriptions.retrieve(city.call("nowhere"), "urn:x:1", city.ld_context)


async def test_counters_tell_how_it_went(city: City, receiver: Receiver) -> None:
    receiver.answer = lambda path, call: 500 if call == 2 else 200
    id = await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, level=on(1))
    await receiver.until("/a", 1)
    await city.patch(LIGHT, level=on(2))
    await receiver.until("/a", 3)
    await city.settled()
    read = await city.node.subscriptions.retrieve(city.call(), id, city.ld_context)
    told = read["notification"]
    assert (told["timesSent"], told["timesFailed"], told["status"]) == (2, 1, "ok")
    assert told["lastSuccess"] >= told["lastFailure"]
    assert read["status"] == "active"


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"entities": []}, "entities"),
        ({"entities": [{"id": "urn:x:1"}]}, "type"),
        ({"q": "level>>5"}, "q"),
        ({"watchedAttributes": []}, "watchedAttributes"),
        ({"timeInterval": 5, "throttling": 1}, "throttling"),
        ({"timeInterval": 0}, "timeInterval"),
        ({"throttling": -1}, "throttling"),
        ({"expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"notificationTrigger": ["moonrise"]}, "notificationTrigger"),
        ({"endpoint": {"accept": "text/plain"}}, "accept"),
        ({"endpoint": {"timeout": 0}}, "timeout"),
        ({"notification": {"format": "xml"}}, "format"),
        ({"notification": {"format": "simplified", "showChanges": True}}, "showChanges"),
        ({"notification": {"attributes": ["id"]}}, "attributes"),
        ({"colour": "red"}, "colour"),
        ({"q": None}, "q"),
    ],
)
async def test_create_refuses_and_names_the_member(city: City, members: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequestData, match=place):
        await city.subscribe("http://127.0.0.1:1/x", **members)


@pytest.mark.parametrize("uri", ["", "nowhere", "ftp://host/x", "http://", "mqtt://host", "http://[::1"])
async def test_create_refuses_an_endpoint_that_nothing_can_be_sent_to(city: City, uri: str) -> None:
    with pytest.raises(BadRequestData, match=r"endpoint\.uri"):
        await city.subscribe(uri)


async def test_update_changes_what_is_told_from_then_on(city: City, receiver: Receiver) -> None:
    id = await city.subscribe(f"{receiver.url}/a", q="level>5")
    await city.create(LIGHT, level=on(1))
    await city.node.subscriptions.update(city.call(), id, {"q": None, "isActive": True}, city.ld_context)
    await city.patch(LIGHT, level=on(2))
    await receiver.until("/a", 1)
    await city.node.subscriptions.update(city.call(), id, {"isActive": False}, city.ld_context)
    await city.patch(LIGHT, level=on(3))
    await city.settled()
    read = await city.node.subscriptions.retrieve(city.call(), id, city.ld_context, sys_attrs=True)
    assert "q" not in read
    assert read["status"] == "paused"
    assert read["modifiedAt"] > read["createdAt"]
    assert [one.entity["level"]["value"] for one in receiver.at("/a")] == [2]


async def test_names_keep_their_meaning_whatever_context_asks(city: City, receiver: Receiver) -> None:
    from cityloom.ld.context import compile_context

    def nothing(url: str) -> Any:
        raise AssertionError(url)

    mine = compile_context({"helle": "https://uri.etsi.org/ngsi-ld/default-context/level"}, nothing)
    document = {
        "type": "Subscription",
        "entities": [{"type": "Streetlight"}],
        "watchedAttributes": ["helle"],
        "q": "helle>5",
        "notification": {"endpoint": {"uri": f"{receiver.url}/a"}, "format": "simplified"},
    }
    id = await city.node.subscriptions.create(city.call(), document, mine)
    await city.create(LIGHT, level=on(10))
    (told,) = await receiver.until("/a", 1)
    assert told.entity["helle"] == 10
    read = await city.node.subscriptions.retrieve(city.call(), id, city.ld_context)
    assert read["watchedAttributes"] == ["level"]


async def test_conditions_reach_linked_entities(city: City, receiver: Receiver) -> None:
    """4.9: as deep as the notification joins them."""
    cabinets = {number: f"{LIGHT}:cabinet{number}" for number in (1, 2)}
    for number, id in cabinets.items():
        await city.create(id, level=on(number))
    await city.subscribe(
        f"{receiver.url}/a",
        entities=[{"type": "Streetlight", "id": LIGHT}],
        q="fedBy{level}==2",
        notification={"join": "inline"},
    )
    await city.create(LIGHT, fedBy={"type": "Relationship", "object": cabinets[1]})
    await city.patch(LIGHT, fedBy={"type": "Relationship", "object": cabinets[2]})
    (told,) = await receiver.until("/a", 1)
    assert told.entity["fedBy"]["entity"]["id"] == cabinets[2]


async def test_notification_conforms_to_the_version_asked_for(city: City, receiver: Receiver) -> None:
    """5.8.6 with 4.3.6.8: values, what they were before, and what is gone."""
    await city.create(LIGHT, title={"type": "LanguageProperty", "languageMap": {"en": "a"}}, level=on(1))
    await city.subscribe(
        f"{receiver.url}/a",
        ngsildConformance="1.3",
        notificationTrigger=["attributeUpdated", "attributeDeleted"],
        notification={"showChanges": True},
    )
    await city.patch(LIGHT, title={"type": "LanguageProperty", "languageMap": {"en": "b"}})
    await city.node.broker.delete_attribute(city.call(), LIGHT, city.ld_context.expand_term("title"))
    changed, gone = await receiver.until("/a", 2)
    assert changed.entity["title"] == {
        "type": "Property",
        "value": {"en": "b"},
        "previousValue": {"en": "a"},
    }
    assert gone.entity["title"] == {
        "type": "Property",
        "value": "urn:ngsi-ld:null",
        "previousValue": {"en": "b"},
    }


@pytest.mark.parametrize("version", ["1", "latest", "1.5.0"])
async def test_subscription_to_a_version_that_is_none_is_refused(city: City, version: str) -> None:
    """5.2.12: major.minor."""
    with pytest.raises(BadRequestData, match="ngsildConformance"):
        await city.subscribe("http://127.0.0.1:1/a", ngsildConformance=version)


async def test_what_has_expired_is_not_told(city: City, receiver: Receiver) -> None:
    """4.22: neither of the entity that changed nor of those that it is linked to."""
    past = {"expiresAt": "2020-01-01T00:00:00Z"}
    other = LIGHT + ":cabinet"
    await city.create(other, level={**on(7), **past}, name=on("cabinet"))
    await city.subscribe(
        f"{receiver.url}/a",
        entities=[{"type": "Streetlight", "id": LIGHT}],
        notification={"join": "inline", "format": "simplified"},
    )
    await city.create(LIGHT, level={**on(1), **past}, fedBy={"type": "Relationship", "object": other})
    (told,) = await receiver.until("/a", 1)
    fed_by = {"id": other, "type": "Streetlight", "name": "cabinet"}
    assert told.entity == {"id": LIGHT, "type": "Streetlight", "fedBy": fed_by}


@pytest.mark.parametrize("members", [{}, {"expandValues": "level"}])
async def test_condition_on_a_text_that_is_no_term_is_kept(
    city: City, receiver: Receiver, members: dict[str, Any]
) -> None:
    """What starts like a keyword of JSON-LD means itself, also when the subscription is read back."""
    await city.create(LIGHT, level=on("away"))
    if members:
        with pytest.raises(BadRequestData):
            await city.subscribe(f"{receiver.url}/a", q='level=="@home"', **members)
        return
    await city.subscribe(f"{receiver.url}/a", q='level=="@home"')
    await city.patch(LIGHT, level=on("@home"))
    (told,) = await receiver.until("/a", 1)
    assert told.entity["level"]["value"] == "@home"
