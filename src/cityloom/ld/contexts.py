"""`Contexts`: resolves what a request gives as its `@context`, and manages those that are kept.

A context is compiled once and kept in memory; the documents behind it are kept
in the store, so that a node that restarts, or loses the network, still knows
them. However many requests wait for one document, it is fetched once.

Source: ETSI GS CIM 009 clauses 5.5.5, 5.5.7, 5.13, 6.3.5, 6.3.16.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from cityloom.ld.context import LdContext, compile_context
from cityloom.ld.core_terms import CORE_URL, CORE_URLS
from cityloom.ld.kept import (
    DOCUMENT_KIND,
    PATH,
    ContextKind,
    Keeper,
    KeptContext,
    cached_id,
    describe,
    expiry,
    implicit_id,
    new_id,
    read_kept,
)
from cityloom.ld.limits import DEFAULT_LIMITS, Limits
from cityloom.ld.link import parse_links
from cityloom.model.clock import Clock
from cityloom.model.entity import DEFAULT_VOCAB
from cityloom.model.errors import (
    BadRequestData,
    CityloomError,
    InvalidRequest,
    LdContextNotAvailable,
    OperationNotSupported,
    OutgoingFailed,
    OutgoingRefused,
    ResourceNotFound,
)
from cityloom.model.events import Cause
from cityloom.model.tenants import split_tenant
from cityloom.net.client import Outgoing
from cityloom.net.reply import Reply

T = TypeVar("T")

_ACCEPT: Final = "application/ld+json, application/json;q=0.9, */*;q=0.1"
_CAUSE: Final = Cause(kind="system", id="system:ld-contexts", operation="cacheContext")
_RETRY: Final = 60 * 1_000_000
"""After a failed refresh the old document serves for so long (µs) before the next try."""

_log = structlog.get_logger(__name__)


class ContextSettings(Struct, frozen=True, kw_only=True):
    """How contexts are kept: `public_url` is this node's address as others reach it; `max_age` the
    seconds that a document is good for where its server tells nothing; `compiled_terms` how many
    terms the contexts compiled in memory may have together."""

    public_url: str = "http://127.0.0.1:8026"
    max_age: float = 24 * 3600
    compiled_terms: int = 200_000


class _Compiled(Struct, frozen=True):
    """A context in memory, the kept documents that it was made of, and when one of them expires (µs)."""

    ld_context: LdContext
    uses: tuple[str, ...]
    expires: int | None
    weight: int


class Contexts:
    """All contexts of a node, tenant by tenant."""

    def __init__(
        self,
        keeper: Keeper,
        outgoing: Outgoing,
        clock: Clock,
        limits: Limits = DEFAULT_LIMITS,
        settings: ContextSettings | None = None,
    ) -> None:
        self._keeper = keeper
        self._outgoing = outgoing
        self._clock = clock
        self._limits = limits
        self._settings = settings or ContextSettings()
        self._compiled: OrderedDict[tuple[str, str | bytes], _Compiled] = OrderedDict()
        self._weight = 0
        self._compiling: dict[tuple[str, str | bytes], asyncio.Task[LdContext]] = {}
        self._fetching: dict[tuple[str, str], asyncio.Task[KeptContext]] = {}
        self._usage: dict[tuple[str, str], tuple[int, int]] = {}
        self._hosted: dict[tuple[str, bytes], str] = {}

    # -- resolving ---------------------------------------------------------

    async def resolve(self, source: Any, tenant: str = "") -> LdContext:
        """The compiled context for what a request gives, the core over it.

        Args:
            source: a URL, an object, an array of these, or None for the core alone.

        Raises:
            BadRequestData: the context is invalid.
            LdContextNotAvailable: a remote one cannot be had, or is none.

        Cost: a dictionary access when it is known; else a fetch of each document not kept.
        """
        if source is None or source == CORE_URL or source == []:
            return LdContext.core
        tenant, _ = split_tenant(tenant)
        key = (tenant, self._key(source))
        known = self._compiled.get(key)
        if known is not None and (known.expires is None or known.expires > self._clock.now()):
            self._compiled.move_to_end(key)
            self._count(tenant, known.uses)
            return known.ld_context
        return await _shared(self._compiling, key, lambda: self._compile(tenant, key, source))

    def _key(self, source: Any) -> str | bytes:
        if isinstance(source, str):
            return source
        try:
            key = msgspec.json.encode(source)
        except RecursionError:
            raise BadRequestData("@context is invalid: it is nested too deep") from None
        if len(key) > self._limits.context_bytes:
            raise BadRequestData(f"@context is invalid: it has more than {self._limits.context_bytes} bytes")
        return key

    async def _compile(self, tenant: str, key: tuple[str, str | bytes], source: Any) -> LdContext:
        behind: dict[str, KeptContext] = {}
        await self._gather(tenant, source, "", 0, behind)
        documents = {url: kept.context for url, kept in behind.items()}
        if documents:
            # A large context takes milliseconds, which are not the event loop's.
            ld_context = await asyncio.to_thread(compile_context, source, documents.__getitem__, self._limits)
        else:
            ld_context = compile_context(source, documents.__getitem__, self._limits)
        expiries = [kept.expires for kept in behind.values() if kept.expires is not None]
        uses = tuple(kept.id for kept in behind.values())
        self._remember(key, _Compiled(ld_context, uses, min(expiries, default=None), ld_context.term_count))
        self._count(tenant, uses)
        return ld_context

    def _remember(self, key: tuple[str, str | bytes], compiled: _Compiled) -> None:
        replaced = self._compiled.pop(key, None)
        self._weight += compiled.weight - (replaced.weight if replaced is not None else 0)
        self._compiled[key] = compiled
        while self._weight > self._settings.compiled_terms and len(self._compiled) > 1:
            _, dropped = self._compiled.popitem(last=False)
            self._weight -= dropped.weight

    async def _gather(
        self, tenant: str, context: Any, base: str, depth: int, behind: dict[str, KeptContext]
    ) -> None:
        """Collects every remote document that a context refers to, and those that they refer to."""
        for reference in _references(context):
            url = urljoin(base, reference)
            if url in CORE_URLS or url in behind:
                continue
            if len(url) > self._limits.url or urlsplit(url).scheme not in ("http", "https"):
                raise BadRequestData(f"@context is invalid: {url[:200]!r} is no http or https URL")
            if len(behind) >= self._limits.contexts or depth >= self._limits.context_depth:
                raise BadRequestData(
                    f"@context is invalid: it refers to more than {self._limits.contexts} documents, "
                    f"or deeper than {self._limits.context_depth}"
                )
            kept = behind[url] = await self._document(tenant, url)
            await self._gather(tenant, kept.context, url, depth + 1, behind)

    # -- documents ---------------------------------------------------------

    async def _document(self, tenant: str, url: str) -> KeptContext:
        """The document behind a URL: one of our own, a kept one, or fetched."""
        path = urlsplit(url).path
        if path.startswith(PATH):
            own = await self._get(tenant, path[len(PATH) :])
            if own is not None and own.kind != "Cached":
                return own
        kept = await self._get(tenant, cached_id(url))
        if kept is not None and (kept.expires is None or kept.expires > self._clock.now()):
            return kept
        try:
            return await self._fetch(tenant, url)
        except (LdContextNotAvailable, BadRequestData) as error:
            if kept is None:
                raise
            # A city goes on with what it knows while the other side is away (RFC 9111 4.2.4).
            _log.warning("stale_context_used", url=url, tenant=tenant, reason=error.detail)
            return replace(kept, expires=self._clock.now() + _RETRY)

    async def _fetch(self, tenant: str, url: str) -> KeptContext:
        return await _shared(self._fetching, (tenant, url), lambda: self._fetch_once(tenant, url))

    async def _fetch_once(self, tenant: str, url: str) -> KeptContext:
        reply, context = await self._download(url)
        now = self._clock.now()
        kept = KeptContext(
            id=cached_id(url),
            kind="Cached",
            context=context,
            created=now,
            url=url,
            expires=expiry(reply.headers, now, self._settings.max_age),
        )
        try:
            await self._put(tenant, kept, _CAUSE)
        except CityloomError as error:
            # It can be used all the same; it will be fetched again after a restart.
            _log.warning("context_not_kept", url=url, tenant=tenant, reason=error.detail)
        return kept

    async def _download(self, url: str) -> tuple[Reply, Any]:
        """Fetches a context document, by way of the JSON-LD alternate of a web page if there is one.

        Raises (5.5.6):
            LdContextNotAvailable: it cannot be had.
            BadRequestData: what is there is no context.
        """
        try:
            reply = await self._outgoing.get(url, accept=_ACCEPT, max_bytes=self._limits.context_bytes)
            alternate = _alternate(reply)
            if alternate is not None:
                target = urljoin(reply.url, alternate)
                reply = await self._outgoing.get(target, accept=_ACCEPT, max_bytes=self._limits.context_bytes)
        except (OutgoingRefused, OutgoingFailed) as error:
            raise LdContextNotAvailable(f"the @context {url} is not available: {error.detail}") from None
        if reply.status != 200:
            raise LdContextNotAvailable(
                f"the @context {url} is not available: its server answered {reply.status}"
            )
        try:
            document = msgspec.json.decode(reply.body)
        except (msgspec.DecodeError, RecursionError, ValueError):
            raise BadRequestData(f"the @context {url} is invalid: it is no JSON") from None
        if not isinstance(document, dict) or not _is_context(document.get("@context")):
            raise BadRequestData(f"the @context {url} is invalid: it holds no @context")
        return reply, document["@context"]

    # -- what users manage (5.13) -------------------------------------------

    async def add(self, tenant: str, document: Any, cause: Cause) -> str:
        """5.13.2: hosts a context; its local id.

        Args:
            document: a JSON object with the member `@context`.

        Raises:
            InvalidRequest: there is no `@context`.
            BadRequestData: it is invalid.
        """
        if not isinstance(document, dict) or "@context" not in document:
            raise InvalidRequest("@context is required: an object with this member is hosted")
        context = document["@context"]
        self._check(context)
        kept = KeptContext(id=new_id(), kind="Hosted", context=context, created=self._clock.now())
        await self._put(tenant, kept, cause)
        return kept.id

    async def host_implicitly(self, source: Any, tenant: str = "", cause: Cause = _CAUSE) -> str:
        """The URL at which a context without one is served (5.13.1, ImplicitlyCreated)."""
        key = self._key(source)
        if isinstance(key, str):
            return key
        if isinstance(source, list) and len(source) == 1 and isinstance(source[0], str):
            return source[0]
        tenant, _ = split_tenant(tenant)
        known = self._hosted.get((tenant, key))
        if known is not None:
            return known
        self._check(source)
        id = implicit_id(tenant, key)
        if await self._get(tenant, id) is None:
            kept = KeptContext(id=id, kind="ImplicitlyCreated", context=source, created=self._clock.now())
            await self._put(tenant, kept, cause)
        if len(self._hosted) >= 1000:
            self._hosted.clear()
        url = self._hosted[tenant, key] = self.url_of(id)
        return url

    async def list(self, tenant: str, kind: ContextKind | None = None) -> list[dict[str, Any]]:
        """5.13.3: what is told of each kept context, of one kind when given."""

        def work(documents: Any) -> list[KeptContext]:
            found: list[KeptContext] = []
            after = ""
            while page := documents.documents(tenant, DOCUMENT_KIND, after):
                found += [read_kept(document) for document in page]
                after = page[-1].id
            return found

        every = await asyncio.wrap_future(self._keeper.read(work))
        return [self._told(tenant, kept) for kept in every if kind is None or kept.kind == kind]

    async def details(self, tenant: str, reference: str) -> dict[str, Any]:
        """5.13.4 with details: what is told of a context.

        Args:
            reference: its local id; of a cached one also the original URL.

        Raises:
            ResourceNotFound: no such context is kept.
        """
        kept = await self._find(tenant, reference)
        told = self._told(tenant, kept)
        self._count(tenant, (kept.id,))
        return told

    async def serve(self, tenant: str, reference: str) -> dict[str, Any]:
        """5.13.4: the whole document of a hosted or implicitly created context.

        Raises:
            ResourceNotFound: no such context is kept.
            OperationNotSupported: it is a cached one.
        """
        kept = await self._find(tenant, reference)
        if kept.kind == "Cached":
            raise OperationNotSupported(f"the @context {reference} is cached and is not served from here")
        self._count(tenant, (kept.id,))
        return {"@context": kept.context}

    async def delete(self, tenant: str, reference: str, cause: Cause, *, reload: bool = False) -> None:
        """5.13.5: deletes a context, or with `reload` fetches a cached one anew.

        Raises:
            ResourceNotFound: no such context is kept.
            BadRequestData: there is no cached context to reload, or it is a core context.
            LdContextNotAvailable: the reload failed; the old one stays.
        """
        if reference in CORE_URLS:
            raise BadRequestData(f"contextId is invalid: the core @context {reference} is built in and stays")
        try:
            kept = await self._find(tenant, reference)
        except ResourceNotFound as error:
            if reload:
                raise BadRequestData(f"reload is invalid: {error.detail}") from None
            raise
        if not reload:
            await asyncio.wrap_future(
                self._keeper.submit(
                    lambda documents: documents.delete_document(tenant, DOCUMENT_KIND, kept.id, cause)
                )
            )
            self._usage.pop((tenant, kept.id), None)
            self.forget(tenant, kept.id)
            return
        if kept.kind != "Cached":
            raise BadRequestData(f"reload is invalid: the @context {reference} is {kept.kind}, not Cached")
        try:
            reply, context = await self._download(kept.url)
            self._check(context)
        except BadRequestData as error:
            raise LdContextNotAvailable(f"the @context {kept.url} is not available: {error.detail}") from None
        now = self._clock.now()
        fresh = replace(
            kept, context=context, created=now, expires=expiry(reply.headers, now, self._settings.max_age)
        )
        await self._put(tenant, fresh, cause)
        self.forget(tenant, kept.id)

    def url_of(self, id: str) -> str:
        """Where a context of this node is served."""
        return f"{self._settings.public_url.rstrip('/')}{PATH}{id}"

    # -- bookkeeping --------------------------------------------------------

    def forget(self, tenant: str, id: str) -> None:
        """Drops what memory holds of a kept context, after it was changed or deleted (also elsewhere)."""
        stale = [key for key, known in self._compiled.items() if key[0] == tenant and id in known.uses]
        for key in stale:
            self._weight -= self._compiled.pop(key).weight
        self._hosted = {key: url for key, url in self._hosted.items() if not url.endswith(id)}

    async def flush(self) -> None:
        """Keeps the counters of use; to be called now and then, and at the end.

        Raises:
            StoreFailed: they could not be kept, and are counted on.
        """
        counted, self._usage = self._usage, {}

        def work(documents: Any) -> None:
            for (tenant, id), (hits, used) in counted.items():
                document = documents.document(tenant, DOCUMENT_KIND, id)
                if document is not None:
                    kept = read_kept(document)
                    body = msgspec.to_builtins(replace(kept, hits=kept.hits + hits, used=used))
                    documents.set_state(tenant, DOCUMENT_KIND, id, body)

        if not counted:
            return
        try:
            await asyncio.wrap_future(self._keeper.submit(work))
        except CityloomError:
            for key, (hits, used) in counted.items():  # to be kept the next time
                newer, last = self._usage.get(key, (0, used))
                self._usage[key] = (hits + newer, last)
            raise

    def _count(self, tenant: str, ids: tuple[str, ...]) -> None:
        now = self._clock.now() if ids else 0
        for id in ids:
            hits, _ = self._usage.get((tenant, id), (0, 0))
            self._usage[tenant, id] = (hits + 1, now)

    def _told(self, tenant: str, kept: KeptContext) -> dict[str, Any]:
        hits, used = self._usage.get((tenant, kept.id), (0, 0))
        kept = replace(kept, hits=kept.hits + hits, used=used or kept.used)
        return describe(kept, kept.url or self.url_of(kept.id))

    def _check(self, context: Any) -> None:
        """Checks a context's own terms; documents that it refers to are looked at when it is used."""
        if not _is_context(context):
            raise BadRequestData("@context is invalid: a URL, an object or an array of these is required")
        self._key(context)
        compile_context(context, lambda url: {"@vocab": DEFAULT_VOCAB}, self._limits)

    async def _get(self, tenant: str, id: str) -> KeptContext | None:
        document = await asyncio.wrap_future(
            self._keeper.read(lambda documents: documents.document(tenant, DOCUMENT_KIND, id))
        )
        return None if document is None else read_kept(document)

    async def _find(self, tenant: str, reference: str) -> KeptContext:
        own = reference.rpartition(PATH)[2]
        kept = await self._get(tenant, own) or await self._get(tenant, cached_id(reference))
        if kept is None:
            raise ResourceNotFound(f"the @context {reference} does not exist")
        return kept

    async def _put(self, tenant: str, kept: KeptContext, cause: Cause) -> None:
        body = msgspec.to_builtins(kept)
        size = len(msgspec.json.encode(body))
        await asyncio.wrap_future(
            self._keeper.submit(
                lambda documents: documents.put_document(tenant, DOCUMENT_KIND, kept.id, body, cause), size
            )
        )


K = TypeVar("K")


async def _shared(tasks: dict[K, asyncio.Task[T]], key: K, work: Callable[[], Awaitable[T]]) -> T:
    """One run of `work` for all who wait for it; a waiter that goes away does not end it."""
    task = tasks.get(key)
    if task is None:
        task = tasks[key] = asyncio.ensure_future(_run(work))
        task.add_done_callback(lambda done: _end(tasks, key, done))
    return await asyncio.shield(task)


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def _end(tasks: dict[K, asyncio.Task[T]], key: K, done: asyncio.Task[T]) -> None:
    tasks.pop(key, None)
    if not done.cancelled():
        done.exception()  # marked as seen, should every waiter have gone


def _references(context: Any) -> Iterator[str]:
    """The URLs of remote documents that a context refers to directly."""
    for part in context if isinstance(context, list) else [context]:
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict) and isinstance(part.get("@import"), str):
            yield part["@import"]


def _is_context(context: Any) -> bool:
    return isinstance(context, str | dict | list) and context != ""


def _alternate(reply: Reply) -> str | None:
    """The JSON-LD document that a reply which is none names in its stead (JSON-LD 1.1 API 9.4.3)."""
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json" or media_type.endswith("+json"):
        return None
    for url, parameters in parse_links([reply.headers.get("link", "")]):
        if parameters.get("rel") == "alternate" and parameters.get("type") == "application/ld+json":
            return url
    return None
