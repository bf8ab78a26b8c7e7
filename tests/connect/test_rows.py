from __future__ import annotations

from typing import Any

import pytest

from cityloom.connect.rejects import RowRejected
from cityloom.connect.rows import Built, RowBuilder
from cityloom.model.entity import LOCATION, NGSI_LD, Attribute
from tests.connect.conftest import expand, make


def build(row: dict[str, Any], **values: Any) -> Built:
    return RowBuilder(make(**values), expand).build(1, {"id": "1", **row})


def one(row: dict[str, Any], part: Any, **values: Any) -> Attribute | None:
    """The attribute `a` that a row gives, or None."""
    found = build(row, attributes={"a": part}, **values).attributes.get(expand("a"))
    return found[0] if found else None


@pytest.mark.parametrize(
    ("cell", "part", "expected"),
    [
        (" x ", "c", "x"),
        (5, "c", 5),
        (True, "c", True),
        ("7", {"from": "c", "number": True}, 7),
        ("7.5", {"from": "c", "number": True}, 7.5),
        ("0.03", {"from": "c", "number": True, "scale": 25.4}, 0.762),
        ("50", {"from": "c", "number": True, "scale": 0.5, "offset": -10}, 15),
        ("Yes", {"from": "c", "boolean": True}, True),
        ("0", {"from": "c", "boolean": True}, False),
        ("2011-07-01T00:00:00", {"from": "c", "datetime": True}, "2011-07-01T04:00:00Z"),
        ("20221104", {"from": "c", "date": "%Y%m%d"}, "2022-11-04"),
        ("6,7, 8", {"from": "c", "split": ","}, ["6", "7", "8"]),
        ("LIHGT", {"from": "c", "map": {"LIHGT": "LIGHT"}}, "LIGHT"),
        (1.0, {"from": "c", "map": {"1": "one"}}, "one"),
        ("x", {"text": "<{c}>"}, "<x>"),
        ("x", {"object": {"street": "c", "town": "none"}}, {expand("street"): "x"}),
    ],
)
def test_build_makes_property_values(cell: Any, part: Any, expected: Any) -> None:
    attribute = one({"c": cell}, part)
    assert attribute is not None
    assert attribute.kind == "Property"
    assert attribute.value == expected
    assert type(attribute.value) is type(expected) or isinstance(expected, float | int)


@pytest.mark.parametrize("cell", ["", "  ", None, float("nan"), "n/a", -9999])
@pytest.mark.parametrize("shape", [{}, {"number": True}, {"datetime": True}, {"vocab": True}])
def test_build_gives_no_attribute_of_an_empty_cell(cell: Any, shape: dict[str, Any]) -> None:
    assert one({"c": cell}, {"from": "c", "empty": [-9999], **shape}, empty=["n/a"]) is None


def test_build_gives_no_attribute_when_the_map_says_null() -> None:
    assert one({"c": "0785"}, {"from": "c", "map": {"0785": None}}) is None


@pytest.mark.parametrize(
    ("cell", "shape", "reason"),
    [
        ("many", {"number": True}, "not a number"),
        ("inf", {"number": True}, "not a number"),
        ("1e999", {"number": True}, "not a number"),
        (True, {"number": True}, "not a number"),
        ("maybe", {"boolean": True}, "not true or false"),
        ("soon", {"datetime": True}, "invalid time"),
    ],
)
def test_build_rejects_a_row_with_the_field_and_the_reason(cell: Any, shape: Any, reason: str) -> None:
    with pytest.raises(RowRejected) as caught:
        one({"c": cell}, {"from": "c", **shape})
    assert (caught.value.reason, caught.value.field) == (reason, "c")
    assert "c is invalid" in caught.value.detail


def test_build_makes_the_other_kinds() -> None:
    row = {"status": "open", "en": "Park", "zh": "公园", "d": "Back Bay/1", "j": '{"a": [1]}', "e": ""}
    built = build(
        row,
        attributes={
            "state": {"from": "status", "vocab": True},
            "label": {"language": {"en": "en", "zh": "zh", "fr": "e"}},
            "refDistrict": {"relationship": "urn:ngsi-ld:District:{d}"},
            "refNone": {"relationship": "urn:ngsi-ld:District:{e}"},
            "raw": {"json": "j"},
        },
    )
    found = {name: instances[0] for name, instances in built.attributes.items()}
    assert found[expand("state")].kind == "VocabProperty"
    assert found[expand("state")].value == expand("open")
    assert found[expand("label")].value == {"en": "Park", "zh": "公园"}
    assert found[expand("refDistrict")].kind == "Relationship"
    assert found[expand("refDistrict")].value == "urn:ngsi-ld:District:Back%20Bay%2F1"
    assert found[expand("raw")].kind == "JsonProperty"
    assert found[expand("raw")].value == {"a": [1]}
    assert expand("refNone") not in found


def test_build_stamps_what_it_reads_and_not_what_is_the_same_for_all() -> None:
    builder = RowBuilder(
        make(
            observedAt="at",
            geometry={"lon": "x", "lat": "y"},
            attributes={
                "a": {"from": "c", "unitCode": "MMT"},
                "b": {"from": "c", "observedAt": "other"},
                "k": {"value": 1},
            },
        ),
        expand,
    )
    row = {"id": 3, "at": "2020-01-01T00:00:00Z", "other": "2021-01-01T00:00:00Z", "c": 5, "x": 1, "y": 2}
    entity = builder.entity(builder.build(1, row))
    a, b, k = (entity.instance(expand(name)) for name in "abk")
    location = entity.instance(LOCATION)
    assert a is not None
    assert b is not None
    assert k is not None
    assert location is not None
    assert (a.observed_at, a.unit_code) == ("2020-01-01T00:00:00Z", "MMT")
    assert b.observed_at == "2021-01-01T00:00:00Z"
    assert k.observed_at is None
    assert location.observed_at == "2020-01-01T00:00:00Z"
    assert entity.id == "urn:ngsi-ld:Thing:3"


def test_build_makes_several_instances_of_one_attribute() -> None:
    built = build(
        {"w": 1, "e": 2},
        attributes={
            "intensity": {"from": "w", "datasetId": "urn:x:west"},
            "other": {"from": "e", "attribute": "intensity", "datasetId": "urn:x:east"},
        },
    )
    instances = built.attributes[expand("intensity")]
    assert {(one.dataset_id, one.value) for one in instances} == {("urn:x:west", 1), ("urn:x:east", 2)}


def test_build_types_times() -> None:
    attribute = one({"c": "2011-07-01"}, {"from": "c", "datetime": True})
    assert attribute is not None
    assert attribute.value_type == NGSI_LD + "DateTime"


@pytest.mark.parametrize(
    ("row", "values", "reason"),
    [
        ({"id": ""}, {}, "no id"),
        ({"c": " "}, {"require": ["c"]}, "required value missing"),
        ({}, {"attributes": {"a": {"from": "c", "optional": False}}}, "required value missing"),
        ({"at": ""}, {"observedAt": "at", "series": True}, "no time"),
        ({"c": "{"}, {"attributes": {"a": {"json": "c"}}}, "not JSON"),
        ({"x": 181, "y": 0}, {"geometry": {"lon": "x", "lat": "y"}}, "invalid coordinates"),
        ({"x": 0, "y": -90.5}, {"geometry": {"lon": "x", "lat": "y"}}, "invalid coordinates"),
        ({"x": "east", "y": 0}, {"geometry": {"lon": "x", "lat": "y"}}, "not a number"),
        ({"x": 1, "y": ""}, {"geometry": {"lon": "x", "lat": "y"}}, "invalid coordinates"),
    ],
)
def test_build_rejects_rows_that_can_be_no_entity(row: Any, values: Any, reason: str) -> None:
    with pytest.raises(RowRejected) as caught:
        build(row, **values)
    assert caught.value.reason == reason
    assert caught.value.field


@pytest.mark.parametrize(
    "geometry",
    [
        5,
        {},
        {"type": "Point"},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [500, 0], [0, 0]]]},
        {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [0, 0]}]},
        {"type": "Circle", "coordinates": [0, 0]},
    ],
)
def test_build_rejects_bad_geometry(geometry: Any) -> None:
    with pytest.raises(RowRejected, match=r"geometry is invalid|no longitude"):
        build({"geometry": geometry}, geometry={"from": "geometry"})


def test_build_counts_points_that_mean_no_place_and_keeps_the_row() -> None:
    builder = RowBuilder(make(geometry={"lon": "x", "lat": "y"}, noPlace=[[-71.0587, 42.3594]]), expand)
    built = builder.build(1, {"id": 1, "x": "-71.0587", "y": "42.3594"})
    assert LOCATION not in built.attributes
    assert builder.notes == {"noPlace": 1}


def test_build_keeps_an_area_that_crosses_itself_and_counts_it() -> None:
    builder = RowBuilder(make(geometry={"from": "geometry"}), expand)
    bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    built = builder.build(1, {"id": 1, "geometry": bow_tie})
    assert built.attributes[LOCATION][0].value == bow_tie
    assert builder.notes == {"selfCrossingAreas": 1}


def test_build_never_puts_personal_columns_into_an_attribute() -> None:
    built = build(
        {"reporter": "Ann", "phone": "", "c": "x"}, personal=["reporter", "phone"], attributes={"a": "c"}
    )
    assert built.personal == {"reporter": "Ann"}
    assert "Ann" not in str(built.attributes)


def test_build_encodes_ids_and_leaves_the_braces_of_a_guid_off() -> None:
    assert build({"id": "a b/ü"}).entity_id == "urn:ngsi-ld:Thing:a%20b%2F%C3%BC"
    assert build({"id": "{C8B9-1}"}).entity_id == "urn:ngsi-ld:Thing:C8B9-1"
    assert build({"id": 449.0}).entity_id == "urn:ngsi-ld:Thing:449"
