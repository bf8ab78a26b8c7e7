"""Rules and the cases that are kept: a city whose rules change while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from cases.tiny import tiny_city
from cityloom.app import Node, create_app
from cityloom.app.case_opening import OpenedCases
from cityloom.app.case_tables import limits_file
from cityloom.broker.ports import Call, Item
from cityloom.cases.desk.wishes import MoveWish, Report
from cityloom.cases.keep.kept import KeptCase, iri, kept_of
from cityloom.cases.loop.case import RuleRow
from cityloom.folder import CityConfiguration, CityFolder
from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.model.events import Cause
from cityloom.model.settings import Settings
from cityloom.model.time import parse_datetime
from cityloom.rules.opening import Opening
from cityloom.rules.table import RowPart

CALL = Call(cause=Cause(kind="request", id="r"))
START = parse_datetime("2026-07-06T09:00:00+08:00")
DAY = 86_400_000_000


class City:
    """A node of the sample city on a clock that the test moves."""

    def __init__(self, node: Node, clock: SimulatedClock) -> None:
        self.node = node
        self.clock = clock
        assert node.case_parts.cases is not None
        self.cases = node.case_parts.cases

    def kept(self, case: str) -> KeptCase:
        with self.node.store.snapshot() as reads:
            entity = reads.get("", case)
        assert entity is not None
        return kept_of(entity)

    async def move(self, case: str, move: str, **given: Any) -> None:
        seen = (await self.cases.show(CALL, case)).seen
        await self.cases.move(CALL, case, MoveWish(move=move, seen=seen, **given))

    async def dispatched(self, condition: str = "light-out", **given: Any) -> str:
        case = (await self.cases.report(CALL, Report(type="street-light"))).id
        await self.move(case, "accept")
        await self.move(case, "file", condition=condition)
        await self.move(case, "dispatch", **given)
        return case

    async def adopt(self, document: dict[str, Any], since: str) -> None:
        await self.node.case_parts.rules.create(CALL, document)
        name, version = document["decisionTable"], document["version"]
        await self.node.case_parts.rules.adopt(CALL, name, version, since=since)


@asynccontextmanager
async def city(folder: Path) -> AsyncIterator[City]:
    clock = SimulatedClock(START)
    at = CityFolder(folder, make=True)
    at.write(CityConfiguration(profile="sample"))
    node = Node(at, Settings(), clock)
    app = create_app(node)
    del app
    async with node.running():
        yield City(node, clock)


def limits(node: Node, version: str, *rows: RowPart) -> dict[str, Any]:
    assert node.case_parts.cases is not None
    told = limits_file(node.case_parts.cases.book.rules.limits.told)
    taken = {tuple(sorted(row.when.items())) for row in rows}
    kept = [row for row in told.rows if tuple(sorted(row.when.items())) not in taken]
    made: dict[str, Any] = msgspec.to_builtins(replace(told, version=version, rows=[*rows, *kept]))
    return made


ROUTING: dict[str, Any] = {
    "decisionTable": "who-comes",
    "kind": "routing",
    "version": "1",
    "hitPolicy": "FIRST",
    "inputs": [{"name": "type", "optional": True}],
    "outputs": [{"name": "department"}],
    "rows": [
        {"id": "lamps", "when": {"type": "street-light"}, "then": {"department": "lighting"}},
        {"id": "else", "then": {"department": "sanitation"}},
    ],
}
QUICK = RowPart(
    id="quick", when={"clock": '"handling"', "condition": '"light-out"'}, then={"limit": "2wh"}, note="summer"
)


async def test_old_cases_keep_the_old_rule_and_new_ones_have_the_new(tmp_path: Path) -> None:
    async with city(tmp_path) as town:
        early = (await town.cases.report(CALL, Report(type="street-light"))).id
        await town.adopt(limits(town.node, "2", QUICK), "2026-07-07")
        town.clock.set(START + DAY)
        await town.move(early, "accept")
        await town.move(early, "file", condition="light-out")
        await town.move(early, "dispatch", department="lighting")
        late = await town.dispatched(department="lighting")
        assert str(town.kept(early).case.decided["handle"].limit) == "1wd"
        found = town.kept(late).case.decided["handle"]
        assert (str(found.limit), found.row, found.version) == ("2wh", "quick", "2")


async def test_a_dispatch_without_a_department_goes_where_the_rule_says(tmp_path: Path) -> None:
    async with city(tmp_path) as town:
        case = (await town.cases.report(CALL, Report(type="street-light"))).id
        await town.move(case, "accept")
        await town.move(case, "file", condition="light-out")
        await town.move(case, "dispatch")
        kept = town.kept(case).case
        # The files' rule holds from the first day on, where nothing else was adopted.
        assert kept.department == "lighting"
        assert kept.ruled == {
            "routing": RuleRow(table="loomhaven-routing", version="2026-11-30", row="lighting")
        }
        await town.adopt(ROUTING, "2026-07-06")
        case = await town.dispatched()
        kept = town.kept(case).case
        assert kept.department == "lighting"
        assert kept.ruled == {"routing": RuleRow(table="who-comes", version="1", row="lamps")}
        chosen = await town.dispatched(department="roads")
        assert (town.kept(chosen).case.department, town.kept(chosen).case.ruled) == ("roads", {})


async def test_a_table_that_does_not_fit_the_city_is_not_adopted(tmp_path: Path) -> None:
    async with city(tmp_path) as town:
        rows = [{"id": "all", "then": {"department": "navy"}}]
        with pytest.raises(BadRequestData, match="department 'navy' does not exist"):
            await town.adopt({**ROUTING, "rows": rows}, "2026-07-07")


OPENING: dict[str, Any] = {
    "decisionTable": "live",
    "kind": "opening",
    "version": "1",
    "hitPolicy": "COLLECT",
    "inputs": [{"name": "entityType"}, {"name": "attribute"}, {"name": "value", "type": "any"}],
    "outputs": [{"name": name} for name in ("caseType", "caseCondition", "description@en", "description@zh")],
    "rows": [
        {
            "id": "dark",
            "when": {"entityType": "Streetlight", "attribute": "powerState", "value": "off"},
            "then": {
                "caseType": "street-light",
                "caseCondition": "light-out",
                "description@en": "dark",
                "description@zh": "不亮",
            },
        }
    ],
}


async def test_a_rule_opens_a_case_that_is_kept_and_moves_as_any_other(tmp_path: Path) -> None:
    async with city(tmp_path) as town:
        await town.adopt(OPENING, "2026-07-06")
        expand = town.node.ld_context.expand_term
        west, south, east, north = town.node.city().bbox or (0, 0, 1, 1)
        where = {"type": "Point", "coordinates": [(west + east) / 2, (south + north) / 2]}
        lamp = Entity(
            id="urn:ngsi-ld:Streetlight:1",
            types=[expand("Streetlight")],
            attributes={
                expand("powerState"): [Attribute(kind="Property", value="off")],
                LOCATION: [Attribute(kind="GeoProperty", value=where)],
            },
        )
        await town.node.broker.batch(CALL, "upsert-update", [Item(id=lamp.id, entity=lamp)])

        def opened() -> list[str]:
            with town.node.store.snapshot() as reads:
                events = reads.events(0)
            made = (event.entity_id for event in events if event.kind == "entityCreated")
            return [id for id in made if id.startswith("urn:ngsi-ld:Case:")]

        async with asyncio.timeout(20):
            while not opened():
                await asyncio.sleep(0.01)
        [case] = opened()
        assert case == "urn:ngsi-ld:Case:2026-000001"
        assert (await town.cases.show(CALL, "2026-000001")).case.id == case
        kept = town.kept(case)
        assert (kept.case.state, kept.case.matter.type) == ("reported", "street-light")
        assert (kept.subject.about, kept.subject.channel, kept.subject.description) == (
            lamp.id,
            "rule",
            "dark / 不亮",
        )
        # Each reader is told it in one language: in the queue, and in the live picture.
        row = (await town.cases.show(CALL, case)).case
        assert row.descriptions == {"en": "dark", "zh": "不亮"}
        with town.node.store.snapshot() as reads:
            entity = reads.get("", case)
        told = None if entity is None else entity.instance(iri("description"))
        assert told is not None
        assert (told.kind, told.value) == ("LanguageProperty", row.descriptions)
        assert kept.subject.location == tuple(where["coordinates"])
        assert kept.case.ruled == {"opening": RuleRow(table="live", version="1", row="dark")}
        whole = await town.cases.show(CALL, case)
        assert whole.transitions[0].evidence
        await town.move(case, "accept")
        await town.move(case, "file", condition="light-out")


async def test_a_fault_keeps_its_case_however_often_it_is_to_be_opened(tmp_path: Path) -> None:
    async with city(tmp_path) as town:
        cases = town.cases
        opener = OpenedCases(cases.book, cases.places, cases.timer_set)
        one = Opening(
            fault="0f",
            tenant="",
            table="live",
            version="1",
            row="dark",
            entity="urn:ngsi-ld:Streetlight:1",
            attribute="powerState",
            case_type="street-light",
            case_condition="",
            description="dark",
            evidence=("urn:ngsi-ld:Instance:1",),
            since=START,
            at=START,
        )

        async def opened(opening: Opening) -> str:
            return await asyncio.wrap_future(town.node.store.submit(lambda tx: opener.open_case(tx, opening)))

        first = await opened(one)
        assert await opened(one) == first == "urn:ngsi-ld:Case:2026-000001"
        assert (await cases.report(CALL, Report(type="street-light"))).id.endswith(":2026-000002")
        assert await opened(replace(one, fault="10")) == "urn:ngsi-ld:Case:2026-000003"
        assert (await cases.show(CALL, "2026-000001")).seen == 1


async def test_the_rules_of_the_files_open_a_case_for_what_was_there_before_once(tmp_path: Path) -> None:
    lamp = "urn:ngsi-ld:Streetlight:1"
    clock = SimulatedClock(parse_datetime("2026-07-06T23:00:00+08:00"))

    def node() -> Node:
        at = CityFolder(tmp_path, make=True)
        at.write(CityConfiguration(profile="sample"))
        return Node(at, Settings(), clock)

    def opened(made: Node) -> list[str]:
        with made.store.snapshot() as reads:
            events = reads.events(0)
        made = (event.entity_id for event in events if event.kind == "entityCreated")
        return [id for id in made if ":Case:" in id]

    first = node()
    expand = first.ld_context.expand_term
    dark = {expand("illuminanceLevel"): [Attribute(kind="Property", value=0.0)]}
    told = Entity(id=lamp, types=[expand("Streetlight")], attributes=dark)
    await first.broker.batch(CALL, "upsert-update", [Item(id=lamp, entity=told)])
    first.prepare()
    async with first.running():
        async with asyncio.timeout(20):
            while not opened(first):
                await asyncio.sleep(0.01)
        await first.case_parts.settle()
        [case] = opened(first)
    clock.advance(600)
    again = node()
    again.prepare()
    async with again.running():
        await again.case_parts.settle()
        kept = City(again, clock).kept(case)
        assert opened(again) == [case]
    assert kept.case.ruled == {"opening": RuleRow(table="loomhaven-live", version="2026-11-30", row="lamp")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "decisionTable: x\nkind: limits\nversion: '1'\nhitPolicy: FIRST\ninputs: [{name: clock}]\n"
            "outputs: [{name: limit}]\nrows: [{id: a, then: {limit: U1d}}]",
            "kind limits stands in a file of its own",
        ),
        ("decisionTable: x\nkind: routing\nversion: '1'\nhitPolicy: FIRST", "is invalid"),
    ],
)
async def test_a_file_of_rules_that_cannot_hold_keeps_the_node_from_its_start(
    tmp_path: Path, text: str, problem: str
) -> None:
    folder, file = tiny_city(tmp_path)
    (file.parent / "own.yaml").write_text(text)
    file.write_text(file.read_text() + "rules: [own.yaml]\n")
    at = CityFolder(folder)
    with pytest.raises(ConfigurationError, match=problem) as raised:
        Node(at, at.settings())
    assert "own.yaml" in str(raised.value)


async def test_a_replay_of_kept_cases_tells_which_would_change_and_the_scores(tmp_path: Path) -> None:
    async with city(tmp_path) as town:
        await town.adopt(ROUTING, "2026-07-06")
        cases = []
        for condition in ("light-out", "light-row-out", "light-out"):
            case = await town.dispatched(condition)
            town.clock.advance(5 * 3600)
            await town.move(case, "handled", evidence=("urn:photo:1",), acting_for="lighting")
            await town.move(case, "askCheck")
            await town.move(case, "passCheck", finding="lit", evidence=("urn:photo:2",))
            await town.move(case, "close", closing_condition="lit")
            cases.append(case)
            town.clock.set(town.clock.now() + DAY)
        replays = town.node.case_parts.replays

        async def replayed(document: dict[str, Any]) -> dict[str, Any]:
            await town.node.case_parts.rules.create(CALL, document)
            id = await replays.ask(
                CALL, document["decisionTable"], document["version"], since="2026-07-01", until="2026-07-31"
            )
            async with asyncio.timeout(30):
                while (told := await replays.retrieve(CALL, id))["status"] == "running":
                    await asyncio.sleep(0.01)
            assert told["status"] == "done", told
            result: dict[str, Any] = told["result"]
            return result

        same = await replayed(limits(town.node, "same"))
        assert (same["cases"], same["changed"], same["unlike"]) == (3, [], [])
        assert same["scoresBefore"] == same["scoresAfter"] != {}
        quick = await replayed(limits(town.node, "quick", QUICK))
        assert [one["case"] for one in quick["changed"]] == [cases[0], cases[2]]
        facts = {one["fact"]: (one["before"], one["after"]) for one in quick["changed"][0]["changes"]}
        assert facts["light handle"] == ("green", "red")
        moved = {
            name: (quick["scoresBefore"][name], quick["scoresAfter"][name])
            for name in quick["scoresBefore"]
            if quick["scoresBefore"][name] != quick["scoresAfter"][name]
        }
        assert moved
        rows = [{"id": "all", "then": {"department": "roads"}}]
        routed = await replayed({**ROUTING, "version": "2", "rows": rows})
        assert sorted(one["case"] for one in routed["changed"]) == sorted(cases)
        assert {
            (one["before"], one["after"])
            for case in routed["changed"]
            for one in case["changes"]
            if one["fact"] == "department"
        } == {("lighting", "roads")}
