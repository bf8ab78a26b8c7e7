"""Reports and photos that come without an API key: how many from one source, and how many in all.

Without a bound one telephone fills a city's queue, and its disk. What was counted stands in the memory
of this process: a restart forgets it, and each worker counts for itself.

Source: ITU-T I.371 (the generic cell rate algorithm); RFC 6585 section 4 (429), RFC 9110 section 10.2.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import structlog

from cityloom.broker.ports import Call
from cityloom.model.clock import Clock
from cityloom.model.errors import CityloomError, TooManyRequests
from cityloom.model.settings import Settings
from cityloom.web.headers import Headers
from cityloom.web.source import FORWARDED_FOR, networks, source_of, trusts

_SECOND: Final = 1_000_000
_HOUR: Final = 3600 * _SECOND
_FEW: Final = 1000
"""Sources that are remembered without a look at which of them have rested."""

_log = structlog.get_logger("cityloom.web")


class Rate:
    """So many an hour, and so many at once, of each source by itself.

    Of a source nothing is kept but the time from which on it may do as many at once as ever, and not
    even that when the time has come.

    Args:
        hourly: how many an hour.
        at_once: how many one right after the other.
    """

    def __init__(self, hourly: int, at_once: int) -> None:
        self._apart = _HOUR // hourly
        self._most = at_once * self._apart
        self._rested: dict[str, int] = {}
        self._room = _FEW

    def wait(self, source: str, now: int) -> int:
        """Microseconds until one more may come; 0: it may now."""
        return max(0, self._left(source, now) + self._apart - self._most)

    def take(self, source: str, now: int) -> None:
        """One more came."""
        if len(self._rested) >= self._room:
            self._rested = {one: rested for one, rested in self._rested.items() if rested > now}
            self._room = max(_FEW, 2 * len(self._rested))
        self._rested[source] = now + self._left(source, now) + self._apart

    def give_back(self, source: str) -> None:
        """The one that came last counts no more."""
        if source in self._rested:
            self._rested[source] -= self._apart

    @property
    def remembered(self) -> int:
        """How many sources are."""
        return len(self._rested)

    def _left(self, source: str, now: int) -> int:
        # Not more than ever: the clock may have been set back.
        return min(max(0, self._rested.get(source, now) - now), self._most)


class _Bound:
    """Of one kind of thing: what may come from one source, and from all together."""

    def __init__(self, what: str, settings: Settings, each: int) -> None:
        hourly, at_once = settings.reports_per_source, settings.reports_at_once
        self.what = what
        self.one = Rate(hourly * each, at_once * each)
        in_all = settings.reports_in_all
        self.all = Rate(in_all * each, max(1, in_all // 4) * each)
        self.told_at = 0


class KeylessReports:
    """Bounds what comes without a key where anyone may report; on an open node there is no bound."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._bounded = settings.public_report and not settings.open_node
        self._trusted = networks(settings.trusted_proxies)
        self._clock = clock
        self._reports = _Bound("reports", settings, 1)
        self._photos = _Bound("photos", settings, settings.photos_per_report)
        self._told_of_proxy = False

    def report(self, call: Call, peer: str, headers: Headers) -> AbstractContextManager[None]:
        """Counts a report, unless the block finds it wrong. Raises TooManyRequests."""
        return self._counted(self._reports, call, peer, headers)

    def photo(self, call: Call, peer: str, headers: Headers) -> AbstractContextManager[None]:
        """Counts a photo, unless the block finds it wrong. Raises TooManyRequests."""
        return self._counted(self._photos, call, peer, headers)

    @contextmanager
    def _counted(self, bound: _Bound, call: Call, peer: str, headers: Headers) -> Iterator[None]:
        if call.party or not self._bounded:
            yield
            return
        now, source = self._clock.now(), source_of(peer, headers, self._trusted)
        # Where nobody says who asks, to count all as one would leave no report to the others.
        wait = bound.one.wait(source, now) if source else 0
        if wait:
            self._tell_of_proxy(peer, headers)
            raise _refusal(f"{bound.what} without an API key from one address", wait)
        wait = bound.all.wait("", now)
        if wait:
            self._tell(bound, now)
            raise _refusal(f"{bound.what} without an API key, from all together", wait)
        # Counted before it is dealt with: many may come at one time.
        bound.one.take(source, now)
        bound.all.take("", now)
        try:
            yield
        except CityloomError:
            bound.one.give_back(source)
            bound.all.give_back("")
            raise

    def _tell(self, bound: _Bound, now: int) -> None:
        """Says once an hour that citizens are refused for the sake of all."""
        if not bound.told_at or now - bound.told_at >= _HOUR:
            bound.told_at = now
            _log.warning(f"{bound.what} without a key refused", reason="more came than reportsInAll lets in")

    def _tell_of_proxy(self, peer: str, headers: Headers) -> None:
        """Says once that all who come through a proxy count as one."""
        if self._told_of_proxy or FORWARDED_FOR not in headers or trusts(peer, self._trusted):
            return
        self._told_of_proxy = True
        _log.warning(
            "reports without a key refused",
            reason="all that come through a proxy count as one address: trustedProxies does not name it",
            proxy=peer,
        )


def _refusal(what: str, wait: int) -> TooManyRequests:
    seconds = -(-wait // _SECOND)
    return TooManyRequests(f"too many {what}: one more is taken in {seconds} s", retryAfter=seconds)
