"""Cases are read: the queue, a case whole, its public status, who reported it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from cityloom.broker.door import Limits
from cityloom.broker.ports import Access, Call
from cityloom.cases.desk.rules_told import RulesTold
from cityloom.cases.desk.views import (
    CaseWhole,
    MoveView,
    PublicCase,
    PublicStep,
    Queue,
    promise_of,
    row_of,
    steps_of,
    transition_view,
)
from cityloom.cases.desk.wishes import QueueWish
from cityloom.cases.keep.evidence import Evidence
from cityloom.cases.keep.kept import (
    CASE,
    CHANGE,
    EVIDENCE,
    PAUSED,
    TRANSITION,
    KeptCase,
    iri,
    kept_of,
    read_open,
)
from cityloom.cases.keep.numbers import full_id
from cityloom.cases.keep.parties import ANONYMOUS, Parties, Roles
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.loop.case import Transition
from cityloom.model.clock import Clock
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData, Forbidden, ResourceNotFound, Unauthorized
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.evaluate import q_test
from cityloom.query.order import sort_entities
from cityloom.query.values import (
    AnyOf,
    OrderBy,
    OrderTerm,
    Path,
    QAnd,
    QCompare,
    QExists,
    QNode,
    QTime,
    Query,
    TypeIs,
    names_in,
)
from cityloom.store.ports import DocumentReads, Snapshot, Store, Transaction

T = TypeVar("T")
CASES: Final = "cases"
STATUS: Final = "case status"
"""The resource of a public status, which a node may open to everyone."""
ORDERS: Final = {
    "promise": ("promisedBy", False),
    "-promise": ("promisedBy", True),
    "reportedAt": ("reportedAt", False),
    "-reportedAt": ("reportedAt", True),
    "movedAt": ("movedAt", False),
    "-movedAt": ("movedAt", True),
    "id": ("id", False),
    "-id": ("id", True),
}
_PAGE: Final = 20
"""Documents of a case that are read at once."""
_EVERY: Final = 10**9
_MANY: Final = 500
"""Cases whose clocks are read at once."""
_PROMISED: Final = iri("promisedBy")
_OPEN: Final = iri("openSince")
_CLOCK: Final = iri("clock")


class CaseReads(RulesTold):
    """What is told of cases.

    Args:
        book: the rules of every version.
        parties: who holds which role.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        book: RuleBook,
        *,
        parties: Parties,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(store, access, clock, book, limits)
        self._parties = parties

    async def queue(self, call: Call, wish: QueueWish) -> Queue:
        """One page of the cases that a wish selects; by what is left of the promise.

        A case whose promise does not run, or that has none, lies by the clock of its stage that is due next;
        one without any running clock comes last.

        Raises:
            BadRequestData: a state, a step or an order does not exist.

        Cost: an order by `id` reads a page; any other looks at every open (or every) case, some 30 us each.
        """
        self._may(call, "read", CASES)
        query = self._query(wish)
        now = self._clock.now()

        def work(snapshot: Snapshot) -> Queue:
            if wish.order_by in ("id", "-id"):
                total = snapshot.count(call.tenant, query)
                page = msgspec.structs.replace(query, limit=wish.limit, offset=wish.offset)
                found = snapshot.query(call.tenant, page)
            else:
                ordered = self._ordered(snapshot, call, query)
                total, ids = len(ordered), ordered[wish.offset : wish.offset + wish.limit]
                entities = snapshot.get_many(call.tenant, ids)
                found = [entities[one] for one in ids]
            calendar = self.book.calendar(snapshot)
            kept = [kept_of(entity) for entity in found]
            rows = [
                row_of(one, self.book.workflow(snapshot, one.case.workflow), calendar, now) for one in kept
            ]
            return Queue(total=total, cases=rows)

        return await self._read(call, work)

    async def show(self, call: Call, case_id: str, *, role: str = "", acting_for: str = "") -> CaseWhole:
        """A case whole, with the moves that are open to the caller.

        Args:
            role, acting_for: only the moves of this role, for this department.

        Raises:
            ResourceNotFound: it does not exist.
            BadRequestData, Forbidden: the role does not exist, or the caller does not hold it.
        """
        case_id = full_id(case_id)
        self._may(call, "read", CASES)
        given = self._parties.case_roles(call)
        now = self._clock.now()

        def work(snapshot: Snapshot) -> CaseWhole:
            kept = kept_of(self._entity(snapshot, call, case_id))
            case = kept.case
            workflow = self.book.workflow(snapshot, case.workflow)
            transitions = self._transitions(snapshot, call, case_id)
            roles = Roles(workflow, given, role, acting_for)
            return CaseWhole(
                case=row_of(kept, workflow, self.book.calendar(snapshot), now),
                seen=case.number,
                workflow=case.workflow,
                limits=kept.limits,
                steps=steps_of(kept, workflow, transitions),
                moves=self._moves(snapshot, call.tenant, kept, roles),
                transitions=[transition_view(case, one) for one in transitions],
                evidence=self._evidence(snapshot, call, case_id),
                parts=[msgspec.to_builtins(part) for part in case.parts],
                changes=self._changes(snapshot, call, case_id),
                worker=case.worker,
                redone=case.redone,
                reopened=case.reopened,
                returned_by=case.returned_by,
                appealed=case.appealed,
                exempt=case.exempt,
                ruled=case.ruled,
            )

        return await self._read(call, work)

    async def status(self, call: Call, case_id: str) -> PublicCase:
        """What everyone may know of a case. Raises ResourceNotFound."""
        case_id = full_id(case_id)
        self._may(call, "read", STATUS)
        now = self._clock.now()

        def work(snapshot: Snapshot) -> PublicCase:
            kept = kept_of(self._entity(snapshot, call, case_id))
            case = kept.case
            if not case.number and not self._holds_role(call):
                raise ResourceNotFound(f"case {case_id[:200]} does not exist")  # nobody has reported it yet
            workflow = self.book.workflow(snapshot, case.workflow)
            limits = self.book.limits(snapshot, kept.limits).told
            transitions = self._transitions(snapshot, call, case_id)
            readings = read_open(case, self.book.calendar(snapshot), now)
            promise = None if case.into else promise_of(readings, transitions)
            steps = steps_of(kept, workflow, transitions)
            is_open = workflow.is_open(case.state)
            known = limits.types.get(case.matter.type)
            department = self.book.rules.departments.get(case.department)
            closed = [one.act.at for one in transitions if not workflow.is_open(one.to_state)]
            return PublicCase(
                id=case.id,
                status="open" if is_open else "closed",
                state=case.state,
                state_title=workflow.states[case.state].title,
                type=case.matter.type,
                type_title={} if known is None else known.title,
                department=case.department,
                department_title={} if department is None else department.title,
                location=kept.subject.location,
                place=kept.subject.place,
                area=kept.subject.area,
                reported_at=format_datetime(kept.reported_at),
                moved_at=format_datetime(case.at) if case.number else "",
                closed_at=format_datetime(closed[0]) if closed and not is_open else "",
                promised_by=None
                if promise is None or promise.deadline is None
                else format_datetime(promise.deadline),
                late=None if promise is None else promise.light == "red",
                into=case.into,
                steps=[
                    PublicStep(step=one.step, title=one.title, state=one.state, since=one.since)
                    for one in steps
                ],
            )

        return await self._read(call, work)

    async def reporter(self, call: Call, case_id: str, *, role: str = "") -> dict[str, Any]:
        """Who reported a case, for `call.purpose`; the reading is logged in the same transaction.

        Raises:
            BadRequestData: no purpose is named.
            Forbidden: none of the caller's roles may read it.
            ResourceNotFound: the case does not exist, or nobody is known.
        """
        case_id = full_id(case_id)
        self._may(call, "personal", case_id)
        if not call.purpose.strip():
            raise BadRequestData("purpose is required: what the personal data are read for")
        rules = self.book.rules
        roles = Roles(rules.workflow, self._parties.case_roles(call), role)
        if not any(one.role in rules.reporter_roles for one in roles.held("")):
            raise Forbidden(f"role is invalid: only {', '.join(rules.reporter_roles)} may read who reported")

        def work(tx: Transaction) -> Any | None:
            self._entity(tx, call, case_id)
            return tx.read_personal(call.tenant, case_id, call.party, call.purpose)

        found = await self._write(call, work)
        if found is None:
            raise ResourceNotFound(f"who reported case {case_id} is not known")
        told: dict[str, Any] = found
        return told

    async def photo(self, call: Call, case_id: str, evidence_id: str) -> Evidence:
        """What is told of a photo of a case. Raises ResourceNotFound."""
        case_id = full_id(case_id)
        self._may(call, "read", CASES)

        def work(snapshot: Snapshot) -> Evidence | None:
            document = snapshot.document(call.tenant, EVIDENCE, f"{case_id}:evidence:{evidence_id}")
            return None if document is None else msgspec.convert(document.body, Evidence)

        found = await self._read(call, work)
        if found is None:
            raise ResourceNotFound(f"photo {evidence_id[:64]!r} of case {case_id} does not exist")
        return found

    # -- parts ---------------------------------------------------------------

    def _holds_role(self, call: Call) -> bool:
        """Whether the caller holds a role in cases."""
        given = self._parties.case_roles(call)
        return given is None or bool(given)

    def _query(self, wish: QueueWish) -> Query:
        workflow = self.book.rules.workflow
        for name, values, known in (
            ("status", (wish.status,), ("open", "closed", "all")),
            ("step", wish.step, tuple(workflow.steps)),
            ("light", wish.light, ("green", "amber", "red")),
            ("orderBy", (wish.order_by,), tuple(ORDERS)),
        ):
            for value in values:
                if value not in known:
                    raise BadRequestData(
                        f"parameter {name} is invalid: {value[:100]!r} is none of {', '.join(known)}"
                    )
        terms: list[QNode] = []
        if wish.status == "open":
            terms.append(QExists(Path((iri("openSince"),))))
        elif wish.status == "closed":
            terms.append(_is("status", ("closed",)))
        for attribute, values in (
            ("state", wish.state),
            ("step", wish.step),
            ("department", wish.department),
            ("caseType", wish.type),
            ("holder", wish.holder),
            ("light", wish.light),
            ("refArea", wish.area),
        ):
            if values:
                terms.append(_is(attribute, values))
        reported = Path((iri("reportedAt"),))
        if wish.since:
            terms.append(QCompare(reported, ">=", _time(wish.since, "since")))
        if wish.until:
            terms.append(QCompare(reported, "<=", _time(wish.until, "until")))
        name, descending = ORDERS[wish.order_by]
        path = Path(("id" if name == "id" else iri(name),))
        return Query(
            ids=[full_id(one) for one in wish.ids],
            types=TypeIs(CASE),
            q=QAnd(terms) if terms else None,
            order_by=OrderBy([OrderTerm(path, descending)]),
            limit=_EVERY,
        )

    def _ordered(self, snapshot: Snapshot, call: Call, query: Query) -> list[str]:
        """The ids of all that a query selects, in its order, read by those attributes alone that decide."""
        names = [] if query.q is None else names_in(query.q)
        if query.order_by is not None:
            names += [term.path.attributes[0] for term in query.order_by.terms]
        if _PROMISED in names:
            names.append(_OPEN)
        # An attribute that must be there is looked up beside the entities, which are not opened for it.
        there = [term.path.attributes[0] for term in _terms(query.q) if isinstance(term, QExists)]
        wide = msgspec.structs.replace(query, q=None, order_by=None, attrs=there)
        holds = q_test(query.q) if query.q is not None else lambda _: True
        found = [one for one in snapshot.lights(call.tenant, wide, names) if holds(one)]
        if _PROMISED in names:
            found = self._due(snapshot, call, found)
        return [one.id for one in sort_entities(found, query.order_by)]

    def _due(self, snapshot: Snapshot, call: Call, found: list[Entity]) -> list[Entity]:
        """The same, with the next deadline of its stage for each open case without a running promise.

        Cost: reads the clocks of those cases alone.
        """
        open_ones = [one.id for one in found if _OPEN in one.attributes and _PROMISED not in one.attributes]
        due: dict[str, Attribute] = {}
        for at in range(0, len(open_ones), _MANY):
            query = Query(ids=open_ones[at : at + _MANY], types=TypeIs(CASE), limit=_MANY)
            for one in snapshot.lights(call.tenant, query, [_CLOCK]):
                deadlines = [clock for clock in one.attributes.get(_CLOCK, ()) if clock.value != PAUSED]
                if deadlines:
                    due[one.id] = min(deadlines, key=lambda clock: str(clock.value))
        return [
            msgspec.structs.replace(one, attributes=one.attributes | {_PROMISED: [due[one.id]]})
            if one.id in due
            else one
            for one in found
        ]

    def _entity(self, reads: Snapshot, call: Call, case_id: str) -> Entity:
        entity = reads.get(call.tenant, case_id)
        if entity is None or CASE not in entity.types:
            raise ResourceNotFound(f"case {case_id[:200]} does not exist")
        return entity

    def _moves(self, reads: DocumentReads, tenant: str, kept: KeptCase, roles: Roles) -> list[MoveView]:
        case = kept.case
        machine = self.book.machine_of(reads, tenant, kept)
        limits = self.book.limits(reads, kept.limits)
        found = []
        for standing in roles.held(case.department):
            for move in machine.allowed(case, standing.role, standing.department):
                conditions = limits.conditions_of(case.matter.type) if "condition" in move.needs else []
                found.append(
                    MoveView(
                        move=move.move,
                        role=standing.role,
                        acting_for=standing.department,
                        to=move.to,
                        needs=move.needs,
                        takes=move.takes,
                        title=move.title,
                        conditions=conditions,
                    )
                )
        return found

    def _transitions(self, reads: DocumentReads, call: Call, case_id: str) -> list[Transition]:
        """The moves of a case in order."""
        found = [msgspec.convert(body, Transition) for body in self._bodies(reads, call, TRANSITION, case_id)]
        return sorted(found, key=lambda one: one.number)

    def _transition(self, reads: DocumentReads, call: Call, case_id: str, number: int) -> Transition | None:
        document = reads.document(call.tenant, TRANSITION, f"{case_id}:transition:{number}")
        return None if document is None else msgspec.convert(document.body, Transition)

    def _evidence(self, reads: DocumentReads, call: Call, case_id: str) -> list[Evidence]:
        found = [msgspec.convert(body, Evidence) for body in self._bodies(reads, call, EVIDENCE, case_id)]
        return sorted(found, key=lambda one: (one.added_at, one.id))

    def _changes(self, reads: DocumentReads, call: Call, case_id: str) -> list[dict[str, Any]]:
        changes = self._bodies(reads, call, CHANGE, case_id)
        for change in changes:
            for name in ("deadlineBefore", "deadlineAfter", "at"):
                if change.get(name) is not None:
                    change[name] = format_datetime(change[name])
        return sorted(changes, key=lambda change: (change.get("at", ""), change["clock"]))

    def _bodies(self, reads: DocumentReads, call: Call, kind: str, case_id: str) -> list[Any]:
        prefix = after = f"{case_id}:{_WORDS[kind]}:"
        found: list[Any] = []
        while True:
            page = reads.documents(call.tenant, kind, after, _PAGE)
            own = [document.body for document in page if document.id.startswith(prefix)]
            found += own
            if len(own) < _PAGE:
                return found
            after = page[-1].id

    async def _read_any(self, work: Callable[[Snapshot], T]) -> T:
        """A reading work also where the tenant does not exist yet."""
        return await asyncio.wrap_future(self._store.read(work))

    def _actor(self, call: Call, named: str) -> str:
        """Who acts: the party, or on a node that is open to all whoever is named."""
        if call.party or not named:
            return call.party or ANONYMOUS
        if self._parties.case_roles(call) is not None:
            raise Unauthorized("an API key is required: actor cannot be named without one")
        return named


_WORDS: Final = {TRANSITION: "transition", EVIDENCE: "evidence", CHANGE: "change"}


def _time(text: str, name: str) -> QTime:
    return QTime(text, parse_datetime(text, f"parameter {name}"))


def _terms(node: QNode | None) -> list[QNode]:
    return [] if node is None else node.terms if isinstance(node, QAnd) else [node]


def _is(attribute: str, values: Sequence[str]) -> QCompare:
    return QCompare(Path((iri(attribute),)), "==", AnyOf(list(values)))
