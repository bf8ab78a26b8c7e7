"""Evaluations over kept cases: a city's own indicators, the bound, records as they are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

import cityloom
from cases.town import RULES, SAMPLE, town
from cityloom.cases.city import load_rules
from cityloom.cases.evaluated import CaseEvaluations, EvaluationWish
from cityloom.cases.records import kept_records
from cityloom.model.errors import ConfigurationError, TooManyResults

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
    indicators = yaml.safe_load((PACKAGE / "evaluation.yaml").read_text("utf-8"))
    indicators |= {"evaluation": "ours", "version": "7", "scores": {}}
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
        told = await CaseEvaluations(place.store, place.access, place.clock, rules).evaluation(
            place.call(), EVER
        )
    assert told.rules == "ours 7"
    assert [one.indicator for one in told.groups[0].figures] == ["UM-FILE-ONTIME"]
    assert told.groups[0].figures[0].denominator == 1


def test_a_surge_rule_that_cannot_be_is_refused_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cases\.yaml: least is invalid"):
        load_rules(own(tmp_path, surges={"least": 0}))


async def test_more_cases_than_one_evaluation_looks_at_are_refused(tmp_path: Path) -> None:
    with town(tmp_path) as place:
        for _ in range(3):
            await place.report()
        evaluations = CaseEvaluations(place.store, place.access, place.clock, RULES, most=2)
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
            found = {one.case.id: one for one in kept_records(snapshot, "", 1 << 62)}
            assert list(kept_records(snapshot, "", 0)) == []
    moves = {id: [one.move for one in record.transitions] for id, record in found.items()}
    assert moves[plain] == ["report", "accept", "file", "dispatch"]
    assert moves[whole] == ["report", "accept", "file", "split"]
    assert moves[later] == ["report"]
    parts = moves.keys() - {plain, whole, later}
    assert len(parts) == 2
    assert all(id.startswith(f"{whole}:part:") for id in parts)
    assert all(record.case.number == len(record.transitions) for record in found.values())
