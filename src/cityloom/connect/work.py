"""The rows of one file or message on their way into the city, batch by batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from cityloom.broker.ports import BatchOperation, Broker, Call, Item, ItemError
from cityloom.connect.intake import Batch, Intake
from cityloom.connect.latest import Latest, entity_of
from cityloom.connect.readers import Table
from cityloom.connect.rejectfile import RejectFile
from cityloom.connect.report import FileRead, Report
from cityloom.connect.rows import Built
from cityloom.model.clock import Clock
from cityloom.model.errors import CityloomError, Overloaded, StoreFailed
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.query.values import Query
from cityloom.store.ports import Store, Transaction

T = TypeVar("T")
Progress = Callable[[float, int], None]
"""Called with how much of the source was read (0 to 1) and how many rows."""

_BATCH = 1000
_SERIES_BATCH = 5000
_HELD_ENTITIES = 20_000
_ASK = 500
_BUSY, _TRIES = 0.2, 150
"""Seconds to wait for a full queue, and how often."""


class Target(Struct, frozen=True, kw_only=True):
    """Where runs put what they make: the doors of one tenant of a city.

    `expand` makes a name an IRI; `rejects` is the folder of the reject files;
    `party` is the identity that runs act as.
    """

    broker: Broker
    store: Store
    clock: Clock
    expand: Callable[[str], str]
    rejects: Path
    tenant: str = ""
    party: str = ""


class Work:
    """The rows of one run or message on their way into the city.

    Args:
        report: takes the counts.
        rejects: takes the rejected rows.
    """

    def __init__(self, city: Target, intake: Intake, report: Report, rejects: RejectFile) -> None:
        self._city = city
        self._intake = intake
        self._mapping = intake.mapping
        self._report = report
        self._rejects = rejects
        self._latest = Latest(intake.mapping.source)
        self._files = 0

    async def take(self, table: Table, call: Call, file: FileRead, progress: Progress | None = None) -> None:
        """Takes every row of `table`; the next batch is read while the last one is written.

        Raises:
            CityloomError: the source became unreadable, or the store failed. What was written stays.
        """
        size = _SERIES_BATCH if self._mapping.series else _BATCH
        self._files += 1
        self._report.notes.update(table.notes)
        upcoming = asyncio.ensure_future(asyncio.to_thread(self._intake.batch, table.rows, file.name, size))
        try:
            while True:
                batch = await upcoming
                if not batch.read:
                    break
                upcoming = asyncio.ensure_future(
                    asyncio.to_thread(self._intake.batch, table.rows, file.name, size)
                )
                await self._write(call, batch, file)
                if progress is not None:
                    progress(min(table.fraction(), 1.0), self._report.read)
        finally:
            await asyncio.wait([upcoming])  # the reader must not be left running in its thread

    async def finish(self, call: Call) -> None:
        """Brings the current entities of a series up to its newest values; `call` is the last file's."""
        if self._mapping.series:
            await self._write_latest(call)

    async def _write(self, call: Call, batch: Batch, file: FileRead) -> None:
        report = self._report
        refused: set[str] = set()
        if self._mapping.series:
            await self._append(call, batch, file.name)
        elif batch.built:
            builder = self._intake.builder
            items = [Item(id=b.entity_id, entity=builder.entity(b), row=b.row) for b in batch.built]
            refused = await self._upsert(call, items, batch, file.name)
        personal = {b.entity_id: b.personal for b in batch.built if b.personal and b.entity_id not in refused}
        if personal:
            await self._keep_personal(personal, call.cause)
        report.read += batch.read
        file.rows += batch.read
        report.repeated = self._intake.repeated
        for reject in batch.rejects:
            report.reject(reject.reason)
        await asyncio.to_thread(self._rejects.write, batch.rejects)

    def _appends(self, rows: Sequence[Built]) -> list[HistoryAppend]:
        by_entity: dict[str, list[Instance]] = {}
        for row in rows:
            instances = by_entity.setdefault(row.entity_id, [])
            for name, attributes in row.attributes.items():
                for attribute in attributes:
                    instances.append(
                        Instance(name=name, attribute=attribute, occurrence=row.occurrence, row=row.row)
                    )
        builder = self._intake.builder
        return [
            HistoryAppend(
                entity_id=entity_id, types=builder.types, instances=instances, scopes=builder.scopes
            )
            for entity_id, instances in by_entity.items()
            if instances
        ]

    async def _upsert(self, call: Call, items: Sequence[Item], batch: Batch, file: str) -> set[str]:
        """Hands entities to the broker; gives the ids that it refused, which are rejected."""
        operation: BatchOperation = "upsert-replace" if self._mapping.update == "replace" else "upsert-update"
        by_id = {built.entity_id: built for built in batch.built}
        failures = await self._put(call, operation, items)
        for failed in failures:
            field = str(failed.error.extra.get("field", ""))
            batch.rejects.append(self._intake.refused(file, by_id[failed.id], field, failed.error.detail))
        return {failed.id for failed in failures}

    async def _put(self, call: Call, operation: BatchOperation, items: Sequence[Item]) -> list[ItemError]:
        """Writes entities and counts them; what a busy store did not take is offered again.

        Raises:
            StoreFailed: the store cannot keep them; nothing is wrong with the rows.
        """
        report, failures = self._report, []
        while items:
            put = partial(self._city.broker.batch, call, operation, items, skip_unchanged=True)
            result = await when_free(put)
            unchanged = set(result.unchanged)
            report.created += len(result.created)
            report.unchanged += len(unchanged)
            report.updated += sum(entity_id not in unchanged for entity_id in result.updated)
            busy = set()
            for failed in result.errors:
                if isinstance(failed.error, StoreFailed):
                    raise failed.error
                if isinstance(failed.error, Overloaded):
                    busy.add(failed.id)
                else:
                    failures.append(failed)
            items = [item for item in items if item.id in busy]
        return failures

    async def _append(self, call: Call, batch: Batch, file: str) -> None:
        appends = self._appends(batch.built)
        refused: dict[int, CityloomError] = {}
        for refusal in await self._city.broker.check_history(call, appends):
            refused.setdefault(refusal.instance.row or 0, refusal.error)
        if refused:  # whole rows, never half ones
            for built in batch.built:
                if (error := refused.get(built.row)) is not None:
                    field = str(error.extra.get("field", ""))
                    batch.rejects.append(self._intake.refused(file, built, field, error.detail))
            batch.built = [built for built in batch.built if built.row not in refused]
            appends = self._appends(batch.built)
        for built in batch.built:
            self._latest.offer(built)
        if appends:
            new = await when_free(lambda: self._city.broker.append_history(call, appends))
            offered = sum(len(append.instances) for append in appends)
            self._report.values_new += sum(new)
            self._report.values_known += offered - sum(new)
        if len(self._latest) > _HELD_ENTITIES:
            await self._write_latest(call)

    async def _write_latest(self, call: Call) -> None:
        builder, broker = self._intake.builder, self._city.broker
        taken = self._latest.take()
        for start in range(0, len(taken), _ASK):
            part = taken[start : start + _ASK]
            ids = [entity_id for entity_id, _, _ in part]
            page = await broker.query_entities(call, Query(ids=ids, limit=len(ids)))
            current = {entity.id: entity for entity in page.entities}
            items = []
            for entity_id, row, held in part:
                newest = self._latest.attributes(entity_id, held, current.get(entity_id))
                entity = entity_of(entity_id, builder.types, builder.scopes, (builder.constants, newest))
                # The row is one of the file that the call's cause names, or it says nothing.
                items.append(Item(id=entity_id, entity=entity, row=row if self._files == 1 else None))
            for failed in await self._put(call, "upsert-update", items):
                self._report.notes.setdefault("currentRefused", {})[failed.id] = failed.error.detail

    async def _keep_personal(self, personal: dict[str, dict[str, object]], cause: Cause) -> None:
        tenant = self._city.tenant

        def work(tx: Transaction) -> int:
            left_out = 0
            for entity_id, body in personal.items():
                readings = tx.personal_readings(tenant, entity_id)
                if any(str(reading.get("action", "")).startswith("eras") for reading in readings):
                    left_out += 1  # what a person had erased does not come back with the next import
                else:
                    tx.put_personal(tenant, entity_id, body, cause)
            return left_out

        left_out = await when_free(lambda: asyncio.wrap_future(self._city.store.submit(work)))
        if left_out:
            notes = self._report.notes
            notes["personalErasedBefore"] = int(notes.get("personalErasedBefore", 0)) + left_out


async def when_free(attempt: Callable[[], Awaitable[T]]) -> T:
    """Tries again while the store's queue is full: a run can wait for others, for half a minute.

    Raises:
        Overloaded: it stayed full.
    """
    for _ in range(_TRIES):
        try:
            return await attempt()
        except Overloaded:
            await asyncio.sleep(_BUSY)
    return await attempt()
