"""One live source: its messages become runs of a day each, with one report that grows."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import msgspec
import structlog

from cityloom.broker.ports import Call
from cityloom.connect.mapping import Mapping
from cityloom.connect.readers import Table, open_table
from cityloom.connect.readers.jsonrows import table_of
from cityloom.connect.rejectfile import RejectFile
from cityloom.connect.rejects import Unreadable
from cityloom.connect.report import FileRead, Report
from cityloom.connect.run import Importer, account
from cityloom.connect.state import SourceState
from cityloom.connect.work import Work
from cityloom.model.errors import CityloomError
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.query.areas import Areas

_STATE_EVERY = 5.0
_REPORT_EVERY = 60.0
_AREAS_EVERY = 600.0
_log = structlog.get_logger("connect")


class Live:
    """Takes the messages of one source, one after the other.

    A run of a live source is a day (UTC): its report counts every message of
    it. Each message has a cause of its own, the run's id with the message's
    number, and the SHA-256 of its bytes.
    """

    def __init__(self, importer: Importer, mapping: Mapping) -> None:
        self.mapping = mapping
        self.report: Report | None = None
        self.newest: int | None = None
        self._importer = importer
        self._lock = asyncio.Lock()
        self._messages = 0
        self._rejects: RejectFile | None = None
        self._areas: Areas | None = None
        self._areas_until = 0.0
        self._state_due = 0.0
        self._report_due = 0.0

    async def message(self, content: bytes, name: str) -> Report:
        """Takes the bytes of one message, for example the answer of a url.

        Raises:
            ConfigurationError: they are not of the mapping's format.
        """
        table = await asyncio.to_thread(open_table, self.mapping, content)
        return await self._take(table, content, name)

    async def rows(self, rows: Sequence[dict[str, Any]], name: str, caller: Call | None = None) -> Report:
        """Takes decoded rows, for example those of a push; `caller` is who sent them."""
        content = msgspec.json.encode(rows)
        return await self._take(table_of(list(rows)), content, name, caller)

    async def messages(self, messages: Sequence[tuple[str, bytes]]) -> Report:
        """Takes MQTT messages as (topic, payload); rows have the columns `topic`, `topic_0`, `topic_1`, …"""
        table = Table(rows=iter(enumerate(_topic_rows(self.mapping, messages), 1)))
        return await self._take(table, b"\n".join(payload for _, payload in messages), self.mapping.topic)

    async def failed(self, problem: str) -> None:
        """Notes that the source could not be read."""
        async with self._lock:
            report = await self._current()
            report.status, report.error = "failed", problem
            await self._keep(force_state=True)

    async def flush(self) -> None:
        """Keeps what was counted since the last time."""
        async with self._lock:
            if self.report is not None:
                await self._keep(force_state=True)

    async def close(self) -> None:
        """Ends the run."""
        async with self._lock:
            await self._end()

    async def _take(self, table: Table, content: bytes, name: str, caller: Call | None = None) -> Report:
        async with self._lock:
            importer, mapping = self._importer, self.mapping
            total = await self._current()
            if time.monotonic() >= self._areas_until:
                self._areas = await importer.areas(mapping)
                self._areas_until = time.monotonic() + _AREAS_EVERY
            self._messages += 1
            digest = hashlib.sha256(content).hexdigest()
            file = FileRead(name=name, bytes=len(content), sha256=digest)
            report = Report(run=total.run, source=mapping.source, started=self._now(), files=[file])
            intake = importer.intake(mapping, self._areas, importer.target.clock.now)
            assert self._rejects is not None
            begun = time.monotonic()
            try:
                work = Work(importer.target, intake, report, self._rejects)
                call = self._call(report, file, caller)
                with closing(table):
                    await work.take(table, call, file)
                await work.finish(call)
                report.status = "ok"
            except CityloomError as error:
                report.status, report.error = "failed", error.detail
                raise
            finally:
                report.seconds = round(time.monotonic() - begun, 3)
                account(report, intake)
                self._count(total, report, file, intake.newest)
                await self._keep()
            return report

    def _count(self, total: Report, report: Report, file: FileRead, newest: int | None) -> None:
        total.add(report)
        total.status = "running" if report.status == "ok" else "failed"
        total.error = report.error
        earlier = total.files[0] if total.files else None
        total.files = [
            FileRead(
                name=file.name,
                bytes=file.bytes + (earlier.bytes if earlier else 0),
                sha256=file.sha256,
                rows=file.rows + (earlier.rows if earlier else 0),
            )
        ]
        now = self._importer.target.clock.now()
        if report.read:
            seen = now if newest is None else min(newest, now)
            self.newest = max(self.newest or seen, seen)

    def _call(self, report: Report, file: FileRead, caller: Call | None) -> Call:
        target = self._importer.target
        party = target.party if caller is None else caller.party
        cause = Cause(
            kind="feed",
            id=f"{report.run}:{self._messages}",
            party=party,
            source=self.mapping.source,
            file=file.name,
            sha256=file.sha256,
            operation="import",
        )
        return Call(tenant=target.tenant, party=party, cause=cause)

    async def _current(self) -> Report:
        """The report of today's run."""
        if self.report is not None and self.report.started[:10] != self._now()[:10]:
            await self._end()
        if self.report is None:
            self.report = await self._importer.begin(self.mapping)
            self._messages = 0
            number = int(self.report.run.rsplit(":", 1)[1])
            self._rejects = RejectFile(self._importer.target.rejects / self.mapping.source, number)
        return self.report

    async def _end(self) -> None:
        if self.report is None:
            return
        if self.report.status == "running":
            self.report.status = "ok"
        await self._importer.finish(self.mapping, self.report, self.newest)
        self.report, self._rejects = None, None

    async def _keep(self, *, force_state: bool = False) -> None:
        """Keeps the state every few seconds, the report's entity every minute: not for each message."""
        report, now = self.report, time.monotonic()
        if report is None:
            return
        if force_state or now >= self._state_due:
            self._state_due = now + _STATE_EVERY
            await self._importer.states.change(self.mapping.source, self._set_state(report))
        if now >= self._report_due:
            self._report_due = now + _REPORT_EVERY
            report.ended = self._now()
            await self._importer.keep_report(self.mapping, report)

    def _set_state(self, report: Report) -> Callable[[SourceState], None]:
        def change(state: SourceState) -> None:
            state.report = report
            if self.newest is not None:
                state.last_data = max(state.last_data or self.newest, self.newest)

        return change

    def _now(self) -> str:
        return format_datetime(self._importer.target.clock.now())


def _topic_rows(mapping: Mapping, messages: Sequence[tuple[str, bytes]]) -> list[dict[str, Any] | Unreadable]:
    rows: list[dict[str, Any] | Unreadable] = []
    for topic, payload in messages:
        levels = {f"topic_{number}": level for number, level in enumerate(topic.split("/"))}
        try:
            document = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            text = payload.decode("utf-8", "replace")
            rows.append(
                Unreadable(reason="not JSON", detail=f"the message on {topic} is no JSON: {error}", raw=text)
            )
            continue
        if not isinstance(document, (dict, list)):
            document = {"value": document}
        rows += [row for _, row in table_of(document, {"topic": topic, **levels}).rows]
    return rows
