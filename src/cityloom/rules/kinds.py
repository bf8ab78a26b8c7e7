"""What each kind of table decides: which inputs it may ask for, what it must give, by which hit policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from cityloom.model.errors import BadRequestData
from cityloom.rules.checks import Finding, check_rows
from cityloom.rules.opening import opening_rules
from cityloom.rules.table import DecisionTable, HitPolicy, Kind, OutputType
from cityloom.rules.unary import Type


class KindOfTable(Struct, frozen=True, kw_only=True):
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
        try:
            opening_rules(table)
        except BadRequestData as error:
            found.append(Finding(level="error", place="rows", says=error.detail))
        return found
    return found + check_rows(table)


def _against_kind(table: DecisionTable) -> list[Finding]:
    told, kind = table.told, KINDS[table.kind]
    found = []

    def wrong(place: str, says: str) -> None:
        found.append(Finding(level="error", place=place, says=says))

    if told.hit_policy not in kind.hit_policies:
        wrong("hitPolicy", f"{told.hit_policy} is not for {table.kind}; {', '.join(kind.hit_policies)} is")
    for one in told.inputs:
        if one.name not in kind.inputs:
            wrong(f"inputs.{one.name}", f"does not exist for {table.kind}; {', '.join(kind.inputs)} do")
        elif one.type != kind.inputs[one.name]:
            wrong(f"inputs.{one.name}", f"is a {one.type}; a {kind.inputs[one.name]} is asked for")
    for out in told.outputs:
        if out.name not in kind.outputs:
            wrong(f"outputs.{out.name}", f"does not exist for {table.kind}; {', '.join(kind.outputs)} do")
        elif out.type != kind.outputs[out.name]:
            wrong(f"outputs.{out.name}", f"is a {out.type}; a {kind.outputs[out.name]} is asked for")
    for row in table.rows:
        for name in kind.required:
            if name not in row.outputs:
                wrong(f"row {row.id}", f"{name} is required")
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
