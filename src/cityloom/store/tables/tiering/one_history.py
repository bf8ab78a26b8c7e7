"""History as one table for analysis: the rows of both tiers, with the columns of the cold tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

import msgspec

from cityloom.store.cold.hidden import visible
from cityloom.store.ports import Snapshot
from cityloom.store.tables.history.cold_rows import Columns, Owner, moment
from cityloom.store.tables.snapshot import TablesSnapshot

if TYPE_CHECKING:
    import polars


_CURRENT: Final = "SELECT row, id FROM entity_type WHERE tenant = ? AND type = ?"
_PAST: Final = (
    "SELECT t.incarnation, t.id FROM history_type t WHERE t.tenant = ? AND t.type = ?"
    " AND NOT EXISTS (SELECT 1 FROM entity e WHERE e.tenant = t.tenant AND e.id = t.id)"
    " AND NOT EXISTS (SELECT 1 FROM history_entity h"
    " WHERE h.tenant = t.tenant AND h.id = t.id AND h.incarnation > t.incarnation)"
)


def one_history(
    snapshot: Snapshot, tenant: str, type: str, names: Sequence[str], start: int, end: int
) -> polars.LazyFrame:
    """The instances of the entities of a type with start <= time < end, wherever they are.

    An entity that only history knows (deleted, or never made current) is among them with its latest life,
    as in a temporal query.

    Args:
        type: expanded; so are the names.
        names: attributes.
        start: microseconds; of observedAt, or else of the time of writing.

    Returns:
        Rows as `cold.schema.COLUMNS` says, without order and without `tenant` and `month`. To be
        collected before the snapshot ends.

    Cost: now, a read of the hot rows and a walk of the series in the cold tables; when collected, a
    scan of the months.
    """
    import polars as pl

    reader = cast(TablesSnapshot, snapshot)
    db, tiers = reader.db, reader.tiers
    asked_for = db.tenants.find(tenant), db.names.find(type)
    lives = {life: entity_id for sql in (_CURRENT, _PAST) for life, entity_id in db.rows(sql, asked_for)}
    numbers = {number: name for name in names if (number := db.names.find(name)) is not None}
    hot = Columns(db, reader.origins_of, 0)
    for life, entity_id in lives.items():
        owner = Owner(tenant, type, entity_id, life, "")
        for number, name in numbers.items():
            for row in tiers.hot.rows(life, number, start=start, end=end):
                hot.add(msgspec.structs.replace(owner, attribute=name), row)
    parts = [hot.frame().lazy().drop("tenant", "month")]
    files = [part for parts in tiers.cold.months(tenant, start, end) for part in parts]
    rows = tiers.cold.scan(files) if files and numbers else None
    if rows is not None:
        marks = ", ".join(map(str, numbers))
        there = db.rows(f"SELECT DISTINCT incarnation FROM cold_series WHERE name IN ({marks})")
        asked = rows.filter(
            pl.col("attribute").is_in(list(numbers.values())),
            pl.col("time") >= moment(start),
            pl.col("time") < moment(end),
        )
        if any(life not in lives for (life,) in there):  # or else whoever has these attributes is meant
            mine = pl.LazyFrame({"incarnation": list(lives)}, {"incarnation": pl.Int64})
            asked = asked.join(mine, on="incarnation", how="semi")
        parts.append(visible(asked, tiers.cold.hidden(f"name IN ({marks})")))
    return pl.concat(parts)


def collected(snapshot: Snapshot, rows: polars.LazyFrame) -> polars.DataFrame:
    """The rows that `one_history` of this snapshot gives.

    Raises:
        StoreFailed: the cold tables cannot be read; a file that is missing is named.
    """
    return cast(TablesSnapshot, snapshot).tiers.cold.collect(rows)
