"""Moving history to the cold tables, and keeping these in order; `cold_changes` has the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import Struct

from cityloom.model.entity import decode_entity
from cityloom.store.cold.hidden import Hidden, visible
from cityloom.store.cold.schema import COLUMNS, ORDER
from cityloom.store.cold.tables import Part
from cityloom.store.ports import Store
from cityloom.store.tables.history.codec import Row
from cityloom.store.tables.history.cold_rows import Columns, Owner, month_after
from cityloom.store.tables.history.hot import Pair
from cityloom.store.tables.snapshot import TablesSnapshot, TablesTransaction
from cityloom.store.tables.tiering.imports import ColdImport

if TYPE_CHECKING:
    import polars

T = TypeVar("T")

AT_ONCE: Final = 200
"""Lives, or series, that one statement asks for."""
SHARE: Final = 20
"""As many times more rows stand in one file of a compacted month: what the memory bears at once."""

_decode_texts: Final = msgspec.json.Decoder(list[str]).decode


class Series(Struct, frozen=True):
    """An attribute of one life with old instances: whose it is, and when the oldest was."""

    owner: Owner
    name: int
    oldest: int

    @property
    def pair(self) -> Pair:
        """What tells it in the hot tier."""
        return self.owner.incarnation, self.name


class Mover(ColdImport):
    """Changes the cold tables."""

    def through(self, store: Store) -> Mover:
        """The same, with works that go through `store`, which is this one behind a fence."""
        twin = Mover(store, self._tables, self._most, self._other)
        twin._closing, twin._here = self._closing, self._here
        return twin

    def move(self, before: int, progress: Callable[[float], None] | None = None) -> int:
        """Moves the instances that are older than `before` (µs); how many.

        Raises:
            StoreFailed: the tables cannot be written; what moved before that has moved.
            ConfigurationError: the tables are another city's.

        Cost: a seek for each attribute of each entity, and for each month that it has, asked for some
        hundred at once; a commit for each step of a month.
        """
        with self._alone():
            left = self._see(lambda snapshot: sorted(_series(snapshot, before), key=_place))
            begin = min((one.oldest for one in left), default=before)
            count = 0
            while left:
                end = min(month_after(min(one.oldest for one in left)), before)
                month: Sequence[Series] = [one for one in left if one.oldest < end]
                while month:
                    moved, month = self._move_some(month, end)
                    count += moved
                left = self._see(partial(_later, series=left, end=end, before=before))
                if progress is not None:
                    progress((end - begin) / (before - begin))
            return count

    def _move_some(self, series: Sequence[Series], end: int) -> tuple[int, Sequence[Series]]:
        """Moves what one step bears of the instances with time < end; how many, and what is left."""
        change = self._begin(end)

        def gather(snapshot: TablesSnapshot) -> tuple[Columns, list[Row], Sequence[Series]]:
            rows, left = _older(snapshot, series, end, self._most)
            owners = {one.pair: one.owner for one in series}
            snapshot.origins_of.learn(row.event for row in rows if None in (row.modified, row.created))
            columns = Columns(snapshot.db, snapshot.origins_of, change.number)
            for row in rows:
                columns.add(owners[row.incarnation, row.name], row)
            return columns, rows, left

        columns, rows, left = self._see(gather)
        version = self._tables.append(columns.frame(), change) if rows else None
        self._show(change, version, rows)
        return len(rows), left

    def compact(self, few: int = 1, progress: Callable[[float], None] | None = None) -> int:
        """Writes months anew that are in more than `few` files, or of which instances went; how many.

        What was deleted is no longer in the files that readers see; `vacuum` removes the others.

        Cost: a read and a write of those months.
        """
        with self._alone():
            version = self._see(lambda snapshot: snapshot.tiers.cold.state().version)
            if version is None:
                return 0
            months: dict[tuple[str, str], list[Part]] = {}
            for part in self._tables.files(version):
                months.setdefault((part.tenant or "", part.month), []).append(part)
            # What goes from here on is told with this number or a later one, and stays told.
            first = self._begin(None)
            count = 0
            for done, (_, parts) in enumerate(sorted(months.items())):
                count += self._compact_month(parts, few)
                if progress is not None:
                    progress((done + 1) / len(months))
            self._show(self._begin(None), None, more=lambda tx: _forget_hidden(tx, first.number))
            return count

    def _compact_month(self, parts: list[Part], few: int) -> bool:
        hidden = self._see(lambda snapshot: snapshot.tiers.cold.hidden())
        rows = self._tables.scan(parts)
        if rows is None:
            return False
        count = sum(part.rows for part in parts)
        share = SHARE * self._most
        with self._tables.using("read"):
            if len(parts) <= max(few, -(-count // share)) and not _any_hidden(rows, hidden):
                return False
        # What is spoiled must not be written anew, as if it were what was kept.
        self._see(lambda snapshot: snapshot.tiers.cold.compare(parts, anew=True))
        change = self._begin(None)
        frames = _sorted(rows, hidden, parts[0], count, share)
        self._show(change, self._tables.replace(parts[0], self._watched(frames), change))
        return True

    def vacuum(self, keep_hours: int) -> int:
        """Removes the files that readers have not seen for `keep_hours`; how many.

        A backup of the city's file that is older needs them: it can no longer be restored.
        """
        with self._alone():
            if self._tables.latest() is None:
                return 0
            change = self._begin(None)
            gone, version = self._tables.vacuum(keep_hours, change)
            self._show(change, version)
            return gone


def _forget_hidden(tx: TablesTransaction, number: int) -> None:
    """What was told before change `number` is in no table any more."""
    tx.db.run("DELETE FROM cold_gone WHERE number < ?", (number,))
    tx.db.run("DELETE FROM cold_cut WHERE number < ?", (number,))


def _any_hidden(rows: polars.LazyFrame, hidden: Hidden) -> bool:
    """Whether some of the rows are there no more."""
    import polars as pl

    if not hidden:
        return False
    lives = {*(gone.incarnation for gone in hidden.gone), *(cut.incarnation for cut in hidden.cuts)}
    involved = rows.filter(pl.col("incarnation").is_in(list(lives))).collect().lazy()
    return bool(
        (involved.select(pl.len()).collect() != visible(involved, hidden).select(pl.len()).collect()).item()
    )


def _series(snapshot: TablesSnapshot, before: int) -> Iterator[Series]:
    """The attributes of all lives that have hot instances older than `before`."""
    lives = "SELECT row, tenant, id, body FROM entity"
    for some in _chunks(snapshot.db.stream(lives)):
        yield from _old(snapshot, some, before, lambda body: decode_entity(body).types)
    lives = "SELECT incarnation, tenant, id, types FROM history_entity"
    for some in _chunks(snapshot.db.stream(lives)):
        yield from _old(snapshot, some, before, _decode_texts)


def _old(
    snapshot: TablesSnapshot,
    lives: Sequence[tuple[int, int, str, Any]],
    before: int,
    types_of: Callable[[Any], Sequence[str]],
) -> Iterator[Series]:
    """Those of some lives, each with its tenant, id and what tells its types."""
    key = snapshot.db.names.key
    owners: dict[int, Owner] = {}
    told = {life: rest for life, *rest in lives}
    for life, name, oldest in snapshot.tiers.hot.series(list(told), before):
        owner = owners.get(life)
        if owner is None:
            tenant, entity_id, stored = told[life]
            types = types_of(stored)
            owner = owners[life] = Owner(
                snapshot.db.tenants.key(tenant), types[0] if types else "", entity_id, life, ""
            )
        yield Series(msgspec.structs.replace(owner, attribute=key(name)), name, oldest)


def _older(
    snapshot: TablesSnapshot, series: Sequence[Series], end: int, most: int
) -> tuple[list[Row], Sequence[Series]]:
    """At the most so many rows with time < end, and the series that may have more."""
    rows: list[Row] = []
    for start in range(0, len(series), AT_ONCE):
        some = [one.pair for one in series[start : start + AT_ONCE]]
        rows += islice(snapshot.tiers.hot.older(some, end), most - len(rows))
        if len(rows) == most:
            return rows, series[start:]
    return rows, ()


def _chunks(rows: Iterator[T]) -> Iterator[list[T]]:
    while some := list(islice(rows, AT_ONCE)):
        yield some


def _place(series: Series) -> tuple[Any, ...]:
    """Where a series stands in the files."""
    owner = series.owner
    return owner.tenant, owner.type, owner.attribute, owner.entity_id, owner.incarnation


def _later(snapshot: TablesSnapshot, series: Sequence[Series], end: int, before: int) -> list[Series]:
    """The series that have instances with end <= time < before, and when the oldest of these was."""
    found = [one for one in series if one.oldest >= end]
    done = [one for one in series if one.oldest < end]
    for start in range(0, len(done), AT_ONCE):
        some = done[start : start + AT_ONCE]
        firsts = snapshot.tiers.hot.firsts([one.pair for one in some], end, before)
        found += [msgspec.structs.replace(one, oldest=firsts[one.pair]) for one in some if one.pair in firsts]
    return sorted(found, key=_place)


def _sorted(
    rows: polars.LazyFrame, hidden: Hidden, part: Part, count: int, most: int
) -> Iterator[polars.DataFrame]:
    """What is left of the rows of a month, in the order of the files, in frames that the memory bears."""
    import polars as pl

    partition = (pl.lit(part.tenant, pl.String).alias("tenant"), pl.lit(part.month).alias("month"))
    columns = [column.name for column in COLUMNS]
    for some in _shares(rows, count, most):
        yield visible(some, hidden).with_columns(*partition).select(columns).sort(ORDER).collect()


def _shares(rows: polars.LazyFrame, count: int, most: int) -> Iterator[polars.LazyFrame]:
    """Rows in parts of about `most`, by what they are sorted by."""
    import polars as pl

    if count <= most:
        yield rows
        return
    place = ["type", "attribute", "entityId"]
    sizes = rows.group_by(place).len().sort(place).collect()
    share = (sizes["len"].cum_sum() - 1) // most
    for keys in sizes.with_columns(share=share).partition_by("share"):
        low, high = keys.select(pl.all().min()), keys.select(pl.all().max())
        # The bounds let whole row groups be left out; the keys are what is meant.
        near = (pl.col(name).is_between(pl.lit(low[name][0]), pl.lit(high[name][0])) for name in place)
        yield rows.filter(*near).join(keys.lazy().select(place), on=place, how="semi")
