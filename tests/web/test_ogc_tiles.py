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
