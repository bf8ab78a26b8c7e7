"""The past of the map: a state at an instant and the windows after it, as the changes that come live."""

from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from cityloom.model.time import format_datetime
from tests.web.node import Client

ENTITIES = "/ngsi-ld/v1/entities"
DAY = "2026-05-01T"
NINE, TEN, ELEVEN, NOON = (f"{DAY}{hour}:00:00Z" for hour in ("09", "10", "11", "12"))
BUS, LIGHT = "urn:ngsi-ld:Vehicle:1", "urn:ngsi-ld:Streetlight:1"


def at(lon: float, time: str) -> dict[str, Any]:
    place = {"type": "Point", "coordinates": [lon, 42.0]}
    return {"type": "GeoProperty", "value": place, "observedAt": time}


def seen(value: Any, time: str) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": time}


@pytest.fixture
async def city(node: Client) -> Client:
    bus = {"id": BUS, "type": "Vehicle", "name": {"value": "Bus 1"}, "location": at(1, NINE)}
    light = {
        "id": LIGHT,
        "type": "Streetlight",
        "power": seen(40, TEN),
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [5, 42]}},
    }
    for entity in (bus, light):
        assert (await node.post(ENTITIES, entity)).status == 201
    for body in ({"location": at(2, TEN), "speed": seen(30, TEN)}, {"location": at(3, NOON)}):
        assert (await node.post(f"{ENTITIES}/{BUS}/attrs", body)).status == 204
    assert (await node.patch(f"{ENTITIES}/{LIGHT}/attrs", {"power": seen(0, NOON)})).status == 204
    return node


async def state(node: Client, types: str, instant: str, more: str = "") -> list[dict[str, Any]]:
    answer = await node.get(f"/map/state?type={types}&at={instant}{more}")
    assert answer.status == 200, answer.body
    assert answer.json["at"] == instant
    found: list[dict[str, Any]] = answer.json["changes"]
    return found


def picture(*parts: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    """What a page that applies these changes shows."""
    shown: dict[tuple[str, str], Any] = {}
    for part in parts:
        for change in part:
            for one in change["changes"]:
                shown[change["entityId"], one["name"]] = None if one.get("deleted") else one["value"]
    return shown


async def test_state_tells_what_had_last_been_observed(city: Client) -> None:
    (bus,) = await state(city, "Vehicle", f"{DAY}10:30:00Z")
    assert bus == {
        "at": TEN,
        "kind": "entityUpdated",
        "entityId": BUS,
        "type": ["Vehicle"],
        "changes": [
            {"name": "location", "value": at(2, TEN)["value"], "observedAt": TEN},
            {"name": "speed", "value": 30, "observedAt": TEN},
        ],
        "location": at(2, TEN)["value"],
    }


async def test_state_tells_what_had_not_been_observed_yet(city: Client) -> None:
    (bus,) = await state(city, "Vehicle", NINE)
    assert bus["changes"][1] == {"name": "speed", "value": None, "deleted": True}
    (light,) = await state(city, "Streetlight", NINE)
    assert light["changes"] == [{"name": "power", "value": None, "deleted": True}]
    assert (light["at"], "location" in light) == (NINE, False)


async def test_state_leaves_alone_what_was_never_observed_or_is_not_asked_for(city: Client) -> None:
    assert picture(await state(city, "Vehicle,Streetlight", NOON)).keys() == {
        (BUS, "location"),
        (BUS, "speed"),
        (LIGHT, "power"),
    }
    assert picture(await state(city, "Vehicle", NOON, "&attrs=speed")).keys() == {(BUS, "speed")}
    assert await state(city, "Vehicle", NOON, "&attrs=name") == []


async def test_changes_lead_from_one_state_to_the_next(city: Client) -> None:
    before = await state(city, "Vehicle,Streetlight", NINE)
    reached, told, calls = NINE, [], 0
    while reached != NOON:
        answer = (
            await city.get(f"/map/changes?type=Vehicle,Streetlight&after={reached}&until={NOON}&limit=1")
        ).json
        assert answer["more"] == (answer["until"] != NOON)
        reached, calls = answer["until"], calls + 1
        told += answer["changes"]
    assert calls > 1
    assert [(one["at"], one["entityId"]) for one in told] == [
        (TEN, LIGHT),
        (TEN, BUS),
        (NOON, LIGHT),
        (NOON, BUS),
    ]
    assert picture(before, told) == picture(await state(city, "Vehicle,Streetlight", NOON))
    whole = (await city.get(f"/map/changes?type=Vehicle,Streetlight&after={NINE}&until={NOON}")).json
    assert (whole["changes"], whole["until"], whole["more"]) == (told, NOON, False)


async def test_a_window_tells_about_as_much_as_is_asked_for_whatever_the_layers(city: Client) -> None:
    path = f"/map/changes?type=Vehicle,Streetlight&after={DAY}00:00:00Z&until={NOON}"
    answer = (await city.get(f"{path}&limit=2")).json
    # One at nine; three at ten would be too many.
    assert [one["at"] for one in answer["changes"]] == [NINE]
    answer = (await city.get(f"{path}&limit=4")).json
    assert [one["at"] for one in answer["changes"]] == [NINE, TEN, TEN]
    assert answer["more"]


async def test_a_window_without_length_is_empty(city: Client) -> None:
    answer = (await city.get(f"/map/changes?type=Vehicle&after={NOON}&until={NOON}")).json
    assert answer == {"changes": [], "until": NOON, "more": False}


async def test_changes_of_the_past_are_those_that_came_live(city: Client) -> None:
    live: list[dict[str, Any]] = []
    async with city.session.get(f"{city.base}/events?lastEventId=0&type=Vehicle") as stream:
        async for line in stream.content:
            if line.startswith(b"data: "):
                live.append(msgspec.json.decode(line.removeprefix(b"data: ")))
            if len(live) == 3:
                break
    answer = (await city.get(f"/map/changes?type=Vehicle&after={DAY}00:00:00Z&until={NOON}")).json
    observed = [
        {**change, "changes": [one for one in change["changes"] if "observedAt" in one]} for change in live
    ]
    for past, once in zip(answer["changes"], observed, strict=True):
        for name in ("entityId", "type", "location"):
            assert past[name] == once[name]
        assert sorted(past["changes"], key=str) == sorted(once["changes"], key=str)


async def test_an_entity_of_two_layers_is_told_once(node: Client) -> None:
    await node.post(ENTITIES, {"id": "urn:a:1", "type": ["A", "B"], "level": seen(1, TEN)})
    await node.post(ENTITIES, {"id": "urn:a:2", "type": "B", "level": seen(2, TEN)})
    assert [one["entityId"] for one in await state(node, "A,B", TEN)] == ["urn:a:1", "urn:a:2"]
    answer = (await node.get(f"/map/changes?type=B,A&after={NINE}&until={TEN}")).json
    assert [(one["entityId"], one["type"]) for one in answer["changes"]] == [
        ("urn:a:1", ["A", "B"]),
        ("urn:a:2", ["B"]),
    ]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("/map/state?at=" + NOON, "type is required"),
        ("/map/state?type=Vehicle", "at is required"),
        ("/map/state?type=Vehicle&at=yesterday", "at is invalid"),
        ("/map/state?type=Vehicle,Tram&at=" + NOON, "'Tram'"),
        ("/map/changes?type=Vehicle&after=" + NOON, "until is required"),
        (f"/map/changes?type=Vehicle&after={NOON}&until={NINE}", "after is invalid"),
        (f"/map/changes?type=Vehicle&after={NINE}&until={NOON}&limit=0", "limit is invalid"),
        (f"/map/changes?type=Vehicle&after={NINE}&until={NOON}&limit=1000000", "limit is invalid"),
        (f"/map/state?type={','.join(f'T{n}' for n in range(200))}&at={NOON}", "more than"),
    ],
)
async def test_the_past_says_what_is_wrong_with_a_question(city: Client, query: str, told: str) -> None:
    answer = await city.get(query)
    assert (answer.status, told in answer.json["detail"]) == (400, True), answer.json


async def test_the_future_is_not_told(city: Client) -> None:
    instant = quote(format_datetime(city.services.clock.now() + 60_000_000))
    for query in (
        f"/map/state?type=Vehicle&at={instant}",
        f"/map/changes?type=Vehicle&after={NINE}&until={instant}",
    ):
        answer = await city.get(query)
        assert (answer.status, "in the future" in answer.json["detail"]) == (400, True)
