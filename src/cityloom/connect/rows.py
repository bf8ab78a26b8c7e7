"""A row becomes an entity, as its mapping says.

Names come out expanded, by the callable handed in. Personal columns never
enter an attribute: they come out apart, for the personal store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import shapely
from msgspec import UNSET

from cityloom.connect.cells import Maker, Row, cell_maker, is_empty, plain
from cityloom.connect.mapping import AttributePart, Mapping
from cityloom.connect.occurrences import Occurrences
from cityloom.connect.rejects import RowRejected
from cityloom.connect.shapes import Place
from cityloom.connect.template import Template
from cityloom.connect.times import Stamps, iso
from cityloom.model.entity import LOCATION, NGSI_LD, Attribute, AttributeKind, Entity

Attributes = dict[str, list[Attribute]]
_DATE_TIME = NGSI_LD + "DateTime"
_DATE = NGSI_LD + "Date"


class Built(NamedTuple):
    """What a row gave: an entity, and what goes elsewhere.

    `attributes` belongs to the holder until an entity is made of it. `geometry`
    is the row's place; `micros` and `occurrence` tell an instance of a series. `cells` is the row as it
    came, for the reject file should the broker refuse it.
    """

    row: int
    entity_id: str
    attributes: Attributes
    geometry: dict[str, Any] | None
    micros: int | None
    occurrence: int
    personal: dict[str, Any] | None
    cells: Row


class _Field(NamedTuple):
    """One attribute, compiled."""

    iri: str
    place: str
    kind: AttributeKind
    make: Maker
    unit_code: str | None
    value_type: str | None
    dataset_id: str
    observed_column: str | None
    stamped: bool
    optional: bool


class RowBuilder:
    """Makes entities of the rows of one source.

    Args:
        mapping: how.
        expand: a name -> its IRI.
        now: the time in microseconds, for a feed: of two readings of an hour
            that occurs twice it takes the one nearer to now. None for files.
    """

    def __init__(
        self, mapping: Mapping, expand: Callable[[str], str], now: Callable[[], int] | None = None
    ) -> None:
        self._mapping = mapping
        self.expand = expand
        self.types = [expand(name) for name in mapping.entity.types]
        self.scopes = mapping.entity.scopes
        self.notes: Counter[str] = Counter()
        self._id = Template(mapping.entity.id, uri=True)
        self._stamps = Stamps(mapping.time_zone, mapping.stamp_format)
        self._value_stamps = Stamps(mapping.time_zone)
        self._occurrences = Occurrences(now)
        self._place: Place | None = None
        if mapping.geometry is not None:
            self._place = Place(mapping.geometry, mapping.crs, mapping.no_place)
        self._fields: list[_Field] = []
        self.constants: Attributes = {}
        """Attributes that every row gives alike: they carry no stamp and are no part of a series."""
        for name, part in mapping.attributes.items():
            self._compile(name, part)
        if mapping.geometry is not None and mapping.geometry.point is not None and self._place is not None:
            geometry, _ = self._place.of({})
            self.constants[LOCATION] = [Attribute(kind="GeoProperty", value=geometry)]

    def _compile(self, name: str, part: AttributePart) -> None:
        iri = self.expand(part.attribute or name)
        kind, make = self._head(part)
        field = _Field(
            iri=iri,
            place=name,
            kind=kind,
            make=make,
            unit_code=part.unit_code,
            value_type=_DATE_TIME if part.datetime else _DATE if part.date else None,
            dataset_id=part.dataset_id,
            observed_column=part.observed_at,
            stamped=not part.constant,
            optional=part.optional,
        )
        if part.constant:
            attribute = self._attribute(field, make({}), None)
            self.constants.setdefault(iri, []).append(attribute)
        else:
            self._fields.append(field)

    def _head(self, part: AttributePart) -> tuple[AttributeKind, Maker]:
        expand = self.expand
        if part.value is not UNSET:
            value = part.value
            if part.vocab:
                return "VocabProperty", lambda row: expand(str(value))
            return "Property", lambda row: value
        if part.text is not None:
            return "Property", Template(part.text, uri=False).fill
        if part.relationship is not None:
            return "Relationship", Template(part.relationship, uri=True).fill
        if part.language is not None:
            return "LanguageProperty", _texts(part.language)
        if part.object is not None:
            return "Property", _members({expand(key): column for key, column in part.object.items()})
        if part.json is not None:
            return "JsonProperty", _json(part.json)
        stamps = self._value_stamps
        if isinstance(part.datetime, str):
            stamps = Stamps(self._mapping.time_zone, part.datetime)
        make = cell_maker(part, stamps, self._mapping.empty)
        if not part.vocab:
            return "Property", make

        def vocab(row: Row) -> Any:
            value = make(row)
            return None if value is None else expand(str(value))

        return "VocabProperty", vocab

    @staticmethod
    def _attribute(field: _Field, value: Any, observed_at: str | None) -> Attribute:
        return Attribute(
            kind=field.kind,
            value=value,
            observed_at=observed_at,
            dataset_id=field.dataset_id,
            unit_code=field.unit_code,
            value_type=field.value_type,
        )

    def build(self, number: int, row: Row) -> Built:
        """The entity of row `number` (1 = first data row).

        Raises:
            RowRejected: with the reason, the field and a sentence.

        Cost: about 1 microsecond an attribute and 2 a time.
        """
        mapping = self._mapping
        for column in mapping.require:
            if is_empty(row.get(column)):
                raise RowRejected("required value missing", column, f"{column} is required")
        entity_id = self._id.fill(row)
        if entity_id is None:
            empty = next(column for column in self._id.columns if is_empty(row.get(column)))
            raise RowRejected("no id", empty, f"{empty} is required: the id is made of it")
        micros, occurrence = self._stamp(entity_id, row)
        observed_at = None if micros is None else iso(micros)
        geometry, no_place = (None, False) if self._place is None else self._place.of(row)
        attributes: Attributes = {}
        for field in self._fields:
            value = field.make(row)
            if value is None:
                if not field.optional:
                    raise RowRejected("required value missing", field.place, f"{field.place} is required")
                continue
            stamp = observed_at
            if field.observed_column is not None:
                stamp = self._other_stamp(field.observed_column, row)
            instances = attributes.get(field.iri)
            if instances is None:
                attributes[field.iri] = [self._attribute(field, value, stamp)]
            else:
                instances.append(self._attribute(field, value, stamp))
        self._note(geometry, no_place)
        if geometry is not None and LOCATION not in self.constants:
            attributes[LOCATION] = [Attribute(kind="GeoProperty", value=geometry, observed_at=observed_at)]
        return Built(number, entity_id, attributes, geometry, micros, occurrence, self._personal(row), row)

    def entity(self, built: Built) -> Entity:
        """The entity of a built row, with what every row gives alike."""
        attributes = {**self.constants, **built.attributes} if self.constants else built.attributes
        return Entity(id=built.entity_id, types=self.types, scopes=self.scopes, attributes=attributes)

    def _stamp(self, entity_id: str, row: Row) -> tuple[int | None, int]:
        column = self._mapping.observed_at
        if column is None:
            return None, 0
        cell = row.get(column)
        if cell is None or is_empty(cell):
            if self._mapping.series:
                raise RowRejected(
                    "no time", column, f"{column} is required: it tells the instances of a series"
                )
            return None, 0
        stamp = self._stamps.read(cell, column)
        if stamp.gap:
            self.notes["timesInSpringGap"] += 1
        micros, occurrence = self._occurrences.of(entity_id, stamp, self._mapping.series)
        if stamp.second is not None:
            self.notes["timesInAutumnHour"] += 1
            if micros == stamp.second:
                self.notes["autumnHourSecondTime"] += 1
        return micros, occurrence

    def _other_stamp(self, column: str, row: Row) -> str | None:
        cell = row.get(column)
        return None if is_empty(cell) else iso(self._value_stamps.read(cell, column).micros)

    def _note(self, geometry: dict[str, Any] | None, no_place: bool) -> None:
        if no_place:
            self.notes["noPlace"] += 1
        if geometry is None or not geometry["type"].endswith("Polygon"):
            return
        if not shapely.is_valid(shapely.geometry.shape(geometry)):
            self.notes["selfCrossingAreas"] += 1

    def _personal(self, row: Row) -> dict[str, Any] | None:
        found = {
            column: plain(row[column], column)
            for column in self._mapping.personal
            if not is_empty(row.get(column))
        }
        return found or None


def _texts(columns: dict[str, str]) -> Maker:
    def make(row: Row) -> Any:
        texts = {
            language: str(plain(row[column], column))
            for language, column in columns.items()
            if not is_empty(row.get(column))
        }
        return texts or None

    return make


def _members(columns: dict[str, str]) -> Maker:
    def make(row: Row) -> Any:
        members = {
            key: plain(row[column], column)
            for key, column in columns.items()
            if not is_empty(row.get(column))
        }
        return members or None

    return make


def _json(column: str) -> Maker:
    def make(row: Row) -> Any:
        cell = row.get(column)
        if is_empty(cell) or not isinstance(cell, str):
            return None if is_empty(cell) else cell
        try:
            return msgspec.json.decode(cell)
        except msgspec.DecodeError as error:
            raise RowRejected("not JSON", column, f"{column} is invalid: {error}") from None

    return make
