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
    """A condition on a case, the sentence for whoever is stopped by it, and the rule where one decides."""

    holds: Callable[[Case, Escalates], bool]
    refusal: str
    rule: Callable[[Case, Escalates], RuleRow | None] | None = None


GUARDS: Final[Mapping[str, Guard]] = {
    "isPart": Guard(lambda case, _: bool(case.part_of), "it is no part of a case that was split"),
    "notPart": Guard(
        lambda case, _: not case.part_of, "it is a part of a case that was split; act on the whole"
    ),
    "allPartsDone": Guard(
        lambda case, _: bool(case.parts) and all(part.done for part in case.parts),
        "not all its parts are done",
    ),
    "assigned": Guard(lambda case, _: bool(case.worker), "no field worker is assigned"),
    "notAssigned": Guard(
        lambda case, _: not case.worker, "a field worker is assigned; revoke the assignment first"
    ),
    "notJustReturned": Guard(
        lambda case, _: not case.number or case.last_return != case.number,
        "a department has just returned it; dispatch it",
    ),
    "notAppealed": Guard(lambda case, _: not case.appealed, "it was appealed once already"),
    "returnedBySeveral": Guard(
        lambda case, escalates: _returned(case, escalates) is not None,
        "not enough departments have returned it",
        _returned,
    ),
    "redoneOften": Guard(
        lambda case, escalates: _redone(case, escalates) is not None,
        "it was not redone often enough",
        _redone,
    ),
}
