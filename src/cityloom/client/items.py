"""Features of the OGC API as a stream and as frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cityloom.client.entities import wkt
from cityloom.client.frames import Row, Rows, as_text, geo_frame
from cityloom.client.http import Http

if TYPE_CHECKING:
    import geopandas as gpd

Feature = dict[str, Any]
PAGE = 10_000


class Items(Rows[Feature]):
    """Features that a filter selects, read page by page each time they are walked.

    A frame has a row a feature: `id`, its properties, and `geometry` as WKT.
    """

    def to_geopandas(self) -> gpd.GeoDataFrame:
        """A GeoDataFrame in CRS84 (needs `pip install cityloom[notebook]`)."""
        return geo_frame(((properties_row(each), each.get("geometry")) for each in self), self.columns)


def read_items(http: Http, collection: str, params: dict[str, Any], limit: int | None) -> Iterator[Feature]:
    """Yields up to `limit` features (None: all), following the `next` links of the documents."""
    left = limit
    if left == 0:
        return
    path: str | None = f"/ogc/collections/{quote(collection, safe='')}/items"
    query: dict[str, Any] | None = {**params, "f": "json", "limit": PAGE if left is None else min(PAGE, left)}
    while path is not None:
        document = http.get(path, query)
        for feature in document["features"]:
            yield feature
            if left is not None:
                left -= 1
                if left == 0:
                    return
        links = document.get("links", [])
        path, query = next((link["href"] for link in links if link.get("rel") == "next"), None), None


def feature_row(feature: Feature) -> Row:
    """A feature as a row, the geometry as WKT."""
    geometry = feature.get("geometry")
    return {**properties_row(feature), "geometry": wkt(geometry) if geometry else None}


def properties_row(feature: Feature) -> Row:
    """A feature's id and properties."""
    properties = feature.get("properties") or {}
    plain = {
        name: as_text(value) if isinstance(value, dict | list) else value
        for name, value in properties.items()
    }
    return {"id": feature["id"], **plain}
