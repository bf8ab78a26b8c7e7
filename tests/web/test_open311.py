"""`/open311` over HTTP: XML and JSON say the same, filters select, nobody's texts are told to strangers."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import cityloom
from cityloom.access.keys import KeyAccess, Keys
from cityloom.broker.ports import Call
from cityloom.cases.keep.city import load_rules
from cityloom.cases.keep.open311_city import Open311Part, Question
from cityloom.cases.keep.past import PastRequests
from cityloom.cases.open311.reads import DAYS, RequestsWish, span_of
from cityloom.ld.context import LdContext
from cityloom.model.clock import SystemClock
from cityloom.model.entity import DEFAULT_VOCAB, Attribute, Entity
from cityloom.model.errors import BadRequestData, Unauthorized
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.web.open311_answers import JSON, MEMBERS, XML, answer
from tests.web.node import API, CASE_RULES, Answer, Client

V2 = "/open311/v2"
HERE = {"lat": "42.36", "long": "-71.06"}
FORM = "application/x-www-form-urlencoded"


def spark(element: ElementTree.Element) -> Any:
    """An element as JSON has it: text, an object, or the array of its members."""
    if element.tag in MEMBERS:
        return [spark(one) for one in element]
    return {one.tag: spark(one) for one in element} if len(element) else element.text


def flat(value: Any) -> Any:
    """JSON with every scalar as the text that XML has of it."""
    if isinstance(value, dict):
        return {name: flat(one) for name, one in value.items()}
    if isinstance(value, list):
        return [flat(one) for one in value]
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or value == "" else str(value)


def configured(node: Client, part: Open311Part) -> None:
    """Gives the city another `open311`."""
    assert node.services.cases is not None
    node.services.cases.book.rules = replace(CASE_RULES, open311=part)


async def send(node: Client, key: str = "", kind: str = "json", **form: Any) -> Answer:
    headers = {"Content-Type": FORM} | ({"x-api-key": key} if key else {})
    return await node.post(f"{V2}/requests.{kind}", raw=urlencode(form, doseq=True).encode(), headers=headers)


async def made(node: Client, **form: Any) -> str:
    answer = await send(node, **{"service_code": "street-light", **HERE, **form})
    assert answer.status == 201, answer.body
    return str(answer.json[0]["service_request_id"])


async def listed(node: Client, **params: str) -> list[dict[str, Any]]:
    found = await node.get(f"{V2}/requests.json", params=params)
    assert found.status == 200, found.body
    told: list[dict[str, Any]] = found.json
    return told


async def moved(node: Client, case: str, *moves: tuple[str, dict[str, Any]]) -> None:
    for name, given_ in moves:
        seen = (await node.get(f"/cases/{case}")).json["seen"]
        answer = await node.post(f"/cases/{case}/moves", {"move": name, "seen": seen, **given_})
        assert answer.status == 200, answer.body


async def test_xml_and_json_tell_the_same_of_everything(node: Client) -> None:
    one = await made(node, description="dark <here> & there \x01", address_string="5 Elm Street")
    await made(node, service_code="damaged-road")
    for path in (
        "/open311/discovery",
        f"{V2}/services",
        f"{V2}/services/street-light",
        f"{V2}/requests",
        f"{V2}/requests/{one}",
        f"{V2}/request/{one}",
    ):
        query = "?extensions=true" if "request" in path else ""
        xml, json = await node.get(f"{path}.xml{query}"), await node.get(f"{path}.json{query}")
        assert (xml.status, json.status) == (200, 200), (path, xml.body, json.body)
        assert (xml.headers["Content-Type"], json.headers["Content-Type"]) == (XML, JSON)
        assert xml.body.lower().startswith(b"<?xml version='1.0' encoding='utf-8'?>")
        shown = str(flat(json.json)).replace("\\x01", "\ufffd")
        assert str(spark(ElementTree.fromstring(xml.body))) == shown, path
    assert (await node.get(f"{V2}/requests/{one}.json")).json[0]["description"].startswith("dark <here>")


@given(
    st.recursive(st.none() | st.booleans() | st.text(), lambda one: st.lists(one, max_size=2), max_leaves=3)
)
def test_any_text_makes_xml_that_can_be_read(value: Any) -> None:
    def within(one: Any) -> Any:
        return {"values": [within(part) for part in one]} if isinstance(one, list) else one

    body = answer("errors", [within(value)], XML).body
    ElementTree.fromstring(body)


async def test_discovery_leads_to_the_endpoint(node: Client) -> None:
    found = (await node.get("/open311/discovery.json")).json
    endpoint = found["endpoints"][0]
    assert endpoint["url"] == node.base + V2
    assert set(endpoint["formats"]) == {"text/xml", "application/json"}
    assert (await node.get(f"{endpoint['url']}/services.xml")).status == 200


async def test_a_service_asks_for_its_condition_and_for_what_the_city_asks(node: Client) -> None:
    pole = Question(title={"en": "Number of the pole"}, types=["street-light"], required=True)
    colours = Question(
        types=["street-light"],
        datatype="multivaluelist",
        values={"r": {"en": "red", "zh": "红"}, "g": {"en": "green", "zh": "绿"}},
    )
    configured(node, Open311Part(attributes={"pole": pole, "colour": colours}))
    asked = (await node.get(f"{V2}/services/street-light.json", headers={"Accept-Language": "zh"})).json
    assert [one["code"] for one in asked["attributes"]] == ["condition", "pole", "colour"]
    assert [one["order"] for one in asked["attributes"]] == [1, 2, 3]
    assert {"key": "g", "name": "绿"} in asked["attributes"][2]["values"]
    missing = await send(node, service_code="street-light", **HERE)
    assert (missing.status, "attribute[pole] was not" in missing.json[0]["description"]) == (400, True)
    wrong = {"attribute[pole]": "7", "attribute[colour][]": ["r", "blue"]}
    assert (await send(node, service_code="street-light", **HERE, **wrong)).status == 400
    good = {"attribute[pole]": "7", "attribute[colour][]": ["r", "g"], "attribute[condition]": "light-out"}
    case = await made(node, **good)
    kept = (await node.get(f"/cases/{case}")).json["case"]["attributes"]
    assert kept == {"pole": ["7"], "colour": ["r", "g"], "condition": ["light-out"]}
    assert (await send(node, service_code="damaged-road", **HERE, **{"attribute[pole]": "7"})).status == 400


async def test_a_report_is_a_case_whose_reporter_is_known_only_to_who_may_know(node: Client) -> None:
    lamp = {
        "id": "urn:ngsi-ld:Lamp:7",
        "type": "Lamp",
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-71.05, 42.35]}},
    }
    assert (await node.post(f"{API}/entities", lamp)).status == 201
    person = {"first_name": "Ada", "last_name": "Lovelace", "phone": "5550100", "email": "ada@example.org"}
    case = await made(
        node,
        **{**person, "lat": "", "long": "", "address_id": lamp["id"], "device_id": "tt222"},
        media_url="https://example.org/a.jpg",
        description="out again",
    )
    told = await node.get(f"{V2}/requests/{case}.json?extensions=true")
    for secret in (*person.values(), "tt222"):
        assert secret.encode() not in told.body
        assert secret.encode() not in (await node.get(f"{V2}/requests.csv")).body
    found = told.json[0]
    assert (found["lat"], found["long"], found["address_id"]) == (42.35, -71.05, lamp["id"])
    assert (found["status"], found["media_url"]) == ("open", "https://example.org/a.jpg")
    assert found["expected_datetime"] > found["requested_datetime"]
    assert found["extended_attributes"]["detailed_status"] == "PENDING"
    reporter = (await node.get(f"/cases/{case}/reporter?purpose=test&role=intake")).json
    assert (reporter["name"], reporter["note"]) == ("Ada Lovelace", "device_id: tt222")


async def test_every_number_that_is_told_is_that_of_one_case_at_every_door(node: Client) -> None:
    own = await made(node)
    cases = node.services.cases
    assert cases is not None
    past = PastRequests(node.services.store, node.services.access, cases.book, LdContext.core.expand_term)
    now = node.services.clock.now()
    minutes = {"tiny:R0000480": 3, "other:R0000480": 1, "tiny:a:7": 2, "R0000480": 2, f"tiny:{own}": 4}
    others = [
        Entity(
            id=f"urn:ngsi-ld:Open311ServiceRequest:{name}",
            types=[DEFAULT_VOCAB + "Open311ServiceRequest"],
            attributes={
                DEFAULT_VOCAB + "requested_datetime": [
                    Attribute(kind="Property", value=format_datetime(now - ago * 60_000_000))
                ]
            },
        )
        for name, ago in minutes.items()
    ]
    call = Call(cause=Cause(kind="system", id="test", operation="import"))
    assert (await past.take(call, others)).made == 5

    told = await listed(node)
    numbers = {one["service_request_id"] for one in told}
    assert len(numbers) == len(told) == 6
    # The newest first, whatever its number looks like; of one moment by number.
    newest = [own, "other:R0000480", "R0000480", "tiny:a:7", "tiny:R0000480", f"tiny:{own}"]
    assert [one["service_request_id"] for one in told] == newest
    pages = [await listed(node, page_size="2", page=str(number)) for number in (1, 2, 3, 4)]
    assert [[one["service_request_id"] for one in page] for page in pages] == [
        newest[:2],
        newest[2:4],
        newest[4:],
        [],
    ]
    found = set()
    for number in sorted(numbers):
        one = await node.get(f"{V2}/requests/{number}.json")
        assert [each["service_request_id"] for each in one.json] == [number]
        assert await listed(node, service_request_id=number) == one.json
        whole, status = await node.get(f"/cases/{number}"), await node.get(f"/cases/{number}/status")
        assert (whole.status, status.status) == (200, 200)
        assert whole.json["case"]["id"] == status.json["id"] == f"urn:ngsi-ld:Case:{number}"
        queue = await node.get("/cases", params={"id": number, "status": "all"})
        assert [each["id"] for each in queue.json["cases"]] == [status.json["id"]]
        found.add(status.json["id"])
    assert len(found) == 6
    assert len(await listed(node, service_request_id=",".join(numbers))) == 6
    rows = csv.DictReader(io.StringIO((await node.get(f"{V2}/requests.csv")).body.decode()))
    assert {row["service_request_id"] for row in rows} == numbers


async def test_status_follows_the_loop_and_updated_is_when_it_was_closed(node: Client) -> None:
    case = await made(node)
    seen = []
    steps: list[tuple[str, dict[str, Any]]] = [
        ("accept", {}),
        ("file", {"condition": "light-out"}),
        ("dispatch", {"department": "lighting"}),
        ("handled", {"evidence": ["urn:x:1"], "role": "department", "actingFor": "lighting"}),
        ("askCheck", {}),
        ("passCheck", {"finding": "lit", "evidence": ["urn:x:1"]}),
        ("close", {"closingCondition": "lit"}),
    ]
    for step in steps:
        await moved(node, case, step)
        found = (await listed(node, extensions="true"))[0]
        seen.append((found["status"], found["extended_attributes"]["detailed_status"]))
    assert seen == [
        *[("open", "RECEIVED")] * 2,
        *[("open", "IN_PROCESS")] * 4,
        ("closed", "PROCESSED"),
    ]
    closed = (await listed(node))[0]
    assert closed["agency_responsible"] == "Street Lighting"
    await moved(node, case, ("evaluate", {"role": "evaluator"}))
    evaluated = (await listed(node))[0]
    whole = (await node.get(f"/cases/{case}")).json["transitions"]
    at = next(one["at"] for one in whole if one["move"] == "close")
    assert evaluated["updated_datetime"] == closed["updated_datetime"] == at[:19] + "Z"
    gone = await made(node)
    await moved(node, gone, ("reject", {"reason": "not ours"}))
    told = (await listed(node, service_request_id=gone, extensions="true"))[0]
    assert (told["status"], told["extended_attributes"]["detailed_status"]) == ("closed", "REJECTED")


async def test_filters_select_and_pages_follow_each_other(
    node: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cityloom.web.open311.requests._ROWS", 2)
    lights = [await made(node) for _ in range(3)]
    road = await made(node, service_code="damaged-road")
    other = await made(node, service_code="other", description="something odd")
    await moved(node, lights[0], ("reject", {"reason": "not ours"}))
    (await node.post("/cases", {"type": "street-light", "draft": True})).json["id"]

    async def ids(**params: str) -> list[str]:
        return [one["service_request_id"] for one in await listed(node, **params)]

    every = [other, road, *reversed(lights)]
    assert await ids() == every
    assert await ids(service_code="street-light,other", status="open") == [other, lights[2], lights[1]]
    assert await ids(status="closed") == [lights[0]]
    assert await ids(status="open,closed", service_code="", jurisdiction_id="") == every
    assert await ids(service_request_id=f"{road},{lights[1]}", status="closed") == [road, lights[1]]
    assert [*await ids(page_size="2"), *await ids(page_size="2", page="2")] == every[:4]
    at = (await listed(node, service_request_id=road))[0]["requested_datetime"]
    assert road in await ids(start_date=at, end_date=at)
    assert await ids(start_date="2020-01-01T00:00:00Z", end_date="2020-02-01T00:00:00+01:00") == []
    rows = list(csv.DictReader(io.StringIO((await node.get(f"{V2}/requests.csv")).body.decode())))
    assert [row["service_request_id"] for row in rows] == list(reversed(every))
    assert node.services.cases is not None
    call = Call(cause=Cause(kind="request", id="1"))
    assert len(await node.services.cases.open311_ids(call, RequestsWish(limit=1))) == 5
    assert [row["closed_date"] != "" for row in rows] == [True, False, False, False, False]


@given(
    st.integers(0, 4 * 10**15),
    st.integers(-200 * 86_400_000_000, 200 * 86_400_000_000),
    st.sampled_from(["both", "start", "end", "none"]),
)
def test_a_span_is_never_longer_than_ninety_days(now: int, apart: int, given_: str) -> None:
    now = now // 1_000_000 * 1_000_000 + 10**15
    start = format_datetime(now)
    end = format_datetime((now + apart) // 1_000_000 * 1_000_000)
    told = (start if given_ in ("both", "start") else None, end if given_ in ("both", "end") else None)
    days = (parse_datetime(end) - parse_datetime(start)) / 86_400_000_000
    if given_ == "both" and not 0 <= days <= DAYS:
        with pytest.raises(BadRequestData):
            span_of(*told, now)
        return
    since, until = span_of(*told, now)
    assert 0 <= until - since <= DAYS * 86_400_000_000 + 999_999
    assert told[0] is None or since == parse_datetime(start)
    assert told[1] is None or until // 1_000_000 == parse_datetime(end) // 1_000_000


@pytest.mark.parametrize(
    ("status", "form", "says"),
    [
        (400, {**HERE}, "service_code was not provided"),
        (404, {"service_code": "nothing", **HERE}, "service_code 'nothing' was not found"),
        (400, {"service_code": "street-light"}, "where it is"),
        (400, {"service_code": "street-light", "lat": "1"}, "long is required"),
        (400, {"service_code": "street-light", "lat": "91", "long": "0"}, "not between"),
        (400, {"service_code": "street-light", "lat": "nan", "long": "0"}, "not between"),
        (400, {"service_code": "street-light", **HERE, "media_url": "photo"}, "media_url"),
        (400, {"service_code": "street-light", **HERE, "description": "x" * 4001}, "4000"),
        (400, {"service_code": "street-light", **HERE, "colour": "red"}, "colour"),
        (400, {"service_code": "street-light", **HERE, "attribute[x]": "1"}, "attribute[x]"),
        (400, {"service_code": "street-light", "address_id": "urn:ngsi-ld:Lamp:none"}, "address_id"),
        (400, {"service_code": "other", **HERE}, "description is required"),
        (404, {"service_code": "street-light", **HERE, "jurisdiction_id": "else.org"}, "jurisdiction_id"),
        (403, {"service_code": "street-light", **HERE, "api_key": "wrong"}, "key"),
        (403, {"service_code": "street-light", **HERE, "api_key": "reader"}, "may not"),
    ],
)
async def test_a_wrong_report_is_told_in_the_asked_format_and_begins_nothing(
    node: Client, status: int, form: dict[str, str], says: str
) -> None:
    json, xml = await send(node, **form), await send(node, kind="xml", **form)
    assert (json.status, xml.status) == (status, status), json.body
    assert json.headers["Content-Type"] == JSON
    assert json.json[0]["code"] == status
    assert says in json.json[0]["description"]
    tree = ElementTree.fromstring(xml.body)
    assert (tree.tag, tree[0].tag) == ("errors", "error")
    assert flat(json.json) == spark(tree)
    assert (await node.get("/cases?status=all")).json["total"] == 0


@pytest.mark.parametrize(
    ("status", "path"),
    [
        (404, "services/none"),
        (404, "requests/1999-000001"),
        (404, "tokens/none"),
        (404, "nowhere"),
        (404, "services?jurisdiction_id=else.org"),
        (400, "requests?status=late"),
        (400, "requests?start_date=2020-01-01"),
        (400, "requests?start_date=2020-01-01T00:00:00Z&end_date=2020-06-01T00:00:00Z"),
        (400, "requests?page_size=1001"),
        (400, "requests?colour=red"),
        (403, "requests?api_key=wrong"),
    ],
)
async def test_a_wrong_question_is_told_in_the_asked_format(node: Client, status: int, path: str) -> None:
    name, mark, query = path.partition("?")
    json = await node.get(f"{V2}/{name}.json{mark}{query}")
    xml = await node.get(f"{V2}/{name}.xml{mark}{query}")
    assert (json.status, xml.status, json.json[0]["code"]) == (status, status, status), json.body
    assert xml.headers["Content-Type"] == XML
    told = str(flat(json.json)).replace(f"{name}.json", f"{name}.xml")
    assert told == str(spark(ElementTree.fromstring(xml.body)))


async def test_a_body_that_is_no_form_is_refused(node: Client) -> None:
    json = await node.post(f"{V2}/requests.json", {"service_code": "street-light"})
    assert (json.status, json.json[0]["code"]) == (415, 415)
    bad = await node.post(f"{V2}/requests.xml", raw=b"description=%ff", headers={"Content-Type": FORM})
    assert bad.status == 400
    twice = b"service_code=street-light&service_code=street-light"
    again = await node.post(f"{V2}/requests.json", raw=twice, headers={"Content-Type": FORM})
    assert (again.status, "twice" in again.json[0]["description"]) == (400, True)


async def test_a_notice_tells_the_promise_in_local_time_and_a_place_that_was_not_taken(node: Client) -> None:
    told = (await send(node, service_code="street-light", **HERE)).json[0]
    status = (await node.get(f"/cases/{told['service_request_id']}/status")).json
    at = datetime.fromisoformat(status["promisedBy"]).astimezone(ZoneInfo(CASE_RULES.calendar.time_zone))
    assert told["service_notice"].startswith(f"Promised by {at.day} {at:%B} {at.year}, {at:%H:%M}")
    assert told["service_notice"].endswith("(local time).")
    form = urlencode({"service_code": "street-light", "lat": "0", "long": "0"}).encode()
    headers = {"Content-Type": FORM, "Accept-Language": "zh"}
    nowhere = await node.post(f"{V2}/requests.json", raw=form, headers=headers)
    assert nowhere.status == 201
    notice = nowhere.json[0]["service_notice"]
    assert notice.startswith(f"承诺于{at.year}年{at.month}月{at.day}日 ")
    assert notice.endswith("所发送的坐标不代表任何地点：位置未知。")
    assert (
        "no place"
        in (await send(node, service_code="street-light", lat="0", long="0")).json[0]["service_notice"]
    )


async def test_with_tokens_a_report_is_found_by_its_token(node: Client) -> None:
    configured(node, Open311Part(tokens=True, jurisdiction="here.example"))
    assert {one["type"] for one in (await node.get(f"{V2}/services.json")).json} == {"batch"}
    answer = await send(node, service_code="street-light", **HERE, jurisdiction_id="here.example")
    told = answer.json[0]
    assert (answer.status, "service_request_id" in told) == (201, False)
    found = (await node.get(f"{V2}/tokens/{told['token']}.json")).json
    case = found[0]["service_request_id"]
    assert found == [{"service_request_id": case, "token": told["token"]}]
    assert [one["service_request_id"] for one in await listed(node)] == [case]


async def test_what_people_wrote_is_told_only_to_who_may_read_cases(node: Client, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json", SystemClock())
    key = keys.add("desk", "reader", [])
    assert keys.identify(key) is not None
    case = await made(node, description="my neighbour did it", address_string="Elm Street 5")
    cases = node.services.cases
    assert cases is not None
    path = f"{V2}/requests/{case}.json"
    for public_read, public_report, statuses in ((False, False, 403), (True, False, 200), (False, True, 200)):
        cases._access = KeyAccess(keys, open_node=False, public_read=public_read, public_report=public_report)
        stranger = await node.get(path)
        assert stranger.status == statuses
        assert b"neighbour" not in stranger.body
        assert b"Elm" not in stranger.body
        assert (await node.get(f"{V2}/requests/{case}.json?api_key=desk")).json[0][
            "address"
        ] == "Elm Street 5"
        wanted = 201 if public_report else 403
        # The test's node takes the party for the key.
        assert (await send(node, service_code="street-light", **HERE)).status == wanted
        assert (await send(node, service_code="street-light", **HERE, api_key="desk")).status == 403
    with pytest.raises(Unauthorized):
        cases._may(Call(cause=Cause(kind="request", id="1")), "read", "cases")


def test_the_sample_city_says_what_its_file_says() -> None:
    rules = load_rules(Path(cityloom.__file__).parent / "profiles" / "sample" / "cases.yaml")
    assert rules.open311.jurisdiction == "loomhaven.example"
    assert rules.open311.test
    group = rules.open311.group_of("burst-gas-pipe")
    assert group is not None
    assert group.title["en"] == "Emergencies"
