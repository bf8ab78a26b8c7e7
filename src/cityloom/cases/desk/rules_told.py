"""What cases go by now, for everyone who asks: types, limits, workflow."""

from __future__ import annotations

from typing import Any, Final

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.cases.keep.city import limits_file, workflow_file
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.model.clock import Clock
from cityloom.store.ports import Store

TYPES: Final = "case types"
"""The resource of these rules, which a node may open to everyone."""


class RulesTold(Door):
    """Tells the rules.

    `book` has the rules of every version.
    """

    def __init__(
        self, store: Store, access: Access, clock: Clock, book: RuleBook, limits: Limits | None = None
    ) -> None:
        super().__init__(store, access, clock, limits)
        self.book = book

    def types(self, call: Call) -> dict[str, Any]:
        """Types with their conditions, and departments: codes and names by language; the grades of areas.

        There are grades only where an area of the city has one.
        """
        self._may(call, "read", TYPES)
        rules = self.book.rules
        limits, told = rules.limits, rules.limits.told
        return {
            "scheme": told.scheme,
            "version": told.version,
            "grades": told.grades if rules.areas is not None and rules.areas.grades else [],
            "types": [
                {
                    "code": code,
                    "title": row.title,
                    "conditions": [
                        {"code": one, "title": told.conditions[one].title}
                        for one in limits.conditions_of(code)
                    ],
                }
                for code, row in told.types.items()
            ],
            "departments": [
                {"code": code, "title": department.title} for code, department in rules.departments.items()
            ],
        }

    def limits_table(self, call: Call) -> dict[str, Any]:
        """The table of limits by which cases are reported now."""
        self._may(call, "read", TYPES)
        return limits_file(self.book.rules.limits)

    def workflow_told(self, call: Call) -> dict[str, Any]:
        """The workflow by which cases are reported now."""
        self._may(call, "read", TYPES)
        return workflow_file(self.book.rules.workflow)
