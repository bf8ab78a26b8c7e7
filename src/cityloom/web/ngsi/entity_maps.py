"""`/entityMaps` and `/temporal/entityMaps`: which entities a sequence of requests is about.

Source: ETSI GS CIM 009 clauses 5.2.39, 5.14, 6.32, 6.34, 6.35.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET
from starlette.responses import Response

from cityloom.broker.ports import EntityMap
from cityloom.ld.context import LdContext
from cityloom.model.errors import BadRequestData
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import Query
from cityloom.web.answers import ld_answer, no_content
from cityloom.web.body import JSON_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.ngsi.batch import read_posted_query, read_query_document
from cityloom.web.ngsi.entities import LOCAL, QUERY_PARAMS, READ_OPTIONS
from cityloom.web.ngsi.map_wish import location, read_map_wish
from cityloom.web.ngsi.queries import REPRESENTATION, Words, read_distribution, read_query, words_of
from cityloom.web.ngsi.rendering import read_shape
from cityloom.web.ngsi.temporal import HISTORY_OPTIONS, HISTORY_PARAMS, read_history_query
from cityloom.web.paging import PAGING_PARAMS, Paging
from cityloom.web.resource import NGSI_LD_ROOT, Operation

_PATH: Final = f"{NGSI_LD_ROOT}/entityMaps"
_WHOLE: Final = Paging(0, 0, False)
"""A map is made of all that a query selects: paging is passed over (5.14.4.3)."""
_MEMBERS: Final = frozenset({"id", "type", "expiresAt", "entityMap", "linkedMaps"})


async def create_entity_map(incoming: Incoming) -> Response:
    """5.14.4."""
    ld_context = await incoming.ld_context()
    query = read_query(incoming.params, ld_context, _WHOLE)
    read_distribution(incoming, incoming.params, ld_context)
    return await _created(incoming, ld_context, incoming.params, query)


async def create_entity_map_by_post(incoming: Incoming) -> Response:
    """5.14.4, by POST."""
    document, ld_context = await incoming.document()
    query, words = read_posted_query(incoming, document, ld_context, _WHOLE)
    return await _created(incoming, ld_context, words, query)


async def _created(incoming: Incoming, ld_context: LdContext, words: Words, query: Query) -> Response:
    read_shape(incoming, words, ld_context)
    read_map_wish(incoming, words, creates=True)
    made = await incoming.services.entity_maps.create_entity_map(incoming.call, query)
    return await _answer(incoming, ld_context, made, created=True)


async def create_temporal_entity_map(incoming: Incoming) -> Response:
    """5.14.5."""
    ld_context = await incoming.ld_context()
    return await _created_of_history(incoming, ld_context, incoming.params, None)


async def create_temporal_entity_map_by_post(incoming: Incoming) -> Response:
    """5.14.5, by POST."""
    document, ld_context = await incoming.document()
    asked = read_query_document(document)
    words: dict[str, Any] = {**words_of(asked, temporal=True), "local": incoming.params.get("local")}
    selectors = asked.entities if asked.entities is not UNSET else None
    return await _created_of_history(incoming, ld_context, words, selectors)


async def _created_of_history(
    incoming: Incoming, ld_context: LdContext, words: Words, selectors: Any
) -> Response:
    asked = read_history_query(incoming, ld_context, words, selectors, _WHOLE)
    read_map_wish(incoming, words, creates=True)
    made = await incoming.services.entity_maps.create_temporal_entity_map(
        incoming.call, asked.query, asked.temporal
    )
    return await _answer(incoming, ld_context, made, created=True)


async def retrieve_entity_map(incoming: Incoming) -> Response:
    """5.14.1."""
    id = incoming.identifier("entityMapId")
    found = await incoming.services.entity_maps.retrieve_entity_map(incoming.call, id)
    return await _answer(incoming, await incoming.ld_context(), found)


async def update_entity_map(incoming: Incoming) -> Response:
    """5.14.2: of what is told, only `expiresAt` is the caller's; output-only members are passed over."""
    id = incoming.identifier("entityMapId")
    document, _ = await incoming.document()
    for name in document:
        if name not in _MEMBERS:
            raise BadRequestData(f"{name[:100]!r} is invalid: an entity map has no such member")
    if document.get("type", "EntityMap") != "EntityMap":
        raise BadRequestData(f"type is invalid: {document['type']!r} is not EntityMap")
    if document.get("id", id) != id:
        raise BadRequestData("id is invalid: it is not that of the path")
    expires_at = None
    if "expiresAt" in document:
        expires_at = parse_datetime(document["expiresAt"], "expiresAt")
    await incoming.services.entity_maps.update_entity_map(incoming.call, id, expires_at)
    return no_content()


async def delete_entity_map(incoming: Incoming) -> Response:
    """5.14.3."""
    id = incoming.identifier("entityMapId")
    await incoming.services.entity_maps.delete_entity_map(incoming.call, id)
    return no_content()


async def _answer(
    incoming: Incoming, ld_context: LdContext, found: EntityMap, *, created: bool = False
) -> Response:
    document: dict[str, Any] = {
        "id": found.id,
        "type": "EntityMap",
        "expiresAt": format_datetime(found.expires_at),
        "entityMap": found.entities,
        "linkedMaps": found.linked,
    }
    headers = location(found.id) if created else None
    return await ld_answer(incoming, ld_context, document, status=201 if created else 200, headers=headers)


OPERATIONS = [
    Operation(
        name="createEntityMap",
        method="GET",
        path=_PATH,
        handler=create_entity_map,
        summary="Make a map of the entities that a query selects",
        clause="6.34.3.1",
        params=QUERY_PARAMS,
        options=READ_OPTIONS,
        answers=JSON_TYPES,
        statuses=(201,),
    ),
    Operation(
        name="createEntityMapByPost",
        method="POST",
        path=_PATH,
        handler=create_entity_map_by_post,
        summary="Make a map of the entities that a query selects, the query in the body",
        clause="6.34.3.2",
        params=LOCAL | PAGING_PARAMS | REPRESENTATION | {"geometryProperty"},
        options=READ_OPTIONS,
        answers=JSON_TYPES,
        statuses=(201,),
    ),
    Operation(
        name="retrieveEntityMap",
        method="GET",
        path=_PATH + "/{entityMapId}",
        handler=retrieve_entity_map,
        summary="Retrieve an entity map",
        clause="6.32.3.1",
        answers=JSON_TYPES,
    ),
    Operation(
        name="updateEntityMap",
        method="PATCH",
        path=_PATH + "/{entityMapId}",
        handler=update_entity_map,
        summary="Give an entity map more or less time",
        clause="6.32.3.2",
        statuses=(204,),
        refuses_no_id=True,
    ),
    Operation(
        name="deleteEntityMap",
        method="DELETE",
        path=_PATH + "/{entityMapId}",
        handler=delete_entity_map,
        summary="Delete an entity map",
        clause="6.32.3.3",
        statuses=(204,),
        refuses_no_id=True,
    ),
    Operation(
        name="createTemporalEntityMap",
        method="GET",
        path=f"{NGSI_LD_ROOT}/temporal/entityMaps",
        handler=create_temporal_entity_map,
        summary="Make a map of the entities that a temporal query selects",
        clause="6.35.3.1",
        params=HISTORY_PARAMS,
        options=HISTORY_OPTIONS,
        answers=JSON_TYPES,
        statuses=(201,),
    ),
    Operation(
        name="createTemporalEntityMapByPost",
        method="POST",
        path=f"{NGSI_LD_ROOT}/temporal/entityMaps",
        handler=create_temporal_entity_map_by_post,
        summary="Make a map of the entities that a temporal query selects, the query in the body",
        clause="6.35.3.2",
        params=LOCAL | PAGING_PARAMS | REPRESENTATION,
        options=HISTORY_OPTIONS,
        answers=JSON_TYPES,
        statuses=(201,),
    ),
]
