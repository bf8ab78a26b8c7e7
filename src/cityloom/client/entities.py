"""Current entities as a stream and as frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cityloom.client.frames import Row, Rows, as_text, geo_frame
from cityloom.client.http import Http

if TYPE_CHECKING:
    import geopandas as gpd

Document = dict[str, Any]

PATH = "/ngsi-ld/v1/entities"
PAGE = 1000
"""Entities asked for at once: what a node answers at the most, unless its operator says otherwise."""


class Entities(Rows[Document]):
    """Entities that a query selects, read page by page each time they are walked.

    A frame has a row an entity and a column an attribute: its simplified value, `location` as WKT.
    """

    def to_geopandas(self) -> gpd.GeoDataFrame:
        """A GeoDataFrame (CRS84) whose geometry is `location` (needs `pip install cityloom[notebook]`)."""
        rows = ((entity_row(each, "location"), value_of(each.get("location"))) for each in self)
        return geo_frame(rows, self.columns)


def read_entities(http: Http, params: dict[str, Any], limit: int | None) -> Iterator[Document]:
    """Yields up to `limit` entities (None: all), following the pages."""
    left = limit
    size = PAGE if left is None else min(PAGE, left)
    if left == 0:
        return
    for page in http.pages(PATH, {**params, "limit": size}):
        for entity in page.json():
            yield entity
            if left is not None:
                left -= 1
                if left == 0:
                    return


def entity_row(entity: Document, leave_out: str = "") -> Row:
    """An entity as a row: `id`, `type`, `scope`, and each attribute's default value."""
    row: Row = {}
    for name, member in entity.items():
        if name in ("@context", leave_out):
            continue
        if name in ("id", "type", "scope"):
            row[name] = member if isinstance(member, str) else ",".join(member)
            continue
        value = value_of(member)
        if isinstance(value, dict) and "coordinates" in value:
            value = wkt(value)
        row[name] = as_text(value) if isinstance(value, dict | list) else value
    return row


def value_of(member: Any) -> Any:
    """The simplified value of an attribute as a normalized, concise or simplified document has it."""
    if isinstance(member, list):
        instances = [each for each in member if isinstance(each, dict)]
        member = next((each for each in instances if "datasetId" not in each), member[0] if member else None)
    if not isinstance(member, dict):
        return member
    for name in ("value", "object", "languageMap", "vocab", "valueList", "objectList", "json"):
        if name in member:
            found = member[name]
            return found["@value"] if isinstance(found, dict) and "@value" in found else found
    return member


def wkt(geometry: dict[str, Any]) -> str:
    """A GeoJSON geometry as well-known text."""
    import shapely

    return str(shapely.geometry.shape(geometry).wkt)
