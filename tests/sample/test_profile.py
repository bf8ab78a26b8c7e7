"""The built-in profile turns the written files into exactly the entities that the truth names."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import pytest
import yaml

import cityloom
from cityloom.connect.files import find_files
from cityloom.connect.intake import Intake
from cityloom.connect.mapping import load_mapping
from cityloom.connect.readers import open_table

PROFILE = Path(cityloom.__file__).parent / "profiles" / "sample"
SOURCES = [
    entry["mapping"] for entry in yaml.safe_load((PROFILE / "profile.yaml").read_text("utf-8"))["sources"]
]


def _mapping(name: str):
    return load_mapping(PROFILE / name, {"timeZone": "Asia/Shanghai"})


def _rows(mapping, folder: Path):
    """What the connectors make of a source: built rows, rejects, and the intake."""
    intake = Intake(mapping, lambda name: name, None)
    built, rejects = [], []
    for file in find_files(mapping, folder):
        with closing(open_table(mapping, file.path)) as table:
            if table.columns is not None:
                assert set(mapping.columns()) <= set(table.columns), mapping.source
            while (batch := intake.batch(table.rows, file.name, 5000)).read:
                built += batch.built
                rejects += batch.rejects
    return built, rejects, intake


def test_profile_names_every_mapping_once():
    assert sorted(SOURCES) == sorted(f"mappings/{path.name}" for path in (PROFILE / "mappings").iterdir())
    sources = [_mapping(name).source for name in SOURCES]
    assert len(set(sources)) == len(sources)


@pytest.mark.parametrize("name", SOURCES)
def test_mappings_have_titles_in_both_languages_and_a_provider(name):
    mapping = _mapping(name)

    assert set(mapping.title) == {"en", "zh"}
    assert mapping.provider
    assert mapping.licence == "CC0-1.0"


def test_mappings_read_every_file_into_the_entities_of_the_truth(city):
    found, rejected, read = defaultdict(set), Counter(), set()
    for name in SOURCES:
        mapping = _mapping(name)
        built, rejects, intake = _rows(mapping, city.folder)
        found[mapping.entity.type] |= {row.entity_id for row in built}
        rejected[mapping.source] += len(rejects)
        read |= {file.name for file in find_files(mapping, city.folder)}
        assert {reject.reason for reject in rejects} <= {"invalid coordinates"}
        repeated = sum(item["rows"] for item in city.planted("repeatedDeliveries"))
        assert intake.repeated == (repeated if mapping.source == "sample-bicycle-counts" else 0)
    swapped = [item for item in city.planted("wrongCoordinates") if item["kind"] == "swapped"]
    for item in swapped:
        found[item["entity"].split(":")[2]].add(item["entity"])

    assert {kind: len(ids) for kind, ids in sorted(found.items())} == city.truth["entities"]
    assert sum(rejected.values()) == len(swapped)
    unread = {name for name in city.truth["rows"] if name not in read}
    parts = ("calendar", "feed_info", "shapes", "stop_times", "trips")
    assert unread == {f"transit/gtfs/{part}.txt" for part in parts}


def test_entities_of_the_truth_are_those_of_the_mappings(city):
    ids = set()
    for name in SOURCES:
        ids |= {row.entity_id for row in _rows(_mapping(name), city.folder)[0]}
    rejected = {item["entity"] for item in city.planted("wrongCoordinates") if item["kind"] == "swapped"}
    for kind in ("deadSensors", "stuckValues", "wrongCoordinates", "lampsOut"):
        named = {item["entity"] for item in city.planted(kind)} - rejected
        assert named <= ids


def test_reporters_never_enter_an_attribute(city):
    mapping = _mapping("mappings/service-requests.yaml")
    table = city.csv("requests/service_requests.csv.gz")
    built, _, _ = _rows(mapping, city.folder)

    private = set(table["reporter_name"]) | set(table["reporter_phone"])
    for row in built:
        assert set(row.personal) == {"reporter_name", "reporter_phone"}
        values = {str(attribute.value) for group in row.attributes.values() for attribute in group}
        assert not values & private


def test_relationships_lead_to_entities(city):
    ids, links = set(), set()
    for name in SOURCES:
        for row in _rows(_mapping(name), city.folder)[0]:
            ids.add(row.entity_id)
            for group in row.attributes.values():
                links |= {attribute.value for attribute in group if attribute.kind == "Relationship"}

    assert links
    assert links <= ids
