"""The parsers: round trips, what the grammars refuse, and bounds."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.model.entity import LOCATION
from cityloom.model.errors import BadRequestData, CityloomError, TooComplexQuery
from cityloom.query.parse import (
    parse_geo,
    parse_ids,
    parse_order_by,
    parse_projection,
    parse_q,
    parse_scope_q,
    parse_temporal,
    parse_type_selection,
)
from cityloom.query.values import (
    AnyOf,
    Path,
    QAnd,
    QCompare,
    QExists,
    QNode,
    QOr,
    QText,
    QTime,
    Range,
    ScopeAnd,
    ScopeOr,
    ScopeTerm,
    TypeIs,
)
from query.draws import expand, expressions, print_q, print_selection, scope_queries, type_selections


def as_drawn(node: QNode) -> Any:
    """A parsed expression as tuples again, names short."""
    match node:
        case QExists(path):
            return ("exists", _path(path))
        case QCompare(path, operator, value):
            literal = ("pattern", value) if operator in ("~=", "!~=") else _literal(value)
            return ("compare", _path(path), operator, literal)
        case QAnd(terms):
            return ("and", [as_drawn(each) for each in terms])
        case QOr(terms):
            return ("or", [as_drawn(each) for each in terms])


def _path(path: Path) -> Any:
    return tuple(name.removeprefix(expand("")) for name in path.attributes), path.raw_members


def _literal(value: Any) -> Any:
    match value:
        case Range(low, high):
            return ("range", _literal(low), _literal(high))
        case AnyOf(values):
            return ("list", [_literal(each) for each in values])
        case QTime(text):
            return ("moment", text)
        case QText(text) | str(text):
            return ("text", text)
        case bool():
            return ("boolean", value)
        case _:
            return ("number", value)


@settings(max_examples=200, deadline=None)
@given(node=expressions)
def test_parse_q_gives_back_what_was_printed(node: Any) -> None:
    assert as_drawn(parse_q(print_q(node), expand)) == node


@given(expression=type_selections(), either=st.sampled_from(["|", ","]))
def test_parse_type_selection_gives_back_what_was_printed(expression: Any, either: str) -> None:
    assert parse_type_selection(print_selection(expression, either), expand) == expression


@given(expression=scope_queries(), either=st.sampled_from(["|", ","]))
def test_parse_scope_q_gives_back_what_was_printed(expression: Any, either: str) -> None:
    assert parse_scope_q(print_selection(expression, either)) == expression


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet='ab1.;|()[]{}=!<>~",- \\T:Z\ud800', max_size=30))
def test_parse_q_fails_cleanly_when_the_text_is_noise(text: str) -> None:
    with suppress(CityloomError):
        assert isinstance(parse_q(text, expand), QNode)


def test_parse_q_keeps_texts_that_are_no_terms() -> None:
    def strict(name: str) -> str:
        if name.startswith("@"):
            raise BadRequestData("no term")
        return expand(name)

    read = parse_q('a[@x]=="@home"', strict)
    assert read == QCompare(Path((expand("a"),), ("@x",), ("@x",)), "==", "@home")
    with pytest.raises(BadRequestData, match="no term"):
        parse_q('a=="@home"', strict, expand_values=["a"])


@pytest.mark.parametrize(
    ("q", "reason"),
    [
        ("", "not empty"),
        ("(a==1", "position 6: a closing parenthesis"),
        ("a==", "position 4: a value is required"),
        ("a=1", "position 2: '='"),
        ("a==1;", "position 6: the name of an attribute"),
        ("a>true", "position 3: a number"),
        ("a>abc", "position 3: a number"),
        ("a{b}==1", "position 1: linked entities are reached no deeper"),
        ("a.b{c}==1", "position 4: a relationship"),
        ("a..b", "position 1: ''"),
        ("a[b", "position 4: a closing bracket"),
        ("a[b..c]", "position 3: the name of a member"),
        ('a==1.."x"', "ends of a range"),
        ("a~=(", "position 4: the pattern"),
        ("9a", "position 1: '9a'"),
        ('a=="x', "position 4: a closing quote"),
        ("a==2020-13-01", "position 4: '2020-13-01'"),
        ('a=="\\x"', "no JSON string"),
        ('a=="\\ud800"', "surrogate"),
        ("a)", "position 2"),
        ("a==1..2..3", "position 8"),
    ],
)
def test_parse_q_names_the_position_when_the_grammar_is_broken(q: str, reason: str) -> None:
    with pytest.raises(BadRequestData, match="q is invalid") as caught:
        parse_q(q, expand)
    assert reason in caught.value.detail


@pytest.mark.parametrize(
    "text", ["(" * 100_000, "(" * 60_000 + "a", "a;" * 5_000 + "a", "a==" + ",".join("1" * 5_000)]
)
def test_parse_q_fails_cleanly_when_the_query_is_too_complex(text: str) -> None:
    with pytest.raises(TooComplexQuery, match="q is invalid"):
        parse_q(text, expand)


@pytest.mark.parametrize("text", ["A;B", "(A", "A,", "(A;)", "((A;B)", "A B", "9", "|A", "A,*"])
def test_parse_type_selection_refuses_what_the_grammar_does_not_know(text: str) -> None:
    with pytest.raises(BadRequestData, match="type is invalid at position"):
        parse_type_selection(text, expand)


def test_parse_type_selection_takes_names_prefixes_iris_and_the_wildcard() -> None:
    assert parse_type_selection("*", expand) is None
    assert parse_type_selection("https://example.org/T", expand) == TypeIs("https://example.org/T")
    assert parse_type_selection("fiware:T", expand) == TypeIs("fiware:T")


@pytest.mark.parametrize("text", ["/a//b", "/a/", "/#/a", "/a#", "/9", "(/a;/b", "/a;", "/a-b", "a:b"])
def test_parse_scope_q_refuses_what_the_grammar_does_not_know(text: str) -> None:
    with pytest.raises(BadRequestData, match="scopeQ is invalid at position"):
        parse_scope_q(text)


def test_parse_scope_q_takes_a_conjunction_without_parentheses() -> None:
    a, b, c = (ScopeTerm(f"/{name}") for name in "abc")
    assert parse_scope_q("/a;/b") == parse_scope_q("(/a;/b)") == ScopeAnd([a, b])
    assert parse_scope_q("/a;/b|/c") == ScopeOr([ScopeAnd([a, b]), c])


def test_parse_type_selection_takes_alternatives_in_parentheses() -> None:
    assert parse_type_selection("(A|B)", expand) == parse_type_selection("A|B", expand)


def test_parse_scope_q_gives_every_scope_its_slash() -> None:
    assert parse_scope_q("Madrid") == ScopeTerm("/Madrid")


SQUARE = [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]


def test_parse_geo_reads_texts_and_arrays_alike() -> None:
    near = {"georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": "[8,40]"}
    read = parse_geo(near, expand)
    assert read is not None
    assert (read.georel, read.max_distance, read.min_distance) == ("near", 2000.0, None)
    assert read.geoproperty == LOCATION
    assert parse_geo({**near, "coordinates": [8, 40]}, expand) == read
    away = parse_geo({**near, "georel": "near;minDistance==1.5e3", "geoproperty": "space"}, expand)
    assert away is not None
    assert (away.min_distance, away.geoproperty) == (1500.0, expand("space"))
    assert parse_geo({"geoproperty": "space"}, expand) is None


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"georel": "within"}, "geometry is required together with georel"),
        ({"georel": "within", "geometry": "Polygon"}, "coordinates is required"),
        ({"geometry": "Point", "coordinates": "[1,2]"}, "georel is required"),
        ({"georel": "near", "geometry": "Point", "coordinates": "[1,2]"}, "georel is invalid"),
        ({"georel": "near;maxDistance==0", "geometry": "Point", "coordinates": "[1,2]"}, "positive"),
        (
            {"georel": "near;maxDistance==-1", "geometry": "Point", "coordinates": "[1,2]"},
            "georel is invalid",
        ),
        ({"georel": "inside", "geometry": "Point", "coordinates": "[1,2]"}, "georel is invalid"),
        ({"georel": "within", "geometry": "Circle", "coordinates": "[1,2]"}, "geometry is invalid"),
        ({"georel": "within", "geometry": "Polygon", "coordinates": "[1,2"}, "coordinates is invalid"),
        ({"georel": "within", "geometry": "Polygon", "coordinates": "[1,2]"}, "coordinates is invalid"),
        ({"georel": "within", "geometry": "Polygon", "coordinates": "[" * 90_000}, "coordinates is invalid"),
        ({"georel": "within", "geometry": "Point", "coordinates": "[NaN,2]"}, "coordinates is invalid"),
        ({"georel": "within", "geometry": "Point", "coordinates": "[200,2]"}, "coordinates is invalid"),
        ({"georel": "within", "geometry": "Point", "coordinates": "{}"}, "coordinates is invalid"),
        ({"georel": "within", "geometry": "Point", "coordinates": '["a","b"]'}, "coordinates is invalid"),
        ({"georel": "within", "geometry": "Polygon", "coordinates": [SQUARE[0][:4]]}, "ring"),
        (
            {"georel": "within", "geometry": "Polygon", "coordinates": SQUARE, "geoproperty": "a b"},
            "geoproperty",
        ),
    ],
)
def test_parse_geo_names_what_is_wrong(parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRequestData) as caught:
        parse_geo(parameters, expand)
    assert reason in caught.value.detail


def test_parse_temporal_reads_texts_and_values_alike() -> None:
    assert parse_temporal({}) is None
    read = parse_temporal(
        {
            "timerel": "between",
            "timeAt": "2020-01-01T00:00:00Z",
            "endTimeAt": "2020-01-02T00:00:00Z",
            "timeproperty": "modifiedAt",
            "lastN": "5",
            "aggrMethods": "avg,max,avg",
            "aggrPeriodDuration": "P1M2D",
        }
    )
    assert read is not None
    assert read.end_time_at is not None
    assert read.time_at is not None
    assert read.end_time_at - read.time_at == 86_400_000_000
    assert (read.timeproperty, read.last_n) == ("modifiedAt", 5)
    assert (read.aggr_methods, read.period) == (["avg", "max"], (1, 2 * 86_400_000_000))
    body = parse_temporal({"lastN": 3, "aggrMethods": ["sum"]})
    assert body is not None
    assert (body.timerel, body.last_n, body.aggr_methods, body.period) == (None, 3, ["sum"], (0, 0))


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"timerel": "during", "timeAt": "2020-01-01T00:00:00Z"}, "timerel is invalid"),
        ({"timerel": "after"}, "timeAt is required"),
        ({"timerel": "between", "timeAt": "2020-01-01T00:00:00Z"}, "endTimeAt is required"),
        ({"timeAt": "2020-01-01T00:00:00Z"}, "timeAt is invalid"),
        ({"timerel": "after", "timeAt": "yesterday"}, "timeAt is invalid"),
        ({"timeproperty": "seenAt"}, "timeproperty is invalid"),
        ({"lastN": "0"}, "lastN is invalid"),
        ({"lastN": 1.5}, "lastN is invalid"),
        ({"lastN": True}, "lastN is invalid"),
        ({"aggrMethods": "median"}, "aggrMethods is invalid"),
        ({"aggrMethods": "avg,,max"}, "aggrMethods[1] is invalid"),
        ({"aggrPeriodDuration": "1 day"}, "aggrPeriodDuration is invalid"),
    ],
)
def test_parse_temporal_names_what_is_wrong(parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRequestData) as caught:
        parse_temporal(parameters)
    assert reason in caught.value.detail


def test_parse_order_by_reads_the_examples_of_the_clause() -> None:
    read = parse_order_by({"orderBy": "name,age;desc,address[city],name.observedAt,id"}, expand)
    assert read is not None
    assert [(term.path.attributes, term.path.raw_members, term.descending) for term in read.terms] == [
        ((expand("name"),), (), False),
        ((expand("age"),), (), True),
        ((expand("address"),), ("city",), False),
        ((expand("name"), "observedAt"), (), False),
        (("id",), (), False),
    ]
    line = parse_order_by(
        {"orderBy": ["location;dist-desc"], "orderFrom": "[[8,40],[9,42]]", "orderGeometry": "LineString"},
        expand,
    )
    assert line is not None
    assert line.geometry == {"type": "LineString", "coordinates": [[8, 40], [9, 42]]}
    assert (line.terms[0].by_distance, line.terms[0].descending) == (True, True)
    assert parse_order_by({"collation": "de-u-co-phonebk"}, expand) is None


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"orderBy": "name;up"}, "orderBy is invalid at position 6"),
        ({"orderBy": "name,,age"}, "orderBy[1] is invalid"),
        ({"orderBy": "location;dist-asc"}, "orderFrom is required"),
        ({"orderBy": "location;dist-asc", "orderFrom": "[1]"}, "orderFrom is invalid"),
        ({"orderBy": "name", "collation": "no such thing"}, "collation is invalid"),
        ({"collation": "de-u-co-nonsense"}, "collation is invalid"),
        ({"collation": "und-u-ks-level9"}, "collation is invalid"),
    ],
)
def test_parse_order_by_names_what_is_wrong(parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRequestData) as caught:
        parse_order_by(parameters, expand)
    assert reason in caught.value.detail


def test_parse_projection_reads_lists_braces_and_members() -> None:
    read = parse_projection(
        {
            "pick": "id,type|a{b,c{d}},e",
            "omit": ["scope", "f"],
            "datasetId": "@none,urn:d:1",
            "lang": "en",
        },
        expand,
        join_level=2,
    )
    a, b, c, d, e, f = (expand(name) for name in "abcdef")
    assert read.pick == [("id",), ("type",), (a, b), (a, c, d), (e,)]
    assert read.omit == [("scope",), (f,)]
    assert parse_projection({"attrs": "a,https://x.org/y"}, expand).attrs == [a, "https://x.org/y"]
    assert (read.dataset_ids, read.lang) == (["@none", "urn:d:1"], "en")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"pick": ""}, "pick is invalid"),
        ({"pick": "a,b", "omit": "b"}, "omit is invalid"),
        ({"pick": "a", "attrs": "b"}, "attrs is invalid together"),
        ({"omit": "a", "attrs": "b"}, "attrs is invalid together"),
        ({"attrs": "a,id"}, "attrs is invalid: 'id'"),
        ({"pick": "a,,b"}, "pick is invalid at position 3"),
        ({"pick": "a{b}"}, "pick is invalid at position 3"),
        ({"omit": "a}"}, "omit is invalid at position 2"),
        ({"omit": "9"}, "omit is invalid at position 1"),
        ({"attrs": []}, "attrs is invalid"),
        ({"attrs": 5}, "attrs is invalid"),
        ({"datasetId": "x"}, "datasetId is invalid"),
        ({"lang": " "}, "lang is invalid"),
    ],
)
def test_parse_projection_names_what_is_wrong(parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRequestData) as caught:
        parse_projection(parameters, expand)
    assert reason in caught.value.detail


def test_parse_projection_fails_cleanly_when_braces_nest_too_deep() -> None:
    with pytest.raises(CityloomError, match="pick is invalid"):
        parse_projection({"pick": "a{" * 30_000}, expand, join_level=10**9)


def test_parse_ids_wants_uris() -> None:
    assert parse_ids("urn:e:1, urn:e:2") == ["urn:e:1", "urn:e:2"]
    for bad in ("x", "urn:e:1,", [], ["urn:e:1", 5], "urn:e 1"):
        with pytest.raises(BadRequestData, match="id"):
            parse_ids(bad)
