"""A run: the rows of a source go through the broker in batches, and an account is given of every one.

A run that is killed leaves whole rows behind, never half ones: running it
again completes it, since entities that are just so are left alone and the
instances of a series are known by their derived ids.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

import structlog

from cityloom.broker.ports import Call, Item
from cityloom.connect.files import check_columns, digest, find_files
from cityloom.connect.intake import Intake
from cityloom.connect.mapping import Mapping
from cityloom.connect.readers import open_table
from cityloom.connect.rejectfile import RejectFile
from cityloom.connect.report import FileRead, Report, run_entity, run_id
from cityloom.connect.silence import mark_silent
from cityloom.connect.state import SourceState, SourceStates
from cityloom.connect.work import Progress, Target, Work
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.errors import CityloomError
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.query.areas import Areas
from cityloom.query.values import Query, TypeIs

_log = structlog.get_logger("connect")


class Named(Protocol):
    """What a run is of: a mapping, or a source that has none."""

    @property
    def source(self) -> str:
        """Its name."""
        ...

    @property
    def title(self) -> str | dict[str, str]:
        """What a person calls it."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of the mapping's text; "" without one."""
        ...


class Importer:
    """Runs sources into one target.

    Args:
        target: where to.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.states = SourceStates(target.store, target.tenant)

    async def run(self, mapping: Mapping, data: Path, progress: Progress | None = None) -> Report:
        """Imports the files of a source.

        Args:
            mapping: a mapping with a `path`.
            data: the data folder that the path is relative to.

        Raises:
            ConfigurationError: no file is there, or one is not of the format. The run is kept as failed.
            StoreFailed: the disk is full or gone.
        """
        report = await self.begin(mapping)
        rejects = RejectFile(self.target.rejects / mapping.source, number_of(report))
        begun = time.monotonic()
        intake: Intake | None = None
        try:
            intake = self.intake(mapping, await self.areas(mapping))
            await self._read_files(
                mapping, data, Work(self.target, intake, report, rejects), report, progress
            )
            report.conclude()
        except asyncio.CancelledError:
            report.error = "the run was stopped"
            raise
        except CityloomError as error:
            report.error = error.detail
            raise
        finally:
            if report.status != "ok":
                report.status = "failed"
            report.seconds = round(time.monotonic() - begun, 3)
            if intake is not None:
                account(report, intake)
            await self.finish(mapping, report, None if intake is None else intake.newest)
        if mapping.interval is not None and not mapping.is_live:
            state = await self.states.get(mapping.source)
            await mark_silent(self.target, mapping, state.last_data or self.target.clock.now())
        return report

    async def _read_files(
        self, mapping: Mapping, data: Path, work: Work, report: Report, progress: Progress | None
    ) -> None:
        found = find_files(mapping, data)
        digests = [await asyncio.to_thread(digest, file) for file in found]
        total = sum(size for _, size in digests) or 1
        done = 0
        for source_file, (sha256, size) in zip(found, digests, strict=True):
            file = FileRead(name=source_file.name, bytes=size, sha256=sha256)
            report.files.append(file)
            table = await asyncio.to_thread(open_table, mapping, source_file.path)
            part: Progress | None = None
            if progress is not None:
                part = _part_of(progress, done / total, size / total)
            with closing(table):
                check_columns(mapping, table, file.name, report)
                call = self.call(mapping, report, file)
                await work.take(table, call, file, part)
            done += size
        await work.finish(call)

    async def areas(self, mapping: Mapping) -> Areas | None:
        """The areas that the mapping joins with, as they are now; None when it joins with none."""
        if mapping.within is None:
            return None
        target = self.target
        iri = target.expand(mapping.within.type)
        call = Call(tenant=target.tenant, party=target.party, cause=Cause(kind="run", id=mapping.source))
        found = []
        async for entity in target.broker.scan_entities(call, Query(types=TypeIs(type=iri))):
            location = entity.instance(LOCATION)
            if location is not None and isinstance(location.value, dict):
                found.append((entity.id, location.value))
        return await asyncio.to_thread(Areas, found)

    def intake(self, mapping: Mapping, areas: Areas | None, now: Callable[[], int] | None = None) -> Intake:
        """What takes the rows of one run; `now` for feeds, see `RowBuilder`."""
        intake = Intake(mapping, self.target.expand, areas, now)
        point = mapping.geometry.point if mapping.geometry is not None else None
        if areas is not None and point is not None and mapping.within is not None:
            area = areas.holding([point])[0]
            if area is not None:
                relationship = Attribute(kind="Relationship", value=area)
                intake.builder.constants[self.target.expand(mapping.within.attribute)] = [relationship]
        return intake

    def call(self, mapping: Named, report: Report, file: FileRead) -> Call:
        """The call of a run: its cause names the run, the source, the file and its SHA-256."""
        cause = Cause(
            kind="run",
            id=report.run,
            party=self.target.party,
            source=mapping.source,
            file=file.name,
            sha256=file.sha256,
            operation="import",
        )
        return Call(tenant=self.target.tenant, party=self.target.party, cause=cause)

    async def begin(self, mapping: Named) -> Report:
        """Gives out the next run and marks the source as running."""
        started = format_datetime(self.target.clock.now())

        def change(state: SourceState) -> None:
            before = state.report
            state.runs += 1
            notes = {}
            if before is not None and before.status == "running":
                notes["resumes"] = before.run
            state.report = Report(
                run=run_id(mapping.source, state.runs), source=mapping.source, started=started, notes=notes
            )

        state = await self.states.change(mapping.source, change)
        assert state.report is not None
        return state.report

    async def finish(self, mapping: Named, report: Report, newest: int | None) -> None:
        """Keeps the report as an entity and as the source's state.

        Args:
            newest: the newest stamp that the run saw; None where rows have none.
        """
        now = self.target.clock.now()
        report.ended = format_datetime(now)

        def change(state: SourceState) -> None:
            state.report = report
            if report.read:
                newest_data = now if newest is None else min(newest, now)
                state.last_data = max(state.last_data or newest_data, newest_data)
            if report.status == "ok":
                state.digest = mapping.digest
                state.files = {file.name: file.sha256 for file in report.files}

        await self.states.change(mapping.source, change)
        await self.keep_report(mapping, report)
        _log.info(
            "import ended",
            source=mapping.source,
            run=report.run,
            status=report.status,
            read=report.read,
            created=report.created,
            updated=report.updated,
            unchanged=report.unchanged,
            new=report.values_new,
            known=report.values_known,
            rejected=report.rejected_rows,
            seconds=report.seconds,
        )

    async def keep_report(self, mapping: Named, report: Report) -> None:
        """Writes the report's entity."""
        entity: Entity = run_entity(report, title_of(mapping), self.target.expand)
        cause = Cause(kind="run", id=report.run, party=self.target.party, operation="report")
        call = Call(tenant=self.target.tenant, party=self.target.party, cause=cause)
        await self.target.broker.batch(
            call, "upsert-replace", [Item(id=entity.id, entity=entity)], skip_unchanged=True
        )

    async def is_current(self, mapping: Mapping, data: Path) -> bool:
        """Whether the last complete run read just these files with just this mapping."""
        state = await self.states.get(mapping.source)
        if state.report is None or state.report.status != "ok" or state.digest != mapping.digest:
            return False
        found = find_files(mapping, data)
        if {file.name for file in found} != state.files.keys():
            return False
        for file in found:
            sha256, _ = await asyncio.to_thread(digest, file)
            if state.files[file.name] != sha256:
                return False
        return True


def account(report: Report, intake: Intake) -> None:
    """What the intake noted, into the report."""
    notes = intake.builder.notes
    report.no_place = notes.get("noPlace", 0)
    report.notes.update({name: count for name, count in notes.items() if name != "noPlace"})
    report.repeated = intake.repeated


def title_of(mapping: Named) -> str:
    """A source's title in one language."""
    if isinstance(mapping.title, str):
        return mapping.title or mapping.source
    return mapping.title.get("en") or next(iter(mapping.title.values()), mapping.source)


def number_of(report: Report) -> int:
    """Which run of its source it is."""
    return int(report.run.rsplit(":", 1)[1])


def _part_of(progress: Progress, start: float, share: float) -> Progress:
    return lambda fraction, rows: progress(min(1.0, start + share * fraction), rows)
