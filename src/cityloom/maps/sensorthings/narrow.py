"""What of a filter and an order the store can be asked: it leaves too many rows, never too few.

Source: OGC 18-088 clauses 9.3.3.3, 9.3.3.5.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace
from odata_query import ast

from cityloom.maps.sensorthings.domain import Moment, is_number
from cityloom.maps.sensorthings.expressions import (
    Expression,
    conjuncts,
    is_of_series,
    literal,
    operator_name,
    path_of,
)
from cityloom.maps.sensorthings.ids import parse_series_id
from cityloom.maps.sensorthings.rows import Datastream, Observation
from cityloom.maps.sensorthings.series import Span
from cityloom.maps.sensorthings.view import EVERYTHING, Narrowing, View
from cityloom.model.entity import Attribute
from cityloom.model.errors import BadRequestData
from cityloom.model.history import Instance
from cityloom.query.values import Path, QCompare, QNode, QOr, QText, TypeIs
from cityloom.store.history_ports import Numbers

_NO_INSTANCE: Final = Instance(name="", attribute=Attribute())
TIMES: Final = (["phenomenonTime"], ["resultTime"])
_WHOLE: Final = 2**63
_MIRRORED: Final = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq"}
_TO_ENTITY: Final[dict[str, list[list[str]]]] = {
    "Things": [[]],
    "Locations": [["Things"]],
    "HistoricalLocations": [["Thing"]],
    "Datastreams": [["Thing"]],
    "Observations": [["Datastream", "Thing"]],
    "FeaturesOfInterest": [[]],
}
"""How each set's rows lead to their Thing (or are one): all have its entity's id, type and name."""


def narrowing_of(view: View, kind: str, condition: Expression | None) -> Narrowing:
    """What of a filter (None: no filter) the store can be asked."""
    if condition is None:
        return EVERYTHING
    narrowing, exact = EVERYTHING, True
    if condition.series is not None:

        def keeps(datastream: Datastream) -> bool:
            return condition.may_hold(view, Observation(datastream, _NO_INSTANCE, 0))

        narrowing = replace(narrowing, keeps=keeps)
    for term in conjuncts(condition.tree):
        path, operation, value = _comparison(term) or ([], "", None)
        if kind == "Observations" and path in TIMES and isinstance(value, Moment):
            wish = narrowing.wish
            span = _cut(wish.span, operation, value.micros)
            narrowing = replace(narrowing, wish=replace(wish, span=span))
            exact = exact and operation != "ne"
            continue
        bound = _bound(operation, value)
        if kind == "Observations" and path == ["result"] and bound is not None:
            wish = narrowing.wish
            numbers = _clip(wish.numbers or Numbers(), operation, bound)
            narrowing = replace(narrowing, wish=replace(wish, numbers=numbers))
            continue
        exact = exact and kind == "Observations" and is_of_series(term)
        if operation == "eq" and isinstance(value, str):
            narrowing = _by_text(view, kind, narrowing, path, value)
    return replace(narrowing, exact=exact)


def _bound(operation: str, value: Any) -> float | None:
    """The number that bounds what meets this comparison; None where the store cannot compare with it."""
    if operation not in _MIRRORED or not is_number(value):
        return None
    if isinstance(value, int) and abs(value) >= _WHOLE:
        return None
    number: float = value
    return number


def _clip(numbers: Numbers, operation: str, bound: float) -> Numbers:
    if operation in ("gt", "ge", "eq") and (bound, operation == "gt") > (numbers.low, not numbers.with_low):
        numbers = replace(numbers, low=bound, with_low=operation != "gt")
    if operation in ("lt", "le", "eq") and (-bound, operation == "lt") > (
        -numbers.high,
        not numbers.with_high,
    ):
        numbers = replace(numbers, high=bound, with_high=operation != "lt")
    return numbers


def _by_text(view: View, kind: str, narrowing: Narrowing, path: list[str], value: str) -> Narrowing:
    id = _entity_id(kind, path, value)
    if id is not None and narrowing.ids is None:
        return replace(narrowing, ids=[id])
    for way in _TO_ENTITY.get(kind, []):
        if path == [*way, "properties", "type"] and narrowing.types is None:
            try:
                return replace(narrowing, types=TypeIs(view.lens.ld_context.expand_name(value)))
            except BadRequestData:
                return narrowing
        if path == [*way, "name"] and narrowing.q is None and kind != "Datastreams":
            return replace(narrowing, q=_named(view, value))
    return narrowing


def _entity_id(kind: str, path: list[str], value: str) -> str | None:
    """The entity that an equality with an id names."""
    if path == ["id"] and kind in ("Things", "FeaturesOfInterest"):
        return value
    if any(path == [*way, "id"] for way in _TO_ENTITY.get(kind, []) if way):
        return value
    named = (kind == "Datastreams" and path == ["id"]) or (
        kind == "Observations" and path == ["Datastream", "id"]
    )
    key = parse_series_id(value) if named else None
    return None if key is None else key.entity_id


def _named(view: View, value: str) -> QNode:
    """Entities with this name; an entity without a name is called by its id."""
    terms: list[QNode] = [QCompare(Path((name,)), "==", QText(value, value)) for name in view.name_attributes]
    return QOr([*terms, QCompare(Path(("id",)), "==", QText(value, value))])


def _comparison(term: Any) -> tuple[list[str], str, Any] | None:
    """(path, operator, value) of a comparison of a property with a constant."""
    if not isinstance(term, ast.Compare) or isinstance(term.comparator, ast.In):
        return None
    operation = operator_name(term.comparator)
    left, right = path_of(term.left), path_of(term.right)
    try:
        if left is not None and right is None:
            return left, operation, literal(term.right, "$filter")
        if right is not None and left is None and operation in _MIRRORED:
            return right, _MIRRORED[operation], literal(term.left, "$filter")
    except BadRequestData:
        pass
    return None


def _cut(span: Span, operation: str, micros: int) -> Span:
    start, end = span.start, span.end
    match operation:
        case "gt":
            start = max(start, micros + 1)
        case "ge":
            start = max(start, micros)
        case "lt":
            end = min(end, micros)
        case "le":
            end = min(end, micros + 1)
        case "eq":
            start, end = max(start, micros), min(end, micros + 1)
    return Span(start, end)
