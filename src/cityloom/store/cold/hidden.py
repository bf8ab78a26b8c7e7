"""What of the tables is there no more: instances and series that went after they had moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import polars

KEY = ("incarnation", "attribute", "time", "datasetId", "source", "idEvent", "tie")
"""What tells an instance; `idEvent` here also where it is the event that wrote it."""


class Gone(NamedTuple):
    """One instance, of those written by change `number` or before."""

    incarnation: int
    attribute: str
    time: int
    dataset_id: str | None
    source: str | None
    id_event: int | None
    tie: int
    number: int


class Cut(NamedTuple):
    """A series (of one dataset or of `every`) before a time, as far as change `number` or before wrote it."""

    incarnation: int
    attribute: str
    every: bool
    dataset_id: str | None
    before: int
    number: int


class Hidden(NamedTuple):
    """All that went."""

    gone: list[Gone]
    cuts: list[Cut]

    def __bool__(self) -> bool:
        return bool(self.gone or self.cuts)


def visible(rows: polars.LazyFrame, hidden: Hidden) -> polars.LazyFrame:
    """Leaves out what is hidden. The rows have the columns of the table."""
    import polars as pl

    if not hidden:
        return rows
    time = pl.Datetime("us", "UTC")
    kept = rows.with_columns(
        _event=pl.when(pl.col("source").is_null() & pl.col("instanceId").is_null()).then(
            pl.coalesce("idEvent", "event")
        )
    ).with_row_index("_index")
    if hidden.gone:
        gone = _frame(hidden.gone, (*KEY, "_number"), {"time": time})
        mine = [name if name != "idEvent" else "_event" for name in KEY]
        found = kept.join(gone, left_on=mine, right_on=list(KEY), how="inner", nulls_equal=True)
        found = found.filter(pl.col("change") <= pl.col("_number"))
        kept = kept.join(found.select("_index"), on="_index", how="anti")
    if hidden.cuts:
        names = ("incarnation", "attribute", "_every", "_dataset", "_before", "_number")
        cuts = _frame(hidden.cuts, names, {"_before": pl.Int64})
        found = kept.join(cuts, on=["incarnation", "attribute"], how="inner").filter(
            pl.col("_every") | pl.col("datasetId").eq_missing(pl.col("_dataset")),
            pl.col("time").cast(pl.Int64) < pl.col("_before"),
            pl.col("change") <= pl.col("_number"),
        )
        kept = kept.join(found.select(pl.col("_index").unique()), on="_index", how="anti")
    return kept.drop("_index", "_event")


def _frame(rows: list[Any], names: tuple[str, ...], types: dict[str, Any]) -> polars.LazyFrame:
    import polars as pl

    texts = {"attribute", "datasetId", "source", "_dataset"}
    schema: dict[str, Any] = {
        name: pl.String if name in texts else pl.Boolean if name == "_every" else pl.Int64 for name in names
    }
    return pl.LazyFrame(rows, schema=schema, orient="row").with_columns(
        *(pl.col(name).cast(type) for name, type in types.items())
    )
