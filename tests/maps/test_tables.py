"""CSV and GeoParquet, read back by other libraries: Polars' own CSV reader, pyarrow and GeoPandas."""

from __future__ import annotations

import io
from typing import Any

import geopandas
import msgspec
import polars as pl
import pyarrow.parquet
import pyproj
import pytest
import shapely

from cityloom.ld.context import LdContext
from cityloom.maps.crs import CRS84, CrsList
from cityloom.maps.features import Writer
from cityloom.maps.tables import encode_csv, encode_parquet
from cityloom.model.entity import LOCATION, Attribute, Entity

WORD = "https://uri.etsi.org/ngsi-ld/default-context/"
KNOWN = CrsList("EPSG:4550")
WRITER = Writer(LdContext.core, "en", None)


def entity(number: int, geometry: dict[str, Any] | None, **values: Any) -> Entity:
    attributes = {WORD + name: [Attribute(kind="Property", value=value)] for name, value in values.items()}
    if geometry is not None:
        attributes[LOCATION] = [Attribute(kind="GeoProperty", value=geometry)]
    return Entity(id=f"urn:a:{number}", types=[WORD + "A"], attributes=attributes)


CITY = [
    entity(
        1, {"type": "Point", "coordinates": [123.4, 30.2]}, n=1, text='a,"b"\n=1+1', at="2026-05-01T12:00:00Z"
    ),
    entity(2, None, n=2, mixed=1, deep={"a": [1]}, at="2026-05-01T14:00:00.5+02:00", flag=True),
    entity(
        3,
        {"type": "Polygon", "coordinates": [[[123, 30], [124, 30], [124, 31], [123, 30]]]},
        mixed="x",
        x=2**70,
    ),
    entity(4, {"type": "LineString", "coordinates": [["broken"]]}, real=0.5),
]


def test_csv_has_a_row_for_each_feature_and_a_column_for_each_property() -> None:
    body = encode_csv(CITY, WRITER, KNOWN.find(CRS84, "crs"), ["n", "never"])
    table = pl.read_csv(body, infer_schema=False)
    assert table.columns[:3] == ["id", "n", "never"]
    assert table["id"].to_list() == [each.id for each in CITY]
    assert table["text"].to_list() == ['a,"b"\n=1+1', None, None, None]
    assert table["mixed"].to_list() == [None, "1", "x", None]
    assert table["deep"].to_list() == [None, '{"a":[1]}', None, None]
    assert float(table["x"][2]) == 2.0**70
    shapes = [None if text is None else shapely.from_wkt(text) for text in table["geometry"]]
    assert shapes[0] == shapely.Point(123.4, 30.2)
    assert shapes[1] is None
    assert shapes[2].area == 0.5
    assert shapes[3] is None


def test_csv_of_nothing_has_its_head() -> None:
    assert encode_csv([], WRITER, KNOWN.find(CRS84, "crs"), ["n"]) == b"id,n,geometry\n"


def test_csv_has_the_axes_of_its_system() -> None:
    body = encode_csv(CITY[:1], WRITER, KNOWN.find("http://www.opengis.net/def/crs/EPSG/0/4326", "crs"))
    assert pl.read_csv(body)["geometry"][0] == "POINT (30.2 123.4)"


@pytest.mark.parametrize("uri", KNOWN.uris)
def test_parquet_is_read_by_geopandas_in_every_system(uri: str) -> None:
    frame = geopandas.read_parquet(io.BytesIO(encode_parquet(CITY, WRITER, KNOWN.find(uri, "crs"))))
    code = "OGC:CRS84" if uri == CRS84 else f"EPSG:{uri.rpartition('/')[2]}"
    assert frame.crs == pyproj.CRS(code)
    # GeoPandas, as GeoParquet, has x first whatever the system says.
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", code, always_xy=True)
    x, y = transformer.transform(123.4, 30.2)
    assert (frame.geometry[0].x, frame.geometry[0].y) == pytest.approx((x, y))
    assert frame.geometry.isna().tolist() == [False, True, False, True]
    back = frame.to_crs("OGC:CRS84").geometry[0]
    assert (back.x, back.y) == pytest.approx((123.4, 30.2))


def test_parquet_has_kinds_and_says_where_its_geometry_is() -> None:
    file = pyarrow.parquet.ParquetFile(
        io.BytesIO(encode_parquet(CITY, WRITER, KNOWN.find(CRS84, "crs"), ["n"]))
    )
    kinds = {field.name: str(field.type) for field in file.schema_arrow}
    assert kinds["at"] == "timestamp[us, tz=UTC]"
    assert (kinds["n"], kinds["real"], kinds["flag"]) == ("int64", "double", "bool")
    assert "string" in kinds["mixed"]
    geo = msgspec.json.decode(file.metadata.metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert geo["columns"]["geometry"] == {
        "encoding": "WKB",
        "geometry_types": ["Point", "Polygon"],
        "bbox": [123, 30, 124, 31],
    }
    times = file.read(["at"]).column("at").to_pylist()
    assert [None if time is None else time.isoformat() for time in times] == [
        "2026-05-01T12:00:00+00:00",
        "2026-05-01T12:00:00.500000+00:00",
        None,
        None,
    ]


def test_parquet_of_nothing_is_one() -> None:
    frame = geopandas.read_parquet(io.BytesIO(encode_parquet([], WRITER, KNOWN.find(CRS84, "crs"), ["n"])))
    assert (len(frame), list(frame.columns)) == (0, ["id", "n", "geometry"])
