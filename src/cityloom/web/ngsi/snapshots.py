"""`/snapshots`: results of queries, frozen.

Source: ETSI GS CIM 009 clauses 5.16, 6.36 to 6.38.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace
from starlette.responses import Response

from cityloom.broker.ports import Call, Forwarding
from cityloom.ld.context import LdContext
from cityloom.ld.linked import MOST_LEVELS, Joining
from cityloom.model.errors import BadRequestData, CityloomError
from cityloom.snapshots.filling import Asked
from cityloom.snapshots.snapshot import OUTPUT_ONLY, QUERIES
from cityloom.web.answers import created, ld_answer, no_content
from cityloom.web.body import JSON_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.ngsi.batch import read_query_document
from cityloom.web.ngsi.queries import (
    TemporalForm,
    distribute,
    read_projection,
    read_query,
    read_temporal,
    require_narrow,
    with_selectors,
    words_of,
)
from cityloom.web.ngsi.rendering import read_joining
from cityloom.web.paging import Paging
from cityloom.web.resource import NGSI_LD_ROOT, Operation
from cityloom.web.results import batch_answer

_PATH: Final = f"{NGSI_LD_ROOT}/snapshots"
_ONE: Final = _PATH + "/{snapshotId}"
_WHOLE: Final = Paging(0, 0, False)


async def create_snapshot(incoming: Incoming) -> Response:
    """5.16.1."""
    document, ld_context = await _document(incoming)
    return created("snapshots", await incoming.services.snapshots.create(incoming.call, document, ld_context))


async def clone_snapshot(incoming: Incoming) -> Response:
    """5.16.2."""
    id = incoming.identifier("snapshotId")
    document, _ = await _document(incoming)
    return created("snapshots", await incoming.services.snapshots.clone(incoming.call, id, document))


async def retrieve_snapshot(incoming: Incoming) -> Response:
    """5.16.3."""
    id = incoming.identifier("snapshotId")
    told = await incoming.services.snapshots.retrieve(incoming.call, id)
    return await ld_answer(incoming, await incoming.ld_context(), told)


async def update_snapshot(incoming: Incoming) -> Response:
    """5.16.4."""
    id = incoming.identifier("snapshotId")
    document, ld_context = await _document(incoming)
    return await ld_answer(
        incoming, ld_context, await incoming.services.snapshots.update(incoming.call, id, document)
    )


async def delete_snapshot(incoming: Incoming) -> Response:
    """5.16.5."""
    await incoming.services.snapshots.delete(incoming.call, incoming.identifier("snapshotId"))
    return no_content()


async def purge_snapshots(incoming: Incoming) -> Response:
    """5.16.7."""
    q = incoming.params.text("q")
    if q is None:
        raise BadRequestData("parameter q is required: which snapshots to delete")
    result = await incoming.services.snapshots.purge(incoming.call, q)
    return batch_answer(result, tells_created=False)


async def _document(incoming: Incoming) -> tuple[dict[str, Any], LdContext]:
    """The body without what the node alone sets, and with null as JSON writes it."""
    document, ld_context = await incoming.document()
    kept = {
        name: None if value == "urn:ngsi-ld:null" else value
        for name, value in document.items()
        if name not in OUTPUT_ONLY
    }
    return kept, ld_context


def read_queries(call: Call, document: dict[str, Any], ld_context: LdContext) -> list[Asked]:
    """The queries of a snapshot, then its temporal ones.

    What 5.2.23 forbids is refused at once; what executing a query would refuse (5.7.2.4, 5.7.4.4)
    is told in its result (5.2.42).

    Raises:
        BadRequestData: one is no query; names its place.
    """
    asked = [
        _asked(call, ld_context, query, f"{name}[{place}]", temporal=name == QUERIES[1])
        for name in QUERIES
        for place, query in enumerate(_queries(document, name))
    ]
    if not asked:
        raise BadRequestData("snapshotQueries or snapshotTemporalQueries is required")
    return asked


def _queries(document: dict[str, Any], name: str) -> list[Any]:
    found = document.get(name, [])
    if not isinstance(found, list) or (name in document and not found):
        raise BadRequestData(f"{name} is invalid: an array of queries is required")
    return found


def _asked(call: Call, ld_context: LdContext, document: Any, place: str, *, temporal: bool) -> Asked:
    """One query of a snapshot. Raises BadRequestData naming the place."""
    if not isinstance(document, dict):
        raise BadRequestData(f"{place} is invalid: a JSON object is required")
    try:
        query = read_query_document(document)
        if temporal != (query.temporal_q is not UNSET):
            raise BadRequestData("temporalQ is for snapshotTemporalQueries, and required there")
        words = words_of(query, temporal=temporal)
        if isinstance(query.entities, list) and any(one.type.strip() == "*" for one in query.entities):
            words["type"] = "*"
        # As deep as it can be: whether it is retrieved so deep is found in executing it.
        selected = read_query(words, ld_context, _WHOLE, selects=False, join_level=MOST_LEVELS)
        if isinstance(query.entities, list):
            selected = with_selectors(selected, query.entities, ld_context.expand_term)
        joining = Joining() if temporal else read_joining(words)
        projection = read_projection(words, ld_context, MOST_LEVELS)
        wanted = read_temporal(words, TemporalForm("normalized", False)) if temporal else None
        if temporal and words.get("timerel") is None:
            raise BadRequestData("temporalQ is invalid: timerel is required")
        given = call.forwarding or Forwarding()
        forwarding = Forwarding(via=given.via, headers=given.headers, ld_context=ld_context)
        distribute(forwarding, words, ld_context)
    except BadRequestData as error:
        raise BadRequestData(f"{place}: {error.detail}") from None
    refused: CityloomError | None = None
    try:
        require_narrow(selected, words, bool(query.entities))
        read_query(words, ld_context, _WHOLE, selects=False, join_level=joining.level)
        read_projection(words, ld_context, joining.level)
    except BadRequestData as error:
        refused = error
    return Asked(
        call=replace(call, forwarding=forwarding),
        query=replace(selected, dataset_ids=projection.dataset_ids),
        projection=projection,
        joining=joining,
        temporal=wanted,
        refused=refused,
    )


OPERATIONS = [
    Operation(
        name="createSnapshot",
        method="POST",
        path=_PATH,
        handler=create_snapshot,
        summary="Freeze the results of queries",
        clause="6.36.3.1",
        statuses=(201,),
    ),
    Operation(
        name="purgeSnapshots",
        method="DELETE",
        path=_PATH,
        handler=purge_snapshots,
        summary="Delete the snapshots that a query on their members selects",
        clause="6.36.3.2",
        params=frozenset({"q"}),
        statuses=(204, 207),
    ),
    Operation(
        name="retrieveSnapshot",
        method="GET",
        path=_ONE,
        handler=retrieve_snapshot,
        summary="Retrieve the status of a snapshot",
        clause="6.37.3.1",
        answers=JSON_TYPES,
        refuses_no_id=True,
    ),
    Operation(
        name="updateSnapshot",
        method="PATCH",
        path=_ONE,
        handler=update_snapshot,
        summary="Change how long and where a snapshot is kept and told",
        clause="6.37.3.2",
        answers=JSON_TYPES,
        refuses_no_id=True,
    ),
    Operation(
        name="deleteSnapshot",
        method="DELETE",
        path=_ONE,
        handler=delete_snapshot,
        summary="Delete a snapshot",
        clause="6.37.3.3",
        statuses=(204,),
    ),
    Operation(
        name="cloneSnapshot",
        method="POST",
        path=_ONE + "/clone",
        handler=clone_snapshot,
        summary="Copy a snapshot",
        clause="6.38.3.1",
        statuses=(201,),
    ),
]
