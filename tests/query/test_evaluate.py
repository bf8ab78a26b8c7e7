"""The evaluation of queries: against a plain oracle, and the examples of the clauses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import BadRequestData
from cityloom.query.evaluate import matcher, matches, matches_q, matches_scope, matches_types
from cityloom.query.parse import parse_id_pattern, parse_q, parse_scope_q, parse_type_selection
from cityloom.query.values import Query, ScopeAnd, ScopeOr, ScopeTerm, TypeAnd, TypeIs
from query.draws import entities, expand, expressions, print_q, scope_queries, type_selections
from query.oracle import selects


@settings(max_examples=400, deadline=None)
@given(node=expressions, entity=entities())
def test_matches_q_agrees_with_a_plain_oracle(node: Any, entity: Entity) -> None:
    text = print_q(node)
    assert matches_q(parse_q(text, expand), entity) is selects(node, entity), text


def scope_oracle(expression: Any, scopes: list[str]) -> bool:
    if isinstance(expression, ScopeAnd):
        return all(scope_oracle(each, scopes) for each in expression.terms)
    if isinstance(expression, ScopeOr):
        return any(scope_oracle(each, scopes) for each in expression.terms)
    wanted = expression.scope.strip("/").split("/")
    for scope in scopes:
        levels = scope.strip("/").split("/")
        below = wanted[-1] == "#"
        fits = len(levels) >= len(wanted) - 1 if below else len(levels) == len(wanted)
        if fits and all(a in ("+", "#") or a == b for a, b in zip(wanted, levels, strict=False)):
            return True
    return False


@given(expression=scope_queries(), entity=entities())
def test_matches_scope_agrees_with_a_plain_oracle(expression: Any, entity: Entity) -> None:
    assert matches_scope(expression, entity.scopes) is scope_oracle(expression, entity.scopes)


def type_oracle(expression: Any, types: list[str]) -> bool:
    if isinstance(expression, TypeIs):
        return expression.type in types
    inner = [type_oracle(each, types) for each in expression.terms]
    return all(inner) if isinstance(expression, TypeAnd) else any(inner)


@given(expression=type_selections(), entity=entities())
def test_matches_types_agrees_with_a_plain_oracle(expression: Any, entity: Entity) -> None:
    assert matches_types(expression, entity.types) is type_oracle(expression, entity.types)


def one(kind: Any, value: Any, **more: Any) -> Entity:
    return Entity(
        id="urn:e:1", types=["T"], attributes={expand("color"): [Attribute(kind=kind, value=value, **more)]}
    )


RED, GREEN, BLACK = (f"http://example.com/{name}" for name in ("red", "green", "black"))
LANGUAGES = {"fr": "rouge", "en": "red", "de": "rot"}
LISTS = {"fr": ["chat", "rouge"], "en": ["red", "cat"], "de": ["rote", "Katze"]}


@pytest.mark.parametrize(
    ("q", "entity", "selected"),
    [
        ('color=="red"', one("Property", "red"), True),
        ('color=="red"', one("Property", ["blue", "red", "green"]), True),
        ('color=="black","red"', one("Property", "red"), True),
        ('color=="black", "red"', one("Property", ["red", "blue"]), True),
        ("color==10..20", one("Property", 15), True),
        ("color==10..20", one("Property", 20), True),
        ("color==10..20", one("Property", "15"), False),
        ('color[en]=="red"', one("LanguageProperty", LANGUAGES), True),
        ("color[en]", one("LanguageProperty", {"en": []}), True),
        ("color[fr]", one("LanguageProperty", {"en": []}), False),
        ("color[*]", one("LanguageProperty", {}), False),
        ('color[EN]=="red"', one("LanguageProperty", LANGUAGES), True),
        ('color[en]=="red"', one("LanguageProperty", {"fr": "red", "en": "black"}), False),
        ('color[en]=="red"', one("LanguageProperty", LISTS), True),
        ('color[*]=="red"', one("LanguageProperty", LISTS), True),
        ('color=="red"', one("LanguageProperty", LANGUAGES), True),
        ('color[en]!="red"', one("LanguageProperty", {"fr": "noir", "en": "black"}), True),
        ('color[en]!="red"', one("LanguageProperty", LANGUAGES), False),
        ('color[es]!="red"', one("LanguageProperty", LANGUAGES), False),
        ('color[*]!="red"', one("LanguageProperty", LISTS), False),
        (f'color=="{RED}"', one("Relationship", RED), True),
        (f"color=={RED}", one("Relationship", [GREEN, RED]), True),
        (f'color!="{BLACK}","{RED}"', one("ListRelationship", [GREEN]), True),
        (f'color!="{RED}"', one("ListRelationship", [GREEN, RED]), False),
        (f'color>"{BLACK}"', one("Relationship", RED), False),
        ('color~=".*"', one("Relationship", RED), False),
        ("color==Male", one("VocabProperty", expand("Male")), True),
        ('color=="Male"', one("VocabProperty", expand("Male")), True),
        ('color!="Female"', one("VocabProperty", [expand("Male")]), True),
        ('color!="red"', one("Property", "black"), True),
        ('color!="red"', one("Property", 7), True),
        ('color!="red"', one("Property", ["blue", "red"]), False),
        ("color!=10..20", one("Property", 9), True),
        ("color==10..20", one("Property", [15]), False),
        ("color!=10..20", one("Property", [15]), True),
        ("color!=5", one("ListProperty", []), True),
        ("color!=5", one("JsonProperty", None), True),
        ("color==1", one("Property", True), False),
        ("color==true", one("Property", True), True),
        ("color!=true", one("Property", 1), True),
        ("color>5", one("Property", [7]), False),
        ("color>5", one("Property", "7"), False),
        ("color>=5", one("Property", 5.0), True),
        ('color>"a"', one("Property", "b"), True),
        ("color==2020-01-01T00:00:00Z", one("Property", "2020-01-01T00:00:00.000Z"), True),
        ("color<2020-01-02", one("Property", "2020-01-01"), True),
        ("color<2020-01-02T00:00:00Z", one("Property", "2020-01-01"), False),
        ("color<09:00:00", one("Property", "08:59:59Z"), True),
        (
            "color>2020-01-01T00:00:00Z",
            one("Property", {"@type": "x", "@value": "2021-01-01T00:00:00Z"}),
            True,
        ),
        (
            "color.observedAt>=2017-12-24T12:00:00Z",
            one("Property", 1, observed_at="2017-12-24T12:00:00,5Z"),
            True,
        ),
        ('color.unitCode=="CEL"', one("Property", 1, unit_code="CEL"), True),
        ('color[city]=="Berlin"', one("Property", {expand("city"): "Berlin"}), True),
        ('color[city]!="Berlin"', one("Property", {expand("town"): "Berlin"}), False),
        ("color[air.pm]==40", one("Property", {expand("air"): {expand("pm"): 40}}), True),
        ('color[value]=="Overstay"', one("JsonProperty", {"value": "Overstay"}), True),
        ("color", one("JsonProperty", None), True),
        ('color~="r.d"', one("Property", "red"), True),
        ('color~="r"', one("Property", "red"), False),
        ('color!~="r.d"', one("Property", "blue"), True),
        ('color!~="r.d"', one("Property", 5), False),
        ('color=="red"', one("ListProperty", ["red", 1]), True),
        ("other", one("Property", 1), False),
        ('other!="red"', one("Property", 1), False),
        ("id==urn:e:1", one("Property", 1), True),
    ],
)
def test_matches_q_follows_the_examples_of_the_clause(q: str, entity: Entity, selected: bool) -> None:
    assert matches_q(parse_q(q, expand), entity) is selected


def test_matches_q_takes_any_instance_of_a_multi_attribute() -> None:
    speed = [
        Attribute(kind="Property", value=50),
        Attribute(kind="Property", value=60, dataset_id="urn:d:gps"),
    ]
    entity = Entity(id="urn:e:1", types=["T"], attributes={expand("speed"): speed})
    assert matches_q(parse_q("speed==60", expand), entity)
    assert matches_q(parse_q("speed!=60", expand), entity)
    assert not matches_q(parse_q("speed>60", expand), entity)


def test_matches_q_expands_values_when_asked_to() -> None:
    entity = one("Property", expand("Male"))
    assert not matches_q(parse_q("color==Male", expand), entity)
    assert matches_q(parse_q("color==Male", expand, ["color"]), entity)


@pytest.mark.parametrize(
    ("scope_q", "scopes", "selected"),
    [
        ("/Madrid", ["/Madrid"], True),
        ("/Madrid", ["Madrid"], True),
        ("/Madrid", ["/Madrid/Gardens"], False),
        ("/Madrid/Gardens/#", ["/Madrid/Gardens"], True),
        ("/Madrid/Gardens/#", ["/Madrid/Gardens/North/Parterre"], True),
        ("/Madrid/Gardens/#", ["/Madrid/GardensOfOld"], False),
        ("/Madrid/+/North", ["/Madrid/Sights/North"], True),
        ("/#", ["/a/b"], True),
        ("/#", [], False),
        ("(/Madrid/Districts;/CompanyA),CompanyB", ["CompanyB"], True),
        ("(/Madrid/Districts;/CompanyA)|CompanyB", ["/CompanyA"], False),
        ("(/Madrid/Districts;/CompanyA)|CompanyB", ["/CompanyA", "/Madrid/Districts"], True),
    ],
)
def test_matches_scope_follows_the_examples_of_the_clause(
    scope_q: str, scopes: list[str], selected: bool
) -> None:
    assert matches_scope(parse_scope_q(scope_q), scopes) is selected


def test_matches_asks_for_every_part_of_the_query() -> None:
    entity = Entity(
        id="urn:e:1",
        types=[expand("T1")],
        scopes=["/m"],
        attributes={expand("a"): [Attribute(kind="Property", value=1)]},
    )
    whole = Query(
        ids=["urn:e:1"],
        id_pattern=parse_id_pattern("^urn:e:[0-9]$"),
        types=parse_type_selection("T1", expand),
        attrs=[expand("a"), expand("b")],
        q=parse_q("a==1", expand),
        scope_q=ScopeTerm("/m"),
    )
    assert matches(whole, entity)
    for other in (
        Query(ids=["urn:e:2"]),
        Query(id_pattern="e:2"),
        Query(types=TypeIs("T9")),
        Query(attrs=["b"]),
        Query(q=parse_q("a==2", expand)),
        Query(scope_q=ScopeTerm("/n")),
    ):
        assert not matches(other, entity)
    assert matches(Query(), entity)


def test_matcher_answers_in_linear_time_when_the_pattern_would_explode_by_backtracking() -> None:
    test = matcher(Query(id_pattern=parse_id_pattern("^(a+)+$")))
    assert not test(Entity(id="a" * 20_000 + "!"))


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\1", "a{2000}", "x" * 1001, "", 5])
def test_parse_id_pattern_refuses_what_cannot_be_matched_safely(pattern: Any) -> None:
    with pytest.raises(BadRequestData, match="idPattern is invalid"):
        parse_id_pattern(pattern)
