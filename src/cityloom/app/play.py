"""Recorded time lived once more: what sources delivered then enters a running node as if live.

The node's clock is moved by hand. In each beat it is set, what was due up to then is delivered, requests
become cases, whoever plays the staff acts, and everything that follows the log deals with it before
the next beat.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from msgspec import Struct

from cityloom.app.node import Node
from cityloom.cases.keep.kept import CASE, kept_of
from cityloom.cases.keep.past import PastRequests
from cityloom.cases.looks.surges_told import SurgeWish
from cityloom.connect.deliveries import Delivery, call_of, deliver, read_deliveries
from cityloom.connect.mapping import Mapping
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import ConfigurationError
from cityloom.model.events import Event
from cityloom.query.values import Query, TypeIs
from cityloom.store.ports import Snapshot

_BEAT: Final = 0.1
"""Seconds between two beats of a day that is played to be looked at."""
_EVENTS: Final = 500
_PART: Final = 100


class Staff(Protocol):
    """Whoever acts on the cases of a played city, where their acts are not recorded.

    `next` is when something is to be done (µs), None while nothing is.
    """

    @property
    def next(self) -> int | None: ...

    async def act(self, opened: Sequence[str], now: int) -> None:
        """Takes up the cases that were opened since the last time, and does what is due up to now (µs)."""
        ...

    async def take_up(self, cases: Sequence[str]) -> None:
        """Goes on with the cases of a part of the play that was stopped."""
        ...


class Played(Struct, frozen=True, kw_only=True):
    """How far a play is: the node's time (µs), cases opened in it, titles of the alarms that are on.

    `refused` holds of what sources told and the node did not take the reason, by id.
    """

    now: int
    opened: int
    alarms: tuple[dict[str, str], ...]
    refused: dict[str, str]


class Player:
    """Plays what the profile's `play` names, at a node on a simulated clock.

    Args:
        begin: the beginning of what is played (µs); the clock is beyond it where a play goes on.
        until: its end (µs).

    Raises:
        ConfigurationError: the city's profile says nothing of play, or it keeps no cases.
    """

    def __init__(self, node: Node, clock: SimulatedClock, begin: int, until: int) -> None:
        cases = node.case_parts.cases
        if cases is None or node.profile is None or not node.profile.play.live:
            raise ConfigurationError("the city's profile says nothing of `play`, or it keeps no cases")
        self.node = node
        self.clock = clock
        self.begin = begin
        self.until = until
        self.staff: Staff | None = None
        self.speed = 0.0
        self._mappings = {mapping.source: mapping for mapping in node.mappings}
        self._requests = PastRequests(node.store, node.access, cases.book, node.ld_context.expand_term)
        self._due: deque[Delivery] = deque()
        self._seq = 0
        self._opened = 0
        self._refused: dict[str, str] = {}
        self._goes = asyncio.Event()
        self._goes.set()

    @property
    def before(self) -> list[str]:
        """The sources that are imported before anything is played."""
        assert self.node.profile is not None
        return self.node.profile.play.before

    def leave_out(self, unwanted: Callable[[Delivery], bool]) -> None:
        """Plays only the rest of what was read."""
        self._due = deque(one for one in self._due if not unwanted(one))

    async def read(self, progress: Callable[[float], None] = lambda _: None) -> list[Delivery]:
        """Reads what is to be delivered, and keeps it; all of it, for whoever plays the staff."""
        assert self.node.profile is not None
        live = self.node.profile.play.live
        found: list[Delivery] = []
        for number, source in enumerate(live):
            mapping = self._mappings[source]
            found += await read_deliveries(
                self.node.importer, mapping, self.node.folder.sources, self.clock.now(), self.until
            )
            progress((number + 1) / len(live))
        found.sort(key=lambda one: one.at)
        self._due = deque(found)
        return found

    async def catch_up(self, progress: Callable[[float], None] = lambda _: None) -> None:
        """Brings what was lived before the clock's time: things as they stood then, and their cases.

        Readings before it are left out. What is there already stays.
        """
        now = self.clock.now()
        stood: dict[str, Delivery] = {}
        while self._due and self._due[0].at <= now:
            one = self._due.popleft()
            if one.lived:
                stood[one.entity.id] = one
        told = sorted(stood.values(), key=lambda one: one.at)
        for first in range(0, len(told), _EVENTS):
            part = told[first : first + _EVENTS]
            await self._deliver(part)
            progress((first + len(part)) / len(told))

    async def take_up(self) -> None:
        """Goes on with the cases of a part of the play that was stopped: they count, the staff has them."""
        if self.clock.now() > self.begin:
            cases = await asyncio.wrap_future(self.node.store.read(self._played_before))
            self._opened = len(cases)
            if self.staff is not None:
                await self.staff.take_up(cases)

    async def through(self, step: int, tell: Callable[[Played], None] = lambda _: None) -> None:
        """Plays all of it, as fast as it goes, in steps of the clock (µs), at a node that serves nobody."""
        await self.node.leases.start(self.node.case_parts.parts())
        try:
            await self._start()
            while (now := self.clock.now()) < self.until:
                following = max(self._next(), now + 1)
                await self.beat(min(self.until, -(-following // step) * step))
                tell(await self.played())
            await self.node.case_parts.settle()
        finally:
            await self.node.leases.stop()

    async def run(self, speed: float, tell: Callable[[Played], None] = lambda _: None) -> None:
        """Plays it to be looked at, `speed` seconds in one; the clock stands at its end."""
        await self._start()
        self.speed = self.clock.speed = speed
        at, begun = self.clock.now(), time.monotonic()
        while self.clock.now() < self.until:
            await asyncio.sleep(_BEAT)
            if not self._goes.is_set():
                self.clock.speed = 0.0
                tell(await self.played())
                await self._goes.wait()
                self.clock.speed = speed
                at, begun = self.clock.now(), time.monotonic()
                continue
            await self.beat(min(self.until, at + round((time.monotonic() - begun) * speed * 1e6)))
            tell(await self.played())
        self.clock.speed = 0.0

    def pause(self) -> None:
        """Lets time stand, or go on."""
        if self._goes.is_set():
            self._goes.clear()
        else:
            self._goes.set()

    @property
    def paused(self) -> bool:
        """Whether time stands."""
        return not self._goes.is_set()

    async def beat(self, now: int) -> None:
        """Lives up to a time (µs): all that came is dealt with when this returns."""
        self.clock.set(now)
        due: list[Delivery] = []
        while self._due and self._due[0].at <= now:
            one = self._due.popleft()
            if self.staff is not None and one.lived and one.at == one.ends:
                # Before a thing ends, the staff does what it did until then: it may have begun just now.
                await self._deliver(due)
                due = []
                await self._let_act(one.at - 1)
            due.append(one)
        await self._deliver(due)
        await self.node.case_parts.settle()
        await self._let_act(now)

    async def _let_act(self, now: int) -> None:
        opened = await asyncio.wrap_future(self.node.store.read(self._new_cases))
        self._opened += len(opened)
        if self.staff is not None:
            await self.staff.act(opened, now)

    def _next(self) -> int:
        """When something happens next; what only a timer changes waits for that."""
        times = [one.at for one in (*self._due,)[:1]]
        if self.staff is not None and self.staff.next is not None:
            times.append(self.staff.next)
        return min(times, default=self.until)

    async def played(self) -> Played:
        """How far it is."""
        insights = self.node.case_parts.insights
        assert insights is not None
        on = await insights.surges.surges(self.node.own_call("play"), SurgeWish())
        titles = tuple(one.type_title or {"en": one.type} for one in on.surges if not one.area)
        return Played(now=self.clock.now(), opened=self._opened, alarms=titles, refused=dict(self._refused))

    async def _start(self) -> None:
        self._seq = await asyncio.wrap_future(self.node.store.read(lambda reads: reads.last_seq()))

    def _played_before(self, reads: Snapshot) -> list[str]:
        """The cases that an earlier part of the play opened."""
        cases = map(kept_of, reads.scan("", Query(types=TypeIs(CASE))))
        return [one.case.id for one in cases if one.reported_at >= self.begin]

    async def _deliver(self, due: Sequence[Delivery]) -> None:
        for mapping, told in self._by_source(due):
            call = call_of(self.node.importer, mapping, told[-1].at)
            for error in await deliver(self.node.importer, call, mapping, told):
                self._refused[error.id] = error.error.detail
            if mapping.lived is not None:
                # A report names the first hundred that it refused: none is without its name in such a part.
                for first in range(0, len(told), _PART):
                    part = [one.entity for one in told[first : first + _PART]]
                    self._refused.update((await self._requests.take(call, part)).refused)

    def _by_source(self, due: Iterable[Delivery]) -> list[tuple[Mapping, list[Delivery]]]:
        found: dict[str, list[Delivery]] = {}
        for one in due:
            found.setdefault(one.source, []).append(one)
        return [(self._mappings[source], told) for source, told in found.items()]

    def _new_cases(self, reads: Snapshot) -> list[str]:
        """The cases that were opened since the last look, in order."""
        found: list[str] = []
        while events := reads.events(self._seq, _EVENTS):
            found += [event.entity_id for event in events if _opens(event)]
            self._seq = events[-1].seq
        return found


def _opens(event: Event) -> bool:
    return event.kind == "entityCreated" and CASE in event.types and not event.tenant
