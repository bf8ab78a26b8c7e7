"""`/sources` and `/push`: what flows in, how it fared, and HTTP push."""

from __future__ import annotations

from typing import Final

from starlette.responses import FileResponse, Response

from cityloom.model.errors import BadRequestData, PayloadTooLarge
from cityloom.web.answers import plain_json
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation, Schema

_JSON_LINES: Final = "application/jsonl"
_MOST_REJECTS: Final = 1000


async def list_sources(incoming: Incoming) -> Response:
    """`GET /sources`."""
    return plain_json(await incoming.services.sources.list(incoming.call))


async def retrieve_source(incoming: Incoming) -> Response:
    """`GET /sources/{sourceId}`."""
    return plain_json(await incoming.services.sources.retrieve(incoming.call, incoming.path["sourceId"]))


async def list_runs(incoming: Incoming) -> Response:
    """`GET /sources/{sourceId}/runs`, latest first."""
    return plain_json(await incoming.services.sources.runs(incoming.call, incoming.path["sourceId"]))


async def read_rejects(incoming: Incoming) -> Response:
    """`GET /sources/{sourceId}/rejects`: the rows that the last run refused, with the reason.

    With `limit` the first of them, to look at; without, all of them as a file to keep.
    """
    services, source_id = incoming.services, incoming.path["sourceId"]
    limit = incoming.params.integer("limit", 1)
    if limit is not None:
        if limit > _MOST_REJECTS:
            raise BadRequestData(f"parameter limit is invalid: the most is {_MOST_REJECTS}")
        return plain_json(await services.sources.rejects(incoming.call, source_id, limit))
    path = await services.sources.rejects_file(incoming.call, source_id)
    name = f"{source_id}-rejects.jsonl" if path is None else f"{source_id}-rejects-{path.stem}.jsonl"
    if path is None:
        return Response(
            b"", media_type=_JSON_LINES, headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )
    return FileResponse(path, media_type=_JSON_LINES, filename=name)


async def push_rows(incoming: Incoming) -> Response:
    """`POST /push/{sourceId}`: rows as a JSON object or array; answers the quality report."""
    body = await incoming.json()
    rows = body if isinstance(body, list) else [body]
    most = incoming.services.settings.max_batch
    if len(rows) > most:
        raise PayloadTooLarge(f"the body has more than {most} rows")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise BadRequestData(f"$[{index}] is invalid: a JSON object is required")
    report = await incoming.services.sources.push(incoming.call, incoming.path["sourceId"], rows)
    return plain_json(report)


_SOURCE: Schema = {
    "type": "object",
    "required": ["id", "name", "format", "status"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": ["object", "string"]},
        "format": {"type": "string"},
        "live": {"type": "boolean"},
        "licence": {"type": "string"},
        "provider": {"type": "string"},
        "rejected": {"type": "integer"},
        "lastRun": {"type": ["string", "null"]},
        "status": {"enum": ["ok", "stale", "failed", "never"]},
        "expectedInterval": {"type": ["string", "null"]},
        "lastData": {"type": ["string", "null"]},
        "report": {"type": ["object", "null"]},
    },
}

OPERATIONS = [
    Operation(
        name="listSources",
        method="GET",
        path="/sources",
        handler=list_sources,
        summary="Every source and how it fares",
        response={"type": "array", "items": _SOURCE},
    ),
    Operation(
        name="retrieveSource",
        method="GET",
        path="/sources/{sourceId}",
        handler=retrieve_source,
        summary="One source",
        response=_SOURCE,
    ),
    Operation(
        name="listRuns",
        method="GET",
        path="/sources/{sourceId}/runs",
        handler=list_runs,
        summary="The runs of a source, latest first",
        response={"type": "array", "items": {"type": "object"}},
    ),
    Operation(
        name="readRejects",
        method="GET",
        path="/sources/{sourceId}/rejects",
        handler=read_rejects,
        summary="The rows that the last run refused: all as a file, or with limit the first",
        params=frozenset({"limit"}),
    ),
    Operation(
        name="pushRows",
        method="POST",
        path="/push/{sourceId}",
        handler=push_rows,
        summary="Push rows to a source of format push; answers its quality report",
        request={"type": ["object", "array"], "items": {"type": "object"}},
        response={"type": "object"},
    ),
]
