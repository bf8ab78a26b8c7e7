"""`/personal`: data of persons, apart from entities; every reading is logged, and it can be erased."""

from __future__ import annotations

from msgspec.structs import replace
from starlette.responses import Response

from cityloom.web.answers import no_content, plain_json
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation, Schema


async def read_personal(incoming: Incoming) -> Response:
    """`GET /personal/{entityId}?purpose=...`: the reading is kept with who read and what for."""
    call = replace(incoming.call, purpose=incoming.params.text("purpose") or "")
    return plain_json(await incoming.services.personal.read(call, incoming.identifier()))


async def erase_personal(incoming: Incoming) -> Response:
    """`DELETE /personal/{entityId}`."""
    await incoming.services.personal.erase(incoming.call, incoming.identifier())
    return no_content()


async def list_readings(incoming: Incoming) -> Response:
    """`GET /personal/{entityId}/readings`."""
    return plain_json(await incoming.services.personal.readings(incoming.call, incoming.identifier()))


_PATH = "/personal/{entityId}"
_READING: Schema = {
    "type": "object",
    "required": ["at", "party", "purpose", "action"],
    "properties": {
        "at": {"type": "string", "format": "date-time"},
        "party": {"type": "string"},
        "purpose": {"type": "string"},
        "action": {"type": "string"},
    },
}

OPERATIONS = [
    Operation(
        name="readPersonal",
        method="GET",
        path=_PATH,
        handler=read_personal,
        summary="Read the personal data of an entity; the reading is logged",
        params=frozenset({"purpose"}),
        response={"type": "object"},
    ),
    Operation(
        name="erasePersonal",
        method="DELETE",
        path=_PATH,
        handler=erase_personal,
        summary="Erase the personal data of an entity",
        statuses=(204,),
    ),
    Operation(
        name="listReadings",
        method="GET",
        path=_PATH + "/readings",
        handler=list_readings,
        summary="Who read or erased them, when and what for",
        response={"type": "array", "items": _READING},
    ),
]
