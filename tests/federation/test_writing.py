"""Clauses 4.3.6, 5.6 and 6.3.17: what is written goes where it belongs, and what fails is told."""

from typing import Any

import pytest

from cityloom.broker.ports import Call
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity
from cityloom.model.events import Cause
from tests.federation.helpers import (
    BATCH,
    ENTITIES,
    LAMP,
    REGISTRATIONS,
    held,
    lamp,
    power_of,
    prop,
    put,
    register,
)
from tests.federation.source import Source
from tests.web.node import Answer, Client

PATH = f"{ENTITIES}/{LAMP}"
BODY: dict[str, Any] = {"power": prop("off"), "colour": prop("blue")}
WRITES: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", ENTITIES, lamp(1, **BODY)),
    "replace": ("PUT", PATH, lamp(1, **BODY)),
    "merge": ("PATCH", PATH, BODY),
    "update": ("PATCH", f"{PATH}/attrs", BODY),
    "append": ("POST", f"{PATH}/attrs", BODY),
}


async def write(node: Client, name: str, query: str = "", **options: Any) -> Answer:
    method, path, body = WRITES[name]
    return await node.ask(method, path + query, body, **options)


@pytest.mark.parametrize("name", WRITES)
async def test_exclusive_attribute_goes_to_its_source_alone(node: Client, there: Client, name: str) -> None:
    await register(node, there.base, mode="exclusive", information=power_of())
    if name != "create":
        await put(node, lamp(1, colour=prop("red")))
        await put(there, lamp(1, power=prop("on")))
    answer = await write(node, name)
    assert answer.status == (201 if name == "create" else 204), answer.body
    assert await held(node) == {**lamp(), "colour": "blue"}
    assert await held(there) == {**lamp(), "power": "off"}


@pytest.mark.parametrize("name", WRITES)
async def test_redirected_entity_is_written_at_every_source_and_not_here(
    node: Client, there: Client, third: Client, name: str
) -> None:
    for client in (there, third):
        await register(node, client.base, mode="redirect")
        if name != "create":
            await put(client, lamp(1, power=prop("on")))
    answer = await write(node, name)
    assert answer.status == (201 if name == "create" else 204), answer.body
    assert await held(node) is None
    assert await held(there) == await held(third) == {**lamp(), "power": "off", "colour": "blue"}


@pytest.mark.parametrize("name", WRITES)
async def test_inclusive_entity_is_written_here_and_there(node: Client, there: Client, name: str) -> None:
    await register(node, there.base)
    if name != "create":
        await put(node, lamp(1, power=prop("on")))
        await put(there, lamp(1, power=prop("on")))
    answer = await write(node, name)
    assert answer.status == (201 if name == "create" else 204), answer.body
    assert await held(node) == await held(there) == {**lamp(), "power": "off", "colour": "blue"}


@pytest.mark.parametrize("name", WRITES)
async def test_local_write_stays_here(node: Client, source: Source, name: str) -> None:
    await register(node, source.url)
    if name != "create":
        await put(node, lamp(1))
    assert (await write(node, name, "?local=true")).status in (201, 204)
    assert source.asked == []


@pytest.mark.parametrize("name", WRITES)
async def test_write_that_a_proxied_source_does_not_support_is_a_conflict(
    node: Client, source: Source, name: str
) -> None:
    await register(node, source.url, mode="redirect", operations=["retrieveOps"])
    answer = await write(node, name)
    assert (answer.status, answer.problem) == (409, "Conflict")
    assert source.asked == []
    assert await held(node) is None


@pytest.mark.parametrize("name", WRITES)
async def test_who_may_not_write_here_may_not_write_through_here(
    node: Client, source: Source, name: str
) -> None:
    reader = {"x-api-key": "reader"}
    await register(node, source.url, mode="redirect")
    answer = await write(node, name, headers=reader)
    assert (answer.status, answer.problem) == (403, "Forbidden")
    assert (await node.delete(PATH, headers=reader)).status == 403
    assert (await node.delete(f"{PATH}/attrs/power", headers=reader)).status == 403
    assert (await node.delete(f"{ENTITIES}?type=Lamp", headers=reader)).status == 403
    for batch in ("create", "upsert", "update", "merge"):
        assert (await node.post(f"{BATCH}/{batch}", [lamp(1)], headers=reader)).status == 403
    assert (await node.post(f"{BATCH}/delete", [LAMP], headers=reader)).status == 403
    assert source.asked == []


async def test_write_that_an_inclusive_source_does_not_support_stays_here(
    node: Client, source: Source
) -> None:
    await register(node, source.url, operations=["retrieveOps"])
    await register(node, source.url, mode="auxiliary", operations=["retrieveOps"])
    assert (await write(node, "create")).status == 201
    assert source.asked == []


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize(
    ("status", "expected", "problem"),
    [(404, 404, "ResourceNotFound"), (403, 502, "SourceFailed"), (500, 502, "SourceFailed")],
)
async def test_failure_of_the_one_source_is_the_answer(
    node: Client, source: Source, name: str, status: int, expected: int, problem: str
) -> None:
    source.status = status
    await register(node, source.url, mode="redirect")
    answer = await write(node, name)
    assert (answer.status, answer.problem) == (expected, problem)
    assert await held(node) is None


async def test_silence_of_the_one_source_is_a_timeout(node: Client, source: Source) -> None:
    source.silent = True
    await register(node, source.url, mode="redirect", management={"timeout": 50})
    answer = await write(node, "create")
    assert (answer.status, answer.problem) == (504, "SourceTimedOut")


async def test_write_that_comes_back_is_a_loop(node: Client, there: Client, source: Source) -> None:
    await register(node, there.base, mode="redirect")
    await register(there, node.base, mode="redirect")
    answer = await write(node, "create")
    assert (answer.status, answer.problem) == (508, "LoopDetected")
    own = (await node.get("/ngsi-ld/v1/info/sourceIdentity")).json["contextSourceAlias"]
    assert (await write(node, "merge", headers={"Via": f"1.1 {own}"})).status == 508
    assert await held(node) is None
    assert await held(there) is None


async def test_inclusive_source_that_was_passed_before_is_left_out(node: Client, source: Source) -> None:
    await register(node, source.url, contextSourceAlias="harbour")
    assert (await write(node, "create", headers={"Via": "1.1 harbour"})).status == 201
    assert source.asked == []


@pytest.mark.parametrize("name", ["create", "replace", "merge"])
async def test_entity_written_in_part_is_told_place_by_place(node: Client, source: Source, name: str) -> None:
    source.status, source.body = 409, {"title": "no", "detail": "it is locked"}
    id = await register(node, source.url)
    if name != "create":
        await put(node, lamp(1))
    answer = await write(node, name)
    assert answer.status == 207
    assert answer.json["success"] == [LAMP]
    [error] = answer.json["errors"]
    assert (error["entityId"], error["registrationId"], error["error"]["status"]) == (LAMP, id, 409)
    assert "it is locked" in error["error"]["detail"]
    assert (await held(node) or {})["power"] == "off"


@pytest.mark.parametrize("name", ["update", "append"])
async def test_attributes_written_in_part_are_told_one_by_one(
    node: Client, source: Source, name: str
) -> None:
    source.status = 500
    await put(node, lamp(1))
    id = await register(node, source.url, mode="exclusive", information=power_of())
    answer = await write(node, name)
    assert answer.status == 207
    assert [each.rpartition("/")[2] for each in answer.json["updated"]] == ["colour"]
    [left] = answer.json["notUpdated"]
    assert (left["attributeName"].rpartition("/")[2], left["registrationId"]) == ("power", id)


async def test_entity_that_exists_here_is_made_there_and_told(node: Client, there: Client) -> None:
    await put(node, lamp(1))
    await register(node, there.base)
    answer = await write(node, "create")
    assert answer.status == 207
    assert [(each["error"]["status"], "registrationId" in each) for each in answer.json["errors"]] == [
        (409, False)
    ]
    assert await held(there) == {**lamp(), "power": "off", "colour": "blue"}


async def test_attribute_that_is_not_kept_anywhere_is_told(node: Client, there: Client) -> None:
    await put(there, lamp(1, power=prop("on")))
    await register(node, there.base, mode="exclusive", information=power_of())
    answer = await write(node, "update")
    assert answer.status == 207
    assert [each["attributeName"].rpartition("/")[2] for each in answer.json["notUpdated"]] == ["colour"]
    assert (await held(there) or {})["power"] == "off"


async def test_one_attribute_is_updated_replaced_and_deleted_at_its_source(
    node: Client, there: Client
) -> None:
    await put(node, lamp(1, colour=prop("red")))
    await put(there, lamp(1, power=prop("on")))
    await register(node, there.base, mode="exclusive", information=power_of())
    attribute = f"{PATH}/attrs/power"
    assert (await node.patch(attribute, {"value": "off"})).status == 204
    assert (await held(there) or {})["power"] == "off"
    assert (await node.put(attribute, prop("dim"))).status == 204
    assert (await held(there) or {})["power"] == "dim"
    assert (await node.delete(attribute)).status == 204
    assert await held(there) == lamp()
    assert (await node.delete(attribute)).status == 404
    assert await held(node) == {**lamp(), "colour": "red"}


async def test_fragment_keeps_its_meaning_on_the_way(node: Client, source: Source) -> None:
    source.status = 204
    await register(node, source.url, mode="redirect")
    await node.patch(
        PATH, {"power": "off", "colour": "urn:ngsi-ld:null", "title": {"languageMap": {"en": "x"}}}
    )
    assert source.asked[0].body == {
        "power": "off",
        "colour": "urn:ngsi-ld:null",
        "title": {"type": "LanguageProperty", "languageMap": {"en": "x"}},
    }
    await node.patch(f"{PATH}?observedAt=2026-05-01T12:00:00Z&lang=en", {"power": "off"})
    assert source.asked[1].params == {"observedAt": "2026-05-01T12:00:00Z", "lang": "en"}
    await node.post(f"{PATH}/attrs?options=noOverwrite", {"power": prop("off")})
    assert source.asked[2].params == {"options": "noOverwrite"}
    await node.delete(f"{PATH}/attrs/power?deleteAll=true")
    await node.delete(f"{PATH}/attrs/power?datasetId=urn:x:y")
    assert [one.params for one in source.asked[3:]] == [{"deleteAll": "true"}, {"datasetId": "urn:x:y"}]


async def test_source_that_wants_json_ld_gets_the_context_in_the_body(node: Client, source: Source) -> None:
    source.status = 201
    key = {"key": "contentType", "value": "application/ld+json"}
    await register(node, source.url, mode="redirect", contextSourceInfo=[key])
    context = {"Lamp": "https://x.org/Lamp", "power": "https://x.org/power"}
    await register(
        node, source.url, mode="redirect", information=[{"propertyNames": ["https://x.org/power"]}]
    )
    answer = await node.post(ENTITIES, lamp(1, power=prop("on"), **{"@context": context}))
    assert answer.status == 201, answer.body
    [asked] = source.asked
    assert asked.body == lamp(1, power=prop("on"))
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in asked.headers["Link"]
    answer = await node.post(ENTITIES, lamp(2, colour=prop("red")))
    asked = source.asked[1]
    assert asked.headers["Content-Type"] == "application/ld+json"
    assert "Link" not in asked.headers
    assert "ngsi-ld-core-context" in asked.body.pop("@context")
    assert asked.body == lamp(2, colour=prop("red"))


async def test_delete_goes_everywhere(node: Client, there: Client) -> None:
    await put(node, lamp(1))
    await put(there, lamp(1))
    await register(node, there.base)
    assert (await node.delete(PATH)).status == 204
    assert await held(node) is None
    assert await held(there) is None
    assert (await node.delete(PATH)).problem == "ResourceNotFound"
    await put(there, lamp(1))
    # Nothing is here to be deleted, and that is no failure (5.6.6.4).
    assert (await node.delete(PATH)).status == 204


# -- batches (5.6.7 to 5.6.10, 5.6.20) -----------------------------------------------------------------
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


async def test_rooms_of_the_node_write_here_whatever_is_registered(node: Client, source: Source) -> None:
    await register(node, source.url, mode="redirect")
    call = Call(cause=Cause(kind="run", id="urn:ngsi-ld:ImportRun:1"))
    await node.services.broker.create_entity(call, expand_entity(lamp(1), LdContext.core))
    assert source.asked == []
    assert await held(node) == lamp()
    assert (await node.get(f"{REGISTRATIONS}?type=Lamp")).status == 200


async def test_what_is_forwarded_conforms_to_the_version_of_the_source(node: Client, source: Source) -> None:
    """4.3.6.6, ngsildConformance: entities, fragments, attributes and batches alike."""
    version = {"key": "ngsildConformance", "value": "1.5"}
    await register(node, source.url, mode="redirect", contextSourceInfo=[version])
    end = "2100-01-01T00:00:00Z"
    states = {"type": "ListProperty", "valueList": ["on", "off"], "expiresAt": end}
    before = prop(["on", "off"])
    entity = lamp(1, states=states, expiresAt=end)
    source.status = 201
    await node.post(ENTITIES, entity)
    await node.post(f"{BATCH}/create", [entity])
    source.status = 204
    await node.patch(PATH, {"states": states})
    await node.ask("PUT", f"{PATH}/attrs/states", states)
    created, batch, merged, replaced = (asked.body for asked in source.asked)
    assert created == batch[0] == lamp(1, states=before)
    assert (merged, replaced) == ({"states": before}, before)
    assert all("ngsildConformance" not in asked.headers for asked in source.asked)
