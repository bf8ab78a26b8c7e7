"""The Link header that names an `@context`.

Source: ETSI GS CIM 009 clause 6.3.5; JSON-LD 1.1 clause 6.2; RFC 8288 clause 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from cityloom.model.errors import BadRequestData

CONTEXT_RELATION: Final = "http://www.w3.org/ns/json-ld#context"
_LINK: Final = re.compile(r"\s*<([^<>]*)>((?:[^\",]|\"(?:[^\"\\]|\\.)*\")*)(?:,|$)")
_PARAMETER: Final = re.compile(r";\s*([^\s;=,\"]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]+))")


def context_link(values: Iterable[str]) -> str | None:
    """The URL that the Link headers of a message name as its `@context`, if any.

    Raises:
        BadRequestData: they name two different ones.
    """
    found = {
        url
        for url, parameters in parse_links(values)
        if CONTEXT_RELATION in parameters.get("rel", "").split()
    }
    if len(found) > 1:
        raise BadRequestData("the Link header is invalid: it names more than one JSON-LD @context")
    return found.pop() if found else None


def parse_links(values: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The links of Link headers: target and parameters, the first of each name."""
    for value in values:
        for link in _LINK.finditer(value):
            parameters: dict[str, str] = {}
            for name, quoted, plain in _PARAMETER.findall(link.group(2)):
                parameters.setdefault(name.lower(), quoted or plain)
            yield link.group(1), parameters


def write_context_link(url: str) -> str:
    """The Link header that tells an `@context`."""
    return f'<{url}>; rel="{CONTEXT_RELATION}"; type="application/ld+json"'
