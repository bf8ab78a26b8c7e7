"""Deleting what is in the cold tables: they stay as they are, the city's file says what of them went.

Compaction takes it out of the tables later. Everything is told with the number
of the last change of the tables: what a later change writes is not meant by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from cityloom.store.tables.codec import Row, shape_of
from cityloom.store.tables.cold import EVERY, FOREVER, ColdTier
from cityloom.store.tables.session import Session

_MARK: Final = "INSERT OR REPLACE INTO cold_gone VALUES (?, ?, ?, ?, ?, ?, ?)"
_SERIES: Final = "incarnation = ? AND name = ?"
_FEW: Final = 1000


class ColdDeletes:
    """What may be done to the cold tier within a transaction."""

    def __init__(self, session: Session, cold: ColdTier) -> None:
        self._db = session
        self._cold = cold

    def delete(self, row: Row) -> None:
        """A row that the tables hold is there no more."""
        self._mark([row])
        self._uncount(row)

    def deleted_from_hot(self, rows: Iterable[Sequence[Any]]) -> None:
        """Rows of the hot tier were deleted: those that are being moved must not come with the tables.

        Args:
            rows: incarnation, name and key of each, whatever follows.
        """
        state = self._cold.state()
        if state.moving:
            self._mark(row for row in rows if row[2] < state.reach)

    def cut(self, incarnation: int, name: int, dataset: int = EVERY) -> int:
        """All rows of an attribute, or of one dataset of it, are there no more; how many there were."""
        if self._db.cold_tables is None:
            return 0
        where, parameters = _SERIES, [incarnation, name]
        if dataset != EVERY:
            where += " AND dataset = ?"
            parameters.append(dataset)
        count: int | None = self._db.value(f"SELECT sum(count) FROM cold_series WHERE {where}", parameters)
        if count is not None or self._cold.state().moving:
            self._cut(incarnation, name, dataset, FOREVER)
            self._db.run(f"DELETE FROM cold_series WHERE {where}", parameters)
        return count or 0

    def expire(self, incarnation: int, name: int, before: int, limit: int) -> int:
        """Lets up to `limit` rows of an attribute go that are older than `before`; how many.

        Cost: a read of those rows.
        """
        bounds = self._cold.bounds(incarnation, name)
        if bounds is None or bounds.first >= before or limit <= 0:
            return 0
        gone: list[Row] = []
        for row in self._cold.rows(incarnation, name, end=before, few=limit < _FEW):
            gone.append(row)
            if len(gone) == limit:
                before = row.time
                break
        for row in gone:
            self._uncount(row)
        self._mark(row for row in gone if row.time == before)
        self._cut(incarnation, name, EVERY, before)
        self._db.run(
            f"UPDATE cold_series SET first = max(first, ?) WHERE {_SERIES}", (before, incarnation, name)
        )
        return len(gone)

    def forget_tenant(self, tenant: str) -> None:
        """What the tables hold of a tenant goes with their next change; its lives are gone already."""
        state = self._cold.state()
        if state.version is not None or state.moving:
            self._db.run("INSERT OR REPLACE INTO cold_forgotten VALUES (?, ?)", (tenant, state.number))

    def _mark(self, rows: Iterable[Sequence[Any]]) -> None:
        number = self._cold.state().number
        self._db.change_many(_MARK, [(*row[:6], number) for row in rows])

    def _cut(self, incarnation: int, name: int, dataset: int, before: int) -> None:
        """Those that this one goes beyond are not needed any more."""
        self._db.run(
            f"DELETE FROM cold_cut WHERE {_SERIES} AND before <= ? AND ? IN (dataset, {EVERY})",
            (incarnation, name, before, dataset),
        )
        number = self._cold.state().number
        self._db.run(
            "INSERT OR REPLACE INTO cold_cut VALUES (?, ?, ?, ?, ?)",
            (incarnation, name, dataset, before, number),
        )

    def _uncount(self, row: Row) -> None:
        shape = shape_of(self._db.shapes.key(row.shape))
        key = (row.incarnation, row.name, row.dataset)
        self._db.run(
            "UPDATE cold_series SET count = count - 1, observed = observed - ?"
            f" WHERE {_SERIES} AND dataset = ?",
            (shape.observed and not shape.deleted, *key),
        )
        self._db.run(f"DELETE FROM cold_series WHERE {_SERIES} AND dataset = ? AND count = 0", key)
