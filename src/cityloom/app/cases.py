"""The cases and rules of a city, wired: what serves them, and what runs behind them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cityloom.access.keys import KeyAccess
from cityloom.app.case_opening import OpenedCases
from cityloom.app.case_replay import EvaluationScores, ReplayedCases, recorded_cases
from cityloom.app.case_tables import CaseTables, RuledCases
from cityloom.cases.behind.following import CasesFollowed
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.files import EvidenceFiles
from cityloom.cases.keep.kept import ROOM as CASES
from cityloom.cases.keep.places import Places
from cityloom.cases.looks.insights import CaseInsights, insights_of
from cityloom.cases.looks.surging import CONSUMER as SURGES
from cityloom.cases.looks.surging import SurgesFollowed
from cityloom.cases.service import Cases
from cityloom.consumers.lease import Leases, Part, Together
from cityloom.model.clock import Clock
from cityloom.model.errors import InternalError
from cityloom.rules.jobs import Replays
from cityloom.rules.kept import Rules
from cityloom.rules.past import OpeningPast
from cityloom.rules.watch import CONSUMER as RULES
from cityloom.rules.watch import OpeningWatch
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Snapshot, Store

_LOOK_AFTER, _LOOK_EVERY = 0.002, 0.05
"""Seconds until the first look whether timers were dealt with; each takes twice as long as the one before,
up to the second figure."""
_STANDS_AFTER = 60.0
"""Seconds in which nothing goes on until nobody waits any longer; what fails is tried again every 2."""


class Ground(NamedTuple):
    """What every room of a node stands on."""

    store: Store
    access: KeyAccess
    clock: Clock
    leases: Leases


class Where(NamedTuple):
    """Where a city is: its time zone, its centre (lon, lat), and the name of an expanded type."""

    zone: ZoneInfo
    centre: tuple[float, float]
    expand: Callable[[str], str]


class CaseParts:
    """Rules, and the cases of a city whose profile tells of some.

    Attributes:
        cases, insights: None where the profile tells nothing of cases.
    """

    def __init__(self, ground: Ground, where: Where, told: CaseRules | None, files: EvidenceFiles) -> None:
        store, access, clock, leases = ground
        self._store, self._clock = store, clock
        tables = (
            None if told is None else CaseTables(told.workflow, told.limits, told.departments, told.rules)
        )
        self.rules = Rules(
            store,
            access,
            clock,
            zone=where.zone,
            base=() if tables is None else tables.base,
            checks=tables,
        )
        self.cases: Cases | None = None
        self.insights: CaseInsights | None = None
        self._followed: CasesFollowed | None = None
        self._surges: SurgesFollowed | None = None
        self._openings: OpeningWatch | None = None
        past: ReplayedCases | None = None
        scoring: EvaluationScores | None = None
        if told is not None and tables is not None:
            cases = self.cases = Cases(
                store,
                access,
                clock,
                told,
                parties=access,
                files=files,
                places=Places(told.areas, where.expand, told.landmarks),
                ruled=RuledCases(tables, self.rules),
            )
            self.insights = insights_of(store, access, clock, cases.book, access)
            self._followed = CasesFollowed(
                store, clock, cases.book, cases.timer_set, files, leases.fenced("cases")
            )
            self._surges = SurgesFollowed(leases.fenced("surges"), clock, told, where.centre)
            self._openings = OpeningWatch(
                leases.fenced("rules"),
                clock,
                self.rules,
                OpenedCases(cases.book, cases.places, cases.timer_set),
                expand=where.expand,
                centre=where.centre,
            )
            past = ReplayedCases(
                told.workflow,
                tables,
                told.calendar,
                where.zone,
                partial(recorded_cases, present=cases.book.calendar),
                readings=True,
            )
            scoring = EvaluationScores(told.evaluation, told.workflow, told.calendar, clock)
        self.replays = Replays(
            store,
            access,
            clock,
            self.rules,
            openings=OpeningPast(expand=where.expand, zone=where.zone, centre=where.centre),
            cases=past,
            scoring=scoring,
        )

    def prepare(self) -> None:
        """What must be right before the node serves.

        Raises:
            ConfigurationError: the rules of cases are not.
        """
        if self._followed is not None:
            self._followed.prepare()

    def consumers(self) -> tuple[str, ...]:
        """Who follows the log here."""
        return () if self._followed is None else (CASES, RULES, SURGES)

    def parts(self) -> dict[str, Part]:
        """What one process alone does, by the lease that it needs for it."""
        followed = {"cases": self._followed, "rules": self._openings, "surges": self._surges}
        return {
            **{
                name: Together(start=(one.start,), run=(one.run,))
                for name, one in followed.items()
                if one is not None
            },
            "replays": Together(start=(self.replays.start,), run=(_for_ever,)),
        }

    def everywhere(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What each process does for itself."""
        return {} if self.cases is None else {"suggestions": self.cases.suggestions.run}

    async def settle(self) -> None:
        """Waits until all that is committed was looked at and no timer is due: for a clock moved by hand.

        Raises:
            InternalError: nothing goes on, though something is left to do; it says whose.
        """
        following = (self._followed, self._openings, self._surges)
        watching = {name: one for name, one in zip(self.consumers(), following, strict=False) if one}

        def look(reads: Snapshot) -> tuple[int, dict[str, list[Timer]]]:
            now = self._clock.now()
            due = {name: reads.timers_due(name, now) for name in watching}
            return reads.last_seq(), {name: timers for name, timers in due.items() if timers}

        timers, followers = _Patience(), _Patience()
        wait, before = _LOOK_AFTER, dict[str, list[Timer]]()
        while True:
            last, due = await asyncio.wrap_future(self._store.read(look))
            if not due and all(one.position >= last for one in watching.values()):
                return
            # Asked apart: one that is due again and again has followers go on for ever.
            timers.look(due)
            for name in due:
                watching[name].look()
            while behind := {name: one.position for name, one in watching.items() if one.position < last}:
                followers.look(behind)
                with suppress(TimeoutError):
                    await asyncio.wait_for(watching[next(iter(behind))].reached(last), _STANDS_AFTER)
            if due:
                wait = min(2 * wait, _LOOK_EVERY) if due == before else _LOOK_AFTER
                before = due
                await asyncio.sleep(wait)

    async def close(self) -> None:
        """Ends replays."""
        await self.replays.close()


class _Patience:
    """Waits no longer than `_STANDS_AFTER` for what stands still."""

    def __init__(self) -> None:
        self._left: Mapping[str, object] = {}
        self._since = time.monotonic()

    def look(self, left: Mapping[str, object]) -> None:
        """What is left to do, by whose it is. Raises InternalError: it has been the same for too long."""
        if not left or left != self._left:
            self._left, self._since = left, time.monotonic()
        elif time.monotonic() - self._since > _STANDS_AFTER:
            names = ", ".join(sorted(left))
            raise InternalError(f"what follows the log stands still for {_STANDS_AFTER:g} s: {names}")


async def _for_ever() -> None:
    await asyncio.Event().wait()
