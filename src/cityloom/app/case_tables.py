"""What stands between cases and rules, which do not know each other: cases decided by decision tables.

The city's files bring the first tables (limits from `limits.yaml`, escalation from the workflow);
versions that are adopted take their turn. A case is decided by the rules of the day on which
it began, so old cases keep the old rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from cityloom.cases.clocks.limits import (
    ORDER,
    By,
    Limit,
    Limits,
    LimitTable,
    Matter,
    Resolved,
    TableFile,
    kind_of,
    parse_limit,
    row_name,
    rows_of,
)
from cityloom.cases.keep.kept import KeptCase
from cityloom.cases.keep.rulebook import Routed
from cityloom.cases.loop.case import RuleRow
from cityloom.cases.loop.guards import Escalation
from cityloom.cases.loop.machine import Machine
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.rules.book import Rulebook, day_of
from cityloom.rules.checks import Fault, Finding
from cityloom.rules.kept import Rules
from cityloom.rules.load import load_table
from cityloom.rules.sets import Names
from cityloom.rules.table import (
    Decision,
    DecisionTable,
    InputPart,
    OutputPart,
    Row,
    RowPart,
    compile_table,
)
from cityloom.rules.table import TableFile as RuleFile
from cityloom.store.ports import DocumentReads

HANDLING: Final = "handling"
PROMISE: Final = "promise"
_PLACES: Final = {by: place for place, (by, _) in enumerate(ORDER)}


class RuledLimits:
    """Limits that a decision table gives, over the codes of a city.

    What was decided once for a matter is remembered: the table never changes.
    """

    def __init__(self, table: DecisionTable, codes: LimitTable) -> None:
        self._table = table
        self._codes = codes
        self._by = {row.id: _by(row.cells, table) for row in table.rows}
        self._known: dict[tuple[str, Matter], Resolved | None] = {}

    @property
    def name(self) -> str:
        """Table and version, for a person."""
        return f"the limits {self._table.id} {self._table.version}"

    def times(self, stage: str) -> bool:
        """Whether the table has a limit for a step of the city's own."""
        return self._decide(stage, Matter()) is not None

    def handling(self, matter: Matter) -> Resolved:
        """How long the department has. Raises BadRequestData: a code does not exist."""
        found = self._decide(HANDLING, matter)
        if found is None:
            raise ConfigurationError(
                f"{self.name}: no row speaks of {matter}; a row for everything else is required"
            )
        return found

    def promise(self, matter: Matter) -> Resolved | None:
        """What the citizen is promised, if anything. Raises BadRequestData: a code does not exist."""
        return self._decide(PROMISE, matter)

    def stage(self, stage: str) -> Resolved:
        """How long a step of the city's own may take."""
        found = self._decide(stage, Matter())
        if found is None:
            raise ConfigurationError(f"{self.name}: no row speaks of {stage}")
        return found

    def given(self, limit: Limit) -> Resolved:
        """A limit that no row says: it was given with the act."""
        table = self._table
        return Resolved(limit=limit, by="given", row="date", scheme=table.id, version=table.version)

    def conditions_of(self, kind: str) -> list[str]:
        """The filing conditions of a type."""
        return self._codes.conditions_of(kind)

    def check(self, matter: Matter) -> None:
        """Raises BadRequestData: a code does not exist, or the condition is not one of the type's."""
        self._codes.check(matter)

    def _decide(self, clock: str, matter: Matter) -> Resolved | None:
        key = (clock, matter)
        if key not in self._known:
            self._codes.check(matter)
            self._known[key] = self._resolved(self._table.decide({"clock": clock, **given(matter)}), clock)
        return self._known[key]

    def _resolved(self, decision: Decision, clock: str) -> Resolved | None:
        if not decision.hits:
            return None
        row = decision.hits[0].row
        return Resolved(
            limit=parse_limit(decision.outputs["limit"], f"row {row}"),
            by="stage" if clock not in (HANDLING, PROMISE) else self._by[row],
            row=row,
            scheme=decision.table,
            version=decision.version,
        )


class RuledEscalation:
    """What goes up, by a decision table."""

    def __init__(self, table: DecisionTable) -> None:
        self._table = table
        self._known: dict[tuple[Matter, int, int], RuleRow | None] = {}

    def goes_up(self, matter: Matter, returned_by: int, redone: int) -> RuleRow | None:
        """The row by which it goes up, or None."""
        key = (matter, returned_by, redone)
        if key not in self._known:
            counts = {"returnedBy": returned_by, "redone": redone}
            decision = self._table.decide({**given(matter), **counts})
            self._known[key] = _row_of(decision) if decision.outputs.get("goesUp") else None
        return self._known[key]


class CaseTables:
    """The rules of cases: the tables that the files bring, what a table must fit, machines by rulebook.

    Args:
        codes: types, conditions, grades and stages of the city, with the limits of its file.
        departments: those that a case can be sent to; none are not looked at.
        files: of the city's tables of other kinds, which hold where nothing else was adopted.

    Raises:
        ConfigurationError: a file holds no table, one that is not whole, or one of limits or escalation.
    """

    def __init__(
        self,
        workflow: Workflow,
        codes: LimitTable,
        departments: Collection[str] = (),
        files: Iterable[Path] = (),
    ) -> None:
        self._workflow = workflow
        self._codes = codes
        self._departments = departments
        self._stages = tuple(name for name, clock in workflow.clocks.items() if clock.limit == "stage")
        self.base: tuple[DecisionTable, ...] = (
            compile_table(limits_file(codes.told)),
            compile_table(escalation_file(workflow)),
            *self._of_files(files),
        )
        self._machines: dict[tuple[str, ...], Machine] = {}

    def _of_files(self, files: Iterable[Path]) -> Iterable[DecisionTable]:
        known: set[str] = set()
        for file in files:
            table = load_table(file)
            wrong = [str(one) for one in self.check(table) if one.level == "error"]
            if table.kind in ("limits", "escalation"):
                wrong.append(f"kind {table.kind} stands in a file of its own: see limits and workflow")
            line = table.kind if table.kind == "routing" else table.id
            if line in known:
                wrong.append(f"{line} already exists in another file")
            if wrong:
                raise ConfigurationError(f"{file}: {'; '.join(wrong)}")
            known.add(line)
            yield table

    def machine(
        self, book: Rulebook, day: str, workflow: Workflow | None = None, codes: LimitTable | None = None
    ) -> Machine:
        """What moves the cases that began on a day; by versions of the files that are kept, where given."""
        workflow, codes = workflow or self._workflow, codes or self._codes
        limits, escalation = book.adopted("limits", day), book.adopted("escalation", day)
        key = (
            workflow.name,
            codes.name,
            limits.digest if limits else "",
            escalation.digest if escalation else "",
        )
        if key not in self._machines:
            ruled: Limits = codes if limits is None else RuledLimits(limits, codes)
            goes_up = None if escalation is None else RuledEscalation(escalation)
            self._machines[key] = Machine(workflow, ruled, goes_up)
        return self._machines[key]

    def route(self, book: Rulebook, day: str, matter: Matter, area: str) -> Routed | None:
        """Where what is about a matter in an area goes; None: no rule speaks of it."""
        table = book.in_force("routing", day)
        if table is None:
            return None
        try:
            decision = table.decide({**given(matter), "area": area or None})
        except BadRequestData:
            return None  # it asks for what is not known of this case: whoever dispatches decides
        if not decision.hits:
            return None
        return Routed(decision.outputs["department"], _row_of(decision), table.told.title)

    def check(self, table: DecisionTable) -> list[Finding]:
        """Codes that do not exist, limits that are none, and limits out of the order of resolution."""
        return list(self._findings(table))

    def _findings(self, table: DecisionTable) -> Iterable[Finding]:
        told = self._codes.told
        known: dict[str, Collection[str]] = {
            "type": told.types,
            "condition": told.conditions,
            "grade": told.grades,
            "clock": (HANDLING, PROMISE, *self._stages),
        }
        names = [one.name for one in table.told.inputs]
        known |= {"caseType": told.types, "caseCondition": told.conditions}
        for row in table.rows:
            for index, cell in row.cells:
                if isinstance(cell, Names) and names[index] in known:
                    for code in sorted(cell.named - set(known[names[index]]), key=str):
                        yield _unknown(row, names[index], code, self._codes.name)
            for output in ("caseType", "caseCondition"):
                code = row.outputs.get(output)
                if code is not None and code not in known[output]:
                    yield _unknown(row, output, code, self._codes.name)
            department = row.outputs.get("department")
            if department is not None and self._departments and department not in self._departments:
                yield _unknown(row, "department", department, "the city's cases.yaml")
            if table.kind == "limits" and "limit" in row.outputs:
                try:
                    parse_limit(row.outputs["limit"], "limit")
                except BadRequestData as error:
                    yield _of_row(row, error.detail, "unreadable", "limit")
        if table.kind == "escalation":
            try:
                table.decide({"returnedBy": 0, "redone": 0})
            except BadRequestData as error:
                yield _wrong("inputs", f"{error.detail}, and of some cases it is not known")
        if table.kind == "limits":
            yield from self._order(table)
            if "clock" in names:
                yield from self._missing(table)

    def _order(self, table: DecisionTable) -> Iterable[Finding]:
        reached: dict[str, tuple[int, str]] = {}
        names = [one.name for one in table.told.inputs]
        clocks = (HANDLING, PROMISE)
        for row in table.rows:
            asked = {names[index] for index, _ in row.cells}
            if "grade" in asked and not asked & {"type", "condition"}:
                says = "a grade alone has no limit: a type or a condition is required"
                yield _of_row(row, says, "required", "grade")
                continue
            by = _by(row.cells, table)
            place = _PLACES[by]
            cell = row.tests[names.index("clock")] if "clock" in names else None
            for clock in clocks:
                if cell is not None and not cell.holds(clock):
                    continue
                last, other = reached.get(clock, (0, ""))
                if place < last:
                    says = f"speaks of {by} and stands after row {other}, which speaks of "
                    yield _of_row(row, f"{says}{ORDER[last][0]}: the more particular comes first", "order")
                reached[clock] = max((last, other), (place, row.id), key=lambda one: one[0])

    def _missing(self, table: DecisionTable) -> Iterable[Finding]:
        for clock in (HANDLING, *self._stages):
            try:
                found = table.decide({"clock": clock}).hits
            except BadRequestData as error:
                yield _wrong("inputs", error.detail)
                return
            if not found:
                yield _wrong("rows", f"no row gives {clock} a limit where nothing more is known")


class RuledCases:
    """Adopted rules as cases ask for them (`cases.keep.rulebook.Ruled`)."""

    def __init__(self, tables: CaseTables, rules: Rules) -> None:
        self._tables = tables
        self._rules = rules

    def machine(
        self, reads: DocumentReads, tenant: str, kept: KeptCase, workflow: Workflow, limits: LimitTable
    ) -> Machine | None:
        """What moves a case: by the rules of the day on which it began."""
        book = self._rules.book(reads, tenant)
        return self._tables.machine(book, day_of(kept.rules_of, self._rules.zone), workflow, limits)

    def route(
        self, reads: DocumentReads, tenant: str, matter: Matter, area: str, ruled_at: int
    ) -> Routed | None:
        """Where what is about a matter in an area goes, by the rules of a time; None: no rule says."""
        book = self._rules.book(reads, tenant)
        return self._tables.route(book, day_of(ruled_at, self._rules.zone), matter, area)


def given(matter: Matter) -> dict[str, Any]:
    """What a case is about, as tables ask for it: what is not known is missing."""
    return {
        "type": matter.type or None,
        "condition": matter.condition or None,
        "grade": matter.grade or None,
    }


def limits_file(told: TableFile) -> RuleFile:
    """The limits of a city's file as a decision table, in the order of resolution."""
    rows = [*_limit_rows(told, HANDLING, "limit"), *_limit_rows(told, PROMISE, "promise")]
    rows += [
        RowPart(id=stage, when={"clock": f'"{stage}"'}, then={"limit": text})
        for stage, text in told.stages.items()
    ]
    return RuleFile(
        decision_table=f"{told.scheme}-limits",
        kind="limits",
        version=told.version,
        title=told.title,
        hit_policy="FIRST",
        inputs=[
            InputPart(name="clock", values=_quoted([HANDLING, PROMISE, *told.stages])),
            InputPart(name="condition", values=_quoted(told.conditions), optional=True),
            InputPart(name="grade", values=_quoted(told.grades), optional=True),
            InputPart(name="type", values=_quoted(told.types), optional=True),
        ],
        outputs=[OutputPart(name="limit")],
        rows=rows,
    )


def _limit_rows(told: TableFile, clock: str, name: str) -> Iterator[RowPart]:
    rows = rows_of(told)
    for by, asks in ORDER:
        for codes, row in rows[by].items():
            text = getattr(row, name)
            if text:
                cells: dict[str, str] = {"clock": clock, **dict(zip(asks, codes, strict=True))}
                when = {key: f'"{value}"' for key, value in cells.items()}
                yield RowPart(id=f"{clock} {row_name(codes)}", when=when, then={"limit": text})


def escalation_file(workflow: Workflow) -> RuleFile:
    """The workflow's own rule of what goes up, as a decision table."""
    told: Escalation = workflow.escalation
    return RuleFile(
        decision_table=f"{workflow.workflow}-escalation",
        kind="escalation",
        version=workflow.version,
        hit_policy="FIRST",
        inputs=[
            InputPart(name="returnedBy", type="number", values=">= 0"),
            InputPart(name="redone", type="number", values=">= 0"),
        ],
        outputs=[OutputPart(name="goesUp", type="boolean")],
        rows=[
            RowPart(id="departments", when={"returnedBy": f">= {told.departments}"}, then={"goesUp": True}),
            RowPart(id="redone", when={"redone": f">= {told.redone}"}, then={"goesUp": True}),
            RowPart(id="else", then={"goesUp": False}),
        ],
    )


def _quoted(codes: Iterable[str]) -> str:
    return ", ".join(f'"{code}"' for code in codes)


def _row_of(decision: Decision) -> RuleRow:
    return RuleRow(table=decision.table, version=decision.version, row=decision.hits[0].row)


def _by(cells: Iterable[tuple[int, Any]], table: DecisionTable) -> By:
    return kind_of({table.told.inputs[index].name for index, _ in cells})


def _wrong(place: str, says: str) -> Finding:
    return Finding(level="error", place=place, says=says, fault="uncovered")


def _of_row(row: Row, says: str, fault: Fault, column: str = "") -> Finding:
    return Finding(
        level="error", place=f"row {row.id}", says=says, fault=fault, number=row.number, column=column
    )


def _unknown(row: Row, column: str, code: object, where: str) -> Finding:
    return _of_row(row, f"{column} {code!r} does not exist in {where}", "unknown", column)
