"""Clauses 5.8.1 to 5.8.5: subscriptions over the binding (their delivery is tested in their own room)."""

from typing import Any

import pytest

from tests.web.node import Client

PATH = "/ngsi-ld/v1/subscriptions"
SUBSCRIPTION: dict[str, Any] = {
    "id": "urn:ngsi-ld:Subscription:1",
    "type": "Subscription",
    "entities": [{"type": "Streetlight"}],
    "notification": {"endpoint": {"uri": "http://127.0.0.1:9/notify", "accept": "application/json"}},
}


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
