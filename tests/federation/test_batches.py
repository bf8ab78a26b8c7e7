"""Clauses 4.3.6, 5.6.7 to 5.6.10, 5.6.20 and 5.6.21: batches and purges go where they belong."""

from typing import Any

from tests.federation.helpers import (
    BATCH,
    ENTITIES,
    LAMP,
    held,
    lamp,
    power_of,
    prop,
    put,
    register,
)
from tests.federation.source import Source
from tests.web.node import Client

PATH = f"{ENTITIES}/{LAMP}"
BODY: dict[str, Any] = {"power": prop("off"), "colour": prop("blue")}


async def test_batch_goes_in_shares_to_each_source(node: Client, there: Client) -> None:
    await register(node, there.base, mode="exclusive", information=power_of())
    answer = await node.post(f"{BATCH}/create", [lamp(1, **BODY), lamp(2, **BODY)])
    assert (answer.status, answer.json) == (201, [LAMP, "urn:ngsi-ld:Lamp:2"])
    assert await held(node) == {**lamp(), "colour": "blue"}
    assert await held(there) == {**lamp(), "power": "off"}
    assert await held(there, "urn:ngsi-ld:Lamp:2") is None
    for name, value in (("update", "a"), ("merge", "b"), ("upsert", "c")):
        answer = await node.post(f"{BATCH}/{name}", [lamp(1, power=prop(value), colour=prop(value))])
        assert answer.status == 204, (name, answer.body)
        assert (await held(node) or {})["colour"] == value
        assert (await held(there) or {})["power"] == value
    assert (await node.post(f"{BATCH}/delete", [LAMP])).status == 204
    assert await held(there) is None
    assert await held(node) is None


async def test_batch_that_fails_in_places_is_told_by_entity_and_registration(
    node: Client, source: Source
) -> None:
    source.status = 207
    problem = {"entityId": LAMP, "error": {"status": 409, "detail": "it is locked"}}
    source.body = {"success": ["urn:ngsi-ld:Lamp:2"], "errors": [problem]}
    id = await register(node, source.url)
    answer = await node.post(f"{BATCH}/create", [lamp(1), lamp(2)])
    assert answer.status == 207
    assert sorted(answer.json["success"]) == [LAMP, "urn:ngsi-ld:Lamp:2"]
    [error] = answer.json["errors"]
    assert (error["entityId"], error["registrationId"], error["error"]["detail"]) == (
        LAMP,
        id,
        "it is locked",
    )


async def test_upsert_one_by_one_reaches_the_sources_of_a_source(
    node: Client, there: Client, third: Client
) -> None:
    """5.6.8.4: what a source has, and its own sources have, is changed and not made anew."""
    await register(node, there.base, operations=["redirectionOps"])
    await register(there, third.base, operations=["redirectionOps"])
    for value, status in (("on", 201), ("off", 204)):
        answer = await node.post(f"{BATCH}/upsert", [lamp(1, power=prop(value))])
        assert answer.status == status, answer.body
        assert [await held(one) for one in (node, there, third)] == [{**lamp(), "power": value}] * 3


async def test_batch_goes_one_by_one_to_a_source_that_takes_no_batches(node: Client, source: Source) -> None:
    source.answers[("POST", "/entities")] = (409, {"title": "there"})
    source.answers[("PUT", f"/entities/{LAMP}")] = (204, None)
    await register(node, source.url, mode="redirect", operations=["createEntity", "replaceEntity"])
    answer = await node.post(f"{BATCH}/upsert", [lamp(1, power=prop("on"))])
    assert answer.status == 204, answer.body
    assert [(one.method, one.path) for one in source.asked] == [
        ("POST", "/entities"),
        ("PUT", f"/entities/{LAMP}"),
    ]
    answer = await node.post(f"{BATCH}/merge", [lamp(1, power=prop("on"))])
    assert (answer.status, answer.json["errors"][0]["error"]["status"]) == (207, 409)


async def test_batch_is_not_held_up_by_a_silent_source(node: Client, there: Client, source: Source) -> None:
    source.silent = True
    await register(node, source.url, management={"timeout": 50})
    await register(node, there.base)
    answer = await node.post(f"{BATCH}/create", [lamp(1, power=prop("on"))])
    assert (answer.status, answer.json["success"]) == (207, [LAMP])
    assert answer.json["errors"][0]["error"]["status"] == 504
    assert await held(there) == {**lamp(), "power": "on"}


# -- purge (5.6.21) ------------------------------------------------------------------------------------
async def test_purge_goes_no_further_than_what_is_registered(node: Client, there: Client) -> None:
    await put(node, lamp(1, colour=prop("red")))
    await put(there, lamp(1, power=prop("on"), height=prop(4)), lamp(2, power=prop("on")))
    await register(node, there.base, mode="exclusive", information=power_of())
    assert (await node.delete(f"{ENTITIES}?type=Lamp")).status == 204
    assert await held(node) is None
    assert await held(there) == {**lamp(), "height": 4}
    assert (await held(there, "urn:ngsi-ld:Lamp:2") or {})["power"] == "on"


async def test_purge_takes_its_filters_along(node: Client, there: Client) -> None:
    for client in (node, there):
        await put(client, lamp(1, power=prop("on")), lamp(2, power=prop("off")))
    await register(node, there.base)
    assert (await node.delete(f"{ENTITIES}?type=Lamp&q=power==%22on%22")).status == 204
    for client in (node, there):
        assert await held(client) is None
        assert await held(client, "urn:ngsi-ld:Lamp:2") is not None


async def test_purge_with_filters_that_a_source_cannot_read_does_not_reach_it(
    node: Client, there: Client, source: Source
) -> None:
    made = await there.post("/ngsi-ld/v1/jsonldContexts", {"@context": {"Luz": "https://x.org/Lamp"}})
    key = {"key": "jsonldContext", "value": there.base + made.headers["Location"]}
    await register(node, source.url, contextSourceInfo=[key])
    answer = await node.delete(f"{ENTITIES}?type=Lamp&q=power")
    assert (answer.status, answer.json["errors"][0]["error"]["status"]) == (207, 422)
    assert source.asked == []


async def test_purge_that_a_source_refuses_is_told(node: Client, source: Source) -> None:
    source.status = 403
    id = await register(node, source.url)
    answer = await node.delete(f"{ENTITIES}?type=Lamp")
    assert (answer.status, answer.json["errors"][0]["registrationId"]) == (207, id)
