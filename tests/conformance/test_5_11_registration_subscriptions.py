"""Clauses 5.11.2 to 5.11.6: subscriptions to registrations over the binding (5.11.7 has its own tests)."""

from typing import Any

import pytest

from tests.web.node import Client

PATH = "/ngsi-ld/v1/csourceSubscriptions"
SUBSCRIPTION: dict[str, Any] = {
    "id": "urn:ngsi-ld:Subscription:1",
    "type": "Subscription",
    "entities": [{"type": "Streetlight"}],
    "notification": {"endpoint": {"uri": "http://127.0.0.1:9/notify", "accept": "application/json"}},
}
TIME = {"timerel": "after", "timeAt": "2026-01-01T00:00:00Z", "timeproperty": "modifiedAt"}


async def test_registration_subscription_is_read_back(node: Client) -> None:
    whole = {**SUBSCRIPTION, "temporalQ": TIME, "csf": 'owner=="the port"', "scopeQ": "/harbour/#"}
    answer = await node.post(PATH, whole)
    assert (answer.status, answer.headers["Location"]) == (201, f"{PATH}/{SUBSCRIPTION['id']}")
    found = (await node.get(f"{PATH}/{SUBSCRIPTION['id']}")).json
    assert found.pop("status") == "active"
    assert found == whole
    again = await node.post(PATH, SUBSCRIPTION)
    assert (again.status, again.problem) == (409, "AlreadyExists")


async def test_two_kinds_of_subscriptions_do_not_mix_but_share_their_ids(node: Client) -> None:
    entities = "/ngsi-ld/v1/subscriptions"
    await node.post(PATH, SUBSCRIPTION)
    assert (await node.get(entities)).json == []
    assert (await node.get(f"{entities}/{SUBSCRIPTION['id']}")).status == 404
    assert (await node.delete(f"{entities}/{SUBSCRIPTION['id']}")).status == 404
    assert (await node.post(entities, SUBSCRIPTION)).problem == "AlreadyExists"
    assert (await node.post(entities, {**SUBSCRIPTION, "id": "urn:a:b", "temporalQ": TIME})).status == 400


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Other"},
        {"notification": {}},
        {"entities": []},
        {"id": "nouri"},
        {"q": "=="},
        {"csf": "=="},
        {"csf": "owner=="},
        {"temporalQ": {"timerel": "after"}},
        {"temporalQ": {**TIME, "timerel": "during"}},
        {"temporalQ": {**TIME, "timerel": "between"}},
        {"temporalQ": {**TIME, "timeAt": "yesterday"}},
        {"watchedAttributes": []},
        {"expiresAt": "2018-01-01T00:00:00Z"},
        {"notification": {"endpoint": {"uri": "http://127.0.0.1:9/", "accept": "application/geo+json"}}},
    ],
)
async def test_registration_subscription_that_is_invalid_answers_400(
    node: Client, change: dict[str, Any]
) -> None:
    answer = await node.post(PATH, {**SUBSCRIPTION, **change})
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert (await node.get(PATH)).json == []


async def test_registration_subscriptions_are_listed_in_pages(node: Client) -> None:
    for number in range(3):
        await node.post(PATH, {**SUBSCRIPTION, "id": f"urn:ngsi-ld:Subscription:{number}"})
    answer = await node.get(f"{PATH}?limit=2&count=true&options=sysAttrs")
    assert [each["id"][-1] for each in answer.json] == ["0", "1"]
    assert all("createdAt" in each for each in answer.json)
    assert answer.headers["NGSILD-Results-Count"] == "3"
    assert any('rel="next"' in link for link in answer.headers.getall("Link"))


async def test_update_registration_subscription_changes_members(node: Client) -> None:
    await node.post(PATH, SUBSCRIPTION)
    path = f"{PATH}/{SUBSCRIPTION['id']}"
    assert (await node.patch(path, {"isActive": False, "temporalQ": TIME})).status == 204
    found = (await node.get(path)).json
    assert (found["status"], found["temporalQ"]) == ("paused", TIME)
    assert (await node.patch(path, {"temporalQ": None})).status == 204
    assert "temporalQ" not in (await node.get(path)).json
    assert (await node.patch(path, {"notification": {}})).status == 400
    assert (await node.patch(path, {"type": None})).status == 400
    assert (await node.patch(f"{PATH}/urn:a:none", {"isActive": False})).status == 404
    assert (await node.patch(f"{PATH}/nouri", {"isActive": False})).status == 400


async def test_delete_registration_subscription_ends_it(node: Client) -> None:
    await node.post(PATH, SUBSCRIPTION)
    path = f"{PATH}/{SUBSCRIPTION['id']}"
    assert (await node.delete(path)).status == 204
    assert (await node.get(path)).problem == "ResourceNotFound"
    assert (await node.delete(path)).status == 404
    assert (await node.delete(f"{PATH}/nouri")).status == 400
