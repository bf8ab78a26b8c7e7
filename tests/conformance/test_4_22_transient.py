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
