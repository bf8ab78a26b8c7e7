"""Vector tiles (OGC 20-057): read by GDAL's MVT driver, and held against the store, pyproj and shapely."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyproj
import pytest
import shapely
from mapbox_vector_tile.Mapbox import vector_tile_pb2

from tests.web.node import Answer, Client

ENTITIES = "/ngsi-ld/v1/entities"
UPSERT = "/ngsi-ld/v1/entityOperations/upsert"
MVT = "application/vnd.mapbox-vector-tile"
TO_METRES = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3857", always_xy=True)
HALF = 20_037_508.342789244


def entity(kind: str, number: int, geometry: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:{kind}:{number:04}",
        "type": kind,
        "location": {"type": "GeoProperty", "value": geometry},
        **more,
    }


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


def square(lon: float, lat: float, side: float) -> dict[str, Any]:
    ring = [[lon, lat], [lon + side, lat], [lon + side, lat + side], [lon, lat + side], [lon, lat]]
    return {"type": "Polygon", "coordinates": [ring]}


def tile_url(kind: str, z: int, x: int, y: int, query: str = "") -> str:
    return f"/ogc/collections/{kind}/tiles/WebMercatorQuad/{z}/{y}/{x}{query}"


async def span(node: Client, kind: str, z: int) -> list[tuple[int, int]]:
    """(column, row) of every tile of a matrix that the tileset's limits name."""
    found = (await node.get(f"/ogc/collections/{kind}/tiles/WebMercatorQuad")).json
    (limits,) = [each for each in found["tileMatrixSetLimits"] if each["tileMatrix"] == str(z)]
    return [
        (x, y)
        for x in range(limits["minTileCol"], limits["maxTileCol"] + 1)
        for y in range(limits["minTileRow"], limits["maxTileRow"] + 1)
    ]


async def gdal_reads(node: Client, folder: Path, kind: str, z: int, query: str = "") -> list[dict[str, Any]]:
    """The features that GDAL finds in all tiles of a matrix, in EPSG:3857; a border makes no copies."""
    target = folder / f"{kind}-{z}"
    for x, y in await span(node, kind, z):
        answer = await node.get(tile_url(kind, z, x, y, query))
        assert answer.status == 200
        file = target / str(z) / str(x) / f"{y}.pbf"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(answer.body)
    out = folder / f"{kind}-{z}.geojson"
    options = (
        "-f",
        "GeoJSON",
        "-lco",
        "RFC7946=NO",
        "-lco",
        "COORDINATE_PRECISION=6",
        "-oo",
        "METADATA_FILE=",
    )
    process = await asyncio.create_subprocess_exec(
        "ogr2ogr", *options, str(out), f"MVT:{target}/{z}", kind, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    assert process.returncode == 0, told
    features: list[dict[str, Any]] = json.loads(out.read_text())["features"]
    return features


def decoded(answer: Answer) -> list[dict[str, Any]]:
    """The properties of a tile's features."""
    tile = vector_tile_pb2.tile()
    tile.ParseFromString(answer.body)
    found = []
    for layer in tile.layers:
        values = [getattr(value, value.ListFields()[0][0].name) for value in layer.values]
        for feature in layer.features:
            pairs = zip(feature.tags[::2], feature.tags[1::2], strict=True)
            found.append({layer.keys[key]: values[value] for key, value in pairs})
    return found


async def fill(node: Client, entities: Iterable[dict[str, Any]]) -> None:
    answer = await node.post(UPSERT, list(entities))
    assert answer.status in (201, 204), answer.body


async def test_gdal_finds_every_point_where_it_is(node: Client, tmp_path: Path) -> None:
    draw = random.Random(4)
    places = {
        f"urn:ngsi-ld:Lamp:{number:04}": (-71.1 + draw.random() / 20, 42.3 + draw.random() / 20)
        for number in range(500)
    }
    lamps = (entity("Lamp", number, point(*places[id])) for number, id in enumerate(places))
    await fill(node, lamps)
    features = await gdal_reads(node, tmp_path, "Lamp", 16)
    assert len(features) == len({each["properties"]["id"] for each in features}) == len(places)
    quantum = 2 * HALF / 2**16 / 4096
    for each in features:
        expected = TO_METRES.transform(*places[each["properties"]["id"]])
        assert each["geometry"]["coordinates"] == pytest.approx(expected, abs=quantum)


async def test_gdal_finds_areas_as_large_as_they_are(node: Client, tmp_path: Path) -> None:
    sides = {f"urn:ngsi-ld:Block:{number:04}": 0.0005 * (number + 1) for number in range(40)}
    corners = {id: (10 + number % 8 / 50, 50 + number // 8 / 50) for number, id in enumerate(sides)}
    blocks = (entity("Block", number, square(*corners[id], sides[id])) for number, id in enumerate(sides))
    await fill(node, blocks)
    features = await gdal_reads(node, tmp_path, "Block", 12)
    areas: dict[str, float] = dict.fromkeys(sides, 0.0)
    for each in features:
        areas[each["properties"]["id"]] += shapely.geometry.shape(each["geometry"]).area
    unit = 2 * HALF / 2**12 / 4096
    for id, side in sides.items():
        west, south = TO_METRES.transform(*corners[id])
        east, north = TO_METRES.transform(corners[id][0] + side, corners[id][1] + side)
        around = 2 * (east - west + north - south)
        assert areas[id] == pytest.approx((east - west) * (north - south), abs=2 * unit * around), id


async def test_gdal_opens_every_kind_of_geometry_also_broken_ones(node: Client, tmp_path: Path) -> None:
    bow = [[0.0, 0.0], [0.1, 0.1], [0.1, 0.0], [0.0, 0.1], [0.0, 0.0]]
    shapes: list[dict[str, Any]] = [
        point(0.01, 0.01),
        {"type": "MultiPoint", "coordinates": [[0.02, 0.02], [0.09, 0.09]]},
        {"type": "LineString", "coordinates": [[0.0, 0.0], [0.0, 0.0]]},
        {"type": "MultiLineString", "coordinates": [[[0, 0], [0.1, 0.1]], [[0.1, 0], [0, 0.1]]]},
        {"type": "Polygon", "coordinates": [bow]},
        {"type": "MultiPolygon", "coordinates": [[bow], square(0.03, 0.03, 1e-9)["coordinates"]]},
        {"type": "Polygon", "coordinates": [[[0.05, 0.05], [0.06, 0.06], [0.05, 0.05], [0.05, 0.05]]]},
    ]
    await fill(node, (entity("Odd", number, shape) for number, shape in enumerate(shapes)))
    for z in (6, 11, 14):
        features = await gdal_reads(node, tmp_path, "Odd", z)
        assert {each["properties"]["id"][-4:] for each in features} == {
            f"{number:04}" for number in range(7)
        }, z


@pytest.fixture
async def lamps(node: Client) -> Client:
    places = [(10.0, 50.0), (10.0, 50.0), (10.2, 50.1), (10.3, 50.2)]
    names = [
        {"type": "LanguageProperty", "languageMap": {"en": f"Lamp {n}", "zh": f"灯 {n}"}} for n in range(4)
    ]
    await fill(
        node,
        [
            entity("Lamp", n, point(*place), name=names[n], level={"type": "Property", "value": n * 1.5})
            for n, place in enumerate(places)
        ],
    )
    return node


async def test_tiles_tell_names_in_the_language_and_the_attributes_asked_for(lamps: Client) -> None:
    url = tile_url("Lamp", 0, 0, 0)
    answer = await lamps.get(tile_url("Lamp", 7, 67, 43, "?lang=zh&properties=level"))
    assert (answer.status, answer.headers["Content-Type"]) == (200, MVT)
    assert decoded(answer) == [
        {"id": "urn:ngsi-ld:Lamp:0000", "name": "灯 0", "count": 2, "level": 0.0},
        {"id": "urn:ngsi-ld:Lamp:0002", "name": "灯 2", "level": 3.0},
        {"id": "urn:ngsi-ld:Lamp:0003", "name": "灯 3", "level": 4.5},
    ]
    answer = await lamps.get(url, headers={"Accept-Language": "en-GB"})
    assert decoded(answer)[0]["name"] == "Lamp 0"


async def test_tiles_hold_what_a_condition_selects(lamps: Client) -> None:
    async def ids(condition: str) -> list[str]:
        answer = await lamps.get(tile_url("Lamp", 3, 4, 2), params={"filter": condition})
        assert answer.status == 200, answer.body
        return [each["id"][-1] for each in decoded(answer)]

    assert await ids("level > 1") == ["1", "2", "3"]
    assert await ids("level > 2 AND level < 4") == ["2"]
    assert await ids("level > 9") == []
    await lamps.patch(f"{ENTITIES}/urn:ngsi-ld:Lamp:0003/attrs", {"level": {"type": "Property", "value": 10}})
    assert await ids("level > 9") == ["3"]


async def test_tiles_are_kept_until_what_they_show_has_changed(lamps: Client) -> None:
    url, detailed = tile_url("Lamp", 3, 4, 2), tile_url("Lamp", 3, 4, 2, "?properties=level")
    first, with_level = await lamps.get(url), await lamps.get(detailed)
    seq = int(first.headers["Cityloom-Seq"])
    again = await lamps.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    body = {"level": {"type": "Property", "value": 7.5}}
    await lamps.patch(f"{ENTITIES}/urn:ngsi-ld:Lamp:0000/attrs", body)
    again = await lamps.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, int(again.headers["Cityloom-Seq"])) == (304, seq + 1)
    changed = await lamps.get(detailed, headers={"If-None-Match": with_level.headers["ETag"]})
    assert (changed.status, decoded(changed)[0]["level"]) == (200, 7.5)
    await lamps.delete(f"{ENTITIES}/urn:ngsi-ld:Lamp:0000")
    changed = await lamps.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status, decoded(changed)[0]["id"]) == (200, "urn:ngsi-ld:Lamp:0001")
    assert int(changed.headers["Cityloom-Seq"]) == seq + 2


async def test_tiles_of_tenants_are_their_own(lamps: Client) -> None:
    other = {"NGSILD-Tenant": "other"}
    await lamps.post(ENTITIES, entity("Lamp", 9, point(10, 50)), headers=other)
    answer = await lamps.get(tile_url("Lamp", 3, 4, 2), headers=other)
    assert [each["id"] for each in decoded(answer)] == ["urn:ngsi-ld:Lamp:0009"]
    assert len(decoded(await lamps.get(tile_url("Lamp", 16, 34588, 22146)))) == 0
    assert (await lamps.get(tile_url("Lamp", 3, 4, 2), headers={"NGSILD-Tenant": "none"})).status == 404


async def test_tiles_are_compressed_where_that_is_accepted(lamps: Client) -> None:
    await fill(lamps, (entity("Lamp", n, point(n / 10, 40)) for n in range(100)))
    for accepted, encoding in (
        ("gzip", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("br, gzip;q=0.5", "gzip"),
    ):
        async with lamps.session.get(
            lamps.base + tile_url("Lamp", 3, 4, 3), headers={"Accept-Encoding": accepted}
        ) as response:
            assert response.headers.get("Content-Encoding") == encoding
            assert len(await response.read()) > 1000


@pytest.mark.parametrize("place", ["30/0/0", "3/8/0", "3/0/8", "25/0/0"])
async def test_tiles_outside_are_404_and_empty_ones_empty(lamps: Client, place: str) -> None:
    base = "/ogc/collections/Lamp/tiles/WebMercatorQuad"
    assert (await lamps.get(f"{base}/{place}")).status == 404
    answer = await lamps.get(f"{base}/5/0/0")
    assert (answer.status, answer.body) == (200, b"")
    assert (await lamps.get(f"{base}/a/0/0")).status == 400
    assert (await lamps.get(f"{base}/1/0/-1")).status == 400
    assert (await lamps.get("/ogc/collections/None/tiles/WebMercatorQuad/0/0/0")).status == 404
    assert (await lamps.get(f"{base}/0/0/0?f=png")).status == 400
    assert (await lamps.get(f"{base}/0/0/0?filter=level+%3E")).status == 400


async def test_list_of_tilesets_names_each(lamps: Client) -> None:
    (found,) = (await lamps.get("/ogc/collections/Lamp/tiles")).json["tilesets"]
    assert (found["dataType"], found["crs"]) == ("vector", "http://www.opengis.net/def/crs/EPSG/0/3857")
    links = {each["rel"]: each["href"] for each in found["links"]}
    assert (await lamps.get(links["self"])).json["dataType"] == "vector"
    scheme = (await lamps.get(links["http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"])).json
    assert scheme["id"] == "WebMercatorQuad"
    assert scheme["uri"] == found["tileMatrixSetURI"]
    assert [each["id"] for each in scheme["tileMatrices"]] == [str(z) for z in range(25)]
    known = (await lamps.get("/ogc/tileMatrixSets")).json["tileMatrixSets"]
    assert [each["id"] for each in known] == ["WebMercatorQuad"]
    for path in ("tiles", "tiles/WebMercatorQuad"):
        assert (await lamps.get(f"/ogc/collections/None/{path}")).status == 404


async def test_tileset_describes_its_tiles(lamps: Client) -> None:
    found = (await lamps.get("/ogc/collections/Lamp/tiles/WebMercatorQuad")).json
    assert found["layers"][0]["geometryDimension"] == 0
    assert {"id", "name", "level"} <= found["layers"][0]["propertiesSchema"]["properties"].keys()
    (template,) = [each for each in found["links"] if each["rel"] == "item"]
    assert (template["templated"], template["type"]) == (True, MVT)
    limits = found["tileMatrixSetLimits"][5]
    url = template["href"].replace("{tileMatrix}", "5").replace("{tileRow}", str(limits["minTileRow"]))
    assert len(decoded(await lamps.get(url.replace("{tileCol}", str(limits["minTileCol"]))))) > 0
    told = (await lamps.get("/ogc/collections/Lamp/tiles/WebMercatorQuad?f=tilejson")).json
    assert (told["tilejson"], told["vector_layers"][0]["id"]) == ("3.0.0", "Lamp")
    url = told["tiles"][0].replace("{z}", "0").replace("{x}", "0").replace("{y}", "0")
    assert decoded(await lamps.get(url))


async def test_landing_page_and_collections_lead_to_the_tiles(lamps: Client) -> None:
    rel = "http://www.opengis.net/def/rel/ogc/1.0/"
    links = {each["rel"]: each["href"] for each in (await lamps.get("/ogc")).json["links"]}
    assert (await lamps.get(links[f"{rel}tiling-schemes"])).status == 200
    links = {each["rel"]: each["href"] for each in (await lamps.get("/ogc/collections/Lamp")).json["links"]}
    assert (await lamps.get(links[f"{rel}tilesets-vector"])).json["tilesets"]
    classes = (await lamps.get("/ogc/conformance")).json["conformsTo"]
    root = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/"
    assert {root + name for name in ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt")} <= set(
        classes
    )


async def test_api_describes_the_operations_of_tiles(node: Client) -> None:
    paths = (await node.get("/ogc/api")).json["paths"]
    base = "/collections/{collectionId}/tiles"
    named = {
        base: "getTileSetsList",
        f"{base}/WebMercatorQuad": "getTileSet",
        f"{base}/WebMercatorQuad/{{tileMatrix}}/{{tileRow}}/{{tileCol}}": "getTile",
    }
    for path, name in named.items():
        assert paths[path]["get"]["operationId"].endswith(f".collection.vector.{name}")
    parameters = {each["name"]: each["schema"] for each in paths[path]["get"]["parameters"]}
    assert parameters["tileMatrix"] == {"type": "string"}
    assert parameters["tileRow"] == parameters["tileCol"] == {"type": "integer", "minimum": 0}
