"""`/subscriptions` and `/csourceSubscriptions` of the NGSI-LD binding, and the dead letters of our own.

Source: ETSI GS CIM 009 clauses 5.8, 5.11, 6.10 to 6.13.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from starlette.responses import Response

from cityloom.model.errors import BadRequestData
from cityloom.web.answers import created, ld_answer, no_content, plain_json
from cityloom.web.body import JSON_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.paging import PAGING_PARAMS, RESULTS_COUNT, page_links, parse_paging
from cityloom.web.resource import NGSI_LD_ROOT, Operation, Schema
from cityloom.web.services import KeptSubscriptions, Services


def _kept_operations(
    name: str,
    path: str,
    clauses: tuple[str, str],
    summary: str,
    kept: Callable[[Services], KeptSubscriptions],
) -> list[Operation]:
    """The operations on one kind of subscriptions: to entities, or to registrations.

    Args:
        name: how the operations call one of them.
        clauses: of the list of all, and of one.
        summary: what one is called in words.
        kept: gives the subscriptions of the kind.
    """

    async def create_subscription(incoming: Incoming) -> Response:
        """5.8.1, 5.11.2."""
        document, ld_context = await incoming.document()
        made = await kept(incoming.services).create(incoming.call, document, ld_context)
        return created(path, made)

    async def list_subscriptions(incoming: Incoming) -> Response:
        """5.8.4, 5.11.5."""
        paging = parse_paging(incoming.params, incoming.services.settings)
        ld_context = await incoming.ld_context()
        documents, total = await kept(incoming.services).list(
            incoming.call,
            ld_context,
            limit=paging.limit,
            offset=paging.offset,
            sys_attrs="sysAttrs" in incoming.options,
        )
        more = paging.offset + len(documents) < total
        return await ld_answer(
            incoming,
            ld_context,
            list(documents),
            links=page_links(incoming.raw_path, incoming.params, paging, more, incoming.accept),
            headers={RESULTS_COUNT: str(total)} if paging.count else None,
        )

    async def retrieve_subscription(incoming: Incoming) -> Response:
        """5.8.3, 5.11.4."""
        subscription_id = incoming.identifier("subscriptionId")
        ld_context = await incoming.ld_context()
        document = await kept(incoming.services).retrieve(
            incoming.call, subscription_id, ld_context, sys_attrs="sysAttrs" in incoming.options
        )
        return await ld_answer(incoming, ld_context, document)

    async def update_subscription(incoming: Incoming) -> Response:
        """5.8.2, 5.11.3."""
        subscription_id = incoming.identifier("subscriptionId")
        fragment, ld_context = await incoming.document()
        await kept(incoming.services).update(incoming.call, subscription_id, fragment, ld_context)
        return no_content()

    async def delete_subscription(incoming: Incoming) -> Response:
        """5.8.5, 5.11.6."""
        await kept(incoming.services).delete(incoming.call, incoming.identifier("subscriptionId"))
        return no_content()

    every, one = f"{NGSI_LD_ROOT}/{path}", f"{NGSI_LD_ROOT}/{path}/{{subscriptionId}}"
    return [
        Operation(
            name=f"create{name}",
            method="POST",
            path=every,
            handler=create_subscription,
            summary=f"Create a {summary}",
            clause=f"{clauses[0]}.3.1",
            statuses=(201,),
        ),
        Operation(
            name=f"list{name}s",
            method="GET",
            path=every,
            handler=list_subscriptions,
            summary=f"Query every {summary}",
            clause=f"{clauses[0]}.3.2",
            params=PAGING_PARAMS | {"options"},
            options=frozenset({"sysAttrs"}),
            answers=JSON_TYPES,
        ),
        Operation(
            name=f"retrieve{name}",
            method="GET",
            path=one,
            handler=retrieve_subscription,
            summary=f"Retrieve a {summary}",
            clause=f"{clauses[1]}.3.1",
            params=frozenset({"options"}),
            options=frozenset({"sysAttrs"}),
            answers=JSON_TYPES,
        ),
        Operation(
            name=f"update{name}",
            method="PATCH",
            path=one,
            handler=update_subscription,
            summary=f"Update a {summary}",
            clause=f"{clauses[1]}.3.2",
            statuses=(204,),
        ),
        Operation(
            name=f"delete{name}",
            method="DELETE",
            path=one,
            handler=delete_subscription,
            summary=f"Delete a {summary}",
            clause=f"{clauses[1]}.3.3",
            statuses=(204,),
        ),
    ]


async def list_dead_letters(incoming: Incoming) -> Response:
    """`GET /subscriptions/dead`: notifications that were given up."""
    limit = incoming.params.integer("limit", 1)
    letters = await incoming.services.subscriptions.dead_letters(
        incoming.call, after=incoming.params.text("after") or "", limit=min(limit or 1000, 1000)
    )
    return plain_json(letters)


async def list_subscriptions_of_object(incoming: Incoming) -> Response:
    """`GET /map/objects/{id}/subscriptions`: those that a change of this entity can trigger."""
    ld_context = await incoming.ld_context()
    entity = await incoming.services.broker.retrieve_entity(incoming.call, incoming.path["id"])
    found = await incoming.services.subscriptions.fired_by(incoming.call, entity, ld_context)
    return plain_json(list(found))


class _Replay(Struct, forbid_unknown_fields=True, rename="camel"):
    ids: list[str] = []
    subscription_id: str | None = None
    all: bool = False


async def replay_dead_letters(incoming: Incoming) -> Response:
    """`POST /subscriptions/dead/replay`: sends them once more."""
    try:
        asked = msgspec.convert(await incoming.json(), _Replay)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"the body is invalid: {error}") from None
    if sum((bool(asked.ids), bool(asked.subscription_id), asked.all)) != 1:
        raise BadRequestData("ids, subscriptionId or all (true) is required, and only one of them")
    replayed = await incoming.services.subscriptions.replay(
        incoming.call, ids=asked.ids, subscription_id=asked.subscription_id
    )
    return plain_json({"replayed": list(replayed)})


_DEAD_LETTER: Schema = {
    "type": "object",
    "required": ["id", "subscriptionId", "seq", "attempts", "lastError", "givenUpAt"],
    "properties": {
        "id": {"type": "string"},
        "subscriptionId": {"type": "string"},
        "endpoint": {"type": ["string", "null"]},
        "seq": {"type": "integer"},
        "notifiedAt": {"type": "string"},
        "givenUpAt": {"type": "string", "format": "date-time"},
        "entities": {"type": "array", "items": {"type": "string"}},
        "attempts": {"type": "integer"},
        "lastError": {"type": "string"},
    },
}
_REPLAY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "ids": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "subscriptionId": {"type": "string", "minLength": 1},
        "all": {"const": True},
    },
    "oneOf": [{"required": ["ids"]}, {"required": ["subscriptionId"]}, {"required": ["all"]}],
}

OPERATIONS = [
    *_kept_operations(
        "Subscription",
        "subscriptions",
        ("6.10", "6.11"),
        "subscription",
        lambda services: services.subscriptions,
    ),
    *_kept_operations(
        "RegistrationSubscription",
        "csourceSubscriptions",
        ("6.12", "6.13"),
        "subscription to registrations of context sources",
        lambda services: services.source_subscriptions,
    ),
    Operation(
        name="listSubscriptionsOfObject",
        method="GET",
        path="/map/objects/{id}/subscriptions",
        handler=list_subscriptions_of_object,
        summary="The subscriptions that a change of an entity can trigger",
        response={"type": "array", "items": {"type": "object", "required": ["id", "type"]}},
    ),
    Operation(
        name="listDeadLetters",
        method="GET",
        path="/subscriptions/dead",
        handler=list_dead_letters,
        summary="Notifications that were given up, by id",
        params=frozenset({"after", "limit"}),
        response={"type": "array", "items": _DEAD_LETTER},
    ),
    Operation(
        name="replayDeadLetters",
        method="POST",
        path="/subscriptions/dead/replay",
        handler=replay_dead_letters,
        summary="Send given-up notifications once more",
        request=_REPLAY,
        response={
            "type": "object",
            "required": ["replayed"],
            "properties": {"replayed": {"type": "array", "items": {"type": "string"}}},
        },
    ),
]
