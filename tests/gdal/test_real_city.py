"""GDAL reads every collection of the real city, with the right counts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely

from cityloom.model.entity import LOCATION
from tests.gdal.programs import layers, read_csv, require_gdal
from tests.page.node import CITYLOOM, NodeProcess, running
from tests.real_city import DATA, NEEDED, Imported

pytestmark = NEEDED


@pytest.fixture(scope="module")
def real_node(imported: Imported, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with a copy of what was imported."""
    require_gdal()
    folder = tmp_path_factory.mktemp("real") / "boston"

    arguments = ("init", "--data", str(folder), "--profile", "boston", "--sources", str(DATA))
    subprocess.run([CITYLOOM, *arguments], check=True, capture_output=True)
    store = folder / "cityloom.sqlite"
    store.unlink(missing_ok=True)
    imported.city.store.backup(str(store))
    with running("serve", "--data", str(folder), "--port", "0") as node:
        yield node
    shutil.rmtree(folder)


def test_gdal_reads_every_feature_of_every_collection(
    imported: Imported, real_node: NodeProcess, tmp_path: Path
) -> None:
    source = f"OAPIF:{real_node.url}/ogc"
    with imported.city.store.snapshot() as snapshot:
        expected = {each.type.rpartition("/")[2]: each.count for each in snapshot.type_counts("")}
    assert layers(source).keys() == expected.keys()
    tables, _ = read_csv(source, tmp_path / "all", "-oo", "PAGE_SIZE=10000")
    assert {layer: len({row["id"] for row in rows}) for layer, rows in tables.items()} == expected
    assert {layer: len(rows) for layer, rows in tables.items()} == expected
    # The figures of the files themselves, and the requests on the default point that have no place.
    assert expected["Streetlight"] == 74_065 + 6_117
    assert (expected["Open311ServiceRequest"], expected["Hydrant"]) == (58_251, 1_960)
    placed = sum(bool(row["WKT"]) for row in tables["Open311ServiceRequest"])
    assert placed == 58_251 - 4_775


@pytest.mark.parametrize("layer", ["Building", "RoadSegment", "District"])
def test_gdal_reads_what_a_box_of_the_real_city_touches(
    imported: Imported, real_node: NodeProcess, tmp_path: Path, layer: str
) -> None:
    box = (-71.12, 42.35, -71.08, 42.38)
    around = shapely.box(*box)
    expected = [
        each.id
        for each in imported.entities(layer)
        if LOCATION in each.attributes
        and around.intersects(shapely.geometry.shape(each.attributes[LOCATION][0].value))
    ]
    assert expected
    spat = [str(each) for each in box]
    source = f"OAPIF:{real_node.url}/ogc/collections/{layer}"
    target = tmp_path / f"{layer}.csv"
    tables, _ = read_csv(source, target, "-oo", "PAGE_SIZE=1000", "-spat", *spat)
    assert [row["id"] for row in tables[layer]] == expected
