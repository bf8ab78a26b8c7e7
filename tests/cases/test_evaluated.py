"""Evaluations over kept cases: a city's own indicators, the bound, records as they are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

import cityloom
from cases.town import RULES, SAMPLE, town
from cityloom.broker.ports import Item
from cityloom.cases.keep.city import load_rules
from cityloom.cases.keep.kept import iri
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.looks.evaluated import CaseEvaluations, EvaluationWish, cuts_of
from cityloom.cases.looks.records import kept_records, told_before
from cityloom.ld.context import LdContext
from cityloom.model.entity import LOCATION, Attribute, AttributeKind, Entity
from cityloom.model.errors import BadRequestData, ConfigurationError, TooManyResults
from cityloom.model.time import parse_datetime

EVER = EvaluationWish(since="2000-01-01T00:00:00Z", until="2100-01-01T00:00:00Z")
PACKAGE = Path(cityloom.__file__).parent / "cases"


def own(folder: Path, **given: object) -> Path:
    """The sample city's files with more keys in `cases.yaml`."""
    for file in SAMPLE.parent.glob("*.yaml"):
        shutil.copy(file, folder)
    told = yaml.safe_load((folder / "cases.yaml").read_text("utf-8")) | given
    (folder / "cases.yaml").write_text(yaml.safe_dump(told, allow_unicode=True), "utf-8")
    return folder / "cases.yaml"


async def test_a_city_evaluates_by_its_own_file(tmp_path: Path) -> None:
    indicators = yaml.safe_load((PACKAGE / "insight" / "evaluation.yaml").read_text("utf-8"))
    indicators |= {"evaluation": "ours", "version": "7", "scores": {}, "headline": []}
    indicators["indicators"] = {"UM-FILE-ONTIME": indicators["indicators"]["UM-FILE-ONTIME"]}
    file = own(tmp_path, evaluation="ours.yaml")
    with pytest.raises(ConfigurationError, match=r"ours\.yaml"):
        load_rules(file)
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(indicators, allow_unicode=True), "utf-8")
    rules = load_rules(file)
    with town(tmp_path / "city", rules) as place:
        case = await place.report()
        await place.move(case, "accept")
        place.clock.advance(60)
        await place.move(case, "file", condition="light-out")
        told = await CaseEvaluations(place.store, place.access, place.clock, RuleBook(rules)).evaluation(
            place.call(), EVER
        )
    assert told.rules == "ours 7"
    assert [one.indicator for one in told.groups[0].figures] == ["UM-FILE-ONTIME"]
    assert told.groups[0].figures[0].denominator == 1


def test_a_surge_rule_that_cannot_be_is_refused_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cases\.yaml: least is invalid"):
        load_rules(own(tmp_path, surges={"least": 0}))


@pytest.mark.parametrize(
    ("since", "until", "every", "cuts"),
    [
        # A month of New York: the clocks are changed on 6 November 2011, a Sunday.
        (
            "2011-11-01T04:00:00Z",
            "2011-12-01T05:00:00Z",
            "week",
            ["2011-11-07T05", "2011-11-14T05", "2011-11-21T05", "2011-11-28T05"],
        ),
        ("2011-11-05T04:00:00Z", "2011-11-08T05:00:00Z", "day", ["2011-11-06T04", "2011-11-07T05"]),
        ("2011-11-01T04:00:00Z", "2012-02-01T05:00:00Z", "month", ["2011-12-01T05", "2012-01-01T05"]),
        ("2011-11-01T04:00:00Z", "2011-12-01T05:00:00Z", "month", []),
        ("2011-11-01T04:00:00Z", "2012-11-01T04:00:00Z", "", []),
    ],
)
def test_steps_begin_at_the_citys_own_midnights(since: str, until: str, every: str, cuts: list[str]) -> None:
    times = (parse_datetime(since), parse_datetime(until))
    assert cuts_of(*times, every, "America/New_York") == tuple(
        parse_datetime(f"{one}:00:00Z") for one in cuts
    )


def test_a_period_of_too_many_steps_is_refused() -> None:
    times = (parse_datetime("2011-01-01T00:00:00Z"), parse_datetime("2012-01-01T00:00:00Z"))
    assert len(cuts_of(*times, "week", "UTC")) == 52
    with pytest.raises(BadRequestData, match="every is invalid: the period has more than 62 times a day"):
        cuts_of(*times, "day", "UTC")
    with pytest.raises(BadRequestData, match="every is invalid"):
        cuts_of(*times, "year", "UTC")
    with pytest.raises(BadRequestData, match="since is invalid"):
        cuts_of(-(10**17), 0, "month", "UTC")


async def test_more_cases_than_one_evaluation_looks_at_are_refused(tmp_path: Path) -> None:
    with town(tmp_path) as place:
        for _ in range(3):
            await place.report()
        evaluations = CaseEvaluations(place.store, place.access, place.clock, RuleBook(RULES), most=2)
        with pytest.raises(TooManyResults, match="3 cases"):
            await evaluations.evaluation(place.call(), EVER)


async def test_records_are_cases_with_their_transitions_in_order_parts_too(tmp_path: Path) -> None:
    with town(tmp_path) as place:
        plain = await place.handled()
        whole = await place.report()
        await place.move(whole, "accept")
        await place.move(whole, "file", condition="light-out")
        await place.move(whole, "split", departments=("lighting", "roads"))
        later = await place.report()
        with place.store.snapshot() as snapshot:
            count, told = told_before(snapshot, "", 1 << 52)
            found = {one.case.id: one for one in kept_records(snapshot, "", 1 << 52, {})}
            assert list(kept_records(snapshot, "", 0, {})) == []
            assert told_before(snapshot, "", 0) == (0, [])
    moves = {id: [one.move for one in record.transitions] for id, record in found.items()}
    assert moves[plain] == ["report", "accept", "file", "dispatch"]
    assert moves[whole] == ["report", "accept", "file", "split"]
    assert moves[later] == ["report"]
    parts = moves.keys() - {plain, whole, later}
    assert len(parts) == 2
    assert count == 5
    assert {one.case for one in told} == {plain, whole, later}
    assert all(id.startswith(f"{whole}:part:") for id in parts)
    assert all(record.case.number == len(record.transitions) for record in found.values())


async def test_areas_are_told_apart_by_the_names_of_the_live_picture(tmp_path: Path) -> None:
    def area(number: int, kind: AttributeKind, name: object) -> Entity:
        west, east = 123.0 + number, 124.0 + number
        ring = [[west, 30.0], [east, 30.0], [east, 31.0], [west, 31.0], [west, 30.0]]
        polygon = {"type": "Polygon", "coordinates": [ring]}
        return Entity(
            id=f"urn:ngsi-ld:District:{number}",
            types=[LdContext.core.expand_term("District")],
            attributes={
                iri("name"): [Attribute(kind=kind, value=name)],
                LOCATION: [Attribute(kind="GeoProperty", value=polygon)],
            },
        )

    with town(tmp_path) as place:
        districts = [
            area(0, "Property", "Harbour"),
            area(1, "LanguageProperty", {"en": "Hills", "zh": "山"}),
            area(2, "Property", "Where nothing was reported"),
        ]
        items = [Item(id=one.id, entity=one) for one in districts]
        assert (await place.broker.batch(place.call(), "upsert-replace", items)).errors == []
        for lon in (123.5, 123.6, 124.5):
            point = {"type": "Point", "coordinates": [lon, 30.5]}
            case = await place.report(location=point)
            await place.move(case, "accept")
            await place.move(case, "file", condition="light-out")
        place.clock.advance(60)
        evaluations = CaseEvaluations(place.store, place.access, place.clock, RuleBook(RULES))
        by_area = replace(EVER, by="area")
        told = await evaluations.evaluation(place.call(), by_area)
        members = await evaluations.members(
            place.call(), by_area, indicator="UM-FILE-ONTIME", group="urn:ngsi-ld:District:1", limit=10
        )
    assert [(one.group, one.title) for one in told.groups] == [
        ("", {}),
        ("urn:ngsi-ld:District:0", {"@none": "Harbour"}),
        ("urn:ngsi-ld:District:1", {"en": "Hills", "zh": "山"}),
    ]
    filed = [one for group in told.groups for one in group.figures if one.indicator == "UM-FILE-ONTIME"]
    assert [one.denominator for one in filed] == [3, 2, 1]
    assert members.cases == (case,)
