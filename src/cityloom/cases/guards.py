"""What a workflow may ask of a case before it moves: the guards, by the names that the data uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from cityloom.cases.case import Case


class Escalation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a case goes up: returned by so many different departments, or redone so often.

    A case is redone when it goes back to work after it was handled, or is reopened.
    """

    departments: int
    redone: int


class Guard(NamedTuple):
    """A condition on a case, and the sentence for whoever is stopped by it."""

    holds: Callable[[Case, Escalation], bool]
    refusal: str


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
        lambda case, escalation: len(case.returned_by) >= escalation.departments,
        "not enough departments have returned it",
    ),
    "redoneOften": Guard(
        lambda case, escalation: case.redone + case.reopened >= escalation.redone,
        "it was not redone often enough",
    ),
}
