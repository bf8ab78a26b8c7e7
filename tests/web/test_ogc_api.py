"""`/ogc/api` is a valid OpenAPI 3.0 document, and true: answers are what it says."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from cityloom.web.ogc.api import to_openapi_30
from tests.web.node import Client
from tests.web.ogc_city import ITEMS, TREES, plant


@pytest.fixture
async def park(node: Client) -> Client:
    await plant(node)
    return node


async def document(node: Client) -> dict[str, Any]:
    answer = await node.get("/ogc/api")
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi+json;version=3.0"
    found: dict[str, Any] = answer.json
    return found


async def test_document_is_valid_openapi_3_0(node: Client) -> None:
    found = await document(node)
    assert found["openapi"].startswith("3.0.")
    OpenAPIV30SpecValidator(found).validate()


async def test_document_names_what_is_routed_below_ogc_and_nothing_else(node: Client) -> None:
    found = await document(node)
    ours = (await node.get("/openapi.json")).json["paths"]
    routed = {path.removeprefix("/ogc") or "/" for path in ours if path.startswith("/ogc")}
    assert found["paths"].keys() == routed
    assert found["servers"] == [{"url": "/ogc"}]


async def test_document_says_which_parameters_there_are_and_their_bounds(node: Client) -> None:
    items = (await document(node))["paths"]["/collections/{collectionId}/items"]["get"]
    parameters = {each["name"]: each for each in items["parameters"]}
    assert parameters["limit"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": node.services.settings.items_max,
        "default": node.services.settings.items_default,
    }
    assert parameters["bbox"]["schema"]["items"] == {"type": "number"}
    assert (parameters["bbox"]["style"], parameters["bbox"]["explode"]) == ("form", False)
    assert parameters["crs"]["schema"]["enum"] == node.services.crs.uris
    assert parameters["f"]["schema"]["enum"] == ["json", "html", "csv", "parquet"]
    assert parameters["datetime"]["schema"]["type"] == "string"


async def test_document_says_how_access_is_controlled_and_what_can_go_wrong(node: Client) -> None:
    found = await document(node)
    assert found["components"]["securitySchemes"]["apiKey"] == {"type": "http", "scheme": "bearer"}
    assert {"apiKey": []} in found["security"]
    for methods in found["paths"].values():
        assert {"200", "400", "401", "403", "404", "406", "500"} <= methods["get"]["responses"].keys()


@pytest.mark.parametrize(
    ("template", "path", "accept"),
    [
        ("/", "/ogc", "application/json"),
        ("/conformance", "/ogc/conformance", "application/json"),
        ("/collections", "/ogc/collections", "application/json"),
        ("/collections/{collectionId}", TREES, "application/json"),
        ("/collections/{collectionId}/queryables", f"{TREES}/queryables", "application/schema+json"),
        ("/collections/{collectionId}/items", ITEMS, "application/geo+json"),
        (
            "/collections/{collectionId}/items/{featureId}",
            f"{ITEMS}/{quote('urn:ngsi-ld:Tree:9', safe='')}",
            "application/geo+json",
        ),
        ("/api", "/ogc/api", "application/vnd.oai.openapi+json;version=3.0"),
    ],
)
async def test_answers_are_what_the_document_says(
    park: Client, template: str, path: str, accept: str
) -> None:
    found = await document(park)
    answer = await park.get(path, headers={"Accept": accept})
    content = found["paths"][template]["get"]["responses"]["200"]["content"]
    assert answer.headers["Content-Type"] == accept
    jsonschema.validate(answer.json, content[accept]["schema"], jsonschema.Draft202012Validator)
    for media_type in content:
        told = await park.get(path, headers={"Accept": media_type})
        assert (told.status, told.headers["Content-Type"].partition("; charset")[0]) == (200, media_type)


async def test_every_operation_refuses_what_the_document_does_not_name(park: Client) -> None:
    for template in (await document(park))["paths"]:
        path = template.replace("{collectionId}", "Tree").replace("{featureId}", "urn:ngsi-ld:Tree:1")
        answer = await park.get(f"/ogc{path.rstrip('/')}?nonsense=1")
        assert answer.status == 400, template


def test_schemas_are_said_in_the_words_of_openapi_3_0() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"]},
            "b": {"const": 1},
            "c": {"type": ["object", "array"]},
        },
    }
    assert to_openapi_30(schema)["properties"] == {
        "a": {"type": "string", "nullable": True},
        "b": {"enum": [1]},
        "c": {"anyOf": [{"type": "object"}, {"type": "array"}]},
    }
