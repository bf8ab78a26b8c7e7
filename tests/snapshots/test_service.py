"""Snapshots behind the routes: what is done at the start, at their end, and with registered sources."""

import asyncio
from pathlib import Path
from typing import Any

from cityloom.model.events import Cause
from cityloom.model.settings import Settings
from cityloom.model.tenants import snapshot_tenant, split_tenant, tenant_headers
from cityloom.web.services import Services
from tests.conformance.data import ENTITIES, lamp
from tests.federation.helpers import register
from tests.web.node import Client, open_services, running, running_node

SNAPSHOTS = "/ngsi-ld/v1/snapshots"
QUERY = {"type": "Query", "entities": [{"type": "Streetlight"}]}
ID = "urn:ngsi-ld:Snapshot:one"


async def make(node: Client, **members: Any) -> str:
    body = {"type": "Snapshot", "id": ID, "snapshotQueries": [QUERY], **members}
    answer = await node.post(SNAPSHOTS, body)
    assert answer.status == 201, answer.body
    return str(answer.headers["Location"])


async def ready(node: Client, location: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (found := (await node.get(location)).json)["snapshotStatus"] == "preparing":
            await asyncio.sleep(0.01)
    return dict(found)


def held(services: Services, tenant: str = "") -> int:
    """How many entities stand in the snapshot."""
    with services.store.snapshot() as reads:
        return sum(one.count for one in reads.type_counts(snapshot_tenant(tenant, ID)))


def test_place_of_a_snapshot_is_told_apart_from_tenants() -> None:
    for tenant in ("", "north"):
        assert split_tenant(snapshot_tenant(tenant, ID)) == (tenant, ID)
        assert split_tenant(tenant) == (tenant, "")
    assert tenant_headers(snapshot_tenant("north", ID)) == {"NGSILD-Tenant": "north", "NGSILD-Snapshot": ID}
    assert tenant_headers("") == {}
    assert not snapshot_tenant("", ID).isprintable()


async def test_snapshots_are_there_after_a_restart(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        await node.post(ENTITIES, lamp())
        location = await make(node)
        before = await ready(node, location)
    async with open_services(tmp_path, Settings()) as services, running(services) as node:
        await services.snapshots.start()  # type: ignore[attr-defined]
        assert (await node.get(location)).json == before
        found = await node.get(f"{ENTITIES}/{lamp()['id']}", headers={"NGSILD-Snapshot": ID})
        assert found.json["powerState"]["value"] == "on"


async def test_what_a_restart_interrupted_is_brought_to_an_end(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        await node.post(ENTITIES, lamp())
        location = await make(node)
        done = await ready(node, location)
        store, cause = node.services.store, Cause(kind="system", id="test")
        told = {**done, "snapshotStatus": "preparing", "id": "urn:ngsi-ld:Snapshot:two"}

        def work(tx: Any) -> None:
            tx.put_document("", "snapshot", told["id"], told, cause)
            tx.delete_document("", "snapshot", ID, cause)

        await asyncio.wrap_future(store.submit(work))
        assert held(node.services) == 1
    async with open_services(tmp_path, Settings()) as services, running(services) as node:
        await services.snapshots.start()  # type: ignore[attr-defined]
        assert (await node.get(f"{SNAPSHOTS}/urn:ngsi-ld:Snapshot:two")).json["snapshotStatus"] == "failure"
        assert (await node.get(location)).status == 404
        assert held(services) == 0


async def test_expired_snapshot_is_taken_away_with_its_data(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        await node.post(ENTITIES, lamp(), headers={"NGSILD-Tenant": "north"})
        work = asyncio.create_task(node.services.snapshots.run())  # type: ignore[attr-defined]
        north = {"NGSILD-Tenant": "north"}
        body = {"type": "Snapshot", "id": ID, "snapshotQueries": [QUERY], "snapshotLifetime": "PT2S"}
        assert (await node.post(SNAPSHOTS, body, headers=north)).status == 201
        async with asyncio.timeout(20):
            while held(node.services, "north") == 0:
                await asyncio.sleep(0.01)
            while held(node.services, "north") > 0:
                await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_snapshot_holds_what_sources_have_and_asks_them_no_more(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    async with running_node(tmp_path / "here") as node, running_node(tmp_path / "there") as there:
        await node.post(ENTITIES, lamp(1))
        await there.post(ENTITIES, lamp(2))
        await register(node, there.base, information=[{"entities": [{"type": "Streetlight"}]}])
        location = await make(node)
        assert (await ready(node, location))["snapshotStatus"] == "success"
        await there.delete(f"{ENTITIES}/{lamp(2)['id']}")
        await there.post(ENTITIES, lamp(3))
        found = await node.get(f"{ENTITIES}?type=Streetlight", headers={"NGSILD-Snapshot": ID})
        assert [one["id"] for one in found.json] == [lamp(1)["id"], lamp(2)["id"]]
