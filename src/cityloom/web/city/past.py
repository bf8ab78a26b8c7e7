"""`/map/state` and `/map/changes`: the city as it was, as the same changes that come live from `/events`.

What was observed (has `observedAt`) is replayed, of the entities that are there
now. What was never observed, such as a name or a mark of silence, has no past
here and stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from starlette.responses import Response

from cityloom.ld.context import LdContext
from cityloom.model.errors import BadRequestData
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.store.history_ports import Observed
from cityloom.store.ports import Snapshot
from cityloom.web.answers import encode
from cityloom.web.body import JSON
from cityloom.web.city.changes import CHANGE, changes_in, changes_to
from cityloom.web.city.profile import require_types
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation

_PAGE: Final = 2000
_MOST_TYPES: Final = 100
_MOST_STATE: Final = 1_000_000
"""Attributes of one state."""
_DEFAULT_CHANGES: Final = 10_000
_MOST_CHANGES: Final = 100_000


class _Asked(Struct, frozen=True, kw_only=True):
    """Which layers, and which of their attributes; names are expanded, no `names` is all of them."""

    tenant: str
    types: list[str]
    names: list[str]
    given: list[str]
    ld_context: LdContext

    def layers(self, snapshot: Snapshot) -> list[tuple[str, list[str]]]:
        """Each type and the attributes to look at.

        Raises:
            NonexistentTenant, or BadRequestData for a type that nothing has.
        """
        given = dict(zip(self.types, self.given, strict=True))
        require_types(snapshot, self.tenant, given, "type")
        uses: dict[str, list[str]] = {type: [] for type in self.types}
        for use in snapshot.attribute_uses(self.tenant):
            if use.type in uses:
                uses[use.type].append(use.name)
        return [(type, self.names or uses[type]) for type in self.types]


async def read_state(incoming: Incoming) -> Response:
    """`GET /map/state`: what had last been observed at an instant.

    Cost: about 40 µs for each entity that was ever observed, 3 µs for each other, off the event loop.
    """
    asked = await _asked(incoming)
    at = _instant(incoming, "at")

    def read(snapshot: Snapshot) -> bytes:
        changes: list[dict[str, Any]] = []
        count = 0
        for number, (type, names) in enumerate(asked.layers(snapshot)):
            after: str | None = ""
            while after is not None:
                found, after = snapshot.latest_before(asked.tenant, type, names, at, after, _PAGE)
                count += len(found)
                if count > _MOST_STATE:
                    raise BadRequestData(
                        f"parameter type is invalid: these layers have more than {_MOST_STATE} observed"
                        " attributes; name fewer of them, or fewer attrs"
                    )
                changes += changes_to(_first_told(found, asked.types[:number]), at, asked.ld_context)
        return encode({"at": format_datetime(at), "changes": changes})

    return Response(await asyncio.wrap_future(incoming.services.store.read(read)), media_type=JSON)


async def read_changes(incoming: Incoming) -> Response:
    """`GET /map/changes`: what was observed after one instant until another, by time.

    Cost: one seek for each entity and attribute, about 20 µs for each change, off the event loop.
    """
    asked = await _asked(incoming)
    after, until = _instant(incoming, "after"), _instant(incoming, "until")
    if after > until:
        raise BadRequestData("parameter after is invalid: it is later than until")
    limit = incoming.params.integer("limit", 1) or _DEFAULT_CHANGES
    if limit > _MOST_CHANGES:
        raise BadRequestData(f"parameter limit is invalid: the most is {_MOST_CHANGES}")

    def read(snapshot: Snapshot) -> bytes:
        found: list[Observed] = []
        reached = until
        for number, (type, names) in enumerate(asked.layers(snapshot)):
            # No further than the layers before have come: the rest is for the next call.
            more, reached = snapshot.instances_between(asked.tenant, type, names, after, reached, limit)
            found += _first_told(more, asked.types[:number])
        whole = sorted((one for one in found if (one.time or 0) <= reached), key=_time_and_id)
        whole, reached = _cut(whole, reached, limit)
        body = {
            "changes": list(changes_in(whole, asked.ld_context)),
            "until": format_datetime(reached),
            "more": reached < until,
        }
        return encode(body)

    return Response(await asyncio.wrap_future(incoming.services.store.read(read)), media_type=JSON)


async def _asked(incoming: Incoming) -> _Asked:
    incoming.services.access.check(incoming.call, "read", "map")
    given = list(dict.fromkeys(incoming.params.names("type")))
    if not given:
        raise BadRequestData("parameter type is required: the layers, comma separated")
    if len(given) > _MOST_TYPES:
        raise BadRequestData(f"parameter type is invalid: it names more than {_MOST_TYPES} layers")
    ld_context = await incoming.ld_context()
    return _Asked(
        tenant=incoming.call.tenant,
        types=[ld_context.expand_name(name) for name in given],
        names=[ld_context.expand_name(name) for name in incoming.params.names("attrs")],
        given=given,
        ld_context=ld_context,
    )


def _instant(incoming: Incoming, name: str) -> int:
    """An instant of the past (µs). Raises BadRequestData."""
    text = incoming.params.text(name)
    if text is None:
        raise BadRequestData(f"parameter {name} is required: an instant, ISO 8601")
    instant, now = parse_datetime(text, f"parameter {name}"), incoming.services.clock.now()
    if instant > now:
        raise BadRequestData(
            f"parameter {name} is invalid: {text} is in the future; here it is {format_datetime(now)}"
        )
    return instant


def _cut(found: list[Observed], reached: int, limit: int) -> tuple[list[Observed], int]:
    """What is about `limit` of it, and the time up to which that is whole: one time is never torn apart."""
    if len(found) <= limit:
        return found, reached
    beyond = found[limit].time or 0
    if found[0].time == beyond:
        return [one for one in found if one.time == beyond], beyond
    return [one for one in found if (one.time or 0) < beyond], beyond - 1


def _first_told(found: list[Observed], earlier: Sequence[str]) -> list[Observed]:
    """Without the entities that an earlier layer has told: one may be in several."""
    if not earlier:
        return found
    before = frozenset(earlier)
    return [one for one in found if before.isdisjoint(one.types)]


def _time_and_id(one: Observed) -> tuple[int, str]:
    return one.time or 0, one.entity_id


OPERATIONS = [
    Operation(
        name="readState",
        method="GET",
        path="/map/state",
        handler=read_state,
        summary="What had last been observed at an instant, as changes",
        params=frozenset({"type", "attrs", "at"}),
        response={
            "type": "object",
            "required": ["at", "changes"],
            "properties": {
                "at": {"type": "string", "format": "date-time"},
                "changes": {"type": "array", "items": CHANGE},
            },
        },
    ),
    Operation(
        name="readChanges",
        method="GET",
        path="/map/changes",
        handler=read_changes,
        summary="What was observed between two instants, by time, as changes",
        params=frozenset({"type", "attrs", "after", "until", "limit"}),
        response={
            "type": "object",
            "required": ["changes", "until", "more"],
            "properties": {
                "changes": {"type": "array", "items": CHANGE},
                "until": {"type": "string", "format": "date-time"},
                "more": {"type": "boolean"},
            },
        },
    ),
]
