"""A request and its answer on a connection: an answer that tells its length leaves in one piece.

uvicorn sends the head of an answer by itself: a second system call and a second packet, which wakes
the client for nothing. It looks at each header with two regular expressions. Both together cost as
much as reading the entity that is answered.

Source: RFC 9112 sections 2 to 6.
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\r\n")) + b"\x7f"


class Cycle(RequestResponseCycle):
    """What uvicorn calls a cycle; streams, and answers after which a connection ends, are left to it."""

    _begun: Any = None

    async def send(self, message: Any) -> None:
        """Takes what the application answers; a beginning that tells the length waits for the body."""
        begun, self._begun = self._begun, None
        if begun is not None:
            if self._is_whole(begun["headers"], message):
                self._write(begun, message["body"])
                return
            await super().send(begun)
        elif not self.response_started and any(name == b"content-length" for name, _ in message["headers"]):
            self._begun = message
            return
        await super().send(message)

    def _is_whole(self, headers: list[tuple[bytes, bytes]], message: Any) -> bool:
        if self.disconnected or self.flow.write_paused or not self.keep_alive or message.get("more_body"):
            return False
        told = dict(headers)
        return (
            self.scope["method"] != "HEAD"
            and int(told[b"content-length"]) == len(message["body"])
            and b"connection" not in told
            and b"transfer-encoding" not in told
        )

    def _write(self, begun: Any, body: bytes) -> None:
        """Raises RuntimeError: a header holds what would end it."""
        lines = [b"%b: %b\r\n" % each for each in (*self.default_headers, *begun["headers"])]
        head = b"".join((STATUS_LINE[begun["status"]], *lines, b"\r\n"))
        ends = len(lines) + 2
        if head.count(b"\r") != ends or head.count(b"\n") != ends or head.translate(None, _CONTROLS) != head:
            raise RuntimeError("a header of the answer is invalid: it holds a control character")
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(head + body)
        self.message_event.set()
        self.on_response()
