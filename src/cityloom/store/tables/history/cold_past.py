"""The past of many entities at once, as far as it is in the cold tables."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from cityloom.store.cold.hidden import visible
from cityloom.store.cold.tables import Part
from cityloom.store.tables.base.session import Session
from cityloom.store.tables.history.codec import Row
from cityloom.store.tables.history.cold import ColdTier
from cityloom.store.tables.history.cold_rows import READ, moment, month_after, month_begins

if TYPE_CHECKING:
    import polars

DAY: Final = 86_400_000_000
Series = tuple[int, int, int]
"""(incarnation, name, dataset)"""


class ColdPast:
    """Reads of a tenant's cold tables that look at many series."""

    def __init__(self, session: Session, tenant: str) -> None:
        self._db = session
        self._cold = ColdTier(session)
        self._tenant = tenant

    @property
    def is_empty(self) -> bool:
        """Whether nothing moved yet."""
        return self._cold.is_empty()

    def reaches(self, after: int, until: int) -> bool:
        """Whether the tables may hold instances with after < time <= until."""
        state = self._cold.state()
        return state.version is not None and after < state.reach and after < until

    def latest(self, known: dict[Series, int | None], at: int) -> dict[Series, Row]:
        """The last telling row up to `at` of each series, where it is newer than the time that is known.

        Cost: a scan of the times of a month, backwards from that of `at`, until all are found.
        """
        sql = "SELECT first, last FROM cold_series WHERE incarnation = ? AND name = ? AND dataset = ?"
        wanted: dict[Series, int] = {}
        for series, time in known.items():
            bounds = self._db.row(sql, series)
            if bounds is not None and bounds[0] <= at and (time is None or time <= bounds[1]):
                wanted[series] = bounds[0] if time is None else max(bounds[0], time)
        found: dict[Series, Row] = {}
        if not wanted:
            return found
        for parts in reversed(self._cold.months(self._tenant, min(wanted.values()), at + 1)):
            begin = month_begins(parts[0].month)
            end = min(at + 1, month_after(begin))
            # Most are found in the last day: the others alone are looked for in the rest of the month.
            for start, beyond in ((max(begin, end - DAY), end), (begin, end - DAY)):
                if wanted and start < beyond:
                    month = self._latest_within(parts, wanted, start, beyond)
                    found |= month
                    for series in month:
                        del wanted[series]
        return found

    def _latest_within(
        self, parts: list[Part], wanted: Collection[Series], start: int, end: int
    ) -> dict[Series, Row]:
        """The last telling row with start <= time < end of those series that have one."""
        import polars as pl

        rows = self._cold.scan(parts)
        if rows is None:
            return {}
        within = rows.filter(pl.col("time") >= moment(start), pl.col("time") < moment(end))
        lives, names = {series[0] for series in wanted}, {series[1] for series in wanted}
        last = (pl.col("time") == pl.col("time").max()).over("incarnation", "attribute", "datasetId")
        found: dict[Series, Row] = {}
        for row in self._rows(self._telling(within, lives, names).filter(last)):
            series = (row.incarnation, row.name, row.dataset)
            if series in wanted and (series not in found or found[series][2:5] < row[2:5]):
                found[series] = row
        return found

    def between(self, lives: Collection[int], names: Collection[int], after: int, until: int) -> list[Row]:
        """The telling rows of current entities with after < time <= until. Cost: a scan of the months."""
        import polars as pl

        found: list[Row] = []
        for parts in self._cold.months(self._tenant, after + 1, until + 1):
            rows = self._cold.scan(parts)
            if rows is not None:
                within = rows.filter(pl.col("time") > moment(after), pl.col("time") <= moment(until))
                found += self._rows(self._telling(within, lives, names))
        return found

    def count(self, names: Collection[int], after: int, until: int) -> int:
        """About how many rows there are, of whatever entity: no fewer than `between` finds."""
        import polars as pl

        count = 0
        for parts in self._cold.months(self._tenant, after + 1, until + 1):
            rows = self._cold.scan(parts)
            if rows is not None:
                within = rows.filter(
                    pl.col("time") > moment(after),
                    pl.col("time") <= moment(until),
                    pl.col("attribute").is_in([self._db.names.key(name) for name in names]),
                )
                count += self._cold.collect(within.select(pl.len())).item()
        return count

    def _telling(
        self, rows: polars.LazyFrame, lives: Collection[int], names: Collection[int]
    ) -> polars.LazyFrame:
        """First of their stamp, and either observed or a deletion."""
        import polars as pl

        of_series = rows.filter(
            pl.col("attribute").is_in([self._db.names.key(name) for name in names]),
            pl.col("occurrence") == 0,
            pl.col("observed") | pl.col("deleted"),
        ).join(
            pl.LazyFrame({"incarnation": list(lives)}, {"incarnation": pl.Int64}),
            on="incarnation",
            how="semi",
        )
        marks = ", ".join(map(str, names))
        return visible(of_series, self._cold.hidden(f"name IN ({marks})"))

    def _rows(self, rows: polars.LazyFrame) -> list[Row]:
        return list(self._cold.reader.rows(self._cold.collect(rows.select(READ))))
