"""What a work may do to a file, where SQLite has ways of its own: places, and wiping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cityloom.store.tables.entities.tallies import Place
from cityloom.store.tables.snapshot import TablesTransaction


class SqliteTransaction(TablesTransaction):
    """The port `Transaction` on a file."""

    def change_place(
        self, tenant: int, key: int, types: Sequence[int], old: Place | None, new: Place | None
    ) -> None:
        """One row of the R*Tree, which holds the span of the types as well."""
        if old == new:
            return
        if new is None:
            self.db.change("DELETE FROM place WHERE row = ?", (key,))
        elif old is None:
            self.db.change("INSERT INTO place VALUES (?, ?, ?, ?, ?, ?, ?)", (key, *new))
        else:
            self.db.change(
                "UPDATE place SET west = ?, east = ?, south = ?, north = ?, type_low = ?, type_high = ?"
                " WHERE row = ?",
                (*new, key),
            )

    @contextmanager
    def wiping(self) -> Iterator[None]:
        """Within it SQLite writes zeros where rows were (`secure_delete`)."""
        self.db.run("PRAGMA secure_delete=ON")
        try:
            yield
        finally:
            self.db.run("PRAGMA secure_delete=OFF")
