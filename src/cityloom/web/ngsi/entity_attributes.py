"""`/entities/{entityId}/attrs` and `/entities/{entityId}/attrs/{attrId}`.

Source: ETSI GS CIM 009 clauses 5.6.2 to 5.6.5, 5.6.19, 6.6, 6.7.
"""

from __future__ import annotations

from typing import Final, Literal

from starlette.responses import Response

from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_attribute, expand_attribute_fragment, expand_fragment
from cityloom.model.entity import DEFAULT_INSTANCE, Entity
from cityloom.model.errors import BadRequestData
from cityloom.query.scanner import is_uri
from cityloom.web.answers import no_content
from cityloom.web.incoming import Incoming
from cityloom.web.ngsi.entities import TYPED, refuse_other_id, require_type
from cityloom.web.resource import NGSI_LD_ROOT, Operation
from cityloom.web.results import update_answer

_PATH: Final = f"{NGSI_LD_ROOT}/entities/{{entityId}}/attrs"


async def append_attributes(incoming: Incoming) -> Response:
    """5.6.3."""
    entity_id, fragment = await _fragment(incoming, "append")
    result = await incoming.services.broker.append_attributes(
        incoming.call, entity_id, fragment, overwrite="noOverwrite" not in incoming.options
    )
    return update_answer(result)


async def update_attributes(incoming: Incoming) -> Response:
    """5.6.2."""
    entity_id, fragment = await _fragment(incoming, "update")
    return update_answer(await incoming.services.broker.update_attributes(incoming.call, entity_id, fragment))


async def update_attribute(incoming: Incoming) -> Response:
    """5.6.4."""
    entity_id, document, ld_context = await _attribute_body(incoming)
    name = attribute_name(incoming, ld_context)
    fragment = expand_attribute_fragment(
        document, ld_context, name=incoming.path["attrId"], limits=incoming.services.limits
    )
    await require_type(incoming, ld_context, entity_id)
    await incoming.services.broker.update_attribute(incoming.call, entity_id, name, fragment)
    return no_content()


async def replace_attribute(incoming: Incoming) -> Response:
    """5.6.19."""
    entity_id, document, ld_context = await _attribute_body(incoming)
    name = attribute_name(incoming, ld_context)
    attribute = expand_attribute(
        incoming.path["attrId"], document, ld_context, limits=incoming.services.limits
    )
    await require_type(incoming, ld_context, entity_id)
    await incoming.services.broker.replace_attribute(incoming.call, entity_id, name, attribute)
    return no_content()


async def delete_attribute(incoming: Incoming) -> Response:
    """5.6.5."""
    entity_id = incoming.identifier()
    ld_context = await incoming.ld_context()
    name = attribute_name(incoming, ld_context)
    dataset_id = dataset_of(incoming)
    await require_type(incoming, ld_context, entity_id)
    await incoming.services.broker.delete_attribute(
        incoming.call,
        entity_id,
        name,
        dataset_id or DEFAULT_INSTANCE,
        delete_all=incoming.params.flag("deleteAll"),
    )
    return no_content()


def dataset_of(incoming: Incoming) -> str | None:
    """The `datasetId` of a deletion; None when absent. Raises BadRequestData."""
    dataset_id = incoming.params.text("datasetId")
    if dataset_id == "@none":
        return DEFAULT_INSTANCE
    if dataset_id is not None and not is_uri(dataset_id):
        raise BadRequestData(f"parameter datasetId is invalid: {dataset_id!r} is no URI")
    return dataset_id


def attribute_name(incoming: Incoming, ld_context: LdContext) -> str:
    """The attribute of the path, expanded. Raises BadRequestData."""
    name = incoming.path["attrId"]
    if not name:
        raise BadRequestData("attrId is required: it is empty in the path")
    return ld_context.expand_name(name)


async def _fragment(incoming: Incoming, operation: Literal["append", "update"]) -> tuple[str, Entity]:
    entity_id = incoming.identifier()
    document, ld_context = await incoming.document()
    fragment = expand_fragment(document, ld_context, operation=operation, limits=incoming.services.limits)
    refuse_other_id(fragment, entity_id)
    await require_type(incoming, ld_context, entity_id)
    return entity_id, fragment


async def _attribute_body(incoming: Incoming) -> tuple[str, dict[str, object], LdContext]:
    entity_id = incoming.identifier()
    document, ld_context = await incoming.document()
    return entity_id, document, ld_context


OPERATIONS = [
    Operation(
        name="appendAttributes",
        method="POST",
        path=_PATH,
        handler=append_attributes,
        summary="Append attributes to an entity",
        clause="6.6.3.1",
        params=TYPED | {"options"},
        options=frozenset({"noOverwrite"}),
        statuses=(204, 207),
    ),
    Operation(
        name="updateAttributes",
        method="PATCH",
        path=_PATH,
        handler=update_attributes,
        summary="Update attributes of an entity",
        clause="6.6.3.2",
        params=TYPED,
        statuses=(204, 207),
    ),
    Operation(
        name="updateAttribute",
        method="PATCH",
        path=_PATH + "/{attrId}",
        handler=update_attribute,
        summary="Update parts of an attribute",
        clause="6.7.3.1",
        params=TYPED,
        statuses=(204,),
    ),
    Operation(
        name="replaceAttribute",
        method="PUT",
        path=_PATH + "/{attrId}",
        handler=replace_attribute,
        summary="Replace an attribute",
        clause="6.7.3.3",
        params=TYPED,
        statuses=(204,),
    ),
    Operation(
        name="deleteAttribute",
        method="DELETE",
        path=_PATH + "/{attrId}",
        handler=delete_attribute,
        summary="Delete an attribute or one of its instances",
        clause="6.7.3.2",
        params=TYPED | {"datasetId", "deleteAll"},
        statuses=(204,),
    ),
]
