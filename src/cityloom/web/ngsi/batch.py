"""`/entityOperations/...`: batches, item by item, and the query by POST.

Source: ETSI GS CIM 009 clauses 5.6.7 to 5.6.10, 5.6.20, 5.7.2, 6.14 to 6.17, 6.23, 6.31.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET
from starlette.responses import Response

from cityloom.broker.ports import BatchOperation, BatchResult, Item, ItemError
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity, expand_fragment
from cityloom.ld.limits import Limits
from cityloom.model.entity import Entity
from cityloom.model.errors import BadRequestData, CityloomError, PayloadTooLarge
from cityloom.query.scanner import is_uri
from cityloom.query.values import Query
from cityloom.web.body import ENTITY_TYPES, LD_JSON
from cityloom.web.incoming import Incoming
from cityloom.web.ld_context import LD_CONTEXT, checked_source, link_of
from cityloom.web.ngsi.entities import LOCAL, READ_OPTIONS, answer_query
from cityloom.web.ngsi.map_wish import read_map_wish
from cityloom.web.ngsi.queries import (
    REPRESENTATION,
    QueryDocument,
    read_distribution,
    read_query,
    with_selectors,
    words_of,
)
from cityloom.web.ngsi.rendering import read_joining, read_shape
from cityloom.web.paging import PAGING_PARAMS, Paging, parse_paging
from cityloom.web.resource import NGSI_LD_ROOT, Handler, Operation
from cityloom.web.results import batch_answer

_PATH: Final = f"{NGSI_LD_ROOT}/entityOperations"
_AT_ONCE: Final = 100
"""Items expanded before other requests get a turn of the event loop."""

Expand = Callable[[dict[str, Any], LdContext, Limits], Entity]


def _whole(document: dict[str, Any], ld_context: LdContext, limits: Limits) -> Entity:
    return expand_entity(document, ld_context, limits=limits)


def _appended(document: dict[str, Any], ld_context: LdContext, limits: Limits) -> Entity:
    return expand_fragment(document, ld_context, operation="append", limits=limits)


def _merged(document: dict[str, Any], ld_context: LdContext, limits: Limits) -> Entity:
    return expand_fragment(document, ld_context, operation="merge", limits=limits)


async def _run(incoming: Incoming, operation: BatchOperation, expand: Expand) -> BatchResult:
    documents, media_type = await incoming.array()
    _check_size(incoming, documents)
    if media_type == LD_JSON:
        if link_of(incoming.headers) is not None:
            raise BadRequestData("header Link is invalid: in application/ld+json the @context is in the body")
        shared = None
    else:
        shared = await incoming.ld_context()
    items = []
    for index, document in enumerate(documents):
        if index % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        items.append(await _item(incoming, document, shared, expand))
    return await incoming.services.broker.batch(incoming.call, operation, items)


async def _item(incoming: Incoming, document: Any, shared: LdContext | None, expand: Expand) -> Item:
    """One member of the batch, or why it is none."""
    entity_id = ""
    try:
        if not isinstance(document, dict):
            raise BadRequestData("the entity is invalid: a JSON object is required")
        given = document.get("id")
        entity_id = given if isinstance(given, str) else ""
        if shared is None:
            if LD_CONTEXT not in document:
                raise BadRequestData("@context is required in each entity of application/ld+json")
            source = checked_source(document.pop(LD_CONTEXT))
            ld_context = await incoming.services.contexts.resolve(source, incoming.call.tenant)
            if incoming.call.forwarding is not None:
                # What goes on to sources speaks the language of the last; a source reads any.
                incoming.call.forwarding.ld_context = ld_context
        else:
            if LD_CONTEXT in document:
                raise BadRequestData("@context is invalid in a body of application/json: use the Link header")
            ld_context = shared
        entity = expand(document, ld_context, incoming.services.limits)
        if not entity.id:
            raise BadRequestData("id is required")
    except CityloomError as error:
        return Item(id=entity_id, error=error)
    return Item(id=entity.id, entity=entity)


def _check_size(incoming: Incoming, members: list[Any]) -> None:
    most = incoming.services.settings.max_batch
    if not members:
        raise BadRequestData("the body is invalid: the batch is empty")
    if len(members) > most:
        raise PayloadTooLarge(f"the batch is larger than {most} members")


async def create(incoming: Incoming) -> Response:
    """5.6.7."""
    return batch_answer(await _run(incoming, "create", _whole), tells_created=True)


async def upsert(incoming: Incoming) -> Response:
    """5.6.8."""
    if {"replace", "update"} <= incoming.options:
        raise BadRequestData("parameter options is invalid: replace or update, not both")
    operation: BatchOperation = "upsert-update" if "update" in incoming.options else "upsert-replace"
    return batch_answer(await _run(incoming, operation, _whole), tells_created=True)


async def update(incoming: Incoming) -> Response:
    """5.6.9."""
    operation: BatchOperation = "update-no-overwrite" if "noOverwrite" in incoming.options else "update"
    return batch_answer(await _run(incoming, operation, _appended), tells_created=False)


async def merge(incoming: Incoming) -> Response:
    """5.6.20."""
    return batch_answer(await _run(incoming, "merge", _merged), tells_created=False)


async def delete(incoming: Incoming) -> Response:
    """5.6.10."""
    members, _ = await incoming.array()
    _check_size(incoming, members)
    ids = [member for member in members if isinstance(member, str) and is_uri(member)]
    refused = [
        ItemError(
            member if isinstance(member, str) else "", BadRequestData("id is invalid: a URI is required")
        )
        for member in members
        if not (isinstance(member, str) and is_uri(member))
    ]
    result = await incoming.services.broker.batch_delete(incoming.call, ids) if ids else BatchResult()
    if refused:
        result = msgspec.structs.replace(result, errors=[*result.errors, *refused])
    return batch_answer(result, tells_created=False)


async def query(incoming: Incoming) -> Response:
    """5.7.2, by POST."""
    paging = parse_paging(incoming.params, incoming.services.settings)
    document, ld_context = await incoming.document()
    selected, words = read_posted_query(incoming, document, ld_context, paging, links=True)
    read_map_wish(incoming, words)
    shape = read_shape(incoming, words, ld_context)
    return await answer_query(incoming, ld_context, selected, shape, paging)


def read_posted_query(
    incoming: Incoming,
    document: dict[str, Any],
    ld_context: LdContext,
    paging: Paging,
    *,
    links: bool = False,
) -> tuple[Query, dict[str, Any]]:
    """A query of entities by POST, and its words; how far it reaches is kept with the call.

    Args:
        links: whether its conditions may reach into the linked entities that it retrieves.

    Raises:
        BadRequestData: a part is invalid; names it.
    """
    asked = read_query_document(document)
    words: dict[str, Any] = {**words_of(asked, temporal=False), "local": incoming.params.get("local")}
    level = read_joining(words).level if links else 0
    selected = read_query(words, ld_context, paging, selects=asked.entities is UNSET, join_level=level)
    if isinstance(asked.entities, list):
        if any(selector.type.strip() == "*" for selector in asked.entities):
            if words["local"] == "false":
                raise BadRequestData("parameter local is invalid: with type * the scope is local")
            words["type"] = "*"
        selected = with_selectors(selected, asked.entities, ld_context.expand_term)
    read_distribution(incoming, words, ld_context)
    return selected, words


def read_query_document(document: dict[str, Any]) -> QueryDocument:
    """A Query (5.2.23) from a body. Raises BadRequestData naming the member."""
    try:
        return msgspec.convert(document, QueryDocument)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"the body is invalid: {error}") from None


def _operation(
    name: str,
    handler: Handler,
    clause: str,
    summary: str,
    options: frozenset[str] = frozenset(),
    statuses: tuple[int, ...] = (204, 207),
) -> Operation:
    return Operation(
        name=f"batch{name.capitalize()}",
        method="POST",
        path=f"{_PATH}/{name}",
        handler=handler,
        summary=summary,
        clause=clause,
        params=LOCAL | ({"options"} if options else frozenset()),
        options=options,
        statuses=statuses,
    )


OPERATIONS = [
    _operation("create", create, "6.14.3.1", "Create entities", statuses=(201, 207)),
    _operation(
        "upsert",
        upsert,
        "6.15.3.1",
        "Create or update entities",
        frozenset({"replace", "update"}),
        (201, 204, 207),
    ),
    _operation("update", update, "6.16.3.1", "Update entities", frozenset({"noOverwrite"})),
    _operation("delete", delete, "6.17.3.1", "Delete entities"),
    _operation("merge", merge, "6.31.3.1", "Merge fragments into entities"),
    Operation(
        name="queryEntitiesByPost",
        method="POST",
        path=f"{_PATH}/query",
        handler=query,
        summary="Query entities, the query in the body",
        clause="6.23.3.1",
        params=LOCAL | PAGING_PARAMS | REPRESENTATION | {"geometryProperty"},
        options=READ_OPTIONS,
        answers=ENTITY_TYPES,
        statuses=(200, 201, 203),
    ),
]
