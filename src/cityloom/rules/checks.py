"""Whether a table is whole: rows that overlap, rows that are never reached, and what no row speaks of.

Each input's values are cut into the smallest parts that no row cuts further; a walk
through these, input by input, with the rows that are left, sees every case that
there can be. The same rows at the same input are walked once, so a gap that comes back elsewhere
is told once.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from cityloom.model.errors import BadRequestData, TooComplexQuery
from cityloom.rules.sets import Values, atoms, join, meet, meets
from cityloom.rules.table import DecisionTable, InputPart, OutputPart, Row, TableFile, read_entry, read_output
from cityloom.rules.unary import spell

MOST_STEPS: Final = 200_000
"""Steps of the walk after which a table is too tangled to be checked."""
MOST_TOLD: Final = 20
"""Gaps that are told one by one."""


Fault = Literal[
    "",
    "unreadable",
    "twice",
    "column",
    "hitPolicy",
    "required",
    "unknown",
    "overlap",
    "unreached",
    "order",
    "uncovered",
    "gap",
]
"""What is the matter, for who says it in words of his own; "" is none of these."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something about a table: an `error` keeps it from being adopted, a `warning` is told.

    `number` is the row it is about (1 = first, 0 = none of them), `column` the name of the input or output,
    `at` the values that an overlap or a gap is about, as unary tests by input.
    """

    level: Literal["error", "warning"]
    place: str
    says: str
    fault: Fault = ""
    number: int = 0
    column: str = ""
    at: dict[str, str] = {}

    def __str__(self) -> str:
        return f"{self.place}: {self.says}"


def check_entries(told: TableFile) -> list[Finding]:
    """Every entry that cannot be read and every id that stands twice: all of them, not the first alone."""
    found: list[Finding] = []
    seen: set[str] = set()
    parts: list[InputPart | OutputPart] = [*told.inputs, *told.outputs]
    for number, row in enumerate(told.rows, 1):
        id = row.id or str(number)
        if id in seen:
            found.append(_of_entry(id, number, "id", "already exists", "twice"))
        seen.add(id)
        for part in parts:
            place = f"row {id}, {part.name}"
            try:
                if isinstance(part, InputPart):
                    read_entry(part, row, place)
                else:
                    read_output(part, row, place)
            except BadRequestData as error:
                says = error.detail.removeprefix(place).strip()
                found.append(_of_entry(id, number, part.name, says, "unreadable"))
    return found


def _of_entry(id: str, number: int, column: str, says: str, fault: Fault) -> Finding:
    return Finding(
        level="error", place=f"row {id}", says=f"{column} {says}", fault=fault, number=number, column=column
    )


def check_rows(table: DecisionTable) -> list[Finding]:
    """Overlaps of a UNIQUE table, rows that are never reached, and gaps.

    Raises:
        TooComplexQuery: there are too many combinations to look at.

    Cost: rows squared for overlaps; the combinations that differ for the rest.
    """
    found = _overlaps(table) if table.told.hit_policy == "UNIQUE" else []
    walk = _Walk(table)
    walk.go()
    if not found:
        found += [
            Finding(
                level="error",
                place=f"row {row.id}",
                says="is never reached: "
                + (
                    "nothing that can come fits it"
                    if table.told.hit_policy == "COLLECT"
                    else "rows before it take all that fits it, or nothing that can come does"
                ),
                fault="unreached",
                number=row.number,
            )
            for row in table.rows
            if row.number not in walk.reached
        ]
    found += [
        Finding(level="warning", place="rows", says=f"no row speaks of {_told(gap)}", fault="gap", at=gap)
        for gap in walk.gaps
    ]
    if walk.more:
        found.append(Finding(level="warning", place="rows", says=f"and of {walk.more} more"))
    return found


def _overlaps(table: DecisionTable) -> list[Finding]:
    found = []
    for index, row in enumerate(table.rows):
        for other in table.rows[:index]:
            if not all(meets(*pair) for pair in zip(row.tests, other.tests, strict=True)):
                continue
            common = _common(row, other)
            if all(meets(*pair) for pair in zip(common, table.domains, strict=True)):
                both = _spelled(table, common)
                found.append(
                    Finding(
                        level="error",
                        place=f"row {row.id}",
                        says=f"overlaps row {other.id} at {_told(both)}: the hit policy is UNIQUE",
                        fault="overlap",
                        number=row.number,
                        at=both,
                    )
                )
    return found


def _common(row: Row, other: Row) -> list[Values]:
    return [meet(one, two) for one, two in zip(row.tests, other.tests, strict=True)]


class _Walk:
    """Every combination of values, told apart only where rows do."""

    def __init__(self, table: DecisionTable) -> None:
        self._table = table
        self._collect = table.told.hit_policy == "COLLECT"
        self._seen: set[tuple[int, tuple[int, ...]]] = set()
        self._steps = 0
        self.reached: set[int] = set()
        self.gaps: list[dict[str, str]] = []
        self.more = 0

    def go(self) -> None:
        """Walks; `reached` and `gaps` say what was found."""
        self._step(0, self._table.rows, [])

    def _step(self, index: int, rows: tuple[Row, ...], before: list[Values]) -> None:
        if not rows:
            self._gap(before)
            return
        if not self._collect:
            rows = self._cut(index, rows)
        if index == len(self._table.domains):
            self.reached.update(row.number for row in (rows if self._collect else rows[:1]))
            return
        if not self._collect and self._free(index, rows[0]):
            self.reached.add(rows[0].number)
            return
        key = (index, tuple(row.number for row in rows))
        if key in self._seen:
            return
        self._seen.add(key)
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooComplexQuery(
                f"rows is invalid: {self._table.id} has too many combinations to be checked "
                f"({MOST_STEPS} were looked at)"
            )
        groups: dict[tuple[int, ...], tuple[tuple[Row, ...], Values]] = {}
        for part in atoms(self._table.domains[index], (row.tests[index] for row in rows)):
            left = tuple(row for row in rows if meets(row.tests[index], part))
            name = tuple(row.number for row in left)
            groups[name] = (left, join(groups[name][1], part) if name in groups else part)
        for left, values in groups.values():
            self._step(index + 1, left, [*before, values])

    def _cut(self, index: int, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        """Without what stands after a row that takes all that is left."""
        for place, row in enumerate(rows):
            if self._free(index, row):
                return rows[: place + 1]
        return rows

    def _free(self, index: int, row: Row) -> bool:
        return all(place < index for place, _ in row.cells)

    def _gap(self, before: list[Values]) -> None:
        if len(self.gaps) >= MOST_TOLD:
            self.more += 1
        else:
            self.gaps.append(_spelled(self._table, before))


def _spelled(table: DecisionTable, values: list[Values]) -> dict[str, str]:
    return {
        one.name: spell(value, one.type)
        for one, value, domain in zip(table.told.inputs, values, table.domains, strict=False)
        if value != domain
    }


def _told(at: dict[str, str]) -> str:
    return ", ".join(f"{name} {test}" for name, test in at.items()) or "anything"
