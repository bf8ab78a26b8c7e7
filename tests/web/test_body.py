"""Bodies: bytes, depth, what JSON may hold; and the media types of both ways."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.types import Message

from cityloom.model.errors import (
    BadRequestData,
    CityloomError,
    InvalidRequest,
    LengthRequired,
    NotAcceptable,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from cityloom.web.body import ENTITY_TYPES, JSON_TYPES, accepted, content_type, decode_json, read_body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1,}',
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"\xff\xfe",
        b'"\xc3\x28"',
        b"{'a':1}",
        b"{}x",
    ],
)
def test_decode_json_says_invalid_request_when_it_is_no_json(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="body"):
        decode_json(body, 64)


@pytest.mark.parametrize("body", [b"[1e999]", b'{"a":[1234567890123456789012]}', b"-9223372036854775809"])
def test_decode_json_refuses_numbers_that_cannot_be_kept(body: bytes) -> None:
    with pytest.raises(BadRequestData):
        decode_json(body, 64)


def test_decode_json_keeps_whole_numbers_of_64_bits() -> None:
    assert decode_json(b"[9223372036854775807,-9223372036854775808]", 64) == [2**63 - 1, -(2**63)]


def test_decode_json_takes_the_last_of_duplicate_keys() -> None:
    assert decode_json(b'{"a":1,"a":2}', 64) == {"a": 2}


def test_decode_json_ignores_a_byte_order_mark() -> None:
    assert decode_json(b"\xef\xbb\xbf{}", 64) == {}


@pytest.mark.parametrize("piece", [b"[", b'{"a":', b'[{"a":'])
def test_decode_json_refuses_a_hundred_thousand_nested_brackets(piece: bytes) -> None:
    with pytest.raises(PayloadTooLarge, match="deeper"):
        decode_json(piece * 100_000, 64)


@pytest.mark.parametrize(("levels", "allowed"), [(64, True), (65, False), (900, False)])
def test_decode_json_counts_levels_exactly(levels: int, allowed: bool) -> None:
    body = b"[" * levels + b"]" * levels
    if allowed:
        assert decode_json(body, 64) is not None
    else:
        with pytest.raises(PayloadTooLarge, match="64"):
            decode_json(body, 64)


def test_decode_json_does_not_count_brackets_in_strings() -> None:
    text = r'[{"\\' + '"' + "[{" * 100
    assert decode_json(msgspec.json.encode([text, {text: text}]), 2) == [text, {text: text}]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(_JSON)
def test_decode_json_reads_what_was_written(value: object) -> None:
    assert decode_json(msgspec.json.encode(value), 64) == value


@given(_JSON, st.integers(0, 6))
def test_decode_json_allows_exactly_the_depth(value: object, levels: int) -> None:
    body = msgspec.json.encode(value)
    try:
        decode_json(body, levels)
        fits = True
    except PayloadTooLarge:
        fits = False
    assert fits == (_depth(value) <= levels)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


@given(st.binary(max_size=100))
def test_decode_json_never_fails_otherwise_than_with_an_error_of_ours(body: bytes) -> None:
    with contextlib.suppress(CityloomError):
        decode_json(body, 5)


class Sender:
    def __init__(self, *chunks: bytes) -> None:
        self.messages: list[Message] = [
            {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
            for index, chunk in enumerate(chunks)
        ]

    async def __call__(self) -> Message:
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}


async def test_read_body_joins_chunks() -> None:
    assert await read_body(Sender(b"ab", b"", b"c"), Headers({"content-length": "3"}), 10) == b"abc"


async def test_read_body_refuses_by_the_length_told_and_by_the_length_sent() -> None:
    with pytest.raises(PayloadTooLarge, match="10"):
        await read_body(Sender(b""), Headers({"content-length": "11"}), 10)
    with pytest.raises(PayloadTooLarge, match="10"):
        await read_body(Sender(b"x" * 6, b"x" * 6), Headers({"content-length": "5"}), 10)


async def test_read_body_requires_a_length() -> None:
    with pytest.raises(LengthRequired):
        await read_body(Sender(b"{}"), Headers({}), 10)


async def test_read_body_refuses_when_the_client_leaves() -> None:
    sender = Sender(b"ab", b"c")
    del sender.messages[1]
    with pytest.raises(InvalidRequest, match="left"):
        await read_body(sender, Headers({"content-length": "3"}), 10)


@pytest.mark.parametrize(
    ("given_type", "method", "read"),
    [
        ("application/json", "POST", "application/json"),
        ("application/json; charset=UTF-8", "POST", "application/json"),
        ('Application/LD+JSON; charset="utf-8"', "POST", "application/ld+json"),
        ("application/merge-patch+json", "PATCH", "application/json"),
    ],
)
def test_content_type_is_read(given_type: str, method: str, read: str) -> None:
    assert content_type(Headers({"content-type": given_type}), method) == read


@pytest.mark.parametrize(
    ("given_type", "method"),
    [
        ("", "POST"),
        ("text/plain", "POST"),
        ("application/merge-patch+json", "POST"),
        ("application/json; charset=latin-1", "POST"),
        ("application/geo+json", "PATCH"),
    ],
)
def test_content_type_refuses_what_is_not_read(given_type: str, method: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        content_type(Headers({"content-type": given_type}), method)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/ld+json", "application/ld+json"),
        ("application/ld+json, application/json", "application/json"),
        ("application/json;q=0.5, application/ld+json", "application/ld+json"),
        ("application/geo+json", "application/geo+json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("application/json;q=0, */*", "application/ld+json"),
    ],
)
def test_accepted_goes_by_weight_then_by_the_order_of_the_clause(accept: str | None, chosen: str) -> None:
    headers = Headers({} if accept is None else {"accept": accept})
    assert accepted(headers, ENTITY_TYPES) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/geo+json", "application/json;q=0", "*/*;q=x"])
def test_accepted_refuses_and_lists_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        accepted(Headers({"accept": accept}), JSON_TYPES)
    assert refused.value.extra["available"] == ["application/json", "application/ld+json"]
