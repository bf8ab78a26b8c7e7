"""`/temporal/entities` and all below it: the temporal evolution of entities.

Source: ETSI GS CIM 009 clauses 5.6.11 to 5.6.16, 5.7.3, 5.7.4, 6.18 to 6.22, 6.24; RFC 9110 section 14.4.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec import UNSET
from msgspec.structs import replace
from starlette.responses import Response

from cityloom.broker.ports import AggregatedEvolution, TemporalPage
from cityloom.ld.compact import Form
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_attribute_fragment, expand_entity, expand_fragment
from cityloom.ld.temporal import compact_aggregated, compact_evolution
from cityloom.model.entity import DEFAULT_INSTANCE, Entity
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.query.project import project
from cityloom.query.values import Projection, Query, TemporalQuery
from cityloom.store.history_ports import HistoryEntity
from cityloom.web.answers import created, ld_answer, no_content
from cityloom.web.body import JSON_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.ngsi.batch import read_query_document
from cityloom.web.ngsi.entities import LOCAL, refuse_other_id
from cityloom.web.ngsi.entity_attributes import attribute_name, dataset_of
from cityloom.web.ngsi.map_wish import map_headers, map_status, read_map_wish
from cityloom.web.ngsi.queries import (
    AGGREGATION,
    COERCION,
    DISTRIBUTED,
    ENTITY_MAPS,
    GEO,
    ORDER,
    PROJECTION,
    REPRESENTATION,
    SELECTION,
    SOURCES,
    TEMPORAL,
    TEMPORAL_FORMATS,
    TemporalForm,
    Words,
    projected_names,
    read_distribution,
    read_languages,
    read_projection,
    read_query,
    read_temporal,
    read_temporal_form,
    with_selectors,
    words_of,
)
from cityloom.web.paging import AFTER, PAGING_PARAMS, RESULTS_COUNT, Paging, page_links, parse_paging
from cityloom.web.resource import NGSI_LD_ROOT, Operation

_PATH: Final = f"{NGSI_LD_ROOT}/temporal/entities"
HISTORY_OPTIONS: Final = TEMPORAL_FORMATS | {"sysAttrs", "normalized"}
HISTORY_PARAMS: Final = (
    SELECTION
    | GEO
    | COERCION
    | ORDER
    | PROJECTION
    | TEMPORAL
    | AGGREGATION
    | REPRESENTATION
    | DISTRIBUTED
    | SOURCES
    | ENTITY_MAPS
    | PAGING_PARAMS
    | {AFTER}
)
"""The parameters of a temporal query (Table 6.18.3.2-1), and what its links to the next page tell."""


async def upsert_history(incoming: Incoming) -> Response:
    """5.6.11."""
    document, ld_context = await incoming.document()
    entity = expand_entity(document, ld_context, temporal=True, limits=incoming.services.limits)
    append = HistoryAppend(
        entity_id=entity.id, types=entity.types, scopes=entity.scopes, instances=_instances(entity)
    )
    made = await incoming.services.broker.upsert_history(incoming.call, append)
    return created("temporal", "entities", entity.id) if made else no_content()


def _instances(entity: Entity) -> list[Instance]:
    return [
        Instance(name=name, attribute=attribute)
        for name, attributes in entity.attributes.items()
        for attribute in attributes
    ]


async def retrieve_history(incoming: Incoming) -> Response:
    """5.7.3."""
    entity_id = incoming.identifier()
    ld_context = await incoming.ld_context()
    form = read_temporal_form(incoming.params, incoming.options)
    temporal = read_temporal(incoming.params, form)
    projection = read_projection(incoming.params, ld_context)
    read_map_wish(incoming, incoming.params)
    page = await incoming.services.broker.retrieve_history(
        incoming.call,
        entity_id,
        temporal,
        projected_names(projection),
        projection.dataset_ids,
        _most(incoming, temporal),
    )
    documents = _written(page, ld_context, form, temporal, projection)
    if not documents:
        raise ResourceNotFound(f"entity {entity_id} does not exist with any of the members asked for")
    return await _answer(incoming, ld_context, page, documents[0])


async def query_history(incoming: Incoming) -> Response:
    """5.7.4."""
    ld_context = await incoming.ld_context()
    return await _query(incoming, ld_context, incoming.params, None)


async def query_history_by_post(incoming: Incoming) -> Response:
    """5.7.4, by POST."""
    document, ld_context = await incoming.document()
    asked = read_query_document(document)
    words: dict[str, Any] = {**words_of(asked, temporal=True), "local": incoming.params.get("local")}
    selectors = asked.entities if asked.entities is not UNSET else None
    return await _query(incoming, ld_context, words, selectors)


class HistoryQuery(NamedTuple):
    """A temporal query as it was asked."""

    query: Query
    temporal: TemporalQuery
    form: TemporalForm
    projection: Projection


def read_history_query(
    incoming: Incoming, ld_context: LdContext, words: Words, selectors: Any, paging: Paging
) -> HistoryQuery:
    """What a temporal query selects and how it is answered; how far it reaches is kept with the call.

    Args:
        selectors: the EntitySelectors of a Query document; None where there are none.

    Raises:
        BadRequestData: a part is invalid; names it.
    """
    form = read_temporal_form(incoming.params, incoming.options)
    if words.get("timerel") is None:
        raise BadRequestData("timerel is required: a temporal query")
    temporal = read_temporal(words, form)
    if words.get("orderBy") not in (None, "id", "id;asc", "id;desc", ["id"], ["id;asc"], ["id;desc"]):
        raise BadRequestData("orderBy is invalid: evolutions are ordered by id alone")
    query = read_query(words, ld_context, paging, selects=selectors is None)
    if selectors is not None:
        query = with_selectors(query, selectors, ld_context.expand_term)
    projection = read_projection(words, ld_context)
    read_distribution(incoming, words, ld_context)
    return HistoryQuery(replace(query, dataset_ids=projection.dataset_ids), temporal, form, projection)


async def _query(incoming: Incoming, ld_context: LdContext, words: Words, selectors: Any) -> Response:
    paging = parse_paging(incoming.params, incoming.services.settings)
    query, temporal, form, projection = read_history_query(incoming, ld_context, words, selectors, paging)
    query = replace(query, after=incoming.params.text(AFTER) or "")
    read_map_wish(incoming, words)
    page = await incoming.services.broker.query_history(
        incoming.call,
        query,
        temporal,
        projected_names(projection),
        paging.count,
        _most(incoming, temporal),
    )
    return await _answer(
        incoming,
        ld_context,
        page,
        _written(page, ld_context, form, temporal, projection),
        status=map_status(incoming),
        links=page_links(incoming.raw_path, incoming.params, paging, page.more, incoming.accept, page.last),
        headers={RESULTS_COUNT: str(page.count)} if paging.count else {},
    )


def _most(incoming: Incoming, temporal: TemporalQuery) -> int | None:
    """How many instances of an entity are answered uncut: the node's default, or what the caller asked for.

    `lastN` counts for each attribute, so it is no wish for a page of any size (6.3.10).
    """
    if temporal.last_n is None:
        return None
    return max(incoming.services.settings.temporal_default, temporal.last_n)


def _written(
    page: TemporalPage,
    ld_context: LdContext,
    form: TemporalForm,
    temporal: TemporalQuery,
    projection: Projection,
) -> list[dict[str, Any]]:
    """The evolutions of a page; one of which the projection leaves nothing is left out."""
    written = Form(
        representation="simplified" if form.representation == "temporalValues" else "normalized",
        sys_attrs=form.sys_attrs,
        lang=read_languages(projection),
    )
    if form.representation == "aggregatedValues":
        aggregated = (_aggregated(one, ld_context, written, projection) for one in page.aggregated)
        return [document for document in aggregated if document]
    evolutions = (
        compact_evolution(
            project(_head(one.entity), projection),
            {name: many for name, many in one.instances.items() if _asked(name, projection)},
            ld_context,
            written,
            timeproperty=temporal.timeproperty,
        )
        for one in page.evolutions
    )
    return [document for document in evolutions if document]


def _head(found: HistoryEntity) -> Entity:
    return Entity(
        id=found.id,
        types=found.types,
        scopes=found.scopes,
        created_at=found.created_at,
        modified_at=found.modified_at,
        deleted_at=found.deleted_at,
    )


def _asked(name: str, projection: Projection) -> bool:
    """Whether an attribute (expanded) is answered; the broker has read no more than those picked."""
    picked = {path[0] for path in projection.pick} or set(projection.attrs)
    return (not picked or name in picked) and name not in {path[0] for path in projection.omit}


def _aggregated(
    found: AggregatedEvolution, ld_context: LdContext, form: Form, projection: Projection
) -> dict[str, Any]:
    attributes = {key: values for key, values in found.attributes.items() if _asked(key[0], projection)}
    head = project(_head(found.entity), projection)
    return compact_aggregated(head, attributes, found.kinds, ld_context, form)


async def _answer(
    incoming: Incoming,
    ld_context: LdContext,
    page: TemporalPage,
    body: dict[str, Any] | list[dict[str, Any]],
    *,
    status: int = 200,
    links: list[str] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """`status`, or 206 with the range of time that the answer covers when instances were cut (6.3.10)."""
    told = map_headers(incoming) | (headers or {})
    if page.cut and page.range_start is not None and page.range_end is not None:
        size = "*" if page.size is None else str(page.size)
        start, end = format_datetime(page.range_start), format_datetime(page.range_end)
        # The unit that brokers and ETSI's suite agree on; the clause's own text says DateTime.
        told["Content-Range"] = f"date-time {start}-{end}/{size}"
    return await ld_answer(
        incoming,
        ld_context,
        body,
        status=206 if page.cut else status,
        links=links or (),
        headers=told or None,
    )


async def delete_history(incoming: Incoming) -> Response:
    """5.6.16."""
    await incoming.services.broker.delete_history(incoming.call, incoming.identifier())
    return no_content()


async def append_attributes_history(incoming: Incoming) -> Response:
    """5.6.12."""
    entity_id = incoming.identifier()
    document, ld_context = await incoming.document()
    fragment = expand_fragment(document, ld_context, operation="temporal", limits=incoming.services.limits)
    refuse_other_id(fragment, entity_id)
    instances = _instances(fragment)
    if not instances:
        raise BadRequestData("the body is invalid: it has no attribute")
    await incoming.services.broker.append_attributes_history(incoming.call, entity_id, instances)
    return no_content()


async def delete_attribute_history(incoming: Incoming) -> Response:
    """5.6.13."""
    entity_id = incoming.identifier()
    name = attribute_name(incoming, await incoming.ld_context())
    dataset_id = dataset_of(incoming)
    if incoming.params.flag("deleteAll"):
        dataset_id = None
    elif dataset_id is None:
        dataset_id = DEFAULT_INSTANCE
    await incoming.services.broker.delete_history(incoming.call, entity_id, name=name, dataset_id=dataset_id)
    return no_content()


async def update_instance(incoming: Incoming) -> Response:
    """5.6.14."""
    entity_id, instance_id = incoming.identifier(), incoming.identifier("instanceId")
    document, ld_context = await incoming.document()
    name = attribute_name(incoming, ld_context)
    fragment = expand_attribute_fragment(
        _only_instance(incoming, document),
        ld_context,
        name=incoming.path["attrId"],
        limits=incoming.services.limits,
    )
    await incoming.services.broker.update_instance(incoming.call, entity_id, name, instance_id, fragment)
    return no_content()


def _only_instance(incoming: Incoming, document: dict[str, Any]) -> dict[str, Any]:
    """The one instance of an EntityTemporal fragment: bare, or under the attribute's name."""
    name = incoming.path["attrId"]
    if name not in document:
        return document
    found = document[name]
    if isinstance(found, list):
        if len(found) != 1:
            raise BadRequestData(f"{name} is invalid: one instance is required")
        found = found[0]
    if not isinstance(found, dict):
        raise BadRequestData(f"{name} is invalid: a JSON object is required")
    return found


async def delete_instance(incoming: Incoming) -> Response:
    """5.6.15."""
    entity_id, instance_id = incoming.identifier(), incoming.identifier("instanceId")
    name = attribute_name(incoming, await incoming.ld_context())
    await incoming.services.broker.delete_history(
        incoming.call, entity_id, name=name, instance_id=instance_id
    )
    return no_content()


OPERATIONS = [
    Operation(
        name="queryHistory",
        method="GET",
        path=_PATH,
        handler=query_history,
        summary="Query temporal evolutions",
        clause="6.18.3.2",
        params=HISTORY_PARAMS,
        options=HISTORY_OPTIONS,
        answers=JSON_TYPES,
        statuses=(200, 201, 206),
    ),
    Operation(
        name="upsertHistory",
        method="POST",
        path=_PATH,
        handler=upsert_history,
        summary="Create or update a temporal evolution",
        clause="6.18.3.1",
        params=LOCAL,
        statuses=(201, 204),
    ),
    Operation(
        name="retrieveHistory",
        method="GET",
        path=_PATH + "/{entityId}",
        handler=retrieve_history,
        summary="Retrieve a temporal evolution",
        clause="6.19.3.1",
        params=PROJECTION | TEMPORAL | AGGREGATION | REPRESENTATION | ENTITY_MAPS | LOCAL,
        options=HISTORY_OPTIONS,
        answers=JSON_TYPES,
        statuses=(200, 206),
    ),
    Operation(
        name="deleteHistory",
        method="DELETE",
        path=_PATH + "/{entityId}",
        handler=delete_history,
        summary="Delete a temporal evolution",
        clause="6.19.3.2",
        params=LOCAL,
        statuses=(204,),
    ),
    Operation(
        name="appendAttributesHistory",
        method="POST",
        path=_PATH + "/{entityId}/attrs",
        handler=append_attributes_history,
        summary="Add attribute instances to a temporal evolution",
        clause="6.20.3.1",
        params=LOCAL,
        statuses=(204,),
    ),
    Operation(
        name="deleteAttributeHistory",
        method="DELETE",
        path=_PATH + "/{entityId}/attrs/{attrId}",
        handler=delete_attribute_history,
        summary="Delete an attribute from a temporal evolution",
        clause="6.21.3.1",
        params=LOCAL | {"datasetId", "deleteAll"},
        statuses=(204,),
    ),
    Operation(
        name="updateInstance",
        method="PATCH",
        path=_PATH + "/{entityId}/attrs/{attrId}/{instanceId}",
        handler=update_instance,
        summary="Modify an attribute instance of a temporal evolution",
        clause="6.22.3.1",
        params=LOCAL,
        statuses=(204,),
    ),
    Operation(
        name="deleteInstance",
        method="DELETE",
        path=_PATH + "/{entityId}/attrs/{attrId}/{instanceId}",
        handler=delete_instance,
        summary="Delete an attribute instance of a temporal evolution",
        clause="6.22.3.2",
        params=LOCAL,
        statuses=(204,),
    ),
    Operation(
        name="queryHistoryByPost",
        method="POST",
        path=f"{NGSI_LD_ROOT}/temporal/entityOperations/query",
        handler=query_history_by_post,
        summary="Query temporal evolutions, the query in the body",
        clause="6.24.3.1",
        params=LOCAL | PAGING_PARAMS | REPRESENTATION | {AFTER},
        options=HISTORY_OPTIONS,
        answers=JSON_TYPES,
        statuses=(200, 201, 206),
    ),
]
