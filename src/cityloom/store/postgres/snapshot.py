"""What a work may do to a database, where PostgreSQL has ways of its own: places, and few round trips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cityloom.model.entity import Entity, decode_entity
from cityloom.model.events import Cause
from cityloom.store.tables.session import Session
from cityloom.store.tables.snapshot import TablesTransaction
from cityloom.store.tables.tallies import Place, Tallies

_PLACE: Final = (
    "INSERT INTO place (row, type, tenant, west, east, south, north) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (row, type) DO UPDATE SET west = excluded.west, east = excluded.east,"
    " south = excluded.south, north = excluded.north"
)


class PostgresTransaction(TablesTransaction):
    """The port `Transaction` on a server.

    With an entity the life that history has of it is read, so that each work costs one question.
    """

    def __init__(self, session: Session, now: int, pending: Tallies) -> None:
        super().__init__(session, now, pending)
        self._lives: dict[tuple[int, str], int | None] = {}
        """(tenant, id) -> the life that history has of an entity that is not there"""

    def _read(self, tenant: str, entity_ids: list[str]) -> dict[str, Entity | None]:
        """Reads entities that nothing waiting has changed; of those not there, also the life in history."""
        number = self.db.tenants.find(tenant)
        sql = (
            "SELECT w.value, e.row, e.body, h.incarnation"
            f" FROM {self.db.dialect.each_text(':ids', 'w')}"
            " LEFT JOIN entity e ON e.tenant = :tenant AND e.id = w.value"
            " LEFT JOIN history_entity h ON e.row IS NULL AND h.tenant = :tenant AND h.id = w.value"
            " AND h.deleted IS NULL"
        )
        sure = number is not None and "history_entity" not in self.db.waiting
        found: dict[str, Entity | None] = {}
        for entity_id, row, body, life in self.db.rows_beside(sql, {"ids": entity_ids, "tenant": number}):
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
        self._lives.clear()
        super().insert_past(tenant, entity, incarnation)

    def forget_tenant(self, tenant: str, limit: int = 1000) -> int:
        """Takes away up to about `limit` rows of a tenant: see the port."""
        self._lives.clear()
        return super().forget_tenant(tenant, limit)

    def put_personal(self, tenant: str, entity_id: str, body: Any, cause: Cause) -> None:
        """Keeps the personal data that belong to an entity; what they replace is wiped as if erased."""
        sql = "SELECT 1 FROM personal WHERE tenant = ? AND entity_id = ?"
        if self.db.value(sql, (self.db.tenants.find(tenant), entity_id)) is not None:
            self.wipe = True
        super().put_personal(tenant, entity_id, body, cause)

    def change_place(
        self, tenant: int, key: int, types: Sequence[int], old: Place | None, new: Place | None
    ) -> None:
        """A row for each type; rows of types that the entity no longer has are deleted."""
        # The span of the types tells all of them, where there are no more than two.
        if old is not None and (new is None or len(types) > 2 or old[4:] != new[4:]):
            self.db.change("DELETE FROM place WHERE row = ?", (key,))
        if new is not None:
            self.db.change_many(_PLACE, [(key, type, tenant, *new[:4]) for type in types])
