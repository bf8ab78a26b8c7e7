"""The OpenAPI document is true: it says what the routes do, and answers are what it says."""

import re
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityloom.web.openapi import PARAMETERS, describe
from cityloom.web.paths import Endpoint
from cityloom.web.resource import NGSI_LD_ROOT
from tests.web.node import Client

TREE = {"id": "urn:ngsi-ld:Tree:1", "type": "Tree", "name": {"type": "Property", "value": "oak"}}
OUTSIDE = {"/", "/assets/{file}"}
"""Paths that are the page's and no API."""


async def document(node: Client) -> dict[str, Any]:
    answer = await node.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = answer.json
    return found


async def test_document_names_every_route_and_no_other(node: Client) -> None:
    described = set((await document(node))["paths"])
    routed = set(node.app.paths.endpoints)
    nameless = {path for path in routed if "//" in path}
    assert described == routed - OUTSIDE - nameless


async def test_document_names_every_method_and_parameter(node: Client) -> None:
    for path, methods in (await document(node))["paths"].items():
        url = path.replace("{", "").replace("}", "")
        allowed = (await node.ask("OPTIONS", url)).headers["Allow"].split(", ")
        assert {name.upper() for name in methods} == set(allowed) - {"OPTIONS", "HEAD"}, path
        for operation in methods.values():
            assert operation["operationId"]
            names = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert names == set(re.findall(r"{(\w+)}", path))


async def test_document_gives_each_operation_a_name_of_its_own(node: Client) -> None:
    paths = (await document(node))["paths"].values()
    names = [operation["operationId"] for methods in paths for operation in methods.values()]
    assert len(names) == len(set(names))


async def test_document_is_well_formed(node: Client) -> None:
    found = await document(node)
    assert found["openapi"] == "3.1.0"
    for methods in found["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    schema = content["schema"]
                    if "$ref" not in schema:
                        jsonschema.Draft202012Validator.check_schema(schema)


def test_no_parameter_is_described_that_nobody_knows(node: Client) -> None:
    known = {name for endpoint in node.app.paths.endpoints.values() for name in _params(endpoint)}
    assert set(PARAMETERS) == known


def _params(endpoint: Endpoint) -> set[str]:
    operations = getattr(endpoint, "operations", {})
    return {name for operation in operations.values() for name in operation.params}


def test_describe_of_nothing_is_a_document() -> None:
    assert describe([])["paths"] == {}


_WORDS = st.one_of(
    st.sampled_from(["urn:ngsi-ld:Tree:1", "Tree", "name", "none", "0", "5", "1,2,3,4", "true"]),
    st.text(min_size=1, max_size=8),
)
_BODIES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "ids", "@context", "a", "properties"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_our_own_api_answers_as_the_document_says(node: Client, data: st.DataObject) -> None:
    if "described" not in vars(node):
        await node.post(f"{NGSI_LD_ROOT}/entities", TREE)
        vars(node)["described"] = await document(node)
    found: dict[str, Any] = vars(node)["described"]
    paths = sorted(path for path in found["paths"] if not path.startswith((NGSI_LD_ROOT, "/events")))
    path = data.draw(st.sampled_from(paths))
    method = data.draw(st.sampled_from(sorted(found["paths"][path])))
    operation = found["paths"][path][method]
    url, query = path, {}
    for parameter in operation["parameters"]:
        value = data.draw(_WORDS, label=parameter["name"])
        if parameter["in"] == "path":
            url = url.replace("{" + parameter["name"] + "}", quote(value, safe=""))
        elif parameter["in"] == "query" and (parameter["required"] or data.draw(st.booleans())):
            query[parameter["name"]] = value
    body = data.draw(_BODIES) if "requestBody" in operation else None
    answer = await node.ask(method.upper(), f"{url}?{urlencode(query)}", body)
    responses = operation["responses"]
    assert answer.status < 500, (method, url, query, answer.body)
    response = responses.get(str(answer.status), responses["default"])
    assert str(answer.status) in responses or answer.status >= 400
    told = answer.headers.get("Content-Type")
    for media_type, content in response.get("content", {}).items():
        if media_type == told and "json" not in media_type:
            break  # tiles are read by programs of their own, in their own tests
        if media_type == told:
            schema = {**content["schema"], "components": found["components"]}
            jsonschema.validate(answer.json, schema, jsonschema.Draft202012Validator)
            break
    else:
        assert "content" not in response, (method, url, told)
