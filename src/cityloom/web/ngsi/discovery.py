"""`/types` and `/attributes`: which entity types and attributes are in use.

Source: ETSI GS CIM 009 clauses 5.7.5 to 5.7.10, 5.2.24 to 5.2.28, 6.25 to 6.28.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from cityloom.ld.context import LdContext
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.store.entity_ports import AttributeUse
from cityloom.web.answers import ld_answer
from cityloom.web.body import JSON_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.resource import NGSI_LD_ROOT, Operation


async def list_types(incoming: Incoming) -> Response:
    """5.7.5 and, with details, 5.7.6."""
    ld_context = await incoming.ld_context()
    broker = incoming.services.broker
    compact = ld_context.compact_iri
    if incoming.params.flag("details"):
        names: dict[str, list[str]] = {}
        for item in await broker.attribute_uses(incoming.call):
            names.setdefault(item.type, []).append(compact(item.name))
        details = [
            {
                "id": item.type,
                "type": "EntityType",
                "typeName": compact(item.type),
                "attributeNames": names.get(item.type, []),
            }
            for item in await broker.entity_types(incoming.call)
        ]
        return await ld_answer(incoming, ld_context, details)
    types = [compact(item.type) for item in await broker.entity_types(incoming.call)]
    body = {"id": _list_id(incoming, "EntityTypeList"), "type": "EntityTypeList", "typeList": types}
    return await ld_answer(incoming, ld_context, body)


async def retrieve_type(incoming: Incoming) -> Response:
    """5.7.7."""
    ld_context = await incoming.ld_context()
    iri = _expanded(incoming, ld_context, "type")
    found = [item for item in await incoming.services.broker.entity_types(incoming.call) if item.type == iri]
    if not found:
        raise ResourceNotFound(f"entity type {iri} does not exist")
    uses = await incoming.services.broker.attribute_uses(incoming.call, iri)
    body = {
        "id": iri,
        "type": "EntityTypeInfo",
        "typeName": ld_context.compact_iri(iri),
        "entityCount": found[0].count,
        "attributeDetails": [
            {
                "id": item.name,
                "type": "Attribute",
                "attributeName": ld_context.compact_iri(item.name),
                "attributeTypes": item.kinds,
            }
            for item in uses
        ],
    }
    return await ld_answer(incoming, ld_context, body)


async def list_attributes(incoming: Incoming) -> Response:
    """5.7.8 and, with details, 5.7.9."""
    ld_context = await incoming.ld_context()
    by_name = _by_name(await incoming.services.broker.attribute_uses(incoming.call))
    if incoming.params.flag("details"):
        return await ld_answer(
            incoming, ld_context, [_details(name, uses, ld_context) for name, uses in by_name.items()]
        )
    body = {
        "id": _list_id(incoming, "AttributeList"),
        "type": "AttributeList",
        "attributeList": [ld_context.compact_iri(name) for name in by_name],
    }
    return await ld_answer(incoming, ld_context, body)


async def retrieve_attribute(incoming: Incoming) -> Response:
    """5.7.10."""
    ld_context = await incoming.ld_context()
    iri = _expanded(incoming, ld_context, "attrId")
    uses = _by_name(await incoming.services.broker.attribute_uses(incoming.call)).get(iri)
    if uses is None:
        raise ResourceNotFound(f"attribute {iri} does not exist")
    body = {
        **_details(iri, uses, ld_context),
        "attributeCount": sum(item.count for item in uses),
        "attributeTypes": sorted({kind for item in uses for kind in item.kinds}),
    }
    return await ld_answer(incoming, ld_context, body)


def _by_name(uses: Sequence[AttributeUse]) -> dict[str, list[AttributeUse]]:
    by_name: dict[str, list[AttributeUse]] = {}
    for item in sorted(uses, key=lambda item: item.name):
        by_name.setdefault(item.name, []).append(item)
    return by_name


def _details(name: str, uses: Sequence[AttributeUse], ld_context: LdContext) -> dict[str, Any]:
    return {
        "id": name,
        "type": "Attribute",
        "attributeName": ld_context.compact_iri(name),
        "typeNames": [ld_context.compact_iri(item.type) for item in uses],
    }


def _expanded(incoming: Incoming, ld_context: LdContext, variable: str) -> str:
    name = incoming.path[variable]
    if not name:
        raise BadRequestData(f"{variable} is required: it is empty in the path")
    return ld_context.expand_term(name)


def _list_id(incoming: Incoming, kind: str) -> str:
    return f"urn:ngsi-ld:{kind}:{incoming.call.cause.id.removeprefix('request:')}"


_LOCAL = frozenset({"local"})

OPERATIONS = [
    Operation(
        name="listTypes",
        method="GET",
        path=f"{NGSI_LD_ROOT}/types",
        handler=list_types,
        summary="Retrieve available entity types",
        clause="6.25.3.1",
        params=_LOCAL | {"details"},
        answers=JSON_TYPES,
    ),
    Operation(
        name="retrieveType",
        method="GET",
        path=f"{NGSI_LD_ROOT}/types/{{type}}",
        handler=retrieve_type,
        summary="Details about one entity type",
        clause="6.26.3.1",
        params=_LOCAL,
        answers=JSON_TYPES,
    ),
    Operation(
        name="listAttributes",
        method="GET",
        path=f"{NGSI_LD_ROOT}/attributes",
        handler=list_attributes,
        summary="Retrieve available attributes",
        clause="6.27.3.1",
        params=_LOCAL | {"details"},
        answers=JSON_TYPES,
    ),
    Operation(
        name="retrieveAttribute",
        method="GET",
        path=f"{NGSI_LD_ROOT}/attributes/{{attrId}}",
        handler=retrieve_attribute,
        summary="Details about one attribute",
        clause="6.28.3.1",
        params=_LOCAL,
        answers=JSON_TYPES,
    ),
]
