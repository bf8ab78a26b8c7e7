"""Reading for maps and searches: the table `sight`, and bodies only where they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

import msgspec
from msgspec import Struct

from cityloom.model.entity import LOCATION
from cityloom.query.geometry import Box as QueryBox
from cityloom.store.map_ports import Box, Found, PointSight, ShapeSight, Told, Values
from cityloom.store.tables.entities.reads import EntityReader
from cityloom.store.tables.entities.sights import fold
from cityloom.store.tables.entities.tallies import STALE, Tally, decode_tally


class _Light(Struct, gc=False):
    """Of a stored entity, its attributes unopened."""

    attributes: dict[str, msgspec.Raw] = {}


class _Shape(Struct):
    """Of an instance of `location`, its geometry unopened."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    dataset_id: str = ""


class _Sort(Struct):
    """Of a stored entity, its types."""

    types: list[str] = []
    attributes: dict[str, msgspec.Raw] = {}


_decode_light: Final = msgspec.json.Decoder(_Light).decode
_decode_sort: Final = msgspec.json.Decoder(_Sort).decode
_decode_instances: Final = msgspec.json.Decoder(list[Told]).decode
_decode_shapes: Final = msgspec.json.Decoder(list[_Shape]).decode
_HELD: Final = 100
"""How many readers of attributes are kept: each is a type of its own, and the names are the callers'."""
_by_id: Final = itemgetter(0)

# An index of places may tell the types of an entity by their span: one type alone is told exactly.
_SEEN: Final = (
    " FROM place p {join} sight s ON s.row = p.row"
    " WHERE {place} AND s.tenant = :tenant AND ({sure} OR EXISTS"
    " (SELECT 1 FROM entity_type t WHERE t.tenant = :tenant AND t.type = :type AND t.id = s.id))"
)
_POINT: Final = " AND s.lon IS NOT NULL"
_NO_POINT: Final = " AND s.lon IS NULL AND s.dimension IS NOT NULL"
_BODY: Final = "(SELECT e.body FROM entity e WHERE e.row = p.row)"

# Ranked: where a name (between line ends) or an id (its last part counts as whole) holds what is looked
# for whole, at its beginning, at that of a word, or anywhere; then those that hold its words, each in name,
# id or type; a type's name is last. Bodies are read of those alone that are answered.
_SEARCH: Final = """
WITH size AS MATERIALIZED (SELECT z.one AS type, z.two AS count FROM {sizes}),
hit AS (
  SELECT s.row AS row, s.id AS id, z.count AS count,
    CASE WHEN {whole} OR lower(s.id) = :lower
        OR substr(lower(s.id), length(s.id) - length(:lower)) = :last THEN 0
      WHEN {begins} THEN 1
      WHEN {word} OR {last} THEN 2
      WHEN {text} THEN 3
      WHEN {id} THEN 4
      WHEN {words} THEN 5
      ELSE 6
    END AS rank
  FROM sight s LEFT JOIN size z ON z.type = s.type
  WHERE s.tenant = :tenant AND ({conditions})
  ORDER BY rank, z.count, s.id LIMIT :limit
)
SELECT hit.id, s.name, e.body
FROM hit {join} sight s ON s.row = hit.row {join} entity e ON e.row = hit.row
ORDER BY hit.rank, hit.count, hit.id
"""
_MOST_WORDS: Final = 8
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class MapReader(EntityReader):
    """The port `MapReads`."""

    def points(
        self, tenant: str, type: str, box: Box, attributes: Sequence[str] = ()
    ) -> Sequence[PointSight]:
        """Entities of a type in a box whose location is one Point, by id."""
        body = _BODY if attributes else "NULL"
        seen, parameters = self._sights(tenant, type, box)
        rows = self.db.rows(f"SELECT s.id, s.name, s.lon, s.lat, {body}{seen}{_POINT}", parameters)
        rows.sort(key=_by_id)
        told_name = self.db.dialect.told_name
        if told_name is not None:
            rows = [(id, told_name(name), *more) for id, name, *more in rows]
        if not attributes:
            return rows
        read = _values_reader(tuple(attributes))
        return [(id, name, lon, lat, read(body)) for id, name, lon, lat, body in rows]

    def shapes(
        self,
        tenant: str,
        type: str,
        box: Box,
        least: tuple[float, float] = (0.0, 0.0),
        attributes: Sequence[str] = (),
    ) -> Sequence[ShapeSight]:
        """Entities of a type that a box touches whose location is another geometry, by id."""
        small = "p.east - p.west < :width AND p.north - p.south < :height"
        body = _BODY if attributes else f"CASE WHEN {small} THEN NULL ELSE {_BODY} END"
        seen, parameters = self._sights(tenant, type, box)
        sql = (
            "SELECT s.id, s.name, s.dimension, p.west, p.south, p.east, p.north,"
            f" {small}, {body}{seen}{_NO_POINT}"
        )
        rows = self.db.rows(sql, parameters | {"width": least[0], "height": least[1]})
        rows.sort(key=_by_id)
        told_name = self.db.dialect.told_name
        found = []
        for id, name, dimension, west, south, east, north, tiny, body in rows:
            told = _decode_light(body).attributes if body is not None else {}
            geometry = None if tiny else _geometry(told)
            values = _values(told, attributes) if attributes else ()
            name = told_name(name) if told_name is not None else name
            found.append(ShapeSight(id, name, dimension, (west, south, east, north), geometry, values))
        return found

    def _sights(self, tenant: str, type: str, box: Box) -> tuple[str, dict[str, Any]]:
        """The places of a type in a box with their sights, as SQL, and its parameters."""
        parameters: dict[str, Any] = {
            "tenant": self.db.tenants.find(tenant),
            "type": self.db.names.find(type),
        }

        def bind(value: Any) -> str:
            parameters[f"p{len(parameters)}"] = value
            return f":p{len(parameters) - 1}"

        dialect = self.db.dialect
        place = dialect.place(QueryBox(*box), bind, ":type")
        return _SEEN.format(join=dialect.join, place=place, sure=dialect.surely(":type")), parameters

    def changed(self, tenant: str, type: str, attributes: Sequence[str] | None = ()) -> int:
        """The number of the last event that changed what a map shows of a type; 0 when there was none."""
        tally = self._tally_of(tenant, type)
        if tally is None or attributes is None:
            return tally.touched if tally is not None else 0
        uses = (tally.attributes.get(name) for name in attributes)
        return max(tally.seen, *(use.changed for use in uses if use is not None), 0)

    def _tally_of(self, tenant: str, type: str) -> Tally | None:
        key = (self.db.tenants.find(tenant), self.db.names.find(type))
        body = self.db.value("SELECT body FROM tally WHERE tenant = ? AND type = ?", key)
        return decode_tally(body) if body is not None else None

    def silent(self, tenant: str, type: str) -> set[str]:
        """The entities of a type whose `stale` is true; few, and found by the attribute's index."""
        tally = self._tally_of(tenant, type)
        if tally is None or tally.silent <= 0:
            return set()
        sql = (
            f"SELECT e.id, e.body FROM entity_attribute a {self.db.dialect.join} entity e ON e.row = a.row"
            " WHERE a.tenant = ? AND a.name = ? AND EXISTS"
            " (SELECT 1 FROM entity_type t WHERE t.tenant = a.tenant AND t.type = ? AND t.id = e.id)"
        )
        key = (self.db.tenants.find(tenant), self.db.names.find(type))
        found = set()
        for name in tally.attributes:
            if name.endswith(STALE):
                for id, body in self.db.stream(sql, (key[0], self.db.names.find(name), key[1])):
                    (mark,) = _values(_decode_light(body).attributes, [name])
                    if mark is not None and mark.value is True:
                        found.add(id)
        return found

    def search(self, tenant: str, text: str, limit: int) -> list[Found]:
        """Entities whose name or id holds `text`: see the port."""
        folded, lower = fold(text), text.lower()
        tallied = self._tallied(tenant)
        dialect = self.db.dialect
        # A text that no name can hold, where only ids can.
        shown = folded or "\n\n"
        parameters: dict[str, Any] = {
            "tenant": self.db.tenants.find(tenant),
            "text": shown,
            "whole": f"\n{shown}\n",
            "begins": f"\n{shown}",
            "word": f" {shown}",
            "lower": lower,
            "last": f":{lower}",
            "sized": dialect.numbers([number for _, number, _ in tallied]),
            "sizes": dialect.numbers([tally.count for _, _, tally in tallied]),
            "limit": limit,
        }
        name_holds, id_holds = dialect.holds("s.text", ":text"), dialect.holds("lower(s.id)", ":lower")
        conditions = [id_holds, name_holds] if folded else [id_holds]
        types = [number for name, number, _ in tallied if folded and _is_called(name, folded)]
        if types:
            parameters["types"] = dialect.numbers(types)
            conditions.append(dialect.is_number_of("s.type", ":types"))
        words = folded.split()[:_MOST_WORDS] if " " in folded else []
        each_word = []
        for number, word in enumerate(words):
            parameters[f"word{number}"] = word
            parameters[f"types{number}"] = dialect.numbers(
                [type for name, type, _ in tallied if _is_called(name, word)]
            )
            each_word.append(
                f"({dialect.holds('s.text', f':word{number}')}"
                f" OR {dialect.holds('lower(s.id)', f':word{number}')}"
                f" OR {dialect.is_number_of('s.type', f':types{number}')})"
            )
        each = " AND ".join(each_word) or "FALSE"
        conditions.append(each)
        sql = _SEARCH.format(
            sizes=dialect.each_pair(":sized", ":sizes", "z"),
            whole=dialect.holds("s.text", ":whole"),
            begins=dialect.holds("s.text", ":begins"),
            word=dialect.holds("s.text", ":word"),
            last=dialect.holds("lower(s.id)", ":last"),
            text=name_holds,
            id=id_holds,
            words=each,
            conditions=" OR ".join(conditions),
            join=dialect.join,
        )
        told_name = dialect.told_name
        found = []
        for id, name, body in self.db.rows(sql, parameters):
            entity = _decode_sort(body)
            name = told_name(name) if told_name is not None else name
            found.append(Found(id=id, types=entity.types, name=name, location=_geometry(entity.attributes)))
        return found


def _is_called(type: str, folded: str) -> bool:
    """Whether a type's name, in one word or in several, holds a folded text."""
    name = re.split(r"[/#]", type)[-1]
    return folded in fold(name) or folded in fold(_WORDS.sub(" ", name))


def _geometry(attributes: dict[str, msgspec.Raw]) -> bytes | None:
    """The GeoJSON of the default instance of `location`, or else of the first."""
    raw = attributes.get(LOCATION)
    if raw is None:
        return None
    instances = _decode_shapes(raw)
    chosen = next((each for each in instances if not each.dataset_id), instances[0])
    return bytes(chosen.value)


@lru_cache(maxsize=_HELD)
def _values_reader(names: tuple[str, ...]) -> Callable[[bytes], Values]:
    """A reader of these attributes of a stored entity; the others are skipped, not built."""
    # A name with such characters is no attribute's; the decoder could not look for it, either.
    plain = [name for name in dict.fromkeys(names) if name.isprintable() and not set(name) & {'"', "\\"}]
    fields: list[Any] = [
        (f"attribute_{number}", list[Told] | None, msgspec.field(default=None, name=name))
        for number, name in enumerate(plain)
    ]
    attributes = msgspec.defstruct("Attributes", fields, frozen=True, gc=False)
    part: Any = msgspec.defstruct("Part", [("attributes", attributes, attributes())], gc=False)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(part).decode
    places = [f"attribute_{plain.index(name)}" if name in plain else None for name in names]

    def read(body: bytes) -> Values:
        found = decode(body).attributes
        return [_default(getattr(found, place)) if place is not None else None for place in places]

    return read


def _default(instances: list[Told] | None) -> Told | None:
    """The default instance, or else the first."""
    if not instances:
        return None
    if len(instances) == 1:
        return instances[0]
    return next((each for each in instances if not each.dataset_id), instances[0])


def _values(attributes: dict[str, msgspec.Raw], names: Sequence[str]) -> Values:
    return [
        _default(_decode_instances(raw)) if (raw := attributes.get(name)) is not None else None
        for name in names
    ]
