"""OGC API Features over HTTP: what each requirement of Parts 1 and 2 asks for."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import geopandas
import polars as pl
import pyproj
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityloom.model.errors import Unauthorized
from cityloom.model.settings import Settings
from cityloom.model.time import parse_datetime
from tests.web.node import Answer, Client, open_services, running
from tests.web.ogc_city import CRS84, ENTITIES, EPSG, ITEMS, TREES, hrefs, ids, plant, tree

CRS_URIS = [CRS84, EPSG + "4326", EPSG + "3857", EPSG + "26986"]


@pytest.fixture
async def park(tmp_path: Path) -> AsyncIterator[Client]:
    """A node of a city that has its own coordinate system and two languages."""
    async with open_services(tmp_path, Settings()) as services:
        city = dataclasses.replace(
            services,
            city=services.city.__class__(
                name={"en": "Testville", "zh": "测试城"},
                profile="test",
                center=(0.2, 1.0),
                languages=["zh", "en"],
                crs="EPSG:26986",
            ),
        )
        async with running(city) as node:
            await plant(node)
            yield node


# -- landing page, conformance, collections ------------------------------------


async def test_landing_page_leads_everywhere(park: Client) -> None:
    answer = await park.get("/ogc")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    kinds = {each["rel"]: each.get("type") for each in answer.json["links"]}
    assert kinds["service-desc"] == "application/vnd.oai.openapi+json;version=3.0"
    assert kinds["service-doc"] == "text/html"
    for rel in ("self", "alternate", "service-desc", "service-doc", "conformance", "data"):
        for href in hrefs(answer.json, rel):
            assert (await park.get(href)).status == 200, href


async def test_conformance_lists_the_classes_that_are_met(park: Client) -> None:
    classes = (await park.get("/ogc/conformance")).json["conformsTo"]
    assert len(classes) == len(set(classes))
    named = {
        1: "core geojson html oas30",
        2: "crs",
        3: "queryables queryables-query-parameters filter features-filter",
    }
    for part, name in ((part, name) for part, names in named.items() for name in names.split()):
        assert f"http://www.opengis.net/spec/ogcapi-features-{part}/1.0/conf/{name}" in classes
    for name in ("cql2-text", "cql2-json", "basic-cql2", "spatial-functions"):
        assert f"http://www.opengis.net/spec/cql2/1.0/conf/{name}" in classes


async def test_collections_are_the_types_in_use_with_or_without_places(park: Client) -> None:
    found = (await park.get("/ogc/collections")).json
    by_id = {each["id"]: each for each in found["collections"]}
    assert by_id.keys() == {"Tree", "Rule"}
    trees = by_id["Tree"]
    assert (trees["title"], trees["itemType"], trees["storageCrs"]) == ("Tree", "feature", CRS84)
    assert trees["crs"] == CRS_URIS
    assert trees["extent"]["spatial"]["bbox"] == [pytest.approx([0, 1, 0.4, 1])]
    assert "extent" not in by_id["Rule"]
    assert all("type" in each for each in found["links"])
    types = {each["type"] for each in trees["links"] if each["rel"] == "items"}
    assert types == {"application/geo+json", "text/html", "text/csv", "application/vnd.apache.parquet"}
    assert len(hrefs(trees, "http://www.opengis.net/def/rel/ogc/1.0/queryables")) == 2


async def test_collection_is_as_in_the_list(park: Client) -> None:
    (listed,) = (
        each for each in (await park.get("/ogc/collections")).json["collections"] if each["id"] == "Tree"
    )
    alone = (await park.get(TREES)).json
    assert {**alone, "links": None} == {**listed, "links": None}
    assert all(link in alone["links"] for link in listed["links"])
    for link in alone["links"]:
        answer = await park.get(link["href"], headers={"Accept": "image/png"} if "f=" in link["href"] else {})
        assert answer.status == 200
        if "type" in link:
            assert answer.headers["Content-Type"].partition("; charset")[0] == link["type"], link


async def test_type_without_a_short_name_is_reached_percent_encoded(park: Client) -> None:
    iri = "https://example.org/terms#Fähre/1"
    await park.post(ENTITIES, {"id": "urn:a:1", "type": iri, "name": {"value": "Ferry"}})
    listed = (await park.get("/ogc/collections")).json["collections"]
    (ferry,) = (each for each in listed if each["id"] == iri)
    assert ferry["title"] == "1"
    assert (await park.get(f"/ogc/collections/{quote(iri, safe='')}")).json["id"] == iri
    for href in hrefs(ferry, "items"):
        assert (await park.get(href)).status == 200
    answer = await park.get(f"/ogc/collections/{quote(iri, safe='')}/items/urn%3Aa%3A1")
    assert answer.json["properties"] == {"name": "Ferry"}


async def test_terms_of_a_context_name_collections_and_properties(park: Client) -> None:
    context = {
        "@context": {
            "Arbre": "https://uri.etsi.org/ngsi-ld/default-context/Tree",
            "taille": "https://uri.etsi.org/ngsi-ld/default-context/height",
        }
    }
    made = await park.post(
        "/ngsi-ld/v1/jsonldContexts", context, headers={"Content-Type": "application/json"}
    )
    url = park.base + made.headers["Location"]
    link = f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    answer = await park.get("/ogc/collections/Arbre/items?properties=taille&limit=2", headers={"Link": link})
    assert [each["properties"] for each in answer.json["features"]] == [{"taille": 0}, {"taille": 1.5}]


# -- features --------------------------------------------------------------------


async def test_items_are_features_by_id_with_their_counts(park: Client) -> None:
    before = park.services.clock.now()
    answer = await park.get(ITEMS)
    assert answer.headers["Content-Type"] == "application/geo+json"
    assert answer.headers["Content-Crs"] == f"<{CRS84}>"
    found = answer.json
    assert (found["type"], ids(answer)) == ("FeatureCollection", [0, 1, 2, 3, 4, 9])
    assert (found["numberMatched"], found["numberReturned"]) == (6, 6)
    assert before <= parse_datetime(found["timeStamp"]) <= park.services.clock.now()
    second, last = found["features"][1], found["features"][5]
    assert second["geometry"] == {"type": "Point", "coordinates": [0.1, 1]}
    assert second["properties"] == {"name": "树1", "height": 1.5}
    assert last["geometry"] is None
    assert hrefs(found, "self")
    assert len(hrefs(found, "alternate")) == 3
    assert all("type" in each for each in found["links"])


async def test_items_are_read_page_by_page(park: Client) -> None:
    seen, url = [], f"{park.base}{ITEMS}?limit=2&properties=height"
    pages = 0
    while url:
        answer = await park.get(url)
        found = answer.json
        assert found["numberReturned"] == len(found["features"]) <= 2
        assert found["numberMatched"] == 6
        seen += ids(answer)
        following = hrefs(found, "next")
        if pages:
            (back,) = hrefs(found, "prev")
            assert len((await park.get(back)).json["features"]) == 2
        assert f'rel="{"next" if following else "self"}"' in ", ".join(answer.headers.getall("Link"))
        url, pages = (following[0] if following else ""), pages + 1
    assert (seen, pages) == ([0, 1, 2, 3, 4, 9], 3)
    beyond = (await park.get(f"{ITEMS}?offset=50")).json
    assert (beyond["features"], beyond["numberMatched"]) == ([], 6)


async def test_limit_is_bounded_by_the_settings_without_an_error(tmp_path: Path) -> None:
    async with (
        open_services(tmp_path, Settings(items_default=2, items_max=3)) as services,
        running(services) as node,
    ):
        await plant(node)
        assert len((await node.get(ITEMS)).json["features"]) == 2
        answer = (await node.get(f"{ITEMS}?limit=1000000")).json
        assert (answer["numberReturned"], len(hrefs(answer, "next"))) == (3, 1)


async def test_pages_hold_everything_where_the_largest_is_below_the_usual_size(tmp_path: Path) -> None:
    async with open_services(tmp_path, Settings(items_max=2)) as services, running(services) as node:
        await plant(node)
        url, seen = ITEMS, list[int]()
        while url:
            answer = await node.get(url.removeprefix(node.base))
            seen += ids(answer)
            url = next(iter(hrefs(answer.json, "next")), "")
        assert seen == [0, 1, 2, 3, 4, 9]
        api = (await node.get("/ogc/api")).json["paths"]["/collections/{collectionId}/items"]["get"]
        (limit,) = (each["schema"] for each in api["parameters"] if each["name"] == "limit")
        assert (limit["maximum"], limit["default"]) == (2, 2)


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ("0.05,0.5,0.35,1.5", [1, 2, 3, 9]),
        ("0.1,1,0.1,1", [1, 9]),
        ("0.1,1,0.3,1", [1, 2, 3, 9]),
        ("0.35,-5,-179,5", [4, 9]),
        ("10,10,11,11", [9]),
        ("0.05,0.5,-100,0.35,1.5,100", [1, 2, 3, 9]),
    ],
)
async def test_bbox_selects_what_it_touches_and_what_has_no_place(
    park: Client, bbox: str, expected: list[int]
) -> None:
    answer = await park.get(f"{ITEMS}?bbox={bbox}")
    assert ids(answer) == expected
    paged = await park.get(f"{ITEMS}?bbox={bbox}&limit=1&offset=1&properties=name")
    assert ids(paged) == expected[1:2]
    assert paged.json["numberMatched"] == answer.json["numberMatched"] == len(expected)


async def test_bbox_with_heights_leaves_out_what_is_above_or_below(park: Client) -> None:
    for number, height in ((5, 10), (6, 200)):
        place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [0.2, 1, height]}}
        await park.post(ENTITIES, tree(number, location=place))
    answer = await park.get(f"{ITEMS}?bbox=0.15,0.5,0,0.25,1.5,50")
    assert (ids(answer), answer.json["numberMatched"]) == ([2, 5, 9], 3)


async def test_bbox_in_another_system(park: Client) -> None:
    turned = f"{ITEMS}?bbox=0.5,0.05,1.5,0.35&bbox-crs={quote(EPSG, safe='')}4326"
    assert ids(await park.get(turned)) == [1, 2, 3, 9]
    mercator = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3857")
    box = (*mercator.transform(0.05, 0.5), *mercator.transform(0.35, 1.5))
    text = ",".join(str(each) for each in box)
    assert ids(await park.get(f"{ITEMS}?bbox={text}&bbox-crs={quote(EPSG, safe='')}3857")) == [1, 2, 3, 9]


@pytest.mark.parametrize(
    ("datetime", "expected"),
    [
        ("2026-05-02T00:00:00Z", [1, 9]),
        ("2026-05-02", [1, 9]),
        ("2026-05-02T00:00:00Z/2026-05-04T00:00:00Z", [1, 2, 3, 9]),
        ("../2026-05-02T00:00:00Z", [0, 1, 9]),
        ("/2026-05-02T00:00:00Z", [0, 1, 9]),
        ("2026-05-04T00:00:00Z/..", [3, 4, 9]),
        ("2026-05-04T00:00:00Z/", [3, 4, 9]),
        ("1999-01-01T00:00:00Z", [9]),
    ],
)
async def test_datetime_selects_by_the_time_of_observation_and_what_has_none(
    park: Client, datetime: str, expected: list[int]
) -> None:
    answer = await park.get(f"{ITEMS}?datetime={datetime}")
    assert (ids(answer), answer.json["numberMatched"]) == (expected, len(expected))
    both = await park.get(f"{ITEMS}?datetime={datetime}&bbox=0.05,0,0.35,2&properties=name&limit=1")
    inside = [number for number in expected if number in (1, 2, 3, 9)]
    assert (ids(both), both.json["numberMatched"]) == (inside[:1], len(inside))


@pytest.mark.parametrize(
    ("sortby", "expected"),
    [
        ("-height", [4, 3, 2, 1, 0, 9]),
        ("+height", [0, 1, 2, 3, 4, 9]),
        ("height", [0, 1, 2, 3, 4, 9]),
        ("-id", [9, 4, 3, 2, 1, 0]),
        ("-height.observedAt", [4, 3, 2, 1, 0, 9]),
        ("-modifiedAt", [9, 4, 3, 2, 1, 0]),
    ],
)
async def test_sortby_orders_before_it_pages(park: Client, sortby: str, expected: list[int]) -> None:
    assert ids(await park.get(f"{ITEMS}?sortby={sortby}")) == expected
    assert ids(await park.get(f"{ITEMS}?sortby={sortby}&limit=2&offset=1")) == expected[1:3]
    within = await park.get(f"{ITEMS}?sortby={sortby}&limit=2&offset=1&bbox=0,0,0.25,2")
    assert ids(within) == [number for number in expected if number not in (3, 4)][1:3]


async def test_properties_are_those_asked_for(park: Client) -> None:
    answer = await park.get(f"{ITEMS}?properties=height,height.observedAt,createdAt,none&limit=1")
    (feature,) = answer.json["features"]
    assert feature["properties"].keys() == {"height", "height.observedAt", "createdAt"}
    assert feature["geometry"] is not None


async def test_silent_objects_are_told(park: Client) -> None:
    assert (await park.get(f"{ITEMS}?properties=name,stale&sortby=-stale")).status == 200
    await park.post(f"{ENTITIES}/{tree(3)['id']}/attrs", {"stale": {"value": True}})
    found = (await park.get(f"{ITEMS}?properties=name,stale")).json["features"]
    assert [each["id"] for each in found if each["properties"].get("stale")] == [tree(3)["id"]]


@pytest.mark.parametrize(
    ("query", "headers", "name"),
    [
        ("", {}, "Tree 1"),
        ("", {"Accept-Language": "zh-CN,en;q=0.5"}, "树1"),
        ("lang=zh", {"Accept-Language": "en"}, "树1"),
        ("", {"Accept-Language": "not;a=language"}, "Tree 1"),
    ],
)
async def test_texts_are_in_the_language_of_the_reader(
    node: Client, query: str, headers: dict[str, str], name: str
) -> None:
    await plant(node)
    answer = await node.get(f"{ITEMS}/{tree(1)['id']}?{query}", headers=headers)
    assert answer.json["properties"]["name"] == name


async def test_a_feature_is_as_in_its_collection(park: Client) -> None:
    listed = (await park.get(ITEMS)).json["features"]
    for feature in listed:
        answer = await park.get(f"{ITEMS}/{quote(feature['id'], safe='')}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/geo+json")
        assert answer.headers["Content-Crs"] == f"<{CRS84}>"
        alone = answer.json
        links = alone.pop("links")
        assert alone == feature
        assert {each["rel"] for each in links} == {"self", "alternate", "collection"}
        assert all("type" in each for each in links)


@pytest.mark.parametrize(
    "path",
    [
        f"{ITEMS}/urn:ngsi-ld:Tree:77",
        f"{ITEMS}/urn:ngsi-ld:Rule:1",
        "/ogc/collections/None",
        "/ogc/collections/None/items",
        "/ogc/collections/None/items/urn:a:1",
        "/ogc/collections/None/queryables",
        "/ogc/nothing",
    ],
)
async def test_what_does_not_exist_is_404(park: Client, path: str) -> None:
    answer = await park.get(path)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")


async def test_what_has_expired_is_not_there(park: Client) -> None:
    gone = {**tree(7), "expiresAt": "2020-01-01T00:00:00Z"}
    assert (await park.post(ENTITIES, gone)).status in (201, 400)
    assert 7 not in ids(await park.get(ITEMS))
    assert (await park.get(f"{ITEMS}/{gone['id']}")).status == 404


# -- coordinate systems ------------------------------------------------------------


@pytest.mark.parametrize("uri", CRS_URIS)
async def test_coordinates_are_in_the_system_that_is_asked_for(park: Client, uri: str) -> None:
    asked = f"crs={quote(uri, safe='')}"
    answer = await park.get(f"{ITEMS}?{asked}")
    assert answer.headers["Content-Crs"] == f"<{uri}>"
    code = "OGC:CRS84" if uri == CRS84 else f"EPSG:{uri.rpartition('/')[2]}"
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", code)
    for number, feature in enumerate(answer.json["features"][:5]):
        expected = transformer.transform(number / 10, 1)
        assert feature["geometry"]["coordinates"] == pytest.approx(list(expected))
        alone = await park.get(f"{ITEMS}/{feature['id']}?{asked}")
        assert alone.json["geometry"] == feature["geometry"]
        assert alone.headers["Content-Crs"] == f"<{uri}>"
    assert answer.json["features"][5]["geometry"] is None


@pytest.mark.parametrize("parameter", ["crs", "bbox-crs"])
async def test_unknown_system_is_400_and_named(park: Client, parameter: str) -> None:
    for uri in ("EPSG:4326", "http://www.opengis.net/def/crs/EPSG/0/2154", "x"):
        answer = await park.get(f"{ITEMS}?bbox=0,0,1,1&{parameter}={quote(uri, safe='')}")
        assert (answer.status, uri in answer.json["detail"]) == (400, True)
    assert (await park.get(f"{ITEMS}/{tree(1)['id']}?crs=x")).status == 400


# -- formats -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "accept", "told"),
    [
        ("", "*/*", "application/geo+json"),
        ("", "application/geo+json", "application/geo+json"),
        ("", "application/json", "application/json"),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("", "text/csv", "text/csv; charset=utf-8"),
        ("", "application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("f=json", "text/html", "application/geo+json"),
        ("f=html", "application/json", "text/html; charset=utf-8"),
        ("f=csv", "image/png", "text/csv; charset=utf-8"),
    ],
)
async def test_format_is_negotiated_and_f_goes_first(
    park: Client, query: str, accept: str, told: str
) -> None:
    answer = await park.get(f"{ITEMS}?{query}", headers={"Accept": accept})
    assert (answer.status, answer.headers["Content-Type"]) == (200, told)
    assert "Accept" in answer.headers["Vary"]


async def test_format_that_cannot_be_had_is_406_and_an_unknown_word_400(park: Client) -> None:
    for path in ("/ogc", "/ogc/collections", TREES, ITEMS, "/ogc/api", f"{TREES}/queryables"):
        assert (await park.get(path, headers={"Accept": "image/png"})).status == 406, path
        answer = await park.get(f"{path}?f=png")
        assert (answer.status, "json" in answer.json["detail"]) == (400, True), path


async def test_csv_and_parquet_hold_the_same_features(park: Client) -> None:
    features = (await park.get(ITEMS)).json["features"]
    answer = await park.get(f"{ITEMS}?f=csv")
    assert answer.headers["OGC-NumberMatched"] == answer.headers["OGC-NumberReturned"] == "6"
    table = pl.read_csv(answer.body)
    assert table.columns == ["id", "genus", "height", "name", "geometry"]
    assert table["id"].to_list() == [each["id"] for each in features]
    assert table["height"].to_list() == [each["properties"].get("height") for each in features]
    asked = f"f=parquet&crs={quote(EPSG, safe='')}26986&bbox=0.05,0,0.35,2"
    frame = geopandas.read_parquet(io.BytesIO((await park.get(f"{ITEMS}?{asked}")).body))
    assert frame.crs == pyproj.CRS("EPSG:26986")
    degrees = frame.to_crs("OGC:CRS84").geometry
    assert [None if each is None else round(each.x, 6) for each in degrees] == [0.1, 0.2, 0.3, None]


async def test_pages_of_a_table_are_found_by_their_links(park: Client) -> None:
    first = await park.get(f"{ITEMS}?f=csv&limit=4")
    (following,) = (link for link in first.headers.getall("Link") if 'rel="next"' in link)
    second = await park.get(following[1 : following.index(">")])
    both = pl.concat([pl.read_csv(each.body, infer_schema=False) for each in (first, second)])
    assert both["id"].to_list() == [f"urn:ngsi-ld:Tree:{number}" for number in (0, 1, 2, 3, 4, 9)]


# -- what is refused, and who may -----------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "nonsense=1",
        "bbox=1,2,3",
        "bbox=a,b,c,d",
        "bbox=0,5,1,1",
        "bbox=",
        "limit=0",
        "limit=-1",
        "limit=ten",
        "offset=-1",
        "datetime=yesterday",
        "datetime=2026-05-02/2026-05-01",
        "sortby=%2B",
        "properties=a,,b",
        "properties=a%20b",
        "sortby=-heigth",
        "lang=%3B%3B",
        "limit=1&limit=2",
    ],
)
async def test_parameters_that_are_wrong_are_400_and_named(park: Client, query: str) -> None:
    answer = await park.get(f"{ITEMS}?{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert query.partition("=")[0] in answer.json["detail"]


async def test_a_misspelt_name_to_sort_by_is_told_with_what_may_be_meant(park: Client) -> None:
    answer = await park.get(f"{ITEMS}?sortby=-heigth")
    assert (answer.status, answer.json["detail"].partition("; ")[2]) == (400, "did you mean height?")


async def test_tenants_have_collections_of_their_own(park: Client) -> None:
    other = {"NGSILD-Tenant": "harbour"}
    await park.post(ENTITIES, {"id": "urn:a:1", "type": "Ship", "name": {"value": "Ada"}}, headers=other)
    assert [
        each["id"] for each in (await park.get("/ogc/collections", headers=other)).json["collections"]
    ] == ["Ship"]
    assert (await park.get("/ogc/collections/Ship/items")).status == 404
    assert (await park.get("/ogc/collections/Ship/items", headers=other)).json["numberMatched"] == 1
    assert (await park.get(ITEMS, headers=other)).status == 404
    assert (await park.get("/ogc/collections", headers={"NGSILD-Tenant": "none"})).status == 404


async def test_who_may_not_read_the_map_reads_nothing_of_it(park: Client) -> None:
    class Closed:
        def check(self, call: Any, action: str, resource: str = "") -> None:
            raise Unauthorized("an API key is required")

    async with running(dataclasses.replace(park.services, access=Closed())) as closed:
        for path in (
            "/ogc",
            "/ogc/conformance",
            "/ogc/collections",
            TREES,
            f"{TREES}/queryables",
            ITEMS,
            f"{ITEMS}/{tree(1)['id']}",
        ):
            answer = await closed.get(path)
            assert (answer.status, b"Tree" in answer.body) == (401, False), path


async def test_links_keep_to_the_host_that_was_asked_or_the_public_one(park: Client, tmp_path: Path) -> None:
    assert hrefs((await park.get("/ogc")).json, "data") == [f"{park.base}/ogc/collections"]
    known = Settings(public_url="https://city.example/base/")
    async with running(dataclasses.replace(park.services, settings=known)) as node:
        assert hrefs((await node.get("/ogc")).json, "data") == ["https://city.example/base/ogc/collections"]


# -- against an oracle --------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_every_page_of_every_selection_agrees_with_a_plain_filter(
    park: Client, data: st.DataObject
) -> None:
    numbers = [0, 1, 2, 3, 4, 9]
    west, east = data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4)).map(sorted))
    first, last = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)).map(sorted))
    boxed, timed, turned = (data.draw(st.booleans()) for _ in range(3))
    limit, offset = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 4))
    query = f"limit={limit}&offset={offset}"
    if boxed:
        query += f"&bbox={west / 10 - 0.01},0,{east / 10 + 0.01},2"
        numbers = [each for each in numbers if each == 9 or west <= each <= east]
    if timed:
        query += f"&datetime=2026-05-0{first}/2026-05-0{last}"
        numbers = [each for each in numbers if each == 9 or first <= each + 1 <= last]
    if turned:
        query += "&sortby=-id"
        numbers = numbers[::-1]
    if data.draw(st.booleans()):
        query += "&properties=name"
    answer: Answer = await park.get(f"{ITEMS}?{query}")
    assert ids(answer) == numbers[offset : offset + limit]
    assert answer.json["numberMatched"] == len(numbers)
