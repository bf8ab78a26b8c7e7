"""What a move does to a case besides taking it to another state, by the names that the workflow uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from cityloom.cases.loop.case import Act, Case, Part
from cityloom.cases.loop.refusals import refused
from cityloom.model.errors import BadRequestData, ResourceNotFound


class Effect(NamedTuple):
    """A change of a case by an act, in words too; `needs` is what the act must bring ("" for nothing)."""

    apply: Callable[[Case, Act], Case]
    says: str
    needs: str = ""


def _dispatch(case: Case, act: Act) -> Case:
    return replace(case, department=act.department)


def _hold(case: Case, act: Act) -> Case:
    return replace(case, department=act.department) if act.department else case


def _count_return(case: Case, act: Act) -> Case:
    returned = (
        case.returned_by if case.department in case.returned_by else (*case.returned_by, case.department)
    )
    return replace(case, returned_by=returned, last_return=case.number + 1)


def _merge(case: Case, act: Act) -> Case:
    if act.into == case.id:
        raise refused(BadRequestData, "itself", case=case.id)
    return replace(case, into=act.into)


def _split(case: Case, act: Act) -> Case:
    departments = act.departments
    if len(departments) < 2 or len(set(departments)) != len(departments) or not all(departments):
        raise BadRequestData("departments is invalid: two or more different departments are required")
    return replace(
        case,
        parts=tuple(
            Part(f"{case.id}:part:{case.number + 1}-{number}", department)
            for number, department in enumerate(departments, 1)
        ),
    )


def _complete_part(case: Case, act: Act) -> Case:
    part = next((part for part in case.parts if part.case == act.part), None)
    if part is None:
        raise ResourceNotFound(f"part {act.part} of case {case.id} does not exist")
    if part.done:
        raise BadRequestData(f"part is invalid: {act.part} is done already")
    return replace(case, parts=tuple(replace(one, done=one.done or one is part) for one in case.parts))


EFFECTS: Final[Mapping[str, Effect]] = {
    "dispatch": Effect(_dispatch, "the department that is named holds the case", "department"),
    "hold": Effect(_hold, "the department that is named, if one is, has it already"),
    "assign": Effect(
        lambda case, act: replace(case, worker=act.worker), "the field worker is assigned", "worker"
    ),
    "revoke": Effect(lambda case, act: replace(case, worker=""), "no field worker is assigned any more"),
    "countReturn": Effect(_count_return, "the department that held the case has returned it"),
    "countRework": Effect(lambda case, act: replace(case, redone=case.redone + 1), "it is redone once more"),
    "countReopening": Effect(
        lambda case, act: replace(case, reopened=case.reopened + 1), "it is reopened once more"
    ),
    "appeal": Effect(lambda case, act: replace(case, appealed=True), "it has been appealed"),
    "exempt": Effect(
        lambda case, act: replace(case, exempt=True), "it is exempt from the statistics; its readings stay"
    ),
    "merge": Effect(_merge, "it ends in the case that is named", "into"),
    "split": Effect(_split, "each of the departments gets a case of its own", "departments"),
    "completePart": Effect(_complete_part, "the part that is named is done", "part"),
}
