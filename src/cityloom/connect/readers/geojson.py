"""GeoJSON (RFC 7946): the features of a collection; properties are columns, `geometry` the geometry."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from cityloom.connect.mapping import Mapping
from cityloom.connect.readers.table import Content, Rows, Table, name_of, read_bytes
from cityloom.connect.rejects import Unreadable
from cityloom.model.errors import ConfigurationError


class _Collection(Struct):
    type: str
    features: list[Raw]


class _Feature(Struct):
    type: str
    properties: dict[str, Any] | None = None
    geometry: Any = None
    id: str | int | float | None = None


_collections = msgspec.json.Decoder(_Collection)
_features = msgspec.json.Decoder(_Feature)


def open_geojson(mapping: Mapping, content: Content) -> Table:
    """Opens a FeatureCollection. A feature that is none is one unreadable row.

    Raises:
        ConfigurationError: the file is no JSON, or no FeatureCollection.
    """
    try:
        features = _collections.decode(read_bytes(content)).features
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{name_of(content)} cannot be read as a FeatureCollection: {error}"
        ) from None
    done = 0

    def rows() -> Rows:
        nonlocal done
        for done, raw in enumerate(features, 1):
            try:
                feature = _features.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                text = bytes(raw).decode("utf-8", "replace")
                yield (
                    done,
                    Unreadable(reason="not a feature", detail=f"the feature is invalid: {error}", raw=text),
                )
                continue
            row = feature.properties or {}
            if feature.id is not None:
                row.setdefault("id", feature.id)
            row["geometry"] = feature.geometry
            yield done, row

    return Table(rows=rows(), fraction=lambda: done / len(features) if features else 1.0)
