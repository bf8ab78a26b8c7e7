"""A decision table: as it is written down, and made ready to decide.

Source: OMG DMN 1.5 clause 8 (decision table, input clause, output clause, hit policy). The
format of the file is described in docs/rules.md; the structs below are its truth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from cityloom.model.errors import BadRequestData
from cityloom.rules.sets import Values
from cityloom.rules.unary import ANYTHING, Type, anything, constant, parse_tests, plain, spell

HitPolicy = Literal["UNIQUE", "FIRST", "COLLECT"]
Kind = Literal["routing", "limits", "opening", "escalation"]
OutputType = Literal["string", "number", "boolean", "duration"]
MOST_ROWS: Final = 5_000
"""Rows that a table may have."""


class InputPart(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An input clause. `values` are unary tests that say what can come at all; `optional`: or nothing."""

    name: str
    type: Type = "string"
    title: dict[str, str] = {}
    unit: str = ""
    values: str = ""
    optional: bool = False


class OutputPart(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An output clause. `values` are unary tests that say which output entries are allowed."""

    name: str
    type: OutputType = "string"
    title: dict[str, str] = {}
    unit: str = ""
    values: str = ""


class RowPart(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A rule: input entries (unary tests; one that is left out is `-`), output entries, an annotation."""

    id: str = ""
    when: dict[str, Any] = {}
    then: dict[str, Any] = {}
    note: str = ""


class Effective(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """From which day until which, both included, in the city's calendar; "" is open."""

    from_: str = field(name="from", default="")
    until: str = ""


class TableFile(
    Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True
):
    """A version of a table as people write it. `effective` is from when they mean it to hold."""

    decision_table: str
    kind: Kind
    version: str
    title: dict[str, str] = {}
    hit_policy: HitPolicy
    effective: Effective = Effective()
    inputs: list[InputPart]
    outputs: list[OutputPart]
    rows: list[RowPart]


class Reason(Struct, frozen=True):
    """One input of a decision, and the unary tests that let it through."""

    input: str
    value: Any
    test: str


class Hit(Struct, frozen=True, kw_only=True):
    """A row that holds: its id, its place (1 = first), what it gives, and why it holds."""

    row: str
    number: int
    outputs: dict[str, Any]
    why: tuple[Reason, ...]
    note: str = ""


class Decision(Struct, frozen=True, kw_only=True):
    """What a table decided: which version of it, by which rows. Without rows it says nothing."""

    table: str
    version: str
    hits: tuple[Hit, ...]

    @property
    def outputs(self) -> dict[str, Any]:
        """What the first row gives; nothing where none holds."""
        return self.hits[0].outputs if self.hits else {}


class Row(Struct, frozen=True, kw_only=True):
    """A row made ready: `tests` in the order of the inputs, `cells` those that are not `-`."""

    id: str
    number: int
    tests: tuple[Values, ...]
    cells: tuple[tuple[int, Values], ...]
    outputs: dict[str, Any]
    told: RowPart


class DecisionTable(Struct, frozen=True, kw_only=True):
    """A table made ready. `domains` is what can come of each input; `digest` stands for all it says."""

    told: TableFile
    rows: tuple[Row, ...]
    domains: tuple[Values, ...]
    digest: str

    @property
    def id(self) -> str:
        """The name that its versions share."""
        return self.told.decision_table

    @property
    def version(self) -> str:
        """Which version it is."""
        return self.told.version

    @property
    def kind(self) -> Kind:
        """What it decides."""
        return self.told.kind

    def decide(self, given: Mapping[str, Any]) -> Decision:
        """The rows that hold, with the reasons; one at most, unless the hit policy is COLLECT.

        Args:
            given: values by name; what the table does not ask for is passed over.

        Raises:
            BadRequestData: a value is missing that is not optional, or is not of its type.

        Cost: a test for each row and input that is asked, at most.
        """
        inputs = self.told.inputs
        values = []
        for index, one in enumerate(inputs):
            value = plain(given.get(one.name), one.type, one.name)
            if not self.domains[index].holds(value):
                raise BadRequestData(
                    f"{one.name} is required: {self.id} asks for it"
                    if value is None
                    else f"{one.name} is invalid: {given[one.name]!r} is not among {one.values}"
                )
            values.append(value)
        hits = []
        for row in self.rows:
            if all(cell.holds(values[index]) for index, cell in row.cells):
                hits.append(self._hit(row, given))
                if self.told.hit_policy != "COLLECT":
                    break
        return Decision(table=self.id, version=self.version, hits=tuple(hits))

    def _hit(self, row: Row, given: Mapping[str, Any]) -> Hit:
        inputs = self.told.inputs
        why = tuple(
            Reason(inputs[index].name, given.get(inputs[index].name), spell(cell, inputs[index].type))
            for index, cell in row.cells
        )
        return Hit(row=row.id, number=row.number, outputs=row.outputs, why=why, note=row.told.note)


def compile_table(told: TableFile) -> DecisionTable:
    """A table made ready to decide, every entry read; `checks` says whether it is whole.

    Raises:
        BadRequestData: a name is missing, stands twice or does not exist, or an entry is none of its
            type; names the row and the column.
    """
    for name, text in (("decisionTable", told.decision_table), ("version", told.version)):
        if not text or text != text.strip() or "@" in text or "/" in text:
            raise BadRequestData(f"{name} is required: a name without @, / and blanks around it")
    if not told.inputs or not told.outputs or not told.rows:
        raise BadRequestData("inputs, outputs and rows are required: at least one of each")
    if len(told.rows) > MOST_ROWS:
        raise BadRequestData(f"rows is invalid: more than {MOST_ROWS}")
    _once("inputs", [one.name for one in told.inputs])
    _once("outputs", [one.name for one in told.outputs])
    domains = []
    for one in told.inputs:
        domain = parse_tests(one.values, one.type, f"inputs.{one.name}.values")
        missing = one.optional or (domain.missing and bool(one.values.strip() not in ANYTHING))
        domains.append(msgspec.structs.replace(domain, missing=missing))
    rows = tuple(_row(told, number, row) for number, row in enumerate(told.rows, 1))
    _once("rows", [row.id for row in rows])
    digest = hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()
    return DecisionTable(told=told, rows=rows, domains=tuple(domains), digest=digest)


def _row(told: TableFile, number: int, row: RowPart) -> Row:
    id = row.id or str(number)
    place = f"row {id}"
    for name in row.when:
        if name not in {one.name for one in told.inputs}:
            raise BadRequestData(f"{place} is invalid: the input {name!r} does not exist in inputs")
    for name in row.then:
        if name not in {one.name for one in told.outputs}:
            raise BadRequestData(f"{place} is invalid: the output {name!r} does not exist in outputs")
    tests = tuple(read_entry(one, row, f"{place}, {one.name}") for one in told.inputs)
    cells = tuple(
        (index, test)
        for index, (one, test) in enumerate(zip(told.inputs, tests, strict=True))
        if test != anything(one.type)
    )
    outputs = {}
    for out in told.outputs:
        value = read_output(out, row, f"{place}, {out.name}")
        if value is not None:
            outputs[out.name] = value
    return Row(id=id, number=number, tests=tests, cells=cells, outputs=outputs, told=row)


def read_entry(one: InputPart, row: RowPart, place: str) -> Values:
    """The input entry of a row. Raises BadRequestData: it is none of its type."""
    return parse_tests(_text(row.when.get(one.name, "-")), one.type, place)


def read_output(out: OutputPart, row: RowPart, place: str) -> Any:
    """The output entry of a row, None where there is none. Raises BadRequestData: it is none of its type."""
    text = _text(row.then.get(out.name, ""))
    if text in ANYTHING:
        return None
    type: Type = out.type
    value = constant(text, type, place)
    if out.values and not parse_tests(out.values, type, f"outputs.{out.name}.values").holds(value):
        raise BadRequestData(f"{place} is invalid: {text!r} is not among {out.values}")
    return text if type == "duration" else _number(value)


def _number(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def _text(value: Any) -> str:
    """A cell as text: YAML and JSON give numbers and truth values where people wrote such."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise BadRequestData(f"a cell is invalid: {value!r} is no text, number or truth value")


def _once(place: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name:
            raise BadRequestData(f"{place} is invalid: a name is required")
        if name in seen:
            raise BadRequestData(f"{place} is invalid: {name!r} already exists")
        seen.add(name)
