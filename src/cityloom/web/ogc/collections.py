"""`/ogc`: landing page, conformance, collections and what of them can be asked for.

Source: OGC 17-069r4 clauses 7.2 to 7.4, 7.13, 7.14; OGC 18-058r1 clause 6.2; OGC 19-079r2 clause 7.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from cityloom.ld.context import LdContext
from cityloom.maps.collections import Collection, find_collection, read_collections
from cityloom.maps.crs import CRS84
from cityloom.maps.queryables import below_queryables, read_queryables
from cityloom.web.body import GEO_JSON, JSON
from cityloom.web.html import HTML
from cityloom.web.incoming import Incoming
from cityloom.web.ogc.pages import Pages
from cityloom.web.ogc.schemas import COLLECTION, COLLECTIONS, CONFORMANCE, LANDING_PAGE, QUERYABLES_SCHEMA
from cityloom.web.ogc.shared import (
    COMMON_PARAMS,
    FEATURES,
    METADATA,
    OPENAPI_JSON,
    QUERYABLES,
    ROOT,
    SCHEMA,
    Link,
    json_answer,
    languages_of,
    link,
    own_links,
    read,
    url_of,
)
from cityloom.web.ogc.tiles import TILES_CONFORMS_TO, tiles_links, tiling_schemes_link
from cityloom.web.resource import Operation

_PART_1: Final = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"
_PART_2: Final = "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/"
_PART_3: Final = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/"
_PART_3_CLASSES: Final = ("queryables", "queryables-query-parameters", "filter", "features-filter")
_CQL2: Final = "http://www.opengis.net/spec/cql2/1.0/conf/"
_CQL2_CLASSES: Final = (
    "cql2-text",
    "cql2-json",
    "basic-cql2",
    "advanced-comparison-operators",
    "case-insensitive-comparison",
    "accent-insensitive-comparison",
    "basic-spatial-functions",
    "basic-spatial-functions-plus",
    "spatial-functions",
    "temporal-functions",
    "array-functions",
    "property-property",
    "arithmetic",
)
CONFORMS_TO: Final = [
    *(_PART_1 + name for name in ("core", "geojson", "html", "oas30")),
    _PART_2 + "crs",
    *(_PART_3 + name for name in _PART_3_CLASSES),
    *(_CQL2 + name for name in _CQL2_CLASSES),
    *TILES_CONFORMS_TO,
]
"""The conformance classes of what stands below `/ogc`."""


async def read_landing_page(incoming: Incoming) -> Response:
    """`GET /ogc` (7.2)."""
    incoming.services.access.check(incoming.call, "read", "map")
    pages = Pages(incoming)
    words = pages.words
    links = [
        *own_links(incoming, METADATA),
        link(url_of(incoming, "api", params={"f": "json"}), "service-desc", OPENAPI_JSON, words["api"]),
        link(url_of(incoming, "api", params={"f": "html"}), "service-doc", HTML, words["api"]),
        link(url_of(incoming, "conformance"), "conformance", JSON, words["conformance"]),
        link(url_of(incoming, "collections"), "data", JSON, words["collections"]),
        tiling_schemes_link(incoming),
    ]
    if incoming.accept == HTML:
        return pages.landing(links)
    body: dict[str, Any] = {"title": pages.city_name(), "description": words["city"], "links": links}
    attribution = "; ".join(each["name"] for each in incoming.services.city.attribution)
    if attribution:
        body["attribution"] = attribution
    return json_answer(incoming, body, links)


async def read_conformance(incoming: Incoming) -> Response:
    """`GET /ogc/conformance` (7.4)."""
    incoming.services.access.check(incoming.call, "read", "map")
    links = own_links(incoming, METADATA)
    if incoming.accept == HTML:
        return Pages(incoming).conformance(CONFORMS_TO, links)
    return json_answer(incoming, {"conformsTo": CONFORMS_TO}, links)


async def list_collections(incoming: Incoming) -> Response:
    """`GET /ogc/collections` (7.13)."""
    ld_context = await incoming.ld_context()
    tenant = incoming.call.tenant
    found = await read(incoming, lambda snapshot: read_collections(snapshot, tenant, ld_context))
    documents = [describe(incoming, collection) for collection in found]
    links = own_links(incoming, METADATA)
    if incoming.accept == HTML:
        return Pages(incoming).collections(documents, links)
    body = {"links": links, "collections": documents, "crs": incoming.services.crs.uris}
    return json_answer(incoming, body, links)


async def read_collection(incoming: Incoming) -> Response:
    """`GET /ogc/collections/{collectionId}` (7.14)."""
    collection = await _collection(incoming, await incoming.ld_context())
    document = describe(incoming, collection)
    links = [*own_links(incoming, METADATA), *document["links"]]
    if incoming.accept == HTML:
        return Pages(incoming).collection(document, links)
    return json_answer(incoming, {**document, "links": links}, links)


async def list_queryables(incoming: Incoming) -> Response:
    """`GET /ogc/collections/{collectionId}/queryables` (19-079r2 7.2)."""
    ld_context = await incoming.ld_context()
    collection = await _collection(incoming, ld_context)
    tenant, languages = incoming.call.tenant, languages_of(incoming)
    properties = await read(
        incoming, lambda snapshot: read_queryables(snapshot, tenant, collection, ld_context, languages)
    )
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": url_of(incoming, "collections", collection.id, "queryables"),
        "title": collection.title,
        "type": "object",
        "properties": properties,
        "patternProperties": {below_queryables(properties): {}},
        "additionalProperties": False,
    }
    links = own_links(incoming, SCHEMA)
    if incoming.accept == HTML:
        return Pages(incoming).queryables(document, collection.id, links)
    return json_answer(incoming, document, links)


async def _collection(incoming: Incoming, ld_context: LdContext) -> Collection:
    tenant, wanted = incoming.call.tenant, incoming.path["collectionId"]
    return await read(incoming, lambda snapshot: find_collection(snapshot, tenant, ld_context, wanted))


def describe(incoming: Incoming, collection: Collection) -> dict[str, Any]:
    """A collection as its document, with the links that it has everywhere."""
    words = Pages(incoming).words
    document: dict[str, Any] = {
        "id": collection.id,
        "title": collection.title,
        "description": f"{collection.title}: {collection.type}",
        "itemType": "feature",
        "crs": incoming.services.crs.uris,
        "storageCrs": CRS84,
    }
    if collection.box is not None:
        document["extent"] = {"spatial": {"bbox": [collection.box], "crs": CRS84}}
    items = ("collections", collection.id, "items")
    # GDAL puts the id of a feature behind the link to GeoJSON, which is what comes without `f`.
    links: list[Link] = [
        link(
            url_of(incoming, *items, params={"f": word} if media_type != GEO_JSON else None),
            "items",
            media_type,
            words["items"],
        )
        for word, media_type in FEATURES.items()
    ]
    links += [
        link(
            url_of(incoming, "collections", collection.id, "queryables", params={"f": word}),
            QUERYABLES,
            media_type,
            words["queryables"],
        )
        for word, media_type in SCHEMA.items()
    ]
    links += tiles_links(incoming, collection.id)
    return {**document, "links": links}


OPERATIONS = [
    Operation(
        name="getLandingPage",
        method="GET",
        path=ROOT,
        handler=read_landing_page,
        summary="The landing page: where everything is",
        params=COMMON_PARAMS,
        answers=tuple(METADATA.values()),
        formats=METADATA,
        response=LANDING_PAGE,
    ),
    Operation(
        name="getConformanceDeclaration",
        method="GET",
        path=f"{ROOT}/conformance",
        handler=read_conformance,
        summary="The conformance classes that are met",
        params=COMMON_PARAMS,
        answers=tuple(METADATA.values()),
        formats=METADATA,
        response=CONFORMANCE,
    ),
    Operation(
        name="getCollections",
        method="GET",
        path=f"{ROOT}/collections",
        handler=list_collections,
        summary="Every collection: one for each entity type",
        params=COMMON_PARAMS,
        answers=tuple(METADATA.values()),
        formats=METADATA,
        response=COLLECTIONS,
    ),
    Operation(
        name="describeCollection",
        method="GET",
        path=f"{ROOT}/collections/{{collectionId}}",
        handler=read_collection,
        summary="One collection",
        params=COMMON_PARAMS,
        answers=tuple(METADATA.values()),
        formats=METADATA,
        response=COLLECTION,
    ),
    Operation(
        name="getQueryables",
        method="GET",
        path=f"{ROOT}/collections/{{collectionId}}/queryables",
        handler=list_queryables,
        summary="What of a collection can be asked for, as JSON Schema",
        params=COMMON_PARAMS,
        answers=(*SCHEMA.values(), JSON),
        formats=SCHEMA,
        response=QUERYABLES_SCHEMA,
    ),
]
