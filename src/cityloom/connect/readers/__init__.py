"""One reader a format: a file or a message becomes numbered rows, or what says why it could not.

A reader knows its format and nothing of mappings' meaning, entities or the
broker. It never stops at a bad row; it raises `ConfigurationError` when the
whole is unreadable.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from cityloom.connect.mapping import Format, Mapping
from cityloom.connect.readers.table import Content, Rows, Table

__all__ = ["Content", "Rows", "Table", "open_table"]

# Imported when a source of the format is first read: their libraries take most of a node's start.
_OPENERS: dict[Format, tuple[str, str]] = {
    "csv": ("csvfile", "open_csv"),
    "parquet": ("parquet", "open_parquet"),
    "geojson": ("geojson", "open_geojson"),
    "shapefile": ("ogr", "open_ogr"),
    "geopackage": ("ogr", "open_ogr"),
    "gtfs": ("gtfs", "open_gtfs"),
    "gtfs-realtime": ("gtfs_realtime", "open_gtfs_realtime"),
    "json": ("jsonrows", "open_json"),
    "mqtt": ("jsonrows", "open_json"),
    "push": ("jsonrows", "open_json"),
}


def open_table(mapping: Mapping, content: Path | bytes) -> Table:
    """Opens a file, or a message's bytes, in the mapping's format.

    Raises:
        ConfigurationError: it is not of that format at all; one sentence.
    """
    module, opener = _OPENERS[mapping.format]
    return cast(Table, getattr(import_module(f"{__name__}.{module}"), opener)(mapping, content))
