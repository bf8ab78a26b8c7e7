"""How the people of the sample city deal with a case: each act at its time, drawn from the case's own seed.

They are as people are: slower at night, behind while the storm lasts, now and then wrong. What the files say
of the end stands fast; the acts lead there.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from cityloom.app.staff_stories import SHARED
from cityloom.app.staff_words import words
from cityloom.cases.clocks.limits import Limit
from cityloom.sample.period import DAY, HOUR, OFFSET

_SECOND: Final = 1_000_000
MINUTE: Final = 60 * _SECOND
_AFTERMATH: Final = 4 * HOUR * _SECOND
"""The room of operations is behind for so long after the storm."""
_AMISS: Final = {"storm": 0.4, "night": 0.14, "usual": 0.06}
"""How likely a step of the city's own takes longer than it may."""
_REWORK: Final = {
    "commercial-noise": 0.16, "damaged-road": 0.12, "exposed-waste": 0.1, "blocked-sewer": 0.12,
    "street-light": 0.03, "overflowing-bin": 0.04,
}  # fmt: skip
"""How likely a check is not passed, by the type of case; 6 of 100 else."""
_NEIGHBOURS: Final = {
    "blocked-sewer": ("roads", "sanitation"), "burst-water-main": ("roads", "construction"),
    "flooded-road": ("roads", "emergency"), "damaged-road": ("water", "construction"),
    "pavement": ("parks", "construction"), "blocked-fire-lane": ("enforcement", "emergency"),
    "commercial-noise": ("construction", "traffic"), "overflowing-bin": ("parks", "enforcement"),
    "exposed-waste": ("enforcement", "construction"), "dirty-road": ("roads", "enforcement"),
    "street-tree": ("lighting", "roads"), "littered-green": ("sanitation", "enforcement"),
    "street-light": ("roads", "traffic"),
}  # fmt: skip
"""Who is taken for the department of a type by mistake."""


class Timed(NamedTuple):
    """An act that is planned: `given` is what it brings; µs."""

    at: int
    move: str
    role: str
    given: dict[str, Any]


class Life(NamedTuple):
    """What is known of a case when its course is drawn.

    `begun` and `ends` (None: not in the files) frame it, `until` is the end of what is played, µs; `storm` is
    when it began and ended. `filing` is what is added when it is filed; `extension` what a delay brings.
    `part` is its number among the parts of a split case, 0 for a whole one.
    """

    begun: int
    ends: int | None
    until: int
    storm: tuple[int, int]
    type: str
    filing: dict[str, Any]
    extension: Limit
    by_sensor: bool
    evidence: tuple[str, ...]
    part: int = 0


class _Part(NamedTuple):
    after: int
    move: str
    role: str
    given: dict[str, Any]


def course(life: Life, story: str, chance: random.Random) -> list[Timed]:
    """All that is going to be done with a case, in order.

    Args:
        story: the unusual way that it goes (`staff_stories`), "" for none.
    """
    return _Course(life, story, chance).drawn()


class _Course:
    def __init__(self, life: Life, story: str, chance: random.Random) -> None:
        self.life = life
        self.story = story
        self.chance = chance

    def drawn(self) -> list[Timed]:
        life = self.life
        if life.part:
            return self._part()
        if life.ends is None or self.story in _WAITING or self.story in _EARLY:
            return self._open()
        # What was not accepted waits for nobody: the files close it a moment later.
        ends = life.ends - (MINUTE if self.story == "rejected" else 0)
        within = ends - life.begun
        front, back = self._ahead(), self._back()
        spent = _length(front) + _length(back)
        if spent > within:  # all in less time
            front, back = (
                [part._replace(after=part.after * within // spent) for part in parts]
                for parts in (front, back)
            )
        return [
            *_timed(life.begun, front),
            *_timed(ends - _length(back), back),
            *_timed(life.ends, self._afterwards()),
        ]

    # -- until a department has it ------------------------------------------------

    def _ahead(self) -> list[_Part]:
        """From the report on, as long as the end in the files does not say when."""
        if self.story == "rejected":
            return []
        if self.story == "voided":
            return [
                self._stage("askVerify", "intake", (1, 10), (12, 20)),
                self._part_of(8, 25, "verify", "collector", occasion="nothing found", evidence=True),
            ]
        return [*self._filed(), *self._dispatched(), *self._between()]

    def _filed(self) -> list[_Part]:
        """From the report until it is filed."""
        life, parts = self.life, list[_Part]()
        if not life.by_sensor and self.chance.random() < 0.16:
            parts += [
                self._stage("askVerify", "intake", (1, 10), (16, 45)),
                self._stage("verify", "collector", (8, 25), (31, 70), evidence=True),
            ]
        else:
            parts.append(self._stage("accept", "intake", (1, 10), (16, 45)))
        at = life.begun + _length(parts)
        return [*parts, self._stage("file", "shiftLeader", (2, 11), (16, 50), at=at, **life.filing)]

    def _dispatched(self) -> list[_Part]:
        """From the filing until the department that it belongs to has it, or several have."""
        life, chance = self.life, self.chance
        if self.story in ("split", "divided"):
            return [self._part_of(5, 14, "split", "dispatcher", departments=SHARED[life.type])]
        first = self._stage("dispatch", "dispatcher", (2, 11), (16, 45))
        if chance.random() < 0.07 and life.type in _NEIGHBOURS and not self.story:
            wrong = chance.choice(_NEIGHBOURS[life.type])
            return [first._replace(given={"department": wrong}), *self._returned(), self._again()]
        return [first]

    def _returned(self) -> list[_Part]:
        return [
            self._part_of(20, 90, "requestReturn", "department", occasion="requestReturn"),
            self._part_of(3, 25, "grantReturn", "dispatcher", occasion="grantReturn"),
        ]

    def _again(self, **given: Any) -> _Part:
        return self._part_of(2, 11, "dispatch", "dispatcher", **given)

    def _between(self) -> list[_Part]:
        """What else happens before it is done, where a story says so."""
        story = self.story
        if story in ("returnedByThree", "escalated"):
            returned = self._sent_on()
            return returned if story == "escalated" else [*returned, self._instructed()]
        if story == "redoneThreeTimes":
            return [*(part for _ in range(3) for part in self._failed(90, 300)), self._instructed()]
        if story in ("account", "forced"):
            taken_up = self._part_of(700, 1400, "resume", "dispatcher")
            return [*self._account(), *([taken_up] if story == "account" else [])]
        if story in ("delayGranted", "delayRefused"):
            return self._delay(granted=story == "delayGranted")
        if story == "returnRefused":
            asked, _ = self._returned()
            return [asked, self._part_of(10, 60, "refuseReturn", "dispatcher", occasion="refuseReturn")]
        return []

    def _sent_on(self) -> list[_Part]:
        """Returned by the department that had it, and by two others."""
        others = _NEIGHBOURS.get(self.life.type, ("roads", "sanitation"))
        parts = self._returned()
        for other in others:
            parts += [self._again(department=other), *self._returned()]
        return parts

    def _instructed(self) -> _Part:
        return self._part_of(30, 200, "instruct", "supervisor", occasion="instruct")

    def _account(self) -> list[_Part]:
        return [
            self._part_of(60, 400, "requestAccount", "department", occasion="requestAccount"),
            self._part_of(15, 90, "grantAccount", "dispatcher", occasion="grantAccount"),
        ]

    def _delay(self, *, granted: bool) -> list[_Part]:
        more = self.life.extension
        asked = self._part_of(60, 300, "requestDelay", "department", occasion="requestDelay", extension=more)
        if not granted:
            return [asked, self._part_of(10, 90, "refuseDelay", "dispatcher", occasion="refuseDelay")]
        answer = self._part_of(10, 90, "grantDelay", "dispatcher", occasion="grantDelay", extension=more)
        return [asked, answer]

    # -- until the close ------------------------------------------------------------

    def _back(self) -> list[_Part]:
        """What leads to the end in the files."""
        if self.story == "rejected":
            return [self._part_of(6, 14, "reject", "intake", occasion="reject")]
        if self.story == "voided":
            return [self._part_of(3, 12, "void", "shiftLeader", occasion="void")]
        if self.story == "forced":
            return [self._part_of(60, 200, "forceClose", "supervisor", occasion="forceClose")]
        if self.story in ("split", "divided"):
            return [self._closing()]
        parts = self._handled(0, 1)
        if self.chance.random() < _REWORK.get(self.life.type, 0.06) and self.story != "redoneThreeTimes":
            parts = [*self._failed(0, 1), *self._handled(40, 200)]
        return [*parts, *self._checked()]

    def _handled(self, least: int, most: int) -> list[_Part]:
        return [
            self._part_of(least, most, "handled", "department", evidence=True),
            self._part_of(2, 12, "askCheck", "intake"),
        ]

    def _failed(self, least: int, most: int) -> list[_Part]:
        failed = self._part_of(5, 28, "failCheck", "collector", occasion="failCheck", evidence=True)
        return [*self._handled(least, most), failed]

    def _checked(self) -> list[_Part]:
        at = self.life.ends or self.life.until
        return [
            self._stage("passCheck", "collector", (5, 28), (31, 80), at=at, evidence=True),
            self._closing(),
        ]

    def _closing(self) -> _Part:
        return self._stage(
            "close", "shiftLeader", (2, 13), (16, 40), at=self.life.ends, closing_condition="remedied"
        )

    # -- after it ---------------------------------------------------------------------

    def _afterwards(self) -> list[_Part]:
        """The next morning most are evaluated; some people are called; some departments appeal."""
        life, chance, story = self.life, self.chance, self.story
        assert life.ends is not None
        if story in ("rejected", "voided", "forced"):
            return []
        if story in ("appealed", "appealReview"):
            return self._appealing((life.until - life.ends) // 3)
        morning = _next_morning(life.ends, chance) - life.ends
        if story in ("appealGranted", "appealRefused", "appealRefusedLater"):
            return [*self._appealing(morning), self._part_of(600, 1500, "evaluate", "evaluator")]
        if story == "reopened":
            again = self._part_of(0, 1, "reopen", "hotline", occasion="reopen")._replace(after=morning)
            handled = [*self._handled(120, 600), *self._checked()]
            return [again, self._again(), *handled, self._part_of(600, 1500, "evaluate", "evaluator")]
        if chance.random() < 0.12:
            called = self._part_of(0, 1, "followUp", "hotline", occasion="followUp")
            return [called._replace(after=morning)]
        if chance.random() < 0.75:
            return [_Part(morning, "evaluate", "evaluator", {})]
        return []

    def _appealing(self, wait: int) -> list[_Part]:
        """An appeal after a while (µs), and what became of it."""
        story = self.story
        appeal = self._part_of(0, 1, "appeal", "department", occasion="appeal", evidence=True)
        support = self._part_of(60, 300, "supportAppeal", "dispatcher", occasion="supportAppeal")
        parts = [appeal._replace(after=wait)]
        if story == "appealReview":
            parts.append(support._replace(after=wait))
        elif story == "appealRefused":
            parts.append(self._part_of(60, 400, "refuseAppeal", "dispatcher", occasion="refuseAppeal"))
        elif story != "appealed":
            move = "grantAppeal" if story == "appealGranted" else "refuseAppeal"
            parts += [support, self._part_of(120, 1200, move, "intake", occasion=move)]
        return parts

    # -- what is not done at the end ---------------------------------------------------

    def _open(self) -> list[Timed]:
        life, story = self.life, self.story
        if story in _EARLY:
            gap = life.until - life.begun
            parts = self._early()
            spent = _length(parts)
            if spent > gap * 9 // 10:
                parts = [part._replace(after=part.after * gap * 9 // 10 // spent) for part in parts]
            return _timed(life.begun, parts)
        front = _timed(life.begun, self._ahead())
        tail, rest = self._tail()
        has = front[-1].at
        if not tail:
            return [*front, *_timed(has, [] if story else self._asked())]
        begins = max(has + MINUTE, life.until - rest * MINUTE - _length(tail))
        return [*front, *_timed(begins, tail)]

    def _early(self) -> list[_Part]:
        """The first steps alone."""
        if self.story == "pendingVerify":
            return [self._part_of(1, 10, "askVerify", "intake")]
        accepted = self._part_of(1, 10, "accept", "intake")
        filed = self._part_of(2, 11, "file", "shiftLeader", **self.life.filing)
        return {"pendingFile": [accepted], "pendingDispatch": [accepted, filed]}.get(self.story, [])

    def _tail(self) -> tuple[list[_Part], int]:
        """The last steps, and how many minutes before the end of what is played they are done."""
        story, chance = self.story, self.chance
        if story in ("handleDone", "pendingCheck", "pendingClose"):
            handled, asked = self._handled(0, 1)
            passed = self._part_of(6, 20, "passCheck", "collector", occasion="passCheck", evidence=True)
            steps = {"handleDone": [handled], "pendingCheck": [handled, asked]}
            return steps.get(story, [handled, asked, passed]), chance.randrange(3, 10)
        if story == "onAccount":
            return self._account(), chance.randrange(100, 400)
        if story in ("returnRequested", "delayRequested", "accountRequested"):
            asked = {
                "returnRequested": self._returned,
                "delayRequested": lambda: self._delay(granted=True),
                "accountRequested": self._account,
            }[story]()[0]
            return [asked._replace(after=0)], chance.randrange(15, 110)
        return [], 0

    def _asked(self) -> list[_Part]:
        """What a department asks for that has not done it yet."""
        asked = self.chance.random()
        if asked < 0.2:
            return self._delay(granted=asked < 0.15)
        return self._account() if asked < 0.27 else []

    def _part(self) -> list[Timed]:
        """The share of one department in a split case; it is done hours before the whole is closed."""
        life = self.life
        if life.ends is None and life.part > 1:
            return []
        done = life.until if life.ends is None else life.ends - 2 * HOUR * _SECOND
        parts = [*self._handled(0, 1), self._checked()[0]]
        gap = max(done - life.begun, _length(parts))
        share = gap if life.part > 1 else gap // 2
        return _timed(life.begun + max(share - _length(parts), 0), parts)

    # -- parts ----------------------------------------------------------------------------

    def _part_of(
        self, least: int, most: int, move: str, role: str, *, occasion: str = "", evidence: bool = False,
        **given: Any,
    ) -> _Part:  # fmt: skip
        """An act some minutes after the one before, with the words of its occasion."""
        if occasion:
            told = "finding" if move in _TOLD_AS_FINDING else "reason"
            given[told] = words(occasion, self.chance)
        if evidence:
            given["evidence"] = self.life.evidence
        return _Part(_some(self.chance, least, most), move, role, given)

    def _stage(
        self, move: str, role: str, usual: tuple[int, int], late: tuple[int, int], *, at: int | None = None,
        evidence: bool = False, **given: Any,
    ) -> _Part:  # fmt: skip
        """A step of the city's own, which takes longer when it is night or the storm is on."""
        amiss = self.chance.random() < self._amiss(self.life.begun if at is None else at)
        occasion = move if move in _TOLD_AS_FINDING else ""
        return self._part_of(
            *(late if amiss else usual), move, role, occasion=occasion, evidence=evidence, **given
        )

    def _amiss(self, at: int) -> float:
        begins, ends = self.life.storm
        if begins <= at < ends + _AFTERMATH:
            return _AMISS["storm"]
        hour = (at // _SECOND + OFFSET) % DAY // HOUR
        return _AMISS["night" if hour < 6 or hour >= 22 else "usual"]


_TOLD_AS_FINDING: Final = ("verify", "passCheck", "followUp")
_EARLY: Final = ("reported", "pendingVerify", "pendingFile", "pendingDispatch")
_WAITING: Final = (
    "divided", "escalated", "onAccount", "handleDone", "pendingCheck", "pendingClose", "returnRequested",
    "delayRequested", "accountRequested",
)  # fmt: skip


def _timed(at: int, parts: Sequence[_Part]) -> list[Timed]:
    found = []
    for part in parts:
        at += part.after
        found.append(Timed(at, part.move, part.role, part.given))
    return found


def _length(parts: Sequence[_Part]) -> int:
    return sum(part.after for part in parts)


def _next_morning(at: int, chance: random.Random) -> int:
    local = at // _SECOND + OFFSET
    return ((local // DAY + 1) * DAY + 9 * HOUR + chance.randrange(2 * HOUR) - OFFSET) * _SECOND


def _some(chance: random.Random, least: int, most: int) -> int:
    """Some minutes, in microseconds."""
    return chance.randrange(least * 60, most * 60) * _SECOND
