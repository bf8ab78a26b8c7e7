"""Parameters, paths, ids and headers that are strange, wrong or hostile: answered clearly, nothing stored."""

import asyncio
from urllib.parse import quote

import pytest

from tests.nodes import NodeProcess
from tests.trouble.asking import API, BATCH, ENTITIES, ask, is_well, say, stored

NESTED = "(" * 100_000 + "a" + ")" * 100_000
NESTED_WITHIN_A_URL = "(" * 30_000 + "a" + ")" * 30_000
CIRCLE = "georel=near;maxDistance=="

REFUSED = {
    "unknown parameter": ("?type=A&colour=red", 400),
    "parameter given twice": ("?type=A&type=B", 400),
    "a thousand parameters": ("?" + "&".join(f"p{number}=1" for number in range(1000)), 400),
    "no UTF-8": ("?type=%FF", 400),
    "nothing asked": ("", 400),
    "type with a NUL": ("?type=A%00", 400),
    "limit below 0": ("?type=A&limit=-1", 400),
    "limit beyond numbers": ("?type=A&limit=" + "9" * 30, 400),
    "limit over the page": ("?type=A&limit=999999", 403),
    "q that is no query": ("?type=A&q===", 400),
    "q nested 30,000 deep": ("?type=A&q=" + NESTED_WITHIN_A_URL, 403),
    "type nested 30,000 deep": ("?type=" + NESTED_WITHIN_A_URL, 403),
    "coordinates nested 30,000 deep": (
        "?type=A&georel=within&geometry=Polygon&coordinates=" + "[" * 30_000 + "]" * 30_000,
        400,
    ),
    "pattern nested": ("?type=A&idPattern=" + "(" * 900 + ")" * 900, 400),
    "pattern that explodes": ("?type=A&idPattern=((a{1000}){1000}){1000}", 400),
    "pattern that is none": ("?type=A&idPattern=[", 400),
    "geometry that is not closed": (
        "?type=A&georel=within&geometry=Polygon&coordinates=[[[0,0],[3,3],[3,0],[0,3]]]",
        400,
    ),
    "distance that is no number": (f"?type=A&{CIRCLE}nan&geometry=Point&coordinates=[1,2]", 400),
    "distance without end": (f"?type=A&{CIRCLE}1e999&geometry=Point&coordinates=[1,2]", 400),
    "coordinates that are no numbers": (f"?type=A&{CIRCLE}1&geometry=Point&coordinates=[NaN,2]", 400),
    "georel without geometry": ("?type=A&georel=within", 400),
    "no such option": ("?type=A&options=everything", 400),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_strange_query_is_refused_with_its_parameter_named(node: NodeProcess, case: str) -> None:
    query, status = REFUSED[case]
    answer = await ask(node, "GET", ENTITIES + query)
    assert (answer.status, bool(answer.problem)) == (status, True), answer.body
    assert len(answer.json["detail"]) < 1000
    assert await is_well(node)


@pytest.mark.parametrize("member", ["q", "scopeQ", "type"])
async def test_query_in_a_body_nested_100_000_deep_is_too_complex(node: NodeProcess, member: str) -> None:
    inner = {"entities": [{"type": NESTED}]} if member == "type" else {member: NESTED}
    answer = await ask(node, "POST", f"{BATCH}/query", {"type": "Query", **inner})
    assert (answer.status, answer.problem) == (403, "TooComplexQuery")
    assert await is_well(node)


async def test_subscription_with_a_query_nested_100_000_deep_is_not_kept(node: NodeProcess) -> None:
    before = await stored(node)
    document = {
        "type": "Subscription",
        "entities": [{"type": "A"}],
        "q": NESTED,
        "notification": {"endpoint": {"uri": "http://127.0.0.1:1/"}},
    }
    answer = await ask(node, "POST", f"{API}/subscriptions", document)
    assert (answer.status, answer.problem) == (403, "TooComplexQuery")
    assert await stored(node) == before


@pytest.mark.parametrize(
    "path",
    [
        "/ogc/collections/A/items?bbox=a,b,c,d",
        "/ogc/collections/A/items?bbox=nan,nan,nan,nan",
        "/ogc/collections/A/items?bbox=1,2,inf,1e400",
        "/ogc/collections/A/items?f=exe",
        "/ogc/collections/A/items?datetime=tomorrow",
        "/ogc/collections/A/items?limit=0",
        "/ogc/collections/A/items?properties=%22",
        "/ogc/collections/%FF/items",
        "/events?lastEventId=yesterday",
        f"{API}/temporal/entities?type=A&timerel=before&timeAt=never",
        f"{API}/temporal/entities?type=A&timerel=before&timeAt=2020-01-01T00:00:00Z&lastN=0",
        f"{API}/temporal/entities?type=A&timerel=after&timeAt=2020-01-01T00:00:00Z"
        "&aggrMethods=avg&aggrPeriodDuration=-P1D&format=aggregatedValues",
        f"{API}/entities/no-uri",
        f"{API}/entities/%25",
        f"{API}/types/%FF",
        "/schemas/%00",
        "/lineage/%2e%2e",
    ],
)
async def test_strange_request_elsewhere_answers_400(node: NodeProcess, path: str) -> None:
    answer = await ask(node, "GET", path)
    assert (answer.status, bool(answer.problem)) == (400, True), answer.body


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/assets/../../../../../../etc/passwd",
        "/assets/..%2f..%2f..%2fpage.py",
        "/assets/%2e%2e/%2e%2e/page.py",
        "/sources/..%2f..%2fcity.yaml/rejects",
        "/sources/../rejects",
        f"{API}//entities",
    ],
)
async def test_path_that_climbs_finds_nothing(node: NodeProcess, path: str) -> None:
    answer = await ask(node, "GET", path)
    assert answer.status == 404
    assert b"root:" not in answer.body
    assert b"import" not in answer.body


KEPT_IDS = [
    "urn:odd:slash/in/it",
    "urn:odd:../../etc/passwd",
    "urn:odd:..",
    "urn:odd:/",
    "http://city.example/lamp?number=5#top",
    "urn:odd:%2F%00%25",
    "urn:odd:ümläut",
    "urn:odd:城市",
    "urn:odd:😀",
    "urn:odd:o'brien",
    "urn:odd:*&a=b;c,d+e",
    "urn:odd:attrs",
    "javascript:alert(1)",
    "urn:odd:" + "x" * 4_000,
]


@pytest.mark.parametrize("id", KEPT_IDS)
async def test_odd_id_that_is_a_uri_is_kept_found_and_deleted(node: NodeProcess, id: str) -> None:
    before, _ = await stored(node)
    path = f"{ENTITIES}/{quote(id, safe='')}"
    made = await ask(node, "POST", ENTITIES, {"id": id, "type": "Odd", "a": 1})
    assert made.status == 201
    assert (await ask(node, "GET", made.headers["Location"])).json["id"] == id
    assert (await ask(node, "GET", path)).json["id"] == id
    if "," not in id:
        asked = await ask(node, "GET", f"{ENTITIES}?type=Odd&id={quote(id, safe='')}")
        assert [found["id"] for found in asked.json] == [id]
    assert (await ask(node, "PATCH", f"{path}/attrs/a", {"value": 2})).status == 204
    assert (await ask(node, "GET", f"{API}/temporal/entities/{quote(id, safe='')}")).json["id"] == id
    assert (await ask(node, "GET", f"/lineage/{quote(id, safe='')}")).status == 200
    assert (await ask(node, "DELETE", path)).status == 204
    assert (await stored(node))[0] == before


REFUSED_IDS = [
    "../../etc/passwd",
    "//host/path",
    "urn:odd:a b",
    'urn:odd:"quoted"',
    "urn:odd:<script>",
    "urn:odd:\\",
    "urn:odd:{}",
    "urn:odd:%",
    "urn:odd:\n",
    "urn:odd:\x00",
    "urn:odd:\x7f",
    "urn:odd:'; DROP TABLE entity; --",
    "urn:odd:" + "x" * 8_192,
    "urn:ngsi-ld:null",
    "",
]


@pytest.mark.parametrize("id", REFUSED_IDS)
async def test_id_that_is_no_uri_is_refused(node: NodeProcess, id: str) -> None:
    before = await stored(node)
    answer = await ask(node, "POST", ENTITIES, {"id": id, "type": "Odd"})
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    batch = await ask(node, "POST", f"{BATCH}/upsert", [{"id": id, "type": "Odd"}])
    assert batch.status == 207
    path = await ask(node, "DELETE", f"{ENTITIES}/{quote(id, safe='')}")
    assert path.status in (400, 404, 413), path.body
    assert await stored(node) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "city.example"}, 403),
        ({"Authorization": "Bearer nobody"}, 401),
        ({"Accept": "text/html"}, 406),
        ({"Accept": "application/json;q=nan"}, 406),
        ({"NGSILD-Tenant": "../x"}, 404),
        ({"NGSILD-Tenant": "x" * 300}, 400),
        ({"Link": '<not a url>; rel="http://www.w3.org/ns/json-ld#context"'}, 400),
        ({"Link": '<>; rel="http://www.w3.org/ns/json-ld#context"'}, 400),
        ({"Link": '<ftp://a/b>; rel="http://www.w3.org/ns/json-ld#context"'}, 400),
    ],
)
async def test_strange_header_is_refused(node: NodeProcess, headers: dict[str, str], status: int) -> None:
    answer = await ask(node, "GET", f"{ENTITIES}?type=A", headers=headers)
    assert (answer.status, bool(answer.problem)) == (status, True), answer.body


async def test_tenant_of_strange_characters_is_a_tenant_like_any_other(node: NodeProcess) -> None:
    tenant = {"NGSILD-Tenant": "../'; DROP TABLE entity; --"}
    body = {"id": "urn:odd:tenant", "type": "Odd"}
    assert (await ask(node, "POST", ENTITIES, body, headers=tenant)).status == 201
    assert (await ask(node, "GET", f"{ENTITIES}/urn:odd:tenant", headers=tenant)).status == 200
    assert (await ask(node, "GET", f"{ENTITIES}/urn:odd:tenant")).status == 404
    assert (await ask(node, "DELETE", f"{ENTITIES}/urn:odd:tenant", headers=tenant)).status == 204


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        bytes(range(256)),
        b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"BREW /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_http_answers_400(node: NodeProcess, raw: bytes) -> None:
    assert await say(node, raw) == 400
    assert await is_well(node)


async def test_a_crowd_of_bad_requests_leaves_the_node_well(node: NodeProcess) -> None:
    before = await stored(node)
    answers = await asyncio.gather(
        *(ask(node, "POST", ENTITIES, raw=b"[" * 10_000) for _ in range(50)),
        *(ask(node, "GET", f"{ENTITIES}?q={NESTED_WITHIN_A_URL}") for _ in range(50)),
    )
    assert {answer.status for answer in answers} == {413, 403}
    assert await stored(node) == before
    assert await is_well(node)
