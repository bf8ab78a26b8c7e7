"""Random entities and queries, in a small world where they often meet; and the printing of queries.

A query is drawn as plain tuples, printed as the caller would write it, and parsed: so a
property that holds for drawn queries holds for the grammar too.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.query.values import (
    ScopeAnd,
    ScopeExpression,
    ScopeOr,
    ScopeTerm,
    TypeAnd,
    TypeExpression,
    TypeIs,
    TypeOr,
)

VOCAB = "https://example.org/terms/"


def expand(name: str) -> str:
    """The short names of this world."""
    return LOCATION if name == "location" else name if ":" in name else VOCAB + name


WORDS = ["red", "Red", "blue", "10", "", 'a"b\\c', "été", "2020-01-01", "2020-01-01T00:00:00Z", "12:00:00Z"]
MOMENTS = [
    "2020-01-01T00:00:00Z",
    "2020-01-01T00:00:00.000Z",
    "2020-01-01T02:00:00+02:00",
    "2021-06-01T12:00:00.5Z",
]
URIS = ["urn:x:1", "urn:x:2", "https://example.org/terms/red"]
ATTRIBUTES = [["a"], ["a", "location"], ["a", "b"], ["a", "b", "location"], ["b"], []]
SCOPES = ["/m", "/m/p", "m/p", "/m/p/q", "/m/s/q", "/n", "/mx"]
TYPES = ["T1", "T2", "T3"]

numbers = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 1.0, -1.5, 1e30, 2.0**60]))
scalars = st.one_of(numbers, st.booleans(), st.sampled_from(WORDS), st.sampled_from(MOMENTS))
arrays = st.lists(scalars, max_size=3)
points = st.builds(
    lambda lon, lat: {"type": "Point", "coordinates": [lon, lat]}, st.integers(-4, 4), st.integers(-4, 4)
)


def _boxes() -> st.SearchStrategy[dict[str, Any]]:
    def box(west: int, south: int, width: int, height: int) -> dict[str, Any]:
        east, north = west + width, south + height
        return {
            "type": "Polygon",
            "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
        }

    return st.builds(box, st.integers(-4, 3), st.integers(-4, 3), st.integers(1, 4), st.integers(1, 4))


lines = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=4, unique=True).map(
    lambda places: {"type": "LineString", "coordinates": [list(place) for place in places]}
)
multipoints = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=3).map(
    lambda places: {"type": "MultiPoint", "coordinates": [list(place) for place in places]}
)
geometries = st.one_of(points, _boxes(), lines, multipoints)


def _bodies() -> st.SearchStrategy[dict[str, Any]]:
    """Kind and value of an attribute."""
    member = st.dictionaries(st.sampled_from(["m", "n"]), scalars, max_size=2)
    compound = member.map(lambda value: {expand(key): each for key, each in value.items()})
    texts = st.one_of(st.sampled_from(WORDS), st.lists(st.sampled_from(WORDS), max_size=2))
    values: dict[str, st.SearchStrategy[Any]] = {
        "Property": st.one_of(scalars, arrays, compound, scalars.map(lambda value: {"@value": value})),
        "Relationship": st.one_of(
            st.sampled_from(URIS), st.lists(st.sampled_from(URIS), min_size=1, max_size=2)
        ),
        "VocabProperty": st.sampled_from([expand("red"), expand("blue")]),
        "LanguageProperty": st.dictionaries(st.sampled_from(["en", "fr", "@none"]), texts, max_size=2),
        "ListProperty": arrays,
        "ListRelationship": st.lists(st.sampled_from(URIS), max_size=2),
        "JsonProperty": st.one_of(st.none(), scalars, arrays, member),
    }
    return st.one_of(
        *(
            st.fixed_dictionaries({"kind": st.just(kind), "value": strategy})
            for kind, strategy in values.items()
        )
    )


@st.composite
def attribute_lists(draw: st.DrawFn, name: str) -> list[Attribute]:
    """One to two instances of an attribute."""
    instances = []
    for dataset in draw(st.sampled_from([[""], ["", "urn:d:1"], ["urn:d:1"]])):
        geo = {"kind": "GeoProperty", "value": draw(geometries)} if name == "location" else None
        below = draw(st.booleans())
        instances.append(
            Attribute(
                **(geo or draw(_bodies())),
                dataset_id=dataset,
                observed_at=draw(st.one_of(st.none(), st.sampled_from(MOMENTS))),
                attributes={expand("s"): [Attribute(**draw(_bodies()))]} if below else {},
            )
        )
    return instances


@st.composite
def entities(draw: st.DrawFn, id: str = "urn:e:1") -> Entity:
    """An entity with some of the attributes, types and scopes of this world."""
    names = draw(st.sampled_from(ATTRIBUTES))
    return Entity(
        id=id,
        types=[expand(name) for name in draw(st.lists(st.sampled_from(TYPES), min_size=1, unique=True))],
        scopes=draw(st.lists(st.sampled_from(SCOPES), max_size=2, unique=True)),
        attributes={expand(name): draw(attribute_lists(name)) for name in names},
        created_at=draw(st.sampled_from(MOMENTS)),
        modified_at="2022-01-01T00:00:00Z",
    )


# -- q: ("exists", path) | ("compare", path, operator, literal) | ("and", terms) | ("or", terms) ---------
paths = st.one_of(
    st.tuples(
        st.sampled_from([("a",), ("a",), ("a",), ("b",), ("a", "s"), ("c",)]),
        st.sampled_from([(), (), (), (), ("m",), ("en",), ("*",)]),
    ),
    st.just((("a", "observedAt"), ())),
    st.just((("createdAt",), ())),
)
number_literals = numbers.map(lambda value: ("number", value))
text_literals = st.sampled_from(WORDS + URIS).map(lambda value: ("text", value))
moment_literals = st.sampled_from([*MOMENTS, "2020-01-01", "12:00:00Z"]).map(lambda value: ("moment", value))
ordered_literals = st.one_of(number_literals, text_literals, moment_literals)
single_literals = st.one_of(ordered_literals, st.booleans().map(lambda value: ("boolean", value)))
list_literals = st.lists(single_literals, min_size=2, max_size=3).map(lambda values: ("list", values))
range_literals = st.one_of(
    st.tuples(st.just("range"), number_literals, number_literals),
    st.tuples(
        st.just("range"), *[st.sampled_from(["red", "blue", "m"]).map(lambda value: ("text", value))] * 2
    ),
    st.tuples(st.just("range"), *[st.sampled_from(MOMENTS).map(lambda value: ("moment", value))] * 2),
)
patterns = st.sampled_from(["r.*", "(red|blue)", ".*", "[a-z]+", "x", 'a"b.*']).map(
    lambda value: ("pattern", value)
)
terms = st.one_of(
    paths.map(lambda path: ("exists", path)),
    st.tuples(
        st.just("compare"),
        paths,
        st.sampled_from(["==", "!="]),
        st.one_of(single_literals, list_literals, range_literals),
    ),
    st.tuples(st.just("compare"), paths, st.sampled_from([">", "<", ">=", "<="]), ordered_literals),
    st.tuples(st.just("compare"), paths, st.sampled_from(["~=", "!~="]), patterns),
)
expressions = st.recursive(
    terms,
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
    max_leaves=5,
)


def print_q(node: Any) -> str:
    """The expression as a caller writes it."""
    match node:
        case ("exists", path):
            return print_path(path)
        case ("compare", path, operator, literal):
            return f"{print_path(path)}{operator}{print_literal(literal)}"
        case ("and", inner):
            return ";".join(_print_inner(each) for each in inner)
        case ("or", inner):
            return "|".join(_print_inner(each) for each in inner)
    raise AssertionError(node)


def _print_inner(node: Any) -> str:
    return f"({print_q(node)})" if node[0] in ("and", "or") else print_q(node)


def print_path(path: Any) -> str:
    """`a.b[c.d]`."""
    attributes, members = path
    return ".".join(attributes) + (f"[{'.'.join(members)}]" if members else "")


def print_literal(literal: Any) -> str:
    """A literal, texts in quotes."""
    match literal:
        case ("number" | "boolean", value):
            return json.dumps(value)
        case ("text", value):
            return json.dumps(value)
        case ("moment", value):
            return str(value)
        case ("list", values):
            return ",".join(print_literal(each) for each in values)
        case ("range", low, high):
            return f"{print_literal(low)}..{print_literal(high)}"
        case ("pattern", value):
            return '"' + value.replace('"', '\\"') + '"'
    raise AssertionError(literal)


# -- types and scopes: their grammar nests once -----------------------------------------------------------
@st.composite
def type_selections(draw: st.DrawFn) -> TypeExpression:
    """A selection of types as clause 4.17 lets it be written."""
    single = st.sampled_from(TYPES).map(lambda name: TypeIs(expand(name)))
    both = st.lists(single, min_size=2, max_size=3).map(TypeAnd)
    found = draw(st.lists(st.one_of(single, both), min_size=1, max_size=3))
    return found[0] if len(found) == 1 else TypeOr(found)


@st.composite
def scope_queries(draw: st.DrawFn) -> ScopeExpression:
    """A scope query as clause 4.19 lets it be written."""
    wanted = ["/m", "/m/p", "/m/#", "/m/+/q", "/+", "/+/p/#", "/#", "/n", "/none"]
    single = st.sampled_from(wanted).map(ScopeTerm)
    both = st.lists(single, min_size=2, max_size=3).map(ScopeAnd)
    found = draw(st.lists(st.one_of(single, both), min_size=1, max_size=3))
    return found[0] if len(found) == 1 else ScopeOr(found)


def print_selection(expression: Any, either: str = "|") -> str:
    """A type selection or scope query as a caller writes it."""
    match expression:
        case TypeIs(name) | ScopeTerm(name):
            return str(name)
        case TypeAnd(inner) | ScopeAnd(inner):
            return f"({';'.join(print_selection(each) for each in inner)})"
        case TypeOr(inner) | ScopeOr(inner):
            return either.join(print_selection(each, either) for each in inner)
    raise AssertionError(expression)
