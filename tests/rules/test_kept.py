"""Versions of tables in the store: drafts, adoption, and what is in force on which day."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.broker.ports import Call
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import AlreadyExists, BadRequestData, Conflict, Forbidden, ResourceNotFound
from cityloom.rules.book import FOREVER, Rulebook, Version, adopt, holds_until
from cityloom.rules.checks import Finding
from cityloom.rules.kept import RULE, Rules, read_table
from cityloom.rules.table import DecisionTable
from cityloom.store.sqlite import SqliteStore
from tests.broker.conftest import OpenAccess
from tests.rules.conftest import Made
from tests.rules.opened import RULES
from tests.rules.tables import ROUTING, routing


def in_force(rules: Rules, store: SqliteStore, day: str) -> str:
    with store.snapshot() as reads:
        found = rules.book(reads, "").in_force("routing", day)
    return "" if found is None else found.version


async def adopted(
    rules: Rules, call: Call, version: str, since: str, until: str = "", **changes: Any
) -> None:
    await rules.create(call, routing(version=version, **changes))
    await rules.adopt(call, changes.get("decisionTable", "who-comes"), version, since=since, until=until)


async def test_a_version_decides_from_its_day_until_the_next_one_begins(
    rules: Rules, call: Call, store: SqliteStore
) -> None:
    assert in_force(rules, store, "2026-12-05") == ""
    await adopted(rules, call, "1", "2026-12-01")
    await adopted(rules, call, "2", "2027-01-01")
    days = {
        day: in_force(rules, store, day) for day in ("2026-11-30", "2026-12-01", "2026-12-31", "2027-01-01")
    }
    assert days == {"2026-11-30": "", "2026-12-01": "1", "2026-12-31": "1", "2027-01-01": "2"}
    listed = {one["version"]: one for one in await rules.list(call)}
    assert (listed["1"]["from"], listed["1"]["until"]) == ("2026-12-01", "2026-12-31")
    assert (listed["2"]["until"], listed["2"]["adoptedBy"]) == (None, "clerk")


async def test_every_process_sees_an_adoption_in_its_next_transaction(
    make: Made, call: Call, store: SqliteStore
) -> None:
    one, other = make(), make()
    assert in_force(other, store, "2026-12-01") == ""
    await adopted(one, call, "1", "2026-12-01")
    assert in_force(other, store, "2026-12-01") == "1"


async def test_every_change_is_an_event_with_its_cause(rules: Rules, call: Call, store: SqliteStore) -> None:
    await adopted(rules, call, "1", "2026-12-01")
    with store.snapshot() as reads:
        events = [event for event in reads.events(0) if event.document_kind == RULE]
    assert [(event.kind, event.entity_id, event.cause.id) for event in events] == [
        ("documentPut", "who-comes@1", "request:1")
    ] * 2


async def test_a_draft_can_be_edited_and_an_adopted_version_never_changes(rules: Rules, call: Call) -> None:
    await rules.create(call, routing())
    await rules.create(call, routing())
    with pytest.raises(AlreadyExists, match="already exists with other content"):
        await rules.create(call, routing(title={"en": "Else"}))
    await rules.replace(call, "who-comes", "1", routing(title={"en": "Else"}))
    assert (await rules.retrieve(call, "who-comes", "1"))["title"] == {"en": "Else"}
    with pytest.raises(BadRequestData, match="who-comes 1 is not who-comes 2"):
        await rules.replace(call, "who-comes", "2", routing())
    await rules.adopt(call, "who-comes", "1", since="2026-12-02")
    for attempt in (
        rules.replace(call, "who-comes", "1", routing()),
        rules.delete(call, "who-comes", "1"),
        rules.adopt(call, "who-comes", "1", since="2026-12-03"),
    ):
        with pytest.raises(Conflict, match="is adopted"):
            await attempt
    with pytest.raises(AlreadyExists):
        await rules.create(call, routing())


async def test_a_draft_can_be_taken_away(rules: Rules, call: Call) -> None:
    await rules.create(call, routing())
    await rules.delete(call, "who-comes", "1")
    with pytest.raises(ResourceNotFound):
        await rules.retrieve(call, "who-comes", "1")


async def test_only_who_may_administer_adopts(rules: Rules, call: Call, access: OpenAccess) -> None:
    await rules.create(call, routing())
    access.denied.add(("admin", "rules"))
    with pytest.raises(Forbidden):
        await rules.adopt(call, "who-comes", "1", since="2026-12-02")
    assert [one["state"] for one in await rules.list(call)] == ["draft"]


@pytest.mark.parametrize(
    ("since", "until", "error", "says"),
    [
        ("2026-12-01", "", Conflict, "is not after today, 2026-12-01"),
        ("2026-11-01", "", Conflict, "is not after today"),
        ("2026-12-31", "2026-12-30", BadRequestData, "until is invalid"),
        ("soon", "", BadRequestData, "from is invalid: 'soon' is no day"),
        ("", "", BadRequestData, "from is invalid: '' is no day"),
        ("2027-02-01", "", Conflict, "overlaps who-comes 2, which holds from 2027-01-01 until 2027-03-31"),
        ("2027-01-01", "", Conflict, "overlaps who-comes 2"),
        ("2026-12-05", "2027-01-01", Conflict, "overlaps who-comes 2"),
    ],
)
async def test_days_that_are_past_or_overlap_are_refused(
    rules: Rules, call: Call, since: str, until: str, error: type[Exception], says: str
) -> None:
    await adopted(rules, call, "1", "2026-12-01")
    await adopted(rules, call, "2", "2027-01-01", "2027-03-31")
    await rules.create(call, routing(version="3"))
    with pytest.raises(error) as caught:
        await rules.adopt(call, "who-comes", "3", since=since, until=until)
    assert says in str(caught.value)


async def test_tables_of_a_kind_of_which_one_decides_take_turns(
    rules: Rules, call: Call, store: SqliteStore
) -> None:
    await adopted(rules, call, "1", "2026-12-01")
    await adopted(rules, call, "summer", "2027-06-01", "2027-08-31", decisionTable="holiday-crew")
    assert in_force(rules, store, "2027-07-01") == "summer"
    assert in_force(rules, store, "2027-09-01") == ""


async def test_what_the_city_knows_keeps_a_table_from_being_adopted(make: Made, call: Call) -> None:
    class Codes:
        def check(self, table: DecisionTable) -> list[Finding]:
            return [Finding(level="error", place="row lamps", says="no such type")]

    rules = make(checks=Codes())
    await rules.create(call, routing())
    assert [one.says for one in await rules.check(call, routing())] == ["no such type"]
    with pytest.raises(BadRequestData, match="row lamps: no such type"):
        await rules.adopt(call, "who-comes", "1", since="2026-12-02")


async def test_the_tables_of_the_files_decide_until_another_is_adopted(
    make: Made, call: Call, store: SqliteStore
) -> None:
    rules = make(base=[read_table(routing(version="file"))])
    assert in_force(rules, store, "2026-12-01") == "file"
    assert [one["state"] for one in await rules.list(call)] == ["file"]
    assert (await rules.retrieve(call, "who-comes", "file"))["table"]["rows"][0]["id"] == "lamps-north"
    with pytest.raises(AlreadyExists, match="in the files"):
        await rules.create(call, routing(version="file", title={"en": "Else"}))
    await adopted(rules, call, "1", "2026-12-02")
    assert [in_force(rules, store, day) for day in ("2026-12-01", "2026-12-02")] == ["file", "1"]


async def test_a_decision_is_explained_on_any_day(rules: Rules, call: Call, clock: SimulatedClock) -> None:
    await adopted(rules, call, "1", "2026-12-01")
    await rules.create(call, routing(version="2", rows=[{"id": "all", "then": {"department": "x"}}]))
    given_values = {"type": "street-light"}
    assert (await rules.decide(call, "routing", given_values)).hits[0].row == "lamps"
    assert (await rules.decide(call, "routing", given_values, draft=("who-comes", "2"))).hits[0].row == "all"
    with pytest.raises(ResourceNotFound, match="is not in force on 2026-11-01"):
        await rules.decide(call, "routing", given_values, day="2026-11-01")
    with pytest.raises(BadRequestData, match="kind is invalid"):
        await rules.decide(call, "opening", given_values)


DAYS = [f"2026-12-{day:02d}" for day in range(1, 13)]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(DAYS), st.one_of(st.just(""), st.sampled_from(DAYS))),
        min_size=1,
        max_size=6,
    )
)
def test_the_version_in_force_is_the_only_one_that_holds_on_its_day(spans: list[tuple[str, str]]) -> None:
    versions: list[Version] = []
    for number, (since, until) in enumerate(spans):
        draft = Version(table=read_table(routing(version=str(number))).told)
        try:
            versions.append(
                adopt(versions, draft, since=since, until=until, today="2026-11-30", by="", at=number + 1)
            )
        except (Conflict, BadRequestData):
            continue
    book = Rulebook(versions)
    for day in DAYS:
        holding = [
            one.table.version
            for one in versions
            if one.adopted_from <= day <= (holds_until(versions, one) or FOREVER)
        ]
        found = book.in_force("routing", day)
        assert holding == ([] if found is None else [found.version])


def test_the_first_table_of_a_kind_may_begin_today() -> None:
    draft = Version(table=read_table(ROUTING).told)
    first = adopt([], draft, since="2026-12-01", until="", today="2026-12-01", by="a", at=7)
    assert (first.state, first.adopted_from, first.adopted_by, first.adopted_at) == (
        "adopted",
        "2026-12-01",
        "a",
        7,
    )


def test_a_rule_looks_at_nothing_that_was_told_before_it_was_adopted() -> None:
    draft = Version(table=read_table(RULES).told)
    version = adopt([], draft, since="2026-12-01", until="", today="2026-12-01", by="", at=700)
    book = Rulebook([version])
    assert book.openings("2026-12-01", 700) == []
    assert [one.id for one in book.openings("2026-12-01", 701)] == ["live"]
    assert book.openings("2026-11-30", 701) == []
    assert [one.id for one in book.openings("2026-12-01")] == ["live"]
