"""The evaluation of kept cases, as it is asked for: figures with counts, and the cases behind each."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from msgspec import Struct

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.cases.city import CaseRules
from cityloom.cases.evaluation import (
    NOT_REPORTED,
    WHOLE,
    By,
    Evaluation,
    EvaluationRules,
    Figure,
    Score,
    evaluate,
)
from cityloom.cases.kept import iri
from cityloom.cases.measures import NOT_KEPT, Period
from cityloom.cases.reading import CASES
from cityloom.cases.records import kept_records, reported_before
from cityloom.cases.rulebook import RuleBook
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, ResourceNotFound, TooManyResults
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.store.ports import Snapshot, Store

_KEPT: Final = 4
"""Evaluations that are kept, so that the cases behind a figure are those that were counted."""
_KEPT_IDS: Final = 4_000_000
"""And so many ids in them at most (8 bytes each); the last one is kept always."""
MOST: Final = 200_000
"""Cases that one evaluation looks at."""
Title = dict[str, str]


class EvaluationWish(Struct, frozen=True, kw_only=True):
    """A period and how it is divided; `evaluated_at` asks for the evaluation that was made then."""

    since: str
    until: str
    by: str = ""
    evaluated_at: str = ""


class FigureTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """A figure by its counts; `value` is in per cent, None where there is none.

    `why` says why there is none: `nothingDue`, or `notReported` where what it needs is not kept.
    """

    indicator: str
    value: float | None
    why: Literal["", "nothingDue", "notReported"]
    numerator: int
    denominator: int
    apart: dict[str, int]


class ScoreTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """A score, 0 to 100; None where a part of it has no value: `missing` names those."""

    score: str
    value: float | None
    parts: dict[str, float]
    missing: tuple[str, ...]


class GroupTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one department or area came to; the group "" is everything."""

    group: str
    title: Title
    figures: list[FigureTold]
    scores: list[ScoreTold]


class IndicatorTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an indicator counts, and whose work that is; `notReported`, by language, why it cannot be told."""

    id: str
    title: Title
    formula: str
    role: str
    better: str
    not_reported: Mapping[str, str]


class ScorePartTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a score weighs."""

    id: str
    title: Title
    parts: dict[str, float]


class EvaluationTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """An evaluation whole; `evaluatedAt` names it, `cases` is how many were looked at."""

    since: str
    until: str
    evaluated_at: str
    by: str
    rules: str
    calendar: str
    cases: int
    indicators: list[IndicatorTold]
    scores: list[ScorePartTold]
    groups: list[GroupTold]


class MembersTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of the cases behind a figure; a case stands there as often as it was due."""

    evaluated_at: str
    indicator: str
    group: str
    part: str
    total: int
    cases: tuple[str, ...]


class _Made(Struct, frozen=True, kw_only=True):
    """An evaluation, and what it needs to be told."""

    evaluation: Evaluation
    cases: int
    titles: dict[str, Title]

    @property
    def ids(self) -> int:
        """How many ids of cases it holds."""
        return sum(
            len(one.numerator) + len(one.denominator) + sum(map(len, one.apart.values()))
            for one in self.evaluation.figures
        )


class CaseEvaluations(Door):
    """Evaluates the cases that are kept.

    Args:
        most: an evaluation looks at no more cases.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        book: RuleBook,
        *,
        limits: Limits | None = None,
        most: int = MOST,
    ) -> None:
        super().__init__(store, access, clock, limits)
        self._book = book
        self._most = most
        self._made: OrderedDict[tuple[str, Period, str], _Made] = OrderedDict()
        self._one = asyncio.Lock()

    @property
    def _rules(self) -> CaseRules:
        return self._book.rules

    async def evaluation(self, call: Call, wish: EvaluationWish) -> EvaluationTold:
        """The figures and scores of a period, as cases stand now.

        Raises:
            BadRequestData: a time or the division is wrong.
            TooManyResults: there are more cases than one evaluation looks at.

        Cost: some 0.6 ms of processor time for each case that was reported before the period's end, beside
            the event loop; one evaluation after the other.
        """
        made = await self._evaluate(call, wish)
        found, rules = made.evaluation, self._rules.evaluation
        groups = [WHOLE, *sorted({one.group for one in found.figures} - {WHOLE})]
        return EvaluationTold(
            since=format_datetime(found.period.since),
            until=format_datetime(found.period.until),
            evaluated_at=format_datetime(found.period.now),
            by=found.by,
            rules=found.rules,
            calendar=found.calendar,
            cases=made.cases,
            indicators=[
                IndicatorTold(
                    id=id,
                    title=one.title,
                    formula=one.formula,
                    role=one.role,
                    better=one.better,
                    not_reported=NOT_KEPT.get(one.measure, {}),
                )
                for id, one in rules.indicators.items()
            ],
            scores=[
                ScorePartTold(id=id, title=one.title, parts=one.parts) for id, one in rules.scores.items()
            ],
            groups=[
                GroupTold(
                    group=group,
                    title=made.titles.get(group, {}),
                    figures=[_figure(one, rules) for one in found.figures if one.group == group],
                    scores=[_score(one) for one in found.scores if one.group == group],
                )
                for group in groups
            ],
        )

    async def members(
        self,
        call: Call,
        wish: EvaluationWish,
        *,
        indicator: str,
        group: str = WHOLE,
        part: str = "denominator",
        limit: int,
        offset: int = 0,
    ) -> MembersTold:
        """The cases behind a figure, by id.

        Args:
            part: `numerator`, `denominator`, or a reason for which some are told apart.

        Raises:
            BadRequestData: the indicator or the part does not exist.
            ResourceNotFound: nothing was counted of the group.
            and what `evaluation` raises.
        """
        if indicator not in self._rules.evaluation.indicators:
            raise BadRequestData(f"parameter indicator is invalid: {indicator[:100]!r} does not exist")
        made = await self._evaluate(call, wish)
        try:
            figure = made.evaluation.figure(indicator, group)
        except StopIteration:
            raise ResourceNotFound(f"group {group[:200]!r} does not exist in this evaluation") from None
        parts = {"numerator": figure.numerator, "denominator": figure.denominator, **figure.apart}
        if part not in parts:
            raise BadRequestData(
                f"parameter part is invalid: {part[:100]!r} is none of {', '.join(parts)} in this figure"
            )
        cases = sorted(parts[part])
        return MembersTold(
            evaluated_at=format_datetime(made.evaluation.period.now),
            indicator=indicator,
            group=group,
            part=part,
            total=len(cases),
            cases=tuple(cases[offset : offset + limit]),
        )

    async def _evaluate(self, call: Call, wish: EvaluationWish) -> _Made:
        """The evaluation that is asked for: the one that was made at `evaluated_at`, else a new one."""
        self._may(call, "read", CASES)
        if wish.by not in get_args(By):
            raise BadRequestData(f"parameter by is invalid: {wish.by[:100]!r} is neither department nor area")
        times = {
            name: parse_datetime(text, f"parameter {name}")
            for name, text in (("since", wish.since), ("until", wish.until))
        }
        if wish.evaluated_at:
            now = parse_datetime(wish.evaluated_at, "parameter evaluatedAt")
            kept = self._made.get((call.tenant, Period(**times, now=now), wish.by))
            if kept is not None:
                return kept
        if times["until"] <= times["since"]:
            raise BadRequestData("parameter until is invalid: the period ends before it begins")
        async with self._one:
            period = Period(**times, now=self._clock.now())
            made = await self._read(call, lambda snapshot: self._make(snapshot, call.tenant, period, wish))
            self._made[call.tenant, period, wish.by] = made
            while len(self._made) > 1 and (
                len(self._made) > _KEPT or sum(one.ids for one in self._made.values()) > _KEPT_IDS
            ):
                self._made.popitem(last=False)
        return made

    def _make(self, snapshot: Snapshot, tenant: str, period: Period, wish: EvaluationWish) -> _Made:
        cases = snapshot.count(tenant, reported_before(period.until))
        if cases > self._most:
            raise TooManyResults(
                f"{cases:,} cases were reported before {wish.until}: one evaluation looks at {self._most:,}"
            )
        by: By = "department" if wish.by == "department" else "area" if wish.by == "area" else ""
        rules = self._rules
        found = evaluate(
            kept_records(snapshot, tenant, period.until, rules.duplicates),
            period,
            rules.evaluation,
            rules.workflow,
            self._book.calendar(snapshot),
            by,
        )
        groups = sorted({one.group for one in found.figures} - {WHOLE})
        return _Made(evaluation=found, cases=cases, titles=self._titles(snapshot, tenant, by, groups))

    def _titles(self, snapshot: Snapshot, tenant: str, by: By, groups: Sequence[str]) -> dict[str, Title]:
        """The names of groups by language; an area's as the live picture has it."""
        if by == "department":
            known = self._rules.departments
            return {one: known[one].title for one in groups if one in known}
        titles: dict[str, Title] = {}
        for id, entity in snapshot.get_many(tenant, groups).items():
            instance = entity.instance(iri("name"))
            value: Any = None if instance is None else instance.value
            if isinstance(value, str):
                titles[id] = {"@none": value}
            elif isinstance(value, dict):
                titles[id] = {language: str(text) for language, text in value.items()}
        return titles


def _figure(one: Figure, rules: EvaluationRules) -> FigureTold:
    never = rules.indicators[one.indicator].measure in NOT_KEPT
    unknown = never or NOT_REPORTED in one.apart
    return FigureTold(
        indicator=one.indicator,
        value=one.value,
        why="" if one.value is not None else "notReported" if unknown else "nothingDue",
        numerator=len(one.numerator),
        denominator=len(one.denominator),
        apart={why: len(cases) for why, cases in one.apart.items()},
    )


def _score(one: Score) -> ScoreTold:
    return ScoreTold(score=one.score, value=one.value, parts=one.parts, missing=one.missing)
