"""Clauses 5.8.1 to 5.8.5: subscriptions over the binding (their delivery is tested in their own room)."""

import asyncio
from typing import Any

import pytest

from cityloom.model.clock import SystemClock
from cityloom.model.time import format_datetime
from tests.federation.source import running_source
from tests.web.node import Client

PATH = "/ngsi-ld/v1/subscriptions"
SUBSCRIPTION: dict[str, Any] = {
    "id": "urn:ngsi-ld:Subscription:1",
    "type": "Subscription",
    "entities": [{"type": "Streetlight"}],
    "notification": {"endpoint": {"uri": "http://127.0.0.1:9/notify", "accept": "application/json"}},
}


NOTIFICATION: dict[str, Any] = SUBSCRIPTION["notification"]
WHOLE: dict[str, Any] = {
    **SUBSCRIPTION,
    "subscriptionName": "lamps",
    "description": "all of them",
    "entities": [
        {"type": "Streetlight", "id": "urn:ngsi-ld:Streetlight:1"},
        {"type": "Lamp|Pole", "idPattern": "urn:.*"},
    ],
    "watchedAttributes": ["powerState"],
    "notificationTrigger": ["attributeUpdated", "entityDeleted"],
    "q": "height>4;powerState",
    "geoQ": {"georel": "near;maxDistance==9", "geometry": "Point", "coordinates": [1, 2]},
    "scopeQ": "/city/#",
    "csf": 'owner=="the port"',
    "datasetId": ["urn:d:a", "@none"],
    "lang": "en",
    "expandValues": "powerState",
    "jsonKeys": "height",
    "localOnly": False,
    "splitEntities": True,
    "throttling": 1.5,
    "isActive": True,
    "expiresAt": "2999-01-01T00:00:00Z",
    "notification": {
        "attributes": ["height", "powerState"],
        "format": "concise",
        "join": "flat",
        "joinLevel": 2,
        "showChanges": True,
        "sysAttrs": True,
        "endpoint": {
            "uri": "mqtt://127.0.0.1:9/topic",
            "accept": "application/ld+json",
            "timeout": 500,
            "cooldown": 1000,
            "receiverInfo": [{"key": "X-Key", "value": "1"}],
            "notifierInfo": [{"key": "MQTT-QoS", "value": "1"}],
        },
    },
}


async def test_create_subscription_keeps_every_member(node: Client) -> None:
    """Tables 5.2.12-1, 5.2.14.1-1 and 5.2.15-1."""
    assert (await node.post(PATH, WHOLE)).status == 201
    found = (await node.get(f"{PATH}/{WHOLE['id']}")).json
    assert found.pop("status") == "active"
    counted = {"timesSent", "timesFailed", "status", "lastNotification", "lastSuccess", "lastFailure"}
    told = {key: value for key, value in found.pop("notification").items() if key not in counted}
    assert told == WHOLE["notification"]
    assert found.items() >= {k: v for k, v in WHOLE.items() if k != "notification"}.items()


async def test_create_subscription_passes_over_what_the_node_alone_sets(node: Client) -> None:
    """Tables 5.2.12-2 and 5.2.14.2-1."""
    set_here = {"status": "expired", "createdAt": "2000-01-01T00:00:00Z"}
    counters = {"timesSent": 99, "lastSuccess": "2000-01-01T00:00:00Z", "status": "failed"}
    document = {**SUBSCRIPTION, **set_here, "notification": {**NOTIFICATION, **counters}}
    assert (await node.post(PATH, document)).status == 201
    found = (await node.get(f"{PATH}/{SUBSCRIPTION['id']}?options=sysAttrs")).json
    assert found["status"] == "active"
    assert not found["createdAt"].startswith("2000")
    assert found["notification"].get("timesSent", 0) == 0
    assert "lastSuccess" not in found["notification"]


async def test_names_are_told_in_the_words_of_whoever_asks(node: Client) -> None:
    """5.5.7: expanded with the @context they came with, compacted with that of the answer."""
    names = {"hoogte": "https://uri.etsi.org/ngsi-ld/default-context/height"}
    await node.post(PATH, {**SUBSCRIPTION, "@context": names, "watchedAttributes": ["hoogte"]})
    at = f"{PATH}/{SUBSCRIPTION['id']}"
    assert (await node.get(at)).json["watchedAttributes"] == ["height"]
    await node.patch(at, {"watchedAttributes": ["breedte"]})
    assert (await node.get(at)).json["watchedAttributes"] == ["breedte"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_jsonld_context_must_be_there_and_be_one(node: Client, method: str) -> None:
    """5.8.1.4 and 5.8.2.4: LdContextNotAvailable where it cannot be had, BadRequestData where it is none."""
    async with running_source() as source:
        source.body = {"@context": {"height": 7}}
        for url, status, problem in (
            ("http://127.0.0.1:9/none.jsonld", 504, "LdContextNotAvailable"),
            (f"{source.url}/odd.jsonld", 400, "BadRequestData"),
            ("no uri", 400, "BadRequestData"),
        ):
            path, body = PATH, {**SUBSCRIPTION, "jsonldContext": url}
            if method == "PATCH":
                await node.post(PATH, SUBSCRIPTION)
                path, body = f"{PATH}/{SUBSCRIPTION['id']}", {"jsonldContext": url}
            answer = await node.ask(method, path, body)
            assert (answer.status, answer.problem) == (status, problem), url
            await node.delete(f"{PATH}/{SUBSCRIPTION['id']}")


FUTURE = "2999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("before", "fragment", "status"),
    [
        ("active", {"isActive": False}, "paused"),
        ("active", {"isActive": True}, "active"),
        ("active", {"isActive": False, "expiresAt": FUTURE}, "paused"),
        ("paused", {"isActive": True}, "active"),
        ("paused", {"isActive": True, "expiresAt": FUTURE}, "active"),
        ("paused", {"description": "x"}, "paused"),
        ("expired", {"expiresAt": FUTURE}, "active"),
        ("expired", {"isActive": True, "expiresAt": FUTURE}, "active"),
        ("expired", {"isActive": True}, "expired"),
        ("expired", {"isActive": False}, "expired"),
    ],
)
async def test_update_subscription_leads_from_status_to_status(
    node: Client, before: str, fragment: dict[str, Any], status: str
) -> None:
    """5.8.2.4."""
    start: dict[str, Any] = {"paused": {"isActive": False}}.get(before, {})
    if before == "expired":
        start = {"expiresAt": format_datetime(SystemClock().now() + 100_000)}
    assert (await node.post(PATH, {**SUBSCRIPTION, **start})).status == 201
    path = f"{PATH}/{SUBSCRIPTION['id']}"
    async with asyncio.timeout(20):
        while (await node.get(path)).json["status"] != before:
            await asyncio.sleep(0.02)
    assert (await node.patch(path, fragment)).status == 204
    assert (await node.get(path)).json["status"] == status


@pytest.mark.parametrize(
    "fragment",
    [
        {"expiresAt": "2018-01-01T00:00:00Z"},
        {"expiresAt": "2018-01-01T00:00:00Z", "isActive": True},
        {"expiresAt": "soon"},
        {"type": None},
        {"type": "Other"},
        {"notification": None},
        {"notification": {}},
        {"entities": []},
        {"entities": None},
        {"id": "urn:ngsi-ld:Subscription:2"},
        {"q": "=="},
        {"throttling": 0},
        {"timeInterval": -1},
        {"isActive": "no"},
        {"nonsense": 1},
    ],
)
async def test_update_subscription_answers_400_and_changes_nothing(
    node: Client, fragment: dict[str, Any]
) -> None:
    await node.post(PATH, SUBSCRIPTION)
    path = f"{PATH}/{SUBSCRIPTION['id']}"
    before = (await node.get(f"{path}?options=sysAttrs")).json
    answer = await node.patch(path, fragment)
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert (await node.get(f"{path}?options=sysAttrs")).json == before


async def test_update_subscription_takes_a_member_away_by_null(node: Client) -> None:
    await node.post(PATH, {**SUBSCRIPTION, "q": "height>1", "description": "x"})
    path = f"{PATH}/{SUBSCRIPTION['id']}"
    null = "urn:ngsi-ld:null"
    assert (await node.patch(path, {"q": None, "description": null})).status == 204
    assert {"q", "description"}.isdisjoint((await node.get(path)).json)


async def test_create_subscription_is_read_back(node: Client) -> None:
    answer = await node.post(PATH, SUBSCRIPTION)
    assert (answer.status, answer.headers["Location"]) == (201, f"{PATH}/{SUBSCRIPTION['id']}")
    found = (await node.get(f"{PATH}/{SUBSCRIPTION['id']}")).json
    assert found["entities"] == SUBSCRIPTION["entities"]
    assert found["status"] == "active"
    assert (await node.post(PATH, SUBSCRIPTION)).problem == "AlreadyExists"


async def test_create_subscription_makes_an_id_when_none_is_given(node: Client) -> None:
    answer = await node.post(PATH, {key: value for key, value in SUBSCRIPTION.items() if key != "id"})
    assert answer.status == 201
    assert (await node.get(answer.headers["Location"])).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Other"},
        {"notification": {}},
        {"notification": None},
        {"entities": []},
        {"entities": None, "watchedAttributes": None},
        {"id": "nouri"},
        {"q": "=="},
        {"throttling": -1},
        {"expiresAt": "yesterday"},
        {"expiresAt": "2018-01-01T00:00:00Z"},
        {"throttling": 0},
        {"timeInterval": 0},
        {"timeInterval": 5, "throttling": 5},
        {"timeInterval": 5, "watchedAttributes": ["powerState"]},
        {"watchedAttributes": []},
        {"notificationTrigger": ["sunrise"]},
        {"geoQ": {"georel": "near", "geometry": "Point", "coordinates": [0, 0]}},
        {"scopeQ": "??"},
        {"datasetId": ["no uri"]},
        {"lang": "??"},
        {"entities": [{"id": "urn:a:1"}]},
        {"entities": [{"type": "A", "id": "no uri"}]},
        {"entities": [{"type": "A", "idPattern": "("}]},
        {"isActive": "yes"},
        {"description": "urn:ngsi-ld:null"},
        {"notification": {**NOTIFICATION, "pick": ["height"], "attributes": ["height"]}},
        {"notification": {**NOTIFICATION, "pick": []}},
        {"notification": {**NOTIFICATION, "omit": []}},
        {"notification": {**NOTIFICATION, "pick": [""]}},
        {"notification": {**NOTIFICATION, "attributes": []}},
        {"notification": {**NOTIFICATION, "attributes": ["id"]}},
        {"notification": {**NOTIFICATION, "format": "odd"}},
        {"notification": {**NOTIFICATION, "join": "odd"}},
        {"notification": {**NOTIFICATION, "showChanges": True, "format": "keyValues"}},
        {"notification": {"endpoint": {"uri": "no uri"}}},
        {"notification": {"endpoint": {"uri": "http://127.0.0.1:9/", "accept": "text/plain"}}},
    ],
)
async def test_create_subscription_answers_400_when_it_is_invalid(
    node: Client, change: dict[str, Any]
) -> None:
    answer = await node.post(PATH, {**SUBSCRIPTION, **change})
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert (await node.get(PATH)).json == []


async def test_list_subscriptions_pages_and_counts(node: Client) -> None:
    for number in range(3):
        await node.post(PATH, {**SUBSCRIPTION, "id": f"urn:ngsi-ld:Subscription:{number}"})
    answer = await node.get(f"{PATH}?limit=2&count=true&options=sysAttrs")
    assert [each["id"][-1] for each in answer.json] == ["0", "1"]
    assert all("createdAt" in each for each in answer.json)
    assert answer.headers["NGSILD-Results-Count"] == "3"
    assert any('rel="next"' in link for link in answer.headers.getall("Link"))


async def test_update_subscription_changes_members(node: Client) -> None:
    await node.post(PATH, SUBSCRIPTION)
    path = f"{PATH}/{SUBSCRIPTION['id']}"
    assert (await node.patch(path, {"isActive": False})).status == 204
    assert (await node.get(path)).json["status"] == "paused"
    assert (await node.patch(f"{PATH}/urn:a:none", {"isActive": False})).status == 404


async def test_delete_subscription_ends_it(node: Client) -> None:
    await node.post(PATH, SUBSCRIPTION)
    path = f"{PATH}/{SUBSCRIPTION['id']}"
    assert (await node.delete(path)).status == 204
    assert (await node.get(path)).problem == "ResourceNotFound"
    assert (await node.delete(path)).status == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_subscription_answers_400_when_the_id_is_no_uri(node: Client, method: str) -> None:
    assert (await node.ask(method, f"{PATH}/nouri")).problem == "BadRequestData"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ["attributeCreated", "attributeUpdated"]),
        ({"notificationTrigger": ["entityDeleted"]}, ["entityDeleted"]),
        ({"timeInterval": 60}, None),
    ],
)
async def test_subscription_tells_which_changes_it_waits_for(
    node: Client, change: dict[str, Any], told: list[str] | None
) -> None:
    """5.2.12: notificationTrigger, where none is given its default; none beside timeInterval."""
    await node.post(PATH, {**SUBSCRIPTION, **change})
    assert (await node.get(f"{PATH}/{SUBSCRIPTION['id']}")).json.get("notificationTrigger") == told
