"""Leases: who may do what one process alone may do."""

from __future__ import annotations

from typing import Final

from cityloom.store.log_ports import Lease
from cityloom.store.tables.base.session import Port

_COLUMNS: Final = "SELECT name, holder, epoch, at FROM lease"


class LeaseReader(Port):
    """The port `LeaseReads`."""

    def leases(self) -> list[Lease]:
        """Every lease, by name."""
        return [
            Lease(name=name, holder=holder, epoch=epoch, at=at)
            for name, holder, epoch, at in self.db.rows(f"{_COLUMNS} ORDER BY name")
        ]

    def lease(self, name: str) -> Lease | None:
        """One lease, or None when nobody ever held it."""
        row = self.db.row(f"{_COLUMNS} WHERE name = ?", (name,))
        return None if row is None else Lease(name=row[0], holder=row[1], epoch=row[2], at=row[3])


class LeaseWriter(LeaseReader):
    """The port `LeaseWrites`."""

    def put_lease(self, lease: Lease) -> None:
        """Adds or changes a lease, by name."""
        self.db.change(
            "INSERT INTO lease (name, holder, epoch, at) VALUES (?, ?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, at = excluded.at",
            (lease.name, lease.holder, lease.epoch, lease.at),
        )

    def drop_lease(self, name: str) -> None:
        """Forgets a lease (idempotent)."""
        self.db.change("DELETE FROM lease WHERE name = ?", (name,))
