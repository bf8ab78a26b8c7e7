"""The columns of the table of instances: what stands in the files, for whoever opens them.

`docs/history.md` is checked against `COLUMNS`. Changing a column's meaning makes
old files lie: columns are added, never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

if TYPE_CHECKING:
    import polars

ROW_GROUP: Final = 65_536
"""Rows that a reader of one entity takes at least: a year of a sensor lies in one or two a month."""


class Column(Struct, frozen=True):
    """One column: `type` as Delta Lake calls it; `packed`: differences are small, the values are not."""

    name: str
    type: str
    meaning: str
    packed: bool = False


COLUMNS: Final = (
    Column("tenant", "string", "the tenant; null: the default one (partition)"),
    Column("month", "string", "year and month of `time`, as `2026-05` (partition)"),
    Column("type", "string", "the entity's first type when the instance moved (IRI)"),
    Column("attribute", "string", "the attribute's name (IRI)"),
    Column("entityId", "string", "the entity's id"),
    Column("incarnation", "long", "which life of the entity: one made again has another"),
    Column("time", "timestamp", "observedAt, or else the time of writing", packed=True),
    Column("observed", "boolean", "whether `time` is observedAt"),
    Column("datasetId", "string", "the datasetId; null: the default instance"),
    Column("kind", "string", "Property, Relationship, GeoProperty, ..."),
    Column("number", "double", "the value, where it is a number"),
    Column("whole", "boolean", "whether `number` was written as an integer"),
    Column("json", "string", "the value as JSON, where `number` does not hold it exactly"),
    Column("unitCode", "string", "unitCode"),
    Column("valueType", "string", "valueType"),
    Column("objectType", "string", "objectType, a JSON list"),
    Column(
        "deleted", "boolean", "whether the instance is a deletion: a value beside it is the one that went"
    ),
    Column("createdAt", "timestamp", "createdAt; null: as modifiedAt", packed=True),
    Column("modifiedAt", "timestamp", "modifiedAt", packed=True),
    Column("event", "long", "the number of the event that wrote it", packed=True),
    Column("source", "string", "the source, where the instance's id tells it"),
    Column("idEvent", "long", "the event in the instance's id, where it is another than `event`"),
    Column("tie", "long", "the last number in the instance's id"),
    Column("instanceId", "string", "the instance's id, where it does not follow from the other columns"),
    Column("occurrence", "integer", "how many of its source have the same time and stand before it"),
    Column("row", "long", "the row in the source's file"),
    Column("more", "string", "what fits in no column, as JSON: sub-attributes, times as they were written"),
    Column("change", "long", "the number of the change of these tables that wrote it"),
)
PARTITIONS: Final = ("tenant", "month")
ORDER: Final = ("type", "attribute", "entityId", "incarnation", "time", "event", "tie")
"""How the rows of a file stand."""


def frame_schema() -> dict[str, Any]:
    """The columns for Polars."""
    import polars as pl

    types: dict[str, Any] = {
        "string": pl.String,
        "long": pl.Int64,
        "integer": pl.Int32,
        "double": pl.Float64,
        "boolean": pl.Boolean,
        "timestamp": pl.Datetime("us", "UTC"),
    }
    return {column.name: types[column.type] for column in COLUMNS}


def frame_of(columns: dict[str, list[Any]]) -> polars.DataFrame:
    """The rows that lists of values hold (times in microseconds), in the order of the files."""
    import polars as pl

    schema = frame_schema()
    series = [
        pl.Series(name, columns[name], dtype=pl.Int64 if isinstance(type, pl.Datetime) else type).cast(type)
        for name, type in schema.items()
    ]
    return pl.DataFrame(series).sort(ORDER)
