"""Live changes by server-sent events: every change once, in order, also after a break."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from cityloom.web.city import hub as hub_module
from tests.web.node import Client

ENTITIES = "/ngsi-ld/v1/entities"


class Stream:
    """One open stream, message by message."""

    def __init__(self, response: Any) -> None:
        self._response = response

    async def message(self) -> tuple[str, str, Any]:
        """The next message but comments: (id, event, data)."""
        while True:
            fields: dict[str, str] = {}
            while (line := (await self._response.content.readline()).decode()) != "\n":
                if not line:
                    raise EOFError
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value
            if "event" in fields:
                return fields["id"], fields["event"], msgspec.json.decode(fields["data"])

    async def changes(self, count: int) -> list[Any]:
        found = []
        for _ in range(count):
            id, event, data = await asyncio.wait_for(self.message(), 10)
            assert (event, id) == ("change", str(data["seq"]))
            found.append(data)
        return found


@asynccontextmanager
async def listening(
    node: Client, query: str = "", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Stream]:
    async with node.session.get(f"{node.base}/events{query}", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert (await response.content.readline()).startswith(b"retry:")
        await response.content.readline()
        hub = node.app.hub
        while not hub._reader:
            await asyncio.sleep(0.001)
        yield Stream(response)


def lamp(number: int, state: str = "on", **more: Any) -> dict[str, Any]:
    state_of = {"type": "Property", "value": state, "observedAt": "2026-01-01T00:00:00Z"}
    return {"id": f"urn:a:lamp:{number}", "type": "Lamp", "state": state_of, **more}


async def test_change_arrives_with_what_changed(node: Client) -> None:
    place = {"type": "Point", "coordinates": [1, 2]}
    async with listening(node) as stream:
        await node.post(ENTITIES, lamp(1, location={"type": "GeoProperty", "value": place}))
        await node.patch(f"{ENTITIES}/urn:a:lamp:1/attrs", {"state": {"type": "Property", "value": "off"}})
        await node.delete(f"{ENTITIES}/urn:a:lamp:1/attrs/state")
        await node.delete(f"{ENTITIES}/urn:a:lamp:1")
        made, changed, shrunk, gone = await stream.changes(4)
    assert (made["kind"], made["entityId"], made["type"]) == ("entityCreated", "urn:a:lamp:1", ["Lamp"])
    assert made["location"] == place
    assert {"name": "state", "value": "on", "observedAt": "2026-01-01T00:00:00Z"} in made["changes"]
    assert (changed["kind"], changed["changes"]) == ("entityUpdated", [{"name": "state", "value": "off"}])
    assert shrunk["changes"] == [{"name": "state", "value": None, "deleted": True}]
    assert gone["kind"] == "entityDeleted"
    assert made["seq"] < changed["seq"] < shrunk["seq"] < gone["seq"]


async def test_listener_hears_only_the_types_ids_and_tenant_it_asked_for(node: Client) -> None:
    async with listening(node, "?type=Bus") as buses, listening(node, "?id=urn:a:lamp:2") as second:
        await node.post(ENTITIES, lamp(9), headers={"NGSILD-Tenant": "north"})
        await node.post(ENTITIES, lamp(1))
        await node.post(ENTITIES, lamp(2))
        await node.post(ENTITIES, {"id": "urn:a:bus", "type": "Bus"})
        assert [each["entityId"] for each in await buses.changes(1)] == ["urn:a:bus"]
        assert [each["entityId"] for each in await second.changes(1)] == ["urn:a:lamp:2"]
    async with listening(node, "?lastEventId=0", {"NGSILD-Tenant": "north"}) as north:
        assert [each["entityId"] for each in await north.changes(1)] == ["urn:a:lamp:9"]


@pytest.mark.parametrize("way", ["header", "query"])
async def test_listener_resumes_after_the_last_change_it_saw(node: Client, way: str) -> None:
    for number in range(5):
        await node.post(ENTITIES, lamp(number))
    query, headers = ("", {"Last-Event-ID": "2"}) if way == "header" else ("?lastEventId=2", None)
    async with listening(node, query, headers) as stream:
        assert [each["seq"] for each in await stream.changes(3)] == [3, 4, 5]
        await node.post(ENTITIES, lamp(6))
        assert [each["seq"] for each in await stream.changes(1)] == [6]


async def test_listener_from_the_future_is_told_to_begin_anew(node: Client) -> None:
    await node.post(ENTITIES, lamp(1))
    async with listening(node, "?lastEventId=999") as stream:
        assert await stream.message() == ("1", "reset", {"seq": 1})
        await node.post(ENTITIES, lamp(2))
        assert [each["seq"] for each in await stream.changes(1)] == [2]


async def test_listener_is_told_to_begin_anew_when_the_log_was_trimmed(node: Client) -> None:
    for number in range(5):
        await node.post(ENTITIES, lamp(number))
    node.services.store.submit(lambda tx: tx.trim_log(2)).result()
    async with listening(node, "?lastEventId=1") as stream:
        assert await stream.message() == ("5", "reset", {"seq": 5})
    async with listening(node, "?lastEventId=3") as stream:
        assert [each["seq"] for each in await stream.changes(2)] == [4, 5]


async def test_slow_listener_reads_the_log_itself_and_misses_nothing(
    node: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_RING", 4)
    monkeypatch.setattr(hub_module, "_CHUNK", 3)
    async with listening(node, "?lastEventId=0") as stream:
        for number in range(60):
            await node.post(ENTITIES, lamp(number))
        assert [each["seq"] for each in await stream.changes(60)] == list(range(1, 61))
    async with listening(node, "?lastEventId=10") as stream:
        assert [each["seq"] for each in await stream.changes(50)] == list(range(11, 61))


async def test_change_is_encoded_once_for_many_listeners(node: Client) -> None:
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(listening(node)) for _ in range(20)]
        assert node.app.hub.listeners == 20
        await node.post(ENTITIES, lamp(1))
        heard = [await stream.changes(1) for stream in streams]
        assert all(each == heard[0] for each in heard)
        assert len(node.app.hub._ring) == 1


async def test_listeners_are_let_go_when_they_leave_and_when_the_node_stops(node: Client) -> None:
    hub = node.app.hub
    async with listening(node):
        assert hub.listeners == 1
    while hub.listeners:
        await asyncio.sleep(0.005)
    assert hub._reader is None
    async with listening(node) as stream:
        hub.close()
        with pytest.raises(EOFError):
            await asyncio.wait_for(stream.message(), 10)


async def test_silence_is_filled_with_pings(node: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_PING_SECONDS", 0.01)
    async with node.session.get(f"{node.base}/events") as response:
        lines = [await response.content.readline() for _ in range(4)]
    assert b": ping\n" in lines


@pytest.mark.parametrize("query", ["?lastEventId=x", "?lastEventId=-1", "?odd=1", "?type=a%20b"])
async def test_listener_is_refused_when_a_parameter_is_invalid(node: Client, query: str) -> None:
    assert (await node.get(f"/events{query}")).status == 400
