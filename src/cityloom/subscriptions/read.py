"""From a subscription document on the wire to a `Subscription`, and back.

Source: ETSI GS CIM 009 clauses 5.2.12 to 5.2.15, 5.5.7 (expansion), 5.5.8
(update), 5.8.1.4 and 5.8.2.4 (behaviour).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cityloom.ld.conformance import parse_version
from cityloom.ld.context import LdContext
from cityloom.ld.language import check_languages
from cityloom.model.entity import NULL
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime
from cityloom.query.scanner import is_uri
from cityloom.subscriptions.compiled import Compiled
from cityloom.subscriptions.document import DEFAULT_TRIGGERS, About, Counters, Subscription
from cityloom.subscriptions.source_query import source_query
from cityloom.subscriptions.transport import check_notifier_info

NO_VALUE = (None, NULL)
"""What takes a member away in a fragment (5.4)."""

_READ_ONLY = {"status", "createdAt", "modifiedAt"}
_READ_ONLY_NOTIFICATION = {
    "status",
    "timesSent",
    "timesFailed",
    "lastNotification",
    "lastSuccess",
    "lastFailure",
}
_SCHEMES = ("http", "https", "mqtt", "mqtts")
_INTERNAL = {"names", "ldContext", "linkContext", "via"}
_TYPE_NAME = re.compile(r"[^,|;()\s]+")


def read_subscription(
    document: dict[str, Any], ld_context: LdContext, *, about: About, id: str, now: int, stamp: str
) -> Subscription:
    """A new subscription from its document.

    Args:
        document: the body, without its `@context`.
        ld_context: what the names in it mean, and what notifications are compacted with.
        about: what it is to.
        id: its identifier, made by the caller when the document has none.
        now: microseconds since 1970 (UTC), to judge `expiresAt`.
        stamp: `now` as ISO 8601.

    Raises:
        BadRequestData: a restriction of 5.2.12 is not met; names the member.
    """
    members = _expand(document, ld_context)
    if any(value is None for value in members.values()):
        empty = next(name for name, value in members.items() if value is None)
        raise BadRequestData(f"{empty} is invalid: null is no value")
    members |= {"id": id, "ldContext": ld_context.source, "createdAt": stamp, "modifiedAt": stamp}
    return _convert(members, ld_context, about, {}, now, expiring=True)


def merge_subscription(
    current: Subscription,
    fragment: dict[str, Any],
    ld_context: LdContext,
    *,
    about: About,
    now: int,
    stamp: str,
) -> Subscription:
    """`current` with the members of `fragment` in place of its own; an NGSI-LD Null takes a member away.

    Raises:
        BadRequestData: the result would not be a subscription.
    """
    if fragment.get("id", current.id) != current.id:
        raise BadRequestData("id is invalid: it cannot be changed")
    if "type" in fragment and fragment["type"] in NO_VALUE:
        raise BadRequestData("type is required: it cannot be taken away")
    members = msgspec.to_builtins(current)
    for name, value in _expand(fragment, ld_context).items():
        if value is None:
            members.pop(name, None)
        else:
            members[name] = value
    members |= {"id": current.id, "modifiedAt": stamp}
    kept = {member: names for member, names in current.names.items() if member not in fragment}
    return _convert(members, ld_context, about, kept, now, expiring=fragment.get("expiresAt") is not None)


def write_subscription(
    subscription: Subscription,
    counters: Counters,
    ld_context: LdContext,
    *,
    about: About,
    now: int,
    sys_attrs: bool,
) -> dict[str, Any]:
    """The document of a subscription for a caller with `ld_context` (5.8.3, 5.8.4).

    One to entities that waits for changes tells which, also where the default counts (5.2.12).
    """
    document = {
        name: value
        for name, value in msgspec.to_builtins(subscription).items()
        if name not in _INTERNAL and value is not None
    }
    if about == "entities" and subscription.time_interval is None:
        document.setdefault("notificationTrigger", list(DEFAULT_TRIGGERS))
    if not sys_attrs:
        document.pop("createdAt", None)
        document.pop("modifiedAt", None)
    if "entities" in document:
        known = subscription.names.get("entities", {})

        def told(match: re.Match[str]) -> str:
            name = match.group()
            return ld_context.compact_iri(known[name]) if name in known else name

        document["entities"] = [
            {**selector, "type": _TYPE_NAME.sub(told, selector["type"])} for selector in document["entities"]
        ]
    if "watchedAttributes" in document:
        document["watchedAttributes"] = [ld_context.compact_iri(iri) for iri in document["watchedAttributes"]]
    notification = {**document["notification"]}
    if "attributes" in notification:
        notification["attributes"] = [ld_context.compact_iri(iri) for iri in notification["attributes"]]
    notification |= {k: v for k, v in msgspec.to_builtins(counters).items() if v is not None}
    document["notification"] = notification
    document["type"] = "Subscription"
    document["status"] = status_of(subscription, now)
    return document


def status_of(subscription: Subscription, now: int) -> str:
    """`active`, `paused` or `expired` at `now` (microseconds)."""
    if subscription.expires_at is not None and parse_datetime(subscription.expires_at) <= now:
        return "expired"
    return "paused" if subscription.is_active is False else "active"


def _expand(document: dict[str, Any], ld_context: LdContext) -> dict[str, Any]:
    """The document with its lists of attribute names expanded and what is read-only left out.

    A member that is an NGSI-LD Null (5.4) is None.
    """
    members = {
        name: None if value in NO_VALUE else value
        for name, value in document.items()
        if name not in _READ_ONLY | {"@context"}
    }
    for name in _INTERNAL & members.keys():
        raise BadRequestData(f"{name} is invalid: a subscription has no such member")
    if "watchedAttributes" in members:
        members["watchedAttributes"] = _expand_list(members, "watchedAttributes", ld_context)
    notification = members.get("notification")
    if isinstance(notification, dict):
        notification = {k: v for k, v in notification.items() if k not in _READ_ONLY_NOTIFICATION}
        if "attributes" in notification:
            for name in ("id", "type", "scope"):
                if name in (notification["attributes"] or ()):
                    raise BadRequestData(f"notification.attributes is invalid: {name!r} is no attribute")
            notification["attributes"] = _expand_list(notification, "attributes", ld_context)
        members["notification"] = notification
    return members


def _expand_list(members: dict[str, Any], name: str, ld_context: LdContext) -> list[str] | None:
    names = members.get(name)
    if names is None:
        return None
    if not isinstance(names, list) or not names or not all(isinstance(term, str) and term for term in names):
        raise BadRequestData(f"{name} is invalid: a list of at least one attribute name is required")
    return [ld_context.expand_term(term) for term in names]


def _convert(
    members: dict[str, Any],
    ld_context: LdContext,
    about: About,
    kept: dict[str, dict[str, str]],
    now: int,
    *,
    expiring: bool,
) -> Subscription:
    """Checks the whole and records what the names in its expressions mean.

    `kept` are the recorded names of members that were there before, under another @context.
    """
    try:
        subscription = msgspec.convert(members, Subscription)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"the subscription is invalid: {error}") from None
    _check(subscription, now, expiring=expiring)
    if about == "entities" and subscription.temporal_q is not None:
        raise BadRequestData("temporalQ is invalid: it is for subscriptions to registrations")
    if about == "registrations" and subscription.notification.endpoint.accept == "application/geo+json":
        raise BadRequestData("notification.endpoint.accept is invalid: registrations are no GeoJSON")
    names: dict[str, dict[str, str]] = {}

    def expand_for(member: str) -> Callable[[str], str]:
        known = kept.get(member, {})
        into = names.setdefault(member, {})

        def expand(term: str) -> str:
            if term not in into:
                into[term] = known[term] if term in known else ld_context.expand_term(term)
            return into[term]

        return expand

    compiled = Compiled(subscription, expand_for)
    source_query(compiled, expand_for("csf"))
    return msgspec.structs.replace(subscription, names={k: v for k, v in names.items() if v})


def _check(subscription: Subscription, now: int, *, expiring: bool) -> None:
    notification = subscription.notification
    if subscription.entities is not None and not subscription.entities:
        raise BadRequestData("entities is invalid: at least one is required")
    for selector in subscription.entities or ():
        for id in selector.ids:
            if not is_uri(id):
                raise BadRequestData(f"entities.id is invalid: {id[:200]!r} is no URI")
    anything = subscription.entities is None and subscription.watched_attributes is None
    if anything and not subscription.local_only:
        raise BadRequestData("entities or watchedAttributes is required")
    anyone = any(selector.type.strip() == "*" for selector in subscription.entities or ())
    if anyone and subscription.local_only is False:
        raise BadRequestData("localOnly is invalid: with type * the scope is local")
    if subscription.time_interval is not None:
        for name, value in (
            ("watchedAttributes", subscription.watched_attributes),
            ("throttling", subscription.throttling),
        ):
            if value is not None:
                raise BadRequestData(f"{name} is invalid: it cannot stand beside timeInterval")
        if subscription.entities is None and not subscription.local_only:
            raise BadRequestData("entities is required beside timeInterval")
    for name, number in (
        ("timeInterval", subscription.time_interval),
        ("throttling", subscription.throttling),
        ("notification.endpoint.timeout", notification.endpoint.timeout),
        ("notification.endpoint.cooldown", notification.endpoint.cooldown),
        ("notification.joinLevel", notification.join_level),
    ):
        if number is not None and not 0 < number < 1e12:
            raise BadRequestData(f"{name} is invalid: {number} is not greater than 0")
    for name, names in (("pick", notification.pick), ("omit", notification.omit)):
        if names is not None and not names:
            raise BadRequestData(f"notification.{name} is invalid: at least one name is required")
    if notification.attributes is not None and (notification.pick or notification.omit):
        raise BadRequestData("notification.attributes is invalid beside pick or omit")
    if notification.show_changes and notification.format in ("simplified", "keyValues"):
        raise BadRequestData("notification.showChanges is invalid beside the simplified format")
    if subscription.expires_at is not None:
        moment = parse_datetime(subscription.expires_at, "expiresAt")
        if expiring and moment <= now:
            raise BadRequestData(f"expiresAt is invalid: {subscription.expires_at} is in the past")
    version = subscription.ngsild_conformance
    if version is not None and parse_version(version) is None:
        raise BadRequestData(f"ngsildConformance is invalid: {version!r} is no version like 1.8")
    if subscription.lang is not None:
        check_languages(subscription.lang)
    _check_endpoint(notification.endpoint.uri)
    wrong = check_notifier_info(notification.endpoint)
    if wrong is not None:
        raise BadRequestData(f"notification.endpoint.notifierInfo: {wrong}")


def _check_endpoint(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadRequestData(f"notification.endpoint.uri is invalid: {uri!r} is no URI") from None
    if parts.scheme not in _SCHEMES or not host:
        raise BadRequestData(
            f"notification.endpoint.uri is invalid: {uri!r} is none of {', '.join(_SCHEMES)} with a host"
        )
    if parts.scheme.startswith("mqtt") and not parts.path.strip("/"):
        raise BadRequestData(f"notification.endpoint.uri is invalid: {uri!r} names no topic")
