"""What a CQL2 filter means for one entity: true, false, or unknown (None).

What is seen of an entity is what a feature of the OGC API shows: of several
instances of an attribute the default one, else the first. What is not there is NULL, and so is
what is of another type than it is compared with; whatever depends on it is unknown, as is
its negation.

- A LanguageProperty has several values, its texts in all languages: a comparison is true when
  it is for any of them, false when for none (so `<>` means that none is equal).
- A VocabProperty is its IRI, its last part, and every term that expands to it.
- A Relationship is the URI of its object.
- A text compares as text with texts, and as the time it says with dates and timestamps.
- An array is only seen by the array functions, for which a single value is an array of one.

Source: OGC 21-065r2 clauses 6 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cityloom.model.entity import Entity
from cityloom.query.cql2_compare import (
    COMPARISONS,
    Truth,
    all_true,
    any_pair,
    any_true,
    negated,
    some,
    spelled,
)
from cityloom.query.cql2_like import like_test
from cityloom.query.cql2_relations import Condition, relation
from cityloom.query.cql2_values import Values, target_of, values
from cityloom.query.values import (
    CqlAnd,
    CqlBetween,
    CqlBoolean,
    CqlCompare,
    CqlExpression,
    CqlIn,
    CqlIsNull,
    CqlLike,
    CqlNode,
    CqlNot,
    CqlOr,
    CqlProperty,
    CqlRelation,
)


def filter_test(node: CqlNode) -> Callable[[Entity], bool]:
    """Compiles a filter into a test of one entity: only what is true selects."""
    test = condition(node)
    return lambda entity: test(entity) is True


def condition(node: CqlNode) -> Condition:
    """Compiles a condition into what it is of one entity: true, false or unknown."""
    match node:
        case CqlBoolean(known):
            return lambda entity: known
        case CqlNot(term):
            test = condition(term)
            return lambda entity: negated(test(entity))
        case CqlAnd(terms):
            all_of = [condition(each) for each in terms]
            return lambda entity: all_true(test(entity) for test in all_of)
        case CqlOr(terms):
            any_of = [condition(each) for each in terms]
            return lambda entity: any_true(test(entity) for test in any_of)
        case CqlCompare("<>", left, right):
            return condition(CqlNot(CqlCompare("=", left, right)))
        case CqlCompare(name, left, right):
            one, other, wanted = values(left), values(right), COMPARISONS[name]
            return lambda entity: any_pair(one(entity), other(entity), wanted)
        case CqlIn(value, items):
            one, others = values(value), [values(each) for each in items]
            return lambda entity: _within(one(entity), (other(entity) for other in others))
        case CqlBetween(value, low, high):
            return _between(values(value), values(low), values(high))
        case CqlLike(text, pattern):
            texts, matches = values(text), like_test(pattern)
            return lambda entity: some(
                matches(each) for each in spelled(texts(entity)) if isinstance(each, str)
            )
        case CqlIsNull(operand):
            return _is_null(operand)
        case CqlRelation(name):
            return relation(name, node)


def _within(left: Sequence[Any], others: Iterable[Sequence[Any]]) -> Truth:
    return any_true(any_pair(left, other, COMPARISONS["="]) for other in others)


def _between(value: Values, low: Values, high: Values) -> Condition:
    at_least, at_most = COMPARISONS[">="], COMPARISONS["<="]

    def test(entity: Entity) -> Truth:
        """Unknown when any of the three is, whatever the others say."""
        lows, highs = low(entity), high(entity)
        return some(
            None if above is None or below is None else above and below
            for each in value(entity)
            for above in (any_pair((each,), lows, at_least),)
            for below in (any_pair((each,), highs, at_most),)
        )

    return test


def _is_null(operand: CqlExpression | CqlNode) -> Condition:
    if isinstance(operand, CqlNode) and not isinstance(operand, CqlBoolean):
        test = condition(operand)
        return lambda entity: test(entity) is None
    if isinstance(operand, CqlProperty):
        found = target_of(operand)
        return lambda entity: (target := found(entity)) is None or (target.single and not target.values)
    known = values(operand)
    return lambda entity: not known(entity)
