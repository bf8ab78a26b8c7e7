"""`/health`: whether the node can do its work, or only half of it."""

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
_reasons: Final[dict[str, str]] = {}
"""Why each check failed last; "" where it passed."""


async def check_health(incoming: Incoming) -> Response:
    """`GET /health`: 200 when every check passes, else 503; open to all, so it says which, not why.

    A node that can be read and not written says `readOnly`, with 200: whoever reads is served by it. So
    it is with `partial`: all but old history is served. That is what was found when somebody asked for it.
    """
    services = incoming.services

    results = {}
    for name, check in services.checks.items():
        try:
            await asyncio.wait_for(check(), _PATIENCE)
            results[name] = "ok"
        except Exception as error:
            results[name] = "failed"
            _fared(name, str(error) or repr(error))
        else:
            _fared(name, "")
    healthy = all(result == "ok" for result in results.values())
    results["writing"] = "failed" if services.store.trouble else "ok"
    cold = services.store.cold
    unread = cold.trouble if cold is not None else ""
    results["history"] = "failed" if unread else "ok"
    _fared("history", unread)
    if not healthy:
        status = "failed"
    elif services.store.trouble:
        status = "readOnly"
    else:
        status = "partial" if unread else "ok"
    body = {"status": status, "version": __version__, "checks": results}
    return plain_json(body, 200 if healthy else 503, headers={"Cache-Control": "no-store"})


def _fared(check: str, reason: str) -> None:
    """Tells why a check fails when that changes, not whenever somebody asks."""
    if reason and reason != _reasons.get(check):
        log.error("health check failed", check=check, reason=reason)
    _reasons[check] = reason


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
                "status": {"enum": ["ok", "partial", "readOnly", "failed"]},
                "version": {"type": "string"},
                "checks": {"type": "object", "additionalProperties": {"enum": ["ok", "failed"]}},
            },
        },
    )
]
