"""One reader's view of a tenant: the rows of each entity set, found in one snapshot.

Source: OGC 18-088 clauses 8.2 (entities and their relations), 9.2 (resource paths).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.transient import alive
from cityloom.ld.compact import Form, compact_attribute
from cityloom.ld.context import LdContext
from cityloom.ld.language import choose_language
from cityloom.maps.sensorthings.ids import SeriesKey, long_name, parse_instance_key, parse_series_id
from cityloom.maps.sensorthings.rows import (
    Datastream,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    Observation,
    ObservedProperty,
    Row,
    Sensor,
    Thing,
    location_of,
)
from cityloom.maps.sensorthings.series import SeriesReader, Wish
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.errors import TooComplexQuery
from cityloom.query.values import QNode, Query, TypeExpression
from cityloom.store.history_ports import Window
from cityloom.store.instances import parse_instance_id
from cityloom.store.ports import Snapshot

MOST_LOOKED: Final = 1_000_000
"""Instances that one request may read."""


class Lens(Struct, frozen=True, kw_only=True):
    """Who looks and how: the tenant, the time (µs), names by `ld_context`, texts in `languages`.

    `languages` are ranges as in Accept-Language; `root` is the URL of the service.
    """

    tenant: str
    now: int
    ld_context: LdContext
    languages: str
    root: str


class Narrowing(Struct, frozen=True, kw_only=True):
    """What of a filter the store can be asked: it may leave too many, never too few.

    `keeps` tells of which Datastreams observations can pass at all; `exact` says that
    it and the wish's span and numbers say all that a filter of Observations does.
    """

    ids: list[str] | None = None
    types: TypeExpression | None = None
    q: QNode | None = None
    wish: Wish = Wish()
    keeps: Callable[[Datastream], bool] | None = None
    exact: bool = True


EVERYTHING: Final = Narrowing()


class View:
    """The rows of the entity sets, as one tenant has them in one snapshot."""

    def __init__(self, reads: Snapshot, lens: Lens) -> None:
        self._reads = reads
        self.lens = lens
        self.series = SeriesReader(reads, lens.tenant, self._looked)
        self._sensors: dict[SeriesKey, Sensor] = {}
        self._periods: dict[SeriesKey, tuple[int, int] | None] = {}
        self._count = 0

    def _looked(self, count: int) -> None:
        self._count += count
        if self._count > MOST_LOOKED:
            raise TooComplexQuery(
                f"the request looks at more than {MOST_LOOKED} observations: "
                "name a Datastream or a range of phenomenonTime"
            )

    # -- rows --------------------------------------------------------------
    def all(self, kind: str, narrowing: Narrowing = EVERYTHING) -> Iterator[Row]:
        """The rows of a set, by id; Observations as the narrowing's wish says.

        Cost: a walk of the current entities that the narrowing leaves.
        """
        if kind == "Things":
            return map(Thing, self._entities(narrowing))
        if kind == "Locations":
            return map(Location, self._placed(narrowing))
        if kind == "HistoricalLocations":
            return (place for entity in self._placed(narrowing) for place in self._history(entity))
        if kind == "Datastreams":
            return self._datastreams(narrowing)
        if kind == "FeaturesOfInterest":
            return map(FeatureOfInterest, self._entities(narrowing))
        if kind == "ObservedProperties":
            names = {each.name for each in self._datastreams(narrowing)}
            return iter(sorted(map(ObservedProperty, names), key=lambda row: row.id))
        if kind == "Sensors":
            found = {sensor.id: sensor for sensor in map(self.sensor_of, self._datastreams(narrowing))}
            return iter([found[id] for id in sorted(found)])
        return self.series.observations(self.observed(None, narrowing), narrowing.wish)

    def find(self, kind: str, id: str) -> Row | None:
        """The row with this id, or None. Cost: some seeks; for Sensors a walk until one is found."""
        if kind in ("Things", "FeaturesOfInterest"):
            entity = self.entity(id)
            return None if entity is None else (Thing if kind == "Things" else FeatureOfInterest)(entity)
        if kind == "Locations":
            entity = self.entity(id)
            if entity is not None:
                return Location(entity) if location_of(entity) is not None else None
            place = self._find_place(id)
            return None if place is None else Location(place.entity, place.instance)
        if kind == "HistoricalLocations":
            return self._find_place(id)
        if kind == "Datastreams":
            return self._find_datastream(id)
        if kind == "Observations":
            return self._find_observation(id)
        if kind == "ObservedProperties":
            name = long_name(id)
            row = None if name is None else ObservedProperty(name)
            return row if row is not None and next(self._of_property(row), None) is not None else None
        return self._find_sensor(id)

    def related(self, row: Row, link: str, narrowing: Narrowing = EVERYTHING) -> Iterator[Row]:
        """The rows that a navigation property of `row` leads to; one or none where it is no collection."""
        match row, link:
            case Thing(), "Datastreams":
                return iter(row.datastreams)
            case ((Thing() | HistoricalLocation()), "Locations"):
                return self._locations(row)
            case Thing(), "HistoricalLocations":
                return iter(self._history(row.entity))
            case Location(), "HistoricalLocations":
                places = (HistoricalLocation(row.entity, each) for each in self.series.places(row.entity))
                one = next(places, None) if row.past is None else HistoricalLocation(row.entity, row.past)
                return iter(() if one is None else (one,))
            case ((Location() | HistoricalLocation() | Datastream()), ("Things" | "Thing")):
                return iter((Thing(row.entity),))
            case Datastream(), "Sensor":
                return iter((self.sensor_of(row),))
            case Datastream(), "ObservedProperty":
                return iter((ObservedProperty(row.name),))
            case ((Datastream() | FeatureOfInterest()), "Observations"):
                return self.series.observations(self.observed(row, narrowing), narrowing.wish)
            case Sensor(), "Datastreams":
                return self._of_sensor(row)
            case ObservedProperty(), "Datastreams":
                return self._of_property(row)
            case Observation(), "Datastream":
                return iter((row.datastream,))
            case Observation(), "FeatureOfInterest":
                return iter((FeatureOfInterest(row.datastream.entity),))
        raise AssertionError((type(row).__name__, link))

    def observed(self, row: Row | None, narrowing: Narrowing) -> Iterator[Datastream]:
        """The Datastreams whose observations are those of `row` (None: of the whole set)."""
        match row:
            case Datastream():
                found: Iterator[Datastream] = iter((row,))
            case FeatureOfInterest():
                found = iter(Thing(row.entity).datastreams)
            case _:
                found = self._datastreams(narrowing)
        return found if narrowing.keeps is None else filter(narrowing.keeps, found)

    # -- entities ----------------------------------------------------------
    def entity(self, id: str) -> Entity | None:
        """The entity with this id when it is a Thing."""
        entity = self._reads.get(self.lens.tenant, id)
        living = None if entity is None else alive(entity, self.lens.now)
        return living if living is not None and Thing(living).datastreams else None

    def _entities(self, narrowing: Narrowing, attrs: Iterable[str] = ()) -> Iterator[Entity]:
        if narrowing.ids is not None:
            for id in sorted(set(narrowing.ids)):
                entity = self.entity(id)
                if entity is not None:
                    yield entity
            return
        query = Query(types=narrowing.types, q=narrowing.q, attrs=list(attrs))
        for found in self._reads.scan(self.lens.tenant, query):
            living = alive(found, self.lens.now)
            if living is not None and Thing(living).datastreams:
                yield living

    def _placed(self, narrowing: Narrowing) -> Iterator[Entity]:
        return (each for each in self._entities(narrowing, (LOCATION,)) if location_of(each) is not None)

    def _datastreams(self, narrowing: Narrowing, attrs: Iterable[str] = ()) -> Iterator[Datastream]:
        return (each for entity in self._entities(narrowing, attrs) for each in Thing(entity).datastreams)

    def _find_datastream(self, id: str) -> Datastream | None:
        key = parse_series_id(id)
        entity = None if key is None else self.entity(key.entity_id)
        if entity is None:
            return None
        return next((each for each in Thing(entity).datastreams if each.key == key), None)

    def _find_observation(self, id: str) -> Observation | None:
        parsed = parse_instance_key(id)
        entity = None if parsed is None else self.entity(parsed[0].entity_id)
        if parsed is None or entity is None:
            return None
        key, instance_ids = parsed
        datastream = next((each for each in Thing(entity).datastreams if each.key == key), None)
        if datastream is None:
            return None
        told = parse_instance_id(instance_ids[0])
        return self.series.find(datastream, instance_ids, None if told is None else told[0])

    # -- places ------------------------------------------------------------
    def _history(self, entity: Entity) -> list[HistoricalLocation]:
        """The places of an entity, the earliest first."""
        return [HistoricalLocation(entity, each) for each in self.series.places(entity)][::-1]

    def _find_place(self, id: str) -> HistoricalLocation | None:
        parsed = parse_instance_key(id)
        entity = None if parsed is None else self.entity(parsed[0].entity_id)
        if parsed is None or entity is None or parsed[0].name != LOCATION:
            return None
        places = (HistoricalLocation(entity, each) for each in self.series.places(entity))
        return next((place for place in places if place.id == id), None)

    def _locations(self, row: Thing | HistoricalLocation) -> Iterator[Location]:
        if isinstance(row, Thing):
            return iter((Location(row.entity),) if location_of(row.entity) is not None else ())
        latest = next(self.series.places(row.entity), None)
        return iter((Location(row.entity, None if row.instance == latest else row.instance),))

    # -- sensors and properties --------------------------------------------
    def sensor_of(self, datastream: Datastream) -> Sensor:
        """What feeds a Datastream: the source of its latest instance. Cost: one seek, once."""
        key = datastream.key
        if key not in self._sensors:
            window = Window(names=[key.name], dataset_ids=[key.dataset_id], last_n=1)
            origins = self._reads.origins(self.lens.tenant, key.entity_id, window)
            source = origins[0].cause.source if origins else ""
            self._sensors[key] = Sensor(source=source) if source else Sensor(name=key.name)
        return self._sensors[key]

    def period_of(self, datastream: Datastream) -> tuple[int, int] | None:
        """The times (µs) of a Datastream's first and last observation. Cost: two seeks, once."""
        key = datastream.key
        if key not in self._periods:
            first, last = (self.series.edge(datastream, latest=latest) for latest in (False, True))
            self._periods[key] = None if first is None or last is None else (first.time, last.time)
        return self._periods[key]

    def _of_property(self, row: ObservedProperty) -> Iterator[Datastream]:
        return (each for each in self._datastreams(EVERYTHING, (row.name,)) if each.name == row.name)

    def _of_sensor(self, row: Sensor) -> Iterator[Datastream]:
        attrs = () if row.source else (row.name,)
        return (each for each in self._datastreams(EVERYTHING, attrs) if self.sensor_of(each) == row)

    def _find_sensor(self, id: str) -> Sensor | None:
        form, _, told = id.partition(":")
        name = long_name(told) if form == "attribute" else None
        if form not in ("source", "attribute") or (form == "attribute" and name is None):
            return None
        sensor = Sensor(source=told) if form == "source" else Sensor(name=name or "")
        return sensor if next(self._of_sensor(sensor), None) is not None else None

    # -- texts -------------------------------------------------------------
    def text(self, attribute: Attribute | None) -> str | None:
        """The text of an attribute, in the language that suits the reader best."""
        value = None if attribute is None else attribute.value
        if (
            isinstance(value, dict)
            and value
            and attribute is not None
            and attribute.kind == "LanguageProperty"
        ):
            value = choose_language(value, self.lens.languages)[1]
        if isinstance(value, list) and value:
            value = value[0]
        return value if isinstance(value, str) else None

    def plain(self, name: str, attribute: Attribute) -> Any:
        """The value of an instance in the reader's terms, without what is told beside it."""
        return compact_attribute(name, [attribute], self.lens.ld_context, self._form)

    @cached_property
    def _form(self) -> Form:
        return Form(representation="simplified", lang=self.lens.languages)

    @cached_property
    def name_attributes(self) -> list[str]:
        """The attributes in use that are names (any vocabulary's)."""
        uses = self._reads.attribute_uses(self.lens.tenant)
        return sorted({use.name for use in uses if is_called(use.name, "name")})


def is_called(iri: str, name: str) -> bool:
    """Whether an attribute is called `name` in whatever vocabulary."""
    return iri.endswith((f"/{name}", f"#{name}"))


def narrowed(narrowing: Narrowing, **changes: Any) -> Narrowing:
    """The narrowing with some parts changed."""
    return replace(narrowing, **changes)
