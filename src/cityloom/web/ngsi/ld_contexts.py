"""`/jsonldContexts`: the @context documents that this node hosts and caches.

Source: ETSI GS CIM 009 clauses 5.13, 6.29, 6.30.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from cityloom.ld.kept import KINDS
from cityloom.model.errors import BadRequestData
from cityloom.web.answers import created, no_content, plain_json
from cityloom.web.body import JSON_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.resource import NGSI_LD_ROOT, Operation

_PATH: Final = f"{NGSI_LD_ROOT}/jsonldContexts"
_RESOURCE: Final = "jsonldContexts"


async def add_context(incoming: Incoming) -> Response:
    """5.13.2."""
    services, call = incoming.services, incoming.call
    services.access.check(call, "write", _RESOURCE)
    made = await services.contexts.add(call.tenant, await incoming.json(), call.cause)
    return created("jsonldContexts", made)


async def list_contexts(incoming: Incoming) -> Response:
    """5.13.3: URLs, or with details what is told of each."""
    services, call = incoming.services, incoming.call
    services.access.check(call, "read", _RESOURCE)
    kind = incoming.params.text("kind")
    if kind is not None and kind not in KINDS:
        raise BadRequestData(f"parameter kind is invalid: {kind!r} is none of {', '.join(KINDS)}")
    kept = await services.contexts.list(call.tenant, kind)
    return plain_json(kept if incoming.params.flag("details") else [each["URL"] for each in kept])


async def serve_context(incoming: Incoming) -> Response:
    """5.13.4."""
    services, call = incoming.services, incoming.call
    services.access.check(call, "read", _RESOURCE)
    if incoming.params.flag("details"):
        return plain_json(await services.contexts.details(call.tenant, _reference(incoming)))
    document = await services.contexts.serve(call.tenant, _reference(incoming))
    return plain_json(document, media_type=incoming.accept)


async def delete_context(incoming: Incoming) -> Response:
    """5.13.5: deletes it, or fetches a cached one anew."""
    services, call = incoming.services, incoming.call
    services.access.check(call, "write", _RESOURCE)
    reload = incoming.params.flag("reload")
    await services.contexts.delete(call.tenant, _reference(incoming), call.cause, reload=reload)
    return no_content()


def _reference(incoming: Incoming) -> str:
    reference = incoming.path["contextId"]
    if not reference:
        raise BadRequestData("contextId is required: it is empty in the path")
    return reference


OPERATIONS = [
    Operation(
        name="addContext",
        method="POST",
        path=_PATH,
        handler=add_context,
        summary="Host an @context",
        clause="6.29.3.1",
        statuses=(201,),
    ),
    Operation(
        name="listContexts",
        method="GET",
        path=_PATH,
        handler=list_contexts,
        summary="List the @contexts that are kept",
        clause="6.29.3.2",
        params=frozenset({"details", "kind"}),
        answers=JSON_TYPES,
    ),
    Operation(
        name="serveContext",
        method="GET",
        path=_PATH + "/{contextId}",
        handler=serve_context,
        summary="Serve an @context, or what is told of it",
        clause="6.30.3.1",
        params=frozenset({"details"}),
        answers=JSON_TYPES,
    ),
    Operation(
        name="deleteContext",
        method="DELETE",
        path=_PATH + "/{contextId}",
        handler=delete_context,
        summary="Delete an @context, or fetch it anew",
        clause="6.30.3.2",
        params=frozenset({"reload"}),
        statuses=(204,),
    ),
]
