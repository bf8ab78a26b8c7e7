"""`/info/sourceIdentity`: who this context source is.

Source: ETSI GS CIM 009 clauses 5.2.40, 5.15.1, 6.33.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from cityloom.model.clock import Clock
from cityloom.model.time import format_datetime
from cityloom.web.answers import ld_answer
from cityloom.web.body import JSON_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.resource import NGSI_LD_ROOT, Operation

_SECOND: Final = 1_000_000


def info_operations(clock: Clock, alias: Callable[[str], str]) -> list[Operation]:
    """The operation, for a node that starts now.

    Args:
        alias: gives a tenant's pseudonym in Via headers (RFC 7230), a token.
    """
    started = clock.now()

    async def retrieve_identity(incoming: Incoming) -> Response:
        """5.15.1; the alias tells the tenant too (Table 5.2.40-1)."""
        incoming.services.access.check(incoming.call, "read", "info")
        now = clock.now()
        name = alias(incoming.call.tenant)
        body = {
            "id": f"urn:ngsi-ld:ContextSourceIdentity:{name}",
            "type": "ContextSourceIdentity",
            "contextSourceAlias": name,
            "contextSourceUptime": f"PT{max(0, now - started) // _SECOND}S",
            "contextSourceTimeAt": format_datetime(now),
        }
        return await ld_answer(incoming, await incoming.ld_context(), body)

    return [
        Operation(
            name="retrieveSourceIdentity",
            method="GET",
            path=f"{NGSI_LD_ROOT}/info/sourceIdentity",
            handler=retrieve_identity,
            summary="Who this context source is",
            clause="6.33.3.1",
            answers=JSON_TYPES,
        )
    ]
