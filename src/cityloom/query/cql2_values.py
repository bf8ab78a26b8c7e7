"""The values that an expression of a CQL2 filter has for one entity; what is seen is told in `cql2_evaluate`.

Source: OGC 21-065r2 clauses 6 and 7.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

from cityloom.model.entity import Entity
from cityloom.query.cql2 import literal_shape
from cityloom.query.cql2_compare import Term, Word, spelled, type_of
from cityloom.query.cql2_time import OPEN_END, OPEN_START, Instant, Span, ordered, read_instant
from cityloom.query.folding import fold
from cityloom.query.geo import simple
from cityloom.query.targets import Target, preferred_target
from cityloom.query.values import (
    CqlArithmetic,
    CqlArray,
    CqlBoolean,
    CqlExpression,
    CqlFold,
    CqlGeometry,
    CqlInstant,
    CqlInterval,
    CqlNumber,
    CqlProperty,
    CqlText,
)

Values = Callable[[Entity], Sequence[Any]]
"""The values of an expression, any of which counts; none is NULL.

Each is a bool, a number, a str, an `Instant`, a `Span`, a shapely geometry, a list (an array), or a
dict (a compound value, which compares with nothing).
"""


def values(expression: CqlExpression) -> Values:
    """Compiles an expression into its values of one entity."""
    match expression:
        case CqlProperty():
            return _property(expression)
        case CqlText(text, iri):
            word = Word(text)
            word.iri = iri
            return _constant(word)
        case CqlNumber(value) | CqlBoolean(value):
            return _constant(value)
        case CqlInstant(micros, is_date):
            return _constant(Instant(micros, is_date))
        case CqlGeometry(geometry):
            return _constant(simple(literal_shape(geometry)))
        case CqlInterval(start, end):
            return _interval(_bound(start, OPEN_START), _bound(end, OPEN_END))
        case CqlArray(items):
            return _array([values(each) for each in items])
        case CqlFold(name, text):
            texts = values(text)
            return lambda entity: [
                fold(name, each) for each in spelled(texts(entity)) if isinstance(each, str)
            ]
        case CqlArithmetic(name, left, right):
            one, other, operation = values(left), values(right), _ARITHMETIC[name]
            return lambda entity: [
                found
                for first in one(entity)
                for second in other(entity)
                if (found := _calculated(operation, first, second)) is not None
            ]


def _constant(value: Any) -> Values:
    found = (value,)
    return lambda entity: found


def target_of(node: CqlProperty) -> Callable[[Entity], Target | None]:
    """Compiles a property into what stands for it in one entity."""
    paths = node.paths

    def target(entity: Entity) -> Target | None:
        for path in paths:
            found = preferred_target(path, entity)
            if found is not None:
                return found
        return None

    return target


def _property(node: CqlProperty) -> Values:
    find = target_of(node)

    def found(entity: Entity) -> Sequence[Any]:
        target = find(entity)
        if target is None:
            return ()
        vocabulary = target.domain == "vocab"
        known = [_seen(each, vocabulary) for each in target.values]
        return [each for each in known if each is not None] if target.single else [known]

    return found


def _seen(value: Any, vocabulary: bool) -> Any:
    """A stored value as it compares: of a typed value what it holds."""
    if isinstance(value, dict) and "@value" in value:
        return value["@value"]
    return Term(value) if vocabulary and isinstance(value, str) else value


def _array(items: list[Values]) -> Values:
    def found(entity: Entity) -> Sequence[Any]:
        elements = [item(entity) for item in items]
        # An element that is NULL makes the whole unknown; of several texts the first stands for it.
        return [[each[0] for each in elements]] if all(elements) else ()

    return found


def _bound(node: CqlInstant | CqlProperty | None, open_bound: Instant) -> Values:
    return _constant(open_bound) if node is None else values(node)


def _interval(start: Values, end: Values) -> Values:
    def found(entity: Entity) -> Sequence[Any]:
        low, high = _instant(start(entity)), _instant(end(entity))
        if low is None or high is None:
            return ()
        span = Span(low, high)
        return (span,) if ordered(span) else ()

    return found


def _instant(found: Sequence[Any]) -> Instant | None:
    for each in found:
        instant = each if isinstance(each, Instant) else read_instant(each)
        if instant is not None:
            return instant
    return None


def _divide_whole(one: float, other: float) -> float:
    return float(math.trunc(one / other))


_ARITHMETIC: Final[dict[str, Callable[[float, float], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "div": _divide_whole,
    "^": math.pow,
}
"""`div` cuts towards zero and `%` is what it leaves, as in SQL."""


def _calculated(operation: Callable[[float, float], Any], one: Any, other: Any) -> float | None:
    """The result, or None where there is none: not of numbers, divided by zero, too large."""
    if type_of(one) != "number" or type_of(other) != "number":
        return None
    try:
        found = float(operation(float(one), float(other)))
    except (ArithmeticError, ValueError):
        return None
    return found if math.isfinite(found) else None
