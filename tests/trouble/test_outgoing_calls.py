"""Where a node may call: never link-local or cloud metadata, however written; loopback by a setting."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.nodes import NodeProcess
from tests.trouble.asking import API, ENTITIES, Answer, ask, is_well, receiver, stored

METADATA = "http://169.254.169.254/latest/meta-data/"
FORBIDDEN = [
    METADATA,
    "http://169.254.1.1/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00:ec2::254]/",
    "http://[fd20:ce::254]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://2852039166/",
    "http://0xA9FEA9FE/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://192.0.0.192/",
    "http://0.0.0.0/",
    "http://255.255.255.255/",
    "http://224.0.0.1/",
    "http://city.example@169.254.169.254/",
]
LOOPBACK = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
]
ODD_LOOPBACK = ["http://127.1:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/"]
"""Spellings that need not be understood."""


async def with_context(node: NodeProcess, url: str) -> Answer:
    """Creates an entity whose @context is at `url`."""
    body = {"@context": [url], "id": "urn:call:1", "type": "Call"}
    return await ask(node, "POST", ENTITIES, body, headers={"Content-Type": "application/ld+json"})


def subscription(url: str) -> dict[str, Any]:
    return {
        "type": "Subscription",
        "entities": [{"type": "Call"}],
        "notification": {"endpoint": {"uri": url}},
    }


def settled(tmp_path_factory: pytest.TempPathFactory, **settings: Any) -> NodeProcess:
    folder = tmp_path_factory.mktemp("calls") / "city"
    folder.mkdir()
    (folder / "city.yaml").write_text(yaml.safe_dump({"settings": settings}))
    return NodeProcess(folder)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node that may not call loopback, and gives a notification up at its second failure."""
    quick = {"notifyAttempts": 2, "notifyBackoff": 0.01, "outAllowLoopback": False}
    with settled(tmp_path_factory, **quick) as node:
        yield node


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node on loopback that waits half a second for others."""
    quick = {"notifyAttempts": 2, "notifyBackoff": 0.01, "outTimeout": 0.5}
    with settled(tmp_path_factory, **quick) as node:
        yield node


@pytest.mark.parametrize("url", FORBIDDEN)
async def test_context_at_an_address_that_is_never_called_answers_504_and_stores_nothing(
    node: NodeProcess, url: str
) -> None:
    before = await stored(node)
    answer = await with_context(node, url)
    assert (answer.status, answer.problem) == (504, "LdContextNotAvailable"), answer.body
    detail = answer.json["detail"]
    assert "is not allowed" in detail or "is invalid" in detail
    link = {"Link": f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"'}
    assert (await ask(node, "GET", f"{ENTITIES}?type=Call", headers=link)).status == 504
    assert await stored(node) == before


@pytest.mark.parametrize(
    "target", [METADATA, "http://[fe80::1]/", "http://2852039166/", "//169.254.169.254/x"]
)
async def test_redirect_to_an_address_that_is_never_called_is_refused(node: NodeProcess, target: str) -> None:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target})

    before = await stored(node)
    async with receiver(redirect) as there:
        answer = await with_context(node, f"{there}/context.jsonld")
    assert (answer.status, answer.problem) == (504, "LdContextNotAvailable")
    assert "is not allowed" in answer.json["detail"] or "is invalid" in answer.json["detail"]
    assert await stored(node) == before


async def test_context_that_refers_to_an_address_that_is_never_called_is_refused(node: NodeProcess) -> None:
    async def refer(_: web.Request) -> web.Response:
        return web.json_response({"@context": [METADATA, {"a": "urn:a"}]})

    async with receiver(refer) as there:
        answer = await with_context(node, f"{there}/context.jsonld")
    assert (answer.status, answer.problem) == (504, "LdContextNotAvailable")
    assert METADATA in answer.json["detail"]


async def test_notifications_to_addresses_that_are_never_called_are_dead_letters_with_the_reason(
    closed: NodeProcess,
) -> None:
    calls = 0

    async def count(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response()

    async with receiver(count) as there:
        port = there.rpartition(":")[2]
        urls = [url for url in FORBIDDEN if "%25" not in url]
        urls += [url.format(port=port) for url in [*LOOPBACK, *ODD_LOOPBACK]]
        urls.append(f"mqtt://169.254.169.254:{port}/topic")
        urls.append(f"mqtt://127.0.0.1:{port}/topic")
        made = 0
        for url in urls:
            answer = await ask(closed, "POST", f"{API}/subscriptions", subscription(url))
            # Told at once, or when the call would be made: a name's address may change meanwhile.
            assert answer.status in (201, 400, 403), answer.body
            made += answer.status == 201
        assert (
            await ask(closed, "POST", ENTITIES, {"id": "urn:call:n", "type": "Call", "a": 1})
        ).status == 201
        async with asyncio.timeout(30):
            while len(dead := (await ask(closed, "GET", "/subscriptions/dead")).json) < made:
                await asyncio.sleep(0.05)
    assert len(dead) == made
    assert all("not allowed" in letter["lastError"] or "is invalid" in letter["lastError"] for letter in dead)
    assert calls == 0
    assert await is_well(closed)


@pytest.mark.parametrize("form", LOOPBACK)
async def test_context_on_loopback_is_had_where_the_settings_let_it(
    node: NodeProcess, closed: NodeProcess, form: str
) -> None:
    async def serve(_: web.Request) -> web.Response:
        return web.json_response({"@context": {"colour": "https://city.example/colour"}})

    async with receiver(serve) as there:
        url = form.format(port=there.rpartition(":")[2])
        allowed, refused = await with_context(node, url), await with_context(closed, url)
    assert allowed.status == 201, allowed.body
    assert (await ask(node, "DELETE", f"{ENTITIES}/urn:call:1")).status == 204
    assert (refused.status, refused.problem) == (504, "LdContextNotAvailable")
    assert "not allowed" in refused.json["detail"]


@pytest.mark.parametrize("form", ODD_LOOPBACK)
async def test_odd_spelling_of_loopback_opens_no_door(closed: NodeProcess, form: str) -> None:
    calls = 0

    async def count(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.json_response({"@context": {}})

    async with receiver(count) as there:
        answer = await with_context(closed, form.format(port=there.rpartition(":")[2]))
    assert (answer.status, calls) == (504, 0)


async def test_context_that_does_not_come_in_time_answers_504_while_others_are_served(
    hasty: NodeProcess,
) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.02)
        except ConnectionError:
            return response

    async with receiver(drip) as there:
        started = time.monotonic()
        slow = asyncio.gather(*(with_context(hasty, f"{there}/{number}") for number in range(5)))
        assert (await ask(hasty, "GET", f"{ENTITIES}?type=Call")).status == 200
        answers = await slow
        assert time.monotonic() - started < 20
    assert {(answer.status, answer.problem) for answer in answers} == {(504, "LdContextNotAvailable")}
    assert "within 0.5 s" in answers[0].json["detail"]


@pytest.mark.parametrize("squeezed", [False, True])
async def test_context_that_is_too_large_answers_504(node: NodeProcess, squeezed: bool) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if squeezed:
            response.enable_compression(force=web.ContentCoding.gzip)
        await response.prepare(request)
        try:
            for _ in range(64):
                await response.write(b" " * 1_000_000)
        except ConnectionError:
            pass
        return response

    async with receiver(flood) as there:
        answer = await with_context(node, f"{there}/{squeezed}")
    assert (answer.status, answer.problem) == (504, "LdContextNotAvailable")
    assert "more than" in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"{}", "no @context"),
        (b'{"@context": 5}', "no @context"),
    ],
)
async def test_context_that_is_none_answers_400(node: NodeProcess, body: bytes, said: str) -> None:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/ld+json")

    async with receiver(serve) as there:
        answer = await with_context(node, f"{there}/context.jsonld")
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert said in answer.json["detail"]


async def test_contexts_that_refer_to_each_other_without_end_are_refused(node: NodeProcess) -> None:
    async def refer(request: web.Request) -> web.Response:
        return web.json_response({"@context": f"http://{request.host}{request.path}x"})

    before = await stored(node)
    async with receiver(refer) as there:
        answer = await with_context(node, f"{there}/")
    assert answer.status in (400, 504), answer.body
    assert (await stored(node))[0] == before[0]


async def test_endpoint_that_never_answers_delays_no_other(hasty: NodeProcess) -> None:
    told: set[str] = set()

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await asyncio.sleep(60)
        told.add((await request.json())["data"][0]["id"])
        return web.Response()

    async with receiver(answer) as there:
        for path in ("/slow", "/quick"):
            made = await ask(hasty, "POST", f"{API}/subscriptions", subscription(there + path))
            assert made.status == 201
        ids = {f"urn:call:{number}" for number in range(20)}
        for id in ids:
            assert (await ask(hasty, "POST", ENTITIES, {"id": id, "type": "Call", "a": 1})).status == 201
        async with asyncio.timeout(20):
            while told != ids:
                await asyncio.sleep(0.02)
    assert await is_well(hasty)
