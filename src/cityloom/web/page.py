"""The page: static files built from web-ui, under a policy that lets nothing in from elsewhere."""

from __future__ import annotations

from mimetypes import guess_type
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope

from cityloom.web.headers import Headers
from cityloom.web.paths import Paths

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


class _Assets:
    """Files whose names hold a digest of their content: they never change.

    Beside some lies what it is when compressed; who takes gzip gets that. A page that is not built
    yet has no files: each of them is 404, and found once it is built.
    """

    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder, check_dir=False)

    async def answer(
        self, scope: Scope, receive: Receive, headers: Headers, variables: dict[str, str]
    ) -> Response:
        path = variables["file"]
        try:
            response = await self._compressed(path, scope, headers)
            response = response or await self._files.get_response(path, scope)
        except HTTPException as error:
            return PlainTextResponse("This file does not exist.\n", status_code=error.status_code)
        response.headers["Cache-Control"] = _FOR_EVER
        response.headers["Vary"] = "Accept-Encoding"
        response.headers.update(_HEADERS)
        return response

    async def _compressed(self, path: str, scope: Scope, headers: Headers) -> Response | None:
        """The compressed file, where there is one and it is wanted."""
        if "gzip" not in headers.get("accept-encoding", ""):
            return None
        try:
            response = await self._files.get_response(f"{path}.gz", scope)
        except HTTPException:
            return None
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Type"] = guess_type(path)[0] or "application/octet-stream"
        return response


class _Index:
    """The page itself; a clear text where it is not built."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def answer(
        self, scope: Scope, receive: Receive, headers: Headers, variables: dict[str, str]
    ) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("Method Not Allowed", status_code=405, headers={"Allow": "GET, HEAD"})
        scope["operation"] = "page"
        if not self._file.is_file():
            return PlainTextResponse(_NOT_BUILT, status_code=503)
        return FileResponse(self._file, headers={**_HEADERS, "Cache-Control": "no-cache"})


def add_page(paths: Paths, static: Path = STATIC) -> None:
    """Adds `/` and `/assets/...`."""
    paths.add("/", _Index(static / "index.html"))
    paths.add("/assets/{file}", _Assets(static / "assets"), "file")
