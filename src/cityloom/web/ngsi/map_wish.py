"""What a request says of entity maps, and how it is told of the one that it used.

Source: ETSI GS CIM 009 clauses 5.5.14, 6.4.3.2, 6.5.3.1, 6.18.3.2, 6.19.3.1.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, unquote

from cityloom.broker.ports import MapWish
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_duration
from cityloom.web.incoming import Incoming
from cityloom.web.ngsi.queries import ENTITY_MAPS, Words
from cityloom.web.resource import NGSI_LD_ROOT

HEADER: Final = "NGSILD-EntityMap"
_NAME: Final = HEADER.lower()
_MONTH: Final = 30 * 86_400 * 1_000_000
"""Microseconds: a lifetime needs no calendar."""


def read_map_wish(incoming: Incoming, words: Words, *, creates: bool = False) -> None:
    """Reads `entityMap`, `entityMapLifetime` and the header, kept with the call.

    The header may hold the location of the map, as it was told, or its id alone.

    Args:
        creates: whether the operation makes a map anyway.

    Raises:
        BadRequestData: a part is invalid.
    """
    if not creates and _NAME not in incoming.headers and ENTITY_MAPS.isdisjoint(words):
        return
    forwarding = incoming.call.forwarding
    wanted = words.get("entityMap")
    if wanted not in (None, "true", "false", True, False):
        raise BadRequestData(f"entityMap is invalid: {wanted!r} is neither true nor false")
    lifetime = _lifetime(words.get("entityMapLifetime"))
    told = creates or wanted in ("true", True)
    given = "" if creates else incoming.headers.get(_NAME, "")
    named = unquote(given.strip().rpartition("/")[2]) if given else ""
    if forwarding is not None and (told or named):
        forwarding.map_wish = MapWish(wanted=told, id=named, lifetime=lifetime if told else None)


def _lifetime(text: Any) -> int | None:
    if text is None:
        return None
    months, micros = parse_duration(text, "entityMapLifetime")
    lifetime = months * _MONTH + micros
    if lifetime <= 0:
        raise BadRequestData(f"entityMapLifetime is invalid: {text!r} is no time at all")
    return lifetime


def location(id: str) -> dict[str, str]:
    """The header that tells the location of an entity map: its resource URI (6.32.2)."""
    return {HEADER: f"{NGSI_LD_ROOT}/entityMaps/{quote(id, safe=':')}"}


def map_headers(incoming: Incoming) -> dict[str, str]:
    """The header for the map that the request used; none when it used none."""
    forwarding = incoming.call.forwarding
    return location(forwarding.map_used) if forwarding is not None and forwarding.map_used else {}


def map_status(incoming: Incoming, status: int = 200) -> int:
    """201 where a query made an entity map (Table 6.4.3.2-3), unless it is otherwise than 200."""
    made = incoming.call.forwarding is not None and incoming.call.forwarding.map_made
    return 201 if made and status == 200 else status
