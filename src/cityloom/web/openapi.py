"""`/openapi.json`: an OpenAPI 3.1 document of every API of this node, made from the table of operations.

Source: OpenAPI Specification 3.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from starlette.responses import Response

from cityloom import __version__
from cityloom.web.answers import encode
from cityloom.web.body import JSON, LD_JSON, MERGE_PATCH
from cityloom.web.incoming import Incoming
from cityloom.web.open311_answers import ERRORS, FORMATS, OPEN311_ROOT
from cityloom.web.problem import NGSI_LD_MEDIA_TYPE, PROBLEM_MEDIA_TYPE
from cityloom.web.resource import NGSI_LD_ROOT, Operation, Schema

_VARIABLE = re.compile(r"{(\w+)}")

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_BOOLEAN: Final[Schema] = {"type": "boolean"}
_URI: Final[Schema] = {"type": "string", "format": "uri"}
_DATE_TIME: Final[Schema] = {"type": "string", "format": "date-time"}

PARAMETERS: Final[dict[str, tuple[Schema, str]]] = {
    "$count": (_BOOLEAN, "Tell the total in @iot.count."),
    "$expand": (_TEXT, "Navigation properties to answer in place, with options in brackets."),
    "$filter": (_TEXT, "An OData expression that holds for what is answered."),
    "$orderby": (_TEXT, "Properties to order by, each with asc or desc."),
    "$select": (_TEXT, "Properties to answer."),
    "$skip": ({"type": "integer", "minimum": 0}, "How many to skip."),
    "$skiptoken": (_TEXT, "Where to go on, from @iot.nextLink."),
    "$top": ({"type": "integer", "minimum": 0}, "The most to answer."),
    "after": (_TEXT, "Begin after this id, or after this instant."),
    "aggregate": ({"enum": ["count", "sum", "avg", "min", "max"]}, "What is told of each area."),
    "aggrMethods": (_TEXT, "Aggregation methods, comma separated (4.5.19)."),
    "aggrPeriodDuration": (_TEXT, "ISO 8601 duration of one period of an aggregation."),
    "areas": (_TEXT, "The type of the areas: entities whose location is a polygon."),
    "at": (_DATE_TIME, "An instant of the past."),
    "attribute": (_TEXT, "One attribute."),
    "attrs": (_TEXT, "Attributes that entities must have one of, and that are answered."),
    "bbox": (_TEXT, "west,south,east,north in degrees (or in bbox-crs); six numbers with heights."),
    "bbox-crs": (_URI, "Coordinate reference system of bbox."),
    "collation": (_TEXT, "ICU collation of an order."),
    "containedBy": (_TEXT, "Ids of entities that are not followed to, comma separated."),
    "coordinates": (_TEXT, "Coordinates of the reference geometry, JSON."),
    "count": (_BOOLEAN, "Tell the total in NGSILD-Results-Count."),
    "crs": (_URI, "Coordinate reference system of the answer."),
    "csf": (_TEXT, "A condition on the properties of context sources (4.9)."),
    "datasetId": (_TEXT, "Instances of attributes, comma separated; @none is the default one."),
    "datetime": (_TEXT, "An instant, or an interval: start/end, ../end, start/.. (RFC 3339)."),
    "deleteAll": (_BOOLEAN, "Delete every instance."),
    "details": (_BOOLEAN, "Answer with details."),
    "drop": (_TEXT, "Attributes to delete, comma separated."),
    "endTimeAt": (_DATE_TIME, "End of the interval."),
    "entityMap": (_BOOLEAN, "Tell the entity map that was used; make one where there is none (5.5.14)."),
    "entityMapLifetime": (_TEXT, "ISO 8601 duration that a new entity map shall live."),
    "expandValues": (_TEXT, "Attributes whose values in q are terms to expand."),
    "f": (_TEXT, "Format of the answer; goes before the Accept header."),
    "filter": (_TEXT, "Condition in CQL2 (OGC 21-065r2), for example no2 > 40 AND status = 'ok'."),
    "filter-crs": (_URI, "Coordinate reference system of geometries in filter."),
    "filter-lang": ({"enum": ["cql2-text", "cql2-json"]}, "Encoding of filter; cql2-text when not given."),
    "format": (_TEXT, "Representation of the answer."),
    "geometry": (_TEXT, "Type of the reference geometry."),
    "geometryProperty": (_TEXT, "GeoProperty that is the geometry of GeoJSON."),
    "geoproperty": (_TEXT, "GeoProperty that the geoquery looks at."),
    "georel": (_TEXT, "Geo relationship (4.10)."),
    "id": (_TEXT, "Ids, comma separated."),
    "idPattern": (_TEXT, "Regular expression for ids."),
    "instanceId": (_TEXT, "Id of one attribute instance."),
    "join": ({"enum": ["flat", "inline", "@none"]}, "How linked entities are answered (4.5.23)."),
    "joinLevel": ({"type": "integer", "minimum": 1}, "How many steps relationships are followed."),
    "jsonKeys": (_TEXT, "Attributes whose members in q are not expanded."),
    "keep": (_TEXT, "Attributes to keep, comma separated."),
    "kind": ({"enum": ["Hosted", "Cached", "ImplicitlyCreated"]}, "Kind of @context."),
    "lang": (_TEXT, "Language tag."),
    "lastEventId": ({"type": "integer", "minimum": 0}, "The last change that was seen."),
    "lastN": ({"type": "integer", "minimum": 1}, "Only the last n instances of each attribute."),
    "limit": ({"type": "integer", "minimum": 0}, "The most to answer."),
    "local": (_BOOLEAN, "Only what this node itself holds."),
    "observedAt": (_DATE_TIME, "Time of observation."),
    "offset": ({"type": "integer", "minimum": 0}, "How many to skip."),
    "omit": (_TEXT, "Members to leave out (4.21)."),
    "options": (_TEXT, "Keywords, comma separated."),
    "orderBy": (_TEXT, "Members to order by (4.23)."),
    "orderFrom": (_TEXT, "Coordinates of the geometry that distances are from."),
    "orderGeometry": (_TEXT, "Type of the geometry that distances are from."),
    "pick": (_TEXT, "Members to answer (4.21)."),
    "properties": (_TEXT, "Properties to answer, comma separated: no2, no2.observedAt, address.street."),
    "purpose": (_TEXT, "What personal data are read for; it is logged."),
    "q": (_TEXT, "Query on attribute values (4.9)."),
    "reload": (_BOOLEAN, "Fetch the document anew."),
    "$resultFormat": ({"enum": ["dataArray"]}, "Observations as arrays."),
    "scopeQ": (_TEXT, "Query on scopes (4.19)."),
    "sortby": (_TEXT, "Properties to order by, comma separated: +a rising, -b falling."),
    "splitEntities": (_BOOLEAN, "Entities may be split between sources."),
    "text": (_TEXT, "What to look for."),
    "timeAt": (_DATE_TIME, "Time that timerel refers to."),
    "timeproperty": (_TEXT, "observedAt, createdAt, modifiedAt or deletedAt."),
    "repeats": ({"enum": ["keep", "omit"]}, "Whether instances that a source delivered again are told."),
    "timerel": ({"enum": ["before", "after", "between"]}, "Temporal relationship (4.11)."),
    "type": (_TEXT, "Selection of entity types (4.17); of layers: names, of cases: codes, comma separated."),
    "actingFor": (_TEXT, "The department for which a role acts."),
    "actor": (_TEXT, "Who does it: a reference, on a node without keys."),
    "area": (_TEXT, "Ids of areas, comma separated."),
    "by": ({"enum": ["department", "area", "type"]}, "Tells each of these by itself, too."),
    "edition": (
        {"type": "integer", "minimum": 1},
        "The number of an edition of the calendar; the one that holds without it.",
    ),
    "evaluatedAt": (_DATE_TIME, "Which evaluation: the one that was made then, while it is kept."),
    "every": ({"enum": ["day", "week", "month"]}, "How the period is divided, by the city's own calendar."),
    "group": (_TEXT, "A department, an area or a type; everything without it."),
    "indicator": (_TEXT, "An indicator of the evaluation."),
    "latitude": ({"type": "number", "minimum": -90, "maximum": 90}, "Of a place, WGS 84 degrees."),
    "longitude": ({"type": "number", "minimum": -180, "maximum": 180}, "Of a place, WGS 84 degrees."),
    "part": (_TEXT, "numerator, denominator, rest, or a reason for which cases are told apart."),
    "caption": (_TEXT, "What a photo shows."),
    "department": (_TEXT, "Codes of departments, comma separated."),
    "holder": (_TEXT, "Who is to act: roles or departments, comma separated."),
    "light": (_TEXT, "green, amber or red, comma separated."),
    "role": (_TEXT, "The role in which the caller acts."),
    "state": (_TEXT, "States of cases, comma separated."),
    "status": (_TEXT, "Which cases: open, closed or all; of Open311: open, closed, comma separated."),
    "api_key": (_TEXT, "An API key, as Open311 sends it."),
    "end_date": (_DATE_TIME, "Requests made until then, included."),
    "extensions": (_BOOLEAN, "Tell the detailed state in extended_attributes."),
    "jurisdiction_id": (_TEXT, "The city, as Open311 names it; without it, the one that is here."),
    "page": ({"type": "integer", "minimum": 1}, "Which page."),
    "page_size": ({"type": "integer", "minimum": 1}, "Requests of a page; 1000 at most."),
    "service_code": (_TEXT, "Codes of services, comma separated."),
    "service_request_id": (_TEXT, "Ids of requests, comma separated; nothing else counts then."),
    "start_date": (_DATE_TIME, "Requests made from then on, included."),
    "step": (_TEXT, "Steps of cases, comma separated."),
    "since": (_DATE_TIME, "Begin of the window, included."),
    "until": (_DATE_TIME, "End of the window, included."),
}
"""Schema and meaning of every query parameter; a test sees to it that none is missing."""

PROBLEM: Final[Schema] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def describe(operations: Iterable[Operation]) -> dict[str, Any]:
    """The OpenAPI document of these operations."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cityloom",
            "version": __version__,
            "summary": "One live, kept, traceable picture of a city.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": PROBLEM},
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"apiKey": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": ["NGSI-LD" if _is_ngsi_ld(operation) else "Cityloom"],
        "responses": _responses(operation),
    }
    if operation.clause:
        described["description"] = f"ETSI GS CIM 009 clause {operation.clause}."
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in _VARIABLE.findall(operation.path)
    ]
    for name in sorted(operation.params):
        schema, meaning = PARAMETERS[name]
        required = name == "purpose"
        parameters.append(
            {"name": name, "in": "query", "required": required, "schema": schema, "description": meaning}
        )
    if operation.more_params:
        parameters.append(more_parameters(operation))
    parameters.append({"name": "NGSILD-Tenant", "in": "header", "schema": _TEXT})
    described["parameters"] = parameters
    if operation.method in ("POST", "PUT", "PATCH"):
        described["requestBody"] = _request(operation)
    return described


def more_parameters(operation: Operation) -> dict[str, Any]:
    """Parameters whose names only the handler knows, as one that is spread over all other names."""
    return {
        "name": "queryables",
        "in": "query",
        "required": False,
        "description": f"Any name besides: {operation.more_params}.",
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "style": "form",
        "explode": True,
    }


def _request(operation: Operation) -> dict[str, Any]:
    if operation.takes:
        return {"required": True, "content": {media_type: {} for media_type in operation.takes}}
    media_types = [JSON]
    if _is_ngsi_ld(operation):
        media_types.append(LD_JSON)
        if operation.method == "PATCH":
            media_types.append(MERGE_PATCH)
    schema = operation.request or {"type": ["object", "array"]}
    return {"required": True, "content": {media_type: {"schema": schema} for media_type in media_types}}


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status in operation.statuses:
        response: dict[str, Any] = {"description": _MEANINGS.get(status, "Success.")}
        if status in (200, 201, 206, 207, 503) and operation.response is not None:
            media_types = operation.answers or (JSON,)
            response["content"] = {name: {"schema": operation.response} for name in media_types}
        responses[str(status)] = response
    if operation.path.startswith(OPEN311_ROOT):
        content = {name: {"schema": ERRORS} for name in FORMATS.values()}
        responses["default"] = {"description": "What went wrong.", "content": content}
        return responses
    media_type = NGSI_LD_MEDIA_TYPE if _is_ngsi_ld(operation) else PROBLEM_MEDIA_TYPE
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    responses["default"] = {"description": "What went wrong.", "content": {media_type: problem}}
    return responses


_MEANINGS: Final = {
    201: "It was made.",
    204: "It was done.",
    304: "Nothing has changed since.",
    206: "Part of it: instances were cut.",
    207: "Some of it: what was and was not done.",
    501: "Not built yet.",
}


def _is_ngsi_ld(operation: Operation) -> bool:
    return operation.path.startswith(NGSI_LD_ROOT)


def openapi_operation(operations: list[Operation]) -> Operation:
    """The operation that serves the document of `operations` and of itself, made when first asked for."""
    described = tuple(operations)

    @cache
    def body() -> bytes:
        return encode(describe((*described, operation)))

    async def read_openapi(incoming: Incoming) -> Response:
        """`GET /openapi.json`."""
        return Response(body(), media_type=JSON)

    operation = Operation(
        name="readOpenapi",
        method="GET",
        path="/openapi.json",
        handler=read_openapi,
        summary="This document",
        response={"type": "object", "required": ["openapi", "info", "paths"]},
    )
    return operation
