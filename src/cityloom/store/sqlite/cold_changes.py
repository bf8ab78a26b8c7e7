"""One change of the cold tables at a time, in steps of which each may be the last.

1. The city's file says that a change of the tables is under way (`cold.moving`).
2. The change is committed to the tables and made durable: a power cut must not take from them what goes
   from the file. Nobody reads it yet: readers see the version in the file.
3. In one transaction of the file that version becomes the one to see, and what moved goes from `instance`.

Whoever is killed before 3 has changed nothing: the next change begins by making
the tables again what they were. What is deleted or replaced between 1 and 3 is
marked in the file, and neither goes from `instance` in 3 nor comes with the tables.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, TypeVar, cast

import structlog

from cityloom.model.errors import StoreFailed
from cityloom.store.cold.files import Kept
from cityloom.store.cold.tables import ColdTables
from cityloom.store.ports import Store
from cityloom.store.sqlite.session import SqliteSession
from cityloom.store.sqlite.snapshot import SqliteTransaction
from cityloom.store.tables.codec import Row, shape_of
from cityloom.store.tables.cold import ColdState
from cityloom.store.tables.snapshot import TablesSnapshot

if TYPE_CHECKING:
    import polars

T = TypeVar("T")

MOST: Final = 50_000
"""Instances of one step: the writer is held up for as long as it takes to delete them."""

_log = structlog.get_logger("cold")


class ColdChanges:
    """Takes the steps: one thing at a time, whoever asks.

    Args:
        store: of which the file says what counts.
        alone: what only one may be in, where several processes change the tables.
    """

    def __init__(
        self,
        store: Store,
        tables: ColdTables,
        most: int = MOST,
        alone: AbstractContextManager[object] | None = None,
    ) -> None:
        self._store = store
        self._tables = tables
        self._most = most
        self._alone: AbstractContextManager[object] = alone or threading.Lock()
        self._closing = threading.Event()

    def close(self) -> None:
        """Ends what is under way, before or after its step; nothing can be begun any more."""
        self._closing.set()
        with self._alone:
            pass

    # -- the steps ---------------------------------------------------------------

    def _begin(self, reach: int | None) -> int:
        """Step 1; the number of the change."""

        return self._do(lambda tx: begin(tx, reach))

    def _recover(self) -> None:
        """Makes the tables again what the file says, when a change did not come to its end.

        And then takes out the tenants that were forgotten.
        """
        state: ColdState = self._see(lambda snapshot: snapshot.tiers.cold.state())
        try:
            latest = self._tables.latest()
        except StoreFailed as error:
            if not state.moving:
                raise
            _log.warning("a change of the cold history was cut off", reason=error.detail)
            self._tables.drop_after(-1 if state.version is None else state.version)
            latest = self._tables.latest()
        if latest is None or latest == (state.version or 0):
            if state.moving:
                self._show(None)
            self._forget_tenants()
            return
        _log.warning("a change of the cold history is undone", version=latest, back_to=state.version)
        number = self._begin(None)
        self._show(self._tables.restore(state.version or 0, number))
        self._forget_tenants()

    def _forget_tenants(self) -> None:
        """Takes out what the tables hold of tenants that were forgotten."""
        sql = "SELECT tenant, number FROM cold_forgotten"
        for tenant, until in self._see(lambda snapshot: snapshot.db.rows(sql)):
            number = self._begin(None)
            version = None
            if self._tables.latest() is not None:
                version = self._tables.forget(tenant, until, number)
            self._show(version, forgotten=(tenant, until))

    def _show(
        self,
        version: int | None,
        rows: Sequence[Row] = (),
        forgotten: tuple[str, int] | None = None,
        more: Callable[[SqliteTransaction], None] | None = None,
    ) -> None:
        """Step 3, when every file of the version is durable; with `more` that belongs to it."""
        kept: list[Kept] = []
        if version is not None:
            known = self._see(lambda snapshot: snapshot.db.rows("SELECT path FROM cold_file"))
            kept = self._tables.secure(version, {path for (path,) in known})
            there = {name for _, name in self._tables.local_files(version)}
            gone = [row for row in known if row[0] not in there]

        def work(tx: SqliteTransaction) -> None:
            if version is not None:
                tx.db.change_many("DELETE FROM cold_file WHERE path = ?", gone)
                tx.db.change_many("INSERT OR REPLACE INTO cold_file VALUES (?, ?, ?)", kept)
            publish(tx, version, rows, forgotten)
            if more is not None:
                more(tx)

        self._do(work)

    def _see(self, work: Callable[[TablesSnapshot], T]) -> T:
        self._go_on()
        with self._store.snapshot() as snapshot:
            return work(cast(TablesSnapshot, snapshot))

    def _go_on(self) -> None:
        if self._closing.is_set():
            raise StoreFailed("the cold history is not changed: the store is closing")

    def _watched(self, frames: Iterator[polars.DataFrame]) -> Iterator[polars.DataFrame]:
        for frame in frames:
            self._go_on()
            yield frame

    def _do(self, work: Callable[[SqliteTransaction], T]) -> T:
        return self._store.submit(lambda tx: work(cast(SqliteTransaction, tx))).result()


def begin(tx: SqliteTransaction, reach: int | None) -> int:
    """Says that a change is under way, of instances older than `reach`; its number."""
    tx.db.run(
        "UPDATE cold SET number = number + 1, moving = 1, reach = max(reach, coalesce(?, reach))",
        (reach,),
    )
    return tx.tiers.cold.state().number


def publish(
    tx: SqliteTransaction,
    version: int | None,
    rows: Sequence[Row],
    forgotten: tuple[str, int] | None = None,
) -> None:
    """Step 3: `version` (None: the same) is seen; `rows` are in it, a `forgotten` tenant is not."""
    tx.db.run("UPDATE cold SET version = coalesce(?, version), moving = 0", (version,))
    if forgotten is not None:  # as it was forgotten then: once more meanwhile, and it goes once more
        tx.db.run("DELETE FROM cold_forgotten WHERE tenant = ? AND number = ?", forgotten)
    if not rows:
        return
    told = (tx.tiers.cold.state().number,)
    gone = {row[:6] for row in tx.db.rows("SELECT * FROM cold_gone WHERE number = ?", told)}
    cuts = tx.db.rows("SELECT * FROM cold_cut WHERE number = ?", told)
    if gone or cuts:
        rows = [row for row in rows if not (row[:6] in gone or _is_cut(row, cuts))]
    connection = cast(SqliteSession, tx.db).connection
    before = connection.total_changes()
    connection.executemany(
        "DELETE FROM instance WHERE incarnation = ? AND name = ? AND time = ? AND origin = ? AND tie = ?"
        " AND dataset = ?",
        (row[:6] for row in rows),
    )
    if connection.total_changes() - before != len(rows):
        raise AssertionError("what moved to the cold history was changed meanwhile, and nobody told of it")
    _count(tx, rows)


def _count(tx: SqliteTransaction, rows: Sequence[Row]) -> None:
    observed = {
        number: shape.observed and not shape.deleted
        for number in {row.shape for row in rows}
        for shape in (shape_of(tx.db.shapes.key(number)),)
    }
    series: dict[tuple[int, int, int], list[int]] = {}
    for row in rows:
        told = series.setdefault((row.incarnation, row.name, row.dataset), [row.time, row.time, 0, 0])
        told[0], told[1] = min(told[0], row.time), max(told[1], row.time)
        told[2] += 1
        told[3] += observed[row.shape]
    count_series(tx, [(*key, *told) for key, told in series.items()])


def count_series(tx: SqliteTransaction, series: Sequence[Sequence[int]]) -> None:
    """Counts what the tables hold more: incarnation, name, dataset, first, last, count, observed of each."""
    tx.db.change_many(
        "INSERT INTO cold_series VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " first = min(first, excluded.first), last = max(last, excluded.last),"
        " count = count + excluded.count, observed = observed + excluded.observed",
        series,
    )


def _is_cut(row: Row, cuts: Sequence[tuple[int, int, int, int, int]]) -> bool:
    return any(
        row.incarnation == life and row.name == name and dataset in (-1, row.dataset) and row.time < before
        for life, name, dataset, before, _ in cuts
    )
