from __future__ import annotations

from typing import Any

import pytest

from cases.test_calendar import made
from cityloom.cases.clocks.limits import load_limits, make_limits, parse_limit
from cityloom.cases.deadlines import deadline_of, read
from cityloom.cases.loop.case import Act, Case, Moved
from cityloom.cases.loop.load import load_workflow
from cityloom.cases.loop.machine import Machine
from cityloom.model.errors import BadRequestData, CityloomError, Conflict, Forbidden, ResourceNotFound
from cityloom.model.time import format_datetime, parse_datetime

HOUR = 3_600_000_000
CALENDAR = made()
WORKFLOW = load_workflow()
MACHINE = Machine(WORKFLOW, load_limits())
ROLES = {
    "report": "citizen",
    "requestReturn": "department",
    "grantReturn": "dispatcher",
    "sendBackToFile": "dispatcher",
    "toClosing": "dispatcher",
    "forceClose": "supervisor",
    "reopen": "hotline",
    "grantAppeal": "intake",
}


def at(local: str) -> int:
    return parse_datetime(f"2026-07-{local[:2]}T{local[3:]}:00+08:00")


def local(micros: int | None) -> str | None:
    return None if micros is None else format_datetime(micros + 8 * HOUR)[8:16].replace("T", " ")


def act(move: str, when: str | int, role: str = "", **given: Any) -> Act:
    roles = next(one.roles for one in WORKFLOW.moves if one.move == move)
    moment = when if isinstance(when, int) else at(when)
    return Act(move=move, actor="urn:party:1", role=role or ROLES.get(move, roles[0]), at=moment, **given)


def go(case: Case, *acts: Act) -> Moved:
    for each in acts:
        moved = MACHINE.apply(case, each, CALENDAR)
        case = moved.case
    return moved


def filed(**matter: str) -> Case:
    given = {"type": "street-light", "condition": "light-out"} | matter
    return go(
        MACHINE.begin("case:1"),
        act("report", "02 08:50", type=given["type"]),
        act("accept", "02 08:55"),
        act("file", "02 08:58", **given),
    ).case


def handled(department: str = "water", when: str = "02 09:00") -> Case:
    return go(filed(), act("dispatch", when, department=department)).case


def owned(move: str, when: str, case: Case, **given: Any) -> Act:
    return act(move, when, role="department", acting_for=case.department, **given)


def test_a_case_goes_from_report_to_evaluation_and_keeps_what_its_clocks_read() -> None:
    case = handled()
    case = go(case, owned("handled", "02 16:00", case, evidence=("photo:1",))).case
    moved = go(
        case,
        act("askCheck", "02 16:05"),
        act("passCheck", "02 16:20", finding="lit", evidence=("photo:2",)),
        act("close", "02 16:30", closing_condition="lamp lit"),
    )
    assert (moved.transition.id, moved.transition.from_state, moved.transition.to_state) == (
        "case:1:transition:8",
        "pendingClose",
        "closed",
    )
    reading = {one.clock: one for one in moved.transition.readings}
    assert set(reading) == {"close", "promise"}
    assert (reading["promise"].state, reading["promise"].light) == ("stopped", "green")
    assert reading["promise"].used == (3 + 2) * HOUR + HOUR // 2 + HOUR // 6
    handle = moved.case.countdown("handle")
    assert handle is not None
    assert (read(handle, CALENDAR, at("03 12:00")).used, local(deadline_of(handle, CALENDAR))) == (
        5 * HOUR,
        "03 09:00",
    )
    assert moved.case.decided["handle"].by == "condition"
    assert go(moved.case, act("evaluate", "03 09:00")).case.state == "evaluated"


def test_returned_and_dispatched_again_the_same_department_goes_on_and_another_begins_anew() -> None:
    case = handled()
    case = go(case, owned("requestReturn", "02 11:00", case, reason="not ours")).case
    case = go(case, act("grantReturn", "02 17:00", reason="so it is")).case
    same = go(case, act("dispatch", "02 17:30", department="water")).case
    other = go(case, act("dispatch", "02 17:30", department="roads")).case
    deadlines = [one.countdown("handle") for one in (same, other)]
    assert [local(deadline_of(one, CALENDAR)) for one in deadlines if one] == ["03 15:30", "03 17:30"]
    ended = [one for one in other.countdowns if one.clock == "handle"]
    assert [(one.holder, one.state) for one in ended] == [("water", "stopped"), ("roads", "running")]
    promise = other.countdown("promise")
    assert promise is not None
    assert promise.spans[0].since == at("02 08:50")


def test_returned_by_three_departments_a_case_goes_up() -> None:
    case = filed()
    for number, department in enumerate(("water", "roads", "water", "parks"), 1):
        case = go(case, act("dispatch", f"0{number + 1} 09:00", department=department)).case
        case = go(case, owned("requestReturn", f"0{number + 1} 10:00", case, reason="not ours")).case
        case = go(case, act("grantReturn", f"0{number + 1} 11:00", reason="granted")).case
        assert case.state == ("escalated" if number == 4 else "pendingDispatch")
    assert case.returned_by == ("water", "roads", "parks")
    back = go(case, act("instruct", "06 09:00", department="parks", reason="yours")).case
    assert (back.state, back.department) == ("handling", "parks")


def test_redone_three_times_a_case_goes_up() -> None:
    case = handled()
    for number in range(1, 4):
        case = go(
            case, owned("handled", "03 09:00", case, evidence=("photo",)), act("askCheck", "03 09:00")
        ).case
        case = go(case, act("failCheck", "03 09:00", reason="still dark", evidence=("photo",))).case
        assert (case.redone, case.state) == (number, "escalated" if number == 3 else "handling")


def test_on_account_both_clocks_stand() -> None:
    case = handled()
    case = go(case, owned("requestAccount", "02 10:00", case, reason="no part in stock")).case
    case = go(case, act("grantAccount", "02 11:00", reason="wait")).case
    moved = go(case, act("resume", "08 09:00"))
    used = {one.clock: one.used for one in moved.transition.readings}
    assert used["handle"] == HOUR
    assert used["promise"] == 2 * HOUR + HOUR // 6


def test_a_granted_delay_moves_the_stages_deadline_and_not_the_promise() -> None:
    case = handled()
    promised = case.countdown("promise")
    case = go(
        case, owned("requestDelay", "02 10:00", case, reason="rain", extension=parse_limit("2wd", "x"))
    ).case
    case = go(case, act("grantDelay", "02 11:00", reason="rain", extension=parse_limit("1wd", "x"))).case
    handle, promise = case.countdown("handle"), case.countdown("promise")
    assert handle is not None
    assert local(deadline_of(handle, CALENDAR)) == "06 10:00"
    assert promise == promised


def test_a_split_case_waits_for_all_its_parts() -> None:
    moved = go(filed(), act("split", "02 09:00", departments=("water", "roads")))
    whole, parts = moved.case, [part.case for part in moved.parts]
    assert [(part.department, part.state, part.part_of) for part in parts] == [
        ("water", "handling", "case:1"),
        ("roads", "handling", "case:1"),
    ]
    assert [part.case for part in whole.parts] == [part.id for part in parts]
    assert [part.countdown("promise") for part in parts] == [None, None]
    with pytest.raises(Conflict, match=r"\(divided\): Close \(close\) is not possible"):
        go(whole, act("close", "03 09:00", closing_condition="x"))
    for number, part in enumerate(parts):
        with pytest.raises(Conflict, match="act on the whole"):
            go(part, act("merge", "02 10:00", into="case:9", reason="same"))
        done = go(
            part, owned("handled", "02 10:00", part, evidence=("photo",)), act("askCheck", "02 10:00")
        ).case
        done = go(done, act("passCheck", "02 10:00", finding="good", evidence=("photo",))).case
        assert done.state == "partDone"
        whole = go(whole, act("completePart", "02 10:00", role="city", part=part.id)).case
        assert whole.state == ("pendingClose" if number else "divided")
    assert whole.countdown("handle") is None


def test_a_part_that_does_not_exist_or_is_done_completes_nothing() -> None:
    whole = go(filed(), act("split", "02 09:00", departments=("water", "roads"))).case
    with pytest.raises(ResourceNotFound, match="part case:7 of case case:1 does not exist"):
        go(whole, act("completePart", "02 09:00", role="city", part="case:7"))
    first = act("completePart", "02 09:00", role="city", part=whole.parts[0].case)
    with pytest.raises(BadRequestData, match="is done already"):
        go(go(whole, first).case, first)
    with pytest.raises(BadRequestData, match="two or more different departments"):
        go(filed(), act("split", "02 09:00", departments=("water", "water")))


def test_reopened_the_promise_goes_on_where_it_ended() -> None:
    case = handled()
    case = go(case, owned("handled", "02 10:00", case, evidence=("photo",)), act("askCheck", "02 10:00")).case
    case = go(
        case,
        act("passCheck", "02 10:00", finding="lit", evidence=("photo",)),
        act("close", "02 10:50", closing_condition="lit"),
        act("reopen", "06 09:00", reason="dark again"),
    ).case
    promise = case.countdown("promise")
    assert promise is not None
    assert read(promise, CALENDAR, at("06 10:00")).used == 3 * HOUR
    assert (case.state, case.reopened) == ("pendingDispatch", 1)


def test_an_appeal_that_is_granted_exempts_and_the_lateness_stays() -> None:
    case = handled()
    case = go(case, owned("handled", "08 10:00", case, evidence=("photo",)), act("askCheck", "08 10:00")).case
    case = go(
        case,
        act("passCheck", "08 10:00", finding="lit", evidence=("photo",)),
        act("close", "08 10:50", closing_condition="lit"),
    ).case
    case = go(case, owned("appeal", "09 09:00", case, reason="storm", evidence=("paper",))).case
    case = go(case, act("supportAppeal", "09 10:00", reason="so it was")).case
    case = go(case, act("grantAppeal", "09 11:00", reason="so it was")).case
    handle = case.countdown("handle")
    assert handle is not None
    assert (case.state, case.exempt, read(handle, CALENDAR, at("09 11:00")).light) == ("closed", True, "red")
    with pytest.raises(Conflict, match="appealed once already"):
        go(case, owned("appeal", "09 12:00", case, reason="again", evidence=("paper",)))


def test_without_a_promise_in_the_table_a_case_has_none() -> None:
    stages = {name: "U15min" for name, clock in WORKFLOW.clocks.items() if clock.limit == "stage"}
    table = make_limits({"scheme": "s", "version": "1", "default": {"limit": "1wd"}, "stages": stages}, "x")
    machine = Machine(WORKFLOW, table)
    case = machine.apply(machine.begin("case:1"), act("report", "02 09:00"), CALENDAR).case
    moved = machine.apply(case, act("reject", "02 09:05", reason="outside the city"), CALENDAR)
    assert case.countdown("promise") is None
    assert [one.clock for one in moved.transition.readings] == ["accept"]


def _departed(case: Case) -> Act:
    return owned("requestReturn", "02 10:00", case, reason="not ours")


def by_water(move: str, when: str = "02 10:00", **given: Any) -> Act:
    return act(move, when, role="department", acting_for="water", **given)


REFUSED: list[tuple[Act, type[CityloomError], str]] = [
    (
        Act(move="fly", actor="urn:party:1", role="intake", at=at("02 10:00")),
        BadRequestData,
        "move is invalid: 'fly' does not exist in urban-management",
    ),
    (
        act("close", "02 10:00", closing_condition="x"),
        Conflict,
        "case case:1 is In handling (handling): Close (close) is not possible there, but Merge into another ",
    ),
    (
        act("handled", "02 10:00", role="citizen"),
        Forbidden,
        "role is invalid: Citizen (citizen) may not make the move Report it handled (handled); Department (",
    ),
    (act("handled", "02 10:00", role="king"), BadRequestData, "role is invalid: 'king' does not exist"),
    (act("handled", "02 10:00", acting_for="roads"), Forbidden, "case:1 is with water, not with roads"),
    (act("handled", "02 10:00"), Forbidden, "case case:1 is with water, not with none"),
    (by_water("handled"), BadRequestData, "evidence is required: Report it handled (handled) needs evidence"),
    (
        by_water("requestDelay"),
        BadRequestData,
        "reason is required: Ask for more time (requestDelay) needs reason, extension",
    ),
    (
        by_water("handled", "01 10:00", evidence=("p",)),
        Conflict,
        "at is invalid: 2026-07-01T02:00:00Z is before the last move of case case:1 (dispatch, ",
    ),
    (
        by_water("handled", evidence=("p",), seen=3),
        Conflict,
        "case case:1 has moved on: its last move was dispatch, number 4; 3 was seen",
    ),
    (
        by_water("handled", evidence=("p",), department="roads"),
        BadRequestData,
        "department is invalid: Report it handled (handled) does not take it",
    ),
    (
        act("merge", "02 10:00", role="intake", reason="same", into="case:1"),
        BadRequestData,
        "into is invalid: case:1 is the case itself",
    ),
]


@pytest.mark.parametrize(("given", "kind", "sentence"), REFUSED, ids=[each[2][:40] for each in REFUSED])
def test_what_is_not_allowed_is_refused_and_says_what_is_missing(
    given: Act, kind: type[CityloomError], sentence: str
) -> None:
    case = handled()
    with pytest.raises(kind) as refused:
        MACHINE.apply(case, given, CALENDAR)
    assert sentence in refused.value.detail


def test_a_refusal_is_told_in_each_language_and_names_what_there_is() -> None:
    case = handled()
    with pytest.raises(BadRequestData) as unknown:
        MACHINE.apply(case, Act(move="fly", actor="urn:party:1", role="intake", at=at("02 10:00")), CALENDAR)
    with pytest.raises(Conflict) as early:
        MACHINE.apply(case, act("close", "02 10:00", closing_condition="x"), CALENDAR)
    titles = {one.move: one.title for one in MACHINE.allowed(case, "department", "water")}
    for refused in (unknown.value, early.value):
        assert refused.texts is not None
        assert refused.texts["en"] == refused.detail
        for move, title in titles.items():
            assert f"{title['en']} ({move})" in refused.texts["en"]
            assert f"{title['zh']}（{move}）" in refused.texts["zh"]
    assert "案件 case:1 处于处置中（handling）：不能办理结案（close）" in str(early.value.texts)


def test_a_type_with_conditions_is_filed_under_one_of_them() -> None:
    case = go(
        MACHINE.begin("case:1"), act("report", "02 09:00", type="street-light"), act("accept", "02 09:00")
    ).case
    needed = r"condition is required: File \(file\) needs condition; type street-light has light-"
    with pytest.raises(BadRequestData, match=needed):
        go(case, act("file", "02 09:00"))
    with pytest.raises(BadRequestData, match="'cover-broken' is no condition of type 'street-light'"):
        go(case, act("file", "02 09:00", condition="cover-broken"))
    assert go(case, act("file", "02 09:00", type="dead-animal")).case.matter.type == "dead-animal"


def test_another_type_takes_the_condition_of_the_one_before_away() -> None:
    case = filed()
    back = go(case, act("sendBackToFile", "02 09:00", reason="another type")).case
    again = go(back, act("file", "02 09:05", type="dead-animal")).case
    assert (again.matter.type, again.matter.condition) == ("dead-animal", "")


def test_a_clock_that_goes_on_keeps_the_row_that_gave_its_limit() -> None:
    case = handled()
    case = go(case, owned("requestReturn", "02 10:00", case, reason="not ours")).case
    case = go(
        case,
        act("grantReturn", "02 11:00", reason="granted"),
        act("sendBackToFile", "02 11:00", reason="another type"),
        act("file", "02 11:00", type="dead-animal"),
    ).case
    same = go(case, act("dispatch", "02 11:00", department="water"))
    other = go(case, act("dispatch", "02 11:00", department="roads"))
    assert (same.case.decided["handle"].row, "handle" in same.transition.decided) == ("light-out", False)
    assert (other.case.decided["handle"].row, "handle" in other.transition.decided) == ("dead-animal", True)


def test_a_department_revokes_its_assignment_before_it_returns() -> None:
    case = handled()
    case = go(case, owned("assign", "02 10:00", case, worker="worker:3")).case
    with pytest.raises(Conflict, match="revoke the assignment first"):
        go(case, _departed(case))
    assert "requestReturn" not in [one.move for one in MACHINE.allowed(case, "department", "water")]
    case = go(case, owned("revoke", "02 10:10", case)).case
    assert (
        go(case, owned("requestReturn", "02 10:20", case, reason="not ours")).case.state == "returnRequested"
    )


def test_who_has_just_taken_it_back_may_not_close_it() -> None:
    case = handled()
    case = go(case, _departed(case), act("grantReturn", "02 11:00", reason="granted")).case
    assert [one.move for one in MACHINE.allowed(case, "dispatcher")] == [
        "dispatch",
        "split",
        "sendBackToFile",
    ]
    with pytest.raises(Conflict, match="has just returned it"):
        go(case, act("toClosing", "02 11:00", reason="x", evidence=("p",)))


def test_allowed_moves_are_those_of_state_role_and_department() -> None:
    case = handled()
    assert MACHINE.allowed(case, "department", "roads") == []
    moves = MACHINE.allowed(case, "department", "water")
    assert [one.move for one in moves] == [
        "assign",
        "requestReturn",
        "requestDelay",
        "requestAccount",
        "handled",
    ]
    assert [(one.to, one.needs) for one in moves if one.move == "handled"] == [
        (("handleDone",), ("evidence",))
    ]
    with pytest.raises(BadRequestData, match="role is invalid"):
        MACHINE.allowed(case, "king")


def test_a_case_of_another_version_is_not_moved() -> None:
    other = Case(id="case:1", state="handling", workflow="urban-management 2020")
    with pytest.raises(Conflict, match="is moved by urban-management 2020"):
        MACHINE.apply(other, act("reject", "02 09:00", reason="x"), CALENDAR)
