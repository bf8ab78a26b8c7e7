"""Cases are reported and moved: the use cases that write.

A move is one work on the writer's thread: the case is read, what the actor saw is checked, the
machine moves it, and entity, transition and timers are written in one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.door import Limits
from cityloom.broker.ports import Access, Call
from cityloom.broker.schemas import SchemaRules
from cityloom.cases.desk.calendar_door import CaseCalendar
from cityloom.cases.desk.reading import CASES, STATUS
from cityloom.cases.desk.suggesting import CaseSuggestions
from cityloom.cases.desk.views import CaseWhole, PublicCase
from cityloom.cases.desk.wishes import LONGEST, MoveWish, Report, check_text
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.erasing import use_photo
from cityloom.cases.keep.evidence import Evidence
from cityloom.cases.keep.files import EvidenceFiles, Photo
from cityloom.cases.keep.keeping import CaseWriter, digest
from cityloom.cases.keep.kept import EVIDENCE, KeptCase, Subject, kept_of
from cityloom.cases.keep.numbers import full_id
from cityloom.cases.keep.open311_city import check_answers
from cityloom.cases.keep.parties import CITIZEN, Parties, Roles
from cityloom.cases.keep.places import Landmark, Place, Places, Point
from cityloom.cases.keep.rulebook import RuleBook, Ruled
from cityloom.cases.loop.case import Act
from cityloom.cases.loop.refusals import Titled, refused
from cityloom.cases.open311.reads import Open311Reads
from cityloom.ld.names import is_uri
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, Conflict, Forbidden, ResourceNotFound
from cityloom.model.time import format_datetime
from cityloom.store.ports import DocumentReads, Store, Transaction

REPORT: Final = "case reports"
"""The resource of a report, which a node may open to everyone."""
_SHORT: Final = 200
MOST_PHOTOS: Final = 30
"""Photos of one case."""


class PlaceTold(Struct, frozen=True, kw_only=True):
    """Where a point is, for people: the nearest landmark of the city; null where it holds none near by."""

    near: Landmark | None


class Cases(Open311Reads):
    """What others may do with cases.

    Args:
        parties: who holds which role.
        files: where photos are kept.
        places: where the city's areas are.
        ruled: rules that are adopted while the node runs.

    `suggestions` suggests types and departments to who reports, `calendar` is read and put.

    `timer_set` is set when a timer was set, `book` has the rules.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        rules: CaseRules,
        *,
        parties: Parties,
        files: EvidenceFiles,
        places: Places,
        ruled: Ruled | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(store, access, clock, RuleBook(rules, ruled), parties=parties, limits=limits)
        self.files = files
        self.places = places
        self._schemas = SchemaRules()
        self.timer_set = asyncio.Event()
        self.suggestions = CaseSuggestions(store, access, clock, self.book, resource=REPORT, places=places)
        self.calendar = CaseCalendar(store, access, clock, self.book)

    async def report(self, call: Call, report: Report) -> PublicCase:
        """Reports something: a case begins. The same `request_id` again tells of the same case.

        Raises:
            BadRequestData: a code does not exist, the place is outside the city, nothing is told.
            Forbidden: the caller does not hold the role, or has none and leaves a draft.
            Conflict: the `request_id` came with another report.
        """
        self._may(call, "write", REPORT)
        _check_report(report)
        if report.draft and not self._holds_role(call):
            raise Forbidden(
                "draft is invalid: without a role in cases nobody can report it later; report at once, "
                "photos can be added until somebody takes it up"
            )
        rules = self.book.rules
        check_answers(rules.open311, rules.limits, report.type, report.attributes)
        roles = Roles(rules.workflow, self._reporting(call), report.role)
        place = await self._place(call, report)
        body = digest(msgspec.json.encode(report).decode())

        def work(tx: Transaction) -> tuple[KeptCase, bool]:
            writer = CaseWriter(tx, call, self.book, self._schemas)
            known = writer.known_request(report.request_id)
            if known is not None:
                if known["body"] != body:
                    raise Conflict(f"requestId {report.request_id!r} came with another report before")
                return writer.find(known["case"]), False
            case_id = writer.new_id()
            kept = writer.begin(case_id, self._subject(report, place))
            if report.draft:
                writer.put(kept, call.cause, None)
            else:
                standing = roles.acting("report", kept.case.state, "")
                act = Act(
                    move="report",
                    actor=self._actor(call, report.actor),
                    role=standing.role,
                    at=tx.now,
                    acting_for=standing.department,
                    type=report.type,
                    grade=rules.grade_of(place.area),
                    evidence=report.evidence,
                )
                draft, kept = kept, writer.move(kept, act)
                self.suggestions.log_refusals(tx, call, draft, kept, act)
            if report.reporter.given():
                tx.put_personal(call.tenant, case_id, report.reporter, call.cause)
            writer.remember_request(report.request_id, case_id, body)
            return kept, writer.timer_set

        kept, timer_set = await self._write(call, work, size=4 * LONGEST, creates=True)
        self._tell(timer_set)
        return await self.status(call, kept.case.id)

    async def place(self, call: Call, point: Point) -> PlaceTold:
        """By what people know a point (lon, lat in CRS84 degrees), for who may see the status of cases."""
        self._may(call, "read", STATUS)
        near = await self._read(call, lambda reads: self.places.near(reads, call.tenant, point))
        return PlaceTold(near=near)

    async def move(self, call: Call, case_id: str, wish: MoveWish) -> CaseWhole:
        """Moves a case; the same `request_id` again changes nothing and tells of the case as it is.

        Raises:
            ResourceNotFound: the case, or one that it is to be merged into, does not exist.
            Conflict: the case has moved on since the caller looked, or its state does not allow the move.
            BadRequestData: something that the move needs is missing, or is given and wrong.
            Forbidden: the caller does not hold a role that may make the move.
        """
        case_id = full_id(case_id)
        self._may(call, "write", CASES)
        wish = replace(wish, into=full_id(wish.into), part=full_id(wish.part))
        self._check_departments(wish)
        given = self._parties.case_roles(call)

        def work(tx: Transaction) -> bool:
            writer = CaseWriter(tx, call, self.book, self._schemas)
            kept = writer.find(case_id)
            done = kept.requests.get(digest(wish.request_id)) if wish.request_id else None
            if done is not None:
                self._check_repeat(tx, call, kept, done, wish)
                return False
            workflow = writer.workflow(kept)
            roles = Roles(workflow, given, wish.role, wish.acting_for)
            standing = roles.acting(wish.move, kept.case.state, kept.case.department)
            act = wish.act(
                actor=self._actor(call, wish.actor),
                role=standing.role,
                acting_for=standing.department,
                at=tx.now,
            )
            _check_evidence(tx, call, case_id, act.evidence)
            act = writer.routed(kept, act)
            self.suggestions.log_refusals(tx, call, kept, writer.move(kept, act, wish.request_id), act)
            return writer.timer_set

        self._tell(await self._write(call, work, size=4 * LONGEST))
        return await self.show(call, case_id, role=wish.role, acting_for=wish.acting_for)

    async def add_photo(
        self, call: Call, case_id: str, data: bytes, *, caption: str = "", actor: str = ""
    ) -> Evidence:
        """Keeps a photo as evidence of a case; what was kept already is not kept twice.

        Raises:
            UnsupportedMediaType, BadRequestData, PayloadTooLarge: see `files.EvidenceFiles.keep`.
            Conflict: the case has ended, or has too many photos.
        """
        case_id = full_id(case_id)
        self._may(call, "write", REPORT)
        check_text(caption, "caption")
        anyone = not self._holds_role(call)
        await self._check_open(call, case_id, anyone=anyone)
        while True:
            photo = await self.files.keep(data)
            found = await self._write(call, self._adding(call, case_id, photo, caption, actor, anyone))
            if found is not None:
                return found
            # The same picture was erased elsewhere between the two: it is written again.

    def _adding(
        self, call: Call, case_id: str, photo: Photo, caption: str, actor: str, anyone: bool
    ) -> Callable[[Transaction], Evidence | None]:
        """The work that has a case name a photo; it gives None where the file is gone."""

        def work(tx: Transaction) -> Evidence | None:
            writer = CaseWriter(tx, call, self.book, self._schemas)
            kept = writer.find(case_id)
            self._check_takes_photos(tx, call, kept, anyone=anyone)
            id = f"{case_id}:evidence:{photo.id}"
            before = tx.document(call.tenant, EVIDENCE, id)
            if before is not None:
                return msgspec.convert(before.body, Evidence)
            if not self.files.holds(photo):
                return None
            found = Evidence(
                id=photo.id,
                media_type=photo.media_type,
                bytes=photo.bytes,
                width=photo.width,
                height=photo.height,
                position=photo.position,
                distance=self.places.distance(photo.position, kept.subject.location),
                taken_at=photo.taken_at,
                added_at=format_datetime(tx.now),
                by=self._actor(call, actor),
                caption=caption,
                reporter=anyone or kept.case.number <= 1,
            )
            tx.put_document(call.tenant, EVIDENCE, id, found, call.cause)
            use_photo(tx, call.tenant, case_id, photo.id)
            return found

        return work

    async def _check_open(self, call: Call, case_id: str, *, anyone: bool) -> None:
        """Before a photo is unpacked: raises ResourceNotFound or Conflict."""
        await self._read(
            call,
            lambda snapshot: self._check_takes_photos(
                snapshot, call, kept_of(self._entity(snapshot, call, case_id)), anyone=anyone
            ),
        )

    def _check_takes_photos(self, reads: DocumentReads, call: Call, kept: KeptCase, *, anyone: bool) -> None:
        case = kept.case
        workflow = self.book.workflow(reads, case.workflow)
        if workflow.states[case.state].end:
            raise Conflict(f"case {case.id} has ended ({case.state}): it takes no photo")
        if anyone and not case.number:
            raise ResourceNotFound(f"case {case.id} does not exist")  # nobody has reported it yet
        if anyone and case.number > 1:
            raise Forbidden(
                "without a role in cases, photos can be added only to a report that nobody took up"
            )
        if len(self._bodies(reads, call, EVIDENCE, case.id)) >= MOST_PHOTOS:
            raise Conflict(f"case {case.id} has {MOST_PHOTOS} photos, and takes no more")

    def _reporting(self, call: Call) -> Sequence[str] | None:
        """The roles in which the caller may report: everyone is a citizen."""
        given = self._parties.case_roles(call)
        return None if given is None else [*given, CITIZEN]

    def _check_repeat(self, tx: Transaction, call: Call, kept: KeptCase, number: int, wish: MoveWish) -> None:
        """Raises Conflict: the key of a request came with another move."""
        made = self._transition(tx, call, kept.case.id, number)
        if made is not None and made.move != wish.move:
            raise Conflict(f"requestId {wish.request_id!r} came with the move {made.move} before")

    def _check_departments(self, wish: MoveWish) -> None:
        known = self.book.rules.departments
        for name, codes in (("department", (wish.department,)), ("departments", wish.departments)):
            for code in codes:
                if code and code not in known:
                    there = [Titled(one, department.title) for one, department in known.items()]
                    raise refused(
                        BadRequestData,
                        "noDepartment",
                        first=name,
                        department=repr(code[:_SHORT]),
                        known=there,
                    )

    def _subject(self, report: Report, place: Place) -> Subject:
        return Subject(
            description=report.description.strip(),
            address=report.address.strip(),
            location=place.location,
            place=place.known,
            area=place.area,
            about=report.about,
            channel=report.channel,
            source=report.source_id,
            reporter=report.reporter.given(),
            attributes=report.attributes,
        )

    async def _place(self, call: Call, report: Report) -> Place:
        """Where a report is. Raises BadRequestData: it is no Point, or outside the city."""
        rules = self.book.rules
        return await self._read_any(
            lambda snapshot: self.places.find(snapshot, call.tenant, report.location, rules.no_place)
        )

    def _tell(self, timer_set: bool) -> None:
        if timer_set:
            self.timer_set.set()


def _check_report(report: Report) -> None:
    for name in ("description", "address"):
        check_text(getattr(report, name), name)
    for name in report.reporter.given():
        check_text(getattr(report.reporter, name), f"reporter.{name}")
    for name in ("channel", "source_id", "request_id", "actor"):
        if len(getattr(report, name)) > _SHORT:
            raise BadRequestData(f"{name} is invalid: it has more than {_SHORT} characters")
    if report.about and not is_uri(report.about):
        raise BadRequestData(f"about is invalid: {report.about[:_SHORT]!r} is no URI of an entity")
    if not report.draft and not (report.type or report.description.strip()):
        raise refused(BadRequestData, "nothingTold")
    for index, one in enumerate(report.evidence):
        if not is_uri(one):
            raise BadRequestData(
                f"evidence[{index}] is invalid: {one[:_SHORT]!r} is no URI; photos come later"
            )


def _check_evidence(tx: Transaction, call: Call, case_id: str, evidence: tuple[str, ...]) -> None:
    """Raises BadRequestData: what is named is no photo of the case and no URI."""
    for index, one in enumerate(evidence):
        if ":" in one and is_uri(one):
            continue
        if tx.document(call.tenant, EVIDENCE, f"{case_id}:evidence:{one}") is None:
            raise BadRequestData(
                f"evidence[{index}] is invalid: {one[:_SHORT]!r} is no photo of this case and no URI"
            )
