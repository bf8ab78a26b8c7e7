"""Rows of the hot tier as rows of the cold tables, and back.

A cold row tells by itself what the city's file tells with numbers: names are
whole, times of writing are written out, a shape is spread over its members.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from cityloom.store.cold.schema import COLUMNS, frame_of
from cityloom.store.tables.base.session import Session
from cityloom.store.tables.history.codec import (
    FOREIGN,
    Origins,
    Rest,
    Row,
    Shape,
    shape_of,
    shape_text,
    store_value,
)

if TYPE_CHECKING:
    import polars

EXACT: Final = 2**53
"""Integers up to this are held exactly by a double."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
READ: Final = (
    "incarnation",
    "attribute",
    "time",
    "observed",
    "datasetId",
    "kind",
    "number",
    "whole",
    "json",
    "unitCode",
    "valueType",
    "objectType",
    "deleted",
    "createdAt",
    "modifiedAt",
    "event",
    "source",
    "idEvent",
    "tie",
    "instanceId",
    "occurrence",
    "row",
    "more",
)
"""The columns that make a row, in the order in which `Reader` takes them."""

_PLAIN: Final = frozenset(b"%c" % sign for sign in b'"-0123456789')
"""How the JSON of a text or a number begins."""

_decode = msgspec.json.Decoder().decode
_decode_rest = msgspec.json.Decoder(Rest).decode
_encode = msgspec.json.Encoder().encode


class Owner(Struct, frozen=True):
    """Whose rows they are."""

    tenant: str
    type: str
    entity_id: str
    incarnation: int
    attribute: str


def moment(micros: int) -> datetime:
    """A time as Polars compares it; one beyond the calendar is the calendar's end."""
    return _EPOCH + timedelta(microseconds=min(max(micros, _FIRST), _LAST))


def month_of(micros: int) -> str:
    """The partition in which a time lies."""
    time = moment(micros)
    return f"{time.year:04}-{time.month:02}"


def month_begins(month: str) -> int:
    """Where a partition begins, in microseconds."""
    return (datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def month_after(micros: int) -> int:
    """Where the month after that of a time begins, in microseconds."""
    time = moment(micros)
    year, month = divmod(time.year * 12 + time.month, 12)
    if year > 9999:
        return _LAST + 1
    return (datetime(year, month + 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


class Columns:
    """Gathers hot rows as columns of the cold tables.

    Args:
        change: the number of the change that will write them.
    """

    def __init__(self, session: Session, origins: Origins, change: int) -> None:
        self._db = session
        self._origins = origins
        self._change = change
        self._shapes: dict[int, tuple[Any, ...]] = {}
        self._rows: list[tuple[Any, ...]] = []

    def add(self, owner: Owner, row: Row) -> None:
        """Adds a row."""
        number, whole, text = _spread(row.value)
        rest = _decode_rest(row.rest) if row.rest is not None else None
        modified = self._origins.at(row.event) if row.modified is None else row.modified
        created = self._origins.at(row.event) if row.created is None else row.created
        event, source, told = row.event, None, None
        if row.origin & 1:
            source = self._db.names.key(row.origin >> 1).removeprefix("source:")
        elif row.origin != FOREIGN and row.origin >> 1 != event:
            told = row.origin >> 1
        kind, unit, types, value_type, observed, deleted = self._shape(row.shape)
        self._rows.append(
            (
                owner.tenant or None,
                month_of(row.time),
                owner.type,
                owner.attribute,
                owner.entity_id,
                owner.incarnation,
                row.time,
                observed,
                self._db.names.key(row.dataset) if row.dataset else None,
                kind,
                number,
                whole,
                text,
                unit,
                value_type,
                types,
                deleted,
                None if created == modified else created,
                modified,
                event,
                source,
                told,
                row.tie,
                rest.instance_id if rest is not None and row.origin == FOREIGN else None,
                row.occurrence,
                row.row,
                row.rest.decode() if row.rest is not None else None,
                self._change,
            )
        )

    def frame(self) -> polars.DataFrame:
        """What was added, sorted."""
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * len(COLUMNS)
        return frame_of(dict(zip((column.name for column in COLUMNS), map(list, columns), strict=True)))

    def _shape(self, number: int) -> tuple[Any, ...]:
        spread = self._shapes.get(number)
        if spread is None:
            shape = shape_of(self._db.shapes.key(number))
            types = _encode(shape.object_type).decode() if shape.object_type is not None else None
            spread = self._shapes[number] = (
                shape.kind, shape.unit_code, types, shape.value_type, shape.observed, shape.deleted
            )  # fmt: skip
        return spread


class Reader:
    """Makes hot rows of what was read of the tables."""

    def __init__(self, session: Session) -> None:
        self._db = session
        self._shapes: dict[tuple[Any, ...], int] = {}

    def rows(self, frame: polars.DataFrame) -> Iterator[Row]:
        """The rows of a frame whose columns are `READ`."""
        import polars as pl

        times = ("time", "createdAt", "modifiedAt")
        for (
            incarnation,
            attribute,
            time,
            observed,
            dataset_id,
            kind,
            number,
            whole,
            text,
            unit_code,
            value_type,
            object_type,
            deleted,
            created,
            modified,
            event,
            source,
            id_event,
            tie,
            instance_id,
            occurrence,
            row,
            more,
        ) in frame.select(READ).with_columns(pl.col(times).cast(pl.Int64)).iter_rows():
            if source is not None:
                origin = self._number("source:" + source) << 1 | 1
            elif instance_id is not None:
                origin = FOREIGN
            else:
                origin = (event if id_event is None else id_event) << 1
            yield Row(
                incarnation,
                self._number(attribute),
                time,
                origin,
                tie,
                self._number(dataset_id) if dataset_id is not None else 0,
                _joined(number, whole, text),
                self.shape((kind, unit_code, object_type, value_type, observed, deleted)),
                None if origin == event << 1 else event,
                row,
                occurrence,
                modified if created is None else created,
                modified,
                more.encode() if more is not None else None,
            )

    def shape(self, members: tuple[Any, ...]) -> int:
        """The number of a shape: kind, unitCode, objectType, valueType, observed, deleted."""
        number = self._shapes.get(members)
        if number is None:
            kind, unit, types, value_type, observed, deleted = members
            listed = tuple(_decode(types)) if types is not None else None
            text = shape_text(Shape(kind, unit, listed, value_type, observed, deleted))
            found = self._db.shapes.find(text)
            if found is None:
                raise KeyError(text)
            number = self._shapes[members] = found
        return number

    def _number(self, key: str) -> int:
        number = self._db.names.find(key)
        if number is None:
            raise KeyError(key)  # what moved was in this file before
        return number


def _spread(value: Any) -> tuple[float | None, bool, str | None]:
    """(number, whole, json) of a value as a database holds it, some of which hold all as JSON."""
    if type(value) is bytes and value[:1] in _PLAIN:
        value = _plain(value)
    kind = type(value)
    if kind is float:
        return value, False, None
    if kind is int:
        return float(value), True, None if -EXACT <= value <= EXACT else str(value)
    if kind is str:
        return None, False, _encode(value).decode()
    if value is None:
        return None, False, None
    return None, False, bytes(value).decode()


def _plain(json: bytes) -> Any:
    """The number or text that JSON is; as it is where it is a number that is held as JSON."""
    if json[:1] == b'"':
        return _decode(json)
    text = json.decode()
    if any(sign in text for sign in ".eE"):
        return float(text)
    return store_value(int(text))


def _joined(number: float | None, whole: bool, text: str | None) -> Any:
    """`_spread` undone."""
    if text is None:
        return int(number) if whole and number is not None else number
    if number is not None:
        return int(text)
    return _decode(text) if text[0] == '"' else text.encode()
