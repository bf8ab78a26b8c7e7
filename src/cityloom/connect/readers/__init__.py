"""One reader a format: a file or a message becomes numbered rows, or what says why it could not.

A reader knows its format and nothing of mappings' meaning, entities or the
broker. It never stops at a bad row; it raises `ConfigurationError` when the
whole is unreadable.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cityloom.connect.mapping import Format, Mapping
from cityloom.connect.readers.csvfile import open_csv
from cityloom.connect.readers.geojson import open_geojson
from cityloom.connect.readers.gtfs import open_gtfs
from cityloom.connect.readers.gtfs_realtime import open_gtfs_realtime
from cityloom.connect.readers.jsonrows import open_json
from cityloom.connect.readers.ogr import open_ogr
from cityloom.connect.readers.parquet import open_parquet
from cityloom.connect.readers.table import Content, Rows, Table

__all__ = ["Content", "Rows", "Table", "open_table"]

_OPENERS: dict[Format, Callable[[Mapping, Content], Table]] = {
    "csv": open_csv,
    "parquet": open_parquet,
    "geojson": open_geojson,
    "shapefile": open_ogr,
    "geopackage": open_ogr,
    "gtfs": open_gtfs,
    "gtfs-realtime": open_gtfs_realtime,
    "json": open_json,
    "mqtt": open_json,
    "push": open_json,
}


def open_table(mapping: Mapping, content: Path | bytes) -> Table:
    """Opens a file, or a message's bytes, in the mapping's format.

    Raises:
        ConfigurationError: it is not of that format at all; one sentence.
    """
    return _OPENERS[mapping.format](mapping, content)
