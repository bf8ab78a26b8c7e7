"""Forgetting a tenant: everything that it has, in steps of a bounded size, and at last its name."""

from __future__ import annotations

from typing import Final

from cityloom.store.tables.entities.writes import EntityWriter
from cityloom.store.tables.records.personal import PersonalWriter

EVENTS_AT_ONCE: Final = 20_000
"""Events that one call looks at: they are not indexed by tenant."""
_OF_LIFE: Final = {
    "instance": "name, time, origin, tie, dataset",
    "instance_key": "name, id",
}
"""What belongs to one life of an entity and may be long, each with its key."""
_OF_ROW: Final = ("place", "sight")
_OF_TENANT: Final = {
    "history_type": "type, id, incarnation",
    "entity_type": "type, id",
    "entity_attribute": "name, row",
    "entity_scope": "scope, row",
    "tally": "type",
    "document": "kind, id",
    "document_change": "kind, id",
    "delivery": "id",
    "timer": "consumer, key",
    "personal": "entity_id",
    "personal_reading": "number",
}
"""What names its tenant, each with its key within that."""


class TenantForgetter(EntityWriter, PersonalWriter):
    """`forget_tenant` of the port `EntityWrites`."""

    def forget_tenant(self, tenant: str, limit: int = 1000) -> int:
        """Takes away up to about `limit` rows of a tenant; its name goes with the last.

        How far the log was searched for its events is kept, so that a search goes on after a crash.
        """
        number = self.db.tenants.find(tenant)
        if number is None:
            return 0
        if not tenant:
            raise ValueError("the default tenant cannot be forgotten")
        if any(key[0] == number for tallies in (self._pending, self.counted) for key in tallies):
            # Works of the same commit have counted entities of it: what they wrote is to be seen first.
            return 0
        for key in [key for key in self._seen if key[0] == tenant]:
            del self._seen[key]
        self._lives.clear()
        gone = self._forget_rows(number, limit)
        mark = f"forget:{number}"
        if gone:
            self._set_meta(mark, f"0:{self.db.pulse.seq}")
            return gone
        return self._forget_events(tenant, number, mark)

    def _forget_rows(self, number: int, limit: int) -> int:
        left = limit
        for table, key in (("entity", "row"), ("history_entity", "incarnation")):
            lives = f"SELECT {key} FROM {table} WHERE tenant = ? LIMIT ?"
            for (life,) in self.db.rows(lives, (number, max(left, 0))):
                left -= self._forget_life(table, key, life, left)
                if left <= 0:
                    return limit - left
        for table, key in _OF_TENANT.items():
            if table == "personal":
                with self.wiping():
                    wiped = self._forget_some(table, key, number, left)
                self.wipe = self.wipe or wiped > 0
                left -= wiped
            else:
                left -= self._forget_some(table, key, number, left)
            if left <= 0:
                return limit - left
        return limit - left

    def _forget_life(self, table: str, key: str, life: int, limit: int) -> int:
        """One life with its instances, and the life itself once they are gone."""
        left = limit
        for name in self.tiers.names(life) if self.db.cold_tables is not None else ():
            self.cold.cut(life, name)
        for part, columns in _OF_LIFE.items():
            left -= self.db.run(
                f"DELETE FROM {part} WHERE incarnation = ? AND ({columns}) IN"
                f" (SELECT {columns} FROM {part} WHERE incarnation = ? LIMIT ?)",
                (life, life, left),
            )
            if left <= 0:
                return limit - left
        for part in _OF_ROW:
            self.db.run(f"DELETE FROM {part} WHERE row = ?", (life,))
        self.db.run("DELETE FROM history_cleared WHERE incarnation = ?", (life,))
        self.db.run(f"DELETE FROM {table} WHERE {key} = ?", (life,))
        return limit - left + 1

    def _forget_some(self, table: str, columns: str, number: int, limit: int) -> int:
        return self.db.run(
            f"DELETE FROM {table} WHERE tenant = ? AND ({columns}) IN"
            f" (SELECT {columns} FROM {table} WHERE tenant = ? LIMIT ?)",
            (number, number, limit),
        )

    def _forget_events(self, tenant: str, number: int, mark: str) -> int:
        """Searches on in the log; the name goes at the end. How many events it looked at, or 1."""
        told = self.db.value("SELECT value FROM meta WHERE key = ?", (mark,)) or f"0:{self.db.pulse.seq}"
        reached, until = (int(part) for part in told.split(":"))
        slowest: int | None = self.db.value("SELECT min(seq) FROM cursor")
        start = max(reached, self.first_seq() - 1)
        end = min(until, start + EVENTS_AT_ONCE, until if slowest is None else slowest)
        if end > start:
            self.forget_tail()
            self.db.run("DELETE FROM event WHERE seq > ? AND seq <= ? AND tenant = ?", (start, end, number))
            self._set_meta(mark, f"{end}:{until}")
            return end - start
        if start < until:
            return 0  # a consumer has still to deal with the rest
        self.db.run("DELETE FROM meta WHERE key = ? OR key LIKE ?", (mark, f"expire:{number}:%"))
        self.cold.forget_tenant(tenant)
        self.db.tenants.forget(tenant)
        return 1

    def _set_meta(self, key: str, value: str) -> None:
        self.db.change(
            "INSERT INTO meta (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )
