"""The versions of workflow and limits that cases go by: an old case keeps the old rule.

Each version is kept whole in the store when a node first starts with it, so that a case finds
the one that it was reported under. A version never changes: what is changed gets another name.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.clocks.limits import LimitTable, Matter
from cityloom.cases.keep.calendars import Calendars
from cityloom.cases.keep.city import CaseRules, kept_limits, kept_workflow, limits_file, workflow_file
from cityloom.cases.keep.kept import KeptCase
from cityloom.cases.loop.case import RuleRow
from cityloom.cases.loop.machine import Machine
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.errors import ConfigurationError, ResourceNotFound
from cityloom.model.events import Cause
from cityloom.store.ports import DocumentReads, Transaction

WORKFLOW: Final = "caseWorkflow"
LIMITS: Final = "caseLimits"
_CAUSE: Final = Cause(kind="system", id="system:case-rules", operation="keepRules")


class Routed(NamedTuple):
    """Where a routing rule sends a case: the department, the row that says so, the table's title."""

    department: str
    row: RuleRow
    title: dict[str, str]


class Ruled(Protocol):
    """Rules that are adopted while a node runs: of each case those of the day on which it began."""

    def machine(
        self, reads: DocumentReads, tenant: str, kept: KeptCase, workflow: Workflow, limits: LimitTable
    ) -> Machine | None:
        """What moves a case; None where no rule was adopted: the files decide."""
        ...

    def route(
        self, reads: DocumentReads, tenant: str, matter: Matter, area: str, ruled_at: int
    ) -> Routed | None:
        """Where what is about a matter in an area goes, by the rules of a time (microseconds since 1970).

        None where no rule speaks of it.
        """
        ...


class RuleBook:
    """Finds the machine of a case, and the calendar that holds.

    Args:
        rules: those by which cases are reported now; their calendar is that of the city's file.
        ruled: rules that are adopted while the node runs; None where there are none.
    """

    def __init__(self, rules: CaseRules, ruled: Ruled | None = None) -> None:
        self.rules = rules
        self.ruled = ruled
        self.calendars = Calendars(rules)
        self._workflows: dict[str, Workflow] = {rules.workflow.name: rules.workflow}
        self._limits: dict[str, LimitTable] = {rules.limits.name: rules.limits}
        self._machines: dict[tuple[str, str], Machine] = {}

    def keep(self, tx: Transaction) -> None:
        """Keeps the present versions.

        Raises:
            ConfigurationError: one was changed and bears its old version.
        """
        rules = self.rules
        for kind, name, values in (
            (WORKFLOW, rules.workflow.name, workflow_file(rules.workflow)),
            (LIMITS, rules.limits.name, limits_file(rules.limits)),
        ):
            kept = tx.document("", kind, name)
            if kept is None:
                tx.put_document("", kind, name, values, _CAUSE)
            elif kept.body != values:
                raise ConfigurationError(
                    f"{name} was changed and has its old version: give it another `version`, "
                    f"cases that were reported before go by the old one"
                )

    def calendar(self, reads: DocumentReads) -> Calendar:
        """The calendar that holds in this snapshot or transaction."""
        return self.calendars.present(reads)

    def workflow(self, reads: DocumentReads, name: str) -> Workflow:
        """A workflow by name and version. Raises ResourceNotFound."""
        found = self._workflows.get(name)
        if found is None:
            found = self._workflows[name] = kept_workflow(_body(reads, WORKFLOW, name))
        return found

    def limits(self, reads: DocumentReads, name: str) -> LimitTable:
        """A table of limits by its name. Raises ResourceNotFound."""
        found = self._limits.get(name)
        if found is None:
            found = self._limits[name] = kept_limits(_body(reads, LIMITS, name))
        return found

    def machine_of(self, reads: DocumentReads, tenant: str, kept: KeptCase) -> Machine:
        """What moves a case. Raises ResourceNotFound."""
        found = None
        if self.ruled is not None:
            workflow, limits = self.workflow(reads, kept.case.workflow), self.limits(reads, kept.limits)
            found = self.ruled.machine(reads, tenant, kept, workflow, limits)
        return found or self.machine(reads, kept.case.workflow, kept.limits)

    def machine(self, reads: DocumentReads, workflow: str, limits: str) -> Machine:
        """What moves the cases of a version. Raises ResourceNotFound."""
        found = self._machines.get((workflow, limits))
        if found is None:
            found = Machine(self.workflow(reads, workflow), self.limits(reads, limits))
            self._machines[workflow, limits] = found
        return found


def _body(reads: DocumentReads, kind: str, name: str) -> dict[str, Any]:
    document = reads.document("", kind, name)
    if document is None:
        raise ResourceNotFound(f"{name} does not exist: no case was reported by it here")
    body: dict[str, Any] = document.body
    return body
