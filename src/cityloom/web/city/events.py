"""`/events`: live changes by server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cityloom.model.errors import BadRequestData, Overloaded
from cityloom.web.city.hub import Hub, Listener
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation

_RETRY: Final = b"retry: 2000\n\n"


class EventStream(Response):
    """Sends messages until they end or the client goes away; either way their generator is closed."""

    media_type = "text/event-stream"

    def __init__(self, messages: AsyncGenerator[bytes, None]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._messages = messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        async with aclosing(self._messages) as messages:
            await send({"type": "http.response.body", "body": _RETRY, "more_body": True})
            async for message in messages:
                await send({"type": "http.response.body", "body": message, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def events_operations(hub: Hub) -> Sequence[Operation]:
    """The operation that sends what `hub` tells."""

    async def follow_events(incoming: Incoming) -> Response:
        """`GET /events?type=A,B&id=...`; goes on after `Last-Event-ID`, else begins now."""
        services, params = incoming.services, incoming.params
        services.access.check(incoming.call, "read", "events")
        most = services.settings.max_listeners
        if hub.listeners >= most:
            raise Overloaded(f"{most} streams of events are open: the most that this node keeps")
        ld_context = await incoming.ld_context()
        listener = Listener(
            tenant=incoming.call.tenant,
            types=frozenset(ld_context.expand_name(name) for name in params.names("type")),
            ids=frozenset(params.names("id")),
        )
        # The header is the browser's own and newer than the address that it reconnects to.
        after = _place(incoming.headers.get("last-event-id") or params.get("lastEventId"))
        return EventStream(hub.follow(listener, after))

    return [
        Operation(
            name="followEvents",
            method="GET",
            path="/events",
            handler=follow_events,
            summary="Live changes as server-sent events; Last-Event-ID resumes",
            params=frozenset({"type", "id", "lastEventId"}),
        )
    ]


def _place(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequestData(f"Last-Event-ID is invalid: {text[:50]!r} is no number of a change")
    return int(text)
