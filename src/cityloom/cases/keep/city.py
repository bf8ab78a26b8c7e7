"""A city's own files of cases: workflow, limits, calendar, departments, grades of areas.

The format of `cases.yaml` is described in docs/cases.md; the structs below are its truth.
Everything is read and checked whole before a case meets it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cityloom.cases.clocks.calendar import Calendar, make_calendar
from cityloom.cases.clocks.limits import Limit, LimitTable, load_limits, make_limits, parse_limit
from cityloom.cases.insight.duplicates import DuplicateRules, load_duplicate_rules
from cityloom.cases.insight.evaluation import EvaluationRules, load_evaluation
from cityloom.cases.insight.surge import SurgeRule, check_rule
from cityloom.cases.keep.open311_city import Open311Part, check_part
from cityloom.cases.loop.load import load_workflow, make_workflow
from cityloom.cases.loop.machine import Machine
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.yamlfile import convert, load_yaml


class DepartmentPart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A department: its name by language."""

    title: dict[str, str] = {}


class AreasPart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which entities of the live picture are the city's areas, and of which grade each is.

    `type` is a type as the profile's mappings name it; `grades` is by the areas' ids.
    """

    type: str
    grades: dict[str, str] = {}


class CasesFile(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`cases.yaml`: files are named relative to it; without one of the workflow, limits, evaluation,
    duplicates or phrases the package's counts.

    `reporter_roles` are the roles that may read who reported; `no_place` are points (lon, lat) that
    stand for "no place", besides (0, 0); `landmarks` are the types of entities by whose names people know
    a place; `stale` is how long an open case may lie without a move, `drafts`
    how long a draft is kept that nobody reports;
    `rules` are files of decision tables that hold from the beginning, where nothing else was adopted.
    """

    workflow: str = ""
    limits: str = ""
    calendar: str
    evaluation: str = ""
    duplicates: str = ""
    phrases: str = ""
    surges: SurgeRule = SurgeRule()
    departments: dict[str, DepartmentPart]
    areas: AreasPart | None = None
    no_place: list[tuple[float, float]] = []
    landmarks: tuple[str, ...] = ()
    reporter_roles: tuple[str, ...] = ("intake", "hotline", "collector")
    stale: str = "10wd"
    drafts: str = "U7d"
    open311: Open311Part = Open311Part()
    rules: list[str] = []


class CaseRules(Struct, frozen=True, kw_only=True):
    """What a city's cases go by, found whole.

    `calendar_file` is the calendar's plain content, by which a later one can tell what it changes;
    `phrases` the file of phrases that suggestions begin with (None: the package's); `rules` the files
    of decision tables, which another room reads.
    """

    workflow: Workflow
    limits: LimitTable
    calendar: Calendar
    calendar_file: dict[str, Any]
    departments: dict[str, DepartmentPart]
    areas: AreasPart | None
    no_place: list[tuple[float, float]]
    landmarks: tuple[str, ...]
    reporter_roles: tuple[str, ...]
    stale: Limit
    drafts: Limit
    evaluation: EvaluationRules
    duplicates: DuplicateRules
    phrases: Path | None = None
    surges: SurgeRule = SurgeRule()
    open311: Open311Part = Open311Part()
    rules: tuple[Path, ...] = ()

    def grade_of(self, area: str) -> str:
        """The grade of an area; "" where none is said."""
        return self.areas.grades.get(area, "") if self.areas is not None else ""


def load_rules(file: Path) -> CaseRules:
    """Reads `cases.yaml` and the files that it names.

    Raises:
        ConfigurationError: one sentence that names the file, the key and what is wrong.
    """
    told = convert(load_yaml(file), CasesFile, str(file), "")
    workflow = load_workflow(file.parent / told.workflow) if told.workflow else load_workflow()
    limits = load_limits(file.parent / told.limits) if told.limits else load_limits()
    calendar_file = load_yaml(file.parent / told.calendar)
    calendar = make_calendar(calendar_file, str(file.parent / told.calendar))
    try:
        _check(told, workflow, limits)
        stale, drafts = parse_limit(told.stale, "stale"), parse_limit(told.drafts, "drafts")
        if not drafts.continuous:
            raise BadRequestData(f"drafts is invalid: {told.drafts!r} is no continuous time, such as U7d")
        Machine(workflow, limits)
        check_rule(told.surges)
        check_part(told.open311, limits)
    except (BadRequestData, ConfigurationError) as error:
        raise ConfigurationError(f"{file}: {error.detail}") from None
    return CaseRules(
        workflow=workflow,
        limits=limits,
        calendar=calendar,
        calendar_file=calendar_file,
        departments=told.departments,
        areas=told.areas,
        no_place=[(0.0, 0.0), *told.no_place],
        landmarks=told.landmarks,
        reporter_roles=told.reporter_roles,
        stale=stale,
        drafts=drafts,
        evaluation=load_evaluation(workflow, _beside(file, told.evaluation)),
        duplicates=load_duplicate_rules(_beside(file, told.duplicates)),
        phrases=_beside(file, told.phrases),
        surges=told.surges,
        open311=told.open311,
        rules=tuple(file.parent / name for name in told.rules),
    )


def _beside(file: Path, name: str) -> Path | None:
    return file.parent / name if name else None


def _check(told: CasesFile, workflow: Workflow, limits: LimitTable) -> None:
    if not told.departments:
        raise BadRequestData("departments is required: at least one, cases are dispatched to them")
    for code, department in told.departments.items():
        if not code or not any(department.title.values()):
            raise BadRequestData(f"departments.{code}.title is required: its name by language")
    for role in told.reporter_roles:
        if role not in workflow.roles:
            raise BadRequestData(f"reporterRoles is invalid: {role!r} does not exist in {workflow.name}")
    for area, grade in (told.areas.grades if told.areas is not None else {}).items():
        if grade not in limits.told.grades:
            raise BadRequestData(f"areas.grades.{area} is invalid: {grade!r} does not exist in {limits.name}")


def workflow_file(workflow: Workflow) -> dict[str, Any]:
    """A workflow as plain values, from which `kept_workflow` makes it again."""
    values: dict[str, Any] = msgspec.to_builtins(workflow)
    return values


def kept_workflow(values: dict[str, Any]) -> Workflow:
    """A workflow that was kept."""
    return make_workflow(values, "a workflow that was kept")


def limits_file(limits: LimitTable) -> dict[str, Any]:
    """A table of limits as plain values, from which `kept_limits` makes it again."""
    values: dict[str, Any] = msgspec.to_builtins(limits.told)
    return values


def kept_limits(values: dict[str, Any]) -> LimitTable:
    """A table of limits that was kept."""
    return make_limits(values, "limits that were kept")
