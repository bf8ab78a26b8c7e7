"""A file of the past in long form, a row an instance, read in columns: no object for a row that is right.

Columns: `id`, `attribute`, `observedAt`, `value` and, where they are needed, `type`, `datasetId`,
`unitCode`; see docs/history.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cityloom.connect.mapping import NO_ATTRIBUTES
from cityloom.connect.past_csv import CsvRows, numbered
from cityloom.connect.rejects import Reject
from cityloom.ld.limits import DEFAULT_LIMITS
from cityloom.ld.names import is_name, is_uri
from cityloom.model.entity import NULL
from cityloom.model.errors import ConfigurationError

if TYPE_CHECKING:
    import polars

REQUIRED: Final = ("id", "attribute", "observedAt", "value")
OPTIONAL: Final = ("type", "datasetId", "unitCode")
READ: Final = (
    "row", "entityId", "type", "attribute", "time", "datasetId", "unitCode", "number", "whole", "json"
)  # fmt: skip
"""The columns that rows come out with; `time` in microseconds, the value as in the tables."""
_URI: Final = r'^[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f<>"{}|\\^`\s]+$'
_BAD_PERCENT: Final = r"%([^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)"
_INTEGER: Final = r"^-?(0|[1-9][0-9]*)$"
_NUMBER: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_NO_NUMBERS: Final = [
    sign + word
    for sign in ("", "+", "-")
    for word in ("NaN", "nan", "NAN", "inf", "Inf", "INF", "Infinity", "infinity")
]
"""What programs write in CSV for numbers that are none: no value, and no text either."""
_EXACT: Final = 2**53
ZONELESS: Final = "time without zone"
"""Why a row is rejected whose time names no zone where none was given."""
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The first and the last microsecond of the calendar."""


class PastFile:
    """Reads one file.

    Args:
        path: `.parquet`, `.arrow` (also `.feather`, `.ipc`), `.csv` or `.csv.gz`.
        expand: a name -> its IRI.
        zone: the time zone (IANA) of times that name none; "" refuses them, texts row by row.

    Raises:
        ConfigurationError: it cannot be read, or its columns are not as they must be.
    """

    def __init__(self, path: Path, expand: Callable[[str], str], zone: str = "") -> None:
        import polars as pl

        self.path = path
        self.name = path.name
        self._expand = expand
        self._zone = zone
        self._names: dict[str, str | None] = {}
        self._csv: CsvRows | None = None
        self._schema: dict[str, polars.DataType]
        if not path.is_file():
            raise ConfigurationError(f"the file {path} does not exist")
        if path.name.endswith((".csv", ".csv.gz")):
            self._csv = CsvRows(path, self.name)
            self._schema = {column: pl.String() for column in self._csv.columns}
            self._check_columns()
            return
        with telling(path):
            if path.suffix == ".parquet":
                self._scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            elif path.suffix in (".arrow", ".feather", ".ipc"):
                self._scan = pl.scan_ipc(path, glob=False, hive_partitioning=False)
            else:
                raise ConfigurationError(
                    f"the file {path} is invalid: it ends in none of .parquet, .arrow, .csv, .csv.gz"
                )
            self._schema = dict(self._scan.collect_schema())
            self._check_columns()
            self._count: int = self._scan.select(pl.len()).collect().item()

    @property
    def rows(self) -> int:
        """How many there are; of a CSV file that is read row by row about so many until it was."""
        return self._csv.rows if self._csv is not None else self._count

    def batches(self) -> Iterator[tuple[polars.DataFrame, list[Reject]]]:
        """Rows that are right, with the columns `READ`, and those that are not.

        Raises:
            ConfigurationError: the file cannot be read to its end.
        """
        frames = self._csv.frames("row") if self._csv is not None else numbered(self._scan, "row")
        with telling(self.path):
            for frame, unreadable in frames:
                rows, wrong = self._read(frame)
                yield rows, unreadable + wrong

    def reject(self, row: dict[str, Any], reason: str) -> Reject:
        """The line of a reject file for a row of which these columns are known."""
        field = _FIELDS.get(reason, "")
        said = (
            f"{field} is required" if reason.startswith("no ") else f"{field} is invalid: {row.get(field)!r}"
        )
        if reason == ZONELESS:
            said += " names no time zone: say it with --time-zone, such as --time-zone Europe/Zurich"
        raw = {name: value for name, value in row.items() if name != "row"}
        return Reject(
            file=self.path.name,
            row=row["row"],
            reason=reason,
            field=field,
            detail=said if field else reason,
            raw=raw,
        )

    def _check_columns(self) -> None:
        import polars as pl

        missing = [name for name in REQUIRED if name not in self._schema]
        if missing:
            raise ConfigurationError(f"the file {self.path} is invalid: column {missing[0]} is required")
        unknown = [name for name in self._schema if name not in REQUIRED + OPTIONAL]
        if unknown:
            raise ConfigurationError(
                f"the file {self.path} is invalid: column {unknown[0]} is unknown; "
                f"there are {', '.join(REQUIRED + OPTIONAL)}"
            )
        for name in ("id", "attribute", *OPTIONAL):
            kind = self._schema.get(name, pl.String)
            if kind not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
                raise ConfigurationError(
                    f"the file {self.path} is invalid: column {name} holds {kind}, no text"
                )
        stamp = self._schema["observedAt"]
        if stamp != pl.String and not isinstance(stamp, pl.Datetime):
            raise ConfigurationError(
                f"the file {self.path} is invalid: column observedAt holds {stamp}, no times"
            )
        if isinstance(stamp, pl.Datetime) and stamp.time_zone is None and not self._zone:
            raise ConfigurationError(
                f"the file {self.path} is invalid: the times in observedAt name no time zone:"
                " say it with --time-zone"
            )
        value = self._schema["value"]
        if not (value.is_numeric() or value in (pl.String, pl.Boolean, pl.Categorical, pl.Enum)):
            raise ConfigurationError(
                f"the file {self.path} is invalid: column value holds {value}, no numbers, texts or booleans"
            )

    def _read(self, frame: polars.DataFrame) -> tuple[polars.DataFrame, list[Reject]]:
        import polars as pl

        texts = [
            pl.col(name).cast(pl.String) for name in ("id", "attribute", *OPTIONAL) if name in self._schema
        ]
        missing = [pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in self._schema]
        blank = REQUIRED + OPTIONAL if self._csv is not None else ("id", "attribute", *OPTIONAL)
        told = frame.with_columns(*texts, *missing).with_columns(
            pl.col(name).replace("", None) for name in blank
        )
        told = told.with_columns(pl.col("datasetId").replace("@none", None))
        names = {*told["attribute"].unique(), *told["type"].unique()} - {None}
        whole = {name: self._iri(name) for name in names}
        told = told.with_columns(
            entityId=pl.col("id"),
            **self._time(),
            attributeIri=_replaced("attribute", whole),
            typeIri=_replaced("type", whole),
            **(_value_of_text() if self._csv is not None else _value_of(self._schema["value"])),
        )
        told = told.with_columns(reason=_reason())
        wrong = told.filter(pl.col("reason").is_not_null())
        stood = frame.join(wrong.select("row"), on="row", how="semi", maintain_order="left")
        rejects = [
            self.reject(row, reason)
            for reason, row in zip(wrong["reason"], stood.iter_rows(named=True), strict=True)
        ]
        right = told if not wrong.height else told.filter(pl.col("reason").is_null())
        right = right.drop("type", "attribute").rename({"typeIri": "type", "attributeIri": "attribute"})
        return right.select(READ), rejects

    def _iri(self, name: str) -> str | None:
        """What a name stands for; None when it is none."""
        if name not in self._names:
            right = len(name) <= DEFAULT_LIMITS.url and (is_name(name) or is_uri(name))
            self._names[name] = self._expand(name) if right and name not in NO_ATTRIBUTES else None
        return self._names[name]

    def _time(self) -> dict[str, polars.Expr]:
        """time, and whether it is none for want of a zone alone."""
        import polars as pl

        column, kind = pl.col("observedAt"), self._schema["observedAt"]
        zoneless: polars.Expr = pl.lit(False)
        if kind == pl.String:
            whole = column.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
            bare = naive_of(pl.when(whole.is_null()).then(column))
            time = micros_of(whole)
            if self._zone:
                time = pl.coalesce(time, micros_of(self._at_zone(bare)))
            else:
                zoneless = bare.is_not_null()
        elif isinstance(kind, pl.Datetime) and kind.time_zone is None:
            time = micros_of(self._at_zone(column))
        else:
            time = micros_of(column)
        return {"time": time, "zoneless": zoneless}

    def _at_zone(self, naive: polars.Expr) -> polars.Expr:
        return naive.dt.replace_time_zone(self._zone, ambiguous="earliest", non_existent="null")


def micros_of(time: polars.Expr) -> polars.Expr:
    """Times as microseconds; null beyond the calendar."""
    import polars as pl

    micros = time.dt.cast_time_unit("us").cast(pl.Int64)
    return pl.when(micros.is_between(_FIRST, _LAST)).then(micros)


def naive_of(text: polars.Expr) -> polars.Expr:
    """ISO 8601 texts that name no zone, as times without one; null where a text is none."""
    import polars as pl

    spaced = text.str.replace("T", " ", literal=True)
    forms = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
    return pl.coalesce(
        *(spaced.str.to_datetime(form, strict=False, time_unit="us") for form in forms),
        spaced.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
    )


def _replaced(column: str, by: dict[str, str | None]) -> polars.Expr:
    import polars as pl

    if not by:
        return pl.lit(None, pl.String)
    return pl.col(column).replace_strict(by, default=None, return_dtype=pl.String)


def _value_of(kind: polars.DataType) -> dict[str, polars.Expr]:
    """number, whole and json of a column with a type of its own."""
    import polars as pl

    value = pl.col("value")
    if kind == pl.Boolean:
        json = pl.when(value).then(pl.lit("true")).when(~value).then(pl.lit("false"))
        return {"number": pl.lit(None, pl.Float64), "whole": pl.lit(False), "json": json}
    if kind.is_integer():
        exact = value.is_between(-_EXACT if kind.is_signed_integer() else 0, _EXACT)
        large = pl.when(~exact).then(value.cast(pl.String))
        # Beyond 64 bits a store keeps a number as JSON alone.
        fits = value.cast(pl.Int64, strict=False).is_not_null()
        number: polars.Expr = pl.when(fits).then(value.cast(pl.Float64))
        return {"number": number, "whole": number.is_not_null(), "json": large}
    if kind.is_numeric():
        number = value.cast(pl.Float64)
        return {
            "number": pl.when(number.is_finite()).then(number),
            "whole": pl.lit(False),
            "json": pl.lit(None, pl.String),
        }
    return {
        "number": pl.lit(None, pl.Float64),
        "whole": pl.lit(False),
        "json": quoted(value.cast(pl.String)),
    }


def _value_of_text() -> dict[str, polars.Expr]:
    """The same of a CSV file, where what is written as a number or as true or false is one."""
    import polars as pl

    value = pl.col("value")
    integer = pl.when(value.str.contains(_INTEGER)).then(value.cast(pl.Int64, strict=False))
    is_integer = value.str.contains(_INTEGER)
    is_number = value.str.contains(_NUMBER)
    number = (
        pl.when(is_integer)
        .then(integer.cast(pl.Float64))
        .when(is_number)
        .then(value.cast(pl.Float64, strict=False))
    )
    large = is_integer & (integer.is_null() | ~integer.is_between(-_EXACT, _EXACT))
    json = (
        pl.when(large | value.is_in(["true", "false"]))
        .then(value)
        .when(~is_number & ~value.is_in(_NO_NUMBERS))
        .then(quoted(value))
    )
    finite = pl.when(number.is_finite()).then(number)
    return {"number": finite, "whole": integer.is_not_null(), "json": json}


def quoted(text: polars.Expr) -> polars.Expr:
    """A text as JSON."""
    import polars as pl

    written = pl.struct(v=text).struct.json_encode()
    return pl.when(text.is_not_null()).then(written.str.strip_prefix('{"v":').str.head(-1))


def _reason() -> polars.Expr:
    """Why a row is none; null where it is right."""
    import polars as pl

    def is_uri(column: str) -> polars.Expr:
        text = pl.col(column)
        short = text.str.len_chars() <= DEFAULT_LIMITS.url
        return short & text.str.contains(_URI) & ~text.str.contains(_BAD_PERCENT)

    null = pl.col("json") == f'"{NULL}"'
    wrong = (
        (pl.col("id").is_null(), "no id"),
        (~is_uri("id"), "invalid id"),
        (pl.col("attribute").is_null(), "no attribute"),
        (pl.col("attributeIri").is_null(), "invalid attribute"),
        (pl.col("type").is_not_null() & pl.col("typeIri").is_null(), "invalid type"),
        (pl.col("observedAt").is_null(), "no time"),
        (pl.col("zoneless"), ZONELESS),
        (pl.col("time").is_null(), "invalid time"),
        (pl.col("datasetId").is_not_null() & ~is_uri("datasetId"), "invalid datasetId"),
        (pl.col("value").is_null(), "no value"),
        (null | (pl.col("number").is_null() & pl.col("json").is_null()), "invalid value"),
    )
    reason: polars.Expr = pl.lit(None, pl.String)
    for condition, words in reversed(wrong):
        reason = pl.when(condition).then(pl.lit(words)).otherwise(reason)
    return reason


_FIELDS: Final = {
    "no id": "id",
    "invalid id": "id",
    "no attribute": "attribute",
    "invalid attribute": "attribute",
    "no type": "type",
    "invalid type": "type",
    "no time": "observedAt",
    "invalid time": "observedAt",
    ZONELESS: "observedAt",
    "invalid datasetId": "datasetId",
    "no value": "value",
    "invalid value": "value",
}
"""The column at fault."""


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Tells what goes wrong with a file in one sentence."""
    import polars as pl

    try:
        yield
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigurationError(f"the file {path} cannot be read: {reason}") from error
