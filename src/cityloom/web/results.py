"""Answers of operations that may be done in part: on some entities, attributes, or in some places.

Source: ETSI GS CIM 009 clauses 5.2.16 to 5.2.19.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from cityloom.broker.ports import BatchResult, UpdateResult
from cityloom.web.body import JSON
from cityloom.web.problem import problem_of


def update_answer(result: UpdateResult) -> Response:
    """204, or 207 with the attributes that were and were not updated, as IRIs (5.2.18)."""
    if not result.not_updated:
        return Response(status_code=204)
    body = {
        "updated": result.updated,
        "notUpdated": [
            {"attributeName": name, "reason": reason, **_source(result.registrations.get(name, ""))}
            for name, reason in result.not_updated.items()
        ],
    }
    return _json(body, 207)


def batch_answer(result: BatchResult, *, tells_created: bool) -> Response:
    """What a batch came to (5.2.16): 207 item by item when something failed.

    Args:
        tells_created: whether success is 201 with the ids made (if any was), else 204.
    """
    if result.errors:
        body = {
            "success": [*result.created, *result.updated, *result.unchanged, *result.deleted],
            "errors": [
                {"entityId": item.id, "error": problem_of(item.error), **_source(item.registration_id)}
                for item in result.errors
            ],
        }
        return _json(body, 207)
    if tells_created and result.created:
        return _json(result.created, 201)
    return Response(status_code=204)


def _source(registration_id: str) -> dict[str, str]:
    """The registered source at which something failed, where it was one."""
    return {"registrationId": registration_id} if registration_id else {}


def _json(body: Any, status: int) -> Response:
    return Response(msgspec.json.encode(body), status_code=status, media_type=JSON)
