"""Questions to a server, bounded in size, time and number; and what its answers say in XML and JSON.

Source: GeoReport v2: Format Support, Encoding, XML Support, JSON Support.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree

import httpx

from cityloom.client.http import CityError
from cityloom.client.open311.findings import Findings

LISTS: Final = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "errors": "error",
    "endpoints": "endpoint",
    "formats": "format",
}
"""Elements that hold a list, with the element of each member."""
_LARGEST: Final = 32 * 1024 * 1024
_SLOWEST: Final = 30.0
_LONGEST: Final = 300.0
_MOST: Final = 80
_DECLARATION: Final = re.compile(r"""<\?xml\s[^>]*encoding\s*=\s*["']([^"']+)["'][^>]*\?>""")
_TYPES: Final = {"xml": ("text/xml", "application/xml"), "json": ("application/json",)}


class Reply(NamedTuple):
    """An answer: `value` is what it says, XML and JSON alike; None where it cannot be read."""

    url: str
    status: int
    value: Any


class Server:
    """The server that is looked at.

    Args:
        findings: what is wrong with the formats of its answers is told there.
        jurisdiction: sent with every question but discovery; "" for none.
    """

    def __init__(self, findings: Findings, jurisdiction: str) -> None:
        self._findings = findings
        self._jurisdiction = jurisdiction
        self._end = time.monotonic() + _LONGEST
        self._asked = 0
        self._client = httpx.Client(timeout=_SLOWEST, follow_redirects=True, max_redirects=5)

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def get(
        self, url: str, kind: str, params: Mapping[str, str] | None = None, root: str = "errors"
    ) -> Reply:
        """Asks for `url` in a format, `xml` or `json`.

        Args:
            root: the element that the answer must have at its root; an error's is always `errors`.
        """
        sent = dict(params or {})
        if self._jurisdiction and root != "discovery":
            sent.setdefault("jurisdiction_id", self._jurisdiction)
        return self._ask(self._client.build_request("GET", f"{url}.{kind}", params=sent), kind, root)

    def post(self, url: str, kind: str, form: Mapping[str, str]) -> Reply:
        """Sends a form."""
        sent = dict(form)
        if self._jurisdiction:
            sent.setdefault("jurisdiction_id", self._jurisdiction)
        return self._ask(
            self._client.build_request("POST", f"{url}.{kind}", data=sent), kind, "service_requests"
        )

    def exists(self, url: str) -> bool:
        """Whether something answers 200 there."""
        return self._send(self._client.build_request("GET", url))[0].status_code == httpx.codes.OK

    def _ask(self, request: httpx.Request, kind: str, root: str) -> Reply:
        response, body = self._send(request)
        url = str(request.url)
        if response.is_error:
            root = "errors"
        value = self._read(url, response, body, kind, root)
        return Reply(url, response.status_code, value)

    def _send(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """Raises CityError: nothing answers, or it takes too long, or is too large."""
        self._asked += 1
        if self._asked > _MOST or time.monotonic() > self._end:
            raise CityError(0, "the check was given up", f"after {self._asked} questions at {request.url}")
        began, parts, size = time.monotonic(), list[bytes](), 0
        try:
            response = self._client.send(request, stream=True)
            try:
                for part in response.iter_bytes():
                    size += len(part)
                    parts.append(part)
                    if size > _LARGEST or time.monotonic() - began > _SLOWEST:
                        raise CityError(0, "the answer is too large or too slow", str(request.url))
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CityError(0, "the server does not answer", f"{request.url}: {error}") from None
        return response, b"".join(parts)

    def _read(self, url: str, response: httpx.Response, body: bytes, kind: str, root: str) -> Any:
        self._check_type(url, response.headers.get("content-type", ""), kind)
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            self._findings.error("encoding", f"the body is no UTF-8 ({error.reason}) at {url}")
            return None
        return self._xml(url, text, root) if kind == "xml" else self._json(url, text, root)

    def _check_type(self, url: str, told: str, kind: str) -> None:
        media_type, _, rest = told.partition(";")
        media_type, charset = media_type.strip().lower(), rest.partition("charset=")[2].strip(' "').lower()
        wanted = _TYPES[kind]
        if media_type not in wanted:
            self._findings.error("content-type", f"{told or 'none'!r} instead of {wanted[0]} at {url}")
        elif media_type != wanted[0]:
            self._findings.warning("content-type", f"{media_type} instead of {wanted[0]} at {url}")
        elif charset and charset != "utf-8":
            self._findings.error("content-type", f"charset {charset!r} instead of utf-8 at {url}")
        elif not charset:
            self._findings.warning("content-type", f"no charset=utf-8 at {url}")
        else:
            self._findings.ok("content-type", f"{told} at {url}")

    def _xml(self, url: str, text: str, root: str) -> Any:
        if "<!DOCTYPE" in text:
            self._findings.error("xml", f"a document type, which is not read, at {url}")
            return None
        try:
            tree = ElementTree.fromstring(text.encode())
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            self._findings.error("xml", f"no well-formed XML ({error}) at {url}")
            return None
        declared = _DECLARATION.match(text.lstrip("\ufeff"))
        if declared is None:
            self._findings.error("encoding", f"no XML declaration with encoding at {url}")
        elif declared[1].lower() != "utf-8":
            self._findings.error("encoding", f"the XML declaration says {declared[1]} at {url}")
        else:
            self._findings.ok("encoding", f"UTF-8, declared, at {url}")
        if tree.tag != root:
            self._findings.error("xml", f"the root is {tree.tag!r} instead of {root!r} at {url}")
            return None
        wrong = _wrong_members(tree)
        if wrong:
            self._findings.error("xml", f"{wrong} at {url}")
            return None
        self._findings.ok("xml", f"well-formed, {root!r} at {url}")
        return plain(tree)

    def _json(self, url: str, text: str, root: str) -> Any:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            self._findings.error("json", f"no JSON ({error}) at {url}")
            return None
        kind = list if root in LISTS else dict
        if not isinstance(value, kind) or (kind is list and not all(isinstance(one, dict) for one in value)):
            what = "an array of objects" if kind is list else "an object"
            self._findings.error("json", f"{type(value).__name__} instead of {what} at {url}")
            return None
        self._findings.ok("json", f"{what_of(value)} at {url}")
        return value


def what_of(value: Any) -> str:
    """An answer in a word."""
    return f"an array of {len(value)}" if isinstance(value, list) else "an object"


def plain(element: ElementTree.Element) -> Any:
    """An element by the Spark Convention: text, a mapping, or the list of its members."""
    if element.tag in LISTS:
        return [plain(one) for one in element]
    if len(element):
        return {str(one.tag): plain(one) for one in element}
    return (element.text or "").strip()


def text_of(value: Any) -> str:
    """A scalar as XML has it; "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()


def difference(xml: Any, other: Any, fields: Mapping[str, Any] | None = None, place: str = "") -> str:
    """Where two readings of the same thing differ first; "" where they agree.

    Args:
        fields: only these members are compared; None: all that either has.
    """
    if isinstance(xml, list) or isinstance(other, list):
        mine, theirs = xml or [], other or []
        if not (isinstance(mine, list) and isinstance(theirs, list)) or len(mine) != len(theirs):
            return f"{place or 'the list'}: {_short(xml)} and {_short(other)}"
        found = (
            difference(a, b, fields, f"{place}[{n}]")
            for n, (a, b) in enumerate(zip(mine, theirs, strict=True))
        )
        return next(filter(None, found), "")
    if isinstance(xml, dict) or isinstance(other, dict):
        mine, theirs = xml or {}, other or {}
        if not (isinstance(mine, dict) and isinstance(theirs, dict)):
            return f"{place}: {_short(xml)} and {_short(other)}"
        names = fields if fields is not None else {**mine, **theirs}
        found = (
            difference(mine.get(name), theirs.get(name), None, f"{place}.{name}".lstrip("."))
            for name in names
        )
        return next(filter(None, found), "")
    mine, theirs = text_of(xml), text_of(other)
    return (
        "" if mine == theirs or _same_number(mine, theirs) else f"{place}: {mine[:80]!r} and {theirs[:80]!r}"
    )


def _same_number(one: str, other: str) -> bool:
    try:
        return abs(float(one) - float(other)) < 1e-9
    except ValueError:
        return False


def _short(value: Any) -> str:
    return what_of(value) if isinstance(value, list | dict) else repr(text_of(value)[:80])


def _wrong_members(tree: ElementTree.Element) -> str:
    for element in tree.iter():
        member = LISTS.get(str(element.tag))
        for one in element if member else ():
            if one.tag != member:
                return f"{element.tag!r} holds {one.tag!r} instead of {member!r}"
    return ""
