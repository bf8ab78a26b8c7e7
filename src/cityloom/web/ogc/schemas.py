"""JSON Schemas of the answers below `/ogc`, such as OpenAPI 3.0 can say too.

Source: OGC 17-069r4 clauses 7.2 to 7.16; RFC 7946.
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_LINK: Final[Schema] = {
    "type": "object",
    "required": ["href", "rel"],
    "properties": {"href": _TEXT, "rel": _TEXT, "type": _TEXT, "title": _TEXT},
}
_LINKS: Final[Schema] = {"type": "array", "items": _LINK}
_NUMBERS: Final[Schema] = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}

LANDING_PAGE: Final[Schema] = {
    "type": "object",
    "required": ["links"],
    "properties": {"title": _TEXT, "description": _TEXT, "attribution": _TEXT, "links": _LINKS},
}
CONFORMANCE: Final[Schema] = {
    "type": "object",
    "required": ["conformsTo"],
    "properties": {"conformsTo": {"type": "array", "items": _TEXT}},
}
COLLECTION: Final[Schema] = {
    "type": "object",
    "required": ["id", "links"],
    "properties": {
        "id": _TEXT,
        "title": _TEXT,
        "description": _TEXT,
        "itemType": {"type": "string", "default": "feature"},
        "crs": {"type": "array", "items": _TEXT},
        "storageCrs": _TEXT,
        "extent": {
            "type": "object",
            "properties": {
                "spatial": {
                    "type": "object",
                    "properties": {
                        "bbox": {"type": "array", "minItems": 1, "items": _NUMBERS},
                        "crs": _TEXT,
                    },
                }
            },
        },
        "links": _LINKS,
    },
}
COLLECTIONS: Final[Schema] = {
    "type": "object",
    "required": ["links", "collections"],
    "properties": {
        "links": _LINKS,
        "crs": {"type": "array", "items": _TEXT},
        "collections": {"type": "array", "items": COLLECTION},
    },
}
QUERYABLES_SCHEMA: Final[Schema] = {
    "type": "object",
    "required": ["$schema", "$id", "type", "properties"],
    "properties": {"type": {"type": "string", "enum": ["object"]}, "properties": {"type": "object"}},
}
FEATURE: Final[Schema] = {
    "type": "object",
    "required": ["type", "id", "geometry", "properties"],
    "properties": {
        "type": {"type": "string", "enum": ["Feature"]},
        "id": _TEXT,
        "geometry": {"description": "A GeoJSON geometry, or null."},
        "properties": {"type": "object"},
        "links": _LINKS,
    },
}
FEATURE_COLLECTION: Final[Schema] = {
    "type": "object",
    "required": ["type", "features"],
    "properties": {
        "type": {"type": "string", "enum": ["FeatureCollection"]},
        "features": {"type": "array", "items": FEATURE},
        "links": _LINKS,
        "timeStamp": {"type": "string", "format": "date-time"},
        "numberMatched": {"type": "integer", "minimum": 0},
        "numberReturned": {"type": "integer", "minimum": 0},
    },
}
