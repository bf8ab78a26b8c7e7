"""The SensorThings API of a real node: over HTTP, for one tenant, in the reader's language."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from cityloom.broker.ports import Action, Call
from cityloom.model.errors import Forbidden
from cityloom.model.settings import Settings
from cityloom.web.resource import NGSI_LD_ROOT
from tests.web.node import Client, open_services, running

ROOT = "/sensorthings/v1.1"
ID = "urn:ngsi-ld:AirStation:it's/1"
STATION = {
    "id": "urn:ngsi-ld:AirStation:1",
    "type": "AirStation",
    "name": {"type": "LanguageProperty", "languageMap": {"en": "North", "zh": "北"}},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-71.0, 42.0]}},
    "no2": {"type": "Property", "value": 1, "unitCode": "GQ", "observedAt": "2026-01-01T00:00:00Z"},
}


async def filled(node: Client, count: int = 5, **options: Any) -> None:
    assert (await node.post(f"{NGSI_LD_ROOT}/entities", STATION, **options)).status == 201
    for hour in range(1, count):
        no2 = {**STATION["no2"], "value": hour + 1, "observedAt": f"2026-01-01T{hour:02}:00:00Z"}  # type: ignore[dict-item]
        path = f"{NGSI_LD_ROOT}/entities/{STATION['id']}"
        assert (await node.patch(path, {"no2": no2}, **options)).status == 204


async def get(node: Client, path: str, headers: dict[str, str] | None = None, **options: str) -> Any:
    query = urlencode({f"${name}": value for name, value in options.items()})
    answer = await node.get(f"{ROOT}/{path}?{query}", headers=headers)
    assert answer.status == 200, answer.body
    return answer.json


async def test_root_tells_sets_and_conformance(node: Client) -> None:
    root = (await node.get(ROOT)).json
    assert {"name": "Things", "url": f"{node.base}{ROOT}/Things"} in root["value"]
    for each in root["value"]:
        assert (await node.get(each["url"])).json == {"value": []}
    assert (
        "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data"
        in root["serverSettings"]["conformance"]
    )


async def test_links_of_answers_are_whole_and_lead_there(node: Client) -> None:
    await filled(node)
    thing = (await get(node, "Things"))["value"][0]
    assert (await node.get(thing["@iot.selfLink"])).json == thing
    datastream = (await node.get(thing["Datastreams@iot.navigationLink"])).json["value"][0]
    link = datastream["Observations@iot.navigationLink"] + "?$top=2&$orderby=phenomenonTime%20desc"
    results = []
    while link:
        page = (await node.get(link)).json
        results += [row["result"] for row in page["value"]]
        link = page.get("@iot.nextLink", "")
    assert results == [5, 4, 3, 2, 1]


async def test_ids_with_quotes_and_slashes_are_found(node: Client) -> None:
    await node.post(f"{NGSI_LD_ROOT}/entities", {**STATION, "id": ID})
    thing = (await get(node, "Things"))["value"][0]
    assert (await node.get(thing["@iot.selfLink"])).json["@iot.id"] == ID
    for spelt in (quote(ID.replace("'", "''"), safe=""), ID.replace("'", "''")):
        assert (await get(node, f"Things('{spelt}')/name")) == {"name": "North"}
    encoded = quote(f"'{ID.replace(chr(39), chr(39) * 2)}'", safe="")
    assert (await get(node, f"Things({encoded})"))["@iot.id"] == ID
    row = (await get(node, "Observations"))["value"][0]
    assert (await node.get(row["@iot.selfLink"])).json == row


async def test_value_is_plain_text_and_a_missing_one_204(node: Client) -> None:
    await filled(node, 1)
    path = f"{ROOT}/Things('{STATION['id']}')"
    answer = await node.get(f"{path}/name/$value")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (
        200,
        b"North",
        "text/plain; charset=utf-8",
    )
    row = (await get(node, "Observations"))["value"][0]
    assert (await node.get(f"{row['@iot.selfLink']}/parameters")).status == 204
    assert (await node.get(f"{row['@iot.selfLink']}/result/$value")).body == b"1"


async def test_names_are_in_the_language_of_the_reader(node: Client) -> None:
    await filled(node, 1)
    found = await get(node, "Things", headers={"Accept-Language": "zh-CN,en;q=0.5"}, select="name")
    assert found["value"] == [{"name": "北"}]
    odd = await get(node, "Things", headers={"Accept-Language": ";;"}, select="name")
    assert odd["value"] == [{"name": "North"}]


async def test_tenants_are_kept_apart(node: Client) -> None:
    await filled(node, 2, headers={"NGSILD-Tenant": "other"})
    assert (await get(node, "Things"))["value"] == []
    assert len((await get(node, "Observations", headers={"NGSILD-Tenant": "other"}))["value"]) == 2
    answer = await node.get(f"{ROOT}/Things", headers={"NGSILD-Tenant": "none"})
    assert (answer.status, answer.problem) == (404, "NonexistentTenant")


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        ("Things?$filter=colour%20eq%201", 400, "BadRequestData"),
        ("Things?filter=name", 400, "InvalidRequest"),
        ("Things?$top=1&$top=2", 400, "InvalidRequest"),
        ("Things?$filter=Datastreams/any(d:d/name%20eq%20'x')", 501, "NotBuilt"),
        ("Cars", 404, "ResourceNotFound"),
        ("Things('urn:x:1')", 404, "ResourceNotFound"),
        ("Things('%ff')", 400, "InvalidRequest"),
        ("Things(1)/Datastreams", 404, "ResourceNotFound"),
    ],
)
async def test_refusals_are_problem_documents(node: Client, path: str, status: int, problem: str) -> None:
    answer = await node.get(f"{ROOT}/{path}")
    assert (answer.status, answer.problem) == (status, problem)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["", "/Things", "/Things('urn:x:1')"])
async def test_the_view_is_for_reading(node: Client, path: str) -> None:
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        answer = await node.ask(method, ROOT + path, {} if method != "DELETE" else None)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_a_page_is_no_longer_than_the_node_allows(node: Client) -> None:
    await filled(node, 2)
    assert len((await get(node, "Observations", top="100000000"))["value"]) == 2
    assert (await get(node, "Observations", top="0", count="true")) == {"@iot.count": 2, "value": []}


class MapOnly:
    """Nobody may read history, and the party `stranger` nothing."""

    def check(self, call: Call, action: Action, resource: str = "") -> None:
        if call.party == "stranger" or resource == "history":
            raise Forbidden(f"party {call.party} may not {action} {resource}")


async def test_who_may_not_read_is_refused(node: Client, tmp_path: Path) -> None:
    answer = await node.get(f"{ROOT}/Things", headers={"X-API-Key": "wrong"})
    assert (answer.status, answer.problem) == (401, "Unauthorized")
    (tmp_path / "other").mkdir()
    async with (
        open_services(tmp_path / "other", Settings()) as services,
        running(replace(services, access=MapOnly())) as client,
    ):
        assert (await client.get(ROOT)).status == 200
        assert (await client.get(ROOT, headers={"X-API-Key": "stranger"})).status == 403
        for path in ("Things", "Observations", "Things('urn:x:1')"):
            assert (await client.get(f"{ROOT}/{path}")).problem == "Forbidden"
