"""Deliveries: tried again, never lost by a restart, nobody held up by another, dead letters replayed."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from cityloom.consumers.follow import Outcome
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Event
from cityloom.model.settings import Settings
from cityloom.model.time import format_datetime
from tests.subscriptions.helpers import WAIT, City, Receiver

LIGHT = "urn:ngsi-ld:Streetlight:1"


def on(value: Any = "on") -> dict[str, Any]:
    return {"type": "Property", "value": value}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_failed_notification_is_tried_again_with_the_same_key(city: City, receiver: Receiver) -> None:
    receiver.answer = lambda path, call: 503 if call < 3 else 204
    await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, level=on(1))
    told = await receiver.until("/a", 3)
    await city.settled()
    assert len({one.headers["Idempotency-Key"] for one in told}) == 1
    assert len(receiver.at("/a")) == 3


async def test_given_up_notification_is_a_dead_letter_that_can_be_replayed(
    city: City, receiver: Receiver
) -> None:
    receiver.answer = lambda path, call: 500 if call <= 3 else 200
    id = await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, level=on(1))
    await receiver.until("/a", 3)
    await city.settled()
    (letter,) = await city.node.subscriptions.dead_letters(city.call())
    assert letter["subscriptionId"] == id
    assert letter["entities"] == [LIGHT]
    assert letter["attempts"] == 3
    assert "500" in letter["lastError"]
    assert letter["endpoint"] == f"{receiver.url}/a"
    assert letter["notifiedAt"] < letter["givenUpAt"] <= format_datetime(city.node.clock.now())
    with pytest.raises(ResourceNotFound):
        await city.node.subscriptions.replay(city.call(), ids=["urn:none"])
    assert await city.node.subscriptions.replay(city.call(), subscription_id=id) == [letter["id"]]
    told = await receiver.until("/a", 4)
    await city.settled()
    assert told[3].headers["Idempotency-Key"] == letter["id"]
    assert await city.node.subscriptions.dead_letters(city.call()) == []


async def test_dead_and_slow_endpoints_hold_nobody_up(city: City, receiver: Receiver) -> None:
    receiver.hold["/slow"] = asyncio.Event()
    await city.subscribe(f"http://127.0.0.1:{free_port()}/dead")
    await city.subscribe(f"{receiver.url}/slow")
    await city.subscribe(f"{receiver.url}/good")
    await city.create(LIGHT, level=on(0))
    for level in range(1, 20):
        await city.patch(LIGHT, level=on(level))
    told = await receiver.until("/good", 20)
    assert [one.entity["level"]["value"] for one in told] == list(range(20))
    assert receiver.at("/slow") == []


async def test_what_would_wait_beyond_the_bound_is_a_dead_letter_and_keeps_its_order(
    tmp_path: Path, receiver: Receiver
) -> None:
    city = City(tmp_path / "city", Settings(notify_waiting=5))
    await city.start()
    receiver.hold["/slow"] = asyncio.Event()
    slow = await city.subscribe(f"{receiver.url}/slow")
    await city.subscribe(f"{receiver.url}/good")
    await city.create(LIGHT, level=on(0))
    for level in range(1, 20):
        await city.patch(LIGHT, level=on(level))
        # Not faster than it is told of, or the bound would be reached here, too.
        await receiver.until("/good", level + 1)
    letters: Sequence[Any] = []
    async with asyncio.timeout(WAIT):
        while len(letters) + city.pending() < 20 or city.pending() > 6:
            letters = await city.node.subscriptions.dead_letters(city.call())
            await asyncio.sleep(0.01)
    assert {(one["subscriptionId"], one["attempts"]) for one in letters} == {(slow, 0)}
    assert all("notifyWaiting" in one["lastError"] for one in letters)
    assert city.pending() in (5, 6)  # and one may be on its way
    assert receiver.at("/slow") == []
    await city.stop()
    await city.start()
    receiver.hold.pop("/slow").set()
    await city.settled()
    while await city.node.subscriptions.dead_letters(city.call()):
        await city.node.subscriptions.replay(city.call())
        await city.settled()
    levels = {one.headers["Idempotency-Key"]: one.entity["level"]["value"] for one in receiver.at("/slow")}
    assert list(levels.values()) == list(range(20))
    assert len(receiver.at("/good")) == 20
    await city.stop()


async def test_nothing_is_lost_and_nothing_forgotten_by_a_restart(city: City, receiver: Receiver) -> None:
    receiver.answer = lambda path, call: 503
    await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, level=on(1))
    await city.patch(LIGHT, level=on(2))
    await receiver.until("/a", 1)
    await city.stop()
    before = {one.headers["Idempotency-Key"] for one in receiver.at("/a")}
    receiver.told.clear()
    receiver.answer = lambda path, call: 200
    await city.start()
    await receiver.until("/a", 2)
    await city.settled()
    # A try that was under way when the node stopped may still arrive: with the same key.
    levels = {one.headers["Idempotency-Key"]: one.entity["level"]["value"] for one in receiver.at("/a")}
    assert len(levels) == 2
    assert before <= levels.keys()
    assert list(levels.values()) == [1, 2]
    count = len(receiver.at("/a"))
    await city.patch(LIGHT, level=on(3))
    told = await receiver.until("/a", count + 1)
    assert told[-1].entity["level"]["value"] == 3


async def test_deleted_subscription_sends_nothing_that_was_waiting(city: City, receiver: Receiver) -> None:
    receiver.answer = lambda path, call: 503
    id = await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, level=on(1))
    await receiver.until("/a", 1)
    await city.node.subscriptions.delete(city.call(), id)
    await city.settled()
    with pytest.raises(ResourceNotFound):
        await city.node.subscriptions.retrieve(city.call(), id, city.ld_context)
    assert await city.node.subscriptions.dead_letters(city.call()) == []


async def test_deleted_subscription_sends_nothing_before_the_matching_hears_of_its_end(
    city: City, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.8.5.4, however far behind the matching is."""
    id = await city.subscribe(f"{receiver.url}/a", id="urn:ngsi-ld:Subscription:1")
    await city.settled()
    follower = city.node.subscriptions._follower
    handle = follower._handle
    reached, changed, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(events: Sequence[Event]) -> Outcome | None:
        # First the change alone, when the subscription is gone already; its end when all was looked at.
        gate = told if reached.is_set() else changed
        reached.set()
        await gate.wait()
        return await handle(events)

    monkeypatch.setattr(follower, "_handle", slow)
    await city.create(LIGHT, level=on(1))
    await asyncio.wait_for(reached.wait(), WAIT)
    await city.node.subscriptions.delete(city.call(), id)
    changed.set()
    async with asyncio.timeout(WAIT):
        while city.node.subscriptions.lag() > 1 or city.pending() > 0:
            await asyncio.sleep(0.01)
    assert receiver.at("/a") == []
    told.set()
    assert await city.subscribe(f"{receiver.url}/a", id=id) == id
    await city.patch(LIGHT, level=on(2))
    (one,) = await receiver.until("/a", 1)
    assert one.entity["level"]["value"] == 2


async def test_matching_finds_its_few_among_many_subscriptions(city: City, receiver: Receiver) -> None:
    for number in range(300):
        await city.subscribe(f"{receiver.url}/other", entities=[{"type": f"Type{number}"}])
    await city.subscribe(f"{receiver.url}/a")
    await city.create(LIGHT, level=on(1))
    await receiver.until("/a", 1)
    await city.settled()
    assert receiver.at("/other") == []


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[int]:
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(program).exists():
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    port = free_port()
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([program, "-c", str(configuration)], stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        process.poll()
        import time

        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait()


@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0"])
async def test_mqtt_endpoint_gets_metadata_and_body(city: City, mosquitto: int, version: str) -> None:
    async with aiomqtt.Client("127.0.0.1", mosquitto) as client:
        await client.subscribe("city/lights")
        await city.subscribe(
            f"mqtt://127.0.0.1:{mosquitto}/city/lights",
            endpoint={
                "notifierInfo": [
                    {"key": "MQTT-QoS", "value": "1"},
                    {"key": "MQTT-Version", "value": version},
                ],
                "receiverInfo": [{"key": "purpose", "value": "test"}],
            },
        )
        await city.create(LIGHT, level=on(1))
        async with asyncio.timeout(WAIT):
            message = await anext(aiter(client.messages))
        assert isinstance(message.payload, bytes)
        document = msgspec.json.decode(message.payload)
    assert document["metadata"]["Content-Type"] == "application/json"
    assert document["metadata"]["purpose"] == "test"
    assert document["body"]["data"][0]["level"]["value"] == 1


async def test_mqtt_broker_that_is_down_makes_dead_letters(city: City) -> None:
    await city.subscribe(f"mqtt://127.0.0.1:{free_port()}/city/lights")
    await city.create(LIGHT, level=on(1))
    await city.settled()
    async with asyncio.timeout(WAIT):
        while not (letters := await city.node.subscriptions.dead_letters(city.call())):
            await asyncio.sleep(0.02)
    assert "could not be reached" in letters[0]["lastError"]
