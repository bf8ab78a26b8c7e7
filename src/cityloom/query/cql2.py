"""The parser of CQL2, in text and in JSON, to the nodes of `values`.

A text is read by the library `cql2` into the tree that CQL2 JSON is, and one
compiler turns that tree into nodes: what it does not know is refused, by name. Property
names are expanded here; what a node means stands in `cql2_evaluate`.

Source: OGC 21-065r2 clauses 6 to 8 and its JSON schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final, Literal

import msgspec
import shapely

from cityloom.model.entity import LOCATION
from cityloom.model.errors import BadRequestData, TooComplexQuery
from cityloom.model.time import parse_datetime
from cityloom.query.cql2_text import EMPTY, read_text
from cityloom.query.cql2_time import RELATIONS, Span, instant_of_date, ordered
from cityloom.query.folding import fold
from cityloom.query.geometry import GEOMETRY_TYPES, check_reference
from cityloom.query.parse_q import Expand, attribute_name, expand_or_keep
from cityloom.query.scanner import MAX_DEPTH, MAX_TEXT, is_unicode
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
    Path,
)

Language = Literal["cql2-text", "cql2-json"]
ToCrs84 = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns a literal geometry (GeoJSON) of the filter's own reference system into CRS84 degrees."""

MAX_NODES: Final = 5_000
"""How many operators, properties and literals a filter may have."""
SPATIAL: Final = frozenset(
    f"s_{name}"
    for name in ("intersects", "equals", "disjoint", "touches", "within", "overlaps", "crosses", "contains")
)
ARRAYS: Final = frozenset({"a_equals", "a_contains", "a_containedBy", "a_overlaps"})
INSTANTS_TOO: Final = frozenset({"t_after", "t_before", "t_disjoint", "t_equals", "t_intersects"})
"""The temporal functions that take instants; the others only take intervals."""
_ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%", "div", "^"})
_COMPARISONS: Final = frozenset({"=", "<>", "<", ">", "<=", ">="})
_GEOMETRY_ALIAS: Final = "geometry"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_Kinds = tuple[type, ...]

_SCALAR: Final[_Kinds] = (CqlProperty, CqlText, CqlNumber, CqlBoolean, CqlInstant, CqlArithmetic, CqlFold)
_NUMERIC: Final[_Kinds] = (CqlProperty, CqlNumber, CqlArithmetic)
_CHARACTER: Final[_Kinds] = (CqlProperty, CqlText, CqlFold)
_SPATIAL: Final[_Kinds] = (CqlProperty, CqlGeometry)
_TEMPORAL: Final[_Kinds] = (CqlProperty, CqlInstant, CqlInterval)
_INTERVALS: Final[_Kinds] = (CqlInterval,)
_ARRAY: Final[_Kinds] = (CqlProperty, CqlArray)
_ELEMENT: Final[_Kinds] = (*_SCALAR, CqlInterval, CqlGeometry, CqlArray)
_WORDS: Final[dict[_Kinds, str]] = {
    _SCALAR: "a property, text, number, boolean, date or timestamp",
    _NUMERIC: "a property or a number",
    _CHARACTER: "a property or a text",
    _SPATIAL: "a property or a geometry",
    _TEMPORAL: "a property, date, timestamp or interval",
    _INTERVALS: "an interval (T_INTERSECTS takes dates and timestamps too)",
    _ARRAY: "a property or an array",
    _ELEMENT: "a value",
}


def parse_cql2(
    filter: str | Mapping[str, Any] | bool,
    *,
    lang: Language = "cql2-text",
    expand: Expand,
    filter_crs: ToCrs84 | None = None,
) -> CqlNode:
    """Reads a filter.

    Args:
        filter: the text; of CQL2 JSON the text or the decoded document.
        lang: which of the two encodings it is in.
        expand: gives the IRI of a short name, by the caller's @context.
        filter_crs: turns literal geometries into CRS84 (lon, lat in degrees); None: they are.

    Raises:
        BadRequestData: it does not follow the grammar, or uses what is not known; says what and where.
        TooComplexQuery: it is too long, nests too deep or has too many parts.

    Cost: linear in the filter; about 0.1 ms for a comparison.
    """
    if lang == "cql2-json":
        tree = _decoded(filter)
    elif isinstance(filter, str):
        tree = read_text(filter)
    else:
        raise BadRequestData("filter is invalid: a text is required")
    return _Compiler(expand, filter_crs).condition(tree, "filter")


def properties_of(node: CqlNode | CqlExpression) -> dict[str, str]:
    """The properties that a filter speaks of: the name that the caller wrote, and where it starts.

    It starts at an attribute (an IRI) or at a member of the entity itself (`id`).
    """
    return {each.name: each.paths[0].attributes[0] for each in _properties(node)}


def attributes_of(node: CqlNode) -> set[str]:
    """The attributes, as IRIs, that a filter has to see."""
    return set(properties_of(node).values())


def _properties(part: Any) -> Iterator[CqlProperty]:
    if isinstance(part, CqlProperty):
        yield part
    elif isinstance(part, list):
        for each in part:
            yield from _properties(each)
    elif isinstance(part, msgspec.Struct):
        for name in part.__struct_fields__:
            yield from _properties(getattr(part, name))


def _decoded(filter: Any) -> Any:
    if not isinstance(filter, str):
        return filter
    if len(filter) > MAX_TEXT:
        raise TooComplexQuery(f"filter is invalid: longer than {MAX_TEXT} characters")
    try:
        return msgspec.json.decode(filter.encode())
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise BadRequestData(f"filter is invalid: no JSON: {error}") from None
    except RecursionError:
        raise TooComplexQuery("filter is invalid: nested too deep") from None


class _Compiler:
    """Turns the tree of one filter into nodes; `place` says in errors where a part stands."""

    def __init__(self, expand: Expand, filter_crs: ToCrs84 | None) -> None:
        self._expand = expand
        self._filter_crs = filter_crs
        self._depth = 0
        self._nodes = 0

    def condition(self, tree: Any, place: str) -> CqlNode:
        """What is true, false or unknown."""
        if isinstance(tree, bool):
            return CqlBoolean(tree)
        if isinstance(tree, dict) and "property" in tree:
            raise BadRequestData(
                f"{place} is invalid: a property is no condition; compare it, as with = TRUE"
            )
        if not isinstance(tree, dict) or "op" not in tree:
            raise BadRequestData(f"{place} is invalid: a condition is required")
        self._enter()
        node = self._operation(tree, place)
        self._depth -= 1
        return node

    def _enter(self) -> None:
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH:
            raise TooComplexQuery(f"filter is invalid: nested deeper than {MAX_DEPTH} levels")
        if self._nodes > MAX_NODES:
            raise TooComplexQuery(f"filter is invalid: more than {MAX_NODES} parts")

    def _operation(self, tree: dict[str, Any], place: str) -> CqlNode:
        name, arguments = _call(tree, place)
        match name:
            case "and" | "or":
                if len(arguments) < 2:
                    raise BadRequestData(f"filter is invalid: {name} takes two conditions or more")
                terms = [self.condition(each, f"filter, under {name},") for each in arguments]
                return CqlAnd(terms) if name == "and" else CqlOr(terms)
            case "not":
                (term,) = _counted(name, arguments, 1)
                return CqlNot(self.condition(term, "filter, under not,"))
            case "isNull":
                (operand,) = _counted(name, arguments, 1)
                return CqlIsNull(self._null_operand(operand))
            case "like":
                text, pattern = _counted(name, arguments, 2)
                return CqlLike(self._argument(text, name, 1, _CHARACTER), self._pattern(pattern))
            case "between":
                value, low, high = _counted(name, arguments, 3)
                return CqlBetween(*self._arguments([value, low, high], name, _SCALAR))
            case "in":
                value, items = _counted(name, arguments, 2)
                if not isinstance(items, list) or not items:
                    raise BadRequestData("filter is invalid: in takes a value and a list of values")
                return CqlIn(
                    self._argument(value, name, 1, _SCALAR),
                    [self._argument(each, name, index, _SCALAR) for index, each in enumerate(items, 2)],
                )
        if name in _COMPARISONS:
            return CqlCompare(name, *self._arguments(_counted(name, arguments, 2), name, _SCALAR))  # type: ignore[arg-type]
        kinds = _relation_kinds(name)
        if kinds is None:
            raise BadRequestData(f"filter is invalid: {name} is no condition that is known here")
        return CqlRelation(name, *self._arguments(_counted(name, arguments, 2), name, kinds))

    def _arguments(self, trees: list[Any], name: str, kinds: _Kinds) -> list[CqlExpression]:
        return [self._argument(tree, name, index, kinds) for index, tree in enumerate(trees, 1)]

    def _argument(self, tree: Any, name: str, index: int, kinds: _Kinds) -> CqlExpression:
        place = f"argument {index} of {name}"
        found = self._expression(tree, place)
        if kinds is _ARRAY and not isinstance(found, kinds):
            # In text an array of one looks like a value in parentheses, and the library may read it so.
            found = CqlArray([found])
        if not isinstance(found, kinds):
            raise BadRequestData(f"filter is invalid: {place} must be {_WORDS[kinds]}")
        return found

    def _null_operand(self, tree: Any) -> CqlExpression | CqlNode:
        is_condition = isinstance(tree, dict) and "op" in tree and not _is_expression(tree["op"])
        return (
            self.condition(tree, "filter") if is_condition else self._expression(tree, "argument 1 of isNull")
        )

    def _expression(self, tree: Any, place: str) -> CqlExpression:
        self._enter()
        found = self._value(tree, place)
        self._depth -= 1
        return found

    def _value(self, tree: Any, place: str) -> CqlExpression:
        match tree:
            case bool():
                return CqlBoolean(tree)
            case int() | float():
                return _number(tree, place)
            case str():
                if not is_unicode(tree):
                    raise BadRequestData(f"filter is invalid: {place} has half of a surrogate pair")
                return CqlText(tree, expand_or_keep(tree, self._expand))
            case list():
                items = [] if tree == [EMPTY] else tree
                return CqlArray([self._argument(each, place, i, _ELEMENT) for i, each in enumerate(items, 1)])
            case {"property": str() as name}:
                return self._property(name)
            case {"date": str() as text}:
                return CqlInstant(_day(text, place), True)
            case {"timestamp": str() as text}:
                return CqlInstant(_moment(text, place))
            case {"interval": [start, end]}:
                return self._interval(start, end, place)
            case {"bbox": list() as bbox} if "type" not in tree:
                return CqlGeometry(self._geometry(_bbox_geometry(bbox, place), place))
            case {"type": str()}:
                return CqlGeometry(self._geometry(tree, place))
            case {"op": str()}:
                return self._operated(tree, place)
            case None:
                raise BadRequestData(f"filter is invalid: {place} is NULL; ask for it by IS NULL")
            case _:
                raise BadRequestData(f"filter is invalid: {place} is nothing that CQL2 knows")

    def _operated(self, tree: dict[str, Any], place: str) -> CqlExpression:
        name, arguments = _call(tree, place)
        if name in _ARITHMETIC:
            return CqlArithmetic(name, *self._arguments(_counted(name, arguments, 2), name, _NUMERIC))  # type: ignore[arg-type]
        if name in ("casei", "accenti"):
            return CqlFold(name, *self._arguments(_counted(name, arguments, 1), name, _CHARACTER))  # type: ignore[arg-type]
        if _relation_kinds(name) is None and name not in {*_COMPARISONS, *_CONDITIONS}:
            raise BadRequestData(f"filter is invalid: the function {name} is not known here")
        raise BadRequestData(f"filter is invalid: {place} is the condition {name}, where a value is required")

    def _pattern(self, tree: Any) -> str:
        """The pattern of LIKE: a text, perhaps folded, as the text it is compared with would be."""
        match tree:
            case str():
                return tree if is_unicode(tree) else self._pattern(None)
            case {"op": ("casei" | "accenti") as name, "args": [inner]}:
                self._enter()
                pattern = fold(name, self._pattern(inner))
                self._depth -= 1
                return pattern
            case _:
                raise BadRequestData("filter is invalid: argument 2 of like must be a text")

    def _property(self, name: str) -> CqlProperty:
        if name == _GEOMETRY_ALIAS:
            return CqlProperty(name, (Path((LOCATION,)),))
        # The points of an IRI are its own: only short names are paths.
        names = [name] if "://" in name else name.split(".")
        if not all(names) or not is_unicode(name):
            raise BadRequestData(f"filter is invalid: {name!r} is no name of a property")
        try:
            expanded = tuple(attribute_name(each, self._expand) for each in names)
        except BadRequestData as error:
            raise BadRequestData(f"filter is invalid: the property {name!r}: {error}") from None
        members = tuple(expand_or_keep(each, self._expand) for each in names)
        return CqlProperty(
            name,
            tuple(
                Path(expanded[:depth], members[depth:], tuple(names[depth:]))
                for depth in range(len(names), 0, -1)
            ),
        )

    def _interval(self, start: Any, end: Any, place: str) -> CqlInterval:
        low, high = (self._bound(each, place) for each in (start, end))
        if isinstance(low, CqlInstant) and isinstance(high, CqlInstant) and not ordered(Span.of(low, high)):
            raise BadRequestData(f"filter is invalid: {place} ends before it starts")
        return CqlInterval(low, high)

    def _bound(self, tree: Any, place: str) -> CqlInstant | CqlProperty | None:
        if tree == "..":
            return None
        if isinstance(tree, str):
            return (
                CqlInstant(_day(tree, place), True) if "T" not in tree else CqlInstant(_moment(tree, place))
            )
        found = self._expression(tree, place)
        if not isinstance(found, CqlInstant | CqlProperty):
            raise BadRequestData(
                f"filter is invalid: {place} must run from and to a date, timestamp or property"
            )
        return found

    def _geometry(self, tree: dict[str, Any], place: str) -> dict[str, Any]:
        try:
            geometry = tree if self._filter_crs is None else self._filter_crs(tree)
            _check_geometry(geometry, f"filter, {place},")
        except RecursionError:
            raise TooComplexQuery(f"filter is invalid: {place} is nested too deep") from None
        return geometry


_CONDITIONS: Final = frozenset({"and", "or", "not", "isNull", "like", "between", "in"})


def _is_expression(name: Any) -> bool:
    return name in _ARITHMETIC or name in ("casei", "accenti")


def _relation_kinds(name: str) -> _Kinds | None:
    if name in SPATIAL:
        return _SPATIAL
    if name in ARRAYS:
        return _ARRAY
    if name in RELATIONS:
        return _TEMPORAL if name in INSTANTS_TOO else _INTERVALS
    return None


def _call(tree: dict[str, Any], place: str) -> tuple[str, list[Any]]:
    name, arguments = tree.get("op"), tree.get("args")
    if not isinstance(name, str) or not isinstance(arguments, list):
        raise BadRequestData(f"{place} is invalid: op, a text, and args, a list, are required")
    return name, arguments


def _counted(name: str, arguments: list[Any], count: int) -> list[Any]:
    if len(arguments) != count:
        raise BadRequestData(f"filter is invalid: {name} takes {count} arguments, not {len(arguments)}")
    return arguments


def _number(value: float, place: str) -> CqlNumber:
    try:
        if math.isfinite(value):
            return CqlNumber(value)
    except OverflowError:
        pass
    raise BadRequestData(f"filter is invalid: {place} is a number beyond what can be compared")


def _day(text: str, place: str) -> int:
    try:
        if _DATE.fullmatch(text):
            return instant_of_date(date.fromisoformat(text))
    except ValueError:
        pass
    raise BadRequestData(f"filter is invalid: {place}: {text!r} is no date (year-month-day)")


def _moment(text: str, place: str) -> int:
    return parse_datetime(text, f"filter, {place},")


def _bbox_geometry(bbox: list[Any], place: str) -> dict[str, Any]:
    """The area of a box, or the line or the place that it is when it is flat.

    Of one over the antimeridian (west beyond east) both its parts.
    """
    if len(bbox) not in (4, 6) or not all(type(each) in (int, float) for each in bbox):
        raise BadRequestData(f"filter is invalid: {place}: bbox takes four or six numbers")
    west, south, east, north = (bbox[index] for index in ((0, 1, 2, 3) if len(bbox) == 4 else (0, 1, 3, 4)))
    if south > north:
        raise BadRequestData(f"filter is invalid: {place}: the south of bbox lies beyond its north")
    if west == east and south == north:
        return {"type": "Point", "coordinates": [west, south]}
    if west == east or south == north:
        halves = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        lines = [[[low, south], [high, north]] for low, high in halves]
        return {"type": "MultiLineString", "coordinates": lines}
    if west <= east:
        return {"type": "Polygon", "coordinates": [_ring(west, south, east, north)]}
    parts = [[_ring(west, south, 180.0, north)], [_ring(-180.0, south, east, north)]]
    return {"type": "MultiPolygon", "coordinates": parts}


def _ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _check_geometry(geometry: Any, place: str) -> None:
    """Checks a literal: readable, closed, on earth.

    Raises:
        BadRequestData: it is not.
    """
    if isinstance(geometry, dict) and geometry.get("type") == "GeometryCollection":
        parts = geometry.get("geometries")
        if not isinstance(parts, list) or not parts:
            raise BadRequestData(f"{place} is invalid: a GeometryCollection has geometries")
        for part in parts:
            if not isinstance(part, dict) or part.get("type") not in GEOMETRY_TYPES:
                raise BadRequestData(f"{place} is invalid: a GeometryCollection has geometries that are none")
            check_reference(part, place)
        return
    check_reference(geometry, place)


def literal_shape(geometry: dict[str, Any]) -> Any:
    """The shapely geometry of a literal that has been checked."""
    return shapely.force_2d(shapely.geometry.shape(geometry))
