"""Changing the past: adding, replacing, deleting instances, and letting old ones expire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import Final

import msgspec
from msgspec.structs import replace

from cityloom.model.entity import Attribute, Entity, decode_entity
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import AttributeChange, Cause, Event
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.query.values import TypeIs
from cityloom.store.tables.history.codec import COLUMNS, FOREIGN, Decoder, Encoder, Key, Row
from cityloom.store.tables.history.cold import EVERY
from cityloom.store.tables.history.cold_deletes import ColdDeletes
from cityloom.store.tables.history.reads import HistoryReader, Incarnation
from cityloom.store.tables.records.log import Body, LogWriter

CHANGES_IN_EVENT: Final = 100
"""Up to so many new instances stand in the event of an append; of more, only their count."""

EXPIRE_ENTITIES: Final = 1000
"""Entities that one call of `expire_history` looks at, so that it never holds up the writer for long."""

_INSERT: Final = (
    f"INSERT INTO instance ({COLUMNS}) VALUES ({', '.join('?' * (COLUMNS.count(',') + 1))})"
    " ON CONFLICT DO NOTHING"
)
_OF_ATTRIBUTE: Final = "incarnation = ? AND name = ?"
_ONE: Final = f"{_OF_ATTRIBUTE} AND time = ? AND origin = ? AND tie = ? AND dataset = ?"


class HistoryWriter(HistoryReader, LogWriter):
    """The port `HistoryWrites`, and how the state's changes get into history."""

    @cached_property
    def cold(self) -> ColdDeletes:
        """What may be done to the cold tier."""
        return ColdDeletes(self.db, self.tiers.cold)

    def append_history(self, tenant: str, append: HistoryAppend, cause: Cause) -> Event | None:
        """Adds instances that are not there yet, with one event; None when all were there."""
        tenant_number = self.db.tenants.intern(tenant)
        life = self.incarnation(tenant_number, append.entity_id)
        began = life is None
        if life is None:
            life = Incarnation(self.new_incarnation(), False)
            now = format_datetime(self.now)
            self.insert_past(
                tenant_number,
                Entity(
                    id=append.entity_id,
                    types=append.types,
                    scopes=append.scopes,
                    created_at=now,
                    modified_at=now,
                ),
                life.number,
            )
        encoder = Encoder(self.db, append.entity_id, life.number, self.next_seq, self.now, cause.source)
        encoded = [(instance, *encoder.row(instance, True)) for instance in append.instances]
        if not began:
            encoded = self._without_moved(life.number, append.entity_id, encoded)
            encoded = self._without_cold(life.number, encoded)
        changes: list[AttributeChange] = []
        if len(encoded) > CHANGES_IN_EVENT:
            count = self._insert_many([(row, foreign) for _, row, foreign in encoded])
        else:
            new = [item for item in encoded if self._insert(item[1], item[2])]
            count = len(new)
            changes = [self._appended(append.entity_id, *item) for item in new]
        if count == 0 and not began:
            return None
        if not life.current and not began:
            self.db.change(
                "UPDATE history_entity SET modified = ? WHERE incarnation = ?",
                (format_datetime(self.now), life.number),
            )
        body = Body(
            kind="historyAppended",
            entity_id=append.entity_id,
            types=append.types or self._types(life),
            scopes=append.scopes,
            changes=changes,
            count=count,
        )
        return self.write_event(tenant, tenant_number, cause, body, history=True)

    def replace_instance(self, tenant: str, entity_id: str, instance: Instance, cause: Cause) -> Event:
        """Changes one instance, found by name and `instance_id`; its origin is this change from now on.

        Raises:
            ResourceNotFound: there is no such instance.
        """
        tenant_number, life = self._life(tenant, entity_id)
        instance_id = instance.attribute.instance_id or ""
        old = self._instance(life, entity_id, instance.name, instance_id)
        before = self._decoder(entity_id).instance(old, instance.name).attribute
        after = replace(
            instance.attribute,
            dataset_id=before.dataset_id,
            created_at=instance.attribute.created_at or before.created_at,
            instance_id=None,
        )
        encoder = Encoder(self.db, entity_id, life.number, self.next_seq, self.now, "")
        row, foreign = encoder.row(replace(instance, attribute=after, occurrence=old.occurrence), False)
        if row.time == old.time and old.origin != FOREIGN:
            row = row._replace(origin=old.origin, tie=old.tie, seq=self.next_seq)
        else:  # the id no longer follows from where the instance stands
            after = replace(after, instance_id=instance_id)
            row, foreign = encoder.row(replace(instance, attribute=after, occurrence=old.occurrence), False)
        self._delete_row(old, instance_id)
        self._insert(row, foreign)
        change = AttributeChange(
            name=instance.name,
            dataset_id=before.dataset_id,
            before=before,
            after=replace(after, instance_id=instance_id),
        )
        body = Body(
            kind="historyAppended", entity_id=entity_id, types=self._types(life), changes=[change], count=1
        )
        return self.write_event(tenant, tenant_number, cause, body, history=True)

    def delete_history(
        self,
        tenant: str,
        entity_id: str,
        cause: Cause,
        *,
        name: str | None = None,
        dataset_id: str | None = None,
        instance_id: str | None = None,
    ) -> Event:
        """Deletes an instance, an attribute's history (one dataset: `dataset_id`; None all) or the entity's.

        Raises:
            ResourceNotFound: there is no such thing.
        """
        tenant_number, life = self._life(tenant, entity_id)
        types = self._types(life)
        changes: list[AttributeChange] = []
        if name is None:
            count = self._delete_all(tenant_number, entity_id)
        elif instance_id is not None:
            row = self._instance(life, entity_id, name, instance_id)
            before = self._decoder(entity_id).instance(row, name).attribute
            self._delete_row(row, instance_id)
            changes = [AttributeChange(name=name, dataset_id=before.dataset_id, before=before)]
            count = 1
        else:
            count = self._delete_attribute(life, entity_id, name, dataset_id)
            changes = [AttributeChange(name=name, dataset_id=dataset_id or "")]
        body = Body(kind="historyDeleted", entity_id=entity_id, types=types, changes=changes, count=count)
        return self.write_event(tenant, tenant_number, cause, body)

    def expire_history(self, tenant: str, type: str, before: int, limit: int) -> int:
        """Deletes up to `limit` instances of entities of `type` older than `before` (µs); how many.

        A call looks at no more than `EXPIRE_ENTITIES` entities; the next one goes on after them.

        Cost: one seek for each attribute of each entity, and what is deleted.
        """
        tenant_number, type_number = self.db.tenants.find(tenant), self.db.names.find(type)
        if tenant_number is None or type_number is None:
            return 0
        mark = f"expire:{tenant_number}:{type_number}"
        reached = self.db.value("SELECT value FROM meta WHERE key = ?", (mark,)) or ""
        candidates = self.candidates(tenant_number, (), TypeIs(type), reached)
        ids = list(dict.fromkeys(islice(candidates, EXPIRE_ENTITIES)))
        left = limit
        for entity_id in ids:
            left -= self._expire_entity((tenant_number, type_number, entity_id), before, left)
            if left <= 0:
                break
            reached = entity_id
        else:
            reached = reached if len(ids) == EXPIRE_ENTITIES else ""
        self.db.change(
            "INSERT INTO meta (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (mark, reached),
        )
        return limit - left

    def write_instances(
        self,
        entity_id: str,
        incarnation: int,
        attributes: Iterable[tuple[str, Attribute]],
        source: str,
        row: int | None,
    ) -> None:
        """Adds the instances (name, attribute) of a change of state, which the next event will tell of."""
        encoder = Encoder(self.db, entity_id, incarnation, self.next_seq, self.now, source)
        rows = []
        for name, attribute in attributes:
            values, foreign = encoder.values(name, attribute, row)
            given = attribute.instance_id
            if given is None:
                rows.append(values)
            elif self.find_instance(incarnation, entity_id, name, given) is None:
                self._insert(Row._make(values), foreign)
        if rows:
            self.db.change_many(_INSERT, rows)

    def new_incarnation(self) -> int:
        """A number that no entity has had."""
        self.db.pulse.incarnation += 1
        return self.db.pulse.incarnation

    def begin_life(self, tenant: int, entity_id: str) -> int:
        """The incarnation of an entity that becomes current: that of its history, or a new one."""
        sql = "SELECT incarnation FROM history_entity WHERE tenant = ? AND id = ? AND deleted IS NULL"
        known: int | None = self.db.value(sql, (tenant, entity_id))
        if known is None:
            return self.new_incarnation()
        self._forget_past(known)
        return known

    def end_life(self, tenant: int, incarnation: int, last: Entity) -> None:
        """A current entity becomes one that history alone knows; `last.deleted_at` says when."""
        self.insert_past(tenant, last, incarnation)
        self.db.change("DELETE FROM history_cleared WHERE incarnation = ?", (incarnation,))

    # -- the tables ----------------------------------------------------------

    def insert_past(self, tenant: int, entity: Entity, incarnation: int) -> None:
        """Makes a life that history alone knows."""
        self.db.change(
            "INSERT INTO history_entity (incarnation, tenant, id, types, scopes, created, modified, deleted)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                incarnation,
                tenant,
                entity.id,
                msgspec.json.encode(entity.types).decode(),
                msgspec.json.encode(entity.scopes).decode(),
                entity.created_at,
                entity.modified_at,
                entity.deleted_at,
            ),
        )
        for type in entity.types:
            self.db.change(
                "INSERT INTO history_type (tenant, type, id, incarnation) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (tenant, self.db.names.intern(type), entity.id, incarnation),
            )

    def _forget_past(self, incarnation: int) -> None:
        row = self.db.row(
            "DELETE FROM history_entity WHERE incarnation = ? RETURNING tenant, id, types", (incarnation,)
        )
        for type in msgspec.json.decode(row[2]):
            self.db.change(
                "DELETE FROM history_type WHERE tenant = ? AND type = ? AND id = ? AND incarnation = ?",
                (row[0], self.db.names.intern(type), row[1], incarnation),
            )

    def _insert(self, row: Row, foreign: str | None) -> bool:
        """Adds an instance; whether it is new."""
        if foreign is not None:
            sql = (
                "INSERT INTO instance_key (incarnation, name, id, time, origin, tie, dataset)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
            )
            if not self.db.run(sql, (row.incarnation, row.name, foreign, *row[2:6])):
                return False
        return self.db.run(_INSERT, row) == 1

    def _insert_many(self, encoded: Sequence[tuple[Row, str | None]]) -> int:
        """Adds instances; how many are new."""
        count = self.db.run_many(_INSERT, [row for row, foreign in encoded if foreign is None])
        return count + sum(self._insert(row, foreign) for row, foreign in encoded if foreign is not None)

    def _without_moved(
        self, incarnation: int, entity_id: str, encoded: list[tuple[Instance, Row, str | None]]
    ) -> list[tuple[Instance, Row, str | None]]:
        """Leaves out those whose id is there already at another time: somebody changed their `observedAt`."""
        if self.db.value("SELECT 1 FROM instance_key WHERE incarnation = ? LIMIT 1", (incarnation,)) is None:
            return encoded
        decoder = self._decoder(entity_id)
        sql = f"SELECT 1 FROM instance_key WHERE {_OF_ATTRIBUTE} AND id = ?"
        return [
            (instance, row, foreign)
            for instance, row, foreign in encoded
            if foreign is not None
            or self.db.value(
                sql,
                (
                    incarnation,
                    row.name,
                    decoder.instance_id(row, instance.name, instance.attribute.dataset_id),
                ),
            )
            is None
        ]

    def _without_cold(
        self, incarnation: int, encoded: list[tuple[Instance, Row, str | None]]
    ) -> list[tuple[Instance, Row, str | None]]:
        """Leaves out those that a source brought before and that are in the cold tables already.

        Others cannot be there: an event is new, and a foreign id is known to this file.
        """
        known: dict[int, set[Key]] = {}
        for name in {row.name for _, row, _ in encoded}:
            bounds = self.tiers.cold.bounds(incarnation, name)
            if bounds is None:
                continue
            told = (row.time for _, row, _ in encoded if row.name == name and row.origin & 1)
            times = [time for time in told if bounds.first <= time <= bounds.last]
            if times:
                known[name] = self.tiers.cold.keys(incarnation, name, min(times), max(times) + 1)
        if not known:
            return encoded
        return [item for item in encoded if item[1][2:6] not in known.get(item[1].name, ())]

    def _appended(self, entity_id: str, instance: Instance, row: Row, foreign: str | None) -> AttributeChange:
        dataset_id = instance.attribute.dataset_id
        identity = foreign or self._decoder(entity_id).instance_id(row, instance.name, dataset_id)
        return AttributeChange(
            name=instance.name,
            dataset_id=dataset_id,
            after=replace(instance.attribute, instance_id=identity),
        )

    def _delete_row(self, row: Row, instance_id: str) -> None:
        if self.db.run(f"DELETE FROM instance WHERE {_ONE}", row[:6]):
            self.cold.deleted_from_hot([row])
        else:
            self.cold.delete(row)
        if row.origin == FOREIGN:
            sql = f"DELETE FROM instance_key WHERE {_OF_ATTRIBUTE} AND id = ?"
            self.db.change(sql, (row.incarnation, row.name, instance_id))

    def _delete_attribute(self, life: Incarnation, entity_id: str, name: str, dataset_id: str | None) -> int:
        find = self.db.names.find
        number = find(name)
        dataset = EVERY if dataset_id is None else find(dataset_id) if dataset_id else 0
        count = 0
        if number is not None and dataset is not None:
            count = self._delete_series(life.number, number, dataset)
        if count == 0:
            raise ResourceNotFound(
                f"the history of attribute {name!r} of entity {entity_id!r} does not exist"
            )
        return count

    def _delete_series(self, incarnation: int, name: int, dataset: int = EVERY) -> int:
        """Deletes all instances of an attribute, or of one dataset of it, in both tiers; how many."""
        where, parameters = _OF_ATTRIBUTE, [incarnation, name]
        if dataset != EVERY:
            where += " AND dataset = ?"
            parameters.append(dataset)
        count = self.db.run(f"DELETE FROM instance WHERE {where}", parameters)
        self.db.change(f"DELETE FROM instance_key WHERE {where}", parameters)
        return count + self.cold.cut(incarnation, name, dataset)

    def _delete_all(self, tenant: int, entity_id: str) -> int:
        """Deletes every instance of every incarnation."""
        key = (tenant, entity_id)
        past = self.db.rows("SELECT incarnation FROM history_entity WHERE tenant = ? AND id = ?", key)
        current = self.db.rows("SELECT row FROM entity WHERE tenant = ? AND id = ?", key)
        count = 0
        for (number,) in [*past, *current]:
            for name in self.tiers.names(number):
                count += self._delete_series(number, name)
            self.db.change("DELETE FROM instance_key WHERE incarnation = ?", (number,))
        for (number,) in past:
            self._forget_past(number)
        for (number,) in current:
            self.db.change(
                "INSERT INTO history_cleared (incarnation) VALUES (?) ON CONFLICT DO NOTHING", (number,)
            )
        return count

    def _expire_entity(self, key: tuple[int, int, str], before: int, limit: int) -> int:
        """Deletes up to `limit` old instances of every life of an entity; `key` is (tenant, type, id)."""
        left = limit
        current = "SELECT row FROM entity_type WHERE tenant = ? AND type = ? AND id = ?"
        for (number,) in self.db.rows(current, key):
            left -= self._expire(number, before, left)
        past = "SELECT incarnation FROM history_type WHERE tenant = ? AND type = ? AND id = ?"
        for (number,) in self.db.rows(past, key):
            left -= self._expire(number, before, left)
            if not self.tiers.has_any(number):
                self._forget_past(number)
        return limit - left

    def _expire(self, incarnation: int, before: int, limit: int) -> int:
        """Deletes up to `limit` instances of one life that are older than `before`."""
        left = limit
        for name in self.tiers.names(incarnation, before):
            left -= self.cold.expire(incarnation, name, before, left)
            if left > 0:
                gone = self.db.rows(
                    f"DELETE FROM instance WHERE {_OF_ATTRIBUTE} AND (time, origin, tie, dataset) IN"
                    f" (SELECT time, origin, tie, dataset FROM instance WHERE {_OF_ATTRIBUTE} AND time < ?"
                    " ORDER BY time LIMIT ?) RETURNING incarnation, name, time, origin, tie, dataset",
                    (incarnation, name, incarnation, name, before, left),
                )
                self.cold.deleted_from_hot(gone)
                left -= len(gone)
            # Also when the limit is reached: an attribute of which nothing is left is not looked at again.
            bounds = self.tiers.cold.bounds(incarnation, name)
            until = before if bounds is None else min(before, bounds.first)
            self.db.run(
                f"DELETE FROM instance_key AS k WHERE {_OF_ATTRIBUTE} AND k.time < ? AND NOT EXISTS"
                " (SELECT 1 FROM instance i WHERE i.incarnation = k.incarnation AND i.name = k.name"
                " AND i.time = k.time AND i.origin = k.origin AND i.tie = k.tie AND i.dataset = k.dataset)",
                (incarnation, name, until),
            )
            if left <= 0:
                break
        return limit - left

    def _life(self, tenant: str, entity_id: str) -> tuple[int, Incarnation]:
        number = self.db.tenants.find(tenant)
        life = self.incarnation(number, entity_id) if number is not None else None
        if number is None or life is None or self._history_entity(life) is None:
            raise ResourceNotFound(f"the history of entity {entity_id!r} does not exist")
        return number, life

    def _instance(self, life: Incarnation, entity_id: str, name: str, instance_id: str) -> Row:
        row = self.find_instance(life.number, entity_id, name, instance_id)
        if row is None:
            raise ResourceNotFound(
                f"instance {instance_id!r} of attribute {name!r} of entity {entity_id!r} does not exist"
            )
        return row

    def _types(self, life: Incarnation) -> list[str]:
        if life.current:
            body = self.db.value("SELECT body FROM entity WHERE row = ?", (life.number,))
            return decode_entity(body).types
        types: list[str] = msgspec.json.decode(
            self.db.value("SELECT types FROM history_entity WHERE incarnation = ?", (life.number,))
        )
        return types

    def _decoder(self, entity_id: str) -> Decoder:
        return Decoder(self.db, entity_id, self.origins_of)
