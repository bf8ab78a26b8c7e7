"""`/health`: whether the node can do its work."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from starlette.responses import Response

from cityloom import __version__
from cityloom.web.answers import plain_json
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation

log = structlog.get_logger("cityloom.web")

_PATIENCE: Final = 5.0
"""Seconds until a check that does not answer counts as failed."""


async def check_health(incoming: Incoming) -> Response:
    """`GET /health`: 200 when every check passes, else 503; open to all, so it says which, not why."""
    services = incoming.services

    results = {}
    for name, check in services.checks.items():
        try:
            await asyncio.wait_for(check(), _PATIENCE)
            results[name] = "ok"
        except Exception:
            log.exception("health check failed", check=name)
            results[name] = "failed"
    healthy = all(result == "ok" for result in results.values())
    body = {"status": "ok" if healthy else "failed", "version": __version__, "checks": results}
    return plain_json(body, 200 if healthy else 503, headers={"Cache-Control": "no-store"})


OPERATIONS = [
    Operation(
        name="checkHealth",
        method="GET",
        path="/health",
        handler=check_health,
        summary="Whether the node can do its work",
        statuses=(200, 503),
        response={
            "type": "object",
            "required": ["status", "version", "checks"],
            "properties": {
                "status": {"enum": ["ok", "failed"]},
                "version": {"type": "string"},
                "checks": {"type": "object", "additionalProperties": {"enum": ["ok", "failed"]}},
            },
        },
    )
]
