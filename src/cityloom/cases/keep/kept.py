"""A case as it is kept: the `Case` that moves, what was reported, and the entity that both become.

The entity is derived from what is kept whole in its JsonProperty `case`, so that what is read
is what moves. No personal data stand in it.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.instances import stamped
from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.deadlines import Countdown, Light, Reading, read
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.loop.case import Case
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, AttributeKind, Entity
from cityloom.model.errors import ConfigurationError
from cityloom.model.time import format_datetime

CASE: Final = DEFAULT_VOCAB + "Case"
"""The type of the entities that are cases; this room owns it."""
ROOM: Final = "cases"
TRANSITION: Final = "caseTransition"
"""Documents of this kind are transitions; each is an event of the log."""
EVIDENCE: Final = "caseEvidence"
CHANGE: Final = "caseDeadlineChange"
CLOCK_ID: Final = "urn:ngsi-ld:Clock:"
PROMISE: Final = "promise"
PAUSED: Final = "paused"
"""The value of a clock that does not run."""
_LIGHTS: Final[tuple[Light, ...]] = ("green", "amber", "red")


def iri(name: str) -> str:
    """An attribute of a case, expanded."""
    return DEFAULT_VOCAB + name


class Subject(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What was reported, and by which way.

    `location` is lon, lat in CRS84 degrees, `area` the id of the area that holds it; `place` is
    `unknown` where a report came without a place or on a point that stands for none. `about` is the
    entity that is meant (a lamp), `source` the id that another system gave, `service` what
    that calls this. `descriptions` is the description by language, where it came in several.
    `reporter` names which personal data were given, never the data, `attributes` are the answers to what
    is asked for with the type.
    """

    description: str = ""
    descriptions: dict[str, str] = {}
    address: str = ""
    location: tuple[float, float] | None = None
    place: Literal["known", "unknown"] = "known"
    area: str = ""
    about: str = ""
    channel: str = ""
    source: str = ""
    service: str = ""
    reporter: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = {}


class KeptCase(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A case with all that its entity is made of.

    `limits` names the table that it goes by, `calendar` the version that its entity was last written
    by. `requests` are the digests of the keys of requests that were done, with the transition of each.
    `ruled_at` is when it, or the whole that it is a part of, began: the rules of that day are for it.
    """

    case: Case
    subject: Subject
    reported_at: int
    limits: str
    calendar: str
    requests: dict[str, int] = {}
    ruled_at: int = 0

    @property
    def rules_of(self) -> int:
        """The time whose rules are for it (microseconds since 1970)."""
        return self.ruled_at or self.reported_at


def kept_of(entity: Entity) -> KeptCase:
    """What an entity of type `Case` keeps."""
    instance = entity.instance(iri("case"))
    return msgspec.convert(instance.value if instance is not None else None, KeptCase)


def read_open(case: Case, calendar: Calendar, at: int) -> list[Reading]:
    """What its open clocks show; one that the calendar does not reach is left out."""
    found = []
    for countdown in case.countdowns:
        if countdown.state != "stopped" and countdown is case.countdown(countdown.clock):
            try:
                found.append(read(countdown, calendar, max(at, case.at)))
            except ConfigurationError:
                continue
    return found


def is_late(case: Case, calendar: Calendar, at: int) -> bool | None:
    """Whether the promise is past at a time, or was when it ended; None without a promise: not "on time"."""
    promise = case.countdown(PROMISE)
    return None if promise is None else read(promise, calendar, max(at, case.at)).light == "red"


def worst_light(readings: list[Reading]) -> Light | None:
    """The light of a case: red where any of its clocks is red."""
    return max((reading.light for reading in readings), key=_LIGHTS.index, default=None)


def entity_of(kept: KeptCase, workflow: Workflow, rules: CaseRules, calendar: Calendar, at: int) -> Entity:
    """The entity that a case is to everyone else, at a time; its instances bear no times yet."""
    case, subject = kept.case, kept.subject
    readings = read_open(case, calendar, at)
    promise = next((one for one in readings if one.clock == PROMISE), None)
    is_open = workflow.is_open(case.state)
    properties: dict[str, Any] = {
        "state": case.state,
        "step": workflow.states[case.state].step,
        "status": "open" if is_open else "closed",
        "holder": workflow.holder_of(case.state, case.department),
        "caseType": case.matter.type,
        "condition": case.matter.condition,
        "areaGrade": case.matter.grade,
        "department": case.department,
        "description": subject.description,
        "address": subject.address,
        "place": subject.place,
        "channel": subject.channel,
        "sourceId": subject.source,
        "serviceName": subject.service,
        "transitions": case.number,
        "lastMove": case.last,
        "movedAt": _moment(case.at),
        "reportedAt": _moment(kept.reported_at),
        "openSince": _moment(kept.reported_at) if is_open else None,
        "promisedBy": _moment(promise.deadline) if promise is not None and promise.deadline else None,
        "light": worst_light(readings) if is_open else None,
        "returnedBy": list(case.returned_by),
        "redone": case.redone or None,
        "reopened": case.reopened or None,
        "appealed": case.appealed or None,
        "exempt": case.exempt or None,
        "unmoved": True if is_open and is_unmoved(kept, rules, calendar, at) else None,
    }
    links = {"partOf": case.part_of, "mergedInto": case.into, "refArea": subject.area, "about": subject.about}
    attributes = {
        iri(name): [_instance("Property", value)]
        for name, value in properties.items()
        if value not in (None, "", [])
    }
    attributes |= {iri(name): [_instance("Relationship", to)] for name, to in links.items() if to}
    if subject.descriptions:
        attributes[iri("description")] = [_instance("LanguageProperty", subject.descriptions)]
    if subject.location is not None:
        point = {"type": "Point", "coordinates": list(subject.location)}
        attributes[LOCATION] = [_instance("GeoProperty", point)]
    clocks = [_clock(reading, case.countdown(reading.clock)) for reading in readings]
    if clocks:
        attributes[iri("clock")] = clocks
    attributes[iri("case")] = [_instance("JsonProperty", msgspec.to_builtins(kept))]
    return Entity(id=case.id, types=[CASE], attributes=attributes)


def is_unmoved(kept: KeptCase, rules: CaseRules, calendar: Calendar, at: int) -> bool:
    """Whether nobody has moved an open case for too long."""
    due = unmoved_at(kept, rules, calendar)
    return due is not None and at >= due


def unmoved_at(kept: KeptCase, rules: CaseRules, calendar: Calendar) -> int | None:
    """When a case has lain too long unless it is moved; None with a paused clock, or beyond the calendar."""
    case, limit = kept.case, rules.stale
    if any(one.state == "paused" for one in case.countdowns):
        return None
    if limit.continuous:
        return case.at + limit.micros(calendar)
    try:
        return calendar.reached(calendar.worked(case.at) + limit.micros(calendar))
    except ConfigurationError:
        return None


def written(new: Entity, before: Entity | None, now: str) -> Entity:
    """The entity with the system's times; an instance that is just as before stays as it is."""
    attributes = {}
    for name, instances in new.attributes.items():
        olds = {
            old.dataset_id: old for old in (before.attributes.get(name, ()) if before is not None else ())
        }
        merged = []
        for instance in instances:
            old = olds.get(instance.dataset_id)
            same = old is not None and _bare(old) == instance
            merged.append(old if same and old is not None else stamped(instance, now, old))
        attributes[name] = merged
    created = before.created_at if before is not None else now
    after = replace(new, attributes=attributes, created_at=created, modified_at=now)
    if before is not None and attributes == before.attributes:
        return before
    return after


def _bare(instance: Attribute) -> Attribute:
    subs = {name: [_bare(one) for one in parts] for name, parts in instance.attributes.items()}
    return replace(instance, created_at=None, modified_at=None, attributes=subs)


def _clock(reading: Reading, countdown: Countdown | None) -> Attribute:
    """An open clock: its deadline, or `paused`; what it is made of stands in sub-attributes."""
    assert countdown is not None
    told: dict[str, Any] = {
        "limit": " + ".join(str(limit) for limit in countdown.limits),
        "running": reading.state == "running",
        "light": reading.light,
        "amberAt": None if reading.amber is None else format_datetime(reading.amber),
        "department": reading.holder or None,
    }
    spans = [
        {"since": format_datetime(span.since)}
        | ({} if span.until is None else {"until": format_datetime(span.until)})
        for span in countdown.spans
    ]
    attributes = {
        iri(name): [_instance("Property", value)] for name, value in told.items() if value is not None
    }
    return Attribute(
        kind="Property",
        value=PAUSED if reading.deadline is None else format_datetime(reading.deadline),
        dataset_id=CLOCK_ID + reading.clock,
        attributes=attributes | {iri("spans"): [_instance("JsonProperty", spans)]},
    )


def _moment(at: int) -> str:
    return format_datetime(at)


def _instance(kind: AttributeKind, value: Any) -> Attribute:
    return Attribute(kind=kind, value=value)
