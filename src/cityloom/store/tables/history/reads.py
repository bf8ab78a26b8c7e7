"""Reading history: which incarnation, which rows, in which order.

Every read of instances goes through `Tiers`, which tells of both tiers as one.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from cityloom.model.entity import decode_entity
from cityloom.model.history import Instance
from cityloom.query.evaluate import matches_types
from cityloom.query.patterns import compile_pattern
from cityloom.query.values import TypeAnd, TypeExpression, TypeIs
from cityloom.store.history_ports import HistoryEntity, NumberColumn, Numbers, Origin, Window
from cityloom.store.instances import parse_instance_id
from cityloom.store.tables.history.codec import Decoder, Key, Origins, Row
from cityloom.store.tables.history.columns import number_columns
from cityloom.store.tables.history.past import PastReader
from cityloom.store.tables.history.tiers import Tiers

_decode_texts = msgspec.json.Decoder(list[str]).decode


class Incarnation(Struct, frozen=True):
    """One life of an entity: its number, and whether it is current or only in history."""

    number: int
    current: bool


class HistoryReader(PastReader):
    """The port `HistoryReads`."""

    @cached_property
    def tiers(self) -> Tiers:
        """The instances, in the file and in the cold tables."""
        return Tiers(self.db)

    @cached_property
    def origins_of(self) -> Origins:
        """When and why events wrote history."""
        return Origins(self.db)

    def history_entity(self, tenant: str, entity_id: str) -> HistoryEntity | None:
        """The latest incarnation of the entity in history, also when it is deleted."""
        number = self.db.tenants.find(tenant)
        found = self.incarnation(number, entity_id) if number is not None else None
        return self._history_entity(found) if found is not None else None

    def history_entities(
        self,
        tenant: str,
        *,
        ids: Sequence[str] = (),
        id_pattern: str | None = None,
        types: TypeExpression | None = None,
        attrs: Sequence[str] = (),
        after_id: str = "",
        limit: int = 1000,
    ) -> list[HistoryEntity]:
        """Entities in history, by id, those after `after_id`."""
        number = self.db.tenants.find(tenant)
        names = [name for name in map(self.db.names.find, attrs) if name is not None]
        if number is None or (attrs and not names):
            return []
        pattern = compile_pattern(id_pattern, "idPattern") if id_pattern is not None else None
        selected = self._past_and_present(
            number, self.candidates(number, ids, types, after_id), types, names, pattern
        )
        return list(islice(selected, limit))

    def _past_and_present(
        self,
        tenant: int,
        ids: Iterable[str],
        types: TypeExpression | None,
        names: Sequence[int],
        pattern: re.Pattern[str] | None,
    ) -> Iterator[HistoryEntity]:
        last = None
        for entity_id in ids:
            if entity_id == last or (pattern is not None and pattern.search(entity_id) is None):
                continue
            last = entity_id
            found = self.incarnation(tenant, entity_id)
            if found is None or (names and not any(self.tiers.has(found.number, name) for name in names)):
                continue
            entity = self._history_entity(found)
            if entity is not None and (types is None or matches_types(types, entity.types)):
                yield entity

    def candidates(
        self, tenant: int, ids: Sequence[str], types: TypeExpression | None, after_id: str
    ) -> Iterable[str]:
        """Ids in order, perhaps twice: those of current entities merged with those of past ones."""
        if ids:
            return sorted(entity_id for entity_id in set(ids) if entity_id > after_id)
        wanted = _necessary_type(types)
        if wanted is None:
            parameters: tuple[int | str, ...] = (tenant, after_id)
            current = "SELECT id FROM entity WHERE tenant = ? AND id > ? ORDER BY id"
            past = "SELECT id FROM history_entity WHERE tenant = ? AND id > ? ORDER BY id"
        else:
            type_number = self.db.names.find(wanted)
            if type_number is None:
                return ()
            parameters = (tenant, type_number, after_id)
            current = "SELECT id FROM entity_type WHERE tenant = ? AND type = ? AND id > ? ORDER BY id"
            past = "SELECT id FROM history_type WHERE tenant = ? AND type = ? AND id > ? ORDER BY id"
        return heapq.merge(
            (row[0] for row in self.db.stream(current, parameters)),
            (row[0] for row in self.db.stream(past, parameters)),
        )

    def instances(self, tenant: str, entity_id: str, window: Window) -> dict[str, list[Instance]]:
        """Instances by attribute name, in order of time (of the latest incarnation)."""
        decoder = Decoder(self.db, entity_id, self.origins_of)
        return {
            name: [decoder.instance(row, name) for row in rows]
            for name, rows in self._windows(tenant, entity_id, window, decoder)
        }

    def origins(self, tenant: str, entity_id: str, window: Window) -> list[Origin]:
        """Instances with where they came from, latest first; outlives the trimming of the log."""
        decoder = Decoder(self.db, entity_id, self.origins_of)
        found = [
            (row.time, row.event, name, row)
            for name, rows in self._windows(tenant, entity_id, window, decoder)
            for row in rows
        ]
        found.sort(key=lambda item: (item[0], item[1]), reverse=True)
        self.origins_of.learn(seq for _, seq, _, _ in found)
        written = [self.origins_of.origin(seq) for _, seq, _, _ in found]
        causes = self.db.causes.many(cause for _, cause in written)
        return [
            Origin(instance=decoder.instance(row, name), seq=seq, at=at, cause=causes[cause])
            for (_, seq, name, row), (at, cause) in zip(found, written, strict=True)
        ]

    def count_observed(self, tenant: str, entity_id: str, window: Window) -> dict[tuple[str, str], int]:
        """How many instances with observedAt a window holds, by (attribute, kind); deletions are none."""
        number = self.db.tenants.find(tenant)
        found = self.incarnation(number, entity_id) if number is not None else None
        if found is None:
            return {}
        decoder = Decoder(self.db, entity_id, self.origins_of)
        datasets = self._datasets(window)
        told: dict[tuple[str, str], int] = {}
        for name in self._names(found.number, window):
            for dataset, number_of_shape, count in self.tiers.counts(found.number, name, window):
                shape = decoder.shape(number_of_shape)
                if shape.observed and not shape.deleted and (datasets is None or dataset in datasets):
                    key = (self.db.names.key(name), shape.kind)
                    told[key] = told.get(key, 0) + count
        return told

    def count_numbers(self, tenant: str, entity_id: str, window: Window) -> tuple[int, int]:
        """How many Properties in a window have a value among its numbers, and how many others may have."""
        number = self.db.tenants.find(tenant)
        found = self.incarnation(number, entity_id) if number is not None else None
        if found is None:
            return 0, 0
        decoder = Decoder(self.db, entity_id, self.origins_of)
        datasets = self._datasets(window)
        sure = unsure = 0
        for name in self._names(found.number, window):
            told = self.tiers.number_counts(found.number, name, window, window.numbers or Numbers())
            for dataset, number_of_shape, among, compound in told:
                shape = decoder.shape(number_of_shape)
                if not shape.observed or shape.deleted or (datasets is not None and dataset not in datasets):
                    continue
                if shape.kind == "Property":
                    sure += among
                    unsure += compound
                else:
                    unsure += among + compound
        return sure, unsure

    def number_columns(
        self, tenant: str, entity_id: str, name: str, window: Window
    ) -> dict[str, NumberColumn] | None:
        """What a window holds of an attribute, where all of it is observed Properties with numbers."""
        number, named = self.db.tenants.find(tenant), self.db.names.find(name)
        found = self.incarnation(number, entity_id) if number is not None else None
        if window.timeproperty != "observedAt" or window.last_n is not None or window.first_n is not None:
            return None
        if found is None or named is None:
            return {}
        return number_columns(self.db, self.tiers, found.number, named, window)

    def known_instances(self, tenant: str, entity_id: str, instance_ids: Sequence[str]) -> set[str]:
        """Which of these instance ids are in the entity's history already.

        Cost: some seeks for each id and attribute of the entity.
        """
        number = self.db.tenants.find(tenant)
        found = self.incarnation(number, entity_id) if number is not None else None
        if found is None:
            return set()
        decoder = Decoder(self.db, entity_id, self.origins_of)
        wanted = set(instance_ids)
        stamps = {parsed[0] for parsed in map(parse_instance_id, wanted) if parsed is not None}
        known: set[str] = set()
        for name in self.tiers.names(found.number):
            iri = self.db.names.key(name)
            known.update(self._id(decoder, row, iri) for row in self.tiers.at(found.number, name, stamps))
            sql = "SELECT 1 FROM instance_key WHERE incarnation = ? AND name = ? AND id = ?"
            known.update(
                foreign for foreign in wanted - known if self.db.value(sql, (found.number, name, foreign))
            )
        return known & wanted

    def find_instance(self, incarnation: int, entity_id: str, name: str, instance_id: str) -> Row | None:
        """The row of an instance, by attribute and id."""
        number = self.db.names.find(name)
        if number is None:
            return None
        sql = (
            "SELECT time, origin, tie, dataset FROM instance_key"
            " WHERE incarnation = ? AND name = ? AND id = ?"
        )
        foreign = self.db.row(sql, (incarnation, number, instance_id))
        if foreign is not None:
            return self.tiers.row(incarnation, number, Key(*foreign))
        parsed = parse_instance_id(instance_id)
        if parsed is None:
            return None
        decoder = Decoder(self.db, entity_id, self.origins_of)
        for row in self.tiers.at(incarnation, number, {parsed[0]}):
            if self._id(decoder, row, name) == instance_id:
                return row
        return None

    def incarnation(self, tenant: int, entity_id: str) -> Incarnation | None:
        """The latest life of an entity."""
        current = self.db.value("SELECT row FROM entity WHERE tenant = ? AND id = ?", (tenant, entity_id))
        if current is not None:
            return Incarnation(current, True)
        past = self.db.value(
            "SELECT max(incarnation) FROM history_entity WHERE tenant = ? AND id = ?", (tenant, entity_id)
        )
        return Incarnation(past, False) if past is not None else None

    def _history_entity(self, found: Incarnation) -> HistoryEntity | None:
        if not found.current:
            sql = (
                "SELECT id, types, incarnation, scopes, created, modified, deleted"
                " FROM history_entity WHERE incarnation = ?"
            )
            row = self.db.row(sql, (found.number,))
            return HistoryEntity(
                id=row[0],
                types=_decode_texts(row[1]),
                incarnation=row[2],
                scopes=_decode_texts(row[3]),
                created_at=row[4],
                modified_at=row[5],
                deleted_at=row[6],
            )
        cleared = self.db.value("SELECT 1 FROM history_cleared WHERE incarnation = ?", (found.number,))
        if cleared is not None and not self.tiers.has_any(found.number):
            return None
        entity = decode_entity(self.db.value("SELECT body FROM entity WHERE row = ?", (found.number,)))
        return HistoryEntity(
            id=entity.id,
            types=entity.types,
            incarnation=found.number,
            scopes=entity.scopes,
            created_at=entity.created_at,
            modified_at=entity.modified_at,
        )

    def _id(self, decoder: Decoder, row: Row, name: str) -> str:
        return decoder.instance_id(row, name, self.db.names.key(row.dataset) if row.dataset else "")

    def _windows(
        self, tenant: str, entity_id: str, window: Window, decoder: Decoder
    ) -> Iterator[tuple[str, list[Row]]]:
        """The rows of each attribute in a window; attributes without any are left out."""
        number = self.db.tenants.find(tenant)
        found = self.incarnation(number, entity_id) if number is not None else None
        if found is None:
            return
        datasets = self._datasets(window)
        for name in self._names(found.number, window):
            rows = self._window(found.number, name, window, datasets, decoder)
            if rows:
                yield self.db.names.key(name), rows

    def _names(self, incarnation: int, window: Window) -> list[int]:
        if window.names is None:
            return self.tiers.names(incarnation)
        return [name for name in map(self.db.names.find, window.names) if name is not None]

    def _datasets(self, window: Window) -> set[int | None] | None:
        if window.dataset_ids is None:
            return None
        return {self.db.names.find(dataset) if dataset else 0 for dataset in window.dataset_ids}

    def _window(
        self,
        incarnation: int,
        name: int,
        window: Window,
        datasets: set[int | None] | None,
        decoder: Decoder,
    ) -> list[Row]:
        bounded = window.start is not None or window.end is not None
        observed = window.timeproperty == "observedAt"
        if observed:
            stream = self.tiers.rows(
                incarnation,
                name,
                start=window.start,
                end=window.end,
                numbers=window.numbers,
                latest_first=window.last_n is not None,
                few=(window.last_n or window.first_n) is not None,
            )
        else:
            stream = self.tiers.rows(incarnation, name, numbers=window.numbers)
        if not window.with_repeats:
            stream = (row for row in stream if row.occurrence == 0)
        if datasets is not None:
            stream = (row for row in stream if row.dataset in datasets)
        if observed:
            if bounded:
                stream = (row for row in stream if decoder.shape(row.shape).observed)
            if window.last_n is not None:
                return list(islice(stream, window.last_n))[::-1]
            return list(islice(stream, window.first_n))
        time_of = _TIMES[window.timeproperty]
        timed = [(time_of(decoder, row), row) for row in stream]
        chosen = [
            (decoder.times(row)[1] if time is None else time, row.event, row)
            for time, row in timed
            if not bounded or (time is not None and _within(time, window))
        ]
        chosen.sort(key=lambda item: (item[0], item[1]))
        rows = [row for _, _, row in chosen]
        return rows[: window.first_n] if window.last_n is None else rows[max(0, len(rows) - window.last_n) :]


def _within(time: int, window: Window) -> bool:
    return (window.start is None or time >= window.start) and (window.end is None or time < window.end)


_TIMES: Final[dict[str, Callable[[Decoder, Row], int | None]]] = {
    "createdAt": lambda decoder, row: decoder.times(row)[0],
    "modifiedAt": lambda decoder, row: decoder.times(row)[1],
    "deletedAt": Decoder.deleted,
}


def _necessary_type(types: TypeExpression | None) -> str | None:
    """A type that every selected entity has, or None when no single one is."""
    match types:
        case TypeIs(wanted):
            return wanted
        case TypeAnd(terms):
            return next((found for found in map(_necessary_type, terms) if found is not None), None)
        case _:
            return None
