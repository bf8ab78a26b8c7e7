"""Which registrations may have something of what is asked, and what of them is to the point.

Source: ETSI GS CIM 009 clauses 5.10.2.4, 5.11.2.4, 5.12.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import to_builtins
from msgspec.structs import replace

from cityloom.federation.registrations.read import bounds
from cityloom.federation.registrations.registration import EntityInfo, Information, Interval, Registration
from cityloom.ld.context import LdContext
from cityloom.model.entity import LOCATION, OBSERVATION_SPACE, OPERATION_SPACE, Attribute, Entity
from cityloom.query.evaluate import matcher, matches_types
from cityloom.query.geo import area_test
from cityloom.query.patterns import compile_pattern
from cityloom.query.sources import EntitySpecification, SourceQuery
from cityloom.query.values import Query, TemporalQuery

_NOT_TOLD: Final = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "properties"})

Match = Callable[[Registration], Registration | None]
"""A registration with what is to the point of its information, or None when nothing is."""


def registration_match(query: SourceQuery, *, anywhere: bool = False) -> Match:
    """Compiles a query for registrations.

    Args:
        anywhere: whether a source that tells no place may have something at any: so it is when it
            is to be asked, not when who looks for a place is told of it (5.10.2.4).

    Cost: of one match, linear in the information of the registration.
    """
    in_area = area_test(query.geo) if query.geo is not None else None
    place = query.geo.geoproperty if query.geo is not None else ""
    # The filter and the scope query look at the registration as if it were an entity.
    condition = Query(q=query.csf, scope_q=query.scope_q)
    holds = matcher(condition) if condition != Query() else None
    attrs = frozenset(query.attrs)
    datasets = frozenset(query.dataset_ids)

    def match(registration: Registration) -> Registration | None:
        if not in_time(registration, query.temporal):
            return None
        if datasets and registration.dataset_id and datasets.isdisjoint(registration.dataset_id):
            return None
        if in_area is not None:
            area = space(registration, place)
            if not (anywhere if area is None else in_area(area)):
                return None
        if holds is not None and not holds(as_entity(registration)):
            return None
        told = [part for part in registration.information if fits(part, query.entities, attrs)]
        if not told:
            return None
        return (
            registration
            if len(told) == len(registration.information)
            else replace(registration, information=told)
        )

    return match


def fits(information: Information, entities: Sequence[EntitySpecification], attrs: frozenset[str]) -> bool:
    """Whether an element of the information may have one of these attributes of such an entity (5.12)."""
    if attrs and information.attributes and attrs.isdisjoint(information.attributes):
        return False
    if not entities or information.entities is None:
        return True
    return any(info_fits(info, wanted) for info in information.entities for wanted in entities)


def info_fits(info: EntityInfo, wanted: EntitySpecification) -> bool:
    """Whether an EntityInfo may have such entities: the conditions of 5.12."""
    if wanted.types is not None and not matches_types(wanted.types, info.types):
        return False
    if info.id is None and info.pattern is None:
        return True
    if not wanted.ids and wanted.id_pattern is None:
        return True
    if wanted.ids:
        return any(info_has_id(info, id) for id in wanted.ids)
    if info.id is not None and wanted.id_pattern is not None:
        return compile_pattern(wanted.id_pattern, "idPattern").search(info.id) is not None
    # Two patterns: whether an id fits both is not to be known, so it is supposed.
    return True


def info_has_id(info: EntityInfo, id: str) -> bool:
    """Whether an entity of this id is among those of an EntityInfo, its type left aside."""
    if info.id is not None:
        return info.id == id
    return info.pattern is None or compile_pattern(info.pattern, "idPattern").search(id) is not None


def in_time(registration: Registration, temporal: TemporalQuery | None) -> bool:
    """Whether the source has something of the time asked for: of none, those without intervals (5.9.1)."""
    if temporal is None:
        return not registration.temporal
    observed = temporal.timeproperty == "observedAt"
    interval = registration.observation_interval if observed else registration.management_interval
    return interval is not None and _overlaps(interval, temporal)


def _overlaps(interval: Interval, temporal: TemporalQuery) -> bool:
    start, end = bounds(interval, "interval")
    at = temporal.time_at
    if temporal.timerel is None or at is None:
        return True
    if temporal.timerel == "before":
        return start <= at
    if temporal.timerel == "after":
        return end is None or end >= at
    until = temporal.end_time_at
    return (until is None or start <= until) and (end is None or end >= at)


def space(registration: Registration, geoproperty: str) -> dict[str, Any] | None:
    """The geometry of a registration that stands for a GeoProperty (expanded name) of its entities."""
    known = {
        LOCATION: registration.location,
        OBSERVATION_SPACE: registration.observation_space,
        OPERATION_SPACE: registration.operation_space,
    }
    if geoproperty in known:
        return known[geoproperty]
    told = registration.properties.get(geoproperty)
    if isinstance(told, dict) and told.get("type") == "GeoProperty":
        told = told.get("value")
    return told if isinstance(told, dict) else None


def as_entity(registration: Registration) -> Entity:
    """The registration's own properties as an entity's, for conditions in the query language (4.9)."""
    members = {
        LdContext.core.expand_term(name): value
        for name, value in to_builtins(registration).items()
        if name not in _NOT_TOLD
    }
    members |= {
        name: value["value"] if isinstance(value, dict) and "type" in value and "value" in value else value
        for name, value in registration.properties.items()
    }
    return Entity(
        id=registration.id,
        types=[LdContext.core.expand_term(registration.type)],
        scopes=registration.scope or [],
        attributes={name: [Attribute(kind="Property", value=value)] for name, value in members.items()},
        created_at=registration.created_at or None,
        modified_at=registration.modified_at or None,
    )
