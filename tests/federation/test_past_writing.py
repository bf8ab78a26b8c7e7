"""Clauses 5.6.11 to 5.6.16 with 4.3.6: what is written to the past goes where it belongs."""

from typing import Any

import pytest

from tests.federation.helpers import LAMP, power_of, prop, register
from tests.federation.source import Source
from tests.web.node import Answer, Client

TEMPORAL = "/ngsi-ld/v1/temporal/entities"
PATH = f"{TEMPORAL}/{LAMP}"
POWER = f"{PATH}/attrs/power"
OPERATIONS = [
    "upsertTemporal",
    "appendAttrsTemporal",
    "deleteAttrsTemporal",
    "updateAttrInstanceTemporal",
    "deleteAttrInstanceTemporal",
    "deleteTemporal",
    "retrieveTemporal",
]


def at(hour: int, value: Any) -> dict[str, Any]:
    return prop(value, observedAt=f"2026-01-01T{hour:02}:00:00Z")


BODY: dict[str, Any] = {"power": [at(1, "on"), at(2, "off")], "colour": [at(1, "red")]}
WHOLE = {"id": LAMP, "type": "Lamp", "scope": "/street", **BODY}


async def past(node: Client) -> dict[str, list[Any]] | None:
    """The values of the evolution on a node, and there alone, by attribute."""
    answer = await node.get(f"{PATH}?local=true")
    if answer.status == 404:
        return None
    return {
        name: [each["value"] for each in (told if isinstance(told, list) else [told])]
        for name, told in answer.json.items()
        if name in ("power", "colour")
    }


async def keep(node: Client, **attributes: Any) -> None:
    body = {"id": LAMP, "type": "Lamp", **attributes}
    assert (await node.post(f"{TEMPORAL}?local=true", body)).status in (201, 204)


async def upsert(node: Client, **options: Any) -> Answer:
    return await node.post(TEMPORAL, WHOLE, **options)


async def test_exclusive_attribute_goes_to_its_source_alone(node: Client, there: Client) -> None:
    await register(node, there.base, mode="exclusive", information=power_of(), operations=OPERATIONS)
    assert (await upsert(node)).status == 201
    assert await past(node) == {"colour": ["red"]}
    assert await past(there) == {"power": ["on", "off"]}
    more = {"power": [at(3, "dim")], "colour": [at(3, "blue")]}
    assert (await node.post(f"{PATH}/attrs", more)).status == 204
    assert await past(node) == {"colour": ["red", "blue"]}
    assert await past(there) == {"power": ["on", "off", "dim"]}
    assert (await node.delete(f"{POWER}?deleteAll=true")).status == 204
    assert await past(there) == {}
    assert await past(node) == {"colour": ["red", "blue"]}


async def test_redirected_evolution_is_written_at_every_source_and_not_here(
    node: Client, there: Client, third: Client
) -> None:
    for client in (there, third):
        await register(node, client.base, mode="redirect", operations=OPERATIONS)
    made = await upsert(node)
    assert (made.status, made.headers["Location"]) == (201, PATH)
    assert (await node.post(TEMPORAL, {"id": LAMP, "type": "Lamp", "power": [at(3, "dim")]})).status == 204
    assert await past(node) is None
    assert await past(there) == await past(third) == {"power": ["on", "off", "dim"], "colour": ["red"]}
    assert (await there.get(f"{PATH}?local=true")).json["scope"] == "/street"
    assert (await node.delete(PATH)).status == 204
    assert await past(there) is await past(third) is None


async def test_inclusive_evolution_is_written_here_and_there(node: Client, there: Client) -> None:
    await register(node, there.base, operations=OPERATIONS)
    assert (await upsert(node)).status == 201
    assert await past(node) == await past(there) == {"power": ["on", "off"], "colour": ["red"]}
    assert (await node.post(f"{PATH}/attrs", {"power": [at(3, "dim")]})).status == 204
    assert await past(node) == await past(there) == {"power": ["on", "off", "dim"], "colour": ["red"]}
    assert (await node.delete(PATH)).status == 204
    assert await past(node) is await past(there) is None


async def test_evolution_that_lies_there_alone_is_changed_there(node: Client, there: Client) -> None:
    await keep(there, **BODY)
    await register(node, there.base, operations=OPERATIONS)
    assert (await node.post(f"{PATH}/attrs", {"power": [at(3, "dim")]})).status == 204
    assert await past(node) is None
    first = (await there.get(f"{PATH}?local=true")).json["power"][0]["instanceId"]
    assert (await node.patch(f"{POWER}/{first}", at(1, "up"))).status == 204
    assert sorted((await past(there) or {})["power"]) == ["dim", "off", "up"]
    assert (await node.delete(f"{POWER}/{first}")).status == 204
    assert sorted((await past(there) or {})["power"]) == ["dim", "off"]
    assert (await node.delete(POWER)).status == 204
    assert await past(there) == {"colour": ["red"]}
    assert (await node.delete(POWER)).problem == "ResourceNotFound"


@pytest.mark.parametrize("mode", ["redirect", "inclusive"])
async def test_source_that_does_not_support_it_is_not_asked(node: Client, source: Source, mode: str) -> None:
    """5.6.11.4: of a proxied source that is a conflict."""
    await register(node, source.url, mode=mode, operations=["redirectionOps", "retrieveTemporal"])
    answer = await upsert(node)
    if mode == "redirect":
        assert (answer.status, answer.problem) == (409, "Conflict")
        assert await past(node) is None
    else:
        assert answer.status == 201
    assert source.asked == []


async def test_local_write_and_one_without_rights_stay_here(node: Client, source: Source) -> None:
    await register(node, source.url, operations=OPERATIONS)
    assert (await upsert(node, headers={"x-api-key": "reader"})).status == 403
    await keep(node, **BODY)
    assert (await node.delete(f"{PATH}?local=true")).status == 204
    assert source.asked == []


async def test_evolution_written_in_part_is_told(node: Client, source: Source) -> None:
    source.status, source.body = 409, {"title": "no", "detail": "it is locked"}
    id = await register(node, source.url, operations=OPERATIONS)
    answer = await upsert(node)
    assert (answer.status, answer.json["success"]) == (207, [LAMP])
    [error] = answer.json["errors"]
    assert (error["registrationId"], error["error"]["status"]) == (id, 409)
    assert await past(node) == {"power": ["on", "off"], "colour": ["red"]}


async def test_instances_keep_what_they_say_on_the_way(node: Client, source: Source) -> None:
    source.status = 204
    interval = {"startAt": "2020-01-01T00:00:00Z"}
    await register(node, source.url, mode="redirect", operations=OPERATIONS, observationInterval=interval)
    gone = {"type": "Property", "value": "urn:ngsi-ld:null", "deletedAt": "2026-01-01T03:00:00Z"}
    await node.post(TEMPORAL, {**WHOLE, "power": [at(1, "on"), at(2, "off") | {"datasetId": "urn:d:b"}]})
    await node.post(f"{PATH}/attrs", {"power": [gone]})
    await node.delete(f"{POWER}?datasetId=urn:d:b")
    await node.delete(POWER)
    [whole, added, dataset, default] = source.asked
    assert whole.path == "/temporal/entities"
    assert whole.body == {
        **WHOLE,
        "power": [at(1, "on"), at(2, "off") | {"datasetId": "urn:d:b"}],
        "colour": at(1, "red"),
    }
    assert added.body == {"power": gone}
    assert (dataset.params, default.params) == ({"datasetId": "urn:d:b"}, {})


async def test_instances_conform_to_the_version_of_the_source(node: Client, source: Source) -> None:
    """4.3.6.8: kinds that it does not know are Properties to it."""
    version = {"key": "ngsildConformance", "value": "1.5"}
    await register(node, source.url, mode="redirect", operations=OPERATIONS, contextSourceInfo=[version])
    source.status = 204
    states = {"type": "ListProperty", "valueList": ["on"], "observedAt": "2026-01-01T01:00:00Z"}
    await node.post(TEMPORAL, {"id": LAMP, "type": "Lamp", "states": [states]})
    await node.post(f"{PATH}/attrs", {"states": [states]})
    written, appended = (asked.body["states"] for asked in source.asked)
    assert written == appended
    for each in written if isinstance(written, list) else [written]:
        assert (each["type"], each["value"]) == ("Property", ["on"])
