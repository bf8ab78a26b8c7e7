"""The invented people who work on Loomhaven's cases: intake, shift leaders, dispatchers, departments, others.

When a request was made, promised and closed is the sample's own truth, and so is when a lamp shone again
or a container was emptied; what lies between is drawn for each case (`staff_plans`), so that it leads there.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog
from msgspec.structs import replace

from cityloom.app.staff_plans import Life, Timed, course
from cityloom.app.staff_stories import Request, cast
from cityloom.app.staff_words import words
from cityloom.broker.ports import Call
from cityloom.broker.schemas import SchemaRules
from cityloom.cases.clocks.limits import Matter, parse_limit
from cityloom.cases.keep.keeping import CaseWriter
from cityloom.cases.keep.kept import KeptCase
from cityloom.cases.keep.numbers import CASE_ID
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.loop.case import Act
from cityloom.connect.deliveries import Delivery
from cityloom.model.errors import CityloomError, Conflict
from cityloom.rules.opening import OpeningRule
from cityloom.sample.period import DAY
from cityloom.store.ports import Store, Transaction

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


class Span(NamedTuple):
    """What is played, from `begin` to `until`, and when the storm in it `began` and `ended`; µs."""

    begin: int
    until: int
    storm: tuple[int, int]


class Truth(NamedTuple):
    """What the staff is led by, of the deliveries that are played and of `truth.json`.

    `ends` is when a request was closed, by the id of its entity; `told` the readings of an entity in order;
    `repeats` the earlier case by the id of one that repeats it; `stories` the unusual way of a request.
    """

    ends: Mapping[str, int]
    told: Mapping[str, Sequence[Delivery]]
    repeats: Mapping[str, str]
    stories: Mapping[str, str]
    span: Span


def truth_of(
    deliveries: Iterable[Delivery],
    planted: Sequence[Mapping[str, str]],
    span: Span,
    expand: Callable[[str], str],
) -> Truth:
    """What the staff is led by; `planted` is the list `duplicateReports` of `truth.json`."""
    ends: dict[str, int] = {}
    told: dict[str, list[Delivery]] = {}
    requests: dict[str, Request] = {}
    for one in deliveries:
        if not one.lived:
            told.setdefault(one.entity.id, []).append(one)
            continue
        if one.ends is not None:
            ends[one.entity.id] = one.ends
        if one.at > span.begin and one.entity.id not in requests:
            kind = one.entity.instance(expand("service_code"))
            type = str(kind.value) if kind is not None else ""
            requests[one.entity.id] = Request(one.entity.id, type, one.at, one.ends)
    named = f"{CASE_ID}loomhaven:"
    repeats = {named + pair["again"]: named + pair["first"] for pair in planted}
    paired = {*repeats, *repeats.values()}
    plain = (
        one
        for one in requests.values()
        if named + one.id.rpartition(":")[2] not in paired and (one.ends is None or one.ends > one.opened)
    )
    return Truth(ends, told, repeats, cast(plain, span.until), span)


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
        if step.move == "instruct":
            # Whoever had it first: those who returned it later were asked by mistake.
            return replace(act, department=(*kept.case.returned_by, department)[0])
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
        case, truth = kept.case, self._truth
        # Acts are done at their times, so the last one says how far a plan was carried out.
        begun, done = (kept.reported_at, case.at) if again else (case.at, 0)
        chance = random.Random(_seed(kept))
        ends = self._ends(kept, begun, chance)
        if ends is not None and ends <= begun:
            return  # it was closed when it came
        into = truth.repeats.get(case.id, "") if merge else ""
        # What was moved and not merged could not be: it is dealt with by itself.
        if into and begun < truth.span.until - _LEFT_ALONE and (case.number <= 1 or case.into):
            given = {"into": into, "reason": words("merge", chance)}
            at = begun + chance.randrange(5 * 60, 20 * 60) * _SECOND
            self._put(case.id, [Timed(at, "merge", "intake", given)], done)
            return
        story = "" if case.part_of else truth.stories.get(kept.subject.about, "")
        if "opening" in case.ruled:
            story = ""
        self._put(case.id, course(self._life(kept, begun, ends), story, chance), done)

    def _put(self, case: str, acts: Iterable[Timed], done: int) -> None:
        for act in acts:
            if act.at > done:
                self._made += 1
                heapq.heappush(self._steps, Step(act.at, self._made, case, act.move, act.role, act.given))

    def _life(self, kept: KeptCase, begun: int, ends: int | None) -> Life:
        matter, limits = kept.case.matter, self._book.rules.limits
        filing: dict[str, Any] = {}
        if not matter.type:
            filing["type"] = "other-emergency"
            matter = Matter(type="other-emergency")
        conditions = limits.conditions_of(matter.type)
        if conditions and not matter.condition:
            # Drawn apart: a case that has its condition already draws all else as before.
            apart = random.Random(f"{_seed(kept)} condition")
            filing["condition"] = "light-out" if "light-out" in conditions else apart.choice(conditions)
            matter = replace(matter, condition=filing["condition"])
        urgent = limits.handling(matter).limit.continuous
        return Life(
            begun=begun,
            ends=ends,
            until=self._truth.span.until,
            storm=self._truth.span.storm,
            type=matter.type,
            filing=filing,
            extension=parse_limit("U4h" if urgent else "1wd", "extension"),
            by_sensor="opening" in kept.case.ruled,
            evidence=(kept.subject.about or kept.case.id,),
            part=int(kept.case.id.rpartition("-")[2]) if kept.case.part_of else 0,
        )

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
                    return one.at + chance.randrange(25 * 60, 70 * 60) * _SECOND
        return None


def _seed(kept: KeptCase) -> str:
    """What a case is drawn by: the same in every play, in whatever order rules open theirs."""
    opened = kept.case.ruled.get("opening")
    return kept.case.id if opened is None else f"{opened.row} {kept.subject.about} {kept.reported_at}"
