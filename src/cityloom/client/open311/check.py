"""The check of a server: what is asked, in which order, and what the answers must be.

Source: GeoReport v2 and Service Discovery (wiki.open311.org).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cityloom.client.http import CityError
from cityloom.client.open311.discover import Endpoint, discover
from cityloom.client.open311.fetch import Server, difference, text_of
from cityloom.client.open311.findings import Finding, Findings
from cityloom.client.open311.post import Trial, write_test
from cityloom.client.open311.refusals import UNKNOWN, expect_error
from cityloom.client.open311.values import (
    REQUEST,
    SERVICE,
    check_definition,
    check_requests,
    check_services,
    moment,
)

_MOST_REQUESTS: Final = 1000
_DAYS: Final = timedelta(days=91)
_DEFINITIONS: Final = 3


def check(url: str, *, jurisdiction: str = "", test: Trial | None = None) -> list[Finding]:
    """Looks at a server.

    Args:
        url: its discovery, the folder of that, or the endpoint itself.
        jurisdiction: the jurisdiction_id, where the server asks for one.
        test: a request to write; None writes nothing.

    Returns:
        What was found, in the order of the standard's clauses.

    Raises:
        CityError: the server does not answer, or not in time, or nothing of Open311 is at the address.

    Cost: some 40 questions, at most 80 and five minutes.
    """
    findings = Findings()
    server = Server(findings, jurisdiction)
    try:
        endpoint = discover(server, findings, url)
        looked = _Check(server, findings, endpoint)
        services = looked.services()
        requests = looked.requests()
        looked.one(requests)
        looked.errors(services)
        if test is not None:
            if _host(endpoint.url) != _host(url):
                raise CityError(
                    0, "nothing was written", f"discovery leads to {endpoint.url}: name that as the URL"
                )
            write_test(server, findings, endpoint.url, services, requests, test)
    finally:
        server.close()
    return findings.all()


class _Check:
    """One server under check."""

    def __init__(self, server: Server, findings: Findings, endpoint: Endpoint) -> None:
        self._server = server
        self._findings = findings
        self._url = endpoint.url
        self._kinds = ("xml", "json") if endpoint.has_json else ("xml",)

    def services(self) -> list[dict[str, Any]]:
        """The services, and the definitions of some."""
        services = self._list("services", "services", SERVICE)
        check_services(self._findings, services, f"{self._url}/services")
        with_more = [one for one in services if text_of(one.get("metadata")) == "true"]
        for service in with_more[:_DEFINITIONS]:
            code = text_of(service.get("service_code"))
            definition = self._both(f"services/{code}", "service_definition", None)
            if isinstance(definition, dict):
                check_definition(self._findings, definition, code, f"{self._url}/services/{code}")
        if not with_more:
            self._findings.ok("definition", "no service has attributes")
        return services

    def requests(self) -> list[dict[str, Any]]:
        """The requests that nobody filtered, and what each filter makes of them."""
        where = f"{self._url}/requests"
        requests = self._list("requests", "service_requests", REQUEST)
        check_requests(self._findings, requests, where)
        if len(requests) > _MOST_REQUESTS:
            self._findings.error("requests.volume", f"{len(requests)} requests in one answer at {where}")
        times = [one for one in (moment(text_of(r.get("requested_datetime"))) for r in requests) if one]
        if times and max(times) - min(times) > _DAYS:
            self._findings.error(
                "requests.volume", f"a span of {(max(times) - min(times)).days} days at {where}"
            )
        self._findings.ok("requests.volume", f"{len(requests)} requests at {where}")
        if not requests:
            self._findings.warning("requests", f"there is none at {where}: no filter could be looked at")
            return requests
        self._by_status()
        self._by_code(requests)
        self._by_dates(requests)
        self._by_ids(requests)
        empty = self._server.get(where, "xml", {"status": "", "service_code": ""}, "service_requests")
        if empty.status != 200 or not empty.value:
            self._findings.error(
                "filter.empty", f"{empty.status}: empty arguments are not as none at {empty.url}"
            )
        self._findings.ok("filter.empty", f"empty arguments are as none at {empty.url}")
        return requests

    def one(self, requests: Sequence[Mapping[str, Any]]) -> None:
        """One request by itself is the one of the list."""
        if not requests:
            return
        wanted = text_of(requests[0].get("service_request_id"))
        found = self._list(f"requests/{wanted}", "service_requests", REQUEST)
        if [text_of(one.get("service_request_id")) for one in found] != [wanted]:
            told = [text_of(one.get("service_request_id")) for one in found]
            self._findings.error("request", f"{told} instead of {wanted!r} at {self._url}/requests/{wanted}")
            return
        check_requests(self._findings, found, f"{self._url}/requests/{wanted}")
        apart = difference(requests[0], found[0], REQUEST)
        if apart:
            self._findings.warning("request", f"it is not as in the list: {apart}, request {wanted!r}")
        self._findings.ok("request", f"request {wanted!r} is as in the list")

    def errors(self, services: Sequence[Mapping[str, Any]]) -> None:
        """What does not exist is 404, and told in the asked format; so is another jurisdiction."""
        for kind in self._kinds:
            for path in (f"services/{UNKNOWN}", f"requests/{UNKNOWN}"):
                expect_error(self._findings, self._server.get(f"{self._url}/{path}", kind), (404,))
            if any(text_of(one.get("type")) == "batch" for one in services):
                expect_error(self._findings, self._server.get(f"{self._url}/tokens/{UNKNOWN}", kind), (404,))
        reply = self._server.get(f"{self._url}/services", "xml", {"jurisdiction_id": UNKNOWN}, "services")
        if reply.status == 200:
            self._findings.ok("jurisdiction", f"it is ignored, as a server of one may, at {reply.url}")
        elif reply.status == 404:
            self._findings.ok("jurisdiction", f"an unknown one is 404 at {reply.url}")
            expect_error(self._findings, reply, (404,))
        else:
            self._findings.error("jurisdiction", f"an unknown one is {reply.status}, not 404, at {reply.url}")

    def _by_status(self) -> None:
        for status in ("open", "closed"):
            for one in self._filtered({"status": status}, "filter.status"):
                if text_of(one.get("status")) != status:
                    told = f"{text_of(one.get('service_request_id'))!r} is {text_of(one.get('status'))!r}"
                    self._findings.error("filter.status", f"{told} among status={status}")

    def _by_code(self, requests: Sequence[Mapping[str, Any]]) -> None:
        code = text_of(requests[0].get("service_code"))
        for one in self._filtered({"service_code": code}, "filter.service_code"):
            if text_of(one.get("service_code")) != code:
                told = text_of(one.get("service_request_id"))
                self._findings.error("filter.service_code", f"{told!r} is among service_code={code}")

    def _by_dates(self, requests: Sequence[Mapping[str, Any]]) -> None:
        known = {
            text_of(one.get("service_request_id")): text_of(one.get("requested_datetime")) for one in requests
        }
        told = [(moment(text), one) for one, text in known.items()]
        dated = sorted((at, one) for at, one in told if at is not None)
        if not dated:
            return
        at, wanted = dated[len(dated) // 2]
        start, end = at.replace(microsecond=0), at.replace(microsecond=0) + timedelta(seconds=1)
        found = self._filtered({"start_date": _w3c(start), "end_date": _w3c(end)}, "filter.dates")
        ids = [text_of(one.get("service_request_id")) for one in found]
        if wanted not in ids and len(found) < _MOST_REQUESTS:
            self._findings.error(
                "filter.dates", f"{wanted!r} of {_w3c(at)} is not among {_w3c(start)}..{_w3c(end)}"
            )
        long_ago = {"start_date": "1971-01-01T00:00:00Z", "end_date": "1971-01-02T00:00:00Z"}
        for params, lines in (({}, found), (long_ago, self._filtered(long_ago, "filter.dates"))):
            first = moment(params.get("start_date", "")) or start
            last = moment(params.get("end_date", "")) or end
            for one in lines:
                when = moment(text_of(one.get("requested_datetime")))
                if when is not None and not first <= when <= last:
                    told_id = text_of(one.get("service_request_id"))
                    seen = f"{told_id!r} of {_w3c(when)} is among {_w3c(first)}..{_w3c(last)}"
                    self._findings.error("filter.dates", seen)

    def _by_ids(self, requests: Sequence[Mapping[str, Any]]) -> None:
        wanted = sorted({text_of(one.get("service_request_id")) for one in requests})[:2]
        other = "closed" if text_of(requests[0].get("status")) == "open" else "open"
        for params in ({}, {"status": other}):
            asked = {"service_request_id": ",".join(wanted), **params}
            found = self._filtered(asked, "filter.service_request_id")
            ids = sorted(text_of(one.get("service_request_id")) for one in found)
            if ids != wanted:
                also = " although a status was asked for, which it overrides" if params else ""
                seen = f"{ids[:5]} instead of {wanted}{also}"
                self._findings.error("filter.service_request_id", seen)

    def _filtered(self, params: Mapping[str, str], code: str) -> list[dict[str, Any]]:
        reply = self._server.get(f"{self._url}/requests", "xml", params, "service_requests")
        if reply.status != 200:
            self._findings.error(code, f"{reply.status} at {reply.url}")
            return []
        found = [one for one in reply.value or [] if isinstance(one, dict)]
        self._findings.ok(code, f"{len(found)} requests at {reply.url}")
        return found

    def _list(self, path: str, root: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = self._both(path, root, fields)
        return [one for one in found or [] if isinstance(one, dict)]

    def _both(self, path: str, root: str, fields: Mapping[str, Any] | None) -> Any:
        """What a resource says, in each format; the formats must agree."""
        replies = [self._server.get(f"{self._url}/{path}", kind, None, root) for kind in self._kinds]
        for reply in replies:
            if reply.status != 200:
                hint = "; --jurisdiction may be needed" if reply.status == 400 else ""
                self._findings.error("answer", f"{reply.status} at {reply.url}{hint}")
            else:
                self._findings.ok("answer", f"200 at {reply.url}")
        right = [reply.value for reply in replies if reply.status == 200 and reply.value is not None]
        if len(right) == 2 and difference(right[0], right[1], fields):
            # Something may have been reported between the two.
            right[0] = self._server.get(f"{self._url}/{path}", "xml", None, root).value
            apart = difference(right[0], right[1], fields)
            if apart:
                self._findings.error("agree", f"{path} in XML and JSON: {apart}")
        if len(right) == 2:
            self._findings.ok("agree", f"{path} is the same in XML and JSON")
        return right[0] if right else None


def _w3c(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _host(url: str) -> str:
    return url.partition("//")[2].partition("/")[0].lower()
