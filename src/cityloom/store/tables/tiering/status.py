"""What an operator asks of the cold history: how much there is, in what files, and which to back up."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from msgspec import Struct

from cityloom.store.cold.files import Kept
from cityloom.store.cold.hidden import visible
from cityloom.store.cold.tables import Part
from cityloom.store.ports import Snapshot
from cityloom.store.tables.snapshot import TablesSnapshot


class Month(Struct, frozen=True, kw_only=True):
    """What the tables hold of one month of a tenant."""

    month: str
    tenant: str
    files: int
    rows: int
    bytes: int


class ColdStatus(Struct, frozen=True, kw_only=True):
    """The cold history of a city; `hidden`: deletions and corrections that are not in the files yet."""

    version: int | None
    reach: int
    instances: int
    hidden: int
    months: list[Month]


def cold_status(snapshot: Snapshot) -> ColdStatus:
    """What a snapshot sees of the tables. Cost: a read of their log."""
    reader = cast(TablesSnapshot, snapshot)
    cold = reader.tiers.cold
    state = cold.state()
    months: dict[tuple[str, str], list[int]] = {}
    if state.version is not None:
        for part in cold.tables.files(state.version):
            told = months.setdefault((part.month, part.tenant or ""), [0, 0, 0])
            told[0] += 1
            told[1] += part.rows
            told[2] += part.bytes
    value = reader.db.value
    return ColdStatus(
        version=state.version,
        reach=state.reach,
        instances=value("SELECT CAST(coalesce(sum(count), 0) AS bigint) FROM cold_series"),
        hidden=value("SELECT (SELECT count(*) FROM cold_gone) + (SELECT count(*) FROM cold_cut)"),
        months=[
            Month(month=month, tenant=tenant, files=files, rows=rows, bytes=size)
            for (month, tenant), (files, rows, size) in sorted(months.items())
        ],
    )


def count_cold(snapshot: Snapshot) -> int:
    """How many instances a snapshot finds in the tables. Cost: a read of them, month by month.

    Raises:
        StoreFailed: they cannot be read.
    """
    import polars as pl

    cold = cast(TablesSnapshot, snapshot).tiers.cold
    version = cold.state().version
    months: dict[tuple[str | None, str], list[Part]] = {}
    for part in cold.tables.files(version) if version is not None else ():
        months.setdefault((part.tenant, part.month), []).append(part)
    hidden, count = cold.hidden(), 0
    for parts in months.values():
        rows = cold.scan(parts)
        if rows is not None:
            count += int(cold.collect(visible(rows, hidden).select(pl.len())).item())
    return count


def cold_files(snapshot: Snapshot) -> list[tuple[Path, str]]:
    """The files that a backup of this snapshot needs besides the store's own, and their names in it.

    None where the tables are in object storage: they are not copied.
    """
    cold = cast(TablesSnapshot, snapshot).tiers.cold
    version = cold.state().version
    return [] if version is None else cold.tables.local_files(version)


def kept_files(snapshot: Snapshot) -> list[Kept]:
    """The files of the tables as they were when they were made durable; none in object storage."""
    reader = cast(TablesSnapshot, snapshot)
    return [Kept(*row) for row in reader.db.rows("SELECT path, size, digest FROM cold_file ORDER BY path")]
