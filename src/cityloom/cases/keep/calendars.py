"""The calendars that a city worked by: each kept whole, with who brought it and when, and the present one.

Which calendar holds is read with the work or snapshot that asks, so every process goes by the same one
from the commit on that brings it. An open case that was written by another one is written anew, see
`keeping.CaseWriter.put`: by whoever moves it first, or by `recomputing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from cityloom.cases.clocks.calendar import Calendar, make_calendar
from cityloom.cases.deadlines import DeadlineChange, changes
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.kept import CASE, KeptCase, iri, kept_of
from cityloom.model.events import Cause
from cityloom.model.tenants import split_tenant
from cityloom.query.values import Path, QExists, Query, TypeIs
from cityloom.store.ports import DocumentReads, Snapshot, Transaction

CALENDAR: Final = "caseCalendar"
"""Documents of this kind are calendars whole, by their version."""
EDITION: Final = "caseCalendarEdition"
"""Documents of this kind say which calendar held from when on; each is an event of the log."""
_MARK: Final = "caseCalendarMark"
_CURRENT, _PROGRESS = "current", "progress"
_EVERY: Final = 10**9
_HELD: Final = 16
"""Calendars that are held in memory."""


class Edition(Struct, frozen=True, kw_only=True, rename="camel"):
    """A calendar that came to hold: the `number`th, by whom (a party), when (microseconds), whence.

    `version` is the digest of the calendar, so an older one that is put again has its old version.
    """

    number: int
    version: str
    by: str
    at: int
    source: Literal["file", "request"]

    @property
    def cause(self) -> Cause:
        """Why deadlines are others."""
        return Cause(
            kind="system",
            id=f"system:case-calendar:{self.number}:{self.version[:16]}",
            party=self.by,
            operation="changeCalendar",
        )


class Mark(Struct, frozen=True, kw_only=True):
    """The calendar that holds, and the version of the city's file when that was last looked at."""

    number: int
    version: str
    file: str


class Progress(Struct, frozen=True, kw_only=True):
    """How many open cases and deadlines an edition has changed so far, and whether that is all."""

    number: int
    cases: int = 0
    deadlines: int = 0
    done: bool = False


class Calendars:
    """Finds calendars: the present one, and those that cases were written by.

    Args:
        rules: have the calendar of the city's file, which holds where none was kept yet.
    """

    def __init__(self, rules: CaseRules) -> None:
        self.file = rules.calendar
        self._file_values = rules.calendar_file
        self._known: dict[str, Calendar] = {self.file.version: self.file}
        self._lock = Lock()

    def mark(self, reads: DocumentReads) -> Mark | None:
        """Which calendar holds; None where none was kept yet."""
        kept = reads.document("", _MARK, _CURRENT)
        return None if kept is None else msgspec.convert(kept.body, Mark)

    def present(self, reads: DocumentReads) -> Calendar:
        """The calendar that holds. Cost: one small read, and the calendar's own once in a process."""
        mark = self.mark(reads)
        found = None if mark is None else self.of(reads, mark.version)
        return self.file if found is None else found

    def of(self, reads: DocumentReads, version: str) -> Calendar | None:
        """A calendar by its version; None where it was never kept."""
        found = self._known.get(version)
        if found is None:
            values = self.values(reads, version)
            if values is None:
                return None
            found = make_calendar(values, "a calendar that was kept")
            with self._lock:
                while len(self._known) >= _HELD:
                    del self._known[next(iter(self._known))]
                self._known[version] = found
        return found

    def values(self, reads: DocumentReads, version: str) -> dict[str, Any] | None:
        """A calendar as it was written down; None where it was never kept."""
        kept = reads.document("", CALENDAR, version)
        if kept is None:
            return self._file_values if version == self.file.version else None
        body: dict[str, Any] = kept.body
        return body

    def edition(self, reads: DocumentReads, number: int) -> Edition | None:
        """An edition by its number."""
        kept = reads.document("", EDITION, f"{number:06d}")
        return None if kept is None else msgspec.convert(kept.body, Edition)

    def editions(self, reads: DocumentReads) -> list[Edition]:
        """All of them, the last one first."""
        found: list[Edition] = []
        after = ""
        while page := reads.documents("", EDITION, after):
            found += [msgspec.convert(document.body, Edition) for document in page]
            after = page[-1].id
        return found[::-1]

    def progress(self, reads: DocumentReads, number: int) -> Progress:
        """How far the open cases are with an edition."""
        kept = reads.document("", _MARK, f"{_PROGRESS}:{number:06d}")
        return Progress(number=number) if kept is None else msgspec.convert(kept.body, Progress)

    def set_progress(self, tx: Transaction, progress: Progress) -> None:
        """Keeps how far it is; no event."""
        tx.set_state("", _MARK, f"{_PROGRESS}:{progress.number:06d}", progress)

    def adopt(
        self,
        tx: Transaction,
        calendar: Calendar,
        values: dict[str, Any],
        cause: Cause,
        source: Literal["file", "request"],
    ) -> Edition:
        """Lets a calendar hold from this work on.

        Args:
            values: the calendar as it is written down.
        """
        mark = self.mark(tx)
        edition = Edition(
            number=1 if mark is None else mark.number + 1,
            version=calendar.version,
            by=cause.party,
            at=tx.now,
            source=source,
        )
        if tx.document("", CALENDAR, calendar.version) is None:
            tx.put_document("", CALENDAR, calendar.version, values, cause)
        tx.put_document("", EDITION, f"{edition.number:06d}", edition, cause)
        file = calendar.version if source == "file" else self.file.version if mark is None else mark.file
        self._set_mark(tx, Mark(number=edition.number, version=calendar.version, file=file))
        # Where it is the first, and the file's, no case was written by another one.
        self.set_progress(tx, Progress(number=edition.number, done=mark is None and source == "file"))
        return edition

    def adopt_file(self, seen: Mark | None, cause: Cause, tx: Transaction) -> bool:
        """Lets the calendar of the city's file hold where that is another than when it was last looked at.

        Args:
            seen: the mark by which the open cases were looked at.

        Returns:
            False where another process brought a calendar meanwhile: look again.
        """
        if self.mark(tx) != seen:
            return False
        if seen is not None and seen.version == self.file.version:
            if seen.file != self.file.version:
                self._set_mark(tx, Mark(number=seen.number, version=seen.version, file=self.file.version))
        elif seen is None or seen.file != self.file.version:
            self.adopt(tx, self.file, self._file_values, cause, "file")
        return True

    def moved(self, reads: Snapshot, after: Calendar, at: int) -> Iterator[DeadlineChange]:
        """What a calendar would make of the open clocks of all cases.

        Raises:
            ConfigurationError: it has a hole where an open clock needs it; names the case.

        Cost: reads every open case, some 0.5 ms each.
        """
        for _, kept in open_cases(reads):
            before = self.of(reads, kept.calendar) or self.file
            yield from changes(((kept.case.id, one) for one in kept.case.countdowns), before, after, at)

    def _set_mark(self, tx: Transaction, mark: Mark) -> None:
        tx.set_state("", _MARK, _CURRENT, mark)


def open_cases(reads: Snapshot) -> Iterator[tuple[str, KeptCase]]:
    """(tenant, case) of all for which somebody is to act; what is frozen in a snapshot stays as it was."""
    query = Query(types=TypeIs(CASE), q=QExists(Path((iri("holder"),))), limit=_EVERY)
    for tenant in reads.tenants():
        if not split_tenant(tenant)[1]:
            for entity in reads.lights(tenant, query, [iri("case")]):
                yield tenant, kept_of(entity)
