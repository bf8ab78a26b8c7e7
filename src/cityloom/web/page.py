"""The page: static files built from web-ui, under a policy that lets nothing in from elsewhere."""

from __future__ import annotations

from mimetypes import guess_type
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC: Final = Path(__file__).with_name("static")

_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_NOT_BUILT: Final = (
    "The page is not built. Run `make page` in the project's folder, or `make run`, which does it first.\n"
    "The API is there all the same: /city, /map/layers, /openapi.json and /ngsi-ld/v1/.\n"
)


class _Assets(StaticFiles):
    """Files whose names hold a digest of their content: they never change.

    Beside some lies what it is when compressed; who takes gzip gets that.
    """

    async def check_config(self) -> None:
        """A page that is not built yet has no files: each of them is 404, and found once it is built."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await self._compressed(path, scope) or await super().get_response(path, scope)
        except HTTPException as error:
            return PlainTextResponse("This file does not exist.\n", status_code=error.status_code)
        response.headers["Cache-Control"] = _FOR_EVER
        response.headers["Vary"] = "Accept-Encoding"
        response.headers.update(_HEADERS)
        return response

    async def _compressed(self, path: str, scope: Scope) -> Response | None:
        """The compressed file, where there is one and it is wanted."""
        if "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            return None
        try:
            response = await super().get_response(f"{path}.gz", scope)
        except HTTPException:
            return None
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Type"] = guess_type(path)[0] or "application/octet-stream"
        return response


def page_routes(static: Path = STATIC) -> list[BaseRoute]:
    """`/` and `/assets/...`; a clear text where the page is not built."""

    async def index(request: Request) -> Response:
        request.scope["operation"] = "page"
        file = static / "index.html"
        if not file.is_file():
            return PlainTextResponse(_NOT_BUILT, status_code=503)
        return FileResponse(file, headers={**_HEADERS, "Cache-Control": "no-cache"})

    return [
        Route("/", index),
        Mount("/assets", _Assets(directory=static / "assets", check_dir=False)),
    ]
