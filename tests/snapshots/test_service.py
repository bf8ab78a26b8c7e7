"""Snapshots behind the routes: what is done at the start, at their end, and with registered sources."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cityloom.broker.ports import Call
from cityloom.ld.context import LdContext
from cityloom.model.entity import Entity
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Cause
from cityloom.model.settings import Settings
from cityloom.model.tenants import snapshot_tenant, split_tenant, tenant_headers
from cityloom.store.log_ports import Announcement, Delivery
from cityloom.web.services import Services
from tests.conformance.data import ENTITIES, lamp
from tests.federation.helpers import register
from tests.federation.source import running_source
from tests.web.node import Client, open_services, running, running_node

SNAPSHOTS = "/ngsi-ld/v1/snapshots"
QUERY = {"type": "Query", "entities": [{"type": "Streetlight"}]}
ID = "urn:ngsi-ld:Snapshot:one"
CAUSE = Cause(kind="system", id="test")


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


def tenants(services: Services) -> list[str]:
    with services.store.snapshot() as reads:
        return reads.tenants()


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


async def interrupt(node: Client, done: dict[str, Any], work: dict[str, Any] | None) -> None:
    """The snapshot stands as if it were still being prepared."""

    def keep(tx: Any) -> None:
        tx.put_document("", "snapshot", ID, {**done, "snapshotStatus": "preparing", "work": work}, CAUSE)

    await asyncio.wrap_future(node.services.store.submit(keep))


async def test_what_a_restart_interrupted_is_prepared_again(tmp_path: Path) -> None:
    here = {"NGSILD-Snapshot": ID}
    async with running_node(tmp_path) as node, running_source() as receiver:
        await node.post(ENTITIES, lamp(1))
        await node.post(ENTITIES, lamp(2))
        done = await ready(node, await make(node, endpoint=receiver.url))
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "Streetlight"}],
            "notification": {"endpoint": {"uri": receiver.url}},
        }
        await node.post("/ngsi-ld/v1/subscriptions", subscription, headers=here)
        await node.delete(f"{ENTITIES}/{lamp(1)['id']}")
        await node.post(ENTITIES, lamp(3))
        core = LdContext.core.source
        await interrupt(node, done, {"ldContext": core, "party": "", "purpose": ""})
    async with (
        running_source() as receiver,
        open_services(tmp_path, Settings()) as services,
        running(services) as node,
    ):
        await node.services.snapshots.start()  # type: ignore[attr-defined]
        found = await ready(node, f"{SNAPSHOTS}/{ID}")
        assert found["snapshotStatus"] == "success"
        assert "work" not in found
        lamps = (await node.get(f"{ENTITIES}?type=Streetlight", headers=here)).json
        assert [one["id"] for one in lamps] == [lamp(2)["id"], lamp(3)["id"]]
        assert len((await node.get("/ngsi-ld/v1/subscriptions", headers=here)).json) == 1


async def test_clone_that_a_restart_interrupted_is_of_what_is_prepared_again(tmp_path: Path) -> None:
    # Its id comes first, so that it is begun before what it is of.
    clone = "urn:ngsi-ld:Snapshot:clone"
    async with running_node(tmp_path) as node:
        await node.post(ENTITIES, lamp(1))
        location = await make(node)
        done = await ready(node, location)
        copy = await node.post(f"{location}/clone", {"type": "Snapshot", "id": clone})
        await ready(node, copy.headers["Location"])
        await node.post(ENTITIES, lamp(2))
        told = {**done, "id": clone, "snapshotStatus": "preparing", "work": {"cloned": ID}}
        keep = node.services.store.submit(lambda tx: tx.put_document("", "snapshot", clone, told, CAUSE))
        await asyncio.wrap_future(keep)
        await interrupt(node, done, {"ldContext": LdContext.core.source})
    async with open_services(tmp_path, Settings()) as services, running(services) as node:
        await services.snapshots.start()  # type: ignore[attr-defined]
        assert (await ready(node, f"{SNAPSHOTS}/{clone}"))["snapshotStatus"] == "success"
        copied = {"NGSILD-Snapshot": clone}
        assert len((await node.get(f"{ENTITIES}?type=Streetlight", headers=copied)).json) == 2


async def test_notification_that_waited_is_delivered_after_a_restart(tmp_path: Path) -> None:
    async with running_source() as receiver:
        async with running_node(tmp_path) as node:
            told = Announcement(endpoint=receiver.url, headers={"X-Key": "a"}, notification={"id": "urn:n:1"})
            waiting = Delivery(id="urn:n:1", tenant="", subscription=ID, seq=0, body=told, due=1)
            put = node.services.store.submit(lambda tx: tx.put_delivery(waiting))
            await asyncio.wrap_future(put)
        async with open_services(tmp_path, Settings()) as services:
            await services.subscriptions.start()  # type: ignore[attr-defined]
            work = asyncio.create_task(services.subscriptions.run())  # type: ignore[attr-defined]
            async with asyncio.timeout(20):
                while not receiver.asked or services.store.stats()["deliveriesPending"]:
                    await asyncio.sleep(0.01)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        [asked] = receiver.asked
        assert (asked.body, asked.headers["X-Key"]) == ({"id": "urn:n:1"}, "a")
        assert asked.headers["Idempotency-Key"] == "urn:n:1"


async def test_what_cannot_be_prepared_again_has_failed(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        location = await make(node)
        await interrupt(node, await ready(node, location), None)
    async with open_services(tmp_path, Settings()) as services, running(services) as node:
        await services.snapshots.start()  # type: ignore[attr-defined]
        assert (await node.get(location)).json["snapshotStatus"] == "failure"


async def test_deletion_that_a_restart_interrupted_is_brought_to_an_end(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        await node.post(ENTITIES, lamp())
        location = await make(node)
        await ready(node, location)
        gone = node.services.store.submit(lambda tx: tx.delete_document("", "snapshot", ID, CAUSE))
        await asyncio.wrap_future(gone)
        assert held(node.services) == 1
    async with open_services(tmp_path, Settings()) as services, running(services) as node:
        await services.snapshots.start()  # type: ignore[attr-defined]
        assert (await node.get(location)).status == 404
        assert tenants(services) == [""]


async def test_deleted_snapshot_leaves_no_name_once_its_end_is_known(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        await node.post(ENTITIES, lamp())
        store = node.services.store
        await asyncio.wrap_future(store.submit(lambda tx: tx.move_cursor("slow", 0)))
        location = await make(node)
        await ready(node, location)
        work = asyncio.create_task(node.services.snapshots.run())  # type: ignore[attr-defined]
        assert (await node.delete(location)).status == 204
        assert (held(node.services), tenants(node.services)) == (0, ["", snapshot_tenant("", ID)])
        await asyncio.wrap_future(store.submit(lambda tx: tx.move_cursor("slow", tx.last_seq())))
        async with asyncio.timeout(20):
            while tenants(node.services) != [""]:
                await asyncio.sleep(0.01)
        again = await make(node)
        assert (await ready(node, again))["snapshotStatus"] == "success"
        assert held(node.services) == 1
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_write_that_comes_too_late_makes_no_snapshot_again(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        location = await make(node)
        await ready(node, location)
        call = Call(tenant=snapshot_tenant("", ID), cause=CAUSE)
        entity = Entity(id="urn:ngsi-ld:Lamp:1", types=["Lamp"])
        await node.services.broker.create_entity(call, entity)
        await node.delete(location)
        with pytest.raises(ResourceNotFound, match=ID):
            await node.services.broker.create_entity(call, entity)
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "Lamp"}],
            "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}},
        }
        with pytest.raises(ResourceNotFound, match=ID):
            await node.services.subscriptions.create(call, subscription, LdContext.core)
        assert tenants(node.services) == [""]


async def test_notification_that_fails_after_its_snapshot_is_gone_makes_nothing_again(tmp_path: Path) -> None:
    here = {"NGSILD-Snapshot": ID}
    async with running_source() as receiver, running_node(tmp_path, Settings(notify_attempts=1)) as node:
        receiver.silent, receiver.status = True, 500
        subscriptions: Any = node.services.subscriptions
        await subscriptions.start()
        works = [subscriptions.run(), node.services.snapshots.run()]  # type: ignore[attr-defined]
        running_works = [asyncio.create_task(work) for work in works]
        await node.post(ENTITIES, lamp())
        location = await make(node)
        await ready(node, location)
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "Streetlight"}],
            "notification": {"endpoint": {"uri": receiver.url}},
        }
        await node.post("/ngsi-ld/v1/subscriptions", subscription, headers=here)
        change = {"powerState": {"type": "Property", "value": "off"}}
        await node.patch(f"{ENTITIES}/{lamp()['id']}/attrs", change, headers=here)
        async with asyncio.timeout(20):
            while not receiver.asked:
                await asyncio.sleep(0.01)
            await node.delete(location)
            while tenants(node.services) != [""]:
                await asyncio.sleep(0.01)
            receiver.ended.set()
            while subscriptions._deliverer._lanes:
                await asyncio.sleep(0.01)
        for work in running_works:
            work.cancel()
        # What came of the delivery is kept at the end, at the latest.
        await asyncio.gather(*running_works, return_exceptions=True)
        assert tenants(node.services) == [""]
        assert node.services.store.stats()["deliveriesDead"] == 0


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
