"""Past requests become cases: what another system opened, promised and closed, with its own times.

The requests are entities of the live picture whose attributes bear the names of Open311 GeoReport v2
(`requested_datetime`, `expected_datetime`, `closed_datetime`, ...), as a source's mapping makes them.
A request becomes one case, however often it is imported; nothing is invented between its
report and its close.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from cityloom.broker.ports import Access, Call
from cityloom.broker.schemas import SchemaRules
from cityloom.cases.keep.keeping import CaseWriter
from cityloom.cases.keep.kept import KeptCase, Subject
from cityloom.cases.keep.numbers import CASE_ID
from cityloom.cases.keep.parties import CITY
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.loop.case import Act, Promise
from cityloom.model.entity import LOCATION, Entity
from cityloom.model.errors import BadRequestData, CityloomError, ResourceNotFound
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import Query, TypeIs
from cityloom.store.ports import Snapshot, Store, Transaction

_BATCH: Final = 100
"""Requests in one work of the writer."""


class PastRequest(Struct, frozen=True, kw_only=True):
    """A request as another system kept it; times in microseconds, `location` lon, lat in CRS84 degrees."""

    id: str
    source: str
    service: str = ""
    code: str = ""
    department: str = ""
    description: str = ""
    address: str = ""
    channel: str = ""
    area: str = ""
    closing: str = ""
    opened: int
    promised: int | None = None
    closed: int | None = None
    location: tuple[float, float] | None = None

    @property
    def case_id(self) -> str:
        """The case that it becomes: the same at each import."""
        return CASE_ID + self.id.removeprefix("urn:ngsi-ld:").partition(":")[2]


class PastReport(Struct, kw_only=True, rename="camel"):
    """What became of the requests of an import; `refused` has the first of them with the reason."""

    read: int = 0
    made: int = 0
    closed: int = 0
    known: int = 0
    without_promise: int = 0
    refused_count: int = 0
    refused: list[tuple[str, str]] = []


class PastRequests:
    """Imports past requests.

    Args:
        expand: a name as the profile's mappings write it -> IRI.
    """

    def __init__(self, store: Store, access: Access, book: RuleBook, expand: Callable[[str], str]) -> None:
        self._store = store
        self._access = access
        self._book = book
        self._expand = expand
        self._schemas = SchemaRules()
        self._types = {
            title: code for code, row in book.rules.limits.told.types.items() for title in row.title.values()
        }

    async def run(
        self, call: Call, type: str, progress: Callable[[PastReport], None] = lambda _: None
    ) -> PastReport:
        """Makes a case of each request of a type; one that was closed since the last import is closed.

        Args:
            type: of the requests, as the mappings name it.
            progress: is told after each part.

        Raises:
            BadRequestData: there is none of this type.

        Cost: two moves a request; every request is held in memory, about 1 kB each.
        """
        self._access.check(call, "write", "cases")
        report = PastReport()
        query = Query(types=TypeIs(self._expand(type)))

        def look(snapshot: Snapshot) -> list[PastRequest]:
            return list(self._readable(snapshot.scan(call.tenant, query), report))

        requests = await asyncio.wrap_future(self._store.read(look))
        if not report.read:
            raise BadRequestData(f"type is invalid: there is no entity of type {type!r}")
        return await self._keep_all(call, requests, report, progress)

    async def take(
        self, call: Call, entities: Sequence[Entity], progress: Callable[[PastReport], None] = lambda _: None
    ) -> PastReport:
        """As `run`, of entities that are at hand."""
        self._access.check(call, "write", "cases")
        report = PastReport()
        return await self._keep_all(call, list(self._readable(entities, report)), report, progress)

    async def _keep_all(
        self,
        call: Call,
        requests: Sequence[PastRequest],
        report: PastReport,
        progress: Callable[[PastReport], None],
    ) -> PastReport:
        for start in range(0, len(requests), _BATCH):
            await self._keep(call, requests[start : start + _BATCH], report)
            progress(report)
        return report

    def request_of(self, entity: Entity) -> PastRequest:
        """A request of an entity.

        Raises:
            BadRequestData: a time is missing or none, or it was closed before it was opened.
        """
        opened = self._time(entity, "requested_datetime")
        closed = self._time(entity, "closed_datetime")
        if opened is None:
            raise BadRequestData("requested_datetime is required: when it was opened")
        if closed is not None and closed < opened:
            raise BadRequestData(
                f"closed_datetime is invalid: {format_datetime(closed)} is before {format_datetime(opened)}, "
                "when it was opened"
            )
        location = entity.instance(LOCATION)
        point = location.value if location is not None else None
        department = self._text(entity, "agency_responsible")
        return PastRequest(
            id=entity.id,
            source=self._text(entity, "service_request_id") or entity.id,
            service=self._text(entity, "service_name") or self._text(entity, "service_code"),
            code=self._text(entity, "service_code"),
            department=department if department in self._book.rules.departments else "",
            description=self._text(entity, "description"),
            address=self._text(entity, "address"),
            channel=self._text(entity, "channel"),
            area=self._text(entity, "refDistrict"),
            closing=self._text(entity, "closureCode") or "closed in the system that it came from",
            opened=opened,
            promised=self._time(entity, "expected_datetime"),
            closed=closed,
            location=_point(point),
        )

    def acts_of(self, request: PastRequest) -> list[Act]:
        """What happened to a request, as far as it is known."""
        reported = Act(
            move="takeOver",
            actor=CITY,
            role="city",
            at=request.opened,
            type=self._type_of(request),
            grade=self._book.rules.grade_of(request.area),
            department=request.department,
            promise=Promise(request.promised),
        )
        return [reported] if request.closed is None else [reported, self._closing(request, request.closed)]

    def _type_of(self, request: PastRequest) -> str:
        """The type that has the service's name, or its code; "" where the city has none."""
        code = request.code if request.code in self._book.rules.limits.told.types else ""
        return self._types.get(request.service, code)

    def _closing(self, request: PastRequest, at: int) -> Act:
        return Act(
            move="closeElsewhere",
            actor=CITY,
            role="city",
            at=at,
            closing_condition=request.closing,
            department=request.department,
        )

    def _readable(self, entities: Iterable[Entity], report: PastReport) -> Iterator[PastRequest]:
        for entity in entities:
            report.read += 1
            try:
                yield self.request_of(entity)
            except BadRequestData as error:
                _refuse(report, entity.id, error)

    async def _keep(self, call: Call, requests: Sequence[PastRequest], report: PastReport) -> None:
        """One work; when one request of it is refused, each gets a work of its own."""

        def work(tx: Transaction, part: Sequence[PastRequest]) -> list[str]:
            writer = CaseWriter(tx, call, self._book, self._schemas)
            return [self._keep_one(writer, request) for request in part]

        try:
            done = await asyncio.wrap_future(self._store.submit(lambda tx: work(tx, requests)))
        except CityloomError as error:
            if len(requests) == 1:
                _refuse(report, requests[0].id, error)
                return
            for request in requests:
                await self._keep(call, [request], report)
            return
        for request, became in zip(requests, done, strict=True):
            report.made += became in ("made", "made and closed")
            report.closed += became in ("closed", "made and closed")
            report.known += became == "known"
            report.without_promise += became != "known" and request.promised is None

    def _keep_one(self, writer: CaseWriter, request: PastRequest) -> str:
        try:
            kept = writer.find(request.case_id)
        except ResourceNotFound:
            kept = writer.begin(request.case_id, _subject(request), reported_at=request.opened)
            for act in self.acts_of(request):
                kept = writer.move(kept, act)
            return "made" if request.closed is None else "made and closed"
        if request.closed is None or not self._waits(writer, kept):
            return "known"
        writer.move(kept, self._closing(request, request.closed))
        return "closed"

    def _waits(self, writer: CaseWriter, kept: KeptCase) -> bool:
        """Whether a case stands where the close of its request can close it: nobody here took it up."""
        moves = writer.workflow(kept).moves_from(kept.case.state)
        return any(move.move == "closeElsewhere" for move in moves)

    def _text(self, entity: Entity, name: str) -> str:
        value = self._value(entity, name)
        return value if isinstance(value, str) else "" if value is None else str(value)

    def _time(self, entity: Entity, name: str) -> int | None:
        value = self._value(entity, name)
        return None if value is None else parse_datetime(value, name)

    def _value(self, entity: Entity, name: str) -> Any:
        instance = entity.instance(self._expand(name))
        value = None if instance is None else instance.value
        return value.get("@value") if isinstance(value, dict) else value


def _point(geometry: Any) -> tuple[float, float] | None:
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        return None
    lon, lat = geometry["coordinates"][:2]
    return float(lon), float(lat)


def _subject(request: PastRequest) -> Subject:
    return Subject(
        description=request.description,
        address=request.address,
        location=request.location,
        place="known" if request.location is not None else "unknown",
        area=request.area,
        about=request.id,
        channel=request.channel,
        source=request.source,
        service=request.service,
    )


def _refuse(report: PastReport, id: str, error: CityloomError) -> None:
    report.refused_count += 1
    if len(report.refused) < _BATCH:
        report.refused.append((id, error.detail))
