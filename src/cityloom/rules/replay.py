"""Replay before adoption: the past lived once more under another rule, and what would have changed.

How a case is lived is handed in (`CasePast`): this room knows books of rules, cases by their ids
and what is told of them. All runs on simulated time: the time of each act is that of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from cityloom.rules.book import Rulebook
from cityloom.rules.table import DecisionTable
from cityloom.store.ports import Snapshot

Progress = Callable[[float], None]
"""Told a fraction of 0 to 1."""
_TOLD_EVERY = 200


class Relived(Protocol):
    """A case as it came out under some rules."""

    @property
    def case(self) -> str:
        """The id of the case."""
        ...

    def same(self, other: Relived) -> bool:
        """Whether it came out just as another; quick, and True only where `facts` are the same."""
        ...

    def facts(self) -> dict[str, Any]:
        """What came of it, for a person: deadlines, lights at the end, department, escalation."""
        ...


class CasePast(Protocol):
    """The cases of a city as they were lived, and how they are lived again."""

    def load(self, reads: Snapshot, tenant: str, since: int, until: int) -> Sequence[Any]:
        """What is recorded of the cases that were reported in [since, until), microseconds."""
        ...

    def relive(self, lived: Any, book: Rulebook) -> Sequence[Relived]:
        """A case, and its parts, under a book of rules, each act at its own time."""
        ...

    def recorded(self, lived: Any, relived: Sequence[Relived]) -> bool:
        """Whether what was lived again is what is recorded."""
        ...


class Scoring(Protocol):
    """How a city is scored, such as the evaluation of cases."""

    def scores(self, relived: Sequence[Relived]) -> dict[str, float | None]:
        """Scores by name; None where there is nothing to score."""
        ...


class FactChange(Struct, frozen=True):
    """One fact before and after; None where there is none."""

    fact: str
    before: Any
    after: Any


class CaseChange(Struct, frozen=True, kw_only=True):
    """A case that would have come out otherwise."""

    case: str
    changes: list[FactChange]


class Replay(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a rule would have changed.

    `cases` is how many were lived again, `unlike` those that the rules of their days do not lead to
    what is recorded of them (a workflow that was changed since): nothing is said of these. `opened`
    and `not_opened` are cases that opening rules would have opened or not. Scores are by name.
    """

    table: str
    version: str
    cases: int = 0
    changed: list[CaseChange] = []
    unlike: list[str] = []
    opened: list[dict[str, Any]] = []
    not_opened: list[dict[str, Any]] = []
    scores_before: dict[str, float | None] = {}
    scores_after: dict[str, float | None] = {}


def replay_cases(
    past: CasePast,
    lived: Sequence[Any],
    book: Rulebook,
    table: DecisionTable,
    *,
    scoring: Scoring | None = None,
    progress: Progress = lambda _: None,
) -> Replay:
    """Lives cases under the rules of their days and under `table` in the place of its kind.

    Args:
        lived: as `past.load` gave them.
        book: the rules of each day.
        scoring: what scores both; None scores nothing.

    Cost: each act twice, some 25 µs each.
    """
    after_book = book.with_table(table)
    changed: list[CaseChange] = []
    unlike: list[str] = []
    before: list[Relived] = []
    after: list[Relived] = []
    for number, one in enumerate(lived):
        if number % _TOLD_EVERY == 0:
            progress(number / len(lived))
        was = past.relive(one, book)
        if not past.recorded(one, was):
            unlike.append(was[0].case)
            continue
        now = past.relive(one, after_book)
        before += was
        after += now
        changed += _changes(was, now)
    progress(1.0)
    return Replay(
        table=table.id,
        version=table.version,
        cases=len(before),
        changed=changed,
        unlike=unlike,
        scores_before={} if scoring is None else scoring.scores(before),
        scores_after={} if scoring is None else scoring.scores(after),
    )


def _changes(before: Sequence[Relived], after: Sequence[Relived]) -> Iterable[CaseChange]:
    """What differs; a part that is born under one rule alone differs in all its facts."""
    was = {one.case: one for one in before}
    now = {one.case: one for one in after}
    for case in dict.fromkeys([*was, *now]):
        one, other = was.get(case), now.get(case)
        if one is not None and other is not None and one.same(other):
            continue
        old = {} if one is None else one.facts()
        new = {} if other is None else other.facts()
        changes = [
            FactChange(fact, old.get(fact), new.get(fact))
            for fact in dict.fromkeys([*old, *new])
            if old.get(fact) != new.get(fact)
        ]
        if changes:
            yield CaseChange(case=case, changes=changes)
