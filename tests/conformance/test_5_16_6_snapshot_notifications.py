"""Clauses 5.3.4, 5.16.6, 6.3.22: what is told of snapshots, and by subscriptions in them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cityloom.model.settings import Settings
from cityloom.model.time import parse_datetime
from tests.conformance.data import BATCH, ENTITIES, lamp, prop
from tests.conformance.receiver import telling
from tests.conformance.snapshots import (
    HEADER,
    SNAPSHOTS,
    ident,
    make,
    query,
    ready,
    snapshot,
)
from tests.federation.helpers import register
from tests.federation.source import Source, running_source
from tests.web.node import API, Client, running_node


@pytest.fixture
async def street(node: Client) -> AsyncIterator[Client]:
    lamps = [lamp(number, height=prop(number)) for number in range(3)]
    assert (await node.post(f"{BATCH}/create", lamps)).status == 201
    async with telling(node):
        yield node


async def test_status_is_told_to_the_endpoint(street: Client) -> None:
    async with running_source() as receiver:
        told = {"endpoint": receiver.url, "receiverInfo": [{"key": "X-Key", "value": "secret"}]}
        location, there = await make(street, query(), **told)
        await street.patch(location, {"snapshotPriority": 2})
        await _asked(receiver, 2)
        [first, second] = receiver.asked
        assert (first.headers["X-Key"], first.headers[HEADER]) == ("secret", there[HEADER])
        assert first.body["type"] == "SnapshotNotification"
        assert (first.body["snapshotId"], first.body["snapshotStatus"]) == (there[HEADER], "success")
        assert first.body["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
        assert first.body["expiresAt"] > first.body["notifiedAt"]
        assert 'rel="http://www.w3.org/ns/json-ld#context"' in first.headers["Link"]
        assert second.body["snapshotPriority"] == 2
        await street.delete(location)
        await _asked(receiver, 3)
        gone = receiver.asked[2].body
        assert gone["snapshotId"] == there[HEADER]
        assert parse_datetime(gone["expiresAt"]) < parse_datetime(gone["notifiedAt"])


async def test_change_while_it_is_prepared_is_told_at_the_end(street: Client) -> None:
    async with running_source() as receiver, running_source() as slow:
        slow.silent, slow.status = True, 500
        registration = await register(
            street,
            slow.url,
            information=[{"entities": [{"type": "Streetlight"}]}],
            operations=["queryEntity"],
            management={"timeout": 20_000},
        )
        told = {"endpoint": receiver.url}
        made = await street.post(SNAPSHOTS, snapshot(query(), **told))
        location = made.headers["Location"]
        answer = await street.patch(location, {"snapshotPriority": 2})
        assert answer.json["snapshotStatus"] == "preparing"
        slow.ended.set()
        found = await ready(street, location)
        # A source that failed is told of, though the query had results.
        [details] = found["snapshotQueriesDetails"]
        assert details["resultStatus"] == "success"
        assert registration in details["problemDetails"]["detail"]
        await street.patch(location, {"snapshotPriority": 3})
        await _asked(receiver, 2)
        assert [(one.body["snapshotStatus"], one.body["snapshotPriority"]) for one in receiver.asked] == [
            ("success", 2),
            ("success", 3),
        ]


async def test_notification_that_nobody_takes_is_a_dead_letter_that_can_be_sent_again(tmp_path: Path) -> None:
    async with (
        running_node(tmp_path, Settings(notify_attempts=1)) as node,
        telling(node),
        running_source() as receiver,
    ):
        receiver.status = 500
        _, there = await make(node, query(), endpoint=receiver.url)
        async with asyncio.timeout(20):
            while not (letters := (await node.get("/subscriptions/dead")).json):
                await asyncio.sleep(0.01)
        [letter] = letters
        assert (letter["subscriptionId"], letter["endpoint"]) == (there[HEADER], receiver.url)
        assert (letter["attempts"], letter["entities"]) == (1, [])
        receiver.status = 200
        replayed = await node.post("/subscriptions/dead/replay", {"ids": [letter["id"]]})
        assert replayed.json == {"replayed": [letter["id"]]}
        await _asked(receiver, 2)
        first, second = receiver.asked
        assert (second.body, second.body["id"]) == (first.body, letter["id"])
        assert second.headers[HEADER] == there[HEADER]
        async with asyncio.timeout(20):
            while (await node.get("/subscriptions/dead")).json:
                await asyncio.sleep(0.01)


async def test_subscription_in_a_snapshot_hears_of_it_alone(street: Client) -> None:
    _, there = await make(street, query())
    async with running_source() as receiver:
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "Streetlight"}],
            "notification": {"endpoint": {"uri": receiver.url}},
        }
        made = await street.post(f"{API}/subscriptions", subscription, headers=there)
        assert made.status == 201
        assert (await street.get(f"{API}/subscriptions")).json == []
        await street.patch(f"{ENTITIES}/{ident(1)}/attrs", {"height": prop(50)})
        await street.patch(f"{ENTITIES}/{ident(1)}/attrs", {"height": prop(60)}, headers=there)
        await _asked(receiver, 1)
        [asked] = receiver.asked
        assert asked.headers[HEADER] == there[HEADER]
        assert [each["height"]["value"] for each in asked.body["data"]] == [60]


async def _asked(receiver: Source, times: int) -> None:
    async with asyncio.timeout(20):
        while len(receiver.asked) < times:
            await asyncio.sleep(0.01)
