from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cityloom.connect.mapping import load_mapping, mapping_of
from cityloom.connect.profile import builtin_profiles, load_profile
from cityloom.model.errors import ConfigurationError
from tests.connect.conftest import make

GOOD = """
source: lights
title: {en: Street lights, zh: 路灯}
format: csv
path: lights.csv.gz
expectedInterval: PT15M
entity: {id: "urn:ngsi-ld:Streetlight:{id}", type: Streetlight, scope: /town}
geometry: {lon: x, lat: y}
noPlace: [[-71.0587, 42.3594]]
observedAt: at
attributes:
  streetlightType: {from: type, map: {LIHGT: LIGHT, 1: one, on: lit}}
  powerState: {value: on}
  precipitation: {from: rain, number: true, scale: 25.4, unitCode: MMT}
  name: label
  refDistrict: {relationship: "urn:ngsi-ld:District:{district}"}
"""


def load(folder: Path, text: str) -> Any:
    path = folder / "m.yaml"
    path.write_text(text)
    return load_mapping(path, {"timeZone": "Asia/Shanghai"})


def test_load_mapping_gives_typed_parts(tmp_path: Path) -> None:
    mapping = load(tmp_path, GOOD)
    assert mapping.interval == 15 * 60 * 1_000_000
    assert mapping.entity.types == ["Streetlight"]
    assert mapping.time_zone == "Asia/Shanghai"
    assert mapping.attributes["name"].from_ == "label"
    assert mapping.no_place == [(-71.0587, 42.3594)]
    assert len(mapping.digest) == 64


def test_load_mapping_keeps_words_that_old_yaml_takes_for_truth_or_times(tmp_path: Path) -> None:
    mapping = load(tmp_path, GOOD)
    assert mapping.attributes["powerState"].value == "on"
    assert mapping.attributes["streetlightType"].map == {"LIHGT": "LIGHT", "1": "one", "on": "lit"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("path: lights", "paht: lights"), "unknown field `paht`"),
        (("format: csv", "format: cvs"), "format is invalid"),
        (("{from: rain, number: true", "{from: rain, numbre: true"), "attributes.precipitation"),
        (("scale: 25.4", "scale: much"), "attributes.precipitation.scale"),
        (("{value: on}", "{value: on, from: x}"), "attributes.powerState is invalid: exactly one of"),
        (("{value: on}", "{}"), "attributes.powerState is invalid: exactly one of"),
        (("PT15M", "often"), "expectedInterval is invalid"),
        (("PT15M", "P1M"), "expectedInterval is invalid"),
        (("{lon: x, lat: y}", "{lon: x}"), "geometry is invalid"),
        (("urn:ngsi-ld:Streetlight:{id}", "lamp {id}"), "must begin as a URI"),
        (("urn:ngsi-ld:Streetlight:{id}", "urn:ngsi-ld:Streetlight:{id"), "brace without its partner"),
        (("path: lights.csv.gz", "path: ../secret.csv"), "must lie below the data folder"),
        (("source: lights", "source: a/b"), "source is invalid"),
        (("observedAt: at", "observedAt: at\nobservedAt: b"), "given twice"),
        (("observedAt: at", "series: true"), "observedAt is invalid: it is required where series is true"),
        (("observedAt: at", "crs: EPSG:0"), "crs is invalid"),
        (("observedAt: at", "timeZone: Mars/Base"), "timeZone is invalid"),
        (("observedAt: at", "update: replace"), "update is invalid"),
        (("observedAt: at", "digest: abc"), "digest is invalid: unknown key"),
        (("observedAt: at", "observedAt: [a"), "is invalid YAML"),
    ],
)
def test_load_mapping_names_file_and_place_when_it_is_wrong(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    assert change[0] in GOOD
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, GOOD.replace(*change))
    assert "m.yaml" in caught.value.detail
    assert message in caught.value.detail
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "gtfs-realtime", "layer": "trips"}, "has the layers"),
        ({"format": "gtfs"}, "name of a table"),
        ({"format": "mqtt", "topic": "a/b"}, "needs topic and broker"),
        ({"format": "push", "url": "http://x"}, "needs no place"),
        ({"path": ""}, "needs a path"),
        ({"attributes": {"type": "x"}}, "attributes.type is invalid"),
        ({"attributes": {"a": {"from": "x", "number": True, "datetime": True}}}, "do not go together"),
        ({"attributes": {"a": {"from": "x", "scale": 2}}}, "need number"),
        ({"attributes": {"a": {"text": "{x}", "number": True}}}, "number needs from"),
        ({"attributes": ["a"]}, "attributes is invalid"),
    ],
)
def test_mapping_of_refuses_what_does_not_go_together(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make(**values)


def test_load_mapping_tells_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_mapping(tmp_path / "none.yaml")


def test_profile_crs_is_not_forced_on_formats_that_have_their_own() -> None:
    values = {
        "source": "a",
        "path": "a.shp",
        "entity": {"id": "urn:x:{id}", "type": "A"},
    }
    defaults = {"crs": "EPSG:26986"}
    assert mapping_of({**values, "format": "shapefile"}, "f", defaults).crs == ""
    assert mapping_of({**values, "format": "csv"}, "f", defaults).crs == "EPSG:26986"


@pytest.mark.parametrize("name", builtin_profiles())
def test_builtin_profiles_load_with_licence_and_provider(name: str) -> None:
    city = load_profile(name)
    assert city.mappings
    for mapping in city.mappings:
        assert mapping.title, mapping.source
        assert mapping.licence, mapping.source
        assert mapping.provider, mapping.source


def test_boston_names_massdot_as_the_provider_of_transit_data() -> None:
    city = load_profile("boston")
    transit = [mapping for mapping in city.mappings if mapping.path.startswith("mbta")]
    assert len(transit) > 15
    assert all("MassDOT" in mapping.provider for mapping in transit)
    assert any("MassDOT" in one.name for one in city.profile.attribution)
    assert all("MassDOT" in one.provider for one in city.profile.download if "MBTA" in one.name)


def test_boston_joins_by_place_only_after_the_districts() -> None:
    mappings = load_profile("boston").mappings
    first_join = next(index for index, mapping in enumerate(mappings) if mapping.within)
    last_district = max(
        index for index, mapping in enumerate(mappings) if mapping.entity.types == ["District"]
    )
    assert last_district < first_join


def test_load_profile_tells_an_unknown_one_and_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'atlantis' does not exist.*boston"):
        load_profile("atlantis")


@pytest.mark.parametrize("name", builtin_profiles())
def test_builtin_profiles_put_every_type_into_a_group(name: str) -> None:
    city = load_profile(name)
    grouped = [type for group in city.profile.groups for type in group.types]
    assert set(grouped) == {type for mapping in city.mappings for type in mapping.entity.types}
    assert len(grouped) == len(set(grouped))
    for group in city.profile.groups:
        assert list(group.title) == city.profile.languages, group.id


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ("[{id: a, title: {en: A}, types: [X]}, {id: a, title: {en: B}, types: [Y]}]", r"\[1\].id.*already"),
        ("[{id: a, title: {en: A}, types: [X]}, {id: b, title: {en: B}, types: [X]}]", "'X' already stands"),
        ("[{id: a, title: {en: A}, types: [X, X]}]", "'X' already stands"),
        ("[{id: other, title: {en: A}, types: [X]}]", "'other'"),
        ("[{id: 'a b', title: {en: A}, types: [X]}]", "id is invalid"),
        ("[{id: a, title: {}, types: [X]}]", "title is required"),
        ("[{id: a, title: {en: A}, types: []}]", "types is required"),
        ("[{id: a, title: {en: A}}]", "types"),
        ("[{id: a, title: {en: A}, types: [X], colour: red}]", "colour"),
    ],
)
def test_load_profile_refuses_groups(tmp_path: Path, groups: str, told: str) -> None:
    (tmp_path / "profile.yaml").write_text(f"name: x\ncenter: [1, 2]\ngroups: {groups}\n")
    with pytest.raises(ConfigurationError, match=told):
        load_profile(tmp_path)


def test_load_profile_refuses_two_sources_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "profile.yaml").write_text(
        "name: x\ncenter: [1, 2]\nsources: [{mapping: a.yaml}, {mapping: a.yaml}]\n"
    )
    with pytest.raises(ConfigurationError, match="'lights' already exists"):
        load_profile(tmp_path)
