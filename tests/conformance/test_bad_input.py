"""Bad input: a clear problem document, the right status, nothing stored, the process alive."""

from pathlib import Path

import pytest

from cityloom.model.settings import Settings
from tests.conformance.data import BATCH, ENTITIES, TEMPORAL, lamp
from tests.web.node import Client, running_node

JSON = {"Content-Type": "application/json"}
PATHS = [
    ("POST", ENTITIES),
    ("PUT", f"{ENTITIES}/{lamp()['id']}"),
    ("PATCH", f"{ENTITIES}/{lamp()['id']}"),
    ("POST", f"{ENTITIES}/{lamp()['id']}/attrs"),
    ("PATCH", f"{ENTITIES}/{lamp()['id']}/attrs/a"),
    ("POST", f"{BATCH}/create"),
    ("POST", f"{BATCH}/query"),
    ("POST", TEMPORAL),
    ("POST", "/ngsi-ld/v1/subscriptions"),
    ("POST", "/push/none"),
    ("PUT", "/schemas/A"),
]
BODIES = [
    (b"", 400, "InvalidRequest"),
    (b"{", 400, "InvalidRequest"),
    (b'{"id": "urn:a:1", "type": "A", "a": NaN}', 400, "InvalidRequest"),
    (b'{"id": "urn:a:1", "type": "A", "a": Infinity}', 400, "InvalidRequest"),
    (b'{"id": "urn:a:\xff", "type": "A"}', 400, "InvalidRequest"),
    (b'{"id": "urn:a:1", "type": "A", "a": 1e999}', 400, "BadRequestData"),
    (b'{"id": "urn:a:1", "type": "A", "a": 99999999999999999999}', 400, "BadRequestData"),
    (b"7", 400, "BadRequestData"),
    (b"[" * 100_000, 413, "PayloadTooLarge"),
    (b'{"a":' * 100_000, 413, "PayloadTooLarge"),
    (b"[" * 200 + b"]" * 200, 413, "PayloadTooLarge"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_bad_body_is_refused_everywhere_and_the_node_lives(
    node: Client, method: str, path: str
) -> None:
    for raw, status, problem in BODIES:
        answer = await node.ask(method, path, raw=raw, headers=JSON)
        assert (answer.status, answer.problem) == (status, problem), raw[:60]
        assert answer.json["detail"]
    assert (await node.get(f"{ENTITIES}?local=true")).json == []
    assert (await node.get("/health")).status == 200


async def test_body_over_the_limit_answers_413(tmp_path: Path) -> None:
    async with running_node(tmp_path, Settings(max_body_bytes=1000)) as node:
        answer = await node.post(ENTITIES, lamp(text={"type": "Property", "value": "x" * 1000}))
        assert (answer.status, answer.problem) == (413, "PayloadTooLarge")
        assert (await node.post(ENTITIES, lamp())).status == 201


async def test_duplicate_key_lets_the_last_win(node: Client) -> None:
    raw = b'{"id": "urn:a:1", "type": "A", "a": {"value": 1}, "a": {"value": 2}}'
    assert (await node.post(ENTITIES, raw=raw, headers=JSON)).status == 201
    assert (await node.get(f"{ENTITIES}/urn:a:1?options=keyValues")).json["a"] == 2


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1]]]},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": [200, 0]},
        {"type": "Circle", "coordinates": [0, 0]},
        {"type": "LineString", "coordinates": [[0, 0]]},
        {"type": "Point"},
    ],
)
async def test_invalid_geometry_answers_400(node: Client, geometry: dict[str, object]) -> None:
    answer = await node.post(ENTITIES, lamp(location={"type": "GeoProperty", "value": geometry}))
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_limits_of_strings_urls_and_vertices_are_settings(tmp_path: Path) -> None:
    async with running_node(tmp_path, Settings(max_string=100, max_url=200, max_vertices=5)) as node:
        line = {"type": "LineString", "coordinates": [[0, number / 10] for number in range(6)]}
        for entity in (
            lamp(text={"type": "Property", "value": "x" * 101}),
            {"id": "urn:a:" + "x" * 200, "type": "A"},
            lamp(location={"type": "GeoProperty", "value": line}),
        ):
            answer = await node.post(ENTITIES, entity)
            assert answer.status in (400, 413), entity
        assert (await node.get(f"{ENTITIES}/urn:a:" + "x" * 300)).status == 413
        assert (await node.get(f"{ENTITIES}?local=true")).json == []


@pytest.mark.parametrize("number", [10, 1000])
async def test_deep_query_is_refused_and_the_node_lives(node: Client, number: int) -> None:
    q = "(" * number + "a" + ")" * number
    answer = await node.get(ENTITIES, params={"q": q})
    assert answer.status in (200, 400, 403)
    assert (await node.get("/health")).status == 200


@pytest.mark.parametrize(
    "path", ["/ngsi-ld/v1/entities/%FF", "/ngsi-ld/v1/types/%C3%28", "/lineage/%00", "/%2e/x"]
)
async def test_strange_path_is_refused(node: Client, path: str) -> None:
    assert (await node.get(path)).status in (400, 404)
