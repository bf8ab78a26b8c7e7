"""Types and departments suggested for a text, on a node: learnt in the background, refusals logged."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from cityloom.broker.door import Door, Limits
from cityloom.broker.ports import Access, Call
from cityloom.cases.desk.wishes import SuggestionWish, check_text
from cityloom.cases.insight.suggest import Example, Suggester, Suggestion, first_examples, refused
from cityloom.cases.keep.kept import CASE, KeptCase, iri
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.loop.case import Act
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData
from cityloom.model.events import Cause
from cityloom.query.values import Path, QCompare, Query, TypeIs
from cityloom.store.ports import Snapshot, Store, Transaction

REFUSAL: Final = "caseSuggestionRefused"
"""Documents of this kind are refusals; each is an event of the log. They hold no word of the text."""
LEARNT: Final = 2000
"""Closed cases that are learnt from, the last ones that moved."""
_EVERY: Final = 3600.0
"""Seconds between two times of learning."""
_AFTER_START: Final = 30.0
"""Seconds that a node has for other things when it starts; who asks before is waited for."""
_MANY: Final = 10**9
_READ: Final = [iri(name) for name in ("caseType", "department", "description", "movedAt", "state")]


class SuggestedTold(Struct, frozen=True, kw_only=True):
    """A type or a department with its name by language; `confidence` is 0 to 1.

    `because` are the words of the text that told most; of a department, the types whose cases it handled.
    """

    value: str
    title: dict[str, str]
    confidence: float
    because: tuple[str, ...]


class SuggestionsTold(Struct, frozen=True, kw_only=True):
    """What a text may be about, the likeliest first; both empty where nothing of it is known."""

    types: list[SuggestedTold]
    departments: list[SuggestedTold]
    model: str


class CaseSuggestions(Door):
    """Suggests types and departments, and logs where people chose otherwise.

    Args:
        resource: what a caller must be allowed to write: who may report may ask.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        book: RuleBook,
        *,
        resource: str,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(store, access, clock, limits)
        self._book = book
        self._resource = resource
        self._learnt: dict[str, Suggester] = {}
        self._one = asyncio.Lock()

    async def suggest(self, call: Call, wish: SuggestionWish) -> SuggestionsTold:
        """What a text may be about. It fills nothing in, and the text is kept nowhere.

        Raises:
            BadRequestData: there is no text, or too much, or the type does not exist.

        Cost: some 0.5 ms; where nothing was learnt for the tenant yet, a second or two beside the event loop.
        """
        self._may(call, "write", self._resource)
        check_text(wish.text, "text")
        if not wish.text.strip():
            raise BadRequestData("text is required: what is to be done")
        rules = self._book.rules
        if wish.type and wish.type not in rules.limits.told.types:
            raise BadRequestData(f"type is invalid: {wish.type[:100]!r} does not exist")
        learnt = self._learnt.get(call.tenant) or await self._first(call)
        found = learnt.suggest(wish.text, known=wish.type)
        return SuggestionsTold(
            types=[
                _told(
                    one,
                    rules.limits.told.types[one.value].title if one.value in rules.limits.told.types else {},
                )
                for one in found.types
            ],
            departments=[
                _told(one, rules.departments[one.value].title)
                for one in found.departments
                if one.value in rules.departments
            ],
            model=found.model,
        )

    async def run(self) -> None:
        """Learns anew each hour until it is cancelled, for the city and each tenant that has asked."""
        await asyncio.sleep(_AFTER_START)
        while True:
            for tenant in {"", *self._learnt}:
                await self.learn(tenant)
            await asyncio.sleep(_EVERY)

    async def learn(self, tenant: str = "") -> str:
        """Learns from names, phrases and the cases that the tenant closed; the digest of what it learnt.

        Cost: reads every closed case, some 30 us each; a second or two for 2,000 examples, in a thread.
        """
        async with self._one:
            return await self._learn(tenant)

    async def _learn(self, tenant: str) -> str:
        rules = self._book.rules

        def read(reads: Snapshot) -> list[Example]:
            return closed_examples(reads, tenant, rules.workflow)

        closed = await asyncio.wrap_future(self._store.read(read))
        known = [one for one in closed if one.type in rules.limits.told.types]

        def make() -> Suggester:
            return Suggester(first_examples(rules.limits, rules.phrases), known)

        learnt = self._learnt[tenant] = await asyncio.to_thread(make)
        return learnt.model

    def log_refusals(self, tx: Transaction, call: Call, before: KeptCase, after: KeptCase, act: Act) -> None:
        """Logs, in the transaction of a move, that it set another type or first department than suggested.

        Nothing is logged where nothing was learnt yet, or a rule chose the department.
        """
        learnt, text = self._learnt.get(call.tenant), after.subject.description
        chosen = {"type": act.type if act.type != before.case.matter.type else ""}
        if not act.ruled and not before.case.department:
            chosen["department"] = act.department
        if learnt is None or not text or not any(chosen.values()):
            return
        suggestions = learnt.suggest(text, known=before.case.matter.type)
        case, number = after.case.id, after.case.number
        cause = Cause(
            kind="transition", id=f"{case}:transition:{number}", party=call.party, operation=act.move
        )
        for field, value in chosen.items():
            told = refused(suggestions, field, value, case, act.actor, act.at) if value else None
            if told is not None:
                tx.put_document(call.tenant, REFUSAL, f"{case}:refusal:{number}:{field}", told, cause)

    async def _first(self, call: Call) -> Suggester:
        await self._read(call, lambda snapshot: None)  # the tenant exists
        async with self._one:
            if call.tenant not in self._learnt:  # others who asked at the same time wait for one learning
                await self._learn(call.tenant)
        return self._learnt[call.tenant]


def closed_examples(reads: Snapshot, tenant: str, workflow: Workflow, most: int = LEARNT) -> list[Example]:
    """The texts of the cases that were done and closed, with type and department; the last `most` that moved.

    What ended undone (rejected, voided, merged) teaches nothing.
    """
    undone = frozenset(name for name, state in workflow.states.items() if state.end == "undone")
    query = Query(types=TypeIs(CASE), q=QCompare(Path((iri("status"),)), "==", "closed"), limit=_MANY)
    found = heapq.nlargest(most, _examples(reads, tenant, query, undone), key=lambda one: one[:2])
    return [example for _, _, example in sorted(found, key=lambda one: one[:2])]


def _examples(
    reads: Snapshot, tenant: str, query: Query, undone: frozenset[str]
) -> Iterator[tuple[str, str, Example]]:
    for entity in reads.lights(tenant, query, _READ):
        told: dict[str, Any] = {}
        for name in _READ:
            instance = entity.instance(name)
            told[name] = "" if instance is None else instance.value
        kind, department, text, moved, state = (told[name] for name in _READ)
        if kind and text and state not in undone:
            yield moved, entity.id, Example(text=text, type=kind, department=department)


def _told(one: Suggestion, title: dict[str, str]) -> SuggestedTold:
    return SuggestedTold(value=one.value, title=title, confidence=one.confidence, because=one.because)
