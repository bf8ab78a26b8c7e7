"""The evaluation of kept cases, as it is asked for: figures with counts, and the cases behind each."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final, cast, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.cases.desk.reading import CASES
from cityloom.cases.insight.evaluation import (
    WHOLE,
    WITHOUT,
    By,
    Counts,
    Evaluation,
    Score,
    Step,
    counts_of,
    evaluate_each,
)
from cityloom.cases.insight.measures import NOT_KEPT, Period
from cityloom.cases.insight.repeats import repeats_of
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.kept import iri
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.looks.records import kept_records, told_before
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, ResourceNotFound, TooManyResults
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.store.ports import Snapshot, Store

_KEPT: Final = 4
"""Evaluations that are kept, so that the cases behind a figure are those that were counted."""
_KEPT_IDS: Final = 4_000_000
"""And so many ids in them at most (8 bytes each); the last one is kept always."""
_MOST_STEPS: Final = 62
"""Steps that a period is divided into."""
MOST: Final = 200_000
"""Cases that one evaluation looks at."""
Title = dict[str, str]
_WITHOUT: Final[Mapping[By, Title]] = {
    "department": {"en": "Without a department", "zh": "无部门"},
    "area": {"en": "Without an area", "zh": "无区域"},
    "type": {"en": "Without a type", "zh": "无类型"},
}


class EvaluationWish(Struct, frozen=True, kw_only=True):
    """A period and how it is divided: `by` group, and `every` day, week or month of the city's calendar.

    `evaluated_at` asks for the evaluation that was made then.
    """

    since: str
    until: str
    by: str = ""
    every: str = ""
    evaluated_at: str = ""


class ScoreTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """A score, 0 to 100; None where a part of it has no value: `missing` names those."""

    score: str
    value: float | None
    parts: dict[str, float]
    missing: tuple[str, ...]


class GroupTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one department, area or type came to; the group "" is everything, "@none" what has none of them.

    The groups of a division come to everything.
    """

    group: str
    title: Title
    figures: list[Counts]
    scores: list[ScoreTold]


class IndicatorTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an indicator counts (its formula; in words: `counts` of `of`), and whose work that is.

    `notReported` says by language why it cannot be told, where nothing that is kept holds it.
    """

    id: str
    title: Title
    formula: str
    counts: Title
    of: Title
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
    headline: list[str]
    indicators: list[IndicatorTold]
    scores: list[ScorePartTold]
    groups: list[GroupTold]


class StepTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a part of the period came to; an indicator of which nothing was counted is not there."""

    since: str
    until: str
    figures: list[Counts]


class TrendTold(Struct, frozen=True, kw_only=True, rename="camel"):
    """How the figures of a group went from step to step."""

    evaluated_at: str
    group: str
    every: str
    steps: list[StepTold]


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

    evaluations: dict[By, Evaluation]
    every: str
    cases: int
    titles: dict[By, dict[str, Title]]

    @property
    def ids(self) -> int:
        """How many ids of cases it holds."""
        return sum(
            len(one.numerator) + len(one.denominator) + sum(map(len, one.apart.values()))
            for found in self.evaluations.values()
            for one in found.figures
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
        self._made: OrderedDict[tuple[str, Period], _Made] = OrderedDict()
        self._one = asyncio.Lock()

    @property
    def _rules(self) -> CaseRules:
        return self._book.rules

    async def evaluation(self, call: Call, wish: EvaluationWish) -> EvaluationTold:
        """The figures and scores of a period, as cases stand now.

        Raises:
            BadRequestData: a time or the division is wrong.
            TooManyResults: there are more cases than one evaluation looks at.

        Cost: some 0.5 ms of processor time for each case that was reported before the period's end, beside
            the event loop; one evaluation after the other.
        """
        made, found = await self._evaluate(call, wish)
        rules, titles = self._rules.evaluation, made.titles[found.by]
        named = sorted({one.group for one in found.figures} - {WHOLE}, key=lambda one: (one == WITHOUT, one))
        groups = [WHOLE, *named]
        return EvaluationTold(
            since=format_datetime(found.period.since),
            until=format_datetime(found.period.until),
            evaluated_at=format_datetime(found.period.now),
            by=found.by,
            rules=found.rules,
            calendar=found.calendar,
            cases=made.cases,
            headline=rules.headline,
            indicators=[
                IndicatorTold(
                    id=id,
                    title=one.title,
                    formula=one.formula,
                    counts=one.counts,
                    of=one.of,
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
                    title=titles.get(group, {}),
                    figures=[counts_of(one, rules) for one in found.figures if one.group == group],
                    scores=[_score(one) for one in found.scores if one.group == group],
                )
                for group in groups
            ],
        )

    async def trend(self, call: Call, wish: EvaluationWish, group: str = WHOLE) -> TrendTold:
        """How the figures of a group went, by day, week or month.

        Raises:
            BadRequestData: `every` is none of these, or makes too many steps.
            ResourceNotFound: nothing was counted of the group.
            and what `evaluation` raises.
        """
        if not wish.every:
            raise BadRequestData("parameter every is required")
        made, found = await self._evaluate(call, wish)
        if group and not any(one.group == group for one in found.figures):
            raise _no_group(group)
        # A period of one step is not cut.
        steps = found.steps or (
            Step(
                since=found.period.since,
                until=found.period.until,
                counts={
                    (one.group, one.indicator): counts_of(one, self._rules.evaluation)
                    for one in found.figures
                },
            ),
        )
        return TrendTold(
            evaluated_at=format_datetime(found.period.now),
            group=group,
            every=made.every,
            steps=[
                StepTold(
                    since=format_datetime(step.since),
                    until=format_datetime(step.until),
                    figures=[
                        step.counts[group, one]
                        for one in self._rules.evaluation.indicators
                        if (group, one) in step.counts
                    ],
                )
                for step in steps
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
            part: `numerator`, `denominator`, `rest` (of the denominator, what is not in the numerator), or a
                reason for which some are told apart.

        Raises:
            BadRequestData: the indicator or the part does not exist.
            ResourceNotFound: nothing was counted of the group.
            and what `evaluation` raises.
        """
        if indicator not in self._rules.evaluation.indicators:
            raise BadRequestData(f"parameter indicator is invalid: {indicator[:100]!r} does not exist")
        _, found = await self._evaluate(call, wish)
        try:
            figure = found.figure(indicator, group)
        except StopIteration:
            raise _no_group(group) from None
        rest = tuple((Counter(figure.denominator) - Counter(figure.numerator)).elements())
        parts = {
            "numerator": figure.numerator,
            "denominator": figure.denominator,
            "rest": rest,
            **figure.apart,
        }
        if part not in parts:
            raise BadRequestData(
                f"parameter part is invalid: {part[:100]!r} is none of {', '.join(parts)} in this figure"
            )
        cases = sorted(parts[part])
        return MembersTold(
            evaluated_at=format_datetime(found.period.now),
            indicator=indicator,
            group=group,
            part=part,
            total=len(cases),
            cases=tuple(cases[offset : offset + limit]),
        )

    async def _evaluate(self, call: Call, wish: EvaluationWish) -> tuple[_Made, Evaluation]:
        """The evaluation that is asked for: the one that was made at `evaluated_at`, else a new one."""
        self._may(call, "read", CASES)
        if wish.by not in get_args(By):
            raise BadRequestData(
                f"parameter by is invalid: {wish.by[:100]!r} is none of department, area, type"
            )
        by = cast(By, wish.by)
        times = {
            name: parse_datetime(text, f"parameter {name}")
            for name, text in (("since", wish.since), ("until", wish.until))
        }
        if wish.evaluated_at:
            now = parse_datetime(wish.evaluated_at, "parameter evaluatedAt")
            kept = self._made.get((call.tenant, Period(**times, now=now)))
            if kept is not None and wish.every in ("", kept.every):
                return kept, kept.evaluations[by]
        if times["until"] <= times["since"]:
            raise BadRequestData("parameter until is invalid: the period ends before it begins")
        cuts = cuts_of(times["since"], times["until"], wish.every, self._rules.calendar.time_zone)
        async with self._one:
            period = Period(**times, now=self._clock.now())
            made = await self._read(
                call, lambda snapshot: self._make(snapshot, call.tenant, period, wish, cuts)
            )
            self._made[call.tenant, period] = made
            while len(self._made) > 1 and (
                len(self._made) > _KEPT or sum(one.ids for one in self._made.values()) > _KEPT_IDS
            ):
                self._made.popitem(last=False)
        return made, made.evaluations[by]

    def _make(
        self, snapshot: Snapshot, tenant: str, period: Period, wish: EvaluationWish, cuts: Sequence[int]
    ) -> _Made:
        rules = self._rules
        cases, told = told_before(snapshot, tenant, period.until)
        if cases > self._most:
            raise TooManyResults(
                f"{cases:,} cases were reported before {wish.until}: one evaluation looks at {self._most:,}"
            )
        # Reading the cases costs the most by far: every division comes of one reading.
        found = evaluate_each(
            kept_records(snapshot, tenant, period.until, repeats_of(told, rules.duplicates)),
            period,
            rules.evaluation,
            rules.workflow,
            self._book.calendar(snapshot),
            get_args(By),
            cuts,
        )
        return _Made(
            evaluations=found,
            every=wish.every,
            cases=cases,
            titles={by: self._titles(snapshot, tenant, one) for by, one in found.items()},
        )

    def _titles(self, snapshot: Snapshot, tenant: str, found: Evaluation) -> dict[str, Title]:
        """The names of groups by language; an area's as the live picture has it."""
        by, groups = found.by, sorted({one.group for one in found.figures} - {WHOLE})
        titles: dict[str, Title] = {WITHOUT: _WITHOUT[by]} if by in _WITHOUT else {}
        if by == "department":
            known = self._rules.departments
            return titles | {one: known[one].title for one in groups if one in known}
        if by == "type":
            types = self._rules.limits.told.types
            return titles | {one: types[one].title for one in groups if one in types}
        for id, entity in snapshot.get_many(tenant, groups).items():
            instance = entity.instance(iri("name"))
            value: Any = None if instance is None else instance.value
            if isinstance(value, str):
                titles[id] = {"@none": value}
            elif isinstance(value, dict):
                titles[id] = {language: str(text) for language, text in value.items()}
        return titles


def _no_group(group: str) -> ResourceNotFound:
    return ResourceNotFound(f"group {group[:200]!r} does not exist in this evaluation")


def cuts_of(since: int, until: int, every: str, time_zone: str) -> tuple[int, ...]:
    """Where a period is cut: at the midnights that begin a day, a week (Monday) or a month, microseconds.

    Raises:
        BadRequestData: `every` is none of these, or the cuts are too many.
    """
    if not every:
        return ()
    if every not in ("day", "week", "month"):
        raise BadRequestData(f"parameter every is invalid: {every[:100]!r} is none of day, week, month")
    zone = ZoneInfo(time_zone)
    try:
        day = datetime.fromtimestamp(since // 1_000_000, zone).date()
        found: list[int] = []
        while True:
            day = _next(day, every)
            at = int(datetime.combine(day, time(), zone).timestamp()) * 1_000_000
            if at >= until:
                return tuple(found)
            found.append(at)
            if len(found) >= _MOST_STEPS:
                raise BadRequestData(
                    f"parameter every is invalid: the period has more than {_MOST_STEPS} times a {every}"
                )
    except (OverflowError, ValueError) as error:
        raise BadRequestData(f"parameter since is invalid: {error}") from None


def _next(day: date, every: str) -> date:
    if every == "month":
        return date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return day + timedelta(days=1 if every == "day" else 7 - day.weekday())


def _score(one: Score) -> ScoreTold:
    return ScoreTold(score=one.score, value=one.value, parts=one.parts, missing=one.missing)
