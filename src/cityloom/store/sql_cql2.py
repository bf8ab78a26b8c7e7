"""A CQL2 filter as SQL: what narrows down to the entities of which it may be true.

A part is built for what a node shall be, true or false, since under NOT the false ones
are wanted; of one that is unknown neither is asked. Nearly every condition needs
its property to be there. Numbers, texts and booleans are compared, and texts matched with
patterns, inside the body where the outcome is certain not to lose what
`query.cql2_evaluate` finds; places are found by their index.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import shapely

from cityloom.model.entity import LOCATION
from cityloom.query.cql2 import SPATIAL, literal_shape
from cityloom.query.cql2_like import Piece, pieces_of
from cityloom.query.geometry import Box
from cityloom.query.values import (
    MEMBERS,
    CqlAnd,
    CqlBetween,
    CqlBoolean,
    CqlCompare,
    CqlExpression,
    CqlFold,
    CqlGeometry,
    CqlIn,
    CqlInstant,
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
from cityloom.store.dialect import Dialect
from cityloom.store.sql_like import is_short, like_condition
from cityloom.store.sql_parts import NOTHING, Part, all_of, any_of, is_number, is_plain_key

_OPPOSITE: Final = {"<": ">=", ">": "<=", "<=": ">", ">=": "<"}
_TURNED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_ALWAYS: Final = Part("TRUE", True)
_MOST_BOXES: Final = 4
_MOST_SEARCHED: Final = 10
"""More texts than this are not searched for in every compound value."""
_VALUE: Final = "json_extract(i.value, '$.value')"
_KIND: Final = "json_type(i.value, '$.value')"
_ULPS: Final = 4
"""SQLite may read a number's digits a step or two away from Python: limits are widened by so many."""


def filter_boxes(node: CqlNode | None) -> list[Box] | None:
    """The boxes one of which every selected entity's `location` must touch; None: anywhere."""
    match node:
        case CqlRelation(name, left, right) if name in SPATIAL and name != "s_disjoint":
            for one, other in ((left, right), (right, left)):
                if _is_location(one) and isinstance(other, CqlGeometry):
                    return _boxes_of(other)
        case CqlAnd(terms):
            return next((found for term in terms if (found := filter_boxes(term)) is not None), None)
    return None


def _is_location(expression: CqlExpression) -> bool:
    return isinstance(expression, CqlProperty) and expression.paths[0].attributes == (LOCATION,)


def _boxes_of(literal: CqlGeometry) -> list[Box]:
    """The boxes of a few parts (two, over the antimeridian), or the one around many."""
    shape = literal_shape(literal.geometry)
    parts = list(getattr(shape, "geoms", [shape]))
    shapes = parts if len(parts) <= _MOST_BOXES else [shape]
    return [Box(*(float(bound) for bound in shapely.bounds(each))) for each in shapes]


class FilterParts:
    """Builds the parts of one statement; values go through `bind`."""

    def __init__(
        self,
        bind: Callable[[Any], str],
        attribute: Callable[[str], Part],
        dialect: Dialect,
        key: str,
        body: str,
    ) -> None:
        self._body = body
        self._bind = bind
        self._attribute = attribute
        self._dialect = dialect
        self._key = key

    def part(self, node: CqlNode, wanted: bool = True) -> Part:
        """What holds for every entity of which `node` is `wanted`."""
        match node:
            case CqlBoolean(value):
                return Part("TRUE" if value is wanted else "FALSE", True)
            case CqlNot(term):
                return self.part(term, not wanted)
            case CqlAnd(terms) | CqlOr(terms):
                combine = all_of if isinstance(node, CqlAnd) is wanted else any_of
                return combine([self.part(term, wanted) for term in terms])
            case CqlIsNull(operand):
                known = isinstance(operand, CqlProperty) and not wanted
                return self._there(operand) if known and isinstance(operand, CqlProperty) else NOTHING
            case CqlCompare(operator, left, right):
                return all_of(
                    [self._there(left), self._there(right), self._compare(operator, left, right, wanted)]
                )
            case CqlIn(value, items):
                return all_of([self._there(value), self._in(value, items) if wanted else NOTHING])
            case CqlBetween(value, low, high):
                return all_of([self._there(value), self._between(value, low, high) if wanted else NOTHING])
            case CqlLike(text, pattern):
                inner, folds = _unfolded(text)
                return all_of([self._there(inner), self._like(inner, folds, pattern) if wanted else NOTHING])
            case CqlRelation(name, left, right):
                return all_of([self._there(left), self._there(right), self._place(name, node, wanted)])

    def _there(self, expression: CqlExpression | CqlNode) -> Part:
        """The attribute that a property starts at; ids and literals always are there."""
        if isinstance(expression, CqlText | CqlNumber | CqlBoolean | CqlInstant | CqlGeometry):
            return _ALWAYS
        if not isinstance(expression, CqlProperty):
            return NOTHING
        name = expression.paths[0].attributes[0]
        if name in MEMBERS:
            return _ALWAYS if expression.paths[0].attributes == ("id",) else NOTHING
        return Part(self._attribute(name).sql, False)

    def _place(self, name: str, node: CqlRelation, wanted: bool) -> Part:
        """What touches needs boxes that touch, whatever the relation; only what is disjoint does not."""
        if name not in SPATIAL or (name == "s_disjoint") is wanted:
            return NOTHING
        touching = node if wanted else CqlRelation("s_intersects", node.left, node.right)
        boxes = filter_boxes(touching)
        if boxes is None:
            return NOTHING
        searches = " OR ".join(f"({self._dialect.place(box, self._bind)})" for box in boxes)
        return Part(f"{self._key}.row IN (SELECT p.row FROM place p WHERE {searches})", False)

    # -- values inside the body ------------------------------------------------------------------------
    def _compare(self, operator: str, left: CqlExpression, right: CqlExpression, wanted: bool) -> Part:
        if not isinstance(left, CqlProperty):
            left, right, operator = right, left, _TURNED.get(operator, operator)
        if operator == "<>":
            operator, wanted = "=", not wanted
        if isinstance(right, CqlText) and operator == "=":
            return self._in(left, [right]) if wanted else NOTHING
        if isinstance(right, CqlBoolean) and operator == "=":
            return self._instances(
                left, f"{_KIND} = {self._bind('true' if right.value is wanted else 'false')}"
            )
        if not isinstance(right, CqlNumber) or not is_number(right.value):
            return NOTHING
        if operator == "=":
            return self._numbers(left, self._near(right.value) if wanted else "1")
        limit = _widened(right.value)
        operator = operator if wanted else _OPPOSITE[operator]
        bound = limit[1] if operator in ("<", "<=") else limit[0]
        return self._numbers(left, f"{_VALUE} {operator[0]}= {self._bind(bound)}")

    def _between(self, value: CqlExpression, low: CqlExpression, high: CqlExpression) -> Part:
        if not (isinstance(low, CqlNumber) and isinstance(high, CqlNumber)):
            return NOTHING
        if not (is_number(low.value) and is_number(high.value)):
            return NOTHING
        bounds = self._bind(_widened(low.value)[0]), self._bind(_widened(high.value)[1])
        return self._numbers(value, f"{_VALUE} BETWEEN {bounds[0]} AND {bounds[1]}")

    def _in(self, value: CqlExpression, items: list[CqlExpression]) -> Part:
        numbers = [each.value for each in items if isinstance(each, CqlNumber) and is_number(each.value)]
        if len(numbers) == len(items):
            return self._numbers(value, " OR ".join(self._near(each) for each in numbers))
        texts = [each for each in items if isinstance(each, CqlText) and "\0" not in each.text]
        if len(texts) < len(items):
            return NOTHING
        if isinstance(value, CqlProperty) and value.paths[0].attributes == ("id",):
            ids = ", ".join(self._bind(each.text) for each in texts)
            return Part(f"{self._key}.id IN ({ids})", True)
        if not isinstance(value, CqlProperty):
            return NOTHING
        path, wanted = value.paths[0], {each.text for each in texts}
        if len(value.paths) > 1 or not is_plain_key(path.attributes[0]):
            return NOTHING
        tests = [
            f"{_KIND} = 'text' AND {_VALUE} IN ({', '.join(map(self._bind, sorted(wanted)))})",
            # A term is seen as its last part, too.
            f"{_KIND} = 'text' AND json_extract(i.value, '$.kind') = 'VocabProperty'",
            f"{_KIND} = 'object' AND {self._holds_one(wanted)}",
        ]
        return self._some_instance(path.attributes[0], " OR ".join(tests))

    def _holds_one(self, texts: set[str]) -> str:
        """Whether a compound value (languages, a typed value) may have one of these texts in it."""
        pieces = [[Piece(text)] for text in sorted(texts)]
        if len(pieces) > _MOST_SEARCHED or not all(map(is_short, pieces)):
            return "1"
        json = "i.value -> '$.value'"
        return f"({' OR '.join(like_condition(json, each, set(), self._bind) for each in pieces)})"

    def _like(self, value: CqlExpression, folds: set[str], pattern: str) -> Part:
        pieces = pieces_of(pattern)
        if not isinstance(value, CqlProperty) or not is_short(pieces):
            return NOTHING
        name, *below = value.paths[0].attributes
        if name == "id" and not folds:
            return Part(self._dialect.id_like(f"{self._key}.id", pieces, self._bind), True)
        # Of a path the text stands somewhere in the instance, but for members that are told, not kept.
        if not is_plain_key(name) or MEMBERS.intersection(below):
            return NOTHING
        json = "i.value" if len(value.paths) > 1 else "i.value -> '$.value'"
        # A term is seen as its last part, too.
        test = f"{like_condition(json, pieces, folds, self._bind)} OR instr(i.value, '\"VocabProperty\"')"
        return self._some_instance(name, test)

    def _near(self, number: float) -> str:
        low, high = _widened(number)
        return f"{_VALUE} BETWEEN {self._bind(low)} AND {self._bind(high)}"

    def _numbers(self, value: CqlExpression, test: str) -> Part:
        return self._instances(value, f"{_KIND} IN ('integer', 'real') AND ({test})")

    def _instances(self, value: CqlExpression, test: str) -> Part:
        """Some instance of the property passes; what is compound (languages, typed values) passes as well."""
        if not isinstance(value, CqlProperty):
            return NOTHING
        path = value.paths[0]
        if len(value.paths) > 1 or not is_plain_key(path.attributes[0]):
            return NOTHING
        return self._some_instance(path.attributes[0], f"{_KIND} = 'object' OR {test}")

    def _some_instance(self, name: str, test: str) -> Part:
        if not self._dialect.reads_bodies:
            return NOTHING
        instances = self._bind(f'$.attributes."{name}"')
        found = f"SELECT 1 FROM json_each(CAST({self._body} AS TEXT), {instances}) i WHERE {test}"
        return Part(f"EXISTS ({found})", False)


def _unfolded(text: CqlExpression) -> tuple[CqlExpression, set[str]]:
    """What is within CASEI and ACCENTI, and which of them."""
    folds: set[str] = set()
    while isinstance(text, CqlFold):
        folds.add(text.fold)
        text = text.text
    return text, folds


def _widened(number: float) -> tuple[float, float]:
    low = high = float(number)
    for _ in range(_ULPS):
        low, high = math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
    return low, high
