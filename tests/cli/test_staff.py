"""What the invented staff plans for a case, held against the machine that moves it."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cases.town import RULES
from cityloom.app.staff_plans import Life, Timed, course
from cityloom.app.staff_stories import STORIES, Request, Story, cast
from cityloom.app.staff_words import WORDS
from cityloom.cases.clocks.limits import Matter, parse_limit
from cityloom.cases.loop.case import Act, Case
from cityloom.cases.loop.machine import Machine
from cityloom.model.time import parse_datetime

HOUR = 3_600_000_000
BEGIN = parse_datetime("2025-06-14T00:00:00+08:00")
STORM = (BEGIN + 5 * HOUR, BEGIN + 12 * HOUR)
UNTIL = BEGIN + 17 * 24 * HOUR
MACHINE = Machine(RULES.workflow, RULES.limits)
HOME = "water"
TYPES = (
    "blocked-sewer",
    "damaged-road",
    "commercial-noise",
    "overflowing-bin",
    "street-tree",
    "street-light",
)
ENDED = {
    "appealGranted": {"evaluated"},
    "appealRefused": {"evaluated"},
    "appealRefusedLater": {"evaluated"},
    "reopened": {"evaluated"},
    "appealed": {"appealed"},
    "appealReview": {"appealReview"},
    "rejected": {"rejected"},
    "voided": {"voided"},
    "forced": {"forcedClose"},
}
OPEN = [one.name for one in STORIES[:13]]


def life(type: str, begun: int, ends: int | None, part: int = 0) -> Life:
    conditions = RULES.limits.conditions_of(type)
    filing = {"condition": conditions[0]} if conditions else {}
    urgent = RULES.limits.handling(Matter(type=type, **filing)).limit.continuous
    return Life(
        begun=begun,
        ends=ends,
        until=UNTIL,
        storm=STORM,
        type=type,
        filing=filing,
        extension=parse_limit("U4h" if urgent else "1wd", "extension"),
        by_sensor=False,
        evidence=("urn:ngsi-ld:Open311ServiceRequest:1",),
        part=part,
    )


def moved(case: Case, move: str, role: str, at: int, given: dict[str, Any]) -> tuple[Case, tuple[Case, ...]]:
    act = Act(move=move, actor="staff:1", role=role, at=at, **given)
    if move == "instruct":
        act = replace(act, department=(*case.returned_by, case.department)[0])
    elif role == "department":
        act = replace(act, acting_for=case.department)
    elif move == "dispatch" and not act.department:
        act = replace(act, department=HOME)
    done = MACHINE.apply(case, act, None)
    return done.case, tuple(one.case for one in done.parts)


def lived(told: Life, story: str, seed: str) -> tuple[Case, list[Timed]]:
    """The case after all that was planned until the end of the play; every act must be accepted."""
    case = MACHINE.begin("urn:ngsi-ld:Case:1")
    case, _ = moved(case, "takeOver", "city", told.begun, {"type": told.type})
    acts = [one for one in course(told, story, random.Random(seed)) if one.at <= told.until]
    assert [one.at for one in acts] == sorted(one.at for one in acts)
    for one in acts:
        if one.move == "close":
            for part in [each for each in case.parts if not each.done]:
                case, _ = moved(case, "completePart", "city", case.at, {"part": part.case})
        case, parts = moved(case, one.move, one.role, one.at, one.given)
        for number, part in enumerate(parts, 1):
            whole_ends = told.ends if told.ends is not None and told.ends <= told.until else None
            shares = course(
                told._replace(begun=one.at, part=number, ends=whole_ends), "", random.Random(seed)
            )
            ended = part
            for share in shares:
                ended, _ = moved(ended, share.move, share.role, share.at, share.given)
            if whole_ends is not None:
                assert ended.state == "partDone"
                assert ended.at <= whole_ends - HOUR
            elif number == 1:
                assert ended.state == "partDone"
            else:
                assert ended.state == "handling"
    return case, acts


@settings(max_examples=60, deadline=None)
@given(
    story=st.sampled_from(STORIES[13:]),
    after=st.integers(1, 8 * 24 * 60),
    taken=st.integers(10, 6 * 24 * 60),
    seed=st.integers(),
)
def test_every_plan_is_accepted_and_ends_when_the_files_say(
    story: Story, after: int, taken: int, seed: int
) -> None:
    begun = BEGIN + after * HOUR // 60
    request = Request("1", "blocked-sewer", begun, begun + taken * HOUR // 60)
    name = story.name if story.fits(request, UNTIL) else ""
    case, acts = lived(life("blocked-sewer", begun, request.ends), name, str(seed))
    end = next(one for one in acts if one.move in ("close", "reject", "void", "forceClose"))
    assert end.at == request.ends - (HOUR // 60 if end.move == "reject" else 0)
    assert case.state in ENDED.get(name, {"closed", "followUp", "evaluated"})


@pytest.mark.parametrize("story", OPEN)
def test_what_waits_at_the_end_stands_where_its_story_says(story: str) -> None:
    for seed in range(20):
        begun = UNTIL - (HOUR // 2 if story in OPEN[:4] else 15 * HOUR)
        case, _ = lived(life("blocked-sewer", begun, None), story, str(seed))
        assert case.state == story


def test_what_people_do_depends_on_the_hour_and_on_the_storm() -> None:
    """Filing has a quarter of an hour."""

    def filed(at: int) -> float:
        late = 0
        for seed in range(150):
            acts = course(life("damaged-road", at, at + 60 * HOUR), "", random.Random(seed))
            by = {one.move: one.at for one in acts}
            late += by["file"] - by.get("accept", by.get("verify", 0)) > HOUR // 4
        return 1 - late / 150

    day, night, storm = (filed(BEGIN + hours * HOUR) for hours in (4 * 24 + 10, 4 * 24 + 2, 8))
    assert storm < 0.7 < night < day < 0.97


def test_stories_are_cast_once_by_what_the_files_say() -> None:
    chance = random.Random(1)
    requests = []
    for number in range(300):
        begun = BEGIN + chance.randrange(1, 17 * 24 * 60) * HOUR // 60
        taken = chance.randrange(10, 6 * 24 * 60) * HOUR // 60
        ends = begun + taken if begun + taken < UNTIL else None
        requests.append(Request(f"R{number}", chance.choice(TYPES), begun, ends))
    found = cast(requests, UNTIL)
    chance.shuffle(requests)
    assert cast(requests, UNTIL) == found
    assert Counter(found.values()) == {one.name: one.many for one in STORIES}
    known = {one.id: one for one in requests}
    assert all((known[id].ends is None) == (story in OPEN) for id, story in found.items())


def test_what_is_said_is_said_in_both_languages() -> None:
    for sentences in WORDS.values():
        for one in sentences:
            english, chinese = one.split(" / ")
            assert english.isascii()
            assert any("一" <= char <= "鿿" for char in chinese)
