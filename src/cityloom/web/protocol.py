"""HTTP/1.1 as uvicorn speaks it, with bounds that it does not have: of a request's head and of its
time, of connections, and of the time that an answer waits for its reader.

It knows bytes, connections and time. It must never know what a request asks for.

Source: RFC 9110 section 15.5.9 (408); RFC 6585 section 5 (431); RFC 9110 section 15.6.4 (503); RFC 9112.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from cityloom.model.settings import Settings
from cityloom.web.cycle import Cycle
from cityloom.web.load import Load
from cityloom.web.problem import PROBLEM_MEDIA_TYPE

_TITLES: Final = {
    HTTPStatus.BAD_REQUEST: "The request is no HTTP",
    HTTPStatus.REQUEST_TIMEOUT: "The request took too long to come in",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The head of the request is larger than this node allows",
    HTTPStatus.SERVICE_UNAVAILABLE: "The node is busy",
}
_TAKEN: Final = 4096
"""Bytes a second that a client must take of an answer, so that it does not stand in memory for ever."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    A client that sends a head without end is answered 431, one that does not
    send its request within the time 408, and what is no HTTP 400; then the
    connection is closed. One connection too many is answered 503. A client
    that does not take its answer is cut off.
    """

    max_head_bytes: int
    request_timeout: float
    answer_timeout: float
    max_connections: int
    load: Load

    _head_bytes = 0
    _in_head = True
    _timer: asyncio.TimerHandle | None = None
    _due: float | None = None
    _watch: asyncio.TimerHandle | None = None
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client came: its first request is awaited."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self.max_connections} connections are open: the most that this node takes",
            )
            return
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        self._stop_waiting()
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        self.load.unread.discard(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        # Looked at afterwards: the last piece of a head may hold the body's beginning.
        if self._in_head and self._head_bytes > self.max_head_bytes and not self.transport.is_closing():
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"the request's line and headers are longer than {self.max_head_bytes} bytes",
            )

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if self._due is None:
            self._await_request()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._in_head = False
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = Cycle
        super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        """It is whole."""
        self._stop_waiting()
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client takes its answer more slowly than it is made."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """It has taken nearly all."""
        super().resume_writing()
        self._unread = 0

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was asked for a while: the connection is closed, when all was taken."""
        super().timeout_keep_alive_handler()
        self._watch_reader()

    def _watch_reader(self) -> None:
        if self._watch is not None:
            return
        self._unread = self.transport.get_write_buffer_size()
        if self._unread:
            self.load.unread.add(self.transport)
            self._watch = self.loop.call_later(self.answer_timeout, self._look_at_reader)

    def _look_at_reader(self) -> None:
        """Looks whether the client took its part of what waits for it, or all of it meanwhile."""
        self._watch = None
        left = self.transport.get_write_buffer_size()
        if not left:
            self.load.unread.discard(self.transport)
        elif self._unread and left > self._unread - _TAKEN * self.answer_timeout:
            self.transport.abort()
        else:
            self._watch_reader()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, f"the request is invalid: {msg}")

    def _await_request(self) -> None:
        self._due = self.loop.time() + self.request_timeout
        if self._timer is None:
            self._timer = self.loop.call_later(self.request_timeout, self._look)

    def _stop_waiting(self) -> None:
        self._due = None

    def _look(self) -> None:
        """Looks whether the time is over. One timer serves many requests: to set one for each costs more."""
        self._timer = None
        if self._due is None:
            return
        left = self._due - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._look)
        else:
            self._give_up()

    def _give_up(self) -> None:
        self._due = None
        if self.pipeline or (self._in_head and self._answer_is_due):
            # It waits for the answer to the request before it, not for its client.
            self._await_request()
        elif not self.transport.is_closing():
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the request did not come in whole within {self.request_timeout:g} s",
            )

    @property
    def _answer_is_due(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answers below the application, unless that has begun to answer, and closes the connection."""
        begun = self.cycle is not None and self.cycle.response_started
        if not (begun and (self._answer_is_due or not self._in_head)):
            body = msgspec.json.encode(
                {"type": "about:blank", "title": _TITLES[status], "status": status.value, "detail": detail}
            )
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {PROBLEM_MEDIA_TYPE}\r\n"
                f"content-length: {len(body)}\r\n{_again(status)}connection: close\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
        self.transport.close()
        self._watch_reader()


def _again(status: HTTPStatus) -> str:
    return "retry-after: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""


def bounded_protocol(settings: Settings, load: Load, connections: int) -> type[BoundedProtocol]:
    """The protocol with the bounds of `settings`, for uvicorn's `http`.

    Args:
        load: where answers are told that nobody takes.
        connections: the most that may be open.
    """
    bounds: dict[str, Any] = {
        "max_head_bytes": settings.max_head_bytes,
        "request_timeout": settings.request_timeout,
        "answer_timeout": settings.answer_timeout,
        "max_connections": connections,
        "load": load,
    }
    return type("CityProtocol", (BoundedProtocol,), bounds)
