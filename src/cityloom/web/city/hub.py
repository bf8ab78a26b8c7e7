"""The newest changes of the log, encoded once for all who listen.

A ring holds the last changes as server-sent events. Every listener has nothing
but its place in the log: who falls behind the ring reads the log itself, so
memory is bounded however slow a listener is.

Source: HTML Living Standard, section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable
from typing import Final

import structlog
from msgspec import Struct

from cityloom.consumers.waiting import within
from cityloom.ld.context import LdContext
from cityloom.model.events import Event
from cityloom.store.ports import Snapshot, Store
from cityloom.web.answers import encode
from cityloom.web.city.changes import change_of_event

log = structlog.get_logger("cityloom.web")

_RING: Final = 8192
_CHUNK: Final = 250
_PING_SECONDS: Final = 15.0
_PAUSE_SECONDS: Final = 1.0

PING: Final = b": ping\n\n"


class Sent(Struct, frozen=True):
    """One change, ready to be sent to who wants it."""

    seq: int
    tenant: str
    types: frozenset[str]
    entity_id: str
    message: bytes


class Listener(Struct, frozen=True, kw_only=True):
    """What one listener wants: types are expanded; an empty set is everything."""

    tenant: str = ""
    types: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()

    def wants(self, change: Sent) -> bool:
        """Whether this change is for it."""
        return (
            change.tenant == self.tenant
            and (not self.types or not self.types.isdisjoint(change.types))
            and (not self.ids or change.entity_id in self.ids)
        )


class Hub:
    """Follows the log while anyone listens."""

    def __init__(self, store: Store, ld_context: LdContext) -> None:
        self._store = store
        self._ld_context = ld_context
        self._ring: list[Sent] = []
        self._first = 0
        self._last = 0
        self._listeners = 0
        self._quiet = 0
        self._grown = asyncio.Event()
        self._committed = asyncio.Event()
        self._starting = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return self._listeners

    async def follow(self, listener: Listener, after: int | None) -> AsyncGenerator[bytes, None]:
        """Messages for one listener, for ever, with a ping where nothing happens for long.

        Args:
            after: the last change it has seen; None begins now.
        """
        self._listeners += 1
        try:
            await self._start()
            place = self._last if after is None else after
            while not self._closed:
                grown = self._grown
                if place > self._last:
                    # Newer than the ring; or from another log, say of a city that was restored.
                    last = await self._last_seq()
                    if place > last:
                        place = last
                        yield _reset(place)
                        continue
                elif place < self._first:
                    place, messages = await self._behind(listener, place)
                    for message in messages:
                        yield message
                    continue
                else:
                    start = bisect_right(self._ring, place, key=_seq)
                    place, fresh = self._last, self._ring[start:]
                    found = [change.message for change in fresh if listener.wants(change)]
                    if found:
                        yield b"".join(found)
                        continue
                quiet = self._quiet
                await grown.wait()
                if self._quiet != quiet:
                    yield PING
        finally:
            self._listeners -= 1
            if self._listeners == 0:
                self._stop()

    def close(self) -> None:
        """Ends every listener's stream, so that a node can stop."""
        self._closed = True
        self._grown.set()
        self._stop()

    async def _behind(self, listener: Listener, place: int) -> tuple[int, list[bytes]]:
        """One step of who is older than the ring: from the log, or anew where the log was trimmed."""

        def read(snapshot: Snapshot) -> tuple[int, int, list[Event]]:
            return snapshot.first_seq(), snapshot.last_seq(), snapshot.events(place, _CHUNK)

        first, last, events = await asyncio.wrap_future(self._store.read(read))
        if first > place + 1 or not events:
            return last, [_reset(last)]
        changes = [change for event in events if (change := self._change(event)) is not None]
        return events[-1].seq, [change.message for change in changes if listener.wants(change)]

    async def _start(self) -> None:
        async with self._starting:
            if self._reader is not None:
                return
            loop = asyncio.get_running_loop()
            committed = self._committed = asyncio.Event()

            def tell(seq: int) -> None:
                if not committed.is_set():
                    loop.call_soon_threadsafe(committed.set)

            unfollow = self._store.on_commit(tell)
            self._ring.clear()
            self._first = self._last = await self._last_seq()
            self._reader = loop.create_task(self._follow_log(unfollow))

    async def _last_seq(self) -> int:
        return await asyncio.wrap_future(self._store.read(lambda snapshot: snapshot.last_seq()))

    def _stop(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    async def _follow_log(self, unfollow: Callable[[], None]) -> None:
        try:
            while True:
                try:
                    while await self._read_on():
                        pass
                except Exception:
                    log.exception("live changes cannot be read; trying again")
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                # One clock for all listeners: a timer for each would cost more than the change itself.
                if await within(_PING_SECONDS, self._committed):
                    self._committed.clear()
                else:
                    self._quiet += 1
                    self._wake()
        finally:
            unfollow()

    async def _read_on(self) -> bool:
        """Takes one chunk of the log into the ring; whether there may be more."""
        place = self._last
        events = await asyncio.wrap_future(self._store.read(lambda snapshot: snapshot.events(place, _CHUNK)))
        if not events:
            return False
        self._ring.extend(change for event in events if (change := self._change(event)) is not None)
        self._last = events[-1].seq
        if len(self._ring) > 2 * _RING:
            del self._ring[:-_RING]
            self._first = self._ring[0].seq - 1
        self._wake()
        return len(events) == _CHUNK

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _change(self, event: Event) -> Sent | None:
        data = change_of_event(event, self._ld_context)
        if data is None:
            return None
        message = b"id: %d\nevent: change\ndata: %s\n\n" % (event.seq, encode(data))
        return Sent(event.seq, event.tenant, frozenset(event.types), event.entity_id, message)


def _seq(change: Sent) -> int:
    return change.seq


def _reset(seq: int) -> bytes:
    return b'id: %d\nevent: reset\ndata: {"seq":%d}\n\n' % (seq, seq)
