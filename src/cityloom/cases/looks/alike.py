"""Which kept cases may be the same as another one: for the intake operator, and for who reports."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.cases.desk.reading import CASES, STATUS
from cityloom.cases.desk.wishes import NotSameWish
from cityloom.cases.insight.duplicates import Duplicate, Told, duplicates
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.kept import CASE, KeptCase, iri, kept_of
from cityloom.cases.keep.numbers import full_id
from cityloom.cases.keep.parties import ANONYMOUS, Parties, Roles
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, Forbidden, ResourceNotFound
from cityloom.model.time import format_datetime
from cityloom.query.values import GeoQuery, Path, QAnd, QCompare, QNode, QTime, Query, TypeIs
from cityloom.store.ports import DocumentReads, Snapshot, Store, Transaction

_HOUR: Final = 3_600_000_000
_LOOKED_AT: Final = 500
"""Cases near by that are looked at; where there are more, the answer says so."""
_TOLD: Final = 50
_NEAREST: Final = 5
"""Cases near by that are told to who reports."""
NOT_SAME: Final = "caseNotSame"
"""Documents of this kind say that somebody found two cases to be two; each is an event of the log."""


class DuplicateTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """A case that may be the same: `distance` in metres, `apart` in seconds (below 0: reported earlier).

    `open` tells whether something can still be merged into it; `location` is its lon and lat (CRS84 degrees).
    """

    case: str
    distance: float
    apart: int
    likeness: float | None
    score: float
    reason: dict[str, str]
    state: str
    open: bool
    reported_at: str
    location: tuple[float, float]


class DuplicatesTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is proposed for a case, the likeliest first; `more`: not all that is near was looked at."""

    case: str
    rules: str
    more: bool
    duplicates: list[DuplicateTold]


class NotSame(Struct, frozen=True, kw_only=True, rename="camel"):
    """That two cases are two, for the log: who said so, in which role, when (microseconds since 1970)."""

    cases: tuple[str, str]
    actor: str
    role: str
    at: int


class NearTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """An open case near a place, as everyone may know it: `distance` in metres."""

    case: str
    distance: float
    reported_at: str
    state: str
    state_title: dict[str, str]


class NearbyTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was reported of a type near a place, the nearest first; `more`: not all of it is told."""

    more: bool
    cases: list[NearTold]


class _Thing(NamedTuple):
    """What is to be compared: of which type, where (lon, lat), and the span of times (microseconds)."""

    kind: str
    place: tuple[float, float] | None
    since: int
    until: int


class CaseDuplicates(Door):
    """Proposes duplicates among the cases that are kept; merges nothing.

    Args:
        parties: who holds which role.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        book: RuleBook,
        *,
        parties: Parties,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(store, access, clock, limits)
        self._book = book
        self._parties = parties

    @property
    def _rules(self) -> CaseRules:
        return self._book.rules

    async def duplicates(self, call: Call, case_id: str) -> DuplicatesTold:
        """Which cases may be the same as this one, with the distance and the reason.

        One without a type or a place has none; neither has what lies on a point that stands for no place.
        What somebody said is not the same is not proposed again, for neither of the two.

        Raises:
            ResourceNotFound: it does not exist.

        Cost: a search of the index of places; some 50 us for each case near by, at most 500.
        """
        case_id = full_id(case_id)
        self._may(call, "read", CASES)

        def work(snapshot: Snapshot) -> DuplicatesTold:
            kept = _kept(snapshot, call.tenant, case_id)
            kind = kept.case.matter.type
            span = self._span(kind)
            thing = _Thing(kind, kept.subject.location, kept.reported_at - span, kept.reported_at + span)
            near = [one for one in self._near(snapshot, call.tenant, thing) if one.case.id != case_id]
            looked = {one.case.id: one for one in near[:_LOOKED_AT]}
            found = [
                one
                for one in duplicates(
                    _told(kept), map(_told, looked.values()), self._rules.duplicates, self._title(kind)
                )
                if not _not_same(snapshot, call.tenant, case_id, one.case)
            ]
            return DuplicatesTold(
                case=case_id,
                rules=self._rules.duplicates.version,
                more=len(near) > _LOOKED_AT or len(found) > _TOLD,
                duplicates=[self._tell(snapshot, one, looked[one.case]) for one in found[:_TOLD]],
            )

        return await self._read(call, work)

    async def not_same(self, call: Call, case_id: str, wish: NotSameWish) -> DuplicatesTold:
        """Keeps that somebody looked at two cases and found them to be two; what is proposed from now on.

        Raises:
            ResourceNotFound: one does not exist.
            BadRequestData: it is the same case, or the role does not exist.
            Forbidden: the caller holds no role that may merge cases.
        """
        case_id, other = full_id(case_id), full_id(wish.case)
        self._may(call, "write", CASES)
        if not other or other == case_id:
            raise BadRequestData("case is invalid: another case is required")
        given = self._parties.case_roles(call)

        def work(tx: Transaction) -> None:
            kept = _kept(tx, call.tenant, case_id)
            _kept(tx, call.tenant, other)
            workflow = self._book.workflow(tx, kept.case.workflow)
            may = {role for move in workflow.moves if move.move == "merge" for role in move.roles}
            held = Roles(workflow, given, wish.role).held("")
            acting = next((one.role for one in held if one.role in may), None)
            if acting is None:
                raise Forbidden(f"whether two cases are the same is said by {', '.join(sorted(may))}")
            told = NotSame(
                cases=(case_id, other),
                actor=call.party or wish.actor or ANONYMOUS,
                role=acting,
                at=tx.now,
            )
            tx.put_document(call.tenant, NOT_SAME, _pair(case_id, other), told, call.cause)

        await self._write(call, work)
        return await self.duplicates(call, case_id)

    async def nearby(self, call: Call, kind: str, place: tuple[float, float]) -> NearbyTold:
        """What is open, of the same type and near a place, before somebody reports it again.

        It is told to everyone who may know the status of cases, and nothing that Open311 does not tell them.

        Args:
            place: lon and lat, CRS84 degrees.

        Raises:
            BadRequestData: the type does not exist.

        Cost: as `duplicates`.
        """
        self._may(call, "read", STATUS)
        if kind not in self._rules.limits.told.types:
            raise BadRequestData(f"parameter type is invalid: {kind[:100]!r} does not exist")
        now = self._clock.now()

        def work(snapshot: Snapshot) -> NearbyTold:
            thing = _Thing(kind, place, now - self._span(kind), now)
            still_open = QCompare(Path((iri("status"),)), "==", "open")
            near = self._near(snapshot, call.tenant, thing, still_open)
            looked = {one.case.id: one for one in near[:_LOOKED_AT]}
            new = Told(case="", type=kind, at=now, place=place)
            found = duplicates(new, map(_told, looked.values()), self._rules.duplicates)
            found.sort(key=lambda one: (one.metres, one.case))
            return NearbyTold(
                more=len(near) > _LOOKED_AT or len(found) > _NEAREST,
                cases=[self._tell_near(snapshot, one, looked[one.case]) for one in found[:_NEAREST]],
            )

        return await self._read(call, work)

    def _span(self, kind: str) -> int:
        return int(self._rules.duplicates.of(kind).hours * _HOUR)

    def _title(self, kind: str) -> dict[str, str]:
        row = self._rules.limits.told.types.get(kind)
        return {} if row is None else row.title

    def _near(self, snapshot: Snapshot, tenant: str, thing: _Thing, *more: QNode) -> list[KeptCase]:
        """The cases of its type that are near in place and time; parts are their whole's."""
        place, rules = thing.place, self._rules.duplicates
        if not thing.kind or place is None or not rules.placed(place):
            return []
        reported = Path((iri("reportedAt"),))
        query = Query(
            types=TypeIs(CASE),
            q=QAnd(
                [
                    QCompare(Path((iri("caseType"),)), "==", thing.kind),
                    QCompare(reported, ">=", _time(thing.since)),
                    QCompare(reported, "<=", _time(thing.until)),
                    *more,
                ]
            ),
            geo=GeoQuery(
                georel="near",
                geometry={"type": "Point", "coordinates": list(place)},
                max_distance=rules.of(thing.kind).metres,
            ),
            limit=_LOOKED_AT + 2,
        )
        found = [kept_of(entity) for entity in snapshot.query(tenant, query)]
        return [one for one in found if not one.case.part_of and one.case.number]

    def _tell(self, snapshot: Snapshot, one: Duplicate, kept: KeptCase) -> DuplicateTold:
        workflow, place = self._book.workflow(snapshot, kept.case.workflow), kept.subject.location
        assert place is not None  # it is near
        return DuplicateTold(
            case=one.case,
            distance=one.metres,
            apart=one.apart // 1_000_000,
            likeness=one.likeness,
            score=one.score,
            reason=one.reason,
            state=kept.case.state,
            open=not workflow.states[kept.case.state].end,
            reported_at=format_datetime(kept.reported_at),
            location=place,
        )

    def _tell_near(self, snapshot: Snapshot, one: Duplicate, kept: KeptCase) -> NearTold:
        workflow = self._book.workflow(snapshot, kept.case.workflow)
        return NearTold(
            case=one.case,
            distance=one.metres,
            reported_at=format_datetime(kept.reported_at),
            state=kept.case.state,
            state_title=workflow.states[kept.case.state].title,
        )


def _kept(reads: Snapshot | Transaction, tenant: str, case_id: str) -> KeptCase:
    """A case as it is now. Raises ResourceNotFound."""
    entity = reads.get(tenant, case_id)
    if entity is None or CASE not in entity.types:
        raise ResourceNotFound(f"case {case_id[:200]} does not exist")
    return kept_of(entity)


def _pair(one: str, other: str) -> str:
    """The id under which two cases are told apart, whichever is named first."""
    return "|".join(sorted((one, other)))


def _not_same(reads: DocumentReads, tenant: str, one: str, other: str) -> bool:
    return reads.document(tenant, NOT_SAME, _pair(one, other)) is not None


def _told(kept: KeptCase) -> Told:
    return Told(
        case=kept.case.id,
        type=kept.case.matter.type,
        at=kept.reported_at,
        place=kept.subject.location,
        text=kept.subject.description,
    )


def _time(at: int) -> QTime:
    return QTime(format_datetime(at), at)
