"""Surges as everyone sees them: an alarm is an entity of type `CaseSurge` that only this room writes.

Its id is made of type, area and the arrival that raised it, so the same alarm is the same entity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.broker.schemas import SchemaRules
from cityloom.broker.writer import EntityWriter
from cityloom.cases.insight.surge import Key, Surge, sentence
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.kept import CASE, iri, written
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, Entity
from cityloom.model.events import Event
from cityloom.model.tenants import split_tenant
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.values import Path, QAnd, QCompare, QTime, Query, TypeIs
from cityloom.store.ports import Snapshot, Transaction

SURGE: Final = DEFAULT_VOCAB + "CaseSurge"
"""The type of the entities that are alarms; this room owns it."""
SURGE_ID: Final = "urn:ngsi-ld:CaseSurge:"
_EVERY: Final = 10**9
_READ: Final = [iri(name) for name in ("caseType", "refArea", "reportedAt", "partOf")]


class Arrival(NamedTuple):
    """A case that was reported: when (microseconds), and of which type and area ("": unknown)."""

    at: int
    type: str
    area: str


def surge_id(surge: Surge) -> str:
    """The id of an alarm's entity."""
    begun = format_datetime(surge.since)
    return f"{SURGE_ID}{''.join(c for c in begun if c.isalnum())}:{digest((surge.type, surge.area))}"


def digest(key: Key) -> str:
    """A short word for a type in an area."""
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]


def arrived(event: Event) -> bool:
    """Whether by this event the type of a case that is no part, here and not in a snapshot, became known."""
    return (
        event.kind in ("entityCreated", "entityUpdated")
        and CASE in event.types
        and ":part:" not in event.entity_id
        and not split_tenant(event.tenant)[1]
        and any(
            change.name == iri("caseType") and change.before is None and change.after is not None
            for change in event.changes
        )
    )


def arrival_of(entity: Entity) -> Arrival | None:
    """When and where a case was reported; None where its type is not known, and for a part."""
    kind, at = _value(entity, "caseType"), _value(entity, "reportedAt")
    if not kind or not at or _value(entity, "partOf"):
        return None
    return Arrival(parse_datetime(at), str(kind), str(_value(entity, "refArea") or ""))


def arrivals(reads: Snapshot, tenant: str, since: int, until: int) -> list[Arrival]:
    """What arrived in [since, until), microseconds, in that order.

    Cost: some 30 us for each case, and its arrival in memory.
    """
    reported = Path((iri("reportedAt"),))
    query = Query(
        types=TypeIs(CASE),
        q=QAnd(
            [
                QCompare(reported, ">=", QTime(format_datetime(since), since)),
                QCompare(reported, "<", QTime(format_datetime(until), until)),
            ]
        ),
        limit=_EVERY,
    )
    return sorted(_arrivals(reads.lights(tenant, query, _READ)))


def put_surge(
    tx: Transaction, call: Call, surge: Surge, rules: CaseRules, centre: tuple[float, float] | None
) -> None:
    """Writes the entity of an alarm as it stands; one that is there is changed.

    Args:
        centre: of the city (lon, lat), where an alarm of the whole city is shown.
    """
    writer = EntityWriter(tx, call, {}, "", SchemaRules())
    id = surge_id(surge)
    stored = writer.find(id)
    area = tx.get(call.tenant, surge.area) if surge.area else None
    writer.put(id, written(_entity(id, surge, rules, area, centre), stored, writer.now))


def surge_of(entity: Entity) -> Surge:
    """The alarm that an entity of type `CaseSurge` tells of."""
    return msgspec.convert(_value(entity, "surge"), Surge)


def reason(surge: Surge, rules: CaseRules, area: Mapping[str, str] | None = None) -> dict[str, str]:
    """Why it was raised, in English and Chinese, with the names of type and area in each.

    Args:
        area: its name by language; None where it is told elsewhere.
    """
    row = rules.limits.told.types.get(surge.type)
    titles = {} if row is None else row.title
    return {
        language: sentence(
            replace(surge, type=titles.get(language, surge.type), area=_in(area or {}, language))
        )[language]
        for language in ("en", "zh")
    }


def _in(names: Mapping[str, str], language: str) -> str:
    """A name in a language, else whatever there is of it."""
    return names.get(language) or next(iter(names.values()), "")


def _entity(
    id: str, surge: Surge, rules: CaseRules, area: Entity | None, centre: tuple[float, float] | None
) -> Entity:
    properties: dict[str, Any] = {
        "caseType": surge.type,
        "status": "on" if surge.until is None else "ended",
        "raisedAt": format_datetime(surge.since),
        "endedAt": None if surge.until is None else format_datetime(surge.until),
        "seen": surge.seen,
        "expected": round(surge.expected, 3),
        "peak": surge.peak,
    }
    attributes = {
        iri(name): [Attribute(kind="Property", value=value)]
        for name, value in properties.items()
        if value is not None
    }
    if surge.area:
        attributes[iri("refArea")] = [Attribute(kind="Relationship", value=surge.area)]
    told = reason(surge, rules, _names(surge.area, area) if surge.area else None)
    attributes[iri("description")] = [Attribute(kind="LanguageProperty", value=told)]
    attributes[iri("surge")] = [Attribute(kind="JsonProperty", value=msgspec.to_builtins(surge))]
    where = area.instance(LOCATION) if area is not None else None
    point = {"type": "Point", "coordinates": list(centre)} if centre is not None else None
    place = point if where is None else where.value
    if place is not None:
        attributes[LOCATION] = [Attribute(kind="GeoProperty", value=place)]
    return Entity(id=id, types=[SURGE], attributes=attributes)


def _arrivals(entities: Iterable[Entity]) -> Iterator[Arrival]:
    for entity in entities:
        found = arrival_of(entity)
        if found is not None:
            yield found


def _names(id: str, area: Entity | None) -> dict[str, str]:
    """The names of an area by language, as the live picture has it; the end of its id where it has none."""
    value = None if area is None else _value(area, "name")
    if isinstance(value, dict):
        found = {language: text for language, text in value.items() if isinstance(text, str) and text}
    else:
        found = {"@none": value} if isinstance(value, str) and value else {}
    return found or {"@none": id.rsplit(":", 1)[-1]}


def _value(entity: Entity, name: str) -> Any:
    instance = entity.instance(iri(name))
    return None if instance is None else instance.value
