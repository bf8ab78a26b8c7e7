"""Contexts resolved from real servers and kept in a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp.web
import pytest

from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts, ContextSettings
from cityloom.ld.core_terms import CORE_URL, CORE_URLS
from cityloom.ld.kept import expiry
from cityloom.ld.limits import Limits
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import (
    BadRequestData,
    InvalidRequest,
    LdContextNotAvailable,
    OperationNotSupported,
    ResourceNotFound,
)
from cityloom.model.events import Cause
from cityloom.net.client import Outgoing, OutgoingSettings
from cityloom.store.sqlite import SqliteStore

web = aiohttp.web
CAUSE = Cause(kind="request", id="request:1")
NOON = 1_767_268_800_000_000
SECOND = 1_000_000


class Library:
    """A server of contexts: `pages` by path, `asked` how often each was."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[Any, dict[str, str]]] = {}
        self.asked: list[str] = []
        self.base = ""
        self.delay = 0.0

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        await asyncio.sleep(self.delay)
        if request.path not in self.pages:
            return web.Response(status=404)
        page, headers = self.pages[request.path]
        if isinstance(page, str):
            return web.Response(text=page, headers={"Content-Type": "text/html", **headers})
        return web.json_response(page, headers=headers)

    def put(self, path: str, context: Any, **headers: str) -> str:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = ({"@context": context}, told)
        return self.base + path


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    library = Library()
    app = web.Application()
    app.router.add_get("/{path:.*}", library.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    library.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield library
    await runner.cleanup()


class Node:
    """What stands behind `Contexts`, so that it can be started anew on the same file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "city.db"
        self.clock = SimulatedClock(NOON)
        self.store = SqliteStore(self.path, self.clock)
        self.outgoing = Outgoing(OutgoingSettings(allow_loopback=True, total_timeout=2))
        self.contexts = self.fresh()

    def fresh(self, **limits: int) -> Contexts:
        settings = ContextSettings(public_url="http://city.example", max_age=3600)
        return Contexts(self.store, self.outgoing, self.clock, Limits(**limits), settings)

    async def close(self) -> None:
        await self.outgoing.close()
        self.store.close()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    yield node
    await node.close()


async def test_resolve_nothing_and_core_urls_needs_no_network(node: Node, library: Library) -> None:
    assert await node.contexts.resolve(None) is LdContext.core
    assert await node.contexts.resolve([]) is LdContext.core
    for url in CORE_URLS:
        resolved = await node.contexts.resolve(url)
        assert resolved.expand_term("location") == "https://uri.etsi.org/ngsi-ld/location"
        assert resolved.source == url
    assert await node.contexts.list("") == []


async def test_resolve_inline_context(node: Node) -> None:
    resolved = await node.contexts.resolve({"speed": "https://a.example/speed"})
    assert resolved.expand_term("speed") == "https://a.example/speed"
    assert await node.contexts.resolve({"speed": "https://a.example/speed"}) is resolved


async def test_resolve_fetches_a_document_once_and_keeps_it(node: Node, library: Library) -> None:
    url = library.put("/a.jsonld", {"speed": "https://a.example/speed"})
    first = await node.contexts.resolve(url)
    assert first.expand_term("speed") == "https://a.example/speed"
    assert await node.contexts.resolve(url) is first
    assert (await node.contexts.resolve([url, CORE_URL])).expand_term("speed") == "https://a.example/speed"
    assert library.asked == ["/a.jsonld"]


async def test_resolve_fetches_once_for_many_who_wait(node: Node, library: Library) -> None:
    library.delay = 0.05
    url = library.put("/a.jsonld", {"speed": "https://a.example/speed"})
    sources = [url, [url], [url, CORE_URL], {"@import": url}] * 25
    resolved = await asyncio.gather(*(node.contexts.resolve(source) for source in sources))
    assert {one.expand_term("speed") for one in resolved} == {"https://a.example/speed"}
    assert library.asked == ["/a.jsonld"]


async def test_resolve_goes_on_when_the_first_who_waits_goes_away(node: Node, library: Library) -> None:
    library.delay = 0.1
    url = library.put("/a.jsonld", {"speed": "https://a.example/speed"})
    first = asyncio.ensure_future(node.contexts.resolve(url))
    second = asyncio.ensure_future(node.contexts.resolve(url))
    await asyncio.sleep(0.02)
    first.cancel()
    assert (await second).expand_term("speed") == "https://a.example/speed"
    assert library.asked == ["/a.jsonld"]


async def test_resolve_follows_nested_and_relative_references(node: Node, library: Library) -> None:
    library.put("/c/vehicle.jsonld", {"speed": "https://a.example/speed"})
    url = library.put("/c/all.jsonld", ["vehicle.jsonld", CORE_URL, {"name": "https://a.example/name"}])
    resolved = await node.contexts.resolve(url)
    assert resolved.expand_term("speed") == "https://a.example/speed"
    assert resolved.expand_term("name") == "https://a.example/name"


async def test_resolve_works_after_a_restart_without_the_network(node: Node, library: Library) -> None:
    url = library.put("/a.jsonld", {"speed": "https://a.example/speed"})
    await node.contexts.resolve(url)
    library.pages.clear()
    restarted = node.fresh()
    assert (await restarted.resolve(url)).expand_term("speed") == "https://a.example/speed"
    assert library.asked == ["/a.jsonld"]


async def test_resolve_fetches_again_when_the_document_has_expired(node: Node, library: Library) -> None:
    url = library.put("/a.jsonld", {"speed": "https://a.example/old"}, Cache_Control="max-age=60")
    await node.contexts.resolve(url)
    library.put("/a.jsonld", {"speed": "https://a.example/new"})
    node.clock.advance(59)
    assert (await node.contexts.resolve(url)).expand_term("speed") == "https://a.example/old"
    node.clock.advance(2)
    assert (await node.contexts.resolve(url)).expand_term("speed") == "https://a.example/new"


async def test_resolve_uses_the_expired_document_while_the_server_is_away(
    node: Node, library: Library
) -> None:
    url = library.put("/a.jsonld", {"speed": "https://a.example/speed"})
    await node.contexts.resolve(url)
    library.pages.clear()
    node.clock.advance(3601)
    assert (await node.contexts.resolve(url)).expand_term("speed") == "https://a.example/speed"
    assert len(library.asked) == 2
    await node.contexts.resolve(url)
    assert len(library.asked) == 2
    node.clock.advance(61)
    await node.contexts.resolve(url)
    assert len(library.asked) == 3


async def test_resolve_takes_the_alternate_of_a_web_page(node: Node, library: Library) -> None:
    library.put("/docs/context.jsonld", {"name": "https://schema.org/name"})
    link = '</docs/context.jsonld>; rel="alternate"; type="application/ld+json"'
    library.pages["/"] = ("<html></html>", {"Link": link})
    resolved = await node.contexts.resolve(library.base + "/")
    assert resolved.expand_term("name") == "https://schema.org/name"


@pytest.mark.parametrize(
    "page", ["<html></html>", {"no": "context"}, {"@context": 5}, ["@context"], {"@context": None}]
)
async def test_resolve_refuses_what_is_no_context(node: Node, library: Library, page: Any) -> None:
    library.pages["/a"] = (page, {})
    with pytest.raises(BadRequestData, match="is invalid"):
        await node.contexts.resolve(library.base + "/a")
    assert await node.contexts.list("") == []


async def test_resolve_refuses_what_cannot_be_had(node: Node, library: Library) -> None:
    for url in (library.base + "/missing", "http://127.0.0.1:1/", "http://169.254.169.254/context"):
        with pytest.raises(LdContextNotAvailable, match="is not available"):
            await node.contexts.resolve(url)


@pytest.mark.parametrize(
    "source", ["relative", "file:///etc/passwd", "urn:x:y", ["relative"], "http://a/" + "x" * 9000]
)
async def test_resolve_refuses_what_is_no_url(node: Node, source: Any) -> None:
    with pytest.raises(BadRequestData, match="@context is invalid"):
        await node.contexts.resolve(source)


async def test_resolve_refuses_cycles_and_chains_that_are_too_long(node: Node, library: Library) -> None:
    one = library.put("/1", "2")
    library.put("/2", ["1"])
    with pytest.raises(BadRequestData, match="refers to itself"):
        await node.contexts.resolve(one)
    for number in range(20):
        library.put(f"/deep{number}", [f"deep{number + 1}"])
    with pytest.raises(BadRequestData, match="or deeper than"):
        await node.contexts.resolve(library.base + "/deep0")
    wide = library.put("/wide", [f"leaf{number}" for number in range(5)])
    for number in range(5):
        library.put(f"/leaf{number}", {})
    with pytest.raises(BadRequestData, match="more than 3 documents"):
        await node.fresh(contexts=3).resolve(wide)


async def test_resolve_refuses_nested_arrays_without_falling_over(node: Node) -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(BadRequestData, match="@context is invalid"):
        await node.contexts.resolve(deep)


async def test_compiled_contexts_are_bounded(node: Node) -> None:
    contexts = Contexts(node.store, node.outgoing, node.clock, settings=ContextSettings(compiled_terms=2000))
    for number in range(50):
        resolved = await contexts.resolve({f"t{number}": "https://a.example/t"})
        assert resolved.expand_term(f"t{number}") == "https://a.example/t"
    assert len(contexts._compiled) < 15


async def test_hosted_context_is_served_listed_used_and_deleted(node: Node, library: Library) -> None:
    contexts = node.contexts
    document = {"@context": {"speed": "https://a.example/speed"}, "note": "kept out"}
    id = await contexts.add("", document, CAUSE)
    assert await contexts.serve("", id) == {"@context": {"speed": "https://a.example/speed"}}
    url = f"http://city.example/ngsi-ld/v1/jsonldContexts/{id}"
    assert (await contexts.resolve(url)).expand_term("speed") == "https://a.example/speed"
    told = await contexts.details("", id)
    assert told["URL"] == url
    assert (told["localId"], told["kind"], told["numberOfHits"]) == (id, "Hosted", 2)
    assert told["createdAt"] == "2026-01-01T12:00:00Z"
    assert [entry["localId"] for entry in await contexts.list("", "Hosted")] == [id]
    assert await contexts.list("", "Cached") == []
    await contexts.delete("", id, CAUSE)
    with pytest.raises(ResourceNotFound, match="does not exist"):
        await contexts.serve("", id)
    with pytest.raises(LdContextNotAvailable):
        await contexts.resolve(url)


async def test_hosted_contexts_are_not_seen_by_other_tenants(node: Node) -> None:
    id = await node.contexts.add("a", {"@context": {"x": "https://a.example/x"}}, CAUSE)
    assert await node.contexts.list("b") == []
    with pytest.raises(ResourceNotFound):
        await node.contexts.serve("b", id)


async def test_cached_context_is_told_but_not_served(node: Node, library: Library) -> None:
    url = library.put("/a.jsonld", {"speed": "https://a.example/speed"}, Cache_Control="max-age=60")
    await node.contexts.resolve(url)
    (told,) = await node.contexts.list("", "Cached")
    assert (told["URL"], told["kind"], told["numberOfHits"]) == (url, "Cached", 1)
    assert told["expiresAt"] == "2026-01-01T12:01:00Z"
    for reference in (url, told["localId"]):
        assert (await node.contexts.details("", reference))["URL"] == url
        with pytest.raises(OperationNotSupported):
            await node.contexts.serve("", reference)


async def test_counters_grow_with_use_and_outlive_a_restart(node: Node, library: Library) -> None:
    url = library.put("/a.jsonld", {"speed": "https://a.example/speed"})
    for _ in range(3):
        await node.contexts.resolve(url)
    node.clock.advance(5)
    await node.contexts.resolve([url])
    await node.contexts.flush()
    told = await node.fresh().details("", url)
    assert (told["numberOfHits"], told["lastUsage"]) == (4, "2026-01-01T12:00:05Z")


async def test_reload_replaces_a_cached_context(node: Node, library: Library) -> None:
    url = library.put("/a.jsonld", {"speed": "https://a.example/old"})
    await node.contexts.resolve(url)
    library.put("/a.jsonld", {"speed": "https://a.example/new"})
    node.clock.advance(1)
    await node.contexts.delete("", url, CAUSE, reload=True)
    assert (await node.contexts.resolve(url)).expand_term("speed") == "https://a.example/new"
    assert (await node.contexts.details("", url))["createdAt"] == "2026-01-01T12:00:01Z"


async def test_reload_keeps_the_old_context_when_the_new_one_cannot_be_had(
    node: Node, library: Library
) -> None:
    url = library.put("/a.jsonld", {"speed": "https://a.example/old"})
    await node.contexts.resolve(url)
    library.put("/a.jsonld", {"speed": {"@id": 5}})
    with pytest.raises(LdContextNotAvailable, match="is not available"):
        await node.contexts.delete("", url, CAUSE, reload=True)
    library.pages.clear()
    with pytest.raises(LdContextNotAvailable, match="answered 404"):
        await node.contexts.delete("", url, CAUSE, reload=True)
    assert (await node.contexts.resolve(url)).expand_term("speed") == "https://a.example/old"


async def test_reload_is_refused_for_what_is_not_cached(node: Node) -> None:
    id = await node.contexts.add("", {"@context": {}}, CAUSE)
    for reference in (id, "unknown"):
        with pytest.raises(BadRequestData, match="reload is invalid"):
            await node.contexts.delete("", reference, CAUSE, reload=True)
    with pytest.raises(ResourceNotFound):
        await node.contexts.delete("", "unknown", CAUSE)


@pytest.mark.parametrize("document", [5, [], {}, {"context": {}}])
async def test_add_refuses_a_document_without_context(node: Node, document: Any) -> None:
    with pytest.raises(InvalidRequest, match="@context is required"):
        await node.contexts.add("", document, CAUSE)


@pytest.mark.parametrize("context", [5, None, "", {"a": 5}, {"a": {"@id": "x", "@context": {}}}, [[5]]])
async def test_add_refuses_an_invalid_context(node: Node, context: Any) -> None:
    with pytest.raises(BadRequestData, match="@context"):
        await node.contexts.add("", {"@context": context}, CAUSE)
    assert await node.contexts.list("") == []


async def test_implicitly_created_context_has_one_url_however_often_it_is_asked(
    node: Node, library: Library
) -> None:
    source = [library.put("/a.jsonld", {"speed": "https://a.example/speed"}), CORE_URL]
    url = await node.contexts.host_implicitly(source)
    assert await node.contexts.host_implicitly(source) == url
    assert await node.fresh().host_implicitly(source) == url
    assert (await node.contexts.resolve(url)).expand_term("speed") == "https://a.example/speed"
    (told,) = await node.contexts.list("", "ImplicitlyCreated")
    assert told["URL"] == url
    assert await node.contexts.serve("", told["localId"]) == {"@context": source}
    assert await node.contexts.host_implicitly(url) == url


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 3600),
        ({"cache-control": "public, max-age=60"}, 60),
        ({"cache-control": "max-age=60, s-maxage=30"}, 30),
        ({"cache-control": "S-MaxAge=30"}, 30),
        ({"cache-control": "no-store"}, 0),
        ({"cache-control": "max-age=60, no-cache"}, 0),
        ({"expires": "Thu, 01 Jan 2026 12:10:00 GMT"}, 600),
        ({"expires": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0),
        ({"expires": "0"}, 0),
        ({"expires": "Thu, 01 Jan 2026 12:10:00 GMT", "cache-control": "max-age=5"}, 5),
    ],
)
def test_expiry_follows_the_headers(headers: dict[str, str], seconds: int) -> None:
    assert expiry(headers, NOON, 3600) == NOON + seconds * SECOND
