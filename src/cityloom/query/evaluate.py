"""Whether an entity is selected by a query: pure, and exact by the clauses.

`matcher` compiles a query once (patterns, reference geometry, literals) into a
function of one entity. Every other room decides with it: a store may narrow
down with an index, but the last word is here. Whether an entity has expired is not
its business, nor are `datasetId`, paging and order, which select nothing.

Source: ETSI GS CIM 009 clauses 4.9, 4.10, 4.17, 4.19, 5.7.2.4; OGC 21-065r2 (`filter`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

from cityloom.model.entity import Entity
from cityloom.query.compare import Comparable, comparable
from cityloom.query.cql2_evaluate import filter_test
from cityloom.query.geo import geo_test
from cityloom.query.patterns import compile_pattern
from cityloom.query.targets import Target, targets
from cityloom.query.values import (
    AnyOf,
    GeoQuery,
    Path,
    QAnd,
    QCompare,
    QExists,
    QLinked,
    QLinks,
    QNode,
    QOr,
    QText,
    QTime,
    Query,
    Range,
    ScopeAnd,
    ScopeExpression,
    ScopeOr,
    ScopeTerm,
    TypeAnd,
    TypeExpression,
    TypeIs,
    TypeOr,
)

EntityTest = Callable[[Entity], bool]
Get = Callable[[str], Entity | None]
"""Gives the entity of an id, where one is there."""
TargetTest = Callable[[Target], bool]

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def matcher(query: Query, get: Get | None = None) -> EntityTest:
    """Compiles what `query` selects into a test of one entity.

    Args:
        get: gives linked entities, where conditions are on them that nobody looked up before.

    Raises:
        BadRequestData: a pattern or the reference geometry is invalid.
    """
    tests: list[EntityTest] = []
    if query.ids:
        ids = frozenset(query.ids)
        tests.append(lambda entity: entity.id in ids)
    if query.types is not None:
        types = query.types
        tests.append(lambda entity: matches_types(types, entity.types))
    if query.attrs:
        attrs = tuple(query.attrs)
        tests.append(lambda entity: any(name in entity.attributes for name in attrs))
    if query.id_pattern is not None:
        pattern = compile_pattern(query.id_pattern, "idPattern")
        tests.append(lambda entity: pattern.search(entity.id) is not None)
    if query.scope_q is not None:
        scope_q = query.scope_q
        tests.append(lambda entity: matches_scope(scope_q, entity.scopes))
    if query.q is not None:
        tests.append(q_test(query.q, get))
    if query.geo is not None:
        tests.append(_geo_entity_test(query.geo))
    if query.filter is not None:
        tests.append(filter_test(query.filter))
    return tests[0] if len(tests) == 1 else _all_of(tests)


def _all_of(tests: Sequence[EntityTest]) -> EntityTest:
    def holds(entity: Entity) -> bool:
        for test in tests:  # noqa: SIM110  (a generator costs more than a test)
            if not test(entity):
                return False
        return True

    return holds


def matches(query: Query, entity: Entity) -> bool:
    """Whether `query` selects `entity`; for many entities compile a `matcher` once."""
    return matcher(query)(entity)


def matches_types(expression: TypeExpression, types: Sequence[str]) -> bool:
    """Whether an entity with these types is selected (4.17)."""
    match expression:
        case TypeIs(wanted):
            return wanted in types
        case TypeAnd(terms):
            return all(matches_types(term, types) for term in terms)
        case TypeOr(terms):
            return any(matches_types(term, types) for term in terms)


def matches_scope(expression: ScopeExpression, scopes: Sequence[str]) -> bool:
    """Whether an entity with these scopes is selected (4.19); one without scopes never is.

    The scopes `Madrid` and `/Madrid` are the same (4.18).
    """
    match expression:
        case ScopeTerm(wanted):
            levels = _levels(wanted)
            return any(_scope_fits(levels, _levels(scope)) for scope in scopes)
        case ScopeAnd(terms):
            return all(matches_scope(term, scopes) for term in terms)
        case ScopeOr(terms):
            return any(matches_scope(term, scopes) for term in terms)


def _levels(scope: str) -> list[str]:
    return scope.removeprefix("/").split("/")


def _scope_fits(wanted: list[str], levels: list[str]) -> bool:
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        name in ("+", level) for name, level in zip(wanted, levels, strict=True)
    )


def matches_geo(geo: GeoQuery, entity: Entity) -> bool:
    """Whether any instance of the entity's GeoProperty stands in the asked relation (4.10, 5.7.2.4)."""
    return _geo_entity_test(geo)(entity)


def _geo_entity_test(geo: GeoQuery) -> EntityTest:
    test, name = geo_test(geo), geo.geoproperty

    def holds(entity: Entity) -> bool:
        for instance in entity.attributes.get(name, ()):
            if instance.kind == "GeoProperty" and test(instance.value):
                return True
        return False

    def holds_or_absent(entity: Entity) -> bool:
        instances = entity.attributes.get(name, ())
        return holds(entity) or not any(instance.kind == "GeoProperty" for instance in instances)

    return holds_or_absent if geo.or_absent else holds


def matches_q(node: QNode, entity: Entity) -> bool:
    """Whether the entity meets a `q` expression (4.9)."""
    return q_test(node)(entity)


def q_test(node: QNode, get: Get | None = None) -> EntityTest:
    """Compiles a `q` expression (4.9) into a test of one entity; `get` as in `matcher`."""
    match node:
        case QExists(path):
            return lambda entity: bool(targets(path, entity))
        case QCompare(path):
            return _compare_test(path, _target_test(node))
        case QAnd(terms):
            return _all_of([q_test(term, get) for term in terms])
        case QOr(terms):
            any_of = [q_test(term, get) for term in terms]
            return lambda entity: any(test(entity) for test in any_of)
        case QLinks(relationship, ids):
            wanted = frozenset(ids)
            return lambda entity: not wanted.isdisjoint(linked_ids(relationship, entity))
        case QLinked(relationship, condition, types):
            assert get is not None, "linked entities are looked up before entities are tested"
            holds = q_test(condition, get)

            def leads(entity: Entity) -> bool:
                found = map(get, linked_ids(relationship, entity))
                return any(
                    one is not None and (not types or not set(types).isdisjoint(one.types)) and holds(one)
                    for one in found
                )

            return leads


def _compare_test(path: Path, test: TargetTest) -> EntityTest:
    def holds(entity: Entity) -> bool:
        for target in targets(path, entity):  # noqa: SIM110  (as above)
            if test(target):
                return True
        return False

    return holds


def linked_ids(relationship: str, entity: Entity) -> list[str]:
    """The ids that a relationship of an entity leads to, over all its instances."""
    return [
        id
        for instance in entity.attributes.get(relationship, ())
        if instance.kind in ("Relationship", "ListRelationship")
        for id in (instance.value if isinstance(instance.value, list) else [instance.value])
        if isinstance(id, str)
    ]


def _target_test(node: QCompare) -> TargetTest:
    match node.operator:
        case "==":
            return _equal_test(node.value)
        case "!=":
            equal = _equal_test(node.value)
            return lambda target: not equal(target)
        case "~=":
            return _pattern_test(node.value, wanted=True)
        case "!~=":
            return _pattern_test(node.value, wanted=False)
        case _:
            return _order_test(_ORDERS[node.operator], node.value)


def _equal_test(value: Any) -> TargetTest:
    """Equal: the value, or an element of the array, equals one of the literals or lies in the range."""
    literals = value.values if isinstance(value, AnyOf) else [value]
    ranges = [each for each in literals if isinstance(each, Range)]
    single = [each for each in literals if not isinstance(each, Range)]
    plain = frozenset(key for each in single if (key := _literal(each)) is not None)
    uris = frozenset(_text(each) for each in single)
    expanded = frozenset(_iri(each) for each in single)
    limits = [(_literal(each.low), _literal(each.high)) for each in ranges]

    def test(target: Target) -> bool:
        if target.domain == "uri":
            return any(isinstance(each, str) and each in uris for each in target.values)
        if target.domain == "vocab":
            return any(isinstance(each, str) and each in expanded for each in target.values)
        for each in target.values:
            key = comparable(each)
            if key is not None and (key in plain or (target.single and _in_range(key, limits))):
                return True
        return False

    return test


def _in_range(key: Comparable, limits: list[tuple[Comparable | None, Comparable | None]]) -> bool:
    for low, high in limits:
        if (
            low is not None
            and high is not None
            and key[0] == low[0] == high[0]
            and low[1] <= key[1] <= high[1]
        ):
            return True
    return False


def _order_test(order: Callable[[Any, Any], bool], value: Any) -> TargetTest:
    """Greater or less: only a single value, and only of the literal's own data type."""
    limit = _literal(value)

    def test(target: Target) -> bool:
        if limit is None or not target.single or target.domain != "value":
            return False
        for each in target.values:
            key = comparable(each)
            if key is not None and key[0] == limit[0] and order(key[1], limit[1]):
                return True
        return False

    return test


def _pattern_test(value: Any, *, wanted: bool) -> TargetTest:
    """In the language of the pattern, or not: the whole text counts, and only texts have one."""
    pattern = compile_pattern(_text(value), "q")

    def test(target: Target) -> bool:
        if not target.single or target.domain == "uri":
            return False
        texts = [each for each in target.values if isinstance(each, str)]
        found = any(pattern.fullmatch(text) is not None for text in texts)
        return bool(texts) and found is wanted

    return test


def _literal(value: Any) -> Comparable | None:
    return comparable(_text(value))


def _text(value: Any) -> Any:
    return value.text if isinstance(value, QText | QTime) else value


def _iri(value: Any) -> Any:
    return value.iri if isinstance(value, QText) else _text(value)
