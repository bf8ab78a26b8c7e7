"""Clauses 6.3.4 to 6.3.6 on every resource: media types, @contexts, and how an answer tells its own."""

from typing import Any

import pytest

from cityloom.ld.core_terms import CORE_URL
from tests.conformance.data import CORE_LINK_REL, ENTITIES, TEMPORAL, lamp, prop
from tests.web.node import API, LD_JSON, Client

NONE = "http://127.0.0.1:9/none.jsonld"
LINK = {"Link": f'<{NONE}>; {CORE_LINK_REL}; type="application/ld+json"'}
ENDPOINT = {"endpoint": {"uri": "http://127.0.0.1:9/told"}}
SUBSCRIPTION = {
    "id": "urn:ngsi-ld:Subscription:1",
    "type": "Subscription",
    "entities": [{"type": "Streetlight"}],
    "notification": ENDPOINT,
}
MADE: dict[str, dict[str, Any]] = {
    ENTITIES: lamp(),
    TEMPORAL: {
        "id": lamp()["id"],
        "type": "Streetlight",
        "height": [prop(1, observedAt="2026-01-01T00:00:00Z")],
    },
    f"{API}/subscriptions": SUBSCRIPTION,
    f"{API}/csourceSubscriptions": SUBSCRIPTION,
    f"{API}/csourceRegistrations": {
        "id": "urn:ngsi-ld:ContextSourceRegistration:1",
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Streetlight"}]}],
        "endpoint": "http://127.0.0.1:9",
    },
}
"""What is made with a POST, by its path."""
ALL = {
    ENTITIES: "?type=Streetlight",
    TEMPORAL: "?type=Streetlight&timerel=after&timeAt=2020-01-01T00:00:00Z",
    f"{API}/csourceRegistrations": "?type=Streetlight",
}
"""What a path needs to tell all of them."""


@pytest.mark.parametrize("path", MADE)
async def test_ways_of_a_context_are_not_mixed(node: Client, path: str) -> None:
    body = MADE[path]
    for sent, headers in (
        ({**body, "@context": CORE_URL}, {"Content-Type": "application/json"}),
        (body, {"Content-Type": LD_JSON}),
        ({**body, "@context": CORE_URL}, {"Content-Type": LD_JSON, **LINK}),
    ):
        answer = await node.post(path, sent, headers=headers)
        assert (answer.status, answer.problem) == (400, "BadRequestData")
    for sent, headers in (({**body, "@context": CORE_URL}, {}), (body, {"Content-Type": "application/json"})):
        assert (await node.post(path, sent, headers=headers)).status == 201
        await node.delete(f"{path}/{body['id']}")


@pytest.mark.parametrize("path", MADE)
async def test_context_that_cannot_be_had_answers_504_and_keeps_nothing(node: Client, path: str) -> None:
    body = MADE[path]
    for sent, headers in (({**body, "@context": [NONE]}, {}), (body, LINK)):
        answer = await node.post(path, sent, headers=headers)
        assert (answer.status, answer.problem) == (504, "LdContextNotAvailable")
        assert (await node.get(f"{path}/{body['id']}")).status == 404


@pytest.mark.parametrize(
    ("accept", "told"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json;q=0.5, application/ld+json", LD_JSON),
        ("text/html, application/ld+json;q=0.1", LD_JSON),
        (LD_JSON, LD_JSON),
        ("text/html", None),
        ("application/json;q=0", None),
    ],
)
@pytest.mark.parametrize("path", MADE)
async def test_answer_has_the_media_type_that_is_accepted(
    node: Client, path: str, accept: str | None, told: str | None
) -> None:
    """And tells its @context in a Link header, or in its body."""
    body = MADE[path]
    await node.post(path, body)
    for target in (f"{path}/{body['id']}", path + ALL.get(path, "")):
        answer = await node.get(target, headers={} if accept is None else {"Accept": accept})
        if told is None:
            assert (answer.status, answer.problem) == (406, "NotAcceptable")
            assert LD_JSON in answer.json["available"]
            continue
        assert (answer.status, answer.headers["Content-Type"]) == (200, told)
        one = answer.json[0] if isinstance(answer.json, list) else answer.json
        assert one["id"] == body["id"]
        if told == LD_JSON:
            assert one["@context"] == CORE_URL
        else:
            assert answer.headers["Link"].startswith(f"<{CORE_URL}>")


@pytest.mark.parametrize("path", MADE)
async def test_body_that_is_no_json_is_invalid_and_another_type_unsupported(node: Client, path: str) -> None:
    """5.5.4 and 6.3.4."""
    for raw in (b"{", b"", b'{"id":,}', b"\xff"):
        answer = await node.post(path, raw=raw, headers={"Content-Type": "application/json"})
        assert (answer.status, answer.problem) == (400, "InvalidRequest"), raw
    answer = await node.post(path, raw=b"<a/>", headers={"Content-Type": "application/xml"})
    assert (answer.status, answer.body) == (415, b"")


@pytest.mark.parametrize("path", [path for path in MADE if path not in (ENTITIES, TEMPORAL)])
async def test_merge_patch_is_read_as_json(node: Client, path: str) -> None:
    body = MADE[path]
    await node.post(path, body)
    at = f"{path}/{body['id']}"
    headers = {"Content-Type": "application/merge-patch+json"}
    assert (await node.patch(at, {"description": "new"}, headers=headers)).status == 204
    assert (await node.get(at)).json["description"] == "new"
    assert (await node.post(path, {**body, "id": "urn:a:2"}, headers=headers)).status == 415
