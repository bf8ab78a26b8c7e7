"""The workflow as data: states, moves, roles, guards, mandatory reasons, and which clock each move touches.

The format of the file is described in docs/cases.md; the structs below are its truth.
`load` reads it, `soundness` walks through what was read.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct, field

from cityloom.cases.loop.guards import Escalation

INPUTS: Final = (
    "reason",
    "evidence",
    "finding",
    "type",
    "condition",
    "grade",
    "department",
    "departments",
    "worker",
    "into",
    "part",
    "extension",
    "promise",
    "closingCondition",
)
"""What an act can bring, by its name in the data."""


Verb = Literal["stop", "pause", "resume", "dispatch", "extend", "start"]

VERBS: Final[tuple[Verb, ...]] = ("stop", "pause", "resume", "dispatch", "extend", "start")
"""The verbs, in the order in which they are done."""
ALL: Final = "all"
"""In `stop`: every clock that is open."""


class ClockVerbs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which clocks a move stops, pauses, resumes, hands to a department, extends and starts."""

    stop: list[str] = []
    pause: list[str] = []
    resume: list[str] = []
    dispatch: list[str] = []
    extend: list[str] = []
    start: list[str] = []

    def of(self, verb: Verb) -> list[str]:
        """The clocks that this verb is about."""
        clocks: list[str] = getattr(self, verb)
        return clocks


class RolePart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role; with `holder`, it acts only for the department that holds the case."""

    title: dict[str, str] = {}
    holder: bool = False


class ClockPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clock, and where its limit is from: the table's stage of the same name, its limit or its promise."""

    limit: Literal["stage", "handling", "promise"]


class StatePart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state: in which step, whether it waits for a decision, whether a case ends there, and how.

    `closed` says that the work is done there, though something may still be asked about it;
    `waits_for` is the role that is to act.
    """

    step: str
    waits_for: str = field(name="waitsFor", default="")
    title: dict[str, str] = {}
    request: bool = False
    closed: bool = False
    end: Literal["", "done", "undone"] = ""


class InsteadPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a move leads when a guard holds after it, and what it does to the clocks then."""

    when: str
    to: str
    clocks: ClockVerbs = ClockVerbs()


class MovePart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A move: who may make it, from where to where, what it needs, what it may take, what it does."""

    move: str
    from_: list[str] = field(name="from")
    to: str
    roles: list[str]
    needs: list[str] = []
    takes: list[str] = []
    guards: list[str] = []
    effects: list[str] = []
    clocks: ClockVerbs = ClockVerbs()
    instead: InsteadPart | None = None
    title: dict[str, str] = {}

    def ways(self) -> list[tuple[str, ClockVerbs]]:
        """Where it can lead, and what happens to the clocks on the way."""
        usual = [(self.to, self.clocks)]
        return usual if self.instead is None else [*usual, (self.instead.to, self.instead.clocks)]


class PartsPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the cases of the parts of a split case begin."""

    state: str
    clocks: ClockVerbs = ClockVerbs()


class Workflow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workflow as it is written down; `load_workflow` gives only ones that were found sound."""

    workflow: str
    version: str
    initial: str
    parts: PartsPart
    escalation: Escalation
    steps: dict[str, dict[str, str]]
    roles: dict[str, RolePart]
    clocks: dict[str, ClockPart]
    states: dict[str, StatePart]
    moves: list[MovePart]

    @property
    def name(self) -> str:
        """Name and version: what a case and a transition keep."""
        return f"{self.workflow} {self.version}"

    def is_open(self, state: str) -> bool:
        """Whether something is still to be done in a state."""
        told = self.states[state]
        return not told.closed and not told.end

    def holder_of(self, state: str, department: str) -> str:
        """Who is to act in a state: the department that holds the case, or a role; "" at the end."""
        role = self.states[state].waits_for
        return department if department and role and self.roles[role].holder else role

    def moves_from(self, state: str) -> list[MovePart]:
        """The moves that leave a state, in the order of the file."""
        return [move for move in self.moves if state in move.from_]
