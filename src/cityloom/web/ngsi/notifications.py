"""Where context sources notify of what this node subscribed to at them.

Source: ETSI GS CIM 009 clauses 5.3.1, 5.8.6, 6.3.8.
"""

from __future__ import annotations

from msgspec.structs import replace
from starlette.responses import Response

from cityloom.federation.sharing.links import NOTIFICATIONS
from cityloom.web.answers import plain_json
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation


async def receive_notification(incoming: Incoming) -> Response:
    """`POST /notifications/{secret}`: the path is the source's key, so that nobody else can tell here.

    Of who does not know it nothing is read, and no @context fetched. The answer is 200, the one status
    that is a success to every broker (5.8.6).
    """
    # The tenant of a source's notification is the source's own.
    tenant = incoming.services.shared.tenant_of(incoming.path["secret"])
    incoming.call = replace(incoming.call, tenant=tenant)
    document, ld_context = await incoming.document()
    received = await incoming.services.shared.receive(incoming.path["secret"], document, ld_context)
    return plain_json({"received": received})


OPERATIONS = [
    Operation(
        name="receiveNotification",
        method="POST",
        path=f"{NOTIFICATIONS}/{{secret}}",
        handler=receive_notification,
        summary="Take a notification of a context source, at the path that it was given",
        secret_path=True,
        request={
            "type": "object",
            "required": ["type", "subscriptionId", "data"],
            "properties": {
                "id": {"type": "string"},
                "type": {"const": "Notification"},
                "subscriptionId": {"type": "string"},
                "notifiedAt": {"type": "string"},
                "data": {"type": "array", "items": {"type": "object"}},
            },
        },
        response={
            "type": "object",
            "required": ["received"],
            "properties": {"received": {"type": "integer", "minimum": 0}},
        },
    )
]
