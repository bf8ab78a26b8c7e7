"""GDAL reads the sample city: every collection, page by page, by box; the coordinates are PROJ's."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely

from tests.gdal.programs import layers, read_csv, run
from tests.page.node import NodeProcess

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SYSTEMS = {
    "http://www.opengis.net/def/crs/OGC/1.3/CRS84": "OGC:CRS84",
    EPSG + "4326": "EPSG:4326",
    EPSG + "3857": "EPSG:3857",
    EPSG + "4550": "EPSG:4550",
}


def oapif(node: NodeProcess) -> str:
    return f"OAPIF:{node.url}/ogc"


def entities(node: NodeProcess, type: str) -> list[dict[str, Any]]:
    """Every entity of a type, by the other API, by id."""
    found: list[dict[str, Any]] = []
    while True:
        query = f"type={type}&format=simplified&limit=1000&offset={len(found)}"
        page = node.get(f"/ngsi-ld/v1/entities?{query}")
        found += page
        if len(page) < 1000:
            return found


@pytest.fixture(scope="module")
def types(sample_city: NodeProcess) -> list[str]:
    found: list[str] = sample_city.get("/ngsi-ld/v1/types")["typeList"]
    return found


def test_gdal_opens_every_collection_and_reads_every_feature(
    sample_city: NodeProcess, types: list[str], tmp_path: Path
) -> None:
    assert (layers(oapif(sample_city))).keys() == set(types)
    tables, _ = read_csv(oapif(sample_city), tmp_path / "all", "-oo", "PAGE_SIZE=10000")
    assert tables.keys() == set(types)
    for type in types:
        expected = entities(sample_city, type)
        read = tables[type]
        assert [row["id"] for row in read] == [each["id"] for each in expected], type
        for row, entity in zip(read, expected, strict=True):
            location = entity.get("location")
            assert bool(row.get("WKT")) == (location is not None), row
            if location is not None:
                assert _same(shapely.from_wkt(row["WKT"]), shapely.geometry.shape(location)), row


def _same(one: Any, other: Any) -> bool:
    """The same geometry; GDAL gives a layer of both lines and multilines but one kind."""
    return bool(shapely.equals_exact(one.normalize(), other.normalize(), 1e-9)) or bool(one.equals(other))


def test_gdal_tells_kinds_of_geometry_and_counts(sample_city: NodeProcess) -> None:
    found = layers(oapif(sample_city))
    assert (found["Streetlight"], found["BusStop" if "BusStop" in found else "Streetlight"]) == (
        "Point",
        "Point",
    )
    outcome = run("ogrinfo", "-ro", "-so", oapif(sample_city), "Streetlight")
    assert f"Feature Count: {len(entities(sample_city, 'Streetlight'))}" in outcome.said
    # All that GDAL asks for a count and an extent: the collections and the first features.
    assert len(outcome.asked) == 2


@pytest.mark.parametrize("size", [7, 50])
def test_gdal_reads_small_pages_without_a_gap_or_a_repeat(
    sample_city: NodeProcess, tmp_path: Path, size: int
) -> None:
    expected = [each["id"] for each in entities(sample_city, "Road")]
    source = f"OAPIF:{sample_city.url}/ogc/collections/Road"
    tables, outcome = read_csv(source, tmp_path / "Road.csv", "-oo", f"PAGE_SIZE={size}")
    assert [row["id"] for row in tables["Road"]] == expected
    offsets = [
        int(urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).get("offset", ["0"])[0])
        for url in outcome.asked
        if "/items" in url
    ]
    assert sorted(set(offsets)) == list(range(0, len(expected), size))


@pytest.mark.parametrize("layer", ["Streetlight", "District", "RoadSegment"])
def test_gdal_reads_what_a_box_touches(sample_city: NodeProcess, tmp_path: Path, layer: str) -> None:
    box = (123.395, 30.195, 123.405, 30.203)
    around = shapely.box(*box)
    expected = [
        each["id"]
        for each in entities(sample_city, layer)
        if "location" in each and around.intersects(shapely.geometry.shape(each["location"]))
    ]
    assert expected
    source = f"OAPIF:{sample_city.url}/ogc/collections/{layer}"
    spat = [str(each) for each in box]
    tables, outcome = read_csv(source, tmp_path / f"{layer}.csv", "-oo", "PAGE_SIZE=1000", "-spat", *spat)
    assert [row["id"] for row in tables[layer]] == expected
    assert any("bbox=" in url for url in outcome.asked)
    answered = sample_city.get(
        f"/ogc/collections/{layer}/items?limit=10000&bbox={','.join(spat)}&properties=id"
    )
    placed = [each["id"] for each in answered["features"] if each["geometry"] is not None]
    assert placed == expected


def test_gdal_finds_one_feature_by_its_id(sample_city: NodeProcess) -> None:
    wanted = entities(sample_city, "Streetlight")[3]["id"]
    outcome = run(
        "ogrinfo", "-ro", "-q", oapif(sample_city), "Streetlight", "-where", f"id='{wanted}'", "-geom=NO"
    )
    assert outcome.said.count("OGRFeature(Streetlight)") == 1
    assert outcome.asked[-1].endswith(f"/items/{wanted}")


@pytest.mark.parametrize("uri", SYSTEMS)
@pytest.mark.parametrize("layer", ["Streetlight", "District"])
def test_coordinates_that_gdal_reads_are_those_of_proj(
    sample_city: NodeProcess, tmp_path: Path, uri: str, layer: str
) -> None:
    """GDAL 3.6 asks OAPIF for CRS84 alone, so its GeoJSON driver reads the other systems."""
    asked = f"limit=500&crs={urllib.parse.quote(uri, safe='')}"
    url = f"{sample_city.url}/ogc/collections/{layer}/items?{asked}"
    tables, _ = read_csv(url, tmp_path / "read.csv", "-lco", "WRITE_BOM=NO")
    (rows,) = tables.values()
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", SYSTEMS[uri])
    expected = {each["id"]: each.get("location") for each in entities(sample_city, layer)[:500]}
    assert [row["id"] for row in rows] == list(expected)
    compared = 0
    for row in rows:
        if (location := expected[row["id"]]) is None:
            continue
        known = shapely.get_coordinates(shapely.geometry.shape(location))
        moved = np.column_stack(transformer.transform(known[:, 0], known[:, 1]))
        read = shapely.get_coordinates(shapely.from_wkt(row["WKT"]))
        assert read == pytest.approx(moved, rel=0, abs=1e-6 if "CRS84" in uri or "4326" in uri else 1e-3)
        compared += 1
    assert compared


def test_gdal_brings_a_collection_into_the_citys_own_system_as_the_node_does(
    sample_city: NodeProcess, tmp_path: Path
) -> None:
    target = tmp_path / "district.geojson"
    run(
        "ogr2ogr", "-f", "GeoJSON", "-lco", "RFC7946=NO", "-lco", "COORDINATE_PRECISION=4",
        "-t_srs", "EPSG:4550", str(target), oapif(sample_city), "District",
    )  # fmt: skip
    ours = sample_city.get(
        f"/ogc/collections/District/items?limit=1000&crs={urllib.parse.quote(EPSG, safe='')}4550"
    )
    theirs = json.loads(target.read_text())
    for one, other in zip(ours["features"], theirs["features"], strict=True):
        assert one["id"] == other["properties"]["id"]
        # GeoJSON of GDAL's has the easting first, whatever the system says.
        mine = shapely.get_coordinates(shapely.geometry.shape(one["geometry"]))[:, ::-1]
        gdals = shapely.get_coordinates(shapely.geometry.shape(other["geometry"]))
        assert mine == pytest.approx(gdals, rel=0, abs=0.01)


def test_gdal_reads_the_csv_of_a_collection_with_its_geometry(
    sample_city: NodeProcess, tmp_path: Path
) -> None:
    expected = entities(sample_city, "District")
    table = f"CSV:/vsicurl_streaming/{sample_city.url}/ogc/collections/District/items?f=csv&limit=1000"
    arguments = ("-oo", "GEOM_POSSIBLE_NAMES=geometry", "-oo", "KEEP_GEOM_COLUMNS=NO")
    tables, _ = read_csv(table, tmp_path / "District.csv", *arguments)
    (rows,) = tables.values()
    assert [row["id"] for row in rows] == [each["id"] for each in expected]
    for row, entity in zip(rows, expected, strict=True):
        assert _same(shapely.from_wkt(row["WKT"]), shapely.geometry.shape(entity["location"]))
