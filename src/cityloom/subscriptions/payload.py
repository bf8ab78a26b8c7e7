"""What a notification says, before and after it is put into the subscriber's words.

Source: ETSI GS CIM 009 clauses 5.3.1 (Notification), 5.8.6 (behaviour), 6.3.8
(HTTP: media type, Link header, receiverInfo), 7.2 (MQTT: metadata and body).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from cityloom.broker.ports import HERE
from cityloom.ld.compact import Form, compact_collection, compact_entity
from cityloom.ld.conformance import parse_version
from cityloom.ld.context import LdContext
from cityloom.ld.linked import Read, Shape, write_entities
from cityloom.model.entity import DEFAULT_INSTANCE, NULL, Attribute, Entity
from cityloom.model.events import AttributeChange, Event
from cityloom.model.time import format_datetime
from cityloom.store.log_ports import Announcement
from cityloom.subscriptions.compiled import Compiled
from cityloom.subscriptions.document import Subscription

_NAMESPACE = uuid.UUID("7c9d3c0e-3a52-5b0e-9f61-0d6a6f2b9d0f")
_REPRESENTATIONS: Final[dict[str | None, Literal["normalized", "concise", "simplified"]]] = {
    None: "normalized",
    "normalized": "normalized",
    "concise": "concise",
    "simplified": "simplified",
    "keyValues": "simplified",
}
_LINK_REL = 'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


class Payload(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What is kept of a notification until it is delivered: entities as they were, names expanded.

    `previous` holds the instances before the change, where the subscription shows changes.
    """

    notified_at: str
    entities: list[Entity]
    previous: list[AttributeChange] = []


class ToldPayload(Payload, frozen=True, omit_defaults=True, rename="camel"):
    """What a context source told of entities, names expanded, until it is put together and delivered.

    `registration` is that of the source, or `HERE`; `decided` says that it looked at the conditions of the
    subscription itself, so that they are not looked at here.
    """

    registration: str = ""
    decided: bool = False


TriggerReason = Literal["newlyMatching", "updated", "noLongerMatching"]


class SourcePayload(Struct, frozen=True, rename="camel"):
    """What is kept of a notification of registrations until it is delivered: as they were (5.3.2, 5.3.3)."""

    notified_at: str
    trigger_reason: TriggerReason
    registrations: list[Any]


def payload_in(body: Any) -> Payload | SourcePayload | Announcement:
    """The payload of a delivery, also of one that was read back from the store."""
    if isinstance(body, Payload | SourcePayload | Announcement):
        return body
    if "endpoint" in body:
        return msgspec.convert(body, Announcement)
    if "triggerReason" in body:
        return msgspec.convert(body, SourcePayload)
    if "registration" in body:
        return msgspec.convert(body, ToldPayload)
    return msgspec.convert(body, Payload)


class Message(NamedTuple):
    """A notification in the subscriber's words."""

    content_type: str
    body: dict[str, Any]
    headers: dict[str, str]


def delivery_id(tenant: str, subscription: str, mark: str) -> str:
    """The id of one notification, the same however often it is made.

    Args:
        mark: what it tells of: the number of an event, or a timer's due time.
    """
    return f"urn:ngsi-ld:Notification:{uuid.uuid5(_NAMESPACE, f'{tenant}|{subscription}|{mark}')}"


def payload_of(compiled: Compiled, event: Event, state: Entity) -> Payload:
    """What one event tells a subscriber."""
    show_changes = compiled.subscription.notification.show_changes
    stamp = format_datetime(event.at)
    gone = _tombstones(event, stamp)
    if event.kind == "entityDeleted":
        if not show_changes:
            gone = {name: [_whole(gone[name])] for name in compiled.deleted_with(event)}
        state = msgspec.structs.replace(state, attributes=gone, deleted_at=stamp)
    elif gone:
        sys_attrs = compiled.subscription.notification.sys_attrs
        merged = dict(state.attributes)
        for name, instances in gone.items():
            left = merged.get(name, [])
            whole = not (left or show_changes or sys_attrs)
            merged[name] = [_whole(instances)] if whole else [*left, *instances]
        state = msgspec.structs.replace(state, attributes=merged)
    previous = [change for change in _changes(event) if change.before is not None] if show_changes else []
    return Payload(stamp, [state], previous)


def _whole(instances: Sequence[Attribute]) -> Attribute:
    """One tombstone for an attribute of which nothing is left: there is no dataset to tell apart (5.8.6)."""
    if len(instances) == 1:
        return instances[0]
    return msgspec.structs.replace(instances[0], dataset_id=DEFAULT_INSTANCE)


def payload_of_many(entities: Iterable[Entity], stamp: str) -> Payload:
    """What a periodic or a throttled notification tells: entities as they are."""
    return Payload(stamp, list(entities))


def told_here(payload: Payload) -> ToldPayload:
    """What this node tells of entities of which other places may have more, which is to be decided first."""
    return ToldPayload(payload.notified_at, payload.entities, payload.previous, registration=HERE)


async def render(
    payload: Payload, compiled: Compiled, delivery: str, ld_context: LdContext, read: Read
) -> Message:
    """A notification in the words of its subscription.

    Args:
        delivery: the notification's id.
        ld_context: what to compact with.
        read: gives the linked entities, as they are by now.
    """
    subscription = compiled.subscription
    notification = subscription.notification
    receiver = {pair.key: pair.value for pair in notification.endpoint.receiver_info}
    accept = notification.endpoint.accept or "application/json"
    geojson = accept == "application/geo+json"
    form = Form(
        representation=_REPRESENTATIONS[notification.format],
        sys_attrs=notification.sys_attrs,
        geojson=geojson,
        lang=subscription.lang,
        version=parse_version(subscription.ngsild_conformance or ""),
    )
    previous = {
        (change.name, change.dataset_id): change.before for change in payload.previous if change.before
    }
    shape = Shape(form, compiled.projection, compiled.joining)
    living = [entity for entity in payload.entities if entity.deleted_at is None]
    data: Any = await write_entities(living, ld_context, shape, read, previous)
    # A deletion is told whatever the projection.
    data += [
        compact_entity(entity, ld_context, form, previous=previous)
        for entity in payload.entities
        if entity.deleted_at is not None
    ]
    plain_body = geojson and receiver.get("Prefer") == "body=json"
    if geojson:
        data = compact_collection(data)
        if not plain_body:
            data["@context"] = subscription.ld_context
    elif accept == "application/ld+json":
        data = [{**entity, "@context": subscription.ld_context} for entity in data]
    headers = dict(receiver)
    if accept == "application/json" or plain_body:
        headers["Link"] = link_to(subscription)
    body = {
        "id": delivery,
        "type": "Notification",
        "subscriptionId": subscription.id,
        "notifiedAt": payload.notified_at,
        "data": data,
    }
    return Message(accept, body, headers)


def link_to(subscription: Subscription) -> str:
    """The Link header that tells the @context of a subscription's notifications."""
    return f"<{subscription.jsonld_context or subscription.link_context}>; {_LINK_REL}"


def _tombstones(event: Event, stamp: str) -> dict[str, list[Attribute]]:
    """The attribute instances that the event took away."""
    gone: dict[str, list[Attribute]] = {}
    for change in _changes(event):
        if change.after is None and change.before is not None:
            value: Any = {"@none": NULL} if change.before.kind == "LanguageProperty" else NULL
            gone.setdefault(change.name, []).append(
                Attribute(
                    kind=change.before.kind,
                    value=value,
                    dataset_id=change.dataset_id,
                    created_at=change.before.created_at,
                    modified_at=stamp,
                    deleted_at=stamp,
                )
            )
    return gone


def _changes(event: Event) -> list[AttributeChange]:
    """What changed; of a deleted entity every instance that it had."""
    before = event.before.attributes if event.before is not None else {}
    return [
        AttributeChange(name=name, dataset_id=instance.dataset_id, before=instance)
        for name, instances in before.items()
        for instance in instances
    ] or list(event.changes)
