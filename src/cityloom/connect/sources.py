"""The sources of a city as the web shows them: state, runs, rejects, and the door for pushes."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from cityloom.broker.ports import Access, Call
from cityloom.connect.live import Live
from cityloom.connect.mapping import Mapping
from cityloom.connect.report import RUN_TYPE, Report, run_id
from cityloom.connect.run import Importer
from cityloom.connect.state import SourceState
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.model.time import format_datetime
from cityloom.query.values import Query, TypeIs

_RUNS = 100


class Sources:
    """The sources of one tenant of a city.

    Args:
        importer: where their rows go.
        mappings: the profile's, in its order.
        access: asked before every answer.
    """

    def __init__(self, importer: Importer, mappings: Sequence[Mapping], access: Access) -> None:
        self.importer = importer
        self._mappings = {mapping.source: mapping for mapping in mappings}
        self._access = access
        self._live: dict[str, Live] = {}

    @property
    def mappings(self) -> builtins.list[Mapping]:
        """All mappings, in the profile's order."""
        return list(self._mappings.values())

    def live(self, mapping: Mapping) -> Live:
        """What takes the messages of a live source."""
        found = self._live.get(mapping.source)
        if found is None:
            found = self._live[mapping.source] = Live(self.importer, mapping)
        return found

    async def close(self) -> None:
        """Ends the runs of all live sources."""
        for live in self._live.values():
            await live.close()

    async def list(self, call: Call) -> builtins.list[dict[str, Any]]:
        """Every source with its state and last report, in the profile's order."""
        self._access.check(call, "read", "sources")
        if call.tenant != self.importer.target.tenant:
            return []
        return [await self._document(mapping) for mapping in self._mappings.values()]

    async def retrieve(self, call: Call, source_id: str) -> dict[str, Any]:
        """One source, with its mapping's particulars.

        Raises:
            ResourceNotFound: there is no such source.
        """
        mapping = self._mapping(call, source_id)
        document = await self._document(mapping)
        document["path"] = mapping.path or mapping.url or mapping.topic
        document["series"], document["mappingDigest"] = mapping.series, mapping.digest
        return document

    async def runs(self, call: Call, source_id: str) -> builtins.list[dict[str, Any]]:
        """The reports of the last runs, latest first.

        Raises:
            ResourceNotFound: there is no such source.
        """
        mapping = self._mapping(call, source_id)
        target = self.importer.target
        state = await self._state(mapping)
        numbers = range(state.runs, max(state.runs - _RUNS, 0), -1)
        ids = [run_id(source_id, number) for number in numbers]
        if not ids:
            return []
        query = Query(ids=ids, types=TypeIs(type=target.expand(RUN_TYPE)), limit=len(ids))
        page = await target.broker.query_entities(call, query)
        kept = {entity.id: entity for entity in page.entities}
        reports = []
        for number, run in zip(numbers, ids, strict=True):
            if state.report is not None and state.report.run == run:
                reports.append(state.report.document())
            elif run in kept:
                report: dict[str, Any] = {"run": run}
                for name in Report.__struct_encode_fields__:
                    attribute = kept[run].instance(target.expand(name))
                    if attribute is not None:
                        report[name] = attribute.value
                reports.append(report)
            else:
                note = "the run was cut off before its report could be kept"
                reports.append(
                    {"run": run, "source": source_id, "status": "failed", "error": f"{note} ({number})"}
                )
        return reports

    async def rejects(self, call: Call, source_id: str, limit: int) -> dict[str, Any]:
        """The first rejected rows of the last run: `{run, total, rejects: [...]}`.

        Rows stand there as they came: it is asked for as `rejects`, which is never public.

        Raises:
            ResourceNotFound: there is no such source.
        """
        path, report = await self._last_rejects(call, source_id)
        rows = await asyncio.to_thread(_first_lines, path, limit) if path is not None else []
        run, total = (None, 0) if report is None else (report.run, report.rejected_rows)
        return {"run": run, "total": max(total, len(rows)), "rejects": rows}

    async def rejects_file(self, call: Call, source_id: str) -> Path | None:
        """The reject file of the last run, JSON lines; None when no row was rejected. Asks as `rejects`.

        Raises:
            ResourceNotFound: there is no such source.
        """
        return (await self._last_rejects(call, source_id))[0]

    async def _last_rejects(self, call: Call, source_id: str) -> tuple[Path | None, Report | None]:
        self._access.check(call, "read", "rejects")
        state = await self._state(self._mapping(call, source_id))
        path = self.importer.target.rejects / source_id / f"{state.runs}.jsonl"
        there = await asyncio.to_thread(path.is_file)
        return path if there else None, state.report

    async def push(self, call: Call, source_id: str, rows: builtins.list[dict[str, Any]]) -> dict[str, Any]:
        """Takes rows for a source of format `push`.

        Returns:
            The quality report of these rows.

        Raises:
            ResourceNotFound: there is no such source.
            BadRequestData: the source takes no pushes.
        """
        mapping = self._mapping(call, source_id, write=True)
        if mapping.format != "push":
            raise BadRequestData(f"source {source_id} is invalid: its format is {mapping.format}, not push")
        report = await self.live(mapping).rows(rows, "push", call)
        return report.document()

    def _mapping(self, call: Call, source_id: str, *, write: bool = False) -> Mapping:
        self._access.check(call, "write" if write else "read", "sources")
        mapping = self._mappings.get(source_id)
        if mapping is None or call.tenant != self.importer.target.tenant:
            raise ResourceNotFound(f"source {source_id} does not exist")
        return mapping

    async def _state(self, mapping: Mapping) -> SourceState:
        state = await self.importer.states.get(mapping.source)
        live = self._live.get(mapping.source)
        if live is not None and live.report is not None:
            state.report = live.report
            if live.newest is not None:
                state.last_data = max(state.last_data or live.newest, live.newest)
        return state

    async def _document(self, mapping: Mapping) -> dict[str, Any]:
        state = await self._state(mapping)
        report = state.report
        return {
            "id": mapping.source,
            "name": mapping.title or mapping.source,
            "type": mapping.entity.types,
            "format": mapping.format,
            "live": mapping.is_live,
            "licence": mapping.licence,
            "provider": mapping.provider,
            "lastRun": None if report is None else report.ended or report.started,
            "status": status_of(mapping, state, self.importer.target.clock.now()),
            "expectedInterval": mapping.expected_interval or None,
            "lastData": None if state.last_data is None else format_datetime(state.last_data),
            "rejected": 0 if report is None else report.rejected_rows,
            "report": None if report is None else report.document(),
        }


def _first_lines(path: Path, limit: int) -> builtins.list[Any]:
    with path.open("rb") as file:
        # A line that is being written just now has no end yet.
        return [msgspec.json.decode(line) for line in islice(file, limit) if line.endswith(b"\n")]


def status_of(mapping: Mapping, state: SourceState, now: int) -> str:
    """`never` ran, `failed` in its last run, `stale` (a live source silent for too long), or `ok`."""
    if state.report is None:
        return "never"
    if state.report.status == "failed":
        return "failed"
    return "stale" if is_silent(mapping, state, now) else "ok"


def is_silent(mapping: Mapping, state: SourceState, now: int) -> bool:
    """Whether a live source has brought nothing for longer than expected."""
    if mapping.interval is None or not mapping.is_live:
        return False
    return state.last_data is None or now - state.last_data > mapping.interval
