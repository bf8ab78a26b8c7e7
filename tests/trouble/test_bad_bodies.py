"""Bodies that are malformed, wrong, too large, too deep or too many: refused whole, nothing stored."""

import json
from typing import Any

import pytest

from tests.nodes import NodeProcess
from tests.trouble.asking import API, BATCH, ENTITIES, ask, is_well, memory, say, stored
from tests.trouble.asking import head as head_of

MEGABYTE = 1024 * 1024


def entity(**members: Any) -> dict[str, Any]:
    return {"id": "urn:bad:1", "type": "Bad", **members}


def placed(geometry: Any) -> dict[str, Any]:
    return entity(location={"type": "GeoProperty", "value": geometry})


def joined(piece: bytes, count: int) -> bytes:
    return b",".join([piece] * count)


MALFORMED = {
    "empty": b"",
    "cut": b'{"id": "urn:bad:1", "type": "Bad", "a": ',
    "NaN": b'{"id": "urn:bad:1", "type": "Bad", "a": NaN}',
    "Infinity": b'{"id": "urn:bad:1", "type": "Bad", "a": -Infinity}',
    "single quotes": b"{'id': 'urn:bad:1'}",
    "comment": b'{"id": "urn:bad:1", /* it */ "type": "Bad"}',
    "trailing comma": b'{"id": "urn:bad:1", "type": "Bad",}',
    "two documents": b'{"id": "urn:bad:1", "type": "Bad"} {}',
    "no UTF-8": b'{"id": "urn:bad:1", "type": "Bad", "a": "\xff\xfe"}',
    "UTF-16": '{"id": "urn:bad:1", "type": "Bad"}'.encode("utf-16"),
    "half a surrogate pair": b'{"id": "urn:bad:1", "type": "Bad", "a": "\\ud800"}',
    "control character": b'{"id": "urn:bad:1", "type": "Bad", "a": "\x01"}',
}

TOO_MUCH = {
    "100,000 open arrays": b"[" * 100_000,
    "100,000 arrays": b'{"id":"urn:bad:1","type":"Bad","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "100,000 open objects": b'{"a":' * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "100,000 concise attributes": b'{"id":"urn:bad:1","type":"Bad",'
    + b'"a":{"value":1,' * 100_000
    + b'"b":1'
    + b"}" * 100_001,
    "65 levels": b'{"id":"urn:bad:1","type":"Bad","a":' + b"[" * 64 + b"]" * 64 + b"}",
    "ten million values": b'{"id":"urn:bad:1","type":"Bad","a":{"value":['
    + joined(b"{}", 10_000_000)
    + b"]}}",
    "over the limit of bytes": b'{"id":"urn:bad:1","type":"Bad","a":"' + b"x" * (32 * MEGABYTE) + b'"}',
}

WRONG: dict[str, Any] = {
    "a number": 7,
    "an array": [entity()],
    "no id": {"type": "Bad"},
    "no type": {"id": "urn:bad:1"},
    "id is a number": {"id": 5, "type": "Bad"},
    "id is no URI": {"id": "bad", "type": "Bad"},
    "type is empty": {"id": "urn:bad:1", "type": []},
    "type is mixed": {"id": "urn:bad:1", "type": ["Bad", 5]},
    "scope is a number": entity(scope=5),
    "scope has empty parts": entity(scope="/a//b"),
    "name is empty": entity(**{"": {"value": 1}}),
    "name has a space": entity(**{"a b": {"value": 1}}),
    "name is a script": entity(**{"<script>": {"value": 1}}),
    "name is too long": entity(**{"a" * 10_000: {"value": 1}}),
    "string is too long": entity(a="x" * 1_000_001),
    "null": entity(a=None),
    "null within": entity(a={"value": {"b": None}}),
    "no such kind": entity(a={"type": "Propertee", "value": 1}),
    "kind is an array": entity(a={"type": ["Property"], "value": 1}),
    "no value": entity(a={"type": "Property"}),
    "object is a number": entity(a={"type": "Relationship", "object": 5}),
    "object is no URI": entity(a={"type": "Relationship", "object": "not a uri"}),
    "languageMap is a string": entity(a={"type": "LanguageProperty", "languageMap": "x"}),
    "language is none": entity(a={"type": "LanguageProperty", "languageMap": {"e n": "x"}}),
    "vocab is a number": entity(a={"type": "VocabProperty", "vocab": 5}),
    "valueList is no array": entity(a={"type": "ListProperty", "valueList": 5}),
    "objectList holds a number": entity(a={"type": "ListRelationship", "objectList": [5]}),
    "json is missing": entity(a={"type": "JsonProperty"}),
    "observedAt is a word": entity(a={"value": 1, "observedAt": "yesterday"}),
    "observedAt is no day": entity(a={"value": 1, "observedAt": "2026-13-45T00:00:00Z"}),
    "observedAt has no zone": entity(a={"value": 1, "observedAt": "2026-01-01T00:00:00"}),
    "unitCode is a number": entity(a={"value": 1, "unitCode": 5}),
    "datasetId is no URI": entity(a={"value": 1, "datasetId": "x y"}),
    "two instances of one dataset": entity(a=[{"value": 1}, {"value": 2}]),
    "expiresAt is a number": entity(expiresAt=5),
    "10,001 attributes": entity(**{f"a{number}": number for number in range(10_001)}),
    "10,001 instances": entity(a=[{"value": 1, "datasetId": f"urn:d:{n}"} for n in range(10_001)]),
    "10,001 types": {"id": "urn:bad:1", "type": [f"T{number}" for number in range(10_001)]},
    "10,001 scopes": entity(scope=[f"/s{number}" for number in range(10_001)]),
}

NUMBERS = [b"1e999", b"-1e999", b"99999999999999999999", b"-99999999999999999999", b"1" * 5000]

GEOMETRIES: dict[str, Any] = {
    "a number": 5,
    "a word": "POINT(1 2)",
    "an empty object": {},
    "no coordinates": {"type": "Point"},
    "null": {"type": "Point", "coordinates": None},
    "an empty position": {"type": "Point", "coordinates": []},
    "one coordinate": {"type": "Point", "coordinates": [1]},
    "five coordinates": {"type": "Point", "coordinates": [1, 2, 3, 4, 5]},
    "words": {"type": "Point", "coordinates": ["1", "2"]},
    "truth values": {"type": "Point", "coordinates": [True, False]},
    "nested too deep": {"type": "Point", "coordinates": [[1, 2]]},
    "off the globe": {"type": "Point", "coordinates": [1, 91]},
    "huge": {"type": "Point", "coordinates": [1e308, 1e308]},
    "no such type": {"type": "Circle", "coordinates": [0, 0]},
    "a feature": {"type": "Feature", "geometry": None},
    "a collection": {"type": "GeometryCollection", "geometries": []},
    "line of one point": {"type": "LineString", "coordinates": [[0, 0]]},
    "line with a word in it": {"type": "LineString", "coordinates": [[1, 2], "x"]},
    "ring that is open": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1]]]},
    "ring of three": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]},
    "an empty ring": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 0]], []]},
    "ring where rings should be": {"type": "MultiPolygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 0]]]},
    "nothing of many": {"type": "MultiPoint", "coordinates": []},
    "200,001 vertices": {"type": "LineString", "coordinates": [[n / 2e6, 0] for n in range(200_001)]},
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_malformed_json_answers_400_and_stores_nothing(node: NodeProcess, case: str) -> None:
    before = await stored(node)
    for path in (ENTITIES, f"{BATCH}/create", f"{API}/temporal/entities", "/push/none"):
        answer = await ask(node, "POST", path, raw=MALFORMED[case])
        assert (answer.status, answer.problem) == (400, "InvalidRequest"), path
    assert await stored(node) == before


@pytest.mark.parametrize("case", TOO_MUCH)
async def test_too_much_answers_413_stores_nothing_and_costs_little(node: NodeProcess, case: str) -> None:
    before, held = await stored(node), memory(node)
    answer = await ask(node, "POST", ENTITIES, raw=TOO_MUCH[case])
    assert (answer.status, answer.problem) == (413, "PayloadTooLarge")
    assert await stored(node) == before
    assert memory(node) - held < 150 * MEGABYTE
    assert await is_well(node)


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_entity_answers_400_and_stores_nothing(node: NodeProcess, case: str) -> None:
    before = await stored(node)
    answer = await ask(node, "POST", ENTITIES, WRONG[case])
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert await stored(node) == before


@pytest.mark.parametrize("number", NUMBERS)
async def test_number_beyond_what_can_be_kept_answers_400(node: NodeProcess, number: bytes) -> None:
    before = await stored(node)
    raw = b'{"id": "urn:bad:1", "type": "Bad", "a": {"value": [' + number + b"]}}"
    answer = await ask(node, "POST", ENTITIES, raw=raw)
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert await stored(node) == before


@pytest.mark.parametrize("case", GEOMETRIES)
async def test_invalid_geometry_answers_400_and_stores_nothing(node: NodeProcess, case: str) -> None:
    before = await stored(node)
    answer = await ask(node, "POST", ENTITIES, placed(GEOMETRIES[case]))
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert "location" in answer.json["detail"]
    assert await stored(node) == before


@pytest.mark.parametrize(
    ("operation", "member"),
    [("create", b"{}"), ("upsert", b'{"id":"urn:bad:1","type":"Bad"}'), ("delete", b'"urn:bad:1"')],
)
async def test_batch_of_a_million_is_refused_and_costs_little(
    node: NodeProcess, operation: str, member: bytes
) -> None:
    before, held = await stored(node), memory(node)
    answer = await ask(node, "POST", f"{BATCH}/{operation}", raw=b"[" + joined(member, 1_000_000) + b"]")
    assert (answer.status, answer.problem) == (413, "PayloadTooLarge")
    assert await stored(node) == before
    assert memory(node) - held < 250 * MEGABYTE
    assert await is_well(node)


async def test_batch_answers_item_by_item(node: NodeProcess) -> None:
    good = {"id": "urn:batch:good", "type": "Batch", "a": 1}
    members = [
        good,
        {"id": "urn:batch:kind", "type": "Batch", "a": {"type": "Relationship", "object": 5}},
        {"id": "no uri", "type": "Batch"},
        "a word",
        {"id": "urn:batch:place", "type": "Batch", "location": {"type": "GeoProperty", "value": 5}},
        {"id": "urn:batch:good", "type": "Batch", "a": 2},
    ]
    before, _ = await stored(node)
    answer = await ask(node, "POST", f"{BATCH}/create", members)
    assert answer.status == 207
    assert answer.json["success"] == ["urn:batch:good"]
    failed = [(error["entityId"], error["error"]["status"]) for error in answer.json["errors"]]
    assert sorted(failed) == [
        ("", 400),
        ("no uri", 400),
        ("urn:batch:good", 409),
        ("urn:batch:kind", 400),
        ("urn:batch:place", 400),
    ]
    assert (await stored(node))[0] == before + 1
    kept = await ask(node, "GET", f"{ENTITIES}/urn:batch:good?options=keyValues")
    assert kept.json == good
    assert (await ask(node, "DELETE", f"{ENTITIES}/urn:batch:good")).status == 204


async def test_duplicate_key_lets_the_last_win(node: NodeProcess) -> None:
    raw = b'{"id":"urn:t:0","id":"urn:t:1","type":"Twice","a":{"value":1,"value":2},"b":1,"b":{"value":3}}'
    assert (await ask(node, "POST", ENTITIES, raw=raw)).status == 201
    kept = (await ask(node, "GET", f"{ENTITIES}/urn:t:1?options=keyValues")).json
    assert (kept["a"], kept["b"]) == (2, 3)
    assert (await ask(node, "DELETE", f"{ENTITIES}/urn:t:1")).status == 204


@pytest.mark.parametrize("levels", [30, 60])
async def test_deep_concise_form_within_the_limit_comes_back_as_it_was(
    node: NodeProcess, levels: int
) -> None:
    deep: Any = {"value": 1}
    for level in range(levels):
        deep = {"value": level, "sub": deep}
    assert (await ask(node, "POST", ENTITIES, {"id": "urn:deep:1", "type": "Deep", "a": deep})).status == 201
    kept = (await ask(node, "GET", f"{ENTITIES}/urn:deep:1?format=concise")).json["a"]
    assert json.dumps(kept).count("sub") == levels
    assert (await ask(node, "DELETE", f"{ENTITIES}/urn:deep:1")).status == 204


async def test_chunked_body_without_a_length_answers_411_unread(node: NodeProcess) -> None:
    before, held = await stored(node), memory(node)
    start = head_of(node, "POST", ENTITIES, "Transfer-Encoding: chunked") + b"\r\n"
    small = b'{"id":"urn:bad:1","type":"Bad"}'
    assert await say(node, start, b"%x\r\n" % len(small) + small + b"\r\n0\r\n\r\n") == 411
    piece = b"%x\r\n" % MEGABYTE + b"x" * MEGABYTE + b"\r\n"
    assert await say(node, start, *[piece] * 64) in (411, 0)
    assert await stored(node) == before
    assert memory(node) - held < 50 * MEGABYTE


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Content-Length: 40000000"], 413),
        (["Content-Length: -5"], 400),
        (["Content-Length: many"], 400),
        (["Content-Length: 99999999999999999999999999"], 400),
        (["Content-Length: 5", "Content-Length: 6"], 400),
        (["Content-Length: 28", "Transfer-Encoding: chunked"], 400),
        (["Content-Type: text/plain", "Content-Length: 2"], 415),
    ],
)
async def test_strange_length_is_refused_before_the_body_comes(
    node: NodeProcess, headers: list[str], status: int
) -> None:
    start = head_of(node, "POST", ENTITIES).replace(b"Content-Type: application/json\r\n", b"")
    kind = [] if any("Type" in line for line in headers) else ["Content-Type: application/json"]
    lines = "".join(f"{line}\r\n" for line in [*kind, *headers])
    assert await say(node, start + lines.encode() + b"\r\n") == status
    assert await is_well(node)
