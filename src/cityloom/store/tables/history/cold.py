"""The cold tier as the store reads it: which rows of the tables are there for this snapshot.

The version, and what was deleted or replaced since, stand in the city's file:
a snapshot of the file is one of the tables, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from cityloom.model.errors import StoreFailed
from cityloom.store.cold.files import Kept
from cityloom.store.cold.hidden import Cut, Gone, Hidden, visible
from cityloom.store.cold.tables import ColdTables, Part
from cityloom.store.tables.base.session import Session
from cityloom.store.tables.history.codec import FOREIGN, Key, Row
from cityloom.store.tables.history.cold_rows import READ, Reader, moment, month_of

if TYPE_CHECKING:
    import polars

EVERY: Final = -1
"""Stands for all datasets in `cold_cut`."""
FOREVER: Final = 2**63 - 1
_SHAPE: Final = ("kind", "unitCode", "objectType", "valueType", "observed", "deleted")


class ColdState(Struct, frozen=True):
    """What the city's file says of the tables; see the migration `cold` of SQLite."""

    version: int | None
    number: int
    reach: int
    moving: bool


_NONE: Final = ColdState(None, 0, -(2**63), False)
"""What counts where there are no tables."""


class Bounds(Struct, frozen=True):
    """Between which times the tables hold rows of an attribute, both included."""

    first: int
    last: int

    def meet(self, start: int | None, end: int | None) -> bool:
        """Whether a window reaches into them."""
        return (start is None or start <= self.last) and (end is None or end > self.first)


class ColdTier:
    """The instances in the cold tables; a session without tables has none there, and nothing is asked."""

    def __init__(self, session: Session) -> None:
        self._db = session

    @cached_property
    def reader(self) -> Reader:
        """Makes rows."""
        return Reader(self._db)

    @property
    def tables(self) -> ColdTables:
        """Where the rows are."""
        if self._db.cold_tables is None:
            raise StoreFailed("the cold history cannot be read: nobody said where it is")
        return self._db.cold_tables

    def state(self) -> ColdState:
        """What counts for this snapshot."""
        if self._db.cold_tables is None:
            return _NONE
        version, number, reach, moving = self._db.row("SELECT version, number, reach, moving FROM cold")
        return ColdState(version, number, reach, bool(moving))

    def is_empty(self) -> bool:
        """Whether nothing has moved yet. Cost: a question for each snapshot."""
        if self._db.nothing_moved is None:
            self._db.nothing_moved = self.state().version is None
        return self._db.nothing_moved

    def names(self, incarnation: int, before: int | None = None) -> list[int]:
        """The attributes that have rows (perhaps older than `before`)."""
        if self.is_empty():
            return []
        sql = "SELECT DISTINCT name FROM cold_series WHERE incarnation = ? AND first < ?"
        return [name for (name,) in self._db.rows(sql, (incarnation, FOREVER if before is None else before))]

    def bounds(self, incarnation: int, name: int) -> Bounds | None:
        """Where the rows of an attribute lie; None when there are none. Cost: one seek."""
        if self.is_empty():
            return None
        sql = "SELECT min(first), max(last) FROM cold_series WHERE incarnation = ? AND name = ?"
        first, last = self._db.row(sql, (incarnation, name))
        return None if first is None else Bounds(first, last)

    def rows(
        self,
        incarnation: int,
        name: int,
        *,
        start: int | None = None,
        end: int | None = None,
        latest_first: bool = False,
        few: bool = False,
    ) -> Iterator[Row]:
        """Rows of one attribute with start <= time < end, in the order of the hot tier.

        Args:
            few: hardly any will be taken, so they are read month by month.

        Cost: an open of the file of each month, and of it the row groups that hold the entity.
        """
        for frame in self._frames(incarnation, name, start, end, latest_first, few):
            found = list(self.reader.rows(frame))
            found.sort(key=lambda row: row[2:6], reverse=latest_first)
            yield from found

    def counts(
        self, incarnation: int, name: int, start: int | None, end: int | None
    ) -> list[tuple[int, int, int]]:
        """(dataset, shape, how many) of the rows of one attribute with start <= time < end."""
        find = self._db.names.find
        told = []
        for frame in self._frames(incarnation, name, start, end):
            for dataset_id, *shape, count in frame.group_by("datasetId", *_SHAPE).len().iter_rows():
                dataset = find(dataset_id) if dataset_id is not None else 0
                told.append((dataset or 0, self.reader.shape(tuple(shape)), count))
        return told

    def frame(
        self, incarnation: int, name: int, start: int | None, end: int | None, columns: Sequence[str]
    ) -> polars.DataFrame | None:
        """Columns of one attribute's rows with start <= time < end, without order; None for no rows."""
        return next(self._frames(incarnation, name, start, end, columns=columns), None)

    def keys(self, incarnation: int, name: int, start: int, end: int) -> set[Key]:
        """The keys of an attribute's rows with start <= time < end."""
        return {Key(*row[2:6]) for row in self.rows(incarnation, name, start=start, end=end)}

    def months(self, tenant: str, start: int, end: int, entity_id: str | None = None) -> list[list[Part]]:
        """The files of each month with rows of a tenant (an entity) within start <= time < end."""
        version = self.state().version
        if version is None or start >= end:
            return []
        first, last = month_of(start), month_of(end - 1)
        months: dict[str, list[Part]] = {}
        for part in self.tables.files(version):
            if part.tenant != (tenant or None) or not first <= part.month <= last:
                continue
            if entity_id is None or part.may_hold(entity_id):
                months.setdefault(part.month, []).append(part)
        return [parts for _, parts in sorted(months.items())]

    def scan(self, parts: Sequence[Part]) -> polars.LazyFrame | None:
        """The rows of some files; None without files.

        Cost: a whole read of each file that this process has not read before, to compare it.

        Raises:
            StoreFailed: one does not hold what was written.
        """
        self.compare(parts)
        return self.tables.scan(parts)

    def compare(self, parts: Sequence[Part], *, anew: bool = False) -> None:
        """Compares files with what was written: those that this process has not read before, or all."""
        names = self.tables.names(parts, anew=anew)
        if names:
            is_one = self._db.dialect.is_text_of("path", "?")
            sql = f"SELECT path, size, digest FROM cold_file WHERE {is_one}"
            rows = self._db.rows(sql, (self._db.dialect.texts(names),))
            self.tables.compare(Kept(*row) for row in rows)

    def collect(self, rows: polars.LazyFrame) -> polars.DataFrame:
        """Reads. Raises StoreFailed."""
        with self.tables.using("read"):
            return rows.collect()

    def hidden(self, where: str = "TRUE", parameters: tuple[Any, ...] = ()) -> Hidden:
        """What went of the tables after it had moved, where the columns `incarnation` and `name` say so."""
        gone = self._db.rows(f"SELECT * FROM cold_gone WHERE {where}", parameters)
        cuts = self._db.rows(f"SELECT * FROM cold_cut WHERE {where}", parameters)
        key = self._db.names.key
        return Hidden(
            [
                Gone(
                    incarnation,
                    key(name),
                    time,
                    key(dataset) if dataset else None,
                    key(origin >> 1).removeprefix("source:") if origin & 1 else None,
                    origin >> 1 if origin != FOREIGN and not origin & 1 else None,
                    tie,
                    number,
                )
                for incarnation, name, time, origin, tie, dataset, number in gone
            ],
            [
                Cut(
                    incarnation,
                    key(name),
                    dataset == EVERY,
                    key(dataset) if dataset > 0 else None,
                    before,
                    number,
                )
                for incarnation, name, dataset, before, number in cuts
            ],
        )

    def _frames(
        self,
        incarnation: int,
        name: int,
        start: int | None,
        end: int | None,
        latest_first: bool = False,
        few: bool = False,
        columns: Sequence[str] = READ,
    ) -> Iterator[polars.DataFrame]:
        """What there is of one attribute, in one frame or (`few`) in one for each month."""
        bounds = self.bounds(incarnation, name)
        if bounds is None:
            return
        start = bounds.first if start is None else max(start, bounds.first)
        end = bounds.last + 1 if end is None else min(end, bounds.last + 1)
        if start >= end:
            return
        tenant, entity_id = self._entity(incarnation)
        months = self.months(tenant, start, end, entity_id)
        groups = months if few else [[part for parts in months for part in parts]]
        hidden = self.hidden("incarnation = ? AND name = ?", (incarnation, name))
        for parts in reversed(groups) if latest_first else groups:
            rows = self.scan(parts)
            if rows is not None:
                import polars as pl

                of_series = rows.filter(
                    pl.col("entityId") == entity_id,
                    pl.col("attribute") == self._db.names.key(name),
                    pl.col("incarnation") == incarnation,
                    pl.col("time") >= moment(start),
                    pl.col("time") < moment(end),
                )
                yield self.collect(visible(of_series, hidden).select(columns))

    def _entity(self, incarnation: int) -> tuple[str, str]:
        """(tenant, id) of a life."""
        for table, key in (("entity", "row"), ("history_entity", "incarnation")):
            row = self._db.row(f"SELECT tenant, id FROM {table} WHERE {key} = ?", (incarnation,))
            if row is not None:
                return self._db.tenants.key(row[0]), row[1]
        raise KeyError(incarnation)
