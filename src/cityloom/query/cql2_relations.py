"""The relations of a CQL2 filter: spatial, temporal and of arrays.

Source: OGC 21-065r2 clauses 7.3 to 7.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import shapely
from shapely.geometry.base import BaseGeometry

from cityloom.model.entity import Entity
from cityloom.query.cql2 import SPATIAL
from cityloom.query.cql2_compare import COMPARISONS, Truth, compared, some
from cityloom.query.cql2_time import RELATIONS, Instant, Span, read_instant
from cityloom.query.cql2_values import Values, values
from cityloom.query.geo import stored_shape
from cityloom.query.geometry import point_of
from cityloom.query.targets import default_instance
from cityloom.query.values import CqlExpression, CqlGeometry, CqlProperty, CqlRelation

Condition = Callable[[Entity], Truth]
_SPATIAL: Final[dict[str, Callable[[Any, Any], Any]]] = {
    name: getattr(shapely, name.removeprefix("s_")) for name in SPATIAL
}
_ON_POINT: Final = {"s_intersects": shapely.intersects_xy, "s_contains": shapely.contains_xy}
_TURNED: Final = {"s_within": "s_contains", "s_contains": "s_within"}


def relation(name: str, node: CqlRelation) -> Condition:
    """Compiles a relation into what it is of one entity."""
    if name in SPATIAL:
        return _spatial(name, node)
    one, other = values(node.left), values(node.right)
    if name in RELATIONS:
        holds = RELATIONS[name]
        return lambda entity: some(
            holds(first, second) for first in _spans(one(entity)) for second in _spans(other(entity))
        )
    sets = _SETS[name]
    return lambda entity: some(
        sets(first, second) for first in _elements(one(entity)) for second in _elements(other(entity))
    )


def _spatial(name: str, node: CqlRelation) -> Condition:
    """A literal is prepared and comes first, which is what GEOS is quick with."""
    left, right = node.left, node.right
    if isinstance(right, CqlGeometry) and not isinstance(left, CqlGeometry):
        name, left, right = _TURNED.get(name, name), right, left
    one, other, holds = _places(left), _places(right), _SPATIAL[name]
    if isinstance(left, CqlGeometry):
        (reference,) = one(Entity())
        shapely.prepare(reference)
    test: Condition = lambda entity: some(  # noqa: E731
        bool(holds(first, second)) for first in _shapes(one(entity)) for second in _shapes(other(entity))
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
    return compared(one, other, COMPARISONS["="]) is True


def _subset(one: list[Any], other: list[Any]) -> bool:
    return all(any(_same(each, candidate) for candidate in other) for each in one)


_SETS: Final[dict[str, Callable[[list[Any], list[Any]], bool]]] = {
    "a_equals": lambda one, other: _subset(one, other) and _subset(other, one),
    "a_contains": lambda one, other: _subset(other, one),
    "a_containedBy": _subset,
    "a_overlaps": lambda one, other: any(_same(each, candidate) for each in one for candidate in other),
}
