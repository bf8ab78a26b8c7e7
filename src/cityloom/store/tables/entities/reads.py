"""Reading current entities: by id, by query, and what is in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cityloom.model.entity import Entity, decode_entities, decode_entity
from cityloom.query.cql2 import attributes_of
from cityloom.query.evaluate import matcher
from cityloom.query.order import sort_entities
from cityloom.query.values import Query
from cityloom.store.entity_ports import AttributeUse, LayerSummary, TypeCount
from cityloom.store.map_ports import Box
from cityloom.store.sql import select_entities
from cityloom.store.sql_select import BODIES, Select
from cityloom.store.strays import box_without_strays
from cityloom.store.tables.base.session import Port
from cityloom.store.tables.entities.parts import part_decoder
from cityloom.store.tables.entities.tallies import EVERY_TYPE, Tallies, Tally, decode_tally, newest

_MOST_BODIES: Final = 200
"""Bodies that are read at once."""
_decode_numbers = msgspec.json.Decoder(list[int]).decode
_encode = msgspec.json.encode
_SAMPLE: Final = 2_000
"""Places that tell where nearly all of a layer lies."""


class EntityReader(Port):
    """The port `EntityReads`."""

    def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The current entity, or None. Cost: one index lookup."""
        number = self.db.tenants.find(tenant)
        body = self.db.value("SELECT body FROM entity WHERE tenant = ? AND id = ?", (number, entity_id))
        return decode_entity(body) if body is not None else None

    def get_many(
        self, tenant: str, entity_ids: Sequence[str], names: Sequence[str] | None = None
    ) -> dict[str, Entity]:
        """Those of these entities that exist, by id, with these attributes alone (None: with all)."""
        decode = part_decoder(names)
        rows = self.db.rows(*self.rows_of(tenant, entity_ids))
        return {row[0]: decode(row[2]) for row in rows}

    def rows_of(self, tenant: str, entity_ids: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
        """The statement for (id, row, body) of those of these entities that exist, by id; its parameters."""
        dialect = self.db.dialect
        sql = (
            f"SELECT e.id, e.row, e.body FROM {dialect.each_text('?', 'w')} {dialect.join} entity e"
            " ON e.tenant = ? AND e.id = w.value ORDER BY e.id"
        )
        return sql, (dialect.texts(list(entity_ids)), self.db.tenants.find(tenant))

    def query(self, tenant: str, query: Query) -> list[Entity]:
        """The entities that `query` selects, exactly, in its order (by default: by id), paged."""
        select = self._select(tenant, query)
        if select is None:
            return []
        if select.ordered and select.exact:
            return [decode_entity(row[2]) for row in self.db.rows(select.rows(limit=True), select.parameters)]
        selected = self._selected(select, query)
        if select.ordered or query.order_by is None:
            return list(islice(selected, query.offset, query.offset + query.limit))
        return sort_entities(list(selected), query.order_by)[query.offset : query.offset + query.limit]

    def scan(self, tenant: str, query: Query) -> Iterator[Entity]:
        """As `query`, without paging, one after the other by id."""
        query = replace(query, order_by=None)
        select = self._select(tenant, query)
        return self._selected(select, query) if select is not None else iter(())

    def lights(self, tenant: str, query: Query, names: Sequence[str] | None = None) -> Iterator[Entity]:
        """As `query`, one after the other, with these attributes alone (None: with all).

        Cost: about 5 µs for each entity that is answered or refused;
        an order by anything but ids, and a `q`, read whole entities.
        """
        select = self._select(tenant, query)
        if select is None:
            return iter(())
        if not select.ordered and query.order_by is not None:
            return iter(self.query(tenant, query))
        if select.exact:
            decode = part_decoder(names)
            rows = self.db.stream(select.rows(limit=True), select.parameters)
            return (decode(row[2]) for row in rows)
        selected = self._selected_lights(select, query, names)
        return islice(selected, query.offset, query.offset + query.limit)

    def _selected_lights(self, select: Select, query: Query, names: Sequence[str] | None) -> Iterator[Entity]:
        """What an inexact statement finds, tested; of the attributes no more is read than that needs."""
        if names is None or query.q is not None:
            return self._selected(select, query)
        needed = {*names, *query.attrs}
        if query.geo is not None:
            needed.add(query.geo.geoproperty)
        if query.filter is not None:
            needed |= attributes_of(query.filter)
        decode = part_decoder(sorted(needed))
        rows = self.db.stream(select.rows(), select.parameters)
        return filter(matcher(query), (decode(row[2]) for row in rows))

    def count(self, tenant: str, query: Query) -> int:
        """How many entities `query` selects, paging left aside."""
        select = self._select(tenant, query)
        if select is None:
            return 0
        if select.exact:
            number: int = self.db.value(select.count(), select.parameters)
            return number
        return sum(1 for _ in self._selected_lights(select, query, ()))

    def _select(self, tenant: str, query: Query) -> Select | None:
        number = self.db.tenants.find(tenant)
        return select_entities(query, number, self.db.dialect) if number is not None else None

    def _selected(self, select: Select, query: Query) -> Iterator[Entity]:
        if select.sorts:
            entities = self._sorted(select, query.offset + query.limit)
        else:
            entities = (decode_entity(row[2]) for row in self.db.stream(select.rows(), select.parameters))
        return entities if select.exact else filter(matcher(select.left), entities)

    def _sorted(self, select: Select, wanted: int) -> Iterator[Entity]:
        """What a statement that sorts finds, some at a time: a third more than is wanted is likely enough."""
        rows = _decode_numbers(self.db.value(select.keys(), select.parameters))
        start, size = 0, min(wanted + wanted // 3 + 1, _MOST_BODIES)
        while start < len(rows):
            some = rows[start : start + size]
            yield from decode_entities(self.db.value(BODIES, (_encode(some).decode(),)))
            start, size = start + size, min(2 * size, _MOST_BODIES)

    def tenants(self) -> list[str]:
        """Every tenant that has ever been written to and is not forgotten ("" is the default tenant)."""
        return [row[0] for row in self.db.rows("SELECT name FROM tenant ORDER BY name")]

    def size(self) -> int:
        """How many entities there are, over all tenants."""
        bodies = self.db.rows("SELECT body FROM tally WHERE type = ?", (EVERY_TYPE,))
        return sum(decode_tally(body).count for (body,) in bodies)

    def type_counts(self, tenant: str) -> list[TypeCount]:
        """The types in use, by name."""
        return [TypeCount(type, tally.count) for type, _, tally in self._tallied(tenant)]

    def attribute_uses(self, tenant: str, type: str | None = None) -> list[AttributeUse]:
        """The attributes in use, by type and name (of one type when given)."""
        return [
            AttributeUse(name_of_type, name, use.count, sorted(use.kinds))
            for name_of_type, _, tally in self._tallied(tenant)
            if type is None or name_of_type == type
            for name, use in sorted(tally.attributes.items())
        ]

    def layers(self, tenant: str) -> list[LayerSummary]:
        """Each type in use, as a map layer.

        Cost: one row a type; where an entity on the border of the box has gone, a scan of the type's
        places; where the newest observation has gone, one of its bodies, until the type changes again.
        """
        return [
            LayerSummary(
                type=type,
                count=tally.count,
                geometries=tally.geometries,
                bbox=self._true_box(tenant, number) if tally.loose else tally.box,
                modified=tally.modified,
                observed=(self._true_newest(tenant, number, tally) if tally.doubtful else tally.observed)
                or None,
                silent=tally.silent,
            )
            for type, number, tally in self._tallied(tenant)
        ]

    def usual_box(self, tenant: str, layer: LayerSummary) -> Box | None:
        """The box of a layer without what lies far away from the rest, by the places of some 2,000 entities.

        Cost: a scan of the type's index and 2,000 places; remembered until its count or its box changes.
        """
        if layer.bbox is None:
            return None
        key = (self.db.tenants.find(tenant), self.db.names.find(layer.type))
        known = self.db.usual.get(key)
        if known is not None and known[0] == (layer.count, layer.bbox):
            return known[1]
        sql = (
            "SELECT p.west, p.south, p.east, p.north FROM entity_type t"
            f" {self.db.dialect.join} place p ON p.row = t.row"
            " WHERE t.tenant = ? AND t.type = ? AND t.row % ? = 0"
        )
        every = max(1, layer.count // _SAMPLE)
        box = box_without_strays(self.db.rows(sql, (*key, every)), layer.bbox)
        self.db.usual[key] = ((layer.count, layer.bbox), box)
        return box

    def _tallied(self, tenant: str) -> list[tuple[str, int, Tally]]:
        """(type, its number, what is counted of it), by type; those without entities left out."""
        number = self.db.tenants.find(tenant)
        if number is None:
            return []
        tallies = {
            key: tally.settled()
            for key, tally in self.tallies(number).items()
            if tally.count > 0 and key[1] != EVERY_TYPE
        }
        return sorted((self.db.names.key(type), type, tally) for (_, type), tally in tallies.items())

    def tallies(self, tenant: int) -> Tallies:
        """What is counted of each type of a tenant."""
        sql = "SELECT type, body FROM tally WHERE tenant = ?"
        return {(tenant, type): decode_tally(body) for type, body in self.db.rows(sql, (tenant,))}

    def _true_box(self, tenant: str, type: int) -> Box | None:
        """The smallest box around a type's places, from the index (outward by at most 1 part in 2^23)."""
        sql = (
            "SELECT min(p.west), min(p.south), max(p.east), max(p.north)"
            f" FROM entity_type t {self.db.dialect.join} place p ON p.row = t.row"
            " WHERE t.tenant = ? AND t.type = ?"
        )
        west, south, east, north = self.db.row(sql, (self.db.tenants.find(tenant), type))
        return None if west is None else (west, south, east, north)

    def _true_newest(self, tenant: str, type: int, tally: Tally) -> int:
        """The newest `observedAt` of a type's entities, from their bodies; remembered until it changes."""
        number = self.db.tenants.find(tenant)
        known = self.db.newest.get((number, type))
        if known is not None and known[0] == tally.modified:
            return known[1]
        sql = (
            f"SELECT e.body FROM entity_type t {self.db.dialect.join} entity e ON e.row = t.row"
            " WHERE t.tenant = ? AND t.type = ?"
        )
        found = 0
        for (body,) in self.db.stream(sql, (number, type)):
            attributes = decode_entity(body).attributes
            found = max(found, newest(each for instances in attributes.values() for each in instances))
        self.db.newest[number, type] = (tally.modified, found)
        return found
