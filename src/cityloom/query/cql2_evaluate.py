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

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import re2
import shapely
from shapely.geometry.base import BaseGeometry

from cityloom.model.entity import Entity
from cityloom.query.cql2 import SPATIAL, literal_shape
from cityloom.query.cql2_time import (
    OPEN_END,
    OPEN_START,
    RELATIONS,
    Instant,
    Span,
    order,
    ordered,
    read_instant,
)
from cityloom.query.folding import fold
from cityloom.query.geo import simple, stored_shape
from cityloom.query.geometry import point_of
from cityloom.query.targets import Target, default_instance, preferred_target
from cityloom.query.values import (
    CqlAnd,
    CqlArithmetic,
    CqlArray,
    CqlBetween,
    CqlBoolean,
    CqlCompare,
    CqlExpression,
    CqlFold,
    CqlGeometry,
    CqlIn,
    CqlInstant,
    CqlInterval,
    CqlIsNull,
    CqlLike,
    CqlNode,
    CqlNot,
    CqlNumber,
    CqlOr,
    CqlProperty,
    CqlRelation,
    CqlText,
)

Truth = bool | None
Condition = Callable[[Entity], Truth]
Values = Callable[[Entity], Sequence[Any]]
"""The values of an expression, any of which counts; none is NULL.

Each is a bool, a number, a str, an `Instant`, a `Span`, a shapely geometry, a list (an array), or a
dict (a compound value, which compares with nothing).
"""
Comparison = Callable[[int], bool]
"""Whether an order of -1, 0 or 1 is the wanted one."""


class _Term(str):
    """The IRI of a vocabulary's term."""

    __slots__ = ()


class _Word(str):
    """A text literal, with the IRI it expands to."""

    __slots__ = ("iri",)
    iri: str


_COMPARISONS: Final[dict[str, Comparison]] = {
    "=": lambda sign: sign == 0,
    "<": lambda sign: sign < 0,
    ">": lambda sign: sign > 0,
    "<=": lambda sign: sign <= 0,
    ">=": lambda sign: sign >= 0,
}
_SPATIAL: Final[dict[str, Callable[[Any, Any], Any]]] = {
    name: getattr(shapely, name.removeprefix("s_")) for name in SPATIAL
}
_ON_POINT: Final = {"s_intersects": shapely.intersects_xy, "s_contains": shapely.contains_xy}
_TURNED: Final = {"s_within": "s_contains", "s_contains": "s_within"}
_TYPES: Final = ((bool, "boolean"), (int, "number"), (float, "number"), (str, "text"), (Instant, "instant"))
_options = re2.Options()
_options.log_errors = False
_options.dot_nl = True
_options.max_mem = 4 << 20


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
            return lambda entity: _not(test(entity))
        case CqlAnd(terms):
            all_of = [condition(each) for each in terms]
            return lambda entity: _all(test(entity) for test in all_of)
        case CqlOr(terms):
            any_of = [condition(each) for each in terms]
            return lambda entity: _either(test(entity) for test in any_of)
        case CqlCompare("<>", left, right):
            return condition(CqlNot(CqlCompare("=", left, right)))
        case CqlCompare(name, left, right):
            one, other, wanted = values(left), values(right), _COMPARISONS[name]
            return lambda entity: _any_pair(one(entity), other(entity), wanted)
        case CqlIn(value, items):
            one, others = values(value), [values(each) for each in items]
            return lambda entity: _within(one(entity), (other(entity) for other in others))
        case CqlBetween(value, low, high):
            return _between(values(value), values(low), values(high))
        case CqlLike(text, pattern):
            texts, found = values(text), like_pattern(pattern).fullmatch
            return lambda entity: _some(
                found(each) is not None for each in _spelled(texts(entity)) if isinstance(each, str)
            )
        case CqlIsNull(operand):
            return _is_null(operand)
        case CqlRelation(name):
            return _relation(name, node)


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _all(truths: Iterable[Truth]) -> Truth:
    found: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            found = None
    return found


def _either(truths: Iterable[Truth]) -> Truth:
    """OR: true when any is, else unknown when any is."""
    return _not(_all(_not(truth) for truth in truths))


def _some(truths: Iterable[Truth]) -> Truth:
    """Of several values: true when it is for any of them, else false when it is for any, else unknown."""
    found: Truth = None
    for truth in truths:
        if truth:
            return True
        if truth is False:
            found = False
    return found


def _any_pair(left: Sequence[Any], right: Sequence[Any], wanted: Comparison) -> Truth:
    return _some(_compared(one, other, wanted) for one in left for other in right)


def _compared(one: Any, other: Any, wanted: Comparison) -> Truth:
    """How two values compare; unknown when they are of different types."""
    if isinstance(one, _Term) or isinstance(other, _Term):
        return _terms_compared(one, other, wanted)
    kind, other_kind = _type(one), _type(other)
    if kind == "text" and other_kind == "instant":
        one, kind = read_instant(one), "instant"
    elif kind == "instant" and other_kind == "text":
        other, other_kind = read_instant(other), "instant"
    if kind is None or kind != other_kind or one is None or other is None:
        return None
    return wanted(order(one, other) if kind == "instant" else (one > other) - (one < other))


def _terms_compared(one: Any, other: Any, wanted: Comparison) -> Truth:
    if not (isinstance(one, str) and isinstance(other, str)):
        return None
    if _spellings(one) & _spellings(other):
        return wanted(0)
    return _some(wanted((left > right) - (left < right)) for left in _shown(one) for right in _shown(other))


def _spellings(text: str) -> set[str]:
    return {*_shown(text), text.iri} if isinstance(text, _Word) else set(_shown(text))


def _shown(text: str) -> tuple[str, ...]:
    """The texts that a value is seen as: a term's IRI and its last part."""
    return (str(text), re.split("[/#:]", text)[-1]) if isinstance(text, _Term) else (text,)


def _spelled(found: Sequence[Any]) -> list[Any]:
    return [text for each in found for text in (_shown(each) if isinstance(each, _Term) else (each,))]


def _type(value: Any) -> str | None:
    for known, name in _TYPES:
        if isinstance(value, known):
            return name
    return None


def _within(left: Sequence[Any], others: Iterable[Sequence[Any]]) -> Truth:
    return _either(_any_pair(left, other, _COMPARISONS["="]) for other in others)


def _between(value: Values, low: Values, high: Values) -> Condition:
    at_least, at_most = _COMPARISONS[">="], _COMPARISONS["<="]

    def test(entity: Entity) -> Truth:
        """Unknown when any of the three is, whatever the others say."""
        lows, highs = low(entity), high(entity)
        return _some(
            None if above is None or below is None else above and below
            for each in value(entity)
            for above in (_any_pair((each,), lows, at_least),)
            for below in (_any_pair((each,), highs, at_most),)
        )

    return test


def like_pattern(pattern: str) -> Any:
    """The expression of a LIKE pattern, matched in linear time."""
    parts: list[str] = []
    chars = iter(pattern)
    for char in chars:
        if char == "\\":
            parts.append(re2.escape(next(chars, "\\")))
        else:
            parts.append({"%": ".*", "_": "."}.get(char) or re2.escape(char))
    return re2.compile("".join(parts), _options)


def _is_null(operand: CqlExpression | CqlNode) -> Condition:
    if isinstance(operand, CqlNode) and not isinstance(operand, CqlBoolean):
        test = condition(operand)
        return lambda entity: test(entity) is None
    if isinstance(operand, CqlProperty):
        found = _target_of(operand)
        return lambda entity: (target := found(entity)) is None or (target.single and not target.values)
    known = values(operand)
    return lambda entity: not known(entity)


# -- values --------------------------------------------------------------------------------------------
def values(expression: CqlExpression) -> Values:
    """Compiles an expression into its values of one entity."""
    match expression:
        case CqlProperty():
            return _property(expression)
        case CqlText(text, iri):
            word = _Word(text)
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
                fold(name, each) for each in _spelled(texts(entity)) if isinstance(each, str)
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


def _target_of(node: CqlProperty) -> Callable[[Entity], Target | None]:
    paths = node.paths

    def target(entity: Entity) -> Target | None:
        for path in paths:
            found = preferred_target(path, entity)
            if found is not None:
                return found
        return None

    return target


def _property(node: CqlProperty) -> Values:
    target_of = _target_of(node)

    def found(entity: Entity) -> Sequence[Any]:
        target = target_of(entity)
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
    return _Term(value) if vocabulary and isinstance(value, str) else value


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
    if _type(one) != "number" or _type(other) != "number":
        return None
    try:
        found = float(operation(float(one), float(other)))
    except (ArithmeticError, ValueError):
        return None
    return found if math.isfinite(found) else None


# -- relations -----------------------------------------------------------------------------------------
def _relation(name: str, node: CqlRelation) -> Condition:
    if name in SPATIAL:
        return _spatial(name, node)
    one, other = values(node.left), values(node.right)
    if name in RELATIONS:
        relation = RELATIONS[name]
        return lambda entity: _some(
            relation(first, second) for first in _spans(one(entity)) for second in _spans(other(entity))
        )
    sets = _SETS[name]
    return lambda entity: _some(
        sets(first, second) for first in _elements(one(entity)) for second in _elements(other(entity))
    )


def _spatial(name: str, node: CqlRelation) -> Condition:
    """A literal is prepared and comes first, which is what GEOS is quick with."""
    left, right = node.left, node.right
    if isinstance(right, CqlGeometry) and not isinstance(left, CqlGeometry):
        name, left, right = _TURNED.get(name, name), right, left
    one, other, relation = _places(left), _places(right), _SPATIAL[name]
    if isinstance(left, CqlGeometry):
        (reference,) = one(Entity())
        shapely.prepare(reference)
    test: Condition = lambda entity: _some(  # noqa: E731
        bool(relation(first, second)) for first in _shapes(one(entity)) for second in _shapes(other(entity))
    )
    on_point = _ON_POINT.get(name)
    if on_point is None or not isinstance(left, CqlGeometry):
        return test

    def quick(entity: Entity) -> Truth:
        """Points, which most places are, are decided without being built."""
        found = other(entity)
        point = point_of(found[0]) if len(found) == 1 else None
        return test(entity) if point is None else bool(on_point(reference, *point))

    return quick


def _places(expression: CqlExpression) -> Values:
    """A literal's shape, or the GeoJSON of a GeoProperty: nothing else is a place, however it looks."""
    if not isinstance(expression, CqlProperty):
        return values(expression)
    names = expression.paths[0].attributes

    def found(entity: Entity) -> Sequence[Any]:
        attributes, instance = entity.attributes, None
        for name in names:
            instance = default_instance(attributes.get(name, ()))
            if instance is None:
                return ()
            attributes = instance.attributes
        return (instance.value,) if instance is not None and instance.kind == "GeoProperty" else ()

    return found


def _shapes(found: Sequence[Any]) -> list[Any]:
    shapes = (each if isinstance(each, BaseGeometry) else stored_shape(each) for each in found)
    return [shape for shape in shapes if shape is not None]


def _spans(found: Sequence[Any]) -> list[Span]:
    if found and isinstance(found[0], Span):
        return list(found)
    instants = (each if isinstance(each, Instant) else read_instant(each) for each in found)
    return [Span(each, each) for each in instants if each is not None]


def _elements(found: Sequence[Any]) -> list[list[Any]]:
    """Arrays; a single value is an array of one, for NGSI-LD does not tell them apart."""
    if not found:
        return []
    return [found[0]] if isinstance(found[0], list) else [list(found)]


def _same(one: Any, other: Any) -> bool:
    """Whether two elements are the same; arrays in arrays are sets too."""
    if isinstance(one, list) and isinstance(other, list):
        return _subset(one, other) and _subset(other, one)
    if isinstance(one, Span) and isinstance(other, Span):
        return RELATIONS["t_equals"](one, other)
    if isinstance(one, BaseGeometry) and isinstance(other, BaseGeometry):
        return bool(shapely.equals(one, other))
    return _compared(one, other, _COMPARISONS["="]) is True


def _subset(one: list[Any], other: list[Any]) -> bool:
    return all(any(_same(each, candidate) for candidate in other) for each in one)


_SETS: Final[dict[str, Callable[[list[Any], list[Any]], bool]]] = {
    "a_equals": lambda one, other: _subset(one, other) and _subset(other, one),
    "a_contains": lambda one, other: _subset(other, one),
    "a_containedBy": _subset,
    "a_overlaps": lambda one, other: any(_same(each, candidate) for each in one for candidate in other),
}
