"""Which @context a request comes with, and how an answer tells its own.

Source: ETSI GS CIM 009 clauses 6.3.5 and 6.3.6; JSON-LD 1.1 section 6.2; RFC 8288.
"""

from __future__ import annotations

from typing import Any, Final

from cityloom.ld.link import context_link
from cityloom.model.errors import BadRequestData
from cityloom.web.body import LD_JSON
from cityloom.web.headers import Headers

LD_CONTEXT: Final = "@context"

LdSource = str | list[Any] | dict[str, Any] | None
"""An @context as it was given: a URL, an array, an object; None for the core alone."""


def link_of(headers: Headers) -> str | None:
    """The URL of the JSON-LD Link header, or None. Raises BadRequestData when there are two that differ."""
    values = headers.getlist("link")
    if not values:
        return None
    url = context_link(values)
    if url == "":
        raise BadRequestData("header Link is invalid: the target of the @context is empty")
    return url


def take_ld_context(document: dict[str, Any], media_type: str, headers: Headers) -> LdSource:
    """Takes the @context out of a body, or the Link header's, as the media type demands (6.3.5).

    Raises:
        BadRequestData: the two ways are mixed, or `application/ld+json` comes without.
    """
    if media_type == LD_JSON:
        if link_of(headers) is not None:
            raise BadRequestData("header Link is invalid: in application/ld+json the @context is in the body")
        if LD_CONTEXT not in document:
            raise BadRequestData("@context is required in a body of application/ld+json")
        return checked_source(document.pop(LD_CONTEXT))
    if LD_CONTEXT in document:
        raise BadRequestData("@context is invalid in a body of application/json: use the Link header")
    return link_of(headers)


def checked_source(source: Any) -> LdSource:
    """An @context's value that is a URL, an array or an object. Raises BadRequestData."""
    if not isinstance(source, str | list | dict) or source == "":
        raise BadRequestData("@context is invalid: a URL, an array or an object is required")
    return source
