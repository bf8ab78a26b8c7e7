"""The guarded client against real servers on loopback."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator

import aiohttp.web
import pytest

from cityloom.model.errors import OutgoingFailed, OutgoingRefused
from cityloom.net.client import Outgoing, OutgoingSettings

web = aiohttp.web

OPEN = OutgoingSettings(
    allow_loopback=True, connect_timeout=2, total_timeout=5, max_bytes=10_000, max_redirects=3
)


class City:
    """A small server with every bad habit; `seen` are the headers of each request."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.base = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append({name.lower(): value for name, value in request.headers.items()})
        match request.path:
            case "/ok":
                return web.json_response({"hello": "city"}, headers={"Cache-Control": "max-age=60"})
            case "/echo":
                return web.Response(body=await request.read(), status=201)
            case "/slow":
                await asyncio.sleep(30)
            case "/large":
                return web.Response(body=b"x" * 20_000)
            case "/bomb":
                squeezed = gzip.compress(b"\0" * 5_000_000)
                return web.Response(body=squeezed, headers={"Content-Encoding": "gzip"})
            case "/endless":
                response = web.StreamResponse()
                await response.prepare(request)
                while True:
                    await response.write(b"y" * 1000)
            case "/drip":
                response = web.StreamResponse()
                await response.prepare(request)
                while True:
                    await response.write(b"z")
                    await asyncio.sleep(0.05)
            case "/to":
                raise web.HTTPFound(request.query["url"])
            case "/loop":
                raise web.HTTPFound("/loop")
        return web.Response(status=404)


@pytest.fixture
async def city() -> AsyncIterator[City]:
    city = City()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", city.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    city.base = f"http://127.0.0.1:{port}"
    yield city
    await runner.cleanup()


async def test_get_answers_status_headers_and_body(city: City) -> None:
    async with Outgoing(OPEN) as outgoing:
        reply = await outgoing.get(f"{city.base}/ok", accept="application/ld+json")
    assert reply.status == 200
    assert reply.body == b'{"hello": "city"}'
    assert reply.headers["cache-control"] == "max-age=60"
    assert city.seen[0]["accept"] == "application/ld+json"


async def test_post_sends_body_and_headers(city: City) -> None:
    async with Outgoing(OPEN) as outgoing:
        reply = await outgoing.post(f"{city.base}/echo", headers={"X-Key": "1"}, body=b"payload")
    assert (reply.status, reply.body, city.seen[0]["x-key"]) == (201, b"payload", "1")


async def test_post_answers_a_redirect_without_following_it(city: City) -> None:
    async with Outgoing(OPEN) as outgoing:
        reply = await outgoing.post(f"{city.base}/to?url={city.base}/echo", headers={}, body=b"secret")
    assert reply.status == 302
    assert len(city.seen) == 1


async def test_get_fails_when_the_other_side_is_slow(city: City) -> None:
    async with Outgoing(OPEN) as outgoing:
        with pytest.raises(OutgoingFailed, match="did not answer within"):
            await outgoing.get(f"{city.base}/slow", timeout=0.2)


async def test_get_fails_when_the_body_only_drips(city: City) -> None:
    async with Outgoing(OPEN) as outgoing:
        with pytest.raises(OutgoingFailed, match="did not answer within"):
            await outgoing.get(f"{city.base}/drip", timeout=0.3)


@pytest.mark.parametrize("path", ["/large", "/bomb", "/endless"])
async def test_get_fails_when_the_body_is_too_large(city: City, path: str) -> None:
    async with Outgoing(OPEN) as outgoing:
        with pytest.raises(OutgoingFailed, match="more than 10000 bytes"):
            await outgoing.get(f"{city.base}{path}")


async def test_get_follows_a_redirect(city: City) -> None:
    async with Outgoing(OPEN) as outgoing:
        reply = await outgoing.get(f"{city.base}/to?url=/ok")
    assert reply.body == b'{"hello": "city"}'
    assert reply.url == f"{city.base}/ok"


async def test_get_drops_headers_when_redirected_to_another_host(city: City) -> None:
    elsewhere = city.base.replace("127.0.0.1", "localhost")
    async with Outgoing(OPEN) as outgoing:
        await outgoing.get(f"{city.base}/to?url={elsewhere}/ok", headers={"Authorization": "Bearer x"})
    assert "authorization" in city.seen[0]
    assert "authorization" not in city.seen[1]


async def test_get_fails_when_redirected_for_ever(city: City) -> None:
    async with Outgoing(OPEN) as outgoing:
        with pytest.raises(OutgoingFailed, match="redirected more than 3 times"):
            await outgoing.get(f"{city.base}/loop")
    assert len(city.seen) == 4


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://10.0.0.1/",
        "http://[fd00:ec2::254]/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
    ],
)
async def test_get_refuses_a_redirect_to_a_forbidden_address(city: City, target: str) -> None:
    async with Outgoing(OPEN) as outgoing:
        with pytest.raises(OutgoingRefused):
            await outgoing.get(f"{city.base}/to?url={target}")
    assert len(city.seen) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/ok",
        "http://localhost:{port}/ok",
        "http://2130706433:{port}/ok",
        "http://0x7f000001:{port}/ok",
        "http://127.1:{port}/ok",
        "http://[::ffff:127.0.0.1]:{port}/ok",
        "http://[::1]:{port}/ok",
    ],
)
async def test_get_refuses_loopback_however_it_is_written_when_not_allowed(city: City, url: str) -> None:
    port = city.base.rpartition(":")[2]
    async with Outgoing(OutgoingSettings(allow_loopback=False)) as outgoing:
        with pytest.raises(OutgoingRefused):
            await outgoing.get(url.format(port=port))
    assert city.seen == []


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://0.0.0.0/", "http://[::]/", "http://224.0.0.1/"]
)
async def test_get_refuses_link_local_and_reserved_addresses_whatever_is_allowed(url: str) -> None:
    settings = OutgoingSettings(allow_loopback=True, allow_private=True)
    async with Outgoing(settings) as outgoing:
        with pytest.raises(OutgoingRefused, match="link-local, cloud-metadata and reserved"):
            await outgoing.get(url)


async def test_get_refuses_a_name_that_resolves_to_a_forbidden_address_the_second_time(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a check of an earlier answer would let the second one pass."""
    answers = iter(["127.0.0.1", "169.254.169.254"])
    port = int(city.base.rpartition(":")[2])

    def resolve(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = f"http://city.example:{port}/ok"
    async with Outgoing(OPEN) as first:
        assert (await first.get(url)).status == 200
    async with Outgoing(OPEN) as second:
        with pytest.raises(OutgoingRefused):
            await second.get(url)


async def test_get_calls_only_named_hosts_when_the_settings_name_some(city: City) -> None:
    port = city.base.rpartition(":")[2]
    settings = OutgoingSettings(allow_loopback=True, allow_hosts=("127.0.0.1",))
    async with Outgoing(settings) as outgoing:
        assert (await outgoing.get(f"{city.base}/ok")).status == 200
        with pytest.raises(OutgoingRefused, match="do not name the host localhost"):
            await outgoing.get(f"http://localhost:{port}/ok")
    settings = OutgoingSettings(allow_loopback=True, allow_hosts=(f"localhost:{port}",))
    async with Outgoing(settings) as outgoing:
        assert (await outgoing.get(f"http://localhost:{port}/ok")).status == 200


async def test_get_fails_when_nothing_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with Outgoing(OPEN) as outgoing:
            with pytest.raises(OutgoingFailed, match="could not be reached"):
                await outgoing.get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "url", ["", "not a url", "http://", "//host/x", "ftp://host/", "http://[::1", "http://a:99999/"]
)
async def test_get_refuses_a_malformed_url(url: str) -> None:
    async with Outgoing(OPEN) as outgoing:
        with pytest.raises(OutgoingRefused, match="is invalid"):
            await outgoing.get(url)


async def test_get_refuses_a_url_that_is_too_long() -> None:
    async with Outgoing(OPEN) as outgoing:
        with pytest.raises(OutgoingRefused, match="longer than"):
            await outgoing.get("http://127.0.0.1/" + "x" * 10_000)
