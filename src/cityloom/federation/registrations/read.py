"""From a registration document on the wire to a `Registration`, and back.

Source: ETSI GS CIM 009 clauses 4.3.6.3, 4.3.6.6, 5.2.8 to 5.2.11, 5.2.34, 5.5.7
(expansion), 5.5.8 (update), 5.9.2.4 and 5.9.3.4 (behaviour).
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from cityloom.federation.registrations.operations import AUXILIARY, GROUPS, NAMES
from cityloom.federation.registrations.registration import (
    MEMBERS,
    READ_ONLY,
    Counters,
    Information,
    Interval,
    Management,
    Registration,
)
from cityloom.ld.compact import one_or_many
from cityloom.ld.conformance import parse_version
from cityloom.ld.context import LdContext
from cityloom.ld.names import check_scopes, is_uri
from cityloom.model.entity import NULL
from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime, parse_duration
from cityloom.query.geometry import check_reference
from cityloom.query.patterns import compile_pattern

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_MEDIA_TYPES: Final = ("application/json", "application/ld+json")
_GEOMETRIES: Final = ("location", "observationSpace", "operationSpace")
_LONGEST_TENANT: Final = 256


def read_registration(
    document: dict[str, Any], ld_context: LdContext, *, id: str, now: int, stamp: str
) -> Registration:
    """A new registration from its document.

    Args:
        document: the body, without its `@context`.
        ld_context: what the names in it mean.
        id: its identifier, made by the caller when the document has none.
        now: microseconds since 1970 (UTC), to judge `expiresAt`.
        stamp: `now` as ISO 8601.

    Raises:
        BadRequestData: a restriction of 5.2.9 is not met; names the member.
    """
    members = _expand(document, ld_context)
    for name, value in (*members.items(), *members["properties"].items()):
        if value is None or value == NULL:
            raise BadRequestData(f"{name} is invalid: null is no value")
    if "type" not in members:
        raise BadRequestData("type is required: ContextSourceRegistration")
    return _convert(members | {"id": id, "createdAt": stamp, "modifiedAt": stamp}, now, expiring=True)


def merge_registration(
    current: Registration, fragment: dict[str, Any], ld_context: LdContext, *, now: int, stamp: str
) -> Registration:
    """`current` with the members of `fragment` in place of its own; null takes a member away (5.5.8).

    Raises:
        BadRequestData: the result would not be a registration.
    """
    if fragment.get("id", current.id) != current.id:
        raise BadRequestData("id is invalid: it cannot be changed")
    if "type" in fragment and fragment["type"] in (None, NULL):
        raise BadRequestData("type is required: it cannot be taken away")
    members = msgspec.to_builtins(current)
    changes = _expand(fragment, ld_context)
    properties = {**members.pop("properties", {}), **changes.pop("properties")}
    members |= changes
    members = {name: value for name, value in members.items() if not (value is None or value == NULL)}
    members["properties"] = {
        name: value for name, value in properties.items() if not (value is None or value == NULL)
    }
    members |= {"id": current.id, "createdAt": current.created_at, "modifiedAt": stamp}
    return _convert(members, now, expiring=changes.get("expiresAt") is not None)


def write_registration(
    registration: Registration, counters: Counters, ld_context: LdContext, *, sys_attrs: bool
) -> dict[str, Any]:
    """The document of a registration for a caller with `ld_context` (5.10.1, 5.10.2)."""
    document: dict[str, Any] = msgspec.to_builtins(registration)
    document = {"id": registration.id, "type": registration.type, **document}
    properties = document.pop("properties", {})
    if not sys_attrs:
        document.pop("createdAt", None)
        document.pop("modifiedAt", None)
    for information in document["information"]:
        for entity in information.get("entities") or ():
            types = entity["type"]
            named = [ld_context.compact_iri(iri) for iri in ([types] if isinstance(types, str) else types)]
            entity["type"] = one_or_many(named) if isinstance(types, str) else named
        for name in ("propertyNames", "relationshipNames"):
            if name in information:
                information[name] = [ld_context.compact_iri(iri) for iri in information[name]]
    if "scope" in document:
        document["scope"] = one_or_many(document["scope"])
    document |= {ld_context.compact_iri(name): value for name, value in properties.items()}
    document |= msgspec.to_builtins(counters)
    return document


def _expand(document: dict[str, Any], ld_context: LdContext) -> dict[str, Any]:
    """The document with its names expanded, what is read-only left out, what is no member set apart."""
    members: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, value in document.items():
        if name in READ_ONLY or name == "@context":
            continue
        if name in MEMBERS:
            members[name] = value
        else:
            properties[ld_context.expand_name(name)] = value
    if isinstance(members.get("information"), list):
        members["information"] = [_expand_information(part, ld_context) for part in members["information"]]
    if members.get("scope") is not None and members["scope"] != NULL:
        members["scope"] = check_scopes(members["scope"])
    members["properties"] = properties
    return members


def _expand_information(information: Any, ld_context: LdContext) -> Any:
    if not isinstance(information, dict):
        return information
    expanded = dict(information)
    for name in ("propertyNames", "relationshipNames"):
        if name in expanded:
            expanded[name] = _expand_names(expanded[name], ld_context)
    if isinstance(expanded.get("entities"), list):
        expanded["entities"] = [
            {**entity, "type": _expand_names(entity["type"], ld_context)}
            if isinstance(entity, dict) and "type" in entity
            else entity
            for entity in expanded["entities"]
        ]
    return expanded


def _expand_names(names: Any, ld_context: LdContext) -> Any:
    """Names expanded; what is no name or list of names is left for the reader of the whole to refuse."""
    if isinstance(names, str):
        return ld_context.expand_name(names)
    if isinstance(names, list):
        return [ld_context.expand_name(name) if isinstance(name, str) else name for name in names]
    return names


def _convert(members: dict[str, Any], now: int, *, expiring: bool) -> Registration:
    try:
        registration = msgspec.convert(members, Registration)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"the registration is invalid: {error}") from None
    _check(registration, now, expiring=expiring)
    return registration


def _check(registration: Registration, now: int, *, expiring: bool) -> None:
    _check_url(registration.endpoint, "endpoint")
    if not registration.information:
        raise BadRequestData("information is invalid: at least one element is required")
    for index, information in enumerate(registration.information):
        _check_information(information, f"information[{index}]")
    _check_mode(registration)
    _check_source_info(registration)
    _check_times(registration, now, expiring=expiring)
    for name in _GEOMETRIES:
        geometry = msgspec.to_builtins(registration).get(name)
        if geometry is not None:
            check_reference(geometry, name)
    for name, text in (
        ("registrationName", registration.registration_name),
        ("description", registration.description),
    ):
        if text is not None and not text.strip():
            raise BadRequestData(f"{name} is invalid: it is empty")
    alias, tenant = registration.context_source_alias, registration.tenant
    if alias is not None and _TOKEN.fullmatch(alias) is None:
        raise BadRequestData(f"contextSourceAlias is invalid: {alias!r} is no pseudonym of RFC 7230")
    if tenant is not None and not (0 < len(tenant) <= _LONGEST_TENANT and tenant.isprintable()):
        raise BadRequestData(f"tenant is invalid: 1 to {_LONGEST_TENANT} characters are required")
    if registration.dataset_id is not None:
        if not registration.dataset_id:
            raise BadRequestData("datasetId is invalid: at least one is required")
        for one in registration.dataset_id:
            if one != "@none" and not is_uri(one):
                raise BadRequestData(f"datasetId is invalid: {one!r} is no URI and not @none")
    if registration.management is not None:
        _check_management(registration.management)


def _check_information(information: Information, place: str) -> None:
    parts = (
        ("entities", information.entities),
        ("propertyNames", information.property_names),
        ("relationshipNames", information.relationship_names),
    )
    if all(part is None for _, part in parts):
        raise BadRequestData(f"{place} is invalid: entities, propertyNames or relationshipNames is required")
    for name, part in parts:
        if part is not None and not part:
            raise BadRequestData(f"{place}.{name} is invalid: it is empty")
    for number, entity in enumerate(information.entities or ()):
        where = f"{place}.entities[{number}]"
        if not entity.types:
            raise BadRequestData(f"{where}.type is invalid: it is empty")
        if entity.id is not None and not is_uri(entity.id):
            raise BadRequestData(f"{where}.id is invalid: {entity.id[:200]!r} is no URI")
        if entity.id_pattern is not None:
            compile_pattern(entity.id_pattern, f"{where}.idPattern")


def _check_mode(registration: Registration) -> None:
    """The restrictions of 4.3.6.3 on exclusive registrations and of 5.9.2.4 on auxiliary ones."""
    operations = registration.operations
    if operations is not None and not operations:
        raise BadRequestData("operations is invalid: at least one is required")
    for name in operations or ():
        if name not in NAMES and name not in GROUPS:
            raise BadRequestData(
                f"operations is invalid: {name!r} is no operation and no group of operations"
            )
    if registration.mode == "auxiliary" and operations is not None and not AUXILIARY.issuperset(operations):
        allowed = ", ".join(sorted(AUXILIARY))
        raise BadRequestData(f"operations is invalid: an auxiliary source has none but {allowed}")
    if registration.mode == "exclusive":
        for index, information in enumerate(registration.information):
            place = f"information[{index}]"
            if not information.entities or any(entity.id is None for entity in information.entities):
                raise BadRequestData(
                    f"{place}.entities is invalid: an exclusive source has entities with ids"
                )
            if not information.attributes:
                raise BadRequestData(f"{place} is invalid: an exclusive source has named attributes")


def _check_source_info(registration: Registration) -> None:
    """The keys that have a meaning of their own (4.3.6.6); the others must be headers (6.3.19)."""
    for pair in registration.context_source_info or ():
        place = f"contextSourceInfo[{pair.key}]"
        if _TOKEN.fullmatch(pair.key) is None:
            raise BadRequestData(f"contextSourceInfo is invalid: {pair.key!r} is no name of a header")
        if pair.key in ("accept", "contentType") and pair.value not in _MEDIA_TYPES:
            raise BadRequestData(f"{place} is invalid: one of {', '.join(_MEDIA_TYPES)} is required")
        if pair.key == "jsonldContext":
            _check_url(pair.value, place)
        if pair.key == "ngsildConformance" and parse_version(pair.value) is None:
            raise BadRequestData(f"{place} is invalid: {pair.value!r} is no version like 1.8")
        if _HEADER_VALUE.fullmatch(pair.value) is None:
            raise BadRequestData(f"{place} is invalid: it is no value of a header")


def _check_times(registration: Registration, now: int, *, expiring: bool) -> None:
    if registration.expires_at is not None:
        moment = parse_datetime(registration.expires_at, "expiresAt")
        if expiring and moment <= now:
            raise BadRequestData(f"expiresAt is invalid: {registration.expires_at} is in the past")
    for name, interval in (
        ("observationInterval", registration.observation_interval),
        ("managementInterval", registration.management_interval),
    ):
        if interval is not None:
            bounds(interval, name)
    if registration.refresh_rate is not None:
        parse_duration(registration.refresh_rate, "refreshRate")


def bounds(interval: Interval, place: str) -> tuple[int, int | None]:
    """The start and the end of an interval (µs); no end where it is open. Raises BadRequestData."""
    start = parse_datetime(interval.start_at, f"{place}.startAt")
    end = None if interval.end_at is None else parse_datetime(interval.end_at, f"{place}.endAt")
    if end is not None and end < start:
        raise BadRequestData(f"{place} is invalid: it ends before it starts")
    return start, end


def _check_management(management: Management) -> None:
    for name, number in (("cooldown", management.cooldown), ("timeout", management.timeout)):
        if number is not None and not 0 < number < 1e12:
            raise BadRequestData(f"management.{name} is invalid: {number} is not greater than 0")
    if management.cache_duration is not None:
        parse_duration(management.cache_duration, "management.cacheDuration")


def _check_url(url: str, place: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadRequestData(f"{place} is invalid: {url!r} is no URI") from None
    if parts.scheme not in ("http", "https") or not host:
        raise BadRequestData(f"{place} is invalid: {url!r} is no http or https URI with a host")
