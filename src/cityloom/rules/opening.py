"""Opening rules: when the live picture opens a case. Pure: signals in, what to do out.

A rule looks at one attribute of the entities of one type. Its fault must last for some time,
perhaps at night only; or the attribute must be silent for some time. One fault opens one
case: until it is over, nothing more happens. What "over" is may be another mark than the
fault's own, so that a value that trembles about its mark opens one case and not twenty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_duration
from cityloom.rules.daytime import Active, check_during, lasted, longest
from cityloom.rules.sets import Names, Values, meets
from cityloom.rules.table import DecisionTable, Row
from cityloom.rules.unary import parse_tests, plain

_DESCRIPTION_IN: Final = "description@"
"""Before the language of an output that tells the description in it."""


class OpeningRule(Struct, frozen=True, kw_only=True):
    """One row of a table of opening conditions. `wait` and `silence` are in microseconds.

    `fault` None: it is about silence. Names of types and attributes are as the table has them.
    `descriptions` is the description by language, where it is told in several; `description` stands for all.
    """

    table: str
    version: str
    row: str
    entity_types: tuple[str, ...]
    attributes: tuple[str, ...]
    fault: Values | None
    over: Values | None
    wait: int
    silence: int
    during: str
    case_type: str
    case_condition: str
    description: str
    descriptions: dict[str, str] = {}

    def is_fault(self, value: Any) -> bool:
        """Whether a value is the fault."""
        return self.fault is not None and _holds(self.fault, value)

    def is_over(self, value: Any) -> bool:
        """Whether a value ends the fault."""
        return not self.is_fault(value) if self.over is None else _holds(self.over, value)


class Watched(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one rule stands with one attribute of one entity.

    `since` (µs) is when the fault began, or when the attribute was last heard of; `due` when a case is
    opened if nothing comes between (None: never); `firing` names what began it, `evidence` the
    instances that fired. `case` is the case that is open.
    """

    status: Literal["waiting", "open"]
    since: int
    firing: str
    due: int | None = None
    evidence: tuple[str, ...] = ()
    case: str = ""


class Opening(Struct, frozen=True, kw_only=True):
    """What a rule asks for: a case of a type, at an entity, with the instances that fired as evidence.

    `fault` is derived from the rule, the entity and what began the fault, so that a repeat is recognised.
    """

    fault: str
    tenant: str
    table: str
    version: str
    row: str
    entity: str
    attribute: str
    case_type: str
    case_condition: str
    description: str
    descriptions: dict[str, str] = {}
    evidence: tuple[str, ...]
    since: int
    at: int


class Heard(Struct, frozen=True, kw_only=True):
    """A value that was told of an attribute; `gone`: it has no value any more.

    `firing` names what told it: the number of the event, or the time of a value that was there before.
    """

    at: int
    firing: str
    value: Any = None
    gone: bool = False


def opening_rules(table: DecisionTable) -> list[OpeningRule]:
    """The rules of a table of opening conditions.

    Raises:
        BadRequestData: a row names no type or attribute, or says both a fault and a silence or neither.
    """
    return [opening_rule(table, row) for row in table.rows]


def opening_rule(table: DecisionTable, row: Row) -> OpeningRule:
    """One row as a rule. Raises BadRequestData as `opening_rules`."""
    place = f"row {row.id}"
    tests = {one.name: test for one, test in zip(table.told.inputs, row.tests, strict=True)}
    asked = {table.told.inputs[index].name for index, _ in row.cells}
    out = row.outputs
    fault = tests.get("value") if "value" in asked else None
    silence = _micros(out.get("silence", ""), f"{place}, silence")
    wait = _micros(out.get("for", ""), f"{place}, for")
    if (fault is None) == (silence == 0):
        raise BadRequestData(f"{place}, value is invalid: either value or silence is required, not both")
    if silence and (wait or out.get("overWhen")):
        raise BadRequestData(f"{place}, silence is invalid: it goes neither with for nor with overWhen")
    during = out.get("during", "")
    check_during(during, f"{place}, during")
    window = longest(during)
    if window is not None and wait >= window:
        raise BadRequestData(
            f"{place}, for is invalid: {out['for']} is not shorter than {during} (night: PT12H)"
        )
    descriptions = {
        name.removeprefix(_DESCRIPTION_IN): text
        for name, text in out.items()
        if name.startswith(_DESCRIPTION_IN)
    }
    over = parse_tests(out["overWhen"], "any", f"{place}, overWhen") if out.get("overWhen") else None
    if over is not None and fault is not None:
        if type(over) is not type(fault):
            raise BadRequestData(
                f"{place}, overWhen is invalid: it is about another kind of values than value"
            )
        if meets(over, fault):
            raise BadRequestData(f"{place}, overWhen is invalid: a value would be the fault and its end")
    return OpeningRule(
        table=table.id,
        version=table.version,
        row=row.id,
        entity_types=_names(tests.get("entityType"), f"{place}, entityType"),
        attributes=_names(tests.get("attribute"), f"{place}, attribute"),
        fault=fault,
        over=over,
        wait=wait,
        silence=silence,
        during=during,
        case_type=out.get("caseType", ""),
        case_condition=out.get("caseCondition", ""),
        description=out.get("description") or " / ".join(descriptions.values()),
        descriptions=descriptions,
    )


def hear(rule: OpeningRule, was: Watched | None, heard: Heard, active: Active | None) -> Watched | None:
    """Where a rule stands after a value was told; a case is due at `due`, which may be at once.

    Args:
        active: when the rule looks at this entity; None is always.
    """
    if heard.gone:
        return None
    if rule.silence:
        due = lasted(active, heard.at + rule.silence, 0)
        return Watched(status="waiting", since=heard.at, firing=heard.firing, due=due)
    if was is not None and was.status == "open":
        return None if rule.is_over(heard.value) else was
    if not rule.is_fault(heard.value):
        return None
    if was is not None:
        return was
    due = lasted(active, heard.at, rule.wait)
    return Watched(status="waiting", since=heard.at, firing=heard.firing, due=due)


def open_case(
    rule: OpeningRule, was: Watched, *, tenant: str, entity: str, attribute: str, at: int
) -> tuple[Watched, Opening]:
    """Where the rule stands once the case that is due is open, without its id, and what it is opened with."""
    named = "\x1f".join((tenant, rule.table, rule.row, entity, attribute, was.firing))
    opening = Opening(
        fault=hashlib.sha256(named.encode()).hexdigest()[:32],
        tenant=tenant,
        table=rule.table,
        version=rule.version,
        row=rule.row,
        entity=entity,
        attribute=attribute,
        case_type=rule.case_type,
        case_condition=rule.case_condition,
        description=rule.description,
        descriptions=rule.descriptions,
        evidence=was.evidence,
        since=was.since,
        at=at,
    )
    return Watched(status="open", since=was.since, firing=was.firing, evidence=was.evidence), opening


def faults(rule: OpeningRule, told: Iterable[Heard], active: Active | None, until: int) -> Iterator[Watched]:
    """The faults of which each would have opened a case, of the values of one attribute in order of time.

    Args:
        until: microseconds since 1970; what is due later is not told.

    Yields:
        where the rule stood when each was due.
    """
    was: Watched | None = None
    for heard in told:
        if was is not None and was.status == "waiting" and was.due is not None and was.due <= heard.at:
            yield was
            was = replace(was, status="open")
        was = hear(rule, was, heard, active)
        if was is not None and was.status == "waiting" and was.due is not None and was.due <= heard.at:
            yield was
            was = replace(was, status="open")
    if was is not None and was.status == "waiting" and was.due is not None and was.due <= until:
        yield was


def _holds(values: Values, value: Any) -> bool:
    if isinstance(values, Names):
        return isinstance(value, str | bool) and values.holds(value)
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and values.holds(plain(value, "number", ""))
    )


def _micros(text: str, place: str) -> int:
    return parse_duration(text, place)[1] if text else 0


def _names(test: Values | None, place: str) -> tuple[str, ...]:
    if not isinstance(test, Names) or test.but or not test.named:
        raise BadRequestData(f"{place} is required: one name or several")
    return tuple(sorted(test.named))
