"""How an answer leaves: in one piece where it tells its length, else as uvicorn sends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from cityloom.model.settings import Settings
from cityloom.web.load import Load
from cityloom.web.protocol import bounded_protocol

PROTOCOL = bounded_protocol(Settings(), Load(100, 1_000_000), 100)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = b'{"a": 1}'
PLAIN = [(b"content-type", b"application/json"), (b"content-length", b"8")]


class Pieces(asyncio.Transport):
    """A connection that keeps each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data:
            self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def answered(messages: list[dict[str, Any]], request: bytes = GET) -> tuple[list[bytes], bool]:
    """What is written for a request that is answered with `messages`, and whether the connection ends."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(dict(message))

    config = uvicorn.Config(
        app,
        http=PROTOCOL,
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
    )
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    protocol = PROTOCOL(config=config, server_state=state, app_state={})
    transport = Pieces()
    protocol.connection_made(transport)
    protocol.data_received(request)
    while protocol.tasks:
        await asyncio.gather(*protocol.tasks)
        await asyncio.sleep(0)
    pieces, closed = transport.pieces, transport.closed
    protocol.connection_lost(None)
    return pieces, closed


def start(headers: list[tuple[bytes, bytes]], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(content: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def test_answer_with_its_length_leaves_in_one_piece() -> None:
    pieces, closed = await answered([start(PLAIN), body(BODY)])
    assert pieces == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n"
        + BODY
    ]
    assert not closed


async def test_requests_one_after_the_other_are_each_answered() -> None:
    pieces, _ = await answered([start(PLAIN), body(BODY)], GET + GET)
    assert len(pieces) == 2
    assert all(piece.endswith(BODY) for piece in pieces)


async def test_head_of_a_stream_does_not_wait_for_its_first_part() -> None:
    pieces, _ = await answered(
        [start(PLAIN[:1]), body(b"one", more=True), body(b"two", more=True), body(b"")]
    )
    assert pieces[0].endswith(b"transfer-encoding: chunked\r\n\r\n")
    assert pieces[1:] == [b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]


async def test_body_in_parts_leaves_in_parts() -> None:
    pieces, _ = await answered([start(PLAIN), body(BODY[:3], more=True), body(BODY[3:])])
    assert b"".join(pieces).endswith(b"\r\n\r\n" + BODY)
    assert pieces[-1] == BODY[3:]


@pytest.mark.parametrize(
    "request_head", [GET.replace(b"GET", b"HEAD"), GET.replace(b"Host", b"Connection: close\r\nHost")]
)
async def test_answer_to_head_has_no_body_and_connection_ends_where_that_is_asked(
    request_head: bytes,
) -> None:
    pieces, closed = await answered([start(PLAIN), body(BODY)], request_head)
    is_head = request_head.startswith(b"HEAD")
    assert b"".join(pieces).endswith(b"\r\n\r\n" if is_head else BODY)
    assert closed is not is_head


@pytest.mark.parametrize("value", [b"a\r\nx-more: b", b"a\nb", b"a\rb", b"a\x00b", b"a\x7fb"])
async def test_header_that_would_end_itself_is_answered_500(value: bytes) -> None:
    pieces, _ = await answered([start([*PLAIN, (b"x-told", value)]), body(BODY)])
    assert pieces[0].startswith(b"HTTP/1.1 500 ")
    assert value not in b"".join(pieces)


async def test_answer_of_another_length_than_told_is_cut_off() -> None:
    pieces, closed = await answered([start(PLAIN), body(BODY + b"more")])
    assert b"more" not in b"".join(pieces)
    assert closed
