"""Clause 5.7.2: query entities, by GET and by POST; pages (5.5.9, 6.3.10, 6.3.13)."""

from typing import Any

import pytest
import yarl

from cityloom.model.settings import Settings
from tests.conformance.data import BATCH, ENTITIES, lamp, prop
from tests.web.node import Client, running_node

BAND = "[[[0,-1],[0.025,-1],[0.025,1],[0,1],[0,-1]]]"
COUNT = "NGSILD-Results-Count"


@pytest.fixture
async def street(node: Client) -> Client:
    lamps = [
        lamp(
            number,
            height=prop(number),
            scope=f"/street/n{number}",
            location={"type": "GeoProperty", "value": {"type": "Point", "coordinates": [number / 100, 0]}},
        )
        for number in range(5)
    ]
    assert (await node.post(f"{BATCH}/create", lamps)).status == 201
    assert (
        await node.post(ENTITIES, {"id": "urn:ngsi-ld:Bus:1", "type": "Bus", "line": prop(7)})
    ).status == 201
    return node


def numbers(answer: Any) -> list[str]:
    return [each["id"].rpartition(":")[2] for each in answer.json]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"type": "Streetlight"}, "01234"),
        ({"type": "Bus"}, "1"),
        ({"type": "Bus,Streetlight"}, "101234"),
        ({"type": "*"}, "101234"),
        ({"local": "true"}, "101234"),
        ({"attrs": "line"}, "1"),
        ({"q": "height>2"}, "34"),
        ({"q": 'powerState=="on";height<=1'}, "01"),
        ({"type": "Streetlight", "id": "urn:ngsi-ld:Streetlight:1,urn:ngsi-ld:Streetlight:3"}, "13"),
        ({"type": "Streetlight", "idPattern": ".*:[24]$"}, "24"),
        ({"type": "Streetlight", "scopeQ": "/street/n3"}, "3"),
        ({"georel": "near;maxDistance==1500", "geometry": "Point", "coordinates": "[0,0]"}, "01"),
        (
            {
                "georel": "within",
                "geometry": "Polygon",
                "coordinates": BAND,
            },
            "12",
        ),
        ({"type": "Streetlight", "orderBy": "height;desc", "local": "true"}, "43210"),
    ],
)
async def test_query_entities_finds_what_is_selected(
    street: Client, params: dict[str, str], found: str
) -> None:
    answer = await street.get(ENTITIES, params=params)
    assert answer.status == 200, answer.body
    assert "".join(numbers(answer)) == found


@pytest.mark.parametrize(
    ("params", "status", "problem"),
    [
        ({}, 400, "BadRequestData"),
        ({"id": "urn:a:1"}, 400, "BadRequestData"),
        ({"attrs": "createdAt"}, 400, "BadRequestData"),
        ({"q": "createdAt>2020-01-01T00:00:00Z"}, 400, "BadRequestData"),
        ({"q": 'id=="urn:a:1"|type=="A"'}, 400, "BadRequestData"),
        ({"type": "A", "id": "nouri"}, 400, "BadRequestData"),
        ({"type": "A", "idPattern": "("}, 400, "BadRequestData"),
        ({"q": "=="}, 400, "BadRequestData"),
        ({"type": "A", "scopeQ": "??"}, 400, "BadRequestData"),
        ({"georel": "near", "geometry": "Point", "coordinates": "[0,0]"}, 400, "BadRequestData"),
        ({"georel": "within", "geometry": "Polygon"}, 400, "BadRequestData"),
        ({"georel": "within", "geometry": "Point", "coordinates": "[x]"}, 400, "BadRequestData"),
        ({"type": "A", "geometryProperty": "location"}, 400, "BadRequestData"),
        ({"type": "*", "local": "false"}, 400, "BadRequestData"),
        ({"type": "A", "limit": "-1"}, 400, "BadRequestData"),
        ({"type": "A", "limit": "0"}, 400, "BadRequestData"),
        ({"type": "A", "limit": "1001"}, 403, "TooManyResults"),
        ({"type": "A", "count": "yes"}, 400, "BadRequestData"),
        ({"type": "A", "nonsense": "1"}, 400, "InvalidRequest"),
        ({"type": "A", "csf": "=="}, 400, "BadRequestData"),
        ({"type": "A", "splitEntities": "maybe"}, 400, "BadRequestData"),
        ({"type": "A", "entityMap": "maybe"}, 400, "BadRequestData"),
    ],
)
async def test_query_entities_refuses_parameters(
    street: Client, params: dict[str, str], status: int, problem: str
) -> None:
    answer = await street.get(ENTITIES, params=params)
    assert (answer.status, answer.problem) == (status, problem)


async def test_query_entities_leads_from_page_to_page_and_back(street: Client) -> None:
    def links(answer: Any) -> dict[str, str]:
        found = {}
        for value in answer.headers.getall("Link"):
            target, _, rest = value.partition(">")
            for rel in ("next", "prev"):
                if f'rel="{rel}"' in rest:
                    assert 'type="application/json"' in rest
                    found[rel] = target.lstrip("<")
        return found

    seen, back = [], []
    answer = await street.get(f"{ENTITIES}?type=Streetlight&limit=2&q=height%3E%3D0")
    assert "prev" not in links(answer)
    while True:
        seen += numbers(answer)
        if "next" not in links(answer) or len(seen) > 5:
            break
        answer = await street.get(links(answer)["next"])
    assert "".join(seen) == "01234"
    while "prev" in links(answer) and len(back) < 5:
        answer = await street.get(links(answer)["prev"])
        back.append("".join(numbers(answer)))
    assert back == ["23", "01"]


async def test_query_entities_counts_beyond_the_page(street: Client) -> None:
    answer = await street.get(f"{ENTITIES}?type=Streetlight&limit=2&count=true")
    assert (answer.headers[COUNT], len(answer.json)) == ("5", 2)
    answer = await street.get(f"{ENTITIES}?type=Streetlight&limit=0&count=true")
    assert (answer.headers[COUNT], answer.json) == ("5", [])
    assert COUNT not in (await street.get(f"{ENTITIES}?type=Streetlight")).headers


async def test_query_entities_takes_the_page_of_the_settings(tmp_path: Any) -> None:
    async with running_node(tmp_path, Settings(page_default=2, page_max=3)) as node:
        await node.post(f"{BATCH}/create", [lamp(number) for number in range(4)])
        assert len((await node.get(f"{ENTITIES}?type=Streetlight")).json) == 2
        assert (await node.get(f"{ENTITIES}?type=Streetlight&limit=4")).status == 403


async def test_query_entities_answers_geojson(street: Client) -> None:
    answer = await street.get(
        f"{ENTITIES}?type=Streetlight&attrs=height", headers={"Accept": "application/geo+json"}
    )
    collection = answer.json
    assert collection["type"] == "FeatureCollection"
    assert [each["properties"]["height"]["value"] for each in collection["features"]] == [0, 1, 2, 3, 4]
    assert "@context" in collection


async def test_query_entities_compacts_with_the_context_of_the_link(street: Client) -> None:
    made = await street.post(
        "/ngsi-ld/v1/jsonldContexts",
        raw=b'{"@context":{"hoogte":"https://uri.etsi.org/ngsi-ld/default-context/height"}}',
        headers={"Content-Type": "application/json"},
    )
    url = street.base + made.headers["Location"]
    link = f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    answer = await street.get(f"{ENTITIES}?q=hoogte%3E3", headers={"Link": link})
    assert answer.json[0]["hoogte"] == prop(4)
    assert url in answer.headers["Link"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"entities": [{"type": "Streetlight"}]}, "01234"),
        ({"entities": [{"type": "Streetlight"}, {"type": "Bus"}]}, "101234"),
        ({"entities": [{"type": "Streetlight", "id": "urn:ngsi-ld:Streetlight:1"}]}, "1"),
        ({"entities": [{"type": "Streetlight", "idPattern": ":[12]$"}], "q": "height>1"}, "2"),
        ({"q": "height>=3"}, "34"),
        ({"attrs": ["line"]}, "1"),
        (
            {"geoQ": {"georel": "near;maxDistance==1500", "geometry": "Point", "coordinates": [0, 0]}},
            "01",
        ),
        ({"entities": [{"type": "Streetlight"}], "scopeQ": "/street/n2"}, "2"),
        ({"entities": [{"type": "Streetlight"}], "ordering": {"orderBy": ["height;desc"]}}, "43210"),
    ],
)
async def test_query_by_post_finds_the_same(street: Client, query: dict[str, Any], found: str) -> None:
    answer = await street.post(f"{BATCH}/query", {"type": "Query", **query})
    assert answer.status == 200, answer.body
    assert "".join(numbers(answer)) == found


@pytest.mark.parametrize(
    ("query", "status", "problem"),
    [
        ({"entities": [{"type": "A"}]}, 400, "BadRequestData"),
        ({"type": "Query"}, 400, "BadRequestData"),
        ({"type": "Query", "entities": []}, 400, "BadRequestData"),
        ({"type": "Query", "entities": [{"id": "urn:a:1"}]}, 400, "BadRequestData"),
        ({"type": "Query", "attrs": []}, 400, "BadRequestData"),
        ({"type": "Query", "attrs": "a"}, 400, "BadRequestData"),
        ({"type": "Query", "q": 7}, 400, "BadRequestData"),
        ({"type": "Query", "nonsense": 1, "q": "a"}, 400, "BadRequestData"),
        ({"type": "Query", "q": "a", "temporalQ": {"timerel": "after"}}, 400, "BadRequestData"),
        ({"type": "Query", "q": "a", "csf": "=="}, 400, "BadRequestData"),
        ({"type": "Query", "q": "a", "entityMap": "yes"}, 400, "BadRequestData"),
    ],
)
async def test_query_by_post_refuses_documents(
    street: Client, query: dict[str, Any], status: int, problem: str
) -> None:
    answer = await street.post(f"{BATCH}/query", query)
    assert (answer.status, answer.problem) == (status, problem)


async def test_query_by_post_pages_projects_and_counts(street: Client) -> None:
    body = {"type": "Query", "entities": [{"type": "Streetlight"}], "pick": ["id", "height"]}
    answer = await street.post(f"{BATCH}/query?limit=2&count=true&options=keyValues", body)
    assert answer.json == [{"id": lamp(0)["id"], "height": 0}, {"id": lamp(1)["id"], "height": 1}]
    assert answer.headers[COUNT] == "5"
    assert any('rel="next"' in link for link in answer.headers.getall("Link"))


def test_the_test_client_sends_parameters_as_they_are() -> None:
    assert yarl.URL("http://a/b").with_query({"q": "a>1;b"}).query["q"] == "a>1;b"


async def test_any_type_is_asked_for_here_alone(street: Client) -> None:
    """Table 5.2.33-1: type * implies the local scope, which is not to be denied beside it."""
    body = {"type": "Query", "entities": [{"type": "*"}]}
    assert len((await street.post(f"{BATCH}/query", body)).json) == 6
    for answer in (
        await street.post(f"{BATCH}/query?local=false", body),
        await street.get(f"{ENTITIES}?type=*&local=false"),
        await street.post(
            "/ngsi-ld/v1/subscriptions",
            {
                "type": "Subscription",
                "entities": [{"type": "*"}],
                "localOnly": False,
                "notification": {"endpoint": {"uri": "http://127.0.0.1:1/"}},
            },
        ),
    ):
        assert (answer.status, answer.problem) == (400, "BadRequestData")


@pytest.mark.parametrize(
    ("asked", "place"),
    [("", None), ("@none", None), ("urn:d:1", 1), ("urn:d:2,urn:d:1", 2), ("urn:d:9", None)],
)
async def test_geometry_of_a_feature_is_of_the_instance_asked_for(
    node: Client, asked: str, place: int | None
) -> None:
    """4.5.16.1: of the datasetId, or of the default instance; else null."""
    location = [
        {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [number, 0]}, "datasetId": id}
        for number, id in ((1, "urn:d:1"), (2, "urn:d:2"))
    ]
    assert (await node.post(ENTITIES, lamp(location=location))).status == 201
    params = {"type": "Streetlight"} | ({"datasetId": asked} if asked else {})
    answer = await node.get(ENTITIES, params=params, headers={"Accept": "application/geo+json"})
    [feature] = answer.json["features"]
    assert feature["geometry"] == (place and {"type": "Point", "coordinates": [place, 0]})
