"""A query as SQL: what narrows the entities down before they are read.

The statement finds a *superset* of what a query selects (or exactly that, and says
so); `query.evaluate` has the last word. Values are always bound, never spliced.
Which index leads is decided here, not by the database's planner (where it takes such an order):

1. ids are looked up;
2. a geo query on `location`, or else a filter's, searches the index of places, which holds the types too;
3. types are walked in order of id, so that a page costs a page;
4. everything else walks the entities in order of id.

This module never touches a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec.structs import replace

from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.query.compare import temporal
from cityloom.query.geo import search_boxes
from cityloom.query.geometry import Box, box_of
from cityloom.query.values import (
    MEMBERS,
    AnyOf,
    CqlNode,
    OrderBy,
    Path,
    QAnd,
    QCompare,
    QExists,
    QLinked,
    QLinks,
    QNode,
    QOr,
    QText,
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
from cityloom.store.dialect import Dialect
from cityloom.store.sql_cql2 import FilterParts, filter_boxes
from cityloom.store.sql_parts import (
    MOST_TERMS,
    NOTHING,
    Part,
    all_of,
    any_of,
    is_number,
    is_plain_key,
)
from cityloom.store.sql_select import Select

_MOST_SEARCHES: Final = 16
"""More searches of the index of places than this (boxes times types) are made without the types."""
_MOST_JOINED: Final = 8
"""Comparisons that are joined: SQLite joins 64 tables at most."""
_TYPE_WIDTH: Final = 0.5
"""How far a type reaches along its axis of the R*Tree: without a width all boxes have the volume 0,
and the tree cannot tell good from bad places for them."""


def select_entities(query: Query, tenant: int, dialect: Dialect, *, after_id: str = "") -> Select:
    """The statement for a query.

    Args:
        query: what is asked; its `order_by` is obeyed when it is by id.
        tenant: the tenant's number.
        dialect: the database's.
        after_id: only ids beyond this one (in the direction of the order), for reading on.

    Raises:
        BadRequestData: the reference geometry is invalid.
    """
    return _Builder(query, tenant, dialect).build(after_id)


def place_row(
    entity: Entity, type_ids: Sequence[int]
) -> tuple[float, float, float, float, float, float] | None:
    """The entity's row in `place`: west, east, south, north, and the span of its types' numbers.

    The box spans every instance of `location`, since a geo query may match any. None: no location.
    """
    box = box_of([each.value for each in entity.attributes.get(LOCATION, ()) if each.kind == "GeoProperty"])
    if box is None or not type_ids:
        return None
    return box.west, box.east, box.south, box.north, float(min(type_ids)), max(type_ids) + _TYPE_WIDTH


def plain_number(instances: Sequence[Attribute]) -> int | float | None:
    """What `entity_attribute` tells of an attribute beside its name: the number that is its only value."""
    if len(instances) != 1:
        return None
    value: Any = instances[0].value
    return value if is_number(value) else None


def scope_key(scope: str) -> str:
    """The scope as `entity_scope` holds it: `Madrid` and `/Madrid` are the same (4.18)."""
    return "/" + scope.removeprefix("/")


class _Builder:
    """Puts one statement together."""

    def __init__(self, query: Query, tenant: int, dialect: Dialect) -> None:
        self._query = query
        self._dialect = dialect
        self._parameters: dict[str, Any] = {"tenant": tenant, "limit": query.limit, "offset": query.offset}
        self._names: dict[str, str] = {}
        self._body = "e.body"
        self._placed = False
        self._row = ""
        self._joined: list[str] = []

    def build(self, after_id: str) -> Select:
        """Chooses what leads, and adds every condition that is not said by it."""
        query = self._query
        lead_types, told = None, False
        boxes = self._boxes()
        if query.ids:
            leading, key = "entity e", "e"
            conditions = [
                "e.tenant = :tenant",
                self._dialect.is_text_of("e.id", self._bind(self._dialect.texts(query.ids))),
            ]
        elif boxes is not None:
            leading, told = self._place(boxes)
            key, conditions = "e", ["e.tenant = :tenant"]
            self._placed = True
            # What a place's row decides is looked at before that row is opened elsewhere.
            self._row = "p.row"
            if not self._dialect.sorts_rows:
                # Places are seen through `sight`, which is narrow: bodies are opened only where they decide.
                self._body = "(SELECT b.body FROM entity b WHERE b.row = p.row)"
        elif query.types is not None and (lead_types := _leading_types(query.types)) is not None:
            leading, key, conditions = self._types(lead_types), "t", []
        else:
            leading, key, conditions = "entity e", "e", ["e.tenant = :tenant"]
        self._row = self._row or f"{key}.row"
        ordered, descending = _order_of(query.order_by)
        if after_id:
            conditions.append(f"{key}.id {'<' if descending else '>'} {self._bind(after_id)}")
        types_lead = (told or lead_types is not None) and _is_union(query.types)
        said: dict[str, Any] = {"types": None} if types_lead else {}
        exact = query.id_pattern is None and query.geo is None
        for name, part in self._parts(key, types_lead=types_lead):
            exact = exact and part.exact
            if part.exact:
                said[name] = [] if name == "attrs" else None
            if part.sql is not None:
                conditions.append(part.sql)
        if self._placed:
            seen = f"{'entity' if self._dialect.sorts_rows else 'sight'} e ON e.row = p.row"
            leading = f" {self._dialect.join} ".join((leading, *self._joined, seen))
        return Select(
            leading,
            conditions,
            "t" if key == "t" else "e",
            boxes is not None and not query.ids and not self._dialect.sorts_rows,
            descending,
            self._dialect.join,
            self._parameters,
            exact,
            ordered,
            replace(query, **said),
        )

    def _parts(self, key: str, *, types_lead: bool) -> list[tuple[str, Part]]:
        """What is said of each part of the query, by its name."""
        query = self._query
        parts: list[tuple[str, Part]] = []
        if query.types is not None and not types_lead:
            parts.append(("types", self._type_part(query.types, key)))
        if query.attrs:
            parts.append(("attrs", any_of([self._attribute(name) for name in query.attrs])))
        if query.q is not None:
            parts.append(("q", self._q_part(query.q, needed=True)))
        if query.scope_q is not None:
            parts.append(("scope_q", self._scope_part(query.scope_q)))
        if query.geo is not None:
            # What has a place has a location.
            told = query.geo.or_absent or (self._placed and query.geo.geoproperty == LOCATION)
            placed = NOTHING if told else self._attribute(query.geo.geoproperty)._replace(exact=False)
            parts.append(("geo", placed))
        if query.filter is not None:
            parts.append(("filter", self._filter(query.filter, key)))
        return parts

    def _filter(self, node: CqlNode, key: str) -> Part:
        return FilterParts(self._bind, self._attribute, self._dialect, key, self._body).part(node)

    def _bind(self, value: Any) -> str:
        name = f"p{len(self._parameters)}"
        self._parameters[name] = value
        return f":{name}"

    def _name(self, iri: str) -> str:
        """The number of a name; an unknown one is NULL, which equals nothing."""
        if iri not in self._names:
            self._names[iri] = self._bind(iri)
        return f"(SELECT id FROM name WHERE iri = {self._names[iri]})"

    # -- what leads --------------------------------------------------------
    def _boxes(self) -> list[Box] | None:
        geo, found = self._query.geo, None
        if geo is not None and geo.geoproperty == LOCATION:
            found = search_boxes(geo)
        return filter_boxes(self._query.filter) if found is None else found

    def _place(self, boxes: list[Box]) -> tuple[str, bool]:
        """The index of places searched for each box (and leading type), and whether it told the types."""
        types = None if self._query.types is None else _leading_types(self._query.types)
        by_type = types is not None and len(types) * len(boxes) <= _MOST_SEARCHES
        if types is None or not by_type:
            searches = [self._dialect.place(box, self._bind) for box in boxes]
        else:
            searches = [
                self._dialect.place(box, self._bind, self._name(iri)) for box in boxes for iri in types
            ]
        # Where the index has a row for each type, an entity of two types is found twice.
        once = "DISTINCT " if self._dialect.places_by_type and not by_type else ""
        rows = " UNION ".join(f"SELECT {once}p.row FROM place p WHERE {search}" for search in searches)
        if self._query.geo is not None and self._query.geo.or_absent:
            rows += f" UNION {self._absent(types)}"
        return f"({rows}) p", by_type and self._dialect.places_by_type

    def _absent(self, types: list[str] | None) -> str:
        """The entities (of the leading types) that have no place."""
        lacks = "NOT EXISTS (SELECT 1 FROM place p WHERE p.row = a.row)"
        if types is None:
            return f"SELECT row FROM entity a WHERE a.tenant = :tenant AND {lacks}"
        numbers = ", ".join(self._name(iri) for iri in types)
        return f"SELECT row FROM entity_type a WHERE a.tenant = :tenant AND a.type IN ({numbers}) AND {lacks}"

    def _types(self, types: list[str]) -> str:
        """The walk of one type; of several, merged, an entity that has two of them once."""
        walks = [
            f"SELECT id, row FROM entity_type WHERE tenant = :tenant AND type = {self._name(iri)}"
            for iri in types
        ]
        return f"({' UNION '.join(walks)}) t"

    # -- conditions --------------------------------------------------------
    def _type_part(self, expression: TypeExpression, key: str) -> Part:
        types = _leading_types(expression) if _is_union(expression) else None
        if types is not None:
            is_wanted = self._one_of_types(types)
            listed = (
                "EXISTS (SELECT 1 FROM entity_type x WHERE x.tenant = :tenant"
                f" AND {is_wanted('x.type')} AND x.id = {key}.id)"
            )
            seen = self._placed and not self._dialect.sorts_rows
            return Part(f"({is_wanted('e.type')} OR {listed})" if seen else listed, True)
        match expression:
            case TypeAnd(terms):
                return all_of([self._type_part(term, key) for term in terms])
            case TypeOr(terms):
                return any_of([self._type_part(term, key) for term in terms])
            case _:
                raise AssertionError(expression)

    def _one_of_types(self, types: list[str]) -> Callable[[str], str]:
        """What says that an operand is the number of one of some types."""
        if len(types) == 1:
            return lambda operand: f"{operand} = {self._name(types[0])}"
        wanted = self._dialect.is_text_of("iri", self._bind(self._dialect.texts(types)))
        names = f"SELECT id FROM name WHERE {wanted}"
        return lambda operand: self._dialect.is_one_of(operand, names)

    def _attribute(self, name: str) -> Part:
        return Part(
            "EXISTS (SELECT 1 FROM entity_attribute a "
            f"WHERE a.tenant = :tenant AND a.name = {self._name(name)} AND a.row = {self._row})",
            True,
        )

    def _q_part(self, node: QNode, *, needed: bool = False) -> Part:
        """Every comparison needs its attribute to be there; only existence is decided by that.

        Args:
            needed: nothing is selected of which it does not hold.
        """
        match node:
            case QExists(path):
                return self._path_part(path, decides=len(path.attributes) == 1 and not path.members)
            case QCompare():
                return self._compare_part(node, needed)
            case QAnd(terms):
                return all_of([self._q_part(term, needed=needed) for term in terms])
            case QOr(terms):
                return any_of([self._q_part(term) for term in terms])
            case QLinks(relationship, ids):
                to_one = QCompare(Path((relationship,)), "==", AnyOf(list(ids)))
                parts = [self._path_part(to_one.path, decides=False)]
                return all_of([*parts, self._value_part(to_one, None)] if len(ids) <= MOST_TERMS else parts)
            case QLinked():
                return NOTHING

    def _path_part(self, path: Path, *, decides: bool) -> Part:
        if path.attributes[0] in MEMBERS:
            return NOTHING
        return Part(self._attribute(path.attributes[0]).sql, decides)

    def _compare_part(self, node: QCompare, needed: bool) -> Part:
        """An attribute's number is looked at beside its name, and what is no single number in the body.

        Where places are looked through and it is needed, it is joined: a fifth less time than EXISTS.
        """
        name, numbers = node.path.attributes[0], self._number_test(node)
        value = self._value_part(node, numbers)
        own = len(node.path.attributes) == 1 and not node.path.members and is_plain_key(name)
        if numbers is None or not own:
            return all_of([self._path_part(node.path, decides=False), value])
        inside = "" if value.sql is None else f" AND {value.sql}"
        joined = needed and self._placed and len(self._joined) < _MOST_JOINED
        a = f"a{len(self._joined)}" if joined else "a"
        holds = (
            f"{a}.tenant = :tenant AND {a}.name = {self._name(name)} AND {a}.row = {self._row} "
            f"AND ({numbers.format(value=f'{a}.number')} OR {a}.number IS NULL{inside})"
        )
        if joined:
            self._joined.append(f"entity_attribute {a} ON {holds}")
            return NOTHING
        return Part(f"EXISTS (SELECT 1 FROM entity_attribute a WHERE {holds})", False)

    def _value_part(self, node: QCompare, numbers: str | None) -> Part:
        """Looks at values inside the body, where the outcome is certain to be that of `evaluate`.

        Only an attribute's own value, against numbers or texts: no other simple type equals
        them, and what is compound (arrays, language maps, typed values) goes through.
        Measured: a third less time than decoding every body, and
        that time is spent outside the interpreter's lock.
        """
        path = node.path
        if not self._dialect.reads_bodies:
            return NOTHING
        if len(path.attributes) > 1 or path.members or not is_plain_key(path.attributes[0]):
            return NOTHING
        test = self._value_test(node, numbers)
        if test is None:
            return NOTHING
        instances = self._bind(f'$.attributes."{path.attributes[0]}"')
        return Part(
            f"EXISTS (SELECT 1 FROM json_each(CAST({self._body} AS TEXT), {instances}) i WHERE {test})", False
        )

    def _value_test(self, node: QCompare, numbers: str | None) -> str | None:
        value, kind = "json_extract(i.value, '$.value')", "json_type(i.value, '$.value')"
        if numbers is not None:
            wanted = numbers.format(value=value)
            return f"{kind} IN ('object', 'array') OR {kind} IN ('integer', 'real') AND {wanted}"
        literals = _literals(node)
        if node.operator != "==" or not all(_is_plain_text(each) for each in literals):
            return None
        texts = [text for each in literals for text in _spellings(each)]
        wanted = f"{value} IN ({', '.join(self._bind(each) for each in texts)})"
        return f"{kind} IN ('object', 'array') OR {kind} = 'text' AND {wanted}"

    def _number_test(self, node: QCompare) -> str | None:
        """The comparison of a number `{value}`; None where it is not with numbers alone."""
        wanted = node.value
        if node.operator in (">", "<", ">=", "<=") and is_number(wanted):
            return f"{{value}} {node.operator} {self._bind(wanted)}"
        if node.operator != "==":
            return None
        if isinstance(wanted, Range):
            if not (is_number(wanted.low) and is_number(wanted.high)):
                return None
            return f"{{value}} BETWEEN {self._bind(wanted.low)} AND {self._bind(wanted.high)}"
        literals = _literals(node)
        if not all(is_number(each) for each in literals):
            return None
        return f"{{value}} IN ({', '.join(self._bind(each) for each in literals)})"

    def _scope_part(self, expression: ScopeExpression) -> Part:
        match expression:
            case ScopeTerm(scope):
                return self._scope_term(scope)
            case ScopeAnd(terms):
                return all_of([self._scope_part(term) for term in terms])
            case ScopeOr(terms):
                return any_of([self._scope_part(term) for term in terms])

    def _scope_term(self, scope: str) -> Part:
        levels = scope_key(scope).split("/")[1:]
        if "+" not in levels and levels[-1] != "#":
            wanted = self._bind("/" + "/".join(levels))
            return Part(
                "EXISTS (SELECT 1 FROM entity_scope s "
                f"WHERE s.tenant = :tenant AND s.scope = {wanted} AND s.row = {self._row})",
                True,
            )
        fixed = levels[: next(index for index, level in enumerate(levels) if level in ("+", "#"))]
        if not fixed:
            return NOTHING
        stem = "/" + "/".join(fixed)
        # "0" is the character after "/": the range holds everything below the stem, and nothing else.
        own, low, high = (self._bind(stem + end) for end in ("", "/", "0"))
        within = f"s.scope = {own} OR s.scope > {low} AND s.scope < {high}"
        return Part(
            f"{self._row} IN (SELECT s.row FROM entity_scope s WHERE s.tenant = :tenant AND ({within}))",
            "+" not in levels,
        )


def _literals(node: QCompare) -> list[Any]:
    return list(node.value.values) if isinstance(node.value, AnyOf) else [node.value]


def _is_plain_text(value: Any) -> bool:
    """A text that only equals the same text: no time, of which there are several spellings."""
    return isinstance(value, str | QText) and all(
        temporal(text) is None and "\0" not in text for text in _spellings(value)
    )


def _spellings(value: str | QText) -> tuple[str, ...]:
    return (value.text, value.iri) if isinstance(value, QText) else (value,)


def _is_union(expression: TypeExpression | None) -> bool:
    """Whether the expression is one type, or one of several."""
    match expression:
        case TypeIs():
            return True
        case TypeOr(terms):
            return all(isinstance(term, TypeIs) for term in terms)
        case _:
            return False


def _leading_types(expression: TypeExpression) -> list[str] | None:
    """Types of which every selected entity has at least one; None when they are too many to lead."""
    match expression:
        case TypeIs(type):
            return [type]
        case TypeAnd(terms):
            return _leading_types(terms[0])
        case TypeOr(terms):
            found: dict[str, None] = {}
            for term in terms:
                types = _leading_types(term)
                if types is None:
                    return None
                found.update(dict.fromkeys(types))
            return list(found) if len(found) <= MOST_TERMS else None


def _order_of(order_by: OrderBy | None) -> tuple[bool, bool]:
    """(whether SQL's order is the asked one, whether it descends)."""
    if order_by is None:
        return True, False
    first = order_by.terms[0]
    by_id = first.path.attributes == ("id",) and not first.by_distance and order_by.collation is None
    return by_id, by_id and first.descending
