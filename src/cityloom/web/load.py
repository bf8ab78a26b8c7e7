"""What a node holds in memory for those who ask it, and how much of that it may.

Beyond a bound a request is refused at once (503 with Retry-After): that is quicker for all
than to wait for memory that is not there. It must never know what a request asks for.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Message, Receive

from cityloom.model.errors import Overloaded

_ALWAYS: Final = frozenset({"/health", "/metrics"})
"""Answered however much there is to do: whoever looks after a node needs it most then."""


class Load:
    """Requests under way, bodies that came in, answers that wait for their readers.

    Args:
        requests: most requests that may be under way at once.
        size: most bytes of bodies and answers; something larger is let in alone.
    """

    def __init__(self, requests: int, size: int) -> None:
        self._most_requests = requests
        self._most_bytes = size
        self.requests = 0
        self._bodies = 0
        self.unread: set[asyncio.Transport] = set()
        """Connections whose clients have not taken all of their answer."""

    @property
    def held(self) -> int:
        """Bytes of bodies and of answers."""
        if not self.unread:
            return self._bodies
        return self._bodies + sum(each.get_write_buffer_size() for each in self.unread)

    def refusal(self, path: str) -> Overloaded | None:
        """Why a request for `path` is refused now; None when it is not."""
        if self.requests < self._most_requests and not (self.unread and self.held >= self._most_bytes):
            return None
        if path in _ALWAYS:
            return None
        return Overloaded(f"{self.requests} requests are under way, which hold {self.held} bytes")

    def hold(self, size: int) -> None:
        """A piece of a body came in. Raises Overloaded."""
        held = self.held
        if held and held + size > self._most_bytes:
            raise Overloaded(f"{self.requests} requests are under way, which hold {held} bytes")
        self._bodies += size

    def release(self, size: int) -> None:
        """A body of so many bytes is held no more."""
        self._bodies -= size


class Counted:
    """`receive` of a request whose body is counted as long as it is held: until its answer is made."""

    __slots__ = ("_load", "_receive", "held")

    def __init__(self, receive: Receive, load: Load) -> None:
        self._receive = receive
        self._load = load
        self.held = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        body = message.get("body")
        if body:
            self._load.hold(len(body))
            self.held += len(body)
        return message
