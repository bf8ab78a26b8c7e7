"""Clauses 4.5.16, 4.5.17, 4.5.23, 4.9, 4.10, 4.17, 4.21, 4.23 and 5.7.2: what queries find and tell."""

from typing import Any

import pytest

from cityloom.ld.core_terms import CORE_URL
from tests.conformance.data import BATCH, CORE_LINK_REL, ENTITIES, prop
from tests.web.node import Answer, Client

GEO = {"Accept": "application/geo+json"}


def link(id: str) -> dict[str, Any]:
    return {"type": "Relationship", "object": id}


def place(*coordinates: Any, kind: str = "Point") -> dict[str, Any]:
    value = {"type": kind, "coordinates": list(coordinates)}
    return {"type": "GeoProperty", "value": value}


SQUARE = [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]
HOUSES = [
    {
        "id": f"urn:ngsi-ld:House:{number}",
        "type": ["House", "Home"] if number == 3 else "House",
        "name": prop(name),
        "floors": [prop(number), prop(10 * number, datasetId="urn:d:plan")],
        "in": link(f"urn:ngsi-ld:City:{city}"),
        "location": place(number, number),
    }
    for number, name, city in ((1, "b", 1), (2, "a", 1), (3, "\u00e4", 2))
]
CITIES = [
    {
        "id": f"urn:ngsi-ld:City:{number}",
        "type": "City",
        "name": prop(f"C{number}"),
        "of": link("urn:ngsi-ld:Land:1"),
    }
    for number in (1, 2)
]
LAND = {"id": "urn:ngsi-ld:Land:1", "type": "Land", "name": prop("L")}
PARK = {"id": "urn:ngsi-ld:Park:1", "type": "Park", "location": place(SQUARE, kind="Polygon")}


@pytest.fixture
async def town(node: Client) -> Client:
    answer = await node.post(f"{BATCH}/create", [*HOUSES, *CITIES, LAND, PARK])
    assert answer.status == 201, answer.body
    return node


async def ask(node: Client, way: str, query: dict[str, Any], **params: str) -> Answer:
    """The same query by GET and by POST."""
    if way == "GET":
        words = {
            name: ",".join(value) if isinstance(value, list) else str(value) for name, value in query.items()
        }
        answer = await node.get(ENTITIES, params={**words, **params})
    else:
        body: dict[str, Any] = {"type": "Query", **query}
        if "type" in query:
            body["type"], body["entities"] = "Query", [{"type": query["type"]}]
        answer = await node.ask("POST", f"{BATCH}/query", body, params=params)
    assert answer.status == 200, answer.body
    return answer


def numbers(found: list[dict[str, Any]]) -> str:
    return "".join(each["id"][-1] for each in found)


@pytest.mark.parametrize("way", ["GET", "POST"])
async def test_linked_entities_stand_inside_or_beside(town: Client, way: str) -> None:
    """4.5.23.2 and 4.5.23.3: to the level that is asked for; each entity once."""
    inline = (await ask(town, way, {"type": "House", "join": "inline"})).json
    assert [each["in"]["entity"]["name"]["value"] for each in inline] == ["C1", "C1", "C2"]
    assert "entity" not in inline[0]["in"]["entity"]["of"]
    deep = (await ask(town, way, {"type": "House", "join": "inline", "joinLevel": 2})).json
    assert deep[0]["in"]["entity"]["of"]["entity"]["name"] == prop("L")
    flat = (await ask(town, way, {"type": "House", "join": "flat"})).json
    assert sorted(each["id"].rpartition(":")[0][12:] for each in flat) == ["City"] * 2 + ["House"] * 3
    flat = (await ask(town, way, {"type": "House", "join": "flat", "joinLevel": 2})).json
    assert sum(each["type"] == "Land" for each in flat) == 1
    own = (await ask(town, way, {"type": "House,City", "join": "flat"})).json
    assert len({each["id"] for each in own}) == len(own) == 6
    none = (await ask(town, way, {"type": "House", "join": "@none"})).json
    assert none == (await ask(town, way, {"type": "House"})).json


@pytest.mark.parametrize("way", ["GET", "POST"])
@pytest.mark.parametrize("join", ["inline", "flat"])
async def test_linked_entities_have_the_form_of_the_answer(town: Client, way: str, join: str) -> None:
    query = {"type": "House", "join": join}
    told = (await ask(town, way, query, options="sysAttrs")).json
    city = told[0]["in"]["entity"] if join == "inline" else next(e for e in told if e["type"] == "City")
    assert {"createdAt", "modifiedAt"} <= city.keys()
    short = (await ask(town, way, query, options="keyValues")).json
    city = short[0]["in"] if join == "inline" else next(e for e in short if e["type"] == "City")
    assert (city["id"], city["name"]) == ("urn:ngsi-ld:City:1", "C1")


@pytest.mark.parametrize("way", ["GET", "POST"])
async def test_projection_reaches_linked_entities(town: Client, way: str) -> None:
    """4.21."""
    query = {"type": "House", "join": "inline", "joinLevel": 2, "pick": ["id", "in{name,of{id}}"]}
    told = (await ask(town, way, query)).json
    assert all(each.keys() == {"id", "in"} for each in told)
    assert told[0]["in"]["entity"]["name"] == prop("C1")
    assert told[0]["in"]["entity"]["of"]["entity"] == {"id": "urn:ngsi-ld:Land:1"}
    query = {"type": "House", "join": "inline", "omit": ["floors", "in{name}"]}
    told = (await ask(town, way, query)).json
    assert all("floors" not in each and "name" not in each["in"]["entity"] for each in told)


@pytest.mark.parametrize("way", ["GET", "POST"])
@pytest.mark.parametrize(
    ("query", "members"),
    [
        ({"pick": ["id", "name"]}, {"id", "name"}),
        ({"omit": ["id", "location", "in", "floors"]}, {"type", "name"}),
        ({"attrs": ["name", "floors"]}, {"id", "type", "name", "floors"}),
        ({"datasetId": ["urn:d:plan"]}, {"id", "type", "floors"}),
    ],
)
async def test_only_what_is_asked_for_is_told(
    town: Client, way: str, query: dict[str, Any], members: set[str]
) -> None:
    told = (await ask(town, way, {"type": "House", **query})).json
    assert [each.keys() for each in told] == [members] * 3


@pytest.mark.parametrize("way", ["GET", "POST"])
@pytest.mark.parametrize(
    ("dataset", "floors"),
    [(["urn:d:plan"], [10, 20, 30]), (["@none"], [1, 2, 3]), (["urn:d:none"], [])],
)
async def test_instances_are_those_of_the_dataset(
    town: Client, way: str, dataset: list[str], floors: list[int]
) -> None:
    told = (await ask(town, way, {"type": "House", "datasetId": dataset})).json
    assert [each["floors"]["value"] for each in told if "floors" in each] == floors


@pytest.mark.parametrize(
    "query",
    [
        {"pick": "name", "omit": "name"},
        {"pick": "name", "attrs": "name"},
        {"omit": "name", "attrs": "name"},
        {"pick": ""},
        {"omit": ","},
        {"pick": "in{name}"},
        {"q": 'in{name}=="C1"'},
        {"pick": "in{of{name}}", "join": "inline"},
        {"join": "inline", "joinLevel": "0"},
        {"join": "inline", "joinLevel": "x"},
        {"orderBy": "name;sideways"},
        {"orderBy": "location;dist-asc"},
        {"collation": "??", "orderBy": "name", "local": "true"},
        {"datasetId": "no uri"},
        {"lang": "??"},
    ],
)
async def test_what_does_not_fit_together_answers_400(town: Client, query: dict[str, str]) -> None:
    answer = await town.get(ENTITIES, params={"type": "House", **query})
    assert (answer.status, answer.problem) == (400, "BadRequestData")


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("name", "231"),
        ("name;desc", "132"),
        ("floors;desc", "321"),
        ("in,name", "213"),
        ("in;desc,floors", "312"),
        ("id;desc", "321"),
        ("createdAt", "123"),
    ],
)
async def test_order_is_that_of_values(town: Client, order: str, found: str) -> None:
    """4.23: texts as ICU's root collation has them."""
    answer = await town.get(ENTITIES, params={"type": "House", "orderBy": order, "local": "true"})
    assert numbers(answer.json) == found


@pytest.mark.parametrize(("order", "found"), [("dist-asc", "321"), ("dist-desc", "123")])
async def test_order_is_that_of_distances(town: Client, order: str, found: str) -> None:
    words = {"type": "House", "orderBy": f"location;{order}", "orderFrom": "[3,3]", "local": "true"}
    assert numbers((await town.get(ENTITIES, params=words)).json) == found


@pytest.mark.parametrize(
    ("types", "found"),
    [
        ("(House;Home)", "3"),
        ("(House;Home),City", "312"),
        ("Home|Land", "31"),
        ("House", "123"),
        ("Park,", None),
    ],
)
async def test_types_are_selected_by_expressions(town: Client, types: str, found: str | None) -> None:
    """4.17."""
    answer = await town.get(ENTITIES, params={"type": types})
    if found is None:
        assert (answer.status, answer.problem) == (400, "BadRequestData")
    else:
        assert sorted(numbers(answer.json)) == sorted(found)
    assert len((await town.get(f"{ENTITIES}?type=*")).json) == len([*HOUSES, *CITIES, LAND, PARK])


AREA = "[[[0,0],[2.5,0],[2.5,2.5],[0,2.5],[0,0]]]"


@pytest.mark.parametrize(
    ("georel", "geometry", "coordinates", "found"),
    [
        ("near;maxDistance==1000", "Point", "[1,1]", "1"),
        ("near;minDistance==1000", "Point", "[1,1]", "23"),
        ("within", "Polygon", AREA, "12"),
        ("disjoint", "Polygon", AREA, "3"),
        ("intersects", "Polygon", AREA, "12"),
        ("equals", "Point", "[2,2]", "2"),
        ("intersects", "LineString", "[[0,0],[4,4]]", "123"),
        ("within", "MultiPolygon", f"[{AREA}]", "12"),
        ("intersects", "MultiPoint", "[[1,1],[3,3]]", "13"),
    ],
)
async def test_geoqueries_of_every_relation(
    town: Client, georel: str, geometry: str, coordinates: str, found: str
) -> None:
    """4.10."""
    words = {"type": "House", "georel": georel, "geometry": geometry, "coordinates": coordinates}
    assert numbers((await town.get(ENTITIES, params=words)).json) == found


@pytest.mark.parametrize(
    ("georel", "coordinates", "found"),
    [
        ("contains", "[[[0.5,0.5],[1,0.5],[1,1],[0.5,0.5]]]", 1),
        ("overlaps", "[[[1,1],[5,1],[5,5],[1,5],[1,1]]]", 1),
        ("overlaps", "[[[5,5],[6,5],[6,6],[5,5]]]", 0),
        ("equals", "[[[0,0],[2,0],[2,2],[0,2],[0,0]]]", 1),
        ("contains", "[[[1,1],[5,1],[5,5],[1,5],[1,1]]]", 0),
    ],
)
async def test_geoqueries_of_areas(town: Client, georel: str, coordinates: str, found: int) -> None:
    words = {"type": "Park", "georel": georel, "geometry": "Polygon", "coordinates": coordinates}
    assert len((await town.get(ENTITIES, params=words)).json) == found


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("floors>=15", "23"),
        ("floors==1..2", "12"),
        ('name=="a","b"', "12"),
        ('name!="a"', "13"),
        ("name~=^[ab]$", "12"),
        ("name!~=^[ab]$", "3"),
        ('name=="a"|floors>=30', "23"),
        ('(name=="a"|name=="b");floors==2', "2"),
        ("in==urn:ngsi-ld:City:2", "3"),
        ("modifiedAt>2026-01-01T00:00:00Z", "123"),
        ("floors.modifiedAt>2999-01-01T00:00:00Z", ""),
        ("nothing", ""),
    ],
)
async def test_queries_of_the_grammar(town: Client, q: str, found: str) -> None:
    """4.9."""
    answer = await town.get(ENTITIES, params={"type": "House", "q": q})
    assert (answer.status, numbers(answer.json)) == (200, found)


@pytest.mark.parametrize("way", ["GET", "POST"])
@pytest.mark.parametrize("form", ["normalized", "keyValues"])
async def test_answer_is_a_feature_collection(town: Client, way: str, form: str) -> None:
    """4.5.16, 4.5.17, 6.3.15."""
    if way == "GET":
        answer = await town.get(f"{ENTITIES}?type=House&options={form}", headers=GEO)
    else:
        body = {"type": "Query", "entities": [{"type": "House"}]}
        answer = await town.post(f"{BATCH}/query?options={form}", body, headers=GEO)
    found = answer.json
    assert (answer.headers["Content-Type"], found["type"]) == ("application/geo+json", "FeatureCollection")
    assert found["@context"] == CORE_URL
    assert [each["geometry"]["coordinates"] for each in found["features"]] == [[1, 1], [2, 2], [3, 3]]
    name = found["features"][0]["properties"]["name"]
    assert name == ("b" if form == "keyValues" else prop("b"))
    plain = await town.get(f"{ENTITIES}?type=House", headers={**GEO, "Prefer": "body=json"})
    assert "@context" not in plain.json
    assert CORE_LINK_REL in plain.headers["Link"]


async def test_geometry_is_the_property_that_is_named(town: Client) -> None:
    """4.5.16.1: another one, or none where the entity does not have it."""
    await town.post(
        f"{ENTITIES}/{HOUSES[0]['id']}/attrs", {"garden": place([0, 0], [9, 9], kind="LineString")}
    )
    path = f"{ENTITIES}?type=House&geometryProperty=garden"
    first, *others = (await town.get(path, headers=GEO)).json["features"]
    assert first["geometry"]["type"] == "LineString"
    assert [each["geometry"] for each in others] == [None, None]
    one = await town.get(f"{ENTITIES}/{HOUSES[0]['id']}?geometryProperty=garden", headers=GEO)
    assert one.json["geometry"]["type"] == "LineString"


async def test_ids_alone_are_no_query_by_post_either(town: Client) -> None:
    """5.7.2.4: a selector has a type."""
    answer = await town.post(f"{BATCH}/query", {"type": "Query", "entities": [{"id": HOUSES[0]["id"]}]})
    assert answer.problem == "BadRequestData"
