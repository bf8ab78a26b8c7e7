"""An entity's values as a feature's properties."""

from __future__ import annotations

from typing import Any

import pytest

from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity
from cityloom.maps.collections import title_of
from cityloom.maps.features import Writer, geometry_of, read_columns
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.errors import BadRequestData

CORE = LdContext.core
STATION: dict[str, Any] = {
    "id": "urn:ngsi-ld:Station:1",
    "type": "Station",
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
    "name": {"type": "LanguageProperty", "languageMap": {"en": "Park", "zh": "公园"}},
    "no2": {
        "type": "Property",
        "value": 41.5,
        "unitCode": "GQ",
        "observedAt": "2026-05-01T12:00:00Z",
        "accuracy": {"type": "Property", "value": 0.9},
    },
    "address": {"type": "Property", "value": {"street": "Main St", "number": 5}},
    "kind": {"type": "VocabProperty", "vocab": "Urban"},
    "area": {"type": "Relationship", "object": "urn:ngsi-ld:District:1"},
    "built": {"type": "Property", "value": {"@type": "DateTime", "@value": "1999-01-01T00:00:00Z"}},
    "raw": {"type": "JsonProperty", "json": {"a": [1, {"b": 2}]}},
    "level": [
        {"type": "Property", "value": 1, "datasetId": "urn:d:1"},
        {"type": "Property", "value": 2},
    ],
    "tags": {"type": "ListProperty", "valueList": ["x", "y"]},
}


def properties(*names: str, languages: str = "en") -> dict[str, Any]:
    columns = read_columns(names, CORE) if names else None
    return Writer(CORE, languages, columns).properties(expand_entity(dict(STATION), CORE))


def test_properties_are_plain_values_by_compact_name() -> None:
    assert properties() == {
        "name": "Park",
        "no2": 41.5,
        "address": {"street": "Main St", "number": 5},
        "kind": "Urban",
        "area": "urn:ngsi-ld:District:1",
        "built": "1999-01-01T00:00:00Z",
        "raw": {"a": [1, {"b": 2}]},
        "level": 2,
        "tags": ["x", "y"],
    }


def test_properties_speak_the_language_of_the_reader() -> None:
    assert properties("name", languages="fr,zh;q=0.5")["name"] == "公园"


def test_properties_that_are_asked_for_may_lie_below() -> None:
    assert properties(
        "no2.observedAt",
        "no2.unitCode",
        "no2.accuracy",
        "address.street",
        "name.zh",
        "raw.a",
        "nothing",
        "id",
    ) == {
        "no2.observedAt": "2026-05-01T12:00:00Z",
        "no2.unitCode": "GQ",
        "no2.accuracy": 0.9,
        "address.street": "Main St",
        "name.zh": "公园",
        "raw.a": [1, {"b": 2}],
    }


def test_properties_may_be_named_by_iri() -> None:
    iri = "https://uri.etsi.org/ngsi-ld/default-context/no2"
    assert properties(iri) == {iri: 41.5}


def test_name_that_is_none_is_refused() -> None:
    with pytest.raises(BadRequestData, match="name"):
        read_columns(["no 2"], CORE)


def test_geometry_is_the_location_and_never_something_else() -> None:
    entity = expand_entity(dict(STATION), CORE)
    assert geometry_of(entity) == {"type": "Point", "coordinates": [1, 2]}
    odd = Entity(attributes={LOCATION: [Attribute(kind="Property", value={"type": "here"})]})
    assert geometry_of(odd) is None


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("AirQualityObserved", "Air quality observed"),
        ("Open311ServiceRequest", "Open311 service request"),
        ("EVChargingStation", "EV charging station"),
        ("https://example.org/terms/BusStop", "Bus stop"),
        ("requested_datetime", "Requested datetime"),
        ("街道", "街道"),
    ],
)
def test_title_is_the_name_in_words(name: str, title: str) -> None:
    assert title_of(name) == title
