"""Cases in the words of Open311: services, their definitions, requests; a form as a report. Pure values.

Source: GeoReport v2 (wiki.open311.org): GET Service List, GET Service Definition, POST Service Request,
GET Service Requests; GeoReport Bulk (proposed). The mapping is described in docs/open311.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.clocks.limits import TableFile
from cityloom.cases.desk.views import PublicCase, promise_of
from cityloom.cases.keep.city import CaseRules
from cityloom.cases.keep.kept import KeptCase, read_open, worst_light
from cityloom.cases.keep.numbers import number_of
from cityloom.cases.keep.open311_city import CONDITION
from cityloom.cases.loop.case import Transition
from cityloom.cases.loop.workflow import Workflow
from cityloom.model.time import format_datetime

OTHER: Final = "other"
"""The service for what no type is known of: such a report has no type yet."""
_OTHER: Final = {"en": "Something else", "zh": "其他问题"}
_CONDITION: Final = {"en": "What is wrong with it?", "zh": "具体是什么情况？"}
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
Language = Callable[[Mapping[str, str]], str]
"""Chooses the text of the caller's language."""
Detailed = Literal["PENDING", "RECEIVED", "IN_PROCESS", "PROCESSED", "REJECTED"]
_SECOND: Final = 1_000_000


class Service(Struct, frozen=True, kw_only=True):
    """A type of case that can be reported. Source: GET Service List."""

    service_code: str
    service_name: str
    description: str
    metadata: bool
    type: Literal["realtime", "batch"]
    keywords: str
    group: str


class Value(Struct, frozen=True, kw_only=True):
    """One choice of a list."""

    key: str
    name: str


class ServiceAttribute(Struct, frozen=True, kw_only=True):
    """What is asked for with a service. Source: GET Service Definition."""

    variable: bool = True
    code: str
    datatype: str
    required: bool
    datatype_description: str | None = None
    order: int
    description: str
    values: list[Value] = []


class ServiceDefinition(Struct, frozen=True, kw_only=True):
    """A service with what is asked for. Source: GET Service Definition."""

    service_code: str
    attributes: list[ServiceAttribute]


class ClockTold(Struct, frozen=True, kw_only=True):
    """An open clock of a request: its light, and its deadline while it runs."""

    clock: str
    state: str
    light: str
    deadline: str | None


class Extended(Struct, frozen=True, kw_only=True):
    """Where a request stands in the loop, which `open` and `closed` do not say."""

    detailed_status: Detailed
    state: str
    state_title: str
    step: str
    department: str | None
    light: str | None
    merged_into: str | None
    clocks: list[ClockTold]


class ServiceRequest(Struct, frozen=True, kw_only=True):
    """A case as everyone may see it; what somebody wrote is None where the caller may not read cases.

    Source: GET Service Requests; times are UTC, `lat` and `long` WGS 84 degrees.
    """

    service_request_id: str
    status: Literal["open", "closed"]
    status_notes: str | None
    service_name: str
    service_code: str
    description: str | None
    agency_responsible: str | None
    service_notice: str | None
    requested_datetime: str
    updated_datetime: str
    expected_datetime: str | None
    address: str | None
    address_id: str | None
    zipcode: str | None = None
    lat: float | None
    long: float | None
    media_url: str | None
    extended_attributes: Extended | None = None


class Seen(Struct, frozen=True, kw_only=True):
    """A case with what is needed to tell of it.

    `calendar` is the one that holds, `transitions` those of a case that is closed, or whose texts are told.
    `texts`: the caller may read what was written. `extended`: the detailed state is wanted.
    """

    kept: KeptCase
    calendar: Calendar
    workflow: Workflow
    limits: TableFile
    transitions: Sequence[Transition]
    texts: bool
    extended: bool


def services_of(rules: CaseRules, language: Language) -> list[Service]:
    """Every service of a city; the last one takes what has no type."""
    told, part = rules.limits.told, rules.open311
    kind: Literal["realtime", "batch"] = "batch" if part.tokens else "realtime"
    found = []
    for code, row in told.types.items():
        group = part.group_of(code)
        found.append(
            Service(
                service_code=code,
                service_name=language(row.title) or code,
                description=language(row.title) or code,
                metadata=bool(definition_of(rules, code, language).attributes),
                type=kind,
                keywords=", ".join(dict.fromkeys(text for text in row.title.values() if text)),
                group="" if group is None else language(group.title),
            )
        )
    if OTHER not in told.types:
        name = language(_OTHER)
        found.append(
            Service(
                service_code=OTHER,
                service_name=name,
                description=name,
                metadata=False,
                type=kind,
                keywords=", ".join(_OTHER.values()),
                group="",
            )
        )
    return found


def definition_of(rules: CaseRules, kind: str, language: Language) -> ServiceDefinition:
    """What is asked for with a type: its filing condition, and what the city asks."""
    limits, found = rules.limits, list[ServiceAttribute]()
    conditions = limits.conditions_of(kind)
    if conditions:
        told = limits.told.conditions
        found.append(
            ServiceAttribute(
                code=CONDITION,
                datatype="singlevaluelist",
                required=False,
                order=1,
                description=language(_CONDITION),
                values=[Value(key=code, name=language(told[code].title) or code) for code in conditions],
            )
        )
    for code, question in rules.open311.questions_of(kind).items():
        found.append(
            ServiceAttribute(
                code=code,
                datatype=question.datatype,
                required=question.required,
                datatype_description=language(question.hint) or None,
                order=len(found) + 1,
                description=language(question.title) or code,
                values=[Value(key=key, name=language(name) or key) for key, name in question.values.items()],
            )
        )
    return ServiceDefinition(service_code=kind, attributes=found)


def request_of(seen: Seen, rules: CaseRules, language: Language, now: int) -> ServiceRequest:
    """A case as a request.

    Args:
        now: microseconds since 1970, for the lights.
    """
    kept, workflow = seen.kept, seen.workflow
    case, subject = kept.case, kept.subject
    kind = case.matter.type or OTHER
    row = seen.limits.types.get(kind)
    department = rules.departments.get(case.department)
    is_open = workflow.is_open(case.state)
    state = workflow.states[case.state]
    location = subject.location or (None, None)
    return ServiceRequest(
        service_request_id=number_of(case.id),
        status="open" if is_open else "closed",
        status_notes=language(state.title) or case.state,
        service_name=(language(_OTHER) if row is None else language(row.title)) or kind,
        service_code=kind,
        description=(language(subject.descriptions) or subject.description or None) if seen.texts else None,
        agency_responsible=None if department is None else language(department.title),
        service_notice=None,
        requested_datetime=_moment(kept.reported_at),
        updated_datetime=_moment(case.at if is_open else closed_at(seen)),
        expected_datetime=_expected(seen),
        address=subject.address or None if seen.texts else None,
        address_id=subject.about or None,
        lat=location[1],
        long=location[0],
        media_url=_media(seen.transitions) if seen.texts else None,
        extended_attributes=_extended(seen, rules, language, now) if seen.extended else None,
    )


def closed_at(seen: Seen) -> int:
    """When a case was closed last; microseconds since 1970."""
    workflow = seen.workflow
    for one in reversed(seen.transitions):
        if workflow.is_open(one.from_state) and not workflow.is_open(one.to_state):
            return one.act.at
    return seen.kept.case.at


def detailed_status(kept: KeptCase, workflow: Workflow) -> Detailed:
    """The state in the five words that CitySDK's servers use."""
    state = workflow.states[kept.case.state]
    if not workflow.is_open(kept.case.state):
        return "REJECTED" if state.end == "undone" and not kept.case.into else "PROCESSED"
    if state.step == "collect":
        return "PENDING"
    return "RECEIVED" if state.step in ("file", "dispatch") else "IN_PROCESS"


BULK: Final = (
    "service_request_id",
    "requested_datetime",
    "updated_datetime",
    "closed_date",
    "status_description",
    "status_notes",
    "source",
    "service_name",
    "service_subtype",
    "description",
    "agency_responsible",
    "address",
    "lat",
    "long",
)
"""Columns of the bulk file, in the order of GeoReport Bulk."""


def bulk_row(seen: Seen, rules: CaseRules, language: Language, now: int) -> list[Any]:
    """A case as a row of the bulk file, the columns of `BULK`."""
    request = request_of(seen, rules, language, now)
    condition = seen.limits.conditions.get(seen.kept.case.matter.condition)
    told: dict[str, Any] = {
        "closed_date": request.updated_datetime if request.status == "closed" else None,
        "status_description": request.status,
        "source": seen.kept.subject.channel,
        "service_subtype": None if condition is None else language(condition.title),
    }
    return [told[name] if name in told else getattr(request, name) for name in BULK]


def _expected(seen: Seen) -> str | None:
    """The promise, when it was made and is not paused; one that ended is what it was then."""
    case = seen.kept.case
    promise = promise_of(read_open(case, seen.calendar, case.at), seen.transitions)
    return None if promise is None or promise.deadline is None else _moment(promise.deadline)


def _media(transitions: Sequence[Transition]) -> str | None:
    """The first address that a report brought as evidence."""
    return next((one for one in transitions[0].act.evidence if ":" in one), None) if transitions else None


def _extended(seen: Seen, rules: CaseRules, language: Language, now: int) -> Extended:
    kept, workflow = seen.kept, seen.workflow
    case = kept.case
    readings = read_open(case, seen.calendar, now)
    return Extended(
        detailed_status=detailed_status(kept, workflow),
        state=case.state,
        state_title=language(workflow.states[case.state].title) or case.state,
        step=workflow.states[case.state].step,
        department=case.department or None,
        light=worst_light(readings) if workflow.is_open(case.state) else None,
        merged_into=number_of(case.into) or None,
        clocks=[
            ClockTold(
                clock=one.clock,
                state=one.state,
                light=one.light,
                deadline=None if one.deadline is None else _moment(one.deadline),
            )
            for one in readings
        ],
    )


def notice_of(told: PublicCase, time_zone: str, placed: bool) -> dict[str, str]:
    """What who reports is told by language: what was promised, and that the place was not taken.

    Args:
        time_zone: the city's, an IANA name; the promise is told in it, as people read a date.
        placed: whether the report came with a point.
    """
    parts: dict[str, list[str]] = {"en": [], "zh": []}
    if told.promised_by is not None:
        at = datetime.fromisoformat(told.promised_by).astimezone(ZoneInfo(time_zone))
        hour = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
        parts["en"].append(f"Promised by {at.day} {_MONTHS[at.month - 1]} {at.year}, {hour} (local time).")
        parts["zh"].append(f"承诺于{at.year}年{at.month}月{at.day}日 {hour}（当地时间）前办结。")
    if placed and told.location is None:
        parts["en"].append("The point that was sent stands for no place: where it is is not known.")
        parts["zh"].append("所发送的坐标不代表任何地点：位置未知。")
    return {"en": " ".join(parts["en"]), "zh": "".join(parts["zh"])}


def _moment(at: int) -> str:
    """Whole seconds: the formats of the W3C's note that every client reads."""
    return format_datetime(at // _SECOND * _SECOND)
