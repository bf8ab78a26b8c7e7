"""One change of the cold tables at a time, in steps of which each may be the last.

1. The database says that a change of the tables is under way (`cold.moving`), and gives it a number.
2. The change is committed to the tables and made durable: a power cut must not take from them what goes
   from the database. Nobody reads it yet: readers see the version in the database.
3. In one transaction of the database that version becomes the one to see, and what moved goes from
   `instance`.

Whoever is killed before 3 has changed nothing: the next change begins by making
the tables again what they were. What is deleted or replaced between 1 and 3 is
marked in the database, and neither goes from `instance` in 3 nor comes with the tables.

Whoever is taken for dead and goes on changes nothing either: 2 fails when anybody has committed to
the tables since 1, and 3 when anybody has taken step 1 since.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, TypeVar, cast

import structlog
from msgspec.structs import replace

from cityloom.model.errors import StoreFailed
from cityloom.store.cold.files import Kept
from cityloom.store.cold.tables import Change, ColdTables
from cityloom.store.ports import Store
from cityloom.store.tables.history.codec import Row, shape_of
from cityloom.store.tables.history.cold import ColdState
from cityloom.store.tables.snapshot import TablesSnapshot, TablesTransaction

if TYPE_CHECKING:
    import polars

T = TypeVar("T")

_OTHERS: Final = "the cold history is not changed: another process has changed it meanwhile"
MOST: Final = 50_000
"""Instances of one step: the writer is held up for as long as it takes to delete them."""

_KEPT: Final = (
    "INSERT INTO cold_file (path, size, digest) VALUES (?, ?, ?)"
    " ON CONFLICT (path) DO UPDATE SET size = excluded.size, digest = excluded.digest"
)
_SERIES: Final = (
    "INSERT INTO cold_series (incarnation, name, dataset, first, last, count, observed)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (incarnation, name, dataset) DO UPDATE SET"
    " first = CASE WHEN excluded.first < cold_series.first THEN excluded.first ELSE cold_series.first END,"
    " last = CASE WHEN excluded.last > cold_series.last THEN excluded.last ELSE cold_series.last END,"
    " count = cold_series.count + excluded.count, observed = cold_series.observed + excluded.observed"
)
_MOVED: Final = (
    "DELETE FROM instance"
    " WHERE incarnation = ? AND name = ? AND time = ? AND origin = ? AND tie = ? AND dataset = ?"
)

_log = structlog.get_logger("cold")


class ColdChanges:
    """Takes the steps: one thing at a time, whoever asks.

    Args:
        store: of which the database says what counts.
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
        self._other: AbstractContextManager[object] = nullcontext() if alone is None else alone
        self._here = threading.Lock()
        self._closing = threading.Event()
        self._base: int | None = None
        """The version that counts, as far as is known here."""

    @property
    def trouble(self) -> str:
        """Why the tables could not be read when they were asked last; "" when they could."""
        return self._tables.trouble

    def close(self) -> None:
        """Ends what is under way, before or after its step; nothing can be begun any more."""
        self._closing.set()
        with self._here:
            pass

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Within it nobody else changes the tables, and they are what the database says."""
        with self._here:
            self._go_on()
            with self._other:
                self._recover()
                yield

    # -- the steps ---------------------------------------------------------------

    def _begin(self, reach: int | None) -> Change:
        """Step 1, of instances older than `reach`.

        Raises:
            StoreFailed: somebody else has changed the tables since `_recover`.
        """
        return self._do(lambda tx: begin(tx, reach, self._base))

    def _recover(self) -> None:
        """Makes the tables again what the database says, when a change did not come to its end.

        And then takes out the tenants that were forgotten.

        Raises:
            HistoryUnreachable: they cannot be read, or are not where they were said to be.
        """
        state: ColdState = self._see(lambda snapshot: snapshot.tiers.cold.state())
        self._base = state.version
        try:
            latest = self._tables.latest()
        except StoreFailed as error:
            if not state.moving:
                raise
            _log.warning("a change of the cold history was cut off", reason=error.detail)
            self._begin(None)  # whoever has begun it does not end it any more
            self._tables.drop_after(-1 if state.version is None else state.version)
            latest = self._tables.latest()
        self._tables.check(state.version, latest)
        if latest is None or latest == (state.version or 0):
            if state.moving:
                self._show(self._begin(None), None)
        else:
            _log.warning("a change of the cold history is undone", version=latest, back_to=state.version)
            change = replace(self._begin(None), base=latest)
            self._show(change, self._tables.restore(state.version or 0, change))
        self._forget_tenants()

    def _forget_tenants(self) -> None:
        """Takes out what the tables hold of tenants that were forgotten."""
        sql = "SELECT tenant, number FROM cold_forgotten"
        for tenant, until in self._see(lambda snapshot: snapshot.db.rows(sql)):
            change = self._begin(None)
            version = None
            if self._tables.latest() is not None:
                version = self._tables.forget(tenant, until, change)
            self._show(change, version, forgotten=(tenant, until))

    def _show(
        self,
        change: Change,
        version: int | None,
        rows: Sequence[Row] = (),
        forgotten: tuple[str, int] | None = None,
        more: Callable[[TablesTransaction], None] | None = None,
    ) -> None:
        """Step 3, when every file of the version is durable; with `more` that belongs to it.

        Raises:
            StoreFailed: somebody else has begun a change meanwhile.
        """
        kept: list[Kept] = []
        if version is not None:
            known = self._see(lambda snapshot: snapshot.db.rows("SELECT path FROM cold_file"))
            kept = self._tables.secure(version, {path for (path,) in known})
            there = {name for _, name in self._tables.local_files(version)}
            gone = [row for row in known if row[0] not in there]

        def work(tx: TablesTransaction) -> None:
            publish(tx, change, version, rows, forgotten)
            if version is not None:
                tx.db.change_many("DELETE FROM cold_file WHERE path = ?", gone)
                tx.db.change_many(_KEPT, kept)
            if more is not None:
                more(tx)

        try:
            self._do(work)
        except StoreFailed:
            self._tables.look_again()
            raise
        if version is not None:
            self._base = version

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

    def _do(self, work: Callable[[TablesTransaction], T]) -> T:
        return self._store.submit(lambda tx: work(cast(TablesTransaction, tx))).result()


def begin(tx: TablesTransaction, reach: int | None, base: int | None) -> Change:
    """Says that a change is under way, of instances older than `reach`, where `base` counts.

    Raises:
        StoreFailed: it does not.
    """
    if tx.tiers.cold.state().version != base:
        raise StoreFailed(_OTHERS)
    tx.db.run("UPDATE cold SET number = number + 1, moving = 1")
    if reach is not None:
        tx.db.run("UPDATE cold SET reach = ? WHERE reach < ?", (reach, reach))
    return Change(tx.tiers.cold.state().number, base)


def publish(
    tx: TablesTransaction,
    change: Change,
    version: int | None,
    rows: Sequence[Row],
    forgotten: tuple[str, int] | None = None,
) -> None:
    """Step 3: `version` (None: the same) is seen; `rows` are in it, a `forgotten` tenant is not.

    Raises:
        StoreFailed: the change is not the last that was begun.
    """
    state = tx.tiers.cold.state()
    if (state.number, state.moving) != (change.number, True):
        raise StoreFailed(_OTHERS)
    tx.db.run("UPDATE cold SET moving = 0")
    if version is not None:
        tx.db.run("UPDATE cold SET version = ?", (version,))
        tx.db.nothing_moved = None
    if forgotten is not None:  # as it was forgotten then: once more meanwhile, and it goes once more
        tx.db.run("DELETE FROM cold_forgotten WHERE tenant = ? AND number = ?", forgotten)
    if not rows:
        return
    told = (change.number,)
    gone = {row[:6] for row in tx.db.rows("SELECT * FROM cold_gone WHERE number = ?", told)}
    cuts = tx.db.rows("SELECT * FROM cold_cut WHERE number = ?", told)
    if gone or cuts:
        rows = [row for row in rows if not (row[:6] in gone or _is_cut(row, cuts))]
    if tx.db.run_many(_MOVED, [row[:6] for row in rows]) != len(rows):
        raise AssertionError("what moved to the cold history was changed meanwhile, and nobody told of it")
    _count(tx, rows)


def _count(tx: TablesTransaction, rows: Sequence[Row]) -> None:
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


def count_series(tx: TablesTransaction, series: Sequence[Sequence[int]]) -> None:
    """Counts what the tables hold more: incarnation, name, dataset, first, last, count, observed of each."""
    tx.db.run_many(_SERIES, series)


def _is_cut(row: Row, cuts: Sequence[tuple[int, int, int, int, int]]) -> bool:
    return any(
        row.incarnation == life and row.name == name and dataset in (-1, row.dataset) and row.time < before
        for life, name, dataset, before, _ in cuts
    )
