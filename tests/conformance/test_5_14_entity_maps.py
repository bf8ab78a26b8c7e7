"""Clauses 5.14, 5.5.9.3, 5.5.14, 6.32, 6.34, 6.35: entity maps of one node, and paging by them."""

import asyncio
from typing import Any

import pytest

from cityloom.model.settings import Settings
from cityloom.model.time import format_datetime, parse_datetime
from tests.conformance.data import BATCH, ENTITIES, TEMPORAL, lamp, prop
from tests.web.node import API, Answer, Client, running_node

MAPS = f"{API}/entityMaps"
HEADER = "NGSILD-EntityMap"
LAMPS = f"{ENTITIES}?type=Streetlight"


def ident(number: int) -> str:
    return f"urn:ngsi-ld:Streetlight:{number}"


def numbers(answer: Answer) -> list[int]:
    return [int(each["id"].rpartition(":")[2]) for each in answer.json]


def used(answer: Answer) -> dict[str, str]:
    """The header with which the next request uses the same map."""
    return {HEADER: answer.headers[HEADER]}


@pytest.fixture
async def street(node: Client) -> Client:
    lamps = [lamp(number, height=prop(number)) for number in range(6)]
    assert (await node.post(f"{BATCH}/create", lamps)).status == 201
    return node


async def test_create_answers_the_map_and_its_location(street: Client) -> None:
    answer = await street.get(f"{MAPS}?type=Streetlight&q=height>3&limit=1")
    assert answer.status == 201
    found = answer.json
    assert (found["type"], found["linkedMaps"]) == ("EntityMap", {})
    assert found["entityMap"] == {ident(4): ["@none"], ident(5): ["@none"]}
    assert answer.headers[HEADER] == f"{MAPS}/{found['id']}"
    again = await street.get(answer.headers[HEADER])
    assert (again.status, again.json) == (200, found)


async def test_create_by_post_selects_as_by_get(street: Client) -> None:
    body = {"type": "Query", "entities": [{"type": "Streetlight"}], "q": "height<1"}
    answer = await street.post(MAPS, body)
    assert (answer.status, answer.json["entityMap"]) == (201, {ident(0): ["@none"]})


async def test_split_entities_are_candidates_until_a_page_decides(street: Client) -> None:
    path = "type=Streetlight&q=height>3&splitEntities=true"
    made = await street.get(f"{MAPS}?{path}")
    assert len(made.json["entityMap"]) == 6
    page = await street.get(f"{ENTITIES}?{path}&limit=1&count=true", headers=used(made))
    assert (numbers(page), page.headers["NGSILD-Results-Count"]) == ([4], "2")
    left = (await street.get(made.headers[HEADER])).json["entityMap"]
    assert list(left) == [ident(4), ident(5)]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "BadRequestData"),
        ("?type=Streetlight&id=no+uri", "BadRequestData"),
        ("?type=Streetlight&q=height>>", "BadRequestData"),
        ("?type=Streetlight&geometryProperty=location", "BadRequestData"),
        ("?type=Streetlight&entityMapLifetime=soon", "BadRequestData"),
        ("?type=Streetlight&entityMapLifetime=PT0S", "BadRequestData"),
        ("?type=Streetlight&surprise=1", "InvalidRequest"),
        ("?id=urn:ngsi-ld:Streetlight:1", "BadRequestData"),
        ("?attrs=createdAt", "BadRequestData"),
        ("?q=createdAt>2020-01-01T00:00:00Z", "BadRequestData"),
        ("?q=(createdAt>2020-01-01T00:00:00Z|modifiedAt>2020-01-01T00:00:00Z)", "BadRequestData"),
        ("?type=*&local=false", "BadRequestData"),
        ("?type=Streetlight&csf=a>>", "BadRequestData"),
        ("?type=Streetlight&georel=near", "BadRequestData"),
        ("?type=Streetlight&pick=on%7Bname%7D", "BadRequestData"),
        ("?type=Streetlight&pick=on%7Bin%7Bname%7D%7D&join=flat&joinLevel=1", "BadRequestData"),
    ],
)
async def test_create_refuses_what_is_wrong(node: Client, query: str, problem: str) -> None:
    answer = await node.get(MAPS + query)
    assert (answer.status, answer.problem) == (400, problem)


@pytest.mark.parametrize("words", ["limit=none", "limit=0", "offset=9", "entityMap=false", "count=true"])
async def test_what_does_not_concern_making_a_map_is_passed_over(street: Client, words: str) -> None:
    first = await street.get(f"{MAPS}?type=Streetlight")
    made = await street.get(f"{MAPS}?type=Streetlight&{words}", headers=used(first))
    assert (made.status, len(made.json["entityMap"])) == (201, 6)
    assert made.json["id"] != first.json["id"]


@pytest.mark.parametrize(
    "query", ["id=urn:ngsi-ld:Streetlight:1&local=true", "q=createdAt>2020-01-01T00:00:00Z;height==1"]
)
async def test_what_is_narrow_enough_is_made(street: Client, query: str) -> None:
    made = await street.get(f"{MAPS}?{query}")
    assert (made.status, made.json["entityMap"]) == (201, {ident(1): ["@none"]})


async def test_maps_are_json_or_json_ld(street: Client) -> None:
    core = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
    body = {"type": "Query", "entities": [{"type": "Streetlight"}], "@context": core}
    made = await street.post(f"{MAPS}/", body, headers={"Accept": "application/ld+json"})
    assert (made.status, made.headers["Content-Type"]) == (201, "application/ld+json")
    assert made.json["@context"] == core
    plain = await street.get(f"{made.headers[HEADER]}/")
    assert (plain.headers["Content-Type"], "@context" in plain.json) == ("application/json", False)
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in plain.headers["Link"]
    for path in (made.headers[HEADER], f"{MAPS}?type=Streetlight"):
        refused = await street.get(path, headers={"Accept": "application/geo+json"})
        assert refused.status == 406


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", f"{MAPS}/urn:a:1"), ("POST", f"{MAPS}/urn:a:1"), ("DELETE", MAPS), ("PATCH", MAPS)],
)
async def test_other_methods_are_not_allowed(node: Client, method: str, path: str) -> None:
    answer = await node.ask(method, path, {"type": "EntityMap"} if method != "DELETE" else None)
    assert (answer.status, answer.body) == (405, b"")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_missing_id_is_refused(node: Client, method: str) -> None:
    body = {"expiresAt": "2999-01-01T00:00:00Z"} if method == "PATCH" else None
    answer = await node.ask(method, f"{MAPS}/", body)
    assert (answer.status, answer.problem) == (400, "BadRequestData")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_map_of_a_tenant_that_is_not_there_is_told(street: Client, method: str) -> None:
    made = await street.get(f"{MAPS}?type=Streetlight")
    body = {"expiresAt": "2999-01-01T00:00:00Z"} if method == "PATCH" else None
    nowhere = {"NGSILD-Tenant": "nowhere"}
    answer = await street.ask(method, made.headers[HEADER], body, headers=nowhere)
    assert (answer.status, answer.problem) == (404, "NonexistentTenant")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_map_that_is_not_there_is_not_found(node: Client, method: str) -> None:
    body = {"expiresAt": "2999-01-01T00:00:00Z"} if method == "PATCH" else None
    answer = await node.ask(method, f"{MAPS}/urn:ngsi-ld:EntityMap:none", body)
    assert (answer.status, answer.problem) == (404, "ResourceNotFound")
    answer = await node.ask(method, f"{MAPS}/none", body)
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_query_tells_a_map_when_it_is_asked_to(street: Client) -> None:
    plain = await street.get(LAMPS)
    assert (plain.status, HEADER in plain.headers) == (200, False)
    first = await street.get(f"{LAMPS}&entityMap=true&limit=2")
    assert (first.status, numbers(first)) == (201, [0, 1])
    second = await street.get(f"{LAMPS}&limit=2&offset=2", headers=used(first))
    assert (second.status, numbers(second)) == (200, [2, 3])
    assert used(second) == used(first)


async def test_page_of_a_map_is_geojson_where_that_is_asked_for(street: Client) -> None:
    geojson = {"Accept": "application/geo+json"}
    first = await street.get(f"{LAMPS}&limit=2&entityMap=true", headers=geojson)
    assert (first.status, first.json["type"], len(first.json["features"])) == (201, "FeatureCollection", 2)
    second = await street.get(f"{LAMPS}&limit=2&offset=2", headers={**geojson, **used(first)})
    assert (second.status, second.headers["Content-Type"]) == (200, "application/geo+json")
    assert [one["id"] for one in second.json["features"]] == [ident(2), ident(3)]


async def test_entities_of_a_map_are_counted_without_any(street: Client) -> None:
    made = await street.get(f"{MAPS}?type=Streetlight")
    page = await street.get(f"{LAMPS}&limit=0&count=true", headers=used(made))
    assert (page.status, page.json, page.headers["NGSILD-Results-Count"]) == (200, [], "6")
    ids = f"&id={ident(1)},{ident(9)}&count=true"
    page = await street.get(LAMPS + ids, headers=used(made))
    assert (numbers(page), page.headers["NGSILD-Results-Count"]) == ([1], "1")


async def test_count_is_of_those_that_still_fit(street: Client) -> None:
    path = f"{LAMPS}&q=height>0"
    made = await street.get(f"{path}&entityMap=true&limit=1")
    await street.delete(f"{ENTITIES}/{ident(5)}")
    await street.patch(f"{ENTITIES}/{ident(4)}/attrs", {"height": prop(0)})
    page = await street.get(f"{path}&limit=1&count=true", headers=used(made))
    assert (numbers(page), page.headers["NGSILD-Results-Count"]) == ([1], "3")


async def test_map_is_named_by_its_location_or_whole_address(street: Client) -> None:
    made = await street.get(f"{MAPS}?type=Streetlight")
    location = made.headers[HEADER]
    for name in (location, street.base + location, made.json["id"]):
        page = await street.get(LAMPS, headers={HEADER: name})
        assert (page.status, page.headers[HEADER]) == (200, location)
    page = await street.get(LAMPS, headers={HEADER: "no address at all"})
    assert (page.status, page.headers[HEADER] == location) == (201, False)


async def test_pages_over_a_map_show_each_entity_once_whatever_comes_and_goes(street: Client) -> None:
    first = await street.get(f"{LAMPS}&q=height<9&entityMap=true&limit=2")
    assert numbers(first) == [0, 1]
    await street.post(ENTITIES, lamp(10, height=prop(1)))
    await street.delete(f"{ENTITIES}/{ident(2)}")
    await street.patch(f"{ENTITIES}/{ident(3)}/attrs", {"height": prop(99)})
    path = f"{LAMPS}&q=height<9&limit=2"
    second = await street.get(f"{path}&offset=2", headers=used(first))
    assert numbers(second) == [4, 5]
    assert 'rel="next"' not in str(second.headers.getall("Link"))
    assert list((await street.get(first.headers[HEADER])).json["entityMap"]) == [
        ident(n) for n in (0, 1, 4, 5)
    ]
    assert numbers(await street.get(path)) == [0, 1]


async def test_map_of_an_ordered_local_query_keeps_the_order(street: Client) -> None:
    path = f"{LAMPS}&local=true&orderBy=height;desc&limit=2"
    first = await street.get(f"{path}&entityMap=true")
    assert numbers(first) == [5, 4]
    await street.patch(f"{ENTITIES}/{ident(0)}/attrs", {"height": prop(99)})
    assert numbers(await street.get(f"{path}&offset=2", headers=used(first))) == [3, 2]


async def test_other_filters_over_a_map_change_nothing_of_it(street: Client) -> None:
    made = await street.get(f"{MAPS}?type=Streetlight&q=height>1")
    path = f"{LAMPS}&q=height<4&limit=1&count=true"
    first = await street.get(path, headers=used(made))
    assert (numbers(first), first.headers["NGSILD-Results-Count"]) == ([2], "2")
    assert numbers(await street.get(f"{path}&offset=1", headers=used(made))) == [3]
    assert len((await street.get(made.headers[HEADER])).json["entityMap"]) == 4


async def test_map_that_is_gone_is_made_anew(street: Client) -> None:
    first = await street.get(f"{LAMPS}&entityMap=true")
    assert (await street.delete(first.headers[HEADER])).status == 204
    assert (await street.get(first.headers[HEADER])).status == 404
    again = await street.get(LAMPS, headers=used(first))
    assert (again.status, len(again.json)) == (201, 6)
    assert used(again) != used(first)


async def test_post_query_takes_and_tells_maps(street: Client) -> None:
    body = {"type": "Query", "entities": [{"type": "Streetlight"}]}
    first = await street.post(f"{BATCH}/query?limit=2", {**body, "entityMap": True})
    assert (first.status, numbers(first)) == (201, [0, 1])
    await street.delete(f"{ENTITIES}/{ident(2)}")
    second = await street.post(f"{BATCH}/query?limit=2&offset=2", body, headers=used(first))
    assert (second.status, numbers(second)) == (200, [3, 4])


async def test_retrieve_tells_a_map_of_its_entity(street: Client) -> None:
    answer = await street.get(f"{ENTITIES}/{ident(1)}?entityMap=true")
    assert answer.status == 200
    assert (await street.get(answer.headers[HEADER])).json["entityMap"] == {ident(1): ["@none"]}
    again = await street.get(f"{ENTITIES}/{ident(1)}", headers=used(answer))
    assert used(again) == used(answer)
    assert HEADER not in (await street.get(f"{ENTITIES}/urn:none?entityMap=true")).headers


async def test_joined_entities_are_not_held_to_the_map(street: Client) -> None:
    pole = {"id": "urn:ngsi-ld:Pole:1", "type": "Pole"}
    await street.post(ENTITIES, pole)
    on = {"type": "Relationship", "object": pole["id"]}
    await street.post(f"{ENTITIES}/{ident(1)}/attrs", {"on": on})
    first = await street.get(f"{LAMPS}&entityMap=true&join=inline&limit=2")
    assert first.json[1]["on"]["entity"]["id"] == pole["id"]


async def test_update_changes_the_end_alone(street: Client) -> None:
    made = await street.get(f"{MAPS}?type=Streetlight&entityMapLifetime=PT10M")
    body: dict[str, Any] = {"type": "EntityMap", "entityMap": {}, "linkedMaps": {"urn:a": "urn:b"}}
    later = format_datetime(parse_datetime(made.json["expiresAt"]) + 60_000_000)
    for end in (later, "2999-01-01T00:00:00Z", later):
        assert (await street.patch(made.headers[HEADER], {**body, "expiresAt": end})).status == 204
        found = (await street.get(made.headers[HEADER])).json
        assert found == {**made.json, "expiresAt": end}
    core = {"@context": "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"}
    assert (await street.patch(made.headers[HEADER], {**core, **body})).status == 204
    assert (await street.get(made.headers[HEADER])).json["expiresAt"] == later
    for wrong in ({"expiresAt": "soon"}, {"type": "Entity"}, {"id": "urn:other"}, {"surprise": 1}):
        assert (await street.patch(made.headers[HEADER], wrong)).problem == "BadRequestData"


async def test_map_that_is_given_a_past_end_is_over(street: Client) -> None:
    made = await street.get(f"{MAPS}?type=Streetlight")
    ended = await street.patch(made.headers[HEADER], {"expiresAt": "2020-01-01T00:00:00Z"})
    assert ended.status == 204
    gone = await street.get(made.headers[HEADER])
    assert (gone.status, gone.problem) == (404, "ResourceNotFound")
    again = await street.get(LAMPS, headers=used(made))
    assert (again.status, len(again.json)) == (201, 6)


async def test_map_ends_when_its_time_is_over(street: Client) -> None:
    made = await street.get(f"{MAPS}?type=Streetlight&entityMapLifetime=PT0.05S")
    await asyncio.sleep(0.1)
    assert (await street.get(made.headers[HEADER])).status == 404
    again = await street.get(LAMPS, headers=used(made))
    assert (again.status, len(again.json)) == (201, 6)


async def test_life_that_is_suggested_is_bounded_by_the_node(node: Client) -> None:
    day, year = [
        (await node.get(f"{MAPS}?type=Streetlight&entityMapLifetime={life}")).json["expiresAt"]
        for life in ("P1D", "P1Y")
    ]
    assert parse_datetime(year) - parse_datetime(day) < 60_000_000


async def test_tenants_do_not_see_each_others_maps(street: Client) -> None:
    made = await street.get(f"{MAPS}?type=Streetlight")
    other = {"NGSILD-Tenant": "other"}
    await street.post(ENTITIES, lamp(), headers=other)
    assert (await street.get(made.headers[HEADER], headers=other)).status == 404
    assert (await street.delete(made.headers[HEADER], headers=other)).status == 404
    theirs = await street.get(LAMPS, headers={**other, **used(made)})
    assert (theirs.status, numbers(theirs)) == (201, [1])


async def test_who_may_not_read_has_no_maps(street: Client) -> None:
    made = await street.get(f"{MAPS}?type=Streetlight")
    stranger = {"x-api-key": "stranger"}
    for method, path in [("GET", f"{MAPS}?type=Streetlight"), ("GET", made.headers[HEADER])]:
        assert (await street.ask(method, path, headers=stranger)).status == 403
    assert (await street.delete(made.headers[HEADER], headers=stranger)).status == 403
    reader = {"x-api-key": "reader"}
    assert (await street.get(f"{MAPS}?type=Streetlight", headers=reader)).status == 201


async def test_temporal_map_fixes_the_entities_while_the_window_moves(street: Client) -> None:
    early, late = "timerel=before&timeAt=2027-01-01T00:00:00Z", "timerel=after&timeAt=2020-01-01T00:00:00Z"
    for number in range(4):
        times = [prop(hour, observedAt=f"2026-01-01T0{hour}:00:00Z") for hour in range(3)]
        await street.post(TEMPORAL, {"id": f"urn:ngsi-ld:Sensor:{number}", "type": "Sensor", "speed": times})
    made = await street.get(f"{API}/temporal/entityMaps?type=Sensor&{early}")
    assert (made.status, len(made.json["entityMap"])) == (201, 4)
    await street.post(
        TEMPORAL,
        {"id": "urn:ngsi-ld:Sensor:9", "type": "Sensor", "speed": prop(1, observedAt="2026-01-01T00:00:00Z")},
    )
    await street.delete(f"{TEMPORAL}/urn:ngsi-ld:Sensor:1")
    page = f"{TEMPORAL}?type=Sensor&limit=2"
    first = await street.get(f"{page}&{early}", headers=used(made))
    assert (first.status, numbers(first), used(first)) == (200, [0, 2], used(made))
    assert numbers(await street.get(f"{page}&{early}&offset=2", headers=used(made))) == [3]
    assert numbers(await street.get(f"{page}&{late}&offset=2", headers=used(made))) == [3]
    assert len((await street.get(made.headers[HEADER])).json["entityMap"]) == 3
    anew = await street.get(f"{page}&{early}&entityMap=true")
    assert (anew.status, numbers(anew)) == (201, [0, 2])


async def test_temporal_map_by_post_and_of_one_entity(street: Client) -> None:
    since = {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "modifiedAt"}
    body = {"type": "Query", "entities": [{"type": "Streetlight"}], "temporalQ": since}
    made = await street.post(f"{API}/temporal/entityMaps", body)
    assert (made.status, len(made.json["entityMap"])) == (201, 6)
    window = "timerel=after&timeAt=2020-01-01T00:00:00Z"
    for words in (
        "type=Streetlight",
        "type=Streetlight&timerel=after",
        window,
        f"id={ident(1)}&{window}",
        f"q=modifiedAt>2020-01-01T00:00:00Z&{window}",
        f"type=Streetlight&pick=on%7Bname%7D&{window}",
        f"type=Streetlight&q=on%7Bname%7D==1&{window}",
        f"type=Streetlight&id=no+uri&{window}",
    ):
        wrong = await street.get(f"{API}/temporal/entityMaps?{words}")
        assert (wrong.status, wrong.problem) == (400, "BadRequestData"), words
    local = await street.get(f"{API}/temporal/entityMaps?id={ident(1)}&local=true&{window}")
    assert local.status == 201
    one = await street.get(f"{TEMPORAL}/{ident(1)}?entityMap=true&timeproperty=modifiedAt")
    assert (await street.get(one.headers[HEADER])).json["entityMap"] == {ident(1): ["@none"]}


@pytest.fixture
async def small(tmp_path: Any) -> Any:
    settings = Settings(entity_maps=2, entity_map_ids=5)
    async with running_node(tmp_path, settings) as client:
        await client.post(f"{BATCH}/create", [lamp(number, height=prop(number)) for number in range(6)])
        yield client


async def test_longest_unused_map_goes_when_there_are_too_many(small: Client) -> None:
    first, second = [await small.get(f"{MAPS}?type=Streetlight&q=height<1") for _ in range(2)]
    assert (await small.get(first.headers[HEADER])).status == 200
    third = await small.get(f"{MAPS}?type=Streetlight&q=height<1")
    there = [(await small.get(made.headers[HEADER])).status for made in (first, second, third)]
    assert there == [200, 404, 200]
    await small.get(f"{MAPS}?type=Streetlight&q=height<5")
    assert [(await small.get(made.headers[HEADER])).status for made in (first, third)] == [404, 404]


async def test_map_of_too_many_entities_is_refused(small: Client) -> None:
    answer = await small.get(f"{MAPS}?type=Streetlight")
    assert (answer.status, answer.problem) == (403, "TooManyResults")
