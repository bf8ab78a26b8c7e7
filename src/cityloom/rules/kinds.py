"""What each kind of table decides: which inputs it may ask for, what it must give, by which hit policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from cityloom.model.errors import BadRequestData
from cityloom.rules.checks import Fault, Finding, check_rows
from cityloom.rules.opening import opening_rule
from cityloom.rules.table import DecisionTable, HitPolicy, Kind, OutputType, Row
from cityloom.rules.unary import Type


class KindOfTable(Struct, frozen=True, kw_only=True, rename="camel"):
    """`inputs` and `outputs` by name with their type, `required` those that each row must give.

    `alone`: there is one table of this kind in force at a time.
    """

    inputs: Mapping[str, Type]
    outputs: Mapping[str, OutputType]
    required: tuple[str, ...]
    hit_policies: tuple[HitPolicy, ...]
    alone: bool = True


_MATTER: Final[dict[str, Type]] = {"type": "string", "condition": "string", "grade": "string"}

KINDS: Final[Mapping[Kind, KindOfTable]] = {
    "routing": KindOfTable(
        inputs={**_MATTER, "area": "string"},
        outputs={"department": "string"},
        required=("department",),
        hit_policies=("UNIQUE", "FIRST"),
    ),
    "limits": KindOfTable(
        inputs={"clock": "string", **_MATTER},
        outputs={"limit": "string"},
        required=("limit",),
        hit_policies=("UNIQUE", "FIRST"),
    ),
    "escalation": KindOfTable(
        inputs={**_MATTER, "returnedBy": "number", "redone": "number"},
        outputs={"goesUp": "boolean"},
        required=("goesUp",),
        hit_policies=("UNIQUE", "FIRST"),
    ),
    "opening": KindOfTable(
        inputs={"entityType": "string", "attribute": "string", "value": "any"},
        outputs={
            "caseType": "string",
            "caseCondition": "string",
            "for": "duration",
            "silence": "duration",
            "during": "string",
            "overWhen": "string",
            "description": "string",
            "description@en": "string",
            "description@zh": "string",
        },
        required=("caseType",),
        hit_policies=("COLLECT",),
        alone=False,
    ),
}


def check_table(table: DecisionTable) -> list[Finding]:
    """All that can be said of a table without the city around it.

    Raises:
        TooComplexQuery: it is too tangled to be checked.
    """
    found = _against_kind(table)
    if table.kind == "opening":
        # Its rows are rules of their own over an attribute's value of any type: nothing to overlap.
        return found + [wrong for row in table.rows for wrong in _of_opening(table, row)]
    return found + check_rows(table)


def _of_opening(table: DecisionTable, row: Row) -> list[Finding]:
    try:
        opening_rule(table, row)
    except BadRequestData as error:
        place = f"row {row.id}"
        says = error.detail.removeprefix(f"{place}, ")
        return [
            Finding(
                level="error",
                place=place,
                says=says,
                fault="required" if " is required" in says else "unreadable",
                number=row.number,
                column=says.partition(" ")[0],
            )
        ]
    return []


def _against_kind(table: DecisionTable) -> list[Finding]:
    told, kind = table.told, KINDS[table.kind]
    found = []

    def wrong(place: str, says: str, fault: Fault, number: int = 0, column: str = "") -> None:
        found.append(
            Finding(level="error", place=place, says=says, fault=fault, number=number, column=column)
        )

    if told.hit_policy not in kind.hit_policies:
        policies = ", ".join(kind.hit_policies)
        wrong("hitPolicy", f"{told.hit_policy} is not for {table.kind}; {policies} is", "hitPolicy")
    parts = [
        *(("inputs", one.name, one.type, kind.inputs) for one in told.inputs),
        *(("outputs", out.name, out.type, kind.outputs) for out in told.outputs),
    ]
    for part, name, type, known in parts:
        place = f"{part}.{name}"
        if name not in known:
            wrong(place, f"does not exist for {table.kind}; {', '.join(known)} do", "column", column=name)
        elif type != known[name]:
            wrong(place, f"is a {type}; a {known[name]} is asked for", "column", column=name)
    for row in table.rows:
        for name in kind.required:
            if name not in row.outputs:
                wrong(f"row {row.id}", f"{name} is required", "required", row.number, name)
    return found


def whole(table: DecisionTable) -> list[Finding]:
    """The warnings about a table that is whole.

    Raises:
        BadRequestData: it is not; says all that is wrong.
    """
    found = check_table(table)
    errors = [str(one) for one in found if one.level == "error"]
    if errors:
        raise BadRequestData(f"{table.id} {table.version} is invalid: " + "; ".join(errors))
    return found
