"""What a work may do to a database, where PostgreSQL has ways of its own: places, and few round trips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cityloom.model.events import Cause
from cityloom.store.tables.entities.tallies import Place
from cityloom.store.tables.snapshot import TablesTransaction

_PLACE: Final = (
    "INSERT INTO place (row, type, tenant, west, east, south, north) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (row, type) DO UPDATE SET west = excluded.west, east = excluded.east,"
    " south = excluded.south, north = excluded.north"
)


class PostgresTransaction(TablesTransaction):
    """The port `Transaction` on a server."""

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
