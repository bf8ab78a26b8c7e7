"""The calendar as it is asked for and put: checked whole, kept as an edition, holding from its commit on."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.cases.clocks.calendar import Calendar, read_calendar
from cityloom.cases.desk.reading import CASES
from cityloom.cases.desk.rules_told import TYPES
from cityloom.cases.keep.calendars import Calendars, Edition
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, ConfigurationError, Conflict, ResourceNotFound
from cityloom.model.time import format_datetime
from cityloom.store.ports import Snapshot, Store, Transaction

_RESOURCE: Final = "case calendar"
_TOLD: Final = ("version", "first", "last", "edition")
"""What `told` adds to what is written down; whoever puts a calendar back need not take it out."""


class EditionTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """An edition, and what became of it: `cases` and `deadlines` are those that it has changed so far.

    A case that somebody moved first is not among them. `state` is `changing` as long as open cases are left,
    `holds` after that, and `past` once another one holds.
    """

    number: int
    version: str
    by: str
    at: str
    source: Literal["file", "request"]
    state: Literal["changing", "holds", "past"]
    cases: int
    deadlines: int


class PutTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a calendar that was put comes to; `clocks` are open clocks whose deadlines it moves."""

    edition: int
    version: str
    first: str
    last: str
    clocks: int
    changed: bool


class CaseCalendar(Door):
    """Tells the calendar, and lets another one hold."""

    def __init__(
        self, store: Store, access: Access, clock: Clock, book: RuleBook, limits: Limits | None = None
    ) -> None:
        super().__init__(store, access, clock, limits)
        self._book = book

    @property
    def _calendars(self) -> Calendars:
        return self._book.calendars

    async def told(self, call: Call, number: int | None = None) -> dict[str, Any]:
        """The calendar that holds as it is written, with its version and the days that it knows.

        Args:
            number: of an edition; None: the one that holds.

        Raises:
            ResourceNotFound: there is no such edition.
        """
        self._may(call, "read", TYPES)

        def work(reads: Snapshot) -> dict[str, Any]:
            mark = self._calendars.mark(reads)
            asked = number if number is not None else 0 if mark is None else mark.number
            edition = self._calendars.edition(reads, asked)
            if edition is None and number is not None:
                raise ResourceNotFound(f"edition {number} of the calendar does not exist")
            version = self._calendars.file.version if edition is None else edition.version
            calendar, values = self._calendars.of(reads, version), self._calendars.values(reads, version)
            if calendar is None or values is None:
                raise ResourceNotFound(f"edition {number} of the calendar does not exist")
            return {
                **values,
                "version": calendar.version,
                "first": str(calendar.first),
                "last": str(calendar.last),
                "edition": asked,
            }

        return await asyncio.wrap_future(self._store.read(work))

    async def editions(self, call: Call) -> list[EditionTold]:
        """Every calendar that held, the last one first: since when, by whom, and what it changed."""
        self._may(call, "read", CASES)

        def work(reads: Snapshot) -> list[EditionTold]:
            mark = self._calendars.mark(reads)
            held = 0 if mark is None else mark.number
            return [self._tell(reads, one, held) for one in self._calendars.editions(reads)]

        return await asyncio.wrap_future(self._store.read(work))

    async def put(self, call: Call, document: dict[str, Any]) -> PutTold:
        """Lets a calendar hold from now on: for who may administer. The same again changes nothing.

        Args:
            document: as a calendar is written down. With `version`, the one that was edited.

        Raises:
            BadRequestData: it is not whole, names the place; it is of another time zone; or it has a hole
                where an open clock needs it, names the case.
            Conflict: another calendar holds than the one that was edited.

        Cost: reads every open case before, some 0.5 ms each, beside the event loop.
        """
        self._may(call, "admin", _RESOURCE)
        edited = document.get("version", "")
        values = {name: value for name, value in document.items() if name not in _TOLD}
        calendar = await asyncio.to_thread(read_calendar, values)
        zone = self._calendars.file.time_zone
        if calendar.time_zone != zone:
            raise BadRequestData(
                f"timeZone is invalid: the city is in {zone}; another one is told in its file, "
                f"and holds from the next start"
            )
        clocks = await self._clocks(calendar)

        def work(tx: Transaction) -> PutTold:
            mark = self._calendars.mark(tx)
            version = self._calendars.file.version if mark is None else mark.version
            changed = mark is None or calendar.version != version
            if changed and edited and edited != version:
                raise Conflict(
                    "version is invalid: another calendar came to hold meanwhile; look at it again"
                )
            if changed:
                self._calendars.adopt(tx, calendar, values, call.cause, "request")
            now = self._calendars.mark(tx)
            return PutTold(
                edition=0 if now is None else now.number,
                version=calendar.version,
                first=str(calendar.first),
                last=str(calendar.last),
                clocks=clocks,
                changed=changed,
            )

        return await self._write(call, work, size=len(msgspec.json.encode(values)))

    async def _clocks(self, calendar: Calendar) -> int:
        """How many open clocks it moves. Raises BadRequestData: it has a hole where one needs it."""
        now = self._clock.now()

        def work(reads: Snapshot) -> int:
            return sum(1 for _ in self._calendars.moved(reads, calendar, now))

        try:
            return await asyncio.wrap_future(self._store.read(work))
        except ConfigurationError as error:
            raise BadRequestData(f"years is invalid: {error.detail}") from None

    def _tell(self, reads: Snapshot, edition: Edition, held: int) -> EditionTold:
        progress = self._calendars.progress(reads, edition.number)
        return EditionTold(
            number=edition.number,
            version=edition.version,
            by=edition.by,
            at=format_datetime(edition.at),
            source=edition.source,
            state="past" if edition.number != held else "holds" if progress.done else "changing",
            cases=progress.cases,
            deadlines=progress.deadlines,
        )
