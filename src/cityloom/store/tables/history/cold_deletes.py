"""Deleting what is in the cold tables: they stay as they are, the city's file says what of them went.

Compaction takes it out of the tables later. Everything is told with the number
of the last change of the tables: what a later change writes is not meant by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from cityloom.store.tables.base.session import Session
from cityloom.store.tables.history.codec import Row, shape_of
from cityloom.store.tables.history.cold import EVERY, FOREVER, ColdTier

_MARK: Final = (
    "INSERT INTO cold_gone (incarnation, name, time, origin, tie, dataset, number)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (incarnation, name, time, origin, tie, dataset)"
    " DO UPDATE SET number = excluded.number"
)
_CUT: Final = (
    "INSERT INTO cold_cut (incarnation, name, dataset, before, number) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (incarnation, name, dataset, before) DO UPDATE SET number = excluded.number"
)
_FORGOTTEN: Final = (
    "INSERT INTO cold_forgotten (tenant, number) VALUES (?, ?)"
    " ON CONFLICT (tenant) DO UPDATE SET number = excluded.number"
)
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
        self._uncount([row])

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
        count: int | None = self._db.value(
            f"SELECT CAST(sum(count) AS bigint) FROM cold_series WHERE {where}", parameters
        )
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
        self._uncount(gone)
        self._mark(row for row in gone if row.time == before)
        self._cut(incarnation, name, EVERY, before)
        self._db.run(
            f"UPDATE cold_series SET first = ? WHERE {_SERIES} AND first < ?",
            (before, incarnation, name, before),
        )
        return len(gone)

    def forget_tenant(self, tenant: str) -> None:
        """What the tables hold of a tenant goes with their next change; its lives are gone already."""
        state = self._cold.state()
        if state.version is not None or state.moving:
            self._db.run(_FORGOTTEN, (tenant, state.number))

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
        self._db.run(_CUT, (incarnation, name, dataset, before, number))

    def _uncount(self, rows: Iterable[Row]) -> None:
        counts: dict[tuple[int, int, int], list[int]] = {}
        for row in rows:
            shape = shape_of(self._db.shapes.key(row.shape))
            told = counts.setdefault((row.incarnation, row.name, row.dataset), [0, 0])
            told[0] += 1
            told[1] += shape.observed and not shape.deleted
        for key, (count, observed) in counts.items():
            self._db.run(
                "UPDATE cold_series SET count = count - ?, observed = observed - ?"
                f" WHERE {_SERIES} AND dataset = ?",
                (count, observed, *key),
            )
            self._db.run(f"DELETE FROM cold_series WHERE {_SERIES} AND dataset = ? AND count = 0", key)
