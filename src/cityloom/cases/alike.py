"""Which kept cases may be the same as another one: what `duplicates` proposes, for the intake operator."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.cases.city import CaseRules
from cityloom.cases.duplicates import Duplicate, Told, duplicates
from cityloom.cases.kept import CASE, KeptCase, iri, kept_of
from cityloom.cases.reading import CASES, full_id
from cityloom.cases.rulebook import RuleBook
from cityloom.model.clock import Clock
from cityloom.model.errors import ResourceNotFound
from cityloom.model.time import format_datetime
from cityloom.query.values import GeoQuery, Path, QAnd, QCompare, QTime, Query, TypeIs
from cityloom.store.ports import Snapshot, Store

_HOUR: Final = 3_600_000_000
_LOOKED_AT: Final = 500
"""Cases near by that are looked at; where there are more, the answer says so."""
_TOLD: Final = 50


class DuplicateTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """A case that may be the same: `distance` in metres, `apart` in seconds (below 0: reported earlier).

    `open` tells whether something can still be merged into it.
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


class DuplicatesTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is proposed for a case, the likeliest first; `more`: not all that is near was looked at."""

    case: str
    rules: str
    more: bool
    duplicates: list[DuplicateTold]


class CaseDuplicates(Door):
    """Proposes duplicates among the cases that are kept; merges nothing."""

    def __init__(
        self, store: Store, access: Access, clock: Clock, book: RuleBook, *, limits: Limits | None = None
    ) -> None:
        super().__init__(store, access, clock, limits)
        self._book = book

    @property
    def _rules(self) -> CaseRules:
        return self._book.rules

    async def duplicates(self, call: Call, case_id: str) -> DuplicatesTold:
        """Which cases may be the same as this one, with the distance and the reason.

        One without a type or a place has none; neither has what lies on a point that stands for no place.

        Raises:
            ResourceNotFound: it does not exist.

        Cost: a search of the index of places; some 50 us for each case near by, at most 500.
        """
        case_id = full_id(case_id)
        self._may(call, "read", CASES)

        def work(snapshot: Snapshot) -> DuplicatesTold:
            entity = snapshot.get(call.tenant, case_id)
            if entity is None or CASE not in entity.types:
                raise ResourceNotFound(f"case {case_id[:200]} does not exist")
            kept = kept_of(entity)
            near = self._near(snapshot, call.tenant, kept)
            looked = {one.case.id: one for one in near[:_LOOKED_AT]}
            found = duplicates(_told(kept), map(_told, looked.values()), self._rules.duplicates)
            return DuplicatesTold(
                case=case_id,
                rules=self._rules.duplicates.version,
                more=len(near) > _LOOKED_AT or len(found) > _TOLD,
                duplicates=[self._tell(snapshot, one, looked[one.case]) for one in found[:_TOLD]],
            )

        return await self._read(call, work)

    def _near(self, snapshot: Snapshot, tenant: str, kept: KeptCase) -> list[KeptCase]:
        """The cases of its type that are near in place and time; parts are their whole's."""
        kind, place, rules = kept.case.matter.type, kept.subject.location, self._rules.duplicates
        if not kind or place is None or not rules.placed(place):
            return []
        near = rules.of(kind)
        span = int(near.hours * _HOUR)
        reported = Path((iri("reportedAt"),))
        query = Query(
            types=TypeIs(CASE),
            q=QAnd(
                [
                    QCompare(Path((iri("caseType"),)), "==", kind),
                    QCompare(reported, ">=", _time(kept.reported_at - span)),
                    QCompare(reported, "<=", _time(kept.reported_at + span)),
                ]
            ),
            geo=GeoQuery(
                georel="near",
                geometry={"type": "Point", "coordinates": list(place)},
                max_distance=near.metres,
            ),
            limit=_LOOKED_AT + 2,
        )
        found = [kept_of(entity) for entity in snapshot.query(tenant, query)]
        return [
            one for one in found if one.case.id != kept.case.id and not one.case.part_of and one.case.number
        ]

    def _tell(self, snapshot: Snapshot, one: Duplicate, kept: KeptCase) -> DuplicateTold:
        workflow = self._book.workflow(snapshot, kept.case.workflow)
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
        )


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
