"""What each field of an answer must be.

Source: GeoReport v2: GET Service List, GET Service Definition, GET Service Requests, Date/time format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from cityloom.client.open311.fetch import text_of
from cityloom.client.open311.findings import Findings

SERVICE: Final = dict.fromkeys(
    ("service_code", "service_name", "description", "metadata", "type", "keywords", "group")
)
ATTRIBUTE: Final = dict.fromkeys(
    (
        *("variable", "code", "datatype", "required", "datatype_description", "order", "description"),
        "values",
    )
)
REQUEST: Final = dict.fromkeys(
    (
        *("service_request_id", "status", "status_notes", "service_name", "service_code", "description"),
        *("agency_responsible", "service_notice", "requested_datetime", "updated_datetime"),
        *("expected_datetime", "address", "address_id", "zipcode", "lat", "long", "media_url"),
    )
)
TYPES: Final = ("realtime", "batch", "blackbox")
DATATYPES: Final = ("string", "number", "datetime", "text", "singlevaluelist", "multivaluelist")
_W3C: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_LONGEST: Final = 4000


def moment(text: str) -> datetime | None:
    """A date-time of the W3C's note with a zone; None where it is none."""
    if _W3C.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def check_services(findings: Findings, services: Iterable[Mapping[str, Any]], where: str) -> None:
    """Every service of a list."""
    codes: set[str] = set()
    for service in services:
        code = text_of(service.get("service_code"))
        name = f"service {code!r} at {where}"
        for field in ("service_code", "service_name"):
            if not text_of(service.get(field)):
                findings.error("services", f"{field} is empty: {name}")
        if code in codes:
            findings.error("services", f"service_code is there twice: {name}")
        codes.add(code)
        _one_of(findings, "services", service, "metadata", ("true", "false"), name)
        _one_of(findings, "services", service, "type", TYPES, name)
        for field in ("description", "keywords", "group"):
            if field not in service:
                findings.warning("services", f"{field} is missing: {name}")
        _check_foreign(findings, service, SERVICE, name)
    findings.ok("services", f"{len(codes)} services at {where}")


def check_definition(findings: Findings, definition: Mapping[str, Any], code: str, where: str) -> None:
    """A definition, which must be that of `code`."""
    if text_of(definition.get("service_code")) != code:
        told = text_of(definition.get("service_code"))
        findings.error("definition", f"service_code is {told!r} instead of {code!r} at {where}")
    attributes = definition.get("attributes") or []
    if not isinstance(attributes, list):
        findings.error("definition", f"attributes is no list at {where}")
        return
    codes, orders = set[str](), set[str]()
    for attribute in attributes:
        name = f"attribute {text_of(attribute.get('code'))!r} at {where}"
        for told, seen in (
            (text_of(attribute.get("code")), codes),
            (text_of(attribute.get("order")), orders),
        ):
            if not told or told in seen:
                findings.error("definition", f"code and order are required, each once: {name}")
            seen.add(told)
        order = text_of(attribute.get("order"))
        if order and (not order.isdigit() or int(order) < 1):
            findings.error("definition", f"order is {order!r}, no positive integer: {name}")
        _one_of(findings, "definition", attribute, "variable", ("true", "false"), name)
        _one_of(findings, "definition", attribute, "required", ("true", "false"), name)
        _one_of(findings, "definition", attribute, "datatype", DATATYPES, name)
        if text_of(attribute.get("datatype")).endswith("list"):
            values = attribute.get("values") or []
            keys = [text_of(one.get("key")) for one in values if isinstance(one, dict)]
            if not keys or not all(keys) or len(set(keys)) != len(keys):
                findings.error("definition", f"values of a list must have keys, each once: {name}")
        _check_foreign(findings, attribute, ATTRIBUTE, name)
    findings.ok("definition", f"{len(attributes)} attributes at {where}")


def check_requests(findings: Findings, requests: Iterable[Mapping[str, Any]], where: str) -> None:
    """Every request of a list."""
    ids: set[str] = set()
    for request in requests:
        told = text_of(request.get("service_request_id"))
        name = f"request {told!r} at {where}"
        if not told:
            findings.error("requests", f"service_request_id is empty: {name}")
        elif told in ids:
            findings.error("requests", f"service_request_id is there twice: {name}")
        ids.add(told)
        if not text_of(request.get("service_code")) or not text_of(request.get("service_name")):
            findings.error("requests", f"service_code and service_name are required: {name}")
        if len(text_of(request.get("description"))) > _LONGEST:
            findings.error("requests", f"description is longer than {_LONGEST} characters: {name}")
        _one_of(findings, "requests.status", request, "status", ("open", "closed"), name)
        _check_dates(findings, request, name)
        _check_place(findings, request, name)
        _check_foreign(findings, request, REQUEST, name)
    findings.ok("requests", f"{len(ids)} requests at {where}")


def _check_dates(findings: Findings, request: Mapping[str, Any], name: str) -> None:
    for field in ("requested_datetime", "updated_datetime", "expected_datetime"):
        text = text_of(request.get(field))
        if not text and field == "requested_datetime":
            findings.error("requests.date", f"{field} is empty: {name}")
        elif not text and field == "updated_datetime":
            findings.warning("requests.date", f"{field} is empty: {name}")
        elif text and moment(text) is None:
            findings.error("requests.date", f"{field} {text[:60]!r} is no W3C date-time with a zone: {name}")
        elif text:
            findings.ok("requests.date", f"{field} {text}: {name}")
    made = moment(text_of(request.get("requested_datetime")))
    changed = moment(text_of(request.get("updated_datetime")))
    if made is not None and changed is not None and changed < made:
        findings.warning("requests.date", f"updated_datetime is before requested_datetime: {name}")


def _check_place(findings: Findings, request: Mapping[str, Any], name: str) -> None:
    lat, long = text_of(request.get("lat")), text_of(request.get("long"))
    if not lat and not long:
        if not text_of(request.get("address")) and not text_of(request.get("address_id")):
            findings.warning("requests.place", f"no place: {name}")
        return
    try:
        right = abs(float(lat)) <= 90 and abs(float(long)) <= 180
    except ValueError:
        right = False
    if right:
        findings.ok("requests.place", f"lat {lat}, long {long}: {name}")
    else:
        findings.error("requests.place", f"lat {lat[:40]!r} and long {long[:40]!r} are no WGS 84: {name}")


def _one_of(
    findings: Findings, code: str, told: Mapping[str, Any], field: str, known: tuple[str, ...], name: str
) -> None:
    value = text_of(told.get(field))
    if value in known:
        findings.ok(code, f"{field} is {value}: {name}")
    else:
        findings.error(code, f"{field} is {value[:60]!r}, none of {', '.join(known)}: {name}")


def _check_foreign(findings: Findings, told: Mapping[str, Any], known: Mapping[str, Any], name: str) -> None:
    foreign = sorted(set(told) - set(known))
    if foreign:
        findings.warning("foreign", f"{', '.join(foreign)}: {name}")
    else:
        findings.ok("foreign", f"no foreign tags: {name}")
