"""Answers of Open311: the same values as XML and as JSON, errors too.

JSON follows XML by the Spark convention: a list is an array where XML has an element around its members.

Source: GeoReport v2 (wiki.open311.org): Format Support, Errors; XML 1.0 clause 2.2 (characters).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree

import msgspec
from starlette.responses import Response

from cityloom.model.errors import (
    CityloomError,
    MethodNotAllowed,
    Overloaded,
    StoreUnreachable,
    TooManyRequests,
    Unauthorized,
)
from cityloom.web.problem import status_of

OPEN311_ROOT: Final = "/open311"
XML: Final = "text/xml; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"
CSV: Final = "text/csv; charset=utf-8"
FORMATS: Final = {"xml": XML, "json": JSON}
MEMBERS: Final = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "errors": "error",
    "endpoints": "endpoint",
    "formats": "format",
    "clocks": "clock",
}
"""The element of each member of a list, by the element of the list."""
ERRORS: Final[dict[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["code", "description"],
        "properties": {"code": {"type": "integer"}, "description": {"type": "string"}},
    },
}
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def format_of(path: str) -> str:
    """The media type that a path ends in; XML, which every server must have, where it ends in none."""
    return FORMATS.get(path.rpartition(".")[2], XML)


def answer(root: str, body: Any, media_type: str, status: int = 200) -> Response:
    """A value as the media type wants it.

    Args:
        root: the root element of the XML.
        body: structs, mappings, lists, and what JSON has besides.
    """
    if media_type == JSON:
        content = msgspec.json.encode(body)
    else:
        tree = _element(root, msgspec.to_builtins(body))
        content = ElementTree.tostring(tree, encoding="utf-8", xml_declaration=True)
    return Response(content, status_code=status, headers={"Content-Type": media_type})


def error_answer(error: CityloomError, path: str) -> Response:
    """An error as Open311 tells it: a list of codes with their descriptions, 403 where a key is missing."""
    status = 403 if isinstance(error, Unauthorized) else status_of(error)
    body = [{"code": status, "description": error.detail}]
    response = answer("errors", body, format_of(path), status)
    if isinstance(error, Overloaded | StoreUnreachable):
        response.headers["Retry-After"] = "1"
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.extra.get("retryAfter", 1))
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = str(error.extra.get("allow", ""))
    return response


def _element(name: str, value: Any) -> ElementTree.Element:
    element = ElementTree.Element(name)
    if isinstance(value, Mapping):
        element.extend(_element(member, part) for member, part in value.items())
    elif isinstance(value, list):
        element.extend(_element(MEMBERS[name], part) for part in value)
    elif isinstance(value, bool):
        element.text = str(value).lower()
    elif value is not None:
        element.text = _NO_XML.sub("\ufffd", str(value))
    return element
