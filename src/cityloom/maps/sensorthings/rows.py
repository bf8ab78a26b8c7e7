"""What the entity sets of the view are made of: small values over entities and instances.

Source: OGC 18-088 clause 8.2 (sensing entities).
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from cityloom.maps.sensorthings.ids import SeriesKey, instance_key, series_id, short_name
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.history import Instance

OBSERVABLE: Final = frozenset(
    {"Property", "LanguageProperty", "VocabProperty", "ListProperty", "JsonProperty"}
)
"""Kinds whose values are results; places and relationships are not observed but are where and what."""


class Thing(Struct, frozen=True):
    """An entity that has at least one observed attribute."""

    entity: Entity

    @property
    def id(self) -> str:
        """The entity's."""
        return self.entity.id

    @property
    def datastreams(self) -> list[Datastream]:
        """Its Datastreams, by attribute and dataset."""
        return datastreams_of(self.entity)


class Location(Struct, frozen=True):
    """Where an entity is, or (with `past`) was."""

    entity: Entity
    past: Instance | None = None

    @property
    def id(self) -> str:
        """The entity's; of a past place that of its instance."""
        return self.entity.id if self.past is None else _place_key(self.entity, self.past)


class HistoricalLocation(Struct, frozen=True):
    """That an entity came to a place: an instance of its location."""

    entity: Entity
    instance: Instance

    @property
    def id(self) -> str:
        """Of the instance."""
        return _place_key(self.entity, self.instance)


class Datastream(Struct, frozen=True):
    """One attribute of an entity in one dataset, as it is now."""

    entity: Entity
    name: str
    attribute: Attribute

    @property
    def key(self) -> SeriesKey:
        """What it is a series of."""
        return SeriesKey(self.entity.id, self.name, self.attribute.dataset_id)

    @property
    def id(self) -> str:
        """See `ids.series_id`."""
        return series_id(self.key)


class Sensor(Struct, frozen=True):
    """The source that feeds a Datastream; where none is known, whatever measures the attribute `name`."""

    source: str = ""
    name: str = ""

    @property
    def id(self) -> str:
        """`source:<its name>` or `attribute:<its short name>`."""
        return f"source:{self.source}" if self.source else f"attribute:{short_name(self.name)}"


class ObservedProperty(Struct, frozen=True):
    """An attribute's name, whoever has it."""

    name: str

    @property
    def id(self) -> str:
        """The short name."""
        return short_name(self.name)


class Observation(Struct, frozen=True):
    """One instance of a Datastream's history; `time` is its observedAt in microseconds."""

    datastream: Datastream
    instance: Instance
    time: int

    @property
    def id(self) -> str:
        """Of the instance."""
        return instance_key(self.datastream.key, self.instance.attribute.instance_id or "")


class FeatureOfInterest(Struct, frozen=True):
    """The entity that is observed, as a feature."""

    entity: Entity

    @property
    def id(self) -> str:
        """The entity's."""
        return self.entity.id


Row = (
    Thing
    | Location
    | HistoricalLocation
    | Datastream
    | Sensor
    | ObservedProperty
    | Observation
    | FeatureOfInterest
)


def is_observed(attribute: Attribute) -> bool:
    """Whether an instance is a result that was observed at a time."""
    return attribute.observed_at is not None and attribute.kind in OBSERVABLE


def datastreams_of(entity: Entity) -> list[Datastream]:
    """The Datastreams of an entity, by attribute and dataset."""
    found = [
        Datastream(entity, name, attribute)
        for name, instances in entity.attributes.items()
        for attribute in instances
        if is_observed(attribute)
    ]
    return sorted(found, key=lambda datastream: datastream.key)


def location_of(entity: Entity) -> Attribute | None:
    """The instance of `location` that counts: the default one, else the first."""
    instances = [
        each
        for each in entity.attributes.get(LOCATION, ())
        if each.kind == "GeoProperty" and isinstance(each.value, dict)
    ]
    return next((each for each in instances if not each.dataset_id), instances[0] if instances else None)


def geometry_of(entity: Entity) -> dict[str, Any] | None:
    """The GeoJSON geometry of where the entity is."""
    location = location_of(entity)
    return location.value if location is not None and isinstance(location.value, dict) else None


def _place_key(entity: Entity, instance: Instance) -> str:
    attribute = instance.attribute
    return instance_key(SeriesKey(entity.id, LOCATION, attribute.dataset_id), attribute.instance_id or "")
