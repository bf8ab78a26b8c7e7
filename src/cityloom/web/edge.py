"""The ASGI application: what every request passes, from its head to the line in the log.

Its id, raw path and Host are looked at, what answers the path is asked, and the answer is sent with
what every answer tells. There is no chain of middleware: a request costs little more than its answer.

Source: ETSI GS CIM 009 clause 6.2 (resource paths); RFC 9110 section 7.2 (Host).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from itertools import count
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cityloom.model.clock import Clock, SimulatedClock
from cityloom.model.errors import Forbidden
from cityloom.model.settings import Settings
from cityloom.model.time import format_datetime
from cityloom.web.headers import TENANT, Headers
from cityloom.web.load import Counted, Load
from cityloom.web.open311_answers import OPEN311_ROOT, error_answer
from cityloom.web.paths import Paths
from cityloom.web.problem import problem_response
from cityloom.web.resource import NGSI_LD_ROOT

log = structlog.get_logger("cityloom.access")

REQUEST_ID: Final = "x-request-id"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_FROM_ELSEWHERE: Final = Forbidden(
    "header Host is invalid: this node answers for loopback alone (setting publicUrl)"
)
_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")
_BODILESS: Final = frozenset({"GET", "HEAD"})
_TENANT: Final = TENANT.encode()

Observe = Callable[[str, int, float], None]
"""Is told of every request: operation ("" where nothing was routed), status, seconds."""


class Edge:
    """Answers HTTP.

    Paths are routed as they came, percent-encoded, so that an id may hold an
    encoded slash; one trailing slash means nothing and never redirects. A node
    on loopback answers only for loopback's names (and its public URL's), so
    that a page from elsewhere cannot reach it under a name of its own. Where the clock is moved by hand,
    each answer tells its time, and how fast it goes: `Cityloom-Time: 2011-08-28T11:48:00Z; speed=600`.
    """

    def __init__(self, paths: Paths, settings: Settings, observe: Observe, load: Load, clock: Clock) -> None:
        self._played = clock if isinstance(clock, SimulatedClock) else None
        self._paths = paths
        self._observe = observe
        self._load = load
        # Of each process its own, which may be a fork of another one's.
        self._process = os.urandom(8).hex()
        self._numbers = count(int.from_bytes(os.urandom(4)))
        self._hosts: frozenset[str] | None = None
        if settings.loopback:
            public = urlsplit(settings.public_url).hostname
            self._hosts = _LOOPBACK | {settings.host} | ({public} if public else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = Headers(scope["headers"])
        request_id, cause = self._ids(headers.get(REQUEST_ID))
        scope["request_id"] = cause
        raw = scope.get("raw_path")
        path = raw.decode("ascii", "replace") if raw else scope["path"]
        scope["path"] = path[:-1] if len(path) > 1 and path.endswith("/") else path
        status = 0
        try:
            response = await self._answer(scope, receive, headers)
            status = response.status_code
            tell = response.raw_headers
            tell.append((b"x-request-id", request_id.encode()))
            tell.append(_NO_SNIFFING)
            if self._played is not None:
                told = f"{format_datetime(self._played.now())}; speed={self._played.speed:g}"
                tell.append((b"cityloom-time", told.encode()))
            tenant = headers.get(TENANT)
            if tenant is not None:
                tell.append((_TENANT, tenant.encode("latin-1")))
            await response(scope, receive, send)
        finally:
            seconds = time.perf_counter() - started
            operation = scope.get("operation", "")
            self._observe(operation, status, seconds)
            log.info(
                "request",
                requestId=cause,
                method=scope["method"],
                path=scope.get("logged_path", path)[:500],
                operation=operation,
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )

    def _ids(self, given: str | None) -> tuple[str, str]:
        """The id to answer with, and the one that causes are named by: no two requests share it.

        Counted on from a random beginning: to ask the system for each would let go of the interpreter.
        """
        made = f"{self._process}{next(self._numbers):016x}"
        if given is None or _GIVEN_ID.fullmatch(given) is None:
            return made, made
        return given, f"{given}:{made}"

    async def _answer(self, scope: Scope, receive: Receive, headers: Headers) -> Response:
        load, path = self._load, scope["path"]
        overloaded = load.refusal(path)
        if overloaded is not None:
            if path.startswith(OPEN311_ROOT):
                return error_answer(overloaded, path)
            return problem_response(overloaded, ngsi_ld=path.startswith(NGSI_LD_ROOT))
        if self._hosts is not None and _host(headers) not in self._hosts:
            return problem_response(_FROM_ELSEWHERE, ngsi_ld=False)
        endpoint, variables = self._paths.find(path)
        body = None if scope["method"] in _BODILESS else Counted(receive, load)
        load.requests += 1
        try:
            return await endpoint.answer(scope, body or receive, headers, variables)
        finally:
            load.requests -= 1
            if body is not None:
                load.release(body.held)


def _host(headers: Headers) -> str:
    host = headers.get("host", "")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
