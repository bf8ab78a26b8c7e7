"""Clauses 4.3.6, 5.7.1, 5.7.2, 6.3.17 to 6.3.19: entities are read wherever they are."""

import asyncio
from typing import Any

import pytest

from tests.federation.helpers import (
    BATCH,
    ENTITIES,
    LAMP,
    REGISTRATIONS,
    lamp,
    power_of,
    prop,
    put,
    register,
    warnings,
)
from tests.federation.source import Source
from tests.web.node import Client

T1, T2 = "2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"


async def lamps(node: Client, query: str = "") -> dict[str, dict[str, Any]]:
    answer = await node.get(f"{ENTITIES}?type=Lamp&format=simplified{query}")
    assert answer.status == 200, answer.body
    return {each["id"].rpartition(":")[2]: each for each in answer.json}


async def test_inclusive_source_is_merged_with_what_is_here(node: Client, there: Client) -> None:
    await put(node, lamp(power=prop("on"), colour=prop("red")))
    await put(there, lamp(height=prop(4)))
    await register(node, there.base)
    entity = (await node.get(f"{ENTITIES}/{LAMP}?format=simplified")).json
    assert entity == {**lamp(), "power": "on", "colour": "red", "height": 4}
    assert (await lamps(node))["1"] == entity
    alone = (await node.get(f"{ENTITIES}/{LAMP}?format=simplified&local=true")).json
    assert "height" not in alone
    assert "height" not in (await lamps(node, "&local=true"))["1"]


async def test_entity_that_is_nowhere_is_not_found(node: Client, there: Client) -> None:
    await register(node, there.base)
    answer = await node.get(f"{ENTITIES}/{LAMP}")
    assert (answer.status, answer.problem, warnings(answer)) == (404, "ResourceNotFound", [])


@pytest.mark.parametrize("newest_here", [True, False])
async def test_newest_observation_wins_and_datasets_stand_beside_each_other(
    node: Client, there: Client, newest_here: bool
) -> None:
    times = (T2, T1) if newest_here else (T1, T2)
    other = prop("seldom", datasetId="urn:ngsi-ld:Dataset:x")
    await put(node, lamp(power=prop("here", observedAt=times[0])))
    await put(there, lamp(power=[prop("there", observedAt=times[1]), other]))
    await register(node, there.base)
    power = (await node.get(f"{ENTITIES}/{LAMP}")).json["power"]
    assert {each.get("datasetId", ""): each["value"] for each in power} == {
        "": "here" if newest_here else "there",
        "urn:ngsi-ld:Dataset:x": "seldom",
    }


async def test_last_change_wins_where_nothing_was_observed(node: Client, there: Client) -> None:
    await put(node, lamp(power=prop("first")))
    await put(there, lamp(power=prop("second")))
    await register(node, there.base)
    assert (await lamps(node))["1"]["power"] == "second"
    await node.patch(f"{ENTITIES}/{LAMP}/attrs?local=true", {"power": prop("third")})
    assert (await lamps(node))["1"]["power"] == "third"


async def test_auxiliary_source_adds_what_nobody_else_has(node: Client, there: Client) -> None:
    await put(node, lamp(power=prop("here", observedAt=T1)))
    await put(there, lamp(power=prop("there", observedAt=T2), height=prop(4)), lamp(2, height=prop(5)))
    await register(node, there.base, mode="auxiliary", operations=["retrieveOps"])
    assert (await lamps(node))["1"] == {**lamp(), "power": "here", "height": 4}
    assert (await node.get(f"{ENTITIES}/urn:ngsi-ld:Lamp:2?format=simplified")).json["height"] == 5


async def test_exclusive_source_is_asked_for_its_own(node: Client, source: Source) -> None:
    await put(node, lamp(1, colour=prop("red")), lamp(2, colour=prop("blue")))
    await register(node, source.url, mode="exclusive", information=power_of())
    source.body = lamp(1, power=prop("on"), secret=prop("untold"))
    entity = (await node.get(f"{ENTITIES}/{LAMP}?format=simplified")).json
    assert entity == {**lamp(), "colour": "red", "power": "on"}
    assert source.asked[0].path == f"/entities/{LAMP}"
    assert source.asked[0].params["attrs"].endswith("power")
    await node.get(f"{ENTITIES}/urn:ngsi-ld:Lamp:2")
    assert len(source.asked) == 1
    source.body = [source.body]
    assert (await lamps(node))["1"] == entity
    assert source.asked[1].params.items() >= {"id": LAMP, "type": source.asked[1].params["type"]}.items()


async def test_source_that_only_answers_queries_is_asked_by_a_query(node: Client, source: Source) -> None:
    source.body = [lamp(power=prop("on"))]
    await register(node, source.url, operations=["queryBatch"])
    assert (await node.get(f"{ENTITIES}/{LAMP}?format=simplified")).json["power"] == "on"
    [asked] = source.asked
    assert (asked.method, asked.path) == ("POST", "/entityOperations/query")
    assert asked.body["entities"][0]["id"] == LAMP


async def test_source_is_not_asked_for_what_it_does_not_support_or_have(node: Client, source: Source) -> None:
    await register(node, source.url, operations=["createEntity"])
    await register(node, source.url, information=[{"entities": [{"type": "Bus", "idPattern": "urn:bus:.*"}]}])
    await register(node, source.url, observationInterval={"startAt": T1})
    await put(node, lamp())
    assert list(await lamps(node)) == ["1"]
    assert (await node.get(f"{ENTITIES}/{LAMP}")).status == 200
    assert source.asked == []


async def test_query_pages_and_counts_over_all_places(node: Client, there: Client, third: Client) -> None:
    await put(node, *(lamp(number, a=prop(number)) for number in (1, 4, 7)))
    await put(there, *(lamp(number, b=prop(number)) for number in (2, 4, 8)))
    await put(third, *(lamp(number, c=prop(number)) for number in (3, 8, 9)))
    await register(node, there.base)
    await register(node, third.base)
    whole = await lamps(node)
    assert list(whole) == ["1", "2", "3", "4", "7", "8", "9"]
    assert whole["4"] == {**lamp(4), "a": 4, "b": 4}
    told: list[str] = []
    for offset in range(0, 9, 2):
        answer = await node.get(f"{ENTITIES}?type=Lamp&limit=2&offset={offset}&count=true")
        told += [each["id"].rpartition(":")[2] for each in answer.json]
        assert answer.headers["NGSILD-Results-Count"] == "7"
        more = any('rel="next"' in link for link in answer.headers.getall("Link"))
        assert more is (offset < 6)
    assert told == list(whole)


async def test_filters_hold_for_the_whole_entity_when_it_is_split(node: Client, there: Client) -> None:
    await put(node, lamp(1, a=prop(1)), lamp(2, a=prop(1)), lamp(3, a=prop(1), b=prop(1)))
    await put(there, lamp(1, b=prop(1)), lamp(4, b=prop(1)))
    await register(node, there.base)
    assert list(await lamps(node, "&q=a==1;b==1")) == ["1", "3"]
    answer = await node.get(f"{ENTITIES}?type=Lamp&q=b==1&count=true")
    assert [each["id"][-1] for each in answer.json] == ["1", "3", "4"]
    assert answer.headers["NGSILD-Results-Count"] == "3"


async def test_filters_go_along_when_entities_are_not_split(node: Client, source: Source) -> None:
    source.body = []
    await register(node, source.url)
    await lamps(node, "&q=a==1&scopeQ=/x")
    await lamps(node, "&q=a==1&scopeQ=/x&splitEntities=false")
    split, whole = (asked.params for asked in source.asked)
    assert split.keys().isdisjoint({"q", "scopeQ"})
    assert (whole["q"], whole["scopeQ"]) == ("a==1", "/x")


async def test_source_with_whole_entities_decides_on_filters(node: Client, there: Client) -> None:
    await put(there, lamp(1, a=prop(1), b=prop(1)), lamp(2, a=prop(2), b=prop(1)))
    await register(node, there.base)
    geo = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 1]}}
    await put(there, lamp(3, a=prop(1), b=prop(1), location=geo))
    found = await lamps(node, "&q=a==1&attrs=b&splitEntities=false")
    assert found == {"1": {**lamp(1), "b": 1}, "3": {**lamp(3), "b": 1}}
    body = {
        "type": "Query",
        "entities": [{"type": "Lamp"}],
        "geoQ": {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [1, 1]},
        "splitEntities": False,
    }
    assert [each["id"][-1] for each in (await node.post(f"{BATCH}/query", body)).json] == ["3"]
    body["entities"] = [{"type": "*"}]
    assert (await node.post(f"{BATCH}/query", body)).json == []


async def test_source_of_another_place_is_not_asked(node: Client, source: Source) -> None:
    source.body = []
    await register(node, source.url, location={"type": "Point", "coordinates": [9, 9]})
    near = "&georel=near%3BmaxDistance==10&geometry=Point&coordinates="
    await lamps(node, near + "[1,1]")
    assert source.asked == []
    await lamps(node, near + "[9,9]")
    assert len(source.asked) == 1


async def test_every_page_of_a_source_is_read(node: Client, there: Client) -> None:
    await put(node, lamp(0))
    batch = [lamp(number) for number in range(1, 1205)]
    assert (await there.post(f"{BATCH}/create", batch)).status == 201
    await register(node, there.base)
    answer = await node.get(f"{ENTITIES}?type=Lamp&limit=1&offset=1204&count=true")
    assert (answer.headers["NGSILD-Results-Count"], len(answer.json), warnings(answer)) == ("1205", 1, [])


async def test_linked_entities_are_read_wherever_they_are(node: Client, there: Client) -> None:
    """4.5.23.1: elsewhere alone, they are linked where the relationship tells their type."""
    link = {"type": "Relationship", "object": "urn:ngsi-ld:Lamp:2"}
    await put(node, lamp(1, next={**link, "objectType": "Lamp"}, other=link, a=prop(1)))
    await put(there, lamp(2, power=prop("on")))
    await register(node, there.base)
    answer = await node.get(f"{ENTITIES}?type=Lamp&q=a==1&join=inline&splitEntities=false")
    assert answer.json[0]["next"]["entity"]["power"]["value"] == "on"
    await put(node, lamp(3, next=link, a=prop(3)))
    untold = await node.get(f"{ENTITIES}?type=Lamp&q=a==3&join=inline&splitEntities=false")
    assert "entity" not in untold.json[0]["next"]
    await put(node, lamp(2, colour=prop("red")))
    split = await node.get(f"{ENTITIES}?type=Lamp&q=a==3&join=inline")
    assert split.json[0]["next"]["entity"].keys() == {"id", "type", "power", "colour"}


async def test_source_filter_chooses_among_sources(node: Client, there: Client, third: Client) -> None:
    await put(there, lamp(2))
    await put(third, lamp(3))
    await register(node, there.base, owner="the port")
    await register(node, third.base, owner="the city")
    assert list(await lamps(node, '&csf=owner=="the%20port"')) == ["2"]


async def test_slow_source_costs_its_own_part_and_is_told(
    node: Client, there: Client, source: Source
) -> None:
    source.silent = True
    await put(node, lamp(1))
    await put(there, lamp(2))
    await register(node, there.base)
    await register(node, source.url, management={"timeout": 50})
    answer = await node.get(f"{ENTITIES}?type=Lamp")
    assert [each["id"][-1] for each in answer.json] == ["1", "2"]
    assert warnings(answer) == ["199"]
    assert warnings(await node.get(f"{ENTITIES}/{LAMP}")) == ["199"]


async def test_warning_comes_with_an_error_too(node: Client, source: Source) -> None:
    source.status = 500
    await register(node, source.url)
    answer = await node.get(f"{ENTITIES}/{LAMP}")
    assert (answer.status, answer.problem, warnings(answer)) == (404, "ResourceNotFound", ["299"])


@pytest.mark.parametrize(
    ("status", "body", "codes"),
    [
        (403, {"title": "no"}, ["299"]),
        (500, b"oops", ["299"]),
        (200, b"<html>", ["111"]),
        (200, {"colour": "no entity"}, ["111"]),
        (404, b"", []),
    ],
)
async def test_source_that_fails_is_told_by_its_code(
    node: Client, source: Source, status: int, body: Any, codes: list[str]
) -> None:
    source.status, source.body = status, body
    await put(node, lamp(1))
    await register(node, source.url)
    for path in (f"{ENTITIES}/{LAMP}", f"{ENTITIES}?type=Lamp"):
        answer = await node.get(path)
        assert (answer.status, warnings(answer)) == (200, codes)


async def test_dead_source_is_left_alone_while_it_cools_down(node: Client, source: Source) -> None:
    source.status = 503
    await put(node, lamp(1))
    await register(node, source.url, management={"cooldown": 60_000})
    assert warnings(await node.get(f"{ENTITIES}/{LAMP}")) == ["299"]
    assert warnings(await node.get(f"{ENTITIES}/{LAMP}")) == ["199"]
    assert len(source.asked) == 1


async def test_sources_are_asked_at_once(node: Client, source: Source) -> None:
    source.silent = True
    await put(node, lamp(1))
    for _ in range(3):
        await register(node, source.url)
    asking = asyncio.create_task(node.get(f"{ENTITIES}/{LAMP}"))
    while len(source.asked) < 3:
        await asyncio.sleep(0.01)
    assert not asking.done()
    source.body = lamp(1, power=prop("on"))
    source.ended.set()
    assert (await asking).json["power"]["value"] == "on"


async def test_who_may_not_read_here_does_not_have_sources_asked(node: Client, source: Source) -> None:
    await register(node, source.url)
    for path in (f"{ENTITIES}/{LAMP}", f"{ENTITIES}?type=Lamp", "/ngsi-ld/v1/types"):
        assert (await node.get(path, headers={"x-api-key": "stranger"})).status == 403
    assert source.asked == []


async def test_two_nodes_that_register_each_other_do_not_go_round(node: Client, there: Client) -> None:
    await put(node, lamp(1, a=prop(1)))
    await put(there, lamp(1, b=prop(1)))
    await register(node, there.base)
    await register(there, node.base)
    for client in (node, there):
        assert (await lamps(client))["1"] == {**lamp(), "a": 1, "b": 1}
        assert (await client.get(f"{ENTITIES}/{LAMP}?format=simplified")).json == {**lamp(), "a": 1, "b": 1}


async def test_source_that_was_passed_before_is_not_asked(node: Client, source: Source) -> None:
    await put(node, lamp(1))
    await register(node, source.url, contextSourceAlias="harbour")
    answer = await node.get(f"{ENTITIES}/{LAMP}", headers={"Via": "1.1 gate, 1.1 harbour"})
    assert (answer.status, warnings(answer), source.asked) == (200, ["199"], [])


async def test_request_carries_via_tenant_and_what_the_source_wants(node: Client, source: Source) -> None:
    source.body = lamp(1)
    await register(
        node,
        source.url,
        tenant="port",
        management={"localOnly": True},
        contextSourceInfo=[
            {"key": "X-Key", "value": "secret"},
            {"key": "X-User", "value": "urn:ngsi-ld:request"},
            {"key": "X-Absent", "value": "urn:ngsi-ld:request"},
            {"key": "Content-Length", "value": "7"},
            {"key": "NGSILD-Tenant", "value": "other"},
        ],
    )
    await node.get(f"{ENTITIES}/{LAMP}", headers={"Via": "1.1 gate", "X-User": "ann"})
    [asked] = source.asked
    identity = (await node.get("/ngsi-ld/v1/info/sourceIdentity")).json["contextSourceAlias"]
    assert asked.headers["Via"] == f"1.1 gate, 1.1 {identity}"
    assert asked.headers["NGSILD-Tenant"] == "port"
    assert (asked.headers["X-Key"], asked.headers["X-User"]) == ("secret", "ann")
    assert "X-Absent" not in asked.headers
    assert asked.headers.get("Content-Length") != "7"
    assert asked.params["local"] == "true"


async def test_request_speaks_the_words_of_its_context_or_of_the_sources(
    node: Client, source: Source, there: Client
) -> None:
    mine = (
        await there.post("/ngsi-ld/v1/jsonldContexts", {"@context": {"Licht": "https://x.org/Lamp"}})
    ).headers
    theirs = (
        await there.post("/ngsi-ld/v1/jsonldContexts", {"@context": {"Luz": "https://x.org/Lamp"}})
    ).headers
    urls = [there.base + one["Location"] for one in (mine, theirs)]
    information = [{"entities": [{"type": "https://x.org/Lamp"}]}]
    source.body = []
    await register(node, source.url, information=information)
    key = {"key": "jsonldContext", "value": urls[1]}
    await register(node, source.url, information=information, contextSourceInfo=[key])
    link = f'<{urls[0]}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    await node.get(f"{ENTITIES}?type=Licht", headers={"Link": link})
    asked = {one.params["type"]: one.headers["Link"] for one in source.asked}
    assert asked.keys() == {"Licht", "Luz"}
    assert urls[0] in asked["Licht"]
    assert urls[1] in asked["Luz"]


async def test_registration_tells_how_its_source_fared(node: Client, source: Source) -> None:
    source.body = lamp(1)
    id = await register(node, source.url)
    await node.get(f"{ENTITIES}/{LAMP}")
    told = (await node.get(f"{REGISTRATIONS}/{id}")).json
    assert (told["status"], told["timesSent"]) == ("ok", 1)
    source.status = 500
    await node.get(f"{ENTITIES}/{LAMP}")
    told = (await node.get(f"{REGISTRATIONS}/{id}")).json
    assert (told["status"], told["timesSent"], told["timesFailed"]) == ("failed", 2, 1)
    assert told["lastSuccess"] <= told["lastFailure"]
    await node.services.registrations.flush()  # type: ignore[attr-defined]
    with node.services.store.snapshot() as snapshot:
        kept = snapshot.document("", "registrationCounters", id)
    assert kept is not None
    assert kept.body["timesSent"] == 2


async def test_order_over_several_places_is_refused(node: Client, source: Source) -> None:
    await register(node, source.url)
    answer = await node.get(f"{ENTITIES}?type=Lamp&orderBy=power")
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert (await node.get(f"{ENTITIES}?type=Lamp&orderBy=power&local=true")).status == 200


async def test_deleted_registration_is_asked_no_more(node: Client, source: Source) -> None:
    source.body = lamp(1, power=prop("on"))
    id = await register(node, source.url)
    assert (await node.get(f"{ENTITIES}/{LAMP}")).status == 200
    await node.delete(f"{REGISTRATIONS}/{id}")
    assert (await node.get(f"{ENTITIES}/{LAMP}")).status == 404
    assert len(source.asked) == 1


async def test_answers_are_told_again_for_as_long_as_the_source_asks_for(
    node: Client, source: Source
) -> None:
    """5.2.34 and 6.3.17: of the same data, with the warning 110, until something is written there."""
    path = f"{ENTITIES}/{LAMP}"
    source.answers = {("GET", f"/entities/{LAMP}"): (200, lamp(1, power=prop("on")))}
    source.body, source.status = None, 204
    await register(node, source.url, mode="redirect", management={"cacheDuration": "PT1H"})
    asked = [await node.get(path) for _ in range(3)]
    assert [warnings(one) for one in asked] == [[], ["110"], ["110"]]
    assert [one.json["power"]["value"] for one in asked] == ["on"] * 3
    assert len(source.asked) == 1
    assert (await node.patch(path, {"power": prop("off")})).status == 204
    assert warnings(await node.get(path)) == []
    assert [one.method for one in source.asked] == ["GET", "PATCH", "GET"]


async def test_answers_are_kept_no_longer_than_the_source_asks_for(node: Client, source: Source) -> None:
    source.answers = {("GET", f"/entities/{LAMP}"): (200, lamp(1, power=prop("on")))}
    id = await register(node, source.url, management={"cacheDuration": "PT0.05S"})
    async with asyncio.timeout(10):
        while len(source.asked) < 2:
            await node.get(f"{ENTITIES}/{LAMP}")
    changed = {"management": {"cacheDuration": "PT1H"}}
    assert (await node.patch(f"{REGISTRATIONS}/{id}", changed)).status == 204
    for _ in range(2):
        await node.get(f"{ENTITIES}/{LAMP}")
    assert len(source.asked) == 3, "the changed registration begins anew"
