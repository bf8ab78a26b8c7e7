"""How the entities of one work are found and put down: expiry, owners and schemas are minded here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from cityloom.broker.instances import brief
from cityloom.broker.ports import Call
from cityloom.broker.schemas import SchemaRules
from cityloom.broker.transient import EXPIRY, alive, next_expiry
from cityloom.model.entity import Attribute, Entity
from cityloom.model.errors import OperationNotSupported, ResourceNotFound
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.store.changes import SCOPE, tombstone
from cityloom.store.history_ports import Window
from cityloom.store.log_ports import Timer
from cityloom.store.ports import Transaction


class EntityWriter:
    """The entities of one work, on the writer thread.

    Args:
        owners: type (IRI) -> the room that alone may write entities of this type.
        room: the room that writes.
    """

    def __init__(
        self, tx: Transaction, call: Call, owners: Mapping[str, str], room: str, rules: SchemaRules
    ) -> None:
        self._tx = tx
        self._call = call
        self._owners = owners
        self._room = room
        self._check = rules.checker(tx, call.tenant)
        self._stored: dict[str, Entity | None] = {}
        self._due: dict[str, int | None] = {}
        """When the first part of a stored entity expires, of those that were looked at"""
        self.now = format_datetime(tx.now)

    def fetch(self, entity_ids: Sequence[str]) -> None:
        """Reads many entities at once, for `find`."""
        found = self._tx.get_many(self._call.tenant, entity_ids)
        self._stored.update({entity_id: found.get(entity_id) for entity_id in entity_ids})

    def find(self, entity_id: str) -> Entity | None:
        """The entity as it is now, without what has expired."""
        if entity_id not in self._stored:
            self._stored[entity_id] = self._tx.get(self._call.tenant, entity_id)
        stored = self._stored[entity_id]
        if stored is None or self._expiry(stored) is None:
            return stored
        return alive(stored, self._tx.now)

    def require(self, entity_id: str) -> Entity:
        """The entity as it is now. Raises ResourceNotFound."""
        entity = self.find(entity_id)
        if entity is None:
            raise ResourceNotFound(f"entity {entity_id} does not exist")
        return entity

    def put(self, entity_id: str, after: Entity | None, row: int | None = None) -> None:
        """Makes `after` the state of the entity (None: deletes it), which `find` was asked for before.

        Raises:
            BadRequestData: the schema of one of its types refuses it.
            OperationNotSupported: another room owns one of its types.
        """
        stored = self._stored[entity_id]
        for entity in (stored, after):
            if entity is not None:
                self._refuse_owned(entity)
        if after is not None:
            self._check(after)
        if (
            stored is not None
            and after is not None
            and self._expiry(stored) is not None
            and alive(stored, self._tx.now) is None
        ):
            # What expired and is made again is another entity to history.
            self._set(entity_id, None, Cause(kind="system", id="expiry"), None)
        self._set(entity_id, after, self._call.cause, row)

    def delete_past(self, entity_id: str, name: str, dataset_id: str | None) -> None:
        """Records the deletion of an attribute of an entity that only history knows (4.5.7).

        Args:
            dataset_id: of the one instance that is deleted; None deletes all.

        Raises:
            ResourceNotFound: history does not know the entity, or no such attribute of it.
        """
        tenant = self._call.tenant
        entity = self._tx.history_entity(tenant, entity_id)
        if entity is None or entity.deleted_at is not None:
            raise ResourceNotFound(f"entity {entity_id} does not exist")
        if name == SCOPE:
            lasts = [Attribute(kind="Property", value=[])] if entity.scopes else []
        else:
            window = Window(
                names=[name],
                dataset_ids=None if dataset_id is None else [dataset_id],
                last_n=None if dataset_id is None else 1,
            )
            instances = self._tx.instances(tenant, entity_id, window).get(name, [])
            lasts = list({one.attribute.dataset_id: one.attribute for one in instances}.values())
        gone = [tombstone(last, self.now) for last in lasts if last.deleted_at is None]
        if not gone:
            raise ResourceNotFound(f"attribute {brief(name)} of entity {entity_id} does not exist")
        if name == SCOPE:
            gone = [replace(one, value=[]) for one in gone]
        append = HistoryAppend(
            entity_id=entity_id,
            types=entity.types,
            scopes=entity.scopes,
            instances=[Instance(name=name, attribute=one) for one in gone],
        )
        self._tx.append_history(tenant, append, self._call.cause)

    def _set(self, entity_id: str, after: Entity | None, cause: Cause, row: int | None) -> None:
        stored = self._stored[entity_id]
        was = None if stored is None else self._expiry(stored)
        self._tx.write_entity(self._call.tenant, stored, after, cause, row)
        self._stored[entity_id] = after
        self._due.pop(entity_id, None)
        due = None if after is None else self._expiry(after)
        if due is not None and due != was:
            self._tx.set_timer(Timer(consumer=EXPIRY, tenant=self._call.tenant, key=entity_id, due=due))
        elif due is None and was is not None:
            self._tx.cancel_timer(EXPIRY, self._call.tenant, entity_id)

    def _expiry(self, stored: Entity) -> int | None:
        if stored.id not in self._due:
            self._due[stored.id] = next_expiry(stored)
        return self._due[stored.id]

    def _refuse_owned(self, entity: Entity) -> None:
        for type in entity.types:
            owner = self._owners.get(type, self._room)
            if owner != self._room:
                raise OperationNotSupported(
                    f"entity {entity.id} is read-only here: type {type} belongs to {owner}"
                )
