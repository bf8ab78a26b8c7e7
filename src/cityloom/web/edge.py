"""What every request passes first: its id, raw path and Host, the access line and the meters.

Source: ETSI GS CIM 009 clause 6.2 (resource paths); RFC 9110 section 7.2 (Host).
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cityloom.model.errors import Forbidden
from cityloom.model.settings import Settings
from cityloom.web.metrics import Metrics
from cityloom.web.problem import problem_response

log = structlog.get_logger("cityloom.access")

REQUEST_ID: Final = "X-Request-Id"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Edge:
    """Middleware around all routes.

    Paths are routed as they came, percent-encoded, so that an id may hold an
    encoded slash; one trailing slash means nothing and never redirects. A node
    on loopback answers only for loopback's names (and its public URL's), so
    that a page from elsewhere cannot reach it under a name of its own.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts: frozenset[str] | None = None
        if settings.loopback:
            public = urlsplit(settings.public_url).hostname
            self._hosts = _LOOPBACK | {settings.host} | ({public} if public else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        request_id, cause = _request_ids(headers.get(REQUEST_ID))
        scope["request_id"] = cause
        path = scope["raw_path"].decode("ascii", "replace") if scope.get("raw_path") else scope["path"]
        scope["path"] = path[:-1] if len(path) > 1 and path.endswith("/") else path
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out[REQUEST_ID] = request_id
                out["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            if self._hosts is not None and _host(headers) not in self._hosts:
                refusal = Forbidden(
                    "header Host is invalid: this node answers for loopback alone (setting publicUrl)"
                )
                await problem_response(refusal, ngsi_ld=False)(scope, receive, answer)
            else:
                await self._app(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - started
            operation = scope.get("operation", "")
            self._metrics.observe(operation, status, seconds)
            log.info(
                "request",
                requestId=cause,
                method=scope["method"],
                path=scope.get("logged_path", path)[:500],
                operation=operation,
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )


def _request_ids(given: str | None) -> tuple[str, str]:
    """The id to answer with, and the one that causes are named by: no two requests share it."""
    made = uuid.uuid4().hex
    if given is None or _GIVEN_ID.fullmatch(given) is None:
        return made, made
    return given, f"{given}:{made[:12]}"


def _host(headers: Headers) -> str:
    host = headers.get("host", "")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
