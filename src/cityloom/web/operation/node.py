"""`/node`: how this node is doing, for the page that an operator looks at."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.responses import Response

from cityloom import __version__
from cityloom.model.clock import Clock
from cityloom.model.time import format_datetime
from cityloom.web.answers import plain_json
from cityloom.web.city.hub import Hub
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation, Schema

_STORE: Final = (
    "entities",
    "fileBytes",
    "works",
    "refused",
    "commits",
    "failedCommits",
    "largestGroup",
    "queueWorks",
    "queueBytes",
)
_OF_A_FILE: Final = {"logBytes": "walBytes", "checkpoints": "checkpoints"}
"""What a store in a file tells besides, and how it is called here: a server has a log of its own."""
_NUMBER: Final[Schema] = {"type": "integer"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}


def _all_required(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


_CONSUMER: Final = _all_required({"name": {"type": "string"}, "cursor": _NUMBER, "lag": _NUMBER})
_LEASE: Final = _all_required({"name": {"type": "string"}, "holder": {"type": "string"}, "since": _TIME})
_NODE: Final = _all_required(
    {
        "version": {"type": "string"},
        "now": _TIME,
        "started": _TIME,
        "uptime": {"type": "number", "description": "Seconds."},
        "store": {
            "type": "object",
            "required": list(_STORE),
            "properties": dict.fromkeys((*_STORE, *_OF_A_FILE.values()), _NUMBER),
        },
        "log": _all_required({"firstSeq": _NUMBER, "lastSeq": _NUMBER}),
        "consumers": {"type": "array", "items": _CONSUMER},
        "deliveries": _all_required({"pending": _NUMBER, "dead": _NUMBER, "dropped": _NUMBER}),
        "listeners": _NUMBER,
        "worker": {"type": "integer", "description": "Which of this node's workers tells this."},
        "process": {"type": "string", "description": "What it is called in the leases."},
        "leases": {"type": "array", "items": _LEASE},
    }
)


def node_operations(hub: Hub, clock: Clock) -> list[Operation]:
    """The operation of this node, which starts now."""
    started = clock.now()

    async def describe_node(incoming: Incoming) -> Response:
        """`GET /node`: for those who may read the meters."""
        services = incoming.services
        services.access.check(incoming.call, "read", "metrics")
        stats: dict[str, Any] = await asyncio.wrap_future(
            services.store.read(lambda _: services.store.stats())
        )
        leases = await asyncio.wrap_future(services.store.read(lambda snapshot: snapshot.leases()))
        now, last = clock.now(), stats["lastSeq"]
        return plain_json(
            {
                "version": __version__,
                "now": format_datetime(now),
                "started": format_datetime(started),
                "uptime": (now - started) / 1e6,
                "store": {name: stats[name] for name in _STORE}
                | {told: stats[name] for name, told in _OF_A_FILE.items() if name in stats},
                "log": {"firstSeq": stats["firstSeq"], "lastSeq": last},
                "consumers": [
                    {"name": name, "cursor": cursor, "lag": max(0, last - cursor)}
                    for name, cursor in sorted(stats["cursors"].items())
                ],
                "deliveries": {
                    name: stats[f"deliveries{name.capitalize()}"] for name in ("pending", "dead", "dropped")
                },
                "listeners": hub.listeners,
                "worker": services.worker,
                "process": services.process,
                "leases": [
                    {"name": lease.name, "holder": lease.holder, "since": format_datetime(lease.at)}
                    for lease in leases
                    if lease.epoch
                ],
            }
        )

    return [
        Operation(
            name="describeNode",
            method="GET",
            path="/node",
            handler=describe_node,
            summary="How this node is doing: store, log, consumers, deliveries, listeners",
            response=_NODE,
        )
    ]
