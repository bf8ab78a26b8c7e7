"""A source's own file, read by its mapping in columns, for the mappings that are plain enough for that.

A row of such a file has a stamp and several values; it becomes a row an instance. What is right and what
is wrong with a row is as `RowBuilder` has it; what a mapping can say beyond it is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cityloom.connect.cells import linear
from cityloom.connect.mapping import AttributePart, Mapping
from cityloom.connect.past_csv import CsvRows, numbered
from cityloom.connect.past_file import READ, micros_of, naive_of, quoted, telling
from cityloom.connect.rejects import Reject
from cityloom.connect.template import Template, encode_part, plain_text
from cityloom.model.errors import ConfigurationError

if TYPE_CHECKING:
    import polars

_INTEGER: Final = r"^[+-]?[0-9]{1,18}$"
_OFFSET: Final = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
_HOUR: Final = 3_600_000_000


class MappedFile:
    """Reads one file of a mapped series.

    Args:
        mapping: of a CSV or Parquet file; a series of numbers and texts.
        expand: a name -> its IRI.
        name: what the file is called in reports.

    Raises:
        ConfigurationError: the mapping says what is not read in columns, or the file lacks a column.
    """

    def __init__(self, mapping: Mapping, path: Path, expand: Callable[[str], str], name: str = "") -> None:
        import polars as pl

        _refuse(mapping)
        self.path = path
        self.name = name or path.name
        self._mapping = mapping
        self._expand = expand
        self._id = Template(mapping.entity.id, uri=True)
        self._codes: dict[str, str] = {}
        self._twice: set[tuple[str, int]] = set()
        if not path.is_file():
            raise ConfigurationError(f"the file {path} does not exist")
        self._csv: CsvRows | None = None
        self._schema: dict[str, polars.DataType]
        if mapping.format == "csv":
            self._csv = CsvRows(path, self.name, mapping.delimiter)
            self._schema = {column: pl.String() for column in self._csv.columns}
        else:
            with telling(path):
                self._scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
                self._schema = dict(self._scan.collect_schema())
                self._count: int = self._scan.select(pl.len()).collect().item()
        for column in mapping.columns():
            if column not in self._schema:
                raise ConfigurationError(f"the file {path} is invalid: column {column} is required")

    @property
    def rows(self) -> int:
        """How many there are; of a CSV file that is read row by row about so many until it was."""
        return self._csv.rows if self._csv is not None else self._count

    def batches(self) -> Iterator[tuple[polars.DataFrame, list[Reject]]]:
        """Rows an instance with the columns `READ`, and the rows of the file that are wrong.

        Raises:
            ConfigurationError: the file cannot be read to its end.
        """
        columns = self._mapping.columns()
        frames = (
            self._csv.frames("_row")
            if self._csv is not None
            else numbered(self._scan.select(columns), "_row")
        )
        with telling(self.path):
            for frame, unreadable in frames:
                rows, wrong = self._read(frame.select("_row", *columns))
                yield rows, unreadable + wrong

    def reject(self, row: dict[str, Any], reason: str) -> Reject:
        """The line of a reject file for a row of which these columns are known."""
        raw = {name: value for name, value in row.items() if name not in ("row", "_row")}
        number = row["row"] if "row" in row else row["_row"]
        return Reject(file=self.name, row=number, reason=reason, field="", detail=reason, raw=raw)

    def _read(self, frame: polars.DataFrame) -> tuple[polars.DataFrame, list[Reject]]:
        import polars as pl

        mapping = self._mapping
        stamp = mapping.observed_at or ""
        told = frame.with_columns(_id=self._ids(frame), _micros=self._micros())
        told = self._second_readings(told)
        parts = [part for part in mapping.attributes.values() if not part.constant]
        wrong: list[tuple[polars.Expr, str]] = [
            (_empty(column), "required value missing") for column in mapping.require
        ]
        wrong += [(pl.col("_id").is_null(), "no id"), (_empty(stamp), "no time")]
        wrong.append((pl.col("_micros").is_null(), "invalid time"))
        frames = []
        for number, (name, part) in enumerate(mapping.attributes.items()):
            if part.constant:
                continue
            told = told.with_columns(**_cells(part, self._schema[part.from_ or ""], mapping.empty, number))
            empty = pl.col(f"_empty{number}")
            missing = pl.col(f"_number{number}").is_null() & pl.col(f"_json{number}").is_null()
            if not part.optional:
                wrong.append((empty, "required value missing"))
            wrong.append((~empty & missing, "not a number"))
            frames.append((part.attribute or name, part, number))
        reason: polars.Expr = pl.lit(None, pl.String)
        for condition, words in reversed(wrong):
            reason = pl.when(condition).then(pl.lit(words)).otherwise(reason)
        told = told.with_columns(_reason=reason)
        bad = told.filter(pl.col("_reason").is_not_null())
        rejects = [
            self.reject(row, why)
            for why, row in zip(
                bad["_reason"], bad.select("_row", *mapping.columns()).iter_rows(named=True), strict=True
            )
        ]
        right = told.filter(pl.col("_reason").is_null()) if bad.height else told
        assert parts
        return pl.concat([self._long(right, *one) for one in frames]).select(READ), rejects

    def _long(self, told: polars.DataFrame, name: str, part: AttributePart, number: int) -> polars.DataFrame:
        """The instances of one attribute."""
        import polars as pl

        return told.filter(~pl.col(f"_empty{number}")).select(
            row="_row",
            entityId="_id",
            type=pl.lit(self._expand(self._mapping.entity.types[0])),
            attribute=pl.lit(self._expand(name)),
            time="_micros",
            datasetId=pl.lit(part.dataset_id or None, pl.String),
            unitCode=pl.lit(part.unit_code, pl.String),
            number=f"_number{number}",
            whole=f"_whole{number}",
            json=f"_json{number}",
        )

    def _ids(self, frame: polars.DataFrame) -> polars.Expr:
        """The ids that the template makes, null where a part is empty."""
        import polars as pl

        pieces: list[polars.Expr] = []
        texts = self._id.pieces
        for index, text in enumerate(texts):
            if index % 2 == 0:
                pieces.append(pl.lit(text))
                continue
            for value in frame[text].unique():
                if (plain := plain_text(value)) and plain not in self._codes:
                    self._codes[plain] = encode_part(plain)
            column = pl.col(text)
            as_text = column.str.strip_chars() if self._schema[text] == pl.String else column.cast(pl.String)
            pieces.append(as_text.replace_strict(self._codes, default=None, return_dtype=pl.String))
        return pl.concat_str(pieces)

    def _micros(self) -> polars.Expr:
        """The stamps in microseconds; of an hour that occurs twice, its first reading."""
        import polars as pl

        mapping = self._mapping
        column = pl.col(mapping.observed_at or "")
        kind = self._schema[mapping.observed_at or ""]
        zone = mapping.time_zone
        if isinstance(kind, pl.Datetime):
            return micros_of(column) if kind.time_zone is not None else _local(column, zone)
        text = column.str.strip_chars()
        if mapping.stamp_format:
            return _local(text.str.to_datetime(mapping.stamp_format, strict=False, time_unit="us"), zone)
        absolute = text.str.replace(" ", "T", literal=True).str.to_datetime(
            "%+", time_unit="us", time_zone="UTC", strict=False
        )
        bare = naive_of(pl.when(~text.str.contains(_OFFSET)).then(text))
        return pl.coalesce(micros_of(absolute), _local(bare, zone))

    def _second_readings(self, told: polars.DataFrame) -> polars.DataFrame:
        """Of an hour that occurs twice, the second reading of an entity's stamp is an hour later."""
        import polars as pl

        if not self._mapping.time_zone:
            return told
        wall = (
            pl.from_epoch("_micros", "us")
            .dt.replace_time_zone("UTC")
            .dt.convert_time_zone(self._mapping.time_zone)
        )
        naive = wall.dt.replace_time_zone(None)
        latest = naive.dt.replace_time_zone(self._mapping.time_zone, ambiguous="latest", non_existent="null")
        shift = latest.dt.convert_time_zone("UTC").dt.epoch("us") - pl.col("_micros")
        odd = told.select("_row", "_id", "_micros", shift=shift).filter(pl.col("shift") > 0)
        if not odd.height:
            return told
        later = []
        for row, entity_id, micros, by in odd.iter_rows():
            if (entity_id, micros) in self._twice:
                later.append((row, micros + by))
            self._twice.add((entity_id, micros))
        second = pl.DataFrame(later, {"_row": pl.Int64, "_later": pl.Int64}, orient="row")
        joined = told.join(second, on="_row", how="left", maintain_order="left")
        return joined.with_columns(_micros=pl.coalesce("_later", "_micros")).drop("_later")


def _refuse(mapping: Mapping) -> None:
    """Raises ConfigurationError for what is not read in columns."""

    def refused(what: str) -> ConfigurationError:
        return ConfigurationError(
            f"the source {mapping.source} is not imported in columns: {what}; "
            "`cityloom import` reads it row by row"
        )

    if not mapping.series:
        raise refused("it is no series")
    if mapping.format not in ("csv", "parquet"):
        raise refused(f"its format is {mapping.format}")
    if mapping.encoding.lower() not in ("utf-8", "utf8"):
        raise refused(f"its encoding is {mapping.encoding}")
    if mapping.stamp_format in ("epoch", "epochMillis"):
        raise refused(f"its stampFormat is {mapping.stamp_format}")
    if len(mapping.entity.types) > 1:
        raise refused("its entities have several types")
    for name in ("geometry", "within", "personal"):
        if getattr(mapping, name):
            raise refused(f"it has {name}")
    for name, part in mapping.attributes.items():
        others = ("boolean", "datetime", "date", "vocab", "split", "map", "observed_at")
        if not part.constant and (part.from_ is None or any(getattr(part, other) for other in others)):
            raise refused(f"attribute {name} is more than a number or a text of a column")
    if all(part.constant for part in mapping.attributes.values()):
        raise refused("it has no attribute")


def _empty(column: str) -> polars.Expr:
    import polars as pl

    text = pl.col(column).cast(pl.String).str.strip_chars()
    return (
        text.is_null()
        | (text == "")
        | ((text == "NaN") & (pl.col(column).cast(pl.Float64, strict=False).is_nan()))
    )


def _cells(part: AttributePart, kind: Any, empty: list[Any], number: int) -> dict[str, polars.Expr]:
    """Whether each cell of an attribute is empty, and what stands in it, as the tables have it."""
    import polars as pl

    column = pl.col(part.from_ or "")
    nothing = [plain_text(value) for value in (*empty, *part.empty)]
    as_text = column.cast(pl.String).str.strip_chars()
    is_empty = column.is_null() | (as_text == "").fill_null(True)
    if kind.is_float():
        is_empty = is_empty | column.is_nan()
    if nothing:
        is_empty = is_empty | as_text.is_in(nothing)
    if kind == pl.String and not part.number:
        found: dict[str, polars.Expr] = {
            "number": pl.lit(None, pl.Float64),
            "whole": pl.lit(False),
            "json": quoted(as_text),
        }
    else:
        whole = as_text.str.contains(_INTEGER) if kind == pl.String else pl.lit(kind.is_integer())
        value = as_text.cast(pl.Float64, strict=False) if kind == pl.String else column.cast(pl.Float64)
        if part.scale is not None or part.offset is not None:
            whole = pl.lit(False)
            value = value.map_batches(lambda each: _scaled(each, part), pl.Float64)
        exact = as_text.cast(pl.Int64, strict=False).is_between(-(2**53), 2**53)
        large = whole & ~exact
        found = {
            "number": pl.when(value.is_finite()).then(value),
            "whole": whole,
            "json": pl.when(large).then(as_text.cast(pl.Int64, strict=False).cast(pl.String)),
        }
    return {
        f"_empty{number}": is_empty.fill_null(True),
        **{f"_{name}{number}": each for name, each in found.items()},
    }


def _scaled(values: polars.Series, part: AttributePart) -> polars.Series:
    """`value * scale + offset`, once for each value that occurs."""
    import polars as pl

    known = {value: linear(value, part.scale, part.offset) for value in values.unique() if value is not None}
    return values.replace_strict(known, default=None, return_dtype=pl.Float64)


def _local(naive: polars.Expr, zone: str) -> polars.Expr:
    """Local time in microseconds of UTC; in the hour that spring leaves out, with the offset from before."""
    import polars as pl

    if not zone:
        return pl.lit(None, pl.Int64)

    def at(wall: polars.Expr) -> polars.Expr:
        return micros_of(wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null"))

    return pl.coalesce(at(naive), at(naive - pl.duration(hours=1)) + _HOUR)
