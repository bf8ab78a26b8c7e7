"""Clauses 5.7.3.4, 5.7.4.4, 4.5.5: temporal evolutions are read wherever they are."""

from typing import Any, cast

import pytest

from cityloom.federation.reading.told import Told
from cityloom.model.entity import Attribute, Entity
from cityloom.model.history import Instance
from cityloom.model.time import parse_datetime
from cityloom.store.history_ports import HistoryEntity, HistoryReads, Window
from tests.federation.helpers import LAMP, power_of, prop, register, warnings
from tests.federation.source import Source
from tests.web.node import Answer, Client

TEMPORAL = "/ngsi-ld/v1/temporal/entities"
MAPS = "/ngsi-ld/v1/temporal/entityMaps"
OPERATIONS = ["retrieveTemporal", "queryTemporal"]
OVER = "2019-02-01T00:00:00Z"
ALL = "timerel=after&timeAt=2020-01-01T00:00:00Z"


def at(hour: int, value: Any = None, **more: Any) -> dict[str, Any]:
    return prop(hour if value is None else value, observedAt=f"2026-01-01T{hour:02}:00:00Z", **more)


async def past(node: Client, number: int = 1, **attributes: Any) -> None:
    """Adds to the history of a lamp on a node, and there alone."""
    body = {"id": f"urn:ngsi-ld:Lamp:{number}", "type": "Lamp", **attributes}
    answer = await node.post(f"{TEMPORAL}?local=true", body)
    assert answer.status in (201, 204), answer.body


def values(document: dict[str, Any], name: str = "power") -> list[Any]:
    return [each["value"] for each in document[name]]


def numbers(answer: Answer) -> list[int]:
    assert answer.status in (200, 201), answer.body
    return [int(each["id"].rpartition(":")[2]) for each in answer.json]


async def test_evolution_is_put_together_in_order_of_time(node: Client, there: Client) -> None:
    await past(node, power=[at(1), at(3)], colour=[at(1, "red")])
    await past(there, power=[at(2), at(4)], height=[at(1, 7)])
    await register(node, there.base, operations=OPERATIONS)
    found = (await node.get(f"{TEMPORAL}/{LAMP}?{ALL}")).json
    assert values(found) == [1, 2, 3, 4]
    assert (values(found, "colour"), values(found, "height")) == (["red"], [7])
    assert (await node.get(f"{TEMPORAL}?type=Lamp&{ALL}")).json == [found]
    assert values((await node.get(f"{TEMPORAL}/{LAMP}?{ALL}&local=true")).json) == [1, 3]
    window = "timerel=between&timeAt=2026-01-01T02:00:00Z&endTimeAt=2026-01-01T04:00:00Z"
    assert values((await node.get(f"{TEMPORAL}/{LAMP}?{window}")).json) == [2, 3]
    assert values((await node.get(f"{TEMPORAL}/{LAMP}?{ALL}&lastN=3")).json) == [2, 3, 4]


async def test_evolution_that_lies_there_alone_is_found(node: Client, there: Client) -> None:
    await past(there, power=[at(hour) for hour in range(1, 4)])
    await register(node, there.base, operations=OPERATIONS)
    assert values((await node.get(f"{TEMPORAL}/{LAMP}?{ALL}")).json) == [1, 2, 3]
    missing = await node.get(f"{TEMPORAL}/urn:ngsi-ld:Lamp:9?{ALL}")
    assert (missing.status, warnings(missing)) == (404, [])
    picked = (await node.get(f"{TEMPORAL}/{LAMP}?{ALL}&attrs=power&options=temporalValues")).json
    assert [value for value, _ in picked["power"]["values"]] == [1, 2, 3]


async def test_instance_that_two_places_have_is_told_once(node: Client, there: Client) -> None:
    for place in (node, there):
        await past(place, power=[at(1), at(2)])
    await past(there, power=[at(2, "other")])
    await register(node, there.base, operations=OPERATIONS)
    assert values((await node.get(f"{TEMPORAL}/{LAMP}?{ALL}")).json) == [1, 2, "other"]


class NothingHere:
    """The history of a node that has none."""

    def history_entity(self, tenant: str, entity_id: str) -> HistoryEntity | None:
        return None

    def instances(self, tenant: str, entity_id: str, window: Window) -> dict[str, list[Instance]]:
        return {}


@pytest.mark.parametrize(
    ("window", "found"),
    [
        (Window(), ["one", "added", "three"]),
        (Window(last_n=2), ["added", "three"]),
        (Window(first_n=1), ["one"]),
        (Window(names=["height"]), []),
        (Window(dataset_ids=["urn:other"]), []),
        (Window(start=parse_datetime("2026-01-01T02:00:00Z")), ["added", "three"]),
        (Window(end=parse_datetime("2026-01-01T02:00:00Z")), ["one"]),
    ],
)
def test_auxiliary_source_adds_times_that_nobody_else_has(window: Window, found: list[str]) -> None:
    def told(*instances: tuple[int, str]) -> dict[str, list[Entity]]:
        many = [
            Attribute(kind="Property", value=value, observed_at=f"2026-01-01T0{hour}:00:00Z")
            for hour, value in instances
        ]
        return {LAMP: [Entity(id=LAMP, types=["Lamp"], attributes={"power": many})]}

    here = cast(HistoryReads, NothingHere())
    reads = Told(here, told((3, "three"), (1, "one")), told((1, "theirs"), (2, "added")), "observedAt")
    instances = reads.instances("", LAMP, window).get("power", [])
    assert [one.attribute.value for one in instances] == found


async def test_aggregates_are_of_everything(node: Client, there: Client) -> None:
    await past(node, power=[at(1), at(2)])
    await past(there, power=[at(3), at(10)])
    await register(node, there.base, operations=OPERATIONS)
    asked = "options=aggregatedValues&aggrMethods=sum,totalCount&aggrPeriodDuration=PT0S"
    found = (await node.get(f"{TEMPORAL}/{LAMP}?{ALL}&{asked}")).json
    assert (found["power"]["sum"][0][0], found["power"]["totalCount"][0][0]) == (16, 4)


async def test_filters_are_decided_when_an_evolution_is_whole(node: Client, there: Client) -> None:
    await past(node, 1, power=[at(1)])
    await past(there, 1, height=[at(1, 9)])
    await past(node, 2, power=[at(1)])
    await past(there, 3, power=[at(1)], height=[at(1, 9)])
    await register(node, there.base, operations=OPERATIONS)
    answer = await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&q=power==1;height==9&count=true")
    assert (numbers(answer), answer.headers["NGSILD-Results-Count"]) == ([1, 3], "2")
    whole = await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&q=power==1;height==9&splitEntities=false")
    assert numbers(whole) == [3]


async def test_pages_and_posted_queries_reach_sources(node: Client, there: Client) -> None:
    for number in range(1, 5):
        await past(node if number % 2 else there, number, power=[at(1)])
    await register(node, there.base, operations=OPERATIONS)
    first = await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&limit=3")
    assert (numbers(first), 'rel="next"' in str(first.headers.getall("Link"))) == ([1, 2, 3], True)
    assert numbers(await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&limit=3&offset=3")) == [4]
    window = {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}
    body = {"type": "Query", "entities": [{"type": "Lamp"}], "temporalQ": window}
    path = "/ngsi-ld/v1/temporal/entityOperations/query"
    assert numbers(await node.post(path, body)) == [1, 2, 3, 4]
    ordered = await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&orderBy=id")
    assert (ordered.status, ordered.problem) == (400, "BadRequestData")


async def test_map_of_evolutions_names_who_has_them(node: Client, there: Client) -> None:
    await past(node, 1, power=[at(1)])
    await past(there, 1, power=[at(2)])
    await past(there, 2, power=[at(1)])
    registration = await register(node, there.base, operations=OPERATIONS)
    made = await node.get(f"{MAPS}?type=Lamp&{ALL}")
    assert list(made.json["entityMap"].values()) == [["@none", registration], [registration]]
    await past(there, 3, power=[at(1)])
    used = {"NGSILD-EntityMap": made.headers["NGSILD-EntityMap"]}
    assert numbers(await node.get(f"{TEMPORAL}?type=Lamp&{ALL}", headers=used)) == [1, 2]


@pytest.mark.parametrize(
    ("members", "asked"),
    [
        ({"operations": ["retrieveOps"]}, False),
        ({"operations": None}, False),
        ({}, True),
        ({"observationInterval": {"startAt": "2026-01-01T00:00:00Z"}}, True),
        (
            {"observationInterval": {"startAt": "2019-01-01T00:00:00Z", "endAt": "2019-02-01T00:00:00Z"}},
            False,
        ),
        ({"information": [{"entities": [{"type": "Bus"}]}]}, False),
        ({"information": power_of(1, "height")}, True),
    ],
)
async def test_only_those_that_may_have_it_and_tell_it_are_asked(
    node: Client, source: Source, members: dict[str, Any], asked: bool
) -> None:
    await past(node, power=[at(1)])
    await register(node, source.url, **{"operations": OPERATIONS, **members})
    source.body = []
    assert numbers(await node.get(f"{TEMPORAL}?type=Lamp&{ALL}")) == [1]
    assert [one.path for one in source.asked] == (["/temporal/entities"] if asked else [])
    if members.get("information") and asked:
        assert source.asked[0].params["attrs"].endswith("height")


async def test_csf_chooses_among_sources(node: Client, there: Client) -> None:
    await past(there, power=[at(1)])
    await register(node, there.base, operations=OPERATIONS, owner="the port")
    assert numbers(await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&csf=owner==%22the+port%22")) == [1]
    assert numbers(await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&csf=owner==%22nobody%22")) == []


async def test_source_that_fails_costs_its_own_part(node: Client, source: Source) -> None:
    await past(node, power=[at(1)])
    await register(node, source.url, operations=OPERATIONS)
    for status, body, code in ((500, None, "299"), (200, b"<html>", "111"), (206, [], "199")):
        source.status, source.body = status, body
        answer = await node.get(f"{TEMPORAL}?type=Lamp&{ALL}")
        assert (numbers(answer), warnings(answer)) == ([1], [code])
    source.status, source.body = 500, None
    one = await node.get(f"{TEMPORAL}/{LAMP}?{ALL}")
    assert (values(one.json), warnings(one)) == ([1], ["299"])


async def test_long_answer_is_cut_here_alone(node: Client, there: Client) -> None:
    await past(there, **{f"a{number}": [at(number % 24)] for number in range(40)})
    await past(
        there, 2, power=[prop(minute, observedAt=f"2026-01-01T00:{minute}:00Z") for minute in range(10, 60)]
    )
    await register(node, there.base, operations=OPERATIONS)
    for path in (f"{TEMPORAL}/{LAMP}?{ALL}&lastN=1", f"{TEMPORAL}/urn:ngsi-ld:Lamp:2?{ALL}"):
        ours, theirs = await node.get(path), await there.get(path)
        assert (ours.status, warnings(ours)) == (206, [])
        assert (ours.json, ours.headers["Content-Range"]) == (theirs.json, theirs.headers["Content-Range"])


async def test_loop_ends(node: Client, there: Client) -> None:
    await past(node, power=[at(1)])
    await past(there, power=[at(2)])
    await register(node, there.base, operations=OPERATIONS)
    await register(there, node.base, operations=OPERATIONS)
    assert values((await node.get(f"{TEMPORAL}/{LAMP}?{ALL}")).json) == [1, 2]


ENTITY_MAPS = "/ngsi-ld/v1/entityMaps"
HEADER = "NGSILD-EntityMap"
WITH_MAPS = [*OPERATIONS, "createEntityMapQueryTemporal"]


def ident(number: int) -> str:
    return f"urn:ngsi-ld:Lamp:{number}"


def used(answer: Answer) -> dict[str, str]:
    return {HEADER: answer.headers[HEADER]}


async def test_map_links_the_maps_of_sources(node: Client, there: Client) -> None:
    for number in (1, 2):
        await past(node, number, power=[at(1)])
    for number in (2, 3):
        await past(there, number, power=[at(2)])
    registration = await register(node, there.base, operations=WITH_MAPS)
    made = await node.get(f"{MAPS}?type=Lamp&{ALL}")
    assert made.json["entityMap"] == {
        ident(1): ["@none"],
        ident(2): ["@none", registration],
        ident(3): [registration],
    }
    theirs = await there.get(f"{ENTITY_MAPS}/{made.json['linkedMaps'][registration]}")
    assert (theirs.status, list(theirs.json["entityMap"])) == (200, [ident(2), ident(3)])
    page = await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&limit=2&count=true", headers=used(made))
    assert (numbers(page), page.headers["NGSILD-Results-Count"]) == ([1, 2], "3")
    assert values(page.json[1]) == [1, 2]
    assert numbers(await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&limit=2&offset=2", headers=used(made))) == [3]
    again = (await node.get(made.headers[HEADER])).json
    assert again["linkedMaps"] == made.json["linkedMaps"]


async def test_source_is_told_its_own_map_of_the_past(node: Client, source: Source) -> None:
    await past(node, 1, power=[at(1)])
    registration = await register(node, source.url, operations=WITH_MAPS)
    first, second = f"{ENTITY_MAPS}/urn:ngsi-ld:EntityMap:a", f"{ENTITY_MAPS}/urn:ngsi-ld:EntityMap:b"
    document = {"id": first.rpartition("/")[2], "type": "EntityMap", "entityMap": {ident(2): ["@none"]}}
    source.answers["GET", "/temporal/entityMaps"] = (201, document)
    source.headers = {HEADER: first}
    source.body = [{"id": ident(2), "type": "Lamp", "power": [at(2)]}]
    made = await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&entityMap=true&entityMapLifetime=PT90S")
    assert (made.status, numbers(made)) == (201, [1, 2])
    [making, asking] = source.asked
    assert (making.params["timerel"], making.params["entityMapLifetime"]) == ("after", "PT90S")
    assert (asking.path, asking.params["id"], asking.headers[HEADER]) == (
        "/temporal/entities",
        ident(2),
        first,
    )
    source.headers = {HEADER: second}
    assert numbers(await node.get(f"{TEMPORAL}?type=Lamp&{ALL}&limit=1", headers=used(made))) == [1]
    assert len(source.asked) == 3
    linked = (await node.get(made.headers[HEADER])).json["linkedMaps"]
    assert linked == {registration: "urn:ngsi-ld:EntityMap:b"}


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_source_without_maps_of_the_past_is_queried(node: Client, source: Source, status: int) -> None:
    registration = await register(node, source.url, operations=WITH_MAPS)
    source.answers["GET", "/temporal/entityMaps"] = (status, {"type": "about:blank"})
    source.body = [{"id": ident(2), "type": "Lamp", "power": [at(2)]}]
    made = await node.get(f"{MAPS}?type=Lamp&{ALL}")
    assert (made.json["entityMap"], made.json["linkedMaps"]) == ({ident(2): [registration]}, {})
    assert warnings(made) == []


async def test_evolution_of_a_source_that_fails_keeps_its_place(node: Client, source: Source) -> None:
    for number in (2, 3):
        await past(node, number, power=[at(1)])
    await register(node, source.url, operations=OPERATIONS)
    source.body = [{"id": ident(1), "type": "Lamp", "power": [at(2)]}]
    page = f"{TEMPORAL}?type=Lamp&{ALL}&limit=2"
    first = await node.get(f"{page}&entityMap=true")
    assert numbers(first) == [1, 2]
    source.status = 500
    again = await node.get(page, headers=used(first))
    assert (numbers(again), warnings(again)) == ([2], ["299"])
    assert numbers(await node.get(f"{page}&local=true", headers=used(first))) == [2]
    assert numbers(await node.get(f"{page}&offset=2", headers=used(first))) == [3]
    source.status = 200
    assert numbers(await node.get(page, headers=used(first))) == [1, 2]


async def test_split_evolution_is_decided_when_it_is_whole(node: Client, there: Client) -> None:
    for number, height in ((1, 4), (2, 1)):
        await past(node, number, power=[at(1, "on")])
        await past(there, number, height=[at(1, height)])
    await register(node, there.base, operations=WITH_MAPS)
    words = f"type=Lamp&{ALL}&q=power==%22on%22;height>2&splitEntities=true"
    made = await node.get(f"{MAPS}?{words}")
    assert len(made.json["entityMap"]) == 2
    found = await node.get(f"{TEMPORAL}?{words}&count=true", headers=used(made))
    assert (numbers(found), found.headers["NGSILD-Results-Count"]) == ([1], "1")
    assert list((await node.get(made.headers[HEADER])).json["entityMap"]) == [ident(1)]


async def test_other_window_over_a_map_changes_nothing_of_it(node: Client, there: Client) -> None:
    await past(node, 1, power=[at(1)])
    await past(there, 2, power=[at(9)])
    await register(node, there.base, operations=OPERATIONS)
    made = await node.get(f"{MAPS}?type=Lamp&{ALL}")
    late = "timerel=after&timeAt=2026-01-01T05:00:00Z"
    page = await node.get(f"{TEMPORAL}?type=Lamp&{late}&limit=1&count=true", headers=used(made))
    assert (numbers(page), page.headers["NGSILD-Results-Count"]) == ([2], "1")
    assert len((await node.get(made.headers[HEADER])).json["entityMap"]) == 2


async def test_evolution_is_asked_only_of_those_that_the_map_names(
    node: Client, there: Client, source: Source
) -> None:
    await past(there, power=[at(1)])
    registration = await register(node, there.base, operations=WITH_MAPS)
    await register(node, source.url, operations=OPERATIONS)
    source.status = 404
    first = await node.get(f"{TEMPORAL}/{LAMP}?{ALL}&entityMap=true")
    assert (first.status, len(source.asked)) == (200, 1)
    found = (await node.get(first.headers[HEADER])).json
    assert found["entityMap"] == {LAMP: [registration]}
    theirs = (await there.get(f"{ENTITY_MAPS}/{found['linkedMaps'][registration]}")).json
    assert theirs["entityMap"] == {LAMP: ["@none"]}
    again = await node.get(f"{TEMPORAL}/{LAMP}?{ALL}", headers=used(first))
    assert (values(again.json), len(source.asked), used(again)) == ([1], 1, used(first))
    assert (await node.get(first.headers[HEADER])).json["linkedMaps"] == found["linkedMaps"]
