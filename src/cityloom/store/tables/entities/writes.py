"""Changing current entities: the state, its indexes, its history and its event, in one go."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from cityloom.model.entity import LOCATION, Attribute, Entity, decode_entity, encode_entity
from cityloom.model.errors import Conflict
from cityloom.model.events import AttributeChange, Cause, Event, EventKind
from cityloom.model.time import format_datetime
from cityloom.store.changes import SCOPE, attribute_changes, scope_instance, tombstone
from cityloom.store.sql import place_row, plain_number, scope_key
from cityloom.store.tables.base.session import Session
from cityloom.store.tables.entities.reads import EntityReader
from cityloom.store.tables.entities.sights import is_shown, sight_of, write_sight
from cityloom.store.tables.entities.tallies import (
    EVERY_TYPE,
    STALE,
    Place,
    Tallies,
    Tally,
    Use,
    add_all,
    count_entity,
    count_place,
    geometry_kind,
    is_silent,
    kinds_of,
)
from cityloom.store.tables.history.codec import read_time
from cityloom.store.tables.history.writes import HistoryWriter
from cityloom.store.tables.records.log import Body

_Attributes = Mapping[str, Sequence[Attribute]]
_FIND_ONE: Final = "SELECT row, body FROM entity WHERE tenant = ? AND id = ?"
_FIND: Final = (
    "SELECT w.value, e.row, e.body, h.incarnation FROM {ids}"
    " LEFT JOIN entity e ON e.tenant = :tenant AND e.id = w.value"
    " LEFT JOIN history_entity h ON e.row IS NULL AND h.tenant = :tenant AND h.id = w.value"
    " AND h.deleted IS NULL"
)
"""Entities by id, each with what history has of one that is not there: one question for both."""
_MOST_SEEN: Final = 10_000
"""Entities that a work remembers having read."""


class EntityWriter(EntityReader, HistoryWriter):
    """The port `EntityWrites`.

    Args:
        pending: the counts of the works before this one in the same database transaction.
    """

    def __init__(self, session: Session, now: int, pending: Tallies) -> None:
        super().__init__(session, now)
        self._now_text = format_datetime(now)
        self._pending = pending
        self.counted: Tallies = {}
        self._seen: dict[tuple[str, str], tuple[int | None, Entity | None]] = {}
        self._lives: dict[tuple[int, str], int | None] = {}
        """(tenant, id) -> the life that history has of an entity that is not there"""

    def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The current entity, or None; writing it back as `before` then costs no second look."""
        key = (tenant, entity_id)
        known = self._seen.get(key)
        if known is None:
            known = self.db.waiting.known(key)
            if known is None:
                return self._read(tenant, [entity_id])[entity_id]
            self._seen[key] = known
        return known[1]

    def get_many(
        self, tenant: str, entity_ids: Sequence[str], names: Sequence[str] | None = None
    ) -> dict[str, Entity]:
        """Those of these entities that exist, whole, by id; writing them back costs no second look."""
        found: dict[str, Entity | None] = {}
        unread = []
        for entity_id in sorted(set(entity_ids)):
            key = (tenant, entity_id)
            known = self._seen.get(key) or self.db.waiting.known(key)
            if known is None:
                unread.append(entity_id)
            else:
                found[entity_id] = known[1]
                self._seen[key] = known
        if unread:
            found |= self._read(tenant, unread)
        return {each: entity for each in sorted(found) if (entity := found[each]) is not None}

    def _read(self, tenant: str, entity_ids: list[str]) -> dict[str, Entity | None]:
        """Reads entities that no waiting change touches; of those not there, also the life in history.

        Of one it is asked later and apart, where to ask costs little: nearly every write finds its entity.
        """
        number = self.db.tenants.find(tenant)
        found: dict[str, Entity | None] = {}
        if len(entity_ids) == 1 and not self.db.dialect.is_far:
            (entity_id,) = entity_ids
            rows = self.db.rows_beside(_FIND_ONE, (number, entity_id))
            row, body = rows[0] if rows else (None, None)
            found[entity_id] = entity = decode_entity(body) if body is not None else None
            self._remember(tenant, entity_id, row, entity)
            return found
        told = self.db.dialect.texts(entity_ids)
        sure = number is not None and "history_entity" not in self.db.waiting
        sql = _FIND.format(ids=self.db.dialect.each_text(":ids", "w"))
        for entity_id, row, body, life in self.db.rows_beside(sql, {"ids": told, "tenant": number}):
            found[entity_id] = entity = decode_entity(body) if body is not None else None
            self._remember(tenant, entity_id, row, entity)
            if row is None and sure:
                self._lives[number or 0, entity_id] = life
        return found

    def begin_life(self, tenant: int, entity_id: str) -> int:
        """The incarnation of an entity that becomes current: that of its history, or a new one."""
        if (tenant, entity_id) not in self._lives:
            return super().begin_life(tenant, entity_id)
        known = self._lives.pop((tenant, entity_id))
        if known is None:
            return self.new_incarnation()
        self._forget_past(known)
        return known

    def insert_past(self, tenant: int, entity: Entity, incarnation: int) -> None:
        """Makes a life that history alone knows."""
        self._lives.clear()
        super().insert_past(tenant, entity, incarnation)

    def tallies(self, tenant: int) -> Tallies:
        """What is counted of each type of a tenant, this transaction's changes included."""
        tallies = super().tallies(tenant)
        for changes in (self._pending, self.counted):
            add_all(tallies, {key: change for key, change in changes.items() if key[0] == tenant})
        return tallies

    def create_tenant(self, tenant: str) -> None:
        """Makes a tenant known (idempotent)."""
        self.db.tenants.intern(tenant)

    def write_entity(
        self, tenant: str, before: Entity | None, after: Entity | None, cause: Cause, row: int | None = None
    ) -> Event | None:
        """Makes `after` the state of the entity, in one go with its history and its event.

        Raises:
            Conflict: the stored entity is not `before`.
        """
        entity = after if after is not None else before
        if entity is None:
            return None
        number = self.db.tenants.intern(tenant)
        key = self._check(tenant, entity.id, before)
        if before == after:
            return None
        changes = attribute_changes(before, after)
        if after is None:
            assert before is not None
            assert key is not None
            kind: EventKind = "entityDeleted"
            self._delete(number, key, before, changes, row)
        elif before is None:
            kind = "entityCreated"
            key = self._create(number, after)
            self._keep(key, None, after, changes, cause, row)
        else:
            assert key is not None
            kind = "entityUpdated"
            self._update(number, key, before, after, changes)
            self._keep(key, before, after, changes, cause, row)
        self._remember(tenant, entity.id, key if after is not None else None, after)
        self.db.waiting.write((tenant, entity.id), self._seen[tenant, entity.id])
        body = Body(
            kind=kind,
            entity_id=entity.id,
            types=entity.types,
            scopes=entity.scopes,
            changes=changes if after is not None else [],
            before=before if after is None else None,
            row=row,
        )
        return self.write_event(tenant, number, cause, body, history=True)

    def _remember(self, tenant: str, entity_id: str, key: int | None, entity: Entity | None) -> None:
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()
        self._seen[tenant, entity_id] = key, entity

    def _check(self, tenant: str, entity_id: str, before: Entity | None) -> int | None:
        """The entity's row, None when it is not there."""
        found = self.get(tenant, entity_id)
        if found is not before and found != before:
            raise Conflict(f"entity {entity_id!r} was changed meanwhile")
        return self._seen[tenant, entity_id][0]

    # -- state ---------------------------------------------------------------

    def _create(self, tenant: int, entity: Entity) -> int:
        key = self.begin_life(tenant, entity.id)
        self.db.change(
            "INSERT INTO entity (row, tenant, id, body, modified) VALUES (?, ?, ?, ?, ?)",
            (key, tenant, entity.id, encode_entity(entity), self.now),
        )
        types = self._type_numbers(entity)
        place = place_row(entity, types)
        self._change_types(tenant, key, entity.id, [], types)
        self._change_names(tenant, key, {}, entity.attributes)
        self._change_scopes(tenant, key, [], entity.scopes)
        self.change_place(tenant, key, types, None, place)
        write_sight(self.db, key, tenant, sight_of(entity, types))
        for type in types:
            count_entity(self._tally(tenant, type, seen=True), entity, place, 1)
        self._tally(tenant, EVERY_TYPE).count += 1
        return key

    def _update(
        self, tenant: int, key: int, before: Entity, after: Entity, changes: list[AttributeChange]
    ) -> None:
        self.db.change(
            "UPDATE entity SET body = ?, modified = ? WHERE row = ?", (encode_entity(after), self.now, key)
        )
        old_types = types = self._type_numbers(after)
        if before.types != after.types:
            old_types = self._type_numbers(before)
            self._change_types(tenant, key, after.id, old_types, types)
        if before.attributes.keys() != after.attributes.keys():
            self._change_names(tenant, key, before.attributes, after.attributes)
        self._change_numbers(tenant, key, before, after, changes)
        if before.scopes != after.scopes:
            self._change_scopes(tenant, key, before.scopes, after.scopes)
        moved = old_types != types
        names, shown = 0, moved
        for change in changes:
            if is_shown(change.name):
                other = _looks_other(change)
                if change.name == LOCATION:
                    moved = moved or other
                else:
                    names += 1
                # Of several names the order counts, too.
                shown = shown or other or names > 1
        old_place = place = None
        if moved:
            old_place, place = place_row(before, old_types), place_row(after, types)
            self.change_place(tenant, key, types, old_place, place)
        if shown:
            write_sight(self.db, key, tenant, sight_of(after, types))
        for type in old_types:
            if type not in types:
                count_entity(self._tally(tenant, type, seen=True), before, old_place, -1)
        for type in types:
            tally = self._tally(tenant, type, seen=shown)
            if type not in old_types:
                count_entity(tally, after, place, 1)
                continue
            _recount_attributes(tally, before, after, changes)
            if moved and (old_place != place or geometry_kind(before) != geometry_kind(after)):
                count_place(tally, before, old_place, -1)
                count_place(tally, after, place, 1)

    def _delete(
        self, tenant: int, key: int, before: Entity, changes: list[AttributeChange], row: int | None
    ) -> None:
        types = self._type_numbers(before)
        place = place_row(before, types)
        self.db.change("DELETE FROM entity WHERE row = ?", (key,))
        self._change_types(tenant, key, before.id, types, [])
        self._change_names(tenant, key, before.attributes, {})
        self._change_scopes(tenant, key, before.scopes, [])
        self.change_place(tenant, key, types, place, None)
        self.db.change("DELETE FROM sight WHERE row = ?", (key,))
        for type in types:
            count_entity(self._tally(tenant, type, seen=True), before, place, -1)
        self._tally(tenant, EVERY_TYPE).count -= 1
        self.write_instances(before.id, key, self._written(changes), "", row)
        self.end_life(tenant, key, replace(before, modified_at=self._now_text, deleted_at=self._now_text))

    def _keep(
        self,
        key: int,
        before: Entity | None,
        after: Entity,
        changes: list[AttributeChange],
        cause: Cause,
        row: int | None,
    ) -> None:
        """Writes what changed into history."""
        written = self._written(changes)
        if after.scopes != (before.scopes if before is not None else []):
            written.append((SCOPE, scope_instance(after.scopes, self._now_text)))
        self.write_instances(after.id, key, written, cause.source, row)

    def _written(self, changes: list[AttributeChange]) -> list[tuple[str, Attribute]]:
        """The instances of what changed, by name; of what went, that it went."""
        now = self._now_text
        return [
            (change.name, tombstone(change.before, now) if change.after is None else change.after)  # type: ignore[arg-type]
            for change in changes
        ]

    # -- indexes: touched only where the set changes ----------------------------

    def _type_numbers(self, entity: Entity) -> list[int]:
        return [self.db.names.intern(type) for type in dict.fromkeys(entity.types)]

    def _change_types(
        self, tenant: int, key: int, entity_id: str, old: Collection[int], new: Collection[int]
    ) -> None:
        for type in old:
            if type not in new:
                self.db.change(
                    "DELETE FROM entity_type WHERE tenant = ? AND type = ? AND id = ?",
                    (tenant, type, entity_id),
                )
        for type in new:
            if type not in old:
                self.db.change(
                    "INSERT INTO entity_type (tenant, type, id, row) VALUES (?, ?, ?, ?)",
                    (tenant, type, entity_id, key),
                )

    def _change_names(self, tenant: int, key: int, old: _Attributes, new: _Attributes) -> None:
        intern = self.db.names.intern
        gone = [(tenant, intern(name), key) for name in old if name not in new]
        if gone:
            self.db.change_many(
                "DELETE FROM entity_attribute WHERE tenant = ? AND name = ? AND row = ?", gone
            )
        came = [(tenant, intern(name), key, plain_number(new[name])) for name in new if name not in old]
        if came:
            self.db.change_many(
                "INSERT INTO entity_attribute (tenant, name, row, number) VALUES (?, ?, ?, ?)", came
            )

    def _change_numbers(
        self, tenant: int, key: int, before: Entity, after: Entity, changes: list[AttributeChange]
    ) -> None:
        """Of attributes that were there and still are, the numbers beside their names."""
        told = []
        for name in dict.fromkeys([change.name for change in changes]):
            old, new = before.attributes.get(name), after.attributes.get(name)
            if old is None or new is None:
                continue
            number = plain_number(new)
            if number != plain_number(old):
                told.append((number, tenant, self.db.names.intern(name), key))
        if told:
            self.db.change_many(
                "UPDATE entity_attribute SET number = ? WHERE tenant = ? AND name = ? AND row = ?", told
            )

    def _change_scopes(self, tenant: int, key: int, old: list[str], new: list[str]) -> None:
        before, after = set(map(scope_key, old)), set(map(scope_key, new))
        for scope in before - after:
            self.db.change(
                "DELETE FROM entity_scope WHERE tenant = ? AND scope = ? AND row = ?", (tenant, scope, key)
            )
        for scope in after - before:
            self.db.change(
                "INSERT INTO entity_scope (tenant, scope, row) VALUES (?, ?, ?)", (tenant, scope, key)
            )

    @abstractmethod
    def change_place(
        self, tenant: int, key: int, types: Sequence[int], old: Place | None, new: Place | None
    ) -> None:
        """Makes `new` the place of the entity with row `key`, which had `old`; `types` are its types now."""

    def _tally(self, tenant: int, type: int, *, seen: bool = False) -> Tally:
        tally = self.counted.get((tenant, type))
        if tally is None:
            tally = self.counted[tenant, type] = Tally()
        tally.modified = self.now
        tally.touched = self.next_seq
        if seen:
            tally.seen = tally.touched
        return tally


def _looks_other(change: AttributeChange) -> bool:
    """Whether a change may be one of what is shown of an entity: not of its times or its unit alone."""
    before, after = change.before, change.after
    return before is None or after is None or before.kind != after.kind or before.value != after.value


def _recount_attributes(tally: Tally, before: Entity, after: Entity, changes: list[AttributeChange]) -> None:
    uses, touched = tally.attributes, tally.touched
    came = went = 0
    marked, other = False, {}
    for change in changes:
        name, old, new = change.name, change.before, change.after
        use = uses.get(name)
        if use is None:
            use = uses[name] = Use()
        use.changed = touched
        if new is not None and new.observed_at is not None:
            came = max(came, read_time(new.observed_at, "observedAt")[0])
        if old is not None and old.observed_at is not None:
            went = max(went, read_time(old.observed_at, "observedAt")[0])
        if old is None or new is None or old.kind != new.kind:
            other[name] = use
        marked = marked or name.endswith(STALE)
    for name, use in other.items():
        kinds_before = kinds_of(before.attributes.get(name, ()))
        kinds_after = kinds_of(after.attributes.get(name, ()))
        if set(kinds_before) != set(kinds_after):
            tally.seen = touched
            use.count += bool(kinds_after) - bool(kinds_before)
            for kinds, sign in ((kinds_before, -1), (kinds_after, 1)):
                for kind in kinds:
                    use.kinds[kind] = use.kinds.get(kind, 0) + sign
    if marked:
        tally.seen = touched
        tally.silent += is_silent(after) - is_silent(before)
    tally.observed = max(tally.observed, came)
    if went > came:
        tally.past = max(tally.past, went)
