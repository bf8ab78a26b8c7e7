"""`/city` and `/map/layers`: what the page begins with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

from cityloom import __version__
from cityloom.ld.context import LdContext
from cityloom.maps.collections import require_tenant
from cityloom.model.errors import BadRequestData
from cityloom.model.time import format_datetime
from cityloom.store.entity_ports import EntityReads
from cityloom.store.ports import Snapshot
from cityloom.web.answers import plain_json
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation, Schema

_KINDS: Final = {
    "Point": "Point",
    "MultiPoint": "Point",
    "LineString": "LineString",
    "MultiLineString": "LineString",
    "Polygon": "Polygon",
    "MultiPolygon": "Polygon",
}


async def describe_city(incoming: Incoming) -> Response:
    """`GET /city`."""
    services = incoming.services
    services.access.check(incoming.call, "read", "city")
    seq = await asyncio.wrap_future(services.store.read(lambda snapshot: snapshot.last_seq()))
    city = msgspec.to_builtins(services.city)
    told = {
        "version": __version__,
        "datum": "WGS 84",
        "itemsMax": services.settings.items_max,
        "cases": services.cases is not None,
        "seq": seq,
    }
    return plain_json({**city, **told})


async def list_layers(incoming: Incoming) -> Response:
    """`GET /map/layers`."""
    services, tenant = incoming.services, incoming.call.tenant
    services.access.check(incoming.call, "read", "map")
    ld_context = await incoming.ld_context()

    def read(snapshot: Snapshot) -> list[dict[str, Any]]:
        require_tenant(snapshot, tenant)
        return _layers(snapshot, tenant, ld_context)

    return plain_json(await asyncio.wrap_future(services.store.read(read)))


def _layers(snapshot: Snapshot, tenant: str, ld_context: LdContext) -> list[dict[str, Any]]:
    attributes: dict[str, list[str]] = {}
    for use in snapshot.attribute_uses(tenant):
        attributes.setdefault(use.type, []).append(ld_context.compact_key(use.name))
    return [
        {
            "type": ld_context.compact_iri(layer.type),
            "typeIri": layer.type,
            "count": layer.count,
            "geometry": _main_kind(layer.geometries),
            "bbox": layer.bbox,
            "usualBbox": snapshot.usual_box(tenant, layer),
            "noPlace": layer.count - sum(layer.geometries.values()),
            "lastModified": format_datetime(layer.modified) if layer.modified is not None else None,
            "observed": format_datetime(layer.observed) if layer.observed is not None else None,
            "silent": layer.silent,
            "attributes": sorted(attributes.get(layer.type, [])),
        }
        for layer in snapshot.layers(tenant)
    ]


def _main_kind(geometries: dict[str, int]) -> str | None:
    counts: dict[str, int] = {}
    for kind, count in geometries.items():
        if kind in _KINDS and count:
            counts[_KINDS[kind]] = counts.get(_KINDS[kind], 0) + count
    return max(counts, key=lambda kind: counts[kind]) if counts else None


def require_types(reads: EntityReads, tenant: str, types: Mapping[str, str], parameter: str) -> None:
    """Returns when something of the tenant has each of these types.

    Args:
        types: type (expanded) -> as the caller wrote it.

    Raises:
        NonexistentTenant, or BadRequestData for a type that nothing has.
    """
    require_tenant(reads, tenant)
    known = {count.type for count in reads.type_counts(tenant)}
    for type, given in types.items():
        if type not in known:
            raise BadRequestData(f"parameter {parameter} is invalid: nothing has the type {given[:200]!r}")


_POSITION: Schema = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_BOX: Schema = {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
_GROUP: Schema = {
    "type": "object",
    "required": ["id", "title", "types"],
    "properties": {
        "id": {"type": "string"},
        "title": {"type": "object"},
        "types": {"type": "array", "items": {"type": "string"}},
    },
}
_CITY: Schema = {
    "type": "object",
    "required": [
        "name",
        "profile",
        "center",
        "bbox",
        "languages",
        "timeZone",
        "attribution",
        "groups",
        "itemsMax",
        "cases",
        "seq",
    ],
    "properties": {
        "name": {"type": "object"},
        "profile": {"type": "string"},
        "center": _POSITION,
        "bbox": _BOX,
        "languages": {"type": "array", "items": {"type": "string"}},
        "timeZone": {"type": "string"},
        "attribution": {"type": "array", "items": {"type": "object"}},
        "groups": {"type": "array", "items": _GROUP},
        "version": {"type": "string"},
        "datum": {"type": "string"},
        "itemsMax": {"type": "integer", "description": "The most features in one answer of `/ogc`."},
        "cases": {"type": "boolean", "description": "Whether the city keeps cases."},
        "seq": {"type": "integer"},
    },
}
_LAYER: Schema = {
    "type": "object",
    "required": [
        "type",
        "typeIri",
        "count",
        "geometry",
        "bbox",
        "usualBbox",
        "noPlace",
        "lastModified",
        "observed",
        "silent",
        "attributes",
    ],
    "properties": {
        "type": {"type": "string"},
        "typeIri": {"type": "string"},
        "count": {"type": "integer"},
        "geometry": {"enum": ["Point", "LineString", "Polygon", None]},
        "bbox": _BOX,
        "usualBbox": {**_BOX, "description": "Without what lies far away from the rest."},
        "noPlace": {"type": "integer", "minimum": 0, "description": "Entities without a location."},
        "lastModified": {"type": ["string", "null"], "format": "date-time"},
        "observed": {"type": ["string", "null"], "format": "date-time"},
        "silent": {"type": "integer", "minimum": 0},
        "attributes": {"type": "array", "items": {"type": "string"}},
    },
}
OPERATIONS = [
    Operation(
        name="describeCity",
        method="GET",
        path="/city",
        handler=describe_city,
        summary="The city and where its log stands",
        response=_CITY,
    ),
    Operation(
        name="listLayers",
        method="GET",
        path="/map/layers",
        handler=list_layers,
        summary="The entity types as map layers",
        response={"type": "array", "items": _LAYER},
    ),
]
