"""Snapshots, and what the tests of them share."""

import asyncio
from typing import Any

from tests.conformance.data import ENTITIES
from tests.web.node import API, Answer, Client

SNAPSHOTS = f"{API}/snapshots"
HEADER = "NGSILD-Snapshot"
LAMPS = f"{ENTITIES}?type=Streetlight"
WINDOW = {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}


def ident(number: int) -> str:
    return f"urn:ngsi-ld:Streetlight:{number}"


def numbers(answer: Answer) -> list[int]:
    return [int(each["id"].rpartition(":")[2]) for each in answer.json]


def query(type: str = "Streetlight", **members: Any) -> dict[str, Any]:
    return {"type": "Query", "entities": [{"type": type}], **members}


def snapshot(*queries: dict[str, Any], **members: Any) -> dict[str, Any]:
    found = {"snapshotQueries": list(queries)} if queries else {}
    return {"type": "Snapshot", **found, **members}


async def ready(node: Client, location: str) -> dict[str, Any]:
    """The status of a snapshot as soon as it is prepared."""
    async with asyncio.timeout(20):
        while True:
            found = (await node.get(location)).json
            if found["snapshotStatus"] != "preparing":
                return dict(found)
            await asyncio.sleep(0.01)


async def make(node: Client, *queries: dict[str, Any], **members: Any) -> tuple[str, dict[str, str]]:
    """A prepared snapshot: where it is, and the header that names it."""
    answer = await node.post(SNAPSHOTS, snapshot(*queries, **members))
    assert answer.status == 201, answer.body
    location = answer.headers["Location"]
    found = await ready(node, location)
    return location, {HEADER: found["id"]}
