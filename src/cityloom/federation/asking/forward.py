"""Asking one context source: what a request to it must carry, and what its answer means.

Source: ETSI GS CIM 009 clauses 4.3.6.4 to 4.3.6.6, 5.2.34, 6.3.17 to 6.3.19.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

from cityloom.broker.ports import Call, Forwarding
from cityloom.federation.asking import cached
from cityloom.federation.asking.cached import AnswerCache
from cityloom.federation.registrations.registration import Counters, Registration
from cityloom.federation.registrations.registry import Registry
from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts
from cityloom.ld.link import write_context_link
from cityloom.model.clock import Clock
from cityloom.model.errors import (
    CityloomError,
    LoopDetected,
    OutgoingFailed,
    OutgoingRefused,
    SourceFailed,
    SourceTimedOut,
)
from cityloom.model.settings import Settings
from cityloom.model.time import format_datetime
from cityloom.net.client import Outgoing
from cityloom.net.reply import Reply

_ROOT: Final = "/ngsi-ld/v1"
_FROM_REQUEST: Final = "urn:ngsi-ld:request"
_JSON: Final = "application/json"
_LD_JSON: Final = "application/ld+json"
_MEANINGFUL: Final = frozenset({"jsonldContext", "accept", "contentType", "ngsildConformance"})
"""Keys of contextSourceInfo that are no headers (4.3.6.6)."""
_NOT_OVERRIDDEN: Final = frozenset(
    ("host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "link", "via")
) | {"ngsild-tenant", "te", "trailer", "upgrade", "expect"}
_ERRORS: Final = "https://uri.etsi.org/ngsi-ld/errors/"
_SAFE: Final = ":@!$'()*;~"
ENTITY_MAP: Final = "NGSILD-EntityMap"
"""The header that tells the location of an entity map (6.4.3.2)."""
SUBSCRIPTIONS: Final = "/subscriptions"
_NEXT: Final = re.compile(r"""rel\s*=\s*["']?next\b""")
"""In a Link header: another page follows (6.3.10)."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Answer(Struct, frozen=True):
    """What a source answered: a status below 300, or 404, its document (None: nothing), if there is more.

    `entity_map` is the location of the entity map that it used, and `location` that of what it
    made, as it told them.
    """

    status: int
    document: Any
    more: bool = False
    entity_map: str = ""
    location: str = ""


class Forwarder:
    """Sends requests to context sources, each with its own time limit, and counts how they fare.

    Args:
        alias: this node's pseudonym in Via headers.
        tell_written: tells other processes that something was written at a source (by tenant and
            registration) whose answers are kept; None: there are no others.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        contexts: Contexts,
        registry: Registry,
        clock: Clock,
        settings: Settings,
        alias: str,
        tell_written: Callable[[str, str], Awaitable[None]] | None = None,
    ) -> None:
        self._outgoing = outgoing
        self._contexts = contexts
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self._alias = alias
        self._tell_written = tell_written
        self._resting: dict[tuple[str, str], int] = {}
        self._cache = AnswerCache[Answer]()

    def alias(self, tenant: str) -> str:
        """The pseudonym of a tenant of this node (5.2.40)."""
        return f"{self._alias}~{quote(tenant, safe='')}".replace("%", "~") if tenant else self._alias

    def loops(self, call: Call, registration: Registration) -> bool:
        """Whether a request has been here, or at this source, before (4.3.6.4)."""
        via = call.forwarding.via if call.forwarding is not None else ()
        return self.alias(call.tenant) in via or registration.context_source_alias in via

    def returned(self, call: Call) -> bool:
        """Whether a request has been here before (4.3.6.4)."""
        return call.forwarding is not None and self.alias(call.tenant) in call.forwarding.via

    async def language(self, call: Call, registration: Registration) -> LdContext:
        """The @context in which a source is spoken to. Raises LdContextNotAvailable, BadRequestData."""
        url = _info(registration).get("jsonldContext")
        if url is not None:
            return await self._contexts.resolve(url, call.tenant)
        given = call.forwarding.ld_context if call.forwarding is not None else None
        return given or LdContext.core

    async def ask(
        self,
        call: Call,
        registration: Registration,
        method: Method,
        path: str,
        ld_context: LdContext,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        entity_map: str = "",
        declined: frozenset[int] = frozenset(),
    ) -> Answer:
        """Sends one request, and returns an answer that is a success, or that nothing was found.

        Where the registration has a `cacheDuration`, what was answered to the same request is told again for
        so long, which is a warning (110); after something was written there it is asked anew.

        Args:
            path: below the root of the binding, percent-encoded.
            ld_context: what `params` and `body` are written in; see `language`.
            params: query parameters.
            body: a JSON value without `@context`.
            entity_map: the location of the source's own entity map that it is to use.
            declined: statuses that say no more than that the source does not know the operation;
                they are answered, and are no failure.

        Raises:
            LoopDetected, SourceTimedOut, SourceFailed.
        """
        if self.loops(call, registration):
            raise LoopDetected(f"registration {registration.id} leads back to where the request has been")
        key = (call.tenant, registration.id)
        now = self._clock.now()
        headers, data = await self._written(call, registration, ld_context, body)
        if entity_map:
            headers[ENTITY_MAP] = entity_map
        query = dict(params or {})
        management = registration.management
        # A subscription says it of itself, as localOnly (5.2.12).
        if management is not None and management.local_only and not path.startswith(SUBSCRIPTIONS):
            query["local"] = "true"
        url = _url(registration, path, query)
        fresh = bool(entity_map) or (call.forwarding is not None and call.forwarding.fresh)
        kept_for = 0 if fresh else cached.kept_for(registration, method, path)
        cache_key = cached.key_of(call.tenant, registration, url, headers)
        if kept_for and (known := self._cache.get(cache_key, now)) is not None:
            if call.forwarding is not None:
                told = f'110 {self.alias(call.tenant)} "registration {registration.id}: told as of before"'
                call.forwarding.warnings.append(told)
            return known
        if now < self._resting.get(key, 0):
            raise SourceTimedOut(
                f"the source of registration {registration.id} is left alone after a failure"
            )
        timeout = self._settings.source_timeout
        if management is not None and management.timeout is not None:
            timeout = management.timeout / 1000
        try:
            reply = await self._outgoing.send(
                method,
                url,
                headers=headers,
                body=data,
                max_bytes=self._settings.max_body_bytes,
                timeout=timeout,
            )
            answer = Answer(reply.status, None) if reply.status in declined else _read(registration, reply)
        except OutgoingFailed as error:
            self._count(key, registration, failed=True)
            detail = f"the source of registration {registration.id} did not answer: {error.detail}"
            raise SourceTimedOut(detail) from None
        except OutgoingRefused as error:
            self._count(key, registration, failed=True)
            raise SourceFailed(f"registration {registration.id}: {error.detail}") from None
        except CityloomError:
            self._count(key, registration, failed=True)
            raise
        self._count(key, registration, failed=False)
        if kept_for and reply.status not in declined:
            self._cache.put(cache_key, answer, len(reply.body), now + kept_for)
        elif method != "GET" and not path.endswith("/query"):
            self._cache.forget(*key)
            if self._tell_written is not None and management is not None and management.cache_duration:
                await self._tell_written(*key)
        return answer

    def forget_answers(self, tenant: str, registration: str) -> None:
        """Hears that something was written at a source: what it answered before counts no more."""
        self._cache.forget(tenant, registration)

    async def _written(
        self, call: Call, registration: Registration, ld_context: LdContext, body: Any
    ) -> tuple[dict[str, str], bytes]:
        """The headers and the body of a request (6.3.18, 6.3.19)."""
        forwarding = call.forwarding or Forwarding()
        info = _info(registration)
        headers: dict[str, str] = {}
        for name, value in info.items():
            if name in _MEANINGFUL or name.lower() in _NOT_OVERRIDDEN:
                continue
            if value == _FROM_REQUEST:
                if name.lower() not in forwarding.headers:
                    continue
                value = forwarding.headers[name.lower()]
            headers[name] = value
        headers["Accept"] = info.get("accept", _JSON)
        headers["Via"] = ", ".join(f"1.1 {name}" for name in (*forwarding.via, self.alias(call.tenant)))
        if registration.tenant is not None:
            headers["NGSILD-Tenant"] = registration.tenant
        in_body = body is not None and info.get("contentType") == _LD_JSON and "jsonldContext" not in info
        if in_body:
            source = ld_context.source
            parts = body if isinstance(body, list) else [body]
            told = [{**part, "@context": source} if isinstance(part, dict) else part for part in parts]
            body = told if isinstance(body, list) else told[0]
        elif ld_context is not LdContext.core:
            url = await self._contexts.host_implicitly(ld_context.source, call.tenant)
            headers["Link"] = write_context_link(url)
        if body is None:
            return headers, b""
        headers["Content-Type"] = _LD_JSON if in_body else _JSON
        return headers, msgspec.json.encode(body)

    def _count(self, key: tuple[str, str], registration: Registration, *, failed: bool) -> None:
        now = self._clock.now()
        stamp = format_datetime(now)
        if failed:
            counted = Counters(status="failed", times_sent=1, times_failed=1, last_failure=stamp)
            management = registration.management
            if management is not None and management.cooldown is not None:
                self._resting[key] = now + round(management.cooldown * 1000)
        else:
            counted = Counters(status="ok", times_sent=1, last_success=stamp)
            self._resting.pop(key, None)
        self._registry.count(*key, counted)


def segment(text: str) -> str:
    """One segment of a path, percent-encoded."""
    return quote(text, safe=_SAFE)


def _info(registration: Registration) -> dict[str, str]:
    return {pair.key: pair.value for pair in registration.context_source_info or ()}


def _url(registration: Registration, path: str, params: Mapping[str, str]) -> str:
    root = registration.endpoint.rstrip("/")
    if not root.endswith(_ROOT):
        root += _ROOT
    query = "&".join(f"{name}={quote(value, safe=_SAFE + ',')}" for name, value in params.items())
    return f"{root}{path}?{query}" if query else root + path


def _read(registration: Registration, reply: Reply) -> Answer:
    document: Any = None
    readable = True
    if reply.body.strip():
        try:
            document = msgspec.json.decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            readable = False
    if reply.status < 300 or reply.status == 404:
        if not readable and reply.status != 404:
            raise SourceFailed(
                f"the source of registration {registration.id} answered what is no JSON", unreadable=True
            )
        more = _NEXT.search(reply.headers.get("link", "")) is not None
        used, made = reply.headers.get(ENTITY_MAP.lower(), ""), reply.headers.get("location", "")
        return Answer(reply.status, document, more, used, made)
    told = document.get("detail") or document.get("title") if isinstance(document, dict) else None
    detail = f"the source of registration {registration.id} answered {reply.status}"
    if reply.status == 508:
        raise LoopDetected(detail)
    if reply.status == 504:
        raise SourceTimedOut(detail)
    raise SourceFailed(
        f"{detail}: {told}" if isinstance(told, str) else detail, status=reply.status, **kind_of(document)
    )


def kind_of(problem: Any) -> dict[str, str]:
    """Type and title of a problem that a source told, where it is one of the standard's (5.5.2)."""
    if not isinstance(problem, dict):
        return {}
    told = {name: text for name in ("type", "title") if isinstance(text := problem.get(name), str)}
    return told if told.get("type", "").startswith(_ERRORS) else {}
