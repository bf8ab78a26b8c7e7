"""Answers of context sources kept for a while, because their registrations ask for it.

Source: ETSI GS CIM 009 clauses 5.2.34 (cacheDuration), 6.3.17 (caching).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from cityloom.federation.registrations.registration import Registration
from cityloom.model.time import parse_duration

T = TypeVar("T")

_MOST_BYTES: Final = 8 * 1024 * 1024
"""Of all answers together, as they came; the oldest go first."""
_MONTH: Final = 30 * 86_400 * 1_000_000
_CONSUMED: Final = ("/entities", "/temporal/entities", "/types", "/attributes")


class Key(NamedTuple):
    """A request that is answered alike while the registration stays as it is."""

    tenant: str
    registration: str
    modified_at: str
    url: str
    headers: frozenset[tuple[str, str]]


class _Kept(NamedTuple, Generic[T]):
    answer: T
    until: int
    size: int


class AnswerCache(Generic[T]):
    """The answers that may be told again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, _Kept[T]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key, now: int) -> T | None:
        """The answer kept for a request, None when there is none or it is too old."""
        kept = self._kept.get(key)
        return kept.answer if kept is not None and now < kept.until else None

    def put(self, key: Key, answer: T, size: int, until: int) -> None:
        """Keeps an answer.

        Args:
            size: bytes, as it came.
            until: microseconds since 1970 (UTC).
        """
        self._drop(key)
        if size > _MOST_BYTES:
            return
        self._kept[key] = _Kept(answer, until, size)
        self._bytes += size
        while self._bytes > _MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def forget(self, tenant: str, registration: str) -> None:
        """Drops what a source answered, after it was written to."""
        for key in [key for key in self._kept if (key.tenant, key.registration) == (tenant, registration)]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.size


def kept_for(registration: Registration, method: str, path: str) -> int:
    """How long an answer is told again, in microseconds; 0 where it is not, or it is not one to read."""
    management = registration.management
    if management is None or management.cache_duration is None:
        return 0
    if method != "GET" or not path.startswith(_CONSUMED):
        return 0
    months, micros = parse_duration(management.cache_duration, "management.cacheDuration")
    return months * _MONTH + micros


def key_of(tenant: str, registration: Registration, url: str, headers: Mapping[str, str]) -> Key:
    """What tells a request from others: whom it passed before changes no answer."""
    told = frozenset((name, value) for name, value in headers.items() if name != "Via")
    return Key(tenant, registration.id, registration.modified_at, url, told)
