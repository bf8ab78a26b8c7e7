"""`/cases/evaluation`, `/cases/surges`, `/cases/nearby`, `…/duplicates`: what is seen in kept cases."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.web.node import API, Answer, Client
from tests.web.test_cases import add, handling, move, photo, report

PERIOD = {"since": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}


async def close(node: Client, case: str) -> None:
    found = (await add(node, case, photo())).json
    for name, given in (
        ("handled", {"evidence": [found["id"]], "role": "department", "actingFor": "lighting"}),
        ("askCheck", {}),
        ("passCheck", {"finding": "it is lit", "evidence": [found["id"]]}),
        ("close", {"closingCondition": "lamp lit"}),
    ):
        answer = await move(node, case, name, **given)
        assert answer.status == 200, answer.body


async def evaluation(node: Client, **params: str) -> Any:
    answer = await node.get("/cases/evaluation", params={**PERIOD, **params})
    assert answer.status == 200, answer.body
    return answer.json


async def members(node: Client, indicator: str, **params: str) -> Answer:
    return await node.get("/cases/evaluation/cases", params={**PERIOD, "indicator": indicator, **params})


def figure(told: Any, indicator: str, group: str = "") -> Any:
    [whole] = [one for one in told["groups"] if one["group"] == group]
    [found] = [one for one in whole["figures"] if one["indicator"] == indicator]
    return found


async def test_figures_have_counts_and_their_cases(node: Client) -> None:
    closed, filed = await handling(node), await handling(node, "roads")
    rejected = await report(node)
    assert (await move(node, rejected, "reject", reason="no lamp there")).status == 200
    await close(node, closed)
    told = await evaluation(node, by="department")
    assert told["cases"] == 3
    assert figure(told, "UM-FILE-ONTIME") == {
        "indicator": "UM-FILE-ONTIME",
        "value": 100.0,
        "why": "",
        "numerator": 2,
        "denominator": 2,
        "apart": {},
    }
    reopened = figure(told, "PRJ-REOPEN")
    assert (reopened["value"], reopened["numerator"], reopened["denominator"]) == (0.0, 0, 1)
    repeat = figure(told, "UM-REPEAT")
    assert (repeat["value"], repeat["why"], repeat["apart"]) == (None, "nothingDue", {"withoutPlace": 2})
    assert (figure(told, "UM-MISSED")["value"], figure(told, "UM-MISSED")["why"]) == (None, "notReported")
    assert [one["group"] for one in told["groups"]] == ["", "lighting", "roads"]
    assert told["groups"][1]["title"]["zh"]
    assert figure(told, "PRJ-REOPEN", "lighting")["denominator"] == 1
    assert figure(told, "PRJ-REOPEN", "roads")["value"] is None
    assert {"en", "zh"} <= told["indicators"][0]["title"].keys()
    assert {"en", "zh"} <= told["scores"][0]["title"].keys()
    assert told["headline"][0] == "UM-FILE-ONTIME"
    types = await evaluation(node, by="type")
    assert [one["group"] for one in types["groups"]] == ["", "street-light"]
    assert types["groups"][1]["title"]["zh"] == "路灯"
    found = (await members(node, "UM-FILE-ONTIME", limit="1", offset="1")).json
    assert (found["total"], found["cases"]) == (2, [max(closed, filed)])
    found = (await members(node, "PRJ-REOPEN", by="department", group="lighting")).json
    assert found["cases"] == [closed]
    assert (await members(node, "PRJ-REOPEN", part="numerator")).json["total"] == 0


async def test_the_cases_are_those_of_the_evaluation_that_is_named(node: Client) -> None:
    case = await handling(node)
    told = await evaluation(node)
    await handling(node)
    then = (await members(node, "UM-FILE-ONTIME", evaluatedAt=told["evaluatedAt"])).json
    assert (then["evaluatedAt"], then["cases"]) == (told["evaluatedAt"], [case])
    # It was counted by every division.
    kept = await evaluation(node, by="department", evaluatedAt=told["evaluatedAt"])
    assert kept["evaluatedAt"] == told["evaluatedAt"]
    assert figure(kept, "UM-FILE-ONTIME", "lighting")["denominator"] == 1
    now = (await members(node, "UM-FILE-ONTIME")).json
    assert now["total"] == 2
    assert now["evaluatedAt"] > told["evaluatedAt"]


async def test_the_rest_of_a_figure_is_what_its_numerator_lacks(node: Client) -> None:
    closed, late = await handling(node), await handling(node)
    await close(node, closed)
    await close(node, late)
    assert (await move(node, late, "reopen", role="hotline", reason="dark again")).status == 200
    told = [(await members(node, "PRJ-REOPEN", part=part)).json for part in ("numerator", "rest")]
    assert [one["cases"] for one in told] == [[late], [closed]]
    rows = await node.get("/cases", params={"id": f"{closed},2020-999999", "status": "all"})
    assert [one["id"] for one in rows.json["cases"]] == [closed]


async def test_the_trend_of_a_group_comes_from_the_evaluation_that_is_named(node: Client) -> None:
    await handling(node)
    every = {"every": "month", "by": "department"}
    day = (await node.get("/cases")).json["cases"][0]["reportedAt"][:10]
    since, until = f"{int(day[:4]) - 1}-01-01T00:00:00Z", f"{int(day[:4]) + 1}-01-01T00:00:00Z"
    told = await evaluation(node, since=since, until=until, **every)
    params = {"since": since, "until": until, **every, "evaluatedAt": told["evaluatedAt"]}
    await handling(node)
    trend = await node.get("/cases/evaluation/trend", params={**params, "group": "lighting"})
    assert trend.status == 200, trend.body
    assert (trend.json["evaluatedAt"], trend.json["group"]) == (told["evaluatedAt"], "lighting")
    assert len(trend.json["steps"]) >= 24
    counted = [(step["since"], one) for step in trend.json["steps"] for one in step["figures"]]
    assert [one for _, one in counted if one["indicator"] == "PRJ-RETURN"] == [
        figure(told, "PRJ-RETURN", "lighting")
    ]
    [begun] = {since for since, one in counted if one["indicator"] == "UM-FILE-ONTIME"}
    assert begun <= day + "T23:59:59Z"
    weeks = {**params, "since": f"{day}T00:00:00Z", "until": f"{day}T23:59:59Z", "every": "week"}
    [only] = (await node.get("/cases/evaluation/trend", params=weeks)).json["steps"]
    assert only["since"] == weeks["since"]
    assert {one["indicator"] for one in only["figures"]} >= {"UM-FILE-ONTIME", "PRJ-RETURN"}
    missing = {name: value for name, value in params.items() if name != "every"}
    assert "every is required" in (await node.get("/cases/evaluation/trend", params=missing)).json["detail"]
    for more, status, word in (
        ({"every": "hour"}, 400, "every is invalid"),
        ({"group": "nobody"}, 404, "nobody"),
    ):
        answer = await node.get("/cases/evaluation/trend", params={**params, **more})
        assert answer.status == status, answer.body
        assert word in answer.json["detail"]


async def test_a_period_before_all_reports_counts_nothing(node: Client) -> None:
    await handling(node)
    told = await evaluation(node, until="2020-02-01T00:00:00Z")
    assert told["cases"] == 0
    assert all(one["value"] is None and one["denominator"] == 0 for one in told["groups"][0]["figures"])


async def test_an_evaluation_that_cannot_be_says_why(node: Client) -> None:
    for params, word in (
        ({"since": PERIOD["since"]}, "until is required"),
        ({"since": PERIOD["until"], "until": PERIOD["since"]}, "ends before it begins"),
        ({"since": "yesterday", "until": PERIOD["until"]}, "since"),
        ({**PERIOD, "by": "moon"}, "by is invalid"),
        ({**PERIOD, "every": "hour"}, "every is invalid"),
    ):
        answer = await node.get("/cases/evaluation", params=params)
        assert answer.status == 400, answer.body
        assert word in answer.json["detail"]
    await handling(node)
    for indicator, more, status, word in (
        ("UM-NONE", {}, 400, "UM-NONE"),
        ("PRJ-REOPEN", {"part": "middle"}, 400, "numerator, denominator"),
        ("PRJ-REOPEN", {"group": "nobody"}, 404, "nobody"),
    ):
        answer = await members(node, indicator, **more)
        assert answer.status == status, answer.body
        assert word in answer.json["detail"]
    stranger = {"x-api-key": "stranger"}
    assert (await node.get("/cases/evaluation", params=PERIOD, headers=stranger)).status == 403


def at(lon: float, lat: float = 30.2) -> dict[str, Any]:
    return {"location": {"type": "Point", "coordinates": [lon, lat]}}


async def test_what_is_near_and_of_the_same_type_is_proposed_and_not_merged(node: Client) -> None:
    first = await report(node, description="the lamp is out", **at(123.4))
    far = await report(node, description="the lamp is out", **at(123.41))
    new = await report(node, description="the lamp is dark and out", **at(123.4001))
    answer = await node.get(f"/cases/{new}/duplicates")
    assert answer.status == 200, answer.body
    [found] = answer.json["duplicates"]
    assert found["case"] == first
    assert 9 < found["distance"] < 10  # a ten-thousandth of a degree at 30 degrees north
    assert -60 < found["apart"] <= 0
    assert found["open"] is True
    assert found["location"] == [123.4, 30.2]
    assert "(Street light)" in found["reason"]["en"]
    assert "10 m away" in found["reason"]["en"]
    assert "（路灯）" in found["reason"]["zh"]
    assert "相距 10 米" in found["reason"]["zh"]
    assert answer.json["more"] is False
    states = [(await node.get(f"{API}/entities/{quote(one)}?options=keyValues")).json for one in (first, new)]
    assert {one["state"] for one in states} == {"reported"}
    assert (await node.get(f"/cases/{far}/duplicates")).json["duplicates"] == []
    merged = await move(node, new, "merge", into=first, reason="the same lamp", role="intake")
    assert merged.status == 200, merged.body
    [found] = (await node.get(f"/cases/{first}/duplicates")).json["duplicates"]
    assert (found["case"], found["open"], found["state"]) == (new, False, "merged")
    # It was never filed, nothing lies ahead of it, and the promise is the other one's.
    status = (await node.get(f"/cases/{new}/status")).json
    assert (status["status"], status["into"]) == ("closed", first)
    assert [(one["step"], one["state"]) for one in status["steps"]] == [("collect", "done")]
    assert not {"late", "promisedBy"} & status.keys()
    assert "late" in (await node.get(f"/cases/{first}/status")).json
    whole = (await node.get(f"/cases/{new}")).json
    assert [(one["step"], one["state"]) for one in whole["steps"]] == [("collect", "done")]
    assert whole["steps"][0]["until"] == whole["transitions"][-1]["at"]


async def test_duplicates_are_for_those_who_may_see_cases(node: Client) -> None:
    case = await report(node, **at(123.4))
    stranger = {"x-api-key": "stranger"}
    assert (await node.get(f"/cases/{case}/duplicates", headers=stranger)).status == 403
    assert (await node.get("/cases/2020-999999/duplicates")).status == 404
    unplaced = await report(node)
    assert (await node.get(f"/cases/{unplaced}/duplicates")).json["duplicates"] == []


async def test_what_somebody_found_to_be_two_is_not_proposed_again(node: Client) -> None:
    one, other = await report(node, **at(123.4)), await report(node, **at(123.4))
    third = await report(node, **at(123.4))

    async def proposed(case: str) -> set[str]:
        return {found["case"] for found in (await node.get(f"/cases/{case}/duplicates")).json["duplicates"]}

    assert await proposed(one) == {other, third}
    refusals = f"/cases/{one}/duplicates/refusals"
    for body, status, word in (
        ({"case": one}, 400, "another case"),
        ({}, 400, "case"),
        ({"case": "2020-999999"}, 404, "2020-999999"),
        ({"case": other, "role": "nobody"}, 400, "nobody"),
        ({"case": other, "role": "citizen"}, 403, "intake"),
    ):
        answer = await node.post(refusals, body)
        assert answer.status == status, answer.body
        assert word in answer.json["detail"]
    stranger = {"x-api-key": "stranger"}
    assert (await node.post(refusals, {"case": other}, headers=stranger)).status == 403
    assert await proposed(one) == {other, third}
    short = other.rpartition(":")[2]
    for _ in range(2):  # once more changes nothing
        answer = await node.post(refusals, {"case": short, "role": "intake"})
        assert answer.status == 200, answer.body
        assert [found["case"] for found in answer.json["duplicates"]] == [third]
    assert await proposed(other) == {third}
    assert await proposed(third) == {one, other}


async def test_who_reports_is_told_of_what_is_open_near_by(node: Client) -> None:
    near = await report(node, description="the lamp is out, says Jane Roe", **at(123.4))
    nearest = await report(node, **at(123.4001))
    await report(node, **at(123.41))
    done = await report(node, **at(123.4))
    assert (await move(node, done, "reject", reason="no lamp there")).status == 200
    place = {"type": "street-light", "longitude": "123.4001", "latitude": "30.2"}
    answer = await node.get("/cases/nearby", params=place)
    assert answer.status == 200, answer.body
    assert [one["case"] for one in answer.json["cases"]] == [nearest, near]
    assert answer.json["cases"][0]["distance"] == 0
    assert 9 < answer.json["cases"][1]["distance"] < 10
    # Nothing that anybody wrote, and nothing that Open311 does not tell.
    assert set(answer.json["cases"][0]) == {"case", "distance", "reportedAt", "state", "stateTitle"}
    assert "Jane" not in answer.body.decode()
    other = await node.get("/cases/nearby", params={**place, "type": "flooded-road"})
    assert other.json == {"more": False, "cases": []}
    for wrong, word in (
        ({"type": "moon"}, "moon"),
        ({"latitude": "91"}, "between -90 and 90"),
        ({"longitude": "east"}, "no number"),
    ):
        answer = await node.get("/cases/nearby", params={**place, **wrong})
        assert answer.status == 400
        assert word in answer.json["detail"]


async def test_a_place_is_told_by_what_the_city_holds_beside_it(node: Client) -> None:
    where = {"longitude": "123.4", "latitude": "30.2"}

    async def near(**params: str) -> Any:
        answer = await node.get("/cases/place", params={**where, **params})
        assert answer.status == 200, answer.body
        return answer.json["near"]

    assert await near() is None  # a city without names and addresses
    names = {"en": "Mill Road", "zh": "磨坊路"}
    things: list[tuple[str, str, dict[str, Any], list[float]]] = [
        # Nobody knows a place by a lamp, and what has no name tells nothing.
        ("lamp", "Streetlight", {"name": {"type": "Property", "value": "L1"}}, [123.4, 30.2]),
        ("nameless", "Park", {}, [123.4, 30.2001]),
        (
            "road",
            "RoadSegment",
            {"name": {"type": "LanguageProperty", "languageMap": names}},
            [123.4, 30.2002],
        ),
        ("far", "Park", {"name": {"type": "Property", "value": "Far Park"}}, [123.4, 30.202]),
        (
            "addressed",
            "GtfsStop",
            {"address": {"type": "Property", "value": {"streetAddress": "12 Quay"}}},
            [123.401, 30.2],
        ),
    ]
    for name, kind, told, (lon, lat) in things:
        line = {"type": "LineString", "coordinates": [[lon - 0.0001, lat], [lon + 0.0001, lat]]}
        place = {"location": {"type": "GeoProperty", "value": line}}
        answer = await node.post(
            f"{API}/entities", {"id": f"urn:ngsi-ld:{kind}:{name}", "type": kind, **told, **place}
        )
        assert answer.status == 201, answer.body
    road = await near()
    assert (road["id"], road["name"]) == ("urn:ngsi-ld:RoadSegment:road", names)
    assert road["distance"] == pytest.approx(22, abs=1)
    assert (await near(longitude="123.4011"))["name"] == "12 Quay"
    assert await near(longitude="123.41") is None
    answer = await node.get("/cases/place", params={**where, "latitude": "91"})
    assert answer.status == 400
    assert (await node.get("/cases/place", params=where, headers={"x-api-key": "stranger"})).status == 403


async def test_surges_are_told_to_those_who_may_see_cases(node: Client) -> None:
    assert (await node.get("/cases/surges")).json == {"total": 0, "surges": []}
    answer = await node.get("/cases/surges", params={"status": "loud"})
    assert answer.status == 400
    assert "loud" in answer.json["detail"]
    stranger = {"x-api-key": "stranger"}
    assert (await node.get("/cases/surges", headers=stranger)).status == 403


async def test_a_text_is_suggested_types_with_their_names(node: Client) -> None:
    answer = await node.post("/cases/suggestions", {"text": "巷子里的路灯坏了半个月"})
    assert answer.status == 200, answer.body
    first = answer.json["types"][0]
    assert first["value"] == "street-light"
    assert 0.1 <= first["confidence"] < 1
    assert answer.json["known"] is True
    unknown = (await node.post("/cases/suggestions", {"text": "asdf qwer"})).json
    assert (unknown["types"], unknown["departments"], unknown["known"]) == ([], [], False)
    assert {"en", "zh"} <= first["title"].keys()
    for body, word in (
        ({"text": " "}, "text is required"),
        ({}, "text"),
        ({"text": "lamp", "location": {"type": "Line"}}, "location"),
        ({"text": "x" * 4001}, "4000"),
        ({"text": "lamp", "type": "moon"}, "moon"),
    ):
        answer = await node.post("/cases/suggestions", body)
        assert answer.status == 400
        assert word in answer.json["detail"]
    reader = {"x-api-key": "reader"}
    assert (await node.post("/cases/suggestions", {"text": "x"}, headers=reader)).status == 403
    assert (await node.post("/cases/suggestions", {"case": "2020-000009"})).status == 404
