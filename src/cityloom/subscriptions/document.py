"""A subscription as it is kept: the wire's members, names expanded, checked once.

Source: ETSI GS CIM 009 clauses 5.2.12 (Subscription), 5.2.13 (GeoQuery), 5.2.14
(NotificationParams), 5.2.15 (Endpoint), 5.2.22 (KeyValuePair), 5.2.33 (EntitySelector).
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Trigger = Literal[
    "entityCreated",
    "entityUpdated",
    "entityDeleted",
    "attributeCreated",
    "attributeUpdated",
    "attributeDeleted",
]
Accept = Literal["application/json", "application/ld+json", "application/geo+json"]
DEFAULT_TRIGGERS: tuple[Trigger, ...] = ("attributeCreated", "attributeUpdated")


class KeyValue(Struct, frozen=True, forbid_unknown_fields=True):
    """One pair of receiverInfo or notifierInfo (5.2.22)."""

    key: str
    value: str


class Endpoint(
    Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Where notifications go (5.2.15); `timeout` and `cooldown` in milliseconds."""

    uri: str
    accept: Accept | None = None
    timeout: int | float | None = None
    cooldown: int | float | None = None
    receiver_info: list[KeyValue] = []
    notifier_info: list[KeyValue] = []


class Notification(
    Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a notification holds (5.2.14); names of `attributes` expanded, `pick` and `omit` as written."""

    endpoint: Endpoint
    attributes: list[str] | None = None
    pick: list[str] | None = None
    omit: list[str] | None = None
    format: Literal["normalized", "concise", "simplified", "keyValues"] | None = None
    join: Literal["flat", "inline", "@none"] = "@none"
    join_level: int | None = None
    show_changes: bool = False
    sys_attrs: bool = False


class Selector(
    Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Which entities (5.2.33): `type` a type selection as written; `id` goes before `id_pattern`."""

    type: str
    id: str | list[str] | None = None
    id_pattern: str | None = None

    @property
    def ids(self) -> list[str]:
        """The ids asked for, none when any will do."""
        if self.id is None:
            return []
        return [self.id] if isinstance(self.id, str) else self.id


class Geo(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """A geoquery (5.2.13), `geoproperty` as written."""

    georel: str
    geometry: str
    coordinates: Any
    geoproperty: str | None = None


class Temporal(
    Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """A temporal query (5.2.21), of which a subscription to registrations uses the time alone."""

    timerel: Literal["before", "after", "between"]
    time_at: str
    end_time_at: str | None = None
    timeproperty: Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"] | None = None


class Subscription(
    Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """A subscription (5.2.12).

    Names in `type` selections, `q`, `pick`, `omit` and `geoproperty` stay as written; `names`
    tells, by member, what each of them means, so that it can be read without its @context.
    `ld_context` is what notifications are compacted with: a URL or an inline @context, for
    which `link_context` stands where `jsonld_context` does not.
    `via` are the pseudonyms of the nodes that it passed before it came here (4.3.6.4).
    Members that have a default (`is_active`, `accept`, `format`) are told as they were given,
    and None when they were not.
    """

    id: str
    notification: Notification
    type: Literal["Subscription"] = "Subscription"
    subscription_name: str | None = None
    description: str | None = None
    entities: list[Selector] | None = None
    watched_attributes: list[str] | None = None
    notification_trigger: list[Trigger] | None = None
    time_interval: int | float | None = None
    throttling: int | float | None = None
    q: str | None = None
    geo_q: Geo | None = None
    scope_q: str | None = None
    temporal_q: Temporal | None = None
    csf: str | None = None
    lang: str | None = None
    dataset_id: list[str] | None = None
    expand_values: str | None = None
    json_keys: str | None = None
    jsonld_context: str | None = None
    local_only: bool | None = None
    split_entities: bool | None = None
    ngsild_conformance: str | None = None
    is_active: bool | None = None
    expires_at: str | None = None
    created_at: str = ""
    modified_at: str = ""
    names: dict[str, dict[str, str]] = {}
    ld_context: Any = None
    link_context: str | None = None
    via: list[str] = []


class Counters(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How its notifications fared (5.2.14.2): kept apart, without an event."""

    status: Literal["ok", "failed"] | None = None
    times_sent: int = 0
    times_failed: int = 0
    last_notification: str | None = None
    last_success: str | None = None
    last_failure: str | None = None


SUBSCRIPTION = "subscription"
SOURCE_SUBSCRIPTION = "sourceSubscription"
About = Literal["entities", "registrations"]
KINDS: dict[About, str] = {"entities": SUBSCRIPTION, "registrations": SOURCE_SUBSCRIPTION}
"""The kinds of document that subscriptions are kept as, by what they are to."""
COUNTERS = "subscriptionCounters"
CONSUMER = "subscriptions"
