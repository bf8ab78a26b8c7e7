"""Types and departments suggested for a text, on a node: learnt in the background, refusals logged."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.door import Door
from cityloom.broker.ports import Access, Call
from cityloom.cases.clocks.limits import Matter
from cityloom.cases.desk.reading import CASES
from cityloom.cases.desk.wishes import SuggestionWish, check_text
from cityloom.cases.insight.suggest import (
    Example,
    Suggester,
    Suggestion,
    Suggestions,
    first_examples,
    refused,
)
from cityloom.cases.keep.kept import CASE, KeptCase, iri, kept_of
from cityloom.cases.keep.numbers import full_id
from cityloom.cases.keep.places import Places
from cityloom.cases.keep.rulebook import Routed, RuleBook
from cityloom.cases.loop.case import Act, RuleRow
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.clock import Clock
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.model.events import Cause
from cityloom.query.values import Path, QCompare, Query, TypeIs
from cityloom.store.ports import DocumentReads, Snapshot, Store, Transaction

REFUSAL: Final = "caseSuggestionRefused"
"""Documents of this kind are refusals; each is an event of the log. They hold no word of the text."""
LEARNT: Final = 2000
"""Closed cases that are learnt from, the last ones that moved."""
_EVERY: Final = 3600.0
"""Seconds between two times of learning."""
_AFTER_START: Final = 30.0
"""Seconds that a node has for other things when it starts; who asks before is waited for."""
_MANY: Final = 10**9
_MOST: Final = 3
"""Departments that are suggested."""
_READ: Final = [iri(name) for name in ("caseType", "department", "description", "movedAt", "state")]


class RuledTold(Struct, frozen=True, kw_only=True):
    """The row of the routing rule in force that names a department, and the rule's name by language."""

    table: str
    version: str
    row: str
    title: dict[str, str]


class SuggestedTold(Struct, frozen=True, kw_only=True):
    """A type or a department with its name by language; `confidence` is above 0 and below 1.

    `because` are the words of the text that told most; of a department, the types of which it gets the cases.
    `ruled` says that the routing rule in force names the department. Its confidence is that of these types;
    null where somebody chose the type already: then it is no guess.
    """

    value: str
    title: dict[str, str]
    confidence: float | None
    because: tuple[str, ...]
    ruled: RuledTold | None = None


class SuggestionsTold(Struct, frozen=True, kw_only=True):
    """What a text may be about, the likeliest first; `known`: a word of it is known."""

    types: list[SuggestedTold]
    departments: list[SuggestedTold]
    known: bool
    model: str


class _About(NamedTuple):
    """What the routing rule may ask for of a text, and the time whose rules are for it (microseconds)."""

    matter: Matter
    area: str
    ruled_at: int


class CaseSuggestions(Door):
    """Suggests types and departments, and logs where people chose otherwise.

    Args:
        resource: what a caller must be allowed to write: who may report may ask.
        places: where the city's areas are.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        book: RuleBook,
        *,
        resource: str,
        places: Places,
    ) -> None:
        super().__init__(store, access, clock)
        self._book = book
        self._resource = resource
        self._places = places
        self._learnt: dict[str, Suggester] = {}
        self._one = asyncio.Lock()

    async def suggest(self, call: Call, wish: SuggestionWish) -> SuggestionsTold:
        """What a text may be about. It fills nothing in, and the text is kept nowhere.

        The department that the routing rule in force names comes first, then those that handled such cases.

        Raises:
            BadRequestData: there is no text, type or case, or too much text, or the type does not exist.
            Forbidden: a `case` is named, and the caller may not see cases.
            ResourceNotFound: the case does not exist.

        Cost: some 0.5 ms and a small read; where nothing was learnt for the tenant yet, a second or two
        beside the event loop.
        """
        self._may(call, "write", self._resource)
        if wish.case:
            self._may(call, "read", CASES)
        check_text(wish.text, "text")
        if not (wish.text.strip() or wish.type or wish.case):
            raise BadRequestData("text is required: what is to be done; or a type, or a case")
        rules = self._book.rules
        if wish.type and wish.type not in rules.limits.told.types:
            raise BadRequestData(f"type is invalid: {wish.type[:100]!r} does not exist")
        learnt = self._learnt.get(call.tenant) or await self._first(call)

        def work(reads: Snapshot) -> tuple[Suggestions, Mapping[RuleRow, dict[str, str]]]:
            return self._suggested(reads, call.tenant, learnt, wish.text, self._about(reads, call, wish))

        found, tables = await self._read(call, work)
        types = rules.limits.told.types
        return SuggestionsTold(
            types=[
                _told(one, types[one.value].title if one.value in types else {}, tables)
                for one in found.types
            ],
            departments=[_told(one, rules.departments[one.value].title, tables) for one in found.departments],
            known=found.known,
            model=found.model,
        )

    def _about(self, reads: Snapshot, call: Call, wish: SuggestionWish) -> _About:
        if wish.case:
            case_id = full_id(wish.case)
            entity = reads.get(call.tenant, case_id)
            if entity is None or CASE not in entity.types:
                raise ResourceNotFound(f"case {case_id[:200]} does not exist")
            kept = kept_of(entity)
            matter = kept.case.matter
            if wish.type not in ("", matter.type):
                # The filing condition is one of the type that the case has now.
                matter = Matter(type=wish.type, grade=matter.grade)
            return _About(matter, kept.subject.area, kept.rules_of)
        rules = self._book.rules
        place = self._places.find(reads, call.tenant, wish.location, rules.no_place)
        matter = Matter(type=wish.type, grade=rules.grade_of(place.area))
        return _About(matter, place.area, self._clock.now())

    def _suggested(
        self, reads: DocumentReads, tenant: str, learnt: Suggester, text: str, about: _About
    ) -> tuple[Suggestions, Mapping[RuleRow, dict[str, str]]]:
        """What is suggested, and the names of the rules by which departments are."""
        known = about.matter.type
        found = learnt.suggest(text, known=known)
        likely: list[tuple[str, float | None]] = [(one.value, one.confidence) for one in found.types]
        if known:
            likely = [(known, None)]
        routed = [
            (kind, confidence, one)
            for kind, confidence in likely
            if (one := self._route(reads, tenant, kind, about)) is not None
            and one.department in self._book.rules.departments
        ]
        by: dict[str, list[tuple[str, float | None, Routed]]] = {}
        for each in routed:
            by.setdefault(each[2].department, []).append(each)
        ruled = [
            Suggestion(
                value=department,
                confidence=None if known else round(sum(one or 0.0 for _, one, _ in of), 3),
                because=tuple(kind for kind, _, _ in of),
                ruled=of[0][2].row,
            )
            for department, of in by.items()
        ]
        ruled.sort(key=lambda one: (-(one.confidence or 1.0), one.value))
        learnt_ones = [
            one
            for one in found.departments
            if one.value not in by and one.value in self._book.rules.departments
        ]
        departments = tuple([*ruled, *learnt_ones][:_MOST])
        return replace(found, departments=departments), {one.row: one.title for _, _, one in routed}

    def _route(self, reads: DocumentReads, tenant: str, kind: str, about: _About) -> Routed | None:
        if self._book.ruled is None:
            return None
        matter = about.matter if kind == about.matter.type else replace(about.matter, type=kind)
        return self._book.ruled.route(reads, tenant, matter, about.area, about.ruled_at)

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
        chosen: dict[str, tuple[str, ...]] = {}
        if act.type and act.type != before.case.matter.type:
            chosen["type"] = (act.type,)
        if not act.ruled and not before.case.department and (act.department or act.departments):
            chosen["department"] = act.departments or (act.department,)
        if learnt is None or not chosen:
            return
        about = _About(before.case.matter, after.subject.area, before.rules_of)
        suggestions, _ = self._suggested(tx, call.tenant, learnt, text, about)
        case, number = after.case.id, after.case.number
        cause = Cause(
            kind="transition", id=f"{case}:transition:{number}", party=call.party, operation=act.move
        )
        for field, values in chosen.items():
            told = refused(suggestions, field, values, case, act.actor, act.at)
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
        if not kind or state in undone:
            continue
        # What a rule wrote is told by language: each is a text of its own.
        for one in text.values() if isinstance(text, dict) else [text]:
            if one:
                yield moved, entity.id, Example(text=one, type=kind, department=department)


def _told(one: Suggestion, title: dict[str, str], tables: Mapping[RuleRow, dict[str, str]]) -> SuggestedTold:
    row = one.ruled
    return SuggestedTold(
        value=one.value,
        title=title,
        confidence=one.confidence,
        because=one.because,
        ruled=None
        if row is None
        else RuledTold(table=row.table, version=row.version, row=row.row, title=tables[row]),
    )
