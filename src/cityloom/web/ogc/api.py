"""`/ogc/api`: an OpenAPI 3.0 document of what stands below `/ogc`, made from the table of operations.

Source: OpenAPI Specification 3.0.3; OGC 17-069r4 clause 9 (requirements class "OpenAPI 3.0").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from starlette.responses import Response

from cityloom import __version__
from cityloom.web.answers import encode
from cityloom.web.body import GEO_JSON, JSON
from cityloom.web.filters import FILTER_LANGUAGES
from cityloom.web.html import HTML
from cityloom.web.incoming import Incoming
from cityloom.web.ogc.pages import Pages
from cityloom.web.ogc.shared import API, COMMON_PARAMS, OPENAPI_JSON, ROOT, SCHEMA_JSON, own_links, told
from cityloom.web.openapi import PARAMETERS, PROBLEM, more_parameters
from cityloom.web.problem import PROBLEM_MEDIA_TYPE
from cityloom.web.resource import Operation, Schema
from cityloom.web.services import Services

_VARIABLE = re.compile(r"{(\w+)}")
_OPENAPI: Final[Schema] = {"type": "object", "required": ["openapi", "info", "paths"]}
_JSON_TYPES: Final = frozenset({JSON, GEO_JSON, SCHEMA_JSON, OPENAPI_JSON})
_PATH: Final[dict[str, Schema]] = {
    "tileRow": {"type": "integer", "minimum": 0},
    "tileCol": {"type": "integer", "minimum": 0},
}
_BODILESS: Final = {204: "Nothing.", 304: "Nothing has changed since."}
_PROBLEMS: Final = {
    400: "A parameter is unknown or invalid.",
    401: "An API key is required.",
    403: "This party may not do this.",
    404: "There is no such resource.",
    405: "The resource does not know this method.",
    406: "None of the accepted media types can be produced.",
    413: "The request is larger than this node allows.",
    500: "Something failed here.",
    503: "The node is busy.",
}


def describe(operations: Iterable[Operation], services: Services) -> dict[str, Any]:
    """The OpenAPI 3.0 document of these operations, those below `/ogc` alone."""
    parameters = _parameters(services)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        if operation.path == ROOT or operation.path.startswith(f"{ROOT}/"):
            path = operation.path.removeprefix(ROOT) or "/"
            paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, parameters)
    name = services.city.name.get("en", "Cityloom")
    return {
        "openapi": "3.0.3",
        "info": {
            "title": f"{name}: OGC API",
            "version": __version__,
            "description": "The city's entities as features. Each entity type is a collection.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": ROOT}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": to_openapi_30(PROBLEM)},
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer"},
                "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{}, {"apiKey": []}, {"apiKeyHeader": []}],
    }


def _parameters(services: Services) -> dict[str, Schema]:
    """The schema of each query parameter that OpenAPI 3.0 or this node says more of than `/openapi.json`."""
    uri: Schema = {
        "type": "string",
        "format": "uri",
        "enum": services.crs.uris,
        "default": services.crs.uris[0],
    }
    settings = services.settings
    return {
        "bbox": {
            "type": "array",
            "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
            "items": {"type": "number"},
        },
        "bbox-crs": uri,
        "crs": uri,
        "filter-crs": uri,
        "filter-lang": {"type": "string", "enum": list(FILTER_LANGUAGES), "default": "cql2-text"},
        "limit": {
            "type": "integer",
            "minimum": 1,
            "maximum": settings.items_max,
            "default": min(settings.items_default, settings.items_max),
        },
        "offset": {"type": "integer", "minimum": 0, "default": 0},
        "properties": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "sortby": {"type": "array", "items": {"type": "string", "minLength": 1}},
    }


def _operation(operation: Operation, schemas: dict[str, Schema]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH.get(name, {"type": "string"})}
        for name in _VARIABLE.findall(operation.path)
    ]
    for name in sorted(operation.params):
        schema, meaning = PARAMETERS[name]
        if name == "f":
            schema = {"type": "string", "enum": list(operation.formats)}
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": meaning,
                "schema": to_openapi_30(schemas.get(name, schema)),
                "style": "form",
                "explode": False,
            }
        )
    if operation.more_params:
        parameters.append(more_parameters(operation))
    parameters.append(
        {"name": "NGSILD-Tenant", "in": "header", "required": False, "schema": {"type": "string"}}
    )
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": ["OGC API"],
        "parameters": parameters,
        "responses": _responses(operation),
    }


def _responses(operation: Operation) -> dict[str, Any]:
    media_types = operation.answers or tuple(operation.formats.values())
    content = {}
    for media_type in media_types:
        schema: Schema = {"type": "string"}
        if media_type in _JSON_TYPES:
            schema = to_openapi_30(operation.response or {})
        elif media_type != HTML:
            schema = {"type": "string", "format": "binary"}
        content[media_type] = {"schema": schema}
    success = {"description": operation.summary, "content": content}
    responses: dict[str, Any] = {
        str(status): {"description": _BODILESS[status]} if status in _BODILESS else success
        for status in operation.statuses
    }
    problem = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, meaning in _PROBLEMS.items():
        responses[str(status)] = {"description": meaning, "content": problem}
    return responses


def to_openapi_30(schema: Any) -> Any:
    """A JSON Schema 2020-12 in the words of OpenAPI 3.0: `nullable` for null, `enum` for `const`."""
    if isinstance(schema, list):
        return [to_openapi_30(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    said = {name: to_openapi_30(value) for name, value in schema.items()}
    if "const" in said:
        said["enum"] = [said.pop("const")]
    kinds = said.get("type")
    if isinstance(kinds, list):
        others = [kind for kind in kinds if kind != "null"]
        said.pop("type")
        if len(others) == 1:
            said["type"] = others[0]
        else:
            said["anyOf"] = [{"type": kind} for kind in others]
        if "null" in kinds:
            said["nullable"] = True
    return said


def api_operation(operations: Sequence[Operation], services: Services) -> Operation:
    """The operation that serves the document of `operations` and of itself, made when first asked for."""
    described = tuple(operations)

    @cache
    def document() -> dict[str, Any]:
        return describe((*described, operation), services)

    async def read_api(incoming: Incoming) -> Response:
        """`GET /ogc/api`."""
        links = own_links(incoming, API)
        if incoming.accept == HTML:
            return Pages(incoming).api(document(), links)
        return told(incoming, Response(encode(document()), media_type=incoming.accept), links)

    operation = Operation(
        name="getApiDefinition",
        method="GET",
        path=f"{ROOT}/api",
        handler=read_api,
        summary="This API as an OpenAPI 3.0 document",
        params=COMMON_PARAMS,
        answers=(*API.values(), JSON),
        formats=API,
        response=_OPENAPI,
    )
    return operation
