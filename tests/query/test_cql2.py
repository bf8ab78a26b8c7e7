"""CQL2: the standard's own examples, an independent oracle, and what no input may do.

`cql2_examples.jsonl` holds the expressions of OGC 21-065r2 (text and JSON of the same filter), as
github.com/opengeospatial/ogcapi-features publishes them in cql2/standard/schema/examples.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygeofilter.parsers.cql2_text import parse as parse_other

from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.errors import BadRequestData, TooComplexQuery
from cityloom.query.cql2 import parse_cql2, properties_of
from cityloom.query.cql2_evaluate import condition
from cityloom.query.cql2_text import read_text
from cityloom.query.evaluate import matches
from cityloom.query.values import CqlBoolean, CqlCompare, CqlNumber, CqlProperty, Query
from query.cql2_draws import filters, print_cql2
from query.cql2_oracle import truth
from query.draws import MOMENTS, entities, expand

_LINES = (Path(__file__).parent / "cql2_examples.jsonl").read_text(encoding="utf-8").splitlines()
EXAMPLES: dict[str, Any] = {(example := json.loads(line))["name"]: example for line in _LINES}
WITH_FUNCTIONS = {"clause6_01", "clause6_02b", "clause7_18", "example68", "example69"}
"""Those that call a function of the server's own, of which there is none."""

VALUES: dict[str, Any] = {
    "balance": 150.5,
    "bar": 61.234,
    "beamMode": "ScanSAR Narrow",
    "bridge_clearance": 5,
    "built": "2014-12-31",
    "category": 5,
    "city": "Toronto",
    "cityName": "Tokyo",
    "depth": 150.0,
    "ends_at": "2017-06-11T10:29:59Z",
    "eo:cloud_cover": 0.1,
    "eo:instrument": "OLI_TIRS",
    "etat_vol": "debarquer",
    "event_time": "1969-07-20T20:17:40Z",
    "floors": 6,
    "foo": 10,
    "geophys:SURVEY_NAME": "South CALCUTTA Survey",
    "landsat:scene_id": "LC82030282019133LGN00",
    "landsat:wrs_path": "153",
    "landsat:wrs_row": 28,
    "layer:ids": ["layers-ca", "layers-us", "layers-mx"],
    "liftOff": "1969-07-21T17:54:00Z",
    "material": "brick veneer",
    "name": "Smithson",
    "owner": "Mike Jones",
    "polarization": "HH+VV+HV+VH",
    "road_class": "STRASSE",
    "starts_at": "2017-06-10T07:30:01Z",
    "swathDirection": "ascending",
    "swimming_pool": True,
    "taxes": 500,
    "touchdown": "1969-07-20T20:17:40Z",
    "updated": "1970-01-01",
    "updated_at": "2012-08-10",
    "value": 15,
    "values": ["a", "b", "c"],
    "vehicle_height": 4.5,
    "x": 2,
}
AREA = [[43.58, -79.55], [43.7, -79.55], [43.7, -79.3], [43.58, -79.3], [43.58, -79.55]]
PLACES = {
    "footprint": {"type": "Polygon", "coordinates": [AREA]},
    "road": {"type": "LineString", "coordinates": [[43.72, -79.296], [43.74, -79.296]]},
    "location": {"type": "Point", "coordinates": [-117.95, 33.9]},
}
FALSE = {
    *(
        "clause7_07",
        "example04",
        "example08",
        "example13",
        "example19",
        "example24",
        "example30",
        "example31",
    ),
    *("example33", "example35", "example38", "example38-alt01", "example39", "example41", "example46"),
    *("example46-alt01", "example48", "example49", "example49-alt01", "example50", "example51", "example52"),
    *("example54", "example54-alt01", "example55", "example55-alt01", "example57", "example58", "example59"),
    *("example60", "example61", "example62", "example63", "example64", "example65", "example66", "example67"),
    *("example70", "example71", "example72", "example73", "example75", "example78", "example81", "example82"),
    *("example83", "example84", "example85", "example85-alt01", "example86"),
}
UNKNOWN = {"example06a", "example06b", "example40", "example40-alt01"}
"""A number is compared with texts, or a text with numbers."""
TRUE_WITH: dict[str, dict[str, Any]] = {
    "example04": {"eo:cloud_cover": 0.05, "landsat:wrs_path": 203},
    "example06a": {"landsat:wrs_path": 203},
    "example06b": {"landsat:wrs_path": 203},
    "example13": {"owner": "Ann"},
    "example19": {"owner": "mike", "floors": 3},
    "example31": {"value": 9.99},
    "example33": {"value": 10},
    "example35": {"name": "foo"},
    "example39": {"value": 3},
    "example40": {"value": "d"},
    "example54": {"updated_at": "2012-08-10T05:29:59.999999Z"},
    "example55": {"starts_at": "2000-01-01T00:00:00.000001Z", "ends_at": "2005-01-10T01:01:01.393215Z"},
    "example57": {"starts_at": "2005-01-11", "ends_at": "2010-02-09"},
    "example58": {"updated_at": "1851-04-29T23:59:59Z"},
    "example59": {"starts_at": "1990-01-01T00:00:00Z", "ends_at": "2010-02-10T05:29:20.073225Z"},
    "example60": {"starts_at": "1991-10-08T00:00:00Z", "ends_at": "2010-02-10T05:29:20.073225Z"},
    "example61": {"starts_at": "2010-02-10T05:29:20.073225Z", "ends_at": "2011-01-01T00:00:00Z"},
    "example62": {"starts_at": "2010-02-10", "ends_at": "2011-01-01"},
    "example63": {"starts_at": "2009-01-01T00:00:00Z", "ends_at": "2010-02-10T05:29:20.073225Z"},
    "example64": {"starts_at": "1990-01-01T00:00:00Z", "ends_at": "2000-01-01T00:00:00Z"},
    "example65": {"starts_at": "1990-01-01T00:00:00Z", "ends_at": "1992-01-01T00:00:00Z"},
    "example66": {"starts_at": "1991-10-07T08:21:06.393262Z", "ends_at": "2000-01-01T00:00:00Z"},
    "example67": {"starts_at": "1991-10-07T08:21:06.393262Z", "ends_at": "2000-01-01T00:00:00Z"},
    "example70": {"owner": "Beyonce"},
    "example71": {"owner": "SOMEBODY Else"},
    "example72": {"value": 20.5},
    "example73": {"value": -1},
    "example75": {"value": 0.2},
    "example78": {"foo": 3},
    "example81": {"values": [8, "a", True, 1]},
    "example82": {"values": ["x", "2010-02-10T12:00:00Z"]},
    "example85": {"value": -14.0},
    "example86": {"name": "foo"},
}


def house(**changes: Any) -> Entity:
    """What the standard's examples speak of, with these values changed."""
    values = {**VALUES, **changes}
    attributes = {
        example_iri(name): [Attribute(kind="Property", value=held)] for name, held in values.items()
    }
    attributes |= {
        example_iri(name): [Attribute(kind="GeoProperty", value=held)] for name, held in PLACES.items()
    }
    return Entity(id="fa7e1920-9107-422d-a3db-c468cbc5d6df", types=["House"], attributes=attributes)


def example_iri(name: str) -> str:
    return LOCATION if name == "location" else f"https://example.org/terms/{name}"


def read(filter: Any, lang: Any = "cql2-text", **more: Any) -> Any:
    return parse_cql2(filter, lang=lang, expand=example_iri, **more)


def says(text: str, entity: Entity) -> bool | None:
    return condition(parse_cql2(text, expand=expand))(entity)


def entity_with(name: str, kind: Any, *values: Any, **more: Any) -> Entity:
    instances = [
        Attribute(kind=kind, value=value, dataset_id=f"urn:d:{number}" if number else "", **more)
        for number, value in enumerate(values)
    ]
    return Entity(id="urn:e:1", types=["T"], attributes={expand(name): instances}, created_at=MOMENTS[0])


# -- the standard's examples ---------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - WITH_FUNCTIONS))
def test_parse_cql2_reads_the_same_from_text_and_json(name: str) -> None:
    example = EXAMPLES[name]
    node = read(example["text"])
    assert node == read(example["json"], "cql2-json") == read(json.dumps(example["json"]), "cql2-json")


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - WITH_FUNCTIONS))
def test_an_example_is_true_or_false_of_the_house_as_the_standard_says(name: str) -> None:
    wanted = None if name in UNKNOWN else name not in FALSE
    assert condition(read(EXAMPLES[name]["text"]))(house()) is wanted


@pytest.mark.parametrize("name", sorted(TRUE_WITH))
def test_an_example_becomes_true_when_the_house_changes(name: str) -> None:
    assert condition(read(EXAMPLES[name]["text"]))(house(**TRUE_WITH[name])) is True


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - WITH_FUNCTIONS - {"clause7_16", "clause7_17"}))
def test_an_example_never_selects_what_has_nothing(name: str) -> None:
    """All but negations of what is there, and relations of two literals, are unknown."""
    wanted = True if name in ("example41", "example44", "example44-alt01") else None
    if name in ("clause6_03", "example42", "example42-alt01"):
        wanted = False
    if name in ("example29", "example30"):
        wanted = name == "example30"
    assert condition(read(EXAMPLES[name]["text"]))(Entity(id="urn:e:1", types=["T"])) is wanted


@pytest.mark.parametrize("name", sorted(WITH_FUNCTIONS))
def test_parse_cql2_refuses_a_function_by_its_name(name: str) -> None:
    with pytest.raises(
        BadRequestData, match=r"filter is invalid: (the function )?(avg|Buffer|Foo|Bar) is no"
    ):
        read(EXAMPLES[name]["text"])


# -- against an oracle -----------------------------------------------------------------------------------
@settings(max_examples=500, deadline=None)
@given(tree=filters, entity=entities())
def test_condition_is_what_the_oracle_says(tree: Any, entity: Entity) -> None:
    from_json = condition(parse_cql2(tree, lang="cql2-json", expand=expand))
    from_text = condition(parse_cql2(print_cql2(tree), expand=expand))
    wanted = truth(tree, entity)
    assert from_json(entity) is wanted
    assert from_text(entity) is wanted
    query = Query(filter=parse_cql2(tree, lang="cql2-json", expand=expand))
    assert matches(query, entity) is (wanted is True)


PRECEDENCE = [
    "NOT aa = 1 AND bb = 2 OR cc = 3",
    "aa BETWEEN 1 AND 2 AND bb = 1 OR cc = 2",
    "aa - bb - cc = aa - (bb - cc)",
    "aa + bb * cc - xx / yy = 1",
    "aa / bb * cc > 1 AND aa * bb / cc < 1",
]


@pytest.mark.parametrize("text", PRECEDENCE)
def test_read_text_groups_operators_as_another_parser_does(text: str) -> None:
    """The parser of pygeofilter, which has its own grammar (but does not bind AND before OR)."""

    def grouped(node: Any) -> Any:
        if isinstance(node, dict):
            return (
                (node["op"], *(grouped(each) for each in node["args"])) if "op" in node else node["property"]
            )
        return node

    def other(node: Any) -> Any:
        kind = type(node).__name__
        if kind in ("Attribute",):
            return node.name
        if kind == "Not":
            return ("not", other(node.sub_node))
        if kind == "Between":
            return ("between", other(node.lhs), other(node.low), other(node.high))
        return (node.op.value.lower(), other(node.lhs), other(node.rhs)) if hasattr(node, "op") else node

    assert grouped(read_text(text)) == other(parse_other(text))


def test_read_text_binds_not_before_and_before_or() -> None:
    one, two, three = ({"op": "=", "args": [{"property": name}, 1.0]} for name in "abc")
    both = {"op": "and", "args": [two, {"op": "not", "args": [three]}]}
    assert read_text("a = 1 OR b = 1 AND NOT c = 1") == {"op": "or", "args": [one, both]}


# -- what the values of an entity are ------------------------------------------------------------------
def test_a_language_property_matches_by_any_of_its_texts_and_differs_when_none_does() -> None:
    entity = entity_with("name", "LanguageProperty", {"en": "Town Hall", "zh": "市政厅"})
    assert says("name = '市政厅'", entity) is True
    assert says("name LIKE 'Town%'", entity) is True
    assert says("name <> 'Town Hall'", entity) is False
    assert says("name <> 'Library'", entity) is True
    assert says("name.zh = 'Town Hall'", entity) is False
    assert says("CASEI(name) = CASEI('TOWN HALL')", entity) is True


def test_a_vocabulary_property_is_its_iri_its_last_part_and_its_term() -> None:
    entity = entity_with("status", "VocabProperty", "https://city.example/states#open")
    terms = {"Offen": "https://city.example/states#open"}

    def ask(text: str) -> bool | None:
        return condition(parse_cql2(text, expand=lambda name: terms.get(name, expand(name))))(entity)

    assert ask("status = 'https://city.example/states#open'") is True
    assert ask("status = 'open'") is True
    assert ask("status IN ('closed', 'Offen')") is True
    assert ask("status LIKE 'op%'") is True
    assert ask("status = 'closed'") is False
    assert ask("A_CONTAINS(status, ('Offen'))") is True


def test_a_relationship_is_a_uri_and_several_are_an_array() -> None:
    one = entity_with("partOf", "Relationship", "urn:x:1")
    several = entity_with("partOf", "Relationship", ["urn:x:1", "urn:x:2"])
    assert says("partOf = 'urn:x:1'", one) is True
    assert says("A_OVERLAPS(partOf, ('urn:x:1', 'urn:x:9'))", one) is True
    assert says("partOf = 'urn:x:1'", several) is None
    assert says("A_CONTAINS(partOf, ('urn:x:2'))", several) is True


def test_of_several_instances_the_default_one_is_seen() -> None:
    entity = entity_with("no2", "Property", 10, 99)
    assert says("no2 = 10", entity) is True
    assert says("no2 = 99", entity) is False


def test_dotted_names_reach_sub_attributes_members_and_times() -> None:
    sub = {expand("accuracy"): [Attribute(kind="Property", value=0.5)]}
    entity = entity_with("no2", "Property", 10, observed_at=MOMENTS[0], unit_code="GQ", attributes=sub)
    assert says("no2.accuracy < 1", entity) is True
    assert says("no2.unitCode = 'GQ'", entity) is True
    assert says("no2.observedAt = TIMESTAMP('2020-01-01T00:00:00Z')", entity) is True
    assert says("no2.observedAt = DATE('2020-01-01')", entity) is True
    assert says("no2.nothing IS NULL", entity) is True
    address = entity_with("address", "Property", {expand("street"): "Main", "https://x.example/no": 3})
    assert says("address.street = 'Main'", address) is True
    assert says("address IS NULL", address) is False
    assert says("address = 'Main'", address) is None
    whole = entity_with("https://x.example/a.b", "Property", 1)
    assert says('"https://x.example/a.b" = 1', whole) is True


def test_members_of_the_entity_are_seen() -> None:
    entity = entity_with("a", "Property", 1)
    assert says("id = 'urn:e:1'", entity) is True
    assert (
        says("createdAt >= DATE('2020-01-01') AND createdAt < TIMESTAMP('2020-01-01T00:00:01Z')", entity)
        is True
    )
    assert says("modifiedAt IS NULL", entity) is True


def test_typed_values_are_what_they_hold() -> None:
    entity = entity_with("at", "Property", {"@type": "DateTime", "@value": "2020-01-01T02:00:00+02:00"})
    assert says("at = TIMESTAMP('2020-01-01T00:00:00Z')", entity) is True
    assert says("T_INTERSECTS(at, INTERVAL('2019-12-31', '2020-01-01'))", entity) is True


def test_a_value_of_another_type_is_unknown_and_so_is_its_negation() -> None:
    entity = entity_with("a", "Property", "many")
    for text in (
        "a > 5",
        "NOT a > 5",
        "a <> 5",
        "a NOT BETWEEN 1 AND 2",
        "a + 1 = 2",
        "a = DATE('2020-01-01')",
    ):
        assert says(text, entity) is None
    assert says("a > 5 OR a = 'many'", entity) is True
    assert says("a > 5 AND FALSE", entity) is False
    assert says("(a > 5) IS NULL", entity) is True


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("7 div 2 = 3", True),
        ("-7 div 2 = -3", True),
        ("-7 % 3 = -1", True),
        ("2 ^ 3 = 8", True),
        ("1 / 0 = 1", None),
        ("10 ^ 400 > 1", None),
        ("-1 ^ 0.5 = 1", None),
        (".5 = 0.5", True),
        ("1e3 = 1000", True),
        ("CASEI('Straße') = CASEI('STRASSE')", True),
        ("ACCENTI('Łódź, Ångström, Ærø') = 'Lodz, Angstrom, Æro'", True),
        ("ACCENTI('がぎ') = 'かき'", False),
        ("'it''s' = 'it\\'s'", True),
        ("'a\\nb' LIKE 'a_b'", True),
        ("'100%' LIKE '100\\%' AND NOT '1000' LIKE '100\\%'", True),
        ("'a\\\\b' LIKE 'a\\\\\\\\b'", True),
        ("'' LIKE '%' AND NOT '' LIKE '_'", True),
        ("A_EQUALS((), ()) AND A_CONTAINS(('a'), ())", True),
        ("A_EQUALS((1, 2, 2), (2, 1)) AND NOT A_EQUALS((1), (1, 2))", True),
        ("S_INTERSECTS(POINT(179.5 0), BBOX(170, -10, -170, 10))", True),
        ("S_INTERSECTS(POINT(0 0), BBOX(170, -10, -170, 10))", False),
        ("S_INTERSECTS(POINT(179.5 0), BBOX(170, 0, -170, 0))", True),
        ("S_TOUCHES(POINT(0 0), BBOX(0, 0, 0, 1))", True),
        ("S_EQUALS(POINT(3 4), BBOX(3, 4, 3, 4))", True),
        ("S_WITHIN(POINT(1e1 .5), POLYGON((0 0, 20 0, 20 1, 0 1, 0 0)))", True),
        ("S_INTERSECTS(POINT Z(1 2 3), GEOMETRYCOLLECTION(POINT(5 5), LINESTRING(0 1, 2 3)))", True),
        ("T_STARTS(INTERVAL('2020-01-01', '2020-02-01'), INTERVAL('2020-01-01', '..'))", True),
        ("T_STARTEDBY(INTERVAL('2020-01-01', '..'), INTERVAL('2020-01-01', '2020-02-01'))", True),
        ("T_MEETS(INTERVAL('2020-01-01', '2020-02-01'), INTERVAL('2020-02-01T12:00:00Z', '..'))", True),
        ("TIMESTAMP('2020-01-01T23:59:59Z') <= DATE('2020-01-01')", True),
    ],
)
def test_a_filter_of_literals_alone(text: str, wanted: bool | None) -> None:
    assert says(text, Entity(id="urn:e:1", types=["T"])) is wanted


# -- what the parser gives and refuses ----------------------------------------------------------------
def test_parse_cql2_expands_names_and_properties_of_tells_them() -> None:
    node = read("a > 1")
    assert isinstance(node, CqlCompare)
    assert isinstance(node.left, CqlProperty)
    assert node.left.paths[0].attributes == ("https://example.org/terms/a",)
    assert node.right == CqlNumber(1)
    assert list(properties_of(read("a > 1 AND NOT (b.c IS NULL OR a IN (1, d))"))) == ["a", "b.c", "d"]
    assert read("TRUE") == CqlBoolean(True)


def test_parse_cql2_turns_geometries_into_crs84() -> None:
    def swapped(geometry: dict[str, Any]) -> dict[str, Any]:
        return {**geometry, "coordinates": geometry["coordinates"][::-1]}

    node = read("S_EQUALS(geometry, POINT(50 120))", filter_crs=swapped)
    assert node.right.geometry == {"type": "Point", "coordinates": [120.0, 50.0]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a condition is required"),
        ("a", "a property is no condition"),
        ("a = ", "at position 5: something is missing"),
        ("a = 1 b", "at position 7: 'b' cannot stand here"),
        ("name = 'O\\'Hara' !", r"at position 18: '!' cannot stand here"),
        ("a = 'x", "at position 5: the text is not closed"),
        ("a = (b = 1)", "argument 2 of = is the condition =, where a value is required"),
        ("a = NULL", "ask for it by IS NULL"),
        ("a = 1e999", "a number beyond"),
        ("a = DATE('2020-13-01')", "'2020-13-01' is no date"),
        ("a = TIMESTAMP('2020-01-01')", "is no ISO 8601 date-time"),
        ("a LIKE b", "argument 2 of like must be a text"),
        ("a + 'x' = 1", r"argument 2 of \+ must be a property or a number"),
        ("CASEI(1) = 'x'", "argument 1 of casei must be a property or a text"),
        ("a = INTERVAL('..', '..')", "argument 2 of = must be"),
        ("T_AFTER(a, INTERVAL('2020-01-01', '2019-01-01'))", "ends before it starts"),
        ("T_DURING(a, INTERVAL('2020-01-01', '..'))", "must be an interval .T_INTERSECTS takes"),
        ("S_INTERSECTS(a, 'x')", "argument 2 of s_intersects must be a property or a geometry"),
        ("S_INTERSECTS(a, POINT(200 0))", "longitudes lie within 180"),
        ("S_INTERSECTS(a, POLYGON((0 0, 1 0, 1 1)))", "a ring has four positions"),
        ("S_INTERSECTS(a, POINT EMPTY)", "filter is invalid"),
        ("S_INTERSECTS(a, BBOX(1, 2, 3))", "bbox takes four or six numbers"),
        ("S_INTERSECTS(a, BBOX(1, 2, 3, 0))", "the south of bbox"),
        ("S_DWITHIN(a, POINT(0 0), 10)", "S_DWITHIN is no condition that is known here"),
        ("a. = 1", "is no name of a property"),
        ("a = '\0'", "NUL is no character"),
        ("a = '\ud800'", "half of a surrogate pair"),
    ],
)
def test_parse_cql2_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(BadRequestData, match=message):
        read(text)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "no JSON"),
        ("[]", "a condition is required"),
        ('{"op": "="}', "args, a list, are required"),
        ('{"op": "=", "args": [1]}', "= takes 2 arguments, not 1"),
        ('{"op": "and", "args": [true]}', "and takes two conditions"),
        ('{"op": "=", "args": [{"x": 1}, 2]}', "argument 1 of = is nothing that CQL2 knows"),
        ('{"op": "in", "args": [1, []]}', "in takes a value and a list"),
        (
            '{"op": "s_equals", "args": [{"type": "Point", "coordinates": "x"}, {"property": "a"}]}',
            "argument 1",
        ),
        ('{"op": "=", "args": [1, ' + "9" * 400 + "]}", "number beyond|no JSON"),
    ],
)
def test_parse_cql2_says_what_is_wrong_with_a_document(document: str, message: str) -> None:
    with pytest.raises(BadRequestData, match=message):
        read(document, "cql2-json")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000,
        "(" * 5_000 + "a = 1" + ")" * 5_000,
        "NOT " * 10_000 + "a = 1",
        "a = " + "-" * 30_000 + "1",
        "a = " + "f(" * 20_000,
        "a = " + "+".join("1" * 20_000),
        "=".join("a" * 20_000),
        " AND ".join(["a = 1"] * 5_000),
        " OR ".join(["a = 1"] * 5_000),
        "a = 1" + " IS NULL" * 5_000,
        "S_INTERSECTS(a, GEOMETRYCOLLECTION" + "(" * 20_000,
        "a = '" + "x" * 70_000 + "'",
    ],
)
def test_parse_cql2_refuses_what_would_overflow_the_stack(text: str) -> None:
    """The library's parser would end the process."""
    with pytest.raises(TooComplexQuery):
        read(text)


def test_parse_cql2_reads_a_long_but_flat_filter() -> None:
    assert len(read(f"a IN ({', '.join(str(n) for n in range(3_000))})").items) == 3_000
    ring = ", ".join(f"{-79 - n / 1000} -43.5" for n in range(1_000))
    read(f"S_INTERSECTS(geometry, POLYGON(({ring}, -79.0 -43.5)))")
    deep: Any = True
    for _ in range(2_000):
        deep = {"op": "not", "args": [deep]}
    with pytest.raises(TooComplexQuery):
        read(deep, "cql2-json")


_WORDS = [
    *(
        "a",
        "b.c",
        '"x y"',
        "1",
        "-2.5",
        "'t'",
        "''",
        "TRUE",
        "NULL",
        "NOT",
        "AND",
        "OR",
        "IN",
        "LIKE",
        "BETWEEN",
    ),
    *(
        "IS",
        "(",
        ")",
        ",",
        "=",
        "<>",
        "<",
        "+",
        "-",
        "*",
        "/",
        "^",
        "div",
        "%",
        "DATE('2020-01-01')",
        "POINT(1 2)",
    ),
    *(
        "TIMESTAMP('x')",
        "INTERVAL(",
        "S_INTERSECTS(",
        "T_AFTER(",
        "A_EQUALS(",
        "CASEI(",
        "BBOX(1,2,3,4)",
        "'",
        '"',
    ),
    *("POLYGON((", "EMPTY", "\\", "()", "f(", ";", "é", "\u0301"),
]


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.text(max_size=40), st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join)))
def test_parse_cql2_reads_or_refuses_any_text(text: str) -> None:
    with contextlib.suppress(BadRequestData, TooComplexQuery):
        condition(parse_cql2(text, expand=expand))(house())


_documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=5), st.just("..")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["op", "args", "property", "date", "interval", "bbox", "type", "coordinates"]),
            st.one_of(
                inner, st.sampled_from(["=", "and", "not", "in", "like", "s_within", "a_equals", "Point"])
            ),
            max_size=3,
        ),
        st.tuples(
            st.sampled_from(
                ["=", "and", "not", "in", "like", "between", "s_within", "t_meets", "+", "casei"]
            ),
            st.lists(inner, max_size=3),
        ).map(lambda pair: {"op": pair[0], "args": pair[1]}),
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(document=_documents)
def test_parse_cql2_reads_or_refuses_any_document(document: Any) -> None:
    with contextlib.suppress(BadRequestData, TooComplexQuery):
        condition(parse_cql2(document, lang="cql2-json", expand=expand))(house())
