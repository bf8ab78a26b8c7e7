"""What is told of tiles: the tile matrix set, and the tileset of a collection.

Source: OGC 17-083r4 clauses 6, 7 (tile matrix set, tile set metadata), OGC 20-057 clauses 8, 9;
TileJSON 3.0.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cityloom.maps.mercator import DEEPEST, tile_matrices, tile_span
from cityloom.store.entity_ports import AttributeUse, LayerSummary
from cityloom.store.map_ports import Box

WEB_MERCATOR_QUAD: Final = "WebMercatorQuad"
WEB_MERCATOR_QUAD_URI: Final = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
WEB_MERCATOR: Final = "http://www.opengis.net/def/crs/EPSG/0/3857"
CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
MVT: Final = "application/vnd.mapbox-vector-tile"
_WORLD: Final = (-180.0, -90.0, 180.0, 90.0)
_DIMENSIONS: Final = {
    "Point": 0,
    "MultiPoint": 0,
    "LineString": 1,
    "MultiLineString": 1,
    "Polygon": 2,
    "MultiPolygon": 2,
}
_GEOMETRIES: Final = ("points", "lines", "polygons")
_OWN: Final = {
    "id": ("string", "Id of the entity"),
    "name": ("string", "Name in the language asked for"),
    "stale": ("boolean", "True where the entity has fallen silent"),
    "count": ("integer", "How many points this one stands for, where they are merged"),
}


def tile_matrix_set() -> dict[str, Any]:
    """WebMercatorQuad as a document (17-083r4 6.2)."""
    return {
        "id": WEB_MERCATOR_QUAD,
        "title": "Google Maps Compatible for the World",
        "uri": WEB_MERCATOR_QUAD_URI,
        "crs": WEB_MERCATOR,
        "orderedAxes": ["X", "Y"],
        "wellKnownScaleSet": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
        "tileMatrices": tile_matrices(),
    }


def tileset_item(title: str, links: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A tileset as its list names it (20-057 clause 9)."""
    return {
        "title": title,
        "dataType": "vector",
        "crs": WEB_MERCATOR,
        "tileMatrixSetURI": WEB_MERCATOR_QUAD_URI,
        "links": list(links),
    }


def tileset(
    name: str,
    layer: LayerSummary,
    attributes: Mapping[str, AttributeUse],
    links: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The tileset metadata of a collection (17-083r4 7.2; 20-057 8.2).

    Args:
        attributes: what `properties` can ask for, by compact name.
    """
    box = layer.bbox or _WORLD
    dimensions = {_DIMENSIONS[kind] for kind in layer.geometries if kind in _DIMENSIONS}
    described: dict[str, Any] = {
        "id": name,
        "dataType": "vector",
        "propertiesSchema": {
            "type": "object",
            "properties": {
                **{key: {"type": kind, "title": title} for key, (kind, title) in _OWN.items()},
                **{key: {"title": use.name} for key, use in attributes.items()},
            },
        },
    }
    if len(dimensions) == 1:
        described["geometryDimension"] = dimensions.pop()
    return {
        **tileset_item(name, links),
        "tileMatrixSetLimits": [_limits(box, z) for z in range(DEEPEST + 1)],
        "boundingBox": {"lowerLeft": [box[0], box[1]], "upperRight": [box[2], box[3]], "crs": CRS84},
        "layers": [described],
    }


def _limits(box: Box, z: int) -> dict[str, Any]:
    left, right, top, bottom = tile_span(box, z)
    return {
        "tileMatrix": str(z),
        "minTileRow": top,
        "maxTileRow": bottom,
        "minTileCol": left,
        "maxTileCol": right,
    }


def tilejson(
    name: str, layer: LayerSummary, attributes: Mapping[str, AttributeUse], url: str
) -> dict[str, Any]:
    """The same for those who read TileJSON, such as MapLibre.

    Args:
        url: of a tile, with {z}, {x} and {y}.
    """
    box = layer.bbox or _WORLD
    fields = {key: title for key, (_, title) in _OWN.items()}
    dimensions = {_DIMENSIONS[kind] for kind in layer.geometries if kind in _DIMENSIONS}
    described: dict[str, Any] = {
        "id": name,
        "fields": fields | {key: use.name for key, use in attributes.items()},
    }
    if len(dimensions) == 1:
        described["geometry_type"] = _GEOMETRIES[dimensions.pop()]
    return {
        "tilejson": "3.0.0",
        "name": name,
        "scheme": "xyz",
        "tiles": [url],
        "minzoom": 0,
        "maxzoom": DEEPEST,
        "bounds": list(box),
        "center": [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 10],
        "vector_layers": [described],
    }
