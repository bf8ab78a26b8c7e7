"""Clauses 4.3.6.7, 5.5.9.3, 5.5.14, 5.7.1.4, 5.7.2.4, 5.14.4: entity maps over registered sources."""

from typing import Any

import pytest

from tests.federation.helpers import ENTITIES, LAMP, REGISTRATIONS, lamp, prop, put, register, warnings
from tests.federation.source import Source
from tests.web.node import Answer, Client

MAPS = "/ngsi-ld/v1/entityMaps"
HEADER = "NGSILD-EntityMap"
LAMPS = f"{ENTITIES}?type=Lamp"


def ident(number: int) -> str:
    return f"urn:ngsi-ld:Lamp:{number}"


def numbers(answer: Answer) -> list[int]:
    return [int(each["id"].rpartition(":")[2]) for each in answer.json]


def used(answer: Answer) -> dict[str, str]:
    return {HEADER: answer.headers[HEADER]}


async def test_map_names_who_has_what_and_the_sources_own_map(node: Client, there: Client) -> None:
    await put(node, lamp(1, power=prop("on")), lamp(2))
    await put(there, lamp(1, height=prop(4)), lamp(3))
    at = await register(node, there.base)
    made = (await node.get(f"{MAPS}?type=Lamp")).json
    assert made["entityMap"] == {ident(1): ["@none", at], ident(2): ["@none"], ident(3): [at]}
    theirs = await there.get(f"{MAPS}/{made['linkedMaps'][at]}")
    assert (theirs.status, list(theirs.json["entityMap"])) == (200, [ident(1), ident(3)])
    here = (await node.get(f"{MAPS}?type=Lamp&local=true")).json
    assert (list(here["entityMap"]), here["linkedMaps"]) == ([ident(1), ident(2)], {})


async def test_pages_over_sources_stay_consistent(node: Client, there: Client) -> None:
    await put(node, *(lamp(number, height=prop(number)) for number in (1, 3, 5)))
    await put(there, *(lamp(number, height=prop(number)) for number in (2, 4, 6)))
    await register(node, there.base)
    first = await node.get(f"{LAMPS}&q=height>0&entityMap=true&limit=2")
    assert (first.status, numbers(first)) == (201, [1, 2])
    await put(there, lamp(0, height=prop(9)))
    await there.delete(f"{ENTITIES}/{ident(4)}")
    await node.patch(f"{ENTITIES}/{ident(3)}/attrs?local=true", {"height": prop(0)})
    path = f"{LAMPS}&q=height>0&limit=2"
    second = await node.get(f"{path}&offset=2&count=true", headers=used(first))
    assert (second.status, numbers(second)) == (200, [5, 6])
    assert second.headers["NGSILD-Results-Count"] == "4"
    assert numbers(await node.get(path, headers=used(first))) == [1, 2]
    assert list((await node.get(first.headers[HEADER])).json["entityMap"]) == [ident(n) for n in (1, 2, 5, 6)]


async def test_split_entity_is_decided_when_it_is_whole(node: Client, there: Client) -> None:
    await put(node, lamp(1, power=prop("on")), lamp(2, power=prop("on")))
    await put(there, lamp(1, height=prop(4)), lamp(2, height=prop(1)))
    await register(node, there.base)
    path = f"type=Lamp&q=power=={'%22on%22'};height>2"
    made = await node.get(f"{MAPS}?{path}")
    assert len(made.json["entityMap"]) == 2
    found = await node.get(f"{ENTITIES}?{path}", headers=used(made))
    assert numbers(found) == [1]
    assert list((await node.get(made.headers[HEADER])).json["entityMap"]) == [ident(1)]


async def test_unsplit_entities_are_filtered_where_they_lie(node: Client, there: Client) -> None:
    await put(node, lamp(1, height=prop(1)), lamp(2, height=prop(5)))
    await put(there, lamp(3, height=prop(1)), lamp(4, height=prop(5)))
    await register(node, there.base)
    path = "type=Lamp&q=height>2&splitEntities=false"
    made = await node.get(f"{MAPS}?{path}")
    assert list(made.json["entityMap"]) == [ident(2), ident(4)]
    assert numbers(await node.get(f"{ENTITIES}?{path}", headers=used(made))) == [2, 4]


async def test_source_is_told_its_own_map_and_its_new_one_is_kept(node: Client, source: Source) -> None:
    at = await register(node, source.url)
    first, second = f"{MAPS}/urn:ngsi-ld:EntityMap:a", f"{MAPS}/urn:ngsi-ld:EntityMap:b"
    document: dict[str, Any] = {"id": first.rpartition("/")[2], "type": "EntityMap"}
    source.answers["GET", "/entityMaps"] = (201, {**document, "entityMap": {LAMP: ["@none"]}})
    source.headers = {HEADER: first}
    source.body = [lamp(1, height=prop(4))]
    made = await node.get(f"{LAMPS}&entityMap=true&entityMapLifetime=PT90S")
    assert numbers(made) == [1]
    [making, asking] = source.asked
    assert (making.path, making.params["entityMapLifetime"]) == ("/entityMaps", "PT90S")
    assert (asking.path, asking.params["id"], asking.headers[HEADER]) == ("/entities", LAMP, first)
    source.headers = {HEADER: second}
    assert numbers(await node.get(LAMPS, headers=used(made))) == [1]
    linked = (await node.get(made.headers[HEADER])).json["linkedMaps"]
    assert linked == {at: "urn:ngsi-ld:EntityMap:b"}


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_source_without_maps_is_queried(node: Client, source: Source, status: int) -> None:
    at = await register(node, source.url, management={"cooldown": 60_000})
    source.answers["GET", "/entityMaps"] = (status, {"type": "about:blank"})
    source.body = [lamp(1, height=prop(4))]
    made = await node.get(f"{LAMPS}&entityMap=true")
    assert (numbers(made), warnings(made)) == ([1], [])
    found = (await node.get(made.headers[HEADER])).json
    assert (found["entityMap"], found["linkedMaps"]) == ({LAMP: [at]}, {})


async def test_source_that_answers_no_map_costs_its_own_part(node: Client, source: Source) -> None:
    await put(node, lamp(2))
    await register(node, source.url)
    source.answers["GET", "/entityMaps"] = (201, ["nothing"])
    made = await node.get(f"{LAMPS}&entityMap=true")
    assert (numbers(made), warnings(made)) == ([2], ["111"])


async def test_entity_of_a_source_that_fails_keeps_its_place(node: Client, source: Source) -> None:
    await put(node, lamp(2), lamp(3))
    await register(node, source.url, operations=["queryEntity"])
    source.body = [lamp(1, height=prop(4))]
    first = await node.get(f"{LAMPS}&entityMap=true&limit=2")
    assert numbers(first) == [1, 2]
    source.status = 500
    again = await node.get(f"{LAMPS}&limit=2", headers=used(first))
    assert (numbers(again), warnings(again)) == ([2], ["299"])
    assert numbers(await node.get(f"{LAMPS}&limit=2&offset=2", headers=used(first))) == [3]
    source.status = 200
    assert numbers(await node.get(f"{LAMPS}&limit=2", headers=used(first))) == [1, 2]


async def test_local_reading_of_a_map_loses_nothing_of_it(node: Client, there: Client) -> None:
    await put(node, lamp(1))
    await put(there, lamp(2))
    await register(node, there.base)
    made = await node.get(f"{MAPS}?type=Lamp")
    assert numbers(await node.get(f"{LAMPS}&local=true", headers=used(made))) == [1]
    assert numbers(await node.get(LAMPS, headers=used(made))) == [1, 2]


async def test_source_that_is_gone_takes_its_entities_along(node: Client, there: Client) -> None:
    await put(node, lamp(1))
    await put(there, lamp(2))
    at = await register(node, there.base)
    made = await node.get(f"{MAPS}?type=Lamp")
    await node.delete(f"{REGISTRATIONS}/{at}")
    assert numbers(await node.get(LAMPS, headers=used(made))) == [1]


async def test_retrieve_asks_only_those_that_the_map_names(
    node: Client, there: Client, source: Source
) -> None:
    await put(there, lamp(1, height=prop(4)))
    at = await register(node, there.base)
    await register(node, source.url)
    source.status = 404
    first = await node.get(f"{ENTITIES}/{LAMP}?entityMap=true")
    assert (first.status, len(source.asked)) == (200, 1)
    assert (await node.get(first.headers[HEADER])).json["entityMap"] == {LAMP: [at]}
    again = await node.get(f"{ENTITIES}/{LAMP}", headers=used(first))
    assert (again.json["height"]["value"], len(source.asked), used(again)) == (4, 1, used(first))


async def test_retrieve_links_the_maps_that_sources_use(node: Client, there: Client) -> None:
    await put(there, lamp(1, height=prop(4)))
    at = await register(node, there.base)
    first = await node.get(f"{ENTITIES}/{LAMP}?entityMap=true")
    linked = (await node.get(first.headers[HEADER])).json["linkedMaps"]
    assert (await there.get(f"{MAPS}/{linked[at]}")).json["entityMap"] == {LAMP: ["@none"]}
    await node.get(f"{ENTITIES}/{LAMP}", headers=used(first))
    assert (await node.get(first.headers[HEADER])).json["linkedMaps"] == linked


@pytest.mark.parametrize("status", [400, 405, 501])
async def test_source_that_knows_no_flag_is_asked_without(node: Client, source: Source, status: int) -> None:
    await register(node, source.url, management={"cooldown": 60_000})
    source.body = lamp(1, height=prop(4))

    def answer(params: dict[str, str]) -> int:
        return status if "entityMap" in params else 200

    source.judge = answer
    first = await node.get(f"{ENTITIES}/{LAMP}?entityMap=true")
    assert (first.json["height"]["value"], warnings(first)) == (4, [])
    assert (await node.get(first.headers[HEADER])).json["linkedMaps"] == {}
    assert ["entityMap" in one.params for one in source.asked] == [True, False]


async def test_source_that_makes_maps_alone_is_in_the_map(node: Client, source: Source) -> None:
    await put(node, lamp(2))
    at = await register(node, source.url, operations=["createEntityMapQueryEntity"])
    document = {"id": "urn:ngsi-ld:EntityMap:a", "type": "EntityMap", "entityMap": {LAMP: ["@none"]}}
    source.answers["GET", "/entityMaps"] = (201, document)
    made = await node.get(f"{MAPS}?type=Lamp")
    assert made.json["entityMap"] == {LAMP: [at], ident(2): ["@none"]}
    assert made.json["linkedMaps"] == {at: document["id"]}
    assert numbers(await node.get(LAMPS, headers=used(made))) == [2]
    assert len((await node.get(made.headers[HEADER])).json["entityMap"]) == 2
    assert [one.path for one in source.asked] == ["/entityMaps"]
