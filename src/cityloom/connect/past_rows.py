"""Rows of a file of the past: their order, which number of its stamp each is, and instances of a few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cityloom.model.entity import Attribute
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime

if TYPE_CHECKING:
    import polars

PLACE: Final = ("attribute", "entityId")
"""What rows are sorted by first, as they are in the tables but for the type."""
_APPENDED: Final = 5_000
"""Instances that are made at once."""


def counted(rows: polars.LazyFrame) -> polars.DataFrame:
    """The rows in order, with `occurrence`: how many of their series have the same time and come before.

    Args:
        rows: with `place`, the number of the place.
    """
    import polars as pl

    found = rows.sort("place", "datasetId", "time", "row").collect()
    series = ("place", "datasetId", "time")
    again = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in series)
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    first = pl.when(~again.fill_null(False)).then(place).forward_fill()
    return found.with_columns(occurrence=place - first).drop("place")


def appends_of(rows: polars.DataFrame, scopes: Sequence[str] = ()) -> Iterator[list[HistoryAppend]]:
    """The instances that rows hold, by entity, in calls of a bounded size."""
    for start in range(0, rows.height, _APPENDED):
        some = rows.slice(start, _APPENDED)
        by_entity: dict[str, tuple[list[str], list[Instance]]] = {}
        for row in some.iter_rows(named=True):
            types, instances = by_entity.setdefault(row["entityId"], ([], []))
            if row["type"] is not None and not types:
                types.append(row["type"])
            instances.append(_instance(row))
        yield [
            HistoryAppend(entity_id=entity_id, types=types, instances=instances, scopes=list(scopes))
            for entity_id, (types, instances) in by_entity.items()
        ]


def _instance(row: dict[str, Any]) -> Instance:
    value: Any = row["number"]
    if row["json"] is not None:
        value = msgspec.json.decode(row["json"])
    elif row["whole"]:
        value = int(value)
    attribute = Attribute(
        kind="Property",
        value=value,
        observed_at=format_datetime(row["time"]),
        dataset_id=row["datasetId"] or "",
        unit_code=row["unitCode"],
    )
    return Instance(name=row["attribute"], attribute=attribute, occurrence=row["occurrence"], row=row["row"])
