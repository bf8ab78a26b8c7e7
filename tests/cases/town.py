"""A city that keeps cases, on a store of its own and simulated time; no network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cityloom
from cityloom.access.keys import KeyAccess
from cityloom.app.case_tables import CaseTables, RuledCases
from cityloom.broker.local import LocalBroker
from cityloom.broker.ports import Action, Call
from cityloom.cases.behind.following import CasesFollowed
from cityloom.cases.desk.views import CaseWhole
from cityloom.cases.desk.wishes import MoveWish, Report
from cityloom.cases.keep.city import CaseRules, load_rules
from cityloom.cases.keep.erasing import erase_reporters_photos
from cityloom.cases.keep.files import EvidenceFiles
from cityloom.cases.keep.kept import CASE, ROOM
from cityloom.cases.keep.places import Places
from cityloom.cases.service import Cases
from cityloom.ld.context import LdContext
from cityloom.model.clock import SimulatedClock
from cityloom.model.events import Cause
from cityloom.model.time import parse_datetime
from cityloom.rules.kept import Rules
from cityloom.store.ports import Store
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore

SAMPLE = Path(cityloom.__file__).parent / "profiles" / "sample" / "cases.yaml"
RULES = load_rules(SAMPLE)
ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = parse_datetime("2026-07-06T09:00:00+08:00")
"""A working day of the sample city."""


class Open:
    """Everyone may do everything, in whichever role."""

    def check(self, call: Call, action: Action, resource: str = "") -> None:
        return

    def case_roles(self, call: Call) -> Sequence[str] | None:
        return call.party.split(",") if call.party else None


class Town:
    """The rooms that cases stand in.

    Args:
        access: who may do what; without it everyone may do everything.
        ruled: the rules of the city's files are in force, and others can be adopted.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        clock: SimulatedClock,
        rules: CaseRules,
        access: Open | KeyAccess | None = None,
        ruled: bool = False,
    ) -> None:
        self.store = store
        self.clock = clock
        self.access = access or Open()
        self.files = EvidenceFiles(folder / "evidence", most_bytes=2_000_000, most_pixels=4_000_000)
        adopted: RuledCases | None = None
        if ruled:
            tables = CaseTables(rules.workflow, rules.limits, rules.departments, rules.rules)
            adopted = RuledCases(tables, Rules(store, self.access, clock, zone=ZONE, base=tables.base))
        self.cases = Cases(
            store,
            self.access,
            clock,
            rules,
            parties=self.access,
            files=self.files,
            places=Places(rules.areas, LdContext.core.expand_term, rules.landmarks),
            ruled=adopted,
        )
        self.followed = CasesFollowed(store, clock, self.cases.book, self.cases.timer_set, self.files)
        self.broker = LocalBroker(store, self.access, clock, owned_types={CASE: ROOM})
        self.broker.personal.erase_too(erase_reporters_photos)

    def call(self, party: str = "", purpose: str = "") -> Call:
        cause = Cause(kind="request", id="request:test", party=party)
        return Call(party=party, purpose=purpose, cause=cause)

    async def report(self, **given: Any) -> str:
        told = await self.cases.report(self.call(), Report(**{"type": "street-light", **given}))
        return told.id

    async def move(self, case_id: str, move: str, party: str = "", **given: Any) -> CaseWhole:
        """Makes a move, having seen the case as it is now."""
        if "seen" not in given:
            given["seen"] = (await self.cases.show(self.call(), case_id)).seen
        return await self.cases.move(self.call(party), case_id, MoveWish(move=move, **given))

    async def handled(self, department: str = "lighting", **given: Any) -> str:
        """A case that a department has."""
        case = await self.report(**given)
        await self.move(case, "accept")
        await self.move(case, "file", condition="light-out")
        await self.move(case, "dispatch", department=department)
        return case


@contextmanager
def town(
    folder: Path,
    rules: CaseRules = RULES,
    clock: SimulatedClock | None = None,
    url: str = "",
    access: KeyAccess | None = None,
    ruled: bool = False,
) -> Iterator[Town]:
    """A city in a folder, or in the database at `url`."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = clock or SimulatedClock(MONDAY)
    store: Store = (
        PostgresStore(url, clock) if url else SqliteStore(folder / "city.db", clock, synchronous="OFF")
    )
    try:
        yield Town(folder, store, clock, rules, access, ruled)
    finally:
        store.close()


async def until(holds: Callable[[], Any], seconds: float = 20.0) -> None:
    """Waits until something holds."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)
