"""An instance of history as a row of the hot tier, and back.

The columns hold what changes from one instance to the next; what a series has
in common is its `Shape`, kept once; what fits neither is `Rest`, as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import astuple

from cityloom.model.entity import Attribute, AttributeKind
from cityloom.model.errors import BadRequestData
from cityloom.model.history import Instance
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.store.instances import parse_instance_id, series_prefix
from cityloom.store.tables.base.session import Session

COLUMNS: Final = (
    "incarnation, name, time, origin, tie, dataset, "
    "value, shape, seq, row, occurrence, created, modified, rest"
)
_AT_ONCE: Final = 5000
"""Events that are looked up at once."""
FOREIGN: Final = 0
"""The origin of instances told by an id that does not follow from their key."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INTEGERS: Final = range(-(2**63), 2**63)


class Shape(Struct, frozen=True, omit_defaults=True):
    """What the instances of a series have in common.

    `observed`: the column `time` is `observedAt`, not the time of writing.
    """

    kind: AttributeKind | Literal[""] = ""
    unit_code: str | None = None
    object_type: tuple[str, ...] | None = None
    value_type: str | None = None
    observed: bool = False
    deleted: bool = False


class Rest(Struct, frozen=True, omit_defaults=True):
    """What fits in no column; times stand here only where the column would not give them back as written."""

    observed_at: str | None = None
    created_at: str | None = None
    modified_at: str | None = None
    deleted_at: str | None = None
    expires_at: str | None = None
    instance_id: str | None = None
    attributes: dict[str, list[Attribute]] = {}


_NO_REST: Final = Rest()


class Key(NamedTuple):
    """What tells an instance from the others of its entity and attribute."""

    time: int
    origin: int
    tie: int
    dataset: int


class Row(NamedTuple):
    """One row of `instance`, in the order of COLUMNS."""

    incarnation: int
    name: int
    time: int
    origin: int
    tie: int
    dataset: int
    value: Any
    shape: int
    seq: int | None
    row: int | None
    occurrence: int
    created: int | None
    modified: int | None
    rest: bytes | None

    @property
    def event(self) -> int:
        """The number of the event that wrote it."""
        return self.seq if self.seq is not None else self.origin >> 1


_encode = msgspec.json.Encoder().encode
_decode_value = msgspec.json.Decoder().decode
_decode_rest = msgspec.json.Decoder(Rest).decode
_decode_shape = msgspec.json.Decoder(Shape).decode


@lru_cache(maxsize=4096)
def shape_text(shape: Shape) -> str:
    """The stored form of a shape."""
    return _encode(shape).decode()


@lru_cache(maxsize=4096)
def _shape_text(*parts: Any) -> str:
    """The same of a shape's parts in their order."""
    return shape_text(Shape(*parts))


@lru_cache(maxsize=4096)
def shape_of(text: str) -> Shape:
    """Reads the stored form of a shape."""
    return _decode_shape(text)


@lru_cache(maxsize=65_536)
def iso(micros: int) -> str:
    """`format_datetime`, remembering the latest: the times of writing repeat."""
    return format_datetime(micros)


@lru_cache(maxsize=65_536)
def read_time(text: str, place: str) -> tuple[int, bool]:
    """(microseconds, whether `iso` gives `text` back).

    The forms that nearly every stamp has are read on a quick path. The times
    of writing repeat, so the latest are remembered.
    """
    if text[4:5] == text[7:8] == "-" and text[10:11] == "T" and text[-1] == "Z":
        whole = len(text) == 20
        if whole or (text[19] == "." and len(text) <= 27 and text[-2] != "0"):
            try:
                return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND, True
            except ValueError:
                pass
    micros = parse_datetime(text, place)
    return micros, iso(micros) == text


def foreign_key(instance_id: str, time: int, dataset: int) -> Key:
    """The key of an instance told by its id alone."""
    digest = blake2b(instance_id.encode(), digest_size=8).digest()
    return Key(time, FOREIGN, int.from_bytes(digest, signed=True), dataset)


def store_value(value: Any) -> Any:
    """Numbers and texts as they are; anything else as JSON; nothing as NULL.

    Raises:
        BadRequestData: a number is no number of JSON.
    """
    kind = type(value)
    if kind is float:
        if not isfinite(value):
            raise BadRequestData(f"value is invalid: {value} is no number of JSON")
        return value
    if kind is str:
        return value
    if kind is int and value in _INTEGERS:
        return value
    if value is UNSET:
        return None
    return _encode(value)


def load_value(value: Any) -> Any:
    """What `store_value` made of a value, undone."""
    if value is None:
        return UNSET
    if type(value) is bytes:
        return _decode_value(value)
    return value


class Encoder:
    """Makes the rows of one entity's instances, written by one event.

    Args:
        seq: the event's number.
        at: its time in microseconds.
        source: the source of its cause; "" when it has none.
    """

    def __init__(self, session: Session, entity_id: str, incarnation: int, seq: int, at: int, source: str):
        self._names = session.names
        self._shapes = session.shapes
        self._entity_id = entity_id
        self._incarnation = incarnation
        self._seq = seq
        self._origin = seq << 1
        self._at = at
        self._at_text = iso(at)
        self._source = source
        self._source_number = session.names.intern("source:" + source) if source else 0
        self._numbers: dict[tuple[int, int], int] = {}
        self._stored = session.dialect.stored_value

    def row(self, instance: Instance, series: bool) -> tuple[Row, str | None]:
        """The row of an instance, and its id if that does not follow from its key.

        Args:
            series: an instance without an id and with a stamp is told by its
                source; otherwise by its event.

        Raises:
            BadRequestData: a time is invalid.
        """
        values, foreign = self.values(
            instance.name, instance.attribute, instance.row, instance.occurrence, series
        )
        return Row._make(values), foreign

    def values(
        self, name: str, attribute: Attribute, row: int | None, occurrence: int = 0, series: bool = False
    ) -> tuple[tuple[Any, ...], str | None]:
        """The same of an instance in parts, as the values alone: every change of an entity comes here."""
        # All members at once: one by one they cost more than half of what is done here.
        (
            kind,
            value,
            observed_at,
            dataset_id,
            unit_code,
            types,
            value_type,
            created_at,
            modified_at,
            deleted_at,
            expires_at,
            given,
            parts,
        ) = astuple(attribute)
        observed, exact, created, modified = None, True, None, None
        created_rest = modified_rest = None
        if observed_at is not None:
            observed, exact = read_time(observed_at, "observedAt")
        if created_at != self._at_text:
            created, created_rest = _time(created_at, "createdAt")
        if modified_at != self._at_text:
            modified, modified_rest = _time(modified_at, "modifiedAt")
        written = self._at if modified is None else modified
        time = written if observed is None else observed
        number = self._names.intern(name)
        dataset = self._names.intern(dataset_id) if dataset_id else 0
        types = None if types is None else tuple(types)
        shape = _shape_text(kind, unit_code, types, value_type, observed is not None, deleted_at is not None)
        if given is None and not series:
            tie = self._numbers.get((number, dataset), 0)
            self._numbers[number, dataset] = tie + 1
            origin, foreign, seq = self._origin, None, None
        else:
            key, foreign = self._key(name, attribute, occurrence, time, dataset, observed is not None)
            origin, tie, seq = key.origin, key.tie, None if key.origin == self._origin else self._seq
        rest = None
        if (
            parts
            or not exact
            or foreign is not None
            or created_rest is not None
            or modified_rest is not None
            or expires_at is not None
            or deleted_at is not None
        ):
            rest = _rest_of(
                Rest(
                    observed_at=None if exact else observed_at,
                    created_at=created_rest,
                    modified_at=modified_rest,
                    deleted_at=self._odd_deletion(attribute),
                    expires_at=expires_at,
                    instance_id=foreign,
                    attributes=parts,
                )
            )
        return (
            self._incarnation,
            number,
            time,
            origin,
            tie,
            dataset,
            self._stored(value),
            self._shapes.intern(shape),
            seq,
            row,
            occurrence,
            created,
            modified,
            rest,
        ), foreign

    def _odd_deletion(self, attribute: Attribute) -> str | None:
        """deletedAt, where it is not modifiedAt."""
        same = attribute.deleted_at == (attribute.modified_at or self._at_text)
        return None if same else attribute.deleted_at

    def _key(
        self, name: str, attribute: Attribute, occurrence: int, time: int, dataset: int, stamped: bool
    ) -> tuple[Key, str | None]:
        """The key of an instance that has an id, or is one of a series."""
        given = attribute.instance_id
        if given is None:
            if stamped and self._source:
                return Key(time, self._source_number << 1 | 1, occurrence, dataset), None
            series = self._names.intern(name), dataset
            number = self._numbers.get(series, 0)
            self._numbers[series] = number + 1
            return Key(time, self._origin, number, dataset), None
        parsed = parse_instance_id(given)
        if parsed is not None and self._source and parsed[0] == time and parsed[2] is None:
            prefix = series_prefix(self._entity_id, name, attribute.dataset_id, self._source)
            if given == f"{prefix}{time}:{parsed[1]}":
                return Key(time, self._source_number << 1 | 1, parsed[1], dataset), None
        return foreign_key(given, time, dataset), given


def _time(text: str | None, place: str) -> tuple[int | None, str | None]:
    """(column, text for the rest) of a time that is not the event's."""
    if text is None:
        return None, None
    micros, exact = read_time(text, place)
    return micros, None if exact else text


def _rest_of(rest: Rest) -> bytes | None:
    return _encode(rest) if rest != _NO_REST else None


class Decoder:
    """Makes instances of the rows of one entity.

    Args:
        origins: give the time of an event.
    """

    def __init__(self, session: Session, entity_id: str, origins: Origins) -> None:
        self._db = session
        self._entity_id = entity_id
        self._origins = origins
        self._shapes: dict[int, Shape] = {}

    def shape(self, number: int) -> Shape:
        """The shape with this number."""
        shape = self._shapes.get(number)
        if shape is None:
            shape = self._shapes[number] = shape_of(self._db.shapes.key(number))
        return shape

    def times(self, row: Row) -> tuple[int, int]:
        """(createdAt, modifiedAt) in microseconds."""
        at = self._origins.at(row.event) if row.created is None or row.modified is None else 0
        return at if row.created is None else row.created, at if row.modified is None else row.modified

    def deleted(self, row: Row) -> int | None:
        """deletedAt in microseconds, None for an instance that is no deletion."""
        if not self.shape(row.shape).deleted:
            return None
        text = _decode_rest(row.rest).deleted_at if row.rest is not None else None
        return self.times(row)[1] if text is None else read_time(text, "deletedAt")[0]

    def instance_id(self, row: Row, name: str, dataset_id: str) -> str:
        """The id of a row's instance."""
        if row.origin & 1:
            source = self._db.names.key(row.origin >> 1).removeprefix("source:")
            return f"{series_prefix(self._entity_id, name, dataset_id, source)}{row.time}:{row.tie}"
        if row.origin == FOREIGN:
            return _decode_rest(row.rest or b"{}").instance_id or ""
        prefix = series_prefix(self._entity_id, name, dataset_id, "")
        return f"{prefix}{row.time}:{row.origin >> 1}.{row.tie}"

    def instance(self, row: Row, name: str) -> Instance:
        """The instance that a row holds."""
        shape = self.shape(row.shape)
        rest = _decode_rest(row.rest) if row.rest is not None else _NO_REST
        dataset_id = self._db.names.key(row.dataset) if row.dataset else ""
        created, modified = self.times(row)
        modified_at = rest.modified_at or iso(modified)
        return Instance(
            name=name,
            attribute=Attribute(
                kind=shape.kind,
                value=load_value(row.value),
                observed_at=(rest.observed_at or iso(row.time)) if shape.observed else None,
                dataset_id=dataset_id,
                unit_code=shape.unit_code,
                object_type=list(shape.object_type) if shape.object_type is not None else None,
                value_type=shape.value_type,
                created_at=rest.created_at or iso(created),
                modified_at=modified_at,
                deleted_at=(rest.deleted_at or modified_at) if shape.deleted else None,
                expires_at=rest.expires_at,
                instance_id=rest.instance_id or self.instance_id(row, name, dataset_id),
                attributes=rest.attributes,
            ),
            occurrence=row.occurrence,
            row=row.row,
        )


class Origins:
    """When and why events wrote history: kept for good, also when the log is trimmed."""

    def __init__(self, session: Session) -> None:
        self._db = session
        self._known: dict[int, tuple[int, int]] = {}

    def origin(self, seq: int) -> tuple[int, int]:
        """(time in microseconds, number of the cause) of an event."""
        known = self._known.get(seq)
        if known is None:
            row = self._db.row(
                "SELECT at, cause FROM origin WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
            )
            known = self._known[seq] = (row[0], row[1])
        return known

    def learn(self, seqs: Iterable[int]) -> None:
        """Looks many events up at once, so that a server is not asked for each of them."""
        unknown = sorted({*seqs} - self._known.keys())
        dialect = self._db.dialect
        sql = (
            f"SELECT w.value, o.at, o.cause FROM {dialect.each_number('?', 'w')} {dialect.join} origin o"
            " ON o.seq = (SELECT max(seq) FROM origin WHERE seq <= w.value)"
        )
        for start in range(0, len(unknown), _AT_ONCE):
            some = dialect.numbers(unknown[start : start + _AT_ONCE])
            self._known.update({seq: (at, cause) for seq, at, cause in self._db.rows(sql, (some,))})

    def at(self, seq: int) -> int:
        """The time of an event in microseconds."""
        return self.origin(seq)[0]
