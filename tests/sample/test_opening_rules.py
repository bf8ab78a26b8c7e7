"""The rules of the sample city open a case for each lamp that is out, and for the river in the storm."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from zoneinfo import ZoneInfo

from test_profile import PROFILE, _mapping, _rows

from cityloom.model.time import parse_datetime
from cityloom.rules.daytime import active_during
from cityloom.rules.load import load_table
from cityloom.rules.opening import Heard, faults, opening_rules

ZONE = ZoneInfo("Asia/Shanghai")
HOUR = 3_600_000_000
RULES = {rule.row: rule for rule in opening_rules(load_table(PROFILE / "rules" / "opening.yaml"))}


def opened(city: Any, row: str, source: str, attribute: str) -> dict[str, list[int]]:
    """When a rule would have opened cases, by entity."""
    built, _, _ = _rows(_mapping(f"mappings/{source}.yaml"), city.folder)
    told: dict[str, list[Heard]] = defaultdict(list)
    for one in built:
        for instance in one.attributes.get(attribute, []):
            told[one.entity_id].append(Heard(at=one.micros, firing="", value=instance.value))
    rule = RULES[row]
    active = active_during(rule.during, ZONE, 123.39, 30.19)
    found = {
        entity: [
            fault.due
            for fault in faults(rule, sorted(values, key=lambda heard: heard.at), active, 2**62)
            if fault.due is not None
        ]
        for entity, values in told.items()
    }
    return {entity: times for entity, times in found.items() if times}


def test_each_lamp_that_is_out_has_one_case_and_no_other_has_one(city: Any) -> None:
    cases = opened(city, "lamp", "streetlight-readings", "illuminanceLevel")
    out = {lamp["entity"]: lamp for lamp in city.truth["planted"]["lampsOut"]}
    assert {entity: len(times) for entity, times in cases.items()} == dict.fromkeys(out, 1)
    for entity, [when] in cases.items():
        since = parse_datetime(out[entity]["since"])
        assert since <= when < since + 48 * HOUR


def test_the_river_opens_a_case_at_each_gauge_in_the_storm(city: Any) -> None:
    storm = city.truth["events"]["storm"]
    begun, peak = parse_datetime(storm["from"]), parse_datetime(storm["riverPeakAt"])
    cases = opened(city, "river", "river-readings", "currentLevel")
    assert len(cases) == 3
    for times in cases.values():
        assert len(times) == 1
        assert begun < times[0] <= peak + 6 * HOUR
