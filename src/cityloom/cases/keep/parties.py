"""Who may act in which role: what this room asks of who knows the parties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from cityloom.broker.ports import Call
from cityloom.cases.loop.refusals import Titled, refused, role_of
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.errors import BadRequestData, Forbidden

ANY: Final = "*"
CITIZEN: Final = "citizen"
ANONYMOUS: Final = "urn:cityloom:anonymous"
"""Who acts where nobody is named."""
CITY: Final = "urn:cityloom:city"
"""Who acts for the city itself: a rule, a consumer of the log."""


class Parties(Protocol):
    """Answers which roles of the workflow a party holds."""

    def case_roles(self, call: Call) -> Sequence[str] | None:
        """The roles, `department:CODE` for one that acts for a department; None: whichever it names."""
        ...


class Standing(NamedTuple):
    """A role, and for whom."""

    role: str
    department: str = ""


class Roles:
    """The roles in which one caller may act.

    Args:
        given: as `Parties.case_roles` tells them.
        role: the role that the caller names; "" for none.
        department: for which department; "" for none.

    Raises:
        BadRequestData: the role does not exist.
        Forbidden: the caller does not hold it, or not for this department.
    """

    def __init__(
        self, workflow: Workflow, given: Sequence[str] | None, role: str = "", department: str = ""
    ) -> None:
        if role and role not in workflow.roles:
            known = [role_of(workflow, one) for one in workflow.roles]
            raise refused(
                BadRequestData, "noRole", role=repr(role[:100]), workflow=workflow.name, known=known
            )
        self._named = Standing(role, department)
        self._workflow = workflow
        self._held = None if given is None or ANY in given else [_standing(one) for one in given]
        if role and self._held is not None and not any(self._fits(one) for one in self._held):
            whom = f" for {department}" if department else ""
            raise Forbidden(f"role is invalid: this party does not hold the role {role}{whom}")

    def held(self, department: str) -> list[Standing]:
        """Every role that may be acted in on a case that `department` holds, the workflow's order."""
        named = self._named
        if self._held is None:
            roles = [named.role] if named.role else list(self._workflow.roles)
            whom = named.department or department
            return [Standing(role, whom if self._workflow.roles[role].holder else "") for role in roles]
        held = [one for one in self._held if one.role in self._workflow.roles]
        return [one for one in held if not named.role or self._fits(one)]

    def acting(self, move: str, state: str, department: str) -> Standing:
        """The one role in which a move is made from a state.

        Raises:
            BadRequestData: it could be several, and none is named.
        """
        held = self.held(department)
        if self._named.role and self._held is None:
            return self._named
        open_to = {role for one in self._workflow.moves_from(state) if one.move == move for role in one.roles}
        fitting = [one for one in held if one.role in open_to]
        mine = [one for one in fitting if one.department in ("", department)] or fitting
        if len({one.role for one in mine}) > 1:
            named = next(one for one in self._workflow.moves if one.move == move)
            known = [role_of(self._workflow, one) for one in sorted(open_to)]
            raise refused(BadRequestData, "whichRole", move=Titled(move, named.title), known=known)
        if not held:
            raise Forbidden("this party holds no role in cases")
        return (mine or held)[0]

    def _fits(self, held: Standing) -> bool:
        named = self._named
        return held.role == named.role and (not named.department or held.department == named.department)


def _standing(text: str) -> Standing:
    role, _, department = text.partition(":")
    return Standing(role, department)
