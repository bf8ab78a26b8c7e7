from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from aiohttp import web

from cityloom.connect.feeds import Feeds
from cityloom.connect.sources import Sources
from cityloom.net.client import Outgoing, OutgoingSettings
from tests.connect.conftest import TestCity, make

SENSOR = {"id": "urn:ngsi-ld:Thing:{id}", "type": "Thing"}
LEVEL = {"level": {"from": "level", "number": True}}


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    async with Outgoing(OutgoingSettings(allow_loopback=True)) as client:
        yield client


class Publisher:
    """A web server whose one page the test writes."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 200
        self.asked = 0
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(body=self.body, status=self.status)


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    publisher = Publisher()
    app = web.Application()
    app.router.add_get("/feed", publisher.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    publisher.url = f"http://127.0.0.1:{port}/feed"
    yield publisher
    await runner.cleanup()


@contextlib.asynccontextmanager
async def running(feeds: Feeds) -> AsyncIterator[None]:
    task = asyncio.create_task(feeds.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Any], what: str) -> None:
    """Waits until `condition` (may be a coroutine function) holds."""
    for _ in range(400):
        held = condition()
        if asyncio.iscoroutine(held):
            held = await held
        if held:
            return
        await asyncio.sleep(0.025)
    raise AssertionError(f"never happened: {what}")


async def test_url_is_polled_and_its_rows_become_entities(
    city: TestCity, outgoing: Outgoing, publisher: Publisher
) -> None:
    mapping = make(source="feed", format="json", url=publisher.url, every="PT0.03S", attributes=LEVEL)
    sources = city.sources(mapping)
    publisher.body = b'[{"id": 1, "level": 5}]'

    async def level() -> Any:
        found = await city.entities("Thing")
        return (await city.values("urn:ngsi-ld:Thing:1"))["level"] if found else None

    async with running(Feeds(sources, outgoing)):
        await until(lambda: publisher.asked > 3, "several polls")
        assert await level() == 5
        events = city.events_of("Thing")
        assert events == 1
        publisher.body = b'[{"id": 1, "level": 6}]'

        async def changed() -> bool:
            return await level() == 6

        await until(changed, "the new level")
        # Here: a poll that the end of the feeds cuts short counts as failed.
        (source,) = await sources.list(city.call)
        assert source["status"] == "ok"
    (source,) = await sources.list(city.call)
    assert source["report"]["read"] == 2


async def test_url_that_fails_is_told_and_tried_again(
    city: TestCity, outgoing: Outgoing, publisher: Publisher
) -> None:
    mapping = make(source="feed", format="json", url=publisher.url, every="PT0.03S", attributes=LEVEL)
    sources = city.sources(mapping)
    publisher.status = 503

    async def status(wanted: str) -> bool:
        return (await sources.retrieve(city.call, "feed"))["status"] == wanted

    async with running(Feeds(sources, outgoing)):
        await until(lambda: status("failed"), "the failure is told")
        report = (await sources.retrieve(city.call, "feed"))["report"]
        assert report["error"].endswith("answered 503")
        publisher.status, publisher.body = 200, b'{"id": 1, "level": 1}'
        await until(lambda: status("ok"), "the feed comes back")


async def test_url_with_an_answer_of_another_format_fails_without_a_trace(
    city: TestCity, outgoing: Outgoing, publisher: Publisher
) -> None:
    mapping = make(source="feed", format="json", url=publisher.url, every="PT0.03S", attributes=LEVEL)
    sources = city.sources(mapping)
    publisher.body = b"<html>"

    async def failed() -> bool:
        return (await sources.retrieve(city.call, "feed"))["status"] == "failed"

    async with running(Feeds(sources, outgoing)):
        await until(failed, "the failure is told")
    assert await city.entities("Thing") == {}


def silent_sensor(**values: Any) -> tuple[Any, dict[str, Any]]:
    mapping = make(
        source="sensors",
        format="push",
        observedAt="at",
        series=True,
        expectedInterval="PT15M",
        attributes=LEVEL,
        **values,
    )
    return mapping, {"id": 1, "level": 5}


async def test_watch_marks_a_silent_sensor_and_takes_the_mark_back(
    city: TestCity, outgoing: Outgoing
) -> None:
    mapping, row = silent_sensor()
    sources = city.sources(mapping)
    feeds = Feeds(sources, outgoing)
    two = {"id": 2, "level": 7}
    await sources.push(
        city.call, "sensors", [{**row, "at": "2026-05-01T12:00:00Z"}, {**two, "at": "2026-05-01T12:00:00Z"}]
    )
    await feeds.watch()
    assert "stale" not in await city.values("urn:ngsi-ld:Thing:1")
    city.clock.advance(10 * 60)
    await sources.push(city.call, "sensors", [{**two, "at": "2026-05-01T12:10:00Z"}])
    city.clock.advance(6 * 60)
    await feeds.watch()
    assert (await city.values("urn:ngsi-ld:Thing:1"))["stale"] is True
    assert "stale" not in await city.values("urn:ngsi-ld:Thing:2")
    assert (await sources.retrieve(city.call, "sensors"))["status"] == "ok"
    events = city.events_of("Thing")
    await feeds.watch()
    assert city.events_of("Thing") == events
    await sources.push(city.call, "sensors", [{**row, "at": "2026-05-01T12:16:00Z"}])
    await feeds.watch()
    assert (await city.values("urn:ngsi-ld:Thing:1"))["stale"] is False


async def test_watch_marks_a_silent_source_and_takes_the_mark_back(
    city: TestCity, outgoing: Outgoing
) -> None:
    mapping, row = silent_sensor()
    sources = city.sources(mapping)
    feeds = Feeds(sources, outgoing)
    await sources.push(city.call, "sensors", [{**row, "at": "2026-05-01T12:00:00Z"}])
    city.clock.advance(15 * 60 + 1)
    await feeds.watch()
    assert (await sources.retrieve(city.call, "sensors"))["status"] == "stale"
    assert (await city.importer.states.get("sensors")).stale
    await sources.push(city.call, "sensors", [{**row, "at": "2026-05-01T12:15:00Z"}])
    await feeds.watch()
    assert (await sources.retrieve(city.call, "sensors"))["status"] == "ok"
    assert not (await city.importer.states.get("sensors")).stale


async def test_watch_takes_a_feed_that_repeats_old_stamps_for_silent(
    city: TestCity, outgoing: Outgoing
) -> None:
    mapping, row = silent_sensor()
    sources = city.sources(mapping)
    await sources.push(city.call, "sensors", [{**row, "at": "2026-05-01T12:00:00Z"}])
    city.clock.advance(3600)
    await sources.push(city.call, "sensors", [{**row, "at": "2026-05-01T12:00:00Z"}])
    await Feeds(sources, outgoing).watch()
    assert (await sources.retrieve(city.call, "sensors"))["status"] == "stale"


async def test_file_marks_sensors_that_fell_silent_before_the_others(city: TestCity) -> None:
    rows = ["1,2020-01-01T00:00:00Z,5", "2,2020-01-01T00:00:00Z,5", "2,2020-01-01T01:00:00Z,6"]
    city.write("things.csv", "id,at,level\n" + "\n".join(rows) + "\n")
    mapping = make(observedAt="at", series=True, expectedInterval="PT15M", attributes=LEVEL)
    await city.run(mapping)
    assert (await city.values("urn:ngsi-ld:Thing:1"))["stale"] is True
    assert "stale" not in await city.values("urn:ngsi-ld:Thing:2")
    events = city.events_of("Thing")
    await city.run(mapping)
    assert city.events_of("Thing") == events


async def test_changed_file_is_imported_again(city: TestCity, outgoing: Outgoing) -> None:
    city.write("things.csv", "id,level\n1,5\n")
    sources = city.sources(make(attributes=LEVEL))
    await city.run(make(attributes=LEVEL))

    async def changed() -> bool:
        city.write("things.csv", "id,level\n1,6\n")
        return (await city.values("urn:ngsi-ld:Thing:1"))["level"] == 6

    async with running(Feeds(sources, outgoing, data=city.data)):
        await until(changed, "the new level")


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    try:
        process = await asyncio.create_subprocess_exec(
            "mosquitto", "-c", str(config), stderr=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    try:
        yield port
    finally:
        process.terminate()
        await process.wait()


async def test_mqtt_messages_become_rows_with_the_levels_of_their_topic(
    city: TestCity, outgoing: Outgoing, mosquitto: int
) -> None:
    mapping = make(
        source="river",
        format="mqtt",
        broker=f"mqtt://127.0.0.1:{mosquitto}",
        topic="river/+/level",
        entity={"id": "urn:ngsi-ld:Thing:{topic_1}", "type": "Thing"},
        attributes=LEVEL,
    )
    sources = city.sources(mapping)

    async def refused() -> bool:
        report = (await sources.retrieve(city.call, "river"))["report"]
        return report is not None and bool(report["rejected"])

    async with running(Feeds(sources, outgoing)):
        await until(lambda: _publishes(mosquitto, "river/hello/level", b'{"level": 0}', sources), "a message")
        async with aiomqtt.Client("127.0.0.1", mosquitto) as client:
            for number in range(50):
                await client.publish(f"river/{number}/level", b'{"level": %d}' % number, qos=1)
            await client.publish("river/x/level", b"{broken", qos=1)
        # The last of them: a count would also count greetings that are still under way.
        await until(refused, "the broken message")
    assert (await city.values("urn:ngsi-ld:Thing:49"))["level"] == 49
    report = (await sources.retrieve(city.call, "river"))["report"]
    assert report["rejected"] == {"not JSON": 1}
    path = await sources.rejects_file(city.call, "river")
    assert path is not None
    lines = path.read_bytes().splitlines()
    assert b"{broken" in lines[0]


async def _publishes(port: int, topic: str, payload: bytes, sources: Sources) -> bool:
    """Sends until the feed, which may still be connecting, has taken one."""
    with contextlib.suppress(aiomqtt.MqttError):
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.publish(topic, payload, qos=1)
    state = await sources.importer.states.get("river")
    return state.report is not None and state.report.read > 0


async def test_mqtt_broker_that_is_not_there_is_told(city: TestCity, outgoing: Outgoing) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mapping = make(source="river", format="mqtt", broker=f"mqtt://127.0.0.1:{port}", topic="a/#")
    sources = city.sources(mapping)

    async def failed() -> bool:
        return (await sources.retrieve(city.call, "river"))["status"] == "failed"

    async with running(Feeds(sources, outgoing)):
        await until(failed, "the failure is told")
