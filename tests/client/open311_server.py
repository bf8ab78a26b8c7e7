"""A small Open311 server that is right, and the faults that it can be given: one at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

SINGULAR = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "errors": "error",
    "endpoints": "endpoint",
    "formats": "format",
}


def to_xml(name: str, value: Any) -> str:
    """Written by hand, apart from what is tested."""
    if isinstance(value, list):
        inner = "".join(to_xml(SINGULAR.get(name, "item"), one) for one in value)
    elif isinstance(value, dict):
        inner = "".join(to_xml(key, one) for key, one in value.items())
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = "" if value is None else escape(str(value))
    return f"<{name}>{inner}</{name}>"


def request(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "service_request_id": str(number),
        "status": "open" if number % 2 else "closed",
        "status_notes": None,
        "service_name": "Pothole",
        "service_code": "001" if number % 3 else "002",
        "description": "a hole & <more>",
        "agency_responsible": "Roads",
        "service_notice": None,
        "requested_datetime": f"2026-11-0{number}T06:37:38-08:00",
        "updated_datetime": f"2026-11-0{number}T07:37:38-08:00",
        "expected_datetime": None,
        "address": "8TH AVE",
        "address_id": None,
        "zipcode": 94122,
        "lat": 37.762221815,
        "long": -122.4651145,
        "media_url": None,
    } | changed


def service(code: str, **changed: Any) -> dict[str, Any]:
    return {
        "service_code": code,
        "service_name": "Pothole",
        "description": "A hole in the street",
        "metadata": code == "001",
        "type": "realtime",
        "keywords": "hole, street",
        "group": "street",
    } | changed


ATTRIBUTE = {
    "variable": True,
    "code": "SIZE",
    "datatype": "singlevaluelist",
    "required": False,
    "datatype_description": None,
    "order": 1,
    "description": "How large?",
    "values": [{"key": 1, "name": "small"}, {"key": 2, "name": "large"}],
}


@dataclass
class Model:
    """What the server knows, and how it is broken."""

    services: list[dict[str, Any]] = field(default_factory=lambda: [service("001"), service("002")])
    attributes: list[dict[str, Any]] = field(default_factory=lambda: [dict(ATTRIBUTE)])
    requests: list[dict[str, Any]] = field(default_factory=lambda: [request(n) for n in range(6, 0, -1)])
    jurisdiction: str = "city.gov"
    needs_jurisdiction: bool = False
    key: str = "xyz"
    tokens: bool = False
    alter: Callable[[str, str, Any], Any] = lambda path, kind, value: value
    """Changes what is told: (path, xml or json, value)."""
    write: Callable[[str, bytes], bytes] = lambda kind, body: body
    """Changes the bytes."""
    headers: dict[str, str] = field(default_factory=dict)
    status: dict[int, int] = field(default_factory=dict)
    """Another status in place of one."""
    ignores: frozenset[str] = frozenset()
    """Filters that are not looked at."""
    broken_post: str = ""
    undiscovered: bool = False
    url: str = ""

    def answer(self, method: str, path: str, params: dict[str, str]) -> tuple[int, str, Any]:
        """Status, root element and value."""
        if method == "POST" and params.get("api_key") != self.key:
            return wrong(403, "the api_key is missing or wrong")
        asked = params.get("jurisdiction_id", "")
        if path.startswith("/v2") and self.needs_jurisdiction and not asked:
            return wrong(400, "jurisdiction_id was not provided")
        if path.startswith("/v2") and asked and asked != self.jurisdiction:
            return wrong(404, "jurisdiction_id was not found")
        if path == "/discovery" and not self.undiscovered:
            return 200, "discovery", self.discovery()
        if path == "/v2/services":
            return 200, "services", self.services
        if path == "/v2/requests":
            return self.post(params) if method == "POST" else self.select(params)
        return self.one(path)

    def one(self, path: str) -> tuple[int, str, Any]:
        where, _, name = path.rpartition("/")
        if where == "/v2/services" and any(one["service_code"] == name for one in self.services):
            attributes = self.attributes if name == "001" else []
            return 200, "service_definition", {"service_code": name, "attributes": attributes}
        if where == "/v2/requests":
            found = [one for one in self.requests if one["service_request_id"] == name]
            if found:
                return 200, "service_requests", found
        if where == "/v2/tokens" and self.tokens and name.startswith("t"):
            return 200, "service_requests", [{"service_request_id": name[1:], "token": name}]
        return wrong(404, "not found")

    def discovery(self) -> dict[str, Any]:
        endpoint = {
            "specification": "http://wiki.open311.org/GeoReport_v2",
            "url": self.url + "/v2",
            "changeset": "2026-11-01 09:00",
            "type": "production",
            "formats": ["text/xml", "application/json"],
        }
        return {
            "changeset": "2026-11-01 09:00",
            "contact": "api@city.gov",
            "key_service": "write to api@city.gov",
            "endpoints": [endpoint],
        }

    def select(self, params: dict[str, str]) -> tuple[int, str, Any]:
        from datetime import datetime

        told = {name: text for name, text in params.items() if text and name not in self.ignores}
        ids = told.get("service_request_id", "").split(",")
        if ids != [""]:
            found = [one for one in self.requests if one["service_request_id"] in ids]
            if "override" in self.ignores and "status" in told:
                found = [one for one in found if one["status"] == told["status"]]
            return 200, "service_requests", found

        def chosen(one: dict[str, Any]) -> bool:
            at = datetime.fromisoformat(one["requested_datetime"]) if "start_date" in told else None
            return (
                one["status"] in told.get("status", "open,closed").split(",")
                and one["service_code"] in told.get("service_code", one["service_code"]).split(",")
                and (
                    at is None
                    or datetime.fromisoformat(told["start_date"])
                    <= at
                    <= datetime.fromisoformat(told["end_date"])
                )
            )

        if "empty" in self.ignores and "" in params.values():
            return wrong(400, "status is empty")
        return 200, "service_requests", [one for one in self.requests if chosen(one)]

    def post(self, params: dict[str, str]) -> tuple[int, str, Any]:
        code = params.get("service_code", "")
        if not code and "service_code" not in self.ignores:
            return wrong(400, "service_code was not provided")
        if code and not any(one["service_code"] == code for one in self.services):
            return wrong(404, "service_code was not found")
        if not params.get("address_string") and not (params.get("lat") and params.get("long")):
            return wrong(400, "a place was not provided")
        made = request(9, service_code=code, status="open", description=params.get("description"))
        if self.broken_post != "lost":
            self.requests = [made, *self.requests]
        told: dict[str, Any] = {"token": "t9"} if self.tokens else {"service_request_id": "9"}
        if self.broken_post == "both":
            told = {"service_request_id": "9", "token": "t9"}
        return 201, "service_requests", [{**told, "service_notice": None, "account_id": None}]


def wrong(status: int, why: str) -> tuple[int, str, Any]:
    return status, "errors", [{"code": status, "description": why}]


@contextmanager
def serving(model: Model) -> Iterator[str]:
    """The server on a free port; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.tell("GET", "")

        def do_POST(self) -> None:
            self.tell("POST", self.rfile.read(int(self.headers["Content-Length"])).decode())

        def tell(self, method: str, form: str) -> None:
            parts = urlsplit(self.path)
            params = dict(parse_qsl(parts.query or form, keep_blank_values=True))
            path, _, kind = parts.path.rpartition(".")
            if kind in ("xml", "json"):
                status, root, value = model.answer(method, path, params)
            else:
                kind, path, (status, root, value) = "xml", parts.path, wrong(404, "no format")
            value = model.alter(path, kind, value)
            root = value.pop("#root", root) if isinstance(value, dict) else root
            if kind == "xml":
                body = ('<?xml version="1.0" encoding="UTF-8"?>' + to_xml(root, value)).encode()
                told = "text/xml; charset=utf-8"
            else:
                body, told = json.dumps(value).encode(), "application/json; charset=utf-8"
            body = model.write(kind, body)
            self.send_response(model.status.get(status, status))
            self.send_header("Content-Type", model.headers.get(kind, told))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield model.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
