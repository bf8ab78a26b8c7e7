"""`/sources` and `/push`: what flows in, how it fared, and HTTP push."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from cityloom.model.errors import BadRequestData, PayloadTooLarge
from cityloom.web.answers import plain_json
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation, Schema

_JSON_LINES: Final = "application/jsonl"


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
    """`GET /sources/{sourceId}/rejects`: the rows that the last run refused, with the reason."""
    body = await incoming.services.sources.rejects(incoming.call, incoming.path["sourceId"])
    return Response(body, media_type=_JSON_LINES)


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
        summary="The rows that the last run refused, JSON lines",
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
