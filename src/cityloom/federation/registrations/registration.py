"""A context source registration as it is kept: the wire's members, names expanded, checked once.

Source: ETSI GS CIM 009 clauses 5.2.8 (EntityInfo), 5.2.9 (CSourceRegistration), 5.2.10
(RegistrationInfo), 5.2.11 (TimeInterval), 5.2.22 (KeyValuePair), 5.2.34 (RegistrationManagementInfo).
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

REGISTRATION: Final = "registration"
"""The kind of document that registrations are kept as."""

Mode = Literal["inclusive", "exclusive", "redirect", "auxiliary"]


class KeyValue(Struct, frozen=True, forbid_unknown_fields=True):
    """One pair of contextSourceInfo (5.2.22)."""

    key: str
    value: str


class Interval(Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """A time interval (5.2.11), as written; open when it has no end."""

    start_at: str
    end_at: str | None = None


class EntityInfo(
    Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Entities that a source has (5.2.8); `id` goes before `id_pattern`."""

    type: str | list[str]
    id: str | None = None
    id_pattern: str | None = None

    @property
    def types(self) -> list[str]:
        """The types, of which an entity has all."""
        return [self.type] if isinstance(self.type, str) else self.type

    @property
    def pattern(self) -> str | None:
        """The pattern of ids, where there is no id."""
        return self.id_pattern if self.id is None else None


class Information(
    Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Entities and attributes that a source has (5.2.10); what is not told is not narrowed down."""

    entities: list[EntityInfo] | None = None
    property_names: list[str] | None = None
    relationship_names: list[str] | None = None

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes, empty when any."""
        return frozenset((*(self.property_names or ()), *(self.relationship_names or ())))


class Management(
    Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """How a source wants to be asked (5.2.34); `cooldown` and `timeout` in milliseconds."""

    cache_duration: str | None = None
    cooldown: int | float | None = None
    local_only: bool | None = None
    timeout: int | float | None = None


class Registration(
    Struct, frozen=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """A registration (5.2.9).

    Geometries are GeoJSON, lon and lat in CRS84 degrees. `properties` are the Context Source
    Properties: what the registrant tells beside the members of the table, by expanded name.
    Members that have a default (`mode`, `operations`) are told as they were given.
    """

    id: str
    endpoint: str
    information: list[Information]
    type: Literal["ContextSourceRegistration"] = "ContextSourceRegistration"
    registration_name: str | None = None
    description: str | None = None
    context_source_info: list[KeyValue] | None = None
    context_source_alias: str | None = None
    dataset_id: list[str] | None = None
    expires_at: str | None = None
    location: dict[str, Any] | None = None
    observation_space: dict[str, Any] | None = None
    operation_space: dict[str, Any] | None = None
    management: Management | None = None
    management_interval: Interval | None = None
    observation_interval: Interval | None = None
    mode: Mode | None = None
    operations: list[str] | None = None
    refresh_rate: str | None = None
    scope: list[str] | None = None
    tenant: str | None = None
    created_at: str = ""
    modified_at: str = ""
    properties: dict[str, Any] = {}

    @property
    def proxied(self) -> bool:
        """Whether the registered data stand there alone and never here (4.3.6.3)."""
        return self.mode in ("exclusive", "redirect")

    @property
    def temporal(self) -> bool:
        """Whether it is about a source of temporal evolutions, and so of nothing else (5.9.1)."""
        return self.management_interval is not None or self.observation_interval is not None


MEMBERS: Final = frozenset(Registration.__struct_encode_fields__) - {"properties"}
"""The members of a registration by their names on the wire."""


class Counters(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How the operations distributed to it fared (Table 5.2.9-2): kept apart, without an event."""

    status: Literal["ok", "failed"] | None = None
    times_sent: int = 0
    times_failed: int = 0
    last_success: str | None = None
    last_failure: str | None = None


COUNTERS: Final = "registrationCounters"
READ_ONLY: Final = frozenset(Counters.__struct_encode_fields__) | {"createdAt", "modifiedAt"}
"""Members that the node alone sets; a caller's are passed over."""
