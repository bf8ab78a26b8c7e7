"""`/city` and `/map/layers`: what the page begins with, and the light features that it draws."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

from cityloom import __version__
from cityloom.connect.silence import STALE
from cityloom.ld.context import LdContext
from cityloom.model.errors import BadRequestData, NonexistentTenant
from cityloom.model.time import format_datetime
from cityloom.query.values import GeoQuery, Path, QCompare, Query, TypeIs
from cityloom.store.ports import EntityReads, Snapshot
from cityloom.web.answers import encode, plain_json
from cityloom.web.body import GEO_JSON
from cityloom.web.incoming import Incoming
from cityloom.web.paging import RESULTS_COUNT
from cityloom.web.resource import Operation, Schema

BBox = tuple[float, float, float, float]

_DEFAULT_FEATURES: Final = 10_000
_MOST_FEATURES: Final = 200_000
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
    return plain_json({**city, "version": __version__, "datum": "WGS 84", "seq": seq})


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
            "lastModified": format_datetime(layer.modified) if layer.modified is not None else None,
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


async def layer_features(incoming: Incoming) -> Response:
    """`GET /map/layers/{type}/features`: GeoJSON, by id, with no more than a map draws.

    Cost: encoded off the event loop; the total is counted only where the answer is cut short.
    """
    services, tenant = incoming.services, incoming.call.tenant
    services.access.check(incoming.call, "read", "map")
    ld_context = await incoming.ld_context()
    type_iri = ld_context.expand_name(incoming.path["type"])
    bbox = _bbox(incoming.params.text("bbox"))
    limit = incoming.params.integer("limit", 1) or _DEFAULT_FEATURES
    if limit > _MOST_FEATURES:
        raise BadRequestData(f"parameter limit is invalid: the most is {_MOST_FEATURES}")

    def read(snapshot: Snapshot) -> tuple[bytes, int]:
        require_tenant(snapshot, tenant)
        places = snapshot.places(tenant, type_iri, bbox, limit)
        total = len(places) if len(places) < limit else _count(snapshot, tenant, type_iri, bbox)
        stale = _stale(snapshot, tenant, type_iri)
        features = [
            {"type": "Feature", "id": id, "geometry": geometry, "properties": _properties(name, id in stale)}
            for id, geometry, name in places
        ]
        return encode({"type": "FeatureCollection", "features": features}), total

    body, total = await asyncio.wrap_future(services.store.read(read))
    return Response(body, media_type=GEO_JSON, headers={RESULTS_COUNT: str(total)})


def _properties(name: Any, stale: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {} if name is None else {"name": name}
    if stale:
        properties["stale"] = True
    return properties


def _stale(snapshot: Snapshot, tenant: str, type_iri: str) -> set[str]:
    """The entities of a type that are marked silent; few, and found by the attribute's index."""
    name = LdContext.core.expand_term(STALE)
    silent = QCompare(Path((name,)), "==", True)
    query = Query(types=TypeIs(type_iri), attrs=[name], q=silent, limit=_MOST_FEATURES)
    return {entity.id for entity in snapshot.query(tenant, query)}


def _count(snapshot: Snapshot, tenant: str, type_iri: str, bbox: BBox | None) -> int:
    if bbox is None:
        return sum(
            sum(layer.geometries.values()) for layer in snapshot.layers(tenant) if layer.type == type_iri
        )
    west, south, east, north = bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geo = GeoQuery(georel="intersects", geometry={"type": "Polygon", "coordinates": [ring]})
    return snapshot.count(tenant, Query(types=TypeIs(type_iri), geo=geo))


def _bbox(text: str | None) -> BBox | None:
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise BadRequestData("parameter bbox is invalid: four numbers west,south,east,north") from None
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise BadRequestData("parameter bbox is invalid: west < east and south < north, in degrees")
    return west, south, east, north


def require_tenant(reads: EntityReads, tenant: str) -> None:
    """Returns when the tenant exists. Raises NonexistentTenant."""
    if tenant and tenant not in reads.tenants():
        raise NonexistentTenant(f"tenant {tenant!r} does not exist")


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
        "seq": {"type": "integer"},
    },
}
_LAYER: Schema = {
    "type": "object",
    "required": ["type", "typeIri", "count", "geometry", "bbox", "lastModified", "attributes"],
    "properties": {
        "type": {"type": "string"},
        "typeIri": {"type": "string"},
        "count": {"type": "integer"},
        "geometry": {"enum": ["Point", "LineString", "Polygon", None]},
        "bbox": _BOX,
        "lastModified": {"type": ["string", "null"], "format": "date-time"},
        "attributes": {"type": "array", "items": {"type": "string"}},
    },
}
_FEATURES: Schema = {
    "type": "object",
    "required": ["type", "features"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "id", "geometry", "properties"],
                "properties": {
                    "type": {"const": "Feature"},
                    "id": {"type": "string"},
                    "geometry": {"type": "object"},
                    "properties": {"type": "object"},
                },
            },
        },
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
    Operation(
        name="layerFeatures",
        method="GET",
        path="/map/layers/{type}/features",
        handler=layer_features,
        summary="Light GeoJSON features of one type, by id",
        params=frozenset({"bbox", "limit"}),
        answers=(GEO_JSON, "application/json"),
        response=_FEATURES,
    ),
]
