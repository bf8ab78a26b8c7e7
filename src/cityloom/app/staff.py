"""The invented people who work on Loomhaven's cases: intake, shift leaders, dispatchers, departments, others.

When a request was made, promised and closed is the sample's own truth, and so is when a lamp shone again
or a container was emptied; what lies between is drawn for each case, so that it leads there.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog
from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.broker.schemas import SchemaRules
from cityloom.cases.clocks.limits import parse_limit
from cityloom.cases.keep.keeping import CaseWriter
from cityloom.cases.keep.kept import KeptCase
from cityloom.cases.keep.numbers import CASE_ID
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.loop.case import Act
from cityloom.connect.deliveries import Delivery
from cityloom.model.errors import CityloomError, Conflict
from cityloom.rules.opening import OpeningRule
from cityloom.sample.period import DAY, HOUR, OFFSET
from cityloom.store.ports import Store, Transaction

_MINUTE: Final = 60_000_000
_SECOND: Final = 1_000_000
_LEFT_ALONE: Final = 3 * DAY * _SECOND
"""Repeats of the last days before the end that nobody has merged yet (µs)."""
_log = structlog.get_logger("app")


class Step(NamedTuple):
    """An act on a case at a time; `given` is what the act brings. In order of time, then of making."""

    at: int
    number: int
    case: str
    move: str
    role: str
    given: dict[str, Any]


class Truth(NamedTuple):
    """What the staff is led by, of the deliveries that are played and of `truth.json`.

    `ends` is when a request was closed, by the id of its entity; `told` the readings of an entity in order;
    `repeats` the earlier case by the id of one that repeats it. Times in microseconds.
    """

    ends: Mapping[str, int]
    told: Mapping[str, Sequence[Delivery]]
    repeats: Mapping[str, str]
    until: int


def truth_of(deliveries: Iterable[Delivery], planted: Sequence[Mapping[str, str]], until: int) -> Truth:
    """What the staff is led by; `planted` is the list `duplicateReports` of `truth.json`."""
    ends: dict[str, int] = {}
    told: dict[str, list[Delivery]] = {}
    for one in deliveries:
        if one.lived and one.ends is not None:
            ends[one.entity.id] = one.ends
        elif not one.lived:
            told.setdefault(one.entity.id, []).append(one)
    named = f"{CASE_ID}loomhaven:"
    repeats = {named + pair["again"]: named + pair["first"] for pair in planted}
    return Truth(ends, told, repeats, until)


def unwatched(
    deliveries: Iterable[Delivery], rules: Iterable[OpeningRule], expand: Callable[[str], str]
) -> Callable[[Delivery], bool]:
    """Says of a reading whether it changes nothing for any rule: neither a fault begins or ends with it,
    nor would a silence be seen without it.
    """
    by_type: dict[str, list[OpeningRule]] = {}
    for rule in rules:
        for name in rule.entity_types:
            by_type.setdefault(expand(name), []).append(rule)
    state: dict[tuple[str, str], bool] = {}
    heard: dict[tuple[str, str], int] = {}
    kept: set[tuple[str, int]] = set()
    for one in deliveries:
        for rule in (
            () if one.lived else [each for type in one.entity.types for each in by_type.get(type, ())]
        ):
            place = (one.entity.id, rule.row)
            for told in (
                each for name in rule.attributes for each in one.entity.attributes.get(expand(name), ())
            ):
                if rule.silence:
                    tells = one.at - heard.get(place, 0) > rule.silence // 2
                    heard[place] = one.at if tells else heard[place]
                else:
                    was = state.get(place, False)
                    now = not rule.is_over(told.value) if was else rule.is_fault(told.value)
                    # While it lasts all is told: it may have to last for a while, by day or night.
                    tells, state[place] = now or was, now
                if tells:
                    kept.add((one.entity.id, one.at))
    return lambda one: not one.lived and (one.entity.id, one.at) not in kept


class SampleStaff:
    """Acts on cases, each act at its time.

    Args:
        rules: those that open cases, by (table, row): when what they saw was over is when it was dealt with.
        expand: a name as rules write it -> IRI.
    """

    def __init__(
        self,
        store: Store,
        call: Call,
        book: RuleBook,
        truth: Truth,
        rules: Mapping[tuple[str, str], OpeningRule],
        expand: Callable[[str], str],
    ) -> None:
        self._store = store
        self._call = call
        self._book = book
        self._truth = truth
        self._rules = rules
        self._expand = expand
        self._schemas = SchemaRules()
        self._steps: list[Step] = []
        self._made = 0

    @property
    def next(self) -> int | None:
        """When something is to be done."""
        return self._steps[0].at if self._steps else None

    async def act(self, opened: Sequence[str], now: int) -> None:
        """Takes up the cases that were opened, and does all that is due up to now (µs)."""
        if opened or (self._steps and self._steps[0].at <= now):
            await asyncio.wrap_future(self._store.submit(lambda tx: self._work(tx, opened, now)))

    async def take_up(self, cases: Sequence[str]) -> None:
        """Goes on with cases of a stopped play: what was done of their plans is not done again."""

        def work(tx: Transaction) -> None:
            writer = CaseWriter(tx, self._call, self._book, self._schemas)
            for case in cases:
                self._plan(writer.find(case), again=True)

        await asyncio.wrap_future(self._store.submit(work))

    def _work(self, tx: Transaction, opened: Sequence[str], now: int) -> None:
        writer = CaseWriter(tx, self._call, self._book, self._schemas)
        for case in opened:
            self._plan(writer.find(case))
        while self._steps and self._steps[0].at <= now:
            step = heapq.heappop(self._steps)
            kept = writer.find(step.case)
            try:
                writer.move(kept, writer.routed(kept, self._act_of(kept, step)))
            except CityloomError as error:
                self._instead(kept, step, error)

    def _act_of(self, kept: KeptCase, step: Step) -> Act:
        chance = random.Random(f"{_seed(kept)} {step.move} {step.at}")
        department = kept.case.department
        who = f"{department or step.role}-{chance.randrange(1, 5)}"
        act = Act(move=step.move, actor=f"staff:{who}", role=step.role, at=step.at, **step.given)
        return replace(act, acting_for=department) if step.role == "department" else act

    def _instead(self, kept: KeptCase, step: Step, error: CityloomError) -> None:
        """A case that went another way: what cannot be merged is dealt with, all else is over."""
        self._steps = [one for one in self._steps if one.case != step.case]
        heapq.heapify(self._steps)
        if step.move == "merge":
            self._plan(kept, merge=False)
        elif not isinstance(error, Conflict):
            _log.warning("the staff of the sample cannot act", case=step.case, reason=error.detail)

    # -- what is going to be done ----------------------------------------------

    def _plan(self, kept: KeptCase, *, merge: bool = True, again: bool = False) -> None:
        case = kept.case
        if case.part_of:
            return
        # Acts are done at their times, so the last one says how far a plan was carried out.
        begun, done = (kept.reported_at, case.at) if again else (case.at, 0)
        chance = random.Random(_seed(kept))
        ends = self._ends(kept, begun, chance)
        if ends is not None and ends <= begun:
            return  # it was closed when it came
        into = self._truth.repeats.get(case.id, "") if merge else ""
        if into and begun < self._truth.until - _LEFT_ALONE:
            told = [
                _Part(_some(chance, 5, 20), "merge", "intake", {"into": into, "reason": "reported before"})
            ]
            self._put(case.id, begun, told, done)
            return
        front, back = self._first(kept, chance), _last(kept, chance)
        if ends is None:
            self._put(case.id, begun, front + _waiting(chance), done)
            return
        spent = sum(part.after for part in front) + sum(part.after for part in back)
        within = ends - begun
        if spent > within:  # all in less time
            front = [part._replace(after=part.after * within // spent) for part in front]
            back = [part._replace(after=part.after * within // spent) for part in back]
        self._put(case.id, begun, front, done)
        self._put(case.id, ends - sum(part.after for part in back), back, done)
        self._put(case.id, ends, _afterwards(chance, ends), done)

    def _put(self, case: str, at: int, parts: Iterable[_Part], done: int) -> None:
        for part in parts:
            at += part.after
            if at <= done:
                continue
            self._made += 1
            heapq.heappush(self._steps, Step(at, self._made, case, part.move, part.role, part.given))

    def _ends(self, kept: KeptCase, begun: int, chance: random.Random) -> int | None:
        """When it is closed; None: not in the time that is known."""
        if "opening" not in kept.case.ruled:
            return self._truth.ends.get(kept.subject.about)
        opened = kept.case.ruled["opening"]
        rule = self._rules.get((opened.table, opened.row))
        if rule is None or rule.silence:
            return None
        names = [self._expand(name) for name in rule.attributes]
        for one in self._truth.told.get(kept.subject.about, ()):
            if one.at > begun:
                values = [
                    attribute.value for name in names for attribute in one.entity.attributes.get(name, ())
                ]
                if any(rule.is_over(value) for value in values):
                    return one.at + _some(chance, 25, 70)
        return None

    def _first(self, kept: KeptCase, chance: random.Random) -> list[_Part]:
        """From the report until a department has it."""
        late = chance.random() < 0.08
        accept = _some(chance, 16, 40) if late else _some(chance, 1, 10)
        parts = [_Part(accept, "accept", "intake", {})]
        if "opening" not in kept.case.ruled and chance.random() < 0.12:
            seen = {"finding": "confirmed on the spot", "evidence": _evidence(kept)}
            parts = [
                _Part(accept, "askVerify", "intake", {}),
                _Part(_some(chance, 8, 25), "verify", "collector", seen),
            ]
        filed: dict[str, Any] = {}
        if not kept.case.matter.type:
            filed["type"] = "other-emergency"
        conditions = self._book.rules.limits.conditions_of(kept.case.matter.type)
        if conditions and not kept.case.matter.condition:
            # Drawn apart: a case that has its condition already draws all else as before.
            apart = random.Random(f"{_seed(kept)} condition")
            filed["condition"] = "light-out" if "light-out" in conditions else apart.choice(conditions)
        parts.append(_Part(_some(chance, 2, 11), "file", "shiftLeader", filed))
        if chance.random() < 0.07:
            wrong = chance.choice(sorted(self._book.rules.departments))
            parts += [
                _Part(_some(chance, 2, 11), "dispatch", "dispatcher", {"department": wrong}),
                _Part(_some(chance, 20, 90), "requestReturn", "department", {"reason": "not ours"}),
                _Part(_some(chance, 3, 13), "grantReturn", "dispatcher", {"reason": "agreed"}),
            ]
        return [*parts, _Part(_some(chance, 2, 11), "dispatch", "dispatcher", {})]


class _Part(NamedTuple):
    after: int
    move: str
    role: str
    given: dict[str, Any]


def _last(kept: KeptCase, chance: random.Random) -> list[_Part]:
    """From what the department has done until the close."""
    evidence = _evidence(kept)
    handled = _Part(0, "handled", "department", {"evidence": evidence})
    ask = _Part(_some(chance, 2, 12), "askCheck", "intake", {})
    parts = [handled, ask]
    if chance.random() < 0.06:
        failed = {"reason": "not all of it is done", "evidence": evidence}
        parts += [
            _Part(_some(chance, 5, 28), "failCheck", "collector", failed),
            handled._replace(after=_some(chance, 40, 200)),
            ask,
        ]
    done = {"finding": "done", "evidence": evidence}
    return [
        *parts,
        _Part(_some(chance, 5, 28), "passCheck", "collector", done),
        _Part(_some(chance, 2, 13), "close", "shiftLeader", {"closing_condition": "remedied"}),
    ]


def _waiting(chance: random.Random) -> list[_Part]:
    """What a department asks for that has not done it yet."""
    asked = chance.random()
    if asked < 0.15:
        given = {"reason": "material is on its way", "extension": parse_limit("1wd", "extension")}
        return [_Part(_some(chance, 120, 1200), "requestDelay", "department", given)]
    if asked < 0.25:
        reason = {"reason": "needs a permit of another office"}
        return [
            _Part(_some(chance, 120, 1200), "requestAccount", "department", reason),
            _Part(_some(chance, 5, 60), "grantAccount", "dispatcher", reason),
        ]
    return []


def _afterwards(chance: random.Random, ends: int) -> list[_Part]:
    """The next morning three of four are evaluated; some people are called."""
    local = ends // _SECOND + OFFSET
    morning = ((local // DAY + 1) * DAY + 9 * HOUR + chance.randrange(2 * HOUR) - OFFSET) * _SECOND
    if chance.random() < 0.1:
        return [_Part(morning - ends, "followUp", "hotline", {"finding": "content"})]
    if chance.random() < 0.75:
        return [_Part(morning - ends, "evaluate", "evaluator", {})]
    return []


def _seed(kept: KeptCase) -> str:
    """What a case is drawn by: the same in every play, in whatever order rules open theirs."""
    opened = kept.case.ruled.get("opening")
    return kept.case.id if opened is None else f"{opened.row} {kept.subject.about} {kept.reported_at}"


def _evidence(kept: KeptCase) -> tuple[str, ...]:
    return (kept.subject.about or kept.case.id,)


def _some(chance: random.Random, least: int, most: int) -> int:
    """Some minutes, in microseconds."""
    return chance.randrange(least * 60, most * 60) * _SECOND
