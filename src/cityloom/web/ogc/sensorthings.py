"""`/sensorthings/v1.1`: the SensorThings API, for reading.

Source: OGC 18-088, SensorThings API Part 1: Sensing, version 1.1.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from msgspec import UNSET
from starlette.responses import Response

from cityloom.ld.language import check_languages
from cityloom.maps.collections import require_tenant
from cityloom.maps.sensorthings.model import KINDS, ROOT
from cityloom.maps.sensorthings.root import OPTIONS, service_root
from cityloom.maps.sensorthings.view import Lens
from cityloom.model.errors import BadRequestData
from cityloom.store.ports import Snapshot
from cityloom.web.answers import encode, no_content, plain_json
from cityloom.web.body import JSON
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation, Schema


async def read_root(incoming: Incoming) -> Response:
    """`GET /sensorthings/v1.1`."""
    incoming.services.access.check(incoming.call, "read", "map")
    return plain_json(service_root(_root(incoming)))


async def read_resource(incoming: Incoming) -> Response:
    """`GET` below the root: a set, an entity, or what a path of them leads to.

    Read in one snapshot and encoded, off the event loop.
    """
    # The parser of its filters is loaded with the first request to it.
    from cityloom.maps.sensorthings.service import Answer, answer

    services, tenant = incoming.services, incoming.call.tenant
    services.access.check(incoming.call, "read", "map")
    services.access.check(incoming.call, "read", "history")
    lens = Lens(
        tenant=tenant,
        now=services.clock.now(),
        ld_context=await incoming.ld_context(),
        languages=_languages(incoming),
        root=_root(incoming),
    )
    path = incoming.raw_path.removeprefix(f"{ROOT}/")

    def read(snapshot: Snapshot) -> tuple[Answer, bytes]:
        require_tenant(snapshot, tenant)
        told = answer(snapshot, lens, path, incoming.params, services.settings.page_max)
        return told, b"" if told.json is UNSET else encode(told.json)

    told, body = await asyncio.wrap_future(services.store.read(read))
    if told.text is not UNSET:
        return Response(told.text, media_type="text/plain")
    return no_content() if told.json is UNSET else Response(body, media_type=JSON)


def _languages(incoming: Incoming) -> str:
    """The reader's languages, then the city's."""
    own = ",".join(incoming.services.city.languages) or "en"
    asked = incoming.headers.get("accept-language", "")
    try:
        return check_languages(f"{asked},{own};q=0.001" if asked else own)
    except BadRequestData:
        return own


def _root(incoming: Incoming) -> str:
    """The URL of the service as the reader reached it: links must be whole (clause 8.1)."""
    settings = incoming.services.settings
    host = incoming.headers.get("host", "")
    return (settings.public_url.rstrip("/") or (f"http://{host}" if host else settings.url)) + ROOT


_COLLECTION: Final[Schema] = {
    "type": "object",
    "required": ["value"],
    "properties": {
        "@iot.count": {"type": "integer"},
        "@iot.nextLink": {"type": "string"},
        "value": {"type": "array", "items": {"type": "object"}},
    },
}
_ROOT: Final[Schema] = {
    "type": "object",
    "required": ["value", "serverSettings"],
    "properties": {
        "value": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "url"],
                "properties": {"name": {"type": "string"}, "url": {"type": "string"}},
            },
        },
        "serverSettings": {
            "type": "object",
            "required": ["conformance"],
            "properties": {"conformance": {"type": "array", "items": {"type": "string"}}},
        },
    },
}


def _operation(name: str, path: str, summary: str, **more: Any) -> Operation:
    return Operation(
        name=name, method="GET", path=path, handler=read_resource, summary=summary, params=OPTIONS, **more
    )


OPERATIONS: Final = [
    Operation(
        name="sensorThings",
        method="GET",
        path=ROOT,
        handler=read_root,
        summary="SensorThings API 1.1: the entity sets and what the service conforms to",
        response=_ROOT,
    ),
    *(
        _operation(
            f"list{kind}", f"{ROOT}/{kind}", f"The {kind} of the SensorThings API", response=_COLLECTION
        )
        for kind in KINDS
    ),
    _operation(
        "sensorThingsResource",
        f"{ROOT}/{{resource}}",
        "What a SensorThings path leads to: Things('id'), Things('id')/Datastreams, Datastreams('id')/name",
        rest="resource",
        statuses=(200, 204),
    ),
]
