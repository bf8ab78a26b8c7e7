"""Contexts that are kept: hosted for users, made for them, or cached from the web.

Source: ETSI GS CIM 009 clauses 5.13.1 (kinds), 5.13.3.5 (what is told of them),
6.3.16 (expiry of cached contexts).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct

from cityloom.model.events import Cause, Document, Event
from cityloom.model.time import format_datetime

T = TypeVar("T")

ContextKind = Literal["Hosted", "Cached", "ImplicitlyCreated"]
KINDS: Final[tuple[ContextKind, ...]] = ("Hosted", "Cached", "ImplicitlyCreated")
DOCUMENT_KIND: Final = "jsonldContext"
PATH: Final = "/ngsi-ld/v1/jsonldContexts/"

_NAMESPACE: Final = uuid.UUID("2f0d1c51-6b1e-5c0b-9d83-30a1f3a1b6c4")
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])(s-maxage|max-age)\s*=\s*\"?(\d{1,10})", re.IGNORECASE)
_NOT_KEPT: Final = re.compile(r"(?:^|[,\s])no-(?:cache|store)\b", re.IGNORECASE)
_SECOND: Final = 1_000_000


class KeptContext(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A context as it is kept: `context` is the value of its `@context`; times in microseconds.

    `url` is where a cached one came from, "" for others; `hits` counts how
    often it was found here.
    """

    id: str
    kind: ContextKind
    context: Any
    created: int
    url: str = ""
    expires: int | None = None
    hits: int = 0
    used: int | None = None


class Documents(Protocol):
    """What is asked of a snapshot of the store."""

    def document(self, tenant: str, kind: str, id: str) -> Document | None:
        """One document."""
        ...

    def documents(self, tenant: str, kind: str, after: str = "", limit: int = 1000) -> list[Document]:
        """Documents of a kind, by id, those after `after`."""
        ...


class DocumentChanges(Documents, Protocol):
    """What is asked of a transaction of the store."""

    def put_document(self, tenant: str, kind: str, id: str, body: Any, cause: Cause) -> Event:
        """Makes `body` the document."""
        ...

    def delete_document(self, tenant: str, kind: str, id: str, cause: Cause) -> Event:
        """Deletes a document."""
        ...

    def set_state(self, tenant: str, kind: str, id: str, body: Any) -> None:
        """Keeps a document without an event."""
        ...


class Keeper(Protocol):
    """Where contexts are kept: the part of a store that holds documents."""

    def read(self, work: Callable[[Documents], T]) -> Future[T]:
        """Runs `work` on one state of the documents."""
        ...

    def submit(self, work: Callable[[DocumentChanges], T], size: int = 0) -> Future[T]:
        """Runs `work`; the future resolves when what it changed is durable."""
        ...


def cached_id(url: str) -> str:
    """The local id of the cached context of a URL: always the same."""
    return str(uuid.uuid5(_NAMESPACE, url))


def implicit_id(tenant: str, source: bytes) -> str:
    """The local id of a context made for a caller, derived from what it holds."""
    return str(uuid.uuid5(_NAMESPACE, f"{tenant}\n{source.decode()}"))


def new_id() -> str:
    """The local id of a hosted context; not to be guessed."""
    return str(uuid.uuid4())


def read_kept(document: Document) -> KeptContext:
    """The context that a document holds."""
    return msgspec.convert(document.body, KeptContext)


def describe(kept: KeptContext, url: str) -> dict[str, Any]:
    """What is told of a context (5.13.3.5).

    Args:
        url: where it can be had: the original URL, or this node's.
    """
    told: dict[str, Any] = {
        "URL": url,
        "localId": kept.id,
        "kind": kept.kind,
        "createdAt": format_datetime(kept.created),
    }
    if kept.expires is not None:
        told["expiresAt"] = format_datetime(kept.expires)
    if kept.used is not None:
        told["lastUsage"] = format_datetime(kept.used)
    told["numberOfHits"] = kept.hits
    return told


def expiry(headers: Mapping[str, str], now: int, heuristic: float) -> int:
    """When a document fetched `now` (µs) has to be fetched again (µs).

    Args:
        headers: of the reply, names in lower case.
        heuristic: seconds that it is good for where the reply tells nothing.

    Source: RFC 9111 clauses 4.2.1, 4.2.2, 5.2.2; 5.3.
    """
    control = headers.get("cache-control", "")
    if _NOT_KEPT.search(control):
        return now
    ages = {name.lower(): int(seconds) for name, seconds in _MAX_AGE.findall(control)}
    seconds = ages.get("s-maxage", ages.get("max-age"))
    if seconds is not None:
        return now + seconds * _SECOND
    if "expires" in headers:
        try:
            return max(now, int(parsedate_to_datetime(headers["expires"]).timestamp() * _SECOND))
        except (ValueError, TypeError, OverflowError):
            return now
    return now + int(heuristic * _SECOND)
