"""Personal data: a table of its own, wiped when it is erased, its reading logged.

It must never be copied from here into an entity, an event or history.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import msgspec

from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.store.tables.records.log import LogWriter

_ONE: Final = "tenant = ? AND entity_id = ?"


class PersonalWriter(LogWriter):
    """The port `PersonalData`.

    What is replaced or erased is overwritten where the database can
    (`wiping`); after an erasure `wipe` asks the writer to do the rest of it.
    """

    wipe = False
    """Whether this work erased something."""

    def put_personal(self, tenant: str, entity_id: str, body: Any, cause: Cause) -> None:
        """Keeps the personal data that belong to an entity."""
        number = self.db.tenants.intern(tenant)
        with self.wiping():
            self.db.run(
                "INSERT INTO personal (tenant, entity_id, body) VALUES (?, ?, ?)"
                " ON CONFLICT (tenant, entity_id) DO UPDATE SET body = excluded.body",
                (number, entity_id, msgspec.json.encode(body)),
            )
        self._log(number, entity_id, cause.party, cause.id, "put")

    def read_personal(self, tenant: str, entity_id: str, party: str, purpose: str) -> Any | None:
        """Reads them and logs who read them and for what, in the same transaction."""
        number = self.db.tenants.intern(tenant)
        body = self.db.value(f"SELECT body FROM personal WHERE {_ONE}", (number, entity_id))
        self._log(number, entity_id, party, purpose, "read")
        return msgspec.json.decode(body) if body is not None else None

    def erase_personal(self, tenant: str, entity_id: str, party: str) -> bool:
        """Erases them, beyond recovery from this store's file; the log of readings stays."""
        number = self.db.tenants.intern(tenant)
        with self.wiping():
            erased = self.db.run(f"DELETE FROM personal WHERE {_ONE}", (number, entity_id)) > 0
        if erased:
            self.wipe = True
            self._log(number, entity_id, party, "", "erase")
        return erased

    def personal_readings(self, tenant: str, entity_id: str) -> list[dict[str, Any]]:
        """Who read or erased, when (ISO) and for what: `{at, party, purpose, action}`."""
        rows = self.db.rows(
            f"SELECT at, party, purpose, action FROM personal_reading WHERE {_ONE} AND action <> 'put'"
            " ORDER BY number",
            (self.db.tenants.find(tenant), entity_id),
        )
        return [
            {"at": format_datetime(at), "party": party, "purpose": purpose, "action": action}
            for at, party, purpose, action in rows
        ]

    def _log(self, tenant: int, entity_id: str, party: str, purpose: str, action: str) -> None:
        self.db.change(
            "INSERT INTO personal_reading (tenant, entity_id, at, party, purpose, action)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (tenant, entity_id, self.now, party, purpose, action),
        )

    def wiping(self) -> AbstractContextManager[None]:
        """Within it what is deleted is overwritten, where the database can."""
        return nullcontext()
