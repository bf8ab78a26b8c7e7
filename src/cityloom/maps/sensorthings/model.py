"""The entity sets: which properties and navigation properties each has, and where their values come from.

Source: OGC 18-088 clause 8.2, tables 2 to 19.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import quote

from msgspec import Struct

from cityloom.maps.sensorthings.ids import short_name
from cityloom.maps.sensorthings.rows import (
    Datastream,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    Observation,
    Sensor,
    Thing,
    geometry_of,
    is_observed,
)
from cityloom.maps.sensorthings.units import unit_of_measurement
from cityloom.maps.sensorthings.view import View, is_called
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.time import format_datetime

GEO_JSON: Final = "application/geo+json"
_OM: Final = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"

Domain = Literal["json", "time", "period", "geometry"]
"""How a filter reads a property's value: as it is, as a moment, as a span of moments, as a geometry."""


class Property(Struct, frozen=True):
    """A property: how to get its JSON value from a row (None: it has none), and how filters read it."""

    get: Callable[[View, Any], Any]
    domain: Domain = "json"


class Link(Struct, frozen=True):
    """A navigation property: the set it leads into, and whether to many."""

    target: str
    many: bool = False


class Kind(Struct, frozen=True, kw_only=True):
    """An entity set."""

    name: str
    properties: dict[str, Property]
    links: dict[str, Link]


def self_link(view: View, kind: Kind, id: str) -> str:
    """The URL of a row: string ids in quotes (OData 4.0 URL conventions 4.3.1)."""
    return f"{view.lens.root}/{kind.name}('{quote(id.replace(chr(39), chr(39) * 2), safe=CHARACTERS)}')"


CHARACTERS: Final = ":@!$'*,;=-._~"
"""What stands as it is in an id in a path, beside letters and digits."""


# -- Things, Locations, features -------------------------------------------
def _called(entity: Entity, name: str) -> Attribute | None:
    for iri, instances in entity.attributes.items():
        if is_called(iri, name):
            return next((each for each in instances if not each.dataset_id), instances[0])
    return None


def entity_name(view: View, entity: Entity) -> str:
    """The entity's name; its id where it has none."""
    return view.text(_called(entity, "name")) or entity.id


def _description(view: View, entity: Entity) -> str:
    types = ", ".join(view.lens.ld_context.compact_iri(type) for type in entity.types)
    return view.text(_called(entity, "description")) or f"{types} {entity.id}"


def _types(view: View, entity: Entity) -> str | list[str]:
    types = [view.lens.ld_context.compact_iri(type) for type in entity.types]
    return types[0] if len(types) == 1 else types


def _thing_properties(view: View, row: Thing) -> dict[str, Any]:
    """The type and what is not observed: attributes by their short names, with plain values."""
    told: dict[str, Any] = {"type": _types(view, row.entity)}
    for iri, instances in row.entity.attributes.items():
        fixed = [each for each in instances if not is_observed(each)]
        if not fixed or iri == LOCATION or is_called(iri, "name") or is_called(iri, "description"):
            continue
        chosen = next((each for each in fixed if not each.dataset_id), fixed[0])
        told[view.lens.ld_context.compact_key(iri)] = view.plain(iri, chosen)
    return told


def _geometry(_: View, row: Location) -> Any:
    return geometry_of(row.entity) if row.past is None else row.past.attribute.value


def _place_time(_: View, row: HistoricalLocation) -> str | None:
    attribute = row.instance.attribute
    return attribute.observed_at or attribute.modified_at


def _feature(view: View, row: FeatureOfInterest) -> dict[str, Any]:
    """The place; a feature without one where the entity has none."""
    geometry = geometry_of(row.entity)
    if geometry is not None:
        return geometry
    return {"type": "Feature", "geometry": None, "properties": {"name": entity_name(view, row.entity)}}


def _of_type(view: View, row: Location | FeatureOfInterest) -> dict[str, Any]:
    return {"type": _types(view, row.entity)}


# -- Datastreams and what is observed ---------------------------------------
def _datastream_name(view: View, row: Datastream) -> str:
    dataset = f" ({row.attribute.dataset_id})" if row.attribute.dataset_id else ""
    return f"{view.lens.ld_context.compact_key(row.name)}{dataset} of {entity_name(view, row.entity)}"


def _datastream_description(view: View, row: Datastream) -> str:
    return f"{row.name} of {row.entity.id}"


def observation_type(attribute: Attribute) -> str:
    """The kind of a Datastream's results, by its present one."""
    value = attribute.value
    if isinstance(value, bool):
        return _OM + "OM_TruthObservation"
    if isinstance(value, int | float):
        return _OM + "OM_Measurement"
    if attribute.kind == "VocabProperty" or isinstance(value, str):
        return _OM + "OM_CategoryObservation"
    return _OM + "OM_Observation"


def _period(view: View, row: Datastream) -> str | None:
    period = view.period_of(row)
    return None if period is None else "/".join(map(format_datetime, period))


def _datastream_properties(_: View, row: Datastream) -> dict[str, Any]:
    told = {"entity": row.entity.id, "attribute": row.name}
    if row.attribute.unit_code is not None:
        told["unitCode"] = row.attribute.unit_code
    if row.attribute.dataset_id:
        told["datasetId"] = row.attribute.dataset_id
    return told


def _sensor_name(view: View, row: Sensor) -> str:
    return row.source or view.lens.ld_context.compact_key(row.name)


def _sensor_description(view: View, row: Sensor) -> str:
    if row.source:
        return f"The source {row.source}"
    return f"Whatever tells {view.lens.ld_context.compact_key(row.name)}: no source is known"


def _metadata(view: View, row: Sensor) -> str:
    if not row.source:
        return row.name
    return f"{view.lens.root.removesuffix(ROOT)}/sources/{quote(row.source, safe=CHARACTERS)}"


ROOT: Final = "/sensorthings/v1.1"
"""The path of the service."""


# -- Observations -------------------------------------------------------------
def _result(view: View, row: Observation) -> Any:
    attribute = row.instance.attribute
    if isinstance(attribute.value, int | float | str) and attribute.kind == "Property":
        return attribute.value
    return view.plain(row.instance.name, attribute)


def _time(_: View, row: Observation) -> str:
    return format_datetime(row.time)


def _parameters(_: View, row: Observation) -> dict[str, Any] | None:
    """What else is told of an instance: a unit that is not the Datastream's, and that it is a repeat."""
    told: dict[str, Any] = {}
    if row.instance.attribute.unit_code != row.datastream.attribute.unit_code:
        told["unitCode"] = row.instance.attribute.unit_code
    if row.instance.occurrence:
        told["occurrence"] = row.instance.occurrence
    return told or None


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            name="Things",
            properties={
                "name": Property(lambda view, row: entity_name(view, row.entity)),
                "description": Property(lambda view, row: _description(view, row.entity)),
                "properties": Property(_thing_properties),
            },
            links={
                "Locations": Link("Locations", many=True),
                "HistoricalLocations": Link("HistoricalLocations", many=True),
                "Datastreams": Link("Datastreams", many=True),
            },
        ),
        Kind(
            name="Locations",
            properties={
                "name": Property(lambda view, row: entity_name(view, row.entity)),
                "description": Property(lambda view, row: _description(view, row.entity)),
                "encodingType": Property(lambda view, row: GEO_JSON),
                "location": Property(_geometry, "geometry"),
                "properties": Property(_of_type),
            },
            links={
                "Things": Link("Things", many=True),
                "HistoricalLocations": Link("HistoricalLocations", many=True),
            },
        ),
        Kind(
            name="HistoricalLocations",
            properties={"time": Property(_place_time, "time")},
            links={"Thing": Link("Things"), "Locations": Link("Locations", many=True)},
        ),
        Kind(
            name="Datastreams",
            properties={
                "name": Property(_datastream_name),
                "description": Property(_datastream_description),
                "observationType": Property(lambda view, row: observation_type(row.attribute)),
                "unitOfMeasurement": Property(lambda view, row: unit_of_measurement(row.attribute.unit_code)),
                "observedArea": Property(lambda view, row: geometry_of(row.entity), "geometry"),
                "phenomenonTime": Property(_period, "period"),
                "resultTime": Property(_period, "period"),
                "properties": Property(_datastream_properties),
            },
            links={
                "Thing": Link("Things"),
                "Sensor": Link("Sensors"),
                "ObservedProperty": Link("ObservedProperties"),
                "Observations": Link("Observations", many=True),
            },
        ),
        Kind(
            name="Sensors",
            properties={
                "name": Property(_sensor_name),
                "description": Property(_sensor_description),
                "encodingType": Property(lambda view, row: "application/json" if row.source else "text/html"),
                "metadata": Property(_metadata),
            },
            links={"Datastreams": Link("Datastreams", many=True)},
        ),
        Kind(
            name="ObservedProperties",
            properties={
                "name": Property(lambda view, row: view.lens.ld_context.compact_key(row.name)),
                "definition": Property(lambda view, row: row.name),
                "description": Property(lambda view, row: f"The attribute {short_name(row.name)}"),
            },
            links={"Datastreams": Link("Datastreams", many=True)},
        ),
        Kind(
            name="Observations",
            properties={
                "phenomenonTime": Property(_time, "time"),
                "resultTime": Property(_time, "time"),
                "result": Property(_result),
                "resultQuality": Property(lambda view, row: None),
                "validTime": Property(lambda view, row: None, "period"),
                "parameters": Property(_parameters),
            },
            links={
                "Datastream": Link("Datastreams"),
                "FeatureOfInterest": Link("FeaturesOfInterest"),
            },
        ),
        Kind(
            name="FeaturesOfInterest",
            properties={
                "name": Property(lambda view, row: entity_name(view, row.entity)),
                "description": Property(lambda view, row: _description(view, row.entity)),
                "encodingType": Property(lambda view, row: GEO_JSON),
                "feature": Property(_feature, "geometry"),
                "properties": Property(_of_type),
            },
            links={"Observations": Link("Observations", many=True)},
        ),
    )
}
"""Every entity set, by name."""
