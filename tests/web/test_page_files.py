"""The page's files: compressed for who takes it, whole for who does not, and never another type."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope

from cityloom.model.clock import SystemClock
from cityloom.model.settings import Settings
from cityloom.web.edge import Edge
from cityloom.web.headers import Headers
from cityloom.web.load import Load
from cityloom.web.page import add_page
from cityloom.web.paths import Paths


class _Nowhere:
    """Answers what is no path of the page."""

    async def answer(self, scope: Scope, receive: Receive, headers: Headers, variables: object) -> Response:
        return Response(status_code=404)


CODE = b"export const city = 'Loomhaven';\n" * 100


@pytest.fixture
def client(tmp_path: Path) -> httpx.AsyncClient:
    """The page's routes over a folder with one file that has a compressed twin, and one that has none."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "index-1.mjs").write_bytes(CODE)
    (assets / "index-1.mjs.gz").write_bytes(gzip.compress(CODE))
    (assets / "licences.md").write_text("free")
    paths = Paths(_Nowhere())
    add_page(paths, tmp_path)
    app = Edge(paths, Settings(), lambda operation, status, seconds: None, Load(10, 1000), SystemClock())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip, br", "gzip"), ("identity", None)])
async def test_file_is_sent_compressed_when_that_is_accepted(
    client: httpx.AsyncClient, accepted: str, encoding: str | None
) -> None:
    async with client:
        answer = await client.get("/assets/index-1.mjs", headers={"Accept-Encoding": accepted})
        assert answer.status_code == 200
        assert answer.content == CODE
        assert answer.headers.get("content-encoding") == encoding
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["vary"] == "Accept-Encoding"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "immutable" in answer.headers["cache-control"]


async def test_file_without_a_compressed_twin_is_sent_whole(client: httpx.AsyncClient) -> None:
    async with client:
        answer = await client.get("/assets/licences.md", headers={"Accept-Encoding": "gzip"})
        assert answer.text == "free"
        assert "content-encoding" not in answer.headers
        assert (await client.get("/assets/none.js")).status_code == 404
