"""GDAL's MVT driver opens the vector tiles of every collection of the sample city and finds everything."""

from __future__ import annotations

import csv
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyproj
import pytest
import shapely

from tests.gdal.programs import require_gdal, run
from tests.page.node import NodeProcess

TO_METRES = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3857", always_xy=True)
SIDE = 2 * 20_037_508.342789244
UNMERGED = 15
"""The first tile matrix in which no points are merged."""
MOST_TILES = 600


def tiles_of(shapes: Iterable[Any], z: int) -> set[tuple[int, int]]:
    """(column, row) of the tiles that the boxes of shapes touch, by PROJ."""
    found = set()
    side = SIDE / (1 << z)
    for shape in shapes:
        west, south, east, north = shape.bounds
        left, bottom = TO_METRES.transform(west, south)
        right, top = TO_METRES.transform(east, north)
        columns = range(int((left + SIDE / 2) // side), int((right + SIDE / 2) // side) + 1)
        rows = range(int((SIDE / 2 - top) // side), int((SIDE / 2 - bottom) // side) + 1)
        found |= {(x, y) for x in columns for y in rows}
    return found


def read_tiles(
    node: NodeProcess, layer: str, shapes: Iterable[Any], folder: Path
) -> tuple[int, list[dict[str, str]]]:
    """(tile matrix, every feature in it as GDAL reads it from a folder of tiles)."""
    require_gdal()
    z = next(z for z in range(UNMERGED, 0, -1) if len(tiles_of(shapes, z)) <= MOST_TILES)
    for x, y in tiles_of(shapes, z):
        url = f"{node.url}/ogc/collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}"
        with urllib.request.urlopen(url) as answer:
            body = answer.read()
        if body:
            file = folder / str(z) / str(x) / f"{y}.pbf"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
    target = folder / "read.csv"
    options = ("-f", "CSV", "-lco", "GEOMETRY=AS_WKT", "-oo", "METADATA_FILE=")
    run("ogr2ogr", *options, str(target), f"MVT:{folder / str(z)}", layer)
    with target.open(newline="") as lines:
        return z, list(csv.DictReader(lines))


def test_gdal_opens_the_tiles_of_every_collection(sample_city: NodeProcess, tmp_path: Path) -> None:
    csv.field_size_limit(2**30)
    layers = [each for each in sample_city.get("/map/layers") if each["geometry"] is not None]
    assert len(layers) > 10
    for layer in layers:
        name = layer["type"]
        features = sample_city.get(f"/ogc/collections/{name}/items?limit=100000&properties=id")["features"]
        placed = {
            each["id"]: shapely.geometry.shape(each["geometry"]) for each in features if each["geometry"]
        }
        z, rows = read_tiles(sample_city, name, placed.values(), tmp_path / name)
        assert {row["id"] for row in rows} == placed.keys(), name
        unit = SIDE / (1 << z) / 4096
        if z == UNMERGED and all(shape.geom_type == "Point" for shape in placed.values()):
            assert len(rows) == len(placed), name
        for row in rows:
            shape = placed[row["id"]]
            drawn = shapely.from_wkt(row["WKT"])
            if shape.geom_type == "Point" and not row.get("count"):
                expected = TO_METRES.transform(shape.x, shape.y)
                assert (drawn.x, drawn.y) == pytest.approx(expected, abs=unit), row
            else:
                assert shapely.is_valid(drawn), row
