"""Clause 5.13: hosting @context documents."""

from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cityloom.ld.core_terms import CORE_URL
from tests.conformance.data import ENTITIES, lamp, prop
from tests.federation.source import running_source
from tests.web.node import Client

PATH = "/ngsi-ld/v1/jsonldContexts"
CONTEXT = {"@context": {"shine": "https://example.org/shine"}}
HEADERS = {"Content-Type": "application/json"}


async def added(node: Client) -> str:
    answer = await node.post(PATH, CONTEXT)
    assert answer.status == 201
    location: str = answer.headers["Location"]
    return location


async def test_add_context_serves_it(node: Client) -> None:
    location = await added(node)
    answer = await node.get(location)
    assert (answer.status, answer.json) == (200, CONTEXT)
    details = (await node.get(f"{location}?details=true")).json
    assert (details["kind"], details["localId"]) == ("Hosted", location.rpartition("/")[2])


async def test_list_contexts(node: Client) -> None:
    location = await added(node)
    assert [each.endswith(location) for each in (await node.get(PATH)).json] == [True]
    assert (await node.get(f"{PATH}?kind=Cached")).json == []
    details = (await node.get(f"{PATH}?details=true&kind=Hosted")).json
    assert details[0]["kind"] == "Hosted"
    assert (await node.get(f"{PATH}?kind=Odd")).problem == "BadRequestData"


async def test_delete_context_ends_it(node: Client) -> None:
    location = await added(node)
    assert (await node.delete(location)).status == 204
    assert (await node.get(location)).problem == "ResourceNotFound"
    assert (await node.delete(location)).status == 404


async def test_reload_answers_400_when_the_context_is_hosted(node: Client) -> None:
    assert (await node.delete(f"{await added(node)}?reload=true")).problem == "BadRequestData"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{", "InvalidRequest"),
        (b"{}", "InvalidRequest"),
        (b"[]", "InvalidRequest"),
        (b'{"@context": 7}', "BadRequestData"),
        (b'{"@context": {"a": 7}}', "BadRequestData"),
    ],
)
async def test_add_context_answers_400_when_it_is_none(node: Client, raw: bytes, problem: str) -> None:
    answer = await node.post(PATH, raw=raw, headers=HEADERS)
    assert (answer.status, answer.problem) == (400, problem)


async def test_remote_context_is_cached_and_not_served(node: Client) -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.json_response(CONTEXT)

    app = web.Application()
    app.router.add_get("/context.jsonld", serve)
    async with TestServer(app) as server:
        url = str(server.make_url("/context.jsonld"))
        entity = {**lamp(), "@context": url, "shine": {"type": "Property", "value": 1}}
        assert (await node.post(ENTITIES, entity)).status == 201
        link = f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
        answer = await node.get(f"{ENTITIES}/{lamp()['id']}", headers={"Link": link})
        assert "shine" in answer.json
        details = (await node.get(f"{PATH}?details=true&kind=Cached")).json
        assert [each["URL"] for each in details] == [url]
        path = f"{PATH}/{details[0]['localId']}"
        assert (await node.get(path)).problem == "OperationNotSupported"
        assert (await node.get(path)).status == 422
        assert (await node.delete(f"{path}?reload=true")).status == 204


async def test_unreachable_context_answers_504_and_keeps_nothing(node: Client) -> None:
    entity = {**lamp(), "@context": "http://127.0.0.1:9/none.jsonld"}
    answer = await node.post(ENTITIES, entity)
    assert (answer.status, answer.problem) == (504, "LdContextNotAvailable")
    assert (await node.get(f"{ENTITIES}?local=true")).json == []


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", {"@context": 7}, {"@context": {"a": 7}}])
async def test_remote_context_that_is_none_answers_400_and_keeps_nothing(node: Client, body: Any) -> None:
    """5.5.6: LdContextNotAvailable is for one that cannot be had."""
    async with running_source() as source:
        source.body = body
        answer = await node.post(ENTITIES, {**lamp(), "@context": f"{source.url}/context.jsonld"})
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert (await node.get(f"{ENTITIES}?local=true")).json == []


async def test_core_context_is_built_in_and_none_of_those_that_are_kept(node: Client) -> None:
    """5.13.1 names the kinds that are kept; 5.13.5: only a cached one is fetched anew."""
    path = f"{PATH}/{quote(CORE_URL, safe='')}"
    assert (await node.get(f"{path}?details=true")).problem == "ResourceNotFound"
    for query in ("", "?reload=true"):
        assert (await node.delete(path + query)).problem == "BadRequestData"
    assert (await node.get(PATH)).json == []


LINK = '<{}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


async def told(node: Client, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await node.get(f"{PATH}?details=true&kind={kind}")).json
    return found


async def test_details_tell_the_members_of_the_clause(node: Client) -> None:
    """5.13.3.5 and 5.13.4.5."""
    location = await added(node)
    [listed] = await told(node, "Hosted")
    assert listed.keys() == {"URL", "localId", "kind", "createdAt", "numberOfHits"}
    assert listed["URL"].endswith(location)
    assert (listed["localId"], listed["numberOfHits"]) == (location.rpartition("/")[2], 0)


async def test_use_of_a_context_is_counted(node: Client) -> None:
    location = await added(node)
    link = {"Link": LINK.format(node.base + location)}
    for _ in range(3):
        await node.get(f"{ENTITIES}?type=Lamp", headers=link)
    [listed] = await told(node, "Hosted")
    assert listed["numberOfHits"] == 3
    assert listed["lastUsage"] >= listed["createdAt"]


async def test_context_is_created_implicitly_for_notifications(node: Client) -> None:
    """5.13.1: an array, or terms, that came with a subscription get a URL of their own."""
    hosted = node.base + await added(node)
    subscription = {
        "type": "Subscription",
        "entities": [{"type": "Lamp"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}},
        "@context": [hosted, {"lit": "https://example.org/lit"}],
    }
    assert (await node.post("/ngsi-ld/v1/subscriptions", subscription)).status == 201
    [made] = await told(node, "ImplicitlyCreated")
    local = f"{PATH}/{made['localId']}"
    assert (await node.get(local)).json == {"@context": subscription["@context"]}
    assert (await node.get(f"{local}?details=true")).json["kind"] == "ImplicitlyCreated"
    assert (await node.delete(f"{local}?reload=true")).problem == "BadRequestData"
    assert (await node.delete(local)).status == 204
    assert (await node.get(local)).status == 404


async def test_cached_context_is_fetched_anew_or_deleted(node: Client) -> None:
    """5.13.5.4: a reload that fails leaves what is there; what was deleted is fetched at the next use."""
    async with running_source() as source:
        source.body = CONTEXT
        url = f"{source.url}/context.jsonld"
        entity = {**lamp(), "@context": url, "shine": prop(1)}
        assert (await node.post(ENTITIES, entity)).status == 201
        [kept] = await told(node, "Cached")
        path = f"{PATH}/{kept['localId']}"
        for status, body in ((500, None), (200, {"@context": {"a": 7}}), (200, {"no": "context"})):
            source.status, source.body = status, body
            answer = await node.delete(f"{path}?reload=true")
            assert (answer.status, answer.problem) == (504, "LdContextNotAvailable")
            [after] = await told(node, "Cached")
            assert after["createdAt"] == kept["createdAt"]
        shown = await node.get(f"{ENTITIES}/{lamp()['id']}", headers={"Link": LINK.format(url)})
        assert "shine" in shown.json
        source.status, source.body = 200, {"@context": {"glow": CONTEXT["@context"]["shine"]}}
        assert (await node.delete(f"{path}?reload=true")).status == 204
        [fresh] = await told(node, "Cached")
        assert fresh["createdAt"] > kept["createdAt"]
        shown = await node.get(f"{ENTITIES}/{lamp()['id']}", headers={"Link": LINK.format(url)})
        assert "glow" in shown.json
        asked = len(source.asked)
        assert (await node.delete(path)).status == 204
        assert await told(node, "Cached") == []
        await node.get(f"{ENTITIES}/{lamp()['id']}", headers={"Link": LINK.format(url)})
        assert len(source.asked) == asked + 1
        assert [each["URL"] for each in await told(node, "Cached")] == [url]


async def test_hosted_context_that_names_others_has_them_cached(node: Client) -> None:
    async with running_source() as source:
        source.body = CONTEXT
        urls = [f"{source.url}/{name}" for name in ("a", "b")]
        made = await node.post(PATH, {"@context": urls})
        link = {"Link": LINK.format(node.base + made.headers["Location"])}
        await node.get(f"{ENTITIES}?type=Lamp", headers=link)
        assert sorted(each["URL"] for each in await told(node, "Cached")) == urls


@pytest.mark.parametrize("query", ["details=maybe", "kind=hosted", "details=true&kind=Core"])
async def test_list_contexts_answers_400_when_a_parameter_is_invalid(node: Client, query: str) -> None:
    answer = await node.get(f"{PATH}?{query}")
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_context_that_is_not_there_answers_404(node: Client) -> None:
    for query in ("", "?details=true"):
        assert (await node.get(f"{PATH}/none{query}")).problem == "ResourceNotFound"
    assert (await node.delete(f"{PATH}/none")).problem == "ResourceNotFound"
    assert (await node.get(f"{PATH}/none?details=maybe")).problem == "BadRequestData"
