"""Bringing links to their sources: each source by itself, tried again until it is done.

Source: ETSI GS CIM 009 clauses 5.8.1.4, 5.8.5.4, 6.10, 6.11.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import structlog

from cityloom.broker.door import settled
from cityloom.broker.ports import Call
from cityloom.consumers.waiting import within
from cityloom.federation.asking.forward import SUBSCRIPTIONS, Answer, Forwarder, Method, segment
from cityloom.federation.registrations.operations import supported
from cityloom.federation.sharing.copies import reduced, watched_there
from cityloom.federation.sharing.linking import Wanted, call_of
from cityloom.federation.sharing.links import NOTIFICATIONS, Link, Links, change_link, delete_link
from cityloom.federation.sharing.subscribed import Subscribed
from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts
from cityloom.ld.names import is_uri
from cityloom.model.clock import Clock
from cityloom.model.errors import CityloomError, LoopDetected, SourceFailed, SourceTimedOut
from cityloom.model.events import Cause
from cityloom.model.settings import Settings
from cityloom.model.time import parse_datetime
from cityloom.store.ports import Store, Transaction

T = TypeVar("T")
_log = structlog.get_logger("federation")
_CAUSE: Final = Cause(kind="system", id="system:subscription-links", operation="shareSubscription")
_JSON: Final = "application/json"
_DOUBTED_EVERY: Final = 3600.0
"""Seconds between two times that sources are asked whether they hold what they took."""
_EXISTS: Final = frozenset({409})

Source = tuple[str, str, str]
"""A tenant here, a registration, and its endpoint."""
WantedOf = Callable[[str, str], Wanted | None]
"""The subscription of a (tenant, id); None when it is gone, or concerns no sources."""


class LinkSending:
    """Makes, changes and deletes subscriptions at sources, as the links say.

    Each source has a task of its own while something is to be done there. One that does not answer
    is tried again with growing waits, as it is with notifications; what one refuses waits alone.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Settings,
        contexts: Contexts,
        *,
        forwarder: Forwarder,
        subscribed: Subscribed,
        links: Links,
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._contexts = contexts
        self._forwarder = forwarder
        self._subscribed = subscribed
        self._links = links
        self._due: dict[Source, dict[str, None]] = {}
        self._woken: dict[Source, asyncio.Event] = {}
        self._new = asyncio.Event()
        self._unsure: set[str] = set()

    def wake(self, links: Iterable[tuple[str, Link]]) -> None:
        """Hears of links to look at; those that are as they should be cost no request."""
        for tenant, link in links:
            source = (tenant, link.registration.id, link.registration.endpoint)
            self._due.setdefault(source, {})[link.id] = None
            if source in self._woken:
                self._woken[source].set()
        self._new.set()

    def doubt(self) -> None:
        """Has every source asked whether it holds what it took: it may have lost it without a word."""
        self._unsure |= {link.id for _, link in self._links.all()}
        self.wake(self._links.all())

    async def run(self, wanted: WantedOf) -> None:
        """Sends until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_doubting())
            while True:
                self._new.clear()
                for source in self._due.keys() - self._woken.keys():
                    self._woken[source] = asyncio.Event()
                    group.create_task(self._serve(source, wanted))
                await self._new.wait()

    # -- within ------------------------------------------------------------

    async def _keep_doubting(self) -> None:
        while True:
            await asyncio.sleep(_DOUBTED_EVERY)
            self.doubt()

    async def _serve(self, source: Source, wanted: WantedOf) -> None:
        """Does what is to be done at one source, until nothing is left."""
        failures = 0
        first, last = self._settings.notify_backoff, self._settings.notify_backoff_max
        woken = self._woken[source]
        try:
            while self._due[source]:
                woken.clear()
                if await self._round(source, wanted):
                    failures = 0
                    continue
                failures += 1
                await within(min(first * 2 ** min(failures - 1, 32), last), woken)
            del self._due[source]
        finally:
            del self._woken[source]

    async def _round(self, source: Source, wanted: WantedOf) -> bool:
        """One go at all that is due at a source; False when some of it is to be tried again."""
        due, self._due[source] = list(self._due[source]), {}
        left: list[str] = []
        for number, id in enumerate(due):
            tenant, link = self._links.find(id) or ("", None)
            if link is None:
                continue
            try:
                await self._settle(tenant, link, wanted(tenant, link.subscription))
            except LoopDetected as error:
                # Nodes that registered with each other: the source hears of it from where it came.
                _log.info("subscription not shared", subscription=link.subscription, reason=error.detail)
            except SourceTimedOut as error:
                self._failed(link, error)
                left += due[number:]
                break
            except CityloomError as error:
                self._failed(link, error)
                left.append(id)
        self._due[source] = dict.fromkeys((*left, *self._due[source]))
        return not left

    def _failed(self, link: Link, error: CityloomError) -> None:
        _log.warning(
            "subscription not shared",
            subscription=link.subscription,
            registration=link.registration.id,
            gone=link.gone,
            reason=error.detail,
        )

    async def _settle(self, tenant: str, link: Link, wanted: Wanted | None) -> None:
        """Has the source hold what the link says. Raises what `Forwarder.ask` does."""
        if link.gone:
            await self._take_away(tenant, link)
        elif wanted is not None and not self._expired(wanted):
            await self._bring(tenant, link, wanted)

    async def _take_away(self, tenant: str, link: Link) -> None:
        operations = supported(link.registration.operations)
        if "deleteSubscription" in operations:
            await self._ask(Call(tenant=tenant, cause=_CAUSE), link, "DELETE")
        self._unsure.discard(link.id)
        seq = await self._write(lambda tx: delete_link(tx, tenant, link.id))
        if seq is not None:
            self._links.put(tenant, link.id, seq, None)

    async def _bring(self, tenant: str, link: Link, wanted: Wanted) -> None:
        head, registration = wanted.head, link.registration
        call = call_of(tenant, head, await self._contexts.resolve(head.ld_context, tenant))
        ld_context = await self._forwarder.language(call, registration)
        document, decided = self._document(link, wanted, ld_context)
        if document == link.sent and not await self._lost(call, link):
            return
        operations = supported(registration.operations)
        answer: Answer | None = None
        if link.sent is not None:
            if "updateSubscription" in operations:
                answer = await self._change(call, link, document, ld_context)
            elif "deleteSubscription" in operations:
                await self._ask(call, link, "DELETE")
            else:
                _log.warning(
                    "subscription not changed at a source that does not support it",
                    subscription=link.subscription,
                    registration=registration.id,
                )
                return
        if answer is None:
            answer = await self._make(call, link, document, ld_context)
        members: dict[str, Any] = {"sent": document, "decided": decided}
        named = answer.location.rstrip("/").rpartition("/")[2]
        if is_uri(named):
            # The source named it by itself.
            members["remote"] = named
        changed = await self._write(lambda tx: change_link(tx, tenant, link.id, **members))
        if changed is not None:
            self._links.put(tenant, link.id, *changed)

    async def _lost(self, call: Call, link: Link) -> bool:
        """Whether a source that is to be asked says that it does not have the subscription any more."""
        if link.id not in self._unsure or "retrieveSubscription" not in supported(
            link.registration.operations
        ):
            return False
        try:
            lost = (await self._ask(call, link, "GET")).status == 404
        except SourceFailed:
            lost = False
        self._unsure.discard(link.id)
        return lost

    async def _make(self, call: Call, link: Link, document: dict[str, Any], ld_context: LdContext) -> Answer:
        """Makes the subscription; where it was made before and its answer was lost, it is changed."""
        body = {"id": link.remote, **document}
        answer = await self._forwarder.ask(
            call, link.registration, "POST", SUBSCRIPTIONS, ld_context, body=body, declined=_EXISTS
        )
        if answer.status == 409:
            changed = await self._change(call, link, document, ld_context)
            if changed is None:
                raise SourceFailed(
                    f"the source of registration {link.registration.id} holds no {link.remote}"
                )
            return changed
        if answer.status == 404:
            raise SourceFailed(f"the source of registration {link.registration.id} knows no subscriptions")
        return answer

    async def _change(
        self, call: Call, link: Link, document: dict[str, Any], ld_context: LdContext
    ) -> Answer | None:
        """Changes the subscription; None when the source does not have it."""
        taken_away = dict.fromkeys((link.sent or {}).keys() - document.keys())
        answer = await self._ask(call, link, "PATCH", ld_context, {**document, **taken_away})
        return None if answer.status == 404 else answer

    async def _ask(
        self,
        call: Call,
        link: Link,
        method: Method,
        ld_context: LdContext = LdContext.core,
        body: dict[str, Any] | None = None,
    ) -> Answer:
        path = f"{SUBSCRIPTIONS}/{segment(link.remote)}"
        return await self._forwarder.ask(call, link.registration, method, path, ld_context, body=body)

    def _expired(self, wanted: Wanted) -> bool:
        """Whether the subscription is over, here and, by the same time, there."""
        end = wanted.head.expires_at
        return end is not None and parse_datetime(end) <= self._clock.now()

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        return await settled(self._store.submit(work))

    def _document(self, link: Link, wanted: Wanted, ld_context: LdContext) -> tuple[dict[str, Any], bool]:
        split = wanted.head.split_entities
        copy, decided = self._subscribed.copied(
            wanted.body, ld_context, split=self._settings.split_entities if split is None else split
        )
        watched = watched_there(link.registration, wanted.head) or ()
        document = reduced(copy, link.registration, wanted.query, watched, ld_context)
        document["notification"] = {
            **document["notification"],
            "endpoint": {"uri": f"{self._settings.url}{NOTIFICATIONS}/{link.secret}", "accept": _JSON},
        }
        return document, decided
