"""Answers of the NGSI-LD binding: JSON with the @context told as the media type demands.

Source: ETSI GS CIM 009 clauses 6.3.6 (common requirements), 4.3.6.8 (Prefer).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from cityloom.ld.conformance import NEWEST, Version, version_text
from cityloom.ld.context import LdContext
from cityloom.ld.core_terms import CORE_URL
from cityloom.ld.link import write_context_link
from cityloom.web.body import GEO_JSON, JSON, LD_JSON
from cityloom.web.incoming import Incoming
from cityloom.web.ld_context import LD_CONTEXT, LdSource
from cityloom.web.resource import NGSI_LD_ROOT

_NO_CONTENT: Final = 204
_PATH_SAFE: Final = ":@!$&'()*+,;=-._~"

encode = msgspec.json.encode


class _AsWritten(bytes):
    """The name of a header in the letters of the standards.

    The server makes names small, which is the same to HTTP (RFC 9110 5.1) but not to every
    client: some look for just these letters.
    """

    def lower(self) -> bytes:
        return self


class Answer(Response):
    """A response whose headers are told as they are sent: half the cost of working them out."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = headers
        if status != _NO_CONTENT:
            headers.append((b"content-length", b"%d" % len(body)))


def no_content() -> Response:
    """204."""
    return Answer(204, [])


def created(*segments: str) -> Response:
    """201 with the Location of what was made: its path below the root of the binding."""
    path = "/".join([NGSI_LD_ROOT, *(quote(segment, safe=_PATH_SAFE) for segment in segments)])
    return Answer(201, [(_AsWritten(b"Location"), path.encode("latin-1"))])


def plain_json(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None, *, media_type: str = JSON
) -> Response:
    """JSON as it is, no @context told: results of batches, metadata, our own API."""
    return Response(encode(body), status_code=status, headers=headers, media_type=media_type)


async def ld_answer(
    incoming: Incoming,
    ld_context: LdContext,
    body: dict[str, Any] | list[dict[str, Any]],
    *,
    status: int = 200,
    links: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    version: Version | None = None,
) -> Response:
    """An answer in the terms of an @context, which a Link header or the body tells (6.3.6).

    Args:
        body: the document, or a list of documents; changed in place.
        links: more link-values, of pages.
        version: what entities were amended to, which is told where another was asked for (4.3.6.8).
    """
    media_type = incoming.accept or JSON
    preferences = incoming.preferences
    in_body = media_type == LD_JSON or (media_type == GEO_JSON and preferences.get("body") != "json")
    tell = [(b"content-type", media_type.encode())]
    if headers:
        tell.extend(
            (name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()
        )
    if in_body:
        _tell_in_body(body, _told(ld_context.source))
    else:
        source = ld_context.source
        if not (source is None or isinstance(source, str)):
            # One without a URL is hosted for it.
            source = await incoming.services.contexts.host_implicitly(source, incoming.call.tenant)
        tell.append((b"link", _context_link(CORE_URL if source is None else source)))
    if links:
        tell.extend((b"link", link.encode("latin-1")) for link in links)
    if "ngsi-ld" in preferences and media_type != GEO_JSON:
        applied = version_text(min(version or NEWEST, NEWEST))
        tell.append((b"preference-applied", f"ngsi-ld={applied}".encode()))
    return Answer(status, tell, encode(body))


def _tell_in_body(body: dict[str, Any] | list[dict[str, Any]], source: Any) -> None:
    for document in body if isinstance(body, list) else (body,):
        document[LD_CONTEXT] = source


def _told(source: LdSource) -> Any:
    """The @context to put into a body: the caller's as it was given, else the core (6.3.5).

    Readers add the core context themselves (5.5.7), so it is not repeated behind the caller's.
    """
    return CORE_URL if source is None else source


@lru_cache(maxsize=256)
def _context_link(url: str) -> bytes:
    return write_context_link(url).encode("latin-1")
