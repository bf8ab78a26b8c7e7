"""Clauses 4.3.7, 5.5.15, 5.16, 6.3.22, 6.36 to 6.38: snapshots."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cityloom.model.settings import Settings
from tests.conformance.data import BATCH, ENTITIES, TEMPORAL, lamp, prop
from tests.conformance.snapshots import (
    HEADER,
    LAMPS,
    SNAPSHOTS,
    WINDOW,
    ident,
    make,
    numbers,
    query,
    ready,
    snapshot,
)
from tests.web.node import API, Client, running_node


@pytest.fixture
async def street(node: Client) -> Client:
    lamps = [lamp(number, height=prop(number)) for number in range(3)]
    assert (await node.post(f"{BATCH}/create", lamps)).status == 201
    return node


async def test_snapshot_stays_as_it_was_while_the_city_goes_on(street: Client) -> None:
    location, there = await make(street, query())
    await street.delete(f"{ENTITIES}/{ident(0)}")
    await street.patch(f"{ENTITIES}/{ident(1)}/attrs", {"height": prop(99)})
    await street.post(ENTITIES, lamp(9))
    frozen = await street.get(f"{LAMPS}&options=sysAttrs", headers=there)
    assert (numbers(frozen), frozen.headers[HEADER]) == ([0, 1, 2], there[HEADER])
    assert frozen.json[1]["height"]["value"] == 1
    assert numbers(await street.get(LAMPS)) == [1, 2, 9]
    found = (await street.get(location)).json
    assert (found["snapshotStatus"], found["snapshotPriority"]) == ("success", 5)
    assert found["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
    assert found["createdAt"] < found["lastUsedAt"] < found["expiresAt"]


async def test_entities_keep_their_times(street: Client) -> None:
    path = f"{ENTITIES}/{ident(1)}?options=sysAttrs"
    before = (await street.get(path)).json
    _, there = await make(street, query())
    assert (await street.get(path, headers=there)).json == before


async def test_snapshot_can_be_changed_and_the_city_is_not(street: Client) -> None:
    _, there = await make(street, query())
    assert (await street.post(ENTITIES, lamp(7), headers=there)).status == 201
    changed = await street.patch(f"{ENTITIES}/{ident(1)}/attrs", {"height": prop(5)}, headers=there)
    assert changed.status == 204
    assert (await street.delete(f"{ENTITIES}/{ident(2)}", headers=there)).status == 204
    assert numbers(await street.get(LAMPS, headers=there)) == [0, 1, 7]
    assert numbers(await street.get(f"{LAMPS}&q=height==5", headers=there)) == [1]
    assert numbers(await street.get(LAMPS)) == [0, 1, 2]
    history = await street.get(f"{TEMPORAL}/{ident(1)}?timeproperty=modifiedAt", headers=there)
    assert [each["value"] for each in history.json["height"]] == [1, 5]


async def test_everything_in_a_snapshot_is_local(street: Client) -> None:
    _, there = await make(street, query())
    assert numbers(await street.get(ENTITIES, headers=there)) == [0, 1, 2]
    assert numbers(await street.get(f"{LAMPS}&local=false", headers=there)) == [0, 1, 2]
    types = (await street.get(f"{API}/types", headers=there)).json
    assert types["typeList"] == ["Streetlight"]


async def test_queries_are_joined_and_projected(street: Client) -> None:
    await street.post(ENTITIES, {"id": "urn:ngsi-ld:Bus:1", "type": "Bus", "line": prop(7)})
    tall = query(q="height>0", pick=["id", "type", "height"])
    _, there = await make(street, tall, query(q="height>1", pick=["powerState"]), query("Bus"))
    found = (await street.get(f"{ENTITIES}?format=simplified", headers=there)).json
    members = {
        each["id"].removeprefix("urn:ngsi-ld:"): sorted(each.keys() - {"id", "type"}) for each in found
    }
    assert members == {
        "Bus:1": ["line"],
        "Streetlight:1": ["height"],
        "Streetlight:2": ["height", "powerState"],
    }


@pytest.mark.parametrize(
    ("queries", "status", "results"),
    [
        ([query("Nothing")], "empty", ["empty"]),
        ([query("Nothing"), query()], "partial", ["empty", "success"]),
        ([query(ordering={"orderBy": ["height"]}), query()], "success", ["success", "success"]),
    ],
)
async def test_status_says_how_the_queries_went(
    street: Client, queries: list[dict[str, Any]], status: str, results: list[str]
) -> None:
    location, _ = await make(street, *queries)
    found = (await street.get(location)).json
    assert found["snapshotStatus"] == status
    assert [each["resultStatus"] for each in found["snapshotQueriesDetails"]] == results


@pytest.mark.parametrize(
    "wrong",
    [{"type": "Query"}, {"type": "Query", "q": "createdAt>2020-01-01T00:00:00Z"}, query(pick=["on{x}"])],
)
async def test_what_executing_a_query_refuses_is_told_in_its_result(
    street: Client, wrong: dict[str, Any]
) -> None:
    location, _ = await make(street, wrong)
    found = (await street.get(location)).json
    [details] = found["snapshotQueriesDetails"]
    assert (found["snapshotStatus"], details["resultStatus"]) == ("failure", "failure")
    assert details["problemDetails"]["type"].endswith("BadRequestData")
    location, there = await make(street, query(), wrong)
    found = (await street.get(location)).json
    assert found["snapshotStatus"] == "partial"
    assert [each["resultStatus"] for each in found["snapshotQueriesDetails"]] == ["success", "failure"]
    assert numbers(await street.get(LAMPS, headers=there)) == [0, 1, 2]


@pytest.fixture
async def linked(street: Client) -> Client:
    """Lamp 1 is on a pole, which is in a street, which is in a city."""
    above = [("Pole", "in", "Road"), ("Road", "in", "City"), ("City", "", "")]
    for type, name, target in above:
        on = {name: {"type": "Relationship", "object": f"urn:ngsi-ld:{target}:1"}} if name else {}
        body = {"id": f"urn:ngsi-ld:{type}:1", "type": type, "name": prop(type), "age": prop(3), **on}
        assert (await street.post(ENTITIES, body)).status == 201
    on = {"on": {"type": "Relationship", "object": "urn:ngsi-ld:Pole:1"}}
    await street.post(f"{ENTITIES}/{ident(1)}/attrs", on)
    return street


@pytest.mark.parametrize("join", ["flat", "inline"])
async def test_linked_entities_are_frozen_as_deep_as_they_are_joined(linked: Client, join: str) -> None:
    location, there = await make(linked, query(join=join, joinLevel=2))
    await linked.delete(f"{ENTITIES}/urn:ngsi-ld:Pole:1")
    types = (await linked.get(f"{API}/types", headers=there)).json
    assert types["typeList"] == ["Pole", "Road", "Streetlight"]
    path = f"{ENTITIES}/{ident(1)}?join=inline&joinLevel=2&format=simplified"
    found = (await linked.get(path, headers=there)).json
    assert found["on"]["in"]["name"] == "Road"
    assert (await linked.get(location)).json["snapshotStatus"] == "success"


async def test_conditions_on_linked_entities_hold_as_deep_as_they_are_joined(linked: Client) -> None:
    for name, expected in (("Pole", "success"), ("Mast", "empty")):
        location, _ = await make(linked, query(join="flat", q=f'on{{name}}=="{name}"'))
        assert (await linked.get(location)).json["snapshotStatus"] == expected
    location, _ = await make(linked, query(q='on{name}=="Pole"'))
    assert (await linked.get(location)).json["snapshotStatus"] == "failure"


async def test_linked_entities_are_projected_and_none_is_no_result_by_itself(linked: Client) -> None:
    picked = query(join="flat", pick=["height", "on{age}"])
    _, there = await make(linked, picked)
    pole = (await linked.get(f"{ENTITIES}/urn:ngsi-ld:Pole:1", headers=there)).json
    assert pole.keys() == {"id", "type", "age"}
    lamps = (await linked.get(f"{LAMPS}&format=simplified", headers=there)).json
    assert lamps[1].keys() == {"id", "type", "height", "on"}
    seen = query(join="flat", containedBy=["urn:ngsi-ld:Pole:1"], joinLevel=1)
    _, there = await make(linked, seen)
    assert (await linked.get(f"{API}/types", headers=there)).json["typeList"] == ["Streetlight"]
    location, _ = await make(linked, query("Nothing", join="flat"))
    assert (await linked.get(location)).json["snapshotStatus"] == "empty"


async def test_temporal_queries_freeze_the_past(street: Client) -> None:
    speeds = [prop(hour, observedAt=f"2026-01-01T0{hour}:00:00Z") for hour in range(4)]
    await street.post(TEMPORAL, {"id": "urn:ngsi-ld:Sensor:1", "type": "Sensor", "speed": speeds})
    asked = query("Sensor", temporalQ={**WINDOW, "timeAt": "2026-01-01T01:30:00Z"})
    location, there = await make(street, query(), snapshotTemporalQueries=[asked])
    await street.delete(f"{TEMPORAL}/urn:ngsi-ld:Sensor:1")
    found = await street.get(f"{TEMPORAL}/urn:ngsi-ld:Sensor:1", headers=there)
    assert [each["value"] for each in found.json["speed"]] == [2, 3]
    assert (await street.get(f"{TEMPORAL}/urn:ngsi-ld:Sensor:1")).status == 404
    told = (await street.get(location)).json
    assert told["snapshotTemporalQueriesDetails"] == [{"resultStatus": "success"}]


async def test_clone_is_a_snapshot_of_its_own(street: Client) -> None:
    speeds = [prop(hour, observedAt=f"2026-01-01T0{hour}:00:00Z") for hour in range(4)]
    await street.post(TEMPORAL, {"id": "urn:ngsi-ld:Sensor:1", "type": "Sensor", "speed": speeds})
    location, first = await make(street, query(), snapshotTemporalQueries=[query("Sensor", temporalQ=WINDOW)])
    made = await street.post(
        f"{location}/clone", snapshot(id="urn:ngsi-ld:Snapshot:copy", snapshotPriority=7)
    )
    assert (made.status, made.headers["Location"]) == (201, f"{SNAPSHOTS}/urn:ngsi-ld:Snapshot:copy")
    found = await ready(street, made.headers["Location"])
    assert (found["snapshotStatus"], found["snapshotPriority"]) == ("success", 7)
    await street.delete(f"{ENTITIES}/{ident(0)}", headers=first)
    copy = {HEADER: "urn:ngsi-ld:Snapshot:copy"}
    assert numbers(await street.get(LAMPS, headers=copy)) == [0, 1, 2]
    assert numbers(await street.get(LAMPS, headers=first)) == [1, 2]
    for at in (first, copy):
        past = await street.get(f"{TEMPORAL}/urn:ngsi-ld:Sensor:1", headers=at)
        assert [each["value"] for each in past.json["speed"]] == [0, 1, 2, 3]
        of_lamp = await street.get(f"{TEMPORAL}/{ident(1)}?timeproperty=modifiedAt", headers=at)
        assert [each["value"] for each in of_lamp.json["height"]] == [1]
    assert (await street.delete(location)).status == 204
    assert numbers(await street.get(LAMPS, headers=copy)) == [0, 1, 2]


async def test_deleted_snapshot_is_gone_with_all_that_stood_in_it(street: Client) -> None:
    location, there = await make(street, query(), id="urn:ngsi-ld:Snapshot:one")
    assert (await street.delete(location)).status == 204
    for answer in (await street.get(location), await street.get(LAMPS, headers=there)):
        assert (answer.status, answer.problem) == (404, "ResourceNotFound")
    again, _ = await make(street, query("Nothing"), id="urn:ngsi-ld:Snapshot:one")
    assert again == location
    assert (await street.get(ENTITIES, headers=there)).json == []
    past = f"{TEMPORAL}?type=Streetlight&timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=modifiedAt"
    assert (await street.get(past, headers=there)).json == []


async def test_update_changes_what_a_client_may_say(street: Client) -> None:
    location, _ = await make(street, query())
    before = (await street.get(location)).json
    fragment = {"snapshotPriority": 9, "snapshotLifetime": "PT1M", "snapshotStatus": "failure"}
    answer = await street.patch(location, fragment)
    assert (answer.status, answer.json["snapshotPriority"]) == (200, 9)
    assert answer.json["snapshotStatus"] == "success"
    assert answer.json["expiresAt"] < before["expiresAt"]
    assert answer.json["modifiedAt"] > before["modifiedAt"]
    assert answer.json["snapshotQueries"] == [query()]


async def test_null_takes_a_member_away(street: Client) -> None:
    told = {"endpoint": "http://127.0.0.1:9/", "receiverInfo": [{"key": "a", "value": "b"}]}
    location, _ = await make(street, query(), snapshotLifetime="PT1M", snapshotPriority=8, **told)
    before = (await street.get(location)).json
    names = ("endpoint", "receiverInfo", "snapshotLifetime", "snapshotPriority")
    answer = await street.patch(location, dict.fromkeys(names, "urn:ngsi-ld:null"))
    assert (answer.status, answer.json["snapshotPriority"]) == (200, 5)
    assert answer.json.keys().isdisjoint(names[:3])
    assert answer.json["expiresAt"] > before["expiresAt"]


async def test_priority_is_a_whole_number_however_it_is_written(street: Client) -> None:
    location, _ = await make(street, query())
    json = {"Content-Type": "application/json"}
    answer = await street.ask("PATCH", location, raw=b'{"snapshotPriority": 7.0}', headers=json)
    assert (answer.status, answer.json["snapshotPriority"]) == (200, 7)
    answer = await street.ask("PATCH", location, raw=b'{"snapshotPriority": 7.5}', headers=json)
    assert (answer.status, answer.problem) == (400, "BadRequestData")


@pytest.mark.parametrize(
    "fragment",
    [
        {"snapshotQueries": [query()]},
        {"snapshotTemporalQueries": [query(temporalQ=WINDOW)]},
        {"snapshotPriority": 11},
        {"snapshotPriority": "high"},
        {"snapshotLifetime": "long"},
        {"endpoint": "ftp://example.org"},
        {"receiverInfo": [{"key": "x", "value": "a\nb"}]},
        {"id": "urn:other"},
        {"type": "Entity"},
        {"surprise": 1},
    ],
)
async def test_update_and_clone_refuse_what_is_wrong(street: Client, fragment: dict[str, Any]) -> None:
    location, _ = await make(street, query())
    answer = await street.patch(location, fragment)
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    if "id" not in fragment:
        answer = await street.post(f"{location}/clone", {"type": "Snapshot", **fragment})
        assert (answer.status, answer.problem) == (400, "BadRequestData")


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (snapshot(), 400, "BadRequestData"),
        ({**snapshot(query()), "type": "Thing"}, 400, "BadRequestData"),
        (snapshot(query(), id="no uri"), 400, "BadRequestData"),
        ({"type": "Snapshot", "snapshotQueries": []}, 400, "BadRequestData"),
        (snapshot({"type": "Question"}), 400, "BadRequestData"),
        (snapshot(query(q="a>>")), 400, "BadRequestData"),
        (snapshot(query(temporalQ=WINDOW)), 400, "BadRequestData"),
        (snapshot(query(join="deep")), 400, "BadRequestData"),
        (snapshot(query(joinLevel=2)), 400, "BadRequestData"),
        (snapshot(query(pick=["a{b"])), 400, "BadRequestData"),
        ({"type": "Snapshot", "snapshotTemporalQueries": [query()]}, 400, "BadRequestData"),
        (snapshot(query(), snapshotPriority=0), 400, "BadRequestData"),
        (snapshot(query(), surprise=1), 400, "BadRequestData"),
    ],
)
async def test_create_refuses_what_is_wrong(
    node: Client, body: dict[str, Any], status: int, problem: str
) -> None:
    answer = await node.post(SNAPSHOTS, body)
    assert (answer.status, answer.problem) == (status, problem)


async def test_id_that_is_taken_is_refused(street: Client) -> None:
    location, _ = await make(street, query(), id="urn:ngsi-ld:Snapshot:one")
    for path in (SNAPSHOTS, f"{location}/clone"):
        queries = [query()] if path == SNAPSHOTS else []
        answer = await street.post(path, snapshot(*queries, id="urn:ngsi-ld:Snapshot:one"))
        assert (answer.status, answer.problem) == (409, "AlreadyExists")


async def test_snapshot_that_is_not_there_is_not_found(node: Client) -> None:
    path = f"{SNAPSHOTS}/urn:ngsi-ld:Snapshot:none"
    answers = [
        await node.get(path),
        await node.patch(path, {"snapshotPriority": 1}),
        await node.delete(path),
        await node.post(f"{path}/clone", snapshot()),
        await node.get(LAMPS, headers={HEADER: "urn:ngsi-ld:Snapshot:none"}),
    ]
    assert [(each.status, each.problem) for each in answers] == [(404, "ResourceNotFound")] * 5
    assert answers[-1].headers[HEADER] == "urn:ngsi-ld:Snapshot:none"
    assert (await node.get(f"{SNAPSHOTS}/none")).status == 400


async def test_tenant_that_is_not_there_is_told(street: Client) -> None:
    location, _ = await make(street, query())
    nowhere = {"NGSILD-Tenant": "nowhere"}
    answers = [
        await street.post(SNAPSHOTS, snapshot(query()), headers=nowhere),
        await street.get(location, headers=nowhere),
        await street.patch(location, {"snapshotPriority": 1}, headers=nowhere),
        await street.delete(location, headers=nowhere),
        await street.post(f"{location}/clone", snapshot(), headers=nowhere),
        await street.delete(f"{SNAPSHOTS}?q=snapshotPriority>0", headers=nowhere),
    ]
    assert [(each.status, each.problem) for each in answers] == [(404, "NonexistentTenant")] * 6


async def test_missing_id_is_refused(node: Client) -> None:
    answers = [
        await node.get(f"{SNAPSHOTS}/"),
        await node.patch(f"{SNAPSHOTS}/", {"snapshotPriority": 1}),
        await node.delete(f"{SNAPSHOTS}/"),
        await node.post(f"{SNAPSHOTS}//clone", snapshot()),
    ]
    assert [(each.status, each.problem) for each in answers] == [(400, "BadRequestData")] * 4


async def test_invalid_body_is_refused_before_the_snapshot_is_looked_for(node: Client) -> None:
    path = f"{SNAPSHOTS}/urn:ngsi-ld:Snapshot:none/clone"
    answer = await node.post(path, snapshot(id="no uri"))
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_operations_that_are_on_no_snapshot_say_so(street: Client) -> None:
    _, there = await make(street, query())
    for path in (f"{API}/csourceRegistrations", f"{API}/jsonldContexts"):
        answer = await street.get(path, headers=there)
        assert (answer.status, answer.problem) == (400, "BadRequestData")
        assert answer.headers[HEADER] == there[HEADER]


async def test_snapshot_is_told_back_whatever_the_answer_is(street: Client) -> None:
    _, there = await make(street, query())
    answers = [
        await street.get(f"{API}/nothing", headers=there),
        await street.put(ENTITIES, {}, headers=there),
        await street.get(f"{ENTITIES}/none", headers=there),
        await street.get(LAMPS, headers={**there, "Accept": "text/html"}),
    ]
    assert [answer.status for answer in answers] == [404, 405, 400, 406]
    assert [answer.headers.get(HEADER) for answer in answers] == [there[HEADER]] * 4


async def test_two_snapshots_cannot_be_meant(street: Client) -> None:
    _, there = await make(street, query())
    url = street.base + LAMPS
    async with street.session.get(url, headers=[(HEADER, there[HEADER]), (HEADER, "urn:other")]) as answer:
        assert answer.status == 400
        assert (await answer.json())["type"].endswith("InvalidRequest")


async def test_names_in_queries_are_those_of_the_context(street: Client) -> None:
    default = "https://uri.etsi.org/ngsi-ld/default-context/"
    context = {"Lantern": f"{default}Streetlight", "tall": f"{default}height"}
    body = snapshot(query("Lantern", q="tall>0"))
    refused = await street.post(
        SNAPSHOTS, {**body, "@context": context}, headers={"Content-Type": "application/json"}
    )
    assert (refused.status, refused.problem) == (400, "BadRequestData")
    made = await street.post(SNAPSHOTS, {**body, "@context": context})
    found = await ready(street, made.headers["Location"])
    assert (found["snapshotStatus"], "@context" in found) == ("success", False)
    assert numbers(await street.get(LAMPS, headers={HEADER: found["id"]})) == [1, 2]
    assert (await street.get(made.headers["Location"], headers={"Accept": "application/ld+json"})).json[
        "@context"
    ]


async def test_purge_deletes_those_that_are_selected(street: Client) -> None:
    low, _ = await make(street, query(), snapshotPriority=1)
    high, _ = await make(street, query(), snapshotPriority=8)
    assert (await street.delete(f"{SNAPSHOTS}?q=snapshotPriority<3")).status == 204
    assert [(await street.get(one)).status for one in (low, high)] == [404, 200]
    assert (await street.delete(f"{SNAPSHOTS}?q=snapshotPriority<3")).status == 404
    assert (await street.delete(f"{SNAPSHOTS}?q=createdAt>2020-01-01T00:00:00Z")).status == 204
    assert (await street.get(high)).status == 404


async def test_purge_tells_what_could_not_be_deleted(street: Client) -> None:
    _, there = await make(street, query())
    street.services.store.close()
    answer = await street.delete(f"{SNAPSHOTS}?q=snapshotPriority==5")
    assert (answer.status, answer.json["success"]) == (207, [])
    [error] = answer.json["errors"]
    assert error["entityId"] == there[HEADER]
    assert "is closed" in error["error"]["detail"]
    again = await street.delete(f"{SNAPSHOTS}?q=snapshotPriority==5")
    assert again.status == 207


@pytest.mark.parametrize("path", ["", "?q=height>3", "?q=snapshotStatus=="])
async def test_purge_refuses_what_is_no_query_on_snapshots(node: Client, path: str) -> None:
    answer = await node.delete(SNAPSHOTS + path)
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_tenants_have_snapshots_of_their_own(street: Client) -> None:
    location, there = await make(street, query())
    other = {"NGSILD-Tenant": "other"}
    await street.post(ENTITIES, lamp(5), headers=other)
    assert (await street.get(location, headers=other)).status == 404
    assert (await street.get(LAMPS, headers={**other, **there})).status == 404
    made = await street.post(SNAPSHOTS, snapshot(query(), id=there[HEADER]), headers=other)
    assert made.status == 201
    async with asyncio.timeout(20):
        while numbers(await street.get(LAMPS, headers={**other, **there})) != [5]:
            await asyncio.sleep(0.01)
    assert numbers(await street.get(LAMPS, headers=there)) == [0, 1, 2]


async def test_who_may_not_write_makes_no_snapshots(street: Client) -> None:
    location, there = await make(street, query())
    reader = {"x-api-key": "reader"}
    assert (await street.post(SNAPSHOTS, snapshot(query()), headers=reader)).status == 403
    assert (await street.delete(location, headers=reader)).status == 403
    assert (await street.delete(f"{SNAPSHOTS}?q=snapshotPriority>0", headers=reader)).status == 403
    assert (await street.get(location, headers=reader)).status == 200
    assert (await street.post(ENTITIES, lamp(9), headers={**reader, **there})).status == 403
    assert (await street.get(location, headers={"x-api-key": "stranger"})).status == 403


async def test_expired_snapshot_is_gone(street: Client) -> None:
    made = await street.post(SNAPSHOTS, snapshot(query(), snapshotLifetime="PT0.2S"))
    location = made.headers["Location"]
    there = {HEADER: location.rpartition("/")[2]}
    await asyncio.sleep(0.3)
    assert (await street.get(location)).status == 404
    assert (await street.get(LAMPS, headers=there)).status == 404


async def test_number_and_size_are_bounded(tmp_path: Path) -> None:
    async with running_node(tmp_path, Settings(snapshots=2, snapshot_entities=2)) as node:
        await node.post(f"{BATCH}/create", [lamp(number, height=prop(number)) for number in range(3)])
        large, _ = await make(node, query(), snapshotPriority=4)
        found = (await node.get(large)).json
        assert found["snapshotStatus"] == "failure"
        [details] = found["snapshotQueriesDetails"]
        assert details["problemDetails"]["type"].endswith("TooManyResults")
        small, _ = await make(node, query(q="height<2"), snapshotPriority=3)
        refused = await node.post(SNAPSHOTS, snapshot(query(), snapshotPriority=3))
        assert (refused.status, refused.problem) == (503, "Overloaded")
        assert [(await node.get(one)).status for one in (large, small)] == [200, 200]
        await make(node, query())
        assert [(await node.get(one)).status for one in (large, small)] == [200, 404]
