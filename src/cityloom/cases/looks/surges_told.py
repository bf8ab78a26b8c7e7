"""Alarms as they are asked for, and what would have been raised over the arrivals of kept cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.cases.desk.reading import CASES
from cityloom.cases.insight.surge import Surge, SurgeDetector, free_days
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.kept import iri
from cityloom.cases.looks.alerts import SURGE, Arrival, surge_of
from cityloom.model.clock import Clock
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import AnyOf, OrderBy, OrderTerm, Path, QAnd, QCompare, QNode, QTime, Query, TypeIs
from cityloom.store.ports import Snapshot, Store

_HOUR: Final = 3_600_000_000
_WEEK: Final = 7 * 24 * _HOUR
_STATUSES: Final = {"open": "on", "closed": "ended", "all": ""}


class SurgeWish(Struct, frozen=True, kw_only=True):
    """Which alarms: `status` open (on), closed (ended) or all; raised within [since, until]."""

    status: str = "open"
    since: str = ""
    until: str = ""
    type: Sequence[str] = ()
    area: Sequence[str] = ()
    limit: int = 100
    offset: int = 0


class SurgeTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """An alarm: `seen` arrivals within `window` hours where `expected` are usual; see `surge.Surge`.

    `area` is "" for the whole city. `days` is how many days were compared, `weekdays` how many of them
    of the same weekday. `countedFrom` is when the hours begin in which `seen` arrived; `endedAt` is
    missing while it is on.
    """

    id: str
    status: str
    type: str
    type_title: dict[str, str]
    area: str
    counted_from: str
    raised_at: str
    ended_at: str | None
    seen: int
    expected: float
    chance: float
    window: int
    before: int
    peak: int
    days: int
    weekdays: int
    reason: dict[str, str]
    rule: str


class SurgesTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of alarms, the last raised first."""

    total: int
    surges: list[SurgeTold]


class CaseSurges(Door):
    """Tells the alarms that the node has raised."""

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        rules: CaseRules,
        *,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(store, access, clock, limits)
        self._rules = rules

    async def surges(self, call: Call, wish: SurgeWish) -> SurgesTold:
        """One page of the alarms that a wish selects.

        Raises:
            BadRequestData: the status or a time is wrong.
        """
        self._may(call, "read", CASES)
        query = _query(wish)

        def work(snapshot: Snapshot) -> SurgesTold:
            return SurgesTold(
                total=snapshot.count(call.tenant, query),
                surges=[self._told(one) for one in snapshot.query(call.tenant, query)],
            )

        return await self._read(call, work)

    def _told(self, entity: Entity) -> SurgeTold:
        surge = surge_of(entity)
        row = self._rules.limits.told.types.get(surge.type)
        description = entity.instance(iri("description"))
        told: Any = {} if description is None else description.value
        return SurgeTold(
            id=entity.id,
            status="on" if surge.until is None else "ended",
            type=surge.type,
            type_title={} if row is None else row.title,
            area=surge.area,
            counted_from=format_datetime(surge.counted_from(ZoneInfo(self._rules.calendar.time_zone))),
            raised_at=format_datetime(surge.since),
            ended_at=None if surge.until is None else format_datetime(surge.until),
            seen=surge.seen,
            expected=round(surge.expected, 3),
            chance=surge.chance,
            window=surge.window,
            before=surge.before,
            peak=surge.peak,
            days=len(surge.days),
            weekdays=surge.weekdays,
            reason=told,
            rule=surge.rule,
        )


def past_from(since: int, rules: CaseRules) -> int:
    """From when on arrivals tell what is usual at `since` (microseconds)."""
    return since - (rules.surges.weeks + 1) * _WEEK


def replayed(
    found: Iterable[Arrival], rules: CaseRules, until: int, told: Callable[[int], None] = lambda _: None
) -> list[Surge]:
    """The alarms that these arrivals raise, in the order in which they are raised, as if live.

    Args:
        found: in the order of their times.
        until: when the replay ends (microseconds); what is on then has no end.
        told: is handed the number of arrivals that were counted, after each thousand.
    """
    calendar = rules.calendar
    detector = SurgeDetector(rules.surges, ZoneInfo(calendar.time_zone), free_days(calendar))
    ended: list[Surge] = []
    for number, one in enumerate(found, 1):
        ended += [surge for surge in detector.arrived(one.type, one.area, one.at) if surge.until is not None]
        if number % 1000 == 0:
            told(number)
    ended += detector.advance(until)
    return sorted([*ended, *detector.on()], key=lambda surge: (surge.since, surge.type, surge.area))


def _query(wish: SurgeWish) -> Query:
    if wish.status not in _STATUSES:
        raise BadRequestData(
            f"parameter status is invalid: {wish.status[:100]!r} is none of open, closed, all"
        )
    raised = Path((iri("raisedAt"),))
    terms: list[QNode] = []
    if wish.since:
        time = QTime(wish.since, parse_datetime(wish.since, "parameter since"))
        terms.append(QCompare(raised, ">=", time))
    if wish.until:
        time = QTime(wish.until, parse_datetime(wish.until, "parameter until"))
        terms.append(QCompare(raised, "<=", time))
    status = _STATUSES[wish.status]
    for attribute, values in (
        ("status", [status] if status else []),
        ("caseType", list(wish.type)),
        ("refArea", list(wish.area)),
    ):
        if values:
            terms.append(QCompare(Path((iri(attribute),)), "==", AnyOf(values)))
    return Query(
        types=TypeIs(SURGE),
        q=QAnd(terms) if terms else None,
        order_by=OrderBy([OrderTerm(raised, True)]),
        limit=wish.limit,
        offset=wish.offset,
    )
