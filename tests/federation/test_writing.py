"""Clauses 4.3.6, 5.6 and 6.3.17: what is written goes where it belongs, and what fails is told."""

from typing import Any

import pytest

from cityloom.broker.ports import Call
from cityloom.ld.context import LdContext
from cityloom.ld.expand import expand_entity
from cityloom.model.errors import AlreadyExists
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


@pytest.mark.parametrize("operations", [None, ["redirectionOps", "upsertBatch"]])
async def test_write_between_nodes_that_register_each_other_is_done_once(
    node: Client, there: Client, operations: list[str] | None
) -> None:
    """4.3.6.4: what comes round is no conflict with oneself, one by one and in batches."""
    more = {} if operations is None else {"operations": operations}
    await register(node, there.base, **more)
    await register(there, node.base, **more)
    for first, second in ((node, there), (there, node)):
        assert (await write(first, "create")).status == 201
        for name in ("update", "append", "merge", "replace"):
            answer = await write(first, name)
            assert answer.status == 204, (name, answer.body)
        assert (await first.put(f"{PATH}/attrs/power", prop("dim"))).status == 204
        assert (await first.patch(f"{PATH}/attrs/power", {"value": "out"})).status == 204
        assert (await first.delete(f"{PATH}/attrs/colour")).status == 204
        assert await held(first) == await held(second) == {**lamp(), "power": "out"}
        again = await write(first, "create")
        assert (again.status, again.json["success"]) == (207, [])
        assert (await first.delete(PATH)).status == 204
        for name, status in (("create", 201), ("upsert", 204), ("update", 204), ("merge", 204)):
            answer = await first.post(f"{BATCH}/{name}", [lamp(1, **BODY)])
            assert answer.status == status, (name, answer.body)
        assert await held(first) == await held(second) == {**lamp(), "power": "off", "colour": "blue"}
        again = await first.post(f"{BATCH}/create", [lamp(1, **BODY)])
        assert (again.status, again.json["success"]) == (207, [])
        assert (await first.post(f"{BATCH}/delete", [LAMP])).status == 204
        answer = await first.post(f"{BATCH}/upsert", [lamp(1, **BODY)])
        assert (answer.status, answer.json) == (201, [LAMP])
        assert (await first.delete(f"{ENTITIES}?type=Lamp")).status == 204
        assert await held(first) is None
        assert await held(second) is None


async def test_write_that_names_this_node_without_having_left_it_is_done_here(
    node: Client, source: Source
) -> None:
    """6.3.18: Via is for choosing registrations, not for refusing what is asked here."""
    await register(node, source.url)
    own = (await node.get("/ngsi-ld/v1/info/sourceIdentity")).json["contextSourceAlias"]
    assert (await write(node, "create", headers={"Via": f"1.1 {own}"})).status == 201
    assert source.asked == []
    assert await held(node) == {**lamp(), "power": "off", "colour": "blue"}


async def test_error_of_a_source_keeps_its_type(node: Client, there: Client) -> None:
    """5.5.2, 5.6.7.4: errors that a source returns are merged with those of this node."""
    await put(there, lamp(1))
    for operations in (["createEntity"], ["createBatch"]):
        id = await register(node, there.base, operations=operations)
        for method, path, body in (WRITES["create"], ("POST", f"{BATCH}/create", [lamp(1, **BODY)])):
            answer = await node.ask(method, path, body)
            errors = answer.json["errors"] if answer.status == 207 else []
            told = {error.get("registrationId"): error["error"] for error in errors}
            if id in told:
                assert told[id]["type"] == "https://uri.etsi.org/ngsi-ld/errors/AlreadyExists"
                assert (told[id]["status"], told[id]["title"]) == (409, AlreadyExists.title)
            else:
                assert (operations, path) == (["createBatch"], ENTITIES)
            await node.delete(f"{PATH}?local=true")
        assert (await node.delete(f"{REGISTRATIONS}/{id}")).status == 204


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


async def test_entity_that_lies_at_an_inclusive_source_alone_is_written_there(
    node: Client, there: Client
) -> None:
    """5.6.2 to 5.6.4, 5.6.17 to 5.6.19: not to be here is no error where a registration matches."""
    await put(there, lamp(1, power=prop("on"), colour=prop("red")))
    id = await register(node, there.base)
    for name in ("merge", "replace", "update", "append"):
        await there.patch(f"{PATH}?local=true", {"power": "on"})
        answer = await write(node, name)
        assert (answer.status, await held(there)) == (204, {**lamp(), "power": "off", "colour": "blue"}), name
    assert (await node.patch(f"{PATH}/attrs/power", {"value": "dim"})).status == 204
    assert (await node.put(f"{PATH}/attrs/power", prop("out"))).status == 204
    assert (await held(there) or {})["power"] == "out"
    for name in ("update", "merge"):
        await there.patch(f"{PATH}?local=true", {"power": "on"})
        answer = await node.post(f"{BATCH}/{name}", [lamp(1, **BODY), lamp(2, **BODY)])
        assert (answer.status, answer.json["success"]) == (207, [LAMP])
        assert {error["entityId"] for error in answer.json["errors"]} == {"urn:ngsi-ld:Lamp:2"}
        assert (await node.post(f"{BATCH}/{name}", [lamp(1, **BODY)])).status == 204
        assert (await held(there) or {})["power"] == "off"
    assert await held(node) is None
    assert (await node.patch(f"{PATH}/attrs/height", {"value": 1})).status == 207
    # What no source took has been kept nowhere.
    assert (await node.delete(f"{REGISTRATIONS}/{id}")).status == 204
    await register(node, there.base, information=power_of())
    answer = await write(node, "merge")
    assert answer.status == 207
    assert [error["error"]["status"] for error in answer.json["errors"]] == [404]


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


async def test_write_that_tells_a_type_goes_past_sources_of_other_types(
    node: Client, there: Client, source: Source
) -> None:
    """5.6.4, 5.6.6, 5.12: the id alone may be of any type, with `type` no Tram is looked for."""
    await put(there, lamp(1, power=prop("on"), colour=prop("red")))
    await register(node, there.base)
    await register(node, source.url, mode="redirect", information=[{"entities": [{"type": "Tram"}]}])

    def asked() -> list[str]:
        return [one.method for one in source.asked if one.method != "GET"]

    for name in ("merge", "update", "append"):
        await write(node, name, "?type=Lamp")
        assert (await held(there) or {})["power"] == "off", name
        await there.patch(f"{PATH}?local=true", {"power": "on"})
    attribute = f"{PATH}/attrs/power?type=Lamp"
    await node.patch(attribute, {"value": "dim"})
    assert (await held(there) or {})["power"] == "dim"
    await node.put(attribute, prop("out"))
    assert (await held(there) or {})["power"] == "out"
    assert (await node.delete(attribute)).status == 204
    assert (await node.delete(f"{PATH}?type=Lamp")).status == 204
    assert await held(there) is None
    assert asked() == []


async def test_write_that_tells_a_type_does_not_go_by_what_was_told_before(
    node: Client, there: Client
) -> None:
    """6.3.17: what was told before is told again to those who read."""
    await register(node, there.base, management={"cacheDuration": "PT60S"})
    assert (await node.get(f"{PATH}?type=Lamp")).status == 404
    await put(there, lamp(1, power=prop("on")))
    assert (await node.patch(f"{PATH}?type=Lamp", {"power": "off"})).status == 204
    assert (await held(there) or {})["power"] == "off"


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
