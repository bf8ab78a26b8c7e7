"""The order of entities in an answer.

Values of different data types are ordered by type: numbers, texts, objects,
arrays, booleans, times, dates, date-times. Entities that lack the attribute, or whose
value is null, come last, whichever the direction; equal ones are in order of id.
Of several instances the default one counts, else the first; of a language map
the text without a language, else that of the first tag. Objects and
arrays compare by their JSON text, with keys in order.

Source: ETSI GS CIM 009 clause 4.23.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData
from cityloom.query.collation import collation_key
from cityloom.query.compare import comparable
from cityloom.query.geometry import distance, mean_sphere, read_geometry
from cityloom.query.targets import preferred_target
from cityloom.query.values import OrderBy, OrderTerm

Key = tuple[int, Any]
"""(rank of the data type, value within it)."""

_RANKS: Final = {"number": 0, "string": 1, "boolean": 4, "time": 5, "date": 6, "dateTime": 7}
_OBJECT: Final = 2
_ARRAY: Final = 3
_NEAR: Final = -1
"""By distance, geometries come before everything else."""


def sort_entities(entities: Iterable[Entity], order_by: OrderBy | None) -> list[Entity]:
    """The entities in order; without `order_by` by id.

    Ids compare by code point unless a collation is asked for, so that this is the
    order in which a store reads them.

    Raises:
        BadRequestData: the collation or the reference geometry is invalid.

    Cost: one key for each entity and term, then a sort.
    """
    ordered = sorted(entities, key=lambda entity: entity.id)
    if order_by is None:
        return ordered
    # Sorts are stable: the last term first, the first term last.
    for term in reversed(order_by.terms):
        key_of = _key_function(term, order_by)
        keyed = [(key_of(entity), entity) for entity in ordered]
        known = [(key, entity) for key, entity in keyed if key is not None]
        known.sort(key=lambda pair: pair[0], reverse=term.descending)
        ordered = [entity for _, entity in known] + [entity for key, entity in keyed if key is None]
    return ordered


def _key_function(term: OrderTerm, order_by: OrderBy) -> Callable[[Entity], Key | None]:
    collate: Callable[[str], Any] = collation_key(order_by.collation)
    if term.path.attributes == ("id",) and order_by.collation is None:
        return lambda entity: (_RANKS["string"], entity.id)
    if not term.by_distance or order_by.geometry is None:
        return lambda entity: _value_key(_preferred_value(term, entity), collate)
    reference = read_geometry(order_by.geometry, "orderFrom")

    def by_distance(entity: Entity) -> Key | None:
        value = _preferred_value(term, entity)
        metres = _metres(reference, value)
        return _value_key(value, collate) if metres is None else (_NEAR, metres)

    return by_distance


def _metres(reference: Any, value: Any) -> float | None:
    """The distance on the sphere to a stored geometry; None where the value is none, or is not on earth."""
    if not isinstance(value, dict):
        return None
    try:
        metres = distance(reference, read_geometry(value), mean_sphere())
    except BadRequestData:
        return None
    return metres if metres >= 0 else None


def _preferred_value(term: OrderTerm, entity: Entity) -> Any:
    target = preferred_target(term.path, entity)
    if target is None or not target.values:
        return None
    return target.values[0] if target.single else list(target.values)


def _value_key(value: Any, collate: Callable[[str], Any]) -> Key | None:
    if value is None:
        return None
    found = comparable(value)
    if found is not None:
        kind, key = found
        return _RANKS[kind], collate(key) if kind == "string" else key
    text = msgspec.json.encode(value, order="deterministic")
    return (_ARRAY if isinstance(value, list) else _OBJECT), text
