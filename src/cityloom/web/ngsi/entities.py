"""`/entities` and `/entities/{entityId}`.

Source: ETSI GS CIM 009 clauses 5.6.1, 5.6.6, 5.6.17, 5.6.18, 5.6.21, 5.7.1, 5.7.2, 6.4, 6.5.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from cityloom.broker.linked import with_links
from cityloom.ld.compact import compact_collection
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity, expand_fragment
from cityloom.ld.linked import Shape
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData, InvalidRequest, ResourceNotFound
from cityloom.model.time import parse_datetime
from cityloom.query.evaluate import matches_types
from cityloom.query.values import Query
from cityloom.web.answers import created, ld_answer, no_content
from cityloom.web.body import ENTITY_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.ngsi.map_wish import map_headers, map_status, read_map_wish
from cityloom.web.ngsi.queries import (
    COERCION,
    DISTRIBUTED,
    ENTITY_MAPS,
    FORMATS,
    GEO,
    LINKED,
    ORDER,
    PROJECTION,
    REPRESENTATION,
    SELECTION,
    SOURCES,
    read_distribution,
    read_query,
    read_types,
)
from cityloom.web.ngsi.rendering import read_shape, write_entities
from cityloom.web.paging import PAGING_PARAMS, RESULTS_COUNT, Paging, page_links, parse_paging
from cityloom.web.resource import NGSI_LD_ROOT, Operation
from cityloom.web.results import batch_answer

_PATH: Final = f"{NGSI_LD_ROOT}/entities"
LOCAL: Final = frozenset({"local"})
TYPED: Final = LOCAL | {"type"}
READ_OPTIONS: Final = FORMATS | {"sysAttrs"}
QUERY_PARAMS: Final = (
    SELECTION
    | GEO
    | COERCION
    | ORDER
    | PROJECTION
    | REPRESENTATION
    | DISTRIBUTED
    | SOURCES
    | PAGING_PARAMS
    | LINKED
    | ENTITY_MAPS
    | {"geometryProperty"}
)
"""The parameters of a query of entities (Table 6.4.3.2-1)."""


async def create_entity(incoming: Incoming) -> Response:
    """5.6.1."""
    document, ld_context = await incoming.document()
    entity = expand_entity(document, ld_context, limits=incoming.services.limits)
    await incoming.services.broker.create_entity(incoming.call, entity)
    return created("entities", entity.id)


async def query_entities(incoming: Incoming) -> Response:
    """5.7.2."""
    paging = parse_paging(incoming.params, incoming.services.settings)
    ld_context = await incoming.ld_context()
    shape = read_shape(incoming, incoming.params, ld_context)
    query = read_query(incoming.params, ld_context, paging, join_level=shape.joining.level)
    read_distribution(incoming, incoming.params, ld_context)
    read_map_wish(incoming, incoming.params)
    return await answer_query(incoming, ld_context, query, shape, paging)


async def answer_query(
    incoming: Incoming, ld_context: LdContext, query: Query, shape: Shape, paging: Paging
) -> Response:
    """Runs a query and writes one page of it."""
    broker, most = incoming.services.broker, incoming.services.settings.page_max
    query = await with_links(broker, incoming.call, query, most)
    page = await broker.query_entities(incoming.call, query, paging.count)
    documents, status = await write_entities(incoming, page.entities, ld_context, shape)
    return await ld_answer(
        incoming,
        ld_context,
        compact_collection(documents) if shape.form.geojson else documents,
        status=max(status, map_status(incoming)),
        version=shape.form.version,
        links=page_links(incoming.raw_path, incoming.params, paging, page.more, incoming.accept),
        headers=map_headers(incoming) | ({RESULTS_COUNT: str(page.count)} if paging.count else {}),
    )


async def purge_entities(incoming: Incoming) -> Response:
    """5.6.21."""
    ld_context = await incoming.ld_context()
    params = incoming.params
    query = read_query(params, ld_context, Paging(0, 0, False))
    read_distribution(incoming, params, ld_context)
    expand = ld_context.expand_term
    keep = [expand(name) for name in params.names("keep")]
    drop = [expand(name) for name in params.names("drop")]
    if keep and drop:
        raise BadRequestData("parameters keep and drop are invalid together")
    result = await incoming.services.broker.purge(incoming.call, query, keep, drop)
    return batch_answer(result, tells_created=False)


async def retrieve_entity(incoming: Incoming) -> Response:
    """5.7.1."""
    entity_id = incoming.identifier()
    ld_context = await incoming.ld_context()
    shape = read_shape(incoming, incoming.params, ld_context)
    read_map_wish(incoming, incoming.params)
    entity = await _of_type(incoming, ld_context, entity_id)
    attrs = shape.projection.attrs
    if attrs and not any(name in entity.attributes for name in attrs):
        raise ResourceNotFound(f"entity {entity_id} does not exist with any of the attributes asked for")
    documents, status = await write_entities(incoming, [entity], ld_context, shape)
    if not documents:
        raise ResourceNotFound(f"entity {entity_id} does not exist with any of the members asked for")
    flat = shape.joining.level and shape.joining.join == "flat"
    body: dict[str, Any] | list[dict[str, Any]] = documents if flat else documents[0]
    if flat and shape.form.geojson:
        body = compact_collection(documents)
    return await ld_answer(
        incoming,
        ld_context,
        body,
        status=status,
        headers=map_headers(incoming),
        version=shape.form.version,
    )


async def merge_entity(incoming: Incoming) -> Response:
    """5.6.17."""
    entity_id = incoming.identifier()
    fragment, ld_context = await incoming.document()
    params = incoming.params
    wanted = params.text("format") or next(iter(incoming.options), None)
    if wanted not in (None, "simplified", "keyValues", "normalized", "concise"):
        raise InvalidRequest(f"parameter format is invalid: {wanted!r}")
    observed_at = params.text("observedAt")
    if observed_at is not None:
        parse_datetime(observed_at, "parameter observedAt")
    entity = expand_fragment(fragment, ld_context, limits=incoming.services.limits)
    refuse_other_id(entity, entity_id)
    await require_type(incoming, ld_context, entity_id)
    await incoming.services.broker.merge_entity(
        incoming.call,
        entity_id,
        entity,
        observed_at,
        params.text("lang"),
        keep_kinds=wanted in ("simplified", "keyValues"),
    )
    return no_content()


async def replace_entity(incoming: Incoming) -> Response:
    """5.6.18."""
    entity_id = incoming.identifier()
    document, ld_context = await incoming.document()
    if document.get("id", entity_id) != entity_id:
        raise BadRequestData("id is invalid: it is not that of the path")
    limits = incoming.services.limits
    entity = expand_entity({**document, "id": entity_id}, ld_context, limits=limits)
    await require_type(incoming, ld_context, entity_id)
    await incoming.services.broker.replace_entity(incoming.call, entity_id, entity)
    return no_content()


async def delete_entity(incoming: Incoming) -> Response:
    """5.6.6."""
    entity_id = incoming.identifier()
    await require_type(incoming, await incoming.ld_context(), entity_id)
    await incoming.services.broker.delete_entity(incoming.call, entity_id)
    return no_content()


def refuse_other_id(fragment: Entity, entity_id: str) -> None:
    """A fragment may repeat the id of the path, no other. Raises BadRequestData."""
    if fragment.id and fragment.id != entity_id:
        raise BadRequestData("id is invalid: it is not that of the path")


async def require_type(incoming: Incoming, ld_context: LdContext, entity_id: str) -> None:
    """Where `type` is given, the entity must be there with such a type. Raises ResourceNotFound.

    Then its types are known, and sources of other types are not asked to write it (5.12).
    """
    if "type" in incoming.params:
        forwarding = incoming.call.forwarding
        if forwarding is not None:
            forwarding.fresh = True
        entity = await _of_type(incoming, ld_context, entity_id)
        if forwarding is not None:
            forwarding.types = entity.types


async def _of_type(incoming: Incoming, ld_context: LdContext, entity_id: str) -> Entity:
    """The entity, with such a type where `type` is given. Raises ResourceNotFound."""
    text = incoming.params.text("type")
    selected = read_types(text, ld_context) if text is not None else None
    if incoming.call.forwarding is not None:
        incoming.call.forwarding.selected = selected
    entity = await incoming.services.broker.retrieve_entity(incoming.call, entity_id)
    if selected is not None and not matches_types(selected, entity.types):
        raise ResourceNotFound(f"entity {entity.id} does not exist with type {text}")
    return entity


OPERATIONS = [
    Operation(
        name="retrieveEntity",
        method="GET",
        path=_PATH + "/{entityId}",
        handler=retrieve_entity,
        summary="Retrieve an entity",
        clause="6.5.3.1",
        params=TYPED | PROJECTION | REPRESENTATION | LINKED | ENTITY_MAPS | {"geometryProperty"},
        options=READ_OPTIONS,
        answers=ENTITY_TYPES,
        statuses=(200, 203),
    ),
    Operation(
        name="mergeEntity",
        method="PATCH",
        path=_PATH + "/{entityId}",
        handler=merge_entity,
        summary="Merge a fragment into an entity",
        clause="6.5.3.4",
        params=TYPED | REPRESENTATION | {"lang", "observedAt"},
        options=FORMATS,
        statuses=(204,),
        refuses_no_id=True,
    ),
    Operation(
        name="replaceEntity",
        method="PUT",
        path=_PATH + "/{entityId}",
        handler=replace_entity,
        summary="Replace an entity",
        clause="6.5.3.3",
        params=TYPED,
        statuses=(204,),
        refuses_no_id=True,
    ),
    Operation(
        name="deleteEntity",
        method="DELETE",
        path=_PATH + "/{entityId}",
        handler=delete_entity,
        summary="Delete an entity",
        clause="6.5.3.2",
        params=TYPED,
        statuses=(204,),
    ),
    Operation(
        name="queryEntities",
        method="GET",
        path=_PATH,
        handler=query_entities,
        summary="Query entities",
        clause="6.4.3.2",
        params=QUERY_PARAMS,
        options=READ_OPTIONS,
        answers=ENTITY_TYPES,
        statuses=(200, 201, 203),
    ),
    Operation(
        name="createEntity",
        method="POST",
        path=_PATH,
        handler=create_entity,
        summary="Create an entity",
        clause="6.4.3.1",
        params=LOCAL,
        statuses=(201,),
    ),
    Operation(
        name="purgeEntities",
        method="DELETE",
        path=_PATH,
        handler=purge_entities,
        summary="Delete what a query selects, or some attributes of it",
        clause="6.4.3.3",
        params=SELECTION | GEO | LOCAL | SOURCES | {"keep", "drop", "attrs", "geometryProperty"},
        statuses=(204,),
    ),
]
