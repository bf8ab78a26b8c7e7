"""What a workflow may ask of a case before it moves: the guards, by the names that the data uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from cityloom.cases.clocks.limits import Matter
from cityloom.cases.loop.case import Case, RuleRow


class Escalates(Protocol):
    """Says when a case goes up."""

    def goes_up(self, matter: Matter, returned_by: int, redone: int) -> RuleRow | None:
        """The rule by which it goes up, returned by so many departments or redone so often; or None."""
        ...


class Escalation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a case goes up: returned by so many different departments, or redone so often.

    A case is redone when it goes back to work after it was handled, or is reopened.
    """

    departments: int
    redone: int

    def goes_up(self, matter: Matter, returned_by: int, redone: int) -> RuleRow | None:
        """The same for every matter."""
        row = "departments" if returned_by >= self.departments else "redone"
        up = returned_by >= self.departments or redone >= self.redone
        return RuleRow(table="workflow", version="", row=row) if up else None


def _returned(case: Case, escalates: Escalates) -> RuleRow | None:
    return escalates.goes_up(case.matter, len(case.returned_by), 0)


def _redone(case: Case, escalates: Escalates) -> RuleRow | None:
    return escalates.goes_up(case.matter, 0, case.redone + case.reopened)


class Guard(NamedTuple):
    """A condition on a case, what is told by language where it does not hold, and the rule that decides."""

    holds: Callable[[Case, Escalates], bool]
    refusal: Mapping[str, str]
    rule: Callable[[Case, Escalates], RuleRow | None] | None = None


GUARDS: Final[Mapping[str, Guard]] = {
    "isPart": Guard(
        lambda case, _: bool(case.part_of),
        {"en": "it is no part of a case that was split", "zh": "它不是拆分案件的子案件"},
    ),
    "notPart": Guard(
        lambda case, _: not case.part_of,
        {
            "en": "it is a part of a case that was split; act on the whole",
            "zh": "它是拆分案件的子案件，请办理主案件",
        },
    ),
    "allPartsDone": Guard(
        lambda case, _: bool(case.parts) and all(part.done for part in case.parts),
        {"en": "not all its parts are done", "zh": "尚有子案件未完成"},
    ),
    "assigned": Guard(
        lambda case, _: bool(case.worker), {"en": "no field worker is assigned", "zh": "尚未指派处置人员"}
    ),
    "notAssigned": Guard(
        lambda case, _: not case.worker,
        {
            "en": "a field worker is assigned; revoke the assignment first",
            "zh": "已指派处置人员，请先撤回指派",
        },
    ),
    "notJustReturned": Guard(
        lambda case, _: not case.number or case.last_return != case.number,
        {"en": "a department has just returned it; dispatch it", "zh": "部门刚刚回退此案件，请重新派遣"},
    ),
    "notAppealed": Guard(
        lambda case, _: not case.appealed,
        {"en": "it was appealed once already", "zh": "此案件已申诉过一次"},
    ),
    "returnedBySeveral": Guard(
        lambda case, escalates: _returned(case, escalates) is not None,
        {"en": "not enough departments have returned it", "zh": "回退的部门数不足"},
        _returned,
    ),
    "redoneOften": Guard(
        lambda case, escalates: _redone(case, escalates) is not None,
        {"en": "it was not redone often enough", "zh": "返工次数不足"},
        _redone,
    ),
}
