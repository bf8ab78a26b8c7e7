"""The body of a request and the media types of both ways.

A body is bounded in bytes before it is read whole, in depth before anything
walks it, and holds only what JSON and the store can hold. A duplicate key is
no error: the last one wins (RFC 8259 leaves it open; it is documented).

Source: ETSI GS CIM 009 clauses 5.5.4 and 6.3.4; RFC 8259; RFC 9110 section 12.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from cityloom.model.errors import (
    BadRequestData,
    InvalidRequest,
    LengthRequired,
    NotAcceptable,
    PayloadTooLarge,
    UnsupportedMediaType,
)

JSON: Final = "application/json"
LD_JSON: Final = "application/ld+json"
GEO_JSON: Final = "application/geo+json"
MERGE_PATCH: Final = "application/merge-patch+json"

JSON_TYPES: Final = (JSON, LD_JSON)
ENTITY_TYPES: Final = (JSON, LD_JSON, GEO_JSON)
"""What can be answered; the order is that of preference (6.3.4)."""

_BOM = b"\xef\xbb\xbf"
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_ANY_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19
_LARGEST_INTEGER = 2**63 - 1
_CONTAINERS = (dict, list)

_decode = msgspec.json.Decoder().decode
_check_only = msgspec.json.Decoder(msgspec.Raw).decode
"""Reads JSON without making anything of it."""


def content_type(headers: Any, method: str) -> str:
    """The media type of the body, one that the NGSI-LD binding reads.

    A header that is not there is told as what it is, a precondition that is not met: 415 is for a
    body that says to be something else.

    Raises:
        InvalidRequest: there is no Content-Type (6.3.4).
        UnsupportedMediaType: it is none of `application/json`, `application/ld+json`
            and, for PATCH, `application/merge-patch+json`; or its charset is not UTF-8.
    """
    value = headers.get("content-type")
    if value is None:
        raise InvalidRequest("header Content-Type is required: application/json or application/ld+json")
    if value in JSON_TYPES:
        return str(value)
    media_type, _, parameters = value.partition(";")
    media_type = media_type.strip().lower()
    for parameter in parameters.split(";"):
        name, _, given = parameter.partition("=")
        if name.strip().lower() == "charset" and given.strip().strip('"').lower() not in (
            "utf-8",
            "us-ascii",
        ):
            raise UnsupportedMediaType(f"Content-Type is invalid: charset {given!r} is not UTF-8")
    if media_type == MERGE_PATCH and method == "PATCH":
        return JSON
    if media_type not in JSON_TYPES:
        raise UnsupportedMediaType(
            f"Content-Type is invalid: {value!r} is neither application/json nor application/ld+json"
        )
    return str(media_type)


async def read_body(receive: Callable[[], Awaitable[Any]], headers: Any, limit: int) -> bytes:
    """Reads a body of at most `limit` bytes.

    Raises:
        LengthRequired: there is no Content-Length (6.3.4).
        PayloadTooLarge: it is larger; what follows is left unread.
        InvalidRequest: the client went away in the middle.
    """
    length = headers.get("content-length")
    if length is None:
        raise LengthRequired("header Content-Length is required")
    if not length.isdigit() or int(length) > limit:
        raise PayloadTooLarge(f"the body is larger than {limit} bytes")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("the body is invalid: the client left before its end")
        chunk = message.get("body", b"")
        if chunk:
            size += len(chunk)
            if size > limit:
                raise PayloadTooLarge(f"the body is larger than {limit} bytes")
            chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def decode_json(body: bytes, max_depth: int, max_values: int = 2_000_000) -> Any:
    """Reads JSON that is not nested deeper than `max_depth` levels and has no more than `max_values` values.

    A value takes up to thirty times as much memory as it has bytes, so they are counted before one is made.

    Raises:
        InvalidRequest: empty, malformed, not UTF-8, or holds NaN or Infinity.
        BadRequestData: a number is out of the range that can be kept.
        PayloadTooLarge: it is nested deeper, or has more values.

    Cost: that of the decoder; documents with more brackets than `max_depth`, and bodies with more
    commas and brackets than `max_values`, are looked through once more.
    """
    if body.startswith(_BOM):
        body = body[3:]
    if not body:
        raise InvalidRequest("the body is required: it is empty")
    opened = body.count(b"{") + body.count(b"[")
    try:
        if opened + body.count(b",") > max_values:
            _check_only(body)
            if _values(body) > max_values:
                raise PayloadTooLarge(f"the body is invalid: it holds more than {max_values} values")
        document = _decode(body)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"the body is invalid: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is invalid: {error}") from None
    except RecursionError:
        raise PayloadTooLarge(f"the body is invalid: it is nested deeper than {max_depth} levels") from None
    if opened > max_depth and _is_deeper(document, max_depth):
        raise PayloadTooLarge(f"the body is invalid: it is nested deeper than {max_depth} levels")
    if _LONG_NUMBER in body.translate(_ANY_DIGIT):
        _refuse_large_integers(document, "$")
    return document


def _is_deeper(document: Any, most: int) -> bool:
    """Whether a document is nested deeper than `most` levels: it is opened level by level."""
    level = [document] if type(document) in _CONTAINERS else []
    for _ in range(most):
        if not level:
            return False
        level = [
            part
            for whole in level
            for part in (whole.values() if type(whole) is dict else whole)
            if type(part) in _CONTAINERS
        ]
    return bool(level)


def _values(body: bytes) -> int:
    """How many values a well-formed body holds at the most; commas and brackets in strings do not count."""
    bare = _STRING.sub(b"", body)
    return bare.count(b",") + bare.count(b"{") + bare.count(b"[") + 1


def _refuse_large_integers(value: Any, place: str) -> None:
    if isinstance(value, int):
        if not -_LARGEST_INTEGER - 1 <= value <= _LARGEST_INTEGER:
            raise BadRequestData(f"{place} is invalid: a whole number beyond 64 bits")
    elif isinstance(value, dict):
        for name, member in value.items():
            _refuse_large_integers(member, f"{place}.{name}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            _refuse_large_integers(member, f"{place}[{index}]")


def accepted(headers: Any, available: Sequence[str]) -> str:
    """The media type to answer with.

    Args:
        available: what can be produced, the preferred first.

    Raises:
        NotAcceptable: the Accept header allows none of them; its problem lists them.
    """
    value = headers.get("accept")
    if value is None or value == "*/*" or value == available[0]:
        return available[0]
    best, best_weight = "", 0.0
    ranges = [_range(part) for part in value.split(",") if part.strip()]
    for media_type in available:
        weight = _weight(media_type, ranges)
        if weight > best_weight:
            best, best_weight = media_type, weight
    if not best:
        raise NotAcceptable(
            f"Accept is invalid: {value!r} allows none of {', '.join(available)}", available=list(available)
        )
    return best


def _range(text: str) -> tuple[str, float]:
    media_type, *parameters = text.split(";")
    weight = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 0.0
    return media_type.strip().lower(), weight


def _weight(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The weight of the most specific range that holds `media_type`."""
    bare = media_type.partition(";")[0]
    kind = bare.partition("/")[0] + "/*"
    for wanted in (bare, kind, "*/*"):
        weights = [weight for name, weight in ranges if name == wanted]
        if weights:
            return max(weights)
    return 0.0
