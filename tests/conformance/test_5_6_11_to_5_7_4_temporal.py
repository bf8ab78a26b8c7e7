"""Clauses 5.6.11 to 5.6.16, 5.7.3 and 5.7.4: temporal evolution; cut answers (6.3.10)."""

from typing import Any

import pytest

from tests.conformance.data import ENTITIES, TEMPORAL, lamp, prop
from tests.web.node import Client

ID = "urn:ngsi-ld:Sensor:1"
SENSOR = f"{TEMPORAL}/{ID}"
RANGE = "timerel=after&timeAt=2026-01-01T00:00:00Z"


def hour(number: int) -> str:
    return f"2026-01-01T{number:02}:00:00Z"


def evolution(count: int = 5, id: str = ID) -> dict[str, Any]:
    return {
        "id": id,
        "type": "Sensor",
        "speed": [prop(number, observedAt=hour(number)) for number in range(1, count + 1)],
    }


def values(found: dict[str, Any], name: str = "speed") -> list[Any]:
    instances = found[name] if isinstance(found[name], list) else [found[name]]
    return [each["value"] for each in instances]


@pytest.fixture
async def sensor(node: Client) -> Client:
    answer = await node.post(TEMPORAL, evolution())
    assert (answer.status, answer.headers["Location"]) == (201, SENSOR)
    return node


async def test_upsert_history_answers_204_when_it_is_there(sensor: Client) -> None:
    more = {"id": ID, "type": "Sensor", "speed": [prop(6, observedAt=hour(6))]}
    assert (await sensor.post(TEMPORAL, more)).status == 204
    assert values((await sensor.get(f"{SENSOR}?{RANGE}")).json) == [1, 2, 3, 4, 5, 6]


async def test_write_is_read_back_as_history(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    await node.patch(f"{ENTITIES}/{lamp()['id']}/attrs", {"powerState": prop("off")})
    path = f"{TEMPORAL}/{lamp()['id']}?timeproperty=modifiedAt&timerel=after&timeAt=2020-01-01T00:00:00Z"
    assert values((await node.get(path)).json, "powerState") == ["on", "off"]


async def test_delete_leaves_tombstones(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    await node.delete(f"{ENTITIES}/{lamp()['id']}/attrs/powerState")
    path = f"{TEMPORAL}/{lamp()['id']}?timeproperty=modifiedAt&timerel=after&timeAt=2020-01-01T00:00:00Z"
    instances = (await node.get(path)).json["powerState"]
    assert [each["value"] for each in instances] == ["on", "urn:ngsi-ld:null"]
    assert "deletedAt" in instances[1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1, 2, 3, 4, 5]),
        (f"timerel=before&timeAt={hour(3)}", [1, 2]),
        (f"timerel=after&timeAt={hour(3)}", [3, 4, 5]),
        (f"timerel=between&timeAt={hour(2)}&endTimeAt={hour(4)}", [2, 3]),
        ("lastN=2", [5, 4]),
        (f"timerel=before&timeAt={hour(4)}&lastN=1", [3]),
    ],
)
async def test_retrieve_history_answers_the_interval(sensor: Client, query: str, found: list[int]) -> None:
    answer = await sensor.get(f"{SENSOR}?{query}")
    assert answer.status == 200
    assert sorted(values(answer.json)) == sorted(found)


async def test_retrieve_history_answers_values_with_times(sensor: Client) -> None:
    for parameter in ("options", "format"):
        found = (await sensor.get(f"{SENSOR}?{parameter}=temporalValues&lastN=5")).json["speed"]
        assert found["type"] == "Property"
        assert sorted(found["values"]) == [[number, hour(number)] for number in range(1, 6)]


async def test_retrieve_history_answers_aggregates(sensor: Client) -> None:
    query = "format=aggregatedValues&aggrMethods=min,max,avg,totalCount&aggrPeriodDuration=P1D"
    found = (await sensor.get(f"{SENSOR}?{query}&{RANGE}")).json["speed"]
    assert found["min"][0][0] == 1
    assert found["max"][0][0] == 5
    assert found["avg"][0][0] == 3
    assert found["totalCount"][0][0] == 5


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("timerel=near&timeAt=2026-01-01T00:00:00Z", "BadRequestData"),
        ("timerel=before", "BadRequestData"),
        ("timerel=before&timeAt=yesterday", "BadRequestData"),
        ("timerel=between&timeAt=2026-01-01T00:00:00Z", "BadRequestData"),
        ("lastN=0", "BadRequestData"),
        ("lastN=x", "BadRequestData"),
        ("timeproperty=odd", "BadRequestData"),
        ("format=odd", "InvalidRequest"),
        ("options=keyValues", "InvalidRequest"),
        ("options=temporalValues,aggregatedValues", "InvalidRequest"),
        ("format=aggregatedValues", "InvalidRequest"),
        ("format=aggregatedValues&aggrMethods=odd", "BadRequestData"),
        ("format=aggregatedValues&aggrMethods=sum&aggrPeriodDuration=day", "BadRequestData"),
        ("q=speed", "InvalidRequest"),
    ],
)
async def test_retrieve_history_refuses_parameters(sensor: Client, query: str, problem: str) -> None:
    answer = await sensor.get(f"{SENSOR}?{query}")
    assert (answer.status, answer.problem) == (400, problem)


async def test_retrieve_history_answers_404_and_400(node: Client) -> None:
    assert (await node.get(SENSOR)).problem == "ResourceNotFound"
    assert (await node.get(f"{TEMPORAL}/nouri")).problem == "BadRequestData"


async def test_query_history_finds_by_values_and_time(sensor: Client) -> None:
    await sensor.post(TEMPORAL, evolution(2, "urn:ngsi-ld:Sensor:2"))
    for query, found in (
        (f"type=Sensor&{RANGE}", [ID, "urn:ngsi-ld:Sensor:2"]),
        (f"type=Sensor&timerel=after&timeAt={hour(3)}", [ID]),
        (f"type=Sensor&q=speed%3E4&{RANGE}", [ID]),
        (f"attrs=speed&id=urn:ngsi-ld:Sensor:2&{RANGE}", ["urn:ngsi-ld:Sensor:2"]),
        (f"type=Bus&{RANGE}", []),
    ):
        answer = await sensor.get(f"{TEMPORAL}?{query}")
        assert (answer.status, [each["id"] for each in answer.json]) == (200, found), query


async def test_query_history_pages_and_counts(sensor: Client) -> None:
    await sensor.post(TEMPORAL, evolution(2, "urn:ngsi-ld:Sensor:2"))
    answer = await sensor.get(f"{TEMPORAL}?type=Sensor&limit=1&count=true&{RANGE}")
    assert [each["id"] for each in answer.json] == [ID]
    assert answer.headers["NGSILD-Results-Count"] == "2"
    assert any('rel="next"' in link for link in answer.headers.getall("Link"))


@pytest.mark.parametrize("query", ["type=Sensor", RANGE, f"type=Sensor&{RANGE}&orderBy=speed"])
async def test_query_history_refuses_what_is_too_wide_or_has_no_time(node: Client, query: str) -> None:
    answer = await node.get(f"{TEMPORAL}?{query}")
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_query_history_by_post_finds_the_same(sensor: Client) -> None:
    path = "/ngsi-ld/v1/temporal/entityOperations/query"
    body = {
        "type": "Query",
        "entities": [{"type": "Sensor"}],
        "temporalQ": {"timerel": "after", "timeAt": hour(3)},
    }
    assert values((await sensor.post(path, body)).json[0]) == [3, 4, 5]
    body["aggrParams"] = {"aggrMethods": ["sum"]}  # type: ignore[assignment]
    answer = await sensor.post(f"{path}?format=aggregatedValues", body)
    assert answer.json[0]["speed"]["sum"][0][0] == 12


async def test_cut_answer_tells_its_range(node: Client) -> None:
    many = {
        "id": ID,
        "type": "Sensor",
        "speed": [prop(number, observedAt=f"2026-01-01T00:{number:02}:00Z") for number in range(40)],
    }
    await node.post(TEMPORAL, many)
    answer = await node.get(f"{SENSOR}?timerel=after&timeAt=2025-12-31T23:59:00Z")
    assert answer.status == 206
    start, _, rest = answer.headers["Content-Range"].removeprefix("date-time ").partition("Z-")
    assert (start, rest.endswith("/*")) == ("2025-12-31T23:59:00", True)
    assert len(answer.json["speed"]) < 40


async def test_append_and_delete_attributes_of_history(sensor: Client) -> None:
    body = {"height": [prop(1, observedAt=hour(1)), prop(2, observedAt=hour(2))]}
    assert (await sensor.post(f"{SENSOR}/attrs/", body)).status == 204
    assert values((await sensor.get(SENSOR)).json, "height") == [1, 2]
    assert (await sensor.delete(f"{SENSOR}/attrs/height")).status == 204
    assert "height" not in (await sensor.get(SENSOR)).json
    assert (await sensor.delete(f"{SENSOR}/attrs/height")).status == 404
    assert (await sensor.post(f"{TEMPORAL}/urn:a:none/attrs", body)).status == 404


async def test_update_and_delete_one_instance(sensor: Client) -> None:
    instances = (await sensor.get(SENSOR)).json["speed"]
    one, other = instances[0]["instanceId"], instances[1]["instanceId"]
    answer = await sensor.patch(f"{SENSOR}/attrs/speed/{one}", prop(100, observedAt=hour(1)))
    assert answer.status == 204
    assert (await sensor.delete(f"{SENSOR}/attrs/speed/{other}")).status == 204
    assert sorted(values((await sensor.get(SENSOR)).json)) == [3, 4, 5, 100]
    assert (await sensor.delete(f"{SENSOR}/attrs/speed/{other}")).status == 404
    assert (await sensor.patch(f"{SENSOR}/attrs/speed/{other}", prop(1))).status == 404
    assert (await sensor.delete(f"{SENSOR}/attrs/speed/nouri")).status == 400


async def test_delete_history_ends_it(sensor: Client) -> None:
    assert (await sensor.delete(SENSOR)).status == 204
    assert (await sensor.get(SENSOR)).status == 404
    assert (await sensor.delete(SENSOR)).status == 404


async def test_instance_of_the_same_time_is_added_to_what_was_recorded(sensor: Client) -> None:
    """5.6.11.4 and 5.6.12.4: added, whatever was observed at that time before."""
    again = {"id": ID, "type": "Sensor", "speed": [prop(30, observedAt=hour(3))]}
    assert (await sensor.post(TEMPORAL, again)).status == 204
    found = values((await sensor.get(f"{SENSOR}?{RANGE}")).json)
    assert sorted(found) == [1, 2, 3, 4, 5, 30]


async def test_delete_of_an_attribute_takes_the_instances_of_its_dataset(node: Client) -> None:
    """5.6.13: the default ones, those of a dataset, or all."""
    mixed = [prop(1, observedAt=hour(1)), prop(2, observedAt=hour(2), datasetId="urn:d:b")]
    mixed.append(prop(3, observedAt=hour(3), datasetId="urn:d:c"))
    for query, left in (("", [2, 3]), ("?datasetId=urn:d:b", [1, 3]), ("?deleteAll=true", None)):
        await node.post(TEMPORAL, {"id": ID, "type": "Sensor", "speed": mixed})
        assert (await node.delete(f"{SENSOR}/attrs/speed{query}")).status == 204
        found = (await node.get(SENSOR)).json
        assert ("speed" not in found) if left is None else (sorted(values(found)) == left)
        await node.delete(SENSOR)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {}),
        ("POST", "", {"type": "Sensor"}),
        ("POST", "", {"id": ID}),
        ("POST", "", {"id": "no uri", "type": "Sensor"}),
        ("POST", "", {"id": ID, "type": "Sensor", "speed": [{"type": "Property"}]}),
        ("POST", "", {"id": ID, "type": "Sensor", "speed": [prop(1, observedAt="then")]}),
        ("POST", f"/{ID}/attrs", {}),
        ("POST", f"/{ID}/attrs", {"speed": [{"type": "Odd", "value": 1}]}),
        ("POST", f"/{ID}/attrs", {"id": "urn:a:other", "speed": [prop(1)]}),
        ("POST", "/no%20uri/attrs", {"speed": [prop(1)]}),
        ("PATCH", f"/{ID}/attrs/speed/nouri", prop(1)),
        ("PATCH", f"/{ID}/attrs/sp(eed/urn:a:1", prop(1)),
        ("DELETE", f"/{ID}/attrs/speed/nouri", None),
        ("DELETE", f"/{ID}/attrs/sp(eed", None),
        ("DELETE", "/nouri", None),
    ],
)
async def test_write_to_history_answers_400_and_changes_nothing(
    sensor: Client, method: str, path: str, body: Any
) -> None:
    before = (await sensor.get(SENSOR)).json
    answer = await sensor.ask(method, TEMPORAL + path, body)
    assert (answer.status, answer.problem) == (400, "BadRequestData")
    assert (await sensor.get(SENSOR)).json == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/urn:a:none/attrs", {"speed": [prop(1)]}),
        ("DELETE", "/urn:a:none", None),
        ("DELETE", "/urn:a:none/attrs/speed", None),
        ("DELETE", f"/{ID}/attrs/none", None),
        ("DELETE", f"/{ID}/attrs/speed/urn:a:none", None),
        ("PATCH", f"/{ID}/attrs/speed/urn:a:none", prop(1)),
        ("PATCH", f"/{ID}/attrs/none/urn:a:none", prop(1)),
        ("PATCH", "/urn:a:none/attrs/speed/urn:a:none", prop(1)),
    ],
)
async def test_write_to_history_answers_404_when_it_is_not_there(
    sensor: Client, method: str, path: str, body: Any
) -> None:
    answer = await sensor.ask(method, TEMPORAL + path, body)
    assert (answer.status, answer.problem) == (404, "ResourceNotFound")
