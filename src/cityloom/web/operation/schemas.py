"""`/schemas`: JSON Schemas registered for entity types at run time."""

from __future__ import annotations

from starlette.responses import Response

from cityloom.model.errors import BadRequestData
from cityloom.web.answers import encode, no_content, plain_json
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation, Schema

_SCHEMA_TYPE = "application/schema+json"


async def list_schemas(incoming: Incoming) -> Response:
    """`GET /schemas`."""
    ld_context = await incoming.ld_context()
    types = await incoming.services.schemas.list(incoming.call)
    return plain_json([{"type": ld_context.compact_iri(iri), "typeIri": iri} for iri in types])


async def retrieve_schema(incoming: Incoming) -> Response:
    """`GET /schemas/{type}`."""
    schema = await incoming.services.schemas.retrieve(incoming.call, await _type(incoming))
    return Response(encode(schema), media_type=_SCHEMA_TYPE)


async def put_schema(incoming: Incoming) -> Response:
    """`PUT /schemas/{type}`."""
    type_iri = await _type(incoming)
    schema = await incoming.json()
    if not isinstance(schema, dict):
        raise BadRequestData("the body is invalid: a JSON Schema is required, an object")
    made = await incoming.services.schemas.put(incoming.call, type_iri, schema)
    return Response(status_code=201 if made else 204)


async def delete_schema(incoming: Incoming) -> Response:
    """`DELETE /schemas/{type}`."""
    await incoming.services.schemas.delete(incoming.call, await _type(incoming))
    return no_content()


async def _type(incoming: Incoming) -> str:
    ld_context = await incoming.ld_context()
    return ld_context.expand_name(incoming.path["type"])


_PATH = "/schemas/{type}"
_ANY_SCHEMA: Schema = {"type": "object"}

OPERATIONS = [
    Operation(
        name="listSchemas",
        method="GET",
        path="/schemas",
        handler=list_schemas,
        summary="The entity types that have a schema",
        response={
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "typeIri"],
                "properties": {"type": {"type": "string"}, "typeIri": {"type": "string"}},
            },
        },
    ),
    Operation(
        name="retrieveSchema",
        method="GET",
        path=_PATH,
        handler=retrieve_schema,
        summary="The schema of an entity type",
        answers=(_SCHEMA_TYPE, "application/json"),
        response=_ANY_SCHEMA,
    ),
    Operation(
        name="putSchema",
        method="PUT",
        path=_PATH,
        handler=put_schema,
        summary="Register the schema of an entity type: data that breaks it is refused",
        statuses=(201, 204),
        request=_ANY_SCHEMA,
    ),
    Operation(
        name="deleteSchema",
        method="DELETE",
        path=_PATH,
        handler=delete_schema,
        summary="Forget the schema of an entity type",
        statuses=(204,),
    ),
]
