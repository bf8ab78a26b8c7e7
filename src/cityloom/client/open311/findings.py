"""What the validator found, and for which clause of the standard it stands."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["error", "warning", "ok"]


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        level: `error`: the standard says otherwise; `warning`: it recommends otherwise, or could not be
            looked at; `ok`.
        code: which check it is, always the same word.
        clause: where the standard says it.
        seen: what was seen, and at which address.
    """

    level: Level
    code: str
    clause: str
    seen: str


CLAUSES: dict[str, str] = {
    "discovery": "Service Discovery: Base URL, Formats",
    "discovery.fields": "Service Discovery: Fields for All Versions",
    "discovery.endpoint": "Service Discovery: endpoints.endpoint",
    "answer": "GeoReport v2: API methods",
    "content-type": "GeoReport v2: Format Support",
    "encoding": "GeoReport v2: Encoding",
    "xml": "GeoReport v2: XML Support",
    "json": "GeoReport v2: JSON Support",
    "agree": "GeoReport v2: JSON Support (Spark Convention)",
    "foreign": "GeoReport v2: XML Support (foreign tags)",
    "services": "GeoReport v2: GET Service List",
    "definition": "GeoReport v2: GET Service Definition",
    "requests": "GeoReport v2: GET Service Requests",
    "requests.status": "GeoReport v2: GET Service Requests, status",
    "requests.date": "GeoReport v2: Date/time format",
    "requests.place": "GeoReport v2: GET Service Requests, lat and long",
    "requests.volume": "GeoReport v2: GET Service Requests, Response Volume",
    "filter.status": "GeoReport v2: GET Service Requests, argument status",
    "filter.service_code": "GeoReport v2: GET Service Requests, argument service_code",
    "filter.dates": "GeoReport v2: GET Service Requests, arguments start_date and end_date",
    "filter.service_request_id": "GeoReport v2: GET Service Requests, argument service_request_id",
    "filter.empty": "GeoReport v2: Definitions, Optional Arguments",
    "request": "GeoReport v2: GET Service Request",
    "error.status": "GeoReport v2: Possible Errors",
    "error.body": "GeoReport v2: Errors",
    "jurisdiction": "GeoReport v2: Definitions, jurisdiction_id",
    "post": "GeoReport v2: POST Service Request",
    "token": "GeoReport v2: GET service_request_id from a token",
}
"""The clause of each check (wiki.open311.org)."""


class Findings:
    """Gathers findings: of each check the first few errors and warnings, or that it was all right."""

    def __init__(self, most: int = 5) -> None:
        self._most = most
        self._found: dict[str, list[Finding]] = {}

    def error(self, code: str, seen: str) -> None:
        """The standard says otherwise."""
        self._add("error", code, seen)

    def warning(self, code: str, seen: str) -> None:
        """The standard recommends otherwise, or it could not be looked at."""
        self._add("warning", code, seen)

    def ok(self, code: str, seen: str) -> None:
        """It was looked at; told where nothing is wrong with it."""
        self._add("ok", code, seen)

    def all(self) -> list[Finding]:
        """In the order of the clauses; of a check with errors or warnings only those."""
        told = []
        for code in CLAUSES:
            found = self._found.get(code, [])
            wrong = [one for one in found if one.level != "ok"]
            told += wrong[: self._most] or found[:1]
            if len(wrong) > self._most:
                more = f"{len(wrong) - self._most} more of this kind"
                told.append(Finding(wrong[self._most].level, code, CLAUSES[code], more))
        return told

    def _add(self, level: Level, code: str, seen: str) -> None:
        self._found.setdefault(code, []).append(Finding(level, code, CLAUSES[code], seen[:500]))
