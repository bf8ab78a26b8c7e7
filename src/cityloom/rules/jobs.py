"""Replays as jobs: asked for, run in the background, their progress told, their outcome kept.

A job is a document of the store: one that was running when the node ended is run again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final, Literal

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.door import Door
from cityloom.broker.ports import Access, Call
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, CityloomError, Overloaded, ResourceNotFound
from cityloom.model.time import format_datetime
from cityloom.rules.book import Rulebook, day_of, midnight
from cityloom.rules.kept import Rules
from cityloom.rules.past import OpeningPast
from cityloom.rules.replay import CasePast, Replay, Scoring, replay_cases
from cityloom.rules.table import DecisionTable
from cityloom.store.ports import DocumentReads, Snapshot, Store, Transaction

JOB: Final = "RuleReplay"
_RESOURCE: Final = "rules"
_MOST_RUNNING: Final = 4
_STEP: Final = 0.02

_log = structlog.get_logger("rules")


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A replay of a version over the cases and events of some days; `progress` is a fraction of 0 to 1."""

    id: str
    table: str
    version: str
    since: str
    until: str
    status: Literal["running", "done", "failed"] = "running"
    progress: float = 0.0
    asked_by: str = ""
    asked_at: int = 0
    error: str = ""
    result: Replay | None = None


class Replays(Door):
    """Ask for replays, read how they stand and what came of them.

    Args:
        cases: how cases are lived again; None where the city has no cases.
        openings: how opening rules are.
        scoring: what scores cases; None scores nothing.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        rules: Rules,
        *,
        openings: OpeningPast,
        cases: CasePast | None = None,
        scoring: Scoring | None = None,
    ) -> None:
        super().__init__(store, access, clock)
        self._rules = rules
        self._cases = cases
        self._openings = openings
        self._scoring = scoring
        self._progress: dict[tuple[str, str], float] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Runs again what was running when the node ended."""

        def load(reads: Snapshot) -> list[tuple[str, Job]]:
            return [
                (tenant, job)
                for tenant in reads.tenants()
                for job in _jobs(reads, tenant)
                if job.status == "running"
            ]

        for tenant, job in await asyncio.wrap_future(self._store.read(load)):
            if (tenant, job.id) not in self._tasks:
                self._begin(tenant, job)

    async def close(self) -> None:
        """Ends what is running; it is run again at the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(self, call: Call, table: str, version: str, *, since: str = "", until: str = "") -> str:
        """Begins a replay; its id.

        Args:
            since, until: the first and the last day; "" is a year that ends yesterday.

        Raises:
            BadRequestData: a day is none, or the city has no cases to replay.
            ResourceNotFound: the version does not exist.
            Overloaded: too many are running.
        """
        self._may(call, "write", _RESOURCE)
        found = await self._rules.table(call, table, version)
        if found.kind != "opening" and self._cases is None:
            raise BadRequestData(f"kind is invalid: the city has no cases, so {found.kind} has no past")
        if len(self._tasks) >= _MOST_RUNNING:
            raise Overloaded(f"{_MOST_RUNNING} replays are running; ask again when one is done")
        today = date.fromisoformat(day_of(self._clock.now(), self._rules.zone))
        last = _day(until, "until") or today - timedelta(days=1)
        first = _day(since, "from") or last - timedelta(days=365)
        if last < first:
            raise BadRequestData(f"until is invalid: {last} is before {first}")
        job = Job(
            id=uuid.uuid4().hex,
            table=table,
            version=version,
            since=first.isoformat(),
            until=last.isoformat(),
            asked_by=call.party,
            asked_at=self._clock.now(),
        )
        await self._write(call, lambda tx: tx.set_state(call.tenant, JOB, job.id, job), creates=True)
        self._begin(call.tenant, job)
        return job.id

    async def list(self, call: Call) -> Sequence[dict[str, Any]]:
        """Every replay, without its outcome, the latest first."""
        self._may(call, "read", _RESOURCE)
        jobs = await self._read(call, lambda reads: _jobs(reads, call.tenant))
        return [self._told(call, one) for one in sorted(jobs, key=lambda one: -one.asked_at)]

    async def retrieve(self, call: Call, id: str) -> dict[str, Any]:
        """A replay, with what came of it. Raises ResourceNotFound."""
        self._may(call, "read", _RESOURCE)

        def work(reads: Snapshot) -> Job:
            document = reads.document(call.tenant, JOB, id)
            if document is None:
                raise ResourceNotFound(f"replay {id} does not exist")
            return msgspec.convert(document.body, Job)

        job = await self._read(call, work)
        told = self._told(call, job)
        return told if job.result is None else {**told, "result": msgspec.to_builtins(job.result)}

    # -- within ------------------------------------------------------------

    def _told(self, call: Call, job: Job) -> dict[str, Any]:
        progress = 1.0 if job.status == "done" else self._progress.get((call.tenant, job.id), job.progress)
        told: dict[str, Any] = {
            "id": job.id,
            "decisionTable": job.table,
            "version": job.version,
            "from": job.since,
            "until": job.until,
            "status": job.status,
            "progress": progress,
            "askedBy": job.asked_by,
            "askedAt": format_datetime(job.asked_at),
        }
        return told | ({"error": job.error} if job.error else {})

    def _begin(self, tenant: str, job: Job) -> None:
        name = (tenant, job.id)
        self._progress[name] = 0.0
        task = self._tasks[name] = asyncio.create_task(self._run(tenant, job))

        def ended(_: asyncio.Task[None]) -> None:
            self._tasks.pop(name, None)
            self._progress.pop(name, None)

        task.add_done_callback(ended)

    async def _run(self, tenant: str, job: Job) -> None:
        try:
            result = await asyncio.to_thread(self._replay, tenant, job)
            done = replace(job, status="done", progress=1.0, result=result)
        except CityloomError as error:
            done = replace(job, status="failed", error=error.detail)
        except Exception:
            _log.exception("replay failed", job=job.id)
            done = replace(job, status="failed", error="something failed here; the node's log tells more")

        def keep(tx: Transaction) -> None:
            tx.set_state(tenant, JOB, job.id, done)

        await asyncio.wrap_future(self._store.submit(keep))

    def _replay(self, tenant: str, job: Job) -> Replay:
        """The replay itself, off the event loop; the past is read in one snapshot."""
        zone = self._rules.zone
        since = midnight(date.fromisoformat(job.since), zone)
        until = midnight(date.fromisoformat(job.until) + timedelta(days=1), zone)

        def told(fraction: float) -> None:
            before = self._progress.get((tenant, job.id), 0.0)
            if fraction - before >= _STEP:
                self._progress[tenant, job.id] = round(fraction, 2)

        with self._store.snapshot() as reads:
            table, book = self._found(reads, tenant, job)
            if table.kind == "opening":
                today = day_of(self._clock.now(), zone)
                before = next((one for one in book.openings(today) if one.id == table.id), None)
                return self._openings.replay(
                    reads, tenant, before, table, since=since, until=until, progress=told
                )
            assert self._cases is not None
            lived = self._cases.load(reads, tenant, since, until)
        return replay_cases(self._cases, lived, book, table, scoring=self._scoring, progress=told)

    def _found(self, reads: DocumentReads, tenant: str, job: Job) -> tuple[DecisionTable, Rulebook]:
        return self._rules.version(reads, tenant, job.table, job.version), self._rules.book(reads, tenant)


def _jobs(reads: DocumentReads, tenant: str) -> list[Job]:
    found: list[Job] = []
    after = ""
    while page := reads.documents(tenant, JOB, after):
        found += [msgspec.convert(document.body, Job) for document in page]
        after = page[-1].id
    return found


def _day(text: str, place: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequestData(f"{place} is invalid: {text!r} is no day (2026-12-31)") from None
