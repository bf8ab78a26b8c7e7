"""Clause 6.3: what is common to all requests and answers."""

import pytest

from tests.conformance.data import BATCH, ENTITIES, TEMPORAL, lamp, prop
from tests.web.node import Client

LAMP = f"{ENTITIES}/{lamp()['id']}"
TENANT = "NGSILD-Tenant"


@pytest.mark.parametrize("path", ["/entities", "/types", "/attributes", "/subscriptions", "/jsonldContexts"])
async def test_one_trailing_slash_means_nothing_and_does_not_redirect(node: Client, path: str) -> None:
    query = "?local=true" if path == "/entities" else ""
    assert (await node.get(f"/ngsi-ld/v1{path}{query}")).status == 200
    assert (await node.get(f"/ngsi-ld/v1{path}/{query}")).status == 200


@pytest.mark.parametrize("path", ["/ngsi-ld/v1", "/ngsi-ld/v1/nothing", "/ngsi-ld/v2/entities"])
async def test_unknown_path_answers_404(node: Client, path: str) -> None:
    answer = await node.get(path)
    assert (answer.status, answer.problem) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/entities", {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}),
        ("POST", "/entities/urn:a:1", {"GET", "HEAD", "PATCH", "PUT", "DELETE", "OPTIONS"}),
        ("GET", "/entities/urn:a:1/attrs", {"POST", "PATCH", "OPTIONS"}),
        ("GET", "/entityOperations/create", {"POST", "OPTIONS"}),
        ("PATCH", "/temporal/entities/urn:a:1/attrs/a", {"DELETE", "OPTIONS"}),
        ("PATCH", "/types", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_wrong_method_answers_405_with_those_allowed(
    node: Client, method: str, path: str, allowed: set[str]
) -> None:
    answer = await node.ask(method, "/ngsi-ld/v1" + path)
    assert (answer.status, answer.body) == (405, b"")
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/temporal/entities/", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "/temporal/entities/urn:a:1/attrs/speed/", "DELETE, OPTIONS"),
        ("PATCH", "/temporal/entities/urn:a:1/attrs//urn:a:2", "DELETE, OPTIONS"),
        ("DELETE", "/entities/urn:a:1/attrs/", "OPTIONS, PATCH, POST"),
        ("PATCH", "/subscriptions/", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/subscriptions/", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "/csourceRegistrations/", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/csourceRegistrations/", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/csourceSubscriptions/", "GET, HEAD, OPTIONS, POST"),
    ],
)
async def test_path_without_its_last_identifier_is_that_of_the_resource_above(
    node: Client, method: str, path: str, allowed: str
) -> None:
    """6.3.2: a verb that this resource does not know is 405."""
    answer = await node.ask(method, "/ngsi-ld/v1" + path)
    assert (answer.status, answer.body, answer.headers["Allow"]) == (405, b"", allowed)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/entities/"),
        ("PUT", "/entities/"),
        ("DELETE", "/entities//attrs/speed"),
        ("POST", "/entities//attrs/"),
        ("PATCH", "/temporal/entities//attrs/speed/urn:a:2"),
        ("DELETE", "/temporal/entities/urn:a:1/attrs//urn:a:2"),
    ],
)
async def test_identifier_that_is_not_present_answers_bad_request_data(
    node: Client, method: str, path: str
) -> None:
    """5.6.3 to 5.6.5, 5.6.14, 5.6.15, 5.6.17, 5.6.18: where the verb is none that is wrong."""
    answer = await node.ask(method, "/ngsi-ld/v1" + path, {"type": "Property", "value": 1})
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_options_tells_what_patch_reads(node: Client) -> None:
    answer = await node.ask("OPTIONS", LAMP)
    assert answer.status == 204
    assert "application/merge-patch+json" in answer.headers["Accept-Patch"]
    assert "Accept-Patch" not in (await node.ask("OPTIONS", ENTITIES)).headers


async def test_head_is_get_without_a_body(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    answer = await node.ask("HEAD", LAMP)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ENTITIES),
        ("PATCH", f"{ENTITIES}/urn:a:none"),
        ("PUT", f"{ENTITIES}/urn:a:none"),
        ("POST", f"{BATCH}/create"),
        ("POST", TEMPORAL),
        ("POST", "/ngsi-ld/v1/subscriptions"),
        ("POST", "/ngsi-ld/v1/jsonldContexts"),
    ],
)
async def test_foreign_media_type_answers_415_bare_before_anything_is_looked_for(
    node: Client, method: str, path: str
) -> None:
    answer = await node.ask(method, path, raw=b"{}", headers={"Content-Type": "text/plain"})
    assert (answer.status, answer.body) == (415, b"")


async def test_missing_media_type_answers_400_and_names_the_header(node: Client) -> None:
    """6.3.4: a precondition that is not met is InvalidRequest; 415 is for another type that is told."""
    for method, path in (("POST", ENTITIES), ("PATCH", f"{LAMP}/attrs"), ("POST", f"{BATCH}/query")):
        answer = await node.ask(method, path, raw=b"{}", headers={})
        assert (answer.status, answer.problem) == (400, "InvalidRequest")
        assert "Content-Type" in answer.json["detail"]


async def test_missing_length_answers_411_bare(node: Client) -> None:
    async def chunks():  # type: ignore[no-untyped-def]
        yield b"{}"

    headers = {"Content-Type": "application/json"}
    async with node.session.post(node.base + ENTITIES, data=chunks(), headers=headers) as answer:
        assert (answer.status, await answer.read()) == (411, b"")


@pytest.mark.parametrize("path", [ENTITIES + "?local=true", "/ngsi-ld/v1/types", "/ngsi-ld/v1/subscriptions"])
async def test_foreign_accept_answers_406_with_what_there_is(node: Client, path: str) -> None:
    answer = await node.get(path, headers={"Accept": "text/html"})
    assert (answer.status, answer.problem) == (406, "NotAcceptable")
    assert "application/ld+json" in answer.json["available"]


@pytest.mark.parametrize("path", ["/ngsi-ld/v1/types", f"{TEMPORAL}/urn:a:1"])
async def test_geojson_is_for_entities_alone(node: Client, path: str) -> None:
    assert (await node.get(path, headers={"Accept": "application/geo+json"})).status == 406


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({**lamp(), "@context": {}}, {"Content-Type": "application/json"}),
        (lamp(), {"Content-Type": "application/ld+json"}),
        ({**lamp(), "@context": {}}, {"Link": '<http://a.b/c>; rel="http://www.w3.org/ns/json-ld#context"'}),
    ],
)
async def test_mixing_the_ways_of_a_context_answers_400(
    node: Client, body: dict[str, object], headers: dict[str, str]
) -> None:
    answer = await node.post(ENTITIES, body, headers=headers)
    assert (answer.status, answer.problem) == (400, "BadRequestData")


async def test_tenants_are_apart_and_told_in_the_answer(node: Client) -> None:
    north = {TENANT: "north"}
    answer = await node.get(LAMP, headers=north)
    assert (answer.status, answer.problem, answer.headers[TENANT]) == (404, "NonexistentTenant", "north")
    made = await node.post(ENTITIES, lamp(), headers=north)
    assert (made.status, made.headers[TENANT]) == (201, "north")
    found = await node.get(LAMP, headers=north)
    assert (found.status, found.headers[TENANT]) == (200, "north")
    default = await node.get(LAMP)
    assert (default.status, TENANT in default.headers) == (404, False)
    listed = await node.get(f"{ENTITIES}?type=Streetlight", headers={TENANT: "south"})
    assert listed.problem == "NonexistentTenant"


@pytest.mark.parametrize("resource", ["subscriptions", "csourceSubscriptions"])
async def test_subscriptions_of_a_tenant_that_does_not_exist_are_refused(node: Client, resource: str) -> None:
    """5.5.10: every operation but those that make something."""
    path, one = f"/ngsi-ld/v1/{resource}", f"/ngsi-ld/v1/{resource}/urn:ngsi-ld:Subscription:1"
    north = {TENANT: "north"}
    for method, target, body in (
        ("GET", path, None),
        ("GET", one, None),
        ("PATCH", one, {"isActive": False}),
        ("DELETE", one, None),
    ):
        answer = await node.ask(method, target, body, headers=north)
        assert (answer.status, answer.problem, answer.headers[TENANT]) == (404, "NonexistentTenant", "north")
    await node.post(ENTITIES, lamp(), headers=north)
    assert (await node.get(path, headers=north)).json == []
    assert (await node.get(one, headers=north)).problem == "ResourceNotFound"


@pytest.mark.parametrize("tenant", ["", "x" * 300, "\t"])
async def test_invalid_tenant_answers_400(node: Client, tenant: str) -> None:
    assert (await node.get(LAMP, headers={TENANT: tenant})).status == 400


async def test_prefer_is_answered_with_the_version_applied(node: Client) -> None:
    await node.post(ENTITIES, lamp())
    answer = await node.get(LAMP, headers={"Prefer": "ngsi-ld=1.5"})
    assert (answer.status, answer.headers["Preference-Applied"]) == (200, "ngsi-ld=1.5")
    assert "Preference-Applied" not in (await node.get(LAMP)).headers


async def test_request_id_is_given_back_or_made(node: Client) -> None:
    assert (await node.get(LAMP, headers={"X-Request-Id": "mine-1"})).headers["X-Request-Id"] == "mine-1"
    made = (await node.get(LAMP, headers={"X-Request-Id": "not allowed"})).headers["X-Request-Id"]
    assert len(made) == 32


async def test_access_is_asked_on_every_write(node: Client) -> None:
    reader = {"X-API-Key": "reader"}
    answer = await node.post(ENTITIES, lamp(), headers=reader)
    assert (answer.status, answer.problem) == (403, "Forbidden")
    assert (await node.get(f"{ENTITIES}?local=true", headers=reader)).status == 200
    wrong = await node.get(LAMP, headers={"X-API-Key": "wrong"})
    assert (wrong.status, wrong.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_foreign_host_is_refused_on_a_loopback_node(node: Client) -> None:
    answer = await node.get("/ngsi-ld/v1/types", headers={"Host": "evil.example"})
    assert (answer.status, answer.problem) == (403, "Forbidden")


async def test_updates_answer_full_names(node: Client) -> None:
    context = {"shine": "https://example.org/shine"}
    await node.post(ENTITIES, {**lamp(), "@context": context, "shine": prop(1)})
    body = {"@context": context, "shine": prop(2), "new": prop(1)}
    answer = await node.post(f"{LAMP}/attrs?options=noOverwrite", body)
    assert answer.status == 207
    assert answer.json["notUpdated"][0]["attributeName"] == "https://example.org/shine"
