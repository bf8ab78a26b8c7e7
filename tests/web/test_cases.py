"""`/cases` over HTTP: what is answered, and that bad input changes nothing."""

from __future__ import annotations

import asyncio
import io
import re
import struct
import zlib
from typing import Any
from urllib.parse import quote

from PIL import Image

from tests.web.node import API, Answer, Client

NAME = {"name": "Ada Lovelace", "phone": "555 0100", "email": "ada@example.org", "note": "I live opposite"}


async def report(node: Client, **given: Any) -> str:
    answer = await node.post("/cases", {"type": "street-light", **given})
    assert answer.status == 201, answer.body
    found: str = answer.json["id"]
    assert answer.headers["Location"] == f"/cases/{found}"
    return found


async def seen(node: Client, case: str) -> int:
    number: int = (await node.get(f"/cases/{case}")).json["seen"]
    return number


async def move(node: Client, case: str, name: str, key: str = "", **given: Any) -> Answer:
    body = {"move": name, "seen": await seen(node, case), **given}
    return await node.post(f"/cases/{case}/moves", body, headers={"x-api-key": key} if key else {})


async def handling(node: Client, department: str = "lighting") -> str:
    case = await report(node)
    for name, given in (
        ("accept", {}),
        ("file", {"condition": "light-out"}),
        ("dispatch", {"department": department}),
    ):
        answer = await move(node, case, name, **given)
        assert answer.status == 200, answer.body
    return case


def photo(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(written, kind, **options)
    return written.getvalue()


async def add(node: Client, case: str, data: bytes, kind: str = "image/jpeg", **options: Any) -> Answer:
    return await node.post(f"/cases/{case}/evidence", raw=data, headers={"Content-Type": kind}, **options)


async def test_a_case_goes_the_whole_way_and_tells_steps_clocks_and_history(node: Client) -> None:
    case = await handling(node)
    found = (await add(node, case, photo(), params={"caption": "lit again"})).json
    done = await move(node, case, "handled", evidence=[found["id"]], role="department", actingFor="lighting")
    assert done.status == 200, done.body
    assert (await move(node, case, "askCheck")).status == 200
    whole = (await move(node, case, "passCheck", finding="it is lit", evidence=[found["id"]])).json
    assert [one["step"] for one in whole["steps"] if one["state"] == "now"] == ["check"]
    whole = (await move(node, case, "close", closingCondition="lamp lit")).json
    assert (whole["case"]["state"], whole["case"]["status"], whole["case"]["holder"]) == (
        "closed",
        "closed",
        "hotline",
    )
    whole = (await move(node, case, "evaluate", role="evaluator")).json
    assert [one["state"] for one in whole["steps"]] == ["done"] * 7
    assert len(whole["steps"]) == 7
    assert all("since" in one and "until" in one for one in whole["steps"])
    assert [one["move"] for one in whole["transitions"]] == [
        *("report", "accept", "file", "dispatch", "handled", "askCheck", "passCheck", "close", "evaluate")
    ]
    closing = next(one for one in whole["transitions"] if one["move"] == "close")
    assert {one["clock"]: one["state"] for one in closing["clocks"]} == {
        "close": "stopped",
        "promise": "stopped",
    }
    assert whole["moves"] == []


async def test_the_case_is_an_entity_that_nobody_else_writes(node: Client) -> None:
    case = await handling(node)
    entity = (await node.get(f"{API}/entities/{case}?options=keyValues")).json
    assert (entity["type"], entity["state"], entity["department"], entity["holder"]) == (
        *("Case", "handling", "lighting", "lighting"),
    )
    assert entity["transitions"] == 4
    found = await node.get(f"{API}/entities?type=Case&q=department==%22lighting%22;light==%22green%22")
    assert [one["id"] for one in found.json] == [case]
    forged = {"id": "urn:ngsi-ld:Case:9", "type": "Case", "state": {"type": "Property", "value": "closed"}}
    state = {"state": {"type": "Property", "value": "closed"}}
    for answer in (
        await node.post(f"{API}/entities", forged),
        await node.patch(f"{API}/entities/{case}/attrs", state),
        await node.patch(f"{API}/entities/{case}", state),
        await node.delete(f"{API}/entities/{case}"),
        await node.post(f"{API}/entities/{case}/attrs", {"type": ["Case", "Tree"], **state}),
    ):
        assert answer.status == 422, answer.body
        assert "belongs to cases" in answer.json["detail"]
    batch = await node.post(f"{API}/entityOperations/upsert", [forged])
    assert batch.status == 207
    assert "belongs to cases" in str(batch.json["errors"])
    assert (await node.get(f"{API}/entities/{case}?options=keyValues")).json == entity


async def test_two_act_at_once_one_wins_and_the_other_is_told_who(node: Client) -> None:
    case = await report(node)
    body = {"move": "accept", "seen": 1}
    other = {"move": "reject", "seen": 1, "reason": "not ours"}
    answers = await asyncio.gather(
        node.post(f"/cases/{case}/moves", body, headers={"x-api-key": "intake"}),
        node.post(f"/cases/{case}/moves", other, headers={"x-api-key": "intake"}),
    )
    assert sorted(answer.status for answer in answers) == [200, 409]
    lost = next(answer for answer in answers if answer.status == 409)
    assert lost.problem == "Conflict"
    assert "by intake as Intake operator (intake) at " in lost.json["detail"]
    assert (await seen(node, case)) == lost.json["number"] == 2


async def test_a_repeat_with_the_same_request_id_changes_nothing(node: Client) -> None:
    first = await report(node, description="dark", requestId="r-1")
    assert await report(node, description="dark", requestId="r-1") == first
    other = await node.post("/cases", {"type": "street-light", "description": "light", "requestId": "r-1"})
    assert (other.status, other.problem) == (409, "Conflict")
    body = {"move": "accept", "seen": 1, "requestId": "m-1"}
    answers = [await node.post(f"/cases/{first}/moves", body) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert answers[0].json["seen"] == answers[2].json["seen"] == 2
    wrong = await node.post(f"/cases/{first}/moves", {**body, "move": "file"})
    assert wrong.status == 409
    assert (await node.get("/cases")).json["total"] == 1


WRONG_REPORTS: list[tuple[dict[str, Any], str]] = [
    ({}, "type or description is required"),
    ({"type": "no-such"}, "type is invalid: 'no-such' does not exist"),
    ({"type": "cityloom:street-light"}, "type is invalid"),
    ({"type": "street-light", "scheme": "other"}, "unknown field `scheme`"),
    (
        {"type": "street-light", "location": {"type": "Point", "coordinates": [200, 0]}},
        "location is invalid",
    ),
    ({"type": "street-light", "location": {"type": "Polygon", "coordinates": []}}, "a GeoJSON Point"),
    ({"type": "street-light", "location": [1, 2]}, "location is invalid"),
    ({"type": "street-light", "about": "lamp 7"}, "about is invalid"),
    ({"type": "street-light", "description": "x" * 4001}, "description is invalid"),
    ({"type": "street-light", "evidence": ["photo"]}, "evidence[0] is invalid"),
    ({"type": "street-light", "role": "mayor"}, "role is invalid: 'mayor' does not exist"),
    ({"type": "street-light", "role": "intake"}, "(intake) may not make the move Report (report)"),
    ({"type": 5}, "type is invalid"),
    ({"type": "street-light", "reporter": {"name": ["Ada"]}}, "reporter.name is invalid"),
]


async def test_a_report_that_is_wrong_is_refused_and_leaves_nothing(node: Client) -> None:
    for body, told in WRONG_REPORTS:
        answer = await node.post("/cases", body)
        assert answer.status in (400, 403), body
        assert told in answer.json["detail"], body
    assert (await node.get("/cases?status=all")).json["total"] == 0
    assert (await node.get(f"{API}/entities?type=Case&local=true")).json == []


WRONG_MOVES: list[tuple[dict[str, Any], int, str]] = [
    ({"move": "close", "closingCondition": "lit"}, 409, "Close (close) is not possible there"),
    ({"move": "requestReturn"}, 400, "reason is required"),
    ({"move": "requestReturn", "reason": "  "}, 400, "reason is required"),
    ({"move": "fly"}, 400, "move is invalid: 'fly' does not exist"),
    ({"move": "handled", "evidence": ["a" * 64]}, 400, "evidence[0] is invalid"),
    ({"move": "handled", "evidence": []}, 400, "evidence is required"),
    ({"move": "requestDelay", "reason": "rain", "extension": "3 days"}, 400, "extension is invalid"),
    ({"move": "assign", "worker": "Ada Lovelace"}, 400, "worker is invalid"),
    ({"move": "assign", "worker": "w-7", "actingFor": "roads"}, 403, "is with lighting, not with roads"),
    ({"move": "assign", "worker": "w-7", "role": "intake"}, 403, "(intake) may not make the move Assign a "),
    ({"move": "assign", "worker": "w-7", "department": "nobody"}, 400, "'nobody' does not exist"),
    ({"move": "assign", "worker": "w-7", "type": "no-such"}, 400, "type is invalid"),
    ({"move": "merge", "role": "intake", "into": "2020-000001", "reason": "the same"}, 404, "does not exist"),
    ({"move": "assign", "worker": "w-7", "seen": 1}, 409, "has moved on"),
    ({"move": "assign", "worker": "w-7", "seen": "4"}, 400, "seen is invalid"),
    ({"move": "assign", "worker": "w-7", "at": 4}, 400, "unknown field `at`"),
]


async def test_a_move_that_is_wrong_is_refused_and_changes_nothing(node: Client) -> None:
    case = await handling(node)
    before = (await node.get(f"{API}/entities/{case}")).json
    for given, status, told in WRONG_MOVES:
        body = {"seen": 4, "role": "department", "actingFor": "lighting", **given}
        answer = await node.post(f"/cases/{case}/moves", body)
        assert answer.status == status, answer.body
        assert told in answer.json["detail"], given
    assert (await node.get(f"{API}/entities/{case}")).json == before
    assert await seen(node, case) == 4


async def test_a_party_acts_in_its_own_roles_alone(node: Client) -> None:
    case = await handling(node)
    for key, role, status in (
        ("intake", "", 403),
        ("intake", "department", 403),
        ("department:roads", "department", 403),
        ("department:roads", "", 403),
        ("department:lighting", "", 200),
    ):
        body = {"move": "assign", "seen": 4, "worker": "w-7"} | ({"role": role} if role else {})
        answer = await node.post(f"/cases/{case}/moves", body, headers={"x-api-key": key})
        assert answer.status == status, (key, role, answer.body)
    allowed = (await node.get(f"/cases/{case}", headers={"x-api-key": "department:lighting"})).json["moves"]
    assert {one["move"] for one in allowed} == {"revoke", "requestDelay", "handled"}
    needs = {one["move"]: one.get("needs", []) for one in allowed}
    assert needs["requestDelay"] == ["reason", "extension"]
    assert (await node.get(f"/cases/{case}", headers={"x-api-key": "department:roads"})).json["moves"] == []
    named = await node.get(f"/cases/{case}?role=dispatcher", headers={"x-api-key": "intake"})
    assert named.status == 403
    forged = await node.post(
        f"/cases/{case}/moves",
        {"move": "revoke", "seen": 5, "actor": "somebody else"},
        headers={"x-api-key": "department:lighting"},
    )
    assert forged.json["transitions"][-1]["actor"] == "department:lighting"


async def test_who_reported_is_told_to_those_who_need_it_and_its_reading_is_logged(node: Client) -> None:
    case = await report(node, description="dark", reporter=NAME)
    for path in (
        f"/cases/{case}",
        f"/cases/{case}/status",
        "/cases",
        f"{API}/entities/{case}",
        f"{API}/temporal/entities/{case}",
        f"/lineage/{case}",
    ):
        body = (await node.get(path)).body.decode()
        assert not any(value in body for value in NAME.values()), path
    assert (await node.get("/cases")).json["cases"][0]["reportedBy"] == ["name", "phone", "email", "note"]
    path = f"/cases/{case}/reporter"
    for key, query, status in (
        ("intake", "", 400),
        ("evaluator", "?purpose=curious", 403),
        ("department:roads", "?purpose=call", 403),
        ("reader", "?purpose=call", 403),
    ):
        assert (await node.get(path + query, headers={"x-api-key": key})).status == status, key
    answer = await node.get(f"{path}?purpose=call%20back", headers={"x-api-key": "intake"})
    assert answer.json == NAME
    readings = (await node.get(f"/personal/{case}/readings")).json
    assert [(one["party"], one["purpose"]) for one in readings] == [("intake", "call back")]
    nobody = await report(node)
    assert (await node.get(f"/cases/{nobody}/reporter?purpose=x&role=intake")).status == 404


async def test_the_status_of_a_case_tells_nothing_that_anybody_wrote(node: Client) -> None:
    case = await handling(node)
    await move(node, case, "requestReturn", reason="secret reason", role="department", actingFor="lighting")
    status = (await node.get(f"/cases/{case.rpartition(':')[2]}/status")).json
    assert (status["id"], status["state"], status["status"], status["late"]) == (
        *(case, "returnRequested", "open", False),
    )
    assert status["typeTitle"]["zh"] == "路灯"
    assert status["departmentTitle"]["en"] == "Street Lighting"
    assert "secret" not in str(status)
    assert [one["state"] for one in status["steps"]] == ["done"] * 3 + ["now"] + ["ahead"] * 3


async def test_a_photo_is_kept_without_what_it_told_of_its_maker(node: Client) -> None:
    case = await report(node, location={"type": "Point", "coordinates": [123.4, 30.2]})
    exif = Image.Exif()
    exif[0x010F] = "Maker of cameras"
    exif.get_ifd(0x8825).update({1: "N", 2: (30.0, 12.0, 0.0), 3: "E", 4: (123.0, 24.0, 3.6)})
    exif.get_ifd(0x8769)[0x9003] = "2026:07:06 08:15:00"
    told = {"exif": exif, "comment": b"taken by Ada", "icc_profile": b"a profile that names its maker"}
    answer = await add(node, case, photo(**told), params={"caption": "the lamp"})
    assert answer.status == 201
    found = answer.json
    assert found["position"] == [123.401, 30.2]
    assert 95 < found["distance"] < 97
    assert (found["takenAt"], found["caption"]) == ("2026-07-06T08:15:00", "the lamp")
    served = await node.get(f"/cases/{case}/evidence/{found['id']}")
    assert served.headers["Content-Type"] == "image/jpeg"
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    picture = Image.open(io.BytesIO(served.body))
    assert picture.size == (64, 48)
    assert dict(picture.getexif()) == {}
    assert not any(word in served.body for word in (b"Maker of cameras", b"taken by", b"names its maker"))
    again = await add(node, case, photo(**told))
    assert again.json["id"] == found["id"]
    assert len((await node.get(f"/cases/{case}")).json["evidence"]) == 1
    assert (await node.get(f"/cases/{case}/evidence/{'0' * 64}")).status == 404
    assert (await node.get(f"/cases/{case}/evidence/..%2F..%2Fcity.db")).status == 404


async def test_other_pictures_are_kept_as_they_came(node: Client) -> None:
    case = await report(node)
    for kind, media_type in (("PNG", "image/png"), ("WEBP", "image/webp")):
        found = (await add(node, case, photo(kind), media_type)).json
        served = await node.get(f"/cases/{case}/evidence/{found['id']}")
        assert served.headers["Content-Type"] == found["mediaType"] == media_type
        assert Image.open(io.BytesIO(served.body)).format == kind


def bomb() -> bytes:
    """A PNG of 60,000 by 60,000 pixels in a few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


WRONG_PHOTOS = [
    (bomb(), "image/png", 413, "pixels"),
    (photo()[:300], "image/jpeg", 400, "the photo is invalid"),
    (photo("PNG")[:60], "image/png", 400, "the photo is invalid"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", 415, "neither JPEG, PNG nor WebP"),
    (photo("GIF"), "image/jpeg", 415, "neither JPEG, PNG nor WebP"),
    (photo(), "image/svg+xml", 415, "Content-Type is invalid"),
    (photo(), "application/json", 415, "Content-Type is invalid"),
    (b"", "image/jpeg", 415, "neither JPEG, PNG nor WebP"),
]


async def test_a_photo_that_is_none_is_refused_and_nothing_is_kept(node: Client) -> None:
    case = await report(node)
    for data, kind, status, told in WRONG_PHOTOS:
        answer = await add(node, case, data, kind)
        assert answer.status == status, answer.body
        assert told in answer.json["detail"]
    assert (await node.get(f"/cases/{case}")).json["evidence"] == []
    folder = node.services.cases.files.folder  # type: ignore[union-attr]
    assert not folder.exists() or not [path for path in folder.rglob("*") if path.is_file()]


async def test_a_refusal_is_told_in_the_language_asked_for_with_titles_and_names_what_there_is(
    node: Client,
) -> None:
    case = await handling(node)
    path, wish = f"/cases/{case}/moves", {"move": "close", "closingCondition": "lit", "seen": 4}

    async def told(body: dict[str, Any], languages: str) -> str:
        answer = await node.post(path, body, headers={"Accept-Language": languages} if languages else {})
        assert answer.headers["Vary"] == "Accept-Language"
        return str(answer.json["detail"])

    assert "处于处置中（handling）：不能办理结案（close），可办理：" in await told(wish, "zh-CN,zh;q=0.9")
    for languages in ("", "en-GB", "fr", "no, such; list=1"):
        assert "is In handling (handling): Close (close) is not possible" in await told(wish, languages)
    unknown = {**wish, "move": "fly"}
    assert "there are Merge into another case (merge), Assign a field worker" in await told(unknown, "")
    nowhere = {"move": "assign", "worker": "w-7", "department": "nobody", "seen": 4}
    assert "没有部门 'nobody'；现有：道路桥梁管理处（roads）、" in await told(nowhere, "zh")
    wordless = {"move": "requestReturn", "actingFor": "lighting", "seen": 4}
    said = await told(wordless, "zh")
    assert "需要填写理由（reason）" in said
    for body, languages in (
        (wish, "zh"),
        (unknown, "zh"),
        (nowhere, "zh"),
        (wordless, "zh"),
        ({**wish, "role": "mayor"}, "zh"),
        ({"move": "merge", "into": case, "reason": "twice", "seen": 4, "role": "intake"}, "zh"),
    ):
        said = await told(body, languages)
        assert not re.search("is (invalid|required)|does not exist|itself", said), said


async def test_a_report_is_refused_in_whole_sentences_of_the_readers_language(node: Client) -> None:
    chinese = {"Accept-Language": "zh-CN"}
    unknown = await node.post("/cases", {"type": "no-such"}, headers=chinese)
    assert unknown.json["detail"].startswith("没有类型 'no-such'：时限表")
    nothing = await node.post("/cases", {}, headers=chinese)
    assert nothing.json["detail"] == "请选择类型或填写说明：需要办理什么"
    case = await report(node)
    merge = {"move": "merge", "into": case, "reason": "twice", "seen": 1, "role": "intake"}
    itself = await node.post(f"/cases/{case}/moves", merge, headers=chinese)
    assert itself.status == 400
    assert itself.json["detail"].endswith("不能合并到它自己，请填写另一案件")


async def test_the_queue_is_filtered_and_ordered_by_promise_left(node: Client) -> None:
    slow = await report(node, type="damaged-road")
    fast = await report(node, type="flooded-road")
    lamp = await handling(node)
    rows = (await node.get("/cases")).json
    when = rows["cases"][0]
    assert [one["id"] for one in rows["cases"]] == [fast, lamp, slow]
    assert rows["total"] == 3
    for query, ids in (
        ("type=flooded-road,damaged-road", [fast, slow]),
        ("department=lighting", [lamp]),
        ("holder=intake", [fast, slow]),
        ("holder=lighting", [lamp]),
        ("state=handling", [lamp]),
        ("step=collect&orderBy=-reportedAt", [fast, slow]),
        ("limit=1&offset=1", [lamp]),
        ("light=red", []),
        ("status=closed", []),
        ("orderBy=id&limit=2", [slow, fast]),
        (f"since={quote(when['reportedAt'])}&orderBy=id", [fast, lamp]),
        (f"until={quote(when['reportedAt'])}&orderBy=id", [slow, fast]),
    ):
        found = (await node.get(f"/cases?{query}")).json
        assert [one["id"] for one in found["cases"]] == ids, query
    await move(node, fast, "reject", reason="no flood")
    assert (await node.get("/cases")).json["total"] == 2
    assert [one["id"] for one in (await node.get("/cases?status=closed")).json["cases"]] == [fast]
    for query in (
        "status=lost",
        "orderBy=luck",
        "limit=0",
        "limit=100000",
        "light=blue",
        "step=dance",
        "x=1",
    ):
        assert (await node.get(f"/cases?{query}")).status == 400, query


async def test_a_report_has_the_area_that_holds_it_and_none_outside_the_city(node: Client) -> None:
    square = [[[123.3, 30.1], [123.5, 30.1], [123.5, 30.3], [123.3, 30.3], [123.3, 30.1]]]
    district = {
        "id": "urn:ngsi-ld:District:1",
        "type": "District",
        "location": {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": square}},
    }
    assert (await node.post(f"{API}/entities", district)).status == 201

    async def at(lon: float, lat: float) -> Answer:
        place = {"type": "Point", "coordinates": [lon, lat]}
        return await node.post("/cases", {"type": "street-light", "location": place})

    inside = (await at(123.4, 30.2)).json
    assert (inside["area"], inside["place"], inside["location"]) == (
        "urn:ngsi-ld:District:1",
        "known",
        [123.4, 30.2],
    )
    edge = (await at(123.5005, 30.2)).json
    assert edge["area"] == "urn:ngsi-ld:District:1"
    default = (await at(0, 0)).json
    assert (default["place"], default.get("location"), default.get("area")) == ("unknown", None, None)
    outside = await at(123.6, 30.2)
    assert outside.status == 400
    assert (outside.json["detail"], outside.json["field"]) == (
        "location is invalid: 123.6, 30.2 (lon, lat) is outside the city; choose another place",
        "location",
    )
    long = {"type": "Point", "coordinates": [123.42947368420886, 31.17311070547028]}
    told = await node.post(
        "/cases", {"location": long, "type": "street-light"}, headers={"Accept-Language": "zh"}
    )
    assert told.json["detail"] == "这个位置（123.42947, 31.17311）不在本市范围内，请重新选择"
    assert [
        one["id"] for one in (await node.get("/cases?area=urn:ngsi-ld:District:1&orderBy=id")).json["cases"]
    ] == [
        inside["id"],
        edge["id"],
    ]


async def test_a_draft_gathers_photos_before_it_is_reported(node: Client) -> None:
    case = await report(node, draft=True)
    found = (await add(node, case, photo())).json
    given = {"condition": "light-out", "evidence": [found["id"]], "type": "street-light"}
    whole = (await move(node, case, "reportHandled", role="collector", **given)).json
    assert (whole["case"]["state"], whole["seen"]) == ("pendingClose", 1)


async def test_what_cases_go_by_can_be_read(node: Client) -> None:
    types = (await node.get("/cases/types")).json
    light = next(one for one in types["types"] if one["code"] == "street-light")
    assert {one["code"] for one in light["conditions"]} == {"light-dangerous", "light-out", "light-row-out"}
    # No area of this city has a grade, so there is none to choose.
    assert types["grades"] == []
    assert {"code": "roads", "title": {"en": "Roads and Bridges", "zh": "道路桥梁管理处"}} in types[
        "departments"
    ]
    assert (await node.get("/cases/calendar")).json["timeZone"] == "Asia/Shanghai"
    assert (await node.get("/cases/limits")).json["scheme"] == "cityloom"
    assert "handling" in (await node.get("/cases/workflow")).json["states"]


async def test_a_calendar_is_put_as_it_was_read_and_what_is_wrong_is_named(node: Client) -> None:
    read = (await node.get("/cases/calendar")).json
    read["years"]["2026"]["holidays"]["2026-07-07"] = "Storm"
    put = await node.put("/cases/calendar", read, headers={"x-api-key": "duty"})
    assert (put.status, put.json["edition"], put.json["changed"], put.json["clocks"]) == (200, 1, True, 0)
    now = (await node.get("/cases/calendar")).json
    assert now == read | {"version": put.json["version"], "edition": 1}
    assert (await node.get("/cases/calendar?edition=1")).json == now
    edition = (await node.get("/cases/calendar/editions")).json[0]
    assert (edition["by"], edition["source"], edition["version"]) == ("duty", "request", now["version"])
    stale = await node.put("/cases/calendar", {**read, "title": {"en": "Another"}})
    assert (stale.status, "came to hold meanwhile" in stale.json["detail"]) == (409, True)
    for body, place in (
        ([], "a JSON object is required"),
        ({**now, "week": {"mon-fri": ["08:00-12:00", "11:00-13:00"]}}, "week.mon-fri is invalid"),
        ({**now, "week": {"mon-fri": 8}}, "week[...] is invalid"),
        ({**now, "holidays": {}}, "unknown field `holidays`"),
    ):
        answer = await node.put("/cases/calendar", body)
        assert (answer.status, place in answer.json["detail"]) == (400, True), answer.json
    assert (await node.put("/cases/calendar", now, headers={"x-api-key": "reader"})).status == 403
    assert (await node.get("/cases/calendar?edition=7")).status == 404
    assert (await node.get("/cases/calendar")).json == now
