"""Clause 5.13: hosting @context documents."""

from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cityloom.ld.core_terms import CORE_URL
from tests.conformance.data import ENTITIES, lamp
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


async def test_core_context_is_built_in_and_none_of_those_that_are_kept(node: Client) -> None:
    """5.13.1 names the kinds that are kept; 5.13.5: only a cached one is fetched anew."""
    path = f"{PATH}/{quote(CORE_URL, safe='')}"
    assert (await node.get(f"{path}?details=true")).problem == "ResourceNotFound"
    for query in ("", "?reload=true"):
        assert (await node.delete(path + query)).problem == "BadRequestData"
    assert (await node.get(PATH)).json == []
