"""Evaluation: what share was done in time and well, by department, area and period, each with its cases.

Indicators and scores are data (`evaluation.yaml`); what each counts is in `measures`. What has no promise is
not on time: it is told apart, as is what is on account, exempt, undecided or not reported. A
figure without anything in its denominator is no figure: it is not 0 and not 100.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.insight.measures import (
    MEASURES,
    NOT_KEPT,
    Meaning,
    Period,
    Record,
    Unit,
    facts_of,
    runs_of,
)
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.yamlfile import convert, load_yaml

By = Literal["", "department", "area", "type"]

WHOLE: Final = ""
"""The group that holds everything."""
WITHOUT: Final = "@none"
"""The group of what has no department, area or type: JSON-LD's word for it (1.1, clause 1.7)."""
NOT_REPORTED: Final = "notReported"
"""Told apart for this: what the indicator needs is not kept by anyone."""


class Indicator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate in per cent: what it counts (`measure`, with a `clock` where that asks for one), whose it is.

    `counts` and `of` say the formula in words, by language: what stands in the numerator, and in the
    denominator.
    """

    measure: str
    clock: str = ""
    role: str
    better: Literal["more", "less", "neither"] = "more"
    title: dict[str, str]
    formula: str
    counts: dict[str, str] = {}
    of: dict[str, str] = {}


class ScorePart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A weighted mean of indicators; the weights come to 1."""

    title: dict[str, str]
    parts: dict[str, float]


class EvaluationRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Indicators and scores as they are written down; `headline` names what is told first."""

    evaluation: str
    version: str
    moves: Meaning
    public: list[str]
    patrol: list[str]
    headline: list[str] = []
    indicators: dict[str, Indicator]
    scores: dict[str, ScorePart]

    @property
    def name(self) -> str:
        """Name and version: what an evaluation keeps."""
        return f"{self.evaluation} {self.version}"


class Figure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An indicator of one group: the share of `numerator` in `denominator` in per cent.

    None is the value where the denominator is empty, or something is not reported. Both hold the ids
    of cases; a case stands there as often as it was due (a clock that began anew is due anew). `apart`
    holds those that are in neither, by reason.
    """

    indicator: str
    group: str
    role: str
    value: float | None
    numerator: tuple[str, ...] = ()
    denominator: tuple[str, ...] = ()
    apart: dict[str, tuple[str, ...]] = {}


class Counts(Struct, frozen=True, kw_only=True):
    """A figure by its counts; `value` is in per cent, None where there is none.

    `why` says why there is none: `nothingDue`, or `notReported` where what it needs is not kept.
    """

    indicator: str
    value: float | None
    why: Literal["", "nothingDue", "notReported"]
    numerator: int
    denominator: int
    apart: dict[str, int]


class Step(Struct, frozen=True, kw_only=True):
    """A part of the period, from `since` until `until` (microseconds): its counts by group and indicator.

    A group of which nothing was counted is not there.
    """

    since: int
    until: int
    counts: dict[tuple[str, str], Counts]


class Score(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A score of one group, 0 to 100; None where a part has no value: `missing` names those."""

    score: str
    group: str
    value: float | None
    parts: dict[str, float] = {}
    missing: tuple[str, ...] = ()


class Evaluation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All figures and scores of a period, and by what they were reckoned."""

    period: Period
    by: By
    rules: str
    calendar: str
    figures: tuple[Figure, ...]
    scores: tuple[Score, ...]
    steps: tuple[Step, ...] = ()

    def figure(self, indicator: str, group: str = WHOLE) -> Figure:
        """The figure of an indicator. Raises StopIteration: there is none of this group."""
        return next(one for one in self.figures if (one.indicator, one.group) == (indicator, group))

    def score(self, score: str, group: str = WHOLE) -> Score:
        """A score by its name. Raises StopIteration: there is none of this group."""
        return next(one for one in self.scores if (one.score, one.group) == (score, group))


def evaluate(
    records: Iterable[Record],
    period: Period,
    rules: EvaluationRules,
    workflow: Workflow,
    calendar: Calendar,
    by: By = "",
    cuts: Sequence[int] = (),
) -> Evaluation:
    """What cases come to in a period.

    Args:
        records: all cases that may count: those reported before the period's end. They are as they stand at
            `period.now`.
        workflow: says which states end a case, and how.
        by: also gives each department, area or type by itself, and as `WITHOUT` what has none, so that each
            figure's groups come to the whole. Nobody is scored for that.
        cuts: times within the period, growing: what lies before, between and after them is also counted
            by itself.

    Raises:
        BadRequestData: the period ends before it begins.
        ConfigurationError: the calendar has a hole where an open clock needs it; names the case.

    Cost: some 150 µs for each case of ten transitions.
    """
    return evaluate_each(records, period, rules, workflow, calendar, (by,), cuts)[by]


def evaluate_each(
    records: Iterable[Record],
    period: Period,
    rules: EvaluationRules,
    workflow: Workflow,
    calendar: Calendar,
    divisions: Sequence[By],
    cuts: Sequence[int] = (),
) -> dict[By, Evaluation]:
    """What `evaluate` gives by each of some divisions, from looking at each case once."""
    if period.until <= period.since:
        raise BadRequestData("until is invalid: the period ends before it begins")
    grouping = [by for by in divisions if by]
    whole: dict[str, list[Unit]] = {name: [] for name in rules.indicators}
    counted: dict[By, dict[str, dict[str, list[Unit]]]] = {by: {WHOLE: whole} for by in divisions}
    for record in records:
        try:
            runs = runs_of(record, calendar)
        except ConfigurationError as error:
            raise ConfigurationError(f"case {record.case.id}: {error.detail}") from None
        facts = facts_of(record, runs, rules.moves, rules.public, rules.patrol, workflow)
        for name, indicator in rules.indicators.items():
            for unit in MEASURES[indicator.measure](facts, period, indicator.clock):
                whole[name].append(unit)
                for by in grouping:
                    group = (record.case.matter.type if by == "type" else getattr(unit, by)) or WITHOUT
                    groups = counted[by]
                    if group not in groups:
                        groups[group] = {one: [] for one in rules.indicators}
                    groups[group][name].append(unit)
    return {by: _evaluation(counted[by], period, rules, calendar, by, cuts) for by in divisions}


def _evaluation(
    counted: Mapping[str, Mapping[str, list[Unit]]],
    period: Period,
    rules: EvaluationRules,
    calendar: Calendar,
    by: By,
    cuts: Sequence[int],
) -> Evaluation:
    figures, scores = [], []
    edges = (period.since, *cuts, period.until)
    steps: list[dict[tuple[str, str], Counts]] = [{} for _ in edges[1:]]
    for group in sorted(counted):
        values: dict[str, float | None] = {}
        for name, units in counted[group].items():
            figure = _figure(name, group, rules.indicators[name].role, units)
            figures.append(figure)
            values[name] = figure.value
            if cuts:
                for at, counts in _counts_by_step(name, units, cuts, rules).items():
                    steps[at][group, name] = counts
        if group != WITHOUT:
            scores += [_score(name, group, part, values, rules) for name, part in rules.scores.items()]
    return Evaluation(
        period=period,
        by=by,
        rules=rules.name,
        calendar=calendar.version,
        figures=tuple(figures),
        scores=tuple(scores),
        steps=tuple(
            Step(since=since, until=until, counts=counts)
            for since, until, counts in zip(edges[:-1], edges[1:], steps, strict=True)
        )
        if cuts
        else (),
    )


def _counts_by_step(
    indicator: str, units: Iterable[Unit], cuts: Sequence[int], rules: EvaluationRules
) -> dict[int, Counts]:
    """What the units of each step come to, by the number of cuts that lie before it."""
    good, due, apart = Counter[int](), Counter[int](), dict[int, dict[str, int]]()
    for unit in units:
        step = bisect_right(cuts, unit.at)
        if unit.apart:
            told = apart.setdefault(step, {})
            told[unit.apart] = told.get(unit.apart, 0) + 1
        else:
            due[step] += 1
            good[step] += unit.good
    return {
        step: _counts(indicator, good[step], due[step], apart.get(step, {}), rules)
        for step in due.keys() | apart.keys()
    }


def counts_of(figure: Figure, rules: EvaluationRules) -> Counts:
    """A figure without the ids of its cases."""
    return _counts(
        figure.indicator,
        len(figure.numerator),
        len(figure.denominator),
        {why: len(cases) for why, cases in figure.apart.items()},
        rules,
    )


def _counts(
    indicator: str, numerator: int, denominator: int, apart: dict[str, int], rules: EvaluationRules
) -> Counts:
    value = _share(numerator, denominator, apart)
    unknown = rules.indicators[indicator].measure in NOT_KEPT or NOT_REPORTED in apart
    return Counts(
        indicator=indicator,
        value=value,
        why="" if value is not None else "notReported" if unknown else "nothingDue",
        numerator=numerator,
        denominator=denominator,
        apart=apart,
    )


def _share(numerator: int, denominator: int, apart: Container[str]) -> float | None:
    """Per cent; a share of those that happen to be reported would flatter."""
    known = bool(denominator) and NOT_REPORTED not in apart
    return 100 * numerator / denominator if known else None


def _figure(indicator: str, group: str, role: str, units: list[Unit]) -> Figure:
    denominator = tuple(unit.case for unit in units if not unit.apart)
    numerator = tuple(unit.case for unit in units if unit.good and not unit.apart)
    apart: dict[str, list[str]] = {}
    for unit in units:
        if unit.apart:
            apart.setdefault(unit.apart, []).append(unit.case)
    return Figure(
        indicator=indicator,
        group=group,
        role=role,
        value=_share(len(numerator), len(denominator), apart),
        numerator=numerator,
        denominator=denominator,
        apart={why: tuple(cases) for why, cases in apart.items()},
    )


def _score(
    name: str, group: str, part: ScorePart, values: Mapping[str, float | None], rules: EvaluationRules
) -> Score:
    parts: dict[str, float] = {}
    for indicator in part.parts:
        value = values[indicator]
        if value is not None:
            parts[indicator] = 100 - value if rules.indicators[indicator].better == "less" else value
    missing = tuple(one for one in part.parts if one not in parts)
    total = sum(weight * parts.get(one, 0.0) for one, weight in part.parts.items())
    return Score(score=name, group=group, value=None if missing else total, parts=parts, missing=missing)


def load_evaluation(workflow: Workflow, path: Path | None = None) -> EvaluationRules:
    """Reads indicators and scores from YAML; without a path, those that come with the package.

    Raises:
        ConfigurationError: one sentence that names the file, the place and what is wrong.
    """
    path = path or Path(__file__).parent / "evaluation.yaml"
    return make_evaluation(load_yaml(path), workflow, str(path))


def make_evaluation(values: dict[str, Any], workflow: Workflow, file: str) -> EvaluationRules:
    """Indicators and scores from plain values, as `load_evaluation` reads them from `file`.

    Raises:
        ConfigurationError: a move, role, clock, measure or indicator does not exist, a score's weights do not
            come to 1, or it weighs what is neither better nor worse.
    """
    rules = convert(values, EvaluationRules, file, "")
    try:
        _check(rules, workflow)
    except BadRequestData as error:
        raise ConfigurationError(f"{file}: {error.detail}") from None
    return rules


def _check(rules: EvaluationRules, workflow: Workflow) -> None:
    moves = {move.move for move in workflow.moves}
    for meaning in rules.moves.__struct_fields__:
        for move in getattr(rules.moves, meaning):
            if move not in moves:
                raise BadRequestData(f"moves.{meaning.rstrip('_')} is invalid: {move!r} does not exist")
    for role in (*rules.public, *rules.patrol, *(one.role for one in rules.indicators.values())):
        if role not in workflow.roles:
            raise BadRequestData(f"role is invalid: {role!r} does not exist in {workflow.name}")
    for name, indicator in rules.indicators.items():
        if indicator.measure not in MEASURES:
            raise BadRequestData(
                f"indicators.{name}.measure is invalid: {indicator.measure!r} does not exist"
            )
        if indicator.clock and indicator.clock not in workflow.clocks:
            raise BadRequestData(f"indicators.{name}.clock is invalid: {indicator.clock!r} does not exist")
    for name in rules.headline:
        if name not in rules.indicators:
            raise BadRequestData(f"headline is invalid: {name!r} does not exist in indicators")
    for name, score in rules.scores.items():
        if not isclose(sum(score.parts.values()), 1):
            raise BadRequestData(
                f"scores.{name}.parts is invalid: the weights come to {sum(score.parts.values()):g}, not to 1"
            )
        for part, weight in score.parts.items():
            if part not in rules.indicators:
                raise BadRequestData(f"scores.{name}.parts is invalid: {part!r} does not exist in indicators")
            if weight <= 0 or rules.indicators[part].better == "neither":
                raise BadRequestData(f"scores.{name}.parts.{part} is invalid: it cannot be weighed so")
