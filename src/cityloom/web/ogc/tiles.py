"""`/ogc/collections/{collectionId}/tiles`: vector tiles of a collection, and what is told of them.

Source: OGC 20-057 (OGC API - Tiles, Part 1: Core), OGC 17-083r4.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace
from starlette.responses import Response

from cityloom.ld.context import LdContext
from cityloom.maps.collections import require_tenant
from cityloom.maps.kept import Answered, KeptTiles, Shown
from cityloom.maps.mercator import DEEPEST, TileAddress
from cityloom.maps.queryables import check_filter
from cityloom.maps.tile import Wanted, draw_tile
from cityloom.maps.tilesets import (
    MVT,
    WEB_MERCATOR_QUAD,
    WEB_MERCATOR_QUAD_URI,
    tile_matrix_set,
    tilejson,
    tileset,
    tileset_item,
)
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.store.entity_ports import AttributeUse, LayerSummary
from cityloom.store.ports import Snapshot
from cityloom.web.answers import encode, plain_json
from cityloom.web.body import JSON
from cityloom.web.filters import FILTER_PARAMS, read_filter
from cityloom.web.html import HTML
from cityloom.web.incoming import Incoming
from cityloom.web.ogc.pages import Pages
from cityloom.web.ogc.shared import (
    COMMON_PARAMS,
    METADATA,
    ROOT,
    Link,
    json_answer,
    languages_of,
    link,
    own_links,
    page_language,
    read,
    url_of,
)
from cityloom.web.ogc_words import WORDS
from cityloom.web.resource import Operation, Schema

TILES_CONFORMS_TO: Final = [
    f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}"
    for name in ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt", "oas30")
]
"""The conformance classes of what this module binds."""
SEQ: Final = "Cityloom-Seq"
_TILES: Final = ROOT + "/collections/{collectionId}/tiles"
_TILESET: Final = f"{_TILES}/{WEB_MERCATOR_QUAD}"
_TILING_SCHEME: Final = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"
_TILING_SCHEMES: Final = "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes"
_TILESETS_VECTOR: Final = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
_SMALL: Final = 200
"""Bytes below which nothing is compressed."""
_MOST_PROPERTIES: Final = 50


def tiles_links(incoming: Incoming, collection: str) -> list[Link]:
    """The links from a collection to its tiles (20-057 clause 10)."""
    title = WORDS[page_language(incoming)]["tiles"]
    return [link(url_of(incoming, "collections", collection, "tiles"), _TILESETS_VECTOR, JSON, title)]


def tiling_schemes_link(incoming: Incoming) -> Link:
    """The link from the landing page to the tile matrix sets."""
    title = WORDS[page_language(incoming)]["matrix_sets"]
    return link(url_of(incoming, "tileMatrixSets"), _TILING_SCHEMES, JSON, title)


async def list_tile_matrix_sets(incoming: Incoming) -> Response:
    """`GET /ogc/tileMatrixSets`."""
    incoming.services.access.check(incoming.call, "read", "map")
    own = link(url_of(incoming, "tileMatrixSets", WEB_MERCATOR_QUAD), "self", JSON)
    known = [{"id": WEB_MERCATOR_QUAD, "uri": WEB_MERCATOR_QUAD_URI, "links": [own]}]
    links = own_links(incoming, METADATA)
    if incoming.accept == HTML:
        return Pages(incoming).tile_matrix_sets(known, links)
    return json_answer(incoming, {"tileMatrixSets": known}, links)


async def read_tile_matrix_set(incoming: Incoming) -> Response:
    """`GET /ogc/tileMatrixSets/WebMercatorQuad`."""
    incoming.services.access.check(incoming.call, "read", "map")
    links = own_links(incoming, METADATA)
    if incoming.accept == HTML:
        return Pages(incoming).tile_matrix_set(tile_matrix_set(), links)
    return json_answer(incoming, tile_matrix_set(), links)


async def list_tilesets(incoming: Incoming) -> Response:
    """`GET /ogc/collections/{collectionId}/tiles` (20-057 clause 9)."""
    collection = incoming.path["collectionId"]
    await _read_layer(incoming, await incoming.ld_context())
    here = url_of(incoming, "collections", collection, "tiles")
    item = tileset_item(collection, [link(f"{here}/{WEB_MERCATOR_QUAD}", "self", JSON), _scheme(incoming)])
    links = own_links(incoming, METADATA)
    if incoming.accept == HTML:
        return Pages(incoming).tilesets(item, collection, links)
    return json_answer(incoming, {"links": links, "tilesets": [item]}, links)


async def read_tileset(incoming: Incoming) -> Response:
    """`GET /ogc/collections/{collectionId}/tiles/WebMercatorQuad` (20-057 clause 8)."""
    collection = incoming.path["collectionId"]
    layer, attributes = await _read_layer(incoming, await incoming.ld_context())
    here = url_of(incoming, "collections", collection, "tiles", WEB_MERCATOR_QUAD)
    if incoming.params.get("f") == "tilejson":
        return plain_json(tilejson(collection, layer, attributes, here + "/{z}/{y}/{x}"))
    links = [
        *own_links(incoming, METADATA),
        link(f"{here}?f=tilejson", "alternate", JSON, "TileJSON"),
        _scheme(incoming),
        link(url_of(incoming, "collections", collection), "geodata", JSON, collection),
    ]
    template = here + "/{tileMatrix}/{tileRow}/{tileCol}"
    templated = {**link(template, "item", MVT), "templated": True}
    document = tileset(collection, layer, attributes, [*links, templated])
    if incoming.accept == HTML:
        return Pages(incoming).tileset(document, collection, template, links)
    return json_answer(incoming, document, links)


async def _read_layer(
    incoming: Incoming, ld_context: LdContext
) -> tuple[LayerSummary, dict[str, AttributeUse]]:
    tenant, type = incoming.call.tenant, ld_context.expand_name(incoming.path["collectionId"])

    def work(snapshot: Snapshot) -> tuple[LayerSummary, dict[str, AttributeUse]]:
        require_tenant(snapshot, tenant)
        layer = next((each for each in snapshot.layers(tenant) if each.type == type), None)
        if layer is None:
            raise _no_collection(incoming)
        uses = snapshot.attribute_uses(tenant, type)
        return layer, {ld_context.compact_key(use.name): use for use in uses}

    return await read(incoming, work)


def _no_collection(incoming: Incoming) -> ResourceNotFound:
    return ResourceNotFound(f"collection {incoming.path['collectionId'][:200]!r} does not exist")


def tile_operations(kept: KeptTiles) -> Sequence[Operation]:
    """The operations of tiles, which are kept in `kept`."""

    async def read_tile(incoming: Incoming) -> Response:
        """`GET …/tiles/WebMercatorQuad/{tileMatrix}/{tileRow}/{tileCol}` (20-057 clause 7).

        Cost: drawn off the event loop; a kept tile costs a read of one row.
        """
        tenant, tile = incoming.call.tenant, _address(incoming)
        ld_context = await incoming.ld_context()
        wanted = _wanted(incoming, ld_context)
        shown = Shown(tenant, wanted.type, None if wanted.filter is not None else wanted.attributes)
        # What the names mean decides what the values are called; a condition is told by its text.
        words = (incoming.params.get("filter"), incoming.params.get("filter-lang"))
        key = (tile, replace(wanted, filter=None), words, encode(ld_context.source))

        def work(snapshot: Snapshot) -> Answered:
            require_tenant(snapshot, tenant)
            if not snapshot.changed(tenant, wanted.type, None):
                raise _no_collection(incoming)
            check_filter(snapshot, tenant, wanted.type, ld_context, wanted.filter)
            return kept.answer(snapshot, key, shown, lambda reads: draw_tile(reads, wanted, tile, ld_context))

        return _answer(incoming, await read(incoming, work))

    return [*_FIXED, Operation(handler=read_tile, **_TILE)]


def _answer(incoming: Incoming, answered: Answered) -> Response:
    tile = answered.tile
    headers = {
        "ETag": f'W/"{tile.tag}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding, Accept-Language, Link, NGSILD-Tenant, Authorization, X-API-Key",
        SEQ: str(answered.seq),
    }
    if _matches(incoming.headers.get("if-none-match", ""), tile.tag):
        return Response(status_code=304, headers=headers)
    if tile.size < _SMALL or not _takes_gzip(incoming.headers.get("accept-encoding", "")):
        return Response(gzip.decompress(tile.body), media_type=incoming.accept, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(tile.body, media_type=incoming.accept, headers=headers)


def _matches(header: str, tag: str) -> bool:
    """Whether an If-None-Match header names the tag (RFC 9110 13.1.2: compared weakly)."""
    names = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in names or f'"{tag}"' in names


def _takes_gzip(header: str) -> bool:
    for part in header.split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _address(incoming: Incoming) -> TileAddress:
    numbers = []
    for name in ("tileMatrix", "tileCol", "tileRow"):
        text = incoming.path[name]
        if not (text.isascii() and text.isdigit()):
            raise BadRequestData(f"{name} is invalid: {text[:50]!r} is no whole number")
        numbers.append(int(text[:12]))
    tile = TileAddress(*numbers)
    if not tile.exists:
        raise ResourceNotFound(
            f"the tile does not exist: {WEB_MERCATOR_QUAD} has the matrices 0 to {DEEPEST},"
            " and 2^n columns and rows in matrix n"
        )
    return tile


def _wanted(incoming: Incoming, ld_context: LdContext) -> Wanted:
    collection, params = incoming.path["collectionId"], incoming.params
    keys = tuple(dict.fromkeys(params.names("properties")))
    if len(keys) > _MOST_PROPERTIES:
        raise BadRequestData(f"parameter properties is invalid: it names more than {_MOST_PROPERTIES}")
    keys = tuple(key for key in keys if key not in ("id", "name", "stale"))
    return Wanted(
        tenant=incoming.call.tenant,
        type=ld_context.expand_name(collection),
        name=collection,
        attributes=tuple(ld_context.expand_name(key) for key in keys),
        keys=keys,
        lang=languages_of(incoming),
        filter=read_filter(params, ld_context),
    )


def _scheme(incoming: Incoming) -> Link:
    title = WORDS[page_language(incoming)]["tiling_scheme"]
    return link(url_of(incoming, "tileMatrixSets", WEB_MERCATOR_QUAD), _TILING_SCHEME, JSON, title)


_LINKS: Schema = {"type": "array", "items": {"type": "object", "required": ["href", "rel"]}}
_TILESET_SCHEMA: Schema = {
    "type": "object",
    "required": ["dataType", "crs", "links"],
    "properties": {"dataType": {"const": "vector"}, "crs": {"type": "string"}, "links": _LINKS},
}

_FIXED: Final = [
    Operation(
        name="getTileMatrixSetsList",
        method="GET",
        path=f"{ROOT}/tileMatrixSets",
        handler=list_tile_matrix_sets,
        summary="The tile matrix sets of this node's tiles",
        params=COMMON_PARAMS,
        formats=METADATA,
        response={"type": "object", "required": ["tileMatrixSets"]},
    ),
    Operation(
        name="getTileMatrixSet",
        method="GET",
        path=f"{ROOT}/tileMatrixSets/{WEB_MERCATOR_QUAD}",
        handler=read_tile_matrix_set,
        summary="WebMercatorQuad: what its tile matrices are",
        params=COMMON_PARAMS,
        formats=METADATA,
        response={"type": "object", "required": ["id", "crs", "tileMatrices"]},
    ),
    Operation(
        name="ogc.collection.vector.getTileSetsList",
        method="GET",
        path=_TILES,
        handler=list_tilesets,
        summary="The tilesets of a collection",
        params=COMMON_PARAMS,
        formats=METADATA,
        response={
            "type": "object",
            "required": ["tilesets"],
            "properties": {"links": _LINKS, "tilesets": {"type": "array", "items": _TILESET_SCHEMA}},
        },
    ),
    Operation(
        name="ogc.collection.vector.getTileSet",
        method="GET",
        path=_TILESET,
        handler=read_tileset,
        summary="What is in the vector tiles of a collection, and where",
        params=COMMON_PARAMS,
        formats={**METADATA, "tilejson": JSON},
        response={"type": "object"},
    ),
]
_TILE: Final[dict[str, Any]] = {
    "name": "ogc.collection.vector.getTile",
    "method": "GET",
    "path": _TILESET + "/{tileMatrix}/{tileRow}/{tileCol}",
    "summary": "One vector tile of a collection",
    "params": frozenset({"f", "lang", "properties"}) | FILTER_PARAMS,
    "answers": (MVT, "application/x-protobuf"),
    "formats": {"mvt": MVT},
    "statuses": (200, 304),
    "response": {"type": "string", "contentMediaType": MVT},
}
