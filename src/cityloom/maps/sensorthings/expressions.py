"""Filters and keys of order: parsed by `odata-query`, compiled once into functions of a row.

A path through a navigation property to many has many values: a comparison
holds when it holds for one of them. Every expression therefore gives an
iterable of values, mostly of one.

Source: OGC 18-088 clauses 9.3.3.3 ($orderby), 9.3.3.5 ($filter); OASIS OData 4.0 URL conventions 5.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, time
from typing import Any, Final

import shapely
from msgspec import Struct
from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.visitor import iter_dataclass_fields

from cityloom.maps.sensorthings.domain import Length, Moment, calculate, compare, in_domain
from cityloom.maps.sensorthings.functions import FUNCTIONS, UNBUILT
from cityloom.maps.sensorthings.model import KINDS, Kind
from cityloom.maps.sensorthings.rows import Row
from cityloom.maps.sensorthings.view import View
from cityloom.model.errors import BadRequestData, NotBuilt, TooComplexQuery
from cityloom.model.time import parse_datetime
from cityloom.query.geometry import check_reference

Values = Callable[[View, Row], Iterable[Any]]

_MOST_TERMS: Final = 500
"""Words and signs: the parser calls itself for some of them."""
_DEEPEST: Final = 40
_QUOTED: Final = re.compile(r"('(?:[^']|'')*')")
_TERM: Final = re.compile(r"[\w.]+|[^\w.\s]")
_FAILURES: Final = (
    ODataException,
    AttributeError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the parser raises: on texts that few write, also what it did not mean to."""
_DURATION: Final = re.compile(r"([+-])?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


class Expression(Struct, frozen=True):
    """An expression: as it was written, its tree, and what computes it.

    `series` computes, of a filter of Observations, those terms that must hold and
    that speak of the Datastream or its feature alone: it needs no history.
    """

    text: str
    tree: Any
    values: Values
    series: Values | None = None

    def holds(self, view: View, row: Row) -> bool:
        """Whether it is true of a row."""
        return _is_true(self.values, view, row)

    def may_hold(self, view: View, row: Row) -> bool:
        """Whether it may be true of any observation of `row`'s Datastream."""
        return self.series is None or _is_true(self.series, view, row)

    def value(self, view: View, row: Row) -> Any:
        """Its value for a row, the first where there are many, null where there is none."""
        return next(iter(self.values(view, row)), None)


def _is_true(values: Values, view: View, row: Row) -> bool:
    return any(value is True for value in values(view, row))


def compile_expression(text: str, kind: Kind, place: str) -> Expression:
    """Compiles an expression over the rows of a set.

    Args:
        place: the option's name, for errors.

    Raises:
        BadRequestData: the text is no expression, or names what does not exist.
        NotBuilt: it uses what OData knows and that is not built.
        TooComplexQuery: it has too many terms or nests too deep.
    """
    tree = parse(text, place)
    compiler = _Compiler(kind, place)
    told = [term for term in conjuncts(tree) if kind.name == "Observations" and is_of_series(term)]
    series = compiler.all_of([compiler.compile(term, 1) for term in told]) if told else None
    return Expression(text, tree, compiler.compile(tree, 0), series)


def is_of_series(tree: Any) -> bool:
    """Whether every path of a tree begins with the Datastream or the feature, and there is one."""
    paths = list(_paths(tree))
    return bool(paths) and all(path[0] in ("Datastream", "FeatureOfInterest") for path in paths)


def _paths(tree: Any) -> Iterator[list[str]]:
    stack = [tree]
    while stack:
        node = stack.pop()
        path = path_of(node)
        if path is not None:
            yield path
        elif isinstance(node, ast.Call):
            stack += node.args
        else:
            stack += [each for _, each in iter_dataclass_fields(node) if isinstance(each, ast._Node)]


def parse(text: str, place: str) -> Any:
    """The tree of a text. Raises BadRequestData. Cost: linear in the text."""
    parts = _QUOTED.split(text.strip())
    # Control information is named `@iot.id` in answers, which is no name in OData's grammar.
    plain = "".join(part if index % 2 else part.replace("@iot.id", "id") for index, part in enumerate(parts))
    if sum(len(_TERM.findall(part)) for part in parts[::2]) > _MOST_TERMS:
        raise TooComplexQuery(f"parameter {place} is invalid: it has more than {_MOST_TERMS} terms")
    # Its tables are made on import, which takes longer than anything else of a node's start.
    from odata_query.grammar import ODataLexer, ODataParser

    parser = ODataParser()
    # Our own table of functions is asked when the tree is compiled.
    parser._function_call = ast.Call  # type: ignore[method-assign]
    try:
        tree = parser.parse(ODataLexer().tokenize(plain))
    except _FAILURES as error:
        at = getattr(getattr(error, "token", None), "index", None)
        where = "at its end" if at is None else f"at {plain[at : at + 20]!r} (character {at})"
        raise BadRequestData(f"parameter {place} is invalid: it is no expression, {where}") from None
    if tree is None:
        raise BadRequestData(f"parameter {place} is invalid: it is no expression")
    return tree


def path_of(tree: Any) -> list[str] | None:
    """The names of a path; None when the tree is something else."""
    if isinstance(tree, ast.Identifier):
        return [*tree.namespace, tree.name]
    if isinstance(tree, ast.Attribute):
        owner = path_of(tree.owner)
        return None if owner is None else [*owner, tree.attr]
    return None


def conjuncts(tree: Any) -> list[Any]:
    """The terms that must all hold."""
    return _terms(tree, ast.And)


def _terms(tree: Any, operator: type[Any]) -> list[Any]:
    found: list[Any] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.BoolOp) and isinstance(node.op, operator):
            stack += [node.right, node.left]
        else:
            found.append(node)
    return found


_OPERATORS: Final = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Mod: "mod",
}


def operator_name(node: Any) -> str:
    """The operator as it is written."""
    return _OPERATORS.get(type(node), "in")


class _Compiler:
    """Compiles one tree over the rows of one set."""

    def __init__(self, kind: Kind, place: str) -> None:
        self._kind = kind
        self._place = place

    def compile(self, node: Any, depth: int) -> Values:
        """What computes a node."""
        if depth > _DEEPEST:
            raise TooComplexQuery(f"parameter {self._place} is invalid: it nests deeper than {_DEEPEST}")
        match node:
            case ast.BoolOp():
                return self._all_or_any(node, depth)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._negation(operand, depth)
            case ast.UnaryOp(operand=operand):
                return self._mapped(lambda value: calculate("sub", 0, value), [operand], depth)
            case ast.Compare():
                return self._comparison(node, depth)
            case ast.BinOp(op=op, left=left, right=right):
                name = operator_name(op)
                return self._mapped(lambda one, other: calculate(name, one, other), [left, right], depth)
            case ast.Call(func=func, args=args):
                return self._call(".".join((*func.namespace, func.name)), args, depth)
            case ast.Identifier() | ast.Attribute():
                return self._path(path_of(node) or [])
            case ast.CollectionLambda() | ast.Lambda() | ast.NamedParam():
                raise NotBuilt(
                    f"parameter {self._place}: any, all and named parameters are not supported yet"
                )
            case ast.List():
                raise self._wrong("a list may stand after in only")
            case _:
                constant = (literal(node, self._place),)
                return lambda view, row: constant

    def _all_or_any(self, node: Any, depth: int) -> Values:
        every = isinstance(node.op, ast.And)
        terms = [self.compile(term, depth + 1) for term in _terms(node, type(node.op))]
        if every:
            return self.all_of(terms)
        return lambda view, row: (any(_is_true(term, view, row) for term in terms),)

    @staticmethod
    def all_of(terms: Sequence[Values]) -> Values:
        """What computes whether all of these hold."""
        return lambda view, row: (all(_is_true(term, view, row) for term in terms),)

    def _negation(self, operand: Any, depth: int) -> Values:
        inner = self.compile(operand, depth + 1)
        return lambda view, row: (not _is_true(inner, view, row),)

    def _comparison(self, node: Any, depth: int) -> Values:
        name = operator_name(node.comparator)
        left = self.compile(node.left, depth + 1)
        if name == "in":
            wanted = [literal(each, self._place) for each in node.right.val]
            return lambda view, row: (
                any(compare("eq", value, each) for value in left(view, row) for each in wanted),
            )
        right = self.compile(node.right, depth + 1)
        return lambda view, row: (
            any(compare(name, one, other) for one in left(view, row) for other in right(view, row)),
        )

    def _call(self, name: str, args: Sequence[Any], depth: int) -> Values:
        lowered = name.lower()
        if lowered == "not" and len(args) == 1:
            return self._negation(args[0], depth)
        if lowered == "now" and not args:
            return lambda view, row: (Moment(view.lens.now),)
        function = FUNCTIONS.get(lowered)
        if function is None:
            if name in UNBUILT:
                raise NotBuilt(f"parameter {self._place}: function {name} is not supported yet")
            raise self._wrong(f"function {name[:100]} does not exist")
        if not function.least <= len(args) <= function.most:
            raise self._wrong(f"function {name} takes {function.least} arguments, not {len(args)}")
        return self._mapped(function.call, args, depth)

    def _mapped(self, function: Callable[..., Any], args: Sequence[Any], depth: int) -> Values:
        inner = [self.compile(arg, depth + 1) for arg in args]
        if len(inner) == 1:
            only = inner[0]
            return lambda view, row: (function(value) for value in only(view, row))

        def values(view: View, row: Row) -> Iterable[Any]:
            rows: list[tuple[Any, ...]] = [()]
            for arg in inner:
                rows = [(*before, value) for before in rows for value in arg(view, row)]
            return (function(*each) for each in rows)

        return values

    # -- paths -------------------------------------------------------------
    def _path(self, names: list[str]) -> Values:
        """A path: navigation properties, then a property, then members of its value."""
        kind, steps = self._kind, []
        while names and names[0] in kind.links:
            link = kind.links[names[0]]
            steps.append(names[0])
            kind, names = KINDS[link.target], names[1:]
        if not names:
            raise self._wrong(f"{'/'.join(steps)} is no property: name one of {', '.join(kind.properties)}")
        get = self._getter(kind, names)
        if not steps:
            return lambda view, row: (get(view, row),)

        def values(view: View, row: Row) -> Iterable[Any]:
            return (get(view, end) for end in _follow(view, row, steps))

        return values

    def _getter(self, kind: Kind, names: list[str]) -> Callable[[View, Row], Any]:
        first, *members = names
        if first == "id" and not members:
            return lambda view, row: row.id
        known = kind.properties.get(first)
        if known is None:
            listed = ", ".join(["id", *kind.properties, *kind.links])
            raise self._wrong(f"{first[:100]} does not exist on {kind.name}, which have {listed}")
        if not members:
            return lambda view, row: in_domain(known.get(view, row), known.domain)

        def member(view: View, row: Row) -> Any:
            value = known.get(view, row)
            for name in members:
                value = value.get(name) if isinstance(value, dict) else None
            return value

        return member

    def _wrong(self, detail: str) -> BadRequestData:
        return BadRequestData(f"parameter {self._place} is invalid: {detail}")


def _follow(view: View, row: Row, steps: Sequence[str]) -> Iterable[Row]:
    if not steps:
        yield row
        return
    for nearer in view.related(row, steps[0]):
        yield from _follow(view, nearer, steps[1:])


def literal(node: Any, place: str) -> Any:
    """The value of a literal. Raises BadRequestData where it is none, or is out of range."""
    try:
        return _literal(node)
    except BadRequestData as error:
        raise BadRequestData(f"parameter {place} is invalid: {error.detail}") from None
    except (ValueError, OverflowError, shapely.errors.ShapelyError) as error:
        raise BadRequestData(f"parameter {place} is invalid: {str(error)[:200]}") from None


def _literal(node: Any) -> Any:
    match node:
        case ast.Null():
            return None
        case ast.Integer() | ast.Float() | ast.Boolean() | ast.String():
            return node.py_val
        case ast.GUID(val=text):
            return text
        case ast.DateTime(val=text):
            return Moment(parse_datetime(text.upper(), "a time"))
        case ast.Date(val=text):
            return date.fromisoformat(text)
        case ast.Time(val=text):
            return time.fromisoformat(text)
        case ast.Duration(val=text):
            return _duration(text)
        case ast.Geography(val=text):
            return _geography(text)
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Integer | ast.Float):
        return -node.operand.py_val
    raise BadRequestData("a value is required")


def _duration(text: str) -> Length:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise BadRequestData(f"{text!r} is no duration of days, hours, minutes and seconds")
    sign, days, hours, minutes, seconds = match.groups()
    whole = (int(days or 0) * 24 + int(hours or 0)) * 60 + int(minutes or 0)
    micros = whole * 60_000_000 + round(float(seconds or 0) * 1_000_000)
    return Length(-micros if sign == "-" else micros)


def _geography(text: str) -> Any:
    wkt = text.rpartition(";")[2].strip()
    geometry = shapely.from_wkt(wkt)
    if geometry is None or geometry.is_empty:
        raise BadRequestData(f"{text[:100]!r} is no geometry")
    check_reference(shapely.geometry.mapping(geometry), "a geometry")
    return geometry
