"""Our own API: the city, its layers, lineage, schemas, sources, personal data, health, meters."""

import asyncio
import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from cityloom.access.keys import CITY, KeyAccess, Keys
from cityloom.app import Node
from cityloom.broker.ports import Call
from cityloom.connect.mapping import mapping_of
from cityloom.connect.run import Importer
from cityloom.connect.sources import Sources
from cityloom.folder import CityFolder
from cityloom.model.clock import SystemClock
from cityloom.model.entity import Entity
from cityloom.model.errors import StoreFailed, StoreUnreachable
from cityloom.model.events import Cause
from cityloom.model.settings import Settings
from cityloom.web.page import STATIC
from tests.web.node import Client, open_services, running

ENTITIES = "/ngsi-ld/v1/entities"
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"


def tree(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Tree:{number}",
        "type": "Tree",
        "name": {"type": "Property", "value": f"Tree {number}"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [number / 10, 1]}},
        **more,
    }


@pytest.fixture
async def park(node: Client) -> Client:
    for number in range(5):
        assert (await node.post(ENTITIES, tree(number))).status == 201
    await node.post(ENTITIES, {"id": "urn:ngsi-ld:Rule:1", "type": "Rule", "text": {"value": "no fire"}})
    return node


async def test_describe_city_tells_where_the_log_stands(park: Client) -> None:
    found = (await park.get("/city")).json
    assert (found["name"], found["center"], found["bbox"]) == ({"en": "Testville"}, [-71.06, 42.36], None)
    assert (found["seq"], found["datum"], found["groups"]) == (6, "WGS 84", [])
    # The page names a file whole only where the node puts all of it into one answer.
    assert found["itemsMax"] == park.services.settings.items_max
    assert found["cases"] is True


async def test_groups_of_layers_have_the_names_that_the_layers_have(tmp_path: Path) -> None:
    profile = tmp_path / "p"
    profile.mkdir()
    (profile / "profile.yaml").write_text(
        "name: p\ncenter: [1, 2]\ncontext: {Lamp: 'https://example.org/Lamp'}\n"
        "groups: [{id: light, title: {en: Light}, types: [Lamp, Streetlight]}]\n"
    )
    (tmp_path / "city.yaml").write_text("profile: p\n")
    node = Node(CityFolder(tmp_path), Settings(), SystemClock())
    (group,) = node.city().groups
    assert group == {
        "id": "light",
        "title": {"en": "Light"},
        "types": ["https://example.org/Lamp", "Streetlight"],
    }
    await node.outgoing.close()
    node.close()


async def test_list_layers_tells_kind_box_and_attributes(park: Client) -> None:
    layers = {each["type"]: each for each in (await park.get("/map/layers")).json}
    assert layers.keys() == {"Tree", "Rule"}
    assert (layers["Tree"]["typeIri"], layers["Tree"]["count"]) == (DEFAULT + "Tree", 5)
    assert (layers["Tree"]["geometry"], layers["Rule"]["geometry"]) == ("Point", None)
    assert layers["Tree"]["bbox"] == pytest.approx([0, 1, 0.4, 1])
    assert layers["Tree"]["usualBbox"] == layers["Tree"]["bbox"]
    assert (layers["Tree"]["noPlace"], layers["Rule"]["noPlace"]) == (0, layers["Rule"]["count"])
    far = {
        "id": "urn:a:far",
        "type": "Tree",
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-150, -60]}},
    }
    nowhere = {"id": "urn:a:nowhere", "type": "Tree"}
    assert (await park.post(ENTITIES, far)).status == 201
    assert (await park.post(ENTITIES, nowhere)).status == 201
    after = {each["type"]: each for each in (await park.get("/map/layers")).json}["Tree"]
    assert after["bbox"] == pytest.approx([-150, -60, 0.4, 1])
    assert after["usualBbox"] == pytest.approx(layers["Tree"]["bbox"])
    assert after["noPlace"] == 1
    assert layers["Tree"]["attributes"] == ["location", "name"]
    assert layers["Tree"]["lastModified"].endswith("Z")


async def test_lineage_leads_from_a_value_to_the_request_that_wrote_it(node: Client) -> None:
    await node.post(ENTITIES, tree(1), headers={"X-Request-Id": "planting"})
    body = {"name": {"type": "Property", "value": "Old oak"}}
    headers = {"X-Request-Id": "naming", "X-API-Key": "forester"}
    await node.patch(f"{ENTITIES}/{tree(1)['id']}/attrs", body, headers=headers)
    found = (await node.get(f"/lineage/{tree(1)['id']}/attrs/name")).json
    instances = [each for each in found["entity"].values() if each["prov:type"] == "ngsi-ld:Property"]
    assert [each["prov:value"] for each in instances] == ["Old oak"]
    (activity,) = found["activity"]
    assert "naming" in activity
    assert found["activity"][activity]["cityloom:operation"] == "updateAttributes"
    assert [each["prov:label"] for each in found["agent"].values()] == ["forester"]
    generated = next(iter(found["wasGeneratedBy"].values()))
    assert generated["prov:activity"] == activity
    whole = (await node.get(f"/lineage/{tree(1)['id']}")).json
    assert len(whole["activity"]) == 2
    both = (await node.get(f"/lineage/{tree(1)['id']}/attrs/name?lastN=5")).json
    assert len(both["wasGeneratedBy"]) == 2


async def test_lineage_answers_404_when_there_is_none(park: Client) -> None:
    for path in (
        "/lineage/urn:a:none",
        f"/lineage/{tree(1)['id']}/attrs/none",
        "/lineage/urn:a:none/attrs/a",
    ):
        assert (await park.get(path)).status == 404, path


async def test_schema_refuses_data_that_breaks_it(node: Client) -> None:
    schema = {"type": "object", "required": ["name"], "properties": {"height": {"type": "number"}}}
    assert (await node.put("/schemas/Tree", schema)).status == 201
    assert (await node.put("/schemas/Tree", schema)).status == 204
    assert (await node.get("/schemas")).json == [{"type": "Tree", "typeIri": DEFAULT + "Tree"}]
    assert (await node.get("/schemas/Tree")).json == schema
    answer = await node.post(ENTITIES, tree(1, height={"type": "Property", "value": "tall"}))
    assert (answer.status, "height" in answer.json["detail"]) == (400, True)
    assert (await node.delete("/schemas/Tree")).status == 204
    assert (await node.get("/schemas/Tree")).status == 404
    assert (await node.put("/schemas/Tree", {"type": 7})).status == 400


async def test_personal_data_are_read_for_a_purpose_and_erased(node: Client) -> None:
    await node.post(ENTITIES, tree(1))
    call = Call(cause=Cause(kind="system", id="system:test"))
    await node.services.personal.put(call, tree(1)["id"], {"phone": "555"})
    path = f"/personal/{tree(1)['id']}"
    assert (await node.get(path)).status == 400
    assert (await node.get(f"{path}?purpose=call%20back")).json == {"phone": "555"}
    readings = (await node.get(f"{path}/readings")).json
    assert [each["purpose"] for each in readings][-1] == "call back"
    assert (await node.delete(path)).status == 204
    assert (await node.get(f"{path}?purpose=again")).status == 404


async def test_sources_of_a_city_without_any(node: Client) -> None:
    assert (await node.get("/sources")).json == []
    for path in ("/sources/none", "/sources/none/runs", "/sources/none/rejects"):
        assert (await node.get(path)).status == 404
    assert (await node.post("/push/none", {"a": 1})).status == 404
    assert (await node.post("/push/none", [1])).status == 400


async def test_rejected_rows_are_looked_at_and_kept_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n" + ",\n" * 5)
    mapping = mapping_of(
        {"source": "a.b", "format": "csv", "path": "a.csv", "entity": {"id": "urn:a:{id}", "type": "A"}},
        "a.yaml",
    )
    async with open_services(tmp_path, Settings()) as services:
        importer: Importer = services.sources.importer  # type: ignore[attr-defined]
        sources = Sources(importer, [mapping], services.access)
        async with running(dataclasses.replace(services, sources=sources)) as node:
            empty = await node.get("/sources/a.b/rejects")
            assert (empty.status, empty.body) == (200, b"")
            await importer.run(mapping, tmp_path)
            (source,) = (await node.get("/sources")).json
            assert (source["rejected"], source["report"]["read"], source["live"]) == (5, 6, False)
            first = (await node.get("/sources/a.b/rejects?limit=2")).json
            assert (first["total"], first["run"]) == (5, "urn:ngsi-ld:ImportRun:a.b:1")
            assert [(each["row"], bool(each["reason"])) for each in first["rejects"]] == [
                (2, True),
                (3, True),
            ]
            file = await node.get("/sources/a.b/rejects")
            assert file.headers["Content-Type"] == "application/jsonl"
            assert file.headers["Content-Disposition"] == 'attachment; filename="a.b-rejects-1.jsonl"'
            assert len(file.body.splitlines()) == 5
            for limit in ("0", "1001", "all"):
                assert (await node.get(f"/sources/a.b/rejects?limit={limit}")).status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/push/none"), ("POST", "/subscriptions/dead/replay"), ("PUT", "/schemas/A")],
)
async def test_body_that_is_not_told_to_be_json_is_refused(node: Client, method: str, path: str) -> None:
    answer = await node.ask(method, path, raw=b"{}", headers={"Content-Type": "text/plain"})
    assert (answer.status, answer.problem) == (415, "UnsupportedMediaType")


async def test_dead_letters_of_a_city_without_any(node: Client) -> None:
    assert (await node.get("/subscriptions/dead")).json == []
    for body in ({}, {"ids": ["urn:a:1"], "all": True}, {"all": False}, {"all": "yes"}):
        assert (await node.post("/subscriptions/dead/replay", body)).status == 400
    assert (await node.post("/subscriptions/dead/replay", {"all": True})).json == {"replayed": []}
    assert (await node.post("/subscriptions/dead/replay", {"subscriptionId": "urn:a:1"})).json == {
        "replayed": []
    }


async def test_health_and_metrics(park: Client) -> None:
    health = await park.get("/health")
    assert (health.status, health.json["status"]) == (200, "ok")
    text = (await park.get("/metrics")).body.decode()
    assert 'cityloom_requests_total{operation="createEntity",status="201"} 6.0' in text
    assert "cityloom_store_entities 6.0" in text
    assert "cityloom_event_listeners 0.0" in text


@pytest.mark.parametrize(("failure", "writable"), [(StoreUnreachable, 0), (StoreFailed, 1)])
async def test_metrics_of_a_store_that_cannot_be_read_are_what_the_process_counts(
    park: Client, monkeypatch: pytest.MonkeyPatch, failure: type[StoreFailed], writable: int
) -> None:
    def away() -> None:
        raise failure("the store failed: the connection was lost")

    monkeypatch.setattr(park.services.store, "stats", away)
    answer = await park.get("/metrics")
    assert answer.status == 200
    text = answer.body.decode()
    assert f"\ncityloom_store_writable {writable}.0\n" in text
    assert "cityloom_store_commits" in text
    assert 'cityloom_requests_total{operation="createEntity",status="201"} 6.0' in text
    assert "cityloom_store_entities" not in text


async def test_node_tells_how_it_is_doing(park: Client) -> None:
    found = (await park.get("/node")).json
    assert (found["store"]["entities"], found["log"]) == (6, {"firstSeq": 1, "lastSeq": 6})
    assert found["store"]["fileBytes"] + found["store"]["walBytes"] > 0
    assert (found["deliveries"], found["listeners"]) == (
        {"pending": 0, "dead": 0, "dropped": 0},
        0,
    )
    assert (found["consumers"], found["started"] < found["now"]) == ([], True)
    await asyncio.wrap_future(park.services.store.submit(lambda tx: tx.move_cursor("reader", 4)))
    async with park.session.get(f"{park.base}/events") as stream:
        await stream.content.readline()
        found = (await park.get("/node")).json
    assert (found["consumers"], found["listeners"]) == ([{"name": "reader", "cursor": 4, "lag": 2}], 1)


async def test_subscriptions_of_an_object_that_does_not_exist(park: Client) -> None:
    assert (await park.get("/map/objects/urn:none/subscriptions")).status == 404
    assert (await park.get(f"/map/objects/{tree(1)['id']}/subscriptions")).json == []


async def test_the_public_sees_the_map_and_its_past_but_not_the_node(tmp_path: Path) -> None:
    async with open_services(tmp_path, Settings()) as services:
        keys = Keys(tmp_path / "keys.json", services.clock)
        access = KeyAccess(keys, open_node=False, public_read=True)
        call = Call(party=CITY, cause=Cause(kind="system", id="system:test"))
        await services.broker.create_entity(call, Entity(id="urn:a:1", types=[DEFAULT + "A"]))
        public = dataclasses.replace(services, access=access, identify=lambda headers: "")
        async with running(public) as node:
            for path in ("/map/state?type=A&at=2026-01-01T00:00:00Z", "/map/layers/A/summary?attribute=b"):
                assert (await node.get(path)).status == 200, path
            assert (await node.get("/node")).status == 401
        shut = dataclasses.replace(public, access=KeyAccess(keys, open_node=False, public_read=False))
        async with running(shut) as node:
            for path in ("/map/state", "/map/changes", "/map/areas", "/map/layers/A/summary", "/node"):
                assert (await node.get(path)).status == 401, path


async def test_page_is_served_under_a_strict_policy_or_says_that_it_is_not_built(node: Client) -> None:
    answer = await node.get("/")
    if (STATIC / "index.html").is_file():
        policy = answer.headers["Content-Security-Policy"]
        assert (answer.status, "default-src 'none'" in policy) == (200, True)
        script = next(path for path in (STATIC / "assets").iterdir() if path.suffix in (".js", ".mjs"))
        asset = await node.get(f"/assets/{script.name}")
        assert (asset.status, "immutable" in asset.headers["Cache-Control"]) == (200, True)
    else:
        assert (answer.status, b"make page" in answer.body) == (503, True)
    assert (await node.get("/assets/none.js")).status == 404
    assert (await node.get("/assets/..%2f..%2fnode.py")).status == 404


async def test_unknown_path_answers_a_problem(node: Client) -> None:
    answer = await node.get("/nothing")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")


async def test_failed_check_makes_health_fail(tmp_path: Path) -> None:
    async def broken() -> None:
        raise OSError("the disk is gone")

    async with (
        open_services(tmp_path, Settings()) as services,
        running(dataclasses.replace(services, checks={"disk": broken})) as node,
    ):
        health = await node.get("/health")
    assert (health.status, health.json["checks"]) == (
        503,
        {"disk": "failed", "writing": "ok", "history": "ok"},
    )


async def test_history_whose_tables_are_away_is_told_by_reads_and_by_health(
    node: Client, tmp_path: Path
) -> None:
    level = {"type": "Property", "value": 1, "observedAt": "2026-01-01T00:00:00Z"}
    assert (await node.post(ENTITIES, {"id": "urn:a:1", "type": "A", "level": level})).status == 201
    cold = node.services.store.cold
    assert cold is not None
    assert await asyncio.to_thread(cold.move, node.services.clock.now()) == 1
    past = "/ngsi-ld/v1/temporal/entities/urn:a:1"
    health = (await node.get("/health")).json
    assert (health["status"], health["checks"]["history"]) == ("ok", "ok")
    os.replace(tmp_path / "history", tmp_path / "away")
    answer = await node.get(past)
    assert (answer.status, answer.problem) == (503, "HistoryUnreachable")
    assert answer.json["title"] == "The history cannot be read"
    assert answer.headers["Retry-After"] == "1"
    told = await node.get("/health")
    assert (told.status, told.json["status"]) == (200, "partial")
    assert told.json["checks"] == {"writing": "ok", "history": "failed"}
    assert (await node.get(f"{ENTITIES}/urn:a:1")).status == 200
    os.replace(tmp_path / "away", tmp_path / "history")
    assert [one["value"] for one in (await node.get(past)).json["level"]] == [1]
    assert (await node.get("/health")).json["status"] == "ok"


async def test_answers_are_not_kept_waiting_by_a_client_that_sends_slowly(park: Client) -> None:
    async def slow():  # type: ignore[no-untyped-def]
        yield b'{"id":'
        assert (await park.get("/city")).status == 200
        yield b'"urn:a:slow","type":"A"}'

    headers = {"Content-Type": "application/json", "Content-Length": "30"}
    async with park.session.post(park.base + ENTITIES, data=slow(), headers=headers) as answer:
        assert answer.status == 201
