"""The validator: a right server has no fault, ours neither; each fault of a broken one is found and named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from cityloom.cli.main import app
from cityloom.client import CityError
from cityloom.client.open311 import Finding, Trial, check
from cityloom.client.open311.fetch import Server, difference
from cityloom.client.open311.findings import CLAUSES, Findings
from tests.client.open311_server import Model, request, serving
from tests.web.node import CASE_RULES, running_node


def wrong(found: list[Finding], level: str = "error") -> set[str]:
    return {one.code for one in found if one.level == level}


def changed(where: str, field: str, value: Any, kinds: str = "xml json") -> Callable[[Model], None]:
    """A fault: one field of the first thing at a path is another one."""

    def break_it(model: Model) -> None:
        def alter(path: str, kind: str, told: Any) -> Any:
            if path != where or kind not in kinds.split() or not told:
                return told
            first = dict(told[0] if isinstance(told, list) else told)
            first[field] = value
            if value is ...:
                del first[field]
            return [first, *told[1:]] if isinstance(told, list) else first

        model.alter = alter

    return break_it


def at_time(name: str, text: str) -> Callable[[Model], None]:
    return changed("/v2/requests", f"{name}_datetime", text)


def attribute(**changes: Any) -> Callable[[Model], None]:
    return lambda model: model.attributes[0].update(changes)


def bytes_changed(kind: str, old: bytes, new: bytes) -> Callable[[Model], None]:
    def break_it(model: Model) -> None:
        model.write = lambda told, body: body.replace(old, new) if told == kind else body

    return break_it


def setting(**values: Any) -> Callable[[Model], None]:
    def break_it(model: Model) -> None:
        for name, value in values.items():
            setattr(model, name, value)

    return break_it


FAULTS: list[tuple[str, str, Callable[[Model], None]]] = [
    ("no changeset", "discovery.fields", changed("/discovery", "changeset", "")),
    ("no endpoint", "discovery.fields", changed("/discovery", "endpoints", [])),
    ("JSON of discovery differs", "agree", changed("/discovery", "contact", "nobody", "json")),
    ("XML is said to be HTML", "content-type", setting(headers={"xml": "text/html; charset=utf-8"})),
    ("JSON in Latin-1", "content-type", setting(headers={"json": "application/json; charset=latin-1"})),
    ("bytes that are no UTF-8", "encoding", bytes_changed("xml", b"Pothole", b"Pothole\xff")),
    ("no XML declaration", "encoding", bytes_changed("xml", b'<?xml version="1.0" encoding="UTF-8"?>', b"")),
    ("another encoding declared", "encoding", bytes_changed("xml", b'"UTF-8"', b'"ISO-8859-1"')),
    ("XML not well-formed", "xml", bytes_changed("xml", b"&amp;", b"&")),
    ("another root", "xml", bytes_changed("xml", b"service_requests>", b"requests>")),
    ("another member", "xml", bytes_changed("xml", b"request>", b"service_request>")),
    (
        "a document type",
        "xml",
        bytes_changed("xml", b"<services>", b'<!DOCTYPE s [<!ENTITY a "b">]><services>'),
    ),
    ("JSON cut off", "json", bytes_changed("json", b"]", b"")),
    (
        "JSON in an object",
        "json",
        bytes_changed("json", b'[{"service_r', b'{"a": [{"service_r'),
    ),
    ("JSON tells another service", "agree", changed("/v2/services", "service_name", "Tree", "json")),
    ("JSON tells another request", "agree", changed("/v2/requests", "lat", 1.5, "json")),
    ("a service without a name", "services", changed("/v2/services", "service_name", "")),
    ("metadata is yes", "services", changed("/v2/services", "metadata", "yes")),
    ("a type that is none", "services", changed("/v2/services", "type", "instant")),
    ("a service twice", "services", changed("/v2/services", "service_code", "002")),
    ("a definition of another", "definition", changed("/v2/services/001", "service_code", "002")),
    ("a datatype that is none", "definition", attribute(datatype="list")),
    ("required is maybe", "definition", attribute(required="maybe")),
    ("an order of 0", "definition", attribute(order=0)),
    ("a list without values", "definition", attribute(values=[])),
    ("a key twice", "definition", attribute(values=[{"key": 1, "name": "a"}, {"key": 1, "name": "b"}])),
    ("an attribute without code", "definition", attribute(code="")),
    ("a request without id", "requests", changed("/v2/requests", "service_request_id", "")),
    ("a request without service", "requests", changed("/v2/requests", "service_code", "")),
    ("a text too long", "requests", changed("/v2/requests", "description", "x" * 4001)),
    ("a request twice", "requests", lambda m: m.requests.append(dict(m.requests[0]))),
    ("a third status", "requests.status", changed("/v2/requests", "status", "pending")),
    (
        "a time without zone",
        "requests.date",
        at_time("updated", "2026-11-06T07:37:38"),
    ),
    (
        "a zone without colon",
        "requests.date",
        at_time("updated", "2026-11-06T07:37:38-0800"),
    ),
    (
        "a thirteenth month",
        "requests.date",
        at_time("expected", "2026-13-06T07:37:38Z"),
    ),
    ("no time of report", "requests.date", at_time("requested", "")),
    ("lat and long exchanged", "requests.place", lambda m: m.requests[0].update(lat=-122.4, long=37.7)),
    ("no number for lat", "requests.place", changed("/v2/requests", "lat", "north")),
    (
        "a span of a year",
        "requests.volume",
        lambda m: m.requests[-1].update(requested_datetime="2025-11-01T00:00:00Z"),
    ),
    (
        "more than a thousand",
        "requests.volume",
        lambda m: m.requests.extend(request(1, service_request_id=f"n{n}") for n in range(1000)),
    ),
    ("status is not filtered", "filter.status", setting(ignores=frozenset({"status"}))),
    ("service_code is not filtered", "filter.service_code", setting(ignores=frozenset({"service_code"}))),
    ("dates are not filtered", "filter.dates", setting(ignores=frozenset({"start_date", "end_date"}))),
    ("ids are not filtered", "filter.service_request_id", setting(ignores=frozenset({"service_request_id"}))),
    ("ids do not override", "filter.service_request_id", setting(ignores=frozenset({"override"}))),
    ("empty is not as none", "filter.empty", setting(ignores=frozenset({"empty"}))),
    ("one request is another", "request", changed("/v2/requests/6", "service_request_id", "5")),
    ("an unknown one is 500", "error.status", setting(status={404: 500})),
    ("an unknown one is 200", "error.status", setting(status={404: 200})),
    (
        "an error without description",
        "error.body",
        bytes_changed("xml", b"description>not", b"x>not"),
    ),
    ("an error as another body", "xml", bytes_changed("xml", b"errors>", b"error_list>")),
    ("an unknown city is 400", "jurisdiction", setting(status={404: 400})),
    ("a jurisdiction is needed", "answer", setting(needs_jurisdiction=True)),
]


@pytest.mark.parametrize(("code", "fault"), [one[1:] for one in FAULTS], ids=[one[0] for one in FAULTS])
def test_a_fault_is_found_and_named(code: str, fault: Callable[[Model], None]) -> None:
    model = Model()
    fault(model)
    with serving(model) as url:
        found = check(f"{url}/discovery.xml")
    assert code in wrong(found), [one for one in found if one.level == "error"]
    assert all(one.clause == CLAUSES[one.code] and one.seen for one in found)


@pytest.mark.parametrize("path", ["/discovery.xml", "/discovery.json", "", "/v2", "/v2/"])
def test_a_right_server_has_no_fault_by_any_of_its_addresses(path: str) -> None:
    with serving(Model()) as url:
        found = check(url + path, jurisdiction="city.gov")
    assert wrong(found) == wrong(found, "warning") == set()
    assert {one.code for one in found} == set(CLAUSES) - {"post", "token"}


def test_without_discovery_the_address_is_the_endpoint() -> None:
    with serving(Model(undiscovered=True)) as url:
        found = check(f"{url}/v2")
    assert wrong(found) == {"discovery"}
    assert "requests" in wrong(found, "ok")


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("", setting()),
        ("", setting(tokens=True)),
        ("post", setting(key="another")),
        ("post", setting(broken_post="both")),
        ("post", setting(broken_post="lost")),
        ("error.status", setting(ignores=frozenset({"service_code"}))),
    ],
)
def test_a_test_request_is_written_only_when_asked_for_and_found_again(
    code: str, fault: Callable[[Model], None]
) -> None:
    model = Model()
    fault(model)
    with serving(model) as url:
        check(url)
        assert len(model.requests) == 6
        found = check(url, test=Trial(api_key="xyz"))
    errors = wrong(found)
    assert code in errors if code else errors == set(), [one for one in found if one.level == "error"]
    if not code:
        assert model.requests[0]["service_code"] == "002"
        assert {one.code for one in found if one.level == "ok"} >= {"post", "token"} - (
            set() if model.tokens else {"token"}
        )


def test_a_key_is_not_sent_where_discovery_alone_leads() -> None:
    other, model = Model(), Model()
    with serving(other) as elsewhere, serving(model) as url:
        model.url = elsewhere
        with pytest.raises(CityError, match="name that as the URL"):
            check(url, test=Trial(api_key="xyz"))
    assert len(other.requests) == 6


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cityloom.client.open311.fetch._LARGEST", 100)
    with serving(Model()) as url, pytest.raises(CityError, match="too large"):
        check(url)
    with pytest.raises(CityError, match="does not answer"):
        check("http://127.0.0.1:9")


def test_the_same_in_other_words_is_no_difference() -> None:
    assert difference({"a": "1.50", "b": "", "c": "true"}, {"a": 1.5, "b": None, "c": True}) == ""
    assert difference([{"a": "1"}], [{"a": "2"}]) == "[0].a: '1' and '2'"
    assert difference([], [{"a": "2"}]) != ""
    Server(Findings(), "").close()


@pytest.mark.parametrize("tokens", [False, True])
async def test_our_own_node_has_no_fault(tmp_path: Path, tokens: bool) -> None:
    async with running_node(tmp_path) as node:
        cases = node.services.cases
        assert cases is not None
        part = replace(CASE_RULES.open311, tokens=tokens, jurisdiction="loomhaven.example")
        cases.book.rules = replace(CASE_RULES, open311=part)
        for kind in ("street-light", "damaged-road", "street-light"):
            place = {"type": "Point", "coordinates": [-71.06, 42.36]}
            made = await node.post("/cases", {"type": kind, "location": place, "description": "x & <y>"})
            assert made.status == 201
        first = made.json["id"]
        gone = {"move": "reject", "seen": 1, "reason": "none"}
        assert (await node.post(f"/cases/{first}/moves", gone)).status == 200
        url = f"{node.base}/open311/discovery.xml"
        for jurisdiction in ("", "loomhaven.example"):
            found = await asyncio.to_thread(check, url, jurisdiction=jurisdiction, test=Trial())
            assert [one for one in found if one.level != "ok"] == []
            assert {one.code for one in found} == set(CLAUSES) - (set() if tokens else {"token"})
        assert (await node.get("/cases?status=all")).json["total"] == 5


def test_the_command_tells_findings_and_ends_with_1_where_there_are_errors() -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["open311-check", *words], env={"COLUMNS": "200", "NO_COLOR": "1"})
        return done.exit_code, done.output

    model = Model()
    with serving(model) as url:
        status, told = run(url)
        assert (status, "errors 0, warnings 0" in told) == (0, True)
        changed("/v2/requests", "status", "[red]late")(model)
        status, told = run(url)
        assert (status, "[red]late" in told) == (1, True)
        status, told = run(url, "--json")
        assert status == 1
        codes = {one["code"] for one in json.loads(told) if one["level"] == "error"}
        assert "requests.status" in codes
        assert run(url, "--post", "--api-key", "xyz", "--service", "001")[1].count("'9'") >= 1
        with pytest.raises(CityError, match=r"often .*/open311/discovery\.xml") as refused:
            check(f"{url}/v2/services/001")
        assert refused.value.title.startswith("no Open311 at ")
    assert run("ftp://here")[0] == 1


async def test_the_root_of_a_node_leads_to_its_discovery(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        with pytest.raises(CityError) as refused:
            await asyncio.to_thread(check, f"{node.base}/")
        assert refused.value.detail == f"its discovery is {node.base}/open311/discovery.xml"
