"""Clause 4.22: transient entities and attributes, on a node with all that runs behind it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conformance.data import prop
from tests.nodes import NodeProcess
from tests.web.node import Client

ROOT = "/ngsi-ld/v1"
_LIMIT = 30.0
"""Seconds after which what should have expired counts as forgotten."""


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    with NodeProcess(tmp_path / "city") as node:
        async with aiohttp.ClientSession(node.url) as session:
            yield session


async def until_deleted(session: aiohttp.ClientSession, id: str, name: str) -> dict[str, Any]:
    """The history of an entity, as soon as it tells that `name` (or the entity itself: "") was deleted."""
    async with asyncio.timeout(_LIMIT):
        while True:
            async with session.get(f"{ROOT}/temporal/entities/{id}?options=sysAttrs") as answer:
                told: dict[str, Any] = await answer.json()
            where = told[name] if name else [told]
            if any("deletedAt" in one for one in where):
                return told
            await asyncio.sleep(0.1)


async def test_expiry_is_a_deletion_in_history(session: aiohttp.ClientSession) -> None:
    """It comes to pass by itself, of an attribute alone and of an entity whole."""
    end = soon(1)
    whole = {"id": "urn:ngsi-ld:Alert:1", "type": "Alert", "expiresAt": end, "a": prop(1)}
    part = {"id": "urn:ngsi-ld:Alert:2", "type": "Alert", "a": prop(1, expiresAt=end), "b": prop(2)}
    for document in (whole, part):
        async with session.post(f"{ROOT}/entities", json=document) as answer:
            assert answer.status == 201
    gone = await until_deleted(session, "urn:ngsi-ld:Alert:1", "")
    assert gone["deletedAt"] >= end
    assert [one["value"] for one in gone["a"]] == [1, "urn:ngsi-ld:null"]
    left = await until_deleted(session, "urn:ngsi-ld:Alert:2", "a")
    assert ("deletedAt" in left, len(left["b"])) == (False, 1)
    async with session.get(f"{ROOT}/entities?type=Alert&count=true") as answer:
        assert answer.headers["NGSILD-Results-Count"] == "1"
        assert [one.keys() for one in await answer.json()] == [{"id", "type", "b"}]


ID = "urn:ngsi-ld:Alert:1"
PATH = f"{ROOT}/entities/{ID}"
BATCH = f"{ROOT}/entityOperations"
END, LATER, PAST = "2100-01-01T00:00:00Z", "2101-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
NULL = "urn:ngsi-ld:null"


def alert(**members: Any) -> dict[str, Any]:
    return {"id": ID, "type": "Alert", **members}


async def ends(node: Client) -> tuple[str | None, str | None]:
    """When the entity, and its attribute `a`, expire."""
    found = (await node.get(f"{PATH}?options=sysAttrs")).json
    return found.get("expiresAt"), found["a"].get("expiresAt")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{ROOT}/entities", alert(expiresAt=END, a=prop(1, expiresAt=LATER))),
        ("POST", f"{BATCH}/create", [alert(expiresAt=END, a=prop(1, expiresAt=LATER))]),
        ("POST", f"{BATCH}/upsert", [alert(expiresAt=END, a=prop(1, expiresAt=LATER))]),
        ("POST", f"{BATCH}/upsert?options=update", [alert(expiresAt=END, a=prop(1, expiresAt=LATER))]),
        ("POST", f"{BATCH}/update", [alert(expiresAt=END, a=prop(1, expiresAt=LATER))]),
        ("POST", f"{BATCH}/merge", [alert(expiresAt=END, a=prop(1, expiresAt=LATER))]),
        ("PATCH", PATH, {"expiresAt": END, "a": {"expiresAt": LATER}}),
        ("PUT", PATH, alert(expiresAt=END, a=prop(1, expiresAt=LATER))),
        ("PATCH", f"{PATH}/attrs", {"expiresAt": END, "a": prop(1, expiresAt=LATER)}),
        ("POST", f"{PATH}/attrs", {"expiresAt": END, "a": prop(1, expiresAt=LATER)}),
    ],
)
async def test_every_way_of_writing_sets_an_expiry(node: Client, method: str, path: str, body: Any) -> None:
    """4.22 with 5.6: of the entity and of an attribute."""
    if not path.endswith(("/entities", "/create")):
        assert (await node.post(f"{ROOT}/entities", alert(a=prop(0)))).status == 201
    assert (await node.ask(method, path, body)).status in (201, 204)
    assert await ends(node) == (END, LATER)
    plain = (await node.get(PATH)).json
    assert "expiresAt" not in plain, "a system attribute, told when asked for (6.3.11)"
    assert "expiresAt" not in plain["a"]


@pytest.mark.parametrize(
    ("method", "path", "body", "left"),
    [
        ("PATCH", PATH, {"expiresAt": NULL}, (None, LATER)),
        ("PATCH", PATH, {"a": {"expiresAt": NULL}}, (END, None)),
        ("PATCH", PATH, {"b": prop(2)}, (END, LATER)),
        ("PATCH", f"{PATH}/attrs", {"expiresAt": NULL}, (None, LATER)),
        ("PATCH", f"{PATH}/attrs", {"a": prop(2)}, (END, None)),
        ("PATCH", f"{PATH}/attrs/a", {"expiresAt": NULL}, (END, None)),
        ("PATCH", f"{PATH}/attrs/a", {"value": 2}, (END, LATER)),
        ("PUT", f"{PATH}/attrs/a", prop(2), (END, None)),
        ("PUT", PATH, alert(a=prop(2)), (None, None)),
        ("POST", f"{BATCH}/upsert", [alert(a=prop(2))], (None, None)),
        ("POST", f"{BATCH}/merge", [alert(expiresAt=NULL, a={"value": 2})], (None, LATER)),
    ],
)
async def test_expiry_is_taken_away_as_any_member_is(
    node: Client, method: str, path: str, body: Any, left: tuple[str | None, str | None]
) -> None:
    """5.5.8, 5.5.12: by NGSI-LD Null, or with what is replaced whole; it stays where it is not spoken of."""
    made = alert(expiresAt=END, a=prop(1, expiresAt=LATER))
    assert (await node.post(f"{ROOT}/entities", made)).status == 201
    assert (await node.ask(method, path, body)).status in (201, 204)
    assert await ends(node) == left


@pytest.mark.parametrize("wrong", ["tomorrow", 5, {"value": END}, [END], NULL, "2100-01-01"])
async def test_expiry_is_a_date_and_time(node: Client, wrong: Any) -> None:
    """Tables 5.2.4-1 and 5.2.5-1."""
    for document in (alert(expiresAt=wrong), alert(a=prop(1, expiresAt=wrong))):
        answer = await node.post(f"{ROOT}/entities", document)
        assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_what_has_expired_already_is_taken_and_not_there(node: Client) -> None:
    """Only subscriptions, registrations and snapshots must not end in the past (5.8.1.4, 5.9.2.4)."""
    assert (await node.post(f"{ROOT}/entities", alert(expiresAt=PAST))).status == 201
    assert (await node.get(PATH)).status == 404
    assert (await node.get(f"{ROOT}/entities?type=Alert")).json == []
    assert (await node.delete(PATH)).status == 404
    part = alert(a=prop(1, expiresAt=PAST), b=prop(2, sub=prop(3, expiresAt=PAST)))
    assert (await node.post(f"{ROOT}/entities", part)).status == 201, "another entity of the same name"
    assert (await node.get(PATH)).json == alert(b=prop(2))
    assert (await node.get(f"{ROOT}/entities?type=Alert&q=a")).json == []
    assert (await node.get(f"{ROOT}/entities?type=Alert&attrs=a")).json == []


async def test_expiry_can_be_asked_for(node: Client) -> None:
    """4.8, 4.9: it is a temporal property; of an attribute a path leads to it."""
    await node.post(f"{ROOT}/entities", alert(expiresAt=END, a=prop(1, expiresAt=LATER)))
    for q, found in (
        (f"expiresAt=={END}", 1),
        (f"expiresAt>{END}", 0),
        (f"a.expiresAt>{END}", 1),
        (f"a.expiresAt=={END}", 0),
    ):
        assert len((await node.get(f"{ROOT}/entities", params={"type": "Alert", "q": q})).json) == found, q
