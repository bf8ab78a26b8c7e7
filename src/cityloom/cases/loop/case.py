"""A case as a value: where it stands, what it is about, its clocks, its parts; and what moved it there."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from cityloom.cases.clocks.limits import Limit, Matter, Resolved
from cityloom.cases.deadlines import Countdown, Reading


class Promise(Struct, frozen=True, omit_defaults=True):
    """A promise that was given as a date (microseconds since 1970), whatever the table says; None: none."""

    by: int | None = None


class Part(Struct, frozen=True, omit_defaults=True):
    """One department's share of a case that was split: the id of its own case, and whether that is done."""

    case: str
    department: str
    done: bool = False


class RuleRow(Struct, frozen=True, kw_only=True):
    """The row of a version of a decision table that decided something."""

    table: str
    version: str
    row: str


class Case(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A case between two moves. Nothing in it names a person.

    `workflow` is the version that moves it, `number` how many transitions it has had, `at` the
    time of the last one (microseconds since 1970) and `last` its move. `department` holds the case
    or held it last, `worker` is the field worker that it assigned. `returned_by` are the
    departments that returned it, each once; `last_return` is the number of the transition by which
    one did. `exempt` says that an appeal took it out of the statistics. `countdowns` are all its
    clocks, those that ended too; of each name the last one counts. `decided` is which row of which
    table of limits each clock was given its limit by, `ruled` by which row of which rule it was
    opened, dispatched and escalated last.
    """

    id: str
    state: str
    workflow: str
    number: int = 0
    at: int = 0
    last: str = ""
    matter: Matter = Matter()
    department: str = ""
    worker: str = ""
    returned_by: tuple[str, ...] = ()
    last_return: int = 0
    redone: int = 0
    reopened: int = 0
    appealed: bool = False
    exempt: bool = False
    parts: tuple[Part, ...] = ()
    part_of: str = ""
    into: str = ""
    countdowns: tuple[Countdown, ...] = ()
    decided: dict[str, Resolved] = {}
    ruled: dict[str, RuleRow] = {}

    def countdown(self, clock: str) -> Countdown | None:
        """The clock of this name that counts, if it was ever started."""
        return next((one for one in reversed(self.countdowns) if one.clock == clock), None)


class Act(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """What someone does to a case: which move, who, in which role, when, and what is given with it.

    `actor` is a reference to who acts, never a name; `acting_for` the department of an actor
    who acts for one; `at` microseconds since 1970. `seen` is how many transitions the actor
    had seen: if there are more by now, the act is refused. `ruled` are the rules that the act follows.
    """

    move: str
    actor: str
    role: str
    at: int
    acting_for: str = ""
    seen: int | None = None
    reason: str = ""
    evidence: tuple[str, ...] = ()
    finding: str = ""
    type: str = ""
    condition: str = ""
    grade: str = ""
    department: str = ""
    departments: tuple[str, ...] = ()
    worker: str = ""
    into: str = ""
    part: str = ""
    extension: Limit | None = None
    promise: Promise | None = None
    closing_condition: str = ""
    ruled: dict[str, RuleRow] = {}


class Transition(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One move that was made, as the log keeps it: from where to where, the act, what the clocks read then.

    `readings` are those of every clock that was open before the move or is after it, at the time of
    the act, as the move leaves it. `workflow` and `limits` name the versions that decided.
    """

    case: str
    number: int
    move: str
    from_state: str
    to_state: str
    act: Act
    readings: tuple[Reading, ...]
    decided: dict[str, Resolved] = {}
    workflow: str
    limits: str

    @property
    def id(self) -> str:
        """The same for the same transition of the same case, so that a repeat is recognised."""
        return f"{self.case}:transition:{self.number}"


class Moved(NamedTuple):
    """A case after a move, the transition that brought it there, and what the move did to the parts."""

    case: Case
    transition: Transition
    parts: tuple[Moved, ...] = ()
