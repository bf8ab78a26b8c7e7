"""Clauses 4.5.6 to 4.5.9, 4.5.19, 5.7.3 and 5.7.4: evolutions as they are told and found, by GET and POST."""

from pathlib import Path
from typing import Any

import pytest

from cityloom.model.settings import Settings
from tests.conformance.data import ENTITIES, TEMPORAL, prop
from tests.web.node import Answer, Client, running_node

NULL = "urn:ngsi-ld:null"
POST = "/ngsi-ld/v1/temporal/entityOperations/query"
ALL = "timerel=after&timeAt=2020-01-01T00:00:00Z"
DELETED = "timeproperty=deletedAt&" + ALL
MODIFIED = "timeproperty=modifiedAt&" + ALL
ID = "urn:ngsi-ld:Bus:1"
BUS = f"{TEMPORAL}/{ID}"
ORLY = {"type": "Point", "coordinates": [2.36, 48.73]}


def hour(number: int) -> str:
    return f"2026-01-01T{number:02}:00:00Z"


def bus(number: int = 1, **more: Any) -> dict[str, Any]:
    """Three hours of a bus: speeds of 10, 20 and 30 times its number."""
    speeds = [prop(10 * number * each, observedAt=hour(each)) for each in (1, 2, 3)]
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [number, 0]}}
    return {
        "id": f"urn:ngsi-ld:Bus:{number}",
        "type": "Bus",
        "speed": speeds,
        "location": [{**place, "observedAt": hour(1)}],
        **more,
    }


@pytest.fixture
async def fleet(node: Client) -> Client:
    second = bus(2, load=[prop(1, observedAt=hour(2), datasetId="urn:d:b"), prop(5, observedAt=hour(2))])
    for each in (bus(1), second):
        assert (await node.post(TEMPORAL, each)).status == 201
    return node


def found(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [each["id"][-1] for each in answer.json]


KINDS: dict[str, tuple[str, Any]] = {
    "Property": ("value", 7),
    "GeoProperty": ("value", ORLY),
    "Relationship": ("object", "urn:a:1"),
    "LanguageProperty": ("languageMap", {"en": "bus", "fr": "car"}),
    "VocabProperty": ("vocab", "bright"),
    "JsonProperty": ("json", {"id": 7, "none": None}),
    "ListProperty": ("valueList", [1, 2]),
    "ListRelationship": ("objectList", [{"object": "urn:a:1"}, {"object": "urn:a:2"}]),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_instances_of_every_kind_are_told(node: Client, kind: str) -> None:
    """4.5.7, 4.5.8: each an instance with its time; 4.5.9: its value with the time alone."""
    member, value = KINDS[kind]
    instances = [{"type": kind, member: value, "observedAt": hour(each)} for each in (1, 2)]
    assert (await node.post(TEMPORAL, {"id": ID, "type": "Bus", "x": instances})).status == 201
    whole = (await node.get(BUS)).json["x"]
    assert [{k: v for k, v in each.items() if k != "instanceId"} for each in whole] == instances
    assert all(each["instanceId"].startswith("urn:") for each in whole)
    short = (await node.get(f"{BUS}?format=temporalValues")).json["x"]
    [listed] = [name for name in short if name != "type"]
    name = {"object": "objects", "value": "values", "languageMap": "languageMaps", "vocab": "vocabs"}
    name |= {"json": "jsons", "valueList": "valueLists", "objectList": "objectLists"}
    assert (short["type"], listed) == (kind, name[member])
    assert [each[1] for each in short[listed]] == [hour(1), hour(2)]


@pytest.mark.parametrize("kind", KINDS)
async def test_deletion_is_an_instance_with_its_time(node: Client, kind: str) -> None:
    """4.5.7, 4.5.8 and 4.8: found by deletedAt."""
    member, value = KINDS[kind]
    await node.post(ENTITIES, {"id": ID, "type": "Bus", "x": {"type": kind, member: value}})
    assert (await node.delete(f"{ENTITIES}/{ID}/attrs/x")).status == 204
    [gone] = (await node.get(f"{BUS}?{DELETED}")).json["x"]
    assert (await node.get(f"{BUS}?timeproperty=deletedAt")).json["x"] == [gone]
    null: Any = {"languageMap": {"@none": NULL}, "valueList": [NULL], "objectList": [NULL]}.get(member, NULL)
    assert (gone["type"], gone[member]) == (kind, null)
    assert gone["deletedAt"] >= hour(1)
    short = (await node.get(f"{BUS}?{DELETED}&format=temporalValues")).json["x"]
    [instances] = [value for name, value in short.items() if name != "type"]
    assert [each[1] for each in instances] == [gone["deletedAt"]]


async def test_scope_has_an_evolution(node: Client) -> None:
    """4.5.6 and 4.18."""
    await node.post(ENTITIES, {"id": ID, "type": "Bus", "scope": "/north", "x": prop(1)})
    await node.patch(f"{ENTITIES}/{ID}/attrs", {"scope": "/south"})
    told = (await node.get(f"{BUS}?{MODIFIED}")).json["scope"]
    assert [each["value"] for each in told] == ["/north", "/south"]
    assert all(each["type"] == "Property" and each["observedAt"] for each in told)
    await node.delete(f"{ENTITIES}/{ID}/attrs/scope")
    [gone] = (await node.get(f"{BUS}?{DELETED}")).json["scope"]
    assert gone["deletedAt"] > told[1]["observedAt"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("type=Bus", "12"),
        ("type=Bus|Tram", "12"),
        ("attrs=load", "2"),
        ("type=Bus&id=urn:ngsi-ld:Bus:2,urn:ngsi-ld:Bus:3", "2"),
        ("type=Bus&idPattern=.*:1$", "1"),
        ("q=speed>50", "2"),
        ("q=speed==10", "1"),
        ("type=Bus&q=!speed", None),
        ("georel=near;maxDistance==1000&geometry=Point&coordinates=[2,0]", "2"),
        ("type=Bus&georel=within&geometry=Polygon&coordinates=[[[0,-1],[1.5,-1],[1.5,1],[0,1],[0,-1]]]", "1"),
        ("type=Bus&datasetId=urn:d:b", "2"),
        ("type=Bus&limit=1", "1"),
        ("type=Bus&limit=1&offset=1", "2"),
        ("local=true", "12"),
        ("local=true&orderBy=id;desc", "21"),
    ],
)
async def test_query_finds_evolutions(fleet: Client, query: str, ids: str | None) -> None:
    params = dict(each.split("=", 1) for each in f"{query}&{ALL}".split("&"))
    answer = await fleet.get(TEMPORAL, params=params)
    if ids is None:
        assert (answer.status, answer.problem) == (400, "BadRequestData")
    else:
        assert "".join(found(answer)) == ids


async def test_links_lead_through_the_pages_of_evolutions_and_back(fleet: Client) -> None:
    def link(answer: Answer, rel: str) -> str:
        links = [one for one in answer.headers.getall("Link") if f'rel="{rel}"' in one]
        return links[0].partition(">")[0].removeprefix("<") if links else ""

    params = dict(each.split("=", 1) for each in f"type=Bus&limit=1&{ALL}".split("&"))
    first = await fleet.get(TEMPORAL, params=params)
    second = await fleet.get(link(first, "next"))
    assert [found(first), found(second)] == [["1"], ["2"]]
    assert link(second, "next") == ""
    assert (await fleet.get(link(second, "prev"))).json == first.json
    # The way forward goes by key, where nothing else asks for a look at all.
    counted = await fleet.get(TEMPORAL, params={**params, "count": "true"})
    assert [
        "after=" in one for one in (link(first, "next"), link(second, "prev"), link(counted, "next"))
    ] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("members", "ids"),
    [
        ({"entities": [{"type": "Bus"}]}, "12"),
        ({"entities": [{"type": "Bus", "id": "urn:ngsi-ld:Bus:2"}]}, "2"),
        ({"entities": [{"type": "Bus", "idPattern": ".*:1$"}]}, "1"),
        ({"attrs": ["load"]}, "2"),
        ({"q": "speed>50"}, "2"),
        (
            {"geoQ": {"georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": [2, 0]}},
            "2",
        ),
    ],
)
async def test_query_by_post_finds_the_same(fleet: Client, members: dict[str, Any], ids: str) -> None:
    body = {"type": "Query", **members, "temporalQ": {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}}
    assert "".join(found(await fleet.post(POST, body))) == ids


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("type=Bus", "BadRequestData"),
        (ALL, "BadRequestData"),
        (f"{ALL}&attrs=createdAt", "BadRequestData"),
        (f"{ALL}&type=Bus&id=no%20uri", "BadRequestData"),
        (f"{ALL}&type=Bus&idPattern=(", "BadRequestData"),
        (f"{ALL}&q==", "BadRequestData"),
        (f"{ALL}&q=line{{name}}==1", "BadRequestData"),
        (f"{ALL}&type=Bus&csf==", "BadRequestData"),
        (f"{ALL}&type=Bus&pick=line{{name}}", "BadRequestData"),
        (f"{ALL}&local=true&orderBy=speed", "BadRequestData"),
        (f"{ALL}&type=Bus&orderBy=id&local=true&collation=??", "BadRequestData"),
        (f"{ALL}&type=Bus&georel=near&geometry=Point&coordinates=[1,1]", "BadRequestData"),
        ("type=Bus&timerel=between&timeAt=2026-01-01T00:00:00Z", "BadRequestData"),
        ("type=Bus&timerel=before", "BadRequestData"),
        ("type=Bus&timerel=around&timeAt=2026-01-01T00:00:00Z", "BadRequestData"),
        (f"{ALL}&type=Bus&timeproperty=bornAt", "BadRequestData"),
        (f"{ALL}&type=Bus&lastN=-1", "BadRequestData"),
        (f"{ALL}&type=Bus&pick=", "BadRequestData"),
        (f"{ALL}&type=Bus&format=odd", "InvalidRequest"),
        (f"{ALL}&type=Bus&options=odd", "InvalidRequest"),
        (f"{ALL}&type=Bus&format=aggregatedValues", "InvalidRequest"),
        (f"{ALL}&type=Bus&join=inline", "InvalidRequest"),
    ],
)
async def test_query_answers_400_and_says_why(fleet: Client, query: str, problem: str) -> None:
    params = dict(each.split("=", 1) for each in query.split("&"))
    answer = await fleet.get(TEMPORAL, params=params)
    assert (answer.status, answer.problem) == (400, problem)


@pytest.mark.parametrize(
    ("query", "members"),
    [
        ("", {"id", "type", "speed", "load", "location"}),
        ("attrs=speed", {"id", "type", "speed"}),
        ("pick=id,speed", {"id", "speed"}),
        ("omit=speed,type", {"id", "load", "location"}),
        ("datasetId=urn:d:b", {"id", "type", "load"}),
    ],
)
async def test_evolution_is_told_as_far_as_it_is_asked_for(
    fleet: Client, query: str, members: set[str]
) -> None:
    assert (await fleet.get(f"{TEMPORAL}/urn:ngsi-ld:Bus:2?{query}")).json.keys() == members
    [one] = (await fleet.get(f"{TEMPORAL}?{query}&{ALL}&q=load>0&type=Bus")).json
    assert one.keys() == members


@pytest.mark.parametrize("query", ["attrs=nothing", "pick=nothing", "omit=id,type,speed,location"])
async def test_retrieve_answers_404_when_nothing_is_left(fleet: Client, query: str) -> None:
    answer = await fleet.get(f"{BUS}?{query}")
    assert (answer.status, answer.problem) == (404, "ResourceNotFound")


async def test_last_instances_are_those_of_each_attribute(fleet: Client) -> None:
    """5.7.3.4: the last n of the interval."""
    told = (await fleet.get(f"{BUS}?lastN=2&timerel=before&timeAt={hour(3)}")).json
    assert sorted(each["value"] for each in told["speed"]) == [10, 20]
    assert told["location"]


async def test_times_are_told_when_asked_for(fleet: Client) -> None:
    told = (await fleet.get(f"{BUS}?options=sysAttrs")).json
    assert {"createdAt", "modifiedAt"} <= told.keys()
    assert all({"createdAt", "modifiedAt"} <= each.keys() for each in told["speed"])
    assert "createdAt" not in (await fleet.get(BUS)).json


AGGREGATES = {
    "totalCount": 3,
    "distinctCount": 3,
    "sum": 60,
    "avg": 20,
    "min": 10,
    "max": 30,
    "stddev": 8.16496580927726,
    "sumsq": 1400,
}


async def test_aggregates_are_those_of_the_clause(fleet: Client) -> None:
    """4.5.19: one value for the whole interval, or one for each period."""
    methods = ",".join(AGGREGATES)
    path = f"{BUS}?{ALL}&attrs=speed&format=aggregatedValues&aggrMethods={methods}"
    whole = (await fleet.get(f"{path}&aggrPeriodDuration=PT0S")).json["speed"]
    assert whole["type"] == "Property"
    assert {name: whole[name][0][0] for name in AGGREGATES} == pytest.approx(AGGREGATES)
    hourly = (await fleet.get(f"{path}&aggrPeriodDuration=PT1H")).json["speed"]
    assert [value for value, _, _ in hourly["sum"]] == [10, 20, 30]
    assert [start for _, start, _ in hourly["sum"]] == [hour(1), hour(2), hour(3)]


async def test_post_takes_its_parameters_as_get_does(fleet: Client) -> None:
    time = {"timerel": "between", "timeAt": hour(1), "endTimeAt": hour(3), "timeproperty": "observedAt"}
    body = {"type": "Query", "entities": [{"type": "Bus"}], "temporalQ": time, "pick": ["id", "speed"]}
    answer = await fleet.post(f"{POST}?limit=1&count=true&format=temporalValues", body)
    assert answer.json == [
        {"id": ID, "speed": {"type": "Property", "values": [[10, hour(1)], [20, hour(2)]]}}
    ]
    assert answer.headers["NGSILD-Results-Count"] == "2"
    assert (await fleet.post(POST, {**body, "temporalQ": None})).problem == "BadRequestData"
    assert (await fleet.post(POST, {**body, "temporalQ": {"timerel": "after"}})).problem == "BadRequestData"
    del body["entities"]
    assert (await fleet.post(POST, body)).problem == "BadRequestData"


def minute(number: int) -> str:
    return f"2026-01-01T00:{number:02}:00Z"


OLD, NEW = "2025-12-31T00:00:00Z", "2026-12-31T00:00:00Z"


@pytest.mark.parametrize("way", ["retrieve", "query", "post"])
@pytest.mark.parametrize(
    ("time", "start", "end", "size"),
    [
        ({"timerel": "after", "timeAt": OLD}, OLD, minute(9), "*"),
        ({"timerel": "before", "timeAt": NEW}, minute(0), minute(9), "*"),
        ({"timerel": "between", "timeAt": OLD, "endTimeAt": NEW}, OLD, minute(9), "*"),
        ({"timerel": "before", "timeAt": NEW, "lastN": "35"}, NEW, minute(20), "35"),
        ({"timerel": "after", "timeAt": OLD, "lastN": "35"}, minute(39), minute(20), "35"),
        ({"timerel": "between", "timeAt": OLD, "endTimeAt": NEW, "lastN": "35"}, NEW, minute(20), "35"),
    ],
)
async def test_cut_answer_tells_its_range_forwards_and_backwards(
    tmp_path: Path, way: str, time: dict[str, str], start: str, end: str, size: str
) -> None:
    """6.3.10: from the oldest on, with lastN from the newest back; 40 minutes where 10 or 20 are allowed."""
    async with running_node(tmp_path, Settings(temporal_default=10, temporal_max=20)) as node:
        many = [prop(number, observedAt=minute(number)) for number in range(40)]
        await node.post(TEMPORAL, {"id": ID, "type": "Bus", "speed": many})
        if way == "post":
            temporal = {key: int(value) if key == "lastN" else value for key, value in time.items()}
            query = {"type": "Query", "entities": [{"type": "Bus"}], "temporalQ": temporal}
            answer = await node.post(POST, query)
        elif way == "query":
            answer = await node.get(TEMPORAL, params={"type": "Bus", **time})
        else:
            answer = await node.get(BUS, params=time)
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"date-time {start}-{end}/{size}"
    one = answer.json if way == "retrieve" else answer.json[0]
    seen = sorted(each["observedAt"] for each in one["speed"])
    assert seen == [minute(each) for each in (range(10) if size == "*" else range(20, 40))]
